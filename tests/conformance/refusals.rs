//! Every refusal, with its whole head and body, on a server whose heartbeat keeps out of the way.
//!
//! Unlike the two suites these cases are Parlor's own. Where the reference leaves the length of a
//! body to chunks, Parlor says it; it sends no `Date`; and it looks at the revision before the 101.

use crate::common::http::{Answer, Http, request};
use crate::common::ws::{self, Message, TEXT, UPGRADE, WebSocket};
use crate::server::calm_addr;
use crate::session::{Polling, Target, expect_ok, expect_poll};

const BODY_BYTES_MAX: usize = 1_000_000;
const OPEN: &str = "EIO=4&transport=polling";

fn target() -> Target {
    Target { addr: calm_addr(), path: "/engine.io/" }
}

fn polling() -> Polling {
    target().polling(25_000, 20_000)
}

fn websocket() -> WebSocket {
    target().websocket(25_000, 20_000)
}

#[track_caller]
fn expect_answer(answer: &Answer, status_line: &str, fields: &[&str], body: &str) {
    let length = format!("content-length: {}", body.len());
    let mut head: Vec<&str> = fields.iter().copied().chain([&*length]).collect();
    head.sort_unstable();
    head.insert(0, status_line);
    assert_eq!(
        (answer.head(), answer.text()),
        (head.iter().map(|s| s.to_string()).collect(), body)
    );
}

#[track_caller]
fn expect_empty(answer: &Answer, status_line: &str) {
    expect_answer(answer, status_line, &[], "");
}

/// The error object, on a connection that stays.
#[track_caller]
fn expect_error(answer: &Answer, code: u8) {
    let body = error_body(code);
    expect_answer(answer, "HTTP/1.1 400 Bad Request", &["content-type: application/json"], &body);
}

fn error_body(code: u8) -> String {
    format!(r#"{{"code":{code},"message":"{}"}}"#, message(code))
}

fn message(code: u8) -> &'static str {
    match code {
        0 => "Transport unknown",
        1 => "Session ID unknown",
        2 => "Bad handshake method",
        3 => "Bad request",
        4 => "Forbidden",
        5 => "Unsupported protocol version",
        _ => panic!("no code {code}"),
    }
}

/// A request without a session is refused with this code, and the next is served.
#[track_caller]
fn expect_refused(method: &str, query: &str, code: u8) {
    let mut http = target().http();
    expect_error(&http.call(method, &target().url(query)), code);
    assert_eq!(http.get(&target().url(OPEN)).status, 200);
}

/// A request for an upgrade is refused with this text, and the connection ends.
#[track_caller]
fn expect_upgrade_refused(query: &str, fields: &[&str], text: &str) {
    let (http, answer) = ws::upgrade(calm_addr(), &target().url(query), fields);
    expect_closing(http, &answer, &[], text);
}

#[track_caller]
fn expect_closing(mut http: Http, answer: &Answer, more: &[&str], text: &str) {
    let fields = [more, &["connection: close", "content-type: text/html"]].concat();
    expect_answer(answer, "HTTP/1.1 400 Bad Request", &fields, text);
    http.expect_end();
}

/// The session is as it was.
#[track_caller]
fn expect_alive(session: &mut Polling) {
    session.post("4alive");
    session.expect("4alive");
}

/// What a first text frame must be answered by: the end of the session, at once.
#[track_caller]
fn expect_text_ends(text: &str) {
    let mut socket = websocket();
    socket.text(text);
    socket.expect_close(None);
}

/// A POST of this payload ends the session; the GET that is parked is answered by `parked`.
#[track_caller]
fn expect_payload_ends(payload: &str, parked: &str) {
    let mut session = polling();
    let url = session.poll_url();
    session.http.send("GET", &url, &[], b"");
    session.http.send("POST", &url, &[], payload.as_bytes());
    expect_poll(&session.http.answer(), parked);
    expect_ok(&session.http.answer());
    session.expect_gone();
}

// What an accepted request is answered, for comparison.

#[test]
fn a_poll_has_four_fields_and_no_date() {
    let mut http = target().http();
    let answer = http.get(&target().url(OPEN));
    let fields = ["cache-control: no-store", "content-type: text/plain; charset=UTF-8"];
    expect_answer(&answer, "HTTP/1.1 200 OK", &fields, answer.text());
}

#[test]
fn an_accepted_post_says_ok() {
    let mut session = polling();
    let url = session.poll_url();
    let fields = ["cache-control: no-store", "content-type: text/html"];
    expect_answer(&session.http.post(&url, "4hello"), "HTTP/1.1 200 OK", &fields, "ok");
}

