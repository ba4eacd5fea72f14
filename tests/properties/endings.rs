//! How connections end while somebody waits for something of them: everyone is told.

use std::time::Duration;

use parlor::{CloseReason, Config, DisconnectReason, Event, Limits, Response, TransportFault};

use crate::speech;
use crate::world::Quiet;

fn taking_requests(requests_pending_max: u32) -> Config {
    let limits = Limits { requests_pending_max, ..Limits::default() };
    Config { take_requests: true, session_events: true, limits, ..Config::default() }
}

fn requests(world: &mut Quiet) -> Vec<parlor::PendingRequest> {
    let request = |event| match event {
        Event::Request(pending) => Some(pending),
        _ => None,
    };
    world.events().into_iter().filter_map(request).collect()
}

fn respond(world: &mut Quiet, pending: parlor::PendingRequest) {
    let now = world.now;
    let response = Response { status: 200, body: vec![b'x'; 3].into(), ..Response::default() };
    world.server_mut().respond(now, pending, &response).expect("its client is there");
    world.settle();
}

#[test]
fn a_request_behind_a_last_answer_gives_its_place_back() {
    let mut world = Quiet::quiet(taking_requests(2));
    for _ in 0..5 {
        let last = speech::request("GET", "/first", "Connection: close\r\n", b"");
        let conn = world.connect(&[last, speech::get("/second")].concat());
        let mut pending = requests(&mut world);
        assert_eq!(pending.len(), 2, "both places are free");
        drop(pending.pop());
        respond(&mut world, pending.remove(0));
        assert_eq!(world.answers(conn).len(), 1);
        world.eof(conn);
        assert!(!world.is_open(conn));
    }
}

#[test]
fn requests_before_a_half_close_are_all_answered() {
    let mut world = Quiet::quiet(taking_requests(4));
    let conn = world.connect(&speech::get("/some").repeat(3));
    world.eof(conn);
    for (place, pending) in requests(&mut world).into_iter().enumerate() {
        assert!(world.is_open(conn), "request {place} waits");
        respond(&mut world, pending);
    }
    assert_eq!(world.answers(conn).len(), 3);
    assert!(!world.is_open(conn));
}

#[test]
fn a_request_behind_an_aborted_poll_does_not_keep_its_connection() {
    let mut world = Quiet::quiet(taking_requests(1));
    let sid = world.polling();
    let conn = world.connect(&[speech::poll(&sid), speech::get("/behind")].concat());
    world.eof(conn);
    assert!(!world.is_open(conn), "nothing can be answered on it");
    world.events();
    world.connect(&speech::get("/next"));
    assert_eq!(requests(&mut world).len(), 1, "the place is free");
}

#[test]
fn a_poll_whose_connection_another_session_ends_is_aborted() {
    let mut world = Quiet::quiet(Config { session_events: true, ..Config::default() });
    let (first, second) = (world.polling(), world.polling());
    let mut half = speech::post(&second, b"42[\"never whole\"]");
    half.truncate(half.len() - 1);
    let conn = world.connect(&[speech::poll(&first), half].concat());
    world.events();
    // Two POSTs at a time are a fault of the second session.
    world.connect(&speech::post(&second, b"3"));
    assert!(!world.is_open(conn));
    let aborted = CloseReason::TransportError(TransportFault::PollAborted);
    let is_it =
        |event: &Event| matches!(event, Event::SessionClosed { reason, .. } if *reason == aborted);
    assert!(world.events().iter().any(is_it), "the first session has lost its GET");
}

#[test]
fn the_last_answer_of_a_connection_counts_until_it_is_written() {
    let mut world = Quiet::quiet(Config { session_events: true, ..Config::default() });
    let sid = world.polling();
    let Some(Event::SessionOpened { session }) = world.events().into_iter().next() else {
        panic!("a session was opened");
    };
    let conn = world.accept();
    world.set_deaf(conn, true);
    world.data(conn, &speech::post(&sid, b"40/none,"));
    let target = speech::target(&sid, "polling");
    world.data(conn, &speech::request("GET", &target, "Connection: close\r\n", b""));
    let body = r#"44/none,{"message":"Invalid namespace"}"#.len() as u32;
    assert_eq!(world.machine.server.egress_bytes(session), Ok(body));
    world.set_deaf(conn, false);
    assert_eq!(world.machine.server.egress_bytes(session), Ok(0));
    // It may still be lost on its way.
    world.events();
    world.lose(conn);
    let lost = CloseReason::TransportError(TransportFault::AnswerLost);
    let is_it =
        |event: &Event| matches!(event, Event::SessionClosed { reason, .. } if *reason == lost);
    assert!(world.events().iter().any(is_it));
}

#[test]
fn a_client_that_took_its_last_answer_and_does_not_close_keeps_its_session() {
    let mut world = Quiet::quiet(Config { session_events: true, ..Config::default() });
    let sid = world.polling();
    world.connect(&speech::post(&sid, b"40/none,"));
    let target = speech::target(&sid, "polling");
    let conn = world.connect(&speech::request("GET", &target, "Connection: close\r\n", b""));
    let linger = world.machine.server.config().linger;
    world.sleep(linger + Duration::from_secs(1));
    assert!(!world.is_open(conn), "lingering has an end");
    assert_eq!(world.machine.server.sessions(), 1);
}

#[test]
fn an_announced_end_comes_without_another_input() {
    let config = Config { announce_disconnecting: true, ..Config::default() };
    let mut world = Quiet::quiet(config);
    let (conn, socket) = world.websocket();
    world.lose(conn);
    world.sleep(Duration::ZERO);
    let events = world.events();
    let reason = DisconnectReason::TransportClose;
    let Some(Event::Disconnected { socket: gone, reason: why, .. }) = events.last() else {
        panic!("it has ended: {events:?}");
    };
    assert_eq!((*gone, *why), (socket, reason));
    world.check_forgotten();
}
