//! O3, O4 and O6: what clients say reaches the program as it was handed in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use parlor::SocketId;

use super::{Property, Verdicts};

/// Events that were handed in and of which the program has not been told. Keys are the core's.
#[derive(Debug, Default)]
pub(crate) struct Events {
    waiting: BTreeMap<SocketId, VecDeque<(u64, u64)>>,
    /// What was handed in once more, by whom.
    copies: BTreeSet<(SocketId, u64)>,
}

impl Events {
    /// An event was handed in, all of it, for a socket that is connected; perhaps once more.
    pub(crate) fn heard(&mut self, socket: SocketId, event: (u64, u64), is_copy: bool) {
        self.waiting.entry(socket).or_default().push_back(event);
        if is_copy {
            self.copies.insert((socket, event.1));
        }
    }

    /// What was handed in for a socket was refused with the request that brought it.
    pub(crate) fn forget(&mut self, socket: SocketId) {
        self.waiting.remove(&socket);
    }

    /// The program is told of an event.
    pub(crate) fn told(
        &mut self,
        socket: SocketId,
        (key, print): (u64, u64),
        verdicts: &mut Verdicts,
    ) {
        let next = self.waiting.get_mut(&socket).and_then(VecDeque::pop_front);
        let is_next = next.is_some_and(|(next, _)| next == key);
        verdicts.claim(Property::O3, is_next, || {
            format!("an event of {socket} is told, {print}; its client said {next:?} next")
        });
        verdicts.claim(Property::O4, next.is_none_or(|(_, next)| next == print), || {
            format!("an event of {socket} is told as {print}; its client said {next:?}")
        });
        if self.copies.contains(&(socket, print)) {
            verdicts.claim(Property::O6, is_next, || format!("a copy of {print} is told"));
        }
    }

    /// A call is over: what was handed in in it was told.
    pub(crate) fn shut(&mut self, verdicts: &mut Verdicts) {
        for (socket, waiting) in std::mem::take(&mut self.waiting) {
            let Some(&(_, print)) = waiting.front() else { continue };
            let is_copy = self.copies.contains(&(socket, print));
            let property = if is_copy { Property::O6 } else { Property::O3 };
            verdicts.fail(property, format!("{waiting:?} of {socket} was handed in, and not told"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fires, socket};
    use super::*;

    #[test]
    fn o3_o4_o6_events_are_told_as_they_were_handed_in() {
        let tell = |is_copied: bool, all: &'static [(u64, u64)]| {
            move |verdicts: &mut Verdicts| {
                let mut events = Events::default();
                events.heard(socket(1), (1, 10), is_copied);
                events.heard(socket(1), (2, 20), false);
                all.iter().for_each(|&event| events.told(socket(1), event, verdicts));
                events.shut(verdicts);
            }
        };
        fires(None, tell(true, &[(1, 10), (2, 20)]));
        fires(Some(Property::O3), tell(false, &[(1, 10)]));
        fires(Some(Property::O3), tell(false, &[(2, 20)]));
        fires(Some(Property::O3), tell(false, &[(1, 10), (2, 20), (2, 20)]));
        fires(Some(Property::O4), tell(false, &[(1, 11), (2, 20)]));
        fires(Some(Property::O6), tell(true, &[]));
    }
}
