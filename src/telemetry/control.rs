//! Metrics of deciding: how often verdicts change, and how long a failover takes - what this program is for.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::model::Health;

/// From a swap at once to a check with long intervals, in seconds.
const SECONDS: [f64; 11] = [0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 180.0];

/// Counted by the control loop and the reload desk.
#[derive(Debug)]
pub struct ControlMetrics {
    verdicts: Family<To, Counter>,
    failover: Family<Stage, Histogram, fn() -> Histogram>,
    reloads: Family<Result, Counter>,
    direct: Family<Result, Counter>,
    reached: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct To {
    to: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Stage {
    stage: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Result {
    result: &'static str,
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

impl ControlMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            verdicts: Family::default(),
            failover: Family::new_with_constructor(seconds),
            reloads: Family::default(),
            direct: Family::default(),
            reached: Gauge::default(),
        };
        registry.register(
            "verdict_changes",
            "Verdicts in force that changed, by what they became",
            metrics.verdicts.clone(),
        );
        registry.register_with_unit(
            "failover_duration",
            "From the first failed probe to the verdict (detect), and from the verdict to the swapped answers (apply)",
            Unit::Seconds,
            metrics.failover.clone(),
        );
        registry.register("config_reloads", "Reloads, by what came of them", metrics.reloads.clone());
        registry.register(
            "direct_questions",
            "Questions to other nodes for their ballots while the store carries none, by what came of them",
            metrics.direct.clone(),
        );
        registry.register(
            "direct_peers",
            "Other nodes that answer such questions now; 0 while none are asked",
            metrics.reached.clone(),
        );
        metrics
    }

    /// A verdict changed; `took` is the time since the first failed probe, where it went down.
    pub fn verdict(&self, to: Health, took: Option<Duration>) {
        self.verdicts.get_or_create(&To { to: to.word() }).inc();
        if let Some(took) = took {
            self.failover.get_or_create(&Stage { stage: "detect" }).observe(took.as_secs_f64());
        }
    }

    /// Decided answers are served.
    pub fn applied(&self, took: Duration) {
        self.failover.get_or_create(&Stage { stage: "apply" }).observe(took.as_secs_f64());
    }

    /// Another node was asked directly, and its ballot was had or not.
    pub fn asked_directly(&self, heard: bool) {
        let result = if heard { "heard" } else { "unheard" };
        self.direct.get_or_create(&Result { result }).inc();
    }

    /// So many others answer directly.
    pub fn peers_reached(&self, count: usize) {
        self.reached.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A reload took place, or was refused.
    pub fn reload(&self, accepted: bool) {
        let result = if accepted { "accepted" } else { "refused" };
        self.reloads.get_or_create(&Result { result }).inc();
    }
}
