//! Arguments, both ways, by one rule: a tuple is the argument list, anything else is one argument.

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::any::type_name;
use core::cell::Cell;
use core::fmt;

use serde::Serialize;
use serde::de::{self, DeserializeOwned};
use serde_json::Value;

use super::json::Writer;
use super::read::List;
use crate::bytes::Bytes;
use crate::id::SocketId;
use crate::payload::{Payload, Places, TOO_LONG, places};

/// What can be sent: with an event, as an answer, or with a question.
///
/// | You emit | On the wire |
/// |---|---|
/// | `()` | `["ev"]` |
/// | `"hi"`, `7`, a `String`, `Vec`, array, `Option`, [`Bytes`] or `json!(..)` | `["ev",<it>]` |
/// | `&value` of any [`Serialize`] type | `["ev",<it>]` |
/// | `(a, b)`, `(1, &point, "x")` | `["ev",a,b]` |
/// | `(pair,)`, `(&pair,)` | `["ev",[1,"a"]]`: one argument that is a tuple |
/// | a [`Payload`] | its own list |
/// | `&(a, b)` | refused: it reads as one argument and is meant as two |
///
/// `Bytes`, and whatever else serialises as bytes, become attachments wherever they stand. The
/// JSON is what JavaScript's `JSON.stringify` would write: `1.0` is `1`, infinities are `null`.
/// JavaScript reads integers above 2^53 rounded: send those as strings.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be sent as it stands",
    label = "pass `&value` for one argument, or a tuple for the argument list",
    note = "one argument: `&value` of any `Serialize` type \
            (or a string, number, `Vec`, `Option`, `Bytes` by value)",
    note = "several: `(a, b)`; none: `()`; one argument that is a tuple: `(&value,)`",
    note = "if `{Self}` is yours: derive `serde::Serialize`, \
            and `impl parlor::Arg for ... {{}}` to pass it by value"
)]
pub trait ToArgs {
    #[doc(hidden)]
    fn payload(&self) -> Result<Payload, BadArgs>;
}

/// One argument. `&T` always is one; implement it, it has no methods, to send a type of your own
/// by value.
///
/// ```
/// #[derive(serde::Serialize)]
/// struct Point { x: i32, y: i32 }
///
/// impl parlor::Arg for Point {}
///
/// let args = parlor::Payload::from_args(Point { x: 1, y: 2 })?;
/// assert_eq!(args.to_json(), r#"[{"x":1,"y":2}]"#);
/// # Ok::<(), parlor::BadArgs>(())
/// ```
pub trait Arg: Serialize {}

/// What a handler can take: everything that is [`Deserialize`](serde::Deserialize) and owns its
/// data, and [`Payload`].
///
/// | You take | Client sends | You get |
/// |---|---|---|
/// | `()` | anything | nothing is read |
/// | `String` | `"hi", 1` | `"hi"`: further arguments are ignored, as in JavaScript |
/// | `(i64, String)` | `1, "a"` | both |
/// | `(i64, String)` | `[1,"a"]` | both: the list did not fit, and all that came is one array |
/// | `((i64, String),)` | `[1,"a"]` | one argument that is a pair, and nothing else |
/// | `Vec<i64>` | `[1,2]` | one argument; `1, 2` does not fit |
/// | `[f64; 3]` | `1, 2, 3` or `[1,2,3]` | either |
/// | `(i64, Option<T>)` | `1` or `1, null` | `None`: absent and `null` are the same |
/// | a type with [`Bytes`] anywhere | attachments | shared, not copied (copied in a `Vec<u8>`) |
/// | `Payload` | anything | all of it, undecoded |
#[diagnostic::on_unimplemented(
    message = "a handler cannot take `{Self}`",
    label = "not decodable from a client's arguments",
    note = "if `{Self}` is yours: `#[derive(serde::Deserialize)]`; \
            it must own its data (`String`, not `&str`)",
    note = "several arguments: a tuple `(a, b): (A, B)`; none: `()`; \
            perhaps missing: `Option<T>`; undecoded: `parlor::Payload`"
)]
pub trait FromArgs: Sized {
    #[doc(hidden)]
    fn from_args(payload: &Payload) -> Result<Self, BadArgs>;
}

