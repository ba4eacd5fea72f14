//! `--minimize`: the first seed that fails, or a choice log, and the least that still fails.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::options::Options;
use super::report;
use super::{Builtin, Exit, replay};
use crate::choice::{ChoiceLog, Choices};
use crate::shrink::{self, Budget, Shrunk, Stop};
use crate::sweep::{Subject, Sweep, world};

const REPLAYS_MAX: u64 = 3000;
const TIME_MAX: Duration = Duration::from_secs(30);
/// Where what was found is written.
const DIRECTORY: &str = "sim-bugs";
/// Lines of the smallest story's end.
const STORY_LINES: usize = 24;

/// The whole command.
pub(super) fn minimize(options: &Options) -> Exit {
    let subject = Builtin(options.preset);
    let first = Sweep { is_first_enough: true, is_twice: false, ..options.sweep.clone() };
    let sum = first.run(&subject);
    let Some(&(seed, _)) = sum.findings.first() else {
        println!("ok    nothing to make small: {}", sum.speed());
        return Exit::Held;
    };
    let Some(failed) = shrink::failing(&subject, Choices::new(seed)) else {
        eprintln!("parlor-sim: seed {seed} failed once and then did not; try --twice");
        return Exit::Differs;
    };
    shrunk(&subject, named(failed.log, options))
}

/// The same, of a run that was written down.
pub(super) fn minimize_file(path: &Path) -> Exit {
    match replay::read(path) {
        Ok((subject, log)) => shrunk(&subject, log),
        Err(why) => {
            eprintln!("parlor-sim: {}: {why}", path.display());
            Exit::Bad
        }
    }
}

/// A log that says of what world it is, so that it needs nothing else.
fn named(log: ChoiceLog, options: &Options) -> ChoiceLog {
    log.with("app", replay::APP).with("profile", options.preset.name())
}

fn shrunk(subject: &dyn Subject, log: ChoiceLog) -> Exit {
    let seed = log.seed();
    let started = Instant::now();
    let is_late = || started.elapsed() >= TIME_MAX;
    let budget = Budget { replays: REPLAYS_MAX, is_late: &is_late };
    let shrunk = match shrink::shrink(subject, log, budget) {
        Ok(shrunk) => shrunk,
        Err(why) => {
            eprintln!("parlor-sim: {why}");
            return Exit::Bad;
        }
    };
    print(subject, &shrunk, seed, started.elapsed());
    match write(&shrunk, seed) {
        Ok(path) => {
            println!("\n      again   cargo sim --replay {}", path.display());
            Exit::Failed
        }
        Err(error) => {
            eprintln!("parlor-sim: {DIRECTORY} cannot be written: {error}");
            Exit::Bad
        }
    }
}

fn print(subject: &dyn Subject, shrunk: &Shrunk, seed: u64, elapsed: Duration) {
    let Shrunk { log, failure, size, needless, replays, stop } = shrunk;
    println!("FAIL  {}  seed {seed}, profile {}", failure.property, subject.name());
    println!("      {}", failure.property.sentence());
    println!("      {}\n", failure.what);
    if let Ok(run) = world(subject, Choices::replayed(log.clone()), true) {
        let mut story = String::new();
        report::end_of(&run.trace, STORY_LINES, &mut story);
        print!("{story}");
    }
    let why = match stop {
        Stop::Smallest => "",
        Stop::Replays => ", stopped for their number",
        Stop::Time => ", stopped for time",
    };
    println!("\n      least   {size} ({} events)", size.events());
    if !needless.is_empty() {
        println!("      without {}", needless.join(", "));
    }
    println!("      in      {replays} runs, {:.1} s{why}", elapsed.as_secs_f64());
}

fn write(shrunk: &Shrunk, seed: u64) -> std::io::Result<PathBuf> {
    let path = PathBuf::from(DIRECTORY).join(format!("{}-{seed}", shrunk.failure.property));
    fs::create_dir_all(&path)?;
    let path = path.join("bug.choices");
    fs::write(&path, shrunk.log.to_string())?;
    Ok(path)
}
