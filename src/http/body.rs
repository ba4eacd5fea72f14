//! The chunked transfer coding (RFC 9112, 7.1), decoded in place.

use super::Fault;
use super::head::is_token_byte;
use super::reader::take;
use super::target::hex_digit;

/// The most bytes that the extensions and trailers of one body may have. Both are dropped, but
/// without a limit one byte of body could cost any number of bytes to read.
pub(super) const EXTRA_BYTES_MAX: u16 = 4096;

/// The most digits of a chunk's size: those of a `u64`.
const SIZE_DIGITS_MAX: u8 = 16;

/// Decodes one chunked body.
///
/// | state       | next byte            | state                            |
/// |-------------|----------------------|----------------------------------|
/// | `Size`      | digit                | `Size`                           |
/// | `Size`      | CR, `;`, space       | `SizeEnd`, `Extension`, `Space`  |
/// | `Space`     | space, `;`           | `Space`, `Extension`             |
/// | `Extension` | CR, text             | `SizeEnd`, `Extension`           |
/// | `SizeEnd`   | LF                   | `Data`, or `Trailer` if size = 0 |
/// | `Data`      | all that there are   | `DataCr`, `DataLf`, then `Size`  |
/// | `Trailer`   | CR, name byte        | `End`, `Name`                    |
/// | `Name`      | name byte, `:`       | `Name`, `Value`                  |
/// | `Value`     | text, CR             | `Value`, `ValueEnd`              |
/// | `ValueEnd`  | LF                   | `Trailer`                        |
/// | `End`       | LF                   | the body is complete             |
///
/// Any other byte is a fault; so no CR or LF stands alone, and no line is folded.
#[derive(Debug)]
pub(super) struct Decoder {
    step: Step,
    extra_bytes: u16,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Size { size: u64, digits: u8 },
    Space { size: u64 },
    Extension { size: u64 },
    SizeEnd { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    Trailer,
    Name,
    Value,
    ValueEnd,
    End,
    Complete,
}

/// What a decoder found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    Data(&'a [u8]),
    End,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { step: Step::Size { size: 0, digits: 0 }, extra_bytes: 0 }
    }

    /// The next piece of the body, or `None` when the input is used up.
    pub(super) fn decode<'a>(
        &mut self,
        input: &mut &'a mut [u8],
    ) -> Result<Option<Piece<'a>>, Fault> {
        while !input.is_empty() {
            if let Step::Data { left } = &mut self.step {
                let piece = take_at_most(input, left);
                if *left == 0 {
                    self.step = Step::DataCr;
                }
                return Ok(Some(Piece::Data(piece)));
            }
            let byte = take(input, 1)[0];
            self.step = self.step.after(byte).ok_or(Fault::BadRequest)?;
            if self.step.is_extra() {
                self.extra_bytes += 1;
                if self.extra_bytes > EXTRA_BYTES_MAX {
                    return Err(Fault::BadRequest);
                }
            }
            if matches!(self.step, Step::Complete) {
                return Ok(Some(Piece::End));
            }
        }
        Ok(None)
    }
}

impl Step {
    fn after(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Size { size, digits: 1.. }, b'\r') => Some(Self::SizeEnd { size }),
            (Self::Size { size, digits: 1.. }, b';') => Some(Self::Extension { size }),
            (Self::Size { size, digits: 1.. }, b' ' | b'\t') => Some(Self::Space { size }),
            (Self::Size { size, digits: digits @ ..SIZE_DIGITS_MAX }, byte) => {
                let size = size << 4 | u64::from(hex_digit(byte)?);
                Some(Self::Size { size, digits: digits + 1 })
            }
            (Self::Space { size }, b';') => Some(Self::Extension { size }),
            (Self::Space { .. }, b' ' | b'\t') => Some(self),
            (Self::Extension { size }, b'\r') => Some(Self::SizeEnd { size }),
            (Self::Extension { .. }, byte) if is_text(byte) => Some(self),
            (Self::SizeEnd { size: 0 }, b'\n') => Some(Self::Trailer),
            (Self::SizeEnd { size: left }, b'\n') => Some(Self::Data { left }),
            (Self::DataCr, b'\r') => Some(Self::DataLf),
            (Self::DataLf, b'\n') => Some(Self::Size { size: 0, digits: 0 }),
            (Self::Trailer, b'\r') => Some(Self::End),
            (Self::Trailer | Self::Name, byte) if is_token_byte(byte) => Some(Self::Name),
            (Self::Name, b':') => Some(Self::Value),
            (Self::Value, b'\r') => Some(Self::ValueEnd),
            (Self::Value, byte) if is_text(byte) => Some(self),
            (Self::ValueEnd, b'\n') => Some(Self::Trailer),
            (Self::End, b'\n') => Some(Self::Complete),
            _ => None,
        }
    }

    fn is_extra(self) -> bool {
        matches!(self, Self::Space { .. } | Self::Extension { .. } | Self::Name | Self::Value)
    }
}

/// Takes as much of `left` bytes as the input has.
pub(super) fn take_at_most<'a>(input: &mut &'a mut [u8], left: &mut u64) -> &'a [u8] {
    let length = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
    *left -= length as u64;
    take(input, length)
}

