//! B and C: how packets are written, and the life of a session.

use std::time::Duration;

use parlor::{
    App, Bytes, Config, Event, Flags, Input, Instant, Message, Output, Peer, SendStatus, Server,
    Transport, Transports,
};

use crate::lab::{Lab, Log, Polling, frame};

/// The engine alone: echoes, and notes what becomes of sessions.
fn echo() -> App<Log> {
    let mut app = App::with_state(Log::new());
    app.engine()
        .on_open(|cx| cx.state.push("open".into()))
        .on_message(|cx, message| {
            cx.state.push(format!("{message:?}"));
            cx.send(message)
        })
        .on_close(|cx, why| cx.state.push(format!("{why}: {why:?}")));
    app
}

fn engine() -> Lab<Log> {
    Lab::with(Config::engine(), echo())
}

/// How sessions ended since they were asked.
fn ends(lab: &mut Lab<Log>) -> Vec<String> {
    lab.log().into_iter().filter(|line| line.contains(": ")).collect()
}

fn one_session<S: Send + 'static>(lab: &mut Lab<S>) -> parlor::SessionId {
    let found = lab.run(|root| root.io().of("/").sockets());
    lab.node.server().session_of(found[0]).expect("it is connected")
}

#[test]
fn row_017_empty_messages_on_websocket() {
    let mut lab = engine();
    let conn = lab.websocket();
    assert_eq!(lab.binary(conn, b""), ["<bytes >"]);
    assert_eq!(lab.text(conn, "4"), ["4"]);
    assert_eq!(lab.log()[1..], ["Binary(b\"\")", "Text(\"\")"]);
}

#[test]
fn row_019_a_client_without_bytes_gets_base64_on_every_transport() {
    let mut lab = engine();
    let (conn, _) = lab.websocket_sid("&b64=1");
    assert_eq!(lab.binary(conn, &[1, 2, 3, 4]), ["bAQIDBA=="]);
    assert_eq!(lab.text(conn, "bAQIDBA=="), ["bAQIDBA=="]);
    let (plain, _) = lab.websocket_sid("&b64=");
    assert_eq!(lab.binary(plain, &[1]), ["<bytes 01>"], "an empty value says nothing");
    // What the handshake by polling said holds on the websocket that follows.
    let conn = lab.connect();
    let open = lab.request(conn, "GET", "?EIO=4&transport=polling&b64=1", &[], "");
    let sid = open[0].split('"').nth(3).expect("an open packet").to_owned();
    let socket = lab.candidate(&Polling { sid, down: conn, up: conn });
    lab.text(socket, "2probe");
    lab.text(socket, "5");
    assert_eq!(lab.text(socket, "bAQ=="), ["bAQ=="]);
}

#[test]
fn row_027_packets_before_a_bad_one_are_handled() {
    let mut lab = engine();
    for payload in ["4a\x1ebAQ==\x1e7\x1e4never", "4a\x1ebAQ==\x1e"] {
        let session = lab.polling();
        assert_eq!(lab.post(&session, payload), ["200 ok"]);
        let log = ["open", "Text(\"a\")", "Binary(b\"\\x01\")", "parse error: ParseError"];
        assert_eq!(lab.log(), log);
    }
}

