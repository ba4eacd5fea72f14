//! The user's side: their program, their clients' scripts and what they demand, in the same worlds
//! that Parlor itself is tested in.
//!
//! | file         | holds                                                       |
//! |--------------|-------------------------------------------------------------|
//! | `check.rs`   | [`check`]: seeds in, a screen out                           |
//! | `sim.rs`     | [`Sim`]: what a scenario says of a world before it begins    |
//! | `client.rs`  | [`Client`]: what kind of clients there are                   |
//! | `script.rs`  | [`Actor`] and [`Random`]: what they do                       |
//! | `mind.rs`    | the script at work, as a client's mind                       |
//! | `diary.rs`   | what one client said and heard                               |
//! | `view.rs`    | [`World`] and [`Guest`]: what a demand sees                  |
//! | `pair.rs`    | [`Pair`]: one server and one client, for unit tests          |
//! | `demand.rs`  | `always`, `sometimes` and `after_heal`, judged               |

mod check;
mod client;
mod demand;
mod diary;
mod faults;
mod mind;
mod pair;
mod script;
mod sim;
mod view;

pub use check::{check, check_choices};
pub use client::Client;
pub(crate) use demand::Demands;
pub use demand::{Demanded, Holds};
pub use faults::Faults;
pub(crate) use mind::Scripted;
pub use pair::Pair;
pub use script::{Actor, Random};
pub use sim::Sim;
pub use view::{Guest, World};

/// So many milliseconds.
///
/// ```
/// assert_eq!(parlor_sim::ms(1500), std::time::Duration::from_micros(1_500_000));
/// ```
pub const fn ms(count: u64) -> std::time::Duration {
    std::time::Duration::from_millis(count)
}

/// So many seconds.
///
/// ```
/// assert_eq!(parlor_sim::secs(2), parlor_sim::ms(2000));
/// ```
pub const fn secs(count: u64) -> std::time::Duration {
    std::time::Duration::from_secs(count)
}
