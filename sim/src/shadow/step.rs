//! The step equation: what each connection has grown by in a call is what the shadow expects,
//! packet by packet; and what the program was told is what the shadow knows.

use std::collections::VecDeque;
use std::fmt;

use parlor::{AskId, Fanout, Outcome, SendStatus, Volatile};

use super::commands::Why;
use super::engine::{Carrier, Peer};
use super::parcel::{Hole, Kind, Parcel, Size};
use super::{Act, Call, Shadow};
use crate::client::json;
use crate::client::packet::{self, Packet};
use crate::client::{http, ws};
use crate::oracle::{Property, Verdicts};

/// What is expected on a connection.
#[derive(Clone, Debug)]
pub(crate) enum Want {
    /// The 101.
    Switch,
    /// In a frame, its attachments in frames behind it.
    Packet(Parcel),
    CloseFrame,
    /// Of the WebSocket layer: no packet, so nothing was sent in this turn.
    Pong(Vec<u8>),
    Answer(u16, Body),
}

#[derive(Clone, Debug)]
pub(crate) enum Body {
    Packets(Vec<Parcel>),
    Ok,
    Any,
}

/// What the program must have been told of an emit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told {
    Is(SendStatus),
    /// Sent or backlogged.
    Sent,
    Backlogged(Size),
    Dropped(Why),
    Gone,
    Anything,
}

/// What is put to the test in one call.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    tested: Vec<Property>,
    /// What is wrong already.
    missed: Option<(Property, String)>,
    /// Connections on which something is expected.
    pub(crate) touched: Vec<usize>,
    /// Sessions whose poll was answered.
    pub(crate) charged: Vec<u64>,
    /// What a broadcast that is under way may append, to all of its recipients.
    pub(super) cast_bytes_max: u64,
    /// Unsent bytes of connections that are released in this call.
    pub(super) released: u64,
    /// Who has caught up in this call, and is to be told so.
    pub(super) caught_up: Option<u64>,
    /// A stranger's socket ended in this call: since when is the node's business.
    pub(crate) is_unclear: bool,
    /// A handshake found no room, by its answer: strangers' sessions are not known.
    pub(crate) is_full: bool,
    pub(crate) sends: Vec<(Told, Outcome)>,
    pub(crate) casts: Vec<(Fanout, Fanout)>,
    /// Of broadcasts, how many they were to.
    pub(crate) counts: Vec<(u32, Fanout)>,
    pub(crate) moves: Vec<(Outcome, Outcome)>,
    /// Sockets that ended, and those of which it was told.
    pub(crate) ended: Vec<usize>,
    pub(crate) told_ended: Vec<usize>,
    /// Asks that must settle as dropped in this call, and those that did.
    pub(crate) dropped_asks: Vec<AskId>,
    pub(crate) asks_dropped: Vec<AskId>,
    /// Volatile packets that are dropped in this call, and in the calls before.
    dropped: Vec<(u64, Parcel)>,
    past: VecDeque<(u64, Parcel)>,
    /// Of each broadcast of this call: its packet, how often it goes, and how often not.
    fates: Vec<(Parcel, u32, u32)>,
}

/// For the name of what went wrong: so many drops are remembered.
const PAST_MAX: usize = 256;

impl Checks {
    pub(super) fn begin(&mut self) {
        let past = std::mem::take(&mut self.past);
        let Self { mut tested, mut touched, mut sends, .. } = std::mem::take(self);
        tested.clear();
        touched.clear();
        sends.clear();
        *self = Self { tested, touched, sends, past, ..Self::default() };
    }

    pub(super) fn tested(&mut self, property: Property) {
        self.tested.push(property);
    }

    /// Something is wrong that shows before the bytes are compared.
    pub(super) fn missed(&mut self, property: Property, what: String) {
        self.missed.get_or_insert((property, what));
    }

    pub(super) fn dropped(&mut self, session: u64, packet: Parcel) {
        self.dropped.push((session, packet));
    }

    /// One recipient of a broadcast.
    pub(super) fn cast(&mut self, packet: &Parcel, goes: bool) {
        let is_new = self.fates.last().is_none_or(|(last, ..)| last.kind() != packet.kind());
        if is_new {
            self.fates.push((packet.clone(), 0, 0));
        }
        if let Some((_, went, dropped)) = self.fates.last_mut() {
            *if goes { went } else { dropped } += 1;
        }
    }

