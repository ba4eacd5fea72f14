//! P3: whose packets an answer holds, and what becomes of a body that is too long.

use std::collections::{BTreeMap, BTreeSet};

use parlor::{SessionId, SocketId};

use super::{Property, Verdicts};
use crate::client::http::Answer;
use crate::client::packet::{self, Message, Packet};
use crate::client::space::fingerprint;
use crate::client::{json, unit::Unit};

#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// For whom each event was accepted, by its print.
    accepted: BTreeMap<u64, BTreeSet<SessionId>>,
    /// Events of broadcasts: anybody may get them.
    cast: BTreeSet<u64>,
    /// Connections that have asked for something, by the world's number.
    lines: BTreeMap<usize, Line>,
    /// What must be answered in this call, with 413: where, and the body of whom.
    excess: Option<(usize, SessionId)>,
}

#[derive(Debug, Default)]
struct Line {
    /// Requests without an answer, in front of a POST whose body is coming.
    waiting: u64,
    /// A POST whose body is coming is taken.
    is_posting: bool,
    /// What it brings may be held back.
    is_held: bool,
}

impl Answers {
    pub(crate) fn open(&mut self) {
        self.excess = None;
    }

    /// The program says an event to a session, or to many.
    pub(crate) fn accepted(&mut self, print: u64, session: Option<SessionId>) {
        match session {
            Some(session) => {
                self.accepted.entry(print).or_default().insert(session);
            }
            None => {
                self.cast.insert(print);
            }
        }
    }

    /// What a connection asks for. `is_taken`: its session polls, as far as is known.
    pub(crate) fn heard(
        &mut self,
        conn: usize,
        unit: &Unit,
        (session, is_taken): (SessionId, bool),
    ) {
        let line = self.lines.entry(conn).or_default();
        match unit {
            Unit::Get { .. } | Unit::Upgrade { .. } => line.waiting += 1,
            Unit::PostHead { .. } => line.is_posting = is_taken,
            Unit::Post { .. } => {
                line.waiting += 1;
                line.is_posting = false;
            }
            Unit::Excess { .. } => {
                let is_due = std::mem::take(&mut line.is_posting) && is_taken;
                let is_first = line.waiting == 0 && !line.is_held;
                self.excess = (is_due && is_first).then_some((conn, session));
                line.waiting += 1;
            }
            Unit::Handshake { .. } | Unit::Frame(_) | Unit::WsPing(_) | Unit::WsClose => {}
        }
    }

    /// It is not read for a while.
    pub(crate) fn held(&mut self, conn: usize) {
        self.lines.entry(conn).or_default().is_held = true;
    }

    /// A session ends for a reason that has nothing to do with the length of a body.
    pub(crate) fn excuse(&mut self, session: SessionId) {
        self.excess.take_if(|(_, other)| *other == session);
    }

    /// An answer is there, on a connection that asks for this session. `carrier`: who carries a
    /// socket.
    pub(crate) fn answered(
        &mut self,
        (conn, session): (usize, SessionId),
        answer: &Answer,
        carrier: impl Fn(SocketId) -> Option<SessionId>,
        verdicts: &mut Verdicts,
    ) {
        if let Some(line) = self.lines.get_mut(&conn) {
            if line.waiting == 0 {
                // It refuses what is still coming.
                line.is_posting = false;
            }
            line.waiting = line.waiting.saturating_sub(1);
        }
        if self.excess.take_if(|(other, _)| *other == conn).is_some() {
            verdicts.claim(Property::P3, answer.status == 413, || {
                format!("a body that is too long is answered {:?}", answer.head)
            });
        }
        let Ok(packets) = packet::packets(&answer.body) else { return };
        let mut packets = packets.iter().peekable();
        let mut is_tested = false;
        while let Some(one) = packets.next() {
            let Packet::Text('4', text) = one else { continue };
            let Ok(message) = Message::parse(text) else { continue };
            let mut attachments = Vec::new();
            while let Some(Packet::Binary(data)) =
                packets.next_if(|next| matches!(next, Packet::Binary(_)))
            {
                attachments.push(data.clone());
            }
            let Some(is_own) = self.is_own(&message, &attachments, session, &carrier) else {
                continue;
            };
            is_tested = true;
            if !is_own {
                return verdicts.fail(Property::P3, format!("{session:?} is given {text:?}"));
            }
        }
        if is_tested {
            verdicts.claim(Property::P3, true, String::new);
        }
    }

    /// Whether a packet is this session's; nothing if it may be anybody's.
    fn is_own(
        &self,
        message: &Message,
        attachments: &[Vec<u8>],
        session: SessionId,
        carrier: impl Fn(SocketId) -> Option<SessionId>,
    ) -> Option<bool> {
        if message.kind == 0 {
            let sid = json::field(&message.data, "sid").and_then(json::plain);
            return carrier(SocketId::parse(sid?)?).map(|other| other == session);
        }
        if !matches!(message.kind, 2 | 5) {
            return None;
        }
        let print = fingerprint(message, attachments)?;
        let accepted = self.accepted.get(&print).filter(|_| !self.cast.contains(&print));
        accepted.map(|sessions| sessions.contains(&session))
    }

