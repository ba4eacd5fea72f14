//! Answers, and what a client may conclude from them, on a bare server with a kernel of our own.

use std::net::SocketAddr;
use std::time::Duration;

use parlor::{
    Admission, Config, ConnId, Event, Flags, Input, Instant, Message, Output, Overflow, Response,
    Server, SessionId,
};

struct Host {
    server: Server,
    now: Instant,
    events: Vec<(u64, Event)>,
}

impl Host {
    fn new(config: Config) -> Self {
        let server = Server::new(config, [1; 32], Instant::ZERO, 0).expect("it is sound");
        Self { server, now: Instant::ZERO, events: Vec::new() }
    }

    fn connect(&mut self) -> ConnId {
        let peer = SocketAddr::from(([127, 0, 0, 1], 4000));
        self.server.accept(self.now, peer).expect("there is room")
    }

    fn data(&mut self, conn: ConnId, text: &str) {
        let mut bytes = text.as_bytes().to_vec();
        self.server.handle(self.now, Input::Data { conn, bytes: &mut bytes });
    }

    /// Carries everything out, with a kernel that takes all of it.
    fn drain(&mut self) -> String {
        let mut written = Vec::new();
        while let Some(output) = self.server.poll_output() {
            match output {
                Output::Event { turn, event } => self.events.push((turn, event)),
                Output::Flush(conn) => {
                    let shown: Vec<u8> = self.server.egress(conn).flatten().copied().collect();
                    written.extend_from_slice(&shown);
                    let sent = Input::Sent { conn, bytes: shown.len(), refused: false };
                    self.server.handle(self.now, sent);
                }
                _ => {}
            }
        }
        String::from_utf8_lossy(&written).into_owned()
    }

    /// Takes note of events, and writes nothing.
    fn listen(&mut self) {
        while let Some(output) = self.server.poll_output() {
            if let Output::Event { turn, event } = output {
                self.events.push((turn, event));
            }
        }
    }

    fn take<T>(&mut self, of: impl Fn(Event) -> Option<T>) -> Vec<(u64, T)> {
        let events = std::mem::take(&mut self.events);
        events.into_iter().filter_map(|(turn, event)| Some((turn, of(event)?))).collect()
    }

    /// Opens a polling session: its secret, and its handle where the engine tells it.
    fn open(&mut self) -> (ConnId, String, Option<SessionId>) {
        let conn = self.connect();
        let path = self.server.config().path.clone();
        self.data(conn, &get(&format!("{path}/?EIO=4&transport=polling")));
        let answer = self.drain();
        let sid = answer.split('"').nth(3).expect("an open packet").to_string();
        let opened = |event| match event {
            Event::SessionOpened { session } => Some(session),
            _ => None,
        };
        let session = self.take(opened).pop().map(|(_, session)| session);
        (conn, format!("{path}/?EIO=4&transport=polling&sid={sid}"), session)
    }
}

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")
}

