//! Every interleaving of a small scene: what random worlds only sample is gone through whole.
//!
//! The world is the usual one: the real node, its driver, model clients and all oracles. In a
//! window of its time anything may come next of what is under way to the server, what clients do
//! (one thing after the other) and deadlines that are due; in the scene of deadlines, all of it may
//! also be put off by a unit of time, so that each segment takes no time or one unit. Every way of
//! choosing is gone. What the server sends arrives at once: what a client does about it may wait,
//! which to the server is the same. Connections are accepted, ends of sending arrive, and the
//! driver passes when it has work, at once. Outside the window all is as simple as can be.
//!
//! Ways that meet are gone on from once. Two ways have met if the server has had the same inputs at
//! the same times, so has each client, and the same is under way: the core is a function of its
//! inputs, and so are the clients; the oracles keep what they know by socket and by side, so the
//! order in which two sides did things that neither has heard of leaves nothing behind. Both orders
//! have been run up to there, with every oracle on.

mod crossing;
mod scene;

use std::time::{Duration, Instant};

use crate::choice::{ChoiceLog, Choices, Paths};
use crate::oracle::Failure;
use crate::sweep::world;
pub(crate) use crossing::{Crossing, Pick};
pub(crate) use scene::{Machine, Scene, UNIT};

/// What going through a scene came to.
#[derive(Debug)]
pub(crate) struct Covered {
    /// Ways gone to their end, and ways left where they met another.
    pub(crate) whole: u64,
    pub(crate) met: u64,
    /// States that were told apart.
    pub(crate) states: usize,
    /// In how many ways it can end: what each side saw, and when.
    pub(crate) ends: usize,
    /// There are more, and no time was left for them.
    pub(crate) is_late: bool,
    /// The first way on which something did not hold.
    pub(crate) failed: Option<(Failure, ChoiceLog)>,
    pub(crate) elapsed: Duration,
}

/// Goes through all of a scene, or to the first failure.
pub(crate) fn explore(scene: Scene, time_max: Option<Duration>) -> Covered {
    let started = Instant::now();
    let mut paths = Paths::default();
    let (mut failed, mut is_late) = (None, false);
    loop {
        let way = paths.digits().to_vec();
        let outcome = world(&scene, Choices::enumerated(paths), false);
        let failure = match outcome {
            Ok(mut run) => {
                let failure = run.verdicts.failure().cloned();
                paths = run.choices.take_paths();
                failure.map(|failure| (failure, paths.digits().to_vec()))
            }
            Err(text) => {
                // Its choices went with it; the way to it is known.
                paths = Paths::default();
                let what = format!("it panicked: {text}");
                let property = crate::oracle::Property::M3;
                Some((Failure { property, at: 0, what }, way))
            }
        };
        if let Some((failure, way)) = failure {
            let choices = Choices::enumerated(Paths::only(way));
            let log = crate::shrink::failing(&scene, choices)
                .map(|failed| failed.log.with("app", Scene::APP).with("profile", &scene.title()));
            failed = log.map(|log| (failure, log));
            paths.next();
            break;
        }
        if !paths.next() {
            break;
        }
        is_late = time_max.is_some_and(|most| started.elapsed() >= most);
        if is_late {
            break;
        }
    }
    Covered {
        is_late,
        whole: paths.whole,
        met: paths.cut,
        states: paths.states(),
        ends: paths.ends(),
        failed,
        elapsed: started.elapsed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::Subject as _;

    /// All ways, and whether ways that meet are left.
    fn ends(machine: Machine, depth: usize, is_pruned: bool) -> (Paths, u64) {
        let scene = Scene { machine, depth };
        let mut paths = if is_pruned { Paths::default() } else { Paths::whole() };
        let mut runs = 0;
        loop {
            let mut run = scene.run(Choices::enumerated(paths), false);
            assert_eq!(run.verdicts.failure(), None);
            runs += 1;
            paths = run.choices.take_paths();
            if !paths.next() {
                return (paths, runs);
            }
        }
    }

    #[test]
    fn leaving_ways_that_meet_loses_no_end() {
        for machine in Machine::ALL {
            let depth = if machine == Machine::Poll { 3 } else { 1 };
            let (whole, all) = ends(machine, depth, false);
            let (pruned, some) = ends(machine, depth, true);
            assert_eq!(whole.all_ends(), pruned.all_ends(), "{machine:?}");
            assert!(some < all && whole.ends() > 1, "{machine:?}: {some} of {all}");
        }
    }

    #[test]
    fn small_scenes_hold_on_every_way() {
        for machine in Machine::ALL {
            let covered = explore(Scene { machine, depth: 2 }, None);
            assert!(covered.failed.is_none(), "{machine:?}: {:?}", covered.failed);
            assert!(covered.whole > 1 && covered.met > 1, "{covered:?}");
        }
    }
}
