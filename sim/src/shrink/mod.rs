//! Makes a failure small: looks for the simplest choices under which the same thing fails, by
//! running the world again and again.
//!
//! A candidate is an edited log. What it does not say is zero, so the run that comes of it is a
//! world like any other, and its own log, not the candidate, is what is kept: it fits its run and
//! ends with the failure. It is kept only if the failure has the same [`Signature`] and the log
//! costs less. The order of the passes, and so the result, depends on nothing but the log.

mod edit;
mod passes;
mod signature;

use std::fmt;

use crate::choice::{ChoiceLog, Choices, Rescue};
use crate::oracle::{Failure, Property};
use crate::sweep::{Subject, world};
use edit::Cost;
pub(crate) use edit::{Thing, shaken};
pub(crate) use signature::Signature;

/// How much may be spent.
pub(crate) struct Budget<'a> {
    pub(crate) replays: u64,
    /// Whether time is up: for whoever waits. Where it is never so, the result is repeatable.
    pub(crate) is_late: &'a dyn Fn() -> bool,
}

/// Why it went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// No pass made it smaller.
    Smallest,
    Replays,
    Time,
}

/// The smallest failure that was found.
#[derive(Debug)]
pub(crate) struct Shrunk {
    pub(crate) log: ChoiceLog,
    pub(crate) failure: Failure,
    /// What is in it.
    pub(crate) size: Size,
    /// What the world had, and the failure does not need.
    pub(crate) needless: Vec<String>,
    pub(crate) replays: u64,
    pub(crate) stop: Stop,
}

/// What happens in a run, as far as somebody decided it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) clients: usize,
    /// Things that clients do of their own accord.
    pub(crate) operations: usize,
    pub(crate) faults: usize,
}

impl Size {
    pub(crate) fn events(&self) -> usize {
        self.operations + self.faults
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, operations, faults } = self;
        let s = |count: usize| if count == 1 { "" } else { "s" };
        let plural = (s(*clients), s(*operations), s(*faults));
        write!(f, "{clients} client{}, {operations} operation{}, ", plural.0, plural.1)?;
        write!(f, "{faults} fault{}", plural.2)
    }
}

/// A run that failed.
pub(crate) struct Failed {
    pub(crate) signature: Signature,
    pub(crate) failure: Failure,
    pub(crate) log: ChoiceLog,
    /// Events of the run; of a panic nobody has counted them.
    steps: Option<u64>,
}

/// Runs a world, and gives what did not hold in it with what had been drawn.
pub(crate) fn failing(subject: &dyn Subject, choices: Choices) -> Option<Failed> {
    let rescue = Rescue::default();
    match world(subject, choices.rescued(&rescue), false) {
        Ok(run) => {
            let failure = run.verdicts.failure().filter(|_| !run.choices.is_spent())?.clone();
            let signature = Signature::of(failure.property, &failure.what);
            let steps = Some(run.choices.steps());
            Some(Failed { signature, failure, log: run.choices.log(), steps })
        }
        Err(text) => {
            let what = format!("it panicked: {text}");
            let signature = Signature::of(Property::M3, &what);
            let failure = Failure { property: Property::M3, at: 0, what };
            Some(Failed { signature, failure, log: rescue.log()?, steps: None })
        }
    }
}

/// Gives what of a seed fails on: its world, or else what compares that with itself changed.
pub(crate) fn of_seed<R>(
    subject: &dyn Subject,
    seed: u64,
    then: impl FnOnce(&dyn Subject, Failed) -> R,
) -> Option<R> {
    if let Some(failed) = failing(subject, Choices::new(seed)) {
        return Some(then(subject, failed));
    }
    let comparison = subject.comparison(seed)?;
    let failed = failing(&*comparison, Choices::new(seed))?;
    Some(then(&*comparison, failed))
}

/// Makes a failing run small. Fails if the log does not fail.
pub(crate) fn shrink(
    subject: &dyn Subject,
    log: ChoiceLog,
    budget: Budget<'_>,
) -> Result<Shrunk, String> {
    let all = edit::labels(&log);
    let best = failing(subject, Choices::edited(log.clone())).ok_or("that run does not fail")?;
    let cost = Cost::of(&best.log);
    let mut search = Search { subject, best, cost, replays: 1, budget };
    let stop = search.run();
    let Search { best, replays, .. } = search;
    let left = edit::labels(&best.log);
    let needless = all.into_iter().filter(|label| !left.contains(label)).collect();
    let size = edit::size(&best.log);
    let log = best.log.named(&log);
    Ok(Shrunk { log, failure: best.failure, size, needless, replays, stop })
}

struct Search<'a> {
    subject: &'a dyn Subject,
    best: Failed,
    cost: Cost,
    replays: u64,
    budget: Budget<'a>,
}

impl Search<'_> {
    /// Keeps what comes of these choices, if it is the same failure for less.
    fn attempt(&mut self, choices: Choices) -> Result<bool, Stop> {
        if self.replays >= self.budget.replays {
            return Err(Stop::Replays);
        }
        if (self.budget.is_late)() {
            return Err(Stop::Time);
        }
        self.replays += 1;
        let horizon = self.horizon();
        let failed = failing(self.subject, choices.until(horizon).within(self.steps_max()));
        let Some(mut failed) = failed else { return Ok(false) };
        if self.subject.outlasts_failure() {
            failed.log = failed.log.until(horizon);
        }
        let cost = Cost::of(&failed.log);
        let is_better = failed.signature == self.best.signature && cost < self.cost;
        if is_better {
            (self.best, self.cost) = (failed, cost);
        }
        Ok(is_better)
    }

    /// What does not fail by then goes on for long, and seldom fails at all. A panic has no time.
    fn horizon(&self) -> u64 {
        const LATER: u64 = 10_000_000;
        match self.best.failure.at {
            0 => u64::MAX,
            at => (2 * at).saturating_add(LATER),
        }
    }

    /// What has not failed by then is a storm of its own, and may last longer than anybody waits.
    fn steps_max(&self) -> u64 {
        const MORE: u64 = 5000;
        self.best.steps.map_or(u64::MAX, |steps| (2 * steps).saturating_add(MORE))
    }

    fn attempt_log(&mut self, log: ChoiceLog) -> Result<bool, Stop> {
        if log == self.best.log {
            return Ok(false);
        }
        self.attempt(Choices::edited(log))
    }
}

#[cfg(test)]
mod tests;
