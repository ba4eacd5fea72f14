//! The websocket transport: one packet a message (Engine.IO protocol 4, "WebSocket").

use alloc::string::String;
use core::str;

use bytestring::ByteString;

use super::packet::{self, Packet, ParseError};
use super::{CloseReason, Context, Engine, SessionId, Transport, TransportFault};
use crate::bytes::Bytes;
use crate::event::Message;
use crate::frame;
use crate::id::ConnId;
use crate::ws;

impl Engine {
    /// Something that a websocket read. It belongs to the session's transport, or to a candidate.
    pub(crate) fn websocket_read(
        &mut self,
        cx: &mut Context,
        conn: ConnId,
        id: SessionId,
        read: ws::Read<'_>,
    ) {
        match read {
            ws::Read::Message { kind, data } => self.websocket_packet(cx, conn, id, kind, data),
            ws::Read::Ping(payload) => pong(cx, conn, &payload),
            ws::Read::Pong => {}
            ws::Read::Close { code } => {
                close(cx, conn, code);
                self.websocket_gone(cx, conn, id);
            }
            ws::Read::Failed(fault) => {
                cx.stats.websocket_faults += 1;
                close(cx, conn, Some(fault.close_code()));
                let fault = match fault {
                    ws::Fault::Protocol => TransportFault::WebSocketProtocol,
                    ws::Fault::NotUtf8 => TransportFault::NotUtf8,
                    ws::Fault::TooBig | ws::Fault::TooManyFragments => {
                        TransportFault::MessageTooBig
                    }
                };
                self.websocket_ended(cx, conn, id, CloseReason::TransportError(fault));
            }
        }
    }

    /// The peer closed it, or its connection went.
    pub(super) fn websocket_gone(&mut self, cx: &mut Context, conn: ConnId, id: SessionId) {
        self.websocket_ended(cx, conn, id, CloseReason::TransportClose);
    }

    fn websocket_ended(
        &mut self,
        cx: &mut Context,
        conn: ConnId,
        id: SessionId,
        reason: CloseReason,
    ) {
        if self.is_transport(conn, id) {
            self.end(cx, id, reason);
        } else if self.is_candidate(conn, id) {
            self.abandon_upgrade(cx, id);
        }
    }

    pub(super) fn is_transport(&self, conn: ConnId, id: SessionId) -> bool {
        let transport = self.find(id).map(|session| &session.transport);
        matches!(transport, Some(Transport::WebSocket(current)) if *current == conn)
    }

    fn websocket_packet(
        &mut self,
        cx: &mut Context,
        conn: ConnId,
        id: SessionId,
        kind: ws::Kind,
        data: ws::Data<'_>,
    ) {
        let packet = read_packet(kind, data);
        if self.is_candidate(conn, id) {
            return self.candidate_packet(cx, id, packet);
        }
        if !self.is_transport(conn, id) {
            return;
        }
        match packet {
            // The reference ignores it and lets the session run into its ping timeout.
            Ok(Packet::Close) => self.end(cx, id, CloseReason::TransportClose),
            Ok(packet) => self.packet(cx, id, packet),
            Err(ParseError) => self.end(cx, id, CloseReason::ParseError),
        }
    }
}

fn read_packet(kind: ws::Kind, data: ws::Data<'_>) -> Result<Packet, ParseError> {
    match kind {
        ws::Kind::Binary => Ok(Packet::Message(Message::Binary(match data {
            ws::Data::Here(bytes) => Bytes::copy_from_slice(bytes),
            ws::Data::Kept(bytes) => bytes.into(),
        }))),
        ws::Kind::Text => {
            let text = match data {
                ws::Data::Here(bytes) => str::from_utf8(bytes).map(ByteString::from).ok(),
                ws::Data::Kept(bytes) => String::from_utf8(bytes).map(ByteString::from).ok(),
            };
            packet::decode(&text.expect("its reader has checked that it is UTF-8"))
        }
    }
}

/// Ends a websocket with a close frame, unless it is ending already.
pub(super) fn close(cx: &mut Context, conn: ConnId, code: Option<u16>) {
    let Some(connection) = cx.conns.find_mut(conn) else { return };
    if let crate::connection::Stage::WebSocket { .. } = connection.stage {
        let (frame, len) = ws::close_frame(code);
        connection.egress.write(&mut cx.pool, |tail| tail.extend_from_slice(&frame[..len]));
        cx.flush(conn);
        cx.finish_connection(conn);
    }
}

/// Answers a ping of the WebSocket layer, unless so much waits that an answer helps nobody: only
/// the latest needs one (RFC 6455, 5.5.3).
fn pong(cx: &mut Context, conn: ConnId, payload: &[u8]) {
    let bytes_max = cx.config.limits.egress_bytes_high as usize;
    let Some(connection) = cx.conns.find_mut(conn) else { return };
    if connection.egress.bytes() <= bytes_max {
        connection
            .egress
            .write(&mut cx.pool, |tail| frame::put_frame(tail, ws::Opcode::Pong, payload));
        cx.flush(conn);
    }
}
