//! Who is where: the shadow's own namespaces, sockets and rooms.

use std::collections::{BTreeMap, VecDeque};

use parlor::{AskId, NamespaceId, SocketId};

use super::deadline::Key;

/// A socket's life as its session sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Its CONNECT is read; what came with it is read first.
    Reading,
    /// The program decides.
    Deciding,
    Connected,
    /// It has ended, and its rooms are looked at; then it is gone.
    Ended,
    Gone,
}

#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) id: Option<SocketId>,
    /// `None` for one of a client whose bytes nobody explains.
    pub(crate) session: Option<u64>,
    pub(crate) namespace: usize,
    pub(crate) state: State,
    /// Whether it is in the room of its own id.
    pub(crate) has_own_room: bool,
    /// In the order of joining.
    pub(crate) rooms: Vec<Box<str>>,
    pub(crate) decision: Option<Key>,
    /// Unsettled asks; those whose number on the wire was not seen yet; and all others by it.
    pub(crate) asks: Vec<AskId>,
    pub(crate) unnumbered: VecDeque<AskId>,
    pub(crate) numbers: BTreeMap<u64, Option<AskId>>,
}

#[derive(Debug)]
struct Namespace {
    id: NamespaceId,
    name: String,
    members: Vec<usize>,
    rooms: BTreeMap<Box<str>, Vec<usize>>,
}

/// See the module. Sockets bear the shadow's own numbers.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    pub(crate) all: Vec<Socket>,
    ids: BTreeMap<SocketId, usize>,
    namespaces: Vec<Namespace>,
}

impl Sockets {
    /// The shadow's number of a namespace.
    pub(crate) fn namespace(&mut self, id: NamespaceId, name: impl FnOnce() -> String) -> usize {
        let known = self.namespaces.iter().position(|space| space.id == id);
        known.unwrap_or_else(|| {
            let (members, rooms) = (Vec::new(), BTreeMap::new());
            self.namespaces.push(Namespace { id, name: name(), members, rooms });
            self.namespaces.len() - 1
        })
    }

    pub(crate) fn name(&self, namespace: usize) -> &str {
        &self.namespaces[namespace].name
    }

    pub(crate) fn find(&self, id: SocketId) -> Option<usize> {
        self.ids.get(&id).copied()
    }

    pub(crate) fn add(&mut self, session: Option<u64>, namespace: usize) -> usize {
        self.all.push(Socket {
            id: None,
            session,
            namespace,
            state: State::Reading,
            has_own_room: false,
            rooms: Vec::new(),
            decision: None,
            asks: Vec::new(),
            unnumbered: VecDeque::new(),
            numbers: BTreeMap::new(),
        });
        self.all.len() - 1
    }

    pub(crate) fn named(&mut self, socket: usize, id: SocketId) {
        self.all[socket].id = Some(id);
        self.ids.insert(id, socket);
    }

    /// It is a member now.
    pub(crate) fn enter(&mut self, socket: usize) {
        let entry = &mut self.all[socket];
        entry.state = State::Connected;
        entry.has_own_room = true;
        self.namespaces[entry.namespace].members.push(socket);
    }

    /// It is a member no longer; its rooms stay until it is gone.
    pub(crate) fn exit(&mut self, socket: usize) {
        let entry = &mut self.all[socket];
        entry.state = State::Ended;
        self.namespaces[entry.namespace].members.retain(|&member| member != socket);
        entry.asks.clear();
        entry.numbers.clear();
    }

    /// Nothing of it remains.
    pub(crate) fn forget(&mut self, socket: usize) {
        for room in std::mem::take(&mut self.all[socket].rooms) {
            self.vacate(socket, &room);
        }
        let entry = &mut self.all[socket];
        entry.state = State::Gone;
        entry.has_own_room = false;
        entry.asks.clear();
        entry.numbers.clear();
        if let Some(id) = entry.id {
            self.ids.remove(&id);
        }
    }

    /// Whether it was not in the room before, and may be.
    pub(crate) fn join(&mut self, socket: usize, room: &str, rooms_max: usize) -> bool {
        let entry = &mut self.all[socket];
        if entry.id.is_some_and(|id| SocketId::parse(room) == Some(id)) {
            return !std::mem::replace(&mut entry.has_own_room, true);
        }
        if entry.rooms.iter().any(|known| **known == *room) || entry.rooms.len() >= rooms_max {
            return false;
        }
        entry.rooms.push(room.into());
        self.namespaces[entry.namespace].rooms.entry(room.into()).or_default().push(socket);
        true
    }

    /// Whether it was in the room.
    pub(crate) fn leave(&mut self, socket: usize, room: &str) -> bool {
        let entry = &mut self.all[socket];
        if entry.id.is_some_and(|id| SocketId::parse(room) == Some(id)) {
            return std::mem::take(&mut entry.has_own_room);
        }
        let Some(at) = entry.rooms.iter().position(|known| **known == *room) else { return false };
        entry.rooms.remove(at);
        self.vacate(socket, room);
        true
    }

    fn vacate(&mut self, socket: usize, room: &str) {
        let rooms = &mut self.namespaces[self.all[socket].namespace].rooms;
        if let Some(members) = rooms.get_mut(room) {
            members.retain(|&member| member != socket);
            if members.is_empty() {
                rooms.remove(room);
            }
        }
    }

    /// Connected sockets of any of the rooms, or of all, and of none of the excepted.
    pub(crate) fn recipients(
        &self,
        namespace: usize,
        rooms: &[Box<str>],
        except: &[Box<str>],
        except_socket: Option<SocketId>,
    ) -> Vec<usize> {
        let members = &self.namespaces[namespace].members;
        let is_in = |socket: usize, room: &str| {
            let entry = &self.all[socket];
            let is_own = || entry.id.is_some_and(|id| SocketId::parse(room) == Some(id));
            entry.rooms.iter().any(|known| **known == *room) || entry.has_own_room && is_own()
        };
        let is_meant = |&socket: &usize| {
            (rooms.is_empty() || rooms.iter().any(|room| is_in(socket, room)))
                && !except.iter().any(|room| is_in(socket, room))
                && (except_socket.is_none() || self.all[socket].id != except_socket)
        };
        members.iter().copied().filter(is_meant).collect()
    }

    /// Namespaces, with their rooms and how many are in each.
    pub(crate) fn rooms(&self) -> impl Iterator<Item = (NamespaceId, Vec<(&str, usize)>)> {
        self.namespaces.iter().map(|space| {
            let rooms = space.rooms.iter().map(|(name, members)| (&**name, members.len()));
            (space.id, rooms.collect())
        })
    }

    /// Sockets that have a name, and are not gone.
    pub(crate) fn present(&self) -> impl Iterator<Item = (SocketId, &Socket)> {
        self.ids.iter().map(|(&id, &socket)| (id, &self.all[socket]))
    }
}
