//! `cargo sim`: runs worlds by their seeds, and shows the first that fails.

mod exhaustive;
mod explain;
mod minimize;
pub(crate) mod options;
mod replay;
pub(crate) mod report;

use std::panic;
use std::process::ExitCode;

use crate::choice::{ChoiceLog, Choices};
use crate::exhaustive::Scene;
use crate::explain::{Kind, regression};
use crate::meta::Comparison;
use crate::mutants;
use crate::oracle::Failure;
use crate::profile::Preset;
use crate::sweep::{Subject, Sweep};
use crate::world::{self, Run};
use options::{Options, Task};

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All held.
    Held = 0,
    /// Something did not.
    Failed = 1,
    /// Something that should have been put to the test was not.
    Vacuous = 2,
    /// Two runs of one seed differ.
    Differs = 3,
    /// The command, or a file that it was given, is bad.
    Bad = 4,
}

/// The whole command, with the arguments of this process.
pub fn main() -> ExitCode {
    let options = match options::parse(lexopt::Parser::from_env()) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("parlor-sim: {error}; --help lists what there is");
            return ExitCode::from(Exit::Bad as u8);
        }
    };
    // A panic is a finding, and told as one.
    panic::set_hook(Box::new(|_| {}));
    ExitCode::from(run(&options) as u8)
}

fn run(options: &Options) -> Exit {
    match &options.task {
        Task::Help => {
            print!("{}", options::HELP);
            Exit::Held
        }
        Task::Mutants(request) => mutants::run(request),
        Task::Properties => {
            report::properties();
            Exit::Held
        }
        Task::Minimize(None) => minimize::minimize(options),
        Task::Minimize(Some(path)) => minimize::minimize_file(path),
        Task::Replay(path) if replay::is_trace(path) => explain::replay_inputs(path),
        Task::Exhaustive(machine) => {
            let scene = Scene { machine: *machine, depth: options.depth };
            exhaustive::exhaustive(scene, options.sweep.time_max)
        }
        Task::Replay(path) => replay::replay(options, path),
        Task::Explain(question, path) => explain::explain(options, *question, path.as_deref()),
        Task::Diff(one, two) => explain::diff(one, two),
        Task::Html(path) => explain::html(options, path),
        Task::Sweep => {
            let subject = Builtin(options.preset);
            let sum = options.sweep.run(&subject);
            report::sweep(&subject, options, &sum)
        }
    }
}

/// The workload, in the worlds of a preset.
pub(crate) struct Builtin(pub(crate) Preset);

/// What a log of the workload is of: a world of a preset, or what compares it with itself changed.
pub(crate) fn subject(preset: Preset, log: &ChoiceLog) -> Result<Box<dyn Subject>, String> {
    let Some(name) = log.world(Comparison::KEY) else { return Ok(Box::new(Builtin(preset))) };
    let comparison = Comparison::named(preset, name);
    let comparison = comparison.ok_or(format!("line 1: there is no comparison {name:?}"))?;
    Ok(Box::new(comparison))
}

impl Builtin {
    /// What logs and traces call its program.
    pub(crate) const APP: &str = "workload";
}

impl Subject for Builtin {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn app(&self) -> &str {
        Self::APP
    }

    fn test(&self, failure: &Failure, seed: u64) -> Option<String> {
        let preset = format!("{:?}", self.0);
        Some(regression(Kind::Workload(&preset), failure, seed))
    }

    fn comparison(&self, seed: u64) -> Option<Box<dyn Subject>> {
        Some(Box::new(Comparison::of(self.0, seed)?))
    }

    fn run(&self, choices: Choices, is_told: bool) -> Run {
        world::run(self.0, choices, is_told)
    }
}
