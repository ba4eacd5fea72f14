//! Socket.IO packets as text: `<type>[<attachments>-][<namespace>,][<ack id>][<JSON>]`, by the
//! Socket.IO protocol, revision 5. Engine.IO's packet type in front is not part of it.
//!
//! Where the reference parser takes whatever JavaScript converts to a number (`51e0-`, `42 [..]`),
//! this one takes digits; where it loses precision above 2^53, an ack id goes up to 2^64-1 and
//! beyond that is a fault; and an event without a payload is a fault. No client writes such things.

use alloc::vec::Vec;
use core::fmt;

use bytestring::ByteString;

use crate::payload::{Payload, Places};
use crate::socketio::binary::DecodeLimits;
use crate::socketio::json::{self, Flaw, Kind, Outline};

/// A packet that a client sent. Its texts are slices of the message, not copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    /// The namespace's name, `/` if the packet names none.
    pub(crate) namespace: ByteString,
    /// What it is.
    pub(crate) kind: PacketKind,
}

/// What a packet is. Whether attachments came with it is no kind of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PacketKind {
    /// The client wants to join the namespace.
    Connect {
        /// Nothing, or one object.
        auth: Payload,
    },
    /// The client leaves the namespace.
    Disconnect,
    /// An event.
    Event {
        /// Names the answer that the client waits for.
        id: Option<u64>,
        /// Its name, unescaped; never one that [`is_reserved`]. A number is a name too, as it is
        /// written: JavaScript writes each number in one way, which is also the number's text.
        name: ByteString,
        /// What follows the name.
        args: Payload,
    },
    /// An answer.
    Ack {
        /// Which question's; an answer to none is well-formed all the same.
        id: Option<u64>,
        /// Its arguments.
        args: Payload,
    },
    /// A refusal, which is for servers to send.
    ConnectError,
}

/// Why a message is no packet, or no attachment. The texts are those of the reference parser,
/// where it knows the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is nothing in it.
    Empty,
    /// The first character is no packet type: another digit, or none.
    UnknownType(Option<u8>),
    /// The number of attachments is missing, zero or no number.
    AttachmentCount,
    /// More attachments than `attachments_max` are announced.
    TooManyAttachments,
    /// The ack id is above 2^64-1.
    AckId,
    /// The payload is no JSON, or not what this type of packet carries.
    InvalidPayload,
    /// The payload is nested deeper than `json_depth_max`.
    PayloadDepth,
    /// A placeholder names an attachment that there is not.
    IllegalPlaceholder,
    /// Text came while attachments were missing.
    UnexpectedText,
    /// Bytes came while no attachment was missing.
    UnexpectedBinary,
    /// The attachments are more bytes than `attachment_bytes_max`.
    AttachmentBytes,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty packet",
            Self::UnknownType(Some(digit)) => return write!(f, "unknown packet type {digit}"),
            Self::UnknownType(None) => "unknown packet type NaN",
            Self::AttachmentCount => "Illegal attachments",
            Self::TooManyAttachments => "too many attachments",
            Self::AckId => "ack id too large",
            Self::InvalidPayload => "invalid payload",
            Self::PayloadDepth => "payload nested too deeply",
            Self::IllegalPlaceholder => "illegal attachments",
            Self::UnexpectedText => "got plaintext data when reconstructing a packet",
            Self::UnexpectedBinary => "got binary data when not reconstructing a packet",
            Self::AttachmentBytes => "attachments too large",
        })
    }
}

impl core::error::Error for Fault {}

/// Whether an event may not have this name, since clients and servers emit it by themselves.
pub(crate) fn is_reserved(name: &str) -> bool {
    matches!(
        name,
        "connect"
            | "connect_error"
            | "disconnect"
            | "disconnecting"
            | "newListener"
            | "removeListener"
    )
}

