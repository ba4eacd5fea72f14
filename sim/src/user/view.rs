//! What a demand sees of a world.

use std::rc::Rc;

use parlor::{FromArgs, Node, SocketId};

use super::diary::Shared;
use crate::hub::Hub;

/// A world between two turns.
pub struct World<'a, S> {
    /// The program's state.
    pub state: &'a S,
    pub(super) node: &'a Node<S>,
    pub(super) hub: &'a Hub,
    /// The numbers of namespaces, by their names.
    pub(super) place_of: &'a dyn Fn(&str) -> Option<usize>,
    pub(super) diaries: &'a [Shared],
}

impl<'a, S: Send + 'static> World<'a, S> {
    /// The time since it began.
    pub fn now(&self) -> std::time::Duration {
        std::time::Duration::from_micros(self.hub.now)
    }

    /// What the program keeps with a socket, if it is a `D`.
    pub fn data<D: 'static>(&self, socket: SocketId) -> Option<&'a D> {
        self.node.data(socket)
    }

    /// The members of a room, in the order of their ids; of a whole namespace if it is `""`.
    pub fn members(&self, namespace: &str, room: &str) -> Vec<SocketId> {
        let place = (self.place_of)(namespace);
        place.map(|place| self.hub.sockets.members(place, room)).unwrap_or_default()
    }

    /// All clients of scripts.
    pub fn clients(&self) -> impl Iterator<Item = Guest<'a>> {
        self.diaries.iter().map(|diary| Guest { diary })
    }

    /// Those whose network is a good one, and who have not gone for good.
    pub fn healthy(&self) -> impl Iterator<Item = Guest<'a>> {
        let hub = self.hub;
        self.clients().filter(move |guest| hub.is_healthy(guest.index()))
    }

    /// How many questions of the program wait for their answers.
    pub fn asks(&self) -> usize {
        self.hub.asks.open()
    }

    /// How many volatile packets were dropped so far, for whatever reason.
    pub fn volatile_drops(&self) -> u64 {
        let stats = self.node.stats();
        let names = stats.each().filter(|(name, _)| name.starts_with("volatile_"));
        names.map(|(_, count)| count).sum()
    }
}

impl<S> std::fmt::Debug for World<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("now", &self.hub.now).finish_non_exhaustive()
    }
}

/// A client, as its world sees it.
#[derive(Clone, Copy)]
pub struct Guest<'a> {
    diary: &'a Shared,
}

impl Guest<'_> {
    /// Which of all clients it is, from 0.
    pub fn index(&self) -> usize {
        self.diary.index
    }

    /// What it was [named](super::Client::named).
    pub fn name(&self) -> Rc<str> {
        Rc::clone(&self.diary.name)
    }

    /// Whether it is a member of some namespace.
    pub fn connected(&self) -> bool {
        self.diary.is_member()
    }

    /// Who it is in a namespace, while it is a member.
    pub fn id(&self, namespace: &str) -> Option<SocketId> {
        self.diary.id(namespace)
    }

    /// The arguments of all events of this name that it heard, in order. Decoded once.
    ///
    /// # Panics
    ///
    /// If some do not fit the type.
    pub fn heard<A: FromArgs + Clone + 'static>(&self, event: &str) -> Rc<Vec<A>> {
        self.diary.all(true, event)
    }

    /// Those of the last one.
    ///
    /// # Panics
    ///
    /// If they do not fit the type.
    pub fn last<A: FromArgs>(&self, event: &str) -> Option<A> {
        self.diary.last(event)
    }

    /// The arguments of all events of this name that it said, in order. Decoded once.
    ///
    /// # Panics
    ///
    /// If some do not fit the type.
    pub fn said<A: FromArgs + Clone + 'static>(&self, event: &str) -> Rc<Vec<A>> {
        self.diary.all(false, event)
    }
}

impl std::fmt::Debug for Guest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.diary.name, self.diary.index)
    }
}
