//! Rooms: who is in which.
//!
//! Every socket is in the room of its own id, which has an entry only where somebody else joins it
//! too; so an idle socket costs no room. A room's entry lists its members, and a member knows its
//! place in each list, so that joining, leaving and walking touch no other socket.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::Hasher;

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;
use slab::Slab;
use smallvec::SmallVec;

use super::{SocketIo, State};
use crate::context::Context;
use crate::error::Gone;
use crate::event::{Event, RoomEvent};
use crate::id::{NamespaceId, SocketId, ascii};

/// The rooms of one socket, in the order it joined them.
pub(super) type Seats = SmallVec<[Seat; 2]>;

/// A room, and the place among its members.
#[derive(Clone, Copy)]
pub(super) struct Seat {
    room: u32,
    place: u32,
}

pub(super) struct Rooms {
    list: Slab<Room>,
    /// By namespace and name. Names often come from clients: hence a seeded hash. Never walked.
    names: HashTable<u32>,
    keys: (u64, u64),
}

struct Room {
    namespace: NamespaceId,
    name: Box<str>,
    members: Vec<u32>,
}

impl Rooms {
    pub(super) fn new(seed: [u8; 16]) -> Self {
        let (first, second) = seed.split_at(8);
        let key = |half: &[u8]| u64::from_le_bytes(half.try_into().expect("eight bytes"));
        let keys = (key(first), key(second));
        Self { list: Slab::new(), names: HashTable::new(), keys }
    }

    fn hash(&self, namespace: NamespaceId, name: &str) -> u64 {
        hash(self.keys, namespace, name)
    }

    pub(super) fn find(&self, namespace: NamespaceId, name: &str) -> Option<u32> {
        let hash = self.hash(namespace, name);
        let is_it = |&room: &u32| {
            let room = &self.list[room as usize];
            room.namespace == namespace && *room.name == *name
        };
        self.names.find(hash, is_it).copied()
    }

    pub(super) fn members(&self, room: u32) -> &[u32] {
        &self.list[room as usize].members
    }

    fn create(&mut self, namespace: NamespaceId, name: &str) -> u32 {
        let hash = self.hash(namespace, name);
        let room = Room { namespace, name: name.into(), members: Vec::new() };
        let room = self.list.insert(room) as u32;
        let (list, keys) = (&self.list, self.keys);
        let rehash = |&room: &u32| {
            let room: &Room = &list[room as usize];
            self::hash(keys, room.namespace, &room.name)
        };
        self.names.insert_unique(hash, room, rehash);
        room
    }

    fn delete(&mut self, room: u32) -> Room {
        let entry = self.list.remove(room as usize);
        let hash = self.hash(entry.namespace, &entry.name);
        let found = self.names.find_entry(hash, |&other| other == room);
        found.map_err(drop).expect("every room has its name").remove();
        entry
    }
}

fn hash(keys: (u64, u64), namespace: NamespaceId, name: &str) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(keys.0, keys.1);
    hasher.write_u32(namespace.0);
    hasher.write(name.as_bytes());
    hasher.finish()
}

impl SocketIo {
    /// Whether it was not in the room before.
    pub(crate) fn join(
        &mut self,
        cx: &mut Context,
        id: SocketId,
        name: &str,
    ) -> Result<bool, Gone> {
        let index = self.index(id).ok_or(Gone)?;
        let socket = &mut self.sockets[index as usize];
        let namespace = socket.namespace;
        if let State::Leaving(_) = socket.state {
            return Err(Gone);
        }
        if SocketId::parse(name) == Some(id) {
            let joined = !core::mem::replace(&mut socket.own_room, true);
            if joined {
                self.own_room_event(cx, id, namespace, true);
            }
            return Ok(joined);
        }
        let room = self.rooms.find(namespace, name);
        let is_in = |seat: &Seat| Some(seat.room) == room;
        if socket.rooms.iter().any(is_in) {
            return Ok(false);
        }
        if socket.rooms.len() >= cx.config.limits.rooms_per_socket_max as usize {
            cx.stats.limits_hit += 1;
            return Ok(false);
        }
        let told = cx.config.room_events;
        let room = room.unwrap_or_else(|| {
            if told && self.owner(namespace, name).is_none() {
                cx.event(Event::Room(RoomEvent::Created { namespace, room: name.into() }));
            }
            self.rooms.create(namespace, name)
        });
        let members = &mut self.rooms.list[room as usize].members;
        let seat = Seat { room, place: members.len() as u32 };
        members.push(index);
        self.sockets[index as usize].rooms.push(seat);
        if told {
            cx.event(Event::Room(RoomEvent::Joined { namespace, room: name.into(), socket: id }));
        }
        Ok(true)
    }

