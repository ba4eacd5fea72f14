//! Reading a client's frames into messages (RFC 6455 sections 5.2 to 5.5, 6.2 and 8.1).

use alloc::vec::Vec;
use core::mem;
use core::ops::Deref;

use super::close;
use super::header::{CLIENT_HEADER_BYTES_MAX, Header, Opcode, unmask};

/// What a header alone can make us reserve. Up to here a message that comes in pieces costs one
/// allocation; a longer one has its buffer doubled as its bytes arrive, for a peer that announces
/// a megabyte and then sends nothing must not be worth a megabyte.
const RESERVE_BYTES_MAX: usize = 16 << 10;

/// Reads the messages of one connection.
///
/// Between messages it owns no buffer, and a connection that waits is not worth more than this.
#[derive(Debug)]
pub(crate) struct Reader {
    step: Step,
    /// What has come of a message that arrives in pieces. At most `Limits::message_bytes_max`.
    message: Vec<u8>,
    /// What has come of a control frame that does. At most the 125 bytes that a header may say.
    control: Vec<u8>,
    /// How many fragments of the open message have begun.
    fragments: u32,
    /// The kind of the message whose next fragment is to come.
    open: Option<Kind>,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Reader>() <= 80);

/// What a message may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The longest message, all fragments together. One byte more is [`Fault::TooBig`].
    pub(crate) message_bytes_max: u64,
    /// The most fragments of a message; empty ones count, for they would come for ever. A message
    /// that is not fragmented has one. One more is [`Fault::TooManyFragments`].
    pub(crate) fragments_max: u32,
}

/// Something that a connection read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Read<'a> {
    /// A whole message.
    Message {
        /// What the client says the data is.
        kind: Kind,
        /// The payload; that of a text is UTF-8.
        data: Data<'a>,
    },
    /// A ping, to be answered with a pong that has the same payload, of at most 125 bytes.
    Ping(Data<'a>),
    /// A pong, asked for or not.
    Pong,
    /// The peer's close frame. Nothing after it is read.
    Close {
        /// The code, where it has one.
        code: Option<u16>,
    },
    /// The peer broke the protocol or a limit. Nothing after it is read.
    Failed(Fault),
}

/// What a message is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

/// A payload.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Data<'a> {
    /// It stood in one piece in the input, and still does.
    Here(&'a [u8]),
    /// It was pieced together. No capacity is left over.
    Kept(Vec<u8>),
}

impl Deref for Data<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Data::Here(bytes) => bytes,
            Data::Kept(bytes) => bytes,
        }
    }
}

/// What a connection must be failed for (RFC 6455 section 7.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The frames break the protocol.
    Protocol,
    /// A text, or the reason of a close frame, is not UTF-8.
    NotUtf8,
    /// A message is longer than [`Limits::message_bytes_max`].
    TooBig,
    /// A message has more fragments than [`Limits::fragments_max`].
    TooManyFragments,
}

impl Fault {
    /// The code to close with (7.4.1). Too many fragments are nothing "too big to process" but a
    /// matter of policy, and get the same 1008 from `ws` for Node.js.
    #[must_use]
    pub(crate) const fn close_code(self) -> u16 {
        match self {
            Self::Protocol => 1002,
            Self::NotUtf8 => 1007,
            Self::TooManyFragments => 1008,
            Self::TooBig => 1009,
        }
    }
}

#[derive(Debug)]
enum Step {
    /// Between two frames, or inside the header of one.
    Header(Partial),
    /// Inside the payload of a frame, or before it.
    Payload(Frame),
    /// After a close frame or a fault.
    Over,
}

/// What has come of a header.
#[derive(Debug)]
struct Partial {
    bytes: [u8; CLIENT_HEADER_BYTES_MAX],
    len: u8,
}

/// A frame whose payload is being read.
#[derive(Clone, Copy, Debug)]
struct Frame {
    role: Role,
    /// Whether what it belongs to ends with it.
    fin: bool,
    /// The mask, turned so that its first byte falls on the next one of the payload.
    mask: [u8; 4],
    /// How much of the payload is still to come.
    left: usize,
}

#[derive(Clone, Copy, Debug)]
enum Role {
    Message(Kind),
    Close,
    Ping,
    Pong,
}

impl Reader {
    /// A reader at the first byte after the handshake.
    #[must_use]
    pub(crate) const fn new() -> Self {
        Self::at(Step::Header(Partial::NONE))
    }

