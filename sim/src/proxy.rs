//! What may stand between a client and the server, and means well.

mod relay;

pub(crate) use relay::Relays;

/// A proxy, in front of one client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Proxy {
    #[default]
    None,
    /// It knows HTTP only, and answers an upgrade itself.
    Stripping,
    /// It resets a connection on which nothing has passed for so long.
    IdleKilling(u64),
    /// It passes an answer on when all of it is there.
    Buffering,
    /// It sends a POST again whose connection ends without an answer.
    Retrying,
}

impl Proxy {
    /// Whether it has a connection of its own to the server.
    pub(crate) fn is_relay(self) -> bool {
        matches!(self, Self::Buffering | Self::Retrying)
    }
}

/// What a connection is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// From a client to the server.
    Direct,
    /// From a client to its proxy.
    Front,
    /// From the proxy to the server.
    Back,
}

/// What a stripping proxy answers to an upgrade.
pub(crate) const NO_UPGRADE: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
