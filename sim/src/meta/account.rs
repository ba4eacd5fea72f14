//! What a run came to, in a form in which two can be compared: by lane, in order, with the time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Parting;
use super::play::Played;
use crate::client::packet::Message;
use crate::client::{http, space, ws};
use crate::trace::{App, Output};

/// Which of a node's outputs are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outputs {
    All,
    /// All but `Flush`.
    NoFlush,
    /// Half-closes and closes.
    Ends,
    None,
}

/// What of it is compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Detail {
    pub(super) outputs: Outputs,
    /// The program in a lane for each socket instead of one for all.
    pub(super) is_by_socket: bool,
    /// Whether what became of something volatile is told.
    pub(super) tells_volatile: bool,
    /// Times are counted from here.
    pub(super) start: u64,
}

impl Detail {
    /// Everything, to the byte.
    pub(super) const EXACT: Self =
        Self { outputs: Outputs::All, is_by_socket: false, tells_volatile: true, start: 0 };
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    Program,
    Socket(Box<str>),
    /// What it shows.
    Conn(u32),
    /// What is to be done with it. One call may show bytes of several deadlines in front of what
    /// they want, so the two are compared apart.
    Outputs(u32),
    Client(usize),
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program => f.write_str("the program"),
            Self::Socket(id) => write!(f, "socket {id}"),
            Self::Conn(number) => write!(f, "connection {number}"),
            Self::Outputs(number) => write!(f, "the outputs of connection {number}"),
            Self::Client(number) => write!(f, "client {number}"),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Bytes(Vec<u8>),
    Text(String),
}

/// By lane, when and what.
#[derive(Debug, Default)]
pub(super) struct Account(BTreeMap<Lane, Vec<(u64, Line)>>);

impl Account {
    pub(super) fn of(all: &[Played], detail: Detail) -> Self {
        let mut account = Self::default();
        for Played { at, done, .. } in all {
            let at = at - detail.start;
            for app in &done.app {
                let (socket, text) = told(app, detail.tells_volatile);
                let lane = match socket.filter(|_| detail.is_by_socket) {
                    Some(socket) => Lane::Socket(socket.into()),
                    None => Lane::Program,
                };
                account.add(lane, at, Line::Text(text));
            }
            for (&conn, bytes) in &done.grown {
                account.add(Lane::Conn(conn), at, Line::Bytes(bytes.clone()));
            }
            for (conn, output) in &done.outputs {
                let is_told = match (detail.outputs, output) {
                    (Outputs::All, _) | (Outputs::Ends, Output::Shut | Output::Close { .. }) => {
                        true
                    }
                    (Outputs::NoFlush, output) => *output != Output::Flush,
                    _ => false,
                };
                if is_told {
                    account.add(Lane::Outputs(*conn), at, Line::Text(format!("{output:?}")));
                }
            }
        }
        account
    }

    /// Bytes of one instant are one line, however they came.
    pub(super) fn add(&mut self, lane: Lane, at: u64, line: Line) {
        let lines = self.0.entry(lane).or_default();
        match (lines.last_mut(), line) {
            (Some((last, Line::Bytes(bytes))), Line::Bytes(more)) if *last == at => {
                bytes.extend(more);
            }
            (_, line) => lines.push((at, line)),
        }
    }

    /// Leaves out what is of these connections.
    pub(super) fn forget(&mut self, is_of: impl Fn(u32) -> bool) {
        self.0.retain(
            |lane, _| !matches!(lane, Lane::Conn(conn) | Lane::Outputs(conn) if is_of(*conn)),
        );
    }

    /// How many lines there are.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Turns the bytes of websockets into packets, and takes those out that are volatile; gives
    /// them, by connection. What is no websocket, or ends within a frame, stays as it is.
    pub(super) fn take_volatile(&mut self, volatile: &Volatile) -> BTreeMap<u32, Vec<String>> {
        let mut taken: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for (lane, lines) in &mut self.0 {
            let Lane::Conn(conn) = *lane else { continue };
            let Some(packets) = packets(lines) else { continue };
            lines.clear();
            let mut owed = 0;
            for (at, packet) in packets {
                let attachments = match &packet {
                    Line::Text(text) => volatile.attachments(text),
                    Line::Bytes(_) if owed > 0 => {
                        owed -= 1;
                        continue;
                    }
                    Line::Bytes(_) => None,
                };
                match attachments {
                    Some(count) => {
                        owed = count;
                        taken.entry(conn).or_default().push(packet.to_string());
                    }
                    None => lines.push((at, packet)),
                }
            }
        }
        taken
    }

