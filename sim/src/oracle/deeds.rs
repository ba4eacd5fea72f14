//! S1: the commands that a program gave, as it says itself, and as the node's observer tells them.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Property, Verdicts};
use crate::shadow::record::{Record, Said, What};

/// A command, with the number that the program has given it, where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Emit(u64),
    Ask(u64),
    Broadcast(u64),
    Join,
    Leave,
    Disconnect,
    DisconnectSession,
    CloseSession,
}

/// What a program says that it does, as long as somebody reads it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deeds(Arc<Mutex<Vec<Deed>>>);

impl Deeds {
    pub(crate) fn note(&self, deed: Deed) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(deed);
    }

    /// After a call: what is noted is what was told.
    pub(crate) fn compare(&self, told: &[Record], verdicts: &mut Verdicts) {
        let noted = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let told: Vec<_> = told.iter().filter_map(deed).collect();
        if !noted.is_empty() || !told.is_empty() {
            verdicts.claim(Property::S1, noted == told, || {
                format!("the program gave {noted:?}, its observer was told {told:?}")
            });
        }
    }
}

fn deed(record: &Record) -> Option<Deed> {
    let Record::Said(said, _) = record else { return None };
    Some(match said {
        Said::Emit { what, .. } => Deed::Emit(number(what)),
        Said::Ask { what, .. } => Deed::Ask(number(what)),
        Said::Broadcast { what, .. } => Deed::Broadcast(number(what)),
        Said::Join { .. } => Deed::Join,
        Said::Leave { .. } => Deed::Leave,
        Said::Disconnect { .. } => Deed::Disconnect,
        Said::DisconnectSession { .. } => Deed::DisconnectSession,
        Said::CloseSession { .. } => Deed::CloseSession,
        _ => return None,
    })
}

/// The first argument.
fn number(what: &What) -> u64 {
    let rest = what.data.split_once(',').map_or("", |(_, rest)| rest);
    let digits = rest.bytes().take_while(u8::is_ascii_digit);
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fires, socket};
    use super::*;

    #[test]
    fn s1_what_a_program_gave_is_what_was_told() {
        let told = |numbers: &'static [u64]| {
            move |verdicts: &mut Verdicts| {
                let ledger = Deeds::default();
                ledger.note(Deed::Emit(1));
                ledger.note(Deed::Emit(2));
                ledger.note(Deed::Join);
                let emit = |number: &u64| Said::Emit {
                    socket: socket(1),
                    what: What {
                        data: format!(r#"["e",{number},"x"]"#),
                        attachments: Vec::new(),
                        is_reserved: false,
                    },
                    is_volatile: false,
                };
                let join = Said::Join { socket: socket(1), room: "a".into() };
                let all = numbers.iter().map(emit).chain([join]);
                let all: Vec<_> =
                    all.map(|said| Record::Said(said, parlor::Outcome::Gone)).collect();
                ledger.compare(&all, verdicts);
            }
        };
        fires(None, told(&[1, 2]));
        fires(Some(Property::S1), told(&[2, 1]));
        fires(Some(Property::S1), told(&[1]));
        fires(Some(Property::S1), told(&[1, 2, 2]));
    }
}
