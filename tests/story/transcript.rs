//! The transcript: one line for each input, deadline, event, handler, command, output and message.
//! Ids are named by first use, so that two runs read the same.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard};

use parlor::{
    AskId, Command, Event, Flags, Handler, NamespaceId, Observer, Outcome, Payload, RoomEvent,
    SessionId, SocketId, TimerId,
};

use crate::wire::{binary, shown};

/// Shared between a world and the observer of its node.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    now: u64,
    lines: Vec<Line>,
    pub(crate) namespaces: Vec<(NamespaceId, &'static str)>,
    sids: Vec<String>,
    sockets: Vec<SocketId>,
    sessions: Vec<SessionId>,
    asks: Vec<AskId>,
    timers: Vec<TimerId>,
    /// The command whose outcome follows.
    command: String,
}

struct Line {
    at: u64,
    turn: Option<u64>,
    text: String,
}

/// Where a line stands, to be told its turn later.
pub(crate) struct Place(usize);

/// Characters of a session's secret id on the wire, which is longer than a socket's.
const SID_CHARS: usize = 27;

impl Log {
    pub(crate) fn new(namespaces: Vec<(NamespaceId, &'static str)>) -> Self {
        Self(Arc::new(Mutex::new(Inner { namespaces, ..Inner::default() })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("nothing panics while it writes a line")
    }

    pub(crate) fn set_now(&self, micros: u64) {
        self.inner().now = micros;
    }

    pub(crate) fn line(&self, turn: Option<u64>, text: &str) -> Place {
        self.inner().line(turn, text)
    }

    pub(crate) fn set_turn(&self, place: &Place, turn: u64) {
        self.inner().lines[place.0].turn = Some(turn);
    }

    pub(crate) fn event(&self, turn: u64, event: &Event) {
        let mut inner = self.inner();
        let text = inner.event_text(event);
        inner.line(Some(turn), &format!("event  {text}"));
    }

    /// A command of a bare server, and what became of it.
    pub(crate) fn command(&self, turn: u64, command: &Command<'_>, outcome: &str) {
        let mut inner = self.inner();
        let text = inner.command_text(command);
        inner.line(Some(turn), &format!("app    {text}  {outcome}"));
    }

    /// The latest id that a client was told for its session.
    pub(crate) fn last_sid(&self) -> String {
        self.inner().sids.last().expect("a session was opened").clone()
    }

    pub(crate) fn socket_named(&self, n: usize) -> SocketId {
        self.inner().sockets[n - 1]
    }

    pub(crate) fn ask_name(&self, ask: AskId) -> String {
        self.inner().ask(ask)
    }

    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        for Line { at, turn, text } in &self.inner().lines {
            let turn = turn.map_or(String::new(), |turn| format!("t{turn}"));
            let time = format!("+{}.{:03}", at / 1000, at % 1000);
            writeln!(out, "{time:<12} {turn:<5}{text}").expect("a string takes all");
        }
        out
    }

    /// The texts of the lines alone.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.inner().lines.iter().map(|line| line.text.clone()).collect()
    }

    /// Each line with its turn, where it has one.
    pub(crate) fn turns(&self) -> Vec<(Option<u64>, String)> {
        self.inner().lines.iter().map(|line| (line.turn, line.text.clone())).collect()
    }
}

impl Inner {
    fn line(&mut self, turn: Option<u64>, text: &str) -> Place {
        self.learn(text);
        let mut text = text.to_string();
        for (n, sid) in self.sids.iter().enumerate() {
            text = text.replace(&**sid, &format!("sid#{}", n + 1));
        }
        for (n, socket) in self.sockets.iter().enumerate() {
            text = text.replace(&socket.to_string(), &format!("socket#{}", n + 1));
        }
        self.lines.push(Line { at: self.now, turn, text });
        Place(self.lines.len() - 1)
    }

    /// Ids that stand in an open packet or in a CONNECT.
    fn learn(&mut self, text: &str) {
        for tail in text.split("\"sid\":\"").skip(1) {
            let id = tail.split('"').next().expect("a split has a first part");
            match SocketId::parse(id) {
                Some(socket) => drop(self.socket(socket)),
                None if id.len() == SID_CHARS && !self.sids.iter().any(|sid| sid == id) => {
                    self.sids.push(id.into());
                }
                None => {}
            }
        }
    }

    fn socket(&mut self, id: SocketId) -> String {
        name("socket", &mut self.sockets, id)
    }

    fn session(&mut self, id: SessionId) -> String {
        name("session", &mut self.sessions, id)
    }

