//! Recordings, and what a client said in them.

use crate::client::http;

/// What went over the wire, in order.
pub(super) struct Capture(Vec<Said>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Client,
    Server,
}

#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) conn: usize,
    pub(super) who: Who,
    pub(super) bytes: Vec<u8>,
}

impl Capture {
    /// Reads what `record.js` writes: one `[connection,"who","bytes"]` a line.
    pub(super) fn parse(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| {
            line.strip_prefix('[')?.strip_suffix(']').or(line.strip_prefix('[')?.strip_suffix("],"))
        });
        let said = lines.map(|line| {
            let mut parts = line.splitn(3, ',');
            let mut part = || parts.next().expect("a line has three parts");
            let conn = part().parse().expect("a connection has a number");
            let who = if part() == "\"client\"" { Who::Client } else { Who::Server };
            Said { conn, who, bytes: unquote(part()) }
        });
        let capture = Self(said.collect());
        assert!(!capture.0.is_empty(), "a recording is not empty");
        capture
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Said> {
        self.0.iter()
    }
}

/// The bytes of a JSON string, of which each character is one.
fn unquote(text: &str) -> Vec<u8> {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let mut chars = inner.expect("bytes stand in quotes").chars();
    let mut bytes = Vec::new();
    while let Some(character) = chars.next() {
        let character = match character {
            '\\' => match chars.next().expect("an escape has a letter") {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\u{8}',
                'f' => '\u{c}',
                'u' => {
                    let digits: String = chars.by_ref().take(4).collect();
                    let code = u32::from_str_radix(&digits, 16).expect("it is hexadecimal");
                    char::from_u32(code).expect("it is below 256")
                }
                other => other,
            },
            other => other,
        };
        bytes.push(u8::try_from(u32::from(character)).expect("a character is a byte"));
    }
    bytes
}

/// One thing that a client says, as far as it matters to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Request { method: String, target: String, fields: Vec<(String, String)>, body: Vec<u8> },
    Frame { opcode: u8, payload: Vec<u8> },
}

impl Unit {
    /// Which of those that a client sends one after the other it follows: its polls, its POSTs,
    /// its WebSockets' requests, its frames.
    pub(super) fn channel(&self) -> &str {
        match self {
            Self::Frame { .. } => "frames",
            Self::Request { method, .. } if method == "POST" => "POST",
            Self::Request { target, .. } if target.contains("transport=websocket") => "websocket",
            Self::Request { .. } => "polls",
        }
    }

    /// Whether it begins a session.
    pub(super) fn is_handshake(&self) -> bool {
        matches!(self, Self::Request { target, .. } if !target.contains("sid="))
    }

    /// Whether it ends one.
    pub(super) fn is_farewell(&self) -> bool {
        match self {
            Self::Request { body, .. } => body == b"1",
            Self::Frame { opcode, .. } => *opcode == 8,
        }
    }
}

/// The client's side of one connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Ear {
    received: Vec<u8>,
    is_websocket: bool,
}

/// What a server reads of a head.
const FIELDS: &[&str] =
    &["content-type", "content-length", "upgrade", "sec-websocket-version", "accept"];

impl Ear {
    /// The units that are whole with these bytes.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Vec<Unit> {
        self.received.extend(bytes);
        std::iter::from_fn(|| if self.is_websocket { self.frame() } else { self.request() })
            .collect()
    }

    fn request(&mut self) -> Option<Unit> {
        let end = http::head_end(&self.received)?;
        let head = std::str::from_utf8(&self.received[..end]).expect("a head is ASCII");
        let mut lines = head.split("\r\n");
        let line: Vec<&str> = lines.next().expect("split yields one").split(' ').collect();
        let [method, target, "HTTP/1.1"] = line[..] else { panic!("no request: {line:?}") };
        let (path, query) = target.split_once('?').expect("a request has a query");
        let query: Vec<&str> = query.split('&').filter(|part| !part.starts_with("t=")).collect();
        let target = format!("{path}?{}", query.join("&"));
        let mut fields: Vec<(String, String)> = lines
            .map(|line| line.split_once(": ").expect("a field has a colon"))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.into()))
            .filter(|(name, _)| FIELDS.contains(&&**name))
            .collect();
        fields.sort();
        let length = fields.iter().find(|(name, _)| name == "content-length");
        let length = length.map_or(0, |(_, value)| value.parse().expect("a length is a number"));
        let (start, method) = (end + 4, method.to_string());
        if self.received.len() < start + length {
            return None;
        }
        let body = self.received[start..start + length].to_vec();
        self.received.drain(..start + length);
        self.is_websocket = target.contains("transport=websocket");
        Some(Unit::Request { method, target, fields, body })
    }

    /// Short ones, as all of the recordings are.
    fn frame(&mut self) -> Option<Unit> {
        let &[first, second, a, b, c, d, ref rest @ ..] = &self.received[..] else { return None };
        let length = usize::from(second & 0x7f);
        assert!(first & 0xf0 == 0x80 && second & 0x80 != 0 && length < 126, "whole and masked");
        let payload = rest.get(..length)?;
        let mask = [a, b, c, d].into_iter().cycle();
        let payload = payload.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
        self.received.drain(..6 + length);
        Some(Unit::Frame { opcode: first & 0xf, payload })
    }
}
