//! The server: owns the tables and queues, routes inputs to the layers and drains them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::config::{Config, Mode};
use crate::connection::{ExchangeId, Orphan, Owner, Stage};
use crate::context::Context;
use crate::engineio::{self, Engine, Route, Up};
use crate::error::{ConfigError, Overloaded};
use crate::event::Event;
use crate::http::{self, ReaderLimits};
use crate::id::{ConnId, TimerId};
use crate::input::{Input, Peer};
use crate::output::{Output, Wake};
use crate::requests::Requests;
use crate::socketio::SocketIo;
use crate::time::Instant;
use crate::timer::{Armed, Due};

/// A Socket.IO server without an application; see the [crate] for its contract.
///
/// A call whose documentation does not say how much work it does looks something up, and does no
/// more.
pub struct Server {
    pub(crate) cx: Context,
    pub(crate) engine: Engine,
    pub(crate) sockets: SocketIo,
    pub(crate) requests: Requests,
    /// Timers of the application. Keys are ours.
    timers: BTreeMap<TimerId, Timer>,
    timer_serial: u64,
}

struct Timer {
    armed: Armed,
    every: Option<Duration>,
}

/// Shows how much there is of everything, and the time.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("now", &self.cx.now)
            .field("connections", &self.cx.conns.len())
            .field("sessions", &self.engine.len())
            .finish_non_exhaustive()
    }
}

/// The verbs of a driver.
impl Server {
    /// A server that has seen nothing.
    ///
    /// `seed` decides every id and every number that the application draws: take it from the
    /// system in production and from the test in a test. `unix_ms` is the wall time of `now`, in
    /// milliseconds since 1970; only handshakes show it.
    ///
    /// # Errors
    ///
    /// If the configuration contradicts itself; the message says what to change.
    pub fn new(
        config: Config,
        seed: [u8; 32],
        now: Instant,
        unix_ms: u64,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        let mut cx = Context::new(config, seed, now, unix_ms);
        let engine = Engine::new(&cx);
        let mut sockets = SocketIo::new(&mut cx);
        sockets.namespace("/");
        let requests = Requests::default();
        Ok(Self { cx, engine, sockets, requests, timers: BTreeMap::new(), timer_serial: 0 })
    }

    /// A connection was accepted. Pair: [`Output::Close`]. Constant work.
    ///
    /// # Errors
    ///
    /// If `connections_max` is reached or the server is shutting down: drop the connection.
    pub fn accept(&mut self, now: Instant, peer: impl Into<Peer>) -> Result<ConnId, Overloaded> {
        self.cx.advance(now);
        let full = self.cx.conns.len() >= self.cx.config.limits.connections_max as usize;
        if full || self.cx.shutting_down {
            self.cx.stats.connections_refused += 1;
            return Err(Overloaded);
        }
        Ok(self.cx.open_connection(peer.into()))
    }

