//! Acknowledgements (Socket.IO protocol 5, "Acknowledgement"). Whoever asks gets exactly one
//! outcome: answered, timed out at the exact instant, disconnected, or dropped.

use parlor::{AskError, AskId, Config, Event, Flags, Payload, SendStatus, Server, SocketId, Wake};

use crate::wire::{Frame, post};
use crate::world::{C, World, args, attached};

fn websocket() -> (World<Server>, C, SocketId) {
    let mut world = World::bare(Config::default());
    let c = world.join_websocket();
    let socket = world.connected();
    world.drain();
    (world, c, socket)
}

/// Which questions were settled, and how, since this was last asked.
fn settled(world: &mut World<Server>) -> Vec<(AskId, Result<Payload, AskError>)> {
    world.drain();
    let events = world.take_events().into_iter();
    let settled = events.filter_map(|event| match event {
        Event::Settled { ask, outcome, .. } => Some((ask, outcome)),
        _ => None,
    });
    settled.collect()
}

/// The client asks: its event carries an id, and the answer the same one.
#[test]
fn acks_client_asks() {
    let (mut world, c, _) = websocket();
    world.text(c, r#"42456["sum",1,2]"#);
    let Some(Event::Message { ack: Some(token), .. }) = world.next_event() else {
        panic!("a message that wants an answer");
    };
    assert_eq!(world.answer(token, &args("[3,\"ok\"]")), SendStatus::Sent);
    world.settle();
    assert_eq!(world.received(c)[3..], [r#"WS 43456[3,"ok"]"#]);
    world.pin("acks_client_asks");
}

/// The client asks in another namespace, with an id of 0 and no arguments; the empty answer is
/// `[]`.
#[test]
fn acks_client_asks_elsewhere() {
    let mut world = World::bare(Config::default());
    let c = world.open_websocket();
    world.text(c, "40/custom,");
    world.text(c, r#"42/custom,0["ready"]"#);
    world.drain();
    let token = world.take_events().into_iter().find_map(|event| match event {
        Event::Message { ack, .. } => ack,
        _ => None,
    });
    world.answer(token.expect("it wants an answer"), &Payload::empty());
    world.settle();
    assert_eq!(world.received(c)[3..], ["WS 43/custom,0[]"]);
    world.pin("acks_client_asks_elsewhere");
}

/// The server asks, and the client answers: `Settled` with the arguments, and the timer is gone.
/// Ids count from 0 in each namespace.
#[test]
fn acks_answered() {
    let (mut world, c, socket) = websocket();
    let first = world.ask(socket, "sum", 1000, Flags::default());
    let second = world.ask(socket, "sum", 1000, Flags::default());
    world.settle();
    assert_eq!(world.received(c)[3..], [r#"WS 420["sum"]"#, r#"WS 421["sum"]"#]);
    world.pass(40.25);
    world.text(c, "431[2]");
    world.text(c, "430[1]");
    let outcomes = settled(&mut world);
    assert_eq!(outcomes, [(second, Ok(args("[2]"))), (first, Ok(args("[1]")))]);
    assert_ne!(world.machine.poll_timeout().map(|(_, wake)| wake), Some(Wake::Ask));
    world.pin("acks_answered");
}

/// Answered twice: the first settles; the second is nobody's, ignored and counted, and the session
/// goes on.
#[test]
fn acks_answered_twice() {
    let (mut world, c, socket) = websocket();
    let ask = world.ask(socket, "sum", 1000, Flags::default());
    world.settle();
    world.frames(c, &[Frame::Text("430[1]"), Frame::Text("430[2]")]);
    assert_eq!(settled(&mut world), [(ask, Ok(args("[1]")))]);
    assert_eq!((world.stats().acks_unknown, world.stats().sessions_closed), (1, 0));
    world.pin("acks_answered_twice");
}

/// Timed out at the exact instant, which is a turn of its own; the late answer is ignored and
/// counted.
#[test]
fn acks_timed_out_then_late() {
    let (mut world, c, socket) = websocket();
    world.pass(0.007);
    let ask = world.ask(socket, "sum", 250, Flags::default());
    world.settle();
    assert_eq!(world.fire(), Wake::Ask);
    assert_eq!(world.at().as_micros(), 250_007);
    assert_eq!(settled(&mut world), [(ask, Err(AskError::TimedOut))]);
    world.pass(1.0);
    world.text(c, "430[1]");
    assert_eq!(settled(&mut world), []);
    assert_eq!(world.stats().acks_unknown, 1);
    world.pin("acks_timed_out_then_late");
}

/// An input that is handed in before the deadline is fired wins, even if `now` is past it.
#[test]
fn acks_answer_beats_a_late_deadline() {
    let (mut world, c, socket) = websocket();
    let ask = world.ask(socket, "sum", 250, Flags::default());
    world.settle();
    world.stall(300);
    world.text(c, "430[1]");
    assert_eq!(settled(&mut world), [(ask, Ok(args("[1]")))]);
    assert_ne!(world.machine.poll_timeout().map(|(_, wake)| wake), Some(Wake::Ask));
    world.pin("acks_answer_beats_a_late_deadline");
}

/// Two questions time out at one instant: two turns, in the order of asking.
#[test]
fn acks_two_time_out_together() {
    let (mut world, _, socket) = websocket();
    let asks = [(); 2].map(|()| world.ask(socket, "sum", 250, Flags::default()));
    world.settle();
    for ask in asks {
        assert_eq!(world.fire(), Wake::Ask);
        assert_eq!(settled(&mut world), [(ask, Err(AskError::TimedOut))]);
        assert_eq!(world.at().as_micros(), 250_000);
    }
    world.pin("acks_two_time_out_together");
}

/// The socket goes before it answers: settled as disconnected, before `Disconnected`, in the order
/// of asking; no timer is left.
#[test]
fn acks_disconnected() {
    let (mut world, c, socket) = websocket();
    let asks = [(); 2].map(|()| world.ask(socket, "sum", 1000, Flags::default()));
    world.settle();
    world.text(c, "41");
    world.drain();
    let events = world.take_events();
    let [Event::Settled { ask: a, .. }, Event::Settled { ask: b, .. }, Event::Disconnected { .. }] =
        &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!([*a, *b], asks);
    assert_ne!(world.machine.poll_timeout().map(|(_, wake)| wake), Some(Wake::Ask));
    world.pin("acks_disconnected");
}

/// An id that was never given out, one of another namespace, and none at all: ignored and counted.
#[test]
fn acks_unknown() {
    let (mut world, c, socket) = websocket();
    world.text(c, "40/custom,");
    let ask = world.ask(socket, "sum", 1000, Flags::default());
    world.settle();
    for packet in ["437[1]", "43/custom,0[1]", "43[1]"] {
        world.text(c, packet);
    }
    assert_eq!(settled(&mut world), []);
    assert_eq!((world.stats().acks_unknown, world.stats().sessions_closed), (3, 0));
    world.text(c, "430[1]");
    assert_eq!(settled(&mut world), [(ask, Ok(args("[1]")))]);
    world.pin("acks_unknown");
}

/// Asking who has gone settles at once, in the turn of the asking.
#[test]
fn acks_gone() {
    let (mut world, c, socket) = websocket();
    world.text(c, "41");
    world.settle();
    let ask = world.ask(socket, "sum", 1000, Flags::default());
    assert_eq!(settled(&mut world).last(), Some(&(ask, Err(AskError::Disconnected))));
    world.pin("acks_gone");
}

/// BINARY_ACK both ways: the answer's attachments follow its header (Socket.IO protocol 5, "Packet
/// encoding").
#[test]
fn acks_binary() {
    let (mut world, c, socket) = websocket();
    world.text(c, r#"425["get"]"#);
    let Some(Event::Message { ack: Some(token), .. }) = world.next_event() else {
        panic!("a message that wants an answer");
    };
    world.answer(token, &attached(&[1, 2, 3]));
    world.settle();
    let header = r#"WS 461-5[{"_placeholder":true,"num":0}]"#;
    assert_eq!(world.received(c)[3..], [header, "WS binary 010203"]);
    let ask = world.ask(socket, "get", 1000, Flags::default());
    world.settle();
    world.text(c, r#"461-0[{"_placeholder":true,"num":0}]"#);
    assert_eq!(settled(&mut world), [], "its attachment is missing");
    world.ws(c, Frame::Binary(&[9, 8]));
    let [(settled, Ok(answer))] = &settled(&mut world)[..] else { panic!("one answer") };
    assert_eq!((*settled, &answer.attachments()[0][..]), (ask, &[9, 8][..]));
    world.pin("acks_binary");
}

/// On polling a question waits for the client's GET like any packet, while its clock runs.
#[test]
fn acks_polling() {
    let mut world = World::bare(Config::default());
    let c = world.accept();
    let target = world.join_polling(c);
    let socket = world.connected();
    let ask = world.ask(socket, "sum", 1000, Flags::default());
    world.settle();
    world.http(c, crate::wire::get(&target));
    world.settle();
    assert_eq!(world.received(c).last().unwrap(), r#"200 420["sum"]"#);
    world.http(c, post(&target, "430[1]"));
    assert_eq!(settled(&mut world), [(ask, Ok(args("[1]")))]);
    world.pin("acks_polling");
}
