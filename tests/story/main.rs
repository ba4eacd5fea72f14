//! Protocol transcripts of the core: what goes in, what comes out, in which turn and when, line by
//! line, in `snapshots/`. Each test names the rule that its transcript shows, and asserts the
//! decisive fact itself, so that accepting a snapshot cannot accept a bug.

mod transcript;
mod transcripts_acks;
mod transcripts_binary;
mod transcripts_close;
mod transcripts_connect;
mod transcripts_handshake;
mod transcripts_pipelining;
mod transcripts_upgrade;
mod transcripts_volatile;
mod transcripts_volatile_websocket;
mod wire;
mod world;
