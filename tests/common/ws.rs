//! WebSocket (RFC 6455), the client's side of it.

use std::net::SocketAddr;

use super::Wire;
use super::http::{Answer, Http};

/// What a client sends to begin; key and answer are those of RFC 6455, 1.3.
pub(crate) const UPGRADE: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// First bytes of whole messages: FIN and the opcode (RFC 6455, 5.2).
pub(crate) const TEXT: u8 = 0x81;
/// See [`TEXT`].
pub(crate) const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;

/// A WebSocket after its handshake.
pub(crate) struct WebSocket {
    wire: Wire,
}

/// What a server sends.
#[derive(Debug, PartialEq)]
pub(crate) enum Message {
    /// A whole text message.
    Text(String),
    /// A whole binary message.
    Binary(Vec<u8>),
    /// A close frame, and its code where it has one.
    Close(Option<u16>),
    /// The end of the connection.
    End,
}

impl WebSocket {
    /// Connects and upgrades; the answer is a 101 and right in all its fields.
    #[track_caller]
    pub(crate) fn open(addr: SocketAddr, target: &str) -> Self {
        let (http, answer) = upgrade(addr, target, &UPGRADE);
        assert_eq!(answer.status, 101, "{answer:?}");
        let accept = format!("sec-websocket-accept: {ACCEPT}");
        let head = answer.head();
        let wanted: &[&str] = &[
            "HTTP/1.1 101 Switching Protocols",
            "connection: Upgrade",
            &accept,
            "upgrade: websocket",
        ];
        assert_eq!(head, wanted);
        Self { wire: http.into_wire() }
    }

    /// Sends a text message.
    #[track_caller]
    pub(crate) fn text(&mut self, text: &str) {
        self.frame(TEXT, text.as_bytes());
    }

    /// Sends a binary message.
    #[track_caller]
    pub(crate) fn binary(&mut self, bytes: &[u8]) {
        self.frame(BINARY, bytes);
    }

    /// Sends one frame, masked, with any first byte: a fragment, reserved bits, an odd opcode.
    #[track_caller]
    pub(crate) fn frame(&mut self, first: u8, payload: &[u8]) {
        const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
        let mut frame = vec![first];
        match payload.len() {
            len @ 0..126 => frame.push(0x80 | len as u8),
            len @ 126..0x1_0000 => {
                frame.push(0x80 | 126);
                frame.extend((len as u16).to_be_bytes());
            }
            len => {
                frame.push(0x80 | 127);
                frame.extend((len as u64).to_be_bytes());
            }
        }
        frame.extend(MASK);
        frame.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.wire.send(&frame);
    }

    /// What is below, for bytes that are no frames.
    pub(crate) fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// The next thing that the server sends.
    #[track_caller]
    pub(crate) fn next(&mut self) -> Message {
        if self.wire.is_at_end("frame") {
            return Message::End;
        }
        let head = self.wire.take(2, "head of a frame");
        let length = match head[1] {
            126 => {
                let len = self.wire.take(2, "length of a frame").try_into().expect("two bytes");
                u16::from_be_bytes(len).into()
            }
            127 => {
                let len = self.wire.take(8, "length of a frame").try_into().expect("eight bytes");
                u64::from_be_bytes(len)
            }
            masked @ 128.. => panic!("a server does not mask: {masked:#x}"),
            length => length.into(),
        };
        let length = usize::try_from(length).expect("a frame of a test fits into memory");
        let payload = self.wire.take(length, "payload of a frame");
        match head[0] {
            TEXT => Message::Text(String::from_utf8(payload).expect("a text message is UTF-8")),
            BINARY => Message::Binary(payload),
            CLOSE => Message::Close(
                payload.first_chunk().map(|code: &[u8; 2]| u16::from_be_bytes(*code)),
            ),
            first => panic!("not a whole message: {first:#x} {payload:?}"),
        }
    }

    /// The next thing is this text.
    #[track_caller]
    pub(crate) fn expect_text(&mut self, text: &str) {
        assert_eq!(self.next(), Message::Text(text.to_owned()));
    }

    /// The next thing is a close frame with this code; after the answer the connection ends.
    #[track_caller]
    pub(crate) fn expect_close(&mut self, code: Option<u16>) {
        assert_eq!(self.next(), Message::Close(code));
        self.frame(CLOSE, &[]);
        assert_eq!(self.next(), Message::End);
    }
}

/// Asks for an upgrade and gives what is answered.
#[track_caller]
pub(crate) fn upgrade(addr: SocketAddr, target: &str, fields: &[&str]) -> (Http, Answer) {
    let mut http = Http::connect(addr);
    http.send("GET", target, fields, b"");
    let answer = http.answer();
    (http, answer)
}
