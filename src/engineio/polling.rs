//! HTTP long-polling: a GET waits for packets, a POST brings some (Engine.IO protocol 4, "HTTP
//! long-polling").

use alloc::string::String;
use alloc::vec::Vec;

use bytestring::ByteString;

use super::handshake::{Request, answer_empty, write_common, write_hooks};
use super::packet::{Packet, Packets};
use super::{CloseReason, Context, Engine, Headers, SessionId, State, Transport, TransportFault};
use crate::connection::{ExchangeId, Owner, head_fields};
use crate::egress::{Chunk, Pool, Queue};
use crate::event::Message;
use crate::frame::{self, Part};
use crate::id::ConnId;

/// The polling transport of a session.
#[derive(Default)]
pub(crate) struct Polling {
    parked: Option<ExchangeId>,
    post: Option<Post>,
    /// Where the latest answer went, until the next GET shows that it arrived.
    pub(super) answered_on: Option<ConnId>,
}

/// A POST whose body is coming in.
struct Post {
    id: ExchangeId,
    body: Vec<u8>,
}

impl Polling {
    pub(crate) fn is_parked(&self) -> bool {
        self.parked.is_some()
    }

    pub(super) fn take_parked(&mut self) -> Option<ExchangeId> {
        self.parked.take()
    }

    pub(super) fn take_post(&mut self) -> Option<ExchangeId> {
        self.post.take().map(|post| post.id)
    }

    /// A request whose connection is going.
    pub(super) fn forget(&mut self, id: ExchangeId) {
        self.parked.take_if(|parked| *parked == id);
        self.post.take_if(|post| post.id == id);
    }
}

impl Engine {
    pub(super) fn polling_mut(&mut self, id: SessionId) -> Option<&mut Polling> {
        match &mut self.find_mut(id)?.transport {
            Transport::Polling(polling) => Some(polling),
            Transport::WebSocket(_) => None,
        }
    }

    /// A GET of the session.
    pub(super) fn poll(&mut self, cx: &mut Context, id: SessionId, request: &Request<'_, '_>) {
        let Some(session) = self.find_mut(id) else { return };
        let Transport::Polling(polling) = &mut session.transport else { return };
        super::forget_answer(cx, polling, id);
        if polling.is_parked() {
            answer_empty(cx, request.id, 400);
            let fault = TransportFault::PollOverlap;
            return self.end(cx, id, CloseReason::TransportError(fault));
        }
        cx.set_owner(request.id, Owner::Poll(id));
        polling.parked = Some(request.id);
        if !session.backlog.is_empty() {
            return self.answer_poll(cx, id);
        }
        if let State::Closing { .. } = session.state {
            // The client is still there: it is told, and then it is over.
            let parked = self.polling_mut(id).and_then(Polling::take_parked);
            if let (Some(parked), Some(session)) = (parked, self.find(id)) {
                answer_released(cx, &session.headers, parked, b"6\x1e1");
            }
            self.end(cx, id, CloseReason::ForcedClose);
        }
    }

    /// Answers the parked GET with all that waits.
    pub(super) fn answer_poll(&mut self, cx: &mut Context, id: SessionId) {
        let Some(session) = self.find_mut(id) else { return };
        let Transport::Polling(polling) = &mut session.transport else { return };
        let Some(parked) = polling.take_parked() else { return };
        polling.answered_on = Some(parked.conn);
        let bytes = payload_bytes(&session.backlog, &cx.pool);
        let Some(to) = cx.begin_answer(parked) else { return };
        let extra = cx.extra(parked);
        let config = cx.cors.clone();
        let (headers, backlog) = (&session.headers, &mut session.backlog);
        cx.extend_answer(parked, &to, |queue, pool| {
            queue.write(pool, |tail| {
                let head = crate::http::ResponseHead::begin(tail, 200);
                let head = write_common(head, config.as_deref(), &extra);
                let head = head.header("Content-Type", "text/plain; charset=UTF-8");
                let head = write_hooks(head.content_length(bytes as u64), &extra, headers);
                head.persistence(to.persistence).end();
            });
            write_payload(backlog, queue, pool);
        });
        session.charged += bytes as u32;
        cx.end_answer(parked, &to, Some((id, bytes as u32)));
    }

    /// Releases the parked GET with an empty packet, so that the client can pause polling.
    pub(super) fn release_poll(&mut self, cx: &mut Context, id: SessionId) {
        let Some(parked) = self.polling_mut(id).and_then(Polling::take_parked) else { return };
        if let Some(session) = self.find(id) {
            answer_released(cx, &session.headers, parked, b"6");
        }
    }

    /// A POST of the session; its body follows.
    pub(super) fn post(&mut self, cx: &mut Context, id: SessionId, request: &Request<'_, '_>) {
        let Some(polling) = self.polling_mut(id) else { return };
        if let Some(first) = polling.take_post() {
            answer_empty(cx, request.id, 400);
            cx.abort_connection(first.conn);
            let fault = TransportFault::PostOverlap;
            return self.end(cx, id, CloseReason::TransportError(fault));
        }
        if request.head.header("content-type") == Some(b"application/octet-stream") {
            answer_empty(cx, request.id, 400);
            let fault = TransportFault::InvalidContent;
            return self.end(cx, id, CloseReason::TransportError(fault));
        }
        cx.set_owner(request.id, Owner::Post(id));
        polling.post = Some(Post { id: request.id, body: Vec::new() });
    }

