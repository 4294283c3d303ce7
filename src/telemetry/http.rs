//! Metrics of the admin API.

use prometheus_client::registry::Registry;

/// Counted by the admin API.
#[derive(Debug, Default)]
pub struct HttpMetrics {}

impl HttpMetrics {
    pub(super) fn register(_registry: &mut Registry) -> Self {
        Self::default()
    }
}
