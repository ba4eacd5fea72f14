//! Joining a namespace.

use bytestring::ByteString;
use smallvec::SmallVec;

use super::{SocketIo, State, packet};
use crate::context::Context;
use crate::engineio::Engine;
use crate::error::Gone;
use crate::event::{Event, PendingConnect, RoomEvent};
use crate::id::{NamespaceId, SessionId, SocketId, ascii};
use crate::payload::Payload;
use crate::timer::Due;

/// A CONNECT that was read. It is completed when the payload or read that it came in is over.
pub(super) enum Join {
    Socket { socket: SocketId, auth: Payload },
    Refused { session: SessionId, namespace: ByteString, message: &'static str },
}

impl SocketIo {
    /// A CONNECT for a namespace in which the session has no socket.
    pub(super) fn connect(
        &mut self,
        cx: &mut Context,
        session: SessionId,
        namespace: Option<NamespaceId>,
        name: ByteString,
        auth: Payload,
    ) {
        let limits = &cx.config.limits;
        let full = self.connects_pending >= limits.connects_pending_max;
        let namespaces_max = limits.namespaces_per_session_max as usize;
        let Some(client) = self.client(session) else { return };
        // One that leaves in the same payload makes room.
        let stays =
            |&&index: &&u32| !matches!(self.sockets[index as usize].state, State::Leaving(_));
        let many = client.sockets.iter().filter(stays).count() >= namespaces_max;
        let namespace = match namespace {
            Some(namespace) if !full && !many => namespace,
            refused => {
                cx.stats.limits_hit += u64::from(refused.is_some());
                let message = match refused {
                    None => "Invalid namespace",
                    Some(_) => "limit reached",
                };
                return self.reading.push(Join::Refused { session, namespace: name, message });
            }
        };
        if let Some(client) = self.client_mut(session) {
            client.left.retain(|left| *left != namespace);
        }
        // What the reference shows as `handshake.auth`.
        let auth = match auth.is_empty() {
            true => Payload::empty_object(),
            false => auth,
        };
        let entry = self.sockets.vacant_entry();
        let socket = SocketId { index: entry.key() as u32, secret: cx.rng.secret() };
        entry.insert(super::Socket {
            id: socket,
            session,
            namespace,
            state: State::Reading,
            seat: 0,
            own_room: false,
            rooms: SmallVec::new(),
            mark: 0,
            asks: 0,
        });
        self.client_mut(session).expect("found above").sockets.push(socket.index);
        self.connects_pending += 1;
        self.reading.push(Join::Socket { socket, auth });
    }

    /// Everything that came with the CONNECTs has been read.
    pub(crate) fn complete_connects(&mut self, cx: &mut Context, engine: &mut Engine) {
        for join in core::mem::take(&mut self.reading) {
            match join {
                Join::Socket { socket, auth } => self.complete_connect(cx, engine, socket, auth),
                Join::Refused { session, namespace, message } => {
                    cx.stats.connects_refused += 1;
                    self.write_refusal(cx, engine, session, &namespace, message, None);
                }
            }
        }
    }

    fn complete_connect(
        &mut self,
        cx: &mut Context,
        engine: &mut Engine,
        id: SocketId,
        auth: Payload,
    ) {
        let Some(index) = self.index(id) else { return };
        let socket = &mut self.sockets[index as usize];
        let (session, namespace) = (socket.session, socket.namespace);
        if !self.namespaces[namespace.0 as usize].decides {
            return self.enter(cx, engine, index, auth);
        }
        let at = cx.now + cx.config.decision_timeout();
        socket.state = State::Deciding(cx.timers.arm(at, Due::Connect(id)));
        cx.event(Event::Connect(PendingConnect { socket: id, session, namespace, auth }));
    }

    /// The application lets it in.
    pub(crate) fn admit(
        &mut self,
        cx: &mut Context,
        engine: &mut Engine,
        pending: PendingConnect,
    ) -> Result<(), Gone> {
        let index = self.decided(cx, pending.socket)?;
        self.enter(cx, engine, index, pending.auth);
        Ok(())
    }

