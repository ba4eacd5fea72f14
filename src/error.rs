//! Errors of commands, and the reasons for which things end. They say who is at fault.

use alloc::string::String;
use core::fmt;

/// The socket, session or connection no longer exists; nothing was done. Not a mistake: handles
/// outlive what they name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it no longer exists; nothing was done")
    }
}

impl core::error::Error for Gone {}

/// A limit of [`Limits`](crate::Limits) is reached; the driver drops the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overloaded;

impl fmt::Display for Overloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`connections_max` is reached or the server is shutting down")
    }
}

impl core::error::Error for Overloaded {}

/// The configuration contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub(crate) String);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for ConfigError {}

/// What became of one emit. Not `must_use`: counters know, and an emit to someone who has left is
/// no mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendStatus {
    /// Given to the transport, or kept for the client's next poll.
    Sent,
    /// Accepted, behind this many bytes that the client has not taken yet.
    Backlogged {
        /// Bytes that wait for this client, this emit included.
        bytes: u32,
    },
    /// Dropped: it was volatile and could not go out at this instant, or the client's bound is
    /// reached and the policy is to drop.
    Dropped,
    /// The socket has gone.
    Gone,
    /// A bad emit: a reserved event name, or a value that cannot be written. The caller's mistake.
    Invalid,
}

/// What became of one broadcast, over all its recipients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fanout {
    /// Recipients whose transport took it, or that will get it with their next poll.
    pub sent: u32,
    /// Recipients that have bytes waiting.
    pub backlogged: u32,
    /// Recipients that did not get it.
    pub dropped: u32,
}

/// Why an ask got no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AskError {
    /// The client did not answer in time.
    TimedOut,
    /// The socket went before it answered.
    Disconnected,
    /// The question was never sent: it was volatile, refused, or over a limit.
    Dropped,
    /// It answered, but not what the closure takes.
    BadAnswer(crate::BadArgs),
}

impl fmt::Display for AskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("the client did not answer in time"),
            Self::Disconnected => f.write_str("the client went before it answered"),
            Self::Dropped => f.write_str("the question was not sent"),
            Self::BadAnswer(why) => write!(f, "the answer does not fit: {why}"),
        }
    }
}

impl core::error::Error for AskError {}

/// What broke a transport: the description that goes with `transport error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransportFault {
    /// The connection of a parked GET went away.
    PollAborted,
    /// The connection of an unfinished POST went away.
    PostAborted,
    /// The connection that carried the latest poll answer was lost.
    AnswerLost,
    /// A second GET came while one was parked.
    PollOverlap,
    /// A second POST came while one was unfinished.
    PostOverlap,
    /// A POST had a content type that its protocol revision does not know.
    InvalidContent,
    /// A ping from a client that is to be pinged.
    HeartbeatDirection,
    /// A WebSocket message is over `max_payload`.
    MessageTooBig,
    /// A WebSocket text message is not UTF-8.
    NotUtf8,
    /// A WebSocket frame breaks RFC 6455.
    WebSocketProtocol,
}

impl fmt::Display for TransportFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PollAborted => "poll connection closed prematurely",
            Self::PostAborted => "data request connection closed prematurely",
            Self::AnswerLost => "poll answer lost with its connection",
            Self::PollOverlap => "overlap from client",
            Self::PostOverlap => "data request overlap from client",
            Self::InvalidContent => "invalid content",
            Self::HeartbeatDirection => "invalid heartbeat direction",
            Self::MessageTooBig => "max payload size exceeded",
            Self::NotUtf8 => "invalid UTF-8 in a text message",
            Self::WebSocketProtocol => "invalid WebSocket frame",
        })
    }
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client closed it, or its websocket went away.
    TransportClose,
    /// The transport broke.
    TransportError(TransportFault),
    /// The client sent something that is no Engine.IO packet.
    ParseError,
    /// The client did not answer a ping in time.
    PingTimeout,
    /// The server closed it.
    ForcedClose,
    /// The client does not read, and `egress_bytes_max` is reached.
    Overflow,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TransportClose => "transport close",
            Self::TransportError(_) => "transport error",
            Self::ParseError => "parse error",
            Self::PingTimeout => "ping timeout",
            Self::ForcedClose => "forced close",
            Self::Overflow => "overflow",
        })
    }
}

/// Why a socket left its namespace. Displayed as the text that Socket.IO gives the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// The client left the namespace.
    ClientNamespace,
    /// The server disconnected the socket.
    ServerNamespace,
    /// See [`CloseReason::TransportClose`].
    TransportClose,
    /// See [`CloseReason::TransportError`].
    TransportError(TransportFault),
    /// See [`CloseReason::ParseError`].
    ParseError,
    /// See [`CloseReason::PingTimeout`].
    PingTimeout,
    /// The server closed the connection: the client broke the Socket.IO protocol.
    ForcedServerClose,
    /// The session was closed below Socket.IO.
    ForcedClose,
    /// The server is shutting down.
    ServerShuttingDown,
    /// See [`CloseReason::Overflow`].
    Overflow,
}

impl From<CloseReason> for DisconnectReason {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::TransportClose => Self::TransportClose,
            CloseReason::TransportError(fault) => Self::TransportError(fault),
            CloseReason::ParseError => Self::ParseError,
            CloseReason::PingTimeout => Self::PingTimeout,
            CloseReason::ForcedClose => Self::ForcedClose,
            CloseReason::Overflow => Self::Overflow,
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientNamespace => "client namespace disconnect",
            Self::ServerNamespace => "server namespace disconnect",
            Self::TransportClose => "transport close",
            Self::TransportError(_) => "transport error",
            Self::ParseError => "parse error",
            Self::PingTimeout => "ping timeout",
            Self::ForcedServerClose => "forced server close",
            Self::ForcedClose => "forced close",
            Self::ServerShuttingDown => "server shutting down",
            Self::Overflow => "overflow",
        })
    }
}