/// Why arguments did not fit what a handler takes, or could not be written. Displayed with the
/// argument's place: ``argument 2 of 2: missing field `y` ``.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadArgs {
    /// Which argument, from 0. `None` if it is not the fault of one.
    pub argument: Option<usize>,
    /// How many there were.
    pub came: usize,
    /// What was wrong.
    pub why: String,
}

impl fmt::Display for BadArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(index) = self.argument {
            write!(f, "argument {} of {}: ", index + 1, self.came)?;
        }
        f.write_str(&self.why)
    }
}

impl core::error::Error for BadArgs {}

impl de::Error for BadArgs {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Self { argument: None, came: 0, why: shortened(why.to_string()) }
    }
}

impl From<serde_json::Error> for BadArgs {
    /// Without the position: it is one in the argument's own text, which nobody sees.
    fn from(e: serde_json::Error) -> Self {
        let mut why = e.to_string();
        let position = format!(" at line {} column {}", e.line(), e.column());
        if why.ends_with(&position) {
            why.truncate(why.len() - position.len());
        }
        Self { argument: None, came: 0, why: shortened(why) }
    }
}

/// serde quotes what came, and a client chooses how long that is. What was wanted stands behind it.
fn shortened(mut why: String) -> String {
    if why.len() > WHY_BYTES_MAX {
        let from = why.floor_char_boundary(WHY_BYTES_MAX / 2);
        let to = why.ceil_char_boundary(why.len() - WHY_BYTES_MAX / 2);
        why.replace_range(from..to, " .. ");
    }
    why
}

const WHY_BYTES_MAX: usize = 256;

impl FromArgs for Payload {
    fn from_args(payload: &Payload) -> Result<Self, BadArgs> {
        Ok(payload.clone())
    }
}

impl<T: DeserializeOwned> FromArgs for T {
    /// A blanket over serde leaves no room for tuples of our own, so the list is a deserializer:
    /// a type that asks it for a tuple is one.
    fn from_args(payload: &Payload) -> Result<Self, BadArgs> {
        let asked = Cell::new(0);
        let list = List {
            text: &payload.members,
            places: &payload.places,
            attachments: &payload.attachments,
            asked: &asked,
        };
        T::deserialize(list)
            .or_else(|first| lone_array(payload, list).ok_or(first))
            .map_err(|e| BadArgs { came: payload.len(), ..e })
    }
}

/// A tuple of two or more did not fit, and all that came is one array: then the array is the
/// tuple. Arrays and foreign types such as points ask for a tuple too, and are sent like this.
fn lone_array<T: DeserializeOwned>(payload: &Payload, list: List<'_>) -> Option<T> {
    let array = payload.argument(0).filter(|text| payload.len() == 1 && text.starts_with('['))?;
    let asked = list.asked.get();
    if asked < 2 {
        return None;
    }
    let places = places(array).ok().filter(|places| places.len() <= asked)?;
    T::deserialize(List { text: array, places: &places, ..list }).ok()
}

impl<T: Arg> ToArgs for T {
    /// A reference to a tuple is one argument by the letter and several by intent: clippy's
    /// `needless_borrows_for_generic_args` takes the `&` away and so would change the meaning.
    /// Refused rather than guessed. The type's name serves this complaint alone.
    fn payload(&self) -> Result<Payload, BadArgs> {
        if type_name::<T>().trim_start_matches('&').starts_with('(') {
            return Err(de::Error::custom(
                "a reference to a tuple: `(a, b)` is several arguments, `(&pair,)` is one",
            ));
        }
        let mut list = ListWriter::of(1);
        list.push(self)?;
        Ok(list.finish())
    }
}

impl ToArgs for Payload {
    fn payload(&self) -> Result<Payload, BadArgs> {
        Ok(self.clone())
    }
}

impl ToArgs for &Payload {
    fn payload(&self) -> Result<Payload, BadArgs> {
        Ok((*self).clone())
    }
}

impl ToArgs for () {
    fn payload(&self) -> Result<Payload, BadArgs> {
        Ok(Payload::empty())
    }
}