    /// The next thing that happened; `None` when the input is used up, so call it until then.
    /// Advances `input`, whose frames are unmasked in place.
    pub(crate) fn next<'a>(
        &mut self,
        input: &mut &'a mut [u8],
        limits: &Limits,
    ) -> Option<Read<'a>> {
        let read = self.advance(input, limits).unwrap_or_else(|fault| Some(Read::Failed(fault)));
        if let Some(Read::Close { .. } | Read::Failed(_)) = read {
            *self = Self::at(Step::Over);
        }
        read
    }

    const fn at(step: Step) -> Self {
        Self { step, message: Vec::new(), control: Vec::new(), fragments: 0, open: None }
    }

    fn advance<'a>(
        &mut self,
        input: &mut &'a mut [u8],
        limits: &Limits,
    ) -> Result<Option<Read<'a>>, Fault> {
        loop {
            match &mut self.step {
                Step::Header(partial) => match partial.read(input)? {
                    Some(header) => self.step = Step::Payload(self.begin(header, limits)?),
                    None => return Ok(None),
                },
                Step::Payload(frame) if frame.left > 0 && input.is_empty() => return Ok(None),
                &mut Step::Payload(frame) => {
                    if let Some((role, data)) = self.payload(frame, input, limits) {
                        return finish(role, data).map(Some);
                    }
                }
                Step::Over => {
                    *input = &mut [];
                    return Ok(None);
                }
            }
        }
    }

    /// Whether a frame may come now, and what it is here.
    fn begin(&mut self, header: Header, limits: &Limits) -> Result<Frame, Fault> {
        let role = match (header.opcode, self.open) {
            (Opcode::Close, _) => Role::Close,
            (Opcode::Ping, _) => Role::Ping,
            (Opcode::Pong, _) => Role::Pong,
            (Opcode::Continuation, Some(kind)) => Role::Message(kind),
            (Opcode::Text, None) => Role::Message(Kind::Text),
            (Opcode::Binary, None) => Role::Message(Kind::Binary),
            // "The fragments of one message MUST NOT be interleaved between the fragments of
            // another message" (5.4), and none may come without a first one.
            (Opcode::Continuation, None) | (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(Fault::Protocol);
            }
        };
        if let Role::Message(kind) = role {
            let room = limits.message_bytes_max.saturating_sub(self.message.len() as u64);
            if header.payload_bytes > room {
                return Err(Fault::TooBig);
            }
            if self.fragments >= limits.fragments_max {
                return Err(Fault::TooManyFragments);
            }
            self.fragments = if header.fin { 0 } else { self.fragments + 1 };
            self.open = (!header.fin).then_some(kind);
        }
        let left = usize::try_from(header.payload_bytes).map_err(|_| Fault::TooBig)?;
        Ok(Frame { role, fin: header.fin, mask: header.mask, left })
    }

    /// Reads on in a payload, and hands out what is complete with it.
    fn payload<'a>(
        &mut self,
        mut frame: Frame,
        input: &mut &'a mut [u8],
        limits: &Limits,
    ) -> Option<(Role, Data<'a>)> {
        let piece = take(input, frame.left.min(input.len()));
        unmask(piece, frame.mask);
        frame.mask.rotate_left(piece.len() % 4);
        frame.left -= piece.len();
        let ends = frame.left == 0;
        self.step = if ends { Step::Header(Partial::NONE) } else { Step::Payload(frame) };

        let buffer = match frame.role {
            Role::Message(_) => &mut self.message,
            Role::Close | Role::Ping | Role::Pong => &mut self.control,
        };
        let complete = ends && frame.fin;
        if complete && buffer.is_empty() {
            return Some((frame.role, Data::Here(piece)));
        }
        keep(buffer, piece, &frame, limits);
        if !complete {
            return None;
        }
        buffer.shrink_to_fit();
        Some((frame.role, Data::Kept(mem::take(buffer))))
    }
}

impl Default for Reader {
    fn default() -> Self {
        Self::new()
    }
}

impl Partial {
    const NONE: Self = Self { bytes: [0; CLIENT_HEADER_BYTES_MAX], len: 0 };

    /// Reads on in the header, and takes no more of `input` than belongs to it.
    fn read(&mut self, input: &mut &mut [u8]) -> Result<Option<Header>, Fault> {
        let held = usize::from(self.len);
        let added = input.len().min(CLIENT_HEADER_BYTES_MAX - held);
        self.bytes[held..held + added].copy_from_slice(&input[..added]);
        let header = Header::parse(&self.bytes[..held + added])?;
        take(input, header.map_or(added, |header| header.bytes - held));
        self.len += added as u8;
        Ok(header)
    }
}

