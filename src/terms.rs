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

/// What the answers to an admitted client carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admission {
    /// On the first answer only.
    pub initial_headers: Vec<(String, String)>,
    /// On every answer of the session.
    pub headers: Vec<(String, String)>,
}

impl Admission {
    /// Header names and values that cannot stand in a head are left out.
    pub(crate) fn checked(mut self) -> Self {
        let valid = |(name, value): &(String, String)| {
            http::is_name_valid(name.as_bytes()) && http::is_value_valid(value.as_bytes())
        };
        self.initial_headers.retain(valid);
        self.headers.retain(valid);
        self
    }
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
/// `Content-Length` and `Connection` are the server's business; a header whose name or value cannot
/// stand in a head is left out.
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
