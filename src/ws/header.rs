//! Frame headers (RFC 6455 section 5.2): written as a server, read from a client; and masking.

use super::reader::Fault;

/// The longest header of a server's frame, which is never masked.
pub(crate) const HEADER_BYTES_MAX: usize = 10;

/// The longest header of a client's frame: the same and a mask.
pub(super) const CLIENT_HEADER_BYTES_MAX: usize = HEADER_BYTES_MAX + 4;

/// The longest payload of a control frame (5.5), and of any frame with a header of two bytes.
const SHORT_PAYLOAD_BYTES_MAX: usize = 125;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Opcode {
    /// A further fragment of a message.
    Continuation = 0x0,
    /// A text message or the first fragment of one.
    Text = 0x1,
    /// A binary message or the first fragment of one.
    Binary = 0x2,
    /// The last frame of its sender.
    Close = 0x8,
    /// Asks for a pong.
    Ping = 0x9,
    /// Answers a ping, or nothing.
    Pong = 0xA,
}

impl Opcode {
    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// Writes the header of a whole message, or of a control frame, with a payload of `len` bytes.
/// Returns how many bytes of `out` it takes.
pub(crate) fn write_header(out: &mut [u8; HEADER_BYTES_MAX], opcode: Opcode, len: usize) -> usize {
    debug_assert!(!opcode.is_control() || len <= SHORT_PAYLOAD_BYTES_MAX);
    let bytes = header_bytes(len);
    let wide = (len as u64).to_be_bytes();
    out[0] = 0x80 | opcode as u8;
    match bytes {
        2 => out[1] = wide[7],
        4 => {
            out[1] = 126;
            out[2..4].copy_from_slice(&wide[6..]);
        }
        _ => {
            out[1] = 127;
            out[2..].copy_from_slice(&wide);
        }
    }
    bytes
}

/// How long the header of a server's frame with a payload of `len` bytes is.
#[must_use]
pub(crate) const fn header_bytes(len: usize) -> usize {
    match len {
        0..=SHORT_PAYLOAD_BYTES_MAX => 2,
        126..=0xFFFF => 4,
        _ => HEADER_BYTES_MAX,
    }
}

/// The header of a client's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) fin: bool,
    pub(super) opcode: Opcode,
    pub(super) mask: [u8; 4],
    pub(super) payload_bytes: u64,
    /// How long the header itself is.
    pub(super) bytes: usize,
}

