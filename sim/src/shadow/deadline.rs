//! The shadow's own table of deadlines, of sessions and of decisions. Those of connections, asks
//! and the program's timers write nothing by themselves.

use std::collections::BTreeMap;

use parlor::Wake;

/// What is due, and whose it is: a session, or for a decision a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Ping(u64),
    PingTimeout(u64),
    UpgradeTimeout(u64),
    Release(u64),
    PollingClose(u64),
    ConnectTimeout(u64),
    Decision(usize),
}

impl Due {
    fn wake(self) -> Wake {
        match self {
            Self::Ping(_) => Wake::Ping,
            Self::PingTimeout(_) => Wake::PingTimeout,
            Self::UpgradeTimeout(_) => Wake::UpgradeTimeout,
            Self::Release(_) => Wake::UpgradeCheck,
            Self::PollingClose(_) => Wake::PollingClose,
            Self::ConnectTimeout(_) => Wake::ConnectTimeout,
            Self::Decision(_) => Wake::Decision,
        }
    }
}

/// Where an entry stands: its instant, then its place among those of one instant.
pub(crate) type Key = (u64, u64);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    all: BTreeMap<Key, Due>,
    armed: u64,
}

/// Heartbeats go first.
const AFTER_HEARTBEATS: u64 = 1 << 32;
const MILLISECOND: u64 = 1000;

impl Deadlines {
    pub(crate) fn arm(&mut self, at: u64, due: Due) -> Key {
        self.armed += 1;
        let key = (at, AFTER_HEARTBEATS + self.armed);
        self.all.insert(key, due);
        key
    }

    /// At the next whole millisecond; ties by the session's index in the server, which its id
    /// tells.
    pub(crate) fn arm_heartbeat(&mut self, at: u64, index: u32, due: Due) -> Key {
        let key = (at.next_multiple_of(MILLISECOND), u64::from(index));
        self.all.insert(key, due);
        key
    }

    pub(crate) fn put_back(&mut self, key: Key, due: Due) {
        self.all.insert(key, due);
    }

    pub(crate) fn cancel(&mut self, key: &mut Option<Key>) {
        if let Some(key) = key.take() {
            self.all.remove(&key);
        }
    }

    pub(crate) fn first(&self) -> Option<(u64, Wake)> {
        self.all.first_key_value().map(|(key, due)| (key.0, due.wake()))
    }

    pub(crate) fn peek(&self) -> Option<Due> {
        self.all.first_key_value().map(|(_, &due)| due)
    }

    pub(crate) fn pop(&mut self) -> Option<(Key, Due)> {
        self.all.pop_first()
    }
}

/// Whether such a deadline stands in the table, if it is of a session that the shadow knows.
pub(crate) fn is_kept(wake: Wake) -> bool {
    matches!(
        wake,
        Wake::Ping
            | Wake::PingTimeout
            | Wake::UpgradeTimeout
            | Wake::UpgradeCheck
            | Wake::PollingClose
            | Wake::ConnectTimeout
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heartbeats_are_rounded_up_and_go_first_the_others_by_arming() {
        let mut table = Deadlines::default();
        table.arm(2000, Due::ConnectTimeout(1));
        let mut gone = Some(table.arm(1500, Due::Release(1)));
        table.arm(2000, Due::UpgradeTimeout(1));
        table.arm_heartbeat(1001, 9, Due::Ping(2));
        table.arm_heartbeat(2000, 3, Due::Ping(3));
        table.cancel(&mut gone);
        assert_eq!(table.first(), Some((2000, Wake::Ping)));
        let order: Vec<_> = std::iter::from_fn(|| table.pop()).map(|(_, due)| due).collect();
        let expected = [Due::Ping(3), Due::Ping(2), Due::ConnectTimeout(1), Due::UpgradeTimeout(1)];
        assert_eq!(order, expected);
    }
}
