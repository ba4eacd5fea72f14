//! The driver's side of the rules: what they are told before and after each call, and calls that
//! must do nothing.

use parlor::Input;

use super::{End, Server};
use crate::client::unit::Unit;
use crate::hub::Hub;
use crate::oracle::Property;
use crate::oracle::bounds;
use crate::oracle::turns::Cause;
use crate::shadow;

/// In one of so many passes a call is made that must do nothing.
const IDLE_ONE_IN: u64 = 32;
/// Closed connections that are remembered for it.
pub(super) const STALE_MAX: usize = 8;

impl<S: Send + 'static> Server<S> {
    /// The node is about to be called.
    pub(super) fn open(&mut self, cause: Cause, hub: &mut Hub) {
        let conn = cause.conn().map(|id| &hub.conns[id]);
        let client = conn.map(|conn| (conn.client, !conn.is_hostile));
        if let Some(crossing) = &mut hub.crossing {
            match client {
                Some((client, _)) => crossing.touch(client),
                None => crossing.touch_all(),
            }
        }
        self.stats = *self.node.stats();
        if let Cause::Timeout { at, why } = cause {
            self.audit.cause(shadow::Cause::Timeout { due: at, wake: why });
        }
        self.cause = Some(cause);
        let overdue = self.node.poll_timeout().filter(|(at, _why)| at.as_micros() <= hub.now);
        let overdue = overdue.map(|(_at, why)| why);
        hub.scout.open(hub.now, cause, overdue, &mut hub.marks);
        hub.rules.open(cause, client, &mut hub.verdicts);
    }

    /// What ends within the bytes that are about to be handed in.
    pub(super) fn heard(&mut self, id: usize, bytes: usize, hub: &mut Hub) {
        let Some(end) = self.end(id) else { return };
        let (bytes_in, is_shut) = (end.bytes_in, end.shown.is_shut());
        if is_shut {
            // The server lingers, and reads what comes for nobody.
            while hub.conns[id].notes.heard(bytes_in).is_some() {}
            return;
        }
        let mut units = Vec::new();
        while let Some(unit) = hub.conns[id].notes.heard(bytes_in) {
            if unit.is_request()
                && let Some(end) = self.end(id)
            {
                end.ledger.asked();
            }
            let is_begun = matches!(unit, Unit::PostHead { .. } | Unit::Excess { .. });
            let is_over = matches!(unit, Unit::Post { .. });
            if (is_begun || is_over)
                && let Some(end) = self.end(id)
            {
                end.is_posting = is_begun;
            }
            let Hub { rules, asks, verdicts, .. } = hub;
            let server = self.node.server();
            rules.heard(&unit, |name| server.find_namespace(name), asks, verdicts);
            hub.scout.heard(id, &unit, &mut hub.marks);
            units.push(unit);
        }
        hub.marks.read(bytes, &units);
        let client = hub.conns[id].client;
        if hub.outsiders[client].is_none() {
            let Hub { liveness, verdicts, now, .. } = hub;
            units.iter().for_each(|unit| liveness.heard(*now, client, unit, verdicts));
        }
        hub.trace.event(hub.now, 13, units.len() as u64, &[]);
        self.audit.units(units);
    }

    /// Sometimes a call that must do nothing: in front of any deadline, or about a connection that
    /// is closed and whose place another may have by now.
    pub(super) fn call_idly(&mut self, hub: &mut Hub) {
        if !hub.choices.happens(self.idle, 1, IDLE_ONE_IN) {
            return;
        }
        if hub.choices.happens(self.idle, 1, 4) {
            return self.wake_one(hub);
        }
        let now = self.time(hub);
        let due = self.node.poll_timeout().map(|(at, _why)| at.as_micros());
        let is_early = due.is_none_or(|at| at > hub.now);
        let stale = hub.choices.choose(self.idle, STALE_MAX as u64 + 1) as usize;
        match self.stale.get(stale).copied() {
            Some(conn) => {
                self.open(Cause::Stale, hub);
                let mut bytes = *b"GET / HTTP/1.1\r\nHost: sim\r\n\r\n";
                let input = match hub.choices.choose(self.idle, 5) {
                    0 => Input::Eof { conn },
                    1 => Input::Lost { conn },
                    2 => Input::Writable { conn },
                    3 => Input::Sent { conn, bytes: 0, refused: true },
                    _ => Input::Data { conn, bytes: &mut bytes },
                };
                self.node.handle(now, input);
                self.after_call(hub);
            }
            None if is_early => {
                self.open(Cause::Early, hub);
                self.node.handle_timeout(now);
                self.after_call(hub);
            }
            None => {}
        }
    }

    /// A pause is over, or there was none.
    pub(crate) fn resume(&mut self, hub: &mut Hub) {
        self.paused_until = hub.now;
        self.wake(hub.now, hub);
    }

    /// What waits for clients that stay broken for good.
    pub(crate) fn outsiders(&self, hub: &mut Hub) {
        for &id in &self.open {
            let client = hub.conns[id].client;
            if hub.outsiders[client].is_some()
                && let Some(end) = &self.ends[id]
            {
                let bytes = end.shown.waiting().0 as u64;
                hub.liveness.holds(client, bytes, &mut hub.verdicts);
            }
        }
    }

    /// What each egress has grown by.
    pub(super) fn look(&mut self, hub: &mut Hub) {
        let Hub { verdicts, trace, now, rules, conns, scout, marks, crossing, .. } = hub;
        let audit = &mut self.audit;
        let mut is_grown = false;
        for &id in &self.open {
            let Some(end) = &mut self.ends[id] else { continue };
            let End { shown, ledger, requests, id: conn, .. } = end;
            let (is_noted, mut grown) = (!conns[id].is_hostile, 0);
            shown.look(self.node.egress(*conn), verdicts, |bytes, verdicts| {
                if is_noted {
                    ledger.grown(bytes, *requests, verdicts, |answer, verdicts| {
                        rules.answer(id, answer, verdicts);
                    });
                }
                trace.event(*now, 10, id as u64, bytes);
                trace.grows(*now, id, bytes);
                audit.grown(id, bytes);
                rules.grown(id, bytes, verdicts);
                scout.grown(id, bytes, marks);
                grown += bytes.len() as u64;
            });
            if let (Some(end), 1..) = (&mut self.ends[id], grown) {
                is_grown = true;
                end.grown += grown;
                end.grown_at = *now;
                if let Some(crossing) = crossing {
                    crossing.touch(conns[id].client);
                }
                rules.paid((id, is_noted), (end.bytes_in, end.requests), end.grown, verdicts);
            }
        }
        if is_grown {
            let unsent = self.open.iter().filter_map(|&id| self.ends[id].as_ref());
            rules.bounds.waits(unsent.map(|end| end.shown.waiting().0 as u64), verdicts);
        }
    }

    /// M2: whatever is released is not counted any longer, and everything else is.
    pub(super) fn counted(&self, hub: &mut Hub) {
        let (open, told) = (self.open.len(), self.node.server().connections());
        hub.verdicts.claim(Property::M2, open == told as usize, || {
            format!("{open} connections are open, and {told} are counted")
        });
    }

    /// M2: what came has gone, by the server's own public counts.
    pub(super) fn emptied(&self, hub: &mut Hub) {
        let (server, stats) = (self.node.server(), self.node.stats());
        let rooms: usize =
            self.spaces.iter().map(|&space| server.namespace_rooms(space).len()).sum();
        let left = [
            u64::from(server.connections()),
            u64::from(server.sessions()),
            rooms as u64,
            stats.sessions_opened - stats.sessions_closed,
            stats.sockets_connected - stats.sockets_disconnected,
        ];
        let wake = self.node.poll_timeout().map(|(_at, why)| why);
        bounds::emptied(left, wake, &mut hub.verdicts);
    }
}

impl End {
    /// Counts the blank lines behind heads.
    pub(super) fn count_requests(&mut self, bytes: &[u8]) {
        const BLANK: &[u8; 4] = b"\r\n\r\n";
        for &byte in bytes {
            self.blank = match byte {
                byte if byte == BLANK[self.blank] => self.blank + 1,
                b'\r' => 1,
                _ => 0,
            };
            if self.blank == BLANK.len() {
                (self.blank, self.requests) = (0, self.requests + 1);
            }
        }
    }
}
