//! What clients say, packet by packet, as the rules need it.

use crate::client::json;
use crate::client::packet::Packet;
use crate::watch::print;

/// A packet of Engine.IO, and with the last of its attachments a packet of Socket.IO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Pong,
    /// `2probe`
    Probe,
    /// `5`
    Upgrade,
    /// `1`
    Close,
    Connect(String),
    Disconnect(String),
    Event {
        namespace: String,
        /// Of its name and its first argument.
        key: u64,
        /// Of all of it.
        print: u64,
        /// Under which it awaits an answer.
        id: Option<u64>,
    },
    Ack {
        namespace: String,
        /// `None` for one that is over all numbers.
        id: Option<u64>,
        /// Of the list of arguments.
        print: u64,
    },
    /// A text where an attachment is owed, or an attachment that nobody owes: a copy of one POST of
    /// several that carry a packet.
    Fault,
    /// A part of a packet whose attachments follow, or something that is no packet.
    Other,
}

/// Reads a client's own packets as they are written.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    partial: Option<Partial>,
}

#[derive(Debug)]
struct Partial {
    text: String,
    awaited: usize,
    attachments: Vec<Vec<u8>>,
}

impl Reader {
    pub(crate) fn read(&mut self, packet: &Packet) -> Said {
        match packet {
            Packet::Text('3', data) if data.is_empty() => Said::Pong,
            Packet::Text('2', data) if data == "probe" => Said::Probe,
            Packet::Text('5', _) => Said::Upgrade,
            Packet::Text('1', _) => Said::Close,
            Packet::Text('4', _) if self.partial.take().is_some() => Said::Fault,
            Packet::Text('4', text) => match awaited(text) {
                0 => message(text, &[]).unwrap_or(Said::Other),
                awaited => {
                    let (text, attachments) = (text.clone(), Vec::new());
                    self.partial = Some(Partial { text, awaited, attachments });
                    Said::Other
                }
            },
            Packet::Text(..) => Said::Other,
            Packet::Binary(data) => {
                let Some(partial) = &mut self.partial else { return Said::Fault };
                partial.attachments.push(data.clone());
                if partial.attachments.len() < partial.awaited {
                    return Said::Other;
                }
                let whole = self.partial.take();
                let said = whole.and_then(|all| message(&all.text, &all.attachments));
                said.unwrap_or(Said::Other)
            }
        }
    }
}

/// How many attachments follow.
fn awaited(text: &str) -> usize {
    if !text.starts_with(['5', '6']) {
        return 0;
    }
    text[1..].split_once('-').and_then(|(count, _)| count.parse().ok()).unwrap_or(0)
}

fn message(text: &str, attachments: &[Vec<u8>]) -> Option<Said> {
    let kind = text.bytes().next()?;
    let mut rest = &text[1..];
    if matches!(kind, b'5' | b'6') {
        rest = rest.split_once('-')?.1;
    }
    let mut namespace = "/";
    if rest.starts_with('/') {
        (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
    }
    let namespace = namespace.to_string();
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (id, data) = rest.split_at(digits);
    match kind {
        b'0' => Some(Said::Connect(namespace)),
        b'1' => Some(Said::Disconnect(namespace)),
        b'2' | b'5' => {
            let (name, args) = json::is_array(data).then(|| json::event(data))??;
            let key = json::first(&args).map_or("", |(key, _)| key);
            let none: &[&[u8]] = &[];
            let (key, print) = (print(name, key, none), print(name, &args, attachments));
            Some(Said::Event { namespace, key, print, id: id.parse().ok() })
        }
        b'3' | b'6' => {
            let print = print("", data, attachments);
            Some(Said::Ack { namespace, id: id.parse().ok(), print })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_whole_with_their_last_attachment() {
        let mut reader = Reader::default();
        let mut read = |packet: Packet| reader.read(&packet);
        let text = |kind, data: &str| Packet::Text(kind, data.into());
        assert_eq!(read(text('3', "")), Said::Pong);
        assert_eq!(read(text('2', "probe")), Said::Probe);
        assert_eq!(read(text('4', "0/a,{}")), Said::Connect("/a".into()));
        assert_eq!(read(text('4', "1")), Said::Disconnect("/".into()));
        let event = r#"52-/a,7["e",1,{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
        assert_eq!(read(text('4', event)), Said::Other);
        assert_eq!(read(Packet::Binary(vec![1])), Said::Other);
        let args = r#"[1,{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
        let whole = Said::Event {
            namespace: "/a".into(),
            key: print("e", "1", &[] as &[&[u8]]),
            print: print("e", args, &[vec![1], vec![]]),
            id: Some(7),
        };
        assert_eq!(read(Packet::Binary(vec![])), whole);
        let ack = |id| Said::Ack { namespace: "/".into(), id, print: print("", "[1]", &[[]; 0]) };
        assert_eq!(read(text('4', "35[1]")), ack(Some(5)));
        assert_eq!(read(text('4', "399999999999999999999999[1]")), ack(None));
        assert_eq!(read(text('4', "9")), Said::Other);
        assert_eq!(read(Packet::Binary(vec![])), Said::Fault);
        assert_eq!(read(text('4', event)), Said::Other);
        assert_eq!(read(text('4', "1")), Said::Fault);
    }
}
