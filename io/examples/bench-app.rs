//! The application of the comparisons in `BENCHMARKS.md`: echoes, rooms and broadcasts on
//! `127.0.0.1:$PORT`.

use std::collections::BTreeMap;
use std::env;
use std::io;

use parlor::{App, Handle, Payload, reply};
use serde_json::Value;

fn main() -> io::Result<()> {
    let port = env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(3000);
    parlor_io::serve(("127.0.0.1", port), app)
}

fn app(_io: Handle) -> App {
    let mut app = App::new();
    app.of("/")
        .on("echo", |cx, args: Payload| {
            cx.emit("echo", args);
        })
        .on("echo-ack", |_cx, args: Payload| reply(args))
        .on("join", |cx, room: String| {
            cx.join(&room);
            reply(())
        })
        .on("leave", |cx, room: String| {
            cx.leave(&room);
            reply(())
        })
        .on("bcast", |cx, what: BTreeMap<String, Value>| {
            cx.io().to(room(&what)).emit("msg", &what["msg"]);
        })
        .on("vbcast", |cx, what: BTreeMap<String, Value>| {
            cx.io().to(room(&what)).volatile().emit("msg", &what["msg"]);
        });
    app
}

/// A broadcast is `{"room": .., "msg": ..}`; another kind of thing is a mistake of the benchmark.
fn room(what: &BTreeMap<String, Value>) -> &str {
    what["room"].as_str().expect("a room's name is a text")
}
