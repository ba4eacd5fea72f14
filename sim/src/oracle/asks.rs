//! A1 to A3 and V9: questions to clients and what becomes of them. A7 is where the clients are.

use std::collections::{BTreeMap, BTreeSet};

use parlor::{AskId, Outcome, SocketId};

use super::{Property, Verdicts};
use crate::watch::Settled;

#[derive(Debug, Default)]
pub(crate) struct Asks {
    /// The keys are the core's.
    open: BTreeMap<AskId, Ask>,
    deadlines: BTreeSet<(u64, AskId)>,
    /// Asks that were not made, and whose closure has not run yet.
    unmade: u64,
    /// Calls of the node so far: which ask was made in this one?
    calls: u64,
    /// Answers that clients have given away: who, and the prints of question and answer.
    given: BTreeSet<(SocketId, u64, u64)>,
}

#[derive(Debug)]
struct Ask {
    socket: SocketId,
    print: u64,
    deadline: u64,
    call: u64,
}

impl Asks {
    pub(crate) fn asked(
        &mut self,
        socket: SocketId,
        (print, timeout): (u64, u64),
        outcome: Outcome,
        verdicts: &mut Verdicts,
    ) {
        let Outcome::Asked(id) = outcome else {
            self.unmade += 1;
            return;
        };
        let deadline = verdicts.now + timeout;
        let ask = Ask { socket, print, deadline, call: self.calls };
        let is_new = self.open.insert(id, ask).is_none();
        self.deadlines.insert((deadline, id));
        verdicts.claim(Property::A1, is_new, || format!("two asks have the id {id:?}"));
    }

    /// A client gives its answer away.
    pub(crate) fn answer_sent(&mut self, socket: SocketId, question: u64, answer: u64) {
        self.given.insert((socket, question, answer));
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
        self.deadlines.remove(&(ask.deadline, id));
        verdicts.claim(Property::A1, ask.socket == socket, || {
            format!("{id:?} of {} settles for {socket}", ask.socket)
        });
        self.judge((socket, id), &ask, settled, verdicts);
        (settled == Settled::Dropped).then_some(ask.print)
    }

    fn judge(
        &self,
        (socket, id): (SocketId, AskId),
        ask: &Ask,
        settled: Settled,
        verdicts: &mut Verdicts,
    ) {
        match settled {
            Settled::Answered(answer) => {
                let is_given = self.given.contains(&(socket, ask.print, answer));
                verdicts.claim(Property::A2, is_given, || {
                    format!("{id:?} of {socket} is answered by what its client did not say")
                });
            }
            Settled::BadAnswer => {
                verdicts.fail(Property::A2, format!("the answer to {id:?} was changed"));
            }
            Settled::TimedOut => {
                let now = verdicts.now;
                verdicts.claim(Property::A3, now >= ask.deadline, || {
                    format!("{id:?} of {socket} times out {} us early", ask.deadline - now)
                });
            }
            Settled::Dropped => {
                let is_same = ask.call == self.calls;
                verdicts.claim(Property::V9, is_same, || {
                    format!("{id:?} of {socket} settles as dropped in a later turn")
                });
            }
            Settled::Disconnected => {}
        }
    }

    /// A call is over.
    pub(crate) fn shut(&mut self) {
        self.calls += 1;
    }

    /// What `poll_timeout` says after a call.
    pub(crate) fn wake(&self, wake: Option<u64>, verdicts: &mut Verdicts) {
        let Some(&(deadline, id)) = self.deadlines.first() else { return };
        verdicts.claim(Property::A3, wake.is_some_and(|at| at <= deadline), || {
            format!("{id:?} is over at {deadline} us, poll_timeout says {wake:?}")
        });
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
}

impl Questions {
    /// A question was put under this id.
    pub(crate) fn asked(&mut self, id: u64, number: u64) {
        self.open.insert(id, number);
    }

