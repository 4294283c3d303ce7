//! Everything of a node that asks others: probes, loads, and where targets are.

use std::sync::Arc;

use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{bridge, core::CoreHandle, core::INBOX_MAX};
use crate::{
    admin::Recent,
    clock::Clock,
    config::Roles,
    model::{Fleet, NodeId},
    probe::{Anchors, Directory, Loads, Lookup, Names, ProbeNow, Runner, Settings},
    telemetry::probe::ProbeMetrics,
};

/// Loads and addresses that may wait for the controller; who reads them waits then.
const WAITING_MAX: usize = 256;

/// What it is made of.
pub(super) struct Probing {
    /// Who asks.
    pub(super) node: NodeId,
    /// What this node does: without probing it reads no loads; addresses of targets are wanted by doors as well.
    pub(super) roles: Roles,
    /// What is asked.
    pub(super) fleet: watch::Receiver<Arc<Fleet>>,
    /// Where targets are looked up.
    pub(super) lookup: Arc<dyn Lookup>,
    /// People's wishes.
    pub(super) asks: mpsc::Receiver<ProbeNow>,
    /// Results that people look at.
    pub(super) recent: Arc<Recent>,
    /// Time.
    pub(super) clock: Clock,
    /// Counts.
    pub(super) metrics: Arc<ProbeMetrics>,
}

impl Probing {
    /// Begins; what is found goes to the controller.
    pub(super) fn start(self, tasks: &mut JoinSet<&'static str>, core: &CoreHandle, stop: &CancellationToken) {
        let Self { node, roles, fleet, lookup, asks, recent, clock, metrics } = self;
        let settings = Settings::new(node);
        let directory = Directory::default();
        let (observed_in, observed) = mpsc::channel(INBOX_MAX);
        bridge::observations(tasks, observed, core.inbox.clone(), recent, fleet.clone());
        if roles.probe || roles.answer {
            let (found_in, found) = mpsc::channel(WAITING_MAX);
            bridge::targets(tasks, found, core.inbox.clone());
            let names = Names::new(fleet.clone(), lookup, directory.clone(), found_in);
            let until = stop.child_token();
            tasks.spawn(async move {
                names.run(until).await;
                "targets"
            });
        }
        if !roles.probe {
            return;
        }
        let (read_in, read) = mpsc::channel(WAITING_MAX);
        bridge::loads(tasks, read, core.inbox.clone());
        let loads =
            Loads::new(settings.clone(), fleet.clone(), directory.clone(), read_in, clock, Arc::clone(&metrics));
        let until = stop.child_token();
        tasks.spawn(async move {
            loads.run(until).await;
            "loads"
        });
        let (asked_in, asked) = mpsc::channel(WAITING_MAX);
        bridge::anchors(tasks, asked, core.inbox.clone());
        let anchors = Anchors::new(settings.clone(), fleet.clone(), asked_in, clock);
        let until = stop.child_token();
        tasks.spawn(async move {
            anchors.run(until).await;
            "anchors"
        });
        let runner = Runner::new(settings, fleet, core.tempi.clone(), observed_in, asks, clock, metrics);
        let runner = runner.with_directory(directory).with_duties(core.duties.clone());
        let until = stop.child_token();
        tasks.spawn(async move {
            runner.run(until).await;
            "probes"
        });
    }
}
