//! Logs and metrics. A leaf: each room counts into its own family here, the admin API reads the registry.
//!
//! Names: `wayshift_<noun>_<unit|total>`. Labels only from sets that the configuration bounds, never a client or a
//! queried name.

pub mod control;
pub mod dns;
pub mod geo;
pub mod http;
pub mod log;
pub mod probe;
mod process;

use std::sync::Arc;

use prometheus_client::registry::Registry;

/// Every metric of the program; rooms get their part.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Of deciding.
    pub control: Arc<control::ControlMetrics>,
    /// Of the DNS doors.
    pub dns: Arc<dns::DnsMetrics>,
    /// Of where clients are.
    pub geo: Arc<geo::GeoMetrics>,
    /// Of the probes.
    pub probe: Arc<probe::ProbeMetrics>,
    /// Of the admin API.
    pub http: Arc<http::HttpMetrics>,
}

impl Metrics {
    /// All metrics at zero, and the registry that shows them.
    #[must_use]
    pub fn new() -> (Self, Registry) {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(process::Process));
        let own = registry.sub_registry_with_prefix("wayshift");
        let metrics = Self {
            control: Arc::new(control::ControlMetrics::register(own)),
            dns: dns::DnsMetrics::register(own),
            geo: Arc::new(geo::GeoMetrics::register(own)),
            probe: Arc::new(probe::ProbeMetrics::register(own)),
            http: Arc::new(http::HttpMetrics::register(own)),
        };
        (metrics, registry)
    }
}
