//! Socket.IO protocol 5: sockets in namespaces, rooms, events, acknowledgements. Knows sessions
//! and messages; knows no connection and no byte on a wire.
//!
//! A socket's life:
//!
//! | state | what comes | next |
//! |---|---|---|
//! | | CONNECT to a known namespace | `Reading` |
//! | `Reading` | the end of the payload or read it came in | `Deciding`, or `Connected` where nobody decides |
//! | `Deciding` | the application admits | `Connected` |
//! | `Deciding` | it refuses, or `decision_timeout` | gone, CONNECT_ERROR |
//! | `Reading`, `Deciding` | its session's end | gone, no event but `Abandoned` |
//! | `Reading`, `Deciding` | any packet for the namespace | its session is closed |
//! | `Connected` | DISCONNECT, `disconnect`, its session's end | `Leaving`, or gone where nobody is told first |
//! | `Leaving` | `release`, or the next input | gone, `Disconnected` |

mod ask;
pub(crate) mod binary;
mod broadcast;
mod connect;
mod disconnect;
mod json;
pub(crate) mod packet;
mod rooms;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use slab::Slab;
use smallvec::SmallVec;

use crate::context::Context;
use crate::engineio::{Engine, Load, Up};
use crate::error::{CloseReason, DisconnectReason, SendStatus};
use crate::event::{AckToken, Event, Message};
use crate::id::{NamespaceId, SessionId, SocketId};
use crate::payload::Payload;
use crate::terms::Flags;
use crate::timer::{Armed, Due};
use binary::{DecodeLimits, Decoder};
use packet::{Packet, PacketKind};

/// Everything above the engine.
pub(crate) struct SocketIo {
    namespaces: Vec<Namespace>,
    /// By name. The server chooses the keys; clients only look up.
    names: BTreeMap<Box<str>, NamespaceId>,
    /// By the index of their session.
    clients: Vec<Option<Client>>,
    sockets: Slab<Socket>,
    rooms: rooms::Rooms,
    asks: ask::Asks,
    /// CONNECTs that were read from the current payload or read.
    reading: Vec<connect::Join>,
    /// Sockets whose end was announced, in that order; those released out of it stay until their
    /// turn comes.
    leaving: VecDeque<SocketId>,
    connects_pending: u32,
    /// The number of the last broadcast; whom it has looked at bears it.
    marks: u32,
    /// Reused: a packet being written, and who gets it.
    scratch: Vec<u8>,
    recipients: Vec<u32>,
}

struct Namespace {
    name: Box<str>,
    /// Connected sockets.
    members: Vec<u32>,
    /// The application decides who may join.
    decides: bool,
    ask_next: u64,
}

/// The sockets of one session.
struct Client {
    session: SessionId,
    decoder: Decoder,
    sockets: SmallVec<[u32; 2]>,
    /// Namespaces that the server left and the client may not know about yet.
    left: SmallVec<[NamespaceId; 2]>,
    /// Until it has joined a namespace.
    timeout: Option<Armed>,
    /// Its session is being closed: whatever it still sends is ignored.
    closing: bool,
}

struct Socket {
    id: SocketId,
    session: SessionId,
    namespace: NamespaceId,
    state: State,
    /// Its place among the members of its namespace.
    seat: u32,
    /// Whether it is in the room of its own id, which has no entry of its own.
    own_room: bool,
    rooms: rooms::Seats,
    /// The last broadcast that has looked at it.
    mark: u32,
    asks: u32,
}

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Deciding(Armed),
    Connected,
    Leaving(DisconnectReason),
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Socket>() <= 96 && size_of::<Option<Client>>() <= 88);

impl SocketIo {
    pub(crate) fn new(cx: &mut Context) -> Self {
        Self {
            namespaces: Vec::new(),
            names: BTreeMap::new(),
            clients: Vec::new(),
            sockets: Slab::new(),
            rooms: rooms::Rooms::new(cx.rng.secret()),
            asks: ask::Asks::default(),
            reading: Vec::new(),
            leaving: VecDeque::new(),
            connects_pending: 0,
            marks: 0,
            scratch: Vec::new(),
            recipients: Vec::new(),
        }
    }

