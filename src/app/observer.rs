//! What a watcher of a node is told: recording and simulation live on it.

use core::panic::Location;
use core::time::Duration;

use crate::{
    AskError, AskId, BadArgs, ByteString, CloseReason, DisconnectReason, Event, Fanout, Flags,
    Input, Instant, Message, Payload, Peer, Recipients, Response, RoomEvent, SendStatus, SessionId,
    SocketId, TimerId,
};
use crate::{HandshakeVerdict, Verdict};

/// Watches a [`Node`](crate::Node). Each method is told of something at its start, except
/// [`outcome`](Self::outcome), which follows its command at once. All do nothing by default.
///
/// It is called while the core is at work and has no way back into it. It must not panic.
///
/// ```
/// use parlor::{App, Config, Instant, Node, NodeInput, Observer};
///
/// struct Log(std::sync::mpsc::Sender<String>);
///
/// impl Observer for Log {
///     fn input(&mut self, now: Instant, input: &NodeInput<'_>) {
///         self.0.send(format!("{now} {input:?}")).ok();
///     }
/// }
///
/// let (sender, lines) = std::sync::mpsc::channel();
/// let mut node = Node::new(Config::default(), App::new(), [7; 32], Instant::ZERO, 0)?;
/// node.set_observer(Box::new(Log(sender)));
/// node.handle_timeout(Instant::from_micros(1_500));
/// assert_eq!(lines.recv().unwrap(), "1.500 Timeout");
/// # Ok::<(), parlor::ConfigError>(())
/// ```
pub trait Observer {
    /// Something was handed to the node. What follows until the next one was caused by it.
    fn input(&mut self, now: Instant, input: &NodeInput<'_>) {
        let _ = (now, input);
    }

    /// The server told the program of something; its handlers follow, if there are any.
    fn event(&mut self, turn: u64, event: &Event) {
        let _ = (turn, event);
    }

    /// A handler is about to run.
    fn handler(&mut self, turn: u64, handler: &Handler<'_>) {
        let _ = (turn, handler);
    }

    /// The command that is told next stands at this place in the source. Those that a handler gives
    /// by what it returns have none.
    fn site(&mut self, site: &'static Location<'static>) {
        let _ = site;
    }

    /// A handler, or work from outside, gave a command.
    fn command(&mut self, turn: u64, command: &Command<'_>) {
        let _ = (turn, command);
    }

    /// What became of the last command.
    fn outcome(&mut self, turn: u64, outcome: &Outcome) {
        let _ = (turn, outcome);
    }

    /// A value could not be written, so the emit, ask or answer was not made. The caller's mistake.
    fn invalid(&mut self, turn: u64, event: &str, why: &str) {
        let _ = (turn, event, why);
    }

    /// No handler could take an event's arguments.
    fn bad_args(&mut self, turn: u64, socket: SocketId, event: &str, why: &BadArgs) {
        let _ = (turn, socket, event, why);
    }
}

