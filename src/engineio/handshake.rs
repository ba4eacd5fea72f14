//! Requests: which are Engine.IO's, whether they are allowed, and how sessions begin.
//!
//! They are checked in the order of the reference server: path, preflight, transport, session,
//! method, upgrade, the application's decision, protocol revision.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use smallvec::SmallVec;

use super::outbound::append_to;
use super::{
    Context, Engine, Headers, Owner, Queue, Session, SessionId, State, Transport, Up, heartbeat,
    polling, upgrade, websocket,
};
use crate::config::{Config, Cookie, Cors, SameSite};
use crate::connection::{ExchangeId, Extra, ResponseHead, head_fields};
use crate::event::{Event, HandshakeFailure, PendingHandshake};
use crate::frame;
use crate::http::{self, Head, Method, RequestHead, query_pairs};
use crate::terms::Admission;
use crate::timer::{Armed, Due};
use crate::ws;

/// Whose a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Engine,
    Other,
}

/// A request and where its answer goes.
pub(super) struct Request<'r, 'h> {
    pub(super) id: ExchangeId,
    pub(super) head: &'r Head<'h>,
}

/// What a query says to the engine. The last of several keys counts.
#[derive(Default)]
struct Query<'q> {
    transport: Cow<'q, str>,
    revision: Cow<'q, str>,
    sid: Cow<'q, str>,
    base64: bool,
}

impl<'q> Query<'q> {
    fn read(query: &'q str) -> Self {
        let mut read = Self::default();
        for (key, value) in query_pairs(query) {
            match &*key {
                "transport" => read.transport = value,
                "EIO" => read.revision = value,
                "sid" => read.sid = value,
                "b64" => read.base64 = !value.is_empty(),
                _ => {}
            }
        }
        read
    }
}

/// A short text on its way into an answer, on the stack.
type Text = SmallVec<[u8; 256]>;

/// A handshake that waits for the application's decision.
pub(super) struct Waiting {
    serial: u32,
    id: ExchangeId,
    opening: Opening,
    deadline: Armed,
    /// For the report, should nobody decide: the other copy is with the application.
    head: RequestHead,
}

/// What it takes to open a session.
struct Opening {
    websocket: Option<Accept>,
    revision: bool,
    base64: bool,
}

/// What a 101 answers with.
struct Accept {
    key: [u8; 28],
    protocol: Option<Box<[u8]>>,
}

/// An error answer of the engine: code, message and what it is about.
struct Refusal {
    code: u8,
    message: Cow<'static, str>,
    context: String,
}

impl Refusal {
    fn new(code: u8, context: impl Into<String>) -> Self {
        const MESSAGES: [&str; 6] = [
            "Transport unknown",
            "Session ID unknown",
            "Bad handshake method",
            "Bad request",
            "Forbidden",
            "Unsupported protocol version",
        ];
        let message = Cow::Borrowed(MESSAGES[usize::from(code)]);
        Self { code, message, context: context.into() }
    }

    fn status(&self) -> u16 {
        if self.code == 4 { 403 } else { 400 }
    }
}

impl Engine {
    /// A request whose head was read. One that is not the engine's is left as it is.
    pub(crate) fn request(&mut self, cx: &mut Context, id: ExchangeId, head: &Head<'_>) -> Route {
        if !self.is_ours(head.path()) {
            return Route::Other;
        }
        let extra = Extra {
            origin: cx.cors.as_ref().and_then(|cors| cors.remember(head)),
            explorer: head.header("user-agent").is_some_and(is_explorer),
        };
        cx.set_extra(id, extra);
        let request = Request { id, head };
        if let Some(cors) = cx.cors.clone()
            && head.method == Method::Options
        {
            preflight(cx, &cors, &request);
            return Route::Engine;
        }
        let query = Query::read(head.query());
        // Only a request without a body can change its protocol, and only when no answer is due
        // before; any other stays HTTP.
        let upgrades = head.upgrade_to().is_some()
            && head.body().is_empty()
            && cx.is_first(id)
            && cx.config.transports.websocket;
        if let Err(refusal) = self.verified(cx, &request, &query, upgrades) {
            self.refuse(cx, &request, refusal, upgrades);
        }
        Route::Engine
    }

    fn is_ours(&self, path: &str) -> bool {
        let Some(path) = http::decode_path(path) else { return false };
        let with_slash = self.paths.with_slash.as_deref();
        *path == *self.paths.path || with_slash.is_some_and(|allowed| *path == *allowed)
    }

