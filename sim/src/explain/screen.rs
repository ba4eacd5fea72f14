//! What a failure prints: one screen, that says what, how little it takes, why, and what to do.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::{Ablation, Account, Inevitable, Tale, reason};
use crate::oracle::Property;
use crate::shrink::Size;
use crate::trace::cut_to;

/// Columns and lines of a screen.
pub(crate) const WIDTH: usize = 110;
pub(crate) const HEIGHT: usize = 24;
/// What stands before most lines.
const INDENT: usize = 6;
/// Things that are named of all that are needed.
const NEEDED_MAX: usize = 3;

/// How much was done to find it.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) size: Size,
    pub(crate) elapsed: Duration,
    pub(crate) replays: u64,
    /// Else it was stopped before nothing made it smaller.
    pub(crate) is_smallest: bool,
    /// What the world had and the failure does not need.
    pub(crate) needless: Vec<String>,
}

/// Everything that is told.
pub(crate) struct Screen<'a> {
    /// `seed 17 (6th of 300 to run), profile mobile`.
    pub(crate) place: &'a str,
    pub(crate) account: &'a Account,
    pub(crate) figures: Option<&'a Figures>,
    pub(crate) ablation: Option<&'a Ablation>,
    pub(crate) inevitable: Option<&'a Inevitable>,
    /// One command that repeats it.
    pub(crate) again: &'a str,
    /// Files to look at, and to keep, each with what it is for.
    pub(crate) files: &'a [(&'static str, String)],
}

impl fmt::Display for Screen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.head();
        lines.push(String::new());
        if let Some(figures) = self.figures {
            lines.extend(wrapped("", &figures.to_string(), 2));
            lines.push(String::new());
        }
        let tale = Tale::of(&self.account.records).text(WIDTH);
        if !tale.is_empty() {
            lines.extend(tale);
            lines.push(String::new());
        }
        let tail = self.tail();
        // The head and what to do are never cut; the middle of the story is.
        let room = HEIGHT.saturating_sub(tail.len());
        if lines.len() > room {
            let over = lines.len() - room;
            let at = lines.len() - 1 - over.min(lines.len() - 1);
            lines.drain(at..lines.len() - 1);
        }
        lines.extend(tail);
        lines.iter().try_for_each(|line| writeln!(f, "{}", cut_to(line, WIDTH).trim_end()))
    }
}

impl Screen<'_> {
    fn head(&self) -> Vec<String> {
        let failure = &self.account.failure;
        let (kind, title, what) = match failure.property {
            Property::App => {
                // What a demand says begins with its name.
                let what = failure.what.as_str();
                let (name, rest) = what.split_once(" does not hold.").unwrap_or((what, ""));
                ("app property", name.to_string(), rest.trim())
            }
            property => ("library", format!("{property}"), failure.what.as_str()),
        };
        let left = format!("FAIL  {kind}  {title}");
        let gap = WIDTH.saturating_sub(left.chars().count() + self.place.chars().count()).max(2);
        let mut lines = vec![format!("{left}{:gap$}{}", "", self.place)];
        if failure.property != Property::App {
            lines.extend(wrapped("", failure.property.sentence(), 2));
        }
        let at = failure.at / 1000;
        let what = format!("at {}.{:03}: {what}", at / 1000, at % 1000);
        lines.extend(wrapped("", what.trim_end_matches(": "), 2));
        lines
    }

    fn tail(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(why) = reason(&self.account.records) {
            lines.extend(wrapped("why", &why, 2));
        }
        // As many as fit.
        let needed = (1..=NEEDED_MAX).rev().map(|most| wrapped("needed", &self.needed(most), 3));
        let fitting = needed.into_iter().find(|lines| lines.len() <= 2);
        if !self.needed(1).is_empty() {
            lines.extend(fitting.unwrap_or_else(|| wrapped("needed", &self.needed(1), 2)));
        }
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.push(labelled("again", self.again));
        for (label, path) in self.files {
            lines.push(labelled(label, path));
        }
        lines
    }

    /// What it needs, at most so many things by name.
    fn needed(&self, most: usize) -> String {
        let mut out = String::new();
        if let Some(Ablation { needed, .. }) = self.ablation {
            let tale = Tale::of(&self.account.records);
            let told = needed.iter().take(most).map(|needed| {
                let line = tale.lines.iter().find(|line| Some(line.n) == needed.n);
                let name = line.map_or_else(
                    || needed.name.clone(),
                    |line| cut_to(&format!("{} {}", line.who.trim(), line.what), 40),
                );
                format!("\"{name}\" (without it {} fail)", needed.without)
            });
            out = told.collect::<Vec<_>>().join(", ");
            if needed.len() > most {
                let _ = write!(out, ", {} more", needed.len() - most);
            }
        }
        if let Some(from) = self.inevitable.and_then(|inevitable| inevitable.from) {
            let millis = from / 1000;
            let semicolon = if out.is_empty() { "" } else { "; " };
            let _ =
                write!(out, "{semicolon}inevitable from {}.{:03} on", millis / 1000, millis % 1000);
        }
        out
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { size, elapsed, replays, is_smallest, needless } = self;
        let count = |count: usize, what: &str| {
            format!("{count} {what}{}", if count == 1 { "" } else { "s" })
        };
        let (clients, events) = (count(size.clients, "client"), count(size.events(), "event"));
        let faults = count(size.faults, "fault");
        let searched = if *is_smallest { "searched" } else { "searched of more" };
        write!(f, "smallest story: {clients}, {events}, {faults} ")?;
        write!(f, "({replays} runs, {} s {searched}", elapsed.as_secs())?;
        if needless.is_empty() {
            f.write_str(")")
        } else {
            write!(f, "; {} not needed)", needless.join(", "))
        }
    }
}