    /// The application refuses it.
    pub(crate) fn refuse(
        &mut self,
        cx: &mut Context,
        engine: &mut Engine,
        pending: PendingConnect,
        message: &str,
        data: Option<&str>,
    ) -> Result<(), Gone> {
        let index = self.decided(cx, pending.socket)?;
        self.turn_away(cx, engine, index, message, data);
        Ok(())
    }

    /// The decision took too long.
    pub(crate) fn decision_expired(&mut self, cx: &mut Context, engine: &mut Engine, id: SocketId) {
        let Some(index) = self.index(id) else { return };
        cx.stats.connects_refused += 1;
        self.turn_away(cx, engine, index, "timed out", None);
        cx.event(Event::Abandoned { socket: id });
    }

    fn decided(&mut self, cx: &mut Context, id: SocketId) -> Result<u32, Gone> {
        let Some(index) = self.index(id) else {
            cx.stats.commands_gone += 1;
            return Err(Gone);
        };
        match self.sockets[index as usize].state {
            State::Deciding(deadline) => cx.timers.cancel(Some(deadline)),
            _ => return Err(Gone),
        }
        Ok(index)
    }

    fn turn_away(
        &mut self,
        cx: &mut Context,
        engine: &mut Engine,
        index: u32,
        message: &str,
        data: Option<&str>,
    ) {
        let socket = &self.sockets[index as usize];
        let (session, namespace) = (socket.session, socket.namespace);
        let name = self.namespaces[namespace.0 as usize].name.clone();
        self.forget(cx, index);
        self.write_refusal(cx, engine, session, &name, message, data);
    }

    /// It is in: the CONNECT packet goes before whatever the application sends.
    fn enter(&mut self, cx: &mut Context, engine: &mut Engine, index: u32, auth: Payload) {
        self.connects_pending -= 1;
        let socket = &mut self.sockets[index as usize];
        let (id, session, namespace) = (socket.id, socket.session, socket.namespace);
        let members = &mut self.namespaces[namespace.0 as usize].members;
        socket.state = State::Connected;
        socket.seat = members.len() as u32;
        members.push(index);
        if !socket.own_room {
            socket.own_room = true;
            self.own_room_event(cx, id, namespace, true);
        }
        self.write_state(cx, engine, index, |out, name| {
            packet::encode_connect(out, name, ascii(&id.encode()));
        });
        if let Some(client) = self.client_mut(session) {
            cx.timers.cancel(client.timeout.take());
        }
        cx.stats.sockets_connected += 1;
        cx.event(Event::Connected { socket: id, session, namespace, auth });
    }

    /// Frees a socket that was never connected.
    pub(super) fn forget(&mut self, cx: &mut Context, index: u32) {
        self.connects_pending -= 1;
        self.settle_disconnected(cx, index);
        self.leave_rooms(cx, index);
        self.detach(index);
    }

    /// Takes a socket out of its client and out of the table.
    pub(super) fn detach(&mut self, index: u32) {
        let socket = self.sockets.remove(index as usize);
        if let Some(client) = self.client_mut(socket.session) {
            client.sockets.retain(|other| *other != index);
        }
    }

    /// Tells of the room of one's own id, which has no entry.
    pub(super) fn own_room_event(
        &mut self,
        cx: &mut Context,
        id: SocketId,
        namespace: NamespaceId,
        joined: bool,
    ) {
        if !cx.config.room_events {
            return;
        }
        let name = id.encode();
        let room = || ascii(&name).into();
        let alone = self.rooms.find(namespace, ascii(&name)).is_none();
        if joined && alone {
            cx.event(Event::Room(RoomEvent::Created { namespace, room: room() }));
        }
        cx.event(Event::Room(match joined {
            true => RoomEvent::Joined { namespace, room: room(), socket: id },
            false => RoomEvent::Left { namespace, room: room(), socket: id },
        }));
        if !joined && alone {
            cx.event(Event::Room(RoomEvent::Deleted { namespace, room: room() }));
        }
    }
}
