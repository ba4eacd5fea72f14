//! Sessions and what carries them: what clients' units, the ends of connections and deadlines do.

use std::collections::VecDeque;

use super::behind::Behind;
use super::charge::Charge;
use super::deadline::{Due, Key};
use super::parcel::{Parcel, Size};
use super::step::{Body, Want};
use super::{Cause, Names, Shadow};
use crate::client::packet::Packet;
use crate::client::unit::Unit;
use crate::oracle::Property;

/// One session, by the world's number.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    pub(crate) state: PeerState,
    /// Whether all that its client does is explained.
    pub(crate) is_judged: bool,
    pub(crate) on: Carrier,
    pub(super) candidate: Option<Candidate>,
    /// It is on a WebSocket that was a candidate.
    pub(crate) was_upgraded: bool,
    pub(crate) parked: Option<usize>,
    /// The connection of a POST whose body is coming.
    post: Option<usize>,
    /// Where its latest poll answer went, until its next GET.
    pub(super) answered_on: Option<usize>,
    /// What waits for a poll, and how much it is.
    pub(crate) owed: Vec<Parcel>,
    pub(crate) owed_bytes: Size,
    pub(super) charges: Vec<Charge>,
    /// Its index in the server, which its id tells.
    pub(crate) index: Option<u32>,
    pub(super) heartbeat: Option<Key>,
    pub(super) pong: Pong,
    pub(super) connect: Option<Key>,
    closing: Option<Key>,
    /// Its sockets that are not gone.
    pub(crate) sockets: Vec<usize>,
    /// Namespaces that the server left and the client may not know about.
    pub(crate) left: Vec<usize>,
    /// Whatever its client still sends is ignored.
    pub(crate) is_closing: bool,
    /// A message of its client, and how many attachments are missing.
    pub(crate) partial: Option<super::social::Head>,
    pub(crate) known_as: Option<super::CoreSession>,
    /// Reliable packets since `2probe`.
    pub(crate) since_probe: u64,
    pub(super) behind: Behind,
    /// When anything was last under way from it or to it.
    pub(crate) active_at: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PeerState {
    #[default]
    Unborn,
    Open,
    /// Its client has yet to fetch what is left.
    Closing,
    Gone,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Carrier {
    #[default]
    Polling,
    WebSocket(usize),
}

#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) conn: usize,
    timeout: Option<Key>,
    /// From `2probe` on.
    pub(super) release: Option<Key>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pong {
    #[default]
    Here,
    Awaited,
    Excused,
}

/// One connection.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    /// Whether its peer says what its bytes mean.
    pub(crate) is_explained: bool,
    /// Whose it is.
    pub(crate) session: Option<u64>,
    is_websocket: bool,
    /// Nothing it still brings is read.
    pub(crate) is_closing: bool,
    /// The node holds back what it still brings.
    pub(crate) is_paused: bool,
    /// The node has released it.
    pub(crate) is_closed: bool,
    /// Bytes that were ever appended, and those that the kernel took.
    pub(crate) appended: u64,
    pub(super) out: u64,
    /// What the shadow expects to be appended in this call.
    pub(crate) extra: Size,
    pub(crate) refused: bool,
    /// The turn of its last Engine.IO packet.
    pub(crate) busy: u64,
    pub(crate) want: Vec<Want>,
    /// V4: where unsent volatile packets end, how long each is, and all of them.
    volatile: VecDeque<(u64, u64)>,
    volatile_unsent: u64,
}

impl Pipe {
    /// Bytes that it holds.
    pub(crate) fn unsent(&self) -> Size {
        Size::exactly(self.left() as usize) + self.extra
    }

    /// Bytes that the kernel does not have.
    pub(super) fn left(&self) -> u64 {
        self.appended.saturating_sub(self.out)
    }

    pub(crate) fn sent(&mut self, bytes: u64, is_refused: bool) {
        self.out += bytes;
        self.refused = (self.refused || is_refused) && self.appended > self.out;
        while let Some((_, bytes)) = self.volatile.pop_front_if(|(end, _)| *end <= self.out) {
            self.volatile_unsent -= bytes;
        }
    }

    /// A volatile packet was appended; how many bytes of such are unsent, and of the largest.
    pub(crate) fn volatile_sent(&mut self, end: u64, bytes: u64) -> (u64, u64) {
        self.volatile.push_back((end, bytes));
        self.volatile_unsent += bytes;
        // The first may be out in part.
        let is_out = |&(end, bytes): &(u64, u64)| (self.out + bytes).saturating_sub(end);
        let out = self.volatile.front().map(is_out);
        let largest = self.volatile.iter().map(|&(_, bytes)| bytes).max();
        (self.volatile_unsent - out.unwrap_or_default(), largest.unwrap_or_default())
    }