impl Header {
    /// The header at the start of `input`; `None` while its end has not come.
    ///
    /// Faults are looked for in the order of the bytes, so that which one is found, unlike when,
    /// does not depend on how the input was cut.
    pub(super) fn parse(input: &[u8]) -> Result<Option<Self>, Fault> {
        let &[first, second, ref rest @ ..] = input else { return Ok(None) };
        let fin = first & 0x80 != 0;
        // The three reserved bits "MUST be 0 unless an extension is negotiated".
        if first & 0x70 != 0 {
            return Err(Fault::Protocol);
        }
        let opcode = Opcode::from_bits(first & 0x0F).ok_or(Fault::Protocol)?;
        let short = second & 0x7F;
        // Control frames are never fragmented and never long (5.5).
        if opcode.is_control() && (!fin || usize::from(short) > SHORT_PAYLOAD_BYTES_MAX) {
            return Err(Fault::Protocol);
        }
        // "The server MUST close the connection upon receiving a frame that is not masked" (5.1).
        if second & 0x80 == 0 {
            return Err(Fault::Protocol);
        }
        let Some((payload_bytes, rest)) = parse_length(short, rest)? else { return Ok(None) };
        let Some((&mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
        Ok(Some(Self { fin, opcode, mask, payload_bytes, bytes: input.len() - rest.len() }))
    }
}

/// The length of the payload and what follows it. "The minimal number of bytes MUST be used to
/// encode the length", and the top bit of the longest form "MUST be 0".
fn parse_length(short: u8, rest: &[u8]) -> Result<Option<(u64, &[u8])>, Fault> {
    let (length, rest, least) = match short {
        126 => match rest.split_first_chunk() {
            Some((&length, rest)) => (u64::from(u16::from_be_bytes(length)), rest, 126),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((&length, rest)) => (u64::from_be_bytes(length), rest, 0x1_0000),
            None => return Ok(None),
        },
        short => (u64::from(short), rest, 0),
    };
    if length < least || length >> 63 != 0 {
        return Err(Fault::Protocol);
    }
    Ok(Some((length, rest)))
}

/// Applies `mask`, whose first byte falls on the first of `bytes` (5.3).
///
/// By words of eight, two masks each: a loop that compilers turn into vector instructions.
pub(super) fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let twice = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, tail) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ twice).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(twice.to_ne_bytes()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn written_headers_are_minimal() {
        let cases: [(usize, &[u8]); 7] = [
            (0, &[0x82, 0]),
            (125, &[0x82, 125]),
            (126, &[0x82, 126, 0, 126]),
            (256, &[0x82, 126, 1, 0]),
            (0xFFFF, &[0x82, 126, 0xFF, 0xFF]),
            (0x1_0000, &[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
            (0x0102_0304, &[0x82, 127, 0, 0, 0, 0, 1, 2, 3, 4]),
        ];
        for (len, expected) in cases {
            let mut out = [0xAA; HEADER_BYTES_MAX];
            let bytes = write_header(&mut out, Opcode::Binary, len);
            assert_eq!(&out[..bytes], expected);
            assert_eq!(bytes, header_bytes(len));
        }
    }

    #[test]
    fn headers_are_read_in_each_form() {
        let cases: [(&[u8], u64); 6] = [
            (&[0x81, 0x80], 0),
            (&[0x81, 0xFD], 125),
            (&[0x81, 0xFE, 0, 126], 126),
            (&[0x81, 0xFE, 0xFF, 0xFF], 0xFFFF),
            (&[0x81, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0], 0x1_0000),
            (&[0x81, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255], u64::MAX >> 1),
        ];
        for (start, payload_bytes) in cases {
            let input = [start, b"mask and more"].concat();
            let bytes = start.len() + 4;
            let header =
                Header { fin: true, opcode: Opcode::Text, mask: *b"mask", payload_bytes, bytes };
            assert_eq!(Header::parse(&input), Ok(Some(header)));
            for cut in 0..bytes {
                assert_eq!(Header::parse(&input[..cut]), Ok(None));
            }
        }
    }

    #[test]
    fn faulty_headers_fail_at_the_byte_that_is_wrong() {
        let cases: [(&str, &[u8]); 13] = [
            ("RSV1", &[0xC1, 0x80]),
            ("RSV2", &[0xA1, 0x80]),
            ("RSV3", &[0x91, 0x80]),
            ("data opcode 3", &[0x83, 0x80]),
            ("data opcode 7", &[0x87, 0x80]),
            ("control opcode B", &[0x8B, 0x80]),
            ("control opcode F", &[0x8F, 0x80]),
            ("not masked", &[0x81, 0x05]),
            ("fragmented ping", &[0x09, 0x80]),
            ("ping of 126 bytes", &[0x89, 0xFE]),
            ("125 in the middle form", &[0x81, 0xFE, 0, 125]),
            ("65535 in the long form", &[0x81, 0xFF, 0, 0, 0, 0, 0, 0, 255, 255]),
            ("top bit", &[0x81, 0xFF, 0x80, 0, 0, 0, 0, 1, 0, 0]),
        ];
        for (name, input) in cases {
            assert_eq!(Header::parse(input), Err(Fault::Protocol), "{name}");
            assert_eq!(Header::parse(&input[..input.len() - 1]), Ok(None), "{name}, cut");
        }
    }

    #[test]
    fn unmasking_equals_the_naive_loop_at_every_length_and_cut() {
        let mask = [0x37, 0xFA, 0x21, 0x3D];
        let plain: Vec<u8> = (0..100_u8).map(|at| at.wrapping_mul(151)).collect();
        for len in 0..plain.len() {
            let naive: Vec<u8> =
                plain[..len].iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]).collect();
            for cut in 0..=len {
                let mut bytes = plain[..len].to_vec();
                let (head, tail) = bytes.split_at_mut(cut);
                unmask(head, mask);
                let mut turned = mask;
                turned.rotate_left(cut % 4);
                unmask(tail, turned);
                assert_eq!(bytes, naive, "{len} bytes cut at {cut}");
            }
        }
    }
}
