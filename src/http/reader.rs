//! Bytes of one connection to requests.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;
use core::mem;
use core::ops::Deref;

use super::Fault;
use super::body::{Decoder, Piece, take_at_most};
use super::head::{BodyKind, Head, Lines};

/// Reads the requests of one connection.
///
/// | state     | given                     | state                                      |
/// |-----------|---------------------------|--------------------------------------------|
/// | `Gap`     | empty lines               | `Gap`                                      |
/// | `Gap`     | a part of a head          | `Head`                                     |
/// | any two   | all of a head: `Head`     | `Ended`, `Length` or `Chunked`, as it says |
/// | `Length`  | a part of it: `Body`      | `Length`, at last `Ended`                  |
/// | `Chunked` | a part of a chunk: `Body` | `Chunked`                                  |
/// | `Chunked` | the last chunk: `End`     | `Gap`                                      |
/// | `Ended`   | nothing: `End`            | `Gap`                                      |
/// | any       | a fault: `Failed`         | `Failed`, for good                         |
pub(crate) struct Reader {
    state: State,
}

enum State {
    /// No byte of a request was seen, only empty lines and perhaps the CR of another.
    Gap { empty_lines: u8, cr: bool },
    /// A part of a head was seen, and is kept.
    Head { kept: Vec<u8>, lines: Lines },
    /// This much of a body is still to come.
    Length { left: u64 },
    /// A body comes in chunks.
    Chunked(Decoder),
    /// The body is complete, which was not said yet.
    Ended,
    /// A request was refused; what comes now is dropped.
    Failed,
}

/// What a [`Reader`] takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReaderLimits {
    /// The most bytes of a head, with the empty line that ends it.
    pub(crate) head_bytes_max: u32,
}

/// 16 KiB, as Node.js has it.
impl Default for ReaderLimits {
    fn default() -> Self {
        Self { head_bytes_max: 16 * 1024 }
    }
}

/// What a [`Reader`] found: for every request a `Head`, any number of `Body`, an `End`.
#[derive(Debug)]
pub(crate) enum Read<'a> {
    /// The head of a request.
    Head(HeadText<'a>),
    /// A piece of its body, which is not empty and lies in the input.
    Body(&'a [u8]),
    /// The request is complete, be it without a body.
    End,
    /// It is refused. Comes once; whatever follows is dropped.
    Failed(Fault),
}

/// The text of a checked head: lies in the input, unless it came in pieces.
#[derive(Clone)]
pub(crate) struct HeadText<'a> {
    text: Cow<'a, [u8]>,
    body: BodyKind,
}

impl HeadText<'_> {
    /// What it says.
    pub(crate) fn head(&self) -> Head<'_> {
        Head::view(&self.text, self.body)
    }
}

impl Deref for HeadText<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.text
    }
}

/// Shows the request line only: fields hold cookies and credentials.
impl fmt::Debug for HeadText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head().fmt(f)
    }
}

impl Reader {
    /// A reader that has seen nothing.
    pub(crate) fn new() -> Self {
        Self { state: State::GAP }
    }

