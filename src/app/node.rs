//! A server with an application beside it: what `io` and the simulator drive.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::panic::Location;

use crate::app::cx::Root;
use crate::app::desk::{Core, Desk, Phase, Shell};
use crate::app::handle::Outside;
use crate::app::observer::NodeInput;
use crate::app::program::{App, Program};
use crate::app::turn::Turn;
use crate::{
    Config, ConfigError, ConnId, Input, Instant, Observer, Output, Overloaded, Payload, Peer,
    Server, SessionId, SocketId, Stats, Wake,
};

/// A server and its application. It has the verbs of [`Server`], and finishes a turn, handlers
/// included, before it takes the next cause. It lives in one thread and may move into another.
///
/// Every call does what the server's does, and runs the handlers of what it brought about.
///
/// ```
/// use parlor::{App, Config, Instant, Node};
///
/// let mut app = App::with_state(0);
/// app.of("/").on_connect(|cx| *cx.state += 1);
/// let mut node = Node::new(Config::default(), app, [7; 32], Instant::ZERO, 0)?;
/// node.run(Instant::ZERO, |root| {
///     root.after(core::time::Duration::from_secs(1), |root| *root.state += 10);
/// });
/// let (at, _why) = node.poll_timeout().expect("a timer is armed");
/// node.handle_timeout(at);
/// assert_eq!(node.state(), &10);
/// # Ok::<(), parlor::ConfigError>(())
/// ```
pub struct Node<S = ()> {
    core: Core<S>,
    program: Program<S>,
    state: S,
}

impl<S: Send + 'static> Node<S> {
    /// A server for a program. `seed` makes its ids and `cx.random()`; `unix_ms` is the wall time
    /// of `now`, in milliseconds since 1970.
    ///
    /// Which events the server tells is decided by the program: the fields of `config` that begin
    /// with `decide_`, `take_` or `announce_`, and those that end with `_events`, are overwritten.
    ///
    /// # Errors
    ///
    /// If the configuration contradicts itself or the program; the message says what to change.
    pub fn new(
        mut config: Config,
        app: App<S>,
        seed: [u8; 32],
        now: Instant,
        unix_ms: u64,
    ) -> Result<Self, ConfigError> {
        let App { mut program, state } = app;
        program.configure(&mut config)?;
        let mut server = Server::new(config, seed, now, unix_ms)?;
        program.register(&mut server);
        Ok(Self { core: Core { server, desk: Desk::new(), observer: None }, program, state })
    }

    /// See [`Server::accept`].
    ///
    /// # Errors
    ///
    /// If `connections_max` is reached or the node is shutting down: drop the connection.
    pub fn accept(&mut self, now: Instant, peer: impl Into<Peer>) -> Result<ConnId, Overloaded> {
        let peer = peer.into();
        self.entered(now, &NodeInput::Accept(&peer));
        self.core.server.accept(now, peer)
    }

    /// See [`Server::handle`]: one turn.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.entered(now, &NodeInput::Wire(&input));
        self.core.server.handle(now, input);
        self.settle();
    }

    /// Fires what is due, the earliest first, equal instants in the order of arming: at most
    /// [`Limits::deadlines_per_call_max`](crate::Limits::deadlines_per_call_max), and
    /// [`poll_timeout`](Self::poll_timeout) stays due for the rest. Each is a turn: its handlers
    /// run before the next one fires.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.entered(now, &NodeInput::Timeout);
        for _ in 0..self.core.server.config().limits.deadlines_per_call_max {
            if !self.core.server.handle_timeout(now) {
                break;
            }
            self.settle();
        }
    }

    /// See [`Server::poll_output`]; never an [`Output::Event`].
    pub fn poll_output(&mut self) -> Option<Output> {
        self.core.server.poll_output()
    }

    /// See [`Server::poll_timeout`].
    pub fn poll_timeout(&self) -> Option<(Instant, Wake)> {
        self.core.server.poll_timeout()
    }

    /// See [`Server::egress`].
    pub fn egress(&self, conn: ConnId) -> impl Iterator<Item = &[u8]> {
        self.core.server.egress(conn)
    }

    /// Work from outside, at hand: one turn.
    #[track_caller]
    pub fn run<R>(&mut self, now: Instant, f: impl FnOnce(&mut Root<'_, S>) -> R) -> R {
        self.entered(now, &NodeInput::Run(Location::caller()));
        self.turn(now, f)
    }

    /// Work from outside, as a [`Handle`](crate::Handle) brought it: one turn.
    pub fn outside(&mut self, now: Instant, work: Outside<S>) {
        self.entered(now, &told(&work));
        self.turn(now, |root| do_outside(root, work));
    }

    /// Shuts down: no connection is accepted, every socket is disconnected, and what is open
    /// closes, each within [`Config::linger`]. One turn; go on until
    /// [`is_drained`](Self::is_drained).
    pub fn shutdown(&mut self, now: Instant) {
        self.entered(now, &NodeInput::Shutdown);
        self.turn(now, |root| root.close());
    }

    /// Whether it is shut down and no connection is left.
    pub fn is_drained(&self) -> bool {
        self.core.server.is_drained()
    }

    /// A driver that contained a panic calls this, before anything else: who the handler ran for
    /// is disconnected, the rest of the turn goes on. The state is the program's, and stays as
    /// the handler left it.
    pub fn after_panic(&mut self) -> Option<Culprit> {
        let now = self.core.server.now();
        self.entered(now, &NodeInput::AfterPanic);
        self.core.server.stats_mut().panics += 1;
        if let Some(timer) = self.core.desk.firing.take() {
            let closure = self.core.cancel(timer);
            drop(closure);
        }
        let culprit = self.core.desk.culprit.take();
        match culprit {
            Some(Culprit::Socket(socket)) => self.evict(now, socket),
            Some(Culprit::Session(session)) => self.core.close_session(session),
            None => {}
        }
        self.settle();
        culprit
    }

    /// The program's state.
    pub fn state(&self) -> &S {
        &self.state
    }

    /// The program's data of a socket; `None` if it has none of this type, or has gone.
    pub fn data<D: 'static>(&self, socket: SocketId) -> Option<&D> {
        self.core.desk.homes.get(&socket)?.data.as_ref()?.downcast_ref()
    }

    /// The counters.
    pub fn stats(&self) -> &Stats {
        self.core.server.stats()
    }

    /// The server, to be looked at. Commands go through [`run`](Self::run).
    pub fn server(&self) -> &Server {
        &self.core.server
    }

    /// Sets who is told of everything, in the place of whoever was.
    pub fn set_observer(&mut self, observer: Box<dyn Observer + Send>) {
        self.core.observer = Some(observer);
    }

    fn entered(&mut self, now: Instant, input: &NodeInput<'_>) {
        if let Some(observer) = &mut self.core.observer {
            observer.input(now, input);
        }
    }

    fn turn<R>(&mut self, now: Instant, f: impl FnOnce(&mut Root<'_, S>) -> R) -> R {
        self.core.server.begin(now);
        let shell = Shell::new(&mut self.core);
        let result = f(&mut Root::new(&mut self.state, &shell));
        self.settle();
        result
    }

    /// Finishes the turn. What a handler causes is handled after it has returned.
    fn settle(&mut self) {
        let shell = Shell::new(&mut self.core);
        Turn { program: &mut self.program, state: &mut self.state, door: &shell }.finish();
        self.core.server.answered();
    }

    /// Ends a socket, however far it is.
    fn evict(&mut self, now: Instant, socket: SocketId) {
        let connecting = match self.core.desk.homes.get(&socket).map(|home| &home.phase) {
            Some(Phase::Connecting(_)) => self.core.desk.take_pending(socket),
            _ => None,
        };
        match connecting {
            Some(pending) => self.core.refuse(pending, "internal error", None),
            None => {
                self.core.disconnect(socket);
                // If it was leaving already, in the middle of `on_disconnecting`, it goes on.
                self.core.server.release(now, socket);
            }
        }
    }
}