    /// The node has released it.
    pub(crate) fn closed(&mut self) {
        self.is_closing = true;
        self.is_closed = true;
        self.want.clear();
        self.extra = Size::default();
        self.out = self.appended;
    }
}

impl Peer {
    fn is_given_up(&self) -> bool {
        self.state != PeerState::Unborn && !self.is_judged
    }

    /// Whether it carries messages.
    pub(crate) fn is_open(&self) -> bool {
        self.state == PeerState::Open
    }

    pub(crate) fn is_upgrading(&self) -> bool {
        self.candidate.as_ref().is_some_and(|candidate| candidate.release.is_some())
    }

    pub(crate) fn has_candidate(&self) -> bool {
        self.candidate.is_some()
    }
}

/// How often a GET that arrived after the probe is released.
pub(super) const RELEASE_EVERY: u64 = 100_000;

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its client closed it, or its WebSocket went.
    TransportClose,
    Overflow,
    Other,
}

/// What connections bring.
impl Shadow {
    pub(super) fn accepted(&mut self, conn: usize, is_explained: bool) {
        if self.pipes.len() <= conn {
            self.pipes.resize_with(conn + 1, Pipe::default);
        }
        self.pipes[conn].is_explained = is_explained;
    }

    pub(super) fn heard(&mut self, conn: usize, unit: &Unit, names: &dyn Names) {
        self.active(conn);
        if self.pipes[conn].is_closing {
            return;
        }
        if let Some(session) = unit.session().filter(|&session| self.is_given_up(session)) {
            self.pipes[conn].session = Some(session);
            self.pipes[conn].is_explained = false;
            return;
        }
        // It is held back until others are answered: when it is heard is the node's business.
        if let Some(session) = self.pipes[conn].session.filter(|_| self.pipes[conn].is_paused) {
            return self.give_up(session);
        }
        match *unit {
            Unit::Handshake { session, is_websocket } => self.open(conn, session, is_websocket),
            Unit::Get { session } => self.get(conn, session),
            Unit::PostHead { session } => self.post_head(conn, session),
            Unit::Post { session, ref packets } => self.post(conn, session, packets, names),
            Unit::Excess { session } => self.excess(conn, session),
            Unit::Upgrade { session } => self.candidate(conn, session),
            Unit::Frame(ref packet) => self.frame(conn, packet, names),
            Unit::WsPing(ref payload) => self.pinged(conn, payload),
            Unit::WsClose => {
                self.close_frame(conn);
                self.websocket_gone(conn);
            }
        }
    }

    /// Something is under way on a connection.
    pub(super) fn active(&mut self, conn: usize) {
        if let Some(session) = self.pipes[conn].session {
            self.peers[session as usize].active_at = self.now;
        }
    }

    fn open(&mut self, conn: usize, session: u64, is_websocket: bool) {
        let place = session as usize;
        if self.peers.len() <= place {
            self.peers.resize_with(place + 1, Peer::default);
        }
        let is_there = |peer: &&Peer| matches!(peer.state, PeerState::Open | PeerState::Closing);
        let count = self.peers.iter().filter(is_there).count();
        if count >= self.terms.sessions_max || self.checks.is_full {
            self.wrote(conn, Want::Answer(503, Body::Any));
            self.pipes[conn].is_closing = true;
            return;
        }
        let connect =
            self.deadlines.arm(self.now + self.terms.connect_timeout, Due::ConnectTimeout(session));
        let on = if is_websocket { Carrier::WebSocket(conn) } else { Carrier::Polling };
        self.peers[place] = Peer {
            state: PeerState::Open,
            is_judged: true,
            on,
            connect: Some(connect),
            ..Peer::default()
        };
        self.pipes[conn].session = Some(session);
        self.pipes[conn].is_websocket = is_websocket;
        let open = Parcel::open(session);
        if is_websocket {
            self.wrote(conn, Want::Switch);
            self.wrote(conn, Want::Packet(open));
        } else {
            self.wrote(conn, Want::Answer(200, Body::Packets(vec![open])));
        }
    }

    /// Its id says which index it has: its heart begins to beat.
    pub(super) fn named(&mut self, session: u64, index: u32) {
        self.peers[session as usize].index = Some(index);
        self.start_interval(session);
    }

