//! The mio driver of Parlor: TCP connections, the clock, the seed and signals for a
//! [`parlor::Node`], which is everything else.
//!
//! ```no_run
//! use parlor::{App, reply};
//!
//! fn main() -> std::io::Result<()> {
//!     parlor_io::serve("127.0.0.1:3000", |_io| {
//!         let mut app = App::new();
//!         app.of("/")
//!             .on_connect(|cx| cx.join("lobby"))
//!             .on("say", |cx, text: String| {
//!                 cx.to("lobby").emit("said", (cx.id(), text));
//!                 reply("sent")
//!             })
//!             .on("typing", |cx, ()| cx.to("lobby").volatile().emit("typing", cx.id()));
//!         app
//!     })
//! }
//! ```
//!
//! [`serve`] is for a program that is a server: it owns the process's signals and its limit of open
//! files. [`Driver`] is for everyone else: it touches neither unless [`Options`] ask for it, and
//! runs in the caller's thread ([`Driver::run`]) or in one of its own ([`Driver::spawn`]).
//!
//! What happens is told through the `log` crate; nothing is printed. Unix only.
#![forbid(unsafe_code)]

mod accept;
mod clock;
mod conn;
mod contain;
mod driver;
mod error;
mod outside;
mod signals;
mod turn;

pub use driver::{Driver, Options, Report, Running, Stopper, raise_open_files, serve};

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
