//! A3, D5, T1 to T4, T6 and T7: what is due when, and in which order. The table is made from what
//! was handed in and told; what the node names as its next deadline is compared with it.
//!
//! Heartbeats are rounded up to the next whole millisecond, where a ping is due; at one instant
//! they go first, by session, and the others by arming. What an input itself arms stands before
//! what handlers arm.

use std::collections::{BTreeMap, BTreeSet};

use parlor::{AskId, CloseReason, SessionId, SocketId, TimerId, Wake};

use super::told::{Told, Why};
use super::turns::Cause;
use super::{Property, Verdicts};

/// Something that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    Ping(SessionId),
    Pong(SessionId),
    /// A session that has joined no namespace.
    Joining(SessionId),
    /// A session that is closed, and whose client has not come back for its last packets.
    Closing(SessionId),
    Decision(SocketId),
    Ask(AskId),
    Timer(TimerId),
}

impl Due {
    fn wake(self) -> Wake {
        match self {
            Self::Ping(_) => Wake::Ping,
            Self::Pong(_) => Wake::PingTimeout,
            Self::Joining(_) => Wake::ConnectTimeout,
            Self::Closing(_) => Wake::PollingClose,
            Self::Decision(_) => Wake::Decision,
            Self::Ask(_) => Wake::Ask,
            Self::Timer(_) => Wake::Timer,
        }
    }

    fn property(self) -> Property {
        of_wake(self.wake()).unwrap_or(Property::D5)
    }
}

/// What fails if such a deadline is not where it should be; `None` for those not kept here.
fn of_wake(wake: Wake) -> Option<Property> {
    match wake {
        Wake::Ping => Some(Property::T3),
        Wake::PingTimeout => Some(Property::T1),
        Wake::ConnectTimeout | Wake::Decision => Some(Property::D5),
        Wake::Ask => Some(Property::A3),
        Wake::Timer => Some(Property::T7),
        _ => None,
    }
}

/// The instant, then whether it is a heartbeat's or the call that armed it, then the order.
type Key = (u64, u64, u64);

/// The periods of a server, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Periods {
    pub(crate) ping_interval: u64,
    pub(crate) ping_timeout: u64,
    pub(crate) connect_timeout: u64,
    pub(crate) decision_timeout: u64,
    pub(crate) polling_close_timeout: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Agenda {
    periods: Periods,
    /// What must fire at its instant.
    sure: BTreeMap<Key, Due>,
    /// What fires then, if it is still there: heartbeats of sessions that may be closing.
    loose: BTreeMap<Key, Due>,
    keys: BTreeMap<Due, Key>,
    /// Keys are the core's. Open ones.
    sessions: BTreeMap<SessionId, Session>,
    timers: BTreeMap<TimerId, Timer>,
    /// Sockets that ended in this call.
    ended: Vec<SocketId>,
    /// Open sessions of clients whose bytes nobody notes: their heartbeats are unknown.
    wild: BTreeSet<SessionId>,
    /// When requests for the program are over, if nobody answers them, and how many.
    requests: BTreeMap<u64, u64>,
    firing: Option<Firing>,
    /// Timers that fired, and whose closures have yet to run.
    running: Option<TimerId>,
    now: u64,
    call: u64,
    armed: u64,
}

#[derive(Debug)]
struct Session {
    pong: Pong,
    /// Its ping is due then, if it is not out.
    ping_at: u64,
    /// What was the deadline of the last pong.
    answered_at: Option<u64>,
    is_loose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pong {
    Here,
    Awaited,
    Excused,
}

#[derive(Debug)]
struct Timer {
    socket: Option<SocketId>,
    every: Option<u64>,
}

/// The deadline of this call.
#[derive(Clone, Copy, Debug)]
struct Firing {
    due: Due,
    at: u64,
    is_sure: bool,
    is_over: bool,
}

const MS: u64 = 1000;

fn slot(at: u64) -> u64 {
    at.div_ceil(MS) * MS
}

impl Agenda {
    pub(crate) fn new(periods: Periods) -> Self {
        Self { periods, ..Self::default() }
    }

