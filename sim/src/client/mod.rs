//! Model clients: they speak as the official ones do, with a codec of their own, and take nothing
//! from the server that an official client would not.

mod hostile;
pub(crate) mod http;
mod json;
mod packet;
mod session;
mod space;
pub(crate) mod ws;

use crate::choice::Stream;
use crate::hub::Hub;
use hostile::Hostile;
use session::Session;
use space::Space;

/// What kind of client it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// HTTP long-polling, and nothing else.
    Polling,
    /// WebSocket from the beginning.
    WebSocket,
    /// Polling, and WebSocket as soon as it can be had.
    Upgrading,
    /// Bytes that are nearly right, requests that do not end, answers that are not read.
    Hostile,
}

/// Why a client is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// To connect.
    Connect,
    /// To do something.
    Think,
    /// It may be too long since the server was heard.
    Beat,
    /// The handshake may have taken too long.
    Handshake,
    /// To ask for the next packets.
    Poll,
    /// To try the upgrade again.
    Knock,
    /// The upgrade on this connection may be hopeless.
    GiveUp(usize),
    /// To join a namespace again.
    Join(usize),
    /// To answer a question, at last: where, its id, its number.
    Answer(usize, u64, u64),
    /// To become, or to stop being, a nuisance.
    Nuisance,
}

/// A client. It outlives its sessions.
pub(crate) struct Client {
    me: Me,
    session: Option<Session>,
    spaces: Vec<Space>,
    hostile: Hostile,
}

/// What all parts of a client know of it.
pub(crate) struct Me {
    pub(crate) number: usize,
    pub(crate) kind: Kind,
    /// Counts sessions: timers of earlier ones are void.
    pub(crate) life: u32,
    pub(crate) stream: Stream,
    attempts: u32,
}

/// Why a client gives its session up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// It wants to; it says so.
    Farewell,
    /// It wants to, and is just gone.
    Reset,
    /// The server, the network or time has ended it.
    Broken,
}

/// The longest pause before it connects again.
pub(crate) const BACK_OFF_MAX: u64 = 5_000_000;
const BACK_OFF: u64 = 200_000;
/// For all of a handshake.
pub(crate) const HANDSHAKE_MAX: u64 = 20_000_000;

impl Client {
    pub(crate) fn new(number: usize, kind: Kind, hub: &mut Hub) -> Self {
        let stream = hub.choices.stream("client", number as u64);
        let me = Me { number, kind, life: 0, stream, attempts: 0 };
        let start = hub.choices.choose(stream, 1_000_000);
        hub.timer(start, number, 0, Timer::Connect);
        Self { me, session: None, spaces: Space::all(), hostile: Hostile::default() }
    }

    pub(crate) fn timer(&mut self, life: u32, timer: Timer, hub: &mut Hub) {
        if life != self.me.life {
            return;
        }
        if self.me.kind == Kind::Hostile {
            self.hostile.timer(&self.me, hub);
            return;
        }
        match timer {
            Timer::Connect => self.connect(hub),
            Timer::Think => self.think(hub),
            Timer::Handshake => {
                if self.session.as_ref().is_some_and(|session| !session.is_open()) {
                    self.leave(Leave::Broken, hub);
                }
            }
            Timer::Beat => self.beat(hub),
            Timer::Poll => self.with_session(hub, |session, me, hub| {
                session.poll(me, hub);
                Ok(())
            }),
            Timer::Knock => self.with_session(hub, |session, me, hub| {
                session.knock_again(me, hub);
                Ok(())
            }),
            Timer::GiveUp(conn) => {
                self.with_session(hub, |session, me, hub| session.give_up(conn, me, hub));
            }
            Timer::Join(index) => {
                let packet = self.spaces[index].join(&self.me, hub);
                self.send(packet, hub);
            }
            Timer::Answer(index, id, number) => {
                let packets = self.spaces[index].answer(id, number, hub);
                self.send(packets, hub);
            }
            Timer::Nuisance => {}
        }
    }

    fn connect(&mut self, hub: &mut Hub) {
        self.session = Some(Session::connect(&self.me, hub));
        hub.timer(HANDSHAKE_MAX, self.me.number, self.me.life, Timer::Handshake);
    }

    /// The server's bytes.
    pub(crate) fn bytes(&mut self, conn: usize, bytes: &[u8], hub: &mut Hub) {
        if self.me.kind == Kind::Hostile {
            return;
        }
        self.with_session(hub, |session, me, hub| session.bytes(conn, bytes, me, hub));
    }

