//! Parlor: a Socket.IO server as one pure state machine.
#![no_std]
#![forbid(unsafe_code)]
