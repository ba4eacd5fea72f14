//! A world for one core: TCP connections in memory, virtual time, a kernel that takes as much as
//! the test says, and the transcript of it all.
//!
//! It is a faithful driver: it sleeps until `poll_timeout`, fires one deadline a call, makes one
//! write attempt for each `Flush`, and holds the core to its side of the contract.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use parlor::{
    AckToken, App, AskId, Bytes, Command, Config, ConnId, Event, Fanout, Flags, Gone, Input,
    Instant, Node, Output, Overloaded, Payload, PendingConnect, PendingHandshake, Recipients, Root,
    SendStatus, Server, SessionId, SocketId, Stats, Wake,
};

use crate::transcript::{Log, Watcher, outcome_text};
use crate::wire::{Frame, Inbox, Request};

/// Namespaces that a bare server of these tests has.
const NAMESPACES: [&str; 3] = ["/", "/custom", "/guarded"];
const SEED: [u8; 32] = [7; 32];

/// What the world drives.
pub(crate) trait Machine {
    fn accept(&mut self, now: Instant, peer: SocketAddr) -> Result<ConnId, Overloaded>;
    fn handle(&mut self, now: Instant, input: Input<'_>);
    /// Fires one deadline.
    fn handle_timeout(&mut self, now: Instant);
    fn poll_output(&mut self) -> Option<Output>;
    fn poll_timeout(&self) -> Option<(Instant, Wake)>;
    fn server(&self) -> &Server;
}

impl Machine for Server {
    fn accept(&mut self, now: Instant, peer: SocketAddr) -> Result<ConnId, Overloaded> {
        self.accept(now, peer)
    }

    fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.handle(now, input);
    }

    fn handle_timeout(&mut self, now: Instant) {
        assert!(self.handle_timeout(now), "what `poll_timeout` named is due");
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.poll_output()
    }

    fn poll_timeout(&self) -> Option<(Instant, Wake)> {
        self.poll_timeout()
    }

    fn server(&self) -> &Server {
        self
    }
}

impl<S: Send + 'static> Machine for Node<S> {
    fn accept(&mut self, now: Instant, peer: SocketAddr) -> Result<ConnId, Overloaded> {
        self.accept(now, peer)
    }

    fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.handle(now, input);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.poll_output()
    }

    fn poll_timeout(&self) -> Option<(Instant, Wake)> {
        self.poll_timeout()
    }

    fn server(&self) -> &Server {
        self.server()
    }
}

/// A connection of the world, `c1` the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct C(usize);

struct Conn {
    id: ConnId,
    inbox: Inbox,
    /// What the kernel was shown and did not take.
    shown: Vec<u8>,
    /// A `Flush` was popped and no attempt made.
    owed: bool,
    closed: bool,
}

/// See the module.
pub(crate) struct World<M> {
    pub(crate) machine: M,
    log: Log,
    now: u64,
    heads: bool,
    conns: Vec<Conn>,
    counted: Stats,
    /// Events of a bare server that the test has not looked at.
    events: VecDeque<Event>,
}

impl World<Server> {
    /// With sessions' own events told.
    pub(crate) fn bare(config: Config) -> Self {
        let config = Config { session_events: true, ..config };
        let mut server = Server::new(config, SEED, Instant::ZERO, 0).expect("a valid config");
        let namespaces = NAMESPACES.map(|name| (server.namespace(name), name));
        let guarded = server.namespace("/guarded");
        server.decide_connects(guarded, true);
        Self::over(server, Log::new(namespaces.into()))
    }
}

impl<S: Send + 'static> World<Node<S>> {
    pub(crate) fn node(mut config: Config, app: App<S>) -> Self {
        config.limits.deadlines_per_call_max = 1;
        let mut node =
            Node::new(config, app, SEED, Instant::ZERO, 0).expect("a valid config and program");
        let server = node.server();
        let namespaces =
            NAMESPACES.iter().filter_map(|name| Some((server.find_namespace(name)?, *name)));
        let log = Log::new(namespaces.collect());
        node.set_observer(Box::new(Watcher(log.clone())));
        Self::over(node, log)
    }

    /// One job from outside.
    pub(crate) fn job<R>(&mut self, f: impl FnOnce(&mut Root<'_, S>) -> R) -> R {
        let place = self.log.line(None, "job from outside");
        let result = self.machine.run(self.at(), f);
        self.log.set_turn(&place, self.machine.server().turn_last());
        self.count();
        result
    }
}

/// Time and the kernel.
impl<M: Machine> World<M> {
    fn over(machine: M, log: Log) -> Self {
        let counted = *machine.server().stats();
        let (conns, events) = (Vec::new(), VecDeque::new());
        Self { machine, log, now: 0, heads: false, conns, counted, events }
    }