    /// Whether some recipients of a broadcast get it and others do not.
    fn is_mixed(&self, kind: Kind) -> bool {
        let fate = self.fates.iter().find(|(packet, ..)| packet.kind() == kind);
        fate.is_some_and(|&(_, went, dropped)| went > 0 && dropped > 0)
    }

    fn has(&self, property: Property) -> bool {
        self.tested.contains(&property)
    }
}

/// By how much counters must have moved.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    expected: [u64; 6],
    pub(crate) overflow_dropped: u64,
    pub(crate) overflow_closed: u64,
    before: [u64; 8],
}

impl Counters {
    pub(super) fn dropped(&mut self, why: Why) {
        self.expected[why as usize] += 1;
    }
}

const COUNTERS: [&str; 8] = [
    "volatile_no_poll",
    "volatile_same_turn",
    "volatile_refused",
    "volatile_cork",
    "volatile_closing",
    "volatile_limit",
    "overflow_dropped",
    "overflow_closed",
];

/// Where what came parts from what was expected.
struct Fault {
    want: Option<Want>,
    /// The packet of it that does not fit.
    packet: Option<Parcel>,
    is_attachment: bool,
    found: Found,
}

enum Found {
    Nothing,
    Text(String),
    Other(String),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

impl Shadow {
    /// The end of a call: compares all of it.
    pub(super) fn shut(&mut self, call: &Call<'_>, verdicts: &mut Verdicts) {
        self.carried_out(call.acts);
        let fault = self.compare(call);
        self.settle_charges();
        if let Some((property, what)) = fault.or_else(|| self.checks.missed.take()) {
            verdicts.fail(property, what);
            return;
        }
        verdicts.claim(Property::S0, true, String::new);
        self.compare_told(verdicts);
        self.compare_ends(verdicts);
        self.compare_counters(call, verdicts);
        for property in self.checks.tested.drain(..) {
            verdicts.claim(property, true, String::new);
        }
        let checks = &mut self.checks;
        checks.past.extend(checks.dropped.drain(..));
        let surplus = checks.past.len().saturating_sub(PAST_MAX);
        checks.past.drain(..surplus);
    }

    fn carried_out(&mut self, acts: &[Act]) {
        for &act in acts {
            match act {
                Act::Pause(conn) => self.pipes[conn].is_paused = true,
                Act::Resume(conn) => self.pipes[conn].is_paused = false,
                Act::Shut(conn) => self.pipes[conn].is_closing = true,
                Act::Close(conn, _) => {
                    self.unsent = self.unsent.saturating_sub(self.pipes[conn].left());
                    self.pipes[conn].closed();
                }
            }
        }
    }

    fn compare(&mut self, call: &Call<'_>) -> Option<(Property, String)> {
        for (conn, bytes) in call.grown {
            let fault = self.compare_one(*conn, bytes);
            self.active(*conn);
            let pipe = &mut self.pipes[*conn];
            pipe.appended += bytes.len() as u64;
            self.unsent += bytes.len() as u64;
            if pipe.is_explained
                && let Err(fault) = fault
            {
                return Some(self.named_fault(*conn, &fault));
            }
        }
        for conn in std::mem::take(&mut self.checks.touched) {
            self.pipes[conn].extra = Size::default();
            let want = std::mem::take(&mut self.pipes[conn].want);
            if let Some(want) = want.into_iter().next() {
                let packet = want.packet().cloned();
                let (is_attachment, found) = (false, Found::Nothing);
                let fault = Fault { want: Some(want), packet, is_attachment, found };
                return Some(self.named_fault(conn, &fault));
            }
        }
        self.checks.missed.take()
    }

    fn compare_one(&mut self, conn: usize, bytes: &[u8]) -> Result<(), Fault> {
        let wants = std::mem::take(&mut self.pipes[conn].want);
        if !self.pipes[conn].is_explained {
            return Ok(());
        }
        let start = self.pipes[conn].appended;
        let mut rest = bytes;
        for want in &wants {
            let before = rest.len();
            self.compare_want(want, &mut rest).map_err(|mut fault| {
                fault.want = Some(want.clone());
                // Attribution looks at what was still to come.
                self.pipes[conn].want.clone_from(&wants);
                fault
            })?;
            if let Want::Packet(packet) = want
                && packet.kind().is_volatile()
            {
                let end = start + (bytes.len() - rest.len()) as u64;
                let bytes = (before - rest.len()) as u64;
                let (unsent, largest) = self.pipes[conn].volatile_sent(end, bytes);
                self.judge_volatile_unsent(unsent, largest);
            }
        }
        self.pipes[conn].want.clear();
        if rest.is_empty() {
            return Ok(());
        }
        self.pipes[conn].want = wants;
        let found = match rest.first() {
            Some(b'H') => found_answer(rest),
            _ => found_frame(rest),
        };
        Err(Fault { want: None, packet: None, is_attachment: false, found })
    }

