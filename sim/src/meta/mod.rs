//! Metamorphic properties: two runs that must be alike. Most feed the inputs of a world, recorded,
//! to a node of its own, once as they are and once changed; the rest run small worlds of their own
//! twice. So nothing has to be known of what should happen, only of what makes no difference.
//!
//! | relation | changed is | compared are |
//! |----------|------------|--------------|
//! | T4 | calls of `handle_timeout` before the named instant | all bytes, outputs, handlers |
//! | T5 | an older `now`; the wall time at the start | the same |
//! | X1 | strict clients' bytes are cut anywhere | all but volatile packets |
//! | X2 | calls for nothing, and `Writable` for nothing | all but `Flush` |
//! | X3 | all times, by whole slots of the timers | all |
//! | X4 | what namespaces and rooms are called, and the server's secret | all, names and ids apart |
//! | X5 | one more client, silent, in a namespace of its own | all of the others, ids apart |
//! | X6 | every client polls, or none, or all upgrade | what clients got that is not volatile |
//! | V5, X8 | nothing volatile is sent | the same |
//! | X9 | the order of two clients' bytes of one instant | all, by connection and by socket |
//! | X13 | when the driver writes | bytes shown, handlers, what became of volatile packets |
//! | X14 | deadlines a call | all but `Flush` |
//! | D6 | the secret that ids are drawn from | all, ids apart; no id is in both |
//! | M4 | hostile clients, not admitted | all of the others, ids apart |
//!
//! Where ids differ they are named by the connection that told them, and clients say those that
//! they were told: see [`names`]. X12 is the sweep's, which runs a seed twice.

mod account;
mod clock;
mod guest;
mod ids;
mod names;
mod play;
mod renamed;
mod twins;
mod wire;

use crate::choice::{ChoiceLog, Choices, Stream};
use crate::client::Kind;
use crate::command::Builtin;
use crate::oracle::{Failure, Property, Verdicts};
use crate::profile::Preset;
use crate::sweep::Subject;
use crate::trace::InputLog;
use crate::workload::{apart, workload};
use crate::world::{self, Run};
use play::Spurious;

/// What came of comparing two runs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Related {
    /// They are alike.
    Alike,
    /// They are the same run, or one to which the property does not apply.
    Vacuous,
    /// They differ.
    Differ(Parting),
}

/// The first thing in which two runs differ.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Parting {
    /// When; 0 if that cannot be said.
    at: u64,
    what: String,
}

impl Related {
    fn of(is_tried: bool, parting: Option<Parting>) -> Self {
        match (is_tried, parting) {
            (false, _) => Self::Vacuous,
            (true, None) => Self::Alike,
            (true, Some(parting)) => Self::Differ(parting),
        }
    }
}

/// How two runs are made and compared.
enum Way {
    /// From what the node of a world was given, and the kinds of the world's clients.
    Replayed(fn(&InputLog, &[Kind], &mut Choices, Stream) -> Related),
    /// In small worlds of their own: gives the first, or one that fails itself.
    Twins(fn(Choices) -> (Run, Related)),
    /// The same in worlds of the preset.
    Worlds(fn(Preset, Choices) -> (Run, Related)),
}

/// The name of each, what it puts to the test, and how.
type Entry = (&'static str, &'static [Property], Way);

static ALL: [Entry; 15] = [
    (
        "T4",
        &[Property::T4],
        Way::Replayed(|log, _, c, s| clock::spurious(log, Spurious::Timeouts, c, s)),
    ),
    ("T5", &[Property::T5], Way::Replayed(|log, _, c, s| clock::older_now(log, c, s))),
    (
        "T5-wall",
        &[Property::T5],
        Way::Replayed(|log, _, c, s| clock::wall_time(log, workload, c, s)),
    ),
    ("X1", &[Property::X1], Way::Replayed(wire::resegmented)),
    (
        "X2",
        &[Property::X2],
        Way::Replayed(|log, _, c, s| clock::spurious(log, Spurious::WakeUps, c, s)),
    ),
    ("X3", &[Property::X3], Way::Replayed(|log, _, c, s| clock::epoch(log, workload, c, s))),
    ("X4", &[Property::X4], Way::Worlds(renamed::worlds)),
    ("X5", &[Property::X5], Way::Replayed(|log, _, c, s| guest::observer(log, workload, c, s))),
    ("X6", &[Property::X6], Way::Twins(twins::transports)),
    ("X8", &[Property::V5, Property::X8], Way::Twins(twins::no_volatile)),
    ("X9", &[Property::X9], Way::Replayed(|log, _, c, s| wire::commuted(log, apart, c, s))),
    ("X13", &[Property::X13], Way::Replayed(|log, _, c, s| wire::flushed(log, workload, c, s))),
    ("X14", &[Property::X14], Way::Replayed(|log, _, c, s| clock::deadlines(log, c, s))),
    ("D6", &[Property::D6], Way::Replayed(|log, _, c, s| ids::secret(log, apart, c, s))),
    ("M4", &[Property::M4], Way::Replayed(|log, _, c, s| guest::hostile(log, workload, c, s))),
];