/// What may stand in a value (RFC 9110, 5.5).
fn is_text(byte: u8) -> bool {
    byte == b'\t' || !byte.is_ascii_control()
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    type Decoded = (Vec<u8>, Vec<u8>);

    /// The decoded body and what stands behind it; `None` inside while it is not complete.
    fn decode(coded: &[u8]) -> Result<Option<Decoded>, Fault> {
        let mut bytes = coded.to_vec();
        let mut input = &mut bytes[..];
        let mut decoder = Decoder::new();
        let mut body = Vec::new();
        while let Some(piece) = decoder.decode(&mut input)? {
            match piece {
                Piece::Data(data) => body.extend_from_slice(data),
                Piece::End => return Ok(Some((body, input.to_vec()))),
            }
        }
        Ok(None)
    }

    #[test]
    fn chunks_are_joined() {
        // RFC 9112, 7.1
        let coded = b"5\r\nhello\r\n00A\r\n, 23456789\r\n0\r\n\r\nGET";
        assert_eq!(decode(coded), Ok(Some((b"hello, 23456789".to_vec(), b"GET".to_vec()))));
    }

    #[test]
    fn extensions_and_trailers_are_dropped() {
        // RFC 9112, 7.1.1 and 7.1.2
        let coded =
            b"1 \t;a=\"b;c\" ; d\r\nx\r\n0 ;e\r\nExpires: never\r\nContent-Length:9\r\n\r\n";
        assert_eq!(decode(coded), Ok(Some((b"x".to_vec(), vec![]))));
    }

    #[test]
    fn sizes_are_hexadecimal_digits_and_nothing_else() {
        // RFC 9112, 7.1: chunk-size = 1*HEXDIG
        for size in ["", " 1", "+1", "-1", "0x1", "1_0", "g", "1 ", "1\t\t", "1 2", "1,", ";a"] {
            let coded = [size.as_bytes(), b"\r\nx\r\n0\r\n\r\n"].concat();
            assert_eq!(decode(&coded), Err(Fault::BadRequest), "{size:?}");
        }
        // no size is not a size of 0
        for coded in [&b"\r\n\r\n"[..], b";a\r\n\r\n", b" ;a\r\n\r\n"] {
            assert_eq!(decode(coded), Err(Fault::BadRequest), "{coded:?}");
        }
    }

    #[test]
    fn a_size_beyond_64_bits_is_refused_and_one_within_is_not() {
        // RFC 9112, 7.1: recipients must anticipate large numerals and prevent overflow
        assert_eq!(decode(b"ffffffffffffffff\r\nx"), Ok(None));
        assert_eq!(decode(b"10000000000000000"), Err(Fault::BadRequest));
        assert_eq!(decode(b"00000000000000001"), Err(Fault::BadRequest));
    }

    #[test]
    fn lone_line_ends_are_refused_everywhere() {
        // RFC 9112, 2.2 and 7.1: a bare LF in a size line or extension is how chunks are smuggled
        for coded in [
            &b"1\nx\r\n0\r\n\r\n"[..],
            b"1\rx\r\n0\r\n\r\n",
            b"1;a\nx\r\n0\r\n\r\n",
            b"1;a\rb\r\nx\r\n0\r\n\r\n",
            b"1;\0\r\nx\r\n0\r\n\r\n",
            b"1\r\nx\n0\r\n\r\n",
            b"1\r\nxx\r\n0\r\n\r\n",
            b"1\r\nx\r0\r\n\r\n",
            b"0\n\r\n",
            b"0\r\n\n",
            b"0\r\n\rx",
            b"0\r\nA: b\n\r\n",
            b"0\r\nA: b\rc\r\n\r\n",
        ] {
            assert_eq!(decode(coded), Err(Fault::BadRequest), "{coded:?}");
        }
    }

    #[test]
    fn trailers_are_fields() {
        // RFC 9112, 5.1 and 5.2: no space before the colon, no folding, no line without a colon
        for line in ["A : b", " A: b", "A: b\r\n c", ":b", "GET / HTTP/1.1", "A: \0", "A: b\x7f"] {
            let coded = [b"0\r\n", line.as_bytes(), b"\r\n\r\n"].concat();
            assert_eq!(decode(&coded), Err(Fault::BadRequest), "{line:?}");
        }
    }

    #[test]
    fn extensions_and_trailers_have_one_limit_for_the_whole_body() {
        let max = usize::from(EXTRA_BYTES_MAX);
        let with_extensions = |count: usize| {
            // each is two extra bytes
            [b"1;a\r\nx\r\n".repeat(count), b"0\r\n\r\n".to_vec()].concat()
        };
        assert!(matches!(decode(&with_extensions(max / 2)), Ok(Some(_))));
        assert_eq!(decode(&with_extensions(max / 2 + 1)), Err(Fault::BadRequest));
        let with_space = |count| [b"0", &b" ".repeat(count)[..], b";\r\n\r\n"].concat();
        assert!(matches!(decode(&with_space(max - 1)), Ok(Some(_))));
        assert_eq!(decode(&with_space(max)), Err(Fault::BadRequest));
        let with_trailer = |count| [b"0\r\na:", &b"b".repeat(count)[..], b"\r\n\r\n"].concat();
        assert!(matches!(decode(&with_trailer(max - 2)), Ok(Some(_))));
        assert_eq!(decode(&with_trailer(max - 1)), Err(Fault::BadRequest));
    }
}
