//! From what was learnt in a step to what follows: counting again what may have changed, orders, timers, the digest.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use sha2::{Digest as _, Sha256};

use super::{
    Controller, Step, events,
    foresight::foresee,
    voters::{Company, Recount},
};
use crate::{
    judge::{Orders, quorum},
    model::{
        Action, Availability, Cause, Digest, EndpointIx, Fleet, Happening, Health, Here, Hold, Memory, Mono, Now,
        Override, OwnView, SelfTest, Snapshot, SubjectIx, Verdict, VerdictPolicy, digest,
    },
};

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
    /// Slots whose order or freeze changed, and whether an order had taken them out before.
    pub ordered: HashMap<usize, bool>,
    /// Of slots that were counted and changed: what was before, and its base.
    pub before: HashMap<usize, (Verdict, Health)>,
    /// Some result came in.
    pub own_votes: bool,
    /// Slots whose tempo changed.
    pub tempi: Vec<usize>,
    /// Who is there may have changed.
    pub met: bool,
    /// One of our own votes changed.
    pub said: bool,
    /// What this node alone sees down changed.
    pub alone_down: bool,
}

impl Work {
    /// All of it: a process begins.
    pub(super) fn first() -> Self {
        Self { fleet_changed: true, first: true, ..Self::default() }
    }
}

impl Controller {
    pub(super) fn reload(&mut self, now: Now, fleet: Arc<Fleet>, work: &mut Work) {
        if fleet.digest == self.slots.fleet.digest {
            return;
        }
        let told = self.ordered_by_id();
        let slots = std::mem::replace(&mut self.slots, super::Slots::new(Fleet::empty(), &Memory::default(), now));
        self.slots = slots.reloaded(Arc::clone(&fleet), now);
        self.ordered = fleet.endpoints.iter().map(|endpoint| told.get(&endpoint.id).copied()).collect();
        self.voters.reload(&fleet);
        self.last.clear();
        self.proof.reload(&fleet);
        let slots = &self.slots;
        let said = slots
            .list
            .iter()
            .enumerate()
            .filter_map(|(slot, held)| Some((slot, held.as_ref()?.probed.as_ref()?.said?)));
        self.voters.reload_own(&fleet, said);
        self.publisher.retain(
            |target| {
                fleet
                    .find_subject(&target.subject)
                    .is_some_and(|subject| slots.list[Snapshot::slot(subject, target.family)].is_some())
            },
            |endpoint| fleet.has_endpoint(endpoint),
        );
        self.timers =
            (0..self.slots.list.len()).filter_map(|place| Some((self.slots.ripe_at(place)?, place))).collect();
        self.returns.reload(&fleet, now.mono);
        self.holds.reload(&self.slots);
        self.brakes.reload(&self.slots);
        self.warnings.reload(&self.slots);
        self.feeds.reload(&fleet);
        work.recount = Recount { all: true, paths: true, ..Recount::default() };
        work.changed.clear();
        work.tempi.clear();
        work.fleet_changed = true;
        work.told.push(Happening::Reloaded { digest: fleet.digest });
    }

    /// A freeze that held at the last writing holds what was in force then, unless that was an order; an order that
    /// held then and does not now has ended, and what it covered returns.
    pub(super) fn adopt_held(&mut self, memory: &Memory) {
        let fleet = Arc::clone(&self.slots.fleet);
        let then: Vec<Override> = memory.overrides.iter().filter(|order| order.holds(memory.at)).cloned().collect();
        let orders = Orders::new(&fleet, &then);
        for (place, slot) in self.slots.list.iter_mut().enumerate() {
            let Some(slot) = slot else { continue };
            let frozen = orders.freeze(SubjectIx::new(place / 2)).is_some();
            slot.verdict.order = availability(orders.availability(slot.endpoint));
            if frozen && slot.verdict.order.is_none() {
                slot.base = slot.verdict.health;
            }
        }
    }

