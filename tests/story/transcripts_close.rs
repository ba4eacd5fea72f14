//! How sessions and sockets end: each reason, with what is on the wire.

use std::time::Duration;

use parlor::{
    App, CloseReason, Config, DisconnectReason, Event, Limits, Overflow, SendStatus, Server,
    SocketId, TransportFault, Wake,
};

use crate::wire::{Frame, get, post};
use crate::world::{C, World, args, large};

fn websocket() -> (World<Server>, C, SocketId) {
    let mut world = World::bare(Config::default());
    let c = world.join_websocket();
    let socket = world.connected();
    (world, c, socket)
}

/// A polling session in `/`; its client polls on `c1`.
fn polling() -> (World<Server>, C, String, SocketId) {
    let mut world = World::bare(Config::default());
    let c = world.accept();
    let target = world.join_polling(c);
    let socket = world.connected();
    (world, c, target, socket)
}

/// Why sockets and sessions ended since this was last asked, in order.
fn reasons(world: &mut World<Server>) -> (Vec<DisconnectReason>, Vec<CloseReason>) {
    world.settle();
    let (mut sockets, mut sessions) = (Vec::new(), Vec::new());
    for event in world.take_events() {
        match event {
            Event::Disconnected { reason, .. } => sockets.push(reason),
            Event::SessionClosed { reason, .. } => sessions.push(reason),
            _ => {}
        }
    }
    (sockets, sessions)
}

/// The reasons of a session that ended with one socket in it.
fn both(reason: CloseReason) -> (Vec<DisconnectReason>, Vec<CloseReason>) {
    (vec![reason.into()], vec![reason])
}

fn fault(fault: TransportFault) -> (Vec<DisconnectReason>, Vec<CloseReason>) {
    both(CloseReason::TransportError(fault))
}

/// "client namespace disconnect": `41` is not answered, and the session stays.
#[test]
fn close_client_namespace() {
    let (mut world, c, _) = websocket();
    world.text(c, "41");
    assert_eq!(reasons(&mut world), (vec![DisconnectReason::ClientNamespace], vec![]));
    assert_eq!(world.received(c).len(), 3);
    world.pin("close_client_namespace");
}

/// "server namespace disconnect": the client is told `41`, and the session stays.
#[test]
fn close_server_namespace() {
    let (mut world, c, socket) = websocket();
    world.disconnect(socket);
    assert_eq!(reasons(&mut world), (vec![DisconnectReason::ServerNamespace], vec![]));
    assert_eq!(world.received(c)[3..], ["WS 41"]);
    world.pin("close_server_namespace");
}

/// `disconnect(true)`: DISCONNECT for every namespace of the session, each "server namespace
/// disconnect", then the session's end.
#[test]
fn close_server_session() {
    let (mut world, c, socket) = websocket();
    world.text(c, "40/custom,");
    world.settle();
    world.disconnect_session(socket);
    let server = DisconnectReason::ServerNamespace;
    assert_eq!(reasons(&mut world), (vec![server, server], vec![CloseReason::ForcedClose]));
    assert_eq!(world.received(c)[4..], ["WS 41", "WS 41/custom,", "WS close", "end"]);
    world.pin("close_server_session");
}

