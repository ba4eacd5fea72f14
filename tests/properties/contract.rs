//! Arbitrary inputs and commands in any order: the contract of the core holds after each.
//!
//! An operation is four bytes. Each means something in every state: what it names is taken modulo
//! what there is. Clients mostly speak well, so that most of the machine is reached.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use parlor::{
    AckToken, Admission, App, Config, ConnId, ConnectToken, Event, Flags, HandshakeToken, Instant,
    Limits, Node, Outside, Overflow, Payload, PendingConnect, PendingHandshake, PendingRequest,
    Recipients, RequestToken, Response, Root, Server, SocketId, admit, refuse, reply,
};
use quickcheck::{Arbitrary, Gen, QuickCheck};

use crate::machine::{Bare, Life, Machine, Pairs, Program, Watched};
use crate::speech;
use crate::world::World;

/// What to do, to whom, and how.
#[derive(Clone, Copy, Debug)]
struct Op(u8, u8, u8, u8);

impl Arbitrary for Op {
    fn arbitrary(g: &mut Gen) -> Self {
        // A `u8` of quickcheck's own is mostly a special one.
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let mut byte = || *g.choose(&all).expect("there are some");
        Self(byte(), byte(), byte(), byte())
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let Self(kind, a, b, c) = *self;
        let simpler = (a, b, c).shrink().filter(move |_| (a, b, c) != (0, 0, 0));
        Box::new(simpler.map(move |(a, b, c)| Self(kind, a, b, c)))
    }
}

fn check(property: fn(Vec<Op>) -> bool, seed: u64, tests: u64) {
    QuickCheck::new()
        .rng(Gen::from_size_and_seed(250, seed))
        .tests(tests)
        .max_tests(tests)
        .quickcheck(property);
}

#[test]
fn a_bare_server_keeps_its_contract() {
    check(bare, 11, 150);
}

#[test]
fn a_bare_engine_keeps_its_contract() {
    check(engine, 12, 80);
}

#[test]
fn a_node_keeps_its_contract() {
    check(node, 13, 150);
}

fn bare(ops: Vec<Op>) -> bool {
    let run = || {
        let config = Config {
            decide_handshakes: true,
            take_requests: true,
            announce_disconnecting: true,
            room_events: true,
            session_events: true,
            ..config()
        };
        let mut world = World::with(config, Busy::default());
        let chat = world.server_mut().namespace("/chat");
        world.server_mut().decide_connects(chat, true);
        play(world, &ops)
    };
    run() == run()
}

fn engine(ops: Vec<Op>) -> bool {
    let run = || {
        let engine = Config { path: "/socket.io".into(), ..Config::engine() };
        let config = Config { mode: engine.mode, overflow: Overflow::DropMessage, ..config() };
        play(World::with(config, Busy::default()), &ops)
    };
    run() == run()
}

fn node(ops: Vec<Op>) -> bool {
    let run = || {
        let node = Node::new(config(), busy_app(), [5; 32], Instant::ZERO, 0);
        play(World::new(Watched::new(node.expect("a sound program"))), &ops)
    };
    run() == run()
}

/// Small bounds, so that they are reached.
fn config() -> Config {
    let limits = Limits {
        connections_max: 6,
        sessions_max: 5,
        pipelined_requests_max: 3,
        egress_bytes_max: 1600,
        egress_bytes_total_max: 8000,
        egress_bytes_high: 400,
        attachments_max: 2,
        namespaces_per_session_max: 2,
        rooms_per_socket_max: 3,
        asks_per_socket_max: 3,
        handshakes_pending_max: 2,
        connects_pending_max: 3,
        requests_pending_max: 2,
        timers_max: 5,
        once_per_socket_max: 2,
        deadlines_per_call_max: 2,
        ..Limits::default()
    };
    Config { max_payload: 3000, limits, ..Config::default() }
}

