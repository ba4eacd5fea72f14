//! What a server is told once, before it starts.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use crate::error::ConfigError;
use crate::http;

/// Options. Where the reference server has the option, the default is its own.
///
/// ```
/// use parlor::Config;
/// let config = Config { path: "/realtime".into(), ..Config::default() };
/// ```
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the server stops: at Socket.IO, or already at Engine.IO.
    pub mode: Mode,
    /// Where it answers. [`Config::engine`] sets `/engine.io`.
    pub path: String,
    /// Whether the path is answered with a slash at its end, and only so.
    pub add_trailing_slash: bool,
    /// The transports that clients may use.
    pub transports: Transports,
    /// Whether `websocket` is offered to clients that begin with polling. An upgrade that a client
    /// attempts unasked is accepted all the same, as in the reference.
    pub allow_upgrades: bool,
    /// From a pong, or the opening, to the next ping. 25 s.
    pub ping_interval: Duration,
    /// From a ping to the end of a session that does not answer. 20 s.
    pub ping_timeout: Duration,
    /// From a websocket candidate's arrival to its end, unless it finishes the upgrade. 10 s.
    pub upgrade_timeout: Duration,
    /// From a session's opening to its end, unless it joins a namespace. 45 s.
    pub connect_timeout: Duration,
    /// How long a decision of the application may take; `None`: as `connect_timeout`.
    pub decision_timeout: Option<Duration>,
    /// The time for an ask that names none. 10 s.
    pub ask_timeout: Duration,
    /// How long a polling session that is closing waits for the client to fetch its last packets.
    /// 30 s.
    pub polling_close_timeout: Duration,
    /// From an upgrade request that nobody takes to the end of its connection; `None`: it stays.
    /// 1 s.
    pub destroy_upgrade_timeout: Option<Duration>,
    /// How long last bytes may take to be written, and then the peer to close. 5 s.
    pub linger: Duration,
    /// How long a request may take to arrive, from its first byte to its last; the first one of a
    /// connection, from its opening. 60 s.
    pub request_timeout: Duration,
    /// How long a connection may stay open between requests. 60 s.
    pub idle_timeout: Duration,
    /// The most bytes of a POST's body and of a WebSocket message; told to clients. 1,000,000.
    pub max_payload: u32,
    /// A message that follows the handshake at once.
    pub initial_packet: Option<Box<str>>,
    /// A cookie with the session's id, set by the handshake of polling clients.
    pub cookie: Option<Cookie>,
    /// Which origins browsers may come from; `None`: no CORS headers at all.
    pub cors: Option<Cors>,
    /// Whether the application decides on each handshake, by `Event::Handshake`.
    pub decide_handshakes: bool,
    /// Whether the application answers requests that are not Engine.IO's, by `Event::Request`.
    pub take_requests: bool,
    /// Whether a socket's end is announced by `Event::Disconnecting`, with its rooms intact.
    pub announce_disconnecting: bool,
    /// Whether rooms' own events are told.
    pub room_events: bool,
    /// Whether sessions' own events are told in [`Mode::SocketIo`] too.
    pub session_events: bool,
    /// When a volatile packet can go out.
    pub volatile: Volatile,
    /// What happens to a client that does not read.
    pub overflow: Overflow,
    /// Which shard of a sharded server this is; part of each session's id.
    pub shard: u16,
    /// The bounds of everything.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            mode: Mode::SocketIo,
            path: "/socket.io".to_string(),
            add_trailing_slash: true,
            transports: Transports::default(),
            allow_upgrades: true,
            ping_interval: Duration::from_secs(25),
            ping_timeout: Duration::from_secs(20),
            upgrade_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(45),
            decision_timeout: None,
            ask_timeout: Duration::from_secs(10),
            polling_close_timeout: Duration::from_secs(30),
            destroy_upgrade_timeout: Some(Duration::from_secs(1)),
            linger: Duration::from_secs(5),
            request_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
            max_payload: 1_000_000,
            initial_packet: None,
            cookie: None,
            cors: None,
            decide_handshakes: false,
            take_requests: false,
            announce_disconnecting: false,
            room_events: false,
            session_events: false,
            volatile: Volatile::default(),
            overflow: Overflow::CloseSession,
            shard: 0,
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// The engine alone: sessions and messages, no Socket.IO, on `/engine.io/`.
    pub fn engine() -> Self {
        Self { mode: Mode::EngineIo, path: "/engine.io".to_string(), ..Self::default() }
    }

    /// The path as it is compared: without a slash at its end, or with exactly one.
    pub(crate) fn path_normalised(&self) -> Box<str> {
        let mut path = self.path.strip_suffix('/').unwrap_or(&self.path).to_string();
        if self.add_trailing_slash {
            path.push('/');
        }
        path.into_boxed_str()
    }

    pub(crate) fn decision_timeout(&self) -> Duration {
        self.decision_timeout.unwrap_or(self.connect_timeout)
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |why: &str| Err(ConfigError(why.to_string()));
        if !self.path.starts_with('/') {
            return wrong("`path` must begin with a slash");
        }
        if !self.transports.polling && !self.transports.websocket {
            return wrong("`transports` allows none: switch polling or websocket on");
        }
        if self.ping_interval.is_zero() || self.ping_timeout.is_zero() {
            return wrong("`ping_interval` and `ping_timeout` must be longer than zero");
        }
        if self.max_payload == 0 {
            return wrong("`max_payload` must be at least 1 byte");
        }
        self.check_headers()?;
        let limits = &self.limits;
        for (name, value) in [
            ("connections_max", limits.connections_max),
            ("sessions_max", limits.sessions_max),
            ("pipelined_requests_max", limits.pipelined_requests_max),
            ("egress_bytes_max", limits.egress_bytes_max),
            ("json_depth_max", limits.json_depth_max),
            ("deadlines_per_call_max", limits.deadlines_per_call_max),
        ] {
            if value == 0 {
                return Err(ConfigError(format!("`limits.{name}` must be at least 1")));
            }
        }
        if limits.egress_bytes_total_max < u64::from(limits.egress_bytes_max) {
            return wrong("`egress_bytes_total_max` is below `egress_bytes_max` of one session");
        }
        Ok(())
    }
}

