//! What a scenario demands of the program, judged after calls and at its time.

use super::Server;
use crate::hub::Hub;
use crate::user::Demands;

impl<S: Send + 'static> Server<S> {
    /// Judges what the scenario demands: one of it, or what is due after a call.
    pub(super) fn judge(&mut self, which: Option<usize>, is_news: bool, hub: &mut Hub) {
        let Self { node, spaces, demands, .. } = self;
        let place_of = |name: &str| {
            let namespace = node.server().find_namespace(name)?;
            spaces.iter().position(|&known| known == namespace)
        };
        match which {
            Some(which) => demands.judge(which, (node, hub), &place_of),
            None => demands.look(is_news, (node, hub), &place_of),
        }
    }

    /// A demand's time has come.
    pub(crate) fn demand(&mut self, which: usize, hub: &mut Hub) {
        self.judge(Some(which), true, hub);
    }

    pub(crate) fn demands(&self) -> &Demands<S> {
        &self.demands
    }
}
