//! Parlor: a Socket.IO server as one pure state machine.
//!
//! Bytes, the peers' comings and goings, and deadlines go in; bytes, events and wishes come out.
//! HTTP, WebSocket, Engine.IO 4 and Socket.IO 5 are inside. Sockets, the clock, threads and
//! randomness are not: whoever drives it brings them. So it fits into any event loop, and a test
//! drives a whole server without any of them.
//!
//! There are two levels, with the same verbs:
//!
//! - [`Node`] is a server with an [`App`] beside it: handlers of events, as closures. It is what
//!   the driver `parlor-io` runs, and what most programs want.
//! - [`Server`] holds no code of yours. It hands out each [`Event`], and takes commands: for those
//!   who bring their own dispatch.
//!
//! # The loop
//!
//! A bare server, and what stands for a socket. A [`Node`] is driven in the same way, and its
//! events never come out: they run handlers.
//!
//! ```
//! use parlor::{Config, ConnId, Event, Input, Instant, Output, Payload, Peer, Server, Wake};
//!
//! struct Wire {
//!     conn: ConnId,
//!     unread: Vec<u8>,
//!     written: Vec<u8>,
//! }
//!
//! /// One round: what came in, what is due, what is to be done. Then sleep until what it returns.
//! fn round(server: &mut Server, now: Instant, wire: &mut Wire) -> Option<(Instant, Wake)> {
//!     let mut bytes = core::mem::take(&mut wire.unread);
//!     if !bytes.is_empty() {
//!         server.handle(now, Input::Data { conn: wire.conn, bytes: &mut bytes });
//!     }
//!     while server.handle_timeout(now) {}
//!     while let Some(output) = server.poll_output() {
//!         match output {
//!             Output::Event { event, .. } => react(server, now, event),
//!             Output::Flush(conn) => {
//!                 let before = wire.written.len();
//!                 server.egress(conn).for_each(|slice| wire.written.extend_from_slice(slice));
//!                 let bytes = wire.written.len() - before;
//!                 server.handle(now, Input::Sent { conn, bytes, refused: false });
//!             }
//!             // Stop or go on reading it, half-close it, release it.
//!             _ => {}
//!         }
//!     }
//!     server.poll_timeout()
//! }
//!
//! /// What the program is about: here it adds.
//! fn react(server: &mut Server, now: Instant, event: Event) {
//!     if let Event::Message { name, args, ack: Some(ack), .. } = event
//!         && name == "sum"
//!         && let Ok((a, b)) = args.parse::<(i64, i64)>()
//!     {
//!         let sum = Payload::from_args(a + b).expect("a number can be written");
//!         server.answer(now, ack, &sum);
//!     }
//! }
//!
//! // The clock is yours, and so are 32 random bytes and what the wall clock said at that time.
//! let now = Instant::ZERO;
//! let mut server = Server::new(Config::default(), [7; 32], now, 1_767_225_600_000)?;
//! let conn = server.accept(now, Peer::Unix)?;
//! let mut wire = Wire { conn, unread: Vec::new(), written: Vec::new() };
//!
//! // A client: it upgrades, joins the namespace `/`, and asks. Its frames are masked, with zeros.
//! let head = |text: &str| [0x81, 0x80 | text.len() as u8, 0, 0, 0, 0];
//! let frame = |text: &str| [&head(text), text.as_bytes()].concat();
//! let upgrade = b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n\
//!     Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
//!     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
//! for bytes in [upgrade.to_vec(), frame("40"), frame(r#"420["sum",1,2]"#)] {
//!     wire.unread = bytes;
//!     round(&mut server, now, &mut wire);
//! }
//! assert!(wire.written.ends_with(b"430[3]"));
//!
//! // The next thing to do is a ping, 25 seconds after the session opened.
//! let due = (Instant::from_micros(25_000_000), Wake::Ping);
//! assert_eq!(round(&mut server, now, &mut wire), Some(due));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # The contract
//!
//! 1. *Input never fails.* [`Server::handle`] returns nothing: what a peer does wrong becomes bytes
//!    to it, an event, and a counter in [`Stats`]. Commands have errors of their own.
//! 2. *Feed, then drain.* Give it any number of inputs and commands in any order, then call
//!    [`poll_output`](Server::poll_output) until `None`. Polling only takes out what was done
//!    before. A deadline fires in [`handle_timeout`](Server::handle_timeout) and nowhere else, one
//!    a call (a [`Node`] goes on, up to [`Limits::deadlines_per_call_max`]); so input that is
//!    handed in first wins, even where `now` is past the deadline already.
//! 3. *It says when, and why.* [`poll_timeout`](Server::poll_timeout) is the next deadline, and is
//!    due at once while any output is queued: a driver that sleeps until then strands nothing.
//! 4. *Time is an argument* and never goes back; see [`Instant`]. The seed is an argument too. It
//!    makes the ids of sessions and sockets, which nobody can guess who does not know it, and, as
//!    another stream, the numbers that a program draws. The wall time shows in the time that a
//!    handshake was issued, and in nothing else.
//! 5. *Handles go stale, and never lie.* A [`ConnId`], [`SocketId`] or token of something that has
//!    gone never names something else. Commands say [`Gone`]; inputs are ignored and counted. What
//!    comes in pairs always does, on shutdown too: `accept` and [`Output::Close`],
//!    [`Event::Connected`] and [`Event::Disconnected`], an ask and [`Event::Settled`].
//! 6. *It is deterministic.* The same configuration, seed, times, inputs and commands give the same
//!    outputs, byte for byte, on every machine.
//! 7. *Everything is bounded.* Each queue, buffer, table and wait that a peer or a caller could
//!    fill has its bound in [`Limits`] or [`Config`], and a rule for when that is reached.
//! 8. *Every call does bounded work*, and its documentation says how much.
//!
//! ## Writing
//!
//! The server keeps every byte until the kernel has it. [`Output::Flush`] asks for one write
//! attempt before the driver sleeps; [`egress`](Server::egress) shows the bytes, slice by slice,
//! and [`Input::Sent`] reports how many were taken. What `egress` has shown stays as it is until
//! then, so a completion-based loop may write from it. After a refusal (`refused: true`) the next
//! `Flush` comes with [`Input::Writable`]. A [`Output::Close`] with bytes left says `abort`: reset
//! the connection, or the peer takes what it has for the whole.
//!
//! # Turns
//!
//! A turn is what one cause brings about: everything that the server does for it, and everything
//! that the program does in answer. A cause is one [`Input`], however many messages stand in a
//! `Data` ([`Input::Sent`] and [`Input::Writable`] begin a turn only if they yield an event); one
//! expired deadline; or one piece of work from outside. A [`Node`] finishes a turn, handlers
//! included, before it takes the next cause. On a bare `Server`, commands belong to the turn of the
//! event that was polled last.
//!
//! Turns matter to *volatile* packets. By default one goes out only if nothing else was sent to its
//! client in the same turn, the kernel is not refusing, and little waits to be written
//! ([`Volatile`]); by polling, if a poll waits. Otherwise it is dropped and counted by its reason,
//! never kept for later.
//!
//! # Features
//!
//! The crate is `no_std` and needs `alloc`. `std`, off by default and switched on by `parlor-io`,
//! does one thing: attachments ([`Bytes`]) reach handlers, and leave them, shared instead of
//! copied.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod app;
mod bytes;
mod commands;
mod config;
mod connection;
mod context;
mod egress;
mod engineio;
mod error;
mod event;
mod frame;
pub mod guide;
mod http;
mod id;
mod input;
mod output;
mod payload;
mod requests;
mod rng;
mod server;
mod socketio;
mod stats;
mod terms;
mod time;
mod timer;
mod ws;

