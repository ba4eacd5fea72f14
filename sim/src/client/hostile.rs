//! A client that means no good.

use super::http;
use super::ws;
use super::{Me, Timer};
use crate::choice::{Choices, Stream};
use crate::hub::Hub;

#[derive(Default)]
pub(crate) struct Hostile {
    conn: Option<usize>,
    /// What it will say, bit by bit.
    rest: Vec<u8>,
    pace: usize,
}

impl Hostile {
    pub(crate) fn timer(&mut self, me: &Me, hub: &mut Hub) {
        if hub.is_quiet {
            self.conn.take().into_iter().for_each(|conn| hub.leave(conn));
            return;
        }
        hub.choices.span(me.stream, "nuisance");
        let pause = hub.choices.choose(me.stream, 900_000);
        if pause == 0 {
            self.conn.take().into_iter().for_each(|conn| hub.leave(conn));
            return;
        }
        match self.conn {
            Some(conn) if !self.rest.is_empty() => {
                let count = self.pace.min(self.rest.len());
                let part: Vec<u8> = self.rest.drain(..count).collect();
                hub.write(conn, &part, []);
            }
            Some(conn) => {
                if hub.choices.happens(me.stream, 1, 2) {
                    hub.reset_by_client(conn);
                }
                hub.leave(conn);
                self.conn = None;
            }
            None => {
                let conn = hub.connect(me.number);
                hub.conns[conn].is_hostile = true;
                hub.conns[conn].is_deaf = hub.choices.happens(me.stream, 1, 3);
                self.conn = Some(conn);
                self.rest = speech(&mut hub.choices, me.stream);
                self.pace = [1, 40, 1 << 20][hub.choices.choose(me.stream, 3) as usize];
            }
        }
        hub.timer(pause.max(1000), me.number, me.life, Timer::Nuisance);
    }

    pub(crate) fn end(&mut self, conn: usize, hub: &mut Hub) {
        if self.conn == Some(conn) {
            hub.leave(conn);
            self.conn = None;
        }
    }
}

/// Something that is nearly right.
pub(crate) fn speech(choices: &mut Choices, stream: Stream) -> Vec<u8> {
    let mut draw = |bound| choices.choose(stream, bound);
    let mut bytes = match draw(5) {
        0 => http::get(None).repeat(1 + draw(20) as usize),
        1 => http::post("AAAAAAAAAAAAAAAAAAAA", b"4x\x1e4"),
        2 => http::upgrade(Some("nobody")),
        _ => {
            let mut bytes = http::upgrade(None);
            for _ in 0..draw(30) {
                let texts: [&[u8]; 12] = [
                    b"40",
                    b"40/word,{\"word\":\"open\"}",
                    b"42[\"echo\",1,\"x\"]",
                    b"42[\"burst\",1,30]",
                    b"451-[\"bytes\",1,{\"_placeholder\":true,\"num\":0}]",
                    b"3",
                    b"2",
                    b"41",
                    b"430[1]",
                    b"",
                    b"42[\"all\",[[[[[[[[[[[[[[[[[[[[[[]",
                    b"4599999999999-[]",
                ];
                let kind = [ws::TEXT, ws::TEXT, ws::TEXT, ws::BINARY, ws::PING, ws::CLOSE, 0];
                let kind = kind[draw(7) as usize];
                let text = texts[draw(12) as usize];
                bytes.extend(ws::frame(kind, text, draw(1 << 32) as u32));
            }
            bytes
        }
    };
    for _ in 0..draw(4) {
        let place = draw(bytes.len() as u64) as usize;
        match draw(4) {
            0 => bytes[place] ^= 1 << draw(8),
            1 => bytes.truncate(place.max(1)),
            2 => bytes.insert(place, draw(256) as u8),
            _ => {
                bytes.remove(place);
            }
        }
        if bytes.is_empty() {
            bytes.push(b'G');
        }
    }
    bytes
}
