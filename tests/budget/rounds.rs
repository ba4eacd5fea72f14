//! What clients leave behind: a round of many who come by every transport, do all sorts of things
//! and go in every way. The bytes that are alive after a second one are those after the first.

use std::time::Duration;

use parlor::{App, AskError, ConnId, Input, Instant, Node, Payload, admit};

use crate::counting::live_bytes;
use crate::wire::{UPGRADE, Wire, frame, request, text};

const CLIENTS: usize = 54;

/// How a client goes.
const WAYS: [Way; 9] = [
    Way::Packet,
    Way::CloseFrame,
    Way::Disconnect,
    Way::Lost,
    Way::Eof,
    Way::Silent,
    Way::Kicked,
    Way::CutShort,
    Way::Fault,
];

#[derive(Clone, Copy)]
enum Way {
    /// The close packet of Engine.IO.
    Packet,
    /// On a websocket that of WebSocket.
    CloseFrame,
    /// It leaves its namespaces, and its connection breaks.
    Disconnect,
    Lost,
    Eof,
    /// It answers no ping.
    Silent,
    /// The program ends its session.
    Kicked,
    /// In the middle of a POST or of a frame.
    CutShort,
    /// By what is no packet.
    Fault,
}

/// One that has joined `/`: what it speaks on, and the rest of its URL if it polls.
struct Client {
    conn: ConnId,
    /// Its polling connection, once it has upgraded.
    old: Option<ConnId>,
    poll: Option<Vec<u8>>,
    sid: String,
}

#[test]
fn a_second_round_of_clients_leaves_what_the_first_left() {
    let node = Node::new(parlor::Config::default(), app(), [7; 32], Instant::ZERO, 0);
    let mut wire = Wire::new(node.expect("the default is in order"));
    let mut left = [0; 4];
    let before = live_bytes();
    for after in &mut left {
        round(&mut wire);
        *after = live_bytes() - before;
    }
    println!("{CLIENTS} clients that have gone leave {left:?} bytes, round by round");
    assert!(left[1..].iter().all(|&bytes| bytes == left[0]), "{left:?}");
    let stats = wire.machine.stats();
    assert_eq!(stats.upgrades, 4 * CLIENTS as u64 / 3);
    assert_eq!(stats.sessions_opened, 4 * CLIENTS as u64);
    assert_eq!(stats.sessions_closed, 4 * CLIENTS as u64);
    assert_eq!(stats.sockets_connected, stats.sockets_disconnected);
}

fn app() -> App {
    let mut app = App::new();
    app.of("/")
        .on("join", |cx, room: String| {
            cx.join(room);
        })
        .on("say", |cx, (room, text): (String, String)| {
            cx.to(room).emit("said", &text);
            cx.broadcast().volatile().emit("heard", text);
        })
        .on("question", |cx, ms: u64| {
            cx.ask("question", ms)
                .timeout(Duration::from_millis(ms))
                .then(|_cx, _answer: Result<u64, AskError>| {});
        })
        .on("later", |cx, ms: u64| {
            cx.after(Duration::from_millis(ms), |cx| {
                cx.emit("later", ());
            });
        })
        .on("bytes", |cx, args: Payload| {
            cx.emit("bytes", args);
        })
        .on("leave", |cx, ()| cx.disconnect_session());
    app.of("/late").authorize(|cx, ()| {
        cx.join("door");
        let (token, verdict) = cx.later();
        cx.io().after(Duration::from_millis(50), |root| root.decide(token, admit()));
        verdict
    });
    app.of("/never").authorize(|cx, ()| {
        cx.join("door");
        cx.later().1
    });
    app
}

