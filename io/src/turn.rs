//! The loop. One turn is one poll, and does to each party a bounded amount of good, in this order:
//!
//! 1. one read from each ready connection, so that nobody starves;
//! 2. new clients;
//! 3. work from outside;
//! 4. deadlines: after all input, for a pong may be waiting in a kernel's buffer;
//! 5. one write to each connection that has something to say: emits of a turn leave together.
//!
//! The poll is edge-triggered: it tells once. So whoever stops for a reason of our own, such as a
//! full buffer, a budget or a pause, stays on a list, and while a list is not empty the poll does
//! not sleep.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use mio::event::Event;
use mio::{Events, Interest, Poll, Token};
use parlor::{ConnId, Input, Instant, Output, Outside, Peer};
use socket2::SockRef;

use crate::accept::Acceptor;
use crate::clock::Clock;
use crate::conn::{self, Reading, Table, Writing, Written};
use crate::contain::Contained;
use crate::outside::{Bell, Mailbox};
use crate::signals::Signals;

pub(crate) const LISTENER: Token = Token(usize::MAX);
pub(crate) const WAKER: Token = Token(usize::MAX - 1);
pub(crate) const SIGNALS: Token = Token(usize::MAX - 2);

const EVENTS_PER_TURN: usize = 1024;
const ACCEPTS_PER_TURN: u32 = 256;
const JOBS_PER_TURN: usize = 1024;
/// Shared by all connections: an idle one owns no buffer.
const READ_BYTES: usize = 64 * 1024;
/// Turns in a row in which deadlines wait for input that is known to be there, besides those that
/// it takes to hear of every connection: enough to read a message of the largest default size.
const HOLDS_MAX: usize = 16;

/// Everything that a turn needs. See the module's doc.
pub(crate) struct Turns<S> {
    pub(crate) poll: Poll,
    pub(crate) clock: Clock,
    pub(crate) core: Contained<S>,
    /// `None` once the end has begun.
    pub(crate) acceptor: Option<Acceptor>,
    pub(crate) signals: Option<Signals>,
    pub(crate) bell: Arc<Bell>,
    pub(crate) mailbox: Arc<Mailbox<S>>,
    pub(crate) lists: Lists<S>,
    pub(crate) accept_pauses: u64,
}

/// What is left to do. Entries may be stale; the table knows.
pub(crate) struct Lists<S> {
    /// The time of this turn.
    now: Instant,
    table: Table,
    buffer: Box<[u8]>,
    ready: VecDeque<ConnId>,
    writable: Vec<ConnId>,
    /// At most one entry a connection: the core's promise about `Flush`.
    flush: Vec<ConnId>,
    flushing: Vec<ConnId>,
    work: VecDeque<Outside<S>>,
    /// The mailbox may hold work.
    is_work_waiting: bool,
    /// The last poll may have had more to tell.
    is_poll_full: bool,
    /// Turns for which deadlines have waited.
    holds: usize,
}

impl<S> Lists<S> {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            now,
            table: Table::default(),
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            ready: VecDeque::new(),
            writable: Vec::new(),
            flush: Vec::new(),
            flushing: Vec::new(),
            work: VecDeque::new(),
            is_work_waiting: true,
            is_poll_full: false,
            holds: 0,
        }
    }
}

