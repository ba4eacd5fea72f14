//! What a node was given in a run, fed to a node of its own: no world, no clients, no network.
//! The same inputs give the same outputs, or the first that differs is told.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use parlor::{App, Config, ConnId, Handle, Instant, Node, Outside, Peer};

use super::app::{Scribe, Told};
use super::record::{self, Input, Output, Record, What};
use super::{Value, config};
use crate::oracle::Verdicts;
use crate::outside::Letterbox;
use crate::watch::{Log, Watcher};

/// The wall time at which worlds begin, in milliseconds since 1970.
pub(crate) const UNIX_MS: u64 = 1_700_000_000_000;

/// The secret of a world's server.
pub(crate) fn secret(seed: u64) -> [u8; 32] {
    let mut secret = [0; 32];
    secret[..8].copy_from_slice(&seed.to_le_bytes());
    secret
}

/// Everything that a node was given, in order. It may be changed before it is replayed: an input
/// more, another order, other times.
#[derive(Clone, Debug)]
pub struct InputLog {
    /// Of the ids and of `cx.random()`.
    pub seed: u64,
    /// The node's time at the beginning, in microseconds.
    pub start: u64,
    /// The wall time at the beginning, in milliseconds since 1970.
    pub unix_ms: u64,
    /// The server's options.
    pub config: Config,
    /// One call each.
    pub given: Vec<Given>,
}

/// One input, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// What the node was told of the time, in microseconds.
    pub at: u64,
    /// What it was given.
    pub input: Input,
    /// What it did when that was recorded.
    pub done: Done,
    /// The number of its record.
    pub n: usize,
}

/// What a call brought about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Done {
    /// The bytes that each connection shows more.
    pub grown: BTreeMap<u32, Vec<u8>>,
    /// What is to be done, by connection and in order.
    pub outputs: Vec<(u32, Output)>,
    /// What the program did and was told.
    pub app: Vec<record::App>,
}

/// How a replay ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ended {
    /// All calls did what was recorded.
    Same,
    /// This call did not.
    Differs {
        /// Its place in the log.
        place: usize,
        /// What is different.
        what: String,
    },
    /// This call cannot be made.
    Stopped {
        /// Its place in the log.
        place: usize,
        /// Why.
        why: String,
    },
}

impl InputLog {
    /// Of a recorded run.
    ///
    /// # Errors
    ///
    /// If a trace does not tell all of the options.
    pub fn new(records: &[Record], seed: u64, options: (&Value, &Value)) -> Result<Self, String> {
        let config = config::read(options.0, options.1)?;
        let mut given: Vec<Given> = Vec::new();
        for (n, record) in records.iter().enumerate() {
            if let What::In(_, input) = &record.what {
                let (at, input) = (record.t, input.clone());
                given.push(Given { at, input, done: Done::default(), n });
                continue;
            }
            let Some(last) = given.last_mut() else { continue };
            match &record.what {
                What::Out(conn, Output::Grow { bytes, .. }) => {
                    last.done.grown.entry(*conn).or_default().extend(bytes);
                }
                What::Out(conn, output) => last.done.outputs.push((*conn, output.clone())),
                What::App(app) => last.done.app.push(app.clone()),
                _ => {}
            }
        }
        Ok(Self { seed, start: 0, unix_ms: UNIX_MS, config, given })
    }

    /// Feeds a program's node with all of it, and tells what each call did. Stops where a call
    /// cannot be made.
    pub fn replay<S: Send + 'static>(
        &self,
        program: impl FnOnce(Handle<S>) -> App<S>,
    ) -> (Vec<Done>, Option<Ended>) {
        let mut player = Player::new(self, program);
        let mut all = Vec::new();
        for (place, given) in self.given.iter().enumerate() {
            match player.call(given) {
                Ok(done) => all.push(done),
                Err(why) => return (all, Some(Ended::Stopped { place, why })),
            }
        }
        (all, None)
    }

    /// Feeds a program's node with it, and compares what each call does with what is recorded.
    pub fn compare<S: Send + 'static>(&self, program: impl FnOnce(Handle<S>) -> App<S>) -> Ended {
        let mut player = Player::new(self, program);
        for (place, given) in self.given.iter().enumerate() {
            match player.call(given) {
                Ok(done) => {
                    if let Some(what) = given.done.differs(&done) {
                        return Ended::Differs { place, what };
                    }
                }
                Err(why) => return Ended::Stopped { place, why },
            }
        }
        Ended::Same
    }
}

