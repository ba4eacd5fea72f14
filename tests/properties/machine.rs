//! The two machines under test, behind one face: a bare [`Server`] and a [`Node`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use parlor::{
    AskId, Command, ConnId, Event, Handler, Input, Instant, Node, Observer, Outcome, Output,
    Overloaded, Peer, Server, SessionId, SocketId, Wake,
};

/// A machine that is driven.
pub(crate) trait Machine {
    fn accept(&mut self, now: Instant, peer: Peer) -> Result<ConnId, Overloaded>;
    fn handle(&mut self, now: Instant, input: Input<'_>);
    fn handle_timeout(&mut self, now: Instant);
    fn poll_output(&mut self) -> Option<Output>;
    fn poll_timeout(&self) -> Option<(Instant, Wake)>;
    fn shutdown(&mut self, now: Instant);
    fn server(&self) -> &Server;
    /// An event was polled.
    fn event(&mut self, now: Instant, event: Event);
    fn pairs(&self) -> Shared<Pairs>;
}

pub(crate) type Shared<T> = Arc<Mutex<T>>;

/// What always comes in pairs, and which of it is open.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    pub(crate) asks: BTreeSet<AskId>,
    pub(crate) sessions: BTreeSet<SessionId>,
    pub(crate) sockets: BTreeMap<SocketId, Life>,
    pub(crate) turn: u64,
    /// Nobody is told of those who went while their admission was awaited.
    pub(crate) abandons_quietly: bool,
}

/// How far a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Deciding,
    Connected,
    Over,
}

impl Pairs {
    pub(crate) fn event(&mut self, event: &Event) {
        match event {
            Event::Connect(pending) => self.connect(pending.socket()),
            Event::Abandoned { socket } => self.over(*socket, Life::Deciding),
            Event::Connected { socket, .. } => self.connected(*socket),
            Event::Disconnected { socket, .. } => self.over(*socket, Life::Connected),
            Event::Disconnecting { socket, .. } | Event::Message { socket, .. } => {
                assert_eq!(self.sockets.get(socket), Some(&Life::Connected), "{event:?}");
            }
            Event::Settled { ask, .. } => self.settled(*ask),
            Event::SessionOpened { session } => self.opened(*session),
            Event::SessionMessage { session, .. } | Event::SessionUpgraded { session } => {
                assert!(self.sessions.contains(session), "{event:?}");
            }
            Event::SessionClosed { session, .. } => self.closed(*session),
            _ => {}
        }
    }

    pub(crate) fn turn(&mut self, turn: u64) {
        assert!(turn >= self.turn, "turn {turn} after {}", self.turn);
        self.turn = turn;
    }

    pub(crate) fn asked(&mut self, ask: AskId) {
        assert!(self.asks.insert(ask), "{ask:?} was made before");
    }

    fn settled(&mut self, ask: AskId) {
        assert!(self.asks.remove(&ask), "{ask:?} settles once, and only if it was made");
    }

    fn connect(&mut self, socket: SocketId) {
        let before = self.sockets.insert(socket, Life::Deciding);
        assert_eq!(before, None, "{socket}");
    }

    /// Where nobody decides, there is no `Connect` before.
    fn connected(&mut self, socket: SocketId) {
        let before = self.sockets.insert(socket, Life::Connected);
        assert!(matches!(before, None | Some(Life::Deciding)), "{socket}: {before:?}");
    }

    pub(crate) fn over(&mut self, socket: SocketId, from: Life) {
        let before = self.sockets.insert(socket, Life::Over);
        assert_eq!(before, Some(from), "{socket}");
    }

    fn opened(&mut self, session: SessionId) {
        assert!(self.sessions.insert(session), "{session:?} opens once");
    }

    fn closed(&mut self, session: SessionId) {
        assert!(self.sessions.remove(&session), "{session:?} closes once, and after it opened");
    }

    /// Nothing is half-done.
    pub(crate) fn check_balanced(&self) {
        assert!(self.asks.is_empty(), "unsettled: {:?}", self.asks);
        assert!(self.sessions.is_empty(), "open: {:?}", self.sessions);
        let over = |life| life == Life::Over || self.abandons_quietly && life == Life::Deciding;
        let here: Vec<_> = self.sockets.iter().filter(|(_, life)| !over(**life)).collect();
        assert!(here.is_empty(), "not over: {here:?}");
    }
}