/// What a complete payload means.
fn finish(role: Role, data: Data<'_>) -> Result<Read<'_>, Fault> {
    Ok(match role {
        Role::Message(kind) => {
            if kind == Kind::Text {
                simdutf8::basic::from_utf8(&data).map_err(|_| Fault::NotUtf8)?;
            }
            Read::Message { kind, data }
        }
        Role::Ping => Read::Ping(data),
        Role::Pong => Read::Pong,
        Role::Close => Read::Close { code: close::parse(&data)? },
    })
}

/// Appends `piece`, the latest of `frame`, to `buffer`. Room grows with what has come; to no more
/// than the message can be, which is exactly what it will be once its last frame has begun.
fn keep(buffer: &mut Vec<u8>, piece: &[u8], frame: &Frame, limits: &Limits) {
    let held = buffer.len() + piece.len();
    if held > buffer.capacity() {
        let announced = held.saturating_add(frame.left);
        let limit = usize::try_from(limits.message_bytes_max).unwrap_or(usize::MAX);
        let most = if frame.fin { announced } else { limit };
        let room = announced.min(RESERVE_BYTES_MAX).max(held.saturating_mul(2)).min(most);
        buffer.reserve_exact(room.saturating_sub(buffer.len()));
    }
    buffer.extend_from_slice(piece);
}

/// Splits the first `count` bytes off `input`.
fn take<'a>(input: &mut &'a mut [u8], count: usize) -> &'a mut [u8] {
    let (taken, rest) = mem::take(input).split_at_mut(count);
    *input = rest;
    taken
}

#[cfg(test)]
mod tests {
    extern crate std;

    use alloc::boxed::Box;
    use alloc::string::String;
    use alloc::vec;
    use quickcheck::{Arbitrary, Gen, QuickCheck};
    use std::io;
    use tungstenite::protocol::{Role as Side, WebSocket, WebSocketConfig};
    use tungstenite::{Error, Message};

    use super::*;

    const LIMITS: Limits = Limits { message_bytes_max: 1000, fragments_max: 20 };
    const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
    const CONTINUATION: u8 = 0x0;
    const TEXT: u8 = 0x1;
    const BINARY: u8 = 0x2;
    const CLOSE: u8 = 0x8;
    const PING: u8 = 0x9;
    const PONG: u8 = 0xA;
    const FIN: u8 = 0x80;

    /// A [`Read`] that owns what it says.
    #[derive(Clone, Debug, PartialEq, Eq)]
    enum Seen {
        Message(Kind, Vec<u8>),
        Ping(Vec<u8>),
        Pong,
        Close(Option<u16>),
        Failed(Fault),
    }

