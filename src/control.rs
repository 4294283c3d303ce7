//! The state machine of a node: `step(now, inputs) -> Step`. Pure; owned by one task, driven by `node` and by the
//! simulator alike.
//!
//! A step costs what changed: results and ballots mark the slots they touch, and only those are counted again. All of
//! them are looked at when it changes who votes, what is ordered, or the fleet.

mod brakes;
mod deciding;
pub mod direct;
mod duties;
mod events;
mod feeds;
mod foresight;
mod heartbeat;
mod held;
mod holds;
mod modes;
mod paths;
mod presences;
mod publish;
mod results;
mod returns;
pub mod rollout;
mod self_test;
mod slots;
mod tenure;
mod voters;
mod warnings;

use std::{collections::BTreeSet, sync::Arc};

pub use self::held::Loss;
use self::{
    brakes::Brakes,
    duties::Sharing,
    feeds::{Intake, Soft},
    heartbeat::Heartbeat,
    held::Durable,
    holds::Holds,
    presences::Presences,
    publish::Publisher,
    returns::Returns,
    self_test::Proof,
    slots::Slots,
    tenure::Tenures,
    voters::Voters,
    warnings::Warnings,
};
use crate::model::{
    Anchor, Availability, Ballot, Digest, DnsName, Duties, EndpointId, Event, Fleet, Here, LastGood, Load, Memory,
    Mode, Mono, NodeId, Now, Observation, Override, Presence, ProviderId, RegionId, Resolved, SelfTest, Snapshot,
    Tempi,
};

/// Who this node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its id.
    pub node: NodeId,
    /// Where it stands.
    pub region: Option<RegionId>,
    /// At whose place.
    pub provider: Option<ProviderId>,
}

/// What a node learns.
#[derive(Debug, Clone)]
pub enum Input {
    /// A probe of ours ended.
    Observed(Observation),
    /// A peer's ballot arrived (its own included; that one is ignored).
    Heard(Ballot),
    /// The durable state as the store has it now: all overrides, whole. An older generation of the same epoch is
    /// ignored; another epoch is another database, and what was known stays until [`Input::Adopted`].
    Shared {
        /// The database's identity.
        epoch: String,
        /// Rises with each commit.
        generation: u64,
        /// All of them, held or planned.
        overrides: Arc<[Override]>,
    },
    /// The store says of itself that it is not what it was. Nothing is taken from it until [`Input::Adopted`], or, of
    /// one that was replaced, until the one that was known is back.
    Lost(Loss),
    /// A person has said that this is the durable state from now on: it continues ours, whatever its epoch and
    /// generation.
    Adopted {
        /// The database's identity.
        epoch: String,
        /// Rises with each commit.
        generation: u64,
        /// All of them, held or planned.
        overrides: Arc<[Override]>,
    },
    /// The overrides that hold on this node alone, whole; they come before those that are shared.
    Local(Arc<[Override]>),
    /// A peer's presence arrived (its own is ignored; see [`Input::Echo`]).
    Present(Presence),
    /// This node's own presence came back through the store.
    Echo {
        /// Its sequence.
        sequence: u64,
    },
    /// Whether this node may write to the store it shares: said to the others.
    TakesOrders(bool),
    /// A person took a node out: it is no longer known, until it speaks again.
    Forget(NodeId),
    /// An anchor was asked.
    Anchored {
        /// Which.
        anchor: Anchor,
        /// Whether it answered.
        answered: bool,
        /// When it did, or was given up.
        at: Mono,
    },
    /// The configuration was replaced.
    Reloaded(Arc<Fleet>),
    /// An endpoint told its load, by a poll of ours or a push.
    Load {
        /// Which.
        endpoint: EndpointId,
        /// How busy it is, in the unit of its capacity.
        load: Load,
        /// When it was read.
        at: Mono,
    },
    /// A target was resolved.
    Resolved {
        /// The name.
        target: DnsName,
        /// What came of it.
        found: Resolved,
    },
}