    /// Shows heads in full from now on.
    pub(crate) fn with_heads(mut self) -> Self {
        self.heads = true;
        self
    }

    pub(crate) fn at(&self) -> Instant {
        Instant::from_micros(self.now)
    }

    /// Time passes in which nothing is due.
    pub(crate) fn pass(&mut self, millis: f64) {
        let now = self.now + (millis * 1000.0).round() as u64;
        if let Some((due, wake)) = self.machine.poll_timeout() {
            assert!(due.as_micros() >= now, "{wake:?} is due at {due}");
        }
        self.set_now(now);
    }

    /// Time jumps over deadlines, as for a driver that was not scheduled.
    pub(crate) fn stall(&mut self, millis: u64) {
        self.set_now(self.now + millis * 1000);
    }

    fn set_now(&mut self, now: u64) {
        self.now = now;
        self.log.set_now(now);
    }

    /// Sleeps until the next deadline and fires it, alone.
    pub(crate) fn fire(&mut self) -> Wake {
        let (due, wake) = self.machine.poll_timeout().expect("something is armed");
        assert_ne!(wake, Wake::QueuedOutput, "a driver drains before it sleeps");
        self.set_now(self.now.max(due.as_micros()));
        self.expire(wake);
        wake
    }

    /// What is armed next.
    pub(crate) fn next_wake(&self) -> Wake {
        self.machine.poll_timeout().expect("something is armed").1
    }

    /// Fires what is due before anything is drained. Why it fires cannot be asked then, so the test
    /// has asked before.
    pub(crate) fn fire_undrained(&mut self, wake: Wake) {
        self.expire(wake);
    }

    fn expire(&mut self, wake: Wake) {
        let place = self.log.line(None, &format!("deadline {wake:?}"));
        self.machine.handle_timeout(self.at());
        self.log.set_turn(&place, self.machine.server().turn_last());
        self.count();
    }

    /// Fires deadlines, each followed by a drain and by all writes, until one of this kind was.
    pub(crate) fn fire_until(&mut self, wanted: Wake) {
        loop {
            let wake = self.fire();
            self.settle();
            if wake == wanted {
                return;
            }
        }
    }

    pub(crate) fn accept(&mut self) -> C {
        let peer = SocketAddr::from(([192, 0, 2, 1], 4000 + self.conns.len() as u16));
        let id = self.machine.accept(self.at(), peer).expect("there is room");
        self.conns.push(Conn {
            id,
            inbox: Inbox::default(),
            shown: Vec::new(),
            owed: false,
            closed: false,
        });
        self.log.line(None, &format!("c{} connects", self.conns.len()));
        C(self.conns.len() - 1)
    }

    pub(crate) fn is_closed(&self, c: C) -> bool {
        self.conns[c.0].closed
    }

    fn input(&mut self, label: &str, input: Input<'_>) {
        let before = self.machine.server().turn_last();
        let place = self.log.line(None, label);
        self.machine.handle(Instant::from_micros(self.now), input);
        let turn = self.machine.server().turn_last();
        if turn != before {
            self.log.set_turn(&place, turn);
        }
        self.count();
    }

    /// Counters of what was dropped, ignored or refused, where they grew.
    fn count(&mut self) {
        const MUNDANE: [&str; 12] = [
            "connections_accepted",
            "requests",
            "sessions_opened",
            "sessions_closed",
            "upgrades",
            "sockets_connected",
            "sockets_disconnected",
            "messages_received",
            "packets_sent",
            "events_unheard",
            "handshakes_failed",
            "connections_refused",
        ];
        let stats = *self.machine.server().stats();
        for ((name, before), (_, after)) in self.counted.each().zip(stats.each()) {
            if after > before && !MUNDANE.contains(&name) {
                self.log.line(None, &format!("       counted {name} +{}", after - before));
            }
        }
        self.counted = stats;
    }
}

/// The client's end.
impl<M: Machine> World<M> {
    /// One read, whatever stands in it.
    pub(crate) fn raw(&mut self, c: C, label: &str, mut bytes: Vec<u8>) {
        let conn = self.conns[c.0].id;
        let input = Input::Data { conn, bytes: &mut bytes };
        self.input(&format!("c{} → {label}", c.0 + 1), input);
    }

    pub(crate) fn http(&mut self, c: C, request: Request) {
        self.pipeline(c, &[request]);
    }

