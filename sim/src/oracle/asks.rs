//! A1, A2, A4 to A6, A9 and V9: questions to clients and what becomes of them. A7 is where the
//! clients are, and A3 is on the [agenda](super::agenda).

use std::collections::{BTreeMap, VecDeque};

use parlor::{AskId, Outcome, SocketId};

use super::{Property, Verdicts};
use crate::watch::Settled;

#[derive(Debug, Default)]
pub(crate) struct Asks {
    /// The keys are the core's.
    open: BTreeMap<AskId, Ask>,
    /// Asks that were not made, and whose closure has not run yet.
    unmade: u64,
    /// Calls of the node so far: which ask was made in this one?
    calls: u64,
    /// What was sent and not read yet, by its print: equal questions are read in their order.
    sent: BTreeMap<(SocketId, u64), VecDeque<AskId>>,
    /// Under which id a client was asked what.
    wire: BTreeMap<(SocketId, u64), AskId>,
    /// From which call to which an ask was open.
    over: BTreeMap<AskId, (u64, u64)>,
    /// What was answered in this call, as it was handed in.
    answers: BTreeMap<AskId, u64>,
    /// Answers in this call that nobody waits for: those that are late, and others.
    late: u64,
    unknown: u64,
    /// Who was asked last in each namespace, and under which id.
    latest: BTreeMap<String, (SocketId, u64)>,
}

#[derive(Debug)]
struct Ask {
    socket: SocketId,
    print: u64,
    call: u64,
}

impl Asks {
    pub(crate) fn asked(
        &mut self,
        socket: SocketId,
        print: u64,
        outcome: Outcome,
        verdicts: &mut Verdicts,
    ) {
        let Outcome::Asked(id) = outcome else {
            self.unmade += 1;
            return;
        };
        let ask = Ask { socket, print, call: self.calls };
        let is_new = self.open.insert(id, ask).is_none();
        self.sent.entry((socket, print)).or_default().push_back(id);
        verdicts.claim(Property::A1, is_new, || format!("two asks have the id {id:?}"));
    }

    /// A client reads a question, and under which id it is to be answered.
    pub(crate) fn read(&mut self, socket: SocketId, id: u64, print: u64, verdicts: &mut Verdicts) {
        let sent = self.sent.get_mut(&(socket, print)).and_then(VecDeque::pop_front);
        let Some(ask) = sent else { return };
        verdicts.claim(Property::A6, true, String::new);
        let Some(other) = self.wire.insert((socket, id), ask) else { return };
        let span = |ask| {
            let open = self.open.get(&ask).map(|ask| (ask.call, u64::MAX));
            open.or_else(|| self.over.get(&ask).copied())
        };
        let is_apart = span(other).zip(span(ask)).is_none_or(|(a, b)| a.1 < b.0 || b.1 < a.0);
        verdicts.claim(Property::A6, is_apart, || {
            format!("{socket} is asked {other:?} and {ask:?} under the id {id} at one time")
        });
    }

    /// The same, to be answered by somebody else.
    pub(crate) fn read_in(&mut self, namespace: &str, socket: SocketId, id: u64) {
        self.latest.insert(namespace.into(), (socket, id));
    }

    /// Under which id another of this namespace was asked.
    pub(crate) fn foreign(&self, namespace: &str, socket: SocketId) -> Option<u64> {
        let &(other, id) = self.latest.get(namespace)?;
        (other != socket).then_some(id)
    }

    /// An answer of a socket that is connected was handed in, all of it.
    pub(crate) fn heard(&mut self, socket: SocketId, id: Option<u64>, print: u64) {
        let ask = id.and_then(|id| self.wire.get(&(socket, id))).copied();
        match ask {
            Some(ask) if self.answers.contains_key(&ask) => self.unknown += 1,
            Some(ask) if self.open.contains_key(&ask) => {
                self.answers.insert(ask, print);
            }
            Some(_) => self.late += 1,
            None => self.unknown += 1,
        }
    }

    /// The answers of this call were refused with the request that brought them.
    pub(crate) fn forget(&mut self) {
        self.answers.clear();
    }

    /// So many answers were counted as unknown in a call in which bytes were handed in.
    pub(crate) fn counted(&mut self, counted: u64, verdicts: &mut Verdicts) {
        let (late, unknown) = (self.late, self.unknown);
        let is_right = counted == late + unknown;
        let what = || format!("{late} late answers and {unknown} others: {counted} were counted");
        for (property, count) in [(Property::A4, late), (Property::A5, unknown)] {
            if count > 0 {
                verdicts.claim(property, is_right, what);
            }
        }
        verdicts.claim(Property::A5, is_right, what);
    }

