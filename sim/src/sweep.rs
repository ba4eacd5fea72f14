//! Many runs: of each seed one or two, in several threads, and what all of them came to.

use std::io::{self, IsTerminal, Write};
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::choice::{ChoiceLog, Choices, Drift};
use crate::marks::Coverage;
use crate::oracle::{Failure, Property, Verdict, Verdicts};
use crate::user::Demanded;
use crate::world::Run;

/// What can be run again and again: a program and its clients, made anew for each run.
pub(crate) trait Subject: Sync {
    /// Its name in reports and logs.
    fn name(&self) -> &str;

    /// What its program is called in traces and choice logs.
    fn app(&self) -> &str {
        self.name()
    }

    /// The text of a test that repeats the choices beside it, which led to this failure.
    fn test(&self, failure: &Failure, seed: u64) -> Option<String> {
        let _ = (failure, seed);
        None
    }

    /// What compares a seed's world with itself changed, if it is the seed's turn.
    fn comparison(&self, seed: u64) -> Option<Box<dyn Subject>> {
        let _ = seed;
        None
    }

    /// A log that says of what it is, so that it needs nothing else.
    fn signed(&self, log: ChoiceLog) -> ChoiceLog {
        log.with("app", self.app()).with("profile", self.name())
    }

    /// Whether a run goes on behind its failure, so that its log does not end with it.
    fn outlasts_failure(&self) -> bool {
        false
    }

    /// One world, to its end or to the first thing that does not hold.
    fn run(&self, choices: Choices, is_told: bool) -> Run;
}

/// How to sweep.
#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    pub(crate) seeds: Range<u64>,
    /// No new seed is begun after so long.
    pub(crate) time_max: Option<Duration>,
    pub(crate) jobs: u64,
    /// Each seed twice, the second time in another thread.
    pub(crate) is_twice: bool,
    /// Some of them are compared with themselves changed.
    pub(crate) is_related: bool,
    /// No new seed is begun after the first that fails.
    pub(crate) is_first_enough: bool,
}

/// What did not hold in one world.
#[derive(Debug)]
pub(crate) enum Finding {
    Failed(Failure),
    Panicked(String),
    /// Two runs part, between these two events.
    Parted(u64, u64),
}

/// What all runs have come to.
#[derive(Debug)]
pub(crate) struct Sum {
    pub(crate) runs: u64,
    pub(crate) events: u64,
    pub(crate) simulated: u64,
    pub(crate) hash: u64,
    /// How often each property was put to the test.
    pub(crate) tried: Vec<(Property, u64)>,
    /// What scenarios demand, and how often it was put to the test or came true.
    pub(crate) demanded: Vec<Demanded>,
    /// In how many worlds each mark was hit.
    pub(crate) coverage: Coverage,
    /// By seed.
    pub(crate) findings: Vec<(u64, Finding)>,
    pub(crate) elapsed: Duration,
}

/// One world; a panic in it is its outcome.
pub(crate) fn world(subject: &dyn Subject, choices: Choices, is_told: bool) -> Result<Run, String> {
    let work = || subject.run(choices, is_told);
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_string()))
            .unwrap_or_else(|| "something that is no text".into())
    })
}

/// One world as a choice log says, of what it says that it is of.
///
/// # Panics
///
/// If something does not hold, or the text is no choice log.
pub(crate) fn repeat<'a>(
    subject: impl FnOnce(&ChoiceLog) -> Result<Box<dyn Subject + 'a>, String>,
    choices: &str,
) {
    let read = ChoiceLog::parse(choices).and_then(|log| Ok((subject(&log)?, log)));
    let (subject, log) = read.unwrap_or_else(|why| panic!("the choices: {why}"));
    let run = world(&*subject, Choices::replayed(log), false)
        .unwrap_or_else(|text| panic!("it panicked: {text}"));
    if let Some(Failure { property, what, .. }) = run.verdicts.failure() {
        panic!("{property}: {}\n{what}", property.sentence());
    }
    if let Some(drift) = run.choices.drift().filter(|drift| !matches!(drift, Drift::Ended { .. })) {
        let _ = writeln!(io::stderr().lock(), "{drift}; this world is not the one that failed");
    }
}

impl Sweep {
    /// Each of these once, in this thread, whatever comes of them.
    pub(crate) fn of(seeds: Range<u64>) -> Self {
        Self {
            seeds,
            time_max: None,
            jobs: 1,
            is_twice: false,
            is_related: false,
            is_first_enough: false,
        }
    }

