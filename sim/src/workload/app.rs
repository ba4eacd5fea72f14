//! The application under simulation: a bit of everything, and always by the client's will.

use std::collections::VecDeque;
use std::time::Duration;

use parlor::{
    App, AskError, Bytes, Cx, Namespace, Payload, Response, SendStatus, SocketId, admit, refuse,
    reply,
};

use super::Guise;
use crate::oracle::deeds::{Deed, Deeds};

/// Where clients may go: freely, only with a word, and after a while.
pub(crate) const SPACES: [&str; 3] = ["/", WORDED, LATE];
pub(crate) const WORDED: &str = "/word";
pub(crate) const LATE: &str = "/late";

/// What opens `/word`.
pub(crate) const WORD: &str = r#"{"word":"open"}"#;

/// The number of the next thing that is sent: so all of them are different.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    number: u64,
    /// Sockets that have gone.
    ghosts: VecDeque<SocketId>,
    /// Where it notes what it does, where somebody reads it.
    deeds: Option<Deeds>,
    variant: Variant,
    guise: Guise,
    /// How many numbers it has drawn.
    draws: u64,
}

/// What a comparison wants to be otherwise than it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Variant {
    /// Nothing.
    #[default]
    Plain,
    /// No ask is volatile, so nobody reacts to something volatile.
    AsksReliably,
    /// Nothing that is volatile is sent.
    NothingVolatile,
}

/// Ghosts that are remembered, and questions of a quiz: more than a byte can count.
const GHOSTS_MAX: usize = 8;
const QUIZ: u64 = 300;
/// What is left below a bound is filled up in steps of so many bytes, and then of one.
const BRIM: usize = 64;

impl Sent {
    fn number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// The number of what is sent now, by this command.
    fn next(&mut self, deed: fn(u64) -> Deed) -> u64 {
        let number = self.number();
        self.does(deed(number));
        number
    }

    /// The same, of what is volatile; `None` if that is not to be sent.
    fn next_volatile(&mut self, deed: fn(u64) -> Deed) -> Option<u64> {
        let number = self.number();
        let is_sent = self.variant != Variant::NothingVolatile;
        is_sent.then(|| {
            self.does(deed(number));
            number
        })
    }

    /// A number that was drawn, or another in its place.
    fn draw(&mut self, drawn: u64) -> u64 {
        self.draws += 1;
        self.guise.draw(self.draws, drawn)
    }

    fn does(&self, deed: Deed) {
        if let Some(deeds) = &self.deeds {
            deeds.note(deed);
        }
    }
}

/// The program, of which nobody reads what it notes.
pub(crate) fn workload() -> App<Sent> {
    with_state(Sent::default())
}

/// The program in a guise, which notes here what it does.
pub(crate) fn workload_with(deeds: Deeds, guise: Guise) -> App<Sent> {
    with_state(Sent { deeds: Some(deeds), guise, ..Sent::default() })
}

/// The program with something in it otherwise.
pub(crate) fn workload_as(variant: Variant) -> App<Sent> {
    with_state(Sent { variant, ..Sent::default() })
}

fn with_state(state: Sent) -> App<Sent> {
    let Guise { word: worded, late: slow, .. } = state.guise;
    let mut app = App::with_state(state);
    app.on_request(|root, request| {
        let (token, later) = request.later();
        match request.path() {
            "/now" => Some(Response::new(200, "now")).into(),
            "/later" => {
                let drawn = root.random();
                let after = Duration::from_millis(root.state.draw(drawn) % 2000);
                root.after(after, |root| root.respond(token, Response::new(200, "later")));
                later
            }
            _ => None.into(),
        }
    });
    handlers(app.of("/"), "/");
    let word = app.of(worded).authorize(|cx, auth: Payload| {
        let [a, ..] = cx.state.guise.rooms;
        // A room for the time at the door, and longer for those who come in.
        cx.state.does(Deed::Join);
        cx.join(a);
        let number = cx.state.next(Deed::Broadcast);
        cx.to(a).emit("knock", number);
        let is_right = auth.argument(0) == Some(WORD);
        if is_right { admit() } else { refuse("that is not the word").with(401) }
    });
    handlers(word, worded);
    let late = app.of(slow).authorize(|cx, ()| {
        let number = cx.state.next(Deed::Emit);
        cx.emit("early", number);
        if let Some(number) = cx.state.next_volatile(Deed::Emit) {
            cx.me().volatile().emit("early", number);
        }
        let [_, b, _] = cx.state.guise.rooms;
        cx.state.does(Deed::Join);
        cx.join(b);
        let (token, verdict) = cx.later();
        let (io, drawn) = (cx.io(), cx.random());
        io.after(Duration::from_millis(cx.state.draw(drawn) % 700), |root| {
            // Not to whom it waits for.
            let number = root.state.next(Deed::Broadcast);
            let Guise { late, rooms: [a, b, _], .. } = root.state.guise;
            root.of(late).to([a, b]).emit("decided", number);
            let is_welcome = number % 8 != 0;
            root.decide(token, if is_welcome { admit() } else { refuse("not today") });
        });
        verdict
    });
    handlers(late, slow);
    app
}

