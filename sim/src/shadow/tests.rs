//! For each property a trace that must not fire it, and puts it to the test, and the same trace
//! with one turn changed, which must.

use std::sync::PoisonError;
use std::time::Duration;

use parlor::{
    App, Config, ConnId, Fanout, Input, Instant, Node, Outcome, Output, Overflow, Root, SendStatus,
    SocketId, Stats,
};

use super::record::{Record, Said};
use super::{Act, Call, Cause, Shadow};
use crate::client::packet::{self, Packet};
use crate::client::unit::Unit;
use crate::client::{http, ws};
use crate::oracle::{Property, Verdict, Verdicts};
use crate::watch::{Log, Records, Watcher};

/// A node, its shadow, and the hands that drive both.
pub(super) struct Bench {
    node: Node<()>,
    pub(super) shadow: Shadow,
    records: Records,
    verdicts: Verdicts,
    /// Each connection, and what its egress has shown and not sent.
    conns: Vec<(ConnId, Vec<u8>)>,
    /// What is done to the marked turn before the shadow sees it.
    tamper: Option<fn(&mut Turn)>,
    is_marked: bool,
}

/// What the shadow is told of a call.
pub(super) struct Turn {
    records: Vec<Record>,
    acts: Vec<Act>,
    grown: Vec<(usize, Vec<u8>)>,
    stats: Stats,
}

impl Bench {
    pub(super) fn new(config: Config, tamper: Option<fn(&mut Turn)>) -> Self {
        let mut config = config;
        config.limits.deadlines_per_call_max = 1;
        let mut app = App::new();
        app.of("/")
            .on("echo", |cx, text: String| cx.emit("echo", text))
            .on("sum", |_cx, n: u64| parlor::reply(n));
        app.of("/a").authorize(|cx, ()| {
            cx.emit("early", 1);
            parlor::admit()
        });
        let mut node = Node::new(config, app, [7; 32], Instant::ZERO, 0).unwrap();
        let records = Records::default();
        let told = Some(Records::clone(&records));
        node.set_observer(Box::new(Watcher::new(Log::default(), told, None)));
        let shadow = Shadow::new(node.server().config(), Some(1000)).unwrap();
        let (verdicts, conns) = (Verdicts::default(), Vec::new());
        Self { node, shadow, records, verdicts, conns, tamper, is_marked: false }
    }

    /// The next turn is the one that may be changed.
    fn mark(&mut self) {
        self.is_marked = true;
    }

    fn turn(&mut self, cause: Cause, work: impl FnOnce(&mut Node<()>, Instant)) {
        work(&mut self.node, Instant::from_micros(self.verdicts.now));
        let records =
            std::mem::take(&mut *self.records.lock().unwrap_or_else(PoisonError::into_inner));
        let mut turn =
            Turn { records, acts: Vec::new(), grown: Vec::new(), stats: *self.node.stats() };
        while let Some(output) = self.node.poll_output() {
            let place = |conn| self.conns.iter().position(|&(known, _)| known == conn).unwrap();
            turn.acts.extend(match output {
                Output::ShutdownWrite(conn) => Some(Act::Shut(place(conn))),
                Output::Close { conn, abort } => Some(Act::Close(place(conn), abort)),
                _ => None,
            });
        }
        for (place, (conn, shown)) in self.conns.iter_mut().enumerate() {
            let all: Vec<u8> = self.node.egress(*conn).flatten().copied().collect();
            if all.len() > shown.len() {
                turn.grown.push((place, all[shown.len()..].to_vec()));
            }
            *shown = all;
        }
        if let (true, Some(tamper)) = (std::mem::take(&mut self.is_marked), self.tamper) {
            tamper(&mut turn);
        }
        let Turn { records, acts, grown, stats } = &turn;
        let call = Call { cause, records, acts, grown, stats };
        self.shadow.call(&call, self.node.server(), &mut self.verdicts);
        self.shadow.compare_rooms(self.node.server(), &mut self.verdicts);
    }

    fn accept(&mut self) -> usize {
        let at = Instant::from_micros(self.verdicts.now);
        let conn = self.node.accept(at, parlor::Peer::Unix).unwrap();
        self.conns.push((conn, Vec::new()));
        let id = self.conns.len() - 1;
        self.turn(Cause::Accept { conn: id, is_explained: true }, |_, _| {});
        id
    }