fn labelled(label: &str, text: &str) -> String {
    format!("{:INDENT$}{label:<7} {text}", "")
}

/// At most so many lines of a text, behind a label.
fn wrapped(label: &str, text: &str, most: usize) -> Vec<String> {
    let lead = if label.is_empty() { " ".repeat(INDENT) } else { labelled(label, "") };
    let room = WIDTH - lead.len();
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            *last = cut_to(&format!("{last} .."), room);
        }
    }
    let rest = " ".repeat(lead.len());
    let lead = |place: usize| if place == 0 { &lead } else { &rest };
    lines.iter().enumerate().map(|(place, line)| format!("{}{line}", lead(place))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::{Needed, Share};
    use crate::oracle::Failure;
    use crate::trace::{Entity, Peer, Record, What};

    fn account(lines: u64, what: &str) -> Account {
        let say = |n: u64| {
            let unit = format!("42[\"say\",\"{}\"]", "x".repeat(200));
            let peer = Peer { is_said: true, conn: 0, unit: unit.into(), end: 0, bytes: [].into() };
            Record { t: n, cause: None, at: Entity::Conn(1, 1), what: What::Peer(peer) }
        };
        let failure = Failure { property: Property::App, at: 65_000_000, what: what.into() };
        Account { failure, records: (0..lines).map(say).collect(), hash: 0, options: None }
    }

    #[test]
    fn it_is_one_screen_however_much_there_is_to_say() {
        let what = format!("\"everybody sees the roster\" does not hold. {}", "word ".repeat(100));
        for lines in [0, 5, 500] {
            let account = account(lines, &what);
            let without = Share { times: 0, of: 50 };
            let needed = |n| Needed { name: "fault 3 of faults#0".into(), n, without };
            let ablation = Ablation {
                whole: Share { times: 50, of: 50 },
                needed: (0..9).map(|n| needed(Some(n))).collect(),
                needless: 0,
            };
            let figures = Figures {
                size: Size { clients: 2, operations: 6, faults: 1 },
                elapsed: Duration::from_secs(18),
                replays: 1000,
                is_smallest: true,
                needless: vec!["proxy".into(), "pause".into()],
            };
            let inevitable = Inevitable { points: Vec::new(), from: Some(2_000_000) };
            let screen = Screen {
                place: "seed 17 (6th of 300 to run), profile mobile",
                account: &account,
                figures: Some(&figures),
                ablation: Some(&ablation),
                inevitable: Some(&inevitable),
                again: "PARLOR_SIM_SEEDS=17 cargo test chat",
                files: &[("look", "bug.html".into()), ("keep", "bug_test.rs".into())],
            };
            let text = screen.to_string();
            assert!(text.lines().count() <= HEIGHT, "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
            let first = text.lines().next().unwrap();
            assert!(first.starts_with("FAIL  app property  \"everybody sees the roster\"  "));
            assert!(first.ends_with("profile mobile"));
            assert!(text.contains("inevitable from 2.000 on"), "{text}");
            assert!(text.contains("proxy, pause not needed)"), "{text}");
            assert!(text.ends_with("keep    bug_test.rs\n"), "{text}");
        }
    }
}