impl Config {
    /// What goes into heads must be able to stand there.
    fn check_headers(&self) -> Result<(), ConfigError> {
        let mut values: Vec<&str> = Vec::new();
        if let Some(cookie) = &self.cookie {
            values.push(&cookie.name);
            values.extend([&cookie.path, &cookie.domain].into_iter().flatten().map(|s| &**s));
        }
        if let Some(cors) = &self.cors {
            values.push(&cors.methods);
            let lists = [&cors.allowed_headers, &cors.exposed_headers];
            values.extend(lists.into_iter().flatten().map(|s| &**s));
            if let Origins::One(origin) = &cors.origins {
                values.push(origin);
            }
        }
        match values.iter().find(|value| !http::is_value_valid(value.as_bytes())) {
            Some(bad) => {
                Err(ConfigError(format!("{bad:?} in `cookie` or `cors` is no header text")))
            }
            None => Ok(()),
        }
    }
}

/// Where the server stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Namespaces, events, rooms, acknowledgements.
    #[default]
    SocketIo,
    /// Sessions and messages, as the reference's `engine.io` package alone.
    EngineIo,
}

/// The transports that clients may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transports {
    /// HTTP long-polling.
    pub polling: bool,
    /// WebSocket.
    pub websocket: bool,
}

impl Default for Transports {
    fn default() -> Self {
        Self { polling: true, websocket: true }
    }
}

/// The cookie of the polling handshake: `name=sid; Path=/; HttpOnly; SameSite=Lax`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// `Path`; `None` leaves it out.
    pub path: Option<String>,
    /// `Domain`; `None` leaves it out.
    pub domain: Option<String>,
    /// `Max-Age`, in whole seconds; `None` leaves it out.
    pub max_age: Option<Duration>,
    /// `HttpOnly`.
    pub http_only: bool,
    /// `Secure`.
    pub secure: bool,
    /// `SameSite`; `None` leaves it out.
    pub same_site: Option<SameSite>,
}

impl Default for Cookie {
    fn default() -> Self {
        Self {
            name: "io".to_string(),
            path: Some("/".to_string()),
            domain: None,
            max_age: None,
            http_only: true,
            secure: false,
            same_site: Some(SameSite::Lax),
        }
    }
}

/// The `SameSite` attribute of a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Sent with requests of the same site and with top-level navigation.
    Lax,
    /// Sent with requests of the same site only.
    Strict,
    /// Sent with every request; browsers want `Secure` with it.
    None,
}

/// Cross-origin resource sharing, as the reference's `cors` option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Which origins.
    pub origins: Origins,
    /// Whether `Access-Control-Allow-Credentials: true` is sent.
    pub credentials: bool,
    /// Methods that a preflight allows.
    pub methods: String,
    /// Headers that a preflight allows; `None` allows what it asks for.
    pub allowed_headers: Option<String>,
    /// Headers that scripts may read.
    pub exposed_headers: Option<String>,
    /// How long a preflight may be kept.
    pub max_age: Option<Duration>,
}

