//! Model clients: they speak as the official ones do, with a codec of their own, and take nothing
//! from the server that an official client would not. What they want is their [`mind`]'s.
//!
//! What belongs to one generation of the protocols stands in two places. [`packet`] writes and
//! reads packets and payloads: Engine.IO 3 counts characters where 4 has separators, and its binary
//! payloads are another format. [`session`] says who begins a heartbeat, which `EIO` stands in
//! requests ([`http`]), and what a new session asks for: Socket.IO 4 is in `/` without asking. An
//! older generation is a further kind of client with its own of these two; connections, minds,
//! memberships, JSON and frames are the same.

#[cfg(test)]
mod golden;
pub(crate) mod hostile;
pub(crate) mod http;
pub(crate) mod json;
pub(crate) mod mind;
pub(crate) mod packet;
mod requester;
pub(crate) mod scan;
mod session;
mod sloppy;
pub(crate) mod space;
pub(crate) mod unit;
pub(crate) mod ws;

use crate::choice::Stream;
use crate::hub::Hub;
use crate::oracle::Property;
use crate::proxy::Proxy;
use crate::trace::Entity;
use hostile::Hostile;
use mind::{Mind, News, Seat, Wake};
use packet::{Message, Packet};
use requester::Requester;
use session::Session;
pub(crate) use session::{Antic, PROBE_MAX};
use sloppy::Sloppy;
use space::{Heard, Space};

/// What kind of client it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// HTTP long-polling, and nothing else.
    Polling,
    /// WebSocket from the beginning.
    WebSocket,
    /// Polling, and WebSocket as soon as it can be had.
    Upgrading,
    /// HTTP without Socket.IO: requests behind a poll, without waiting for answers.
    Requester,
    /// What is odd, or forbidden, one thing at a time.
    Sloppy,
    /// Bytes that are nearly right, requests that do not end, answers that are not read.
    Hostile,
}

impl Kind {
    /// Whether it speaks Socket.IO, and well.
    pub(crate) fn is_honest(self) -> bool {
        matches!(self, Self::Polling | Self::WebSocket | Self::Upgrading)
    }
}

/// Why a client is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Timer {
    /// To connect.
    Connect,
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
    /// Its mind wanted to be woken.
    Mind(Wake),
    /// To become, or to stop being, a nuisance.
    Nuisance,
}

/// A client. It outlives its sessions.
pub(crate) struct Client {
    me: Me,
    session: Option<Session>,
    spaces: Vec<Space>,
    mind: Box<dyn Mind>,
    /// What it is instead, if it is no client of Socket.IO.
    stranger: Option<Stranger>,
    /// Whether it wants to be connected.
    is_willing: bool,
}

/// A client that does not speak Socket.IO, or not well.
enum Stranger {
    Hostile(Hostile),
    Requester(Requester),
    Sloppy(Sloppy),
}

/// What all parts of a client know of it.
pub(crate) struct Me {
    pub(crate) number: usize,
    pub(crate) kind: Kind,
    /// Counts sessions: timers of earlier ones are void.
    pub(crate) life: u32,
    pub(crate) stream: Stream,
    pub(crate) masks: Stream,
    /// A proxy refuses its upgrades.
    pub(crate) is_stripped: bool,
    attempts: u32,
}

impl Me {
    /// Of a timer that is of no session.
    pub(crate) const ANY_LIFE: u32 = u32::MAX;
}

/// Why a client gives its session up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// It wants to, or hears nothing any more, and comes back; it says so.
    Farewell,
    /// It wants to, and is just gone; it comes back.
    Reset,
    /// It wants to, for good; it says so.
    ForGood,
    /// The server, the network or time has ended it.
    Broken,
}

/// The longest pause before it connects again.
pub(crate) const BACK_OFF_MAX: u64 = 5_000_000;
const BACK_OFF: u64 = 1_000_000;
/// For all of a handshake.
pub(crate) const HANDSHAKE_MAX: u64 = 20_000_000;