    /// Whether it was in the room.
    pub(crate) fn leave(
        &mut self,
        cx: &mut Context,
        id: SocketId,
        name: &str,
    ) -> Result<bool, Gone> {
        let index = self.index(id).ok_or(Gone)?;
        let socket = &mut self.sockets[index as usize];
        let namespace = socket.namespace;
        if SocketId::parse(name) == Some(id) {
            let left = core::mem::take(&mut socket.own_room);
            if left {
                self.own_room_event(cx, id, namespace, false);
            }
            return Ok(left);
        }
        let Some(room) = self.rooms.find(namespace, name) else { return Ok(false) };
        let Some(at) = socket.rooms.iter().position(|seat| seat.room == room) else {
            return Ok(false);
        };
        let seat = socket.rooms.remove(at);
        self.vacate(cx, id, seat);
        Ok(true)
    }

    /// It is in no room any longer; left in the order of joining.
    pub(super) fn leave_rooms(&mut self, cx: &mut Context, index: u32) {
        let socket = &mut self.sockets[index as usize];
        let (id, namespace) = (socket.id, socket.namespace);
        let seats = core::mem::take(&mut socket.rooms);
        if core::mem::take(&mut socket.own_room) {
            self.own_room_event(cx, id, namespace, false);
        }
        for seat in seats {
            self.vacate(cx, id, seat);
        }
    }

    fn vacate(&mut self, cx: &mut Context, id: SocketId, seat: Seat) {
        let Seat { room, place } = seat;
        let entry = &mut self.rooms.list[room as usize];
        entry.members.swap_remove(place as usize);
        if let Some(&moved) = entry.members.get(place as usize) {
            let seats = &mut self.sockets[moved as usize].rooms;
            let seat = seats.iter_mut().find(|seat| seat.room == room);
            seat.expect("a member has a seat").place = place;
        }
        let (namespace, empty) = (entry.namespace, entry.members.is_empty());
        if cx.config.room_events {
            let room = entry.name.clone();
            cx.event(Event::Room(RoomEvent::Left { namespace, room, socket: id }));
        }
        if empty {
            let entry = self.rooms.delete(room);
            if cx.config.room_events && self.owner(namespace, &entry.name).is_none() {
                cx.event(Event::Room(RoomEvent::Deleted { namespace, room: entry.name }));
            }
        }
    }

    /// The socket whose own room this is.
    pub(super) fn owner(&self, namespace: NamespaceId, name: &str) -> Option<u32> {
        let index = self.index(SocketId::parse(name)?)?;
        let socket = &self.sockets[index as usize];
        (socket.namespace == namespace && socket.own_room).then_some(index)
    }

    /// The names of a socket's rooms, in the order it joined them.
    pub(crate) fn rooms_of(&self, id: SocketId) -> Vec<Box<str>> {
        let Some(socket) = self.find(id) else { return Vec::new() };
        let name = id.encode();
        let own = ascii(&name);
        let own = socket.own_room.then(|| Box::from(own));
        let name = |seat: &Seat| self.rooms.list[seat.room as usize].name.clone();
        own.into_iter().chain(socket.rooms.iter().map(name)).collect()
    }

    /// The rooms of a namespace that have an entry, with their members, by creation.
    pub(crate) fn namespace_rooms(&self, namespace: NamespaceId) -> Vec<(Box<str>, u32)> {
        let rooms = self.rooms.list.iter().map(|(_, room)| room);
        let rooms = rooms.filter(|room| room.namespace == namespace);
        rooms.map(|room| (room.name.clone(), room.members.len() as u32)).collect()
    }
}
