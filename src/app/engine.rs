//! Handlers of sessions: the whole program in [`Mode::EngineIo`](crate::Mode), and in
//! [`Mode::SocketIo`](crate::Mode) a look at what carries the sockets.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;
use core::panic::Location;

use crate::app::cx::{Io, PLAIN};
use crate::app::desk::Door;
use crate::app::reply::Quiet;
use crate::{
    Bytes, CloseReason, Culprit, Flags, Message, Peer, RequestHead, SendStatus, SessionId,
    Transport,
};

/// The handlers of sessions, as they are registered.
pub struct Engine<'a, S> {
    handlers: &'a mut EngineHandlers<S>,
}

impl<'a, S: Send + 'static> Engine<'a, S> {
    pub(super) fn new(handlers: &'a mut EngineHandlers<S>) -> Self {
        Self { handlers }
    }

    /// A session opened.
    pub fn on_open<R: Quiet>(
        self,
        mut f: impl FnMut(&mut EngineCx<'_, S>) -> R + Send + 'static,
    ) -> Self {
        self.handlers.on_open.push(Box::new(move |cx| {
            f(cx);
        }));
        self
    }

    /// A message; only in [`Mode::EngineIo`](crate::Mode).
    pub fn on_message<R: Quiet>(
        self,
        mut f: impl FnMut(&mut EngineCx<'_, S>, Message) -> R + Send + 'static,
    ) -> Self {
        self.handlers.on_message.push(Box::new(move |cx, message| {
            f(cx, message);
        }));
        self
    }

    /// A session moved from polling to websocket.
    pub fn on_upgrade<R: Quiet>(
        self,
        mut f: impl FnMut(&mut EngineCx<'_, S>) -> R + Send + 'static,
    ) -> Self {
        self.handlers.on_upgrade.push(Box::new(move |cx| {
            f(cx);
        }));
        self
    }

    /// A session ended. Exactly once for each `on_open`.
    pub fn on_close<R: Quiet>(
        self,
        mut f: impl FnMut(&mut EngineCx<'_, S>, CloseReason) -> R + Send + 'static,
    ) -> Self {
        self.handlers.on_close.push(Box::new(move |cx, reason| {
            f(cx, reason);
        }));
        self
    }
}

impl<S> fmt::Debug for Engine<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

/// The context of a session's handler: the program's state, and (by deref) the session.
pub struct EngineCx<'a, S = ()> {
    /// The program's state.
    pub state: &'a mut S,
    me: SessionHandle<'a, S>,
}

impl<'a, S: Send + 'static> EngineCx<'a, S> {
    /// The server. `Copy`, so `cx.state` stays free while it is used.
    pub fn io(&self) -> Io<'a, S> {
        self.me.io
    }

    /// This session. `Copy`, so `cx.state` stays free while it is used.
    pub fn me(&self) -> SessionHandle<'a, S> {
        self.me
    }
}

impl<'a, S> Deref for EngineCx<'a, S> {
    type Target = SessionHandle<'a, S>;

    fn deref(&self) -> &Self::Target {
        &self.me
    }
}

impl<S: fmt::Debug> fmt::Debug for EngineCx<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("EngineCx");
        out.field("session", &self.me.id).field("state", &self.state).finish()
    }
}

/// One session, here or gone: every command on a gone one does nothing and says so.
pub struct SessionHandle<'a, S = ()> {
    io: Io<'a, S>,
    id: SessionId,
    flags: Flags,
}

impl<S> Clone for SessionHandle<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for SessionHandle<'_, S> {}

impl<S> fmt::Debug for SessionHandle<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SessionHandle").field(&self.id).finish()
    }
}

impl<'a, S: Send + 'static> SessionHandle<'a, S> {
    pub(super) fn new(io: Io<'a, S>, id: SessionId) -> Self {
        Self { io, id, flags: PLAIN }
    }

    /// Its handle, which is not the secret that its client knows.
    pub fn session(&self) -> SessionId {
        self.id
    }

    /// Sends a message; only in [`Mode::EngineIo`](crate::Mode).
    #[track_caller]
    pub fn send(&self, message: impl Into<Message>) -> SendStatus {
        let site = Location::caller();
        let message = message.into();
        self.io.door.core().at(site).send(self.id, &message, self.flags)
    }

    /// The same session, what it is sent volatile.
    pub fn volatile(&self) -> Self {
        Self { flags: Flags { volatile: true, ..self.flags }, ..*self }
    }

    /// The same session, what it is sent worth compressing or not.
    pub fn compress(&self, compress: bool) -> Self {
        Self { flags: Flags { compress, ..self.flags }, ..*self }
    }

    /// Closes it, once what was sent is out. What it had sent and was not handled yet is dropped.
    #[track_caller]
    pub fn close(&self) {
        self.io.door.core().at(Location::caller()).close_session(self.id);
    }

    /// The head of the request that opened it; `None` once it has gone.
    pub fn handshake(&self) -> Option<RequestHead> {
        self.io.door.core().server.handshake(self.id).cloned()
    }

    /// Where its client is; `None` once it has gone.
    pub fn address(&self) -> Option<Peer> {
        self.io.door.core().server.peer(self.id).cloned()
    }

    /// What carries it right now; `None` once it has gone.
    pub fn transport(&self) -> Option<Transport> {
        self.io.door.core().server.transport(self.id)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

/// What was registered for sessions.
pub(super) struct EngineHandlers<S> {
    pub(super) on_open: Vec<OnSession<S>>,
    pub(super) on_message: Vec<OnSessionWith<S, Message>>,
    pub(super) on_upgrade: Vec<OnSession<S>>,
    pub(super) on_close: Vec<OnSessionWith<S, CloseReason>>,
}

type OnSession<S> = Box<dyn FnMut(&mut EngineCx<'_, S>) + Send>;
type OnSessionWith<S, T> = Box<dyn FnMut(&mut EngineCx<'_, S>, T) + Send>;

impl<S> EngineHandlers<S> {
    pub(super) fn new() -> Self {
        Self {
            on_open: Vec::new(),
            on_message: Vec::new(),
            on_upgrade: Vec::new(),
            on_close: Vec::new(),
        }
    }

    pub(super) fn takes_sessions(&self) -> bool {
        let Self { on_open, on_message: _, on_upgrade, on_close } = self;
        !(on_open.is_empty() && on_upgrade.is_empty() && on_close.is_empty())
    }
}

/// Runs a handler of a session.
pub(super) fn enter_session<S: Send + 'static>(
    state: &mut S,
    door: &dyn Door<S>,
    session: SessionId,
    f: impl FnOnce(&mut EngineCx<'_, S>),
) {
    let outer = door.core().desk.culprit.replace(Culprit::Session(session));
    f(&mut EngineCx { state, me: SessionHandle::new(Io { door }, session) });
    door.core().desk.culprit = outer;
}
