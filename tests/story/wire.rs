//! The client's side of HTTP/1.1 and of WebSocket, independent of the core's codecs.

use std::fmt::Write;

/// A request. The transcript shows its line and its body.
pub(crate) struct Request {
    head: String,
    body: String,
}

pub(crate) fn get(target: &str) -> Request {
    request("GET", target)
}

pub(crate) fn request(method: &str, target: &str) -> Request {
    let head = format!("{method} {target} HTTP/1.1\r\nHost: parlor.example\r\n");
    Request { head, body: String::new() }
}

pub(crate) fn post(target: &str, body: &str) -> Request {
    let request = Request { body: body.into(), ..request("POST", target) };
    request.with(&format!("Content-Length: {}", body.len()))
}

/// The handshake of RFC 6455, 1.3, with its key.
pub(crate) fn upgrade(target: &str) -> Request {
    get(target)
        .with("Upgrade: websocket")
        .with("Connection: Upgrade")
        .with("Sec-WebSocket-Version: 13")
        .with("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
}

impl Request {
    /// One more field.
    pub(crate) fn with(mut self, field: &str) -> Self {
        self.head.push_str(field);
        self.head.push_str("\r\n");
        self
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.head.as_bytes());
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(self.body.as_bytes());
    }

    pub(crate) fn label(&self, heads: bool) -> String {
        let line = self.head.lines().next().expect("it begins with the request line");
        let head = match heads {
            true => indented(self.head.trim_end()),
            false => line.strip_suffix(" HTTP/1.1").expect("written above").to_string(),
        };
        format!("{head}{}{}", gap(&self.body, heads), shown(&self.body))
    }
}

/// A frame that a client sends.
#[derive(Clone, Copy)]
pub(crate) enum Frame<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Ping(&'a str),
    Close(Option<u16>),
    /// Any first byte; without a mask where the flag is false.
    Raw(u8, &'a [u8], bool),
}

impl Frame<'_> {
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        let code;
        let (first, payload, masked) = match *self {
            Self::Text(text) => (0x81, text.as_bytes(), true),
            Self::Binary(bytes) => (0x82, bytes, true),
            Self::Ping(text) => (0x89, text.as_bytes(), true),
            Self::Close(None) => (0x88, &[][..], true),
            Self::Close(Some(number)) => {
                code = number.to_be_bytes();
                (0x88, &code[..], true)
            }
            Self::Raw(first, payload, masked) => (first, payload, masked),
        };
        put_frame(out, first, payload, masked);
    }

    pub(crate) fn label(&self) -> String {
        match *self {
            Self::Text(text) => shown(text),
            Self::Binary(bytes) => binary(bytes),
            Self::Ping(text) => format!("ping {text:?}"),
            Self::Close(code) => close_label(code),
            Self::Raw(first, payload, masked) => {
                let mask = if masked { "" } else { " unmasked" };
                format!("frame {first:02x}{mask} {}", hex(payload))
            }
        }
    }
}

fn put_frame(out: &mut Vec<u8>, first: u8, payload: &[u8], masked: bool) {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mask_bit = if masked { 0x80 } else { 0 };
    out.push(first);
    match payload.len() {
        len @ 0..126 => out.push(mask_bit | len as u8),
        len @ 126..0x1_0000 => {
            out.push(mask_bit | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(mask_bit | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    if !masked {
        return out.extend_from_slice(payload);
    }
    out.extend(MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// What a client has received on one connection and not yet understood.
#[derive(Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    websocket: bool,
}

impl Inbox {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next answer or frame, as the transcript shows it.
    pub(crate) fn next(&mut self, heads: bool) -> Option<String> {
        if self.websocket { self.frame() } else { self.answer(heads) }
    }

    fn answer(&mut self, heads: bool) -> Option<String> {
        let end = self.bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
        let head = String::from_utf8(self.bytes[..end].to_vec()).expect("a head is ASCII");
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>())
        });
        let length = length.map_or(0, |length| length.expect("a number"));
        let body = self.bytes.get(end..end + length)?.to_vec();
        let body = shown(&String::from_utf8(body).expect("bodies are text"));
        self.bytes.drain(..end + length);
        let status = head.split(' ').nth(1).expect("a status line").to_string();
        self.websocket = status == "101";
        let head = if heads { indented(head.trim_end()) } else { status };
        Some(format!("{head}{}{body}", gap(&body, heads)))
    }

    fn frame(&mut self) -> Option<String> {
        let (&first, &second) = (self.bytes.first()?, self.bytes.get(1)?);
        assert!(second < 0x80, "a server never masks (RFC 6455, 5.1)");
        let (skip, length) = match second {
            126 => (4, be(self.bytes.get(2..4)?)),
            127 => (10, be(self.bytes.get(2..10)?)),
            length => (2, usize::from(length)),
        };
        let payload = self.bytes.get(skip..skip + length)?.to_vec();
        self.bytes.drain(..skip + length);
        let text = || String::from_utf8(payload.clone()).expect("the server sends UTF-8");
        Some(match first {
            0x81 => format!("WS {}", shown(&text())),
            0x82 => format!("WS {}", binary(&payload)),
            0x88 if payload.is_empty() => format!("WS {}", close_label(None)),
            0x88 => format!("WS {}", close_label(Some(be(&payload[..2]) as u16))),
            0x8a => format!("WS pong {:?}", text()),
            other => panic!("the server sends whole frames without extensions: {other:02x}"),
        })
    }
}

fn be(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte))
}

fn close_label(code: Option<u16>) -> String {
    code.map_or_else(|| "close".into(), |code| format!("close {code}"))
}

pub(crate) fn binary(bytes: &[u8]) -> String {
    if bytes.is_empty() { "binary, empty".into() } else { format!("binary {}", hex(bytes)) }
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        write!(out, "{byte:02x}").expect("a string takes all");
    }
    out
}

/// With the separator made visible; long texts by their start and their length.
pub(crate) fn shown(text: &str) -> String {
    const SHOWN_MAX: usize = 300;
    let text = text.replace('\u{1e}', "␞");
    match text.char_indices().nth(SHOWN_MAX) {
        None => text,
        Some(_) => {
            let start: String = text.chars().take(40).collect();
            format!("{start}… ({} bytes)", text.len())
        }
    }
}

/// Further lines of one message begin below its text.
const INDENT: &str = "\n                       ";

fn indented(head: &str) -> String {
    head.lines().collect::<Vec<_>>().join(INDENT)
}

fn gap(body: &str, heads: bool) -> &'static str {
    match (body.is_empty(), heads) {
        (true, _) => "",
        (false, true) => INDENT,
        (false, false) => " ",
    }
}