    /// Registers a namespace, or finds it.
    pub(crate) fn namespace(&mut self, name: &str) -> NamespaceId {
        let name = match name.starts_with('/') {
            true => Box::from(name),
            false => ["/", name].concat().into_boxed_str(),
        };
        if let Some(&id) = self.names.get(&name) {
            return id;
        }
        let id = NamespaceId(self.namespaces.len() as u32);
        let namespace =
            Namespace { name: name.clone(), members: Vec::new(), decides: false, ask_next: 0 };
        self.namespaces.push(namespace);
        self.names.insert(name, id);
        id
    }

    pub(crate) fn find_namespace(&self, name: &str) -> Option<NamespaceId> {
        self.names.get(name).copied()
    }

    pub(crate) fn namespace_name(&self, id: NamespaceId) -> &str {
        &self.namespaces[id.0 as usize].name
    }

    pub(crate) fn decide_connects(&mut self, id: NamespaceId, decide: bool) {
        self.namespaces[id.0 as usize].decides = decide;
    }

    /// Something that the engine tells.
    pub(crate) fn up(&mut self, cx: &mut Context, engine: &mut Engine, up: Up) {
        match up {
            Up::Opened(session) => self.opened(cx, session),
            Up::Message(session, message) => self.message(cx, engine, session, message),
            Up::Upgraded(session) => {
                if cx.config.session_events {
                    cx.event(Event::SessionUpgraded { session });
                }
            }
            Up::Closed(session, reason) => self.closed(cx, session, reason),
        }
    }

    fn opened(&mut self, cx: &mut Context, session: SessionId) {
        let at = cx.now + cx.config.connect_timeout;
        let timeout = Some(cx.timers.arm(at, Due::ConnectTimeout(session)));
        if self.clients.len() <= session.index() {
            self.clients.resize_with(session.index() + 1, || None);
        }
        self.clients[session.index()] = Some(Client {
            session,
            decoder: Decoder::default(),
            sockets: SmallVec::new(),
            left: SmallVec::new(),
            timeout,
            closing: false,
        });
        if cx.config.session_events {
            cx.event(Event::SessionOpened { session });
        }
    }

    fn message(
        &mut self,
        cx: &mut Context,
        engine: &mut Engine,
        session: SessionId,
        message: Message,
    ) {
        let limits = DecodeLimits {
            attachments_max: cx.config.limits.attachments_max,
            attachment_bytes_max: cx.config.limits.attachment_bytes_max,
            json_depth_max: cx.config.limits.json_depth_max,
        };
        let Some(client) = self.client_mut(session).filter(|client| !client.closing) else {
            return;
        };
        let packet = match message {
            Message::Text(text) => client.decoder.text(text, &limits),
            Message::Binary(bytes) => client.decoder.binary(bytes, &limits),
        };
        match packet {
            Ok(None) => {}
            Ok(Some(packet)) => self.packet(cx, engine, session, packet),
            Err(_) => self.violated(cx, engine, session),
        }
    }

    fn packet(
        &mut self,
        cx: &mut Context,
        engine: &mut Engine,
        session: SessionId,
        packet: Packet,
    ) {
        let namespace = self.find_namespace(&packet.namespace);
        let socket = namespace.and_then(|namespace| self.member(session, namespace));
        match (packet.kind, socket) {
            (PacketKind::Connect { auth }, None) => {
                self.connect(cx, session, namespace, packet.namespace, auth);
            }
            (PacketKind::Connect { .. } | PacketKind::ConnectError, _) => {
                self.violated(cx, engine, session);
            }
            (kind, Some(index)) if self.sockets[index as usize].state == State::Connected => {
                self.deliver(cx, index, kind);
            }
            (_, _) if namespace.is_some_and(|namespace| self.has_left(session, namespace)) => {
                cx.stats.packets_late += 1;
            }
            (_, _) => self.violated(cx, engine, session),
        }
    }