    /// Several requests in one read.
    pub(crate) fn pipeline(&mut self, c: C, requests: &[Request]) {
        let mut bytes = Vec::new();
        requests.iter().for_each(|request| request.put(&mut bytes));
        let labels: Vec<_> = requests.iter().map(|request| request.label(self.heads)).collect();
        self.raw(c, &labels.join("  +  "), bytes);
    }

    pub(crate) fn ws(&mut self, c: C, frame: Frame<'_>) {
        self.frames(c, &[frame]);
    }

    pub(crate) fn text(&mut self, c: C, text: &str) {
        self.frames(c, &[Frame::Text(text)]);
    }

    /// Several frames in one read.
    pub(crate) fn frames(&mut self, c: C, frames: &[Frame<'_>]) {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.put(&mut bytes));
        let labels: Vec<_> = frames.iter().map(Frame::label).collect();
        self.raw(c, &format!("WS {}", labels.join("  +  ")), bytes);
    }

    pub(crate) fn eof(&mut self, c: C) {
        let conn = self.conns[c.0].id;
        self.input(&format!("c{} → end", c.0 + 1), Input::Eof { conn });
    }

    pub(crate) fn lost(&mut self, c: C) {
        let conn = self.conns[c.0].id;
        self.input(&format!("c{} lost", c.0 + 1), Input::Lost { conn });
    }

    /// The kernel takes everything.
    pub(crate) fn flush(&mut self, c: C) {
        let bytes = self.egress(c).len();
        self.attempt(c, bytes, bytes);
    }

    /// The driver offers the first bytes only, and the kernel takes them: no refusal.
    pub(crate) fn flush_offering(&mut self, c: C, bytes: usize) {
        assert!(bytes < self.egress(c).len(), "there is something left to offer");
        self.attempt(c, bytes, bytes);
    }

    /// The kernel takes so many bytes and refuses the rest.
    pub(crate) fn flush_some(&mut self, c: C, bytes: usize) {
        let offered = self.egress(c).len();
        assert!(bytes < offered, "there is something left to refuse");
        self.attempt(c, bytes, offered);
    }

    pub(crate) fn writable(&mut self, c: C) {
        let conn = self.conns[c.0].id;
        self.input(&format!("c{} writable", c.0 + 1), Input::Writable { conn });
    }

    fn attempt(&mut self, c: C, bytes: usize, offered: usize) {
        let mut shown = self.egress(c);
        let left = shown.len() - offered;
        shown.truncate(offered.max(self.conns[c.0].shown.len()));
        let Conn { id, owed, inbox, shown: before, .. } = &mut self.conns[c.0];
        assert!(std::mem::take(owed), "a write attempt answers a `Flush`");
        assert!(shown.starts_with(before), "what was shown is committed");
        *before = shown[bytes..].to_vec();
        let (conn, refused) = (*id, bytes < offered);
        inbox.push(&shown[..bytes]);
        let label = match (refused, left) {
            (true, _) => ", refused",
            (false, 0) => "",
            (false, _) => ", offered no more",
        };
        let label = format!("c{} sent {bytes}{label}", c.0 + 1);
        self.input(&label, Input::Sent { conn, bytes, refused });
        while let Some(message) = self.conns[c.0].inbox.next(self.heads) {
            self.log.line(None, &format!("c{} ← {message}", c.0 + 1));
        }
    }

    pub(crate) fn egress(&self, c: C) -> Vec<u8> {
        self.machine.server().egress(self.conns[c.0].id).flatten().copied().collect()
    }
}

/// The core's outputs.
impl<M: Machine> World<M> {
    /// Pops one output; an event is kept for the test.
    fn pop(&mut self) -> Option<Output> {
        let output = self.machine.poll_output()?;
        let find = |id: ConnId| self.conns.iter().position(|conn| conn.id == id && !conn.closed);
        let place = |id| find(id).expect("no output for a connection after its `Close`");
        match output {
            Output::Flush(id) => {
                let place = place(id);
                let owed = std::mem::replace(&mut self.conns[place].owed, true);
                assert!(!owed, "at most one `Flush` is outstanding");
            }
            Output::Pause(id) => drop(self.log.line(None, &format!("c{} pause", place(id) + 1))),
            Output::Resume(id) => drop(self.log.line(None, &format!("c{} resume", place(id) + 1))),
            Output::ShutdownWrite(id) => {
                let place = place(id);
                assert!(self.egress(C(place)).is_empty(), "a half-close comes after the last byte");
                assert!(self.conns[place].inbox.is_empty(), "all of it was understood");
                self.log.line(None, &format!("c{} ← end", place + 1));
            }
            Output::Close { conn, abort } => {
                let place = place(conn);
                self.conns[place].closed = true;
                self.conns[place].owed = false;
                let how = if abort { "abort" } else { "close" };
                self.log.line(None, &format!("c{} {how}", place + 1));
            }
            Output::Event { turn, ref event } => self.log.event(turn, event),
            ref other => panic!("unknown output {other:?}"),
        }
        Some(output)
    }

