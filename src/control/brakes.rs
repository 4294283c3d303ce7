//! The brakes of the whole fleet: what is measured down leaves within the removal budget, in outages at once, and not at
//! all while nearly everything fails (DECIDING section 6; the rules are in `judge::{budget, outage, freeze}`).
//!
//! A verdict that falls is held up by putting back what was in force, with `hold` saying why; `measured` stays true. The
//! decision comes after everything of a step has been counted, and from what was counted alone.
//!
//! Nothing that is ordered or frozen by a person is held, and nothing of it counts. What falls while an order stands
//! has left when the order ends: the order's end is a person's doing, not automation's.
//!
//! A node that starts holds on to what was held when it ended, and to what had left within the budget's time.

mod alone;
mod shared;
mod tell;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Controller,
    deciding::Work,
    slots::{Fell, Slots},
};
use crate::{
    judge::{
        alone::Domains,
        budget::{self, Budget, Wish},
        freeze::{AutoFreeze, Turn},
        incident::{Condition, State},
        outage::Outages,
    },
    model::{
        BrakeState, Braked, Cause, EndpointId, EndpointIx, Health, Hold, Memory, Mono, Now, RemovalBudget, SelfTest,
        Verdict,
    },
};

#[derive(Debug, Default)]
pub(super) struct Brakes {
    /// By endpoint.
    conditions: Vec<Condition>,
    /// The slots that are measured down, as of the last look: ballots tell of them, and they are few of many.
    down: BTreeSet<usize>,
    /// Measured down, and in force all the same.
    waiting: BTreeMap<EndpointIx, Waiting>,
    /// The same by id while the fleet is replaced.
    ids: BTreeMap<EndpointIx, EndpointId>,
    budget: Budget,
    /// What left while nobody else was heard.
    pub domains: Domains,
    outages: Outages,
    freeze: AutoFreeze,
    /// Told: the budget holds something.
    slowed: bool,
    /// The self-test as of the last look: a lone vote confirms nothing while it has failed.
    tested: SelfTest,
    /// Whether nobody else was heard then.
    alone: bool,
    /// Whether something waited for a proof of our network then.
    unproven: bool,
    /// The brakes of the others when this process first counted with them; `None` before.
    taken_over: Option<Vec<Arc<BrakeState>>>,
    /// When waiting ends for somebody, as of the last look.
    confirmed_at: Option<Mono>,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    /// When its quorum was reached.
    reached: Mono,
    /// Since when two thirds agree.
    agreed: Option<Mono>,
}

impl Brakes {
    pub(super) fn reload(&mut self, slots: &Slots) {
        let fleet = &slots.fleet;
        self.conditions = vec![Condition::default(); fleet.endpoints.len()];
        self.down.clear();
        self.outages.reload(fleet);
        let ids = std::mem::take(&mut self.ids);
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let again = waiting.filter_map(|(ix, held)| Some((fleet.find_endpoint(ids.get(&ix)?.as_str())?, held)));
        for (ix, held) in again.collect::<Vec<_>>() {
            self.wait(slots, ix, held);
        }
    }

    fn wait(&mut self, slots: &Slots, ix: EndpointIx, waiting: Waiting) {
        self.ids.entry(ix).or_insert_with(|| slots.fleet.endpoint(ix).id.clone());
        self.waiting.entry(ix).or_insert(waiting);
    }

    fn forget(&mut self, ix: EndpointIx) {
        self.waiting.remove(&ix);
        self.ids.remove(&ix);
    }

    pub(super) fn wake_at(&self, policy: &RemovalBudget) -> Option<Mono> {
        if self.freeze.holds() {
            return self.freeze.ends_at();
        }
        let room = self.budget.next(policy).filter(|_| !self.waiting.is_empty());
        [self.confirmed_at, room].into_iter().flatten().min()
    }

    /// Whether nearly everything failed at once, and nothing leaves for that.
    pub(super) fn freezes(&self) -> bool {
        self.freeze.holds()
    }

    pub(super) fn kept(&self, now: Mono) -> Braked {
        let left = self.budget.left().map(|(endpoint, at)| (endpoint.clone(), now.since(at)));
        Braked { frozen: self.freeze.holds(), left: left.collect() }
    }
}

