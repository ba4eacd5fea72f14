//! What is printed: by the command, and by the test that a scenario is.

use std::fmt::Write as _;

use super::Exit;
use super::options::Options;
use crate::choice::Choices;
use crate::oracle::{Failure, Property};
use crate::profile::Preset;
use crate::sweep::{Finding, Subject, Sum, Sweep, world};
use crate::trace::{Story, Trace};

/// Lines of a failing world's end.
const TAIL_LINES: usize = 12;
const LINE_CHARS: usize = 110;
/// Seeds that are named besides the first that fails.
const OTHERS_MAX: usize = 8;
/// A swarm of so many must put everything to the test; a smaller one may not come to it.
const JUDGED_FROM_RUNS: u64 = 1000;

/// All properties, and what they say.
pub(super) fn properties() {
    for &property in Property::ALL {
        println!("{:<4} {}", property.to_string(), property.sentence());
    }
}

/// What a sweep came to.
pub(super) fn sweep(subject: &dyn Subject, options: &Options, sum: &Sum) -> Exit {
    let seeds = &options.sweep.seeds;
    let lines = if options.is_traced { usize::MAX } else { TAIL_LINES };
    if let Some((exit, mut screen)) = failure(subject, &options.sweep, sum, lines) {
        let (seed, profile) = (sum.findings[0].0, subject.name());
        let _ =
            writeln!(screen, "\n      again   cargo sim --seed {seed} --profile {profile} --trace");
        let _ = writeln!(screen, "      {}", sum.speed());
        print!("{screen}");
        return exit;
    }
    if options.is_traced && seeds.end - seeds.start == 1 {
        let mut text = String::new();
        trace(subject, seeds.start, usize::MAX, &mut text);
        print!("{text}");
    }
    println!("ok    {}", sum.speed());
    let vacuous: Vec<_> = sum.vacuous().map(|property| property.to_string()).collect();
    if !vacuous.is_empty() {
        println!("      never put to the test: {}", vacuous.join(" "));
    }
    let is_judged = options.preset == Preset::Swarm && sum.runs >= JUDGED_FROM_RUNS;
    if is_judged && !vacuous.is_empty() { Exit::Vacuous } else { Exit::Held }
}

/// The screen of a test that fails.
pub(crate) fn of_check(subject: &dyn Subject, sweep: &Sweep, sum: &Sum) -> Option<String> {
    let (_, mut screen) = failure(subject, sweep, sum, TAIL_LINES)?;
    let (seed, name) = (sum.findings[0].0, subject.name());
    let _ = writeln!(screen, "\n      again   PARLOR_SIM_SEEDS={seed} cargo test {name}");
    Some(screen)
}

/// The first finding: what it is, and its story.
fn failure(
    subject: &dyn Subject,
    sweep: &Sweep,
    sum: &Sum,
    lines: usize,
) -> Option<(Exit, String)> {
    let (seed, finding) = sum.findings.first()?;
    let (count, runs) = (sum.findings.len(), sweep.seeds.end - sweep.seeds.start);
    let mut out = String::new();
    let place = format!("seed {seed}, {} ({count} of {runs} fail)", subject.name());
    let exit = match finding {
        Finding::Failed(Failure { property: Property::App, at, what }) => {
            let _ = writeln!(out, "FAIL  app property  {place}\n      {} {what}\n", time(*at));
            trace(subject, *seed, lines, &mut out);
            Exit::Failed
        }
        Finding::Failed(Failure { property, at, what }) => {
            let _ =
                writeln!(out, "FAIL  library {property}  {place}\n      {}", property.sentence());
            let _ = writeln!(out, "      {} {what}\n", time(*at));
            trace(subject, *seed, lines, &mut out);
            Exit::Failed
        }
        Finding::Panicked(text) => {
            let _ = writeln!(out, "FAIL  panic  {place}\n      {text}");
            Exit::Failed
        }
        Finding::Parted(after, at_most) => {
            let _ = writeln!(out, "FAIL  two runs differ  {place}");
            parting(subject, *seed, (*after, *at_most), &mut out);
            Exit::Differs
        }
    };
    let others: Vec<_> = sum.findings.iter().skip(1).take(OTHERS_MAX).map(named).collect();
    if !others.is_empty() {
        let _ = writeln!(out, "\n      also    {}", others.join(", "));
    }
    Some((exit, out))
}

fn time(micros: u64) -> String {
    format!("{}.{:06} s:", micros / 1_000_000, micros % 1_000_000)
}

fn named((seed, finding): &(u64, Finding)) -> String {
    match finding {
        Finding::Failed(failure) => format!("{seed} ({})", failure.property),
        Finding::Panicked(_) => format!("{seed} (panic)"),
        Finding::Parted(..) => format!("{seed} (differs)"),
    }
}

fn trace(subject: &dyn Subject, seed: u64, lines: usize, out: &mut String) {
    let Ok(run) = world(subject, Choices::new(seed), true) else { return };
    end_of(&run.trace, lines, out);
}

/// The last lines of a trace; all in full for as many as there can be.
pub(super) fn end_of(trace: &Trace, lines: usize, out: &mut String) {
    let all = trace.records();
    let story = Story::new(all);
    let from = all.len().saturating_sub(lines);
    if from > 0 {
        let _ = writeln!(out, "      ({from} lines before)");
    }
    for n in from..all.len() {
        let line = story.line(n).to_string();
        let _ = writeln!(out, "{}", if lines == usize::MAX { line } else { cut(&line) });
    }
}

/// Names the first thing that differs, if the two runs differ again.
fn parting(subject: &dyn Subject, seed: u64, (after, at_most): (u64, u64), out: &mut String) {
    let _ = writeln!(out, "      after event {after}, at the latest at event {at_most}");
    let run = || world(subject, Choices::new(seed), true);
    let runs = [run(), run()];
    let [Ok(one), Ok(two)] = &runs else { return };
    let [one, two] = [one, two].map(|run| run.trace.records());
    let _ = match one.iter().zip(two).position(|(one, two)| one != two) {
        Some(place) => {
            let [first, then] = [one, two].map(|all| cut(&Story::new(all).line(place).to_string()));
            writeln!(out, "      first  {first}\n      then   {then}")
        }
        None => writeln!(out, "      and in this thread, with the same memory, they do not"),
    };
    let _ = writeln!(
        out,
        "      usual causes: a std HashMap, a clock, a static, a thread; use a BTreeMap, cx.now(), \
         cx.random(), the state"
    );
}

fn cut(line: &str) -> String {
    line.chars().take(LINE_CHARS).collect()
}
