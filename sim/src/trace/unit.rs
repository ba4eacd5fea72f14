//! What bytes mean: requests, answers and frames, cut out of one direction of a connection. It
//! takes whatever comes; what is no unit is told in parts.

use super::record::Dir;
use crate::client::http;

/// One unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// A packet, or a request or an answer with its packets.
    pub(super) text: String,
    /// Its Engine.IO packets.
    pub(super) packets: Vec<String>,
    /// Its bytes, those that were told in parts excepted.
    pub(super) bytes: Vec<u8>,
    /// The offset behind it.
    pub(super) end: u64,
}

/// Cuts one direction of a connection into units.
#[derive(Debug)]
pub(super) struct Decoder {
    dir: Dir,
    mode: Mode,
    /// What is not yet whole.
    buffer: Vec<u8>,
    /// So many bytes of it were told as a part.
    told: usize,
    /// The offset of the buffer's beginning.
    start: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Http,
    WebSocket,
    /// Neither.
    Raw,
}

/// What stands at the front of a buffer.
struct Front {
    length: usize,
    text: String,
    packets: Vec<String>,
    then: Mode,
}

/// Larger heads are none.
const HEAD_MAX: usize = 1 << 16;
/// Larger frames are none.
const FRAME_MAX: u64 = 1 << 30;

impl Decoder {
    /// At the beginning of a direction.
    pub(super) fn new(dir: Dir) -> Self {
        Self { dir, mode: Mode::Http, buffer: Vec::new(), told: 0, start: 0 }
    }

    /// The units that are whole with these bytes.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Unit> {
        self.buffer.extend(bytes);
        let mut units = Vec::new();
        while let Some(front) = self.front() {
            self.mode = front.then;
            let rest = self.buffer.split_off(front.length);
            let mut bytes = std::mem::replace(&mut self.buffer, rest);
            bytes.drain(..self.told);
            self.told = 0;
            self.start += front.length as u64;
            units.push(Unit { text: front.text, packets: front.packets, bytes, end: self.start });
        }
        units
    }

    /// What has come and is not told yet, as a part.
    pub(super) fn part(&mut self) -> Option<Unit> {
        let bytes = self.buffer[self.told..].to_vec();
        self.told = self.buffer.len();
        let text = format!("({} bytes of something)", bytes.len());
        let end = self.start + self.buffer.len() as u64;
        (!bytes.is_empty()).then_some(Unit { text, packets: Vec::new(), bytes, end })
    }

    fn front(&mut self) -> Option<Front> {
        let front = match self.mode {
            Mode::Raw => return None,
            Mode::Http => self.http(),
            Mode::WebSocket => frame(&self.buffer),
        };
        front.unwrap_or_else(|()| {
            self.mode = Mode::Raw;
            None
        })
    }

    fn http(&self) -> Result<Option<Front>, ()> {
        let bytes = &self.buffer;
        let Some(end) = http::head_end(bytes) else {
            let is_begun = bytes.is_empty()
                || match self.dir {
                    Dir::Up => bytes[0].is_ascii_uppercase(),
                    Dir::Down => b"HTTP/".starts_with(&bytes[..bytes.len().min(5)]),
                };
            return if is_begun && bytes.len() <= HEAD_MAX { Ok(None) } else { Err(()) };
        };
        let head = std::str::from_utf8(&bytes[..end]).map_err(|_| ())?;
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (first, second) = (words.next().ok_or(())?, words.next().ok_or(())?);
        let field = |name: &str| {
            lines.clone().find_map(|line| {
                let (known, value) = line.split_once(':')?;
                known.eq_ignore_ascii_case(name).then_some(value.trim())
            })
        };
        let body: usize = field("content-length").map_or(Ok(0), str::parse).map_err(|_| ())?;
        let length = (end + 4).checked_add(body).ok_or(())?;
        let Some(body) = bytes.get(end + 4..length) else { return Ok(None) };
        let is_switching = match self.dir {
            Dir::Up => field("upgrade").is_some_and(|to| to.eq_ignore_ascii_case("websocket")),
            Dir::Down => second == "101",
        };
        let title = match self.dir {
            Dir::Up => format!("{first} {second}"),
            Dir::Down => second.to_string(),
        };
        let body = String::from_utf8_lossy(body);
        let packets: Vec<String> = if body.starts_with(is_packet_kind) {
            body.split('\x1e').map(String::from).collect()
        } else {
            Vec::new()
        };
        let told = if packets.is_empty() { body.into_owned() } else { packets.join(" | ") };
        let space = if told.is_empty() { "" } else { " " };
        let then = if is_switching { Mode::WebSocket } else { Mode::Http };
        Ok(Some(Front { length, text: format!("{title}{space}{told}"), packets, then }))
    }
}