impl Client {
    /// A client that connects within its first second, if it is in the world at all.
    pub(crate) fn new(number: usize, kind: Kind, mind: Box<dyn Mind>, hub: &mut Hub) -> Self {
        let stream = hub.choices.stream("client", number as u64);
        let masks = hub.choices.stream("masks", number as u64);
        let is_stripped = hub.profile.proxy(number) == Proxy::Stripping;
        let me = Me { number, kind, life: 0, stream, masks, is_stripped, attempts: 0 };
        let start = hub.choices.choose(stream, hub.profile.born_within);
        let is_willing = hub.choices.keep(hub.cast, "client");
        if is_willing {
            let start = start + hub.profile.stagger * number as u64;
            hub.timer(start, number, 0, Timer::Connect);
        }
        hub.is_gone[number] = !is_willing;
        let stranger = match kind {
            Kind::Hostile => Some(Stranger::Hostile(Hostile::default())),
            Kind::Requester => Some(Stranger::Requester(Requester::default())),
            Kind::Sloppy => Some(Stranger::Sloppy(Sloppy::default())),
            Kind::Polling | Kind::WebSocket | Kind::Upgrading => None,
        };
        let spaces = Vec::new();
        Self { me, session: None, spaces, mind, stranger, is_willing }
    }

    pub(crate) fn timer(&mut self, life: u32, timer: Timer, hub: &mut Hub) {
        if life != self.me.life && life != Me::ANY_LIFE {
            return;
        }
        if let Some(stranger) = &mut self.stranger {
            match stranger {
                Stranger::Hostile(hostile) => hostile.timer(&self.me, hub),
                Stranger::Requester(requester) => requester.timer(&self.me, hub),
                Stranger::Sloppy(sloppy) => sloppy.timer(&self.me, hub),
            }
            return;
        }
        match timer {
            Timer::Connect => self.connect(hub),
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
            Timer::Mind(wake) => {
                self.minds(hub, |mind, seat| mind.woken(wake, seat));
                self.flush(hub);
            }
            Timer::Nuisance => {}
        }
    }

    fn connect(&mut self, hub: &mut Hub) {
        if self.me.life == 0 {
            self.minds(hub, |mind, seat| mind.born(seat));
        }
        self.session = Some(Session::connect(&self.me, hub));
        hub.timer(HANDSHAKE_MAX, self.me.number, self.me.life, Timer::Handshake);
    }

    /// The server's bytes.
    pub(crate) fn bytes(&mut self, conn: usize, bytes: &[u8], hub: &mut Hub) {
        if let Some(stranger) = &mut self.stranger {
            match stranger {
                Stranger::Hostile(hostile) => hostile.bytes(conn, bytes, hub),
                Stranger::Requester(requester) => requester.bytes(conn, bytes, hub),
                Stranger::Sloppy(sloppy) => sloppy.bytes(conn, bytes, &self.me, hub),
            }
            return;
        }
        self.with_session(hub, |session, me, hub| session.bytes(conn, bytes, me, hub));
    }

