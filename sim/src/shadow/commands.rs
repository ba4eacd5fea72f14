//! What the program says: to whom it goes, and whether it goes out. The word `W` is here.

use parlor::{AskId, Fanout, Outcome, SendStatus, SocketId, Volatile};

use super::engine::{Carrier, End, PeerState};
use super::parcel::{Kind, Parcel, Size};
use super::record::{Audience, Record, Said, What};
use super::rooms::State;
use super::step::Told;
use super::{Names, Shadow};
use crate::oracle::Property;

/// Why a volatile packet is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    NoPoll,
    SameTurn,
    Refused,
    Cork,
    Closing,
    Limit,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Goes,
    /// A volatile one is dropped.
    Dropped(Why),
    /// The bound is reached.
    Over,
    /// Nobody is there.
    Gone,
    /// It depends on what the shadow does not know exactly; why a volatile one would be dropped.
    Open(Why),
}

impl Shadow {
    /// The word `W`: whether a session's transport can take a volatile packet at this instant.
    pub(super) fn w(&mut self, session: u64, size: Size, turn: u64) -> Fate {
        let peer = &self.peers[session as usize];
        match peer.state {
            PeerState::Open => {}
            PeerState::Closing => return Fate::Dropped(Why::Closing),
            PeerState::Unborn | PeerState::Gone => return Fate::Gone,
        }
        let Carrier::WebSocket(conn) = peer.on else {
            return match peer.parked {
                Some(_) => self.bound(session, size, true),
                None => Fate::Dropped(Why::NoPoll),
            };
        };
        let pipe = &self.pipes[conn];
        let cork = match self.terms.volatile {
            Volatile::Turn { .. } if pipe.busy == turn => return Fate::Dropped(Why::SameTurn),
            Volatile::Turn { cork_bytes_max } => cork_bytes_max,
            Volatile::Watermark { bytes_max } => bytes_max,
        };
        if pipe.refused {
            return Fate::Dropped(Why::Refused);
        }
        let unsent = pipe.unsent();
        if unsent.low > 0 {
            match (unsent + size).is_over(cork.into()) {
                Some(true) => return Fate::Dropped(Why::Cork),
                Some(false) => {}
                None => return Fate::Open(Why::Cork),
            }
        }
        self.bound(session, size, true)
    }

    /// What the bounds say.
    fn bound(&mut self, session: u64, size: Size, is_volatile: bool) -> Fate {
        let size = self.waiting(session) + size;
        let over = if is_volatile { Fate::Dropped(Why::Limit) } else { Fate::Over };
        match (size.is_over(self.terms.egress_max), self.is_over_total(session, size)) {
            (Some(true), _) | (Some(false), Some(true)) => over,
            (Some(false), Some(false)) => Fate::Goes,
            _ => Fate::Open(Why::Limit),
        }
    }

    /// From half the bound over all on, only who has less than his share of the rest gets more.
    fn is_over_total(&mut self, session: u64, size: Size) -> Option<bool> {
        let half = self.terms.egress_total_max / 2;
        // The default is beyond all that a world ever holds.
        if half >= 1 << 28 {
            return Some(false);
        }
        let alive: Vec<u64> = (0..self.peers.len() as u64)
            .filter(|&other| {
                matches!(self.peers[other as usize].state, PeerState::Open | PeerState::Closing)
            })
            .collect();
        let share = half / (alive.len() as u64).max(1);
        let own = self.waiting(session);
        let packet = Size { low: size.low - own.low, high: size.high - own.high };
        if size.low > share && self.unsent_at_least(&alive) + packet.low > half {
            return Some(true);
        }
        // There may be more of them than is known, so that each has a smaller share.
        if self.has_strangers {
            return None;
        }
        let is_far = self.unsent_at_most(&alive) + packet.high <= half;
        match size.is_over(share) {
            Some(false) => Some(false),
            _ if is_far => Some(false),
            _ => None,
        }
    }

    fn accepts(&mut self, session: u64, size: Size) -> Fate {
        match self.peers[session as usize].state {
            PeerState::Open => self.bound(session, size, false),
            _ => Fate::Gone,
        }
    }

