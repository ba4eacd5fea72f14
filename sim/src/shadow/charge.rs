//! What waits for sessions: owed until they poll, or in answers that the kernel does not have yet.

use super::Shadow;
use super::engine::Carrier;
use super::parcel::{Parcel, Size};
use super::step::Want;

/// A poll answer that the kernel does not have yet.
#[derive(Debug)]
pub(super) struct Charge {
    pub(super) conn: usize,
    /// Where it ends in what was ever appended to the connection; known after the call.
    pub(super) until: Option<u64>,
    pub(super) bytes: Size,
}

/// No answer's head is longer.
const HEAD_BYTES_MAX: u64 = 512;

impl Shadow {
    /// Of all the packets of a broadcast: nobody says in which order its recipients get them.
    pub(super) fn cast_at_most(packet: &Parcel, recipients: usize) -> u64 {
        let bytes = packet.records_bytes().high.max(packet.frames_bytes().high);
        recipients as u64 * (bytes + HEAD_BYTES_MAX)
    }

    /// Bytes that wait for a session.
    pub(super) fn waiting(&mut self, session: u64) -> Size {
        let Self { peers, pipes, .. } = self;
        let peer = &mut peers[session as usize];
        peer.charges.retain(|charge| {
            let pipe = &pipes[charge.conn];
            charge.until.is_none_or(|until| until > pipe.out)
        });
        let charge = |charge: &Charge| {
            let pipe = &pipes[charge.conn];
            let left = charge.until.map_or(u64::MAX, |until| until - pipe.out);
            Size { low: charge.bytes.low.min(left), high: charge.bytes.high }
        };
        let charged = peer.charges.iter().map(charge).fold(peer.owed_bytes, |a, b| a + b);
        match peer.on {
            Carrier::Polling => charged,
            Carrier::WebSocket(conn) => charged + pipes[conn].unsent(),
        }
    }

    /// After the call: where the answers end that were written in it.
    pub(super) fn settle_charges(&mut self) {
        for session in std::mem::take(&mut self.checks.charged) {
            for charge in &mut self.peers[session as usize].charges {
                charge.until.get_or_insert(self.pipes[charge.conn].appended);
            }
        }
    }

    /// Whether a session's latest answer went out there, or an older one that is not all out.
    pub(super) fn may_be_lost(&self, conn: usize, session: u64) -> bool {
        let (peer, out) = (&self.peers[session as usize], self.pipes[conn].out);
        let is_in =
            |charge: &Charge| charge.conn == conn && charge.until.is_none_or(|until| until > out);
        peer.answered_on == Some(conn) || peer.charges.iter().any(is_in)
    }

    /// What surely waits on all connections, and for polls, whoever comes first in a broadcast.
    /// What waits for a poll is not encoded.
    pub(super) fn unsent_at_least(&self, alive: &[u64]) -> u64 {
        let owed = |&session: &u64| {
            let peer = &self.peers[session as usize];
            (peer.owed_bytes.low / 4 * 3).saturating_sub(peer.owed.len() as u64)
        };
        let all = self.unsent + alive.iter().map(owed).sum::<u64>();
        all.saturating_sub(self.checks.released + self.checks.cast_bytes_max)
    }

    /// The most that can wait there, with what was written in this call.
    pub(super) fn unsent_at_most(&self, alive: &[u64]) -> u64 {
        let owed = |&session: &u64| {
            let peer = &self.peers[session as usize];
            let fresh = peer.charges.iter().filter(|charge| charge.until.is_none());
            peer.owed_bytes.high + fresh.map(|charge| charge.bytes.high).sum::<u64>()
        };
        let fresh = |&conn: &usize| {
            let pipe = &self.pipes[conn];
            let is_packet = |want: &&Want| matches!(want, Want::Packet(_) | Want::Pong(_));
            let heads = pipe.want.len() - pipe.want.iter().filter(is_packet).count();
            pipe.extra.high + heads as u64 * HEAD_BYTES_MAX
        };
        let fresh = self.checks.touched.iter().map(fresh).sum::<u64>();
        self.unsent + alive.iter().map(owed).sum::<u64>() + fresh + self.checks.cast_bytes_max
    }
}
