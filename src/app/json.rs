//! Writes JSON with `alloc` alone, as JavaScript's `JSON.stringify` would. Bytes leave the text
//! and become attachments, with a placeholder where they stood (Socket.IO protocol, "Encoding").

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Display, LowerExp, Write};
use core::mem;

use serde::Serialize;
use serde::ser::{self, Impossible, Serializer};

use crate::bytes::{Bytes, SHARED, Tray};

/// The text so far, and the attachments that left it, in the order of their placeholders.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) text: String,
    pub(super) attachments: Vec<Bytes>,
    /// The next string is JSON already.
    verbatim: bool,
}

/// Why a value cannot be written.
#[derive(Debug)]
pub(super) enum Error {
    Custom(String),
    NotAKey,
    /// Bytes are no key either; but a `Bytes` may leave its share here.
    BytesAsKey(Tray),
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Custom(why) => f.write_str(why),
            Self::NotAKey | Self::BytesAsKey(_) => f.write_str("a key must be a string"),
        }
    }
}

impl core::error::Error for Error {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::BytesAsKey(tray) => Some(tray),
            Self::Custom(_) | Self::NotAKey => None,
        }
    }
}

impl ser::Error for Error {
    fn custom<T: Display>(why: T) -> Self {
        Self::Custom(why.to_string())
    }
}

type Done = Result<(), Error>;

/// The names under which serde_json's `RawValue`, and its `Number` if some other crate switches on
/// `arbitrary_precision`, write themselves: a struct of one string, which is JSON already.
const VERBATIM: [&str; 2] = ["$serde_json::private::RawValue", "$serde_json::private::Number"];

impl Writer {
    fn put(&mut self, text: impl Display) -> Done {
        write!(self.text, "{text}").map_err(|_| ser::Error::custom("its `Display` fails"))
    }

    /// Escapes the quote, the backslash and control characters. All else stands as it is, U+2028
    /// and U+2029 too.
    fn string(&mut self, mut rest: &str) {
        self.text.push('"');
        let escaped = |b: &u8| matches!(b, b'"' | b'\\' | 0..=0x1f);
        while let Some(at) = rest.as_bytes().iter().position(escaped) {
            self.text.push_str(&rest[..at]);
            match rest.as_bytes()[at] {
                b'"' => self.text.push_str("\\\""),
                b'\\' => self.text.push_str("\\\\"),
                0x08 => self.text.push_str("\\b"),
                b'\t' => self.text.push_str("\\t"),
                b'\n' => self.text.push_str("\\n"),
                0x0c => self.text.push_str("\\f"),
                b'\r' => self.text.push_str("\\r"),
                control => {
                    const HEX: &[u8; 16] = b"0123456789abcdef";
                    self.text.push_str("\\u00");
                    self.text.push(HEX[usize::from(control >> 4)].into());
                    self.text.push(HEX[usize::from(control & 15)].into());
                }
            }
            rest = &rest[at + 1..];
        }
        self.text.push_str(rest);
        self.text.push('"');
    }

    fn integer(&mut self, value: impl itoa::Integer) {
        self.text.push_str(itoa::Buffer::new().format(value));
    }

    /// The shortest digits that read back as the same number, which are Rust's and JavaScript's,
    /// with an exponent where JavaScript has one (ECMA-262, Number::toString).
    fn float(&mut self, size: f64, value: impl Display + LowerExp) -> Done {
        if !size.is_finite() {
            return self.put("null");
        }
        if size == 0.0 {
            return self.put(0); // of either sign
        }
        if (1e-6..1e21).contains(&size) {
            return self.put(value);
        }
        let start = self.text.len();
        self.put(format_args!("{value:e}"))?;
        let digits = self.text[start..].find('e').expect("the format has an exponent");
        let exponent = start + digits + 1;
        if !self.text[exponent..].starts_with('-') {
            self.text.insert(exponent, '+');
        }
        Ok(())
    }

