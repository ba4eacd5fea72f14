//! A turn: the handlers of what one cause brought about, until nothing is left of it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytestring::ByteString;

use crate::app::cx::Root;
use crate::app::decision::{Handshake, Pass, Request, Say};
use crate::app::desk::{Connecting, Core, Deferred, Door, Home, OnEvent, Phase, Site, Work};
use crate::app::engine::enter_session;
use crate::app::program::{BadArgsAnswer, BadArgsHook, Program};
use crate::app::reply::Reply;
use crate::{
    AckToken, AskError, AskId, BadArgs, ConnectToken, DisconnectReason, Event, Handler,
    HandshakeFailure, Message, NamespaceId, Payload, PendingConnect, PendingHandshake,
    PendingRequest, RoomEvent, SessionId, SocketId, TimerId, Verdict, refuse,
};

pub(super) struct Turn<'t, S> {
    pub(super) program: &'t mut Program<S>,
    pub(super) state: &'t mut S,
    pub(super) door: &'t dyn Door<S>,
}

impl<S: Send + 'static> Turn<'_, S> {
    pub(super) fn finish(&mut self) {
        while self.step() {}
    }

    /// Events first: a decision or an end that waits may depend on what has happened already.
    fn step(&mut self) -> bool {
        let event = self.door.core().server.poll_event();
        if let Some((turn, event)) = event {
            if let Some(observer) = &mut self.door.core().observer {
                observer.event(turn, &event);
            }
            self.event(event);
            return true;
        }
        let deferred = self.door.core().desk.deferred.pop_front();
        match deferred {
            Some(Deferred::Decide(token, verdict)) => self.decided(token, verdict),
            Some(Deferred::Dropped(socket, settle)) => {
                let outcome = Err(&AskError::Dropped);
                self.note(Handler::Settled { socket, ask: None, outcome });
                settle(self.site(socket), Err(AskError::Dropped));
            }
            Some(Deferred::Forget(socket)) => {
                let forgotten = self.door.core().forget(socket);
                drop(forgotten);
            }
            None => return false,
        }
        true
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Handshake(pending) => self.handshake(pending),
            Event::HandshakeFailed(failure) => self.handshake_failed(&failure),
            Event::Request(pending) => self.request(pending),
            Event::Connect(pending) => self.connect(pending),
            Event::Abandoned { socket } => self.defer(Deferred::Forget(socket)),
            Event::Connected { socket, namespace, auth, .. } => {
                self.connected(socket, namespace, auth)
            }
            Event::Message { socket, name, args, ack } => self.message(socket, &name, &args, ack),
            Event::Settled { ask, socket, outcome } => self.settled(ask, socket, outcome),
            Event::Disconnecting { socket, reason } => self.disconnecting(socket, reason),
            Event::Disconnected { socket, reason, rooms } => {
                self.disconnected(socket, reason, &rooms);
            }
            Event::Timer { timer } => self.timer(timer),
            Event::Room(event) => self.room(&event),
            Event::Drained { .. } => {}
            Event::SessionOpened { session } => {
                for f in &mut self.program.engine.on_open {
                    note(self.door, Handler::Open { session });
                    enter_session(self.state, self.door, session, f);
                }
            }
            Event::SessionMessage { session, message } => self.session_message(session, &message),
            Event::SessionUpgraded { session } => {
                for f in &mut self.program.engine.on_upgrade {
                    note(self.door, Handler::Upgrade { session });
                    enter_session(self.state, self.door, session, f);
                }
            }
            Event::SessionClosed { session, reason } => {
                self.door.core().desk.closing.remove(&session);
                for f in &mut self.program.engine.on_close {
                    note(self.door, Handler::Close { session, reason });
                    enter_session(self.state, self.door, session, |cx| f(cx, reason));
                }
            }
        }
    }
}

