//! Leaving a namespace, for whatever reason.

use alloc::vec::Vec;

use super::{SocketIo, State, packet};
use crate::context::Context;
use crate::engineio::Engine;
use crate::error::{DisconnectReason, Gone};
use crate::event::Event;
use crate::id::{SessionId, SocketId};

impl SocketIo {
    /// The server makes a socket leave its namespace; its session goes on.
    pub(crate) fn disconnect(
        &mut self,
        cx: &mut Context,
        engine: &mut Engine,
        id: SocketId,
    ) -> Result<(), Gone> {
        let index = self.index(id).ok_or(Gone)?;
        let socket = &self.sockets[index as usize];
        let (session, namespace) = (socket.session, socket.namespace);
        if socket.state != State::Connected {
            return Err(Gone);
        }
        self.write_state(cx, engine, index, packet::encode_disconnect);
        if let Some(client) = self.client_mut(session)
            && !client.left.contains(&namespace)
        {
            client.left.push(namespace);
        }
        self.leave_namespace(cx, index, DisconnectReason::ServerNamespace);
        Ok(())
    }

    /// The server makes every socket of a session leave, and closes the session.
    pub(crate) fn disconnect_session(
        &mut self,
        cx: &mut Context,
        engine: &mut Engine,
        id: SocketId,
    ) -> Result<(), Gone> {
        let session = self.find(id).ok_or(Gone)?.session;
        // Its client may have ended it, and the socket's end may not be told yet.
        self.client(session).ok_or(Gone)?;
        for socket in self.sockets_of(session) {
            // One that is leaving already needs nothing.
            let _ = self.disconnect(cx, engine, socket);
        }
        self.end_client(cx, engine, session, DisconnectReason::ServerNamespace);
        Ok(())
    }

    pub(super) fn leave_all_namespaces(
        &mut self,
        cx: &mut Context,
        session: SessionId,
        reason: DisconnectReason,
    ) {
        let Some(client) = self.client(session) else { return };
        for index in client.sockets.clone() {
            let socket = &self.sockets[index as usize];
            let id = socket.id;
            match socket.state {
                State::Reading => self.forget(cx, index),
                State::Deciding(deadline) => {
                    cx.timers.cancel(Some(deadline));
                    self.forget(cx, index);
                    cx.event(Event::Abandoned { socket: id });
                }
                State::Connected => self.leave_namespace(cx, index, reason),
                State::Leaving(_) => {}
            }
        }
    }

    /// A connected socket ends. From now on it is no member; its rooms are intact until it is
    /// released.
    pub(super) fn leave_namespace(
        &mut self,
        cx: &mut Context,
        index: u32,
        reason: DisconnectReason,
    ) {
        let socket = &mut self.sockets[index as usize];
        let (id, seat) = (socket.id, socket.seat);
        socket.state = State::Leaving(reason);
        let members = &mut self.namespaces[socket.namespace.0 as usize].members;
        members.swap_remove(seat as usize);
        if let Some(&moved) = members.get(seat as usize) {
            self.sockets[moved as usize].seat = seat;
        }
        self.settle_disconnected(cx, index);
        if cx.config.announce_disconnecting {
            self.leaving.push_back(id);
            cx.event(Event::Disconnecting { socket: id, reason });
        } else {
            self.released(cx, index, reason);
        }
    }

    /// The application has seen a leaving socket's rooms.
    pub(crate) fn release(&mut self, cx: &mut Context, id: SocketId) {
        let Some(index) = self.index(id) else { return };
        if let State::Leaving(reason) = self.sockets[index as usize].state {
            self.released(cx, index, reason);
        }
        while let Some(&first) = self.leaving.front()
            && !self.is_present(first)
        {
            self.leaving.pop_front();
        }
    }

    /// Whether somebody's end was announced who is not released.
    pub(crate) fn has_leaving(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// Those that nobody has released in their turn.
    pub(crate) fn release_all(&mut self, cx: &mut Context) {
        for id in core::mem::take(&mut self.leaving) {
            if let Some(index) = self.index(id)
                && let State::Leaving(reason) = self.sockets[index as usize].state
            {
                self.released(cx, index, reason);
            }
        }
    }

    fn released(&mut self, cx: &mut Context, index: u32, reason: DisconnectReason) {
        let id = self.sockets[index as usize].id;
        let rooms = self.rooms_of(id);
        self.leave_rooms(cx, index);
        self.detach(index);
        cx.stats.sockets_disconnected += 1;
        cx.event(Event::Disconnected { socket: id, reason, rooms });
    }

    /// The server goes: every socket is told so, without a packet.
    pub(crate) fn shut_down(&mut self, cx: &mut Context) {
        let sessions: Vec<_> = self.clients.iter().flatten().map(|client| client.session).collect();
        for session in sessions {
            if let Some(client) = self.client_mut(session) {
                client.closing = true;
            }
            self.leave_all_namespaces(cx, session, DisconnectReason::ServerShuttingDown);
        }
    }
}
