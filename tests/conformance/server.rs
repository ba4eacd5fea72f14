//! The servers under test: what the official suites ask of them. Each is started once a process.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::Duration;
use std::{env, thread};

use parlor::{App, Config, Cx, Handle, HandshakeVerdict, Payload, reply};
use parlor_io::{Driver, Options};

/// The Engine.IO suite's: every message is echoed.
pub(crate) fn engine_addr() -> SocketAddr {
    static ADDR: LazyLock<SocketAddr> =
        LazyLock::new(|| server("PARLOR_CONFORMANCE_ENGINE", suite_config(Config::engine()), echo));
    *ADDR
}

/// The Socket.IO suite's.
pub(crate) fn socketio_addr() -> SocketAddr {
    static ADDR: LazyLock<SocketAddr> = LazyLock::new(|| {
        server("PARLOR_CONFORMANCE_SOCKETIO", suite_config(Config::default()), message_back)
    });
    *ADDR
}

/// An echo with the heartbeat of everyday, which forbids whom the query calls `forbidden`.
pub(crate) fn calm_addr() -> SocketAddr {
    static ADDR: LazyLock<SocketAddr> =
        LazyLock::new(|| server("PARLOR_CONFORMANCE_CALM", Config::engine(), forbidding_echo));
    *ADDR
}

/// The server that the environment names, or else Parlor's own on a free port.
fn server(variable: &str, config: Config, program: fn(Handle<()>) -> App<()>) -> SocketAddr {
    if let Ok(addr) = env::var(variable) {
        return addr.parse().unwrap_or_else(|e| panic!("{variable}={addr}: {e}"));
    }
    let options = Options { config, ..Options::default() };
    let driver = Driver::bind("127.0.0.1:0", options).expect("loopback has a port to spare");
    let addr = driver.local_addr();
    thread::spawn(move || driver.run(program).expect("nothing ends the driver but the process"));
    addr
}

fn suite_config(config: Config) -> Config {
    Config {
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        max_payload: 1_000_000,
        connect_timeout: Duration::from_secs(1),
        ..config
    }
}

fn echo(_io: Handle<()>) -> App<()> {
    let mut app = App::new();
    app.engine().on_message(|cx, message| cx.send(message));
    app
}

fn forbidding_echo(io: Handle<()>) -> App<()> {
    let mut app = echo(io);
    app.on_handshake(|_root, handshake| match handshake.query("forbidden") {
        Some(_) => HandshakeVerdict::from(parlor::refuse("Forbidden")),
        None => parlor::admit().into(),
    });
    app
}

fn message_back(_io: Handle<()>) -> App<()> {
    let mut app = App::new();
    app.of("/")
        .on_connect(tell_auth)
        .on("message", |cx, args: Payload| cx.emit("message-back", args))
        .on("message-with-ack", |_cx, args: Payload| reply(args));
    app.of("/custom").on_connect(tell_auth);
    app
}

fn tell_auth(cx: &mut Cx<'_, (), ()>) {
    let auth: Payload = cx.auth().expect("a payload takes any auth");
    cx.emit("auth", auth);
}
