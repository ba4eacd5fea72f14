//! The command line.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use super::Sweep;
use super::explain::Question;
use crate::exhaustive::{Machine, Scene};
use crate::mutants;
use crate::profile::Preset;

pub(super) const HELP: &str = "\
Runs Parlor in simulated worlds, and checks in each that everything held that must.

Usage: cargo sim [--seed N | --seeds A..B] [OPTIONS]

  --seed N          run one world
  --seeds A..B      run one for each seed from A on and below B (default: 0..100)
  --minutes N       begin no new world after so long
  --profile NAME    standard, swarm or calm (default: standard)
  --jobs N          in so many threads (default: 1)
  --twice           run each twice, the second time in another thread, and compare
  --coverage        print in how many worlds each mark was hit
  --unrelated       do not compare some of the worlds with themselves changed
  --trace           print everything that happens in a failing world, or in that of --seed

Instead of running worlds:
  --replay FILE     run what a choice log says, and say where it no longer fits; or give a node
                    what a trace says that one was given, and compare what it does
  --minimize        make the first failure, or that of --replay, as small as it can be, and
                    write its choices, its trace, a page that shows it and a test
  --why             the chain of causes of the first failure, or of that of --replay
  --when            since when it could not be helped: what may follow is drawn again and again
  --ablate          what it needs: without which single thing it does not fail
  --diff ONE TWO    where two traces part
  --html FILE       write the page that shows the world of --seed, and its trace beside it
  --mutants [NAME.. | all | drawn:COMMIT] [--budget N] [--jobs N] [--check] [--minimize]
                    break the core in each of these ways, and see in how many seeds it is found
                    (default: all, within 2000); with --check only whether each compiles, with
                    --minimize also to how few events half a minute brings what was found
  --exhaustive NAME go through every interleaving of a small scene: upgrade, poll, ack or
                    ack-by-poll
  --depth N         with at most so many operations (default: 4)
  --props           list what must hold
  --help            print this

Exit code: 0 all held, 1 something did not, 2 something was not put to the test that should
have been, 3 two runs of one seed differ, 4 a bad command or file.
";

/// What is to be done.
#[derive(Clone, Debug)]
pub(super) enum Task {
    Help,
    Mutants(mutants::Request),
    Properties,
    /// What fails first, or a choice log.
    Minimize(Option<PathBuf>),
    Replay(PathBuf),
    /// Of what fails first, or of a choice log.
    Explain(Question, Option<PathBuf>),
    Diff(PathBuf, PathBuf),
    /// Where the page of one world is written.
    Html(PathBuf),
    Exhaustive(Machine),
    Sweep,
}

impl Task {
    /// The file that it is about, if it was said before what is to be done with it.
    fn file(self) -> Option<PathBuf> {
        match self {
            Self::Replay(path) => Some(path),
            _ => None,
        }
    }

    /// The same about a file.
    fn of_file(self, path: PathBuf) -> Self {
        match self {
            Self::Minimize(_) => Self::Minimize(Some(path)),
            Self::Explain(question, _) => Self::Explain(question, Some(path)),
            _ => Self::Replay(path),
        }
    }
}

pub(super) struct Options {
    pub(super) task: Task,
    pub(super) sweep: Sweep,
    pub(super) preset: Preset,
    pub(super) is_traced: bool,
    pub(super) shows_coverage: bool,
    /// Of an exhaustive run: how many operations.
    pub(super) depth: usize,
}

pub(super) fn parse(mut parser: lexopt::Parser) -> Result<Options, lexopt::Error> {
    use lexopt::prelude::*;
    let sweep = Sweep { is_related: true, ..Sweep::of(0..100) };
    let mut options = Options {
        task: Task::Sweep,
        sweep,
        preset: Preset::Standard,
        is_traced: false,
        shows_coverage: false,
        depth: 4,
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Long("seed") => {
                let seed: u64 = parser.value()?.parse()?;
                options.sweep.seeds = seed..seed.saturating_add(1);
            }
            Long("seeds") => options.sweep.seeds = parser.value()?.parse_with(seeds)?,
            Long("minutes") => {
                let minutes: u64 = parser.value()?.parse()?;
                options.sweep.time_max = Some(Duration::from_secs(minutes.saturating_mul(60)));
            }
            Long("profile") => options.preset = parser.value()?.parse_with(preset)?,
            Long("jobs") => options.sweep.jobs = parser.value()?.parse_with(jobs)?,
            Long("twice") => options.sweep.is_twice = true,
            Long("unrelated") => options.sweep.is_related = false,
            Long("trace") => options.is_traced = true,
            Long("coverage") => options.shows_coverage = true,
            Long("minimize") => options.task = Task::Minimize(options.task.file()),
            Long("exhaustive") => {
                options.task = Task::Exhaustive(parser.value()?.parse_with(machine)?);
            }
            Long("depth") => options.depth = parser.value()?.parse_with(depth)?,
            Long("replay") => {
                let path = parser.value()?.into();
                options.task = options.task.of_file(path);
            }
            Long("why") => options.task = Task::Explain(Question::Why, options.task.file()),
            Long("when") => options.task = Task::Explain(Question::When, options.task.file()),
            Long("ablate") => options.task = Task::Explain(Question::Ablate, options.task.file()),
            Long("html") => options.task = Task::Html(parser.value()?.into()),
            Long("diff") => {
                options.task = Task::Diff(parser.value()?.into(), parser.value()?.into());
            }
            Long("mutants") => {
                let jobs = options.sweep.jobs;
                options.task = Task::Mutants(mutants::parse(&mut parser, jobs)?);
            }
            Long("props") => options.task = Task::Properties,
            Long("help") => options.task = Task::Help,
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}

/// A range, or one seed.
pub(crate) fn seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is no number"));
    let Some((from, to)) = text.split_once("..") else {
        let seed: u64 = number(text)?;
        return Ok(seed..seed.saturating_add(1));
    };
    let range: Range<u64> = number(from)?..number(to)?;
    if range.is_empty() { Err("there is no seed in it".into()) } else { Ok(range) }
}

fn preset(name: &str) -> Result<Preset, String> {
    let found = Preset::ALL.into_iter().find(|preset| preset.name() == name);
    found.ok_or_else(|| {
        let names: Vec<_> = Preset::ALL.into_iter().map(Preset::name).collect();
        format!("there are {}", names.join(", "))
    })
}

fn machine(name: &str) -> Result<Machine, String> {
    let found = Machine::ALL.into_iter().find(|machine| machine.name() == name);
    found.ok_or_else(|| {
        let names: Vec<_> = Machine::ALL.into_iter().map(Machine::name).collect();
        format!("there are {}", names.join(", "))
    })
}

fn depth(text: &str) -> Result<usize, String> {
    let most = Scene::DEPTH_MAX;
    let depth = text.parse().ok().filter(|&depth| depth <= most);
    depth.ok_or_else(|| format!("it is at most {most}"))
}

fn jobs(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|&jobs| jobs > 0).ok_or_else(|| "it is at least 1".into())
}