pub use app::{
    App, Arg, Ask, Audience, BadArgs, Closed, Command, ConnectToken, Culprit, Cx, Engine, EngineCx,
    FromArgs, Handle, Handler, Handshake, HandshakeToken, HandshakeVerdict, IntoReply, IntoRooms,
    Io, Namespace, Node, NodeInput, NotTaken, Observer, Outcome, Outside, Pass, Port, Quiet, Reply,
    Request, RequestToken, RequestVerdict, Root, SessionHandle, SocketHandle, ToArgs, Verdict,
    admit, go_on, refuse, reply, stop,
};
pub use bytes::Bytes;
pub use bytestring::ByteString;
pub use config::{
    Config, Cookie, Cors, Limits, Mode, Origins, Overflow, SameSite, Transports, Volatile,
};
pub use error::{
    AskError, CloseReason, ConfigError, DisconnectReason, Fanout, Gone, Overloaded, SendStatus,
    TransportFault,
};
pub use event::{
    AckToken, Event, HandshakeFailure, Message, PendingConnect, PendingHandshake, PendingRequest,
    RoomEvent,
};
pub use http::RequestHead;
pub use id::{AskId, ConnId, NamespaceId, SessionId, SocketId, TimerId};
pub use input::{Input, Peer};
pub use output::{Output, Wake};
pub use payload::Payload;
pub use server::Server;
pub use stats::Stats;
pub use terms::{Admission, Flags, Recipients, Response, Transport};
pub use time::Instant;
