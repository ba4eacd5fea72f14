//! Where every decision of a run comes from: named streams of numbers that depend on nothing but
//! the seed, the stream's name and how many numbers it gave. One more draw in one stream leaves all
//! the others as they were.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

/// A number for each place of each stream of each seed.
pub fn mix(seed: u64, stream: u64, counter: u64) -> u64 {
    let mut z = seed ^ stream.rotate_left(23).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = z.wrapping_add(counter.wrapping_mul(0xd1b5_4a32_d192_ed03));
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        z = (z ^ (z >> 33)).wrapping_mul(factor);
    }
    z ^ (z >> 33)
}

/// One stream of a [`Choices`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream(u32);

/// All draws of one run: made from the seed, or read from a [`ChoiceLog`].
#[derive(Debug)]
pub struct Choices {
    seed: u64,
    streams: Vec<State>,
    is_recording: bool,
    /// What a log says, by the streams' names; the writer of the log chooses them.
    replay: Option<BTreeMap<String, Vec<Draw>>>,
    drift: Option<Drift>,
}

#[derive(Debug)]
struct State {
    key: u64,
    name: (&'static str, u64),
    counter: u64,
    drawn: Vec<Draw>,
    replay: Option<Vec<Draw>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Draw {
    bound: u64,
    value: u64,
}

impl Choices {
    /// Draws from a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, streams: Vec::new(), is_recording: false, replay: None, drift: None }
    }

    /// Draws from a seed, and keeps a log of it.
    pub fn recorded(seed: u64) -> Self {
        Self { is_recording: true, ..Self::new(seed) }
    }

    /// Draws what a log says. Where the log does not fit (another bound, or an end too early) it
    /// goes on with the seed, and [`drift`](Self::drift) tells.
    pub fn replayed(log: ChoiceLog) -> Self {
        Self { replay: Some(log.streams), ..Self::new(log.seed) }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The stream of this name and number, from its beginning. To be asked for once.
    pub fn stream(&mut self, name: &'static str, number: u64) -> Stream {
        let key = name.bytes().fold(number, |key, byte| mix(key, u64::from(byte), 0));
        let label = || label((name, number));
        let replay = self.replay.as_mut().map(|all| all.remove(&label()).unwrap_or_default());
        let state = State { key, name: (name, number), counter: 0, drawn: Vec::new(), replay };
        self.streams.push(state);
        Stream(self.streams.len() as u32 - 1)
    }

    /// A number below `bound`, which is at least 1.
    pub fn choose(&mut self, stream: Stream, bound: u64) -> u64 {
        let state = &mut self.streams[stream.0 as usize];
        let place = state.counter;
        state.counter += 1;
        let random = mix(self.seed, state.key, place);
        let mut value = ((u128::from(random) * u128::from(bound)) >> 64) as u64;
        if let Some(replay) = &state.replay {
            let told = replay.get(place as usize).copied();
            match told {
                Some(draw) if draw.bound == bound && draw.value < bound => value = draw.value,
                _ if self.drift.is_none() => {
                    let found = told.map(|draw| draw.bound);
                    self.drift = Some(Drift { stream: label(state.name), place, bound, found });
                }
                _ => {}
            }
        }
        if self.is_recording {
            state.drawn.push(Draw { bound, value });
        }
        value
    }

    /// Whether something happens that does so `share` times in `of`.
    pub fn happens(&mut self, stream: Stream, share: u64, of: u64) -> bool {
        self.choose(stream, of) < share
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, stream: Stream, low: u64, high: u64) -> u64 {
        low + self.choose(stream, high - low + 1)
    }

    /// How many numbers were drawn.
    pub fn draws(&self) -> u64 {
        self.streams.iter().map(|state| state.counter).sum()
    }

    /// Where the log stopped to fit, if it was replayed and did; to be asked after the run, for
    /// choices that are left over count.
    pub fn drift(&self) -> Option<Drift> {
        let left_over = self.streams.iter().find_map(|state| {
            let draw = state.replay.as_ref()?.get(state.counter as usize)?;
            let (stream, place) = (label(state.name), state.counter);
            Some(Drift { stream, place, bound: 0, found: Some(draw.bound) })
        });
        let unknown = self.replay.iter().flatten().next().map(|(stream, draws)| Drift {
            stream: stream.clone(),
            place: 0,
            bound: 0,
            found: draws.first().map(|draw| draw.bound),
        });
        self.drift.clone().or(left_over).or(unknown)
    }

    /// The log so far, of a run that is [recorded](Self::recorded).
    pub fn log(&self) -> ChoiceLog {
        let streams = self.streams.iter().filter(|state| !state.drawn.is_empty());
        let streams = streams.map(|state| (label(state.name), state.drawn.clone())).collect();
        ChoiceLog { seed: self.seed, streams }
    }
}

fn label((name, number): (&'static str, u64)) -> String {
    format!("{name}#{number}")
}

/// The place at which a log does not fit the run that replays it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    stream: String,
    place: u64,
    bound: u64,
    found: Option<u64>,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, place, bound, found } = self;
        write!(f, "the choices no longer fit: choice {place} of {stream} ")?;
        match (bound, found) {
            (0, Some(_)) => f.write_str("and later ones were not asked for"),
            (_, Some(found)) => write!(f, "is below {bound}, the log has one below {found}"),
            (_, None) => write!(f, "is below {bound}, the log has none"),
        }
    }
}

