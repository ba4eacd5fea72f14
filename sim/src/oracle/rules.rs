//! The rules of time, order and life, side by side: one call of the node after the other is told to
//! all of them.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use parlor::{
    CloseReason, Config, DisconnectReason, NamespaceId, SessionId, SocketId, Stats, TransportFault,
};

use super::agenda::{Agenda, Periods};
use super::answers::Answers;
use super::asks::Asks;
use super::bounds::Bounds;
use super::drains::Drains;
use super::events::Events;
use super::lives::Lives;
use super::said::{Reader, Said};
use super::told::Told;
use super::turns::{Cause, Turns};
use super::{Property, Verdicts};
use crate::client::http::Answer;
use crate::client::packet::Packet;
use crate::client::unit::Unit;

const OVERLAP: DisconnectReason = DisconnectReason::TransportError(TransportFault::PostOverlap);
const OVERLAPPED: CloseReason = CloseReason::TransportError(TransportFault::PostOverlap);

/// A ping in a frame of its own.
const PING: [u8; 3] = [0x81, 1, b'2'];
/// How the last frame of a websocket begins.
const CLOSE: u8 = 0x88;

#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) agenda: Agenda,
    pub(crate) bounds: Bounds,
    turns: Turns,
    drains: Drains,
    pub(crate) events: Events,
    lives: Lives,
    answers: Answers,
    cause: Option<Cause>,
    /// Whether what comes on this call's connection is noted.
    is_noted: bool,
    /// Sessions by the world's numbers, which stand in the notes.
    sessions: BTreeMap<u64, SessionId>,
    /// What each connection is for, by the world's number of the session.
    numbers: BTreeMap<usize, u64>,
    /// The request for a session that was handed in in this call: which, and by websocket?
    handshake: Option<(u64, bool)>,
    /// On which connection a session opened, and its number.
    carriers: BTreeMap<SessionId, (Option<usize>, Option<u64>)>,
    /// Sessions that have joined a namespace, and connections of those that nobody notes.
    guests: BTreeSet<u64>,
    guests_unnoted: BTreeSet<usize>,
    /// What clients say, by the numbers of their sessions.
    readers: BTreeMap<u64, Reader>,
    /// The packets of each session's latest POST.
    posts: BTreeMap<u64, Vec<Packet>>,
    /// The websocket that is a session's transport.
    websockets: BTreeMap<SessionId, usize>,
    /// Websockets that the server has closed.
    given_up: BTreeSet<usize>,
    /// What is said now is said once more.
    is_copy: bool,
    /// Connections on which a POST has begun.
    begun: BTreeMap<usize, u64>,
    /// How often a client's question was handed in and not answered.
    questions: BTreeMap<(SocketId, u64), u64>,
    /// A POST ran into another in this call.
    is_overlapping: bool,
    /// What the ping of this call put on its websocket.
    ping: Vec<u8>,
    /// Something came of this call.
    is_answered: bool,
}

impl Rules {
    pub(crate) fn new(config: &Config) -> Self {
        let micros = |duration: std::time::Duration| duration.as_micros() as u64;
        let periods = Periods {
            ping_interval: micros(config.ping_interval),
            ping_timeout: micros(config.ping_timeout),
            connect_timeout: micros(config.connect_timeout),
            decision_timeout: micros(config.decision_timeout.unwrap_or(config.connect_timeout)),
            polling_close_timeout: micros(config.polling_close_timeout),
        };
        let (agenda, bounds) = (Agenda::new(periods), Bounds::new(config));
        let lives = Lives::new(&config.limits);
        Self { agenda, bounds, lives, ..Self::default() }
    }

    /// The node is about to be called: about a connection of which client, and whether what comes
    /// on it is noted.
    pub(crate) fn open(
        &mut self,
        cause: Cause,
        client: Option<(usize, bool)>,
        verdicts: &mut Verdicts,
    ) {
        self.cause = Some(cause);
        self.is_noted = client.is_some_and(|(_, is_noted)| is_noted);
        self.is_answered = false;
        self.handshake = None;
        self.is_overlapping = false;
        self.ping.clear();
        self.answers.open();
        self.turns.open(cause);
        self.agenda.open(cause, verdicts);
        self.lives.open(cause, client.map(|(client, _)| client), self.is_noted);
    }