impl Default for Cors {
    fn default() -> Self {
        Self {
            origins: Origins::Any,
            credentials: false,
            methods: "GET,HEAD,PUT,PATCH,POST,DELETE".to_string(),
            allowed_headers: None,
            exposed_headers: None,
            max_age: None,
        }
    }
}

/// Which origins browsers may come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origins {
    /// `*`.
    Any,
    /// This one is named in every answer, whatever the request says.
    One(String),
    /// Each of these; a `*` in one stands for any text. The request's own origin is reflected.
    List(Vec<String>),
    /// Whatever the request says is reflected.
    Reflect,
}

/// When a volatile packet can go out; otherwise it is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Volatile {
    /// As the reference does: nothing was sent on the connection in the same turn, the kernel is
    /// not refusing, and at most `cork_bytes_max` would wait for the driver's next flush.
    Turn {
        /// Bytes not yet flushed, this packet included.
        cork_bytes_max: u32,
    },
    /// The kernel is not refusing, and at most `bytes_max` would wait.
    Watermark {
        /// Bytes not yet flushed, this packet included.
        bytes_max: u32,
    },
}

impl Default for Volatile {
    fn default() -> Self {
        Self::Turn { cork_bytes_max: 16 * 1024 }
    }
}

/// What happens at `egress_bytes_max`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// The session is closed, with its own reason: a stream with holes is worse than a reconnect.
    #[default]
    CloseSession,
    /// The message is dropped, and the emit says so.
    DropMessage,
}

/// The bound of every queue, buffer, table and wait that a peer or a caller could fill.
#[derive(Clone, Debug)]
pub struct Limits {
    /// TCP connections; one more is not accepted.
    pub connections_max: u32,
    /// Sessions; one more handshake is answered 503.
    pub sessions_max: u32,
    /// Bytes of a request's head; more is answered 431.
    pub head_bytes_max: u32,
    /// Requests of one connection that wait for their answers; then it is not read.
    pub pipelined_requests_max: u32,
    /// Bytes that wait for one session, as Engine.IO packets with their framing; then `overflow`.
    pub egress_bytes_max: u32,
    /// Bytes that wait for all sessions together. From its half on, only sessions with less than
    /// their equal share of the other half get more.
    pub egress_bytes_total_max: u64,
    /// Above this an emit says `Backlogged`.
    pub egress_bytes_high: u32,
    /// Fragments of one WebSocket message; more closes it.
    pub fragments_max: u32,
    /// Attachments of one packet; more closes the session.
    pub attachments_max: u32,
    /// Bytes of all attachments of one packet; more closes the session.
    pub attachment_bytes_max: u32,
    /// Depth of JSON; more closes the session.
    pub json_depth_max: u32,
    /// Namespaces of one session; one more CONNECT is refused.
    pub namespaces_per_session_max: u32,
    /// Rooms of one socket; `join` says no to one more.
    pub rooms_per_socket_max: u32,
    /// Unsettled asks of one socket; one more is dropped.
    pub asks_per_socket_max: u32,
    /// Handlers of one socket's next event (`cx.once`); one more is not added.
    pub once_per_socket_max: u32,
    /// Undecided handshakes; one more is answered 503.
    pub handshakes_pending_max: u32,
    /// Undecided connects; one more is refused.
    pub connects_pending_max: u32,
    /// Requests that the application has not answered; one more is answered 503.
    pub requests_pending_max: u32,
    /// Timers of the application; one more is not armed.
    pub timers_max: u32,
    /// Jobs from outside that wait for their turn; one more is `Full`.
    pub outside_max: u32,
    /// Deadlines that one `Node::handle_timeout` fires.
    pub deadlines_per_call_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1 << 20,
            sessions_max: 1 << 20,
            head_bytes_max: 16 * 1024,
            pipelined_requests_max: 16,
            egress_bytes_max: 16 * 1024 * 1024,
            egress_bytes_total_max: 1 << 30,
            egress_bytes_high: 16 * 1024,
            fragments_max: 1024,
            attachments_max: 10,
            attachment_bytes_max: 10_000_000,
            json_depth_max: 127,
            namespaces_per_session_max: 64,
            rooms_per_socket_max: 4096,
            asks_per_socket_max: 1024,
            once_per_socket_max: 64,
            handshakes_pending_max: 4096,
            connects_pending_max: 65_536,
            requests_pending_max: 4096,
            timers_max: 1 << 20,
            outside_max: 65_536,
            deadlines_per_call_max: 1024,
        }
    }
}
