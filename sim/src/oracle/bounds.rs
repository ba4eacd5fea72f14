//! M1, M2 and M5: how much waits, how much a stranger gets, and that nothing is left.

use parlor::{Config, SendStatus, Wake};

use super::{Property, Verdicts};

/// What the engine's own packets, and packets that say who is where, may add to a session's bound:
/// heartbeats, `3probe`, pongs, close frames, CONNECT and DISCONNECT.
const ALLOWANCE: u64 = 64 * 1024 + 1024;
/// Of it, what a session really uses on average: the bound of all is tighter than the sum.
const ALLOWANCE_OF_ONE: u64 = 16 * 1024;
/// The head of an answer, and the close frame of a websocket.
const HEAD: u64 = 1024;

#[derive(Debug, Default)]
pub(crate) struct Bounds {
    one: u64,
    all: u64,
}

impl Bounds {
    pub(crate) fn new(config: &Config) -> Self {
        let limits = &config.limits;
        let one = u64::from(limits.egress_bytes_max);
        Self { one, all: limits.egress_bytes_total_max }
    }

    /// What an emit says that waits.
    pub(crate) fn told(&self, status: SendStatus, verdicts: &mut Verdicts) {
        if let SendStatus::Backlogged { bytes } = status {
            verdicts.claim(Property::M1, u64::from(bytes) <= self.one, || {
                format!("{bytes} bytes wait, and may be {}", self.one)
            });
        }
    }

    /// What waits on each connection after a call.
    pub(crate) fn waits(&self, unsent: impl Iterator<Item = u64>, verdicts: &mut Verdicts) {
        let (mut sum, mut count) = (0, 0);
        for bytes in unsent {
            sum += bytes;
            count += u64::from(bytes > 0);
            if bytes > self.one {
                verdicts.claim(Property::M1, bytes <= self.one + ALLOWANCE + HEAD, || {
                    format!("{bytes} bytes wait on a connection, and may be {}", self.one)
                });
            }
        }
        if count > 0 {
            verdicts.claim(Property::M1, sum <= self.all + count * ALLOWANCE_OF_ONE, || {
                format!("{sum} bytes wait on {count} connections, and may be {}", self.all)
            });
        }
    }

    /// What a connection that has brought nobody in got for what it sent.
    pub(crate) fn stranger(
        &self,
        (bytes_in, requests): (u64, u64),
        bytes_out: u64,
        verdicts: &mut Verdicts,
    ) {
        // A request that HTTP itself refuses is answered too, and once.
        let most = 8 * bytes_in + 512 * (requests + 1);
        verdicts.claim(Property::M5, bytes_out <= most, || {
            format!("{bytes_in} bytes in {requests} requests brought {bytes_out}, before admission")
        });
    }
}

/// M2: after everything is closed. `left`: connections, sessions, rooms, and what has opened and
/// not ended. Timers of the program are its own.
pub(crate) fn emptied(left: [u64; 5], wake: Option<Wake>, verdicts: &mut Verdicts) {
    verdicts.claim(Property::M2, left == [0; 5], || {
        format!("connections, sessions, rooms and what is not paired: {left:?}")
    });
    let is_own = wake.is_none_or(|why| why == Wake::Timer);
    verdicts.claim(Property::M2, is_own, || format!("a deadline is left: {wake:?}"));
}

#[cfg(test)]
mod tests {
    use super::super::tests::fires;
    use super::*;

    fn bounds() -> Bounds {
        Bounds { one: 100_000, all: 150_000 }
    }

    #[test]
    fn m1_what_waits_is_bounded() {
        let wait = |all: &'static [u64]| {
            move |verdicts: &mut Verdicts| bounds().waits(all.iter().copied(), verdicts)
        };
        fires(None, wait(&[100_000, 60_000]));
        fires(Some(Property::M1), wait(&[200_000]));
        fires(Some(Property::M1), wait(&[95_000, 95_000]));
        let told = |bytes: u32| {
            move |verdicts: &mut Verdicts| bounds().told(SendStatus::Backlogged { bytes }, verdicts)
        };
        fires(None, told(100_000));
        fires(Some(Property::M1), told(100_001));
    }

    #[test]
    fn m2_nothing_is_left() {
        let end = |left: [u64; 5], wake: Option<Wake>| {
            move |verdicts: &mut Verdicts| emptied(left, wake, verdicts)
        };
        fires(None, end([0; 5], None));
        fires(None, end([0; 5], Some(Wake::Timer)));
        for place in 0..5 {
            let mut left = [0; 5];
            left[place] = 1;
            fires(Some(Property::M2), end(left, None));
        }
        fires(Some(Property::M2), end([0; 5], Some(Wake::Ping)));
        fires(Some(Property::M2), end([0; 5], Some(Wake::QueuedOutput)));
    }

    #[test]
    fn m5_strangers_get_little() {
        let stranger = |bytes_out: u64| {
            move |verdicts: &mut Verdicts| bounds().stranger((61, 1), bytes_out, verdicts)
        };
        fires(None, stranger(310));
        fires(Some(Property::M5), stranger(1513));
    }
}
