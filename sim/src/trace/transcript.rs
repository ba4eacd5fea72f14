//! What one client, or several, said and heard, in a form that does not change with the seed of
//! ids: session and socket ids are `sid#1`, ids of questions `ack#1`, clients `c1`, each by first
//! use; times are milliseconds since its beginning, and heartbeats are folded.
//!
//! ```text
//! c1 -> GET /socket.io/?EIO=4&transport=polling                            +0ms
//! c1 <- 200 0{"sid":"sid#1","upgrades":["websocket"],"pingInterval":25000} +40ms
//! c1 -> WS 2probe                                                          +81ms
//! app   volatile emit pos [1] -> sid#2  DROPPED (no_poll)                  +90ms
//! ```

use std::collections::BTreeMap;
use std::fmt;

use super::record::{App, Command, Entity, Peer, Record, What};

/// Where the time stands, unless a line is longer.
const TIME_COLUMN: usize = 72;

/// A transcript. Its text is what is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    lines: Vec<(String, u64)>,
}

impl Transcript {
    /// Of these clients (`c1`, or `c1 c3`), or of all for an empty text.
    pub fn of(records: &[Record], clients: &str) -> Self {
        let wanted: Vec<Entity> = clients.split(' ').filter_map(|name| name.parse().ok()).collect();
        let mut writer = Writer { ids: ids(records, &wanted), ..Writer::default() };
        for record in records {
            writer.record(record, &wanted);
        }
        writer.unfold();
        Self { lines: writer.lines }
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let start = self.lines.first().map_or(0, |&(_, t)| t);
        for (line, t) in &self.lines {
            let millis = (t - start + 500) / 1000;
            writeln!(f, "{line:<TIME_COLUMN$} +{millis}ms")?;
        }
        Ok(())
    }
}

/// Ids that clients were told, and whether it is one of those wanted that was.
fn ids(records: &[Record], wanted: &[Entity]) -> BTreeMap<String, Id> {
    let mut ids = BTreeMap::new();
    for record in records {
        let What::Peer(Peer { is_said: false, unit, .. }) = &record.what else { continue };
        let is_ours = is_wanted(record.at, wanted);
        for (at, mark) in unit.match_indices(SID) {
            let rest = &unit[at + mark.len()..];
            let Some((id, _)) = rest.split_once('"') else { continue };
            ids.entry(id.to_string()).or_insert(Id { is_ours, number: None });
        }
    }
    ids
}

/// What stands before an id where it is told.
const SID: &str = "\"sid\":\"";

#[derive(Clone, Copy, Debug)]
struct Id {
    is_ours: bool,
    number: Option<usize>,
}

fn is_wanted(at: Entity, wanted: &[Entity]) -> bool {
    let Entity::Conn(client, _) = at else { return false };
    wanted.is_empty() || wanted.contains(&Entity::Client(client))
}

#[derive(Debug, Default)]
struct Writer {
    lines: Vec<(String, u64)>,
    ids: BTreeMap<String, Id>,
    ids_used: usize,
    /// By who asks, the namespace and the number on the wire.
    acks: BTreeMap<(u32, bool, String, u64), usize>,
    acks_used: usize,
    clients: BTreeMap<u32, usize>,
    conns: BTreeMap<u32, Conn>,
    /// Folded since the last line, and when the first came.
    heartbeats: u64,
    folded_at: u64,
}

/// What is known of a connection.
#[derive(Clone, Copy, Debug, Default)]
struct Conn {
    is_websocket: bool,
    /// Its last request was a heartbeat, so its answer is folded too.
    was_beat_said: bool,
    /// Its last answer was a heartbeat, so the next poll is folded too.
    was_beat_heard: bool,
}

impl Writer {
    fn record(&mut self, record: &Record, wanted: &[Entity]) {
        match (&record.what, record.at) {
            (What::Peer(peer), at @ Entity::Conn(client, _)) if is_wanted(at, wanted) => {
                self.peer(record.t, client, peer);
            }
            (What::App(App::Command(command)), _) => self.command(record.t, command),
            _ => {}
        }
    }

    fn peer(&mut self, t: u64, client: u32, peer: &Peer) {
        let conn = self.conns.entry(peer.conn).or_default();
        let unit: &str = &peer.unit;
        let is_websocket = conn.is_websocket;
        if !is_websocket && !peer.is_said && unit.starts_with("101") {
            conn.is_websocket = true;
        }
        if is_folded(unit, peer.is_said, conn) {
            if self.heartbeats == 0 {
                self.folded_at = t;
            }
            // Pings are counted, whatever carries them.
            let packets = unit.rsplit_once(' ').map_or(unit, |(_, packets)| packets);
            self.heartbeats += u64::from(!peer.is_said && packets == "2");
            return;
        }
        let count = self.clients.len() + 1;
        let name = *self.clients.entry(client).or_insert(count);
        let arrow = if peer.is_said { "->" } else { "<-" };
        let text = self.acked(client, peer.is_said, unit);
        let text = self.named(&text);
        let ws = if is_websocket { "WS " } else { "" };
        self.line(t, format!("c{name} {arrow} {ws}{text}"));
    }

