//! Deadlines, in a binary heap that knows where each of them stands: arming, cancelling and firing
//! take time in the logarithm of how many there are, and allocate nothing once there were as many
//! before. It may be replaced behind this interface by a wheel once a soak run asks for it: what is
//! armed, cancelled and fired would stay the same.
//!
//! Heartbeats tie by session index and go before all others of their instant; those go by the
//! order of arming. So the order of firing depends on nothing else.

use alloc::vec::Vec;
use core::num::NonZeroU32;

use slab::Slab;

use crate::id::{ConnId, SessionId, SocketId, TimerId};
use crate::output::Wake;
use crate::time::Instant;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Ping(SessionId),
    PingTimeout(SessionId),
    UpgradeTimeout(SessionId),
    UpgradeCheck(SessionId),
    PollingClose(SessionId),
    ConnectTimeout(SessionId),
    Handshake { key: u32, serial: u32 },
    Connect(SocketId),
    Request { conn: ConnId, serial: u32 },
    Ask { socket: u32, id: u64 },
    Application(TimerId),
    Connection(ConnId, Wake),
}

impl Due {
    fn wake(self) -> Wake {
        match self {
            Self::Ping(_) => Wake::Ping,
            Self::PingTimeout(_) => Wake::PingTimeout,
            Self::UpgradeTimeout(_) => Wake::UpgradeTimeout,
            Self::UpgradeCheck(_) => Wake::UpgradeCheck,
            Self::PollingClose(_) => Wake::PollingClose,
            Self::ConnectTimeout(_) => Wake::ConnectTimeout,
            Self::Handshake { .. } | Self::Connect(_) | Self::Request { .. } => Wake::Decision,
            Self::Ask { .. } => Wake::Ask,
            Self::Application(_) => Wake::Timer,
            Self::Connection(_, wake) => wake,
        }
    }
}

/// An armed deadline; what armed it keeps this to cancel it. 8 bytes, also as an `Option`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Armed {
    slot: u32,
    serial: NonZeroU32,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Option<Armed>>() == 8 && size_of::<Entry>() == 48);

/// Everything that is due some time.
pub(crate) struct Timers {
    entries: Slab<Entry>,
    /// Places of entries, the earliest first; each is no earlier than the one at half its index.
    heap: Vec<u32>,
    /// Deadlines armed so far: the order among those of one instant.
    armed: u64,
    /// Tells an entry from others that stood in its slot.
    serial: NonZeroU32,
}

struct Entry {
    at: Instant,
    tie: u64,
    due: Due,
    serial: NonZeroU32,
    /// Where in the heap it stands.
    place: u32,
}

/// Above every session index: heartbeats go first.
const AFTER_HEARTBEATS: u64 = 1 << 32;

impl Default for Timers {
    fn default() -> Self {
        Self { entries: Slab::new(), heap: Vec::new(), armed: 0, serial: NonZeroU32::MIN }
    }
}

impl Timers {
    /// Fires at the instant exactly.
    pub(crate) fn arm(&mut self, at: Instant, due: Due) -> Armed {
        self.armed += 1;
        self.insert(at, AFTER_HEARTBEATS + self.armed, due)
    }

    /// Fires at the next whole millisecond; a session has at most one.
    pub(crate) fn arm_heartbeat(&mut self, at: Instant, session: SessionId, due: Due) -> Armed {
        self.insert(at.ceil_millis(), u64::from(session.index), due)
    }

    /// Takes it back, unless it has fired.
    pub(crate) fn cancel(&mut self, armed: Option<Armed>) {
        if let Some(Armed { slot, serial }) = armed
            && let Some(entry) = self.entries.get(slot as usize).filter(|e| e.serial == serial)
        {
            self.remove(entry.place as usize);
        }
    }

    pub(crate) fn next(&self) -> Option<(Instant, Wake)> {
        let &slot = self.heap.first()?;
        let entry = &self.entries[slot as usize];
        Some((entry.at, entry.due.wake()))
    }