    /// The next piece of `input`, which is advanced behind it; `None` when it is used up.
    ///
    /// Takes time linear in what it advances by, and for a head in the length of that. Bytes
    /// behind a head are not looked at before the next call: if they belong to another protocol,
    /// they are still in `input`, and the reader is to be dropped.
    pub(crate) fn next<'a>(
        &mut self,
        input: &mut &'a mut [u8],
        limits: &ReaderLimits,
    ) -> Option<Read<'a>> {
        self.advance(input, limits).unwrap_or_else(|fault| {
            *input = &mut [];
            self.state = State::Failed;
            Some(Read::Failed(fault))
        })
    }

    /// Whether it is between two requests and has seen no byte of the second. It then owns no
    /// memory.
    pub(crate) fn is_idle(&self) -> bool {
        matches!(self.state, State::Gap { cr: false, .. })
    }

    fn advance<'a>(
        &mut self,
        input: &mut &'a mut [u8],
        limits: &ReaderLimits,
    ) -> Result<Option<Read<'a>>, Fault> {
        match &mut self.state {
            State::Gap { empty_lines, cr } => {
                if !skip_empty_lines(input, empty_lines, cr)? {
                    return Ok(None);
                }
                self.read_head(Vec::new(), Lines::default(), input, limits)
            }
            State::Head { kept, lines } => {
                let (kept, lines) = (mem::take(kept), *lines);
                self.read_head(kept, lines, input, limits)
            }
            State::Length { .. } | State::Chunked(_) if input.is_empty() => Ok(None),
            State::Length { left } => {
                let piece = take_at_most(input, left);
                if *left == 0 {
                    self.state = State::Ended;
                }
                Ok(Some(Read::Body(piece)))
            }
            State::Chunked(decoder) => Ok(match decoder.decode(input)? {
                Some(Piece::Data(piece)) => Some(Read::Body(piece)),
                Some(Piece::End) => self.end(),
                None => None,
            }),
            State::Ended => Ok(self.end()),
            State::Failed => {
                *input = &mut [];
                Ok(None)
            }
        }
    }

    /// Reads on in a head of which `kept` was seen before.
    fn read_head<'a>(
        &mut self,
        mut kept: Vec<u8>,
        mut lines: Lines,
        input: &mut &'a mut [u8],
        limits: &ReaderLimits,
    ) -> Result<Option<Read<'a>>, Fault> {
        let room = (limits.head_bytes_max as usize).saturating_sub(kept.len());
        let seen = room.min(input.len());
        let Some(length) = lines.find_end(&input[..seen])? else {
            if seen == room {
                return Err(Fault::HeadTooLarge);
            }
            kept.extend_from_slice(take(input, seen));
            self.state = State::Head { kept, lines };
            return Ok(None);
        };
        let piece = take(input, length);
        let text = if kept.is_empty() {
            Cow::Borrowed(piece)
        } else {
            kept.extend_from_slice(piece);
            Cow::Owned(kept)
        };
        let body = Head::parse_lines(&text)?.body();
        self.state = match body {
            BodyKind::None | BodyKind::Length(0) => State::Ended,
            BodyKind::Length(left) => State::Length { left },
            BodyKind::Chunked => State::Chunked(Decoder::new()),
        };
        Ok(Some(Read::Head(HeadText { text, body })))
    }

    fn end<'a>(&mut self) -> Option<Read<'a>> {
        self.state = State::GAP;
        Some(Read::End)
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    const GAP: Self = Self::Gap { empty_lines: 0, cr: false };
}

/// Takes the first `length` bytes of the input.
pub(super) fn take<'a>(input: &mut &'a mut [u8], length: usize) -> &'a [u8] {
    let (taken, rest) = mem::take(input).split_at_mut(length);
    *input = rest;
    taken
}

/// Skips the empty lines that old clients send behind a body (RFC 9112, 2.2). Tells whether a
/// request begins.
fn skip_empty_lines(
    input: &mut &mut [u8],
    empty_lines: &mut u8,
    cr: &mut bool,
) -> Result<bool, Fault> {
    while let Some(&byte) = input.first() {
        match (mem::take(cr), byte) {
            (false, b'\r') if *empty_lines < EMPTY_LINES_MAX => *cr = true,
            (true, b'\n') => *empty_lines += 1,
            (true, _) | (false, b'\r' | b'\n') => return Err(Fault::BadRequest),
            (false, _) => return Ok(true),
        }
        take(input, 1);
    }
    Ok(false)
}

/// The most empty lines before a request.
const EMPTY_LINES_MAX: u8 = 4;

/// There is one for every connection, most of which are idle.
#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Reader>() <= 32);

#[cfg(test)]
mod tests {
    use alloc::{format, vec};

    use quickcheck::{Gen, QuickCheck};

    use super::*;