/// One seed in so many is compared with something: it costs a recorded run and two replays.
const ONE_IN: u64 = 14;

/// A world of a preset and the same with something changed, as one subject: it fails if they
/// differ, or if one of them does by itself.
#[derive(Clone, Copy)]
pub(crate) struct Comparison {
    preset: Preset,
    entry: &'static Entry,
}

impl Comparison {
    /// Under what a choice log has its name.
    pub(crate) const KEY: &'static str = "comparison";
    /// The stream of what is changed, and how.
    const STREAM: &'static str = "relation";

    /// What a seed's turn is, if it is one of those that are compared.
    pub(crate) fn of(preset: Preset, seed: u64) -> Option<Self> {
        Some(Self { preset, entry: &ALL[turn(seed)?] })
    }

    pub(crate) fn named(preset: Preset, name: &str) -> Option<Self> {
        let entry = ALL.iter().find(|(known, ..)| *known == name)?;
        Some(Self { preset, entry })
    }

    fn compare(self, choices: Choices) -> (Run, Related) {
        match self.entry.2 {
            Way::Twins(compare) => compare(choices),
            Way::Worlds(compare) => compare(self.preset, choices),
            Way::Replayed(compare) => {
                let mut run = world::run(self.preset, choices, true);
                let Some(log) = recorded(&run) else { return (run, Related::Vacuous) };
                let stream = run.choices.stream(Self::STREAM, 0);
                let related = compare(&log, &run.kinds, &mut run.choices, stream);
                (run, related)
            }
        }
    }
}

/// They take turns, so that a short sweep comes to each of them.
fn turn(seed: u64) -> Option<usize> {
    seed.is_multiple_of(ONE_IN).then(|| (seed / ONE_IN % ALL.len() as u64) as usize)
}

impl Subject for Comparison {
    fn name(&self) -> &str {
        self.preset.name()
    }

    /// A node that is given what another was told needs its names, too.
    fn app(&self) -> &str {
        match self.entry.2 {
            Way::Worlds(_) => "workload-renamed",
            Way::Replayed(_) | Way::Twins(_) => Builtin::APP,
        }
    }

    fn test(&self, failure: &Failure, seed: u64) -> Option<String> {
        Builtin(self.preset).test(failure, seed)
    }

    fn signed(&self, log: ChoiceLog) -> ChoiceLog {
        Builtin(self.preset).signed(log).with(Self::KEY, self.entry.0)
    }

    fn outlasts_failure(&self) -> bool {
        true
    }

    fn run(&self, choices: Choices, _is_told: bool) -> Run {
        let (mut run, related) = self.compare(choices.recording());
        if run.verdicts.failure().is_some() {
            return run;
        }
        // What the world puts to the test besides counts where it is run for itself.
        run.verdicts = Verdicts::default();
        let &(_, properties, _) = self.entry;
        match related {
            Related::Vacuous => {}
            Related::Alike => {
                properties.iter().for_each(|&it| run.verdicts.claim(it, true, String::new));
            }
            Related::Differ(Parting { at, what }) => {
                run.verdicts.now = at;
                properties.iter().for_each(|&it| run.verdicts.fail(it, &*what));
                run.trace.ends(at, &properties[0].to_string(), &what);
            }
        }
        run
    }
}

/// What the node of a world was given.
fn recorded(run: &Run) -> Option<InputLog> {
    let options = run.trace.options()?;
    InputLog::new(run.trace.records(), run.choices.seed(), options).ok()
}

#[cfg(test)]
mod tests;
