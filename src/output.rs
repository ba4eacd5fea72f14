//! Everything the core asks of the world.

use crate::event::Event;
use crate::id::ConnId;

/// What a driver does next. Popping one does no work; see [`Server::poll_output`].
///
/// [`Server::poll_output`]: crate::Server::poll_output
#[derive(Debug)]
#[must_use = "an output that is not carried out strands its connection"]
#[non_exhaustive]
pub enum Output {
    /// For the application.
    Event {
        /// The turn in which it happened. Commands given before the next drain belong to it.
        turn: u64,
        /// What happened.
        event: Event,
    },
    /// There are bytes to write: make one write attempt with [`Server::egress`] before sleeping,
    /// and report it as `Input::Sent`. At most one is outstanding per connection.
    ///
    /// [`Server::egress`]: crate::Server::egress
    Flush(ConnId),
    /// Stop reading this connection.
    Pause(ConnId),
    /// Go on reading it.
    Resume(ConnId),
    /// Half-close it: everything is written, and the peer shall see the end.
    ShutdownWrite(ConnId),
    /// Release it; the last output for this handle, always.
    Close {
        /// Which.
        conn: ConnId,
        /// Bytes were left: the peer shall not take what it has for the whole. Reset it.
        abort: bool,
    },
}

/// Why [`Server::poll_timeout`](crate::Server::poll_timeout) wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Wake {
    /// Outputs are waiting to be polled.
    QueuedOutput,
    /// A ping is due.
    Ping,
    /// A pong is overdue.
    PingTimeout,
    /// A websocket candidate took too long to finish its upgrade.
    UpgradeTimeout,
    /// A poll that holds up an upgrade is to be released.
    UpgradeCheck,
    /// A polling session that is closing has not come back for its last packets.
    PollingClose,
    /// A session has joined no namespace.
    ConnectTimeout,
    /// A decision of the application is overdue.
    Decision,
    /// A client's answer is overdue.
    Ask,
    /// A timer of the application.
    Timer,
    /// A request does not end.
    Request,
    /// A connection between requests has been idle for too long.
    Idle,
    /// Last bytes are not being taken, or the peer does not close.
    Linger,
}