// Codes 0 to 5, over HTTP.

#[test]
fn transport_missing() {
    expect_refused("GET", "EIO=4", 0);
}

#[test]
fn transport_empty() {
    expect_refused("GET", "EIO=4&transport=", 0);
}

#[test]
fn transport_in_capitals() {
    expect_refused("GET", "EIO=4&transport=Polling", 0);
}

#[test]
fn transport_named_like_a_property() {
    expect_refused("GET", "EIO=4&transport=__proto__", 0);
    expect_refused("GET", "EIO=4&transport=constructor", 0);
}

#[test]
fn transport_webtransport() {
    expect_refused("GET", "EIO=4&transport=webtransport", 0);
}

#[test]
fn transport_repeated_the_last_counts() {
    expect_refused("GET", "EIO=4&transport=polling&transport=abc", 0);
}

#[test]
fn sid_unknown() {
    expect_refused("GET", "EIO=4&transport=polling&sid=abc", 1);
    expect_refused("POST", "EIO=4&transport=polling&sid=abc", 1);
}

#[test]
fn sid_named_like_a_property() {
    expect_refused("GET", "EIO=4&transport=polling&sid=__proto__", 1);
}

#[test]
fn sid_of_the_right_length_unknown() {
    let mut session = polling();
    let forged: String = session.sid.chars().rev().collect();
    assert_ne!(forged, session.sid);
    expect_refused("GET", &format!("EIO=4&transport=polling&sid={forged}"), 1);
    expect_alive(&mut session);
}

#[test]
fn sid_empty_is_a_handshake() {
    expect_refused("POST", "EIO=4&transport=polling&sid=", 2);
}

#[test]
fn handshake_by_another_method() {
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        expect_refused(method, OPEN, 2);
    }
}

#[test]
fn handshake_by_options_without_cors() {
    expect_refused("OPTIONS", OPEN, 2);
}

#[test]
fn handshake_by_head_has_no_body() {
    let mut http = target().http();
    http.send("HEAD", &target().url(OPEN), &[], b"");
    let length = format!("content-length: {}", error_body(2).len());
    let wanted = ["HTTP/1.1 400 Bad Request", &length, "content-type: application/json"];
    assert_eq!(http.answer_head().head(), wanted);
    // Were there a body, it would now stand where the next status line is read.
    expect_error(&http.get(&target().url("EIO=4")), 0);
}

#[test]
fn websocket_without_an_upgrade() {
    expect_refused("GET", "EIO=4&transport=websocket", 3);
}

#[test]
fn websocket_without_an_upgrade_for_a_polling_session() {
    let mut session = polling();
    let url = session.url("websocket");
    expect_error(&session.http.get(&url), 3);
    expect_alive(&mut session);
}

#[test]
fn polling_for_a_websocket_session() {
    let session = polling();
    let mut socket = session.probe();
    socket.text("5");
    socket.text("4hello");
    socket.expect_text("4hello");
    for method in ["GET", "POST"] {
        expect_error(&target().http().call(method, &session.poll_url()), 3);
    }
    socket.text("4still");
    socket.expect_text("4still");
}

#[test]
fn another_revision_than_the_session() {
    let mut session = polling();
    let query = format!("EIO=3&transport=polling&sid={}", session.sid);
    expect_error(&session.http.get(&target().url(&query)), 3);
    expect_upgrade_refused(
        &format!("EIO=3&transport=websocket&sid={}", session.sid),
        &UPGRADE,
        "Bad request",
    );
    expect_alive(&mut session);
}

#[test]
fn forbidden_by_the_application() {
    let mut http = target().http();
    let answer = http.get(&target().url("EIO=4&transport=polling&forbidden=1"));
    let fields = ["content-type: application/json"];
    expect_answer(&answer, "HTTP/1.1 403 Forbidden", &fields, &error_body(4));
    assert_eq!(http.get(&target().url(OPEN)).status, 200);
}

#[test]
fn the_application_is_asked_for_handshakes_only() {
    let mut session = polling();
    session.post("4hello");
    let url = format!("{}&forbidden=1", session.poll_url());
    expect_poll(&session.http.get(&url), "4hello");
}

#[test]
fn revision_missing_or_not_4() {
    for eio in ["", "EIO=", "EIO=3", "EIO=5", "EIO=04", "EIO=abc", "eio=4"] {
        expect_refused("GET", &format!("{eio}&transport=polling"), 5);
    }
}

// The order in which requests are verified.

