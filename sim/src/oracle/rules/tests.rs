//! Calls as the driver tells them, one after the other, and what the rules make of them together.

use parlor::{CloseReason, SendStatus, Wake};

use super::super::tests::{Handles, fires, handles, socket};
use super::*;

/// The world's number of the session, and the connections of its client.
const NUMBER: u64 = 7;
const FIRST: usize = 0;
const SECOND: usize = 1;
/// When its first ping is due: it opens at 0.
const PING_AT: u64 = 25_000_000;

struct Calls<'v> {
    rules: Rules,
    asks: Asks,
    verdicts: &'v mut Verdicts,
    handles: Handles,
    turn: u64,
    stale: u64,
}

impl Calls<'_> {
    fn call(&mut self, cause: Cause, work: impl FnOnce(&mut Self)) {
        self.turn += u64::from(!matches!(cause, Cause::Early | Cause::Stale));
        self.rules.open(cause, Some((0, true)), self.verdicts);
        self.stale = 0;
        work(self);
        let mut after = Stats::default();
        after.inputs_stale = self.stale;
        let wake = Some(self.verdicts.now);
        self.rules.shut((&Stats::default(), &after), wake, &mut self.asks, self.verdicts);
    }

    fn session(&self) -> SessionId {
        self.handles.sessions[0]
    }

    fn hears(&mut self, unit: &Unit) {
        let space = self.handles.spaces[0];
        self.rules.heard(unit, |_name| Some(space), &mut self.asks, self.verdicts);
    }

    fn told(&mut self, told: Told) {
        self.rules.told(self.turn, told, self.verdicts);
    }

    fn grows(&mut self, conn: usize, bytes: &[u8]) {
        self.rules.grown(conn, bytes, self.verdicts);
    }

    fn answers(&mut self, conn: usize, status: u16) {
        let (head, body) = (format!("HTTP/1.1 {status}"), Vec::new());
        self.rules.answer(conn, &Answer { status, head, body }, self.verdicts);
    }

    /// It has a socket.
    fn joins(&mut self) {
        let (session, space) = (self.session(), self.handles.spaces[0]);
        self.call(Cause::Data(FIRST), |calls| {
            calls.told(Told::Connected(socket(1), session, space));
        });
    }

    fn pings(&mut self, bytes: &[u8]) {
        self.verdicts.now = PING_AT;
        self.call(Cause::Timeout { at: PING_AT, why: Wake::Ping }, |calls| {
            if !bytes.is_empty() {
                calls.grows(FIRST, bytes);
            }
        });
    }
}

/// That a session that opened, and what followed, fires this property.
#[track_caller]
fn after(property: Option<Property>, is_websocket: bool, trace: impl FnOnce(&mut Calls<'_>)) {
    fires(property, |verdicts| {
        let rules = Rules::new(&Config::default());
        let (asks, handles) = (Asks::default(), handles());
        let mut calls = Calls { rules, asks, verdicts, handles, turn: 0, stale: 0 };
        calls.call(Cause::Data(FIRST), |calls| {
            calls.hears(&Unit::Handshake { session: NUMBER, is_websocket });
            calls.told(Told::Opened(calls.session()));
        });
        trace(&mut calls);
    });
}

#[test]
fn t3_a_ping_is_one_frame_of_its_own() {
    after(None, true, |calls| calls.pings(&PING));
    after(Some(Property::T3), true, |calls| calls.pings(&[]));
    after(Some(Property::T3), true, |calls| calls.pings(&[PING, PING].concat()));
    after(Some(Property::T3), true, |calls| calls.pings(b"\x81\x0222"));
}

#[test]
fn m6_one_who_is_behind_is_pinged() {
    let behind = |calls: &mut Calls<'_>| {
        calls.joins();
        calls.call(Cause::Outside, |calls| {
            let status = SendStatus::Backlogged { bytes: 1000 };
            calls.told(Told::Sent { socket: socket(1), status, volatile: false });
        });
    };
    after(None, true, |calls| {
        behind(calls);
        calls.pings(&PING);
    });
    after(Some(Property::M6), true, |calls| {
        behind(calls);
        calls.pings(&[]);
    });
}

