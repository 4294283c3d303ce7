//! Editions for secondaries: made when answers have changed, kept on disk, put into the table, told to those who wait.
//!
//! All of it happens behind the swap: a failover is answered before anybody thinks of secondaries.

use std::{collections::HashMap, path::PathBuf, sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{core::CoreHandle, with_source};
use crate::{
    clock::Clock,
    config::Loaded,
    dns::{Transfers, transfer::notify},
    model::{DnsName, Replication, Snapshot},
    steer::{AnswerTable, Editions, Last, Live},
    store::serials,
    telemetry::dns::DnsMetrics,
};

/// Editions follow each other no sooner: a serial is a second, and secondaries have their own work.
const EDITION_EVERY_MIN: Duration = Duration::from_secs(1);

/// Makes editions of what a node answers.
pub(super) struct Secondaries {
    live: Live,
    folder: PathBuf,
    transfers: Arc<Transfers>,
    metrics: Arc<DnsMetrics>,
    editions: Arc<Editions>,
    /// What they were made of.
    made_of: Option<(Arc<AnswerTable>, Replication)>,
    /// From before the start.
    last: HashMap<DnsName, Last>,
    out: watch::Sender<Arc<Editions>>,
}

impl Secondaries {
    /// Makes the first editions and puts them in force, so that the doors open with their serials. Called before the
    /// control loop runs, which alone swaps from then on.
    pub(super) fn start(
        loaded: &Loaded,
        handle: &CoreHandle,
        transfers: Arc<Transfers>,
        metrics: Arc<DnsMetrics>,
        out: watch::Sender<Arc<Editions>>,
    ) -> Self {
        let folder = loaded.settings.store.path.clone();
        let known = serials::load(&folder).unwrap_or_else(|error| {
            tracing::error!(%error, "the serials from before the start are lost; zones go on with the time as serial");
            serials::Known::new()
        });
        let last = known.into_iter().map(|(zone, (serial, digest))| (zone, Last { serial, digest })).collect();
        let live = handle.live.clone();
        let mut made = Self { live, folder, transfers, metrics, editions: Arc::default(), made_of: None, last, out };
        made.transfers.allow(loaded.settings.replication.clone());
        if made.round(&loaded.settings.replication) {
            made.live.republish(Arc::clone(&made.editions));
            // The loop finds it when it begins, and has secondaries told.
            made.out.send_replace(Arc::clone(&made.editions));
        }
        made
    }

    /// Follows what is answered and configured, and tells secondaries.
    pub(super) fn follow(
        mut self,
        tasks: &mut JoinSet<&'static str>,
        handle: &CoreHandle,
        mut config: watch::Receiver<Arc<Loaded>>,
        until: &CancellationToken,
    ) {
        let (published, transfers, end) = (handle.editions.clone(), Arc::clone(&self.transfers), until.child_token());
        tasks.spawn(async move {
            notify::run(published, transfers, end).await;
            "notifies"
        });
        let (mut snapshot, end): (watch::Receiver<Arc<Snapshot>>, _) = (handle.snapshot.clone(), until.child_token());
        tasks.spawn(async move {
            loop {
                tokio::select! {
                    () = end.cancelled() => return "secondaries",
                    changed = snapshot.changed() => if changed.is_err() { break },
                    changed = config.changed() => if changed.is_err() { break },
                }
                snapshot.borrow_and_update();
                let who = config.borrow_and_update().settings.replication.clone();
                self.transfers.allow(who.clone());
                if who.zones.is_empty() && self.editions.is_empty() {
                    continue;
                }
                let made = tokio::task::spawn_blocking(move || {
                    let changed = self.round(&who);
                    if changed {
                        self.out.send_replace(Arc::clone(&self.editions));
                    }
                    (self, changed)
                });
                let Ok((back, changed)) = made.await else {
                    // What it was working on is gone with it.
                    break tracing::error!("making an edition panicked; secondaries stay where they are");
                };
                self = back;
                if changed {
                    tokio::time::sleep(EDITION_EVERY_MIN).await;
                }
            }
            end.cancelled().await;
            "secondaries"
        });
    }

    /// Makes new editions of what has changed; whether anything has.
    fn round(&mut self, who: &Replication) -> bool {
        let table = self.live.load();
        if let Some((before, of)) = &self.made_of
            && of == who
            && !table.may_differ(before)
        {
            return false;
        }
        self.made_of = Some((Arc::clone(&table), who.clone()));
        let made = Editions::of(&table, who, &self.editions, &self.last, Clock::wall().0 / 1000);
        if made.is_same(&self.editions) {
            return false;
        }
        for edition in made.iter() {
            // Of zones that have no secondaries for a while the serial is remembered.
            self.last.insert(edition.apex.clone(), Last { serial: edition.serial, digest: edition.digest });
        }
        let known = self.last.iter().map(|(zone, last)| (zone.clone(), (last.serial, last.digest))).collect();
        // Without the disk it goes on: the time is a serial as well.
        if let Err(error) = serials::save(&self.folder, &known) {
            tracing::error!(error = %with_source(&error), "the serials of zones are not kept");
        }
        self.metrics.serials(made.iter().map(|edition| (edition.apex.to_string(), edition.serial.0)));
        self.editions = Arc::new(made);
        true
    }
}
