//! What everybody in a world shares: the time, the queue of what is to happen, the connections,
//! the choices, the trace and the oracles.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::choice::{Choices, Stream};
use crate::client::unit::{Notes, Unit};
use crate::client::{self, Timer};
use crate::exhaustive::{Crossing, Pick, UNIT};
use crate::fault::{self, Ban};
use crate::marks::{Mark, Marks, Scout};
use crate::net::{Arrived, Due, End, Kind, Pipe, Read, Shape};
use crate::oracle::asks::Asks;
use crate::oracle::liveness::{Liveness, Terms};
use crate::oracle::rules::Rules;
use crate::oracle::sockets::Sockets;
use crate::oracle::{Property, Verdicts};
use crate::profile::{Profile, Syn};
use crate::proxy::{Proxy, Side};
use crate::trace::{Dir, Flag, Trace};

/// What is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Event {
    /// A connection arrives at the server.
    Syn(usize),
    /// A segment arrives: at the server, or at the client.
    Up(usize),
    Down(usize),
    /// A reset arrives, of whoever stands between client and server.
    ResetUp(usize),
    ResetDown(usize),
    /// A direction wanted to be reminded.
    DueUp(usize),
    DueDown(usize),
    /// The server's driver has something to do.
    Pass,
    /// A client's timer, and the life of the client in which it was set.
    Client(usize, u32, Timer),
    /// Work from outside arrives at the server.
    Outside(u64),
    /// One of the demands that are judged after the heal.
    Demand(usize),
    Fault,
    /// A proxy answers an upgrade on a connection.
    Stripped(usize),
    /// A proxy looks whether a connection is idle.
    Idle(usize),
    /// All connections of a client stall until then.
    Clog(usize, u64),
    /// A blow falls on a connection.
    Aimed(usize),
    /// A client that did not read does so again.
    Listen(usize),
    Heal,
    /// The core set should be well by now.
    Well,
    Quiet,
}

/// One TCP connection.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) client: usize,
    pub(crate) side: Side,
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
    /// Somebody between has reset it.
    pub(crate) is_reset: bool,
    pub(crate) is_hostile: bool,
    /// One side vanished without a word.
    pub(crate) is_cut: bool,
    /// When something passed last.
    passed_at: u64,
    /// For what is drawn of it besides the bytes' journeys.
    pub(crate) stream: Stream,
}

impl Conn {
    pub(crate) fn server_end(&mut self) -> End<'_> {
        End { reads: &mut self.up, writes: &mut self.down }
    }

    pub(crate) fn client_end(&mut self) -> End<'_> {
        End { reads: &mut self.down, writes: &mut self.up }
    }
}

/// Events of one instant, behind which time will not go on: something answers itself for ever.
const CROWD_MAX: u64 = 1 << 18;

/// See the module's doc.
pub(crate) struct Hub {
    pub(crate) now: u64,
    /// Events of this instant.
    crowd: u64,
    queue: BinaryHeap<Reverse<(u64, u64, u64, Event)>>,
    seq: u64,
    pub(crate) conns: Vec<Conn>,
    pub(crate) choices: Choices,
    pub(crate) profile: Profile,
    pub(crate) trace: Trace,
    pub(crate) verdicts: Verdicts,
    pub(crate) marks: Marks,
    pub(crate) scout: Scout,
    pub(crate) asks: Asks,
    pub(crate) sockets: Sockets,
    pub(crate) rules: Rules,
    pub(crate) liveness: Liveness,
    /// For whom the network stays broken when it heals for the others.
    pub(crate) outsiders: Vec<Option<Ban>>,
    pub(crate) is_healed: bool,
    pub(crate) is_quiet: bool,
    /// Which clients have gone for good.
    pub(crate) is_gone: Vec<bool>,
    /// The number of the next session that a client tries to open.
    session_next: u64,
    /// How many connections each client has made.
    connections: Vec<u64>,
    /// For the order of what happens at one instant, of each client and of the rest.
    ties: Vec<Stream>,
    ties_of_rest: Stream,
    /// Who and what is in the world.
    pub(crate) cast: Stream,
    /// Where every order is gone through.
    pub(crate) crossing: Option<Crossing>,
    /// When the server's driver passes next.
    pub(crate) pass_at: u64,
    /// It has work to do, and does not only wait for a time.
    pub(crate) is_pass_urgent: bool,
}

