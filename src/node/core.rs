//! The control loop: gathers what arrived, steps once, compiles once, swaps once.
//!
//! One task owns the controller, so nothing in it is locked. It runs at its own pace: a storm of probe results costs
//! one table, not a thousand. A panic inside deciding keeps the answers that stand and starts deciding anew from what
//! was remembered.

mod parts;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub(super) use self::parts::{CoreHandle, CoreParts};
use super::{
    answers::answer_events,
    durable::{changed_of, shared},
    news::News,
    recall::Recall,
};
use crate::{
    clock::Clock,
    control::{Controller, Identity, Input, Loss, Step},
    model::{
        Ballot, Company, Duties, Event, Fleet, Happening, LastGood, Memory, Mono, Now, Presence, Process, Snapshot,
        Tempi,
    },
    steer::{Editions, Live, Locator},
    store::{BallotBus, Durable},
    telemetry::control::ControlMetrics,
};

/// Most inputs of one step; the rest waits for the next, which follows at once.
pub(super) const INPUTS_PER_STEP_MAX: usize = 4096;
/// Inputs that may wait; probes wait for room beyond it.
pub(super) const INBOX_MAX: usize = 8192;
/// The loop looks at its clock at least this often, whatever the controller asks for.
const STEP_EVERY_MAX: Duration = Duration::from_secs(1);

/// The loop before it runs: a first snapshot is decided and compiled, so that doors have answers when they open.
pub(super) struct Core {
    controller: Controller,
    identity: Identity,
    process: Option<Process>,
    clock: Clock,
    bus: Arc<dyn BallotBus>,
    durable: watch::Receiver<Arc<Durable>>,
    local: Option<watch::Receiver<Arc<Durable>>>,
    takes_orders: watch::Receiver<bool>,
    held: watch::Receiver<bool>,
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
    duties: watch::Sender<Arc<Duties>>,
    company: watch::Sender<Arc<Company>>,
    ballot: watch::Sender<Option<Arc<Ballot>>>,
    /// When the company was last looked at, and what this node last said of itself.
    looked: Mono,
    said: Option<Presence>,
    memory: watch::Sender<Arc<Recall>>,
    panics: Arc<AtomicU64>,
    beat: watch::Sender<Mono>,
    news: News,
    wake_at: Option<Mono>,
    fleet: Arc<Fleet>,
}

impl Core {
    /// Decides and compiles for the first time.
    pub(super) fn new(parts: CoreParts) -> (Self, CoreHandle) {
        let CoreParts {
            identity,
            process,
            fleet,
            memory,
            clock,
            bus,
            durable,
            mut local,
            takes_orders,
            held,
            mut locator,
            editions,
            mut announce,
            mut persist,
            metrics,
        } = parts;
        let (inbox_in, inbox) = mpsc::channel(INBOX_MAX);
        let now = clock.now();
        let (mut controller, mut step) = Controller::new(identity.clone(), Arc::clone(&fleet), &memory, now);
        if let Some(process) = process.clone() {
            controller.introduce(process);
        }
        let own = local.as_mut().map_or_else(Arc::default, |local| Arc::clone(&local.borrow_and_update().overrides));
        let with_store = controller.step(now, [shared(&durable.borrow(), &memory.epoch), Input::Local(own)]);
        let first = step.snapshot.take();
        let snapshot = with_store.snapshot.or(first).expect("a controller decides when it is made");
        step.events.extend(with_store.events);
        let table = crate::steer::compile(&snapshot, None, &memory.last_good);
        let live = Live::new(table.with_locator(Arc::clone(&locator.borrow_and_update())));
        let remembered = Recall { outline: controller.outline(now), table: live.load() };
        persist(&remembered.whole());
        announce(std::mem::take(&mut step.events));
        let tempi = with_store.tempi.or(step.tempi).unwrap_or_default();
        let duties = with_store.duties.or(step.duties).unwrap_or_default();
        let said = with_store.presence.or(step.presence);
        if let Some(presence) = said.clone() {
            bus.introduce(presence);
        }
        let mut spoken = None;
        if let Some(ballot) = with_store.ballot.or(step.ballot) {
            spoken = Some(Arc::new(ballot.clone()));
            bus.publish(ballot);
        }
        let (snapshot, snapshots) = watch::channel(snapshot);
        let (tempi, tempis) = watch::channel(tempi);
        let (duties, duties_seen) = watch::channel(duties);
        let (company, companies) = watch::channel(Arc::default());
        let (ballot, ballots) = watch::channel(spoken);
        let (memory, memories) = watch::channel(Arc::new(remembered));
        let (beat, beats) = watch::channel(now.mono);
        let (published, publishes) = watch::channel(Arc::default());
        let panics = Arc::new(AtomicU64::new(0));
        let handle = CoreHandle {
            inbox: inbox_in,
            snapshot: snapshots,
            live: live.clone(),
            tempi: tempis,
            duties: duties_seen,
            company: companies,
            ballot: ballots,
            memory: memories,
            panics: Arc::clone(&panics),
            beat: beats,
            editions: publishes,
        };
        let mut core = Self {
            controller,
            news: News::new(identity.node.clone()),
            identity,
            process,
            clock,
            bus,
            durable,
            local,
            takes_orders,
            held,
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
            duties,
            company,
            ballot,
            looked: Mono::default(),
            said,
            memory,
            panics,
            beat,
            wake_at: with_store.wake_at.or(step.wake_at),
            fleet,
        };
        core.look(now);
        (core, handle)
    }

