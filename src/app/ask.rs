//! Questions to clients.

use alloc::boxed::Box;
use core::fmt;
use core::panic::Location;
use core::time::Duration;

use crate::app::args::FromArgs;
use crate::app::cx::{Cx, SocketHandle};
use crate::app::desk::{Deferred, Settle, Site, enter};
use crate::app::reply::Quiet;
use crate::{AskError, Payload};

/// A question to one client that is about to be asked.
///
/// ```
/// use core::time::Duration;
/// use parlor::{App, AskError};
///
/// let mut app = App::new();
/// app.of("/").on_connect(|cx| {
///     let ask = cx.ask("ready?", ()).timeout(Duration::from_secs(5));
///     ask.then(|cx, ready: Result<bool, AskError>| match ready {
///         Ok(true) => cx.join("ready"),
///         Ok(false) => {}
///         Err(_) => cx.disconnect(), // no answer in time, or one that is no `bool`
///     });
/// });
/// ```
#[must_use = "nothing is sent until `.then(..)`"]
pub struct Ask<'a, 'e, S = (), D = ()> {
    to: SocketHandle<'a, S, D>,
    event: &'e str,
    /// `None` if they could not be written.
    args: Option<Payload>,
    timeout: Option<Duration>,
}

impl<'a, 'e, S: Send + 'static, D: Default + Send + 'static> Ask<'a, 'e, S, D> {
    pub(super) fn new(to: SocketHandle<'a, S, D>, event: &'e str, args: Option<Payload>) -> Self {
        Self { to, event, args, timeout: None }
    }

    /// How long to wait for the answer; else [`Config::ask_timeout`](crate::Config::ask_timeout).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Asks. The closure runs exactly once, never within this call, and gets the context of the
    /// socket that was asked, even when that has gone.
    #[track_caller]
    pub fn then<T: FromArgs, R: Quiet>(
        self,
        f: impl FnOnce(&mut Cx<'_, S, D>, Result<T, AskError>) -> R + Send + 'static,
    ) {
        let settle: Settle<S> = Box::new(move |site: Site<'_, S>, outcome| {
            let answer = outcome.and_then(|args| T::from_args(args).map_err(AskError::BadAnswer));
            enter(site, |cx: &mut Cx<'_, S, D>| f(cx, answer));
        });
        let mut core = self.to.io.door.core();
        let Some(args) = &self.args else {
            core.desk.deferred.push_back(Deferred::Dropped(self.to.id(), settle));
            return;
        };
        let timeout = self.timeout.unwrap_or(core.server.config().ask_timeout);
        core.at(Location::caller()).ask(
            self.to.id(),
            self.event,
            args,
            timeout,
            self.to.flags,
            settle,
        );
    }
}

impl<S, D> fmt::Debug for Ask<'_, '_, S, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { to, event, args, timeout } = self;
        let mut out = f.debug_struct("Ask");
        out.field("to", to).field("event", event).field("args", args).field("timeout", timeout);
        out.finish()
    }
}