    /// Gives the print of a question that was never sent.
    pub(crate) fn settled(
        &mut self,
        (socket, id): (SocketId, Option<AskId>),
        settled: Settled,
        verdicts: &mut Verdicts,
    ) -> Option<u64> {
        let Some(id) = id else {
            let is_owed = self.unmade > 0;
            self.unmade = self.unmade.saturating_sub(1);
            verdicts.claim(Property::A1, is_owed, || {
                format!("an ask of {socket} settles that was not made: {settled:?}")
            });
            return None;
        };
        let Some(ask) = self.open.remove(&id) else {
            verdicts.fail(Property::A1, format!("{id:?} of {socket} settles again: {settled:?}"));
            return None;
        };
        self.over.insert(id, (ask.call, self.calls));
        verdicts.claim(Property::A1, ask.socket == socket, || {
            format!("{id:?} of {} settles for {socket}", ask.socket)
        });
        if settled == Settled::Dropped
            && let Some(sent) = self.sent.get_mut(&(socket, ask.print))
        {
            sent.retain(|other| *other != id);
        }
        self.judge((socket, id), &ask, settled, verdicts);
        (settled == Settled::Dropped).then_some(ask.print)
    }

    fn judge(
        &mut self,
        (socket, id): (SocketId, AskId),
        ask: &Ask,
        settled: Settled,
        verdicts: &mut Verdicts,
    ) {
        match settled {
            Settled::Answered(print) => {
                let given = self.answers.remove(&id);
                verdicts.claim(Property::A2, given == Some(print), || {
                    format!("{id:?} of {socket} is answered by what its client did not say")
                });
                verdicts.claim(Property::A9, true, String::new);
            }
            Settled::BadAnswer => {
                verdicts.fail(Property::A2, format!("the answer to {id:?} was changed"));
            }
            Settled::Dropped => {
                let is_same = ask.call == self.calls;
                verdicts.claim(Property::V9, is_same, || {
                    format!("{id:?} of {socket} settles as dropped in a later turn")
                });
            }
            // A9 tells whether an answer was there.
            Settled::TimedOut | Settled::Disconnected => {}
        }
    }

    /// A call is over: whatever was answered in it is settled so.
    pub(crate) fn shut(&mut self, verdicts: &mut Verdicts) {
        self.calls += 1;
        (self.late, self.unknown) = (0, 0);
        if let Some((ask, _)) = std::mem::take(&mut self.answers).pop_first() {
            let what = format!("{ask:?} was answered in time, and is not settled so");
            verdicts.fail(Property::A9, what);
        }
    }

    /// How many wait for their outcome.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.open.is_empty() && self.unmade == 0
    }

    /// After everything is closed.
    pub(crate) fn end(&self, verdicts: &mut Verdicts) {
        verdicts.claim(Property::A1, self.is_settled(), || {
            format!("never settled: {:?}, and {} that were not made", self.open, self.unmade)
        });
    }
}

/// Questions of one client that wait for their answers: A7.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    /// By the ack id, which the client chooses: the number that must come back.
    open: BTreeMap<u64, u64>,
    /// The same of those that were answered: how often they may be is not known here.
    over: BTreeMap<u64, u64>,
}

impl Questions {
    /// A question was put under this id.
    pub(crate) fn asked(&mut self, id: u64, number: u64) {
        self.open.insert(id, number);
    }

    pub(crate) fn answered(&mut self, id: u64, number: Option<u64>, verdicts: &mut Verdicts) {
        let expected = self.open.remove(&id).or_else(|| self.over.get(&id).copied());
        self.over.extend(expected.map(|expected| (id, expected)));
        verdicts.claim(Property::A7, expected.is_some() && expected == number, || {
            format!("question {id} is answered {number:?}, expected {expected:?}")
        });
    }

    /// The client is out. A copy of what it said may still be handled when it is back.
    pub(crate) fn left(&mut self) {
        self.over.append(&mut self.open);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fires, handles, socket};
    use super::*;

    fn ids() -> Vec<AskId> {
        handles().asks
    }

    fn asked(asks: &mut Asks, id: AskId, verdicts: &mut Verdicts) {
        asks.asked(socket(0), 70, Outcome::Asked(id), verdicts);
    }

