//! Websocket clients in memory, with a codec of their own; what comes out is sorted by client, and
//! ids are `s1`, `s2` in their order.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use core::net::SocketAddr;

use crate::*;

pub(super) struct Wire<S: Send + 'static = ()> {
    pub(super) node: Node<S>,
    pub(super) now: u64,
    clients: BTreeMap<u32, Client>,
    ids: Vec<String>,
}

pub(super) struct Client {
    conn: ConnId,
    received: Vec<u8>,
    upgraded: bool,
}

impl<S: Send + 'static> Wire<S> {
    pub(super) fn new(app: App<S>) -> Self {
        Self::with(Config::default(), app)
    }

    pub(super) fn with(config: Config, app: App<S>) -> Self {
        let node = Node::new(config, app, [7; 32], Instant::ZERO, 0).unwrap();
        Self { node, now: 0, clients: BTreeMap::new(), ids: Vec::new() }
    }

    pub(super) fn at(&self) -> Instant {
        Instant::from_micros(self.now)
    }

    /// One packet in one read; opens the client's session if it has none.
    pub(super) fn send(&mut self, client: u32, packet: &str) -> Vec<String> {
        self.send_all(client, &[packet])
    }

    /// Several packets in one read.
    pub(super) fn send_all(&mut self, client: u32, packets: &[&str]) -> Vec<String> {
        let frames = packets.iter().flat_map(|text| frame(1, format!("4{text}").as_bytes()));
        self.feed(client, frames.collect())
    }

    pub(super) fn feed(&mut self, client: u32, bytes: Vec<u8>) -> Vec<String> {
        self.data(client, bytes);
        self.out()
    }

    pub(super) fn data(&mut self, client: u32, mut bytes: Vec<u8>) {
        let conn = self.open(client);
        self.node.handle(self.at(), Input::Data { conn, bytes: &mut bytes });
    }

    pub(super) fn open(&mut self, client: u32) -> ConnId {
        if let Some(client) = self.clients.get(&client) {
            return client.conn;
        }
        let peer = SocketAddr::from(([127, 0, 0, 1], 4000));
        let conn = self.node.accept(self.at(), peer).unwrap();
        self.clients.insert(client, Client { conn, received: Vec::new(), upgraded: false });
        let path = self.node.server().config().path.trim_end_matches('/').to_string();
        let mut head = format!(
            "GET {path}/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        .into_bytes();
        self.node.handle(self.at(), Input::Data { conn, bytes: &mut head });
        let out = self.out();
        assert!(out.is_empty(), "{out:?}");
        assert!(self.clients[&client].upgraded, "the handshake was answered with 101");
        conn
    }

    pub(super) fn lose(&mut self, client: u32) {
        let conn = self.clients.remove(&client).unwrap().conn;
        self.node.handle(self.at(), Input::Lost { conn });
    }

    /// Writes all that waits, as a driver whose kernel takes everything.
    pub(super) fn out(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while let Some(output) = self.node.poll_output() {
            let Output::Flush(conn) = output else { continue };
            let bytes: Vec<u8> = self.node.egress(conn).flatten().copied().collect();
            let sent = Input::Sent { conn, bytes: bytes.len(), refused: false };
            self.node.handle(self.at(), sent);
            let client = self.clients.iter_mut().find(|(_, client)| client.conn == conn);
            let Some((&number, client)) = client else { continue };
            client.received.extend(bytes);
            while let Some(text) = client.next() {
                if let Some(id) = text.split("{\"sid\":\"").nth(1) {
                    self.ids.push(id[..SocketId::CHARS].to_string());
                }
                lines.push((number, text));
            }
        }
        lines.sort_by_key(|&(number, _)| number);
        lines.iter().map(|(number, text)| self.named(&format!("{number}<{text}"))).collect()
    }

    /// With short names for ids.
    pub(super) fn named(&self, text: &str) -> String {
        let names = self.ids.iter().zip(1..);
        names.fold(text.to_string(), |text, (id, n)| text.replace(&**id, &format!("s{n}")))
    }

    pub(super) fn id(&self, n: usize) -> SocketId {
        SocketId::parse(&self.ids[n - 1]).unwrap()
    }

    /// Sleeps exactly until each deadline, as a faithful driver does.
    pub(super) fn sleep(&mut self, ms: u64) -> Vec<String> {
        let end = self.now + ms * 1000;
        let mut lines = self.out();
        while let Some((at, _)) = self.node.poll_timeout().filter(|(at, _)| at.as_micros() <= end) {
            self.now = self.now.max(at.as_micros());
            self.node.handle_timeout(self.at());
            lines.extend(self.out());
        }
        self.now = end;
        lines
    }
}

impl Client {
    /// The next packet of Socket.IO, without the engine's `4`.
    fn next(&mut self) -> Option<String> {
        if !self.upgraded {
            let end = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
            assert!(self.received.starts_with(b"HTTP/1.1 101 "), "{:?}", self.received);
            self.received.drain(..end + 4);
            self.upgraded = true;
        }
        loop {
            let (head, short) = (*self.received.first()?, *self.received.get(1)?);
            let (start, length) = match short {
                126 => {
                    (4, usize::from(u16::from_be_bytes(self.received.get(2..4)?.try_into().ok()?)))
                }
                127 => panic!("no test sends as much"),
                length => (2, usize::from(length)),
            };
            let body = self.received.get(start..start + length)?.to_vec();
            self.received.drain(..start + length);
            match (head & 15, body.split_first()) {
                (1, Some((b'4', text))) => return Some(String::from_utf8(text.to_vec()).unwrap()),
                (2, _) => return Some(format!("bytes {}", String::from_utf8_lossy(&body))),
                _ => {} // open, ping, close
            }
        }
    }
}

/// A frame of a client, masked with zeros.
pub(super) fn frame(opcode: u8, body: &[u8]) -> Vec<u8> {
    let length = match u8::try_from(body.len()) {
        Ok(length) if length < 126 => vec![0x80 | length],
        _ => [&[0xfe][..], &u16::try_from(body.len()).unwrap().to_be_bytes()].concat(),
    };
    [&[0x80 | opcode][..], &length, &[0; 4], body].concat()
}
