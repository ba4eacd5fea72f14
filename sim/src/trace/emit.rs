//! How a world's parts say what happens: each method does nothing unless the run is recorded.

use std::collections::{BTreeMap, VecDeque};

use super::Trace;
use super::record::{App, Dir, Entity, Fault, Flag, Input, Net, Output, Peer, Record, Step, What};
use super::unit::Decoder;
use super::value::Value;

/// The only server.
const NODE: Entity = Entity::Node(1);

/// Records between two whole shadows of one entity.
const WHOLE_EVERY: u32 = 1024;

/// The records of a run, and what is known meanwhile of causes.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    records: Vec<Record>,
    /// What causes what happens now.
    cause: Option<u32>,
    /// What caused the events that are queued, by their numbers.
    queued: BTreeMap<u64, u32>,
    wires: Vec<Wire>,
    /// How many connections each client has made.
    connections: BTreeMap<u32, u32>,
    /// Faults that end by themselves, in the order of their ends.
    ends: Vec<(u64, Entity, Box<str>, u32)>,
    shadows: BTreeMap<Box<str>, Shadow>,
}

/// One connection.
#[derive(Debug)]
struct Wire {
    entity: Entity,
    up: Way,
    down: Way,
    /// What the server has shown.
    shown: Decoder,
    /// The latest flush.
    flushed: Option<u32>,
}

/// One direction.
#[derive(Debug)]
struct Way {
    /// Offsets.
    sent: u64,
    received: u64,
    /// The segments with bytes, or the end, that have not arrived.
    flying: VecDeque<u32>,
    /// The record that wrote last.
    written: Option<u32>,
    /// The record of the segment that came last.
    arrived: Option<u32>,
    /// What the client says or hears.
    units: Decoder,
}

impl Way {
    fn new(dir: Dir) -> Self {
        Self {
            sent: 0,
            received: 0,
            flying: VecDeque::new(),
            written: None,
            arrived: None,
            units: Decoder::new(dir),
        }
    }
}

#[derive(Debug, Default)]
struct Shadow {
    /// The number of the last record that told all of it.
    whole_at: u32,
    fields: BTreeMap<&'static str, Value>,
}

impl Wire {
    fn way(&mut self, dir: Dir) -> &mut Way {
        match dir {
            Dir::Up => &mut self.up,
            Dir::Down => &mut self.down,
        }
    }
}

impl Recorder {
    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    /// Adds a record, caused by what is told; gives its number.
    fn add(&mut self, t: u64, cause: Option<u32>, at: Entity, what: What) -> u32 {
        while self.ends.first().is_some_and(|(end, ..)| *end <= t) {
            let (end, at, fault, cause) = self.ends.remove(0);
            let what = What::Fault(Fault { is_on: false, fault, parameters: Vec::new() });
            self.records.push(Record { t: end, cause: Some(cause), at, what });
        }
        self.records.push(Record { t, cause, at, what });
        self.records.len() as u32 - 1
    }

    /// The same, and it causes what follows.
    fn begin(&mut self, t: u64, cause: Option<u32>, at: Entity, what: What) -> u32 {
        let n = self.add(t, cause, at, what);
        self.cause = Some(n);
        n
    }

    fn wire(&mut self, conn: usize) -> &mut Wire {
        &mut self.wires[conn]
    }

    fn connects(&mut self, client: usize) {
        let number = self.connections.entry(client as u32).or_default();
        *number += 1;
        self.wires.push(Wire {
            entity: Entity::Conn(client as u32, *number),
            up: Way::new(Dir::Up),
            down: Way::new(Dir::Down),
            shown: Decoder::new(Dir::Down),
            flushed: None,
        });
    }