    /// A call begins.
    pub(crate) fn open(&mut self, cause: Cause, verdicts: &mut Verdicts) {
        self.now = verdicts.now;
        self.call += 1;
        self.firing = None;
        if let Cause::Timeout { at, why } = cause {
            self.named(at, why, verdicts);
        }
    }

    /// Whether a request that nobody answered may be over now; each is once.
    fn overdue(&mut self, at: u64) -> bool {
        let Some(count) = self.requests.get_mut(&at).filter(|count| **count > 0) else {
            return false;
        };
        *count -= 1;
        true
    }

    /// The node has named this deadline, and is told to fire it.
    fn named(&mut self, at: u64, why: Wake, verdicts: &mut Verdicts) {
        let place = (at, 0, 0)..=(at, u64::MAX, u64::MAX);
        let find = |table: &BTreeMap<Key, Due>| {
            let mut all = table.range(place.clone());
            all.find(|(_, due)| due.wake() == why).map(|(&key, &due)| (key, due))
        };
        let (sure, loose) = (find(&self.sure), find(&self.loose));
        let first = self.sure.first_key_value().map(|(&key, &due)| (key, due));
        let Some(property) = of_wake(why) else {
            // Of those not kept here, it is only known that heartbeats go before them.
            let is_next = first.is_none_or(|(key, _)| key.0 > at || key.0 == at && key.1 > 0);
            verdicts.claim(Property::T6, is_next, || format!("{why:?} at {at} before {first:?}"));
            let closing = sure.or(loose).filter(|(_, due)| matches!(due, Due::Closing(_)));
            closing.into_iter().for_each(|(key, due)| self.fire(key, due, false));
            return;
        };
        if let (Some(sure), Some(_)) = (sure, loose) {
            // One of two, and nothing tells which.
            if let Due::Ping(session) | Due::Pong(session) = sure.1 {
                self.loose_session(session);
            }
        }
        let property = match why {
            Wake::PingTimeout if self.was_answered(at) => Property::T2,
            _ => property,
        };
        // A request for the program has the same time as a decision, and may be answered before.
        if why == Wake::Decision && self.requests.get(&at).is_some_and(|&count| count > 0) {
            match sure {
                None => drop(self.overdue(at)),
                Some((_, due)) => {
                    let (is_sure, is_over) = (false, false);
                    self.firing = Some(Firing { due, at, is_sure, is_over });
                }
            }
            return;
        }
        let found = loose.or(sure);
        let is_heartbeat = matches!(why, Wake::Ping | Wake::PingTimeout);
        let is_known = found.is_some() || is_heartbeat && !self.wild.is_empty();
        verdicts.claim(property, is_known, || {
            format!("the node names {why:?} at {at} us, where nothing is due")
        });
        let Some((key, due)) = found else { return };
        let is_first = first.is_none_or(|(first, _)| key <= first || self.loose.contains_key(&key));
        verdicts.claim(Property::T6, is_first, || format!("{due:?} fires before {first:?}"));
        let is_sure = !self.loose.contains_key(&key);
        if !is_sure && why == Wake::Ping {
            // It may be that of any of them.
            let pings = self.loose.range(place).filter(|(_, due)| due.wake() == why);
            let pings: Vec<_> = pings.map(|(&key, &due)| (key, due)).collect();
            pings.into_iter().for_each(|(key, due)| self.fire(key, due, false));
            return;
        }
        self.fire(key, due, is_sure);
    }

    fn was_answered(&self, at: u64) -> bool {
        self.sessions.values().any(|session| session.answered_at == Some(at))
    }

    fn fire(&mut self, key: Key, due: Due, is_sure: bool) {
        // What may not be there stays until the node names something later.
        if is_sure || matches!(due, Due::Closing(_)) {
            self.remove(due);
        }
        let at = key.0;
        self.firing = Some(Firing { due, at, is_sure, is_over: false });
        match due {
            Due::Ping(session) => {
                let Some(entry) = self.sessions.get_mut(&session) else { return };
                entry.pong = Pong::Awaited;
                let at = slot(slot(entry.ping_at) + self.periods.ping_timeout);
                self.heartbeat(at, Due::Pong(session), session);
                self.over(due);
            }
            Due::Timer(timer) => {
                let Some(entry) = self.timers.get(&timer) else { return };
                if let Some(every) = entry.every {
                    let late = self.now - at;
                    self.arm(at + every * (late / every + 1), 0, due);
                } else {
                    self.timers.remove(&timer);
                }
            }
            Due::Joining(session) => {
                // It closes, or waits for its client to fetch what is left.
                self.loose_session(session);
                let at = self.now + self.periods.polling_close_timeout;
                self.arm(at, 0, Due::Closing(session));
                self.over(due);
            }
            Due::Pong(_) | Due::Closing(_) | Due::Decision(_) | Due::Ask(_) => {}
        }
    }