/// All come, do everything, and go; then time goes on until nothing is due.
fn round(wire: &mut Wire<Node>) {
    let clients: Vec<_> = (0..CLIENTS).map(|number| join(wire, number)).collect();
    for (number, client) in clients.iter().enumerate() {
        let room = number % 5;
        client.says(wire, &format!(r#"42["join","room {room}"]"#));
        client.says(wire, "40/late,");
        client.says(wire, &format!(r#"42["later",{}]"#, 10 + number));
        client.says(wire, r#"451-["bytes",{"_placeholder":true,"num":0}]"#);
        client.attaches(wire, &[7; 100]);
        client.answers(wire, r#"42["question",1000]"#, number.is_multiple_of(2));
    }
    for (number, client) in clients.iter().enumerate() {
        client.says(wire, &format!(r#"42["say","room {}","{}"]"#, number % 5, "x".repeat(number)));
        client.polls(wire);
    }
    let now = wire.tick();
    wire.machine.run(now, |root| {
        root.of("/").emit("all", "the same for everyone");
        root.of("/").to("room 1").except("room 2").volatile().emit("some", "x".repeat(3000));
    });
    wire.flush();
    // Decisions are made, and questions that nobody has answered are over.
    let later = now + Duration::from_secs(2);
    while wire.machine.poll_timeout().is_some_and(|(at, _why)| at < later) {
        wire.expire();
    }
    for (number, client) in clients.into_iter().enumerate() {
        if number.is_multiple_of(2) {
            client.says(wire, "40/never,");
        }
        client.goes(wire, WAYS[number / 3 % WAYS.len()]);
    }
    while wire.machine.poll_timeout().is_some() {
        wire.expire();
    }
}

/// By turns it polls, has a websocket, and upgrades.
fn join(wire: &mut Wire<Node>, number: usize) -> Client {
    if number % 3 == 1 {
        let conn = wire.join();
        return Client { conn, old: None, poll: None, sid: String::new() };
    }
    let (conn, poll) = wire.join_polling();
    let shown = String::from_utf8_lossy(&poll).into_owned();
    let sid = shown.split(['&', ' ']).find_map(|part| part.strip_prefix("sid="));
    let sid = sid.expect("it is in the URL").to_string();
    if number.is_multiple_of(3) {
        return Client { conn, old: None, poll: Some(poll), sid };
    }
    let candidate = wire.connect();
    let upgrade = UPGRADE.replace("websocket HTTP", &format!("websocket&sid={sid} HTTP"));
    // A poll is under way when it probes.
    wire.exchange(conn, poll);
    wire.exchange(candidate, upgrade.into_bytes());
    wire.exchange(candidate, text("2probe"));
    wire.exchange(candidate, text("5"));
    Client { conn: candidate, old: Some(conn), poll: None, sid }
}

impl Client {
    fn says(&self, wire: &mut Wire<Node>, packet: &str) {
        match &self.poll {
            None => drop(wire.exchange(self.conn, text(packet))),
            Some(_) => self.posts(wire, packet),
        }
    }

    /// Its POST comes in pieces.
    fn posts(&self, wire: &mut Wire<Node>, body: &str) {
        let post = request("POST", &format!("&sid={}", self.sid), body);
        for piece in post.chunks(post.len() - body.len() / 2) {
            wire.exchange(self.conn, piece.to_vec());
        }
    }

    fn attaches(&self, wire: &mut Wire<Node>, data: &[u8]) {
        match &self.poll {
            None => drop(wire.exchange(self.conn, frame(0x82, data))),
            Some(_) => self.posts(wire, &format!("b{}", "BwcH".repeat(data.len() / 3) + "Bw==")),
        }
    }

    /// It is asked, and answers or not.
    fn answers(&self, wire: &mut Wire<Node>, question: &str, does: bool) {
        self.says(wire, question);
        self.polls(wire);
        let shown = wire.shown();
        let (before, _) = shown.split_once("[\"question\"").expect("the program asks");
        let start = before.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
        if does {
            // An event with an id, and the answer to it.
            self.says(wire, &format!("43{}[1]", &before[start + "42".len()..]));
        }
    }

    fn polls(&self, wire: &mut Wire<Node>) {
        if let Some(poll) = &self.poll {
            wire.exchange(self.conn, poll.clone());
        }
    }

    fn goes(self, wire: &mut Wire<Node>, way: Way) {
        let (conn, is_polling) = (self.conn, self.poll.is_some());
        match way {
            Way::Packet => self.says(wire, "1"),
            Way::CloseFrame if is_polling => {}
            Way::CloseFrame => drop(wire.exchange(conn, frame(0x88, &1000u16.to_be_bytes()))),
            Way::Disconnect => {
                self.says(wire, "41/late,");
                self.says(wire, "41");
                wire.ends(|conn| Input::Lost { conn }, conn);
            }
            Way::Lost => wire.ends(|conn| Input::Lost { conn }, conn),
            Way::Eof => wire.ends(|conn| Input::Eof { conn }, conn),
            Way::Silent => {}
            Way::Kicked => self.says(wire, r#"42["leave"]"#),
            Way::CutShort => {
                let whole = match is_polling {
                    true => request("POST", &format!("&sid={}", self.sid), r#"42["join","x"]"#),
                    false => text(r#"42["join","x"]"#),
                };
                wire.exchange(conn, whole[..whole.len() - 5].to_vec());
                wire.ends(|conn| Input::Lost { conn }, conn);
            }
            Way::Fault => self.says(wire, "no packet"),
        }
        if let Some(old) = self.old {
            wire.ends(|conn| Input::Eof { conn }, old);
        }
    }
}
