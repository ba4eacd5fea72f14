//! What a log says, and how it is changed: by spans and draws, whatever they mean.

use std::collections::BTreeSet;

use super::Size;
use crate::choice::{ChoiceLog, Draw};

/// Streams that say what is in the world and how it is, instead of what happens in it.
const SETTING: [&str; 2] = ["cast", "profile"];
pub(super) const FAULTS: &str = "faults";

/// A span of a log, or with a number, a draw of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub(super) stream: String,
    pub(super) label: usize,
    pub(super) span: usize,
}

/// How far a log is from the simplest. The first field counts most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cost {
    /// What is in the world, and what is done there.
    things: usize,
    /// Draws that are not zero.
    draws: usize,
    /// Of all draws: digits that are not zeros at the end. So a second is less than 734 ms.
    digits: u64,
    /// The sum of all.
    sum: u64,
    /// Spans: pauses in which nothing is done.
    spans: usize,
}

impl Cost {
    pub(super) fn of(log: &ChoiceLog) -> Self {
        let mut cost = Self { things: 0, draws: 0, digits: 0, sum: 0, spans: 0 };
        each(log, |stream, label, draws| {
            cost.things += usize::from(is_thing(stream, label, draws));
            cost.spans += usize::from(!label.is_empty());
            for draw in draws.iter().filter(|draw| draw.value > 0) {
                cost.draws += 1;
                let (digits, value) = draw_cost(*draw);
                cost.digits += digits;
                cost.sum = cost.sum.saturating_add(value);
            }
        });
        cost
    }
}

fn each(log: &ChoiceLog, mut look: impl FnMut(&str, &str, &[Draw])) {
    for name in log.names() {
        let Some(stream) = log.stream(name) else { continue };
        for spans in &stream.labels {
            spans.spans.iter().for_each(|draws| look(name, &spans.label, draws));
        }
    }
}

/// Whether a span is more than a pause.
pub(super) fn is_live(draws: &[Draw]) -> bool {
    draws.iter().skip(1).any(|draw| draw.value > 0)
}

/// Whether a span says that something belongs to the world.
fn is_kept(label: &str, draws: &[Draw]) -> bool {
    !label.is_empty() && matches!(draws, [Draw { bound: 2, value: 1 }])
}

fn is_thing(stream: &str, label: &str, draws: &[Draw]) -> bool {
    is_kept(label, draws) || !label.is_empty() && !is_setting(stream) && is_live(draws)
}

pub(super) fn is_setting(stream: &str) -> bool {
    SETTING.contains(&group(stream))
}

/// What streams of one purpose have in common.
pub(super) fn group(stream: &str) -> &str {
    stream.split('#').next().unwrap_or(stream)
}

/// Digits but for zeros at the end, and the number. Where there is little to choose from, it is
/// no amount, and one is as round as the other.
pub(super) fn draw_cost(draw: Draw) -> (u64, u64) {
    const AMOUNT_FROM: u64 = 1000;
    let mut digits = draw.value;
    while digits > 0 && digits.is_multiple_of(10) {
        digits /= 10;
    }
    let count = digits.checked_ilog10().map_or(0, |digits| u64::from(digits) + 1);
    (if draw.bound > AMOUNT_FROM { count } else { count.min(1) }, draw.value)
}

pub(super) fn size(log: &ChoiceLog) -> Size {
    let mut size = Size::default();
    each(log, |stream, label, draws| match (group(stream), label) {
        ("cast", "client") => size.clients += usize::from(is_kept(label, draws)),
        (_, "") => {}
        (_, "step") => size.operations += usize::from(is_kept(label, draws)),
        (stream, _) if is_setting(stream) => {}
        (FAULTS, _) => size.faults += usize::from(is_live(draws)),
        _ => size.operations += usize::from(is_live(draws)),
    });
    size
}

