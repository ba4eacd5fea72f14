//! What a caller says with a command: how and to whom something is sent, and what answers carry.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bytes::Bytes;
use crate::http;
use crate::id::{NamespaceId, SocketId};

/// How a packet is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    /// Sent if the client can take it at this instant, else dropped without trace.
    pub volatile: bool,
    /// To sockets of this server only. Without a cluster all are.
    pub local: bool,
    /// Whether it may be compressed, where compression is on.
    pub compress: bool,
}

impl Default for Flags {
    fn default() -> Self {
        Self { volatile: false, local: false, compress: true }
    }
}

/// Whom a broadcast is for: the connected sockets in any of `rooms`, or in the whole namespace if
/// none is named, and in none of `except`; each once.
#[derive(Clone, Copy, Debug)]
pub struct Recipients<'a> {
    /// Where.
    pub namespace: NamespaceId,
    /// In any of these rooms.
    pub rooms: &'a [Box<str>],
    /// In none of these.
    pub except: &'a [Box<str>],
    /// Not this one.
    pub except_socket: Option<SocketId>,
}

impl Recipients<'_> {
    /// Everyone in a namespace.
    pub fn all(namespace: NamespaceId) -> Self {
        Self { namespace, rooms: &[], except: &[], except_socket: None }
    }
}

/// What the answers to an admitted client carry. The same is left out as of a [`Response`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// On the first answer only.
    pub initial_headers: Vec<(String, String)>,
    /// On every answer of the session.
    pub headers: Vec<(String, String)>,
}

impl Admission {
    /// What cannot stand in a head, or is the server's own to say, is left out.
    pub(crate) fn checked(mut self) -> Self {
        self.initial_headers.retain(is_callers);
        self.headers.retain(is_callers);
        self
    }
}

/// Whether a header is a caller's to set: it can stand in a head, and does not say where an answer
/// ends or what becomes of its connection.
pub(crate) fn is_callers((name, value): &(String, String)) -> bool {
    const OURS: [&str; 4] = ["content-length", "transfer-encoding", "connection", "upgrade"];
    let is_handshake = |prefix: &str| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    http::is_name_valid(name.as_bytes())
        && http::is_value_valid(value.as_bytes())
        && !OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours))
        && !is_handshake("sec-websocket-")
}

/// What carries a session right now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// HTTP long-polling.
    Polling,
    /// WebSocket.
    WebSocket,
}

/// An answer to a request.
///
/// What frames an answer or keeps its connection (`Content-Length`, `Transfer-Encoding`,
/// `Connection`, `Upgrade`) is the server's business; that, and a header whose name or value cannot
/// stand in a head, is left out. So is the body of a 204, a 205 or a 304.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// From 200 to 599.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// An answer with no header of its own.
    ///
    /// ```
    /// use parlor::Response;
    /// let page = Response::new(200, "<h1>Parlor</h1>").header("Content-Type", "text/html");
    /// assert_eq!(page.headers.len(), 1);
    /// ```
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// With one more header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}