    /// How many bytes a packet is for a session.
    pub(super) fn size(&self, session: u64, packet: &Parcel) -> Size {
        match self.peers[session as usize].on {
            Carrier::WebSocket(_) => packet.frames_bytes(),
            // One more for what separates it.
            Carrier::Polling => {
                let size = packet.records_bytes();
                Size { low: size.low + 1, high: size.high }
            }
        }
    }

    /// Decides about one packet for one session, and lets it go where it goes.
    fn send(&mut self, session: u64, packet: Parcel, told: Option<SendStatus>) -> Fate {
        let kind = packet.kind();
        let size = self.size(session, &packet);
        let mut fate = match kind.is_volatile() {
            true => self.w(session, size, self.turn),
            false => self.accepts(session, size),
        };
        if let Fate::Open(why) = fate {
            fate = match told {
                Some(SendStatus::Sent | SendStatus::Backlogged { .. }) => Fate::Goes,
                Some(SendStatus::Dropped) if kind.is_volatile() => Fate::Dropped(why),
                Some(SendStatus::Gone) if !kind.is_volatile() && self.terms.closes_at_bound => {
                    Fate::Over
                }
                Some(SendStatus::Dropped) if !self.terms.closes_at_bound => Fate::Over,
                _ => {
                    self.give_up(session);
                    return fate;
                }
            };
        }
        self.note(kind, fate);
        if kind.is_volatile() {
            if !packet.attachments().is_empty() {
                self.checks.tested(Property::V3);
            }
            self.judge_calm(session, size, fate);
        }
        match fate {
            Fate::Goes => {
                self.reliable(session, packet);
                self.left_behind(session, false);
            }
            Fate::Dropped(why) => {
                self.counters.dropped(why);
                self.checks.dropped(session, packet);
            }
            Fate::Over if self.terms.closes_at_bound => self.end(session, End::Overflow),
            Fate::Over => {
                self.counters.overflow_dropped += 1;
                self.left_behind(session, true);
            }
            Fate::Gone | Fate::Open(_) => {}
        }
        fate
    }

    /// V6: where nothing was under way for long, on a calm link, what fits the cork is sent.
    fn judge_calm(&mut self, session: u64, size: Size, fate: Fate) {
        const CORK: u64 = 16 * 1024;
        let Some(quiet) = self.terms.quiet else { return };
        let peer = &self.peers[session as usize];
        let is_quiet = peer.is_open() && !peer.is_upgrading() && self.now > peer.active_at + quiet;
        // Something else may have gone to it in this very call.
        let is_served = match peer.on {
            Carrier::Polling => self.checks.charged.contains(&session),
            Carrier::WebSocket(conn) => self.pipes[conn].busy == self.turn,
        };
        if is_served || !is_quiet || size.high > CORK {
            return;
        }
        self.checks.tested(Property::V6);
        if !matches!(fate, Fate::Goes | Fate::Dropped(Why::Limit)) {
            let what = format!("a client is quiet for {quiet} us, and a volatile one is {fate:?}");
            self.checks.missed(Property::V6, what);
        }
    }

    /// Which properties a decision puts to the test.
    fn note(&mut self, kind: Kind, fate: Fate) {
        let checks = &mut self.checks;
        match fate {
            Fate::Goes if kind.is_volatile() => checks.tested(Property::V2),
            Fate::Dropped(why) => {
                checks.tested(Property::V1);
                match why {
                    Why::SameTurn => checks.tested(Property::V10),
                    Why::Limit => checks.tested(Property::V12),
                    _ => {}
                }
            }
            Fate::Goes => checks.tested(Property::O1),
            _ => {}
        }
        if kind.is_cast() {
            let is_volatile = kind.is_volatile();
            checks.tested(if is_volatile { Property::V8 } else { Property::R2 });
        }
    }

