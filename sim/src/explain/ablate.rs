//! `--ablate`: what a failure needs. Each thing that happens in the run is taken out alone; then
//! what the network does is drawn anew, again and again, with and without it.

use super::diff::parting;
use super::{Account, Share, fails};
use crate::choice::{ChoiceLog, Choices};
use crate::shrink::{Signature, Thing, shaken};
use crate::sweep::{Subject, world};
use crate::trace::{Record, What};

/// Worlds that are drawn with each thing taken out.
pub(crate) const WORLDS: u32 = 50;

/// What came of it.
#[derive(Debug)]
pub(crate) struct Ablation {
    /// With everything in its place.
    pub(crate) whole: Share,
    /// What it does not fail without, by itself, the most needed first.
    pub(crate) needed: Vec<Needed>,
    /// Things without which it fails all the same.
    pub(crate) needless: usize,
}

/// Something that the failure needs.
#[derive(Debug)]
pub(crate) struct Needed {
    /// What the log calls it.
    pub(crate) name: String,
    /// The first record that is not there without it.
    pub(crate) n: Option<usize>,
    /// How often it fails without it.
    pub(crate) without: Share,
}

/// Takes out one thing after the other.
pub(crate) fn ablate(
    subject: &dyn Subject,
    log: &ChoiceLog,
    account: &Account,
    is_late: &dyn Fn() -> bool,
) -> Ablation {
    let signature = &Signature::of(account.failure.property, &account.failure.what);
    let worlds = |log: &ChoiceLog| {
        let log = log.clone();
        (1..=u64::from(WORLDS)).map(move |seed| Choices::continued(shaken(&log, seed)))
    };
    let whole = Share::run(subject, signature, worlds(log), is_late);
    let (mut needed, mut needless) = (Vec::new(), 0);
    for thing in Thing::all(log) {
        if is_late() {
            break;
        }
        let without = thing.taken_out_of(log);
        if fails(subject, Choices::edited(without.clone()), signature) {
            needless += 1;
            continue;
        }
        let n = first_missing(subject, &without, &account.records);
        let share = Share::run(subject, signature, worlds(&without), is_late);
        needed.push(Needed { name: thing.name(log), n, without: share });
    }
    needed.sort_by_key(|needed| needed.without.times);
    Ablation { whole, needed, needless }
}

/// The first thing that somebody does, or that breaks, and that is not there without it.
fn first_missing(subject: &dyn Subject, without: &ChoiceLog, records: &[Record]) -> Option<usize> {
    let run = world(subject, Choices::edited(without.clone()), true).ok()?;
    let is_told = |record: &&Record| matches!(record.what, What::Peer(_) | What::Fault(_));
    let places: Vec<usize> = (0..records.len()).filter(|&n| is_told(&&records[n])).collect();
    let ours: Vec<Record> = places.iter().map(|&n| records[n].clone()).collect();
    let theirs: Vec<Record> = run.trace.records().iter().filter(is_told).cloned().collect();
    let parting = parting(&ours, &theirs, false)?;
    parting.one.map(|place| places[place])
}