    fn attachment(&mut self, bytes: Bytes) {
        self.text.push_str(r#"{"_placeholder":true,"num":"#);
        self.integer(self.attachments.len());
        self.text.push('}');
        self.attachments.push(bytes);
    }

    fn open(&mut self, open: &str, close: &'static str) -> Compound<'_> {
        self.text.push_str(open);
        Compound { writer: self, first: true, close }
    }

    fn variant(&mut self, name: &str, open: &str, close: &'static str) -> Compound<'_> {
        self.text.push('{');
        self.string(name);
        self.text.push(':');
        self.open(open, close)
    }
}

macro_rules! integers {
    ($($method:ident $type:ty)*) => { $(
        fn $method(self, value: $type) -> Done {
            self.integer(value);
            Ok(())
        }
    )* };
}

impl<'w> Serializer for &'w mut Writer {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Compound<'w>;
    type SerializeTuple = Compound<'w>;
    type SerializeTupleStruct = Compound<'w>;
    type SerializeTupleVariant = Compound<'w>;
    type SerializeMap = Compound<'w>;
    type SerializeStruct = Compound<'w>;
    type SerializeStructVariant = Compound<'w>;

    integers! {
        serialize_i8 i8 serialize_i16 i16 serialize_i32 i32 serialize_i64 i64 serialize_i128 i128
        serialize_u8 u8 serialize_u16 u16 serialize_u32 u32 serialize_u64 u64 serialize_u128 u128
    }

    fn serialize_bool(self, value: bool) -> Done {
        self.put(value)
    }

    fn serialize_f32(self, value: f32) -> Done {
        self.float(value.abs().into(), value)
    }

    fn serialize_f64(self, value: f64) -> Done {
        self.float(value.abs(), value)
    }

    fn serialize_char(self, value: char) -> Done {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Done {
        if mem::take(&mut self.verbatim) {
            self.text.push_str(value);
        } else {
            self.string(value);
        }
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        self.attachment(Bytes::copy_from_slice(value));
        Ok(())
    }

    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.put("null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Done {
        if cfg!(feature = "std")
            && name == SHARED
            && let Err(Error::BytesAsKey(tray)) = value.serialize(Key(self))
            && let Some(share) = tray.0.take()
        {
            self.attachment(share);
            return Ok(());
        }
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        let compound = self.variant(variant, "", "}");
        value.serialize(&mut *compound.writer)?;
        compound.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'w>, Error> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'w>, Error> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound<'w>, Error> {
        Ok(self.open("[", "]"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'w>, Error> {
        Ok(self.variant(variant, "[", "]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'w>, Error> {
        Ok(self.open("{", "}"))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Compound<'w>, Error> {
        self.verbatim = VERBATIM.contains(&name);
        Ok(if self.verbatim { self.open("", "") } else { self.open("{", "}") })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'w>, Error> {
        Ok(self.variant(variant, "{", "}}"))
    }
}

/// An array or an object begun.
pub(super) struct Compound<'w> {
    writer: &'w mut Writer,
    first: bool,
    close: &'static str,
}

impl Compound<'_> {
    fn comma(&mut self) {
        if !mem::take(&mut self.first) {
            self.writer.text.push(',');
        }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.comma();
        value.serialize(&mut *self.writer)
    }

    fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Done {
        if !self.writer.verbatim {
            self.comma();
            self.writer.string(key);
            self.writer.text.push(':');
        }
        value.serialize(&mut *self.writer)
    }

    fn close(self) -> Done {
        self.writer.text.push_str(self.close);
        Ok(())
    }
}

macro_rules! elements {
    ($($trait:ident $method:ident)*) => { $(
        impl ser::$trait for Compound<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.element(value)
            }

            fn end(self) -> Done {
                self.close()
            }
        }
    )* };
}

elements! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

macro_rules! fields {
    ($($trait:ident)*) => { $(
        impl ser::$trait for Compound<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self, key: &'static str, value: &T,
            ) -> Done {
                self.field(key, value)
            }

            fn end(self) -> Done {
                self.close()
            }
        }
    )* };
}

fields! { SerializeStruct SerializeStructVariant }

impl ser::SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.comma();
        key.serialize(Key(self.writer))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.writer.text.push(':');
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Done {
        self.close()
    }
}

/// Keys are strings; numbers and truth values become some.
struct Key<'w>(&'w mut Writer);

