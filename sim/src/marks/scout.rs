//! What marks need to know of the world besides what happens: sessions as the server has heard of
//! them, and what came before in the same call.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parlor::{Stats, Wake};

use super::{Mark, Marks};
use crate::client::packet::Packet;
use crate::client::unit::Unit;
use crate::oracle::told::Told;
use crate::oracle::turns::Cause;
use crate::watch::{Seen, Settled};

/// A deadline that fires so late has waited for the server.
const LATE: u64 = 1_000_000;
/// Slots of a millisecond come round after so many.
const ROUND: u64 = (1 << 32) * 1000;
const DAYS_30: u64 = 30 * 24 * 3600 * 1_000_000;

/// See the module's doc. Sessions go by the world's numbers, connections too.
#[derive(Debug, Default)]
pub(crate) struct Scout {
    sessions: BTreeMap<u64, Session>,
    /// For which session each connection is.
    lines: BTreeMap<usize, u64>,
    /// Which are between `2probe` and `5`.
    probed: BTreeSet<u64>,
    call: Call,
}

#[derive(Debug, Default)]
struct Session {
    phase: Phase,
    /// What was written and not heard, in the order of writing: on which connection.
    written: VecDeque<usize>,
    /// On which connection a GET is parked, as far as one can see.
    parked: Option<usize>,
    /// The connection that took the latest answer to a poll.
    answered: Option<usize>,
    /// On which connection a POST has begun.
    posting: Option<usize>,
    candidate: Option<usize>,
    /// The server's ping has gone out, and no pong was heard.
    is_pinged: bool,
    /// Answers that were heard: how they begin.
    acks: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Polling,
    /// Its candidate has said `2probe`.
    Probed,
    WebSocket,
}

/// The call that goes on.
#[derive(Debug, Default)]
struct Call {
    cause: Option<Cause>,
    session: Option<u64>,
    /// Whether its session was between `2probe` and `5` in it.
    is_probed: bool,
    /// A `5` was heard on this connection.
    five: Option<usize>,
    /// This one got the answer to its poll.
    answered: Option<usize>,
    /// A deadline of this kind was due before the call, and was not fired yet.
    overdue: Option<Wake>,
    is_pong: bool,
    /// An answer to an ask, and whether it came before, or is none of the server's.
    ack: Option<Ack>,
    was_settled: bool,
    was_broadcast: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ack {
    First,
    Again,
    Foreign,
}

impl Scout {
    /// The node is about to be called. `overdue`: the deadline that it names, if that has passed.
    pub(crate) fn open(
        &mut self,
        now: u64,
        cause: Cause,
        overdue: Option<Wake>,
        marks: &mut Marks,
    ) {
        let session = cause.conn().and_then(|conn| self.lines.get(&conn)).copied();
        let is_probed = self.phase(session) == Some(Phase::Probed);
        self.call = Call { cause: Some(cause), session, is_probed, overdue, ..Call::default() };
        marks.turn();
        if let Cause::Timeout { at, why } = cause {
            let is_beat = matches!(why, Wake::Ping | Wake::PingTimeout);
            marks.hit_if(is_beat && now >= at + LATE, Mark::PauseOverDeadline);
            marks.hit_if(why == Wake::ConnectTimeout, Mark::ConnectTimeout);
            marks.hit_if(why == Wake::Decision, Mark::DecisionTimeout);
            marks.hit_if(why == Wake::UpgradeTimeout, Mark::UpgradeTimeout);
            marks.hit_if(why == Wake::PollingClose, Mark::PollingClose);
            marks.hit_if(why == Wake::Request, Mark::RequestTimeout);
            marks.hit_if(now >= ROUND, Mark::WheelRound);
            marks.hit_if(now >= DAYS_30, Mark::Soak);
        }
        if let (Cause::Lost(conn) | Cause::Eof(conn), Some(number)) = (cause, session)
            && let Some(session) = self.sessions.get(&number)
        {
            let is_lost = matches!(cause, Cause::Lost(_));
            let is_between = session.parked.is_none() && session.answered == Some(conn);
            let is_polling = session.phase != Phase::WebSocket;
            marks.hit_if(is_lost && is_polling && is_between, Mark::GoneAfterAnswer);
            let is_candidate = is_probed && session.candidate == Some(conn);
            marks.hit_if(is_candidate, Mark::DiedAfterProbe);
        }
    }

