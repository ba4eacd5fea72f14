//! Toy worlds whose smallest failures are known, and what the shrinker makes of them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;
use crate::choice::Stream;
use crate::oracle::Verdicts;
use crate::trace::Trace;
use crate::world::Run;

const CLIENTS: u64 = 5;
const END: u64 = 60_000_000;

/// What happened in a toy world: when, who (`None` for a fault), what and how much.
type Story = Vec<(u64, Option<u64>, u64, u64)>;

/// Clients that do things at random times, and faults; what fails is a rule over the story.
struct Toy(fn(&Story, &mut Verdicts));

impl Subject for Toy {
    fn name(&self) -> &str {
        "toy"
    }

    fn run(&self, mut choices: Choices, _is_told: bool) -> Run {
        let cast = choices.stream("cast", 0);
        let mut steps = BinaryHeap::new();
        let mut streams: Vec<(Option<u64>, Stream, &str)> = Vec::new();
        for client in 0..CLIENTS {
            let stream = choices.stream("client", client);
            let start = choices.choose(stream, 1_000_000);
            streams.push((Some(client), stream, "think"));
            if choices.keep(cast, "client") {
                steps.push(Reverse((start, client as usize)));
            }
        }
        let faults = choices.stream("faults", 0);
        streams.push((None, faults, "fault"));
        if choices.keep(cast, "resets") {
            steps.push(Reverse((0, CLIENTS as usize)));
        }
        let mut verdicts = Verdicts::default();
        let mut story = Story::new();
        while let Some(Reverse((now, place))) = steps.pop().filter(|step| step.0.0 < END) {
            let (who, stream, label) = streams[place];
            choices.span(stream, label);
            let pause = choices.choose(stream, 2_000_001);
            if pause > 0 {
                steps.push(Reverse((now + pause, place)));
            }
            let what = choices.choose(stream, 30);
            let size = choices.choose(stream, 10_000);
            story.push((now, who, what, size));
            verdicts.now = now;
            (self.0)(&story, &mut verdicts);
            if verdicts.failure().is_some() {
                break;
            }
        }
        Run::toy(verdicts, Trace::default(), choices, END)
    }
}

const ENOUGH: Budget<'static> = Budget { replays: 3000, is_late: &|| false };

/// Shrinks the first few seeds that fail, and holds each against what is known to be the least.
#[track_caller]
fn shrinks(toy: &Toy, least: Size, also: impl Fn(&Story)) {
    let failing = (0..).filter_map(|seed| failing(toy, Choices::new(seed)));
    for failed in failing.take(4) {
        let seed = failed.log.seed();
        let shrunk = shrink(toy, failed.log.clone(), ENOUGH).unwrap();
        assert_eq!(shrunk.size, least, "seed {seed}:\n{}", shrunk.log);
        assert_eq!(shrunk.stop, Stop::Smallest, "seed {seed}");
        for jobs in [1, 3] {
            let again = shrink_in(jobs, toy, failed.log.clone(), ENOUGH).unwrap();
            let told = (&again.log, again.replays);
            assert_eq!(told, (&shrunk.log, shrunk.replays), "it depends on nothing but the log");
        }
        let strict = std::panic::AssertUnwindSafe(|| {
            let run = toy.run(Choices::replayed(shrunk.log.clone()), false);
            assert_eq!(run.choices.drift(), None);
            assert_eq!(run.verdicts.failure(), Some(&shrunk.failure));
        });
        if shrunk.failure.property != Property::M3 {
            strict();
        }
        also(&story(&shrunk.log));
    }
}

/// What happens in it, but for what is nothing.
fn story(log: &ChoiceLog) -> Story {
    let lines = log.to_string();
    let spans = lines.lines().filter(|line| line.contains(" think") || line.contains(" fault"));
    let draws = |line: &str| {
        let (name, draws) = line.split_once(':').unwrap();
        let values = draws.split(' ').skip(1).flat_map(|draw| {
            let (draw, times) = draw.split_once('*').unwrap_or((draw, "1"));
            let value: u64 = draw.split('/').next().unwrap().parse().unwrap();
            std::iter::repeat_n(value, times.parse().unwrap())
        });
        let values: Vec<u64> = values.collect();
        let client = name.strip_prefix("client#").map(|rest| rest[..1].parse().unwrap());
        (values[0], client, values[1], values[2])
    };
    spans.map(draws).filter(|step| step.2 > 0 || step.3 > 0).collect()
}

#[test]
fn one_thing_behind_the_other_and_a_fault() {
    let toy = Toy(|story, verdicts| {
        let &(_, who, what, _) = story.last().unwrap();
        let is_hit = who.is_none() && what == 3;
        let fails = is_hit
            && (0..CLIENTS).any(|client| {
                let mut steps = story.iter().filter(|step| step.1 == Some(client));
                steps.any(|step| step.2 == 7) && steps.any(|step| step.2 == 9)
            });
        verdicts.claim(Property::A1, !fails, || "a fault hits a client".into());
    });
    shrinks(&toy, Size { clients: 1, operations: 2, faults: 1 }, |_| {});
}

