//! Answers: written in the order of their requests, whoever is ready first.

use alloc::vec::Vec;
use smallvec::SmallVec;

use super::{Charge, Connection, ExchangeId, Owner, Stage};
use crate::context::Context;
use crate::egress::Queue;
use crate::http::{self, Persistence};
use crate::id::{ConnId, SessionId};
use crate::output::Output;

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
        // What a client takes for the next answer must not follow these (RFC 9110, 15.3.6; RFC
        // 9112, 6.3).
        let body = if status == 205 { b"" } else { body };
        let bodiless = to.head_only || matches!(status, 204 | 304);
        self.extend_answer(id, &to, |queue, pool| {
            queue.write(pool, |tail| {
                let head = fields(http::ResponseHead::begin(tail, status));
                head.content_length(body.len() as u64).persistence(to.persistence).end();
                if !bodiless {
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
        let reading = http.reading.take();
        let serial = reading.unwrap_or_else(|| http.push_exchange(Persistence::Close, false));
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

    pub(super) fn charge(&mut self, conn: ConnId, charge: Option<(SessionId, u32)>) {
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

    pub(super) fn resume(&mut self, conn: ConnId) {
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
