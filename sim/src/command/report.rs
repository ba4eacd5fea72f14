//! What is printed: by the command, and by the test that a scenario is.

use std::fmt::Write as _;
use std::path::Path;
use std::thread;

use super::Exit;
use super::minimize::DIRECTORY;
use super::options::Options;
use crate::choice::Choices;
use crate::explain::{self, Account, Inquiry, Patience, Screen};
use crate::marks::Mark;
use crate::oracle::{Failure, Property};
use crate::profile::Preset;
use crate::shrink;
use crate::sweep::{Finding, Subject, Sum, Sweep, world};
use crate::trace::{Story, Trace};

/// Lines of a failing world's end.
const TAIL_LINES: usize = 12;
const LINE_CHARS: usize = 110;
/// Runs in which two that differed may do so again.
const AGAIN: usize = 8;
/// Seeds that are named besides the first that fails.
const OTHERS_MAX: usize = 8;
/// A swarm of so many must put everything to the test; a smaller one may not come to it.
const JUDGED_FROM_RUNS: u64 = 1000;
/// And one of so many must hit every mark as often as its tier demands.
const COVERED_FROM_RUNS: u64 = 10_000;

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
    if options.shows_coverage {
        print!("{}", sum.coverage);
    }
    let is_swarm = options.preset == Preset::Swarm;
    let is_judged = is_swarm && sum.runs >= JUDGED_FROM_RUNS;
    let missed: Vec<&str> = sum.coverage.missed().map(Mark::name).collect();
    let is_blind = is_swarm && sum.runs >= COVERED_FROM_RUNS && !missed.is_empty();
    if is_blind {
        println!("      in fewer worlds than it should: {}", missed.join(" "));
    }
    if is_judged && !vacuous.is_empty() || is_blind { Exit::Vacuous } else { Exit::Held }
}

/// The screen of a test that fails, made as small as time allows. What is kept of it is written.
pub(crate) fn of_check(subject: &dyn Subject, sweep: &Sweep, sum: &Sum) -> Option<String> {
    let (seed, finding) = sum.findings.first()?;
    let (name, place) = (subject.name(), place(subject, sweep, *seed));
    let again = format!("PARLOR_SIM_SEEDS={seed} cargo test {name}");
    if !matches!(finding, Finding::Parted(..))
        && let Some(failed) = shrink::failing(subject, Choices::new(*seed))
    {
        let log = subject.signed(failed.log);
        if let Ok(inquiry) = Inquiry::of(subject, log, Patience::TEST) {
            let property = inquiry.account.failure.property;
            let directory = Path::new(DIRECTORY).join(format!("{name}-{property}-{seed}"));
            let files = inquiry.write(subject, &directory).unwrap_or_else(|error| {
                vec![("look", format!("{} cannot be written: {error}", directory.display()))]
            });
            return Some(inquiry.screen(&place, &again, &files).to_string());
        }
    }
    let (_, mut screen) = failure(subject, sweep, sum, TAIL_LINES)?;
    let _ = writeln!(screen, "\n      again   {again}");
    Some(screen)
}