    /// A record of the program.
    pub(super) fn read(&mut self, record: &Record, names: &dyn Names) {
        match record {
            Record::Said(said, outcome) => self.said(said, outcome, names),
            Record::Settled { ask, socket, was_dropped } => {
                if let Some(socket) = self.sockets.find(*socket) {
                    let entry = &mut self.sockets.all[socket];
                    entry.asks.retain(|open| open != ask);
                    entry.numbers.retain(|_, known| *known != Some(*ask));
                }
                if *was_dropped {
                    self.checks.asks_dropped.push(*ask);
                }
            }
            &Record::Ended(id) => {
                let Some(socket) = self.sockets.find(id) else { return };
                self.checks.told_ended.push(socket);
                let entry = &self.sockets.all[socket];
                match (entry.state, entry.session) {
                    (State::Connected, Some(_)) => {
                        let what = format!("{id} is told to have ended, and nothing ended it");
                        self.checks.missed(Property::S0, what);
                    }
                    // Its session was given up in this very call.
                    (State::Connected, None) => {
                        self.checks.is_unclear = true;
                        self.sockets.exit(socket);
                    }
                    _ => {}
                }
                self.sockets.forget(socket);
                self.checks.tested(Property::R3);
            }
            Record::Abandoned(id) => {
                // The socket of a stranger; others are gone already.
                if let Some(socket) = self.sockets.find(*id) {
                    self.sockets.forget(socket);
                }
            }
            Record::Drained(id) => self.drained(*id),
            Record::Knocks { .. } | Record::Joined { .. } | Record::Ending(_) => {}
        }
    }

    fn said(&mut self, said: &Said, outcome: &Outcome, names: &dyn Names) {
        match said {
            Said::Emit { socket, what, is_volatile } => {
                let kind = Kind::Emit { is_volatile: *is_volatile };
                let packet =
                    |name: &str, _| Parcel::event(kind, name, &what.data, &what.attachments);
                let expected = match what.is_reserved {
                    true => Told::Is(SendStatus::Invalid),
                    false => self.unicast(*socket, packet, outcome),
                };
                self.checks.sends.push((expected, *outcome));
            }
            Said::Answer { socket, id, args, attachments } => {
                let packet = |name: &str, _| Parcel::answer(name, *id, args, attachments);
                let expected = self.unicast(*socket, packet, outcome);
                self.checks.tested(Property::A7);
                self.checks.sends.push((expected, *outcome));
            }
            Said::Ask { socket, what, is_volatile } => {
                if let Outcome::Asked(ask) = outcome {
                    self.ask(*socket, what, *is_volatile, *ask);
                }
            }
            Said::Broadcast { to, what, is_volatile } => {
                self.broadcast(to, what, *is_volatile, outcome, names);
            }
            Said::Join { socket, room } => self.join(*socket, room, outcome),
            Said::Leave { socket, room } => self.leave(*socket, room, outcome),
            said => self.moved(said),
        }
    }

    /// Sends to one socket, connecting ones too; what the program must be told.
    fn unicast(
        &mut self,
        id: SocketId,
        packet: impl FnOnce(&str, usize) -> Parcel,
        outcome: &Outcome,
    ) -> Told {
        let Some(socket) = self.sockets.find(id) else { return Told::Is(SendStatus::Gone) };
        let entry = &self.sockets.all[socket];
        if matches!(entry.state, State::Ended | State::Gone) {
            return match entry.session {
                Some(_) => Told::Is(SendStatus::Gone),
                None => Told::Anything,
            };
        }
        let Some(session) = entry.session else { return Told::Anything };
        let packet = packet(self.sockets.name(entry.namespace), socket);
        let told = match outcome {
            Outcome::Send(status) => Some(*status),
            _ => None,
        };
        match self.send(session, packet, told) {
            Fate::Goes => self.backlog(session),
            Fate::Dropped(why) => Told::Dropped(why),
            Fate::Over if self.terms.closes_at_bound => Told::Is(SendStatus::Gone),
            Fate::Over => Told::Is(SendStatus::Dropped),
            Fate::Gone => Told::Gone,
            Fate::Open(_) => Told::Anything,
        }
    }

    /// Whether what was just sent stands in a backlog.
    pub(super) fn backlog(&mut self, session: u64) -> Told {
        let peer = &self.peers[session as usize];
        let refused = match peer.on {
            Carrier::WebSocket(conn) => self.pipes[conn].refused,
            Carrier::Polling => false,
        };
        let waiting = self.waiting(session);
        match waiting.is_over(self.terms.egress_high) {
            _ if refused => Told::Backlogged(waiting),
            Some(true) => Told::Backlogged(waiting),
            Some(false) => Told::Is(SendStatus::Sent),
            None => Told::Sent,
        }
    }

