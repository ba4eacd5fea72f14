//! How connections open, take requests and end.

use alloc::collections::VecDeque;
use core::time::Duration;

use super::{Connection, Exchange, ExchangeId, Extra, Orphan, Owner, Stage};
use crate::context::Context;
use crate::http;
use crate::id::{ConnId, SessionId};
use crate::input::Peer;
use crate::output::{Output, Wake};
use crate::timer::Due;
use crate::ws;

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
        let head_only = head.method == http::Method::Head;
        let serial = http.push_exchange(head.persistence(), head_only);
        http.reading = Some(serial);
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
    pub(super) fn orphan(&mut self, conn: ConnId, exchanges: VecDeque<Exchange>) {
        for Exchange { serial, owner, stash, .. } in exchanges {
            if owner != Owner::None {
                self.orphans.push(Orphan::Request(ExchangeId { conn, serial }, owner));
            }
            let Some((mut stash, charge)) = stash else { continue };
            stash.clear(&mut self.pool);
            self.orphan_charge(charge);
        }
    }

    pub(super) fn orphan_charge(&mut self, charge: Option<(SessionId, u32)>) {
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
        if self.conns.find(conn).is_none() {
            return;
        }
        self.unwatch(conn);
        self.leave_stage(conn, Stage::Lingering);
        let mut connection = self.conns.slab.remove(conn.index());
        let abort = !connection.egress.is_empty();
        connection.egress.clear(&mut self.pool);
        for charge in connection.polls.into_iter().flat_map(|polls| polls.charges) {
            self.orphan_charge(Some((charge.session, charge.bytes)));
        }
        self.outputs.push_back(Output::Close { conn, abort });
    }

    /// Goes on with its end, as far as what is left to write and the peer let it.
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

    pub(super) fn watch(&mut self, conn: ConnId, wake: Wake, time: Duration) {
        self.unwatch(conn);
        let armed = self.timers.arm(self.now + time, Due::Connection(conn, wake));
        if let Some(connection) = self.conns.find_mut(conn) {
            connection.deadline = Some((armed, wake));
        }
    }

    pub(super) fn unwatch(&mut self, conn: ConnId) {
        let deadline = self.conns.find_mut(conn).and_then(|connection| connection.deadline.take());
        self.timers.cancel(deadline.map(|(armed, _)| armed));
    }

    pub(super) fn leave_stage(&mut self, conn: ConnId, next: Stage) {
        let Some(connection) = self.conns.find_mut(conn) else { return };
        let resume = core::mem::take(&mut connection.paused);
        let Stage::Http(http) = core::mem::replace(&mut connection.stage, next) else { return };
        self.orphan(conn, http.exchanges);
        // A paused connection would never show its end.
        if resume {
            self.outputs.push_back(Output::Resume(conn));
        }
    }

    pub(super) fn exchange_mut(&mut self, id: ExchangeId) -> Option<&mut Exchange> {
        let http = self.conns.find_mut(id.conn)?.http()?;
        http.exchanges.iter_mut().find(|exchange| exchange.serial == id.serial)
    }
}
