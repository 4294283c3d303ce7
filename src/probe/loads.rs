//! Loads of endpoints, read over HTTP in step with their probes.
//!
//! A load that cannot be read is no verdict on its endpoint: what is known of it grows old, and the choice goes by
//! weights again. So trouble is counted, and said once when it begins, changes or ends.

mod field;
mod plan;
mod poll;

use std::{collections::HashMap, future, sync::Arc, time::Duration};

use reqwest::Client;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use self::plan::{Number, Plan, Timetable};
use super::{Directory, Settings, names::Whereabouts, web};
use crate::{
    clock::Clock,
    model::{EndpointId, Fleet, Load, Mono},
    telemetry::probe::ProbeMetrics,
};

/// Readings in flight at once; others wait. Fewer than probes, because a host given by name takes a thread while the
/// machine looks it up.
const IN_FLIGHT_MAX: usize = 32;

/// A load that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Whose.
    pub endpoint: EndpointId,
    /// How busy it is.
    pub load: Load,
    /// When it was read.
    pub at: Mono,
}

/// Why a load could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum PollError {
    #[error("the endpoint's name does not resolve")]
    Name,
    #[error("the URL with the endpoint's address in it is none")]
    Url,
    #[error("the field is neither a path in JSON nor a metric with labels")]
    Field,
    #[error("this node cannot read loads: {0}")]
    Own(String),
    #[error("no answer in time")]
    Timeout,
    #[error("{0}")]
    Connection(String),
    #[error("status {0}")]
    Status(u16),
    #[error("the answer is longer than 64 KiB")]
    TooLong,
    #[error("the answer is neither JSON nor Prometheus text")]
    Unreadable,
    #[error("the answer has no such field or metric")]
    Missing,
    #[error("the value is not a number from 0 up")]
    Value,
}

impl PollError {
    /// A stable word for labels.
    fn word(&self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Url => "url",
            Self::Field => "field",
            Self::Own(_) => "own",
            Self::Timeout => "timeout",
            Self::Connection(_) => "connection",
            Self::Status(_) => "status",
            Self::TooLong => "too-long",
            Self::Unreadable => "unreadable",
            Self::Missing => "missing",
            Self::Value => "value",
        }
    }
}

/// Reads the loads of a fleet again and again.
pub struct Loads {
    settings: Settings,
    fleet: watch::Receiver<Arc<Fleet>>,
    directory: Directory,
    out: mpsc::Sender<Reading>,
    clock: Clock,
    metrics: Arc<ProbeMetrics>,
}

type Ended = (Number, Result<Load, PollError>);

impl Loads {
    /// `fleet` says what is read; every load that is goes to `out`. Targets are read where `directory` has them.
    #[must_use]
    pub fn new(
        settings: Settings,
        fleet: watch::Receiver<Arc<Fleet>>,
        directory: Directory,
        out: mpsc::Sender<Reading>,
        clock: Clock,
        metrics: Arc<ProbeMetrics>,
    ) -> Self {
        Self { settings, fleet, directory, out, clock, metrics }
    }

    /// Reads until told to stop, or until nobody is left who gives fleets or takes loads.
    pub async fn run(mut self, until: CancellationToken) {
        let origin = Instant::now();
        let mut timetable = Timetable::default();
        let mut troubles: HashMap<EndpointId, PollError> = HashMap::new();
        let mut running: JoinSet<Ended> = JoinSet::new();
        let mut client = self.adopt(&mut timetable, &mut troubles, origin.elapsed()).await;
        loop {
            while running.len() < IN_FLIGHT_MAX
                && let Some((number, plan)) = timetable.start(origin.elapsed())
            {
                let (client, directory) = (client.clone(), self.directory.clone());
                running.spawn(async move { (number, read(client, &plan, &directory).await) });
            }
            let due = timetable.next_due().filter(|_| running.len() < IN_FLIGHT_MAX);
            tokio::select! {
                biased;
                () = until.cancelled() => return,
                () = self.out.closed() => return,
                changed = self.fleet.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    client = self.adopt(&mut timetable, &mut troubles, origin.elapsed()).await;
                }
                Some(ended) = running.join_next() => match ended {
                    Ok((number, result)) => {
                        let Some(plan) = timetable.finish(number, origin.elapsed()) else { continue };
                        if let Some(load) = self.told(&plan, result, &mut troubles) {
                            let at = self.clock.mono();
                            if self.out.send(Reading { endpoint: plan.endpoint.clone(), load, at }).await.is_err() {
                                return;
                            }
                        }
                    }
                    Err(error) => tracing::error!(%error, "reading a load came to grief; it is read again after a reload"),
                },
                () = wait(due.map(|due| origin + due)) => {}
            }
        }
    }

    async fn adopt(
        &mut self,
        timetable: &mut Timetable,
        troubles: &mut HashMap<EndpointId, PollError>,
        now: Duration,
    ) -> Result<Client, PollError> {
        let fleet = Arc::clone(&self.fleet.borrow_and_update());
        let plans = plan::plans(&fleet, &self.settings.node);
        let (none, needs_tls) = (plans.is_empty(), plans.iter().any(Plan::needs_tls));
        timetable.adopt(plans, now);
        troubles.retain(|endpoint, _| timetable.has(endpoint));
        if none {
            return Err(PollError::Own("nothing is to be read".into()));
        }
        let user_agent = self.settings.user_agent.clone();
        // Trust anchors come from the disk.
        let made = tokio::task::spawn_blocking(move || web::client(needs_tls, &user_agent)).await;
        made.unwrap_or_else(|error| Err(error.to_string())).map_err(PollError::Own)
    }

    /// Counts a result and says what changed; the load, if there is one.
    fn told(
        &self,
        plan: &Plan,
        result: Result<Load, PollError>,
        troubles: &mut HashMap<EndpointId, PollError>,
    ) -> Option<Load> {
        let endpoint = &plan.endpoint;
        self.metrics.load_read(result.as_ref().map_or_else(PollError::word, |_| "ok"));
        match result {
            Ok(load) => {
                if troubles.remove(endpoint).is_some() {
                    tracing::info!(%endpoint, "the load can be read again");
                }
                Some(load)
            }
            Err(error) => {
                if troubles.get(endpoint) != Some(&error) {
                    tracing::warn!(%endpoint, url = plan.url, field = plan.field, %error, "the load cannot be read");
                    troubles.insert(endpoint.clone(), error);
                }
                None
            }
        }
    }
}

async fn read(client: Result<Client, PollError>, plan: &Plan, directory: &Directory) -> Result<Load, PollError> {
    let (client, reading) = (client?, plan.reading.as_ref().ok_or(PollError::Field)?);
    let address = match &plan.at {
        plan::At::Address(address) => Some(*address),
        plan::At::Name(name) => match directory.now(name) {
            Some(Whereabouts::At(address)) => Some(address),
            Some(Whereabouts::Nowhere | Whereabouts::Unheard) | None => return Err(PollError::Name),
        },
        plan::At::Unneeded => None,
    };
    let asked = poll::read(&client, poll::url(&plan.url, address)?, reading);
    timeout(plan.deadline, asked).await.unwrap_or(Err(PollError::Timeout))
}

async fn wait(due: Option<Instant>) {
    match due {
        Some(at) => sleep_until(at).await,
        None => future::pending().await,
    }
}

#[cfg(test)]
mod tests;
