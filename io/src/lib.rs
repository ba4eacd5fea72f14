//! The mio driver of Parlor.
