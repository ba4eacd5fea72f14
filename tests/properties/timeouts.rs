//! Each timeout of `Config`: not a millisecond early, exactly then, and nobody else is disturbed.

use std::time::Duration;

use parlor::{App, AskError, CloseReason, Config, Event, Instant, Node, Payload, TransportFault};

use crate::limits::{closed, configured};
use crate::machine::Watched;
use crate::speech;
use crate::world::{Quiet, World};

const MS: Duration = Duration::from_millis(1);
const TIMEOUT: Duration = Duration::from_millis(300);

#[test]
fn request_timeout_of_one_that_never_ends() {
    let config = Config { request_timeout: TIMEOUT, ..Config::default() };
    let (mut world, bystander) = configured(config);
    let silent = world.accept();
    let head = world.connect(b"GET / HTTP/1.1\r\nX");
    let body = world.connect(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n");
    world.sleep(TIMEOUT / 2);
    // More of it does not set the clock back.
    world.data(head, b"-More: ");
    world.data(body, b"a");
    world.sleep(TIMEOUT / 2 - MS);
    let open = |world: &Quiet| [silent, head, body].map(|conn| world.is_open(conn));
    assert_eq!(open(&world), [true; 3]);
    world.sleep(MS);
    assert_eq!(open(&world), [false; 3]);
    assert_eq!(world.stats().http_timeouts, 3);
    assert!(world.is_well(bystander));
}

#[test]
fn request_timeout_of_an_unfinished_post_ends_its_session() {
    let config = Config { request_timeout: TIMEOUT, ..Config::default() };
    let (mut world, bystander) = configured(config);
    let sid = world.polling();
    let mut post = speech::post(&sid, b"42[\"e\"]");
    post.pop();
    world.connect(&post);
    world.sleep(TIMEOUT);
    let aborted = TransportFault::PostAborted;
    assert_eq!(closed(&mut world), [CloseReason::TransportError(aborted)]);
    assert!(world.is_well(bystander));
}

#[test]
fn idle_timeout() {
    let (mut world, bystander) = configured(Config { idle_timeout: TIMEOUT, ..Config::default() });
    let sid = world.polling();
    let parked = world.connect(&speech::poll(&sid));
    let conn = world.connect(&speech::get("/none"));
    world.sleep(TIMEOUT - MS);
    world.data(conn, &speech::get("/none"));
    world.sleep(TIMEOUT - MS);
    assert!(!world.wires[&conn].shut);
    world.sleep(MS);
    assert!(world.wires[&conn].shut, "closed in order");
    assert!(!world.wires[&parked].shut, "a parked GET is not idle");
    world.eof(conn);
    assert!(!world.is_open(conn) && world.is_well(bystander));
}

#[test]
fn connect_timeout() {
    let (mut world, bystander) =
        configured(Config { connect_timeout: TIMEOUT, ..Config::default() });
    let conn = world.connect(&speech::open_websocket());
    world.sleep(TIMEOUT - MS);
    assert_eq!(closed(&mut world), []);
    world.sleep(MS);
    assert_eq!(closed(&mut world), [CloseReason::ForcedClose]);
    assert!(world.wires[&conn].shut && world.is_well(bystander));
}

#[test]
fn decision_timeout_of_a_handshake() {
    let mut world = Quiet::quiet(Config {
        decide_handshakes: true,
        decision_timeout: Some(TIMEOUT),
        ..Config::default()
    });
    let conn = world.connect(&speech::open());
    world.sleep(TIMEOUT - MS);
    assert!(world.received(conn).is_empty());
    world.sleep(MS);
    assert_eq!(world.answers(conn)[0].0, 403);
    let mut events = world.events();
    let Some(Event::HandshakeFailed(_)) = events.pop() else { panic!("it is told") };
    let Some(Event::Handshake(late)) = events.pop() else { panic!("it was asked") };
    let now = world.now;
    assert!(world.server_mut().admit_handshake(now, late, Default::default()).is_err());
}

#[test]
fn decision_timeout_of_a_connect() {
    let config = Config { decision_timeout: Some(TIMEOUT), ..Config::default() };
    let (mut world, bystander) = configured(config);
    let slow = world.server_mut().namespace("/slow");
    world.server_mut().decide_connects(slow, true);
    let (conn, _) = world.websocket();
    world.data(conn, &speech::text("40/slow,"));
    world.sleep(TIMEOUT - MS);
    world.take(conn);
    world.sleep(MS);
    assert!(world.take(conn).ends_with(br#"44/slow,{"message":"timed out"}"#));
    let mut events = world.events();
    assert!(matches!(events.pop(), Some(Event::Abandoned { .. })));
    let Some(Event::Connect(late)) = events.pop() else { panic!("it was asked") };
    let now = world.now;
    assert!(world.server_mut().admit(now, late).is_err());
    assert!(world.is_well(conn) && world.is_well(bystander));
}

#[test]
fn decision_timeout_of_a_request() {
    let config =
        Config { take_requests: true, decision_timeout: Some(TIMEOUT), ..Config::default() };
    let (mut world, bystander) = configured(config);
    let conn = world.connect(&speech::get("/some"));
    world.sleep(TIMEOUT - MS);
    assert!(world.received(conn).is_empty());
    world.sleep(MS);
    assert_eq!(world.answers(conn)[0].0, 404);
    world.data(conn, &speech::get("/again"));
    assert!(world.is_open(conn) && world.is_well(bystander));
}

#[test]
fn ask_timeout() {
    let mut app = App::with_state(None);
    app.of("/").on_connect(|cx| {
        cx.ask("q", ()).then(|cx, outcome: Result<(), AskError>| *cx.state = Some(outcome));
    });
    let config = Config { ask_timeout: TIMEOUT, ..Config::default() };
    let node = Node::new(config, app, [5; 32], Instant::ZERO, 0).expect("a sound program");
    let mut world = World::new(Watched::new(node));
    let (conn, _) = world.websocket();
    world.sleep(TIMEOUT - MS);
    assert_eq!(*world.machine.node.state(), None);
    world.sleep(MS);
    assert_eq!(*world.machine.node.state(), Some(Err(AskError::TimedOut)));
    assert!(world.is_well(conn));
}

#[test]
fn upgrade_timeout() {
    let (mut world, bystander) =
        configured(Config { upgrade_timeout: TIMEOUT, ..Config::default() });
    let sid = world.polling();
    let conn = world.connect(&speech::upgrade(&speech::target(&sid, "websocket")));
    world.data(conn, &speech::text("2probe"));
    world.sleep(TIMEOUT - MS);
    assert!(!world.wires[&conn].shut);
    world.sleep(MS);
    assert!(world.wires[&conn].shut);
    assert_eq!((world.stats().upgrades_abandoned, closed(&mut world)), (1, vec![]));
    let poll = world.connect(&speech::post(&sid, b"42[\"on\"]"));
    assert_eq!(world.answers(poll)[0].0, 200, "polling goes on");
    assert!(world.is_well(bystander));
}

#[test]
fn polling_close_timeout() {
    let config = Config { polling_close_timeout: TIMEOUT, ..Config::default() };
    let (mut world, bystander) = configured(config);
    world.polling();
    let opened = |event| match event {
        Event::SessionOpened { session } => Some(session),
        _ => None,
    };
    let session = world.events().into_iter().find_map(opened).expect("it opened");
    let now = world.now;
    world.server_mut().close_session(now, session, false).expect("it is open");
    world.settle();
    world.sleep(TIMEOUT - MS);
    assert_eq!(closed(&mut world), []);
    world.sleep(MS);
    assert_eq!(closed(&mut world), [CloseReason::ForcedClose]);
    assert!(world.is_well(bystander));
}

#[test]
fn linger_of_bytes_that_are_not_taken() {
    let (mut world, bystander) = configured(Config { linger: TIMEOUT, ..Config::default() });
    let conn = world.accept();
    world.set_deaf(conn, true);
    world.data(conn, &speech::request("GET", "/none", "Connection: close\r\n", b""));
    world.write(conn, 5, true);
    world.sleep(TIMEOUT - MS);
    assert!(world.is_open(conn) && !world.wires[&conn].shut);
    world.sleep(MS);
    assert!(world.gone[&conn].1, "it is reset");
    assert!(world.is_well(bystander));
}

#[test]
fn linger_of_a_peer_that_does_not_close() {
    let (mut world, bystander) = configured(Config { linger: TIMEOUT, ..Config::default() });
    let conn = world.connect(&speech::request("GET", "/none", "Connection: close\r\n", b""));
    assert!(world.wires[&conn].shut);
    world.sleep(TIMEOUT - MS);
    // What it still sends changes nothing.
    world.data(conn, &speech::get("/none"));
    assert!(world.is_open(conn));
    world.sleep(MS);
    assert!(!world.gone[&conn].1, "all was written");
    assert!(world.is_well(bystander));
}

#[test]
fn destroy_upgrade_timeout() {
    let config = Config { destroy_upgrade_timeout: Some(TIMEOUT), ..Config::default() };
    let (mut world, bystander) = configured(config);
    let conn = world.connect(&speech::upgrade("/elsewhere"));
    world.sleep(TIMEOUT - MS);
    assert!(world.is_open(conn));
    world.sleep(MS);
    assert!(!world.is_open(conn) && world.received(conn).is_empty());
    assert!(world.is_well(bystander));
}

#[test]
fn no_destroy_upgrade_timeout() {
    let (mut world, _) = configured(Config { destroy_upgrade_timeout: None, ..Config::default() });
    let conn = world.connect(&speech::upgrade("/elsewhere"));
    world.sleep(600_000 * MS);
    assert!(world.is_open(conn), "it stays");
    world.lose(conn);
}

#[test]
fn shutdown_waits_for_nobody_beyond_its_linger() {
    for deaf in [false, true] {
        let (mut world, _) = configured(Config { linger: TIMEOUT, ..Config::default() });
        let sid = world.polling();
        world.connect(&speech::poll(&sid));
        let (_, socket) = world.websocket();
        let args = Payload::from_args("last words").expect("text can be written");
        let now = world.now;
        world.server_mut().emit(now, socket, "e", &args, Default::default());
        world.accept();
        world.shut_down(deaf);
        assert!(world.try_accept().is_err());
    }
}