    /// Checks a request and hands it on.
    fn verified(
        &mut self,
        cx: &mut Context,
        request: &Request<'_, '_>,
        query: &Query<'_>,
        upgrades: bool,
    ) -> Result<(), Refusal> {
        let websocket = query.transport == "websocket" && cx.config.transports.websocket;
        let polling = query.transport == "polling" && cx.config.transports.polling;
        if !websocket && !polling {
            return Err(Refusal::new(0, query.transport.clone()));
        }
        if query.sid.is_empty() {
            return self.verified_handshake(cx, request, query, upgrades);
        }
        let id = self.find_sid(cx.config.shard, &query.sid);
        let id = id.ok_or_else(|| Refusal::new(1, query.sid.clone()))?;
        let session = self.find(id).expect("found by its secret");
        if !upgrades && session.is_websocket() != websocket {
            return Err(Refusal::new(3, "TRANSPORT_MISMATCH"));
        }
        if query.revision != "4" {
            return Err(Refusal::new(3, "PROTOCOL_MISMATCH"));
        }
        if upgrades {
            if request.head.method != Method::Get {
                return Err(Refusal::new(2, request.head.method.as_str()));
            }
            self.accept_candidate(cx, request, websocket, id);
            return Ok(());
        }
        match request.head.method {
            Method::Get => self.poll(cx, id, request),
            Method::Post => self.post(cx, id, request),
            _ => answer_empty(cx, request.id, 500),
        }
        Ok(())
    }

    fn verified_handshake(
        &mut self,
        cx: &mut Context,
        request: &Request<'_, '_>,
        query: &Query<'_>,
        upgrades: bool,
    ) -> Result<(), Refusal> {
        if request.head.method != Method::Get {
            return Err(Refusal::new(2, request.head.method.as_str()));
        }
        let websocket = query.transport == "websocket";
        if websocket && !upgrades {
            return Err(Refusal::new(3, "TRANSPORT_HANDSHAKE_ERROR"));
        }
        let accept = match upgrades {
            true => match offer(request.head) {
                Ok(accept) => Some(accept),
                Err(refusal) => {
                    refuse_websocket(cx, request.id, refusal);
                    return Ok(());
                }
            },
            false => None,
        };
        if let Some(accept) = accept.as_ref().filter(|_| !websocket) {
            // An upgrade that asks for polling: what the reference does with it.
            self.answer_101(cx, request.id, accept, &None, SessionId { index: 0, generation: 0 });
            websocket::close(cx, request.id.conn, None);
            return Ok(());
        }
        let head = RequestHead::new(request.head);
        let revision = query.revision == "4";
        let opening = Opening { websocket: accept, revision, base64: query.base64 };
        if cx.config.decide_handshakes {
            self.ask_application(cx, request.id, opening, head);
        } else {
            self.open(cx, request.id, opening, head, Admission::default());
        }
        Ok(())
    }

    fn ask_application(
        &mut self,
        cx: &mut Context,
        id: ExchangeId,
        opening: Opening,
        head: RequestHead,
    ) {
        if self.handshakes.len() >= cx.config.limits.handshakes_pending_max as usize {
            cx.stats.limits_hit += 1;
            return answer_overloaded(cx, id);
        }
        self.handshake_serial = self.handshake_serial.wrapping_add(1);
        let serial = self.handshake_serial;
        let entry = self.handshakes.vacant_entry();
        let key = entry.key() as u32;
        let at = cx.now + cx.config.decision_timeout();
        let deadline = cx.timers.arm(at, Due::Handshake { key, serial });
        entry.insert(Waiting { serial, id, opening, deadline, head: head.clone() });
        cx.set_owner(id, Owner::Handshake(key));
        cx.event(Event::Handshake(PendingHandshake { key, serial, head }));
    }

    fn take_waiting(&mut self, key: u32, serial: u32) -> Option<Waiting> {
        self.handshakes.get(key as usize).filter(|waiting| waiting.serial == serial)?;
        Some(self.handshakes.remove(key as usize))
    }

    /// The application lets a client in. False if it has gone.
    pub(crate) fn admit_handshake(
        &mut self,
        cx: &mut Context,
        pending: PendingHandshake,
        admission: Admission,
    ) -> bool {
        let Some(waiting) = self.take_waiting(pending.key, pending.serial) else { return false };
        cx.timers.cancel(Some(waiting.deadline));
        self.open(cx, waiting.id, waiting.opening, pending.head, admission);
        true
    }