/// "transport close", by a close frame: its code is echoed (RFC 6455, 5.5.1), and messages that
/// stand before it in the same read are handled first.
#[test]
fn close_by_a_close_frame() {
    let (mut world, c, _) = websocket();
    world.frames(c, &[Frame::Text(r#"42["last"]"#), Frame::Close(Some(1001))]);
    world.settle();
    let events = world.take_events();
    assert!(matches!(events[0], Event::Message { .. }), "{events:?}");
    let Event::Disconnected { reason, .. } = events[1] else { panic!("{events:?}") };
    assert_eq!(reason, DisconnectReason::TransportClose);
    assert_eq!(world.received(c)[3..], ["WS close 1001", "end"]);
    world.pin("close_by_a_close_frame");
}

/// Messages that stand before their socket's end are handled before it, in the same read too,
/// however it ends (the reference loses those before `41` and `1`).
#[test]
fn close_messages_before_the_end() {
    for (n, end) in (0..).zip(["41", "1", "abc"]) {
        let (mut world, c, _) = websocket();
        world.frames(c, &[Frame::Text(r#"42["last"]"#), Frame::Text(end)]);
        world.settle();
        let events = world.take_events();
        let [Event::Message { .. }, Event::Disconnected { .. }, ..] = &events[..] else {
            panic!("{end}: {events:?}");
        };
        world.pin(&format!("close_messages_before_the_end_{n}"));
    }
}

/// A node drops only what is queued behind a disconnect that a handler asked for.
#[test]
fn close_messages_behind_a_disconnect() {
    let mut app = App::new();
    app.of("/").on("bye", |cx, ()| cx.disconnect()).on("after", |_cx, ()| {
        panic!("it was disconnected");
    });
    let mut world = World::node(Config::default(), app);
    let c = world.join_websocket();
    world.frames(c, &[Frame::Text(r#"42["bye"]"#), Frame::Text(r#"42["after"]"#)]);
    world.settle();
    assert_eq!(world.received(c)[3..], ["WS 41"]);
    assert_eq!((world.stats().events_dropped, world.stats().sessions_closed), (1, 0));
    world.pin("close_messages_behind_a_disconnect");
}

/// A connection between requests is let go after `idle_timeout`, without harm to its session; one
/// whose request does not end, after `request_timeout` from its first byte.
#[test]
fn close_idle_and_slow_connections() {
    let mut world = World::bare(Config {
        idle_timeout: Duration::from_secs(3),
        request_timeout: Duration::from_secs(2),
        ..Config::default()
    });
    let (idle, slow) = (world.accept(), world.accept());
    world.join_polling(idle);
    world.take_events();
    world.pass(500.0);
    world.raw(slow, "GET, its first bytes", b"GET /socket.io/".to_vec());
    world.pass(1000.0);
    world.raw(slow, "and some more", b"?EIO=4".to_vec());
    assert_eq!(world.fire(), Wake::Request);
    assert_eq!(world.at().as_micros(), 2_000_000, "from the connection's first instant");
    world.settle();
    assert!(world.is_closed(slow));
    assert_eq!(world.fire(), Wake::Idle);
    assert_eq!(world.at().as_micros(), 3_000_000);
    assert_eq!(reasons(&mut world), (vec![], vec![]));
    assert_eq!(world.received(idle).last().unwrap(), "end");
    world.pin("close_idle_and_slow_connections");
}

/// "transport close", by the connection's end and by its loss. Who has only half-closed still gets
/// a close frame; who is lost gets nothing, and its connection is released at once.
#[test]
fn close_by_the_end_of_a_websocket() {
    let mut world = World::bare(Config::default());
    let (c, d) = (world.join_websocket(), world.join_websocket());
    world.take_events();
    world.eof(c);
    assert_eq!(reasons(&mut world), both(CloseReason::TransportClose));
    world.lost(d);
    assert_eq!(reasons(&mut world), both(CloseReason::TransportClose));
    assert!(world.is_closed(c) && world.is_closed(d));
    world.pin("close_by_the_end_of_a_websocket");
}

/// "transport close", by the Engine.IO packet `1` on a websocket, at once (the reference ignores it
/// until the ping timeout).
#[test]
fn close_packet_websocket() {
    let (mut world, c, _) = websocket();
    world.text(c, "1");
    assert_eq!(reasons(&mut world), both(CloseReason::TransportClose));
    assert_eq!(world.received(c)[3..], ["WS close", "end"]);
    world.pin("close_packet_websocket");
}

/// "transport close", by `1` in a POST: the parked GET is released with `6`, the POST is answered
/// `ok`, and what stands behind `1` in the payload is ignored.
#[test]
fn close_packet_polling() {
    let (mut world, c, target, _) = polling();
    let d = world.accept();
    world.http(c, get(&target));
    world.settle();
    world.http(d, post(&target, "1\u{1e}42[\"ignored\"]"));
    assert_eq!(reasons(&mut world), both(CloseReason::TransportClose));
    assert_eq!(world.received(c).last().unwrap(), "200 6");
    assert_eq!(world.received(d), ["200 ok"]);
    assert_eq!(world.stats().messages_received, 0);
    world.pin("close_packet_polling");
}

/// "transport error": the connection of a parked GET ends, orderly or not.
#[test]
fn close_poll_aborted() {
    let mut world = World::bare(Config::default());
    for orderly in [true, false] {
        let c = world.accept();
        let target = world.join_polling(c);
        world.take_events();
        world.http(c, get(&target));
        if orderly {
            world.eof(c)
        } else {
            world.lost(c)
        }
        assert_eq!(reasons(&mut world), fault(TransportFault::PollAborted));
        assert!(world.is_closed(c));
    }
    world.pin("close_poll_aborted");
}

/// "transport error": the connection of an unfinished POST goes.
#[test]
fn close_post_aborted() {
    let (mut world, _, target, _) = polling();
    let d = world.accept();
    let mut bytes = Vec::new();
    post(&target, r#"42["cut"]"#).put(&mut bytes);
    bytes.truncate(bytes.len() - 3);
    world.raw(d, "POST without its last 3 bytes", bytes);
    world.lost(d);
    assert_eq!(reasons(&mut world), fault(TransportFault::PostAborted));
    assert_eq!(world.stats().messages_received, 0);
    world.pin("close_post_aborted");
}

/// Our rule: the loss of the connection that carried the latest poll answer, before the next GET,
/// ends the session, since what was in the answer may be lost.
#[test]
fn close_answer_lost() {
    let (mut world, c, _, _) = polling();
    world.lost(c);
    assert_eq!(reasons(&mut world), fault(TransportFault::AnswerLost));
    world.pin("close_answer_lost");
}

/// An orderly end there is none of its business, nor is a loss after the next GET went elsewhere.
#[test]
fn close_answer_connection_not_needed() {
    let (mut world, c, target, socket) = polling();
    world.eof(c);
    world.settle();
    let d = world.accept();
    world.http(d, get(&target));
    world.settle();
    world.emit(socket, "chat", &args("[1]"));
    world.settle();
    let e = world.accept();
    world.http(e, get(&target));
    world.lost(d);
    assert_eq!(reasons(&mut world), (vec![], vec![]));
    world.emit(socket, "chat", &args("[2]"));
    world.settle();
    assert_eq!(world.received(e), [r#"200 42["chat",2]"#]);
    world.pin("close_answer_connection_not_needed");
}

/// Nor is a loss after `5`: the websocket carries the session.
#[test]
fn close_answer_lost_after_five() {
    let (mut world, c, target, _) = polling();
    let ws = world.open_candidate(&target);
    world.text(ws, "2probe");
    world.text(ws, "5");
    world.settle();
    world.lost(c);
    assert_eq!(reasons(&mut world), (vec![], vec![]));
    assert_eq!(world.stats().upgrades, 1);
    world.pin("close_answer_lost_after_five");
}

/// "transport error": a second GET while one is parked. It is answered 400, the first one `1`.
#[test]
fn close_poll_overlap() {
    let (mut world, c, target, _) = polling();
    let d = world.accept();
    world.http(c, get(&target));
    world.http(d, get(&target));
    assert_eq!(reasons(&mut world), fault(TransportFault::PollOverlap));
    assert_eq!(
        (world.received(c).last().unwrap().as_str(), &world.received(d)[..]),
        ("200 1", &["400".to_string()][..])
    );
    world.pin("close_poll_overlap");
}

/// "transport error": a second POST while one is unfinished. It is answered 400, and the connection
/// of the first is cut without an answer.
#[test]
fn close_post_overlap() {
    let (mut world, _, target, _) = polling();
    let (d, e) = (world.accept(), world.accept());
    let mut bytes = Vec::new();
    post(&target, r#"42["cut"]"#).put(&mut bytes);
    bytes.truncate(bytes.len() - 3);
    world.raw(d, "POST without its last 3 bytes", bytes);
    world.http(e, post(&target, "3"));
    assert_eq!(reasons(&mut world), fault(TransportFault::PostOverlap));
    assert_eq!(world.received(e), ["400"]);
    assert!(world.is_closed(d) && world.received(d).is_empty());
    world.pin("close_post_overlap");
}

/// "transport error": Engine.IO 4 has no `application/octet-stream`; 400.
#[test]
fn close_invalid_content() {
    let (mut world, c, target, _) = polling();
    world.http(c, post(&target, "3").with("Content-Type: application/octet-stream"));
    assert_eq!(reasons(&mut world), fault(TransportFault::InvalidContent));
    assert_eq!(world.received(c).last().unwrap(), "400");
    world.pin("close_invalid_content");
}

/// "transport error": in Engine.IO 4 it is the server that pings.
#[test]
fn close_heartbeat_direction() {
    let (mut world, c, _) = websocket();
    world.text(c, "2");
    assert_eq!(reasons(&mut world), fault(TransportFault::HeartbeatDirection));
    assert_eq!(world.received(c)[3..], ["WS close", "end"]);
    world.pin("close_heartbeat_direction");
}

/// "transport error", below Engine.IO: a message over `maxPayload` is 1009, text that is not UTF-8
/// is 1007, an unmasked frame, a reserved bit and an unknown opcode are 1002 (RFC 6455, 7.4.1).
#[test]
fn close_websocket_faults() {
    let mut world = World::bare(Config { max_payload: 10, ..Config::default() });
    let faults = [
        (Frame::Text(r#"42["long"]x"#), TransportFault::MessageTooBig, 1009),
        (Frame::Raw(0x81, &[b'4', 0xff], true), TransportFault::NotUtf8, 1007),
        (Frame::Raw(0x81, b"3", false), TransportFault::WebSocketProtocol, 1002),
        (Frame::Raw(0xc1, b"3", true), TransportFault::WebSocketProtocol, 1002),
        (Frame::Raw(0x83, b"3", true), TransportFault::WebSocketProtocol, 1002),
    ];
    for (frame, why, code) in faults {
        let c = world.join_websocket();
        world.take_events();
        world.ws(c, frame);
        assert_eq!(reasons(&mut world), fault(why));
        assert_eq!(world.received(c)[3..], [format!("WS close {code}"), "end".to_string()]);
    }
    world.pin("close_websocket_faults");
}

/// A message of exactly `maxPayload` bytes passes.
#[test]
fn close_not_at_the_payload_limit() {
    let mut world = World::bare(Config { max_payload: 10, ..Config::default() });
    let c = world.join_websocket();
    world.text(c, r#"42["long"]"#);
    world.settle();
    assert_eq!((world.stats().messages_received, world.stats().sessions_closed), (1, 0));
    world.pin("close_not_at_the_payload_limit");
}

/// A POST over `maxPayload` is 413 as soon as it is known; the session stays, as in the reference.
#[test]
fn close_not_by_a_large_post() {
    let mut world = World::bare(Config { max_payload: 10, ..Config::default() });
    let c = world.accept();
    let target = world.open_polling(c);
    world.http(c, post(&target, r#"42["long"]x"#));
    world.settle();
    assert_eq!(world.received(c)[1..], ["413"]);
    world.http(c, post(&target, "40"));
    world.settle();
    assert_eq!((world.received(c)[2].as_str(), world.stats().sockets_connected), ("200 ok", 1));
    world.pin("close_not_by_a_large_post");
}

/// "parse error": what is no Engine.IO packet. On polling the packets before it are delivered, the
/// POST is answered `ok`, and the parked GET `1`.
#[test]
fn close_parse_error() {
    let (mut world, c, target, _) = polling();
    let d = world.accept();
    world.http(c, get(&target));
    world.settle();
    world.http(d, post(&target, "42[\"good\"]\u{1e}abc\u{1e}42[\"not\"]"));
    assert_eq!(reasons(&mut world), both(CloseReason::ParseError));
    assert_eq!(world.received(c).last().unwrap(), "200 1");
    assert_eq!(world.received(d), ["200 ok"]);
    assert_eq!((world.stats().messages_received, world.stats().engine_faults), (1, 1));
    let ws = world.join_websocket();
    world.take_events();
    world.text(ws, "abc");
    assert_eq!(reasons(&mut world), both(CloseReason::ParseError));
    assert_eq!(world.received(ws)[3..], ["WS close", "end"]);
    world.pin("close_parse_error");
}

/// "ping timeout": `pingInterval` + `pingTimeout` after the opening, exactly. A GET that parked
/// after the ping is answered `1`; after that the session is unknown.
#[test]
fn close_ping_timeout() {
    let (mut world, c, target, _) = polling();
    world.fire_until(Wake::Ping);
    for _ in 0..2 {
        world.http(c, get(&target));
        world.settle();
    }
    assert_eq!(world.received(c).last().unwrap(), "200 2");
    assert_eq!(world.fire(), Wake::PingTimeout);
    assert_eq!(world.at().as_micros(), 45_000_000);
    assert_eq!(reasons(&mut world), both(CloseReason::PingTimeout));
    assert_eq!(world.received(c).last().unwrap(), "200 1");
    world.http(c, get(&target));
    world.settle();
    let unknown = r#"400 {"code":1,"message":"Session ID unknown"}"#;
    assert_eq!(world.received(c).last().unwrap(), unknown);
    world.pin("close_ping_timeout");
}

/// "forced close" of a polling session: a parked GET is told `1` at once.
#[test]
fn close_forced_with_a_get() {
    let (mut world, c, target, socket) = polling();
    world.http(c, get(&target));
    world.settle();
    let session = world.session_of(socket);
    world.close_session(session);
    assert_eq!(reasons(&mut world), both(CloseReason::ForcedClose));
    assert_eq!(world.received(c).last().unwrap(), "200 1");
    world.pin("close_forced_with_a_get");
}

/// "forced close" without a GET: what is buffered goes out with the next GET, the one after that is
/// told `6`, `1`, and then it is over.
#[test]
fn close_forced_with_a_buffer() {
    let (mut world, c, target, socket) = polling();
    world.emit(socket, "bye", &args("[]"));
    let session = world.session_of(socket);
    world.close_session(session);
    assert_eq!(world.emit(socket, "no more", &args("[]")), SendStatus::Gone);
    assert_eq!(reasons(&mut world), (vec![], vec![]));
    world.http(c, get(&target));
    assert_eq!(reasons(&mut world), (vec![], vec![]));
    assert_eq!(world.received(c).last().unwrap(), r#"200 42["bye"]"#);
    world.http(c, get(&target));
    assert_eq!(reasons(&mut world), both(CloseReason::ForcedClose));
    assert_eq!(world.received(c).last().unwrap(), "200 6␞1");
    world.pin("close_forced_with_a_buffer");
}

/// "forced close" of a client that never comes back: 30 s.
#[test]
fn close_forced_given_up() {
    let (mut world, _, _, socket) = polling();
    let session = world.session_of(socket);
    world.close_session(session);
    world.settle();
    assert_eq!(world.fire(), Wake::PollingClose);
    assert_eq!(world.at().as_micros(), 30_000_000);
    assert_eq!(reasons(&mut world), both(CloseReason::ForcedClose));
    world.pin("close_forced_given_up");
}

/// "forced server close": what is no Socket.IO packet, or not allowed where it stands. The session
/// is closed, on a websocket without a code.
#[test]
fn close_forced_server_close() {
    let mut world = World::bare(Config::default());
    for packet in ["4abc", "4", "42{}", "42abc[]", r#"42["connect"]"#, "47", "40", "44/x,{}"] {
        let c = world.join_websocket();
        world.take_events();
        world.text(c, packet);
        let expected = (vec![DisconnectReason::ForcedServerClose], vec![CloseReason::ForcedClose]);
        assert_eq!(reasons(&mut world), expected, "{packet}");
        assert_eq!(world.received(c)[3..], ["WS close", "end"]);
    }
    assert_eq!(world.stats().packets_bad, 8);
    world.pin("close_forced_server_close");
}

/// "overflow": the bound on what waits for one client, with the default policy. Its connection is
/// aborted, since it does not read.
#[test]
fn close_overflow() {
    let limits = Limits { egress_bytes_max: 200, ..Limits::default() };
    let mut world = World::bare(Config { limits, ..Config::default() });
    world.join_websocket();
    let socket = world.connected();
    assert_eq!(world.emit(socket, "n", &large(150)), SendStatus::Sent);
    assert_eq!(world.emit(socket, "n", &large(50)), SendStatus::Gone);
    assert_eq!(reasons(&mut world), both(CloseReason::Overflow));
    assert_eq!(world.stats().overflow_closed, 1);
    world.pin("close_overflow");
}

/// The other policy: the message is dropped and says so, and the client is told of nothing; when it
/// has taken everything, the application is.
#[test]
fn close_not_by_overflow_policy_drop() {
    let limits = Limits { egress_bytes_max: 200, ..Limits::default() };
    let overflow = Overflow::DropMessage;
    let mut world = World::bare(Config { limits, overflow, ..Config::default() });
    let c = world.join_websocket();
    let socket = world.connected();
    assert_eq!(world.emit(socket, "n", &large(150)), SendStatus::Sent);
    assert_eq!(world.emit(socket, "n", &large(50)), SendStatus::Dropped);
    world.settle();
    let drained = world.take_events();
    assert!(matches!(drained[..], [Event::Drained { .. }]), "{drained:?}");
    assert_eq!((world.received(c).len(), world.stats().overflow_dropped), (4, 1));
    world.pin("close_not_by_overflow_policy_drop");
}

/// "server shutting down": every socket, without a packet. A parked GET is told `1`, a websocket
/// gets a close frame, buffered packets are dropped; connections end when all is written.
#[test]
fn close_shutdown() {
    let mut world = World::bare(Config::default());
    let ws = world.join_websocket();
    let (parked, between) = (world.accept(), world.accept());
    let target = world.join_polling(parked);
    world.join_polling(between);
    let buffered = world.connected();
    world.http(parked, get(&target));
    world.settle();
    world.emit(buffered, "lost", &args("[]"));
    world.shut_down();
    let (sockets, sessions) = reasons(&mut world);
    assert_eq!(sockets, [DisconnectReason::ServerShuttingDown; 3]);
    assert_eq!(sessions, [CloseReason::ForcedClose; 3]);
    assert_eq!(world.received(ws)[3..], ["WS close", "end"]);
    assert_eq!(world.received(parked)[3..], ["200 1", "end"]);
    assert_eq!(world.received(between)[3..], ["end"]);
    for c in [ws, parked, between] {
        world.eof(c);
    }
    world.settle();
    assert!(world.machine.is_drained());
    world.pin("close_shutdown");
}

/// A peer that does not close its side is let go after `linger`; a kernel that does not take the
/// last bytes likewise, and that is an abort.
#[test]
fn close_linger() {
    let mut world = World::bare(Config::default());
    let (polite, stuck) = (world.join_websocket(), world.join_websocket());
    world.text(polite, "1");
    world.settle();
    world.text(stuck, "1");
    world.drain();
    world.flush_some(stuck, 1);
    world.drain();
    for _ in 0..2 {
        assert_eq!(world.fire(), Wake::Linger);
        assert_eq!(world.at().as_micros(), 5_000_000);
        world.drain();
    }
    assert!(world.is_closed(polite) && world.is_closed(stuck));
    assert!(
        world.lines().contains(&"c1 close".into()) && world.lines().contains(&"c2 abort".into())
    );
    world.pin("close_linger");
}
