//! `cargo sim`: runs worlds by their seeds, and shows the first that fails.

use std::io::{self, IsTerminal, Write};
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use parlor_sim::choice::Choices;
use parlor_sim::{Failure, Preset, Property, Run, Trace, Verdict, run};

const HELP: &str = "\
Runs Parlor in simulated worlds, and checks in each that everything held that must.

Usage: cargo sim [--seed N | --seeds A..B] [OPTIONS]

  --seed N          run one world
  --seeds A..B      run one for each seed from A on and below B (default: 0..100)
  --profile NAME    standard, swarm or calm (default: standard)
  --jobs N          in so many threads (default: 1)
  --twice           run each twice, the second time in another thread, and compare
  --trace           print everything that happens in a failing world, or in that of --seed
  --help            print this

Exit code: 0 all held, 1 something did not, 3 two runs of one seed differ, 4 a bad command.
";

/// Lines of a failing world's end.
const TAIL_LINES: usize = 12;
const LINE_CHARS: usize = 110;
/// Seeds that are named besides the first that fails.
const OTHERS_MAX: usize = 8;

#[derive(Clone)]
struct Options {
    seeds: Range<u64>,
    preset: Preset,
    jobs: u64,
    is_twice: bool,
    is_traced: bool,
}

fn main() -> ExitCode {
    let options = match parse(lexopt::Parser::from_env()) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("parlor-sim: {error}; --help lists what there is");
            return ExitCode::from(4);
        }
    };
    // A panic is a finding, and told as one.
    panic::set_hook(Box::new(|_| {}));
    sweep(&options)
}

fn parse(mut parser: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options {
        seeds: 0..100,
        preset: Preset::Standard,
        jobs: 1,
        is_twice: false,
        is_traced: false,
    };
    while let Some(arg) = parser.next()? {
        match arg {
            Long("seed") => {
                let seed = parser.value()?.parse()?;
                options.seeds = seed..seed + 1;
            }
            Long("seeds") => options.seeds = parser.value()?.parse_with(range)?,
            Long("profile") => options.preset = parser.value()?.parse_with(preset)?,
            Long("jobs") => options.jobs = parser.value()?.parse_with(jobs)?,
            Long("twice") => options.is_twice = true,
            Long("trace") => options.is_traced = true,
            Long("help") => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(options))
}

fn range(text: &str) -> Result<Range<u64>, String> {
    let (from, to) = text.split_once("..").ok_or("it has the form A..B")?;
    let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is no number"));
    let range: Range<u64> = number(from)?..number(to)?;
    if range.is_empty() { Err("there is no seed in it".into()) } else { Ok(range) }
}

fn preset(name: &str) -> Result<Preset, String> {
    let found = Preset::ALL.into_iter().find(|preset| preset.name() == name);
    found.ok_or_else(|| "there are standard, swarm and calm".into())
}

fn jobs(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|&jobs| jobs > 0).ok_or_else(|| "it is at least 1".into())
}

/// What did not hold in one world.
enum Finding {
    Failed(Failure),
    Panicked(String),
    /// Two runs part, between these two events.
    Parted(u64, u64),
}

/// What all threads have come to.
#[derive(Default)]
struct Sum {
    runs: u64,
    events: u64,
    simulated: u64,
    hash: u64,
    tried: Vec<(Property, u64)>,
    findings: Vec<(u64, Finding)>,
}

fn world(options: &Options, seed: u64, is_told: bool) -> Result<Run, String> {
    let work = || run(options.preset, Choices::new(seed), seed, is_told);
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_string()))
            .unwrap_or_else(|| "something that is no text".into())
    })
}

fn judge(options: &Options, seed: u64, sum: &Mutex<Sum>) {
    let first = world(options, seed, false);
    let second = options.is_twice.then(|| {
        thread::scope(|scope| {
            // Another thread, and other addresses.
            let noise = vec![0u8; 1 + (seed as usize * 7919) % 100_000];
            let run = scope.spawn(|| world(options, seed, false)).join();
            drop(noise);
            run.unwrap_or_else(|_| Err("the thread itself".into()))
        })
    });
    let finding = match (&first, &second) {
        (Err(text), _) | (Ok(_), Some(Err(text))) => Some(Finding::Panicked(text.clone())),
        (Ok(run), second) => {
            let second = second.as_ref().and_then(|second| second.as_ref().ok());
            let parting = second.and_then(|second| run.trace.parting(&second.trace));
            let failed = run.verdicts.failure().cloned().map(Finding::Failed);
            parting.map(|(after, at_most)| Finding::Parted(after, at_most)).or(failed)
        }
    };
    let mut sum = sum.lock().expect("no thread panics while it holds it");
    sum.runs += 1 + u64::from(options.is_twice);
    for run in [Some(&first), second.as_ref()].into_iter().flatten().flatten() {
        sum.events += run.trace.events();
        sum.simulated += run.simulated;
    }
    if let Ok(run) = &first {
        sum.hash ^= run.trace.hash().rotate_left((seed % 64) as u32);
        for (place, &property) in Property::ALL.iter().enumerate() {
            let Verdict::Pass(times) = run.verdicts.of(property) else { continue };
            sum.tried[place].1 += times;
        }
    }
    sum.findings.extend(finding.map(|finding| (seed, finding)));
}