/// Plays the operations, ends everything, and returns all that came out.
fn play<M: Commanded>(mut world: World<M>, ops: &[Op]) -> String {
    let mut game = Game::default();
    for &op in ops {
        game.play(&mut world, op);
    }
    if ops.len().is_multiple_of(2) {
        world.shut_down(ops.len().is_multiple_of(4));
    } else {
        // Everyone goes, and with time nothing is left that waits.
        for conn in world.wires.keys().copied().collect::<Vec<_>>() {
            world.lose(conn);
        }
        for _ in 0..30 {
            world.sleep(Duration::from_secs(10));
        }
        assert_eq!(
            (world.machine.server().connections(), world.machine.server().sessions()),
            (0, 0)
        );
        world.check_forgotten();
        M::check_at_rest(&mut world);
    }
    world.log
}

/// What the clients know.
#[derive(Default)]
struct Game {
    sids: Vec<String>,
    /// Sessions and websockets that have said `40`.
    joined: BTreeSet<String>,
    /// GETs under way: where, and how much had come there before.
    polls: BTreeMap<String, (ConnId, usize)>,
    /// The rest of a message of which a part was sent.
    rest: Option<(ConnId, Vec<u8>)>,
}

impl Game {
    fn play<M: Commanded>(&mut self, world: &mut World<M>, Op(kind, a, b, c): Op) {
        let Some(conn) = pick(world, a).filter(|_| kind % 32 > 2) else {
            // There may be too many, and after `shutdown` nobody is let in.
            if let Ok(conn) = world.try_accept() {
                world.set_deaf(conn, a.is_multiple_of(8));
                self.say(world, conn, opening(b, c), b);
            }
            return self.learn(world);
        };
        match kind % 32 {
            0..=15 => self.talk(world, conn, b, c),
            16 => self.say(world, conn, other_request(b, c), c),
            17 => {
                let mut bytes = match b % 3 {
                    0 => opening(b, c),
                    1 => other_request(b, c),
                    _ => websocket_says(b, c),
                };
                let at = usize::from(c) % bytes.len();
                bytes[at] ^= b | 1;
                self.say(world, conn, bytes, b);
            }
            18 => {
                if let Some((conn, rest)) = self.rest.take() {
                    world.data(conn, &rest);
                }
            }
            19 if b.is_multiple_of(2) => world.eof(conn),
            19 if b % 4 == 1 => world.lose(conn),
            19..=21 => world.write(conn, usize::from(b) * 7, c.is_multiple_of(2)),
            22 => world.write(conn, usize::MAX, false),
            23 if world.wires.get(&conn).is_some_and(|wire| wire.refusing) => world.writable(conn),
            23 | 24 => world.set_deaf(conn, b.is_multiple_of(3)),
            25 => world.sleep(Duration::from_millis(u64::from(b) * 10)),
            26 => jump(world, b, c),
            27 if b == 0 => {
                world.machine.shutdown(world.now);
                world.settle();
            }
            _ => {
                M::command(world, b, c);
                world.settle();
            }
        }
        self.learn(world);
    }

    /// Something that fits what the connection speaks.
    fn talk<M: Machine>(&mut self, world: &mut World<M>, conn: ConnId, b: u8, c: u8) {
        let Some(wire) = world.wires.get(&conn) else { return world.data(conn, b"x") };
        const SWITCHED: &[u8] = b"HTTP/1.1 101 ";
        let switched = wire.received.windows(SWITCHED.len()).position(|bytes| bytes == SWITCHED);
        if let Some(at) = switched {
            let fresh = self.joined.insert(format!("{conn:?}"));
            let carries = !speech::ids(&wire.received[at..], 27).is_empty();
            let bytes = match (fresh, carries) {
                (true, true) => speech::text("40"),
                (true, false) => [speech::text("2probe"), speech::text("5")].concat(),
                (false, _) => websocket_says(b, c),
            };
            return self.say(world, conn, bytes, c);
        }
        let said = self.session_request(world, conn, b, c);
        self.say(world, conn, said, c);
    }

    /// Says all of it, or a part now and the rest later.
    fn say<M: Machine>(&mut self, world: &mut World<M>, conn: ConnId, mut bytes: Vec<u8>, how: u8) {
        if how % 16 == 7 {
            let rest = bytes.split_off(bytes.len() / 2);
            self.rest = Some((conn, rest));
        }
        world.data(conn, &bytes);
    }