    fn is_firing(&self, due: Due) -> bool {
        self.firing.is_some_and(|firing| firing.due == due)
    }

    fn over(&mut self, due: Due) {
        if let Some(firing) = self.firing.as_mut().filter(|firing| firing.due == due) {
            firing.is_over = true;
        }
    }

    /// Something that the program was told or did.
    pub(crate) fn told(&mut self, told: Told, verdicts: &mut Verdicts) {
        match told {
            Told::Opened(session) => self.opened(session),
            Told::Closed(session, reason) if self.wild.remove(&session) => {
                self.remove(Due::Joining(session));
                self.remove(Due::Closing(session));
                let firing = self.firing.filter(|firing| matches!(firing.due, Due::Pong(_)));
                if let (Some(firing), CloseReason::PingTimeout) = (firing, reason) {
                    // It was not that of the other, at the same instant.
                    self.firing = None;
                    let Due::Pong(other) = firing.due else { return };
                    self.heartbeat(firing.at, firing.due, other);
                }
            }
            Told::Closed(session, reason) => self.closed(session, reason, verdicts),
            Told::Requested => {
                let at = self.now + self.periods.decision_timeout;
                *self.requests.entry(at).or_default() += 1;
            }
            Told::Deciding(socket, ..) => {
                self.arm(self.now + self.periods.decision_timeout, 0, Due::Decision(socket));
            }
            Told::Admitted(socket) => self.remove(Due::Decision(socket)),
            Told::Refused(socket) | Told::Abandoned(socket) => {
                self.over(Due::Decision(socket));
                self.remove(Due::Decision(socket));
                self.ended.push(socket);
            }
            Told::Connected(_, session, _) => {
                self.remove(Due::Joining(session));
                verdicts.claim(Property::D5, true, String::new);
            }
            Told::Left(socket, _) => self.ended.push(socket),
            Told::Asked { ask, timeout, .. } => {
                // One that was not sent settles in front of its outcome's place.
                self.arm(self.now + timeout, 1, Due::Ask(ask));
            }
            Told::Settled(ask, socket, why) => self.settled(ask, socket, why, verdicts),
            Told::Armed { timer, after, every, socket } => {
                let after = if every { after.max(MS) } else { after };
                self.timers.insert(timer, Timer { socket, every: every.then_some(after) });
                self.arm(self.now + after, 1, Due::Timer(timer));
            }
            Told::Cancelled(timer, was_there) => {
                let is_there = self.timers.remove(&timer).is_some();
                self.remove(Due::Timer(timer));
                verdicts.claim(Property::T7, is_there == was_there, || {
                    format!("{timer:?} is taken back: {was_there}, and it was armed: {is_there}")
                });
            }
            Told::Fired(timer) => {
                let is_it = self.is_firing(Due::Timer(timer));
                self.over(Due::Timer(timer));
                self.running = Some(timer);
                verdicts.claim(Property::T7, is_it, || format!("{timer:?} fires unasked"));
            }
            Told::TimerRuns(timer) => {
                let is_it = self.running.take() == Some(timer);
                verdicts.claim(Property::T7, is_it, || format!("{timer:?} runs and was not due"));
            }
            _ => {}
        }
    }

    fn opened(&mut self, session: SessionId) {
        let ping_at = self.now + self.periods.ping_interval;
        let entry = Session { pong: Pong::Here, ping_at, answered_at: None, is_loose: false };
        self.sessions.insert(session, entry);
        self.heartbeat(slot(ping_at), Due::Ping(session), session);
        self.arm(self.now + self.periods.connect_timeout, 0, Due::Joining(session));
    }

