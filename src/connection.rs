//! TCP connections: what is spoken on each, which requests wait for their answers, and how it ends.
//!
//! | stage | reads | leaves by |
//! |---|---|---|
//! | `Http` | requests, also behind one that waits for its answer | an accepted upgrade: `WebSocket`; a last answer: `Closing` |
//! | `WebSocket` | messages | a close frame of ours: `Closing` |
//! | `Closing` | nothing, input is dropped | egress empty: `ShutdownWrite`, then `Lingering`, or `Close` where the peer has ended; `linger` over: `Close` with bytes left |
//! | `Lingering` | nothing, input is dropped | the peer's end, or `linger` over: `Close` |
//!
//! A server that closes with unread input makes the kernel send RST, which destroys the last bytes
//! on their way: hence the half-close and the wait for the peer's (RFC 9112, 9.6).

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use slab::Slab;
use smallvec::SmallVec;

use crate::context::Context;
use crate::egress::Queue;
use crate::http::{self, Persistence};
use crate::id::{ConnId, SessionId};
use crate::input::Peer;
use crate::output::{Output, Wake};
use crate::timer::{Armed, Due};
use crate::ws;

/// One connection.
pub(crate) struct Connection {
    generation: u32,
    flush: Flush,
    /// From a refused write until egress is empty.
    pub(crate) refused: bool,
    /// The peer has ended its side.
    pub(crate) ended: bool,
    paused: bool,
    pub(crate) stage: Stage,
    pub(crate) egress: Queue,
    /// The turn in which the last Engine.IO packet was appended.
    pub(crate) turn: u64,
    deadline: Option<(Armed, Wake)>,
    /// From the first poll answer on: most connections have none.
    polls: Option<Box<Polls>>,
    pub(crate) peer: Peer,
}

/// Poll answers. They outlive HTTP on their connection, since one may be its last answer.
#[derive(Default)]
struct Polls {
    /// Bytes that the kernel took since the first of them.
    sent: u64,
    /// Answers on their way: where each ends, and whose bytes they are.
    charges: VecDeque<Charge>,
    /// Sessions whose latest poll answer went out here.
    answered: SmallVec<[SessionId; 1]>,
}

/// See the module.
pub(crate) enum Stage {
    Http(Box<Http>),
    WebSocket { reader: ws::Reader, session: SessionId },
    Closing,
    Lingering,
}

/// Who owes the next write attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flush {
    /// Nothing to write.
    Idle,
    /// The driver: `Flush` is queued or popped.
    Owed,
    /// The kernel: it is to say `Writable`.
    Refused,
}

/// A connection that speaks HTTP.
#[derive(Default)]
pub(crate) struct Http {
    pub(crate) reader: http::Reader,
    /// Requests whose answers have not all been queued, in order.
    exchanges: VecDeque<Exchange>,
    serial: u32,
    /// The request whose body is being read.
    pub(crate) reading: Option<u32>,
    /// Input behind `pipelined_requests_max`.
    held: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Charge {
    until: u64,
    session: SessionId,
    bytes: u32,
}

/// A request and what becomes of it.
struct Exchange {
    serial: u32,
    owner: Owner,
    persistence: Persistence,
    /// HEAD: the answer has no body.
    head_only: bool,
    /// Its answer, while those of earlier requests are missing.
    stash: Option<(Queue, Option<(SessionId, u32)>)>,
    extra: Extra,
}

/// What an answer depends on beside its session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extra {
    /// The origin to name, where CORS reflects it.
    pub(crate) origin: Option<Box<[u8]>>,
    /// An old browser that needs `X-XSS-Protection: 0`.
    pub(crate) explorer: bool,
}

/// Who answers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Nobody: it is answered, or its session has gone.
    None,
    /// A session, with what it has to send.
    Poll(SessionId),
    /// A session, when it has the whole body.
    Post(SessionId),
    /// The application, which decides on a handshake.
    Handshake(u32),
    /// The application.
    Application(u32),
}

