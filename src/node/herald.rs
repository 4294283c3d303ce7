//! Tells what happened: one log line, the journal, and those who follow live.

use std::sync::Arc;

use tracing::field::display;

use crate::{
    model::{Event, Happening, Health},
    store::journal::Journal,
};

/// Where every event of the node goes, once.
#[derive(Debug)]
pub(super) struct Herald {
    journal: Arc<Journal>,
}

impl Herald {
    /// Tells through this journal, which shows to live streams what it numbers.
    #[must_use]
    pub(super) fn new(journal: Arc<Journal>) -> Self {
        Self { journal }
    }

    /// Logs, numbers, keeps and shows. Never waits for the disk.
    pub(super) fn tell(&self, events: Vec<Event>) {
        events.iter().for_each(log);
        self.journal.append(events);
    }
}

/// ERROR: a person is needed; WARN: we coped; INFO: a change.
fn log(event: &Event) {
    let generation = event.generation;
    match &event.what {
        Happening::Verdict { endpoint, family, from, to, cause, tally, reason, took_ms, .. } => {
            let (up, down, reason) = (tally.up, tally.down, reason.as_deref().unwrap_or_default());
            if *to == Health::Down {
                tracing::warn!(%endpoint, %family, %from, %to, cause, up, down, reason, took_ms, generation, "verdict changed");
            } else {
                tracing::info!(%endpoint, %family, %from, %to, cause, up, down, generation, "verdict changed");
            }
        }
        Happening::Answers { service, from, to, none_healthy: true, .. } => {
            tracing::error!(%service, ?from, ?to, generation, "nothing is healthy, answering by when_none_healthy");
        }
        Happening::Answers { service, from, to, pool_from, pool_to, none_healthy: false } => {
            let (pool_from, pool_to) = (pool_from.as_ref().map(display), pool_to.as_ref().map(display));
            tracing::info!(%service, ?from, ?to, pool_from, pool_to, generation, "answers changed");
        }
        Happening::OverrideBegan { id, action, target, author, reason, expires } => {
            tracing::warn!(%id, action, target, author, reason, %expires, generation, "override holds");
        }
        Happening::OverrideEnded { id, action, target, expired } => {
            tracing::info!(%id, action, target, expired, generation, "override ended");
        }
        Happening::Outage { group, id, active, down, of } => {
            tracing::error!(group, id, active, down, of, generation, "outage of a group");
        }
        Happening::Correlated { service, down, of } => {
            tracing::error!(%service, down, of, generation, "endpoints of a service failed together");
        }
        Happening::Held { brake, endpoint, active, detail } => {
            let endpoint = endpoint.as_ref().map(display);
            tracing::warn!(brake, endpoint, active, detail, generation, "a brake holds verdicts");
        }
        Happening::Overload { service, active, serving } => {
            tracing::error!(%service, active, serving, generation, "the capacity that is left may not suffice");
        }
        Happening::OverrideExpiring { id, minutes } => tracing::warn!(%id, minutes, "override ends soon"),
        Happening::Ordered { endpoint, from, to } => {
            tracing::info!(%endpoint, ?from, ?to, generation, "endpoint ordered");
        }
        // The reload desk has logged these with the file's name and every problem.
        Happening::Reloaded { .. } | Happening::ReloadRefused { .. } => {}
        Happening::Node { condition, active: true, detail } => tracing::error!(condition, "{detail}"),
        Happening::Node { condition, active: false, detail } => tracing::info!(condition, "{detail}"),
    }
}
