//! The commands of an application.
//!
//! Each names its socket, session or token; one that has gone is [`Gone`], and nothing is done.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::config::Config;
use crate::connection::Connection;
use crate::engineio::{self, Load};
use crate::error::{Fanout, Gone, SendStatus};
use crate::event::{AckToken, Message, PendingConnect, PendingHandshake, PendingRequest};
use crate::http::RequestHead;
use crate::id::{AskId, NamespaceId, SessionId, SocketId, TimerId};
use crate::input::Peer;
use crate::payload::Payload;
use crate::server::Server;
use crate::stats::Stats;
use crate::terms::Response;
use crate::terms::{Admission, Flags, Recipients, Transport};
use crate::time::Instant;

/// Namespaces.
impl Server {
    /// Registers a namespace, or finds it; a missing leading slash is added. `/` exists from the
    /// start.
    pub fn namespace(&mut self, name: &str) -> NamespaceId {
        self.sockets.namespace(name)
    }

    /// The namespace of this name, if it was registered.
    pub fn find_namespace(&self, name: &str) -> Option<NamespaceId> {
        self.sockets.find_namespace(name)
    }

    /// Its name.
    pub fn namespace_name(&self, namespace: NamespaceId) -> &str {
        self.sockets.namespace_name(namespace)
    }

    /// Whether each CONNECT to it waits for a decision, by `Event::Connect`.
    pub fn decide_connects(&mut self, namespace: NamespaceId, decide: bool) {
        self.sockets.decide_connects(namespace, decide);
    }
}

/// Decisions. Each consumes its token.
impl Server {
    /// Lets a client open its session. Constant work.
    ///
    /// # Errors
    ///
    /// If the client has gone, or the decision came too late.
    pub fn admit_handshake(
        &mut self,
        now: Instant,
        pending: PendingHandshake,
        admission: Admission,
    ) -> Result<(), Gone> {
        self.command(now);
        let done = self.engine.admit_handshake(&mut self.cx, pending, admission.checked());
        self.settle();
        done.then_some(()).ok_or(Gone)
    }

    /// Refuses a client its session: 403 with this message. Constant work.
    ///
    /// # Errors
    ///
    /// If the client has gone, or the decision came too late.
    pub fn refuse_handshake(
        &mut self,
        now: Instant,
        pending: PendingHandshake,
        message: &str,
    ) -> Result<(), Gone> {
        self.command(now);
        let done = self.engine.refuse_handshake(&mut self.cx, pending, message);
        self.settle();
        done.then_some(()).ok_or(Gone)
    }

    /// Answers a request that is not Engine.IO's. Work in proportion to the answer.
    ///
    /// # Errors
    ///
    /// If the client has gone, or the answer came too late.
    pub fn respond(
        &mut self,
        now: Instant,
        pending: PendingRequest,
        response: &Response,
    ) -> Result<(), Gone> {
        self.command(now);
        let done = self.requests.respond(&mut self.cx, &pending, response);
        self.settle();
        done
    }

    /// Lets a socket join its namespace: CONNECT is sent, and `Event::Connected` follows. Constant
    /// work.
    ///
    /// # Errors
    ///
    /// If the client has gone, or the decision came too late.
    pub fn admit(&mut self, now: Instant, pending: PendingConnect) -> Result<(), Gone> {
        self.command(now);
        let done = self.sockets.admit(&mut self.cx, &mut self.engine, pending);
        self.settle();
        done
    }

    /// Refuses it: CONNECT_ERROR with this message, and with `data`, which is JSON text and is sent
    /// as it is. Work in proportion to them.
    ///
    /// # Errors
    ///
    /// If the client has gone, or the decision came too late.
    pub fn refuse(
        &mut self,
        now: Instant,
        pending: PendingConnect,
        message: &str,
        data: Option<&str>,
    ) -> Result<(), Gone> {
        self.command(now);
        let Self { cx, engine, sockets, .. } = self;
        let done = sockets.refuse(cx, engine, pending, message, data);
        self.settle();
        done
    }

    /// Answers an event of a client. Work in proportion to the answer.
    pub fn answer(&mut self, now: Instant, token: AckToken, args: &Payload) -> SendStatus {
        self.command(now);
        let status = self.sockets.answer(&mut self.cx, &mut self.engine, token, args);
        self.settle();
        status
    }
}

/// Sockets and rooms.
impl Server {
    /// Sends an event to one socket, connected or connecting. Work in proportion to the event.
    pub fn emit(
        &mut self,
        now: Instant,
        to: SocketId,
        event: &str,
        args: &Payload,
        flags: Flags,
    ) -> SendStatus {
        self.command(now);
        let status = self.sockets.emit(&mut self.cx, &mut self.engine, to, event, args, flags);
        self.settle();
        status
    }