    fn ask(&mut self, id: SocketId, what: &What, is_volatile: bool, ask: AskId) {
        let Some(socket) = self.sockets.find(id) else { return };
        let entry = &self.sockets.all[socket];
        let is_full = entry.asks.len() >= self.terms.asks_max;
        if what.is_reserved || is_full {
            return self.checks.dropped_asks.push(ask);
        }
        let Some(session) = entry.session else { return };
        if matches!(entry.state, State::Ended | State::Gone) {
            return;
        }
        let kind = Kind::Ask { is_volatile };
        let name = self.sockets.name(entry.namespace);
        let packet = Parcel::ask(kind, name, socket, &what.data, &what.attachments);
        match self.send(session, packet, None) {
            Fate::Goes => {
                let entry = &mut self.sockets.all[socket];
                entry.asks.push(ask);
                entry.unnumbered.push_back(ask);
            }
            Fate::Dropped(_) => self.checks.dropped_asks.push(ask),
            Fate::Over if !self.terms.closes_at_bound => self.checks.dropped_asks.push(ask),
            Fate::Over | Fate::Gone | Fate::Open(_) => {}
        }
    }

    fn broadcast(
        &mut self,
        to: &Audience,
        what: &What,
        is_volatile: bool,
        outcome: &Outcome,
        names: &dyn Names,
    ) {
        let Outcome::Fanout(told) = *outcome else { return };
        if what.is_reserved {
            return self.checks.casts.push((Fanout::default(), told));
        }
        self.casts += 1;
        let kind = Kind::Cast { is_volatile, serial: self.casts };
        let namespace = self.sockets.namespace(to.namespace, || names.name(to.namespace));
        let packet =
            Parcel::event(kind, self.sockets.name(namespace), &what.data, &what.attachments);
        let recipients =
            self.sockets.recipients(namespace, &to.rooms, &to.except, to.except_socket);
        if !is_volatile && recipients.len() > 1 {
            self.checks.tested(Property::O5);
        }
        self.checks.cast_bytes_max = Self::cast_at_most(&packet, recipients.len());
        let mut expected = Fanout::default();
        let (mut is_known, count) = (!self.checks.is_unclear, recipients.len() as u32);
        for socket in recipients {
            let Some(session) = self.sockets.all[socket].session else {
                is_known = false;
                continue;
            };
            let fate = self.send(session, packet.clone(), None);
            self.checks.cast(&packet, fate == Fate::Goes);
            match fate {
                Fate::Goes => match self.backlog(session) {
                    Told::Backlogged(_) => expected.backlogged += 1,
                    Told::Is(_) => expected.sent += 1,
                    _ => is_known = false,
                },
                Fate::Open(_) => is_known = false,
                _ => expected.dropped += 1,
            }
        }
        self.checks.cast_bytes_max = 0;
        if is_known {
            self.checks.casts.push((expected, told));
        } else if !self.checks.is_unclear {
            self.checks.counts.push((count, told));
        }
    }

    fn join(&mut self, id: SocketId, room: &str, outcome: &Outcome) {
        let Some(socket) = self.sockets.find(id) else {
            return self.checks.moves.push((Outcome::Gone, *outcome));
        };
        let entry = &self.sockets.all[socket];
        let is_stranger = entry.session.is_none();
        let expected = match entry.state {
            // Of one whose client was given up, the node knows since when it has gone.
            _ if is_stranger && *outcome == Outcome::Gone => return,
            State::Ended if is_stranger && self.checks.is_unclear => {
                self.sockets.join(socket, room, self.terms.rooms_max);
                return;
            }
            State::Gone if is_stranger && self.checks.is_unclear => return,
            State::Ended | State::Gone => Outcome::Gone,
            _ => Outcome::Done(self.sockets.join(socket, room, self.terms.rooms_max)),
        };
        self.checks.moves.push((expected, *outcome));
    }

    fn leave(&mut self, id: SocketId, room: &str, outcome: &Outcome) {
        let Some(socket) = self.sockets.find(id) else {
            return self.checks.moves.push((Outcome::Gone, *outcome));
        };
        let is_stranger = self.sockets.all[socket].session.is_none();
        let was_in = self.sockets.leave(socket, room);
        if !is_stranger || !self.checks.is_unclear {
            self.checks.moves.push((Outcome::Done(was_in), *outcome));
        }
    }
}