    /// What the bytes of this call bring to an end.
    pub(crate) fn heard(
        &mut self,
        unit: &Unit,
        named: impl Fn(&str) -> Option<NamespaceId>,
        asks: &mut Asks,
        verdicts: &mut Verdicts,
    ) {
        let Some(conn) = self.cause.and_then(Cause::conn) else { return };
        let number = match *unit {
            Unit::Handshake { session, .. }
            | Unit::Get { session }
            | Unit::PostHead { session }
            | Unit::Post { session, .. }
            | Unit::Excess { session }
            | Unit::Upgrade { session } => {
                self.numbers.insert(conn, session);
                session
            }
            Unit::Frame(_) | Unit::WsPing(_) | Unit::WsClose => match self.numbers.get(&conn) {
                Some(&number) => number,
                None => return,
            },
        };
        if let Unit::Handshake { session, is_websocket } = *unit {
            self.handshake = Some((session, is_websocket));
        }
        let Some(&session) = self.sessions.get(&number) else { return };
        let is_taken = self.lives.is_open(session)
            && !self.lives.is_over(session)
            && !self.websockets.contains_key(&session);
        self.answers.heard(conn, unit, (session, is_taken));
        match unit {
            Unit::PostHead { .. } => {
                self.begun.insert(conn, number);
            }
            Unit::Excess { .. } => {
                self.begun.remove(&conn);
            }
            Unit::Post { packets, .. } => {
                self.begun.remove(&conn);
                self.is_copy = self.posts.get(&number) == Some(packets);
                // To a websocket's session nobody can post.
                if !self.websockets.contains_key(&session) {
                    let reader = self.readers.entry(number).or_default();
                    let all: Vec<_> = packets.iter().map(|packet| reader.read(packet)).collect();
                    all.iter().for_each(|said| self.said(session, said, &named, asks, verdicts));
                }
                self.posts.insert(number, packets.clone());
                self.is_copy = false;
            }
            // A candidate that was given up is not read.
            Unit::Frame(_) if self.given_up.contains(&conn) => {}
            Unit::Frame(packet) => {
                let said = self.readers.entry(number).or_default().read(packet);
                if said == Said::Upgrade && !self.lives.is_over(session) {
                    // A close frame behind it in the same read ends the session.
                    self.websockets.insert(session, conn);
                }
                self.said(session, &said, &named, asks, verdicts);
            }
            Unit::WsClose if self.websockets.get(&session) == Some(&conn) => {
                self.lives.farewell(session);
            }
            _ => {}
        }
    }

    fn said(
        &mut self,
        session: SessionId,
        said: &Said,
        named: &impl Fn(&str) -> Option<NamespaceId>,
        asks: &mut Asks,
        verdicts: &mut Verdicts,
    ) {
        if self.lives.is_over(session) {
            return;
        }
        match said {
            Said::Pong => return self.agenda.pong(session, verdicts),
            Said::Probe | Said::Upgrade => return,
            Said::Close => return self.lives.farewell(session),
            _ => self.agenda.packet(session),
        }
        match said {
            Said::Fault => self.lives.dooms(session),
            Said::Connect(namespace) => {
                named(namespace).into_iter().for_each(|space| self.lives.connects(session, space));
            }
            Said::Disconnect(namespace) => {
                named(namespace).into_iter().for_each(|space| self.lives.parts(session, space));
            }
            Said::Event { namespace, key, print, id } => {
                let to = named(namespace).and_then(|space| self.lives.meant(session, space));
                let is_copy = self.is_copy;
                to.into_iter().for_each(|socket| {
                    self.events.heard(socket, (*key, *print), is_copy);
                    if let Some(id) = id {
                        *self.questions.entry((socket, *id)).or_default() += 1;
                    }
                });
            }
            Said::Ack { namespace, id, print } => {
                let to = named(namespace).and_then(|space| self.lives.meant(session, space));
                to.into_iter().for_each(|socket| asks.heard(socket, *id, *print));
            }
            _ => {}
        }
    }

