//! Pages to read: what the types do not say.

#[doc = include_str!("differences.md")]
pub mod differences {}
