//! `--why`, `--when`, `--ablate` and `--diff`: what can be said of a failure, and of two runs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::options::Options;
use super::{Builtin, Exit, replay, subject};
use crate::choice::{ChoiceLog, Choices};
use crate::explain::{self, Account, Inevitable, Patience, Tale, deadline};
use crate::shrink::{self, Budget, Signature};
use crate::sweep::{self, Subject, Sweep};
use crate::trace::{self, Reading, Record, Story};
use crate::viewer;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Why,
    When,
    Ablate,
}

/// Lines of a chain that are shown.
const CHAIN_MAX: usize = 40;
const BAR_CHARS: u32 = 30;

/// The whole command: of a choice log, or of the first seed that fails.
pub(super) fn explain(options: &Options, question: Question, file: Option<&Path>) -> Exit {
    let (subject, log) = match file.map(replay::read) {
        Some(Ok((subject, log))) => (subject, log),
        Some(Err(why)) => {
            let file = file.unwrap_or(Path::new(""));
            eprintln!("parlor-sim: {}: {why}", file.display());
            return Exit::Bad;
        }
        None => match first_failure(&Builtin(options.preset), &options.sweep) {
            Some(log) => match subject(options.preset, &log) {
                Ok(subject) => (subject, log),
                Err(why) => unreachable!("it was signed just now: {why}"),
            },
            None => {
                println!("ok    nothing fails");
                return Exit::Held;
            }
        },
    };
    let Some(account) = Account::of(&*subject, &log) else {
        println!("ok    that run does not fail");
        return Exit::Held;
    };
    println!("FAIL  {}  seed {}, {}", account.failure.property, log.seed(), subject.name());
    println!("      {}\n", account.failure.what);
    match question {
        Question::Why => why(&account),
        Question::When => when(&*subject, &log, &account),
        Question::Ablate => ablate(&*subject, log, file.is_none()),
    }
    Exit::Failed
}

fn first_failure(subject: &dyn Subject, sweep: &Sweep) -> Option<ChoiceLog> {
    let first = Sweep { is_first_enough: true, is_twice: false, ..sweep.clone() };
    let seed = first.run(subject).findings.first()?.0;
    shrink::of_seed(subject, seed, |subject, failed| subject.signed(failed.log))
}

fn why(account: &Account) {
    let records = &account.records;
    let Some(last) = records.len().checked_sub(1) else { return };
    let chain = explain::chain(records, last);
    let story = Story::new(records);
    let from = chain.len().saturating_sub(CHAIN_MAX);
    if from > 0 {
        println!("      ({from} causes before)");
    }
    chain[from..].iter().for_each(|&n| println!("{}", story.line(n)));
    if let Some(reason) = explain::reason(records) {
        println!("\n      why     {reason}");
    }
}

fn when(subject: &dyn Subject, log: &ChoiceLog, account: &Account) {
    let signature = Signature::of(account.failure.property, &account.failure.what);
    let is_late = deadline(3 * Patience::COMMAND.when);
    let Inevitable { points, from } =
        explain::when(subject, log, &account.records, &signature, &is_late);
    println!("      until       of the worlds that may follow, so many fail");
    for (t, share) in points {
        let filled = (share.times * BAR_CHARS).checked_div(share.of).unwrap_or_default();
        let bar = "#".repeat(filled as usize);
        println!("{:>11}.{:03} s  {share:>9}  {bar}", t / 1_000_000, t / 1000 % 1000);
    }
    match from {
        Some(t) => {
            println!("\n      inevitable from {}.{:03} s on:", t / 1_000_000, t / 1000 % 1000);
            let story = Story::new(&account.records);
            let tale = Tale::of(&account.records);
            let there = (0..account.records.len()).filter(|&n| account.records[n].t == t);
            match tale.lines.iter().find(|line| line.t == t) {
                Some(line) => println!("      {} {}", line.who.trim(), line.what),
                None => there.take(3).for_each(|n| println!("{}", story.line(n))),
            }
        }
        None => println!("\n      it was never sure to fail"),
    }
}

