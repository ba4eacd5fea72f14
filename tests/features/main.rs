//! One test for each feature of a Socket.IO server that no other test has for its own, by the
//! numbers and sections of `tests/FEATURES.md`: over TCP where the wire is the matter, in memory
//! where the instant is.

#[path = "../common/mod.rs"]
mod common;
mod differences;
mod http;
mod lab;
mod net;
mod robustness;
mod rooms;
mod session;
mod sockets;
mod table;
mod upgrade;
mod volatile;