    #[test]
    fn a1_each_ask_settles_once() {
        let ids = ids();
        let settle = |times: usize| {
            move |verdicts: &mut Verdicts| {
                let mut asks = Asks::default();
                asked(&mut asks, ids[0], verdicts);
                asks.asked(socket(0), 80, Outcome::Limited, verdicts);
                asks.settled((socket(0), None), Settled::Dropped, verdicts);
                for _ in 0..times {
                    asks.settled((socket(0), Some(ids[0])), Settled::Disconnected, verdicts);
                }
                asks.end(verdicts);
            }
        };
        fires(Some(Property::A1), settle.clone()(0));
        fires(None, settle.clone()(1));
        fires(Some(Property::A1), settle(2));
    }

    #[test]
    fn a2_a9_answers_are_those_that_were_handed_in() {
        let id = ids()[1];
        let settle = |heard: Option<(u64, u64)>, told: Settled| {
            move |verdicts: &mut Verdicts| {
                let mut asks = Asks::default();
                asked(&mut asks, id, verdicts);
                asks.read(socket(0), 3, 70, verdicts);
                asks.shut(verdicts);
                if let Some((id, print)) = heard {
                    asks.heard(socket(0), Some(id), print);
                }
                asks.settled((socket(0), Some(id)), told, verdicts);
                asks.shut(verdicts);
            }
        };
        fires(None, settle(Some((3, 70)), Settled::Answered(70)));
        fires(None, settle(None, Settled::TimedOut));
        fires(Some(Property::A2), settle(None, Settled::Answered(70)));
        fires(Some(Property::A2), settle(Some((3, 70)), Settled::Answered(71)));
        fires(Some(Property::A2), settle(Some((4, 70)), Settled::Answered(70)));
        fires(Some(Property::A9), settle(Some((3, 70)), Settled::TimedOut));
    }

    #[test]
    fn a4_a5_other_answers_are_counted() {
        let id = ids()[0];
        let count = |heard: &'static [(u8, Option<u64>)], counted: u64| {
            move |verdicts: &mut Verdicts| {
                let mut asks = Asks::default();
                asked(&mut asks, id, verdicts);
                asks.read(socket(0), 3, 70, verdicts);
                asks.settled((socket(0), Some(id)), Settled::TimedOut, verdicts);
                asks.shut(verdicts);
                heard.iter().for_each(|&(who, id)| asks.heard(socket(who), id, 70));
                asks.counted(counted, verdicts);
            }
        };
        fires(None, count(&[(0, Some(3)), (1, Some(3)), (0, Some(4)), (0, None)], 4));
        fires(Some(Property::A4), count(&[(0, Some(3))], 0));
        fires(Some(Property::A5), count(&[(1, Some(3))], 0));
        fires(Some(Property::A5), count(&[(0, None)], 0));
    }

    #[test]
    fn a6_ids_of_open_asks_differ() {
        let (first, second) = (ids()[0], ids()[1]);
        let ask = |is_over: bool, wire: u64| {
            move |verdicts: &mut Verdicts| {
                let mut asks = Asks::default();
                asked(&mut asks, first, verdicts);
                if is_over {
                    asks.settled((socket(0), Some(first)), Settled::TimedOut, verdicts);
                    asks.shut(verdicts);
                }
                asks.asked(socket(0), 80, Outcome::Asked(second), verdicts);
                asks.read(socket(0), 3, 70, verdicts);
                asks.read(socket(0), wire, 80, verdicts);
            }
        };
        fires(None, ask(false, 4));
        fires(None, ask(true, 3));
        fires(Some(Property::A6), ask(false, 3));
    }

    #[test]
    fn v9_what_is_dropped_settles_in_its_turn() {
        let id = ids()[0];
        let settle = |calls: u32| {
            move |verdicts: &mut Verdicts| {
                let mut asks = Asks::default();
                asked(&mut asks, id, verdicts);
                (0..calls).for_each(|_| asks.shut(verdicts));
                let unsent = asks.settled((socket(0), Some(id)), Settled::Dropped, verdicts);
                assert_eq!(unsent, Some(70));
            }
        };
        fires(None, settle(0));
        fires(Some(Property::V9), settle(1));
    }

    #[test]
    fn a7_one_answer_to_each_question() {
        let answer = |ids: &'static [u64], number: u64| {
            move |verdicts: &mut Verdicts| {
                let mut questions = Questions::default();
                questions.asked(0, 5);
                ids.iter().for_each(|&id| questions.answered(id, Some(number), verdicts));
            }
        };
        fires(None, answer(&[0], 5));
        fires(None, |verdicts| {
            let mut questions = Questions::default();
            questions.asked(0, 5);
            questions.left();
            assert!(questions.is_empty());
            questions.answered(0, Some(5), verdicts);
        });
        fires(Some(Property::A7), answer(&[0], 6));
        fires(None, answer(&[0, 0], 5));
        fires(Some(Property::A7), answer(&[1], 5));
    }
}