    /// Pops outputs up to the next event of a bare server, which the application then handles.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        while let Some(output) = self.pop() {
            if let Output::Event { event, .. } = output {
                return Some(event);
            }
        }
        None
    }

    /// Pops everything; writes nothing.
    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.pop() {
            if let Output::Event { event, .. } = output {
                self.events.push_back(event);
            }
        }
    }

    /// Pops and writes until nothing is left to do.
    pub(crate) fn settle(&mut self) {
        loop {
            self.drain();
            let owed = self.conns.iter().position(|conn| conn.owed);
            let Some(place) = owed else { return };
            self.flush(C(place));
        }
    }

    /// Events that were popped and not looked at.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        self.events.drain(..).collect()
    }
}

/// Whole procedures, as a client goes through them.
impl<M: Machine> World<M> {
    /// Opens a polling session. Gives the target of its requests.
    pub(crate) fn open_polling(&mut self, c: C) -> String {
        self.http(c, crate::wire::get("/socket.io/?EIO=4&transport=polling"));
        self.settle();
        format!("/socket.io/?EIO=4&transport=polling&sid={}", self.log.last_sid())
    }

    /// Opens a session on a websocket.
    pub(crate) fn open_websocket(&mut self) -> C {
        let c = self.accept();
        self.http(c, crate::wire::upgrade("/socket.io/?EIO=4&transport=websocket"));
        self.settle();
        c
    }

    /// The same, and joins `/`.
    pub(crate) fn join_websocket(&mut self) -> C {
        let c = self.open_websocket();
        self.text(c, "40");
        self.settle();
        c
    }

    /// Opens a polling session and joins `/`.
    pub(crate) fn join_polling(&mut self, c: C) -> String {
        let target = self.open_polling(c);
        self.http(c, crate::wire::post(&target, "40"));
        self.settle();
        self.http(c, crate::wire::get(&target));
        self.settle();
        target
    }

    /// A websocket candidate for the session of this target, before its probe.
    pub(crate) fn open_candidate(&mut self, target: &str) -> C {
        let c = self.accept();
        self.http(c, crate::wire::upgrade(&target.replace("=polling", "=websocket")));
        self.settle();
        c
    }

    pub(crate) fn stats(&self) -> Stats {
        *self.machine.server().stats()
    }

    /// The secret id of the latest session.
    pub(crate) fn last_sid(&self) -> String {
        self.log.last_sid()
    }

    /// The n-th socket that the transcript named, from 1.
    pub(crate) fn socket(&self, n: usize) -> SocketId {
        self.log.socket_named(n)
    }

    /// Texts of the transcript so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.log.lines()
    }

    /// What this connection received, in order.
    pub(crate) fn received(&self, c: C) -> Vec<String> {
        let prefix = format!("c{} ← ", c.0 + 1);
        let lines = self.log.lines().into_iter();
        lines.filter_map(|line| line.strip_prefix(&prefix).map(String::from)).collect()
    }

    /// The turn of the one line that begins so.
    pub(crate) fn turn_of(&self, start: &str) -> u64 {
        let lines = self.log.turns();
        let mut found = lines.iter().filter(|(_, text)| text.starts_with(start));
        let (turn, _) = found.next().unwrap_or_else(|| panic!("no line begins with {start:?}"));
        assert!(found.next().is_none(), "several lines begin with {start:?}");
        turn.unwrap_or_else(|| panic!("{start:?} is of no turn"))
    }

    /// Holds the transcript against its snapshot.
    #[track_caller]
    pub(crate) fn pin(mut self, name: &str) {
        self.settle();
        let mut settings = insta::Settings::new();
        settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!(name, self.log.text()));
    }
}

/// Commands to a bare server.
impl World<Server> {
    fn command<R: std::fmt::Debug>(
        &mut self,
        command: &Command<'_>,
        f: impl FnOnce(&mut Server, Instant) -> R,
    ) -> R {
        let now = self.at();
        let result = f(&mut self.machine, now);
        let outcome = outcome_text(&format!("{result:?}"));
        self.log.command(self.machine.turn(), command, &outcome);
        self.count();
        result
    }

    pub(crate) fn emit(&mut self, socket: SocketId, event: &str, args: &Payload) -> SendStatus {
        let flags = Flags::default();
        let command = Command::Emit { socket, event, args, flags };
        self.command(&command, |server, now| server.emit(now, socket, event, args, flags))
    }