    fn data(&mut self, id: usize, mut bytes: Vec<u8>, units: Vec<Unit>) {
        let conn = self.conns[id].0;
        self.turn(Cause::Data { conn: id, units }, |node, at| {
            node.handle(at, Input::Data { conn, bytes: &mut bytes });
        });
    }

    fn say(&mut self, id: usize, packet: &str) {
        let bytes = ws::frame(ws::TEXT, packet.as_bytes(), 0);
        self.data(id, bytes, vec![Unit::Frame(Packet::parse(packet).unwrap())]);
    }

    /// Everything is written.
    pub(super) fn flush(&mut self) {
        for id in 0..self.conns.len() {
            let bytes = self.conns[id].1.len();
            if bytes > 0 {
                self.sent(id, bytes, false);
            }
        }
    }

    pub(super) fn sent(&mut self, id: usize, bytes: usize, refused: bool) {
        let conn = self.conns[id].0;
        self.conns[id].1.drain(..bytes);
        let cause = Cause::Sent { conn: id, bytes: bytes as u64, is_refused: refused };
        self.turn(cause, |node, at| node.handle(at, Input::Sent { conn, bytes, refused }));
    }

    fn lost(&mut self, id: usize) {
        let conn = self.conns[id].0;
        self.turn(Cause::Lost { conn: id }, |node, at| node.handle(at, Input::Lost { conn }));
    }

    fn eof(&mut self, id: usize) {
        let conn = self.conns[id].0;
        self.turn(Cause::Eof { conn: id }, |node, at| node.handle(at, Input::Eof { conn }));
    }

    pub(super) fn run(&mut self, work: impl FnOnce(&mut Root<'_, ()>)) {
        self.turn(Cause::Outside, |node, at| node.run(at, work));
    }

    /// Lets time pass to the next deadline, and fires it.
    fn expire(&mut self) {
        let (due, wake) = self.node.poll_timeout().unwrap();
        self.verdicts.now = due.as_micros();
        let cause = Cause::Timeout { due: due.as_micros(), wake };
        self.turn(cause, Node::handle_timeout);
    }

    /// A client on a websocket, in `/`: its connection and its socket.
    pub(super) fn websocket(&mut self, session: u64) -> (usize, SocketId) {
        let id = self.accept();
        let unit = Unit::Handshake { session, is_websocket: true };
        self.data(id, http::upgrade(None), vec![unit]);
        self.say(id, "40");
        self.flush();
        (id, self.newest())
    }

    fn newest(&self) -> SocketId {
        self.shadow.sockets.all.iter().rev().find_map(|socket| socket.id).unwrap()
    }

    fn sid(&self, id: usize) -> String {
        let shown = String::from_utf8(self.conns[id].1.clone()).unwrap();
        shown.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap().into()
    }

    /// A client that polls, in `/`, with nothing parked: its connection, its sid and its socket.
    fn polling(&mut self, session: u64) -> (usize, String, SocketId) {
        let id = self.accept();
        let unit = Unit::Handshake { session, is_websocket: false };
        self.data(id, http::get(None), vec![unit]);
        let sid = self.sid(id);
        self.flush();
        self.post(session, &sid, "40");
        self.get(id, session, &sid);
        self.flush();
        let socket = self.newest();
        (id, sid, socket)
    }

    fn get(&mut self, id: usize, session: u64, sid: &str) {
        self.data(id, http::get(Some(sid)), vec![Unit::Get { session }]);
    }

    fn post(&mut self, session: u64, sid: &str, text: &str) {
        let packets = vec![Packet::parse(text).unwrap()];
        let bytes = http::post(sid, &packet::payload(&packets));
        let id = self.accept();
        self.data(id, bytes, vec![Unit::PostHead { session }, Unit::Post { session, packets }]);
    }

    /// A candidate that has probed.
    fn probe(&mut self, session: u64, sid: &str) -> usize {
        let id = self.accept();
        self.data(id, http::upgrade(Some(sid)), vec![Unit::Upgrade { session }]);
        self.say(id, "2probe");
        id
    }
}

impl Turn {
    /// The growth of a connection, made if there is none.
    fn of(&mut self, conn: usize) -> &mut Vec<u8> {
        if !self.grown.iter().any(|(known, _)| *known == conn) {
            self.grown.push((conn, Vec::new()));
        }
        let found = self.grown.iter_mut().find(|(known, _)| *known == conn);
        &mut found.expect("it was just made").1
    }

