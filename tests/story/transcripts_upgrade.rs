//! The upgrade from polling to websocket, and its races (Engine.IO protocol 4, "Upgrade").

use std::time::Duration;

use parlor::{Config, Event, Server, SocketId, Wake};

use crate::wire::{Frame, get, post, upgrade};
use crate::world::{C, World, args};

/// A polling session in `/`; its client polls on `c1`.
fn polling() -> (World<Server>, C, String, SocketId) {
    let mut world = World::bare(Config::default());
    let c = world.accept();
    let target = world.join_polling(c);
    let socket = world.connected();
    (world, c, target, socket)
}

/// The whole procedure as an official client does it: `2probe` is answered `3probe` on the
/// candidate, the parked GET is released with `6` in that turn (a difference from the reference,
/// which takes up to 100 ms), `5` completes, and messages go on by websocket.
#[test]
fn upgrade_procedure() {
    let (mut world, c, target, socket) = polling();
    world.http(c, get(&target));
    world.settle();
    let ws = world.open_candidate(&target);
    world.pass(12.345);
    world.text(ws, "2probe");
    world.settle();
    assert_eq!(world.received(c).last().unwrap(), "200 6");
    assert_eq!(world.received(ws), ["101", "WS 3probe"]);
    world.text(ws, "5");
    world.settle();
    world.text(ws, r#"42["hi"]"#);
    world.settle();
    world.emit(socket, "hello", &args("[1]"));
    world.settle();
    assert_eq!(world.received(ws)[2..], [r#"WS 42["hello",1]"#]);
    assert_eq!((world.stats().upgrades, world.stats().upgrades_abandoned), (1, 0));
    world.pin("upgrade_procedure");
}

/// The head of a candidate's 101 is that of any other (RFC 6455, 4.2.2), and no open packet follows
/// it.
#[test]
fn head_upgrade() {
    let mut world = World::bare(Config::default()).with_heads();
    let c = world.accept();
    let target = world.open_polling(c);
    let ws = world.open_candidate(&target);
    let [answer] = &world.received(ws)[..] else { panic!("nothing but the 101") };
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    world.pin("head_upgrade");
}

/// GETs that come after the probe are released at probe + k·100 ms, each by a deadline.
#[test]
fn upgrade_later_gets_released() {
    let (mut world, c, target, _) = polling();
    let ws = world.open_candidate(&target);
    world.pass(0.5);
    world.text(ws, "2probe");
    world.settle();
    for micros in [100_500, 200_500] {
        world.http(c, get(&target));
        world.settle();
        assert_eq!(world.fire(), Wake::UpgradeCheck);
        assert_eq!(world.at().as_micros(), micros);
        world.settle();
        assert_eq!(world.received(c).last().unwrap(), "200 6");
    }
    world.pin("upgrade_later_gets_released");
}

/// Nothing but `3probe` goes out on the candidate before `5`; what waited follows `5` at once and
/// in order, as websocket frames.
#[test]
fn upgrade_buffer_follows_five() {
    let (mut world, _, target, socket) = polling();
    let ws = world.open_candidate(&target);
    world.text(ws, "2probe");
    world.settle();
    world.emit(socket, "chat", &args("[1]"));
    world.emit(socket, "chat", &args("[2]"));
    world.settle();
    assert_eq!(world.received(ws), ["101", "WS 3probe"]);
    world.text(ws, "5");
    world.settle();
    world.emit(socket, "chat", &args("[3]"));
    world.settle();
    let expected = [r#"WS 42["chat",1]"#, r#"WS 42["chat",2]"#, r#"WS 42["chat",3]"#];
    assert_eq!(world.received(ws)[2..], expected);
    world.pin("upgrade_buffer_follows_five");
}

/// A GET after the probe gets what is buffered at once, not a noop.
#[test]
fn upgrade_get_takes_the_buffer() {
    let (mut world, c, target, socket) = polling();
    let ws = world.open_candidate(&target);
    world.text(ws, "2probe");
    world.settle();
    world.emit(socket, "chat", &args("[1]"));
    world.http(c, get(&target));
    world.settle();
    assert_eq!(world.received(c).last().unwrap(), r#"200 42["chat",1]"#);
    world.text(ws, "5");
    world.settle();
    assert_eq!(world.received(ws), ["101", "WS 3probe"]);
    world.pin("upgrade_get_takes_the_buffer");
}

/// Race: a GET is parked when `5` comes. It is answered `1`, so that the client lets go of it.
#[test]
fn upgrade_get_parked_at_five() {
    let (mut world, c, target, _) = polling();
    let ws = world.open_candidate(&target);
    world.text(ws, "2probe");
    world.settle();
    world.http(c, get(&target));
    world.text(ws, "5");
    world.settle();
    assert_eq!(world.received(c).last().unwrap(), "200 1");
    assert_eq!(world.stats().upgrades, 1);
    world.pin("upgrade_get_parked_at_five");
}

/// Race: a POST is incomplete when `5` comes. Its connection is cut and its payload lost; the
/// session goes on by websocket, as in the reference.
#[test]
fn upgrade_post_unfinished_at_five() {
    let (mut world, c, target, _) = polling();
    let ws = world.open_candidate(&target);
    world.text(ws, "2probe");
    world.settle();
    let mut bytes = Vec::new();
    post(&target, r#"42["cut"]"#).put(&mut bytes);
    bytes.truncate(bytes.len() - 3);
    world.raw(c, "POST without its last 3 bytes", bytes);
    world.settle();
    world.text(ws, "5");
    world.settle();
    assert!(world.is_closed(c));
    assert_eq!((world.stats().upgrades, world.stats().messages_received), (1, 0));
    assert_eq!(world.stats().sessions_closed, 0, "it goes on by websocket");
    world.text(ws, r#"42["hi"]"#);
    world.settle();
    assert_eq!(world.stats().messages_received, 1);
    world.pin("upgrade_post_unfinished_at_five");
}

/// `5` without a probe is accepted, as in the reference.
#[test]
fn upgrade_without_probe() {
    let (mut world, _, target, _) = polling();
    let ws = world.open_candidate(&target);
    world.text(ws, "5");
    world.settle();
    assert_eq!((world.stats().upgrades, world.received(ws).len()), (1, 1));
    world.pin("upgrade_without_probe");
}

/// Each `2probe` is answered, and a repeated one does not set the clock of the checks back.
#[test]
fn upgrade_probed_twice() {
    let (mut world, c, target, _) = polling();
    let ws = world.open_candidate(&target);
    world.text(ws, "2probe");
    world.settle();
    world.pass(60.0);
    world.text(ws, "2probe");
    world.settle();
    world.http(c, get(&target));
    world.settle();
    assert_eq!(world.fire(), Wake::UpgradeCheck);
    assert_eq!(world.at().as_micros(), 100_000);
    world.settle();
    assert_eq!(world.received(ws), ["101", "WS 3probe", "WS 3probe"]);
    assert_eq!(world.received(c).last().unwrap(), "200 6");
    assert_eq!(world.fire(), Wake::UpgradeCheck);
    assert_eq!(world.at().as_micros(), 200_000, "one clock, though there were two probes");
    world.pin("upgrade_probed_twice");
}

/// A candidate that says anything else is closed; polling goes on, and another may try.
#[test]
fn upgrade_bad_probe() {
    let (mut world, c, target, socket) = polling();
    for packet in ["2", r#"42["no"]"#, "abc"] {
        let ws = world.open_candidate(&target);
        world.text(ws, packet);
        world.settle();
        assert_eq!(world.received(ws), ["101", "WS close", "end"]);
    }
    assert_eq!((world.stats().upgrades_abandoned, world.stats().sessions_closed), (3, 0));
    world.emit(socket, "chat", &args("[1]"));
    world.http(c, get(&target));
    world.settle();
    assert_eq!(world.received(c).last().unwrap(), r#"200 42["chat",1]"#);
    world.pin("upgrade_bad_probe");
}

/// `upgradeTimeout` closes the candidate only; a new attempt is allowed.
#[test]
fn upgrade_timed_out_and_tried_again() {
    let upgrade_timeout = Duration::from_millis(250);
    let mut world = World::bare(Config { upgrade_timeout, ..Config::default() });
    let c = world.accept();
    let target = world.join_polling(c);
    let ws = world.open_candidate(&target);
    world.pass(5.0);
    world.text(ws, "2probe");
    world.settle();
    world.fire_until(Wake::UpgradeTimeout);
    assert_eq!(world.at().as_micros(), 250_000, "from the candidate's arrival");
    assert_eq!(world.received(ws)[2..], ["WS close", "end"]);
    let again = world.open_candidate(&target);
    world.text(again, "2probe");
    world.text(again, "5");
    world.settle();
    assert_eq!((world.stats().upgrades, world.stats().upgrades_abandoned), (1, 1));
    world.pin("upgrade_timed_out_and_tried_again");
}

/// Race: the candidate's connection goes after `3probe`. Polling goes on.
#[test]
fn upgrade_candidate_lost() {
    let (mut world, c, target, socket) = polling();
    let ws = world.open_candidate(&target);
    world.text(ws, "2probe");
    world.settle();
    world.lost(ws);
    world.settle();
    world.emit(socket, "chat", &args("[1]"));
    world.http(c, get(&target));
    world.settle();
    assert_eq!(world.received(c).last().unwrap(), r#"200 42["chat",1]"#);
    assert_eq!((world.stats().upgrades_abandoned, world.stats().sessions_closed), (1, 0));
    world.pin("upgrade_candidate_lost");
}

/// Race: a second candidate. It is closed silently; the first one continues.
#[test]
fn upgrade_second_candidate() {
    let (mut world, _, target, _) = polling();
    let first = world.open_candidate(&target);
    world.text(first, "2probe");
    world.settle();
    let second = world.open_candidate(&target);
    assert_eq!(world.received(second), ["101", "WS close", "end"]);
    world.text(first, "5");
    world.settle();
    assert_eq!(world.stats().upgrades, 1);
    world.pin("upgrade_second_candidate");
}

/// After an upgrade: polling requests are refused with code 3 (`TRANSPORT_MISMATCH`), another
/// websocket is closed, and the session is unaffected by both.
#[test]
fn upgrade_done_only_once() {
    let (mut world, c, target, _) = polling();
    let ws = world.open_candidate(&target);
    world.text(ws, "5");
    world.settle();
    for request in [get(&target), post(&target, "3")] {
        world.http(c, request);
        world.settle();
        let refused = r#"400 {"code":3,"message":"Bad request"}"#;
        assert_eq!(world.received(c).last().unwrap(), refused);
    }
    let other = world.open_candidate(&target);
    assert_eq!(world.received(other), ["101", "WS close", "end"]);
    world.text(ws, r#"42["still here"]"#);
    world.settle();
    assert_eq!((world.stats().messages_received, world.stats().sessions_closed), (1, 0));
    world.pin("upgrade_done_only_once");
}

/// A session that began on a websocket is taken over by nobody who learns its id (the reference
/// lets it happen).
#[test]
fn upgrade_of_a_websocket_session() {
    let mut world = World::bare(Config::default());
    let c = world.open_websocket();
    let target = format!("/socket.io/?EIO=4&transport=websocket&sid={}", world.last_sid());
    let thief = world.accept();
    world.http(thief, upgrade(&target));
    world.settle();
    assert_eq!(world.received(thief), ["101", "WS close", "end"]);
    world.text(c, "40");
    world.settle();
    assert_eq!((world.stats().sockets_connected, world.stats().upgrades), (1, 0));
    world.pin("upgrade_of_a_websocket_session");
}

/// Race: the client closes by polling while a candidate is there. The candidate is closed with the
/// session, and the reason is "transport close".
#[test]
fn upgrade_closed_by_the_client() {
    let (mut world, c, target, _) = polling();
    let ws = world.open_candidate(&target);
    world.text(ws, "2probe");
    world.settle();
    world.http(c, post(&target, "1"));
    world.settle();
    assert_eq!(world.received(ws), ["101", "WS 3probe", "WS close", "end"]);
    assert_eq!(world.received(c).last().unwrap(), "200 ok");
    assert!(world.lines().iter().any(|line| line.ends_with("closed session#1: transport close")));
    world.pin("upgrade_closed_by_the_client");
}

/// Race: the server closes gracefully between the probe and `5`. What was buffered goes out behind
/// `5`, then the close; the session's reason is "forced close".
#[test]
fn upgrade_closing_then_five() {
    let (mut world, _, target, socket) = polling();
    let ws = world.open_candidate(&target);
    world.text(ws, "2probe");
    world.settle();
    world.emit(socket, "bye", &args("[]"));
    let session = world.session_of(socket);
    world.close_session(session);
    world.settle();
    world.text(ws, "5");
    world.settle();
    assert_eq!(world.received(ws)[2..], [r#"WS 42["bye"]"#, "WS close", "end"]);
    assert!(world.lines().iter().any(|line| line.ends_with("closed session#1: forced close")));
    world.pin("upgrade_closing_then_five");
}

/// The heartbeat survives the upgrade (the reference loses it): a ping that fell due while the
/// session still polled waits in the buffer, goes out behind `5`, and its deadline stands.
#[test]
fn upgrade_with_a_ping_outstanding() {
    let (mut world, _, target, _) = polling();
    world.fire_until(Wake::Ping);
    world.pass(10.0);
    let ws = world.open_candidate(&target);
    world.text(ws, "2probe");
    world.text(ws, "5");
    world.settle();
    assert_eq!(world.received(ws)[1..], ["WS 3probe", "WS 2"]);
    world.fire_until(Wake::PingTimeout);
    assert_eq!(world.at().as_micros(), 45_000_000);
    world.pin("upgrade_with_a_ping_outstanding");
}

/// Race: the message that stands behind `5` in one read is an ordinary one of the new transport,
/// and comes after the upgrade's event, in the same turn.
#[test]
fn upgrade_message_behind_five() {
    let (mut world, _, target, _) = polling();
    let ws = world.open_candidate(&target);
    world.text(ws, "2probe");
    world.settle();
    world.take_events();
    let message = Frame::Text(r#"42["hi"]"#);
    world.frames(ws, &[Frame::Text("5"), message]);
    world.settle();
    let [Event::SessionUpgraded { .. }, Event::Message { .. }] = &world.take_events()[..] else {
        panic!("upgraded, then the message");
    };
    world.pin("upgrade_message_behind_five");
}
