//! Each bound of `Limits` and each timeout of `Config`: it is reached, its policy acts and is
//! counted, and another client notices nothing. `outside_max` is the driver's, as its queue is.

use std::time::Duration;

use parlor::{
    App, AskError, CloseReason, Config, ConnId, DisconnectReason, Event, Flags, Instant, Limits,
    Node, Overflow, Payload, Recipients, Response, SendStatus, SocketId, TransportFault,
};

use crate::machine::Watched;
use crate::speech;
use crate::world::{Quiet, World};

const MS: Duration = Duration::from_millis(1);

/// A world with these limits, and a bystander in it.
fn limited(limits: Limits) -> (Quiet, ConnId) {
    configured(Config { limits, ..Config::default() })
}

pub(crate) fn configured(config: Config) -> (Quiet, ConnId) {
    let mut world = Quiet::quiet(Config { session_events: true, ..config });
    let (bystander, _) = world.websocket();
    world.events();
    (world, bystander)
}

pub(crate) fn closed(world: &mut Quiet) -> Vec<CloseReason> {
    let reason = |event| match event {
        Event::SessionClosed { reason, .. } => Some(reason),
        _ => None,
    };
    world.events().into_iter().filter_map(reason).collect()
}

fn disconnected(world: &mut Quiet) -> Vec<DisconnectReason> {
    let reason = |event| match event {
        Event::Disconnected { reason, .. } => Some(reason),
        _ => None,
    };
    world.events().into_iter().filter_map(reason).collect()
}

fn statuses(world: &mut Quiet, conn: ConnId) -> Vec<u16> {
    world.answers(conn).into_iter().map(|(status, _)| status).collect()
}

fn emit(world: &mut Quiet, socket: SocketId, text: &str) -> SendStatus {
    let args = Payload::from_args(text).expect("text can be written");
    let now = world.now;
    let status = world.server_mut().emit(now, socket, "e", &args, Flags::default());
    world.settle();
    status
}

#[test]
fn connections_max() {
    let (mut world, bystander) = limited(Limits { connections_max: 2, ..Limits::default() });
    let second = world.accept();
    assert!(world.try_accept().is_err());
    assert_eq!(world.stats().connections_refused, 1);
    assert!(world.is_well(bystander));
    world.lose(second);
    world.accept();
}

#[test]
fn sessions_max() {
    let (mut world, bystander) = limited(Limits { sessions_max: 2, ..Limits::default() });
    world.polling();
    for request in [speech::open(), speech::open_websocket()] {
        let conn = world.connect(&request);
        assert_eq!(statuses(&mut world, conn), [503]);
    }
    assert_eq!((world.stats().limits_hit, world.machine.server.sessions()), (2, 2));
    assert!(world.is_well(bystander));
}

#[test]
fn head_bytes_max() {
    let (mut world, bystander) = limited(Limits::default());
    let conn = world.connect(format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(17_000)).as_bytes());
    assert_eq!(statuses(&mut world, conn), [431]);
    assert!(world.wires[&conn].shut, "what follows cannot be told from the head");
    assert_eq!(world.stats().http_faults, 1);
    let conn = world.connect(format!("GET /{} HTTP/1.1\r\n", "x".repeat(15_000)).as_bytes());
    world.data(conn, b"Host: h\r\n\r\n");
    assert_eq!(statuses(&mut world, conn), [404]);
    assert!(world.is_well(bystander));
}

#[test]
fn pipelined_requests_max_loses_nothing() {
    for max in [1, 2, 5] {
        let limits = Limits { pipelined_requests_max: max, ..Limits::default() };
        let (mut world, bystander) =
            configured(Config { take_requests: true, limits, ..Config::default() });
        let conn = world.accept();
        let said = speech::request("POST", "/some", "", b"body").repeat(7);
        // In pieces: the body of the last that fits is still read.
        for piece in said.chunks(50) {
            world.data(conn, piece);
        }
        assert!(world.wires[&conn].paused);
        let mut bodies = 0;
        loop {
            let request = |event| match event {
                Event::Request(pending) => Some(pending),
                _ => None,
            };
            let waiting: Vec<_> = world.events().into_iter().filter_map(request).collect();
            if waiting.is_empty() {
                break;
            }
            assert!(waiting.len() <= max as usize);
            for pending in waiting {
                assert_eq!(&pending.body[..], b"body");
                bodies += 1;
                let now = world.now;
                let response = Response { status: 200, ..Response::default() };
                world.server_mut().respond(now, pending, &response).expect("it waits");
                world.settle();
            }
        }
        assert_eq!((bodies, statuses(&mut world, conn)), (7, vec![200; 7]));
        assert!(!world.wires[&conn].paused && world.is_well(bystander));
    }
}

