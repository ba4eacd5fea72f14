//! Where every decision of a run comes from: named streams of numbers that depend on nothing but
//! the seed, the stream's name, the span and how many numbers that gave. One more draw in one
//! stream, or one span more, leaves all the others as they were.
//!
//! A span is one thing that somebody does: what a client does next, a fault. Spans are counted by
//! label, so an answer more or less does not move the thoughts beside it. By two conventions a log
//! can be made smaller without knowing the world:
//!
//! - Zero is always the simplest: nothing happens, no jitter, a whole segment, the shortest text.
//! - Where spans follow each other, the first draw of each is the pause until the next, and zero
//!   means that there is none. So a world that is told nothing but zeros stands still.

mod log;
mod paths;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

pub use log::{ChoiceLog, Draw};
use log::{Spans, StreamLog};
pub(crate) use paths::Paths;

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

/// All draws of one run: made from the seed, read from a [`ChoiceLog`], or one way of
/// all.
#[derive(Debug)]
pub struct Choices {
    seed: u64,
    source: Source,
    streams: Vec<State>,
    is_recording: bool,
    drift: Option<Drift>,
    rescue: Option<Rescue>,
    /// The world's time.
    now: u64,
    /// From then on another seed says all.
    fork: Option<(u64, u64)>,
    /// What comes later is of no interest.
    horizon: u64,
    /// Events so far, and how many are of interest.
    steps: u64,
    steps_max: u64,
}

#[derive(Debug)]
enum Source {
    Seed,
    Log(ChoiceLog, Missing),
    Paths(Box<Paths>),
}

/// What is drawn where a log has nothing that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    /// What the seed says, and it is told.
    Drift,
    /// What the seed says.
    Seed,
    /// Zero, or what comes nearest to what the log has.
    Zero,
}

#[derive(Debug)]
struct State {
    name: Name,
    key: u64,
    labels: Vec<Label>,
    /// Of the span in which draws are made now: its key, its draws so far, and what the log has.
    span_key: u64,
    counter: u64,
    replay: Option<Replay>,
    drawn: StreamLog,
    draws: u64,
}

/// The spans of one label.
#[derive(Debug)]
struct Label {
    text: &'static str,
    key: u64,
    count: u64,
}

/// The place in a log at which a stream is.
#[derive(Debug)]
struct Replay {
    log: Arc<StreamLog>,
    /// Of the label, and the span.
    at: Option<(usize, usize)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name(&'static str, u64, Option<u64>);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.0, self.1)?;
        self.2.map_or(Ok(()), |part| write!(f, ".{part}"))
    }
}

/// Draws that stand before the first span of a stream.
const HEAD: &str = "";

/// The stream whose draws are enumerated, where they are: what comes next.
const BRANCHING: &str = "next";

impl Choices {
    /// Draws from a seed.
    pub fn new(seed: u64) -> Self {
        Self::of(seed, Source::Seed)
    }

    /// Draws from a seed, and keeps a log of it.
    pub fn recorded(seed: u64) -> Self {
        Self::of(seed, Source::Seed).recording()
    }

    /// Draws what a log says. Where the log does not fit (another bound, or an end too early) it
    /// goes on with the seed, and [`drift`](Self::drift) tells.
    pub fn replayed(log: ChoiceLog) -> Self {
        Self::of_log(log, Missing::Drift)
    }

    /// Draws what a log says that was edited, and zero where it says nothing; keeps a log of what
    /// came of it.
    pub fn edited(log: ChoiceLog) -> Self {
        Self::of_log(log, Missing::Zero).recording()
    }

    /// Draws what a log says until that time, in microseconds, and what another seed says from then
    /// on: one of the worlds that may still come of a beginning.
    pub fn forked(log: ChoiceLog, at: u64, seed: u64) -> Self {
        let mut choices = Self::of_log(log, Missing::Zero);
        choices.fork = Some((at, seed));
        choices
    }

