//! The application under simulation: a bit of everything, and always by the client's will.

use std::collections::VecDeque;
use std::time::Duration;

use parlor::{
    App, AskError, Bytes, Cx, Namespace, Payload, Response, SocketId, admit, refuse, reply,
};

/// Where clients may go: freely, only with a word, and after a while.
pub(crate) const SPACES: [&str; 3] = ["/", WORDED, "/late"];
pub(crate) const WORDED: &str = "/word";

/// What opens `/word`.
pub(crate) const WORD: &str = r#"{"word":"open"}"#;

/// The number of the next thing that is sent: so all of them are different.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    number: u64,
    /// Sockets that have gone.
    ghosts: VecDeque<SocketId>,
}

/// Ghosts that are remembered, and questions of a quiz: more than a byte can count.
const GHOSTS_MAX: usize = 8;
const QUIZ: u64 = 300;

impl Sent {
    fn next(&mut self) -> u64 {
        self.number += 1;
        self.number
    }
}

pub(crate) fn workload() -> App<Sent> {
    let mut app = App::with_state(Sent::default());
    app.on_request(|root, request| {
        let (token, later) = request.later();
        match request.path() {
            "/now" => Some(Response::new(200, "now")).into(),
            "/later" => {
                let after = Duration::from_millis(root.random() % 2000);
                root.after(after, |root| root.respond(token, Response::new(200, "later")));
                later
            }
            _ => None.into(),
        }
    });
    handlers(app.of("/"), "/");
    let word = app.of(WORDED).authorize(|_cx, auth: Payload| {
        let is_right = auth.argument(0) == Some(WORD);
        if is_right { admit() } else { refuse("that is not the word").with(401) }
    });
    handlers(word, WORDED);
    let late = app.of("/late").authorize(|cx, ()| {
        let number = cx.state.next();
        cx.emit("early", number);
        let (token, verdict) = cx.later();
        let io = cx.io();
        io.after(Duration::from_millis(cx.random() % 700), |root| root.decide(token, admit()));
        verdict
    });
    handlers(late, "/late");
    app
}

fn handlers(namespace: Namespace<'_, Sent>, name: &'static str) {
    let namespace = lifecycle(namespace);
    let namespace = rooms(namespace, name);
    questions(namespace)
        .on("echo", |cx, (_n, text): (u64, String)| {
            let number = cx.state.next();
            cx.emit("echo", (number, text));
        })
        .on("bytes", |cx, (_n, bytes): (u64, Bytes)| {
            let number = cx.state.next();
            cx.emit("bytes", (number, &bytes, &bytes));
        })
        .on("burst", |cx, (_n, count): (u64, u64)| {
            for turn in 0..count {
                let number = cx.state.next();
                let to = if turn % 5 == 3 { cx.me().volatile() } else { cx.me() };
                to.emit("burst", (number, "x".repeat(turn as usize * 40)));
            }
        })
        .on("volatile", |cx, (_n, text): (u64, String)| {
            let number = cx.state.next();
            cx.me().volatile().emit("volatile", (number, text));
        })
        .on("values", |cx, all: Payload| {
            cx.emit("values", &all);
        })
        // Whom nothing reaches any more.
        .on("ghosts", |cx, _n: u64| {
            let (number, io) = (cx.state.next(), cx.io());
            for &ghost in &cx.state.ghosts {
                io.socket(ghost).emit("ghost", number);
                io.socket(ghost).join("a");
            }
        })
        .on("tick", |cx, (_n, ms): (u64, u64)| tick(cx, Duration::from_millis(ms % 400)))
        .on("kick", |cx, _n: u64| cx.disconnect())
        .on("end", |cx, _n: u64| cx.disconnect_session());
}

