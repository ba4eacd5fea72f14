//! A client without Socket.IO: it keeps a polling session alive, and sends further requests behind
//! its poll without waiting for answers. HTTP/1.1 lets it (RFC 9112, 9.3.2), and answers must come
//! in the order of the requests, however many wait.

use std::collections::VecDeque;

use super::http::{self, Answer};
use super::packet::{self, Packet};
use super::unit::Unit;
use super::{Me, Timer, json};
use crate::hub::Hub;
use crate::oracle::{Property, Verdicts};

/// Requests behind a poll, at most: more than a server lets wait.
const BEHIND_MAX: u64 = 40;
/// Where so many requests may wait, a poll and two POSTs are heard at once.
const HEARD_AT_ONCE: u32 = 4;
/// What the program answers at once.
const NOW: &[u8] = b"GET /now HTTP/1.1\r\nHost: sim\r\n\r\n";
/// Between two of its deeds, at most.
const PAUSE_MAX: u64 = 900_000;

#[derive(Default)]
pub(super) struct Requester {
    line: Option<Line>,
}

/// A connection, and the session on it.
struct Line {
    conn: usize,
    session: u64,
    sid: Option<String>,
    received: Vec<u8>,
    /// What was asked and not answered, in order.
    asked: VecDeque<Asked>,
    /// What is to be written later.
    rest: Vec<u8>,
    /// The units that end in it, from its beginning.
    units: VecDeque<(usize, Unit)>,
    /// It has asked to be in `/`, where what it says is answered.
    has_joined: bool,
    /// It has asked for the connection's end, and asks for nothing more.
    is_ending: bool,
    /// The server has asked whether it is there.
    owes_pong: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Handshake,
    Poll,
    Pong,
    /// No such page.
    Page,
    /// One that the program has, at once or after a while.
    Now,
    Later,
    /// Of a program that knows GET.
    Options,
    /// A POST that brings something for the poll in front of it.
    Event,
    /// The last of its connection, whatever stands behind it.
    Last,
    /// No such session.
    Stranger,
    /// No such transport.
    Pigeon,
}

impl Requester {
    pub(super) fn timer(&mut self, me: &Me, hub: &mut Hub) {
        if hub.is_quiet {
            self.leave(hub);
            return;
        }
        match &mut self.line {
            None => self.line = Some(Line::open(me, hub)),
            Some(line) if !line.rest.is_empty() => {
                let most = line.rest.len() as u64;
                let count = 1 + hub.choices.choose(me.stream, most) as usize;
                line.write(count, hub);
            }
            Some(line) => {
                let is_polled = line.asked.contains(&Asked::Poll);
                if line.sid.is_some() && !is_polled && !line.is_ending {
                    line.burst(me, hub);
                    // Often all at once, sometimes cut anywhere.
                    let is_whole = !hub.choices.happens(me.stream, 1, 4);
                    line.write(if is_whole { usize::MAX } else { 1 }, hub);
                }
            }
        }
        let pause = hub.choices.between(me.stream, 1000, PAUSE_MAX);
        hub.timer(pause, me.number, me.life, Timer::Nuisance);
    }

    pub(super) fn bytes(&mut self, conn: usize, bytes: &[u8], hub: &mut Hub) {
        let Some(line) = self.line.as_mut().filter(|line| line.conn == conn) else { return };
        line.received.extend(bytes);
        if line.read(hub).is_none() {
            self.leave(hub);
        }
    }

    pub(super) fn end(&mut self, conn: usize, hub: &mut Hub) {
        if self.line.as_ref().is_some_and(|line| line.conn == conn) {
            self.leave(hub);
        }
    }

    fn leave(&mut self, hub: &mut Hub) {
        self.line.take().into_iter().for_each(|line| hub.leave(line.conn));
    }
}

impl Line {
    fn open(me: &Me, hub: &mut Hub) -> Self {
        let mut line = Self {
            conn: hub.connect(me.number),
            session: hub.session(),
            sid: None,
            received: Vec::new(),
            asked: VecDeque::new(),
            rest: Vec::new(),
            units: VecDeque::new(),
            has_joined: false,
            is_ending: false,
            owes_pong: false,
        };
        let unit = Unit::Handshake { session: line.session, is_websocket: false };
        line.ask(Asked::Handshake, &http::get(None), Some(unit));
        line.write(usize::MAX, hub);
        line
    }

