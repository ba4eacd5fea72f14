//! What the application did and was told, as its observer heard it.

use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};

use parlor::{
    AskError, AskId, Command, Event, Fanout, Handler, Instant, NamespaceId, NodeInput, Observer,
    Outcome, Payload, SendStatus, SocketId,
};

use crate::oracle::told::{Pending, Told};
use crate::shadow::record::{Record, Said};
use crate::trace::Scribe;

/// One thing that the application did or was told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen {
    /// For the rules, and in which turn.
    Told(u64, Told),
    /// A socket joined this namespace.
    Connect(SocketId, NamespaceId),
    /// A client's event is about to be handled: of its name and its first argument, and of all.
    Event(SocketId, (u64, u64)),
    /// The closure of an ask begins.
    Settled(SocketId, Option<AskId>, Settled),
    Disconnecting(SocketId),
    Disconnect(SocketId),
    Emit {
        socket: SocketId,
        print: u64,
        volatile: bool,
        is_binary: bool,
        status: SendStatus,
    },
    Ask {
        socket: SocketId,
        print: u64,
        outcome: Outcome,
    },
    Broadcast(NamespaceId, Broadcast),
    Join(SocketId, String),
    Leave(SocketId, String),
    /// A command to disconnect.
    Kick(SocketId),
}