    fn peer(&mut self, session: u64) -> Option<&mut Peer> {
        let peer = self.peers.get_mut(session as usize)?;
        matches!(peer.state, PeerState::Open | PeerState::Closing).then_some(peer)
    }

    fn get(&mut self, conn: usize, session: u64) {
        self.pipes[conn].session = Some(session);
        let Some(peer) = self.peer(session).filter(|peer| peer.on == Carrier::Polling) else {
            return self.wrote(conn, Want::Answer(400, Body::Any));
        };
        peer.answered_on = None;
        if peer.parked.is_some() {
            self.checks.tested(Property::P2);
            self.wrote(conn, Want::Answer(400, Body::Any));
            return self.end(session, End::Other);
        }
        peer.parked = Some(conn);
        if !peer.owed.is_empty() {
            let owed = std::mem::take(&mut peer.owed);
            peer.owed_bytes = Size::default();
            self.checks.tested(Property::V4);
            return self.answer_poll(session, owed);
        }
        if peer.state == PeerState::Closing {
            peer.parked = None;
            let last = vec![Parcel::noop(), Parcel::close()];
            self.wrote(conn, Want::Answer(200, Body::Packets(last)));
            self.end(session, End::Other);
        }
    }

    /// The parked GET gets packets.
    pub(super) fn answer_poll(&mut self, session: u64, packets: Vec<Parcel>) {
        let Some(peer) = self.peer(session) else { return };
        let Some(conn) = peer.parked.take() else { return };
        peer.answered_on = Some(conn);
        let bytes = packets.iter().map(Parcel::records_bytes).fold(Size::default(), |a, b| a + b);
        peer.charges.push(Charge { conn, until: None, bytes });
        self.checks.charged.push(session);
        self.wrote(conn, Want::Answer(200, Body::Packets(packets)));
    }

    fn post_head(&mut self, conn: usize, session: u64) {
        self.pipes[conn].session = Some(session);
        let Some(peer) = self.peer(session).filter(|peer| peer.on == Carrier::Polling) else {
            return self.wrote(conn, Want::Answer(400, Body::Any));
        };
        if let Some(first) = peer.post.take() {
            self.checks.tested(Property::P2);
            self.pipes[first].is_closing = true;
            self.wrote(conn, Want::Answer(400, Body::Any));
            return self.end(session, End::Other);
        }
        peer.post = Some(conn);
    }

    fn post(&mut self, conn: usize, session: u64, packets: &[Packet], names: &dyn Names) {
        let Some(peer) = self.peer(session).filter(|peer| peer.post == Some(conn)) else { return };
        peer.post = None;
        let mut messages = Vec::new();
        for packet in packets {
            if !self.peers[session as usize].is_open() {
                break;
            }
            match packet {
                Packet::Text('1', _) => self.end_transport(session, End::TransportClose),
                packet => messages.extend(self.packet(session, packet)),
            }
        }
        self.wrote(conn, Want::Answer(200, Body::Ok));
        for message in messages {
            self.message(session, message, names);
        }
        if self.peers[session as usize].state == PeerState::Gone {
            self.leave_all(session);
        }
    }

    /// The rest of it is read for nobody, and its session goes on.
    fn excess(&mut self, conn: usize, session: u64) {
        let is_it = |post: &mut usize| *post == conn;
        if self.peer(session).and_then(|peer| peer.post.take_if(is_it)).is_some() {
            self.wrote(conn, Want::Answer(413, Body::Any));
        }
    }

    fn candidate(&mut self, conn: usize, session: u64) {
        self.pipes[conn].session = Some(session);
        let now = self.now;
        if self.peer(session).is_none() {
            // The connection ends with this answer.
            self.wrote(conn, Want::Answer(400, Body::Any));
            self.pipes[conn].is_closing = true;
            return;
        }
        self.pipes[conn].is_websocket = true;
        self.wrote(conn, Want::Switch);
        let peer = &self.peers[session as usize];
        if peer.on != Carrier::Polling || peer.candidate.is_some() {
            self.checks.tested(Property::U4);
            return self.close_frame(conn);
        }
        let timeout =
            self.deadlines.arm(now + self.terms.upgrade_timeout, Due::UpgradeTimeout(session));
        let candidate = Candidate { conn, timeout: Some(timeout), release: None };
        self.peers[session as usize].candidate = Some(candidate);
    }