/// Of a run that is made small first, unless it comes from a file.
fn ablate(subject: &dyn Subject, log: ChoiceLog, is_large: bool) {
    let log = if is_large {
        let is_late = deadline(Patience::COMMAND.shrink);
        let budget = Budget { replays: 3000, is_late: &is_late };
        match shrink::shrink(subject, log.clone(), budget) {
            Ok(shrunk) => shrunk.log,
            Err(_) => log,
        }
    } else {
        log
    };
    let Some(account) = Account::of(subject, &log) else { return };
    Tale::of(&account.records).text(110).iter().for_each(|line| println!("{line}"));
    let is_late = deadline(Duration::from_secs(60));
    let ablation = explain::ablate(subject, &log, &account, &is_late);
    println!("\n      as it is, {} fail on other networks; without", ablation.whole);
    let tale = Tale::of(&account.records);
    for needed in &ablation.needed {
        let line = tale.lines.iter().find(|line| Some(line.n) == needed.n);
        let told = line.map(|line| format!("{} {}", line.who.trim(), line.what));
        println!(
            "{:>14} fail  {}  ({})",
            needed.without.to_string(),
            told.unwrap_or_default(),
            needed.name
        );
    }
    println!("      it fails all the same without each of {} other things", ablation.needless);
}

/// Writes the page of one world, and its trace beside it.
pub(super) fn html(options: &Options, path: &Path) -> Exit {
    let (subject, seed) = (Builtin(options.preset), options.sweep.seeds.start);
    let run = match sweep::world(&subject, Choices::new(seed), true) {
        Ok(run) => run,
        Err(text) => {
            println!("FAIL  seed {seed} panicked: {text}; --minimize shows it");
            return Exit::Failed;
        }
    };
    let trace = explain::jsonl(&subject, &run).unwrap_or_default();
    let beside = path.with_extension("jsonl");
    let written = fs::write(path, viewer::page(&trace)).and_then(|()| fs::write(&beside, &trace));
    if let Err(error) = written {
        eprintln!("parlor-sim: {}: {error}", path.display());
        return Exit::Bad;
    }
    println!("      {} and {}", path.display(), beside.display());
    if run.verdicts.failure().is_some() { Exit::Failed } else { Exit::Held }
}

/// Where two recorded runs part.
pub(super) fn diff(one: &Path, two: &Path) -> Exit {
    let (Some(one), Some(two)) = (told(one), told(two)) else { return Exit::Bad };
    let Some(parting) = explain::parting(&one.records, &two.records, false) else {
        println!("ok    the same things happen in both, in the same order everywhere");
        return Exit::Held;
    };
    println!("they part at {}, behind {} things that are the same there", parting.at, parting.same);
    side("one", &one.records, parting.one);
    side("two", &two.records, parting.two);
    Exit::Failed
}

fn side(name: &str, records: &[Record], n: Option<usize>) {
    let Some(n) = n else {
        println!("  {name}  nothing more");
        return;
    };
    let story = Story::new(records);
    println!("  {name}  {}", story.line(n));
    if let Some(handler) = explain::handler(records, n) {
        println!("       in the handler {handler}");
    }
    let chain = explain::chain(records, n);
    for &cause in chain.iter().rev().skip(1).take(3) {
        println!("       because of {}", story.line(cause));
    }
}

/// A trace from a file; what is wrong with it is told.
fn told(path: &Path) -> Option<Reading> {
    match read(path) {
        Ok(reading) => Some(reading),
        Err(why) => {
            eprintln!("parlor-sim: {}: {why}", path.display());
            None
        }
    }
}

fn read(path: &Path) -> Result<Reading, String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    trace::read(&text).map_err(|error| error.to_string())
}

/// What a node was given, from a file, again.
pub(super) fn replay_inputs(path: &Path) -> Exit {
    let Some(reading) = told(path) else { return Exit::Bad };
    let bad = |why: String| {
        eprintln!("parlor-sim: {}: {why}", path.display());
        Exit::Bad
    };
    let head = &reading.head;
    if head.app != Builtin::APP {
        return bad(format!("it is of {:?}, which only its own test can run", head.app));
    }
    let options = (&head.config, &head.limits);
    let log = match trace::InputLog::new(&reading.records, head.seed, options) {
        Ok(log) => log,
        Err(why) => return bad(why),
    };
    let ended = log.compare(|_io| crate::workload::workload());
    let story = Story::new(&reading.records);
    match &ended {
        trace::Ended::Same => {
            println!("ok    {} inputs, and the node did what it did then", log.given.len());
            Exit::Held
        }
        trace::Ended::Differs { place, what } => {
            println!("FAIL  the node does something else, {} inputs from the start", place + 1);
            println!("      {}\n      {what}", story.line(log.given[*place].n));
            Exit::Differs
        }
        trace::Ended::Stopped { place, why } => {
            println!("{}", story.line(log.given[*place].n));
            bad(format!("it stops after {place} inputs: {why}"))
        }
    }
}