    fn closed(&mut self, session: SessionId, reason: CloseReason, verdicts: &mut Verdicts) {
        let entry = self.sessions.remove(&session).filter(|session| !session.is_loose);
        if let (Some(entry), CloseReason::PingTimeout) = (entry, reason) {
            let is_due = self.is_firing(Due::Pong(session));
            let is_late = entry.answered_at.is_some_and(|at| at <= self.now);
            let property = if is_late { Property::T2 } else { Property::T1 };
            verdicts.claim(property, is_due, || format!("{session:?} is reaped before its time"));
        }
        let own = [Due::Ping(session), Due::Pong(session)];
        let own = own.into_iter().chain([Due::Joining(session), Due::Closing(session)]);
        own.for_each(|due| {
            self.over(due);
            self.remove(due);
        });
    }

    fn settled(&mut self, ask: AskId, socket: SocketId, why: Why, verdicts: &mut Verdicts) {
        let is_firing = self.is_firing(Due::Ask(ask));
        self.over(Due::Ask(ask));
        self.remove(Due::Ask(ask));
        verdicts.claim(Property::A3, is_firing == (why == Why::TimedOut), || {
            let now = self.now;
            format!("{ask:?} of {socket} settles as {why:?} at {now} us, its time is not now")
        });
    }

    /// A pong of a session was handed in.
    pub(crate) fn pong(&mut self, session: SessionId, verdicts: &mut Verdicts) {
        let Some(entry) = self.sessions.get_mut(&session) else { return };
        verdicts.claim(Property::T2, true, String::new);
        entry.pong = Pong::Here;
        entry.ping_at = self.now + self.periods.ping_interval;
        let at = slot(entry.ping_at);
        let pong_at = self.keys.get(&Due::Pong(session)).map(|key| key.0);
        entry.answered_at = pong_at.or(entry.answered_at);
        self.remove(Due::Pong(session));
        self.remove(Due::Ping(session));
        self.heartbeat(at, Due::Ping(session), session);
    }

    /// Something else than a pong was.
    pub(crate) fn packet(&mut self, session: SessionId) {
        let Some(entry) = self.sessions.get_mut(&session) else { return };
        if entry.pong == Pong::Awaited {
            entry.pong = Pong::Excused;
            self.remove(Due::Pong(session));
            self.heartbeat(slot(self.now + self.periods.ping_timeout), Due::Pong(session), session);
        }
    }

    /// Nobody notes what a session's client says.
    pub(crate) fn wild(&mut self, session: SessionId) {
        self.wild.insert(session);
        self.arm(self.now + self.periods.connect_timeout, 0, Due::Joining(session));
    }

    /// What a session's client says is held back: nobody knows when it is heard.
    pub(crate) fn held(&mut self, session: SessionId) {
        if self.sessions.remove(&session).is_some() {
            self.remove(Due::Ping(session));
            self.remove(Due::Pong(session));
            self.wild.insert(session);
        }
    }

    /// Nobody knows any more whether a session is closing.
    pub(crate) fn loose_session(&mut self, session: SessionId) {
        if let Some(entry) = self.sessions.get_mut(&session) {
            entry.is_loose = true;
        }
        self.loosen(Due::Ping(session));
        self.loosen(Due::Pong(session));
    }

    fn loosen(&mut self, due: Due) {
        if let Some(&key) = self.keys.get(&due)
            && self.sure.remove(&key).is_some()
        {
            self.loose.insert(key, due);
        }
    }

    /// Whose ping it is that this call sends.
    pub(crate) fn pings(&self) -> Option<SessionId> {
        let firing = self.firing.filter(|firing| firing.is_sure && self.wild.is_empty())?;
        match firing.due {
            Due::Ping(session) => Some(session),
            _ => None,
        }
    }