    /// The first thing in which two differ, by time.
    pub(super) fn parting(&self, other: &Self) -> Option<Parting> {
        let lanes: BTreeSet<&Lane> = self.0.keys().chain(other.0.keys()).collect();
        let none = Vec::new();
        let partings = lanes.into_iter().filter_map(|lane| {
            let (one, two) =
                (self.0.get(lane).unwrap_or(&none), other.0.get(lane).unwrap_or(&none));
            let same = one.iter().zip(two).take_while(|(one, two)| one == two).count();
            let (one, two) = (one.get(same), two.get(same));
            let at = one.iter().chain(&two).map(|(at, _)| *at).min()?;
            Some((at, lane, one, two))
        });
        let (at, lane, one, two) = partings.min_by_key(|&(at, ..)| at)?;
        let same = match (one, two) {
            (Some((_, Line::Bytes(one))), Some((_, Line::Bytes(two)))) => {
                one.iter().zip(two).take_while(|(one, two)| one == two).count()
            }
            _ => 0,
        };
        let text = |line: Option<&(u64, Line)>| match line {
            Some((at, line)) => format!("at {at} us {}", line.from(same)),
            None => "nothing more".into(),
        };
        let what = format!("{lane}: first {}; then {}", text(one), text(two));
        Some(Parting { at, what })
    }
}

/// Characters of a line that are told, and of it those in front of the first that differs.
const TOLD_CHARS: usize = 160;
const BEFORE: usize = 20;