    /// Puts a request behind the others.
    fn ask(&mut self, asked: Asked, request: &[u8], unit: Option<Unit>) {
        self.rest.extend(request);
        self.units.extend(unit.map(|unit| (self.rest.len(), unit)));
        self.asked.push_back(asked);
    }

    /// A pong if it is due, a poll, and all sorts of requests behind it.
    fn burst(&mut self, me: &Me, hub: &mut Hub) {
        let Some(sid) = self.sid.clone() else { return };
        let session = self.session;
        // What is held back by the server is not heard when it arrives.
        let is_idle = self.asked.is_empty();
        if std::mem::take(&mut self.owes_pong) {
            self.post(Asked::Pong, Packet::Text('3', String::new()), &sid);
        }
        self.ask(Asked::Poll, &http::get(Some(&sid)), Some(Unit::Get { session }));
        let is_heard = is_idle && hub.profile.config.limits.pipelined_requests_max >= HEARD_AT_ONCE;
        if is_heard && hub.choices.happens(me.stream, 1, 2) {
            let was_in = std::mem::replace(&mut self.has_joined, true);
            let text = if was_in { r#"2["echo",0,"behind"]"# } else { "0" };
            self.post(Asked::Event, Packet::Text('4', text.into()), &sid);
        }
        for _ in 0..hub.choices.choose(me.stream, BEHIND_MAX) {
            match hub.choices.choose(me.stream, 6) {
                5 => self.ask(Asked::Options, b"OPTIONS /now HTTP/1.1\r\nHost: sim\r\n\r\n", None),
                4 => self.ask(Asked::Now, NOW, None),
                3 => self.ask(Asked::Later, b"GET /later HTTP/1.1\r\nHost: sim\r\n\r\n", None),
                0 => self.ask(Asked::Page, b"GET /nothing HTTP/1.1\r\nHost: sim\r\n\r\n", None),
                1 => self.ask(Asked::Stranger, &http::get(Some("AAAAAAAAAAAAAAAAAAAA")), None),
                _ => {
                    let request =
                        "GET /socket.io/?EIO=4&transport=pigeon HTTP/1.1\r\nHost: sim\r\n\r\n";
                    self.ask(Asked::Pigeon, request.as_bytes(), None);
                }
            }
        }
        if hub.choices.happens(me.stream, 1, 16) {
            self.ask(Asked::Last, &http::closing(NOW), None);
            // Nobody answers these.
            self.is_ending = true;
            self.rest.extend(NOW.repeat(2));
        }
    }

    fn post(&mut self, asked: Asked, packet: Packet, sid: &str) {
        let (session, packets) = (self.session, vec![packet]);
        let body = packet::payload(&packets);
        let request = http::post(sid, &body);
        let head = self.rest.len() + request.len() - body.len();
        self.units.push_back((head, Unit::PostHead { session }));
        self.ask(asked, &request, Some(Unit::Post { session, packets }));
    }

    /// Writes the first so many bytes of what is left.
    fn write(&mut self, count: usize, hub: &mut Hub) {
        let count = count.min(self.rest.len());
        let part: Vec<u8> = self.rest.drain(..count).collect();
        let whole = std::iter::from_fn(|| self.units.pop_front_if(|(end, _)| *end <= count));
        let whole: Vec<_> = whole.collect();
        self.units.iter_mut().for_each(|(end, _)| *end -= count);
        hub.write(self.conn, &part, whole);
    }

    /// Takes the answers that are there. `None` if the session, or the connection, is over.
    fn read(&mut self, hub: &mut Hub) -> Option<()> {
        loop {
            let answer = match http::answer(&mut self.received) {
                Ok(None) => return Some(()),
                Ok(Some(answer)) => answer,
                Err(why) => {
                    hub.verdicts.fail(Property::P1, why);
                    return None;
                }
            };
            let Some(asked) = self.asked.pop_front() else {
                hub.verdicts.fail(Property::P1, format!("nobody asked for {answer:?}"));
                return None;
            };
            // The program takes up to two seconds, and may not have them.
            let is_short = hub.profile.config.decision_timeout.is_some();
            judge(asked, &answer, is_short, &mut hub.verdicts);
            let is_over =
                matches!(asked, Asked::Handshake | Asked::Poll | Asked::Pong | Asked::Event);
            if is_over && answer.status != 200 {
                return None;
            }
            self.take(asked, &answer)?;
        }
    }

    fn take(&mut self, asked: Asked, answer: &Answer) -> Option<()> {
        if !matches!(asked, Asked::Handshake | Asked::Poll) {
            return Some(());
        }
        for packet in packet::packets(&answer.body).ok()? {
            match packet {
                Packet::Text('0', data) => {
                    self.sid = json::field(&data, "sid").and_then(json::plain).map(Into::into);
                }
                Packet::Text('2', _) => self.owes_pong = true,
                Packet::Text('1', _) => return None,
                _ => {}
            }
        }
        Some(())
    }
}

/// P1, and P6 of requests that are the program's. `is_short`: it may be late with an answer.
fn judge(asked: Asked, answer: &Answer, is_short: bool, verdicts: &mut Verdicts) {
    let is_overdue = is_short && asked == Asked::Later && answer.status == 404;
    let is_legal = is_overdue || is_legal(asked, answer);
    let property = match asked {
        Asked::Page | Asked::Now | Asked::Later | Asked::Options | Asked::Last => Property::P6,
        _ => Property::P1,
    };
    verdicts.claim(property, is_legal, || {
        format!("{asked:?} is answered {answer:?}: answers come in the order of requests")
    });
}

fn is_legal(asked: Asked, answer: &Answer) -> bool {
    let says = |text: &str| answer.body.windows(text.len()).any(|part| part == text.as_bytes());
    match asked {
        Asked::Handshake => answer.status == 200 && answer.body.first() == Some(&b'0'),
        // 400 is legal where the session has ended meanwhile.
        Asked::Poll => answer.status == 400 || packet::packets(&answer.body).is_ok(),
        Asked::Pong | Asked::Event => answer.status == 400 || answer.body == b"ok",
        Asked::Page => answer.status == 404,
        Asked::Now | Asked::Options => answer.status == 200 && answer.body == b"now",
        Asked::Last => answer.body == b"now" && answer.field("connection") == Some("close"),
        Asked::Later => answer.status == 200 && answer.body == b"later",
        Asked::Stranger => answer.status == 400 && says(r#""code":1"#),
        Asked::Pigeon => answer.status == 400 && says(r#""code":0"#),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::tests::fires;

    #[test]
    fn answers_belong_to_their_requests() {
        let answer = |status, body: &str| Answer {
            status,
            head: String::new(),
            body: body.as_bytes().to_vec(),
        };
        assert!(is_legal(Asked::Poll, &answer(200, "6")));
        assert!(!is_legal(Asked::Poll, &answer(404, "Not found")));
        assert!(!is_legal(Asked::Page, &answer(200, "6")));
        assert!(is_legal(Asked::Stranger, &answer(400, r#"{"code":1}"#)));
        assert!(!is_legal(Asked::Stranger, &answer(400, r#"{"code":0}"#)));
    }

    #[test]
    fn p6_requests_of_the_program_are_answered_in_their_order() {
        let head = "HTTP/1.1 200 OK\r\nConnection: close".to_string();
        let give = |asked: Asked, status: u16, body: &'static str, is_short: bool| {
            let answer = Answer { status, head: head.clone(), body: body.into() };
            move |verdicts: &mut Verdicts| judge(asked, &answer, is_short, verdicts)
        };
        fires(None, give(Asked::Page, 404, "Not found", false));
        fires(None, give(Asked::Now, 200, "now", false));
        fires(None, give(Asked::Options, 200, "now", false));
        fires(None, give(Asked::Last, 200, "now", false));
        fires(None, give(Asked::Later, 200, "later", false));
        fires(None, give(Asked::Later, 404, "", true));
        fires(Some(Property::P6), give(Asked::Later, 404, "", false));
        // Two that have changed their places.
        fires(Some(Property::P6), give(Asked::Now, 200, "later", false));
        fires(Some(Property::P6), give(Asked::Later, 200, "now", true));
        // Nobody takes it, and it is taken.
        fires(Some(Property::P6), give(Asked::Page, 200, "now", false));
        fires(Some(Property::P1), give(Asked::Stranger, 200, "6", false));
    }
}
