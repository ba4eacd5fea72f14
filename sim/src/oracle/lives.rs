//! D1, D2, D4, D8, D9, D10, A10 and a part of O3: how sockets come and go, and why.

use std::collections::{BTreeMap, BTreeSet};

use parlor::{
    DisconnectReason, Limits, NamespaceId, SendStatus, SessionId, SocketId, TransportFault, Wake,
};

use super::told::Told;
use super::turns::Cause;
use super::{Property, Verdicts};

/// All sockets that there ever were, and the sessions that are open. Keys are the core's.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    sockets: BTreeMap<SocketId, Life>,
    sessions: BTreeMap<SessionId, Stay>,
    /// Those of them about whom the program has not decided.
    deciding: BTreeSet<SocketId>,
    namespaces_max: usize,
    connects_max: usize,
    call: Call,
    is_shutting_down: bool,
}

#[derive(Debug)]
struct Life {
    session: SessionId,
    namespace: NamespaceId,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Deciding,
    Connected,
    Leaving,
    Gone,
    /// It never connected.
    Refused,
}

/// An open session.
#[derive(Debug)]
struct Stay {
    client: Option<usize>,
    /// Its client says things that nobody notes.
    is_loose: bool,
    /// The program has closed it.
    is_closing: bool,
    /// One of its requests is made twice, and may run into another.
    is_copied: bool,
    /// Who joins, or has joined.
    members: BTreeMap<NamespaceId, SocketId>,
    /// Namespaces that the server has left, and its client may not know about yet.
    expelled: BTreeSet<NamespaceId>,
}

/// What is known of the call that goes on.
#[derive(Debug, Default)]
struct Call {
    cause: Option<Cause>,
    /// Whose connection it is about.
    client: Option<usize>,
    is_noted: bool,
    /// Who was to join what.
    joining: BTreeSet<(SessionId, NamespaceId)>,
    /// Sockets whose DISCONNECT was handed in.
    parting: BTreeSet<SocketId>,
    /// Sessions whose client said that it goes.
    farewells: BTreeSet<SessionId>,
    /// Sessions whose client broke the rules.
    doomed: BTreeSet<SessionId>,
    /// Sockets that a handler disconnected, and sessions.
    kicked: BTreeSet<SocketId>,
    kicked_sessions: BTreeSet<SessionId>,
    /// Sockets that are told what their client sent behind such an end.
    dropped: Option<SocketId>,
    closed: Vec<SessionId>,
}

