//! What everybody in a world shares: the time, the queue of what is to happen, the connections,
//! the choices, the trace and the oracles.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::choice::{Choices, Stream};
use crate::client::Timer;
use crate::client::unit::{Notes, Unit};
use crate::net::{Pipe, Read, Shape};
use crate::oracle::Verdicts;
use crate::oracle::asks::Asks;
use crate::oracle::sockets::Sockets;
use crate::profile::Profile;
use crate::trace::{Shown, Trace};

/// What is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    /// A connection arrives at the server.
    Syn(usize),
    /// A segment arrives: at the server, or at the client.
    Up(usize),
    Down(usize),
    /// A reset arrives.
    ResetUp(usize),
    ResetDown(usize),
    /// The server's driver has something to do.
    Pass,
    /// A client's timer, and the life of the client in which it was set.
    Client(usize, u32, Timer),
    /// Work from outside arrives at the server.
    Outside(u64),
    /// One of the demands that are judged after the heal.
    Demand(usize),
    Fault,
    Heal,
    Quiet,
}

/// One TCP connection.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) client: usize,
    /// To the server.
    pub(crate) up: Pipe,
    /// To the client.
    pub(crate) down: Pipe,
    /// What the client wrote and its kernel has no room for.
    unsent: Vec<u8>,
    /// What it meant.
    pub(crate) notes: Notes,
    /// The client is done writing, as soon as nothing is unsent.
    is_ending: bool,
    /// The client has closed it: whatever comes is answered by a reset.
    pub(crate) is_left: bool,
    /// The client does not read.
    pub(crate) is_deaf: bool,
    /// One side has reset it.
    pub(crate) is_reset: bool,
    /// The server's side knows of the reset.
    pub(crate) is_lost: bool,
    pub(crate) is_hostile: bool,
    /// One side vanished without a word.
    pub(crate) is_cut: bool,
}

/// See the module's doc.
pub(crate) struct Hub {
    pub(crate) now: u64,
    queue: BinaryHeap<Reverse<(u64, u64, u64, Event)>>,
    seq: u64,
    pub(crate) conns: Vec<Conn>,
    pub(crate) choices: Choices,
    pub(crate) profile: Profile,
    pub(crate) trace: Trace,
    pub(crate) verdicts: Verdicts,
    pub(crate) asks: Asks,
    pub(crate) sockets: Sockets,
    pub(crate) is_healed: bool,
    pub(crate) is_quiet: bool,
    /// Which clients have gone for good.
    pub(crate) is_gone: Vec<bool>,
    /// The number of the next session that a client tries to open.
    session_next: u64,
    ties: Stream,
    links: Stream,
}

impl Hub {
    pub(crate) fn new(mut choices: Choices, profile: Profile, trace: Trace) -> Self {
        let is_gone = vec![false; profile.kinds.len()];
        let (ties, links) = (choices.stream("ties", 0), choices.stream("links", 0));
        Self {
            now: 0,
            queue: BinaryHeap::new(),
            seq: 0,
            conns: Vec::new(),
            choices,
            profile,
            trace,
            verdicts: Verdicts::default(),
            asks: Asks::default(),
            sockets: Sockets::default(),
            is_healed: false,
            is_quiet: false,
            is_gone,
            session_next: 0,
            ties,
            links,
        }
    }

    pub(crate) fn push(&mut self, at: u64, event: Event) {
        self.seq += 1;
        // Links before clients before the driver, unless it is drawn.
        let order = match event {
            _ if self.profile.is_tied => self.choices.choose(self.ties, 1 << 16),
            Event::Client(..) => 1,
            Event::Pass => 2,
            _ => 0,
        };
        self.queue.push(Reverse((at.max(self.now), order, self.seq, event)));
    }

    /// The next thing to happen, and its time, which becomes now.
    pub(crate) fn pop(&mut self, until: u64) -> Option<Event> {
        let &Reverse((at, ..)) = self.queue.peek()?;
        if at > until {
            self.now = until;
            return None;
        }
        let Reverse((at, _, _, event)) = self.queue.pop()?;
        self.now = at;
        self.verdicts.now = at;
        Some(event)
    }

    /// A client connects. Bytes may be written at once.
    pub(crate) fn connect(&mut self, client: usize) -> usize {
        let id = self.conns.len();
        let links = self.profile.links;
        let mut shape = links.draw(&mut self.choices, self.links);
        if self.is_healed {
            heal(&mut shape);
        }
        let opened_at = self.now + shape.latency;
        let number = id as u64;
        let up = self.choices.stream("up", number);
        let down = self.choices.stream("down", number);
        self.conns.push(Conn {
            client,
            up: Pipe::new(shape, up, opened_at),
            down: Pipe::new(shape, down, opened_at),
            unsent: Vec::new(),
            notes: Notes::default(),
            is_ending: false,
            is_left: false,
            is_deaf: false,
            is_reset: false,
            is_lost: false,
            is_hostile: false,
            is_cut: false,
        });
        self.trace.line(self.now, || format!("c{client}/{id} connects"));
        self.push(opened_at, Event::Syn(id));
        id
    }

