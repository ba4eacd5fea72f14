//! What a node's observer is told, as the shadow keeps it: commands with what they returned, and
//! the events that say who is who.

use parlor::{
    AskError, AskId, Bytes, Command, Event, NamespaceId, Outcome, Payload, SessionId, SocketId,
};

use crate::client::json;

/// One thing that the program was told, or said.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    /// Somebody asks to join a namespace that decides.
    Knocks {
        socket: SocketId,
        session: SessionId,
        namespace: NamespaceId,
    },
    /// Somebody has joined.
    Joined {
        socket: SocketId,
        session: SessionId,
        namespace: NamespaceId,
    },
    /// A socket ended; before its handlers, and after them.
    Ending(SocketId),
    Ended(SocketId),
    /// A connecting socket is no more.
    Abandoned(SocketId),
    Settled {
        ask: AskId,
        socket: SocketId,
        was_dropped: bool,
    },
    /// A session that was behind has caught up.
    Drained(SessionId),
    Said(Said, Outcome),
}

/// A command.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Emit {
        socket: SocketId,
        what: What,
        is_volatile: bool,
    },
    Ask {
        socket: SocketId,
        what: What,
        is_volatile: bool,
    },
    Broadcast {
        to: Audience,
        what: What,
        is_volatile: bool,
    },
    Answer {
        socket: SocketId,
        id: u64,
        args: String,
        attachments: Vec<Bytes>,
    },
    Join {
        socket: SocketId,
        room: Box<str>,
    },
    Leave {
        socket: SocketId,
        room: Box<str>,
    },
    Disconnect {
        socket: SocketId,
    },
    DisconnectSession {
        socket: SocketId,
    },
    CloseSession {
        session: SessionId,
    },
    Admit {
        socket: SocketId,
    },
    Refuse {
        socket: SocketId,
        message: String,
        data: Option<String>,
    },
    Shutdown,
    /// What writes nothing, or is of another mode.
    Other,
}

/// An event: the JSON of its name and arguments.
#[derive(Clone, Debug)]
pub(crate) struct What {
    pub(crate) data: String,
    pub(crate) attachments: Vec<Bytes>,
    /// Whether its name is one that nobody may emit.
    pub(crate) is_reserved: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Audience {
    pub(crate) namespace: NamespaceId,
    pub(crate) rooms: Vec<Box<str>>,
    pub(crate) except: Vec<Box<str>>,
    pub(crate) except_socket: Option<SocketId>,
}

impl Record {
    pub(crate) fn of_event(event: &Event) -> Option<Self> {
        Some(match *event {
            Event::Connect(ref pending) => Self::Knocks {
                socket: pending.socket(),
                session: pending.session(),
                namespace: pending.namespace(),
            },
            Event::Connected { socket, session, namespace, .. } => {
                Self::Joined { socket, session, namespace }
            }
            Event::Disconnecting { socket, .. } => Self::Ending(socket),
            Event::Disconnected { socket, .. } => Self::Ended(socket),
            Event::Abandoned { socket } => Self::Abandoned(socket),
            Event::Drained { session } => Self::Drained(session),
            Event::Settled { ask, socket, ref outcome } => {
                let was_dropped = matches!(outcome, Err(AskError::Dropped));
                Self::Settled { ask, socket, was_dropped }
            }
            _ => return None,
        })
    }
}

impl Said {
    pub(crate) fn of(command: &Command<'_>) -> Self {
        match *command {
            Command::Emit { socket, event, args, flags } => {
                Self::Emit { socket, what: What::new(event, args), is_volatile: flags.volatile }
            }
            Command::Ask { socket, event, args, flags, .. } => {
                Self::Ask { socket, what: What::new(event, args), is_volatile: flags.volatile }
            }
            Command::Broadcast { to, event, args, flags } => {
                let to = Audience {
                    namespace: to.namespace,
                    rooms: to.rooms.to_vec(),
                    except: to.except.to_vec(),
                    except_socket: to.except_socket,
                };
                Self::Broadcast { to, what: What::new(event, args), is_volatile: flags.volatile }
            }
            Command::Answer { socket, id, args } => {
                let attachments = args.attachments().to_vec();
                Self::Answer { socket, id, args: args.to_json(), attachments }
            }
            Command::Join { socket, room } => Self::Join { socket, room: room.into() },
            Command::Leave { socket, room } => Self::Leave { socket, room: room.into() },
            Command::Disconnect { socket } => Self::Disconnect { socket },
            Command::DisconnectSession { socket } => Self::DisconnectSession { socket },
            Command::CloseSession { session } => Self::CloseSession { session },
            Command::Admit { socket } => Self::Admit { socket },
            Command::Refuse { socket, message, data } => {
                let (message, data) = (message.into(), data.map(Into::into));
                Self::Refuse { socket, message, data }
            }
            Command::Shutdown => Self::Shutdown,
            _ => Self::Other,
        }
    }
}

impl What {
    fn new(event: &str, args: &Payload) -> Self {
        // The names that the protocol's library keeps for itself.
        const RESERVED: [&str; 6] = [
            "connect",
            "connect_error",
            "disconnect",
            "disconnecting",
            "newListener",
            "removeListener",
        ];
        let args_json = args.to_json();
        let comma = if args.is_empty() { "" } else { "," };
        let data = format!("[{}{comma}{}", json::quoted(event), &args_json[1..]);
        let is_reserved = RESERVED.contains(&event);
        Self { data, attachments: args.attachments().to_vec(), is_reserved }
    }
}
