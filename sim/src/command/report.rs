//! What the command prints.

use super::Exit;
use super::options::Options;
use crate::choice::Choices;
use crate::oracle::{Failure, Property};
use crate::profile::Preset;
use crate::sweep::{Finding, Subject, Sum, world};
use crate::trace::Trace;

/// Lines of a failing world's end.
const TAIL_LINES: usize = 12;
/// A swarm of so many must put everything to the test; a smaller one may not come to it.
const JUDGED_FROM_RUNS: u64 = 1000;
const LINE_CHARS: usize = 110;
/// Seeds that are named besides the first that fails.
const OTHERS_MAX: usize = 8;

/// All properties, and what they say.
pub(super) fn properties() {
    for &property in Property::ALL {
        println!("{:<4} {}", property.to_string(), property.sentence());
    }
}

/// What a sweep came to.
pub(super) fn sweep(subject: &dyn Subject, options: &Options, sum: &Sum) -> Exit {
    let Some((seed, finding)) = sum.findings.first() else {
        if options.is_traced && options.sweep.seeds.end - options.sweep.seeds.start == 1 {
            print_trace(subject, options.sweep.seeds.start, usize::MAX);
        }
        println!("ok    {}", sum.speed());
        let vacuous: Vec<_> = sum.vacuous().map(|property| property.to_string()).collect();
        if !vacuous.is_empty() {
            println!("      never put to the test: {}", vacuous.join(" "));
        }
        let is_judged = options.preset == Preset::Swarm && sum.runs >= JUDGED_FROM_RUNS;
        return if is_judged && !vacuous.is_empty() { Exit::Vacuous } else { Exit::Held };
    };
    let profile = subject.name();
    let (count, runs) = (sum.findings.len(), options.sweep.seeds.end - options.sweep.seeds.start);
    let lines = if options.is_traced { usize::MAX } else { TAIL_LINES };
    let exit = match finding {
        Finding::Failed(failure) => {
            let Failure { property, at, what } = failure;
            println!("FAIL  {property}  seed {seed}, profile {profile} ({count} of {runs} fail)");
            println!("      {}", property.sentence());
            println!("      {}.{:06} s: {what}\n", at / 1_000_000, at % 1_000_000);
            print_trace(subject, *seed, lines);
            Exit::Failed
        }
        Finding::Panicked(text) => {
            let property = Property::M3;
            println!("FAIL  {property}  seed {seed}, profile {profile} ({count} of {runs} fail)");
            println!("      {}", property.sentence());
            println!("      it panicked: {text}");
            Exit::Failed
        }
        Finding::Parted(after, at_most) => {
            println!(
                "FAIL  seed {seed}, profile {profile}: two runs differ ({count} of {runs} fail)"
            );
            print_parting(subject, *seed, (*after, *at_most));
            Exit::Differs
        }
    };
    let others: Vec<_> = sum.findings.iter().skip(1).take(OTHERS_MAX).map(named).collect();
    if !others.is_empty() {
        println!("\n      also    {}", others.join(", "));
    }
    println!("\n      again   cargo sim --seed {seed} --profile {profile} --trace");
    println!("      {}", sum.speed());
    exit
}

fn named((seed, finding): &(u64, Finding)) -> String {
    match finding {
        Finding::Failed(failure) => format!("{seed} ({})", failure.property),
        Finding::Panicked(_) => format!("{seed} (panic)"),
        Finding::Parted(..) => format!("{seed} (differs)"),
    }
}

fn print_trace(subject: &dyn Subject, seed: u64, lines: usize) {
    let Ok(run) = world(subject, Choices::new(seed), true) else { return };
    let all = run.trace.lines();
    let from = all.len().saturating_sub(lines);
    if from > 0 {
        println!("      ({from} lines before)");
    }
    for line in &all[from..] {
        println!("{}", if lines == usize::MAX { line.clone() } else { cut(line) });
    }
}

/// Names the first thing that differs, if the two runs differ again.
fn print_parting(subject: &dyn Subject, seed: u64, (after, at_most): (u64, u64)) {
    println!("      after event {after}, at the latest at event {at_most}");
    let run = || world(subject, Choices::new(seed), true);
    let runs = [run(), run()];
    let [Ok(one), Ok(two)] = &runs else { return };
    let parts = |one: &Trace, two: &Trace| {
        one.lines().iter().zip(two.lines()).position(|(one, two)| one != two)
    };
    match parts(&one.trace, &two.trace) {
        Some(place) => {
            println!("      first  {}", cut(&one.trace.lines()[place]));
            println!("      then   {}", cut(&two.trace.lines()[place]));
        }
        None => println!("      and in this thread, with the same memory, they do not"),
    }
    println!("      usual causes: a std HashMap, a clock, a static, a thread");
}

fn cut(line: &str) -> String {
    line.chars().take(LINE_CHARS).collect()
}
