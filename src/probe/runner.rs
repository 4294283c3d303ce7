//! The one task that starts probes when they are due and hands on what they saw.
//!
//! Why one list of due times instead of a task that sleeps for each target: 10,000 sleeping tasks cost memory, a
//! reload has to find them, and nothing bounds how many wake at once.

use std::{collections::HashMap, future, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, Id, JoinError, JoinSet},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    Directory, ProbeNow, Settings,
    agenda::{Agenda, Place, Start},
    asks::Asks,
    job::{self, Job},
};
use crate::{
    clock::Clock,
    model::{Duties, Duty, Failure, Fleet, Observation, Outcome, Tempi, Wall},
    telemetry::probe::ProbeMetrics,
};

/// Changes of tempo are taken in at most this often: each may touch every target that wavers.
const TEMPI_GAP: Duration = Duration::from_millis(20);

/// Runs all probes of this node.
#[derive(Debug)]
pub struct Runner {
    settings: Settings,
    fleet: watch::Receiver<Arc<Fleet>>,
    tempi: watch::Receiver<Arc<Tempi>>,
    out: mpsc::Sender<Observation>,
    asks: mpsc::Receiver<ProbeNow>,
    clock: Clock,
    metrics: Arc<ProbeMetrics>,
    directory: Directory,
    duties: watch::Receiver<Arc<Duties>>,
}

impl Runner {
    /// `fleet` says what is probed and `tempi` how soon; every result goes to `out`. A full `out` holds the probe's
    /// place until there is room, so a slow reader slows probing and nothing is lost.
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
        let (directory, duties) = (Directory::default(), watch::channel(Arc::default()).1);
        Self { settings, fleet, tempi, out, asks, clock, metrics, directory, duties }
    }

    /// Targets are probed where this says they are; without it nothing is known of any.
    #[must_use]
    pub fn with_directory(self, directory: Directory) -> Self {
        Self { directory, ..self }
    }

    /// Only what these say is probed, at the beats that they say; without them all of it is.
    #[must_use]
    pub fn with_duties(self, duties: watch::Receiver<Arc<Duties>>) -> Self {
        Self { duties, ..self }
    }

    /// Probes until told to stop, or until nobody is left who gives fleets or takes results. Probes in flight are
    /// dropped then.
    pub async fn run(mut self, until: CancellationToken) {
        let mut rounds = Rounds::new(&self);
        rounds.take_up(&mut self).await;
        let mut tempi_again = Instant::now();
        loop {
            rounds.start_due();
            let due = rounds.wake_at();
            tokio::select! {
                biased;
                () = until.cancelled() => return,
                () = self.out.closed() => return,
                changed = self.fleet.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    rounds.take_up(&mut self).await;
                }
                () = changed_after(&mut self.duties, Instant::now()) => rounds.take_up(&mut self).await,
                () = changed_after(&mut self.tempi, tempi_again) => {
                    tempi_again = Instant::now() + TEMPI_GAP;
                    rounds.set_tempi(Arc::clone(&self.tempi.borrow_and_update()));
                }
                Some(ask) = self.asks.recv() => rounds.hurry(ask),
                Some(ended) = rounds.running.join_next_with_id() => rounds.finish(ended),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
        }
    }
}

/// Trust anchors come from the disk, which may be slow: that is no work for a thread that runs probes.
async fn prepare(fleet: Arc<Fleet>, settings: &Settings) -> Vec<Job> {
    if !job::needs_disk(&fleet) {
        return job::jobs(&fleet, settings);
    }
    let settings = settings.clone();
    let jobs = tokio::task::spawn_blocking(move || job::jobs(&fleet, &settings)).await;
    jobs.expect("making jobs does not panic, and it is not cancelled while the run time lives")
}

async fn changed_after<T>(seen: &mut watch::Receiver<T>, at: Instant) {
    sleep_until(at).await;
    if seen.changed().await.is_err() {
        // Without anyone who sets it, it stays as it is.
        future::pending::<()>().await;
    }
}

