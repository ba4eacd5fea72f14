//! T6: turns as the world counts them, from the calls that it makes.

use super::{Property, Verdicts};

/// Why the node was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Accept,
    Data(usize),
    Eof(usize),
    Lost(usize),
    Sent(usize),
    Writable(usize),
    /// A deadline, as it was named.
    Timeout {
        at: u64,
        why: parlor::Wake,
    },
    /// Before any deadline.
    Early,
    /// An input for a connection that was closed before.
    Stale,
    /// Work from outside.
    Outside,
    Shutdown,
}

impl Cause {
    /// Whose connection it is about.
    pub(crate) fn conn(self) -> Option<usize> {
        match self {
            Self::Data(conn)
            | Self::Eof(conn)
            | Self::Lost(conn)
            | Self::Sent(conn)
            | Self::Writable(conn) => Some(conn),
            _ => None,
        }
    }

    /// Whether it begins a turn, whatever it brings about.
    fn is_turn(self) -> bool {
        match self {
            Self::Data(_)
            | Self::Eof(_)
            | Self::Lost(_)
            | Self::Timeout { .. }
            | Self::Outside
            | Self::Shutdown => true,
            Self::Accept | Self::Sent(_) | Self::Writable(_) | Self::Early | Self::Stale => false,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Turns {
    count: u64,
    /// What has been counted for this call.
    own: u64,
    cause: Option<Cause>,
}

impl Turns {
    pub(crate) fn open(&mut self, cause: Cause) {
        self.own = u64::from(cause.is_turn());
        self.count += self.own;
        self.cause = Some(cause);
    }

    /// Something of the call bears this number.
    pub(crate) fn told(&mut self, turn: u64, verdicts: &mut Verdicts) {
        self.yielded();
        let (count, cause) = (self.count, self.cause);
        verdicts.claim(Property::T6, turn == count, || {
            format!("what {cause:?} brought about is of turn {turn}, it is turn {count}")
        });
    }

    /// A report of the driver let requests be read that were held back: it is their cause.
    pub(crate) fn resumed(&mut self) {
        if let Some(Cause::Sent(_)) = self.cause {
            self.yielded();
        }
    }

    /// What begins no turn of itself does so where it brings something about.
    fn yielded(&mut self) {
        let is_report = matches!(self.cause, Some(Cause::Sent(_) | Cause::Writable(_)));
        if self.own == 0 && is_report {
            self.own = 1;
            self.count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::fires;
    use super::*;

    #[test]
    fn t6_turns_are_counted_by_their_causes() {
        let told = |calls: &'static [(Cause, &'static [u64])]| {
            move |verdicts: &mut Verdicts| {
                let mut turns = Turns::default();
                for (cause, all) in calls {
                    turns.open(*cause);
                    all.iter().for_each(|&turn| turns.told(turn, verdicts));
                }
            }
        };
        let timeout = Cause::Timeout { at: 5, why: parlor::Wake::Ask };
        fires(
            None,
            told(&[
                (Cause::Accept, &[]),
                (Cause::Data(0), &[1, 1]),
                (Cause::Sent(0), &[]),
                (Cause::Data(0), &[]),
                (Cause::Sent(0), &[3, 3]),
                (Cause::Outside, &[4]),
            ]),
        );
        fires(Some(Property::T6), told(&[(Cause::Data(0), &[1, 2])]));
        fires(Some(Property::T6), told(&[(Cause::Data(0), &[]), (Cause::Data(0), &[1])]));
        fires(Some(Property::T6), told(&[(Cause::Early, &[1])]));
        fires(None, |verdicts| {
            let mut turns = Turns::default();
            turns.open(Cause::Sent(0));
            turns.resumed();
            turns.open(timeout);
            turns.told(2, verdicts);
        });
    }
}