impl Line {
    fn from(&self, same: usize) -> String {
        match self {
            Self::Bytes(bytes) => {
                let rest = &bytes[same.saturating_sub(BEFORE)..];
                let shown = rest[..rest.len().min(TOLD_CHARS)].escape_ascii();
                format!("{} bytes, from {same} on \"{shown}\"", bytes.len())
            }
            Self::Text(text) => text.chars().take(TOLD_CHARS).collect(),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{}", bytes.escape_ascii()),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// What programs sent that was volatile: names and arguments.
#[derive(Debug, Default)]
pub(super) struct Volatile(BTreeSet<(Box<str>, Box<str>)>);

impl Volatile {
    pub(super) fn of(all: &[Played]) -> Self {
        let commands = all.iter().flat_map(|played| &played.done.app).filter_map(|app| match app {
            App::Command(command) if command.volatile => {
                Some((command.event.clone(), command.args.clone()))
            }
            _ => None,
        });
        Self(commands.collect())
    }

    /// How many attachments follow a packet, if it is one of these.
    fn attachments(&self, packet: &str) -> Option<usize> {
        let message = Message::parse(packet.strip_prefix('4')?).ok()?;
        let (name, args) = space::event_of(&message)?;
        self.0.contains(&(name.into(), args.into())).then_some(message.attachments)
    }
}

/// The packets of a connection that is a websocket and ends behind a frame.
fn packets(lines: &[(u64, Line)]) -> Option<Vec<(u64, Line)>> {
    let (mut received, mut is_switched) = (Vec::new(), false);
    let mut out = Vec::new();
    for (at, line) in lines {
        let bytes = match line {
            Line::Bytes(bytes) => bytes,
            Line::Text(_) => {
                out.push((*at, line.clone()));
                continue;
            }
        };
        received.extend(bytes);
        if !is_switched {
            let answer = http::answer(&mut received).ok()??;
            is_switched = answer.status == 101;
            if !is_switched {
                return None;
            }
        }
        while let Some(message) = ws::message(&mut received).ok()? {
            out.push((
                *at,
                match message {
                    ws::Message::Text(text) => Line::Text(text),
                    ws::Message::Binary(data) => Line::Bytes(data),
                    other => Line::Text(format!("{other:?}")),
                },
            ));
        }
    }
    // A pong is written when its ping is read; handlers run when all of the read is.
    out.sort_by_key(|(at, line)| (*at, *line != Line::Text(format!("{:?}", ws::Message::Pong))));
    received.is_empty().then_some(out)
}

/// What the program did or was told: whose it is, and a text. What depends on how far the driver
/// has written is left out.
fn told(app: &App, tells_volatile: bool) -> (Option<&str>, String) {
    match app {
        App::Enter { sock, event, args } => (sock.as_deref(), format!("runs {event} {args}")),
        App::Exit { sock, event } => (sock.as_deref(), format!("ends {event}")),
        App::Ask { id: _, sock, event, deadline: _ } => (Some(sock), format!("asks {event}")),
        App::Settle { id: _, sock, outcome, args } => {
            (Some(sock), format!("settles as {outcome} {args}"))
        }
        App::Command(command) => {
            let out = command.out.iter().map(|(_, word, _)| match &**word {
                "backlogged" => "sent",
                word => word,
            });
            let mut became: Vec<String> = out.map(Into::into).collect();
            became.extend(command.fanout.map(|[sent, backlogged, dropped]| {
                format!("{} sent, {dropped} dropped", sent + backlogged)
            }));
            if command.volatile && !tells_volatile {
                became.clear();
            }
            let word = if command.volatile { "volatile " } else { "" };
            let (cmd, to) = (&command.cmd, &command.to);
            let (event, args) = (&command.event, &command.args);
            (Some(to), format!("{word}{cmd} {to} {event} {args} {}", became.join(" ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(lines: &[(Lane, u64, &str)]) -> Account {
        let mut account = Account::default();
        for (lane, at, text) in lines {
            account.add(lane.clone(), *at, Line::Text((*text).into()));
        }
        account
    }

    #[test]
    fn the_first_difference_is_the_earliest_of_all_lanes() {
        let same = [(Lane::Program, 1, "a"), (Lane::Conn(1), 5, "b"), (Lane::Conn(2), 3, "c")];
        assert_eq!(account(&same).parting(&account(&same)), None);
        let mut other = same.clone();
        (other[1].2, other[2].2) = ("x", "y");
        let parting = account(&same).parting(&account(&other)).unwrap();
        assert_eq!(
            (parting.at, &*parting.what),
            (3, "connection 2: first at 3 us c; then at 3 us y")
        );
        let parting = account(&same).parting(&account(&same[..2])).unwrap();
        assert_eq!(parting.what, "connection 2: first at 3 us c; then nothing more");
        (other[1].2, other[2].2, other[0].1) = ("b", "c", 2);
        assert!(account(&same).parting(&account(&other)).is_some());
    }

    #[test]
    fn bytes_of_one_instant_are_one_line_and_those_of_two_are_not() {
        let account = |pieces: &[(u64, &[u8])]| {
            let mut account = Account::default();
            for (at, piece) in pieces {
                account.add(Lane::Conn(1), *at, Line::Bytes(piece.to_vec()));
            }
            account
        };
        let whole = account(&[(1, b"abc")]);
        assert_eq!(whole.parting(&account(&[(1, b"a"), (1, b"bc")])), None);
        assert!(whole.parting(&account(&[(1, b"a"), (2, b"bc")])).is_some());
    }

    #[test]
    fn volatile_packets_are_taken_out_of_a_websocket_and_of_nothing_else() {
        let head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
        let frame = |text: &str| [&[0x81, text.len() as u8][..], text.as_bytes()].concat();
        let data = |data: &[u8]| [&[0x82, data.len() as u8][..], data].concat();
        let (kept, gone) = (r#"451-["a",{"num":0}]"#, r#"451-["b",{"num":0}]"#);
        let stream = [&head[..], &frame(kept), &data(b"A"), &frame(gone), &data(b"B")].concat();
        let volatile = Volatile([("b".into(), r#"[{"num":0}]"#.into())].into());
        let mut one = Account::default();
        one.add(Lane::Conn(1), 7, Line::Bytes(stream));
        one.add(Lane::Conn(2), 7, Line::Bytes(frame(gone)));
        let taken = one.take_volatile(&volatile);
        assert_eq!(taken, [(1, vec![gone.to_string()])].into());
        let mut two = account(&[(Lane::Conn(1), 7, kept)]);
        two.add(Lane::Conn(1), 7, Line::Bytes(b"A".to_vec()));
        two.add(Lane::Conn(2), 7, Line::Bytes(frame(gone)));
        assert_eq!(one.parting(&two), None);
    }
}