#[test]
fn enough_of_one_kind_from_anybody() {
    let toy = Toy(|story, verdicts| {
        let count = story.iter().filter(|step| step.1.is_some() && step.2 >= 25).count();
        verdicts.claim(Property::O1, count < 6, || format!("{count} are too many"));
    });
    shrinks(&toy, Size { clients: 1, operations: 6, faults: 0 }, |story| {
        assert!(story.iter().all(|step| step.2 == 25 && step.3 == 0), "{story:?}");
    });
}

#[test]
fn what_is_needless_goes_by_the_dozen() {
    let toy = Toy(|story, verdicts| {
        let &(now, who, what, _) = story.last().unwrap();
        let fails = now > 50_000_000 && who == Some(3) && what == 17;
        verdicts.claim(Property::A4, !fails, || "too late".into());
    });
    let failed = (0..).find_map(|seed| failing(&toy, Choices::new(seed))).unwrap();
    let events = edit::size(&failed.log).events() as u64;
    assert!(events > 250, "{events}");
    // Of hundreds of things one is needed, and the time until then.
    let scarce = Budget { replays: events, is_late: &|| false };
    let shrunk = shrink(&toy, failed.log, scarce).unwrap();
    assert_eq!(shrunk.size, Size { clients: 1, operations: 1, faults: 0 }, "{}", shrunk.log);
    shrinks(&toy, shrunk.size, |_| {});
}

#[test]
fn two_clients_at_nearly_the_same_time() {
    let toy = Toy(|story, verdicts| {
        let last = story.last().unwrap();
        let fails = story.iter().rev().take_while(|step| step.0 + 50_000 > last.0).any(|step| {
            step.1 != last.1 && step.1.is_some() && last.1.is_some() && step.2 == 4 && last.2 == 4
        });
        verdicts.claim(Property::O3, !fails, || "they meet".into());
    });
    shrinks(&toy, Size { clients: 2, operations: 2, faults: 0 }, |_| {});
}

#[test]
fn what_needs_an_amount_needs_no_more_of_it() {
    let toy = Toy(|story, verdicts| {
        let &(_, who, what, size) = story.last().unwrap();
        let fails = who.is_some() && what == 11 && size >= 1234;
        verdicts.claim(Property::M3, !fails, || format!("{size} bytes"));
    });
    shrinks(&toy, Size { clients: 1, operations: 1, faults: 0 }, |story| {
        // The roundest of those that are enough.
        assert_eq!(story[0].3, 2000);
    });
}

#[test]
fn a_panic_is_a_failure_like_others() {
    let toy = Toy(|story, _| {
        let count = story.iter().filter(|step| step.1.is_some() && step.2 >= 20).count();
        if count == 3 {
            std::panic::resume_unwind(Box::new(format!("index {count} out of bounds")));
        }
    });
    shrinks(&toy, Size { clients: 1, operations: 3, faults: 0 }, |_| {});
}

#[test]
fn it_does_not_slip_to_another_failure() {
    let toy = Toy(|story, verdicts| {
        let &(now, who, what, _) = story.last().unwrap();
        // Easy to have, but not what failed: it takes a world without faults.
        let were_faults = story.iter().any(|step| step.1.is_none());
        verdicts.claim(Property::D1, were_faults || now < 3_000_000, || "easy".into());
        let count = story.iter().filter(|step| step.1 == Some(2) && step.2 == 8).count();
        verdicts.claim(Property::D1, count < 2, || "hard".into());
        let _ = (who, what);
    });
    let failed = (0..).find_map(|seed| failing(&toy, Choices::new(seed))).unwrap();
    assert_eq!(failed.failure.what, "hard");
    let shrunk = shrink(&toy, failed.log, ENOUGH).unwrap();
    assert_eq!(shrunk.failure.what, "hard");
    assert_eq!(shrunk.size, Size { clients: 1, operations: 2, faults: 0 });
}

#[test]
fn a_budget_is_kept_and_what_passes_is_refused() {
    let toy = Toy(|story, verdicts| {
        let count = story.iter().filter(|step| step.2 >= 25).count();
        verdicts.claim(Property::O1, count < 9, || "too many".into());
    });
    let failed = || failing(&toy, Choices::new(1)).unwrap().log;
    let budget = || Budget { replays: 30, is_late: &|| false };
    for jobs in [1, 4] {
        let shrunk = shrink_in(jobs, &toy, failed(), budget()).unwrap();
        assert_eq!((shrunk.replays, shrunk.stop), (30, Stop::Replays));
    }
    let late = Budget { replays: 3000, is_late: &|| true };
    assert_eq!(shrink(&toy, failed(), late).unwrap().stop, Stop::Time);
    let passes = Toy(|_, _| {});
    assert!(shrink(&passes, failed(), ENOUGH).is_err());
}

#[test]
fn a_run_ends_at_its_horizon() {
    let run = |choices| crate::world::run(crate::profile::Preset::Standard, choices, false);
    let cut = run(Choices::new(1).until(1_000_000));
    assert_eq!(cut.verdicts.failure(), None);
    assert!(cut.simulated < run(Choices::new(1)).simulated / 10, "{} us", cut.simulated);
}

#[test]
fn a_run_ends_behind_the_events_that_it_may_have() {
    let run = |choices| crate::world::run(crate::profile::Preset::Standard, choices, false);
    let cut = run(Choices::new(1).within(100));
    assert!(cut.choices.is_spent() && !run(Choices::new(1)).choices.is_spent());
    assert_eq!(cut.choices.steps(), 101);
}
