//! A few worlds of each kind: they hold what they must, and a seed is the same run twice. More of
//! them, where `PARLOR_WORLDS` says how many swarms: what a broken core is held against.

use std::{env, thread};

use parlor_sim::choice::{ChoiceLog, Choices};
use parlor_sim::trace::Story;
use parlor_sim::{Preset, Run, run};

fn world(preset: Preset, seed: u64) -> Run {
    let run = run(preset, Choices::new(seed), false);
    let failure = run.verdicts.failure();
    assert!(failure.is_none(), "seed {seed}, profile {}: {failure:?}", preset.name());
    run
}

fn worlds(preset: Preset, count: u64) {
    for seed in 0..count {
        let first = world(preset, seed);
        let second = thread::spawn(move || world(preset, seed)).join().expect("it holds again");
        assert_eq!(first.trace.parting(&second.trace), None, "seed {seed}");
    }
}

#[test]
fn standard_worlds() {
    worlds(Preset::Standard, 4);
}

#[test]
fn swarm_worlds() {
    let count = env::var("PARLOR_WORLDS").ok().and_then(|count| count.parse().ok());
    worlds(Preset::Swarm, count.unwrap_or(10));
}

#[test]
fn calm_worlds() {
    worlds(Preset::Calm, 1);
}

#[test]
fn a_run_is_the_same_if_it_is_recorded() {
    let [told, untold] = [true, false].map(|is_told| run(Preset::Swarm, Choices::new(2), is_told));
    assert_eq!(told.trace.parting(&untold.trace), None);
    assert_eq!(untold.trace.records(), []);
    let records = told.trace.records();
    assert!(records.iter().enumerate().all(|(n, r)| r.cause.is_none_or(|c| (c as usize) < n)));
    assert!(records.is_sorted_by_key(|record| record.t));
    let story = Story::new(records).to_string();
    assert_eq!(story.lines().count(), records.len());
    // Everybody who comes in says so, and hears that it is in.
    let transcript = told.transcript("").to_string();
    assert!(transcript.contains("c1 -> GET /socket.io/?EIO=4&transport="), "{transcript}");
    assert!(transcript.contains("\"sid\":\"sid#1\""), "{transcript}");
}

#[test]
fn a_choice_log_repeats_a_run() {
    let first = run(Preset::Swarm, Choices::recorded(3), false);
    let log = ChoiceLog::parse(&first.choices.log().to_string()).expect("it was written as one");
    let again = run(Preset::Swarm, Choices::replayed(log), false);
    assert_eq!(first.trace.parting(&again.trace), None);
    assert_eq!(again.choices.drift(), None);
}

#[test]
fn a_choice_log_of_another_world_does_not_fit() {
    let log = run(Preset::Swarm, Choices::recorded(3), false).choices.log();
    let other = run(Preset::Standard, Choices::replayed(log), false);
    assert!(other.choices.drift().is_some());
}