#[test]
fn answers_do_not_pile_up_before_a_client_that_does_not_read() {
    let (mut world, bystander) = limited(Limits::default());
    let conn = world.accept();
    world.set_deaf(conn, true);
    for _ in 0..500 {
        // A driver does not read a paused connection.
        if world.wires[&conn].paused {
            break;
        }
        world.data(conn, &speech::get("/none").repeat(10));
        world.write(conn, 10, true);
    }
    assert!(world.wires[&conn].paused);
    assert!(world.machine.server.connection_egress_bytes(conn) < 4000);
    world.writable(conn);
    world.set_deaf(conn, false);
    assert!(!world.wires[&conn].paused);
    assert!(statuses(&mut world, conn).iter().all(|status| *status == 404));
    assert!(world.is_well(bystander));
}

#[test]
fn egress_bytes_max_closes_a_websocket_that_does_not_read() {
    let (mut world, bystander) = limited(Limits { egress_bytes_max: 1000, ..Limits::default() });
    let (conn, socket) = world.websocket();
    world.set_deaf(conn, true);
    assert_eq!(emit(&mut world, socket, &"x".repeat(900)), SendStatus::Sent);
    assert_eq!(emit(&mut world, socket, &"x".repeat(100)), SendStatus::Gone);
    assert_eq!(world.gone.get(&conn).map(|(_, abort)| *abort), Some(true), "reset, not closed");
    assert_eq!(disconnected(&mut world), [DisconnectReason::Overflow]);
    assert_eq!(world.stats().overflow_closed, 1);
    assert!(world.is_well(bystander));
}

#[test]
fn egress_bytes_max_closes_a_session_that_does_not_poll() {
    let (mut world, bystander) = limited(Limits { egress_bytes_max: 1000, ..Limits::default() });
    world.polling();
    let args = Payload::from_args("x".repeat(400)).expect("text can be written");
    let namespace = world.machine.server.find_namespace("/").expect("it is always there");
    for _ in 0..3 {
        let now = world.now;
        let to = Recipients::all(namespace);
        world.server_mut().broadcast(now, to, "e", &args, Flags::default());
        world.settle();
    }
    assert_eq!(closed(&mut world), [CloseReason::Overflow]);
    assert!(world.is_well(bystander));
}

#[test]
fn egress_bytes_max_can_drop_messages_instead() {
    let limits = Limits { egress_bytes_max: 1000, ..Limits::default() };
    let (mut world, bystander) =
        configured(Config { overflow: Overflow::DropMessage, limits, ..Config::default() });
    let (conn, socket) = world.websocket();
    world.set_deaf(conn, true);
    assert_eq!(emit(&mut world, socket, &"x".repeat(900)), SendStatus::Sent);
    assert_eq!(emit(&mut world, socket, &"y".repeat(100)), SendStatus::Dropped);
    assert_eq!(world.stats().overflow_dropped, 1);
    world.events();
    world.take(conn);
    world.set_deaf(conn, false);
    assert!(world.events().iter().any(|event| matches!(event, Event::Drained { .. })));
    assert_eq!(emit(&mut world, socket, "z"), SendStatus::Sent);
    assert!(world.take(conn).ends_with(b"[\"e\",\"z\"]"));
    assert!(world.is_well(conn) && world.is_well(bystander));
}

#[test]
fn egress_bytes_total_max_is_shared_fairly() {
    let limits =
        Limits { egress_bytes_max: 10_000, egress_bytes_total_max: 10_000, ..Limits::default() };
    let (mut world, bystander) = limited(limits);
    let ((hog, greedy), (_, modest)) = (world.websocket(), world.websocket());
    world.set_deaf(hog, true);
    let mut sent = 0;
    while emit(&mut world, greedy, &"x".repeat(900)) != SendStatus::Gone {
        sent += 1;
        assert_eq!(emit(&mut world, modest, &"y".repeat(900)), SendStatus::Sent);
    }
    assert!((4..=6).contains(&sent), "half of it is anybody's: {sent}");
    assert_eq!(emit(&mut world, modest, &"y".repeat(900)), SendStatus::Sent);
    assert_eq!(disconnected(&mut world), [DisconnectReason::Overflow]);
    assert!(world.is_well(bystander));
}