    /// A call is over.
    pub(crate) fn shut(&mut self, verdicts: &mut Verdicts) {
        for socket in std::mem::take(&mut self.ended) {
            let own = self.timers.extract_if(.., |_, timer| timer.socket == Some(socket));
            for timer in own.map(|(timer, _)| timer).collect::<Vec<_>>() {
                self.remove(Due::Timer(timer));
            }
        }
        let running = self.running.take();
        verdicts.claim(Property::T7, running.is_none(), || format!("{running:?} does not run"));
        if let Some(Firing { due, at, is_sure: true, is_over }) = self.firing {
            verdicts.claim(due.property(), is_over, || {
                format!("{due:?} was due at {at} us, and nothing came of it")
            });
        }
        if let Some(Firing { due: Due::Decision(_), at, is_sure: false, is_over: false }) =
            self.firing
        {
            // It was a request's.
            self.overdue(at);
        }
        self.firing = None;
    }

    /// The node names its next deadline, with nothing left to be carried out.
    pub(crate) fn wake(&mut self, wake: Option<u64>, verdicts: &mut Verdicts) {
        let named = wake.unwrap_or(u64::MAX);
        while let Some(entry) = self.loose.first_entry() {
            if entry.key().0 >= named {
                break;
            }
            // It is not there any more: the session is closing.
            self.keys.remove(&entry.remove());
        }
        let Some((&(at, ..), &due)) = self.sure.first_key_value() else { return };
        verdicts.claim(due.property(), named <= at, || {
            format!("{due:?} is due at {at} us, poll_timeout says {wake:?}")
        });
    }

    fn heartbeat(&mut self, at: u64, due: Due, session: SessionId) {
        let key = (at, 0, session.index() as u64);
        let is_loose = self.sessions.get(&session).is_some_and(|session| session.is_loose);
        let table = if is_loose { &mut self.loose } else { &mut self.sure };
        table.insert(key, due);
        self.keys.insert(due, key);
    }

    /// `phase`: 0 for what a cause arms itself, 1 for commands.
    fn arm(&mut self, at: u64, phase: u64, due: Due) {
        self.armed += 1;
        let key = (at, 1 + 2 * self.call + phase, self.armed);
        self.sure.insert(key, due);
        self.keys.insert(due, key);
    }

    fn remove(&mut self, due: Due) {
        if let Some(key) = self.keys.remove(&due) {
            self.sure.remove(&key);
            self.loose.remove(&key);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::tests::{fires, handles, socket};
    use super::*;

    pub(crate) fn session() -> SessionId {
        handles().sessions[0]
    }

    const PERIODS: Periods = Periods {
        ping_interval: 10_000,
        ping_timeout: 5_000,
        connect_timeout: 60_000,
        decision_timeout: 7_000,
        polling_close_timeout: 3_000,
    };

    /// Calls, one after the other.
    struct Calls<'v>(Agenda, &'v mut Verdicts);

    impl Calls<'_> {
        fn call(&mut self, now: u64, cause: Cause, work: impl FnOnce(&mut Agenda, &mut Verdicts)) {
            self.1.now = now;
            self.0.open(cause, self.1);
            work(&mut self.0, self.1);
            self.0.shut(self.1);
        }

        fn told(&mut self, now: u64, all: &[Told]) {
            self.call(now, Cause::Data(0), |agenda, verdicts| {
                all.iter().for_each(|&told| agenda.told(told, verdicts));
            });
        }

        fn fires(&mut self, now: u64, (at, why): (u64, Wake), all: &[Told]) {
            self.call(now, Cause::Timeout { at, why }, |agenda, verdicts| {
                all.iter().for_each(|&told| agenda.told(told, verdicts));
            });
        }
    }

