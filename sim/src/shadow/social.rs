//! Namespaces and sockets: what the messages of clients mean, and who comes and goes.

use std::collections::VecDeque;

use parlor::NamespaceId;

use super::deadline::Due;
use super::engine::{End, Peer};
use super::parcel::Parcel;
use super::record::{Record, Said};
use super::rooms::State;
use super::{Call, CoreSession, CoreSocket, Names, Shadow};
use crate::client::packet::Packet;
use crate::oracle::Property;

/// A CONNECT that was read; it is completed when all that came with it is read.
#[derive(Debug)]
pub(crate) enum Join {
    Socket(usize),
    Refused { session: u64, namespace: String, message: &'static str },
}

/// Who came in a call, as the program was told.
#[derive(Debug)]
pub(crate) struct Entrant {
    socket: CoreSocket,
    session: CoreSession,
    namespace: NamespaceId,
    is_decided_on: bool,
}

/// What clients' messages do.
impl Shadow {
    /// A message of Engine.IO: a packet of Socket.IO, or an attachment of one.
    pub(super) fn message(&mut self, session: u64, packet: Packet, names: &dyn Names) {
        let peer = &mut self.peers[session as usize];
        if peer.is_closing {
            return;
        }
        let message = match (packet, peer.partial.take()) {
            (Packet::Text(_, text), None) => match Head::of(&text) {
                Some(head) if head.attachments > 0 => {
                    peer.partial = Some(head);
                    return;
                }
                Some(head) => head,
                None => return self.violated(session),
            },
            (Packet::Binary(_), Some(head)) => {
                if head.attachments > 1 {
                    let attachments = head.attachments - 1;
                    peer.partial = Some(Head { attachments, ..head });
                    return;
                }
                head
            }
            _ => return self.violated(session),
        };
        if message.kind == 0 {
            return self.knocked(session, &message.namespace, names);
        }
        let namespace = names.find(&message.namespace);
        let namespace =
            namespace.map(|id| self.sockets.namespace(id, || message.namespace.clone()));
        let socket = namespace.and_then(|namespace| self.member(session, namespace));
        match socket {
            Some(socket) if self.sockets.all[socket].state == State::Connected => {
                self.delivered(socket, &message);
            }
            _ if namespace.is_some_and(|space| self.has_left(session, space)) => {}
            _ => self.violated(session),
        }
    }

    fn has_left(&self, session: u64, namespace: usize) -> bool {
        self.peers[session as usize].left.contains(&namespace)
    }

    fn delivered(&mut self, socket: usize, message: &Head) {
        match (message.kind, message.id) {
            (1, _) => {
                self.exit(socket);
            }
            (3 | 6, Some(id)) => {
                let entry = &mut self.sockets.all[socket];
                if let Some(ask) = entry.numbers.remove(&id) {
                    entry.asks.retain(|&open| Some(open) != ask);
                }
            }
            _ => {}
        }
    }

    /// The socket of a session in a namespace.
    fn member(&self, session: u64, namespace: usize) -> Option<usize> {
        let is_it = |&socket: &usize| {
            let socket = &self.sockets.all[socket];
            let is_in = matches!(socket.state, State::Reading | State::Deciding | State::Connected);
            socket.namespace == namespace && is_in
        };
        self.peers[session as usize].sockets.iter().copied().find(is_it)
    }

    fn knocked(&mut self, session: u64, name: &str, names: &dyn Names) {
        let Some(id) = names.find(name) else {
            let (namespace, message) = (name.into(), "Invalid namespace");
            return self.reading.push(Join::Refused { session, namespace, message });
        };
        let namespace = self.sockets.namespace(id, || name.into());
        if self.member(session, namespace).is_some() {
            return self.violated(session);
        }
        if self.is_full(session) {
            let (namespace, message) = (name.into(), "limit reached");
            return self.reading.push(Join::Refused { session, namespace, message });
        }
        let peer = &mut self.peers[session as usize];
        peer.left.retain(|&left| left != namespace);
        let socket = self.sockets.add(Some(session), namespace);
        peer.sockets.push(socket);
        self.connecting.push(socket);
        self.reading.push(Join::Socket(socket));
    }

    /// Whether a CONNECT is one too many, for its session or for the server.
    fn is_full(&mut self, session: u64) -> bool {
        let all = &self.sockets.all;
        self.connecting
            .retain(|&socket| matches!(all[socket].state, State::Reading | State::Deciding));
        let sockets = self.peers[session as usize].sockets.len();
        sockets >= self.terms.namespaces_max || self.connecting.len() >= self.terms.connecting_max
    }

    /// The client broke the protocol.
    fn violated(&mut self, session: u64) {
        self.end_client(session);
    }

