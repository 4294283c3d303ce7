//! Metrics of where clients are.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// Counted by whoever reads the databases.
#[derive(Debug, Default)]
pub struct GeoMetrics {
    stale: Gauge,
    reads: Family<Labels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    result: &'static str,
}

impl GeoMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "geo_stale",
            "1 while something older than the files of [geo] says where clients are",
            metrics.stale.clone(),
        );
        registry.register("geo_reads", "Files of [geo] that were read, or were broken", metrics.reads.clone());
        metrics
    }

    /// Whether something older than the files serves.
    pub fn stale(&self, stale: bool) {
        self.stale.set(stale.into());
    }

    /// A file was read and serves, or was broken.
    pub fn read(&self, serves: bool) {
        let result = if serves { "ok" } else { "broken" };
        self.reads.get_or_create(&Labels { result }).inc();
    }
}
