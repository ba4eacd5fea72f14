//! What hostile clients say. Half of it is as it was meant; the other half is damaged: single bits
//! and bytes, or whole pieces put elsewhere, so that the damage reaches every layer.

use super::super::{http, ws};
use crate::choice::{Choices, Stream};
use crate::marks::Mark;

/// Attachments that a bomb promises.
const BOMB: u64 = 100_000;
/// Levels of JSON that nobody needs.
const DEPTH_MAX: u64 = 10_000;
const FLOOD_MAX: u64 = 200;

pub(crate) struct Speech {
    pub(crate) bytes: Vec<u8>,
    /// What the server has come through when it has heard all of it.
    pub(crate) mark: Option<Mark>,
}

/// Something that is nearly right. `sid`: of a session that the client was given.
pub(crate) fn of(sid: Option<&str>, choices: &mut Choices, stream: Stream) -> Speech {
    let mut draw = |bound| choices.choose(stream, bound);
    let mut mark = None;
    let mut bytes = match draw(12) {
        0 => http::get(None).repeat(1 + draw(20) as usize),
        1 => http::post("AAAAAAAAAAAAAAAAAAAA", b"4x\x1e4"),
        2 => http::upgrade(Some("nobody")),
        3 => head(&mut draw),
        4 => body(sid.unwrap_or("nobody"), &mut draw),
        5 => guess(sid.unwrap_or("AAAAAAAAAAAAAAAAAAAAAAAAAAA"), &mut draw),
        _ => {
            let mut bytes = http::upgrade(None);
            bytes.extend(frames(&mut mark, &mut draw));
            bytes
        }
    };
    if draw(2) == 1 {
        mark = None;
        damage(&mut bytes, &mut draw);
    }
    Speech { bytes, mark }
}

/// A head that is too long, or that means two things.
fn head(draw: &mut impl FnMut(u64) -> u64) -> Vec<u8> {
    let start = "POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: sim\r\n";
    let field = match draw(6) {
        0 => format!("X-Long: {}\r\n", "x".repeat(draw(40_000) as usize)),
        1 => "Content-Length: 3\r\nContent-Length: 4\r\n".into(),
        2 => "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n".into(),
        3 => "Transfer-Encoding: gzip, chunked\r\n".into(),
        4 => "Content-Length: 99999999999999999999\r\n".into(),
        _ => (0..draw(300)).map(|n| format!("X-{n}: {n}\r\n")).collect(),
    };
    format!("{start}{field}\r\n").into_bytes()
}

/// POSTs of a session: too long, in chunks that are none, or one after the other without end.
fn body(sid: &str, draw: &mut impl FnMut(u64) -> u64) -> Vec<u8> {
    let start = format!("POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: sim");
    match draw(5) {
        0 => format!("{start}\r\nContent-Length: {}\r\n\r\n4x", 1 + draw(10_000_000)).into_bytes(),
        1 => format!("{start}\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n4")
            .into_bytes(),
        2 => {
            format!("{start}\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\n40\r\n0\r\nA: b\r\n\r\n")
                .into_bytes()
        }
        3 => format!("{start}\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n").into_bytes(),
        _ => {
            let packets = ["40", "3", "6", "b", "b%%%", "4", "\x1e\x1e", "40/word,{\"word\":1}"];
            let body = packets[draw(8) as usize];
            http::post(sid, body.as_bytes()).repeat(1 + draw(5) as usize)
        }
    }
}

/// Session ids near one that is good.
fn guess(sid: &str, draw: &mut impl FnMut(u64) -> u64) -> Vec<u8> {
    let mut all = Vec::new();
    for _ in 0..1 + draw(10) {
        let mut guess = sid.as_bytes().to_vec();
        let place = draw(guess.len() as u64) as usize;
        guess[place] = b"AZaz09-_"[draw(8) as usize];
        let guess = String::from_utf8_lossy(&guess);
        all.extend(match draw(3) {
            0 => http::upgrade(Some(&guess)),
            1 => http::post(&guess, b"41"),
            _ => http::get(Some(&guess)),
        });
    }
    all
}