/// What follows.
#[derive(Debug, Default)]
#[must_use]
pub struct Step {
    /// The new picture, if anything that counts changed.
    pub snapshot: Option<Arc<Snapshot>>,
    /// The ballot to publish, if it changed or its renewal is due.
    pub ballot: Option<Ballot>,
    /// What to say of this node, if it was introduced and that is due.
    pub presence: Option<Presence>,
    /// How soon targets are probed again, if that changed.
    pub tempi: Option<Arc<Tempi>>,
    /// Which endpoints are probed from here, if that changed.
    pub duties: Option<Arc<Duties>>,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// When to step again without any input: an override begins or ends, a ballot ages, a timer runs out.
    pub wake_at: Option<Mono>,
}

/// All that a node knows, and what follows from it.
///
/// Every function is total: whatever arrives, in whatever order and at whatever time, a step returns.
#[derive(Debug)]
pub struct Controller {
    me: Identity,
    slots: Slots,
    voters: Voters,
    tenures: Tenures,
    publisher: Publisher,
    proof: Proof,
    self_test: SelfTest,
    /// By family: all that is down there is this node's own fault.
    blind: [bool; 2],
    durable: Durable,
    generation: u64,
    started: Mono,
    mode: Mode,
    heartbeat: Heartbeat,
    presences: Presences,
    fleet_told: modes::Told,
    sharing: Sharing,
    /// Slots that this node alone sees down.
    last: BTreeSet<usize>,
    /// Ends of cooldowns.
    timers: BTreeSet<(Mono, usize)>,
    tempi: Arc<Tempi>,
    /// Endpoint-wide orders as last told, by endpoint.
    ordered: Vec<Option<Availability>>,
    orders_digest: Digest,
    conditions: events::Conditions,
    returns: Returns,
    holds: Holds,
    brakes: Brakes,
    warnings: Warnings,
    feeds: Intake,
    soft: Soft,
    snapshot: Arc<Snapshot>,
}

impl Controller {
    /// A node that starts, with what it remembers ([`Memory::default`] if nothing). The step has the first snapshot.
    pub fn new(me: Identity, fleet: Arc<Fleet>, memory: &Memory, now: Now) -> (Self, Step) {
        let slots = Slots::new(Arc::clone(&fleet), memory, now);
        let mut proof = Proof::default();
        proof.reload(&fleet);
        let snapshot = Snapshot {
            node: me.node.clone(),
            generation: memory.generation,
            digest: Digest::default(),
            at: now,
            fleet: Arc::clone(&fleet),
            verdicts: Box::default(),
            overrides: Arc::default(),
            planned: Arc::default(),
            ended: Arc::default(),
            feeds: Arc::default(),
            here: Here::default(),
        };
        let mut controller = Self {
            voters: Voters::new(me.clone(), &memory.known, now),
            tenures: Tenures::remembered(&memory.overrides, &memory.ended, memory.at, now),
            publisher: Publisher::new(now),
            proof,
            self_test: SelfTest::Unprovable,
            blind: [false; 2],
            durable: Durable::remembered(memory),
            generation: memory.generation,
            started: now.mono,
            mode: Mode::default(),
            heartbeat: Heartbeat::new(now),
            presences: Presences::default(),
            fleet_told: modes::Told::default(),
            sharing: Sharing::default(),
            last: BTreeSet::new(),
            timers: BTreeSet::new(),
            tempi: Arc::default(),
            ordered: vec![None; fleet.endpoints.len()],
            orders_digest: Digest::default(),
            conditions: events::Conditions::default(),
            returns: Returns::default(),
            holds: Holds::default(),
            brakes: Brakes::default(),
            warnings: Warnings::default(),
            feeds: Intake::default(),
            soft: Soft::new(now.mono),
            snapshot: Arc::new(snapshot),
            slots,
            me,
        };
        let mut work = deciding::Work::first();
        controller.adopt_held(memory);
        controller.holds.reload(&controller.slots);
        controller.adopt_brakes(memory, now);
        controller.feeds.reload(&fleet);
        controller.returns.reload(&fleet, now.mono);
        controller.returns.recall(&memory.lately, now.wall.since(memory.at), now.mono);
        let step = controller.conclude(now, &mut work);
        (controller, step)
    }

