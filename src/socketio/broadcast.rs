//! Sending to many: the recipients are found first, the packet is written once in the forms that
//! they need, and each gets a reference to it.

use alloc::vec::Vec;

use super::{SocketIo, State, packet, with_message};
use crate::context::Context;
use crate::engineio::{Engine, Load};
use crate::error::{Fanout, SendStatus};
use crate::frame::Frame;
use crate::id::SocketId;
use crate::payload::Payload;
use crate::terms::{Flags, Recipients};

impl SocketIo {
    /// Work in proportion to the members of the rooms named, those excepted included.
    pub(crate) fn broadcast(
        &mut self,
        cx: &mut Context,
        engine: &mut Engine,
        to: Recipients<'_>,
        event: &str,
        args: &Payload,
        flags: Flags,
    ) -> Fanout {
        let mut fanout = Fanout::default();
        if packet::is_reserved(event) {
            cx.stats.emits_invalid += 1;
            return fanout;
        }
        let recipients = self.recipients(to);
        let shapes = recipients.iter().filter_map(|&index| {
            let session = self.sockets[index as usize].session;
            engine.find(session).map(|session| session.shape())
        });
        let base64 = !args.attachments.is_empty() && shapes.into_iter().any(|s| s.wants_base64());
        if !recipients.is_empty() {
            let namespace = &*self.namespaces[to.namespace.0 as usize].name;
            let frame = with_message(
                &mut self.scratch,
                |out| packet::encode_event(out, namespace, None, event, args),
                |text| Frame::new(text, &args.attachments, base64),
            );
            for &index in &recipients {
                let session = self.sockets[index as usize].session;
                match engine.send(cx, session, Load::Frame(&frame), flags.volatile) {
                    SendStatus::Sent => fanout.sent += 1,
                    SendStatus::Backlogged { .. } => fanout.backlogged += 1,
                    SendStatus::Dropped | SendStatus::Gone | SendStatus::Invalid => {
                        fanout.dropped += 1;
                    }
                }
            }
        }
        self.recipients = recipients;
        fanout
    }

    /// Everyone whom a broadcast would reach, in its order.
    pub(crate) fn audience(&mut self, to: Recipients<'_>) -> Vec<SocketId> {
        let recipients = self.recipients(to);
        let ids = recipients.iter().map(|&index| self.sockets[index as usize].id).collect();
        self.recipients = recipients;
        ids
    }

    /// Connected sockets in any of the rooms (or in the namespace) and in none of the excepted
    /// ones, each once. The list is the reused one: it is to be put back.
    fn recipients(&mut self, to: Recipients<'_>) -> Vec<u32> {
        let mut list = core::mem::take(&mut self.recipients);
        list.clear();
        self.marks = self.marks.checked_add(1).unwrap_or_else(|| self.forget_marks());
        let except = to.except_socket.and_then(|id| self.index(id));
        self.mark(except.into_iter());
        for name in to.except {
            self.mark_room(&mut list, to, name);
        }
        // Those marked so far are excepted.
        list.clear();
        if to.rooms.is_empty() {
            let members = core::mem::take(&mut self.namespaces[to.namespace.0 as usize].members);
            self.add(&mut list, &members);
            self.namespaces[to.namespace.0 as usize].members = members;
        }
        for name in to.rooms {
            self.mark_room(&mut list, to, name);
        }
        list
    }

    /// Adds the members of a room that are not marked yet, and marks them.
    fn mark_room(&mut self, list: &mut Vec<u32>, to: Recipients<'_>, name: &str) {
        if let Some(owner) = self.owner(to.namespace, name) {
            self.add(list, &[owner]);
        }
        if let Some(room) = self.rooms.find(to.namespace, name) {
            let Self { rooms, sockets, marks, .. } = self;
            for &index in rooms.members(room) {
                add_unmarked(&mut sockets[index as usize], *marks, index, list);
            }
        }
    }

    fn add(&mut self, list: &mut Vec<u32>, members: &[u32]) {
        for &index in members {
            add_unmarked(&mut self.sockets[index as usize], self.marks, index, list);
        }
    }

    fn mark(&mut self, members: impl Iterator<Item = u32>) {
        for index in members {
            self.sockets[index as usize].mark = self.marks;
        }
    }

    /// After 2^32 broadcasts the marks begin anew.
    fn forget_marks(&mut self) -> u32 {
        for (_, socket) in &mut self.sockets {
            socket.mark = 0;
        }
        1
    }
}

fn add_unmarked(socket: &mut super::Socket, mark: u32, index: u32, list: &mut Vec<u32>) {
    if socket.mark != mark {
        socket.mark = mark;
        if socket.state == State::Connected {
            list.push(index);
        }
    }
}
