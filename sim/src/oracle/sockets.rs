//! D1, D6, D10, O1 and R2: the life of sockets, what they send and what they receive.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parlor::{SendStatus, SocketId};

use super::{Property, Verdicts};
use crate::watch::Broadcast;

/// All sockets that there ever were.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    /// The keys are the core's.
    all: BTreeMap<SocketId, Socket>,
    /// Connected ones by namespace.
    spaces: BTreeMap<usize, BTreeSet<SocketId>>,
    /// Broadcasts of this call whose counts are to be compared.
    counts: Vec<(u32, u32)>,
    /// Broadcasts of this call to whole namespaces.
    cast: Vec<(usize, u64)>,
    /// To whom broadcasts of this call went, as far as it is known.
    meant: Vec<(SocketId, u64)>,
    /// A socket came or ended in this call: who was a member when is the core's business.
    is_unclear: bool,
    /// The program does not want to be told that a socket is about to leave.
    pub(crate) is_unannounced: bool,
}

#[derive(Debug, Default)]
struct Socket {
    phase: Phase,
    space: usize,
    rooms: BTreeSet<String>,
    underway: Underway,
    /// What its client sent and no handler has seen.
    unheard: VecDeque<u64>,
    /// Whether the client's bytes are trusted.
    is_strict: bool,
}

/// What was accepted for a socket and did not arrive yet. Equal things may be under way, and it is
/// not always known whether one is; so it keeps every place that it may have come to.
#[derive(Debug)]
struct Underway {
    all: VecDeque<(u64, Due)>,
    /// How many may have arrived or been passed over, in rising order.
    fronts: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Surely,
    Perhaps,
    Never,
}

impl Default for Underway {
    fn default() -> Self {
        Self { all: VecDeque::new(), fronts: vec![0] }
    }
}

impl Underway {
    fn push(&mut self, print: u64, due: Due) {
        self.all.push_back((print, due));
    }

    /// Whether it was sent is not known.
    fn doubt(&mut self, print: u64) {
        let last = self.all.iter_mut().rev().find(|(other, _)| *other == print);
        last.into_iter().for_each(|(_, due)| *due = Due::Perhaps);
    }

    /// It was not sent after all.
    fn void(&mut self, print: u64) {
        let same = self.all.iter_mut().filter(|(other, _)| *other == print);
        same.for_each(|(_, due)| *due = Due::Never);
    }

    fn has(&self, print: u64) -> bool {
        self.all.iter().any(|&(other, due)| other == print && due != Due::Never)
    }

    /// How many are still to come.
    fn due(&self) -> usize {
        let from = *self.fronts.last().expect("it has come to some place");
        self.all.iter().skip(from).filter(|&&(_, due)| due == Due::Surely).count()
    }

    /// One arrives. Fails with one that should have come first, or with none if it is not there.
    fn arrive(&mut self, print: u64) -> Result<(), Option<u64>> {
        let (mut next, mut first) = (Vec::new(), None);
        for &front in &self.fronts {
            for (place, &(other, due)) in self.all.iter().enumerate().skip(front) {
                if other == print && due != Due::Never {
                    next.push(place + 1);
                }
                if due == Due::Surely {
                    first.get_or_insert(other);
                    break;
                }
            }
        }
        next.sort_unstable();
        next.dedup();
        let &past = next.first().ok_or_else(|| first.filter(|_| self.has(print)))?;
        self.all.drain(..past);
        next.iter_mut().for_each(|front| *front -= past);
        self.fronts = next;
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Connecting,
    Connected,
    Disconnecting,
    Gone,
}

impl Sockets {
    /// `on_connect` runs.
    pub(crate) fn connect(&mut self, id: SocketId, verdicts: &mut Verdicts) {
        let socket = self.all.entry(id).or_default();
        verdicts.claim(Property::D1, socket.phase == Phase::Connecting, || {
            format!("{id} connects when it is {:?}", socket.phase)
        });
        socket.phase = Phase::Connected;
    }

