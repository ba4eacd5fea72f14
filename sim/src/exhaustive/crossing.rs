//! The window in which everything may happen in any order, and what tells two states apart.

use std::hash::{Hash, Hasher};

use crate::choice::{Choices, Stream, mix};
use crate::hub::Event;

/// See the module's doc.
pub(crate) struct Crossing {
    stream: Stream,
    window: (u64, u64),
    /// How often all that is due may still be put off.
    ticks: u64,
    /// What the server, and each client, has had.
    histories: Vec<Print>,
    /// The window is behind.
    is_over: bool,
    pub(crate) is_cut: bool,
}

/// What comes next.
pub(crate) enum Pick {
    Event(usize),
    /// All of it is put off by a unit of time.
    Tick,
    /// All that can follow is known.
    Nothing,
}

/// The server, and two clients.
const SIDES: usize = 3;

impl Crossing {
    pub(crate) fn new(window: (u64, u64), ticks: u64, choices: &mut Choices) -> Self {
        let stream = choices.stream("next", 0);
        let histories = vec![Print::default(); SIDES];
        Self { stream, window, ticks, histories, is_over: false, is_cut: false }
    }

    /// Whether anything may come first now.
    pub(crate) fn is_open(&mut self, now: u64, choices: &mut Choices) -> bool {
        let (from, until) = self.window;
        if now >= until && !std::mem::replace(&mut self.is_over, true) {
            let mut state = Print::default();
            self.histories.hash(&mut state);
            choices.end(state.whole());
        }
        let is_open = (from..until).contains(&now);
        choices.branch(is_open);
        is_open
    }

    /// Which of these, which are due now and sorted, comes next.
    pub(crate) fn pick(
        &mut self,
        now: u64,
        due: &[Event],
        later: impl Iterator<Item = (u64, Event)>,
        choices: &mut Choices,
    ) -> Pick {
        let mut state = Print::default();
        (now, due, &self.histories, self.ticks).hash(&mut state);
        later.for_each(|later| later.hash(&mut state));
        if choices.is_known(state.whole()) {
            self.is_cut = true;
            return Pick::Nothing;
        }
        let ways = due.len() + usize::from(self.ticks > 0);
        let picked = choices.choose(self.stream, ways as u64) as usize;
        if picked < due.len() {
            return Pick::Event(picked);
        }
        self.ticks -= 1;
        Pick::Tick
    }

    /// Something happens at the server or, with a number, at a client.
    pub(crate) fn happens(&mut self, now: u64, event: Event, client: Option<usize>) {
        let side = client.map_or(0, |client| client + 1);
        (now, event).hash(&mut self.histories[side]);
    }
}

/// A hash of 128 bits, the same in every run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Print(u64, u64);

impl Print {
    fn whole(self) -> u128 {
        u128::from(self.0) << 64 | u128::from(self.1)
    }
}

impl Hasher for Print {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let word = u64::from_le_bytes(word) ^ (chunk.len() as u64) << 60;
            *self = Self(mix(self.0, word, 1), mix(self.1, word, 2));
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
