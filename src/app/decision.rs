//! Decisions that the core leaves to the application: who may open a session, who may join a
//! namespace, what other requests get, and which events go on to their handlers.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Deref;

use serde::Serialize;

use crate::app::args::encode;
use crate::{Admission, Bytes, PendingHandshake, PendingRequest, RequestHead, Response, SocketId};

/// What becomes of a client that wants to join a namespace, or of a handshake.
#[must_use = "a verdict acts by being returned, or by `decide`"]
#[derive(Clone, Debug)]
pub struct Verdict(pub(super) Say);

#[derive(Clone, Debug)]
pub(super) enum Say {
    Admit,
    Refuse { message: String, data: Option<Box<str>> },
    Later,
}

/// Lets a client in: on to the next [`authorize`](crate::Namespace::authorize), or past the last.
pub fn admit() -> Verdict {
    Verdict(Say::Admit)
}

/// Turns a client away, which hears the message (`err.message` in JavaScript).
///
/// ```
/// use parlor::{App, admit, refuse};
///
/// let mut app = App::new();
/// app.of("/admin").authorize(|cx, token: Option<String>| match token.as_deref() {
///     Some("secret") => admit(),
///     Some(_) => refuse("not authorized").with(401),
///     None => refuse(format!("who are you, {:?}?", cx.address())),
/// });
/// ```
pub fn refuse(message: impl Into<String>) -> Verdict {
    Verdict(Say::Refuse { message: message.into(), data: None })
}

impl Verdict {
    /// With data for the client, as `err.data` of the reference. Left out if it cannot be written,
    /// or holds bytes, which a refusal cannot carry. A handshake's refusal has none.
    pub fn with(mut self, value: impl Serialize) -> Self {
        if let Say::Refuse { data, .. } = &mut self.0 {
            let written = encode(&(&value,)).ok().filter(|args| args.attachments().is_empty());
            *data = written.and_then(|args| args.argument(0).map(Into::into));
        }
        self
    }
}

/// The right to decide one connect, once. It comes back by
/// [`Handle::decide`](crate::Handle::decide) or [`Io::decide`](crate::Io::decide); dropped,
/// `decision_timeout` acts.
#[must_use = "decide with it, or `decision_timeout` acts"]
#[derive(Debug)]
pub struct ConnectToken {
    pub(super) socket: SocketId,
    pub(super) stage: u32,
}

impl ConnectToken {
    /// Who it will be.
    pub fn socket(&self) -> SocketId {
        self.socket
    }
}

/// What becomes of an incoming event.
#[must_use = "it acts by being returned"]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// On to the next `before`, and then to the handlers.
    GoOn,
    /// No further.
    Stop,
}

/// From [`before`](crate::Namespace::before): on to the next, and then to the handlers.
pub fn go_on() -> Pass {
    Pass::GoOn
}

/// From [`before`](crate::Namespace::before): no handler runs, and a client that waits for an
/// answer hears none.
pub fn stop() -> Pass {
    Pass::Stop
}

/// A client that asks for a session: the head of its request, by deref.
#[derive(Debug)]
pub struct Handshake(pub(super) PendingHandshake);

impl Handshake {
    /// To decide later. Return the verdict; keep the token.
    pub fn later(&self) -> (HandshakeToken, HandshakeVerdict) {
        let PendingHandshake { key, serial, ref head } = self.0;
        let twin = PendingHandshake { key, serial, head: head.clone() };
        (HandshakeToken(twin), HandshakeVerdict(SayHandshake::Later))
    }
}

impl Deref for Handshake {
    type Target = RequestHead;

    fn deref(&self) -> &RequestHead {
        &self.0.head
    }
}

/// What becomes of a handshake: [`admit`], [`refuse`], or an [`Admission`] with headers.
#[must_use = "a verdict acts by being returned, or by `decide_handshake`"]
#[derive(Clone, Debug)]
pub struct HandshakeVerdict(pub(super) SayHandshake);

#[derive(Clone, Debug)]
pub(super) enum SayHandshake {
    Admit(Admission),
    Refuse(String),
    Later,
}

impl From<Verdict> for HandshakeVerdict {
    fn from(verdict: Verdict) -> Self {
        Self(match verdict.0 {
            Say::Admit => SayHandshake::Admit(Admission::default()),
            Say::Refuse { message, .. } => SayHandshake::Refuse(message),
            Say::Later => SayHandshake::Later,
        })
    }
}

impl From<Admission> for HandshakeVerdict {
    fn from(admission: Admission) -> Self {
        Self(SayHandshake::Admit(admission))
    }
}

/// The right to decide one handshake, once; dropped, `decision_timeout` acts.
#[must_use = "decide with it, or `decision_timeout` acts"]
#[derive(Debug)]
pub struct HandshakeToken(pub(super) PendingHandshake);

/// A request that is not Engine.IO's: its head, by deref.
#[derive(Debug)]
pub struct Request(pub(super) PendingRequest);

impl Request {
    /// Its body; at most `max_payload` bytes.
    pub fn body(&self) -> &Bytes {
        &self.0.body
    }

    /// To answer later. Return the verdict; keep the token.
    pub fn later(&self) -> (RequestToken, RequestVerdict) {
        let PendingRequest { conn, serial, ref head, ref body } = self.0;
        let twin = PendingRequest { conn, serial, head: head.clone(), body: body.clone() };
        (RequestToken(twin), RequestVerdict(None))
    }
}

impl Deref for Request {
    type Target = RequestHead;

    fn deref(&self) -> &RequestHead {
        &self.0.head
    }
}

/// What becomes of a request: a [`Response`], or `None` for 404.
#[must_use = "a verdict acts by being returned"]
#[derive(Clone, Debug)]
pub struct RequestVerdict(pub(super) Option<Response>);

impl From<Response> for RequestVerdict {
    fn from(response: Response) -> Self {
        Self(Some(response))
    }
}

impl From<Option<Response>> for RequestVerdict {
    fn from(response: Option<Response>) -> Self {
        let not_found = || Response { status: 404, headers: Vec::new(), body: Bytes::default() };
        Self(Some(response.unwrap_or_else(not_found)))
    }
}

/// The right to answer one request, once; dropped, it is answered 404 when `decision_timeout` is
/// over.
#[must_use = "respond with it, or `decision_timeout` acts"]
#[derive(Debug)]
pub struct RequestToken(pub(super) PendingRequest);