fn handlers(namespace: Namespace<'_, Sent>, name: &'static str) {
    let namespace = lifecycle(namespace);
    let namespace = rooms(namespace, name);
    let namespace = fleeting(namespace, name);
    questions(namespace, name)
        .on("echo", |cx, (_n, text): (u64, String)| {
            let number = cx.state.next(Deed::Emit);
            cx.emit("echo", (number, text));
        })
        .on("bytes", |cx, (_n, bytes): (u64, Bytes)| {
            let number = cx.state.next(Deed::Emit);
            cx.emit("bytes", (number, &bytes, &bytes));
        })
        .on("burst", |cx, (_n, count): (u64, u64)| {
            for turn in 0..count {
                let text = "x".repeat(turn as usize * 40);
                if turn % 5 != 3 {
                    let number = cx.state.next(Deed::Emit);
                    let length = text.len();
                    if cx.emit("burst", (number, text)) == SendStatus::Dropped {
                        return brim(cx, length);
                    }
                } else if let Some(number) = cx.state.next_volatile(Deed::Emit) {
                    cx.me().volatile().emit("burst", (number, text));
                }
            }
        })
        .on("volatile", |cx, (_n, text): (u64, String)| {
            if let Some(number) = cx.state.next_volatile(Deed::Emit) {
                cx.me().volatile().emit("volatile", (number, text));
            }
        })
        .on("values", |cx, all: Payload| {
            let first = all.argument(0).and_then(|text| text.parse().ok());
            cx.state.does(Deed::Emit(first.unwrap_or_default()));
            cx.emit("values", &all);
        })
        // Whom nothing reaches any more.
        .on("ghosts", |cx, _n: u64| {
            let (number, io) = (cx.state.number(), cx.io());
            for &ghost in &cx.state.ghosts {
                cx.state.does(Deed::Emit(number));
                io.socket(ghost).emit("ghost", number);
                cx.state.does(Deed::Join);
                io.socket(ghost).join(cx.state.guise.rooms[0]);
            }
        })
        .on("tick", |cx, (_n, ms): (u64, u64)| tick(cx, Duration::from_millis(ms % 400)))
        .on("kick", |cx, _n: u64| {
            cx.state.does(Deed::Disconnect);
            cx.disconnect();
        })
        .on("parting", |cx, _n: u64| {
            cx.state.does(Deed::Disconnect);
            cx.disconnect();
            // Nothing of this has an effect: it has gone.
            let number = cx.state.next(Deed::Emit);
            cx.emit("late", number);
            cx.state.does(Deed::Join);
            cx.join(cx.state.guise.rooms[0]);
        })
        .on("end", |cx, _n: u64| {
            cx.state.does(Deed::DisconnectSession);
            cx.disconnect_session();
        });
}

/// It is at its bound: what still fits is small, and fills it to the last byte.
fn brim(cx: &mut Cx<'_, Sent>, most: usize) {
    let lengths = (0..most).rev().step_by(BRIM).chain((0..BRIM).rev());
    for length in lengths {
        let number = cx.state.next(Deed::Emit);
        cx.emit("", (number, "x".repeat(length)));
    }
}

