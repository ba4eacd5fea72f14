//! The program of the scenes. It has no state, and what it says does not depend on when it runs: so
//! what two clients make it do is the same in either order, unless the server makes a difference.

use std::time::Duration;

use parlor::{App, AskError, Bytes, Cx, reply};

/// For whoever is asked once more.
const LONG: Duration = Duration::from_millis(500);

pub(super) fn program() -> App<()> {
    let mut app = App::new();
    app.of("/")
        .on_connect(|cx| {
            cx.emit("welcome", cx.id());
            cx.broadcast().emit("came", cx.id());
        })
        .on_disconnect(|cx, why, _rooms| {
            cx.broadcast().emit("left", (cx.id(), why.to_string()));
        })
        .on("echo", |cx, (n, text): (u64, String)| {
            cx.emit("echo", (n, text));
        })
        .on("bytes", |cx, (n, bytes): (u64, Bytes)| {
            cx.emit("bytes", (n, &bytes, &bytes));
        })
        .on("all", |cx, (n, text): (u64, String)| {
            cx.io().of("/").emit("all", (n, text));
        })
        .on("few", |cx, (n, room): (u64, String)| {
            cx.broadcast().except(room).volatile().emit("few", n);
        })
        .on("sum", |_cx, (n, text): (u64, String)| reply((n, text)))
        .on("ask", |cx, (n, ms): (u64, u64)| ask(cx, n, Duration::from_millis(ms)));
    app
}

/// What becomes of one that is not answered in time is its number's.
fn ask(cx: &mut Cx<'_, ()>, number: u64, timeout: Duration) {
    cx.ask("question", number).timeout(timeout).then(
        move |cx, answer: Result<u64, AskError>| match (answer, number % 3) {
            (Ok(_), _) => {
                cx.emit("thanks", number);
            }
            (Err(AskError::TimedOut), 0) => cx.disconnect(),
            (Err(AskError::TimedOut), 1) => {
                let again = cx.ask("question", number).timeout(LONG);
                again.then(|_cx, _answer: Result<u64, AskError>| {});
            }
            (Err(_), _) => {}
        },
    );
}
