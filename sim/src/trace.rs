//! What happened in a run: a hash of all of it, and, if asked for, its text.

use std::fmt;

/// Events between two hashes that are kept.
const CHECKPOINT: u64 = 1024;

/// The trace of a run.
#[derive(Debug, Default)]
pub struct Trace {
    hash: u64,
    events: u64,
    checkpoints: Vec<u64>,
    /// `None` unless the text was asked for.
    lines: Option<Vec<String>>,
}

impl Trace {
    /// A trace with its text, which costs ten times as much.
    pub(crate) fn with_lines(is_told: bool) -> Self {
        Self { lines: is_told.then(Vec::new), ..Self::default() }
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

    /// A line of the text, if there is one.
    pub(crate) fn line(&mut self, now: u64, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>7}.{:06}  {}", now / 1_000_000, now % 1_000_000, line()));
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

    /// The text, a line for each thing that happened; empty unless it was asked for.
    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
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

/// Bytes as they are shown: text where it is text, cut after a line's length.
pub(crate) struct Shown<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 70;
        let cut = &self.0[..self.0.len().min(SHOWN_MAX)];
        write!(f, "{:>5} bytes  {}", self.0.len(), cut.escape_ascii())?;
        f.write_str(if cut.len() < self.0.len() { ".." } else { "" })
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
