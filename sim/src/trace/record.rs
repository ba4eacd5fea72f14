//! What a recorded run keeps: one record for each thing that happened, with what caused it.

use std::fmt;
use std::str::FromStr;

use super::value::Value;

/// Where something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Entity {
    /// A server, from 1 on.
    Node(u32),
    /// The program.
    App,
    /// A client.
    Client(u32),
    /// A client's connection, from 1 on.
    Conn(u32, u32),
    /// A session.
    Session(u32),
    /// What joins nodes.
    Bus,
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(n) => write!(f, "n{n}"),
            Self::App => f.write_str("app"),
            Self::Client(n) => write!(f, "c{n}"),
            Self::Conn(client, n) => write!(f, "c{client}/{n}"),
            Self::Session(n) => write!(f, "s{n}"),
            Self::Bus => f.write_str("bus"),
        }
    }
}

impl FromStr for Entity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |digits: &str| digits.parse().ok();
        let read = || match text {
            "app" => Some(Self::App),
            "bus" => Some(Self::Bus),
            _ => match (text.get(..1)?, text.get(1..)?) {
                ("n", rest) => number(rest).map(Self::Node),
                ("s", rest) => number(rest).map(Self::Session),
                ("c", rest) => match rest.split_once('/') {
                    Some((client, n)) => Some(Self::Conn(number(client)?, number(n)?)),
                    None => number(rest).map(Self::Client),
                },
                _ => None,
            },
        };
        read().ok_or_else(|| format!("{text:?} is no entity"))
    }
}

/// One thing that happened. Its number is its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// When, in microseconds.
    pub t: u64,
    /// The number of the record that caused it.
    pub cause: Option<u32>,
    /// Where.
    pub at: Entity,
    /// What.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Something was handed to the node, in this turn.
    In(u64, Input),
    /// The node wants something done with a connection, or shows bytes for it.
    Out(u32, Output),
    /// The program did something, or was told.
    App(App),
    /// Bytes on a wire.
    Net(Net),
    /// A client read or wrote one unit: a request, an answer, a frame.
    Peer(Peer),
    /// A fault begins, or ends.
    Fault(Fault),
    /// A mark was hit.
    Mark(Box<str>),
    /// What an oracle found.
    Oracle {
        /// The property.
        id: Box<str>,
        /// `pass` or `fail`.
        verdict: Box<str>,
        /// What happened instead.
        text: Box<str>,
    },
    /// What the world knows of an entity: the fields that have changed.
    Shadow {
        /// Of whom.
        of: Box<str>,
        /// What changed.
        fields: Vec<(Box<str>, Value)>,
    },
    /// How often the worlds that may follow fail: until when this one is repeated, how many of
    /// them fail, and of how many.
    When(Vec<(u64, u32, u32)>),
    /// A word about it.
    Note(Box<str>),
}

/// What a node is given.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields of a node's inputs, named as there")]
pub enum Input {
    Accept { conn: u32, peer: Box<str> },
    Data { conn: u32, bytes: Box<[u8]> },
    Eof { conn: u32 },
    Lost { conn: u32 },
    Writable { conn: u32 },
    Sent { conn: u32, bytes: u64, refused: bool },
    Timeout { why: Box<str> },
    Job { number: Option<u64>, job: Box<str>, site: Option<Box<str>>, args: Box<str> },
    Shutdown,
}

impl Input {
    /// The connection that it is about.
    pub(crate) fn conn(&self) -> Option<u32> {
        match *self {
            Self::Accept { conn, .. }
            | Self::Data { conn, .. }
            | Self::Eof { conn }
            | Self::Lost { conn }
            | Self::Writable { conn }
            | Self::Sent { conn, .. } => Some(conn),
            Self::Timeout { .. } | Self::Job { .. } | Self::Shutdown => None,
        }
    }
}

/// What a node wants.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "a node's outputs, named as there")]
pub enum Output {
    /// Bytes are there, and the packets that are whole with them.
    Grow {
        bytes: Box<[u8]>,
        packets: Vec<Box<str>>,
    },
    Flush,
    Pause,
    Resume,
    Shut,
    Close {
        abort: bool,
    },
}

/// What a program does and is told. Sockets are their printed ids.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "they are explained in the table of `trace.jsonl`")]
pub enum App {
    Enter { sock: Option<Box<str>>, event: Box<str>, args: Box<str> },
    Exit { sock: Option<Box<str>>, event: Box<str> },
    Command(Box<Command>),
    Ask { id: u64, sock: Box<str>, event: Box<str>, deadline: u64 },
    Settle { id: Option<u64>, sock: Box<str>, outcome: Box<str>, args: Box<str> },
}

