//! What a handler holds. [`Cx`] is one socket's, [`Root`] nobody's; [`Io`] and [`SocketHandle`] are
//! `Copy` and leave the state free to be borrowed.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;
use core::ops::Deref;
use core::panic::Location;
use core::time::Duration;

use crate::app::args::{FromArgs, ToArgs, encode};
use crate::app::audience::{Audience, IntoRooms};
use crate::app::decision::{ConnectToken, Say, Verdict};
use crate::app::desk::{Core, Deferred, Door, Lent, Site, Work, enter, enter_as};
use crate::app::reply::{IntoReply, Quiet};
use crate::{
    AckToken, Ask, BadArgs, Flags, HandshakeToken, HandshakeVerdict, Instant, Payload, Peer,
    RequestHead, RequestToken, Response, SendStatus, SessionHandle, SessionId, SocketId, Stats,
    TimerId, Transport,
};

/// How an emit is sent unless something else is said.
pub(super) const PLAIN: Flags = Flags { volatile: false, local: false, compress: true };

/// What a handler was called for, beside its socket.
#[derive(Debug)]
pub(crate) struct Call {
    pub(super) ack: Option<AckToken>,
    /// Which `authorize` it is; [`Call::NO_STAGE`] elsewhere.
    pub(super) stage: u32,
}

impl Call {
    const NO_STAGE: u32 = u32::MAX;
}

impl Default for Call {
    fn default() -> Self {
        Self { ack: None, stage: Self::NO_STAGE }
    }
}

/// A handler's context: the program's state, this socket's data, and (by deref) this socket.
pub struct Cx<'a, S = (), D = ()> {
    /// The program's state.
    pub state: &'a mut S,
    /// This socket's data; see [`Namespace::data`](crate::Namespace::data).
    pub data: &'a mut D,
    me: SocketHandle<'a, S, D>,
    call: Call,
}

impl<'a, S: Send + 'static, D: Default + Send + 'static> Cx<'a, S, D> {
    pub(super) fn new(
        state: &'a mut S,
        data: &'a mut D,
        door: &'a dyn Door<S>,
        id: SocketId,
        call: Call,
    ) -> Self {
        let me = SocketHandle { io: Io { door }, id, flags: PLAIN, data: PhantomData };
        Self { state, data, me, call }
    }

    pub(super) fn into_call(self) -> Call {
        self.call
    }

    /// The server. `Copy`, so `cx.state` stays free while it is used.
    pub fn io(&self) -> Io<'a, S> {
        self.me.io
    }

    /// This socket. `Copy`, so `cx.state` stays free while it is used.
    pub fn me(&self) -> SocketHandle<'a, S, D> {
        self.me
    }

    /// The right to answer later. `None` if the client did not ask, or it was taken before.
    pub fn ack(&mut self) -> Option<AckToken> {
        self.call.ack.take()
    }

    /// In `authorize`: decide later. Return the verdict; keep the token. Elsewhere the token
    /// decides nothing.
    pub fn later(&self) -> (ConnectToken, Verdict) {
        let token = ConnectToken { socket: self.me.id, stage: self.call.stage };
        (token, Verdict(Say::Later))
    }

    /// The data of another socket of this namespace. `None` if it has gone, or is this one.
    pub fn peer<R>(&self, id: SocketId, f: impl FnOnce(&mut D) -> R) -> Option<R> {
        let door = self.me.io.door;
        let space = |id| door.core().desk.homes.get(&id).map(|home| home.namespace);
        if space(id)? != space(self.me.id)? {
            return None;
        }
        Lent::<S, D>::take(door, id).map(|mut lent| f(lent.data()))
    }
}

impl<'a, S, D> Deref for Cx<'a, S, D> {
    type Target = SocketHandle<'a, S, D>;

    fn deref(&self) -> &Self::Target {
        &self.me
    }
}

impl<S: fmt::Debug, D: fmt::Debug> fmt::Debug for Cx<'_, S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, data, me, call } = self;
        let mut out = f.debug_struct("Cx");
        out.field("id", &me.id).field("call", call).field("state", state).field("data", data);
        out.finish()
    }
}

/// The context where there is no socket: work from outside, timers of the application, and what
/// concerns the whole server. By deref the server.
pub struct Root<'a, S = ()> {
    /// The program's state.
    pub state: &'a mut S,
    io: Io<'a, S>,
}

impl<'a, S> Root<'a, S> {
    pub(super) fn new(state: &'a mut S, door: &'a dyn Door<S>) -> Self {
        Self { state, io: Io { door } }
    }

