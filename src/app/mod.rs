//! Handlers: a thin router over [`Server`](crate::Server). [`App`] is the program, [`Node`] puts it
//! beside a server, and [`Cx`] is what a handler holds.

mod args;
mod ask;
mod audience;
mod command;
mod cx;
mod decision;
mod desk;
mod engine;
mod handle;
mod json;
mod node;
mod observer;
mod program;
mod read;
mod reply;
#[cfg(test)]
mod tests;
mod turn;

pub use args::{Arg, BadArgs, FromArgs, ToArgs};
pub use ask::Ask;
pub use audience::{Audience, IntoRooms};
pub use cx::{Cx, Io, Root, SocketHandle};
pub use decision::{
    ConnectToken, Handshake, HandshakeToken, HandshakeVerdict, Pass, Request, RequestToken,
    RequestVerdict, Verdict, admit, go_on, refuse, stop,
};
pub use engine::{Engine, EngineCx, SessionHandle};
pub use handle::{Closed, Handle, NotTaken, Outside, Port};
pub use node::{Culprit, Node};
pub use observer::{Command, Handler, NodeInput, Observer, Outcome};
pub use program::{App, Namespace};
pub use reply::{IntoReply, Quiet, Reply, reply};
