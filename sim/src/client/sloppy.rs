//! A client that does what is odd, and in part forbidden, on purpose: each time one little scene in
//! a session of its own, of which it knows what may come of it. It notes what it says, so all rules
//! hold for it too. Where the network breaks, it gives the scene up.

use std::collections::VecDeque;

use super::packet::{self, Packet};
use super::unit::Unit;
use super::{Me, Timer, http, json, ws};
use crate::hub::Hub;
use crate::marks::Mark;
use crate::oracle::Property;
use crate::workload::Guise;

/// Between two scenes, at most.
const PAUSE_MAX: u64 = 900_000;
/// A scene that goes on for longer has lost something on its way.
const SCENE_MAX: u64 = 8_000_000;
/// Where the server takes more, nobody sends so much for nothing.
const EXCESS_BYTES_MAX: usize = 200_000;

#[derive(Default)]
pub(super) struct Sloppy {
    scene: Option<Scene>,
}

/// Which of its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    Poll,
    Post,
    WebSocket,
    /// One that does it again.
    Other,
}

#[derive(Clone, Debug)]
enum Step {
    Say(On, Words),
    /// The next answer, with one of these statuses.
    Answer(On, &'static [u16]),
    /// A text on a WebSocket that begins so; others may come before it.
    Text(&'static str),
    /// The server ends this connection.
    End(On),
    Mark(Mark),
}

#[derive(Clone, Debug)]
enum Words {
    Handshake,
    Get,
    Post(Vec<Packet>),
    /// Every byte a chunk of its own.
    Chunks(Vec<Packet>),
    /// A body that is longer than the server takes, by some bytes.
    Excess,
    Upgrade,
    /// All of them in one write.
    Frames(Vec<Packet>),
    /// In three frames, and a ping of WebSocket between them.
    Fragments(Packet),
    /// A request that nobody notes.
    Plain(String),
}

struct Scene {
    session: u64,
    sid: String,
    lines: [Option<Line>; 4],
    steps: VecDeque<Step>,
    until: u64,
}

#[derive(Default)]
struct Line {
    conn: usize,
    received: Vec<u8>,
    is_switched: bool,
    is_over: bool,
}

fn text(kind: char, data: &str) -> Packet {
    Packet::Text(kind, data.into())
}

/// What it plays.
fn scene(number: u64, guise: Guise) -> Vec<Step> {
    let open = [Step::Say(On::Poll, Words::Handshake), Step::Answer(On::Poll, OK)];
    let rest = match number {
        0..4 => upgrade(number),
        _ => polling(number, guise),
    };
    [&open[..], &rest].concat()
}

const OK: &[u16] = &[200];
/// What a ping of WebSocket carries.
const PING: &[u8] = b"odd";

fn echo() -> Packet {
    text('4', r#"2["echo",1,"odd"]"#)
}

/// The ways of coming to a WebSocket.
fn upgrade(number: u64) -> Vec<Step> {
    use On::{Other, Poll, WebSocket};
    use Step::{Answer, End, Mark as Marks, Say, Text};
    let probe = || text('2', "probe");
    let frames = |packets: &[Packet]| Say(WebSocket, Words::Frames(packets.to_vec()));
    let knock = [Say(WebSocket, Words::Upgrade), Answer(WebSocket, &[101])];
    let probed = [&knock[..], &[frames(&[probe()]), Text("3probe")]].concat();
    let joins = [frames(&[text('5', ""), text('4', "0")]), Text("40")];
    // What it says in front of the answer to its CONNECT would end the session.
    let heard = [frames(&[echo()]), Text("42")];
    match number {
        // All of it in one breath, while a poll is parked.
        0 => {
            let both = frames(&[probe(), text('5', ""), text('4', "0")]);
            let start = [Say(Poll, Words::Get), both, Text("3probe"), Text("40")];
            [&knock[..], &start, &heard].concat()
        }
        // A poll during the upgrade, and another behind it.
        1 => {
            let poll = [Say(Poll, Words::Get), Answer(Poll, OK)];
            [&probed[..], &poll, &poll, &joins, &heard].concat()
        }
        // Two candidates for one session: the first wins.
        2 => {
            let second = [Say(Other, Words::Upgrade), Answer(Other, &[101, 400]), End(Other)];
            [&probed[..], &second].concat()
        }
        // A message in parts.
        _ => {
            let parts = [Say(WebSocket, Words::Fragments(echo())), Marks(Mark::Fragmented)];
            [&probed[..], &joins, &parts, &[Text("42")]].concat()
        }
    }
}

/// What is odd about requests.
fn polling(number: u64, guise: Guise) -> Vec<Step> {
    use On::{Other, Poll, Post};
    use Step::{Answer, Mark as Marks, Say};
    let heard = [Say(Poll, Words::Get), Answer(Poll, OK)];
    let joins = [Say(Post, Words::Post(vec![text('4', "0")])), Answer(Post, OK)];
    match number {
        // It joins twice, while the program still thinks about it: the session is over.
        4 => vec![
            Say(Post, Words::Post(vec![text('4', &format!("0{},", guise.late)); 2])),
            Marks(Mark::ConnectTwice),
            Answer(Post, &[200, 400]),
        ],
        // Pongs that nobody asked for, and noops.
        5 => {
            let odd = vec![text('3', ""), text('6', ""), text('3', ""), echo()];
            let said = [Say(Post, Words::Post(odd)), Answer(Post, OK)];
            [&joins[..], &heard, &said, &heard].concat()
        }
        // It joins nothing.
        6 => vec![Say(Poll, Words::Get), Answer(Poll, &[200, 400])],
        // Then more than the server takes: the session goes on.
        7 => {
            let said = [Say(Post, Words::Chunks(vec![echo()])), Answer(Post, OK)];
            let excess = [Say(Post, Words::Excess), Answer(Post, &[413])];
            let again = [Say(Post, Words::Post(vec![echo()])), Answer(Post, OK)];
            [&joins[..], &heard, &said, &heard, &excess, &again, &heard].concat()
        }
        // Methods that are not Engine.IO's.
        _ => {
            const REFUSED: &[u16] = &[400, 404, 405, 204];
            let plain = |method: &str, rest: &str| {
                let target = "/socket.io/?EIO=4&transport=polling";
                let head = format!("{method} {target} HTTP/1.1\r\nHost: sim\r\n{rest}\r\n");
                [Say(Other, Words::Plain(head)), Answer(Other, REFUSED)]
            };
            let options = "Origin: http://sim\r\nAccess-Control-Request-Method: POST\r\n";
            [plain("OPTIONS", options), plain("PUT", "Content-Length: 0\r\n")].concat()
        }
    }
}

const SCENES: u64 = 9;

impl Sloppy {
    pub(super) fn timer(&mut self, me: &Me, hub: &mut Hub) {
        if hub.is_quiet {
            self.leave(hub);
            return;
        }
        hub.choices.span(me.stream, "oddity");
        let pause = hub.choices.between(me.stream, 1000, PAUSE_MAX);
        let number = hub.choices.choose(me.stream, SCENES);
        if let Some(scene) = &self.scene
            && (scene.steps.is_empty() || scene.until <= hub.now)
        {
            self.leave(hub);
        }
        if self.scene.is_none() {
            let scene = Scene {
                session: hub.session(),
                sid: String::new(),
                lines: [const { None }; 4],
                steps: scene(number, hub.profile.guise).into(),
                until: hub.now + SCENE_MAX,
            };
            self.scene = Some(scene);
            self.play(me, hub);
        }
        hub.timer(pause, me.number, me.life, Timer::Nuisance);
    }

    pub(super) fn bytes(&mut self, conn: usize, bytes: &[u8], me: &Me, hub: &mut Hub) {
        let Some(scene) = &mut self.scene else { return };
        let lines = &mut scene.lines;
        if let Some(line) = lines.iter_mut().flatten().find(|line| line.conn == conn) {
            line.received.extend(bytes);
            self.play(me, hub);
        }
    }

    pub(super) fn end(&mut self, conn: usize, me: &Me, hub: &mut Hub) {
        let Some(scene) = &mut self.scene else { return };
        let lines = &mut scene.lines;
        if let Some(line) = lines.iter_mut().flatten().find(|line| line.conn == conn) {
            line.is_over = true;
            hub.leave(conn);
            self.play(me, hub);
        }
    }

    /// Goes on as far as it can.
    fn play(&mut self, me: &Me, hub: &mut Hub) {
        let Some(scene) = &mut self.scene else { return };
        while let Some(step) = scene.steps.front().cloned() {
            match scene.step(&step, me, hub) {
                Some(true) => drop(scene.steps.pop_front()),
                Some(false) => return,
                None => return self.leave(hub),
            }
        }
    }

    fn leave(&mut self, hub: &mut Hub) {
        let Some(scene) = self.scene.take() else { return };
        let open = scene.lines.into_iter().flatten().filter(|line| !line.is_over);
        open.for_each(|line| hub.leave(line.conn));
    }
}

impl Scene {
    /// Whether a step is done; `None` if the scene cannot go on.
    fn step(&mut self, step: &Step, me: &Me, hub: &mut Hub) -> Option<bool> {
        match step {
            Step::Say(on, words) => self.say(*on, words, me, hub),
            Step::Answer(on, legal) => self.answer(*on, legal, hub),
            Step::Text(start) => self.text(start, hub),
            Step::End(on) => Some(self.lines[*on as usize].as_ref()?.is_over),
            Step::Mark(mark) => {
                hub.marks.hit(*mark);
                Some(true)
            }
        }
    }

    fn say(&mut self, on: On, words: &Words, me: &Me, hub: &mut Hub) -> Option<bool> {
        let session = self.session;
        let line = &mut self.lines[on as usize];
        if line.as_ref().is_none_or(|line| line.is_over) {
            // Frames need the WebSocket that they were for.
            if matches!(words, Words::Frames(_) | Words::Fragments(_)) {
                return None;
            }
            let conn = hub.connect(me.number);
            *line = Some(Line { conn, ..Line::default() });
        }
        let conn = line.as_ref()?.conn;
        let mut mask = || hub.choices.choose(me.masks, 1 << 32) as u32;
        let (bytes, units) = match words {
            Words::Handshake => {
                let bytes = http::get(None);
                let unit = Unit::Handshake { session, is_websocket: false };
                (bytes.clone(), vec![(bytes.len(), unit)])
            }
            Words::Get => {
                let bytes = http::get(Some(&self.sid));
                (bytes.clone(), vec![(bytes.len(), Unit::Get { session })])
            }
            Words::Upgrade => {
                let bytes = http::upgrade(Some(&self.sid));
                (bytes.clone(), vec![(bytes.len(), Unit::Upgrade { session })])
            }
            Words::Post(packets) | Words::Chunks(packets) => {
                let packets = packets.clone();
                let body = packet::payload(&packets);
                let bytes = match words {
                    Words::Chunks(_) => http::chunks(&self.sid, &body),
                    _ => http::post(&self.sid, &body),
                };
                let end = http::head_end(&bytes)? + 4;
                let head = (end, Unit::PostHead { session });
                let whole = (bytes.len(), Unit::Post { session, packets });
                (bytes, vec![head, whole])
            }
            Words::Excess => {
                let most = hub.profile.config.max_payload as usize;
                if most > EXCESS_BYTES_MAX {
                    return None;
                }
                excess(&self.sid, session, most, hub.choices.choose(me.stream, 2000) as usize)
            }
            Words::Frames(packets) => {
                let (mut bytes, mut units) = (Vec::new(), Vec::new());
                for packet in packets {
                    bytes.extend(frame(packet, mask()));
                    units.push((bytes.len(), Unit::Frame(packet.clone())));
                }
                (bytes, units)
            }
            Words::Fragments(packet) => {
                let (bytes, ping) = fragments(packet, mask());
                let ping = (ping, Unit::WsPing(PING.to_vec()));
                let whole = (bytes.len(), Unit::Frame(packet.clone()));
                (bytes, vec![ping, whole])
            }
            Words::Plain(head) => (head.clone().into_bytes(), Vec::new()),
        };
        if matches!(words, Words::Plain(_)) {
            hub.conns[conn].is_hostile = true;
        }
        hub.write(conn, &bytes, units);
        Some(true)
    }

    fn answer(&mut self, on: On, legal: &[u16], hub: &mut Hub) -> Option<bool> {
        let line = self.lines[on as usize].as_mut()?;
        let answer = match http::answer(&mut line.received) {
            Ok(Some(answer)) => answer,
            Ok(None) if line.is_over => return None,
            Ok(None) => return Some(false),
            Err(why) => {
                hub.verdicts.fail(Property::P1, why);
                return None;
            }
        };
        line.is_switched = answer.status == 101;
        // The session may have ended meanwhile, or there may be no room for it.
        let is_gone =
            answer.status == 400 || answer.status == 503 && hub.profile.are_sessions_few();
        let is_legal = legal.contains(&answer.status) || is_gone;
        hub.verdicts.claim(Property::P1, is_legal, || {
            format!("an odd request may be answered {legal:?}, and is {answer:?}")
        });
        if self.sid.is_empty() && answer.status == 200 {
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            let sid = text.strip_prefix('0').and_then(|data| json::field(data, "sid"));
            self.sid = sid.and_then(json::plain)?.into();
        }
        (!is_gone || legal.contains(&answer.status)).then_some(true)
    }

    fn text(&mut self, start: &str, hub: &mut Hub) -> Option<bool> {
        let line = self.lines[On::WebSocket as usize].as_mut()?;
        loop {
            match ws::message(&mut line.received) {
                Ok(Some(ws::Message::Text(text))) if text.starts_with(start) => return Some(true),
                Ok(Some(ws::Message::Close)) => return None,
                Ok(Some(_)) => {}
                Ok(None) if line.is_over => return None,
                Ok(None) => return Some(false),
                Err(why) => {
                    hub.verdicts.fail(Property::S0, why);
                    return None;
                }
            }
        }
    }
}

/// A POST that is longer than the server takes, by one byte and these.
fn excess(sid: &str, session: u64, most: usize, more: usize) -> (Vec<u8>, Vec<(usize, Unit)>) {
    let bytes = http::post(sid, &vec![b'x'; most + 1 + more]);
    let head = bytes.len() - more - most - 1;
    let units = [(head, Unit::PostHead { session }), (head + most + 1, Unit::Excess { session })];
    (bytes, units.into())
}

fn frame(packet: &Packet, mask: u32) -> Vec<u8> {
    match packet {
        Packet::Text(kind, data) => ws::frame(ws::TEXT, format!("{kind}{data}").as_bytes(), mask),
        Packet::Binary(data) => ws::frame(ws::BINARY, data, mask),
    }
}

/// RFC 6455, 5.4: only the last part is final, and control frames may stand between them. Says
/// where the ping ends.
fn fragments(packet: &Packet, mask: u32) -> (Vec<u8>, usize) {
    let text = match packet {
        Packet::Text(kind, data) => format!("{kind}{data}").into_bytes(),
        Packet::Binary(data) => data.clone(),
    };
    let (first, rest) = text.split_at(text.len() / 3);
    let (second, third) = rest.split_at(rest.len() / 2);
    let part = |opcode, text, is_last: bool| {
        let mut frame = ws::frame(opcode, text, mask);
        frame[0] &= if is_last { 0xff } else { 0x7f };
        frame
    };
    let mut bytes = [part(ws::TEXT, first, false), part(0, second, false)].concat();
    bytes.extend(ws::frame(ws::PING, PING, mask));
    let ping = bytes.len();
    bytes.extend(part(0, third, true));
    (bytes, ping)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_in_three_frames_is_one_message() {
        let (bytes, ping) = fragments(&text('4', "2[\"a\"]"), 0);
        assert_eq!(ping, 8 + 8 + 9);
        assert_eq!((bytes[0], bytes[1]), (0x01, 0x80 | 2));
        assert_eq!(bytes[8], 0x00, "a continuation that is not the last");
        assert_eq!(bytes[16], 0x80 | ws::PING);
        assert_eq!(bytes[25], 0x80, "the last one");
        assert_eq!(bytes.len(), 8 + 8 + 9 + 9);
    }

    #[test]
    fn every_scene_opens_a_session_first() {
        for number in 0..SCENES {
            let steps = scene(number, Guise::PLAIN);
            assert!(matches!(steps[0], Step::Say(On::Poll, Words::Handshake)), "{number}");
            assert!(steps.len() > 3, "{number}");
        }
    }
}