    fn judge_volatile_unsent(&mut self, unsent: u64, largest: u64) {
        let (Volatile::Turn { cork_bytes_max: most } | Volatile::Watermark { bytes_max: most }) =
            self.terms.volatile;
        self.checks.tested(Property::V4);
        if unsent > largest.max(most.into()) {
            let what = format!("{unsent} bytes of volatile packets wait on one connection");
            self.checks.missed(Property::V4, what);
        }
    }

    fn compare_want(&mut self, want: &Want, rest: &mut &[u8]) -> Result<(), Fault> {
        let head = |found| Fault { want: None, packet: None, is_attachment: false, found };
        match want {
            Want::Packet(packet) => self.compare_frames(packet, rest),
            Want::CloseFrame => match ws::frame_of(rest) {
                Ok(Some((0x88, _, length))) => {
                    *rest = &rest[length..];
                    Ok(())
                }
                _ => Err(head(found_frame(rest))),
            },
            Want::Pong(pong) => match ws::frame_of(rest) {
                Ok(Some((0x8a, payload, length))) if payload == *pong => {
                    *rest = &rest[length..];
                    Ok(())
                }
                _ => Err(head(found_frame(rest))),
            },
            Want::Switch | Want::Answer(..) => {
                let mut copy = rest.to_vec();
                let Ok(Some(answer)) = http::answer(&mut copy) else {
                    return Err(head(found_answer(rest)));
                };
                let found = || head(found_answer(rest));
                match want {
                    Want::Answer(status, _) if *status != answer.status => return Err(found()),
                    Want::Switch if answer.status != 101 => return Err(found()),
                    Want::Answer(_, Body::Ok) if answer.body != b"ok" => return Err(found()),
                    Want::Answer(_, Body::Packets(packets)) => {
                        self.compare_body(packets, &answer.body)?;
                    }
                    _ => {}
                }
                *rest = &rest[rest.len() - copy.len()..];
                Ok(())
            }
        }
    }

    fn compare_frames(&mut self, packet: &Parcel, rest: &mut &[u8]) -> Result<(), Fault> {
        let wrong = |is_attachment, found| Fault {
            want: None,
            packet: Some(packet.clone()),
            is_attachment,
            found,
        };
        let Ok(Some((0x81, payload, length))) = ws::frame_of(rest) else {
            return Err(wrong(false, found_frame(rest)));
        };
        let text = std::str::from_utf8(payload).unwrap_or_default();
        if !self.is_packet(packet, text) {
            return Err(wrong(false, found_frame(rest)));
        }
        *rest = &rest[length..];
        for attachment in packet.attachments() {
            match ws::frame_of(rest) {
                Ok(Some((0x82, payload, length))) if *payload == **attachment => {
                    *rest = &rest[length..];
                }
                _ => return Err(wrong(true, found_frame(rest))),
            }
        }
        Ok(())
    }

    fn compare_body(&mut self, packets: &[Parcel], body: &[u8]) -> Result<(), Fault> {
        let text = std::str::from_utf8(body).unwrap_or_default();
        let mut records = text.split('\x1e').peekable();
        for packet in packets {
            let wrong = |is_attachment, found: Option<&str>| Fault {
                want: None,
                packet: Some(packet.clone()),
                is_attachment,
                found: found.map_or(Found::Nothing, |text| Found::Text(text.into())),
            };
            match records.next() {
                Some(record) if self.is_packet(packet, record) => {}
                found => return Err(wrong(false, found)),
            }
            for place in 0..packet.attachments().len() {
                let expected = packet::payload(&[packet.attachment(place)]);
                match records.next() {
                    Some(record) if record.as_bytes() == expected => {}
                    found => return Err(wrong(true, found)),
                }
            }
        }
        match records.next() {
            None => Ok(()),
            Some(record) => {
                let found = Found::Text(record.into());
                Err(Fault { want: None, packet: None, is_attachment: false, found })
            }
        }
    }

