//! N: what no client can do.

use std::time::Duration;

use parlor::{App, Bytes, Config, Overflow, SendStatus, reply};

use crate::lab::{Lab, Log, Polling, frame};

/// Reproducible numbers (xorshift64*).
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }

    fn pick<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        &list[self.below(list.len())]
    }

    /// Some bytes of it are changed, repeated, swapped or lost.
    fn spoil(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..self.below(4) {
            if bytes.is_empty() {
                return;
            }
            let (at, other) = (self.below(bytes.len()), self.below(bytes.len()));
            match self.below(4) {
                0 => bytes[at] = self.below(256) as u8,
                1 => bytes.truncate(at),
                2 => bytes.swap(at, other),
                _ => bytes.insert(at, bytes[other]),
            }
        }
    }
}

fn talkative() -> App<Log> {
    let mut app = App::with_state(Log::new());
    for name in ["/", "/a"] {
        app.of(name)
            .on_connect(|cx| cx.join("r"))
            .on("echo", |cx, args: parlor::Payload| cx.emit("echo", args))
            .on("all", |cx, args: parlor::Payload| {
                cx.io().of("/").emit("all", args);
                reply(1)
            })
            .on("ask", |cx, ()| cx.ask("q", 1).then(|_cx, _: Result<(), _>| {}))
            .on("out", |cx, ()| cx.disconnect());
    }
    app
}

