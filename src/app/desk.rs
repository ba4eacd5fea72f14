//! What the application remembers while it runs, and how a handler reaches it.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::any::Any;
use core::cell::{RefCell, RefMut};

use crate::app::cx::{Call, Cx};
use crate::app::reply::Reply;
use crate::{
    AckToken, AskError, AskId, BadArgs, ConnectToken, Culprit, NamespaceId, Observer, Payload,
    PendingConnect, Server, SessionId, SocketId, TimerId, Verdict,
};

/// The server, what the application remembers of it, and who watches. No handler is in here but
/// those that wait for their cause, so none runs while this is borrowed.
pub(crate) struct Core<S> {
    pub(super) server: Server,
    pub(super) desk: Desk<S>,
    pub(super) observer: Option<Box<dyn Observer + Send>>,
}

/// What handlers reach besides the user's state. A trait, so that what lies behind it may be
/// borrowed while contexts have one lifetime: a `RefCell<&mut _>` is invariant.
pub(crate) trait Door<S> {
    fn core(&self) -> RefMut<'_, Core<S>>;
}

/// The one `RefCell`: on the dispatcher's stack for one turn. Every borrow lasts one call and runs
/// no handler, so it is never borrowed twice.
pub(super) struct Shell<'n, S>(RefCell<&'n mut Core<S>>);

impl<'n, S> Shell<'n, S> {
    pub(super) fn new(core: &'n mut Core<S>) -> Self {
        Self(RefCell::new(core))
    }
}

impl<S> Door<S> for Shell<'_, S> {
    fn core(&self) -> RefMut<'_, Core<S>> {
        RefMut::map(self.0.borrow_mut(), |core| &mut **core)
    }
}

/// Where a handler of one socket runs.
pub(crate) struct Site<'a, S> {
    pub(super) state: &'a mut S,
    pub(super) door: &'a dyn Door<S>,
    pub(super) socket: SocketId,
}

