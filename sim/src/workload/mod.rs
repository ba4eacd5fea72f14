//! What the simulator runs when it tests Parlor itself: a program with a bit of everything, and
//! clients that use all of it.

mod app;
mod guise;
mod visitor;

pub(crate) use app::{LATE, Variant, WORD, WORDED, apart, workload, workload_as, workload_with};
pub(crate) use guise::Guise;
pub(crate) use visitor::Visitor;