/// A packet and how many attachments it announces. Its placeholders are checked here already, and
/// not when the last attachment is there: nothing is kept for a packet that is bad anyhow.
pub(crate) fn decode(text: &ByteString, limits: &DecodeLimits) -> Result<(Packet, u32), Fault> {
    let (kind, rest) = match text.as_bytes().first() {
        None => return Err(Fault::Empty),
        Some(kind @ b'0'..=b'6') => (*kind, &text[1..]),
        Some(other) => {
            let digit = other.is_ascii_digit().then(|| other - b'0');
            return Err(Fault::UnknownType(digit));
        }
    };
    let (attachments, rest) = match kind {
        b'5' | b'6' => attachment_count(rest, limits.attachments_max)?,
        _ => (0, rest),
    };
    let (namespace, rest) = namespace(text, rest);
    let (id, rest) = ack_id(rest)?;
    let body = Body { text, json: rest, depth_max: limits.json_depth_max, attachments };
    let kind = match kind {
        b'0' => PacketKind::Connect { auth: body.auth()? },
        b'1' if rest.is_empty() => PacketKind::Disconnect,
        b'1' => return Err(Fault::InvalidPayload),
        b'2' | b'5' => body.event(id)?,
        b'3' | b'6' => PacketKind::Ack { id, args: body.answer()? },
        _ => body.refusal()?,
    };
    Ok((Packet { namespace, kind }, attachments))
}

fn attachment_count(text: &str, attachments_max: u32) -> Result<(u32, &str), Fault> {
    let (digits, rest) = split_digits(text);
    let rest = rest.strip_prefix('-').ok_or(Fault::AttachmentCount)?;
    if digits.bytes().all(|digit| digit == b'0') {
        return Err(Fault::AttachmentCount);
    }
    match digits.parse() {
        Ok(count) if count <= attachments_max => Ok((count, rest)),
        _ => Err(Fault::TooManyAttachments),
    }
}

/// A name begins with a slash and ends at a comma, which nothing escapes, or with the packet:
/// clients of 1.0 leave the comma out where nothing follows.
fn namespace<'a>(text: &ByteString, rest: &'a str) -> (ByteString, &'a str) {
    if !rest.starts_with('/') {
        return (ByteString::from_static("/"), rest);
    }
    let (name, rest) = rest.split_once(',').unwrap_or((rest, ""));
    (text.slice_ref(name), rest)
}

fn ack_id(text: &str) -> Result<(Option<u64>, &str), Fault> {
    match split_digits(text) {
        ("", rest) => Ok((None, rest)),
        (digits, rest) => Ok((Some(digits.parse().map_err(|_| Fault::AckId)?), rest)),
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(u8::is_ascii_digit).count())
}

/// The JSON that ends a packet.
struct Body<'a> {
    text: &'a ByteString,
    json: &'a str,
    depth_max: u32,
    attachments: u32,
}