/// What a program told the server to do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Command {
    /// `emit`, `ask`, `broadcast`, ...
    pub cmd: Box<str>,
    /// The place in the source that gave it, if it is known.
    pub site: Option<Box<str>>,
    /// A socket, or rooms.
    pub to: Box<str>,
    /// The name of what is sent, or the room.
    pub event: Box<str>,
    /// A JSON array, or nothing.
    pub args: Box<str>,
    /// Sent now or never.
    pub volatile: bool,
    /// What became of it, for each recipient that is known: the socket, a word, and why.
    pub out: Vec<Became>,
    /// What became of a broadcast: sent, backlogged, dropped.
    pub fanout: Option<[u32; 3]>,
    /// Dropped because of this, if only one thing can be why.
    pub why: Option<Box<str>>,
}

/// Of one recipient: the socket, a word for what became of it, and why.
pub type Became = (Box<str>, Box<str>, Option<Box<str>>);

/// What a segment does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is put onto the wire.
    Send {
        /// When it arrives, unless it is lost.
        due: u64,
    },
    /// It arrives.
    Receive,
    /// It, or what has arrived and nobody has read, is gone.
    Lose,
}

/// A segment, by the offsets of its bytes in its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are explained in the table of `trace.jsonl`")]
pub struct Net {
    pub step: Step,
    pub conn: u32,
    pub dir: Dir,
    pub from: u64,
    pub to: u64,
    pub flag: Flag,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dir {
    /// To the server.
    Up,
    /// To the client.
    Down,
}

/// What a segment says besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "TCP's words")]
pub enum Flag {
    None,
    Syn,
    Fin,
    Rst,
}

impl Flag {
    /// As a field.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Syn => Some("syn"),
            Self::Fin => Some("fin"),
            Self::Rst => Some("rst"),
        }
    }
}

/// One unit of a client's conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// Written by the client, or read by it.
    pub is_said: bool,
    /// On which connection.
    pub conn: u32,
    /// What it means: a packet, a request with its packets, an answer with its packets.
    pub unit: Box<str>,
    /// The offset behind it.
    pub end: u64,
    /// The bytes since the unit before.
    pub bytes: Box<[u8]>,
}

/// A fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// It begins; else it ends.
    pub is_on: bool,
    /// Its name.
    pub fault: Box<str>,
    /// Its magnitudes.
    pub parameters: Vec<(Box<str>, u64)>,
}

impl What {
    /// The kind, as `trace.jsonl` and the text name it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::In(_, input) => match input {
                Input::Accept { .. } => "in.accept",
                Input::Data { .. } => "in.data",
                Input::Eof { .. } => "in.eof",
                Input::Lost { .. } => "in.lost",
                Input::Writable { .. } => "in.writable",
                Input::Sent { .. } => "in.sent",
                Input::Timeout { .. } => "in.timeout",
                Input::Job { .. } => "in.job",
                Input::Shutdown => "in.shutdown",
            },
            Self::Out(_, output) => match output {
                Output::Grow { .. } => "out.grow",
                Output::Flush => "out.flush",
                Output::Pause => "out.pause",
                Output::Resume => "out.resume",
                Output::Shut => "out.shut",
                Output::Close { .. } => "out.close",
            },
            Self::App(app) => match app {
                App::Enter { .. } => "app.enter",
                App::Exit { .. } => "app.exit",
                App::Command(_) => "app.cmd",
                App::Ask { .. } => "app.ask",
                App::Settle { .. } => "app.settle",
            },
            Self::Net(net) => match net.step {
                Step::Send { .. } => "net.send",
                Step::Receive => "net.recv",
                Step::Lose => "net.lose",
            },
            Self::Peer(Peer { is_said: true, .. }) => "peer.say",
            Self::Peer(_) => "peer.hear",
            Self::Fault(Fault { is_on: true, .. }) => "fault.on",
            Self::Fault(_) => "fault.off",
            Self::Mark(_) => "mark",
            Self::Oracle { .. } => "oracle",
            Self::Shadow { .. } => "shadow",
            Self::When(_) => "when",
            Self::Note(_) => "note",
        }
    }

    /// The connection that it is about.
    pub fn conn(&self) -> Option<u32> {
        match self {
            Self::In(_, input) => input.conn(),
            Self::Out(conn, _) => Some(*conn),
            Self::Net(net) => Some(net.conn),
            Self::Peer(peer) => Some(peer.conn),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_is_read_as_it_is_written() {
        let all = [
            Entity::Node(1),
            Entity::App,
            Entity::Client(0),
            Entity::Conn(3, 2),
            Entity::Session(5),
            Entity::Bus,
        ];
        for entity in all {
            assert_eq!(entity.to_string().parse(), Ok(entity));
        }
        for bad in ["", "x1", "c", "c1/", "n", "\u{e9}1"] {
            assert!(bad.parse::<Entity>().is_err(), "{bad}");
        }
    }
}
