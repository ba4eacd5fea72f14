//! The shadow of writability: it recomputes, from what the world itself knows, what each call of
//! the node must append to each connection, and compares.
//!
//! What it reads: the cause of each call, the units that clients note of their own bytes, the
//! commands that the program gave, and the configuration. It asks the node nothing, and what the
//! node's observer says of a command's outcome is compared and never used, but where the size of a
//! number that the node chooses decides. Its words are those of the design: a *turn* is a call; a
//! volatile packet is sent if its session's transport can take it at this instant.
//!
//! | part | holds |
//! |---|---|
//! | [`record`] | what the observer told |
//! | [`engine`] | sessions, transports, upgrades: what clients say and how connections end |
//! | [`time`] | what deadlines do to them |
//! | [`social`] | namespaces and rooms: what messages mean |
//! | [`commands`] | what the program says, and whether it goes out: the word `W` |
//! | [`foretold`] | what the node says of `W` beforehand |
//! | [`behind`] | who is behind, and has caught up |
//! | [`step`] | the step equation, and the name of what broke it |

mod behind;
mod charge;
mod commands;
mod deadline;
mod engine;
mod foretold;
mod parcel;
pub(crate) mod record;
mod rooms;
mod social;
mod step;
#[cfg(test)]
mod tests;
mod time;

use std::collections::VecDeque;

use parlor::{Config, NamespaceId, Server, SessionId, SocketId, Stats, Volatile, Wake};

use crate::client::unit::Unit;
use crate::oracle::{Property, Verdicts};
use deadline::Deadlines;
use engine::{Peer, PeerState, Pipe};
use record::Record;
use rooms::Sockets;
use step::{Checks, Counters};

/// Why the node was called. Connections bear the world's numbers.
#[derive(Debug)]
pub(crate) enum Cause {
    Accept {
        conn: usize,
        is_explained: bool,
    },
    /// With the units that end in it.
    Data {
        conn: usize,
        units: Vec<Unit>,
    },
    Eof {
        conn: usize,
    },
    Lost {
        conn: usize,
    },
    Sent {
        conn: usize,
        bytes: u64,
        is_refused: bool,
    },
    Writable,
    /// What `poll_timeout` named.
    Timeout {
        due: u64,
        wake: Wake,
    },
    /// Work from outside, the shutdown too.
    Outside,
}

/// What the node wants done with a connection, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Pause(usize),
    Resume(usize),
    /// It half-closes.
    Shut(usize),
    /// Whether bytes were left.
    Close(usize, bool),
}

/// One call of the node, after it has returned.
#[derive(Debug)]
pub(crate) struct Call<'c> {
    pub(crate) cause: Cause,
    pub(crate) records: &'c [Record],
    pub(crate) acts: &'c [Act],
    /// What was appended to each connection that grew.
    pub(crate) grown: &'c [(usize, Vec<u8>)],
    pub(crate) stats: &'c Stats,
}

/// Names of namespaces, which are public.
pub(crate) trait Names {
    fn name(&self, id: NamespaceId) -> String;
    fn find(&self, name: &str) -> Option<NamespaceId>;
}

/// What the configuration says that matters here.
#[derive(Debug)]
struct Terms {
    ping_interval: u64,
    ping_timeout: u64,
    upgrade_timeout: u64,
    connect_timeout: u64,
    decision_timeout: u64,
    polling_close_timeout: u64,
    volatile: Volatile,
    egress_max: u64,
    egress_total_max: u64,
    egress_high: u64,
    closes_at_bound: bool,
    sessions_max: usize,
    asks_max: usize,
    rooms_max: usize,
    namespaces_max: usize,
    connecting_max: usize,
    max_payload: u64,
    /// After so long without anything under way a client can take a volatile packet.
    quiet: Option<u64>,
}

/// How an answer to one handshake too many begins.
const FULL: &[u8] = b"HTTP/1.1 503";

/// See the module.
pub(crate) struct Shadow {
    terms: Terms,
    now: u64,
    turn: u64,
    is_shut_down: bool,
    /// By the world's number.
    peers: Vec<Peer>,
    pipes: Vec<Pipe>,
    deadlines: Deadlines,
    sockets: Sockets,
    /// CONNECTs that were read in this call.
    reading: Vec<social::Join>,
    /// Sockets whose CONNECT was read, and others until the next one is.
    connecting: Vec<usize>,
    /// Who came in this call, as the program was told.
    entrants: VecDeque<social::Entrant>,
    /// Whether there ever was a session of which not all is known.
    has_strangers: bool,
    /// Bytes on all connections that the kernel does not have.
    unsent: u64,
    /// The latest deadline that showed nothing: when it was due, and whose it may have been.
    unseen: Option<(u64, Wake, u64)>,
    /// Broadcasts so far.
    casts: u64,
    checks: Checks,
    counters: Counters,
}