impl Body<'_> {
    fn auth(&self) -> Result<Payload, Fault> {
        if self.json.is_empty() {
            return Ok(Payload::empty());
        }
        match self.outline()? {
            Outline { kind: Kind::Object, place, .. } => {
                Ok(self.payload(Places::from_slice(&[place])))
            }
            _ => Err(Fault::InvalidPayload),
        }
    }

    fn event(&self, id: Option<u64>) -> Result<PacketKind, Fault> {
        let mut list = self.list()?;
        let &(start, end) = list.members.first().ok_or(Fault::InvalidPayload)?;
        let name = &self.json[start as usize..end as usize];
        let name = match name.as_bytes()[0] {
            b'"' => match &name[1..name.len() - 1] {
                raw if raw.contains('\\') => json::unescape(raw).into(),
                raw => self.text.slice_ref(raw),
            },
            b'-' | b'0'..=b'9' => self.text.slice_ref(name),
            _ => return Err(Fault::InvalidPayload),
        };
        if is_reserved(&name) {
            return Err(Fault::InvalidPayload);
        }
        list.check_placeholders()?;
        list.members.remove(0);
        Ok(PacketKind::Event { id, name, args: self.payload(list.members) })
    }

    fn answer(&self) -> Result<Payload, Fault> {
        if self.json.is_empty() {
            return Ok(Payload::empty());
        }
        let list = self.list()?;
        list.check_placeholders()?;
        Ok(self.payload(list.members))
    }

    fn refusal(&self) -> Result<PacketKind, Fault> {
        if self.json.is_empty() || matches!(self.outline()?.kind, Kind::Object | Kind::String) {
            return Ok(PacketKind::ConnectError);
        }
        Err(Fault::InvalidPayload)
    }

    fn list(&self) -> Result<Outline, Fault> {
        match self.outline()? {
            list @ Outline { kind: Kind::Array, .. } => Ok(list),
            _ => Err(Fault::InvalidPayload),
        }
    }

    fn outline(&self) -> Result<Outline, Fault> {
        json::outline(self.json, self.depth_max, self.attachments).map_err(|flaw| match flaw {
            Flaw::Syntax => Fault::InvalidPayload,
            Flaw::Depth => Fault::PayloadDepth,
        })
    }

    /// What stands at these places: one slice, from the first to the last.
    fn payload(&self, mut places: Places) -> Payload {
        let (Some(&(first, _)), Some(&(_, last))) = (places.first(), places.last()) else {
            return Payload::empty();
        };
        for (start, end) in &mut places {
            *start -= first;
            *end -= first;
        }
        let members = self.text.slice_ref(&self.json[first as usize..last as usize]);
        Payload { members, places, attachments: Vec::new() }
    }
}

impl Outline {
    fn check_placeholders(&self) -> Result<(), Fault> {
        if self.placeholders_fit { Ok(()) } else { Err(Fault::IllegalPlaceholder) }
    }
}

/// Writes an event. What has attachments says how many, and they are to follow at once, in order.
pub(crate) fn encode_event(
    out: &mut Vec<u8>,
    namespace: &str,
    id: Option<u64>,
    name: &str,
    args: &Payload,
) {
    encode_head(out, [b'2', b'5'], namespace, id, args);
    out.push(b'[');
    encode_string(out, name);
    if !args.is_empty() {
        out.push(b',');
        out.extend_from_slice(args.members.as_bytes());
    }
    out.push(b']');
}

/// Writes an answer. For attachments see [`encode_event`].
pub(crate) fn encode_ack(out: &mut Vec<u8>, namespace: &str, id: u64, args: &Payload) {
    encode_head(out, [b'3', b'6'], namespace, Some(id), args);
    out.push(b'[');
    out.extend_from_slice(args.members.as_bytes());
    out.push(b']');
}

/// Writes that a socket has joined the namespace, by this id.
pub(crate) fn encode_connect(out: &mut Vec<u8>, namespace: &str, sid: &str) {
    out.push(b'0');
    encode_namespace(out, namespace);
    out.extend_from_slice(b"{\"sid\":");
    encode_string(out, sid);
    out.push(b'}');
}

/// Writes that the client may not join the namespace. `data` is JSON.
pub(crate) fn encode_connect_error(
    out: &mut Vec<u8>,
    namespace: &str,
    message: &str,
    data: Option<&str>,
) {
    out.push(b'4');
    encode_namespace(out, namespace);
    out.extend_from_slice(b"{\"message\":");
    encode_string(out, message);
    if let Some(data) = data {
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(data.as_bytes());
    }
    out.push(b'}');
}

/// Writes that the client's socket is no longer in the namespace.
pub(crate) fn encode_disconnect(out: &mut Vec<u8>, namespace: &str) {
    out.push(b'1');
    encode_namespace(out, namespace);
}

/// The type without attachments or with them, and all that stands before the JSON. A count of zero
/// is never written: clients take it for a fault.
fn encode_head(
    out: &mut Vec<u8>,
    [plain, binary]: [u8; 2],
    namespace: &str,
    id: Option<u64>,
    args: &Payload,
) {
    match args.attachments.len() {
        0 => out.push(plain),
        count => {
            out.push(binary);
            out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
            out.push(b'-');
        }
    }
    encode_namespace(out, namespace);
    if let Some(id) = id {
        out.extend_from_slice(itoa::Buffer::new().format(id).as_bytes());
    }
}