    fn phase(&self, session: Option<u64>) -> Option<Phase> {
        session.and_then(|number| self.sessions.get(&number)).map(|session| session.phase)
    }

    /// A client has written this.
    pub(crate) fn wrote(&mut self, conn: usize, unit: &Unit) {
        if let Some(number) = unit.session()
            && !matches!(unit, Unit::PostHead { .. })
        {
            self.sessions.entry(number).or_default().written.push_back(conn);
        }
    }

    /// The server is about to hear this.
    pub(crate) fn heard(&mut self, conn: usize, unit: &Unit, marks: &mut Marks) {
        let Some(number) = unit.session().or_else(|| self.lines.get(&conn).copied()) else {
            return;
        };
        self.lines.insert(conn, number);
        self.call.session = Some(number);
        let session = self.sessions.entry(number).or_default();
        if unit.session().is_some() && !matches!(unit, Unit::PostHead { .. }) {
            let first = session.written.front() != Some(&conn);
            marks.hit_if(first, Mark::Reordered);
            if let Some(place) = session.written.iter().position(|&other| other == conn) {
                session.written.remove(place);
            }
        }
        match unit {
            Unit::Get { .. } => {
                marks.hit_if(session.parked.is_some(), Mark::OverlapGet);
                marks.hit_if(session.phase == Phase::Probed, Mark::GetWhileUpgrading);
                session.parked = Some(conn);
            }
            Unit::PostHead { .. } => {
                let is_overlap = session.posting.is_some_and(|other| other != conn);
                marks.hit_if(is_overlap, Mark::OverlapPost);
                session.posting = Some(conn);
            }
            Unit::Excess { .. } => session.posting = None,
            Unit::Post { packets, .. } => {
                session.posting = None;
                packets.iter().for_each(|packet| self.call.packet(session, packet, marks));
            }
            Unit::Upgrade { .. } => {
                marks.hit_if(session.candidate.is_some(), Mark::SecondWebSocket);
                session.candidate = Some(conn);
            }
            Unit::Frame(Packet::Text('2', text)) if text == "probe" => {
                session.phase = Phase::Probed;
                self.probed.insert(number);
                self.call.is_probed = true;
                marks.hit(Mark::Probed);
                marks.hit_if(session.is_pinged, Mark::PingOutstanding);
            }
            Unit::Frame(Packet::Text('5', _)) => {
                session.phase = Phase::WebSocket;
                (session.candidate, session.parked) = (None, None);
                self.probed.remove(&number);
                self.call.five = Some(conn);
            }
            Unit::Frame(packet) => self.call.packet(session, packet, marks),
            Unit::Handshake { is_websocket: true, .. } => session.phase = Phase::WebSocket,
            Unit::Handshake { .. } | Unit::WsClose | Unit::WsPing(_) => {}
        }
    }

