//! How bytes are cut on their way changes nothing.

use parlor::Config;
use quickcheck::{Gen, QuickCheck};

use crate::speech;
use crate::world::Quiet;

/// Speech, and where in it a client waits for an answer before it goes on: a CONNECT is completed
/// only when the read that it came in is over, and nothing may stand behind it there.
type Speech = (Vec<Vec<u8>>, Vec<u8>);

/// What a client brings about that says this in these pieces, and what it gets.
fn say((waited, bytes): &Speech, cuts: &[usize]) -> (Vec<String>, Vec<u8>) {
    let config = Config {
        take_requests: true,
        session_events: true,
        room_events: true,
        max_payload: 300,
        ..Config::default()
    };
    let mut world = Quiet::quiet(config);
    world.server_mut().namespace("/chat");
    let conn = world.accept();
    for bytes in waited {
        world.data(conn, bytes);
    }
    let mut rest = &bytes[..];
    for cut in cuts.iter().copied().chain([usize::MAX]) {
        let (piece, after) = rest.split_at(cut.min(rest.len()));
        rest = after;
        // A connection that was closed gets no more.
        if !piece.is_empty() && world.is_open(conn) {
            world.data(conn, piece);
        }
    }
    (world.events().iter().map(|event| format!("{event:?}")).collect(), world.take(conn))
}

fn is_same(speech: &Speech, cuts: &[usize]) {
    assert_eq!(say(speech, cuts), say(speech, &[]), "cut at {cuts:?}");
}

fn websocket() -> Speech {
    let bin = r#"452-/chat,["bin",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    let waited = vec![
        speech::open_websocket(),
        speech::text("40"),
        speech::text("40/chat,{\"token\":\"x\"}"),
        speech::text("40/none,"),
    ];
    let said = [
        speech::text(r#"42["first",{"a":[1,2.5,"\u00e9\u2028"]}]"#),
        speech::frame(0x89, b"ping"),
        speech::text(&format!(r#"4212["long","{}"]"#, "é".repeat(100))),
        speech::frame(0x01, "42[\"frag".as_bytes()),
        speech::frame(0x89, b"between"),
        speech::frame(0x80, "mented\",\"ü\"]".as_bytes()),
        speech::text(bin),
        speech::frame(0x82, &[0, 255, 1]),
        speech::frame(0x82, &[7; 200]),
        speech::text("43[1]"),
        speech::text("3"),
        speech::text("41/chat,"),
        speech::text("42[\"last\"]"),
        speech::frame(0x88, &[0x03, 0xe8]),
    ];
    (waited, said.concat())
}

fn http() -> Speech {
    let chunked = b"POST /chunked HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n\
                    5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: no\r\n\r\n";
    let said = [
        speech::get("/one"),
        speech::request("POST", "/two", "", b"a body"),
        chunked.to_vec(),
        speech::open(),
        speech::request("POST", "/large", "", &[b'x'; 400]),
        speech::get("/socket.io/?EIO=3&transport=polling"),
    ];
    (Vec::new(), said.concat())
}

/// Every kind of end: the last message of each breaks a rule.
fn faults() -> Vec<Speech> {
    let joined = vec![speech::open_websocket(), speech::text("40")];
    let ends = [
        speech::frame(0x82, &[1]),
        speech::frame(0xf1, b"42[\"reserved bits\"]"),
        speech::frame(0x81, &[b'4', 0xff]),
        speech::text(&"x".repeat(301)),
        speech::text("9"),
        speech::text("42{}"),
        vec![0x81, 0x02, b'4', b'0'],
    ];
    let bad_heads = [
        "GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1, 2\r\n\r\nxx",
    ];
    let heads = bad_heads.map(|head| (Vec::new(), head.as_bytes().to_vec()));
    ends.map(|end| (joined.clone(), end)).into_iter().chain(heads).collect()
}

#[test]
fn byte_by_byte_is_as_good_as_at_once() {
    for speech in faults().into_iter().chain([websocket(), http()]) {
        is_same(&speech, &vec![1; speech.1.len()]);
    }
}

#[test]
fn the_messages_under_test_are_heard() {
    let (events, _) = say(&websocket(), &[]);
    let messages = events.iter().filter(|event| event.starts_with("Message")).count();
    assert_eq!(messages, 5, "{events:#?}");
    let (events, received) = say(&http(), &[]);
    assert_eq!(events.iter().filter(|event| event.starts_with("Request")).count(), 3);
    assert!(received.is_empty(), "the first request is not answered yet");
}

#[test]
fn any_cut_is_as_good_as_at_once() {
    fn property(cuts: Vec<u8>, which: u8) -> bool {
        let mut all = faults();
        all.extend([websocket(), http(), websocket(), http()]);
        let speech = &all[usize::from(which) % all.len()];
        let cuts: Vec<_> = cuts.into_iter().map(usize::from).collect();
        is_same(speech, &cuts);
        true
    }
    QuickCheck::new()
        .rng(Gen::from_size_and_seed(40, 21))
        .tests(200)
        .quickcheck(property as fn(Vec<u8>, u8) -> bool);
}
