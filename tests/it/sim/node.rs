//! A node under simulation: its controller, its probes, its clocks, and what it was really told.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use wayshift::{
    control::{Controller, Identity, Input, Step},
    model::{
        Ballot, Duties, Failure, Family, Fleet, Health, Known, Memory, Mono, NodeId, Now, Observation, Outcome,
        Override, OverrideId, OwnFault, Phases, Process, Snapshot, Target, Tempi, Tempo, Wall,
    },
    steer::AnswerTable,
};

use super::{
    brakes::{Braking, Left},
    modes::Modes,
    recovery::Recovery,
    setup::Setup,
};

/// True time zero, as a time of day.
pub(super) const BASE: u64 = 1_760_000_000_000;

/// What a process's monotonic clock shows at its start.
pub(super) const BEGINS: u64 = 1_000_000_000;

/// How a vantage is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// Nothing beyond this node answers.
    Network,
    /// Its probes end in faults of its own.
    Resources,
    /// Its IPv6 reaches nothing.
    NoV6,
}

pub(super) struct Node {
    pub me: Identity,
    /// `None` while it is down, until this true time.
    pub run: Option<Run>,
    pub back_at: u64,
    /// What is on its disk.
    pub disk: Memory,
    pub offset: i64,
    pub fault: Fault,
    /// The configuration it starts with.
    pub fleet: Arc<Fleet>,
    /// Survives restarts: generations never go back.
    pub generation: u64,
    /// Survives restarts: what has run out here.
    pub dropped: HashSet<(OverrideId, Wall)>,
    /// What is on its disk, as `recovery` understands it.
    pub recovery: Recovery,
    /// The same, as `brakes` does.
    pub left: Left,
}

/// One life of its process.
pub(super) struct Run {
    pub controller: Controller,
    pub origin: u64,
    pub wake_at: Option<Mono>,
    pub tempi: Arc<Tempi>,
    pub duties: Arc<Duties>,
    pub probes: HashMap<Target, Probe>,
    pub inbox: Vec<Input>,
    pub table: Option<AnswerTable>,
    pub told: Told,
}

/// What a judge of the node may know: what reached it, by other means than its own.
#[derive(Default)]
pub(super) struct Told {
    pub heard: BTreeMap<NodeId, (Ballot, Mono)>,
    pub known: BTreeMap<NodeId, Known>,
    pub own: Option<Ballot>,
    pub shared: (u64, Arc<[Override]>),
    /// The clock has never been off in this life.
    pub clock_true: bool,
    /// When it was first received in this life, and whether the clock was right then.
    pub received: HashMap<(OverrideId, Wall), (u64, bool)>,
    pub before: Option<Arc<Snapshot>>,
    /// Health by target as the events tell it.
    pub by_events: BTreeMap<(Target, Family), Health>,
    pub orders_by_events: HashSet<OverrideId>,
    pub published: Option<(u64, Mono)>,
    pub recovery: Recovery,
    pub braking: Braking,
    pub modes: Modes,
    /// A person has not said yet what holds of a store that was rewound.
    pub lost: bool,
    /// Some durable state was ever applied; without one nothing can be lost.
    pub applied: bool,
}

pub(super) struct Probe {
    pub last_start: u64,
    pub next: u64,
    /// When it ends, and what it will have seen.
    pub flight: Option<(u64, Observation)>,
}

impl Node {
    pub(super) fn now(&self, t: u64) -> Now {
        let origin = self.run.as_ref().map_or(t, |run| run.origin);
        Now { mono: Mono(BEGINS + t - origin), wall: self.wall(t) }
    }

    pub(super) fn wall(&self, t: u64) -> Wall {
        Wall((BASE + t).saturating_add_signed(self.offset))
    }

    /// Starts from disk.
    pub(super) fn start(&mut self, t: u64) -> Step {
        let now = Now { mono: Mono(BEGINS), wall: self.wall(t) };
        let (mut controller, step) = Controller::new(self.me.clone(), Arc::clone(&self.fleet), &self.disk, now);
        controller.introduce(Process { boot: t, version: "sim".into(), probes: true, orders: true, admin: Vec::new() });
        let told = Told {
            known: self.disk.known.clone(),
            shared: (self.disk.store_generation, self.disk.overrides.clone().into()),
            clock_true: self.offset == 0,
            applied: !self.disk.epoch.is_empty(),
            received: self.disk.overrides.iter().map(|order| ((order.id.clone(), order.expires), (t, false))).collect(),
            recovery: self.recovery.started(now.wall.since(self.disk.at)),
            braking: Braking::started(&self.left, now.wall.since(self.disk.at)),
            ..Told::default()
        };
        self.run = Some(Run {
            controller,
            origin: t,
            wake_at: None,
            tempi: Arc::default(),
            duties: Arc::default(),
            probes: HashMap::new(),
            inbox: Vec::new(),
            table: None,
            told,
        });
        step
    }
}

