//! The program: what to do on what, for which namespace. A value; it owns no socket and no thread.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use crate::app::args::FromArgs;
use crate::app::cx::{Call, Cx, Root, slashed};
use crate::app::decision::{Handshake, HandshakeVerdict, Pass, Request, RequestVerdict, Verdict};
use crate::app::desk::{Data, OnEvent, Site, enter, enter_as};
use crate::app::engine::{Engine, EngineHandlers};
use crate::app::reply::{IntoReply, Quiet, Reply};
use crate::{
    BadArgs, Config, ConfigError, DisconnectReason, HandshakeFailure, Mode, NamespaceId, Payload,
    RoomEvent, Server, SocketId,
};

/// The program: handlers by namespace, and the state they share. [`Node`](crate::Node) puts it
/// beside a server.
///
/// Handlers of a namespace run in the order of their registration. Those of the whole program
/// (`on_bad_args` and the like) are one of a kind: a second replaces the first.
///
/// ```
/// use parlor::{App, reply};
/// let mut app = App::new();
/// app.of("/")
///     .on_connect(|cx| cx.join("lobby"))
///     .on("say", |cx, text: String| {
///         cx.to("lobby").emit("said", (cx.id(), text));
///         reply("sent")
///     })
///     .on("typing", |cx, ()| cx.to("lobby").volatile().emit("typing", cx.id()))
///     .on_disconnect(|cx, _why, _rooms| cx.broadcast().emit("left", cx.id()));
/// ```
pub struct App<S = ()> {
    pub(super) program: Program<S>,
    pub(super) state: S,
}

impl App {
    /// A program without state.
    pub fn new() -> Self {
        Self::with_state(())
    }
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Send + 'static> App<S> {
    /// A program and its state, which every handler gets as `cx.state`.
    pub fn with_state(state: S) -> Self {
        Self { program: Program::new(), state }
    }

