//! Several requests on one connection (RFC 9112, 9.3.2): each is handled as it comes, also behind a
//! parked GET, and answers leave in the order of the requests.

use parlor::{Config, Event, Limits};

use crate::wire::{get, post};
use crate::world::{World, args};

/// A POST behind a parked GET is handled at once, and may be what answers the GET; its `ok`
/// follows.
#[test]
fn pipelining_post_behind_a_parked_get() {
    let mut world = World::bare(Config::default());
    let c = world.accept();
    let target = world.join_polling(c);
    let socket = world.connected();
    world.http(c, get(&target));
    world.settle();
    world.http(c, post(&target, r#"42["hi"]"#));
    let Some(Event::Message { .. }) = world.next_event() else { panic!("it is handled at once") };
    world.drain();
    assert_eq!(world.egress(c), b"", "the `ok` waits for the GET's answer");
    world.emit(socket, "hello", &args("[]"));
    world.settle();
    assert_eq!(world.received(c)[3..], [r#"200 42["hello"]"#, "200 ok"]);
    world.pin("pipelining_post_behind_a_parked_get");
}

/// Two POSTs and a GET in one read: one turn, three answers in order; the last waits.
#[test]
fn pipelining_three_requests_in_one_read() {
    let mut world = World::bare(Config::default());
    let c = world.accept();
    let target = world.join_polling(c);
    let socket = world.connected();
    let requests = [post(&target, r#"42["a"]"#), post(&target, r#"42["b"]"#), get(&target)];
    world.pipeline(c, &requests);
    world.settle();
    assert_eq!(world.received(c)[3..], ["200 ok", "200 ok"]);
    assert_eq!(world.take_events().len(), 2);
    world.emit(socket, "hello", &args("[]"));
    world.settle();
    assert_eq!(world.received(c)[5..], [r#"200 42["hello"]"#]);
    world.pin("pipelining_three_requests_in_one_read");
}

/// Two GETs of one session in one read are an overlap, as on two connections: `1`, then 400.
#[test]
fn pipelining_second_get() {
    let mut world = World::bare(Config::default());
    let c = world.accept();
    let target = world.join_polling(c);
    world.pipeline(c, &[get(&target), get(&target)]);
    world.settle();
    assert_eq!(world.received(c)[3..], ["200 1", "400"]);
    assert_eq!(world.stats().sessions_closed, 1);
    world.pin("pipelining_second_get");
}

/// Two sessions on one connection, as a proxy makes them: the second's answer is ready first and
/// waits for the first's.
#[test]
fn pipelining_two_sessions() {
    let mut world = World::bare(Config::default());
    let c = world.accept();
    let first = world.join_polling(c);
    let slow = world.connected();
    let second = world.join_polling(c);
    let fast = world.connected();
    world.pipeline(c, &[get(&first), get(&second)]);
    world.settle();
    world.emit(fast, "fast", &args("[]"));
    world.drain();
    assert_eq!(world.egress(c), b"");
    world.emit(slow, "slow", &args("[]"));
    world.settle();
    assert_eq!(world.received(c)[6..], [r#"200 42["slow"]"#, r#"200 42["fast"]"#]);
    world.pin("pipelining_two_sessions");
}

/// `pipelined_requests_max`: the second request that waits pauses reading; what the driver had read
/// before it stopped is kept, and handled when there is room again.
#[test]
fn pipelining_pause_and_resume() {
    let limits = Limits { pipelined_requests_max: 2, ..Limits::default() };
    let mut world = World::bare(Config { limits, ..Config::default() });
    let c = world.accept();
    let target = world.join_polling(c);
    let socket = world.connected();
    world.http(c, get(&target));
    world.http(c, post(&target, r#"42["a"]"#));
    world.http(c, post(&target, r#"42["b"]"#));
    world.settle();
    assert_eq!(world.stats().messages_received, 1, "the third request is kept");
    world.emit(socket, "hello", &args("[]"));
    world.settle();
    assert_eq!(world.stats().messages_received, 2);
    assert_eq!(world.received(c)[3..], [r#"200 42["hello"]"#, "200 ok", "200 ok"]);
    let lines = world.lines();
    let place = |text: &str| lines.iter().position(|line| line == text).expect("it is there");
    assert!(place("c1 pause") < place("c1 resume"));
    world.pin("pipelining_pause_and_resume");
}

/// What waited is out, and requests that were held back are read: one report, one turn.
#[test]
fn pipelining_a_report_that_drains_and_resumes_is_one_turn() {
    let limits = Limits { pipelined_requests_max: 1, egress_bytes_high: 10, ..Limits::default() };
    let mut world = World::bare(Config { limits, ..Config::default() });
    let c = world.accept();
    let target = world.join_polling(c);
    let socket = world.connected();
    world.http(c, get(&target));
    world.emit(socket, "hello", &args("[]"));
    world.drain();
    world.flush_some(c, 10);
    world.http(c, post(&target, r#"42["a"]"#));
    world.http(c, post(&target, r#"42["b"]"#));
    world.writable(c);
    world.drain();
    world.take_events();
    world.flush(c);
    world.settle();
    assert_eq!(world.turn_of("event  drained"), world.turn_of("event  message socket#1 b"));
    world.pin("pipelining_a_report_that_drains_and_resumes_is_one_turn");
}

/// What HTTP itself refuses, behind a parked GET: the 400 keeps its place, and the connection ends
/// behind it (RFC 9112, 9.6), since what follows cannot be told apart.
#[test]
fn pipelining_bad_request_behind_a_parked_get() {
    let mut world = World::bare(Config::default());
    let c = world.accept();
    let target = world.join_polling(c);
    let socket = world.connected();
    world.http(c, get(&target));
    world.raw(c, "no HTTP", b"\x00\x01\x02 nonsense\r\n\r\n".to_vec());
    world.settle();
    assert_eq!(world.received(c).len(), 3, "the GET goes first");
    world.emit(socket, "hello", &args("[]"));
    world.settle();
    assert_eq!(world.received(c)[3..], [r#"200 42["hello"]"#, "400", "end"]);
    assert_eq!(world.stats().http_faults, 1);
    world.pin("pipelining_bad_request_behind_a_parked_get");
}

/// `Connection: close` on a poll (RFC 9112, 9.6): its answer is the last, and the session goes on
/// over another connection.
#[test]
fn pipelining_connection_close() {
    let mut world = World::bare(Config::default());
    let c = world.accept();
    let target = world.join_polling(c);
    let socket = world.connected();
    let d = world.accept();
    world.http(d, get(&target).with("Connection: close"));
    world.settle();
    world.emit(socket, "hello", &args("[]"));
    world.settle();
    assert_eq!(world.received(d), [r#"200 42["hello"]"#, "end"]);
    world.eof(d);
    world.settle();
    world.emit(socket, "again", &args("[]"));
    world.http(c, get(&target));
    world.settle();
    assert_eq!(world.received(c).last().unwrap(), r#"200 42["again"]"#);
    world.pin("pipelining_connection_close");
}

/// A request that arrives in two reads is two turns; it is handled in the second.
#[test]
fn pipelining_request_in_two_reads() {
    let mut world = World::bare(Config::default());
    let c = world.accept();
    let target = world.join_polling(c);
    let mut bytes = Vec::new();
    post(&target, r#"42["cut"]"#).put(&mut bytes);
    let rest = bytes.split_off(20);
    world.raw(c, "POST, its first 20 bytes", bytes);
    world.settle();
    assert_eq!(world.stats().messages_received, 0);
    world.raw(c, "POST, the rest", rest);
    world.settle();
    assert_eq!(world.received(c)[3..], ["200 ok"]);
    let turns = ["POST, its first", "POST, the rest"].map(|l| world.turn_of(&format!("c1 → {l}")));
    assert_eq!(world.turn_of("event  message socket#1 cut"), turns[1]);
    assert_ne!(turns[0], turns[1]);
    world.pin("pipelining_request_in_two_reads");
}