/// Who waited for something that a connection can no longer bring. The server tells them.
pub(crate) enum Orphan {
    /// For the answer to a request, or for the rest of it.
    Request(ExchangeId, Owner),
    /// For bytes of its poll answers to be written.
    Unsent(SessionId, u32),
    /// For a poll answer to arrive.
    Answer(SessionId),
}

/// A request on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExchangeId {
    pub(crate) conn: ConnId,
    pub(crate) serial: u32,
}

/// All connections. Keys are ours.
#[derive(Default)]
pub(crate) struct Connections {
    slab: Slab<Connection>,
    generation: u32,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Connection>() <= 232);

impl Connections {
    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn find(&self, id: ConnId) -> Option<&Connection> {
        self.slab.get(id.index()).filter(|conn| conn.generation == id.generation)
    }

    pub(crate) fn find_mut(&mut self, id: ConnId) -> Option<&mut Connection> {
        self.slab.get_mut(id.index()).filter(|conn| conn.generation == id.generation)
    }

    pub(crate) fn ids(&self) -> Vec<ConnId> {
        let id = |(index, conn): (usize, &Connection)| ConnId {
            index: index as u32,
            generation: conn.generation,
        };
        self.slab.iter().map(id).collect()
    }

    fn insert(&mut self, peer: Peer) -> ConnId {
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let conn = Connection {
            generation,
            flush: Flush::Idle,
            refused: false,
            ended: false,
            paused: false,
            stage: Stage::Http(Box::default()),
            egress: Queue::default(),
            turn: 0,
            deadline: None,
            polls: None,
            peer,
        };
        ConnId { index: self.slab.insert(conn) as u32, generation }
    }
}

impl Connection {
    pub(crate) fn http(&mut self) -> Option<&mut Http> {
        match &mut self.stage {
            Stage::Http(http) => Some(http),
            Stage::WebSocket { .. } | Stage::Closing | Stage::Lingering => None,
        }
    }

    /// Whether input is to be held back.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }
}

impl Http {
    pub(crate) fn owner(&self, serial: u32) -> Owner {
        let exchange = self.exchanges.iter().find(|exchange| exchange.serial == serial);
        exchange.map_or(Owner::None, |exchange| exchange.owner)
    }

    pub(crate) fn set_owner(&mut self, serial: u32, owner: Owner) {
        if let Some(exchange) = self.exchanges.iter_mut().find(|e| e.serial == serial) {
            exchange.owner = owner;
        }
    }

    /// Everyone who waits for something of this connection.
    pub(crate) fn owners(&self) -> impl Iterator<Item = (u32, Owner)> {
        self.exchanges.iter().map(|exchange| (exchange.serial, exchange.owner))
    }

    pub(crate) fn hold(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    pub(crate) fn take_held(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.held)
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Whether no other request is behind the one in this place.
    fn is_last(&self, place: usize) -> bool {
        place + 1 >= self.exchanges.len() && self.held.is_empty()
    }

    /// Whether no request is left to be answered.
    fn is_done(&self) -> bool {
        self.exchanges.is_empty() && self.held.is_empty()
    }

    fn is_quiet(&self) -> bool {
        self.exchanges.is_empty() && self.reading.is_none() && self.reader.is_idle()
    }
}

/// Opening, reading, ending.
impl Context {
    pub(crate) fn open_connection(&mut self, peer: Peer) -> ConnId {
        let id = self.conns.insert(peer);
        self.stats.connections_accepted += 1;
        self.watch(id, Wake::Request, self.config.request_timeout);
        id
    }

