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
//! Everything runs in one thread: connections, handlers, timers. Other threads and tasks reach it
//! through the [`Handle`](parlor::Handle) that a program is given, and stop it by a [`Stopper`].
//! A handler that panics costs the client it ran for its socket; more panics in a minute than
//! [`Options::panics_max`] end the server in order.
//!
//! ```
//! use parlor::{App, Config, Cors};
//! use parlor_io::{Driver, Options};
//!
//! let config = Config { cors: Some(Cors::default()), ..Config::default() };
//! let driver = Driver::bind("127.0.0.1:0", Options { config, ..Options::default() })?;
//! let stopper = driver.stopper();
//! # stopper.stop();
//! // From another thread: `stopper.stop()`.
//! let report = driver.run(|_io| App::new())?;
//! println!("{} connections came", report.stats.connections_accepted);
//! # Ok::<(), std::io::Error>(())
//! ```
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