    fn ask(&mut self, id: AskId) -> String {
        name("ack", &mut self.asks, id)
    }

    fn timer(&mut self, id: TimerId) -> String {
        name("timer", &mut self.timers, id)
    }

    fn namespace(&self, id: NamespaceId) -> &'static str {
        let found = self.namespaces.iter().find(|(known, _)| *known == id);
        found.map_or("an unknown namespace", |(_, name)| name)
    }

    fn event_text(&mut self, event: &Event) -> String {
        match event {
            Event::Handshake(pending) => format!("handshake {}", pending.head.target()),
            Event::HandshakeFailed(failure) => {
                format!("handshake failed {} {:?}", failure.code, failure.context)
            }
            Event::Connect(pending) => {
                let socket = self.socket(pending.socket());
                let namespace = self.namespace(pending.namespace());
                format!("connect? {socket} {namespace} {}", pending.auth().to_json())
            }
            Event::Abandoned { socket } => format!("abandoned {}", self.socket(*socket)),
            Event::Connected { socket, namespace, auth, .. } => {
                let (socket, namespace) = (self.socket(*socket), self.namespace(*namespace));
                format!("connected {socket} {namespace} {}", auth.to_json())
            }
            Event::Message { socket, name, args, ack } => {
                let asks = if ack.is_some() { ", wants an answer" } else { "" };
                format!("message {} {name} {}{asks}", self.socket(*socket), payload_text(args))
            }
            Event::Settled { ask, socket, outcome } => {
                let (ask, socket) = (self.ask(*ask), self.socket(*socket));
                let outcome = match outcome {
                    Ok(args) => format!("answered {}", payload_text(args)),
                    Err(why) => format!("{why:?}"),
                };
                format!("settled {ask} of {socket}: {outcome}")
            }
            Event::Disconnecting { socket, reason } => {
                format!("disconnecting {}: {reason}", self.socket(*socket))
            }
            Event::Disconnected { socket, reason, rooms } => {
                let rooms = rooms.join(", ");
                let detail = fault_text(&format!("{reason:?}"));
                format!("disconnected {}: {reason}{detail}; was in {rooms}", self.socket(*socket))
            }
            Event::Timer { timer } => format!("timer {}", self.timer(*timer)),
            Event::Room(room) => self.room_text(room),
            Event::Drained { session } => format!("drained {}", self.session(*session)),
            Event::SessionOpened { session } => format!("opened {}", self.session(*session)),
            Event::SessionMessage { session, message } => {
                format!("message {} {message:?}", self.session(*session))
            }
            Event::SessionUpgraded { session } => format!("upgraded {}", self.session(*session)),
            Event::SessionClosed { session, reason } => {
                let detail = fault_text(&format!("{reason:?}"));
                format!("closed {}: {reason}{detail}", self.session(*session))
            }
            other => format!("{other:?}"),
        }
    }

    fn room_text(&mut self, room: &RoomEvent) -> String {
        match room {
            RoomEvent::Created { room, .. } => format!("room {room} created"),
            RoomEvent::Joined { room, socket, .. } => {
                format!("room {room} joined by {}", self.socket(*socket))
            }
            RoomEvent::Left { room, socket, .. } => {
                format!("room {room} left by {}", self.socket(*socket))
            }
            RoomEvent::Deleted { room, .. } => format!("room {room} deleted"),
            other => format!("{other:?}"),
        }
    }

    fn command_text(&mut self, command: &Command<'_>) -> String {
        match *command {
            Command::Emit { socket, event, args, flags } => {
                let socket = self.socket(socket);
                format!("{}emit {socket} {event} {}", flags_text(flags), payload_text(args))
            }
            Command::Ask { socket, event, args, timeout, flags } => {
                let socket = self.socket(socket);
                let args = payload_text(args);
                format!("{}ask {socket} {event} {args} within {timeout:?}", flags_text(flags))
            }
            Command::Broadcast { to, event, args, flags } => {
                let namespace = self.namespace(to.namespace);
                let rooms = to.rooms.join("|");
                let but = to.except_socket.map(|socket| format!(" but {}", self.socket(socket)));
                let (flags, args, but) =
                    (flags_text(flags), payload_text(args), but.unwrap_or_default());
                format!("{flags}broadcast {namespace} [{rooms}]{but} {event} {args}")
            }
            Command::Answer { socket, id: _, args } => {
                format!("answer {} {}", self.socket(socket), payload_text(args))
            }
            Command::Join { socket, room } => format!("join {} {room}", self.socket(socket)),
            Command::Leave { socket, room } => format!("leave {} {room}", self.socket(socket)),
            Command::Disconnect { socket } => format!("disconnect {}", self.socket(socket)),
            Command::DisconnectSession { socket } => {
                format!("disconnect the session of {}", self.socket(socket))
            }
            Command::Admit { socket } => format!("admit {}", self.socket(socket)),
            Command::Refuse { socket, message, data } => {
                let data = data.unwrap_or_default();
                format!("refuse {} {message:?} {data}", self.socket(socket))
            }
            Command::Timer { after, every, .. } => {
                format!("timer {} {after:?}", if every { "every" } else { "after" })
            }
            Command::Send { session, message, flags } => {
                format!("{}send {} {message:?}", flags_text(flags), self.session(session))
            }
            Command::CloseSession { session } => format!("close {}", self.session(session)),
            ref other => format!("{other:?}"),
        }
    }

