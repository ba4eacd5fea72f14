//! The ways in which a failure is made smaller, from what takes most away to what only tidies.

use std::collections::BTreeSet;
use std::ops::Range;

use super::edit::{self, At, FAULTS, Order};
use super::{FINE, Reach, Search, Stop};
use crate::choice::{ChoiceLog, Choices, Draw, mix};

/// Fresh worlds that are tried first, of one client and of two; where there are more than three, a
/// third of it for each.
const FRESH_OF_ONE: u64 = 30;
const FRESH_OF_TWO: u64 = 18;
/// More clients than any world has that is tried fresh.
const CLIENTS_MAX: u64 = 8;
/// Into how many pieces at most a whole is cut, round by round.
const CHUNKS: [usize; 3] = [8, 32, FINE];

impl Search<'_> {
    /// All passes, again and again until none takes anything away.
    pub(super) fn run(&mut self) -> Stop {
        match self.passes() {
            Ok(()) => Stop::Smallest,
            Err(stop) => stop,
        }
    }

    /// From what is rough and near to what is fine and far. How much there is of something comes
    /// behind what is there at all: it takes the most runs and saves the least.
    fn passes(&mut self) -> Result<(), Stop> {
        self.fresh()?;
        for chunks in CHUNKS {
            self.chunks = chunks;
            self.parts()?;
        }
        self.values()?;
        self.reach = Reach::Far;
        loop {
            let before = self.cost;
            self.parts()?;
            if self.cost == before {
                return Ok(());
            }
            self.values()?;
        }
    }

    fn parts(&mut self) -> Result<(), Stop> {
        self.groups()?;
        self.settings()?;
        self.streams()?;
        self.habits()?;
        self.steps(|stream| edit::group(stream) != FAULTS)?;
        self.steps(|stream| edit::group(stream) == FAULTS)?;
        self.reactions()?;
        self.heads()?;
        if self.is_rough() {
            return Ok(());
        }
        self.splices()?;
        self.pauses()
    }

    fn is_rough(&self) -> bool {
        self.chunks < FINE
    }

    /// Smaller worlds of other seeds: the same failure may be cheaper to find than to carve out.
    /// The more clients there are, the more of them are tried, and the less each of them costs.
    fn fresh(&mut self) -> Result<(), Stop> {
        let log = self.best.log.clone();
        let clients = edit::size(&log).clients as u64;
        if clients < 2 {
            return Ok(());
        }
        let share = self.best.steps.map_or(u64::MAX, |steps| steps / clients);
        for (count, often) in [(1, FRESH_OF_ONE), (2, FRESH_OF_TWO)] {
            let fresh = |turn| {
                let seed = mix(log.seed(), turn, count);
                let first = turn % clients;
                let second = if count == 1 { first } else { mix(seed, turn, 2) % clients };
                let mut fresh = log.fresh(seed);
                let kept = |client| u64::from(client == first || client == second);
                let cast = (0..CLIENTS_MAX.max(clients)).map(|client| ("client", kept(client)));
                fresh.say("cast#0", cast);
                Some(Choices::continued(fresh))
            };
            self.reach = Reach::Fresh { steps_max: share.saturating_mul(2 * count) };
            let mut turn = 0;
            loop {
                // Once one is found that is small, there is less to gain.
                let end = often.max(often / 3 * edit::size(&self.best.log).clients as u64);
                if turn >= end {
                    break;
                }
                let next = end.min(turn + self.jobs as u64);
                let found = self.first_of((turn..next).map(fresh).collect())?;
                turn = found.map_or(next, |place| turn + place as u64 + 1);
            }
        }
        self.reach = Reach::Near;
        Ok(())
    }

    /// All streams of one purpose at once: no faults, no jitter, no order that is drawn.
    fn groups(&mut self) -> Result<(), Stop> {
        let live = |log: &ChoiceLog| -> BTreeSet<String> {
            let draws = edit::draws(log, |stream, _| !edit::is_setting(stream));
            draws.iter().map(|(at, _)| edit::group(&at.stream).to_string()).collect()
        };
        let mut groups: Vec<_> = live(&self.best.log).into_iter().collect();
        // Faults before what clients do.
        groups.sort_by_key(|group| (group != FAULTS, group == "client"));
        for group in groups {
            let mut log = self.best.log.clone();
            let names: Vec<_> = log.names().filter(|name| edit::group(name) == group).collect();
            let names: Vec<_> = names.into_iter().map(str::to_string).collect();
            names.iter().for_each(|name| log.remove(name));
            self.attempt_log(log)?;
        }
        Ok(())
    }

    /// What is in the world, one after the other, then how it is.
    fn settings(&mut self) -> Result<(), Stop> {
        // Clients last: the fewer things there are, the fewer of them are needed.
        for is_client in [false, true] {
            self.reduce(
                |log| {
                    edit::spans(log, |_, label, draws| {
                        let is_kept = matches!(draws, [Draw { bound: 2, value: 1 }]);
                        is_kept && !label.is_empty() && (label == "client") == is_client
                    })
                },
                edit::zero,
            )?;
        }
        self.reduce(
            |log| edit::draws(log, |stream, _| edit::is_setting(stream)),
            |log, (at, place)| edit::change(log, at, |draws| draws[*place].value = 0),
        )
    }

    fn streams(&mut self) -> Result<(), Stop> {
        let names = |log: &ChoiceLog| -> Vec<String> {
            let draws = edit::draws(log, |stream, _| !edit::is_setting(stream));
            let names: BTreeSet<_> = draws.into_iter().map(|(at, _)| at.stream).collect();
            names.into_iter().collect()
        };
        self.reduce(names, |log, name| log.remove(name))
    }

    /// What a client does of one kind: a habit may be most of what happens.
    fn habits(&mut self) -> Result<(), Stop> {
        self.reduce(edit::habits, |log, (stream, label)| {
            if let Some(stream) = log.edit(stream) {
                let spans = &mut stream.labels[*label].spans;
                spans.iter_mut().flatten().for_each(|draw| draw.value = 0);
            }
        })
    }

    /// What is done: first without moving the rest, then moving it.
    fn steps(&mut self, takes: impl Fn(&str) -> bool) -> Result<(), Stop> {
        let live = |log: &ChoiceLog| {
            edit::spans(log, |stream, label, draws| {
                let is_step = !label.is_empty() && !edit::is_setting(stream);
                is_step && takes(stream) && edit::is_live(draws)
            })
        };
        self.reduce(live, edit::blank)?;
        if self.is_rough() { Ok(()) } else { self.one_by_one(live, edit::delete) }
    }

    /// What one client does is done by another, in front of what that does, behind it, or in turns.
    fn splices(&mut self) -> Result<(), Stop> {
        let clients = edit::clients(&self.best.log);
        for &from in clients.iter().rev() {
            for &to in clients.iter().filter(|&&to| to != from) {
                for order in [Order::Before, Order::Behind, Order::InTurns] {
                    let mut log = self.best.log.clone();
                    if edit::splice(&mut log, from, to, order) && self.attempt_log(log)? {
                        return self.splices();
                    }
                }
            }
        }
        Ok(())
    }

    /// Spans that are but a pause, or stand for an answer.
    fn reactions(&mut self) -> Result<(), Stop> {
        self.reduce(
            |log| {
                edit::spans(log, |stream, label, draws| {
                    let is_some = draws.iter().any(|draw| draw.value > 0);
                    is_some && !label.is_empty() && !edit::is_setting(stream)
                })
            },
            edit::zero,
        )
    }

    /// Draws that are of no span: jitter, segments, the order at one instant.
    fn heads(&mut self) -> Result<(), Stop> {
        self.reduce(
            |log| {
                let is_head =
                    |stream: &str, label: &str| label.is_empty() && !edit::is_setting(stream);
                edit::draws(log, is_head)
            },
            |log, (at, place)| edit::change(log, at, |draws| draws[*place].value = 0),
        )
    }

    /// Spans in which nothing is done are made one.
    fn pauses(&mut self) -> Result<(), Stop> {
        let idle = |log: &ChoiceLog| {
            edit::spans(log, |stream, label, draws| {
                !label.is_empty()
                    && !edit::is_setting(stream)
                    && !edit::is_live(draws)
                    && draws.len() > 1
            })
        };
        self.one_by_one(idle, edit::merge)?;
        self.one_by_one(idle, edit::delete)
    }

    /// Each draw: nothing, else less, else rounder. One that was as it should be is not tried
    /// again, for what has changed elsewhere seldom helps.
    fn values(&mut self) -> Result<(), Stop> {
        let mut place = 0;
        loop {
            let all = edit::draws(&self.best.log, |_, _| true);
            let is_open = |one: &(At, usize)| self.settled.get(one) != self.draw(one).as_ref();
            let Some(settled) = all.iter().skip(place).position(is_open) else { return Ok(()) };
            place += settled;
            let one = all[place].clone();
            let (at, draw) = &one;
            let mut tried = BTreeSet::new();
            // Each success may have changed what the draw is, so it is looked up again.
            loop {
                let mut values = self.simpler(&one, &tried);
                if values.is_empty() {
                    break;
                }
                let candidate = |&value: &u64| {
                    let mut log = self.best.log.clone();
                    edit::change(&mut log, at, |draws| draws[*draw].value = value);
                    self.changed(log)
                };
                let candidates = values.iter().map(candidate).collect();
                if let Some(place) = self.first_of(candidates)? {
                    values.truncate(place + 1);
                }
                tried.extend(values);
            }
            let is_left = edit::draws(&self.best.log, |_, _| true).get(place) == Some(&one);
            place += usize::from(is_left);
            self.settled.extend(self.draw(&one).map(|found| (one, found)));
        }
    }

    fn draw(&self, (at, draw): &(At, usize)) -> Option<Draw> {
        let stream = self.best.log.stream(&at.stream)?;
        stream.labels.get(at.label)?.spans.get(at.span)?.get(*draw).copied()
    }

    /// The next values to try for a draw.
    fn simpler(&self, one: &(At, usize), tried: &BTreeSet<u64>) -> Vec<u64> {
        let Some(now) = self.draw(one) else { return Vec::new() };
        let value = now.value;
        let mut candidates = vec![0, 1];
        let powers = || (0..20).map(|power| 10_u64.pow(power)).take_while(|&power| power <= value);
        candidates.extend(powers());
        if let Some(power) = powers().last() {
            candidates.extend((1..=value / power + 1).map(|digit| digit * power));
            let tenth = (power / 10).max(1);
            candidates.extend([value / tenth * tenth, (value / tenth + 1) * tenth]);
        }
        candidates.extend([value / 2, value.saturating_sub(1)]);
        let is_less = |&value: &u64| {
            let draw = Draw { value, ..now };
            value < now.bound && edit::draw_cost(draw) < edit::draw_cost(now)
        };
        let mut seen = tried.clone();
        let is_new = |&value: &u64| seen.insert(value);
        candidates.into_iter().filter(is_less).filter(is_new).take(self.jobs).collect()
    }

    /// Applies an edit to as many as can be at once: all, then halves, quarters and so on, from
    /// the end, to pieces that are as small as [`chunks`](Self::chunks) says. What was changed must
    /// not be listed again.
    fn reduce<T: Clone>(
        &mut self,
        list: impl Fn(&ChoiceLog) -> Vec<T>,
        edit: impl Fn(&mut ChoiceLog, &T),
    ) -> Result<(), Stop> {
        let mut size = list(&self.best.log).len();
        let least = (size / self.chunks).max(1);
        while size >= least {
            let mut end = usize::MAX;
            loop {
                let all = list(&self.best.log);
                end = end.min(all.len());
                if end == 0 {
                    break;
                }
                let bounds = (0..self.jobs).map(|n| end.saturating_sub(n * size));
                let chunks = bounds.take_while(|&end| end > 0);
                let chunks: Vec<_> = chunks.map(|end| end.saturating_sub(size)..end).collect();
                let candidate = |chunk: &Range<usize>| {
                    let mut log = self.best.log.clone();
                    // From the end, so that what is taken out does not move the rest.
                    all[chunk.clone()].iter().rev().for_each(|at| edit(&mut log, at));
                    self.changed(log)
                };
                let candidates = chunks.iter().map(candidate).collect();
                let place = self.first_of(candidates)?.unwrap_or(chunks.len() - 1);
                end = chunks[place].start;
            }
            size /= 2;
        }
        Ok(())
    }

    fn one_by_one(
        &mut self,
        list: impl Fn(&ChoiceLog) -> Vec<At>,
        edit: impl Fn(&mut ChoiceLog, &At),
    ) -> Result<(), Stop> {
        let mut end = usize::MAX;
        loop {
            let all = list(&self.best.log);
            end = end.min(all.len());
            if end == 0 {
                return Ok(());
            }
            let places: Vec<usize> = (0..end).rev().take(self.jobs).collect();
            let candidate = |&place: &usize| {
                let mut log = self.best.log.clone();
                edit(&mut log, &all[place]);
                self.changed(log)
            };
            let candidates = places.iter().map(candidate).collect();
            let found = self.first_of(candidates)?.unwrap_or(places.len() - 1);
            end = places[found];
        }
    }
}