    /// Something happened to a connection. Never fails: a peer's fault becomes bytes, an event and
    /// a counter. Work in proportion to the bytes, and for the end of a connection to the rooms of
    /// its sockets.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.cx.advance(now);
        self.sockets.release_all(&mut self.cx);
        if self.cx.conns.find(input.conn()).is_none() {
            self.cx.stats.inputs_stale += 1;
            return;
        }
        match input {
            Input::Data { conn, bytes } => {
                self.cx.turns.begin();
                self.data(conn, bytes);
            }
            Input::Eof { conn } => {
                self.cx.turns.begin();
                self.ended(conn);
            }
            Input::Lost { conn } => {
                self.cx.turns.begin();
                self.lost(conn);
            }
            Input::Sent { conn, bytes, refused } => self.sent(conn, bytes, refused),
            Input::Writable { conn } => self.cx.writable(conn),
        }
        self.settle();
        self.cx.turns.end();
    }

    /// Fires one expired deadline; false if none was due. Work as for `handle`.
    pub fn handle_timeout(&mut self, now: Instant) -> bool {
        self.cx.advance(now);
        self.sockets.release_all(&mut self.cx);
        let Some((at, due)) = self.cx.timers.expire(self.cx.now) else { return false };
        self.cx.turns.begin();
        self.expired(at, due);
        self.settle();
        self.cx.turns.end();
        true
    }

    /// The next thing to do. Only pops: all work was done before. Constant work.
    pub fn poll_output(&mut self) -> Option<Output> {
        if let Some((turn, event)) = self.poll_event() {
            return Some(Output::Event { turn, event });
        }
        let output = self.cx.outputs.pop_front();
        if output.is_none() {
            self.cx.turns.drained();
        }
        output
    }

    /// The next event alone.
    pub(crate) fn poll_event(&mut self) -> Option<(u64, Event)> {
        let (turn, event) = self.cx.events.pop_front()?;
        self.cx.turns.polled(turn);
        Some((turn, event))
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), and why: due while any output is
    /// queued, so that a driver that sleeps until then strands nothing.
    pub fn poll_timeout(&self) -> Option<(Instant, Wake)> {
        let queued = !self.cx.outputs.is_empty() || !self.cx.events.is_empty();
        // Nobody else may ever bring the input that releases them.
        if queued || self.sockets.has_leaving() {
            return Some((self.cx.now, Wake::QueuedOutput));
        }
        self.cx.timers.next()
    }

    /// The bytes to write on a connection, slice by slice. What it has shown stays until it is
    /// reported as sent.
    pub fn egress(&self, conn: ConnId) -> impl Iterator<Item = &[u8]> {
        let connection = self.cx.conns.find(conn);
        connection.into_iter().flat_map(|connection| connection.egress.slices(&self.cx.pool))
    }

    /// Stops: every socket is told `server shutting down`, sessions are closed without waiting for
    /// their last packets, and connections once all is written, or when `linger` is over. Work in
    /// proportion to all of them.
    pub fn shutdown(&mut self, now: Instant, linger: Duration) {
        self.cx.advance(now);
        self.cx.turns.command();
        if core::mem::replace(&mut self.cx.shutting_down, true) {
            return;
        }
        self.cx.config.linger = linger;
        self.sockets.shut_down(&mut self.cx);
        for session in self.engine.ids() {
            self.engine.close(&mut self.cx, session, true);
        }
        self.settle();
        for conn in self.cx.conns.ids() {
            self.lose_owners(conn, false);
            self.cx.finish_connection(conn);
        }
        self.settle();
    }

    /// Whether it was shut down and everything is closed.
    pub fn is_drained(&self) -> bool {
        self.cx.shutting_down && self.cx.conns.len() == 0
    }

    /// Work from outside begins: a turn.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.cx.advance(now);
        self.sockets.release_all(&mut self.cx);
        self.cx.turns.open();
    }

    /// A turn is over: its handlers have run, and the next command is work from outside.
    pub(crate) fn answered(&mut self) {
        self.cx.turns.answered();
    }
}

/// Routing.
impl Server {
    fn data(&mut self, conn: ConnId, bytes: &mut [u8]) {
        let Some(connection) = self.cx.conns.find_mut(conn) else { return };
        if connection.is_paused()
            && let Some(http) = connection.http()
        {
            // The driver had read it before it was told to pause.
            return match http.held_bytes() + bytes.len() > HELD_BYTES_MAX {
                true => self.lost(conn),
                false => http.hold(bytes),
            };
        }
        self.read(conn, bytes);
    }

    fn read(&mut self, conn: ConnId, mut bytes: &mut [u8]) {
        let limits = ReaderLimits { head_bytes_max: self.cx.config.limits.head_bytes_max };
        loop {
            let Some(connection) = self.cx.conns.find_mut(conn) else { return };
            let paused = connection.is_paused();
            match &mut connection.stage {
                Stage::Http(http) if paused => {
                    http.hold(bytes);
                    return self.cx.watch_request(conn);
                }
                Stage::Http(http) => match http.reader.next(&mut bytes, &limits) {
                    Some(read) => self.http_read(conn, read),
                    None => return self.cx.watch_request(conn),
                },
                Stage::WebSocket { reader, session } => {
                    let (session, limits) = (*session, engineio::websocket_limits(&self.cx.config));
                    match reader.next(&mut bytes, &limits) {
                        Some(read) => {
                            self.engine.websocket_read(&mut self.cx, conn, session, read);
                        }
                        None => return,
                    }
                    self.drain_engine();
                }
                Stage::Closing | Stage::Lingering => return,
            }
        }
    }

