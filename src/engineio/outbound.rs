//! What a session sends: by its transport at once, or into its backlog until a poll comes.

use super::{CloseReason, Context, Engine, Session, SessionId, State, Transport};
use crate::bytes::Bytes;
use crate::config::{Overflow, Volatile};
use crate::connection::Connection;
use crate::egress::{Chunk, Pool, Queue};
use crate::error::SendStatus;
use crate::event::Event;
use crate::frame::{self, Frame, Part};
use crate::id::ConnId;
use crate::ws::Opcode;

/// One packet of the layer above, with its attachments: goes out whole or not at all.
#[derive(Clone, Copy)]
pub(crate) enum Load<'l> {
    /// For one recipient. The text is an Engine.IO packet: `4`, then the message.
    Parcel { text: Option<&'l [u8]>, attachments: &'l [Bytes] },
    /// For many.
    Frame(&'l Frame),
}

/// In which form a session takes packets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Polling,
    WebSocket,
    /// By websocket, to a client that takes no bytes.
    WebSocketBase64,
}

impl Shape {
    /// Whether attachments are needed as base64.
    pub(crate) fn wants_base64(self) -> bool {
        self != Self::WebSocket
    }
}

impl Session {
    pub(crate) fn shape(&self) -> Shape {
        match (&self.transport, self.base64) {
            (Transport::Polling(_), _) => Shape::Polling,
            (Transport::WebSocket(_), false) => Shape::WebSocket,
            (Transport::WebSocket(_), true) => Shape::WebSocketBase64,
        }
    }
}

impl Load<'_> {
    /// Bytes on the wire, with the framing that the shape brings.
    fn bytes(&self, shape: Shape) -> usize {
        let Self::Parcel { text, attachments } = self else {
            let Self::Frame(frame) = self else { return 0 };
            return match shape {
                Shape::Polling => frame.polling_bytes() + 1,
                shape => frame.websocket_bytes(shape.wants_base64()),
            };
        };
        let attachment = |bytes: &Bytes| match shape {
            Shape::Polling => frame::base64_bytes(bytes.len()) + 1,
            Shape::WebSocket => frame::frame_bytes(bytes.len()),
            Shape::WebSocketBase64 => frame::base64_frame_bytes(bytes.len()),
        };
        let text = text.map_or(0, |text| match shape {
            Shape::Polling => text.len() + 1,
            Shape::WebSocket | Shape::WebSocketBase64 => frame::frame_bytes(text.len()),
        });
        text + attachments.iter().map(attachment).sum::<usize>()
    }

    fn keep(&self, backlog: &mut Queue, pool: &mut Pool) {
        match *self {
            Self::Frame(frame) => backlog.push_shared(pool, frame.clone()),
            Self::Parcel { text, attachments } => {
                if let Some(text) = text {
                    backlog.push_packet(pool, text, Chunk::Text);
                }
                for attachment in attachments {
                    backlog.push_packet(pool, attachment, Chunk::Binary);
                }
            }
        }
    }

    fn write(&self, egress: &mut Queue, pool: &mut Pool, base64: bool) {
        match *self {
            Self::Frame(frame) if base64 => {
                egress.push_frame(pool, frame.clone(), Part::TEXT_FRAME);
                egress.push_frame(pool, frame.clone(), Part::BASE64_FRAMES);
            }
            Self::Frame(frame) => egress.push_frame(pool, frame.clone(), Part::WIRE),
            Self::Parcel { text, attachments } => egress.write(pool, |tail| {
                if let Some(text) = text {
                    frame::put_frame(tail, Opcode::Text, text);
                }
                for attachment in attachments {
                    put_binary(tail, attachment, base64);
                }
            }),
        }
    }
}

/// What [`Engine::send_state`] may add to `egress_bytes_max`.
const STATE_BYTES_MAX: usize = 64 * 1024;

/// Why a volatile packet cannot go out.
enum Busy {
    NoPoll,
    SameTurn,
    Refused,
    Cork,
    Closing,
    Limit,
}

