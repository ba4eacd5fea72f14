//! V11, where nobody emits: whether the node foretells of each socket what `W` says.

use parlor::SocketId;

use super::Shadow;
use super::commands::{Fate, Why};
use super::parcel::Size;
use super::rooms::{Socket, State};
use crate::oracle::{Property, Verdicts};

impl Shadow {
    /// Between two calls; what is emitted then is of the turn that follows. `said`: whether a
    /// socket is writable, if it is there.
    pub(crate) fn foretold(
        &mut self,
        said: impl Fn(SocketId) -> Option<bool>,
        verdicts: &mut Verdicts,
    ) {
        let all = self.sockets.present().map(|(_, socket)| socket);
        self.compare_foretold(self.askable(all), said, verdicts);
    }

    /// The same, of those whom a connection serves.
    pub(crate) fn foretold_behind(
        &mut self,
        conn: usize,
        said: impl Fn(SocketId) -> Option<bool>,
        verdicts: &mut Verdicts,
    ) {
        let Some(session) = self.pipes[conn].session else { return };
        let sockets = &self.peers[session as usize].sockets;
        let own = sockets.iter().map(|&socket| &self.sockets.all[socket]);
        self.compare_foretold(self.askable(own), said, verdicts);
    }

    fn askable<'a>(&self, sockets: impl Iterator<Item = &'a Socket>) -> Vec<(SocketId, u64)> {
        sockets
            .filter(|socket| socket.state == State::Connected)
            .filter_map(|socket| socket.id.zip(socket.session))
            .filter(|&(_, session)| self.peers[session as usize].is_judged)
            .collect()
    }

    fn compare_foretold(
        &mut self,
        sockets: Vec<(SocketId, u64)>,
        said: impl Fn(SocketId) -> Option<bool>,
        verdicts: &mut Verdicts,
    ) {
        for (id, session) in sockets {
            let expected = match self.w(session, Size::default(), self.turn + 1) {
                Fate::Goes => true,
                // A bound has to do with the packet, of which nobody asks.
                Fate::Dropped(Why::Limit) | Fate::Open(_) | Fate::Gone | Fate::Over => continue,
                Fate::Dropped(_) => false,
            };
            let found = said(id);
            verdicts.claim(Property::V11, found == Some(expected), || {
                format!("{id} is said to be writable: {found:?}; it is: {expected}")
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::tests::Bench;
    use super::*;

    /// What comes of it if the node says this of every socket.
    fn saying(bench: &mut Bench, said: Option<bool>) -> Option<Property> {
        let mut verdicts = Verdicts::default();
        bench.shadow.foretold(|_| said, &mut verdicts);
        verdicts.failure().map(|failure| failure.property)
    }

    #[test]
    fn v11_what_is_foretold_is_what_would_become_of_it() {
        let mut bench = Bench::new(parlor::Config::default(), None);
        let (id, socket) = bench.websocket(1);
        assert_eq!(saying(&mut bench, Some(true)), None);
        for wrong in [Some(false), None] {
            assert_eq!(saying(&mut bench, wrong), Some(Property::V11));
        }
        bench.run(|root| {
            root.io().socket(socket).emit("a", 1);
        });
        assert_eq!(saying(&mut bench, Some(true)), None, "its turn is over");
        bench.sent(id, 0, true);
        assert_eq!(saying(&mut bench, Some(true)), Some(Property::V11));
        assert_eq!(saying(&mut bench, Some(false)), None);
        bench.flush();
        assert_eq!(saying(&mut bench, Some(true)), None);
    }

    #[test]
    fn v11_after_each_call_those_are_asked_of_whom_it_was_about() {
        let mut bench = Bench::new(parlor::Config::default(), None);
        let (one, socket) = bench.websocket(1);
        let (other, _) = bench.websocket(2);
        bench.sent(one, 0, true);
        bench.flush();
        let mut asked = |conn| {
            let (mut verdicts, count) = (Verdicts::default(), Cell::new(0));
            let said = |id| {
                count.update(|count| count + 1);
                Some(id != socket)
            };
            bench.shadow.foretold_behind(conn, said, &mut verdicts);
            let failed = verdicts.failure().map(|failure| failure.property);
            (count.get(), failed)
        };
        assert_eq!(asked(one), (1, Some(Property::V11)));
        assert_eq!(asked(other), (1, None));
    }
}