/// What concerns no socket.
impl<S: Send + 'static> Turn<'_, S> {
    fn handshake(&mut self, pending: PendingHandshake) {
        let Some(f) = &mut self.program.on_handshake else { return };
        let asked = Handshake(pending);
        note(self.door, Handler::Handshake);
        let verdict = f(&mut Root::new(self.state, self.door), &asked);
        self.door.core().decide_handshake(asked.0, verdict);
    }

    fn handshake_failed(&mut self, failure: &HandshakeFailure) {
        let Some(f) = &mut self.program.on_handshake_error else { return };
        note(self.door, Handler::HandshakeError);
        f(&mut Root::new(self.state, self.door), failure);
    }

    fn request(&mut self, pending: PendingRequest) {
        let Some(f) = &mut self.program.on_request else { return };
        let request = Request(pending);
        note(self.door, Handler::Request);
        let verdict = f(&mut Root::new(self.state, self.door), &request);
        if let Some(response) = verdict.0 {
            self.door.core().respond(request.0, response);
        }
    }

    fn room(&mut self, event: &RoomEvent) {
        let Some(f) = &mut self.program.on_room else { return };
        note(self.door, Handler::Room(event));
        f(&mut Root::new(self.state, self.door), event);
    }

    fn session_message(&mut self, session: SessionId, message: &Message) {
        let mut core = self.door.core();
        if core.desk.shutting_down || core.desk.closing.contains(&session) {
            core.server.stats_mut().events_dropped += 1;
            return;
        }
        drop(core);
        for f in &mut self.program.engine.on_message {
            note(self.door, Handler::Message { session, message });
            enter_session(self.state, self.door, session, |cx| f(cx, message.clone()));
        }
    }

    fn timer(&mut self, timer: TimerId) {
        let mut core = self.door.core();
        let Some((socket, work)) = core.desk.timers.remove(&timer) else { return };
        core.desk.firing = Some(timer);
        core.running(Handler::Timer { timer, socket });
        drop(core);
        let again = match work {
            Work::Once(f) => {
                f(self.state, self.door);
                None
            }
            Work::Every(mut f) => {
                f(self.state, self.door);
                Some(Work::Every(f))
            }
        };
        let mut core = self.door.core();
        core.desk.firing = None;
        match again {
            Some(work) if core.server.is_armed(timer) => {
                core.desk.timers.insert(timer, (socket, work));
            }
            over => {
                core.disown(timer, socket);
                drop(core);
                drop(over);
            }
        }
    }
}

/// How a socket comes.
impl<S: Send + 'static> Turn<'_, S> {
    fn connect(&mut self, pending: PendingConnect) {
        let (socket, namespace) = (pending.socket(), pending.namespace());
        let Some(&space) = self.program.places.get(&namespace) else { return };
        if !self.door.core().server.is_present(socket) {
            return; // `Abandoned` follows: nobody is left to decide on.
        }
        let phase = Phase::Connecting(Box::new(Connecting { pending, awaits: None }));
        self.settle_in(socket, space, namespace, phase);
        self.gates(socket, 0);
    }

    /// The `authorize` of a connecting socket, from this one on, until one refuses or decides
    /// later.
    fn gates(&mut self, socket: SocketId, from: u32) {
        let core = self.door.core();
        let Some(space) = core.desk.homes.get(&socket).map(|home| home.space) else { return };
        let Some(auth) = core.desk.auth(socket) else { return };
        drop(core);
        let gates = self.program.spaces[space].gates.iter_mut();
        for (stage, gate) in (0..).zip(gates).skip(from as usize) {
            note(self.door, Handler::Authorize { socket, stage });
            let site = Site { state: &mut *self.state, door: self.door, socket };
            let verdict = match gate(site, stage, &auth) {
                Ok(verdict) => verdict,
                Err(why) => {
                    bad_args(self.door, &mut self.program.on_bad_args, socket, "connect", &why);
                    refuse("invalid auth")
                }
            };
            match verdict.0 {
                Say::Admit => {}
                Say::Refuse { message, data } => return self.refuse(socket, &message, data),
                Say::Later => return self.door.core().desk.set_awaited(socket, stage),
            }
        }
        let mut core = self.door.core();
        if let Some(pending) = core.desk.take_pending(socket) {
            core.admit(pending);
        }
    }

