//! What may stand between a client and the server, and means well.

/// A proxy, in front of one client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Proxy {
    #[default]
    None,
    /// It knows HTTP only, and answers an upgrade itself.
    Stripping,
    /// It resets a connection on which nothing has passed for so long.
    IdleKilling(u64),
}

/// What a stripping proxy answers to an upgrade.
pub(crate) const NO_UPGRADE: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
