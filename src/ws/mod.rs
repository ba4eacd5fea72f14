//! WebSocket, server side (RFC 6455): bytes in, messages out, and the bytes around what goes out.
//!
//! [`Reader`] reads frames where they lie and copies only what arrives in pieces. Nothing here
//! queues, answers or closes: a ping, a close frame or a fault is told to the caller, who does.
//! No extension is ever negotiated, so messages arrive as they were sent.

mod close;
mod handshake;
mod header;
mod reader;

pub(crate) use close::close_frame;
pub(crate) use handshake::{Refusal, VERSIONS, check};
pub(crate) use header::{HEADER_BYTES_MAX, Opcode, header_bytes, write_header};
pub(crate) use reader::{Data, Fault, Kind, Limits, Read, Reader};
