//! G and I: namespaces, rooms, and who hears a broadcast.

use parlor::{App, Audience, Bytes, Config, Fanout, RoomEvent, Root, admit, refuse};

use crate::lab::{Lab, Log};

/// Clients of `/`, `s1` and so on.
fn lab_of(count: usize) -> (Lab<Log>, Vec<parlor::ConnId>) {
    let mut app = App::with_state(Log::new());
    app.of("/")
        .on("join", |cx, room: String| cx.join(room))
        .on("to", |cx, room: String| cx.to(room).emit("x", ()))
        .on("others", |cx, ()| cx.broadcast().emit("x", ()));
    let mut lab = Lab::new(app);
    let conns = (0..count).map(|_| lab.connected()).collect();
    (lab, conns)
}

/// The numbers of the clients that heard `x`, each as often as it did.
fn hearing(lab: &mut Lab<Log>, conns: &[parlor::ConnId]) -> Vec<usize> {
    let said = conns.iter().zip(1..).map(|(&conn, n)| (n, lab.said(conn)));
    let heard = said.collect::<Vec<_>>().into_iter().flat_map(|(n, lines)| {
        assert!(lines.iter().all(|line| line == r#"42["x"]"#), "{lines:?}");
        vec![n; lines.len()]
    });
    heard.collect()
}

fn join(lab: &mut Lab<Log>, n: usize, rooms: &[&'static str]) {
    let id = lab.id(n);
    lab.run(|root| root.socket(id).join(rooms));
}

#[test]
fn row_089_a_namespace_is_made_on_first_mention_and_its_slash_is_added() {
    let mut app = App::new();
    app.of("chat").on("x", |_cx, ()| parlor::reply(1));
    app.of("/chat").on("y", |_cx, ()| parlor::reply(2));
    let mut lab = Lab::new(app);
    let conn = lab.websocket();
    assert_eq!(lab.text(conn, "40/chat,"), [r#"40/chat,{"sid":"s1"}"#]);
    let answers = lab.texts(conn, &[r#"42/chat,0["x"]"#, r#"42/chat,1["y"]"#]);
    assert_eq!(answers, ["43/chat,0[1]", "43/chat,1[2]"], "one namespace");
    assert_eq!(lab.text(conn, "40"), [r#"40{"sid":"s2"}"#], "`/` is there unasked");
    for other in ["/Chat", "/chat/", "/chat?a=b", "/cha"] {
        let refused = format!(r#"44{other},{{"message":"Invalid namespace"}}"#);
        assert_eq!(lab.text(conn, &format!("40{other},")), [refused]);
    }
    let counts = lab.run(|root| ["chat", "/chat", "/none"].map(|n| root.of(n).sockets().len()));
    assert_eq!(counts, [1, 1, 0]);
}

#[test]
fn row_107_rooms_come_with_their_first_member_and_go_with_their_last() {
    let mut app = App::with_state(Log::new());
    app.of("/").on_connect(|cx| cx.join("lobby"));
    app.on_room(|root, event| {
        let line = match event {
            RoomEvent::Created { room, .. } => format!("create {room}"),
            RoomEvent::Joined { room, socket, .. } => format!("join {room} {socket}"),
            RoomEvent::Left { room, socket, .. } => format!("leave {room} {socket}"),
            RoomEvent::Deleted { room, .. } => format!("delete {room}"),
            _ => "unknown".to_owned(),
        };
        root.state.push(line);
    });
    let mut lab = Lab::new(app);
    let (first, _second) = (lab.connected(), lab.connected());
    let joins = ["create s1", "join s1 s1", "create lobby", "join lobby s1", "create s2"];
    let log = lab.log();
    assert_eq!(log[..5], joins);
    assert_eq!(log[5..], ["join s2 s2", "join lobby s2"]);
    let (one, two) = (lab.id(1), lab.id(2));
    let rooms = lab.run(|root| {
        let socket = root.socket(one);
        socket.join(["b", "a", "b"]);
        socket.join("a");
        socket.rooms()
    });
    assert_eq!(rooms[1..].join(" "), "lobby b a", "in the order of joining, its own first");
    assert_eq!(lab.named(&rooms[0]), "s1");
    assert_eq!(lab.log(), ["create b", "join b s1", "create a", "join a s1"]);
    lab.run(|root| {
        root.socket(one).leave(["b", "never"]);
        root.socket(one).leave(one);
        root.socket(two).join(one);
    });
    let wanted = ["leave b s1", "delete b", "leave s1 s1", "delete s1", "create s1", "join s1 s2"];
    assert_eq!(lab.log(), wanted);
    let listed = |root: &mut Root<'_, Log>| root.of("/").rooms();
    let rooms: Vec<_> = lab.run(listed).iter().map(|(room, n)| format!("{room} {n}")).collect();
    let rooms: Vec<_> = rooms.iter().map(|line| lab.named(line)).collect();
    assert!(rooms.contains(&"lobby 2".into()) && rooms.contains(&"a 1".into()), "{rooms:?}");
    assert!(rooms.contains(&"s1 1".into()) && rooms.len() == 3, "{rooms:?}");
    lab.text(first, "41");
    assert_eq!(lab.log(), ["leave lobby s1", "leave a s1", "delete a"]);
}

#[test]
fn row_108_who_has_gone_or_was_refused_is_in_no_room() {
    let mut app = App::with_state(Log::new());
    app.of("/")
        .authorize(|cx, how: serde_json::Value| {
            cx.join("early");
            if how["ok"] == true { admit() } else { refuse("no") }
        })
        .on_disconnecting(|cx, _| {
            cx.join("too late");
            let rooms = cx.rooms().len();
            cx.state.push(format!("{rooms} rooms"));
        })
        .on_disconnect(|cx, _, _| {
            cx.join("far too late");
            let rooms = cx.rooms().len();
            cx.state.push(format!("{rooms} rooms"));
        });
    let mut lab = Lab::new(app);
    let conn = lab.websocket();
    assert_eq!(lab.text(conn, "40"), [r#"44{"message":"no"}"#]);
    let rooms = |lab: &mut Lab<Log>| lab.run(|root| root.of("/").rooms().len());
    assert_eq!(rooms(&mut lab), 0);
    assert_eq!(lab.text(conn, r#"40{"ok":true}"#), [r#"40{"sid":"s1"}"#]);
    assert_eq!(rooms(&mut lab), 1);
    lab.text(conn, "41");
    assert_eq!((lab.log(), rooms(&mut lab)), (vec!["2 rooms".into(), "0 rooms".into()], 0));
    let id = lab.id(1);
    lab.run(|root| root.socket(id).join("never"));
    assert_eq!(rooms(&mut lab), 0);
}

#[test]
fn row_109_several_rooms_are_one_audience_without_duplicates() {
    let (mut lab, conns) = lab_of(4);
    join(&mut lab, 1, &["a"]);
    join(&mut lab, 2, &["a", "b"]);
    join(&mut lab, 3, &["b"]);
    type Choice = for<'a> fn(&Root<'a, Log>) -> Audience<'a, Log>;
    let choices: [(Choice, &[usize]); 4] = [
        (|root| root.to("a").to("b"), &[1, 2, 3]),
        (|root| root.to(["a", "b", "a"]), &[1, 2, 3]),
        (|root| root.of("/").in_("b").in_("none"), &[2, 3]),
        (|root| root.of("/"), &[1, 2, 3, 4]),
    ];
    for (choice, heard) in choices {
        let sent = lab.run(|root| choice(root).emit("x", ()));
        assert_eq!(sent, Fanout { sent: heard.len() as u32, ..Fanout::default() });
        assert_eq!(hearing(&mut lab, &conns), heard);
    }
}

#[test]
fn row_110_except_rooms_and_ids() {
    let (mut lab, conns) = lab_of(4);
    join(&mut lab, 1, &["a"]);
    join(&mut lab, 2, &["a", "b"]);
    join(&mut lab, 3, &["b"]);
    let id = lab.id(1);
    lab.run(|root| root.of("/").except("b").emit("x", ()));
    assert_eq!(hearing(&mut lab, &conns), [1, 4]);
    lab.run(|root| root.of("/").except(id).emit("x", ()));
    assert_eq!(hearing(&mut lab, &conns), [2, 3, 4]);
    lab.run(|root| root.to(["a", "b"]).except("b").except(["none"]).emit("x", ()));
    assert_eq!(hearing(&mut lab, &conns), [1]);
    lab.run(|root| root.to("a").except("a").emit("x", ()));
    assert_eq!(hearing(&mut lab, &conns), [0; 0]);
}

#[test]
fn row_111_a_socket_does_not_hear_itself() {
    let (mut lab, conns) = lab_of(3);
    for client in &conns[..2] {
        lab.text(*client, r#"42["join","a"]"#);
    }
    lab.text(conns[0], r#"42["others"]"#);
    assert_eq!(hearing(&mut lab, &conns), [2, 3]);
    lab.text(conns[0], r#"42["to","a"]"#);
    assert_eq!(hearing(&mut lab, &conns), [2]);
    let own = lab.id(1).to_string();
    lab.text(conns[0], &format!(r#"42["to","{own}"]"#));
    assert_eq!(hearing(&mut lab, &conns), [0; 0], "not by its own room either");
}

#[test]
fn row_112_an_audience_is_a_value() {
    let (mut lab, conns) = lab_of(3);
    join(&mut lab, 1, &["a"]);
    join(&mut lab, 2, &["b"]);
    lab.run(|root| {
        let all = root.of("/");
        let (a, b) = (all.clone().to("a"), all.clone().to("b"));
        let quiet = all.clone().except(["a", "b"]).volatile();
        a.emit("x", ());
        b.emit("x", ());
        a.emit("x", ());
        quiet.emit("x", ());
    });
    assert_eq!(hearing(&mut lab, &conns), [1, 1, 2, 3]);
    let written = |lab: &Lab<Log>| lab.node.stats().packets_sent;
    let before = written(&lab);
    lab.run(|root| root.of("/").emit("x", ()));
    assert_eq!(written(&lab), before + 3);
}

#[test]
fn row_113_what_is_done_to_an_audience() {
    let (mut lab, conns) = lab_of(4);
    join(&mut lab, 1, &["a"]);
    join(&mut lab, 2, &["a"]);
    join(&mut lab, 3, &["b"]);
    lab.run(|root| {
        root.to("a").join(["c", "d"]);
        root.to(["a", "b"]).except("b").leave("a");
    });
    let of = |lab: &mut Lab<Log>, room: &'static str| {
        let ids = lab.run(|root| root.to(room).sockets());
        ids.iter().map(|id| lab.named(&id.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(of(&mut lab, "a"), [""; 0]);
    assert_eq!(
        (of(&mut lab, "c"), of(&mut lab, "d")),
        (of(&mut lab, "d"), vec!["s1".into(), "s2".into()])
    );
    lab.run(|root| root.to("c").disconnect());
    assert_eq!((lab.said(conns[0]), lab.said(conns[1])), (vec!["41".into()], vec!["41".into()]));
    assert_eq!(lab.text(conns[0], "40"), [r#"40{"sid":"s5"}"#], "their sessions stay");
    lab.run(|root| root.to("b").disconnect_session());
    assert_eq!(lab.said(conns[2]), ["41", "<close>", "<end>"]);
    assert_eq!(lab.said(conns[3]), [""; 0]);
}

#[test]
fn row_114_sockets_are_listed_by_namespace_and_rooms() {
    let mut app = App::with_state(Log::new());
    app.of("/a").authorize(|cx, ()| cx.later().1);
    app.of("/b");
    let mut lab = Lab::new(app);
    let (first, second) = (lab.connected(), lab.connected());
    lab.text(first, "40/b,");
    lab.text(second, "40/a,"); // Connecting: it is in no list.
    join(&mut lab, 1, &["x", "y"]);
    join(&mut lab, 2, &["y"]);
    join(&mut lab, 3, &["y"]);
    type Choice = for<'a> fn(&Root<'a, Log>) -> Audience<'a, Log>;
    let choices: [(Choice, &str); 7] = [
        (|root| root.of("/"), "s1 s2"),
        (|root| root.of("/b"), "s3"),
        (|root| root.of("/a"), ""),
        (|root| root.to("y"), "s1 s2"),
        (|root| root.to("x"), "s1"),
        (|root| root.of("/b").to(["x", "y"]), "s3"),
        (|root| root.of("/").except("x"), "s2"),
    ];
    for (choice, listed) in choices {
        let ids = lab.run(|root| choice(root).sockets());
        let names: Vec<_> = ids.iter().map(|id| lab.named(&id.to_string())).collect();
        assert_eq!(names.join(" "), listed);
    }
    let known = [1, 2, 3].map(|n| lab.node.server().is_connected(lab.id(n)));
    assert_eq!(known, [true; 3]);
    lab.lose(first);
    assert_eq!(lab.run(|root| root.of("/").sockets()), [lab.id(2)]);
}

#[test]
fn row_115_bytes_reach_each_recipient_in_its_form() {
    let mut lab = Lab::with(Config::default(), App::new());
    let websocket = lab.connected();
    let (base64, _) = lab.websocket_sid("&b64=1");
    lab.text(base64, "40");
    let (parked, waiting) = (lab.polling_connected(), lab.polling_connected());
    lab.get(&parked);
    let bytes = Bytes::from_static(&[1, 2, 3, 4]);
    let sent = lab.run(|root| root.of("/").emit("b", (bytes.clone(), "t", bytes)));
    assert_eq!(sent.sent, 4);
    let text = r#"452-["b",{"_placeholder":true,"num":0},"t",{"_placeholder":true,"num":1}]"#;
    assert_eq!(lab.said(websocket), [text, "<bytes 01020304>", "<bytes 01020304>"]);
    assert_eq!(lab.said(base64), [text, "bAQIDBA==", "bAQIDBA=="]);
    let payload = format!("200 {text}\x1ebAQIDBA==\x1ebAQIDBA==");
    assert_eq!([lab.said(parked.down), lab.get(&waiting)].concat(), [&*payload; 2]);
}
