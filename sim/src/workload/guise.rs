//! What things are called in a world, and where its ids come from. Neither may make a difference.

use crate::choice::{Choices, Stream, mix};

/// Names of one length each, which stand nowhere else in what anybody says.
const SPACES: [&str; 8] = ["/adze", "/yurt", "/quay", "/dhow", "/kiva", "/tarn", "/gyre", "/ibex"];
const ROOMS: [&str; 10] = [
    "belfry", "cellar", "turret", "vestry", "pantry", "atrium", "garret", "studio", "lounge",
    "zenana",
];

/// Names for what the program has, and a seed for ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guise {
    /// The namespace that wants a word, and the one that takes its time. The one that everybody
    /// knows has but one name.
    pub(crate) word: &'static str,
    pub(crate) late: &'static str,
    pub(crate) rooms: [&'static str; 3],
    /// Of the server, if not the world's.
    pub(crate) secret: Option<u64>,
    /// What the program draws by itself: `cx.random()` comes of the server's secret.
    draws: Option<u64>,
}

impl Default for Guise {
    fn default() -> Self {
        Self::PLAIN
    }
}

impl Guise {
    pub(crate) const PLAIN: Self = Self {
        word: super::WORDED,
        late: super::LATE,
        rooms: ["a", "b", "c"],
        secret: None,
        draws: None,
    };

    /// Two of the same lengths, with no name and no id in common.
    pub(crate) fn pair(seed: u64, choices: &mut Choices, stream: Stream) -> [Self; 2] {
        let spaces: [_; 4] = some(SPACES, choices, stream);
        let rooms: [_; 6] = some(ROOMS, choices, stream);
        let draws = Some(choices.choose(stream, u64::MAX));
        let other = seed.wrapping_add(1 + choices.choose(stream, u64::MAX));
        [(0, 0, seed), (2, 3, other)].map(|(space, room, secret)| Self {
            word: spaces[space],
            late: spaces[space + 1],
            rooms: [rooms[room], rooms[room + 1], rooms[room + 2]],
            secret: Some(secret),
            draws,
        })
    }

    /// Whether it is one of two.
    pub(crate) fn is_of_pair(self) -> bool {
        self != Self::PLAIN
    }

    /// What a namespace of the program is called.
    pub(crate) fn space(self, plain: &'static str) -> &'static str {
        match plain {
            super::WORDED => self.word,
            super::LATE => self.late,
            other => other,
        }
    }

    /// All that has another name in another guise.
    pub(crate) fn names(self) -> [&'static str; 5] {
        let [a, b, c] = self.rooms;
        [&self.word[1..], &self.late[1..], a, b, c]
    }

    /// A number that is the program's own, if it has its own, in the place of one of the server's.
    pub(crate) fn draw(self, count: u64, drawn: u64) -> u64 {
        self.draws.map_or(drawn, |draws| mix(draws, count, 0))
    }
}

/// So many of these, in any order.
fn some<const N: usize, const M: usize>(
    mut all: [&'static str; N],
    choices: &mut Choices,
    stream: Stream,
) -> [&'static str; M] {
    std::array::from_fn(|place| {
        let other = place + choices.choose(stream, (N - place) as u64) as usize;
        all.swap(place, other);
        all[place]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_have_names_of_one_length_and_none_in_common() {
        for seed in 0..50 {
            let mut choices = Choices::new(seed);
            let stream = choices.stream("relation", 0);
            let [one, two] = Guise::pair(seed, &mut choices, stream);
            assert!(one.is_of_pair() && two.is_of_pair() && one.secret != two.secret);
            let (ones, twos) = (one.names(), two.names());
            assert!(ones.iter().all(|name| !twos.contains(name)), "{ones:?} {twos:?}");
            assert_eq!(ones.map(str::len), twos.map(str::len));
            assert_eq!(one.draw(3, 1), two.draw(3, 2));
        }
        assert_eq!(Guise::PLAIN.draw(3, 1), 1);
    }
}
