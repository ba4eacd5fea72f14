//! One call for a test: worlds of a program, from their seeds to a screen that says what is wrong.

use std::any::type_name;
use std::env;
use std::marker::PhantomData;
use std::num::NonZero;
use std::ops::Range;
use std::panic;
use std::thread;

use parlor::{App, Handle};

use super::sim::{Setting, Sim};
use crate::choice::Choices;
use crate::command::{options, report};
use crate::explain::{Kind, regression};
use crate::oracle::Failure;
use crate::sweep::{Subject, Sweep};
use crate::world::{Run, World};

/// Seeds from which on everything that is demanded must have been put to the test.
const JUDGED_FROM_SEEDS: u64 = 100;
/// Instead of the test's own range: one number, or a range as `0..300`.
const SEEDS: &str = "PARLOR_SIM_SEEDS";

/// Runs a program in one world for each seed, every one twice, and holds it against what the
/// scenario demands and against all that Parlor itself promises.
///
/// The program is made anew for each world, and so is the scenario: neither may keep or change
/// anything outside.
///
/// ```
/// use parlor::{App, Handle, reply};
/// use parlor_sim::{Client, Faults, Sim, check, ms};
///
/// fn adder(_io: Handle<u64>) -> App<u64> {
///     let mut app = App::with_state(0);
///     app.of("/").on("add", |cx, n: u64| {
///         *cx.state += n;
///         reply(*cx.state)
///     });
///     app
/// }
///
/// check(0..3, adder, |sim: &mut Sim<u64>| {
///     let client = Client::any().script(|c, r| {
///         c.connect("/", ());
///         let n = 1 + r.below(9);
///         c.every(ms(700), move |c| c.ask("add", n, |_c, _sum: Result<u64, _>| {}));
///     });
///     sim.clients(1..=3, client);
///     sim.faults(Faults::mobile());
///     sim.after_heal("everybody is back", ms(30_000), |w| w.healthy().all(|c| c.connected()));
/// });
/// ```
///
/// # Panics
///
/// If something does not hold; the message is a screen that says what, in the smallest story that
/// was found, and how to see it again.
pub fn check<S, P, F>(seeds: Range<u64>, program: P, scenario: F)
where
    S: Send + 'static,
    P: Fn(Handle<S>) -> App<S> + Sync,
    F: Fn(&mut Sim<S>) + Sync,
{
    let seeds = match env::var(SEEDS) {
        Ok(text) => options::seeds(&text).unwrap_or_else(|why| panic!("{SEEDS}: {why}")),
        Err(_) => seeds,
    };
    let current = thread::current();
    let name = current.name().filter(|&name| name != "main").unwrap_or("check").to_string();
    let check = Check { name, program, scenario, state: PhantomData };
    let jobs = thread::available_parallelism().map_or(1, NonZero::get) as u64;
    let sweep = Sweep { jobs, is_twice: true, is_first_enough: true, ..Sweep::of(seeds.clone()) };
    let sum = sweep.run(&check);
    if let Some(screen) = report::of_check(&check, &sweep, &sum) {
        panic!("\n{screen}");
    }
    let is_judged = seeds.end - seeds.start >= JUDGED_FROM_SEEDS;
    let vacuous: Vec<&str> = sum.demanded_in_vain().collect();
    assert!(
        !is_judged || vacuous.is_empty(),
        "in none of these worlds was put to the test, or came true: {vacuous:?}; let clients do \
         more, run longer, or break other things"
    );
}

struct Check<S, P, F> {
    name: String,
    program: P,
    scenario: F,
    state: PhantomData<fn() -> S>,
}

/// Runs one world of a program as a choice log says, and holds it against all that a
/// [`check`] of the same scenario does: the test that is kept of a failure. If the choices no
/// longer fit the world, that is told on standard error, since then it shows less.
///
/// # Panics
///
/// If something does not hold, or the text is no choice log.
pub fn check_choices<S, P, F>(choices: &str, program: P, scenario: F)
where
    S: Send + 'static,
    P: Fn(Handle<S>) -> App<S> + Sync,
    F: Fn(&mut Sim<S>) + Sync,
{
    let check = Check { name: "check_choices".into(), program, scenario, state: PhantomData };
    crate::sweep::repeat(|_| Ok(Box::new(check)), choices);
}

impl<S, P, F> Subject for Check<S, P, F>
where
    S: Send + 'static,
    P: Fn(Handle<S>) -> App<S> + Sync,
    F: Fn(&mut Sim<S>) + Sync,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn test(&self, failure: &Failure, seed: u64) -> Option<String> {
        let names = (type_name::<P>(), type_name::<F>());
        Some(regression(Kind::Check(names.0, names.1), failure, seed))
    }

    fn run(&self, mut choices: Choices, is_told: bool) -> Run {
        let mut sim = Sim::new();
        (self.scenario)(&mut sim);
        let Setting { profile, minds, demands } = sim.set(&mut choices);
        World::new(profile, choices, is_told, |io| (self.program)(io), minds, demands).run()
    }
}