    /// A client writes; what does not fit waits. Within the bytes these units end.
    pub(crate) fn write(
        &mut self,
        id: usize,
        bytes: &[u8],
        units: impl IntoIterator<Item = (usize, Unit)>,
    ) {
        let conn = &mut self.conns[id];
        conn.notes.written(bytes.len(), units);
        self.trace.line(self.now, || format!("c{}/{id} ->  {}", conn.client, Shown(bytes)));
        conn.unsent.extend(bytes);
        self.client_pumps(id);
    }

    /// A number for a session that a client is about to open.
    pub(crate) fn session(&mut self) -> u64 {
        self.session_next += 1;
        self.session_next
    }

    /// A client is done: its end follows what it wrote, and it reads no more.
    pub(crate) fn leave(&mut self, id: usize) {
        let conn = &mut self.conns[id];
        if conn.is_left {
            return;
        }
        conn.is_left = true;
        conn.is_ending = true;
        self.trace.line(self.now, || format!("c{}/{id} closes", conn.client));
        self.client_pumps(id);
    }

    /// A client resets.
    pub(crate) fn reset_by_client(&mut self, id: usize) {
        let conn = &mut self.conns[id];
        conn.is_left = true;
        self.trace.line(self.now, || format!("c{}/{id} resets", conn.client));
        self.reset_up(id);
    }

    fn reset_up(&mut self, id: usize) {
        let conn = &mut self.conns[id];
        if !conn.is_reset && !conn.is_cut {
            conn.is_reset = true;
            let at = self.now + conn.up.shape.latency;
            self.push(at, Event::ResetUp(id));
        }
    }

    /// The server resets.
    pub(crate) fn reset_down(&mut self, id: usize) {
        let conn = &mut self.conns[id];
        if !conn.is_reset && !conn.is_cut {
            conn.is_reset = true;
            let at = self.now + conn.down.shape.latency;
            self.push(at, Event::ResetDown(id));
        }
    }

    fn client_pumps(&mut self, id: usize) {
        let conn = &mut self.conns[id];
        if !conn.unsent.is_empty() {
            let taken = conn.up.write(&conn.unsent);
            conn.unsent.drain(..taken);
        }
        if conn.is_ending && conn.unsent.is_empty() {
            conn.up.shut();
        }
        self.pump_up(id);
    }

    pub(crate) fn pump_up(&mut self, id: usize) {
        let mut arrivals = Vec::new();
        self.conns[id].up.pump(self.now, &mut self.choices, |at| arrivals.push(at));
        arrivals.into_iter().for_each(|at| self.push(at, Event::Up(id)));
    }

    pub(crate) fn pump_down(&mut self, id: usize) {
        let mut arrivals = Vec::new();
        self.conns[id].down.pump(self.now, &mut self.choices, |at| arrivals.push(at));
        arrivals.into_iter().for_each(|at| self.push(at, Event::Down(id)));
    }

    /// A segment arrives at the server. Says whether it has something to read.
    pub(crate) fn arrive_up(&mut self, id: usize) -> bool {
        let conn = &mut self.conns[id];
        let is_news = conn.up.arrive();
        if conn.up.edge() {
            self.client_pumps(id);
        } else {
            self.pump_up(id);
        }
        is_news
    }

    /// A segment arrives at the client, which reads it unless it is deaf: what it reads, and
    /// whether it read the end.
    pub(crate) fn arrive_down(&mut self, id: usize) -> (Vec<u8>, bool) {
        self.conns[id].down.arrive();
        self.read_down(id)
    }

    pub(crate) fn read_down(&mut self, id: usize) -> (Vec<u8>, bool) {
        let conn = &mut self.conns[id];
        let mut bytes = Vec::new();
        if conn.is_deaf {
            return (bytes, false);
        }
        let mut is_end = false;
        loop {
            match conn.down.read(usize::MAX, &mut bytes) {
                Read::Bytes(_) => {}
                Read::End => is_end = true,
                Read::Nothing => break,
            }
        }
        if conn.is_left {
            if !bytes.is_empty() {
                self.reset_up(id);
            }
            return (Vec::new(), false);
        }
        self.pump_down(id);
        (bytes, is_end)
    }

    pub(crate) fn timer(&mut self, after: u64, client: usize, life: u32, timer: Timer) {
        self.push(self.now + after, Event::Client(client, life, timer));
    }

    /// Whether nothing is, or was, broken, and all is quick.
    pub(crate) fn is_undisturbed(&self) -> bool {
        self.profile.fault_every.is_none() && self.profile.pass_delay <= 1000
    }

    /// Whether nothing that is broken for good stands between a client and the server.
    pub(crate) fn is_healthy(&self, client: usize) -> bool {
        !self.is_gone[client]
    }

    /// The network becomes a good one, and the server quick. What was cut stays so.
    pub(crate) fn heal(&mut self) {
        self.is_healed = true;
        self.profile.read_bytes = self.profile.read_bytes.max(4096);
        self.profile.pass_delay = self.profile.pass_delay.min(1000);
        for conn in &mut self.conns {
            heal(&mut conn.up.shape);
            heal(&mut conn.down.shape);
        }
    }
}

fn heal(shape: &mut Shape) {
    shape.latency = shape.latency.min(50_000);
    shape.jitter = shape.jitter.min(5000);
    shape.bandwidth = shape.bandwidth.max(1_000_000);
}