    /// That a session opened at 300 us, and what followed, fires this property.
    #[track_caller]
    fn after_opening(property: Option<Property>, trace: impl FnOnce(&mut Calls<'_>, SessionId)) {
        let session = session();
        fires(property, |verdicts| {
            let mut calls = Calls(Agenda::new(PERIODS), verdicts);
            calls.told(300, &[Told::Opened(session)]);
            trace(&mut calls, session);
        });
    }

    const PING: (u64, Wake) = (11_000, Wake::Ping);
    const REAPED: CloseReason = CloseReason::PingTimeout;

    #[test]
    fn t1_t3_heartbeats_are_due_at_their_instants() {
        after_opening(None, |calls, session| {
            calls.fires(12_500, PING, &[]);
            calls.fires(16_100, (16_000, Wake::PingTimeout), &[Told::Closed(session, REAPED)]);
        });
        // The ping was late; the pong is not given more time for it.
        after_opening(Some(Property::T1), |calls, session| {
            calls.fires(12_500, PING, &[]);
            calls.fires(18_000, (18_000, Wake::PingTimeout), &[Told::Closed(session, REAPED)]);
        });
        after_opening(Some(Property::T1), |calls, _| {
            calls.fires(11_000, PING, &[]);
            calls.fires(16_000, (16_000, Wake::PingTimeout), &[]);
        });
        after_opening(Some(Property::T1), |calls, session| {
            calls.told(11_000, &[Told::Closed(session, REAPED)]);
        });
        after_opening(Some(Property::T3), |calls, _| {
            calls.fires(10_300, (10_300, Wake::Ping), &[])
        });
        after_opening(Some(Property::T3), |calls, _| {
            calls.0.wake(Some(11_001), calls.1);
        });
    }

    #[test]
    fn t1_t2_pongs_and_other_packets() {
        let late = |calls: &mut Calls<'_>, session| {
            calls.fires(11_000, PING, &[]);
            // The server was paused over the deadline.
            calls.call(17_000, Cause::Data(0), |agenda, verdicts| agenda.pong(session, verdicts));
        };
        after_opening(None, |calls, session| {
            late(calls, session);
            calls.0.wake(Some(27_000), calls.1);
            calls.fires(27_000, (27_000, Wake::Ping), &[]);
        });
        after_opening(Some(Property::T2), |calls, session| {
            late(calls, session);
            calls.fires(17_000, (16_000, Wake::PingTimeout), &[Told::Closed(session, REAPED)]);
        });
        // One refresh for each ping.
        after_opening(None, |calls, session| {
            calls.fires(11_000, PING, &[]);
            for now in [12_000, 13_000] {
                calls.call(now, Cause::Data(0), |agenda, _| agenda.packet(session));
            }
            calls.fires(17_000, (17_000, Wake::PingTimeout), &[Told::Closed(session, REAPED)]);
        });
    }

    #[test]
    fn t1_pings_of_one_instant_may_be_anybodys() {
        after_opening(None, |calls, session| {
            let all = handles().sessions;
            let other = all[all.len() - 1];
            calls.told(300, &[Told::Opened(other)]);
            calls.0.loose_session(session);
            for _ in 0..2 {
                calls.fires(11_000, PING, &[]);
            }
            calls.call(11_500, Cause::Data(0), |agenda, verdicts| agenda.pong(session, verdicts));
            calls.0.wake(Some(16_000), calls.1);
            calls.fires(16_000, (16_000, Wake::PingTimeout), &[Told::Closed(other, REAPED)]);
        });
    }

    #[test]
    fn d5_joining_and_deciding_take_so_long() {
        let (connecting, namespace) = (socket(1), handles().spaces[0]);
        let joining = (60_300, Wake::ConnectTimeout);
        let pings = |calls: &mut Calls<'_>, session| calls.0.loose_session(session);
        after_opening(None, |calls, session| {
            pings(calls, session);
            calls.fires(60_300, joining, &[Told::Closed(session, CloseReason::ForcedClose)]);
        });
        // It may come back for its last packets, but not for ever.
        after_opening(Some(Property::D5), |calls, session| {
            pings(calls, session);
            calls.fires(60_300, joining, &[]);
            calls.0.wake(Some(63_301), calls.1);
        });
        after_opening(Some(Property::D5), |calls, session| {
            calls.told(900, &[Told::Connected(connecting, session, namespace)]);
            pings(calls, session);
            calls.fires(60_300, joining, &[Told::Closed(session, CloseReason::ForcedClose)]);
        });
        let deciding = |calls: &mut Calls<'_>, session, all: &[Told]| {
            calls.told(1_000, &[Told::Deciding(connecting, session, namespace)]);
            calls.fires(8_000, (8_000, Wake::Decision), all);
        };
        after_opening(None, |calls, session| {
            deciding(calls, session, &[Told::Abandoned(connecting)]);
        });
        after_opening(Some(Property::D5), |calls, session| deciding(calls, session, &[]));
        after_opening(Some(Property::D5), |calls, session| {
            calls.told(500, &[Told::Deciding(connecting, session, namespace)]);
            calls.told(700, &[Told::Admitted(connecting)]);
            calls.fires(7_500, (7_500, Wake::Decision), &[Told::Abandoned(connecting)]);
        });
    }

