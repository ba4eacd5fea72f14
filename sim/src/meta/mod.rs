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
//! | X5 | one more client, silent, in a namespace of its own | all of the others, ids apart |
//! | X6 | every client polls, or none, or all upgrade | what clients got that is not volatile |
//! | V5, X8 | nothing volatile is sent | the same |
//! | X9 | the order of two clients' bytes of one instant | all, by connection and by socket |
//! | X13 | when the driver writes | bytes shown, handlers, what became of volatile packets |
//! | X14 | deadlines a call | all but `Flush` |
//! | M4 | hostile clients, not admitted | all of the others, ids apart |
//!
//! Where ids differ they are named by the connection that told them, and clients say those that
//! they were told: see [`names`]. X12 is the sweep's, which runs a seed twice.

mod account;
mod clock;
mod guest;
mod names;
mod play;
mod twins;
mod wire;

use crate::choice::{Choices, Stream};
use crate::client::Kind;
use crate::oracle::Property;
use crate::profile::{Preset, Profile};
use crate::trace::InputLog;
use crate::workload::{apart, workload};
use crate::world;
use play::Spurious;

/// What came of comparing two runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Related {
    /// They are alike.
    Alike,
    /// They are the same run, or one to which the property does not apply.
    Vacuous,
    /// They differ.
    Differ(String),
}

impl Related {
    fn of(is_tried: bool, parting: Option<String>) -> Self {
        match (is_tried, parting) {
            (false, _) => Self::Vacuous,
            (true, None) => Self::Alike,
            (true, Some(what)) => Self::Differ(what),
        }
    }
}

/// How two runs are made and compared.
enum Way {
    /// From what the node of a world was given, and the kinds of the world's clients.
    Replayed(fn(&InputLog, &[Kind], &mut Choices, Stream) -> Related),
    /// In small worlds of their own.
    Twins(fn(&mut Choices, Stream) -> Related),
}

/// What each puts to the test.
const ALL: [(&[Property], Way); 13] = [
    (&[Property::T4], Way::Replayed(|log, _, c, s| clock::spurious(log, Spurious::Timeouts, c, s))),
    (&[Property::T5], Way::Replayed(|log, _, c, s| clock::older_now(log, c, s))),
    (&[Property::T5], Way::Replayed(|log, _, c, s| clock::wall_time(log, workload, c, s))),
    (&[Property::X1], Way::Replayed(wire::resegmented)),
    (&[Property::X2], Way::Replayed(|log, _, c, s| clock::spurious(log, Spurious::WakeUps, c, s))),
    (&[Property::X3], Way::Replayed(|log, _, c, s| clock::epoch(log, workload, c, s))),
    (&[Property::X5], Way::Replayed(|log, _, c, s| guest::observer(log, workload, c, s))),
    (&[Property::X6], Way::Twins(twins::transports)),
    (&[Property::V5, Property::X8], Way::Twins(twins::no_volatile)),
    (&[Property::X9], Way::Replayed(|log, _, c, s| wire::commuted(log, apart, c, s))),
    (&[Property::X13], Way::Replayed(|log, _, c, s| wire::flushed(log, workload, c, s))),
    (&[Property::X14], Way::Replayed(|log, _, c, s| clock::deadlines(log, c, s))),
    (&[Property::M4], Way::Replayed(|log, _, c, s| guest::hostile(log, workload, c, s))),
];

/// One seed in so many is compared with something: it costs a recorded run and two replays.
const ONE_IN: u64 = 14;

/// Runs what a seed's turn is, if it is one of those that are compared: what is put to the test,
/// and what came of it.
pub(crate) fn judge(preset: Preset, seed: u64) -> Option<(&'static [Property], Related)> {
    let (properties, way) = &ALL[turn(seed)?];
    Some((*properties, way.compare(preset, seed)))
}

/// They take turns, so that a short sweep comes to each of them.
fn turn(seed: u64) -> Option<usize> {
    seed.is_multiple_of(ONE_IN).then(|| (seed / ONE_IN % ALL.len() as u64) as usize)
}

impl Way {
    fn compare(&self, preset: Preset, seed: u64) -> Related {
        let mut choices = Choices::new(seed);
        let stream = choices.stream("relation", 0);
        match self {
            Self::Twins(compare) => compare(&mut choices, stream),
            Self::Replayed(compare) => {
                let Some(log) = recorded(preset, seed) else { return Related::Vacuous };
                let kinds = Profile::draw(preset, &mut Choices::new(seed)).kinds;
                compare(&log, &kinds, &mut choices, stream)
            }
        }
    }
}

/// What the node of a world was given.
fn recorded(preset: Preset, seed: u64) -> Option<InputLog> {
    let run = world::run(preset, Choices::new(seed), true);
    let (config, limits) = run.trace.options()?;
    InputLog::new(run.trace.records(), seed, (config, limits)).ok()
}

#[cfg(test)]
mod tests;
