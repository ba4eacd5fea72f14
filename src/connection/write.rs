//! What a driver writes, and what its reports say.

use smallvec::SmallVec;

use super::{Flush, Stage};
use crate::context::Context;
use crate::id::{ConnId, SessionId};
use crate::output::{Output, Wake};

/// What a driver's report of a write brings about.
#[derive(Default)]
pub(crate) struct SentOutcome {
    /// A websocket's egress is empty.
    pub(crate) drained: Option<(ConnId, SessionId)>,
    /// Poll answers are out: whose, and how many bytes of them.
    pub(crate) answered: SmallVec<[(SessionId, u32); 2]>,
}

/// Writing.
impl Context {
    /// Asks for a write attempt, unless one is owed or the kernel is refusing.
    pub(crate) fn flush(&mut self, conn: ConnId) {
        let Some(connection) = self.conns.find_mut(conn) else { return };
        if connection.flush == Flush::Idle && !connection.egress.is_empty() {
            connection.flush = Flush::Owed;
            self.outputs.push_back(Output::Flush(conn));
        }
    }

    /// The kernel took some bytes.
    pub(crate) fn sent(&mut self, conn: ConnId, bytes: usize, refused: bool) -> SentOutcome {
        let mut outcome = SentOutcome::default();
        let Some(connection) = self.conns.find_mut(conn) else { return outcome };
        assert!(bytes <= connection.egress.bytes(), "`Sent` reports more than `egress` showed");
        connection.egress.consume(&mut self.pool, bytes);
        let empty = connection.egress.is_empty();
        connection.refused = !empty && (connection.refused || refused);
        connection.flush = match (empty, refused) {
            (true, _) => Flush::Idle,
            (false, true) => Flush::Refused,
            (false, false) => Flush::Owed,
        };
        if connection.flush == Flush::Owed {
            self.outputs.push_back(Output::Flush(conn));
        }
        // A peer that takes its answer slowly is not idle.
        let moving = bytes > 0 && matches!(connection.deadline, Some((_, Wake::Idle)));
        if let Some(polls) = &mut connection.polls {
            polls.sent += bytes as u64;
            while let Some(charge) = polls.charges.pop_front_if(|c| c.until <= polls.sent) {
                outcome.answered.push((charge.session, charge.bytes));
            }
        }
        match &connection.stage {
            Stage::WebSocket { session, .. } if empty => outcome.drained = Some((conn, *session)),
            Stage::Http(_) if empty => self.resume(conn),
            Stage::Closing => self.continue_closing(conn),
            Stage::Http(_) | Stage::WebSocket { .. } | Stage::Lingering => {}
        }
        if moving && self.conns.find(conn).is_some_and(|c| matches!(c.stage, Stage::Http(_))) {
            self.watch_request(conn);
        }
        outcome
    }

    /// The kernel has room again.
    pub(crate) fn writable(&mut self, conn: ConnId) {
        let Some(connection) = self.conns.find_mut(conn) else { return };
        if connection.flush == Flush::Refused {
            connection.flush = Flush::Owed;
            self.outputs.push_back(Output::Flush(conn));
        }
    }
}
