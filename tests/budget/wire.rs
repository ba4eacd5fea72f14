//! Clients in memory, and a kernel that takes everything. What is counted is the server's part of
//! it: the client's part allocates elsewhere, or before.

use std::net::SocketAddr;

use parlor::{ConnId, Input, Instant, Node, Output, Peer, Server, Wake};

use crate::counting;

/// What a server and a node have in common.
pub(crate) trait Machine {
    fn open(&mut self, now: Instant, peer: Peer) -> ConnId;
    fn input(&mut self, now: Instant, input: Input<'_>);
    fn output(&mut self) -> Option<Output>;
    fn deadline(&self) -> Option<(Instant, Wake)>;
    fn expire(&mut self, now: Instant);
    fn waiting(&self, conn: ConnId) -> impl Iterator<Item = &[u8]>;
}

impl Machine for Server {
    fn open(&mut self, now: Instant, peer: Peer) -> ConnId {
        self.accept(now, peer).expect("there is room")
    }
    fn input(&mut self, now: Instant, input: Input<'_>) {
        self.handle(now, input);
    }
    fn output(&mut self) -> Option<Output> {
        self.poll_output()
    }
    fn deadline(&self) -> Option<(Instant, Wake)> {
        self.poll_timeout()
    }
    fn expire(&mut self, now: Instant) {
        while self.handle_timeout(now) {}
    }
    fn waiting(&self, conn: ConnId) -> impl Iterator<Item = &[u8]> {
        self.egress(conn)
    }
}

impl<S: Send + 'static> Machine for Node<S> {
    fn open(&mut self, now: Instant, peer: Peer) -> ConnId {
        self.accept(now, peer).expect("there is room")
    }
    fn input(&mut self, now: Instant, input: Input<'_>) {
        self.handle(now, input);
    }
    fn output(&mut self) -> Option<Output> {
        self.poll_output()
    }
    fn deadline(&self) -> Option<(Instant, Wake)> {
        self.poll_timeout()
    }
    fn expire(&mut self, now: Instant) {
        self.handle_timeout(now);
    }
    fn waiting(&self, conn: ConnId) -> impl Iterator<Item = &[u8]> {
        self.egress(conn)
    }
}

/// What Chrome sends, with eleven headers.
pub(crate) const UPGRADE: &str = "\
    GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n\
    Host: chat.example.com\r\n\
    Connection: Upgrade\r\n\
    Cache-Control: no-cache\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
    Chrome/141.0.0.0 Safari/537.36\r\n\
    Upgrade: websocket\r\n\
    Origin: https://chat.example.com\r\n\
    Sec-WebSocket-Version: 13\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-GB,en-US;q=0.9,en;q=0.8\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

/// A machine and its clients.
pub(crate) struct Wire<M> {
    pub(crate) machine: M,
    now: u64,
    /// Bytes that the kernel took.
    pub(crate) sent: Vec<u8>,
}

impl<M: Machine> Wire<M> {
    pub(crate) fn new(machine: M) -> Self {
        Self { machine, now: 0, sent: Vec::with_capacity(1 << 20) }
    }

    /// A connection that has sent nothing.
    pub(crate) fn connect(&mut self) -> ConnId {
        let peer = Peer::Addr(SocketAddr::from(([127, 0, 0, 1], 4000)));
        self.machine.open(Instant::from_micros(self.now), peer)
    }

    /// A websocket client that has joined `/`.
    pub(crate) fn join(&mut self) -> ConnId {
        let conn = self.connect();
        self.exchange(conn, UPGRADE.as_bytes().to_vec());
        assert!(self.sent.starts_with(b"HTTP/1.1 101 "), "{}", self.shown());
        self.exchange(conn, text("40"));
        assert!(self.shown().contains("40{\"sid\":"), "{}", self.shown());
        conn
    }

    /// A client that polls and has joined `/`, and how it polls.
    pub(crate) fn join_polling(&mut self) -> (ConnId, Vec<u8>) {
        let conn = self.connect();
        self.exchange(conn, request("GET", "", ""));
        let sid = self.shown();
        let sid = sid.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next());
        let sid = format!("&sid={}", sid.expect("a session"));
        self.exchange(conn, request("POST", &sid, "40"));
        assert!(self.shown().ends_with("ok"), "{}", self.shown());
        let poll = request("GET", &sid, "");
        self.exchange(conn, poll.clone());
        assert!(self.shown().contains("40{\"sid\":"), "{}", self.shown());
        (conn, poll)
    }

    /// A little later.
    pub(crate) fn tick(&mut self) -> Instant {
        self.now += 300;
        Instant::from_micros(self.now)
    }

    /// One read of one connection, and all that comes of it: how many allocations it makes.
    pub(crate) fn exchange(&mut self, conn: ConnId, mut bytes: Vec<u8>) -> u64 {
        let now = self.tick();
        self.sent.clear();
        let machine = &mut self.machine;
        let (input, ()) = counting::allocations(|| {
            machine.input(now, Input::Data { conn, bytes: &mut bytes });
        });
        input + self.flush()
    }

    /// The end of a connection, by its peer.
    pub(crate) fn ends(&mut self, input: fn(ConnId) -> Input<'static>, conn: ConnId) {
        let now = self.tick();
        self.machine.input(now, input(conn));
        self.flush();
    }

    /// The next deadlines, as many as there are within a second: how many allocations they make.
    pub(crate) fn expire(&mut self) -> u64 {
        self.sent.clear();
        let (next, _) = self.machine.deadline().expect("something is to come");
        self.now = next.as_micros() + 1_000_000;
        let now = Instant::from_micros(self.now);
        let machine = &mut self.machine;
        let (fired, ()) = counting::allocations(|| machine.expire(now));
        fired + self.flush()
    }

    /// Writes all that waits: how many allocations it makes.
    pub(crate) fn flush(&mut self) -> u64 {
        let Self { machine, now, sent } = self;
        let now = Instant::from_micros(*now);
        let (allocations, ()) = counting::allocations(|| {
            while let Some(output) = machine.output() {
                let Output::Flush(conn) = output else { continue };
                let mut bytes = 0;
                for slice in machine.waiting(conn) {
                    bytes += slice.len();
                    // The test's own memory was there before.
                    let room = sent.capacity() - sent.len();
                    sent.extend_from_slice(&slice[..slice.len().min(room)]);
                }
                machine.input(now, Input::Sent { conn, bytes, refused: false });
            }
        });
        allocations
    }

    pub(crate) fn shown(&self) -> String {
        String::from_utf8_lossy(&self.sent).into_owned()
    }
}

/// A request of a polling client, to a session or for one.
pub(crate) fn request(method: &str, sid: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} /socket.io/?EIO=4&transport=polling{sid} HTTP/1.1\r\nHost: x\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    );
    head.into_bytes()
}

/// A client's text message in a frame.
pub(crate) fn text(text: &str) -> Vec<u8> {
    frame(0x81, text.as_bytes())
}

/// A client's frame (RFC 6455, 5.2).
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..126 => frame.push(0x80 | len as u8),
        len => {
            frame.push(0x80 | 126);
            frame.extend((len as u16).to_be_bytes());
        }
    }
    frame.extend(MASK);
    frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}
