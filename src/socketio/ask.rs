//! Questions to clients. Each settles exactly once: answered, timed out, dropped, or disconnected.

use alloc::collections::BTreeMap;
use core::time::Duration;

use super::{SocketIo, packet};
use crate::context::Context;
use crate::engineio::Engine;
use crate::error::{AskError, SendStatus};
use crate::event::Event;
use crate::id::{AskId, SocketId};
use crate::payload::Payload;
use crate::terms::Flags;
use crate::timer::{Armed, Due};

/// Unsettled asks, by socket and by the number on the wire. The numbers are ours; a client can only
/// look one up.
#[derive(Default)]
pub(super) struct Asks {
    open: BTreeMap<(u32, u64), Open>,
    serial: u64,
}

struct Open {
    ask: AskId,
    deadline: Armed,
}

impl SocketIo {
    #[expect(clippy::too_many_arguments, reason = "what an ask is made of")]
    pub(crate) fn ask(
        &mut self,
        cx: &mut Context,
        engine: &mut Engine,
        to: SocketId,
        event: &str,
        args: &Payload,
        timeout: Duration,
        flags: Flags,
    ) -> AskId {
        self.asks.serial += 1;
        let ask = AskId(self.asks.serial);
        if let Err(error) = self.try_ask(cx, engine, ask, to, event, args, timeout, flags) {
            cx.event(Event::Settled { ask, socket: to, outcome: Err(error) });
        }
        ask
    }

    #[expect(clippy::too_many_arguments, reason = "what an ask is made of")]
    fn try_ask(
        &mut self,
        cx: &mut Context,
        engine: &mut Engine,
        ask: AskId,
        to: SocketId,
        event: &str,
        args: &Payload,
        timeout: Duration,
        flags: Flags,
    ) -> Result<(), AskError> {
        if packet::is_reserved(event) {
            cx.stats.emits_invalid += 1;
            return Err(AskError::Dropped);
        }
        let index = self.index(to).ok_or(AskError::Disconnected)?;
        let socket = &mut self.sockets[index as usize];
        if socket.asks >= cx.config.limits.asks_per_socket_max {
            cx.stats.limits_hit += 1;
            return Err(AskError::Dropped);
        }
        let namespace = &mut self.namespaces[socket.namespace.0 as usize];
        let id = namespace.ask_next;
        namespace.ask_next += 1;
        match self.write_event(cx, engine, index, Some(id), event, args, flags) {
            SendStatus::Sent | SendStatus::Backlogged { .. } => {}
            SendStatus::Gone => return Err(AskError::Disconnected),
            SendStatus::Dropped | SendStatus::Invalid => return Err(AskError::Dropped),
        }
        let deadline = cx.timers.arm(cx.now + timeout, Due::Ask { socket: index, id });
        self.asks.open.insert((index, id), Open { ask, deadline });
        self.sockets[index as usize].asks += 1;
        Ok(())
    }

    /// A client's answer. One that nobody waits for is ignored, as the reference does.
    pub(super) fn answered(
        &mut self,
        cx: &mut Context,
        index: u32,
        id: Option<u64>,
        args: Payload,
    ) {
        let settled = id.is_some_and(|id| self.settle(cx, index, id, Ok(args)));
        cx.stats.acks_unknown += u64::from(!settled);
    }

    pub(crate) fn ask_expired(&mut self, cx: &mut Context, index: u32, id: u64) {
        self.settle(cx, index, id, Err(AskError::TimedOut));
    }

    /// Its socket ends: whoever still waits is told, in the order of asking.
    pub(super) fn settle_disconnected(&mut self, cx: &mut Context, index: u32) {
        while let Some((&(_, id), _)) = self.asks.open.range((index, 0)..=(index, u64::MAX)).next()
        {
            self.settle(cx, index, id, Err(AskError::Disconnected));
        }
    }

    fn settle(
        &mut self,
        cx: &mut Context,
        index: u32,
        id: u64,
        outcome: Result<Payload, AskError>,
    ) -> bool {
        let Some(open) = self.asks.open.remove(&(index, id)) else { return false };
        cx.timers.cancel(Some(open.deadline));
        let socket = &mut self.sockets[index as usize];
        socket.asks -= 1;
        cx.event(Event::Settled { ask: open.ask, socket: socket.id, outcome });
        true
    }
}
