//! The commands of handlers: each is told to the observer, given to the server, and its outcome is
//! told again. Whatever a handler does passes here.

use alloc::boxed::Box;
use core::panic::Location;
use core::time::Duration;

use crate::app::decision::{HandshakeVerdict, SayHandshake};
use crate::app::desk::{Core, Deferred, OnEvent, Settle, Work};
use crate::{
    AckToken, Command, Fanout, Flags, Gone, Handler, Message, Mode, Outcome, Payload,
    PendingConnect, PendingHandshake, PendingRequest, Recipients, Response, SendStatus, SessionId,
    SocketId, TimerId,
};

/// A timer that was never set. The server counts its own upwards from the other end.
const DEAD: TimerId = TimerId(u64::MAX);

impl<S> Core<S> {
    pub(super) fn running(&mut self, handler: Handler<'_>) {
        if let Some(observer) = &mut self.observer {
            observer.handler(self.server.turn(), &handler);
        }
    }

    /// The next command stands at this place in the source.
    pub(super) fn at(&mut self, site: &'static Location<'static>) -> &mut Self {
        if let Some(observer) = &mut self.observer {
            observer.site(site);
        }
        self
    }

    fn tell(&mut self, command: Command<'_>) {
        if let Some(observer) = &mut self.observer {
            observer.command(self.server.turn(), &command);
        }
    }

    fn told(&mut self, outcome: Outcome) {
        if let Some(observer) = &mut self.observer {
            observer.outcome(self.server.turn(), &outcome);
        }
    }

    fn sent(&mut self, status: SendStatus) -> SendStatus {
        self.told(Outcome::Send(status));
        status
    }

    fn done(&mut self, result: Result<bool, Gone>) {
        self.told(result.map_or(Outcome::Gone, Outcome::Done));
    }

    pub(super) fn emit(
        &mut self,
        socket: SocketId,
        event: &str,
        args: &Payload,
        flags: Flags,
    ) -> SendStatus {
        self.tell(Command::Emit { socket, event, args, flags });
        let status = self.server.emit(self.server.now(), socket, event, args, flags);
        self.sent(status)
    }

    pub(super) fn broadcast(
        &mut self,
        to: Recipients<'_>,
        event: &str,
        args: &Payload,
        flags: Flags,
    ) -> Fanout {
        self.tell(Command::Broadcast { to, event, args, flags });
        let fanout = self.server.broadcast(self.server.now(), to, event, args, flags);
        self.told(Outcome::Fanout(fanout));
        fanout
    }

    pub(super) fn ask(
        &mut self,
        socket: SocketId,
        event: &str,
        args: &Payload,
        timeout: Duration,
        flags: Flags,
        settle: Settle<S>,
    ) {
        self.tell(Command::Ask { socket, event, args, timeout, flags });
        let ask = self.server.ask(self.server.now(), socket, event, args, timeout, flags);
        self.desk.asks.insert(ask, settle);
        self.told(Outcome::Asked(ask));
    }

    pub(super) fn answer(&mut self, token: AckToken, args: &Payload) -> SendStatus {
        self.tell(Command::Answer { socket: token.socket, id: token.id, args });
        let status = self.server.answer(self.server.now(), token, args);
        self.sent(status)
    }

    pub(super) fn join(&mut self, socket: SocketId, room: &str) {
        self.tell(Command::Join { socket, room });
        let joined = self.server.join(self.server.now(), socket, room);
        self.done(joined);
    }

    pub(super) fn leave(&mut self, socket: SocketId, room: &str) {
        self.tell(Command::Leave { socket, room });
        let left = self.server.leave(self.server.now(), socket, room);
        self.done(left);
    }

    pub(super) fn disconnect(&mut self, socket: SocketId) {
        self.tell(Command::Disconnect { socket });
        let gone = self.server.disconnect(self.server.now(), socket);
        if gone.is_ok() {
            self.desk.leaving.insert(socket);
        }
        self.done(gone.map(|()| true));
    }

    pub(super) fn disconnect_session(&mut self, socket: SocketId) {
        self.tell(Command::DisconnectSession { socket });
        let all = self.server.session_of(socket).map(|session| self.server.sockets_of(session));
        let gone = self.server.disconnect_session(self.server.now(), socket);
        if gone.is_ok() {
            self.desk.leaving.extend(all.into_iter().flatten());
        }
        self.done(gone.map(|()| true));
    }

    pub(super) fn admit(&mut self, pending: PendingConnect) {
        self.tell(Command::Admit { socket: pending.socket() });
        let admitted = self.server.admit(self.server.now(), pending);
        self.done(admitted.map(|()| true));
    }

