//! Why a run failed: the chain of causes, where two runs part, from when on it could not be
//! helped, and what it needs. All of it runs worlds again and again; none of it guesses.

mod ablate;
mod diff;
mod inquiry;
mod regression;
mod screen;
mod story;
#[cfg(test)]
mod tests;
mod when;
mod why;

use crate::choice::{ChoiceLog, Choices};
use crate::oracle::{Failure, Property};
use crate::shrink::Signature;
use crate::sweep::{Subject, world};
use crate::trace::{Record, Trace};
#[cfg(test)]
pub(crate) use ablate::Needed;
pub(crate) use ablate::{Ablation, ablate};
pub(crate) use diff::{handler, parting};
pub(crate) use inquiry::{Inquiry, Patience, deadline, jsonl};
pub(crate) use regression::{Kind, regression};
pub(crate) use screen::{Figures, Screen};
pub(crate) use story::Tale;
pub(crate) use when::{Inevitable, when};
pub(crate) use why::{chain, reason};

/// A failing run, recorded.
pub(crate) struct Account {
    pub(crate) failure: Failure,
    pub(crate) records: Vec<Record>,
    pub(crate) hash: u64,
    /// The server's options and limits.
    pub(crate) options: Option<(crate::trace::Value, crate::trace::Value)>,
}

impl Account {
    /// Runs what a log says and records it; `None` if it does not fail.
    pub(crate) fn of(subject: &dyn Subject, log: &ChoiceLog) -> Option<Self> {
        match world(subject, Choices::edited(log.clone()), true) {
            Ok(run) => {
                let failure = run.verdicts.failure()?.clone();
                Some(Self::told(failure, &run.trace))
            }
            Err(text) => {
                let trace = Trace::of_the_panic();
                let at = trace.records().last().map_or(0, |record| record.t);
                let failure = Failure { property: Property::M3, at, what: panicked(&text) };
                Some(Self::told(failure, &trace))
            }
        }
    }

    /// Of one that could not be repeated.
    pub(crate) fn bare(failure: Failure) -> Self {
        Self { failure, records: Vec::new(), hash: 0, options: None }
    }

    fn told(failure: Failure, trace: &Trace) -> Self {
        let options = trace.options().map(|(config, limits)| (config.clone(), limits.clone()));
        Self { failure, records: trace.records().to_vec(), hash: trace.hash(), options }
    }
}

fn panicked(text: &str) -> String {
    format!("it panicked: {text}")
}

/// Whether choices bring about this failure.
fn fails(subject: &dyn Subject, choices: Choices, signature: &Signature) -> bool {
    let failed = match world(subject, choices, false) {
        Ok(run) => run.verdicts.failure().map(|f| Signature::of(f.property, &f.what)),
        Err(text) => Some(Signature::of(Property::M3, &panicked(&text))),
    };
    failed.as_ref() == Some(signature)
}

/// How often something happened, of how many times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) times: u32,
    pub(crate) of: u32,
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}", self.times, self.of)
    }
}

impl Share {
    /// Runs all of these, until time is up.
    fn run(
        subject: &dyn Subject,
        signature: &Signature,
        all: impl Iterator<Item = Choices>,
        is_late: &dyn Fn() -> bool,
    ) -> Self {
        let mut share = Self { times: 0, of: 0 };
        for choices in all.take_while(|_| !is_late()) {
            share.of += 1;
            share.times += u32::from(fails(subject, choices, signature));
        }
        share
    }
}