impl Controller {
    /// What a brake held up when the process before this ended goes on being held, until it is looked at.
    pub(super) fn adopt_brakes(&mut self, memory: &Memory, now: Now) {
        self.brakes.reload(&self.slots);
        self.warnings.reload(&self.slots);
        let age = now.wall.since(memory.at);
        for (endpoint, ago) in &memory.braked.left {
            self.brakes.budget.recall(endpoint.clone(), now.mono.before(ago.saturating_add(age)));
        }
        let hold = if memory.braked.frozen { Hold::Freeze } else { Hold::Budget };
        let mut held = Vec::new();
        for slot in self.slots.list.iter_mut().flatten().filter(|slot| slot.probed.is_some()) {
            let in_force = slot.verdict.health;
            if is_down(&slot.verdict) && slot.base == Health::Down && in_force != Health::Down && is_free(&slot.verdict)
            {
                (slot.base, slot.verdict.hold) = (in_force, Some(hold));
                held.push(slot.endpoint);
            }
        }
        if memory.braked.frozen && !held.is_empty() {
            self.brakes.freeze = AutoFreeze::recalled();
        }
        for ix in held {
            self.brakes.wait(&self.slots, ix, Waiting { reached: now.mono, agreed: None });
        }
    }

    /// Takes in this step's falls and recoveries, tells what they amount to, and lets go or holds.
    pub(super) fn brake(&mut self, now: Now, work: &mut Work) {
        let due = self.brakes.wake_at(&self.slots.fleet.safety.removal_budget).is_some_and(|at| at <= now.mono);
        let touched: Vec<usize> = if work.fleet_changed {
            (0..self.slots.list.len()).collect()
        } else {
            work.changed.iter().copied().collect()
        };
        let tested = std::mem::replace(&mut self.brakes.tested, self.self_test);
        let mut fleet_turned = due;
        // While nobody else decides, each result of ours may be what it waits for.
        let alone = self.voters.company().is_alone();
        let lonely = alone != std::mem::replace(&mut self.brakes.alone, alone)
            || ((alone || self.brakes.unproven) && !self.brakes.waiting.is_empty());
        let mut awaited = due || work.fleet_changed || tested != self.self_test || lonely;
        if touched.is_empty() && !awaited {
            return;
        }
        let mut turned_services = BTreeSet::new();
        for place in touched {
            let Some(endpoint) = self.note_down(place) else { continue };
            self.warnings.touch(&self.slots.services[place / 2]);
            if self.note_fall(place, now, work) {
                turned_services.extend(self.slots.services[place / 2].iter().copied());
            }
            let condition = self.condition(endpoint);
            fleet_turned |= self.brakes.conditions[endpoint.index()] != condition;
            self.brakes.conditions[endpoint.index()] = condition;
            awaited |= self.brakes.waiting.contains_key(&endpoint);
        }
        if fleet_turned {
            self.tell_outages(work);
            self.auto_freeze(now, work);
            awaited = true;
        }
        turned_services.into_iter().for_each(|ix| self.tell_correlated(ix, now.mono, work));
        if awaited {
            self.release(now, work);
        }
    }

    /// Notes that a slot fell or stands again; whether it did either. One that would leave with it waits for leave.
    fn note_fall(&mut self, place: usize, now: Now, work: &Work) -> bool {
        let Some(slot) = &mut self.slots.list[place] else { return false };
        if slot.probed.is_none() {
            return false;
        }
        let before = work.before.get(&place);
        let falls = is_down(&slot.verdict);
        let was_down = before.map_or(falls, |(verdict, _)| is_down(verdict));
        let base = before.map_or(slot.base, |(_, base)| *base);
        if !falls {
            slot.fell = None;
        } else if !was_down {
            let worked = before.is_some_and(|(verdict, _)| verdict.measured.works());
            slot.fell = Some(Fell { at: now.mono, worked, base });
        }
        let leaves = falls && base != Health::Down && slot.base == Health::Down && is_free(&slot.verdict);
        let endpoint = slot.endpoint;
        if leaves && !work.first {
            let reached = slot.fell.map_or(now.mono, |fell| fell.at);
            self.brakes.wait(&self.slots, endpoint, Waiting { reached, agreed: None });
        }
        falls != was_down
    }

