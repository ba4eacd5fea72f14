//! The one door for other threads. The core names no lock: a driver, or the simulator, brings the
//! [`Port`].

use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::panic::Location;

use crate::app::args::{ToArgs, encode};
use crate::app::reply::Quiet;
use crate::{
    AckToken, ConnectToken, HandshakeToken, HandshakeVerdict, Payload, RequestToken, Response,
    Root, SocketId, Verdict,
};

/// The server, for any thread or task: clone it freely. Nothing in it blocks.
///
/// What uses up a token (`answer`, `decide`, `respond`) is always taken, as long as the server is
/// there. Everything else is a job: at most [`Limits::outside_max`](crate::Limits::outside_max) of
/// them wait for their turn.
///
/// ```
/// use std::thread;
/// use parlor::{App, Handle};
///
/// fn shop(io: Handle) -> App {
///     let mut app = App::new();
///     app.of("/").on("price", move |cx, item: u64| {
///         let Some(token) = cx.ack() else { return }; // nobody waits for an answer
///         let io = io.clone();
///         thread::spawn(move || io.answer(token, item * 250));
///     });
///     app
/// }
/// ```
pub struct Handle<S = ()>(Arc<dyn Port<S>>);

impl<S> Clone for Handle<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> fmt::Debug for Handle<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl<S: 'static> Handle<S> {
    /// A handle on what a driver brings.
    pub fn new(port: impl Port<S> + 'static) -> Self {
        Self(Arc::new(port))
    }

    /// Answers an event of a client. An answer that cannot be written is counted, and the client's
    /// own timeout acts.
    ///
    /// # Errors
    ///
    /// If the server is closed.
    pub fn answer(&self, token: AckToken, args: impl ToArgs) -> Result<(), Closed> {
        self.kept(Outside::Answer(token, encode(&args)))
    }

    /// Decides a connect.
    ///
    /// # Errors
    ///
    /// If the server is closed.
    pub fn decide(&self, token: ConnectToken, verdict: Verdict) -> Result<(), Closed> {
        self.kept(Outside::Decide(token, verdict))
    }

    /// Decides a handshake.
    ///
    /// # Errors
    ///
    /// If the server is closed.
    pub fn decide_handshake(
        &self,
        token: HandshakeToken,
        verdict: impl Into<HandshakeVerdict>,
    ) -> Result<(), Closed> {
        self.kept(Outside::DecideHandshake(token, verdict.into()))
    }

    /// Answers a request that is not Engine.IO's.
    ///
    /// # Errors
    ///
    /// If the server is closed.
    pub fn respond(&self, token: RequestToken, response: Response) -> Result<(), Closed> {
        self.kept(Outside::Respond(token, response))
    }

    /// Runs a closure in the server's own thread, as a turn of its own. A recording names it by the
    /// place of this call.
    ///
    /// # Errors
    ///
    /// If too many jobs wait, or the server is closed.
    #[track_caller]
    pub fn run<R: Quiet>(
        &self,
        f: impl FnOnce(&mut Root<'_, S>) -> R + Send + 'static,
    ) -> Result<(), NotTaken> {
        let job = move |root: &mut Root<'_, S>| {
            f(root);
        };
        self.0.post(Outside::Run(Location::caller(), Box::new(job)))
    }

    /// Sends an event to one socket.
    ///
    /// # Errors
    ///
    /// If too many jobs wait, or the server is closed.
    pub fn emit(&self, to: SocketId, event: &str, args: impl ToArgs) -> Result<(), NotTaken> {
        self.0.post(Outside::Emit(to, event.into(), encode(&args)))
    }

    /// Takes a socket out of its namespace.
    ///
    /// # Errors
    ///
    /// If too many jobs wait, or the server is closed.
    pub fn disconnect(&self, socket: SocketId) -> Result<(), NotTaken> {
        self.0.post(Outside::Disconnect(socket))
    }

    /// Shuts the server down; see [`Io::close`](crate::Io::close).
    ///
    /// # Errors
    ///
    /// If too many jobs wait, or the server is closed already.
    pub fn close(&self) -> Result<(), NotTaken> {
        self.0.post(Outside::Close)
    }

    fn kept(&self, work: Outside<S>) -> Result<(), Closed> {
        self.0.post(work).map_err(|_| Closed)
    }
}

