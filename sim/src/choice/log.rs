//! The choices of a run as a text: a line for each span, in the order of streams and labels. A line
//! that is deleted is a thing that does not happen.
//!
//! ```text
//! parlor-choices 2 app workload profile swarm seed 42
//! cast#0 client*6: 1/2
//! client#0: 0/1000000
//! client#0 think: 400000/2200001 7/400 0/3*4
//! down#2.0: 0/5001*31 17/5001
//! ```
//!
//! A draw is its value and its bound. `*` repeats a draw, or a line.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;

/// What a draw came to, and below what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// The number, below `bound`.
    pub value: u64,
    /// How many there were to choose from.
    pub bound: u64,
}

/// The choices of one run, by stream, label and span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChoiceLog {
    seed: u64,
    /// In what world: pairs of a key and a value, of no spaces.
    world: BTreeMap<String, String>,
    streams: BTreeMap<String, Arc<StreamLog>>,
}

/// The draws of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamLog {
    pub(crate) labels: Vec<Spans>,
    /// Of the label that draws go to.
    current: usize,
}

/// The spans of one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spans {
    pub(crate) label: String,
    pub(crate) spans: Vec<Vec<Draw>>,
}

impl StreamLog {
    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    pub(crate) fn begin(&mut self, label: &str) {
        let known = self.labels.iter().position(|known| known.label == label);
        self.current = known.unwrap_or_else(|| {
            self.labels.push(Spans { label: label.into(), spans: Vec::new() });
            self.labels.len() - 1
        });
        self.labels[self.current].spans.push(Vec::new());
    }

    pub(crate) fn push(&mut self, draw: Draw) {
        if self.labels.is_empty() {
            self.begin(super::HEAD);
        }
        let span = self.labels[self.current].spans.last_mut();
        span.expect("a label begins with a span").push(draw);
    }

    /// The place of a label, and of a span of it.
    pub(crate) fn find(&self, label: &str, span: usize) -> Option<(usize, usize)> {
        let place = self.labels.iter().position(|known| known.label == label)?;
        (span < self.labels[place].spans.len()).then_some((place, span))
    }
}

impl ChoiceLog {
    const HEAD: &'static str = "parlor-choices 2 ";
    const UNTIL: &'static str = "until";
    /// Draws of one log; a number after `*` must not fill the memory.
    const DRAWS_MAX: usize = 1 << 24;

    pub(crate) fn new(seed: u64, streams: impl Iterator<Item = (String, StreamLog)>) -> Self {
        let mut log = Self { seed, world: BTreeMap::new(), streams: BTreeMap::new() };
        for (name, mut stream) in streams {
            // The order in which labels came up is not told by the text.
            stream.labels.sort_by(|a, b| a.label.cmp(&b.label));
            stream.current = 0;
            log.streams.insert(name, Arc::new(stream));
        }
        log
    }

    /// The same, and its head says this of the world.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.world.insert(key.into(), value.into());
        self
    }

    /// What its head says of the world.
    pub fn world(&self, key: &str) -> Option<&str> {
        self.world.get(key).map(String::as_str)
    }

    /// The seed of the run, from which ids come too.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Nothing but a seed, in the same world.
    pub(crate) fn fresh(&self, seed: u64) -> Self {
        Self { seed, world: self.world.clone(), streams: BTreeMap::new() }
    }

    /// The same choices, and another seed for what they do not say.
    pub(crate) fn reseeded(&self, seed: u64) -> Self {
        Self { seed, ..self.clone() }
    }

    /// As `other` of the same world says it is called.
    pub(crate) fn named(mut self, other: &Self) -> Self {
        let horizon = self.world.remove(Self::UNTIL);
        self.world.clone_from(&other.world);
        self.world.extend(horizon.map(|horizon| (Self::UNTIL.into(), horizon)));
        self
    }

    /// The same, of a run that was cut off there, in microseconds.
    pub(crate) fn until(self, horizon: u64) -> Self {
        match horizon {
            u64::MAX => self,
            horizon => self.with(Self::UNTIL, &horizon.to_string()),
        }
    }

    /// Where its run was cut off.
    pub(crate) fn horizon(&self) -> u64 {
        self.world(Self::UNTIL).and_then(|text| text.parse().ok()).unwrap_or(u64::MAX)
    }

    pub(crate) fn stream(&self, name: &str) -> Option<Arc<StreamLog>> {
        self.streams.get(name).cloned()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.streams.keys().map(String::as_str)
    }

    /// A stream to be changed.
    pub(crate) fn edit(&mut self, name: &str) -> Option<&mut StreamLog> {
        self.streams.get_mut(name).map(Arc::make_mut)
    }

    /// Says nothing of this stream.
    pub(crate) fn remove(&mut self, name: &str) {
        self.streams.remove(name);
    }

    /// Says of this stream which of what is labelled so is [kept](super::Choices::keep).
    pub(crate) fn say(&mut self, name: &str, kept: impl Iterator<Item = (&'static str, u64)>) {
        let mut stream = StreamLog::default();
        for (label, value) in kept {
            stream.begin(label);
            stream.push(Draw { bound: 2, value });
        }
        self.streams.insert(name.into(), Arc::new(stream));
    }

    /// Reads its text. Fails with the number of the line that is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines();
        let head = lines.next().and_then(|line| head(line.strip_prefix(Self::HEAD)?));
        let (seed, world) = head.ok_or("line 1 is not the head of a choice log")?;
        let mut streams: BTreeMap<String, StreamLog> = BTreeMap::new();
        let mut room = Self::DRAWS_MAX;
        for (line, number) in lines.zip(2..) {
            let line =
                line_of(line, room).ok_or_else(|| format!("line {number} has no choices"))?;
            room -= line.times * line.draws.len();
            let stream = streams.entry(line.stream.into()).or_default();
            for _ in 0..line.times {
                stream.begin(line.label);
                line.draws.iter().for_each(|&draw| stream.push(draw));
            }
        }
        let log = Self::new(seed, streams.into_iter());
        Ok(Self { world, ..log })
    }
}

