//! From what was learnt in a step to what follows: counting again what may have changed, orders, timers, the digest.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};

use super::{Controller, Step, events, slots::Slot, voters::Recount};
use crate::{
    judge::{Orders, quorum},
    model::{
        Action, Availability, Cause, Digest, EndpointIx, Family, Fleet, Happening, Health, Memory, Mono, Now,
        Observation, Override, OwnFault, Snapshot, SubjectIx, Tempo, Verdict, Vote, digest,
    },
};

/// A family is suspected as a whole only if so many endpoints have it; fewer may well be down together.
const BLIND_ENDPOINTS_MIN: usize = 3;

/// What a step has touched so far.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub recount: Recount,
    pub told: Vec<Happening>,
    pub fleet_changed: bool,
    /// The first step of a process tells nothing of what it remembers.
    pub first: bool,
    /// Slots whose verdict changed.
    pub changed: BTreeSet<usize>,
    /// Slots whose order or freeze changed.
    ordered: HashSet<usize>,
    /// Of slots that were counted and changed: what was before.
    before: HashMap<usize, (Verdict, Health)>,
    /// Some result came in.
    pub own_votes: bool,
    /// Slots whose tempo changed.
    pub tempi: Vec<usize>,
}

impl Work {
    /// All of it: a process begins.
    pub(super) fn first() -> Self {
        Self { fleet_changed: true, first: true, ..Self::default() }
    }
}

impl Controller {
    pub(super) fn observe(&mut self, now: Now, seen: &Observation, work: &mut Work) {
        let Some(place) = self.slots.place(seen) else { return };
        // Only what is down can recover, and asking costs a walk over the endpoint's services.
        let is_down = |slot: &Slot| slot.probed.as_ref().is_some_and(|p| p.standing.health() == Health::Down);
        let urgent = self.slots.list[place].as_ref().is_some_and(is_down) && self.slots.urgent(place);
        let fleet = Arc::clone(&self.slots.fleet);
        let Some(slot) = &mut self.slots.list[place] else { return };
        let Some(probed) = &mut slot.probed else { return };
        let check = fleet.check(probed.check);
        self.proof.observe(&fleet, &self.me, slot.endpoint, check, seen);
        let ripe_before = probed.standing.ripe_at(check);
        probed.standing.observe(check, seen, urgent);
        let ripe = probed.standing.ripe_at(check);
        if ripe != ripe_before {
            ripe_before.map(|at| self.timers.remove(&(at, place)));
            ripe.map(|at| self.timers.insert((at, place)));
        }
        let tempo = probed.standing.tempo(now.mono);
        if self.tempi.get(&probed.target).copied().unwrap_or_default() != tempo {
            work.tempi.push(place);
        }
        work.own_votes = true;
        work.recount.slots.push(place);
    }

    pub(super) fn reload(&mut self, now: Now, fleet: Arc<Fleet>, work: &mut Work) {
        if fleet.digest == self.slots.fleet.digest {
            return;
        }
        let told = self.ordered_by_id();
        let slots = std::mem::replace(&mut self.slots, super::Slots::new(Fleet::empty(), &Memory::default(), now));
        self.slots = slots.reloaded(Arc::clone(&fleet), now);
        self.ordered = fleet.endpoints.iter().map(|endpoint| told.get(&endpoint.id).copied()).collect();
        self.voters.reload(&fleet);
        self.proof.reload(&fleet, &self.me);
        let slots = &self.slots;
        self.publisher.retain(|target| {
            fleet
                .find_subject(&target.subject)
                .is_some_and(|subject| slots.list[Snapshot::slot(subject, target.family)].is_some())
        });
        self.timers =
            (0..self.slots.list.len()).filter_map(|place| Some((self.slots.ripe_at(place)?, place))).collect();
        work.recount = Recount { all: true, slots: Vec::new() };
        work.changed.clear();
        work.tempi.clear();
        work.fleet_changed = true;
        work.told.push(Happening::Reloaded { digest: fleet.digest });
    }

