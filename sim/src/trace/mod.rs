//! What happened in a run: a hash of all of it, always; and, in a run that is recorded, a record
//! for each thing that happened and what caused it. Records are written as a text, as
//! `trace.jsonl`, or as a client's transcript, when the run is over.

mod app;
mod config;
mod emit;
mod jsonl;
mod read;
mod record;
mod replay;
mod text;
mod transcript;
mod unit;
mod value;

pub(crate) use app::{Scribe, Told, finish};
pub use jsonl::{Head, Jsonl};
pub use read::{BadTrace, Reading, read};
pub use record::{
    App, Became, Command, Dir, Entity, Fault, Flag, Input, Net, Output, Peer, Record, Step, What,
};
pub use replay::{Done, Ended, Given, InputLog};
pub(crate) use replay::{Player, UNIX_MS, secret};
pub(crate) use text::cut_to;
pub use text::{Line, Story};
pub use transcript::{Transcript, shown};
pub use value::Value;

use std::cell::RefCell;
use std::thread;

use emit::Recorder;

/// Events between two hashes that are kept.
const CHECKPOINT: u64 = 1024;

/// The trace of a run.
#[derive(Debug, Default)]
pub struct Trace {
    hash: u64,
    events: u64,
    checkpoints: Vec<u64>,
    /// `None` unless records were asked for, which costs many times as much.
    recorder: Option<Box<Recorder>>,
    /// The server's options and its limits, of a run that is recorded.
    options: Option<Box<(Value, Value)>>,
}

impl Trace {
    /// A trace, with its records if they are asked for.
    pub(crate) fn new(is_recorded: bool) -> Self {
        let mut trace = Self::default();
        trace.recorder = is_recorded.then(Box::default);
        trace
    }

    /// Something happened.
    pub(crate) fn event(&mut self, now: u64, kind: u8, who: u64, bytes: &[u8]) {
        self.events += 1;
        let mut hash = self.hash ^ now.rotate_left(20) ^ who.rotate_left(44) ^ u64::from(kind);
        hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let word = u64::from_le_bytes(chunk.try_into().expect("it has eight bytes"));
            hash = (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
        for &byte in chunks.remainder() {
            hash = (hash.rotate_left(5) ^ u64::from(byte)).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
        self.hash = hash ^ (hash >> 29);
        if self.events.is_multiple_of(CHECKPOINT) {
            self.checkpoints.push(self.hash);
        }
    }

    /// The hash of everything so far.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many events there were.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// What happened; empty unless it was asked for.
    pub fn records(&self) -> &[Record] {
        self.recorder.as_deref().map_or(&[], Recorder::records)
    }

    /// The server's options and its limits; `None` unless records were asked for.
    pub fn options(&self) -> Option<(&Value, &Value)> {
        self.options.as_deref().map(|(config, limits)| (config, limits))
    }

    /// What the server runs with.
    pub(crate) fn runs_with(&mut self, config: &parlor::Config) {
        if self.is_recorded() {
            self.options = Some(Box::new(config::told(config)));
        }
    }

    /// The trace of the last run of this thread that panicked, if it was recorded.
    pub(crate) fn of_the_panic() -> Self {
        PANICKED.with_borrow_mut(Option::take).unwrap_or_default()
    }

    /// Whether what happens is recorded.
    pub(crate) fn is_recorded(&self) -> bool {
        self.recorder.is_some()
    }

    /// Between which events two traces part: after the first number, at the latest at the second.
    pub fn parting(&self, other: &Self) -> Option<(u64, u64)> {
        if (self.hash, self.events) == (other.hash, other.events) {
            return None;
        }
        let same = self.checkpoints.iter().zip(&other.checkpoints).take_while(|(a, b)| a == b);
        let after = same.count() as u64 * CHECKPOINT;
        Some((after, (after + CHECKPOINT).min(self.events.max(other.events))))
    }
}

thread_local! {
    static PANICKED: RefCell<Option<Trace>> = const { RefCell::new(None) };
}

/// What happened before a panic is what explains it.
impl Drop for Trace {
    fn drop(&mut self) {
        if self.is_recorded() && thread::panicking() {
            let trace = std::mem::take(self);
            PANICKED.with_borrow_mut(|panicked| *panicked = Some(trace));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_part_where_they_differ() {
        let trace = |odd: u64, count: u64| {
            let mut trace = Trace::default();
            (0..count)
                .for_each(|n| trace.event(n, 1, 2, if n == odd { b"abcdefghi" } else { b"" }));
            trace
        };
        assert_eq!(trace(9000, 5000).parting(&trace(9000, 5000)), None);
        assert_eq!(trace(3000, 5000).parting(&trace(9000, 5000)), Some((2048, 3072)));
        assert_eq!(trace(9000, 5000).parting(&trace(9000, 5001)), Some((4096, 5001)));
    }
}