    /// Draws what a log says, and from its seed where it says nothing; keeps a log of all of it.
    pub fn continued(log: ChoiceLog) -> Self {
        Self::of_log(log, Missing::Seed).recording()
    }

    /// Goes the next way of all. Only [`BRANCHING`] is drawn from in all ways, while
    /// [`branch`](Self::branch) lets it; all else is zero.
    pub(crate) fn enumerated(paths: Paths) -> Self {
        Self::of(0, Source::Paths(Box::new(paths)))
    }

    /// What was drawn in a run that is recorded, for another run. What that asks for besides, the
    /// seed says where it said all; else it is zero.
    pub(crate) fn again(&self) -> Self {
        let missing = match self.source {
            Source::Seed | Source::Log(_, Missing::Seed) => Missing::Seed,
            Source::Log(..) | Source::Paths(_) => Missing::Zero,
        };
        Self::of_log(self.log(), missing).recording().until(self.horizon)
    }

    /// Of a log of a run that was cut off, a run is too.
    fn of_log(log: ChoiceLog, missing: Missing) -> Self {
        let horizon = log.horizon();
        Self::of(log.seed(), Source::Log(log, missing)).until(horizon)
    }

    fn of(seed: u64, source: Source) -> Self {
        Self {
            seed,
            source,
            streams: Vec::new(),
            is_recording: false,
            drift: None,
            rescue: None,
            now: 0,
            fork: None,
            horizon: u64::MAX,
            steps: 0,
            steps_max: u64::MAX,
        }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The world's time has come to this.
    pub(crate) fn time(&mut self, now: u64) {
        self.now = now;
        self.steps += 1;
    }

    /// The same; the run ends where its time passes this.
    #[must_use]
    pub(crate) fn until(mut self, horizon: u64) -> Self {
        self.horizon = horizon;
        self
    }

    /// The same; the run ends behind so many events.
    #[must_use]
    pub(crate) fn within(mut self, steps_max: u64) -> Self {
        self.steps_max = steps_max;
        self
    }

    /// Events so far.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    pub(crate) fn is_beyond(&self) -> bool {
        self.now > self.horizon || self.is_spent()
    }

    /// Whether more happens than is of interest.
    pub(crate) fn is_spent(&self) -> bool {
        self.steps > self.steps_max
    }

    /// The other seed, from the fork on.
    fn other_seed(&self) -> Option<u64> {
        self.fork.filter(|&(at, _)| self.now >= at).map(|(_, seed)| seed)
    }

    /// The same, and the log is saved if the run panics.
    #[must_use]
    pub fn rescued(mut self, rescue: &Rescue) -> Self {
        self.rescue = Some(rescue.clone());
        self.recording()
    }

    /// The same, and a log is kept.
    #[must_use]
    pub(crate) fn recording(mut self) -> Self {
        self.is_recording = true;
        self
    }

    /// The stream of this name and number, from its beginning. To be asked for once.
    pub fn stream(&mut self, name: &'static str, number: u64) -> Stream {
        self.open(Name(name, number, None))
    }

    /// The stream of a part of something that has a number, and a number of its own there.
    pub fn stream_of(&mut self, name: &'static str, number: u64, part: u64) -> Stream {
        self.open(Name(name, number, Some(part)))
    }

    fn open(&mut self, name: Name) -> Stream {
        let key = key(name.1, name.0);
        let key = name.2.map_or(key, |part| mix(key, part, 1));
        let log = match &self.source {
            Source::Log(log, _) => log.stream(&name.to_string()),
            Source::Seed | Source::Paths(_) => None,
        };
        let replay = log.map(|log| Replay { at: log.find(HEAD, 0), log });
        self.streams.push(State {
            name,
            key,
            labels: Vec::new(),
            span_key: key,
            counter: 0,
            replay,
            drawn: StreamLog::default(),
            draws: 0,
        });
        Stream(self.streams.len() as u32 - 1)
    }