/// A handler of an event; it leaves the token there if nothing took it.
pub(crate) type OnEvent<S> = Box<
    dyn FnMut(Site<'_, S>, &Payload, &mut Option<AckToken>) -> Result<Option<Reply>, BadArgs>
        + Send,
>;
pub(crate) type Settle<S> = Box<dyn FnOnce(Site<'_, S>, Result<&Payload, AskError>) + Send>;

/// The closure of a timer.
pub(crate) enum Work<S> {
    Once(Once<S>),
    Every(Every<S>),
}

type Once<S> = Box<dyn FnOnce(&mut S, &dyn Door<S>) + Send>;
type Every<S> = Box<dyn FnMut(&mut S, &dyn Door<S>) + Send>;

pub(crate) type Data = Box<dyn Any + Send>;

/// What the application keeps of one socket, until the turn of its end is over.
pub(crate) struct Home<S> {
    /// Its namespace's place in the program.
    pub(super) space: usize,
    pub(super) namespace: NamespaceId,
    pub(super) phase: Phase,
    /// The program's data; out while a handler of this socket runs.
    pub(super) data: Option<Data>,
    /// At most `once_per_socket_max`.
    pub(super) once: Vec<(Box<str>, OnEvent<S>)>,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Home<()>>() <= 72);

/// How far a socket is. What it sent with its CONNECT is boxed: most send nothing.
pub(crate) enum Phase {
    Connecting(Box<Connecting>),
    /// Every `authorize` admitted it; `Connected` is on its way.
    Admitted,
    /// `None` stands for `{}`.
    Connected(Option<Box<Payload>>),
}

pub(crate) struct Connecting {
    pub(super) pending: PendingConnect,
    /// The `authorize` that decides later.
    pub(super) awaits: Option<u32>,
}

/// What is done when no event is left, in the same turn.
pub(crate) enum Deferred<S> {
    Decide(ConnectToken, Verdict),
    /// An ask that could not even be written: it settles as dropped.
    Dropped(SocketId, Settle<S>),
    /// The socket has gone, and its handlers have run.
    Forget(SocketId),
}

/// What the application remembers while it runs; the server holds the deadlines and knows none of
/// this. All keys are ids that the server makes.
pub(crate) struct Desk<S> {
    pub(super) homes: BTreeMap<SocketId, Home<S>>,
    /// Bounded by the server: each is an unsettled ask.
    pub(super) asks: BTreeMap<AskId, Settle<S>>,
    /// Bounded by the server: each is armed.
    pub(super) timers: BTreeMap<TimerId, (Option<SocketId>, Work<S>)>,
    /// The timers that die with a socket.
    pub(super) owned: BTreeSet<(SocketId, TimerId)>,
    /// Sockets that a handler disconnected, whose end has not been handled yet.
    pub(super) leaving: BTreeSet<SocketId>,
    /// The same of sessions, where these are the application's.
    pub(super) closing: BTreeSet<SessionId>,
    /// A handler closed the server.
    pub(super) shutting_down: bool,
    /// Empty between turns.
    pub(super) deferred: VecDeque<Deferred<S>>,
    /// For whom a handler is running.
    pub(super) culprit: Option<Culprit>,
    /// The timer whose closure is running.
    pub(super) firing: Option<TimerId>,
}

impl<S> Desk<S> {
    pub(super) fn new() -> Self {
        Self {
            homes: BTreeMap::new(),
            asks: BTreeMap::new(),
            timers: BTreeMap::new(),
            owned: BTreeSet::new(),
            leaving: BTreeSet::new(),
            closing: BTreeSet::new(),
            shutting_down: false,
            deferred: VecDeque::new(),
            culprit: None,
            firing: None,
        }
    }

    pub(super) fn take_once(&mut self, id: SocketId, event: &str) -> Vec<OnEvent<S>> {
        let Some(home) = self.homes.get_mut(&id) else { return Vec::new() };
        home.once.extract_if(.., |(name, _)| **name == *event).map(|(_, f)| f).collect()
    }

    pub(super) fn auth(&self, id: SocketId) -> Option<Payload> {
        match &self.homes.get(&id)?.phase {
            Phase::Connecting(connecting) => Some(connecting.pending.auth().clone()),
            Phase::Admitted => None,
            Phase::Connected(auth) => {
                Some(auth.as_deref().cloned().unwrap_or_else(Payload::empty_object))
            }
        }
    }

    /// Whether this socket's decision was awaited from this `authorize`; then it no longer is.
    pub(super) fn take_awaited(&mut self, id: SocketId, stage: u32) -> bool {
        match self.homes.get_mut(&id).map(|home| &mut home.phase) {
            Some(Phase::Connecting(connecting)) => {
                connecting.awaits.take_if(|awaited| *awaited == stage).is_some()
            }
            _ => false,
        }
    }

    pub(super) fn set_awaited(&mut self, id: SocketId, stage: u32) {
        if let Some(Phase::Connecting(connecting)) =
            self.homes.get_mut(&id).map(|home| &mut home.phase)
        {
            connecting.awaits = Some(stage);
        }
    }

    /// The right to decide a connect, once all of it is decided.
    pub(super) fn take_pending(&mut self, id: SocketId) -> Option<PendingConnect> {
        let home = self.homes.get_mut(&id)?;
        match core::mem::replace(&mut home.phase, Phase::Admitted) {
            Phase::Connecting(connecting) => Some(connecting.pending),
            other => {
                home.phase = other;
                None
            }
        }
    }
}

impl<S> Core<S> {
    /// Forgets a socket that has gone. What the user put in is handed back, to be dropped while
    /// nothing is borrowed.
    #[must_use]
    pub(super) fn forget(&mut self, id: SocketId) -> impl Sized + use<S> {
        let first = (id, TimerId(u64::MIN));
        let timers: Vec<_> = self
            .desk
            .owned
            .range(first..=(id, TimerId(u64::MAX)))
            .map(|&(_, timer)| timer)
            .collect();
        let mut works = Vec::with_capacity(timers.len());
        for timer in timers {
            self.server.cancel(timer);
            self.desk.owned.remove(&(id, timer));
            works.extend(self.desk.timers.remove(&timer));
        }
        self.desk.leaving.remove(&id);
        (self.desk.homes.remove(&id), works)
    }

    /// The caller's mistake: counted and told, and nothing is sent.
    pub(super) fn invalid(&mut self, event: &str, why: &str) {
        self.server.stats_mut().emits_invalid += 1;
        let turn = self.server.turn();
        if let Some(observer) = &mut self.observer {
            observer.invalid(turn, event, why);
        }
    }
}

/// Runs a handler of a socket.
pub(crate) fn enter<S: Send + 'static, D: Default + Send + 'static, R>(
    site: Site<'_, S>,
    f: impl FnOnce(&mut Cx<'_, S, D>) -> R,
) -> R {
    enter_as(site, Call::default(), f).0
}

/// The same, with what it was called for; hands back what the handler left of it.
pub(crate) fn enter_as<S: Send + 'static, D: Default + Send + 'static, R>(
    site: Site<'_, S>,
    call: Call,
    f: impl FnOnce(&mut Cx<'_, S, D>) -> R,
) -> (R, Call) {
    let Site { state, door, socket } = site;
    let mut lent = Lent::<S, D>::take(door, socket).unwrap_or_else(|| Lent::fresh(door, socket));
    let outer = door.core().desk.culprit.replace(Culprit::Socket(socket));
    let mut cx = Cx::new(state, lent.data(), door, socket, call);
    let result = f(&mut cx);
    let call = cx.into_call();
    door.core().desk.culprit = outer;
    (result, call)
}

/// The data of a socket, out of the desk for as long as a handler sees it. Dropping puts it back,
/// which a panic does too: it is the user's, like the state, and one client must not lose it all.
pub(super) struct Lent<'a, S, D: Send + 'static> {
    door: &'a dyn Door<S>,
    socket: SocketId,
    data: Option<Box<D>>,
    /// Whether it came from the desk.
    own: bool,
}

impl<'a, S, D: Default + Send + 'static> Lent<'a, S, D> {
    /// `None` if the socket has gone, its data is out, or it is of another type.
    pub(super) fn take(door: &'a dyn Door<S>, socket: SocketId) -> Option<Self> {
        let data = door.core().desk.homes.get_mut(&socket)?.data.take_if(|data| data.is::<D>())?;
        Some(Self { door, socket, data: data.downcast().ok(), own: true })
    }

    fn fresh(door: &'a dyn Door<S>, socket: SocketId) -> Self {
        Self { door, socket, data: Some(Box::default()), own: false }
    }

    pub(super) fn data(&mut self) -> &mut D {
        self.data.as_mut().expect("it is taken by `drop` alone")
    }
}

impl<S, D: Send + 'static> Drop for Lent<'_, S, D> {
    fn drop(&mut self) {
        // Declared before the borrow, so what nobody wants back is dropped after it.
        let mut data = self.data.take();
        let mut core = self.door.core();
        if let Some(home) = core.desk.homes.get_mut(&self.socket)
            && self.own
        {
            home.data = data.take().map(|data| data as Data);
        }
    }
}
