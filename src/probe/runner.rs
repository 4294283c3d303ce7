//! The one task that starts probes when they are due and hands on what they saw.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{ProbeNow, Settings};
use crate::{
    clock::Clock,
    model::{Fleet, Observation, Tempi},
    telemetry::probe::ProbeMetrics,
};

/// Runs all probes of this node.
#[derive(Debug)]
#[expect(dead_code, reason = "the seam, before its filling")]
pub struct Runner {
    settings: Settings,
    fleet: watch::Receiver<Arc<Fleet>>,
    tempi: watch::Receiver<Arc<Tempi>>,
    out: mpsc::Sender<Observation>,
    asks: mpsc::Receiver<ProbeNow>,
    clock: Clock,
    metrics: Arc<ProbeMetrics>,
}

impl Runner {
    /// `fleet` says what is probed and `tempi` how soon; results go to `out`.
    #[must_use]
    pub fn new(
        settings: Settings,
        fleet: watch::Receiver<Arc<Fleet>>,
        tempi: watch::Receiver<Arc<Tempi>>,
        out: mpsc::Sender<Observation>,
        asks: mpsc::Receiver<ProbeNow>,
        clock: Clock,
        metrics: Arc<ProbeMetrics>,
    ) -> Self {
        Self { settings, fleet, tempi, out, asks, clock, metrics }
    }

    /// Probes until told to stop.
    pub async fn run(self, until: CancellationToken) {
        until.cancelled().await;
    }
}
