//! `--why`: what caused what did not hold, back to its beginning, and what can be said of it.

use std::collections::BTreeMap;

use crate::trace::{App, Command, Record, What};

/// The numbers of the records that lead to one, the first cause first. A deadline has no cause in
/// the record; if it settles something that was asked, the asking is its cause.
pub(crate) fn chain(records: &[Record], n: usize) -> Vec<usize> {
    let mut chain = vec![n];
    let mut at = n;
    loop {
        let cause = records[at].cause.map(|cause| cause as usize);
        match cause.or_else(|| asked(records, at)).filter(|&cause| cause < at) {
            Some(cause) => at = cause,
            None => break,
        }
        chain.push(at);
    }
    chain.reverse();
    chain
}

/// What was asked and is settled by a deadline.
fn asked(records: &[Record], deadline: usize) -> Option<usize> {
    let effects = records[deadline..].iter().filter(|r| r.cause == Some(deadline as u32));
    let mut settled = effects.filter_map(|record| match record.what {
        What::App(App::Settle { id, .. }) => id,
        _ => None,
    });
    let id = settled.next()?;
    let is_asked = |record: &Record| match record.what {
        What::App(App::Ask { id: other, .. }) => other == id,
        _ => false,
    };
    records[..deadline].iter().rposition(is_asked)
}

/// The record of what did not hold.
pub(crate) fn violation(records: &[Record]) -> Option<usize> {
    records.iter().rposition(|record| matches!(record.what, What::Oracle { .. }))
}

/// What can be said for certain of why it failed: of what a program promises, that a volatile was
/// dropped and was the last word; or the last command of the turn in which it was seen, by its
/// place in the source.
pub(crate) fn reason(records: &[Record]) -> Option<String> {
    let violation = violation(records)?;
    let is_promise = matches!(&records[violation].what, What::Oracle { id, .. } if &**id == "App");
    let last_words = last_words(&records[..violation]).filter(|_| is_promise);
    last_words.or_else(|| {
        let chain = chain(records, violation);
        let turn =
            chain.iter().rev().copied().find(|&n| matches!(records[n].what, What::In(..)))?;
        let of_turn = records[turn..violation].iter().filter(|r| r.cause == Some(turn as u32));
        let mut commands = of_turn.filter_map(|record| match &record.what {
            What::App(App::Command(command)) => command.site.as_ref().map(|site| (site, command)),
            _ => None,
        });
        let (site, command) = commands.next_back()?;
        Some(format!("{site} {} is the last command of the turn", called(command)))
    })
}

/// An event whose last emit was volatile and dropped.
fn last_words(records: &[Record]) -> Option<String> {
    let mut last: BTreeMap<&str, &Command> = BTreeMap::new();
    for record in records {
        if let What::App(App::Command(command)) = &record.what
            && matches!(&*command.cmd, "emit" | "broadcast" | "ask")
        {
            last.insert(&command.event, command);
        }
    }
    let dropped = last.into_values().filter(|command| command.volatile && is_dropped(command));
    let mut dropped = dropped.filter_map(|command| Some((command.site.as_ref()?, command)));
    let (site, command) = dropped.next()?;
    // Of several nobody can say which it is.
    dropped.next().is_none().then(|| {
        let why = command.why.as_deref().or(command.out.first().and_then(|out| out.2.as_deref()));
        let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
        format!(
            "{site} {} was dropped{why} and is the last {:?}; a volatile is not repeated",
            called(command),
            command.event
        )
    })
}

fn is_dropped(command: &Command) -> bool {
    command.fanout.is_some_and(|[.., dropped]| dropped > 0)
        || command.out.iter().any(|(_, word, _)| &**word == "dropped")
}

fn called(command: &Command) -> String {
    let volatile = if command.volatile { "volatile " } else { "" };
    format!("{volatile}{} {:?}", command.cmd, command.event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Entity, Input};

    fn records(all: Vec<(Option<u32>, What)>) -> Vec<Record> {
        let record = |(cause, what)| Record { t: 0, cause, at: Entity::Node(1), what };
        all.into_iter().map(record).collect()
    }

    fn broadcast(event: &str, dropped: u32) -> What {
        What::App(App::Command(Box::new(Command {
            cmd: "broadcast".into(),
            site: Some("chat.rs:31".into()),
            event: event.into(),
            volatile: true,
            fanout: Some([1, 0, dropped]),
            why: Some("refused".into()),
            ..Command::default()
        })))
    }

    fn oracle() -> What {
        What::Oracle { id: "App".into(), verdict: "fail".into(), text: "no".into() }
    }

    fn timeout() -> What {
        What::In(1, Input::Timeout { why: "Ask".into() })
    }

    #[test]
    fn a_chain_goes_back_to_the_first_cause_and_over_a_deadline_to_what_was_asked() {
        let ask = App::Ask { id: 4, sock: "s".into(), event: "q".into(), deadline: 9 };
        let settle = App::Settle {
            id: Some(4),
            sock: "s".into(),
            outcome: "timed out".into(),
            args: "".into(),
        };
        let note = || What::Note("".into());
        let records = records(vec![
            (None, note()),
            (Some(0), note()),
            (Some(1), What::App(ask)),
            (None, note()),
            (None, timeout()),
            (Some(4), What::App(settle)),
            (Some(5), oracle()),
        ]);
        assert_eq!(chain(&records, 3), [3]);
        assert_eq!(chain(&records, 2), [0, 1, 2]);
        assert_eq!(chain(&records, 6), [0, 1, 2, 4, 5, 6]);
    }

    #[test]
    fn the_reason_is_the_last_word_that_was_dropped_or_the_last_command() {
        let last = [(None, timeout()), (Some(0), broadcast("roster", 1)), (Some(0), oracle())];
        let why = reason(&records(last.to_vec())).unwrap();
        assert!(why.starts_with("chat.rs:31 volatile broadcast \"roster\" was dropped (refused)"));
        let repaired = [
            (None, timeout()),
            (Some(0), broadcast("roster", 1)),
            (Some(0), broadcast("roster", 0)),
            (Some(0), oracle()),
        ];
        let why = reason(&records(repaired.to_vec())).unwrap();
        assert!(why.ends_with("is the last command of the turn"), "{why}");
        let two = [
            (None, timeout()),
            (Some(0), broadcast("a", 1)),
            (Some(0), broadcast("b", 1)),
            (None, oracle()),
        ];
        assert_eq!(reason(&records(two.to_vec())), None);
    }
}