#[test]
fn a_bad_transport_beats_an_unknown_sid() {
    expect_refused("GET", "EIO=4&transport=abc&sid=abc", 0);
}

#[test]
fn an_unknown_sid_beats_the_method() {
    expect_refused("PUT", "EIO=4&transport=polling&sid=abc", 1);
}

#[test]
fn the_method_beats_a_missing_upgrade() {
    expect_refused("POST", "EIO=4&transport=websocket", 2);
}

#[test]
fn the_method_beats_the_revision() {
    expect_refused("POST", "EIO=3&transport=polling", 2);
}

#[test]
fn a_missing_upgrade_beats_the_revision() {
    expect_refused("GET", "EIO=3&transport=websocket", 3);
}

#[test]
fn the_application_beats_the_revision() {
    let mut http = target().http();
    let answer = http.get(&target().url("EIO=3&transport=polling&forbidden=1"));
    assert_eq!((answer.status, answer.text()), (403, &*error_body(4)));
}

// Requests of a session.

#[test]
fn a_method_that_polling_does_not_know() {
    let mut session = polling();
    let url = session.poll_url();
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        expect_empty(&session.http.call(method, &url), "HTTP/1.1 500 Internal Server Error");
    }
    expect_alive(&mut session);
}

#[test]
fn head_of_a_session() {
    let mut session = polling();
    let url = session.poll_url();
    session.http.send("HEAD", &url, &[], b"");
    let wanted = ["HTTP/1.1 500 Internal Server Error", "content-length: 0"];
    assert_eq!(session.http.answer_head().head(), wanted);
    expect_alive(&mut session);
}

#[test]
fn a_second_poll_behind_the_first() {
    let mut session = polling();
    let url = session.poll_url();
    session.http.send("GET", &url, &[], b"");
    session.http.send("GET", &url, &[], b"");
    expect_poll(&session.http.answer(), "1");
    expect_empty(&session.http.answer(), "HTTP/1.1 400 Bad Request");
    session.expect_gone();
}

/// `100 Continue` shows that the server waits for the body of the first.
#[test]
fn a_second_post_beside_the_first() {
    let session = polling();
    let (mut first, mut second) = (target().http(), target().http());
    let url = session.poll_url();
    let whole = request("POST", &url, &["Expect: 100-continue"], b"4hello");
    first.wire().send(&whole[..whole.len() - "4hello".len()]);
    assert_eq!(first.answer().status, 100);
    expect_empty(&second.post(&url, "4world"), "HTTP/1.1 400 Bad Request");
    first.expect_end();
    session.expect_gone();
}

#[test]
fn a_post_of_the_largest_size() {
    let mut session = polling();
    let payload = format!("4{}", "x".repeat(BODY_BYTES_MAX - 1));
    session.post(&payload);
    session.expect(&payload);
}

/// The answer comes with the first byte too many; the rest is read and dropped.
#[test]
fn a_post_too_large() {
    let mut session = polling();
    let body = vec![b'4'; BODY_BYTES_MAX + 2];
    let whole = request("POST", &session.poll_url(), &[], &body);
    let (most, last) = whole.split_at(whole.len() - 1);
    session.http.wire().send(most);
    expect_empty(&session.http.answer(), "HTTP/1.1 413 Content Too Large");
    session.http.wire().send(last);
    expect_alive(&mut session);
}