    fn line(&mut self, t: u64, line: String) {
        self.unfold();
        self.lines.push((line, t));
    }

    /// Says how many heartbeats there were since the last line.
    fn unfold(&mut self) {
        if self.heartbeats > 0 {
            let folded = match self.heartbeats {
                1 => "   1 heartbeat".into(),
                count => format!("   {count} heartbeats"),
            };
            self.lines.push((folded, self.folded_at));
            self.heartbeats = 0;
        }
    }

    /// A packet's text, with the id of its question by first use. Packets of one payload follow
    /// each other.
    fn acked(&mut self, client: u32, is_said: bool, unit: &str) -> String {
        let packets = unit.split(" | ").map(|text| {
            let (before, packet) = match text.rsplit_once(' ') {
                // The target of a request, or the status of an answer.
                Some((before, packet)) if is_event(packet) && !before.contains('[') => {
                    (format!("{before} "), packet)
                }
                _ => (String::new(), text),
            };
            before + &self.packet(client, is_said, packet)
        });
        packets.collect::<Vec<_>>().join(" | ")
    }

    fn packet(&mut self, client: u32, is_said: bool, packet: &str) -> String {
        let Some((head, namespace, id, rest)) = question(packet) else { return packet.into() };
        let is_answer = matches!(packet.as_bytes()[1], b'3' | b'6');
        // An answer goes the other way.
        let asker = is_said != is_answer;
        let key = (client, asker, namespace.to_string(), id);
        let number = match self.acks.get(&key) {
            Some(&number) => number,
            None => {
                self.acks_used += 1;
                self.acks.insert(key, self.acks_used);
                self.acks_used
            }
        };
        format!("{head}ack#{number}{rest}")
    }

    /// With ids by first use.
    fn named(&mut self, text: &str) -> String {
        let mut out = String::new();
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let mut rest = text;
        while !rest.is_empty() {
            let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(length);
            match self.ids.get_mut(word) {
                Some(id) => {
                    let number = *id.number.get_or_insert_with(|| {
                        self.ids_used += 1;
                        self.ids_used
                    });
                    out += &format!("sid#{number}");
                }
                None => out.push_str(word),
            }
            let gap = after.find(is_part).unwrap_or(after.len());
            out.push_str(&after[..gap]);
            rest = &after[gap..];
        }
        out
    }

    /// What the program sent to one of them alone, if that was not simply sent.
    fn command(&mut self, t: u64, command: &Command) {
        let Command { cmd, event, args, volatile, out, .. } = command;
        let [(sock, word, why)] = &out[..] else { return };
        let is_ours = self.ids.get(&**sock).is_some_and(|id| id.is_ours);
        if !is_ours || !(*volatile || &**word == "dropped") || !matches!(&**cmd, "emit" | "ask") {
            return;
        }
        let sock = self.named(sock);
        let args = self.named(args);
        let volatile = if *volatile { "volatile " } else { "" };
        let loud = if &**word == "dropped" { "DROPPED" } else { word };
        let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        self.line(t, format!("app   {volatile}{cmd} {event} {args} -> {sock}  {loud}{why}"));
    }
}

/// Whether a unit is a heartbeat, or there because of one.
fn is_folded(unit: &str, is_said: bool, conn: &mut Conn) -> bool {
    if conn.is_websocket {
        return unit == if is_said { "3" } else { "2" };
    }
    if is_said {
        let is_poll = unit.starts_with("GET ") && unit.contains("transport=polling&sid=");
        let is_folded = unit.starts_with("POST ") && unit.ends_with(" 3")
            || is_poll && std::mem::take(&mut conn.was_beat_heard);
        conn.was_beat_said = unit.starts_with("POST ") && is_folded;
        return is_folded;
    }
    conn.was_beat_heard = unit == "200 2";
    conn.was_beat_heard || unit == "200 ok" && conn.was_beat_said
}

fn is_event(packet: &str) -> bool {
    packet.starts_with('4') && matches!(packet.as_bytes().get(1), Some(b'2' | b'3' | b'5' | b'6'))
}

/// What stands before the id of a packet that asks or answers, its namespace, the id and the rest.
fn question(packet: &str) -> Option<(&str, &str, u64, &str)> {
    is_event(packet).then_some(())?;
    let mut at = 2;
    if matches!(packet.as_bytes()[1], b'5' | b'6') {
        at += packet[at..].find('-')? + 1;
    }
    let mut namespace = "/";
    if packet[at..].starts_with('/') {
        let end = packet[at..].find(',')?;
        namespace = &packet[at..at + end];
        at += end + 1;
    }
    let digits = packet[at..].bytes().take_while(u8::is_ascii_digit).count();
    let id = packet[at..at + digits].parse().ok()?;
    Some((&packet[..at], namespace, id, &packet[at + digits..]))
}

