//! How a connection ends at the server: why it may, and what the kernel does then.

use super::rules::STALE_MAX;
use super::{Reading, Server};
use crate::hub::Hub;
use crate::marks::Mark;
use crate::oracle::{Property, egress};

impl<S: Send + 'static> Server<S> {
    /// The node releases a connection.
    pub(super) fn close(&mut self, id: usize, abort: bool, hub: &mut Hub) {
        self.may_close(id, abort, hub);
        // The next that is accepted may have its place.
        if let Some(crossing) = &mut hub.crossing {
            crossing.touch_all();
        }
        hub.scout.closes(id, hub.conns[id].is_cut, &mut hub.marks);
        if let Some(end) = &mut self.ends[id] {
            end.is_open = false;
            if self.stale.len() == STALE_MAX {
                self.stale.remove(0);
            }
            self.stale.push(end.id);
            // A stranger gets no more than he pays for.
            let (bytes_in, bytes_out) = (end.bytes_in, end.bytes_out);
            let most = 64 * bytes_in + 65_536;
            let is_hostile = hub.conns[id].is_hostile;
            hub.verdicts.claim(Property::M3, !is_hostile || bytes_out <= most, || {
                format!("{bytes_in} bytes of a hostile client were answered by {bytes_out}")
            });
        }
        self.open.retain(|&other| other != id);
        let mut end = hub.conns[id].server_end();
        if abort {
            hub.marks.hit(Mark::AbortWithBacklog);
            end.abort()
        } else {
            end.close()
        }
        hub.pump_down(id);
    }

    fn may_close(&mut self, id: usize, abort: bool, hub: &mut Hub) {
        let is_overflowing = self.node.stats().overflow_closed > self.stats.overflow_closed;
        let Some(end) = self.ends[id].as_mut() else { return };
        let why = match (end.reading, self.cause) {
            (Reading::Lost, _) => egress::Why::Lost,
            (_, Some(cause)) if end.may_stop(cause, is_overflowing, hub) => egress::Why::Given,
            _ => egress::Why::None,
        };
        let verdicts = &mut hub.verdicts;
        end.shown.close(abort, why, verdicts);
        let is_ended = matches!(end.reading, Reading::Eof | Reading::Lost);
        if !abort && !is_ended && !hub.conns[id].is_hostile {
            end.ledger.closed(verdicts);
        }
    }
}
