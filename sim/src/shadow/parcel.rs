//! What the shadow expects on the wire: packets, whole, with the places in them that are the
//! server's to choose.

use std::fmt;
use std::rc::Rc;

use parlor::Bytes;

use crate::client::json;
use crate::client::packet::Packet;

/// One packet of the layer above, with its attachments, or one of Engine.IO's own.
#[derive(Clone)]
pub(crate) struct Parcel(Rc<Inner>);

struct Inner {
    kind: Kind,
    /// The Engine.IO packet's text up to the hole, or all of it.
    before: String,
    hole: Option<Hole>,
    after: String,
    attachments: Vec<Bytes>,
}

/// What a packet is, to him who names what went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Open,
    Ping,
    Probe,
    Noop,
    Close,
    Connect,
    Refusal,
    Disconnect,
    /// To one.
    Emit {
        is_volatile: bool,
    },
    /// The number of the broadcast.
    Cast {
        is_volatile: bool,
        serial: u64,
    },
    Ask {
        is_volatile: bool,
    },
    Answer,
}

impl Kind {
    pub(crate) fn is_volatile(self) -> bool {
        matches!(
            self,
            Self::Emit { is_volatile: true }
                | Self::Cast { is_volatile: true, .. }
                | Self::Ask { is_volatile: true }
        )
    }

    pub(crate) fn is_cast(self) -> bool {
        matches!(self, Self::Cast { .. })
    }
}

/// What the server chooses, and who wants to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hole {
    /// The fields of the open packet of this session.
    Open(u64),
    /// The name of this socket.
    Name(usize),
    /// The number under which this socket is asked.
    Ask(usize),
}

/// Characters of a socket's id.
const NAME_CHARS: usize = 20;
/// Digits of an ask's number.
const DIGITS: (usize, usize) = (1, 10);

/// A size, as far as it is known: at least, and at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) low: u64,
    pub(crate) high: u64,
}

impl std::ops::Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { low: self.low + other.low, high: self.high + other.high }
    }
}

impl Size {
    pub(crate) fn exactly(bytes: usize) -> Self {
        Self { low: bytes as u64, high: bytes as u64 }
    }

    /// Whether it is over a bound; `None` where that depends on what is not known.
    pub(crate) fn is_over(self, bound: u64) -> Option<bool> {
        let (low, high) = (self.low > bound, self.high > bound);
        (low == high).then_some(low)
    }
}

impl Parcel {
    fn new(kind: Kind, before: String, hole: Option<Hole>, after: &str) -> Self {
        let after = after.into();
        Self(Rc::new(Inner { kind, before, hole, after, attachments: Vec::new() }))
    }

    pub(crate) fn open(session: u64) -> Self {
        Self::new(Kind::Open, "0".into(), Some(Hole::Open(session)), "")
    }

    pub(crate) fn ping() -> Self {
        Self::new(Kind::Ping, "2".into(), None, "")
    }

    pub(crate) fn probe() -> Self {
        Self::new(Kind::Probe, "3probe".into(), None, "")
    }

    pub(crate) fn noop() -> Self {
        Self::new(Kind::Noop, "6".into(), None, "")
    }

    pub(crate) fn close() -> Self {
        Self::new(Kind::Close, "1".into(), None, "")
    }

    pub(crate) fn connect(namespace: &str, socket: usize) -> Self {
        let before = format!("40{}{{\"sid\":\"", place(namespace));
        Self::new(Kind::Connect, before, Some(Hole::Name(socket)), "\"}")
    }

    pub(crate) fn refusal(namespace: &str, message: &str, data: Option<&str>) -> Self {
        let data = data.map(|data| format!(",\"data\":{data}")).unwrap_or_default();
        let message = json::quoted(message);
        let text = format!("44{}{{\"message\":{message}{data}}}", place(namespace));
        Self::new(Kind::Refusal, text, None, "")
    }

    pub(crate) fn disconnect(namespace: &str) -> Self {
        Self::new(Kind::Disconnect, format!("41{}", place(namespace)), None, "")
    }

    /// An event: the JSON of its name and arguments, and its attachments.
    pub(crate) fn event(kind: Kind, namespace: &str, data: &str, attachments: &[Bytes]) -> Self {
        let text = format!("{}{}{data}", head('2', attachments.len()), place(namespace));
        let attachments = attachments.to_vec();
        let (hole, after) = (None, String::new());
        Self(Rc::new(Inner { kind, before: text, hole, after, attachments }))
    }

    /// An event that a socket is to answer.
    pub(crate) fn ask(
        kind: Kind,
        namespace: &str,
        socket: usize,
        data: &str,
        attachments: &[Bytes],
    ) -> Self {
        let before = format!("{}{}", head('2', attachments.len()), place(namespace));
        let hole = Some(Hole::Ask(socket));
        let attachments = attachments.to_vec();
        Self(Rc::new(Inner { kind, before, hole, after: data.into(), attachments }))
    }

    pub(crate) fn answer(namespace: &str, id: u64, args: &str, attachments: &[Bytes]) -> Self {
        let text = format!("{}{}{id}{args}", head('3', attachments.len()), place(namespace));
        let (kind, hole, after) = (Kind::Answer, None, String::new());
        let attachments = attachments.to_vec();
        Self(Rc::new(Inner { kind, before: text, hole, after, attachments }))
    }

