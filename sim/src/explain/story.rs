//! A run as a few lines for somebody who wants to know what happened: what clients do, what the
//! program makes of it, what breaks. Heartbeats, polls and segments are not told.

use std::collections::{BTreeMap, BTreeSet};

use crate::trace::{App, Command, Entity, Input, Output, Peer, Record, What, cut_to};

/// The telling lines of a run.
#[derive(Debug, Default)]
pub(crate) struct Tale {
    pub(crate) lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The number of its record.
    pub(crate) n: usize,
    pub(crate) t: u64,
    pub(crate) who: String,
    pub(crate) what: String,
}

/// Columns for who does something.
const WHO_CHARS: usize = 18;
/// Lines at the beginning and at the end that are kept of a longer tale.
const FIRST: usize = 3;
const LAST: usize = 9;

impl Tale {
    pub(crate) fn of(records: &[Record]) -> Self {
        let mut teller = Teller { names: names(records), ..Teller::default() };
        for (n, record) in records.iter().enumerate() {
            teller.record(n, record);
        }
        Self { lines: teller.lines }
    }

    /// At most so many columns wide, folded in the middle.
    pub(crate) fn text(&self, width: usize) -> Vec<String> {
        let all: Vec<String> = self.lines.iter().map(|line| line.text(width)).collect();
        if all.len() <= FIRST + LAST + 1 {
            return all;
        }
        let folded = all.len() - FIRST - LAST;
        let middle = format!("{:>13}({folded} more)", "");
        let (first, last) = (&all[..FIRST], &all[all.len() - LAST..]);
        first.iter().cloned().chain([middle]).chain(last.iter().cloned()).collect()
    }
}

impl Line {
    fn text(&self, width: usize) -> String {
        let Self { t, who, what, .. } = self;
        let millis = (t + 500) / 1000;
        let time = format!("{}.{:03}", millis / 1000, millis % 1000);
        cut_to(&format!("{time:>12}  {who:<WHO_CHARS$} {what}"), width)
    }
}

/// Whose ids are whose, by what clients were told when they were admitted.
fn names(records: &[Record]) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for record in records {
        let What::Peer(Peer { is_said: false, unit, .. }) = &record.what else { continue };
        let Entity::Conn(client, _) = record.at else { continue };
        for packet in packets(unit).filter(|packet| packet.starts_with("40")) {
            let id = packet.split_once("\"sid\":\"").and_then(|(_, rest)| rest.split_once('"'));
            if let Some((id, _)) = id {
                names.insert(id.to_string(), format!("c{client}"));
            }
        }
    }
    names
}

/// The packets of a unit, whatever carries them.
fn packets(unit: &str) -> impl Iterator<Item = &str> {
    let body = match unit.split_once(' ') {
        Some(("GET", _)) => "",
        Some(("POST", rest)) => rest.split_once(' ').map_or("", |(_, body)| body),
        Some(("200", body)) => body,
        _ => unit,
    };
    body.split(" | ").filter(|packet| !packet.is_empty())
}

#[derive(Default)]
struct Teller {
    lines: Vec<Line>,
    names: BTreeMap<String, String>,
    /// Clients that are connected, or try to be.
    connected: BTreeSet<u32>,
    upgrading: BTreeSet<u32>,
}

impl Teller {
    fn line(&mut self, n: usize, t: u64, who: impl Into<String>, what: impl Into<String>) {
        let what = self.named(&what.into());
        self.lines.push(Line { n, t, who: who.into(), what });
    }

    /// With clients in the place of their sockets' ids.
    fn named(&self, text: &str) -> String {
        let mut out = text.to_string();
        for (id, name) in &self.names {
            if out.contains(id.as_str()) {
                out = out.replace(id.as_str(), name);
            }
        }
        out
    }

