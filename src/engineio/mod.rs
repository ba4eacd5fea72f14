//! Engine.IO 4: sessions over polling and websocket. Knows connections and requests; knows nothing
//! of namespaces.
//!
//! What comes in is told upwards in [`Engine::up`], which the layer above drains; what goes out is
//! [`Engine::send`].
//!
//! The other generation, Engine.IO 3, is an addition: its payload codec beside [`packet`], its
//! heartbeat beside [`heartbeat`], and the revision in [`Session`].

mod cors;
mod handshake;
mod heartbeat;
mod outbound;
mod packet;
mod polling;
mod upgrade;
mod websocket;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use data_encoding::BASE64URL_NOPAD;
use slab::Slab;

pub(crate) use handshake::Route;
pub(crate) use outbound::Load;

use crate::config::Config;
use crate::connection::{ExchangeId, Owner, Stage};
use crate::context::Context;
use crate::egress::Queue;
use crate::error::{CloseReason, TransportFault};
use crate::event::Message;
use crate::http::RequestHead;
use crate::id::{ConnId, SessionId};
use crate::input::Peer;
use crate::timer::Armed;
use crate::ws;

/// All sessions. Their keys are ours: a client knows one by a secret that stands in its entry.
pub(crate) struct Engine {
    sessions: Slab<Session>,
    generation: u32,
    /// What the layer above is to be told, in order.
    pub(crate) up: VecDeque<Up>,
    handshakes: Slab<handshake::Waiting>,
    handshake_serial: u32,
    paths: Paths,
}

/// Something for the layer above.
pub(crate) enum Up {
    Opened(SessionId),
    Message(SessionId, Message),
    Upgraded(SessionId),
    Closed(SessionId, CloseReason),
}

/// The paths that are Engine.IO's.
struct Paths {
    path: Box<str>,
    /// Where no slash is asked for, one is allowed.
    with_slash: Option<Box<str>>,
}

/// One session.
pub(crate) struct Session {
    generation: u32,
    secret: [u8; SECRET_BYTES],
    state: State,
    pub(crate) transport: Transport,
    upgrade: upgrade::Upgrade,
    heartbeat: Option<Armed>,
    pong: heartbeat::Pong,
    /// The client takes no bytes: attachments go as base64 on every transport.
    base64: bool,
    /// An emit said `Backlogged`, or was dropped at the bound.
    drain_owed: bool,
    /// Packets that no transport has taken. Only polling sessions have some.
    backlog: Queue,
    /// Bytes of poll answers that the kernel has not taken.
    charged: u32,
    /// What every answer carries, where the application said so; most sessions have none.
    headers: Headers,
    pub(crate) head: RequestHead,
    pub(crate) peer: Peer,
    pub(crate) issued_unix_ms: u64,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Session>() <= 312);

type Headers = Option<Box<[(String, String)]>>;

/// Whether a session still carries messages.
enum State {
    Open,
    /// The server closed it; its client has yet to fetch what is left.
    Closing {
        deadline: Armed,
    },
}

/// What carries a session.
pub(crate) enum Transport {
    Polling(polling::Polling),
    WebSocket(ConnId),
}

const SECRET_BYTES: usize = 12;
/// Characters of a session's id on the wire.
pub(crate) const SID_CHARS: usize = 27;