#[test]
fn egress_bytes_high_is_told() {
    let (mut world, _) = limited(Limits { egress_bytes_high: 500, ..Limits::default() });
    let (conn, socket) = world.websocket();
    world.set_deaf(conn, true);
    assert_eq!(emit(&mut world, socket, &"x".repeat(400)), SendStatus::Sent);
    let status = emit(&mut world, socket, &"x".repeat(400));
    assert!(matches!(status, SendStatus::Backlogged { bytes: 801..900 }), "{status:?}");
    world.events();
    world.set_deaf(conn, false);
    assert!(matches!(world.events()[..], [Event::Drained { .. }]));
}

#[test]
fn pongs_and_probes_do_not_pile_up_before_a_client_that_does_not_read() {
    let (mut world, bystander) = limited(Limits { egress_bytes_high: 500, ..Limits::default() });
    let sid = world.polling();
    let (conn, _) = world.websocket();
    let candidate = world.connect(&speech::upgrade(&speech::target(&sid, "websocket")));
    for (conn, said) in [(conn, speech::frame(0x89, b"ping")), (candidate, speech::text("2probe"))]
    {
        world.set_deaf(conn, true);
        world.data(conn, &said.repeat(1000));
        let waiting = world.machine.server.connection_egress_bytes(conn);
        assert!((400..600).contains(&waiting), "{waiting}");
    }
    assert!(world.is_well(bystander));
}

/// What a websocket's client says closes its session, for a fault of the transport.
fn breaks(limits: Limits, max_payload: u32, said: &[u8], code: u16, fault: TransportFault) {
    let (mut world, bystander) = configured(Config { max_payload, limits, ..Config::default() });
    let (conn, _) = world.websocket();
    world.take(conn);
    world.data(conn, said);
    let code = code.to_be_bytes();
    assert_eq!(world.received(conn), [0x88, 2, code[0], code[1]]);
    assert_eq!(closed(&mut world), [CloseReason::TransportError(fault)]);
    assert_eq!(world.stats().websocket_faults, 1);
    assert!(world.is_well(bystander));
}

#[test]
fn fragments_max() {
    let limits = Limits { fragments_max: 4, ..Limits::default() };
    let said = [speech::frame(0x01, b"4"), speech::frame(0x00, b"").repeat(4)].concat();
    breaks(limits, 1000, &said, 1008, TransportFault::MessageTooBig);
}

#[test]
fn max_payload_of_a_websocket_message() {
    let said = speech::text(&"4".repeat(1001));
    // It is refused by its length alone.
    breaks(Limits::default(), 1000, &said[..8], 1009, TransportFault::MessageTooBig);
    let halves = [speech::frame(0x01, &[b'4'; 600]), speech::frame(0x80, &[b'4'; 600])].concat();
    breaks(Limits::default(), 1000, &halves, 1009, TransportFault::MessageTooBig);
}

#[test]
fn max_payload_of_a_post() {
    let (mut world, bystander) = configured(Config { max_payload: 100, ..Config::default() });
    let sid = world.polling();
    let conn = world.connect(&speech::post(&sid, &[b'4'; 101]));
    assert_eq!(statuses(&mut world, conn), [413]);
    assert_eq!(world.stats().bodies_too_large, 1);
    world.data(conn, &speech::post(&sid, b"42[\"still here\"]"));
    assert_eq!(statuses(&mut world, conn), [200], "the session and the connection go on");
    assert!(world.events().iter().any(|event| matches!(event, Event::Message { .. })));
    assert!(world.is_well(bystander));
}

/// What a client says is no packet of Socket.IO.
fn violates(limits: Limits, said: &[u8]) {
    let (mut world, bystander) = limited(limits);
    let (conn, _) = world.websocket();
    world.data(conn, said);
    assert_eq!(disconnected(&mut world), [DisconnectReason::ForcedServerClose]);
    assert_eq!(world.stats().packets_bad, 1);
    assert!(world.wires[&conn].shut && world.is_well(bystander));
}