    /// Sends an event that the client is to answer. Exactly one `Event::Settled` follows, always;
    /// in this turn if it cannot be sent. Work in proportion to the event.
    pub fn ask(
        &mut self,
        now: Instant,
        to: SocketId,
        event: &str,
        args: &Payload,
        timeout: Duration,
        flags: Flags,
    ) -> AskId {
        self.command(now);
        let Self { cx, engine, sockets, .. } = self;
        let ask = sockets.ask(cx, engine, to, event, args, timeout, flags);
        self.settle();
        ask
    }

    /// Sends an event to many. Written once; work in proportion to the members of the rooms named,
    /// those excepted included.
    pub fn broadcast(
        &mut self,
        now: Instant,
        to: Recipients<'_>,
        event: &str,
        args: &Payload,
        flags: Flags,
    ) -> Fanout {
        self.command(now);
        let fanout = self.sockets.broadcast(&mut self.cx, &mut self.engine, to, event, args, flags);
        self.settle();
        fanout
    }

    /// Puts a socket into a room, which begins with its first member. False if it was in it, or
    /// is in `rooms_per_socket_max`. Work in proportion to the rooms it is in.
    ///
    /// # Errors
    ///
    /// If it has gone or is leaving.
    pub fn join(&mut self, now: Instant, socket: SocketId, room: &str) -> Result<bool, Gone> {
        self.command(now);
        self.sockets.join(&mut self.cx, socket, room)
    }

    /// Takes a socket out of a room, which ends with its last member. False if it was not in it.
    /// Work in proportion to the rooms it is in.
    ///
    /// # Errors
    ///
    /// If it has gone.
    pub fn leave(&mut self, now: Instant, socket: SocketId, room: &str) -> Result<bool, Gone> {
        self.command(now);
        self.sockets.leave(&mut self.cx, socket, room)
    }

    /// Makes a connected socket leave its namespace; its session goes on. Work in proportion to
    /// its rooms and unsettled asks.
    ///
    /// # Errors
    ///
    /// If it has gone, or is not connected yet.
    pub fn disconnect(&mut self, now: Instant, socket: SocketId) -> Result<(), Gone> {
        self.command(now);
        let done = self.sockets.disconnect(&mut self.cx, &mut self.engine, socket);
        self.settle();
        done
    }

    /// Makes every socket of this one's session leave, and closes the session. Work in proportion
    /// to their rooms and unsettled asks.
    ///
    /// # Errors
    ///
    /// If it has gone.
    pub fn disconnect_session(&mut self, now: Instant, socket: SocketId) -> Result<(), Gone> {
        self.command(now);
        let done = self.sockets.disconnect_session(&mut self.cx, &mut self.engine, socket);
        self.settle();
        done
    }

    /// After `Event::Disconnecting`: the rooms have been looked at. What is not released is
    /// released by the next input. Work in proportion to its rooms.
    pub fn release(&mut self, now: Instant, socket: SocketId) {
        self.command(now);
        self.sockets.release(&mut self.cx, socket);
    }

    /// Everyone whom a broadcast would reach now. Work as for a broadcast.
    pub fn sockets(&mut self, to: Recipients<'_>) -> Vec<SocketId> {
        self.sockets.audience(to)
    }

    /// The rooms of a socket, in the order it joined them; its own id is one.
    pub fn rooms(&self, socket: SocketId) -> Vec<Box<str>> {
        self.sockets.rooms_of(socket)
    }

    /// The rooms of a namespace and how many are in each, by creation. Rooms of one's own id
    /// count only where somebody else is in them.
    ///
    /// Looks through the rooms of all namespaces.
    pub fn namespace_rooms(&self, namespace: NamespaceId) -> Vec<(Box<str>, u32)> {
        self.sockets.namespace_rooms(namespace)
    }

    /// Between its CONNECT and its end.
    pub fn is_connected(&self, socket: SocketId) -> bool {
        self.sockets.is_connected(socket)
    }

    /// Connecting, connected, or leaving with its rooms intact.
    pub fn is_present(&self, socket: SocketId) -> bool {
        self.sockets.is_present(socket)
    }

    /// Where a socket is.
    pub fn namespace_of(&self, socket: SocketId) -> Option<NamespaceId> {
        self.sockets.namespace_of(socket)
    }

    /// What carries a socket.
    pub fn session_of(&self, socket: SocketId) -> Option<SessionId> {
        self.sockets.session_of(socket)
    }

    /// The sockets that a session carries.
    pub fn sockets_of(&self, session: SessionId) -> Vec<SocketId> {
        self.sockets.sockets_of(session)
    }

    /// Whether a volatile packet of no great size would be sent to it, if it were emitted now.
    ///
    /// # Errors
    ///
    /// If it has gone.
    pub fn is_writable(&self, socket: SocketId) -> Result<bool, Gone> {
        let session = self.sockets.session_of(socket).ok_or(Gone)?;
        Ok(self.engine.find(session).is_some_and(|session| session.is_writable(&self.cx)))
    }
}

