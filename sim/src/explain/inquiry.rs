//! All that is found out of one failure, and the files that are kept of it.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Ablation, Account, Figures, Inevitable, Screen, ablate, when};
use crate::choice::ChoiceLog;
use crate::shrink::{self, Budget, Shrunk, Signature, Stop};
use crate::sweep::Subject;
use crate::trace::{Head, Jsonl, Record, Value, What};
use crate::viewer;
use crate::world::Run;

/// How much time may be spent, of whoever waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// On making it small.
    pub(crate) shrink: Duration,
    /// On what it needs.
    pub(crate) ablate: Duration,
    /// On since when it cannot be helped.
    pub(crate) when: Duration,
}

impl Patience {
    /// Of somebody who asked for it.
    pub(crate) const COMMAND: Self = Self {
        shrink: Duration::from_secs(30),
        ablate: Duration::from_secs(20),
        when: Duration::from_secs(20),
    };
    /// Of a test that fails.
    pub(crate) const TEST: Self = Self {
        shrink: Duration::from_secs(10),
        ablate: Duration::from_secs(4),
        when: Duration::from_secs(4),
    };
    const REPLAYS_MAX: u64 = 10_000;
}

/// Whether so much time has passed since now.
pub(crate) fn deadline(after: Duration) -> impl Fn() -> bool {
    let started = Instant::now();
    move || started.elapsed() >= after
}

/// A failure, made small and understood.
pub(crate) struct Inquiry {
    /// Of the run that was found; the smallest may have another.
    seed: u64,
    pub(crate) log: ChoiceLog,
    pub(crate) account: Account,
    pub(crate) figures: Figures,
    pub(crate) ablation: Ablation,
    pub(crate) inevitable: Inevitable,
}

impl Inquiry {
    /// Of a run that fails.
    pub(crate) fn of(
        subject: &dyn Subject,
        log: ChoiceLog,
        patience: Patience,
    ) -> Result<Self, String> {
        let (seed, started) = (log.seed(), Instant::now());
        let is_late = deadline(patience.shrink);
        let budget = Budget { replays: Patience::REPLAYS_MAX, is_late: &is_late };
        let shrunk = shrink::shrink(subject, log, budget)?;
        let elapsed = started.elapsed();
        let Shrunk { log, failure, size, needless, replays, stop } = shrunk;
        let account = Account::of(subject, &log).unwrap_or_else(|| Account::bare(failure));
        let is_smallest = stop == Stop::Smallest;
        let figures = Figures { size, elapsed, replays, is_smallest, needless };
        let ablation = ablate(subject, &log, &account, &deadline(patience.ablate));
        let signature = Signature::of(account.failure.property, &account.failure.what);
        let is_late = deadline(patience.when);
        let inevitable = when(subject, &log, &account.records, &signature, &is_late);
        Ok(Self { seed, log, account, figures, ablation, inevitable })
    }

    /// What is printed of it.
    pub(crate) fn screen<'a>(
        &'a self,
        place: &'a str,
        again: &'a str,
        files: &'a [(&'static str, String)],
    ) -> Screen<'a> {
        let (figures, ablation) = (Some(&self.figures), Some(&self.ablation));
        let inevitable = Some(&self.inevitable);
        Screen { place, account: &self.account, figures, ablation, inevitable, again, files }
    }

    /// Writes the choices, the trace, the page that shows it, and a test; gives what each is for.
    pub(crate) fn write(
        &self,
        subject: &dyn Subject,
        directory: &Path,
    ) -> io::Result<Vec<(&'static str, String)>> {
        fs::create_dir_all(directory)?;
        let path = |name: &str| directory.join(name);
        fs::write(path("bug.choices"), self.log.to_string())?;
        let mut files = vec![];
        if let Some(trace) = self.trace(subject) {
            fs::write(path("bug.jsonl"), &trace)?;
            fs::write(path("bug.html"), viewer::page(&trace))?;
            files.push(("look", path("bug.html").display().to_string()));
        }
        let test = subject.test(&self.account.failure, self.seed);
        if let Some(test) = test {
            fs::write(path("bug_test.rs"), test)?;
            files.push(("keep", path("bug_test.rs").display().to_string()));
        }
        Ok(files)
    }

    /// As `trace.jsonl`.
    fn trace(&self, subject: &dyn Subject) -> Option<String> {
        let Account { records, hash, options, .. } = &self.account;
        let mut records = records.clone();
        let points = &self.inevitable.points;
        if let (Some(last), false) = (records.last().cloned(), points.is_empty()) {
            let points = points.iter().map(|&(t, share)| (t, share.times, share.of)).collect();
            records.push(Record { cause: None, what: What::When(points), ..last });
        }
        let choices = Some("bug.choices".to_string());
        let head = head(subject, self.log.seed(), options.as_ref()?, choices);
        Some(Jsonl { head: &head, records: &records, hash: *hash }.to_string())
    }
}

/// A recorded run as `trace.jsonl`.
pub(crate) fn jsonl(subject: &dyn Subject, run: &Run) -> Option<String> {
    let (config, limits) = run.trace.options()?;
    let options = (config.clone(), limits.clone());
    let head = head(subject, run.choices.seed(), &options, None);
    let (records, hash) = (run.trace.records(), run.trace.hash());
    Some(Jsonl { head: &head, records, hash }.to_string())
}

/// The first line of a run's trace.
fn head(
    subject: &dyn Subject,
    seed: u64,
    (config, limits): &(Value, Value),
    choices: Option<String>,
) -> Head {
    Head {
        from: "world".into(),
        seed,
        profile: subject.name().into(),
        app: subject.app().into(),
        core: env!("CARGO_PKG_VERSION").into(),
        commit: commit().unwrap_or_else(|| "unknown".into()),
        config: config.clone(),
        limits: limits.clone(),
        nodes: 1,
        choices,
    }
}

/// What is checked out where this runs, if it is a repository.
fn commit() -> Option<String> {
    let here = std::env::current_dir().ok()?;
    let git = here.ancestors().map(|place| place.join(".git")).find(|git| git.is_dir())?;
    let read = |name: &str| fs::read_to_string(git.join(name)).ok();
    let head = read("HEAD")?;
    let Some(name) = head.trim().strip_prefix("ref: ") else { return Some(head.trim().into()) };
    let packed = || {
        let all = read("packed-refs")?;
        let line = all.lines().find(|line| line.ends_with(name))?;
        Some(line.split(' ').next()?.to_string())
    };
    read(name).or_else(packed).map(|commit| commit.trim().into())
}