/// What is said on a WebSocket.
fn frames(mark: &mut Option<Mark>, draw: &mut impl FnMut(u64) -> u64) -> Vec<u8> {
    let text = |text: &str, draw: &mut dyn FnMut(u64) -> u64| {
        ws::frame(ws::TEXT, text.as_bytes(), draw(1 << 32) as u32)
    };
    let open = text("40", draw);
    match draw(9) {
        0 => {
            *mark = Some(Mark::PartialBinary);
            let event = "451-[\"bytes\",1,{\"_placeholder\":true,\"num\":0}]";
            [open, text(event, draw), text("42[\"echo\",1,\"x\"]", draw)].concat()
        }
        1 => {
            *mark = Some(Mark::AttachmentBomb);
            [open, text(&format!("45{BOMB}-[\"bytes\",1]"), draw)].concat()
        }
        2 => {
            *mark = Some(Mark::DeepJson);
            let depth = 200 + draw(DEPTH_MAX) as usize;
            [open, text(&format!("42[\"all\",{}", "[".repeat(depth)), draw)].concat()
        }
        // CONNECT storms, to everywhere and nowhere.
        3 => (0..draw(FLOOD_MAX)).flat_map(|n| text(&format!("40/n{n},"), draw)).collect(),
        4 => [open, text("42[\"echo\",1,\"x\"]", draw).repeat(draw(FLOOD_MAX) as usize)].concat(),
        // A message of many parts.
        5 => {
            let part = ws::frame(0, b"x", draw(1 << 32) as u32);
            let unfinished: Vec<u8> =
                std::iter::once(part[0] & 0x7f).chain(part[1..].to_vec()).collect();
            let mut first = text("42[\"", draw);
            first[0] &= 0x7f;
            [open, first, unfinished.repeat(draw(FLOOD_MAX) as usize)].concat()
        }
        6 => ws::frame(ws::PING, b"there?", 1).repeat(draw(FLOOD_MAX) as usize),
        // A frame without a mask, or one that promises more than there is.
        7 => vec![0x81, 2, b'4', b'0', 0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        _ => (0..draw(30)).flat_map(|_| phrase(draw)).collect(),
    }
}

/// Any packet in any frame.
fn phrase(draw: &mut impl FnMut(u64) -> u64) -> Vec<u8> {
    const PHRASES: [&[u8]; 14] = [
        b"40",
        b"40/word,{\"word\":\"open\"}",
        b"40/late,",
        b"42[\"echo\",1,\"x\"]",
        b"42[\"burst\",1,30]",
        b"451-[\"bytes\",1,{\"_placeholder\":true,\"num\":0}]",
        b"3",
        b"2",
        b"41",
        b"430[1]",
        b"",
        b"42[\"connect\",1]",
        b"4599999999999-[]",
        b"42[\"\\ud800\",\"\xff\"]",
    ];
    let kinds = [ws::TEXT, ws::TEXT, ws::TEXT, ws::BINARY, ws::PING, ws::CLOSE, 0];
    let kind = kinds[draw(7) as usize];
    ws::frame(kind, PHRASES[draw(14) as usize], draw(1 << 32) as u32)
}

fn damage(bytes: &mut Vec<u8>, draw: &mut impl FnMut(u64) -> u64) {
    for _ in 0..1 + draw(3) {
        if bytes.is_empty() {
            bytes.push(b'G');
        }
        let place = draw(bytes.len() as u64) as usize;
        match draw(6) {
            0 => bytes[place] ^= 1 << draw(8),
            1 => bytes.truncate(place.max(1)),
            2 => bytes.insert(place, draw(256) as u8),
            3 => {
                bytes.remove(place);
            }
            // The second half first.
            4 => bytes.rotate_left(place),
            // A piece of it twice.
            _ => {
                let end = place + draw((bytes.len() - place) as u64) as usize;
                let piece = bytes[place..end.min(place + 2000)].to_vec();
                bytes.splice(place..place, piece);
            }
        }
    }
    if bytes.is_empty() {
        bytes.push(b'G');
    }
}
