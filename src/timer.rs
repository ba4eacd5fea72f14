//! Deadlines, in one ordered map. It may be replaced behind this interface by a wheel once a soak
//! run asks for it: what is armed, cancelled and fired would stay the same.
//!
//! Heartbeats tie by session index and go before all others of their instant; those go by the
//! order of arming. So the order of firing depends on nothing else.

use alloc::collections::BTreeMap;
use core::num::NonZeroU64;

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

/// An armed deadline; what armed it keeps this to cancel it. 16 bytes, also as an `Option`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Armed {
    at: Instant,
    tie: NonZeroU64,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Option<Armed>>() == 16 && size_of::<Due>() <= 24);

/// Everything that is due some time. Keys are ours: instants and serial numbers.
#[derive(Default)]
pub(crate) struct Timers {
    due: BTreeMap<Armed, Due>,
    serial: u64,
}

/// Above every session index: heartbeats go first.
const AFTER_HEARTBEATS: u64 = 1 << 32;

impl Timers {
    /// Fires at the instant exactly.
    pub(crate) fn arm(&mut self, at: Instant, due: Due) -> Armed {
        self.serial += 1;
        let tie = NonZeroU64::MIN.saturating_add(AFTER_HEARTBEATS + self.serial);
        self.insert(Armed { at, tie }, due)
    }

    /// Fires at the next whole millisecond; a session has at most one.
    pub(crate) fn arm_heartbeat(&mut self, at: Instant, session: SessionId, due: Due) -> Armed {
        let tie = NonZeroU64::MIN.saturating_add(u64::from(session.index));
        self.insert(Armed { at: at.ceil_millis(), tie }, due)
    }

    pub(crate) fn cancel(&mut self, armed: Option<Armed>) {
        if let Some(armed) = armed {
            self.due.remove(&armed);
        }
    }

    pub(crate) fn next(&self) -> Option<(Instant, Wake)> {
        self.due.first_key_value().map(|(armed, due)| (armed.at, due.wake()))
    }

    /// Takes out the earliest one if it is due.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<(Instant, Due)> {
        let entry = self.due.first_entry().filter(|entry| entry.key().at <= now)?;
        let (armed, due) = entry.remove_entry();
        Some((armed.at, due))
    }

    fn insert(&mut self, armed: Armed, due: Due) -> Armed {
        let before = self.due.insert(armed, due);
        assert!(before.is_none(), "a session has one heartbeat, and serial numbers differ");
        armed
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
}