    /// A piece of a POST's body.
    pub(crate) fn post_piece(&mut self, cx: &mut Context, id: SessionId, piece: &[u8]) {
        let body_bytes_max = cx.config.max_payload as usize;
        let Some(polling) = self.polling_mut(id) else { return };
        let Some(post) = &mut polling.post else { return };
        if post.body.len() + piece.len() <= body_bytes_max {
            return post.body.extend_from_slice(piece);
        }
        // The rest of it is read and dropped; the session goes on, as in the reference.
        let exchange = post.id;
        polling.post = None;
        cx.stats.bodies_too_large += 1;
        answer_empty(cx, exchange, 413);
    }

    /// A POST's body is complete: its packets are handled, then it is answered.
    pub(crate) fn post_end(&mut self, cx: &mut Context, id: SessionId) {
        let Some(Post { id: exchange, body }) = self.polling_mut(id).and_then(|p| p.post.take())
        else {
            return;
        };
        cx.set_owner(exchange, Owner::None);
        let headers = self.find(id).and_then(|session| session.headers.clone());
        let payload = String::from_utf8(body)
            .unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned());
        let payload = ByteString::from(payload);
        for packet in Packets::new(&payload) {
            if !self.is_open(id) {
                break;
            }
            match packet {
                Ok(packet) => self.polling_packet(cx, id, packet),
                Err(_) => self.end(cx, id, CloseReason::ParseError),
            }
        }
        let (cors, extra) = (cx.cors.clone(), cx.extra(exchange));
        let fields = head_fields(|head| {
            let head = write_common(head, cors.as_deref(), &extra);
            write_hooks(head.header("Content-Type", "text/html"), &extra, &headers)
        });
        cx.answer(exchange, 200, fields, b"ok");
    }

    fn polling_packet(&mut self, cx: &mut Context, id: SessionId, packet: Packet) {
        match packet {
            Packet::Close => self.end(cx, id, CloseReason::TransportClose),
            packet => self.packet(cx, id, packet),
        }
    }

    /// A packet on a session's transport, but a close.
    pub(super) fn packet(&mut self, cx: &mut Context, id: SessionId, packet: Packet) {
        if packet == Packet::Pong {
            return self.start_interval(cx, id);
        }
        self.excuse(cx, id);
        match packet {
            Packet::Message(message) => self.message(id, message),
            Packet::Ping { .. } => {
                let fault = TransportFault::HeartbeatDirection;
                self.end(cx, id, CloseReason::TransportError(fault));
            }
            // Without a meaning on an established transport.
            Packet::Open | Packet::Upgrade | Packet::Noop => {}
            Packet::Close | Packet::Pong => unreachable!("handled before"),
        }
    }

    fn message(&mut self, id: SessionId, message: Message) {
        self.up.push_back(super::Up::Message(id, message));
    }
}

/// An answer to a poll that brings nothing of the session's: `6`, `1` or both.
pub(super) fn answer_released(cx: &mut Context, headers: &Headers, id: ExchangeId, body: &[u8]) {
    let (cors, extra) = (cx.cors.clone(), cx.extra(id));
    let fields = head_fields(|head| {
        let head = write_common(head, cors.as_deref(), &extra);
        write_hooks(head.header("Content-Type", "text/plain; charset=UTF-8"), &extra, headers)
    });
    cx.answer(id, 200, fields, body);
}

/// How long a backlog is as a payload.
fn payload_bytes(backlog: &Queue, pool: &Pool) -> usize {
    let bytes = |chunk: &Chunk| match chunk {
        Chunk::Binary(len) => frame::base64_bytes(*len as usize),
        Chunk::Text(len) | Chunk::Tail(len) => *len as usize,
        Chunk::Packet(frame) => frame.polling_bytes(),
        Chunk::Frame(frame, part) => frame.bytes(*part).len(),
    };
    let separators = backlog.chunks(pool).count().saturating_sub(1);
    backlog.chunks(pool).map(bytes).sum::<usize>() + separators
}

/// Moves a backlog into an answer: shared frames are shared on, all else is copied once.
fn write_payload(backlog: &mut Queue, queue: &mut Queue, pool: &mut Pool) {
    let mut separate = false;
    while let Some((chunk, bytes)) = backlog.pop(pool) {
        if core::mem::replace(&mut separate, true) {
            queue.write(pool, |tail| tail.push(super::packet::SEPARATOR as u8));
        }
        match chunk {
            Chunk::Packet(frame) => {
                let attachments = frame.records();
                queue.push_frame(pool, frame.clone(), Part::TEXT);
                for attachment in 0..attachments {
                    queue.write(pool, |tail| tail.push(super::packet::SEPARATOR as u8));
                    queue.push_frame(pool, frame.clone(), Part::record(attachment));
                }
            }
            Chunk::Binary(_) => {
                queue.write(pool, |tail| frame::put_base64(tail, backlog.popped(bytes)));
            }
            Chunk::Text(_) | Chunk::Tail(_) | Chunk::Frame(..) => {
                queue.write(pool, |tail| tail.extend_from_slice(backlog.popped(bytes)));
            }
        }
    }
    backlog.clear(pool);
}