    /// The application refuses a client. False if it has gone.
    pub(crate) fn refuse_handshake(
        &mut self,
        cx: &mut Context,
        pending: PendingHandshake,
        message: &str,
    ) -> bool {
        let Some(waiting) = self.take_waiting(pending.key, pending.serial) else { return false };
        cx.timers.cancel(Some(waiting.deadline));
        let message = Cow::Owned(message.to_string());
        let refusal = Refusal { message, ..Refusal::new(4, "refused by the application") };
        answer_refusal(cx, waiting.id, &refusal, waiting.opening.websocket.is_some());
        failed(cx, refusal, pending.head);
        true
    }

    /// The application did not decide in time.
    pub(crate) fn handshake_expired(&mut self, cx: &mut Context, key: u32, serial: u32) {
        let Some(waiting) = self.take_waiting(key, serial) else { return };
        let refusal = Refusal::new(4, "the decision took too long");
        answer_refusal(cx, waiting.id, &refusal, waiting.opening.websocket.is_some());
        failed(cx, refusal, waiting.head);
    }

    /// The client went before it was decided.
    pub(super) fn cancel_handshake(&mut self, cx: &mut Context, key: u32) {
        if let Some(waiting) = self.handshakes.try_remove(key as usize) {
            cx.timers.cancel(Some(waiting.deadline));
        }
    }

    fn open(
        &mut self,
        cx: &mut Context,
        id: ExchangeId,
        opening: Opening,
        head: RequestHead,
        admission: Admission,
    ) {
        if !opening.revision {
            let refusal = Refusal::new(5, head.query("EIO").unwrap_or_default());
            answer_refusal(cx, id, &refusal, opening.websocket.is_some());
            return failed(cx, refusal, head);
        }
        let full = self.sessions.len() >= cx.config.limits.sessions_max as usize;
        let Some(peer) = cx.conns.find(id.conn).map(|connection| connection.peer.clone()) else {
            return;
        };
        if full || cx.shutting_down {
            cx.stats.limits_hit += u64::from(full);
            return answer_overloaded(cx, id);
        }
        let headers = (!admission.headers.is_empty()).then(|| admission.headers.into_boxed_slice());
        self.generation = self.generation.wrapping_add(1);
        let transport = match opening.websocket {
            None => Transport::Polling(polling::Polling::default()),
            Some(_) => Transport::WebSocket(id.conn),
        };
        let session = Session {
            generation: self.generation,
            secret: cx.rng.secret(),
            state: State::Open,
            transport,
            upgrade: upgrade::Upgrade::None,
            heartbeat: None,
            pong: heartbeat::Pong::Here,
            base64: opening.base64,
            drain_owed: false,
            backlog: Queue::default(),
            charged: 0,
            headers,
            head,
            peer,
            issued_unix_ms: cx.unix_ms(),
        };
        let index = self.sessions.insert(session) as u32;
        let session = SessionId { index, generation: self.generation };
        cx.stats.sessions_opened += 1;
        match opening.websocket {
            None => self.answer_handshake(cx, id, session, &admission.initial_headers),
            Some(accept) => {
                self.answer_101(cx, id, &accept, &Some(admission.initial_headers), session);
                self.send_open(cx, session, id.conn);
            }
        }
        self.start_interval(cx, session);
        self.up.push_back(Up::Opened(session));
    }

    /// The first answer of a polling session: the open packet, and nothing of the application's.
    fn answer_handshake(
        &mut self,
        cx: &mut Context,
        id: ExchangeId,
        session: SessionId,
        initial: &[(String, String)],
    ) {
        let Some(entry) = self.find(session) else { return };
        let sid = entry.sid(cx.config.shard, session.index);
        let mut body = Text::new();
        write_open(&mut body, &cx.config, &sid, false);
        if let Some(packet) = &cx.config.initial_packet {
            body.extend_from_slice(b"\x1e4");
            body.extend_from_slice(packet.as_bytes());
        }
        let sid = crate::id::ascii(&sid);
        let cookie = cx.config.cookie.as_ref().map(|cookie| cookie.text(sid));
        let (cors, extra) = (cx.cors.clone(), cx.extra(id));
        let fields = head_fields(|head| {
            let head = write_common(head, cors.as_deref(), &extra);
            let head = head.header("Content-Type", "text/plain; charset=UTF-8");
            let head = write_fixed(head, &extra);
            let head = match &cookie {
                Some(cookie) => head.header("Set-Cookie", cookie),
                None => head,
            };
            write_list(write_list(head, initial), entry.headers.as_deref().unwrap_or_default())
        });
        cx.answer(id, 200, fields, &body);
    }

