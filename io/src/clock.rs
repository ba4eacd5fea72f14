//! The one place that reads clocks.

use std::time::{Instant as StdInstant, SystemTime, UNIX_EPOCH};

use parlor::Instant;

/// The monotonic clock, counted from when it was made.
#[derive(Debug)]
pub(crate) struct Clock {
    epoch: StdInstant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { epoch: StdInstant::now() }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::ZERO + self.epoch.elapsed()
    }
}

/// Milliseconds since 1970; zero on a machine whose clock stands before that.
pub(crate) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
