//! What an observer heard, as far as the rules of time, order and life need it.

use parlor::{
    AskError, AskId, CloseReason, Command, DisconnectReason, Event, Handler, NamespaceId, Outcome,
    SendStatus, SessionId, SocketId, TimerId,
};

/// One thing that the server told the program, or that the program did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A session opened.
    Opened(SessionId),
    /// A session moved to its websocket.
    Upgraded(SessionId),
    /// A session ended.
    Closed(SessionId, CloseReason),
    /// A client asks to join, and waits for the decision.
    Deciding(SocketId, SessionId, NamespaceId),
    /// It went, or waited too long.
    Abandoned(SocketId),
    /// It was admitted.
    Connected(SocketId, SessionId, NamespaceId),
    /// An event of a client.
    Message(SocketId),
    /// What became of an ask.
    Settled(AskId, SocketId, Why),
    /// A socket leaves.
    Leaving(SocketId, DisconnectReason),
    /// It has left.
    Left(SocketId, DisconnectReason),
    /// A client took what waited for it.
    Drained(SessionId),
    /// A timer of the program fired.
    Fired(TimerId),
    /// A request that is not Engine.IO's.
    Requested,

    /// A handler of a client's event begins.
    Runs(SocketId),
    /// The closure of a timer begins.
    TimerRuns(TimerId),

    /// An emit or an answer to one socket.
    Sent { socket: SocketId, status: SendStatus, volatile: bool },
    /// A broadcast left bytes waiting, or was not taken, somewhere.
    CastWaits,
    /// An ask was made.
    Asked { ask: AskId, socket: SocketId, timeout: u64, volatile: bool },
    /// A timer was set.
    Armed { timer: TimerId, after: u64, every: bool, socket: Option<SocketId> },
    /// A timer was to be taken back, and whether it was there.
    Cancelled(TimerId, bool),
    /// A client that waited is admitted.
    Admitted(SocketId),
    /// It is refused.
    Refused(SocketId),
    /// A socket was to leave.
    Kicked(SocketId),
    /// All sockets of its session were to leave, and the session to close.
    KickedAll(SocketId),
    /// A session was to close.
    ClosesSession(SessionId),
    /// The server was to shut down.
    ShutsDown,
    /// A request was answered, and whether its client was still there.
    Responded(bool),
}

/// What became of an ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    Answered,
    TimedOut,
    Disconnected,
    Dropped,
}

impl Told {
    pub(crate) fn event(event: &Event) -> Option<Self> {
        Some(match event {
            Event::SessionOpened { session } => Self::Opened(*session),
            Event::SessionUpgraded { session } => Self::Upgraded(*session),
            Event::SessionClosed { session, reason } => Self::Closed(*session, *reason),
            Event::Connect(pending) => {
                Self::Deciding(pending.socket(), pending.session(), pending.namespace())
            }
            Event::Abandoned { socket } => Self::Abandoned(*socket),
            Event::Connected { socket, session, namespace, .. } => {
                Self::Connected(*socket, *session, *namespace)
            }
            Event::Message { socket, .. } => Self::Message(*socket),
            Event::Settled { ask, socket, outcome } => {
                let why = match outcome {
                    Ok(_) | Err(AskError::BadAnswer(_)) => Why::Answered,
                    Err(AskError::TimedOut) => Why::TimedOut,
                    Err(AskError::Disconnected) => Why::Disconnected,
                    Err(_) => Why::Dropped,
                };
                Self::Settled(*ask, *socket, why)
            }
            Event::Disconnecting { socket, reason } => Self::Leaving(*socket, *reason),
            Event::Disconnected { socket, reason, .. } => Self::Left(*socket, *reason),
            Event::Drained { session } => Self::Drained(*session),
            Event::Timer { timer } => Self::Fired(*timer),
            Event::Request(_) => Self::Requested,
            _ => return None,
        })
    }

    pub(crate) fn handler(handler: &Handler<'_>) -> Option<Self> {
        Some(match *handler {
            Handler::Any { socket, .. }
            | Handler::Before { socket, .. }
            | Handler::Event { socket, .. } => Self::Runs(socket),
            Handler::Timer { timer, .. } => Self::TimerRuns(timer),
            _ => return None,
        })
    }

    /// A command, before its outcome is known; see [`outcome`](Self::outcome).
    pub(crate) fn command(command: &Command<'_>) -> Option<Pending> {
        Some(match *command {
            Command::Emit { socket, flags, .. } => Pending::Send(socket, flags.volatile),
            Command::Answer { socket, .. } => Pending::Send(socket, false),
            Command::Broadcast { flags, .. } => Pending::Cast(flags.volatile),
            Command::Ask { socket, timeout, flags, .. } => {
                Pending::Ask(socket, timeout.as_micros() as u64, flags.volatile)
            }
            Command::Timer { after, every, socket } => {
                Pending::Timer(after.as_micros() as u64, every, socket)
            }
            Command::Cancel { timer } => Pending::Cancel(timer),
            Command::Admit { socket } => Pending::Done(Self::Admitted(socket)),
            Command::Refuse { socket, .. } => Pending::Done(Self::Refused(socket)),
            Command::Disconnect { socket } => Pending::Done(Self::Kicked(socket)),
            Command::DisconnectSession { socket } => Pending::Done(Self::KickedAll(socket)),
            Command::CloseSession { session } => Pending::Done(Self::ClosesSession(session)),
            Command::Shutdown => Pending::Done(Self::ShutsDown),
            Command::Respond { .. } => Pending::Respond,
            _ => return None,
        })
    }
}

/// A command whose outcome follows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pending {
    Send(SocketId, bool),
    Cast(bool),
    Ask(SocketId, u64, bool),
    Timer(u64, bool, Option<SocketId>),
    Cancel(TimerId),
    Done(Told),
    Respond,
}

impl Pending {
    pub(crate) fn outcome(self, outcome: &Outcome) -> Option<Told> {
        Some(match (self, *outcome) {
            (Self::Send(socket, volatile), Outcome::Send(status)) => {
                Told::Sent { socket, status, volatile }
            }
            (Self::Cast(volatile), Outcome::Fanout(fanout))
                if fanout.backlogged > 0 || (fanout.dropped > 0 && !volatile) =>
            {
                Told::CastWaits
            }
            (Self::Ask(socket, timeout, volatile), Outcome::Asked(ask)) => {
                Told::Asked { ask, socket, timeout, volatile }
            }
            (Self::Timer(after, every, socket), Outcome::Armed(timer)) => {
                Told::Armed { timer, after, every, socket }
            }
            (Self::Cancel(timer), Outcome::Done(was_there)) => Told::Cancelled(timer, was_there),
            (Self::Done(told), Outcome::Done(true)) => told,
            (Self::Respond, outcome) => Told::Responded(matches!(outcome, Outcome::Done(true))),
            _ => return None,
        })
    }
}