fn sweep(options: &Options) -> ExitCode {
    let started = Instant::now();
    let next = AtomicU64::new(options.seeds.start);
    let tried = Property::ALL.iter().map(|&property| (property, 0)).collect();
    let sum = Mutex::new(Sum { tried, ..Sum::default() });
    let total = options.seeds.end - options.seeds.start;
    let is_told = io::stderr().is_terminal() && total > 1;
    thread::scope(|scope| {
        for _ in 0..options.jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= options.seeds.end {
                        break;
                    }
                    judge(options, seed, &sum);
                    if is_told && seed.is_multiple_of(16) {
                        let done = seed - options.seeds.start + 1;
                        let _ = write!(io::stderr().lock(), "\r{done} of {total} ");
                    }
                }
            });
        }
    });
    if is_told {
        let _ = write!(io::stderr().lock(), "\r                              \r");
    }
    let mut sum = sum.into_inner().expect("all threads have ended well");
    sum.findings.sort_by_key(|&(seed, _)| seed);
    report(options, &sum, started.elapsed().as_micros().max(1))
}

fn report(options: &Options, sum: &Sum, micros: u128) -> ExitCode {
    let Some((seed, finding)) = sum.findings.first() else {
        if options.is_traced && options.seeds.end - options.seeds.start == 1 {
            print_trace(options, options.seeds.start, usize::MAX);
        }
        println!("ok    {}", speed(sum, micros));
        let vacuous = sum.tried.iter().filter(|&&(_, times)| times == 0);
        let vacuous: Vec<_> = vacuous.map(|(property, _)| property.to_string()).collect();
        if !vacuous.is_empty() {
            println!("      never put to the test: {}", vacuous.join(" "));
        }
        return ExitCode::SUCCESS;
    };
    let profile = options.preset.name();
    let (count, runs) = (sum.findings.len(), options.seeds.end - options.seeds.start);
    let lines = if options.is_traced { usize::MAX } else { TAIL_LINES };
    let code = match finding {
        Finding::Failed(failure) => {
            let Failure { property, at, what } = failure;
            println!("FAIL  {property}  seed {seed}, profile {profile} ({count} of {runs} fail)");
            println!("      {}", property.sentence());
            println!("      {}.{:06} s: {what}\n", at / 1_000_000, at % 1_000_000);
            print_trace(options, *seed, lines);
            1
        }
        Finding::Panicked(text) => {
            let property = Property::M3;
            println!("FAIL  {property}  seed {seed}, profile {profile} ({count} of {runs} fail)");
            println!("      {}", property.sentence());
            println!("      it panicked: {text}");
            1
        }
        Finding::Parted(after, at_most) => {
            println!(
                "FAIL  seed {seed}, profile {profile}: two runs differ ({count} of {runs} fail)"
            );
            print_parting(options, *seed, (*after, *at_most));
            3
        }
    };
    let others: Vec<_> = sum.findings.iter().skip(1).take(OTHERS_MAX).map(named).collect();
    if !others.is_empty() {
        println!("\n      also    {}", others.join(", "));
    }
    println!("\n      again   cargo sim --seed {seed} --profile {profile} --trace");
    println!("      {}", speed(sum, micros));
    ExitCode::from(code)
}

fn named((seed, finding): &(u64, Finding)) -> String {
    match finding {
        Finding::Failed(failure) => format!("{seed} ({})", failure.property),
        Finding::Panicked(_) => format!("{seed} (panic)"),
        Finding::Parted(..) => format!("{seed} (differs)"),
    }
}

fn print_trace(options: &Options, seed: u64, lines: usize) {
    let Ok(run) = world(options, seed, true) else { return };
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
fn print_parting(options: &Options, seed: u64, (after, at_most): (u64, u64)) {
    println!("      after event {after}, at the latest at event {at_most}");
    let runs = [world(options, seed, true), world(options, seed, true)];
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

fn speed(sum: &Sum, micros: u128) -> String {
    let per_second = |count: u64| u128::from(count) * 1_000_000 / micros;
    format!(
        "{} runs, {} events; {} runs/s, {} events/s, {} times real time; hash {:016x}",
        sum.runs,
        sum.events,
        per_second(sum.runs),
        per_second(sum.events),
        u128::from(sum.simulated) / micros,
        sum.hash,
    )
}
