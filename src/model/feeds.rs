//! What a node knows beside health: loads of endpoints, how fast they answer from where, addresses of targets.
//!
//! Lossy by nature: an absent value only means that the choice falls back to weights, to distance, or to the next member.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    net::IpAddr,
    sync::Arc,
};

use super::{DnsName, EndpointId, Mono, Override, RegionId};

/// All of it, whole, replaced whole. Values are kept until another differs from them noticeably, so that near-equal
/// ones do not alternate and a table is not compiled for noise.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Feeds {
    /// Fresh loads; one that is missing is not known, or not any more.
    pub loads: HashMap<EndpointId, Load>,
    /// By the region of the vantage: how long a probe of each endpoint takes from there until the first byte (or the
    /// connection) stands, smoothed, in microseconds.
    pub paths: BTreeMap<RegionId, HashMap<EndpointId, u32>>,
    /// Addresses of the targets of endpoints; one without an entry has not been resolved yet.
    pub resolved: HashMap<DnsName, Resolved>,
}

/// How busy an endpoint is, in the unit of its `capacity` (connections, say).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load(pub f64);

/// For people: six significant digits at most, because a pushed load may be any number and 1e300 has 301 digits.
impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let near: f64 = format!("{:.5e}", self.0).parse().unwrap_or(self.0);
        if near == 0.0 || (1e-4..1e9).contains(&near.abs()) { write!(f, "{near}") } else { write!(f, "{near:e}") }
    }
}

/// Addresses of a target, in order, bounded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resolved {
    /// IPv4 and IPv6, sorted.
    pub addresses: Arc<[IpAddr]>,
    /// The smallest TTL in seconds that came with them.
    pub ttl: u32,
}

/// An override of the availability lane that took something out and ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub order: Override,
    /// When.
    pub at: Mono,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_is_written_with_six_digits_at_most() {
        for (load, expected) in [
            (0.0, "0"),
            (3.5, "3.5"),
            (40.0, "40"),
            (0.1 + 0.2, "0.3"),
            (1.0 / 3.0, "0.333333"),
            (12_345.678, "12345.7"),
            (1_234_567.0, "1234570"),
            (999_999_999.9, "1e9"),
            (0.000_012_345_678, "1.23457e-5"),
            (f64::MIN_POSITIVE, "2.22507e-308"),
            (f64::MAX, "1.79769e308"),
        ] {
            assert_eq!(Load(load).to_string(), expected);
        }
    }
}
