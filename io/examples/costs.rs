//! Does one kind of work so many times, in memory, for callgrind to count: the difference of two
//! runs, divided by that of their numbers, is what one costs. See `BENCHMARKS.md`.

use std::env;
use std::net::SocketAddr;
use std::time::Duration;

use parlor::{App, Config, ConnId, Input, Instant, Node, Output, Payload, Peer};

const CLIENTS: usize = 100;
const UPGRADE: &[u8] = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// 64 characters, as everywhere in the benchmarks.
const TEXT: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn main() {
    let usage = "usage: costs echo|echo-typed|broadcast|heartbeat TIMES";
    let mut args = env::args().skip(1);
    let work = args.next().expect(usage);
    let times: usize = args.next().and_then(|times| times.parse().ok()).expect(usage);
    let mut wire = Wire::new();
    let clients: Vec<_> = (0..CLIENTS).map(|_| wire.join()).collect();
    match work.as_str() {
        "echo" => wire.echoes(&clients, times, "raw"),
        "echo-typed" => wire.echoes(&clients, times, "typed"),
        "broadcast" => (0..times).for_each(|_| wire.broadcast()),
        "heartbeat" => (0..times).for_each(|_| wire.heartbeats(&clients)),
        _ => panic!("{usage}"),
    }
}

/// A node, and a kernel that takes everything.
struct Wire {
    node: Node,
    now: Instant,
    input: Vec<u8>,
    taken: Vec<u8>,
}

impl Wire {
    fn new() -> Self {
        let mut app = App::new();
        app.of("/")
            .on("raw", |cx, args: Payload| {
                cx.emit("echo", args);
            })
            .on("typed", |cx, text: String| {
                cx.emit("echo", text);
            });
        let node = Node::new(Config::default(), app, [7; 32], Instant::ZERO, 0);
        let node = node.expect("the default is in order");
        Self { node, now: Instant::ZERO, input: Vec::new(), taken: Vec::new() }
    }

    fn join(&mut self) -> ConnId {
        let peer = Peer::Addr(SocketAddr::from(([127, 0, 0, 1], 4000)));
        let conn = self.node.accept(self.now, peer).expect("there is room");
        self.read(conn, UPGRADE);
        self.read(conn, &text("40"));
        conn
    }

    fn echoes(&mut self, clients: &[ConnId], times: usize, event: &str) {
        let input = text(&format!("42[\"{event}\",\"{TEXT}\"]"));
        for &conn in clients.iter().cycle().take(times) {
            self.read(conn, &input);
            assert!(self.taken.len() > TEXT.len(), "an echo came");
        }
    }

    fn broadcast(&mut self) {
        self.node.run(self.now, |root| {
            root.io().of("/").emit("echo", TEXT);
        });
        self.write();
        assert!(self.taken.len() > CLIENTS * TEXT.len(), "everyone has it");
    }

    fn heartbeats(&mut self, clients: &[ConnId]) {
        self.now += Duration::from_secs(25);
        self.node.handle_timeout(self.now);
        self.write();
        assert_eq!(self.taken.len(), 3 * CLIENTS, "a ping for each");
        let pong = text("3");
        for &conn in clients {
            self.read(conn, &pong);
        }
    }

    /// One read, and all that comes of it.
    fn read(&mut self, conn: ConnId, bytes: &[u8]) {
        self.input.clear();
        self.input.extend_from_slice(bytes);
        self.node.handle(self.now, Input::Data { conn, bytes: &mut self.input });
        self.write();
    }

    fn write(&mut self) {
        self.taken.clear();
        while let Some(output) = self.node.poll_output() {
            let Output::Flush(conn) = output else { continue };
            let before = self.taken.len();
            for slice in self.node.egress(conn) {
                self.taken.extend_from_slice(slice);
            }
            let bytes = self.taken.len() - before;
            self.node.handle(self.now, Input::Sent { conn, bytes, refused: false });
        }
    }
}

/// A short text message of a client (RFC 6455, 5.2).
fn text(text: &str) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![0x81, 0x80 | text.len() as u8];
    frame.extend(MASK);
    frame.extend(text.bytes().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}