impl Hub {
    pub(crate) fn new(mut choices: Choices, profile: Profile, trace: Trace) -> Self {
        let is_gone = vec![false; profile.kinds.len()];
        let clients = profile.kinds.len();
        let ties = (0..clients as u64).map(|client| choices.stream("ties", client)).collect();
        let (ties_of_rest, cast) = (choices.stream("order", 0), choices.stream("cast", 0));
        let rules = Rules::new(&profile.config);
        Self {
            now: 0,
            crowd: 0,
            queue: BinaryHeap::new(),
            seq: 0,
            conns: Vec::new(),
            choices,
            profile,
            trace,
            verdicts: Verdicts::default(),
            marks: Marks::default(),
            scout: Scout::default(),
            asks: Asks::default(),
            sockets: Sockets::default(),
            rules,
            liveness: Liveness::default(),
            outsiders: vec![None; clients],
            is_healed: false,
            is_quiet: false,
            is_gone,
            connections: Vec::new(),
            session_next: 0,
            ties,
            ties_of_rest,
            cast,
            crossing: None,
            pass_at: u64::MAX,
            is_pass_urgent: false,
        }
    }

    pub(crate) fn push(&mut self, at: u64, event: Event) {
        self.seq += 1;
        // Links before clients before the driver, unless it is drawn.
        let order = match event {
            _ if self.profile.is_tied => self.choices.choose(self.ties_of(event), 1 << 16),
            Event::Client(..) => 1,
            Event::Pass => 2,
            _ => 0,
        };
        self.trace.queued(self.seq);
        self.queue.push(Reverse((at.max(self.now), order, self.seq, event)));
    }

    /// Each connection and each client has a stream of its own, so that one less leaves the order
    /// among the others.
    fn ties_of(&self, event: Event) -> Stream {
        match event {
            Event::Syn(id)
            | Event::Up(id)
            | Event::Down(id)
            | Event::ResetUp(id)
            | Event::ResetDown(id) => self.conns[id].stream,
            Event::Client(client, ..) => self.ties[client],
            _ => self.ties_of_rest,
        }
    }

    /// The next thing to happen, and its time, which becomes now.
    pub(crate) fn pop(&mut self, until: u64) -> Option<Event> {
        let &Reverse((at, ..)) = self.queue.peek()?;
        if at > until {
            self.now = until;
            self.verdicts.now = until;
            return None;
        }
        self.crowd = if at > self.now { 0 } else { self.crowd + 1 };
        self.now = at;
        self.verdicts.now = at;
        if self.crowd == CROWD_MAX {
            let what = format!("time does not go on: {CROWD_MAX} events of one instant");
            self.verdicts.fail(Property::T4, what);
            return None;
        }
        self.choices.time(at);
        if self.choices.is_beyond() {
            return None;
        }
        if let Some(crossing) = &mut self.crossing
            && crossing.is_open(at, &mut self.choices)
        {
            let event = self.pop_crossed();
            // Time has moved, or nothing is left to see.
            return if event.is_some() || self.is_cut() { event } else { self.pop(until) };
        }
        let Reverse((_, _, seq, event)) = self.queue.pop()?;
        self.trace.resumed(seq);
        Some(event)
    }