    fn cut(&mut self, conn: usize) {
        self.grown.retain(|&(known, _)| known != conn);
    }

    fn status(&mut self, outcome: Outcome) {
        for record in &mut self.records {
            if let Record::Said(_, told) = record {
                *told = outcome;
            }
        }
    }
}

fn text(payload: &str) -> Vec<u8> {
    let mut frame = vec![0x81, payload.len() as u8];
    frame.extend(payload.as_bytes());
    frame
}

fn answer(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// The script holds and tests the property; changed, it fires it.
#[track_caller]
fn judges(property: Property, config: &Config, script: fn(&mut Bench), tamper: fn(&mut Turn)) {
    let mut bench = Bench::new(config.clone(), None);
    script(&mut bench);
    let failure = bench.verdicts.failure().cloned();
    assert_eq!(failure, None);
    assert_ne!(bench.verdicts.of(property), Verdict::Vacuous, "{property}");
    let mut bench = Bench::new(config.clone(), Some(tamper));
    script(&mut bench);
    let failure = bench.verdicts.failure().cloned();
    assert_eq!(failure.as_ref().map(|failure| failure.property), Some(property), "{failure:?}");
}

fn plain() -> Config {
    Config::default()
}

fn all<'a>(root: &Root<'a, ()>) -> parlor::Audience<'a, ()> {
    root.io().of("/")
}

