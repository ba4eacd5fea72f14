//! Deadlines: which of them a call fires, and what each does to its session.

use parlor::Wake;

use super::deadline::{self, Due, Key};
use super::engine::{Carrier, End, Pong, RELEASE_EVERY};
use super::parcel::Parcel;
use super::record::Record;
use super::rooms::State;
use super::{Act, Call, Shadow};
use crate::oracle::Property;

impl Shadow {
    pub(super) fn expired(&mut self, due: u64, wake: Wake, call: &Call<'_>) {
        let Some((at, why)) = self.deadlines.first() else {
            return self.foreign(due, wake, call);
        };
        if at < due {
            let what = format!("{why:?} at {at} us was passed over for {wake:?} at {due} us");
            self.checks.missed(self.name_of_first(), what);
            return;
        }
        if (at, why) != (due, wake) {
            return self.foreign(due, wake, call);
        }
        let Some((key, fired)) = self.deadlines.pop() else { return };
        if self.has_strangers && self.is_of_another(fired, call) {
            self.deadlines.put_back(key, fired);
            return;
        }
        let is_unseen = self.has_strangers && self.shown_on(fired).is_none();
        self.unseen = self.whose(fired).filter(|_| is_unseen).map(|session| (due, wake, session));
        self.fire(key, fired);
    }

    /// The property that a forgotten deadline breaks.
    fn name_of_first(&self) -> Property {
        match self.deadlines.peek() {
            Some(Due::Ping(session) | Due::PingTimeout(session))
                if self.peers[session as usize].was_upgraded =>
            {
                Property::U6
            }
            Some(Due::UpgradeTimeout(_)) => Property::U3,
            Some(Due::Release(_)) => Property::U2,
            _ => Property::S0,
        }
    }

    /// A deadline that is not in the table.
    fn foreign(&mut self, due: u64, wake: Wake, call: &Call<'_>) {
        if deadline::is_kept(wake) && !self.has_strangers {
            let what = format!("{wake:?} is due at {due} us, and it is nobody's");
            self.checks.missed(Property::S0, what);
        }
        // Which of the two was whose is not to be seen.
        if let Some((_, _, session)) =
            self.unseen.take_if(|(at, why, _)| (*at, *why) == (due, wake))
        {
            self.give_up(session);
        }
        if matches!(wake, Wake::Request | Wake::Linger) {
            for act in call.acts {
                if let &Act::Close(conn, is_aborted) = act {
                    self.lost(conn, wake == Wake::Request || is_aborted);
                }
            }
        }
    }

    /// Whether what it would show is not to be seen: it was the deadline of somebody unknown.
    fn is_of_another(&self, due: Due, call: &Call<'_>) -> bool {
        let Some(session) = self.whose(due) else { return false };
        let peer = &self.peers[session as usize];
        let connected = peer.sockets.iter().map(|&socket| &self.sockets.all[socket]);
        let mut connected = connected.filter(|socket| socket.state == State::Connected);
        if let (Due::PingTimeout(_), Some(socket)) = (due, connected.next()) {
            let is_told =
                |record: &Record| matches!(record, Record::Ended(id) if Some(*id) == socket.id);
            return !call.records.iter().any(is_told);
        }
        let conn = self.shown_on(due);
        conn.is_some_and(|conn| !call.grown.iter().any(|(grown, _)| *grown == conn))
    }

    fn whose(&self, due: Due) -> Option<u64> {
        match due {
            Due::Ping(session) | Due::PingTimeout(session) | Due::ConnectTimeout(session) => {
                Some(session)
            }
            Due::Release(session) | Due::UpgradeTimeout(session) => Some(session),
            Due::Decision(socket) => self.sockets.all[socket].session,
            Due::PollingClose(_) => None,
        }
    }

    /// The connection on which it shows; none if its client has to come for it.
    fn shown_on(&self, due: Due) -> Option<usize> {
        let peer = &self.peers[self.whose(due)? as usize];
        let own = match peer.on {
            Carrier::WebSocket(conn) => Some(conn),
            Carrier::Polling => peer.parked,
        };
        // The end of a silent session, or of an upgrade, closes its candidate.
        let candidate = peer.candidate.as_ref().map(|candidate| candidate.conn);
        let conn = match due {
            Due::UpgradeTimeout(_) => candidate,
            Due::PingTimeout(_) => own.or(candidate),
            _ => own,
        };
        conn.filter(|&conn| !self.pipes[conn].is_closing)
    }

    fn fire(&mut self, (at, _): Key, due: Due) {
        match due {
            Due::Ping(session) => self.ping(session, at),
            Due::PingTimeout(session) => {
                if self.peers[session as usize].was_upgraded {
                    self.checks.tested(Property::U6);
                }
                self.peers[session as usize].heartbeat = None;
                self.end(session, End::Other);
            }
            Due::UpgradeTimeout(session) => {
                self.checks.tested(Property::U3);
                self.abandon(session);
            }
            Due::Release(session) => {
                let next = self.deadlines.arm(at + RELEASE_EVERY, Due::Release(session));
                if let Some(candidate) = &mut self.peers[session as usize].candidate {
                    candidate.release = Some(next);
                }
                self.release(session);
            }
            Due::PollingClose(session) => self.end(session, End::Other),
            Due::ConnectTimeout(session) => {
                self.peers[session as usize].connect = None;
                self.end_client(session);
            }
            Due::Decision(socket) => self.decision_expired(socket),
        }
    }

    fn ping(&mut self, session: u64, at: u64) {
        let peer = &mut self.peers[session as usize];
        peer.pong = Pong::Awaited;
        let Some(index) = peer.index else { return };
        let due = Due::PingTimeout(session);
        let late = at + self.terms.ping_timeout;
        peer.heartbeat = Some(self.deadlines.arm_heartbeat(late, index, due));
        if peer.parked.is_some() {
            self.checks.tested(Property::P5);
        }
        if peer.was_upgraded {
            self.checks.tested(Property::U6);
        }
        self.reliable(session, Parcel::ping());
    }
}
