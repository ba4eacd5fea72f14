//! Bytes that travel as an attachment.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::error::Error;
use core::fmt;
use core::ops::{Deref, Range};

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::{Serialize, Serializer};

/// Shared bytes: cloning copies nothing. In what a client sent they are an attachment of its
/// message; in what is sent they become one.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(::bytes::Bytes);

impl Bytes {
    /// Bytes of the program itself; costs nothing.
    pub const fn from_static(bytes: &'static [u8]) -> Self {
        Self(::bytes::Bytes::from_static(bytes))
    }

    /// A copy of some bytes, in memory of its own.
    pub fn copy_from_slice(bytes: &[u8]) -> Self {
        Self(::bytes::Bytes::copy_from_slice(bytes))
    }

    /// A part of them, which shares their memory.
    ///
    /// # Panics
    ///
    /// If the range does not lie within.
    pub fn slice(&self, range: Range<usize>) -> Self {
        Self(self.0.slice(range))
    }
}

macro_rules! from {
    ($($type:ty)*) => { $(
        impl From<$type> for Bytes {
            fn from(bytes: $type) -> Self {
                Self(bytes.into())
            }
        }
    )* };
}

// Nothing is copied: they own their bytes, or those are the program's own.
from! { Vec<u8> Box<[u8]> String &'static [u8] &'static str }

impl<const N: usize> From<&'static [u8; N]> for Bytes {
    fn from(bytes: &'static [u8; N]) -> Self {
        Self::from_static(bytes)
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// By this name our writer and our reader know a [`Bytes`]; to every other format it is a newtype
/// around bytes. serde has no way to pass on a value of one's own, but an error may have any
/// source: that is how either of them and a `Bytes` share instead of copying. Without `std` the
/// errors of serde have no source, and the bytes are copied.
pub(crate) const SHARED: &str = "$parlor::Bytes";

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(SHARED, &Give(self))
    }
}

struct Give<'a>(&'a Bytes);

impl Serialize for Give<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = serializer.serialize_bytes(self.0);
        #[cfg(feature = "std")]
        if let Err(e) = &written
            && let Some(tray) = e.source().and_then(|s| s.downcast_ref::<Tray>())
        {
            tray.0.set(Some(self.0.clone()));
        }
        written
    }
}

/// The source of an error of our writer: a `Bytes` that meets it leaves a share of itself in it.
#[derive(Default)]
pub(crate) struct Tray(pub(crate) Cell<Option<Bytes>>);

impl fmt::Debug for Tray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tray")
    }
}

impl fmt::Display for Tray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }
}

impl Error for Tray {}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(SHARED, Take)
    }
}

/// Takes bytes from any format, and a share from our reader.
struct Take;

impl<'de> Visitor<'de> for Take {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Bytes, D::Error> {
        let read = inner.deserialize_byte_buf(self);
        #[cfg(feature = "std")]
        let read = read.or_else(|e| {
            let share = e.source().and_then(|s| s.downcast_ref::<Share>());
            share.map(|share| share.0.clone()).ok_or(e)
        });
        read
    }

    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes::copy_from_slice(bytes))
    }

    fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
        Ok(bytes.into())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Bytes, E> {
        Ok(Bytes::copy_from_slice(text.as_bytes()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Bytes, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = numbers.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes.into())
    }
}

#[cfg(feature = "std")]
pub(crate) use share::Lend;
#[cfg(feature = "std")]
use share::Share;

#[cfg(feature = "std")]
mod share {
    use alloc::string::{String, ToString};
    use core::error::Error;
    use core::fmt;

    use serde::de::{self, Deserializer, Visitor};
    use serde::forward_to_deserialize_any;

    use super::Bytes;

    /// A deserializer that holds one attachment and gives it to `Take` alone: in an error.
    pub(crate) struct Lend(pub(crate) Bytes);

    impl<'de> Deserializer<'de> for Lend {
        type Error = Lent;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Lent> {
            Err(Lent::Share(Share(self.0)))
        }

        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
            option unit unit_struct newtype_struct seq tuple tuple_struct map struct enum
            identifier ignored_any
        }
    }

    /// What [`Lend`] fails with.
    #[derive(Debug)]
    pub(crate) enum Lent {
        Share(Share),
        Custom(String),
    }

    impl fmt::Display for Lent {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                Self::Share(share) => share.fmt(f),
                Self::Custom(why) => f.write_str(why),
            }
        }
    }

    impl Error for Lent {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            match self {
                Self::Share(share) => Some(share),
                Self::Custom(_) => None,
            }
        }
    }

    impl de::Error for Lent {
        fn custom<T: fmt::Display>(why: T) -> Self {
            Self::Custom(why.to_string())
        }
    }

    #[derive(Debug)]
    pub(crate) struct Share(pub(super) Bytes);

    impl fmt::Display for Share {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an attachment that a wrapped deserializer cannot pass on")
        }
    }

    impl Error for Share {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn any_other_format_sees_bytes() {
        let bytes = Bytes::from_static(b"AB");
        assert_eq!(serde_json::to_string(&bytes).unwrap(), "[65,66]");
        for text in ["[65,66]", r#""AB""#] {
            assert_eq!(serde_json::from_str::<Bytes>(text).unwrap(), bytes);
        }
        let no = serde_json::from_str::<Bytes>("{}").unwrap_err().to_string();
        assert!(no.starts_with("invalid type: map, expected bytes"), "{no}");
        assert!(serde_json::from_str::<Bytes>("[256]").is_err());
    }
}