    /// A freeze that held at the last writing holds what was in force then, unless that was an order.
    pub(super) fn adopt_held(&mut self, memory: &Memory) {
        let fleet = Arc::clone(&self.slots.fleet);
        let then: Vec<Override> = memory.overrides.iter().filter(|order| order.holds(memory.at)).cloned().collect();
        let orders = Orders::new(&fleet, &then);
        for (place, slot) in self.slots.list.iter_mut().enumerate() {
            let Some(slot) = slot else { continue };
            let frozen = orders.freeze(SubjectIx::new(place / 2)).is_some();
            if frozen && availability(orders.availability(slot.endpoint)).is_none() {
                slot.base = slot.verdict.health;
            }
        }
    }

    /// Lets time pass, counts again, and gathers what follows.
    pub(super) fn conclude(&mut self, now: Now, work: &mut Work) -> Step {
        self.ripen(now.mono, work);
        self.voters.age(now.mono, &mut work.recount);
        let orders_changed = self.tenures.pass(now, &mut work.told);
        let own_test = self.proof.state(self.voters.alone(), now.mono);
        work.recount.all |= own_test != self.self_test || work.fleet_changed;
        self.self_test = own_test;
        self.publisher.test(own_test);
        if work.recount.all {
            self.voters.seat(own_test);
        }
        if orders_changed || work.fleet_changed {
            self.apply_orders(work);
        }
        self.count(now, work);
        self.hurry(now, work);
        let mut step = Step { tempi: self.new_tempi(now.mono, work), ..Step::default() };
        events::conditions(self, work);
        if orders_changed || work.fleet_changed || !work.changed.is_empty() {
            self.generation += 1;
            events::verdicts(self, now, work);
            step.snapshot = Some(self.take_snapshot(now));
        }
        step.events = super::tenure::dated(std::mem::take(&mut work.told), now.wall, self.generation);
        let stale_after = self.slots.fleet.verdict.stale_after;
        step.ballot = self.publisher.due(now.mono, stale_after, &self.me);
        step.wake_at = self.wake_at(now);
        step
    }