    pub(crate) fn answered(&mut self, id: u64, number: Option<u64>, verdicts: &mut Verdicts) {
        let expected = self.open.remove(&id);
        verdicts.claim(Property::A7, expected.is_some() && expected == number, || {
            format!("question {id} is answered {number:?}, expected {expected:?}")
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{fires, socket};
    use super::*;

    /// Ids are the core's; a real one is needed to be handed back.
    fn ids() -> Vec<AskId> {
        use parlor::{App, AskError, Config, Instant, Node};
        use std::sync::{Arc, Mutex};
        struct Ids(Arc<Mutex<Vec<AskId>>>);
        impl parlor::Observer for Ids {
            fn outcome(&mut self, _turn: u64, outcome: &Outcome) {
                if let Outcome::Asked(id) = outcome {
                    self.0.lock().unwrap().push(*id);
                }
            }
        }
        let mut app = App::new();
        app.of("/").on_connect(|cx| {
            cx.ask("a", ()).then(|_cx, _answer: Result<(), AskError>| {});
            cx.ask("b", ()).then(|_cx, _answer: Result<(), AskError>| {});
        });
        let mut node = Node::new(Config::default(), app, [0; 32], Instant::ZERO, 0).unwrap();
        let ids = Arc::new(Mutex::new(Vec::new()));
        node.set_observer(Box::new(Ids(Arc::clone(&ids))));
        let conn = node.accept(Instant::ZERO, parlor::Peer::Unix).unwrap();
        let mut bytes = crate::client::http::upgrade(None);
        bytes.extend(crate::client::ws::frame(1, b"40", 0));
        node.handle(Instant::ZERO, parlor::Input::Data { conn, bytes: &mut bytes });
        let ids = ids.lock().unwrap();
        ids.clone()
    }

    fn asked(asks: &mut Asks, id: AskId, verdicts: &mut Verdicts) {
        asks.asked(socket(0), (70, 1000), Outcome::Asked(id), verdicts);
    }

    #[test]
    fn a1_each_ask_settles_once() {
        let ids = ids();
        let settle = |times: usize| {
            move |verdicts: &mut Verdicts| {
                let mut asks = Asks::default();
                asked(&mut asks, ids[0], verdicts);
                asks.asked(socket(0), (80, 1000), Outcome::Limited, verdicts);
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
    fn a2_answers_are_those_that_were_given() {
        let id = ids()[1];
        let settle = |sent: Option<u64>, told: u64| {
            move |verdicts: &mut Verdicts| {
                let mut asks = Asks::default();
                asked(&mut asks, id, verdicts);
                sent.into_iter().for_each(|answer| asks.answer_sent(socket(0), 70, answer));
                asks.settled((socket(0), Some(id)), Settled::Answered(told), verdicts);
            }
        };
        fires(None, settle(Some(7), 7));
        fires(Some(Property::A2), settle(None, 7));
        fires(Some(Property::A2), settle(Some(7), 8));
    }

    #[test]
    fn a3_timeouts_are_exact() {
        let id = ids()[0];
        let settle = |at: u64, wake: u64| {
            move |verdicts: &mut Verdicts| {
                let mut asks = Asks::default();
                asked(&mut asks, id, verdicts);
                asks.wake(Some(wake), verdicts);
                verdicts.now = at;
                asks.settled((socket(0), Some(id)), Settled::TimedOut, verdicts);
                asks.wake(None, verdicts);
            }
        };
        fires(None, settle(1000, 1000));
        fires(Some(Property::A3), settle(999, 1000));
        fires(Some(Property::A3), settle(1000, 1001));
    }

    #[test]
    fn v9_what_is_dropped_settles_in_its_turn() {
        let id = ids()[0];
        let settle = |calls: u32| {
            move |verdicts: &mut Verdicts| {
                let mut asks = Asks::default();
                asked(&mut asks, id, verdicts);
                (0..calls).for_each(|_| asks.shut());
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
        fires(Some(Property::A7), answer(&[0], 6));
        fires(Some(Property::A7), answer(&[0, 0], 5));
        fires(Some(Property::A7), answer(&[1], 5));
    }
}