/// Which world it is, among how many.
fn place(subject: &dyn Subject, sweep: &Sweep, seed: u64) -> String {
    let (first, all) = (sweep.seeds.start, sweep.seeds.end - sweep.seeds.start);
    let profile = subject.name();
    match all {
        1 => format!("seed {seed}, {profile}"),
        _ => format!("seed {seed} (number {} of {all}), {profile}", seed - first + 1),
    }
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
    let place = format!("{}, {count} of {runs} fail", place(subject, sweep, *seed));
    let exit = match finding {
        Finding::Failed(found) => {
            told(subject, *seed, found, &place, lines, &mut out);
            Exit::Failed
        }
        Finding::Panicked(text) => {
            let what = format!("it panicked: {text}");
            let found = Failure { property: Property::M3, at: 0, what };
            told(subject, *seed, &found, &place, lines, &mut out);
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

/// A failure as it is, on one screen; with all of its records if so many lines are wanted.
fn told(
    subject: &dyn Subject,
    seed: u64,
    found: &Failure,
    place: &str,
    lines: usize,
    out: &mut String,
) {
    let account =
        shrink::of_seed(subject, seed, |subject, failed| Account::of(subject, &failed.log));
    let account = account.flatten().unwrap_or_else(|| Account::bare(found.clone()));
    if lines == usize::MAX {
        let _ = write!(out, "{}", Story::new(&account.records));
    }
    let (figures, ablation, inevitable) = (None, None, None);
    let small = "--minimize in the place of --trace makes it small";
    let files = &[("then", small.to_string())];
    let again = format!("cargo sim --seed {seed} --profile {} --trace", subject.name());
    let account = &account;
    let screen = Screen { place, account, figures, ablation, inevitable, again: &again, files };
    let _ = write!(out, "{screen}");
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

/// Names the first thing that differs, and the handler it happened in, if the two runs differ
/// again.
fn parting(subject: &dyn Subject, seed: u64, (after, at_most): (u64, u64), out: &mut String) {
    let _ = writeln!(out, "      after event {after}, at the latest at event {at_most}");
    let first = world(subject, Choices::new(seed), true);
    let again = |turn: usize| {
        thread::scope(|scope| {
            let noise = vec![0u8; 1 + turn * 7919];
            let run = scope.spawn(|| world(subject, Choices::new(seed), true)).join();
            drop(noise);
            run.ok().and_then(Result::ok)
        })
    };
    let found = first.ok().and_then(|one| {
        (0..AGAIN).filter_map(again).find_map(|two| {
            let [ones, twos] = [&one, &two].map(|run| run.trace.records());
            let parting = explain::parting(ones, twos, true)?;
            let mut text = String::new();
            for (name, all, n) in [("first", ones, parting.one), ("then", twos, parting.two)] {
                let line = n.map(|n| Story::new(all).line(n).to_string());
                let line = line.unwrap_or_else(|| format!("nothing more at {}", parting.at));
                let _ = writeln!(text, "      {name:<5}  {}", cut(&line));
                if let Some(handler) = n.and_then(|n| explain::handler(all, n)) {
                    let _ = writeln!(text, "             in the handler {handler}");
                }
            }
            Some(text)
        })
    });
    let rarely = format!("      and in {AGAIN} more runs it did not differ again\n");
    let _ = write!(out, "{}", found.unwrap_or(rarely));
    let _ = writeln!(
        out,
        "      usual causes: a std HashMap, a clock, a static, a thread; use a BTreeMap, cx.now(), \
         cx.random(), the state"
    );
}

fn cut(line: &str) -> String {
    line.chars().take(LINE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::oracle::Verdicts;
    use crate::trace::{App, Entity};
    use crate::world::Run;

    /// A program that keeps something outside of its state.
    struct Forbidden(AtomicU64);

    impl Subject for Forbidden {
        fn name(&self) -> &str {
            "forbidden"
        }

        fn run(&self, choices: Choices, is_told: bool) -> Run {
            let mut trace = Trace::new(is_told);
            let count = self.0.fetch_add(1, Ordering::Relaxed);
            let (sock, event, args) = (None, "say".into(), "[]".into());
            trace.app(1, vec![App::Enter { sock, event, args }]);
            trace.note(2, Entity::App, || format!("number {count}"));
            trace.event(2, 0, count, &[]);
            Run::toy(Verdicts::default(), trace, choices, 1)
        }
    }

    #[test]
    fn two_runs_that_differ_name_the_first_thing_and_its_handler() {
        let subject = Forbidden(AtomicU64::new(0));
        let sweep = Sweep { is_twice: true, ..Sweep::of(0..1) };
        let sum = sweep.run(&subject);
        let (exit, text) = failure(&subject, &sweep, &sum, TAIL_LINES).expect("they differ");
        assert_eq!(exit, Exit::Differs);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert!(lines[0].starts_with("FAIL  two runs differ  seed 0"), "{text}");
        let named = |line: &str, start: &str| line.starts_with(start) && line.contains("number ");
        assert!(named(lines[2], "first ") && named(lines[4], "then "), "{text}");
        assert_eq!([lines[3], lines[5]], ["in the handler say"; 2], "{text}");
    }
}