    /// Notes a request whose head was read. It keeps its place among the answers.
    pub(crate) fn begin_exchange(&mut self, conn: ConnId, head: &http::Head<'_>) -> ExchangeId {
        let connection = self.conns.find_mut(conn).expect("it is being read");
        let http = connection.http().expect("a request is read from HTTP");
        http.serial = http.serial.wrapping_add(1);
        let serial = http.serial;
        http.reading = Some(serial);
        http.exchanges.push_back(Exchange {
            serial,
            owner: Owner::None,
            persistence: head.persistence(),
            head_only: head.method == http::Method::Head,
            stash: None,
            extra: Extra::default(),
        });
        ExchangeId { conn, serial }
    }

    pub(crate) fn set_extra(&mut self, id: ExchangeId, extra: Extra) {
        if let Some(exchange) = self.exchange_mut(id) {
            exchange.extra = extra;
        }
    }

    pub(crate) fn extra(&self, id: ExchangeId) -> Extra {
        let Some(Stage::Http(http)) = self.conns.find(id.conn).map(|conn| &conn.stage) else {
            return Extra::default();
        };
        let exchange = http.exchanges.iter().find(|exchange| exchange.serial == id.serial);
        exchange.map(|exchange| exchange.extra.clone()).unwrap_or_default()
    }

    pub(crate) fn set_owner(&mut self, id: ExchangeId, owner: Owner) {
        if let Some(http) = self.conns.find_mut(id.conn).and_then(Connection::http) {
            http.set_owner(id.serial, owner);
        }
    }

    /// After each piece of input: how long the next may take.
    pub(crate) fn watch_request(&mut self, conn: ConnId) {
        let Some(connection) = self.conns.find_mut(conn) else { return };
        let watched = connection.deadline.is_some_and(|(_, wake)| wake == Wake::Request);
        let Some(http) = connection.http() else { return };
        let busy = http.reading.is_some() || !http.reader.is_idle();
        match (busy, http.is_quiet()) {
            // The clock of a request starts with its first byte and is not set back by more.
            (true, _) if watched => {}
            (true, _) => self.watch(conn, Wake::Request, self.config.request_timeout),
            (false, true) => self.watch(conn, Wake::Idle, self.config.idle_timeout),
            (false, false) => self.unwatch(conn),
        }
    }

    /// The request is complete: its clock stops. No other is read while too many wait for their
    /// answers, or while the peer does not take those that there are.
    pub(crate) fn end_request(&mut self, conn: ConnId) {
        let pipelined_max = self.config.limits.pipelined_requests_max as usize;
        let Some(connection) = self.conns.find_mut(conn) else { return };
        let Connection { stage: Stage::Http(http), paused, refused, .. } = connection else {
            return;
        };
        http.reading = None;
        if (http.exchanges.len() >= pipelined_max || *refused) && !*paused {
            *paused = true;
            self.outputs.push_back(Output::Pause(conn));
        }
        self.unwatch(conn);
    }

    /// The peer has ended its side: what can no longer be answered goes, and what waits behind it.
    pub(crate) fn drop_unanswerable(&mut self, conn: ConnId) {
        let Some(http) = self.conns.find_mut(conn).and_then(Connection::http) else { return };
        let is_lost = |e: &Exchange| e.owner == Owner::None && e.stash.is_none();
        if let Some(place) = http.exchanges.iter().position(is_lost) {
            let lost = http.exchanges.split_off(place);
            self.orphan(conn, lost);
        }
    }

    /// Nobody answers these any longer.
    fn orphan(&mut self, conn: ConnId, exchanges: VecDeque<Exchange>) {
        for Exchange { serial, owner, stash, .. } in exchanges {
            if owner != Owner::None {
                self.orphans.push(Orphan::Request(ExchangeId { conn, serial }, owner));
            }
            let Some((mut stash, charge)) = stash else { continue };
            stash.clear(&mut self.pool);
            self.orphan_charge(charge);
        }
    }

    fn orphan_charge(&mut self, charge: Option<(SessionId, u32)>) {
        if let Some((session, bytes)) = charge {
            self.orphans.push(Orphan::Unsent(session, bytes));
            self.orphans.push(Orphan::Answer(session));
        }
    }