fn post(target: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn request(event: Event) -> Option<parlor::PendingRequest> {
    match event {
        Event::Request(pending) => Some(pending),
        _ => None,
    }
}

/// RFC 9112, 6.3: a client would take the body for the next answer.
#[test]
fn an_answer_without_a_body_has_none() {
    for status in [204, 205, 304] {
        let mut host = Host::new(Config { take_requests: true, ..Config::default() });
        let conn = host.connect();
        host.data(conn, &get("/x"));
        host.drain();
        let (_, pending) = host.take(request).pop().expect("it was asked");
        let now = host.now;
        host.server.respond(now, pending, &Response::new(status, "BODY")).expect("it is there");
        assert!(host.drain().ends_with("\r\n\r\n"), "{status}");
    }
}

#[test]
fn an_admission_cannot_say_where_an_answer_ends() {
    let mut host = Host::new(Config { decide_handshakes: true, ..Config::default() });
    let conn = host.connect();
    host.data(conn, &get("/socket.io/?EIO=4&transport=polling"));
    host.drain();
    let pending = |event| match event {
        Event::Handshake(pending) => Some(pending),
        _ => None,
    };
    let (_, pending) = host.take(pending).pop().expect("it was asked");
    let header = |name: &str, value: &str| (name.to_string(), value.to_string());
    let admission = Admission {
        initial_headers: vec![header("content-length", "1"), header("x-first", "yes")],
        headers: vec![header("Transfer-Encoding", "chunked"), header("Upgrade", "x")],
    };
    let now = host.now;
    host.server.admit_handshake(now, pending, admission).expect("it is there");
    let answer = host.drain().to_ascii_lowercase();
    assert_eq!(answer.matches("content-length").count(), 1);
    assert!(!answer.contains("transfer-encoding") && !answer.contains("upgrade: x"), "{answer}");
    assert!(answer.contains("x-first: yes"));
}

#[test]
fn a_cookie_or_an_origin_that_breaks_a_head_is_refused_at_the_start() {
    let cookie = parlor::Cookie { name: "a\r\nb".into(), ..parlor::Cookie::default() };
    let config = Config { cookie: Some(cookie), ..Config::default() };
    assert!(Server::new(config, [1; 32], Instant::ZERO, 0).is_err());
}

#[test]
fn a_slow_reader_of_a_long_answer_is_not_idle() {
    let mut host = Host::new(Config { take_requests: true, ..Config::default() });
    let conn = host.connect();
    host.data(conn, &get("/x"));
    host.listen();
    let (_, pending) = host.take(request).pop().expect("it was asked");
    let long = Response::new(200, vec![7; 900_000]);
    host.server.respond(host.now, pending, &long).expect("it is there");
    for _ in 0..100 {
        host.server.handle(host.now, Input::Sent { conn, bytes: 9000, refused: true });
        host.server.handle(host.now, Input::Writable { conn });
        host.now += Duration::from_secs(1);
        while host.server.handle_timeout(host.now) {}
    }
    assert_eq!((host.server.connections(), host.server.stats().http_timeouts), (1, 0));
}

#[test]
fn the_bytes_of_a_candidate_are_no_ones_backlog() {
    let mut host = Host::new(Config::engine());
    let (_, url, session) = host.open();
    let session = session.expect("the engine tells it");
    let message = Message::Text("x".repeat(20_000).into());
    let _ = host.server.send(host.now, session, &message, Flags::default());
    let candidate = host.connect();
    let upgrade = get(&url.replace("polling", "websocket")).replace(
        "Host: x\r\n",
        "Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    );
    host.data(candidate, &upgrade);
    assert!(host.drain().starts_with("HTTP/1.1 101 "));
    let drained = |event| matches!(event, Event::Drained { .. }).then_some(());
    assert!(host.take(drained).is_empty(), "nothing of it has gone out");
    let poll = host.connect();
    host.data(poll, &get(&url));
    host.drain();
    assert_eq!(host.take(drained).len(), 1);
}

/// A client that misses its CONNECT waits for ever.
#[test]
fn what_says_where_a_socket_is_is_never_dropped() {
    let mut config = Config { overflow: Overflow::DropMessage, ..Config::default() };
    config.limits.egress_bytes_max = 1000;
    config.session_events = true;
    let mut host = Host::new(config);
    host.server.namespace("/b");
    let (conn, url, _) = host.open();
    host.data(conn, &post(&url, "40"));
    host.drain();
    let connected = |event| match event {
        Event::Connected { socket, .. } => Some(socket),
        _ => None,
    };
    let (_, socket) = host.take(connected).pop().expect("it has joined");
    let args = parlor::Payload::from_args("x".repeat(800)).expect("a string");
    let _ = host.server.emit(host.now, socket, "fill", &args, Flags::default());
    let filler = parlor::Payload::from_args("x").expect("a string");
    while host.server.emit(host.now, socket, "fill", &filler, Flags::default())
        != parlor::SendStatus::Dropped
    {}
    host.data(conn, &post(&url, "40/b,"));
    host.drain();
    host.data(conn, &get(&url));
    assert!(host.drain().contains("\x1e40/b,{\"sid\":"));
}

#[test]
fn a_report_that_releases_held_requests_is_their_turn() {
    let mut host = Host::new(Config { take_requests: true, ..Config::default() });
    let conn = host.connect();
    host.data(conn, &get("/one"));
    host.listen();
    let (_, pending) = host.take(request).pop().expect("it was asked");
    host.server.respond(host.now, pending, &Response::new(200, "long")).expect("it is there");
    while host.server.poll_output().is_some() {}
    host.server.handle(host.now, Input::Sent { conn, bytes: 1, refused: true });
    host.data(conn, &[get("/two"), get("/three")].concat());
    host.listen();
    host.server.handle(host.now, Input::Writable { conn });
    host.drain();
    let turns: Vec<_> = host.take(request).into_iter().map(|(turn, _)| turn).collect();
    assert!(matches!(turns[..], [two, three] if two < three), "{turns:?}");
}

#[test]
fn a_client_that_ends_is_not_waited_for_with_another_protocol() {
    for take_requests in [false, true] {
        let destroy_upgrade_timeout = None;
        let config = Config { take_requests, destroy_upgrade_timeout, ..Config::default() };
        let mut host = Host::new(config);
        let conn = host.connect();
        let other =
            get("/other").replace("Host: x", "Host: x\r\nConnection: Upgrade\r\nUpgrade: y");
        host.data(conn, &other);
        host.server.handle(host.now, Input::Eof { conn });
        host.drain();
        assert_eq!(host.server.connections(), 0, "take_requests: {take_requests}");
    }
}

/// They stand before its end.
#[test]
fn requests_that_were_held_back_are_answered_though_their_client_has_ended() {
    let mut host = Host::new(Config { take_requests: true, ..Config::default() });
    let (conn, url, _) = host.open();
    let target = url.clone();
    host.data(conn, &get("/one"));
    host.server.handle(host.now, Input::Sent { conn, bytes: 0, refused: false });
    host.listen();
    let (_, pending) = host.take(request).pop().expect("it was asked");
    host.server.respond(host.now, pending, &Response::new(200, "long")).expect("it is there");
    while host.server.poll_output().is_some() {}
    host.server.handle(host.now, Input::Sent { conn, bytes: 1, refused: true });
    host.data(conn, &[post(&target, "40"), post(&target, "42[\"held\"]")].concat());
    host.server.handle(host.now, Input::Eof { conn });
    host.server.handle(host.now, Input::Writable { conn });
    host.drain();
    let message = |event| match event {
        Event::Message { name, .. } => Some(name.to_string()),
        _ => None,
    };
    let heard: Vec<_> = host.take(message).into_iter().map(|(_, name)| name).collect();
    assert_eq!(heard, ["held"]);
}