    /// Recoveries whose cooldown has ended.
    fn ripen(&mut self, now: Mono, work: &mut Work) {
        while let Some((at, place)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, place));
            self.turn_up_ripe(place, now, false, work);
        }
    }

    fn turn_up_ripe(&mut self, place: usize, now: Mono, urgent: bool, work: &mut Work) -> bool {
        let fleet = Arc::clone(&self.slots.fleet);
        let Some(probed) = self.slots.list[place].as_mut().and_then(|slot| slot.probed.as_mut()) else { return false };
        let check = fleet.check(probed.check);
        let before = probed.standing.ripe_at(check);
        let turned = probed.standing.ripen(check, now, urgent);
        if turned {
            before.map(|at| self.timers.remove(&(at, place)));
            work.own_votes = true;
            work.recount.slots.push(place);
            work.tempi.push(place);
        }
        turned
    }

    /// Where a service has lost its last healthy endpoint, what was recovering is taken at once.
    fn hurry(&mut self, now: Now, work: &mut Work) {
        let fell: Vec<usize> = (work.changed.iter().copied())
            .filter(|place| self.slots.list[*place].as_ref().is_some_and(|slot| !slot.verdict.health.works()))
            .collect();
        let mut hurried = false;
        for place in fell {
            if !self.slots.urgent(place) {
                continue;
            }
            for other in self.slots.companions(place) {
                let recovers = |slot: &Slot| slot.probed.as_ref().is_some_and(|p| p.standing.recovers());
                if self.slots.list[other].as_ref().is_some_and(recovers) && self.slots.urgent(other) {
                    hurried |= self.turn_up_ripe(other, now.mono, true, work);
                }
            }
        }
        if hurried {
            self.count(now, work);
        }
    }

    /// Sets the endpoint-wide order and the freeze of every slot.
    fn apply_orders(&mut self, work: &mut Work) {
        let fleet = Arc::clone(&self.slots.fleet);
        let active = Arc::clone(self.tenures.active());
        let orders = Orders::new(&fleet, &active);
        self.orders_digest =
            digest::of(&active.iter().map(|o| (&o.id, &o.action, &o.target, o.expires)).collect::<Vec<_>>());
        for (place, told) in self.ordered.iter_mut().enumerate() {
            let now = availability(orders.availability(EndpointIx::new(place))).map(|(word, _)| word);
            if *told != now && !work.first {
                let endpoint = fleet.endpoints[place].id.clone();
                work.told.push(Happening::Ordered { endpoint, from: *told, to: now });
            }
            *told = now;
        }
        for (place, slot) in self.slots.list.iter_mut().enumerate() {
            let Some(slot) = slot else { continue };
            let order = availability(orders.availability(slot.endpoint));
            let frozen = orders.freeze(SubjectIx::new(place / 2)).map(|order| order.id.clone());
            if slot.verdict.order != order || slot.verdict.frozen != frozen {
                (slot.verdict.order, slot.verdict.frozen) = (order, frozen);
                work.changed.insert(place);
                work.ordered.insert(place);
                work.recount.slots.push(place);
            }
        }
    }

    fn ordered_by_id(&self) -> HashMap<crate::model::EndpointId, Availability> {
        let told = self.slots.fleet.endpoints.iter().zip(&self.ordered);
        told.filter_map(|(endpoint, order)| Some((endpoint.id.clone(), (*order)?))).collect()
    }

    /// Counts the votes of what was touched.
    fn count(&mut self, now: Now, work: &mut Work) {
        if std::mem::take(&mut work.own_votes) || work.fleet_changed {
            let blind = self.blindness();
            work.recount.all |= blind != self.blind;
            self.blind = blind;
        }
        let places: Vec<usize> = if std::mem::take(&mut work.recount.all) {
            work.recount.slots.clear();
            (0..self.slots.list.len()).collect()
        } else {
            let mut places = std::mem::take(&mut work.recount.slots);
            places.sort_unstable();
            places.dedup();
            places
        };
        let mut voices = Vec::new();
        for place in places {
            self.judge(place, now, &mut voices, work);
        }
    }

    /// Counts the votes on a slot. Counted twice in a step, it starts both times from what was before the step, so that
    /// a step is one decision.
    fn judge(&mut self, place: usize, now: Now, voices: &mut Vec<quorum::Voice>, work: &mut Work) {
        let own = self.own_vote(place);
        let Some(slot) = &mut self.slots.list[place] else { return };
        if let Some((verdict, base)) = work.before.remove(&place) {
            (slot.verdict, slot.base) = (verdict, base);
            if !work.ordered.contains(&place) {
                work.changed.remove(&place);
            }
        }
        let mut verdict = slot.verdict.clone();
        let base = slot.base;
        if let Some(probed) = &mut slot.probed {
            if probed.said != own {
                probed.said = own;
                self.publisher.vote(&probed.target, own);
            }
            voices.clear();
            voices.extend(self.voters.voices(place, own));
            let (policy, regions) = (&self.slots.fleet.verdict, self.voters.known_regions());
            let measured = quorum::measure(policy, voices, regions, verdict.measured, &verdict.cause);
            (verdict.measured, verdict.cause, verdict.tally) = (measured.health, measured.cause, measured.tally);
            if verdict.cause == Cause::Voted && probed.standing.awaits_new_check() {
                verdict.cause = Cause::CheckChanged;
            }
        }
        if verdict.frozen.is_none() {
            slot.base = verdict.measured;
        }
        verdict.health = match &verdict.order {
            Some((Availability::Up, _)) => Health::Up,
            Some((Availability::Down, _)) => Health::Down,
            Some((Availability::Drain, _)) | None => slot.base,
        };
        if verdict.health != slot.verdict.health {
            (verdict.since, verdict.since_mono) = (now.wall, Some(now.mono));
        }
        if verdict != slot.verdict {
            let before = std::mem::replace(&mut slot.verdict, verdict);
            work.before.insert(place, (before, base));
            work.changed.insert(place);
        }
    }

    /// Our vote; what is down in a family that fails as a whole is our own fault.
    fn own_vote(&self, place: usize) -> Option<Vote> {
        let vote = self.slots.list[place].as_ref()?.probed.as_ref()?.standing.vote()?;
        Some(if vote == Vote::Down && self.blind[place % 2] { Vote::Abstain(OwnFault::NoFamily) } else { vote })
    }

    /// By family: every endpoint that has it is down there, and most of those that have the other are up in that.
    fn blindness(&self) -> [bool; 2] {
        Family::ALL.map(|family| {
            let says = |place: usize| self.slots.list[place].as_ref()?.probed.as_ref()?.standing.vote();
            let mut down = HashSet::new();
            let (mut other_up, mut other_down) = (0_usize, 0_usize);
            for place in (family.index()..self.slots.list.len()).step_by(2) {
                match says(place) {
                    Some(Vote::Up { .. }) => return false,
                    Some(Vote::Down) => {}
                    Some(Vote::Abstain(_)) | None => continue,
                }
                if down.len() < BLIND_ENDPOINTS_MIN {
                    down.extend(self.slots.list[place].as_ref().map(|slot| slot.endpoint));
                }
                match says(place ^ 1) {
                    Some(Vote::Up { .. }) => other_up += 1,
                    Some(Vote::Down) => other_down += 1,
                    Some(Vote::Abstain(_)) | None => {}
                }
            }
            down.len() >= BLIND_ENDPOINTS_MIN && other_up > other_down
        })
    }

    fn new_tempi(&mut self, now: Mono, work: &mut Work) -> Option<Arc<super::Tempi>> {
        if work.fleet_changed {
            let probed = self.slots.list.iter().flatten().filter_map(|slot| slot.probed.as_ref());
            let tempi = probed.map(|probed| (probed.target.clone(), probed.standing.tempo(now)));
            self.tempi = Arc::new(tempi.filter(|(_, tempo)| *tempo != Tempo::Steady).collect());
            return Some(Arc::clone(&self.tempi));
        }
        let probed = |place: &usize| self.slots.list[*place].as_ref()?.probed.as_ref();
        let changes: Vec<_> = (work.tempi.drain(..))
            .filter_map(|place| probed(&place).map(|probed| (probed.target.clone(), probed.standing.tempo(now))))
            .filter(|(target, tempo)| self.tempi.get(target).copied().unwrap_or_default() != *tempo)
            .collect();
        if changes.is_empty() {
            return None;
        }
        let tempi = Arc::make_mut(&mut self.tempi);
        for (target, tempo) in changes {
            if tempo == Tempo::Steady {
                tempi.remove(&target);
            } else {
                tempi.insert(target, tempo);
            }
        }
        Some(Arc::clone(&self.tempi))
    }

    fn take_snapshot(&mut self, now: Now) -> Arc<Snapshot> {
        let fleet = Arc::clone(&self.slots.fleet);
        let words = self.slots.list.iter().map(|slot| match slot.as_ref().map(|slot| slot.verdict.health) {
            None => 0_u8,
            Some(Health::Up) => 1,
            Some(Health::Degraded) => 2,
            Some(Health::Unknown) => 3,
            Some(Health::Down) => 4,
        });
        let mut hash = Sha256::new();
        hash.update(fleet.digest.0);
        hash.update(self.orders_digest.0);
        hash.update(words.collect::<Vec<u8>>());
        self.snapshot = Arc::new(Snapshot {
            node: self.me.node.clone(),
            generation: self.generation,
            digest: Digest(hash.finalize().into()),
            at: now,
            fleet,
            verdicts: self.slots.list.iter().map(|slot| slot.as_ref().map(|slot| slot.verdict.clone())).collect(),
            overrides: Arc::clone(self.tenures.active()),
            planned: Arc::clone(self.tenures.planned()),
            ended: Arc::default(),
            feeds: Arc::default(),
        });
        Arc::clone(&self.snapshot)
    }

    /// The next time at which something happens without any input; always in the future.
    fn wake_at(&self, now: Now) -> Option<Mono> {
        let proof = Some(self.proof.until()).filter(|until| now.mono < *until && !self.voters.alone());
        let times = [
            self.timers.first().map(|(at, _)| *at),
            self.voters.wake_at(),
            self.tenures.wake_at(now),
            proof,
            Some(self.publisher.wake_at(self.slots.fleet.verdict.stale_after)),
        ];
        times.into_iter().flatten().min().map(|at| at.max(Mono(now.mono.0.saturating_add(1))))
    }
}

fn availability(order: Option<&Override>) -> Option<(Availability, crate::model::OverrideId)> {
    let order = order?;
    let word = match order.action {
        Action::Up => Availability::Up,
        Action::Drain => Availability::Drain,
        Action::Down => Availability::Down,
        Action::Weight(_) | Action::Pin(_) | Action::Freeze => return None,
    };
    Some((word, order.id.clone()))
}