    /// In which namespace that is; they are numbered by the world.
    pub(crate) fn member(&mut self, id: SocketId, space: usize) {
        let socket = self.all.entry(id).or_default();
        socket.space = space;
        // It was a member before its handler runs; since when is the core's business.
        let cast = self.cast.iter().filter(|(other, _)| *other == space);
        cast.for_each(|&(_, print)| socket.underway.push(print, Due::Perhaps));
        self.is_unclear = true;
        self.spaces.entry(space).or_default().insert(id);
    }

    pub(crate) fn disconnecting(&mut self, id: SocketId, verdicts: &mut Verdicts) {
        self.leave_space(id);
        let socket = self.all.entry(id).or_default();
        verdicts.claim(Property::D1, socket.phase == Phase::Connected, || {
            format!("{id} is disconnecting when it is {:?}", socket.phase)
        });
        socket.phase = Phase::Disconnecting;
    }

    pub(crate) fn disconnect(&mut self, id: SocketId, verdicts: &mut Verdicts) {
        self.leave_space(id);
        let socket = self.all.entry(id).or_default();
        let before = if self.is_unannounced { Phase::Connected } else { Phase::Disconnecting };
        verdicts.claim(Property::D1, socket.phase == before, || {
            format!("{id} is disconnected when it is {:?}", socket.phase)
        });
        socket.phase = Phase::Gone;
        socket.unheard.clear();
    }

    /// A command to end it: it is a member no longer, its handlers follow.
    pub(crate) fn kick(&mut self, id: SocketId) {
        self.leave_space(id);
        self.is_unclear = true;
    }

    fn leave_space(&mut self, id: SocketId) {
        self.is_unclear = true;
        if let Some(socket) = self.all.get(&id)
            && let Some(space) = self.spaces.get_mut(&socket.space)
        {
            space.remove(&id);
        }
    }

    pub(crate) fn join(&mut self, id: SocketId, room: &str) {
        self.all.entry(id).or_default().rooms.insert(room.into());
    }

    pub(crate) fn leave(&mut self, id: SocketId, room: &str) {
        self.all.entry(id).or_default().rooms.remove(room);
    }

    /// An event's handler runs.
    pub(crate) fn event(&mut self, id: SocketId, print: u64, verdicts: &mut Verdicts) {
        let socket = self.all.entry(id).or_default();
        verdicts.claim(Property::D1, matches!(socket.phase, Phase::Connected), || {
            format!("a handler of {id} runs when it is {:?}", socket.phase)
        });
        if let Some(place) = socket.unheard.iter().position(|&other| other == print) {
            socket.unheard.drain(..=place);
        }
    }

    /// An emit to one socket.
    pub(crate) fn emit(&mut self, id: SocketId, print: u64, status: SendStatus) {
        if matches!(status, SendStatus::Sent | SendStatus::Backlogged { .. }) {
            self.all.entry(id).or_default().underway.push(print, Due::Surely);
        }
    }

    /// What was taken for an emit to it was not sent.
    pub(crate) fn unsent(&mut self, id: SocketId, print: u64) {
        self.all.entry(id).or_default().underway.void(print);
    }

    pub(crate) fn broadcast(&mut self, space: usize, to: &Broadcast) {
        let fanout = to.fanout;
        let took = fanout.sent + fanout.backlogged;
        let is_meant = |id: &&SocketId| {
            let socket = &self.all[*id];
            let is_in =
                |rooms: &[Box<str>]| rooms.iter().any(|room| socket.rooms.contains(&**room));
            (to.rooms.is_empty() || is_in(&to.rooms))
                && !is_in(&to.except)
                && to.sender != Some(**id)
        };
        let members = self.spaces.get(&space).into_iter().flatten();
        let meant: Vec<SocketId> = members.filter(is_meant).copied().collect();
        let count = meant.len() as u32;
        if took > 0 {
            // Where some have gone and their end is not told yet, nobody says who.
            // Who is in a room, exactly, is the shadow's to say; here it is their clients' order.
            let is_plain = to.rooms.is_empty() && to.except.is_empty();
            let due = if is_plain && took == count { Due::Surely } else { Due::Perhaps };
            for id in meant {
                let socket = self.all.get_mut(&id).expect("members are sockets");
                socket.underway.push(to.print, due);
                self.meant.push((id, to.print));
            }
        }
        if to.rooms.is_empty() && took > 0 {
            self.cast.push((space, to.print));
        }
        self.counts.push((count, took + fanout.dropped));
    }

