//! What `volatile` means: on polling, around an upgrade, and by turns (ARCHITECTURE.md, "Turns and
//! volatile").
//!
//! A volatile packet is sent if its session's current transport can take it at this instant, else
//! it is dropped whole and counted. The rows named below are the situations in which the reference
//! server's `transport.writable` was probed; what Parlor does otherwise is said to be a difference.

use std::time::Duration;

use parlor::{App, Config, Event, Fanout, Flags, SendStatus, Server, Wake};

use crate::wire::{Frame, get, post};
use crate::world::{C, World, args, attached};

/// A polling session in `/`, whose client has `c1` for its GETs; no GET is parked.
fn polling() -> (World<Server>, C, String, parlor::SocketId) {
    let mut world = World::bare(Config::default());
    let c = world.accept();
    let target = world.join_polling(c);
    let socket = world.connected();
    world.settle();
    (world, c, target, socket)
}

/// Every event of `/` is answered with a volatile that carries its number.
fn echo() -> App {
    let mut app = App::new();
    app.of("/").on("move", |cx, n: u32| {
        cx.volatile().emit("moved", n);
    });
    app
}

/// Row "GET pending, nothing written to it": sent, and it completes the GET.
#[test]
fn volatile_polling_parked() {
    let (mut world, c, target, socket) = polling();
    world.http(c, get(&target));
    world.settle();
    assert_eq!(world.volatile(socket, "pos", &args("[1]")), SendStatus::Sent);
    world.settle();
    assert_eq!(world.received(c).last().unwrap(), r#"200 42["pos",1]"#);
    world.pin("volatile_polling_parked");
}

/// Row "no GET pending": dropped, and not there for the next GET, which parks.
#[test]
fn volatile_polling_no_get() {
    let (mut world, c, target, socket) = polling();
    assert_eq!(world.volatile(socket, "pos", &args("[1]")), SendStatus::Dropped);
    assert_eq!(world.stats().volatile_no_poll, 1);
    let before = world.received(c).len();
    world.http(c, get(&target));
    world.settle();
    assert_eq!(world.received(c).len(), before);
    world.pin("volatile_polling_no_get");
}

/// Row "second packet in the same tick": the first consumed the GET, so the second is dropped.
#[test]
fn volatile_polling_second_in_a_turn() {
    let (mut world, c, target, socket) = polling();
    world.http(c, get(&target));
    world.settle();
    assert_eq!(world.volatile(socket, "pos", &args("[1]")), SendStatus::Sent);
    assert_eq!(world.volatile(socket, "pos", &args("[2]")), SendStatus::Dropped);
    assert_eq!(world.stats().volatile_no_poll, 1);
    world.settle();
    assert_eq!(world.received(c).last().unwrap(), r#"200 42["pos",1]"#);
    world.pin("volatile_polling_second_in_a_turn");
}

/// Row "buffer non-empty": it implies that no GET is parked, so a volatile is dropped and cannot
/// overtake; what was reliable comes with the next GET, in order.
#[test]
fn volatile_polling_buffered() {
    let (mut world, c, target, socket) = polling();
    world.emit(socket, "chat", &args("[1]"));
    assert_eq!(world.volatile(socket, "pos", &args("[2]")), SendStatus::Dropped);
    world.emit(socket, "chat", &args("[3]"));
    world.http(c, get(&target));
    world.settle();
    assert_eq!(world.received(c).last().unwrap(), r#"200 42["chat",1]␞42["chat",3]"#);
    world.pin("volatile_polling_buffered");
}

/// A packet is whole: its attachments go into the same answer (a difference from the reference,
/// which leaves them to the next GET), and without a GET all of it is dropped.
#[test]
fn volatile_polling_attachments() {
    let (mut world, c, target, socket) = polling();
    assert_eq!(world.volatile(socket, "img", &attached(&[1, 2])), SendStatus::Dropped);
    world.http(c, get(&target));
    world.settle();
    assert_eq!(world.volatile(socket, "img", &attached(&[3, 4])), SendStatus::Sent);
    world.settle();
    assert_eq!(
        world.received(c).last().unwrap(),
        r#"200 451-["img",{"_placeholder":true,"num":0}]␞bAwQ="#
    );
    world.pin("volatile_polling_attachments");
}

/// Row "inside the connection listener", on polling: CONNECT has just consumed the GET, or waits
/// for one. Dropped either way.
#[test]
fn volatile_polling_connect_handler() {
    let mut app = App::new();
    app.of("/").on_connect(|cx| {
        cx.volatile().emit("hello", ());
    });
    let mut world = World::node(Config::default(), app);
    let (c, d) = (world.accept(), world.accept());
    let target = world.open_polling(c);
    world.http(c, get(&target));
    world.settle();
    world.http(d, post(&target, "40"));
    world.settle();
    assert_eq!(world.received(c)[1..], [r#"200 40{"sid":"socket#1"}"#]);
    assert_eq!(world.stats().volatile_no_poll, 1);
    world.pin("volatile_polling_connect_handler");
}

/// Row "closing": a session that waits for its client to fetch the last packets takes nothing more.
#[test]
fn volatile_polling_closing() {
    let (mut world, c, target, socket) = polling();
    world.emit(socket, "chat", &args("[1]"));
    let session = world.session_of(socket);
    world.close_session(session);
    assert_eq!(world.volatile(socket, "pos", &args("[2]")), SendStatus::Dropped);
    assert_eq!(world.stats().volatile_closing, 1);
    world.http(c, get(&target));
    world.settle();
    assert_eq!(world.received(c).last().unwrap(), r#"200 42["chat",1]"#);
    world.pin("volatile_polling_closing");
}

/// Row "upgrade in progress": until `5` polling's state decides. At `2probe` the parked GET is
/// released with `6` in that turn, so a volatile is dropped although the candidate is idle; a GET
/// that comes later carries one.
#[test]
fn volatile_upgrade_before_five() {
    let (mut world, c, target, socket) = polling();
    world.http(c, get(&target));
    world.settle();
    let ws = world.open_candidate(&target);
    world.text(ws, "2probe");
    world.settle();
    assert_eq!(world.received(c).last().unwrap(), "200 6");
    assert_eq!(world.volatile(socket, "pos", &args("[1]")), SendStatus::Dropped);
    assert_eq!(world.stats().volatile_no_poll, 1);
    world.http(c, get(&target));
    world.settle();
    assert_eq!(world.volatile(socket, "pos", &args("[2]")), SendStatus::Sent);
    world.settle();
    assert_eq!(world.received(c).last().unwrap(), r#"200 42["pos",2]"#);
    assert_eq!(world.received(ws), ["101", "WS 3probe"]);
    world.pin("volatile_upgrade_before_five");
}

/// Row "right after `5`", nothing buffered: the websocket is idle, so a volatile of the upgrade's
/// own turn is sent. `3probe` counts, but it was sent in an earlier turn.
#[test]
fn volatile_after_five_empty() {
    let (mut world, _, target, socket) = polling();
    let ws = world.open_candidate(&target);
    world.text(ws, "2probe");
    world.settle();
    world.text(ws, "5");
    let Some(Event::SessionUpgraded { .. }) = world.next_event() else { panic!("it upgraded") };
    assert_eq!(world.volatile(socket, "pos", &args("[1]")), SendStatus::Sent);
    world.settle();
    assert_eq!(world.received(ws)[1..], ["WS 3probe", r#"WS 42["pos",1]"#]);
    world.pin("volatile_after_five_empty");
}

/// Row "right after `5`", with a buffer: what `5` flushed counts, so a volatile in its turn is
/// dropped (a difference from the reference, whose `upgrade` listener lets one through); the next
/// turn's is sent, behind the buffer.
#[test]
fn volatile_after_five_buffered() {
    let (mut world, _, target, socket) = polling();
    let ws = world.open_candidate(&target);
    world.text(ws, "2probe");
    world.settle();
    world.emit(socket, "chat", &args("[1]"));
    world.text(ws, "5");
    let Some(Event::SessionUpgraded { .. }) = world.next_event() else { panic!("it upgraded") };
    assert_eq!(world.volatile(socket, "pos", &args("[2]")), SendStatus::Dropped);
    assert_eq!(world.stats().volatile_same_turn, 1);
    world.drain();
    world.drain();
    assert_eq!(world.volatile(socket, "pos", &args("[3]")), SendStatus::Sent);
    world.settle();
    assert_eq!(world.received(ws)[1..], ["WS 3probe", r#"WS 42["chat",1]"#, r#"WS 42["pos",3]"#]);
    world.pin("volatile_after_five_buffered");
}

/// `2probe` and `5` in one read are one turn, and `3probe` is a packet of it: a volatile of the
/// upgrade's event is dropped.
#[test]
fn volatile_probe_and_five_in_one_read() {
    let (mut world, _, target, socket) = polling();
    let ws = world.open_candidate(&target);
    world.frames(ws, &[Frame::Text("2probe"), Frame::Text("5")]);
    let Some(Event::SessionUpgraded { .. }) = world.next_event() else { panic!("it upgraded") };
    assert_eq!(world.volatile(socket, "pos", &args("[1]")), SendStatus::Dropped);
    assert_eq!(world.stats().volatile_same_turn, 1);
    world.settle();
    world.pin("volatile_probe_and_five_in_one_read");
}

/// Row "old transport": it is never consulted after the switch. The GET that was parked at `5` is
/// answered `1`, which is no packet of the websocket; the volatile takes the websocket.
#[test]
fn volatile_old_transport_after_five() {
    let (mut world, c, target, socket) = polling();
    let ws = world.open_candidate(&target);
    world.text(ws, "2probe");
    world.settle();
    world.http(c, get(&target));
    world.settle();
    world.text(ws, "5");
    let Some(Event::SessionUpgraded { .. }) = world.next_event() else { panic!("it upgraded") };
    assert_eq!(world.volatile(socket, "pos", &args("[1]")), SendStatus::Sent);
    world.settle();
    assert_eq!(world.received(c).last().unwrap(), "200 1");
    assert_eq!(world.received(ws).last().unwrap(), r#"WS 42["pos",1]"#);
    world.pin("volatile_old_transport_after_five");
}

/// Row "not yet connected to the namespace": a direct volatile depends on the transport alone and
/// goes out before CONNECT; a broadcast skips the socket. CONNECT of the same turn is reliable.
#[test]
fn volatile_before_admission() {
    let mut world = World::bare(Config::default());
    let c = world.open_websocket();
    world.text(c, "40/guarded,");
    world.drain();
    let Some(Event::Connect(pending)) = world.take_events().pop() else { panic!("a decision") };
    assert_eq!(world.volatile(pending.socket(), "early", &args("[1]")), SendStatus::Sent);
    assert_eq!(world.volatile_to_all("/guarded", "news"), Fanout::default());
    assert_eq!(world.admit(pending), Ok(()));
    world.settle();
    let received = world.received(c);
    assert_eq!(received[2], r#"WS 42/guarded,["early",1]"#);
    assert_eq!(received[3], r#"WS 40/guarded,{"sid":"socket#1"}"#);
    world.pin("volatile_before_admission");
}

/// "Volatile broadcast": the test is per recipient. Of four, an idle websocket and a parked GET
/// take it; a polling client between polls and a kernel that refuses do not.
#[test]
fn volatile_broadcast_per_recipient() {
    let mut world = World::bare(Config::default());
    let idle = world.join_websocket();
    let refusing = world.join_websocket();
    let slow = world.connected();
    let parked = world.accept();
    let target = world.join_polling(parked);
    let between = world.accept();
    world.join_polling(between);
    world.http(parked, get(&target));
    world.settle();
    world.emit(slow, "chat", &args("[1]"));
    world.drain();
    world.flush_some(refusing, 3);
    world.drain();
    world.drain();
    let fanout = world.volatile_to_all("/", "tick");
    assert_eq!((fanout.sent, fanout.backlogged, fanout.dropped), (2, 0, 2));
    assert_eq!((world.stats().volatile_no_poll, world.stats().volatile_refused), (1, 1));
    world.writable(refusing);
    world.settle();
    assert_eq!(world.received(idle).last().unwrap(), r#"WS 42["tick"]"#);
    assert_eq!(world.received(parked).last().unwrap(), r#"200 42["tick"]"#);
    assert_eq!(world.received(refusing).last().unwrap(), r#"WS 42["chat",1]"#);
    world.pin("volatile_broadcast_per_recipient");
}

/// "Volatile and ack": a dropped question settles at once as dropped, with no timer left behind and
/// never as answered. The reference leaves it pending.
#[test]
fn volatile_ask_dropped() {
    let (mut world, _, _, socket) = polling();
    let flags = Flags { volatile: true, ..Flags::default() };
    let asked = world.ask(socket, "sum", 1000, flags);
    let Some(Event::Settled { ask, outcome, .. }) = world.next_event() else { panic!("settled") };
    assert_eq!((ask, outcome), (asked, Err(parlor::AskError::Dropped)));
    world.settle();
    assert_ne!(world.machine.poll_timeout().map(|(_, wake)| wake), Some(Wake::Ask));
    world.pin("volatile_ask_dropped");
}

/// A turn, (a): one `Data` is one turn however many messages stand in it. Of volatiles answered to
/// two frames in one read only the first is sent, as by the reference in 30 runs of 30.
#[test]
fn volatile_two_messages_in_one_data() {
    let mut world = World::node(Config::default(), echo());
    let c = world.join_websocket();
    world.frames(c, &[Frame::Text(r#"42["move",1]"#), Frame::Text(r#"42["move",2]"#)]);
    world.settle();
    assert_eq!(world.received(c)[3..], [r#"WS 42["moved",1]"#]);
    assert_eq!(world.stats().volatile_same_turn, 1);
    world.pin("volatile_two_messages_in_one_data");
}

/// A turn, (a): two reads are two turns, though the driver flushes neither in between; both answers
/// leave together.
#[test]
fn volatile_two_datas_before_a_flush() {
    let mut world = World::node(Config::default(), echo());
    let c = world.join_websocket();
    world.text(c, r#"42["move",1]"#);
    world.text(c, r#"42["move",2]"#);
    world.settle();
    assert_eq!(world.received(c)[3..], [r#"WS 42["moved",1]"#, r#"WS 42["moved",2]"#]);
    assert_eq!(world.stats().volatile_same_turn, 0);
    world.pin("volatile_two_datas_before_a_flush");
}

/// A bare server that is fed two inputs before a drain: each event carries its turn, and what is
/// done between one event and the next belongs to the first. Looking at both events before acting
/// merges the turns, which can only drop more.
#[test]
fn volatile_two_inputs_before_a_drain() {
    let mut world = World::bare(Config::default());
    let c = world.join_websocket();
    let socket = world.connected();
    for merged in [false, true] {
        world.text(c, r#"42["move",1]"#);
        world.text(c, r#"42["move",2]"#);
        let first = world.next_event();
        let second = if merged { world.next_event() } else { None };
        assert!(matches!(first, Some(Event::Message { .. })));
        assert_eq!(world.volatile(socket, "moved", &args("[1]")), SendStatus::Sent);
        let second = second.or_else(|| world.next_event());
        assert!(matches!(second, Some(Event::Message { .. })));
        let expected = if merged { SendStatus::Dropped } else { SendStatus::Sent };
        assert_eq!(world.volatile(socket, "moved", &args("[2]")), expected);
        world.settle();
    }
    assert_eq!(world.stats().volatile_same_turn, 1);
    world.pin("volatile_two_inputs_before_a_drain");
}

/// "In the current turn or a later one": a ping that fell due before the drain belongs to a later
/// turn than the message, and stands before whatever the message's handler sends. Dropped.
#[test]
fn volatile_behind_a_later_turn() {
    let mut world = World::bare(Config::default());
    let c = world.join_websocket();
    let socket = world.connected();
    world.pass(24_999.0);
    let wake = world.next_wake();
    assert_eq!(wake, Wake::Ping);
    world.text(c, r#"42["move",1]"#);
    world.stall(1);
    world.fire_undrained(wake);
    let Some(Event::Message { .. }) = world.next_event() else { panic!("a message") };
    assert_eq!(world.volatile(socket, "moved", &args("[1]")), SendStatus::Dropped);
    assert_eq!(world.stats().volatile_same_turn, 1);
    world.settle();
    assert_eq!(world.received(c).last().unwrap(), "WS 2");
    world.pin("volatile_behind_a_later_turn");
}

/// An answer to an earlier event, given after a later turn has sent something, does not make that
/// turn's packets forgotten: the volatile of the upgrade's event is dropped behind the buffer that
/// `5` flushed.
#[test]
fn volatile_after_five_behind_an_earlier_answer() {
    let (mut world, c, target, socket) = polling();
    let ws = world.open_candidate(&target);
    world.text(ws, "2probe");
    world.settle();
    world.emit(socket, "chat", &args("[1]"));
    world.http(c, post(&target, r#"42["move",1]"#));
    world.text(ws, "5");
    let Some(Event::Message { .. }) = world.next_event() else { panic!("the message was first") };
    assert_eq!(world.emit(socket, "moved", &args("[2]")), SendStatus::Sent);
    let Some(Event::SessionUpgraded { .. }) = world.next_event() else { panic!("it upgraded") };
    assert_eq!(world.volatile(socket, "pos", &args("[3]")), SendStatus::Dropped);
    assert_eq!(world.stats().volatile_same_turn, 1);
    world.settle();
    assert_eq!(world.received(ws)[2..], [r#"WS 42["chat",1]"#, r#"WS 42["moved",2]"#]);
    world.pin("volatile_after_five_behind_an_earlier_answer");
}

/// A turn, (b): two deadlines at one instant are two turns, in the order of arming: both volatiles
/// are sent, as by the reference in 30 runs of 30.
#[test]
fn volatile_two_deadlines_at_one_instant() {
    let mut app = App::new();
    app.of("/").on_connect(|cx| {
        for n in [1, 2] {
            cx.after(Duration::from_millis(500), move |cx| {
                cx.volatile().emit("tick", n);
            });
        }
    });
    let mut world = World::node(Config::default(), app);
    let c = world.join_websocket();
    assert_eq!(world.fire(), Wake::Timer);
    world.drain();
    assert_eq!(world.fire(), Wake::Timer);
    assert_eq!(world.at().as_micros(), 500_000);
    world.settle();
    assert_eq!(world.received(c)[3..], [r#"WS 42["tick",1]"#, r#"WS 42["tick",2]"#]);
    world.pin("volatile_two_deadlines_at_one_instant");
}

/// Ping and ack timeout due together: two turns, the heartbeat first. The volatile of the closure
/// is sent, behind the ping: bytes of earlier turns that nobody has tried to flush do not count.
#[test]
fn volatile_ping_and_ack_timeout_together() {
    let mut app = App::new();
    app.of("/").on_connect(|cx| {
        cx.ask("sure?", ()).timeout(Duration::from_secs(25)).then(|cx, answer: Result<(), _>| {
            assert_eq!(answer, Err(parlor::AskError::TimedOut));
            cx.volatile().emit("late", ());
        });
    });
    let mut world = World::node(Config::default(), app);
    let c = world.join_websocket();
    assert_eq!(world.fire(), Wake::Ping);
    world.drain();
    assert_eq!(world.fire(), Wake::Ask);
    assert_eq!(world.at().as_micros(), 25_000_000);
    world.settle();
    assert_eq!(world.received(c)[4..], ["WS 2", r#"WS 42["late"]"#]);
    world.pin("volatile_ping_and_ack_timeout_together");
}

/// A turn, (c): each job from outside is one. Two jobs, two volatiles; two volatiles of one job,
/// one.
#[test]
fn volatile_two_outside_jobs() {
    let mut world = World::node(Config::default(), echo());
    let c = world.join_websocket();
    let socket = world.socket(1);
    let emit = move |n: u32| {
        move |root: &mut parlor::Root<'_>| root.socket(socket).volatile().emit("tick", n)
    };
    assert_eq!(world.job(emit(1)), SendStatus::Sent);
    assert_eq!(world.job(emit(2)), SendStatus::Sent);
    let two = world.job(|root| [emit(3)(root), emit(4)(root)]);
    assert_eq!(two, [SendStatus::Sent, SendStatus::Dropped]);
    world.settle();
    let expected = [r#"WS 42["tick",1]"#, r#"WS 42["tick",2]"#, r#"WS 42["tick",3]"#];
    assert_eq!(world.received(c)[3..], expected);
    assert_eq!(world.stats().volatile_same_turn, 1);
    world.pin("volatile_two_outside_jobs");
}

/// A turn, (c), on a bare server: the commands after a drain that polled no event. A drain between
/// two jobs makes them two turns.
#[test]
fn volatile_two_jobs_of_a_bare_server() {
    let mut world = World::bare(Config::default());
    let c = world.join_websocket();
    let socket = world.connected();
    world.drain();
    assert_eq!(world.volatile(socket, "tick", &args("[1]")), SendStatus::Sent);
    assert_eq!(world.volatile(socket, "tick", &args("[2]")), SendStatus::Dropped);
    world.drain();
    assert_eq!(world.volatile(socket, "tick", &args("[3]")), SendStatus::Sent);
    world.settle();
    assert_eq!(world.received(c)[3..], [r#"WS 42["tick",1]"#, r#"WS 42["tick",3]"#]);
    world.pin("volatile_two_jobs_of_a_bare_server");
}

/// A deadline without an event, on a bare server: a ping that nobody has flushed is of an earlier
/// turn than the job behind the drain that polled no event, so the job's volatile is sent behind
/// it.
#[test]
fn volatile_after_a_ping() {
    let mut world = World::bare(Config::default());
    let c = world.join_websocket();
    let socket = world.connected();
    assert_eq!(world.fire(), Wake::Ping);
    world.drain();
    assert_eq!(world.volatile(socket, "tick", &args("[1]")), SendStatus::Sent);
    world.settle();
    assert_eq!(world.received(c)[3..], ["WS 2", r#"WS 42["tick",1]"#]);
    world.pin("volatile_after_a_ping");
}

/// GET and POST pipelined in one read, GET first: the POST's handler finds it parked. Its answer
/// leaves first, then the POST's `ok`.
#[test]
fn volatile_get_then_post_in_one_data() {
    let mut world = World::node(Config::default(), echo());
    let c = world.accept();
    let target = world.join_polling(c);
    world.pipeline(c, &[get(&target), post(&target, r#"42["move",1]"#)]);
    world.settle();
    assert_eq!(world.received(c)[3..], [r#"200 42["moved",1]"#, "200 ok"]);
    world.pin("volatile_get_then_post_in_one_data");
}

/// POST first: handlers run when the read is over, so the GET behind it already counts as parked,
/// as in the reference. The one case in which merging sends a volatile that two reads would have
/// dropped.
#[test]
fn volatile_post_then_get_in_one_data() {
    let mut world = World::node(Config::default(), echo());
    let c = world.accept();
    let target = world.join_polling(c);
    world.pipeline(c, &[post(&target, r#"42["move",1]"#), get(&target)]);
    world.settle();
    assert_eq!(world.received(c)[3..], ["200 ok", r#"200 42["moved",1]"#]);
    world.http(c, post(&target, r#"42["move",2]"#));
    world.http(c, get(&target));
    world.settle();
    assert_eq!(world.received(c)[5..], ["200 ok"]);
    assert_eq!(world.stats().volatile_no_poll, 1);
    world.pin("volatile_post_then_get_in_one_data");
}

/// Inputs for a connection that has gone begin no turn, and disturb none.
#[test]
fn volatile_and_a_stale_input() {
    let mut world = World::node(Config::default(), echo());
    let (c, d) = (world.join_websocket(), world.accept());
    world.lost(d);
    world.settle();
    let turn = world.machine.server().turn_last();
    world.writable(d);
    assert_eq!((world.machine.server().turn_last(), world.stats().inputs_stale), (turn, 1));
    world.text(c, r#"42["move",1]"#);
    world.settle();
    assert_eq!(world.received(c).last().unwrap(), r#"WS 42["moved",1]"#);
    world.pin("volatile_and_a_stale_input");
}
