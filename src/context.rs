//! What every layer is handed: the time, the turn, the configuration, and the queues that lead out.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::config::{Config, Cors};
use crate::connection::{Connections, Orphan};
use crate::egress::Pool;
use crate::event::Event;
use crate::id::ConnId;
use crate::output::Output;
use crate::rng::Rng;
use crate::stats::Stats;
use crate::time::Instant;
use crate::timer::Timers;

/// See the module.
pub(crate) struct Context {
    pub(crate) config: Config,
    /// Shared with answers under way.
    pub(crate) cors: Option<Arc<Cors>>,
    pub(crate) now: Instant,
    /// The wall time of the first `now`, in milliseconds since 1970, and that `now`.
    pub(crate) epoch: (u64, Instant),
    pub(crate) turns: Turns,
    pub(crate) stats: Stats,
    pub(crate) timers: Timers,
    pub(crate) rng: Rng,
    pub(crate) pool: Pool,
    pub(crate) conns: Connections,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) events: VecDeque<(u64, Event)>,
    /// Connections whose held-back bytes may be looked at again.
    pub(crate) resumable: Vec<ConnId>,
    /// Empty once a cause is settled.
    pub(crate) orphans: Vec<Orphan>,
    pub(crate) shutting_down: bool,
}

impl Context {
    pub(crate) fn new(config: Config, seed: [u8; 32], now: Instant, unix_ms: u64) -> Self {
        Self {
            cors: config.cors.clone().map(Arc::new),
            config,
            now,
            epoch: (unix_ms, now),
            turns: Turns::default(),
            stats: Stats::default(),
            timers: Timers::default(),
            rng: Rng::new(seed),
            pool: Pool::default(),
            conns: Connections::default(),
            outputs: VecDeque::new(),
            events: VecDeque::new(),
            resumable: Vec::new(),
            orphans: Vec::new(),
            shutting_down: false,
        }
    }

    /// Time never goes back.
    pub(crate) fn advance(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// For the application, in the current turn.
    pub(crate) fn event(&mut self, event: Event) {
        self.events.push_back((self.turns.current, event));
    }

    pub(crate) fn unix_ms(&self) -> u64 {
        let (unix_ms, then) = self.epoch;
        unix_ms + self.now.saturating_since(then).as_millis() as u64
    }
}

/// The numbers of turns: what one cause brings about, and everything done in answer to it.
///
/// What the core does itself belongs to the turn of its cause. A command belongs to the turn of the
/// last event that was polled, until the next drain; after a drain that polled no event it is work
/// from outside, a turn of its own.
#[derive(Default)]
pub(crate) struct Turns {
    /// The turn that what is done now belongs to.
    pub(crate) current: u64,
    last: u64,
    /// The turn of commands.
    commands: u64,
    /// An event was polled in this drain.
    polled: bool,
    /// The last drain polled none.
    quiet: bool,
    /// What goes on is a report of the driver, and has brought something about.
    reported: bool,
}

impl Turns {
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// A new cause: an input that counts as one, or a deadline.
    pub(crate) fn begin(&mut self) {
        self.last += 1;
        self.current = self.last;
    }

    /// A report of the driver brings something about, perhaps not the first thing: it is one cause.
    pub(crate) fn report(&mut self) {
        if !core::mem::replace(&mut self.reported, true) {
            self.begin();
        }
    }

    /// What the cause brought about inside is done.
    pub(crate) fn end(&mut self) {
        self.current = self.commands;
        self.reported = false;
    }

    /// Work from outside: commands, until the next event is polled.
    pub(crate) fn open(&mut self) {
        self.begin();
        self.commands = self.current;
        self.quiet = false;
    }

    /// An event was polled: commands belong to its turn.
    pub(crate) fn polled(&mut self, turn: u64) {
        self.commands = turn;
        self.current = turn;
        self.polled = true;
        self.quiet = false;
    }

    /// Outputs were polled to the end.
    pub(crate) fn drained(&mut self) {
        self.quiet = !core::mem::take(&mut self.polled);
    }

    /// Every event was polled and answered: what follows is work from outside.
    pub(crate) fn answered(&mut self) {
        self.polled = false;
        self.quiet = true;
    }

    /// A command is given.
    pub(crate) fn command(&mut self) {
        if self.quiet {
            self.open();
        }
    }

    /// The turn of a command, if one were given now; while one is carried out, its own.
    pub(crate) fn of_command(&self) -> u64 {
        if self.quiet { self.last + 1 } else { self.current }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_belong_to_the_last_event_polled_until_a_drain_polls_none() {
        let mut turns = Turns::default();
        turns.begin();
        turns.end();
        turns.begin();
        turns.end();
        turns.polled(1);
        turns.command();
        assert_eq!(turns.current, 1);
        turns.polled(2);
        turns.drained();
        turns.command();
        assert_eq!(turns.current, 2, "still in answer to the last event");
        turns.drained();
        assert_eq!((turns.of_command(), turns.current), (3, 2));
        turns.command();
        turns.command();
        assert_eq!(turns.current, 3, "work from outside, one turn");
        assert_eq!(turns.of_command(), 3);
        turns.drained();
        turns.command();
        assert_eq!(turns.current, 4);
    }
}