    /// Runs all of it.
    pub(crate) fn run(&self, subject: &dyn Subject) -> Sum {
        let started = Instant::now();
        let next = AtomicU64::new(self.seeds.start);
        let sum = Mutex::new(Sum::new());
        let total = self.seeds.end - self.seeds.start;
        let is_told = io::stderr().is_terminal() && total > 1;
        let is_over = |sum: &Mutex<Sum>| {
            let sum = sum.lock().expect("no thread panics while it holds it");
            let is_late = self.time_max.is_some_and(|most| started.elapsed() >= most);
            is_late || self.is_first_enough && !sum.findings.is_empty()
        };
        thread::scope(|scope| {
            for _ in 0..self.jobs {
                scope.spawn(|| {
                    while !is_over(&sum) {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= self.seeds.end {
                            break;
                        }
                        self.judge(subject, seed, &sum);
                        if is_told && seed.is_multiple_of(16) {
                            let done = seed - self.seeds.start + 1;
                            progress(done, total, started.elapsed());
                        }
                    }
                });
            }
        });
        if is_told {
            let _ = write!(io::stderr().lock(), "\r{:60}\r", "");
        }
        let mut sum = sum.into_inner().expect("all threads have ended well");
        sum.findings.sort_by_key(|&(seed, _)| seed);
        sum.elapsed = started.elapsed();
        sum
    }

    fn judge(&self, subject: &dyn Subject, seed: u64, sum: &Mutex<Sum>) {
        let first = world(subject, Choices::new(seed), false);
        let second = self.is_twice.then(|| {
            thread::scope(|scope| {
                // Another thread, and other addresses.
                let noise = vec![0u8; 1 + (seed as usize * 7919) % 100_000];
                let run = scope.spawn(|| world(subject, Choices::new(seed), false)).join();
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
        let is_compared = self.is_related && finding.is_none();
        let comparison = is_compared.then(|| subject.comparison(seed)).flatten();
        let compared = comparison.map(|it| world(&*it, Choices::new(seed), false));
        let mut sum = sum.lock().expect("no thread panics while it holds it");
        sum.runs += 1 + u64::from(self.is_twice);
        for run in [Some(&first), second.as_ref()].into_iter().flatten().flatten() {
            sum.events += run.trace.events();
            sum.simulated += run.simulated;
        }
        if let Ok(run) = &first {
            sum.hash ^= run.trace.hash().rotate_left((seed % 64) as u32);
            sum.try_all(&run.verdicts);
            sum.tried[Property::X12 as usize].1 += u64::from(self.is_twice);
        }
        if let Ok(run) = first {
            sum.coverage.add(run.marks);
            sum.demand(run.demanded);
        }
        if let Some(compared) = compared {
            sum.compare(seed, compared);
        }
        sum.findings.extend(finding.map(|finding| (seed, finding)));
    }
}

impl Sum {
    fn new() -> Self {
        Self {
            runs: 0,
            events: 0,
            simulated: 0,
            hash: 0,
            tried: Property::ALL.iter().map(|&property| (property, 0)).collect(),
            demanded: Vec::new(),
            coverage: Coverage::default(),
            findings: Vec::new(),
            elapsed: Duration::ZERO,
        }
    }

    fn try_all(&mut self, verdicts: &Verdicts) {
        for (place, &property) in Property::ALL.iter().enumerate() {
            let Verdict::Pass(times) = verdicts.of(property) else { continue };
            self.tried[place].1 += times;
        }
    }

    fn compare(&mut self, seed: u64, compared: Result<Run, String>) {
        let finding = match compared {
            Ok(run) => {
                self.try_all(&run.verdicts);
                run.verdicts.failure().cloned().map(Finding::Failed)
            }
            Err(text) => Some(Finding::Panicked(text)),
        };
        self.findings.extend(finding.map(|finding| (seed, finding)));
    }

    /// Properties of the library that nothing put to the test.
    pub(crate) fn vacuous(&self) -> impl Iterator<Item = Property> {
        let is_vacuous =
            |&&(property, times): &&(Property, u64)| times == 0 && property != Property::App;
        self.tried.iter().filter(is_vacuous).map(|&(property, _)| property)
    }

    /// Adds what became of demands; each run of a subject has the same.
    fn demand(&mut self, demanded: Vec<Demanded>) {
        if self.demanded.is_empty() {
            self.demanded = demanded;
        } else {
            let both = self.demanded.iter_mut().zip(demanded);
            both.for_each(|(sum, one)| sum.tried += one.tried);
        }
    }

    /// Demands that nothing put to the test, or that never came true.
    pub(crate) fn demanded_in_vain(&self) -> impl Iterator<Item = &str> {
        self.demanded.iter().filter(|one| one.tried == 0).map(|one| &*one.name)
    }

    /// How much it was, and how fast.
    pub(crate) fn speed(&self) -> String {
        let micros = self.elapsed.as_micros().max(1);
        let per_second = |count: u64| u128::from(count) * 1_000_000 / micros;
        format!(
            "{} runs, {} events; {} runs/s, {} events/s, {} times real time; hash {:016x}",
            self.runs,
            self.events,
            per_second(self.runs),
            per_second(self.events),
            u128::from(self.simulated) / micros,
            self.hash,
        )
    }
}

/// A bar on the terminal, and how long it will still take.
fn progress(done: u64, total: u64, elapsed: Duration) {
    const WIDTH: u64 = 30;
    let filled = (WIDTH * done / total) as usize;
    let left = elapsed.as_secs() * (total - done) / done.max(1);
    let bar = format!("{}{}", "=".repeat(filled), " ".repeat(WIDTH as usize - filled));
    let _ = write!(io::stderr().lock(), "\r[{bar}] {done} of {total}, {left} s left  ");
}