impl<S: fmt::Debug> fmt::Debug for Node<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { core, program: _, state } = self;
        let mut out = f.debug_struct("Node");
        out.field("server", &core.server).field("state", state).finish_non_exhaustive()
    }
}

/// Whose handler panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// A socket's.
    Socket(SocketId),
    /// A session's.
    Session(SessionId),
}

/// What an observer is told of work from outside.
fn told<S>(work: &Outside<S>) -> NodeInput<'_> {
    fn written(args: &Result<Payload, String>) -> Result<&Payload, &str> {
        args.as_ref().map_err(|why| why.as_str())
    }
    match work {
        Outside::Answer(token, args) => {
            NodeInput::Answer { socket: token.socket(), args: written(args) }
        }
        Outside::Decide(token, verdict) => NodeInput::Decide { socket: token.socket(), verdict },
        Outside::DecideHandshake(_, verdict) => NodeInput::DecideHandshake(verdict),
        Outside::Respond(_, response) => NodeInput::Respond(response),
        Outside::Run(place, _) => NodeInput::Run(place),
        Outside::Emit(socket, event, args) => {
            NodeInput::Emit { socket: *socket, event, args: written(args) }
        }
        Outside::Disconnect(socket) => NodeInput::Disconnect(*socket),
        Outside::Close => NodeInput::Shutdown,
    }
}

fn do_outside<S: Send + 'static>(root: &mut Root<'_, S>, work: Outside<S>) {
    match work {
        Outside::Answer(token, Ok(args)) => {
            root.answer(token, args);
        }
        Outside::Decide(token, verdict) => root.decide(token, verdict),
        Outside::DecideHandshake(token, verdict) => root.decide_handshake(token, verdict),
        Outside::Respond(token, response) => root.respond(token, response),
        Outside::Run(_, job) => job(root),
        Outside::Emit(socket, event, Ok(args)) => {
            root.socket(socket).emit(&event, args);
        }
        Outside::Answer(_, Err(why)) => root.invalid("", &why),
        Outside::Emit(_, event, Err(why)) => root.invalid(&event, &why),
        Outside::Disconnect(socket) => root.socket(socket).disconnect(),
        Outside::Close => root.close(),
    }
}

const _: fn() = || {
    fn is_send<T: Send>() {}
    fn for_every_state<S: Send + 'static>() {
        is_send::<App<S>>();
        is_send::<Node<S>>();
        is_send::<Outside<S>>();
    }
    is_send::<Server>();
    for_every_state::<()>();
};