fn lifecycle(namespace: Namespace<'_, Sent>) -> Namespace<'_, Sent> {
    namespace
        .on_connect(|cx| {
            let number = cx.state.next(Deed::Emit);
            cx.emit("welcome", number);
            let number = cx.state.next(Deed::Broadcast);
            cx.broadcast().emit("came", (number, cx.id()));
        })
        // Its session closes under it: a polling client has yet to hear so.
        .on("hang up", |cx, _n: u64| {
            let Some(session) = cx.session() else { return };
            cx.state.does(Deed::CloseSession);
            cx.io().session(session).close();
            if let Some(number) = cx.state.next_volatile(Deed::Emit) {
                cx.me().volatile().emit("late", number);
            }
            let number = cx.state.next(Deed::Emit);
            cx.emit("late", number);
        })
        .on_disconnecting(|cx, _why| {
            // It has gone.
            cx.state.does(Deed::Join);
            cx.join(cx.state.guise.rooms[2]);
        })
        .on_disconnect(|cx, why, _rooms| {
            let id = cx.id();
            cx.state.ghosts.push_back(id);
            if cx.state.ghosts.len() > GHOSTS_MAX {
                cx.state.ghosts.pop_front();
            }
            let number = cx.state.next(Deed::Broadcast);
            cx.broadcast().emit("left", (number, why.to_string()));
        })
}

fn rooms<'a>(namespace: Namespace<'a, Sent>, name: &'static str) -> Namespace<'a, Sent> {
    namespace
        .on("join", |cx, (_n, room): (u64, String)| {
            cx.state.does(Deed::Join);
            cx.join(room);
        })
        .on("leave", |cx, (_n, room): (u64, String)| {
            cx.state.does(Deed::Leave);
            cx.leave(room);
        })
        .on("say", move |cx, (_n, room, text): (u64, String, String)| {
            let number = cx.state.next(Deed::Broadcast);
            cx.to(room).emit("said", (number, text));
        })
        .on("all", move |cx, (_n, text): (u64, String)| {
            let number = cx.state.next(Deed::Broadcast);
            cx.io().of(name).emit("all", (number, text));
        })
        .on("choir", move |cx, (_n, to, except): (u64, Vec<String>, Vec<String>)| {
            let number = cx.state.next(Deed::Broadcast);
            cx.io().of(name).to(&to).except(&except).emit("choir", number);
        })
        .on("empty", move |cx, (_n, room): (u64, String)| {
            let all = cx.io().of(name).to(room.clone());
            all.sockets().iter().for_each(|_member| cx.state.does(Deed::Leave));
            all.leave(room);
        })
        .on("few", move |cx, (_n, room): (u64, String)| {
            if let Some(number) = cx.state.next_volatile(Deed::Broadcast) {
                cx.broadcast().except(room).volatile().emit("few", number);
            }
        })
}

/// Volatile packets in company: with attachments, several in one turn, to many, by timers.
fn fleeting<'a>(namespace: Namespace<'a, Sent>, name: &'static str) -> Namespace<'a, Sent> {
    namespace
        .on("flash", |cx, (_n, bytes): (u64, Bytes)| {
            for _ in 0..2 {
                if let Some(number) = cx.state.next_volatile(Deed::Emit) {
                    cx.me().volatile().emit("flash", (number, &bytes));
                }
            }
        })
        // Behind a reliable one, and in front of another.
        .on("mixed", move |cx, (_n, text): (u64, String)| {
            let number = cx.state.next(Deed::Emit);
            cx.emit("mixed", (number, &text));
            for _ in 0..2 {
                if let Some(number) = cx.state.next_volatile(Deed::Emit) {
                    cx.me().volatile().emit("mixed", (number, &text));
                }
            }
            let number = cx.state.next(Deed::Emit);
            cx.emit("mixed", (number, &text));
            if let Some(number) = cx.state.next_volatile(Deed::Broadcast) {
                cx.broadcast().volatile().emit("mixed", (number, &text));
            }
        })
        .on("flare", move |cx, (_n, room): (u64, String)| {
            let io = cx.io();
            let [_, b, c] = cx.state.guise.rooms;
            let some = || io.of(name).to(room.clone()).to(b).except(c);
            if let Some(number) = cx.state.next_volatile(Deed::Broadcast) {
                some().volatile().emit("flare", (number, Bytes::copy_from_slice(&[7; 40])));
            }
            let number = cx.state.next(Deed::Broadcast);
            some().emit("flared", number);
        })
        .on("tour", move |cx, (_n, room): (u64, String)| {
            let [_, b, _] = cx.state.guise.rooms;
            for room in [&*room, &room, b] {
                cx.state.does(Deed::Join);
                cx.join(room);
            }
            let all = cx.io().of(name).to(room.clone()).to(b);
            let number = cx.state.next(Deed::Broadcast);
            all.emit("tour", number);
            cx.state.does(Deed::Leave);
            cx.leave(room);
            let number = cx.state.next(Deed::Broadcast);
            all.emit("tour", number);
        })
        .on("beats", move |cx, (_n, ms): (u64, u64)| {
            // Two of one instant are two turns.
            for _ in 0..2 {
                cx.me().after(Duration::from_millis(ms), |cx| {
                    if let Some(number) = cx.state.next_volatile(Deed::Emit) {
                        cx.me().volatile().emit("beat", number);
                    }
                });
            }
            cx.me().after(Duration::from_millis(ms / 2), move |cx| {
                if let Some(number) = cx.state.next_volatile(Deed::Broadcast) {
                    cx.io().of(name).volatile().emit("beats", number);
                }
            });
        })
}

fn questions<'a>(namespace: Namespace<'a, Sent>, name: &'static str) -> Namespace<'a, Sent> {
    namespace
        .on("sum", |_cx, (n, text): (u64, String)| reply((n, text)))
        .on("later", move |cx, n: u64| {
            let Some(token) = cx.ack() else { return };
            let (io, id, drawn) = (cx.io(), cx.id(), cx.random());
            io.after(Duration::from_millis(cx.state.draw(drawn) % 3000), move |root| {
                root.answer(token, n);
                if let Some(number) = root.state.next_volatile(Deed::Emit) {
                    root.socket(id).volatile().emit("answered", number);
                }
                if let Some(number) = root.state.next_volatile(Deed::Broadcast) {
                    root.of(name).volatile().emit("answered", number);
                }
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
                let number = cx.state.next(Deed::Ask);
                let ask = cx.ask("quiz", number).timeout(Duration::from_secs(4));
                ask.then(|_cx, _answer: Result<u64, AskError>| {});
            }
        })
        // As long as the options say.
        .on("wait", |cx, _n: u64| {
            let number = cx.state.next(Deed::Ask);
            cx.ask("question", number).then(|_cx, _answer: Result<u64, AskError>| {});
        })
        .on("ask", |cx, (_n, ms): (u64, u64)| ask(cx, ms, false))
        .on("askv", |cx, (_n, ms): (u64, u64)| {
            let is_volatile = cx.state.variant == Variant::Plain;
            ask(cx, ms, is_volatile);
        })
}

/// Several timers of one instant, one that repeats until it is taken back, and one that is taken
/// back at once.
fn tick(cx: &mut Cx<'_, Sent>, after: Duration) {
    let tick = |cx: &mut Cx<'_, Sent>| {
        let number = cx.state.next(Deed::Emit);
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
    let number = cx.state.next(Deed::Ask);
    let me = if volatile { cx.me().volatile() } else { cx.me() };
    me.ask("question", number).timeout(Duration::from_millis(ms)).then(
        |cx, answer: Result<u64, AskError>| {
            // A command inside an outcome: it must lose or double no other.
            let number = cx.state.number();
            match answer {
                Ok(_) => {
                    cx.state.does(Deed::Emit(number));
                    cx.emit("thanks", number);
                }
                Err(AskError::TimedOut) if number % 8 == 0 => {
                    cx.state.does(Deed::Disconnect);
                    cx.disconnect();
                }
                Err(AskError::TimedOut) if number % 2 == 0 => {
                    cx.state.does(Deed::Ask(number));
                    let again = cx.ask("question", number).timeout(Duration::from_millis(500));
                    again.then(|_cx, _answer: Result<u64, AskError>| {});
                }
                Err(_) => {}
            }
        },
    );
}

/// The same events, of an application without a state: each handler knows its own socket and
/// nobody else, and nothing that it says depends on when it runs.
pub(crate) fn apart() -> App<()> {
    let mut app = App::new();
    for name in SPACES {
        app.of(name)
            .on_connect(|cx| {
                cx.emit("welcome", cx.id());
            })
            .on("echo", |cx, (n, text): (u64, String)| {
                cx.emit("echo", (n, text));
            })
            .on("bytes", |cx, (n, bytes): (u64, Bytes)| {
                cx.emit("bytes", (n, &bytes, &bytes));
            })
            .on("sum", |_cx, (n, text): (u64, String)| reply((n, text)))
            .on("volatile", |cx, (n, text): (u64, String)| {
                cx.me().volatile().emit("volatile", (n, text));
            })
            .on("burst", |cx, (n, count): (u64, u64)| {
                for turn in 0..count {
                    let to = if turn % 5 == 3 { cx.me().volatile() } else { cx.me() };
                    to.emit("burst", (n, turn));
                }
            })
            .on("ask", |cx, (n, ms): (u64, u64)| {
                let asked = cx.me().ask("question", n).timeout(Duration::from_millis(ms));
                asked.then(|cx, answer: Result<u64, AskError>| {
                    cx.emit("settled", answer.is_ok());
                });
            })
            .on("kick", |cx, _n: u64| cx.disconnect());
    }
    app
}
