//! Sessions as the cases need them, and the Engine.IO cases that both suites have.

use std::net::SocketAddr;

use crate::common::http::{Answer, Http};
use crate::common::ws::{self, Message, UPGRADE, WebSocket};

/// A server under test.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) addr: SocketAddr,
    pub(crate) path: &'static str,
}

/// A session that polls, and the connection it does so on.
pub(crate) struct Polling {
    pub(crate) http: Http,
    pub(crate) sid: String,
    target: Target,
}

impl Target {
    pub(crate) fn url(self, query: &str) -> String {
        format!("{}?{query}", self.path)
    }

    #[track_caller]
    pub(crate) fn http(self) -> Http {
        Http::connect(self.addr)
    }

    /// Opens a session and holds the handshake against its grammar.
    #[track_caller]
    pub(crate) fn polling(self, ping_interval: u32, ping_timeout: u32) -> Polling {
        let mut http = self.http();
        let answer = http.get(&self.url("EIO=4&transport=polling"));
        expect_poll_head(&answer);
        let sid = sid_of(answer.text(), r#"["websocket"]"#, ping_interval, ping_timeout);
        Polling { http, sid, target: self }
    }

    /// Opens a session with the heartbeat of the suites.
    #[track_caller]
    pub(crate) fn suite_polling(self) -> Polling {
        self.polling(300, 200)
    }

    /// Opens a session that begins on WebSocket.
    #[track_caller]
    pub(crate) fn websocket(self, ping_interval: u32, ping_timeout: u32) -> WebSocket {
        let mut socket = WebSocket::open(self.addr, &self.url("EIO=4&transport=websocket"));
        let Message::Text(open) = socket.next() else { panic!("the handshake is text") };
        sid_of(&open, "[]", ping_interval, ping_timeout);
        socket
    }

    /// Opens a session that begins on WebSocket, with the heartbeat of the suites.
    #[track_caller]
    pub(crate) fn suite_websocket(self) -> WebSocket {
        self.websocket(300, 200)
    }

    #[track_caller]
    fn expect_upgrade_fails(self, query: &str) {
        let (mut http, answer) = ws::upgrade(self.addr, &self.url(query), &UPGRADE);
        if answer.status == 101 {
            // The reference looks at the revision only then, and writes no frame but an answer.
            http.wire().take_rest("end of the connection");
        } else {
            assert_eq!(answer.status, 400);
            assert_eq!(answer.header("connection"), Some("close"));
            http.expect_end();
        }
    }
}

impl Polling {
    /// What follows the path in every request of this session, with another transport.
    pub(crate) fn url(&self, transport: &str) -> String {
        self.target.url(&format!("EIO=4&transport={transport}&sid={}", self.sid))
    }

    pub(crate) fn poll_url(&self) -> String {
        self.url("polling")
    }

    /// GET.
    #[track_caller]
    pub(crate) fn get(&mut self) -> Answer {
        let url = self.poll_url();
        self.http.get(&url)
    }

    /// GET, answered with this payload.
    #[track_caller]
    pub(crate) fn expect(&mut self, payload: &str) {
        expect_poll(&self.get(), payload);
    }

    /// GET, answered with this payload, or first with pings, which are answered.
    #[track_caller]
    pub(crate) fn expect_message(&mut self, payload: &str) {
        loop {
            let answer = self.get();
            expect_poll_head(&answer);
            let (pings, messages): (Vec<_>, Vec<_>) =
                answer.text().split('\x1e').partition(|packet| *packet == "2");
            if !pings.is_empty() {
                self.post("3");
            }
            if !messages.is_empty() {
                return assert_eq!(messages.join("\x1e"), payload);
            }
        }
    }

    /// POST, which is accepted.
    #[track_caller]
    pub(crate) fn post(&mut self, payload: &str) {
        let url = self.poll_url();
        expect_ok(&self.http.post(&url, payload));
    }

    /// GET on a connection of its own, answered by there being no such session.
    #[track_caller]
    pub(crate) fn expect_gone(&self) {
        let mut http = self.target.http();
        expect_error(&http.get(&self.poll_url()), 1, "Session ID unknown");
    }