    /// Any of what is due now.
    fn pop_crossed(&mut self) -> Option<Event> {
        let mut all: Vec<_> = self.queue.drain().map(|Reverse(entry)| entry).collect();
        // Not by their numbers, which tell in what order they were thought of.
        all.sort_by_key(|&(at, _, number, event)| (at, event, number));
        // A pass that was planned and is not wanted any more is nothing.
        all.retain(|&(at, .., event)| event != Event::Pass || at == self.pass_at);
        let count = all.iter().take_while(|entry| entry.0 == self.now).count();
        let mut due: Vec<Event> = all[..count].iter().map(|&(.., event)| event).collect();
        due.dedup();
        // What a client sent comes behind its connection.
        let arrives = |id| all[..count].iter().any(|entry| entry.3 == Event::Syn(id));
        due.retain(|&event| !matches!(event, Event::Up(id) | Event::ResetUp(id) if arrives(id)));
        let later = all[count..].iter().map(|&(at, .., event)| (at, event));
        let crossing = self.crossing.as_mut()?;
        // Only what comes to the server, or makes a client speak, waits for anything else.
        let is_first = |event: &Event| match event {
            Event::Up(id) => {
                self.conns[*id].up.arriving().is_none_or(|(_, kind)| kind == Kind::End)
            }
            Event::ResetUp(_) | Event::Client(.., Timer::Mind(_)) => false,
            Event::Pass => self.is_pass_urgent,
            _ => true,
        };
        let event = match due.iter().position(is_first) {
            Some(place) => Some(due[place]),
            None => match crossing.pick(self.now, &due, later, &mut self.choices) {
                Pick::Event(place) => Some(due[place]),
                Pick::Tick => {
                    all[..count].iter_mut().for_each(|entry| entry.0 += UNIT);
                    self.pass_at = self.pass_at.max(self.now + UNIT);
                    None
                }
                Pick::Nothing => None,
            },
        };
        if let Some(event) = event {
            self.is_pass_urgent &= event != Event::Pass;
            if let Some(place) = all.iter().position(|entry| entry.3 == event) {
                let (_, _, seq, _) = all.remove(place);
                self.trace.resumed(seq);
            }
            let client = match event {
                Event::Down(id) | Event::ResetDown(id) => Some(self.conns[id].client),
                Event::Up(id) | Event::ResetUp(id) => Some(self.conns[id].client),
                Event::DueUp(id) | Event::DueDown(id) => Some(self.conns[id].client),
                Event::Client(client, ..) => Some(client),
                _ => None,
            };
            crossing.happens(self.now, event, client);
            if let (Event::Up(id), Some(client)) = (event, client)
                && self.conns[id].up.under_way(1).is_none()
                && self.conns[id].unsent.is_empty()
            {
                crossing.arrives(client, id);
            }
        }
        self.queue.extend(all.into_iter().map(Reverse));
        event
    }

    /// Whether the run ends before its time: all that can follow has been seen.
    pub(crate) fn is_cut(&self) -> bool {
        let is_cut = self.crossing.as_ref().is_some_and(|crossing| crossing.is_cut);
        is_cut || self.choices.is_beyond()
    }

    /// A client connects. Bytes may be written at once.
    pub(crate) fn connect(&mut self, client: usize) -> usize {
        let proxy = self.profile.proxy(client);
        let id = self.open(client, if proxy.is_relay() { Side::Front } else { Side::Direct });
        if let Proxy::IdleKilling(after) = proxy {
            self.push(self.now + after, Event::Idle(id));
        }
        let is_websocket =
            matches!(self.profile.kinds[client], client::Kind::WebSocket | client::Kind::Upgrading)
                && proxy != Proxy::Stripping;
        if self.outsiders[client].is_none() {
            self.liveness.connects(self.now, (client, is_websocket), &mut self.verdicts);
        }
        id
    }

    /// A client's proxy connects to the server.
    pub(crate) fn connect_back(&mut self, client: usize) -> usize {
        self.open(client, Side::Back)
    }

    fn open(&mut self, client: usize, side: Side) -> usize {
        let id = self.conns.len();
        let links = self.profile.links;
        if self.connections.len() <= client {
            self.connections.resize(client + 1, 0);
        }
        let number = self.connections[client];
        self.connections[client] += 1;
        let [stream, up, down] =
            ["conn", "up", "down"].map(|name| self.choices.stream_of(name, client as u64, number));
        let mut shape = links.draw(&mut self.choices, stream);
        let syn = links.draw_syn(&mut self.choices, stream);
        let ban = self.outsiders[client];
        match ban {
            Some(Ban::Slow) => shape.bandwidth = fault::SLOW,
            _ if self.is_healed => heal(&mut shape),
            _ => {}
        }
        let late = match syn {
            Syn::Late(late) if !self.is_healed => late,
            _ => 0,
        };
        let opened_at = self.now + shape.latency + late;
        self.conns.push(Conn {
            client,
            side,
            up: Pipe::new(shape, up, opened_at),
            down: Pipe::new(shape, down, opened_at),
            unsent: Vec::new(),
            notes: Notes::default(),
            is_ending: false,
            is_left: false,
            is_deaf: ban == Some(Ban::Deaf),
            is_reset: false,
            is_hostile: false,
            is_cut: false,
            passed_at: self.now,
            stream,
        });
        self.trace.connects(client);
        self.flagged((id, Dir::Up), Flag::Syn, opened_at, Event::Syn(id));
        if syn == Syn::Lost && !self.is_healed || ban == Some(Ban::Cut) {
            self.cut(id);
        }
        id
    }