    /// The next draws of this stream are those of one thing, until its next span.
    pub fn span(&mut self, stream: Stream, label: &'static str) {
        let is_recording = self.is_recording;
        let state = &mut self.streams[stream.0 as usize];
        let known = state.labels.iter().position(|known| known.text == label);
        let place = known.unwrap_or_else(|| {
            let key = key(state.key, label);
            state.labels.push(Label { text: label, key, count: 0 });
            state.labels.len() - 1
        });
        let known = &mut state.labels[place];
        (state.span_key, state.counter) = (mix(known.key, known.count, 2), 0);
        if let Some(replay) = &mut state.replay {
            replay.at = replay.log.find(label, known.count as usize);
        }
        known.count += 1;
        if is_recording {
            state.drawn.begin(label);
        }
    }

    /// A number below `bound`, which is at least 1.
    pub fn choose(&mut self, stream: Stream, bound: u64) -> u64 {
        let other = self.other_seed();
        let seed = other.unwrap_or(self.seed);
        let state = &mut self.streams[stream.0 as usize];
        let place = state.counter;
        state.counter += 1;
        state.draws += 1;
        let random = |state: &State| {
            let random = mix(seed, state.span_key, place);
            ((u128::from(random) * u128::from(bound)) >> 64) as u64
        };
        let mut lost = None;
        let value = match &mut self.source {
            Source::Seed => random(state),
            Source::Log(..) if other.is_some() => random(state),
            Source::Paths(paths) if state.name.0 == BRANCHING => paths.choose(bound),
            Source::Paths(_) => 0,
            Source::Log(_, missing) => {
                let told = state.told(place);
                match (told, missing) {
                    (Some(draw), _) if draw.bound == bound => draw.value,
                    (Some(draw), Missing::Zero) => draw.value.min(bound - 1),
                    (None, Missing::Zero) => 0,
                    (_, Missing::Seed) => random(state),
                    (_, Missing::Drift) => {
                        lost = Some((state.place(place), told.map(|draw| draw.bound)));
                        random(state)
                    }
                }
            }
        };
        if self.is_recording {
            state.drawn.push(Draw { bound, value });
        }
        if let Some((place, found)) = lost {
            self.drifts(place, bound, found);
        }
        value
    }

    /// Something is asked for that the log does not have.
    fn drifts(&mut self, place: Place, bound: u64, found: Option<u64>) {
        if self.drift.is_some() {
            return;
        }
        let is_over = found.is_none() && self.left_over().is_none();
        self.drift = Some(match is_over {
            true => Drift::Ended { at: self.now },
            false => Drift::Other { place, bound, found },
        });
    }

    /// Whether something happens that does so `share` times in `of`. Zero is that it does not.
    pub fn happens(&mut self, stream: Stream, share: u64, of: u64) -> bool {
        self.choose(stream, of) >= of - share
    }

    /// Whether something that belongs to a world is in it: always, but in a log that was made
    /// smaller. Each is a span of its own, whose label says what it is.
    pub fn keep(&mut self, stream: Stream, label: &'static str) -> bool {
        self.span(stream, label);
        let is_other = self.other_seed().is_some();
        let state = &mut self.streams[stream.0 as usize];
        state.draws += 1;
        let mut lost = None;
        let value = match &self.source {
            Source::Log(..) if is_other => 1,
            Source::Log(_, missing) => match (state.told(0), missing) {
                (Some(draw), _) => draw.value,
                (None, Missing::Zero) => 0,
                (None, Missing::Seed) => 1,
                (None, Missing::Drift) => {
                    lost = Some(state.place(0));
                    1
                }
            },
            Source::Seed | Source::Paths(_) => 1,
        };
        state.counter = 1;
        if self.is_recording {
            state.drawn.push(Draw { bound: 2, value });
        }
        if let Some(place) = lost {
            self.drifts(place, 2, None);
        }
        value == 1
    }

