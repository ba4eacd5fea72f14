//! What handlers may return.

use alloc::string::String;

use crate::app::args::{ToArgs, encode};
use crate::{Fanout, Payload, SendStatus, TimerId};

/// An answer to a client's ask; encoded at once, so it may be made of borrowed things.
#[must_use = "an answer is sent by returning it from the handler"]
#[derive(Debug)]
pub struct Reply(pub(super) Result<Payload, String>);

/// An answer, to be returned from the handler. It is dropped quietly, and counted, if the client
/// did not ask, or if the right to answer was taken by [`Cx::ack`](crate::Cx::ack).
pub fn reply(args: impl ToArgs) -> Reply {
    Reply(encode(&args))
}

/// What an event's handler may return: nothing, a reply, or what a command said, which is not sent.
#[diagnostic::on_unimplemented(
    message = "an event handler cannot return `{Self}`",
    label = "this event's handler returns `{Self}`",
    note = "answer the client with `reply(value)` (it is dropped quietly if the client did not \
            ask), or end with `;` to answer nothing",
    note = "a `Result` has no wire form of its own: `match` it and say what the client \
            hears, e.g. `Err(e) => reply(e.to_string())`",
    note = "to answer later, take `cx.ack()` and return nothing"
)]
pub trait IntoReply {
    #[doc(hidden)]
    fn into_reply(self) -> Option<Reply>;
}

impl IntoReply for Reply {
    fn into_reply(self) -> Option<Reply> {
        Some(self)
    }
}

impl IntoReply for Option<Reply> {
    fn into_reply(self) -> Option<Reply> {
        self
    }
}

/// What the closures of everything else may return: nothing, or what a command said.
#[diagnostic::on_unimplemented(
    message = "this closure must return nothing, not `{Self}`",
    label = "its closure returns `{Self}`",
    note = "end it with `;`. Nobody asked, so there is no one to `reply` to"
)]
pub trait Quiet {}

// Written out: behind a blanket impl rustc would name `Quiet` instead of our message.
macro_rules! quiet {
    ($($(#[$attr:meta])* $type:ty)*) => { $(
        $(#[$attr])*
        impl Quiet for $type {}

        $(#[$attr])*
        impl IntoReply for $type {
            fn into_reply(self) -> Option<Reply> {
                None
            }
        }
    )* };
}

quiet! { () SendStatus Fanout TimerId }

/// The type of `todo!()` and `panic!()`, which stable Rust lets nobody write down: a handler may
/// be unfinished.
type Never = <fn() -> ! as Returns>::Type;

#[doc(hidden)]
pub trait Returns {
    type Type;
}

impl<R> Returns for fn() -> R {
    type Type = R;
}

#[diagnostic::do_not_recommend]
impl Quiet for Never {}

#[diagnostic::do_not_recommend]
impl IntoReply for Never {
    fn into_reply(self) -> Option<Reply> {
        self
    }
}