    /// The server. `Copy`, so `root.state` stays free while it is used.
    pub fn io(&self) -> Io<'a, S> {
        self.io
    }
}

impl<'a, S> Deref for Root<'a, S> {
    type Target = Io<'a, S>;

    fn deref(&self) -> &Self::Target {
        &self.io
    }
}

impl<S: fmt::Debug> fmt::Debug for Root<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Root").field("state", &self.state).finish_non_exhaustive()
    }
}

/// One socket, here or gone: every command on a gone one does nothing and says so.
pub struct SocketHandle<'a, S = (), D = ()> {
    pub(super) io: Io<'a, S>,
    id: SocketId,
    pub(super) flags: Flags,
    data: PhantomData<fn() -> D>,
}

impl<S, D> Clone for SocketHandle<'_, S, D> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S, D> Copy for SocketHandle<'_, S, D> {}

impl<S, D> fmt::Debug for SocketHandle<'_, S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SocketHandle").field(&self.id).finish()
    }
}

/// Who and where it is.
impl<'a, S: Send + 'static, D: Default + Send + 'static> SocketHandle<'a, S, D> {
    /// Its id, as its client knows it.
    pub fn id(&self) -> SocketId {
        self.id
    }

    /// Whether it is a member of its namespace: admitted, and not about to leave.
    pub fn connected(&self) -> bool {
        self.core().server.is_connected(self.id)
    }

    /// The name of its namespace; empty once it has gone.
    pub fn namespace(&self) -> String {
        let core = self.core();
        let home = core.desk.homes.get(&self.id).map(|home| home.namespace);
        let namespace = home.or_else(|| core.server.namespace_of(self.id));
        namespace.map(|id| core.server.namespace_name(id).to_string()).unwrap_or_default()
    }

    /// The rooms it is in, that of its own id included, in the order it joined them.
    pub fn rooms(&self) -> Vec<Box<str>> {
        self.core().server.rooms(self.id)
    }

    /// What it sent with its CONNECT.
    ///
    /// # Errors
    ///
    /// If that does not fit `A`, or the socket has gone.
    pub fn auth<A: FromArgs>(&self) -> Result<A, BadArgs> {
        let auth = self.core().desk.auth(self.id).unwrap_or_default();
        auth.parse()
    }

    /// The session that carries it; `None` once it has gone.
    pub fn session(&self) -> Option<SessionId> {
        self.core().server.session_of(self.id)
    }

    /// The head of the request that opened its session: headers and query. `None` once it has gone.
    pub fn handshake(&self) -> Option<RequestHead> {
        let core = self.core();
        core.server.handshake(core.server.session_of(self.id)?).cloned()
    }

    /// Where its client is; `None` once it has gone.
    pub fn address(&self) -> Option<Peer> {
        let core = self.core();
        core.server.peer(core.server.session_of(self.id)?).cloned()
    }

    /// What carries its session right now; `None` once it has gone.
    pub fn transport(&self) -> Option<Transport> {
        let core = self.core();
        core.server.transport(core.server.session_of(self.id)?)
    }

    /// The machine's time.
    pub fn now(&self) -> Instant {
        self.io.now()
    }

    /// A number of the machine's seeded generator: repeatable in a test.
    pub fn random(&self) -> u64 {
        self.io.random()
    }

    /// Another socket of this namespace.
    pub fn socket(&self, id: SocketId) -> Self {
        Self { id, flags: PLAIN, ..*self }
    }

    fn core(&self) -> core::cell::RefMut<'a, Core<S>> {
        self.io.door.core()
    }
}

/// What can be done to it.
impl<'a, S: Send + 'static, D: Default + Send + 'static> SocketHandle<'a, S, D> {
    /// Joins rooms.
    #[track_caller]
    pub fn join(&self, rooms: impl IntoRooms) {
        let site = Location::caller();
        rooms.each(&mut |room| self.core().at(site).join(self.id, room));
    }

    /// Leaves rooms.
    #[track_caller]
    pub fn leave(&self, rooms: impl IntoRooms) {
        let site = Location::caller();
        rooms.each(&mut |room| self.core().at(site).leave(self.id, room));
    }

    /// Sends an event to this socket.
    #[track_caller]
    pub fn emit(&self, event: &str, args: impl ToArgs) -> SendStatus {
        let site = Location::caller();
        match self.io.encode(event, args) {
            Some(args) => self.core().at(site).emit(self.id, event, &args, self.flags),
            None => SendStatus::Invalid,
        }
    }

