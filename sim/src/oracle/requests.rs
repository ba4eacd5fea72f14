//! P1 and E5, from the server's end of a connection: requests as they were handed in, and answers
//! as they were written, by the model's own reader.

use super::{Property, Verdicts};
use crate::client::http::{self, Answer};

/// One connection, as far as it speaks HTTP.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Complete requests that were handed in.
    asked: u64,
    answered: u64,
    /// What was written, as far as it is no whole answer yet.
    written: Vec<u8>,
    /// It has become a WebSocket.
    is_switched: bool,
}

impl Ledger {
    pub(crate) fn asked(&mut self) {
        self.asked += 1;
    }

    /// Bytes were appended. `heads`: how many requests have begun; one that is refused by its head
    /// is answered before it is complete. Tells each answer that is whole.
    pub(crate) fn grown(
        &mut self,
        bytes: &[u8],
        heads: u64,
        verdicts: &mut Verdicts,
        mut whole: impl FnMut(&Answer, &mut Verdicts),
    ) {
        if self.is_switched {
            return;
        }
        self.written.extend(bytes);
        while !self.is_switched {
            match http::answer(&mut self.written) {
                Ok(Some(answer)) => {
                    self.answered += 1;
                    self.is_switched = answer.status == 101;
                    whole(&answer, verdicts);
                }
                Ok(None) => break,
                Err(why) => return verdicts.fail(Property::P1, why),
            }
        }
        let answered = self.answered;
        verdicts.claim(Property::P1, answered <= heads, || {
            format!("{heads} requests have brought {answered} answers")
        });
        if self.is_switched {
            self.written = Vec::new();
        }
    }

    /// The server stops reading it, when so many requests have begun.
    pub(crate) fn paused(
        &self,
        heads: u64,
        requests_max: u64,
        is_refused: bool,
        verdicts: &mut Verdicts,
    ) {
        let waiting = heads.saturating_sub(self.answered);
        verdicts.claim(Property::E5, waiting >= requests_max || is_refused, || {
            format!("it is not read while {waiting} requests wait, and may be {requests_max}")
        });
    }

    /// The server closes it in order, and its client has not ended it.
    pub(crate) fn closed(&self, verdicts: &mut Verdicts) {
        let (asked, answered) = (self.asked, self.answered);
        verdicts.claim(Property::P1, asked <= answered && self.written.is_empty(), || {
            format!("it is closed in order with {answered} answers to {asked} requests")
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::fires;
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x00";

    fn ledger(asked: u64, written: &[u8], verdicts: &mut Verdicts) -> Ledger {
        let mut ledger = Ledger::default();
        (0..asked).for_each(|_| ledger.asked());
        written.chunks(7).for_each(|bytes| ledger.grown(bytes, asked, verdicts, |_, _| ()));
        ledger
    }

    #[test]
    fn p1_each_request_has_one_answer() {
        fires(None, |verdicts| ledger(1, ANSWER, verdicts).closed(verdicts));
        fires(None, |verdicts| ledger(1, SWITCH, verdicts).closed(verdicts));
        fires(Some(Property::P1), |verdicts| drop(ledger(0, ANSWER, verdicts)));
        fires(Some(Property::P1), |verdicts| ledger(2, ANSWER, verdicts).closed(verdicts));
        fires(Some(Property::P1), |verdicts| ledger(1, &ANSWER[1..], verdicts).closed(verdicts));
        fires(Some(Property::P1), |verdicts| ledger(1, &ANSWER[..30], verdicts).closed(verdicts));
    }

    #[test]
    fn e5_reading_stops_where_too_much_waits() {
        let pause = |asked: u64, is_refused: bool| {
            move |verdicts: &mut Verdicts| {
                ledger(asked, ANSWER, verdicts).paused(asked, 4, is_refused, verdicts);
            }
        };
        fires(None, pause(5, false));
        fires(None, pause(1, true));
        fires(Some(Property::E5), pause(4, false));
    }
}