    /// Ends a connection once all is written.
    pub(crate) fn finish_connection(&mut self, conn: ConnId) {
        let Some(connection) = self.conns.find_mut(conn) else { return };
        if matches!(connection.stage, Stage::Closing | Stage::Lingering) {
            return;
        }
        self.leave_stage(conn, Stage::Closing);
        self.watch(conn, Wake::Linger, self.config.linger);
        self.continue_closing(conn);
    }

    /// Releases a connection now, whatever is left to write.
    pub(crate) fn abort_connection(&mut self, conn: ConnId) {
        let Some(connection) = self.conns.find_mut(conn) else { return };
        let deadline = connection.deadline.take();
        self.timers.cancel(deadline.map(|(armed, _)| armed));
        self.leave_stage(conn, Stage::Lingering);
        let mut connection = self.conns.slab.remove(conn.index());
        let abort = !connection.egress.is_empty();
        connection.egress.clear(&mut self.pool);
        for charge in connection.polls.into_iter().flat_map(|polls| polls.charges) {
            self.orphan_charge(Some((charge.session, charge.bytes)));
        }
        self.outputs.push_back(Output::Close { conn, abort });
    }

    /// The peer has ended its side; the stage is for the caller to judge.
    pub(crate) fn continue_closing(&mut self, conn: ConnId) {
        let Some(connection) = self.conns.find_mut(conn) else { return };
        match connection.stage {
            Stage::Closing if !connection.egress.is_empty() => {}
            Stage::Closing if connection.ended => self.abort_connection(conn),
            Stage::Closing => {
                connection.stage = Stage::Lingering;
                self.outputs.push_back(Output::ShutdownWrite(conn));
                self.watch(conn, Wake::Linger, self.config.linger);
            }
            Stage::Lingering if connection.ended => self.abort_connection(conn),
            Stage::Lingering | Stage::Http(_) | Stage::WebSocket { .. } => {}
        }
    }

    /// From now on the connection speaks WebSocket, for this session.
    pub(crate) fn become_websocket(&mut self, conn: ConnId, session: SessionId) {
        self.unwatch(conn);
        self.leave_stage(conn, Stage::WebSocket { reader: ws::Reader::new(), session });
    }

    /// A deadline of the connection itself.
    pub(crate) fn connection_expired(&mut self, conn: ConnId, wake: Wake) {
        let Some(connection) = self.conns.find_mut(conn) else { return };
        connection.deadline = None;
        match wake {
            Wake::Idle => self.finish_connection(conn),
            _ => {
                self.stats.http_timeouts += u64::from(wake == Wake::Request);
                self.abort_connection(conn);
            }
        }
    }

    fn watch(&mut self, conn: ConnId, wake: Wake, time: Duration) {
        self.unwatch(conn);
        let armed = self.timers.arm(self.now + time, Due::Connection(conn, wake));
        if let Some(connection) = self.conns.find_mut(conn) {
            connection.deadline = Some((armed, wake));
        }
    }

    fn unwatch(&mut self, conn: ConnId) {
        let deadline = self.conns.find_mut(conn).and_then(|connection| connection.deadline.take());
        self.timers.cancel(deadline.map(|(armed, _)| armed));
    }

    fn leave_stage(&mut self, conn: ConnId, next: Stage) {
        let Some(connection) = self.conns.find_mut(conn) else { return };
        let resume = core::mem::take(&mut connection.paused);
        let Stage::Http(http) = core::mem::replace(&mut connection.stage, next) else { return };
        self.orphan(conn, http.exchanges);
        // A paused connection would never show its end.
        if resume {
            self.outputs.push_back(Output::Resume(conn));
        }
    }