    /// Bytes are appended to a connection.
    pub(crate) fn grown(&mut self, conn: usize, bytes: &[u8], marks: &mut Marks) {
        let has = |text: &[u8]| bytes.windows(text.len()).any(|part| part == text);
        for (head, mark) in [
            (&b"HTTP/1.1 413"[..], Mark::Answer413),
            (b"HTTP/1.1 431", Mark::Answer431),
            (b"HTTP/1.1 503", Mark::Answer503),
            (b"HTTP/1.1 404", Mark::Answer404),
        ] {
            marks.hit_if(bytes.starts_with(head), mark);
        }
        if self.call.five == Some(conn) {
            marks.hit(Mark::FlushAtFive);
            marks.hit_if(has(b"\x81\x012"), Mark::PingFlushedAtFive);
        }
        let Some(session) = self.lines.get(&conn).and_then(|n| self.sessions.get_mut(n)) else {
            return;
        };
        let is_ping = match self.call.cause {
            Some(Cause::Timeout { why: Wake::Ping, .. }) => true,
            // One that waited for its poll.
            _ if session.phase == Phase::WebSocket => false,
            _ => has(b"\r\n\r\n2") || has(b"\x1e2"),
        };
        session.is_pinged |= is_ping;
        if session.parked == Some(conn) {
            (session.parked, session.answered) = (None, Some(conn));
            self.call.answered = Some(conn);
            marks.hit(Mark::Answered);
        }
    }

    /// What the program did or was told.
    pub(crate) fn seen(&mut self, seen: &Seen, marks: &mut Marks) {
        let call = &mut self.call;
        match seen {
            Seen::Emit { volatile, is_binary, status, .. } => {
                let is_dropped = *status == parlor::SendStatus::Dropped;
                let is_raced = *volatile && is_dropped && call.is_probed;
                marks.hit_if(is_raced, Mark::VolatileUpgrading);
                marks.hit_if(*volatile && is_dropped && *is_binary, Mark::VolatileBinary);
                marks.hit_if(!volatile && call.is_probed, Mark::EmitUpgrading);
            }
            Seen::Broadcast(..) => {
                call.was_broadcast = true;
                marks.hit_if(!self.probed.is_empty(), Mark::BroadcastUpgrading);
            }
            Seen::Leave(..) => marks.hit_if(call.was_broadcast, Mark::LeaveInBroadcast),
            Seen::Settled(_, _, settled) => {
                call.was_settled = true;
                let is_answered = matches!(settled, Settled::Answered(_) | Settled::BadAnswer);
                let is_tie = is_answered && call.overdue == Some(Wake::Ask);
                marks.hit_if(is_tie, Mark::AckTie);
            }
            Seen::Kick(_) => marks.hit_if(call.was_settled, Mark::DisconnectInAnswer),
            Seen::Disconnect(_) => marks.hit_if(call.is_probed, Mark::CloseUpgrading),
            Seen::Told(_, Told::Refused(_)) => marks.hit(Mark::Refused),
            _ => {}
        }
    }

    /// Which connection the latest call was about, for what is struck because of it.
    pub(crate) fn place(&self) -> Option<usize> {
        self.call.answered.or(self.call.cause.and_then(Cause::conn))
    }

    /// The call is over.
    pub(crate) fn shut(&mut self, before: &Stats, after: &Stats, marks: &mut Marks) {
        if after.acks_unknown > before.acks_unknown {
            match self.call.ack {
                Some(Ack::First) => marks.hit(Mark::AckLate),
                Some(Ack::Again) => marks.hit(Mark::AckDuplicate),
                Some(Ack::Foreign) => marks.hit(Mark::AckForeign),
                None => {}
            }
        }
        let is_tie = self.call.is_pong && self.call.overdue == Some(Wake::PingTimeout);
        marks.hit_if(is_tie, Mark::PongAtDeadline);
        marks.counted(after);
    }

