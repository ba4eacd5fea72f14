//! The rules of the handlers, over real bytes. What the core itself cannot name stands here on the
//! user's side: threads, which a [`Handle`] is for, and locks, as an observer goes with its node.

mod wire;

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use alloc::{format, vec};
use core::time::Duration;
use std::collections::VecDeque;
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::*;
use wire::{Wire, frame};

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
struct Point {
    x: i64,
    y: i64,
}

#[derive(Deserialize)]
struct Login {
    token: String,
}

/// A queue someone drains.
struct Queue<S> {
    work: Arc<Mutex<VecDeque<Outside<S>>>>,
    outside_max: usize,
}

impl<S> Clone for Queue<S> {
    fn clone(&self) -> Self {
        Self { work: Arc::clone(&self.work), outside_max: self.outside_max }
    }
}

impl<S: Send> Queue<S> {
    fn new(outside_max: usize) -> Self {
        Self { work: Arc::default(), outside_max }
    }

    fn pop(&self) -> Option<Outside<S>> {
        self.work.lock().unwrap().pop_front()
    }
}

impl<S: Send> Port<S> for Queue<S> {
    fn post(&self, work: Outside<S>) -> Result<(), NotTaken> {
        let mut queue = self.work.lock().unwrap();
        let jobs = queue.iter().filter(|work| work.is_job()).count();
        if work.is_job() && jobs >= self.outside_max {
            return Err(NotTaken::Full);
        }
        queue.push_back(work);
        Ok(())
    }
}