    /// Lets time pass, counts again, and gathers what follows.
    pub(super) fn conclude(&mut self, now: Now, work: &mut Work) -> Step {
        self.ripen(now.mono, work);
        self.voters.age(now.mono, &mut work.recount);
        let policy = self.slots.fleet.verdict.clone();
        let orders_changed = self.tenures.pass(now, &mut work.told);
        self.feeds.age(now.mono);
        work.met |= work.recount.all || work.recount.seats;
        let duties = self.share_out(now.mono, work);
        let own_test = self.proof.state(self.voters.is_single(), now.mono);
        work.recount.all |= own_test != self.self_test || work.fleet_changed;
        work.recount.all |= self.voters.accompany(&policy, now.mono);
        self.take_over(now.mono, work);
        work.recount.seats |= self.voters.review(own_test);
        self.self_test = own_test;
        self.publisher.test(own_test);
        if work.recount.all || std::mem::take(&mut work.recount.seats) {
            let fleet = Arc::clone(&self.slots.fleet);
            self.voters.seat(&policy, own_test, &fleet, &mut work.recount);
        }
        if orders_changed || work.fleet_changed {
            self.apply_orders(work);
        }
        self.count(now, work);
        self.look_at_ourselves(now, &policy, work);
        self.hurry(now, work);
        self.settle(now, work);
        self.brake(now, work);
        self.taken_over();
        let stepped = self.come_back(now, work);
        self.hear_paths(now.mono, work);
        let mut step = Step { tempi: self.new_tempi(now.mono, work), duties, ..Step::default() };
        events::conditions(self, work);
        self.shift(now, work);
        let here = self.mode != self.snapshot.here.mode || work.alone_down;
        let decided = orders_changed || work.fleet_changed || stepped || here || !work.changed.is_empty();
        if decided || self.soft.is_due(now.mono, &self.feeds) {
            self.generation += 1;
            self.soft.taken(now.mono, &mut self.feeds);
            self.tell_holds(work);
            events::verdicts(self, now, work);
            let feeds = Arc::clone(&self.snapshot.feeds);
            let snapshot = self.take_snapshot(now);
            let all = orders_changed || work.fleet_changed || !Arc::ptr_eq(&feeds, &snapshot.feeds);
            self.weigh_loads(&snapshot, all, work);
            step.snapshot = Some(snapshot);
        }
        self.compare(now, work);
        step.events = super::tenure::dated(std::mem::take(&mut work.told), now.wall, self.generation);
        step.presence = self.presence(now);
        let (brakes, slots) = (&self.brakes, &self.slots);
        let heard = (policy.stale_after, self.voters.peers().len());
        step.ballot = self.publisher.due(now.mono, heard, &self.me, || brakes.state(slots));
        step.wake_at = self.wake_at(now);
        step
    }