    /// A connection becomes half-open: each side goes on as if the other were there.
    pub(crate) fn cut(&mut self, id: usize) {
        let conn = &mut self.conns[id];
        conn.is_cut = true;
        conn.up.cut();
        conn.down.cut();
        self.pump_up(id);
        self.pump_down(id);
    }

    /// A client writes; what does not fit waits. Within the bytes these units end.
    pub(crate) fn write(
        &mut self,
        id: usize,
        bytes: &[u8],
        units: impl IntoIterator<Item = (usize, Unit)>,
    ) {
        let conn = &mut self.conns[id];
        let scout = &mut self.scout;
        // What a proxy is told is written once more, by the proxy.
        let is_front = conn.side == Side::Front;
        let units = units.into_iter().inspect(|(_, unit)| {
            if !is_front {
                scout.wrote(id, unit);
            }
        });
        conn.notes.written(bytes.len(), units);
        conn.unsent.extend(bytes);
        if conn.side != Side::Back {
            self.trace.says(self.now, id, bytes);
        }
        self.client_pumps(id);
    }

    /// Whether the client at a connection notes all that it says.
    pub(crate) fn is_explained(&self, id: usize) -> bool {
        let kind = self.profile.kinds[self.conns[id].client];
        matches!(kind, client::Kind::Polling | client::Kind::WebSocket | client::Kind::Upgrading)
    }

    /// A client asks for an upgrade, and a proxy that knows HTTP only is in its way: it answers.
    pub(crate) fn strip(&mut self, id: usize) {
        self.marks.hit(Mark::Stripped);
        let there_and_back = 2 * self.conns[id].up.shape.latency;
        self.push(self.now + there_and_back, Event::Stripped(id));
    }

    /// Whether a proxy finds a connection idle. It does not look at those of a healed network.
    pub(crate) fn is_idle(&mut self, id: usize) -> bool {
        let conn = &self.conns[id];
        let Proxy::IdleKilling(after) = self.profile.proxy(conn.client) else { return false };
        if self.is_healed || conn.is_left || conn.is_reset {
            return false;
        }
        let due = conn.passed_at + after;
        if due > self.now {
            self.push(due, Event::Idle(id));
        }
        due <= self.now
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
        self.client_pumps(id);
    }

    /// A client resets.
    pub(crate) fn reset_by_client(&mut self, id: usize) {
        if let Some(crossing) = &mut self.crossing {
            crossing.speaks(self.conns[id].client, Some(id));
        }
        let conn = &mut self.conns[id];
        conn.is_left = true;
        conn.client_end().abort();
        self.pump_up(id);
    }

    fn client_pumps(&mut self, id: usize) {
        if let Some(crossing) = &mut self.crossing {
            crossing.speaks(self.conns[id].client, Some(id));
        }
        let conn = &mut self.conns[id];
        if !conn.unsent.is_empty() {
            let taken = conn.up.write(self.now, &conn.unsent);
            conn.unsent.drain(..taken);
        }
        if conn.is_ending && conn.unsent.is_empty() {
            conn.is_ending = false;
            conn.client_end().close();
        }
        self.pump_up(id);
    }

    pub(crate) fn pump_up(&mut self, id: usize) {
        let mut arrivals = Vec::new();
        self.conns[id].up.pump(self.now, &mut self.choices, |at| arrivals.push(at));
        self.under_way((id, Dir::Up), &arrivals);
        while let Some(at) = self.conns[id].up.reminder(self.now) {
            self.push(at, Event::DueUp(id));
        }
    }

    pub(crate) fn pump_down(&mut self, id: usize) {
        let mut arrivals = Vec::new();
        self.conns[id].down.pump(self.now, &mut self.choices, |at| arrivals.push(at));
        self.under_way((id, Dir::Down), &arrivals);
        while let Some(at) = self.conns[id].down.reminder(self.now) {
            self.push(at, Event::DueDown(id));
        }
    }