    /// The event `message`.
    #[track_caller]
    pub fn send(&self, args: impl ToArgs) -> SendStatus {
        self.emit("message", args)
    }

    /// The same socket, its emits volatile. A value, so nothing leaks into another emit.
    pub fn volatile(&self) -> Self {
        Self { flags: Flags { volatile: true, ..self.flags }, ..*self }
    }

    /// The same socket, its emits worth compressing or not.
    pub fn compress(&self, compress: bool) -> Self {
        Self { flags: Flags { compress, ..self.flags }, ..*self }
    }

    /// The same socket; its broadcasts stay on this server.
    pub fn local(&self) -> Self {
        Self { flags: Flags { local: true, ..self.flags }, ..*self }
    }

    /// The others: everyone in the namespace but this socket.
    pub fn broadcast(&self) -> Audience<'a, S> {
        let core = self.core();
        let home = core.desk.homes.get(&self.id).map(|home| home.namespace);
        let namespace = home.or_else(|| core.server.namespace_of(self.id));
        Audience::new(self.io, namespace, Some(self.id), self.flags)
    }

    /// The others in these rooms.
    pub fn to(&self, rooms: impl IntoRooms) -> Audience<'a, S> {
        self.broadcast().to(rooms)
    }

    /// The others who are not in these rooms.
    pub fn except(&self, rooms: impl IntoRooms) -> Audience<'a, S> {
        self.broadcast().except(rooms)
    }

    /// Asks the client. Nothing is sent until `then`.
    pub fn ask<'e>(&self, event: &'e str, args: impl ToArgs) -> Ask<'a, 'e, S, D> {
        Ask::new(*self, event, self.io.encode(event, args))
    }

    /// Runs once, `delay` from now, unless the socket has gone by then. Never within this call.
    pub fn after<R: Quiet>(
        &self,
        delay: Duration,
        f: impl FnOnce(&mut Cx<'_, S, D>) -> R + Send + 'static,
    ) -> TimerId {
        let socket = self.id;
        let work = Work::Once(Box::new(move |state, door| {
            enter(Site { state, door, socket }, f);
        }));
        self.io.timer(delay, Some(socket), work)
    }

    /// Runs again and again, until it is cancelled or the socket has gone. It keeps its phase and
    /// skips what a stall made it miss; a period is at least 1 ms.
    pub fn every<R: Quiet>(
        &self,
        period: Duration,
        mut f: impl FnMut(&mut Cx<'_, S, D>) -> R + Send + 'static,
    ) -> TimerId {
        let socket = self.id;
        let work = Work::Every(Box::new(move |state, door| {
            enter(Site { state, door, socket }, &mut f);
        }));
        self.io.timer(period, Some(socket), work)
    }

    /// The next such event of this socket only; runs before the namespace's own handlers. At most
    /// `once_per_socket_max` wait; one more is not added, and counted.
    pub fn once<A: FromArgs, R: IntoReply>(
        &self,
        event: &str,
        f: impl FnOnce(&mut Cx<'_, S, D>, A) -> R + Send + 'static,
    ) {
        let mut f = Some(f);
        let handler = Box::new(move |site: Site<'_, S>, args: &Payload, ack: &mut _| {
            let args = A::from_args(args)?;
            let f = f.take().expect("it is removed before it runs");
            let call = Call { ack: Option::take(ack), ..Call::default() };
            let (reply, call) =
                enter_as(site, call, |cx: &mut Cx<'_, S, D>| f(cx, args).into_reply());
            *ack = call.ack;
            Ok(reply)
        });
        let refused = self.core().once(self.id, event.into(), handler);
        drop(refused);
    }

    /// Takes it out of its namespace; its session stays. What it had sent before and was not
    /// handled yet is dropped.
    #[track_caller]
    pub fn disconnect(&self) {
        self.core().at(Location::caller()).disconnect(self.id);
    }

    /// Ends its session, with all its sockets.
    #[track_caller]
    pub fn disconnect_session(&self) {
        self.core().at(Location::caller()).disconnect_session(self.id);
    }
}

/// The server. `Copy`: `let io = cx.io();` leaves `cx.state` free to be borrowed while emitting.
pub struct Io<'a, S = ()> {
    pub(super) door: &'a dyn Door<S>,
}

impl<S> Clone for Io<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Io<'_, S> {}

impl<S> fmt::Debug for Io<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").finish_non_exhaustive()
    }
}