/// The choices of one run, by stream. Its text has a line for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChoiceLog {
    seed: u64,
    streams: BTreeMap<String, Vec<Draw>>,
}

impl ChoiceLog {
    const HEAD: &'static str = "parlor-choices 1 seed ";

    /// Reads its text. Fails with the number of the line that is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        let seed = lines.next().and_then(|line| line.strip_prefix(Self::HEAD)?.parse().ok());
        let seed = seed.ok_or("line 1 is not the head of a choice log")?;
        let mut streams = BTreeMap::new();
        for (line, number) in lines.zip(2..) {
            let (name, draws) = stream_of(line).ok_or(format!("line {number} has no choices"))?;
            streams.insert(name, draws);
        }
        Ok(Self { seed, streams })
    }
}

fn stream_of(line: &str) -> Option<(String, Vec<Draw>)> {
    let (name, draws) = line.split_once(": ")?;
    let draw = |text: &str| {
        let (value, bound) = text.split_once('/')?;
        Some(Draw { bound: bound.parse().ok()?, value: value.parse().ok()? })
    };
    Some((name.to_string(), draws.split(' ').map(draw).collect::<Option<_>>()?))
}

impl fmt::Display for ChoiceLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}{}", Self::HEAD, self.seed)?;
        for (name, draws) in &self.streams {
            write!(f, "{name}:")?;
            draws.iter().try_for_each(|draw| write!(f, " {}/{}", draw.value, draw.bound))?;
            f.write_char('\n')?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(choices: &mut Choices) -> Vec<u64> {
        let (a, b) = (choices.stream("a", 0), choices.stream("b", 1));
        let streams = [a, b, a, a, b];
        streams.into_iter().zip(10..).map(|(stream, bound)| choices.choose(stream, bound)).collect()
    }

    #[test]
    fn a_stream_does_not_feel_another() {
        let mut one = Choices::new(7);
        let mut two = Choices::new(7);
        let (a1, a2, b2) = (one.stream("a", 0), two.stream("a", 0), two.stream("b", 0));
        for _ in 0..100 {
            two.choose(b2, 10);
            assert_eq!(one.choose(a1, 1 << 40), two.choose(a2, 1 << 40));
        }
        let (a3, b3) = (one.stream("a", 1), one.stream("b", 0));
        assert_ne!(one.choose(a3, 1 << 40), one.choose(b3, 1 << 40));
    }

    #[test]
    fn draws_are_below_their_bound_and_all_of_them_come() {
        let mut choices = Choices::new(1);
        let stream = choices.stream("a", 0);
        let mut seen = [0u32; 5];
        (0..1000).for_each(|_| seen[choices.choose(stream, 5) as usize] += 1);
        assert!(seen.iter().all(|&times| times > 150), "{seen:?}");
    }

    #[test]
    fn a_log_repeats_a_run_and_its_text_repeats_the_log() {
        let mut first = Choices::recorded(3);
        let drawn = some(&mut first);
        let log = ChoiceLog::parse(&first.log().to_string()).unwrap();
        assert_eq!(log, first.log());
        let mut again = Choices::replayed(log);
        assert_eq!(some(&mut again), drawn);
        assert_eq!(again.drift(), None);
    }

    #[test]
    fn a_log_that_no_longer_fits_says_where() {
        let mut first = Choices::recorded(3);
        some(&mut first);
        let drift = |f: fn(&mut Choices)| {
            let mut again = Choices::replayed(first.log());
            f(&mut again);
            again.drift().map(|drift| drift.to_string()).unwrap_or_default()
        };
        let wider = drift(|choices| {
            let a = choices.stream("a", 0);
            choices.choose(a, 99);
        });
        assert!(
            wider.ends_with("choice 0 of a#0 is below 99, the log has one below 10"),
            "{wider}"
        );
        let longer = drift(|choices| {
            some(choices);
            choices.choose(Stream(0), 9);
        });
        assert!(longer.ends_with("choice 3 of a#0 is below 9, the log has none"), "{longer}");
        let shorter = drift(|choices| {
            let a = choices.stream("a", 0);
            choices.choose(a, 10);
        });
        assert!(shorter.contains("choice 1 of a#0 and later"), "{shorter}");
        assert!(ChoiceLog::parse("").is_err());
        let torn = ChoiceLog::parse("parlor-choices 1 seed 3\na#0: 1/2 7");
        assert_eq!(torn, Err("line 2 has no choices".to_string()));
    }
}
