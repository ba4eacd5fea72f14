//! The official protocol suites, case by case, and every refusal, over TCP against the driver.
//!
//! `PARLOR_CONFORMANCE_ENGINE`, `PARLOR_CONFORMANCE_SOCKETIO` and `PARLOR_CONFORMANCE_CALM`
//! (`host:port`) turn the cases on another server: they hold for the reference too, so a case that
//! fails there is wrong. The refusals are Parlor's own where it answers better than the reference.

#[path = "../common/mod.rs"]
mod common;
mod engine;
mod refusals;
mod server;
mod session;
mod socketio;