impl Done {
    /// What is different on the wire, if something is.
    pub fn differs(&self, other: &Self) -> Option<String> {
        let conns = self.grown.keys().chain(other.grown.keys());
        for conn in conns {
            let shown = |done: &Self| done.grown.get(conn).cloned().unwrap_or_default();
            let (recorded, now) = (shown(self), shown(other));
            if recorded != now {
                let same = recorded.iter().zip(&now).take_while(|(one, two)| one == two).count();
                let rest = |bytes: &[u8]| {
                    let end = bytes.len().min(same + 40);
                    bytes[same..end].escape_ascii().to_string()
                };
                return Some(format!(
                    "connection {conn} shows {} bytes, recorded are {}; from byte {same} on \
                     `{}`, recorded is `{}`",
                    now.len(),
                    recorded.len(),
                    rest(&now),
                    rest(&recorded)
                ));
            }
        }
        let (recorded, now) = (&self.outputs, &other.outputs);
        (recorded != now).then(|| format!("it gives {now:?}, recorded is {recorded:?}"))
    }
}

/// A node, and what its driver remembers.
pub(crate) struct Player<S> {
    node: Node<S>,
    told: Told,
    letterbox: Letterbox<S>,
    jobs: BTreeMap<u64, Outside<S>>,
    jobs_next: u64,
    /// By the recorded number: the handle, and how many bytes it shows.
    conns: BTreeMap<u32, (ConnId, usize)>,
}