/// What is in the world, by its label, and of what kind its draws are that are not zero.
pub(super) fn labels(log: &ChoiceLog) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    each(log, |stream, label, draws| {
        if is_kept(label, draws) && label != "client" {
            found.insert(label.to_string());
        }
        let kind = match group(stream) {
            FAULTS if is_live(draws) => "faults",
            "up" | "down" => "jitter and cut segments",
            "ties" | "order" => "the order at one instant",
            _ => return,
        };
        if draws.iter().any(|draw| draw.value > 0) {
            found.insert(kind.to_string());
        }
    });
    found
}

/// Something that happens in a run, or somebody who is there.
#[derive(Clone, Debug)]
pub(crate) struct Thing(At, IsKept);

type IsKept = bool;

impl Thing {
    /// All of a run, in the order of streams.
    pub(crate) fn all(log: &ChoiceLog) -> Vec<Self> {
        let all = spans(log, is_thing).into_iter();
        let is_kept_here = |at: &At| {
            let stream = log.stream(&at.stream);
            stream.is_some_and(|s| is_kept(&s.labels[at.label].label, &span(log, at)))
        };
        all.map(|at| Self(at.clone(), is_kept_here(&at))).collect()
    }

    /// The same run without it.
    pub(crate) fn taken_out_of(&self, log: &ChoiceLog) -> ChoiceLog {
        let Self(at, is_kept) = self;
        let mut log = log.clone();
        if *is_kept {
            zero(&mut log, at)
        } else {
            blank(&mut log, at)
        }
        log
    }

    /// What the log calls it.
    pub(crate) fn name(&self, log: &ChoiceLog) -> String {
        let At { stream, label, span } = &self.0;
        let known = log.stream(stream);
        let label = known.map(|stream| stream.labels[*label].label.clone()).unwrap_or_default();
        format!("{label} {span} of {stream}")
    }
}

/// The same run, and what the network and ties come to is drawn anew from a seed.
pub(crate) fn shaken(log: &ChoiceLog, seed: u64) -> ChoiceLog {
    const NOISE: [&str; 6] = ["up", "down", "conn", "ties", "order", "masks"];
    let mut log = log.reseeded(seed);
    let noise: Vec<String> =
        log.names().filter(|name| NOISE.contains(&group(name))).map(String::from).collect();
    noise.iter().for_each(|name| log.remove(name));
    log
}

/// The spans that a filter takes: by stream, label and draws.
pub(super) fn spans(log: &ChoiceLog, takes: impl Fn(&str, &str, &[Draw]) -> bool) -> Vec<At> {
    let mut found = Vec::new();
    for name in log.names() {
        let Some(stream) = log.stream(name) else { continue };
        for (label, spans) in stream.labels.iter().enumerate() {
            for (span, draws) in spans.spans.iter().enumerate() {
                if takes(name, &spans.label, draws) {
                    found.push(At { stream: name.to_string(), label, span });
                }
            }
        }
    }
    found
}

/// The draws that are not zero, of the spans that a filter takes.
pub(super) fn draws(log: &ChoiceLog, takes: impl Fn(&str, &str) -> bool) -> Vec<(At, usize)> {
    let some = |stream: &str, label: &str, draws: &[Draw]| {
        takes(stream, label) && draws.iter().any(|draw| draw.value > 0)
    };
    let mut found = Vec::new();
    for at in spans(log, some) {
        for (place, draw) in span(log, &at).iter().enumerate() {
            if draw.value > 0 {
                found.push((at.clone(), place));
            }
        }
    }
    found
}

/// Streams and labels of which a draw is not zero, but for settings.
pub(super) fn habits(log: &ChoiceLog) -> Vec<(String, usize)> {
    let all = draws(log, |stream, label| !label.is_empty() && !is_setting(stream));
    let mut habits: Vec<_> = all.into_iter().map(|(at, _)| (at.stream, at.label)).collect();
    habits.dedup();
    habits
}

