//! A client's membership of one namespace, by Socket.IO's rules: CONNECT and what answers it, ids
//! of questions, and what came in front of the admission.
//!
//! | state  | CONNECT sent | CONNECT  | CONNECT_ERROR | DISCONNECT, either way | session lost |
//! |--------|--------------|----------|---------------|------------------------|--------------|
//! | Out    | Asking       | a fault  | a fault       | Out                    | Out          |
//! | Asking |              | Member   | Refused       | Asking                 | Out          |
//! | Member |              | a fault  | Refused       | Out                    | Out          |
//! | Refused| Asking       | a fault  | Refused       | Refused                | Out          |

use parlor::SocketId;

use super::json;
use super::packet::{Message, Packet};
use crate::hub::Hub;
use crate::oracle::Property;
use crate::watch::print;

type Whole = (Message, Vec<Vec<u8>>);

#[derive(Debug)]
pub(crate) struct Space {
    namespace: String,
    /// What it says at the door.
    auth: String,
    state: State,
    /// Whether it wants to be in.
    is_wanted: bool,
    /// It was a member before in this session: what comes may be meant for that one.
    was_member: bool,
    /// In this session it has asked twice for one answer.
    has_insisted: bool,
    /// The id of its next question.
    question_next: u64,
}

#[derive(Debug)]
enum State {
    Out,
    /// CONNECT is out; what has come before the answer.
    Asking(Vec<Whole>),
    Member(SocketId),
    Refused,
}

/// What a packet came to.
pub(crate) enum Heard {
    Nothing,
    /// A member now; what had come before it is to be taken next.
    Admitted(Vec<Whole>),
    Refused,
    Expelled,
    Event,
    Answer(u64),
}

impl Space {
    pub(crate) fn new(namespace: &str) -> Self {
        Self {
            namespace: namespace.into(),
            auth: String::new(),
            state: State::Out,
            is_wanted: false,
            was_member: false,
            has_insisted: false,
            question_next: 0,
        }
    }

    pub(crate) fn is_of(&self, namespace: &str) -> bool {
        self.namespace == namespace
    }

    /// Who it is, while it is a member.
    pub(crate) fn id(&self) -> Option<SocketId> {
        match self.state {
            State::Member(id) => Some(id),
            _ => None,
        }
    }

    /// Wants to be in; asks now if a session is open, else as soon as one is.
    pub(crate) fn join(&mut self, auth: &str, is_open: bool) -> Vec<Packet> {
        self.auth = auth.into();
        self.join_again(is_open)
    }

    pub(crate) fn join_again(&mut self, is_open: bool) -> Vec<Packet> {
        self.is_wanted = true;
        if !is_open || !matches!(self.state, State::Out | State::Refused) {
            return Vec::new();
        }
        self.state = State::Asking(Vec::new());
        self.packet(0, None, self.auth.clone(), Vec::new())
    }

    /// CONNECT once more, while the first is undecided.
    pub(crate) fn insist(&mut self) -> Vec<Packet> {
        self.has_insisted |= matches!(self.state, State::Asking(_));
        match self.state {
            State::Asking(_) => self.packet(0, None, self.auth.clone(), Vec::new()),
            _ => Vec::new(),
        }
    }

    /// In a new session.
    pub(crate) fn opened(&mut self) -> Vec<Packet> {
        (self.was_member, self.has_insisted) = (false, false);
        if self.is_wanted { self.join_again(true) } else { Vec::new() }
    }

    /// Leaves; it is joined again with the next session if it is wanted.
    pub(crate) fn part(&mut self, is_wanted: bool) -> Vec<Packet> {
        self.is_wanted = is_wanted;
        if self.id().is_none() {
            return Vec::new();
        }
        self.state = State::Out;
        self.was_member = true;
        self.packet(1, None, String::new(), Vec::new())
    }

    /// The session is over.
    pub(crate) fn lost(&mut self) {
        self.state = State::Out;
    }

    /// Where it wants to be and is not.
    pub(crate) fn wants(&self) -> Option<String> {
        let is_there = matches!(self.state, State::Member(_) | State::Refused);
        (self.is_wanted && !is_there).then(|| self.namespace.clone())
    }

    pub(crate) fn unsettled(&self, hub: &Hub) -> Option<String> {
        let id = self.id()?;
        match hub.sockets.open(id) {
            (0, 0) => None,
            (arriving, unheard) => Some(format!(
                "{id} of {} never got {arriving} packets, and {unheard} of it were not handled",
                self.namespace
            )),
        }
    }

