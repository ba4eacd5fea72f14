//! A driver in memory that holds its machine to the contract at every step.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use parlor::{
    Config, ConnId, Event, Input, Instant, Output, Overloaded, Server, SocketId, Stats, Wake,
};

use crate::machine::{Bare, Machine, Program};
use crate::speech;

/// A machine, its connections and its time.
pub(crate) struct World<M> {
    pub(crate) machine: M,
    pub(crate) now: Instant,
    pub(crate) wires: BTreeMap<ConnId, Wire>,
    /// Connections that were closed, and whether they were aborted.
    pub(crate) gone: BTreeMap<ConnId, (Wire, bool)>,
    /// Everything that came out.
    pub(crate) log: String,
    latest: Instant,
    counted: Stats,
}

/// One connection, as its driver and its client see it.
#[derive(Debug, Default)]
pub(crate) struct Wire {
    /// What the client got and nobody has taken yet.
    pub(crate) received: Vec<u8>,
    /// What `egress` has shown.
    shown: Vec<u8>,
    /// A write attempt is owed.
    pub(crate) owed: bool,
    /// The kernel refused, and has not said that it has room.
    pub(crate) refusing: bool,
    pub(crate) paused: bool,
    /// The server ended its side.
    pub(crate) shut: bool,
    /// The client does not read: nothing is written by itself.
    pub(crate) deaf: bool,
}

/// Every event of a server is kept for the test.
pub(crate) type Quiet = World<Bare<Vec<Event>>>;

impl Quiet {
    pub(crate) fn quiet(config: Config) -> Self {
        Self::with(config, Vec::new())
    }

    /// Takes the events that came so far.
    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.machine.program)
    }
}

impl<P: Program> World<Bare<P>> {
    pub(crate) fn with(config: Config, program: P) -> Self {
        let server = Server::new(config, [5; 32], Instant::ZERO, 0).expect("a sound configuration");
        Self::new(Bare { server, pairs: Default::default(), program })
    }

    pub(crate) fn server_mut(&mut self) -> &mut Server {
        &mut self.machine.server
    }
}

impl<M: Machine> World<M> {
    pub(crate) fn new(machine: M) -> Self {
        Self {
            machine,
            now: Instant::ZERO,
            wires: BTreeMap::new(),
            gone: BTreeMap::new(),
            log: String::new(),
            latest: Instant::ZERO,
            counted: Stats::default(),
        }
    }

    pub(crate) fn stats(&self) -> Stats {
        *self.machine.server().stats()
    }

    pub(crate) fn try_accept(&mut self) -> Result<ConnId, Overloaded> {
        let peer = SocketAddr::from(([127, 0, 0, 1], 4000));
        let conn = self.machine.accept(self.now, peer.into())?;
        assert!(!self.wires.contains_key(&conn) && !self.gone.contains_key(&conn), "a new handle");
        self.wires.insert(conn, Wire::default());
        self.settle();
        Ok(conn)
    }

    pub(crate) fn accept(&mut self) -> ConnId {
        self.try_accept().expect("there is room")
    }

    /// A connection on which the client has said this.
    pub(crate) fn connect(&mut self, bytes: &[u8]) -> ConnId {
        let conn = self.accept();
        self.data(conn, bytes);
        conn
    }

    pub(crate) fn data(&mut self, conn: ConnId, bytes: &[u8]) {
        self.input(Input::Data { conn, bytes: &mut bytes.to_vec() });
    }

    pub(crate) fn eof(&mut self, conn: ConnId) {
        self.input(Input::Eof { conn });
    }

    pub(crate) fn lose(&mut self, conn: ConnId) {
        self.input(Input::Lost { conn });
    }

    pub(crate) fn input(&mut self, input: Input<'_>) {
        self.machine.handle(self.now, input);
        self.settle();
    }

    /// Writes up to `bytes` of what waits, if an attempt is owed.
    pub(crate) fn write(&mut self, conn: ConnId, bytes: usize, refused: bool) {
        let Some(wire) = self.wires.get_mut(&conn).filter(|wire| wire.owed) else { return };
        let taken = bytes.min(wire.shown.len());
        let written: Vec<u8> = wire.shown.drain(..taken).collect();
        // A kernel that took all of what it was offered has not refused.
        let refused = refused && !wire.shown.is_empty();
        wire.received.extend(written);
        wire.owed = false;
        wire.refusing = refused;
        self.input(Input::Sent { conn, bytes: taken, refused });
    }

    /// The kernel has room again.
    pub(crate) fn writable(&mut self, conn: ConnId) {
        if let Some(wire) = self.wires.get_mut(&conn) {
            wire.refusing = false;
        }
        self.input(Input::Writable { conn });
    }