impl Shadow {
    /// A shadow of a node with this configuration; `None` where one call may be several turns. On
    /// calm links, everybody can take a volatile packet who was `quiet` for so long.
    pub(crate) fn new(config: &Config, quiet: Option<u64>) -> Option<Self> {
        if config.limits.deadlines_per_call_max != 1 {
            return None;
        }
        let limits = &config.limits;
        let micros = |time: std::time::Duration| time.as_micros() as u64;
        let terms = Terms {
            ping_interval: micros(config.ping_interval),
            ping_timeout: micros(config.ping_timeout),
            upgrade_timeout: micros(config.upgrade_timeout),
            connect_timeout: micros(config.connect_timeout),
            decision_timeout: micros(config.decision_timeout.unwrap_or(config.connect_timeout)),
            polling_close_timeout: micros(config.polling_close_timeout),
            volatile: config.volatile,
            egress_max: limits.egress_bytes_max.into(),
            egress_total_max: limits.egress_bytes_total_max,
            egress_high: limits.egress_bytes_high.into(),
            closes_at_bound: config.overflow == parlor::Overflow::CloseSession,
            sessions_max: limits.sessions_max as usize,
            asks_max: limits.asks_per_socket_max as usize,
            rooms_max: limits.rooms_per_socket_max as usize,
            namespaces_max: limits.namespaces_per_session_max as usize,
            connecting_max: limits.connects_pending_max as usize,
            max_payload: config.max_payload.into(),
            quiet,
        };
        Some(Self {
            terms,
            now: 0,
            turn: 0,
            is_shut_down: false,
            peers: Vec::new(),
            pipes: Vec::new(),
            deadlines: Deadlines::default(),
            sockets: Sockets::default(),
            reading: Vec::new(),
            connecting: Vec::new(),
            entrants: VecDeque::new(),
            has_strangers: false,
            unsent: 0,
            unseen: None,
            casts: 0,
            checks: Checks::default(),
            counters: Counters::default(),
        })
    }

    /// Judges one call.
    pub(crate) fn call(&mut self, call: &Call<'_>, names: &dyn Names, verdicts: &mut Verdicts) {
        self.now = verdicts.now;
        self.turn += 1;
        self.checks.begin();
        self.checks.released = call.acts.iter().map(|act| self.released(act)).sum();
        self.collect_entrants(call.records);
        self.caused(call, names);
        self.complete_connects(names);
        self.adopt_strangers(call, names);
        for record in call.records {
            self.read(record, names);
        }
        self.judge_caught_up();
        self.shut(call, verdicts);
    }

    fn released(&self, act: &Act) -> u64 {
        match *act {
            Act::Close(conn, _) => self.pipes[conn].left(),
            Act::Pause(_) | Act::Resume(_) | Act::Shut(_) => 0,
        }
    }

    fn caused(&mut self, call: &Call<'_>, names: &dyn Names) {
        match &call.cause {
            &Cause::Accept { conn, is_explained } => self.accepted(conn, is_explained),
            Cause::Data { conn, units } if self.pipes[*conn].is_explained => {
                let is_full = |(grown, bytes): &(usize, Vec<u8>)| {
                    grown == conn && bytes.windows(FULL.len()).any(|window| window == FULL)
                };
                self.checks.is_full = self.has_strangers && call.grown.iter().any(is_full);
                for unit in units {
                    self.heard(*conn, unit, names);
                }
            }
            &Cause::Eof { conn } => self.ended(conn),
            &Cause::Lost { conn } => self.lost(conn, true),
            &Cause::Sent { conn, bytes, is_refused } => self.sent(conn, bytes, is_refused),
            &Cause::Timeout { due, wake } => self.expired(due, wake, call),
            Cause::Data { .. } | Cause::Writable | Cause::Outside => {}
        }
    }

    /// R1 and R3: the node's rooms and the shadow's, in both directions.
    pub(crate) fn compare_rooms(&self, server: &Server, verdicts: &mut Verdicts) {
        for (id, socket) in self.sockets.present() {
            let own = id.to_string().into_boxed_str();
            let own = socket.has_own_room.then_some(own);
            let expected: Vec<Box<str>> =
                own.into_iter().chain(socket.rooms.iter().cloned()).collect();
            let found = server.rooms(id);
            verdicts.claim(Property::R1, found == expected, || {
                format!("{id} is in {found:?}, by its commands it is in {expected:?}")
            });
        }
        for (namespace, mut expected) in self.sockets.rooms() {
            let all = server.namespace_rooms(namespace);
            let mut found: Vec<_> =
                all.iter().map(|(name, members)| (&**name, *members as usize)).collect();
            found.sort_unstable();
            expected.sort_unstable();
            verdicts.claim(Property::R1, found == expected, || {
                let name = server.namespace_name(namespace);
                format!("the rooms of {name} are {found:?}, by its commands {expected:?}")
            });
        }
    }

    /// How many sessions there were, and how many of them are not judged.
    pub(crate) fn undecided(&self) -> (usize, usize) {
        let born = self.peers.iter().filter(|peer| peer.state != PeerState::Unborn);
        (born.clone().count(), born.filter(|peer| !peer.is_judged).count())
    }
}

/// Who a session is to the core; compared only.
type CoreSession = SessionId;
/// Who a socket is to the core.
type CoreSocket = SocketId;