impl Key<'_> {
    fn quoted(self, write: impl FnOnce(&mut Writer) -> Done) -> Done {
        self.0.text.push('"');
        write(self.0)?;
        self.0.text.push('"');
        Ok(())
    }
}

macro_rules! keys {
    ($($method:ident $type:ty)*) => { $(
        fn $method(self, value: $type) -> Done {
            self.quoted(|writer| writer.$method(value))
        }
    )* };
}

macro_rules! no_keys {
    ($($method:ident($($type:ty),*) $result:ty;)*) => { $(
        fn $method(self, $(_: $type),*) -> Result<$result, Error> {
            Err(Error::NotAKey)
        }
    )* };
}

type No = Impossible<(), Error>;

impl Serializer for Key<'_> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = No;
    type SerializeTuple = No;
    type SerializeTupleStruct = No;
    type SerializeTupleVariant = No;
    type SerializeMap = No;
    type SerializeStruct = No;
    type SerializeStructVariant = No;

    keys! {
        serialize_bool bool
        serialize_i8 i8 serialize_i16 i16 serialize_i32 i32 serialize_i64 i64 serialize_i128 i128
        serialize_u8 u8 serialize_u16 u16 serialize_u32 u32 serialize_u64 u64 serialize_u128 u128
        serialize_f32 f32 serialize_f64 f64
    }

    fn serialize_char(self, value: char) -> Done {
        self.0.serialize_char(value)
    }

    fn serialize_str(self, value: &str) -> Done {
        self.0.serialize_str(value)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.0.serialize_str(variant)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Done {
        Err(Error::NotAKey)
    }

    fn serialize_bytes(self, _: &[u8]) -> Done {
        Err(Error::BytesAsKey(Tray::default()))
    }

    no_keys! {
        serialize_none() ();
        serialize_unit() ();
        serialize_unit_struct(&'static str) ();
        serialize_seq(Option<usize>) No;
        serialize_tuple(usize) No;
        serialize_tuple_struct(&'static str, usize) No;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) No;
        serialize_map(Option<usize>) No;
        serialize_struct(&'static str, usize) No;
        serialize_struct_variant(&'static str, u32, &'static str, usize) No;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SocketId;
    use alloc::borrow::Cow;
    use alloc::boxed::Box;
    use alloc::collections::BTreeMap;
    use alloc::vec;
    use core::net::Ipv4Addr;
    use core::time::Duration;
    use quickcheck::{Arbitrary, Gen, QuickCheck};
    use serde_json::{Map, Value, json, value::RawValue};

    fn write(value: &(impl Serialize + ?Sized)) -> Result<String, String> {
        let mut writer = Writer::default();
        value.serialize(&mut writer).map_err(|e| e.to_string())?;
        Ok(writer.text)
    }

    #[derive(Serialize)]
    struct Unit;
    #[derive(Serialize)]
    struct Wrap(i64);
    #[derive(Serialize)]
    struct Pair(i64, String);
    #[derive(Serialize)]
    struct Named {
        a: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        b: Option<i64>,
        #[serde(rename = "q\"q")]
        c: char,
    }
    #[derive(Serialize, PartialEq, Eq, PartialOrd, Ord)]
    enum Kind {
        Unit,
        New(i64),
        Tuple(i64, bool),
        Named { a: i64 },
        Empty {},
    }
    #[derive(Serialize)]
    #[serde(tag = "t")]
    enum Tagged {
        A { x: i64 },
    }
    #[derive(Serialize)]
    struct Flat {
        a: i64,
        #[serde(flatten)]
        rest: BTreeMap<String, i64>,
    }

    macro_rules! same {
        ($($value:expr),* $(,)?) => { $(
            let json = serde_json::to_string(&$value).ok();
            assert_eq!(write(&$value).ok(), json, "{}", stringify!($value));
        )* };
    }

    /// Without floats the text is that of serde_json.
    #[test]
    fn writes_what_serde_json_writes() {
        let odd = [0x7f, 0x2028, 0x2029, 0xfeff, 0xfffd, 0x1f600, 0x10ffff];
        let every: String = (0..0x300).chain(odd).filter_map(char::from_u32).collect();
        let raw = RawValue::from_string(r#"{"a" : [1.0, "\u0041"]}"#.into()).unwrap();
        same!((), true, false, 0, -1, i8::MIN, u8::MAX, i16::MIN, i32::MIN, u32::MAX, i64::MIN);
        same!(i64::MAX, u64::MAX, (1u64 << 53) + 1, i128::MIN, u128::MAX, every);
        same!("", "a", "\"\\/\u{8}\t\n\u{c}\r\0\u{1e}\u{1f}", 'x', '"', '\u{2028}');
        same!(None::<i64>, Some(1), Some(Some("x")), Vec::<i64>::new(), vec![1, 2]);
        same!(vec![vec![()], vec![]], [0; 0], [1, 2, 3], (1, "a", (None::<()>,)));
        same!(Unit, Wrap(7), Pair(1, "x".into()), Tagged::A { x: 1 }, Kind::Empty {});
        same!(Named { a: None, b: None, c: '\'' }, Named { a: Some(1), b: Some(2), c: '\\' });
        same!(Kind::Unit, Kind::New(1), Kind::Tuple(1, true), Kind::Named { a: 1 });
        same!(Flat { a: 1, rest: [("z".into(), 2)].into() }, json!({"a": [1, null, {}], "": 1}));
        same!([&raw, &raw], BTreeMap::from([("raw", &raw)]), Box::new(1), Cow::Borrowed("cow"));
        same!(Ipv4Addr::LOCALHOST, format_args!("{}-{}", 1, "\""), Duration::from_millis(1500));
    }

    #[test]
    fn keys_are_those_of_serde_json() {
        same!(BTreeMap::<i64, i64>::new(), BTreeMap::from([("a", vec![1]), ("b\n", vec![])]));
        same!(BTreeMap::from([(-1i8, 'a')]), BTreeMap::from([(u64::MAX, "b")]));
        same!(BTreeMap::from([(true, 1)]), BTreeMap::from([('k', 1)]));
        same!(BTreeMap::from([(Kind::Unit, 1)]), BTreeMap::from([(Some("some"), 1)]));
        same!(BTreeMap::from([((1, 2), 3)]), BTreeMap::from([(Kind::New(1), 1)]));
        same!(BTreeMap::from([((), 1)]), BTreeMap::from([(None::<i64>, 1)]));
        let refused = Err("a key must be a string".into());
        assert_eq!(write(&BTreeMap::from([((1, 2), 3)])), refused);
        assert_eq!(write(&BTreeMap::from([(Bytes::default(), 3)])), refused);
    }

    /// Recorded from `JSON.stringify` of Node 20.
    const FLOATS: [(f64, &str); 27] = [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (0.1, "0.1"),
        (0.30000000000000004, "0.30000000000000004"),
        (100.0, "100"),
        (1e20, "100000000000000000000"),
        (123456789012345680000.0, "123456789012345680000"),
        (999999999999999900000.0, "999999999999999900000"),
        (1e21, "1e+21"),
        (1.5e21, "1.5e+21"),
        (1e-6, "0.000001"),
        (0.0000012345, "0.0000012345"),
        (9.9e-7, "9.9e-7"),
        (1e-7, "1e-7"),
        (-1.25e-9, "-1.25e-9"),
        (5e-324, "5e-324"),
        (2.2250738585072014e-308, "2.2250738585072014e-308"),
        (f64::MAX, "1.7976931348623157e+308"),
        (f64::MIN, "-1.7976931348623157e+308"),
        (9007199254740993.0, "9007199254740992"),
        (0.3333333333333333, "0.3333333333333333"),
        (4.35, "4.35"),
        (f64::NAN, "null"),
        (f64::INFINITY, "null"),
        (f64::NEG_INFINITY, "null"),
    ];

    #[test]
    fn floats_are_those_of_javascript() {
        for (float, text) in FLOATS {
            assert_eq!(write(&float).unwrap(), text);
        }
        assert_eq!(write(&[0.1f32, 1e-7, f32::MAX]).unwrap(), "[0.1,1e-7,3.4028235e+38]");
        assert_eq!(write(&json!([1.0, 2.5, -0.0, 1e300])).unwrap(), "[1,2.5,0,1e+300]");
        assert_eq!(write(&BTreeMap::from([(1, 1e21)])).unwrap(), r#"{"1":1e+21}"#);
    }

    #[test]
    fn every_float_reads_back() {
        fn reads_back(bits: u64) -> bool {
            let float = f64::from_bits(bits);
            let text = write(&float).unwrap();
            if float.is_finite() { text.parse() == Ok(float) } else { text == "null" }
        }
        check(reads_back as fn(u64) -> bool, 20_000);
    }

    /// What our writer writes serde_json reads as the same value.
    #[test]
    fn any_value_reads_back() {
        fn reads_back(any: Any) -> bool {
            serde_json::from_str::<Value>(&write(&any.0).unwrap()).unwrap() == any.0
        }
        check(reads_back as fn(Any) -> bool, 2_000);
    }

    fn check(property: impl quickcheck::Testable, tests: u64) {
        let seeded = Gen::from_size_and_seed(100, 0x9a71);
        QuickCheck::new().rng(seeded).tests(tests).quickcheck(property);
    }

    #[derive(Clone, Debug)]
    struct Any(Value);

    impl Arbitrary for Any {
        fn arbitrary(g: &mut Gen) -> Self {
            Self(any(g, 4))
        }
    }

    fn any(g: &mut Gen, depth: usize) -> Value {
        let pick = g.choose(&[0, 1, 2, 3, 4, 5, 6, 7]).copied().unwrap_or(0);
        match pick {
            0 => Value::Null,
            1 => bool::arbitrary(g).into(),
            2 => i64::arbitrary(g).into(),
            3 => u64::arbitrary(g).into(),
            // Whole numbers lose their point, and are integers to serde_json: not here.
            4 => Some(f64::arbitrary(g)).filter(|x| x.fract() != 0.0).into(),
            6 if depth > 0 => (0..depth).map(|_| any(g, depth - 1)).collect(),
            7 if depth > 0 => {
                let field = |_| (String::arbitrary(g), any(g, depth - 1));
                Value::Object((0..depth).map(field).collect::<Map<_, _>>())
            }
            _ => String::arbitrary(g).into(),
        }
    }

    #[test]
    fn bytes_leave_the_text_in_order_each_time() {
        let (a, b) = (Bytes::copy_from_slice(b"a"), Bytes::from_static(b"b"));
        let id = SocketId { index: 0, secret: [0; SocketId::SECRET_BYTES] };
        let mut writer = Writer::default();
        let value = (id, [Some(&a), None], BTreeMap::from([(id, (&b, &a))]));
        value.serialize(&mut writer).unwrap();
        let place = |n| alloc::format!(r#"{{"_placeholder":true,"num":{n}}}"#);
        let (p, q, r) = (place(0), place(1), place(2));
        let id = "AAAAAAAAAAAAAAAAAAAA";
        let text = alloc::format!(r#"["{id}",[{p},null],{{"{id}":[{q},{r}]}}]"#);
        assert_eq!(writer.text, text);
        assert_eq!(writer.attachments, [a.clone(), b, a.clone()]);
        let shared = writer.attachments[2].as_ptr() == a.as_ptr();
        assert_eq!(shared, cfg!(feature = "std"), "with std not a byte is copied");
    }
}