impl Run {
    /// Starts and ends probes; results go to the inbox.
    pub(super) fn probe(
        &mut self,
        t: u64,
        now: Now,
        setup: &Setup,
        rng: &mut fastrand::Rng,
        reaches: impl Fn(usize, Family) -> Outcome,
    ) {
        let fleet = Arc::clone(&self.controller.snapshot().fleet);
        let duties = Arc::clone(&self.duties);
        let mine = |target: &Target| duties.get(&target.subject.endpoint).is_none_or(|duty| duty.is_mine());
        let targets: HashSet<Target> = fleet.targets().map(|(_, target)| target).filter(|t| mine(t)).collect();
        self.probes.retain(|target, probe| targets.contains(target) || probe.flight.is_some());
        for (ix, target) in fleet.targets().filter(|(_, target)| targets.contains(target)) {
            let (subject, check) = (fleet.subject(ix), &setup.check);
            let interval = check.interval.as_millis() as u64;
            let pause = match self.tempi.get(&target).copied().unwrap_or_default() {
                Tempo::Steady => interval,
                Tempo::Recheck => interval.min(check.recheck.as_millis() as u64),
                Tempo::Undecided => interval.min(1_000),
                Tempo::Rested => interval * 3,
            };
            let first = Probe { last_start: t, next: t, flight: None };
            let probe = self.probes.entry(target.clone()).or_insert(first);
            if probe.flight.is_none() && (probe.next <= t || (pause < interval && probe.last_start + pause <= t)) {
                let outcome = reaches(subject.endpoint.index(), target.family);
                let took = match outcome {
                    Outcome::Fail(_) => check.timeout.as_millis() as u64,
                    Outcome::Pass | Outcome::Complaint(_) | Outcome::Abstain(_) => 40,
                };
                let observation = Observation {
                    target: target.clone(),
                    revision: fleet.check(subject.check.unwrap()).revision,
                    address: (fleet.endpoint(subject.endpoint).address(target.family).unwrap(), 80).into(),
                    at: now,
                    outcome,
                    phases: Phases {
                        first_byte: Some(std::time::Duration::from_millis(took / 2)),
                        total: std::time::Duration::from_millis(took),
                        ..Phases::default()
                    },
                    status: None,
                    cert_left: None,
                };
                (probe.last_start, probe.next) = (t, t + pause + rng.u64(0..=interval / 20));
                probe.flight = Some((t + took, observation));
            }
        }
        for probe in self.probes.values_mut() {
            if let Some((_, mut observation)) = probe.flight.take_if(|(end, _)| *end <= t) {
                observation.at = now;
                self.inbox.push(Input::Observed(observation));
            }
        }
        self.inbox.sort_by_key(|input| match input {
            Input::Observed(seen) => Some(seen.target.clone()),
            Input::Heard(_)
            | Input::Shared { .. }
            | Input::Lost(_)
            | Input::Adopted { .. }
            | Input::Present(_)
            | Input::Echo { .. }
            | Input::Forget(_)
            | Input::Anchored { .. }
            | Input::Reloaded(_)
            | Input::Load { .. }
            | Input::Local(_)
            | Input::TakesOrders(_)
            | Input::Resolved { .. } => None,
        });
    }

    /// Notes what is about to be told, as the node should understand it.
    pub(super) fn note(&mut self, t: u64, now: Now, clock_right: bool, inputs: &[Input], me: &NodeId) {
        self.told.clock_true &= clock_right;
        for input in inputs {
            match input {
                Input::Heard(ballot) if ballot.node != *me => {
                    // Of who was silent any other ballot is new: its clock may have run ahead before.
                    let newer = self.told.heard.get(&ballot.node).is_none_or(|(held, arrived)| {
                        let silent = arrived.0 + 10_000 <= now.mono.0 && held.sequence != ballot.sequence;
                        held.sequence < ballot.sequence || silent
                    });
                    if newer {
                        self.told.heard.insert(ballot.node.clone(), (ballot.clone(), now.mono));
                        let (region, provider) = (ballot.region.clone(), ballot.provider.clone());
                        self.told.known.insert(
                            ballot.node.clone(),
                            Known { region, provider, heard: now.wall, admin: Vec::new() },
                        );
                    }
                }
                Input::Present(presence) if presence.node != *me => {
                    let (region, provider) = (presence.region.clone(), presence.provider.clone());
                    let known = Known { region, provider, heard: now.wall, admin: Vec::new() };
                    self.told.known.insert(presence.node.clone(), known);
                }
                Input::Echo { sequence } => self.told.modes.echo(*sequence, now.mono),
                Input::Lost(_) => self.told.lost |= self.told.applied,
                Input::Adopted { generation, overrides, .. } | Input::Shared { generation, overrides, .. }
                    if matches!(input, Input::Adopted { .. })
                        || (!self.told.lost && self.told.shared.0 <= *generation) =>
                {
                    (self.told.lost, self.told.applied) = (false, true);
                    self.told.shared = (*generation, Arc::clone(overrides));
                    for order in overrides.iter() {
                        self.told.received.entry((order.id.clone(), order.expires)).or_insert((t, clock_right));
                    }
                }
                Input::Load { endpoint, load, at } => self.told.recovery.load(endpoint, *load, *at),
                Input::Observed(_)
                | Input::Heard(_)
                | Input::Shared { .. }
                | Input::Adopted { .. }
                | Input::Present(_)
                | Input::Forget(_)
                | Input::Anchored { .. }
                | Input::Reloaded(_)
                | Input::Local(_)
                | Input::TakesOrders(_)
                | Input::Resolved { .. } => {}
            }
        }
    }
}

pub(super) fn failed() -> Outcome {
    Outcome::Fail(Failure::Timeout)
}

pub(super) fn own_fault() -> Outcome {
    Outcome::Abstain(OwnFault::NoResources)
}