    /// Whether a text is this packet; what it says where the server chose is noted.
    fn is_packet(&mut self, packet: &Parcel, text: &str) -> bool {
        let Some(inside) = packet.fits(text) else { return false };
        match packet.hole() {
            None => true,
            Some(Hole::Name(socket)) => {
                let id = self.sockets.all[socket].id;
                id.is_none_or(|id| id.to_string() == inside)
            }
            Some(Hole::Ask(socket)) => {
                let entry = &mut self.sockets.all[socket];
                let Ok(number) = inside.parse() else { return false };
                let ask = entry.unnumbered.pop_front();
                entry.numbers.insert(number, ask).is_none()
            }
            Some(Hole::Open(session)) => match self.index_of(session, inside) {
                Some(index) => {
                    self.named(session, index);
                    true
                }
                None => false,
            },
        }
    }

    /// The session's index, which its id tells, if the open packet is right.
    fn index_of(&self, session: u64, open: &str) -> Option<u32> {
        let is_polling = self.peers.get(session as usize)?.on == Carrier::Polling;
        let upgrades = if is_polling { r#"["websocket"]"# } else { "[]" };
        let number = |name| json::field(open, name).and_then(|text| text.parse::<u64>().ok());
        let is_right = json::field(open, "upgrades") == Some(upgrades)
            && number("pingInterval") == Some(self.terms.ping_interval / 1000)
            && number("pingTimeout") == Some(self.terms.ping_timeout / 1000)
            && number("maxPayload") == Some(self.terms.max_payload);
        let sid = json::field(open, "sid").and_then(json::plain)?;
        let raw = packet::unbase64_url(sid)?;
        let index = raw.get(2..6)?.try_into().ok()?;
        is_right.then_some(u32::from_be_bytes(index))
    }
}

/// What the program was told.
impl Shadow {
    fn compare_told(&mut self, verdicts: &mut Verdicts) {
        for (expected, outcome) in self.checks.sends.drain(..) {
            let is_right = expected.fits(outcome);
            let property = match (expected, outcome) {
                (Told::Dropped(Why::SameTurn), Outcome::Send(SendStatus::Sent)) => Property::V10,
                (Told::Dropped(Why::Limit), Outcome::Send(SendStatus::Gone)) => Property::V12,
                _ => Property::V11,
            };
            let property = if is_right { Property::V11 } else { property };
            verdicts.claim(property, is_right, || {
                format!("an emit is told {outcome:?}, it is {expected:?}")
            });
        }
        for (expected, told) in self.checks.casts.drain(..) {
            let count = |fanout: Fanout| fanout.sent + fanout.backlogged + fanout.dropped;
            let is_members = count(expected) == count(told);
            verdicts.claim(Property::R2, is_members, || {
                format!("a broadcast to {} sockets is made to {}", count(expected), count(told))
            });
            verdicts.claim(Property::V11, expected == told, || {
                format!("a broadcast is told {told:?}, it is {expected:?}")
            });
        }
        for (expected, told) in self.checks.counts.drain(..) {
            let count = told.sent + told.backlogged + told.dropped;
            verdicts.claim(Property::R2, expected == count, || {
                format!("a broadcast to {expected} sockets is made to {count}")
            });
        }
        for (expected, told) in self.checks.moves.drain(..) {
            let property = if expected == Outcome::Gone { Property::R3 } else { Property::R1 };
            verdicts.claim(property, expected == told, || {
                format!("a join or a leave is told {told:?}, it is {expected:?}")
            });
        }
    }

    /// Who has ended in this call, and which asks were never sent.
    fn compare_ends(&mut self, verdicts: &mut Verdicts) {
        let checks = &self.checks;
        for socket in &checks.ended {
            let entry = &self.sockets.all[*socket];
            let property = match entry.session.map(|session| &self.peers[session as usize]) {
                _ if checks.has(Property::P4) => Property::P4,
                _ if checks.has(Property::U6) => Property::U6,
                _ => Property::S0,
            };
            let is_told = checks.told_ended.contains(socket) || entry.session.is_none();
            verdicts.claim(property, is_told, || {
                format!("{:?} has ended in this turn, and nobody is told", entry.id)
            });
        }
        for ask in &checks.dropped_asks {
            verdicts.claim(Property::V9, checks.asks_dropped.contains(ask), || {
                format!("{ask:?} was not sent, and does not settle so in its turn")
            });
        }
    }

