//! The opening handshake (RFC 6455 section 4.2), from the headers of an upgrade request.
//!
//! Whether a request asks for an upgrade at all (GET, `Connection: Upgrade`) is for HTTP to say.

use data_encoding::BASE64;
use sha1_smol::Sha1;

/// The value of `Sec-WebSocket-Version` that goes with [`Refusal::BadVersion`] (4.4).
pub(crate) const VERSIONS: &str = "13, 8";

/// A handshake that can be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer<'a> {
    /// The value of `Sec-WebSocket-Accept`.
    pub(crate) accept: [u8; 28],
    /// The value of `Sec-WebSocket-Protocol`, where the answer has one: the client's first choice.
    pub(crate) protocol: Option<&'a [u8]>,
}

/// Why a handshake cannot be accepted; each is a `400 Bad Request`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `Upgrade` is not `websocket`.
    InvalidUpgrade,
    /// `Sec-WebSocket-Key` is absent or not 16 bytes in base64.
    MissingKey,
    /// `Sec-WebSocket-Version` is absent or unknown. The answer lists [`VERSIONS`].
    BadVersion,
}

impl Refusal {
    /// The body of the answer, the one that `ws` for Node.js gives.
    #[must_use]
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::InvalidUpgrade => "Invalid Upgrade header",
            Self::MissingKey => "Missing or invalid Sec-WebSocket-Key header",
            Self::BadVersion => "Missing or invalid Sec-WebSocket-Version header",
        }
    }
}

/// Checks the headers of an upgrade request; `header` finds a value, without the white space
/// around it, by its name in any case.
///
/// Version 8 is an earlier draft with the same frames, and is accepted like `ws` does.
pub(crate) fn check<'a>(header: impl Fn(&str) -> Option<&'a [u8]>) -> Result<Offer<'a>, Refusal> {
    if !header("Upgrade").is_some_and(|value| value.eq_ignore_ascii_case(b"websocket")) {
        return Err(Refusal::InvalidUpgrade);
    }
    let key = header("Sec-WebSocket-Key").filter(|key| is_key(key)).ok_or(Refusal::MissingKey)?;
    if !matches!(header("Sec-WebSocket-Version"), Some(b"13" | b"8")) {
        return Err(Refusal::BadVersion);
    }
    let protocol = header("Sec-WebSocket-Protocol").and_then(first_protocol);
    Ok(Offer { accept: accept_key(key), protocol })
}

/// The `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key` (4.2.2).
#[must_use]
pub(crate) fn accept_key(key: &[u8]) -> [u8; 28] {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let mut accept = [0; 28];
    BASE64.encode_mut(&hash.digest().bytes(), &mut accept);
    accept
}

/// The first subprotocol of a `Sec-WebSocket-Protocol` header; `None` where it is not a token
/// (RFC 9110 section 5.6.2), which could not be echoed safely.
#[must_use]
pub(crate) fn first_protocol(header: &[u8]) -> Option<&[u8]> {
    let first = header.split(|&byte| byte == b',').next()?.trim_ascii();
    (!first.is_empty() && first.iter().all(|&byte| is_token_byte(byte))).then_some(first)
}

/// Whether `key` is base64 of 16 bytes (4.2.1). The four spare bits of the last digit may be
/// anything, as they may for `ws`: the key is hashed, never decoded.
fn is_key(key: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.strip_suffix(b"==").is_some_and(|digits| digits.len() == 22 && digits.iter().all(is_digit))
}

const fn is_token_byte(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
        || byte.is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// The request of RFC 6455 section 1.3, without its protocols.
    const REQUEST: [(&str, &str); 3] = [
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", "13"),
    ];

    /// Checks that request with one header replaced or, for an empty value, left out.
    fn check_with(name: &str, value: &'static str) -> Result<Offer<'static>, Refusal> {
        check(|wanted| {
            let found = REQUEST.iter().find(|header| header.0 == wanted).map(|header| header.1);
            let value = if wanted == name { Some(value).filter(|v| !v.is_empty()) } else { found };
            value.map(str::as_bytes)
        })
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        let offer = check_with("Sec-WebSocket-Protocol", "chat, superchat").unwrap();
        assert_eq!(&offer.accept, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(offer.protocol, Some(&b"chat"[..]));
        assert_eq!(check_with("", "").unwrap().protocol, None);
        assert!(check_with("Upgrade", "WebSocket").is_ok());
        assert!(check_with("Sec-WebSocket-Version", "8").is_ok());
        assert!(check_with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZR==").is_ok());
    }

    #[test]
    fn refusals() {
        for value in ["", "h2c", "websockets", "websocket, h2c"] {
            assert_eq!(check_with("Upgrade", value), Err(Refusal::InvalidUpgrade), "{value}");
        }
        let keys = [
            "",
            "dGhlIHNhbXBsZSBub25jZQ=",
            "dGhlIHNhbXBsZSBub25jZQ",
            "dGhlIHNhbXBsZSBub25jZQQ==",
            "dGhlIHNhbXBsZSBub25jZ==",
            "dGhlIHNhbXBsZSBub25jZ-==",
        ];
        for value in keys {
            assert_eq!(check_with("Sec-WebSocket-Key", value), Err(Refusal::MissingKey), "{value}");
        }
        for value in ["", "7", "14", "138", "13, 8", "x"] {
            let refused = check_with("Sec-WebSocket-Version", value);
            assert_eq!(refused, Err(Refusal::BadVersion), "{value}");
        }
    }

    #[test]
    fn the_first_protocol_must_be_a_token() {
        assert_eq!(first_protocol(b"\tv1.chat ,x y"), Some(&b"v1.chat"[..]));
        for header in
            [&b""[..], b" ", b",chat", b"a b", b"a\r\nb", b"caf\xC3\xA9", b"a/b", b"\"a\""]
        {
            assert_eq!(first_protocol(header), None, "{header:?}");
        }
        // RFC 9110 section 5.6.2: any visible ASCII character except delimiters.
        let token: Vec<u8> = (0..=255)
            .filter(|b: &u8| b.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(b))
            .collect();
        assert_eq!(first_protocol(&token), Some(&token[..]));
        assert_eq!((0..=255).filter(|&byte| is_token_byte(byte)).count(), token.len());
    }
}
