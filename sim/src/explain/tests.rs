//! A toy world in which it is known when it goes wrong, and of what.

use super::*;
use crate::trace::Entity;
use crate::world::Run;

const SECOND: u64 = 1_000_000;
const STEPS: u64 = 12;
/// The step that decides.
const DECIDES: u64 = 5;

/// Somebody does something each second; the run fails at its end if one thing was odd.
struct Toy;

impl Subject for Toy {
    fn name(&self) -> &str {
        "toy"
    }

    fn run(&self, mut choices: Choices, is_told: bool) -> Run {
        let mut trace = Trace::new(is_told);
        let mut verdicts = crate::oracle::Verdicts::default();
        let stream = choices.stream("client", 0);
        let mut is_bad = false;
        for step in 0..STEPS {
            let now = step * SECOND;
            choices.time(now);
            choices.span(stream, "think");
            let (_pause, coin) = (choices.choose(stream, 9), choices.choose(stream, 2));
            trace.fault_on(now, Entity::Client(0), "step", Some(now), &[("coin", coin)]);
            is_bad |= step == DECIDES && coin == 1;
        }
        verdicts.now = STEPS * SECOND;
        verdicts.claim(Property::S0, !is_bad, || "it went wrong".into());
        trace.oracle(STEPS * SECOND, "S0", "fail", "it went wrong");
        Run::toy(verdicts, trace, choices, STEPS * SECOND)
    }
}

fn found() -> (ChoiceLog, Account, Signature) {
    let failed = (0..).find_map(|seed| crate::shrink::failing(&Toy, Choices::new(seed)));
    let failed = failed.expect("every second seed fails");
    let account = Account::of(&Toy, &failed.log).expect("it fails again");
    (failed.log, account, failed.signature)
}

#[test]
fn it_cannot_be_helped_from_the_step_on_that_decides() {
    let (log, account, signature) = found();
    let Inevitable { points, from } = when(&Toy, &log, &account.records, &signature, &|| false);
    assert_eq!(from, Some(DECIDES * SECOND), "{points:?}");
    for (t, share) in points {
        let is_open = t < DECIDES * SECOND;
        assert_eq!(share.of, when::WORLDS);
        assert_eq!(share.times < share.of, is_open, "{t}: {share}");
        assert!(share.times > 10, "half of the worlds fail anyway: {share}");
    }
}

#[test]
fn only_the_step_that_decides_is_needed() {
    let (log, account, _) = found();
    let Ablation { whole, needed, needless } = ablate(&Toy, &log, &account, &|| false);
    assert_eq!((whole.times, whole.of), (ablate::WORLDS, ablate::WORLDS));
    let [needed] = &needed[..] else { panic!("{needed:?}") };
    assert_eq!(needed.without, Share { times: 0, of: ablate::WORLDS });
    assert_eq!(needed.name, format!("think {DECIDES} of client#0"));
    let told = needed.n.map(|n| account.records[n].t);
    assert_eq!(told, Some(DECIDES * SECOND));
    assert!(needless > 0);
}

#[test]
fn time_that_is_up_stops_the_search() {
    let (log, account, signature) = found();
    let Inevitable { points, from } = when(&Toy, &log, &account.records, &signature, &|| true);
    assert!(points.iter().all(|(_, share)| share.of == 0));
    assert_eq!(from, None);
    assert!(ablate(&Toy, &log, &account, &|| true).needed.is_empty());
}

/// A world that panics in its middle.
struct Fragile;

impl Subject for Fragile {
    fn name(&self) -> &str {
        "fragile"
    }

    fn run(&self, choices: Choices, is_told: bool) -> Run {
        let mut trace = Trace::new(is_told);
        trace.note(3 * SECOND, Entity::App, || "the last that happened".into());
        let is_broken = choices.seed() == 7;
        assert!(!is_broken, "this is the end");
        let verdicts = crate::oracle::Verdicts::default();
        Run::toy(verdicts, trace, choices, SECOND)
    }
}

#[test]
fn a_panic_leaves_its_records() {
    let log = Choices::recorded(7).log();
    let account = Account::of(&Fragile, &log).expect("it panics");
    let Failure { property, at, what } = &account.failure;
    assert_eq!(
        (*property, *at, &**what),
        (Property::M3, 3 * SECOND, "it panicked: this is the end")
    );
    assert_eq!(account.records.len(), 1);
    assert!(Account::of(&Fragile, &Choices::recorded(8).log()).is_none());
}
