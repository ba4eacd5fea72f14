//! The model client beside the official one: its codec reads every byte that a server said to the
//! official client, and, told the same by the server, it says the same. The recordings are
//! `sim/golden`'s.
//!
//! What does not matter to a server may differ: the fields of a request's head that it does not
//! read, a cache buster, the key of a WebSocket and its masks, whether connections are used again,
//! and what a client says on one connection before or after what it says on another, as long as
//! the server's answers do not hang on it.

mod capture;
mod replay;
mod stories;

use super::packet::{self, Message, Packet};
use super::{Kind, http, ws};
use capture::{Capture, Who};
use replay::Replay;

macro_rules! captures {
    ($($name:ident: $kind:ident;)*) => {
        const CAPTURES: &[(&str, &str)] = &[
            $((
                stringify!($name),
                include_str!(concat!("../../golden/", stringify!($name), ".json")),
            ),)*
        ];
        $(
            #[test]
            fn $name() {
                let capture = Capture::parse(include_str!(
                    concat!("../../golden/", stringify!($name), ".json")
                ));
                for seed in 0..20 {
                    Replay::new(&capture, seed, Kind::$kind, stories::$name).run();
                }
            }
        )*
    };
}

captures! {
    polling: Polling;
    websocket: WebSocket;
    polling_bytes: Polling;
    websocket_bytes: WebSocket;
    upgrade: Upgrading;
    namespaces: Polling;
    refusal: WebSocket;
    expulsion: WebSocket;
    end_of_session: Polling;
    reconnection: WebSocket;
}

/// The packets in what a server says on one connection; panics on what is not right.
fn texts(mut bytes: Vec<u8>) -> Vec<Packet> {
    let mut packets = Vec::new();
    let mut is_websocket = false;
    while !bytes.is_empty() {
        if is_websocket {
            match ws::message(&mut bytes)
                .expect("a server says nothing else")
                .expect("the frame is whole")
            {
                ws::Message::Text(text) => {
                    packets.push(Packet::parse(&text).expect("a server says nothing else"))
                }
                ws::Message::Binary(data) => packets.push(Packet::Binary(data)),
                ws::Message::Pong | ws::Message::Close => {}
            }
            continue;
        }
        let answer = http::answer(&mut bytes)
            .expect("a server says nothing else")
            .expect("the answer is whole");
        is_websocket = answer.status == 101;
        if answer.status == 200 && answer.body != b"ok" {
            packets.extend(packet::packets(&answer.body).expect("a server says nothing else"));
        }
    }
    packets
}

#[test]
fn the_codec_reads_all_that_a_server_says() {
    let mut kinds = Vec::new();
    for (name, text) in CAPTURES {
        let capture = Capture::parse(text);
        for conn in 0..=capture.iter().map(|said| said.conn).max().expect("it is not empty") {
            let of_server =
                capture.iter().filter(|said| (said.conn, said.who) == (conn, Who::Server));
            let bytes = of_server.flat_map(|said| said.bytes.clone()).collect();
            for packet in texts(bytes) {
                if let Packet::Text('4', text) = &packet {
                    let message = Message::parse(text).expect("a server says nothing else");
                    assert_eq!(message.text(), *text, "{name}");
                    kinds.push(message.kind);
                }
            }
        }
    }
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, [0, 1, 2, 3, 4, 5, 6], "every kind of packet is there");
}