    /// A client has written or read bytes: a record for each unit of them, and for a rest that a
    /// client writes.
    fn peer(&mut self, now: u64, conn: usize, is_said: bool, bytes: &[u8]) {
        let cause = if is_said { self.cause } else { self.wire(conn).down.arrived };
        let dir = if is_said { Dir::Up } else { Dir::Down };
        let wire = self.wire(conn);
        let entity = wire.entity;
        let way = wire.way(dir);
        let mut units = way.units.feed(bytes);
        if is_said {
            units.extend(way.units.part());
        }
        for unit in units {
            let peer = Peer {
                is_said,
                conn: conn as u32,
                unit: unit.text.into(),
                end: unit.end,
                bytes: unit.bytes.into(),
            };
            let n = self.add(now, cause, entity, What::Peer(peer));
            if is_said {
                self.wire(conn).up.written = Some(n);
            } else {
                self.cause = Some(n);
            }
        }
    }

    fn shadow(&mut self, now: u64, of: &str, all: Vec<(&'static str, Value)>) {
        let n = self.records.len() as u32;
        let shadow = self.shadows.entry(of.into()).or_default();
        let is_whole = shadow.fields.is_empty() || n - shadow.whole_at >= WHOLE_EVERY;
        if is_whole {
            shadow.whole_at = n;
        }
        let mut fields = Vec::new();
        for (name, value) in all {
            if is_whole || shadow.fields.get(name) != Some(&value) {
                fields.push((name.into(), value.clone()));
                shadow.fields.insert(name, value);
            }
        }
        if !fields.is_empty() {
            self.add(now, self.cause, NODE, What::Shadow { of: of.into(), fields });
        }
    }
}

/// What the hub says.
impl Trace {
    fn with(&mut self, work: impl FnOnce(&mut Recorder)) {
        if let Some(recorder) = self.recorder.as_deref_mut() {
            work(recorder);
        }
    }

    /// What goes on now is the cause of this event of the queue.
    pub(crate) fn queued(&mut self, seq: u64) {
        self.with(|recorder| {
            if let Some(cause) = recorder.cause {
                recorder.queued.insert(seq, cause);
            }
        });
    }

    /// This event of the queue happens.
    pub(crate) fn resumed(&mut self, seq: u64) {
        self.with(|recorder| recorder.cause = recorder.queued.remove(&seq));
    }

    /// What goes on now.
    pub(crate) fn cause(&self) -> Option<u32> {
        self.recorder.as_deref().and_then(|recorder| recorder.cause)
    }

    /// What goes on now is again what went on then.
    pub(crate) fn goes_on(&mut self, cause: Option<u32>) {
        self.with(|recorder| recorder.cause = cause);
    }

    /// A client has made a connection, the next one by number.
    pub(crate) fn connects(&mut self, client: usize) {
        self.with(|recorder| recorder.connects(client));
    }

    /// A client writes.
    pub(crate) fn says(&mut self, now: u64, conn: usize, bytes: &[u8]) {
        self.with(|recorder| recorder.peer(now, conn, true, bytes));
    }

    /// A client reads.
    pub(crate) fn hears(&mut self, now: u64, conn: usize, bytes: &[u8]) {
        self.with(|recorder| recorder.peer(now, conn, false, bytes));
    }

    /// A segment of so many bytes goes onto the wire; it causes what follows.
    pub(crate) fn sends(
        &mut self,
        now: u64,
        (conn, dir): (usize, Dir),
        bytes: usize,
        flag: Flag,
        due: u64,
    ) {
        self.with(|recorder| {
            let now_cause = recorder.cause;
            let wire = recorder.wire(conn);
            let entity = wire.entity;
            let way = wire.way(dir);
            let (from, cause) = (way.sent, way.written.or(now_cause));
            way.sent += bytes as u64;
            let step = Step::Send { due };
            let net = Net { step, conn: conn as u32, dir, from, to: way.sent, flag };
            let n = recorder.begin(now, cause, entity, What::Net(net));
            if matches!(flag, Flag::None | Flag::Fin) {
                recorder.wire(conn).way(dir).flying.push_back(n);
            }
        });
    }