impl<S: Send + 'static> Turns<S> {
    /// Runs until the node is drained. That begins with the bell, a signal, too many panics, or
    /// because the program itself closes the server.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        self.drain();
        while !self.core.node.is_drained() {
            self.turn(&mut events)?;
        }
        self.close_listener();
        Ok(())
    }

    fn turn(&mut self, events: &mut Events) -> io::Result<()> {
        match self.poll.poll(events, self.wait()) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            Ok(()) | Err(_) => {}
        }
        self.lists.now = self.clock.now();
        let mut is_signalled = false;
        let mut told = 0;
        for event in events.iter() {
            told += 1;
            match event.token() {
                LISTENER => self.acceptor.iter_mut().for_each(Acceptor::edge),
                WAKER => self.lists.is_work_waiting = true,
                SIGNALS => is_signalled = true,
                _ => self.note(event),
            }
        }
        self.lists.is_poll_full = told == EVENTS_PER_TURN;
        self.read();
        self.accept();
        self.work();
        self.expire();
        self.flush();
        let is_told_to_stop = is_signalled && self.signals.as_mut().is_some_and(Signals::read);
        if is_told_to_stop || self.bell.is_stopping() || self.core.is_failing() {
            self.stop();
        }
        Ok(())
    }

    /// How long the poll may sleep. Reads the clock once more if there is a deadline: to count
    /// from the turn's beginning would be late by what the turn took.
    fn wait(&self) -> Option<Duration> {
        let lists = &self.lists;
        let is_busy = !lists.ready.is_empty()
            || !lists.flush.is_empty()
            || lists.is_work_waiting
            || self.acceptor.as_ref().is_some_and(Acceptor::is_ready);
        if is_busy {
            return Some(Duration::ZERO);
        }
        let deadline = self.core.node.poll_timeout().map(|(at, _why)| at);
        let pause = self.acceptor.as_ref().and_then(Acceptor::deadline);
        let first = deadline.into_iter().chain(pause).min()?;
        Some(first.saturating_since(self.clock.now()))
    }

    /// Notes an event, and calls nobody: so no connection can be closed, and its place given to
    /// another, while events for it are still to come.
    fn note(&mut self, event: &Event) {
        let lists = &mut self.lists;
        let Some(conn) = lists.table.at(event.token().0) else { return };
        conn.is_ending |= event.is_read_closed() || event.is_error();
        if conn.writing == Writing::Refused && event.is_writable() {
            lists.writable.push(conn.id);
        }
        let is_ready = event.is_readable() || conn.is_ending;
        if is_ready && !conn.is_queued {
            conn.is_queued = true;
            lists.ready.push_back(conn.id);
        }
    }

    fn read(&mut self) {
        for index in 0..self.lists.writable.len() {
            let conn = self.lists.writable[index];
            self.core.handle(self.lists.now, Input::Writable { conn });
            self.drain();
        }
        self.lists.writable.clear();
        // Whoever comes back to the list while it is walked waits for the next turn.
        for _ in 0..self.lists.ready.len() {
            let Some(conn) = self.lists.ready.pop_front() else { break };
            self.read_one(conn);
            self.drain();
        }
    }

    /// One read. One that does not fill the buffer has emptied the kernel's: a further one would
    /// only be told so, and there will be an edge when more arrives (epoll(7), kqueue(2)). The
    /// peer's end has its own bit, which asks for the read that shows it.
    fn read_one(&mut self, id: ConnId) {
        let Lists { now, table, buffer, ready, .. } = &mut self.lists;
        let Some(conn) = table.find(id) else { return };
        conn.is_queued = false;
        let mut again = conn.is_ending;
        let input = match conn.reading {
            Reading::On => match conn.stream.read(buffer) {
                Ok(0) => {
                    again = false;
                    conn.reading = Reading::Eof;
                    Input::Eof { conn: id }
                }
                Ok(bytes) => {
                    again |= bytes == buffer.len();
                    Input::Data { conn: id, bytes: &mut buffer[..bytes] }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    conn.is_queued = true;
                    ready.push_back(id);
                    return;
                }
                Err(_) => {
                    again = false;
                    conn.reading = Reading::Lost;
                    Input::Lost { conn: id }
                }
            },
            // Nothing is read, but a reset is to be known at once. An end in order shows later.
            Reading::Paused | Reading::Eof => match conn.stream.take_error() {
                Ok(None) => return,
                Ok(Some(_)) | Err(_) => {
                    again = false;
                    conn.reading = Reading::Lost;
                    Input::Lost { conn: id }
                }
            },
            Reading::Lost => return,
        };
        if again {
            conn.is_queued = true;
            ready.push_back(id);
        }
        self.core.handle(*now, input);
    }

    fn accept(&mut self) {
        let now = self.lists.now;
        let mut attempts = ACCEPTS_PER_TURN;
        while let Some(acceptor) = &mut self.acceptor {
            let Some((mut stream, addr)) = acceptor.accept(now, &mut attempts) else { break };
            // Refused ones are counted by the core; dropping the stream closes it.
            let Ok(conn) = self.core.node.accept(now, Peer::from(addr)) else { continue };
            // Nagle's algorithm would hold a small packet back until the last one is acknowledged.
            let registered = stream.set_nodelay(true).and_then(|()| {
                let interests = Interest::READABLE | Interest::WRITABLE;
                self.poll.registry().register(&mut stream, Token(conn.index()), interests)
            });
            self.lists.table.insert(conn, stream);
            if let Err(error) = registered {
                log::debug!("a client is gone already: {error}");
                self.core.handle(now, Input::Lost { conn });
            }
            self.drain();
        }
    }

    fn work(&mut self) {
        if !self.lists.is_work_waiting {
            return;
        }
        self.lists.is_work_waiting = self.mailbox.take(&mut self.lists.work, JOBS_PER_TURN);
        while let Some(work) = self.lists.work.pop_front() {
            self.core.outside(self.lists.now, work);
            self.drain();
        }
    }

    fn expire(&mut self) {
        let lists = &mut self.lists;
        let is_due = self.core.node.poll_timeout().is_some_and(|(at, _why)| at <= lists.now);
        let is_input_waiting = lists.is_poll_full || !lists.ready.is_empty();
        let holds_max = HOLDS_MAX + lists.table.len() / EVENTS_PER_TURN;
        if is_due && is_input_waiting && lists.holds < holds_max {
            lists.holds += 1;
            return;
        }
        lists.holds = 0;
        if is_due {
            self.core.handle_timeout(lists.now);
            self.drain();
        }
    }

    /// What a `Sent` asks for beyond this has its write in the next turn.
    fn flush(&mut self) {
        std::mem::swap(&mut self.lists.flush, &mut self.lists.flushing);
        for index in 0..self.lists.flushing.len() {
            self.write_one(self.lists.flushing[index]);
            self.drain();
        }
        self.lists.flushing.clear();
    }

    fn write_one(&mut self, id: ConnId) {
        let Some(conn) = self.lists.table.find(id) else { return };
        let input = match conn::write(&mut conn.stream, self.core.node.egress(id)) {
            Written::Taken { bytes, refused } => {
                conn.writing = if refused { Writing::Refused } else { Writing::Done };
                Input::Sent { conn: id, bytes, refused }
            }
            Written::Failed => {
                conn.reading = Reading::Lost;
                Input::Lost { conn: id }
            }
        };
        self.core.handle(self.lists.now, input);
    }

    /// Carries out what the core wants, until it wants no more.
    fn drain(&mut self) {
        while let Some(output) = self.core.node.poll_output() {
            match output {
                Output::Flush(conn) => self.flush_later(conn),
                Output::Pause(conn) => self.pause(conn),
                Output::Resume(conn) => self.resume(conn),
                Output::ShutdownWrite(conn) => self.shutdown_write(conn),
                Output::Close { conn, abort } => self.close(conn, abort),
                other => log::error!("an output that this driver does not know: {other:?}"),
            }
        }
    }

    fn flush_later(&mut self, conn: ConnId) {
        if let Some(conn) = self.lists.table.find(conn) {
            conn.writing = Writing::Due;
            self.lists.flush.push(conn.id);
        }
    }

    fn pause(&mut self, conn: ConnId) {
        if let Some(conn) = self.lists.table.find(conn)
            && conn.reading == Reading::On
        {
            conn.reading = Reading::Paused;
        }
    }

    /// The edge may have come during the pause.
    fn resume(&mut self, conn: ConnId) {
        if let Some(conn) = self.lists.table.find(conn)
            && conn.reading == Reading::Paused
        {
            conn.reading = Reading::On;
            if !conn.is_queued {
                conn.is_queued = true;
                self.lists.ready.push_back(conn.id);
            }
        }
    }

    fn shutdown_write(&mut self, conn: ConnId) {
        if let Some(conn) = self.lists.table.find(conn) {
            // It fails only if the peer has reset the connection; reading will show that.
            let _ = conn.stream.shutdown(Shutdown::Write);
        }
    }

    /// After an abort the peer must not take what it has for the whole: a reset tells it
    /// (RFC 9293, 3.10.5), which is what closing with a linger of zero sends.
    fn close(&mut self, id: ConnId, abort: bool) {
        let Some(conn) = self.lists.table.remove(id) else { return };
        if abort {
            // Without it the kernel would go on trying for a while, and that is all.
            let _ = SockRef::from(&conn.stream).set_linger(Some(Duration::ZERO));
        }
        drop(conn);
        if let Some(acceptor) = &mut self.acceptor {
            acceptor.descriptor_freed();
        }
    }

    /// Begins the end, once.
    fn stop(&mut self) {
        if self.close_listener() {
            log::info!("shutting down");
            self.core.shutdown(self.lists.now);
            self.drain();
        }
    }

    /// The port is free at once, whoever is still there. Says whether it was open.
    fn close_listener(&mut self) -> bool {
        let Some(acceptor) = self.acceptor.take() else { return false };
        self.accept_pauses = acceptor.pauses();
        true
    }
}

impl<S> Drop for Turns<S> {
    fn drop(&mut self) {
        self.mailbox.close();
    }
}