/// Compares a [`Transcript`] with its snapshot, as `insta::assert_snapshot!` does; `insta` is a
/// dependency of the test that uses it. Nothing has to be redacted: see
/// [`Transcript`](crate::trace::Transcript).
///
/// ```
/// # mod insta { macro_rules! assert_snapshot { ($value:expr) => { let _ = $value.to_string(); } }
/// # pub(crate) use assert_snapshot; }
/// # fn main() {
/// use parlor_sim::choice::Choices;
/// use parlor_sim::{Preset, assert_protocol_snapshot, run};
///
/// let run = run(Preset::Calm, Choices::new(1), true);
/// assert_protocol_snapshot!(run.transcript("c1"));
/// # }
/// ```
#[macro_export]
macro_rules! assert_protocol_snapshot {
    ($transcript:expr $(,)?) => {
        insta::assert_snapshot!($crate::trace::shown(&$transcript))
    };
    ($transcript:expr, @$inline:literal $(,)?) => {
        insta::assert_snapshot!($crate::trace::shown(&$transcript), @$inline)
    };
    ($name:expr, $transcript:expr $(,)?) => {
        insta::assert_snapshot!($name, $crate::trace::shown(&$transcript))
    };
}

/// The text of a transcript, for [`assert_protocol_snapshot`].
#[doc(hidden)]
pub fn shown(transcript: &Transcript) -> String {
    transcript.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(records: &mut Vec<Record>, t: u64, conn: u32, is_said: bool, unit: &str) {
        let peer = Peer { is_said, conn, unit: unit.into(), end: 0, bytes: [].into() };
        let at = Entity::Conn(3, conn + 1);
        records.push(Record { t, cause: None, at, what: What::Peer(peer) });
    }

    #[test]
    fn it_names_by_first_use_and_folds_heartbeats() {
        let mut records = Vec::new();
        let mut talk = |t, conn, is_said, unit| say(&mut records, t, conn, is_said, unit);
        talk(1_000_000, 0, true, "GET /socket.io/?EIO=4&transport=polling");
        talk(1_040_400, 0, false, "200 0{\"sid\":\"AAAAAAAB\"}");
        talk(1_050_000, 1, true, "POST /socket.io/?EIO=4&transport=polling&sid=AAAAAAAB 40/a,");
        talk(1_060_000, 0, false, "200 40/a,{\"sid\":\"AAAAAAAC\"} | 42/a,7[\"q\",\"AAAAAAAC\"]");
        talk(1_070_000, 1, true, "POST /?sid=AAAAAAAB 43/a,7[1] | 42/a,7[\"x\",\"a b\"]");
        talk(2_000_000, 0, false, "200 2");
        talk(2_000_000, 1, true, "POST /?sid=AAAAAAAB 3");
        talk(2_000_001, 1, false, "200 ok");
        talk(2_000_002, 0, true, "GET /?EIO=4&transport=polling&sid=AAAAAAAB");
        talk(3_000_000, 2, true, "GET /?EIO=4&transport=websocket&sid=AAAAAAAB");
        talk(3_000_000, 2, false, "101");
        talk(3_100_000, 2, true, "2probe");
        talk(3_200_000, 2, false, "2");
        talk(3_200_000, 2, true, "3");
        talk(3_300_000, 2, false, "2");
        talk(3_400_000, 2, false, "43/a,7[2]");
        let dropped = Command {
            cmd: "emit".into(),
            event: "pos".into(),
            args: "[1]".into(),
            volatile: true,
            out: vec![("AAAAAAAC".into(), "dropped".into(), Some("no_poll".into()))],
            ..Command::default()
        };
        let app = What::App(App::Command(Box::new(dropped)));
        records.push(Record { t: 3_500_000, cause: None, at: Entity::App, what: app });
        say(&mut records, 4_000_000, 2, false, "2");
        let text = Transcript::of(&records, "c3").to_string();
        let spaced = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<_> = text.lines().map(spaced).collect();
        assert_eq!(
            lines,
            [
                "c1 -> GET /socket.io/?EIO=4&transport=polling +0ms",
                "c1 <- 200 0{\"sid\":\"sid#1\"} +40ms",
                "c1 -> POST /socket.io/?EIO=4&transport=polling&sid=sid#1 40/a, +50ms",
                "c1 <- 200 40/a,{\"sid\":\"sid#2\"} | 42/a,ack#1[\"q\",\"sid#2\"] +60ms",
                "c1 -> POST /?sid=sid#1 43/a,ack#1[1] | 42/a,ack#2[\"x\",\"a b\"] +70ms",
                "1 heartbeat +1000ms",
                "c1 -> GET /?EIO=4&transport=websocket&sid=sid#1 +2000ms",
                "c1 <- 101 +2000ms",
                "c1 -> WS 2probe +2100ms",
                "2 heartbeats +2200ms",
                "c1 <- WS 43/a,ack#2[2] +2400ms",
                "app volatile emit pos [1] -> sid#2 DROPPED (no_poll) +2500ms",
                "1 heartbeat +3000ms",
            ],
        );
        assert_eq!(text.lines().next().map(|line| line.find('+')), Some(Some(73)));
        assert_eq!(Transcript::of(&records, "c1").to_string(), "");
        assert_eq!(Transcript::of(&records, ""), Transcript::of(&records, "c3"));
    }
}