    /// A namespace, made on first mention. `/` is there without being mentioned. The name is
    /// taken as it is: a `*` in it stands for itself.
    pub fn of(&mut self, name: &str) -> Namespace<'_, S> {
        Namespace { space: self.program.space(&slashed(name)), data: PhantomData }
    }

    /// Sessions themselves: all there is in [`Mode::EngineIo`].
    pub fn engine(&mut self) -> Engine<'_, S> {
        Engine::new(&mut self.program.engine)
    }

    /// Called for arguments that no handler could take: whose, of which event (`connect` for an
    /// `authorize`), and why. They are counted in any case.
    pub fn on_bad_args(&mut self, f: impl FnMut(SocketId, &str, &BadArgs) + Send + 'static) {
        self.program.on_bad_args = Some(Box::new(f));
    }

    /// What a client hears that waits for an answer, and whose arguments no handler could take.
    /// Without it it hears nothing, and its own timeout acts.
    pub fn answer_bad_args(&mut self, f: impl FnMut(&BadArgs) -> Reply + Send + 'static) {
        self.program.answer_bad_args = Some(Box::new(f));
    }

    /// Decides on each client that wants a session: [`admit()`](crate::admit),
    /// [`refuse(..)`](crate::refuse), an [`Admission`](crate::Admission) with headers, or later.
    pub fn on_handshake<V: Into<HandshakeVerdict>>(
        &mut self,
        mut f: impl FnMut(&mut Root<'_, S>, &Handshake) -> V + Send + 'static,
    ) {
        self.program.on_handshake = Some(Box::new(move |root, asked| f(root, asked).into()));
    }

    /// Told of each request that Engine.IO refuses, as `connection_error` of the reference.
    pub fn on_handshake_error<R: Quiet>(
        &mut self,
        mut f: impl FnMut(&mut Root<'_, S>, &HandshakeFailure) -> R + Send + 'static,
    ) {
        self.program.on_handshake_error = Some(Box::new(move |root, failure| {
            f(root, failure);
        }));
    }

    /// Answers requests that are not Engine.IO's: a [`Response`](crate::Response), `None` for 404,
    /// or later.
    pub fn on_request<V: Into<RequestVerdict>>(
        &mut self,
        mut f: impl FnMut(&mut Root<'_, S>, &Request) -> V + Send + 'static,
    ) {
        self.program.on_request = Some(Box::new(move |root, request| f(root, request).into()));
    }

    /// Told when rooms come, change and go.
    pub fn on_room<R: Quiet>(
        &mut self,
        mut f: impl FnMut(&mut Root<'_, S>, &RoomEvent) -> R + Send + 'static,
    ) {
        self.program.on_room = Some(Box::new(move |root, event| {
            f(root, event);
        }));
    }
}

impl<S: fmt::Debug> fmt::Debug for App<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.program.spaces.iter().map(|space| &space.name).collect();
        f.debug_struct("App")
            .field("namespaces", &names)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// The handlers of one namespace, as they are registered. `D` is the data that each of its sockets
/// carries.
pub struct Namespace<'a, S = (), D = ()> {
    space: &'a mut Space<S>,
    data: PhantomData<fn() -> D>,
}

impl<'a, S: Send + 'static> Namespace<'a, S> {
    /// Gives each socket a `D` of its own, seen as `cx.data`. Say it before the handlers.
    pub fn data<D: Default + Send + 'static>(self) -> Namespace<'a, S, D> {
        self.space.fresh = fresh::<D>;
        Namespace { space: self.space, data: PhantomData }
    }
}

impl<S: Send + 'static, D: Default + Send + 'static> Namespace<'_, S, D> {
    /// Decides on each socket that wants to join, by what it sent with its CONNECT. Several run in
    /// order, each after the one before admitted. What it sent not fitting `A` is refused with
    /// `invalid auth`.
    pub fn authorize<A: FromArgs>(
        self,
        mut f: impl FnMut(&mut Cx<'_, S, D>, A) -> Verdict + Send + 'static,
    ) -> Self {
        self.space.gates.push(Box::new(move |site, stage, auth| {
            let auth = A::from_args(auth)?;
            let call = Call { stage, ..Call::default() };
            Ok(enter_as(site, call, |cx| f(cx, auth)).0)
        }));
        self
    }

    /// A socket joined: its CONNECT is answered, and nothing else of it was handled yet.
    pub fn on_connect<R: Quiet>(
        self,
        mut f: impl FnMut(&mut Cx<'_, S, D>) -> R + Send + 'static,
    ) -> Self {
        self.space.on_connect.push(Box::new(move |site| {
            enter(site, &mut f);
        }));
        self
    }

    /// A socket is about to leave; its rooms are intact.
    pub fn on_disconnecting<R: Quiet>(
        self,
        mut f: impl FnMut(&mut Cx<'_, S, D>, DisconnectReason) -> R + Send + 'static,
    ) -> Self {
        self.space.on_disconnecting.push(Box::new(move |site, reason| {
            enter(site, |cx| f(cx, reason));
        }));
        self
    }

    /// A socket has left; the rooms are those it was in. Exactly once for each `on_connect`.
    pub fn on_disconnect<R: Quiet>(
        self,
        mut f: impl FnMut(&mut Cx<'_, S, D>, DisconnectReason, &[Box<str>]) -> R + Send + 'static,
    ) -> Self {
        self.space.on_disconnect.push(Box::new(move |site, reason, rooms| {
            enter(site, |cx| f(cx, reason, rooms));
        }));
        self
    }

    /// An event. `A`: `()` reads nothing, `T` the first argument, `(T, U)` the first two; more than
    /// asked for is ignored. Several handlers of one event all run; the first reply is sent.
    pub fn on<A: FromArgs, R: IntoReply>(
        self,
        event: &str,
        mut f: impl FnMut(&mut Cx<'_, S, D>, A) -> R + Send + 'static,
    ) -> Self {
        let handlers = self.space.on.entry(event.into()).or_default();
        handlers.push(Box::new(move |site, args, ack| {
            let args = A::from_args(args)?;
            let call = Call { ack: ack.take(), ..Call::default() };
            let (reply, call) = enter_as(site, call, |cx| f(cx, args).into_reply());
            *ack = call.ack;
            Ok(reply)
        }));
        self
    }

    /// Any event, before `before` and its own handlers.
    pub fn on_any<R: Quiet>(
        self,
        mut f: impl FnMut(&mut Cx<'_, S, D>, &str, &Payload) -> R + Send + 'static,
    ) -> Self {
        self.space.on_any.push(Box::new(move |site, event, args| {
            enter(site, |cx| f(cx, event, args));
        }));
        self
    }

    /// Decides whether an event goes on to its handlers. Several run in order;
    /// [`stop()`](crate::stop) ends the matter.
    pub fn before(
        self,
        mut f: impl FnMut(&mut Cx<'_, S, D>, &str, &Payload) -> Pass + Send + 'static,
    ) -> Self {
        self.space
            .before
            .push(Box::new(move |site, event, args| enter(site, |cx| f(cx, event, args))));
        self
    }
}

impl<S, D> fmt::Debug for Namespace<'_, S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Namespace").field(&self.space.name).finish()
    }
}

/// Everything that was registered.
pub(super) struct Program<S> {
    /// `/` first.
    pub(super) spaces: Vec<Space<S>>,
    /// The places of the spaces. The keys are made by the server, one for each space.
    pub(super) places: BTreeMap<NamespaceId, usize>,
    pub(super) engine: EngineHandlers<S>,
    pub(super) on_bad_args: Option<BadArgsHook>,
    pub(super) answer_bad_args: Option<BadArgsAnswer>,
    pub(super) on_handshake: Option<OnHandshake<S>>,
    pub(super) on_handshake_error: Option<OnRoot<S, HandshakeFailure>>,
    pub(super) on_request: Option<OnRequest<S>>,
    pub(super) on_room: Option<OnRoot<S, RoomEvent>>,
}

pub(super) type BadArgsHook = Box<dyn FnMut(SocketId, &str, &BadArgs) + Send>;
pub(super) type BadArgsAnswer = Box<dyn FnMut(&BadArgs) -> Reply + Send>;
type OnHandshake<S> = Box<dyn FnMut(&mut Root<'_, S>, &Handshake) -> HandshakeVerdict + Send>;
type OnRequest<S> = Box<dyn FnMut(&mut Root<'_, S>, &Request) -> RequestVerdict + Send>;
type OnRoot<S, T> = Box<dyn FnMut(&mut Root<'_, S>, &T) + Send>;

/// What was registered for one namespace.
pub(super) struct Space<S> {
    name: Box<str>,
    pub(super) fresh: fn() -> Data,
    pub(super) gates: Vec<Gate<S>>,
    pub(super) on_connect: Vec<OnSocket<S>>,
    pub(super) on_disconnecting: Vec<OnDisconnecting<S>>,
    pub(super) on_disconnect: Vec<OnDisconnect<S>>,
    /// The keys are chosen by the program.
    pub(super) on: BTreeMap<Box<str>, Vec<OnEvent<S>>>,
    pub(super) on_any: Vec<OnAny<S, ()>>,
    pub(super) before: Vec<OnAny<S, Pass>>,
}

type Gate<S> = Box<dyn FnMut(Site<'_, S>, u32, &Payload) -> Result<Verdict, BadArgs> + Send>;
type OnSocket<S> = Box<dyn FnMut(Site<'_, S>) + Send>;
type OnDisconnecting<S> = Box<dyn FnMut(Site<'_, S>, DisconnectReason) + Send>;
type OnDisconnect<S> = Box<dyn FnMut(Site<'_, S>, DisconnectReason, &[Box<str>]) + Send>;
type OnAny<S, R> = Box<dyn FnMut(Site<'_, S>, &str, &Payload) -> R + Send>;

impl<S> Program<S> {
    fn new() -> Self {
        Self {
            spaces: alloc::vec![Space::new("/")],
            places: BTreeMap::new(),
            engine: EngineHandlers::new(),
            on_bad_args: None,
            answer_bad_args: None,
            on_handshake: None,
            on_handshake_error: None,
            on_request: None,
            on_room: None,
        }
    }

    fn space(&mut self, name: &str) -> &mut Space<S> {
        let known = self.spaces.iter().position(|space| *space.name == *name);
        let place = known.unwrap_or_else(|| {
            self.spaces.push(Space::new(name));
            self.spaces.len() - 1
        });
        &mut self.spaces[place]
    }

    /// Switches on, in what the server is told, exactly the events that the program takes.
    pub(super) fn configure(&self, config: &mut Config) -> Result<(), ConfigError> {
        let wrong = |why: &str| Err(ConfigError(why.to_string()));
        let engine = &self.engine;
        match config.mode {
            Mode::EngineIo if self.spaces.iter().any(|space| !space.is_empty()) => {
                return wrong("handlers of a namespace never run in `Mode::EngineIo`");
            }
            Mode::SocketIo if !engine.on_message.is_empty() => {
                return wrong("`engine().on_message` never runs in `Mode::SocketIo`");
            }
            Mode::EngineIo | Mode::SocketIo => {}
        }
        config.decide_handshakes = self.on_handshake.is_some();
        config.take_requests = self.on_request.is_some();
        config.room_events = self.on_room.is_some();
        config.announce_disconnecting =
            self.spaces.iter().any(|space| !space.on_disconnecting.is_empty());
        config.session_events = engine.takes_sessions();
        Ok(())
    }

    pub(super) fn register(&mut self, server: &mut Server) {
        for (place, space) in self.spaces.iter().enumerate() {
            let id = server.namespace(&space.name);
            server.decide_connects(id, !space.gates.is_empty());
            self.places.insert(id, place);
        }
    }
}

impl<S> Space<S> {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            fresh: fresh::<()>,
            gates: Vec::new(),
            on_connect: Vec::new(),
            on_disconnecting: Vec::new(),
            on_disconnect: Vec::new(),
            on: BTreeMap::new(),
            on_any: Vec::new(),
            before: Vec::new(),
        }
    }

    fn is_empty(&self) -> bool {
        let Self {
            name: _,
            fresh: _,
            gates,
            on_connect,
            on_disconnecting,
            on_disconnect,
            on,
            on_any,
            before,
        } = self;
        gates.is_empty()
            && on_connect.is_empty()
            && on_disconnecting.is_empty()
            && on_disconnect.is_empty()
            && on.is_empty()
            && on_any.is_empty()
            && before.is_empty()
    }
}

fn fresh<D: Default + Send + 'static>() -> Data {
    Box::<D>::default()
}
