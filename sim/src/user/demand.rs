//! What a scenario demands of its worlds, and whether it was put to the test.

use std::rc::Rc;

use parlor::Node;

use super::diary::Shared;
use super::view::World;
use crate::hub::Hub;
use crate::oracle::Property;

/// What a demand may say: whether it holds, or what is wrong.
pub trait Holds {
    /// What is wrong; `None` if nothing is, and an empty text if it cannot say.
    fn wrong(self) -> Option<String>;
}

impl Holds for bool {
    fn wrong(self) -> Option<String> {
        (!self).then(String::new)
    }
}

impl Holds for Result<(), String> {
    fn wrong(self) -> Option<String> {
        self.err()
    }
}

type Judge<S> = Box<dyn Fn(&World<'_, S>) -> Option<String>>;

/// All demands of one run.
pub(crate) struct Demands<S> {
    pub(super) all: Vec<Demand<S>>,
    pub(super) diaries: Vec<Shared>,
    /// What the diaries had when it was judged last.
    notes: u64,
}

pub(super) struct Demand<S> {
    pub(super) name: Rc<str>,
    pub(super) when: When,
    pub(super) judge: Judge<S>,
    /// How often it was judged; of a `sometimes`, how often it held.
    tried: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Always,
    Sometimes,
    /// So many microseconds after the network has healed.
    AfterHeal(u64),
}

/// What became of a demand in one run.
#[derive(Clone, Debug)]
pub struct Demanded {
    /// Its name.
    pub name: String,
    /// How often it was put to the test; of a `sometimes`, how often it held.
    pub tried: u64,
}

impl<S> Default for Demands<S> {
    fn default() -> Self {
        Self { all: Vec::new(), diaries: Vec::new(), notes: 0 }
    }
}

impl<S: Send + 'static> Demands<S> {
    pub(super) fn add(&mut self, name: &str, when: When, judge: Judge<S>) {
        self.all.push(Demand { name: name.into(), when, judge, tried: 0 });
    }

    /// When which demands are to be judged, counted from the heal.
    pub(crate) fn after_heal(&self) -> Vec<(usize, u64)> {
        let late = |(place, demand): (usize, &Demand<S>)| match demand.when {
            When::AfterHeal(after) => Some((place, after)),
            When::Always | When::Sometimes => None,
        };
        self.all.iter().enumerate().filter_map(late).collect()
    }

    /// After a call of the node. `is_news`: a handler ran, or a command was given.
    pub(crate) fn look(
        &mut self,
        is_news: bool,
        (node, hub): (&Node<S>, &mut Hub),
        place_of: &dyn Fn(&str) -> Option<usize>,
    ) {
        if self.all.is_empty() {
            return;
        }
        let notes = self.diaries.iter().map(|diary| diary.notes()).sum();
        if !is_news && notes == self.notes {
            return;
        }
        self.notes = notes;
        for place in 0..self.all.len() {
            if !matches!(self.all[place].when, When::AfterHeal(_)) {
                self.judge(place, (node, hub), place_of);
            }
        }
    }

    /// One of them, now.
    pub(crate) fn judge(
        &mut self,
        place: usize,
        (node, hub): (&Node<S>, &mut Hub),
        place_of: &dyn Fn(&str) -> Option<usize>,
    ) {
        let demand = &mut self.all[place];
        if demand.when == When::Sometimes && demand.tried > 0 {
            return;
        }
        let diaries = &self.diaries;
        let world = World { state: node.state(), node, hub, place_of, diaries };
        let wrong = (demand.judge)(&world);
        if demand.when == When::Sometimes {
            demand.tried += u64::from(wrong.is_none());
            return;
        }
        demand.tried += 1;
        let name = &demand.name;
        hub.verdicts.claim(Property::App, wrong.is_none(), || {
            format!("{name:?} does not hold. {}", wrong.unwrap_or_default()).trim_end().into()
        });
    }

    pub(crate) fn demanded(&self) -> Vec<Demanded> {
        let one =
            |demand: &Demand<S>| Demanded { name: demand.name.to_string(), tried: demand.tried };
        self.all.iter().map(one).collect()
    }
}