impl Lives {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            namespaces_max: limits.namespaces_per_session_max as usize,
            connects_max: limits.connects_pending_max as usize,
            ..Self::default()
        }
    }

    pub(crate) fn open(&mut self, cause: Cause, client: Option<usize>, is_noted: bool) {
        if self.call.cause.is_some() {
            self.call = Call::default();
        }
        self.call.cause = Some(cause);
        self.call.client = client;
        self.call.is_noted = is_noted;
    }

    /// Who carries a socket.
    pub(crate) fn session_of(&self, socket: SocketId) -> Option<SessionId> {
        self.sockets.get(&socket).map(|life| life.session)
    }

    /// Who joins, or has joined, a namespace with a session.
    fn member(&self, session: SessionId, namespace: NamespaceId) -> Option<SocketId> {
        self.sessions.get(&session)?.members.get(&namespace).copied()
    }

    /// The socket that what is handed in now is for, if it is connected.
    fn present(&self, session: SessionId, namespace: NamespaceId) -> Option<SocketId> {
        let member = self.member(session, namespace)?;
        let is_there = self.is_connected(member) && !self.call.parting.contains(&member);
        is_there.then_some(member)
    }

    /// Whether what is handed in now is ignored: its client has gone, or is to go.
    pub(crate) fn is_over(&self, session: SessionId) -> bool {
        let call = &self.call;
        call.farewells.contains(&session)
            || call.doomed.contains(&session)
            || self.sessions.get(&session).is_none_or(|stay| stay.is_closing)
    }

    fn is_connected(&self, socket: SocketId) -> bool {
        self.phase(socket) == Some(Phase::Connected)
    }

    fn phase(&self, socket: SocketId) -> Option<Phase> {
        self.sockets.get(&socket).map(|life| life.phase)
    }

    pub(crate) fn is_open(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session)
    }

    /// Whether what its client says is noted.
    pub(crate) fn is_noted(&self, socket: SocketId) -> bool {
        let session = self.session_of(socket).and_then(|session| self.sessions.get(&session));
        session.is_some_and(|stay| !stay.is_loose)
    }

    /// A client's DISCONNECT was handed in.
    pub(crate) fn parts(&mut self, session: SessionId, namespace: NamespaceId) {
        let member = self.meant(session, namespace);
        self.call.parting.extend(member);
    }

    /// The socket that what is handed in now is for. Where there is none, or one that is undecided,
    /// the client has broken the rules, unless it may not know yet that the server has left.
    pub(crate) fn meant(&mut self, session: SessionId, namespace: NamespaceId) -> Option<SocketId> {
        let present = self.present(session, namespace);
        let is_expelled =
            self.sessions.get(&session).is_some_and(|stay| stay.expelled.contains(&namespace));
        if present.is_none() && !is_expelled {
            self.call.doomed.insert(session);
        }
        present
    }

    /// A client's request is made twice.
    pub(crate) fn copied(&mut self, session: SessionId) {
        if let Some(stay) = self.sessions.get_mut(&session) {
            stay.is_copied = true;
        }
    }

    /// A client has closed its session.
    pub(crate) fn farewell(&mut self, session: SessionId) {
        self.call.farewells.insert(session);
    }

    /// A client broke the rules.
    pub(crate) fn dooms(&mut self, session: SessionId) {
        self.call.doomed.insert(session);
    }

    /// A client's CONNECT was handed in.
    pub(crate) fn connects(&mut self, session: SessionId, namespace: NamespaceId) {
        // A CONNECT is complete only when all of a read is decoded.
        let is_second = self.call.joining.contains(&(session, namespace));
        let is_member =
            self.member(session, namespace).is_some_and(|id| !self.call.parting.contains(&id));
        if is_second || is_member {
            self.call.doomed.insert(session);
            return;
        }
        if self.is_full(session) {
            return;
        }
        self.call.joining.insert((session, namespace));
        if let Some(stay) = self.sessions.get_mut(&session) {
            stay.expelled.remove(&namespace);
        }
    }

    /// Whether a CONNECT more is refused by a limit, of the session or of the server.
    fn is_full(&self, session: SessionId) -> bool {
        let joining = &self.call.joining;
        let stays = |id: &&SocketId| !self.call.parting.contains(id);
        let members = |stay: &Stay| stay.members.values().filter(stays).count();
        let members = self.sessions.get(&session).map_or(0, members);
        let own = joining.iter().filter(|(joins, _)| *joins == session).count();
        members + own >= self.namespaces_max
            || self.deciding.len() + joining.len() >= self.connects_max
    }

    pub(crate) fn told(&mut self, told: Told, verdicts: &mut Verdicts) {
        match told {
            Told::Opened(session) => {
                let client = self.call.client;
                let (members, expelled) = (BTreeMap::new(), BTreeSet::new());
                let is_loose = !self.call.is_noted;
                let stay = Stay {
                    client,
                    is_loose,
                    is_closing: false,
                    is_copied: false,
                    members,
                    expelled,
                };
                self.sessions.insert(session, stay);
            }
            Told::Closed(session, _) => self.call.closed.push(session),
            Told::Deciding(socket, session, namespace) => {
                self.came(socket, session, namespace, Phase::Deciding, verdicts);
            }
            Told::Connected(socket, session, namespace) => {
                self.connected(socket, session, namespace, verdicts);
            }
            Told::Abandoned(socket) | Told::Refused(socket) => self.refused(socket, verdicts),
            Told::Message(socket) => self.message(socket, verdicts),
            Told::Runs(socket) => {
                let is_dropped = self.call.dropped == Some(socket);
                verdicts.claim(Property::O3, !is_dropped, || {
                    format!("a handler runs for {socket}, which an earlier one disconnected")
                });
            }
            Told::Leaving(socket, reason) => self.leaving(socket, reason, verdicts),
            Told::Left(socket, reason) => self.left(socket, reason, verdicts),
            Told::Kicked(socket) => {
                self.call.kicked.insert(socket);
            }
            Told::KickedAll(socket) => self.kicked_all(socket),
            Told::ClosesSession(session) => {
                if let Some(stay) = self.sessions.get_mut(&session) {
                    stay.is_closing = true;
                }
            }
            Told::ShutsDown => self.is_shutting_down = true,
            Told::Sent { socket, status, .. } => self.sent(socket, status, verdicts),
            _ => {}
        }
    }

    /// The program refuses it, or nobody waits for the decision any longer.
    fn refused(&mut self, socket: SocketId, verdicts: &mut Verdicts) {
        let phase = self.phase(socket);
        verdicts.claim(Property::D10, matches!(phase, Some(Phase::Deciding)), || {
            format!("{socket} is given up when it is {phase:?}")
        });
        self.forget(socket, Phase::Refused);
    }

    fn came(
        &mut self,
        socket: SocketId,
        session: SessionId,
        namespace: NamespaceId,
        phase: Phase,
        verdicts: &mut Verdicts,
    ) {
        let is_new = self.sockets.insert(socket, Life { session, namespace, phase }).is_none();
        if phase == Phase::Deciding {
            self.deciding.insert(socket);
        }
        verdicts.claim(Property::D6, is_new, || format!("{socket} comes a second time"));
        let Some(stay) = self.sessions.get_mut(&session) else { return };
        let other = stay.members.insert(namespace, socket);
        verdicts.claim(Property::D4, other.is_none(), || {
            format!("{session:?} has {other:?} in {namespace:?}, and now {socket} too")
        });
    }

    fn connected(
        &mut self,
        socket: SocketId,
        session: SessionId,
        namespace: NamespaceId,
        verdicts: &mut Verdicts,
    ) {
        self.deciding.remove(&socket);
        match self.sockets.get_mut(&socket) {
            None => self.came(socket, session, namespace, Phase::Connected, verdicts),
            Some(life) => {
                let phase = std::mem::replace(&mut life.phase, Phase::Connected);
                let is_refused = phase == Phase::Refused;
                verdicts.claim(Property::D10, !is_refused, || {
                    format!("{socket} connects, and was refused")
                });
                verdicts.claim(Property::D1, phase == Phase::Deciding, || {
                    format!("{socket} connects when it is {phase:?}")
                });
            }
        }
        verdicts.claim(Property::D1, true, String::new);
    }

    fn message(&mut self, socket: SocketId, verdicts: &mut Verdicts) {
        let is_over = self.call.kicked.contains(&socket) || self.is_shutting_down;
        self.call.dropped = is_over.then_some(socket);
        let phase = self.phase(socket);
        verdicts.claim(Property::D1, phase == Some(Phase::Connected), || {
            format!("an event of {socket} is told when it is {phase:?}")
        });
    }

    fn leaving(&mut self, socket: SocketId, reason: DisconnectReason, verdicts: &mut Verdicts) {
        let phase = self.phase(socket);
        let property = if phase == Some(Phase::Refused) { Property::D10 } else { Property::D1 };
        verdicts.claim(property, phase == Some(Phase::Connected), || {
            format!("{socket} leaves when it is {phase:?}")
        });
        self.judge(socket, reason, verdicts);
        if let Some(life) = self.sockets.get_mut(&socket) {
            life.phase = Phase::Leaving;
            let (session, namespace) = (life.session, life.namespace);
            self.free(session, namespace, socket);
            let stay = self.sessions.get_mut(&session);
            if let (Some(stay), DisconnectReason::ServerNamespace) = (stay, reason) {
                stay.expelled.insert(namespace);
            }
        }
    }

    fn left(&mut self, socket: SocketId, reason: DisconnectReason, verdicts: &mut Verdicts) {
        let phase = self.phase(socket);
        // Where nobody is told first.
        if phase == Some(Phase::Connected) {
            self.leaving(socket, reason, verdicts);
        }
        let is_known = matches!(phase, Some(Phase::Connected | Phase::Leaving));
        verdicts.claim(Property::D1, is_known, || format!("{socket} has left when {phase:?}"));
        self.forget(socket, Phase::Gone);
    }

    fn forget(&mut self, socket: SocketId, phase: Phase) {
        self.deciding.remove(&socket);
        if let Some(life) = self.sockets.get_mut(&socket) {
            life.phase = phase;
            let (session, namespace) = (life.session, life.namespace);
            self.free(session, namespace, socket);
        }
    }

    /// One that is leaving is no longer it: its client may join anew.
    fn free(&mut self, session: SessionId, namespace: NamespaceId, socket: SocketId) {
        if let Some(stay) = self.sessions.get_mut(&session)
            && stay.members.get(&namespace) == Some(&socket)
        {
            stay.members.remove(&namespace);
        }
    }

    fn kicked_all(&mut self, socket: SocketId) {
        let Some(session) = self.session_of(socket) else { return };
        self.call.kicked.insert(socket);
        // With one that has just joined, of which the program is told later.
        self.call.kicked_sessions.insert(session);
        if let Some(stay) = self.sessions.get_mut(&session) {
            stay.is_closing = true;
            self.call.kicked.extend(stay.members.values());
        }
    }

    fn sent(&mut self, socket: SocketId, status: SendStatus, verdicts: &mut Verdicts) {
        if let Some(Phase::Gone | Phase::Refused) = self.phase(socket) {
            let is_gone = matches!(status, SendStatus::Gone | SendStatus::Invalid);
            verdicts.claim(Property::D9, is_gone, || {
                format!("{socket} has gone, and what is sent to it is {status:?}")
            });
        }
    }

    /// D2 and D8.
    fn judge(&self, socket: SocketId, reason: DisconnectReason, verdicts: &mut Verdicts) {
        let Some(life) = self.sockets.get(&socket) else { return };
        let Some(stay) = self.sessions.get(&life.session) else { return };
        let is_cause = self.is_cause(socket, life.session, stay, reason);
        let is_others = reason == DisconnectReason::ClientNamespace
            && self.call.parting.iter().any(|other| self.session_of(*other) == Some(life.session));
        if reason == DisconnectReason::ClientNamespace {
            verdicts.claim(Property::D8, is_cause || !is_others, || {
                format!("{socket} leaves because another of its session does")
            });
        }
        verdicts.claim(Property::D2, is_cause, || {
            let cause = self.call.cause;
            format!("{socket} ends by {reason:?}, for which {cause:?} gave no cause")
        });
    }

    fn is_cause(
        &self,
        socket: SocketId,
        session: SessionId,
        stay: &Stay,
        reason: DisconnectReason,
    ) -> bool {
        let call = &self.call;
        let is_own = stay.client.is_some() && stay.client == call.client;
        let why = match call.cause {
            Some(Cause::Timeout { why, .. }) => Some(why),
            _ => None,
        };
        let is_end = matches!(call.cause, Some(Cause::Eof(_) | Cause::Lost(_))) && is_own;
        // A connection whose time is over takes with it what hangs on it.
        let is_late = matches!(why, Some(Wake::Request | Wake::Idle | Wake::Linger));
        let is_odd = stay.is_loose && is_own;
        match reason {
            DisconnectReason::ClientNamespace => call.parting.contains(&socket) || is_odd,
            DisconnectReason::ServerNamespace => {
                call.kicked.contains(&socket) || call.kicked_sessions.contains(&session)
            }
            DisconnectReason::TransportClose => {
                is_end || is_late || is_odd || call.farewells.contains(&session)
            }
            DisconnectReason::TransportError(
                TransportFault::PostOverlap | TransportFault::PollOverlap,
            ) => is_odd || is_own && stay.is_copied,
            DisconnectReason::TransportError(_) => is_end || is_late || is_odd,
            DisconnectReason::PingTimeout => why == Some(Wake::PingTimeout),
            DisconnectReason::ForcedServerClose => {
                call.doomed.contains(&session) || why == Some(Wake::ConnectTimeout) || is_odd
            }
            DisconnectReason::ForcedClose => stay.is_closing || why == Some(Wake::PollingClose),
            DisconnectReason::ServerShuttingDown => self.is_shutting_down,
            // The bounds are the shadow's business: it was in a turn in which something was sent.
            DisconnectReason::Overflow => true,
            _ => is_odd,
        }
    }

    /// Sessions that close because their clients broke the rules in this call.
    pub(crate) fn doomed(&self) -> impl Iterator<Item = SessionId> {
        self.call.doomed.iter().copied()
    }

    /// A call is over.
    pub(crate) fn shut(&mut self, verdicts: &mut Verdicts) {
        for &socket in &self.call.kicked {
            let phase = self.phase(socket);
            let is_over = !matches!(phase, Some(Phase::Connected | Phase::Leaving));
            verdicts.claim(Property::A10, is_over, || {
                format!("a handler disconnected {socket}, and it is {phase:?} after the turn")
            });
        }
        for &session in &self.call.doomed {
            let stay = self.sessions.get(&session).filter(|stay| !stay.members.is_empty());
            verdicts.claim(Property::D4, stay.is_none(), || {
                format!("{session:?} joins twice where it is undecided, and goes on: {stay:?}")
            });
        }
        for session in std::mem::take(&mut self.call.closed) {
            let Some(stay) = self.sessions.remove(&session) else { continue };
            let left: Vec<_> = stay.members.into_values().collect();
            let is_deciding = left.iter().any(|id| self.phase(*id) == Some(Phase::Deciding));
            let property = if is_deciding { Property::D10 } else { Property::D1 };
            verdicts.claim(property, left.is_empty(), || format!("{left:?} outlive {session:?}"));
        }
    }

    /// After everything is closed.
    pub(crate) fn end(&self, verdicts: &mut Verdicts) {
        let open = self.sessions.keys().next();
        verdicts.claim(Property::D7, open.is_none(), || format!("{open:?} outlives the shutdown"));
        let is_live = |life: &Life| !matches!(life.phase, Phase::Gone | Phase::Refused);
        let live = self.sockets.iter().find(|(_, life)| is_live(life));
        verdicts.claim(Property::D7, live.is_none(), || format!("{live:?} after the shutdown"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fires, handles, socket};
    use super::*;
    use parlor::CloseReason;

    const GONE: DisconnectReason = DisconnectReason::TransportClose;
    const LEFT: DisconnectReason = DisconnectReason::ClientNamespace;

    struct World<'v> {
        lives: Lives,
        verdicts: &'v mut Verdicts,
        session: SessionId,
        spaces: Vec<NamespaceId>,
    }

    impl World<'_> {
        /// A call about a connection of the session's client.
        fn call(&mut self, cause: Cause, work: impl FnOnce(&mut Self)) {
            self.lives.open(cause, cause.conn(), true);
            work(self);
            self.lives.shut(self.verdicts);
        }

        fn told(&mut self, told: Told) {
            self.lives.told(told, self.verdicts);
        }

        fn ends(&mut self, n: u8, reason: DisconnectReason) {
            self.told(Told::Leaving(socket(n), reason));
            self.told(Told::Left(socket(n), reason));
        }

        fn connects(&mut self, n: u8, space: usize) {
            self.told(Told::Connected(socket(n), self.session, self.spaces[space]));
        }

        fn waits(&mut self, n: u8, space: usize) {
            self.told(Told::Deciding(socket(n), self.session, self.spaces[space]));
        }
    }

    /// That a session of client 0, and what follows, fires this property.
    #[track_caller]
    fn after(property: Option<Property>, trace: impl FnOnce(&mut World<'_>)) {
        let all = handles();
        fires(property, |verdicts| {
            let (lives, spaces) = (Lives::new(&Limits::default()), all.spaces);
            let mut world = World { lives, verdicts, session: all.sessions[0], spaces };
            world.call(Cause::Data(0), |world| world.told(Told::Opened(world.session)));
            trace(&mut world);
        });
    }

    #[test]
    fn d1_d7_a_socket_comes_and_goes_once() {
        let live = |world: &mut World<'_>| {
            world.call(Cause::Data(0), |world| world.connects(1, 0));
        };
        after(None, |world| {
            live(world);
            world.call(Cause::Lost(0), |world| {
                world.ends(1, GONE);
                world.told(Told::Closed(world.session, CloseReason::TransportClose));
            });
            world.lives.end(world.verdicts);
        });
        after(Some(Property::D7), |world| {
            live(world);
            world.lives.end(world.verdicts);
        });
        after(Some(Property::D1), |world| {
            live(world);
            world.call(Cause::Lost(0), |world| (0..2).for_each(|_| world.ends(1, GONE)));
        });
        after(Some(Property::D1), |world| {
            live(world);
            world.call(Cause::Lost(0), |world| world.ends(1, GONE));
            world.call(Cause::Data(0), |world| world.told(Told::Message(socket(1))));
        });
        after(Some(Property::D1), |world| {
            live(world);
            let closed = Told::Closed(world.session, CloseReason::TransportClose);
            world.call(Cause::Lost(0), |world| world.told(closed));
        });
    }

    #[test]
    fn d2_each_end_has_its_cause() {
        let end = |property, cause: Cause, reason| {
            after(property, |world| {
                world.call(Cause::Data(0), |world| world.connects(1, 0));
                world.call(cause, |world| world.ends(1, reason));
            });
        };
        let timeout = |why| Cause::Timeout { at: 1, why };
        end(None, Cause::Eof(0), GONE);
        end(Some(Property::D2), Cause::Eof(1), GONE);
        end(Some(Property::D2), Cause::Data(0), GONE);
        end(Some(Property::D2), Cause::Lost(0), DisconnectReason::PingTimeout);
        end(None, timeout(Wake::PingTimeout), DisconnectReason::PingTimeout);
        end(Some(Property::D2), timeout(Wake::Ask), DisconnectReason::PingTimeout);
        end(Some(Property::D2), Cause::Data(0), DisconnectReason::ServerNamespace);
        end(Some(Property::D2), Cause::Data(0), DisconnectReason::ForcedServerClose);
        end(Some(Property::D2), Cause::Data(0), DisconnectReason::ServerShuttingDown);
        end(Some(Property::D2), Cause::Data(0), DisconnectReason::ParseError);
    }

    #[test]
    fn d4_one_socket_in_a_namespace() {
        after(Some(Property::D4), |world| {
            world.call(Cause::Data(0), |world| world.connects(1, 0));
            world.call(Cause::Data(0), |world| world.connects(2, 0));
        });
        after(Some(Property::D4), |world| {
            world.call(Cause::Data(0), |world| world.waits(1, 0));
            world.call(Cause::Data(0), |world| {
                world.lives.connects(world.session, world.spaces[0]);
            });
        });
        let at_once = |world: &mut World| {
            world.lives.connects(world.session, world.spaces[0]);
            world.lives.connects(world.session, world.spaces[0]);
        };
        after(Some(Property::D4), |world| {
            world.call(Cause::Data(0), |world| {
                at_once(world);
                world.told(Told::Deciding(socket(1), world.session, world.spaces[0]));
            });
        });
        after(None, |world| world.call(Cause::Data(0), at_once));
        after(None, |world| {
            world.call(Cause::Data(0), |world| world.waits(1, 0));
            world.call(Cause::Data(0), |world| {
                world.lives.connects(world.session, world.spaces[0]);
                world.told(Told::Abandoned(socket(1)));
            });
        });
        after(None, |world| {
            world.call(Cause::Data(0), |world| world.connects(1, 0));
            world.call(Cause::Data(0), |world| {
                world.lives.parts(world.session, world.spaces[0]);
                world.lives.connects(world.session, world.spaces[0]);
                world.ends(1, LEFT);
                world.connects(2, 0);
            });
        });
    }

    #[test]
    fn d8_others_stay() {
        let part = |property, others: &'static [u8]| {
            after(property, |world| {
                world.call(Cause::Data(0), |world| {
                    world.connects(1, 0);
                    world.connects(2, 1);
                });
                world.call(Cause::Data(0), |world| {
                    world.lives.parts(world.session, world.spaces[0]);
                    others.iter().for_each(|&n| world.ends(n, LEFT));
                });
            });
        };
        part(None, &[1]);
        part(Some(Property::D8), &[1, 2]);
    }

    #[test]
    fn d9_nothing_is_sent_to_whom_has_gone() {
        let send = |property, status| {
            after(property, |world| {
                world.call(Cause::Data(0), |world| world.connects(1, 0));
                world.call(Cause::Lost(0), |world| world.ends(1, GONE));
                let sent = Told::Sent { socket: socket(1), status, volatile: false };
                world.call(Cause::Data(0), |world| world.told(sent));
            });
        };
        send(None, SendStatus::Gone);
        send(Some(Property::D9), SendStatus::Sent);
    }

    #[test]
    fn d10_whoever_is_refused_was_never_there() {
        let refuse = |property, then: fn(&mut World<'_>)| {
            after(property, |world| {
                world.call(Cause::Data(0), |world| world.waits(1, 0));
                world.call(Cause::Outside, |world| world.told(Told::Refused(socket(1))));
                world.call(Cause::Outside, then);
            });
        };
        refuse(None, |world| world.waits(2, 0));
        refuse(Some(Property::D10), |world| world.connects(1, 0));
        refuse(Some(Property::D10), |world| world.ends(1, GONE));
        after(Some(Property::D10), |world| {
            world.call(Cause::Data(0), |world| world.waits(1, 0));
            let closed = Told::Closed(world.session, CloseReason::TransportClose);
            world.call(Cause::Lost(0), |world| world.told(closed));
        });
    }

    #[test]
    fn a10_o3_whom_a_handler_disconnects() {
        let kick = |property, then: fn(&mut World<'_>)| {
            after(property, |world| {
                world.call(Cause::Data(0), |world| world.connects(1, 0));
                world.call(Cause::Data(0), |world| {
                    world.told(Told::Message(socket(1)));
                    world.told(Told::Runs(socket(1)));
                    world.told(Told::Kicked(socket(1)));
                    then(world);
                });
            });
        };
        kick(None, |world| {
            world.told(Told::Message(socket(1)));
            world.ends(1, DisconnectReason::ServerNamespace);
        });
        kick(Some(Property::A10), |_| {});
        kick(Some(Property::O3), |world| {
            world.told(Told::Message(socket(1)));
            world.told(Told::Runs(socket(1)));
        });
    }
}