    fn condition(&self, endpoint: EndpointIx) -> Condition {
        let fleet = &self.slots.fleet;
        let probed = || self.slots.of_endpoint(endpoint).filter_map(|place| self.slots.list[place].as_ref());
        let probed = || probed().filter_map(|slot| Some((slot, fleet.check(slot.probed.as_ref()?.check).interval)));
        let Some(interval) = probed().map(|(_, interval)| interval).max() else { return Condition::default() };
        let state = if probed().all(|(slot, _)| is_down(&slot.verdict)) {
            State::Down
        } else if probed().any(|(slot, _)| slot.verdict.measured.works()) {
            State::Works
        } else {
            State::Unknown
        };
        let fell = probed().filter_map(|(slot, _)| slot.fell.filter(|fell| fell.worked).map(|fell| fell.at)).max();
        Condition { state, fell: fell.filter(|_| state == State::Down), interval }
    }

    fn auto_freeze(&mut self, now: Now, work: &mut Work) {
        let (fleet, regions) = (&self.slots.fleet, self.voters.voting_regions());
        let turn = self.brakes.freeze.look(fleet, &self.brakes.conditions, regions, now.mono);
        match turn {
            None => {}
            Some(Turn::Ended) => {
                let detail = "fewer than half of the endpoints have failed for a minute; removals go on";
                self.tell_held(Hold::Freeze, false, detail.into(), work);
            }
            Some(Turn::Began { from, down, of }) => {
                let detail = format!(
                    "{down} of {of} endpoints that worked went down at once, by the votes of {regions} regions: \
                     removals are held, and those of this incident are taken back"
                );
                self.tell_held(Hold::Freeze, true, detail, work);
                self.take_back(from, now, work);
            }
        }
    }

    /// What left in an incident of which it is now known that nothing should have left.
    fn take_back(&mut self, from: Mono, now: Now, work: &mut Work) {
        for place in 0..self.slots.list.len() {
            let Some(slot) = &self.slots.list[place] else { continue };
            let Some(fell) = slot.fell.filter(|fell| from <= fell.at && fell.base.works()) else { continue };
            if slot.base != Health::Down || !is_down(&slot.verdict) || !is_free(&slot.verdict) {
                continue;
            }
            let verdict = Verdict { hold: Some(Hold::Freeze), ..slot.verdict.clone() };
            let endpoint = slot.endpoint;
            self.put(place, verdict, fell.base, now, work);
            self.brakes.wait(&self.slots, endpoint, Waiting { reached: fell.at, agreed: None });
        }
    }

