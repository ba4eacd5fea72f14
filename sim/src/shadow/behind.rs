//! Who was told that its client is behind: it is told once more, in the very call in which all of
//! it is out, on whatever it went. E6.

use super::engine::{Carrier, PeerState};
use super::step::Told;
use super::{CoreSession, Shadow};
use crate::oracle::Property;

/// Whether the program waits for a session to catch up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Behind {
    #[default]
    No,
    /// It depends on a size that the shadow does not know exactly.
    Maybe,
    Yes,
}

impl Shadow {
    /// A packet went out, or was dropped at the bound and is reported.
    pub(super) fn left_behind(&mut self, session: u64, is_dropped: bool) {
        let behind = match is_dropped {
            true => Behind::Yes,
            false => match self.backlog(session) {
                Told::Backlogged(_) => Behind::Yes,
                Told::Sent => Behind::Maybe,
                _ => return,
            },
        };
        let peer = &mut self.peers[session as usize];
        if peer.behind != Behind::Yes {
            peer.behind = behind;
        }
    }

    /// The kernel has taken bytes of a connection.
    pub(super) fn sent(&mut self, conn: usize, bytes: u64, is_refused: bool) {
        self.active(conn);
        let session = self.pipes[conn].session;
        let is_there =
            |session: &u64| self.peers.get(*session as usize).is_some_and(super::Peer::is_open);
        let session = session.filter(is_there);
        let waited = session.map(|session| self.waiting(session));
        self.pipes[conn].sent(bytes, is_refused);
        self.unsent -= bytes;
        let (Some(session), Some(waited)) = (session, waited) else { return };
        let is_out = match self.peers[session as usize].on {
            Carrier::WebSocket(own) => own == conn && bytes > 0 && self.pipes[conn].left() == 0,
            Carrier::Polling => waited.high > 0 && self.waiting(session).high == 0,
        };
        if is_out && self.peers[session as usize].behind == Behind::Yes {
            self.checks.caught_up = Some(session);
        }
    }

    /// The program is told that a session has caught up.
    pub(super) fn drained(&mut self, id: CoreSession) {
        let is_it = |peer: &super::Peer| {
            peer.known_as == Some(id) && peer.is_judged && peer.state != PeerState::Gone
        };
        let Some(session) = self.peers.iter().position(is_it) else { return };
        let behind = std::mem::take(&mut self.peers[session].behind);
        self.checks.tested(Property::E6);
        if behind == Behind::No {
            self.checks.missed(Property::E6, format!("{id:?} drains, and was not behind"));
        }
        if self.checks.caught_up == Some(session as u64) {
            self.checks.caught_up = None;
        }
    }

    /// The end of a call.
    pub(super) fn judge_caught_up(&mut self) {
        if let Some(session) = self.checks.caught_up.take() {
            let what = format!("all of session {session} is out, and nobody says that it drained");
            self.checks.missed(Property::E6, what);
        }
    }
}