    /// Runs until told to stop.
    pub(super) async fn run(mut self, until: CancellationToken) {
        let mut voices = self.bus.watch();
        let mut batch = Vec::new();
        let (mut store_gone, mut places_gone, mut never_held) = (false, false, false);
        loop {
            let wait = self.wait();
            tokio::select! {
                biased;
                () = until.cancelled() => return,
                changed = self.durable.changed(), if !store_gone => match changed {
                    Ok(()) => batch.push(self.share()),
                    // The store's end must not end deciding: the last overrides stay.
                    Err(_) => store_gone = true,
                },
                Some(own) = changed_of(self.local.as_mut()) => batch.push(Input::Local(own)),
                Ok(()) = self.takes_orders.changed() => {
                    let takes = *self.takes_orders.borrow_and_update();
                    self.process.iter_mut().for_each(|process| process.orders = takes);
                    batch.push(Input::TakesOrders(takes));
                }
                changed = self.held.changed(), if !never_held => {
                    let held = *self.held.borrow_and_update();
                    match changed {
                        Ok(()) if held => batch.push(Input::Lost(Loss::Replaced)),
                        // It is what it was, or was adopted: what it holds counts again.
                        Ok(()) => batch.push(self.share()),
                        Err(_) => never_held = true,
                    }
                },
                changed = self.locator.changed(), if !places_gone => match changed {
                    Ok(()) => self.relocate(),
                    Err(_) => places_gone = true,
                },
                Ok(()) = self.editions.changed() => self.republish(),
                Ok(()) = voices.changed() => {
                    let all = Arc::clone(&voices.borrow_and_update());
                    batch.extend(self.news.of(&all));
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
        let table = self.live.relocate(Arc::clone(&self.locator.borrow_and_update()));
        let outline = self.memory.borrow().outline.clone();
        self.memory.send_replace(Arc::new(Recall { outline, table }));
    }

    /// Secondaries are given something else from now on, and its serial is answered. They are told afterwards.
    fn republish(&mut self) {
        let editions = Arc::clone(&self.editions.borrow_and_update());
        self.live.republish(Arc::clone(&editions));
        self.published.send_replace(editions);
    }

    /// What the store holds.
    fn share(&mut self) -> Input {
        let state = Arc::clone(&self.durable.borrow_and_update());
        shared(&state, &self.memory.borrow().outline.epoch)
    }

    fn wait(&self) -> Duration {
        let now = self.clock.mono();
        self.wake_at.map_or(STEP_EVERY_MAX, |at| at.since(now)).min(STEP_EVERY_MAX)
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
        let moved = step.snapshot.is_some();
        self.apply(step);
        if moved || STEP_EVERY_MAX <= now.mono.since(self.looked) {
            self.look(now);
        }
        self.live.sweep();
        self.beat.send_replace(now.mono);
    }

    /// Looks around, for whoever asks who else is there.
    fn look(&mut self, now: Now) {
        self.looked = now.mono;
        let company = Company {
            mode: self.controller.mode(),
            own: self.said.clone(),
            votes: self.controller.votes(),
            overdue: self.controller.overdue(now.mono),
            others: self.controller.nodes(now),
        };
        self.company.send_if_modified(|known| {
            let changed = **known != company;
            if changed {
                *known = Arc::new(company);
            }
            changed
        });
    }

    /// Deciding panicked: its state is not to be trusted any more. The answers stay; what was remembered is where it
    /// goes on.
    fn begin_anew(&mut self) -> Step {
        self.panics.fetch_add(1, Ordering::Relaxed);
        tracing::error!("deciding panicked; the answers stay, and deciding begins anew from what is remembered");
        let now = self.clock.now();
        let memory = self.memory.borrow().whole();
        let (mut controller, mut step) = Controller::new(self.identity.clone(), Arc::clone(&self.fleet), &memory, now);
        if let Some(process) = self.process.clone() {
            controller.introduce(process);
        }
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
        let Step { snapshot, ballot, tempi, mut events, wake_at, presence, duties } = step;
        self.wake_at = wake_at;
        if let Some(tempi) = tempi {
            self.tempi.send_replace(tempi);
        }
        if let Some(duties) = duties {
            self.duties.send_replace(duties);
        }
        if let Some(ballot) = ballot {
            self.news.published(ballot.sequence);
            self.ballot.send_replace(Some(Arc::new(ballot.clone())));
            self.bus.publish(ballot);
        }
        if let Some(presence) = presence {
            self.said = Some(presence.clone());
            self.bus.introduce(presence);
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
        // It stays where it is until its fleet comes.
        let other = before.snapshot().fleet.digest != snapshot.fleet.digest;
        let ground = other.then(|| self.live.prepared()).flatten();
        let compiled = || crate::steer::compile_on(ground, &snapshot, Some(&before), &none);
        let Ok(table) = catch_unwind(AssertUnwindSafe(compiled)) else {
            self.panics.fetch_add(1, Ordering::Relaxed);
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