    fn exchange_mut(&mut self, id: ExchangeId) -> Option<&mut Exchange> {
        let http = self.conns.find_mut(id.conn)?.http()?;
        http.exchanges.iter_mut().find(|exchange| exchange.serial == id.serial)
    }
}

/// An answer under way: where its bytes go.
pub(crate) struct AnswerTo {
    pub(crate) persistence: Persistence,
    pub(crate) head_only: bool,
    stashed: bool,
}

/// Answering.
impl Context {
    /// Begins the answer of a request: `None` if its connection has gone.
    pub(crate) fn begin_answer(&mut self, id: ExchangeId) -> Option<AnswerTo> {
        let ending = self.shutting_down;
        let connection = self.conns.find_mut(id.conn)?;
        let ended = connection.ended;
        let http = connection.http()?;
        let place = http.exchanges.iter().position(|exchange| exchange.serial == id.serial)?;
        let close = ending || ended && http.is_last(place);
        let exchange = &mut http.exchanges[place];
        if close {
            exchange.persistence = Persistence::Close;
        }
        let stashed = place > 0;
        if stashed {
            exchange.stash = Some((Queue::default(), None));
        }
        let (persistence, head_only) = (exchange.persistence, exchange.head_only);
        self.stats.requests += 1;
        Some(AnswerTo { persistence, head_only, stashed })
    }

    /// Appends to the answer that was begun; `append` gets its queue.
    pub(crate) fn extend_answer(
        &mut self,
        id: ExchangeId,
        to: &AnswerTo,
        append: impl FnOnce(&mut Queue, &mut crate::egress::Pool),
    ) {
        let Some(connection) = self.conns.find_mut(id.conn) else { return };
        if !to.stashed {
            return append(&mut connection.egress, &mut self.pool);
        }
        let Some(http) = connection.http() else { return };
        let exchange = http.exchanges.iter_mut().find(|exchange| exchange.serial == id.serial);
        if let Some((stash, _)) = exchange.and_then(|exchange| exchange.stash.as_mut()) {
            append(stash, &mut self.pool);
        }
    }

    /// The answer is complete. `charge` says whose bytes it holds and how many.
    pub(crate) fn end_answer(
        &mut self,
        id: ExchangeId,
        to: &AnswerTo,
        charge: Option<(SessionId, u32)>,
    ) {
        let Some(http) = self.conns.find_mut(id.conn).and_then(Connection::http) else { return };
        if to.stashed {
            let exchange = http.exchanges.iter_mut().find(|e| e.serial == id.serial);
            let exchange = exchange.expect("its answer was begun");
            exchange.owner = Owner::None;
            if let Some((_, stashed)) = &mut exchange.stash {
                *stashed = charge;
            }
            return;
        }
        let mut exchange = http.exchanges.pop_front().expect("its answer was begun");
        self.charge(id.conn, charge);
        // Answers that waited for this one follow it.
        loop {
            if exchange.persistence == Persistence::Close {
                self.flush(id.conn);
                return self.finish_connection(id.conn);
            }
            let Some(connection) = self.conns.find_mut(id.conn) else { return };
            let Stage::Http(http) = &mut connection.stage else { return };
            let Some((stash, charge)) = http.exchanges.front_mut().and_then(|e| e.stash.take())
            else {
                break;
            };
            exchange = http.exchanges.pop_front().expect("it has a stash");
            connection.egress.append(&mut self.pool, stash);
            self.charge(id.conn, charge);
        }
        self.flush(id.conn);
        let Some(connection) = self.conns.find_mut(id.conn) else { return };
        if connection.ended && connection.http().is_some_and(|http| http.is_done()) {
            return self.finish_connection(id.conn);
        }
        self.resume(id.conn);
        self.watch_request(id.conn);
    }

