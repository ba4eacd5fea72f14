//! The Socket.IO v5 suite, 32 cases: the first 16 are of the engine below, on another path.

use crate::common::ws::{Message, WebSocket};
use crate::server::socketio_addr;
use crate::session::next_message;
use crate::session::{self, Polling, Target, expect_closed, expect_id, expect_message};

fn target() -> Target {
    Target { addr: socketio_addr(), path: "/socket.io/" }
}

/// A session upgraded to WebSocket. The CONNECT's answer shows that the `5` has been read.
fn upgraded() -> (Polling, WebSocket) {
    let session = target().suite_polling();
    let mut socket = session.probe();
    socket.text("5");
    connect(&mut socket, "", "", "{}");
    (session, socket)
}

/// A socket of the main namespace, admitted.
#[track_caller]
fn connected() -> WebSocket {
    let mut socket = target().suite_websocket();
    connect(&mut socket, "", "", "{}");
    socket
}

/// CONNECT to `namespace` (`""` or `/name,`) with `payload`: the answer, then `auth` as heard.
#[track_caller]
fn connect(socket: &mut WebSocket, namespace: &str, payload: &str, heard: &str) {
    socket.text(&format!("40{namespace}{payload}"));
    expect_connected(socket, namespace, heard);
}

#[track_caller]
fn expect_connected(socket: &mut WebSocket, namespace: &str, heard: &str) {
    let Message::Text(packet) = next_message(socket) else { panic!("CONNECT is text") };
    let sid = packet
        .strip_prefix(&*format!(r#"40{namespace}{{"sid":""#))
        .and_then(|rest| rest.strip_suffix(r#""}"#))
        .unwrap_or_else(|| panic!("not a CONNECT to {namespace:?}: {packet}"));
    expect_id(sid);
    expect_message(socket, &format!(r#"42{namespace}["auth",{heard}]"#));
}

/// Sends a packet with two attachments and takes one back. Both are given up to the places of
/// the attachments, which come last.
#[track_caller]
fn expect_attachments(sent: &str, received: &str) {
    const PLACES: &str = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let mut socket = connected();
    socket.text(&format!("{sent}{PLACES}"));
    socket.binary(&[1, 2, 3]);
    socket.binary(&[4, 5, 6]);
    expect_message(&mut socket, &format!("{received}{PLACES}"));
    assert_eq!(next_message(&mut socket), Message::Binary(vec![1, 2, 3]));
    assert_eq!(next_message(&mut socket), Message::Binary(vec![4, 5, 6]));
}

/// An admitted client that sends this is cut off.
#[track_caller]
fn expect_fatal(packet: &str) {
    let mut socket = connected();
    socket.text(packet);
    expect_closed(&mut socket);
}

#[test]
fn handshake_polling_should_successfully_open_a_session() {
    session::polling_opens_a_session(target());
}

#[test]
fn handshake_polling_should_fail_with_an_invalid_eio_query_parameter() {
    session::polling_fails_with_an_invalid_eio(target());
}

#[test]
fn handshake_polling_should_fail_with_an_invalid_transport_query_parameter() {
    session::polling_fails_with_an_invalid_transport(target());
}

#[test]
fn handshake_polling_should_fail_with_an_invalid_request_method() {
    session::polling_fails_with_an_invalid_method(target());
}

#[test]
fn handshake_websocket_should_successfully_open_a_session() {
    session::websocket_opens_a_session(target());
}

#[test]
fn handshake_websocket_should_fail_with_an_invalid_eio_query_parameter() {
    session::websocket_fails_with_an_invalid_eio(target());
}

#[test]
fn handshake_websocket_should_fail_with_an_invalid_transport_query_parameter() {
    session::websocket_fails_with_an_invalid_transport(target());
}

/// The timeout for CONNECT, 1 s, leaves room for three pings.
#[test]
fn heartbeat_polling_should_send_ping_pong_packets() {
    session::polling_pings(target());
}

#[test]
fn heartbeat_polling_should_close_the_session_upon_ping_timeout() {
    session::polling_closes_upon_ping_timeout(target());
}

#[test]
fn heartbeat_websocket_should_send_ping_pong_packets() {
    session::websocket_pings(target());
}

#[test]
fn heartbeat_websocket_should_close_the_session_upon_ping_timeout() {
    session::websocket_closes_upon_ping_timeout(target());
}

#[test]
fn close_polling_should_forcefully_close_the_session() {
    session::polling_closes(target());
}

#[test]
fn close_websocket_should_forcefully_close_the_session() {
    session::websocket_closes(target());
}

#[test]
fn upgrade_should_successfully_upgrade_from_polling_to_websocket() {
    upgraded();
}

#[test]
fn upgrade_should_ignore_http_requests_with_same_sid_after_upgrade() {
    let (session, mut socket) = upgraded();
    session::upgrade_ignores_polling(&session);
    connect(&mut socket, "/custom,", "", "{}");
}

#[test]
fn upgrade_should_ignore_websocket_connection_with_same_sid_after_upgrade() {
    let (session, mut socket) = upgraded();
    session::upgrade_ignores_websocket(&session);
    connect(&mut socket, "/custom,", "", "{}");
}

#[test]
fn connect_should_allow_connection_to_the_main_namespace() {
    connect(&mut target().suite_websocket(), "", "", "{}");
}

#[test]
fn connect_should_allow_connection_to_the_main_namespace_with_a_payload() {
    let token = r#"{"token":"123"}"#;
    connect(&mut target().suite_websocket(), "", token, token);
}

#[test]
fn connect_should_allow_connection_to_a_custom_namespace() {
    connect(&mut target().suite_websocket(), "/custom,", "", "{}");
}

#[test]
fn connect_should_allow_connection_to_a_custom_namespace_with_a_payload() {
    let token = r#"{"token":"abc"}"#;
    connect(&mut target().suite_websocket(), "/custom,", token, token);
}

#[test]
fn connect_should_disallow_connection_to_an_unknown_namespace() {
    let mut socket = target().suite_websocket();
    socket.text("40/random");
    expect_message(&mut socket, r#"44/random,{"message":"Invalid namespace"}"#);
}

#[test]
fn connect_should_disallow_connection_with_an_invalid_handshake() {
    let mut socket = target().suite_websocket();
    socket.text("4abc");
    expect_closed(&mut socket);
}

/// Pongs keep the heartbeat content, so that it is the missing CONNECT that ends the session.
#[test]
fn connect_should_close_the_connection_if_no_handshake_is_received() {
    let mut socket = target().suite_websocket();
    assert_eq!(next_message(&mut socket), Message::Close(None));
}

#[test]
fn disconnect_should_disconnect_from_the_main_namespace() {
    let mut socket = connected();
    socket.text("41");
    socket.expect_text("2");
}

/// CONNECT and DISCONNECT do without the comma where nothing follows it.
#[test]
fn disconnect_should_connect_then_disconnect_from_a_custom_namespace() {
    let mut socket = connected();
    socket.expect_text("2");
    socket.text("3");
    socket.text("40/custom");
    expect_connected(&mut socket, "/custom,", "{}");
    socket.text("41/custom");
    socket.text(r#"42["message","message to main namespace"]"#);
    expect_message(&mut socket, r#"42["message-back","message to main namespace"]"#);
}

#[test]
fn message_should_send_a_plain_text_packet() {
    let mut socket = connected();
    socket.text(r#"42["message",1,"2",{"3":[true]}]"#);
    expect_message(&mut socket, r#"42["message-back",1,"2",{"3":[true]}]"#);
}

#[test]
fn message_should_send_a_packet_with_binary_attachments() {
    expect_attachments(r#"452-["message","#, r#"452-["message-back","#);
}

#[test]
fn message_should_send_a_plain_text_packet_with_an_ack() {
    let mut socket = connected();
    socket.text(r#"42456["message-with-ack",1,"2",{"3":[false]}]"#);
    expect_message(&mut socket, r#"43456[1,"2",{"3":[false]}]"#);
}

#[test]
fn message_should_send_a_packet_with_binary_attachments_and_an_ack() {
    expect_attachments(r#"452-789["message-with-ack","#, "462-789[");
}

#[test]
fn message_should_close_the_connection_upon_an_unknown_packet_type() {
    expect_fatal("4abc");
}

#[test]
fn message_should_close_the_connection_upon_an_invalid_payload_format() {
    expect_fatal("42{}");
}

#[test]
fn message_should_close_the_connection_upon_an_invalid_ack_id() {
    expect_fatal(r#"42abc["message-with-ack",1,"2",{"3":[false]}]"#);
}