    /// A segment arrives, or would if it was not lost; it causes what follows.
    pub(crate) fn receives(
        &mut self,
        now: u64,
        (conn, dir): (usize, Dir),
        bytes: usize,
        flag: Flag,
        is_lost: bool,
    ) {
        self.with(|recorder| {
            let queued = recorder.cause;
            let wire = recorder.wire(conn);
            let entity = wire.entity;
            let way = wire.way(dir);
            let cause = match flag {
                // Of one instant, the event that comes first need not be that of the first.
                Flag::None | Flag::Fin => way.flying.pop_front(),
                Flag::Syn | Flag::Rst => queued,
            };
            let from = way.received;
            way.received += bytes as u64;
            let step = if is_lost { Step::Lose } else { Step::Receive };
            let net = Net { step, conn: conn as u32, dir, from, to: way.received, flag };
            let n = recorder.begin(now, cause, entity, What::Net(net));
            if !is_lost {
                recorder.wire(conn).way(dir).arrived = Some(n);
            }
        });
    }

    /// Bytes that had arrived and were not read are gone.
    pub(crate) fn loses(&mut self, now: u64, (conn, dir): (usize, Dir), bytes: usize) {
        self.with(|recorder| {
            if bytes == 0 {
                return;
            }
            let cause = recorder.cause;
            let wire = recorder.wire(conn);
            let entity = wire.entity;
            let to = wire.way(dir).received;
            let (from, flag) = (to - bytes as u64, Flag::None);
            let net = Net { step: Step::Lose, conn: conn as u32, dir, from, to, flag };
            recorder.add(now, cause, entity, What::Net(net));
        });
    }
}

/// What the driver says.
impl Trace {
    /// Something is handed to the node; it causes what follows, until its turn is over.
    pub(crate) fn input(&mut self, now: u64, input: impl FnOnce() -> Input) {
        self.with(|recorder| {
            let what = What::In(0, input());
            let conn = what.conn().map(|conn| conn as usize);
            let mut wire = conn.map(|conn| recorder.wire(conn));
            let cause = match &what {
                What::In(_, Input::Sent { .. }) => wire.as_ref().and_then(|wire| wire.flushed),
                What::In(_, Input::Writable { .. }) => {
                    wire.as_ref().and_then(|wire| wire.down.arrived)
                }
                What::In(_, Input::Timeout { .. } | Input::Shutdown) => None,
                What::In(_, Input::Job { .. }) => recorder.cause,
                _ => wire.as_mut().and_then(|wire| wire.up.arrived),
            };
            let is_sent = matches!(what, What::In(_, Input::Sent { .. }));
            let n = recorder.begin(now, cause, NODE, what);
            if let (true, Some(conn)) = (is_sent, conn) {
                recorder.wire(conn).down.written = Some(n);
            }
        });
    }

    /// The call is over; its turn was this one.
    pub(crate) fn turn(&mut self, turn: u64) {
        self.with(|recorder| {
            let cause = recorder.cause.map(|cause| cause as usize);
            let record = cause.and_then(|cause| recorder.records.get_mut(cause));
            if let Some(Record { what: What::In(told, _), .. }) = record {
                *told = turn;
            }
        });
    }

    /// What the program did and was told in this call.
    pub(crate) fn app(&mut self, now: u64, all: Vec<App>) {
        self.with(|recorder| {
            for app in all {
                recorder.add(now, recorder.cause, Entity::App, What::App(app));
            }
        });
    }

    /// The node shows more bytes for a connection.
    pub(crate) fn grows(&mut self, now: u64, conn: usize, bytes: &[u8]) {
        self.with(|recorder| {
            let units = recorder.wire(conn).shown.feed(bytes);
            let packets = units.into_iter().flat_map(|unit| unit.packets).map(Into::into);
            let grow = Output::Grow { bytes: bytes.into(), packets: packets.collect() };
            recorder.add(now, recorder.cause, NODE, What::Out(conn as u32, grow));
        });
    }

