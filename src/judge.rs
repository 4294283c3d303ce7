//! From results to verdicts: standing, quorum, orders, brakes. Pure: values in, values out.

pub mod brakes;
pub mod orders;
#[cfg(test)]
pub(crate) mod sample;

pub use self::{brakes::Strength, orders::Orders};
