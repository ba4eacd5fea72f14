//! Handles. All are plain values: copy them, keep them, compare them. A stale one is `Gone` for
//! commands and is ignored for inputs; it never names somebody else.

use core::fmt;

use data_encoding::BASE64URL_NOPAD;
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

macro_rules! handle {
    ($($(#[$doc:meta])* $name:ident $letter:literal)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name {
            pub(crate) index: u32,
            pub(crate) generation: u32,
        }

        impl $name {
            /// The place in a driver's own table. Reused once this handle is stale.
            pub const fn index(self) -> usize {
                self.index as usize
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}.{}"), self.index, self.generation)
            }
        }
    )* };
}

handle! {
    /// A TCP connection, from `accept` to its `Output::Close`.
    ConnId "c"
    /// An Engine.IO session. Not the secret `sid` that its client knows.
    SessionId "e"
}

/// A namespace of this server, registered by [`Server::namespace`](crate::Server::namespace).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamespaceId(pub(crate) u32);

/// One question to one client; settled by exactly one [`Event::Settled`](crate::Event::Settled).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AskId(pub(crate) u64);

/// A timer of the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimerId(pub(crate) u64);

/// A member of a namespace, for ever: never reused, `Copy`, and on the wire the id that its client
/// knows (20 characters). It is unlike the secret id of the session that carries it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId {
    pub(crate) index: u32,
    pub(crate) secret: [u8; SocketId::SECRET_BYTES],
}

impl SocketId {
    pub(crate) const SECRET_BYTES: usize = 11;
    /// Characters of the printed form.
    pub const CHARS: usize = 20;

    /// The printed form.
    pub(crate) fn encode(self) -> [u8; Self::CHARS] {
        let mut raw = [0; 4 + Self::SECRET_BYTES];
        raw[..4].copy_from_slice(&self.index.to_be_bytes());
        raw[4..].copy_from_slice(&self.secret);
        let mut text = [0; Self::CHARS];
        BASE64URL_NOPAD.encode_mut(&raw, &mut text);
        text
    }

    /// Reads the printed form; `None` if it is not one. Whether such a socket exists is another
    /// question.
    ///
    /// ```
    /// assert_eq!(parlor::SocketId::parse("no id"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let mut raw = [0; 4 + Self::SECRET_BYTES];
        if text.len() != Self::CHARS {
            return None;
        }
        BASE64URL_NOPAD.decode_mut(text.as_bytes(), &mut raw).ok()?;
        let (index, secret) = raw.split_at(4);
        let index = u32::from_be_bytes(index.try_into().ok()?);
        Some(Self { index, secret: secret.try_into().ok()? })
    }
}

impl fmt::Display for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ascii(&self.encode()))
    }
}

/// What an id was encoded as.
pub(crate) fn ascii(encoded: &[u8]) -> &str {
    core::str::from_utf8(encoded).expect("base64url is ASCII")
}

impl fmt::Debug for SocketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The name under which our own writer knows an id among strings: clients of the old generation
/// know sockets by another text than clients of the new one.
pub(crate) const SOCKET_ID: &str = "$parlor::SocketId";

impl Serialize for SocketId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(SOCKET_ID, &format_args!("{self}"))
    }
}

/// So a handler can take the id of another socket, as its client knows it.
impl<'de> Deserialize<'de> for SocketId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(SOCKET_ID, Printed)
    }
}

/// Reads the printed form.
struct Printed;

impl<'de> Visitor<'de> for Printed {
    type Value = SocketId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the id of a socket")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<SocketId, D::Error> {
        inner.deserialize_str(self)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SocketId, E> {
        SocketId::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Payload;
    use alloc::string::ToString;

    #[test]
    fn a_socket_id_prints_as_twenty_characters_and_reads_back() {
        let id = SocketId { index: 7, secret: [0xff; SocketId::SECRET_BYTES] };
        let text = id.to_string();
        assert_eq!(text.len(), SocketId::CHARS);
        assert_eq!(SocketId::parse(&text), Some(id));
        assert_eq!(SocketId::parse(&text[1..]), None);
        assert_eq!(SocketId::parse("/chat#AAAAAAAAAAAAAA"), None);
    }

    #[test]
    fn a_socket_id_travels_as_its_text() {
        let id = SocketId { index: 7, secret: [9; SocketId::SECRET_BYTES] };
        let args = Payload::from_args((id, 1)).unwrap();
        assert_eq!(args.argument(0), Some(&*serde_json::to_string(&id.to_string()).unwrap()));
        assert_eq!(args.parse(), Ok((id, 1)));
        assert_eq!(args.parse(), Ok(id));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<SocketId>(&json).unwrap(), id);
        let bad = Payload::from_json(r#"["me"]"#).unwrap().parse::<SocketId>().unwrap_err();
        let why = "argument 1 of 1: invalid value: string \"me\", expected the id of a socket";
        assert_eq!(bad.to_string(), why);
    }
}
