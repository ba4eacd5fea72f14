//! A run as a text, one line a record: what `--trace` prints.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use super::record::{App, Command, Dir, Entity, Input, Net, Output, Record, Step, What};

/// Bytes of a packet or of arguments that a line shows.
const SHOWN_MAX: usize = 100;

/// All records, one a line.
#[derive(Debug)]
pub struct Story<'a> {
    records: &'a [Record],
    /// By the node's numbers.
    names: BTreeMap<u32, Entity>,
}

impl<'a> Story<'a> {
    /// Of these records, the first of which has number 0.
    pub fn new(records: &'a [Record]) -> Self {
        let named = |record: &Record| match (&record.what, record.at) {
            (What::Net(_) | What::Peer(_), at) => Some((record.what.conn()?, at)),
            _ => None,
        };
        Self { records, names: records.iter().filter_map(named).collect() }
    }

    /// One line of it.
    pub fn line(&self, n: usize) -> Line<'_> {
        Line { story: self, n }
    }

    /// The name of a connection.
    pub fn name(&self, conn: u32) -> String {
        self.names.get(&conn).map_or_else(|| format!("conn {conn}"), Entity::to_string)
    }
}

impl fmt::Display for Story<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..self.records.len()).try_for_each(|n| writeln!(f, "{}", self.line(n)))
    }
}

/// One record as a line.
#[derive(Debug)]
pub struct Line<'a> {
    story: &'a Story<'a>,
    n: usize,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = &self.story.records[self.n];
        let (at, kind) = (record.at.to_string(), record.what.kind());
        let cause = record.cause.map_or_else(String::new, |cause| format!("<{cause}"));
        write!(f, "{:>6} {cause:<7} {}  {at:<5} {kind:<11} ", self.n, time(record.t))?;
        f.write_str(said(&record.what, self.story).trim_end())
    }
}

/// Seconds, with all of their microseconds.
fn time(t: u64) -> String {
    format!("{:>4}.{:06}", t / 1_000_000, t % 1_000_000)
}

/// What a record says, without its kind.
fn said(what: &What, story: &Story<'_>) -> String {
    match what {
        What::In(turn, input) => {
            let conn = what.conn().map(|conn| story.name(conn) + " ").unwrap_or_default();
            let rest = match input {
                Input::Accept { peer, .. } => format!("from {peer}"),
                Input::Data { bytes, .. } => shown(bytes),
                Input::Sent { bytes, refused, .. } => {
                    format!("{bytes} bytes{}", if *refused { ", REFUSED" } else { "" })
                }
                Input::Timeout { why } => why.to_string(),
                Input::Job { number, job, site, args } => {
                    let number = number.map(|number| format!("#{number} ")).unwrap_or_default();
                    format!("{number}{job} {} {}", site.as_deref().unwrap_or(""), cut(args))
                }
                _ => String::new(),
            };
            format!("turn {turn}  {conn}{rest}")
        }
        What::Out(conn, output) => {
            let rest = match output {
                Output::Grow { bytes, packets } if packets.is_empty() => shown(bytes),
                Output::Grow { bytes, packets } => {
                    format!("{} bytes  {}", bytes.len(), cut(&packets.join(" | ")))
                }
                Output::Close { abort: true } => "abort".into(),
                _ => String::new(),
            };
            format!("{} {rest}", story.name(*conn))
        }
        What::App(app) => told(app),
        What::Net(net) => moved(net),
        What::Peer(peer) => cut(&peer.unit),
        What::Fault(fault) => {
            fault.parameters.iter().fold(fault.fault.to_string(), |mut out, (name, value)| {
                let _ = write!(out, ", {name} {value}");
                out
            })
        }
        What::Mark(name) => name.to_string(),
        What::Oracle { id, verdict, text } => format!("{id} {verdict}: {text}"),
        What::Shadow { of, fields } => {
            let fields = fields.iter().map(|(name, value)| format!("{name} {value}"));
            format!("{of}: {}", fields.collect::<Vec<_>>().join(", "))
        }
        What::When(points) => {
            let points = points.iter().map(|(t, failed, of)| format!("{} {failed}/{of}", time(*t)));
            points.collect::<Vec<_>>().join(", ")
        }
        What::Note(text) => text.to_string(),
    }
}

