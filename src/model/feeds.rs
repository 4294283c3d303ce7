//! What a node knows beside health: loads of endpoints, how fast they answer from where, addresses of targets.
//!
//! Lossy by nature: an absent value only means that the choice falls back to weights, to distance, or to the next member.

use std::{
    collections::{BTreeMap, HashMap},
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
