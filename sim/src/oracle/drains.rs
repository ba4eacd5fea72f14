//! E6: whoever was told that a client is behind is told once when it has caught up.

use std::collections::BTreeMap;

use parlor::{SendStatus, SessionId};

use super::{Property, Verdicts};

/// Sessions that may be told to have drained. Keys are the core's.
#[derive(Debug, Default)]
pub(crate) struct Drains {
    episodes: BTreeMap<SessionId, Episode>,
    /// A broadcast left somebody behind, and does not say whom.
    casts: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Episode {
    /// It was told, and what was cast up to then is accounted for.
    Over(u64),
    /// It may have been behind.
    Maybe,
    Open,
}

impl Drains {
    /// What became of an emit.
    pub(crate) fn sent(&mut self, session: SessionId, status: SendStatus, is_volatile: bool) {
        let is_behind = match status {
            SendStatus::Backlogged { .. } => true,
            SendStatus::Dropped => !is_volatile,
            SendStatus::Sent | SendStatus::Gone | SendStatus::Invalid => false,
        };
        if is_behind {
            self.episodes.insert(session, Episode::Open);
        }
    }

    /// An ask was made: whether its client was behind is not told.
    pub(crate) fn asked(&mut self, session: SessionId) {
        self.episodes.entry(session).or_insert(Episode::Maybe);
        if let Some(episode @ Episode::Over(_)) = self.episodes.get_mut(&session) {
            *episode = Episode::Maybe;
        }
    }

    /// A broadcast left bytes waiting, or was not taken, somewhere.
    pub(crate) fn cast(&mut self) {
        self.casts += 1;
    }

    pub(crate) fn drained(&mut self, session: SessionId, verdicts: &mut Verdicts) {
        let episode = self.episodes.insert(session, Episode::Over(self.casts));
        let is_owed = match episode {
            Some(Episode::Open | Episode::Maybe) => true,
            Some(Episode::Over(casts)) => casts < self.casts,
            None => self.casts > 0,
        };
        verdicts.claim(Property::E6, is_owed, || format!("{session:?} drains, and did not wait"));
    }

    /// Whether a session is at its bound, or behind.
    pub(crate) fn is_behind(&self, session: SessionId) -> bool {
        self.episodes.get(&session) == Some(&Episode::Open)
    }

    pub(crate) fn closed(&mut self, session: SessionId) {
        self.episodes.remove(&session);
    }

    /// Everything has been taken.
    pub(crate) fn settled(&self, verdicts: &mut Verdicts) {
        let open = self.episodes.iter().find(|(_, episode)| **episode == Episode::Open);
        verdicts.claim(Property::E6, open.is_none(), || {
            format!("{open:?} was behind, and nobody said that it has caught up")
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::agenda::tests::session;
    use super::super::tests::fires;
    use super::*;

    #[test]
    fn e6_one_drained_for_each_episode() {
        let session = session();
        let drain = |sent: &'static [(SendStatus, bool)], casts: u32, drained: u32| {
            move |verdicts: &mut Verdicts| {
                let mut drains = Drains::default();
                sent.iter().for_each(|&(status, volatile)| drains.sent(session, status, volatile));
                (0..casts).for_each(|_| drains.cast());
                (0..drained).for_each(|_| drains.drained(session, verdicts));
                drains.settled(verdicts);
            }
        };
        const WAITS: (SendStatus, bool) = (SendStatus::Backlogged { bytes: 1 }, false);
        fires(None, drain(&[WAITS, WAITS], 0, 1));
        fires(None, drain(&[(SendStatus::Dropped, false)], 0, 1));
        fires(None, drain(&[(SendStatus::Dropped, true), (SendStatus::Sent, false)], 0, 0));
        fires(None, drain(&[], 1, 1));
        fires(None, |verdicts| {
            let mut drains = Drains::default();
            drains.asked(session);
            drains.drained(session, verdicts);
            drains.asked(session);
            drains.settled(verdicts);
        });
        fires(Some(Property::E6), drain(&[WAITS], 0, 0));
        fires(Some(Property::E6), drain(&[WAITS], 0, 2));
        fires(Some(Property::E6), drain(&[], 1, 2));
        fires(Some(Property::E6), drain(&[(SendStatus::Dropped, true)], 0, 1));
    }
}
