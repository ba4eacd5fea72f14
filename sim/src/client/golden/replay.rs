//! A world in which a recording is the server: it says what it said then, as soon as the client
//! has said all that came before.

use std::collections::BTreeMap;
use std::time::Duration;

use parlor::{Config, SendStatus, SocketId};

use super::capture::{Capture, Ear, Unit, Who};
use super::stories::{Puppet, Story};
use crate::choice::Choices;
use crate::client::packet::{Message, Packet};
use crate::client::{Client, Kind, Me, Timer, http, json, space};
use crate::hub::{Event, Hub};
use crate::profile::{Network, Profile};
use crate::trace::Trace;
use crate::watch::print;

pub(super) struct Replay {
    hub: Hub,
    client: Client,
    script: Vec<Line>,
    /// The client's connections, by the recording's.
    conns: BTreeMap<usize, usize>,
    ears: Vec<Ear>,
    /// Who is a member of each namespace.
    members: BTreeMap<String, SocketId>,
    has_left: bool,
}

/// What is to be said.
#[derive(Debug)]
struct Line {
    conn: usize,
    says: Says,
    was_said: bool,
}

#[derive(Debug)]
enum Says {
    Client(Unit),
    Server(Vec<u8>),
}

impl Replay {
    pub(super) fn new(capture: &Capture, seed: u64, kind: Kind, story: Story) -> Self {
        let outside = (0, 0);
        let profile = Profile::scenario(Network::Perfect, vec![kind], Config::default(), outside);
        let mut hub = Hub::new(Choices::new(seed), profile, Trace::new(false));
        let client = Client::new(0, kind, Box::new(Puppet::new(story)), &mut hub);
        let mut ears: BTreeMap<usize, Ear> = BTreeMap::new();
        let mut script = Vec::new();
        for said in capture.iter() {
            let conn = said.conn;
            let line = |says| Line { conn, says, was_said: false };
            match said.who {
                Who::Client => {
                    let units = ears.entry(conn).or_default().hear(&said.bytes);
                    script.extend(units.into_iter().map(|unit| line(Says::Client(unit))));
                }
                Who::Server => script.push(line(Says::Server(said.bytes.clone()))),
            }
        }
        let (conns, members) = (BTreeMap::new(), BTreeMap::new());
        Self { hub, client, script, conns, ears: Vec::new(), members, has_left: false }
    }

    /// Until everything was said.
    pub(super) fn run(mut self) {
        while self.script.iter().any(|line| !line.was_said) {
            let until = self.hub.now + Duration::from_secs(10).as_micros() as u64;
            match self.hub.pop(until) {
                Some(event) => self.step(event),
                None => self.urge(),
            }
            self.answer();
            if let Some(failure) = self.hub.verdicts.failure() {
                panic!("{failure:?}");
            }
        }
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Up(id) => {
                self.hub.arrive_up(id);
                let mut bytes = Vec::new();
                self.hub.conns[id].up.read(usize::MAX, &mut bytes);
                self.ears.resize_with(self.hub.conns.len(), Ear::default);
                for unit in self.ears[id].hear(&bytes) {
                    self.heard(id, unit);
                }
            }
            Event::Down(id) => {
                let (bytes, is_end) = self.hub.arrive_down(id);
                self.client.bytes(id, &bytes, &mut self.hub);
                assert!(!is_end, "the recording does not close");
            }
            Event::Client(_, life, timer) => self.client.timer(life, timer, &mut self.hub),
            _ => {}
        }
    }

    /// The client has said something: the same as the official one said next in its place.
    fn heard(&mut self, id: usize, unit: Unit) {
        let next = self.script.iter_mut().find(|line| match &line.says {
            Says::Client(official) => !line.was_said && official.channel() == unit.channel(),
            Says::Server(_) => false,
        });
        let Some(line) = next else { panic!("the official client never says {unit:?}") };
        let Says::Client(official) = &line.says else { unreachable!("it was found as a client's") };
        assert_eq!(unit, *official, "what the model client says, and the official one");
        line.was_said = true;
        let known = *self.conns.entry(line.conn).or_insert(id);
        assert_eq!(known, id, "each says it on the same connection as before");
    }

    /// The server says what it said, as far as it has heard what it had heard.
    fn answer(&mut self) {
        for place in 0..self.script.len() {
            let line = &mut self.script[place];
            match &line.says {
                Says::Client(_) if line.was_said => {}
                Says::Client(_) => return,
                Says::Server(_) if line.was_said => {}
                Says::Server(bytes) => {
                    line.was_said = true;
                    let (id, bytes) = (self.conns[&line.conn], accepting(bytes));
                    self.foretell(&bytes);
                    let taken = self.hub.conns[id].down.write(self.hub.now, &bytes);
                    assert_eq!(taken, bytes.len(), "a perfect network has room");
                    self.hub.pump_down(id);
                }
            }
        }
    }

    /// The oracles hear of no application here, so what it emitted is taken from the recording.
    fn foretell(&mut self, bytes: &[u8]) {
        let bytes = if bytes.starts_with(b"HTTP/") {
            bytes.to_vec()
        } else {
            let switched = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";
            [switched, bytes].concat()
        };
        let mut packets = super::texts(bytes).into_iter();
        while let Some(packet) = packets.next() {
            let Packet::Text('4', text) = packet else { continue };
            let message = Message::parse(&text).expect("the codec's own test reads it");
            if message.kind == 0 {
                let id = json::field(&message.data, "sid").and_then(json::plain);
                let id = id.and_then(SocketId::parse).expect("CONNECT has an id");
                self.members.insert(message.namespace.clone(), id);
            }
            let data: Vec<Vec<u8>> = packets
                .by_ref()
                .take(message.attachments)
                .map(|packet| match packet {
                    Packet::Binary(data) => data,
                    other => panic!("no attachment: {other:?}"),
                })
                .collect();
            if let (2 | 5, Some((name, args))) = (message.kind, space::event_of(&message)) {
                let id = self.members[&message.namespace];
                self.hub.sockets.emit(id, print(name, &args, &data), SendStatus::Sent);
            }
        }
    }

    /// Nothing happens any more: what comes next in the recording came from without.
    fn urge(&mut self) {
        let line = self.script.iter().find(|line| !line.was_said);
        match line.map(|line| &line.says) {
            // The network broke.
            Some(Says::Client(unit)) if unit.is_handshake() => {
                for id in 0..self.hub.conns.len() {
                    self.hub.conns[id].client_end().reset();
                    self.client.end(id, &mut self.hub);
                }
            }
            // The program went.
            Some(Says::Client(unit)) if unit.is_farewell() && !self.has_left => {
                self.has_left = true;
                self.client.timer(Me::ANY_LIFE, Timer::Mind((9, 0, 0)), &mut self.hub);
            }
            line => panic!("the official client says {line:?}, the model does not"),
        }
    }
}

/// The same, with the answer to the model's key.
fn accepting(bytes: &[u8]) -> Vec<u8> {
    const FIELD: &[u8] = b"Sec-WebSocket-Accept: ";
    let mut bytes = bytes.to_vec();
    if let Some(at) = bytes.windows(FIELD.len()).position(|field| field == FIELD) {
        let value = at + FIELD.len();
        bytes.splice(value..value + http::ACCEPT.len(), http::ACCEPT.bytes());
    }
    bytes
}
