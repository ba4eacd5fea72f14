//! Makes a failure small: looks for the simplest choices under which the same thing fails, by
//! running the world again and again.
//!
//! A candidate is an edited log. What it does not say is zero, so the run that comes of it is a
//! world like any other, and its own log, not the candidate, is what is kept: it fits its run and
//! ends with the failure. It is kept only if the failure has the same [`Signature`] and the log
//! costs less. The order of the passes, and so the result, depends on nothing but the log: several
//! candidates are run at a time, and where one is kept, those behind it are forgotten.

mod edit;
mod passes;
mod signature;

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZero;
use std::thread;

use crate::choice::{ChoiceLog, Choices, Draw, Rescue};
use crate::oracle::{Failure, Property};
use crate::sweep::{Subject, world};
use edit::{At, Cost};
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
    /// Nothing more can be taken out of it.
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
    let jobs = thread::available_parallelism().map_or(1, NonZero::get).min(JOBS_MAX);
    shrink_in(jobs, subject, log, budget)
}

/// The same in so many threads, which changes nothing of what comes of it.
fn shrink_in(
    jobs: usize,
    subject: &dyn Subject,
    log: ChoiceLog,
    budget: Budget<'_>,
) -> Result<Shrunk, String> {
    let all = edit::labels(&log);
    let best = failing(subject, Choices::edited(log.clone())).ok_or("that run does not fail")?;
    let cost = Cost::of(&best.log);
    let mut search = Search {
        subject,
        best,
        cost,
        reach: Reach::Near,
        chunks: FINE,
        settled: BTreeMap::new(),
        replays: 1,
        budget,
        jobs,
    };
    let stop = search.run();
    let Search { best, replays, .. } = search;
    let left = edit::labels(&best.log);
    let needless = all.into_iter().filter(|label| !left.contains(label)).collect();
    let size = edit::size(&best.log);
    let log = best.log.named(&log);
    Ok(Shrunk { log, failure: best.failure, size, needless, replays, stop })
}

/// Candidates that are run at a time, where the machine has as many processors.
const JOBS_MAX: usize = 8;
/// As many pieces as there are things.
const FINE: usize = usize::MAX;

struct Search<'a> {
    subject: &'a dyn Subject,
    best: Failed,
    cost: Cost,
    reach: Reach,
    /// A piece of what is to be reduced is no smaller than this part of it.
    chunks: usize,
    /// Draws than which none was found that is simpler.
    settled: BTreeMap<(At, usize), Draw>,
    replays: u64,
    budget: Budget<'a>,
    jobs: usize,
}

/// How far beyond the failure that it has a candidate is run: most of those that have not failed
/// by then never do, and what never fails is what takes the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// A world of its own may take its time, with as many events as its share is.
    Fresh {
        steps_max: u64,
    },
    Near,
    /// Once nothing near is found.
    Far,
}

/// What a candidate is held against.
#[derive(Clone, Copy)]
struct Trial<'a> {
    subject: &'a dyn Subject,
    signature: &'a Signature,
    cost: Cost,
    horizon: u64,
    steps_max: u64,
}

impl Trial<'_> {
    /// The same failure for less, if that is what comes of these choices.
    fn run(self, choices: Choices) -> Option<(Failed, Cost)> {
        let choices = choices.until(self.horizon).within(self.steps_max);
        let mut failed = failing(self.subject, choices)?;
        if self.subject.outlasts_failure() {
            failed.log = failed.log.until(self.horizon);
        }
        let cost = Cost::of(&failed.log);
        (failed.signature == *self.signature && cost < self.cost).then_some((failed, cost))
    }
}

impl Search<'_> {
    /// Keeps the first of these that is the same failure for less, and gives its place. They are
    /// no more than there are [`jobs`](Self::jobs); what changes nothing is `None`.
    fn first_of(&mut self, candidates: Vec<Option<Choices>>) -> Result<Option<usize>, Stop> {
        if (self.budget.is_late)() {
            return Err(Stop::Time);
        }
        let left = usize::try_from(self.budget.replays - self.replays).unwrap_or(usize::MAX);
        let is_scarce = candidates.iter().flatten().count() > left;
        let places = candidates.iter().enumerate().filter(|(_, choices)| choices.is_some());
        let places: Vec<usize> = places.map(|(place, _)| place).take(left).collect();
        let trial = self.trial();
        let found = thread::scope(|scope| {
            let mut runs = candidates.into_iter().flatten().take(left);
            let first = runs.next();
            let others: Vec<_> =
                runs.map(|choices| scope.spawn(move || trial.run(choices))).collect();
            let first = first.and_then(|choices| trial.run(choices));
            let others = others.into_iter().map(|run| run.join().expect("panics are caught in it"));
            std::iter::once(first).chain(others).enumerate().find_map(|(n, run)| Some((n, run?)))
        });
        self.replays += found.as_ref().map_or(places.len(), |(n, _)| n + 1) as u64;
        match found {
            Some((n, (failed, cost))) => {
                (self.best, self.cost) = (failed, cost);
                Ok(Some(places[n]))
            }
            None if is_scarce => Err(Stop::Replays),
            None => Ok(None),
        }
    }

    fn trial(&self) -> Trial<'_> {
        let Self { subject, cost, .. } = *self;
        let (signature, horizon, steps_max) =
            (&self.best.signature, self.horizon(), self.steps_max());
        Trial { subject, signature, cost, horizon, steps_max }
    }

    /// What does not fail by then goes on for long, and seldom fails at all. A panic has no time.
    fn horizon(&self) -> u64 {
        let (at, second) = (self.best.failure.at, 1_000_000);
        match self.reach {
            _ if at == 0 => u64::MAX,
            Reach::Fresh { .. } => (4 * at).saturating_add(30 * second),
            Reach::Near => at.saturating_add(at / 8 + second),
            Reach::Far => (2 * at).saturating_add(10 * second),
        }
    }

    /// What has not failed by then is a storm of its own, and may last longer than anybody waits.
    fn steps_max(&self) -> u64 {
        let Some(steps) = self.best.steps else { return u64::MAX };
        match self.reach {
            Reach::Fresh { steps_max } => steps_max.saturating_add(1000),
            Reach::Near => steps.saturating_add(steps / 8 + 200),
            Reach::Far => (2 * steps).saturating_add(1000),
        }
    }

    /// A candidate, unless it is what there is.
    fn changed(&self, log: ChoiceLog) -> Option<Choices> {
        (log != self.best.log).then(|| Choices::edited(log))
    }

    fn attempt_log(&mut self, log: ChoiceLog) -> Result<bool, Stop> {
        let candidate = self.changed(log);
        Ok(self.first_of(vec![candidate])?.is_some())
    }
}

#[cfg(test)]
mod tests;
