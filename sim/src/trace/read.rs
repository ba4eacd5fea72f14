//! Reads `trace.jsonl`. Kinds and fields that are not known are passed over; a line that is none,
//! a file that is not whole and a version that is higher are told in one line.

use std::fmt;

use super::jsonl::{FORMAT, Head, VERSION};
use super::record::{App, Command, Dir, Fault, Flag, Input, Net, Output, Peer, Record, Step, What};
use super::value::Value;

/// A trace that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Of what it is.
    pub head: Head,
    /// What happened, by the numbers of the records; those of kinds that are not known are notes.
    pub records: Vec<Record>,
    /// The hash of the run.
    pub hash: u64,
}

/// Why a file is no trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BadTrace {
    /// The first line is no head.
    NoHead,
    /// It is of a version that is not known.
    Version(u64),
    /// It ends before its end; the number of its last good line.
    Truncated(usize),
    /// A line that is no record, and what is wrong with it.
    Line(usize, String),
}

impl fmt::Display for BadTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoHead => f.write_str("line 1 is not the head of a trace"),
            Self::Version(version) => {
                write!(f, "it is a trace of version {version}; this reads up to {VERSION}")
            }
            Self::Truncated(line) => write!(f, "it is truncated; its last good line is {line}"),
            Self::Line(line, why) => write!(f, "line {line} is no record: {why}"),
        }
    }
}

impl std::error::Error for BadTrace {}

/// A whole trace.
///
/// # Errors
///
/// If it is none, or not whole.
pub fn read(text: &str) -> Result<Reading, BadTrace> {
    let mut lines = text.lines().zip(1..);
    let head = lines.next().and_then(|(line, _)| Value::parse(line).ok());
    let head = head_of(&head.ok_or(BadTrace::NoHead)?)?;
    let mut records: Vec<Record> = Vec::new();
    let count = text.lines().count();
    for (line, number) in lines {
        let value = match Value::parse(line) {
            Ok(value) => value,
            // A line that was cut off ends the file.
            Err(_) if number == count => return Err(BadTrace::Truncated(number - 1)),
            Err(why) => return Err(BadTrace::Line(number, why)),
        };
        let bad = |why: String| BadTrace::Line(number, why);
        let fields = Fields(&value);
        if fields.text("k").map_err(bad)? == "end" {
            let hash = u64::from_str_radix(fields.text("hash").map_err(bad)?, 16);
            let hash = hash.map_err(|_| bad("its hash is no number".into()))?;
            let told = fields.number("n").map_err(bad)?;
            return if told == records.len() as u64 {
                Ok(Reading { head, records, hash })
            } else {
                Err(bad(format!("it ends after {} records and says {told}", records.len())))
            };
        }
        let record = record_of(fields, &records).map_err(bad)?;
        records.push(record);
    }
    Err(BadTrace::Truncated(count))
}

fn head_of(value: &Value) -> Result<Head, BadTrace> {
    let format = value.field("format").and_then(Value::text).ok_or(BadTrace::NoHead)?;
    let version = format.strip_prefix(FORMAT).and_then(|version| version.parse().ok());
    match version {
        None => return Err(BadTrace::NoHead),
        Some(VERSION) => {}
        Some(version) => return Err(BadTrace::Version(version)),
    }
    let text = |name| value.field(name).and_then(Value::text).map(String::from);
    let number = |name| value.field(name).and_then(Value::number);
    let head = || {
        Some(Head {
            from: text("from")?,
            seed: number("seed")?,
            profile: text("profile")?,
            app: text("app")?,
            core: text("core")?,
            commit: text("commit")?,
            config: value.field("config")?.clone(),
            limits: value.field("limits")?.clone(),
            nodes: number("nodes")?,
            choices: text("choices"),
        })
    };
    head().ok_or(BadTrace::NoHead)
}