    fn send_open(&mut self, cx: &mut Context, id: SessionId, conn: crate::id::ConnId) {
        let Some(session) = self.find(id) else { return };
        let sid = session.sid(cx.config.shard, id.index);
        let (mut open, mut initial) = (Text::new(), Text::new());
        write_open(&mut open, &cx.config, &sid, true);
        if let Some(packet) = &cx.config.initial_packet {
            initial.push(b'4');
            initial.extend_from_slice(packet.as_bytes());
        }
        append_to(cx, conn, |egress, pool| {
            egress.write(pool, |tail| {
                for packet in [&open, &initial].into_iter().filter(|packet| !packet.is_empty()) {
                    frame::put_frame(tail, ws::Opcode::Text, packet);
                }
            });
        });
    }

    fn accept_candidate(
        &mut self,
        cx: &mut Context,
        request: &Request<'_, '_>,
        websocket: bool,
        id: SessionId,
    ) {
        let accept = match offer(request.head) {
            Ok(accept) => accept,
            Err(refusal) => return refuse_websocket(cx, request.id, refusal),
        };
        let conn = request.id.conn;
        self.answer_101(cx, request.id, &accept, &None, id);
        match websocket {
            true => self.candidate(cx, conn, id),
            false => websocket::close(cx, conn, None),
        }
    }

    /// Switches a connection to WebSocket.
    fn answer_101(
        &mut self,
        cx: &mut Context,
        id: ExchangeId,
        accept: &Accept,
        initial: &Option<Vec<(String, String)>>,
        session: SessionId,
    ) {
        let (cors, extra) = (cx.cors.clone(), cx.extra(id));
        let headers = self.find(session).and_then(|session| session.headers.as_deref());
        let Some(to) = cx.begin_answer(id) else { return };
        cx.extend_answer(id, &to, |queue, pool| {
            queue.write(pool, |tail| {
                let head = http::ResponseHead::begin(tail, 101)
                    .header("Upgrade", "websocket")
                    .header("Connection", "Upgrade")
                    .header("Sec-WebSocket-Accept", accept.key);
                let head = match &accept.protocol {
                    Some(protocol) => head.header("Sec-WebSocket-Protocol", protocol),
                    None => head,
                };
                let head = write_common(head, cors.as_deref(), &extra);
                let head = write_list(head, initial.as_deref().unwrap_or_default());
                write_list(head, headers.unwrap_or_default()).end();
            });
        });
        cx.become_websocket(id.conn, session);
        cx.flush(id.conn);
    }

    fn refuse(
        &mut self,
        cx: &mut Context,
        request: &Request<'_, '_>,
        refusal: Refusal,
        upgrades: bool,
    ) {
        answer_refusal(cx, request.id, &refusal, upgrades);
        failed(cx, refusal, RequestHead::new(request.head));
    }
}

fn failed(cx: &mut Context, refusal: Refusal, head: RequestHead) {
    cx.stats.handshakes_failed += 1;
    let Refusal { code, message, context } = refusal;
    let message = message.into_owned();
    cx.event(Event::HandshakeFailed(HandshakeFailure { code, message, context, head }));
}

/// JSON for a request, plain text for an upgrade, whose connection ends with it.
fn answer_refusal(cx: &mut Context, id: ExchangeId, refusal: &Refusal, upgrades: bool) {
    if upgrades {
        let message = refusal.message.as_bytes();
        return cx.answer_and_close(
            id,
            400,
            |head| head.header("Content-Type", "text/html"),
            message,
        );
    }
    let mut body = Text::from_slice(br#"{"code":"#);
    body.push(b'0' + refusal.code);
    body.extend_from_slice(br#","message":"#);
    // The application's own message may hold anything.
    let message = serde_json::to_string(&refusal.message).expect("a string is JSON");
    body.extend_from_slice(message.as_bytes());
    body.push(b'}');
    let (cors, extra) = (cx.cors.clone(), cx.extra(id));
    let fields = head_fields(|head| {
        let head = write_common(head, cors.as_deref(), &extra);
        head.header("Content-Type", "application/json")
    });
    cx.answer(id, refusal.status(), fields, &body);
}

/// An error that its status says everything about. It too is for scripts of other origins to see.
pub(super) fn answer_empty(cx: &mut Context, id: ExchangeId, status: u16) {
    let (cors, extra) = (cx.cors.clone(), cx.extra(id));
    let fields = head_fields(|head| write_common(head, cors.as_deref(), &extra));
    cx.answer(id, status, fields, b"");
}

/// A limit is reached: one connection fewer.
fn answer_overloaded(cx: &mut Context, id: ExchangeId) {
    let (cors, extra) = (cx.cors.clone(), cx.extra(id));
    let fields = head_fields(|head| write_common(head, cors.as_deref(), &extra));
    cx.answer_and_close(id, 503, fields, b"");
}

fn refuse_websocket(cx: &mut Context, id: ExchangeId, refusal: ws::Refusal) {
    cx.answer_and_close(
        id,
        400,
        |head| {
            let head = head.header("Content-Type", "text/html");
            match refusal {
                ws::Refusal::BadVersion => head.header("Sec-WebSocket-Version", ws::VERSIONS),
                ws::Refusal::InvalidUpgrade | ws::Refusal::MissingKey => head,
            }
        },
        refusal.text().as_bytes(),
    );
}

fn offer(head: &Head<'_>) -> Result<Accept, ws::Refusal> {
    let offer = ws::check(|name| head.header(name))?;
    Ok(Accept { key: offer.accept, protocol: offer.protocol.map(Into::into) })
}

fn preflight(cx: &mut Context, cors: &Cors, request: &Request<'_, '_>) {
    let extra = cx.extra(request.id);
    let asked = request.head.header("access-control-request-headers");
    let fields = head_fields(|head| {
        cors.write_preflight(head, extra.origin.as_deref(), asked).header("Content-Length", "0")
    });
    cx.answer(request.id, 204, fields, b"");
}

fn is_explorer(agent: &[u8]) -> bool {
    [&b";MSIE"[..], b"Trident/"].iter().any(|name| memchr::memmem::find(agent, name).is_some())
}

/// What every answer of the engine carries first.
pub(super) fn write_common<'t>(
    head: ResponseHead<'t>,
    cors: Option<&Cors>,
    extra: &Extra,
) -> ResponseHead<'t> {
    match cors {
        Some(cors) => cors.write(head, extra.origin.as_deref()),
        None => head,
    }
}