    fn record(&mut self, n: usize, record: &Record) {
        let (t, at) = (record.t, record.at);
        match &record.what {
            What::Peer(peer) => {
                let Entity::Conn(client, _) = at else { return };
                if peer.is_said {
                    self.said(n, t, client, peer)
                } else {
                    self.heard(n, t, client, peer)
                }
            }
            What::App(App::Command(command)) => self.command(n, t, command),
            What::App(App::Settle { sock, outcome, .. }) if &**outcome != "answered" => {
                self.line(n, t, "      an ask", format!("of {sock} ends: {outcome}"));
            }
            What::Fault(fault) => {
                let who = if fault.is_on { "fault" } else { "fault ends" };
                let parameters = fault.parameters.iter();
                let told = parameters.map(|(name, value)| format!(", {name} {value}"));
                self.line(
                    n,
                    t,
                    who,
                    format!("{} on {at}{}", fault.fault, told.collect::<String>()),
                );
            }
            What::In(_, Input::Sent { conn, refused: true, bytes }) => {
                let what = format!("connection {conn} takes {bytes} bytes and refuses the rest");
                self.line(n, t, "      kernel", what);
            }
            What::In(_, Input::Lost { conn }) => {
                self.line(n, t, "      kernel", format!("connection {conn} is lost"));
            }
            What::In(_, Input::Timeout { why }) if is_rare(why) => {
                self.line(n, t, "      deadline", why.to_string());
            }
            What::In(_, Input::Job { job, site, .. }) => {
                let site = site.as_deref().unwrap_or_default();
                self.line(n, t, "outside", format!("{job} {site}"));
            }
            What::In(_, Input::Shutdown) => self.line(n, t, "server", "shuts down"),
            What::Out(conn, Output::Close { abort: true }) => {
                self.line(n, t, "      server", format!("aborts connection {conn}"));
            }
            What::Note(text) if matches!(at, Entity::Client(_)) => {
                self.line(n, t, at.to_string(), text.to_string());
            }
            What::Oracle { id, text, .. } => self.line(n, t, format!("=> {id}"), text.to_string()),
            _ => {}
        }
    }

    fn said(&mut self, n: usize, t: u64, client: u32, peer: &Peer) {
        let unit: &str = &peer.unit;
        if unit.starts_with("GET ") {
            let transport =
                if unit.contains("transport=websocket") { "websocket" } else { "polling" };
            if !unit.contains("&sid=") && self.connected.insert(client) {
                self.line(n, t, format!("c{client} connects"), transport);
            } else if transport == "websocket" && self.upgrading.insert(client) {
                self.line(n, t, format!("c{client} upgrades"), "");
            }
        }
        for packet in packets(unit) {
            let (who, what) = match packet.get(..2).unwrap_or(packet) {
                "1" => (format!("c{client} ends"), "its session".to_string()),
                "5" => (format!("c{client} upgraded"), String::new()),
                "40" => (format!("c{client} joins"), space(&packet[2..])),
                "41" => (format!("c{client} disconnects"), space(&packet[2..])),
                "42" | "45" => (format!("c{client} says"), packet.to_string()),
                "43" | "46" => (format!("c{client} answers"), packet.to_string()),
                _ => continue,
            };
            self.line(n, t, who, what);
        }
    }

    fn heard(&mut self, n: usize, t: u64, client: u32, peer: &Peer) {
        if peer.unit.starts_with('4') && peer.unit.get(3..4) == Some(" ") {
            // A session that was there is unknown.
            self.line(n, t, format!("c{client} is refused"), peer.unit.to_string());
        }
        for packet in packets(&peer.unit) {
            let who = match packet.get(..2).unwrap_or(packet) {
                "41" => "is expelled",
                "44" => "is refused",
                _ => continue,
            };
            self.line(n, t, format!("c{client} {who}"), space(&packet[2..]));
        }
    }

