//! A few worlds of each kind: they hold what they must, and a seed is the same run twice.

use std::thread;

use parlor_sim::choice::{ChoiceLog, Choices};
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
    worlds(Preset::Swarm, 10);
}

#[test]
fn calm_worlds() {
    worlds(Preset::Calm, 1);
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