#[test]
fn s0_a_packet_of_nobody() {
    let script: fn(&mut Bench) = |bench| {
        let (id, _) = bench.websocket(1);
        bench.mark();
        bench.say(id, r#"42["echo","a"]"#);
    };
    judges(Property::S0, &plain(), script, |turn| turn.of(0).extend(text("4x")));
    judges(Property::S0, &plain(), script, |turn| {
        *turn.of(0) = text(r#"42["echo","b"]"#);
    });
    judges(Property::S0, &plain(), script, |turn| turn.of(0).truncate(5));
}

#[test]
fn v1_v2_v10_v11_two_volatiles_in_one_turn() {
    let script: fn(&mut Bench) = |bench| {
        let (_, socket) = bench.websocket(1);
        bench.mark();
        bench.run(|root| {
            root.io().socket(socket).volatile().emit("v", 1);
            root.io().socket(socket).volatile().emit("v", 2);
        });
    };
    judges(Property::V1, &plain(), script, |turn| turn.of(0).extend(text(r#"42["v",2]"#)));
    judges(Property::V2, &plain(), script, |turn| turn.cut(0));
    judges(Property::V10, &plain(), script, |turn| turn.status(Outcome::Send(SendStatus::Sent)));
    judges(Property::V11, &plain(), script, |turn| {
        turn.status(Outcome::Send(SendStatus::Dropped));
    });
    judges(Property::V11, &plain(), script, |turn| turn.stats.volatile_no_poll += 1);
}

#[test]
fn v1_v2_refused_until_empty() {
    let script: fn(&mut Bench) = |bench| {
        let (id, socket) = bench.websocket(1);
        bench.run(|root| {
            root.io().socket(socket).emit("a", 1);
        });
        bench.sent(id, 0, true);
        bench.run(|root| {
            root.io().socket(socket).volatile().emit("v", 1);
        });
        bench.sent(id, 3, false);
        bench.mark();
        bench.run(|root| {
            root.io().socket(socket).volatile().emit("v", 2);
        });
        bench.flush();
        bench.run(|root| {
            root.io().socket(socket).volatile().emit("v", 3);
        });
    };
    judges(Property::V1, &plain(), script, |turn| turn.of(0).extend(text(r#"42["v",2]"#)));
}

#[test]
fn v3_attachments_of_a_volatile() {
    let script: fn(&mut Bench) = |bench| {
        let (_, socket) = bench.websocket(1);
        bench.mark();
        bench.run(|root| {
            let bytes = parlor::Bytes::copy_from_slice(b"xyz");
            root.io().socket(socket).volatile().emit("v", &bytes);
        });
    };
    judges(Property::V3, &plain(), script, |turn| {
        let length = turn.of(0).len();
        turn.of(0).truncate(length - 5);
    });
}

#[test]
fn v4_a_volatile_that_waited_for_its_poll() {
    let script: fn(&mut Bench) = |bench| {
        let (id, sid, socket) = bench.polling(1);
        bench.run(|root| {
            root.io().socket(socket).volatile().emit("v", 1);
        });
        bench.mark();
        bench.get(id, 1, &sid);
        bench.run(|root| {
            root.io().socket(socket).emit("e", 1);
        });
        bench.flush();
        bench.run(|root| {
            root.io().socket(socket).emit("e", 2);
        });
        bench.get(id, 1, &sid);
    };
    judges(Property::V4, &plain(), script, |turn| turn.of(0).extend(answer(r#"42["v",1]"#)));
}

#[test]
fn v4_what_is_out_of_a_packet_does_not_wait() {
    let config = Config { volatile: parlor::Volatile::Turn { cork_bytes_max: 100 }, ..plain() };
    let mut bench = Bench::new(config, None);
    let (id, socket) = bench.websocket(1);
    bench.flush();
    let volatile = |bench: &mut Bench, bytes: usize| {
        bench.run(|root| {
            root.io().socket(socket).volatile().emit("v", "x".repeat(bytes));
        });
    };
    volatile(&mut bench, 100);
    bench.sent(id, 100, false);
    volatile(&mut bench, 1);
    assert_eq!(bench.verdicts.failure(), None);
    assert_eq!(bench.node.stats().volatile_cork, 0);
}

#[test]
fn v6_a_quiet_client() {
    let script: fn(&mut Bench) = |bench| {
        let (id, _, socket) = bench.polling(1);
        bench.flush();
        let (_, other) = bench.websocket(2);
        bench.flush();
        bench.verdicts.now += 50_000;
        bench.run(|root| {
            root.io().socket(other).volatile().emit("v", 1);
        });
        let _ = (id, socket);
    };
    let mut bench = Bench::new(plain(), None);
    script(&mut bench);
    assert_eq!(bench.verdicts.of(Property::V6), Verdict::Pass(1));
    // One who is quiet and does not poll cannot take it.
    bench.run(|root| {
        all(root).volatile().emit("v", 1);
    });
    let failure = bench.verdicts.failure().map(|failure| failure.property);
    assert_eq!(failure, Some(Property::V6));
}

#[test]
fn v6_a_poll_that_takes_something_else_in_the_same_call() {
    let mut bench = Bench::new(plain(), None);
    let (id, sid, socket) = bench.polling(1);
    bench.get(id, 1, &sid);
    bench.verdicts.now += 50_000;
    bench.run(|root| {
        root.io().socket(socket).emit("e", 1);
        root.io().socket(socket).volatile().emit("v", 1);
    });
    assert_eq!(bench.verdicts.failure(), None);
}

#[test]
fn s0_a_ping_frame_has_its_pong() {
    let script: fn(&mut Bench) = |bench| {
        let (id, _) = bench.websocket(1);
        bench.mark();
        let ping = ws::frame(ws::PING, b"x", 0);
        bench.data(id, ping, vec![Unit::WsPing(b"x".to_vec())]);
    };
    judges(Property::S0, &plain(), script, |turn| turn.grown.clear());
}

#[test]
fn v8_r2_who_gets_a_broadcast() {
    let script: fn(&mut Bench) = |bench| {
        let (_, one) = bench.websocket(1);
        let (_, _) = bench.websocket(2);
        let (_, three) = bench.websocket(3);
        bench.mark();
        bench.run(|root| {
            root.io().socket(three).join("no");
            root.io().socket(one).emit("a", 1);
            all(root).except("no").volatile().emit("v", 1);
            all(root).to("no").emit("r", 1);
        });
    };
    judges(Property::V8, &plain(), script, |turn| turn.cut(1));
    judges(Property::V8, &plain(), script, |turn| turn.of(0).extend(text(r#"42["v",1]"#)));
    judges(Property::R2, &plain(), script, |turn| turn.of(2).extend(text(r#"42["v",1]"#)));
    judges(Property::R2, &plain(), script, |turn| turn.of(2).extend(text(r#"42["r",1]"#)));
    judges(Property::R2, &plain(), script, |turn| turn.cut(2));
    judges(Property::R2, &plain(), script, |turn| {
        for record in &mut turn.records {
            if let Record::Said(Said::Broadcast { .. }, outcome) = record {
                *outcome = Outcome::Fanout(Fanout { sent: 3, ..Fanout::default() });
            }
        }
    });
}

#[test]
fn v9_an_ask_that_is_dropped_settles_in_its_turn() {
    let script: fn(&mut Bench) = |bench| {
        let (_, _, socket) = bench.polling(1);
        bench.mark();
        bench.run(|root| {
            let answered = |_: &mut parlor::Cx<'_, ()>, _: Result<u64, parlor::AskError>| {};
            root.io().socket(socket).volatile().ask("q", 1).then(answered);
        });
    };
    judges(Property::V9, &plain(), script, |turn| {
        turn.records.retain(|record| !matches!(record, Record::Settled { .. }));
    });
}

#[test]
fn v12_a_volatile_at_the_bound() {
    let mut config = plain();
    config.limits.egress_bytes_max = 4000;
    let script: fn(&mut Bench) = |bench| {
        let (_, socket) = bench.websocket(1);
        bench.mark();
        bench.run(|root| {
            root.io().socket(socket).volatile().emit("v", "x".repeat(5000));
        });
    };
    judges(Property::V12, &config, script, |turn| {
        turn.status(Outcome::Send(SendStatus::Gone));
    });
    judges(Property::V12, &config, script, |turn| turn.stats.overflow_closed += 1);
}

#[test]
fn o1_o5_the_order_of_packets() {
    let script: fn(&mut Bench) = |bench| {
        let (_, socket) = bench.websocket(1);
        bench.websocket(2);
        bench.mark();
        bench.run(|root| {
            root.io().socket(socket).emit("a", 1);
            root.io().socket(socket).emit("b", 1);
            all(root).emit("c", 1);
            all(root).emit("d", 1);
        });
    };
    judges(Property::O1, &plain(), script, |turn| {
        let (a, rest) = turn.of(0).split_at(11);
        let (b, rest) = rest.split_at(11);
        *turn.of(0) = [b, a, rest].concat();
    });
    judges(Property::O5, &plain(), script, |turn| {
        let (c, d) = turn.of(1).split_at(11);
        *turn.of(1) = [d, c].concat();
    });
    judges(Property::R2, &plain(), script, |turn| {
        let copy = turn.of(1)[..11].to_vec();
        turn.of(1).extend(copy);
    });
}

#[test]
fn o2_u1_the_turn_of_an_upgrade() {
    let script: fn(&mut Bench) = |bench| {
        let (_, sid, socket) = bench.polling(1);
        let candidate = bench.probe(1, &sid);
        bench.run(|root| {
            root.io().socket(socket).emit("a", 1);
            root.io().socket(socket).emit("b", 1);
        });
        bench.mark();
        bench.say(candidate, "5");
    };
    judges(Property::O2, &plain(), script, |turn| turn.cut(2));
    judges(Property::O2, &plain(), script, |turn| {
        let (a, b) = turn.of(2).split_at(11);
        *turn.of(2) = [b, a].concat();
    });
    judges(Property::U1, &plain(), script, |turn| turn.of(0).extend(answer(r#"42["z",1]"#)));
}

#[test]
fn u1_u2_the_probe() {
    let script: fn(&mut Bench) = |bench| {
        let (id, sid, _) = bench.polling(1);
        bench.get(id, 1, &sid);
        let candidate = bench.accept();
        bench.data(candidate, http::upgrade(Some(&sid)), vec![Unit::Upgrade { session: 1 }]);
        bench.mark();
        bench.say(candidate, "2probe");
    };
    judges(Property::U1, &plain(), script, |turn| turn.cut(2));
    judges(Property::U1, &plain(), script, |turn| turn.of(2).extend(text("3probe")));
    judges(Property::U1, &plain(), script, |turn| turn.of(2).extend(text(r#"42["a",1]"#)));
    judges(Property::U2, &plain(), script, |turn| turn.cut(0));
}

#[test]
fn u2_u7_a_poll_that_comes_after_the_probe() {
    let script: fn(&mut Bench) = |bench| {
        let (id, sid, socket) = bench.polling(1);
        bench.probe(1, &sid);
        bench.run(|root| {
            root.io().socket(socket).emit("a", 1);
        });
        bench.get(id, 1, &sid);
        bench.flush();
        bench.get(id, 1, &sid);
        bench.mark();
        bench.expire();
    };
    judges(Property::U7, &plain(), script, |turn| turn.cut(0));
}

#[test]
fn u3_u4_candidates_that_come_to_nothing() {
    let late: fn(&mut Bench) = |bench| {
        let (id, sid, _) = bench.polling(1);
        bench.get(id, 1, &sid);
        let candidate = bench.accept();
        bench.data(candidate, http::upgrade(Some(&sid)), vec![Unit::Upgrade { session: 1 }]);
        bench.flush();
        bench.mark();
        bench.expire();
    };
    judges(Property::U3, &plain(), late, |turn| turn.cut(2));
    let wrong: fn(&mut Bench) = |bench| {
        let (id, sid, _) = bench.polling(1);
        bench.get(id, 1, &sid);
        let candidate = bench.probe(1, &sid);
        bench.mark();
        bench.say(candidate, "4x");
    };
    judges(Property::U4, &plain(), wrong, |turn| turn.of(0).extend(answer("1")));
    let dead: fn(&mut Bench) = |bench| {
        let (id, sid, _) = bench.polling(1);
        let candidate = bench.probe(1, &sid);
        bench.get(id, 1, &sid);
        bench.mark();
        bench.eof(candidate);
    };
    judges(Property::U4, &plain(), dead, |turn| turn.of(0).extend(answer("1")));
    let second: fn(&mut Bench) = |bench| {
        let (id, sid, _) = bench.polling(1);
        bench.get(id, 1, &sid);
        bench.probe(1, &sid);
        let other = bench.accept();
        bench.mark();
        bench.data(other, http::upgrade(Some(&sid)), vec![Unit::Upgrade { session: 1 }]);
    };
    judges(Property::U4, &plain(), second, |turn| {
        let length = turn.of(3).len();
        turn.of(3).truncate(length - 2);
    });
}

#[test]
fn u5_a_session_closed_while_it_upgrades() {
    let script: fn(&mut Bench) = |bench| {
        let (id, sid, socket) = bench.polling(1);
        bench.probe(1, &sid);
        bench.get(id, 1, &sid);
        bench.run(|root| root.io().socket(socket).disconnect());
        bench.get(id, 1, &sid);
        bench.say_again(1, &sid);
        let socket = bench.newest();
        bench.mark();
        bench.run(|root| root.io().socket(socket).disconnect_session());
    };
    judges(Property::U5, &plain(), script, |turn| turn.of(2).extend(text("1")));
}

impl Bench {
    fn say_again(&mut self, session: u64, sid: &str) {
        self.post(session, sid, "40");
        self.flush();
    }
}

#[test]
fn u6_p5_the_heartbeat() {
    let mut config = plain();
    config.ping_interval = Duration::from_millis(300);
    config.ping_timeout = Duration::from_millis(200);
    let upgraded: fn(&mut Bench) = |bench| {
        let (_, sid, _) = bench.polling(1);
        let candidate = bench.probe(1, &sid);
        bench.say(candidate, "5");
        bench.flush();
        bench.mark();
        bench.expire();
        bench.flush();
        bench.expire();
    };
    judges(Property::U6, &config, upgraded, |turn| turn.cut(2));
    let parked: fn(&mut Bench) = |bench| {
        let (id, sid, _) = bench.polling(1);
        bench.get(id, 1, &sid);
        bench.mark();
        bench.expire();
    };
    judges(Property::P5, &config, parked, |turn| turn.cut(0));
}

#[test]
fn p2_a_second_poll() {
    let script: fn(&mut Bench) = |bench| {
        let (id, sid, _) = bench.polling(1);
        bench.get(id, 1, &sid);
        let other = bench.accept();
        bench.mark();
        bench.get(other, 1, &sid);
    };
    judges(Property::P2, &plain(), script, |turn| turn.cut(2));
    judges(Property::P2, &plain(), script, |turn| turn.cut(0));
}

#[test]
fn p4_a_poll_answer_that_may_be_lost() {
    let script: fn(&mut Bench) = |bench| {
        let (id, ..) = bench.polling(1);
        bench.mark();
        bench.lost(id);
    };
    judges(Property::P4, &plain(), script, |turn| turn.records.clear());
    let orderly: fn(&mut Bench) = |bench| {
        let (id, ..) = bench.polling(1);
        let (_, _) = bench.websocket(2);
        bench.mark();
        bench.eof(id);
    };
    judges(Property::P4, &plain(), orderly, |turn| turn.of(0).extend(answer("1")));
    // An older answer that was never all out is lost as well.
    let older: fn(&mut Bench) = |bench| {
        let (id, sid, socket) = bench.polling(1);
        bench.get(id, 1, &sid);
        bench.run(|root| {
            root.io().socket(socket).emit("a", "x".repeat(100));
        });
        bench.sent(id, 20, true);
        let other = bench.accept();
        bench.get(other, 1, &sid);
        bench.mark();
        bench.lost(id);
    };
    judges(Property::P4, &plain(), older, |turn| turn.records.clear());
}

#[test]
fn a7_an_answer() {
    let script: fn(&mut Bench) = |bench| {
        let (id, _) = bench.websocket(1);
        bench.mark();
        bench.say(id, r#"427["sum",3]"#);
    };
    judges(Property::A7, &plain(), script, |turn| turn.cut(0));
    judges(Property::A7, &plain(), script, |turn| turn.of(0).extend(text("438[3]")));
}

#[test]
fn r1_r3_rooms() {
    let script: fn(&mut Bench) = |bench| {
        let (_, socket) = bench.websocket(1);
        bench.mark();
        bench.run(|root| root.io().socket(socket).join("a"));
        bench.run(|root| root.io().socket(socket).join("a"));
        bench.run(|root| root.io().socket(socket).leave("a"));
    };
    judges(Property::R1, &plain(), script, |turn| turn.status(Outcome::Done(false)));
    // The shadow does not hear of it, and then it differs from the node.
    judges(Property::R1, &plain(), script, |turn| turn.records.clear());
    let gone: fn(&mut Bench) = |bench| {
        let (id, socket) = bench.websocket(1);
        bench.say(id, "41");
        bench.mark();
        bench.run(|root| root.io().socket(socket).join("a"));
    };
    judges(Property::R3, &plain(), gone, |turn| turn.status(Outcome::Done(true)));
}

#[test]
fn emits_before_the_admission_leave_before_connect() {
    let mut bench = Bench::new(plain(), None);
    let (id, _) = bench.websocket(1);
    bench.say(id, "40/a,");
    assert_eq!(bench.verdicts.failure(), None);
    let shown = String::from_utf8_lossy(&bench.conns[id].1).into_owned();
    assert!(shown.contains(r#"42/a,["early",1]"#), "{shown}");
}

#[test]
fn a_client_at_its_bound_is_closed_or_loses_the_message() {
    for overflow in [Overflow::CloseSession, Overflow::DropMessage] {
        let mut config = Config { overflow, ..plain() };
        config.limits.egress_bytes_max = 4000;
        let mut bench = Bench::new(config, None);
        let (_, one) = bench.websocket(1);
        let (_, _, two) = bench.polling(2);
        for socket in [one, two] {
            for _ in 0..6 {
                bench.run(|root| {
                    root.io().socket(socket).emit("a", "x".repeat(900));
                });
            }
        }
        assert_eq!(bench.verdicts.failure(), None, "{overflow:?}");
    }
}

#[test]
fn a_node_that_stops() {
    let mut bench = Bench::new(plain(), None);
    bench.websocket(1);
    let (id, sid, _) = bench.polling(2);
    bench.get(id, 2, &sid);
    bench.turn(Cause::Outside, Node::shutdown);
    assert_eq!(bench.verdicts.failure(), None);
}

#[test]
fn e6_one_drained_when_all_is_out() {
    let script: fn(&mut Bench) = |bench| {
        let (id, socket) = bench.websocket(1);
        bench.run(|root| {
            root.io().socket(socket).emit("a", "more than eight bytes");
        });
        bench.sent(id, 5, false);
        bench.mark();
        bench.flush();
        bench.say(id, r#"42["echo",""]"#);
    };
    let mut config = Config::default();
    config.limits.egress_bytes_high = 8;
    judges(Property::E6, &config, script, |turn| turn.records.clear());
    judges(Property::E6, &config, script, |turn| turn.records.extend_from_within(..));
    // It waits for a poll, and goes out on the websocket.
    let script: fn(&mut Bench) = |bench| {
        let (_, sid, socket) = bench.polling(1);
        let websocket = bench.probe(1, &sid);
        bench.flush();
        bench.run(|root| {
            root.io().socket(socket).emit("a", "more than eight bytes");
        });
        bench.say(websocket, "5");
        bench.mark();
        bench.flush();
    };
    judges(Property::E6, &config, script, |turn| turn.records.clear());
}
