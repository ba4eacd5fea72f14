//! Accepting, and what to do when the kernel will not.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use parlor::Instant;
use socket2::{Domain, Protocol, Socket, Type};

use crate::error::cannot_bind;

/// Connections that the kernel completes ahead of us; it may allow less.
const BACKLOG: i32 = 4096;
/// How long to leave the kernel alone when it is out of something, unless a connection closes.
const PAUSE: Duration = Duration::from_millis(100);
/// Pauses come in rows; one line tells of them all.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Listens on the first of the addresses that can be had.
pub(crate) fn listen(addrs: impl Iterator<Item = SocketAddr>) -> io::Result<TcpListener> {
    let mut error = io::Error::new(io::ErrorKind::InvalidInput, "no address to listen on");
    for addr in addrs {
        match listen_on(addr) {
            Ok(listener) => return Ok(listener),
            Err(why) => error = cannot_bind(addr, why),
        }
    }
    Err(error)
}

fn listen_on(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // A restarted server must not wait until the connections of its predecessor are forgotten.
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// A listener, and whether asking it makes sense.
pub(crate) struct Acceptor {
    listener: TcpListener,
    state: State,
    pauses: u64,
    logged: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The kernel said that nobody waits; it will tell.
    Idle,
    /// Somebody may wait.
    Ready,
    /// The kernel, or this process, is out of something.
    Paused { until: Instant },
}

impl Acceptor {
    pub(crate) fn new(
        mut listener: TcpListener,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        registry.register(&mut listener, token, Interest::READABLE)?;
        Ok(Self { listener, state: State::Ready, pauses: 0, logged: None })
    }

    /// The listener's edge. A pause stands: what it waits for is not a client.
    pub(crate) fn edge(&mut self) {
        if self.state == State::Idle {
            self.state = State::Ready;
        }
    }

    /// A connection was closed, so its file descriptor is free.
    pub(crate) fn descriptor_freed(&mut self) {
        if matches!(self.state, State::Paused { .. }) {
            self.state = State::Ready;
        }
    }

    /// Whether to accept at once; otherwise [`Acceptor::deadline`] or an edge says when.
    pub(crate) fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// The end of a pause.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Paused { until } => Some(until),
            State::Idle | State::Ready => None,
        }
    }

    /// How often accepting has been paused.
    pub(crate) fn pauses(&self) -> u64 {
        self.pauses
    }

    /// The next client, in at most `attempts` system calls, which it counts down.
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        attempts: &mut u32,
    ) -> Option<(TcpStream, SocketAddr)> {
        if self.deadline().is_some_and(|until| until <= now) {
            self.state = State::Ready;
        }
        while self.is_ready() && *attempts > 0 {
            *attempts -= 1;
            let error = match self.listener.accept() {
                Ok(client) => return Some(client),
                Err(error) => error,
            };
            match Advice::on(error.kind()) {
                Advice::Idle => self.state = State::Idle,
                Advice::Next => log::debug!("a client went before it was accepted: {error}"),
                Advice::Pause => self.pause(now, &error),
            }
        }
        None
    }

    fn pause(&mut self, now: Instant, error: &io::Error) {
        self.state = State::Paused { until: now + PAUSE };
        self.pauses += 1;
        let is_news = |at: Instant| now.saturating_since(at) >= LOG_INTERVAL;
        if self.logged.is_none_or(is_news) {
            self.logged = Some(now);
            log::warn!("cannot accept clients for now, they wait in the backlog: {error}");
        }
    }
}

/// What an error of `accept` calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Advice {
    /// Nobody waits.
    Idle,
    /// This one client is lost; there may be others. Linux hands errors that wait on the new
    /// connection to `accept` (accept(2), "Error handling").
    Next,
    /// The next attempt would fail too, and the client stays in the backlog: no new edge will
    /// come, and asking again at once would spin. So for EMFILE, ENFILE, ENOBUFS, ENOMEM, and for
    /// whatever is not known.
    Pause,
}

impl Advice {
    fn on(kind: io::ErrorKind) -> Self {
        use io::ErrorKind as Kind;
        match kind {
            Kind::WouldBlock => Self::Idle,
            Kind::Interrupted
            | Kind::ConnectionAborted
            | Kind::ConnectionReset
            | Kind::PermissionDenied
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
            | Kind::TimedOut => Self::Next,
            _ => Self::Pause,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::Poll;

    fn acceptor() -> (Poll, Acceptor) {
        let poll = Poll::new().expect("a poll");
        let listener = listen(["127.0.0.1:0".parse().expect("an address")].into_iter());
        let listener = listener.expect("a free port");
        let acceptor = Acceptor::new(listener, poll.registry(), Token(0)).expect("registered");
        (poll, acceptor)
    }

    #[test]
    fn running_out_of_descriptors_pauses_and_a_lost_client_does_not() {
        // EMFILE, ENFILE and ENOMEM have these numbers on every Unix that mio knows.
        for errno in [24, 23, 12] {
            let error = io::Error::from_raw_os_error(errno);
            assert_eq!(Advice::on(error.kind()), Advice::Pause, "{error}");
        }
        assert_eq!(Advice::on(io::ErrorKind::ConnectionAborted), Advice::Next);
        assert_eq!(Advice::on(io::ErrorKind::WouldBlock), Advice::Idle);
    }

    #[test]
    fn a_pause_ends_by_itself_or_with_a_closed_connection_but_not_by_an_edge() {
        let (_poll, mut acceptor) = acceptor();
        let error = io::Error::from_raw_os_error(24);
        let now = Instant::from_micros(1_000_000);
        acceptor.pause(now, &error);
        acceptor.edge();
        assert!(!acceptor.is_ready());
        assert_eq!(acceptor.deadline(), Some(now + PAUSE));
        let mut attempts = 8;
        assert!(acceptor.accept(now, &mut attempts).is_none());
        assert_eq!(attempts, 8, "no system call during the pause");

        acceptor.descriptor_freed();
        assert!(acceptor.is_ready());
        acceptor.pause(now, &error);
        assert!(acceptor.accept(now + PAUSE, &mut attempts).is_none());
        assert_eq!((attempts, acceptor.state), (7, State::Idle), "asked once, nobody waits");
        assert_eq!(acceptor.pauses(), 2);
    }
}
