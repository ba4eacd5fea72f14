//! E, F, H and K: what a socket is told, from its CONNECT to its end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use parlor::{
    App, AskError, Bytes, Config, ConnectToken, Cx, DisconnectReason, SendStatus, admit, refuse,
    reply,
};
use serde_json::Value;

use crate::lab::{Lab, Log, frame};

const MS: Duration = Duration::from_millis(1);
const EVENT_OF_NOBODY: &[&str] = &["<close>", "<end>"];

/// Notes the coming and going of sockets in these namespaces.
fn noting(names: &[&str]) -> App<Log> {
    let mut app = App::with_state(Log::new());
    for name in names {
        app.of(name)
            .on_connect(|cx| note(cx, "connect"))
            .on_disconnecting(|cx, why| {
                let rooms = cx.rooms().len();
                note(cx, &format!("disconnecting {why}, {rooms} rooms"));
            })
            .on_disconnect(|cx, why, rooms| {
                note(cx, &format!("disconnect {why}, {} rooms", rooms.len()));
            })
            .on("e", |cx, ()| note(cx, "e"))
            .on("out", |cx, ()| cx.disconnect())
            .on("all out", |cx, ()| cx.disconnect_session());
    }
    app
}

fn note(cx: &mut Cx<'_, Log>, text: &str) {
    let line = format!("{} {} {text}", cx.namespace(), cx.id());
    cx.state.push(line);
}

