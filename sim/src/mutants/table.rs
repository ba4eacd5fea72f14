//! What a run prints: a row for each mutant as it comes, as a table of Markdown, and the sum.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::Mutant;
use super::hunt::{Fate, How, Small};

/// What became of a mutant, and how long each part of that took.
pub(super) struct Death {
    pub(super) fate: Fate,
    pub(super) built: Duration,
    pub(super) swept: Duration,
    pub(super) small: Option<Small>,
}

/// The table, and what has been said in it.
#[derive(Default)]
pub(super) struct Table {
    seeds: Vec<u64>,
    smalls: Vec<Small>,
    built: Duration,
    others: u64,
    survivors: Vec<String>,
}

/// Columns of the progress line.
const PROGRESS: usize = 60;

impl Table {
    pub(super) fn begin() -> Self {
        println!(
            "| Mutant | Dies by | Expected | Seeds | Build, sweep | Events left | What is broken |"
        );
        println!("| --- | --- | --- | --- | --- | --- | --- |");
        Self::default()
    }

    pub(super) fn row(&mut self, mutant: &Mutant, death: &Death) {
        let Death { fate, built, swept, small } = death;
        self.built += *built;
        self.smalls.extend(small);
        let expected = mutant.properties.join(", ");
        let (dies_by, seeds) = match fate {
            Fate::Killed { seed, by, how } => {
                self.seeds.push(seed + 1);
                self.others += u64::from(!mutant.properties.contains(by));
                match how {
                    How::Seen => (by.clone(), (seed + 1).to_string()),
                    How::Panicked => (format!("{by} (panic)"), (seed + 1).to_string()),
                    How::Hung | How::Crashed => (by.clone(), format!("over {seed}")),
                }
            }
            Fate::Survived => {
                self.survivors.push(mutant.id.clone());
                ("**survives**".into(), String::new())
            }
        };
        let Mutant { id, title, cites, .. } = mutant;
        let cites = cites.as_ref().map(|cites| format!(" ({cites})")).unwrap_or_default();
        clear();
        let times = format!("{} s, {} s", built.as_secs(), swept.as_secs());
        let left = small.as_ref().map(left).unwrap_or_default();
        println!("| {id} | {dies_by} | {expected} | {seeds} | {times} | {left} | {title}{cites} |");
    }

    /// Says what all of it came to, and whether all are dead.
    pub(super) fn end(mut self, elapsed: Duration) -> bool {
        self.seeds.sort_unstable();
        let (killed, survivors) = (self.seeds.len(), self.survivors.len());
        let mut line = format!("\n{killed} of {} killed", killed + survivors);
        if let Some(most) = self.seeds.last() {
            let median = self.seeds[(killed - 1) / 2];
            line += &format!(", after {median} seeds in the median and {most} at most");
        }
        if self.others > 0 {
            line += &format!(", {} by another property than expected", self.others);
        }
        println!("{line}; {}, of which builds {}", time(elapsed), time(self.built));
        self.smalls.sort_unstable_by_key(|small| small.events);
        if let Some(median) = self.smalls.get(self.smalls.len().saturating_sub(1) / 2) {
            let smallest = self.smalls.iter().filter(|small| small.is_smallest).count();
            println!(
                "made small: {} events in the median; of {}, {smallest} as small as they get \
                 in time",
                median.events,
                self.smalls.len(),
            );
        }
        if survivors > 0 {
            println!("survivors: {}", self.survivors.join(" "));
        }
        survivors == 0
    }
}

fn left(small: &Small) -> String {
    let more = if small.is_smallest { "" } else { ", time was up" };
    format!("{}, {} s{more}", small.events, small.elapsed.as_secs())
}

fn time(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    format!("{} min {} s", seconds / 60, seconds % 60)
}

/// Says on the terminal what is going on.
pub(super) fn progress(what: &str) {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr().lock(), "\r{what:PROGRESS$}");
    }
}

/// Takes it away again.
pub(super) fn clear() {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr().lock(), "\r{:PROGRESS$}\r", "");
    }
}