#[test]
fn what_emit_puts_on_the_wire() {
    let mut app = App::new();
    app.of("/").on("go", |cx, ()| {
        let p = Point { x: 1, y: 2 };
        cx.emit("none", ());
        cx.emit("one", "hi");
        cx.emit("two", (1, "a"));
        cx.emit("list", vec![1, 2]);
        cx.emit("struct", &p);
        cx.emit("null", serde_json::Value::Null);
        let pair = (1, "a");
        cx.emit("pair", (&pair,));
        cx.send("text");
        #[expect(clippy::needless_borrows_for_generic_args, reason = "the mistake meant")]
        let vague = cx.emit("pair", &pair);
        assert_eq!(vague, SendStatus::Invalid, "one argument or two? neither is guessed");
        assert_eq!(cx.emit("disconnect", ()), SendStatus::Invalid);
    });
    let mut wire = Wire::new(app);
    wire.send(1, "0");
    assert_eq!(
        wire.send(1, r#"2["go"]"#),
        [
            r#"1<2["none"]"#,
            r#"1<2["one","hi"]"#,
            r#"1<2["two",1,"a"]"#,
            r#"1<2["list",[1,2]]"#,
            r#"1<2["struct",{"x":1,"y":2}]"#,
            r#"1<2["null",null]"#,
            r#"1<2["pair",[1,"a"]]"#,
            r#"1<2["message","text"]"#
        ]
    );
    assert_eq!(wire.node.stats().emits_invalid, 2);
}

#[test]
fn bytes_go_both_ways() {
    let mut app = App::new();
    app.of("/").on("up", |_cx, (n, body): (i64, Bytes)| reply((n, body)));
    let mut wire = Wire::new(app);
    wire.send(1, "0");
    assert!(wire.send(1, r#"51-9["up",1,{"_placeholder":true,"num":0}]"#).is_empty());
    let out = wire.feed(1, frame(2, b"one"));
    assert_eq!(out, [r#"1<61-9[1,{"_placeholder":true,"num":0}]"#, "1<bytes one"]);
}

#[test]
fn bad_arguments_are_seen_and_may_be_answered() {
    let mut app = App::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    app.on_bad_args(move |_, event, why| log.lock().unwrap().push(format!("{event}: {why}")));
    app.answer_bad_args(|_| reply("bad"));
    app.of("/").on("n", |_cx, n: i64| reply(n));
    let mut wire = Wire::new(app);
    wire.send(1, "0");
    assert_eq!(wire.send(1, r#"21["n",2]"#), ["1<31[2]"]);
    assert_eq!(wire.send(1, r#"22["n","two"]"#), [r#"1<32["bad"]"#]);
    assert_eq!(wire.send(1, r#"2["n","two"]"#), [""; 0], "nobody asked");
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert!(seen[0].starts_with("n: ") && seen[0].contains("invalid type: string"), "{seen:?}");
    assert_eq!(wire.node.stats().args_bad, 2);
}

#[test]
fn the_chat_of_the_readme() {
    #[derive(Default)]
    struct Player {
        said: u32,
    }
    let mut app = App::with_state(BTreeMap::<SocketId, u32>::new());
    app.of("/chat")
        .data::<Player>()
        .authorize(|_cx, login: Login| {
            if login.token == "secret" { admit() } else { refuse("not authorized").with(401) }
        })
        .on_connect(|cx| cx.join("lobby"))
        .on("say", |cx, text: String| {
            cx.data.said += 1;
            *cx.state.entry(cx.id()).or_default() += 1;
            cx.to("lobby").emit("said", (cx.id(), text, cx.data.said))
        })
        .on("sum", |_cx, (a, b): (i64, i64)| reply(a + b))
        .on_disconnect(|cx, reason, rooms| {
            cx.broadcast().emit("left", (cx.id(), reason.to_string(), rooms));
            cx.state.remove(&cx.id());
        });
    let mut wire = Wire::new(app);
    let refused = r#"9<4/chat,{"message":"not authorized","data":401}"#;
    assert_eq!(wire.send(9, r#"0/chat,{"token":"x"}"#), [refused]);
    assert_eq!(wire.send(9, "0/chat,{}"), [r#"9<4/chat,{"message":"invalid auth"}"#]);
    assert_eq!(wire.send(9, "0/no,"), [r#"9<4/no,{"message":"Invalid namespace"}"#]);
    wire.send(1, r#"0/chat,{"token":"secret"}"#);
    wire.send(2, r#"0/chat,{"token":"secret"}"#);
    let said = r#"2<2/chat,["said","s1","hi",1]"#;
    assert_eq!(wire.send(1, r#"2/chat,["say","hi"]"#), [said], "not to the sender");
    assert_eq!(wire.send(1, r#"2/chat,5["sum",2,3]"#), ["1<3/chat,5[5]"]);
    assert_eq!(wire.send(1, r#"2/chat,["sum",2,3]"#), [""; 0], "not asked: dropped quietly");
    assert_eq!(wire.node.stats().replies_unasked, 1);
    let left = r#"2<2/chat,["left","s1","client namespace disconnect",["s1","lobby"]]"#;
    assert_eq!(wire.send(1, "1/chat,"), [left]);
    assert_eq!(wire.node.state().len(), 0);
}

#[test]
fn state_is_borrowed_while_emitting() {
    let mut app = App::with_state(vec![1u32, 2]);
    app.of("/").on("tick", |cx, ()| {
        let me = cx.me();
        for n in cx.state.iter_mut() {
            *n += 1;
            me.emit("n", *n);
        }
        for id in cx.broadcast().sockets() {
            cx.socket(id).disconnect(); // Members leave while they are walked.
        }
    });
    let mut wire = Wire::new(app);
    wire.send(1, "0");
    wire.send(2, "0");
    assert_eq!(wire.send(1, r#"2["tick"]"#), [r#"1<2["n",2]"#, r#"1<2["n",3]"#, "2<1"]);
}

#[test]
fn the_other_handler_runs_after_this_one() {
    let mut app = App::with_state(Vec::<String>::new());
    app.of("/")
        .on("kick", |cx, ()| {
            cx.broadcast().disconnect();
            cx.state.push("kick ends".into());
            cx.broadcast().emit("late", ()); // Nobody is left.
        })
        .on_disconnect(|cx, _, _| {
            cx.state.push(format!("{} gone, {:?}", cx.id(), cx.emit("bye", ())));
            cx.broadcast().emit("saw", cx.id());
        });
    let mut wire = Wire::new(app);
    for client in 1..=3 {
        wire.send(client, "0");
    }
    let out = wire.send(1, r#"2["kick"]"#);
    assert_eq!(out, [r#"1<2["saw","s2"]"#, r#"1<2["saw","s3"]"#, "2<1", "3<1"]);
    let state: Vec<_> = wire.node.state().iter().map(|text| wire.named(text)).collect();
    assert_eq!(state, ["kick ends", "s2 gone, Gone", "s3 gone, Gone"]);
}

#[test]
fn asks_settle_once_answered_late_gone_or_dropped() {
    let mut app = App::with_state(Vec::<String>::new());
    app.of("/").on("go", |cx, ()| {
        cx.ask("q", 1).timeout(ms(5)).then(|cx, answer: Result<i64, AskError>| {
            cx.state.push(match answer {
                Err(AskError::BadAnswer(_)) => "bad".into(),
                answer => format!("{answer:?}"),
            });
        });
    });
    app.of("/").on("reserved", |cx, ()| {
        cx.ask("connect", ()).then(|cx, answer: Result<(), _>| {
            cx.state.push(format!("{answer:?}"));
        });
        cx.state.push("never within `then`".into());
    });
    let mut wire = Wire::new(app);
    wire.send(1, "0");
    assert_eq!(wire.send(1, r#"2["go"]"#), [r#"1<20["q",1]"#]);
    wire.send(1, "30[42]");
    wire.send(1, "30[43]"); // Twice.
    wire.send(1, r#"2["go"]"#);
    wire.sleep(5);
    wire.send(1, "31[44]"); // Late.
    wire.send(1, r#"2["go"]"#);
    wire.send(1, r#"32["word"]"#);
    wire.send(1, r#"2["reserved"]"#);
    wire.send(1, r#"2["go"]"#);
    wire.lose(1);
    assert_eq!(
        wire.node.state(),
        &[
            "Ok(42)",
            "Err(TimedOut)",
            "bad",
            "never within `then`",
            "Err(Dropped)",
            "Err(Disconnected)"
        ]
    );
    assert_eq!(wire.node.stats().acks_unknown, 2);
    wire.out();
    assert_eq!(wire.node.poll_timeout(), None, "nothing outlives its outcome");
}

#[test]
fn answers_and_decisions_from_another_thread() {
    fn app(io: Handle) -> App {
        let mut app = App::new();
        let (db, auth) = (io.clone(), io);
        app.of("/")
            .authorize(move |cx, ()| {
                let (token, verdict) = cx.later();
                let io = auth.clone();
                std::thread::spawn(move || io.decide(token, admit())).join().unwrap().unwrap();
                verdict
            })
            .on("load", move |cx, id: i64| {
                let (io, token) = (db.clone(), cx.ack());
                let query = move || {
                    if let Some(token) = token {
                        io.answer(token, ("row", id)).unwrap();
                    }
                    let all = |root: &mut Root<'_>| {
                        root.of("/").emit("loaded", ());
                    };
                    io.run(all).unwrap();
                    assert_eq!(io.run(|_| unreachable!()), Err(NotTaken::Full), "jobs only");
                };
                std::thread::spawn(query).join().unwrap();
            });
        app
    }
    let queue = Queue::new(1);
    let mut wire = Wire::new(app(Handle::new(queue.clone())));
    let feed = |wire: &mut Wire| {
        while let Some(work) = queue.pop() {
            wire.node.outside(wire.at(), work);
        }
    };
    assert_eq!(wire.send(1, "0"), [""; 0], "still deciding");
    feed(&mut wire);
    assert_eq!(wire.out(), [r#"1<0{"sid":"s1"}"#]);
    assert_eq!(wire.send(1, r#"27["load",5]"#), [""; 0]);
    feed(&mut wire);
    assert_eq!(wire.out(), [r#"1<37["row",5]"#, r#"1<2["loaded"]"#]);
    wire.send(1, r#"28["load",5]"#);
    wire.lose(1);
    feed(&mut wire);
    assert_eq!((wire.out().len(), wire.node.stats().answers_gone), (0, 1));
}

#[test]
fn timers_fire_in_order_and_die_with_their_socket() {
    let mut app = App::new();
    app.of("/").on_connect(|cx| {
        cx.after(ms(20), |cx| cx.emit("b", cx.now().as_micros()));
        cx.after(ms(10), |cx| {
            cx.emit("a1", ());
            cx.after(ms(0), |cx| cx.emit("a3", ()));
        });
        cx.after(ms(10), |cx| cx.emit("a2", ()));
        let every = cx.every(ms(15), |cx| cx.emit("e", cx.now().as_micros()));
        cx.after(ms(31), move |cx| cx.io().cancel(every));
        cx.io().after(ms(100), |root| root.of("/").emit("root", root.now().as_micros()));
    });
    let mut wire = Wire::new(app);
    wire.send(1, "0");
    assert_eq!(
        wire.sleep(50),
        [
            r#"1<2["a1"]"#,
            r#"1<2["a2"]"#,
            r#"1<2["a3"]"#,
            r#"1<2["e",15000]"#,
            r#"1<2["b",20000]"#,
            r#"1<2["e",30000]"#
        ]
    );
    wire.send(2, "0");
    wire.lose(2);
    assert_eq!(wire.sleep(60), [r#"1<2["root",100000]"#], "the second's died with it");
}

#[test]
fn middleware_once_any_and_volatile() {
    let mut app = App::with_state(Vec::<String>::new());
    app.of("/room")
        .before(|_cx, event, _| if event == "bad" { stop() } else { go_on() })
        .on_any(|cx, event, args| cx.state.push(format!("{event} {}", args.to_json())))
        .on("arm", |cx, ()| cx.once("fire", |_cx, x: i64| reply(x)))
        .on("move", |cx, at: Point| {
            cx.broadcast().volatile().emit("moved", &at);
            cx.broadcast().volatile().emit("moved", &at)
        });
    let mut wire = Wire::new(app);
    wire.send(1, "0/room,");
    wire.send(2, "0/room,");
    wire.send(1, r#"2/room,["arm"]"#);
    assert_eq!(wire.send(1, r#"2/room,1["bad"]"#), [""; 0]);
    assert_eq!(wire.send(1, r#"2/room,1["fire",4]"#), ["1<3/room,1[4]"]);
    assert_eq!(wire.send(1, r#"2/room,2["fire",4]"#), [""; 0], "once");
    assert_eq!(wire.node.stats().events_unheard, 1);
    let moved = r#"2<2/room,["moved",{"x":1,"y":2}]"#;
    assert_eq!(wire.send(1, r#"2/room,["move",{"x":1,"y":2}]"#), [moved], "the second is busy");
    assert_eq!(wire.node.state()[1], "bad []");
}

#[test]
fn a_panic_costs_one_socket_and_no_data() {
    let mut app = App::with_state(0);
    app.of("/")
        .data::<u32>()
        .on("boom", |cx, ()| {
            *cx.state += 1;
            *cx.data = 7;
            cx.broadcast().emit("before", ());
            panic!("boom")
        })
        .on("ping", |cx, ()| cx.emit("pong", *cx.state))
        .on_disconnect(|cx, _, _| *cx.state += *cx.data);
    let mut wire = Wire::new(app);
    wire.send(1, "0");
    wire.send(2, "0");
    let boom = || wire.data(1, frame(1, br#"42["boom"]"#));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(boom)).is_err());
    assert_eq!(wire.node.after_panic(), Some(Culprit::Socket(wire.id(1))));
    assert_eq!(wire.out(), ["1<1", r#"2<2["before"]"#]);
    assert_eq!(wire.send(2, r#"2["ping"]"#), [r#"2<2["pong",8]"#], "what it held was kept");
    assert_eq!(wire.node.stats().panics, 1);
}

#[test]
fn data_is_typed_and_peers_can_be_read() {
    #[derive(Default)]
    struct Player {
        name: String,
    }
    let mut app = App::new();
    app.of("/").data::<Player>().on("name", |cx, name: String| cx.data.name = name).on(
        "who",
        |cx, ()| {
            let others = cx.broadcast().sockets().into_iter();
            let names: Vec<_> = others.filter_map(|id| cx.peer(id, |p| p.name.clone())).collect();
            cx.io().socket(cx.id()).after(ms(1), |_| {}); // A context without data leaves it alone.
            cx.volatile().emit("names", (&cx.data.name, names))
        },
    );
    let mut wire = Wire::new(app);
    for client in 1..=2 {
        wire.send(client, "0");
        wire.send(client, &format!(r#"2["name","n{client}"]"#));
    }
    assert_eq!(wire.send(1, r#"2["who"]"#), [r#"1<2["names","n1",["n2"]]"#]);
    wire.sleep(1);
    assert_eq!(wire.send(1, r#"2["who"]"#), [r#"1<2["names","n1",["n2"]]"#]);
}

#[test]
fn a_connect_is_decided_once() {
    let mut app = App::with_state(0);
    app.of("/")
        .authorize(|cx, ()| {
            let (token, _later) = cx.later();
            cx.io().decide(token, admit()); // And says it again:
            admit()
        })
        .on_connect(|cx| *cx.state += 1);
    let mut wire = Wire::new(app);
    assert_eq!(wire.send(1, "0"), [r#"1<0{"sid":"s1"}"#]);
    assert_eq!((*wire.node.state(), wire.node.stats().answers_gone), (1, 1));
}

#[test]
fn one_read_is_one_turn_and_one_deadline_is_one_turn() {
    let mut app = App::with_state(Vec::<SendStatus>::new());
    app.of("/")
        .on("v", |cx, n: u32| {
            let status = cx.volatile().emit("w", n);
            cx.state.push(status);
        })
        .on("two", |cx, ()| {
            for n in 1..=2 {
                cx.volatile().emit("w", n);
            }
        })
        .on("arm", |cx, ()| {
            for n in 1..=2 {
                cx.after(ms(5), move |cx| cx.volatile().emit("due", n));
            }
        });
    let mut wire = Wire::new(app);
    wire.send(1, "0");
    assert_eq!(wire.send(1, r#"2["two"]"#), [r#"1<2["w",1]"#], "two in one turn: the first");
    let both = wire.send_all(1, &[r#"2["v",3]"#, r#"2["v",4]"#]);
    assert_eq!(both, [r#"1<2["w",3]"#], "two messages in one read: one turn");
    assert_eq!(wire.node.state(), &[SendStatus::Sent, SendStatus::Dropped]);
    let each = [wire.send(1, r#"2["v",5]"#), wire.send(1, r#"2["v",6]"#)].concat();
    assert_eq!(each, [r#"1<2["w",5]"#, r#"1<2["w",6]"#], "two reads: two turns");
    wire.send(1, r#"2["arm"]"#);
    wire.now += 5000;
    wire.node.handle_timeout(wire.at()); // One call fires both; each is its own turn.
    assert_eq!(wire.out(), [r#"1<2["due",1]"#, r#"1<2["due",2]"#]);
    let (at, id) = (wire.at(), wire.id(1));
    let mut job = || wire.node.run(at, |root| root.socket(id).volatile().emit("job", ()));
    assert_eq!([job(), job()], [SendStatus::Sent; 2], "two jobs from outside: two turns");
}

#[test]
fn what_a_turn_causes_comes_before_the_next_deadline() {
    let mut app = App::with_state(Vec::<&str>::new());
    app.of("/")
        .on_connect(|cx| {
            for name in ["first", "second"] {
                cx.after(ms(5), move |cx| {
                    cx.state.push(name);
                    cx.io().after(Duration::ZERO, |root| root.state.push("after"));
                    cx.broadcast().disconnect()
                });
            }
        })
        .on_disconnect(|cx, _, _| cx.state.push("gone"));
    let mut wire = Wire::new(app);
    wire.send(1, "0");
    wire.send(2, "0");
    wire.now += 5000;
    wire.node.handle_timeout(wire.at()); // The second's own timers die before they are due.
    assert_eq!(wire.node.state(), &["first", "gone", "second", "after", "after"]);
}

#[test]
fn deadlines_without_end_do_not_hold_the_call() {
    let mut app = App::with_state(0);
    app.of("/").on_connect(|cx| {
        for _ in 0..20 {
            cx.io().after(Duration::ZERO, |root| *root.state += 1);
        }
    });
    let mut config = Config::default();
    config.limits.deadlines_per_call_max = 10;
    let mut wire = Wire::with(config, app);
    wire.send(1, "0");
    wire.node.handle_timeout(Instant::ZERO);
    let due = wire.node.poll_timeout();
    assert_eq!((*wire.node.state(), due), (10, Some((Instant::ZERO, Wake::Timer))));
}

#[test]
fn a_timer_may_cancel_itself_and_a_node_may_move() {
    let mut app = App::with_state(None::<TimerId>);
    app.of("/").on_connect(|cx| {
        let id = cx.every(ms(1), |cx| {
            cx.emit("tick", ());
            if cx.now() == Instant::from_micros(2000)
                && let Some(id) = *cx.state
            {
                cx.io().cancel(id);
            }
        });
        *cx.state = Some(id);
    });
    let mut wire = Wire::new(app);
    let moved = move || {
        wire.send(1, "0");
        wire.sleep(9)
    };
    let out = std::thread::spawn(moved).join().unwrap();
    assert_eq!(out, [r#"1<2["tick"]"#, r#"1<2["tick"]"#]);
}

#[test]
fn a_connect_refused_or_lost_leaves_nothing_behind() {
    let mut app = App::with_state(Vec::<String>::new());
    app.of("/")
        .authorize(|cx, ()| {
            cx.join("lobby");
            cx.emit("early", ());
            cx.after(ms(1), |cx| cx.state.push("never".into()));
            cx.later().1
        })
        .on_connect(|cx| cx.state.push("connected".into()))
        .on_disconnect(|cx, _, _| cx.state.push("disconnected".into()));
    let mut wire = Wire::new(app);
    assert_eq!(wire.send(1, "0"), [r#"1<2["early"]"#], "a connecting socket is a socket");
    let fanout = wire.node.run(Instant::ZERO, |root| root.to("lobby").emit("x", ()));
    assert_eq!(fanout, Fanout::default(), "broadcasts skip it");
    wire.lose(1);
    assert_eq!((wire.sleep(5).len(), wire.node.state().len()), (0, 0));
    assert_eq!(wire.node.poll_timeout(), None);
}

#[test]
fn events_behind_a_handlers_disconnect_are_dropped_and_others_are_not() {
    let mut app = App::with_state(Vec::<String>::new());
    app.of("/")
        .on("n", |cx, n: u32| cx.state.push(format!("{n} {:?}", cx.emit("got", n))))
        .on("out", |cx, ()| cx.disconnect())
        .on_disconnect(|cx, reason, _| cx.state.push(reason.to_string()));
    let mut wire = Wire::new(app);
    wire.send(1, "0");
    wire.send_all(1, &[r#"2["n",1]"#, r#"2["out"]"#, r#"2["n",2]"#]);
    wire.send(2, "0");
    wire.send_all(2, &[r#"2["n",3]"#, "1"]);
    let state = wire.node.state();
    assert_eq!(state[..2], ["1 Sent", "server namespace disconnect"]);
    assert_eq!(state[2..], ["3 Gone", "client namespace disconnect"], "it was said before the end");
    assert_eq!(wire.node.stats().events_dropped, 1);
}

/// Found by the simulator: the session was over, and the command said that it was done.
#[test]
fn a_session_that_its_client_ended_is_gone_for_commands() {
    struct Log(Arc<Mutex<Vec<Outcome>>>);
    impl Observer for Log {
        fn outcome(&mut self, _turn: u64, outcome: &Outcome) {
            self.0.lock().unwrap().push(*outcome);
        }
    }
    let mut app = App::with_state(Vec::<String>::new());
    app.of("/")
        .on("bye", |cx, ()| cx.disconnect_session())
        .on("n", |cx, n: u32| cx.state.push(format!("{n} {:?}", cx.emit("m", n))))
        .on_disconnecting(|cx, reason| cx.state.push(reason.to_string()));
    let mut wire = Wire::new(app);
    wire.send(1, "0");
    let log = Arc::new(Mutex::new(Vec::new()));
    wire.node.set_observer(alloc::boxed::Box::new(Log(Arc::clone(&log))));
    let close = frame(8, b"");
    let events = [r#"42["bye"]"#, r#"42["n",1]"#].map(|text| frame(1, text.as_bytes()));
    wire.feed(1, [events.concat(), close].concat());
    assert_eq!(wire.node.state(), &["1 Gone", "transport close"]);
    assert_eq!(*log.lock().unwrap(), [Outcome::Gone, Outcome::Send(SendStatus::Gone)]);
}

#[test]
fn whoever_leaves_makes_room_for_whom_joins_behind_it() {
    let mut app = App::with_state(());
    for name in ["/", "/a", "/b"] {
        // Whoever leaves stays to be looked at.
        app.of(name).on_disconnecting(|_cx, _reason| {});
    }
    let config = Config::default();
    let limits = Limits { namespaces_per_session_max: 2, ..config.limits };
    let mut wire = Wire::with(Config { limits, ..config }, app);
    wire.send(1, "0");
    wire.send(1, "0/a,");
    let frames = ["41/a,", "40/b,", "40/a,"].map(|text| frame(1, text.as_bytes()));
    wire.feed(1, frames.concat());
    let stats = wire.node.stats();
    assert_eq!((stats.sockets_connected, stats.connects_refused), (3, 1));
}

#[test]
fn rooms_are_intact_while_disconnecting() {
    let mut app = App::with_state(Vec::<String>::new());
    app.of("/")
        .on_connect(|cx| cx.join(["a", "b"]))
        .on_disconnecting(|cx, reason| {
            cx.state.push(format!("{reason}, {} rooms", cx.rooms().len()));
        })
        .on_disconnect(|cx, _, rooms| {
            cx.state.push(format!("{} now, {} then", cx.rooms().len(), rooms.len()));
        });
    let mut wire = Wire::new(app);
    wire.send(1, "0");
    wire.lose(1);
    assert_eq!(wire.node.state(), &["transport close, 3 rooms", "0 now, 3 then"]);
}

#[test]
fn the_engine_alone_echoes() {
    let mut app = App::with_state(Vec::<String>::new());
    app.engine()
        .on_open(|cx| cx.state.push("open".into()))
        .on_message(|cx, message| cx.send(message))
        .on_close(|cx, why| cx.state.push(why.to_string()));
    let mut wire = Wire::with(Config::engine(), app);
    assert_eq!(wire.send(1, "hello"), ["1<hello"]);
    assert_eq!(wire.feed(1, frame(2, b"raw")), ["1<bytes raw"]);
    wire.lose(1);
    assert_eq!(wire.node.state(), &["open", "transport close"]);
}

#[test]
fn an_observer_is_told_of_inputs_handlers_and_commands() {
    struct Log(Arc<Mutex<Vec<String>>>);
    impl Observer for Log {
        fn input(&mut self, _now: Instant, input: &NodeInput<'_>) {
            if let NodeInput::Run(place) = input {
                self.0.lock().unwrap().push(format!("run {}", place.file()));
            }
        }

        fn handler(&mut self, _turn: u64, handler: &Handler<'_>) {
            if let Handler::Event { event, .. } = handler {
                self.0.lock().unwrap().push(format!("on {event}"));
            }
        }

        fn command(&mut self, _turn: u64, command: &Command<'_>) {
            if let Command::Emit { event, args, .. } = command {
                self.0.lock().unwrap().push(format!("emit {event} {args:?}"));
            }
        }

        fn outcome(&mut self, _turn: u64, outcome: &Outcome) {
            self.0.lock().unwrap().push(format!("{outcome:?}"));
        }

        fn site(&mut self, site: &'static core::panic::Location<'static>) {
            self.0.lock().unwrap().push(format!("line {}", site.line()));
        }
    }
    let log = Arc::new(Mutex::new(Vec::new()));
    let mut app = App::new();
    let line = line!() + 1;
    app.of("/").on("go", |cx, ()| cx.emit("gone", 1));
    let mut wire = Wire::new(app);
    wire.send(1, "0");
    wire.node.set_observer(alloc::boxed::Box::new(Log(Arc::clone(&log))));
    wire.send(1, r#"2["go"]"#);
    let at = wire.at();
    wire.node.run(at, |_root| {});
    let log = log.lock().unwrap();
    assert_eq!(log[..4], ["on go", &format!("line {line}"), "emit gone [1]", "Send(Sent)"]);
    assert!(log[4].starts_with("run ") && log[4].ends_with("tests.rs"), "{log:?}");
}

#[test]
fn a_configuration_that_silences_handlers_is_refused() {
    let mut app = App::new();
    app.of("/").on("x", |_cx, ()| {});
    assert!(Node::new(Config::engine(), app, [0; 32], Instant::ZERO, 0).is_err());
    let mut app = App::new();
    app.engine().on_message(|_cx, _| {});
    assert!(Node::new(Config::default(), app, [0; 32], Instant::ZERO, 0).is_err());
}

/// `disconnect()` and `connect()` in a row leave a client in one read.
#[test]
fn a_client_may_leave_and_join_again_in_one_read() {
    let mut app = App::with_state(Vec::<String>::new());
    app.of("/")
        .on_connect(|cx| cx.state.push("on".into()))
        .on_disconnecting(|cx, why| cx.state.push(why.to_string()));
    let mut wire = Wire::new(app);
    wire.send(1, "0");
    assert_eq!(wire.send_all(1, &["1", "0"]), ["1<0{\"sid\":\"s2\"}"]);
    assert_eq!(wire.node.state(), &["on", "client namespace disconnect", "on"]);
}

/// A turn is everything that one cause brings about, the end of the server included.
#[test]
fn a_handler_that_closes_the_server_does_so_in_its_turn() {
    struct Turns(Arc<Mutex<Vec<u64>>>);
    impl Observer for Turns {
        fn event(&mut self, turn: u64, _event: &Event) {
            self.0.lock().unwrap().push(turn);
        }
    }
    for by_handler in [true, false] {
        let mut app = App::new();
        app.of("/").on("close", |cx, ()| cx.io().close());
        let mut wire = Wire::new(app);
        wire.send(1, "0");
        let turns = Arc::new(Mutex::new(Vec::new()));
        wire.node.set_observer(alloc::boxed::Box::new(Turns(Arc::clone(&turns))));
        let before = wire.node.server().turn_last();
        let at = wire.at();
        match by_handler {
            true => drop(wire.send(1, r#"2["close"]"#)),
            false => wire.node.shutdown(at),
        }
        let turns = turns.lock().unwrap();
        assert!(!turns.is_empty() && turns.iter().all(|&turn| turn == before + 1), "{turns:?}");
    }
}