fn lifecycle(namespace: Namespace<'_, Sent>) -> Namespace<'_, Sent> {
    namespace
        .on_connect(|cx| {
            let number = cx.state.next();
            cx.emit("welcome", number);
            let number = cx.state.next();
            cx.broadcast().emit("came", (number, cx.id()));
        })
        .on_disconnecting(|_cx, _why| {})
        .on_disconnect(|cx, why, _rooms| {
            let id = cx.id();
            cx.state.ghosts.push_back(id);
            if cx.state.ghosts.len() > GHOSTS_MAX {
                cx.state.ghosts.pop_front();
            }
            let number = cx.state.next();
            cx.broadcast().emit("left", (number, why.to_string()));
        })
}

fn rooms<'a>(namespace: Namespace<'a, Sent>, name: &'static str) -> Namespace<'a, Sent> {
    namespace
        .on("join", |cx, (_n, room): (u64, String)| cx.join(room))
        .on("leave", |cx, (_n, room): (u64, String)| cx.leave(room))
        .on("say", move |cx, (_n, room, text): (u64, String, String)| {
            let number = cx.state.next();
            cx.to(room).emit("said", (number, text));
        })
        .on("all", move |cx, (_n, text): (u64, String)| {
            let number = cx.state.next();
            cx.io().of(name).emit("all", (number, text));
        })
        .on("few", move |cx, (_n, room): (u64, String)| {
            let number = cx.state.next();
            cx.broadcast().except(room).volatile().emit("few", number);
        })
}

fn questions(namespace: Namespace<'_, Sent>) -> Namespace<'_, Sent> {
    namespace
        .on("sum", |_cx, (n, text): (u64, String)| reply((n, text)))
        .on("later", |cx, n: u64| {
            let Some(token) = cx.ack() else { return };
            let io = cx.io();
            io.after(Duration::from_millis(cx.random() % 3000), move |root| {
                root.answer(token, n);
            });
        })
        // By its token, and by a reply that comes too late.
        .on("both", |cx, n: u64| {
            let (token, io) = (cx.ack(), cx.io());
            token.into_iter().for_each(|token| {
                io.answer(token, n);
            });
            reply(n)
        })
        .on("quiz", |cx, _n: u64| {
            for _ in 0..QUIZ {
                let number = cx.state.next();
                let ask = cx.ask("quiz", number).timeout(Duration::from_secs(4));
                ask.then(|_cx, _answer: Result<u64, AskError>| {});
            }
        })
        .on("ask", |cx, (_n, ms): (u64, u64)| ask(cx, ms, false))
        .on("askv", |cx, (_n, ms): (u64, u64)| ask(cx, ms, true))
}

/// Several timers of one instant, one that repeats until it is taken back, and one that is taken
/// back at once.
fn tick(cx: &mut Cx<'_, Sent>, after: Duration) {
    let tick = |cx: &mut Cx<'_, Sent>| {
        let number = cx.state.next();
        cx.emit("tick", number);
    };
    cx.after(after, tick);
    let gone = cx.after(after, tick);
    let again = cx.every(after, tick);
    let io = cx.io();
    io.cancel(gone);
    io.after(after * 3 + Duration::from_millis(5), move |root| root.cancel(again));
}

fn ask(cx: &mut Cx<'_, Sent>, ms: u64, volatile: bool) {
    let number = cx.state.next();
    let me = if volatile { cx.me().volatile() } else { cx.me() };
    me.ask("question", number).timeout(Duration::from_millis(ms)).then(
        |cx, answer: Result<u64, AskError>| {
            // A command inside an outcome: it must lose or double no other.
            let number = cx.state.next();
            match answer {
                Ok(_) => {
                    cx.emit("thanks", number);
                }
                Err(AskError::TimedOut) if number % 8 == 0 => cx.disconnect(),
                Err(AskError::TimedOut) if number % 2 == 0 => {
                    let again = cx.ask("question", number).timeout(Duration::from_millis(500));
                    again.then(|_cx, _answer: Result<u64, AskError>| {});
                }
                Err(_) => {}
            }
        },
    );
}