fn record_of(fields: Fields<'_>, before: &[Record]) -> Result<Record, String> {
    let n = before.len() as u64;
    let told = fields.number("n")?;
    if told != n {
        return Err(format!("its number is {told}, and {n} is next"));
    }
    let t = fields.number("t")?;
    if before.last().is_some_and(|record| record.t > t) {
        return Err("time goes back".into());
    }
    let cause = match fields.get("c")? {
        Value::Null => None,
        value => {
            let cause = value.number().filter(|&cause| cause < n);
            Some(cause.ok_or("its cause is no record before it")? as u32)
        }
    };
    let at = fields.text("at")?.parse()?;
    Ok(Record { t, cause, at, what: fields.what()? })
}

#[derive(Clone, Copy)]
struct Fields<'a>(&'a Value);

impl<'a> Fields<'a> {
    fn get(self, name: &str) -> Result<&'a Value, String> {
        self.0.field(name).ok_or_else(|| format!("it has no {name:?}"))
    }

    fn text(self, name: &str) -> Result<&'a str, String> {
        self.get(name)?.text().ok_or_else(|| format!("{name:?} is no text"))
    }

    fn boxed(self, name: &str) -> Result<Box<str>, String> {
        self.text(name).map(Into::into)
    }

    /// A text, or null.
    fn maybe(self, name: &str) -> Result<Option<Box<str>>, String> {
        match self.get(name)? {
            Value::Null => Ok(None),
            _ => self.boxed(name).map(Some),
        }
    }

    fn number(self, name: &str) -> Result<u64, String> {
        self.get(name)?.number().ok_or_else(|| format!("{name:?} is no number"))
    }

    fn conn(self) -> Result<u32, String> {
        self.number("conn")?.try_into().map_err(|_| "\"conn\" is too large".into())
    }

    fn bool(self, name: &str) -> Result<bool, String> {
        self.get(name)?.bool().ok_or_else(|| format!("{name:?} is neither true nor false"))
    }

    fn list(self, name: &str) -> Result<&'a [Value], String> {
        self.get(name)?.list().ok_or_else(|| format!("{name:?} is no list"))
    }

    fn bytes(self) -> Result<Box<[u8]>, String> {
        let value = self.get("b")?;
        let read = || match value {
            Value::Text(text) => Some(text.as_bytes().into()),
            _ => unhex(value.field("x")?.text()?),
        };
        read().ok_or_else(|| "\"b\" is no bytes".into())
    }

    fn what(self) -> Result<What, String> {
        let kind = self.text("k")?;
        let input = |input| Ok(What::In(self.number("turn")?, input));
        let out = |output| Ok(What::Out(self.conn()?, output));
        match kind {
            "in.accept" => input(Input::Accept { conn: self.conn()?, peer: self.boxed("peer")? }),
            "in.data" => input(Input::Data { conn: self.conn()?, bytes: self.bytes()? }),
            "in.eof" => input(Input::Eof { conn: self.conn()? }),
            "in.lost" => input(Input::Lost { conn: self.conn()? }),
            "in.writable" => input(Input::Writable { conn: self.conn()? }),
            "in.sent" => input(Input::Sent {
                conn: self.conn()?,
                bytes: self.number("bytes")?,
                refused: self.bool("refused")?,
            }),
            "in.timeout" => input(Input::Timeout { why: self.boxed("why")? }),
            "in.job" => input(Input::Job {
                number: self.get("number")?.number(),
                job: self.boxed("kind")?,
                site: self.maybe("site")?,
                args: self.boxed("args")?,
            }),
            "in.shutdown" => input(Input::Shutdown),
            "out.grow" => {
                let packets = self.list("pk")?.iter().filter_map(Value::text).map(Into::into);
                out(Output::Grow { bytes: self.bytes()?, packets: packets.collect() })
            }
            "out.flush" => out(Output::Flush),
            "out.pause" => out(Output::Pause),
            "out.resume" => out(Output::Resume),
            "out.shut" => out(Output::Shut),
            "out.close" => out(Output::Close { abort: self.bool("abort")? }),
            "net.send" => self.net(Step::Send { due: self.number("due")? }),
            "net.recv" => self.net(Step::Receive),
            "net.lose" => self.net(Step::Lose),
            "peer.say" | "peer.hear" => Ok(What::Peer(Peer {
                is_said: kind == "peer.say",
                conn: self.conn()?,
                unit: self.boxed("unit")?,
                end: self.number("end")?,
                bytes: self.bytes()?,
            })),
            _ if kind.starts_with("app.") => self.app(kind),
            _ => self.rest(kind),
        }
    }

    fn app(self, kind: &str) -> Result<What, String> {
        let app = match kind {
            "app.enter" => App::Enter {
                sock: self.maybe("sock")?,
                event: self.boxed("event")?,
                args: self.boxed("args")?,
            },
            "app.exit" => App::Exit { sock: self.maybe("sock")?, event: self.boxed("event")? },
            "app.cmd" => App::Command(Box::new(self.command()?)),
            "app.ask" => App::Ask {
                id: self.number("id")?,
                sock: self.boxed("sock")?,
                event: self.boxed("event")?,
                deadline: self.number("deadline")?,
            },
            "app.settle" => App::Settle {
                id: self.get("id")?.number(),
                sock: self.boxed("sock")?,
                outcome: self.boxed("outcome")?,
                args: self.boxed("args")?,
            },
            _ => return self.rest(kind),
        };
        Ok(What::App(app))
    }

    fn command(self) -> Result<Command, String> {
        let one = |out: &Value| {
            let [sock, word, why] = out.list()? else { return None };
            Some((sock.text()?.into(), word.text()?.into(), why.text().map(Into::into)))
        };
        let out = self.list("out")?.iter().map(one).collect::<Option<_>>();
        let fanout = self.0.field("fanout").map(|fanout| {
            let [sent, backlogged, dropped] = fanout.list()? else { return None };
            let count = |value: &Value| value.number()?.try_into().ok();
            Some([count(sent)?, count(backlogged)?, count(dropped)?])
        });
        Ok(Command {
            cmd: self.boxed("cmd")?,
            site: self.maybe("site")?,
            to: self.boxed("to")?,
            event: self.boxed("event")?,
            args: self.boxed("args")?,
            volatile: self.bool("volatile")?,
            out: out.ok_or("\"out\" is no list of outcomes")?,
            fanout: match fanout {
                Some(None) => return Err("\"fanout\" is not three numbers".into()),
                fanout => fanout.flatten(),
            },
            why: self.0.field("why").and_then(Value::text).map(Into::into),
        })
    }

    fn net(self, step: Step) -> Result<What, String> {
        let dir = match self.text("dir")? {
            "up" => Dir::Up,
            "down" => Dir::Down,
            _ => return Err("\"dir\" is neither up nor down".into()),
        };
        let flag = match self.0.field("flag").and_then(Value::text) {
            Some("syn") => Flag::Syn,
            Some("fin") => Flag::Fin,
            Some("rst") => Flag::Rst,
            _ => Flag::None,
        };
        let (from, to) = (self.number("from")?, self.number("to")?);
        Ok(What::Net(Net { step, conn: self.conn()?, dir, from, to, flag }))
    }

    /// What is left of an object's fields besides those of every record, and this one.
    fn others(self, known: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
        let Value::Object(fields) = self.0 else { unreachable!("a record has fields") };
        let is_known = move |name: &str| ["n", "t", "c", "k", "at", known].contains(&name);
        fields.iter().filter(move |(name, _)| !is_known(name)).map(|(name, value)| (name, value))
    }

    fn rest(self, kind: &str) -> Result<What, String> {
        Ok(match kind {
            "fault.on" | "fault.off" => What::Fault(Fault {
                is_on: kind == "fault.on",
                fault: self.boxed("fault")?,
                parameters: (self.others("fault"))
                    .filter_map(|(name, value)| Some((name.as_str().into(), value.number()?)))
                    .collect(),
            }),
            "mark" => What::Mark(self.boxed("name")?),
            "oracle" => What::Oracle {
                id: self.boxed("id")?,
                verdict: self.boxed("verdict")?,
                text: self.boxed("text")?,
            },
            "shadow" => What::Shadow {
                of: self.boxed("of")?,
                fields: (self.others("of"))
                    .map(|(name, value)| (name.as_str().into(), value.clone()))
                    .collect(),
            },
            "when" => {
                let point = |point: &Value| {
                    let [t, Value::Number(share), of] = point.list()? else { return None };
                    let of: u32 = of.number()?.try_into().ok()?;
                    let failed = share.parse::<f64>().ok()? * f64::from(of);
                    Some((t.number()?, failed.round() as u32, of))
                };
                let points = self.list("points")?.iter().map(point).collect::<Option<_>>();
                What::When(points.ok_or("\"points\" is no list of shares")?)
            }
            "note" => What::Note(self.boxed("text")?),
            other => What::Note(other.into()),
        })
    }
}