/// `key value key value`, with a seed among them.
fn head(text: &str) -> Option<(u64, BTreeMap<String, String>)> {
    let mut words = text.split(' ');
    let mut world = BTreeMap::new();
    while let Some(key) = words.next() {
        world.insert(key.to_string(), words.next()?.to_string());
    }
    Some((world.remove("seed")?.parse().ok()?, world))
}

struct Line<'a> {
    stream: &'a str,
    label: &'a str,
    times: usize,
    draws: Vec<Draw>,
}

fn line_of(line: &str, room: usize) -> Option<Line<'_>> {
    let (name, rest) = line.split_once(':')?;
    let (name, times) = repeated(name)?;
    let (stream, label) = name.split_once(' ').unwrap_or((name, super::HEAD));
    let mut draws = Vec::new();
    for word in rest.split(' ').skip(1) {
        let (draw, count) = repeated(word)?;
        let (value, bound) = draw.split_once('/')?;
        let draw = Draw { value: value.parse().ok()?, bound: bound.parse().ok()? };
        if draw.value >= draw.bound || count > room.checked_sub(draws.len())? {
            return None;
        }
        draws.extend(std::iter::repeat_n(draw, count));
    }
    // A span of no draws takes room, too.
    let is_fit = times.checked_mul(draws.len().max(1)).is_some_and(|count| count <= room);
    is_fit.then_some(Line { stream, label, times, draws })
}

/// What stands before a `*`, and the number behind it.
fn repeated(text: &str) -> Option<(&str, usize)> {
    match text.split_once('*') {
        None => Some((text, 1)),
        Some((text, count)) => Some((text, count.parse().ok().filter(|&count| count > 0)?)),
    }
}

impl fmt::Display for ChoiceLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::HEAD)?;
        self.world.iter().try_for_each(|(key, value)| write!(f, "{key} {value} "))?;
        writeln!(f, "seed {}", self.seed)?;
        for (name, stream) in &self.streams {
            for Spans { label, spans } in &stream.labels {
                for same in spans.chunk_by(|a, b| a == b) {
                    f.write_str(name)?;
                    if !label.is_empty() {
                        write!(f, " {label}")?;
                    }
                    times(f, same.len())?;
                    f.write_char(':')?;
                    for draws in same[0].chunk_by(|a, b| a == b) {
                        write!(f, " {}/{}", draws[0].value, draws[0].bound)?;
                        times(f, draws.len())?;
                    }
                    f.write_char('\n')?;
                }
            }
        }
        Ok(())
    }
}

fn times(f: &mut fmt::Formatter<'_>, count: usize) -> fmt::Result {
    if count > 1 { write!(f, "*{count}") } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
parlor-choices 2 app workload profile swarm seed 42
cast#0 client*6: 1/2
client#0: 0/1000000
client#0 answer:
client#0 think: 400000/2200001 7/400 0/3*4
client#0 think*2: 0/2200001 0/400
down#2.0: 0/5001*31 17/5001
";

    #[test]
    fn a_text_is_read_and_written_again() {
        let log = ChoiceLog::parse(TEXT).unwrap();
        assert_eq!((log.seed(), log.world("profile")), (42, Some("swarm")));
        let stream = log.stream("client#0").unwrap();
        let (label, span) = stream.find("think", 2).unwrap();
        assert_eq!(stream.labels[label].spans[span].len(), 2);
        assert_eq!(log.to_string(), TEXT);
    }

    #[test]
    fn what_is_no_log_is_told_by_its_line() {
        let fails = |text: &str, line: u32| {
            let why = ChoiceLog::parse(text).unwrap_err();
            assert!(why.starts_with(&format!("line {line} ")), "{text:?}: {why}");
            assert!(!why.contains('\n'));
        };
        for head in ["", "parlor-choices 1 seed 3", "parlor-choices 2 seed", "parlor-choices 2 "] {
            fails(head, 1);
        }
        for line in [
            "a#0",
            "a#0: 1",
            "a#0: 2/2",
            "a#0: 1/2 ",
            "a#0: 1/2*0",
            "a#0: 1/2*x",
            "a#0*0: 1/2",
            "a#0: -1/2",
            "a#0: 1/2*99999999999",
            "a#0*99999999999:",
            "a#0*9999999: 0/2*9999999",
        ] {
            fails(&format!("parlor-choices 2 seed 3\nb#0: 0/1\n{line}\n"), 3);
        }
    }
}
