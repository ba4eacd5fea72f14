//! All ways that choices can go, one after the other: each run takes the first way that none
//! before it took. The digits of an odometer whose bounds the run itself tells.

use std::collections::BTreeSet;

/// Where the enumeration is.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    /// What this run draws, and below what, as far as it has come or was told.
    digits: Vec<(u64, u64)>,
    /// The next draw.
    place: usize,
    /// States from which every way has been gone, or is being.
    seen: BTreeSet<u128>,
    /// What the runs came to.
    ends: BTreeSet<u128>,
    /// Whether draws are enumerated now, and not zero.
    is_branching: bool,
    /// Whether ways are gone to their end even where they meet others.
    is_whole: bool,
    /// Whether each way is gone, even if it can only say what another says.
    is_plain: bool,
    fate: Fate,
    /// Ways gone to their end, ways that were cut off at a state already seen, and ways that could
    /// only say what another does.
    pub(crate) whole: u64,
    pub(crate) cut: u64,
    pub(crate) needless: u64,
}

/// What becomes of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    Whole,
    Met,
    Needless,
}

impl Paths {
    /// One way.
    pub(crate) fn only(digits: Vec<(u64, u64)>) -> Self {
        Self { digits, is_whole: true, ..Self::default() }
    }

    pub(super) fn branch(&mut self, is_branching: bool) {
        self.is_branching = is_branching;
    }

    pub(super) fn choose(&mut self, bound: u64) -> u64 {
        if !self.is_branching || bound == 1 {
            return 0;
        }
        if self.place == self.digits.len() {
            self.digits.push((0, bound));
        }
        let (value, told) = self.digits[self.place];
        assert_eq!(told, bound, "the same choices lead to another question: a run is not pure");
        self.place += 1;
        value
    }

    /// Says in what state the next draw is made. True if all that follows has been seen: then the
    /// run is to end here.
    pub(crate) fn is_known(&mut self, state: u128) -> bool {
        // Within what was told, the state is the one in which the last run stood.
        let is_new = self.place < self.digits.len() || self.seen.insert(state);
        if !is_new && !self.is_whole {
            self.fate = Fate::Met;
        }
        self.fate != Fate::Whole
    }

    pub(super) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Another way says all that this one can.
    pub(super) fn leave(&mut self) {
        self.fate = Fate::Needless;
    }

    /// Whether the next draw is one that no run before it made.
    pub(crate) fn is_new_ground(&self) -> bool {
        self.place >= self.digits.len()
    }

    pub(super) fn end(&mut self, state: u128) {
        self.ends.insert(state);
    }

    /// After a run: goes to the next way. False when there is none.
    pub(crate) fn next(&mut self) -> bool {
        match std::mem::take(&mut self.fate) {
            Fate::Whole => self.whole += 1,
            Fate::Met => self.cut += 1,
            Fate::Needless => self.needless += 1,
        }
        self.is_branching = false;
        self.digits.truncate(self.place);
        self.place = 0;
        while let Some((value, bound)) = self.digits.pop() {
            if value + 1 < bound {
                self.digits.push((value + 1, bound));
                return true;
            }
        }
        false
    }

    /// States that were told apart.
    pub(crate) fn states(&self) -> usize {
        self.seen.len()
    }

    /// How many ends there are.
    pub(crate) fn ends(&self) -> usize {
        self.ends.len()
    }

    /// The way of this run: to be gone again alone.
    pub(crate) fn digits(&self) -> &[(u64, u64)] {
        &self.digits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Paths {
        /// All ways, even where they meet.
        pub(crate) fn whole() -> Self {
            Self { is_whole: true, ..Self::plain() }
        }

        /// All ways to where they meet, even those that can only say what another says.
        pub(crate) fn plain() -> Self {
            Self { is_plain: true, ..Self::default() }
        }

        pub(crate) fn all_ends(&self) -> &BTreeSet<u128> {
            &self.ends
        }
    }

    #[test]
    fn every_way_is_gone_once() {
        let mut paths = Paths::default();
        let mut gone = Vec::new();
        loop {
            paths.branch(true);
            let first = paths.choose(3);
            let rest = if first == 1 { vec![] } else { vec![paths.choose(2), paths.choose(1)] };
            gone.push((first, rest));
            if !paths.next() {
                break;
            }
        }
        let ways =
            [(0, vec![0, 0]), (0, vec![1, 0]), (1, vec![]), (2, vec![0, 0]), (2, vec![1, 0])];
        assert_eq!(gone, ways);
        assert_eq!((paths.whole, paths.cut), (5, 0));
    }

    #[test]
    fn ways_that_meet_are_gone_on_from_once() {
        // The sum of the draws so far is all that counts.
        let mut paths = Paths::default();
        let mut sums = BTreeSet::new();
        loop {
            paths.branch(true);
            let mut sum = 0;
            for turn in 0..4 {
                if paths.is_known(turn << 64 | u128::from(sum)) {
                    break;
                }
                sum += paths.choose(2);
                if turn == 3 {
                    sums.insert(sum);
                }
            }
            if !paths.next() {
                break;
            }
        }
        assert_eq!(sums.len(), 5);
        assert_eq!(paths.states(), 1 + 2 + 3 + 4);
        assert_eq!((paths.whole, paths.cut), (8, 3));
    }
}
