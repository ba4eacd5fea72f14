//! A client's membership of one namespace: what it wants there, says, hears and answers.

use parlor::{Overflow, SocketId};

use super::packet::{Message, Packet};
use super::{Me, Timer, json};
use crate::app::{SPACES, WORD};
use crate::hub::Hub;
use crate::oracle::Property;
use crate::oracle::asks::Questions;
use crate::watch::print;

const DROP: Overflow = Overflow::DropMessage;

/// An event that no handler is registered for.
const UNHEARD: &str = "nobody-hears";

pub(crate) struct Space {
    index: usize,
    state: State,
    /// It was a member before in this session: what comes may be meant for that one.
    was_member: bool,
    knows_word: bool,
    /// Counts what it says in all its life.
    number: u64,
}

enum State {
    Out,
    /// CONNECT is out; what has come before the answer.
    Asking(Vec<u64>),
    Member {
        id: SocketId,
        questions: Questions,
    },
    Refused,
}

impl Space {
    pub(crate) fn all() -> Vec<Self> {
        let space = |index| Self {
            index,
            state: State::Out,
            was_member: false,
            knows_word: true,
            number: 0,
        };
        (0..SPACES.len()).map(space).collect()
    }

    pub(crate) fn index(namespace: &str) -> usize {
        SPACES.iter().position(|&name| name == namespace).unwrap_or(usize::MAX)
    }

    /// In a new session.
    pub(crate) fn join_first(&mut self, me: &Me, hub: &mut Hub) -> Vec<Packet> {
        self.was_member = false;
        self.join(me, hub)
    }

    pub(crate) fn join(&mut self, me: &Me, hub: &mut Hub) -> Vec<Packet> {
        if !matches!(self.state, State::Out) {
            return Vec::new();
        }
        self.knows_word = hub.choices.happens(me.stream, 5, 6);
        let data = match self.index {
            1 if self.knows_word => WORD,
            1 => r#"{"word":"shut"}"#,
            _ => "",
        };
        self.state = State::Asking(Vec::new());
        self.packet(0, None, data.into())
    }

    /// The session is over.
    pub(crate) fn lost(&mut self) {
        self.state = State::Out;
    }

    /// Where it wants to be and is not.
    pub(crate) fn wants(&self) -> Option<String> {
        let is_there = matches!(self.state, State::Member { .. } | State::Refused);
        (!is_there).then(|| SPACES[self.index].to_string())
    }

    pub(crate) fn unsettled(&self, hub: &Hub) -> Option<String> {
        let State::Member { id, questions } = &self.state else { return None };
        let name = SPACES[self.index];
        match hub.sockets.open(*id) {
            // Where the policy is to drop, answers are dropped too.
            (0, 0) if questions.is_empty() || hub.profile.config.overflow == DROP => None,
            (0, 0) => Some(format!("{id} of {name} never got an answer: {questions:?}")),
            (arriving, unheard) => Some(format!(
                "{id} of {name} never got {arriving} packets, and {unheard} of it were not handled"
            )),
        }
    }

    fn packet(&self, kind: u8, id: Option<u64>, data: String) -> Vec<Packet> {
        let namespace = SPACES[self.index].to_string();
        let message = Message { kind, namespace, id, data, attachments: 0 };
        vec![Packet::Text('4', message.text())]
    }

    /// Says something. The text of its arguments is what its handler must get.
    fn event(&mut self, name: &str, rest: &str, asks: bool, hub: &mut Hub) -> Vec<Packet> {
        self.number += 1;
        let number = self.number;
        let State::Member { id, questions } = &mut self.state else { return Vec::new() };
        let args = format!("[{number}{rest}]");
        if name != UNHEARD {
            let print = print(name, &args, &[] as &[&[u8]]);
            hub.trace.line(hub.now, || format!("{id} says {name}{args}, print {print}"));
            hub.sockets.sent(*id, print);
        }
        let ack = asks.then(|| questions.ask(number));
        self.packet(2, ack, format!("[\"{name}\",{}", &args[1..]))
    }