/// What the client of a kind says: one that polls, one that posts, a candidate, or a websocket.
fn said_by(kind: usize, text: &str, session: &Polling, chance: &mut Chance) -> Vec<u8> {
    let polls = session.target("polling");
    match kind {
        0 => format!("GET /socket.io/{polls} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes(),
        1 => format!(
            "POST /socket.io/{polls} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        )
        .into_bytes(),
        2 => format!(
            "GET /socket.io/{} HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            session.target("websocket")
        )
        .into_bytes(),
        _ => frame(*chance.pick(&[0x81, 0x82, 0x01, 0x80, 0x88, 0x89]), text.as_bytes()),
    }
}

/// Spoiled requests, frames and packets of every layer, from many clients at once. After each
/// stream a client that minds its manners is served.
#[test]
fn row_144_nothing_that_clients_send_makes_the_server_panic() {
    let texts = [
        "40",
        "40/a,{\"x\":1}",
        "41",
        "42[\"echo\",1,{\"a\":[null]}]",
        "421[\"all\",\"é\"]",
        "42/a,[\"ask\"]",
        "430[1]",
        "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]",
        "2probe",
        "3",
        "5",
        "6",
        "1",
        "0",
        "bAQID",
        "42[\"out\"]",
        "44{}",
        "4",
        "",
    ];
    let mut chance = Chance(0x5eed);
    let mut lab = Lab::with(Config::default(), talkative());
    let probe = lab.connected();
    for _ in 0..400 {
        let session = lab.polling_connected();
        let (mut conns, fresh) = (vec![session.down, session.up], lab.connect());
        conns.extend([fresh, lab.connected(), lab.websocket()]);
        let mut gone = vec![false; conns.len()];
        for _ in 0..12 {
            let at = chance.below(conns.len());
            if gone[at] {
                continue;
            }
            let text = *chance.pick(&texts);
            let mut bytes = said_by(at, text, &session, &mut chance);
            chance.spoil(&mut bytes);
            let conn = conns[at];
            lab.feed(conn, &bytes);
            gone[at] = lab.is_closed(conn);
        }
        lab.sleep(chance.below(30_000) as u64);
        for (conn, gone) in conns.into_iter().zip(gone) {
            if !gone && !lab.is_closed(conn) {
                lab.lose(conn);
            }
        }
        lab.feed(probe, &frame(0x81, b"3"));
        lab.forget(probe);
        assert_eq!(lab.text(probe, "42[\"echo\",7]"), ["42[\"echo\",7]"]);
    }
    // Sessions that nobody polls for end by their heartbeat.
    for _ in 0..8 {
        lab.sleep(10_000);
        lab.feed(probe, &frame(0x81, b"3"));
    }
    assert_eq!((lab.node.server().sessions(), lab.node.server().connections()), (1, 1));
}

#[test]
fn row_145_bytes_that_wait_for_a_client_are_bounded() {
    for (overflow, last) in
        [(Overflow::CloseSession, SendStatus::Gone), (Overflow::DropMessage, SendStatus::Dropped)]
    {
        let mut app = App::with_state(Log::new());
        app.of("/").on_disconnect(|cx, why, _| cx.state.push(why.to_string()));
        let mut config = Config { overflow, ..Config::default() };
        config.limits.egress_bytes_max = 10_000;
        let mut lab = Lab::with(config, app);
        let (socket, session) = (lab.connected(), lab.polling_connected());
        lab.stall(socket);
        for n in 1..=2 {
            let id = lab.id(n);
            let emit =
                |lab: &mut Lab<Log>| lab.run(|root| root.socket(id).emit("x", "y".repeat(1_000)));
            let taken = (0..20).take_while(|_| emit(&mut lab) != last).count();
            assert_eq!(taken, 9, "with its framing each takes a little over 1000 bytes");
        }
        let ends = match overflow {
            Overflow::CloseSession => vec!["overflow".to_owned(); 2],
            Overflow::DropMessage => vec![],
        };
        assert_eq!(lab.log(), ends);
        match overflow {
            Overflow::CloseSession => {
                assert_eq!(lab.said(socket), ["<reset>"]);
                let gone = r#"400 {"code":1,"message":"Session ID unknown"}"#;
                assert_eq!(lab.get(&session), [gone]);
            }
            Overflow::DropMessage => {
                lab.unstall(socket);
                assert_eq!(lab.said(socket).len(), 9);
                assert_eq!(lab.get(&session)[0].split('\x1e').count(), 9);
            }
        }
    }
}

#[test]
fn row_145_what_a_client_sends_is_bounded() {
    let mut config = Config { max_payload: 1_000, ..Config::default() };
    config.limits.attachment_bytes_max = 1_500;
    config.limits.fragments_max = 4;
    let mut app = App::new();
    app.of("/").on("two", |_cx, (a, b): (Bytes, Bytes)| reply(a.len() + b.len()));
    let mut lab = Lab::with(config, app);
    let places = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
    let header = format!(r#"452-1["two",{places}]"#);
    let conn = lab.connected();
    lab.text(conn, &header);
    lab.binary(conn, &[0; 1_000]);
    assert_eq!(lab.binary(conn, &[0; 500]), ["431[1500]"], "exactly the limit of all passes");
    lab.text(conn, &header);
    lab.binary(conn, &[0; 1_000]);
    assert_eq!(lab.binary(conn, &[0; 501]), ["<close>", "<end>"]);
    let conn = lab.connected();
    assert_eq!(lab.binary(conn, &[0; 1_001]), ["<close 1009>", "<end>"]);
    let conn = lab.connected();
    let fragments: Vec<_> = [0x01, 0, 0, 0, 0].iter().flat_map(|&op| frame(op, b"")).collect();
    assert_eq!(lab.send(conn, fragments), ["<close 1008>", "<end>"], "however small they are");
}

#[test]
fn row_145_tables_that_clients_fill_are_bounded() {
    let mut config = Config::default();
    config.limits.namespaces_per_session_max = 2;
    config.limits.rooms_per_socket_max = 2;
    config.limits.sessions_max = 2;
    let mut app = App::new();
    for name in ["/a", "/b", "/c"] {
        app.of(name).on("join", |cx, room: String| {
            cx.join(room);
            reply(cx.rooms().len())
        });
    }
    let mut lab = Lab::with(config, app);
    let conn = lab.websocket();
    let said = lab.texts(conn, &["40/a,", "40/b,", "40/c,"]);
    assert_eq!(said[2], r#"44/c,{"message":"limit reached"}"#);
    let joins = ["r1", "r2", "r3"].map(|room| format!(r#"42/a,1["join","{room}"]"#));
    let joins: Vec<_> = joins.iter().map(|text| &**text).collect();
    assert_eq!(lab.texts(conn, &joins), ["43/a,1[2]", "43/a,1[3]", "43/a,1[3]"]);
    lab.websocket();
    let third = lab.connect();
    assert_eq!(lab.request(third, "GET", "?EIO=4&transport=polling", &[], "")[0], "503 ");
    assert_eq!(lab.node.stats().limits_hit, 3);
}

#[test]
fn row_146_ids_differ_by_seed_and_names_like_properties_are_names() {
    let names = ["__proto__", "constructor", "toString", "hasOwnProperty"];
    let mut app = App::new();
    for name in names {
        app.of(&format!("/{name}")).on(name, move |cx, args: parlor::Payload| {
            cx.join(name);
            let reached = cx.io().of(&format!("/{name}")).to(name).emit(name, args);
            reply(reached.sent)
        });
    }
    let mut lab = Lab::new(app);
    let conn = lab.connect();
    let query = "?EIO=4&transport=polling&__proto__=1&constructor=2&sid=";
    assert!(lab.request(conn, "GET", query, &[], "")[0].starts_with("200 0{"));
    for key in ["__proto__", "constructor"] {
        let said =
            lab.request(conn, "GET", &format!("?EIO=4&transport=polling&sid={key}"), &[], "");
        assert_eq!(said, [r#"400 {"code":1,"message":"Session ID unknown"}"#]);
    }
    let conn = lab.websocket();
    for name in names {
        lab.text(conn, &format!("40/{name},"));
        let said = lab.text(conn, &format!(r#"42/{name},1["{name}",{{"__proto__":1}}]"#));
        let event = format!(r#"42/{name},["{name}",{{"__proto__":1}}]"#);
        assert_eq!(said, [event, format!("43/{name},1[1]")]);
    }
    // 96 bits of each secret are random: no two of a thousand share half of them.
    let mut sids: Vec<_> = (0..1_000).map(|_| lab.websocket_sid("").1[11..].to_owned()).collect();
    let halves = |sids: &[String], range: std::ops::Range<usize>| {
        let mut halves: Vec<_> = sids.iter().map(|sid| sid[range.clone()].to_owned()).collect();
        halves.sort();
        halves.dedup();
        halves.len()
    };
    sids.sort();
    assert_eq!([halves(&sids, 0..8), halves(&sids, 8..16)], [1_000; 2]);
}

#[test]
fn row_147_json_is_as_deep_as_is_configured() {
    for (depth_max, deep) in [(127, 126), (5, 4)] {
        let mut config = Config::default();
        config.limits.json_depth_max = depth_max;
        let mut lab = Lab::with(config, talkative());
        let conn = lab.connected();
        let nested =
            |depth: usize| format!("42[\"echo\",{}{}]", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(lab.text(conn, &nested(deep)), [nested(deep)]);
        assert_eq!(lab.text(conn, &nested(deep + 1)), ["<close>", "<end>"]);
        let conn = lab.connected();
        let endless = format!("42[\"echo\",{}", "[{\"a\":".repeat(100_000));
        assert_eq!(lab.text(conn, &endless), ["<close>", "<end>"]);
    }
}

/// A hundred thousand sockets, fifty to a session, which ends in each way in turn.
#[test]
fn row_148_a_hundred_thousand_connects_leave_nothing_behind() {
    const EACH: u64 = 50;
    let names: Vec<_> = (0..EACH).map(|n| format!("/{n}")).collect();
    let mut app = App::with_state((0_u64, 0_u64));
    for name in &names {
        app.of(name)
            .on_connect(|cx| {
                cx.state.0 += 1;
                cx.join(["lobby".to_owned(), format!("own {}", cx.state.0)]);
                cx.ask("q", ()).then(|_cx, _: Result<(), _>| {});
                cx.after(Duration::from_secs(1), |_cx| {});
                cx.once("never", |_cx, ()| {});
            })
            .on_disconnect(|cx, _, _| cx.state.1 += 1);
    }
    let mut lab = Lab::new(app);
    let connects: Vec<_> =
        names.iter().flat_map(|name| frame(0x81, format!("40{name},").as_bytes())).collect();
    for n in 0..100_000 / EACH {
        let (conn, sid) = lab.websocket_sid("");
        // Shard and index: places are used again, so tables do not grow.
        assert_eq!(sid[..8], *"AAAAAAAA", "{n}");
        lab.feed(conn, &connects);
        match n % 3 {
            0 => lab.lose(conn),
            1 => lab.feed(conn, &frame(0x81, b"1")),
            _ => lab.feed(conn, &frame(0x88, b"")),
        }
        assert!(n % 3 == 0 || lab.is_closed(conn));
        lab.remove(conn);
    }
    assert_eq!(*lab.node.state(), (100_000, 100_000));
    assert_eq!(lab.node.poll_timeout(), None, "no timer is left");
    let server = lab.node.server();
    assert_eq!((server.sessions(), server.connections()), (0, 0));
    for name in names {
        let left = lab.run(|root| (root.of(&name).rooms(), root.of(&name).sockets()));
        assert_eq!((left.0.len(), left.1.len()), (0, 0));
    }
}
