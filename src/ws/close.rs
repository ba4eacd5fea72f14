//! Close frames (RFC 6455 sections 5.5.1 and 7.4).

use super::header::Opcode;
use super::reader::Fault;

/// The longest frame [`close_frame`] makes: a header of two bytes and a code.
pub(crate) const CLOSE_FRAME_BYTES_MAX: usize = 4;

/// A close frame with `code` or without any, and how many of the bytes it takes.
#[must_use]
pub(crate) const fn close_frame(code: Option<u16>) -> ([u8; CLOSE_FRAME_BYTES_MAX], usize) {
    let first = 0x80 | Opcode::Close as u8;
    match code {
        None => ([first, 0, 0, 0], 2),
        Some(code) => {
            let [high, low] = code.to_be_bytes();
            ([first, 2, high, low], 4)
        }
    }
}

/// The code in the body of a peer's close frame.
pub(super) fn parse(body: &[u8]) -> Result<Option<u16>, Fault> {
    match body {
        [] => Ok(None),
        &[high, low, ref reason @ ..] => {
            let code = u16::from_be_bytes([high, low]);
            if !may_be_sent(code) {
                return Err(Fault::Protocol);
            }
            simdutf8::basic::from_utf8(reason).map_err(|_| Fault::NotUtf8)?;
            Ok(Some(code))
        }
        // "the first two bytes of the body MUST be a 2-byte unsigned integer" (5.5.1).
        [_] => Err(Fault::Protocol),
    }
}

/// Whether an endpoint may put `code` into a close frame: 1004 is reserved, 1005, 1006 and 1015
/// stand for closes without a code (7.4.1), 1012 to 1014 were registered with IANA since, the
/// other codes below 3000 are kept for the protocol, and none is defined from 5000 (7.4.2).
const fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_frames_carry_the_code_or_nothing() {
        assert_eq!(close_frame(None), ([0x88, 0, 0, 0], 2));
        assert_eq!(close_frame(Some(1002)), ([0x88, 2, 0x03, 0xEA], 4));
    }

    #[test]
    fn codes_at_every_border() {
        let allowed: [u16; 11] = [1000, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999];
        let refused: [u16; 10] = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX];
        for code in allowed {
            assert_eq!(parse(&code.to_be_bytes()), Ok(Some(code)));
        }
        for code in refused {
            assert_eq!(parse(&code.to_be_bytes()), Err(Fault::Protocol), "{code}");
        }
    }

    #[test]
    fn bodies() {
        assert_eq!(parse(b""), Ok(None));
        assert_eq!(parse(b"\x03"), Err(Fault::Protocol));
        assert_eq!(parse(b"\x03\xE8bye \xE2\x82\xAC"), Ok(Some(1000)));
        assert_eq!(parse(b"\x03\xE8bye \xE2\x82"), Err(Fault::NotUtf8));
        assert_eq!(parse(b"\x03\xED\xFF"), Err(Fault::Protocol), "the code is looked at first");
    }
}