/// Everything that can be handed to a node: fed again in this order, it does the same again.
#[derive(Debug)]
#[non_exhaustive]
pub enum NodeInput<'a> {
    /// A peer connected.
    Accept(&'a Peer),
    /// From a connection.
    Wire(&'a Input<'a>),
    /// Deadlines may be due.
    Timeout,
    /// The server is told to shut down.
    Shutdown,
    /// The driver contained a panic.
    AfterPanic,
    /// A closure, run in the node; it has no name but the place in the source it came from.
    Run(&'static Location<'static>),
    /// From outside: the answer to an event of a client.
    Answer {
        /// Who asked.
        socket: SocketId,
        /// The answer, or why it could not be written.
        args: Result<&'a Payload, &'a str>,
    },
    /// From outside: the decision on a connect.
    Decide {
        /// Who wants to join.
        socket: SocketId,
        /// The decision.
        verdict: &'a Verdict,
    },
    /// From outside: the decision on a handshake.
    DecideHandshake(&'a HandshakeVerdict),
    /// From outside: the answer to a request.
    Respond(&'a Response),
    /// From outside: an emit to one socket.
    Emit {
        /// To whom.
        socket: SocketId,
        /// The event's name.
        event: &'a str,
        /// The arguments, or why they could not be written.
        args: Result<&'a Payload, &'a str>,
    },
    /// From outside: the end of one socket.
    Disconnect(SocketId),
}

/// A handler that runs.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the fields of an event, named as there")]
pub enum Handler<'a> {
    /// `authorize`, counted from 0.
    Authorize { socket: SocketId, stage: u32 },
    /// `on_connect`.
    Connect { socket: SocketId },
    /// `on_any`.
    Any { socket: SocketId, event: &'a ByteString, args: &'a Payload },
    /// `before`.
    Before { socket: SocketId, event: &'a ByteString, args: &'a Payload },
    /// `on` or `once`.
    Event { socket: SocketId, event: &'a ByteString, args: &'a Payload },
    /// The closure of an ask; `None` for one that could not be sent.
    Settled { socket: SocketId, ask: Option<AskId>, outcome: Result<&'a Payload, &'a AskError> },
    /// `on_disconnecting`.
    Disconnecting { socket: SocketId, reason: DisconnectReason },
    /// `on_disconnect`.
    Disconnect { socket: SocketId, reason: DisconnectReason },
    /// The closure of a timer, and whose it is.
    Timer { timer: TimerId, socket: Option<SocketId> },
    /// `on_handshake`.
    Handshake,
    /// `on_handshake_error`.
    HandshakeError,
    /// `on_request`.
    Request,
    /// `on_room`.
    Room(&'a RoomEvent),
    /// `engine().on_open`.
    Open { session: SessionId },
    /// `engine().on_message`.
    Message { session: SessionId, message: &'a Message },
    /// `engine().on_upgrade`.
    Upgrade { session: SessionId },
    /// `engine().on_close`.
    Close { session: SessionId, reason: CloseReason },
}

/// What a handler, or work from outside, tells the server to do.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the parameters of the server's command, named as there")]
pub enum Command<'a> {
    /// See [`Server::emit`](crate::Server::emit).
    Emit { socket: SocketId, event: &'a str, args: &'a Payload, flags: Flags },
    /// See [`Server::ask`](crate::Server::ask).
    Ask { socket: SocketId, event: &'a str, args: &'a Payload, timeout: Duration, flags: Flags },
    /// See [`Server::broadcast`](crate::Server::broadcast).
    Broadcast { to: Recipients<'a>, event: &'a str, args: &'a Payload, flags: Flags },
    /// See [`Server::answer`](crate::Server::answer); `id` is the number on the wire.
    Answer { socket: SocketId, id: u64, args: &'a Payload },
    /// See [`Server::join`](crate::Server::join).
    Join { socket: SocketId, room: &'a str },
    /// See [`Server::leave`](crate::Server::leave).
    Leave { socket: SocketId, room: &'a str },
    /// See [`Server::disconnect`](crate::Server::disconnect).
    Disconnect { socket: SocketId },
    /// See [`Server::disconnect_session`](crate::Server::disconnect_session).
    DisconnectSession { socket: SocketId },
    /// See [`Server::admit`](crate::Server::admit).
    Admit { socket: SocketId },
    /// See [`Server::refuse`](crate::Server::refuse).
    Refuse { socket: SocketId, message: &'a str, data: Option<&'a str> },
    /// See [`Server::admit_handshake`](crate::Server::admit_handshake).
    AdmitHandshake,
    /// See [`Server::refuse_handshake`](crate::Server::refuse_handshake).
    RefuseHandshake { message: &'a str },
    /// See [`Server::respond`](crate::Server::respond).
    Respond { status: u16 },
    /// See [`Server::timer`](crate::Server::timer).
    Timer { after: Duration, every: bool, socket: Option<SocketId> },
    /// See [`Server::cancel`](crate::Server::cancel).
    Cancel { timer: TimerId },
    /// See [`Server::send`](crate::Server::send).
    Send { session: SessionId, message: &'a Message, flags: Flags },
    /// See [`Server::close_session`](crate::Server::close_session).
    CloseSession { session: SessionId },
    /// See [`Server::shutdown`](crate::Server::shutdown).
    Shutdown,
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Of an emit, an answer or a send.
    Send(SendStatus),
    /// Of a broadcast.
    Fanout(Fanout),
    /// The ask was made; its own outcome follows.
    Asked(AskId),
    /// The timer is set.
    Armed(TimerId),
    /// Anything else: whether it changed something.
    Done(bool),
    /// What it was for has gone; nothing was done.
    Gone,
    /// A limit of [`Limits`](crate::Limits) forbids it; nothing was done.
    Limited,
}
