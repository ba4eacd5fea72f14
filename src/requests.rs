//! Requests that are not Engine.IO's: the application answers them, or a 404 does.

use alloc::vec::Vec;

use slab::Slab;

use crate::bytes::Bytes;
use crate::connection::{ExchangeId, Owner, ResponseHead, head_fields};
use crate::context::Context;
use crate::error::Gone;
use crate::event::{Event, PendingRequest};
use crate::http::{Head, RequestHead};
use crate::id::ConnId;
use crate::terms::{Response, is_callers};
use crate::timer::{Armed, Due};

/// Requests that the application has not answered. Keys are ours.
#[derive(Default)]
pub(crate) struct Requests {
    open: Slab<Open>,
}

struct Open {
    id: ExchangeId,
    head: Option<RequestHead>,
    body: Vec<u8>,
    deadline: Option<Armed>,
    /// It wants to change to another protocol, on a path that is not ours.
    upgrades: bool,
}

impl Requests {
    /// A request whose head was read; its body follows.
    pub(crate) fn begin(&mut self, cx: &mut Context, id: ExchangeId, head: &Head<'_>) {
        let upgrades = head.upgrade_to().is_some();
        if !cx.config.take_requests && !upgrades {
            return cx.answer(id, 404, |head| head, b"");
        }
        if self.open.len() >= cx.config.limits.requests_pending_max as usize {
            cx.stats.limits_hit += 1;
            return cx.answer_and_close(id, 503, |head| head, b"");
        }
        let head = Some(RequestHead::new(head));
        let open = Open { id, head, body: Vec::new(), deadline: None, upgrades };
        let key = self.open.insert(open);
        cx.set_owner(id, Owner::Application(key as u32));
    }

    pub(crate) fn piece(&mut self, cx: &mut Context, key: u32, piece: &[u8]) {
        let Some(open) = self.open.get_mut(key as usize) else { return };
        if open.body.len() + piece.len() <= cx.config.max_payload as usize {
            return open.body.extend_from_slice(piece);
        }
        let open = self.open.remove(key as usize);
        cx.stats.bodies_too_large += 1;
        cx.answer(open.id, 413, |head| head, b"");
    }

    /// The request is complete.
    pub(crate) fn end(&mut self, cx: &mut Context, key: u32) {
        let Some(open) = self.open.get_mut(key as usize) else { return };
        let (conn, serial) = (open.id.conn, open.id.serial);
        let timeout = match open.upgrades {
            true => cx.config.destroy_upgrade_timeout,
            false => Some(cx.config.decision_timeout()),
        };
        let due = Due::Request { conn, serial };
        open.deadline = timeout.map(|timeout| cx.timers.arm(cx.now + timeout, due));
        let body = Bytes::from(core::mem::take(&mut open.body));
        if let Some(head) = open.head.take()
            && cx.config.take_requests
        {
            cx.event(Event::Request(PendingRequest { conn, serial, head, body }));
        }
    }

    pub(crate) fn respond(
        &mut self,
        cx: &mut Context,
        pending: &PendingRequest,
        response: &Response,
    ) -> Result<(), Gone> {
        let PendingRequest { conn, serial, .. } = *pending;
        self.take(cx, ExchangeId { conn, serial }).ok_or(Gone)?;
        let status = response.status.clamp(200, 599);
        let fields = head_fields(|head| {
            let valid = response.headers.iter().filter(|header| is_callers(header));
            valid.fold(head, |head: ResponseHead<'_>, (name, value)| head.header(name, value))
        });
        cx.answer(ExchangeId { conn, serial }, status, fields, &response.body);
        Ok(())
    }

    /// Nobody answered in time.
    pub(crate) fn expired(&mut self, cx: &mut Context, conn: ConnId, serial: u32) {
        let id = ExchangeId { conn, serial };
        match self.take(cx, id) {
            Some(open) if open.upgrades => cx.abort_connection(conn),
            Some(_) => cx.answer(id, 404, |head| head, b""),
            None => {}
        }
    }

    /// Whether it asks for another protocol, which a client that has ended cannot speak.
    pub(crate) fn upgrades(&self, key: u32) -> bool {
        self.open.get(key as usize).is_some_and(|open| open.upgrades)
    }

    /// The client went.
    pub(crate) fn aborted(&mut self, cx: &mut Context, key: u32) {
        if let Some(open) = self.open.try_remove(key as usize) {
            cx.timers.cancel(open.deadline);
        }
    }

    fn take(&mut self, cx: &mut Context, id: ExchangeId) -> Option<Open> {
        let Owner::Application(key) = cx.owner(id) else { return None };
        let open = self.open.try_remove(key as usize)?;
        cx.timers.cancel(open.deadline);
        cx.set_owner(id, Owner::None);
        Some(open)
    }
}
