//! A client that means no good: what it says is nearly right, or right and far too much, or does
//! not end. It notes nothing of it, and reads no more than it needs to be a nuisance.

pub(crate) mod speech;

use super::{Me, Timer};
use crate::hub::Hub;
use crate::marks::Mark;
use speech::Speech;

/// What it keeps of what it hears: enough for a handshake.
const HEARD_MAX: usize = 4096;

#[derive(Default)]
pub(crate) struct Hostile {
    conn: Option<usize>,
    /// What it will say, bit by bit.
    rest: Vec<u8>,
    /// What the server has heard, once it has said all of it.
    mark: Option<Mark>,
    pace: usize,
    heard: Vec<u8>,
    /// Of the last session that it was given.
    sid: Option<String>,
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
            Some(conn) if !self.rest.is_empty() => self.say(conn, hub),
            // Sometimes more of it, in the same session.
            Some(_) if self.sid.is_some() && hub.choices.happens(me.stream, 1, 2) => {
                self.speak(me, hub);
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
                self.heard.clear();
                self.speak(me, hub);
            }
        }
        hub.timer(pause.max(1000), me.number, me.life, Timer::Nuisance);
    }

    fn speak(&mut self, me: &Me, hub: &mut Hub) {
        let Speech { bytes, mark } = speech::of(self.sid.as_deref(), &mut hub.choices, me.stream);
        (self.rest, self.mark) = (bytes, mark);
        self.pace = [1, 40, 1 << 20][hub.choices.choose(me.stream, 3) as usize];
    }

    fn say(&mut self, conn: usize, hub: &mut Hub) {
        let count = self.pace.min(self.rest.len());
        let part: Vec<u8> = self.rest.drain(..count).collect();
        hub.write(conn, &part, []);
        if self.rest.is_empty() {
            self.mark.take().into_iter().for_each(|mark| hub.marks.hit(mark));
        }
    }

    pub(crate) fn bytes(&mut self, conn: usize, bytes: &[u8], hub: &Hub) {
        // A guess from an id is nearer to one than to another.
        if hub.profile.guise.is_of_pair() {
            return;
        }
        if self.conn != Some(conn) || self.heard.len() + bytes.len() > HEARD_MAX {
            return;
        }
        self.heard.extend(bytes);
        let text = String::from_utf8_lossy(&self.heard);
        let sid = text.split_once("\"sid\":\"").and_then(|(_, rest)| rest.split_once('"'));
        self.sid = sid.map(|(sid, _)| sid.to_string()).or(self.sid.take());
    }

    pub(crate) fn end(&mut self, conn: usize, hub: &mut Hub) {
        if self.conn == Some(conn) {
            hub.leave(conn);
            self.conn = None;
        }
    }
}