    /// A whole answer at once. `fields` writes the head's own fields.
    pub(crate) fn answer(
        &mut self,
        id: ExchangeId,
        status: u16,
        fields: impl FnOnce(ResponseHead<'_>) -> ResponseHead<'_>,
        body: &[u8],
    ) {
        let Some(to) = self.begin_answer(id) else { return };
        self.extend_answer(id, &to, |queue, pool| {
            queue.write(pool, |tail| {
                let head = fields(http::ResponseHead::begin(tail, status));
                head.content_length(body.len() as u64).persistence(to.persistence).end();
                if !to.head_only {
                    tail.extend_from_slice(body);
                }
            });
        });
        self.end_answer(id, &to, None);
    }

    /// The last answer of a connection: it is closed behind it.
    pub(crate) fn answer_and_close(
        &mut self,
        id: ExchangeId,
        status: u16,
        fields: impl FnOnce(ResponseHead<'_>) -> ResponseHead<'_>,
        body: &[u8],
    ) {
        if let Some(exchange) = self.exchange_mut(id) {
            exchange.persistence = Persistence::Close;
        }
        self.answer(id, status, fields, body);
    }

    /// HTTP itself refuses a request, and what comes behind it cannot be told from it.
    pub(crate) fn answer_fault(&mut self, conn: ConnId, fault: http::Fault) {
        let Some(http) = self.conns.find_mut(conn).and_then(Connection::http) else { return };
        let serial = http.reading.take().unwrap_or_else(|| {
            http.serial = http.serial.wrapping_add(1);
            let serial = http.serial;
            http.exchanges.push_back(Exchange {
                serial,
                owner: Owner::None,
                persistence: Persistence::Close,
                head_only: false,
                stash: None,
                extra: Extra::default(),
            });
            serial
        });
        let id = ExchangeId { conn, serial };
        if self.exchange_mut(id).is_some_and(|exchange| exchange.stash.is_none()) {
            return self.answer_and_close(id, fault.status(), |head| head, b"");
        }
        // Its answer is out already: there is nothing left to say.
        self.finish_connection(conn);
    }

    /// Asks for a body that its client holds back, unless others wait for their answers before
    /// (RFC 9110, 15.2.1) or the request is answered.
    pub(crate) fn write_continue(&mut self, id: ExchangeId) {
        if !self.is_first(id) {
            return;
        }
        if let Some(connection) = self.conns.find_mut(id.conn) {
            connection.egress.write(&mut self.pool, |tail| {
                tail.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
            });
            self.flush(id.conn);
        }
    }

    /// Whether no request of it waits for an answer.
    pub(crate) fn waits_for_nobody(&self, conn: ConnId) -> bool {
        match self.conns.find(conn).map(|connection| &connection.stage) {
            Some(Stage::Http(http)) => {
                !http.exchanges.iter().any(|exchange| exchange.owner != Owner::None)
            }
            _ => true,
        }
    }

    /// Whether its answer would go out at once.
    pub(crate) fn is_first(&self, id: ExchangeId) -> bool {
        match self.conns.find(id.conn).map(|connection| &connection.stage) {
            Some(Stage::Http(http)) => {
                http.exchanges.front().is_some_and(|exchange| exchange.serial == id.serial)
            }
            _ => false,
        }
    }

    pub(crate) fn owner(&self, id: ExchangeId) -> Owner {
        match self.conns.find(id.conn).map(|connection| &connection.stage) {
            Some(Stage::Http(http)) => http.owner(id.serial),
            _ => Owner::None,
        }
    }

    fn charge(&mut self, conn: ConnId, charge: Option<(SessionId, u32)>) {
        let Some((session, bytes)) = charge else { return };
        let Some(connection) = self.conns.find_mut(conn) else { return };
        let queued = connection.egress.bytes() as u64;
        let polls = connection.polls.get_or_insert_default();
        polls.charges.push_back(Charge { until: polls.sent + queued, session, bytes });
        if !polls.answered.contains(&session) {
            polls.answered.push(session);
        }
    }

    /// Sessions whose latest poll answer went out here.
    pub(crate) fn answered(&self, conn: ConnId) -> SmallVec<[SessionId; 1]> {
        let polls = self.conns.find(conn).and_then(|connection| connection.polls.as_ref());
        polls.map(|polls| polls.answered.clone()).unwrap_or_default()
    }

    /// A session's latest poll answer has arrived, or it matters no longer.
    pub(crate) fn forget_answer(&mut self, conn: ConnId, session: SessionId) {
        let Some(connection) = self.conns.find_mut(conn) else { return };
        if let Some(polls) = &mut connection.polls {
            polls.answered.retain(|other| *other != session);
        }
    }

    fn resume(&mut self, conn: ConnId) {
        let pipelined_max = self.config.limits.pipelined_requests_max as usize;
        let Some(connection) = self.conns.find_mut(conn) else { return };
        let paused = connection.paused && !connection.refused;
        let Some(http) = connection.http() else { return };
        if paused && http.exchanges.len() < pipelined_max {
            connection.paused = false;
            self.outputs.push_back(Output::Resume(conn));
            self.resumable.push(conn);
        }
    }
}

/// A head under way in a queue's tail.
pub(crate) type ResponseHead<'t> = http::ResponseHead<'t, Vec<u8>>;

/// Lets a closure that is kept in a variable be one for heads of any lifetime.
pub(crate) fn head_fields<F>(fields: F) -> F
where
    F: FnOnce(ResponseHead<'_>) -> ResponseHead<'_>,
{
    fields
}

/// What a driver's report of a write brings about.
#[derive(Default)]
pub(crate) struct SentOutcome {
    /// A websocket's egress is empty.
    pub(crate) drained: Option<SessionId>,
    /// Poll answers are out: whose, and how many bytes of them.
    pub(crate) answered: SmallVec<[(SessionId, u32); 2]>,
}

/// Writing.
impl Context {
    /// Asks for a write attempt, unless one is owed or the kernel is refusing.
    pub(crate) fn flush(&mut self, conn: ConnId) {
        let Some(connection) = self.conns.find_mut(conn) else { return };
        if connection.flush == Flush::Idle && !connection.egress.is_empty() {
            connection.flush = Flush::Owed;
            self.outputs.push_back(Output::Flush(conn));
        }
    }

    /// The kernel took some bytes.
    pub(crate) fn sent(&mut self, conn: ConnId, bytes: usize, refused: bool) -> SentOutcome {
        let mut outcome = SentOutcome::default();
        let Some(connection) = self.conns.find_mut(conn) else { return outcome };
        assert!(bytes <= connection.egress.bytes(), "`Sent` reports more than `egress` showed");
        connection.egress.consume(&mut self.pool, bytes);
        let empty = connection.egress.is_empty();
        connection.refused = !empty && (connection.refused || refused);
        connection.flush = match (empty, refused) {
            (true, _) => Flush::Idle,
            (false, true) => Flush::Refused,
            (false, false) => Flush::Owed,
        };
        if connection.flush == Flush::Owed {
            self.outputs.push_back(Output::Flush(conn));
        }
        if let Some(polls) = &mut connection.polls {
            polls.sent += bytes as u64;
            while let Some(charge) = polls.charges.pop_front_if(|c| c.until <= polls.sent) {
                outcome.answered.push((charge.session, charge.bytes));
            }
        }
        match &connection.stage {
            Stage::WebSocket { session, .. } if empty => outcome.drained = Some(*session),
            Stage::Http(_) if empty => self.resume(conn),
            Stage::Closing => self.continue_closing(conn),
            Stage::Http(_) | Stage::WebSocket { .. } | Stage::Lingering => {}
        }
        outcome
    }

    /// The kernel has room again.
    pub(crate) fn writable(&mut self, conn: ConnId) {
        let Some(connection) = self.conns.find_mut(conn) else { return };
        if connection.flush == Flush::Refused {
            connection.flush = Flush::Owed;
            self.outputs.push_back(Output::Flush(conn));
        }
    }
}
