//! The seeded simulator of Parlor: whole worlds of clients, networks and faults around a real
//! [`parlor::Node`], in virtual time, checked by oracles that know what must happen.

mod audit;
pub mod choice;
mod client;
#[doc(hidden)]
pub mod command;
mod exhaustive;
mod explain;
mod fault;
mod hub;
mod marks;
mod meta;
#[doc(hidden)]
pub mod mutants;
pub mod net;
mod oracle;
mod outside;
mod profile;
mod proxy;
mod server;
mod shadow;
mod shrink;
mod sweep;
pub mod trace;
mod user;
pub mod viewer;
mod watch;
mod workload;
mod world;

pub use client::Kind;
pub use oracle::{Failure, Property, Verdict, Verdicts};
pub use parlor_sim_macros::test;
pub use profile::Preset;
pub use trace::Trace;
pub use user::{
    Actor, Client, Demanded, Faults, Guest, Holds, Pair, Random, Sim, World, check, check_choices,
    ms, secs,
};
pub use world::{Run, repeat, run};