    fn packet(
        &self,
        kind: u8,
        id: Option<u64>,
        data: String,
        attachments: Vec<Vec<u8>>,
    ) -> Vec<Packet> {
        let (namespace, count) = (self.namespace.clone(), attachments.len());
        let message = Message { kind, namespace, id, data, attachments: count };
        let text = Packet::Text('4', message.text());
        std::iter::once(text).chain(attachments.into_iter().map(Packet::Binary)).collect()
    }

    /// An event, with the list of its arguments; the id under which it asks. Nothing, if it is no
    /// member.
    pub(crate) fn say(
        &mut self,
        (name, args): (&str, &str),
        attachments: Vec<Vec<u8>>,
        asks: bool,
        hub: &mut Hub,
    ) -> (Vec<Packet>, Option<u64>) {
        let Some(socket) = self.id() else { return (Vec::new(), None) };
        let print = print(name, args, &attachments);
        hub.sockets.sent(socket, print);
        let id = asks.then_some(self.question_next);
        self.question_next += u64::from(asks);
        let kind = if attachments.is_empty() { 2 } else { 5 };
        let comma = if args == "[]" { "" } else { "," };
        let data = format!("[{}{comma}{}", json::quoted(name), &args[1..]);
        (self.packet(kind, id, data, attachments), id)
    }

    /// As another socket than the one that was asked it has nothing to answer.
    pub(crate) fn answer(&self, id: u64, args: &str, attachments: Vec<Vec<u8>>) -> Vec<Packet> {
        if self.id().is_none() {
            return Vec::new();
        }
        let kind = if attachments.is_empty() { 3 } else { 6 };
        self.packet(kind, Some(id), args.into(), attachments)
    }

    /// A packet of the server.
    pub(crate) fn message(&mut self, message: &Message, data: &[Vec<u8>], hub: &mut Hub) -> Heard {
        match (message.kind, &mut self.state) {
            (0, _) => self.admitted(&message.data, hub),
            (1, State::Member(_)) => {
                self.state = State::Out;
                self.was_member = true;
                Heard::Expelled
            }
            (4, _) => {
                self.state = State::Refused;
                Heard::Refused
            }
            (2 | 5, State::Asking(early)) => {
                early.push((message.clone(), data.to_vec()));
                Heard::Nothing
            }
            (2 | 5, &mut State::Member(id)) => self.event(id, message, data, hub),
            (3 | 6, State::Member(_)) => message.id.map_or(Heard::Nothing, Heard::Answer),
            // For the one that it was before.
            _ => Heard::Nothing,
        }
    }

    fn admitted(&mut self, data: &str, hub: &mut Hub) -> Heard {
        let id = json::field(data, "sid").and_then(json::plain).and_then(SocketId::parse);
        let State::Asking(early) = &mut self.state else {
            // Refused, and asked once more before that was known: it has no use for it.
            if self.has_insisted {
                return Heard::Nothing;
            }
            hub.verdicts.fail(Property::D1, format!("a CONNECT that nobody asked for: {data}"));
            return Heard::Nothing;
        };
        let Some(id) = id else {
            hub.verdicts.fail(Property::S0, format!("no socket's id: {data}"));
            return Heard::Nothing;
        };
        let mut early = std::mem::take(early);
        hub.sockets.named(id, true, &mut hub.verdicts);
        early.retain(|(message, data)| {
            let print = fingerprint(message, data);
            !self.was_member || print.is_some_and(|print| hub.sockets.is_under_way(id, print))
        });
        self.state = State::Member(id);
        Heard::Admitted(early)
    }

    fn event(&mut self, id: SocketId, message: &Message, data: &[Vec<u8>], hub: &mut Hub) -> Heard {
        let Some(print) = fingerprint(message, data) else { return Heard::Nothing };
        hub.sockets.received(id, print, &mut hub.verdicts);
        if let Some(ack) = message.id {
            hub.asks.read(id, ack, print, &mut hub.verdicts);
            hub.asks.read_in(&self.namespace, id, ack);
        }
        Heard::Event
    }
}

/// An event's name, and the list of its arguments as JSON.
pub(crate) fn event_of(message: &Message) -> Option<(&str, String)> {
    json::event(&message.data)
}

/// Of an event, its number among all that are said.
pub(crate) fn fingerprint(message: &Message, data: &[Vec<u8>]) -> Option<u64> {
    event_of(message).map(|(name, args)| print(name, &args, data))
}