#[test]
fn attachments_max() {
    let limits = Limits { attachments_max: 2, ..Limits::default() };
    violates(limits, &speech::text(r#"453-["e"]"#));
}

#[test]
fn attachment_bytes_max() {
    let limits = Limits { attachment_bytes_max: 10, ..Limits::default() };
    let head = r#"452-["e",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let said = [speech::text(head), speech::frame(0x82, &[0; 6]).repeat(2)].concat();
    violates(limits, &said);
}

#[test]
fn json_depth_max() {
    let limits = Limits { json_depth_max: 5, ..Limits::default() };
    let nested = |depth: usize| {
        speech::text(&format!("42[\"e\",{}1{}]", "[".repeat(depth - 1), "]".repeat(depth - 1)))
    };
    violates(limits.clone(), &nested(6));
    let (mut world, _) = limited(limits);
    let (conn, _) = world.websocket();
    world.data(conn, &nested(5));
    assert!(world.events().iter().any(|event| matches!(event, Event::Message { .. })));
    assert!(world.is_well(conn));
}

#[test]
fn namespaces_per_session_max() {
    let limits = Limits { namespaces_per_session_max: 2, ..Limits::default() };
    let (mut world, bystander) = limited(limits);
    for name in ["/a", "/b"] {
        world.server_mut().namespace(name);
    }
    let (conn, _) = world.websocket();
    world.take(conn);
    world.data(conn, &speech::text("40/a,"));
    world.take(conn);
    world.data(conn, &speech::text("40/b,"));
    assert!(world.take(conn).ends_with(br#"44/b,{"message":"limit reached"}"#));
    assert_eq!((world.stats().limits_hit, world.stats().connects_refused), (1, 1));
    world.data(conn, &speech::text("41/a,"));
    world.data(conn, &speech::text("40/b,"));
    assert!(world.take(conn).windows(6).any(|bytes| bytes == b"40/b,{"));
    assert!(world.is_well(bystander));
}

#[test]
fn rooms_per_socket_max() {
    let (mut world, bystander) = limited(Limits { rooms_per_socket_max: 2, ..Limits::default() });
    let (conn, socket) = world.websocket();
    let now = world.now;
    let joined = ["a", "b", "c", "a"].map(|room| world.server_mut().join(now, socket, room));
    assert_eq!(joined, [Ok(true), Ok(true), Ok(false), Ok(false)]);
    assert_eq!(world.stats().limits_hit, 1);
    assert_eq!(world.machine.server.rooms(socket).len(), 3, "its own, a and b");
    world.server_mut().leave(now, socket, "a").expect("it is here");
    assert_eq!(world.server_mut().join(now, socket, "c"), Ok(true));
    assert!(world.is_well(conn) && world.is_well(bystander));
}

#[test]
fn asks_per_socket_max() {
    let (mut world, bystander) = limited(Limits { asks_per_socket_max: 2, ..Limits::default() });
    let (conn, socket) = world.websocket();
    world.events();
    let ask = |world: &mut Quiet| {
        let (now, args) = (world.now, Payload::empty());
        let ask = world.server_mut().ask(now, socket, "q", &args, 100 * MS, Flags::default());
        world.machine.pairs.lock().expect("one thread").asked(ask);
        world.settle();
        ask
    };
    let (first, second, third) = (ask(&mut world), ask(&mut world), ask(&mut world));
    let settled = |world: &mut Quiet| -> Vec<_> {
        let outcome = |event| match event {
            Event::Settled { ask, outcome, .. } => Some((ask, outcome.map(|args| args.to_json()))),
            _ => None,
        };
        world.events().into_iter().filter_map(outcome).collect()
    };
    assert_eq!(settled(&mut world), [(third, Err(AskError::Dropped))]);
    assert_eq!(world.stats().limits_hit, 1);
    world.data(conn, &speech::text("430[7]"));
    assert_eq!(settled(&mut world), [(first, Ok("[7]".to_string()))]);
    let fourth = ask(&mut world);
    world.sleep(99 * MS);
    assert_eq!(settled(&mut world), []);
    world.sleep(MS);
    let timed_out = Err(AskError::TimedOut);
    assert_eq!(settled(&mut world), [(second, timed_out.clone()), (fourth, timed_out)]);
    world.data(conn, &speech::text("431[7]"));
    assert_eq!((settled(&mut world).len(), world.stats().acks_unknown), (0, 1));
    assert!(world.is_well(conn) && world.is_well(bystander));
}

#[test]
fn handshakes_pending_max() {
    let limits = Limits { handshakes_pending_max: 2, ..Limits::default() };
    let mut world = Quiet::quiet(Config { decide_handshakes: true, limits, ..Config::default() });
    let first = world.connect(&speech::open());
    world.connect(&speech::open_websocket());
    let third = world.connect(&speech::open());
    assert_eq!((statuses(&mut world, third), world.stats().limits_hit), (vec![503], 1));
    let Some(Event::Handshake(pending)) = world.events().into_iter().next() else {
        panic!("the application decides");
    };
    let now = world.now;
    world.server_mut().admit_handshake(now, pending, Default::default()).expect("it waits");
    world.settle();
    assert_eq!(statuses(&mut world, first), [200]);
    world.connect(&speech::open());
    assert_eq!(world.stats().limits_hit, 1, "a place is free");
}

#[test]
fn connects_pending_max() {
    let (mut world, bystander) = limited(Limits { connects_pending_max: 1, ..Limits::default() });
    let slow = world.server_mut().namespace("/slow");
    world.server_mut().decide_connects(slow, true);
    let ((first, _), (second, _)) = (world.websocket(), world.websocket());
    world.data(first, &speech::text("40/slow,"));
    world.data(second, &speech::text("40/slow,"));
    assert!(world.take(second).ends_with(br#"44/slow,{"message":"limit reached"}"#));
    assert_eq!(world.stats().limits_hit, 1);
    world.lose(first);
    world.data(second, &speech::text("40/slow,"));
    assert!(matches!(world.events().last(), Some(Event::Connect(_))));
    assert!(world.is_well(bystander));
}

#[test]
fn requests_pending_max() {
    let limits = Limits { requests_pending_max: 1, ..Limits::default() };
    let (mut world, bystander) =
        configured(Config { take_requests: true, limits, ..Config::default() });
    let first = world.connect(&speech::get("/some"));
    let second = world.connect(&speech::get("/some"));
    assert_eq!((statuses(&mut world, second), world.stats().limits_hit), (vec![503], 1));
    world.lose(first);
    world.events();
    world.connect(&speech::get("/some"));
    assert!(matches!(world.events()[..], [Event::Request(_)]));
    assert!(world.is_well(bystander));
}

#[test]
fn timers_max() {
    let (mut world, _) = limited(Limits { timers_max: 2, ..Limits::default() });
    let now = world.now;
    let set = [(); 3].map(|()| world.server_mut().timer(now, 10 * MS, false));
    assert_eq!((set[2], world.stats().limits_hit), (None, 1));
    world.sleep(10 * MS);
    let fired = world.events().into_iter().filter(|event| matches!(event, Event::Timer { .. }));
    assert_eq!(fired.count(), 2);
    assert!(world.server_mut().timer(now, MS, false).is_some());
}

#[test]
fn once_per_socket_max() {
    let mut app = App::with_state(0);
    app.of("/").on("e", |_, (): ()| ()).on_connect(|cx| {
        for _ in 0..3 {
            cx.once("e", |cx, (): ()| *cx.state += 1);
        }
    });
    let limits = Limits { once_per_socket_max: 2, ..Limits::default() };
    let config = Config { limits, ..Config::default() };
    let node = Node::new(config, app, [5; 32], Instant::ZERO, 0).expect("a sound program");
    let mut world = World::new(Watched::new(node));
    let (conn, _) = world.websocket();
    assert_eq!(world.stats().limits_hit, 1);
    world.data(conn, &speech::text("42[\"e\"]").repeat(2));
    assert_eq!(*world.machine.node.state(), 2);
}

#[test]
fn deadlines_per_call_max() {
    let mut app = App::with_state(0);
    app.of("/").on_connect(|_| ()).on("arm", |cx, (): ()| {
        for _ in 0..5 {
            cx.after(10 * MS, |cx| *cx.state += 1);
        }
    });
    let limits = Limits { deadlines_per_call_max: 2, ..Limits::default() };
    let config = Config { limits, ..Config::default() };
    let node = Node::new(config, app, [5; 32], Instant::ZERO, 0).expect("a sound program");
    let mut world = World::new(Watched::new(node));
    let (conn, _) = world.websocket();
    world.data(conn, &speech::text("42[\"arm\"]"));
    let now = world.now + 10 * MS;
    for fired in [2, 4, 5] {
        world.machine.node.handle_timeout(now);
        assert_eq!(*world.machine.node.state(), fired);
    }
}
