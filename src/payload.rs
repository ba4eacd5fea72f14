//! What an event or an answer carries: JSON text, validated and not decoded, and attachments.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use bytestring::ByteString;
use serde::de::Error as _;
use serde_json::value::RawValue;
use smallvec::SmallVec;

use crate::app::{BadArgs, FromArgs, ToArgs};
use crate::bytes::Bytes;

/// Where the members of an argument list stand in its text: start and end, in bytes.
pub(crate) type Places = SmallVec<[(u32, u32); 4]>;

/// The arguments of one event or one answer, undecoded: the members of a JSON array, and
/// attachments that placeholders in it (`{"_placeholder":true,"num":0}`) stand for.
///
/// Cloning copies nothing: text and attachments are shared with the message they came in.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Payload {
    /// The members and the commas between them, without the brackets.
    pub(crate) members: ByteString,
    pub(crate) places: Places,
    pub(crate) attachments: Vec<Bytes>,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Payload>() <= 96);

impl Payload {
    /// No arguments at all.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The arguments that an emit of these would carry: a tuple is the list, anything else is one
    /// argument.
    ///
    /// # Errors
    ///
    /// If they cannot be written as JSON: see [`ToArgs`].
    ///
    /// ```
    /// let args = parlor::Payload::from_args((1, "two"))?;
    /// assert_eq!(args.to_json(), r#"[1,"two"]"#);
    /// # Ok::<(), parlor::BadArgs>(())
    /// ```
    pub fn from_args(args: impl ToArgs) -> Result<Self, BadArgs> {
        args.payload()
    }

    /// The members of a JSON array, as its text has them.
    ///
    /// # Errors
    ///
    /// If it is not one.
    ///
    /// ```
    /// use parlor::Payload;
    ///
    /// assert_eq!(Payload::from_json(r#"[1, "two"]"#)?.argument(1), Some(r#""two""#));
    /// assert!(Payload::from_json(r#"{"1": "two"}"#).is_err());
    /// # Ok::<(), parlor::BadArgs>(())
    /// ```
    pub fn from_json(json: &str) -> Result<Self, BadArgs> {
        let mut places = places(json).map_err(BadArgs::custom)?;
        let (before, rest) = json.split_once('[').expect("it was read as an array");
        let (members, _) = rest.rsplit_once(']').expect("it was read as an array");
        let cut = before.len() as u32 + 1;
        for (start, end) in &mut places {
            *start -= cut;
            *end -= cut;
        }
        Ok(Self { members: members.into(), places, attachments: Vec::new() })
    }

    /// The same list with these attachments, which placeholders in it stand for by their number.
    ///
    /// ```
    /// use parlor::{Bytes, Payload};
    ///
    /// let json = r#"[{"_placeholder":true,"num":0}]"#;
    /// let args = Payload::from_json(json)?.with_attachments(vec![Bytes::from("abc")]);
    /// assert_eq!(args.parse::<Bytes>()?, Bytes::from("abc"));
    /// # Ok::<(), parlor::BadArgs>(())
    /// ```
    pub fn with_attachments(self, attachments: Vec<Bytes>) -> Self {
        Self { attachments, ..self }
    }

    /// Reads them: a tuple takes the list, anything else the first argument.
    ///
    /// # Errors
    ///
    /// If they do not fit: see [`FromArgs`].
    ///
    /// ```
    /// let args = parlor::Payload::from_json(r#"[1, "two"]"#)?;
    /// assert_eq!(args.parse::<(u32, String)>()?, (1, "two".into()));
    /// assert_eq!(args.parse::<u32>()?, 1);
    /// # Ok::<(), parlor::BadArgs>(())
    /// ```
    pub fn parse<A: FromArgs>(&self) -> Result<A, BadArgs> {
        A::from_args(self)
    }

    /// One argument: `{}`.
    pub(crate) fn empty_object() -> Self {
        let places = Places::from_slice(&[(0, 2)]);
        Self { members: ByteString::from_static("{}"), places, attachments: Vec::new() }
    }

    /// How many arguments there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The JSON text of one argument, as it was received or written.
    pub fn argument(&self, index: usize) -> Option<&str> {
        let &(start, end) = self.places.get(index)?;
        Some(&self.members[start as usize..end as usize])
    }

    /// The whole argument list as a JSON array.
    pub fn to_json(&self) -> String {
        let mut json = String::with_capacity(self.members.len() + 2);
        json.push('[');
        json.push_str(&self.members);
        json.push(']');
        json
    }

    /// The attachments, by the number in their placeholders.
    pub fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.members)?;
        match self.attachments.len() {
            0 => Ok(()),
            n => write!(f, " and {n} attachments"),
        }
    }
}

/// Where the members of a JSON array stand in its text.
pub(crate) fn places(array: &str) -> Result<Places, serde_json::Error> {
    if u32::try_from(array.len()).is_err() {
        return Err(serde_json::Error::custom(TOO_LONG));
    }
    let members: Vec<&RawValue> = serde_json::from_str(array)?;
    let place = |member: &&RawValue| {
        let start = member.get().as_ptr().addr() - array.as_ptr().addr();
        (start as u32, (start + member.get().len()) as u32)
    };
    Ok(members.iter().map(place).collect())
}

/// Places are 32 bits wide.
pub(crate) const TOO_LONG: &str = "longer than 4 GiB";

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn json_text_is_kept_and_its_members_are_found() {
        let text = " [ 1 ,{\"a\": [2,\"]\"]},\n\"\u{e9}[\" ] \n";
        let payload = Payload::from_json(text).unwrap();
        let found: Vec<_> = (0..4).map(|i| payload.argument(i)).collect();
        assert_eq!(found, [Some("1"), Some(r#"{"a": [2,"]"]}"#), Some("\"\u{e9}[\""), None]);
        assert_eq!(payload.to_json(), text.trim());
        assert_eq!(Payload::from_json("[]"), Ok(Payload::empty()));
        for bad in ["", "1", "{}", "[1", "[1,]", "[1]]", "[1] [2]", "\u{a0}[1]", "[\"\n\"]"] {
            assert!(Payload::from_json(bad).is_err(), "{bad}");
        }
        let why = Payload::from_json("[1,").unwrap_err().to_string();
        assert_eq!(why, "EOF while parsing a value at line 1 column 3");
    }
}