/// Sessions.
impl Server {
    /// Sends a message; in [`Mode::EngineIo`](crate::Mode) only, where no protocol stands above.
    /// Work in proportion to it.
    pub fn send(
        &mut self,
        now: Instant,
        session: SessionId,
        message: &Message,
        flags: Flags,
    ) -> SendStatus {
        self.command(now);
        if self.cx.config.mode == crate::Mode::SocketIo {
            self.cx.stats.emits_invalid += 1;
            return SendStatus::Invalid;
        }
        let status = match message {
            Message::Text(text) => {
                let packet = [&b"4"[..], text.as_bytes()].concat();
                let load = Load::Parcel { text: Some(&packet), attachments: &[] };
                self.engine.send(&mut self.cx, session, load, flags.volatile)
            }
            Message::Binary(bytes) => {
                let attachments = core::slice::from_ref(bytes);
                let load = Load::Parcel { text: None, attachments };
                self.engine.send(&mut self.cx, session, load, flags.volatile)
            }
        };
        self.settle();
        status
    }

    /// Closes a session. With `discard`, what a polling client has not fetched is dropped. Work as
    /// for [`disconnect_session`](Self::disconnect_session).
    ///
    /// # Errors
    ///
    /// If it has gone.
    pub fn close_session(
        &mut self,
        now: Instant,
        session: SessionId,
        discard: bool,
    ) -> Result<(), Gone> {
        self.command(now);
        self.engine.find(session).ok_or(Gone)?;
        self.engine.close(&mut self.cx, session, discard);
        self.settle();
        Ok(())
    }

    /// The request that opened it.
    pub fn handshake(&self, session: SessionId) -> Option<&RequestHead> {
        self.engine.find(session).map(|session| &session.head)
    }

    /// Who opened it.
    pub fn peer(&self, session: SessionId) -> Option<&Peer> {
        self.engine.find(session).map(|session| &session.peer)
    }

    /// What carries it right now.
    pub fn transport(&self, session: SessionId) -> Option<Transport> {
        self.engine.find(session).map(|session| match session.transport {
            engineio::Transport::Polling(_) => Transport::Polling,
            engineio::Transport::WebSocket(_) => Transport::WebSocket,
        })
    }

    /// Its revision of Engine.IO: 4.
    pub fn revision(&self, session: SessionId) -> Option<u8> {
        self.engine.find(session).map(|_| 4)
    }

    /// When it opened, in milliseconds since 1970.
    pub fn issued_unix_ms(&self, session: SessionId) -> Option<u64> {
        self.engine.find(session).map(|session| session.issued_unix_ms)
    }

    /// Bytes that wait for it.
    ///
    /// # Errors
    ///
    /// If it has gone.
    pub fn egress_bytes(&self, session: SessionId) -> Result<u32, Gone> {
        let session = self.engine.find(session).ok_or(Gone)?;
        Ok(session.egress_bytes(&self.cx) as u32)
    }

    /// Bytes that wait on one connection, heads and frames and all.
    pub fn connection_egress_bytes(&self, conn: crate::ConnId) -> u32 {
        let bytes = |connection: &Connection| connection.egress.bytes() as u32;
        self.cx.conns.find(conn).map_or(0, bytes)
    }

    /// How many sessions there are.
    pub fn sessions(&self) -> u32 {
        self.engine.len() as u32
    }

    /// How many connections there are.
    pub fn connections(&self) -> u32 {
        self.cx.conns.len() as u32
    }
}

/// Time, chance and counters.
impl Server {
    /// Fires once after so long, or `every` so long (at least 1 ms; what a stall made it miss is
    /// skipped), by `Event::Timer`; `None` if `timers_max` is reached.
    pub fn timer(&mut self, now: Instant, after: Duration, every: bool) -> Option<TimerId> {
        self.command(now);
        self.arm_timer(after, every)
    }

    /// False if it has fired or was cancelled.
    pub fn cancel(&mut self, timer: TimerId) -> bool {
        self.cancel_timer(timer)
    }

    /// The latest time it was told.
    pub fn now(&self) -> Instant {
        self.cx.now
    }

    /// The turn that a command given now belongs to.
    pub fn turn(&self) -> u64 {
        self.cx.turns.current
    }

    /// The latest turn that has begun. An input or a deadline between two looks at it was a turn if
    /// it has grown.
    pub fn turn_last(&self) -> u64 {
        self.cx.turns.last()
    }

    /// A number nobody can foresee who does not know the seed.
    pub fn random(&mut self) -> u64 {
        self.cx.rng.application()
    }

    /// The counters.
    pub fn stats(&self) -> &Stats {
        &self.cx.stats
    }

    pub(crate) fn stats_mut(&mut self) -> &mut Stats {
        &mut self.cx.stats
    }

    /// What it was told once.
    pub fn config(&self) -> &Config {
        &self.cx.config
    }

    fn command(&mut self, now: Instant) {
        self.cx.advance(now);
        self.cx.turns.command();
    }
}