    /// After a call.
    pub(crate) fn shut(&mut self, verdicts: &mut Verdicts) {
        for (expected, told) in self.counts.drain(..) {
            if !self.is_unclear {
                verdicts.claim(Property::R2, expected == told, || {
                    format!("a broadcast to {expected} sockets was made to {told}")
                });
            }
        }
        for (id, print) in self.meant.drain(..) {
            if let (true, Some(socket)) = (self.is_unclear, self.all.get_mut(&id)) {
                socket.underway.doubt(print);
            }
        }
        self.is_unclear = false;
        self.cast.clear();
    }

    /// A client was told that it is this socket.
    pub(crate) fn named(&mut self, id: SocketId, is_strict: bool, verdicts: &mut Verdicts) {
        let socket = self.all.entry(id).or_default();
        verdicts.claim(Property::D6, !socket.is_strict, || format!("two clients are {id}"));
        socket.is_strict = is_strict;
    }

    /// A client was refused: the socket that it would have been never lived.
    pub(crate) fn refused(&mut self, namespace: &str, connected: usize, verdicts: &mut Verdicts) {
        verdicts.claim(Property::D10, connected == 0, || {
            format!("a socket of {namespace} was refused, and it connected")
        });
    }

    pub(crate) fn sent(&mut self, id: SocketId, print: u64) {
        self.all.entry(id).or_default().unheard.push_back(print);
    }

    /// A client received an event.
    pub(crate) fn received(&mut self, id: SocketId, print: u64, verdicts: &mut Verdicts) {
        let socket = self.all.entry(id).or_default();
        let arrival = socket.underway.arrive(print);
        verdicts.claim(Property::O1, arrival.is_ok(), || match arrival {
            Err(Some(first)) => {
                format!("{id} receives {print} in front of {first}, which was sent earlier")
            }
            _ => format!("{id} receives {print}, which is not under way to it"),
        });
    }

    /// The members of a room, or of a whole namespace if it is empty.
    pub(crate) fn members(&self, space: usize, room: &str) -> Vec<SocketId> {
        let is_in = |id: &&SocketId| room.is_empty() || self.all[id].rooms.contains(room);
        self.spaces.get(&space).into_iter().flatten().filter(is_in).copied().collect()
    }

    /// Whether this is on its way to it.
    pub(crate) fn is_under_way(&self, id: SocketId, print: u64) -> bool {
        self.all.get(&id).is_some_and(|socket| socket.underway.has(print))
    }

    /// How many packets are still to arrive at, and to be heard from, a socket.
    pub(crate) fn open(&self, id: SocketId) -> (usize, usize) {
        let Some(socket) = self.all.get(&id) else { return (0, 0) };
        (socket.underway.due(), socket.unheard.len())
    }

