//! Servers over TCP, one for each test.

use std::net::SocketAddr;
use std::sync::mpsc::Receiver;
use std::thread;

use parlor::{App, Config, Handle};
use parlor_io::{Driver, Options};

use crate::common::MARGIN;
use crate::common::http::{Answer, Http};
use crate::common::ws::{self, UPGRADE};

pub(crate) const OPEN: &str = "/socket.io/?EIO=4&transport=polling";
pub(crate) const OPEN_WEBSOCKET: &str = "/socket.io/?EIO=4&transport=websocket";

/// Starts a server, which runs until the tests end.
pub(crate) fn serve(
    config: Config,
    program: impl FnOnce(Handle) -> App + Send + 'static,
) -> SocketAddr {
    let options = Options { config, ..Options::default() };
    let driver = Driver::bind("127.0.0.1:0", options).expect("loopback has a port to spare");
    let addr = driver.local_addr();
    thread::spawn(move || driver.run(program).expect("nothing ends the driver but the process"));
    addr
}

/// A server without handlers.
pub(crate) fn serve_config(config: Config) -> SocketAddr {
    serve(config, |_io| App::new())
}

#[track_caller]
pub(crate) fn get(addr: SocketAddr, target: &str) -> Answer {
    Http::connect(addr).get(target)
}

/// The lines of the head that answers a request on a connection of its own, in their order.
#[track_caller]
pub(crate) fn head(addr: SocketAddr, method: &str, target: &str, fields: &[&str]) -> Vec<String> {
    let mut http = Http::connect(addr);
    http.send(method, target, fields, b"");
    head_of(&mut http)
}

/// The lines of the next head, in their order.
#[track_caller]
pub(crate) fn head_of(http: &mut Http) -> Vec<String> {
    let head = http.wire().take_through(b"\r\n\r\n", "head of an answer");
    let head = String::from_utf8(head).expect("heads are ASCII");
    head.trim_end().lines().map(str::to_owned).collect()
}

/// The head that answers an upgrade.
#[track_caller]
pub(crate) fn upgrade_head(addr: SocketAddr, target: &str, fields: &[&str]) -> Vec<String> {
    head(addr, "GET", target, &[&UPGRADE, fields].concat())
}

/// The status and body of a refused upgrade.
#[track_caller]
pub(crate) fn upgrade_refused(addr: SocketAddr, target: &str) -> (u16, String) {
    let (mut http, answer) = ws::upgrade(addr, target, &UPGRADE);
    http.expect_end();
    (answer.status, answer.text().to_owned())
}

/// The next thing that a handler told.
#[track_caller]
pub(crate) fn told<T>(from: &Receiver<T>) -> T {
    from.recv_timeout(MARGIN).expect("a handler tells it")
}
