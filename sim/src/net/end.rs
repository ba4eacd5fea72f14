//! One end of a connection, and how its two directions hang together.

use super::pipe::{Kind, Pipe};

/// One end of a connection, for as long as something is done with it.
#[derive(Debug)]
pub struct End<'a> {
    /// What comes.
    pub reads: &'a mut Pipe,
    /// What goes.
    pub writes: &'a mut Pipe,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// So many bytes were taken; less than were offered is a refusal.
    Taken(usize),
    /// The connection is dead, or was shut by the writer itself.
    Failed,
}

/// What the arrival of a segment changes for the end that it arrives at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// There is something to read: bytes, or the end.
    News,
    /// The connection is dead.
    Reset,
    /// Nobody reads here any more: a reset goes back.
    Answered,
    /// Nothing.
    Nothing,
}

impl End<'_> {
    /// Writes what fits.
    pub fn write(&mut self, now: u64, bytes: &[u8]) -> Written {
        if self.is_failed() {
            return Written::Failed;
        }
        Written::Taken(self.writes.write(now, bytes))
    }

    /// Whether a write fails.
    pub fn is_failed(&self) -> bool {
        self.reads.is_lost() || !self.writes.is_open()
    }

    /// Closes in order: the end follows what was written. Bytes that nobody has read cannot be
    /// taken back, so then the other end must hear that they were in vain (RFC 1122, 4.2.2.13).
    pub fn close(&mut self) {
        if self.reads.desert() {
            self.writes.reset();
        } else {
            self.writes.shut();
        }
    }

    /// Closes at once, and drops what was written and is not on the wire.
    pub fn abort(&mut self) {
        self.reads.desert();
        self.writes.reset();
    }

    /// A segment arrives. After [`Arrived::Answered`] what this end writes is to be pumped.
    pub fn arrive(&mut self, now: u64) -> Arrived {
        let Some((bytes, kind)) = self.reads.arrive(now) else { return Arrived::Nothing };
        if kind == Kind::Reset {
            return self.reset();
        }
        if self.reads.is_deserted() {
            let is_answered = !bytes.is_empty() && !self.writes.is_dead();
            if is_answered {
                self.writes.reset();
            }
            return if is_answered { Arrived::Answered } else { Arrived::Nothing };
        }
        if self.reads.is_lost() {
            return Arrived::Nothing;
        }
        self.reads.keep(&bytes, kind == Kind::End);
        Arrived::News
    }

    /// A reset hits this end, from the other one or from whoever stands between.
    pub fn reset(&mut self) -> Arrived {
        self.die(true)
    }

    /// The other end has not answered for too long.
    pub fn time_out(&mut self) -> Arrived {
        self.die(false)
    }

    fn die(&mut self, is_reset: bool) -> Arrived {
        self.writes.die();
        if self.reads.is_deserted() || self.reads.is_lost() {
            return Arrived::Nothing;
        }
        self.reads.lose(is_reset);
        Arrived::Reset
    }
}