impl<'a, S: Send + 'static> Io<'a, S> {
    /// Everyone in a namespace; nobody if there is no such namespace.
    pub fn of(&self, namespace: &str) -> Audience<'a, S> {
        let namespace = self.door.core().server.find_namespace(&slashed(namespace));
        Audience::new(*self, namespace, None, PLAIN)
    }

    /// Everyone in these rooms of `/`.
    pub fn to(&self, rooms: impl IntoRooms) -> Audience<'a, S> {
        self.of("/").to(rooms)
    }

    /// A socket of any namespace. Such a handle sees no data, and leaves it alone.
    pub fn socket(&self, id: SocketId) -> SocketHandle<'a, S> {
        SocketHandle { io: *self, id, flags: PLAIN, data: PhantomData }
    }

    /// A session, where these are the application's.
    pub fn session(&self, id: SessionId) -> SessionHandle<'a, S> {
        SessionHandle::new(*self, id)
    }

    /// Answers an event of a client.
    #[track_caller]
    pub fn answer(&self, token: AckToken, args: impl ToArgs) -> SendStatus {
        let site = Location::caller();
        match self.encode("", args) {
            Some(args) => self.door.core().at(site).answer(token, &args),
            None => SendStatus::Invalid,
        }
    }

    /// Decides a connect. The next `authorize`, or `on_connect`, runs when this handler has
    /// returned. A token that is no longer awaited decides nothing, and is counted.
    pub fn decide(&self, token: ConnectToken, verdict: Verdict) {
        self.door.core().desk.deferred.push_back(Deferred::Decide(token, verdict));
    }

    /// Decides a handshake.
    pub fn decide_handshake(&self, token: HandshakeToken, verdict: impl Into<HandshakeVerdict>) {
        let verdict = verdict.into();
        self.door.core().decide_handshake(token.0, verdict);
    }

    /// Answers a request that is not Engine.IO's.
    pub fn respond(&self, token: RequestToken, response: Response) {
        self.door.core().respond(token.0, response);
    }

    /// Runs once, `delay` from now. Never within this call.
    pub fn after<R: Quiet>(
        &self,
        delay: Duration,
        f: impl FnOnce(&mut Root<'_, S>) -> R + Send + 'static,
    ) -> TimerId {
        let work = Work::Once(Box::new(move |state, door| {
            f(&mut Root::new(state, door));
        }));
        self.timer(delay, None, work)
    }

    /// Runs again and again until it is cancelled. It keeps its phase.
    pub fn every<R: Quiet>(
        &self,
        period: Duration,
        mut f: impl FnMut(&mut Root<'_, S>) -> R + Send + 'static,
    ) -> TimerId {
        let work = Work::Every(Box::new(move |state, door| {
            f(&mut Root::new(state, door));
        }));
        self.timer(period, None, work)
    }

    /// Cancels a timer. One that has fired, or never was set, is ignored.
    pub fn cancel(&self, timer: TimerId) {
        let work = self.door.core().cancel(timer);
        drop(work);
    }

    /// The machine's time.
    pub fn now(&self) -> Instant {
        self.door.core().server.now()
    }

    /// A number of the machine's seeded generator: repeatable in a test.
    pub fn random(&self) -> u64 {
        self.door.core().server.random()
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        *self.door.core().server.stats()
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> u32 {
        self.door.core().server.sessions()
    }

    /// How many connections there are.
    pub fn connections(&self) -> u32 {
        self.door.core().server.connections()
    }

    /// Shuts the server down: every socket is disconnected, no connection is accepted, and those
    /// that there are close, each within `linger`.
    pub fn close(&self) {
        self.door.core().shutdown();
    }

    fn timer(&self, delay: Duration, socket: Option<SocketId>, work: Work<S>) -> TimerId {
        let armed = self.door.core().arm(delay, socket, work);
        armed.unwrap_or_else(|(dead, _work)| dead)
    }

    pub(super) fn invalid(&self, event: &str, why: &str) {
        self.door.core().invalid(event, why);
    }

    /// The user's `Serialize` runs here, while nothing is borrowed.
    pub(super) fn encode(&self, event: &str, args: impl ToArgs) -> Option<Payload> {
        match encode(&args) {
            Ok(args) => Some(args),
            Err(why) => {
                self.invalid(event, &why);
                None
            }
        }
    }
}

/// The name of a namespace begins with a slash, whether or not it is written.
pub(super) fn slashed(name: &str) -> alloc::borrow::Cow<'_, str> {
    match name.starts_with('/') {
        true => name.into(),
        false => alloc::format!("/{name}").into(),
    }
}
