//! How sockets join namespaces, and how they are refused.

use std::time::Duration;

use parlor::{Config, DisconnectReason, Event, Gone, SendStatus, Wake};

use crate::wire::{Frame, get, post};
use crate::world::{World, args};

/// Socket.IO protocol 5, "Connection to a namespace": CONNECT with and without an object, to `/`
/// and to another namespace; each is answered with a socket id of its own, unlike the session's.
#[test]
fn connect_two_namespaces() {
    let mut world = World::bare(Config::default());
    let c = world.open_websocket();
    world.text(c, r#"40{"token":"123"}"#);
    world.settle();
    world.text(c, "40/custom,");
    world.settle();
    let received = world.received(c);
    assert_eq!(received[2..], [r#"WS 40{"sid":"socket#1"}"#, r#"WS 40/custom,{"sid":"socket#2"}"#]);
    assert_eq!(world.stats().sockets_connected, 2);
    world.pin("connect_two_namespaces");
}

/// Socket.IO protocol 5: an unknown namespace is CONNECT_ERROR, and the session goes on; a query is
/// part of the name.
#[test]
fn connect_unknown_namespace() {
    let mut world = World::bare(Config::default());
    let c = world.open_websocket();
    for (packet, answer) in [
        ("40/random", r#"WS 44/random,{"message":"Invalid namespace"}"#),
        ("40/custom?a=b,", r#"WS 44/custom?a=b,{"message":"Invalid namespace"}"#),
        ("40", r#"WS 40{"sid":"socket#1"}"#),
    ] {
        world.text(c, packet);
        world.settle();
        assert_eq!(world.received(c).last().unwrap(), answer);
    }
    assert_eq!(world.stats().connects_refused, 2);
    world.pin("connect_unknown_namespace");
}

/// The application refuses with a message and data (Socket.IO protocol 5, CONNECT_ERROR), and
/// admits the second attempt; there is neither a connected nor a disconnected event for the first.
#[test]
fn connect_refused_then_admitted() {
    let mut world = World::bare(Config::default());
    let c = world.open_websocket();
    world.text(c, r#"40/guarded,{"token":"bad"}"#);
    world.drain();
    let Some(Event::Connect(pending)) = world.take_events().pop() else { panic!("a decision") };
    world.refuse(pending, "not authorized", Some("401"));
    world.settle();
    assert_eq!(
        world.received(c)[2..],
        [r#"WS 44/guarded,{"message":"not authorized","data":401}"#]
    );
    assert_eq!((world.stats().sockets_connected, world.stats().sockets_disconnected), (0, 0));
    world.text(c, r#"40/guarded,{"token":"good"}"#);
    world.drain();
    let Some(Event::Connect(pending)) = world.take_events().pop() else { panic!("a decision") };
    assert_eq!(world.admit(pending), Ok(()));
    world.settle();
    assert!(world.received(c)[3].starts_with(r#"WS 40/guarded,{"sid":"#));
    world.pin("connect_refused_then_admitted");
}

/// Our rule: a decision waits at most `decision_timeout` from its CONNECT, then CONNECT_ERROR
/// "timed out"; who asked is told that it was abandoned.
#[test]
fn connect_decision_timed_out() {
    let decision_timeout = Some(Duration::from_millis(250));
    let mut world = World::bare(Config { decision_timeout, ..Config::default() });
    let c = world.open_websocket();
    world.pass(1.5);
    world.text(c, "40/guarded,");
    world.settle();
    assert_eq!(world.fire(), Wake::Decision);
    assert_eq!(world.at().as_micros(), 251_500);
    world.settle();
    assert_eq!(world.received(c)[2..], [r#"WS 44/guarded,{"message":"timed out"}"#]);
    assert!(world.take_events().iter().any(|event| matches!(event, Event::Abandoned { .. })));
    world.pin("connect_decision_timed_out");
}

/// The reference's rule: a packet for a namespace that is not joined closes the session.
#[test]
fn connect_event_before_connect() {
    let mut world = World::bare(Config::default());
    let c = world.open_websocket();
    world.text(c, r#"42["early"]"#);
    world.settle();
    assert_eq!(world.received(c)[2..], ["WS close", "end"]);
    assert_eq!((world.stats().packets_bad, world.stats().messages_received), (1, 0));
    world.pin("connect_event_before_connect");
}

/// Our rule, compatible with the reference: a packet for a namespace that is still connecting
/// closes the session, and a CONNECT completes only after the payload it came in: `40` and an event
/// in one payload end the session, and no socket was ever connected.
#[test]
fn connect_and_event_in_one_payload() {
    let mut world = World::bare(Config::default());
    let c = world.accept();
    let target = world.open_polling(c);
    world.http(c, post(&target, "40\u{1e}42[\"early\"]"));
    world.settle();
    assert_eq!(world.received(c)[1..], ["200 ok"]);
    assert_eq!((world.stats().packets_bad, world.stats().sockets_connected), (1, 0));
    world.http(c, get(&target));
    world.settle();
    assert_eq!(world.received(c)[2..], ["200 6␞1"]);
    world.pin("connect_and_event_in_one_payload");
}

/// The reference makes two sockets of `40` twice in one payload, one unreachable; the right thing
/// is what it does with a second CONNECT in a payload of its own: the session is closed.
#[test]
fn connect_twice_in_one_read() {
    let mut world = World::bare(Config::default());
    let c = world.open_websocket();
    world.frames(c, &[Frame::Text("40"), Frame::Text("40")]);
    world.settle();
    assert_eq!(world.received(c)[2..], ["WS close", "end"]);
    assert_eq!((world.stats().packets_bad, world.stats().sockets_connected), (1, 0));
    world.pin("connect_twice_in_one_read");
}

/// The client goes while the application decides: `Abandoned`, and neither a connected nor a
/// disconnected event; the decision that comes later finds it gone.
#[test]
fn connect_abandoned() {
    let mut world = World::bare(Config::default());
    let c = world.open_websocket();
    world.text(c, "40/guarded,");
    world.drain();
    let Some(Event::Connect(pending)) = world.take_events().pop() else { panic!("a decision") };
    world.eof(c);
    world.settle();
    let events = world.take_events();
    assert!(events.iter().any(|event| matches!(event, Event::Abandoned { .. })), "{events:?}");
    assert_eq!(world.admit(pending), Err(Gone));
    assert_eq!((world.stats().sockets_connected, world.stats().sockets_disconnected), (0, 0));
    world.pin("connect_abandoned");
}

/// A connecting socket may be emitted to: on the wire that stands before its CONNECT, as in the
/// reference; broadcasts skip it.
#[test]
fn connect_emitted_to_before_admission() {
    let mut world = World::bare(Config::default());
    let c = world.open_websocket();
    world.text(c, "40/guarded,");
    world.drain();
    let Some(Event::Connect(pending)) = world.take_events().pop() else { panic!("a decision") };
    assert_eq!(world.emit(pending.socket(), "early", &args("[1]")), SendStatus::Sent);
    assert_eq!(world.admit(pending), Ok(()));
    world.settle();
    let received = world.received(c);
    assert_eq!(received[2], r#"WS 42/guarded,["early",1]"#);
    assert!(received[3].starts_with("WS 40/guarded,"), "{received:?}");
    world.pin("connect_emitted_to_before_admission");
}

/// A difference from the reference, which closes the session: what a client still sends to a
/// namespace that the server has left is dropped and counted, until its next CONNECT.
#[test]
fn connect_late_packet_after_disconnect() {
    let mut world = World::bare(Config::default());
    let c = world.join_websocket();
    let socket = world.connected();
    world.disconnect(socket);
    world.settle();
    world.text(c, r#"42["in flight"]"#);
    world.settle();
    assert_eq!((world.stats().packets_late, world.stats().sessions_closed), (1, 0));
    assert!(world.take_events().iter().any(|event| matches!(
        event,
        Event::Disconnected { reason: DisconnectReason::ServerNamespace, .. }
    )));
    world.text(c, "40");
    world.settle();
    assert_eq!(world.received(c)[3..], ["WS 41", r#"WS 40{"sid":"socket#2"}"#]);
    world.pin("connect_late_packet_after_disconnect");
}