    fn bytes(&mut self, size: usize, hub: &mut Hub) -> Vec<Packet> {
        self.number += 1;
        let State::Member { id, .. } = &self.state else { return Vec::new() };
        let data: Vec<u8> = (0..size).map(|place| (place * 7) as u8).collect();
        let args = format!(r#"[{},{{"_placeholder":true,"num":0}}]"#, self.number);
        hub.sockets.sent(*id, print("bytes", &args, &[&data]));
        let namespace = SPACES[self.index].to_string();
        let data_of = format!("[\"bytes\",{}", &args[1..]);
        let message = Message { kind: 5, namespace, id: None, data: data_of, attachments: 1 };
        vec![Packet::Text('4', message.text()), Packet::Binary(data)]
    }

    /// Something that a user might do.
    pub(crate) fn act(&mut self, me: &Me, hub: &mut Hub) -> Vec<Packet> {
        if !matches!(self.state, State::Member { .. }) {
            return Vec::new();
        }
        let mut draw = |bound| hub.choices.choose(me.stream, bound);
        let op = draw(100);
        let size = draw(12);
        let size = draw(hub.profile.text_bytes_max >> size.min(8)) as usize;
        let room = ["a", "b", "c"][hub.choices.choose(me.stream, 3) as usize];
        let ms = hub.choices.between(me.stream, 1, 3000);
        let text = text(size);
        match op {
            0..20 => self.event("echo", &format!(",{text}"), false, hub),
            20..32 => self.event("sum", &format!(",{text}"), true, hub),
            32..36 => self.event("later", "", true, hub),
            36..46 => self.event("say", &format!(",\"{room}\",{text}"), false, hub),
            46..52 => self.event("all", &format!(",{text}"), false, hub),
            52..58 => self.event("few", &format!(",\"{room}\""), false, hub),
            58..63 => self.event("join", &format!(",\"{room}\""), false, hub),
            63..66 => self.event("leave", &format!(",\"{room}\""), false, hub),
            66..76 => self.event("ask", &format!(",{ms}"), false, hub),
            76..80 => self.event("askv", &format!(",{ms}"), false, hub),
            80..86 => self.event("volatile", &format!(",{text}"), false, hub),
            86..90 => self.bytes(size, hub),
            90..94 => self.event("burst", &format!(",{}", ms % 40), false, hub),
            94..96 if !hub.is_healed => self.event("kick", "", false, hub),
            96 if !hub.is_healed => self.event("end", "", false, hub),
            97..99 if !hub.is_healed => self.part(me, hub),
            _ => self.event(UNHEARD, "", false, hub),
        }
    }

    /// Leaves, and comes back later.
    fn part(&mut self, me: &Me, hub: &mut Hub) -> Vec<Packet> {
        let packet = self.packet(1, None, String::new());
        self.state = State::Out;
        self.come_back(me, hub);
        packet
    }

    fn come_back(&mut self, me: &Me, hub: &mut Hub) {
        self.was_member = true;
        let pause = hub.choices.choose(me.stream, 800_000);
        hub.timer(pause, me.number, me.life, Timer::Join(self.index));
    }

    /// A packet of the server; gives what is answered.
    pub(crate) fn message(
        &mut self,
        message: &Message,
        attachments: &[Vec<u8>],
        me: &Me,
        hub: &mut Hub,
    ) -> Vec<Packet> {
        match message.kind {
            0 => self.admitted(&message.data, hub),
            1 if matches!(self.state, State::Member { .. }) => {
                self.state = State::Out;
                self.come_back(me, hub);
            }
            1 => {} // For the one that it was before.
            4 => {
                self.state = State::Refused;
                hub.sockets.refused(SPACES[self.index], 0, &mut hub.verdicts);
            }
            2 | 5 => return self.heard(message, attachments, me, hub),
            _ => {
                let answer = json::members(&message.data).unwrap_or_default();
                let number = answer.first().and_then(|text| text.parse().ok());
                if let (State::Member { questions, .. }, Some(id)) = (&mut self.state, message.id) {
                    questions.answered(id, number, &mut hub.verdicts);
                }
            }
        }
        Vec::new()
    }

    fn admitted(&mut self, data: &str, hub: &mut Hub) {
        let id = json::field(data, "sid").and_then(json::plain).and_then(SocketId::parse);
        let State::Asking(early) = &mut self.state else {
            hub.verdicts.fail(Property::D1, format!("a CONNECT that nobody asked for: {data}"));
            return;
        };
        let Some(id) = id else {
            hub.verdicts.fail(Property::S0, format!("no socket's id: {data}"));
            return;
        };
        let early = std::mem::take(early);
        hub.sockets.named(id, true, &mut hub.verdicts);
        if self.index == 1 && !self.knows_word {
            hub.sockets.refused(SPACES[self.index], 1, &mut hub.verdicts);
        }
        for print in early {
            if !self.was_member || hub.sockets.is_under_way(id, print) {
                hub.sockets.received(id, print, &mut hub.verdicts);
            }
        }
        self.state = State::Member { id, questions: Questions::default() };
    }

    fn heard(
        &mut self,
        message: &Message,
        attachments: &[Vec<u8>],
        me: &Me,
        hub: &mut Hub,
    ) -> Vec<Packet> {
        let members = json::members(&message.data).unwrap_or_default();
        let Some(name) = members.first().copied() else { return Vec::new() };
        let rest = message.data[1 + name.len()..].trim_start_matches(',');
        let name = json::plain(name).unwrap_or_default();
        let print = print(name, &format!("[{rest}"), attachments);
        match &mut self.state {
            State::Asking(early) => early.push(print),
            State::Member { id, .. } => {
                hub.sockets.received(*id, print, &mut hub.verdicts);
                let number = members.get(1).and_then(|text| text.parse().ok());
                if let ("question", Some(ack), Some(number)) = (name, message.id, number) {
                    return self.asked(ack, number, me, hub);
                }
            }
            State::Out | State::Refused => {}
        }
        Vec::new()
    }

    fn asked(&mut self, id: u64, number: u64, me: &Me, hub: &mut Hub) -> Vec<Packet> {
        match hub.choices.choose(me.stream, 8) {
            0 => Vec::new(),
            1 | 2 => {
                let pause = hub.choices.choose(me.stream, 4_000_000);
                let timer = Timer::Answer(self.index, id, number);
                hub.timer(pause, me.number, me.life, timer);
                Vec::new()
            }
            3 => {
                let twice = [self.answer(id, number, hub), self.answer(id, number, hub)];
                twice.concat()
            }
            _ => self.answer(id, number, hub),
        }
    }

    pub(crate) fn answer(&self, id: u64, number: u64, hub: &mut Hub) -> Vec<Packet> {
        // As another socket it has nothing to answer.
        let State::Member { .. } = self.state else { return Vec::new() };
        hub.asks.answer_sent(number);
        self.packet(3, Some(id), format!("[{number}]"))
    }
}

/// JSON text of a string of about so many bytes, with everything in it that may be hard.
fn text(bytes: usize) -> String {
    const PIECES: [&str; 6] = ["a", "\u{e9}", "\u{20ac}", "\u{1f600}", "\\\"", "\\u001e"];
    let mut out = String::from('"');
    for place in 0.. {
        if out.len() > bytes {
            break;
        }
        out.push_str(PIECES[place * 5 % 7 % 6]);
    }
    out.push('"');
    out
}
