//! `trace.jsonl`, version 1: a line for the head, a line for each record, and a line that closes
//! it. It is what the viewer, `--diff` and `--replay` read; see [`read`](super::read) for the
//! other way.
//!
//! Every record has `n`, its number; `t`, microseconds; `c`, the number of the record that caused
//! it, or null; `k`, its kind; and `at`, where it happened: `n1` the node, `app`, `c3` a client,
//! `c3/2` its second connection. `conn` is the node's number of a connection. Bytes (`b`) are a
//! text if they are UTF-8 without control characters but `\t \r \n \u001e`, else `{"x":"hex"}`.
//!
//! | kind | fields |
//! |---|---|
//! | `in.accept` | `turn`, `conn`, `peer` |
//! | `in.data` | `turn`, `conn`, `b` |
//! | `in.eof`, `in.lost`, `in.writable` | `turn`, `conn` |
//! | `in.sent` | `turn`, `conn`, `bytes`, `refused` |
//! | `in.timeout` | `turn`, `why`: the wake that was announced |
//! | `in.job` | `turn`, `number` in the order in which the program posted, or null, `kind`, `site` or null, `args` |
//! | `in.shutdown` | `turn` |
//! | `out.grow` | `conn`, `b`, `pk`: the packets that are whole with it |
//! | `out.flush`, `out.pause`, `out.resume`, `out.shut` | `conn` |
//! | `out.close` | `conn`, `abort` |
//! | `app.enter`, `app.exit` | `sock` or null, `event`; on entering `args` |
//! | `app.cmd` | `cmd`, `site` or null, `to`, `event`, `args`, `volatile`, `out`: a list of `[sock, word, why]`; of a broadcast `fanout`: sent, backlogged, dropped, and `why` if there is one reason |
//! | `app.ask` | `id`, `sock`, `event`, `deadline` |
//! | `app.settle` | `id` or null, `sock`, `outcome`, `args` |
//! | `net.send`, `net.recv`, `net.lose` | `dir` up or down, `conn`, `from`, `to`: offsets; on sending `due`; `flag` syn, fin or rst if it is one |
//! | `peer.say`, `peer.hear` | `conn`, `unit`, `end`: the offset behind it, `b` |
//! | `fault.on`, `fault.off` | `fault`, `on` whom, and its magnitudes by name |
//! | `mark` | `name` |
//! | `oracle` | `id`, `verdict`, `text` |
//! | `shadow` | `of`, and the fields that have changed; all of them every 1,024 records |
//! | `when` | `points`: a list of `[t, p, of]`: the share that fails of so many worlds that begin as this one until `t` |
//! | `note` | `text` |

use std::fmt;

use super::record::{App, Command, Dir, Fault, Input, Net, Output, Record, Step, What};
use super::value::Value;

/// The version that is written, and the highest that is read.
pub(super) const VERSION: u64 = 1;
pub(super) const FORMAT: &str = "parlor-trace/";

/// The first line.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// `world`, or `recording`.
    pub from: String,
    /// The seed of the world.
    pub seed: u64,
    /// The profile of the world.
    pub profile: String,
    /// The program.
    pub app: String,
    /// The version of the core.
    pub core: String,
    /// The commit of the source.
    pub commit: String,
    /// The server's options.
    pub config: Value,
    /// The server's limits.
    pub limits: Value,
    /// How many servers there are.
    pub nodes: u64,
    /// The file with the choices, if there is one.
    pub choices: Option<String>,
}

/// A whole trace, to be written.
#[derive(Debug)]
pub struct Jsonl<'a> {
    /// Of what it is.
    pub head: &'a Head,
    /// What happened.
    pub records: &'a [Record],
    /// The hash of the run.
    pub hash: u64,
}

impl fmt::Display for Jsonl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", head(self.head))?;
        for (n, record) in self.records.iter().enumerate() {
            writeln!(f, "{}", line(n as u64, record))?;
        }
        let end: [(&str, Value); 3] = [
            ("k", "end".into()),
            ("n", (self.records.len() as u64).into()),
            ("hash", (&*format!("{:016x}", self.hash)).into()),
        ];
        writeln!(f, "{}", object(end))
    }
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(fields.map(|(name, value)| (name.to_string(), value)).into())
}

fn head(head: &Head) -> Value {
    object([
        ("format", (&*format!("{FORMAT}{VERSION}")).into()),
        ("from", (&*head.from).into()),
        ("seed", head.seed.into()),
        ("profile", (&*head.profile).into()),
        ("app", (&*head.app).into()),
        ("core", (&*head.core).into()),
        ("commit", (&*head.commit).into()),
        ("config", head.config.clone()),
        ("limits", head.limits.clone()),
        ("nodes", head.nodes.into()),
        ("choices", head.choices.as_deref().into()),
    ])
}

/// One record as its line.
pub(super) fn line(n: u64, record: &Record) -> Value {
    let mut line = Fields(Vec::new());
    line.add("n", n);
    line.add("t", record.t);
    line.add("c", record.cause.map(u64::from));
    line.add("k", record.what.kind());
    line.add("at", &*record.at.to_string());
    line.what(&record.what, &record.at.to_string());
    Value::Object(line.0)
}