    /// What the program was told or did.
    pub(crate) fn told(&mut self, turn: u64, told: Told, verdicts: &mut Verdicts) {
        self.turns.told(turn, verdicts);
        self.answered("the program is told of something", verdicts);
        match told {
            Told::Opened(session) => {
                self.opened(session);
                if !self.is_noted {
                    self.agenda.wild(session);
                    return self.lives.told(told, verdicts);
                }
            }
            Told::Left(socket, OVERLAP) => {
                // What was handed in stood in the POST that was refused.
                self.events.forget(socket);
                self.is_overlapping = true;
            }
            Told::Upgraded(session) => {
                let conn = self.cause.and_then(Cause::conn);
                self.websockets.extend(conn.map(|conn| (session, conn)));
            }
            Told::Closed(session, why) => {
                if why == OVERLAPPED {
                    self.answers.excuse(session);
                }
                self.drains.closed(session);
                self.websockets.remove(&session);
            }
            Told::Connected(_, session, _) => {
                if let Some(&(conn, number)) = self.carriers.get(&session) {
                    self.guests.extend(number);
                    self.guests_unnoted.extend(conn.filter(|_| number.is_none()));
                }
            }
            Told::Drained(session) => self.drains.drained(session, verdicts),
            Told::CastWaits => self.drains.cast(),
            Told::Asked { socket, .. } => {
                let session = self.lives.session_of(socket);
                session.into_iter().for_each(|session| self.drains.asked(session));
            }
            Told::Sent { socket, status, volatile } => {
                self.bounds.told(status, verdicts);
                if let Some(session) = self.lives.session_of(socket) {
                    self.drains.sent(session, status, volatile);
                }
            }
            Told::KickedAll(socket) => {
                let session = self.lives.session_of(socket);
                session.into_iter().for_each(|session| self.agenda.loose_session(session));
            }
            Told::ClosesSession(session) => self.agenda.loose_session(session),
            _ => {}
        }
        self.agenda.told(told, verdicts);
        self.lives.told(told, verdicts);
    }

    fn opened(&mut self, session: SessionId) {
        let conn = self.cause.and_then(Cause::conn);
        let number = self.handshake.map(|(number, _)| number);
        self.carriers.insert(session, (conn, number));
        self.sessions.extend(number.map(|number| (number, session)));
        let is_websocket = self.handshake.is_some_and(|(_, is_websocket)| is_websocket);
        self.websockets.extend(conn.filter(|_| is_websocket).map(|conn| (session, conn)));
    }

    /// The program is told of an event of a client.
    pub(crate) fn event(&mut self, socket: SocketId, event: (u64, u64), verdicts: &mut Verdicts) {
        if self.lives.is_noted(socket) {
            self.events.told(socket, event, verdicts);
        }
    }

    /// What was handed in for what is no more, or before its time, brings nothing about.
    fn answered(&mut self, what: &str, verdicts: &mut Verdicts) {
        self.is_answered = true;
        let property = match self.cause {
            Some(Cause::Stale) => Property::D9,
            Some(Cause::Early) => Property::T4,
            _ => return,
        };
        verdicts.fail(property, format!("{:?}: {what}", self.cause));
    }

    /// Bytes were appended to a connection.
    pub(crate) fn grown(&mut self, conn: usize, bytes: &[u8], verdicts: &mut Verdicts) {
        self.answered("bytes are written", verdicts);
        if bytes.first() == Some(&CLOSE) {
            self.given_up.insert(conn);
        }
        let session = self.agenda.pings();
        if session.is_some_and(|session| self.websockets.get(&session) == Some(&conn)) {
            self.ping.extend(bytes);
        }
    }

    /// The program says something to a socket, or to many.
    pub(crate) fn accepted(&mut self, socket: Option<SocketId>, print: u64) {
        let session = socket.and_then(|socket| self.lives.session_of(socket));
        self.answers.accepted(print, session);
    }

    /// A connection was given a whole answer.
    pub(crate) fn answer(&mut self, conn: usize, answer: &Answer, verdicts: &mut Verdicts) {
        let number = self.numbers.get(&conn);
        let Some(&session) = number.and_then(|number| self.sessions.get(number)) else { return };
        let Self { answers, lives, .. } = self;
        let carrier = |socket| lives.session_of(socket);
        answers.answered((conn, session), answer, carrier, verdicts);
    }