impl<S: Send + 'static> Player<S> {
    pub(crate) fn new(log: &InputLog, program: impl FnOnce(Handle<S>) -> App<S>) -> Self {
        let start = Instant::from_micros(log.start);
        let letterbox = Letterbox::default();
        let app = program(letterbox.handle());
        let config = log.config.clone();
        let mut node = Node::new(config, app, secret(log.seed), start, log.unix_ms)
            .expect("these options made a node before");
        let told = Told::default();
        let scribe = Some(Scribe::new(told.clone()));
        node.set_observer(Box::new(Watcher::new(Log::default(), None, scribe)));
        let (jobs, conns) = (BTreeMap::new(), BTreeMap::new());
        Self { node, told, letterbox, jobs, jobs_next: 0, conns }
    }

    /// When the node wants to be called.
    pub(crate) fn due(&self) -> Option<u64> {
        self.node.poll_timeout().map(|(at, _why)| at.as_micros())
    }

    /// The connections that are open, and how many bytes each shows.
    pub(crate) fn shown(&self) -> impl Iterator<Item = (u32, usize)> {
        self.conns.iter().map(|(&number, &(_, shown))| (number, shown))
    }

    /// One call; why it cannot be made.
    pub(crate) fn call(&mut self, given: &Given) -> Result<Done, String> {
        let at = Instant::from_micros(given.at);
        let known = |conn: &u32| {
            let known = self.conns.get(conn).copied();
            known.ok_or(format!("connection {conn} is not open"))
        };
        match &given.input {
            Input::Accept { conn, peer } => {
                let address: SocketAddr =
                    peer.parse().map_err(|_| format!("{peer:?} is no address"))?;
                let id = self.node.accept(at, Peer::from(address));
                self.conns.insert(*conn, (id.map_err(|_| "it takes no connection")?, 0));
            }
            Input::Data { conn, bytes } => {
                let conn = known(conn)?.0;
                let bytes = &mut bytes.to_vec();
                self.node.handle(at, parlor::Input::Data { conn, bytes });
            }
            Input::Eof { conn } => {
                let conn = known(conn)?.0;
                self.node.handle(at, parlor::Input::Eof { conn });
            }
            Input::Lost { conn } => {
                let conn = known(conn)?.0;
                self.node.handle(at, parlor::Input::Lost { conn });
            }
            Input::Writable { conn } => {
                let conn = known(conn)?.0;
                self.node.handle(at, parlor::Input::Writable { conn });
            }
            Input::Sent { conn: number, bytes, refused } => {
                let (conn, shown) = known(number)?;
                let (bytes, refused) = (*bytes as usize, *refused);
                let left = shown.checked_sub(bytes);
                let left = left.ok_or(format!("{bytes} bytes are sent, it shows {shown}"))?;
                self.conns.insert(*number, (conn, left));
                self.node.handle(at, parlor::Input::Sent { conn, bytes, refused });
            }
            Input::Timeout { .. } => self.node.handle_timeout(at),
            Input::Job { number, job, site, .. } => {
                let posted = number.and_then(|number| self.jobs.remove(&number));
                let work = posted.ok_or_else(|| {
                    let site = site.as_deref().unwrap_or("an unknown place");
                    format!(
                        "work from outside ({job}, from {site}) was not posted by the program: \
                         what came from elsewhere cannot be replayed"
                    )
                })?;
                self.node.outside(at, work);
            }
            Input::Shutdown => self.node.shutdown(at),
        }
        Ok(self.done())
    }

    fn done(&mut self) -> Done {
        let mut done = Done { app: self.told.take(), ..Done::default() };
        // What is posted from another thread is told where worlds run.
        for work in self.letterbox.take(&mut Verdicts::default()) {
            self.jobs.insert(self.jobs_next, work);
            self.jobs_next += 1;
        }
        for (&number, (conn, shown)) in &mut self.conns {
            let total = self.node.egress(*conn).map(<[u8]>::len).sum();
            if total > *shown {
                let mut bytes = Vec::with_capacity(total - *shown);
                let mut skip = *shown;
                for slice in self.node.egress(*conn) {
                    bytes.extend(&slice[skip.min(slice.len())..]);
                    skip = skip.saturating_sub(slice.len());
                }
                done.grown.insert(number, bytes);
                *shown = total;
            }
        }
        while let Some(output) = self.node.poll_output() {
            let conn = match output {
                parlor::Output::Flush(conn)
                | parlor::Output::Pause(conn)
                | parlor::Output::Resume(conn)
                | parlor::Output::ShutdownWrite(conn)
                | parlor::Output::Close { conn, .. } => conn,
                _ => continue,
            };
            let named = self.conns.iter().find(|(_, (id, _))| *id == conn);
            let Some(number) = named.map(|(&number, _)| number) else { continue };
            done.outputs.push((number, crate::server::wanted(&output)));
            if let parlor::Output::Close { .. } = output {
                self.conns.remove(&number);
            }
        }
        done
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => f.write_str("every call did what was recorded"),
            Self::Differs { what, .. } => f.write_str(what),
            Self::Stopped { why, .. } => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::choice::Choices;
    use crate::workload::workload;
    use crate::{Preset, run};

    fn log(seed: u64) -> InputLog {
        let run = run(Preset::Swarm, Choices::new(seed), true);
        assert!(run.verdicts.failure().is_none());
        let (config, limits) = run.trace.options().expect("it is recorded");
        InputLog::new(run.trace.records(), seed, (config, limits)).unwrap()
    }

    #[test]
    fn a_node_alone_does_what_it_did_in_the_world() {
        let log = log(1);
        assert!(log.given.len() > 100, "{}", log.given.len());
        assert_eq!(log.compare(|_io| workload()), Ended::Same);
        let (all, ended) = log.replay(|_io| workload());
        assert_eq!((all.len(), ended), (log.given.len(), None));
    }

    #[test]
    fn what_differs_is_told_with_its_place() {
        let mut log = log(0);
        let is_data = |given: &Given| matches!(given.input, Input::Data { .. });
        let place = log.given.iter().position(is_data).expect("somebody said something");
        let Input::Data { bytes, .. } = &mut log.given[place].input else { unreachable!() };
        bytes[0] = b'!';
        let Ended::Differs { place: first, what } = log.compare(|_io| workload()) else {
            panic!("it is the same")
        };
        assert!(first >= place, "{what}");
        let is_accept = |given: &Given| matches!(given.input, Input::Accept { .. });
        log.given.retain(|given| !is_accept(given));
        let ended = log.compare(|_io| workload());
        assert!(matches!(ended, Ended::Stopped { .. }), "{ended}");
    }

    #[test]
    fn work_that_the_program_did_not_post_stops_it() {
        let mut log = log(0);
        let (job, site, args) = ("run".into(), Some("a.rs:1".into()), "".into());
        log.given[0].input = Input::Job { number: Some(0), job, site, args };
        let ended = log.compare(|_io| workload()).to_string();
        assert!(ended.contains("(run, from a.rs:1) was not posted"), "{ended}");
    }
}
