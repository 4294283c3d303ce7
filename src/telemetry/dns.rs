//! Metrics of the DNS doors.

use prometheus_client::registry::Registry;

/// Counted by the DNS doors.
#[derive(Debug, Default)]
pub struct DnsMetrics {}

impl DnsMetrics {
    pub(super) fn register(_registry: &mut Registry) -> Self {
        Self::default()
    }
}