    /// Our own votes of this step may make a suspect of us, as they will for the others; then it is counted again.
    fn look_at_ourselves(&mut self, now: Now, policy: &VerdictPolicy, work: &mut Work) {
        if !std::mem::take(&mut work.said) {
            return;
        }
        let fleet = Arc::clone(&self.slots.fleet);
        self.voters.said(&fleet, now.mono);
        if self.voters.review(self.self_test) {
            self.voters.seat(policy, self.self_test, &fleet, &mut work.recount);
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
                let was_out = is_out(&slot.verdict);
                (slot.verdict.order, slot.verdict.frozen) = (order, frozen);
                work.changed.insert(place);
                work.ordered.insert(place, was_out);
                work.recount.slots.push(place);
            }
        }
    }

    fn ordered_by_id(&self) -> HashMap<crate::model::EndpointId, Availability> {
        let told = self.slots.fleet.endpoints.iter().zip(&self.ordered);
        told.filter_map(|(endpoint, order)| Some((endpoint.id.clone(), (*order)?))).collect()
    }

    /// Counts the votes of what was touched.
    pub(super) fn count(&mut self, now: Now, work: &mut Work) {
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
            if !work.ordered.contains_key(&place) {
                work.changed.remove(&place);
            }
        }
        let mut verdict = slot.verdict.clone();
        if let Some(probed) = &mut slot.probed {
            if probed.said != own {
                self.voters.say(&self.slots.fleet, place, probed.said, own);
                probed.said = own;
                self.publisher.vote(&probed.target, own);
                work.said = true;
            }
            self.voters.voices(place, own, voices);
            let (policy, regions) = (&self.slots.fleet.verdict, self.voters.known_regions());
            let measured = quorum::measure(policy, voices, regions, verdict.measured, &verdict.cause);
            let ranks = policy.own_view == OwnView::RankLast && self.self_test == SelfTest::Passed;
            let alone_down =
                ranks && measured.health.works() && quorum::is_down_for_one(voices, self.voters.own_region(), own);
            work.alone_down |= self.last.contains(&place) != alone_down;
            if alone_down {
                self.last.insert(place);
            } else {
                self.last.remove(&place);
            }
            (verdict.measured, verdict.cause, verdict.tally) = (measured.health, measured.cause, measured.tally);
            if verdict.cause == Cause::Voted && probed.standing.awaits_new_check() {
                verdict.cause = Cause::CheckChanged;
            }
            let flips_at = foresee(&verdict, probed, self.slots.fleet.check(probed.check), voices, now.mono);
            self.soft.flip(place, verdict.flips_at, flips_at);
            verdict.flips_at = flips_at;
            slot.verdict.flips_at = verdict.flips_at;
        }
        // A brake holds until it is settled anew, after all have been counted.
        let goes_on = match verdict.hold {
            Some(Hold::Flap { .. } | Hold::Resume) => verdict.measured != Health::Down,
            Some(Hold::Budget | Hold::Freeze | Hold::Alone) => verdict.measured == Health::Down,
            None => false,
        };
        verdict.hold = verdict.hold.filter(|_| goes_on);
        let holds = verdict.frozen.is_some() || (goes_on && slot.base != slot.verdict.measured);
        let base = if holds { slot.base } else { verdict.measured };
        self.put(place, verdict, base, now, work);
    }

    /// Gives a slot its verdict; whatever else happened to it in this step, it is compared with what was before.
    pub(super) fn put(&mut self, place: usize, mut verdict: Verdict, base: Health, now: Now, work: &mut Work) {
        let Some(slot) = &mut self.slots.list[place] else { return };
        // Of most that are counted nothing has changed, and nothing had before in this step.
        if base == slot.base && verdict == slot.verdict && !work.before.contains_key(&place) {
            let health = slot.in_force(verdict.order.as_ref().map(|(word, _)| *word));
            if health == verdict.health {
                return;
            }
        }
        let held = (slot.verdict.clone(), std::mem::replace(&mut slot.base, base));
        verdict.health = slot.in_force(verdict.order.as_ref().map(|(word, _)| *word));
        let (before, _) = work.before.entry(place).or_insert(held);
        let unchanged = verdict.health == before.health;
        (verdict.since, verdict.since_mono) =
            if unchanged { (before.since, before.since_mono) } else { (now.wall, Some(now.mono)) };
        before.flips_at = verdict.flips_at;
        if verdict != *before {
            work.changed.insert(place);
        } else {
            work.before.remove(&place);
            if !work.ordered.contains_key(&place) {
                work.changed.remove(&place);
            }
        }
        slot.verdict = verdict;
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
            ended: Arc::clone(self.returns.ended()),
            feeds: Arc::clone(self.feeds.published()),
            here: Here { mode: self.mode, last: self.last.iter().copied().collect() },
        });
        Arc::clone(&self.snapshot)
    }

    /// The next time at which something happens without any input; always in the future.
    fn wake_at(&self, now: Now) -> Option<Mono> {
        let stale_after = self.slots.fleet.verdict.stale_after;
        let company = self.voters.company();
        let brakes = self.brakes.wake_at(&self.slots.fleet.safety.removal_budget);
        let times = [
            self.timers.first().map(|(at, _)| *at),
            self.voters.wake_at(&self.slots.fleet),
            self.presences.wake_at(now.mono),
            self.presence_at(now.mono, stale_after),
            self.heartbeat.lost_at().filter(|at| now.mono < *at),
            Some(self.started.plus(stale_after)).filter(|at| now.mono < *at && company == Company::Lonely),
            self.sharing.roster.wake_at(),
            self.tenures.wake_at(now),
            self.returns.wake_at(now, self.tenures.active()),
            self.holds.wake_at(),
            brakes,
            self.brakes.domains.next().filter(|at| now.mono < *at && company.is_alone()),
            self.feeds.wake_at(),
            self.soft.wake_at(&self.feeds),
            self.proof.wake_at(self.voters.is_single(), now.mono),
            Some(self.publisher.wake_at(stale_after, self.voters.peers().len())),
        ];
        times.into_iter().flatten().min().map(|at| at.max(Mono(now.mono.0.saturating_add(1))))
    }
}

/// Whether an endpoint-wide order takes it out.
pub(super) fn is_out(verdict: &Verdict) -> bool {
    matches!(verdict.order, Some((Availability::Drain | Availability::Down, _)))
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