    /// What the connection is to its session.
    fn role(&self, conn: usize) -> Role {
        let Some(session) = self.pipes[conn].session else { return Role::Nothing };
        let peer = &self.peers[session as usize];
        match &peer.candidate {
            Some(candidate) if candidate.conn == conn => Role::Candidate(session),
            _ if peer.on == Carrier::WebSocket(conn) && peer.state != PeerState::Gone => {
                Role::Transport(session)
            }
            _ => Role::Nothing,
        }
    }

    fn frame(&mut self, conn: usize, packet: &Packet, names: &dyn Names) {
        match (self.role(conn), packet) {
            (Role::Candidate(session), Packet::Text('2', data)) if data == "probe" => {
                self.probed(session);
            }
            (Role::Candidate(session), Packet::Text('5', _)) => self.upgrade(session),
            (Role::Candidate(session), _) => {
                self.checks.tested(Property::U4);
                self.abandon(session);
            }
            (Role::Transport(session), Packet::Text('1', _)) => {
                self.end(session, End::TransportClose);
            }
            (Role::Transport(session), packet) => {
                if let Some(message) = self.packet(session, packet) {
                    self.message(session, message, names);
                }
            }
            (Role::Nothing, _) => {}
        }
    }

    fn probed(&mut self, session: u64) {
        let peer = &mut self.peers[session as usize];
        let Some(candidate) = &mut peer.candidate else { return };
        let conn = candidate.conn;
        if candidate.release.is_none() {
            let at = self.now + RELEASE_EVERY;
            candidate.release = Some(self.deadlines.arm(at, Due::Release(session)));
            peer.since_probe = 0;
        }
        if self.pipes[conn].unsent().low <= self.terms.egress_high {
            self.checks.tested(Property::U1);
            self.wrote(conn, Want::Packet(Parcel::probe()));
        }
        self.release(session);
    }

    /// A parked GET is let go, so that its client can pause.
    pub(super) fn release(&mut self, session: u64) {
        let Some(conn) = self.peers[session as usize].parked.take() else { return };
        self.checks.tested(Property::U2);
        if self.peers[session as usize].since_probe > 0 {
            self.checks.tested(Property::U7);
        }
        self.wrote(conn, Want::Answer(200, Body::Packets(vec![Parcel::noop()])));
    }

    /// `5`
    fn upgrade(&mut self, session: u64) {
        let peer = &mut self.peers[session as usize];
        let Some(mut candidate) = peer.candidate.take() else { return };
        self.deadlines.cancel(&mut candidate.timeout);
        self.deadlines.cancel(&mut candidate.release);
        peer.on = Carrier::WebSocket(candidate.conn);
        peer.was_upgraded = true;
        peer.answered_on = None;
        let (parked, post) = (peer.parked.take(), peer.post.take());
        let owed = std::mem::take(&mut peer.owed);
        peer.owed_bytes = Size::default();
        let is_closing = peer.state == PeerState::Closing;
        self.checks.tested(Property::U1);
        if let Some(parked) = parked {
            self.wrote(parked, Want::Answer(200, Body::Packets(vec![Parcel::close()])));
        }
        if let Some(post) = post {
            self.pipes[post].is_closing = true;
        }
        if !owed.is_empty() {
            self.checks.tested(Property::O2);
        }
        for packet in owed {
            self.wrote(candidate.conn, Want::Packet(packet));
        }
        if is_closing {
            self.end(session, End::Other);
        }
    }

    /// The candidate is closed; polling goes on.
    pub(super) fn abandon(&mut self, session: u64) {
        let Some(mut candidate) = self.peers[session as usize].candidate.take() else { return };
        self.deadlines.cancel(&mut candidate.timeout);
        self.deadlines.cancel(&mut candidate.release);
        self.close_frame(candidate.conn);
    }

    fn close_frame(&mut self, conn: usize) {
        if !std::mem::replace(&mut self.pipes[conn].is_closing, true) {
            self.wrote(conn, Want::CloseFrame);
        }
    }

    /// It is answered, unless so much waits that an answer helps nobody.
    fn pinged(&mut self, conn: usize, payload: &[u8]) {
        let is_heard = self.pipes[conn].unsent().low <= self.terms.egress_high;
        if is_heard && !matches!(self.role(conn), Role::Nothing) {
            self.wrote(conn, Want::Pong(payload.to_vec()));
        }
    }