/// A server whose events go to `program`.
pub(crate) struct Bare<P> {
    pub(crate) server: Server,
    pub(crate) pairs: Shared<Pairs>,
    pub(crate) program: P,
}

/// What a bare server's user does about an event.
pub(crate) trait Program {
    fn event(&mut self, server: &mut Server, pairs: &mut Pairs, event: Event);
}

/// Keeps them, for a test to look at.
impl Program for Vec<Event> {
    fn event(&mut self, _server: &mut Server, _pairs: &mut Pairs, event: Event) {
        self.push(event);
    }
}

impl<P: Program> Machine for Bare<P> {
    fn accept(&mut self, now: Instant, peer: Peer) -> Result<ConnId, Overloaded> {
        self.server.accept(now, peer)
    }

    fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.server.handle(now, input);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.server.handle_timeout(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.server.poll_output()
    }

    fn poll_timeout(&self) -> Option<(Instant, Wake)> {
        self.server.poll_timeout()
    }

    fn shutdown(&mut self, now: Instant) {
        let linger = self.server.config().linger;
        self.server.shutdown(now, linger);
    }

    fn server(&self) -> &Server {
        &self.server
    }

    fn event(&mut self, _now: Instant, event: Event) {
        let mut pairs = self.pairs.lock().expect("one thread");
        pairs.event(&event);
        self.program.event(&mut self.server, &mut pairs, event);
    }

    fn pairs(&self) -> Shared<Pairs> {
        self.pairs.clone()
    }
}

/// A node whose observer keeps the pairs.
pub(crate) struct Watched<S> {
    pub(crate) node: Node<S>,
    pairs: Shared<Pairs>,
}

impl<S: Send + 'static> Watched<S> {
    pub(crate) fn new(mut node: Node<S>) -> Self {
        let pairs = Shared::<Pairs>::default();
        pairs.lock().expect("one thread").abandons_quietly = true;
        node.set_observer(Box::new(Watcher(pairs.clone())));
        Self { node, pairs }
    }
}

struct Watcher(Shared<Pairs>);

impl Observer for Watcher {
    fn handler(&mut self, turn: u64, handler: &Handler<'_>) {
        let mut pairs = self.0.lock().expect("one thread");
        pairs.turn(turn);
        match *handler {
            Handler::Authorize { socket, stage: 0 } => pairs.connect(socket),
            Handler::Connect { socket } => pairs.connected(socket),
            Handler::Disconnect { socket, .. } => pairs.over(socket, Life::Connected),
            Handler::Settled { ask: Some(ask), .. } => pairs.settled(ask),
            Handler::Open { session } => pairs.opened(session),
            Handler::Close { session, .. } => pairs.closed(session),
            Handler::Event { socket, .. } | Handler::Disconnecting { socket, .. } => {
                assert_eq!(pairs.sockets.get(&socket), Some(&Life::Connected), "{handler:?}");
            }
            _ => {}
        }
    }

    fn command(&mut self, turn: u64, command: &Command<'_>) {
        let mut pairs = self.0.lock().expect("one thread");
        pairs.turn(turn);
        if let Command::Refuse { socket, .. } = *command {
            pairs.over(socket, Life::Deciding);
        }
    }

    fn outcome(&mut self, _turn: u64, outcome: &Outcome) {
        if let Outcome::Asked(ask) = *outcome {
            self.0.lock().expect("one thread").asked(ask);
        }
    }
}

impl<S: Send + 'static> Machine for Watched<S> {
    fn accept(&mut self, now: Instant, peer: Peer) -> Result<ConnId, Overloaded> {
        self.node.accept(now, peer)
    }

    fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.node.handle(now, input);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.node.handle_timeout(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.node.poll_output()
    }

    fn poll_timeout(&self) -> Option<(Instant, Wake)> {
        self.node.poll_timeout()
    }

    fn shutdown(&mut self, now: Instant) {
        self.node.shutdown(now);
    }

    fn server(&self) -> &Server {
        self.node.server()
    }

    fn event(&mut self, _now: Instant, event: Event) {
        panic!("a node keeps its events: {event:?}");
    }

    fn pairs(&self) -> Shared<Pairs> {
        self.pairs.clone()
    }
}
