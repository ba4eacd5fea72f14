//! E1 to E5, D3, T4 and T5: the core's contract with its driver, from the driver's side.

use parlor::Output;

use super::{Property, Verdicts};

/// Why a connection may be released with bytes left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It may not.
    None,
    /// The driver has said that it is dead.
    Lost,
    /// Its time is over, or whoever it was for has lost his right to it.
    Given,
}

/// What the driver knows of one connection's bytes.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// Shown, and not sent yet.
    bytes: Vec<u8>,
    /// How many of them `egress` shows no longer; a close in the same call explains it.
    missing: usize,
    is_refused: bool,
    /// It was refused, and has not been empty since.
    is_behind: bool,
    /// A flush was asked for and not tried yet.
    is_due: bool,
    is_paused: bool,
    is_shut: bool,
    is_closed: bool,
}

impl Shown {
    /// What `egress` shows after a call; tells what is new.
    pub(crate) fn look<'a>(
        &mut self,
        slices: impl Iterator<Item = &'a [u8]>,
        verdicts: &mut Verdicts,
        mut grown: impl FnMut(&[u8], &mut Verdicts),
    ) {
        let known = self.bytes.len();
        let mut at = 0;
        for slice in slices {
            let old = slice.len().min(known - at);
            let is_same = self.bytes[at..at + old] == slice[..old];
            verdicts.claim(Property::E1, is_same, || "egress has changed what it showed".into());
            at += old;
            if old < slice.len() {
                grown(&slice[old..], verdicts);
                self.bytes.extend(&slice[old..]);
            }
        }
        self.missing = known - at;
    }

    /// How many bytes wait, and whether the kernel is refusing.
    pub(crate) fn waiting(&self) -> (usize, bool) {
        (self.bytes.len(), self.is_refused)
    }

    /// The first bytes are with the kernel.
    pub(crate) fn sent(&mut self, bytes: usize, is_refused: bool) {
        self.bytes.drain(..bytes);
        self.is_due = false;
        self.is_refused = is_refused && !self.bytes.is_empty();
        self.is_behind = (self.is_behind || is_refused) && !self.bytes.is_empty();
    }

    pub(crate) fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Whether no more is said on it, or heard.
    pub(crate) fn is_shut(&self) -> bool {
        self.is_shut
    }

    pub(crate) fn writable(&mut self) {
        self.is_refused = false;
    }

    /// After the outputs of a call are polled.
    pub(crate) fn drained(&self, verdicts: &mut Verdicts) {
        let missing = self.missing;
        if self.bytes.is_empty() && missing == 0 {
            return;
        }
        verdicts.claim(Property::E2, missing == 0 || self.is_closed, || {
            format!("egress had {} bytes, {missing} of them are gone unsent", self.bytes.len())
        });
        let is_waiting = !self.bytes.is_empty() && !self.is_closed;
        verdicts.claim(Property::E3, !is_waiting || self.is_due || self.is_refused, || {
            format!("{} bytes wait, and no flush is asked for", self.bytes.len())
        });
    }

    pub(crate) fn flush(&mut self, verdicts: &mut Verdicts) {
        self.named("Flush", verdicts);
        let is_first = !self.is_due;
        verdicts.claim(Property::E3, is_first, || "two flushes are queued".into());
        self.is_due = true;
    }

    pub(crate) fn pause(&mut self, verdicts: &mut Verdicts) {
        self.named("Pause", verdicts);
        let was_on = !self.is_paused;
        verdicts.claim(Property::E5, was_on, || "a paused connection is paused".into());
        self.is_paused = true;
    }

    pub(crate) fn resume(&mut self, verdicts: &mut Verdicts) {
        self.named("Resume", verdicts);
        let was_off = self.is_paused;
        verdicts.claim(Property::E5, was_off, || "a running connection is resumed".into());
        self.is_paused = false;
    }

    pub(crate) fn shutdown_write(&mut self, verdicts: &mut Verdicts) {
        self.named("ShutdownWrite", verdicts);
        let is_good = self.bytes.is_empty() && !self.is_shut;
        verdicts.claim(Property::E4, is_good, || {
            let left = self.bytes.len();
            format!("a half-close with {left} bytes left, or a second one")
        });
        self.is_shut = true;
    }

    pub(crate) fn close(&mut self, abort: bool, why: Why, verdicts: &mut Verdicts) {
        self.named("Close", verdicts);
        let left = self.bytes.len();
        let is_good = match why {
            // What is thrown away in the call that wrote it was never shown.
            Why::None => left == 0 && !abort,
            Why::Given => abort || left == 0,
            Why::Lost => true,
        };
        verdicts.claim(Property::E4, is_good, || {
            format!("a close with {left} bytes left; abort: {abort}, reason to: {why:?}")
        });
        self.is_closed = true;
    }

    fn named(&self, what: &str, verdicts: &mut Verdicts) {
        verdicts.claim(Property::D3, !self.is_closed, || format!("{what} after Close"));
    }

    /// After everything is closed.
    pub(crate) fn end(&self, verdicts: &mut Verdicts) {
        let is_closed = self.is_closed;
        verdicts.claim(Property::D7, is_closed, || "a connection was not closed".into());
    }
}

