//! Packets of Engine.IO 4 and the payloads of its polling transport (Engine.IO protocol 4,
//! "Encoding").

use bytestring::ByteString;
use data_encoding::BASE64;

use crate::bytes::Bytes;
use crate::event::Message;

/// What stands between two packets of a payload.
pub(crate) const SEPARATOR: char = '\x1e';

/// A packet of a client.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    Open,
    Close,
    Ping { probe: bool },
    Pong,
    Message(Message),
    Upgrade,
    Noop,
}

/// It is no packet: the client's fault.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ParseError;

/// Reads a text packet, `b<base64>` included.
pub(crate) fn decode(text: &ByteString) -> Result<Packet, ParseError> {
    let Some(kind) = text.as_bytes().first() else { return Err(ParseError) };
    let rest = || text.get(1..).map(|rest| text.slice_ref(rest)).ok_or(ParseError);
    Ok(match kind {
        b'0' => Packet::Open,
        b'1' => Packet::Close,
        b'2' => Packet::Ping { probe: &text[1..] == "probe" },
        b'3' => Packet::Pong,
        b'4' => Packet::Message(Message::Text(rest()?)),
        b'5' => Packet::Upgrade,
        b'6' => Packet::Noop,
        b'b' => {
            let bytes = BASE64.decode(rest()?.as_bytes()).map_err(|_| ParseError)?;
            Packet::Message(Message::Binary(Bytes::from(bytes)))
        }
        _ => return Err(ParseError),
    })
}

/// The packets of a polling payload, up to the first that is none.
pub(crate) struct Packets<'p> {
    payload: &'p ByteString,
    rest: Option<&'p str>,
}

impl<'p> Packets<'p> {
    pub(crate) fn new(payload: &'p ByteString) -> Self {
        Self { payload, rest: Some(payload) }
    }
}

impl Iterator for Packets<'_> {
    type Item = Result<Packet, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.rest?;
        let (packet, rest) = match rest.split_once(SEPARATOR) {
            Some((packet, rest)) => (packet, Some(rest)),
            None => (rest, None),
        };
        self.rest = rest;
        // A small message must not keep a large payload alive.
        let packet = match packet.len() < self.payload.len() / 4 {
            true => ByteString::from(packet),
            false => self.payload.slice_ref(packet),
        };
        let packet = decode(&packet);
        if packet.is_err() {
            self.rest = None;
        }
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec;
    use alloc::vec::Vec;

    fn all(payload: &'static str) -> Vec<Result<Packet, ParseError>> {
        Packets::new(&ByteString::from_static(payload)).collect()
    }

    fn text(text: &'static str) -> Result<Packet, ParseError> {
        Ok(Packet::Message(Message::Text(ByteString::from_static(text))))
    }

    /// Engine.IO protocol 4, "HTTP long-polling": `4hello\x1e2\x1e4world`.
    #[test]
    fn a_payload_is_packets_with_a_separator_between_them() {
        let ping = Ok(Packet::Ping { probe: false });
        assert_eq!(all("4hello\x1e2\x1e4world"), [text("hello"), ping, text("world")]);
        let binary = Message::Binary(Bytes::from_static(&[1, 2, 3, 4]));
        assert_eq!(all("4hello\x1ebAQIDBA=="), [text("hello"), Ok(Packet::Message(binary))]);
    }

    #[test]
    fn packets_before_a_bad_one_are_delivered_and_none_behind_it() {
        assert_eq!(all("4a\x1eabc\x1e4b"), [text("a"), Err(ParseError)]);
        assert_eq!(all("4a\x1e"), [text("a"), Err(ParseError)]);
        assert_eq!(all(""), [Err(ParseError)]);
        for bad in ["7", "9x", "a", "\u{e9}", "b!!!", "bAQI", "-1", " 4"] {
            assert_eq!(decode(&ByteString::from(bad)), Err(ParseError), "{bad:?}");
        }
    }

    #[test]
    fn every_type_reads_as_itself() {
        for (packet, read) in [
            ("0", Packet::Open),
            ("0{}", Packet::Open),
            ("1", Packet::Close),
            ("2", Packet::Ping { probe: false }),
            ("2x", Packet::Ping { probe: false }),
            ("2probe", Packet::Ping { probe: true }),
            ("3", Packet::Pong),
            ("3x", Packet::Pong),
            ("5", Packet::Upgrade),
            ("6", Packet::Noop),
            ("b", Packet::Message(Message::Binary(Bytes::default()))),
        ] {
            assert_eq!(decode(&ByteString::from_static(packet)), Ok(read));
        }
    }

    #[test]
    fn what_goes_in_comes_out() {
        fn round_trip(messages: Vec<(bool, Vec<u8>)>) -> bool {
            let encode = |(binary, bytes): &(bool, Vec<u8>)| match binary {
                true => format!("b{}", BASE64.encode(bytes)),
                false => format!("4{}", BASE64.encode(bytes)),
            };
            let packets: Vec<_> = messages.iter().map(encode).collect();
            let payload = ByteString::from(packets.join("\x1e"));
            let read: Vec<_> = Packets::new(&payload).collect();
            let expected: Vec<_> = messages
                .iter()
                .map(|(binary, bytes)| {
                    Ok(Packet::Message(match binary {
                        true => Message::Binary(Bytes::from(bytes.clone())),
                        false => Message::Text(ByteString::from(BASE64.encode(bytes))),
                    }))
                })
                .collect();
            messages.is_empty() && read == vec![Err(ParseError)] || read == expected
        }
        quickcheck::quickcheck(round_trip as fn(Vec<(bool, Vec<u8>)>) -> bool);
    }
}
