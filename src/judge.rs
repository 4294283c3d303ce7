//! From results to verdicts: standing, quorum, orders, brakes. Pure: values in, values out.

pub mod orders;

pub use self::orders::Orders;