    /// Its home is forgotten once what it asked has settled.
    pub(super) fn refuse(&mut self, pending: PendingConnect, message: &str, data: Option<&str>) {
        let socket = pending.socket();
        self.tell(Command::Refuse { socket, message, data });
        let refused = self.server.refuse(self.server.now(), pending, message, data);
        self.desk.deferred.push_back(Deferred::Forget(socket));
        self.done(refused.map(|()| true));
    }

    pub(super) fn decide_handshake(
        &mut self,
        pending: PendingHandshake,
        verdict: HandshakeVerdict,
    ) {
        let now = self.server.now();
        let decided = match verdict.0 {
            SayHandshake::Admit(admission) => {
                self.tell(Command::AdmitHandshake);
                self.server.admit_handshake(now, pending, admission)
            }
            SayHandshake::Refuse(message) => {
                self.tell(Command::RefuseHandshake { message: &message });
                self.server.refuse_handshake(now, pending, &message)
            }
            SayHandshake::Later => return,
        };
        self.done(decided.map(|()| true));
    }

    pub(super) fn respond(&mut self, pending: PendingRequest, response: Response) {
        self.tell(Command::Respond { status: response.status });
        let responded = self.server.respond(self.server.now(), pending, &response);
        self.done(responded.map(|()| true));
    }

    /// Sets a timer, of a socket or of the application. `Err` gives the closure of one that cannot
    /// be set back, to be dropped while nothing is borrowed.
    pub(super) fn arm(
        &mut self,
        after: Duration,
        socket: Option<SocketId>,
        work: Work<S>,
    ) -> Result<TimerId, (TimerId, Work<S>)> {
        let every = matches!(work, Work::Every(_));
        self.tell(Command::Timer { after, every, socket });
        if socket.is_some_and(|socket| !self.desk.homes.contains_key(&socket)) {
            self.server.stats_mut().commands_gone += 1;
            self.told(Outcome::Gone);
            return Err((DEAD, work));
        }
        let Some(timer) = self.server.timer(self.server.now(), after, every) else {
            self.told(Outcome::Limited);
            return Err((DEAD, work));
        };
        self.desk.timers.insert(timer, (socket, work));
        self.desk.owned.extend(socket.map(|socket| (socket, timer)));
        self.told(Outcome::Armed(timer));
        Ok(timer)
    }

    /// Hands the closure back, to be dropped while nothing is borrowed.
    #[must_use]
    pub(super) fn cancel(&mut self, timer: TimerId) -> Option<Work<S>> {
        self.tell(Command::Cancel { timer });
        let cancelled = self.server.cancel(timer);
        self.told(Outcome::Done(cancelled));
        let (socket, work) = self.desk.timers.remove(&timer)?;
        self.disown(timer, socket);
        Some(work)
    }

    /// The timer is no longer a socket's.
    pub(super) fn disown(&mut self, timer: TimerId, socket: Option<SocketId>) {
        if let Some(socket) = socket {
            self.desk.owned.remove(&(socket, timer));
        }
    }

    pub(super) fn send(
        &mut self,
        session: SessionId,
        message: &Message,
        flags: Flags,
    ) -> SendStatus {
        self.tell(Command::Send { session, message, flags });
        let status = self.server.send(self.server.now(), session, message, flags);
        self.sent(status)
    }

    pub(super) fn close_session(&mut self, session: SessionId) {
        self.tell(Command::CloseSession { session });
        let closed = self.server.close_session(self.server.now(), session, false);
        if closed.is_ok() && self.server.config().mode == Mode::EngineIo {
            self.desk.closing.insert(session);
        }
        self.done(closed.map(|()| true));
    }

    pub(super) fn shutdown(&mut self) {
        self.tell(Command::Shutdown);
        let linger = self.server.config().linger;
        self.server.shutdown(self.server.now(), linger);
        self.desk.shutting_down = true;
        self.told(Outcome::Done(true));
    }

    /// Adds a handler for one socket's next such event; one that cannot be added comes back.
    pub(super) fn once(
        &mut self,
        socket: SocketId,
        event: Box<str>,
        handler: OnEvent<S>,
    ) -> Option<OnEvent<S>> {
        let once_max = self.server.config().limits.once_per_socket_max as usize;
        let Some(home) = self.desk.homes.get_mut(&socket) else {
            self.server.stats_mut().commands_gone += 1;
            return Some(handler);
        };
        if home.once.len() >= once_max {
            self.server.stats_mut().limits_hit += 1;
            return Some(handler);
        }
        home.once.push((event, handler));
        None
    }
}