    fn command(&mut self, n: usize, t: u64, command: &Command) {
        let Command { cmd, to, event, args, volatile, out, fanout, why, .. } = command;
        let mut outcome = String::new();
        let is_reply = matches!(&**cmd, "emit" | "broadcast" | "ask" | "answer");
        for (_, word, why) in out.iter().filter(|(_, word, _)| is_reply && &**word != "done") {
            let loud = if &**word == "dropped" { "DROPPED" } else { word };
            let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            outcome += &format!("{loud}{why}");
        }
        if let Some([sent, backlogged, dropped]) = fanout {
            outcome += &format!("{sent} sent");
            if *backlogged > 0 {
                outcome += &format!(", {backlogged} backlogged");
            }
            if *dropped > 0 {
                outcome += &format!(", {dropped} DROPPED");
            }
            outcome += &why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        }
        let volatile = if *volatile { "volatile  " } else { "" };
        match &**cmd {
            "emit" | "broadcast" | "ask" | "answer" => {
                let name = if event.is_empty() { cmd } else { event };
                let what = format!("{volatile}-> {to}  {outcome}  {}", cut_to(args, 40));
                self.line(n, t, format!("      -> {name}"), what.trim_end());
            }
            "disconnect" | "disconnect_session" | "refuse" | "join" | "leave" => {
                self.line(n, t, format!("      {cmd}"), format!("{to} {event}").trim_end());
            }
            _ => {}
        }
    }
}

/// A namespace, and what is said at its door.
fn space(text: &str) -> String {
    match text.split_once(',') {
        Some((space, rest)) if space.starts_with('/') => {
            format!("{space} {rest}").trim_end().into()
        }
        _ => format!("/ {text}").trim_end().into(),
    }
}

/// Deadlines that are more than housekeeping.
fn is_rare(why: &str) -> bool {
    !matches!(why, "Ping" | "UpgradeCheck" | "QueuedOutput" | "Timer" | "Idle")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(t: u64, is_said: bool, unit: &str) -> Record {
        let peer = Peer { is_said, conn: 0, unit: unit.into(), end: 0, bytes: [].into() };
        Record { t, cause: None, at: Entity::Conn(2, 1), what: What::Peer(peer) }
    }

    #[test]
    fn it_tells_who_does_what_and_names_clients_for_their_ids() {
        let dropped = Command {
            cmd: "emit".into(),
            event: "roster".into(),
            to: "AAAAAAAAAAAAAAAAAAAB".into(),
            args: "[1]".into(),
            volatile: true,
            out: vec![("AAAAAAAAAAAAAAAAAAAB".into(), "dropped".into(), Some("refused".into()))],
            ..Command::default()
        };
        let app = What::App(App::Command(Box::new(dropped)));
        let records = [
            peer(0, true, "GET /socket.io/?EIO=4&transport=polling"),
            peer(1, false, "200 0{\"sid\":\"x\"}"),
            peer(2, true, "POST /socket.io/?EIO=4&sid=x 40/chat,{\"a\":1} | 3"),
            peer(3, false, "200 40/chat,{\"sid\":\"AAAAAAAAAAAAAAAAAAAB\"}"),
            peer(4, true, "GET /socket.io/?EIO=4&transport=polling&sid=x"),
            peer(1_300_400, true, "42/chat,0[\"say\",\"hi\"]"),
            Record { t: 2_000_000, cause: None, at: Entity::App, what: app },
        ];
        let text = Tale::of(&records).text(100);
        assert_eq!(
            text,
            [
                "       0.000  c2 connects        polling",
                "       0.000  c2 joins           /chat {\"a\":1}",
                "       1.300  c2 says            42/chat,0[\"say\",\"hi\"]",
                "       2.000        -> roster    volatile  -> c2  DROPPED (refused)  [1]",
            ]
        );
    }

    #[test]
    fn a_long_tale_is_folded_in_its_middle() {
        let records: Vec<_> = (0..40).map(|n| peer(n * 1000, true, "42[\"say\"]")).collect();
        let text = Tale::of(&records).text(110);
        assert_eq!(text.len(), FIRST + 1 + LAST);
        assert_eq!(text[FIRST].trim(), "(28 more)");
        assert!(text[0].contains("0.000") && text[12].contains("0.039"));
    }
}