    pub(crate) fn volatile(&mut self, socket: SocketId, event: &str, args: &Payload) -> SendStatus {
        let flags = Flags { volatile: true, ..Flags::default() };
        let command = Command::Emit { socket, event, args, flags };
        self.command(&command, |server, now| server.emit(now, socket, event, args, flags))
    }

    pub(crate) fn volatile_to_all(&mut self, namespace: &str, event: &str) -> Fanout {
        let flags = Flags { volatile: true, ..Flags::default() };
        let to = Recipients::all(self.machine.find_namespace(namespace).expect("it exists"));
        let args = Payload::empty();
        let command = Command::Broadcast { to, event, args: &args, flags };
        self.command(&command, |server, now| server.broadcast(now, to, event, &args, flags))
    }

    pub(crate) fn ask(
        &mut self,
        socket: SocketId,
        event: &str,
        millis: u64,
        flags: Flags,
    ) -> AskId {
        let (args, timeout) = (Payload::empty(), Duration::from_millis(millis));
        let now = self.at();
        let ask = self.machine.ask(now, socket, event, &args, timeout, flags);
        let command = Command::Ask { socket, event, args: &args, timeout, flags };
        let name = self.log.ask_name(ask);
        self.log.command(self.machine.turn(), &command, &name);
        self.count();
        ask
    }

    pub(crate) fn answer(&mut self, token: AckToken, args: &Payload) -> SendStatus {
        let command = Command::Answer { socket: token.socket(), id: token.id(), args };
        self.command(&command, |server, now| server.answer(now, token, args))
    }

    pub(crate) fn admit(&mut self, pending: PendingConnect) -> Result<(), Gone> {
        let command = Command::Admit { socket: pending.socket() };
        self.command(&command, |server, now| server.admit(now, pending))
    }

    pub(crate) fn refuse(&mut self, pending: PendingConnect, message: &str, data: Option<&str>) {
        let command = Command::Refuse { socket: pending.socket(), message, data };
        let done = self.command(&command, |server, now| server.refuse(now, pending, message, data));
        assert_eq!(done, Ok(()));
    }

    pub(crate) fn admit_handshake(&mut self, pending: PendingHandshake) {
        let admission = parlor::Admission::default();
        let command = Command::AdmitHandshake;
        let done =
            self.command(&command, |server, now| server.admit_handshake(now, pending, admission));
        assert_eq!(done, Ok(()));
    }

    pub(crate) fn refuse_handshake(&mut self, pending: PendingHandshake, message: &str) {
        let command = Command::RefuseHandshake { message };
        let done =
            self.command(&command, |server, now| server.refuse_handshake(now, pending, message));
        assert_eq!(done, Ok(()));
    }

    pub(crate) fn disconnect(&mut self, socket: SocketId) {
        let command = Command::Disconnect { socket };
        let done = self.command(&command, |server, now| server.disconnect(now, socket));
        assert_eq!(done, Ok(()));
    }

    pub(crate) fn disconnect_session(&mut self, socket: SocketId) {
        let command = Command::DisconnectSession { socket };
        let done = self.command(&command, |server, now| server.disconnect_session(now, socket));
        assert_eq!(done, Ok(()));
    }

    pub(crate) fn close_session(&mut self, session: SessionId) {
        let command = Command::CloseSession { session };
        let done = self.command(&command, |server, now| server.close_session(now, session, false));
        assert_eq!(done, Ok(()));
    }

    pub(crate) fn shut_down(&mut self) {
        let linger = self.machine.config().linger;
        self.command(&Command::Shutdown, |server, now| server.shutdown(now, linger));
    }

    /// The socket that has just connected; earlier events were not for the test.
    pub(crate) fn connected(&mut self) -> SocketId {
        let events = self.take_events();
        let connected = events.iter().rev().find_map(|event| match event {
            Event::Connected { socket, .. } => Some(*socket),
            _ => None,
        });
        connected.expect("a socket has connected")
    }

    /// Its session.
    pub(crate) fn session_of(&self, socket: SocketId) -> SessionId {
        self.machine.session_of(socket).expect("it is there")
    }
}

/// JSON text as arguments.
pub(crate) fn args(json: &str) -> Payload {
    Payload::from_json(json).expect("an array")
}

/// One argument of so many bytes.
pub(crate) fn large(bytes: usize) -> Payload {
    Payload::from_args("x".repeat(bytes)).expect("a string can be written")
}

/// One attachment.
pub(crate) fn attached(bytes: &'static [u8]) -> Payload {
    Payload::from_args(Bytes::from_static(bytes)).expect("bytes can be written")
}