    fn compare_counters(&mut self, call: &Call<'_>, verdicts: &mut Verdicts) {
        let stats = call.stats;
        let now = [
            stats.volatile_no_poll,
            stats.volatile_same_turn,
            stats.volatile_refused,
            stats.volatile_cork,
            stats.volatile_closing,
            stats.volatile_limit,
            stats.overflow_dropped,
            stats.overflow_closed,
        ];
        let counters = &mut self.counters;
        let Counters { expected, overflow_dropped, overflow_closed, before } =
            std::mem::take(counters);
        counters.before = now;
        let expected = expected.into_iter().chain([overflow_dropped, overflow_closed]);
        for (place, expected) in expected.enumerate() {
            let moved = now[place] - before[place];
            if moved == 0 && expected == 0 {
                continue;
            }
            // Strangers drop and overflow too.
            let is_right = moved == expected || self.has_strangers && moved > expected;
            let is_volatile = place == 7 && self.checks.tested.contains(&Property::V12);
            let property = if is_volatile { Property::V12 } else { Property::V11 };
            verdicts.claim(property, is_right, || {
                format!("{} has moved by {moved} instead of {expected}", COUNTERS[place])
            });
        }
    }
}

/// The name of a fault: the narrowest.
impl Shadow {
    fn named_fault(&self, conn: usize, fault: &Fault) -> (Property, String) {
        let Fault { want, packet, found, .. } = fault;
        let what = match (packet, want) {
            (Some(packet), _) => format!("connection {conn}: {packet:?} is due, and comes {found}"),
            (None, Some(want)) => format!("connection {conn}: {want:?} is due, and comes {found}"),
            (None, None) => format!("connection {conn}: nothing more is due, and comes {found}"),
        };
        (self.name_of(conn, fault), what)
    }

    fn name_of(&self, conn: usize, fault: &Fault) -> Property {
        let checks = &self.checks;
        let session = self.pipes[conn].session.unwrap_or_default();
        if let Found::Text(text) = &fault.found {
            let is_it =
                |(whose, packet): &&(u64, Parcel)| *whose == session && packet.fits(text).is_some();
            if let Some((_, packet)) = checks.dropped.iter().find(is_it) {
                return if checks.is_mixed(packet.kind()) { Property::V8 } else { Property::V1 };
            }
            let wants = &self.pipes[conn].want;
            let is_due = wants.iter().flat_map(Want::packets).any(|p| p.fits(text).is_some());
            if !is_due && checks.past.iter().any(|entry| is_it(&entry)) {
                return Property::V4;
            }
        }
        if let Some(packet) = &fault.packet {
            return self.name_of_missing(conn, packet, fault);
        }
        match &fault.found {
            Found::Text(text) => self.name_of_extra(conn, text),
            _ => self.name_of_turn(fault),
        }
    }

    /// A packet that is due and does not come, or not now.
    fn name_of_missing(&self, conn: usize, packet: &Parcel, fault: &Fault) -> Property {
        let checks = &self.checks;
        let peer = self.pipes[conn].session.and_then(|s| self.peers.get(s as usize));
        let wants = &self.pipes[conn].want;
        let later = match &fault.found {
            Found::Text(text) => {
                wants.iter().flat_map(Want::packets).find(|p| p.fits(text).is_some())
            }
            _ => None,
        };
        match packet.kind() {
            kind if kind.is_volatile() && fault.is_attachment => Property::V3,
            kind if kind.is_volatile() && checks.is_mixed(kind) => Property::V8,
            kind if kind.is_volatile() => Property::V2,
            Kind::Noop if peer.is_some_and(|peer| peer.since_probe > 0) => Property::U7,
            Kind::Noop => Property::U2,
            Kind::Probe => Property::U1,
            Kind::Ping if checks.has(Property::P5) => Property::P5,
            Kind::Ping if checks.has(Property::U6) => Property::U6,
            _ if checks.has(Property::O2) => Property::O2,
            kind if kind.is_cast() && later.is_some_and(|other| other.kind().is_cast()) => {
                Property::O5
            }
            _ if later.is_some() => Property::O1,
            Kind::Answer => Property::A7,
            Kind::Cast { .. } => Property::R2,
            _ => self.name_of_turn(fault),
        }
    }

