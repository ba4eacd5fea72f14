//! Sweeping seeds with the simulator that was built around a mutant: it runs as a process of its
//! own, which may panic, hang or die, and tells on lines how far it is.

use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::choice::Choices;
use crate::command::{Builtin, Exit};
use crate::oracle::Property;
use crate::profile::Preset;
use crate::shrink::{self, Budget, Stop};
use crate::sweep::{Finding, Subject, Sweep};
use crate::world::Run;

/// A process in which no world has ended for so long hangs.
const PATIENCE: Duration = Duration::from_secs(90);
/// Seeds of one thread between two lines. The first of them runs twice, which finds what depends on
/// addresses and costs an eighth.
const STRIDE: u64 = 8;
/// What the built simulator is asked to do, and the words of its lines.
pub(super) const THIS: &str = "this";
pub(super) const SMALL: &str = "small";
const RAN: &str = "ran";
const HELD: &str = "held";
const KILLED: &str = "killed";
const LEFT: &str = "left";
/// So long a failure is made smaller.
const EFFORT: Duration = Duration::from_secs(30);

/// What became of a mutant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// In the world of this seed; of one that hung or crashed, at this seed or soon after.
    Killed { seed: u64, by: String, how: How },
    /// In all of them it did what it should have.
    Survived,
}

/// How it died.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// An oracle saw it.
    Seen,
    /// Something panicked.
    Panicked,
    /// A world did not end.
    Hung,
    /// The process died.
    Crashed,
}

/// Tells of each world that it has ended.
struct Telling<S>(S);

impl<S: Subject> Subject for Telling<S> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn comparison(&self, seed: u64) -> Option<Box<dyn Subject>> {
        self.0.comparison(seed)
    }

    fn run(&self, choices: Choices, is_told: bool) -> Run {
        let run = self.0.run(choices, is_told);
        println!("{RAN}");
        run
    }
}

/// What is left of a failure that was made small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Small {
    pub(super) events: usize,
    pub(super) elapsed: Duration,
    /// No pass makes it smaller, and time was not up.
    pub(super) is_smallest: bool,
}

/// In the built simulator: sweeps until something does not hold, and tells its parent.
pub(super) fn this(first: u64, budget: u64, jobs: u64) -> Exit {
    let mut seed = first;
    while seed < budget {
        let (middle, end) = (budget.min(seed + jobs), budget.min(seed + STRIDE * jobs));
        let worlds = Telling(Builtin(Preset::Swarm));
        let twice = first_of(&worlds, seed..middle, jobs, true);
        let found = twice.or_else(|| first_of(&worlds, middle..end, jobs, false));
        if let Some((seed, finding)) = found {
            let (by, how) = match finding {
                Finding::Failed(failure) => (failure.property.to_string(), "seen"),
                Finding::Panicked(_) => (Property::M3.to_string(), "panicked"),
                // Two runs of one seed: the transform that changes nothing but memory.
                Finding::Parted(..) => ("X12".into(), "seen"),
            };
            println!("{KILLED} {seed} {by} {how}");
            return Exit::Failed;
        }
        println!("{HELD} {end}");
        seed = end;
    }
    Exit::Held
}

/// In the built simulator: makes the failure of a seed small, and tells its parent. That two runs
/// differ is nothing that can be made small.
pub(super) fn small(seed: u64) -> Exit {
    let started = Instant::now();
    let worlds = Builtin(Preset::Swarm);
    let is_late = || started.elapsed() >= EFFORT;
    let budget = Budget { replays: u64::MAX, is_late: &is_late };
    let shrunk = shrink::of_seed(&worlds, seed, |subject, failed| {
        shrink::shrink(subject, failed.log, budget).ok()
    });
    let Some(shrunk) = shrunk.flatten() else { return Exit::Held };
    let is_smallest = shrunk.stop == Stop::Smallest;
    println!("{LEFT} {} {is_smallest}", shrunk.size.events());
    Exit::Failed
}

