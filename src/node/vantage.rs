//! A vantage without doors: probes and votes, nothing else. The demo runs two beside its node.

use std::sync::Arc;

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{
    core::{Core, CoreParts},
    probing::Probing,
};
use crate::{
    admin::Recent,
    clock::Clock,
    config::Roles,
    control::Identity,
    model::{Fleet, Memory},
    probe::System,
    store::{BallotBus, Durable},
    telemetry::Metrics,
};

/// Probes one fleet from one place, and publishes what it thinks.
pub struct Vantage {
    tasks: JoinSet<&'static str>,
    stop: CancellationToken,
    _fleet: watch::Sender<Arc<Fleet>>,
    _durable: watch::Sender<Arc<Durable>>,
}

impl Vantage {
    /// Begins to probe.
    #[must_use]
    pub fn start(identity: Identity, fleet: Arc<Fleet>, bus: Arc<dyn BallotBus>) -> Self {
        let (clock, stop, mut tasks) = (Clock::start(), CancellationToken::new(), JoinSet::new());
        let (durable, durable_seen) = watch::channel(Arc::default());
        let name = identity.node.clone();
        let (metrics, _) = Metrics::new();
        let (core, handle) = Core::new(CoreParts {
            identity,
            process: None,
            fleet: Arc::clone(&fleet),
            memory: Memory::default(),
            clock,
            bus,
            durable: durable_seen,
            local: None,
            takes_orders: watch::channel(true).1,
            held: watch::channel(false).1,
            locator: watch::channel(Arc::default()).1,
            editions: watch::channel(Arc::default()).1,
            announce: Box::new(|_| ()),
            metrics: metrics.control,
            persist: Box::new(|_| ()),
        });
        let (fleet, fleet_seen) = watch::channel(fleet);
        let (_, asks) = mpsc::channel(1);
        let probing = Probing {
            node: name,
            roles: Roles { answer: false, probe: true, admin: false },
            fleet: fleet_seen,
            lookup: Arc::new(System::new()),
            asks,
            recent: Arc::new(Recent::new()),
            clock,
            metrics: metrics.probe,
        };
        probing.start(&mut tasks, &handle, &stop);
        let until = stop.child_token();
        tasks.spawn(async move {
            core.run(until).await;
            "control"
        });
        Self { tasks, stop, _fleet: fleet, _durable: durable }
    }

    /// Ends it.
    pub async fn end(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}