    fn session_request<M: Machine>(
        &mut self,
        world: &World<M>,
        conn: ConnId,
        b: u8,
        c: u8,
    ) -> Vec<u8> {
        let Some(sid) = self.sids.iter().rev().nth(usize::from(b / 16) % 4).cloned() else {
            return speech::open();
        };
        if self.joined.insert(sid.clone()) {
            return speech::post(&sid, if c.is_multiple_of(4) { b"40\x1e40/chat," } else { b"40" });
        }
        let came = world.wires[&conn].received.len();
        let parked = self.polls.get(&sid).is_some_and(|(conn, before)| {
            world.wires.get(conn).is_some_and(|wire| wire.received.len() == *before)
        });
        match b % 16 {
            0 => speech::upgrade(&speech::target(&sid, "websocket")),
            1..=7 if !parked || c.is_multiple_of(16) => {
                self.polls.insert(sid.clone(), (conn, came));
                let close = if c.is_multiple_of(4) { "Connection: close\r\n" } else { "" };
                let poll = speech::request("GET", &speech::target(&sid, "polling"), close, b"");
                match b % 16 {
                    1 => [poll, speech::post(&sid, says(c).as_bytes())].concat(),
                    2 => [poll, speech::get("/other")].concat(),
                    _ => poll,
                }
            }
            _ => speech::post(&sid, [says(b), says(c)].join("\x1e").as_bytes()),
        }
    }

    fn learn<M: Machine>(&mut self, world: &World<M>) {
        for wire in world.wires.values() {
            for sid in speech::ids(&wire.received, 27) {
                if !self.sids.contains(&sid) {
                    self.sids.push(sid);
                }
            }
        }
    }
}

/// A connection, now and then one that has gone.
fn pick<M: Machine>(world: &World<M>, a: u8) -> Option<ConnId> {
    let nth = |count: usize| usize::from(a / 32) % count;
    if a % 32 == 31 && !world.gone.is_empty() {
        return world.gone.keys().nth(nth(world.gone.len())).copied();
    }
    let count = world.wires.len();
    (count > 0).then(|| *world.wires.keys().nth(usize::from(a) % count).expect("one of so many"))
}

/// A driver that slept too long, or whose clock went back.
fn jump<M: Machine>(world: &mut World<M>, b: u8, c: u8) {
    let before = world.now;
    match b % 4 {
        0 => world.now += Duration::from_secs(u64::from(c)),
        1 => {
            if let Some((at, _)) = world.machine.poll_timeout() {
                world.now = world.now.max(at);
            }
        }
        2 => world.now += Duration::from_micros(u64::from(c)),
        _ => {
            let earlier = Instant::from_micros(world.now.as_micros().saturating_sub(u64::from(c)));
            world.machine.handle_timeout(earlier);
            world.settle();
        }
    }
    assert!(world.now >= before);
    world.fire();
}

fn opening(b: u8, c: u8) -> Vec<u8> {
    match b % 4 {
        0 => speech::open(),
        1 => speech::open_websocket(),
        2 => [speech::open_websocket(), speech::text(says(c))].concat(),
        _ => [speech::open(), other_request(b, c)].concat(),
    }
}

fn other_request(b: u8, c: u8) -> Vec<u8> {
    match b / 4 % 6 {
        0 => speech::get("/other"),
        1 => speech::request("POST", "/other", "", &[b'x'; 20]),
        2 => speech::request(
            "POST",
            "/other",
            "Connection: close\r\n",
            &vec![b'x'; 40 * usize::from(c)],
        ),
        3 => speech::upgrade("/elsewhere"),
        4 => speech::get("/other").repeat(usize::from(c) % 6 + 1),
        _ => speech::request("OPTIONS", "/socket.io/?EIO=4&transport=polling", "", b""),
    }
}