    #[test]
    fn a3_asks_time_out_exactly() {
        let ask = handles().asks[0];
        let asked = Told::Asked { ask, socket: socket(1), timeout: 1_000, volatile: false };
        let over = Told::Settled(ask, socket(1), Why::TimedOut);
        let at = (2_000, Wake::Ask);
        let trace = |property, trace: &dyn Fn(&mut Calls<'_>)| {
            fires(property, |verdicts| {
                let mut calls = Calls(Agenda::new(PERIODS), verdicts);
                calls.told(1_000, &[asked]);
                trace(&mut calls);
            });
        };
        trace(None, &|calls| calls.fires(2_500, at, &[over]));
        trace(None, &|calls| {
            calls.told(2_500, &[Told::Settled(ask, socket(1), Why::Answered)]);
            calls.0.wake(None, calls.1);
        });
        trace(Some(Property::A3), &|calls| calls.told(2_500, &[over]));
        trace(Some(Property::A3), &|calls| calls.fires(2_500, at, &[]));
        trace(Some(Property::A3), &|calls| calls.fires(1_999, (1_999, Wake::Ask), &[over]));
        trace(Some(Property::A3), &|calls| calls.0.wake(Some(2_001), calls.1));
    }

    #[test]
    fn t6_t7_timers_fire_in_the_order_of_setting_and_keep_their_phase() {
        let all = handles().timers;
        let arm = |timer, after, every| Told::Armed { timer, after, every, socket: None };
        let (first, second) = (all[0], all[1]);
        let ran = |timer| [Told::Fired(timer), Told::TimerRuns(timer)];
        let at = (2_000, Wake::Timer);
        let trace = |property, trace: &dyn Fn(&mut Calls<'_>)| {
            fires(property, |verdicts| {
                let mut calls = Calls(Agenda::new(PERIODS), verdicts);
                calls.told(500, &[arm(second, 1_500, false)]);
                calls.told(1_000, &[arm(first, 1_000, true)]);
                trace(&mut calls);
            });
        };
        trace(None, &|calls| {
            calls.fires(2_100, at, &ran(second));
            calls.fires(4_500, at, &ran(first));
            calls.0.wake(Some(5_000), calls.1);
            calls.told(4_600, &[Told::Cancelled(first, true), Told::Cancelled(second, false)]);
            calls.0.wake(None, calls.1);
        });
        trace(Some(Property::T7), &|calls| calls.fires(2_100, at, &ran(first)));
        trace(Some(Property::T7), &|calls| calls.fires(2_100, at, &[Told::Fired(second)]));
        trace(Some(Property::T7), &|calls| calls.told(2_100, &[Told::Cancelled(first, false)]));
        trace(Some(Property::T7), &|calls| {
            calls.fires(2_100, at, &ran(second));
            calls.fires(4_500, at, &ran(first));
            calls.fires(5_500, (5_500, Wake::Timer), &ran(first));
        });
        trace(Some(Property::T6), &|calls| {
            let ask = handles().asks[0];
            let asked = Told::Asked { ask, socket: socket(1), timeout: 500, volatile: false };
            calls.told(1_500, &[asked]);
            calls.fires(2_100, (2_000, Wake::Ask), &[]);
        });
    }

    #[test]
    fn t7_timers_end_with_their_socket() {
        let timer = handles().timers[0];
        let socket = socket(1);
        let end = |why: parlor::DisconnectReason| Told::Left(socket, why);
        let armed = Told::Armed { timer, after: 1_000, every: false, socket: Some(socket) };
        fires(Some(Property::T7), |verdicts| {
            let mut calls = Calls(Agenda::new(PERIODS), verdicts);
            calls.told(1_000, &[armed]);
            calls.told(1_500, &[end(parlor::DisconnectReason::TransportClose)]);
            let ran = [Told::Fired(timer), Told::TimerRuns(timer)];
            calls.fires(2_000, (2_000, Wake::Timer), &ran);
        });
    }
}
