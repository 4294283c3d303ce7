//! Metrics of the probes.
//!
//! Series are bounded by the configuration: endpoint and check are ids of it, results and reasons come from short
//! lists. The durations, a dozen series for each endpoint, are told apart for the first [`DURATION_ENDPOINTS_MAX`]
//! endpoints only.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Mutex, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::model::{EndpointId, Observation, Outcome, SubjectId};

/// So many endpoints have durations of their own; those of further ones are summed as `endpoint="other"`.
pub const DURATION_ENDPOINTS_MAX: usize = 1_000;

const OTHER: &str = "other";
/// From a neighbour's answer to the longest timeout anyone sets.
const SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0];

/// Counted by the probes.
#[derive(Debug)]
pub struct ProbeMetrics {
    results: Family<ResultLabels, Counter>,
    duration: Family<EndpointLabels, Histogram, fn() -> Histogram>,
    phase: Family<PhaseLabels, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    lag: Histogram,
    last_success: Family<SubjectLabels, Gauge<f64, AtomicU64>>,
    cert_expiry: Family<EndpointLabels, Gauge<f64, AtomicU64>>,
    loads: Family<LoadLabels, Counter>,
    seen: Mutex<Seen>,
}

/// Which series exist, so that they can go away.
#[derive(Debug, Default)]
struct Seen {
    results: HashSet<ResultLabels>,
    durations: HashSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabels {
    endpoint: String,
    check: String,
    result: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SubjectLabels {
    endpoint: String,
    check: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EndpointLabels {
    endpoint: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabels {
    phase: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LoadLabels {
    result: &'static str,
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

impl Default for ProbeMetrics {
    fn default() -> Self {
        Self {
            results: Family::default(),
            duration: Family::new_with_constructor(seconds),
            phase: Family::new_with_constructor(seconds),
            in_flight: Gauge::default(),
            lag: seconds(),
            last_success: Family::default(),
            cert_expiry: Family::default(),
            loads: Family::default(),
            seen: Mutex::default(),
        }
    }
}

impl ProbeMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register("probe_results", "Probes that ended, by what they saw", metrics.results.clone());
        registry.register_with_unit(
            "probe_duration",
            "How long probes took, by endpoint",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register_with_unit(
            "probe_phase",
            "How long the parts of probes took",
            Unit::Seconds,
            metrics.phase.clone(),
        );
        registry.register("probes_in_flight", "Probes that run now", metrics.in_flight.clone());
        registry.register_with_unit(
            "probe_schedule_lag",
            "How late probes started",
            Unit::Seconds,
            metrics.lag.clone(),
        );
        registry.register_with_unit(
            "probe_last_success_timestamp",
            "When a probe last passed, as Unix time",
            Unit::Seconds,
            metrics.last_success.clone(),
        );
        registry.register_with_unit(
            "probe_cert_expiry_timestamp",
            "When the certificate last shown ends, as Unix time",
            Unit::Seconds,
            metrics.cert_expiry.clone(),
        );
        registry.register(
            "load_readings",
            "Loads of endpoints that were read, or could not be, by what came of it",
            metrics.loads.clone(),
        );
        metrics
    }

    /// A load was read (`ok`), or could not be, for this reason.
    pub fn load_read(&self, result: &'static str) {
        self.loads.get_or_create(&LoadLabels { result }).inc();
    }

    /// How often this came of reading a load.
    #[cfg(test)]
    pub(crate) fn loads_read(&self, result: &'static str) -> u64 {
        self.loads.get_or_create(&LoadLabels { result }).get()
    }

    /// A probe ended.
    pub fn observed(&self, observation: &Observation) {
        let endpoint = observation.target.subject.endpoint.as_str();
        let check = observation.target.subject.check.as_str();
        let (result, reason) = words(&observation.outcome);
        let labels = ResultLabels { endpoint: endpoint.into(), check: check.into(), result, reason };
        self.results.get_or_create(&labels).inc();
        let wall = seconds_of(observation.at.wall.0);
        if result == "pass" {
            self.last_success
                .get_or_create(&SubjectLabels { endpoint: endpoint.into(), check: check.into() })
                .set(wall);
        }
        if let Some(left) = observation.cert_left {
            self.cert_expiry
                .get_or_create(&EndpointLabels { endpoint: endpoint.into() })
                .set(wall + left.as_secs_f64());
        }
        let own = self.note(labels);
        let endpoint = if own { endpoint } else { OTHER }.into();
        let phases = observation.phases;
        self.duration.get_or_create(&EndpointLabels { endpoint }).observe(phases.total.as_secs_f64());
        for (phase, took) in [("connect", phases.connect), ("tls", phases.tls), ("first_byte", phases.first_byte)] {
            if let Some(took) = took {
                self.phase.get_or_create(&PhaseLabels { phase }).observe(took.as_secs_f64());
            }
        }
    }

    /// A probe started this much behind its time, or its time passed while the one before still ran.
    pub fn lagged(&self, lag: Duration) {
        self.lag.observe(lag.as_secs_f64());
    }

    /// So many probes run now.
    pub fn in_flight(&self, count: usize) {
        self.in_flight.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// These subjects are not probed any more: their series go away.
    pub fn forget(&self, subjects: &BTreeSet<SubjectId>) {
        if subjects.is_empty() {
            return;
        }
        let gone = |labels: &ResultLabels| {
            subjects.iter().any(|id| id.endpoint.as_str() == labels.endpoint && id.check.as_str() == labels.check)
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for labels in seen.results.extract_if(gone) {
            self.results.remove(&labels);
            self.last_success.remove(&SubjectLabels { endpoint: labels.endpoint, check: labels.check });
        }
        let probed: HashSet<&str> = seen.results.iter().map(|labels| labels.endpoint.as_str()).collect();
        let idle: Vec<&EndpointId> =
            subjects.iter().map(|id| &id.endpoint).filter(|id| !probed.contains(id.as_str())).collect();
        for endpoint in idle {
            let labels = EndpointLabels { endpoint: endpoint.as_str().into() };
            self.duration.remove(&labels);
            self.cert_expiry.remove(&labels);
            seen.durations.remove(&labels.endpoint);
        }
    }

    /// Notes that a series exists; whether its endpoint has durations of its own.
    fn note(&self, labels: ResultLabels) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let own = seen.durations.contains(&labels.endpoint) || seen.durations.len() < DURATION_ENDPOINTS_MAX;
        if own {
            seen.durations.insert(labels.endpoint.clone());
        }
        seen.results.insert(labels);
        own
    }
}

fn words(outcome: &Outcome) -> (&'static str, &'static str) {
    match outcome {
        Outcome::Pass => ("pass", ""),
        Outcome::Complaint(complaint) => ("pass", complaint.word()),
        Outcome::Fail(failure) => ("fail", failure.word()),
        Outcome::Abstain(fault) => ("abstain", fault.word()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "Unix time in milliseconds is exact in an f64 for 285,000 years")]
fn seconds_of(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}