#[test]
fn row_029_the_open_packet_says_what_is_configured() {
    let open = |config: Config, transport: &str| {
        let mut lab = Lab::with(config, App::new());
        match transport {
            "polling" => {
                let conn = lab.connect();
                lab.request(conn, "GET", "?EIO=4&transport=polling", &[], "").remove(0)
            }
            _ => lab.upgrade("?EIO=4&transport=websocket").1.remove(0),
        }
    };
    let without_sid = |open: String| {
        let sid = open.split('"').nth(3).expect("the first value is the id").to_owned();
        assert_eq!(sid.len(), 27);
        open.replace(&sid, "..")
    };
    let numbers = r#""pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
    let said = without_sid(open(Config::default(), "polling"));
    assert_eq!(said, format!(r#"200 0{{"sid":"..","upgrades":["websocket"],{numbers}"#));
    let none = format!(r#"0{{"sid":"..","upgrades":[],{numbers}"#);
    assert_eq!(without_sid(open(Config::default(), "websocket")), none);
    let config = Config { allow_upgrades: false, ..Config::default() };
    assert_eq!(without_sid(open(config, "polling")), format!("200 {none}"));
    let transports = Transports { polling: true, websocket: false };
    let config = Config { transports, ..Config::default() };
    assert_eq!(without_sid(open(config, "polling")), format!("200 {none}"));
    let config = Config {
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        max_payload: 12,
        ..Config::default()
    };
    let numbers = r#""pingInterval":300,"pingTimeout":200,"maxPayload":12}"#;
    let said = without_sid(open(config, "websocket"));
    assert_eq!(said, format!(r#"0{{"sid":"..","upgrades":[],{numbers}"#));
}

#[test]
fn row_030_the_initial_packet_follows_the_open_packet() {
    let config = Config { initial_packet: Some("hi".into()), ..Config::engine() };
    let mut lab = Lab::with(config, echo());
    let conn = lab.connect();
    let said = lab.request(conn, "GET", "?EIO=4&transport=polling", &[], "");
    assert!(said[0].ends_with("}\x1e4hi"), "{said:?}");
    let (_, said) = lab.upgrade("?EIO=4&transport=websocket");
    assert_eq!(said[1..], ["4hi"]);
}

/// 25 s after the opening, and then 25 s after each pong.
#[test]
fn row_031_the_server_pings_an_interval_after_each_pong() {
    let mut lab = engine();
    let conn = lab.websocket();
    lab.sleep(24_999);
    assert_eq!(lab.said(conn), [""; 0]);
    lab.sleep(1);
    assert_eq!(lab.said(conn), ["2"]);
    lab.sleep(7_000);
    lab.text(conn, "3");
    lab.sleep(24_999);
    assert_eq!(lab.said(conn), [""; 0]);
    lab.sleep(1);
    assert_eq!(lab.said(conn), ["2"]);
    lab.text(conn, "3with data");
    lab.sleep(10_000);
    lab.text(conn, "3"); // Unasked for: it starts the interval anew.
    lab.sleep(24_999);
    assert_eq!(lab.said(conn), [""; 0]);
    lab.sleep(1);
    assert_eq!(lab.said(conn), ["2"]);
    // By polling the ping waits for a GET, and the clock for the pong runs.
    let session = lab.polling();
    lab.sleep(25_000);
    assert_eq!(lab.get(&session), ["200 2"]);
    lab.get(&session);
    lab.sleep(20_000);
    assert_eq!(lab.said(session.down), ["200 1"]);
}

#[test]
fn row_031_a_packet_while_a_pong_is_awaited_excuses_it_once() {
    let mut lab = engine();
    let conn = lab.websocket();
    lab.sleep(25_000 + 19_999);
    assert_eq!(lab.text(conn, "4alive"), ["2", "4alive"]);
    lab.sleep(19_999);
    assert_eq!(lab.text(conn, "4alive"), ["4alive"]);
    lab.sleep(1);
    assert_eq!(lab.said(conn), ["<close>", "<end>"]);
    assert_eq!(ends(&mut lab), ["ping timeout: PingTimeout"]);
}

#[test]
fn row_033_the_heartbeat_survives_an_upgrade() {
    // Between two pings: the next comes at its time, and is missed.
    let mut lab = engine();
    let session = lab.polling();
    lab.sleep(20_000);
    let socket = lab.candidate(&session);
    lab.text(socket, "2probe");
    lab.text(socket, "5");
    lab.sleep(4_999);
    assert_eq!(lab.said(socket), [""; 0]);
    lab.sleep(1);
    assert_eq!(lab.said(socket), ["2"]);
    lab.sleep(20_000);
    assert_eq!(lab.said(socket), ["<close>", "<end>"]);
    // While a pong is awaited: it is still awaited.
    let session = lab.polling();
    lab.sleep(25_000);
    let socket = lab.candidate(&session);
    lab.text(socket, "2probe");
    assert_eq!(lab.text(socket, "5"), ["2"], "and the ping, not fetched, is moved");
    lab.sleep(20_000);
    assert_eq!(lab.said(socket), ["<close>", "<end>"]);
    assert_eq!(ends(&mut lab), ["ping timeout: PingTimeout"; 2]);
}

#[test]
fn row_034_a_ping_of_the_client_is_a_transport_error() {
    let mut lab = engine();
    let conn = lab.websocket();
    assert_eq!(lab.text(conn, "2"), ["<close>", "<end>"]);
    let session = lab.polling();
    lab.get(&session);
    assert_eq!(lab.post(&session, "2"), ["200 ok"]);
    assert_eq!(lab.said(session.down), ["200 1"]);
    let why = "transport error: TransportError(HeartbeatDirection)";
    assert_eq!(ends(&mut lab), [why, why]);
}

#[test]
fn row_035_a_missing_pong_ends_the_session_to_the_microsecond() {
    let config = Config {
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        ..Config::engine()
    };
    let mut lab = Lab::with(config, echo());
    let conn = lab.websocket();
    let due = lab.node.poll_timeout().map(|(at, _)| at.as_micros());
    assert_eq!(due, Some(300_000));
    lab.sleep(300);
    assert_eq!(lab.node.poll_timeout().map(|(at, _)| at.as_micros()), Some(500_000));
    lab.sleep(200);
    assert_eq!(lab.said(conn), ["2", "<close>", "<end>"]);
    // A driver that is late with the ping does not make the session live longer.
    let conn = lab.websocket();
    let late = Instant::from_micros(lab.now().as_micros() + 470_000);
    lab.node.handle_timeout(late);
    let end = lab.now().as_micros() + 500_000;
    assert_eq!(lab.node.poll_timeout().map(|(at, _)| at), Some(late), "its ping waits");
    lab.sleep(500);
    assert_eq!((lab.said(conn).pop(), lab.now().as_micros()), (Some("<end>".into()), end));
}

#[test]
fn row_036_one_poll_takes_the_whole_buffer() {
    let mut lab = engine();
    let session = lab.polling();
    let all: Vec<_> = (0..200).map(|n| format!("4{n}-{}", "x".repeat(n))).collect();
    for packet in &all {
        lab.post(&session, packet);
    }
    assert_eq!(lab.get(&session), [format!("200 {}", all.join("\x1e"))]);
    // And a parked poll takes the first packet only.
    lab.get(&session);
    lab.post(&session, "4a\x1e4b\x1e4c");
    assert_eq!(lab.said(session.down), ["200 4a"]);
    assert_eq!(lab.get(&session), ["200 4b\x1e4c"]);
}

#[test]
fn row_037_what_a_refusing_kernel_leaves_goes_out_in_order_when_it_has_room() {
    let mut app = App::with_state(Log::new());
    app.of("/").on("go", |cx, n: u32| {
        let status = cx.emit("n", n);
        cx.state.push(format!("{n} {}", matches!(status, SendStatus::Backlogged { .. })));
    });
    let mut lab = Lab::new(app);
    let conn = lab.connected();
    let batch = lab.texts(conn, &[r#"42["go",1]"#, r#"42["go",2]"#]);
    assert_eq!(batch, [r#"42["n",1]"#, r#"42["n",2]"#]);
    lab.stall(conn);
    for n in 3..6 {
        assert_eq!(lab.text(conn, &format!(r#"42["go",{n}]"#)), [""; 0]);
    }
    lab.unstall(conn);
    assert_eq!(lab.said(conn), [r#"42["n",3]"#, r#"42["n",4]"#, r#"42["n",5]"#]);
    assert_eq!(lab.text(conn, r#"42["go",6]"#), [r#"42["n",6]"#]);
    assert_eq!(lab.log(), ["1 false", "2 false", "3 false", "4 true", "5 true", "6 false"]);
}

/// Of the engine's own events there are these; a bare server tells when a backlog is gone.
#[test]
fn row_038_a_client_that_has_taken_everything_is_told_once() {
    let mut config = Config::engine();
    config.limits.egress_bytes_high = 10;
    let mut server = Server::new(config, [7; 32], Instant::ZERO, 0).expect("it is sound");
    let conn = server.accept(Instant::ZERO, Peer::Unix).expect("there is room");
    let mut head = b"GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\n\
        Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    server.handle(Instant::ZERO, Input::Data { conn, bytes: &mut head });
    let mut told = Vec::new();
    let pump = |server: &mut Server, told: &mut Vec<String>| {
        while let Some(output) = server.poll_output() {
            match output {
                Output::Event { event: Event::SessionOpened { session }, .. } => {
                    for _ in 0..3 {
                        let message = Message::Text("twenty bytes of text".into());
                        let sent = server.send(Instant::ZERO, session, &message, Flags::default());
                        told.push(matches!(sent, SendStatus::Backlogged { .. }).to_string());
                    }
                }
                Output::Event { event, .. } => told.push(format!("{event:?}")),
                Output::Flush(conn) => {
                    let bytes = server.egress(conn).map(<[u8]>::len).sum();
                    server.handle(Instant::ZERO, Input::Sent { conn, bytes, refused: false });
                }
                _ => {}
            }
        }
    };
    pump(&mut server, &mut told);
    assert_eq!(told, ["true", "true", "true", "Drained { session: e0.1 }"]);
}

#[test]
fn row_040_an_aborted_poll_or_post_is_a_transport_error() {
    let mut lab = engine();
    let aborts: [fn(&mut Lab<Log>, parlor::ConnId); 2] = [Lab::lose, Lab::finish];
    for abort in aborts {
        let session = lab.polling();
        lab.get(&session);
        abort(&mut lab, session.down);
        assert_eq!(ends(&mut lab), ["transport error: TransportError(PollAborted)"]);
        assert_eq!(lab.post(&session, "3"), [r#"400 {"code":1,"message":"Session ID unknown"}"#]);
        let session = lab.polling();
        let target = format!("/engine.io/{}", session.target("polling"));
        let half = format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n4half");
        lab.send(session.up, half);
        abort(&mut lab, session.up);
        assert_eq!(ends(&mut lab), ["transport error: TransportError(PostAborted)"]);
    }
}

#[test]
fn row_044_a_server_closes_a_polling_session() {
    let close = |lab: &mut Lab<()>| {
        let id = lab.id(1);
        lab.run(|root| root.socket(id).disconnect_session());
    };
    let mut app = App::new();
    app.of("/").on_connect(|cx| cx.after(Duration::from_secs(1), |cx| cx.emit("last", ())));
    // A GET is parked: it is told at once.
    let mut lab = Lab::new(App::new());
    let session = lab.polling_connected();
    lab.get(&session);
    close(&mut lab);
    assert_eq!(lab.said(session.down), ["200 41"]);
    assert_eq!(lab.get(&session), ["200 6\x1e1"]);
    assert_eq!(lab.get(&session), [r#"400 {"code":1,"message":"Session ID unknown"}"#]);
    // None is: what waits goes first, then the close, and what the client says is not heard.
    let mut lab = Lab::new(app);
    let session = lab.polling_connected();
    lab.sleep(1_000);
    close(&mut lab);
    assert_eq!(lab.post(&session, "garbage"), ["200 ok"]);
    assert_eq!(lab.get(&session), ["200 42[\"last\"]\x1e41"]);
    assert_eq!(lab.get(&session), ["200 6\x1e1"]);
    assert_eq!(lab.node.server().sessions(), 0);
}

#[test]
fn row_044_a_closing_session_is_given_up_after_thirty_seconds() {
    let mut app = echo();
    app.engine().on_message(|cx, _| cx.close());
    let mut lab = Lab::with(Config::engine(), app);
    let session = lab.polling();
    lab.get(&session);
    lab.post(&session, "4close me");
    assert_eq!(lab.said(session.down), ["200 4close me"], "the echo took the poll");
    lab.sleep(29_999);
    assert_eq!((lab.node.server().sessions(), ends(&mut lab)), (1, vec![]));
    lab.sleep(1);
    assert_eq!(lab.node.server().sessions(), 0);
    assert_eq!(ends(&mut lab), ["forced close: ForcedClose"]);
}

#[test]
fn row_046_a_server_that_shuts_down_drops_what_nobody_fetched() {
    let mut app = App::with_state(Log::new());
    app.engine()
        .on_open(|cx| cx.send("unfetched"))
        .on_close(|cx, why| cx.state.push(why.to_string()));
    let mut lab = Lab::with(Config::engine(), app);
    let (parked, waiting, socket) = (lab.polling(), lab.polling(), lab.websocket());
    assert_eq!(lab.get(&parked), ["200 4unfetched"]);
    lab.get(&parked);
    assert_eq!(lab.said(socket), [""; 0]);
    lab.shut_down();
    assert_eq!(lab.said(parked.down), ["200 1", "<end>"]);
    assert_eq!(lab.said(waiting.down), ["<end>"]);
    assert_eq!(lab.said(socket), ["<close>", "<end>"]);
    assert_eq!(lab.node.state(), &["forced close"; 3]);
    assert!(lab.node.is_drained());
}

#[test]
fn row_047_the_five_reasons_of_the_engine_and_their_descriptions() {
    let mut lab = engine();
    let end = |lab: &mut Lab<Log>| ends(lab).pop().expect("the session has ended");
    let conn = lab.websocket();
    lab.send(conn, frame(0x88, &[3, 232]));
    assert_eq!(end(&mut lab), "transport close: TransportClose");
    let conn = lab.websocket();
    lab.lose(conn);
    assert_eq!(end(&mut lab), "transport close: TransportClose");
    let session = lab.polling();
    lab.post(&session, "1");
    assert_eq!(end(&mut lab), "transport close: TransportClose");
    for (bytes, fault) in [
        (frame(0x83, b""), "WebSocketProtocol"),
        (frame(0x81, b"4\xff"), "NotUtf8"),
        (frame(0x81, &[b'4'; 1_000_001]), "MessageTooBig"),
    ] {
        let conn = lab.websocket();
        lab.send(conn, bytes);
        assert_eq!(end(&mut lab), format!("transport error: TransportError({fault})"));
    }
    let session = lab.polling();
    lab.get(&session);
    lab.get(&session);
    assert_eq!(end(&mut lab), "transport error: TransportError(PollOverlap)");
    let session = lab.polling();
    let other = lab.connect();
    let target = format!("/engine.io/{}", session.target("polling"));
    let half = format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n4half");
    lab.send(session.up, &half);
    lab.send(other, &half);
    assert_eq!(end(&mut lab), "transport error: TransportError(PostOverlap)");
    let session = lab.polling();
    let octets = ["Content-Type: application/octet-stream"];
    lab.request(session.up, "POST", &session.target("polling"), &octets, "4");
    assert_eq!(end(&mut lab), "transport error: TransportError(InvalidContent)");
    let conn = lab.websocket();
    lab.text(conn, "x");
    assert_eq!(end(&mut lab), "parse error: ParseError");
    lab.websocket();
    lab.sleep(45_000);
    assert_eq!(end(&mut lab), "ping timeout: PingTimeout");
    lab.websocket();
    lab.shut_down();
    assert_eq!(end(&mut lab), "forced close: ForcedClose");
}

#[test]
fn row_048_address_request_revision_and_transport_are_shown() {
    let mut lab = Lab::new(App::new());
    let session = lab.polling();
    lab.post(&session, "40");
    let id = one_session(&mut lab);
    let server = lab.node.server();
    assert_eq!(server.peer(id).map(ToString::to_string).as_deref(), Some("192.0.2.1:4000"));
    assert_eq!(server.revision(id), Some(4));
    assert_eq!(server.transport(id), Some(Transport::Polling));
    let socket = lab.candidate(&session);
    lab.text(socket, "2probe");
    assert_eq!(lab.node.server().transport(id), Some(Transport::Polling), "not before the 5");
    lab.text(socket, "5");
    let server = lab.node.server();
    assert_eq!(server.transport(id), Some(Transport::WebSocket));
    let first = server.handshake(id).map(|head| head.target().to_owned());
    assert_eq!(first.as_deref(), Some("/socket.io/?EIO=4&transport=polling"), "the first request");
    lab.lose(socket);
    let server = lab.node.server();
    assert_eq!((server.transport(id), server.revision(id)), (None, None));
}

#[test]
fn row_017_bytes_that_are_sent_are_bytes() {
    let mut app = App::new();
    app.engine().on_open(|cx| cx.send(Bytes::from_static(&[0, 255])));
    let mut lab = Lab::with(Config::engine(), app);
    let (_, said) = lab.upgrade("?EIO=4&transport=websocket");
    assert_eq!(said[1..], ["<bytes 00ff>"]);
}
