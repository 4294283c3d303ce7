//! From results to verdicts: standing, quorum, orders, brakes. Pure: values in, values out.

pub mod alone;
pub mod availability;
pub mod brakes;
pub mod budget;
pub mod capacity;
pub mod flap;
pub mod freeze;
pub mod incident;
pub mod orders;
pub mod outage;
pub mod quorum;
pub mod returning;
pub mod safety;
#[cfg(test)]
pub(crate) mod sample;
pub mod standing;
pub mod suspect;
pub mod vantages;

pub use self::{brakes::Strength, orders::Orders, standing::Standing};