    /// Of what waits: lets go what may leave, holds the rest, and forgets what stands again or is in a person's hands.
    fn release(&mut self, now: Now, work: &mut Work) {
        let policy = self.slots.fleet.safety.removal_budget;
        let alone = self.voters.company().is_alone();
        let failed = self.self_test == SelfTest::Failed;
        let hold = if self.brakes.freeze.holds() { Hold::Freeze } else { Hold::Budget };
        let (mut wishes, mut paid_elsewhere, mut undecided) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        let mut places: BTreeMap<EndpointIx, Vec<(usize, Health)>> = BTreeMap::new();
        self.brakes.confirmed_at = None;
        let down = self.measured_down();
        for ix in self.brakes.waiting.keys().copied().collect::<Vec<_>>() {
            let would_leave = self.would_leave(ix, now, work);
            let tally = |(place, _): &(usize, Health)| self.slots.list[*place].as_ref().map(|slot| slot.verdict.tally);
            let agrees = would_leave.iter().filter_map(tally).all(|tally| budget::agrees(tally, failed));
            let Some(waiting) = self.brakes.waiting.get_mut(&ix).filter(|_| !would_leave.is_empty()) else {
                self.brakes.forget(ix);
                continue;
            };
            waiting.agreed = if agrees { waiting.agreed.or(Some(now.mono)) } else { None };
            let confirmed_at = waiting.agreed.map(|since| since.plus(policy.confirm));
            let reached = waiting.reached;
            if !self.is_voted(&would_leave) {
                // By now it is disputed, or nobody votes: what is in force stays.
                undecided.insert(ix);
            } else if hold == Hold::Budget && !alone && self.had_left(&would_leave, down) {
                paid_elsewhere.insert(ix);
            } else {
                wishes.push(Wish {
                    reached,
                    endpoint: self.slots.fleet.endpoint(ix).id.clone(),
                    outage: self.brakes.outages.of(&self.slots.fleet, ix).filter(|_| self.is_out(ix)),
                    confirmed: confirmed_at.is_some_and(|at| at <= now.mono),
                });
            }
            places.insert(ix, would_leave);
        }
        let mut kept = self.keep_alone(&mut wishes, &places, now.mono);
        kept.append(&mut undecided);
        self.brakes.unproven = !kept.is_empty();
        let granted = if hold == Hold::Budget && !wishes.is_empty() {
            self.brakes.budget.grant(&policy, self.slots.fleet.endpoints.len(), now.mono, wishes)
        } else {
            BTreeSet::new()
        };
        for (ix, places) in places {
            let endpoint = self.slots.fleet.endpoint(ix);
            let leaves = paid_elsewhere.contains(&ix) || granted.contains(&endpoint.id);
            if leaves && alone {
                self.brakes.domains.grant(endpoint, now.mono);
            }
            let hold = if kept.contains(&ix) && hold == Hold::Budget { Hold::Alone } else { hold };
            for (place, in_force) in places {
                let Some(slot) = &self.slots.list[place] else { continue };
                let (base, hold) = if leaves { (Health::Down, None) } else { (in_force, Some(hold)) };
                if (slot.base, slot.verdict.hold) != (base, hold) {
                    let verdict = Verdict { hold, ..slot.verdict.clone() };
                    self.put(place, verdict, base, now, work);
                }
            }
            if leaves {
                self.brakes.forget(ix);
            }
        }
        // Who is kept for another reason does not leave by time.
        let free = self.brakes.waiting.iter().filter(|(ix, _)| !kept.contains(ix));
        let agreed = free.filter_map(|(_, waiting)| waiting.agreed);
        self.brakes.confirmed_at = agreed.map(|since| since.plus(policy.confirm)).min();
        self.tell_budget(hold, &policy, work);
    }

    /// Whether votes decide for it now; a verdict that only stays because they do not suffice takes nothing out anew.
    fn is_voted(&self, leaving: &[(usize, Health)]) -> bool {
        let cause = |place: usize| self.slots.list[place].as_ref().map(|slot| &slot.verdict.cause);
        !leaving.iter().any(|(place, _)| matches!(cause(*place), Some(Cause::Disputed | Cause::NoVotes)))
    }

    /// The slots of an endpoint that leave unless they are held, with what is in force while they are. Holds of others
    /// of its slots end.
    fn would_leave(&mut self, ix: EndpointIx, now: Now, work: &mut Work) -> Vec<(usize, Health)> {
        let mut leaving = Vec::new();
        for place in self.slots.of_endpoint(ix).collect::<Vec<_>>() {
            let Some(slot) = self.slots.list[place].as_ref().filter(|slot| slot.probed.is_some()) else { continue };
            let ours = matches!(slot.verdict.hold, Some(Hold::Budget | Hold::Freeze | Hold::Alone));
            if is_down(&slot.verdict) && is_free(&slot.verdict) {
                let before = work.before.get(&place).map(|(_, base)| *base);
                let in_force = [Some(slot.base), before].into_iter().flatten().find(|base| *base != Health::Down);
                leaving.extend(in_force.map(|in_force| (place, in_force)));
            } else if ours {
                let base = if slot.verdict.frozen.is_some() { slot.base } else { slot.verdict.measured };
                let verdict = Verdict { hold: None, ..slot.verdict.clone() };
                self.put(place, verdict, base, now, work);
            }
        }
        leaving
    }
}

pub(super) fn is_down(verdict: &Verdict) -> bool {
    verdict.measured == Health::Down
}

/// Neither ordered nor frozen by a person.
fn is_free(verdict: &Verdict) -> bool {
    verdict.order.is_none() && verdict.frozen.is_none()
}