fn is_packet_kind(character: char) -> bool {
    matches!(character, '0'..='6' | 'b')
}

/// RFC 6455, 5.2.
fn frame(bytes: &[u8]) -> Result<Option<Front>, ()> {
    let [first, second, ..] = *bytes else { return Ok(None) };
    let big = |range: std::ops::Range<usize>| {
        let bytes = bytes.get(range)?;
        Some(bytes.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    };
    let (length, start) = match second & 0x7f {
        126 => (big(2..4), 4),
        127 => (big(2..10), 10),
        length => (Some(u64::from(length)), 2),
    };
    let Some(length) = length else { return Ok(None) };
    if length > FRAME_MAX {
        return Err(());
    }
    let is_masked = second & 0x80 != 0;
    let start = start + if is_masked { 4 } else { 0 };
    let end = start + length as usize;
    let Some(payload) = bytes.get(start..end) else { return Ok(None) };
    let mask = if is_masked { bytes[start - 4..start].to_vec() } else { vec![0] };
    let unmasked = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    let text = match (first & 0x80, first & 0x0f) {
        (0x80, 1) => String::from_utf8(unmasked.collect()).map_err(|_| ())?,
        (_, 0) => "(continuation)".into(),
        (0, 1 | 2) => "(first fragment)".into(),
        (_, 2) => format!("(binary, {length} bytes)"),
        (_, 8) => "(close frame)".into(),
        (_, 9) => "(ws ping)".into(),
        (_, 10) => "(ws pong)".into(),
        _ => return Err(()),
    };
    let packets = vec![text.clone()];
    Ok(Some(Front { length: end, text, packets, then: Mode::WebSocket }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: &[u8] = b"POST /a?sid=x HTTP/1.1\r\nContent-Length: 7\r\n\r\n40\x1e42[]\
        GET /b HTTP/1.1\r\nUpgrade: websocket\r\n\r\n\
        \x81\x82\x01\x02\x03\x04\x33\x32\x8a\x80\0\0\0\0";
    const DOWN: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\
        HTTP/1.1 101 Switching\r\n\r\n\x81\x063probe\x82\x01a\x88\0";

    /// However the bytes are cut, the units are the same.
    fn units(dir: Dir, bytes: &[u8]) -> Vec<(String, u64)> {
        let whole: Vec<_> = Decoder::new(dir).feed(bytes);
        for size in [1, 7] {
            let mut decoder = Decoder::new(dir);
            let units: Vec<Unit> =
                bytes.chunks(size).flat_map(|chunk| decoder.feed(chunk)).collect();
            assert_eq!(units, whole);
            assert_eq!(decoder.part(), None);
        }
        assert_eq!(whole.iter().flat_map(|unit| unit.bytes.clone()).collect::<Vec<_>>(), bytes);
        whole.into_iter().map(|unit| (unit.text, unit.end)).collect()
    }

    #[test]
    fn a_client_is_cut_into_requests_and_frames() {
        let expected =
            [("POST /a?sid=x 40 | 42[]", 52), ("GET /b", 91), ("20", 99), ("(ws pong)", 105)];
        assert_eq!(units(Dir::Up, UP), expected.map(|(text, end)| (text.to_string(), end)));
    }

    #[test]
    fn a_server_is_cut_into_answers_and_frames() {
        let expected = [
            ("200 ok", 40),
            ("101", 66),
            ("3probe", 74),
            ("(binary, 1 bytes)", 77),
            ("(close frame)", 79),
        ];
        assert_eq!(units(Dir::Down, DOWN), expected.map(|(text, end)| (text.to_string(), end)));
    }

    #[test]
    fn what_is_no_unit_is_told_in_parts_and_only_once() {
        let mut decoder = Decoder::new(Dir::Up);
        assert_eq!(decoder.feed(b"GET /b HT"), []);
        let part = decoder.part().unwrap();
        assert_eq!((part.bytes.len(), part.end), (9, 9));
        assert_eq!(decoder.part(), None);
        let units = decoder.feed(b"TP/1.1\r\n\r\n\0\0");
        assert_eq!((units[0].bytes.len(), units[0].end), (10, 19));
        assert_eq!(decoder.part().map(|part| part.end), Some(21));
        assert_eq!(decoder.feed(b"GET / HTTP/1.1\r\n\r\n"), []);
    }
}
