//! What a run prints: a row for each mutant as it comes, as a table of Markdown, and the sum.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use super::Mutant;
use super::hunt::{Fate, How};

/// The table, and what has been said in it.
#[derive(Default)]
pub(super) struct Table {
    seeds: Vec<u64>,
    others: u64,
    survivors: Vec<String>,
}

/// Columns of the progress line.
const PROGRESS: usize = 60;

impl Table {
    pub(super) fn begin() -> Self {
        println!("| Mutant | Dies by | Expected | Seeds | What is broken |");
        println!("| --- | --- | --- | --- | --- |");
        Self::default()
    }

    pub(super) fn row(&mut self, mutant: &Mutant, fate: &Fate) {
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
        println!("| {id} | {dies_by} | {expected} | {seeds} | {title}{cites} |");
    }

    /// Says what all of it came to, and whether all are dead.
    pub(super) fn end(mut self, elapsed: Duration) -> bool {
        self.seeds.sort_unstable();
        let (killed, survivors) = (self.seeds.len(), self.survivors.len());
        let seconds = elapsed.as_secs();
        let mut line = format!("\n{killed} of {} killed", killed + survivors);
        if let Some(most) = self.seeds.last() {
            let median = self.seeds[(killed - 1) / 2];
            line += &format!(", after {median} seeds in the median and {most} at most");
        }
        if self.others > 0 {
            line += &format!(", {} by another property than expected", self.others);
        }
        println!("{line}; {} min {} s", seconds / 60, seconds % 60);
        if survivors > 0 {
            println!("survivors: {}", self.survivors.join(" "));
        }
        survivors == 0
    }
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