    pub(super) fn end_client(&mut self, session: u64) {
        self.peers[session as usize].is_closing = true;
        self.leave_all(session);
        self.close(session, false);
    }
}

/// Who comes.
impl Shadow {
    /// Finds out who came, before what happened to them is read.
    pub(super) fn collect_entrants(&mut self, records: &[Record]) {
        self.entrants.clear();
        for record in records {
            let (socket, session, namespace, is_decided_on) = match *record {
                Record::Knocks { socket, session, namespace } => (socket, session, namespace, true),
                Record::Joined { socket, session, namespace } => {
                    let is_known = self.sockets.find(socket).is_some()
                        || self.entrants.iter().any(|other| other.socket == socket);
                    if is_known {
                        continue;
                    }
                    (socket, session, namespace, false)
                }
                _ => continue,
            };
            self.entrants.push_back(Entrant { socket, session, namespace, is_decided_on });
        }
    }

    /// Everything that came with the CONNECTs is read.
    pub(super) fn complete_connects(&mut self, names: &dyn Names) {
        for join in std::mem::take(&mut self.reading) {
            match join {
                Join::Refused { session, namespace, message } => {
                    self.state(session, Parcel::refusal(&namespace, message, None));
                }
                Join::Socket(socket) => {
                    if self.sockets.all[socket].state == State::Reading {
                        self.complete_connect(socket, names);
                    }
                }
            }
        }
    }

    fn complete_connect(&mut self, socket: usize, names: &dyn Names) {
        let (session, space) = {
            let entry = &self.sockets.all[socket];
            (entry.session, entry.namespace)
        };
        let Some(session) = session else { return };
        let is_its = |sockets: &super::Sockets, entrant: &Entrant| {
            names.name(entrant.namespace) == sockets.name(space)
        };
        let Some(entrant) = self.entrants.pop_front_if(|entrant| is_its(&self.sockets, entrant))
        else {
            // Nobody was told: it must have been refused by a limit.
            let name = self.sockets.name(space).to_string();
            self.sockets.forget(socket);
            self.peers[session as usize].sockets.retain(|&other| other != socket);
            return self.state(session, Parcel::refusal(&name, "limit reached", None));
        };
        let known_as = self.peers[session as usize].known_as.get_or_insert(entrant.session);
        if *known_as != entrant.session {
            let what = format!("{} joins by another session than its client's", entrant.socket);
            self.checks.missed(Property::S0, what);
        }
        self.sockets.named(socket, entrant.socket);
        if entrant.is_decided_on {
            let at = self.now + self.terms.decision_timeout;
            let key = self.deadlines.arm(at, Due::Decision(socket));
            let entry = &mut self.sockets.all[socket];
            entry.state = State::Deciding;
            entry.decision = Some(key);
        } else {
            self.enter(socket);
        }
    }

    /// It is in: the CONNECT goes before whatever the program sends.
    pub(super) fn enter(&mut self, socket: usize) {
        self.sockets.enter(socket);
        let entry = &self.sockets.all[socket];
        let Some(session) = entry.session else { return };
        let connect = Parcel::connect(self.sockets.name(entry.namespace), socket);
        self.state(session, connect);
        self.connected(session);
    }

    /// Sockets of clients whose bytes nobody explains come and go as the program is told.
    pub(super) fn adopt_strangers(&mut self, call: &Call<'_>, names: &dyn Names) {
        let conn = call.cause.conn();
        let is_stranger = conn.is_some_and(|conn| !self.pipes[conn].is_explained);
        for entrant in std::mem::take::<VecDeque<_>>(&mut self.entrants) {
            if !is_stranger {
                let what = format!("{} joins, and no client asked for it", entrant.socket);
                self.checks.missed(Property::S0, what);
            }
            let namespace =
                self.sockets.namespace(entrant.namespace, || names.name(entrant.namespace));
            let socket = self.sockets.add(None, namespace);
            self.sockets.named(socket, entrant.socket);
            if entrant.is_decided_on {
                self.sockets.all[socket].state = State::Deciding;
                self.connecting.push(socket);
            } else {
                self.sockets.enter(socket);
            }
        }
        if !self.has_strangers && !is_stranger {
            return;
        }
        self.has_strangers = true;
        for record in call.records {
            let (Record::Ending(id) | Record::Ended(id) | Record::Abandoned(id)) = record else {
                continue;
            };
            let Some(socket) = self.sockets.find(*id) else { continue };
            if self.sockets.all[socket].session.is_none() {
                self.checks.is_unclear = true;
                if self.sockets.all[socket].state == State::Connected {
                    self.sockets.exit(socket);
                }
            }
        }
    }
}

/// Who goes.
impl Shadow {
    /// It is a member no longer.
    pub(super) fn exit(&mut self, socket: usize) {
        self.sockets.exit(socket);
        let entry = &self.sockets.all[socket];
        if let Some(session) = entry.session {
            self.peers[session as usize].sockets.retain(|&other| other != socket);
            self.checks.ended.push(socket);
        }
    }

    pub(super) fn leave_all(&mut self, session: u64) {
        for socket in self.peers[session as usize].sockets.clone() {
            match self.sockets.all[socket].state {
                State::Reading | State::Deciding => self.turned_away(socket),
                State::Connected => self.exit(socket),
                State::Ended | State::Gone => {}
            }
        }
    }