#[test]
fn row_069_the_limit_of_attachments_is_configured() {
    for (max, fits) in [(10, true), (2, true), (1, false)] {
        let mut app = App::new();
        app.of("/").on("two", |_cx, (a, b): (Bytes, Bytes)| reply(a.len() + b.len()));
        let mut config = Config::default();
        config.limits.attachments_max = max;
        let mut lab = Lab::with(config, app);
        let conn = lab.connected();
        let places = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
        let said = lab.text(conn, &format!(r#"452-1["two",{places}]"#));
        match fits {
            true => {
                assert_eq!(lab.binary(conn, b"abc"), [""; 0]);
                assert_eq!(lab.binary(conn, b"d"), ["431[4]"]);
            }
            false => assert_eq!(said, ["<close>", "<end>"]),
        }
    }
}

#[test]
fn row_072_json_is_as_javascript_writes_it() {
    let mut app = App::new();
    app.of("/").on("go", |cx, ()| {
        cx.emit("x", (None::<u8>, f64::NAN, f64::INFINITY, -0.0, 1e21, 0.1, 1.0));
        cx.emit("é\u{1e}\"", "ÿ😀\u{1e}\u{7f}\n\\/\u{2028}");
        cx.emit("o", std::collections::BTreeMap::from([("k", None::<u8>)]));
    });
    let mut lab = Lab::new(app);
    let session = lab.polling_connected();
    lab.post(&session, r#"42["go"]"#);
    let wanted = [
        r#"42["x",null,null,null,0,1e+21,0.1,1]"#,
        "42[\"é\\u001e\\\"\",\"ÿ😀\\u001e\u{7f}\\n\\\\/\u{2028}\"]",
        r#"42["o",{"k":null}]"#,
    ];
    assert_eq!(lab.get(&session), [format!("200 {}", wanted.join("\x1e"))]);
}

#[test]
fn row_077_ids_are_random_and_unlike_the_secret_of_the_session() {
    let mut app = App::new();
    app.of("/a");
    let mut lab = Lab::new(app);
    let (conn, sid) = lab.websocket_sid("");
    let said = lab.texts(conn, &["40", "40/a,"]);
    assert_eq!(said, [r#"40{"sid":"s1"}"#, r#"40/a,{"sid":"s2"}"#]);
    let other = lab.websocket();
    lab.text(other, "40");
    let ids: Vec<_> = (1..=3).map(|n| lab.id(n).to_string()).collect();
    assert!(ids.iter().all(|id| id.len() == 20 && !sid.contains(&id[6..])), "{sid} {ids:?}");
    // The first characters are a place; the rest has nothing in common.
    assert!(ids[0][6..] != ids[1][6..] && ids[1][6..] != ids[2][6..] && ids[0][6..] != ids[2][6..]);
}

#[test]
fn row_078_a_client_that_joins_nothing_in_45_seconds_is_closed() {
    let config = Config {
        ping_interval: Duration::from_secs(500),
        decision_timeout: Some(Duration::from_secs(100)),
        ..Config::default()
    };
    let mut app = App::new();
    app.of("/").authorize(|cx, pass: Value| match pass["pass"].as_bool() {
        Some(true) => admit(),
        Some(false) => refuse("no"),
        None => cx.later().1,
    });
    let mut lab = Lab::with(config, app);
    let (silent, refused, pending, joined) =
        (lab.websocket(), lab.websocket(), lab.websocket(), lab.websocket());
    assert_eq!(lab.text(refused, r#"40{"pass":false}"#), [r#"44{"message":"no"}"#]);
    assert_eq!(lab.text(refused, "40/none,"), [r#"44/none,{"message":"Invalid namespace"}"#]);
    assert_eq!(lab.text(pending, "40"), [""; 0]);
    assert_eq!(lab.text(joined, r#"40{"pass":true}"#).len(), 1);
    lab.text(joined, "41");
    lab.sleep(44_999);
    assert_eq!([lab.said(silent), lab.said(refused), lab.said(pending)].concat(), [""; 0]);
    lab.sleep(1);
    for closed in [silent, refused, pending] {
        assert_eq!(lab.said(closed), ["<close>", "<end>"]);
    }
    lab.sleep(100_000);
    assert_eq!(lab.said(joined), [""; 0], "it stays, though it has left every namespace");
    let session = lab.polling();
    lab.get(&session);
    lab.sleep(45_000);
    assert_eq!(lab.said(session.down), ["200 1"]);
}

#[test]
fn row_080_authorize_in_order_of_registration_now_later_or_never() {
    let tokens = Arc::new(Mutex::new(Vec::<ConnectToken>::new()));
    let kept = Arc::clone(&tokens);
    let mut app = App::with_state(Log::new());
    app.of("/")
        .authorize(|cx, who: Value| {
            note(cx, "first");
            if who["who"] == "stopped" { refuse("stopped") } else { admit() }
        })
        .authorize(move |cx, ()| {
            note(cx, "second");
            let (token, verdict) = cx.later();
            kept.lock().expect("nobody panics with it").push(token);
            verdict
        })
        .authorize(|cx, ()| {
            note(cx, "third");
            admit()
        })
        .on_connect(|cx| note(cx, "connect"));
    let config = Config { decision_timeout: Some(5 * MS), ..Config::default() };
    let mut lab = Lab::with(config, app);
    let take = || tokens.lock().expect("nobody panics with it").pop().expect("it was asked");
    let stopped = lab.websocket();
    assert_eq!(lab.text(stopped, r#"40{"who":"stopped"}"#), [r#"44{"message":"stopped"}"#]);
    let strip = |log: Vec<String>| -> Vec<String> {
        log.iter().map(|line| line.rsplit(' ').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(strip(lab.log()), ["first"]);
    let later = lab.websocket();
    assert_eq!(lab.text(later, "40"), [""; 0]);
    assert_eq!(strip(lab.log()), ["first", "second"]);
    let token = take();
    lab.run(|root| root.decide(token, admit()));
    assert_eq!(lab.said(later), [r#"40{"sid":"s1"}"#]);
    assert_eq!(strip(lab.log()), ["third", "connect"]);
    // Refused later, after a try that was refused: it may try again.
    assert_eq!(lab.text(stopped, "40"), [""; 0]);
    let token = take();
    lab.run(|root| root.decide(token, refuse("after all").with(1)));
    assert_eq!(lab.said(stopped), [r#"44{"message":"after all","data":1}"#]);
    // Never decided.
    assert_eq!(lab.text(stopped, "40"), [""; 0]);
    lab.sleep(5);
    assert_eq!(lab.said(stopped), [r#"44{"message":"timed out"}"#]);
    let token = take();
    lab.run(|root| root.decide(token, admit()));
    assert_eq!((lab.said(stopped).len(), lab.node.stats().answers_gone), (0, 1));
}

#[test]
fn row_081_a_refusal_carries_its_message_and_data() {
    let mut app = App::new();
    app.of("/n").authorize(|_cx, how: Value| match how["how"].as_str() {
        Some("data") => refuse("mess\"age").with(serde_json::json!({ "code": 1 })),
        Some("bytes") => refuse("bytes").with(Bytes::from_static(b"x")),
        _ => refuse("plain"),
    });
    let mut lab = Lab::new(app);
    let conn = lab.websocket();
    for (how, said) in [
        ("data", r#"44/n,{"message":"mess\"age","data":{"code":1}}"#),
        ("bytes", r#"44/n,{"message":"bytes"}"#),
        ("", r#"44/n,{"message":"plain"}"#),
    ] {
        assert_eq!(lab.text(conn, &format!(r#"40/n,{{"how":"{how}"}}"#)), [said]);
    }
}

#[test]
fn row_083_a_socket_is_connected_from_its_connect_to_its_end() {
    fn told(cx: &mut Cx<'_, Log>, when: &str) {
        let listed = cx.io().of("/").sockets().len();
        let line = format!("{when}: {}, {listed} listed", cx.connected());
        cx.state.push(line);
    }
    let mut app = App::with_state(Log::new());
    app.of("/")
        .authorize(|cx, ()| {
            told(cx, "authorize");
            admit()
        })
        .on_connect(|cx| told(cx, "connect"))
        .on_disconnecting(|cx, _| told(cx, "disconnecting"))
        .on_disconnect(|cx, _, _| told(cx, "disconnect"));
    let mut lab = Lab::new(app);
    let conn = lab.connected();
    lab.text(conn, "41");
    let wanted = [
        "authorize: false, 0 listed",
        "connect: true, 1 listed",
        "disconnecting: false, 0 listed",
        "disconnect: false, 0 listed",
    ];
    assert_eq!(lab.log(), wanted);
}

#[test]
fn row_084_connect_goes_before_what_its_handlers_send_and_behind_what_authorize_sends() {
    let mut app = App::new();
    app.of("/n")
        .authorize(|cx, ()| {
            cx.emit("early", ());
            admit()
        })
        .on_connect(|cx| cx.emit("first", ()))
        .on_connect(|cx| cx.emit("second", ()));
    let mut lab = Lab::new(app);
    let conn = lab.websocket();
    let wanted =
        [r#"42/n,["early"]"#, r#"40/n,{"sid":"s1"}"#, r#"42/n,["first"]"#, r#"42/n,["second"]"#];
    assert_eq!(lab.text(conn, "40/n"), wanted);
}

#[test]
fn row_085_what_is_not_allowed_in_its_state_ends_the_session() {
    for packets in [
        &["40", "40"][..],               // CONNECT twice.
        &[r#"42["e"]"#],                 // Before CONNECT.
        &["41"],                         //
        &["431[]"],                      //
        &["40", r#"42/a,["e"]"#],        // In a namespace that it has not joined,
        &["40", "41/a,"],                //
        &["40", r#"42/none,["e"]"#],     // or that there is not.
        &["40", r#"44{"message":"x"}"#], // CONNECT_ERROR is the server's.
        &["40", "41", r#"42["e"]"#],     // After its own DISCONNECT.
    ] {
        let mut lab = Lab::new(noting(&["/", "/a"]));
        let conn = lab.websocket();
        let (last, before) = packets.split_last().expect("there is one");
        for packet in before {
            assert!(lab.text(conn, packet).iter().all(|line| line.starts_with("40")));
        }
        assert_eq!(lab.text(conn, last), EVENT_OF_NOBODY, "{packets:?}");
        assert_eq!(lab.node.stats().packets_bad, 1, "{packets:?}");
    }
}

#[test]
fn row_085_a_packet_while_connecting_ends_the_session() {
    let mut app = App::new();
    app.of("/slow").authorize(|cx, ()| cx.later().1);
    let mut lab = Lab::new(app);
    for packet in ["40/slow,", r#"42/slow,["e"]"#, "41/slow,"] {
        let conn = lab.websocket();
        assert_eq!(lab.text(conn, "40/slow,"), [""; 0]);
        assert_eq!(lab.text(conn, packet), ["<close>", "<end>"]);
    }
    // In one payload, too, whoever decides.
    let session = lab.polling();
    lab.get(&session);
    assert_eq!(lab.post(&session, "40\x1e42[\"e\"]"), ["200 ok"]);
    assert_eq!(lab.said(session.down), ["200 1"]);
}

#[test]
fn row_086_a_connect_sent_twice_at_once_makes_no_two_sockets() {
    let mut lab = Lab::new(noting(&["/"]));
    let conn = lab.websocket();
    assert_eq!(lab.texts(conn, &["40", "40"]), ["<close>", "<end>"]);
    let session = lab.polling();
    lab.get(&session);
    assert_eq!(lab.post(&session, "40\x1e40"), ["200 ok"]);
    assert_eq!(lab.said(session.down), ["200 1"]);
    assert_eq!(lab.log(), [""; 0], "not even one");
    assert_eq!(lab.node.stats().sockets_connected, 0);
}

#[test]
fn row_087_namespaces_of_one_session_have_lives_of_their_own() {
    let mut lab = Lab::new(noting(&["/", "/a", "/b"]));
    let conn = lab.connected();
    lab.texts(conn, &["40/a,", "40/b,"]);
    lab.text(conn, "41/a,");
    lab.text(conn, r#"42/b,["out"]"#);
    lab.text(conn, r#"42["e"]"#);
    let again = lab.text(conn, "40/a,");
    assert_eq!(again, [r#"40/a,{"sid":"s4"}"#], "under a new id");
    lab.lose(conn);
    let log = lab.log();
    let wanted = [
        "/ s1 connect",
        "/a s2 connect",
        "/b s3 connect",
        "/a s2 disconnecting client namespace disconnect, 1 rooms",
        "/a s2 disconnect client namespace disconnect, 1 rooms",
        "/b s3 disconnecting server namespace disconnect, 1 rooms",
        "/b s3 disconnect server namespace disconnect, 1 rooms",
        "/ s1 e",
        "/a s4 connect",
    ];
    assert_eq!(log[..9], wanted);
    assert_eq!(log[9..].iter().filter(|line| line.contains("transport close")).count(), 4);
}

#[test]
fn row_088_the_handshake_as_handlers_see_it() {
    let mut app = App::with_state(Log::new());
    app.of("/n").on_connect(|cx| {
        let head = cx.handshake().expect("its session is open");
        let header = |name| head.header(name).map(String::from_utf8_lossy);
        let seen = format!(
            "{} {} {:?} {:?} {:?} {:?}",
            head.method(),
            head.target(),
            head.query("a"),
            head.query("EIO"),
            header("x-mine"),
            header("origin"),
        );
        cx.state.push(seen);
        let auth: Value = cx.auth().expect("any JSON is a value");
        let address = cx.address().expect("its session is open");
        let text = format!("{address} {auth} {:?}", cx.transport());
        cx.state.push(text);
    });
    let mut lab = Lab::new(app);
    let conn = lab.connect();
    let fields = ["X-Mine: yes", "Origin: http://o"];
    let target = "?EIO=4&transport=polling&a=b%20c";
    let open = lab.request(conn, "GET", target, &fields, "");
    let sid = open[0].split('"').nth(3).expect("an open packet").to_owned();
    let session = crate::lab::Polling { sid, down: conn, up: conn };
    lab.post(&session, "40/n,{\"t\":[1]}");
    let log = lab.log();
    assert_eq!(
        log[0],
        "GET /socket.io/?EIO=4&transport=polling&a=b%20c Some(\"b c\") Some(\"4\") \
         Some(\"yes\") Some(\"http://o\")"
    );
    assert_eq!(log[1], r#"192.0.2.1:4000 {"t":[1]} Some(Polling)"#);
    let socket = lab.run(|root| root.of("/n").sockets())[0];
    let server = lab.node.server();
    let issued = server.session_of(socket).and_then(|session| server.issued_unix_ms(session));
    assert_eq!(issued, Some(1_700_000_000_000));
    // Without a payload, auth is an empty object.
    let mut app = App::with_state(Log::new());
    app.of("/").on_connect(|cx| {
        let auth: Value = cx.auth().expect("any JSON is a value");
        cx.state.push(auth.to_string());
    });
    let mut lab = Lab::new(app);
    lab.connected();
    assert_eq!(lab.log(), ["{}"]);
}

#[test]
fn row_095_events_reach_their_handlers_and_others_nobody() {
    let mut lab = Lab::new(noting(&["/"]));
    let conn = lab.connected();
    lab.log();
    lab.texts(conn, &[r#"42["nobody",1]"#, r#"421["nobody"]"#, r#"42["e"]"#, r#"42["E"]"#]);
    assert_eq!(lab.log(), ["/ s1 e"]);
    assert_eq!((lab.said(conn), lab.node.stats().events_unheard), (vec![], 3));
    // Behind a disconnect nothing is handled, in the same read and after.
    assert_eq!(lab.texts(conn, &[r#"42["out"]"#, r#"42["e"]"#]), ["41"]);
    assert_eq!(lab.text(conn, r#"42["e"]"#), [""; 0]);
    assert!(!lab.log().iter().any(|line| line == "/ s1 e"));
    assert_eq!(lab.node.stats().packets_late, 1, "and the session lives");
    assert_eq!(lab.text(conn, "40"), [r#"40{"sid":"s2"}"#]);
}

#[test]
fn row_096_an_event_called_error_is_an_event() {
    let mut app = App::new();
    app.of("/").on("error", |_cx, why: String| reply(why));
    let mut lab = Lab::new(app);
    let conn = lab.connected();
    assert_eq!(lab.text(conn, r#"421["error","x"]"#), [r#"431["x"]"#]);
    let mut lab = Lab::new(noting(&["/"]));
    let conn = lab.connected();
    assert_eq!(lab.text(conn, r#"42["error","x"]"#), [""; 0], "nobody listens, nothing happens");
    lab.text(conn, r#"42["e"]"#);
    assert_eq!(lab.log(), ["/ s1 connect", "/ s1 e"]);
}

#[test]
fn row_100_a_client_is_answered_once() {
    let mut app = App::new();
    app.of("/n")
        .on("twice", |_cx, ()| reply(1))
        .on("twice", |_cx, ()| reply(2))
        .on("later", |cx, ()| {
            let token = cx.ack().expect("the client asked");
            assert!(cx.ack().is_none(), "there is one right to answer");
            cx.after(MS, |cx| cx.io().answer(token, ("late", Bytes::from_static(b"\x01"))));
            reply("not this")
        })
        .on("never", |_cx, ()| {});
    let mut lab = Lab::new(app);
    let conn = lab.websocket();
    lab.text(conn, "40/n,");
    assert_eq!(lab.text(conn, r#"42/n,7["twice"]"#), ["43/n,7[1]"]);
    assert_eq!(lab.text(conn, r#"42/n,8["later"]"#), [""; 0]);
    lab.sleep(1);
    let binary = r#"461-/n,8["late",{"_placeholder":true,"num":0}]"#;
    assert_eq!(lab.said(conn), [binary, "<bytes 01>"]);
    assert_eq!(lab.text(conn, r#"42/n,9["never"]"#), [""; 0]);
    assert_eq!(lab.text(conn, r#"42/n,["twice"]"#), [""; 0], "and not unless it asks");
    assert_eq!(lab.node.stats().replies_unasked, 4);
}

#[test]
fn row_101_numbers_of_asks_count_by_namespace() {
    let mut app = App::with_state(Log::new());
    for name in ["/a", "/b"] {
        app.of(name).on_connect(|cx| {
            for _ in 0..2 {
                cx.ask("q", ()).timeout(5 * MS).then(|cx, answer: Result<i64, AskError>| {
                    let line = format!("{} {answer:?}", cx.namespace());
                    cx.state.push(line);
                });
            }
        });
    }
    let mut lab = Lab::new(app);
    let conn = lab.websocket();
    let said = lab.texts(conn, &["40/a,", "40/b,"]);
    let asked: Vec<_> = said.iter().filter(|line| line.starts_with("42")).collect();
    assert_eq!(asked, [r#"42/a,0["q"]"#, r#"42/a,1["q"]"#, r#"42/b,0["q"]"#, r#"42/b,1["q"]"#]);
    // An id of another namespace, or of nobody, is ignored.
    lab.texts(conn, &["43/a,1[10]", "43/a,1[11]", "43/a,7[12]", "43/b,0[20]", "43/b,[9]"]);
    assert_eq!(lab.log(), ["/a Ok(10)", "/b Ok(20)"]);
    lab.sleep(5);
    lab.texts(conn, &["43/a,0[1]", "43/b,1[1]"]);
    assert_eq!(lab.log(), ["/a Err(TimedOut)", "/b Err(TimedOut)"], "and the session lives");
}

#[test]
fn row_102_an_answer_is_read_as_its_asker_wants_it() {
    let mut app = App::with_state(Log::new());
    app.of("/").on_connect(|cx| {
        cx.ask("pair", 1).then(|cx, answer: Result<(i64, String), AskError>| {
            cx.state.push(format!("{answer:?}"));
        });
        cx.ask("first", 2).then(|cx, answer: Result<String, AskError>| {
            cx.state.push(format!("{answer:?}"));
        });
        cx.ask("bad", 3).then(|cx, answer: Result<u8, AskError>| {
            cx.state.push(format!("bad: {}", matches!(answer, Err(AskError::BadAnswer(_)))));
        });
        cx.ask("silence", 4).timeout(MS).then(|cx, answer: Result<(), AskError>| {
            cx.state.push(format!("{answer:?}"));
        });
    });
    let mut lab = Lab::new(app);
    let conn = lab.websocket();
    let said = lab.text(conn, "40");
    assert_eq!(said[1..3], [r#"420["pair",1]"#, r#"421["first",2]"#]);
    lab.texts(conn, &[r#"430[5,"five",6]"#, r#"431["only",2]"#, r#"432["word"]"#]);
    lab.sleep(1);
    let wanted = [r#"Ok((5, "five"))"#, r#"Ok("only")"#, "bad: true", "Err(TimedOut)"];
    assert_eq!(lab.log(), wanted);
}

#[test]
fn row_105_reserved_names_cannot_be_emitted() {
    let mut app = App::with_state(Log::new());
    app.of("/").on("go", |cx, ()| {
        for name in [
            "connect",
            "connect_error",
            "disconnect",
            "disconnecting",
            "newListener",
            "removeListener",
        ] {
            assert_eq!(cx.emit(name, 1), SendStatus::Invalid);
            assert_eq!(cx.io().of("/").emit(name, 1), parlor::Fanout::default());
            cx.ask(name, 1).then(move |cx, answer: Result<(), AskError>| {
                cx.state.push(format!("{answer:?}"));
            });
        }
        cx.emit("connection", "an ordinary name");
    });
    let mut lab = Lab::new(app);
    let conn = lab.connected();
    assert_eq!(lab.text(conn, r#"42["go"]"#), [r#"42["connection","an ordinary name"]"#]);
    assert_eq!(lab.log(), ["Err(Dropped)"; 6]);
    assert_eq!(lab.node.stats().emits_invalid, 18);
}

#[test]
fn row_125_a_client_leaves_a_namespace_and_its_session_stays() {
    let mut lab = Lab::new(noting(&["/"]));
    let conn = lab.connected();
    assert_eq!(lab.text(conn, "41"), [""; 0], "no reply");
    assert_eq!(lab.log().last().map(String::as_str), Some(GONE_BY_CLIENT));
    lab.sleep(25_000);
    assert_eq!(lab.said(conn), ["2"], "though it was the last namespace");
    assert_eq!(lab.text(conn, "40"), [r#"40{"sid":"s2"}"#]);
}

const GONE_BY_CLIENT: &str = "/ s1 disconnect client namespace disconnect, 1 rooms";

#[test]
fn row_126_the_server_takes_a_socket_out_and_its_session_stays() {
    let mut lab = Lab::new(noting(&["/", "/a"]));
    let conn = lab.connected();
    lab.text(conn, "40/a,");
    assert_eq!(lab.text(conn, r#"42/a,["out"]"#), ["41/a,"]);
    assert_eq!(lab.text(conn, r#"42["out"]"#), ["41"]);
    let log = lab.log();
    assert!(log.contains(&"/a s2 disconnect server namespace disconnect, 1 rooms".to_owned()));
    assert_eq!(lab.text(conn, "40/a,"), [r#"40/a,{"sid":"s3"}"#]);
    let id = lab.id(2);
    assert_eq!(lab.run(|root| root.socket(id).emit("x", 1)), SendStatus::Gone);
    assert_eq!(lab.said(conn), [""; 0]);
}

#[test]
fn row_127_the_server_ends_a_session_with_all_its_sockets() {
    let mut lab = Lab::new(noting(&["/", "/a"]));
    let conn = lab.connected();
    lab.text(conn, "40/a,");
    assert_eq!(lab.text(conn, r#"42["all out"]"#), ["41", "41/a,", "<close>", "<end>"]);
    let log = lab.log();
    let gone = "disconnect server namespace disconnect, 1 rooms";
    assert!(log.contains(&format!("/ s1 {gone}")) && log.contains(&format!("/a s2 {gone}")));
    assert_eq!(lab.node.server().sessions(), 0);
}

#[test]
fn row_128_disconnecting_sees_the_rooms_and_disconnect_follows() {
    let mut app = App::with_state(Log::new());
    app.of("/")
        .on_connect(|cx| cx.join(["a", "b"]))
        .on_disconnecting(|cx, _| {
            let rooms = cx.rooms();
            note(cx, &format!("disconnecting {rooms:?}"));
            let reached = cx.to("a").emit("leaving", ());
            note(cx, &format!("{reached:?}"));
        })
        .on_disconnect(|cx, _, rooms| {
            let now = cx.rooms();
            note(cx, &format!("disconnect {rooms:?} {now:?}"));
        });
    let mut lab = Lab::new(app);
    let (first, second) = (lab.connected(), lab.connected());
    lab.lose(first);
    assert_eq!(lab.said(second), [r#"42["leaving"]"#]);
    let wanted = [
        r#"/ s1 disconnecting ["s1", "a", "b"]"#,
        "/ s1 Fanout { sent: 1, backlogged: 0, dropped: 0 }",
        r#"/ s1 disconnect ["s1", "a", "b"] []"#,
    ];
    assert_eq!(lab.log(), wanted);
}

/// How a connected client's session is ended, and the reason that its socket is told.
#[test]
fn row_129_every_reason_for_which_a_socket_goes() {
    type End = fn(&mut Lab<Log>, parlor::ConnId);
    let ends: [(&str, End); 11] = [
        ("client namespace disconnect", |lab, conn| drop(lab.text(conn, "41"))),
        ("server namespace disconnect", |lab, conn| drop(lab.text(conn, r#"42["out"]"#))),
        ("server namespace disconnect", |lab, conn| drop(lab.text(conn, r#"42["all out"]"#))),
        ("transport close", Lab::lose),
        ("transport close", |lab, conn| drop(lab.text(conn, "1"))),
        ("transport error", |lab, conn| drop(lab.send(conn, frame(0x83, b"")))),
        ("ping timeout", |lab, _| lab.sleep(45_000)),
        ("parse error", |lab, conn| drop(lab.text(conn, "x"))),
        ("forced server close", |lab, conn| drop(lab.text(conn, "4x"))),
        ("forced server close", |lab, conn| drop(lab.text(conn, "40"))),
        ("server shutting down", |lab, _| lab.shut_down()),
    ];
    for (reason, end) in ends {
        let mut lab = Lab::new(noting(&["/"]));
        let conn = lab.connected();
        end(&mut lab, conn);
        let wanted = [
            "/ s1 connect".to_owned(),
            format!("/ s1 disconnecting {reason}, 1 rooms"),
            format!("/ s1 disconnect {reason}, 1 rooms"),
        ];
        let log: Vec<_> = lab.node.state().iter().map(|line| lab.named(line)).collect();
        assert_eq!(log, wanted);
    }
    // And the ninth: below Socket.IO the session is closed by who looks after sessions.
    let mut app = noting(&["/"]);
    app.engine().on_open(|cx| {
        let me = cx.session();
        cx.io().after(MS, move |root| root.session(me).close());
    });
    let mut lab = Lab::new(app);
    lab.connected();
    lab.sleep(1);
    assert_eq!(lab.log()[2], "/ s1 disconnect forced close, 1 rooms");
}

#[test]
fn row_130_a_transport_error_says_what_broke() {
    let mut app = App::with_state(Log::new());
    app.of("/").on_disconnect(|cx, why, _| {
        if let DisconnectReason::TransportError(fault) = why {
            cx.state.push(format!("{why}: {fault}"));
        }
    });
    let mut lab = Lab::new(app);
    for bytes in [frame(0x83, b""), frame(0x81, b"4\xff"), frame(0x81, &[b'4'; 1_000_001])] {
        let conn = lab.connected();
        lab.send(conn, bytes);
    }
    let conn = lab.connected();
    lab.text(conn, "2");
    let session = lab.polling_connected();
    lab.get(&session);
    lab.lose(session.down);
    let session = lab.polling_connected();
    lab.get(&session);
    lab.get(&session);
    let wanted = [
        "transport error: invalid WebSocket frame",
        "transport error: invalid UTF-8 in a text message",
        "transport error: max payload size exceeded",
        "transport error: invalid heartbeat direction",
        "transport error: poll connection closed prematurely",
        "transport error: overlap from client",
    ];
    assert_eq!(lab.log(), wanted);
}

#[test]
fn row_131_a_server_that_closes_tells_every_socket_and_no_client() {
    let mut lab = Lab::new(noting(&["/", "/a"]));
    let conn = lab.connected();
    lab.text(conn, "40/a,");
    let session = lab.polling_connected();
    lab.get(&session);
    lab.log();
    lab.shut_down();
    lab.shut_down();
    assert_eq!(lab.said(conn), ["<close>", "<end>"], "no DISCONNECT");
    assert_eq!(lab.said(session.down), ["200 1", "<end>"]);
    let log: Vec<_> = lab.node.state().iter().map(|line| lab.named(line)).collect();
    let of = |id: &str| {
        [
            format!("{id} disconnecting server shutting down, 1 rooms"),
            format!("{id} disconnect server shutting down, 1 rooms"),
        ]
    };
    for pair in [of("/ s1"), of("/a s2"), of("/ s3")] {
        let places = pair.map(|line| log.iter().position(|other| *other == line));
        assert!(places[0].is_some() && places[0] < places[1], "{log:?}");
    }
    assert_eq!(log.len(), 6, "each once, though it was asked twice");
    let peer = std::net::SocketAddr::from(([192, 0, 2, 1], 4000));
    assert!(lab.node.accept(lab.now(), peer).is_err());
    assert!(lab.node.is_drained());
}