    fn http_read(&mut self, conn: ConnId, read: http::Read<'_>) {
        let Some(http) = self.cx.conns.find_mut(conn).and_then(|c| c.http()) else { return };
        let serial = http.reading;
        let owner = serial.map_or(Owner::None, |serial| http.owner(serial));
        match read {
            http::Read::Head(text) => {
                let head = text.head();
                let id = self.cx.begin_exchange(conn, &head);
                if let Route::Other = self.engine.request(&mut self.cx, id, &head) {
                    self.requests.begin(&mut self.cx, id, &head);
                }
                if head.expects_continue() {
                    self.cx.write_continue(id);
                }
            }
            http::Read::Body(piece) => match owner {
                Owner::Post(session) => self.engine.post_piece(&mut self.cx, session, piece),
                Owner::Application(key) => self.requests.piece(&mut self.cx, key, piece),
                Owner::None | Owner::Poll(_) | Owner::Handshake(_) => {}
            },
            http::Read::End => {
                match owner {
                    Owner::Post(session) => self.engine.post_end(&mut self.cx, session),
                    Owner::Application(key) => self.requests.end(&mut self.cx, key),
                    Owner::None | Owner::Poll(_) | Owner::Handshake(_) => {}
                }
                self.cx.end_request(conn);
            }
            http::Read::Failed(fault) => {
                self.cx.stats.http_faults += 1;
                if let Some(serial) = serial {
                    self.abort_owner(ExchangeId { conn, serial }, owner);
                }
                self.cx.answer_fault(conn, fault);
            }
        }
        self.drain_engine();
    }

    fn ended(&mut self, conn: ConnId) {
        let Some(connection) = self.cx.conns.find_mut(conn) else { return };
        connection.ended = true;
        match &connection.stage {
            Stage::WebSocket { .. } => {
                self.engine.connection_lost(&mut self.cx, conn, false);
                self.cx.finish_connection(conn);
            }
            // Requests that were held back stand before the end.
            Stage::Http(http) if http.held_bytes() > 0 => {}
            Stage::Http(_) => {
                self.lose_owners(conn, false);
                self.cx.drop_unanswerable(conn);
                if self.cx.waits_for_nobody(conn) {
                    self.cx.finish_connection(conn);
                }
            }
            Stage::Closing | Stage::Lingering => self.cx.continue_closing(conn),
        }
    }

    fn lost(&mut self, conn: ConnId) {
        self.lose_owners(conn, true);
        self.cx.abort_connection(conn);
    }

    /// Everyone who waits for something of the connection is told that it will not come. Of a
    /// connection that only half-closed, the application may still answer.
    fn lose_owners(&mut self, conn: ConnId, broken: bool) {
        let Some(connection) = self.cx.conns.find(conn) else { return };
        if let Stage::Http(http) = &connection.stage {
            let reading = http.reading;
            let owners: Vec<_> = http.owners().collect();
            for (serial, owner) in owners {
                if let Owner::Application(key) = owner
                    && (broken || reading == Some(serial) || self.requests.upgrades(key))
                {
                    self.requests.aborted(&mut self.cx, key);
                    self.cx.set_owner(ExchangeId { conn, serial }, Owner::None);
                }
            }
        }
        self.engine.connection_lost(&mut self.cx, conn, broken);
    }

    fn abort_owner(&mut self, id: ExchangeId, owner: Owner) {
        match owner {
            Owner::Application(key) => self.requests.aborted(&mut self.cx, key),
            owner => self.engine.request_aborted(&mut self.cx, id, owner),
        }
        self.cx.set_owner(id, Owner::None);
    }

    fn sent(&mut self, conn: ConnId, bytes: usize, refused: bool) {
        let sent = self.cx.sent(conn, bytes, refused);
        if let Some((conn, session)) = sent.drained {
            self.engine.websocket_drained(&mut self.cx, conn, session);
        }
        for (session, bytes) in sent.answered {
            self.engine.answer_sent(&mut self.cx, session, bytes);
        }
        // Requests that were held back are read now: this report is their cause.
        if !self.cx.resumable.is_empty() {
            self.cx.turns.report();
        }
    }

