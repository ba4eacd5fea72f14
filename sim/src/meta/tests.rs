//! What each comparison takes for alike, and what it must not: small logs, and programs that tell
//! what no program should be able to.

use std::collections::BTreeMap;

use parlor::App;

use super::play::{Played, play};
use super::*;
use crate::client::{http, ws};
use crate::shrink::{self, Budget};
use crate::trace::{self, Done, Given, Input};

/// Two clients on websockets, who say two things each at some instants, and others who come
/// later.
fn log() -> InputLog {
    let clients = || 0..2;
    let said = |frame: &str| ws::frame(ws::TEXT, frame.as_bytes(), 0);
    let mut all = Vec::new();
    for conn in clients() {
        let data = |bytes: Vec<u8>| Input::Data { conn, bytes: bytes.into() };
        all.push((1000, Input::Accept { conn, peer: format!("10.0.0.{conn}:1").into() }));
        all.push((2000, data([http::upgrade(None), said("40")].concat())));
    }
    for (at, number) in (1..12).map(|turn| (turn * 100_000, turn)) {
        for conn in clients().chain(clients()) {
            let frame = said(&format!("42[\"echo\",{number},\"x\"]"));
            all.push((at, Input::Data { conn, bytes: frame.into() }));
        }
    }
    for conn in 2..8 {
        let at = u64::from(conn) * 130_000;
        let speech = [http::upgrade(None), said("40"), said("42[\"echo\",1,\"x\"]")];
        all.push((at, Input::Accept { conn, peer: format!("10.0.0.{conn}:1").into() }));
        for (bytes, at) in speech.into_iter().zip(at..) {
            all.push((at, Input::Data { conn, bytes: bytes.into() }));
        }
    }
    all.sort_by_key(|&(at, _)| at);
    for beat in 1..4 {
        all.push((beat * 25_100_000, Input::Timeout { why: "Heartbeat".into() }));
    }
    let mut config = parlor::Config::default();
    config.limits.deadlines_per_call_max = 1;
    let given = all.into_iter().enumerate().map(|(n, (at, input))| Given {
        at,
        input,
        done: Done::default(),
        n,
    });
    InputLog { seed: 0, start: 0, unix_ms: 0, config, given: given.collect() }
}

/// The first of some changes that differs.
fn first_that_differs(compare: impl Fn(&mut Choices, Stream) -> Related) -> Option<String> {
    (0..6).find_map(|seed| {
        let mut choices = Choices::new(seed);
        let stream = choices.stream("relation", 0);
        match compare(&mut choices, stream) {
            Related::Differ(parting) => Some(parting.what),
            Related::Alike | Related::Vacuous => None,
        }
    })
}

fn told(conn: u32, bytes: Vec<u8>, app: Vec<trace::App>) -> Played {
    let done = Done { grown: [(conn, bytes)].into(), app, ..Done::default() };
    Played { at: 5, conn: Some(conn), done }
}

#[test]
fn what_makes_no_difference_makes_none() {
    let mut tried: BTreeMap<Property, u32> = BTreeMap::new();
    for seed in 0..2 {
        let run = world::run(Preset::Swarm, Choices::new(seed), true);
        let log = recorded(&run).expect("a run that is recorded tells its options");
        let log = InputLog { given: log.given.into_iter().take(1500).collect(), ..log };
        for (_, properties, way) in &ALL {
            // Twins have a test of their own.
            let Way::Replayed(compare) = way else { continue };
            let mut choices = Choices::new(seed);
            let stream = choices.stream("relation", 0);
            let times = match compare(&log, &run.kinds, &mut choices, stream) {
                Related::Alike => 1,
                Related::Vacuous => 0,
                Related::Differ(parting) => panic!("{properties:?}, seed {seed}: {parting:?}"),
            };
            properties.iter().for_each(|&it| *tried.entry(it).or_default() += times);
        }
    }
    assert!(tried.values().filter(|&&times| times > 0).count() > 8, "{tried:?}");
}

#[test]
fn some_seeds_have_a_turn_and_each_way_has_its_seeds() {
    let turns: Vec<usize> = (0..ONE_IN * 2 * ALL.len() as u64).filter_map(turn).collect();
    let expected: Vec<usize> = (0..ALL.len()).chain(0..ALL.len()).collect();
    assert_eq!(turns, expected);
}

#[test]
fn another_byte_and_a_deadline_that_is_not_fired_are_seen() {
    let log = log();
    assert_eq!(clock::same(workload, &log, &log), None);
    let is_timeout = |input: &Input| matches!(input, Input::Timeout { .. });
    let mut other = log.clone();
    let place = other.given.iter().position(|given| is_timeout(&given.input)).unwrap();
    other.given.remove(place);
    assert!(clock::same(workload, &log, &other).is_some());
    let mut other = log.clone();
    for given in &mut other.given {
        if let Input::Data { bytes, .. } = &mut given.input {
            bytes[0] ^= 1;
        }
    }
    assert!(clock::same(workload, &log, &other).is_some());
}

/// It tells what the time is.
fn clock_reader() -> App<()> {
    let mut app = App::new();
    app.of("/").on_connect(|cx| {
        cx.emit("now", cx.now().as_micros());
    });
    app
}

#[test]
fn a_program_that_tells_the_time_is_seen_when_the_epoch_moves() {
    let log = log();
    assert!(first_that_differs(|c, s| clock::epoch(&log, clock_reader, c, s)).is_some());
    assert_eq!(first_that_differs(|c, s| clock::wall_time(&log, clock_reader, c, s)), None);
}