    /// So many segments have just been put onto the wire.
    fn under_way(&mut self, (id, dir): (usize, Dir), arrivals: &[u64]) {
        let cause = self.trace.cause();
        for (&at, left) in arrivals.iter().zip((0..arrivals.len()).rev()) {
            if self.trace.is_recorded() {
                let segment = self.pipe(id, dir).under_way(left);
                let (bytes, kind) = segment.unwrap_or((0, Kind::Bytes));
                self.trace.sends(self.now, (id, dir), bytes, flag(kind), at);
            }
            self.push(at, if dir == Dir::Up { Event::Up(id) } else { Event::Down(id) });
            self.trace.goes_on(cause);
        }
    }

    /// A segment without bytes goes its way, and this happens when it arrives.
    fn flagged(&mut self, way: (usize, Dir), flag: Flag, at: u64, event: Event) {
        let cause = self.trace.cause();
        self.trace.sends(self.now, way, 0, flag, at);
        self.push(at, event);
        self.trace.goes_on(cause);
    }

    fn pipe(&self, id: usize, dir: Dir) -> &Pipe {
        match dir {
            Dir::Up => &self.conns[id].up,
            Dir::Down => &self.conns[id].down,
        }
    }

    /// What arrives next in a direction does so now.
    fn arrives(&mut self, id: usize, dir: Dir) -> Arrived {
        let pipe = self.pipe(id, dir);
        let (first, unread) = (pipe.arriving(), pipe.unread());
        let conn = &mut self.conns[id];
        let mut end = if dir == Dir::Up { conn.server_end() } else { conn.client_end() };
        let arrived = end.arrive(self.now);
        if let Some((bytes, kind)) = first {
            self.conns[id].passed_at = self.now;
            let is_lost = matches!(arrived, Arrived::Nothing | Arrived::Answered);
            self.trace.receives(self.now, (id, dir), bytes, flag(kind), is_lost);
        }
        if arrived == Arrived::Reset {
            self.loses(id, dir, unread);
        }
        arrived
    }

    /// A reset has come, and may have taken with it what was not read.
    fn loses(&mut self, id: usize, dir: Dir, unread: usize) {
        let lost = unread - self.pipe(id, dir).unread();
        if lost > 0 {
            self.marks.hit(Mark::ResetUnread);
        }
        self.trace.loses(self.now, (id, dir), lost);
    }

    /// Somebody between client and server resets the connection, as far as one end is concerned.
    pub(crate) fn hit(&mut self, id: usize, dir: Dir) -> Arrived {
        let unread = self.pipe(id, dir).unread();
        let conn = &mut self.conns[id];
        if conn.is_cut {
            return Arrived::Nothing;
        }
        let mut end = if dir == Dir::Up { conn.server_end() } else { conn.client_end() };
        let arrived = end.reset();
        self.loses(id, dir, unread);
        arrived
    }

    /// A segment arrives at the server.
    pub(crate) fn arrive_up(&mut self, id: usize) -> Arrived {
        let arrived = self.arrives(id, Dir::Up);
        if arrived == Arrived::Answered {
            self.pump_down(id);
        }
        self.pump_up(id);
        arrived
    }

    /// A segment arrives at the client, which reads it unless it is deaf: what it reads, and
    /// whether it read the end.
    pub(crate) fn arrive_down(&mut self, id: usize) -> (Vec<u8>, bool) {
        let arrived = self.arrives(id, Dir::Down);
        if arrived == Arrived::Answered {
            self.pump_up(id);
        }
        let (bytes, is_end) = self.read_down(id);
        let read = (bytes, is_end || arrived == Arrived::Reset);
        if let Some(crossing) = &mut self.crossing {
            crossing.hears(id, self.conns[id].client, &read);
        }
        read
    }

    pub(crate) fn read_down(&mut self, id: usize) -> (Vec<u8>, bool) {
        let conn = &mut self.conns[id];
        let mut bytes = Vec::new();
        let mut is_end = false;
        while !conn.is_deaf && !conn.is_left {
            match conn.down.read(usize::MAX, &mut bytes) {
                Read::Bytes(_) => {}
                Read::End | Read::Lost => is_end = true,
                Read::Nothing => break,
            }
        }
        self.pump_down(id);
        (bytes, is_end)
    }

