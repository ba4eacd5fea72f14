//! What a scenario says of a world before it begins.

use std::ops::RangeInclusive;
use std::time::Duration;

use parlor::Config;

use super::client::Client;
use super::demand::{Demands, Holds, When};
use super::diary::Diary;
use super::faults::Faults;
use super::mind::Scripted;
use super::view::World;
use crate::choice::Choices;
use crate::client::Kind;
use crate::client::mind::Mind;
use crate::profile::Profile;

/// A world to be: who comes, what breaks, and what must hold.
pub struct Sim<S> {
    groups: Vec<(RangeInclusive<usize>, Client)>,
    faults: Faults,
    run_for: Duration,
    outside: RangeInclusive<Duration>,
    config: Config,
    demands: Demands<S>,
}

/// What it is when the scenario has spoken.
pub(super) struct Setting<S> {
    pub(super) profile: Profile,
    pub(super) minds: Vec<Box<dyn Mind>>,
    pub(super) demands: Demands<S>,
}

impl<S: Send + 'static> Sim<S> {
    pub(super) fn new() -> Self {
        Self {
            groups: Vec::new(),
            faults: Faults::lan(),
            run_for: Duration::from_secs(30),
            outside: Duration::from_millis(1)..=Duration::from_secs(1),
            config: Config::default(),
            demands: Demands::default(),
        }
    }

    /// So many clients of a kind; how many is drawn.
    pub fn clients(&mut self, count: RangeInclusive<usize>, client: Client) {
        self.groups.push((count, client));
    }

    /// What breaks; [`Faults::lan`] if nothing is said.
    pub fn faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// How long scripts act and the network breaks; 30 s if nothing is said. Then the network
    /// heals, and scripts begin nothing new.
    pub fn run_for(&mut self, time: Duration) {
        self.run_for = time;
    }

    /// How long work from outside takes to arrive: what a program posts to its
    /// [`Handle`](parlor::Handle). 1 ms to 1 s if nothing is said; it may come in another order
    /// than it was posted.
    pub fn outside(&mut self, delay: RangeInclusive<Duration>) {
        self.outside = delay;
    }

    /// The server's configuration.
    pub fn config(&mut self) -> &mut Config {
        &mut self.config
    }

    /// What must hold at every instant. It is judged after each turn, where something may have
    /// changed. The closure says whether, or as an error what is wrong.
    pub fn always<H: Holds>(&mut self, name: &str, holds: impl Fn(&World<'_, S>) -> H + 'static) {
        self.demands.add(name, When::Always, Box::new(move |world| holds(world).wrong()));
    }

    /// What must hold at some instant, in some world of a range of 100 seeds and more: proof that
    /// the others were put to the test.
    pub fn sometimes<H: Holds>(
        &mut self,
        name: &str,
        holds: impl Fn(&World<'_, S>) -> H + 'static,
    ) {
        self.demands.add(name, When::Sometimes, Box::new(move |world| holds(world).wrong()));
    }

    /// What must hold when the network has been good, and scripts silent, for so long.
    pub fn after_heal<H: Holds>(
        &mut self,
        name: &str,
        after: Duration,
        holds: impl Fn(&World<'_, S>) -> H + 'static,
    ) {
        let when = When::AfterHeal(after.as_micros() as u64);
        self.demands.add(name, when, Box::new(move |world| holds(world).wrong()));
    }

    /// Draws what is left open.
    pub(super) fn set(mut self, choices: &mut Choices) -> Setting<S> {
        let stream = choices.stream("scenario", 0);
        let (mut kinds, mut minds): (Vec<Kind>, Vec<Box<dyn Mind>>) = Default::default();
        for (count, client) in self.groups {
            let (low, high) = (*count.start() as u64, *count.end() as u64);
            for _ in 0..choices.between(stream, low, high.max(low)) {
                let index = kinds.len();
                let kind = choices.choose(stream, client.kinds.len() as u64);
                kinds.push(client.kinds[kind as usize]);
                let random = choices.stream("script", index as u64);
                let diary = Diary::new(index, client.name.clone());
                self.demands.diaries.push(diary.clone());
                minds.push(Box::new(Scripted::new(client.script.clone(), random, diary)));
            }
        }
        let micros = |duration: Duration| duration.as_micros() as u64;
        let last = self.demands.after_heal().into_iter().map(|(_, after)| after).max();
        let outside = (micros(*self.outside.start()), micros(*self.outside.end()));
        let profile = Profile::scenario(self.faults.0, kinds, self.config, outside)
            .lasting(micros(self.run_for), last.unwrap_or_default());
        Setting { profile, minds, demands: self.demands }
    }
}

impl<S> std::fmt::Debug for Sim<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { groups, faults, run_for, .. } = self;
        let mut out = f.debug_struct("Sim");
        out.field("groups", groups).field("faults", faults).field("run_for", run_for);
        out.finish_non_exhaustive()
    }
}