    /// A connecting socket is no more.
    fn turned_away(&mut self, socket: usize) {
        let entry = &mut self.sockets.all[socket];
        self.deadlines.cancel(&mut entry.decision);
        if let Some(session) = entry.session {
            self.peers[session as usize].sockets.retain(|&other| other != socket);
        }
        self.sockets.forget(socket);
    }

    fn refuse(&mut self, socket: usize, message: &str, data: Option<&str>) {
        let entry = &self.sockets.all[socket];
        let (session, name) = (entry.session, self.sockets.name(entry.namespace).to_string());
        self.turned_away(socket);
        if let Some(session) = session {
            self.state(session, Parcel::refusal(&name, message, data));
        }
    }

    pub(super) fn decision_expired(&mut self, socket: usize) {
        self.sockets.all[socket].decision = None;
        self.refuse(socket, "timed out", None);
    }

    /// The record says something about who is there, or a command of that kind was given.
    pub(super) fn moved(&mut self, said: &Said) {
        match said {
            Said::Admit { socket } => {
                let Some(socket) = self.sockets.find(*socket) else { return };
                let entry = &mut self.sockets.all[socket];
                if entry.state == State::Deciding {
                    self.deadlines.cancel(&mut entry.decision);
                    self.enter(socket);
                }
            }
            Said::Refuse { socket, message, data } => {
                let Some(socket) = self.sockets.find(*socket) else { return };
                if self.sockets.all[socket].state == State::Deciding {
                    self.refuse(socket, message, data.as_deref());
                }
            }
            Said::Disconnect { socket } => {
                if let Some(socket) = self.sockets.find(*socket) {
                    self.kick(socket);
                }
            }
            Said::DisconnectSession { socket } => {
                let Some(socket) = self.sockets.find(*socket) else { return };
                let Some(session) = self.sockets.all[socket].session else { return };
                for socket in self.peers[session as usize].sockets.clone() {
                    self.kick(socket);
                }
                self.end_client(session);
            }
            // Its sockets stay until its client has fetched what is left.
            Said::CloseSession { session } => {
                let is_it = |peer: &Peer| peer.known_as == Some(*session) && peer.is_judged;
                if let Some(session) = self.peers.iter().position(is_it) {
                    self.close(session as u64, false);
                }
            }
            Said::Shutdown => self.shut_down(),
            _ => {}
        }
    }

    /// The server makes a socket leave.
    fn kick(&mut self, socket: usize) {
        let entry = &self.sockets.all[socket];
        if entry.state != State::Connected {
            return;
        }
        if let Some(session) = entry.session {
            let namespace = entry.namespace;
            self.state(session, Parcel::disconnect(self.sockets.name(namespace)));
            let left = &mut self.peers[session as usize].left;
            if !left.contains(&namespace) {
                left.push(namespace);
            }
        }
        if self.sockets.all[socket].state == State::Connected {
            self.exit(socket);
        }
    }

    /// A packet that keeps client and server of one mind: it is never dropped, and may pass the
    /// bound by so much.
    fn state(&mut self, session: u64, packet: Parcel) {
        const ALLOWANCE: u64 = 64 * 1024;
        if !self.peers[session as usize].is_open() {
            return;
        }
        let size = self.waiting(session) + self.size(session, &packet);
        match size.is_over(self.terms.egress_max + ALLOWANCE) {
            Some(false) => self.reliable(session, packet),
            Some(true) => self.end(session, End::Overflow),
            None => self.give_up(session),
        }
    }
}

/// What stands in front of the JSON of a packet. A client that is explained writes good JSON.
#[derive(Debug)]
pub(crate) struct Head {
    kind: u8,
    attachments: usize,
    namespace: String,
    id: Option<u64>,
}

impl Head {
    fn of(text: &str) -> Option<Self> {
        let kind = text.bytes().next()?.checked_sub(b'0').filter(|&kind| kind <= 6)?;
        let (mut rest, mut attachments) = (&text[1..], 0);
        if matches!(kind, 5 | 6) {
            let (count, after) = rest.split_once('-')?;
            (rest, attachments) = (after, count.parse().ok()?);
        }
        let mut namespace = "/";
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let id = rest[..digits].parse().ok();
        Some(Self { kind, attachments, namespace: namespace.into(), id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_without_their_json() {
        let head = |text: &str| {
            let head = Head::of(text)?;
            Some((head.kind, head.attachments, head.namespace, head.id))
        };
        assert_eq!(head("0"), Some((0, 0, "/".into(), None)));
        assert_eq!(head(r#"0/a,{"x":1}"#), Some((0, 0, "/a".into(), None)));
        assert_eq!(head(r#"27["e"]"#), Some((2, 0, "/".into(), Some(7))));
        assert_eq!(head(r#"52-/a,["e"]"#), Some((5, 2, "/a".into(), None)));
        assert_eq!(head("7"), None);
        assert_eq!(head("5[]"), None);
    }
}