fn unhex(text: &str) -> Option<Box<[u8]>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_hex && text.len().is_multiple_of(2)).then_some(())?;
    text.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::jsonl::Jsonl;
    use super::super::record::Entity;
    use super::*;

    pub(crate) fn head() -> Head {
        let (config, limits) = super::super::config::told(&parlor::Config::default());
        Head {
            from: "world".into(),
            seed: u64::MAX,
            profile: "swarm".into(),
            app: "workload".into(),
            core: "0.1.0".into(),
            commit: "unknown".into(),
            config,
            limits,
            nodes: 1,
            choices: None,
        }
    }

    /// A record of every kind.
    fn all() -> Vec<Record> {
        let input = |input| What::In(7, input);
        let net =
            |step, flag| What::Net(Net { step, conn: 2, dir: Dir::Down, from: 3, to: 9, flag });
        let peer = |is_said| {
            let unit = "2probe".into();
            What::Peer(Peer { is_said, conn: 2, unit, end: 8, bytes: (*b"\x81\x062probe").into() })
        };
        let command = Command {
            cmd: "broadcast".into(),
            site: Some("chat.rs:31".into()),
            to: "/chat".into(),
            event: "roster".into(),
            args: "[\"\\u001e\"]".into(),
            volatile: true,
            out: vec![("s".into(), "dropped".into(), Some("refused".into()))],
            fanout: Some([1, 2, 3]),
            why: Some("refused".into()),
        };
        let sock = || Some("AAAA".into());
        let parameters = vec![("length".into(), 5)];
        let whats = vec![
            input(Input::Accept { conn: 2, peer: "10.0.0.1:1".into() }),
            input(Input::Data { conn: 2, bytes: (*b"GET / HTTP/1.1\r\n\r\n").into() }),
            input(Input::Eof { conn: 2 }),
            input(Input::Lost { conn: 2 }),
            input(Input::Writable { conn: 2 }),
            input(Input::Sent { conn: 2, bytes: 0, refused: true }),
            input(Input::Timeout { why: "Ping".into() }),
            input(Input::Job { number: Some(1), job: "run".into(), site: None, args: "".into() }),
            input(Input::Shutdown),
            What::Out(2, Output::Grow { bytes: [0, 255].into(), packets: vec!["2".into()] }),
            What::Out(2, Output::Flush),
            What::Out(2, Output::Pause),
            What::Out(2, Output::Resume),
            What::Out(2, Output::Shut),
            What::Out(2, Output::Close { abort: true }),
            What::App(App::Enter { sock: sock(), event: "say".into(), args: "[1]".into() }),
            What::App(App::Exit { sock: None, event: "say".into() }),
            What::App(App::Command(Box::new(command))),
            What::App(App::Command(Box::default())),
            What::App(App::Ask { id: 0, sock: "A".into(), event: "q".into(), deadline: 9 }),
            What::App(App::Settle {
                id: None,
                sock: "A".into(),
                outcome: "timed out".into(),
                args: "".into(),
            }),
            net(Step::Send { due: 9 }, Flag::None),
            net(Step::Receive, Flag::Fin),
            net(Step::Lose, Flag::Rst),
            peer(true),
            peer(false),
            What::Fault(Fault { is_on: true, fault: "stall".into(), parameters }),
            What::Fault(Fault { is_on: false, fault: "stall".into(), parameters: vec![] }),
            What::Mark("ack.ok".into()),
            What::Oracle { id: "S0".into(), verdict: "fail".into(), text: "no".into() },
            What::Shadow { of: "c1/2".into(), fields: vec![("unsent".into(), 5.into())] },
            What::When(vec![(5, 1, 50)]),
            What::Note("a\u{2028}b".into()),
        ];
        let record = |(place, what): (usize, What)| Record {
            t: place as u64 / 2,
            cause: (place > 0).then_some(place as u32 / 2),
            at: Entity::Conn(1, 2),
            what,
        };
        whats.into_iter().enumerate().map(record).collect()
    }

    fn written() -> String {
        Jsonl { head: &head(), records: &all(), hash: 0xabc }.to_string()
    }

    #[test]
    fn every_kind_is_read_as_it_is_written() {
        let reading = read(&written()).unwrap();
        assert_eq!(reading, Reading { head: head(), records: all(), hash: 0xabc });
    }

    #[test]
    fn a_trace_without_its_end_is_truncated_wherever_it_is_cut() {
        let whole = written();
        let lines = whole.lines().count();
        for cut in 1..whole.len() - 1 {
            let Some(part) = whole.get(..cut) else { continue };
            let full = part.matches('\n').count();
            match read(part) {
                Err(BadTrace::NoHead) => assert_eq!(full, 0),
                Err(BadTrace::Truncated(line)) => {
                    let is_cut_at_end = line == full + 1 && whole[cut..].starts_with('\n');
                    assert!(line == full || is_cut_at_end, "{line} of {full}");
                }
                other => panic!("{full} of {lines}: {other:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_trace_is_told_in_one_line() {
        let edited = |from: &str, to: &str| {
            let error = read(&written().replacen(from, to, 1)).unwrap_err().to_string();
            assert!(!error.contains('\n'));
            error
        };
        assert_eq!(edited("trace/1", "trace/2"), "it is a trace of version 2; this reads up to 1");
        assert_eq!(edited("parlor-trace", "x"), "line 1 is not the head of a trace");
        let number = edited("\"n\":4,", "\"n\":5,");
        assert_eq!(number, "line 6 is no record: its number is 5, and 4 is next");
        let text = edited("\"refused\":true", "\"refused\":1");
        assert_eq!(text, "line 7 is no record: \"refused\" is neither true nor false");
        assert_eq!(edited("\"t\":1,", "\"t\":99,"), "line 5 is no record: time goes back");
        let cause = edited("\"n\":5,\"t\":2,\"c\":2", "\"n\":5,\"t\":2,\"c\":5");
        assert_eq!(cause, "line 7 is no record: its cause is no record before it");
        assert!(edited("in.eof\"", "in.eof").starts_with("line 4 is no record: it is no JSON"));
    }

    #[test]
    fn kinds_and_fields_that_are_not_known_are_passed_over() {
        let text = written().replacen("\"k\":\"mark\"", "\"new\":[{}],\"k\":\"later\"", 1);
        let text = text.replacen("\"k\":\"in.eof\"", "\"k\":\"in.eof\",\"also\":1", 1);
        let reading = read(&text).unwrap();
        assert_eq!(reading.records.len(), all().len());
        assert!(reading.records.iter().any(|record| record.what == What::Note("later".into())));
    }
}
