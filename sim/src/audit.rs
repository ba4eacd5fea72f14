//! The shadow's place beside the driver: it is told each cause in the driver's terms, and given
//! what each connection has grown by.

use std::sync::PoisonError;

use parlor::{Input, NamespaceId, Node, Output, Server};

use crate::client::unit::Unit;
use crate::hub::Hub;
use crate::oracle::Verdicts;
use crate::oracle::deeds::Deeds;
use crate::shadow::record::Record;
use crate::shadow::{Act, Call, Cause, Names, Shadow};
use crate::trace::Entity;
use crate::watch::Records;

/// Every so many calls the rooms of the node are compared with the shadow's.
const ROOMS_EVERY: u64 = 512;
/// And what it says of all who are writable; of those whom a call was about, after each.
const WRITABLE_EVERY: u64 = 32;

/// See the module.
pub(crate) struct Audit {
    shadow: Option<Shadow>,
    records: Records,
    /// What the program says that it does, if it says it.
    pub(crate) ledger: Option<Deeds>,
    cause: Cause,
    calls: u64,
    acts: Vec<Act>,
    grown: Vec<(usize, Vec<u8>)>,
    /// Reused.
    heard: Vec<Record>,
}

impl Audit {
    pub(crate) fn new(shadow: Option<Shadow>, records: Records) -> Self {
        Self {
            shadow,
            records,
            ledger: None,
            cause: Cause::Outside,
            calls: 0,
            acts: Vec::new(),
            grown: Vec::new(),
            heard: Vec::new(),
        }
    }

    /// The next call's cause.
    pub(crate) fn cause(&mut self, cause: Cause) {
        self.cause = cause;
    }

    /// What ends in the next call's data.
    pub(crate) fn units(&mut self, all: Vec<Unit>) {
        if let Cause::Data { units, .. } = &mut self.cause {
            *units = all;
        }
    }

    /// The next call's cause is this input.
    pub(crate) fn input(&mut self, conn: usize, input: &Input<'_>) {
        self.cause = match *input {
            Input::Data { .. } => Cause::Data { conn, units: Vec::new() },
            Input::Eof { .. } => Cause::Eof { conn },
            Input::Sent { bytes, refused, .. } => {
                Cause::Sent { conn, bytes: bytes as u64, is_refused: refused }
            }
            Input::Writable { .. } => Cause::Writable,
            _ => Cause::Lost { conn },
        };
    }

    /// What is wanted for a connection.
    pub(crate) fn wanted(&mut self, conn: usize, output: &Output) {
        self.acts.extend(match *output {
            Output::Pause(_) => Some(Act::Pause(conn)),
            Output::Resume(_) => Some(Act::Resume(conn)),
            Output::ShutdownWrite(_) => Some(Act::Shut(conn)),
            Output::Close { abort, .. } => Some(Act::Close(conn, abort)),
            _ => None,
        });
    }

    pub(crate) fn grown(&mut self, conn: usize, bytes: &[u8]) {
        match self.grown.last_mut() {
            Some((last, all)) if *last == conn => all.extend(bytes),
            _ => self.grown.push((conn, bytes.to_vec())),
        }
    }

    /// The call is over, and all of it is told.
    pub(crate) fn shut<S: Send + 'static>(&mut self, node: &Node<S>, verdicts: &mut Verdicts) {
        let mut heard = std::mem::take(&mut self.heard);
        heard.append(&mut self.records.lock().unwrap_or_else(PoisonError::into_inner));
        let cause = std::mem::replace(&mut self.cause, Cause::Outside);
        self.calls += 1;
        if let Some(ledger) = &self.ledger {
            ledger.compare(&heard, verdicts);
        }
        if let Some(shadow) = &mut self.shadow {
            let conn = cause.conn();
            let (records, acts, grown) = (&*heard, &*self.acts, &*self.grown);
            let call = Call { cause, records, acts, grown, stats: node.stats() };
            shadow.call(&call, node.server(), verdicts);
            if self.calls.is_multiple_of(ROOMS_EVERY) {
                shadow.compare_rooms(node.server(), verdicts);
            }
            let said = |id| node.server().is_writable(id).ok();
            if self.calls.is_multiple_of(WRITABLE_EVERY) {
                shadow.foretold(said, verdicts);
            } else if let Some(conn) = conn {
                shadow.foretold_behind(conn, said, verdicts);
            }
        }
        heard.clear();
        self.heard = heard;
        self.acts.clear();
        self.grown.clear();
    }

    /// After the shutdown.
    pub(crate) fn end(&self, server: &Server, hub: &mut Hub) {
        let Some(shadow) = &self.shadow else { return };
        shadow.compare_rooms(server, &mut hub.verdicts);
        hub.trace.note(hub.now, Entity::Node(1), || {
            let (all, undecided) = shadow.undecided();
            format!("of {all} sessions {undecided} are not judged")
        });
    }
}

impl Names for Server {
    fn name(&self, id: NamespaceId) -> String {
        self.namespace_name(id).into()
    }

    fn find(&self, name: &str) -> Option<NamespaceId> {
        self.find_namespace(name)
    }
}