    fn decided(&mut self, token: ConnectToken, verdict: Verdict) {
        let ConnectToken { socket, stage } = token;
        let mut core = self.door.core();
        if !core.desk.take_awaited(socket, stage) || !core.server.is_present(socket) {
            core.server.stats_mut().answers_gone += 1;
            return;
        }
        drop(core);
        match verdict.0 {
            Say::Admit => self.gates(socket, stage + 1),
            Say::Refuse { message, data } => self.refuse(socket, &message, data),
            Say::Later => self.door.core().desk.set_awaited(socket, stage),
        }
    }

    fn refuse(&mut self, socket: SocketId, message: &str, data: Option<Box<str>>) {
        let mut core = self.door.core();
        if let Some(pending) = core.desk.take_pending(socket) {
            core.refuse(pending, message, data.as_deref());
        }
    }

    fn connected(&mut self, socket: SocketId, namespace: NamespaceId, auth: Payload) {
        let Some(&space) = self.program.places.get(&namespace) else { return };
        let sent = auth != Payload::empty_object();
        let phase = Phase::Connected(sent.then(|| Box::new(auth)));
        self.settle_in(socket, space, namespace, phase);
        for f in &mut self.program.spaces[space].on_connect {
            note(self.door, Handler::Connect { socket });
            f(Site { state: &mut *self.state, door: self.door, socket });
        }
    }

    /// Gives a socket its home, or the one it has the next phase.
    fn settle_in(&self, socket: SocketId, space: usize, namespace: NamespaceId, phase: Phase) {
        let known = self.door.core().desk.homes.contains_key(&socket);
        // The user's `Default` runs while nothing is borrowed.
        let fresh = (!known).then(self.program.spaces[space].fresh);
        let mut core = self.door.core();
        match core.desk.homes.get_mut(&socket) {
            Some(home) => home.phase = phase,
            None => {
                let home = Home { space, namespace, phase, data: fresh, once: Vec::new() };
                core.desk.homes.insert(socket, home);
            }
        }
    }
}

/// What a socket says, and how it goes.
impl<S: Send + 'static> Turn<'_, S> {
    fn message(
        &mut self,
        socket: SocketId,
        event: &ByteString,
        args: &Payload,
        ack: Option<AckToken>,
    ) {
        let mut core = self.door.core();
        if core.desk.shutting_down || core.desk.leaving.contains(&socket) {
            core.server.stats_mut().events_dropped += 1;
            return;
        }
        let Some(space) = core.desk.homes.get(&socket).map(|home| home.space) else { return };
        drop(core);
        for f in &mut self.program.spaces[space].on_any {
            note(self.door, Handler::Any { socket, event, args });
            f(Site { state: &mut *self.state, door: self.door, socket }, event, args);
        }
        for f in &mut self.program.spaces[space].before {
            note(self.door, Handler::Before { socket, event, args });
            let site = Site { state: &mut *self.state, door: self.door, socket };
            if f(site, event, args) == Pass::Stop {
                return;
            }
        }
        let mut once = self.door.core().desk.take_once(socket, event);
        let Program { spaces, on_bad_args, answer_bad_args, .. } = &mut *self.program;
        let (state, door) = (&mut *self.state, self.door);
        let mut heard = false;
        let mut hearing =
            Hearing { state, door, socket, event, args, ack, on_bad_args, answer_bad_args };
        let own = spaces[space].on.get_mut(&**event);
        for f in once.iter_mut().chain(own.into_iter().flatten()) {
            heard = true;
            hearing.hear(f);
        }
        if !heard {
            self.door.core().server.stats_mut().events_unheard += 1;
        }
    }