    /// A number from `high` down to `low`, both included; the high one is the simplest.
    pub fn down(&mut self, stream: Stream, high: u64, low: u64) -> u64 {
        high - self.choose(stream, high - low + 1)
    }

    /// A number from `low` to `high`, both included; the low one is the simplest.
    pub fn between(&mut self, stream: Stream, low: u64, high: u64) -> u64 {
        low + self.choose(stream, high - low + 1)
    }

    /// How many numbers were drawn.
    pub fn draws(&self) -> u64 {
        self.streams.iter().map(|state| state.draws).sum()
    }

    /// Where the log stopped to fit, if it was [replayed](Self::replayed) and did; to be asked
    /// after the run, for choices that are left over count.
    pub fn drift(&self) -> Option<Drift> {
        let Source::Log(_, Missing::Drift) = &self.source else { return None };
        self.drift.clone().or_else(|| self.left_over())
    }

    /// What the log has and nobody has asked for so far.
    fn left_over(&self) -> Option<Drift> {
        let Source::Log(log, _) = &self.source else { return None };
        let unknown = || {
            let is_known = |name: &str| self.streams.iter().any(|s| s.name.to_string() == name);
            log.names().find(|name| !is_known(name)).map(|name| Drift::Unknown(name.into()))
        };
        self.streams.iter().find_map(State::left_over).or_else(unknown)
    }

    /// The log so far, of a run that is recorded.
    pub fn log(&self) -> ChoiceLog {
        let streams = self.streams.iter().filter(|state| !state.drawn.is_empty());
        let streams = streams.map(|state| (state.name.to_string(), state.drawn.clone()));
        ChoiceLog::new(self.seed, streams)
    }
}

/// Of a run that goes one of all ways; nothing for others.
impl Choices {
    /// From now on there are ways to choose from, or none.
    pub(crate) fn branch(&mut self, is_branching: bool) {
        if let Source::Paths(paths) = &mut self.source {
            paths.branch(is_branching);
        }
    }

    /// Says in what state the next draw is made. True if the run may end here, since all that can
    /// follow is known.
    pub(crate) fn is_known(&mut self, state: u128) -> bool {
        match &mut self.source {
            Source::Paths(paths) => paths.is_known(state),
            Source::Seed | Source::Log(..) => false,
        }
    }

    /// Whether each way is to be gone, even if it can only say what another says.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(&self.source, Source::Paths(paths) if paths.is_plain())
    }

    /// Ends the run here: another way says all that this one can.
    pub(crate) fn leave(&mut self) {
        if let Source::Paths(paths) = &mut self.source {
            paths.leave();
        }
    }

    /// Whether the run has left the ways of those before it, and has to say in what state it is.
    pub(crate) fn is_new_ground(&self) -> bool {
        matches!(&self.source, Source::Paths(paths) if paths.is_new_ground())
    }

    /// Says in what state the ways end.
    pub(crate) fn end(&mut self, state: u128) {
        if let Source::Paths(paths) = &mut self.source {
            paths.end(state);
        }
    }

    /// Where the enumeration is.
    pub(crate) fn take_paths(&mut self) -> Paths {
        match &mut self.source {
            Source::Paths(paths) => std::mem::take(paths),
            Source::Seed | Source::Log(..) => Paths::default(),
        }
    }
}

impl Drop for Choices {
    fn drop(&mut self) {
        if let Some(Rescue(saved)) = self.rescue.take().filter(|_| thread::panicking()) {
            *saved.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.log());
        }
    }
}

/// What a run that panicked had drawn.
#[derive(Clone, Debug, Default)]
pub struct Rescue(Arc<Mutex<Option<ChoiceLog>>>);

impl Rescue {
    /// The log, after a panic.
    pub fn log(&self) -> Option<ChoiceLog> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

fn key(first: u64, name: &str) -> u64 {
    name.bytes().fold(first, |key, byte| mix(key, u64::from(byte), 0))
}

impl State {
    fn told(&self, place: u64) -> Option<Draw> {
        let replay = self.replay.as_ref()?;
        let (label, span) = replay.at?;
        replay.log.labels[label].spans[span].get(place as usize).copied()
    }

