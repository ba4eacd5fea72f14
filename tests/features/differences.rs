//! Differences from the reference that no feature's test shows: see `parlor::guide::differences`.

use std::time::Duration;

use parlor::{App, Config, ConnId, HandshakeToken, SendStatus, admit};

use crate::lab::{Lab, Log, frame};

#[test]
fn a_volatile_packet_too_large_for_the_cork_is_dropped_behind_unflushed_bytes() {
    let mut lab = Lab::new(App::new());
    let conn = lab.connected();
    let (id, now) = (lab.id(1), lab.now());
    // Turns whose bytes the driver has not tried to write yet.
    let mut emit = |volatile: bool, len: usize| {
        lab.node.run(now, |root| {
            let socket = root.socket(id);
            let socket = if volatile { socket.volatile() } else { socket };
            socket.emit("x", "y".repeat(len))
        })
    };
    assert_eq!(emit(true, 100_000), SendStatus::Backlogged { bytes: 100_020 }, "nothing waits");
    assert_eq!(emit(true, 1), SendStatus::Dropped);
    lab.run(|_root| {});
    assert_eq!(lab.said(conn).len(), 1);
    let mut emit = |volatile: bool, len: usize| {
        lab.node.run(now, |root| {
            let socket = root.socket(id);
            let socket = if volatile { socket.volatile() } else { socket };
            socket.emit("x", "y".repeat(len))
        })
    };
    assert_eq!([emit(false, 1), emit(true, 1_000)], [SendStatus::Sent; 2]);
    assert_eq!(emit(true, 16_000), SendStatus::Dropped);
    assert_eq!(lab.node.stats().volatile_cork, 2);
}

#[test]
fn a_disconnect_counts_before_a_close_in_the_same_payload() {
    let mut app = App::with_state(Log::new());
    app.of("/")
        .on("e", |cx, n: u32| cx.state.push(n.to_string()))
        .on_disconnect(|cx, why, _| cx.state.push(why.to_string()));
    let mut lab = Lab::new(app);
    let session = lab.polling_connected();
    assert_eq!(lab.post(&session, "42[\"e\",1]\x1e41\x1e1"), ["200 ok"]);
    assert_eq!(lab.log(), ["1", "client namespace disconnect"]);
    let conn = lab.connected();
    lab.texts(conn, &[r#"42["e",2]"#, "1"]);
    assert_eq!(lab.log(), ["2", "transport close"], "what was said before the end is heard");
}

#[test]
fn a_client_that_goes_before_its_handshake_is_decided_has_no_session() {
    let mut app = App::with_state(None::<HandshakeToken>);
    app.on_handshake(|root, asked| {
        let (token, later) = asked.later();
        *root.state = Some(token);
        later
    });
    let mut lab = Lab::new(app);
    type Leave = fn(&mut Lab<Option<HandshakeToken>>, ConnId);
    for leave in [Lab::lose as Leave, Lab::finish] {
        let conn = lab.connect();
        lab.request(conn, "GET", "?EIO=4&transport=polling", &[], "");
        leave(&mut lab, conn);
        lab.run(|root| {
            let token = root.state.take().expect("it was asked");
            root.decide_handshake(token, admit());
        });
        assert_eq!(lab.node.server().sessions(), 0);
    }
    assert_eq!(lab.node.poll_timeout(), None);
}

#[test]
fn a_poll_answer_lost_with_its_connection_ends_the_session() {
    let mut app = App::with_state(Log::new());
    app.engine()
        .on_message(|cx, message| cx.send(message))
        .on_close(|cx, why| cx.state.push(format!("{why:?}")));
    let mut lab = Lab::with(Config::engine(), app);
    let session = lab.polling();
    lab.post(&session, "4maybe lost");
    assert_eq!(lab.get(&session), ["200 4maybe lost"]);
    lab.lose(session.down);
    assert_eq!(lab.log(), ["TransportError(AnswerLost)"]);
    // An orderly end loses nothing.
    let session = lab.polling();
    lab.post(&session, "4heard");
    assert_eq!(lab.get(&session), ["200 4heard"]);
    lab.finish(session.down);
    assert_eq!(lab.log(), [""; 0]);
    assert_eq!(lab.post(&session, "4still there"), ["200 ok"]);
}

#[test]
fn an_ask_whose_client_goes_settles_then() {
    let mut app = App::with_state(Log::new());
    app.of("/").on_connect(|cx| {
        cx.ask("q", ())
            .timeout(Duration::from_secs(60))
            .then(|cx, answer: Result<(), parlor::AskError>| cx.state.push(format!("{answer:?}")));
    });
    let mut lab = Lab::new(app);
    let conn = lab.connected();
    lab.send(conn, frame(0x88, b""));
    assert_eq!(lab.log(), ["Err(Disconnected)"]);
}