    fn websocket_gone(&mut self, conn: usize) {
        match self.role(conn) {
            Role::Transport(session) => self.end(session, End::TransportClose),
            Role::Candidate(session) => {
                self.checks.tested(Property::U4);
                self.abandon(session);
            }
            Role::Nothing => {}
        }
    }

    /// The peer half-closed.
    pub(super) fn ended(&mut self, conn: usize) {
        if self.pipes[conn].is_websocket {
            self.websocket_gone(conn);
            self.pipes[conn].is_closing = true;
            return;
        }
        let Some(session) = self.pipes[conn].session else { return };
        let peer = &self.peers[session as usize];
        if peer.answered_on == Some(conn) {
            self.checks.tested(Property::P4);
        }
        self.abort_requests(conn, session);
    }

    fn abort_requests(&mut self, conn: usize, session: u64) {
        let Some(peer) = self.peer(session) else { return };
        let was_parked = peer.parked.take_if(|parked| *parked == conn).is_some();
        let was_posting = peer.post.take_if(|post| *post == conn).is_some();
        if was_parked || was_posting {
            self.end(session, End::Other);
        }
    }

    /// The connection is dead. Where `is_broken`, what went out last may be lost.
    pub(super) fn lost(&mut self, conn: usize, is_broken: bool) {
        self.pipes[conn].want.clear();
        if self.pipes[conn].is_websocket {
            self.pipes[conn].is_closing = true;
            self.websocket_gone(conn);
            return;
        }
        self.pipes[conn].is_closing = true;
        let Some(session) = self.pipes[conn].session else { return };
        self.abort_requests(conn, session);
        if is_broken && self.may_be_lost(conn, session) {
            self.checks.tested(Property::P4);
            self.end(session, End::Other);
        }
    }
}

enum Role {
    Nothing,
    Candidate(u64),
    Transport(u64),
}

/// What sessions do.
impl Shadow {
    /// Something is expected on a connection.
    pub(super) fn wrote(&mut self, conn: usize, want: Want) {
        let pipe = &mut self.pipes[conn];
        if pipe.is_closed {
            return;
        }
        if let Want::Packet(packet) = &want {
            pipe.extra = pipe.extra + packet.frames_bytes();
            pipe.busy = self.turn;
        }
        if let Want::Pong(payload) = &want {
            pipe.extra = pipe.extra + Size::exactly(2 + payload.len());
        }
        if pipe.want.is_empty() {
            self.checks.touched.push(conn);
        }
        pipe.want.push(want);
    }

    /// Engine.IO's part of a packet: the message in it, if it is one.
    fn packet(&mut self, session: u64, packet: &Packet) -> Option<Packet> {
        if let Packet::Text('3', _) = packet {
            self.start_interval(session);
            return None;
        }
        self.excuse(session);
        match packet {
            Packet::Text('4', _) | Packet::Binary(_) => Some(packet.clone()),
            Packet::Text('2', _) => {
                self.end(session, End::Other);
                None
            }
            Packet::Text(..) => None,
        }
    }

    fn start_interval(&mut self, session: u64) {
        let at = self.now + self.terms.ping_interval;
        let peer = &mut self.peers[session as usize];
        self.deadlines.cancel(&mut peer.heartbeat);
        let (true, Some(index)) = (peer.is_open(), peer.index) else { return };
        peer.pong = Pong::Here;
        peer.heartbeat = Some(self.deadlines.arm_heartbeat(at, index, Due::Ping(session)));
    }

    fn excuse(&mut self, session: u64) {
        let at = self.now + self.terms.ping_timeout;
        let peer = &mut self.peers[session as usize];
        let (Pong::Awaited, Some(index)) = (peer.pong, peer.index) else { return };
        peer.pong = Pong::Excused;
        self.deadlines.cancel(&mut peer.heartbeat);
        let due = Due::PingTimeout(session);
        peer.heartbeat = Some(self.deadlines.arm_heartbeat(at, index, due));
    }

    /// The session closes from the server's side: a polling client first fetches what is left.
    pub(super) fn close(&mut self, session: u64, discard: bool) {
        let now = self.now;
        let Some(peer) = self.peer(session) else { return };
        if peer.candidate.is_some() {
            self.checks.tested(Property::U5);
        }
        let peer = &mut self.peers[session as usize];
        if peer.on != Carrier::Polling || discard || peer.parked.is_some() {
            return self.end(session, End::Other);
        }
        if peer.state == PeerState::Open {
            peer.state = PeerState::Closing;
            self.deadlines.cancel(&mut peer.heartbeat);
            let at = now + self.terms.polling_close_timeout;
            peer.closing = Some(self.deadlines.arm(at, Due::PollingClose(session)));
        }
    }