    /// Takes out the earliest one if it is due.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<(Instant, Due)> {
        let &slot = self.heap.first()?;
        if self.entries[slot as usize].at > now {
            return None;
        }
        let entry = self.remove(0);
        Some((entry.at, entry.due))
    }

    fn insert(&mut self, at: Instant, tie: u64, due: Due) -> Armed {
        self.serial = self.serial.checked_add(1).unwrap_or(NonZeroU32::MIN);
        let (serial, place) = (self.serial, self.heap.len());
        let entry = Entry { at, tie, due, serial, place: place as u32 };
        let slot = self.entries.insert(entry) as u32;
        self.heap.push(slot);
        self.rise(place);
        Armed { slot, serial }
    }

    fn remove(&mut self, place: usize) -> Entry {
        let slot = self.heap.swap_remove(place);
        if place < self.heap.len() {
            self.note(place);
            self.sink(place);
            self.rise(place);
        }
        self.entries.remove(slot as usize)
    }

    /// Moves the one at `place` up to where nobody above is later.
    fn rise(&mut self, mut place: usize) {
        while place > 0 {
            let above = (place - 1) / 2;
            if self.key(above) <= self.key(place) {
                break;
            }
            self.swap(above, place);
            place = above;
        }
    }

    /// Moves the one at `place` down to where nobody below is earlier.
    fn sink(&mut self, mut place: usize) {
        loop {
            let (left, right) = (2 * place + 1, 2 * place + 2);
            let mut first = place;
            for below in [left, right] {
                if below < self.heap.len() && self.key(below) < self.key(first) {
                    first = below;
                }
            }
            if first == place {
                return;
            }
            self.swap(first, place);
            place = first;
        }
    }

    fn key(&self, place: usize) -> (Instant, u64) {
        let entry = &self.entries[self.heap[place] as usize];
        (entry.at, entry.tie)
    }

    fn swap(&mut self, one: usize, other: usize) {
        self.heap.swap(one, other);
        self.note(one);
        self.note(other);
    }

    fn note(&mut self, place: usize) {
        self.entries[self.heap[place] as usize].place = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn session(index: u32) -> SessionId {
        SessionId { index, generation: 0 }
    }

    #[test]
    fn heartbeats_go_first_by_session_and_others_by_arming() {
        let mut timers = Timers::default();
        let at = Instant::from_micros(5_000);
        timers.arm(at, Due::Application(TimerId(1)));
        timers.arm(at, Due::ConnectTimeout(session(0)));
        timers.arm_heartbeat(Instant::from_micros(4_001), session(9), Due::Ping(session(9)));
        timers.arm_heartbeat(at, session(2), Due::PingTimeout(session(2)));
        let cancelled = timers.arm(at, Due::Application(TimerId(2)));
        timers.cancel(Some(cancelled));
        assert_eq!(timers.next(), Some((at, Wake::PingTimeout)));
        assert_eq!(timers.expire(Instant::from_micros(4_999)), None);
        let fired: Vec<_> = core::iter::from_fn(|| timers.expire(at)).map(|(_, due)| due).collect();
        let expected = [
            Due::PingTimeout(session(2)),
            Due::Ping(session(9)),
            Due::Application(TimerId(1)),
            Due::ConnectTimeout(session(0)),
        ];
        assert_eq!(fired, expected);
    }

    /// Against an ordered map, which is plainly right.
    #[test]
    fn any_sequence_fires_what_an_ordered_map_would() {
        use alloc::collections::BTreeMap;
        fn same(steps: Vec<(u8, u16)>) -> bool {
            let (mut timers, mut map) = (Timers::default(), BTreeMap::new());
            let (mut armed, mut now) = (Vec::new(), Instant::ZERO);
            for (serial, (what, number)) in (0..).zip(steps) {
                match what % 4 {
                    0 | 1 => {
                        let at = now + core::time::Duration::from_micros(u64::from(number % 64));
                        let due = Due::Application(TimerId(serial));
                        armed.push((timers.arm(at, due), (at, serial)));
                        map.insert((at, serial), due);
                    }
                    2 if !armed.is_empty() => {
                        let (timer, key) = armed[usize::from(number) % armed.len()];
                        timers.cancel(Some(timer));
                        map.remove(&key);
                    }
                    _ => {
                        now += core::time::Duration::from_micros(u64::from(number % 16));
                        let expected = map.first_entry().filter(|entry| entry.key().0 <= now);
                        let expected = expected.map(|entry| (entry.key().0, entry.remove()));
                        assert_eq!(timers.expire(now), expected);
                    }
                }
                assert_eq!(timers.next().map(|(at, _)| at), map.keys().next().map(|key| key.0));
                assert_eq!(timers.entries.len(), timers.heap.len());
            }
            true
        }
        let generator = quickcheck::Gen::from_size_and_seed(400, 7);
        quickcheck::QuickCheck::new().rng(generator).quickcheck(same as fn(Vec<(u8, u16)>) -> bool);
    }
}