impl Seen {
    /// Whether it may matter to other sockets than those whose connections tell. Numbers of asks
    /// are their namespace's; who is a member decides who gets a broadcast.
    pub(crate) fn is_about_all(&self) -> bool {
        match self {
            Self::Told(..) | Self::Event(..) | Self::Settled(..) | Self::Emit { .. } => false,
            Self::Ask { .. } | Self::Broadcast(..) => true,
            Self::Connect(..) | Self::Disconnecting(_) | Self::Disconnect(_) => true,
            Self::Join(..) | Self::Leave(..) | Self::Kick(_) => true,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Broadcast {
    pub(crate) rooms: Vec<Box<str>>,
    pub(crate) except: Vec<Box<str>>,
    pub(crate) sender: Option<SocketId>,
    pub(crate) print: u64,
    pub(crate) volatile: bool,
    pub(crate) fanout: Fanout,
}

/// What became of an ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// With this content.
    Answered(u64),
    BadAnswer,
    TimedOut,
    Disconnected,
    Dropped,
}

/// The list that fills up during a call, and is emptied after it.
pub(crate) type Log = Arc<Mutex<Vec<Seen>>>;

/// A number for what an event carries: its name, its arguments' text and its attachments.
pub(crate) fn print(event: &str, args: &str, attachments: &[impl AsRef<[u8]>]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut eat = |bytes: &[u8]| {
        for &byte in bytes {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        hash = (hash ^ bytes.len() as u64).wrapping_mul(0x0100_0000_01b3);
    };
    eat(event.as_bytes());
    eat(args.as_bytes());
    attachments.iter().for_each(|attachment| eat(attachment.as_ref()));
    hash
}

fn print_of(event: &str, args: &Payload) -> u64 {
    print(event, &args.to_json(), args.attachments())
}

/// The same for the shadow.
pub(crate) type Records = Arc<Mutex<Vec<Record>>>;

/// Puts what it hears on a [`Log`], and what the shadow reads on [`Records`].
pub(crate) struct Watcher {
    log: Log,
    records: Option<Records>,
    /// A command whose outcome follows, for the shadow.
    said: Option<Said>,
    /// The same.
    command: Option<Seen>,
    /// The same, for the rules.
    pending: Option<Pending>,
    /// Writes the records of a run that is recorded.
    scribe: Option<Scribe>,
}

impl Watcher {
    pub(crate) fn new(log: Log, records: Option<Records>, scribe: Option<Scribe>) -> Self {
        Self { log, records, said: None, command: None, pending: None, scribe }
    }

    fn record(&self, record: Record) {
        if let Some(records) = &self.records {
            records.lock().unwrap_or_else(PoisonError::into_inner).push(record);
        }
    }

    fn tell(&mut self, seen: Seen) {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    }

    fn rule(&mut self, turn: u64, told: Option<Told>) {
        told.into_iter().for_each(|told| self.tell(Seen::Told(turn, told)));
    }
}

impl Observer for Watcher {
    fn event(&mut self, turn: u64, event: &Event) {
        if let (Some(_), Some(record)) = (&self.records, Record::of_event(event)) {
            self.record(record);
        }
        self.rule(turn, Told::event(event));
        match event {
            Event::Connected { socket, namespace, .. } => {
                self.tell(Seen::Connect(*socket, *namespace));
            }
            Event::Message { socket, name, args, .. } => {
                let key = print(name, args.argument(0).unwrap_or_default(), &[] as &[&[u8]]);
                self.tell(Seen::Event(*socket, (key, print_of(name, args))));
            }
            Event::Disconnecting { socket, .. } => self.tell(Seen::Disconnecting(*socket)),
            Event::Disconnected { socket, .. } => {
                self.tell(Seen::Disconnect(*socket));
            }
            _ => {}
        }
    }

    fn input(&mut self, now: Instant, _input: &NodeInput<'_>) {
        if let Some(scribe) = &mut self.scribe {
            scribe.input(now);
        }
    }

    fn site(&mut self, site: &'static Location<'static>) {
        if let Some(scribe) = &mut self.scribe {
            scribe.site(site);
        }
    }

    fn handler(&mut self, turn: u64, handler: &Handler<'_>) {
        if let Some(scribe) = &mut self.scribe {
            scribe.handler(handler);
        }
        self.rule(turn, Told::handler(handler));
        let seen = match *handler {
            Handler::Settled { socket, ask, outcome } => {
                let settled = match outcome {
                    Ok(args) => Settled::Answered(print_of("", args)),
                    Err(AskError::TimedOut) => Settled::TimedOut,
                    Err(AskError::Disconnected) => Settled::Disconnected,
                    Err(AskError::Dropped) => Settled::Dropped,
                    Err(_) => Settled::BadAnswer,
                };
                Seen::Settled(socket, ask, settled)
            }
            _ => return,
        };
        self.tell(seen);
    }

    fn command(&mut self, _turn: u64, command: &Command<'_>) {
        self.said = self.records.as_ref().map(|_| Said::of(command));
        if let Some(scribe) = &mut self.scribe {
            scribe.command(command);
        }
        self.pending = Told::command(command);
        let status = SendStatus::Gone;
        self.command = Some(match *command {
            Command::Emit { socket, event, args, flags } => {
                let (print, is_binary) = (print_of(event, args), !args.attachments().is_empty());
                Seen::Emit { socket, print, volatile: flags.volatile, is_binary, status }
            }
            Command::Ask { socket, event, args, .. } => {
                Seen::Ask { socket, print: print_of(event, args), outcome: Outcome::Gone }
            }
            Command::Broadcast { to, event, args, flags } => {
                let broadcast = Broadcast {
                    rooms: to.rooms.to_vec(),
                    except: to.except.to_vec(),
                    sender: to.except_socket,
                    print: print_of(event, args),
                    volatile: flags.volatile,
                    fanout: Fanout::default(),
                };
                Seen::Broadcast(to.namespace, broadcast)
            }
            Command::Join { socket, room } => Seen::Join(socket, room.into()),
            Command::Leave { socket, room } => Seen::Leave(socket, room.into()),
            Command::Disconnect { socket } | Command::DisconnectSession { socket } => {
                Seen::Kick(socket)
            }
            _ => return,
        });
    }

    fn outcome(&mut self, turn: u64, told: &Outcome) {
        if let Some(said) = self.said.take() {
            self.record(Record::Said(said, *told));
        }
        if let Some(scribe) = &mut self.scribe {
            scribe.outcome(told);
        }
        let rule = self.pending.take().and_then(|pending| pending.outcome(told));
        self.rule(turn, rule);
        let Some(mut command) = self.command.take() else { return };
        match (&mut command, told) {
            (Seen::Emit { status, .. }, Outcome::Send(told)) => *status = *told,
            (Seen::Broadcast(_, broadcast), Outcome::Fanout(told)) => broadcast.fanout = *told,
            (Seen::Ask { outcome, .. }, told) => *outcome = *told,
            (Seen::Join(..), Outcome::Done(false) | Outcome::Gone | Outcome::Limited) => return,
            _ => {}
        }
        self.tell(command);
    }
}