impl Engine {
    pub(crate) fn new(cx: &Context) -> Self {
        let path = cx.config.path_normalised();
        let with_slash = (!path.ends_with('/')).then(|| [&*path, "/"].concat().into_boxed_str());
        Self {
            sessions: Slab::new(),
            generation: 0,
            up: VecDeque::new(),
            handshakes: Slab::new(),
            handshake_serial: 0,
            paths: Paths { path, with_slash },
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(crate) fn ids(&self) -> Vec<SessionId> {
        let id = |(index, session): (usize, &Session)| SessionId {
            index: index as u32,
            generation: session.generation,
        };
        self.sessions.iter().map(id).collect()
    }

    pub(crate) fn find(&self, id: SessionId) -> Option<&Session> {
        self.sessions.get(id.index()).filter(|session| session.generation == id.generation)
    }

    fn find_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        self.sessions.get_mut(id.index()).filter(|session| session.generation == id.generation)
    }

    /// Whether it carries messages.
    pub(crate) fn is_open(&self, id: SessionId) -> bool {
        self.find(id).is_some_and(|session| matches!(session.state, State::Open))
    }

    /// Whose secret this is. The index in it needs no map; the rest is compared in constant time.
    /// One of another shard is a stranger here.
    fn find_sid(&self, shard: u16, sid: &str) -> Option<SessionId> {
        let mut raw = [0; SID_BYTES];
        if sid.len() != SID_CHARS {
            return None;
        }
        BASE64URL_NOPAD.decode_mut(sid.as_bytes(), &mut raw).ok()?;
        if raw[..2] != shard.to_be_bytes() {
            return None;
        }
        let index = u32::from_be_bytes([raw[2], raw[3], raw[4], raw[5]]);
        let session = self.sessions.get(index as usize)?;
        let same = raw[8..].iter().zip(&session.secret).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0;
        let generation = raw[6..8] == (session.generation as u16).to_be_bytes();
        (same && generation).then_some(SessionId { index, generation: session.generation })
    }

    /// Ends a session from our side. With `discard` what no transport has taken is dropped;
    /// otherwise a polling client first fetches it.
    pub(crate) fn close(&mut self, cx: &mut Context, id: SessionId, discard: bool) {
        let Some(session) = self.find_mut(id) else { return };
        let Transport::Polling(polling) = &session.transport else {
            return self.end(cx, id, CloseReason::ForcedClose);
        };
        if discard || polling.is_parked() {
            return self.end(cx, id, CloseReason::ForcedClose);
        }
        if let State::Open = session.state {
            cx.timers.cancel(session.heartbeat.take());
            let at = cx.now + cx.config.polling_close_timeout;
            let deadline = cx.timers.arm(at, crate::timer::Due::PollingClose(id));
            session.state = State::Closing { deadline };
        }
    }

    /// A closing client has not come back in time.
    pub(crate) fn polling_close_expired(&mut self, cx: &mut Context, id: SessionId) {
        self.end(cx, id, CloseReason::ForcedClose);
    }

    /// The session is over: everyone who waits for it is released, and the layer above is told.
    fn end(&mut self, cx: &mut Context, id: SessionId, reason: CloseReason) {
        if self.find(id).is_none() {
            return;
        }
        self.abandon_upgrade(cx, id);
        let mut session = self.sessions.remove(id.index());
        session.backlog.clear(&mut cx.pool);
        cx.timers.cancel(session.heartbeat);
        if let State::Closing { deadline } = session.state {
            cx.timers.cancel(Some(deadline));
        }
        match &mut session.transport {
            Transport::Polling(polling) => {
                let last = if reason == CloseReason::TransportClose { b"6" } else { b"1" };
                if let Some(parked) = polling.take_parked() {
                    polling::answer_released(cx, &session.headers, parked, last);
                }
                if let Some(post) = polling.take_post() {
                    cx.abort_connection(post.conn);
                }
                forget_answer(cx, polling, id);
            }
            Transport::WebSocket(conn) if reason == CloseReason::Overflow => {
                cx.abort_connection(*conn);
            }
            Transport::WebSocket(conn) => websocket::close(cx, *conn, None),
        }
        cx.stats.sessions_closed += 1;
        match reason {
            CloseReason::ParseError => cx.stats.engine_faults += 1,
            CloseReason::Overflow => cx.stats.overflow_closed += 1,
            _ => {}
        }
        self.up.push_back(Up::Closed(id, reason));
    }

    /// A connection is gone, or its peer has ended its side. If it broke, what went out last may
    /// not have arrived.
    pub(crate) fn connection_lost(&mut self, cx: &mut Context, conn: ConnId, broken: bool) {
        let Some(connection) = cx.conns.find(conn) else { return };
        match &connection.stage {
            Stage::WebSocket { session, .. } => {
                let session = *session;
                self.websocket_gone(cx, conn, session);
            }
            Stage::Http(http) => {
                let owners: Vec<_> = http.owners().collect();
                for (serial, owner) in owners {
                    self.request_aborted(cx, ExchangeId { conn, serial }, owner);
                }
            }
            Stage::Closing | Stage::Lingering => {}
        }
        for session in cx.answered(conn).into_iter().filter(|_| broken) {
            self.answer_lost(cx, session);
        }
    }

    /// What was in a session's latest poll answer may be lost.
    pub(crate) fn answer_lost(&mut self, cx: &mut Context, id: SessionId) {
        self.end(cx, id, CloseReason::TransportError(TransportFault::AnswerLost));
    }

    pub(crate) fn request_aborted(&mut self, cx: &mut Context, id: ExchangeId, owner: Owner) {
        if !matches!(owner, Owner::Application(_)) {
            cx.set_owner(id, Owner::None);
        }
        let (session, fault) = match owner {
            Owner::Poll(session) => (session, TransportFault::PollAborted),
            Owner::Post(session) => (session, TransportFault::PostAborted),
            Owner::Handshake(key) => return self.cancel_handshake(cx, key),
            Owner::None | Owner::Application(_) => return,
        };
        // Its connection is going: nothing can be answered on it.
        if let Some(polling) = self.polling_mut(session) {
            polling.forget(id);
        }
        self.end(cx, session, CloseReason::TransportError(fault));
    }

    /// Bytes of its poll answers are out, or never will be.
    pub(crate) fn uncharge(&mut self, id: SessionId, bytes: u32) {
        if let Some(session) = self.find_mut(id) {
            session.charged = session.charged.saturating_sub(bytes);
        }
    }
}

/// The connection of the latest poll answer is not watched any longer.
fn forget_answer(cx: &mut Context, polling: &mut polling::Polling, id: SessionId) {
    if let Some(conn) = polling.answered_on.take() {
        cx.forget_answer(conn, id);
    }
}

const SID_BYTES: usize = 8 + SECRET_BYTES;

impl Session {
    /// The secret that its client knows: shard, index, generation and 96 random bits.
    fn sid(&self, shard: u16, index: u32) -> [u8; SID_CHARS] {
        let mut raw = [0; SID_BYTES];
        raw[..2].copy_from_slice(&shard.to_be_bytes());
        raw[2..6].copy_from_slice(&index.to_be_bytes());
        raw[6..8].copy_from_slice(&(self.generation as u16).to_be_bytes());
        raw[8..].copy_from_slice(&self.secret);
        let mut sid = [0; SID_CHARS];
        BASE64URL_NOPAD.encode_mut(&raw, &mut sid);
        sid
    }

    pub(crate) fn is_websocket(&self) -> bool {
        matches!(self.transport, Transport::WebSocket(_))
    }
}

/// What the reader of a session's websocket may take.
pub(crate) fn websocket_limits(config: &Config) -> ws::Limits {
    ws::Limits {
        message_bytes_max: u64::from(config.max_payload),
        fragments_max: config.limits.fragments_max,
    }
}