    fn settled(&mut self, ask: AskId, socket: SocketId, outcome: Result<Payload, AskError>) {
        let Some(settle) = self.door.core().desk.asks.remove(&ask) else { return };
        let outcome = outcome.as_ref();
        self.note(Handler::Settled { socket, ask: Some(ask), outcome });
        settle(self.site(socket), outcome.map_err(Clone::clone));
    }

    fn disconnecting(&mut self, socket: SocketId, reason: DisconnectReason) {
        let space = self.door.core().desk.homes.get(&socket).map(|home| home.space);
        if let Some(space) = space {
            for f in &mut self.program.spaces[space].on_disconnecting {
                note(self.door, Handler::Disconnecting { socket, reason });
                f(Site { state: &mut *self.state, door: self.door, socket }, reason);
            }
        }
        let mut core = self.door.core();
        let now = core.server.now();
        core.server.release(now, socket);
    }

    fn disconnected(&mut self, socket: SocketId, reason: DisconnectReason, rooms: &[Box<str>]) {
        let space = self.door.core().desk.homes.get(&socket).map(|home| home.space);
        // Before the handlers, so that a panic of one leaves nothing behind.
        self.defer(Deferred::Forget(socket));
        let Some(space) = space else { return };
        for f in &mut self.program.spaces[space].on_disconnect {
            note(self.door, Handler::Disconnect { socket, reason });
            f(Site { state: &mut *self.state, door: self.door, socket }, reason, rooms);
        }
    }

    fn site(&mut self, socket: SocketId) -> Site<'_, S> {
        Site { state: &mut *self.state, door: self.door, socket }
    }

    fn defer(&self, deferred: Deferred<S>) {
        self.door.core().desk.deferred.push_back(deferred);
    }

    fn note(&self, handler: Handler<'_>) {
        note(self.door, handler);
    }
}

/// One event, on its way through its handlers.
struct Hearing<'h, S> {
    state: &'h mut S,
    door: &'h dyn Door<S>,
    socket: SocketId,
    event: &'h ByteString,
    args: &'h Payload,
    /// Until it is used: the first reply is sent.
    ack: Option<AckToken>,
    on_bad_args: &'h mut Option<BadArgsHook>,
    answer_bad_args: &'h mut Option<BadArgsAnswer>,
}

impl<S> Hearing<'_, S> {
    fn hear(&mut self, f: &mut OnEvent<S>) {
        let Self { door, socket, event, args, .. } = *self;
        note(door, Handler::Event { socket, event, args });
        let site = Site { state: &mut *self.state, door, socket };
        let reply = match f(site, args, &mut self.ack) {
            Ok(reply) => reply,
            Err(why) => {
                bad_args(door, self.on_bad_args, socket, event, &why);
                let answer = self.answer_bad_args.as_mut().filter(|_| self.ack.is_some());
                answer.map(|answer| answer(&why))
            }
        };
        let mut core = door.core();
        match reply {
            None => {}
            Some(Reply(Err(why))) => core.invalid(event, &why),
            Some(Reply(Ok(args))) => match self.ack.take() {
                Some(token) => {
                    core.answer(token, &args);
                }
                None => core.server.stats_mut().replies_unasked += 1,
            },
        }
    }
}

fn note<S>(door: &dyn Door<S>, handler: Handler<'_>) {
    Core::running(&mut door.core(), handler);
}

/// Counted, told to the observer, and to the program.
fn bad_args<S>(
    door: &dyn Door<S>,
    hook: &mut Option<BadArgsHook>,
    socket: SocketId,
    event: &str,
    why: &BadArgs,
) {
    let mut core = door.core();
    core.server.stats_mut().args_bad += 1;
    let turn = core.server.turn();
    if let Some(observer) = &mut core.observer {
        observer.bad_args(turn, socket, event, why);
    }
    drop(core);
    if let Some(f) = hook {
        f(socket, event, why);
    }
}