#[test]
fn a_piece_that_does_not_come_is_seen_and_so_is_a_volatile_packet_that_is_lost() {
    let log = log();
    let one = play(&log, wire::patient(), |_io| workload());
    assert_eq!(wire::but_for_volatile(&one, &one), None);
    let mut other = log.clone();
    other.given.retain(|given| !matches!(given.input, Input::Data { .. }));
    let two = play(&other, wire::patient(), |_io| workload());
    assert!(wire::but_for_volatile(&one, &two).is_some());

    let head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    let command = |event: &str| {
        let (event, args, volatile) = (event.into(), "[1]".into(), true);
        trace::App::Command(Box::new(trace::Command {
            event,
            args,
            volatile,
            ..trace::Command::default()
        }))
    };
    let frames = |frames: &[&str]| -> Vec<u8> {
        let frame = |text: &&str| [&[0x81, text.len() as u8][..], text.as_bytes()].concat();
        [&head[..], &frames.iter().flat_map(frame).collect::<Vec<_>>()].concat()
    };
    let merged = [told(1, frames(&[r#"42["v",1]"#, r#"42["r",1]"#]), vec![command("v")])];
    let lost = [told(1, frames(&[r#"42["r",1]"#]), vec![command("v")])];
    assert_eq!(wire::but_for_volatile(&lost, &merged), None, "more pieces may bring more");
    let what = wire::but_for_volatile(&merged, &lost).unwrap().what;
    assert!(what.contains("comes in one piece, and not in more"), "{what}");
}

#[test]
fn a_program_with_a_state_is_seen_when_events_commute() {
    let log = log();
    assert!(first_that_differs(|c, s| wire::commuted(&log, workload, c, s)).is_some());
    assert_eq!(first_that_differs(|c, s| wire::commuted(&log, apart, c, s)), None);
}

static EPOCHS: Entry = (
    "epochs",
    &[Property::X3],
    Way::Replayed(|log, _, c, s| clock::epoch(log, clock_reader, c, s)),
);

#[test]
fn what_a_comparison_finds_is_made_small_and_repeated_by_what_is_left() {
    let comparison = Comparison { preset: Preset::Calm, entry: &EPOCHS };
    let failed = comparison.run(Choices::new(1), false);
    assert_eq!(failed.verdicts.failure().map(|it| it.property), Some(Property::X3));
    let budget = Budget { replays: 150, is_late: &|| false };
    let log = comparison.signed(failed.choices.log());
    let shrunk = shrink::shrink(&comparison, log, budget).unwrap();
    assert_eq!((shrunk.size.clients, shrunk.size.events()), (1, 0), "{}", shrunk.log);
    assert_eq!(shrunk.log.world(Comparison::KEY), Some("epochs"));
    let again = comparison.run(Choices::replayed(shrunk.log.clone()), true);
    assert_eq!(again.verdicts.failure(), Some(&shrunk.failure));
    assert_eq!(again.choices.drift(), None);
    let last = again.trace.records().last().expect("it is recorded");
    assert!(matches!(last.what, trace::What::Oracle { .. }));
    assert_eq!(last.t, shrunk.failure.at, "the story ends with what differs");
    assert!(again.simulated < failed.simulated / 2, "and the world soon after it");
    // Where it has been mended, all of the log fits.
    let mended = Comparison::named(Preset::Calm, "X3").unwrap();
    let run = mended.run(Choices::replayed(shrunk.log), false);
    assert_eq!((run.verdicts.failure(), run.choices.drift()), (None, None));
}

#[test]
fn each_comparison_has_a_name_of_its_own() {
    for entry in &ALL {
        let named = Comparison::named(Preset::Swarm, entry.0).expect("it is one of all");
        assert!(std::ptr::eq(named.entry, entry), "{}", entry.0);
    }
    assert!(Comparison::named(Preset::Swarm, "X12").is_none(), "the sweep's");
}

/// It tells how much waits.
fn backlog_reader() -> App<()> {
    let mut app = App::new();
    app.of("/").on("echo", |cx, _text: parlor::Payload| {
        let status = cx.emit("large", "x".repeat(20_000));
        cx.emit("status", format!("{status:?}"));
    });
    app
}

#[test]
fn a_program_that_tells_what_waits_is_seen_when_the_driver_writes_later() {
    let log = log();
    assert!(first_that_differs(|c, s| wire::flushed(&log, backlog_reader, c, s)).is_some());
    assert_eq!(first_that_differs(|c, s| wire::flushed(&log, workload, c, s)), None);
}

/// It tells who is there, and a thing of ids that no name is put in the place of.
fn guest_reader() -> App<()> {
    let mut app = App::new();
    app.of("/").on("echo", |cx, _text: parlor::Payload| {
        let alone = cx.io().of("/alone").sockets().len();
        cx.emit("echo", (alone, cx.id().to_string().split_at(10)));
    });
    app
}

#[test]
fn a_program_that_tells_of_guests_is_seen() {
    let log = log();
    assert!(first_that_differs(|c, s| guest::observer(&log, guest_reader, c, s)).is_some());
    assert!(first_that_differs(|c, s| guest::hostile(&log, guest_reader, c, s)).is_some());
}

/// It tells a part of its id that no name is put in the place of.
fn id_reader() -> App<()> {
    let mut app = App::new();
    app.of("/").on("echo", |cx, _text: parlor::Payload| {
        cx.emit("echo", cx.id().to_string().split_at(10));
    });
    app
}

#[test]
fn a_program_that_tells_of_ids_is_seen_under_another_secret() {
    let log = log();
    assert!(first_that_differs(|c, s| ids::secret(&log, id_reader, c, s)).is_some());
    assert_eq!(first_that_differs(|c, s| ids::secret(&log, apart, c, s)), None);
}