    fn expired(&mut self, at: Instant, due: Due) {
        let Self { cx, engine, sockets, requests, .. } = self;
        match due {
            Due::Ping(session) => engine.ping_due(cx, session, at),
            Due::PingTimeout(session) => engine.ping_timed_out(cx, session),
            Due::UpgradeTimeout(session) => engine.upgrade_timed_out(cx, session),
            Due::UpgradeCheck(session) => engine.upgrade_check(cx, session, at),
            Due::PollingClose(session) => engine.polling_close_expired(cx, session),
            Due::ConnectTimeout(session) => sockets.connect_expired(cx, engine, session),
            Due::Handshake { key, serial } => engine.handshake_expired(cx, key, serial),
            Due::Connect(socket) => sockets.decision_expired(cx, engine, socket),
            Due::Request { conn, serial } => requests.expired(cx, conn, serial),
            Due::Ask { socket, id } => sockets.ask_expired(cx, socket, id),
            Due::Application(timer) => self.timer_fired(timer, at),
            Due::Connection(conn, Wake::Idle) => cx.connection_expired(conn, Wake::Idle),
            Due::Connection(conn, wake) => {
                // A peer that took everything and does not close has lost nothing.
                let unwritten = cx.conns.find(conn).is_some_and(|c| !c.egress.is_empty());
                self.lose_owners(conn, wake == Wake::Request || unwritten);
                self.cx.connection_expired(conn, wake);
            }
        }
    }

    /// Tells those whom a connection has left waiting, and hands up what the engine has to tell.
    fn drain_engine(&mut self) {
        loop {
            for orphan in core::mem::take(&mut self.cx.orphans) {
                self.orphaned(orphan);
            }
            let Some(up) = self.engine.up.pop_front() else { return };
            match self.cx.config.mode {
                Mode::SocketIo => self.sockets.up(&mut self.cx, &mut self.engine, up),
                Mode::EngineIo => self.cx.event(match up {
                    Up::Opened(session) => Event::SessionOpened { session },
                    Up::Message(session, message) => Event::SessionMessage { session, message },
                    Up::Upgraded(session) => Event::SessionUpgraded { session },
                    Up::Closed(session, reason) => Event::SessionClosed { session, reason },
                }),
            }
        }
    }

    fn orphaned(&mut self, orphan: Orphan) {
        match orphan {
            Orphan::Request(_, Owner::Application(key)) => {
                self.requests.aborted(&mut self.cx, key);
            }
            Orphan::Request(id, owner) => self.engine.request_aborted(&mut self.cx, id, owner),
            Orphan::Unsent(session, bytes) => self.engine.uncharge(session, bytes),
            Orphan::Answer(session) => self.engine.answer_lost(&mut self.cx, session),
        }
    }

    /// Ends what one cause brought about: nothing is left half-done inside.
    pub(crate) fn settle(&mut self) {
        loop {
            self.drain_engine();
            self.sockets.complete_connects(&mut self.cx, &mut self.engine);
            self.drain_engine();
            let Some(conn) = self.cx.resumable.pop() else { return };
            let Some(http) = self.cx.conns.find_mut(conn).and_then(|c| c.http()) else { continue };
            let mut held = http.take_held();
            self.read(conn, &mut held);
            // The peer's end was behind these bytes.
            if self.cx.conns.find(conn).is_some_and(|connection| connection.ended) {
                self.ended(conn);
            }
        }
    }
}

/// The shortest period of a timer.
const EVERY_MIN: Duration = Duration::from_millis(1);

/// Input that a driver had read before it was told to pause; more breaks the contract.
const HELD_BYTES_MAX: usize = 1 << 20;

/// Timers of the application.
impl Server {
    pub(crate) fn arm_timer(&mut self, after: Duration, every: bool) -> Option<TimerId> {
        if self.timers.len() >= self.cx.config.limits.timers_max as usize {
            self.cx.stats.limits_hit += 1;
            return None;
        }
        // One that is due again at once would leave no time for anything else.
        let after = if every { after.max(EVERY_MIN) } else { after };
        self.timer_serial += 1;
        let timer = TimerId(self.timer_serial);
        let armed = self.cx.timers.arm(self.cx.now + after, Due::Application(timer));
        self.timers.insert(timer, Timer { armed, every: every.then_some(after) });
        Some(timer)
    }

    pub(crate) fn cancel_timer(&mut self, timer: TimerId) -> bool {
        let timer = self.timers.remove(&timer);
        self.cx.timers.cancel(timer.as_ref().map(|timer| timer.armed));
        timer.is_some()
    }