fn write_fixed<'t>(head: ResponseHead<'t>, extra: &Extra) -> ResponseHead<'t> {
    let head = match extra.explorer {
        true => head.header("X-XSS-Protection", "0"),
        false => head,
    };
    head.header("cache-control", "no-store")
}

/// What every answer of a polling session carries last.
pub(super) fn write_hooks<'t>(
    head: ResponseHead<'t>,
    extra: &Extra,
    headers: &Headers,
) -> ResponseHead<'t> {
    write_list(write_fixed(head, extra), headers.as_deref().unwrap_or_default())
}

fn write_list<'t>(head: ResponseHead<'t>, list: &[(String, String)]) -> ResponseHead<'t> {
    list.iter().fold(head, |head, (name, value)| head.header(name, value))
}

/// `0{"sid":..,"upgrades":[..],"pingInterval":..,"pingTimeout":..,"maxPayload":..}`
fn write_open(out: &mut Text, config: &Config, sid: &[u8], websocket: bool) {
    let upgrades = !websocket && config.allow_upgrades && config.transports.websocket;
    let mut number = itoa::Buffer::new();
    out.extend_from_slice(br#"0{"sid":""#);
    out.extend_from_slice(sid);
    out.extend_from_slice(br#"","upgrades":["#);
    out.extend_from_slice(if upgrades { br#""websocket""# } else { b"" });
    out.extend_from_slice(br#"],"pingInterval":"#);
    out.extend_from_slice(number.format(config.ping_interval.as_millis()).as_bytes());
    out.extend_from_slice(br#","pingTimeout":"#);
    out.extend_from_slice(number.format(config.ping_timeout.as_millis()).as_bytes());
    out.extend_from_slice(br#","maxPayload":"#);
    out.extend_from_slice(number.format(config.max_payload).as_bytes());
    out.push(b'}');
}

impl Cookie {
    /// The value of `Set-Cookie`, in the order of the `cookie` package for Node.js.
    fn text(&self, sid: &str) -> Text {
        let mut text = Text::from_slice(self.name.as_bytes());
        let mut put = |parts: &[&str]| {
            parts.iter().for_each(|part| text.extend_from_slice(part.as_bytes()));
        };
        put(&["=", sid]);
        if let Some(age) = self.max_age {
            put(&["; Max-Age=", itoa::Buffer::new().format(age.as_secs())]);
        }
        if let Some(domain) = &self.domain {
            put(&["; Domain=", domain]);
        }
        if let Some(path) = &self.path {
            put(&["; Path=", path]);
        }
        put(&[if self.http_only { "; HttpOnly" } else { "" }]);
        put(&[if self.secure { "; Secure" } else { "" }]);
        put(&[match self.same_site {
            Some(SameSite::Lax) => "; SameSite=Lax",
            Some(SameSite::Strict) => "; SameSite=Strict",
            Some(SameSite::None) => "; SameSite=None",
            None => "",
        }]);
        text
    }
}
