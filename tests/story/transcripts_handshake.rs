//! How sessions begin, how they are refused, and how their heartbeat goes.

use std::time::Duration;

use parlor::{Config, Event, Wake};

use crate::wire::{get, post, request, upgrade};
use crate::world::World;

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

/// Engine.IO protocol 4, "Handshake": a GET without a sid is answered 200 with the open packet
/// alone, whose five keys are sid, upgrades, pingInterval, pingTimeout and maxPayload; the answer
/// must not be stored by caches.
#[test]
fn head_polling_handshake() {
    let mut world = World::bare(Config::default()).with_heads();
    let c = world.accept();
    world.open_polling(c);
    let [answer] = &world.received(c)[..] else { panic!("one answer") };
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let open = r#"0{"sid":"sid#1","upgrades":["websocket"],"pingInterval":25000,"#;
    assert!(answer.contains(open), "{answer}");
    assert!(answer.ends_with(r#""pingTimeout":20000,"maxPayload":1000000}"#), "{answer}");
    assert!(answer.to_lowercase().contains("cache-control: no-store"), "{answer}");
    world.pin("head_polling_handshake");
}

/// RFC 6455, 4.2.2: the 101 and its accept key (that of RFC 6455, 1.3, for its example). Engine.IO
/// protocol 4: the open packet is the first message and offers no upgrade.
#[test]
fn head_websocket_handshake() {
    let mut world = World::bare(Config::default()).with_heads();
    let c = world.open_websocket();
    let [answer, open] = &world.received(c)[..] else { panic!("an answer and a message") };
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
    assert!(open.starts_with(r#"WS 0{"sid":"sid#1","upgrades":[],"#), "{open}");
    world.pin("head_websocket_handshake");
}

/// A POST is answered `ok` after its packets were handled, a poll with what waits; no answer may be
/// stored (Engine.IO protocol 4, "HTTP long-polling").
#[test]
fn head_post_and_poll() {
    let mut world = World::bare(Config::default()).with_heads();
    let c = world.accept();
    let target = world.join_polling(c);
    assert!(target.contains("sid="));
    let [_, posted, polled] = &world.received(c)[..] else { panic!("three answers") };
    assert!(
        posted.starts_with("HTTP/1.1 200 OK") && posted.ends_with("\n                       ok")
    );
    assert!(polled.ends_with(r#"40{"sid":"socket#1"}"#), "{polled}");
    world.pin("head_post_and_poll");
}

/// The reference's error answers: 400 and a JSON body with its code and message, as
/// `application/json`; the connection stays.
#[test]
fn head_refusal() {
    let mut world = World::bare(Config::default()).with_heads();
    let c = world.accept();
    world.http(c, get("/socket.io/?EIO=4&transport=abc"));
    world.settle();
    let [answer] = &world.received(c)[..] else { panic!("one answer") };
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request"), "{answer}");
    assert!(answer.to_lowercase().contains("content-type: application/json"), "{answer}");
    assert!(!world.is_closed(c));
    world.pin("head_refusal");
}

/// The reference's answers to what it refuses, in its order of checking: transport (0), session
/// (1), method (2), a websocket that is no upgrade (3), version (5). All on one connection, which
/// stays.
#[test]
fn handshake_each_refusal() {
    let mut world = World::bare(Config::default());
    let c = world.accept();
    for (request, code, message) in [
        (get("/socket.io/?EIO=4"), 0, "Transport unknown"),
        (get("/socket.io/?EIO=4&transport=polling&sid=abc"), 1, "Session ID unknown"),
        (request("PUT", POLLING), 2, "Bad handshake method"),
        (post(POLLING, "40"), 2, "Bad handshake method"),
        (get(WEBSOCKET), 3, "Bad request"),
        (get("/socket.io/?transport=polling"), 5, "Unsupported protocol version"),
        (get("/socket.io/?EIO=abc&transport=polling"), 5, "Unsupported protocol version"),
    ] {
        world.http(c, request);
        world.settle();
        let expected = format!(r#"400 {{"code":{code},"message":"{message}"}}"#);
        assert_eq!(world.received(c).last(), Some(&expected));
    }
    assert_eq!((world.stats().handshakes_failed, world.stats().sessions_opened), (7, 0));
    assert!(!world.is_closed(c));
    world.pin("handshake_each_refusal");
}

/// An upgrade that is refused before its 101 gets the message as plain text, `Connection: close`,
/// and the end of the connection, as from the reference.
#[test]
fn head_websocket_refused() {
    let mut world = World::bare(Config::default()).with_heads();
    let c = world.accept();
    world.http(c, upgrade("/socket.io/?EIO=3&transport=websocket"));
    world.settle();
    let received = world.received(c);
    assert!(received[0].starts_with("HTTP/1.1 400 Bad Request"), "{received:?}");
    assert!(received[0].ends_with("Unsupported protocol version"), "{received:?}");
    assert_eq!(received[1], "end");
    world.eof(c);
    world.settle();
    assert!(world.is_closed(c));
    world.pin("head_websocket_refused");
}

/// Our contract: a decision on a handshake may come later, from outside, and is then a turn of its
/// own; the session and its clock begin with it. A refusal is the reference's 403 with code 4.
#[test]
fn handshake_decided_later() {
    let config = Config { decide_handshakes: true, ..Config::default() };
    let mut world = World::bare(config);
    let (a, b) = (world.accept(), world.accept());
    world.http(a, get(POLLING));
    let Some(Event::Handshake(first)) = world.next_event() else { panic!("a decision is asked") };
    world.settle();
    world.http(b, get(POLLING));
    let Some(Event::Handshake(second)) = world.next_event() else { panic!("a decision is asked") };
    world.settle();
    world.settle();
    world.pass(1500.25);
    world.admit_handshake(first);
    world.settle();
    world.settle();
    world.refuse_handshake(second, "not today");
    world.settle();
    assert!(world.received(a)[0].starts_with(r#"200 0{"sid":"#));
    assert_eq!(world.received(b), [r#"403 {"code":4,"message":"not today"}"#]);
    assert!(world.turn_of("app    AdmitHandshake") > 2, "a turn of its own");
    world.fire_until(Wake::Ping);
    assert_eq!(world.at().as_micros(), 26_501_000, "the next whole ms after 1500.25 + 25000");
    world.pin("handshake_decided_later");
}

/// Nobody decided: refused with 403 and code 4 when `decision_timeout` is over, exactly.
#[test]
fn handshake_never_decided() {
    let decision_timeout = Some(Duration::from_millis(300));
    let config = Config { decide_handshakes: true, decision_timeout, ..Config::default() };
    let mut world = World::bare(config);
    let c = world.accept();
    world.pass(0.001);
    world.http(c, get(POLLING));
    let Some(Event::Handshake(pending)) = world.next_event() else { panic!("a decision is asked") };
    drop(pending);
    world.settle();
    assert_eq!(world.fire(), Wake::Decision);
    assert_eq!(world.at().as_micros(), 300_001);
    world.settle();
    assert_eq!(world.received(c), [r#"403 {"code":4,"message":"Forbidden"}"#]);
    world.pin("handshake_never_decided");
}

/// The reference's `connectTimeout`, from the session's opening: who has joined no namespace is
/// closed. A websocket gets a close frame without a code.
#[test]
fn handshake_connect_timeout_websocket() {
    let config = Config { connect_timeout: Duration::from_millis(1000), ..Config::default() };
    let mut world = World::bare(config);
    let c = world.open_websocket();
    assert_eq!(world.fire(), Wake::ConnectTimeout);
    assert_eq!(world.at().as_micros(), 1_000_000);
    world.settle();
    assert_eq!(world.received(c)[2..], ["WS close", "end"]);
    world.pin("handshake_connect_timeout_websocket");
}

/// The same on polling without a GET: the close is deferred, and the next GET is told `6`, `1`.
#[test]
fn handshake_connect_timeout_polling() {
    let config = Config { connect_timeout: Duration::from_millis(1000), ..Config::default() };
    let mut world = World::bare(config);
    let c = world.accept();
    let target = world.open_polling(c);
    assert_eq!(world.fire(), Wake::ConnectTimeout);
    world.settle();
    assert_eq!(world.stats().sessions_closed, 0, "it waits for the client to come back");
    world.http(c, get(&target));
    world.settle();
    assert_eq!(world.received(c)[1..], ["200 6␞1"]);
    world.http(c, get(&target));
    world.settle();
    assert_eq!(world.received(c)[2..], [r#"400 {"code":1,"message":"Session ID unknown"}"#]);
    world.pin("handshake_connect_timeout_polling");
}

/// Engine.IO protocol 4, "Heartbeat": a ping each `pingInterval`, counted from the pong; a ping
/// answers the parked GET, and waits for the next one otherwise while the clock of its pong runs.
#[test]
fn handshake_heartbeat_polling() {
    let mut world = World::bare(Config::default());
    let c = world.accept();
    let target = world.join_polling(c);
    let d = world.accept();
    world.http(c, get(&target));
    world.settle();
    world.fire_until(Wake::Ping);
    assert_eq!(world.at().as_micros(), 25_000_000);
    assert_eq!(world.received(c).last().unwrap(), "200 2");
    world.pass(40.5);
    world.http(d, post(&target, "3"));
    world.settle();
    world.fire_until(Wake::Ping);
    assert_eq!(world.at().as_micros(), 50_041_000, "the next whole ms after pong + 25000");
    world.http(c, get(&target));
    world.settle();
    assert_eq!(world.received(c).last().unwrap(), "200 2");
    world.pin("handshake_heartbeat_polling");
}

/// Engine.IO protocol 4, "Heartbeat", on a websocket: two rounds, then silence. The session ends
/// `pingTimeout` after the ping was due, exactly.
#[test]
fn handshake_heartbeat_websocket() {
    let mut world = World::bare(Config::default());
    let c = world.join_websocket();
    for due in [25_000_000, 50_010_000] {
        world.fire_until(Wake::Ping);
        assert_eq!(world.at().as_micros(), due);
        world.pass(10.0);
        world.text(c, "3");
        world.settle();
    }
    world.fire_until(Wake::Ping);
    world.fire_until(Wake::PingTimeout);
    assert_eq!(world.at().as_micros(), 75_020_000 + 20_000_000);
    assert_eq!(world.received(c)[3..], ["WS 2", "WS 2", "WS 2", "WS close", "end"]);
    world.pin("handshake_heartbeat_websocket");
}

/// A driver that was not scheduled fires the ping late; the deadline for its pong counts from when
/// it was due, so the session does not live longer.
#[test]
fn handshake_heartbeat_of_a_late_driver() {
    let mut world = World::bare(Config::default());
    let c = world.join_websocket();
    world.pass(24_000.0);
    world.stall(1500);
    assert_eq!((world.fire(), world.at().as_micros()), (Wake::Ping, 25_500_000));
    world.settle();
    world.fire_until(Wake::PingTimeout);
    assert_eq!(world.at().as_micros(), 45_000_000);
    assert_eq!(world.received(c)[3..], ["WS 2", "WS close", "end"]);
    world.pin("handshake_heartbeat_of_a_late_driver");
}

/// The reference since 6.6.10: while a pong is awaited, the first other packet sets its deadline
/// back, once a ping.
#[test]
fn handshake_pong_excused_once() {
    let mut world = World::bare(Config::default());
    let c = world.join_websocket();
    world.fire_until(Wake::Ping);
    for wait in [10_000.0, 5_000.0] {
        world.pass(wait);
        world.text(c, r#"42["busy"]"#);
        world.settle();
    }
    world.fire_until(Wake::PingTimeout);
    assert_eq!(world.at().as_micros(), 55_000_000, "10 s after the ping, and 20 s more, once");
    world.pin("handshake_pong_excused_once");
}

/// What is not Engine.IO's is 404 where nobody takes requests. The path is compared exactly, its
/// slash included.
#[test]
fn handshake_other_paths() {
    let mut world = World::bare(Config::default());
    let c = world.accept();
    for target in ["/", "/socket.io?EIO=4&transport=polling", "/Socket.io/?EIO=4"] {
        world.http(c, get(target));
        world.settle();
        assert_eq!(world.received(c).last().unwrap(), "404");
    }
    assert_eq!((world.stats().sessions_opened, world.stats().handshakes_failed), (0, 0));
    world.pin("handshake_other_paths");
}

/// The reference's `destroyUpgradeTimeout`: an upgrade request for another path is cut after 1 s,
/// without a byte.
#[test]
fn handshake_upgrade_elsewhere() {
    let mut world = World::bare(Config::default());
    let c = world.accept();
    world.http(c, upgrade("/elsewhere"));
    world.settle();
    assert_eq!(world.fire(), Wake::Decision);
    assert_eq!(world.at().as_micros(), 1_000_000);
    world.settle();
    assert!(world.is_closed(c) && world.received(c).is_empty());
    world.pin("handshake_upgrade_elsewhere");
}
