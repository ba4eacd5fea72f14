//! What a client's bytes mean, as the client itself says it: it notes each unit that it writes,
//! with the offset in its stream at which the unit ends. So nobody has to parse what clients send
//! to know what the server has heard of them. Hostile clients say nothing.

use std::collections::VecDeque;

use super::packet::Packet;

/// One thing that a client says. Sessions bear the world's number, which the client knows before
/// the server has named the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// A request that opens a session.
    Handshake { session: u64, is_websocket: bool },
    /// A GET of a session that polls.
    Get { session: u64 },
    /// The head of a POST, whose body follows.
    PostHead { session: u64 },
    /// The end of a POST, and the packets in its body.
    Post { session: u64, packets: Vec<Packet> },
    /// The byte of a POST's body with which it is longer than the server takes.
    Excess { session: u64 },
    /// A request to become a WebSocket, for a session that polls.
    Upgrade { session: u64 },
    /// A WebSocket message that is a packet.
    Frame(Packet),
    /// A ping frame of WebSocket, and what its pong must carry.
    WsPing(Vec<u8>),
    /// A close frame of WebSocket.
    WsClose,
}

impl Unit {
    /// Whether it is the end of a request, or of what the server waits for.
    pub(crate) fn is_request(&self) -> bool {
        match self {
            Self::Handshake { .. } | Self::Get { .. } | Self::Post { .. } => true,
            Self::Excess { .. } | Self::Upgrade { .. } => true,
            Self::PostHead { .. } | Self::Frame(_) | Self::WsPing(_) | Self::WsClose => false,
        }
    }

    /// Whether it asks to join something: heard once more, it may bring an answer once more.
    pub(crate) fn joins(&self) -> bool {
        let is_connect =
            |packet: &Packet| matches!(packet, Packet::Text('4', text) if text.starts_with('0'));
        matches!(self, Self::Post { packets, .. } if packets.iter().any(is_connect))
    }

    /// The session that a request is about.
    pub(crate) fn session(&self) -> Option<u64> {
        match *self {
            Self::Handshake { session, .. }
            | Self::Get { session }
            | Self::PostHead { session }
            | Self::Post { session, .. }
            | Self::Excess { session }
            | Self::Upgrade { session } => Some(session),
            Self::Frame(_) | Self::WsPing(_) | Self::WsClose => None,
        }
    }
}

/// The units of one connection that the server has not heard yet.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    written: u64,
    /// Where each ends.
    open: VecDeque<(u64, Unit)>,
}

impl Notes {
    /// Bytes were written; within them these units end, in order.
    pub(crate) fn written(&mut self, bytes: usize, units: impl IntoIterator<Item = (usize, Unit)>) {
        let units = units.into_iter().map(|(end, unit)| (self.written + end as u64, unit));
        self.open.extend(units);
        self.written += bytes as u64;
    }

    /// The next unit that ends within the first so many bytes of the stream.
    pub(crate) fn heard(&mut self, bytes: u64) -> Option<Unit> {
        self.ends(bytes).map(|(_, unit)| unit)
    }

    /// The same, and where it ends.
    pub(crate) fn ends(&mut self, bytes: u64) -> Option<(u64, Unit)> {
        self.open.pop_front_if(|(end, _)| *end <= bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_heard_with_its_last_byte() {
        let mut notes = Notes::default();
        notes.written(10, [(4, Unit::Get { session: 1 }), (10, Unit::Get { session: 2 })]);
        notes.written(5, []);
        notes.written(5, [(5, Unit::WsClose)]);
        assert_eq!(notes.heard(3), None);
        assert_eq!(notes.heard(9), Some(Unit::Get { session: 1 }));
        assert_eq!(notes.heard(9), None);
        assert_eq!(notes.heard(19), Some(Unit::Get { session: 2 }));
        assert_eq!(notes.heard(19), None);
        assert_eq!(notes.heard(20), Some(Unit::WsClose));
    }
}