    fn deliver(&mut self, cx: &mut Context, index: u32, kind: PacketKind) {
        let socket = self.sockets[index as usize].id;
        match kind {
            PacketKind::Event { id, name, args } => {
                cx.stats.messages_received += 1;
                let ack = id.map(|id| AckToken { socket, id });
                cx.event(Event::Message { socket, name, args, ack });
            }
            PacketKind::Ack { id, args } => self.answered(cx, index, id, args),
            PacketKind::Disconnect => {
                self.leave_namespace(cx, index, DisconnectReason::ClientNamespace);
            }
            PacketKind::Connect { .. } | PacketKind::ConnectError => {
                unreachable!("handled before")
            }
        }
    }

    /// The client broke the protocol: its sockets go, and its session.
    pub(crate) fn violated(&mut self, cx: &mut Context, engine: &mut Engine, session: SessionId) {
        cx.stats.packets_bad += 1;
        self.end_client(cx, engine, session, DisconnectReason::ForcedServerClose);
    }

    /// All sockets of a session go, and then the session.
    fn end_client(
        &mut self,
        cx: &mut Context,
        engine: &mut Engine,
        session: SessionId,
        reason: DisconnectReason,
    ) {
        if let Some(client) = self.client_mut(session) {
            client.closing = true;
        }
        self.leave_all_namespaces(cx, session, reason);
        engine.close(cx, session, false);
    }

    /// It joined no namespace in time.
    pub(crate) fn connect_expired(
        &mut self,
        cx: &mut Context,
        engine: &mut Engine,
        session: SessionId,
    ) {
        if let Some(client) = self.client_mut(session) {
            client.timeout = None;
        }
        self.end_client(cx, engine, session, DisconnectReason::ForcedServerClose);
    }

    fn closed(&mut self, cx: &mut Context, session: SessionId, reason: CloseReason) {
        self.leave_all_namespaces(cx, session, reason.into());
        let client = self.clients.get_mut(session.index()).and_then(Option::take);
        cx.timers.cancel(client.and_then(|client| client.timeout));
        if cx.config.session_events {
            cx.event(Event::SessionClosed { session, reason });
        }
    }

    fn client_mut(&mut self, session: SessionId) -> Option<&mut Client> {
        let client = self.clients.get_mut(session.index())?.as_mut()?;
        (client.session == session).then_some(client)
    }

    fn client(&self, session: SessionId) -> Option<&Client> {
        let client = self.clients.get(session.index())?.as_ref()?;
        (client.session == session).then_some(client)
    }

    fn has_left(&self, session: SessionId, namespace: NamespaceId) -> bool {
        self.client(session).is_some_and(|client| client.left.contains(&namespace))
    }

    /// The socket of a session in a namespace. One that is leaving is no longer it: its client
    /// may join anew in the same read.
    fn member(&self, session: SessionId, namespace: NamespaceId) -> Option<u32> {
        let is_it = |&index: &u32| {
            let socket = &self.sockets[index as usize];
            socket.namespace == namespace && !matches!(socket.state, State::Leaving(_))
        };
        self.client(session)?.sockets.iter().copied().find(is_it)
    }

    fn index(&self, id: SocketId) -> Option<u32> {
        let socket = self.sockets.get(id.index as usize)?;
        (socket.id == id).then_some(id.index)
    }

    fn find(&self, id: SocketId) -> Option<&Socket> {
        self.sockets.get(id.index as usize).filter(|socket| socket.id == id)
    }
}

/// Sending to one.
impl SocketIo {
    pub(crate) fn emit(
        &mut self,
        cx: &mut Context,
        engine: &mut Engine,
        to: SocketId,
        event: &str,
        args: &Payload,
        flags: Flags,
    ) -> SendStatus {
        if packet::is_reserved(event) {
            cx.stats.emits_invalid += 1;
            return SendStatus::Invalid;
        }
        let Some(index) = self.index(to) else {
            cx.stats.commands_gone += 1;
            return SendStatus::Gone;
        };
        self.write_event(cx, engine, index, None, event, args, flags)
    }