    /// The session is over, and its sockets with it.
    pub(super) fn end(&mut self, session: u64, how: End) {
        self.end_transport(session, how);
        self.leave_all(session);
    }

    fn end_transport(&mut self, session: u64, how: End) {
        if self.peer(session).is_none() {
            return;
        }
        self.abandon(session);
        let peer = &mut self.peers[session as usize];
        peer.state = PeerState::Gone;
        for key in [&mut peer.heartbeat, &mut peer.connect, &mut peer.closing] {
            self.deadlines.cancel(key);
        }
        peer.owed.clear();
        peer.owed_bytes = Size::default();
        peer.charges.clear();
        peer.answered_on = None;
        let (parked, post) = (peer.parked.take(), peer.post.take());
        match peer.on {
            Carrier::Polling => {
                if let Some(conn) = parked {
                    let is_farewell = how == End::TransportClose;
                    let last = if is_farewell { Parcel::noop() } else { Parcel::close() };
                    self.wrote(conn, Want::Answer(200, Body::Packets(vec![last])));
                }
                if let Some(conn) = post {
                    self.pipes[conn].is_closing = true;
                }
            }
            Carrier::WebSocket(conn) if how == End::Overflow => {
                self.pipes[conn].is_closing = true;
            }
            Carrier::WebSocket(conn) => self.close_frame(conn),
        }
        if how == End::Overflow {
            self.counters.overflow_closed += 1;
        }
    }

    fn is_given_up(&self, session: u64) -> bool {
        self.peers.get(session as usize).is_some_and(Peer::is_given_up)
    }

    /// Not all is known of this session any longer.
    pub(super) fn give_up(&mut self, session: u64) {
        self.has_strangers = true;
        // Nor whether its sockets have ended in this very turn.
        self.checks.is_unclear = true;
        let peer = &mut self.peers[session as usize];
        peer.is_judged = false;
        for key in [&mut peer.heartbeat, &mut peer.connect, &mut peer.closing] {
            self.deadlines.cancel(key);
        }
        if let Some(mut candidate) = peer.candidate.take() {
            self.deadlines.cancel(&mut candidate.timeout);
            self.deadlines.cancel(&mut candidate.release);
        }
        for socket in std::mem::take(&mut peer.sockets) {
            let socket = &mut self.sockets.all[socket];
            self.deadlines.cancel(&mut socket.decision);
            socket.session = None;
        }
        peer.state = PeerState::Gone;
        for pipe in self.pipes.iter_mut().filter(|pipe| pipe.session == Some(session)) {
            pipe.is_explained = false;
            pipe.want.clear();
        }
    }
}

/// What goes out, and the end of all.
impl Shadow {
    /// A first namespace was joined.
    pub(super) fn connected(&mut self, session: u64) {
        let peer = &mut self.peers[session as usize];
        self.deadlines.cancel(&mut peer.connect);
    }

    /// What goes out whether or not its client can take it now.
    pub(super) fn reliable(&mut self, session: u64, packet: Parcel) {
        let peer = &mut self.peers[session as usize];
        peer.since_probe += 1;
        match peer.on {
            Carrier::WebSocket(conn) => self.wrote(conn, Want::Packet(packet)),
            Carrier::Polling if peer.parked.is_some() => self.answer_poll(session, vec![packet]),
            Carrier::Polling => {
                peer.owed_bytes = peer.owed_bytes + packet.records_bytes();
                peer.owed.push(packet);
            }
        }
    }

    /// The server stops.
    pub(super) fn shut_down(&mut self) {
        if std::mem::replace(&mut self.is_shut_down, true) {
            return;
        }
        for session in 0..self.peers.len() as u64 {
            if self.peer(session).is_some() {
                self.leave_all(session);
                self.close(session, true);
            }
        }
        for pipe in &mut self.pipes {
            pipe.is_closing = true;
        }
    }
}

impl Cause {
    /// The connection it is about.
    pub(crate) fn conn(&self) -> Option<usize> {
        match *self {
            Self::Accept { conn, .. }
            | Self::Data { conn, .. }
            | Self::Eof { conn }
            | Self::Lost { conn }
            | Self::Sent { conn, .. } => Some(conn),
            Self::Writable | Self::Timeout { .. } | Self::Outside => None,
        }
    }
}
