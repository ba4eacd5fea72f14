//! A node in memory with raw clients beside it: exact instants, exact bytes, kernels that refuse.
//!
//! What a client hears is told in lines: an answer of HTTP as `200 body`, a text frame as it is,
//! bytes as `<bytes 010203>`, a close frame as `<close>` or `<close 1009>`, and the end of the
//! connection as `<end>` or `<reset>`. Ids of sockets are `s1`, `s2` in the order they were told.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use parlor::{App, Config, ConnId, Input, Instant, Node, Output, Root, SocketId};

/// What handlers note down.
pub(crate) type Log = Vec<String>;

pub(crate) struct Lab<S: Send + 'static = ()> {
    pub(crate) node: Node<S>,
    now_micros: u64,
    wires: BTreeMap<ConnId, Wire>,
    ids: Vec<String>,
}

/// The client's end of a connection.
#[derive(Default)]
struct Wire {
    received: Vec<u8>,
    is_websocket: bool,
    /// Its kernel takes nothing.
    stalled: bool,
    /// Set once by `Close`: whether it was an abort.
    closed: Option<bool>,
}

/// A polling session, with a connection for each direction.
#[derive(Clone)]
pub(crate) struct Polling {
    pub(crate) sid: String,
    pub(crate) down: ConnId,
    pub(crate) up: ConnId,
}

impl Polling {
    /// The target of a request of this session.
    pub(crate) fn target(&self, transport: &str) -> String {
        format!("?EIO=4&transport={transport}&sid={}", self.sid)
    }
}