fn websocket_says(b: u8, c: u8) -> Vec<u8> {
    match b {
        0..8 => speech::text("2probe"),
        8..12 => speech::text("5"),
        12..15 => speech::frame(0x88, &[]),
        15..20 => speech::frame(0x89, b"ping"),
        20..40 => {
            let text = speech::text(r#"451-["bin",{"_placeholder":true,"num":0}]"#);
            [text, speech::frame(0x82, &[c])].concat()
        }
        40..44 => speech::frame(0x82, &[1, 2, c]),
        44..48 => vec![b; usize::from(c) + 1],
        48..60 => [speech::frame(0x01, b"42[\"ec"), speech::frame(0x80, b"ho\"]")].concat(),
        60..63 => speech::frame(0x01, b"42[\"spl"),
        _ if c.is_multiple_of(2) => speech::text(says(b)),
        _ => [speech::text(says(b)), speech::text(says(c))].concat(),
    }
}

/// A packet of Engine.IO, mostly a good one.
fn says(c: u8) -> &'static str {
    const GOOD: [&str; 23] = [
        "42[\"echo\",1,\"two\"]",
        "427[\"echo\",{\"a\":[]}]",
        "42[\"say\",\"hi\"]",
        "42[\"ask\"]",
        "42[\"work\"]",
        "429[\"later\"]",
        "42[\"flood\"]",
        "42[\"flood\"]",
        "430[1]",
        "431[]",
        "432[]",
        "3",
        "3",
        "40/chat,{\"as\":1}",
        "40/none,",
        "6",
        "4",
        "42[\"none\"]",
        "42[\"bye\"]",
        "41",
        "40",
        "451-[\"bin\",{\"_placeholder\":true,\"num\":0}]\x1ebAQID",
        "42[\"half\",{\"a\":1}]",
    ];
    const RARE: [&str; 14] = [
        "42/chat,[\"say\",\"hi\"]",
        "42/chat,12[\"later\"]",
        "42/chat,[\"ask\"]",
        "42/chat,[\"flood\"]",
        "42/chat,[\"bye\"]",
        "43/chat,0[\"yes\"]",
        "41/chat,",
        "40/chat,",
        "2",
        "1",
        "42[\"say\"",
        "451-[\"bin\",{\"_placeholder\":true,\"num\":0}]",
        "bAQID",
        "44",
    ];
    match c % 8 {
        0 => RARE[usize::from(c / 8) % RARE.len()],
        _ => GOOD[usize::from(c) % GOOD.len()],
    }
}

/// What the application does by itself.
trait Commanded: Machine + Sized {
    fn command(world: &mut World<Self>, b: u8, c: u8);
    fn check_at_rest(world: &mut World<Self>);
}

/// The user of a bare server: takes its time with decisions, and emits, asks and joins.
#[derive(Default)]
struct Busy {
    handshakes: Vec<PendingHandshake>,
    connects: Vec<PendingConnect>,
    requests: Vec<PendingRequest>,
    acks: Vec<AckToken>,
    count: u64,
}

impl Program for Busy {
    fn event(&mut self, server: &mut Server, pairs: &mut Pairs, event: Event) {
        self.count += 1;
        let now = server.now();
        match event {
            Event::Handshake(pending) if !self.count.is_multiple_of(3) => {
                let _ = server.admit_handshake(now, pending, Admission::default());
            }
            Event::Handshake(pending) => self.handshakes.push(pending),
            Event::Request(pending) => self.requests.push(pending),
            Event::Connect(pending) => self.connects.push(pending),
            Event::Connected { socket, .. } => act(server, pairs, socket, self.count),
            Event::Message { socket, ack, .. } => {
                self.acks.extend(ack);
                act(server, pairs, socket, self.count);
            }
            Event::Disconnecting { socket, .. } if self.count.is_multiple_of(2) => {
                assert!(!server.rooms(socket).is_empty() || server.is_present(socket));
                server.release(now, socket);
            }
            Event::SessionMessage { session, message } => {
                server.send(now, session, &message, Flags::default());
                if self.count.is_multiple_of(9) {
                    let _ = server.close_session(now, session, self.count.is_multiple_of(2));
                }
            }
            _ => {}
        }
    }
}