    pub(crate) fn kind(&self) -> Kind {
        self.0.kind
    }

    pub(crate) fn hole(&self) -> Option<Hole> {
        self.0.hole
    }

    pub(crate) fn attachments(&self) -> &[Bytes] {
        &self.0.attachments
    }

    /// Whether a text is this packet's; what stands in the hole.
    pub(crate) fn fits<'t>(&self, text: &'t str) -> Option<&'t str> {
        let Inner { before, hole, after, .. } = &*self.0;
        let rest = text.strip_prefix(&**before)?;
        let inside = rest.strip_suffix(&**after)?;
        let is_good = match hole {
            None => inside.is_empty(),
            Some(Hole::Open(_)) => inside.starts_with('{') && json::is_json(inside),
            Some(Hole::Name(_)) => inside.len() == NAME_CHARS,
            Some(Hole::Ask(_)) => {
                !inside.is_empty() && inside.bytes().all(|byte| byte.is_ascii_digit())
            }
        };
        is_good.then_some(inside)
    }

    fn text_bytes(&self) -> Size {
        let Inner { before, hole, after, .. } = &*self.0;
        let known = Size::exactly(before.len() + after.len());
        match hole {
            None | Some(Hole::Open(_)) => known,
            Some(Hole::Name(_)) => known + Size::exactly(NAME_CHARS),
            Some(Hole::Ask(_)) => known + Size { low: DIGITS.0 as u64, high: DIGITS.1 as u64 },
        }
    }

    /// Bytes on a WebSocket, its frames' heads included.
    pub(crate) fn frames_bytes(&self) -> Size {
        let text = self.text_bytes();
        let text = Size { low: frame_bytes(text.low), high: frame_bytes(text.high) };
        let attachments = self.0.attachments.iter().map(|data| frame_bytes(data.len() as u64));
        attachments.fold(text, |sum, bytes| sum + Size { low: bytes, high: bytes })
    }

    /// Bytes as records of an answer to a poll: without what separates and marks them, and with.
    pub(crate) fn records_bytes(&self) -> Size {
        let text = self.text_bytes() + Size { low: 0, high: 1 };
        let record = |data: &Bytes| Size {
            low: data.len() as u64,
            high: 2 + (data.len() as u64).div_ceil(3) * 4,
        };
        self.0.attachments.iter().map(record).fold(text, std::ops::Add::add)
    }

    /// One of its attachments, as a packet of its own.
    pub(crate) fn attachment(&self, place: usize) -> Packet {
        Packet::Binary(self.0.attachments[place].to_vec())
    }
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, before, hole, after, attachments } = &*self.0;
        let hole = if hole.is_some() { ".." } else { "" };
        write!(f, "{kind:?} {before}{hole}{after}")?;
        if attachments.is_empty() { Ok(()) } else { write!(f, " +{}", attachments.len()) }
    }
}

/// A namespace as it stands in a packet.
fn place(namespace: &str) -> String {
    if namespace == "/" { String::new() } else { format!("{namespace},") }
}

/// `4`, the type, and how many attachments follow.
fn head(kind: char, attachments: usize) -> String {
    match (kind, attachments) {
        (kind, 0) => format!("4{kind}"),
        ('2', count) => format!("45{count}-"),
        (_, count) => format!("46{count}-"),
    }
}

/// A frame of a server, with its head.
fn frame_bytes(payload: u64) -> u64 {
    let head = match payload {
        0..126 => 2,
        126..0x1_0000 => 4,
        _ => 10,
    };
    head + payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_told_from_others() {
        let event = Parcel::event(Kind::Emit { is_volatile: false }, "/", r#"["a",1]"#, &[]);
        assert_eq!(event.fits(r#"42["a",1]"#), Some(""));
        assert_eq!(event.fits(r#"42["a",2]"#), None);
        assert_eq!(event.frames_bytes(), Size { low: 11, high: 11 });
        let bytes = [Bytes::copy_from_slice(b"xyz")];
        let ask = Parcel::ask(Kind::Ask { is_volatile: false }, "/a", 7, "[]", &bytes);
        assert_eq!(ask.fits("451-/a,12[]"), Some("12"));
        assert_eq!(ask.fits("451-/a,[]"), None);
        assert_eq!(ask.fits("451-/a,1x[]"), None);
        assert_eq!(ask.frames_bytes(), Size { low: 17, high: 26 });
        assert_eq!(ask.records_bytes(), Size { low: 13, high: 26 });
        let connect = Parcel::connect("/", 1);
        assert_eq!(connect.fits(r#"40{"sid":"AAAAAAAAAAAAAAAAAAAA"}"#).map(str::len), Some(20));
        assert_eq!(
            Parcel::refusal("/a", "no", Some("1")).fits(r#"44/a,{"message":"no","data":1}"#),
            Some("")
        );
        assert_eq!(Parcel::disconnect("/a").fits("41/a,"), Some(""));
        assert_eq!(Parcel::answer("/", 3, "[]", &bytes).fits("461-3[]"), Some(""));
    }

    #[test]
    fn sizes_that_are_not_known_exactly_are_over_a_bound_or_may_be() {
        let size = Size { low: 5, high: 8 };
        assert_eq!(size.is_over(4), Some(true));
        assert_eq!(size.is_over(6), None);
        assert_eq!(size.is_over(8), Some(false));
    }
}
