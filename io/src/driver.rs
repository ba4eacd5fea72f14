//! Starting and stopping.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::panic;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use mio::net::TcpListener;
use mio::{Poll, Waker};
use parlor::{App, Config, Handle, Node, Stats};

use crate::accept::{self, Acceptor};
use crate::clock::{self, Clock};
use crate::contain::Contained;
use crate::error;
use crate::outside::{Bell, Door, Mailbox};
use crate::signals::Signals;
use crate::turn::{LISTENER, Lists, SIGNALS, Turns, WAKER};

/// Serves a program on an address, with the default [`Config`], until SIGTERM or SIGINT; then lets
/// the clients go in order, and returns. A second signal ends the process at once, with status 143
/// or 130.
///
/// For a process that is a server: it also raises the process's soft limit of open files to the
/// hard one. See [`Driver`] for anything else.
///
/// # Errors
///
/// If the address cannot be had; the message says what to do.
pub fn serve<S: Send + 'static>(
    addr: impl ToSocketAddrs,
    program: impl FnOnce(Handle<S>) -> App<S>,
) -> io::Result<()> {
    match raise_open_files() {
        Ok(limit) => log::debug!("at most {limit} open files"),
        Err(error) => log::warn!("cannot raise the limit of open files: {error}"),
    }
    let options = Options { signals: true, ..Options::default() };
    Driver::bind(addr, options)?.run(program).map(drop)
}

/// Raises this process's soft limit of open files to the hard one, and says what that is. Each
/// client costs one, and the soft limit is 1024 nearly everywhere for the sake of programs that
/// use `select`. [`serve`] does it by itself.
///
/// # Errors
///
/// If the system does not allow it; the limit stays as it was.
pub fn raise_open_files() -> io::Result<u64> {
    rlimit::increase_nofile_limit(u64::MAX)
}

/// How a [`Driver`] is to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the server is told.
    pub config: Config,
    /// More panics of handlers than this within a minute, and the driver shuts down in order.
    pub panics_max: u32,
    /// Whether SIGTERM and SIGINT are taken over, for the rest of the process's life: see
    /// [`serve`]. Off by default; a [`Stopper`] does without.
    pub signals: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { config: Config::default(), panics_max: 100, signals: false }
    }
}

/// A server that listens, and does not run yet: clients wait in the kernel's backlog.
///
/// ```
/// use parlor_io::{Driver, Options};
///
/// let server = Driver::bind("127.0.0.1:0", Options::default())?.spawn(|_io| parlor::App::new())?;
/// println!("clients find it at {}", server.local_addr());
/// let report = server.stop()?;
/// assert_eq!(report.stats.panics, 0);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Driver {
    listener: TcpListener,
    addr: SocketAddr,
    poll: Poll,
    bell: Arc<Bell>,
    options: Options,
}

impl Driver {
    /// Listens on an address; on the first that can be had, if it is a name of several. Port 0
    /// lets the system choose.
    ///
    /// # Errors
    ///
    /// If none can be had; the message says what to do.
    pub fn bind(addr: impl ToSocketAddrs, options: Options) -> io::Result<Self> {
        let listener = accept::listen(addr.to_socket_addrs()?)?;
        let poll = Poll::new()?;
        let bell = Arc::new(Bell::new(Waker::new(poll.registry(), WAKER)?));
        Ok(Self { addr: listener.local_addr()?, listener, poll, bell, options })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// The means to stop it from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.bell.clone())
    }

    /// Runs a program in this thread until it is stopped and its clients are gone.
    ///
    /// # Errors
    ///
    /// If the configuration contradicts itself, or the system denies what an event loop needs.
    pub fn run<S: Send + 'static>(
        self,
        program: impl FnOnce(Handle<S>) -> App<S>,
    ) -> io::Result<Report> {
        let Self { listener, poll, bell, options, .. } = self;
        let Options { config, panics_max, signals } = options;
        let jobs_max = config.limits.outside_max as usize;
        let mailbox = Arc::new(Mailbox::new(bell.clone(), jobs_max));
        let app = program(Handle::new(Door(mailbox.clone())));

        let clock = Clock::start();
        let now = clock.now();
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(io::Error::other)?;
        let node = Node::new(config, app, seed, now, clock::unix_ms());
        let node = node.map_err(error::bad_config)?;

        let acceptor = Acceptor::new(listener, poll.registry(), LISTENER)?;
        let signals = signals.then(|| Signals::install(poll.registry(), SIGNALS)).transpose()?;
        let mut turns = Turns {
            poll,
            clock,
            core: Contained::new(node, panics_max),
            acceptor: Some(acceptor),
            signals,
            bell,
            mailbox,
            lists: Lists::new(now),
            accept_pauses: 0,
        };
        turns.run()?;
        Ok(Report { stats: *turns.core.node.stats(), accept_pauses: turns.accept_pauses })
    }

    /// Runs a program in a thread of its own.
    ///
    /// # Errors
    ///
    /// If there is no thread to be had. What [`Driver::run`] says is told by [`Running::stop`].
    pub fn spawn<S: Send + 'static>(
        self,
        program: impl FnOnce(Handle<S>) -> App<S> + Send + 'static,
    ) -> io::Result<Running> {
        let (addr, stopper) = (self.addr, self.stopper());
        let thread = thread::Builder::new().name(format!("parlor {addr}"));
        let thread = Some(thread.spawn(move || self.run(program))?);
        Ok(Running { addr, stopper, thread })
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("addr", &self.addr).finish_non_exhaustive()
    }
}