    impl From<Read<'_>> for Seen {
        fn from(read: Read<'_>) -> Self {
            match read {
                Read::Message { kind, data } => Seen::Message(kind, data.to_vec()),
                Read::Ping(data) => Seen::Ping(data.to_vec()),
                Read::Pong => Seen::Pong,
                Read::Close { code } => Seen::Close(code),
                Read::Failed(fault) => Seen::Failed(fault),
            }
        }
    }

    /// What is read from `stream` when it arrives in chunks of these lengths, over and over.
    fn read_in(chunks: &[usize], stream: &[u8], limits: &Limits) -> Vec<Seen> {
        let mut reader = Reader::new();
        let mut seen = Vec::new();
        let mut rest = stream;
        for &chunk in chunks.iter().cycle() {
            let (now, later) = rest.split_at(chunk.min(rest.len()));
            let mut now = now.to_vec();
            let mut input = &mut now[..];
            while let Some(read) = reader.next(&mut input, limits) {
                seen.push(read.into());
            }
            assert!(input.is_empty());
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        seen
    }

    fn read(stream: &[u8]) -> Vec<Seen> {
        let seen = read_in(&[stream.len()], stream, &LIMITS);
        assert_eq!(read_in(&[1], stream, &LIMITS), seen);
        seen
    }

    /// A client's frame.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        masked(first, MASK, payload)
    }

    fn masked(first: u8, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
        let mut out = vec![first];
        match payload.len() {
            len @ 0..=125 => out.push(0x80 | len as u8),
            len @ 126..=0xFFFF => {
                out.push(0x80 | 126);
                out.extend((len as u16).to_be_bytes());
            }
            len => {
                out.push(0x80 | 127);
                out.extend((len as u64).to_be_bytes());
            }
        }
        out.extend(mask);
        out.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        out
    }

    fn text(text: &str) -> Seen {
        Seen::Message(Kind::Text, text.as_bytes().to_vec())
    }

    fn binary(bytes: &[u8]) -> Seen {
        Seen::Message(Kind::Binary, bytes.to_vec())
    }

    #[test]
    fn the_examples_of_the_rfc() {
        // Section 5.7, in order; those of a server are not for us.
        let unmasked = [0x81, 0x05, 0x48, 0x65, 0x6C, 0x6C, 0x6F];
        assert_eq!(read(&unmasked), [Seen::Failed(Fault::Protocol)]);
        let hello = [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
        assert_eq!(read(&hello), [text("Hello")]);
        let fragments = [frame(TEXT, b"Hel"), frame(FIN | CONTINUATION, b"lo")].concat();
        assert_eq!(read(&fragments), [text("Hello")]);
        let pong = [0x8A, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58];
        assert_eq!(read(&pong), [Seen::Pong]);
        assert_eq!(read(&frame(FIN | PING, b"Hello")), [Seen::Ping(b"Hello".to_vec())]);
        assert_eq!(read(&frame(FIN | BINARY, &[7; 256])), [binary(&[7; 256])]);
        let long = Limits { message_bytes_max: 0x1_0000, ..LIMITS };
        let stream = frame(FIN | BINARY, &[7; 0x1_0000]);
        assert_eq!(read_in(&[4096], &stream, &long), [binary(&[7; 0x1_0000])]);
    }

    #[test]
    fn control_frames_may_stand_between_fragments() {
        let stream = [
            frame(BINARY, b""),
            frame(FIN | PING, b"?"),
            frame(CONTINUATION, b"ab"),
            frame(FIN | PONG, b""),
            frame(FIN | CONTINUATION, b""),
            frame(FIN | TEXT, b""),
            frame(FIN | PING, &[1; 125]),
        ];
        let seen = [
            Seen::Ping(b"?".to_vec()),
            Seen::Pong,
            binary(b"ab"),
            text(""),
            Seen::Ping(vec![1; 125]),
        ];
        assert_eq!(read(&stream.concat()), seen);
    }

    #[test]
    fn fragments_must_make_up_one_message() {
        let failed = [Seen::Failed(Fault::Protocol)];
        assert_eq!(read(&frame(FIN | CONTINUATION, b"")), failed);
        assert_eq!(read(&frame(CONTINUATION, b"a")), failed);
        assert_eq!(read(&[frame(TEXT, b"a"), frame(FIN | TEXT, b"a")].concat()), failed);
        assert_eq!(read(&[frame(TEXT, b"a"), frame(BINARY, b"a")].concat()), failed);
        let ended = [frame(TEXT, b"a"), frame(0x80, b"b"), frame(0x80, b"c")].concat();
        assert_eq!(read(&ended), [text("ab"), Seen::Failed(Fault::Protocol)]);
    }

    #[test]
    fn texts_are_utf8_as_a_whole() {
        let euro = "€".as_bytes();
        let split = [frame(TEXT, &euro[..1]), frame(FIN, &euro[1..])].concat();
        assert_eq!(read(&split), [text("€")]);
        let failed = [Seen::Failed(Fault::NotUtf8)];
        assert_eq!(read(&frame(FIN | TEXT, &euro[..2])), failed);
        assert_eq!(read(&[frame(TEXT, b"a"), frame(FIN, b"\xFF")].concat()), failed);
        assert_eq!(read(&frame(FIN | BINARY, b"\xFF")), [binary(b"\xFF")]);
        assert_eq!(read(&frame(FIN | CLOSE, b"\x03\xE8\xFF")), failed);
    }

    #[test]
    fn nothing_counts_after_a_close_frame_or_a_fault() {
        let after = frame(FIN | TEXT, b"late");
        let close = [frame(TEXT, b"open"), frame(FIN | CLOSE, b"\x03\xE9bye"), after.clone()];
        assert_eq!(read(&close.concat()), [Seen::Close(Some(1001))]);
        assert_eq!(read(&[frame(FIN | CLOSE, b""), after.clone()].concat()), [Seen::Close(None)]);
        let short = [frame(FIN | CLOSE, b"\x03"), after.clone()].concat();
        assert_eq!(read(&short), [Seen::Failed(Fault::Protocol)]);
        assert_eq!(read(&[vec![0xF0, 0x80], after].concat()), [Seen::Failed(Fault::Protocol)]);
    }

    #[test]
    fn exactly_the_limit_passes() {
        let most = vec![b'x'; 1000];
        let more = vec![b'x'; 1001];
        assert_eq!(read(&frame(FIN | BINARY, &most)), [binary(&most)]);
        assert_eq!(read(&frame(FIN | BINARY, &more)), [Seen::Failed(Fault::TooBig)]);
        let split = |last: &[u8]| {
            [frame(BINARY, &most[..600]), frame(0, &most[..300]), frame(FIN, last)].concat()
        };
        assert_eq!(read(&split(&most[..100])), [binary(&most)]);
        assert_eq!(read(&split(&most[..101])), [Seen::Failed(Fault::TooBig)]);
        // The header is enough.
        assert_eq!(read(&frame(FIN | BINARY, &more)[..8]), [Seen::Failed(Fault::TooBig)]);
        let huge = [0x82, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0];
        assert_eq!(read(&huge), [Seen::Failed(Fault::TooBig)]);
        // Control frames are no part of a message.
        let none = Limits { message_bytes_max: 0, fragments_max: 1 };
        let ping = frame(FIN | PING, b"Hello");
        assert_eq!(read_in(&[3], &ping, &none), [Seen::Ping(b"Hello".to_vec())]);
    }

    #[test]
    fn fragments_are_counted_even_when_empty() {
        let fragments = |count: usize| {
            [frame(TEXT, b""), frame(0, b"").repeat(count - 2), frame(FIN, b"")].concat()
        };
        let twice = [fragments(20), fragments(20)].concat();
        assert_eq!(read(&twice), [text(""), text("")]);
        assert_eq!(read(&fragments(21)), [Seen::Failed(Fault::TooManyFragments)]);
        let ping = [frame(TEXT, b""), frame(FIN | PING, b"").repeat(21), frame(FIN, b"")].concat();
        assert_eq!(read(&ping).len(), 22);
    }

    #[test]
    fn faults_name_their_close_codes() {
        let faults = [Fault::Protocol, Fault::NotUtf8, Fault::TooManyFragments, Fault::TooBig];
        assert_eq!(faults.map(Fault::close_code), [1002, 1007, 1008, 1009]);
    }

    #[test]
    fn a_whole_frame_is_read_where_it_lies() {
        let mut stream = [frame(FIN | TEXT, b"here"), frame(FIN | PING, b"too")].concat();
        let at = stream.as_ptr() as usize;
        let mut input = &mut stream[..];
        let mut reader = Reader::new();
        let Some(Read::Message { data: Data::Here(text), .. }) = reader.next(&mut input, &LIMITS)
        else {
            panic!("copied")
        };
        assert_eq!(text.as_ptr() as usize, at + 6);
        let Some(Read::Ping(Data::Here(ping))) = reader.next(&mut input, &LIMITS) else {
            panic!("copied")
        };
        assert_eq!(ping.as_ptr() as usize, at + 16);
        assert_eq!(reader.message.capacity() + reader.control.capacity(), 0);
    }

    #[test]
    fn memory_follows_what_has_come() {
        let limits = Limits { message_bytes_max: 1 << 20, fragments_max: u32::MAX };
        let mut reader = Reader::new();
        let mut stream = frame(FIN | BINARY, &vec![9; 1 << 20]);
        let mut input = &mut stream[..];
        let mut header = take(&mut input, 14);
        assert_eq!(reader.next(&mut header, &limits), None);
        assert_eq!(reader.message.capacity(), 0);
        while !input.is_empty() {
            let count = input.len().min(1400);
            let mut chunk = take(&mut input, count);
            let read = reader.next(&mut chunk, &limits);
            let held = reader.message.len();
            assert!(reader.message.capacity() <= RESERVE_BYTES_MAX.max(4 * held));
            let Some(Read::Message { data: Data::Kept(data), .. }) = read else { continue };
            assert_eq!((data.len(), data.capacity()), (1 << 20, 1 << 20));
        }
        assert_eq!(reader.message.capacity(), 0);
    }

    #[test]
    fn many_small_fragments_leave_no_room_over() {
        let limits = Limits { message_bytes_max: 1 << 20, fragments_max: u32::MAX };
        let mut stream = [frame(BINARY, b"a"), frame(0, b"b").repeat(39_998), frame(FIN, b"c")];
        let mut reader = Reader::new();
        let mut grown = 0;
        for part in stream.iter_mut() {
            let mut input = &mut part[..];
            while !input.is_empty() {
                let before = reader.message.capacity();
                let mut piece = take(&mut input, 7);
                let read = reader.next(&mut piece, &limits);
                grown += u32::from(reader.message.capacity() > before);
                if let Some(read) = read {
                    let Read::Message { data: Data::Kept(data), .. } = read else {
                        panic!("{read:?}")
                    };
                    assert_eq!((data.len(), data.capacity()), (40_000, 40_000));
                }
            }
        }
        assert!(grown <= 16, "grew {grown} times");
    }

    /// What a client may do.
    #[derive(Clone, Debug)]
    enum Sent {
        Message { text: bool, payload: Vec<u8>, fragments: Vec<u8>, ping: bool, mask: [u8; 4] },
        Ping(Vec<u8>),
        Pong(Vec<u8>),
    }

    impl Arbitrary for Sent {
        fn arbitrary(g: &mut Gen) -> Self {
            let short = |g: &mut Gen| {
                let mut bytes = Vec::<u8>::arbitrary(g);
                bytes.truncate(125);
                bytes
            };
            match u8::arbitrary(g) % 8 {
                0 => Sent::Ping(short(g)),
                1 => Sent::Pong(short(g)),
                _ => {
                    let text = bool::arbitrary(g);
                    let mut payload =
                        if text { String::arbitrary(g).into_bytes() } else { Vec::arbitrary(g) };
                    // Around the border of the first two forms of length.
                    if u8::arbitrary(g) % 4 == 0 {
                        payload = vec![b'x'; 120 + usize::from(u8::arbitrary(g) % 12)];
                    }
                    payload.truncate(1000);
                    if text && std::str::from_utf8(&payload).is_err() {
                        payload.clear();
                    }
                    let mut fragments = Vec::<u8>::arbitrary(g);
                    fragments.truncate(usize::from(u8::arbitrary(g) % 4));
                    let mask = u32::arbitrary(g).to_be_bytes();
                    Sent::Message { text, payload, fragments, ping: bool::arbitrary(g), mask }
                }
            }
        }

        fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
            let Sent::Message { text: false, payload, fragments, ping, mask } = self.clone() else {
                return quickcheck::empty_shrinker();
            };
            Box::new((payload, fragments).shrink().map(move |(payload, fragments)| Sent::Message {
                text: false,
                payload,
                fragments,
                ping,
                mask,
            }))
        }
    }

    impl Sent {
        /// Appends the frames to `out`, and says what they must be read as.
        fn encode(&self, out: &mut Vec<u8>) -> Vec<Seen> {
            match self {
                Sent::Ping(payload) => {
                    out.extend(frame(FIN | PING, payload));
                    vec![Seen::Ping(payload.clone())]
                }
                Sent::Pong(payload) => {
                    out.extend(frame(FIN | PONG, payload));
                    vec![Seen::Pong]
                }
                Sent::Message { text, payload, fragments, ping, mask } => {
                    let kind = if *text { Kind::Text } else { Kind::Binary };
                    let mut seen = Vec::new();
                    let mut opcode = if *text { TEXT } else { BINARY };
                    let mut rest = &payload[..];
                    for &len in fragments {
                        let (fragment, later) = rest.split_at(usize::from(len).min(rest.len()));
                        out.extend(masked(opcode, *mask, fragment));
                        if *ping {
                            out.extend(frame(FIN | PING, fragment.get(..9).unwrap_or(b"")));
                            seen.push(Seen::Ping(fragment.get(..9).unwrap_or(b"").to_vec()));
                        }
                        opcode = CONTINUATION;
                        rest = later;
                    }
                    out.extend(masked(FIN | opcode, *mask, rest));
                    seen.push(Seen::Message(kind, payload.clone()));
                    seen
                }
            }
        }
    }

    fn encode(sent: &[Sent]) -> (Vec<u8>, Vec<Seen>) {
        let mut stream = Vec::new();
        let seen = sent.iter().flat_map(|sent| sent.encode(&mut stream)).collect();
        (stream, seen)
    }

    /// Inverts a few bits of `stream`.
    fn corrupt(mut stream: Vec<u8>, flips: &[(u16, u8)]) -> Vec<u8> {
        for &(at, bit) in flips {
            let at = usize::from(at) % stream.len().max(1);
            if let Some(byte) = stream.get_mut(at) {
                *byte ^= 1 << (bit % 8);
            }
        }
        stream
    }

    fn quickcheck<A: quickcheck::Testable>(size: usize, tests: u64, property: A) {
        let rng = Gen::from_size_and_seed(size, 6455);
        QuickCheck::new().rng(rng).tests(tests).quickcheck(property);
    }

    #[test]
    fn what_is_sent_is_read_however_it_is_cut() {
        fn property(sent: Vec<Sent>, chunks: Vec<u8>) -> bool {
            let (stream, seen) = encode(&sent);
            let mut chunks: Vec<usize> = chunks.into_iter().map(usize::from).collect();
            chunks.push(1);
            read(&stream) == seen && read_in(&chunks, &stream, &LIMITS) == seen
        }
        quickcheck(60, 400, property as fn(_, _) -> _);
    }

    #[test]
    fn faults_do_not_depend_on_cuts() {
        fn property(sent: Vec<Sent>, flips: Vec<(u16, u8)>, chunks: Vec<u8>) -> bool {
            let stream = corrupt(encode(&sent).0, &flips[..flips.len().min(3)]);
            let mut chunks: Vec<usize> = chunks.into_iter().map(usize::from).collect();
            chunks.push(1);
            read(&stream) == read_in(&chunks, &stream, &LIMITS)
        }
        quickcheck(30, 1000, property as fn(_, _, _) -> _);
    }

    #[test]
    fn any_bytes_at_all_are_read_or_refused() {
        fn property(bytes: Vec<u8>, chunks: Vec<u8>) -> bool {
            let mut chunks: Vec<usize> = chunks.into_iter().map(usize::from).collect();
            chunks.push(1);
            // A likely start, so that not every stream ends at its first byte.
            let stream = [&[0x82, 0x81][..], &bytes].concat();
            read(&bytes) == read_in(&chunks, &bytes, &LIMITS)
                && read(&stream) == read_in(&chunks, &stream, &LIMITS)
        }
        quickcheck(60, 1000, property as fn(_, _) -> _);
    }

    /// A transport that has some bytes and no more for now, and swallows what is written.
    struct Wire(io::Cursor<Vec<u8>>);

    impl io::Read for Wire {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buf)? {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                count => Ok(count),
            }
        }
    }

    impl io::Write for Wire {
        fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
            Ok(buf.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What tungstenite reads from `stream`, and then, if it still waits, from what `padding` adds.
    fn read_by_tungstenite(stream: &[u8], padding: usize) -> Vec<Seen> {
        let most = Some(LIMITS.message_bytes_max as usize);
        let config = WebSocketConfig::default()
            .read_buffer_size(4096)
            .max_message_size(most)
            .max_frame_size(most);
        let wire = Wire(io::Cursor::new([stream, &vec![0; padding]].concat()));
        let mut websocket = WebSocket::from_raw_socket(wire, Side::Server, Some(config));
        let mut seen = Vec::new();
        loop {
            seen.push(match websocket.read() {
                Ok(Message::Text(text)) => Seen::Message(Kind::Text, text.as_bytes().to_vec()),
                Ok(Message::Binary(bytes)) => Seen::Message(Kind::Binary, bytes.to_vec()),
                Ok(Message::Ping(bytes)) => Seen::Ping(bytes.to_vec()),
                Ok(Message::Pong(_)) => Seen::Pong,
                Ok(Message::Close(close)) => {
                    // It reports a code that no peer may send as this close frame.
                    let bad = close.as_ref().is_some_and(|it| it.reason == "Protocol violation");
                    let code = close.map(|close| close.code.into());
                    if bad { Seen::Failed(Fault::Protocol) } else { Seen::Close(code) }
                }
                Ok(message) => panic!("{message:?}"),
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return seen,
                Err(Error::Protocol(_)) => Seen::Failed(Fault::Protocol),
                Err(Error::Utf8(_)) => Seen::Failed(Fault::NotUtf8),
                Err(Error::Capacity(_)) => Seen::Failed(Fault::TooBig),
                Err(error) => panic!("{error:?}"),
            });
            if let Some(Seen::Failed(_) | Seen::Close(_)) = seen.last() {
                return seen;
            }
        }
    }

    /// Cuts `stream` before the first frame whose length is not minimal or not there, and says
    /// whether the frame that it then ends in announces more than a message may have.
    fn until_not_minimal(stream: &[u8]) -> (&[u8], bool) {
        let mut at = 0;
        while let Some(&[_, second]) = stream.get(at..at + 2) {
            let wide = |bytes: usize| {
                let digits = stream.get(at + 2..at + 2 + bytes)?;
                Some((digits.iter().fold(0, |all, &digit| all << 8 | u64::from(digit)), bytes))
            };
            let (length, bytes, least) = match second & 0x7F {
                126 => (wide(2), 2, 126),
                127 => (wide(8), 8, 0x1_0000),
                short => (Some((u64::from(short), 0)), 0, 0),
            };
            let Some((length, _)) = length else { return (&stream[..at], false) };
            if length < least {
                return (&stream[..at], false);
            }
            if length > LIMITS.message_bytes_max {
                return (stream, true);
            }
            at += 2 + bytes + usize::from(second >> 7) * 4 + length as usize;
        }
        (stream, false)
    }

    /// What we read from `stream`, which must be what tungstenite reads but for what it is known to
    /// do otherwise.
    fn read_like_tungstenite(stream: &[u8]) -> Vec<Seen> {
        // 1. It accepts lengths that are not minimal: such streams are compared up to there.
        let (stream, too_long) = until_not_minimal(stream);
        let limits = Limits { fragments_max: u32::MAX, ..LIMITS };
        let ours = read_in(&[stream.len()], stream, &limits);
        let mut theirs = read_by_tungstenite(stream, 0);
        if let Some(Seen::Failed(_)) = ours.last()
            && !matches!(theirs.last(), Some(Seen::Failed(_)))
        {
            // 2. It reads a frame to its end before it says what is wrong with the header.
            theirs = read_by_tungstenite(stream, 14 + LIMITS.message_bytes_max as usize);
        }
        let agree = match (theirs.last(), ours.last()) {
            // 3. It looks at the length before it looks for other faults.
            (Some(Seen::Failed(Fault::TooBig)), Some(Seen::Failed(Fault::Protocol)))
                if too_long =>
            {
                ours[..ours.len() - 1] == theirs[..theirs.len() - 1]
            }
            // 4. It checks each fragment of a text for itself, so that what stands between the
            // fragments is read by us alone; and the reason of a close frame before its code.
            (Some(Seen::Failed(Fault::NotUtf8)), _) => {
                let same = theirs.len() - 1;
                ours.starts_with(&theirs[..same])
                    && !ours[same..].iter().any(|seen| matches!(seen, Seen::Message(..)))
            }
            // 5. It does not know the code 1014, which IANA registered after the RFC.
            (Some(Seen::Failed(Fault::Protocol)), Some(Seen::Close(Some(1014)))) => true,
            _ => ours == theirs,
        };
        assert!(agree, "{ours:?} or {theirs:?} from {stream:02x?}");
        ours
    }

    #[test]
    fn tungstenite_reads_the_same() {
        let mut g = Gen::from_size_and_seed(40, 6455);
        let (mut messages, mut closes) = (0, 0);
        let mut faults = [0; 3];
        for _ in 0..6000 {
            let mut stream = encode(&Vec::arbitrary(&mut g)).0;
            if bool::arbitrary(&mut g) {
                let mut body = (u16::arbitrary(&mut g) % 5500).to_be_bytes().to_vec();
                body.extend(String::arbitrary(&mut g).bytes().take(123));
                stream.extend(frame(FIN | CLOSE, &body));
            }
            match u8::arbitrary(&mut g) % 5 {
                0 => {}
                1 => {
                    stream.extend(frame(BINARY, &[0; 500]));
                    stream.extend(frame(FIN, &vec![0; 495 + stream.len() % 12]));
                }
                2 => stream.extend(frame(FIN | BINARY, &vec![0; 995 + stream.len() % 12])),
                _ => stream = corrupt(stream, &[Arbitrary::arbitrary(&mut g)]),
            }
            for seen in read_like_tungstenite(&stream) {
                match seen {
                    Seen::Failed(Fault::Protocol) => faults[0] += 1,
                    Seen::Failed(Fault::NotUtf8) => faults[1] += 1,
                    Seen::Failed(_) => faults[2] += 1,
                    Seen::Close(_) => closes += 1,
                    _ => messages += 1,
                }
            }
        }
        assert!(messages > 10_000 && closes > 100, "{messages} messages, {closes} closes");
        assert!(faults.iter().all(|&count| count > 100), "{faults:?}");
    }
}