impl<S: Send + 'static> Lab<S> {
    pub(crate) fn new(app: App<S>) -> Self {
        Self::with(Config::default(), app)
    }

    pub(crate) fn with(config: Config, app: App<S>) -> Self {
        let node = Node::new(config, app, [7; 32], Instant::ZERO, 1_700_000_000_000)
            .expect("the configuration of a test is sound");
        Self { node, now_micros: 0, wires: BTreeMap::new(), ids: Vec::new() }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_micros(self.now_micros)
    }

    pub(crate) fn connect(&mut self) -> ConnId {
        let peer = SocketAddr::from(([192, 0, 2, 1], 4000));
        let conn = self.node.accept(self.now(), peer).expect("there is room");
        self.wires.insert(conn, Wire::default());
        conn
    }

    /// One read of these bytes, and what the client hears then.
    pub(crate) fn send(&mut self, conn: ConnId, bytes: impl AsRef<[u8]>) -> Vec<String> {
        self.feed(conn, bytes.as_ref());
        self.said(conn)
    }

    /// A request to the server's own path; `target` begins with the query.
    pub(crate) fn request(
        &mut self,
        conn: ConnId,
        method: &str,
        target: &str,
        fields: &[&str],
        body: &str,
    ) -> Vec<String> {
        let path = self.node.server().config().path.trim_end_matches('/');
        let mut head = format!("{method} {path}/{target} HTTP/1.1\r\nHost: a\r\n");
        for field in fields {
            head += &format!("{field}\r\n");
        }
        if method == "POST" {
            head += &format!("Content-Length: {}\r\n", body.len());
        }
        self.send(conn, head + "\r\n" + body)
    }

    /// Opens a session by polling.
    pub(crate) fn polling(&mut self) -> Polling {
        let (down, up) = (self.connect(), self.connect());
        let open = self.request(down, "GET", "?EIO=4&transport=polling", &[], "");
        Polling { sid: sid_of(&open), down, up }
    }

    /// GET: parked, or answered.
    pub(crate) fn get(&mut self, session: &Polling) -> Vec<String> {
        self.request(session.down, "GET", &session.target("polling"), &[], "")
    }

    /// POST.
    pub(crate) fn post(&mut self, session: &Polling, payload: &str) -> Vec<String> {
        self.request(session.up, "POST", &session.target("polling"), &[], payload)
    }

    /// A session by polling, in `/`, whose client has fetched its CONNECT.
    pub(crate) fn polling_connected(&mut self) -> Polling {
        let session = self.polling();
        assert_eq!(self.post(&session, "40"), ["200 ok"]);
        let connect = self.get(&session);
        assert!(connect[0].starts_with(r#"200 40{"sid":"s"#), "{connect:?}");
        session
    }

    /// Switches a new connection to WebSocket; the 101 is taken.
    pub(crate) fn upgrade(&mut self, target: &str) -> (ConnId, Vec<String>) {
        let conn = self.connect();
        let fields = [
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ];
        let said = self.request(conn, "GET", target, &fields, "");
        assert!(self.wires[&conn].is_websocket, "{said:?}");
        (conn, said)
    }

    /// Opens a session by websocket, and gives its secret too.
    pub(crate) fn websocket_sid(&mut self, more: &str) -> (ConnId, String) {
        let (conn, said) = self.upgrade(&format!("?EIO=4&transport=websocket{more}"));
        (conn, sid_of(&said))
    }

    pub(crate) fn websocket(&mut self) -> ConnId {
        self.websocket_sid("").0
    }

    /// A websocket in `/`.
    pub(crate) fn connected(&mut self) -> ConnId {
        let conn = self.websocket();
        let said = self.text(conn, "40");
        assert!(said[0].starts_with(r#"40{"sid":"s"#), "{said:?}");
        conn
    }

    /// A websocket that wants to become a session's transport.
    pub(crate) fn candidate(&mut self, session: &Polling) -> ConnId {
        self.upgrade(&session.target("websocket")).0
    }

    /// A text frame, and what its client hears then.
    pub(crate) fn text(&mut self, conn: ConnId, text: &str) -> Vec<String> {
        self.send(conn, frame(0x81, text.as_bytes()))
    }

    /// Several text frames in one read.
    pub(crate) fn texts(&mut self, conn: ConnId, texts: &[&str]) -> Vec<String> {
        let frames = texts.iter().flat_map(|text| frame(0x81, text.as_bytes()));
        self.send(conn, frames.collect::<Vec<_>>())
    }

    pub(crate) fn binary(&mut self, conn: ConnId, bytes: &[u8]) -> Vec<String> {
        self.send(conn, frame(0x82, bytes))
    }

    /// The connection breaks.
    pub(crate) fn lose(&mut self, conn: ConnId) {
        self.node.handle(self.now(), Input::Lost { conn });
        self.drain();
    }

    /// The client half-closes.
    pub(crate) fn finish(&mut self, conn: ConnId) {
        self.node.handle(self.now(), Input::Eof { conn });
        self.drain();
    }

    /// From now on the kernel takes nothing for this client.
    pub(crate) fn stall(&mut self, conn: ConnId) {
        self.wires.get_mut(&conn).expect("it was connected").stalled = true;
    }

    /// The kernel has room again.
    pub(crate) fn unstall(&mut self, conn: ConnId) {
        self.wires.get_mut(&conn).expect("it was connected").stalled = false;
        self.node.handle(self.now(), Input::Writable { conn });
        self.drain();
    }

    /// Work from outside.
    #[track_caller]
    pub(crate) fn run<R>(&mut self, f: impl FnOnce(&mut Root<'_, S>) -> R) -> R {
        let now = self.now();
        let result = self.node.run(now, f);
        self.drain();
        result
    }

    /// Lets time pass, deadline by deadline.
    pub(crate) fn sleep(&mut self, millis: u64) {
        let end = self.now_micros + millis * 1000;
        let due = |lab: &Self| lab.node.poll_timeout().filter(|(at, _)| at.as_micros() <= end);
        while let Some((at, _)) = due(self) {
            self.now_micros = self.now_micros.max(at.as_micros());
            self.node.handle_timeout(self.now());
            self.drain();
        }
        self.now_micros = end;
    }

    pub(crate) fn shut_down(&mut self) {
        self.node.shutdown(self.now());
        self.drain();
    }

    /// One read of these bytes, whatever comes of it.
    pub(crate) fn feed(&mut self, conn: ConnId, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        self.node.handle(self.now(), Input::Data { conn, bytes: &mut bytes });
        self.drain();
    }

    /// Whether the server has closed it.
    pub(crate) fn is_closed(&self, conn: ConnId) -> bool {
        self.wires[&conn].closed.is_some()
    }

    /// What a client has heard so far does not matter.
    pub(crate) fn forget(&mut self, conn: ConnId) {
        self.wires.get_mut(&conn).expect("it was connected").received.clear();
    }

    /// A client that has gone, and all short names.
    pub(crate) fn remove(&mut self, conn: ConnId) {
        self.wires.remove(&conn);
        self.ids.clear();
    }

    /// What a client has heard since it was asked.
    pub(crate) fn said(&mut self, conn: ConnId) -> Vec<String> {
        let wire = self.wires.get_mut(&conn).expect("it was connected");
        let mut lines = Vec::new();
        while let Some(line) = wire.next() {
            for (at, mark) in line.match_indices("{\"sid\":\"") {
                let rest = &line[at + mark.len()..];
                // A session's is longer.
                if rest.as_bytes().get(SocketId::CHARS) == Some(&b'"') {
                    self.ids.push(rest[..SocketId::CHARS].to_owned());
                }
            }
            lines.push(line);
        }
        if let Some(abort) = wire.closed.take() {
            lines.push(if abort { "<reset>" } else { "<end>" }.to_owned());
        }
        lines.iter().map(|line| self.named(line)).collect()
    }

    /// With short names for ids.
    pub(crate) fn named(&self, text: &str) -> String {
        let names = self.ids.iter().zip(1..);
        names.fold(text.to_owned(), |text, (id, n)| text.replace(id, &format!("s{n}")))
    }

    /// The id of `s1`, `s2` ..
    pub(crate) fn id(&self, n: usize) -> SocketId {
        SocketId::parse(&self.ids[n - 1]).expect("it was told by the server")
    }

    fn drain(&mut self) {
        while let Some(output) = self.node.poll_output() {
            match output {
                Output::Flush(conn) => {
                    let wire = self.wires.get_mut(&conn).expect("it was connected");
                    let before = wire.received.len();
                    if !wire.stalled {
                        self.node.egress(conn).for_each(|s| wire.received.extend_from_slice(s));
                    }
                    let (bytes, refused) = (wire.received.len() - before, wire.stalled);
                    let sent = Input::Sent { conn, bytes, refused };
                    self.node.handle(Instant::from_micros(self.now_micros), sent);
                }
                // The client sees the end, and ends its side.
                Output::ShutdownWrite(conn) => self.node.handle(self.now(), Input::Eof { conn }),
                Output::Close { conn, abort } => {
                    self.wires.get_mut(&conn).expect("it was connected").closed = Some(abort);
                }
                Output::Pause(_) | Output::Resume(_) => {}
                output => panic!("a node has no such output: {output:?}"),
            }
        }
    }
}

impl Lab<Log> {
    /// What the handlers noted, with short names; the log is empty then.
    pub(crate) fn log(&mut self) -> Vec<String> {
        let log = self.run(|root| std::mem::take(root.state));
        log.iter().map(|line| self.named(line)).collect()
    }
}

impl Wire {
    fn next(&mut self) -> Option<String> {
        if self.is_websocket { self.next_frame() } else { self.next_answer() }
    }

    fn next_answer(&mut self) -> Option<String> {
        let end = self.received.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
        let head = String::from_utf8(self.received[..end].to_vec()).expect("heads are ASCII");
        let status = &head["HTTP/1.1 ".len()..][..3];
        if status == "101" {
            self.received.drain(..end);
            self.is_websocket = true;
            return self.next_frame();
        }
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length: usize = length.map_or(0, |text| text.parse().expect("a length is a number"));
        let body = String::from_utf8(self.received.get(end..end + length)?.to_vec());
        let line = format!("{status} {}", body.expect("bodies are text"));
        self.received.drain(..end + length);
        Some(line)
    }

    fn next_frame(&mut self) -> Option<String> {
        let (&first, &short) = (self.received.first()?, self.received.get(1)?);
        let (start, length) = match short {
            126 => (4, usize::from(u16::from_be_bytes(self.received.get(2..4)?.try_into().ok()?))),
            127 => {
                let length = self.received.get(2..10)?.try_into().ok()?;
                (10, usize::try_from(u64::from_be_bytes(length)).expect("it fits into memory"))
            }
            length => (2, usize::from(length)),
        };
        let body = self.received.get(start..start + length)?.to_vec();
        self.received.drain(..start + length);
        Some(match first {
            0x81 => String::from_utf8(body).expect("a text frame is UTF-8"),
            0x82 => {
                format!("<bytes {}>", body.iter().map(|b| format!("{b:02x}")).collect::<String>())
            }
            0x88 if body.is_empty() => "<close>".to_owned(),
            0x88 => format!("<close {}>", u16::from_be_bytes([body[0], body[1]])),
            first => panic!("not a frame that a test expects: {first:#x}"),
        })
    }
}

/// A frame of a client, masked with zeros.
pub(crate) fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let length = match body.len() {
        short @ 0..126 => vec![0x80 | short as u8],
        middle @ 126..0x1_0000 => [&[0xfe][..], &(middle as u16).to_be_bytes()].concat(),
        long => [&[0xff][..], &(long as u64).to_be_bytes()].concat(),
    };
    [&[first][..], &length, &[0; 4], body].concat()
}

fn sid_of(said: &[String]) -> String {
    let open = said.first().expect("the open packet");
    let (_, rest) = open.split_once("0{\"sid\":\"").expect("an open packet");
    rest.split('"').next().expect("split yields at least one part").to_owned()
}
