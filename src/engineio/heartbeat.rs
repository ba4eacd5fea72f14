//! The heartbeat of Engine.IO 4: the server pings, and a pong starts the interval anew (Engine.IO
//! protocol 4, "Heartbeat"). It belongs to the session, so it survives an upgrade.

use super::{CloseReason, Context, Engine, SessionId, State};
use crate::time::Instant;
use crate::timer::Due;

/// Where a session is between two pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pong {
    /// The last one came; the next ping has its time.
    Here,
    /// A ping is out.
    Awaited,
    /// A ping is out, and another packet has shown since that the client lives: it had its
    /// deadline set back once.
    Excused,
}

impl Engine {
    pub(super) fn start_interval(&mut self, cx: &mut Context, id: SessionId) {
        let at = cx.now + cx.config.ping_interval;
        let Some(session) = self.find_mut(id) else { return };
        cx.timers.cancel(session.heartbeat.take());
        if let State::Open = session.state {
            session.pong = Pong::Here;
            session.heartbeat = Some(cx.timers.arm_heartbeat(at, id, Due::Ping(id)));
        }
    }

    /// The deadline for the pong counts from when the ping was due, so a late driver does not make
    /// the session live longer.
    pub(crate) fn ping_due(&mut self, cx: &mut Context, id: SessionId, due: Instant) {
        let Some(session) = self.find_mut(id) else { return };
        session.pong = Pong::Awaited;
        let at = due + cx.config.ping_timeout;
        session.heartbeat = Some(cx.timers.arm_heartbeat(at, id, Due::PingTimeout(id)));
        self.control(cx, id, b"2");
    }

    pub(crate) fn ping_timed_out(&mut self, cx: &mut Context, id: SessionId) {
        if let Some(session) = self.find_mut(id) {
            session.heartbeat = None;
        }
        self.end(cx, id, CloseReason::PingTimeout);
    }

    /// Any packet but a pong.
    pub(super) fn excuse(&mut self, cx: &mut Context, id: SessionId) {
        let at = cx.now + cx.config.ping_timeout;
        let Some(session) = self.find_mut(id) else { return };
        if session.pong == Pong::Awaited {
            session.pong = Pong::Excused;
            cx.timers.cancel(session.heartbeat.take());
            session.heartbeat = Some(cx.timers.arm_heartbeat(at, id, Due::PingTimeout(id)));
        }
    }
}