    /// A client begins to read, or stops.
    pub(crate) fn set_deaf(&mut self, conn: ConnId, deaf: bool) {
        if let Some(wire) = self.wires.get_mut(&conn) {
            wire.deaf = deaf;
        }
        self.settle();
    }

    /// What the client of a connection got, open or closed.
    pub(crate) fn received(&self, conn: ConnId) -> &[u8] {
        let open = self.wires.get(&conn).or_else(|| self.gone.get(&conn).map(|(wire, _)| wire));
        &open.expect("it was accepted").received
    }

    /// What its client got since this was last asked.
    pub(crate) fn take(&mut self, conn: ConnId) -> Vec<u8> {
        let open = self.wires.get_mut(&conn);
        let wire = open.or_else(|| self.gone.get_mut(&conn).map(|(wire, _)| wire));
        std::mem::take(&mut wire.expect("it was accepted").received)
    }

    /// The answers that its client got since.
    pub(crate) fn answers(&mut self, conn: ConnId) -> Vec<(u16, Vec<u8>)> {
        speech::answers(&self.take(conn))
    }

    pub(crate) fn is_open(&self, conn: ConnId) -> bool {
        self.wires.contains_key(&conn)
    }

    /// Sleeps as a faithful driver: wakes at each deadline, `late` after it.
    pub(crate) fn sleep_late(&mut self, time: Duration, late: Duration) {
        let end = self.now + time;
        self.settle();
        while let Some((at, _)) = self.machine.poll_timeout().filter(|(at, _)| *at + late <= end) {
            self.now = self.now.max(at + late);
            self.fire();
        }
        self.now = end;
    }

    pub(crate) fn sleep(&mut self, time: Duration) {
        self.sleep_late(time, Duration::ZERO);
    }

    /// Fires everything that is due. It comes to an end.
    pub(crate) fn fire(&mut self) {
        let due =
            |world: &Self| world.machine.poll_timeout().is_some_and(|(at, _)| at <= world.now);
        for _ in 0..20_000 {
            if !due(self) {
                return;
            }
            self.machine.handle_timeout(self.now);
            self.settle();
        }
        panic!("at {} there is no end of {:?}", self.now, self.machine.poll_timeout());
    }

    /// Carries out what the machine asks, and looks at it closely.
    pub(crate) fn settle(&mut self) {
        loop {
            self.drain();
            self.check();
            let willing = |(_, wire): &(&ConnId, &Wire)| wire.owed && !wire.deaf;
            let Some((&conn, _)) = self.wires.iter().find(willing) else { return };
            self.write_once(conn);
        }
    }

    fn write_once(&mut self, conn: ConnId) {
        let wire = self.wires.get_mut(&conn).expect("it was just found");
        let written = std::mem::take(&mut wire.shown);
        wire.owed = false;
        let sent = Input::Sent { conn, bytes: written.len(), refused: false };
        wire.received.extend(written);
        self.machine.handle(self.now, sent);
    }

    fn drain(&mut self) {
        loop {
            let timeout = self.machine.poll_timeout();
            let Some(output) = self.machine.poll_output() else { break };
            let due = timeout.is_some_and(|(at, _)| at <= self.machine.server().now());
            assert!(due, "{output:?} would be stranded: {timeout:?}");
            writeln!(self.log, "{} {output:?}", self.now).expect("a String takes all");
            match output {
                Output::Event { turn, event } => {
                    let _ = turn;
                    self.machine.event(self.now, event);
                }
                Output::Flush(conn) => {
                    let wire = self.wire(conn);
                    assert!(!wire.owed, "{conn:?}: one write attempt is owed already");
                    wire.owed = true;
                    wire.refusing = false;
                }
                Output::Pause(conn) => {
                    assert!(!std::mem::replace(&mut self.wire(conn).paused, true))
                }
                Output::Resume(conn) => {
                    assert!(std::mem::replace(&mut self.wire(conn).paused, false));
                }
                Output::ShutdownWrite(conn) => {
                    let waiting = self.machine.server().connection_egress_bytes(conn);
                    assert_eq!(waiting, 0, "{conn:?} is half-closed with bytes left");
                    assert!(!std::mem::replace(&mut self.wire(conn).shut, true));
                }
                Output::Close { conn, abort } => {
                    let wire = self.wires.remove(&conn).expect("it closes once");
                    assert!(!wire.paused, "{conn:?} was paused for good");
                    self.gone.insert(conn, (wire, abort));
                }
                other => panic!("an output nobody knows: {other:?}"),
            }
        }
        let timeout = self.machine.poll_timeout();
        // Only a socket that nobody has released is still to be looked at.
        assert!(!matches!(timeout, Some((at, Wake::QueuedOutput)) if at > self.now), "{timeout:?}");
    }

