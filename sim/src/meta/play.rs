//! A log of inputs, given to a node by another driver: one that flushes at other times, fires all
//! that is due, or calls for nothing. No world answers, so nothing else is different.

use parlor::{App, Handle};

use super::names::Names;
use crate::choice::{Choices, Stream};
use crate::trace::{Done, Given, Input, InputLog, Player};

/// From one flush to the next, for a driver that flushes by the clock.
const TICK: u64 = 16_000;
/// Firing what is due ends after so many calls, whatever the node says.
const CALLS_MAX: usize = 10_000;

/// When the driver writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flushing {
    /// As the log says.
    AsTaken,
    /// All that is shown, after each call.
    EachTurn,
    /// All that is shown, before time goes on.
    EachPass,
    /// All that is shown, each 16 ms.
    EachTick,
}

/// Calls that nobody needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spurious {
    /// `handle_timeout` before the named instant.
    Timeouts,
    /// The same, and `Writable` where nothing was refused.
    WakeUps,
}

/// How a driver drives.
pub(super) struct Manner<'a> {
    pub(super) flushing: Flushing,
    /// Where the log fires a deadline, all that is due is fired.
    pub(super) is_exhausting: bool,
    pub(super) spurious: Option<(Spurious, &'a mut Choices, Stream)>,
    /// Ids that are other ones than in the log.
    pub(super) names: Option<&'a mut Names>,
}

impl Manner<'_> {
    /// As the log says.
    pub(super) fn as_taken() -> Self {
        Self { flushing: Flushing::AsTaken, is_exhausting: false, spurious: None, names: None }
    }

    /// It never leaves anything undone that is due.
    pub(super) fn diligent(flushing: Flushing) -> Self {
        Self { flushing, is_exhausting: true, ..Self::as_taken() }
    }
}

/// What one call did.
#[derive(Debug)]
pub(super) struct Played {
    /// The latest time that the node was told.
    pub(super) at: u64,
    /// The connection that the call was about.
    pub(super) conn: Option<u32>,
    pub(super) done: Done,
}

/// Gives a program's node all of a log. What is for a connection that this node has closed is
/// left out.
pub(super) fn play<S: Send + 'static>(
    log: &InputLog,
    manner: Manner<'_>,
    program: impl FnOnce(Handle<S>) -> App<S>,
) -> Vec<Played> {
    let player = Player::new(log, program);
    let (at, tick_at) = (log.start, log.start + TICK);
    let mut driver = Driver { player, manner, all: Vec::new(), at, tick_at };
    log.given.iter().for_each(|given| driver.take(given));
    if driver.manner.flushing != Flushing::AsTaken {
        driver.flush(driver.at);
    }
    driver.all
}

struct Driver<'a, S> {
    player: Player<S>,
    manner: Manner<'a>,
    all: Vec<Played>,
    /// The latest time that the node was told.
    at: u64,
    tick_at: u64,
}

impl<S: Send + 'static> Driver<'_, S> {
    fn take(&mut self, given: &Given) {
        match self.manner.flushing {
            Flushing::EachPass if given.at > self.at => self.flush(self.at),
            Flushing::EachTick if given.at >= self.tick_at => {
                self.flush(self.tick_at);
                self.tick_at = (given.at / TICK + 1) * TICK;
            }
            _ => {}
        }
        self.call_for_nothing(given.at);
        match &given.input {
            Input::Sent { .. } if self.manner.flushing != Flushing::AsTaken => {}
            Input::Timeout { .. } if self.manner.is_exhausting => {
                for _ in 0..CALLS_MAX {
                    self.give(given);
                    if self.player.due().is_none_or(|due| due > given.at) {
                        break;
                    }
                }
            }
            _ => self.give(given),
        }
    }

    fn give(&mut self, given: &Given) {
        let conn = given.input.conn();
        let renamed = match (&mut self.manner.names, &given.input) {
            (Some(names), Input::Data { conn, bytes }) => names.renamed(*conn, bytes),
            _ => None,
        };
        let called = match renamed {
            Some(input) => self.player.call(&Given { input, ..given.clone() }),
            None => self.player.call(given),
        };
        let Ok(done) = called else { return };
        if let Some(names) = &mut self.manner.names {
            names.learn(&done);
        }
        self.at = self.at.max(given.at);
        self.all.push(Played { at: self.at, conn, done });
        if self.manner.flushing == Flushing::EachTurn {
            self.flush(self.at);
        }
    }

    fn give_new(&mut self, at: u64, input: Input) {
        let conn = input.conn();
        let given = Given { at, input, done: Done::default(), n: usize::MAX };
        let Ok(done) = self.player.call(&given) else { return };
        self.at = self.at.max(at);
        self.all.push(Played { at: self.at, conn, done });
    }

    fn flush(&mut self, at: u64) {
        let all: Vec<_> = self.player.shown().filter(|&(_, bytes)| bytes > 0).collect();
        for (conn, bytes) in all {
            let bytes = bytes as u64;
            self.give_new(at, Input::Sent { conn, bytes, refused: false });
        }
    }

    /// At some time before the next input, and before anything is due.
    fn call_for_nothing(&mut self, next_at: u64) {
        let due = self.player.due();
        let Some((spurious, choices, stream)) = &mut self.manner.spurious else { return };
        let latest = due.map_or(next_at, |due| next_at.min(due.saturating_sub(1)));
        if latest < self.at || !choices.happens(*stream, 1, 4) {
            return;
        }
        let at = choices.between(*stream, self.at, latest);
        let conns: Vec<u32> = self.player.shown().map(|(conn, _)| conn).collect();
        let is_writable = *spurious == Spurious::WakeUps && !conns.is_empty();
        let writable = is_writable
            .then(|| conns[choices.choose(*stream, conns.len() as u64) as usize])
            .filter(|_| choices.happens(*stream, 1, 2));
        match writable {
            Some(conn) => self.give_new(at, Input::Writable { conn }),
            None => self.give_new(at, Input::Timeout { why: "spurious".into() }),
        }
    }
}
