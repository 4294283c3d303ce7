//! Probes: what this node asks endpoints, when, and what it saw.
//!
//! The runner keeps one list of due times and starts what is due; a probe ends in an [`Observation`] that goes to the
//! control loop. It judges nothing: an inverted check, thresholds and votes are the judge's.

mod agenda;
mod anchors;
mod asks;
mod cert;
mod expect;
mod fault;
mod http;
mod job;
mod loads;
mod names;
mod peers;
mod runner;
mod schedule;
mod tcp;
#[cfg(test)]
mod testing;
mod tls;
mod tls_words;
mod trace;
mod web;

use tokio::sync::oneshot;

pub use self::{
    anchors::{Anchors, Asked},
    loads::{Loads, Reading},
    names::{ADDRESSES_MAX, Directory, Found, Lookup, NAMES_MAX, Names, Part, System},
    peers::{PeerError, Peers},
    runner::Runner,
};
use crate::model::{EndpointId, NodeId, Observation};

/// Most probes in flight at once. At the limit due probes wait for a free place, oldest first, and the wait shows as
/// schedule lag. 512 sockets stay under the usual soft limit of 1,024 file descriptors.
pub const IN_FLIGHT_MAX: usize = 512;

/// How this node probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Who probes: phases differ between nodes, so that they do not ask an endpoint at one instant.
    pub node: NodeId,
    /// Probes in flight at most; at least 1.
    pub in_flight_max: usize,
    /// What HTTP probes call themselves; names the node, so that a log of an endpoint tells who asks.
    pub user_agent: String,
}

impl Settings {
    /// The defaults of a node.
    #[must_use]
    pub fn new(node: NodeId) -> Self {
        let user_agent = format!("wayshift/{} (probe from {node})", env!("CARGO_PKG_VERSION"));
        Self { node, in_flight_max: IN_FLIGHT_MAX, user_agent }
    }
}

/// A wish to probe all addresses of an endpoint under all its checks at once, beside the schedule.
#[derive(Debug)]
pub struct ProbeNow {
    /// Which.
    pub endpoint: EndpointId,
    /// Gets one result for each target; none for an endpoint that is unknown or has no check. Dropped unanswered
    /// when the node stops or too many such wishes wait already.
    pub reply: oneshot::Sender<Vec<Observation>>,
}