    fn place(&self, draw: u64) -> Place {
        let key = self.span_key;
        let label = self.labels.iter().find(|label| mix(label.key, label.count - 1, 2) == key);
        let (label, span) = label.map_or((HEAD, 0), |label| (label.text, label.count - 1));
        Place { stream: self.name.to_string(), label: label.into(), span, draw }
    }

    /// What the log has of this stream and nobody asked for.
    fn left_over(&self) -> Option<Drift> {
        let log = &self.replay.as_ref()?.log;
        log.labels.iter().enumerate().find_map(|(place, Spans { label, spans })| {
            let known = self.labels.iter().find(|known| known.text == *label);
            let count = known.map_or(u64::from(label.is_empty()), |known| known.count);
            if (spans.len() as u64) > count {
                let stream = self.name.to_string();
                let more = spans.len() as u64 - count;
                return Some(Drift::More { stream, label: label.clone(), more });
            }
            if self.replay.as_ref()?.at != Some((place, count as usize - 1)) {
                return None;
            }
            let left = spans[count as usize - 1].get(self.counter as usize)?;
            let place = self.place(self.counter);
            Some(Drift::Other { place, bound: 0, found: Some(left.bound) })
        })
    }
}

/// A draw, by the names of what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    stream: String,
    label: String,
    span: u64,
    draw: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stream, label, span, draw } = self;
        write!(f, "choice {draw} of ")?;
        if !label.is_empty() {
            write!(f, "{label} {span} of ")?;
        }
        f.write_str(stream)
    }
}

