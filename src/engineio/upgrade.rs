//! The upgrade from polling to websocket (Engine.IO protocol 4, "Upgrade").
//!
//! | state | what comes | what happens | next |
//! |---|---|---|---|
//! | `None` | a websocket with the session's id, while it polls | 101, `upgrade_timeout` starts | `Candidate` |
//! | `Candidate` | `2probe` | `3probe` on the candidate; a parked GET gets `6`, and again every 100 ms | `Candidate`, probed |
//! | `Candidate` | `5` | a parked GET gets `1`, an unfinished POST is cut; the websocket is the transport and gets the backlog | `Done` |
//! | `Candidate` | anything else, its end, `upgrade_timeout` | the candidate is closed; polling goes on | `None` |
//! | any | another websocket with the session's id | it is closed; the session is unaffected | as before |
//! | `Candidate` | the session's end | the candidate is closed | |
//!
//! A session that began as a websocket has no such state: nobody takes it over who learns its id.

use core::time::Duration;

use super::packet::{Packet, ParseError};
use super::{CloseReason, Context, Engine, SessionId, State, Transport, Up, outbound, websocket};
use crate::connection::Owner;
use crate::id::ConnId;
use crate::time::Instant;
use crate::timer::{Armed, Due};

/// See the module.
pub(super) enum Upgrade {
    None,
    Candidate { conn: ConnId, timeout: Armed, check: Option<Armed> },
    Done,
}

/// How often a GET that arrived after the probe is released.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

impl Engine {
    /// A websocket was accepted for a session that exists: a candidate, or one too many.
    pub(super) fn candidate(&mut self, cx: &mut Context, conn: ConnId, id: SessionId) {
        let at = cx.now + cx.config.upgrade_timeout;
        let session = self.find_mut(id).expect("it was found while its request was checked");
        match (&session.transport, &session.upgrade) {
            (Transport::Polling(_), Upgrade::None) => {
                let timeout = cx.timers.arm(at, Due::UpgradeTimeout(id));
                session.upgrade = Upgrade::Candidate { conn, timeout, check: None };
            }
            _ => websocket::close(cx, conn, None),
        }
    }

    pub(super) fn is_candidate(&self, conn: ConnId, id: SessionId) -> bool {
        let upgrade = self.find(id).map(|session| &session.upgrade);
        matches!(upgrade, Some(Upgrade::Candidate { conn: candidate, .. }) if *candidate == conn)
    }

    pub(super) fn candidate_packet(
        &mut self,
        cx: &mut Context,
        id: SessionId,
        packet: Result<Packet, ParseError>,
    ) {
        match packet {
            Ok(Packet::Ping { probe: true }) => self.probed(cx, id),
            Ok(Packet::Upgrade) => self.upgrade(cx, id),
            Ok(_) | Err(ParseError) => self.abandon_upgrade(cx, id),
        }
    }

    /// `2probe`
    fn probed(&mut self, cx: &mut Context, id: SessionId) {
        let at = cx.now + CHECK_INTERVAL;
        let Some(session) = self.find_mut(id) else { return };
        let Upgrade::Candidate { conn, check, .. } = &mut session.upgrade else { return };
        let conn = *conn;
        if check.is_none() {
            *check = Some(cx.timers.arm(at, Due::UpgradeCheck(id)));
        }
        // To one that does not read, one answer is as good as many.
        let bytes_max = cx.config.limits.egress_bytes_high as usize;
        if cx.conns.find(conn).is_some_and(|candidate| candidate.egress.bytes() <= bytes_max) {
            outbound::append_to(cx, conn, |egress, pool| {
                egress.write(pool, |tail| {
                    crate::frame::put_frame(tail, crate::ws::Opcode::Text, b"3probe");
                });
            });
        }
        self.release_poll(cx, id);
    }

    /// A GET that arrived after the probe is released too, or the client would never pause.
    pub(crate) fn upgrade_check(&mut self, cx: &mut Context, id: SessionId, due: Instant) {
        let Some(session) = self.find_mut(id) else { return };
        let Upgrade::Candidate { check, .. } = &mut session.upgrade else { return };
        *check = Some(cx.timers.arm(due + CHECK_INTERVAL, Due::UpgradeCheck(id)));
        self.release_poll(cx, id);
    }

    pub(crate) fn upgrade_timed_out(&mut self, cx: &mut Context, id: SessionId) {
        self.abandon_upgrade(cx, id);
    }

    /// `5`
    fn upgrade(&mut self, cx: &mut Context, id: SessionId) {
        let Some(session) = self.find_mut(id) else { return };
        let done = core::mem::replace(&mut session.upgrade, Upgrade::Done);
        let Upgrade::Candidate { conn, timeout, check } = done else { return };
        cx.timers.cancel(Some(timeout));
        cx.timers.cancel(check);
        let old = core::mem::replace(&mut session.transport, Transport::WebSocket(conn));
        let closing = match session.state {
            State::Open => false,
            State::Closing { .. } => true,
        };
        if let Transport::Polling(mut polling) = old {
            super::forget_answer(cx, &mut polling, id);
            if let Some(parked) = polling.take_parked() {
                super::polling::answer_released(cx, &session.headers, parked, b"1");
            }
            if let Some(post) = polling.take_post() {
                // It is cut, and the session does not wait for it any longer.
                cx.set_owner(post, Owner::None);
                cx.abort_connection(post.conn);
            }
        }
        cx.stats.upgrades += 1;
        self.up.push_back(Up::Upgraded(id));
        self.flush_backlog(cx, id, conn);
        if closing {
            self.end(cx, id, CloseReason::ForcedClose);
        }
    }

    /// The candidate is closed; polling goes on, and another may try.
    pub(super) fn abandon_upgrade(&mut self, cx: &mut Context, id: SessionId) {
        let Some(session) = self.find_mut(id) else { return };
        match core::mem::replace(&mut session.upgrade, Upgrade::None) {
            Upgrade::Candidate { conn, timeout, check } => {
                cx.timers.cancel(Some(timeout));
                cx.timers.cancel(check);
                cx.stats.upgrades_abandoned += 1;
                websocket::close(cx, conn, None);
            }
            other @ (Upgrade::None | Upgrade::Done) => session.upgrade = other,
        }
    }
}
