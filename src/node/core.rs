//! The control loop: gathers what arrived, steps once, compiles once, swaps once.
//!
//! One task owns the controller, so nothing in it is locked. It runs at its own pace: a storm of probe results costs
//! one table, not a thousand. A panic inside deciding keeps the answers that stand and starts deciding anew from what
//! was remembered.

use std::{
    collections::{BTreeMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::recall::Recall;
use crate::{
    clock::Clock,
    control::{Controller, Identity, Input, Step},
    model::{Ballot, EndpointId, Event, Fleet, Happening, LastGood, Memory, Mono, NodeId, PoolId, Snapshot, Tempi},
    steer::{AnswerChange, AnswerSet, AnswerTable, Editions, Live, Locator},
    store::{BallotBus, Durable},
    telemetry::control::ControlMetrics,
};

/// Most inputs of one step; the rest waits for the next, which follows at once.
pub(super) const INPUTS_PER_STEP_MAX: usize = 4096;
/// Inputs that may wait; probes wait for room beyond it.
pub(super) const INBOX_MAX: usize = 8192;
/// Most services of one swap whose changed answers are told one by one. A change beyond it touches a fleet, and the
/// verdicts that made it are told all the same.
pub(super) const ANSWER_EVENTS_MAX: usize = 1000;
/// The loop looks at its clock at least this often, whatever the controller asks for.
const STEP_EVERY_MAX: Duration = Duration::from_secs(1);

/// What a control loop is made of.
pub(super) struct CoreParts {
    /// Who decides.
    pub(super) identity: Identity,
    /// What exists at the start.
    pub(super) fleet: Arc<Fleet>,
    /// What was remembered.
    pub(super) memory: Memory,
    /// Time.
    pub(super) clock: Clock,
    /// The other vantages' ballots, and where ours goes.
    pub(super) bus: Arc<dyn BallotBus>,
    /// The durable state.
    pub(super) durable: watch::Receiver<Arc<Durable>>,
    /// Called with what happened, in order.
    pub(super) announce: Box<dyn FnMut(Vec<Event>) + Send>,
    /// What clients are located with; the table in force follows it.
    pub(super) locator: watch::Receiver<Arc<Locator>>,
    /// What secondaries are given; the table in force follows it.
    pub(super) editions: watch::Receiver<Arc<Editions>>,
    /// Counts verdicts and how long failovers take.
    pub(super) metrics: Arc<ControlMetrics>,
    /// Writes the snapshot file. Called before overrides of a newer store generation are announced, so that "applied"
    /// means: survives a restart with the database gone.
    pub(super) persist: Box<dyn FnMut(&Memory) + Send>,
}

/// The ends of a control loop that others hold.
#[derive(Clone)]
pub(super) struct CoreHandle {
    /// Observations and reloads go in here.
    pub(super) inbox: mpsc::Sender<Input>,
    /// The newest picture.
    pub(super) snapshot: watch::Receiver<Arc<Snapshot>>,
    /// What the doors read.
    pub(super) live: Live,
    /// How soon targets are probed again.
    pub(super) tempi: watch::Receiver<Arc<Tempi>>,
    /// What to write into the snapshot file.
    pub(super) memory: watch::Receiver<Arc<Recall>>,
    /// Beats with every turn of the loop.
    pub(super) beat: watch::Receiver<Mono>,
    /// The editions whose serials are answered.
    pub(super) editions: watch::Receiver<Arc<Editions>>,
}

/// The loop before it runs: a first snapshot is decided and compiled, so that doors have answers when they open.
pub(super) struct Core {
    controller: Controller,
    identity: Identity,
    clock: Clock,
    bus: Arc<dyn BallotBus>,
    durable: watch::Receiver<Arc<Durable>>,
    locator: watch::Receiver<Arc<Locator>>,
    editions: watch::Receiver<Arc<Editions>>,
    published: watch::Sender<Arc<Editions>>,
    announce: Box<dyn FnMut(Vec<Event>) + Send>,
    persist: Box<dyn FnMut(&Memory) + Send>,
    metrics: Arc<ControlMetrics>,
    inbox: mpsc::Receiver<Input>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    live: Live,
    tempi: watch::Sender<Arc<Tempi>>,
    memory: watch::Sender<Arc<Recall>>,
    beat: watch::Sender<Mono>,
    heard: BTreeMap<NodeId, u64>,
    wake_at: Option<Mono>,
    fleet: Arc<Fleet>,
}

impl Core {
    /// Decides and compiles for the first time.
    pub(super) fn new(parts: CoreParts) -> (Self, CoreHandle) {
        let CoreParts { identity, fleet, memory, clock, bus, durable, .. } = parts;
        let CoreParts { mut locator, editions, mut announce, mut persist, metrics, .. } = parts;
        let (inbox_in, inbox) = mpsc::channel(INBOX_MAX);
        let now = clock.now();
        let (mut controller, mut step) = Controller::new(identity.clone(), Arc::clone(&fleet), &memory, now);
        let state = durable.borrow().clone();
        let with_store = controller.step(now, [shared(&state)]);
        let first = step.snapshot.take();
        let snapshot = with_store.snapshot.or(first).expect("a controller decides when it is made");
        step.events.extend(with_store.events);
        let table = crate::steer::compile(&snapshot, None, &memory.last_good);
        let live = Live::new(table.with_locator(Arc::clone(&locator.borrow_and_update())));
        let remembered = Recall { outline: controller.outline(now), table: live.load() };
        persist(&remembered.whole());
        announce(std::mem::take(&mut step.events));
        let tempi = with_store.tempi.or(step.tempi).unwrap_or_default();
        let (snapshot, snapshots) = watch::channel(snapshot);
        let (tempi, tempis) = watch::channel(tempi);
        let (memory, memories) = watch::channel(Arc::new(remembered));
        let (beat, beats) = watch::channel(now.mono);
        let (published, publishes) = watch::channel(Arc::default());
        let handle = CoreHandle {
            inbox: inbox_in,
            snapshot: snapshots,
            live: live.clone(),
            tempi: tempis,
            memory: memories,
            beat: beats,
            editions: publishes,
        };
        let core = Self {
            controller,
            identity,
            clock,
            bus,
            durable,
            locator,
            editions,
            published,
            announce,
            persist,
            metrics,
            inbox,
            snapshot,
            live,
            tempi,
            memory,
            beat,
            heard: BTreeMap::new(),
            wake_at: with_store.wake_at.or(step.wake_at),
            fleet,
        };
        (core, handle)
    }

    /// Runs until told to stop.
    pub(super) async fn run(mut self, until: CancellationToken) {
        let mut ballots = self.bus.watch();
        let mut batch = Vec::new();
        let (mut store_gone, mut places_gone, mut editions_gone) = (false, false, false);
        loop {
            let wait = self.wait();
            tokio::select! {
                biased;
                () = until.cancelled() => return,
                changed = self.durable.changed(), if !store_gone => match changed {
                    Ok(()) => batch.push(shared(&self.durable.borrow_and_update().clone())),
                    // The store's end must not end deciding: the last overrides stay.
                    Err(_) => store_gone = true,
                },
                changed = self.locator.changed(), if !places_gone => match changed {
                    Ok(()) => self.relocate(),
                    Err(_) => places_gone = true,
                },
                changed = self.editions.changed(), if !editions_gone => match changed {
                    Ok(()) => self.republish(),
                    Err(_) => editions_gone = true,
                },
                Ok(()) = ballots.changed() => {
                    let all = Arc::clone(&ballots.borrow_and_update());
                    batch.extend(self.news(&all));
                },
                count = self.inbox.recv_many(&mut batch, INPUTS_PER_STEP_MAX) => if count == 0 { return },
                () = tokio::time::sleep(wait) => {},
            }
            self.turn(&mut batch);
        }
    }

    /// Clients are located by something else from now on; what is decided stays. Nothing may hold the old table, because
    /// it holds the old databases.
    fn relocate(&mut self) {
        let locator = Arc::clone(&self.locator.borrow_and_update());
        let table = self.live.relocate(locator);
        let outline = self.memory.borrow().outline.clone();
        self.memory.send_replace(Arc::new(Recall { outline, table }));
    }

    /// Secondaries are given something else from now on, and its serial is answered. They are told afterwards.
    fn republish(&mut self) {
        let editions = Arc::clone(&self.editions.borrow_and_update());
        self.live.republish(Arc::clone(&editions));
        self.published.send_replace(editions);
    }

    fn wait(&self) -> Duration {
        let now = self.clock.mono();
        self.wake_at.map_or(STEP_EVERY_MAX, |at| at.since(now)).min(STEP_EVERY_MAX)
    }

    /// Ballots that are newer than what was heard of their node.
    fn news(&mut self, all: &BTreeMap<NodeId, Ballot>) -> Vec<Input> {
        let fresh = all.values().filter(|ballot| ballot.node != self.identity.node);
        let fresh = fresh.filter(|ballot| self.heard.get(&ballot.node).is_none_or(|seen| *seen != ballot.sequence));
        let fresh: Vec<Ballot> = fresh.cloned().collect();
        self.heard.extend(fresh.iter().map(|ballot| (ballot.node.clone(), ballot.sequence)));
        fresh.into_iter().map(Input::Heard).collect()
    }

    fn turn(&mut self, batch: &mut Vec<Input>) {
        let now = self.clock.now();
        if let Some(Input::Reloaded(fleet)) = batch.iter().rev().find(|input| matches!(input, Input::Reloaded(_))) {
            self.fleet = Arc::clone(fleet);
        }
        let step = match catch_unwind(AssertUnwindSafe(|| self.controller.step(now, batch.drain(..)))) {
            Ok(step) => step,
            Err(_) => self.begin_anew(),
        };
        batch.clear();
        self.apply(step);
        self.live.sweep();
        self.beat.send_replace(now.mono);
    }

    /// Deciding panicked: its state is not to be trusted any more. The answers stay; what was remembered is where it
    /// goes on.
    fn begin_anew(&mut self) -> Step {
        tracing::error!("deciding panicked; the answers stay, and deciding begins anew from what is remembered");
        let now = self.clock.now();
        let recall = Arc::clone(&self.memory.borrow());
        let memory = recall.whole();
        let (controller, mut step) = Controller::new(self.identity.clone(), Arc::clone(&self.fleet), &memory, now);
        self.controller = controller;
        step.events.push(Event {
            at: now.wall,
            generation: memory.generation,
            what: Happening::Node {
                condition: "deciding-panicked".into(),
                active: true,
                detail: "deciding panicked; verdicts begin anew from what is remembered".into(),
            },
        });
        step
    }

    fn apply(&mut self, step: Step) {
        let Step { snapshot, ballot, tempi, mut events, wake_at } = step;
        self.wake_at = wake_at;
        if let Some(tempi) = tempi {
            self.tempi.send_replace(tempi);
        }
        if let Some(ballot) = ballot {
            self.bus.publish(ballot);
        }
        if let Some(snapshot) = snapshot {
            self.swap(snapshot, &mut events);
        }
        for event in &events {
            if let Happening::Verdict { to, took_ms, .. } = &event.what {
                self.metrics.verdict(*to, took_ms.map(Duration::from_millis));
            }
        }
        if !events.is_empty() {
            (self.announce)(events);
        }
    }

    fn swap(&mut self, snapshot: Arc<Snapshot>, events: &mut Vec<Event>) {
        let before = self.live.load();
        let none = LastGood::new();
        let Ok(table) = catch_unwind(AssertUnwindSafe(|| crate::steer::compile(&snapshot, Some(&before), &none)))
        else {
            tracing::error!(generation = snapshot.generation, "compiling panicked; the last table stays");
            return;
        };
        // First of all: whoever asks must not wait for what is told and written.
        let table = self.live.swap(table);
        self.metrics.applied(self.clock.mono().since(snapshot.at.mono));
        let remembered = Recall { outline: self.controller.outline(self.clock.now()), table: Arc::clone(&table) };
        let overrides_moved = {
            let (last, next) = (&self.memory.borrow().outline, &remembered.outline);
            (&last.epoch, last.store_generation) != (&next.epoch, next.store_generation)
        };
        if overrides_moved {
            tokio::task::block_in_place(|| (self.persist)(&remembered.whole()));
        }
        events.extend(answer_events(&before, &table));
        self.memory.send_replace(Arc::new(remembered));
        self.snapshot.send_replace(snapshot);
    }
}

fn shared(state: &Durable) -> Input {
    Input::Shared { epoch: state.epoch.clone(), generation: state.generation, overrides: Arc::clone(&state.overrides) }
}

/// What the swap changes for those who ask: one event for each service whose answers are others now.
fn answer_events(before: &AnswerTable, after: &AnswerTable) -> Vec<Event> {
    let snapshot = after.snapshot();
    let mut told = HashSet::new();
    // Of both families the first that changed speaks for the service.
    let changes = after
        .changes_since(before, ANSWER_EVENTS_MAX)
        .into_iter()
        .filter(|change| told.insert(change.about().service.clone()));
    let event = |change: AnswerChange| Event {
        at: snapshot.at.wall,
        generation: snapshot.generation,
        what: Happening::Answers {
            service: change.about().service.clone(),
            from: endpoints(change.from.as_ref()),
            to: endpoints(change.to.as_ref()),
            pool_from: pool(change.from.as_ref()),
            pool_to: pool(change.to.as_ref()),
            none_healthy: change.to.as_ref().is_some_and(|set| !set.basis.is_healthy()),
        },
    };
    changes.take(ANSWER_EVENTS_MAX).map(event).collect()
}

fn endpoints(set: Option<&AnswerSet>) -> Vec<EndpointId> {
    let shares = set.into_iter().flat_map(|set| &set.pools).flat_map(|share| &share.endpoints);
    shares.map(|(endpoint, _)| endpoint.clone()).collect()
}

/// The pool, where it is one.
fn pool(set: Option<&AnswerSet>) -> Option<PoolId> {
    match set?.pools.as_slice() {
        [share] => Some(share.pool.clone()),
        _ => None,
    }
}
