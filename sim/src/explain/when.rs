//! `--when`: from when on a failure could not be helped. The beginning of the run is repeated, and
//! what follows is drawn anew, again and again: where the share of failures jumps, it happened.

use super::Share;
use crate::choice::{ChoiceLog, Choices};
use crate::shrink::Signature;
use crate::sweep::Subject;
use crate::trace::{Record, What};

/// Worlds that are drawn for each beginning.
pub(crate) const WORLDS: u32 = 50;
/// Beginnings that are looked at over the whole run, before the jump is looked for.
const POINTS: usize = 8;
/// Of so many that fail, all but one in so many do where it is inevitable.
const ODD_ONE_IN: u32 = 25;

/// What a scan came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inevitable {
    /// The share of failures by the time up to which the run is repeated.
    pub(crate) points: Vec<(u64, Share)>,
    /// From when on nearly all of them fail.
    pub(crate) from: Option<u64>,
}

/// Scans a failing run. Its records say when something happened.
pub(crate) fn when(
    subject: &dyn Subject,
    log: &ChoiceLog,
    records: &[Record],
    signature: &Signature,
    is_late: &dyn Fn() -> bool,
) -> Inevitable {
    let mut times: Vec<u64> =
        records.iter().filter(|r| is_decision(&r.what)).map(|r| r.t).collect();
    times.dedup();
    times.insert(0, 0);
    times.dedup();
    let share = |at: u64| {
        let worlds = (0..u64::from(WORLDS)).map(|n| Choices::forked(log.clone(), at, n + 1));
        Share::run(subject, signature, worlds, is_late)
    };
    let mut known: Vec<(usize, Share)> = Vec::new();
    let last = times.len() - 1;
    let steps = POINTS.min(last + 1).max(2) - 1;
    for step in 0..=steps {
        let place = last * step / steps;
        if known.last().is_none_or(|&(known, _)| known < place) {
            known.push((place, share(times[place] + u64::from(place > 0))));
        }
    }
    // Between the last that can be helped and the first that cannot, halve.
    while let Some(high) = first_sure(&known).filter(|&high| high > 0) {
        let (low, up) = (known[high - 1].0, known[high].0);
        if up - low < 2 || is_late() {
            break;
        }
        let middle = low.midpoint(up);
        known.insert(high, (middle, share(times[middle] + 1)));
    }
    let from = first_sure(&known).map(|place| times[known[place].0]);
    let points = known.into_iter().map(|(place, share)| (times[place], share)).collect();
    Inevitable { points, from }
}

/// From where on all are sure.
fn first_sure(known: &[(usize, Share)]) -> Option<usize> {
    let unsure = known.iter().rposition(|&(_, share)| !is_sure(share));
    let first = unsure.map_or(0, |place| place + 1);
    (first < known.len()).then_some(first)
}

fn is_sure(Share { times, of }: Share) -> bool {
    of > 0 && (of - times) * ODD_ONE_IN <= of
}

/// Whether it may be what decided: what a client says, what breaks, a deadline.
fn is_decision(what: &What) -> bool {
    match what {
        What::Peer(peer) => peer.is_said,
        What::Fault(_) | What::Oracle { .. } => true,
        What::In(_, input) => !matches!(input, crate::trace::Input::Data { .. }),
        What::App(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_inevitable_from_where_nearly_all_fail() {
        let share = |times| Share { times, of: 50 };
        let known = |all: &[u32]| all.iter().map(|&times| (0, share(times))).collect::<Vec<_>>();
        assert_eq!(first_sure(&known(&[3, 50, 7, 48, 50])), Some(3));
        assert_eq!(first_sure(&known(&[50, 50])), Some(0));
        assert_eq!(first_sure(&known(&[50, 47])), None);
        assert!(!is_sure(Share { times: 0, of: 0 }));
    }
}
