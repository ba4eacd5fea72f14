//! What the simulator runs when it tests Parlor itself: a program with a bit of everything, and
//! clients that use all of it.

mod app;
mod visitor;

pub(crate) use app::{Variant, WORD, WORDED, apart, workload, workload_as, workload_with};
pub(crate) use visitor::Visitor;