    fn handler_text(&mut self, handler: &Handler<'_>) -> String {
        match *handler {
            Handler::Connect { socket } => format!("connect {}", self.socket(socket)),
            Handler::Event { socket, event, args } => {
                format!("message {} {event} {}", self.socket(socket), payload_text(args))
            }
            Handler::Settled { socket, ask, outcome } => {
                let ask = ask.map_or("ack".into(), |ask| self.ask(ask));
                let outcome = match outcome {
                    Ok(args) => format!("answered {}", payload_text(args)),
                    Err(why) => format!("{why:?}"),
                };
                format!("settled {ask} of {}: {outcome}", self.socket(socket))
            }
            Handler::Disconnect { socket, reason } => {
                format!("disconnected {}: {reason}", self.socket(socket))
            }
            Handler::Timer { timer, .. } => format!("timer {}", self.timer(timer)),
            Handler::Open { session } => format!("opened {}", self.session(session)),
            Handler::Message { session, message } => {
                format!("message {} {message:?}", self.session(session))
            }
            Handler::Upgrade { session } => format!("upgraded {}", self.session(session)),
            ref other => format!("{other:?}"),
        }
    }
}

/// Writes what a node's handlers do.
pub(crate) struct Watcher(pub(crate) Log);

impl Observer for Watcher {
    fn handler(&mut self, turn: u64, handler: &Handler<'_>) {
        let mut inner = self.0.inner();
        let text = inner.handler_text(handler);
        inner.line(Some(turn), &format!("event  {text}"));
    }

    fn command(&mut self, _turn: u64, command: &Command<'_>) {
        let mut inner = self.0.inner();
        inner.command = inner.command_text(command);
    }

    fn outcome(&mut self, turn: u64, outcome: &Outcome) {
        let mut inner = self.0.inner();
        let command = std::mem::take(&mut inner.command);
        let outcome = match outcome {
            Outcome::Send(status) => outcome_text(&format!("{status:?}")),
            Outcome::Fanout(fanout) => outcome_text(&format!("{fanout:?}")),
            Outcome::Asked(ask) => inner.ask(*ask),
            Outcome::Armed(timer) => inner.timer(*timer),
            other => outcome_text(&format!("{other:?}")),
        };
        inner.line(Some(turn), &format!("app    {command}  {outcome}"));
    }
}

/// What became of a command; a drop stands out.
pub(crate) fn outcome_text(debug: &str) -> String {
    match debug {
        "Dropped" => "DROPPED".into(),
        "Ok(())" | "()" => "done".into(),
        "Err(Gone)" => "gone".into(),
        other => other.to_lowercase(),
    }
}

fn payload_text(args: &Payload) -> String {
    let text = shown(&args.to_json());
    match args.attachments() {
        [] => text,
        attachments => {
            let attachments: Vec<_> = attachments.iter().map(|bytes| binary(bytes)).collect();
            format!("{text} and {}", attachments.join(", "))
        }
    }
}

fn flags_text(flags: Flags) -> &'static str {
    if flags.volatile { "volatile " } else { "" }
}

/// What stands in the parentheses of a reason: the fault of a transport error.
fn fault_text(debug: &str) -> String {
    let fault = debug.split_once('(').map(|(_, fault)| fault.trim_end_matches(')'));
    fault.map_or(String::new(), |fault| format!(" ({fault})"))
}

fn name<T: PartialEq>(kind: &str, known: &mut Vec<T>, id: T) -> String {
    let place = known.iter().position(|known| *known == id).unwrap_or_else(|| {
        known.push(id);
        known.len() - 1
    });
    format!("{kind}#{}", place + 1)
}