    /// Whether it will fire again.
    pub fn is_armed(&self, timer: TimerId) -> bool {
        self.timers.contains_key(&timer)
    }

    /// A periodic one keeps its phase, however late the driver is, and does not catch up on what
    /// it missed.
    fn timer_fired(&mut self, timer: TimerId, at: Instant) {
        let Some(entry) = self.timers.get_mut(&timer) else { return };
        match entry.every {
            Some(every) => {
                let late = self.cx.now.saturating_since(at).as_micros();
                let missed = late / every.as_micros();
                let missed = u32::try_from(missed).unwrap_or(u32::MAX);
                let next = at + every.saturating_mul(missed.saturating_add(1));
                entry.armed = self.cx.timers.arm(next, Due::Application(timer));
            }
            None => {
                self.timers.remove(&timer);
            }
        }
        self.cx.event(Event::Timer { timer });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Message;
    use crate::terms::Flags;
    use alloc::format;
    use alloc::string::String;

    /// One request on a connection of its own, written out as far as the kernel takes it.
    fn ask(server: &mut Server, request: &str) -> String {
        let peer = core::net::SocketAddr::from(([127, 0, 0, 1], 4000));
        let conn = server.accept(Instant::ZERO, peer).expect("there is room");
        let mut bytes = request.as_bytes().to_vec();
        server.handle(Instant::ZERO, Input::Data { conn, bytes: &mut bytes });
        let answer: Vec<u8> = server.egress(conn).flatten().copied().collect();
        let sent = Input::Sent { conn, bytes: answer.len(), refused: false };
        server.handle(Instant::ZERO, sent);
        String::from_utf8(answer).expect("an answer is text")
    }

    #[test]
    fn answers_that_close_their_connection_do_not_count_for_ever() {
        let mut server = Server::new(Config::engine(), [7; 32], Instant::ZERO, 0).unwrap();
        let get = |url: &str| format!("GET {url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let open = ask(&mut server, &get("/engine.io/?EIO=4&transport=polling"));
        let sid = open.split('"').nth(3).expect("a session id");
        let session = server.engine.ids()[0];
        for _ in 0..10 {
            let message = Message::Text("hello".into());
            let _ = server.send(Instant::ZERO, session, &message, Flags::default());
            let url = format!("/engine.io/?EIO=4&transport=polling&sid={sid}");
            assert!(ask(&mut server, &get(&url)).ends_with("\r\n\r\n4hello"));
            assert_eq!(server.egress_bytes(session), Ok(0));
        }
    }
    /// The connection may have carried messages that nobody can prove to have arrived.
    #[test]
    fn an_answer_that_is_lost_with_its_connection_ends_the_session() {
        for closing in ["close", "keep-alive"] {
            let mut server = Server::new(Config::engine(), [7; 32], Instant::ZERO, 0).unwrap();
            let open = "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n";
            let open = ask(&mut server, open);
            let sid = open.split('"').nth(3).expect("a session id");
            let session = server.engine.ids()[0];
            let message = Message::Text("hello".into());
            let _ = server.send(Instant::ZERO, session, &message, Flags::default());
            let url = format!("/engine.io/?EIO=4&transport=polling&sid={sid}");
            let get = format!("GET {url} HTTP/1.1\r\nHost: x\r\nConnection: {closing}\r\n\r\n");
            ask(&mut server, &get);
            let conn = *server.cx.conns.ids().last().expect("the last one is still there");
            server.handle(Instant::ZERO, Input::Lost { conn });
            assert_eq!(server.sessions(), 0, "{closing}");
        }
    }

    #[test]
    fn a_session_of_another_shard_is_unknown() {
        let mut server = Server::new(Config::engine(), [7; 32], Instant::ZERO, 0).unwrap();
        let open = "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\r\n";
        let opened = ask(&mut server, open);
        let sid = opened.split('"').nth(3).expect("a session id");
        // The shard is the first sixteen bits: this says 1 and changes nothing else.
        let other = sid.replacen("AAA", "AAE", 1);
        let answer = ask(&mut server, &open.replace("polling", &format!("polling&sid={other}")));
        assert!(answer.contains("Session ID unknown"), "{answer}");
        assert_eq!(server.sessions(), 1);
    }
}
