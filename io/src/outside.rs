//! The door for other threads: a queue and a waker.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use mio::Waker;
use parlor::{NotTaken, Outside, Port};

/// Wakes the loop, and tells it to stop. Ringing after the loop has ended does nothing.
#[derive(Debug)]
pub(crate) struct Bell {
    waker: Waker,
    stop: AtomicBool,
}

impl Bell {
    pub(crate) fn new(waker: Waker) -> Self {
        Self { waker, stop: AtomicBool::new(false) }
    }

    pub(crate) fn ring(&self) {
        if let Err(error) = self.waker.wake() {
            log::error!("cannot wake the event loop: {error}");
        }
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.ring();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

/// Work that waits for its turn. Jobs are bounded by `jobs_max`; an answer or a decision holds a
/// place that was counted when its token was made, so it is always taken.
pub(crate) struct Mailbox<S> {
    queue: Mutex<Queue<S>>,
    bell: Arc<Bell>,
    jobs_max: usize,
}

struct Queue<S> {
    work: VecDeque<Outside<S>>,
    jobs: usize,
    open: bool,
}

impl<S> Mailbox<S> {
    pub(crate) fn new(bell: Arc<Bell>, jobs_max: usize) -> Self {
        let queue = Queue { work: VecDeque::new(), jobs: 0, open: true };
        Self { queue: Mutex::new(queue), bell, jobs_max }
    }

    /// Moves up to `count` pieces of work to `batch`, oldest first. Says whether more is left.
    pub(crate) fn take(&self, batch: &mut VecDeque<Outside<S>>, count: usize) -> bool {
        let queue = &mut *self.lock();
        let count = count.min(queue.work.len());
        for work in queue.work.drain(..count) {
            queue.jobs -= usize::from(work.is_job());
            batch.push_back(work);
        }
        !queue.work.is_empty()
    }

    /// Nothing is taken any more; what waits is dropped.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.open = false;
        queue.jobs = 0;
        let work = mem::take(&mut queue.work);
        // A job may hold a handle, and what it drops may post: not while the lock is held.
        drop(queue);
        drop(work);
    }

    fn post(&self, work: Outside<S>) -> Result<(), NotTaken> {
        let mut queue = self.lock();
        if !queue.open {
            return Err(NotTaken::Closed);
        }
        if work.is_job() {
            if queue.jobs >= self.jobs_max {
                return Err(NotTaken::Full);
            }
            queue.jobs += 1;
        }
        queue.work.push_back(work);
        // The loop takes in batches and comes back by itself for the rest.
        let first = queue.work.len() == 1;
        drop(queue);
        if first {
            self.bell.ring();
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Queue<S>> {
        self.queue.lock().expect("no foreign code runs while the lock is held")
    }
}

/// What a [`parlor::Handle`] is made of.
pub(crate) struct Door<S>(pub(crate) Arc<Mailbox<S>>);

impl<S> Port<S> for Door<S> {
    fn post(&self, work: Outside<S>) -> Result<(), NotTaken> {
        self.0.post(work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::{Poll, Token};
    use parlor::{Handle, Root};

    fn mailbox(poll: &Poll, jobs_max: usize) -> Arc<Mailbox<()>> {
        let waker = Waker::new(poll.registry(), Token(0)).expect("a waker");
        Arc::new(Mailbox::new(Arc::new(Bell::new(waker)), jobs_max))
    }

    fn job() -> impl FnOnce(&mut Root<'_, ()>) + Send + 'static {
        |_root| {}
    }

    #[test]
    fn jobs_are_bounded_and_taking_them_makes_room() {
        let poll = Poll::new().expect("a poll");
        let mailbox = mailbox(&poll, 2);
        let handle = Handle::new(Door(mailbox.clone()));
        assert_eq!(handle.run(job()), Ok(()));
        assert_eq!(handle.run(job()), Ok(()));
        assert_eq!(handle.run(job()), Err(NotTaken::Full));

        let mut batch = VecDeque::new();
        assert!(mailbox.take(&mut batch, 1), "one is left");
        assert_eq!(batch.len(), 1);
        assert_eq!(handle.run(job()), Ok(()));
        assert_eq!(handle.run(job()), Err(NotTaken::Full));
        batch.clear();
        assert!(!mailbox.take(&mut batch, 8));
        assert_eq!(batch.len(), 2);
    }

    #[test]
    fn a_closed_mailbox_takes_nothing_and_drops_what_waited() {
        struct Tell(Arc<AtomicBool>);
        impl Drop for Tell {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Release);
            }
        }
        let poll = Poll::new().expect("a poll");
        let mailbox = mailbox(&poll, 2);
        let handle = Handle::new(Door(mailbox.clone()));
        let dropped = Arc::new(AtomicBool::new(false));
        let (tell, inner) = (Tell(dropped.clone()), handle.clone());
        let posted = handle.run(move |_root| {
            let _ = (&tell, &inner);
        });
        assert_eq!(posted, Ok(()));
        mailbox.close();
        assert!(dropped.load(Ordering::Acquire));
        assert_eq!(handle.run(job()), Err(NotTaken::Closed));
        assert_eq!(Arc::strong_count(&mailbox), 2, "the queued handle is gone");
    }

    #[test]
    fn the_first_piece_of_work_wakes_the_loop() {
        use std::time::Duration;
        let mut poll = Poll::new().expect("a poll");
        let mailbox = mailbox(&poll, 2);
        let handle = Handle::new(Door(mailbox));
        handle.run(job()).expect("room");
        let mut events = mio::Events::with_capacity(4);
        poll.poll(&mut events, Some(Duration::from_secs(2))).expect("a poll");
        assert_eq!(events.iter().count(), 1);
    }
}