impl Engine {
    /// Sends one packet. What cannot go out at once waits, unless it is volatile.
    pub(crate) fn send(
        &mut self,
        cx: &mut Context,
        id: SessionId,
        load: Load<'_>,
        volatile: bool,
    ) -> SendStatus {
        let sessions = self.sessions.len() as u64;
        let Some(session) = self.find_mut(id) else { return SendStatus::Gone };
        if let State::Closing { .. } = session.state {
            if volatile {
                count(cx, Busy::Closing);
                return SendStatus::Dropped;
            }
            return SendStatus::Gone;
        }
        let bytes = load.bytes(session.shape());
        let waiting = session.egress_bytes(cx);
        if volatile && let Err(busy) = session.can_take(cx, bytes) {
            count(cx, busy);
            return SendStatus::Dropped;
        }
        let limits = &cx.config.limits;
        let over = waiting + bytes > limits.egress_bytes_max as usize;
        let total = cx.pool.bytes() + bytes as u64;
        let half = limits.egress_bytes_total_max / 2;
        let over = over || total > half && (waiting + bytes) as u64 > half / sessions.max(1);
        if over {
            return self.overflow(cx, id, volatile);
        }
        self.append(cx, id, load);
        cx.stats.packets_sent += 1;
        self.sent_status(cx, id)
    }

    /// A packet that keeps client and server of one mind: who joined, who left, who was refused.
    /// It is never dropped. A client that lets too many of them pile up is closed.
    pub(crate) fn send_state(&mut self, cx: &mut Context, id: SessionId, load: Load<'_>) {
        let Some(session) = self.find_mut(id).filter(|s| matches!(s.state, State::Open)) else {
            return;
        };
        let waiting = session.egress_bytes(cx) + load.bytes(session.shape());
        if waiting > cx.config.limits.egress_bytes_max as usize + STATE_BYTES_MAX {
            return self.end(cx, id, CloseReason::Overflow);
        }
        self.append(cx, id, load);
        cx.stats.packets_sent += 1;
    }

    /// A packet of the engine's own; it has an allowance beyond every bound.
    pub(super) fn control(&mut self, cx: &mut Context, id: SessionId, packet: &[u8]) {
        self.append(cx, id, Load::Parcel { text: Some(packet), attachments: &[] });
    }

    fn append(&mut self, cx: &mut Context, id: SessionId, load: Load<'_>) {
        let Some(session) = self.find_mut(id) else { return };
        match &session.transport {
            Transport::Polling(polling) => {
                load.keep(&mut session.backlog, &mut cx.pool);
                if polling.is_parked() {
                    self.answer_poll(cx, id);
                }
            }
            Transport::WebSocket(conn) => {
                let (conn, base64) = (*conn, session.base64);
                append_to(cx, conn, |egress, pool| load.write(egress, pool, base64));
            }
        }
    }

    fn overflow(&mut self, cx: &mut Context, id: SessionId, volatile: bool) -> SendStatus {
        if volatile {
            count(cx, Busy::Limit);
            return SendStatus::Dropped;
        }
        match cx.config.overflow {
            Overflow::DropMessage => {
                cx.stats.overflow_dropped += 1;
                if let Some(session) = self.find_mut(id) {
                    session.drain_owed = true;
                }
                SendStatus::Dropped
            }
            Overflow::CloseSession => {
                self.end(cx, id, CloseReason::Overflow);
                SendStatus::Gone
            }
        }
    }

    fn sent_status(&mut self, cx: &Context, id: SessionId) -> SendStatus {
        let Some(session) = self.find_mut(id) else { return SendStatus::Sent };
        let bytes = session.egress_bytes(cx) as u32;
        let refused = session.connection(cx).is_some_and(|connection| connection.refused);
        if refused || bytes > cx.config.limits.egress_bytes_high {
            session.drain_owed = true;
            return SendStatus::Backlogged { bytes };
        }
        SendStatus::Sent
    }

    /// What waited on a websocket is out; that of a candidate is nobody's backlog.
    pub(crate) fn websocket_drained(&mut self, cx: &mut Context, conn: ConnId, id: SessionId) {
        if self.is_transport(conn, id) {
            self.drained(cx, id);
        }
    }

    fn drained(&mut self, cx: &mut Context, id: SessionId) {
        let Some(session) = self.find_mut(id) else { return };
        if core::mem::take(&mut session.drain_owed) {
            cx.turns.report();
            cx.event(Event::Drained { session: id });
        }
    }