fn encode_namespace(out: &mut Vec<u8>, namespace: &str) {
    if namespace != "/" {
        out.extend_from_slice(namespace.as_bytes());
        out.push(b',');
    }
}

/// Writes a text as `JSON.stringify` does: short escapes where there are any, `\u001e` for other
/// control characters, the rest raw.
fn encode_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, tail) = rest.split_at(json::plain_len(rest));
        out.extend_from_slice(plain);
        let Some((&byte, tail)) = tail.split_first() else { break };
        rest = tail;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x0d => out.extend_from_slice(b"\\r"),
            control => {
                let [high, low] =
                    [control >> 4, control & 15].map(|n| b"0123456789abcdef"[usize::from(n)]);
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec;

    use quickcheck::{Arbitrary, Gen, QuickCheck};
    use serde_json::value::RawValue;

    use super::*;
    use crate::bytes::Bytes;
    use crate::socketio::binary::Decoder;

    const LIMITS: DecodeLimits =
        DecodeLimits { attachments_max: 10, attachment_bytes_max: 1000, json_depth_max: 8 };

    /// A packet in one line, and the attachments that it announces.
    fn show(text: &str) -> String {
        let (Packet { namespace, kind }, attachments) = match decode(&text.into(), &LIMITS) {
            Ok(decoded) => decoded,
            Err(fault) => return format!("{fault}"),
        };
        let kind = match kind {
            PacketKind::Connect { auth } => format!("connect {auth:?}"),
            PacketKind::Disconnect => "disconnect".into(),
            PacketKind::Event { id, name, args } => format!("event {id:?} {name:?} {args:?}"),
            PacketKind::Ack { id, args } => format!("ack {id:?} {args:?}"),
            PacketKind::ConnectError => "connect error".into(),
        };
        match attachments {
            0 => format!("{namespace} {kind}"),
            n => format!("{namespace} {kind} +{n}"),
        }
    }

    #[track_caller]
    fn all_invalid(texts: &[&str]) {
        for text in texts {
            assert_eq!(show(text), "invalid payload", "{text}");
        }
    }

    #[test]
    fn types() {
        assert_eq!(show(""), "empty packet");
        assert_eq!(show("7"), "unknown packet type 7");
        assert_eq!(show("9[]"), "unknown packet type 9");
        for text in ["abc", " ", "/", "-1", "é", "\u{661}", "\u{0}"] {
            assert_eq!(show(text), "unknown packet type NaN", "{text}");
        }
    }

    #[test]
    fn connect() {
        assert_eq!(show("0"), "/ connect []");
        assert_eq!(show("0/,"), "/ connect []");
        assert_eq!(show("0/"), "/ connect []");
        assert_eq!(show("0/custom"), "/custom connect []");
        assert_eq!(show("0/custom,"), "/custom connect []");
        assert_eq!(show("01"), "/ connect []", "an ack id is ignored");
        assert_eq!(show(r#"0{"token":"123"}"#), r#"/ connect [{"token":"123"}]"#);
        assert_eq!(show(r#"0/a, {"b":[1]} "#), r#"/a connect [{"b":[1]}]"#);
        assert_eq!(show(r#"05{}"#), "/ connect [{}]");
        all_invalid(&[
            "0,", "0custom", "0[]", "0null", "0\"x\"", "0true", "0/a,b,", "0{}x", "0{", "0 ",
            "00.5", "0-1{}",
        ]);
        let Ok((Packet { kind: PacketKind::Connect { auth }, .. }, 0)) =
            decode(&"0/n, {\"a\": 1} ".into(), &LIMITS)
        else {
            panic!()
        };
        assert_eq!((auth.len(), auth.argument(0)), (1, Some("{\"a\": 1}")));
    }

    #[test]
    fn namespaces_are_verbatim() {
        let long = format!("/{}", "a".repeat(3000));
        for name in
            ["/custom?a=b", "/a b", "/\u{0}", "/é😀", "/__proto__", "//", "/%20", "/[", &long]
        {
            assert_eq!(show(&format!("0{name}")), format!("{name} connect []"));
            assert_eq!(show(&format!("2{name},[\"e\"]")), format!("{name} event None \"e\" []"));
        }
        all_invalid(&["2/a[\"e\"]"]);
    }

    #[test]
    fn disconnect() {
        assert_eq!(show("1"), "/ disconnect");
        assert_eq!(show("1/admin,"), "/admin disconnect");
        assert_eq!(show("1/admin"), "/admin disconnect");
        assert_eq!(show("12"), "/ disconnect");
        all_invalid(&["1{}", "1[]", "1null", "1 ", "1\"\"", "1/a,{}"]);
    }

    #[test]
    fn events() {
        assert_eq!(show(r#"2["a"]"#), r#"/ event None "a" []"#);
        assert_eq!(show(r#"2["a",1,{"b":[2]}]"#), r#"/ event None "a" [1,{"b":[2]}]"#);
        assert_eq!(show(r#"2/ns,12["a"]"#), r#"/ns event Some(12) "a" []"#);
        assert_eq!(show(r#"20["a"]"#), r#"/ event Some(0) "a" []"#);
        assert_eq!(show(r#"2007["a"]"#), r#"/ event Some(7) "a" []"#);
        assert_eq!(show(" 2[\"a\"]"), "unknown packet type NaN");
        assert_eq!(show("2 [ \"a\" , 1 ,\t2 ] \n"), "/ event None \"a\" [1 ,\t2]");
        assert_eq!(show(r#"2["error","x"]"#), r#"/ event None "error" ["x"]"#);
        assert_eq!(show(r#"2["__proto__"]"#), r#"/ event None "__proto__" []"#);
        assert_eq!(show(r#"2["constructor"]"#), r#"/ event None "constructor" []"#);
        assert_eq!(show(r#"2[""]"#), r#"/ event None "" []"#);
        let lookalike = r#"{"_placeholder":true,"num":5}"#;
        let text = format!("2[\"a\",{lookalike}]");
        assert_eq!(show(&text), format!("/ event None \"a\" [{lookalike}]"));
        all_invalid(&[
            "2",
            "25",
            "2/a,",
            "2{}",
            "2[]",
            "2null",
            "2\"a\"",
            "2[null]",
            "2[true]",
            "2[[\"a\"]]",
            "2[{\"toString\":1}]",
            "2-1[\"x\"]",
            "21e3[\"x\"]",
            "2abc[\"x\"]",
            "2[\"a\"]x",
            "2[\"a\"][",
            "2[\"a\"",
            "2[\"a\",]",
            "2[a]",
            "2['a']",
            "2[\"a\n\"]",
            "2[\"a\"],",
            "2,[\"a\"]",
            "2+1[\"a\"]",
            "2\u{661}[\"a\"]",
        ]);
        let deep = format!("2[\"a\",{}{}]", "[".repeat(8), "]".repeat(8));
        assert_eq!(show(&deep), "payload nested too deeply");
    }

    #[test]
    fn event_names() {
        for name in [
            "connect",
            "connect_error",
            "disconnect",
            "disconnecting",
            "newListener",
            "removeListener",
        ] {
            assert!(is_reserved(name));
            all_invalid(&[
                &format!("2[\"{name}\"]"),
                &format!("51-[\"{name}\",1]"),
                &format!("2[\"\\u00{:02x}{}\"]", name.as_bytes()[0], &name[1..]),
            ]);
        }
        assert_eq!(show(r#"2["Connect"]"#), r#"/ event None "Connect" []"#);
        for number in ["1", "0", "-5", "1.5", "1e+21", "1.0"] {
            assert_eq!(show(&format!("2[{number},2]")), format!("/ event None \"{number}\" [2]"));
        }
        assert_eq!(show(r#"2["\u0041\n\ud83d\ude00"]"#), r#"/ event None "A\n😀" []"#);
        assert_eq!(show(r#"2["\ud800",1]"#), "/ event None \"\u{fffd}\" [1]");
    }

    #[test]
    fn acks() {
        assert_eq!(show(r#"31["x"]"#), r#"/ ack Some(1) ["x"]"#);
        assert_eq!(show("3/a,1[]"), "/a ack Some(1) []");
        assert_eq!(show("31"), "/ ack Some(1) []", "no payload, no arguments");
        assert_eq!(show(r#"3["x"]"#), r#"/ ack None ["x"]"#);
        assert_eq!(show("3[null,{}]"), "/ ack None [null,{}]");
        assert_eq!(show("318446744073709551615[]"), "/ ack Some(18446744073709551615) []");
        assert_eq!(show("318446744073709551616[]"), "ack id too large");
        assert_eq!(show(r#"2999999999999999999999["e"]"#), "ack id too large");
        all_invalid(&["3{}", "31\"x\"", "3null", "3-1[]", "31[]]"]);
    }

    #[test]
    fn connect_errors() {
        assert_eq!(show(r#"4{"message":"m"}"#), "/ connect error");
        assert_eq!(show("4\"m\""), "/ connect error");
        assert_eq!(show("4/a"), "/a connect error");
        all_invalid(&["4[]", "4null", "4true", "4{", "4abc"]);
    }

    #[test]
    fn attachment_counts() {
        assert_eq!(show(r#"51-["a"]"#), r#"/ event None "a" [] +1"#);
        assert_eq!(show(r#"52-/ns,7["a",1]"#), r#"/ns event Some(7) "a" [1] +2"#);
        assert_eq!(show("610-5[]"), "/ ack Some(5) [] +10");
        assert_eq!(show("601-[]"), "/ ack None [] +1");
        for text in [
            "5",
            "51",
            "5-",
            "5-[\"a\"]",
            "5[\"a\"]",
            "51[\"a\"]",
            "50-[\"a\"]",
            "500-[\"a\"]",
            "5-1-[\"a\"]",
            "51e0-[\"a\"]",
            "51.0-[\"a\"]",
            "5 1-[\"a\"]",
            "5+1-[\"a\"]",
            "5/a,1-[\"a\"]",
            "5a-[\"a\"]",
            "599999999999999",
            "6",
            "60-[]",
        ] {
            assert_eq!(show(text), "Illegal attachments", "{text}");
        }
        for text in ["511-[\"a\"]", "54294967297-[\"a\"]", "6999999999999999999999-[]"] {
            assert_eq!(show(text), "too many attachments", "{text}");
        }
        all_invalid(&["51-", "51-[]", "51-{}", "61-{}", "51-1-[\"a\"]", "61-[]x"]);
    }

    #[test]
    fn placeholders() {
        for num in ["\"0\"", "1", "-1", "0.5", "null", "true", "[0]", "1e999"] {
            let object = format!("{{\"_placeholder\":true,\"num\":{num}}}");
            assert_eq!(show(&format!("51-[\"a\",{object}]")), "illegal attachments", "{num}");
            assert_eq!(show(&format!("61-[[{object}]]")), "illegal attachments", "{num}");
            all_invalid(&[&format!("51-[\"a\",{object}")]);
        }
        assert_eq!(show(r#"51-["a",{"_placeholder":true}]"#), "illegal attachments");
        let twice = r#"[{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#;
        assert_eq!(show(&format!("61-{twice}")), format!("/ ack None {twice} +1"));
        assert_eq!(show("61-[{\"num\":7}]"), "/ ack None [{\"num\":7}] +1", "none is referred to");
        all_invalid(&[r#"51-[{"_placeholder":true,"num":0}]"#]);
    }

    #[test]
    fn faults_of_reassembly_read_as_in_the_reference() {
        let read = [
            (Fault::UnexpectedText, "got plaintext data when reconstructing a packet"),
            (Fault::UnexpectedBinary, "got binary data when not reconstructing a packet"),
            (Fault::AttachmentBytes, "attachments too large"),
        ];
        for (fault, text) in read {
            assert_eq!(format!("{fault}"), text);
        }
    }

    #[test]
    fn nothing_is_copied_but_an_escaped_name() {
        let text: ByteString = String::from(r#"2/ns,["name",1,"two"]"#).into();
        let (packet, _) = decode(&text, &LIMITS).unwrap();
        let PacketKind::Event { name, args, .. } = packet.kind else { panic!() };
        let within = |part: &str| text.as_bytes().as_ptr_range().contains(&part.as_ptr());
        assert!(within(&packet.namespace) && within(&name) && within(&args.members));
        assert_eq!((args.argument(0), args.argument(1)), (Some("1"), Some("\"two\"")));
        assert_eq!(args.argument(2), None);
    }

    fn args(members: &[&str], attachments: usize) -> Payload {
        let joined = format!("[{}]", members.join(","));
        let Outline { members: mut places, .. } = json::outline(&joined, 128, 0).unwrap();
        places.iter_mut().for_each(|(start, end)| (*start, *end) = (*start - 1, *end - 1));
        let attachments = vec![Bytes::from_static(b"x"); attachments];
        Payload { members: members.join(",").into(), places, attachments }
    }

    fn event(namespace: &str, id: Option<u64>, name: &str, args: &Payload) -> String {
        let mut out = Vec::new();
        encode_event(&mut out, namespace, id, name, args);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn encodes_byte_for_byte() {
        let placeholder = r#"{"_placeholder":true,"num":0}"#;
        let none = Payload::empty();
        assert_eq!(event("/", None, "ev", &none), r#"2["ev"]"#);
        assert_eq!(event("/", None, "ev", &args(&["1"], 0)), r#"2["ev",1]"#);
        assert_eq!(event("/a", Some(0), "ev", &args(&["1", "{}"], 0)), r#"2/a,0["ev",1,{}]"#);
        assert_eq!(
            event("/ns", Some(7), "ev", &args(&[placeholder], 1)),
            r#"51-/ns,7["ev",{"_placeholder":true,"num":0}]"#
        );
        assert_eq!(event("/", None, "ev", &args(&["0"], 12)), r#"512-["ev",0]"#);
        assert_eq!(event("/", Some(u64::MAX), "e", &none), r#"218446744073709551615["e"]"#);
        assert_eq!(
            event("/", None, "é\"\\/\u{8}\u{c}\n\r\t\u{0}\u{1e}\u{1f}\u{7f}\u{2028}", &none),
            "2[\"é\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001e\\u001f\u{7f}\u{2028}\"]"
        );

        let encoded = |encode: &dyn Fn(&mut Vec<u8>)| {
            let mut out = b"4".to_vec();
            encode(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(encoded(&|out| encode_ack(out, "/", 456, &none)), "43456[]");
        let two = args(&["1", "\"2\""], 0);
        assert_eq!(encoded(&|out| encode_ack(out, "/a", 7, &two)), "43/a,7[1,\"2\"]");
        let binary = args(&[placeholder], 2);
        assert_eq!(
            encoded(&|out| encode_ack(out, "/", 789, &binary)),
            r#"462-789[{"_placeholder":true,"num":0}]"#
        );
        assert_eq!(encoded(&|out| encode_connect(out, "/", "abc")), r#"40{"sid":"abc"}"#);
        assert_eq!(encoded(&|out| encode_connect(out, "/a", "abc")), r#"40/a,{"sid":"abc"}"#);
        assert_eq!(
            encoded(&|out| encode_connect_error(out, "/random", "Invalid namespace", None)),
            r#"44/random,{"message":"Invalid namespace"}"#
        );
        assert_eq!(
            encoded(&|out| encode_connect_error(out, "/", "\"no\"", Some(r#"{"code":1}"#))),
            r#"44{"message":"\"no\"","data":{"code":1}}"#
        );
        assert_eq!(encoded(&|out| encode_disconnect(out, "/")), "41");
        assert_eq!(encoded(&|out| encode_disconnect(out, "/admin")), "41/admin,");
    }

    /// What a server could send, to be read again by the decoder.
    #[derive(Clone, Debug)]
    struct Sent {
        namespace: String,
        id: Option<u64>,
        name: String,
        members: Vec<String>,
        attachments: usize,
    }

    impl Arbitrary for Sent {
        fn arbitrary(g: &mut Gen) -> Self {
            let attachments = usize::arbitrary(g) % 4;
            let members = (0..usize::arbitrary(g) % 7)
                .map(|_| match u8::arbitrary(g) % 3 {
                    0 if attachments > 0 => {
                        let num = usize::arbitrary(g) % attachments;
                        format!("{{\"_placeholder\":true,\"num\":{num}}}")
                    }
                    1 => format!("{{\"a\":[{}, null]}}", i64::arbitrary(g)),
                    _ => serde_json::to_string(&String::arbitrary(g)).unwrap(),
                })
                .collect();
            let namespace = format!("/{}", String::arbitrary(g).replace(',', ""));
            Self {
                namespace,
                id: Arbitrary::arbitrary(g),
                name: Arbitrary::arbitrary(g),
                members,
                attachments,
            }
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        fn property(sent: Sent) -> bool {
            let Sent { namespace, id, name, members, attachments } = sent;
            let members: Vec<&str> = members.iter().map(String::as_str).collect();
            let args = args(&members, attachments);
            let mut ack = Vec::new();
            encode_ack(&mut ack, &namespace, id.unwrap_or(9), &args);
            let event_kind =
                PacketKind::Event { id, name: name.as_str().into(), args: args.clone() };
            let ack_kind = PacketKind::Ack { id: Some(id.unwrap_or(9)), args: args.clone() };
            let texts = [event(&namespace, id, &name, &args), String::from_utf8(ack).unwrap()];
            texts.into_iter().zip([event_kind, ack_kind]).all(|(text, kind)| {
                let mut decoder = Decoder::default();
                let mut decoded = decoder.text(text.into(), &LIMITS).unwrap();
                for bytes in args.attachments() {
                    assert!(decoded.is_none());
                    decoded = decoder.binary(bytes.clone(), &LIMITS).unwrap();
                }
                decoded == Some(Packet { namespace: namespace.as_str().into(), kind })
            })
        }
        QuickCheck::new()
            .rng(Gen::from_size_and_seed(30, 3))
            .tests(3_000)
            .quickcheck(property as fn(Sent) -> bool);
    }

    #[test]
    fn no_text_makes_it_panic() {
        fn random(text: String) -> bool {
            show(&text);
            (b'0'..=b'6').all(|kind| !show(&format!("{}{text}", char::from(kind))).is_empty())
        }
        QuickCheck::new()
            .rng(Gen::from_size_and_seed(40, 4))
            .tests(2_000)
            .quickcheck(random as fn(String) -> bool);

        let mut g = Gen::from_size_and_seed(40, 5);
        for _ in 0..10_000 {
            let Sent { namespace, id, name, members, attachments } = Sent::arbitrary(&mut g);
            let members: Vec<&str> = members.iter().map(String::as_str).collect();
            let text = event(&namespace, id, &name, &args(&members, attachments));
            let text = json::tests::mutate(&mut g, &text);
            if let Ok((Packet { kind: PacketKind::Event { args, .. }, .. }, _)) =
                decode(&text.as_str().into(), &LIMITS)
            {
                let list = args.to_json();
                let list: Vec<&RawValue> = serde_json::from_str(&list).unwrap();
                let members: Vec<_> = list.iter().map(|raw| Some(raw.get())).collect();
                let places: Vec<_> = (0..args.len()).map(|i| args.argument(i)).collect();
                assert_eq!(members, places);
            }
        }
    }
}