    /// The connection has ended, in order or not.
    pub(crate) fn end(&mut self, conn: usize, hub: &mut Hub) {
        if self.me.kind == Kind::Hostile {
            self.hostile.end(conn, hub);
            return;
        }
        self.with_session(hub, |session, me, hub| session.end(conn, me, hub));
    }

    /// Lets the session work, and acts on what it brought in.
    fn with_session(
        &mut self,
        hub: &mut Hub,
        work: impl FnOnce(&mut Session, &Me, &mut Hub) -> Result<(), Leave>,
    ) {
        let Some(session) = &mut self.session else { return };
        let was_open = session.is_open();
        let outcome = work(session, &self.me, hub);
        if session.is_open() && !was_open {
            self.me.attempts = 0;
            self.opened(hub);
        }
        let Some(session) = &mut self.session else { return };
        for (message, attachments) in session.take_messages() {
            let index = Space::index(&message.namespace);
            let Some(space) = self.spaces.get_mut(index) else {
                hub.verdicts.fail(
                    crate::oracle::Property::S0,
                    format!("a packet for {:?}, which nobody wants", message.namespace),
                );
                continue;
            };
            let answers = space.message(&message, &attachments, &self.me, hub);
            session.queue(answers);
        }
        match outcome {
            Ok(()) => session.flush(&self.me, hub),
            Err(leave) => self.leave(leave, hub),
        }
    }

    fn opened(&mut self, hub: &mut Hub) {
        let Some(session) = &mut self.session else { return };
        let (number, life) = (self.me.number, self.me.life);
        hub.timer(session.beat(), number, life, Timer::Beat);
        hub.timer(hub.profile.think, number, life, Timer::Think);
        for space in &mut self.spaces {
            session.queue(space.join_first(&self.me, hub));
        }
    }

    fn beat(&mut self, hub: &mut Hub) {
        let Some(session) = &self.session else { return };
        let due = session.heard_at + session.beat();
        if due <= hub.now {
            self.leave(Leave::Broken, hub);
        } else {
            hub.timer(due - hub.now, self.me.number, self.me.life, Timer::Beat);
        }
    }

    /// Does something that a user might.
    fn think(&mut self, hub: &mut Hub) {
        if hub.is_quiet {
            return;
        }
        let pause = hub.choices.choose(self.me.stream, 2 * hub.profile.think) + 1;
        hub.timer(pause, self.me.number, self.me.life, Timer::Think);
        let Some(session) = &self.session else { return };
        // Ending a session on purpose is a fault as others are.
        let is_restless = !hub.is_healed && hub.profile.fault_every.is_some();
        match hub.choices.choose(self.me.stream, 400) {
            0 if is_restless => self.leave(Leave::Farewell, hub),
            1 if is_restless => self.leave(Leave::Reset, hub),
            _ if session.is_full() => {}
            _ => {
                let index = hub.choices.choose(self.me.stream, self.spaces.len() as u64) as usize;
                let packets = self.spaces[index].act(&self.me, hub);
                self.send(packets, hub);
            }
        }
    }

    fn send(&mut self, packets: Vec<packet::Packet>, hub: &mut Hub) {
        if let Some(session) = &mut self.session {
            session.queue(packets);
            session.flush(&self.me, hub);
        }
    }

    fn leave(&mut self, leave: Leave, hub: &mut Hub) {
        let Some(mut session) = self.session.take() else { return };
        hub.trace.line(hub.now, || format!("c{} gives its session up: {leave:?}", self.me.number));
        session.leave(leave, &self.me, hub);
        self.spaces.iter_mut().for_each(Space::lost);
        self.me.life += 1;
        self.me.attempts += 1;
        let most = (BACK_OFF << self.me.attempts.min(10)).min(BACK_OFF_MAX);
        let pause = hub.choices.between(self.me.stream, most / 2, most);
        hub.timer(pause, self.me.number, self.me.life, Timer::Connect);
    }

    /// What it wants and does not have: a connection, the upgrade, its namespaces.
    pub(crate) fn wants(&self) -> Option<String> {
        let Some(session) = &self.session else {
            return (self.me.kind != Kind::Hostile).then(|| "a session".into());
        };
        match session.wants(&self.me) {
            None => self.spaces.iter().find_map(Space::wants),
            wants => wants,
        }
    }

    /// What is not settled between it and the server, when nobody wants anything any more.
    pub(crate) fn unsettled(&self, hub: &Hub) -> Option<String> {
        self.spaces.iter().find_map(|space| space.unsettled(hub))
    }
}