#[test]
fn a_post_too_large_in_chunks() {
    let mut session = polling();
    let url = session.poll_url();
    let head = format!("POST {url} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = format!("{:x}\r\n{}\r\n", 100_000, "4".repeat(100_000));
    let wire = session.http.wire();
    wire.send(head.as_bytes());
    wire.send(chunk.repeat(11).as_bytes());
    expect_empty(&session.http.answer(), "HTTP/1.1 413 Content Too Large");
    session.http.wire().send(b"0\r\n\r\n");
    expect_alive(&mut session);
}

#[test]
fn a_post_of_octets() {
    let mut session = polling();
    let url = session.poll_url();
    session.http.send("POST", &url, &["Content-Type: application/octet-stream"], b"4hello");
    expect_empty(&session.http.answer(), "HTTP/1.1 400 Bad Request");
    session.expect_gone();
}

#[test]
fn a_post_of_octets_with_a_parameter_is_text() {
    let mut session = polling();
    let url = session.poll_url();
    let octets = "Content-Type: application/octet-stream; charset=x";
    session.http.send("POST", &url, &[octets], b"4hello");
    expect_ok(&session.http.answer());
    session.expect("4hello");
}

#[test]
fn an_aborted_post() {
    let session = polling();
    let mut http = target().http();
    let whole = request("POST", &session.poll_url(), &[], b"4hello");
    http.wire().send(&whole[..whole.len() - 1]);
    http.wire().finish();
    http.wire().take_rest("end of the connection");
    session.expect_gone();
}

#[test]
fn a_payload_that_does_not_parse() {
    expect_payload_ends("abc", "1");
    expect_payload_ends("7", "1");
}

#[test]
fn a_payload_without_a_packet() {
    expect_payload_ends("", "1");
}

#[test]
fn a_payload_that_goes_wrong_ends_the_session() {
    // What stands before is delivered; its echo comes too late, for a payload is one turn.
    expect_payload_ends("4hello\x1eabc", "1");
    expect_payload_ends("4hello\x1e", "1");
}

#[test]
fn a_ping_from_the_client() {
    expect_payload_ends("2", "1");
    expect_text_ends("2");
}

#[test]
fn a_close_by_post() {
    expect_payload_ends("1", "6");
    expect_payload_ends("1\x1e4hello", "6");
}

#[test]
fn packets_that_an_open_session_ignores() {
    let mut session = polling();
    session.post("0\x1e5\x1e6\x1e4hello");
    session.expect("4hello");
    let mut socket = websocket();
    for packet in ["0", "5", "6", "4hello"] {
        socket.text(packet);
    }
    socket.expect_text("4hello");
}

// Requests that are no business of the engine's, and requests that are none.

#[test]
fn another_path() {
    let mut http = target().http();
    for path in ["/", "/elsewhere", "/Engine.io/?EIO=4&transport=polling", "/engine.io?EIO=4"] {
        expect_empty(&http.get(path), "HTTP/1.1 404 Not Found");
    }
}

#[test]
fn an_upgrade_on_another_path_ends_without_a_byte() {
    let mut http = target().http();
    http.send("GET", "/elsewhere?EIO=4&transport=websocket", &UPGRADE, b"");
    http.expect_end();
}

#[test]
fn a_head_too_large() {
    let mut http = target().http();
    let padded = |len| target().url(&format!("EIO=4&transport=abc&x={}", "x".repeat(len)));
    expect_error(&http.get(&padded(15_000)), 0);
    let answer = http.get(&padded(17_000));
    let status_line = "HTTP/1.1 431 Request Header Fields Too Large";
    expect_answer(&answer, status_line, &["connection: close"], "");
    http.expect_end();
}

#[test]
fn a_request_that_is_none() {
    let mut http = target().http();
    http.wire().send(b"GET / HTP/1.1\r\n\r\n");
    let answer = http.answer();
    expect_answer(&answer, "HTTP/1.1 400 Bad Request", &["connection: close"], "");
    http.expect_end();
}

#[test]
fn a_control_byte_in_the_origin() {
    for byte in ["\x01", "\x7f"] {
        let mut http = target().http();
        http.send("GET", &target().url(OPEN), &[&format!("Origin: http://a{byte}b")], b"");
        let answer = http.answer();
        expect_answer(&answer, "HTTP/1.1 400 Bad Request", &["connection: close"], "");
        http.expect_end();
    }
}

#[test]
fn a_client_that_wants_the_connection_closed() {
    let fields = ["connection: close", "content-type: application/json"];
    let url = target().url("EIO=4");
    for head in [
        format!("GET {url} HTTP/1.0\r\n\r\n"),
        format!("GET {url} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
    ] {
        let mut http = target().http();
        http.wire().send(head.as_bytes());
        expect_answer(&http.answer(), "HTTP/1.1 400 Bad Request", &fields, &error_body(0));
        http.expect_end();
    }
}

// Upgrades.

#[test]
fn upgrade_of_an_unknown_transport() {
    for query in ["EIO=4", "EIO=4&transport=abc", "EIO=4&transport=webtransport"] {
        expect_upgrade_refused(query, &UPGRADE, message(0));
    }
}

#[test]
fn upgrade_of_an_unknown_sid() {
    expect_upgrade_refused("EIO=4&transport=websocket&sid=abc", &UPGRADE, message(1));
}

#[test]
fn upgrade_by_post() {
    let mut http = target().http();
    http.send("POST", &target().url("EIO=4&transport=websocket"), &UPGRADE, b"");
    let answer = http.answer();
    expect_closing(http, &answer, &[], message(2));
}

/// The status is 400 here too.
#[test]
fn upgrade_forbidden_by_the_application() {
    expect_upgrade_refused("EIO=4&transport=websocket&forbidden=1", &UPGRADE, message(4));
}

#[test]
fn upgrade_of_another_revision() {
    for query in ["transport=websocket", "EIO=3&transport=websocket"] {
        expect_upgrade_refused(query, &UPGRADE, message(5));
    }
}

#[test]
fn upgrade_with_a_bad_version() {
    let [connection, upgrade, _, key] = UPGRADE;
    let text = "Missing or invalid Sec-WebSocket-Version header";
    for fields in [
        &[connection, upgrade, key][..],
        &[connection, upgrade, key, "Sec-WebSocket-Version: 12"],
        &[connection, upgrade, key, "Sec-WebSocket-Version: x"],
    ] {
        let url = target().url("EIO=4&transport=websocket");
        let (http, answer) = ws::upgrade(calm_addr(), &url, fields);
        expect_closing(http, &answer, &["sec-websocket-version: 13, 8"], text);
    }
}

#[test]
fn upgrade_with_a_bad_key() {
    let [connection, upgrade, version, _] = UPGRADE;
    let text = "Missing or invalid Sec-WebSocket-Key header";
    for fields in [
        &[connection, upgrade, version][..],
        &[connection, upgrade, version, "Sec-WebSocket-Key: c2hvcnQ="],
        &[connection, upgrade, version, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ!="],
    ] {
        expect_upgrade_refused("EIO=4&transport=websocket", fields, text);
    }
}

#[test]
fn upgrade_to_something_else() {
    let [connection, _, version, key] = UPGRADE;
    let fields = [connection, "Upgrade: h2c", version, key];
    expect_upgrade_refused("EIO=4&transport=websocket", &fields, "Invalid Upgrade header");
}

#[test]
fn upgrade_that_says_polling() {
    WebSocket::open(calm_addr(), &target().url(OPEN)).expect_close(None);
}

/// Who knows the id of a session must not get its place.
#[test]
fn upgrade_of_a_session_that_began_on_websocket() {
    let url = target().url("EIO=4&transport=websocket");
    let mut first = WebSocket::open(calm_addr(), &url);
    let Message::Text(open) = first.next() else { panic!("the handshake is text") };
    let sid = open.split('"').nth(3).expect("the first value is the id");
    let mut second = WebSocket::open(calm_addr(), &format!("{url}&sid={sid}"));
    second.expect_close(None);
    first.text("4hello");
    first.expect_text("4hello");
}

#[test]
fn a_candidate_that_does_not_probe() {
    for packet in ["4hello", "2", "3", "abc"] {
        let mut session = polling();
        let mut socket = WebSocket::open(calm_addr(), &session.url("websocket"));
        socket.text(packet);
        socket.expect_close(None);
        expect_alive(&mut session);
        session.probe();
    }
}

// What ends a WebSocket.

#[test]
fn a_message_that_does_not_parse() {
    for text in ["", "7", "abc"] {
        expect_text_ends(text);
    }
}

/// The reference ignores it and leaves the end to the heartbeat.
#[test]
fn a_close_packet_over_websocket_is_heeded_at_once() {
    expect_text_ends("1");
}

#[test]
fn a_message_of_the_largest_size() {
    let mut socket = websocket();
    let text = format!("4{}", "x".repeat(BODY_BYTES_MAX - 1));
    socket.text(&text);
    socket.expect_text(&text);
}

#[test]
fn a_message_too_large() {
    let mut socket = websocket();
    socket.text(&format!("4{}", "x".repeat(BODY_BYTES_MAX)));
    socket.expect_close(Some(1009));
}

#[test]
fn a_message_too_large_in_fragments() {
    let mut socket = websocket();
    socket.frame(0x01, format!("4{}", "x".repeat(BODY_BYTES_MAX - 1)).as_bytes());
    socket.frame(0x80, b"x");
    socket.expect_close(Some(1009));
}

#[test]
fn a_message_that_is_not_utf_8() {
    let mut socket = websocket();
    socket.frame(TEXT, b"4\xff");
    socket.expect_close(Some(1007));
}

#[test]
fn a_frame_with_a_reserved_bit_or_opcode() {
    for first in [TEXT | 0x40, TEXT | 0x20, TEXT | 0x10, 0x83, 0x8b] {
        let mut socket = websocket();
        socket.frame(first, b"4hello");
        socket.expect_close(Some(1002));
    }
}

#[test]
fn a_frame_without_a_mask() {
    let mut socket = websocket();
    socket.wire().send(b"\x81\x064hello");
    socket.expect_close(Some(1002));
}