/// The probes in flight, and what comes after them.
struct Rounds {
    agenda: Agenda,
    asks: Asks,
    running: JoinSet<Observation>,
    flights: HashMap<Id, Place>,
    handles: HashMap<Place, AbortHandle>,
    in_flight_max: usize,
    origin: Instant,
    began: Wall,
    out: mpsc::Sender<Observation>,
    clock: Clock,
    metrics: Arc<ProbeMetrics>,
    directory: Directory,
}

impl Rounds {
    fn new(runner: &Runner) -> Self {
        Self {
            agenda: Agenda::default(),
            asks: Asks::default(),
            running: JoinSet::new(),
            flights: HashMap::new(),
            handles: HashMap::new(),
            in_flight_max: runner.settings.in_flight_max.max(1),
            origin: Instant::now(),
            began: runner.clock.now().wall,
            out: runner.out.clone(),
            clock: runner.clock,
            metrics: Arc::clone(&runner.metrics),
            directory: runner.directory.clone(),
        }
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    fn has_room(&self) -> bool {
        self.flights.len() < self.in_flight_max
    }

    /// When the next probe can start, as far as that is only a matter of time.
    fn wake_at(&self) -> Option<Instant> {
        self.agenda.next_due().filter(|_| self.has_room()).map(|due| self.origin + due)
    }

    fn start_due(&mut self) {
        while self.has_room()
            && let Some(Start { place, job, lag }) = self.agenda.start(self.now())
        {
            self.metrics.lagged(lag);
            self.asks.start(place);
            let (out, clock, directory) = (self.out.clone(), self.clock, self.directory.clone());
            let handle = self.running.spawn(async move {
                let observation = job.run(clock, &directory).await;
                // Whoever reads results has gone: the runner is about to notice.
                let _ = out.send(observation.clone()).await;
                observation
            });
            self.flights.insert(handle.id(), place);
            self.handles.insert(place, handle);
        }
        self.metrics.in_flight(self.flights.len());
    }

    fn finish(&mut self, ended: Result<(Id, Observation), JoinError>) {
        let (id, observation) = match ended {
            Ok((id, observation)) => (id, Some(observation)),
            Err(error) => {
                if error.is_panic() {
                    tracing::error!(%error, "a probe came to grief; its target goes on being probed");
                }
                (error.id(), None)
            }
        };
        let Some(place) = self.flights.remove(&id) else { return };
        // A place that is gone has no handle: its result counts for nothing.
        if self.handles.remove(&place).is_none() {
            return;
        }
        if let Some(observation) = &observation {
            self.metrics.observed(observation);
        }
        let overasked =
            observation.as_ref().is_some_and(|seen| matches!(seen.outcome, Outcome::Fail(Failure::TooMany)));
        if let Some(lag) = self.agenda.finish(place, overasked, self.now()) {
            self.metrics.lagged(lag);
        }
        self.asks.finish(place, observation.as_ref());
    }

    /// The fleet and the duties as they are now.
    async fn take_up(&mut self, runner: &mut Runner) {
        let fleet = Arc::clone(&runner.fleet.borrow_and_update());
        let duties = Arc::clone(&runner.duties.borrow_and_update());
        let mut jobs = prepare(fleet, &runner.settings).await;
        jobs.retain_mut(|job| {
            let duty = duties.get(&job.target.subject.endpoint).copied();
            if let Some(duty) = duty {
                job.rhythm = job.rhythm.on(duty, &job.target, self.began);
            }
            duty.is_none_or(Duty::is_mine)
        });
        self.adopt(jobs);
    }

    fn adopt(&mut self, jobs: Vec<Job>) {
        let gone = self.agenda.adopt(jobs, self.now());
        for place in &gone.places {
            if let Some(handle) = self.handles.remove(place) {
                handle.abort();
            }
        }
        self.asks.forget(&gone.places);
        self.metrics.forget(&gone.subjects);
    }

    fn set_tempi(&mut self, tempi: Arc<Tempi>) {
        let now = self.now();
        self.agenda.set_tempi(tempi, now);
    }

    fn hurry(&mut self, ask: ProbeNow) {
        if self.asks.has_room() {
            let now = self.now();
            let places = self.agenda.hurry(&ask.endpoint, now);
            self.asks.add(places, ask.reply);
        }
    }
}

#[cfg(test)]
mod tests;