/// One command for a socket.
fn act(server: &mut Server, pairs: &mut Pairs, socket: SocketId, count: u64) {
    let now = server.now();
    let args = Payload::from_args((count, "something")).expect("it can be written");
    let flags = Flags { volatile: count.is_multiple_of(4), ..Flags::default() };
    let Some(namespace) = server.namespace_of(socket) else { return };
    match count % 10 {
        0..=2 => {
            server.emit(now, socket, "event", &args, flags);
        }
        3 | 4 => {
            let timeout = Duration::from_millis(count % 7 * 300);
            pairs.asked(server.ask(now, socket, "question", &args, timeout, flags));
        }
        5 => {
            let _ = server.join(now, socket, ["a", "b", "c", "d"][count as usize / 10 % 4]);
        }
        6 => {
            let rooms = ["a".into(), "b".into()];
            let to = Recipients { namespace, rooms: &rooms, except: &[], except_socket: None };
            server.broadcast(now, to, "room", &args, flags);
        }
        7 => {
            server.broadcast(now, Recipients::all(namespace), "all", &args, flags);
        }
        8 => {
            let _ = server.leave(now, socket, "a");
        }
        _ if count.is_multiple_of(3) => {
            let _ = server.disconnect(now, socket);
        }
        _ if count.is_multiple_of(7) => {
            let _ = server.disconnect_session(now, socket);
        }
        _ => {
            let large = Payload::from_args("x".repeat(700)).expect("it can be written");
            server.emit(now, socket, "large", &large, flags);
        }
    }
}

impl Commanded for Bare<Busy> {
    fn command(world: &mut World<Self>, b: u8, c: u8) {
        let now = world.now;
        let Bare { server, pairs, program } = &mut world.machine;
        let mut pairs = pairs.lock().expect("one thread");
        let gone = |pairs: &mut Pairs, socket| match pairs.sockets.get(&socket) {
            Some(Life::Deciding) => pairs.over(socket, Life::Deciding),
            other => assert!(other.is_some(), "{socket} was told"),
        };
        match b % 8 {
            0 => drop(program.handshakes.pop().map(|p| match c % 2 {
                0 => server.admit_handshake(now, p, Admission::default()),
                _ => server.refuse_handshake(now, p, "no"),
            })),
            1 | 2 => {
                if let Some(pending) = program.connects.pop() {
                    let socket = pending.socket();
                    if !c.is_multiple_of(3) {
                        let _ = server.admit(now, pending);
                    } else if server.refuse(now, pending, "no", None).is_ok() {
                        gone(&mut pairs, socket);
                    }
                }
            }
            3 => drop(program.requests.pop().map(|pending| {
                let response =
                    Response { status: 200, body: vec![c; 9].into(), ..Response::default() };
                server.respond(now, pending, &response)
            })),
            4 => drop(program.acks.pop().map(|token| {
                server.answer(now, token, &Payload::from_args(c).expect("it can be written"))
            })),
            5 => drop(server.timer(now, Duration::from_millis(u64::from(c) * 20), false)),
            6 => {
                let sockets: Vec<_> = pairs.sockets.keys().copied().collect();
                if let Some(&socket) = sockets.get(usize::from(c) % sockets.len().max(1)) {
                    program.count += u64::from(b);
                    act(server, &mut pairs, socket, program.count);
                }
            }
            _ => {
                let all = Recipients::all(server.namespace("/"));
                let args = Payload::from_args("everyone").expect("it can be written");
                server.broadcast(now, all, "all", &args, Flags::default());
            }
        }
    }

    fn check_at_rest(world: &mut World<Self>) {
        assert_eq!(world.machine.poll_timeout(), None, "nothing is due any more");
        let shut_down = world.try_accept().is_err();
        if shut_down {
            return;
        }
        // Every place among the pending requests is free again.
        if world.machine.server().config().take_requests {
            world.machine.program.requests.clear();
            for _ in 0..world.machine.server().config().limits.requests_pending_max {
                world.connect(&speech::get("/other"));
            }
            assert_eq!(world.machine.program.requests.len(), 2);
        }
    }
}

/// What the program of the node keeps for later.
#[derive(Default)]
struct Later {
    acks: Vec<AckToken>,
    connects: Vec<ConnectToken>,
    handshakes: Vec<HandshakeToken>,
    requests: Vec<RequestToken>,
    settled: u32,
}

fn busy_app() -> App<Later> {
    let mut app = App::with_state(Later::default());
    app.on_handshake(|root, asked| match root.random() % 4 {
        0 => {
            let (token, verdict) = asked.later();
            root.state.handshakes.push(token);
            verdict
        }
        1 => refuse("no").into(),
        _ => admit().into(),
    });
    app.on_request(|root, request| {
        let (token, verdict) = request.later();
        root.state.requests.push(token);
        verdict
    });
    app.engine().on_open(|_| ()).on_close(|_, _| ());
    app.on_room(|_, _| ());
    lobby(&mut app);
    chat(&mut app);
    app
}

