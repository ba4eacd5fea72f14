//! Engine.IO 4 and Socket.IO 5 packets, written from their protocol documents and from nothing in
//! the core.

use super::json;

/// An Engine.IO packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Packet {
    /// Its type and its data.
    Text(char, String),
    /// The data of a message.
    Binary(Vec<u8>),
}

impl Packet {
    /// A text, as it stands in a text frame or in a payload's record.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.chars().next() {
            Some(kind @ '0'..='6') => Ok(Self::Text(kind, text[1..].into())),
            _ => Err(format!("no Engine.IO packet: {text:?}")),
        }
    }

    /// Its record in a payload.
    fn record(&self) -> String {
        match self {
            Self::Text(kind, data) => format!("{kind}{data}"),
            Self::Binary(data) => format!("b{}", base64(data)),
        }
    }
}

/// A payload of a polling client.
pub(crate) fn payload(packets: &[Packet]) -> Vec<u8> {
    packets.iter().map(Packet::record).collect::<Vec<_>>().join("\x1e").into_bytes()
}

/// The packets of a payload.
pub(crate) fn packets(body: &[u8]) -> Result<Vec<Packet>, String> {
    let text = std::str::from_utf8(body).map_err(|_| "a payload is not UTF-8")?;
    let packet = |record: &str| match record.strip_prefix('b') {
        Some(text) => {
            let data = unbase64(text).ok_or_else(|| format!("no base64: {text:?}"))?;
            Ok(Packet::Binary(data))
        }
        None => Packet::parse(record),
    };
    text.split('\x1e').map(packet).collect()
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn base64(data: &[u8]) -> String {
    let mut out = String::new();
    for chunk in data.chunks(3) {
        let bits = (0..3).fold(0, |bits, i| bits << 8 | u32::from(*chunk.get(i).unwrap_or(&0)));
        for i in 0..4 {
            let sextet = ALPHABET[(bits >> (18 - 6 * i)) as usize & 63];
            out.push(if i <= chunk.len() { char::from(sextet) } else { '=' });
        }
    }
    out
}

/// Standard alphabet, padding required.
fn unbase64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    text.len().is_multiple_of(4).then_some(())?;
    let data = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    for chunk in data.as_bytes().chunks(4) {
        let mut bits = 0u32;
        for &byte in chunk {
            bits = bits << 6 | ALPHABET.iter().position(|&other| other == byte)? as u32;
        }
        bits <<= 6 * (4 - chunk.len());
        out.extend(&bits.to_be_bytes()[1..chunk.len()]);
        (bits.to_be_bytes()[chunk.len()..].iter().all(|&rest| rest == 0)).then_some(())?;
    }
    Some(out)
}

/// The URL's alphabet, without padding: what a session's id is written in.
pub(crate) fn unbase64_url(text: &str) -> Option<Vec<u8>> {
    let pad = (4 - text.len() % 4) % 4;
    unbase64(&format!("{}{}", text.replace('-', "+").replace('_', "/"), &"==="[..pad]))
}

/// A Socket.IO packet as it stands in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// 0 to 6.
    pub(crate) kind: u8,
    pub(crate) namespace: String,
    pub(crate) id: Option<u64>,
    /// JSON, or nothing.
    pub(crate) data: String,
    /// How many follow.
    pub(crate) attachments: usize,
}

impl Message {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Self::read(text).ok_or_else(|| format!("no Socket.IO packet: {text:?}"))
    }

    fn read(text: &str) -> Option<Self> {
        let kind = text.bytes().next()?.wrapping_sub(b'0');
        let mut rest = text.get(1..)?;
        let mut attachments = 0;
        if matches!(kind, 5 | 6) {
            let (count, after) = rest.split_once('-')?;
            attachments = count.parse().ok().filter(|&count: &usize| count > 0)?;
            rest = after;
        }
        let mut namespace = "/";
        if rest.starts_with('/') {
            (namespace, rest) = rest.split_once(',')?;
        }
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (id, data) = rest.split_at(digits);
        let id = if id.is_empty() { None } else { Some(id.parse().ok()?) };
        let fits = match kind {
            0 => id.is_none() && json::field(data, "sid").and_then(json::plain).is_some(),
            1 => id.is_none() && data.is_empty(),
            2 | 5 => json::is_array(data) && json::plain(json::first(data)?.0).is_some(),
            3 | 6 => id.is_some() && json::is_array(data),
            4 => id.is_none() && json::field(data, "message").is_some(),
            _ => false,
        };
        let (namespace, data) = (namespace.to_string(), data.to_string());
        fits.then_some(Self { kind, namespace, id, data, attachments })
    }

    /// An event or an answer.
    pub(crate) fn text(&self) -> String {
        let kind = char::from(b'0' + self.kind);
        let count =
            if self.attachments > 0 { format!("{}-", self.attachments) } else { String::new() };
        let comma = if self.namespace == "/" { "" } else { "," };
        let namespace = if self.namespace == "/" { "" } else { &self.namespace };
        let id = self.id.map(|id| id.to_string()).unwrap_or_default();
        format!("{kind}{count}{namespace}{comma}{id}{}", self.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_there_and_back() {
        let all = [
            Packet::Text('4', "2[\"\u{20ac}\"]".into()),
            Packet::Binary(vec![1, 2, 3, 4]),
            Packet::Binary(vec![]),
            Packet::Text('6', String::new()),
        ];
        assert_eq!(payload(&all[1..]), b"bAQIDBA==\x1eb\x1e6");
        assert_eq!(packets(&payload(&all)).unwrap(), all);
        for bad in ["", "7", "4\x1e", "bA", "bA===", "bAQIDBB==", "bAQ_D"] {
            assert!(packets(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn messages_there_and_back() {
        for good in [
            r#"0{"sid":"x"}"#,
            "1/a,",
            r#"2/a,7["e",1]"#,
            "35[]",
            r#"51-["e",{"_placeholder":true,"num":0}]"#,
            r#"4/a,{"message":"no"}"#,
        ] {
            assert_eq!(Message::parse(good).unwrap().text(), good);
        }
        for bad in
            ["", "0", "7", "1[]", "2", "2[]", "2[1]", "3[]", "50-[\"e\"]", "1/a", "4{}", "2[\"e\""]
        {
            assert!(Message::parse(bad).is_err(), "{bad}");
        }
    }
}