    /// What the client's kernel wanted to be reminded of. Says whether the connection is dead.
    pub(crate) fn due_up(&mut self, id: usize) -> bool {
        match self.conns[id].up.due(self.now) {
            Some(Due::Room) => self.client_pumps(id),
            Some(Due::TimedOut) => return self.conns[id].client_end().time_out() == Arrived::Reset,
            None => {}
        }
        self.pump_up(id);
        false
    }

    pub(crate) fn timer(&mut self, after: u64, client: usize, life: u32, timer: Timer) {
        if let Some(crossing) = &mut self.crossing {
            crossing.speaks(client, None);
        }
        self.push(self.now + after, Event::Client(client, life, timer));
    }

    /// Whether nothing is, or was, broken, and all is quick.
    pub(crate) fn is_undisturbed(&self) -> bool {
        self.profile.fault_every.is_none() && self.profile.pass_delay <= 1000
    }

    /// Whether nothing that is broken for good stands between a client and the server.
    pub(crate) fn is_healthy(&self, client: usize) -> bool {
        !self.is_gone[client] && self.outsiders[client].is_none()
    }

    /// Whether clients do what disturbs.
    pub(crate) fn is_restless(&self) -> bool {
        !self.is_healed && self.profile.fault_every.is_some()
    }

    /// The network becomes a good one, and the server quick. What was cut stays so, and so does
    /// what is broken for those who are not in the core.
    pub(crate) fn heal(&mut self, outsiders: Vec<Option<Ban>>) {
        self.is_healed = true;
        self.outsiders = outsiders;
        self.profile.read_bytes = self.profile.read_bytes.max(4096);
        self.profile.pass_delay = self.profile.pass_delay.min(1000);
        for id in 0..self.conns.len() {
            let conn = &mut self.conns[id];
            let pipes = [&mut conn.up, &mut conn.down];
            match self.outsiders[conn.client] {
                None => pipes.into_iter().for_each(|pipe| heal(&mut pipe.shape)),
                Some(Ban::Deaf) => conn.is_deaf = true,
                Some(Ban::Cut) => self.cut(id),
                Some(Ban::Slow) => {
                    pipes.into_iter().for_each(|pipe| pipe.shape.bandwidth = fault::SLOW);
                }
            }
        }
        let is_in = |(kind, ban): (&client::Kind, &Option<Ban>)| kind.is_honest() && ban.is_none();
        let core = self.profile.kinds.iter().zip(&self.outsiders).map(is_in);
        let core = core.zip(&self.is_gone).map(|(is_in, is_gone)| is_in && !is_gone).collect();
        let has_outsiders = self.outsiders.iter().any(Option::is_some);
        let terms = self.terms();
        self.liveness.heals(core, has_outsiders, terms);
        self.push(self.now + terms.well_within, Event::Well);
    }

    /// By when all must be well, counted from the healing.
    fn terms(&self) -> Terms {
        let config = &self.profile.config;
        let beat = (config.ping_interval + config.ping_timeout).as_micros() as u64;
        let upgrade = config.upgrade_timeout.as_micros() as u64;
        let well_within = beat
            + client::HANDSHAKE_MAX
            + client::BACK_OFF_MAX * 3 / 2
            + upgrade.max(client::PROBE_MAX)
            + 5 * ROUND_TRIP_MAX;
        let quiet_at = self.profile.quiet_at.max(self.now + well_within);
        Terms {
            well_within,
            idle_from: quiet_at + beat + SETTLING,
            egress_bytes_max: u64::from(config.limits.egress_bytes_max),
        }
    }
}

/// There and back on a network that has healed, with what a pass and a client's thinking take.
const ROUND_TRIP_MAX: u64 = 300_000;
/// From the last word of a client to the end of all that it led to: answers, timers, asks.
const SETTLING: u64 = 20_000_000;

fn flag(kind: Kind) -> Flag {
    match kind {
        Kind::Bytes => Flag::None,
        Kind::End => Flag::Fin,
        Kind::Reset => Flag::Rst,
    }
}

fn heal(shape: &mut Shape) {
    shape.latency = shape.latency.min(50_000);
    shape.jitter = shape.jitter.min(5000);
    shape.bandwidth = shape.bandwidth.max(1_000_000);
    shape.buffer_bytes = shape.buffer_bytes.max(16_384);
    shape.window_bytes = shape.window_bytes.max(16_384);
}
