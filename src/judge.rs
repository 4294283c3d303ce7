//! From results to verdicts: standing, quorum, orders, brakes. Pure: values in, values out.

pub mod brakes;
pub mod flap;
pub mod orders;
pub mod quorum;
pub mod returning;
pub mod safety;
#[cfg(test)]
pub(crate) mod sample;
pub mod standing;

pub use self::{brakes::Strength, orders::Orders, standing::Standing};