macro_rules! lists {
    ($($count:literal($($member:ident $index:tt),*))*) => { $(
        impl<$($member: Serialize),*> ToArgs for ($($member,)*) {
            fn payload(&self) -> Result<Payload, BadArgs> {
                let mut list = ListWriter::of($count);
                $(list.push(&self.$index)?;)*
                Ok(list.finish())
            }
        }
    )* }
}

lists! {
    1(A 0)
    2(A 0, B 1)
    3(A 0, B 1, C 2)
    4(A 0, B 1, C 2, D 3)
    5(A 0, B 1, C 2, D 3, E 4)
    6(A 0, B 1, C 2, D 3, E 4, F 5)
    7(A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    8(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}

impl<T: Serialize + ?Sized> Arg for &T {}

macro_rules! args {
    ($($type:ty),*) => { $(impl Arg for $type {})* }
}

args! {
    bool, char, i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize, f32, f64,
    String, fmt::Arguments<'_>, Value, Bytes, SocketId
}

impl<T: Serialize> Arg for Option<T> {}
impl<T: Serialize> Arg for Vec<T> {}
impl<T: Serialize> Arg for BTreeSet<T> {}
impl<K: Serialize, V: Serialize> Arg for BTreeMap<K, V> {}
impl<T: Serialize + ?Sized> Arg for Box<T> {}
impl<T: Serialize + ToOwned + ?Sized> Arg for Cow<'_, T> {}
impl<T, const N: usize> Arg for [T; N] where [T; N]: Serialize {}

/// Arguments as the commands of the server take them, or what to tell the programmer.
pub(crate) fn encode(args: &(impl ToArgs + ?Sized)) -> Result<Payload, String> {
    args.payload().map_err(|why| why.to_string())
}

/// An argument list being written.
struct ListWriter {
    count: usize,
    json: Writer,
    places: Places,
}

impl ListWriter {
    fn of(count: usize) -> Self {
        Self { count, json: Writer::default(), places: Places::new() }
    }

    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), BadArgs> {
        let index = self.places.len();
        if index > 0 {
            self.json.text.push(',');
        }
        let start = self.json.text.len();
        let written = value.serialize(&mut self.json).map_err(|e| e.to_string());
        let place = written.and_then(|()| {
            let end = u32::try_from(self.json.text.len()).map_err(|_| TOO_LONG)?;
            Ok((start as u32, end))
        });
        let bad = |why| BadArgs { argument: Some(index), came: self.count, why };
        self.places.push(place.map_err(bad)?);
        Ok(())
    }

    fn finish(self) -> Payload {
        let Writer { text, attachments, .. } = self.json;
        Payload { members: text.into(), places: self.places, attachments }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use serde::Deserialize;
    use serde_json::json;
    use serde_json::value::RawValue;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Point {
        x: i64,
        y: i64,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Wrap(i64, String);

    #[derive(Debug, PartialEq, Deserialize)]
    enum Op {
        Nop,
        Add { by: i64 },
    }

    /// What a handler of `A` gets for these arguments, or what it is told.
    fn read<A: FromArgs + fmt::Debug>(args: &str) -> String {
        let payload = Payload::from_json(&format!("[{args}]")).unwrap();
        match payload.parse::<A>() {
            Ok(read) => format!("{read:?}"),
            Err(why) => format!("bad: {why}"),
        }
    }

    #[test]
    fn a_tuple_is_the_list_and_all_else_is_one_argument() {
        assert_eq!(read::<String>(r#""hi""#), r#""hi""#);
        assert_eq!(read::<Point>(r#"{"x":1,"y":2}"#), "Point { x: 1, y: 2 }");
        assert_eq!(read::<(i64, String)>(r#"1,"a""#), r#"(1, "a")"#);
        assert_eq!(read::<(i64, String)>(r#"[1,"a"]"#), r#"(1, "a")"#);
        assert_eq!(read::<((i64, String),)>(r#"[1,"a"]"#), r#"((1, "a"),)"#);
        assert!(read::<((i64, String),)>(r#"1,"a""#).starts_with("bad: argument 1 of 2"));
        assert_eq!(read::<[f64; 3]>("1,2,3"), "[1.0, 2.0, 3.0]");
        assert_eq!(read::<[f64; 3]>("[1,2,3]"), "[1.0, 2.0, 3.0]");
        assert_eq!(read::<Vec<i64>>("[1,2,3]"), "[1, 2, 3]");
        let why = "bad: argument 1 of 2: invalid type: integer `1`, expected a sequence";
        assert_eq!(read::<Vec<i64>>("1,2"), why);
        assert_eq!(read::<Wrap>(r#"[1,"a"]"#), r#"Wrap(1, "a")"#);
        assert_eq!(read::<(Op, Op)>(r#""Nop",{"Add":{"by":2}}"#), "(Nop, Add { by: 2 })");
    }

    #[test]
    fn the_lone_array_is_the_tuple_only_where_the_list_does_not_fit() {
        assert_eq!(read::<(Vec<i64>, Option<i64>)>("[1,2]"), "([1, 2], None)", "the list wins");
        assert_eq!(read::<(i64, Option<i64>)>("[1]"), "(1, None)");
        let why = "bad: argument 1 of 1: invalid type: sequence, expected ";
        assert_eq!(read::<(i64, i64)>("[1,2,3]"), format!("{why}i64"), "too long");
        assert_eq!(read::<(i64, i64)>("[1]"), format!("{why}i64"), "the first reason is told");
        assert_eq!(read::<(String,)>(r#"["a"]"#), format!("{why}a string"), "never for one");
        assert_eq!(read::<String>(r#"["a"]"#), format!("{why}a string"));
        assert!(read::<(i64, i64)>("[1,2],3").starts_with("bad: argument 1 of 2"));
    }

    #[test]
    fn missing_further_null_and_undecoded() {
        assert_eq!(read::<()>(r#"1,"a""#), "()");
        assert_eq!(read::<()>(""), "()");
        assert_eq!(read::<String>(r#""hi",1"#), r#""hi""#);
        assert_eq!(read::<(i64, i64)>("1,2,3"), "(1, 2)");
        assert_eq!(read::<(i64, Option<i64>)>("1"), "(1, None)");
        assert_eq!(read::<(i64, Option<i64>)>("1,null"), "(1, None)");
        assert_eq!(read::<(i64, Option<i64>)>("1,2"), "(1, Some(2))");
        assert_eq!(read::<Option<i64>>(""), "None");
        assert_eq!(read::<Value>("null"), "Null");
        assert_eq!(read::<(i64, i64)>("1"), "bad: argument 2 of 1: missing, wanted i64");
        assert_eq!(read::<i64>(""), "bad: argument 1 of 0: missing, wanted i64");
        let why = "bad: argument 2 of 2: missing field `y`";
        assert_eq!(read::<(i64, Point)>(r#"1,{"x":1}"#), why);
        assert_eq!(read::<Payload>("1, [2]"), "[1, [2]]");
        assert_eq!(read::<Box<RawValue>>("[1.0]"), "RawValue([1.0])");
    }

    #[test]
    fn a_client_cannot_make_a_reason_long() {
        let long = format!("\"{}\"", "\u{e9}".repeat(1000));
        let why = Payload::from_json(&format!("[{long}]")).unwrap().parse::<i64>().unwrap_err().why;
        assert!(why.starts_with("invalid type: string \"\u{e9}"), "{why}");
        assert!(why.ends_with("\u{e9}\", expected i64"), "{why}");
        assert!(why.len() <= WHY_BYTES_MAX + 4);
    }

    #[test]
    fn depth_is_an_error_and_no_overflow() {
        let deep = "[".repeat(50_000) + &"]".repeat(50_000);
        assert!(read::<Value>(&deep).contains("recursion limit"));
        assert!(read::<(Value, Value)>(&deep).contains("recursion limit"));
        assert!(parse::<Value>(&deep).unwrap_err().contains("recursion limit"));
        assert_eq!(read::<()>(&deep), "()");
    }

    const PLACE: &str = r#"{"_placeholder":true,"num":1}"#;

    fn one() -> Bytes {
        Bytes::from_static(b"one")
    }

    /// Reads a list in which `$` stands for the second of two attachments.
    fn parse<A: FromArgs>(args: &str) -> Result<A, String> {
        let mut payload = Payload::from_json(&format!("[{}]", args.replace('$', PLACE))).unwrap();
        payload.attachments = vec![Bytes::from_static(b"zero"), one()];
        payload.parse().map_err(|e: BadArgs| e.to_string())
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Whole(Bytes);

    #[derive(Debug, PartialEq, Deserialize)]
    enum Kind {
        Empty,
        One(Bytes),
        Two(i64, Bytes),
        Named { b: Bytes },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "type")]
    enum Tagged {
        Pic { b: Bytes, n: i64 },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Untagged {
        Number(i64),
        Bytes(Bytes),
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Flat {
        #[serde(flatten)]
        rest: BTreeMap<String, Bytes>,
    }

    #[test]
    fn attachments_are_found_wherever_a_type_asks_for_bytes() {
        assert_eq!(parse("$"), Ok(one()));
        assert_eq!(parse(r#"{"num":1,"_placeholder":true}"#), Ok(one()), "some clients do");
        assert_eq!(parse(r#"{"num":1,"x":[{}],"_placeholder":true}"#), Ok(one()));
        assert_eq!(parse("$,7,null"), Ok((Some(one()), 7, None::<Bytes>)));
        assert_eq!(parse("[[$]]"), Ok(vec![vec![one()]]));
        assert_eq!(parse("$"), Ok(b"one".to_vec()));
        assert_eq!(parse("$"), Ok(Whole(one())));
        let kinds = (Kind::Empty, Kind::One(one()), Kind::Two(2, one()), Kind::Named { b: one() });
        assert_eq!(parse(r#""Empty",{"One":$},{"Two":[2,$]},{"Named":{"b":$}}"#), Ok(kinds));
        let tagged = Tagged::Pic { b: one(), n: 3 };
        assert_eq!(parse(r#"{"type":"Pic","n":3,"b":$}"#), Ok(tagged), "through serde's buffer");
        assert_eq!(parse("$,5"), Ok((Untagged::Bytes(one()), Untagged::Number(5))));
        assert_eq!(parse(r#"{"x":$}"#), Ok(Flat { rest: [("x".into(), one())].into() }));
        assert_eq!(parse(r#"{"7":$}"#), Ok(BTreeMap::from([(7, one())])));
        assert_eq!(parse(r#"[$,"a"]"#), Ok((one(), String::from("a"))), "the lone array");
        assert_eq!(parse(r#"[65,66],"AB""#), Ok((b"AB".to_vec(), Bytes::from_static(b"AB"))));
    }

    #[test]
    fn attachments_leave_all_else_as_it_is() {
        assert_eq!(parse::<Vec<i64>>("[1,2]"), Ok(vec![1, 2]));
        let text = r#"{"num":1,"a":[1,{"b":null},-2,0.5,"c",true,{}]}"#;
        assert_eq!(parse::<Value>(text), Ok(serde_json::from_str(text).unwrap()));
        assert_eq!(parse("null,1"), Ok(((), Some(1))));
        let like = json!({"_placeholder": true, "num": 1});
        assert_eq!(read::<Value>(PLACE), format!("{like:?}"), "no attachments, no placeholders");
        assert_eq!(parse::<Box<RawValue>>("$").map(|raw| raw.to_string()), Ok(PLACE.into()));
        fn bad<A>(why: &str) -> Result<A, String> {
            Err(format!("argument 1 of 1: {why}"))
        }
        assert_eq!(parse::<Point>(r#"{"x":1}"#), bad("missing field `y`"));
        assert_eq!(parse::<i64>(r#""a""#), bad(r#"invalid type: string "a", expected i64"#));
        assert_eq!(parse::<Bytes>(r#"{"a":1}"#), bad("invalid type: map, expected bytes"));
        let empty = r#"{"Empty":1}"#;
        let why = "invalid type: integer `1`, expected unit";
        assert_eq!(parse::<Kind>(empty), bad(why), "a variant without content has none");
        for lost in ["\"num\":2,\"_placeholder\":true", "\"_placeholder\":true", "\"num\":1"] {
            let read = parse::<Bytes>(&format!("{{{lost}}}"));
            assert_eq!(read, bad("a placeholder without attachment"));
        }
        let value = parse::<Value>("$").unwrap_err();
        assert!(value.contains("byte array"), "a `Value` has no place for bytes: {value}");
    }

    /// `emit` and the fields of what it carries, as a client sees it.
    fn sent(args: impl ToArgs) -> String {
        Payload::from_args(args).unwrap().to_json()
    }

    #[test]
    fn a_tuple_is_the_list_also_outwards() {
        let point = Point { x: 1, y: 2 };
        let pair = (1, "a");
        assert_eq!(sent(()), "[]");
        assert_eq!(sent("hi"), r#"["hi"]"#);
        assert_eq!(sent(String::from("hi")), r#"["hi"]"#);
        assert_eq!(sent(vec![1, 2]), "[[1,2]]");
        assert_eq!(sent([1, 2]), "[[1,2]]");
        assert_eq!(sent(&[1, 2][..]), "[[1,2]]");
        assert_eq!(sent(Some(7)), "[7]");
        assert_eq!(sent(None::<i64>), "[null]");
        assert_eq!(sent(json!(null)), "[null]");
        assert_eq!(sent(vec![0; 3].len()), "[3]");
        assert_eq!(sent(format_args!("{}!", 1)), r#"["1!"]"#);
        assert_eq!(sent(&point), r#"[{"x":1,"y":2}]"#);
        assert_eq!(sent((1, &point, "x")), r#"[1,{"x":1,"y":2},"x"]"#);
        assert_eq!(sent((pair,)), r#"[[1,"a"]]"#);
        assert_eq!(sent((&pair,)), r#"[[1,"a"]]"#);
        let payload = Payload::from_json("[1,[2]]").unwrap();
        assert_eq!(sent(&payload), "[1,[2]]");
        assert_eq!(sent(payload), "[1,[2]]");
        assert_eq!(sent((1, 2, 3, 4, 5, 6, 7, 8)), "[1,2,3,4,5,6,7,8]");
    }

    #[test]
    fn what_cannot_be_written_is_told() {
        let reference = encode(&&(1, "a")).unwrap_err();
        assert!(reference.starts_with("a reference to a tuple"), "{reference}");
        assert!(encode(&&&(1,)).is_err());
        let no_keys = BTreeMap::from([((1, 2), 3)]);
        let why = "argument 2 of 3: a key must be a string";
        assert_eq!(encode(&(1, no_keys, 3)), Err(why.into()));
    }

    #[test]
    fn places_are_noted_while_writing() {
        let payload = encode(&(1, "a,b", [Bytes::from_static(b"x")], Bytes::default())).unwrap();
        let read = Payload::from_json(&payload.to_json()).unwrap();
        assert_eq!((&payload.members, &payload.places), (&read.members, &read.places));
        assert_eq!(payload.argument(1), Some(r#""a,b""#));
        assert_eq!(payload.attachments(), [Bytes::from_static(b"x"), Bytes::default()]);
    }

    #[derive(Serialize, Deserialize)]
    struct Upload {
        name: String,
        parts: Vec<Option<Bytes>>,
    }

    #[test]
    fn attachments_are_shared_both_ways() {
        let body = Bytes::copy_from_slice(b"body");
        let upload = Upload { name: "f".into(), parts: vec![None, Some(body.clone())] };
        let payload = encode(&(&upload, &body)).unwrap();
        assert_eq!(payload.attachments(), [body.clone(), body.clone()]);
        let (read, again): (Upload, Bytes) = payload.parse().unwrap();
        assert_eq!((read.name.as_str(), read.parts.as_slice()), ("f", &upload.parts[..]));
        let copies = [&payload.attachments[0], read.parts[1].as_ref().unwrap(), &again];
        for copy in copies {
            let shared = copy.as_ptr() == body.as_ptr();
            assert_eq!(shared, cfg!(feature = "std"), "with std not a byte is copied");
        }
    }
}
