//! The core as a whole, in memory: its contract under arbitrary inputs, each of its limits, and its
//! sense of time. No socket, no clock: [`world`] is the driver, and it checks at every step.

mod answers;
mod chunking;
mod contract;
mod endings;
mod limits;
mod machine;
mod speech;
mod timeouts;
mod timing;
mod world;