struct Fields(Vec<(String, Value)>);

impl Fields {
    fn add(&mut self, name: &str, value: impl Into<Value>) {
        self.0.push((name.into(), value.into()));
    }

    fn what(&mut self, what: &What, at: &str) {
        match what {
            What::In(turn, input) => {
                self.add("turn", *turn);
                self.input(input);
            }
            What::Out(conn, output) => {
                self.add("conn", u64::from(*conn));
                match output {
                    Output::Grow { bytes, packets } => {
                        self.add("b", bytes_value(bytes));
                        self.add("pk", packets.iter().map(|packet| &**packet).collect::<Value>());
                    }
                    Output::Close { abort } => self.add("abort", *abort),
                    _ => {}
                }
            }
            What::App(app) => self.app(app),
            What::Net(net) => self.net(net),
            What::Peer(peer) => {
                self.add("conn", u64::from(peer.conn));
                self.add("unit", &*peer.unit);
                self.add("end", peer.end);
                self.add("b", bytes_value(&peer.bytes));
            }
            What::Fault(Fault { fault, parameters, .. }) => {
                self.add("fault", &**fault);
                self.add("on", at);
                parameters.iter().for_each(|(name, value)| self.add(name, *value));
            }
            What::Mark(name) => self.add("name", &**name),
            What::Oracle { id, verdict, text } => {
                self.add("id", &**id);
                self.add("verdict", &**verdict);
                self.add("text", &**text);
            }
            What::Shadow { of, fields } => {
                self.add("of", &**of);
                fields.iter().for_each(|(name, value)| self.add(name, value.clone()));
            }
            What::When(points) => {
                let point = |&(t, failed, of): &(u64, u32, u32)| {
                    let share = f64::from(failed) / f64::from(of.max(1));
                    let share = Value::Number(format!("{share:.4}"));
                    Value::List(vec![t.into(), share, u64::from(of).into()])
                };
                self.add("points", Value::List(points.iter().map(point).collect()));
            }
            What::Note(text) => self.add("text", &**text),
        }
    }

    fn input(&mut self, input: &Input) {
        if let Some(conn) = What::In(0, input.clone()).conn() {
            self.add("conn", u64::from(conn));
        }
        match input {
            Input::Accept { peer, .. } => self.add("peer", &**peer),
            Input::Data { bytes, .. } => self.add("b", bytes_value(bytes)),
            Input::Sent { bytes, refused, .. } => {
                self.add("bytes", *bytes);
                self.add("refused", *refused);
            }
            Input::Timeout { why } => self.add("why", &**why),
            Input::Job { number, job, site, args } => {
                self.add("number", *number);
                self.add("kind", &**job);
                self.add("site", site.as_deref());
                self.add("args", &**args);
            }
            Input::Eof { .. } | Input::Lost { .. } | Input::Writable { .. } | Input::Shutdown => {}
        }
    }

    fn app(&mut self, app: &App) {
        match app {
            App::Enter { sock, event, args } => {
                self.add("sock", sock.as_deref());
                self.add("event", &**event);
                self.add("args", &**args);
            }
            App::Exit { sock, event } => {
                self.add("sock", sock.as_deref());
                self.add("event", &**event);
            }
            App::Command(command) => self.command(command),
            App::Ask { id, sock, event, deadline } => {
                self.add("id", *id);
                self.add("sock", &**sock);
                self.add("event", &**event);
                self.add("deadline", *deadline);
            }
            App::Settle { id, sock, outcome, args } => {
                self.add("id", *id);
                self.add("sock", &**sock);
                self.add("outcome", &**outcome);
                self.add("args", &**args);
            }
        }
    }

    fn command(&mut self, command: &Command) {
        self.add("cmd", &*command.cmd);
        self.add("site", command.site.as_deref());
        self.add("to", &*command.to);
        self.add("event", &*command.event);
        self.add("args", &*command.args);
        self.add("volatile", command.volatile);
        let out = command.out.iter().map(|(sock, word, why)| {
            Value::List(vec![(&**sock).into(), (&**word).into(), why.as_deref().into()])
        });
        self.add("out", out.collect::<Value>());
        if let Some(fanout) = command.fanout {
            self.add("fanout", fanout.into_iter().map(u64::from).collect::<Value>());
        }
        if let Some(why) = &command.why {
            self.add("why", &**why);
        }
    }

    fn net(&mut self, net: &Net) {
        self.add("dir", if net.dir == Dir::Up { "up" } else { "down" });
        self.add("conn", u64::from(net.conn));
        self.add("from", net.from);
        self.add("to", net.to);
        if let Step::Send { due } = net.step {
            self.add("due", due);
        }
        if let Some(flag) = net.flag.name() {
            self.add("flag", flag);
        }
    }
}

/// Bytes, as a text where that loses nothing.
fn bytes_value(bytes: &[u8]) -> Value {
    let is_shown = |c: char| !c.is_control() || matches!(c, '\t' | '\r' | '\n' | '\u{1e}');
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(is_shown) => text.into(),
        _ => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            object([("x", (&*hex).into())])
        }
    }
}
