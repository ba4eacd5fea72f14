//! The core's time: microseconds since an epoch that the driver picks.

use core::fmt;
use core::ops::{Add, AddAssign};
use core::time::Duration;

/// A point in time, in microseconds since whatever the driver calls zero.
///
/// There is no `now()`: time is handed in with every call. An older instant than the last one is
/// treated as the last one, so time never goes back.
///
/// ```
/// use parlor::Instant;
/// use core::time::Duration;
/// let at = Instant::ZERO + Duration::from_millis(25);
/// assert_eq!(at.as_micros(), 25_000);
/// assert_eq!(at.to_string(), "25.000");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The driver's epoch.
    pub const ZERO: Self = Self(0);

    /// The instant this many microseconds after the epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The next whole millisecond, or this instant if it is one. Heartbeats fire on these.
    pub(crate) const fn ceil_millis(self) -> Self {
        Self(self.0.saturating_add(999) / 1000 * 1000)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(micros))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

/// Milliseconds and microseconds, as in transcripts: `1500.250`.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}
