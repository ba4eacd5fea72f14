//! The door for work from outside, as a program under simulation finds it: what is posted is taken
//! by the world, which lets it arrive later.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};

use parlor::{Handle, NotTaken, Outside, Port};

use crate::oracle::{Property, Verdicts};

/// What a program has posted.
pub(crate) struct Letterbox<S>(Arc<Inner<S>>);

struct Inner<S> {
    /// Where the world is; work from elsewhere comes when nobody can say.
    home: ThreadId,
    posted: Mutex<Posted<S>>,
}

struct Posted<S> {
    work: Vec<Outside<S>>,
    /// What came from another thread.
    stranger: Option<String>,
}

impl<S> Default for Letterbox<S> {
    fn default() -> Self {
        let posted = Mutex::new(Posted { work: Vec::new(), stranger: None });
        Self(Arc::new(Inner { home: thread::current().id(), posted }))
    }
}

struct Slot<S>(Arc<Inner<S>>);

impl<S: Send> Port<S> for Slot<S> {
    fn post(&self, work: Outside<S>) -> Result<(), NotTaken> {
        let mut posted = self.0.posted.lock().unwrap_or_else(PoisonError::into_inner);
        if thread::current().id() != self.0.home {
            posted.stranger.get_or_insert_with(|| format!("{work:?}"));
        }
        posted.work.push(work);
        Ok(())
    }
}

impl<S: Send + 'static> Letterbox<S> {
    /// A handle that posts into it.
    pub(crate) fn handle(&self) -> Handle<S> {
        Handle::new(Slot(Arc::clone(&self.0)))
    }

    /// What has been posted since the last time.
    pub(crate) fn take(&self, verdicts: &mut Verdicts) -> Vec<Outside<S>> {
        let mut posted = self.0.posted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(work) = posted.stranger.take() {
            let what =
                format!("{work} was posted from a thread: not repeatable; see `Sim::outside`");
            verdicts.fail(Property::X12, what);
        }
        std::mem::take(&mut posted.work)
    }
}