/// E3: an output is queued, and the node said so by the deadline that it named.
pub(crate) fn queued(output: &Output, wake: Option<u64>, now: u64, verdicts: &mut Verdicts) {
    verdicts.claim(Property::E3, wake.is_some_and(|at| at <= now), || {
        format!("{output:?} is queued, and poll_timeout says {wake:?}")
    });
}

/// T5: what time it is for the node, which was told `now`, and maybe an older time after that.
pub(crate) fn clock(now: u64, node: u64, verdicts: &mut Verdicts) {
    verdicts.claim(Property::T5, node == now, || {
        format!("it is {now} us, and for the node it is {node} us")
    });
}

/// T4: the deadlines of one pass.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    calls: u32,
}

impl Deadlines {
    /// More at one instant than any run has reason for.
    const CALLS_MAX: u32 = 20_000;

    /// A call was made because a deadline was due. Says whether to go on.
    pub(crate) fn fired(&mut self, due: u64, verdicts: &mut Verdicts) -> bool {
        self.calls += 1;
        let is_moving = self.calls < Self::CALLS_MAX;
        verdicts.claim(Property::T4, is_moving, || {
            format!("{} calls have not moved the deadline at {due} us", self.calls)
        });
        is_moving
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::fires;
    use super::*;

    fn look(shown: &mut Shown, bytes: &[u8], verdicts: &mut Verdicts) {
        shown.look(bytes.chunks(3), verdicts, |_, _| {});
    }

    #[test]
    fn e1_e2_what_was_shown_stays() {
        let second = |bytes: &'static [u8]| {
            move |verdicts: &mut Verdicts| {
                let mut shown = Shown::default();
                look(&mut shown, b"abcdefg", verdicts);
                shown.sent(2, false);
                look(&mut shown, bytes, verdicts);
                shown.flush(verdicts);
                shown.drained(verdicts);
            }
        };
        fires(None, second(b"cdefghij"));
        fires(Some(Property::E1), second(b"cdeXg"));
        fires(Some(Property::E2), second(b"cdef"));
        fires(None, |verdicts| {
            let mut shown = Shown::default();
            look(&mut shown, b"abc", verdicts);
            look(&mut shown, b"", verdicts);
            shown.close(true, Why::Given, verdicts);
            shown.drained(verdicts);
        });
    }

    #[test]
    fn e3_bytes_that_wait_have_a_flush() {
        let wait = |flushes: u32, refused: bool| {
            move |verdicts: &mut Verdicts| {
                let mut shown = Shown::default();
                look(&mut shown, b"abc", verdicts);
                shown.sent(1, refused);
                (0..flushes).for_each(|_| shown.flush(verdicts));
                shown.drained(verdicts);
            }
        };
        fires(None, wait(1, false));
        fires(None, wait(0, true));
        fires(Some(Property::E3), wait(0, false));
        fires(Some(Property::E3), wait(2, false));
    }

    #[test]
    fn e3_a_queued_output_is_due() {
        let conn = super::super::tests::connection();
        let queue = |wake: Option<u64>| {
            move |verdicts: &mut Verdicts| queued(&Output::Flush(conn), wake, 7, verdicts)
        };
        fires(None, queue(Some(7)));
        fires(None, queue(Some(3)));
        fires(Some(Property::E3), queue(Some(8)));
        fires(Some(Property::E3), queue(None));
    }

    #[test]
    fn e4_d3_d7_the_end_of_a_connection() {
        let close = |abort: bool, why: Why| {
            move |verdicts: &mut Verdicts| {
                let mut shown = Shown::default();
                look(&mut shown, b"abc", verdicts);
                shown.close(abort, why, verdicts);
                shown.end(verdicts);
            }
        };
        fires(None, close(true, Why::Given));
        fires(None, close(false, Why::Lost));
        fires(Some(Property::E4), close(false, Why::Given));
        fires(Some(Property::E4), close(true, Why::None));
        fires(None, |verdicts| Shown::default().close(false, Why::None, verdicts));
        fires(Some(Property::E4), |verdicts| Shown::default().close(true, Why::None, verdicts));
        fires(Some(Property::D7), |verdicts| Shown::default().end(verdicts));
        fires(Some(Property::D3), |verdicts| {
            let mut shown = Shown::default();
            shown.close(false, Why::None, verdicts);
            shown.flush(verdicts);
        });
        fires(Some(Property::E4), |verdicts| {
            let mut shown = Shown::default();
            shown.shutdown_write(verdicts);
            shown.shutdown_write(verdicts);
        });
    }

    #[test]
    fn e5_pauses_and_resumes_alternate() {
        fires(None, |verdicts| {
            let mut shown = Shown::default();
            shown.pause(verdicts);
            shown.resume(verdicts);
            shown.pause(verdicts);
        });
        fires(Some(Property::E5), |verdicts| Shown::default().resume(verdicts));
    }

    #[test]
    fn t5_an_older_time_is_taken_as_the_latest() {
        fires(None, |verdicts| clock(7, 7, verdicts));
        fires(Some(Property::T5), |verdicts| clock(7, 6, verdicts));
    }

    #[test]
    fn t4_deadlines_move() {
        let calls = |count: u32| {
            move |verdicts: &mut Verdicts| {
                let mut deadlines = Deadlines::default();
                (0..count).for_each(|_| {
                    deadlines.fired(1, verdicts);
                });
            }
        };
        fires(None, calls(100));
        fires(Some(Property::T4), calls(Deadlines::CALLS_MAX));
    }
}