/// Where a log does not fit the run that replays it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// Nowhere: the run is the one of the log to the log's end, and goes on. What failed, and does
    /// no more, does so.
    Ended {
        /// When the log ends, in microseconds.
        at: u64,
    },
    /// Another choice is asked for than the log has: below `bound`, or none for 0.
    Other {
        /// Which.
        place: Place,
        /// What the run asks for.
        bound: u64,
        /// What the log has.
        found: Option<u64>,
    },
    /// Less happens than the log has.
    More {
        /// Whose.
        stream: String,
        /// Of what.
        label: String,
        /// How many are left over.
        more: u64,
    },
    /// There is no such stream.
    Unknown(String),
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !matches!(self, Self::Ended { .. }) {
            f.write_str("the choices no longer fit: ")?;
        }
        match self {
            Self::Ended { at } => {
                let (seconds, micros) = (at / 1_000_000, at % 1_000_000);
                write!(f, "the log ends at {seconds}.{micros:06} s; the run went on")
            }
            Self::Other { place, bound: 0, .. } => write!(f, "{place} was not asked for"),
            Self::Other { place, bound, found: Some(found) } => {
                write!(f, "{place} is below {bound}, the log has one below {found}")
            }
            Self::Other { place, bound, found: None } => {
                write!(f, "{place} is below {bound}, the log has none")
            }
            Self::More { stream, label, more } => {
                write!(f, "{stream} has {more} more of {label} than there were")
            }
            Self::Unknown(stream) => write!(f, "nothing draws from {stream}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(choices: &mut Choices) -> Vec<u64> {
        let (a, b) = (choices.stream("a", 0), choices.stream_of("b", 1, 2));
        let mut drawn = vec![choices.choose(a, 7), choices.choose(b, 8)];
        for (stream, label) in [(a, "think"), (b, "fault"), (a, "answer"), (a, "think")] {
            choices.span(stream, label);
            drawn.extend([choices.choose(stream, 1000), choices.choose(stream, 9)]);
        }
        drawn
    }

    #[test]
    fn a_stream_does_not_feel_another_nor_a_span_one_of_another_label() {
        let mut one = Choices::new(7);
        let mut two = Choices::new(7);
        let (a1, a2, b2) = (one.stream("a", 0), two.stream("a", 0), two.stream("b", 0));
        for turn in 0..100 {
            two.choose(b2, 10);
            two.span(a2, "answer");
            two.choose(a2, 10);
            one.span(a1, "think");
            two.span(a2, "think");
            if turn % 3 == 0 {
                two.choose(a2, 10);
                one.choose(a1, 10);
                one.choose(a1, 10);
                continue;
            }
            assert_eq!(one.choose(a1, 1 << 40), two.choose(a2, 1 << 40));
        }
        let (a3, b3, c3) = (one.stream("a", 1), one.stream("b", 0), one.stream_of("a", 1, 0));
        let drawn = [a3, b3, c3].map(|stream| one.choose(stream, 1 << 40));
        assert!(drawn[0] != drawn[1] && drawn[0] != drawn[2] && drawn[1] != drawn[2], "{drawn:?}");
    }

    #[test]
    fn draws_are_below_their_bound_and_all_of_them_come() {
        let mut choices = Choices::new(1);
        let stream = choices.stream("a", 0);
        let mut seen = [0u32; 5];
        for turn in 0..1000 {
            if turn % 7 == 0 {
                choices.span(stream, "b");
            }
            seen[choices.choose(stream, 5) as usize] += 1;
        }
        assert!(seen.iter().all(|&times| times > 150), "{seen:?}");
    }

    #[test]
    fn a_log_repeats_a_run_and_its_text_repeats_the_log() {
        let mut first = Choices::recorded(3);
        let drawn = some(&mut first);
        let log = ChoiceLog::parse(&first.log().to_string()).unwrap();
        assert_eq!(log, first.log());
        let mut again = Choices::replayed(log.clone());
        assert_eq!(some(&mut again), drawn);
        assert_eq!(again.drift(), None);
        let mut again = Choices::edited(log.clone());
        assert_eq!(some(&mut again), drawn);
        assert_eq!(again.log(), log);
    }

    #[test]
    fn what_an_edited_log_does_not_say_is_zero_and_what_it_continues_is_the_seeds() {
        let drawn = some(&mut Choices::new(3));
        let text = "parlor-choices 2 seed 3\na#0: 5/7\na#0 think: 8/1000 8/100\n";
        let log = ChoiceLog::parse(text).unwrap();
        let edited = some(&mut Choices::edited(log.clone()));
        assert_eq!(edited, [5, 0, 8, 8, 0, 0, 0, 0, 0, 0]);
        let continued = some(&mut Choices::continued(log));
        assert_eq!(continued[..3], [5, drawn[1], 8]);
        assert_eq!(continued[3..], drawn[3..]);
    }

    #[test]
    fn a_fork_repeats_the_beginning_and_draws_the_rest_from_its_own_seed() {
        let run = |mut choices: Choices| {
            let stream = choices.stream("a", 0);
            let draw = |now| {
                choices.time(now);
                choices.choose(stream, 1 << 40)
            };
            (0..10).map(draw).collect::<Vec<_>>()
        };
        let mut first = Choices::recorded(3);
        let stream = first.stream("a", 0);
        let drawn: Vec<u64> = (0..10).map(|_| first.choose(stream, 1 << 40)).collect();
        let [one, two] = [1, 2].map(|seed| run(Choices::forked(first.log(), 4, seed)));
        assert_eq!((&one[..4], &two[..4]), (&drawn[..4], &drawn[..4]));
        assert!((4..10).all(|n| one[n] != drawn[n] && one[n] != two[n]));
        assert_eq!(one, run(Choices::forked(first.log(), 4, 1)));
    }

    #[test]
    fn what_belongs_to_a_world_is_in_it_unless_a_log_says_otherwise() {
        let keeps = |choices: &mut Choices| {
            let stream = choices.stream("cast", 0);
            [choices.keep(stream, "client"), choices.keep(stream, "client")]
        };
        let mut first = Choices::recorded(3);
        assert_eq!(keeps(&mut first), [true, true]);
        let text = first.log().to_string();
        assert_eq!(text, "parlor-choices 2 seed 3\ncast#0 client*2: 1/2\n");
        let log = |text: &str| ChoiceLog::parse(text).unwrap();
        assert_eq!(keeps(&mut Choices::replayed(log(&text))), [true, true]);
        let text = "parlor-choices 2 seed 3\ncast#0 client: 0/2\n";
        assert_eq!(keeps(&mut Choices::continued(log(text))), [false, true]);
        assert_eq!(keeps(&mut Choices::edited(log(text))), [false, false]);
        let mut strict = Choices::replayed(log(text));
        assert_eq!(keeps(&mut strict), [false, true]);
        assert_eq!(strict.drift(), Some(Drift::Ended { at: 0 }));
        let text = "parlor-choices 2 seed 3\ncast#0 client: 0/2\nfaults#0: 0/1\n";
        let mut strict = Choices::replayed(log(text));
        assert_eq!(keeps(&mut strict), [false, true]);
        let drift = strict.drift().unwrap().to_string();
        assert!(drift.ends_with("client 1 of cast#0 is below 2, the log has none"), "{drift}");
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
            choices.choose(a, 7);
            choices.span(a, "think");
            choices.choose(a, 99);
        });
        assert!(
            wider.ends_with("choice 0 of think 0 of a#0 is below 99, the log has one below 1000"),
            "{wider}"
        );
        let longer = drift(|choices| {
            let a = choices.stream("a", 0);
            choices.choose(a, 7);
            choices.choose(a, 9);
            some(choices);
        });
        assert!(longer.ends_with("choice 1 of a#0 is below 9, the log has none"), "{longer}");
        let fitting = drift(|choices| {
            choices.time(1_500_000);
            some(choices);
            choices.choose(Stream(0), 9);
            choices.stream("c", 0);
        });
        assert_eq!(fitting, "the log ends at 1.500000 s; the run went on");
        let fewer = drift(|choices| {
            let a = choices.stream("a", 0);
            choices.choose(a, 7);
            choices.span(a, "think");
            choices.choose(a, 1000);
            choices.choose(a, 9);
        });
        assert!(fewer.ends_with("a#0 has 1 more of answer than there were"), "{fewer}");
        let shorter = drift(|choices| {
            choices.stream("a", 0);
        });
        assert!(shorter.ends_with("choice 0 of a#0 was not asked for"), "{shorter}");
        let none = drift(|_| {});
        assert!(none.ends_with("nothing draws from a#0"), "{none}");
    }

    #[test]
    fn what_repeats_a_run_that_was_cut_off_is_cut_off_too() {
        let log = ChoiceLog::parse("parlor-choices 2 app a until 70 seed 3\n").unwrap();
        let is_cut = |mut choices: Choices, now| {
            choices.time(now);
            choices.is_beyond()
        };
        assert!(is_cut(Choices::replayed(log.clone()), 71));
        assert!(!is_cut(Choices::edited(log.clone()), 70));
        assert!(is_cut(Choices::edited(log.clone()).again(), 71));
        assert!(!is_cut(Choices::new(3).again(), u64::MAX));
        let named = log.clone().until(80).named(&log.fresh(3).with("app", "b"));
        assert_eq!((named.horizon(), named.world("app")), (80, Some("b")));
    }

    #[test]
    fn a_panic_leaves_its_log() {
        let rescue = Rescue::default();
        let mut choices = Choices::new(3).rescued(&rescue);
        let panicked = thread::scope(|scope| {
            let run = move || {
                some(&mut choices);
                std::panic::resume_unwind(Box::new(()));
            };
            scope.spawn(run).join().is_err()
        });
        assert!(panicked);
        let mut first = Choices::recorded(3);
        some(&mut first);
        assert_eq!(rescue.log(), Some(first.log()));
    }
}