/// Where a [`Handle`] leaves its work: a queue and a waker of a driver, or a simulated one.
///
/// Whoever takes it out feeds each to [`Node::outside`](crate::Node::outside), in order.
///
/// ```
/// use std::sync::mpsc::{Sender, channel};
/// use parlor::{App, Config, Handle, Instant, Node, NotTaken, Outside, Port};
///
/// /// Without a bound on jobs, which a server that is open to many threads should have.
/// struct Mailbox<S>(Sender<Outside<S>>);
///
/// impl<S> Port<S> for Mailbox<S> {
///     fn post(&self, work: Outside<S>) -> Result<(), NotTaken> {
///         self.0.send(work).map_err(|_| NotTaken::Closed)
///         // And wake the loop.
///     }
/// }
///
/// let (sender, mail) = channel();
/// let io = Handle::new(Mailbox(sender));
/// let mut node = Node::new(Config::default(), App::with_state(0), [7; 32], Instant::ZERO, 0)?;
/// std::thread::spawn(move || io.run(|root| *root.state += 1)).join().unwrap().unwrap();
///
/// // In the loop, between input and deadlines:
/// while let Ok(work) = mail.try_recv() {
///     node.outside(Instant::ZERO, work);
/// }
/// assert_eq!(node.state(), &1);
/// # Ok::<(), parlor::ConfigError>(())
/// ```
pub trait Port<S>: Send + Sync {
    /// Takes work without blocking. Only [jobs](Outside::is_job) may find it full, at
    /// [`Limits::outside_max`](crate::Limits::outside_max): the rest has a place kept since its
    /// token was made, and of these there are no more than pending decisions and asks.
    ///
    /// # Errors
    ///
    /// If it is full, or whoever takes the work out has gone.
    fn post(&self, work: Outside<S>) -> Result<(), NotTaken>;
}

/// Work from outside, as a value: an input like any other, recorded and replayed in its order.
pub enum Outside<S = ()> {
    /// The answer to an event of a client, or why it could not be written.
    Answer(AckToken, Result<Payload, String>),
    /// The decision on a connect.
    Decide(ConnectToken, Verdict),
    /// The decision on a handshake.
    DecideHandshake(HandshakeToken, HandshakeVerdict),
    /// The answer to a request.
    Respond(RequestToken, Response),
    /// A closure, and the place in the source that it came from.
    Run(&'static Location<'static>, Job<S>),
    /// An emit to one socket, or why it could not be written.
    Emit(SocketId, Box<str>, Result<Payload, String>),
    /// The end of one socket.
    Disconnect(SocketId),
    /// The end of the server.
    Close,
}

/// A closure from outside.
type Job<S> = Box<dyn FnOnce(&mut Root<'_, S>) + Send>;

impl<S> Outside<S> {
    /// Whether it is bounded by `outside_max`. What uses up a token is not.
    pub fn is_job(&self) -> bool {
        match self {
            Self::Run(..) | Self::Emit(..) | Self::Disconnect(_) | Self::Close => true,
            Self::Answer(..) | Self::Decide(..) => false,
            Self::DecideHandshake(..) | Self::Respond(..) => false,
        }
    }
}

impl<S> fmt::Debug for Outside<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(token, args) => f.debug_tuple("Answer").field(token).field(args).finish(),
            Self::Decide(token, say) => f.debug_tuple("Decide").field(token).field(say).finish(),
            Self::DecideHandshake(token, verdict) => {
                f.debug_tuple("DecideHandshake").field(token).field(verdict).finish()
            }
            Self::Respond(token, response) => {
                f.debug_tuple("Respond").field(token).field(response).finish()
            }
            Self::Run(place, _) => f.debug_tuple("Run").field(place).finish_non_exhaustive(),
            Self::Emit(to, event, args) => {
                f.debug_tuple("Emit").field(to).field(event).field(args).finish()
            }
            Self::Disconnect(socket) => f.debug_tuple("Disconnect").field(socket).finish(),
            Self::Close => f.write_str("Close"),
        }
    }
}

/// The server is closed; nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server is closed")
    }
}

impl core::error::Error for Closed {}

/// Why work was not taken; nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// `outside_max` jobs wait already.
    Full,
    /// The server is closed.
    Closed,
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "`outside_max` jobs wait for their turn already",
            Self::Closed => "the server is closed",
        })
    }
}

impl core::error::Error for NotTaken {}