    /// A packet too many.
    fn name_of_extra(&self, conn: usize, text: &str) -> Property {
        let checks = &self.checks;
        let peer = self.pipes[conn].session.and_then(|s| self.peers.get(s as usize));
        let is_cast = checks.fates.iter().any(|(packet, ..)| packet.fits(text).is_some());
        let is_copy = self.pipes[conn].want.iter().flat_map(Want::packets);
        let is_copy = is_copy.into_iter().any(|packet| packet.fits(text).is_some());
        let was_polling = |peer: &&Peer| peer.was_upgraded && peer.on != Carrier::WebSocket(conn);
        match text {
            "6" => Property::U2,
            "3probe" => Property::U1,
            _ if text.starts_with("43") || text.starts_with("46") => Property::A7,
            _ if is_cast || is_copy => Property::R2,
            _ if self.turn_property().is_some() => self.turn_property().unwrap_or(Property::S0),
            _ if peer.as_ref().is_some_and(was_polling) => Property::U1,
            _ if peer.is_some_and(Peer::has_candidate) => Property::U1,
            _ => Property::S0,
        }
    }

    /// The narrow property that the turn is about, if it is about one.
    fn turn_property(&self) -> Option<Property> {
        let order = [Property::P2, Property::P4, Property::U3, Property::U4, Property::U5];
        order.into_iter().find(|&property| self.checks.has(property))
    }

    /// By what the turn is about.
    fn name_of_turn(&self, fault: &Fault) -> Property {
        match (self.turn_property(), &fault.want) {
            (Some(property), _) => property,
            (None, Some(Want::Packet(packet))) if packet.kind() == Kind::Probe => Property::U1,
            _ => Property::S0,
        }
    }
}

impl Want {
    fn packets(&self) -> &[Parcel] {
        match self {
            Self::Packet(packet) => std::slice::from_ref(packet),
            Self::Answer(_, Body::Packets(packets)) => packets,
            Self::Switch | Self::CloseFrame | Self::Pong(_) | Self::Answer(..) => &[],
        }
    }

    fn packet(&self) -> Option<&Parcel> {
        self.packets().first()
    }
}

impl Told {
    fn fits(self, outcome: Outcome) -> bool {
        match (self, outcome) {
            (Self::Anything, _)
            | (Self::Sent, Outcome::Send(SendStatus::Sent | SendStatus::Backlogged { .. }))
            | (Self::Dropped(_), Outcome::Send(SendStatus::Dropped))
            | (Self::Gone, Outcome::Send(SendStatus::Gone)) => true,
            (Self::Is(status), Outcome::Send(told)) => status == told,
            (Self::Backlogged(size), Outcome::Send(SendStatus::Backlogged { bytes })) => {
                (size.low..=size.high).contains(&bytes.into())
            }
            _ => false,
        }
    }
}

fn found_frame(rest: &[u8]) -> Found {
    match ws::frame_of(rest) {
        Ok(Some((0x81, payload, _))) => Found::Text(String::from_utf8_lossy(payload).into()),
        Ok(Some((0x82, payload, _))) => Found::Other(format!("{} bytes in a frame", payload.len())),
        Ok(Some((first, ..))) => Found::Other(format!("a frame of type {:#x}", first & 15)),
        _ if rest.is_empty() => Found::Nothing,
        _ => Found::Other(format!("{} bytes that are no frame", rest.len())),
    }
}

fn found_answer(rest: &[u8]) -> Found {
    let mut copy = rest.to_vec();
    match http::answer(&mut copy) {
        Ok(Some(answer)) if answer.status == 200 => match packet::packets(&answer.body) {
            Ok(packets) => match packets.into_iter().next() {
                Some(Packet::Text(kind, data)) => Found::Text(format!("{kind}{data}")),
                Some(Packet::Binary(data)) => {
                    Found::Other(format!("{} bytes in a record", data.len()))
                }
                None => Found::Nothing,
            },
            Err(_) => {
                Found::Other(format!("an answer: {:?}", String::from_utf8_lossy(&answer.body)))
            }
        },
        Ok(Some(answer)) => Found::Other(format!("an answer {}", answer.status)),
        _ if rest.is_empty() => Found::Nothing,
        _ => Found::Other(format!("{} bytes that are no answer", rest.len())),
    }
}