    /// A poll answer is out.
    pub(crate) fn answer_sent(&mut self, cx: &mut Context, id: SessionId, bytes: u32) {
        self.uncharge(id, bytes);
        let Some(session) = self.find_mut(id) else { return };
        if session.charged == 0 && session.backlog.is_empty() {
            self.drained(cx, id);
        }
    }

    /// Moves what waits for a poll to the websocket that has just become the transport.
    pub(super) fn flush_backlog(&mut self, cx: &mut Context, id: SessionId, conn: ConnId) {
        let Some(session) = self.find_mut(id) else { return };
        if session.backlog.is_empty() {
            return;
        }
        let (base64, backlog) = (session.base64, &mut session.backlog);
        append_to(cx, conn, |egress, pool| {
            while let Some((chunk, bytes)) = backlog.pop(pool) {
                match chunk {
                    Chunk::Packet(frame) => Load::Frame(&frame).write(egress, pool, base64),
                    Chunk::Binary(_) => {
                        egress.write(pool, |t| put_binary(t, backlog.popped(bytes), base64));
                    }
                    Chunk::Text(_) | Chunk::Tail(_) | Chunk::Frame(..) => {
                        let text = backlog.popped(bytes);
                        egress.write(pool, |tail| frame::put_frame(tail, Opcode::Text, text));
                    }
                }
            }
            backlog.clear(pool);
        });
    }
}

impl Session {
    /// Bytes that wait for this client, with their framing.
    pub(crate) fn egress_bytes(&self, cx: &Context) -> usize {
        let queued = self.connection(cx).map_or(0, |connection| connection.egress.bytes());
        self.backlog.bytes() + self.charged as usize + queued
    }

    /// The one connection that carries it, if it is a websocket.
    fn connection<'c>(&self, cx: &'c Context) -> Option<&'c Connection> {
        match self.transport {
            Transport::WebSocket(conn) => cx.conns.find(conn),
            Transport::Polling(_) => None,
        }
    }

    pub(crate) fn is_writable(&self, cx: &Context) -> bool {
        matches!(self.state, State::Open) && self.can_take(cx, 0).is_ok()
    }

    /// Whether its transport can take a packet of so many bytes at this instant.
    fn can_take(&self, cx: &Context, bytes: usize) -> Result<(), Busy> {
        let conn = match &self.transport {
            Transport::Polling(polling) if polling.is_parked() => return Ok(()),
            Transport::Polling(_) => return Err(Busy::NoPoll),
            Transport::WebSocket(conn) => *conn,
        };
        let Some(connection) = cx.conns.find(conn) else { return Err(Busy::Closing) };
        let waiting = connection.egress.bytes();
        let bytes_max = match cx.config.volatile {
            Volatile::Turn { .. } if connection.turn >= cx.turns.of_command() => {
                return Err(Busy::SameTurn);
            }
            Volatile::Turn { cork_bytes_max: bytes_max } | Volatile::Watermark { bytes_max } => {
                bytes_max
            }
        };
        if connection.refused {
            return Err(Busy::Refused);
        }
        if waiting > 0 && waiting + bytes > bytes_max as usize {
            return Err(Busy::Cork);
        }
        Ok(())
    }
}

/// Appends Engine.IO packets to a websocket.
pub(super) fn append_to(
    cx: &mut Context,
    conn: ConnId,
    append: impl FnOnce(&mut Queue, &mut Pool),
) {
    let turn = cx.turns.current;
    let Some(connection) = cx.conns.find_mut(conn) else { return };
    append(&mut connection.egress, &mut cx.pool);
    connection.turn = connection.turn.max(turn);
    cx.flush(conn);
}

fn put_binary(tail: &mut alloc::vec::Vec<u8>, bytes: &[u8], base64: bool) {
    match base64 {
        true => frame::put_base64_frame(tail, bytes),
        false => frame::put_frame(tail, Opcode::Binary, bytes),
    }
}

fn count(cx: &mut Context, busy: Busy) {
    let stats = &mut cx.stats;
    *match busy {
        Busy::NoPoll => &mut stats.volatile_no_poll,
        Busy::SameTurn => &mut stats.volatile_same_turn,
        Busy::Refused => &mut stats.volatile_refused,
        Busy::Cork => &mut stats.volatile_cork,
        Busy::Closing => &mut stats.volatile_closing,
        Busy::Limit => &mut stats.volatile_limit,
    } += 1;
}
