//! `--minimize`: the first seed that fails, or a choice log, and the least that still fails.

use std::path::{Path, PathBuf};

use super::options::Options;
use super::{Builtin, Exit, replay};
use crate::choice::ChoiceLog;
use crate::explain::{Inquiry, Patience};
use crate::shrink;
use crate::sweep::{Subject, Sweep};

/// Where what was found is written.
pub(crate) const DIRECTORY: &str = "sim-bugs";

/// The whole command.
pub(super) fn minimize(options: &Options) -> Exit {
    let subject = Builtin(options.preset);
    let first = Sweep { is_first_enough: true, is_twice: false, ..options.sweep.clone() };
    let sum = first.run(&subject);
    let Some(&(seed, _)) = sum.findings.first() else {
        println!("ok    nothing to make small: {}", sum.speed());
        return Exit::Held;
    };
    let exit = shrink::of_seed(&subject, seed, |subject, failed| {
        shrunk(subject, subject.signed(failed.log))
    });
    exit.unwrap_or_else(|| {
        eprintln!("parlor-sim: seed {seed} failed once and then did not; try --twice");
        Exit::Differs
    })
}

/// The same, of a run that was written down.
pub(super) fn minimize_file(path: &Path) -> Exit {
    match replay::read(path) {
        Ok((subject, log)) => shrunk(&*subject, log),
        Err(why) => {
            eprintln!("parlor-sim: {}: {why}", path.display());
            Exit::Bad
        }
    }
}

fn shrunk(subject: &dyn Subject, log: ChoiceLog) -> Exit {
    let seed = log.seed();
    let inquiry = match Inquiry::of(subject, log, Patience::COMMAND) {
        Ok(inquiry) => inquiry,
        Err(why) => {
            eprintln!("parlor-sim: {why}");
            return Exit::Bad;
        }
    };
    let directory = directory(&inquiry, seed);
    let files = match inquiry.write(subject, &directory) {
        Ok(files) => files,
        Err(error) => {
            eprintln!("parlor-sim: {} cannot be written: {error}", directory.display());
            return Exit::Bad;
        }
    };
    let again = format!("cargo sim --replay {}", directory.join("bug.choices").display());
    let place = format!("seed {seed}, profile {}", subject.name());
    print!("{}", inquiry.screen(&place, &again, &files));
    Exit::Failed
}

/// Where the files of a failure are kept.
pub(super) fn directory(inquiry: &Inquiry, seed: u64) -> PathBuf {
    PathBuf::from(DIRECTORY).join(format!("{}-{seed}", inquiry.account.failure.property))
}