/// Stops a driver in order: clients are told and have [`Config::linger`] to go. Works from any
/// thread, before, during and after the run, any number of times.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<Bell>);

impl Stopper {
    /// Says so, and does not wait.
    pub fn stop(&self) {
        self.0.stop();
    }
}

/// A driver in a thread of its own. Dropped, it is stopped and waited for, so a test that fails
/// leaves no server behind.
#[derive(Debug)]
#[must_use = "dropping it stops the server"]
pub struct Running {
    addr: SocketAddr,
    stopper: Stopper,
    /// `None` once it was joined.
    thread: Option<JoinHandle<io::Result<Report>>>,
}

impl Running {
    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.addr
    }

    /// The means to stop it from another thread.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Stops it in order and waits until it has ended.
    ///
    /// # Errors
    ///
    /// What ended the run, if that was not this call: see [`Driver::run`].
    ///
    /// # Panics
    ///
    /// If the run did, with the same payload: a panic of the program itself, not of its handlers.
    pub fn stop(mut self) -> io::Result<Report> {
        self.stopper.stop();
        self.join().expect("only this call, which consumes it, and `drop` join the thread")
    }

    /// Waits until it has ended: stopped by a [`Stopper`], a signal, an error or too many panics.
    ///
    /// # Errors
    ///
    /// As [`Running::stop`].
    pub fn wait(mut self) -> io::Result<Report> {
        self.join().expect("only this call, which consumes it, and `drop` join the thread")
    }

    fn join(&mut self) -> Option<io::Result<Report>> {
        let outcome = self.thread.take()?.join();
        Some(outcome.unwrap_or_else(|payload| panic::resume_unwind(payload)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.stopper.stop();
            // A panic in there was printed by its own thread; this may be another's unwinding.
            let _ = thread.join();
        }
    }
}