fn lobby(app: &mut App<Later>) {
    app.of("/")
        .on_connect(|cx| {
            cx.join(["a", "b"]);
            cx.emit("welcome", cx.id());
            cx.ask("who", ()).timeout(Duration::from_millis(700)).then(
                |cx, _: Result<String, _>| {
                    cx.state.settled += 1;
                },
            );
        })
        .on("echo", |_, (): ()| reply((1, "x".repeat(100))))
        .on("say", |cx, text: String| cx.to("a").volatile().emit("said", text))
        .on("later", |cx, (): ()| {
            let token = cx.ack();
            cx.state.acks.extend(token);
        })
        .on("bye", |cx, (): ()| cx.disconnect())
        .on("ask", |cx, (): ()| {
            cx.ask("again", 1).then(|cx, _: Result<u32, _>| {
                cx.emit("thanks", ());
            });
        })
        .on("work", |cx, (): ()| {
            cx.after(Duration::from_millis(40), |cx| cx.emit("done", ()));
            cx.every(Duration::from_secs(3), |cx| cx.broadcast().emit("tick", ()));
            cx.once("echo", |cx, (): ()| cx.leave("a"));
        })
        .on("flood", |cx, (): ()| cx.io().of("/").emit("flood", "x".repeat(900)))
        .on_disconnecting(|cx, _| {
            let _ = cx.to("a").emit("leaving", ());
        })
        .on_disconnect(|cx, _, rooms| cx.broadcast().emit("left", rooms.len() as u32));
}

fn chat(app: &mut App<Later>) {
    app.of("/chat")
        .authorize(|cx, _: Payload| match cx.random() % 3 {
            0 => {
                let (token, verdict) = cx.later();
                cx.state.connects.push(token);
                cx.emit("wait", ());
                verdict
            }
            1 => refuse("no").with(1),
            _ => admit(),
        })
        .on_connect(|_| ())
        .on("say", |cx, text: String| cx.broadcast().emit("said", text))
        .on("bye", |cx, (): ()| cx.disconnect_session())
        .on("later", |cx, (): ()| {
            let token = cx.ack();
            cx.state.acks.extend(token);
        })
        .on("ask", |cx, (): ()| {
            cx.volatile().ask("again", 1).then(|_, _: Result<u32, _>| ());
        })
        .on("flood", |cx, (): ()| cx.emit("flood", "x".repeat(1500)))
        .on_disconnect(|_, _, _| ());
}

impl Commanded for Watched<Later> {
    fn command(world: &mut World<Self>, b: u8, c: u8) {
        let now = world.now;
        let node = &mut world.machine.node;
        let work = node.run(now, |root: &mut Root<'_, Later>| match b % 8 {
            0 => root.state.acks.pop().map(|token| {
                Outside::Answer(token, Payload::from_args(c).map_err(|e| e.to_string()))
            }),
            1 | 2 => root.state.connects.pop().map(|token| {
                Outside::Decide(token, if !c.is_multiple_of(3) { admit() } else { refuse("late") })
            }),
            3 => root.state.handshakes.pop().map(|token| {
                Outside::DecideHandshake(
                    token,
                    if !c.is_multiple_of(3) { admit() } else { refuse("late") }.into(),
                )
            }),
            4 => root.state.requests.pop().map(|token| {
                Outside::Respond(
                    token,
                    Response { status: 200, body: vec![c; 9].into(), ..Response::default() },
                )
            }),
            5 => {
                root.of("/").emit("news", c);
                None
            }
            6 => {
                root.after(Duration::from_millis(u64::from(c)), |root| {
                    root.of("/").volatile().emit("timer", ());
                });
                None
            }
            _ => {
                for socket in root.of("/").sockets().into_iter().take(1) {
                    root.socket(socket).ask("outside", ()).then(|_, _: Result<u8, _>| ());
                }
                None
            }
        });
        if let Some(work) = work {
            node.outside(now, work);
        }
    }

    fn check_at_rest(world: &mut World<Self>) {
        assert_eq!(world.machine.poll_timeout(), None, "nothing is due any more");
    }
}