    /// What a reader found, free of how it came in: adjacent pieces of a body are one.
    #[derive(Debug, Clone, PartialEq, Eq)]
    enum Seen {
        Head(Vec<u8>, BodyKind),
        Body(Vec<u8>),
        End,
        Failed(Fault),
    }

    const LIMITS: ReaderLimits = ReaderLimits { head_bytes_max: 200 };

    fn read_into(reader: &mut Reader, bytes: &[u8], seen: &mut Vec<Seen>) {
        let mut bytes = bytes.to_vec();
        let mut input = &mut bytes[..];
        while let Some(read) = reader.next(&mut input, &LIMITS) {
            match (read, seen.last_mut()) {
                (Read::Head(text), _) => {
                    seen.push(Seen::Head(text.to_vec(), text.head().body()));
                }
                (Read::Body(piece), Some(Seen::Body(body))) => body.extend_from_slice(piece),
                (Read::Body(piece), _) => seen.push(Seen::Body(piece.to_vec())),
                (Read::End, _) => seen.push(Seen::End),
                (Read::Failed(fault), _) => seen.push(Seen::Failed(fault)),
            }
        }
        assert!(input.is_empty(), "`None` means that the input is used up");
    }

    fn read<'b>(chunks: impl IntoIterator<Item = &'b [u8]>) -> (Reader, Vec<Seen>) {
        let (mut reader, mut seen) = (Reader::new(), Vec::new());
        for chunk in chunks {
            read_into(&mut reader, chunk, &mut seen);
        }
        (reader, seen)
    }

    fn read_whole(bytes: &[u8]) -> Vec<Seen> {
        read([bytes]).1
    }

    fn head(text: &str, body: BodyKind) -> Seen {
        Seen::Head(text.into(), body)
    }

    const GET: &str = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    const POST: &str = "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
    const CHUNKED: &str = "PUT /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

    #[test]
    fn pipelined_requests_come_apart() {
        // RFC 9112, 9.3.2
        let bytes = format!("{GET}{POST}hello{CHUNKED}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n{GET}");
        let wanted = [
            head(GET, BodyKind::None),
            Seen::End,
            head(POST, BodyKind::Length(5)),
            Seen::Body(b"hello".to_vec()),
            Seen::End,
            head(CHUNKED, BodyKind::Chunked),
            Seen::Body(b"abcde".to_vec()),
            Seen::End,
            head(GET, BodyKind::None),
            Seen::End,
        ];
        let (reader, seen) = read([bytes.as_bytes()]);
        assert_eq!(seen, wanted);
        assert!(reader.is_idle());
        let (reader, seen) = read(bytes.as_bytes().chunks(1));
        assert_eq!(seen, wanted);
        assert!(reader.is_idle());
    }

    #[test]
    fn a_body_is_framed_whatever_the_method() {
        // RFC 9112, 6: the presence of a body does not depend on the method
        let text = GET.replace("Host", "Content-Length: 2\r\nHost");
        let bytes = format!("{text}xx{GET}");
        let wanted = [
            head(&text, BodyKind::Length(2)),
            Seen::Body(b"xx".to_vec()),
            Seen::End,
            head(GET, BodyKind::None),
            Seen::End,
        ];
        assert_eq!(read_whole(bytes.as_bytes()), wanted);
    }

    #[test]
    fn an_announced_empty_body_has_no_piece() {
        let text = POST.replace('5', "0");
        assert_eq!(read_whole(text.as_bytes()), [head(&text, BodyKind::Length(0)), Seen::End]);
        assert_eq!(
            read_whole(format!("{CHUNKED}0\r\n\r\n").as_bytes()),
            [head(CHUNKED, BodyKind::Chunked), Seen::End]
        );
    }

    #[test]
    fn heads_and_bodies_lie_in_the_input() {
        let mut bytes = format!("{POST}hello").into_bytes();
        let range = bytes.as_ptr_range();
        let mut input = &mut bytes[..];
        let mut reader = Reader::new();
        let Some(Read::Head(text)) = reader.next(&mut input, &LIMITS) else { panic!("no head") };
        assert_eq!(text.as_ptr(), range.start);
        let Some(Read::Body(body)) = reader.next(&mut input, &LIMITS) else { panic!("no body") };
        assert_eq!(body.as_ptr_range().end, range.end);
    }

    #[test]
    fn what_follows_an_upgrade_is_left_alone() {
        let text = GET.replace("Host", "Connection: upgrade\r\nUpgrade: websocket\r\nHost");
        for split in [0, 1, text.len() - 1] {
            let mut first = text.as_bytes()[..split].to_vec();
            let mut second = [&text.as_bytes()[split..], b"\x81\x80\n"].concat();
            let mut reader = Reader::new();
            assert!(reader.next(&mut &mut first[..], &LIMITS).is_none());
            let mut input = &mut second[..];
            let Some(Read::Head(text)) = reader.next(&mut input, &LIMITS) else {
                panic!("no head")
            };
            assert_eq!(text.head().upgrade_to(), Some("websocket"));
            assert_eq!(input, b"\x81\x80\n");
        }
    }

    #[test]
    fn a_head_over_the_limit_is_refused_as_soon_as_it_is_seen() {
        let max = LIMITS.head_bytes_max as usize;
        let longest = GET.replace("a\r\n\r\n", "");
        let padding = max - longest.len() - 4;
        let longest = format!("{longest}{}\r\n\r\n", "a".repeat(padding));
        assert_eq!(longest.len(), max);
        assert_eq!(read_whole(longest.as_bytes()), [head(&longest, BodyKind::None), Seen::End]);
        let endless = vec![b'G'; max];
        for chunk in [1, 7, max] {
            let (mut reader, mut seen) = read(endless[..max - 1].chunks(chunk));
            assert_eq!(seen, []);
            read_into(&mut reader, b"G", &mut seen);
            assert_eq!(seen, [Seen::Failed(Fault::HeadTooLarge)]);
        }
        let too_long = longest.replace("Host: ", "Host:  ");
        assert_eq!(read_whole(too_long.as_bytes()), [Seen::Failed(Fault::HeadTooLarge)]);
    }

    #[test]
    fn a_lone_line_feed_is_refused_at_once() {
        // RFC 9112, 2.2: waiting for CRLFCRLF would take for ever
        for text in ["GET / HTTP/1.1\n", "GET / HTTP/1.1\r\nHost: a\n", "GET / HTTP/1.1\r\n\n"] {
            assert_eq!(read_whole(text.as_bytes()), [Seen::Failed(Fault::BadRequest)], "{text:?}");
            let (_, seen) = read(text.as_bytes().chunks(1));
            assert_eq!(seen, [Seen::Failed(Fault::BadRequest)], "{text:?}");
        }
    }

    #[test]
    fn a_few_empty_lines_before_a_request_are_skipped() {
        // RFC 9112, 2.2
        let max = usize::from(EMPTY_LINES_MAX);
        let after = |lines: &str| read_whole(format!("{lines}{GET}").as_bytes());
        assert_eq!(after(&"\r\n".repeat(max)), [head(GET, BodyKind::None), Seen::End]);
        for lines in [&"\r\n".repeat(max + 1), "\n", "\r", "\r\r\n", "\r\n\n", " \r\n"] {
            assert_eq!(after(lines), [Seen::Failed(Fault::BadRequest)], "{lines:?}");
        }
        // the number counts for each request
        let lines = "\r\n".repeat(max);
        let seen = read_whole(format!("{lines}{GET}{lines}{GET}").as_bytes());
        assert_eq!(seen.len(), 4, "{seen:?}");
    }

    #[test]
    fn failure_is_final() {
        let (mut reader, mut seen) = read([&b"\n"[..]]);
        read_into(&mut reader, GET.as_bytes(), &mut seen);
        assert_eq!(seen, [Seen::Failed(Fault::BadRequest)]);
        assert!(!reader.is_idle());
        let seen = read_whole(format!("{CHUNKED}x{GET}").as_bytes());
        assert_eq!(seen, [head(CHUNKED, BodyKind::Chunked), Seen::Failed(Fault::BadRequest)]);
    }

    #[test]
    fn a_reader_is_idle_between_requests_and_owns_nothing_then() {
        let mut reader = Reader::new();
        let mut seen = Vec::new();
        assert!(reader.is_idle());
        for byte in format!("{GET}{POST}hello").bytes() {
            read_into(&mut reader, &[byte], &mut seen);
            let complete = seen.last() == Some(&Seen::End);
            let owns = matches!(&reader.state, State::Head { kept, .. } if kept.capacity() > 0);
            let in_head = matches!(&reader.state, State::Head { .. });
            assert_eq!(owns, in_head);
            assert_eq!(reader.is_idle(), complete && !in_head);
        }
        read_into(&mut reader, b"\r", &mut seen);
        assert!(!reader.is_idle());
        read_into(&mut reader, b"\n", &mut seen);
        assert!(reader.is_idle());
    }

    /// Streams that are mostly valid: parts of requests, with some bytes changed.
    fn stream(parts: &[u8], changes: &[(u16, u8)]) -> Vec<u8> {
        const PARTS: [&str; 10] = [
            GET,
            POST,
            CHUNKED,
            "hello",
            "5\r\nhello\r\n",
            "1;a=b\r\nx\r\n",
            "0\r\n\r\n",
            "0\r\nA: b\r\n\r\n",
            "\r\n",
            "GET http://a?b HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        ];
        let part = |&part: &u8| PARTS[usize::from(part) % PARTS.len()].bytes();
        let mut bytes: Vec<u8> = parts.iter().flat_map(part).collect();
        for &(at, byte) in changes {
            let length = bytes.len().max(1);
            if let Some(changed) = bytes.get_mut(usize::from(at) % length) {
                *changed = if byte < 128 { b"\r\n :;0"[usize::from(byte) % 6] } else { byte };
            }
        }
        bytes
    }

    #[test]
    fn how_bytes_are_split_changes_nothing() {
        fn same(parts: Vec<u8>, changes: Vec<(u16, u8)>, sizes: Vec<u8>) -> bool {
            // half of all streams are left as they are
            let changes = if parts.len().is_multiple_of(2) { &changes[..] } else { &[] };
            let bytes = stream(&parts, changes);
            let whole = read_whole(&bytes);
            let mut rest = &bytes[..];
            let mut chunks = Vec::new();
            for size in sizes {
                let (chunk, behind) = rest.split_at(rest.len().min(usize::from(size)));
                chunks.push(chunk);
                rest = behind;
            }
            chunks.push(rest);
            read(bytes.chunks(1)).1 == whole && read(chunks).1 == whole
        }
        let property = same as fn(Vec<u8>, Vec<(u16, u8)>, Vec<u8>) -> bool;
        QuickCheck::new().rng(Gen::from_size_and_seed(8, 2)).tests(20_000).quickcheck(property);
    }

    #[test]
    fn streams_of_the_property_above_are_often_valid() {
        let seen = read_whole(&stream(&[0, 1, 3, 8, 2, 5, 4, 7, 9], &[]));
        assert_eq!(seen.iter().filter(|seen| **seen == Seen::End).count(), 4, "{seen:?}");
    }

    #[test]
    fn arbitrary_bytes_never_panic() {
        fn survives(bytes: Vec<u8>) -> bool {
            let seen = read_whole(&bytes);
            // behind a valid head too, where they are lengths, chunks and trailers
            for text in [POST, CHUNKED, "GET / HTTP/1.1\r\n"] {
                read_whole(&[text.as_bytes(), &bytes].concat());
            }
            read(bytes.chunks(3)).1 == seen
        }
        let property = survives as fn(Vec<u8>) -> bool;
        QuickCheck::new().rng(Gen::from_size_and_seed(300, 3)).tests(5_000).quickcheck(property);
    }
}
