//! `parlor_sim::test` is a call of `check`, and passes on what stands in the function.

use parlor::{App, Handle, reply};
use parlor_sim::{Client, Faults, Sim, ms, secs};

fn adder(_io: Handle<u64>) -> App<u64> {
    let mut app = App::with_state(0);
    app.of("/").on("add", |cx, n: u64| {
        *cx.state += n;
        reply(*cx.state)
    });
    app
}

fn adding(n: u64) -> Client {
    Client::any().script(move |c, _r| {
        c.connect("/", ());
        c.every(ms(500), move |c| c.ask("add", n, |_c, _sum: Result<u64, _>| {}));
    })
}

#[parlor_sim::test(app = adder, seeds = 0..10, profile = "mobile")]
fn sums_grow(sim: &mut Sim<u64>) {
    sim.clients(1..=3, adding(2));
    sim.always("the sum is even", |w| w.state.is_multiple_of(2));
    sim.after_heal("all are back", secs(60), |w| w.healthy().all(|c| c.connected()));
}

/// Whatever stands in front of the function stands in front of the test.
#[parlor_sim::test(app = adder, seeds = 3..4)]
#[should_panic(expected = "\"the sum is small\" does not hold. it is 12")]
fn sums_stay_small(sim: &mut Sim<u64>) {
    sim.clients(1..=1, adding(3));
    sim.always("the sum is small", |w| match *w.state {
        0..10 => Ok(()),
        sum => Err(format!("it is {sum}")),
    });
}

/// What never happens is told, in a range that is long enough.
#[parlor_sim::test(app = adder, seeds = 0..100, profile = "none")]
#[should_panic(expected = "[\"the sum is odd\"]")]
fn sums_are_never_odd(sim: &mut Sim<u64>) {
    sim.clients(1..=1, adding(2));
    sim.run_for(secs(2));
    sim.sometimes("the sum is odd", |w| !w.state.is_multiple_of(2));
}

#[test]
fn every_network_of_the_attribute_exists() {
    for name in ["none", "lan", "office_proxy", "mobile", "train_tunnel", "hostile"] {
        assert!(Faults::named(name).is_some(), "{name}");
    }
    assert!(Faults::named("office").is_none());
}