fn told(app: &App) -> String {
    match app {
        App::Enter { sock, event, args } => {
            let sock = sock.as_deref().unwrap_or("");
            format!("{sock} {event} {}", cut(args))
        }
        App::Exit { sock, event } => format!("{} {event}", sock.as_deref().unwrap_or("")),
        App::Command(command) => commanded(command),
        App::Ask { id, sock, event, deadline } => {
            format!("#{id} {sock} {event}, until {}", time(*deadline).trim_start())
        }
        App::Settle { id, sock, outcome, args } => {
            let id = id.map_or_else(|| "#-".into(), |id| format!("#{id}"));
            format!("{id} {sock} {outcome} {}", cut(args))
        }
    }
}

fn commanded(command: &Command) -> String {
    let Command { cmd, site, to, event, args, volatile, out, fanout, why } = command;
    let volatile = if *volatile { "volatile " } else { "" };
    let mut text = format!("{volatile}{cmd} {event} {} -> {to}", cut(args));
    for (_, word, why) in out {
        let loud = if &**word == "dropped" { "DROPPED" } else { word };
        let _ = write!(text, ": {loud}");
        let _ = why.as_ref().map_or(Ok(()), |why| write!(text, " ({why})"));
    }
    if let Some([sent, backlogged, dropped]) = fanout {
        let _ = write!(text, ": {sent} sent");
        if *backlogged > 0 {
            let _ = write!(text, ", {backlogged} backlogged");
        }
        if *dropped > 0 {
            let _ = write!(text, ", {dropped} DROPPED");
        }
        let _ = why.as_ref().map_or(Ok(()), |why| write!(text, " ({why})"));
    }
    if let Some(site) = site {
        let _ = write!(text, "  {site}");
    }
    text
}

fn moved(net: &Net) -> String {
    let way = if net.dir == Dir::Up { "->" } else { "<-" };
    let flag = net.flag.name().map(|flag| format!(" {flag}")).unwrap_or_default();
    let bytes =
        if net.from == net.to { String::new() } else { format!(" {}..{}", net.from, net.to) };
    let due = match net.step {
        Step::Send { due } => format!(", due {}", time(due).trim_start()),
        _ => String::new(),
    };
    format!("{way}{bytes}{flag}{due}")
}

fn shown(bytes: &[u8]) -> String {
    let text = bytes[..bytes.len().min(SHOWN_MAX)].escape_ascii().to_string();
    format!("{} bytes  {}", bytes.len(), cut(&text))
}

/// Cut where a line is full.
fn cut(text: &str) -> String {
    cut_to(text, SHOWN_MAX)
}

/// At most so many characters; where it is cut, it ends in two dots.
pub(crate) fn cut_to(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => {
            let kept = text.char_indices().nth(most.saturating_sub(2)).map_or(0, |(end, _)| end);
            format!("{}..", &text[..kept])
        }
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_aligned_and_names_its_cause() {
        let record = |cause, at, what| Record { t: 1_300_000, cause, at, what };
        let net = Net {
            step: Step::Send { due: 2_000_000 },
            conn: 7,
            dir: Dir::Up,
            from: 0,
            to: 61,
            flag: super::super::record::Flag::Fin,
        };
        let command = Command {
            cmd: "emit".into(),
            site: Some("chat.rs:31".into()),
            to: "X".into(),
            event: "roster".into(),
            args: "[1]".into(),
            volatile: true,
            out: vec![("X".into(), "dropped".into(), Some("refused".into()))],
            ..Command::default()
        };
        let records = [
            record(None, Entity::Conn(2, 1), What::Net(net)),
            record(Some(0), Entity::Node(1), What::In(41, Input::Eof { conn: 7 })),
            record(Some(1), Entity::App, What::App(App::Command(Box::new(command)))),
        ];
        assert_eq!(
            Story::new(&records).to_string(),
            "     0            1.300000  c2/1  net.send    -> 0..61 fin, due 2.000000\n     \
             1 <0         1.300000  n1    in.eof      turn 41  c2/1\n     \
             2 <1         1.300000  app   app.cmd     volatile emit roster [1] -> X: DROPPED \
             (refused)  chat.rs:31\n"
        );
    }
}