/// What a driver has counted, when it has ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The core's counters.
    pub stats: Stats,
    /// How often accepting was paused, because the system was out of file descriptors or memory.
    pub accept_pauses: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{ErrorKind, Read, Write};
    use std::net::{Shutdown, TcpStream};
    use std::sync::mpsc;
    use std::time::Duration;

    use parlor::{Bytes, Request, Response};

    /// More than a socket's buffers take, so that writes are refused.
    const LARGE_BYTES: usize = 16 * 1024 * 1024;

    fn response(body: Bytes) -> Response {
        Response { status: 200, headers: Vec::new(), body }
    }

    fn answer(request: &Request) -> Response {
        match request.path() {
            "/large" => response(vec![b'x'; LARGE_BYTES].into()),
            "/panic" => panic!("asked for by a test"),
            _ => response(Bytes::from_static(b"hello")),
        }
    }

    fn pages(_io: Handle) -> App {
        let mut app = App::new();
        app.on_request(|_root, request| answer(request));
        app
    }

    /// Where a test leaves a connection that nobody closes.
    fn impatient() -> Options {
        let mut options = Options::default();
        options.config.linger = Duration::from_millis(20);
        options
    }

    fn start(options: Options) -> Running {
        Driver::bind("127.0.0.1:0", options).expect("a free port").spawn(pages).expect("a thread")
    }

    fn connect(server: &Running) -> TcpStream {
        let client = TcpStream::connect(server.local_addr()).expect("it listens");
        client.set_read_timeout(Some(Duration::from_secs(2))).expect("a timeout");
        client
    }

    fn ask(client: &mut TcpStream, path: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n");
        client.write_all(request.as_bytes()).expect("it is open");
    }

    /// Reads one answer's body; relies on `Content-Length`.
    fn body(client: &mut TcpStream) -> Vec<u8> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).expect("a whole head");
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("ASCII").to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).expect("a length");
        let length = length.split("\r\n").next().expect("a line").parse().expect("a number");
        let mut body = vec![0; length];
        client.read_exact(&mut body).expect("a whole body");
        body
    }

    #[test]
    fn a_server_in_a_thread_answers_and_stops() {
        let server = start(Options::default());
        let mut client = connect(&server);
        for _ in 0..3 {
            ask(&mut client, "/");
            assert_eq!(body(&mut client), b"hello");
        }
        let thread = thread::spawn(|| server.stop());
        assert_eq!(client.read(&mut [0; 8]).expect("an end in order"), 0);
        drop(client);
        let report = thread.join().expect("no panic").expect("no error");
        assert_eq!(report.stats.connections_accepted, 1);
        assert_eq!(report.stats.requests, 3);
        assert_eq!(report.stats.inputs_stale, 0);
        assert_eq!(report.accept_pauses, 0);
    }

    #[test]
    fn a_slow_reader_gets_everything_and_holds_nobody_up() {
        let server = start(Options::default());
        let mut slow = connect(&server);
        ask(&mut slow, "/large");
        let mut quick = connect(&server);
        for _ in 0..3 {
            ask(&mut quick, "/");
            assert_eq!(body(&mut quick), b"hello");
        }
        assert!(body(&mut slow) == vec![b'x'; LARGE_BYTES]);
        ask(&mut slow, "/");
        assert_eq!(body(&mut slow), b"hello");
    }

    #[test]
    fn input_beyond_one_read_is_read_without_a_further_edge() {
        const REQUESTS: usize = 8192;
        let server = start(Options::default());
        let mut client = connect(&server);
        let mut sender = client.try_clone().expect("a handle");
        let thread = thread::spawn(move || {
            let all = "GET / HTTP/1.1\r\nHost: test\r\n\r\n".repeat(REQUESTS);
            sender.write_all(all.as_bytes()).expect("it is read");
        });
        for _ in 0..REQUESTS {
            assert_eq!(body(&mut client), b"hello");
        }
        thread.join().expect("all was sent");
    }

    #[test]
    fn an_end_that_arrives_with_the_last_bytes_is_seen() {
        let server = start(Options::default());
        let mut client = connect(&server);
        ask(&mut client, "/");
        client.shutdown(Shutdown::Write).expect("it is open");
        assert_eq!(body(&mut client), b"hello");
        assert_eq!(client.read(&mut [0; 8]).expect("an end in order"), 0);
    }

    #[test]
    fn a_connection_given_up_with_bytes_left_is_reset() {
        let server = start(impatient());
        let mut client = connect(&server);
        ask(&mut client, "/large");
        client.read_exact(&mut [0; 4]).expect("it has begun");
        server.stop().expect("no error");
        let error = io::copy(&mut client, &mut io::sink()).expect_err("not an end");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }

    #[test]
    fn a_panic_costs_nobody_else_anything() {
        let server = start(impatient());
        let mut bystander = connect(&server);
        ask(&mut connect(&server), "/panic");
        let mut next = connect(&server);
        for client in [&mut bystander, &mut next] {
            ask(client, "/");
            assert_eq!(body(client), b"hello");
        }
        drop((bystander, next));
        assert_eq!(server.stop().expect("no error").stats.panics, 1);
    }

    #[test]
    fn too_many_panics_end_the_server_in_order() {
        let server = start(Options { panics_max: 1, ..impatient() });
        for _ in 0..2 {
            ask(&mut connect(&server), "/panic");
        }
        let (tell, told) = mpsc::channel();
        thread::spawn(move || tell.send(server.wait().expect("no error")).expect("it is awaited"));
        let report = told.recv_timeout(Duration::from_secs(2)).expect("it ends by itself");
        assert_eq!(report.stats.panics, 2);
    }

    #[test]
    fn a_job_from_another_thread_runs_with_the_state_until_the_server_has_ended() {
        let (tell, told) = mpsc::channel();
        let driver = Driver::bind("127.0.0.1:0", Options::default()).expect("a free port");
        let server = driver.spawn(move |io: Handle<u32>| {
            tell.send(io).expect("the test waits");
            App::with_state(41)
        });
        let server = server.expect("a thread");
        let io = told.recv().expect("it starts");
        let (tell, told) = mpsc::channel();
        let job = {
            let tell = tell.clone();
            move |root: &mut parlor::Root<'_, u32>| {
                *root.state += 1;
                tell.send(*root.state).expect("the test waits");
            }
        };
        io.run(job).expect("room");
        assert_eq!(told.recv_timeout(Duration::from_secs(2)), Ok(42));
        server.stop().expect("no error");
        assert_eq!(io.run(|_root| {}), Err(parlor::NotTaken::Closed));
    }

    #[test]
    fn a_taken_port_is_named_and_a_contradiction_is_told() {
        let first = Driver::bind("127.0.0.1:0", Options::default()).expect("a free port");
        let error = Driver::bind(first.local_addr(), Options::default()).expect_err("taken");
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&first.local_addr().port().to_string()));

        let mut wrong = Options::default();
        wrong.config.max_payload = 0;
        let driver = Driver::bind("127.0.0.1:0", wrong).expect("a free port");
        let error = driver.run(|_io: Handle| App::new()).expect_err("a contradiction");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("max_payload"));
    }

    #[test]
    fn a_stopper_used_before_the_run_ends_it_at_once() {
        let driver = Driver::bind("127.0.0.1:0", Options::default()).expect("a free port");
        driver.stopper().stop();
        driver.run(pages).expect("no error");
    }
}
