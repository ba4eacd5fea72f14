//! What `volatile` means on a websocket, which can take a packet when all three hold: no Engine.IO
//! packet was appended to the connection in this turn or a later one; the kernel is not refusing;
//! and the packet fits into the cork with what is not flushed yet. The rows named below are the
//! situations in which the reference server's `transport.writable` was probed.

use parlor::{AckToken, App, Config, Limits, SendStatus, Server, SocketId, Volatile};

use crate::wire::{Frame, get, upgrade};
use crate::world::{C, World, args, attached, large};

/// A websocket session in `/`, at rest.
fn websocket(config: Config) -> (World<Server>, C, SocketId) {
    let mut world = World::bare(config);
    let c = world.join_websocket();
    let socket = world.connected();
    world.drain();
    (world, c, socket)
}

/// Row "no batch in flight": sent.
#[test]
fn volatile_websocket_idle() {
    let (mut world, c, socket) = websocket(Config::default());
    assert_eq!(world.volatile(socket, "pos", &args("[1]")), SendStatus::Sent);
    world.settle();
    assert_eq!(world.received(c)[3..], [r#"WS 42["pos",1]"#]);
    world.pin("volatile_websocket_idle");
}

/// The reference's mixed sequences in one turn on an idle connection: `v1 v2 n3 v4` gives `v1 n3`,
/// and `n1 v2 n3` gives `n1 n3`. A volatile that was sent is ordinary data afterwards.
#[test]
fn volatile_websocket_mixed_in_a_turn() {
    let (mut world, c, socket) = websocket(Config::default());
    assert_eq!(world.volatile(socket, "v", &args("[1]")), SendStatus::Sent);
    assert_eq!(world.volatile(socket, "v", &args("[2]")), SendStatus::Dropped);
    assert_eq!(world.emit(socket, "n", &args("[3]")), SendStatus::Sent);
    assert_eq!(world.volatile(socket, "v", &args("[4]")), SendStatus::Dropped);
    world.settle();
    assert_eq!(world.received(c)[3..], [r#"WS 42["v",1]"#, r#"WS 42["n",3]"#]);
    world.drain();
    assert_eq!(world.emit(socket, "n", &args("[1]")), SendStatus::Sent);
    assert_eq!(world.volatile(socket, "v", &args("[2]")), SendStatus::Dropped);
    assert_eq!(world.emit(socket, "n", &args("[3]")), SendStatus::Sent);
    world.settle();
    assert_eq!(world.received(c)[5..], [r#"WS 42["n",1]"#, r#"WS 42["n",3]"#]);
    assert_eq!(world.stats().volatile_same_turn, 3);
    world.pin("volatile_websocket_mixed_in_a_turn");
}

/// Row "inside the connection listener": CONNECT was written in this turn, so the volatile is
/// dropped. That of the next read is sent, though CONNECT still waits for its flush.
#[test]
fn volatile_websocket_connect_handler() {
    let mut app = App::new();
    app.of("/")
        .on_connect(|cx| {
            cx.volatile().emit("hello", ());
        })
        .on("move", |cx, n: u32| {
            cx.volatile().emit("moved", n);
        });
    let mut world = World::node(Config::default(), app);
    let c = world.open_websocket();
    world.text(c, "40");
    world.text(c, r#"42["move",1]"#);
    world.settle();
    assert_eq!(world.received(c)[2..], [r#"WS 40{"sid":"socket#1"}"#, r#"WS 42["moved",1]"#]);
    assert_eq!(world.stats().volatile_same_turn, 1);
    world.pin("volatile_websocket_connect_handler");
}

/// Row "any frame (open) not yet handed to the kernel": the open packet is of the turn in which the
/// session opens, so a volatile of its event is dropped, on a websocket and, for want of a GET, on
/// polling. That of the next turn is sent.
#[test]
fn volatile_websocket_open() {
    let mut app = App::new();
    app.engine()
        .on_open(|cx| {
            cx.volatile().send("hello");
        })
        .on_message(|cx, message| {
            cx.volatile().send(message);
        });
    let mut world = World::node(Config::engine(), app);
    let (c, d) = (world.accept(), world.accept());
    world.http(c, upgrade("/engine.io/?EIO=4&transport=websocket"));
    world.http(d, get("/engine.io/?EIO=4&transport=polling"));
    world.settle();
    world.text(c, "4echo");
    world.settle();
    assert_eq!(world.received(c)[2..], ["WS 4echo"]);
    assert_eq!((world.stats().volatile_same_turn, world.stats().volatile_no_poll), (1, 1));
    world.pin("volatile_websocket_open");
}

/// Row "kernel back-pressure": *refused* begins with the write that was refused and ends when
/// egress is empty, not at `Writable`. Volatiles in between are dropped, whatever is left.
#[test]
fn volatile_websocket_refused_until_empty() {
    let (mut world, c, socket) = websocket(Config::default());
    world.emit(socket, "n", &args("[1]"));
    world.drain();
    world.flush_some(c, 5);
    world.drain();
    world.drain();
    assert_eq!(world.volatile(socket, "v", &args("[2]")), SendStatus::Dropped);
    world.writable(c);
    world.drain();
    world.drain();
    assert_eq!(world.volatile(socket, "v", &args("[3]")), SendStatus::Dropped);
    world.flush_some(c, 1);
    world.writable(c);
    world.drain();
    world.drain();
    assert_eq!(world.volatile(socket, "v", &args("[4]")), SendStatus::Dropped);
    world.flush_offering(c, 1);
    world.drain();
    world.drain();
    assert_eq!(world.volatile(socket, "v", &args("[4]")), SendStatus::Dropped);
    assert_eq!(world.stats().volatile_refused, 4);
    world.flush(c);
    world.drain();
    world.drain();
    assert_eq!(world.volatile(socket, "v", &args("[5]")), SendStatus::Sent);
    world.settle();
    assert_eq!(world.received(c)[3..], [r#"WS 42["n",1]"#, r#"WS 42["v",5]"#]);
    world.pin("volatile_websocket_refused_until_empty");
}

/// Bytes of earlier turns that the driver has not tried to flush do not count, short of the cork:
/// three turns, three volatiles, one write.
#[test]
fn volatile_websocket_unflushed_earlier_turns() {
    let (mut world, c, socket) = websocket(Config::default());
    for n in ["[1]", "[2]", "[3]"] {
        assert_eq!(world.volatile(socket, "v", &args(n)), SendStatus::Sent);
        world.drain();
    }
    world.settle();
    assert_eq!(world.received(c)[3..].len(), 3);
    world.pin("volatile_websocket_unflushed_earlier_turns");
}

/// The cork: with the bytes not yet flushed, a volatile may make at most 16 KiB. One that just fits
/// is sent; one byte more is dropped; on an empty egress any size goes. Of the 16,384 bytes, 10 are
/// a frame of `42["n"]` (2 + 8 - its comma), and a large one brings a head of 4 and 8 around its
/// text.
#[test]
fn volatile_websocket_cork() {
    let (mut world, c, socket) = websocket(Config::default());
    let small = large(0);
    for (bytes, expected) in [(0, SendStatus::Sent), (1, SendStatus::Dropped)] {
        world.emit(socket, "n", &small);
        world.drain();
        world.drain();
        let waiting = world.egress(c).len();
        let framing = 4 + r#"42["v",""]"#.len();
        let fitting = 16 * 1024 - waiting - framing;
        assert_eq!(world.volatile(socket, "v", &large(fitting + bytes)), expected);
        let left = if bytes == 0 { 16 * 1024 } else { waiting };
        assert_eq!(world.egress(c).len(), left);
        world.settle();
        world.drain();
    }
    assert_eq!(world.stats().volatile_cork, 1);
    assert!(matches!(
        world.volatile(socket, "v", &large(40_000)),
        SendStatus::Sent | SendStatus::Backlogged { .. }
    ));
    world.settle();
    assert_eq!(world.received(c)[3..].len(), 4);
    world.pin("volatile_websocket_cork");
}

/// A volatile packet never triggers the policy for slow clients: where it would pass a bound it is
/// dropped and counted, and the session goes on.
#[test]
fn volatile_websocket_limit() {
    let limits = Limits { egress_bytes_max: 1000, ..Limits::default() };
    let (mut world, c, socket) = websocket(Config { limits, ..Config::default() });
    assert_eq!(world.volatile(socket, "v", &large(1000)), SendStatus::Dropped);
    assert_eq!((world.stats().volatile_limit, world.stats().overflow_closed), (1, 0));
    assert_eq!(world.volatile(socket, "v", &args("[1]")), SendStatus::Sent);
    world.settle();
    assert_eq!(world.received(c)[3..], [r#"WS 42["v",1]"#]);
    world.pin("volatile_websocket_limit");
}

/// A packet is whole: header and attachments in one go, or none of them; what is sent behind it
/// stands behind its attachments.
#[test]
fn volatile_websocket_attachments() {
    let (mut world, c, socket) = websocket(Config::default());
    assert_eq!(world.volatile(socket, "img", &attached(&[1, 2])), SendStatus::Sent);
    assert_eq!(world.volatile(socket, "img", &attached(&[3, 4])), SendStatus::Dropped);
    world.emit(socket, "n", &args("[1]"));
    world.settle();
    assert_eq!(
        world.received(c)[3..],
        [r#"WS 451-["img",{"_placeholder":true,"num":0}]"#, "WS binary 0102", r#"WS 42["n",1]"#]
    );
    world.pin("volatile_websocket_attachments");
}

/// WebSocket's own frames do not count: a pong to a WebSocket ping stands before the message's
/// volatile in the same turn, which is sent.
#[test]
fn volatile_websocket_ping_then_message() {
    let mut app = App::new();
    app.of("/").on("move", |cx, n: u32| {
        cx.volatile().emit("moved", n);
    });
    let mut world = World::node(Config::default(), app);
    let c = world.join_websocket();
    world.frames(c, &[Frame::Ping("hi"), Frame::Text(r#"42["move",1]"#)]);
    world.settle();
    assert_eq!(world.received(c)[3..], [r#"WS pong "hi""#, r#"WS 42["moved",1]"#]);
    world.pin("volatile_websocket_ping_then_message");
}

/// An acknowledgement counts: a handler that answers and then emits a volatile loses the volatile,
/// as any frame of the same turn would make it.
#[test]
fn volatile_websocket_behind_an_ack() {
    let mut app = App::new();
    app.of("/").on("sum", |cx, (a, b): (i64, i64)| {
        let token = cx.ack().expect("the client asked");
        cx.io().answer(token, a + b);
        cx.volatile().emit("summed", ());
    });
    let mut world = World::node(Config::default(), app);
    let c = world.join_websocket();
    world.text(c, r#"427["sum",1,2]"#);
    world.settle();
    assert_eq!(world.received(c)[3..], ["WS 437[3]"]);
    assert_eq!(world.stats().volatile_same_turn, 1);
    world.pin("volatile_websocket_behind_an_ack");
}

/// An answer through a token from outside is a turn of its own, so a volatile of another job is
/// sent behind it, though neither is flushed yet.
#[test]
fn volatile_websocket_behind_an_answer_from_outside() {
    let mut app = App::<Option<AckToken>>::with_state(None);
    app.of("/").on("sum", |cx, ()| {
        *cx.state = cx.ack();
    });
    let mut world = World::node(Config::default(), app);
    let c = world.join_websocket();
    let socket = world.socket(1);
    world.text(c, r#"427["sum"]"#);
    world.settle();
    let answered = world.job(|root| {
        let token = root.state.take().expect("the handler kept it");
        root.answer(token, 3)
    });
    let emitted = world.job(|root| root.socket(socket).volatile().emit("summed", ()));
    assert_eq!([answered, emitted], [SendStatus::Sent; 2]);
    world.settle();
    assert_eq!(world.received(c)[3..], ["WS 437[3]", r#"WS 42["summed"]"#]);
    world.pin("volatile_websocket_behind_an_answer_from_outside");
}

/// Row "closed": after the session's end a command says gone; there is nobody left to drop it for.
#[test]
fn volatile_websocket_gone() {
    let (mut world, c, socket) = websocket(Config::default());
    world.ws(c, Frame::Close(Some(1000)));
    assert_eq!(world.volatile(socket, "v", &args("[1]")), SendStatus::Gone);
    world.settle();
    world.pin("volatile_websocket_gone");
}

/// `Config` may replace turn and cork by one watermark, but not *refused*.
#[test]
fn volatile_websocket_watermark() {
    let volatile = Volatile::Watermark { bytes_max: 40 };
    let (mut world, c, socket) = websocket(Config { volatile, ..Config::default() });
    assert_eq!(world.volatile(socket, "v", &args("[1]")), SendStatus::Sent);
    assert_eq!(world.volatile(socket, "v", &args("[2]")), SendStatus::Sent);
    assert_eq!(world.volatile(socket, "v", &args("[3]")), SendStatus::Sent);
    assert_eq!(world.volatile(socket, "v", &args("[4]")), SendStatus::Dropped);
    assert_eq!(world.stats().volatile_cork, 1);
    world.drain();
    world.flush_some(c, 30);
    world.drain();
    assert_eq!(world.volatile(socket, "v", &args("[5]")), SendStatus::Dropped);
    assert_eq!(world.stats().volatile_refused, 1);
    world.writable(c);
    world.settle();
    world.pin("volatile_websocket_watermark");
}