    /// Takes in what was learnt, in order, and says what follows. Inputs may be none: time alone changes things, at
    /// [`Step::wake_at`].
    pub fn step(&mut self, now: Now, inputs: impl IntoIterator<Item = Input>) -> Step {
        let mut work = deciding::Work::default();
        for input in inputs {
            match input {
                Input::Observed(observation) => self.observe(now, &observation, &mut work),
                Input::Heard(ballot) if ballot.node == self.me.node => self.publisher.echo(ballot.sequence),
                Input::Heard(ballot) => {
                    let fleet = Arc::clone(&self.slots.fleet);
                    self.voters.hear(now, ballot, &fleet, &mut work.recount);
                }
                Input::Shared { epoch, generation, overrides } => {
                    self.share(now, epoch, generation, &overrides, false, &mut work);
                }
                Input::Adopted { epoch, generation, overrides } => {
                    self.share(now, epoch, generation, &overrides, true, &mut work);
                }
                Input::Local(overrides) => self.keep_local(now, overrides, &mut work),
                Input::Lost(loss) => self.lose(loss, &mut work),
                Input::Present(presence) => self.meet(now, presence, &mut work),
                Input::Echo { sequence } => self.heartbeat.echo(sequence, now.mono),
                Input::TakesOrders(takes) => self.heartbeat.takes_orders(takes),
                Input::Forget(node) => self.forget(&node, &mut work),
                Input::Anchored { anchor, answered, at } => self.proof.anchor(&anchor, answered, at),
                Input::Reloaded(fleet) => self.reload(now, fleet, &mut work),
                Input::Load { endpoint, load, at } => self.feeds.load(&endpoint, load, at, now.mono),
                Input::Resolved { target, found } => self.feeds.resolve(&target, found),
            }
        }
        self.conclude(now, &mut work)
    }

    /// What is to be kept for the next start. `last_good` comes from the answer table. It is worth writing after each
    /// snapshot and every few minutes: verdicts of a memory older than ten minutes are not believed.
    #[must_use]
    pub fn memory(&self, now: Now, last_good: LastGood) -> Memory {
        Memory { verdicts: self.snapshot.remembered(), last_good, ..self.outline(now) }
    }

    /// The part of [`Controller::memory`] that is not in the snapshot and its answer table: small, and so cheap enough
    /// to be kept at each of them.
    #[must_use]
    pub fn outline(&self, now: Now) -> Memory {
        Memory {
            at: now.wall,
            generation: self.generation,
            epoch: self.durable.epoch.clone(),
            store_generation: self.durable.generation,
            overrides: self.tenures.active().iter().chain(self.tenures.planned().iter()).cloned().collect(),
            ended: self.tenures.ended().clone(),
            known: self.voters.known(),
            delays: self.slots.delays(now.mono),
            braked: self.brakes.kept(now.mono),
            lately: self.returns.ended().iter().map(|e| (e.order.clone(), now.mono.since(e.at))).collect(),
            ..Memory::default()
        }
    }

    /// The newest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Whether this node's own votes count now.
    #[must_use]
    pub fn votes(&self) -> bool {
        self.voters.right(self.slots.fleet.verdict.alone, self.self_test) == voters::Right::Votes
    }

    /// What this node knows of its own network.
    #[must_use]
    pub fn self_test(&self) -> SelfTest {
        self.self_test
    }

    fn meet(&mut self, now: Now, presence: Presence, work: &mut deciding::Work) {
        let node = presence.node.clone();
        let stale_after = self.slots.fleet.verdict.stale_after;
        if node != self.me.node && self.presences.hear(now, presence.clone(), stale_after) {
            self.voters.meet(now, &presence, &mut work.recount);
        }
    }

    fn forget(&mut self, node: &NodeId, work: &mut deciding::Work) {
        if self.voters.forget(node, &mut work.recount) {
            self.sharing.roster.forget(node);
            work.met = true;
        }
    }
}

#[cfg(test)]
mod tests;
