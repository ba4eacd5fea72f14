//! Parlor: a Socket.IO server as one pure state machine.
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
pub use requests::Response;
pub use server::{Admission, Flags, Recipients, Server, Transport};
pub use stats::Stats;
pub use time::Instant;
