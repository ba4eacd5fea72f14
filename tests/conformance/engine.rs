//! The Engine.IO v4 suite, 25 cases: a server that echoes every message.

use crate::common::ws::{Message, WebSocket};
use crate::server::engine_addr;
use crate::session::{self, Polling, Target, expect_closed, expect_message};
use crate::session::{expect_poll, next_message};

fn target() -> Target {
    Target { addr: engine_addr(), path: "/engine.io/" }
}

/// A session upgraded to WebSocket. The echo shows that the `5` has been read.
fn upgraded() -> (Polling, WebSocket) {
    let session = target().suite_polling();
    let mut socket = session.probe();
    socket.text("5");
    expect_echo(&mut socket, "4first");
    (session, socket)
}

#[track_caller]
fn expect_echo(socket: &mut WebSocket, packet: &str) {
    socket.text(packet);
    expect_message(socket, packet);
}

#[test]
fn handshake_polling_successfully_opens_a_session() {
    session::polling_opens_a_session(target());
}

#[test]
fn handshake_polling_fails_with_an_invalid_eio_query_parameter() {
    session::polling_fails_with_an_invalid_eio(target());
}

#[test]
fn handshake_polling_fails_with_an_invalid_transport_query_parameter() {
    session::polling_fails_with_an_invalid_transport(target());
}

#[test]
fn handshake_polling_fails_with_an_invalid_request_method() {
    session::polling_fails_with_an_invalid_method(target());
}

#[test]
fn handshake_websocket_successfully_opens_a_session() {
    session::websocket_opens_a_session(target());
}

#[test]
fn handshake_websocket_fails_with_an_invalid_eio_query_parameter() {
    session::websocket_fails_with_an_invalid_eio(target());
}

#[test]
fn handshake_websocket_fails_with_an_invalid_transport_query_parameter() {
    session::websocket_fails_with_an_invalid_transport(target());
}

#[test]
fn message_polling_sends_and_receives_one_plain_text_packet() {
    let mut session = target().suite_polling();
    session.post("4hello");
    session.expect_message("4hello");
}

#[test]
fn message_polling_sends_and_receives_several_plain_text_packets() {
    let mut session = target().suite_polling();
    session.post("4test1\x1e4test2\x1e4test3");
    session.expect_message("4test1\x1e4test2\x1e4test3");
}

#[test]
fn message_polling_sends_and_receives_plain_text_and_binary_packets() {
    let mut session = target().suite_polling();
    session.post("4hello\x1ebAQIDBA==");
    session.expect_message("4hello\x1ebAQIDBA==");
}

/// The suite takes any answer to the POST; the reference says `ok`.
#[test]
fn message_polling_closes_the_session_upon_invalid_packet_format() {
    let mut session = target().suite_polling();
    session.post("abc");
    session.expect_gone();
}

/// Two connections: which GET comes first is the kernel's business, so either may be refused.
#[test]
fn message_polling_closes_the_session_upon_duplicate_poll_requests() {
    let mut session = target().suite_polling();
    let mut second = target().http();
    let url = session.poll_url();
    session.http.send("GET", &url, &[], b"");
    second.send("GET", &format!("{url}&t=burst"), &[], b"");
    let mut answers = [session.http.answer(), second.answer()];
    answers.sort_by_key(|answer| answer.status);
    expect_poll(&answers[0], "1");
    assert_eq!((answers[1].status, answers[1].text()), (400, ""));
    session.expect_gone();
}

/// The server ends the connection when it has seen the abort.
#[test]
fn message_polling_closes_the_session_upon_cancelled_polling_request() {
    let mut session = target().suite_polling();
    let url = session.poll_url();
    session.http.send("GET", &url, &[], b"");
    session.http.wire().finish();
    session.http.expect_end();
    session.expect_gone();
}

#[test]
fn message_websocket_sends_and_receives_a_plain_text_packet() {
    let mut socket = target().suite_websocket();
    expect_echo(&mut socket, "4hello");
}

#[test]
fn message_websocket_sends_and_receives_a_binary_packet() {
    let mut socket = target().suite_websocket();
    socket.binary(&[1, 2, 3, 4]);
    assert_eq!(next_message(&mut socket), Message::Binary(vec![1, 2, 3, 4]));
}

#[test]
fn message_websocket_closes_the_session_upon_invalid_packet_format() {
    let mut socket = target().suite_websocket();
    socket.text("abc");
    expect_closed(&mut socket);
}

#[test]
fn heartbeat_polling_sends_ping_pong_packets() {
    session::polling_pings(target());
}

#[test]
fn heartbeat_polling_closes_the_session_upon_ping_timeout() {
    session::polling_closes_upon_ping_timeout(target());
}

#[test]
fn heartbeat_websocket_sends_ping_pong_packets() {
    session::websocket_pings(target());
}

#[test]
fn heartbeat_websocket_closes_the_session_upon_ping_timeout() {
    session::websocket_closes_upon_ping_timeout(target());
}

#[test]
fn close_polling_forcefully_closes_the_session() {
    session::polling_closes(target());
}

#[test]
fn close_websocket_forcefully_closes_the_session() {
    session::websocket_closes(target());
}

#[test]
fn upgrade_successfully_upgrades_from_polling_to_websocket() {
    let mut session = target().suite_polling();
    let mut socket = session.probe();
    session.expect_message("6");
    socket.text("5");
    expect_echo(&mut socket, "4hello");
}

#[test]
fn upgrade_ignores_http_requests_with_same_sid_after_upgrade() {
    let (session, mut socket) = upgraded();
    session::upgrade_ignores_polling(&session);
    expect_echo(&mut socket, "4hello");
}

#[test]
fn upgrade_ignores_websocket_connection_with_same_sid_after_upgrade() {
    let (session, mut socket) = upgraded();
    session::upgrade_ignores_websocket(&session);
    expect_echo(&mut socket, "4hello");
}