    /// The node wants something.
    pub(crate) fn output(&mut self, now: u64, conn: usize, output: impl FnOnce() -> Output) {
        self.with(|recorder| {
            let output = output();
            let is_flush = output == Output::Flush;
            let n = recorder.add(now, recorder.cause, NODE, What::Out(conn as u32, output));
            if is_flush {
                recorder.wire(conn).flushed = Some(n);
            } else {
                recorder.wire(conn).down.written = Some(n);
            }
        });
    }

    /// The driver writes what was flushed.
    pub(crate) fn writes(&mut self, conn: usize) {
        self.with(|recorder| {
            let wire = recorder.wire(conn);
            wire.down.written = wire.flushed;
        });
    }
}

/// What everybody else says.
impl Trace {
    /// The name of a connection, of a run that is recorded.
    pub(crate) fn entity(&self, conn: usize) -> Option<Entity> {
        self.recorder.as_deref().map(|recorder| recorder.wires[conn].entity)
    }

    /// A fault begins; it ends then, or is told to.
    pub(crate) fn fault_on(
        &mut self,
        now: u64,
        at: Entity,
        fault: &str,
        until: Option<u64>,
        parameters: &[(&str, u64)],
    ) {
        self.with(|recorder| {
            let told = parameters.iter().map(|&(name, value)| (name.into(), value)).collect();
            let what = What::Fault(Fault { is_on: true, fault: fault.into(), parameters: told });
            let n = recorder.begin(now, recorder.cause, at, what);
            if let Some(until) = until {
                let place = recorder.ends.partition_point(|(end, ..)| *end <= until);
                recorder.ends.insert(place, (until, at, fault.into(), n));
            }
        });
    }

    /// A fault ends.
    pub(crate) fn fault_off(&mut self, now: u64, at: Entity, fault: &str) {
        self.with(|recorder| {
            let fault = Fault { is_on: false, fault: fault.into(), parameters: Vec::new() };
            recorder.begin(now, recorder.cause, at, What::Fault(fault));
        });
    }

    /// A mark is hit.
    pub(crate) fn mark(&mut self, now: u64, name: &str) {
        self.with(|recorder| {
            recorder.add(now, recorder.cause, NODE, What::Mark(name.into()));
        });
    }

    /// An oracle has found something, because of what goes on now.
    pub(crate) fn oracle(&mut self, now: u64, id: &str, verdict: &str, text: &str) {
        self.with(|recorder| {
            let (id, verdict, text) = (id.into(), verdict.into(), text.into());
            recorder.add(now, recorder.cause, NODE, What::Oracle { id, verdict, text });
        });
    }

    /// What did not hold, found when all was over, and what happened until then. At 0 that is
    /// everything.
    pub(crate) fn ends(&mut self, at: u64, id: &str, text: &str) {
        let mut end = at;
        self.with(|recorder| {
            let records = &mut recorder.records;
            if at > 0 {
                records.truncate(records.partition_point(|record| record.t <= at));
            }
            end = records.last().map_or(at, |last| last.t.max(at));
            recorder.cause = (records.len() as u32).checked_sub(1);
        });
        self.oracle(end, id, "fail", text);
    }

    /// What the world knows of a connection, a session or a socket now. All of it is told; what
    /// has changed is written.
    pub(crate) fn shadow(
        &mut self,
        now: u64,
        of: &str,
        all: impl FnOnce() -> Vec<(&'static str, Value)>,
    ) {
        self.with(|recorder| recorder.shadow(now, of, all()));
    }

    /// A word about what happens there.
    pub(crate) fn note(&mut self, now: u64, at: Entity, text: impl FnOnce() -> String) {
        self.with(|recorder| {
            recorder.add(now, recorder.cause, at, What::Note(text().into()));
        });
    }
}
