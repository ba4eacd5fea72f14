//! A node whose handlers may panic: one client's bad luck must not cost the others.
//!
//! The core runs no user code, so a panic leaves it consistent; the application's own state is the
//! application's matter, and a panic there costs the socket it ran for (`Node::after_panic`).

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use parlor::{Input, Instant, Node, Outside};

/// A node, and how often its handlers have panicked lately.
pub(crate) struct Contained<S> {
    pub(crate) node: Node<S>,
    meter: Meter,
}

impl<S: Send + 'static> Contained<S> {
    pub(crate) fn new(node: Node<S>, panics_max: u32) -> Self {
        Self { node, meter: Meter::new(panics_max) }
    }

    pub(crate) fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.guard(now, |node| node.handle(now, input));
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.guard(now, |node| node.handle_timeout(now));
    }

    pub(crate) fn outside(&mut self, now: Instant, work: Outside<S>) {
        self.guard(now, |node| node.outside(now, work));
    }

    pub(crate) fn shutdown(&mut self, now: Instant) {
        self.guard(now, |node| node.shutdown(now));
    }

    /// Whether there were more panics within a minute than allowed, once.
    pub(crate) fn is_failing(&self) -> bool {
        self.meter.exceeded
    }

    /// `AssertUnwindSafe`: see the module's doc. What is left of the turn is finished by
    /// `after_panic`, and may panic again; each panic consumes an event of a bounded queue.
    fn guard(&mut self, now: Instant, call: impl FnOnce(&mut Node<S>)) {
        let mut outcome = catch_unwind(AssertUnwindSafe(|| call(&mut self.node)));
        while let Err(payload) = outcome {
            log::error!("a handler panicked: {}", message(&*payload));
            self.meter.count(now);
            outcome = catch_unwind(AssertUnwindSafe(|| {
                if let Some(culprit) = self.node.after_panic() {
                    log::error!("the client it ran for is disconnected: {culprit:?}");
                }
            }));
        }
    }
}

fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

/// Counts panics by minutes, the first of which begins with the first panic.
#[derive(Debug)]
struct Meter {
    max: u32,
    since: Instant,
    count: u32,
    exceeded: bool,
}

impl Meter {
    const WINDOW: Duration = Duration::from_secs(60);

    fn new(max: u32) -> Self {
        Self { max, since: Instant::ZERO, count: 0, exceeded: false }
    }

    fn count(&mut self, now: Instant) {
        if self.count == 0 || now.saturating_since(self.since) >= Self::WINDOW {
            self.since = now;
            self.count = 0;
        }
        self.count += 1;
        self.exceeded |= self.count > self.max;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(seconds)
    }

    #[test]
    fn panics_of_one_minute_count_together() {
        let mut meter = Meter::new(2);
        for seconds in [10, 60, 70, 129, 130] {
            meter.count(at(seconds));
            assert!(!meter.exceeded, "at {seconds} s");
        }
        meter.count(at(131));
        meter.count(at(189));
        assert!(meter.exceeded);
        meter.count(at(1000));
        assert!(meter.exceeded, "it stays so");
    }

    #[test]
    fn a_panic_says_what_it_was_given() {
        assert_eq!(message(&"text"), "text");
        assert_eq!(message(&String::from("formatted")), "formatted");
        assert_eq!(message(&7), "no message");
    }
}