    #[expect(clippy::too_many_arguments, reason = "what an EVENT packet is made of")]
    fn write_event(
        &mut self,
        cx: &mut Context,
        engine: &mut Engine,
        index: u32,
        id: Option<u64>,
        event: &str,
        args: &Payload,
        flags: Flags,
    ) -> SendStatus {
        let attachments = &args.attachments;
        self.write(cx, engine, index, attachments, flags.volatile, |out, namespace| {
            packet::encode_event(out, namespace, id, event, args);
        })
    }

    /// The application answers a client.
    pub(crate) fn answer(
        &mut self,
        cx: &mut Context,
        engine: &mut Engine,
        token: AckToken,
        args: &Payload,
    ) -> SendStatus {
        let Some(index) = self.index(token.socket) else {
            cx.stats.answers_gone += 1;
            return SendStatus::Gone;
        };
        self.write(cx, engine, index, &args.attachments, false, |out, namespace| {
            packet::encode_ack(out, namespace, token.id, args);
        })
    }

    /// Writes one packet that says where a socket is.
    fn write_state(
        &mut self,
        cx: &mut Context,
        engine: &mut Engine,
        index: u32,
        encode: impl FnOnce(&mut Vec<u8>, &str),
    ) {
        let socket = &self.sockets[index as usize];
        let name = &*self.namespaces[socket.namespace.0 as usize].name;
        with_message(
            &mut self.scratch,
            |out| encode(out, name),
            |text| {
                let load = Load::Parcel { text: Some(text), attachments: &[] };
                engine.send_state(cx, socket.session, load);
            },
        );
    }

    /// Writes one packet for one socket.
    fn write(
        &mut self,
        cx: &mut Context,
        engine: &mut Engine,
        index: u32,
        attachments: &[crate::Bytes],
        volatile: bool,
        encode: impl FnOnce(&mut Vec<u8>, &str),
    ) -> SendStatus {
        let socket = &self.sockets[index as usize];
        if let State::Leaving(_) = socket.state {
            return SendStatus::Gone;
        }
        let name = &*self.namespaces[socket.namespace.0 as usize].name;
        with_message(
            &mut self.scratch,
            |out| encode(out, name),
            |text| {
                let load = Load::Parcel { text: Some(text), attachments };
                engine.send(cx, socket.session, load, volatile)
            },
        )
    }

    /// A packet that concerns no socket: a refusal.
    fn write_refusal(
        &mut self,
        cx: &mut Context,
        engine: &mut Engine,
        session: SessionId,
        namespace: &str,
        message: &str,
        data: Option<&str>,
    ) {
        with_message(
            &mut self.scratch,
            |out| packet::encode_connect_error(out, namespace, message, data),
            |text| {
                let load = Load::Parcel { text: Some(text), attachments: &[] };
                engine.send_state(cx, session, load);
            },
        );
    }
}

/// Writes a packet as a message of the engine into a buffer that is reused, and hands it on. What
/// one large packet took is not kept.
fn with_message<R>(
    scratch: &mut Vec<u8>,
    encode: impl FnOnce(&mut Vec<u8>),
    then: impl FnOnce(&[u8]) -> R,
) -> R {
    const SCRATCH_BYTES_MAX: usize = 64 * 1024;
    scratch.clear();
    scratch.push(b'4');
    encode(scratch);
    let result = then(scratch);
    if scratch.capacity() > SCRATCH_BYTES_MAX {
        *scratch = Vec::new();
    }
    result
}

/// Looking.
impl SocketIo {
    pub(crate) fn is_connected(&self, id: SocketId) -> bool {
        self.find(id).is_some_and(|socket| socket.state == State::Connected)
    }

    pub(crate) fn is_present(&self, id: SocketId) -> bool {
        self.find(id).is_some()
    }

    pub(crate) fn namespace_of(&self, id: SocketId) -> Option<NamespaceId> {
        self.find(id).map(|socket| socket.namespace)
    }

    pub(crate) fn session_of(&self, id: SocketId) -> Option<SessionId> {
        self.find(id).map(|socket| socket.session)
    }

    pub(crate) fn sockets_of(&self, session: SessionId) -> Vec<SocketId> {
        let Some(client) = self.client(session) else { return Vec::new() };
        client.sockets.iter().map(|&index| self.sockets[index as usize].id).collect()
    }
}
