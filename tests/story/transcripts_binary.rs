//! Attachments (Socket.IO protocol 5, "Packet encoding"; Engine.IO protocol 4, "Packet encoding").

use parlor::{Config, Event, Server, SocketId};

use crate::wire::{Frame, get, post};
use crate::world::{C, World, attached};

fn websocket() -> (World<Server>, C, SocketId) {
    let mut world = World::bare(Config::default());
    let c = world.join_websocket();
    let socket = world.connected();
    (world, c, socket)
}

/// The attachments of the one message that arrived.
fn attachments(world: &mut World<Server>) -> Vec<Vec<u8>> {
    world.settle();
    let events = world.take_events();
    let [Event::Message { args, .. }] = &events[..] else { panic!("one message: {events:?}") };
    args.attachments().iter().map(|bytes| bytes.to_vec()).collect()
}

/// By websocket: a header with its count, then as many binary frames; the message arrives with the
/// last. An Engine.IO pong may stand between them.
#[test]
fn binary_websocket() {
    let (mut world, c, socket) = websocket();
    let first = r#"{"_placeholder":true,"num":0}"#;
    let second = r#"{"_placeholder":true,"num":1}"#;
    world.text(c, &format!(r#"452-["img",{first},{second}]"#));
    world.ws(c, Frame::Binary(&[1, 2]));
    world.text(c, "3");
    assert_eq!(world.stats().messages_received, 0);
    world.ws(c, Frame::Binary(&[]));
    assert_eq!(attachments(&mut world), [vec![1, 2], vec![]]);
    world.emit(socket, "img", &attached(&[4, 5]));
    world.settle();
    assert_eq!(world.received(c)[3..], [&format!(r#"WS 451-["img",{first}]"#), "WS binary 0405"]);
    world.pin("binary_websocket");
}

/// By polling: `b` and standard base64 with padding, in the same payload, both ways.
#[test]
fn binary_polling() {
    let mut world = World::bare(Config::default());
    let c = world.accept();
    let target = world.join_polling(c);
    let socket = world.connected();
    let header = r#"451-["img",{"_placeholder":true,"num":0}]"#;
    world.http(c, post(&target, &format!("{header}\u{1e}bAQIDBA==")));
    assert_eq!(attachments(&mut world), [[1, 2, 3, 4]]);
    world.emit(socket, "img", &attached(&[0xfb, 0xff]));
    world.http(c, get(&target));
    world.settle();
    assert_eq!(world.received(c).last().unwrap(), &format!("200 {header}␞b+/8="));
    world.pin("binary_polling");
}

/// `b64` on a websocket: its client takes no bytes, so attachments are text frames there too.
#[test]
fn binary_websocket_base64() {
    let mut world = World::bare(Config::default());
    let c = world.accept();
    world.http(c, crate::wire::upgrade("/socket.io/?EIO=4&transport=websocket&b64=1"));
    world.settle();
    world.text(c, "40");
    world.settle();
    let socket = world.connected();
    world.text(c, r#"451-["img",{"_placeholder":true,"num":0}]"#);
    world.text(c, "bAQIDBA==");
    assert_eq!(attachments(&mut world), [[1, 2, 3, 4]]);
    world.emit(socket, "img", &attached(&[0xfb, 0xff]));
    world.settle();
    assert_eq!(world.received(c).last().unwrap(), "WS b+/8=");
    world.pin("binary_websocket_base64");
}

/// One attachment may be referred to twice, and one that nothing refers to is allowed.
#[test]
fn binary_shared_and_unused() {
    let (mut world, c, _) = websocket();
    let first = r#"{"_placeholder":true,"num":0}"#;
    world.text(c, &format!(r#"452-["img",{first},{first}]"#));
    world.frames(c, &[Frame::Binary(&[7]), Frame::Binary(&[8])]);
    assert_eq!(attachments(&mut world), [[7], [8]]);
    world.pin("binary_shared_and_unused");
}

/// Each of these is a decoder error of the reference parser: the session is closed, and no message
/// reaches the application.
#[test]
fn binary_faults() {
    let place = r#"{"_placeholder":true,"num":0}"#;
    let header = format!(r#"451-["img",{place}]"#);
    let faults: [&[Frame<'_>]; 6] = [
        // got plaintext data when reconstructing a packet
        &[Frame::Text(&header), Frame::Text(r#"42["no"]"#)],
        // got binary data when not reconstructing a packet
        &[Frame::Binary(&[1])],
        // illegal attachments: out of range, no number
        &[Frame::Text(r#"451-["img",{"_placeholder":true,"num":1}]"#), Frame::Binary(&[1])],
        &[Frame::Text(r#"451-["img",{"_placeholder":true,"num":"0"}]"#), Frame::Binary(&[1])],
        // none, and more than 10
        &[Frame::Text(r#"450-["img"]"#)],
        &[Frame::Text(r#"4511-["img"]"#)],
    ];
    let mut world = World::bare(Config::default());
    for (n, frames) in (1..).zip(faults) {
        let c = world.join_websocket();
        world.frames(c, frames);
        world.settle();
        assert_eq!(world.received(c)[3..], ["WS close", "end"]);
        assert_eq!((world.stats().packets_bad, world.stats().messages_received), (n, 0));
        assert_eq!(world.stats().sockets_disconnected, n);
    }
    world.pin("binary_faults");
}
