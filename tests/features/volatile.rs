//! J: what volatile means.

use std::time::Duration;

use parlor::{App, AskError, Bytes, SendStatus};

use crate::lab::{Lab, Log};

const MS: Duration = Duration::from_millis(1);

/// A volatile emit to the first socket, from outside: a turn of its own.
fn send(lab: &mut Lab<Log>, event: &str) -> SendStatus {
    let id = lab.id(1);
    lab.run(|root| root.socket(id).volatile().emit(event, ()))
}

fn lab() -> Lab<Log> {
    Lab::new(App::with_state(Log::new()))
}

#[test]
fn row_116_by_polling_a_volatile_packet_is_taken_by_a_parked_poll_or_not_at_all() {
    let mut lab = lab();
    let session = lab.polling_connected();
    assert_eq!(send(&mut lab, "none"), SendStatus::Dropped, "no GET is parked");
    assert_eq!(lab.get(&session), [""; 0], "and nothing was kept");
    assert_eq!(send(&mut lab, "parked"), SendStatus::Sent);
    assert_eq!(lab.said(session.down), [r#"200 42["parked"]"#]);
    assert_eq!(send(&mut lab, "between"), SendStatus::Dropped);
    assert_eq!(lab.get(&session), [""; 0]);
    let id = lab.id(1);
    let in_one_turn = lab.run(|root| {
        let volatile = root.socket(id).volatile();
        [volatile.emit("v1", ()), volatile.emit("v2", ()), root.socket(id).emit("n3", ())]
    });
    assert_eq!(in_one_turn, [SendStatus::Sent, SendStatus::Dropped, SendStatus::Sent]);
    assert_eq!(lab.said(session.down), [r#"200 42["v1"]"#]);
    assert_eq!(lab.get(&session), [r#"200 42["n3"]"#]);
    assert_eq!(lab.node.stats().volatile_no_poll, 3);
}

#[test]
fn row_116_by_websocket_a_volatile_packet_is_the_first_of_its_turn_or_none() {
    let mut lab = lab();
    let conn = lab.connected();
    let id = lab.id(1);
    let in_one_turn = lab.run(|root| {
        let (plain, volatile) = (root.socket(id), root.socket(id).volatile());
        [
            volatile.emit("v1", ()),
            volatile.emit("v2", ()),
            plain.emit("n3", ()),
            volatile.emit("v4", ()),
        ]
    });
    let (sent, dropped) = (SendStatus::Sent, SendStatus::Dropped);
    assert_eq!(in_one_turn, [sent, dropped, sent, dropped]);
    assert_eq!(lab.said(conn), [r#"42["v1"]"#, r#"42["n3"]"#]);
    assert_eq!([send(&mut lab, "v5"), send(&mut lab, "v6")], [sent; 2], "turns of their own");
    assert_eq!(lab.said(conn), [r#"42["v5"]"#, r#"42["v6"]"#]);
    lab.sleep(24_999);
    assert_eq!(send(&mut lab, "v7"), sent);
    lab.lose(conn);
    assert_eq!(send(&mut lab, "v8"), SendStatus::Gone);
    let stats = lab.node.stats();
    assert_eq!((stats.volatile_same_turn, stats.volatile_refused), (2, 0));
}

#[test]
fn row_116_a_server_says_beforehand_whether_a_volatile_packet_would_go() {
    let mut lab = lab();
    let session = lab.polling_connected();
    let id = lab.id(1);
    let asked = |lab: &Lab<Log>, id| lab.node.server().is_writable(id).ok();
    assert_eq!(asked(&lab, id), Some(false), "no GET is parked");
    lab.get(&session);
    assert_eq!(asked(&lab, id), Some(true));
    let conn = lab.connected();
    let id = lab.id(2);
    assert_eq!(asked(&lab, id), Some(true), "the turn of its CONNECT is over");
    lab.stall(conn);
    lab.run(|root| root.socket(id).emit("n", ()));
    lab.post(&session, "3");
    assert_eq!(asked(&lab, id), Some(false), "its kernel refuses");
    lab.lose(conn);
    assert_eq!(asked(&lab, id), None);
}

#[test]
fn row_117_a_volatile_packet_goes_whole_or_not_at_all() {
    let mut lab = lab();
    let session = lab.polling_connected();
    let id = lab.id(1);
    let text = r#"451-["b",{"_placeholder":true,"num":0}]"#;
    let emit = |lab: &mut Lab<Log>| {
        lab.run(|root| root.socket(id).volatile().emit("b", Bytes::from_static(&[1, 2, 3, 4])))
    };
    lab.get(&session);
    assert_eq!(emit(&mut lab), SendStatus::Sent);
    assert_eq!(lab.said(session.down), [format!("200 {text}\x1ebAQIDBA==")], "in one answer");
    assert_eq!(emit(&mut lab), SendStatus::Dropped);
    assert_eq!(lab.get(&session), [""; 0], "not even its attachment");
    let socket = lab.candidate(&session);
    lab.texts(socket, &["2probe", "5"]);
    assert_eq!(emit(&mut lab), SendStatus::Sent);
    assert_eq!(lab.said(socket), [text, "<bytes 01020304>"]);
    lab.stall(socket);
    lab.run(|root| root.socket(id).emit("n", ()));
    assert_eq!(emit(&mut lab), SendStatus::Dropped);
    lab.unstall(socket);
    assert_eq!(lab.said(socket), [r#"42["n"]"#]);
}

#[test]
fn row_118_a_volatile_packet_overtakes_nothing_and_nothing_overtakes_it() {
    let mut lab = lab();
    let session = lab.polling_connected();
    let id = lab.id(1);
    lab.run(|root| root.socket(id).emit("n1", ()));
    assert_eq!(send(&mut lab, "v2"), SendStatus::Dropped);
    lab.run(|root| root.socket(id).emit("n3", ()));
    assert_eq!(lab.get(&session), [r#"200 42["n1"]"#.to_owned() + "\x1e" + r#"42["n3"]"#]);
    lab.get(&session);
    let socket = lab.connected();
    let id = lab.id(2);
    lab.stall(socket);
    lab.run(|root| root.socket(id).emit("n1", ()));
    let dropped = lab.run(|root| root.socket(id).volatile().emit("v2", ()));
    lab.run(|root| root.socket(id).emit("n3", ()));
    lab.unstall(socket);
    assert_eq!(lab.said(socket), [r#"42["n1"]"#, r#"42["n3"]"#]);
    let sent = lab.run(|root| {
        let sent = root.socket(id).volatile().emit("v4", ());
        root.socket(id).emit("n5", ());
        sent
    });
    assert_eq!([dropped, sent], [SendStatus::Dropped, SendStatus::Sent]);
    assert_eq!(lab.said(socket), [r#"42["v4"]"#, r#"42["n5"]"#]);
}

#[test]
fn row_119_volatile_in_the_handler_of_a_connect_is_dropped() {
    let mut app = App::with_state(Log::new());
    app.of("/").on_connect(|cx| {
        let status = cx.volatile().emit("v", ());
        cx.state.push(format!("{status:?}"));
    });
    let mut lab = Lab::new(app);
    lab.connected();
    let session = lab.polling();
    lab.get(&session);
    lab.post(&session, "40");
    assert_eq!(lab.said(session.down), [r#"200 40{"sid":"s2"}"#]);
    assert_eq!(lab.log(), ["Dropped"; 2]);
}

#[test]
fn row_119_volatile_while_a_session_upgrades() {
    let mut lab = lab();
    let session = lab.polling_connected();
    lab.get(&session);
    let socket = lab.candidate(&session);
    assert_eq!(send(&mut lab, "v1"), SendStatus::Sent, "by polling, which still decides");
    lab.text(socket, "2probe");
    assert_eq!(lab.said(session.down), [r#"200 42["v1"]"#]);
    assert_eq!(send(&mut lab, "v2"), SendStatus::Dropped, "the idle candidate does not count");
    lab.get(&session);
    lab.sleep(100);
    assert_eq!(lab.said(session.down), ["200 6"]);
    assert_eq!(send(&mut lab, "v3"), SendStatus::Dropped, "the release took the poll");
    lab.text(socket, "5");
    assert_eq!(send(&mut lab, "v4"), SendStatus::Sent);
    assert_eq!(lab.said(socket), [r#"42["v4"]"#]);
}

/// A flush in the turn of the `5` makes it busy for that turn; an empty backlog does not.
#[test]
fn row_119_volatile_in_the_handler_of_an_upgrade() {
    for waits in [false, true] {
        let mut app = App::with_state(Log::new());
        app.of("/");
        app.engine().on_upgrade(|cx| {
            let found = cx.io().of("/").volatile().emit("v", ());
            cx.state.push(format!("{} {}", found.sent, found.dropped));
        });
        let mut lab = Lab::new(app);
        let session = lab.polling_connected();
        if waits {
            let id = lab.id(1);
            lab.run(|root| root.socket(id).emit("n", ()));
        }
        let socket = lab.candidate(&session);
        lab.text(socket, "2probe");
        let said = lab.text(socket, "5");
        let (wanted, status) = match waits {
            true => (r#"42["n"]"#, "0 1"),
            false => (r#"42["v"]"#, "1 0"),
        };
        assert_eq!((said, lab.log()), (vec![wanted.to_owned()], vec![status.to_owned()]));
    }
}

#[test]
fn row_119_volatile_to_a_kernel_that_refuses() {
    let mut lab = lab();
    let conn = lab.connected();
    lab.stall(conn);
    assert_eq!(send(&mut lab, "v1"), SendStatus::Sent, "nobody knew yet");
    assert_eq!(send(&mut lab, "v2"), SendStatus::Dropped);
    assert_eq!(send(&mut lab, "v3"), SendStatus::Dropped);
    lab.unstall(conn);
    assert_eq!(lab.said(conn), [r#"42["v1"]"#], "what was sent stays sent");
    assert_eq!(send(&mut lab, "v4"), SendStatus::Sent);
    assert_eq!(lab.node.stats().volatile_refused, 2);
}

#[test]
fn row_119_volatile_to_a_session_that_closes() {
    let mut app = App::with_state(Log::new());
    app.of("/").on_disconnect(|cx, _, _| {
        let status = cx.volatile().emit("v", ());
        cx.state.push(format!("{status:?}"));
    });
    let mut lab = Lab::new(app);
    let session = lab.polling_connected();
    let id = lab.id(1);
    lab.run(|root| root.socket(id).disconnect_session());
    assert_eq!(lab.get(&session), ["200 41"]);
    assert_eq!(lab.get(&session), ["200 6\x1e1"]);
    assert_eq!(lab.log(), ["Gone"]);
}

#[test]
fn row_120_each_recipient_of_a_volatile_broadcast_is_judged_alone() {
    let mut lab = lab();
    let (idle, refusing) = (lab.connected(), lab.connected());
    let (parked, absent) = (lab.polling_connected(), lab.polling_connected());
    lab.get(&parked);
    lab.stall(refusing);
    let id = lab.id(2);
    lab.run(|root| root.socket(id).emit("n", ()));
    let fanout = lab.run(|root| root.of("/").volatile().emit("v", ()));
    assert_eq!((fanout.sent, fanout.backlogged, fanout.dropped), (2, 0, 2));
    assert_eq!(lab.said(idle), [r#"42["v"]"#]);
    assert_eq!(lab.said(parked.down), [r#"200 42["v"]"#]);
    assert_eq!(lab.get(&absent), [""; 0]);
    lab.unstall(refusing);
    assert_eq!(lab.said(refusing), [r#"42["n"]"#]);
}

#[test]
fn row_121_a_volatile_ask_that_is_dropped_settles_at_once() {
    let mut app = App::with_state(Log::new());
    app.of("/").on("go", |cx, ()| {
        for n in 1..=2 {
            cx.volatile().ask("q", n).timeout(5 * MS).then(
                move |cx, answer: Result<i64, AskError>| {
                    cx.state.push(format!("{n} {answer:?}"));
                },
            );
        }
    });
    let mut lab = Lab::new(app);
    let conn = lab.connected();
    assert_eq!(lab.text(conn, r#"42["go"]"#), [r#"420["q",1]"#]);
    assert_eq!(lab.log(), ["2 Err(Dropped)"]);
    lab.text(conn, "430[7]");
    lab.texts(conn, &["431[8]", "430[9]"]);
    lab.sleep(5);
    assert_eq!(lab.log(), ["1 Ok(7)"]);
    assert_eq!(lab.node.stats().acks_unknown, 2);
}

#[test]
fn row_124_flags_do_not_reach_the_next_emit() {
    let mut lab = lab();
    let session = lab.polling_connected();
    let id = lab.id(1);
    lab.run(|root| {
        let socket = root.socket(id);
        let _unused = socket.volatile().compress(false);
        assert_eq!(socket.volatile().emit("lost", ()), SendStatus::Dropped);
        assert_eq!(socket.emit("kept", ()), SendStatus::Sent);
        let all = root.of("/");
        let _unused = all.clone().volatile();
        assert_eq!(all.emit("kept too", ()).sent, 1);
    });
    assert_eq!(lab.get(&session), [r#"200 42["kept"]"#.to_owned() + "\x1e" + r#"42["kept too"]"#]);
}

/// On one server without compression both change nothing but whom `local` leaves out: the sender.
#[test]
fn row_123_local_and_compress_are_flags_of_one_emit() {
    let mut app = App::with_state(Log::new());
    app.of("/").on("go", |cx, ()| {
        cx.compress(false).emit("own", ());
        cx.local().broadcast().emit("local", ());
        cx.io().of("/").local().compress(false).emit("all", ());
    });
    let mut lab = Lab::new(app);
    let (first, second) = (lab.connected(), lab.connected());
    assert_eq!(lab.text(first, r#"42["go"]"#), [r#"42["own"]"#, r#"42["all"]"#]);
    assert_eq!(lab.said(second), [r#"42["local"]"#, r#"42["all"]"#]);
}