pub(super) fn span(log: &ChoiceLog, at: &At) -> Vec<Draw> {
    let stream = log.stream(&at.stream);
    stream.map(|stream| stream.labels[at.label].spans[at.span].clone()).unwrap_or_default()
}

pub(super) fn change(log: &mut ChoiceLog, at: &At, change: impl FnOnce(&mut Vec<Draw>)) {
    if let Some(stream) = log.edit(&at.stream) {
        change(&mut stream.labels[at.label].spans[at.span]);
    }
}

/// Nothing happens, and the next thing at its time.
pub(super) fn blank(log: &mut ChoiceLog, at: &At) {
    change(log, at, |draws| draws.iter_mut().skip(1).for_each(|draw| draw.value = 0));
}

pub(super) fn zero(log: &mut ChoiceLog, at: &At) {
    change(log, at, |draws| draws.iter_mut().for_each(|draw| draw.value = 0));
}

/// Whose spans come first.
#[derive(Clone, Copy)]
pub(super) enum Order {
    Before,
    Behind,
    InTurns,
}

/// The numbers of the clients that are in the world.
pub(super) fn clients(log: &ChoiceLog) -> Vec<usize> {
    let is_here = |stream: &str, label: &str, draws: &[Draw]| {
        group(stream) == "cast" && label == "client" && is_kept(label, draws)
    };
    spans(log, is_here).into_iter().map(|at| at.span).collect()
}

/// What one client does is done by another, and that one is gone. False if it does nothing.
pub(super) fn splice(log: &mut ChoiceLog, from: usize, to: usize, order: Order) -> bool {
    let stream = |number| format!("client#{number}");
    let Some(source) = log.stream(&stream(from)) else { return false };
    let Some(target) = log.edit(&stream(to)) else { return false };
    for spans in source.labels.iter().filter(|spans| !spans.label.is_empty()) {
        let live = spans.spans.iter().filter(|draws| is_live(draws)).cloned();
        let label = target.labels.iter_mut().find(|label| label.label == spans.label);
        let Some(into) = label.map(|label| &mut label.spans) else { continue };
        // What the one had, the other gets.
        for (own, other) in into.iter_mut().zip(&spans.spans) {
            if is_kept(&spans.label, other) {
                own.clone_from(other);
            }
        }
        let mut live = live.collect::<Vec<_>>();
        match order {
            Order::Before => into.splice(..0, live).for_each(drop),
            Order::Behind => into.append(&mut live),
            Order::InTurns => {
                let mut others = live.into_iter();
                let own = std::mem::take(into).into_iter();
                own.for_each(|draws| {
                    into.extend([Some(draws), others.next()].into_iter().flatten())
                });
                into.extend(others);
            }
        }
        // None of them may be the last but the last.
        let count = into.len().saturating_sub(1);
        for draws in &mut into[..count] {
            draws.iter_mut().take(1).for_each(|pause| pause.value = pause.value.max(1));
        }
    }
    log.remove(&stream(from));
    let gone = spans(log, |stream, label, _| group(stream) == "cast" && label == "client");
    gone.get(from).into_iter().for_each(|at| zero(log, at));
    true
}

/// Takes a span out; the one before it waits for longer instead, if its pause has room.
pub(super) fn merge(log: &mut ChoiceLog, at: &At) {
    let pause = span(log, at).first().copied();
    if let Some(before) = at.span.checked_sub(1) {
        let before = At { span: before, ..at.clone() };
        change(log, &before, |draws| {
            if let (Some(first), Some(pause)) = (draws.first_mut(), pause) {
                // The last one's pause says that nothing follows, and so does the sum.
                let sum = if pause.value == 0 { 0 } else { first.value + pause.value };
                first.value = sum.min(first.bound - 1);
            }
        });
    }
    delete(log, at);
}

/// Takes a span out; what follows comes earlier.
pub(super) fn delete(log: &mut ChoiceLog, at: &At) {
    if let Some(stream) = log.edit(&at.stream) {
        stream.labels[at.label].spans.remove(at.span);
    }
}
