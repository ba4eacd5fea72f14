//! What kind of clients there are.

use std::rc::Rc;

use super::script::{Actor, Random};
use crate::client::Kind;

pub(super) type Script = Rc<dyn Fn(&mut Actor, &mut Random<'_>)>;

/// A kind of client: how it connects, and what it does. [`Sim::clients`](super::Sim::clients)
/// takes it.
#[derive(Clone)]
pub struct Client {
    pub(super) name: Rc<str>,
    /// One is drawn for each client.
    pub(super) kinds: &'static [Kind],
    pub(super) script: Script,
}

impl Client {
    /// As a browser's: polls first, and upgrades to a websocket as soon as it can.
    pub fn browser() -> Self {
        Self::of("browser", &[Kind::Upgrading])
    }

    /// Polls, and stays with it.
    pub fn polling() -> Self {
        Self::of("polling", &[Kind::Polling])
    }

    /// A websocket from the beginning.
    pub fn websocket() -> Self {
        Self::of("websocket", &[Kind::WebSocket])
    }

    /// Any of the three, drawn for each client.
    pub fn any() -> Self {
        Self::of("client", &[Kind::WebSocket, Kind::Polling, Kind::Upgrading])
    }

    fn of(name: &str, kinds: &'static [Kind]) -> Self {
        Self { name: name.into(), kinds, script: Rc::new(|_, _| {}) }
    }

    /// What it is called in reports.
    pub fn named(self, name: &str) -> Self {
        Self { name: name.into(), ..self }
    }

    /// What it does. The script runs once for each client, when it is born; what it asks for with
    /// [`Actor::every`], [`Actor::after`] and [`Actor::on`] happens later.
    pub fn script(self, script: impl Fn(&mut Actor, &mut Random<'_>) + 'static) -> Self {
        Self { script: Rc::new(script), ..self }
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, kinds, script: _ } = self;
        f.debug_struct("Client").field("name", name).field("kinds", kinds).finish_non_exhaustive()
    }
}
