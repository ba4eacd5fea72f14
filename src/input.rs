//! Everything the world can tell the core.

use core::fmt;
use core::net::SocketAddr;

use alloc::sync::Arc;

use crate::id::ConnId;

/// What happened to a connection. An input for a connection that was closed is ignored and counted.
#[derive(Debug)]
#[non_exhaustive]
pub enum Input<'a> {
    /// The peer sent bytes. They are parsed and unmasked in place; the core keeps only what is
    /// incomplete. One `Data` is one turn, however many messages stand in it.
    Data {
        /// Where they came in.
        conn: ConnId,
        /// The driver's read buffer; its content is worthless afterwards.
        bytes: &'a mut [u8],
    },
    /// The peer will send no more (it half-closed).
    Eof {
        /// By whom.
        conn: ConnId,
    },
    /// The connection is dead: reset, or a read or a write failed.
    Lost {
        /// Which.
        conn: ConnId,
    },
    /// The kernel took `bytes` of what [`Server::egress`](crate::Server::egress) showed.
    Sent {
        /// On which connection.
        conn: ConnId,
        /// How many.
        bytes: usize,
        /// It took less than it was offered, or would block. Showing it only some of the slices
        /// is no refusal.
        refused: bool,
    },
    /// After a refusal the kernel has room again.
    Writable {
        /// On which connection.
        conn: ConnId,
    },
}

impl Input<'_> {
    /// The connection it is about.
    pub fn conn(&self) -> ConnId {
        match *self {
            Self::Data { conn, .. }
            | Self::Eof { conn }
            | Self::Lost { conn }
            | Self::Sent { conn, .. }
            | Self::Writable { conn } => conn,
        }
    }
}

/// Who is at the other end, as far as the driver knows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Peer {
    /// A TCP peer.
    Addr(SocketAddr),
    /// A client of a Unix socket; it has no address.
    Unix,
    /// What a proxy in front of the driver said.
    Proxied(Arc<str>),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Addr(addr) => fmt::Display::fmt(addr, f),
            Self::Unix => f.write_str("unix"),
            Self::Proxied(text) => f.write_str(text),
        }
    }
}

impl From<SocketAddr> for Peer {
    fn from(addr: SocketAddr) -> Self {
        Self::Addr(addr)
    }
}
