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
//! # Ways that meet
//!
//! They are gone on from once. Two ways have met if the server has had the same inputs at the same
//! times, so has each client, and the same is under way: the core is a function of its inputs, and
//! so are the clients; the oracles keep what they know by socket and by side, so the order in which
//! two sides did things that neither has heard of leaves nothing behind. Both orders have been run
//! up to there, with every oracle on.
//!
//! The server's inputs are the same if they differ only in the order of two that do not know of
//! each other. It has a half for each client: its connections, its session, its socket and its
//! asks. An input is about the half of whose connection it comes, and about each half that any call
//! for it wrote to. It is about both if the program broadcast, asked (the numbers are the
//! namespace's), moved a socket in or out of a room or the namespace, if a deadline fired, or if a
//! connection came or went: all by what the observer, the egress and the outputs tell of that very
//! run, not by what the scene means to do. The [program](program) keeps nothing. Inputs that are
//! about different halves commute, as the comparisons of two users apart (X9) check in random
//! worlds; here it is checked as far as it shows: ways that meet must also agree in all counters of
//! the server, in its next deadline and in what is under way.
//!
//! A client on a WebSocket that hears something, and neither says anything nor wants to be woken,
//! goes on as if it had not: what it says is its list of steps, and what it is asked for.
//!
//! # Ways that say nothing new
//!
//! They are left. A client's step is seen by nobody before its bytes arrive, or the client itself
//! hears something that matters to it. So a step is only taken right in front of what follows from
//! it: the arrival of the last that it said, something that the same client acts on, or its next
//! step; of two clients' steps with nothing in between the first client's is first. For a client
//! that nobody asks anything the arrival is all that can follow. Any other way
//! becomes one of these if its steps are put off, with the same inputs in the same order at the
//! server. A step whose beginning the server notices at once, since it opens a connection, is taken
//! anywhere. And time is put off only while a deadline is near: all other times are far away, and
//! come no nearer by it.
//!
//! The tests compare what all clients read on all ways, with those that are gone whole, and with
//! those that meet only if nothing of this is used.

mod crossing;
mod program;
mod scene;

use std::time::{Duration, Instant};

use crate::choice::{ChoiceLog, Choices, Paths};
use crate::oracle::Failure;
use crate::sweep::world;
use crossing::Heed;
pub(crate) use crossing::{Crossing, Pick};
pub(crate) use scene::{Machine, Scene, UNIT};

/// What going through a scene came to.
#[derive(Debug)]
pub(crate) struct Covered {
    /// Ways gone to their end, ways left where they met another, and ways that say nothing new.
    pub(crate) whole: u64,
    pub(crate) met: u64,
    pub(crate) needless: u64,
    /// States that were told apart.
    pub(crate) states: usize,
    /// In how many ways it can end: what each client has read.
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
        needless: paths.needless,
        states: paths.states(),
        ends: paths.ends(),
        failed,
        elapsed: started.elapsed(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Property;
    use crate::sweep::Subject;

    /// Goes all ways, or to the first on which something does not hold.
    fn ways(subject: &dyn Subject, mut paths: Paths) -> (Paths, u64, Option<Failure>) {
        let mut runs = 0;
        loop {
            let mut run = subject.run(Choices::enumerated(paths), false);
            runs += 1;
            paths = run.choices.take_paths();
            if let Some(failure) = run.verdicts.failure() {
                return (paths, runs, Some(failure.clone()));
            }
            if !paths.next() {
                return (paths, runs, None);
            }
        }
    }

    fn all_ways(scene: Scene, paths: Paths) -> (Paths, u64) {
        let (paths, runs, failure) = ways(&scene, paths);
        assert_eq!(failure, None, "{scene:?}");
        (paths, runs)
    }

    #[test]
    fn what_is_left_out_loses_no_end() {
        for machine in Machine::ALL {
            let depth = if machine == Machine::Poll { 3 } else { 1 };
            let scene = Scene { machine, depth };
            let (whole, all) = all_ways(scene, Paths::whole());
            let (reduced, some) = all_ways(scene, Paths::default());
            assert_eq!(whole.all_ends(), reduced.all_ends(), "{machine:?}");
            assert!(some < all, "{machine:?}: {some} of {all}");
        }
    }

    #[test]
    fn what_is_said_elsewhere_loses_no_end_where_ways_meet() {
        for machine in Machine::ALL {
            let scene = Scene { machine, depth: 2 };
            let (plain, all) = all_ways(scene, Paths::plain());
            let (reduced, some) = all_ways(scene, Paths::default());
            assert_eq!(plain.all_ends(), reduced.all_ends(), "{machine:?}");
            assert!(some < all, "{machine:?}: {some} of {all}");
        }
    }

    /// Every order of three things that one client hears is a mistake, in turn: those that can come
    /// are found, and no others, whatever is left out.
    #[test]
    fn a_mistake_in_one_order_is_found_as_it_is_without_leaving_anything_out() {
        let orders = [
            ["all", "few", "echo"],
            ["all", "echo", "few"],
            ["echo", "all", "few"],
            ["few", "all", "echo"],
            ["few", "echo", "all"],
            ["echo", "few", "all"],
        ];
        let found = orders.map(|order| {
            let trap = scene::Trap { scene: Scene { machine: Machine::Poll, depth: 3 }, order };
            let found = [Paths::plain(), Paths::default()].map(|paths| ways(&trap, paths).2);
            let found = found.map(|failure| failure.map(|failure| failure.property));
            assert_eq!(found[0], found[1], "{order:?}");
            found[1]
        });
        let is = Some(Property::App);
        assert_eq!(found, [is, is, is, None, None, None]);
    }

    #[test]
    fn small_scenes_hold_on_every_way() {
        for machine in Machine::ALL {
            let covered = explore(Scene { machine, depth: 2 }, None);
            assert!(covered.failed.is_none(), "{machine:?}: {:?}", covered.failed);
            assert!(covered.whole > 1 && covered.ends > 1, "{covered:?}");
        }
    }
}