/// Asks a built simulator for what is left of the failure of this seed.
pub(super) fn minimize(binary: &Path, seed: u64) -> Result<Option<Small>, String> {
    let started = Instant::now();
    let mut command = Command::new(binary);
    command.args(["--mutants", SMALL, &seed.to_string()]);
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output();
    let output = output.map_err(|error| format!("{}: {error}", binary.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let words: Vec<_> = text.split_whitespace().collect();
    let [LEFT, events, is_smallest] = words[..] else { return Ok(None) };
    let events = events.parse().map_err(|_| format!("the built simulator says {text:?}"))?;
    let (elapsed, is_smallest) = (started.elapsed(), is_smallest == "true");
    Ok(Some(Small { events, elapsed, is_smallest }))
}

/// Whether the core without an edit holds in this world, where a mutant did not.
pub(super) fn is_clean(seed: u64) -> bool {
    first_of(&Builtin(Preset::Swarm), seed..seed + 1, 1, true).is_none()
}

fn first_of(
    worlds: &dyn Subject,
    seeds: Range<u64>,
    jobs: u64,
    is_twice: bool,
) -> Option<(u64, Finding)> {
    let sweep =
        Sweep { seeds, time_max: None, jobs, is_twice, is_related: true, is_first_enough: true };
    sweep.run(worlds).findings.into_iter().next()
}

/// Sweeps with a built simulator; `told` hears how many seeds have held. Where the core without an
/// edit fails as well, nothing has been noticed: the seeds behind it decide. On a busy machine a
/// world may last; what hangs does so again.
pub(super) fn hunt(
    binary: &Path,
    budget: u64,
    jobs: u64,
    told: &dyn Fn(u64),
) -> Result<Fate, String> {
    let (mut first, mut hung_at) = (0, None);
    while first < budget {
        match hunt_from(binary, first, budget, jobs, told)? {
            Fate::Killed { seed, how: How::Hung, .. } if hung_at != Some(seed) => {
                (first, hung_at) = (seed, Some(seed));
            }
            Fate::Killed { seed, .. } if !is_clean(seed) => first = seed + 1,
            fate => return Ok(fate),
        }
    }
    Ok(Fate::Survived)
}

fn hunt_from(
    binary: &Path,
    first: u64,
    budget: u64,
    jobs: u64,
    told: &dyn Fn(u64),
) -> Result<Fate, String> {
    let mut command = Command::new(binary);
    command.args(["--mutants", THIS, &first.to_string()]);
    command.args(["--budget", &budget.to_string(), "--jobs", &jobs.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| format!("{}: {error}", binary.display()))?;
    let fate = follow(&lines(&mut child), first..budget, told);
    // It has told all that it has to tell, or hangs.
    let _ = child.kill();
    child.wait().map_err(|error| error.to_string())?;
    fate
}

fn lines(child: &mut Child) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    let stdout = child.stdout.take().expect("it was asked for as a pipe");
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

fn follow(lines: &Receiver<String>, seeds: Range<u64>, told: &dyn Fn(u64)) -> Result<Fate, String> {
    let mut held = seeds.start;
    let killed = |seed, by: &str, how| Ok(Fate::Killed { seed, by: by.into(), how });
    while held < seeds.end {
        let line = match lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => return killed(held, "timeout", How::Hung),
            Err(RecvTimeoutError::Disconnected) => return killed(held, "crash", How::Crashed),
        };
        let words: Vec<_> = line.split(' ').collect();
        let number = words.get(1).and_then(|word| word.parse().ok());
        match (&words[..], number) {
            ([RAN], _) => continue,
            ([HELD, _], Some(seeds)) => held = seeds,
            ([KILLED, _, by, "seen"], Some(seed)) => return killed(seed, by, How::Seen),
            ([KILLED, _, by, "panicked"], Some(seed)) => return killed(seed, by, How::Panicked),
            _ => return Err(format!("the built simulator says {line:?}")),
        }
        told(held);
    }
    Ok(Fate::Survived)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn followed(told: &[&str]) -> Result<Fate, String> {
        let (sender, lines) = mpsc::channel();
        for line in told {
            sender.send((*line).to_string()).expect("nobody has dropped the other end");
        }
        drop(sender);
        follow(&lines, 0..16, &|_| {})
    }

    #[test]
    fn a_process_is_believed_to_its_last_line() {
        let killed = |seed, by: &str, how| Ok(Fate::Killed { seed, by: by.into(), how });
        assert_eq!(followed(&["ran", "held 8", "ran", "held 16"]), Ok(Fate::Survived));
        assert_eq!(followed(&["held 8", "killed 9 V1 seen"]), killed(9, "V1", How::Seen));
        assert_eq!(followed(&["killed 0 M3 panicked"]), killed(0, "M3", How::Panicked));
        assert_eq!(followed(&["held 8"]), killed(8, "crash", How::Crashed));
        assert!(followed(&["helt 8"]).is_err());
    }
}