    /// All that a connection got for what came on it: bytes and requests.
    pub(crate) fn paid(
        &self,
        (conn, is_noted): (usize, bool),
        paid: (u64, u64),
        got: u64,
        verdicts: &mut Verdicts,
    ) {
        let is_guest = match self.numbers.get(&conn) {
            Some(number) => self.guests.contains(number),
            None => is_noted || self.guests_unnoted.contains(&conn),
        };
        if !is_guest {
            self.bounds.stranger(paid, got, verdicts);
        }
    }

    /// A connection is not read for a while: what the driver has read already waits.
    pub(crate) fn paused(&mut self, conn: usize) {
        self.answers.held(conn);
        let number = self.numbers.get(&conn);
        let session = number.and_then(|number| self.sessions.get(number)).copied();
        session.into_iter().for_each(|session| self.agenda.held(session));
    }

    /// A client's request is made twice.
    pub(crate) fn copied(&mut self, number: u64) {
        let session = self.sessions.get(&number).copied();
        session.into_iter().for_each(|session| self.lives.copied(session));
    }

    /// A client gets an answer to its question.
    pub(crate) fn answer_read(&mut self, socket: SocketId, id: u64, verdicts: &mut Verdicts) {
        let open = self.questions.get_mut(&(socket, id)).filter(|open| **open > 0);
        verdicts.claim(Property::A7, open.is_some(), || {
            format!("question {id} of {socket} is answered more often than it was put")
        });
        open.into_iter().for_each(|open| *open -= 1);
    }

    /// O6: a POST that its sender breaks off closes the session.
    fn stump(&mut self, verdicts: &mut Verdicts) {
        let Some(Cause::Eof(conn) | Cause::Lost(conn)) = self.cause else { return };
        let number = self.begun.remove(&conn);
        let Some(&session) = number.and_then(|number| self.sessions.get(&number)) else { return };
        let is_open = self.lives.is_open(session) && !self.websockets.contains_key(&session);
        verdicts.claim(Property::O6, !is_open, || {
            format!("a POST of {session:?} stops in the middle, and it goes on")
        });
    }

    /// T3 and M6: a ping goes out, whatever waits.
    fn pinged(&self, verdicts: &mut Verdicts) {
        let Some(session) = self.agenda.pings() else { return };
        if !self.websockets.contains_key(&session) {
            return;
        }
        let is_behind = self.drains.is_behind(session);
        let property = if is_behind { Property::M6 } else { Property::T3 };
        verdicts.claim(property, self.ping == PING, || {
            format!("the ping of {session:?} is {:?}", self.ping)
        });
    }

    /// Something is to be carried out.
    pub(crate) fn output(&mut self, is_resume: bool, verdicts: &mut Verdicts) {
        self.answered("something is to be carried out", verdicts);
        if is_resume {
            self.turns.resumed();
        }
    }

    /// The call is over, and all of it carried out. `before`: the counters in front of it.
    pub(crate) fn shut(
        &mut self,
        (before, after): (&Stats, &Stats),
        wake: Option<u64>,
        asks: &mut Asks,
        verdicts: &mut Verdicts,
    ) {
        let stale = after.inputs_stale - before.inputs_stale;
        let is_stale = self.cause == Some(Cause::Stale);
        if is_stale || stale > 0 {
            verdicts.claim(Property::D9, stale == u64::from(is_stale), || {
                format!("{:?} counted {stale} inputs as stale", self.cause)
            });
        }
        if self.cause == Some(Cause::Early) {
            verdicts.claim(Property::T4, !self.is_answered, String::new);
        }
        if self.is_overlapping {
            asks.forget();
        } else if let (Some(Cause::Data(_)), true) = (self.cause, self.is_noted) {
            asks.counted(after.acks_unknown - before.acks_unknown, verdicts);
        }
        self.pinged(verdicts);
        self.events.shut(verdicts);
        self.lives.doomed().for_each(|session| self.agenda.loose_session(session));
        self.lives.shut(verdicts);
        self.agenda.shut(verdicts);
        self.agenda.wake(wake, verdicts);
        self.stump(verdicts);
        self.answers.shut(verdicts);
    }

    /// Everybody has got everything.
    pub(crate) fn settled(&self, verdicts: &mut Verdicts) {
        self.drains.settled(verdicts);
    }

    /// After everything is closed.
    pub(crate) fn end(&self, verdicts: &mut Verdicts) {
        self.lives.end(verdicts);
    }
}
