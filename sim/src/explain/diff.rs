//! `--diff`: where two runs part. Records are aligned by where they happen and the how manieth
//! they are there, so that one more of somebody does not shift all of the others.

use std::collections::BTreeMap;

use crate::trace::{App, Entity, Record, Step, What};

/// The first thing that is not the same: the numbers of the records, where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parting {
    pub(crate) at: Entity,
    /// How many things of the same entity are the same before it.
    pub(crate) same: usize,
    pub(crate) one: Option<usize>,
    pub(crate) two: Option<usize>,
}

/// Where two runs part first, by the earlier of the two records. `is_exact`: times count, too.
pub(crate) fn parting(one: &[Record], two: &[Record], is_exact: bool) -> Option<Parting> {
    let (ones, twos) = (by_entity(one), by_entity(two));
    let entities = ones.keys().chain(twos.keys());
    let partings = entities.filter_map(|entity| {
        let places =
            |of: &BTreeMap<Entity, Vec<usize>>| of.get(entity).cloned().unwrap_or_default();
        let (ones, twos) = (places(&ones), places(&twos));
        let is_same = |pair: &(&usize, &usize)| is_same(&one[*pair.0], &two[*pair.1], is_exact);
        let same = ones.iter().zip(&twos).take_while(is_same).count();
        let parting = Parting {
            at: *entity,
            same,
            one: ones.get(same).copied(),
            two: twos.get(same).copied(),
        };
        (parting.one.is_some() || parting.two.is_some()).then_some(parting)
    });
    partings.min_by_key(|parting| {
        let time = |records: &[Record], place: Option<usize>| place.map(|place| records[place].t);
        let times = [time(one, parting.one), time(two, parting.two)];
        let first = times.into_iter().flatten().min();
        (first, parting.one.unwrap_or(usize::MAX), parting.two.unwrap_or(usize::MAX))
    })
}

fn by_entity(records: &[Record]) -> BTreeMap<Entity, Vec<usize>> {
    let mut all: BTreeMap<Entity, Vec<usize>> = BTreeMap::new();
    for (n, record) in records.iter().enumerate() {
        all.entry(record.at).or_default().push(n);
    }
    all
}

fn is_same(one: &Record, two: &Record, is_exact: bool) -> bool {
    if is_exact {
        return one.t == two.t && one.what == two.what;
    }
    match (&one.what, &two.what) {
        (What::Net(one), What::Net(two)) => {
            let timeless =
                |step| if let Step::Send { .. } = step { Step::Send { due: 0 } } else { step };
            (one.dir, one.from, one.to, one.flag) == (two.dir, two.from, two.to, two.flag)
                && timeless(one.step) == timeless(two.step)
        }
        (
            What::App(App::Ask { sock, event, .. }),
            What::App(App::Ask { sock: s, event: e, .. }),
        ) => (sock, event) == (s, e),
        (one, two) => one == two,
    }
}

/// The handler that ran when something happened, and for whom.
pub(crate) fn handler(records: &[Record], n: usize) -> Option<String> {
    let mut inside = None;
    for record in &records[..=n.min(records.len().checked_sub(1)?)] {
        match &record.what {
            What::In(..) => inside = None,
            What::App(App::Enter { sock, event, .. }) => {
                let whose = sock.as_ref().map(|sock| format!(" for {sock}")).unwrap_or_default();
                inside = Some(format!("{event}{whose}"));
            }
            _ => {}
        }
    }
    inside
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Input;

    fn note(t: u64, at: Entity, text: &str) -> Record {
        Record { t, cause: None, at, what: What::Note(text.into()) }
    }

    #[test]
    fn one_more_of_somebody_does_not_shift_the_others() {
        let (a, b) = (Entity::Client(1), Entity::Client(2));
        let one = [note(1, a, "x"), note(2, b, "y"), note(5, b, "z"), note(6, a, "w")];
        let two = [note(1, a, "x"), note(2, b, "y"), note(3, b, "more"), note(9, a, "w")];
        assert_eq!(parting(&one, &one, true), None);
        let first = Parting { at: b, same: 1, one: Some(2), two: Some(2) };
        assert_eq!(parting(&one, &two, false), Some(first));
        let longer = Parting { at: a, same: 1, one: Some(3), two: None };
        assert_eq!(
            parting(&one, &[one[0].clone(), one[1].clone(), one[2].clone()], false),
            Some(longer)
        );
        let late = [one[0].clone(), one[1].clone(), one[2].clone(), note(9, a, "w")];
        assert_eq!(parting(&one, &late, false), None);
        assert_eq!(parting(&one, &late, true).map(|parting| parting.one), Some(Some(3)));
    }

    #[test]
    fn the_handler_is_that_of_the_same_turn() {
        let enter = App::Enter { sock: Some("s".into()), event: "say".into(), args: "".into() };
        let record = |what| Record { t: 0, cause: None, at: Entity::App, what };
        let records = [
            record(What::In(1, Input::Shutdown)),
            record(What::App(enter)),
            record(What::Note("".into())),
            record(What::In(2, Input::Shutdown)),
        ];
        assert_eq!(handler(&records, 0), None);
        assert_eq!(handler(&records, 2).as_deref(), Some("say for s"));
        assert_eq!(handler(&records, 3), None);
    }
}