    /// After everything is closed.
    pub(crate) fn end(&self, verdicts: &mut Verdicts) {
        for (id, socket) in &self.all {
            let is_over = matches!(socket.phase, Phase::Connecting | Phase::Gone);
            verdicts.claim(Property::D7, is_over, || {
                format!("{id} is {:?} after the shutdown", socket.phase)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fires, socket};
    use super::*;
    use parlor::Fanout;

    fn connected(id: SocketId, verdicts: &mut Verdicts) -> Sockets {
        let mut sockets = Sockets::default();
        sockets.connect(id, verdicts);
        sockets.member(id, 0);
        sockets.named(id, true, verdicts);
        sockets
    }

    fn end(sockets: &mut Sockets, id: SocketId, verdicts: &mut Verdicts) {
        sockets.disconnecting(id, verdicts);
        sockets.disconnect(id, verdicts);
    }

    #[test]
    fn d1_d7_the_life_of_a_socket() {
        let id = socket(1);
        fires(None, |verdicts| {
            let mut sockets = connected(id, verdicts);
            end(&mut sockets, id, verdicts);
            sockets.end(verdicts);
        });
        fires(Some(Property::D1), |verdicts| {
            let mut sockets = connected(id, verdicts);
            sockets.connect(id, verdicts);
        });
        fires(Some(Property::D1), |verdicts| {
            let mut sockets = connected(id, verdicts);
            end(&mut sockets, id, verdicts);
            sockets.event(id, 1, verdicts);
        });
        fires(Some(Property::D7), |verdicts| connected(id, verdicts).end(verdicts));
    }

    #[test]
    fn d6_d10_names_and_refusals() {
        let id = socket(1);
        fires(Some(Property::D6), |verdicts| connected(id, verdicts).named(id, true, verdicts));
        fires(None, |verdicts| Sockets::default().refused("/word", 0, verdicts));
        fires(Some(Property::D10), |verdicts| Sockets::default().refused("/word", 1, verdicts));
    }

    #[test]
    fn o1_what_arrives_is_a_prefix() {
        let id = socket(1);
        let receive = |prints: &'static [u64]| {
            move |verdicts: &mut Verdicts| {
                let mut sockets = connected(id, verdicts);
                sockets.emit(id, 1, SendStatus::Sent);
                sockets.emit(id, 9, SendStatus::Dropped);
                sockets.emit(id, 2, SendStatus::Backlogged { bytes: 1 });
                sockets.emit(id, 3, SendStatus::Sent);
                prints.iter().for_each(|&print| sockets.received(id, print, verdicts));
            }
        };
        fires(None, receive(&[1, 2]));
        fires(Some(Property::O1), receive(&[1, 3]));
        fires(Some(Property::O1), receive(&[2, 1]));
        fires(Some(Property::O1), receive(&[1, 1]));
        fires(Some(Property::O1), receive(&[1, 9]));
    }

    #[test]
    fn o1_equal_things_of_which_not_all_were_sent() {
        let id = socket(1);
        let receive = |prints: &'static [u64]| {
            move |verdicts: &mut Verdicts| {
                let mut sockets = connected(id, verdicts);
                let all =
                    [(1, Due::Perhaps), (2, Due::Perhaps), (1, Due::Surely), (2, Due::Surely)];
                let underway = &mut sockets.all.entry(id).or_default().underway;
                all.into_iter().for_each(|(print, due)| underway.push(print, due));
                prints.iter().for_each(|&print| sockets.received(id, print, verdicts));
            }
        };
        fires(None, receive(&[1, 2]));
        fires(None, receive(&[1, 1, 2]));
        fires(None, receive(&[2, 1, 2]));
        fires(Some(Property::O1), receive(&[2, 2]));
        fires(Some(Property::O1), receive(&[1, 2, 1, 2, 2]));
    }

    #[test]
    fn r2_a_broadcast_reaches_its_rooms() {
        let cast = |sent: u32, ends: bool| {
            move |verdicts: &mut Verdicts| {
                let mut sockets = connected(socket(1), verdicts);
                for n in 2..5 {
                    sockets.connect(socket(n), verdicts);
                    sockets.member(socket(n), 0);
                    sockets.join(socket(n), "a");
                }
                sockets.join(socket(3), "b");
                sockets.shut(verdicts);
                let to = Broadcast {
                    rooms: vec!["a".into()],
                    except: vec!["b".into()],
                    sender: Some(socket(4)),
                    print: 1,
                    volatile: false,
                    fanout: Fanout { sent, ..Fanout::default() },
                };
                sockets.broadcast(0, &to);
                if ends {
                    sockets.kick(socket(2));
                }
                sockets.shut(verdicts);
                sockets.received(socket(2), 1, verdicts);
            }
        };
        fires(None, cast(1, false));
        fires(Some(Property::R2), cast(2, false));
        fires(None, cast(2, true));
    }
}