    /// The call is over.
    pub(crate) fn shut(&mut self, verdicts: &mut Verdicts) {
        if let Some((_, session)) = self.excess.take() {
            verdicts.fail(Property::P3, format!("a body of {session:?} is too long, and is taken"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::super::tests::{fires, handles, socket};
    use super::*;
    use crate::watch::print;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, head: format!("HTTP/1.1 {status}"), body: body.into() }
    }

    /// An answer on a connection of the first of two sessions; the second has a socket.
    fn answered(body: &'static str) -> impl FnOnce(&mut Verdicts) {
        move |verdicts| {
            let handles = handles();
            let (one, two) = (handles.sessions[0], *handles.sessions.last().unwrap());
            let mut answers = Answers::default();
            let none: &[&[u8]] = &[];
            answers.accepted(print("own", "[1]", none), Some(one));
            answers.accepted(print("other", "[1]", none), Some(two));
            answers.accepted(print("both", "[1]", none), Some(one));
            answers.accepted(print("both", "[1]", none), Some(two));
            answers.accepted(print("all", "[1]", none), None);
            answers.accepted(print("all", "[1]", none), Some(two));
            let bytes = r#"[{"_placeholder":true,"num":0}]"#;
            answers.accepted(print("bytes", bytes, &[b"x"]), Some(two));
            answers.accepted(print("bytes", bytes, &[b"y"]), Some(one));
            answers.heard(0, &Unit::Get { session: 1 }, (one, true));
            let carrier = |id| (id == socket(1)).then_some(two);
            answers.answered((0, one), &answer(200, body), carrier, verdicts);
            answers.shut(verdicts);
        }
    }

    #[test]
    fn p3_an_answer_holds_packets_of_its_own_session() {
        fires(None, answered("42[\"own\",1]\x1e42[\"both\",1]\x1e42[\"all\",1]"));
        fires(None, answered("42[\"nobody\",1]"));
        fires(None, answered("451-[\"bytes\",{\"_placeholder\":true,\"num\":0}]\x1ebeQ=="));
        fires(Some(Property::P3), answered("42[\"own\",1]\x1e42[\"other\",1]"));
        fires(
            Some(Property::P3),
            answered("451-[\"bytes\",{\"_placeholder\":true,\"num\":0}]\x1ebeA=="),
        );
        fires(Some(Property::P3), answered("40{\"sid\":\"AAAAAAAAAAAAAAAAAAAE\"}"));
        fires(None, answered("40{\"sid\":\"AAAAAAAAAAAAAAAAAAAI\"}"));
    }

    #[test]
    fn p3_an_answer_without_packets_tests_nothing() {
        for body in ["ok", "6", "2", "", "now", "42[\"nobody\",1]"] {
            let mut verdicts = Verdicts::default();
            answered(body)(&mut verdicts);
            assert_eq!(verdicts.of(Property::P3), Verdict::Vacuous, "{body}");
        }
    }

    #[derive(Clone, Copy)]
    enum Step {
        Head,
        Get,
        Excess,
        Answer(u16),
        Excuse,
        Held,
    }

    fn post(steps: &'static [Step]) -> impl FnOnce(&mut Verdicts) {
        move |verdicts| {
            let session = handles().sessions[0];
            let mut answers = Answers::default();
            for step in steps {
                let unit = match step {
                    Step::Head => Unit::PostHead { session: 1 },
                    Step::Get => Unit::Get { session: 1 },
                    Step::Excess => Unit::Excess { session: 1 },
                    Step::Answer(status) => {
                        let answer = answer(*status, "");
                        answers.answered((0, session), &answer, |_| None, verdicts);
                        continue;
                    }
                    Step::Excuse => {
                        answers.excuse(session);
                        continue;
                    }
                    Step::Held => {
                        answers.held(0);
                        continue;
                    }
                };
                answers.heard(0, &unit, (session, true));
            }
            answers.shut(verdicts);
        }
    }

    #[test]
    fn p3_a_body_that_is_too_long_is_answered_when_it_is() {
        use Step::{Answer, Excess, Excuse, Get, Head, Held};
        let mut verdicts = Verdicts::default();
        post(&[Get, Answer(200), Head, Excess, Answer(413)])(&mut verdicts);
        assert_eq!(verdicts.of(Property::P3), Verdict::Pass(1));
        fires(Some(Property::P3), post(&[Head, Excess]));
        fires(Some(Property::P3), post(&[Head, Excess, Answer(200)]));
        // Another POST was under way, so it is refused by its head.
        fires(None, post(&[Head, Answer(400), Excess]));
        fires(None, post(&[Head, Excess, Excuse]));
        // Its answer has to wait for that of the poll in front of it.
        fires(None, post(&[Get, Head, Excess]));
        fires(None, post(&[Held, Head, Excess]));
    }
}
