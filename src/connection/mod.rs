//! TCP connections: what is spoken on each, which requests wait for their answers, and how it ends.
//!
//! | stage | reads | leaves by |
//! |---|---|---|
//! | `Http` | requests, also behind one that waits for its answer | an accepted upgrade: `WebSocket`; a last answer: `Closing` |
//! | `WebSocket` | messages | a close frame of ours: `Closing` |
//! | `Closing` | nothing, input is dropped | egress empty: `ShutdownWrite`, then `Lingering`, or `Close` where the peer has ended; `linger` over: `Close` with bytes left |
//! | `Lingering` | nothing, input is dropped | the peer's end, or `linger` over: `Close` |
//!
//! A server that closes with unread input makes the kernel send RST, which destroys the last bytes
//! on their way: hence the half-close and the wait for the peer's (RFC 9112, 9.6).

mod answer;
mod lifecycle;
mod write;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

use slab::Slab;
use smallvec::SmallVec;

use crate::egress::Queue;
use crate::http::{self, Persistence};
use crate::id::{ConnId, SessionId};
use crate::input::Peer;
use crate::output::Wake;
use crate::timer::Armed;
use crate::ws;
pub(crate) use answer::{ResponseHead, head_fields};

/// One connection.
pub(crate) struct Connection {
    generation: u32,
    flush: Flush,
    /// From a refused write until egress is empty.
    pub(crate) refused: bool,
    /// The peer has ended its side.
    pub(crate) ended: bool,
    paused: bool,
    pub(crate) stage: Stage,
    pub(crate) egress: Queue,
    /// The turn in which the last Engine.IO packet was appended.
    pub(crate) turn: u64,
    deadline: Option<(Armed, Wake)>,
    /// From the first poll answer on: most connections have none.
    polls: Option<Box<Polls>>,
    pub(crate) peer: Peer,
}

/// Poll answers. They outlive HTTP on their connection, since one may be its last answer.
#[derive(Default)]
struct Polls {
    /// Bytes that the kernel took since the first of them.
    sent: u64,
    /// Answers on their way: where each ends, and whose bytes they are.
    charges: VecDeque<Charge>,
    /// Sessions whose latest poll answer went out here.
    answered: SmallVec<[SessionId; 1]>,
}

/// See the module.
pub(crate) enum Stage {
    Http(Box<Http>),
    WebSocket { reader: ws::Reader, session: SessionId },
    Closing,
    Lingering,
}

/// Who owes the next write attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flush {
    /// Nothing to write.
    Idle,
    /// The driver: `Flush` is queued or popped.
    Owed,
    /// The kernel: it is to say `Writable`.
    Refused,
}

/// A connection that speaks HTTP.
#[derive(Default)]
pub(crate) struct Http {
    pub(crate) reader: http::Reader,
    /// Requests whose answers have not all been queued, in order.
    exchanges: VecDeque<Exchange>,
    serial: u32,
    /// The request whose body is being read.
    pub(crate) reading: Option<u32>,
    /// Input behind `pipelined_requests_max`.
    held: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Charge {
    until: u64,
    session: SessionId,
    bytes: u32,
}

/// A request and what becomes of it.
struct Exchange {
    serial: u32,
    owner: Owner,
    persistence: Persistence,
    /// HEAD: the answer has no body.
    head_only: bool,
    /// Its answer, while those of earlier requests are missing.
    stash: Option<(Queue, Option<(SessionId, u32)>)>,
    extra: Extra,
}

/// What an answer depends on beside its session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extra {
    /// The origin to name, where CORS reflects it.
    pub(crate) origin: Option<Box<[u8]>>,
    /// An old browser that needs `X-XSS-Protection: 0`.
    pub(crate) explorer: bool,
}

/// Who answers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Nobody: it is answered, or its session has gone.
    None,
    /// A session, with what it has to send.
    Poll(SessionId),
    /// A session, when it has the whole body.
    Post(SessionId),
    /// The application, which decides on a handshake.
    Handshake(u32),
    /// The application.
    Application(u32),
}

/// Who waited for something that a connection can no longer bring. The server tells them.
pub(crate) enum Orphan {
    /// For the answer to a request, or for the rest of it.
    Request(ExchangeId, Owner),
    /// For bytes of its poll answers to be written.
    Unsent(SessionId, u32),
    /// For a poll answer to arrive.
    Answer(SessionId),
}

/// A request on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExchangeId {
    pub(crate) conn: ConnId,
    pub(crate) serial: u32,
}

/// All connections. Keys are ours.
#[derive(Default)]
pub(crate) struct Connections {
    slab: Slab<Connection>,
    generation: u32,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Connection>() <= 232);

impl Connections {
    pub(crate) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(crate) fn find(&self, id: ConnId) -> Option<&Connection> {
        self.slab.get(id.index()).filter(|conn| conn.generation == id.generation)
    }

    pub(crate) fn find_mut(&mut self, id: ConnId) -> Option<&mut Connection> {
        self.slab.get_mut(id.index()).filter(|conn| conn.generation == id.generation)
    }

    pub(crate) fn ids(&self) -> Vec<ConnId> {
        let id = |(index, conn): (usize, &Connection)| ConnId {
            index: index as u32,
            generation: conn.generation,
        };
        self.slab.iter().map(id).collect()
    }

    fn insert(&mut self, peer: Peer) -> ConnId {
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let conn = Connection {
            generation,
            flush: Flush::Idle,
            refused: false,
            ended: false,
            paused: false,
            stage: Stage::Http(Box::default()),
            egress: Queue::default(),
            turn: 0,
            deadline: None,
            polls: None,
            peer,
        };
        ConnId { index: self.slab.insert(conn) as u32, generation }
    }
}

impl Connection {
    pub(crate) fn http(&mut self) -> Option<&mut Http> {
        match &mut self.stage {
            Stage::Http(http) => Some(http),
            Stage::WebSocket { .. } | Stage::Closing | Stage::Lingering => None,
        }
    }

    /// Whether input is to be held back.
    pub(crate) fn is_paused(&self) -> bool {
        self.paused
    }
}

impl Http {
    /// Gives a request its place among the answers.
    fn push_exchange(&mut self, persistence: Persistence, head_only: bool) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        self.exchanges.push_back(Exchange {
            serial: self.serial,
            owner: Owner::None,
            persistence,
            head_only,
            stash: None,
            extra: Extra::default(),
        });
        self.serial
    }

    pub(crate) fn owner(&self, serial: u32) -> Owner {
        let exchange = self.exchanges.iter().find(|exchange| exchange.serial == serial);
        exchange.map_or(Owner::None, |exchange| exchange.owner)
    }

    pub(crate) fn set_owner(&mut self, serial: u32, owner: Owner) {
        if let Some(exchange) = self.exchanges.iter_mut().find(|e| e.serial == serial) {
            exchange.owner = owner;
        }
    }

    /// Everyone who waits for something of this connection.
    pub(crate) fn owners(&self) -> impl Iterator<Item = (u32, Owner)> {
        self.exchanges.iter().map(|exchange| (exchange.serial, exchange.owner))
    }

    pub(crate) fn hold(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    pub(crate) fn take_held(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.held)
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Whether no other request is behind the one in this place.
    fn is_last(&self, place: usize) -> bool {
        place + 1 >= self.exchanges.len() && self.held.is_empty()
    }

    /// Whether no request is left to be answered.
    fn is_done(&self) -> bool {
        self.exchanges.is_empty() && self.held.is_empty()
    }

    fn is_quiet(&self) -> bool {
        self.exchanges.is_empty() && self.reading.is_none() && self.reader.is_idle()
    }
}