    /// The server gives a connection up, whose other end may be gone.
    pub(crate) fn closes(&mut self, conn: usize, is_cut: bool, marks: &mut Marks) {
        marks.hit_if(is_cut, Mark::HalfOpenReaped);
        let Some(number) = self.lines.remove(&conn) else { return };
        let Some(session) = self.sessions.get_mut(&number) else { return };
        if session.candidate == Some(conn) {
            session.candidate = None;
            session.phase = Phase::Polling;
            self.probed.remove(&number);
        }
    }
}

impl Call {
    fn packet(&mut self, session: &mut Session, packet: &Packet, marks: &mut Marks) {
        match packet {
            Packet::Text('3', _) => {
                session.is_pinged = false;
                self.is_pong = true;
            }
            Packet::Text('4', text) if text.starts_with(['3', '6']) => {
                let head = text.split('[').next().unwrap_or_default().to_string();
                marks.hit_if(text.starts_with('6'), Mark::AckBinary);
                let digits = head.bytes().rev().take_while(u8::is_ascii_digit).count();
                self.ack = Some(match session.acks.contains(&head) {
                    _ if digits > 12 => Ack::Foreign,
                    true => Ack::Again,
                    false => Ack::First,
                });
                session.acks.push(head);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: char, text: &str) -> Unit {
        Unit::Frame(Packet::Text(kind, text.into()))
    }

    /// What these calls hit: of each its connection, and what is heard in it.
    fn hits(calls: &[(usize, &[Unit])], mark: Mark) -> bool {
        let (mut scout, mut marks) = (Scout::default(), Marks::default());
        for (conn, units) in calls {
            scout.open(0, Cause::Data(*conn), None, &mut marks);
            units.iter().for_each(|unit| scout.heard(*conn, unit, &mut marks));
            scout.shut(&Stats::default(), &Stats::default(), &mut marks);
        }
        marks.has(mark)
    }

    #[test]
    fn requests_that_run_into_each_other_are_marked() {
        let [get, head] = [Unit::Get { session: 1 }, Unit::PostHead { session: 1 }];
        let post = Unit::Post { session: 1, packets: Vec::new() };
        let one = std::slice::from_ref;
        assert!(hits(&[(1, one(&get)), (2, one(&get))], Mark::OverlapGet));
        assert!(!hits(&[(1, one(&get)), (2, one(&head))], Mark::OverlapGet));
        assert!(hits(&[(1, one(&head)), (2, one(&head))], Mark::OverlapPost));
        assert!(!hits(&[(1, &[head.clone(), post]), (2, one(&head))], Mark::OverlapPost));
    }

    #[test]
    fn what_meets_an_upgrade_is_marked() {
        let get = [Unit::Get { session: 1 }];
        let probe = [Unit::Upgrade { session: 1 }, frame('2', "probe")];
        assert!(hits(&[(1, &probe), (2, &get)], Mark::GetWhileUpgrading));
        assert!(!hits(&[(2, &get), (1, &probe)], Mark::GetWhileUpgrading));
        let (mut scout, mut marks) = (Scout::default(), Marks::default());
        scout.heard(1, &frame('2', "probe"), &mut marks);
        scout.heard(1, &probe[0], &mut marks);
        scout.heard(1, &probe[1], &mut marks);
        scout.open(0, Cause::Lost(1), None, &mut marks);
        assert!(marks.has(Mark::DiedAfterProbe));
        scout.open(0, Cause::Data(1), None, &mut marks);
        scout.heard(1, &frame('5', ""), &mut marks);
        assert!(!marks.has(Mark::FlushAtFive));
        scout.grown(1, b"\x81\x012", &mut marks);
        assert!(marks.has(Mark::FlushAtFive) && marks.has(Mark::PingFlushedAtFive));
    }

    #[test]
    fn what_was_written_first_and_heard_last_is_marked() {
        let (mut scout, mut marks) = (Scout::default(), Marks::default());
        let [get, post] =
            [Unit::Get { session: 1 }, Unit::Post { session: 1, packets: Vec::new() }];
        for (first, is_hit) in [((1, &get), false), ((2, &post), true)] {
            scout.wrote(1, &get);
            scout.wrote(2, &post);
            scout.heard(first.0, first.1, &mut marks);
            assert_eq!(marks.has(Mark::Reordered), is_hit);
            let rest = if first.0 == 1 { (2, &post) } else { (1, &get) };
            scout.heard(rest.0, rest.1, &mut marks);
        }
    }
}