    /// The connection has ended, in order or not.
    pub(crate) fn end(&mut self, conn: usize, hub: &mut Hub) {
        if let Some(stranger) = &mut self.stranger {
            match stranger {
                Stranger::Hostile(hostile) => hostile.end(conn, hub),
                Stranger::Requester(requester) => requester.end(conn, hub),
                Stranger::Sloppy(sloppy) => sloppy.end(conn, &self.me, hub),
            }
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
        let is_new = session.is_open() && !was_open;
        let messages = session.take_messages();
        if is_new {
            self.me.attempts = 0;
            self.opened(hub);
        }
        for (message, attachments) in messages {
            self.message(message, &attachments, hub);
        }
        match outcome {
            Ok(()) => self.flush(hub),
            Err(leave) => self.leave(leave, hub),
        }
    }

    /// Lets the mind decide something.
    fn minds(&mut self, hub: &mut Hub, work: impl FnOnce(&mut dyn Mind, &mut Seat<'_>)) {
        let session = self.session.as_ref().filter(|session| session.is_open());
        let (mut out, mut leave, mut antic) = (Vec::new(), None, None);
        let mut seat = Seat {
            me: &self.me,
            spaces: &mut self.spaces,
            out: &mut out,
            leave: &mut leave,
            antic: &mut antic,
            is_open: session.is_some(),
            is_full: session.is_some_and(Session::is_full),
            hub,
        };
        work(&mut *self.mind, &mut seat);
        self.queue(out);
        if let (Some(antic), Some(session)) = (antic, &mut self.session) {
            session.play(antic, &self.me, hub);
        }
        if let Some(leave) = leave {
            self.leave(leave, hub);
        }
    }

    fn queue(&mut self, packets: Vec<Packet>) {
        if let Some(session) = &mut self.session {
            session.queue(packets);
        }
    }

    fn flush(&mut self, hub: &mut Hub) {
        if let Some(session) = &mut self.session {
            session.flush(&self.me, hub);
        }
    }

    fn opened(&mut self, hub: &mut Hub) {
        let Some(session) = &mut self.session else { return };
        hub.timer(session.beat(), self.me.number, self.me.life, Timer::Beat);
        let packets = self.spaces.iter_mut().flat_map(Space::opened).collect();
        session.queue(packets);
        self.minds(hub, |mind, seat| mind.told(&News::Opened, seat));
    }

    fn message(&mut self, message: Message, attachments: &[Vec<u8>], hub: &mut Hub) {
        let found = self.spaces.iter().position(|space| space.is_of(&message.namespace));
        let Some(place) = found else {
            let what = format!("a packet for {:?}, which nobody wants", message.namespace);
            hub.verdicts.fail(Property::S0, what);
            return;
        };
        match self.spaces[place].message(&message, attachments, hub) {
            Heard::Nothing => {}
            Heard::Admitted(early) => {
                self.minds(hub, |mind, seat| mind.told(&News::Admitted { place }, seat));
                for (message, attachments) in early {
                    self.message(message, &attachments, hub);
                }
            }
            Heard::Refused => {
                let news = News::Refused { place, data: &message.data };
                self.minds(hub, |mind, seat| mind.told(&news, seat));
            }
            Heard::Expelled => {
                self.minds(hub, |mind, seat| mind.told(&News::Expelled { place }, seat));
            }
            Heard::Event => {
                let Some((name, args)) = space::event_of(&message) else { return };
                let (args, id) = (&*args, message.id);
                let news = News::Event { place, name, args, attachments, id };
                self.minds(hub, |mind, seat| mind.told(&news, seat));
            }
            Heard::Answer(id) => {
                let news = News::Answer { place, id, args: &message.data, attachments };
                self.minds(hub, |mind, seat| mind.told(&news, seat));
            }
        }
    }

    fn beat(&mut self, hub: &mut Hub) {
        let Some(session) = &self.session else { return };
        let due = session.pinged_at + session.beat();
        if due <= hub.now {
            self.leave(Leave::Farewell, hub);
        } else {
            hub.timer(due - hub.now, self.me.number, self.me.life, Timer::Beat);
        }
    }

    fn leave(&mut self, leave: Leave, hub: &mut Hub) {
        let Some(mut session) = self.session.take() else { return };
        let me = Entity::Client(self.me.number as u32);
        hub.trace.note(hub.now, me, || format!("gives its session up: {leave:?}"));
        session.leave(leave, &self.me, hub);
        if session.is_open() && self.spaces.iter().all(|space| space.id().is_none()) {
            hub.liveness.excuse(self.me.number);
        }
        self.spaces.iter_mut().for_each(Space::lost);
        self.me.life += 1;
        self.me.attempts += 1;
        self.is_willing &= leave != Leave::ForGood;
        hub.is_gone[self.me.number] |= !self.is_willing;
        if self.is_willing {
            // Half more or less, as `socket.io-client` has it by default.
            let usual = BACK_OFF << (self.me.attempts - 1).min(10);
            hub.choices.span(self.me.stream, "back-off");
            let pause = hub.choices.between(self.me.stream, usual / 2, usual * 3 / 2);
            hub.timer(pause.min(BACK_OFF_MAX), self.me.number, self.me.life, Timer::Connect);
        }
        self.minds(hub, |mind, seat| mind.told(&News::Lost, seat));
    }

    /// Whether it is done for good.
    pub(crate) fn is_gone(&self) -> bool {
        !self.is_willing
    }

    /// Whether it has a session on the transport that it wants.
    pub(crate) fn is_well(&self) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(|session| session.wants(&self.me).is_none())
    }

    /// What it wants and does not have: a connection, the upgrade, its namespaces.
    pub(crate) fn wants(&self) -> Option<String> {
        if self.stranger.is_some() || !self.is_willing {
            return None;
        }
        let Some(session) = &self.session else { return Some("a session".into()) };
        let spaces = || self.spaces.iter().find_map(Space::wants);
        session.wants(&self.me).or_else(spaces).or_else(|| self.mind.wants())
    }

    /// What is not settled between it and the server, when nobody wants anything any more.
    pub(crate) fn unsettled(&self, hub: &Hub) -> Option<String> {
        let unsettled = self.spaces.iter().find_map(|space| space.unsettled(hub));
        unsettled.or_else(|| self.mind.unsettled(hub))
    }
}