    fn wire(&mut self, conn: ConnId) -> &mut Wire {
        self.wires.get_mut(&conn).expect("`Close` is the last output of its handle")
    }

    fn check(&mut self) {
        let server = self.machine.server();
        assert!(server.now() >= self.latest, "time goes back");
        self.latest = server.now();
        for (conn, wire) in &mut self.wires {
            let egress: Vec<u8> = server.egress(*conn).flatten().copied().collect();
            assert_eq!(egress.len() as u32, server.connection_egress_bytes(*conn), "{conn:?}");
            assert!(egress.starts_with(&wire.shown), "{conn:?}: what was shown has changed");
            let attended = egress.is_empty() || wire.owed || wire.refusing;
            assert!(attended, "{conn:?}: nobody writes {} bytes", egress.len());
            if egress.len() > wire.shown.len() {
                let new = String::from_utf8_lossy(&egress[wire.shown.len()..]);
                writeln!(self.log, "{} {conn:?} {new:?}", self.now).expect("a String takes all");
            }
            wire.shown = egress;
        }
        for conn in self.gone.keys() {
            assert_eq!(server.connection_egress_bytes(*conn), 0, "{conn:?} is gone");
        }
        assert_eq!(server.connections() as usize, self.wires.len());
        let stats = *server.stats();
        assert_eq!(stats.sessions_opened - stats.sessions_closed, u64::from(server.sessions()));
        let bytes_max = server.config().limits.egress_bytes_max;
        for session in &self.machine.pairs().lock().expect("one thread").sessions {
            // Heartbeats and closing have an allowance; framing differs between the transports.
            let bytes = server.egress_bytes(*session).unwrap_or(0);
            assert!(bytes <= 2 * bytes_max + 1024, "{session:?}: {bytes} bytes wait");
        }
        let shrunk = self.counted.each().zip(stats.each()).find(|((_, old), (_, new))| new < old);
        assert_eq!(shrunk, None, "counters only grow");
        self.counted = stats;
    }

    /// Shuts down, with clients that do or do not take their last bytes, and waits for the end.
    pub(crate) fn shut_down(&mut self, deaf: bool) {
        for wire in self.wires.values_mut() {
            wire.deaf = deaf;
        }
        self.machine.shutdown(self.now);
        self.settle();
        let linger = self.machine.server().config().linger;
        self.sleep(linger * 2 + Duration::from_secs(1));
        assert!(self.machine.server().is_drained(), "still there: {:?}", self.wires.keys());
        assert_eq!(self.machine.server().sessions(), 0);
        self.check_forgotten();
    }

    /// Nobody is there, and nobody is remembered.
    pub(crate) fn check_forgotten(&self) {
        let pairs = self.machine.pairs();
        let pairs = pairs.lock().expect("one thread");
        pairs.check_balanced();
        for &socket in pairs.sockets.keys() {
            assert!(!self.machine.server().is_present(socket), "{socket} is remembered");
        }
        let stats = self.stats();
        assert_eq!(stats.sockets_connected, stats.sockets_disconnected);
        assert_eq!(stats.sessions_opened, stats.sessions_closed);
    }
}

/// Clients of a test that reads what it gets.
impl<M: Machine> World<M> {
    /// A polling session in `/`; returns its id.
    pub(crate) fn polling(&mut self) -> String {
        let conn = self.connect(&speech::open());
        let sid = speech::ids(&self.take(conn), 27).remove(0);
        self.data(conn, &speech::post(&sid, b"40"));
        self.data(conn, &speech::poll(&sid));
        let answers = self.answers(conn);
        assert!(answers[1].1.starts_with(b"40{"), "{answers:?}");
        self.lose_politely(conn);
        sid
    }

    fn lose_politely(&mut self, conn: ConnId) {
        self.eof(conn);
        assert!(!self.is_open(conn), "both ends have closed");
    }

    /// A websocket in `/`; returns its connection and its socket.
    pub(crate) fn websocket(&mut self) -> (ConnId, SocketId) {
        let conn = self.connect(&[speech::open_websocket(), speech::text("40")].concat());
        let id = speech::ids(&self.take(conn), 20).remove(0);
        (conn, SocketId::parse(&id).expect("an id of ours"))
    }

    /// Whether a websocket's client is undisturbed: it asks and is answered at once.
    pub(crate) fn is_well(&mut self, conn: ConnId) -> bool {
        self.take(conn);
        self.data(conn, &speech::frame(0x89, b"are you there"));
        self.is_open(conn) && self.received(conn) == b"\x8a\x0dare you there"
    }
}
