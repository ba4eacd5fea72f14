//! The application that the behaviours talk to: that of `reference.js`, with Parlor's handlers.

use parlor::{
    App, AskError, Audience, Bytes, Config, Cx, Handle, Namespace, Payload, admit, refuse, reply,
};
use parlor_io::{Driver, Options};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

/// Starts the server under test, and a second one that has short heartbeats.
pub(crate) fn start() -> SocketAddr {
    let heartbeat = Config {
        ping_interval: Duration::from_millis(250),
        ping_timeout: Duration::from_secs(1),
        ..Config::default()
    };
    let brisk = listen(heartbeat, application);
    listen(Config::default(), move |io| {
        let mut app = application(io);
        app.of("/").on("brisk port", move |_cx, ()| reply(brisk.port()));
        app
    })
}

fn listen(config: Config, program: impl FnOnce(Handle) -> App + Send + 'static) -> SocketAddr {
    let options = Options { config, ..Options::default() };
    let driver = Driver::bind("127.0.0.1:0", options).expect("a free port on the loopback");
    let address = driver.local_addr();
    thread::spawn(move || driver.run(program).expect("runs until the tests end"));
    address
}

fn application(io: Handle) -> App {
    let mut app = App::new();
    events(app.of("/"), io.clone());
    events(app.of("/other"), io.clone());
    events(app.of("/custom"), io.clone());
    let guarded = app.of("/guarded").authorize(|_cx, auth: Value| {
        if auth["token"] == "secret" {
            admit()
        } else {
            refuse("not authorized").with(json!({ "code": 401, "hint": "wrong token" }))
        }
    });
    events(guarded, io);
    app.of("/early")
        .authorize(|cx, ()| {
            cx.emit("early", 1);
            admit()
        })
        .on_connect(|cx| cx.emit("welcome", 2));
    app
}

fn events(namespace: Namespace<'_, ()>, io: Handle) {
    ends(rooms(asks(answers(echoes(namespace), io))));
}

fn echoes(mut namespace: Namespace<'_, ()>) -> Namespace<'_, ()> {
    for event in ["echo", "message", "42", "naïve \"event\" 🦜\n"] {
        namespace = namespace.on(event, move |cx, raw: Payload| cx.emit(event, raw));
    }
    namespace
        .on("echo uncompressed", |cx, raw: Payload| {
            here(cx).to(cx.id()).compress(false).emit("echo", raw)
        })
        .on("where", |cx, ()| reply(cx.namespace()))
        .on("handshake", |cx, (query, header): (String, String)| {
            let auth = cx.auth::<Value>().expect("any JSON is a value");
            let head = cx.handshake().expect("its session is open");
            let header = head.header(&header).map(String::from_utf8_lossy);
            reply((auth, head.query(&query), header))
        })
}

fn answers(namespace: Namespace<'_, ()>, io: Handle) -> Namespace<'_, ()> {
    namespace
        .on("answer", |_cx, raw: Payload| reply(raw))
        .on("answer nothing", |_cx, ()| reply(()))
        .on("answer after", |cx, (ms, value): (u64, Value)| {
            let Some(token) = cx.ack() else { return };
            cx.after(Duration::from_millis(ms), move |cx| cx.io().answer(token, value));
        })
        .on("answer from a thread", move |cx, value: Value| {
            let Some(token) = cx.ack() else { return };
            let io = io.clone();
            thread::spawn(move || io.answer(token, value));
        })
}

fn asks(namespace: Namespace<'_, ()>) -> Namespace<'_, ()> {
    fn ask(cx: &mut Cx<'_>, question: Payload, timeout: Duration) {
        cx.ask("question", question).timeout(timeout).then(
            |cx, answer: Result<Payload, AskError>| match answer {
                Ok(answer) => cx.emit("answered", answer),
                Err(_) => cx.emit("unanswered", ()),
            },
        );
    }
    namespace
        .on("ask", |cx, question: Payload| ask(cx, question, Duration::from_secs(5)))
        .on("ask briefly", |cx, question: Payload| ask(cx, question, Duration::from_millis(100)))
}

fn rooms(namespace: Namespace<'_, ()>) -> Namespace<'_, ()> {
    type Sent = (String, String, Value);
    namespace
        .on("join", |cx, room: String| {
            cx.join(&room);
            reply(())
        })
        .on("leave", |cx, room: String| {
            cx.leave(&room);
            reply(())
        })
        .on("to room", |cx, (room, event, value): Sent| cx.to(&room).emit(&event, value))
        .on("bytes to room", |cx, (room, event, bytes): (String, String, Bytes)| {
            cx.to(&room).emit(&event, bytes)
        })
        .on("in room", |cx, (room, event, value): Sent| here(cx).to(&room).emit(&event, value))
        .on("in rooms", |cx, (rooms, event, value): (Vec<String>, String, Value)| {
            here(cx).to(&rooms).emit(&event, value)
        })
        .on("in room except", |cx, (room, not, event, value): (String, String, String, Value)| {
            here(cx).to(&room).except(&not).emit(&event, value)
        })
        .on("to others", |cx, (event, value): (String, Value)| cx.broadcast().emit(&event, value))
        .on("to all", |cx, (event, value): (String, Value)| here(cx).emit(&event, value))
        .on("to socket", |cx, (id, event, value): Sent| cx.to(&id).emit(&event, value))
        .on("move room", |cx, (from, to): (String, String)| {
            here(cx).to(&from).join(&to);
            here(cx).to(&from).leave(&from);
            reply(())
        })
        .on("disconnect room", |cx, room: String| here(cx).to(&room).disconnect())
        .on("volatile after", |cx, (ms, value): (u64, Value)| {
            cx.after(Duration::from_millis(ms), |cx| cx.volatile().emit("volatile", value))
        })
}

fn ends(namespace: Namespace<'_, ()>) -> Namespace<'_, ()> {
    namespace
        .on("watch", |cx, id: String| {
            cx.join(format!("watch {id}"));
            reply(())
        })
        .on("disconnect me", |cx, ()| cx.disconnect())
        .on("disconnect session", |cx, ()| cx.disconnect_session())
        .on_disconnect(|cx, why, rooms| {
            let me = cx.id().to_string();
            let mut rooms: Vec<_> = rooms.iter().filter(|room| ***room != *me).collect();
            rooms.sort();
            here(cx).to(format!("watch {me}")).emit("left", (why.to_string(), rooms))
        })
}

/// Everyone in the namespace, the sender too.
fn here<'a>(cx: &Cx<'a>) -> Audience<'a> {
    cx.io().of(&cx.namespace())
}
