//! What the core tells the application, and the tokens by which it is answered.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use bytestring::ByteString;

use crate::bytes::Bytes;
use crate::error::{AskError, CloseReason, DisconnectReason};
use crate::http::RequestHead;
use crate::id::{AskId, ConnId, NamespaceId, SessionId, SocketId, TimerId};
use crate::payload::Payload;

/// Something for the application. Those marked with a pair always come in it, on shutdown too.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A client asks for a session; only with [`Config::decide_handshakes`].
    ///
    /// [`Config::decide_handshakes`]: crate::Config::decide_handshakes
    Handshake(PendingHandshake),
    /// A handshake or another request was refused by Engine.IO.
    HandshakeFailed(HandshakeFailure),
    /// A request that is not Engine.IO's; only with [`Config::take_requests`].
    ///
    /// [`Config::take_requests`]: crate::Config::take_requests
    Request(PendingRequest),

    /// A client asks to join a namespace that decides for itself. Ends with `Connected`, with a
    /// refusal, or with `Abandoned`.
    Connect(PendingConnect),
    /// The client that asked to join went, or waited too long for the decision.
    Abandoned {
        /// Who it would have been.
        socket: SocketId,
    },
    /// A socket joined its namespace. Pair: `Disconnected`.
    Connected {
        /// The new member.
        socket: SocketId,
        /// What carries it.
        session: SessionId,
        /// Where.
        namespace: NamespaceId,
        /// What the client sent with its CONNECT: one argument, an object.
        auth: Payload,
    },
    /// An event of a client.
    Message {
        /// From whom.
        socket: SocketId,
        /// The event's name. A number is its decimal text.
        name: ByteString,
        /// The arguments.
        args: Payload,
        /// The right to answer, if the client asked for one.
        ack: Option<AckToken>,
    },
    /// The one outcome of an ask.
    Settled {
        /// Which.
        ask: AskId,
        /// Who was asked.
        socket: SocketId,
        /// The answer, or why there is none.
        outcome: Result<Payload, AskError>,
    },
    /// A socket is about to leave; its rooms are intact until
    /// [`Server::release`](crate::Server::release) or the next input. Only with
    /// [`Config::announce_disconnecting`](crate::Config::announce_disconnecting).
    Disconnecting {
        /// Who.
        socket: SocketId,
        /// Why.
        reason: DisconnectReason,
    },
    /// A socket left its namespace.
    Disconnected {
        /// Who.
        socket: SocketId,
        /// Why.
        reason: DisconnectReason,
        /// The rooms it was in, in the order it joined them.
        rooms: Vec<Box<str>>,
    },
    /// A timer of the application fired.
    Timer {
        /// Which.
        timer: TimerId,
    },
    /// A room came, changed or went; only with [`Config::room_events`](crate::Config::room_events).
    Room(RoomEvent),
    /// A client that was backlogged, or lost a message to its bound, has taken everything.
    Drained {
        /// Which session.
        session: SessionId,
    },

    /// A session opened. Pair: `SessionClosed`. In [`Mode::EngineIo`](crate::Mode), or with
    /// [`Config::session_events`](crate::Config::session_events).
    SessionOpened {
        /// The new session.
        session: SessionId,
    },
    /// A message of a session; only in [`Mode::EngineIo`](crate::Mode).
    SessionMessage {
        /// From which session.
        session: SessionId,
        /// Text or bytes.
        message: Message,
    },
    /// A session moved from polling to websocket; what it had waiting follows at once.
    SessionUpgraded {
        /// Which.
        session: SessionId,
    },
    /// A session ended.
    SessionClosed {
        /// Which.
        session: SessionId,
        /// Why.
        reason: CloseReason,
    },
}

/// A message of the engine: what stands behind the `4`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// UTF-8 text; empty where the client sent no data.
    Text(ByteString),
    /// Bytes.
    Binary(Bytes),
}

/// What happens to rooms (their own-id rooms included).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomEvent {
    /// The first member is about to join.
    Created {
        /// Where.
        namespace: NamespaceId,
        /// Its name.
        room: Box<str>,
    },
    /// A socket joined.
    Joined {
        /// Where.
        namespace: NamespaceId,
        /// Its name.
        room: Box<str>,
        /// Who.
        socket: SocketId,
    },
    /// A socket left.
    Left {
        /// Where.
        namespace: NamespaceId,
        /// Its name.
        room: Box<str>,
        /// Who.
        socket: SocketId,
    },
    /// The last member has left.
    Deleted {
        /// Where.
        namespace: NamespaceId,
        /// Its name.
        room: Box<str>,
    },
}

/// A refused request: what the reference reports as `connection_error`.
#[derive(Clone, Debug)]
pub struct HandshakeFailure {
    /// The code in the answer's body, 0 to 5.
    pub code: u8,
    /// The message in the answer's body.
    pub message: String,
    /// More about it, for the log: the offending value, or the name of the check.
    pub context: String,
    /// The request.
    pub head: RequestHead,
}

/// A client that waits for a session. Answer it with [`Server::admit_handshake`] or
/// [`Server::refuse_handshake`]; dropped, it is refused when `decision_timeout` is over.
///
/// [`Server::admit_handshake`]: crate::Server::admit_handshake
/// [`Server::refuse_handshake`]: crate::Server::refuse_handshake
#[derive(Debug)]
#[must_use = "answer it with `admit_handshake` or `refuse_handshake`"]
pub struct PendingHandshake {
    pub(crate) key: u32,
    pub(crate) serial: u32,
    /// The request.
    pub head: RequestHead,
}

/// A request that is not Engine.IO's. Answer it with [`Server::respond`](crate::Server::respond);
/// dropped, it is answered 404 when `decision_timeout` is over.
#[derive(Debug)]
#[must_use = "answer it with `respond`"]
pub struct PendingRequest {
    pub(crate) conn: ConnId,
    pub(crate) serial: u32,
    /// The request.
    pub head: RequestHead,
    /// Its body; at most `max_payload` bytes.
    pub body: Bytes,
}

/// A client that waits to join a namespace. Answer it with [`Server::admit`](crate::Server::admit)
/// or [`Server::refuse`](crate::Server::refuse); dropped, it is refused with `timed out` when
/// `decision_timeout` is over.
#[derive(Debug)]
#[must_use = "answer it with `admit` or `refuse`"]
pub struct PendingConnect {
    pub(crate) socket: SocketId,
    pub(crate) session: SessionId,
    pub(crate) namespace: NamespaceId,
    pub(crate) auth: Payload,
}

impl PendingConnect {
    /// Who it will be. It may be given rooms and emitted to before it is admitted.
    pub fn socket(&self) -> SocketId {
        self.socket
    }

    /// What carries it.
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Where it wants to join.
    pub fn namespace(&self) -> NamespaceId {
        self.namespace
    }

    /// What it sent with its CONNECT: one argument, an object.
    pub fn auth(&self) -> &Payload {
        &self.auth
    }
}

/// The right to answer one event of a client, once.
#[derive(Debug)]
#[must_use = "answer with it, or drop it: the client's own timeout acts"]
pub struct AckToken {
    pub(crate) socket: SocketId,
    pub(crate) id: u64,
}

impl AckToken {
    /// Who asked.
    pub fn socket(&self) -> SocketId {
        self.socket
    }

    /// The number under which the client waits for the answer.
    pub fn id(&self) -> u64 {
        self.id
    }
}