#[test]
fn t4_a_call_before_its_time_changes_nothing() {
    after(None, true, |calls| calls.call(Cause::Early, |_| {}));
    after(Some(Property::T4), true, |calls| {
        calls.call(Cause::Early, |calls| calls.grows(FIRST, &PING));
    });
    after(Some(Property::T4), true, |calls| {
        calls.call(Cause::Early, |calls| calls.rules.output(false, calls.verdicts));
    });
}

#[test]
fn d9_what_is_for_one_who_has_gone_is_counted_and_nothing_else() {
    after(None, true, |calls| calls.call(Cause::Stale, |calls| calls.stale = 1));
    after(Some(Property::D9), true, |calls| calls.call(Cause::Stale, |_| {}));
    after(Some(Property::D9), true, |calls| {
        calls.call(Cause::Stale, |calls| {
            calls.stale = 1;
            calls.grows(SECOND, &PING);
        });
    });
    after(Some(Property::D9), true, |calls| {
        calls.call(Cause::Data(FIRST), |calls| calls.stale = 1);
    });
}

#[test]
fn o6_a_post_that_is_cut_short_ends_its_session() {
    let begins = |calls: &mut Calls<'_>| {
        calls.call(Cause::Data(SECOND), |calls| calls.hears(&Unit::PostHead { session: NUMBER }));
    };
    let closed = |calls: &mut Calls<'_>| {
        calls.told(Told::Closed(calls.session(), CloseReason::TransportClose));
    };
    for end in [Cause::Eof(SECOND), Cause::Lost(SECOND)] {
        after(None, false, |calls| {
            begins(calls);
            calls.call(end, closed);
        });
        after(Some(Property::O6), false, |calls| {
            begins(calls);
            calls.call(end, |_| {});
        });
    }
    // It was whole, or its end is not that of the session's connection.
    after(None, false, |calls| {
        begins(calls);
        calls.call(Cause::Data(SECOND), |calls| {
            calls.hears(&Unit::Post { session: NUMBER, packets: Vec::new() });
        });
        calls.call(Cause::Eof(SECOND), |_| {});
    });
    after(None, false, |calls| {
        begins(calls);
        calls.call(Cause::Eof(FIRST), |_| {});
    });
}

#[test]
fn a7_a_question_has_one_answer() {
    let asks = |calls: &mut Calls<'_>, answers: u32| {
        calls.joins();
        calls.call(Cause::Data(FIRST), |calls| {
            let said = Packet::Text('4', r#"27["e",1]"#.into());
            let Said::Event { key, print, .. } = Reader::default().read(&said) else {
                panic!("{said:?} is an event");
            };
            calls.hears(&Unit::Frame(said));
            calls.told(Told::Message(socket(1)));
            calls.rules.event(socket(1), (key, print), calls.verdicts);
        });
        (0..answers).for_each(|_| calls.rules.answer_read(socket(1), 7, calls.verdicts));
    };
    after(None, true, |calls| asks(calls, 1));
    after(Some(Property::A7), true, |calls| asks(calls, 2));
    after(Some(Property::A7), true, |calls| {
        asks(calls, 0);
        calls.rules.answer_read(socket(1), 8, calls.verdicts);
    });
}

#[test]
fn p3_a_body_that_is_too_long() {
    let posts = |calls: &mut Calls<'_>, follows: fn(&mut Calls<'_>)| {
        calls.call(Cause::Data(SECOND), |calls| {
            calls.hears(&Unit::PostHead { session: NUMBER });
            calls.hears(&Unit::Excess { session: NUMBER });
            follows(calls);
        });
    };
    after(None, false, |calls| posts(calls, |calls| calls.answers(SECOND, 413)));
    after(Some(Property::P3), false, |calls| posts(calls, |_| {}));
    after(Some(Property::P3), false, |calls| posts(calls, |calls| calls.answers(SECOND, 200)));
    // One is under way already, and nobody posts to a websocket.
    after(None, false, |calls| {
        posts(calls, |calls| calls.told(Told::Closed(calls.session(), OVERLAPPED)));
    });
    after(None, true, |calls| posts(calls, |calls| calls.answers(SECOND, 400)));
    after(None, false, |calls| {
        calls.rules.paused(SECOND);
        posts(calls, |_| {});
    });
}