    /// Asks for WebSocket and probes it.
    #[track_caller]
    pub(crate) fn probe(&self) -> WebSocket {
        let mut socket = WebSocket::open(self.target.addr, &self.url("websocket"));
        socket.text("2probe");
        socket.expect_text("3probe");
        socket
    }
}

/// A poll's answer with this body.
#[track_caller]
pub(crate) fn expect_poll(answer: &Answer, payload: &str) {
    expect_poll_head(answer);
    assert_eq!(answer.text(), payload);
}

#[track_caller]
fn expect_poll_head(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
    expect_kept(answer);
}

/// A POST's answer.
#[track_caller]
pub(crate) fn expect_ok(answer: &Answer) {
    assert_eq!((answer.status, answer.text()), (200, "ok"));
    assert_eq!(answer.header("content-type"), Some("text/html"));
    expect_kept(answer);
}

#[track_caller]
fn expect_kept(answer: &Answer) {
    let length = answer.body.len().to_string();
    assert_eq!(answer.header("content-length"), Some(&*length));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_ne!(answer.header("connection"), Some("close"));
}

/// An error of the engine.
#[track_caller]
pub(crate) fn expect_error(answer: &Answer, code: u8, message: &str) {
    assert_eq!(answer.text(), format!(r#"{{"code":{code},"message":"{message}"}}"#));
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_ne!(answer.header("connection"), Some("close"));
}

/// The next message that is no ping; pings are answered.
#[track_caller]
pub(crate) fn next_message(socket: &mut WebSocket) -> Message {
    loop {
        match socket.next() {
            Message::Text(ping) if ping == "2" => socket.text("3"),
            message => return message,
        }
    }
}

/// The next message that is no ping is this one.
#[track_caller]
pub(crate) fn expect_message(socket: &mut WebSocket, text: &str) {
    assert_eq!(next_message(socket), Message::Text(text.to_owned()));
}

/// The session ends, by a close frame without a code; nothing but pings comes before.
#[track_caller]
pub(crate) fn expect_closed(socket: &mut WebSocket) {
    loop {
        match socket.next() {
            Message::Text(ping) if ping == "2" => {}
            message => return assert_eq!(message, Message::Close(None)),
        }
    }
}

/// Holds the open packet against its grammar, key by key in order, and gives its session id.
#[track_caller]
fn sid_of(open: &str, upgrades: &str, ping_interval: u32, ping_timeout: u32) -> String {
    let heartbeat = format!(r#""pingInterval":{ping_interval},"pingTimeout":{ping_timeout}"#);
    let rest = format!(r#"","upgrades":{upgrades},{heartbeat},"maxPayload":1000000}}"#);
    let sid = open
        .strip_prefix(r#"0{"sid":""#)
        .and_then(|open| open.strip_suffix(&*rest))
        .unwrap_or_else(|| panic!("not an open packet: {open}"));
    expect_id(sid);
    sid.to_owned()
}

/// An id is unguessable, hence long, and needs no escapes in a query.
#[track_caller]
pub(crate) fn expect_id(id: &str) {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    assert!(id.len() >= 20 && id.chars().all(plain), "{id:?} is not an id");
}

pub(crate) fn polling_opens_a_session(target: Target) {
    let sids = [target.suite_polling().sid, target.suite_polling().sid];
    assert_ne!(sids[0], sids[1]);
}

pub(crate) fn polling_fails_with_an_invalid_eio(target: Target) {
    let mut http = target.http();
    for query in ["transport=polling", "EIO=abc&transport=polling"] {
        expect_error(&http.get(&target.url(query)), 5, "Unsupported protocol version");
    }
}

pub(crate) fn polling_fails_with_an_invalid_transport(target: Target) {
    let mut http = target.http();
    for query in ["EIO=4", "EIO=4&transport=abc"] {
        expect_error(&http.get(&target.url(query)), 0, "Transport unknown");
    }
}

pub(crate) fn polling_fails_with_an_invalid_method(target: Target) {
    let mut http = target.http();
    for method in ["POST", "PUT"] {
        let answer = http.call(method, &target.url("EIO=4&transport=polling"));
        expect_error(&answer, 2, "Bad handshake method");
    }
}

pub(crate) fn websocket_opens_a_session(target: Target) {
    target.suite_websocket();
}

pub(crate) fn websocket_fails_with_an_invalid_eio(target: Target) {
    target.expect_upgrade_fails("transport=websocket");
    target.expect_upgrade_fails("EIO=abc&transport=websocket");
}

pub(crate) fn websocket_fails_with_an_invalid_transport(target: Target) {
    target.expect_upgrade_fails("EIO=4");
    target.expect_upgrade_fails("EIO=4&transport=abc");
}

pub(crate) fn polling_pings(target: Target) {
    let mut session = target.suite_polling();
    for _ in 0..3 {
        session.expect("2");
        session.post("3");
    }
}

/// The suite sleeps out the timeout without polling; here the polls are what shows it. They do
/// not count as signs of life.
pub(crate) fn polling_closes_upon_ping_timeout(target: Target) {
    let mut session = target.suite_polling();
    session.expect("2");
    session.expect("1");
    session.expect_gone();
}

pub(crate) fn websocket_pings(target: Target) {
    let mut socket = target.suite_websocket();
    for _ in 0..3 {
        socket.expect_text("2");
        socket.text("3");
    }
}

pub(crate) fn websocket_closes_upon_ping_timeout(target: Target) {
    let mut socket = target.suite_websocket();
    socket.expect_text("2");
    socket.expect_close(None);
}

/// GET and POST go out on one connection: on two, the POST might overtake the GET.
pub(crate) fn polling_closes(target: Target) {
    let mut session = target.suite_polling();
    let url = session.poll_url();
    session.http.send("GET", &url, &[], b"");
    session.http.send("POST", &url, &[], b"1");
    expect_poll(&session.http.answer(), "6");
    expect_ok(&session.http.answer());
    session.expect_gone();
}

pub(crate) fn websocket_closes(target: Target) {
    let mut socket = target.suite_websocket();
    socket.text("1");
    expect_closed(&mut socket);
}

/// Polls that come after the upgrade are refused, and do it no harm.
pub(crate) fn upgrade_ignores_polling(session: &Polling) {
    let mut http = session.target.http();
    expect_error(&http.get(&session.poll_url()), 3, "Bad request");
}

/// So is a second WebSocket.
pub(crate) fn upgrade_ignores_websocket(session: &Polling) {
    let mut second = WebSocket::open(session.target.addr, &session.url("websocket"));
    second.expect_close(None);
}
