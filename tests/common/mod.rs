//! A client of raw HTTP and WebSocket for tests over TCP. It shares no code with the server.
//!
//! Nothing here sleeps: a test waits for an effect, at most [`MARGIN`], and then fails by saying
//! what it waited for and what came instead.

pub(crate) mod http;
pub(crate) mod ws;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long one effect may take.
pub(crate) const MARGIN: Duration = Duration::from_secs(2);

/// One TCP connection, and what came on it that nobody has taken yet.
pub(crate) struct Wire {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Wire {
    /// Connects to `addr`.
    #[track_caller]
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&addr, MARGIN)
            .unwrap_or_else(|e| panic!("cannot connect to {addr}: {e}"));
        stream.set_nodelay(true).expect("a connected stream takes options");
        stream.set_write_timeout(Some(MARGIN)).expect("the margin is not zero");
        Self { stream, received: Vec::new() }
    }

    /// Sends `bytes`, whatever they are.
    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream
            .write_all(bytes)
            .unwrap_or_else(|e| panic!("cannot send {} bytes: {e}", bytes.len()));
    }

    /// Says that nothing more will be sent.
    #[track_caller]
    pub(crate) fn finish(&mut self) {
        self.stream.shutdown(std::net::Shutdown::Write).expect("the connection is still up");
    }

    /// Takes exactly `len` bytes.
    #[track_caller]
    pub(crate) fn take(&mut self, len: usize, what: &str) -> Vec<u8> {
        self.wait(what, |received| (received.len() >= len).then_some(len))
    }

    /// Takes everything up to the first `end`, and `end` with it.
    #[track_caller]
    pub(crate) fn take_through(&mut self, end: &[u8], what: &str) -> Vec<u8> {
        self.wait(what, |received| {
            let at = received.windows(end.len()).position(|w| w == end)?;
            Some(at + end.len())
        })
    }

    /// Takes everything up to the end of the connection, be it orderly or not.
    #[track_caller]
    pub(crate) fn take_rest(&mut self, what: &str) -> Vec<u8> {
        let deadline = Instant::now() + MARGIN;
        while self.receive(deadline, what) {}
        std::mem::take(&mut self.received)
    }

    /// Whether the connection has ended with nothing left to take, waiting for one or the other.
    #[track_caller]
    pub(crate) fn is_at_end(&mut self, what: &str) -> bool {
        self.received.is_empty() && !self.receive(Instant::now() + MARGIN, what)
    }

    #[track_caller]
    fn wait(&mut self, what: &str, ready: impl Fn(&[u8]) -> Option<usize>) -> Vec<u8> {
        let deadline = Instant::now() + MARGIN;
        loop {
            if let Some(len) = ready(&self.received) {
                return self.received.drain(..len).collect();
            }
            if !self.receive(deadline, what) {
                panic!("the connection ended before {what}; so far: {}", self.shown());
            }
        }
    }

    /// Reads once; false at the end.
    #[track_caller]
    fn receive(&mut self, deadline: Instant, what: &str) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            panic!("no {what} within {MARGIN:?}; so far: {}", self.shown());
        }
        self.stream.set_read_timeout(Some(left)).expect("what is left is not zero");
        let mut chunk = [0; 16 * 1024];
        match self.stream.read(&mut chunk) {
            Ok(len) => {
                self.received.extend_from_slice(&chunk[..len]);
                len > 0
            }
            Err(e) => match e.kind() {
                ErrorKind::ConnectionReset => false,
                ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut => true,
                _ => panic!("reading {what}: {e}"),
            },
        }
    }

    fn shown(&self) -> String {
        format!("{:?}", String::from_utf8_lossy(&self.received))
    }
}
