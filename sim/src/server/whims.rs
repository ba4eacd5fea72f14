//! The liberties that a driver has: when it flushes, how exact its clock is, what it tells its node
//! though nothing has changed.

use parlor::{Input, Instant, Wake};

use super::{Cause, End, Server};
use crate::hub::Hub;
use crate::marks::Mark;

/// One call in so many is told an older time than the one before, where clocks are loose.
const OLD_ONE_IN: u64 = 8;
/// How much older, at most.
const OLD_MAX: u64 = 5_000_000;

impl<S: Send + 'static> Server<S> {
    /// The time to tell the node; sometimes an older one than it knows already.
    pub(super) fn time(&mut self, hub: &mut Hub) -> Instant {
        let is_known = std::mem::replace(&mut self.told_at, hub.now) == hub.now;
        let is_loose = is_known && hub.profile.is_clock_loose;
        if !is_loose || !hub.choices.happens(self.idle, 1, OLD_ONE_IN) {
            return Instant::from_micros(hub.now);
        }
        hub.marks.hit(Mark::OlderNow);
        let older = hub.choices.choose(self.idle, OLD_MAX);
        Instant::from_micros(hub.now.saturating_sub(older))
    }

    /// There is room on a connection, as there may always have been.
    pub(super) fn wake_one(&mut self, hub: &mut Hub) {
        if self.open.is_empty() {
            return;
        }
        let place = hub.choices.choose(self.idle, self.open.len() as u64) as usize;
        let id = self.open[place];
        let Some(end) = self.end(id) else { return };
        end.shown.writable();
        let conn = end.id;
        hub.marks.hit(Mark::WritableForNothing);
        self.call(hub, 2, Cause::Writable(id), Input::Writable { conn });
    }

    /// A connection is to be flushed: with the pass that goes on, or some time later.
    pub(super) fn flush_soon(&mut self, id: usize, hub: &mut Hub) {
        if self.flush.is_empty() {
            let delay_max = hub.profile.flush_delay;
            let delay = if delay_max > 0 { hub.choices.choose(self.choices, delay_max) } else { 0 };
            self.flush_at = hub.now + delay;
            if delay > 0 {
                hub.marks.hit(Mark::LateFlush);
            }
        }
        self.flush.push(id);
        self.wake(self.flush_at, hub);
    }

    /// Passes at the next deadline, or as soon after it as the system's clock ticks.
    pub(super) fn wake_for_deadline(&mut self, hub: &mut Hub) {
        if let Some((at, why)) = self.node.poll_timeout() {
            let is_timer = why != Wake::QueuedOutput;
            let tick = if is_timer { hub.profile.clock_tick } else { 1 };
            self.wake(at.as_micros().next_multiple_of(tick), hub);
        }
    }
}

impl End {
    /// Whether there is a reason to release the connection with bytes left, other than its loss:
    /// it, or a request on it, has had its time, a POST is cut off, or its client is overdue by
    /// the declared policy.
    pub(super) fn may_stop(&self, cause: Cause, is_overflowing: bool, hub: &Hub) -> bool {
        let config = &hub.profile.config;
        let is_over =
            |since: u64, time: std::time::Duration| hub.now >= since + time.as_micros() as u64;
        let is_late = matches!(cause, Cause::Timeout { .. })
            && (is_over(self.grown_at, config.linger)
                || is_over(self.opened_at, config.request_timeout));
        is_late || is_overflowing || self.is_posting
    }
}
