//! What is held down although it is measured up: what flaps, and what awaits a person (DECIDING sections 2 and 6).
//!
//! A wish to hold belongs to a slot; whether it is granted is settled anew whenever something changed, from nothing
//! but the wishes and what is measured, in the order of the fleet: so nodes of one opinion settle alike, and the first
//! failure elsewhere lets go at once. No hold is granted that would leave a service without a healthy endpoint; one
//! for flapping, besides, only while the pool stays open and to a third of it at most. What awaits a person is settled
//! first: it leaves whatever that does to its pool, and so keeps none open for what flaps.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use super::{
    Controller,
    deciding::{Work, is_out},
    slots::{Slot, Slots},
};
use crate::{
    judge::Strength,
    model::{Availability, EndpointIx, Happening, Health, Hold, Mono, Now, PoolIx, Resume, SubjectIx, Weight},
};

/// Of a pool's members at most one in so many is held for flapping, and always one.
const FLAPPING_SHARE: usize = 3;

#[derive(Debug, Default)]
pub(super) struct Holds {
    /// Slots that have one, measured up or not.
    wishes: BTreeSet<usize>,
    /// Ends of holds for flapping.
    timers: BTreeSet<(Mono, usize)>,
    /// Slots of an endpoint that are held, by the word of the hold, as told.
    told: BTreeMap<(EndpointIx, &'static str), usize>,
}

impl Holds {
    pub(super) fn reload(&mut self, slots: &Slots) {
        *self = Self::default();
        for (place, slot) in slots.list.iter().enumerate() {
            let Some(slot) = slot else { continue };
            // What is held is settled once more, also if its hold ends in this very step.
            if matches!(slot.verdict.hold, Some(Hold::Flap { .. } | Hold::Resume)) {
                self.wishes.insert(place);
            }
            if let Some(word) = slot.told_hold {
                *self.told.entry((slot.endpoint, word)).or_default() += 1;
            }
        }
    }

    pub(super) fn wake_at(&self) -> Option<Mono> {
        self.timers.first().map(|(at, _)| *at)
    }
}

impl Controller {
    /// Takes in this step's changes, and grants or ends holds.
    pub(super) fn settle(&mut self, now: Now, work: &mut Work) {
        let touched: Vec<usize> = if work.fleet_changed {
            (0..self.slots.list.len()).collect()
        } else {
            work.changed.iter().copied().collect()
        };
        touched.iter().for_each(|place| self.note(*place, now.mono, work));
        let mut due = !touched.is_empty();
        while let Some(timer) = self.holds.timers.first().copied().filter(|(at, _)| *at <= now.mono) {
            self.holds.timers.remove(&timer);
            due = true;
        }
        if !due || self.holds.wishes.is_empty() {
            return;
        }
        let wishes: BTreeMap<usize, Option<Hold>> = (self.holds.wishes.iter())
            .map(|place| (*place, self.slots.list[*place].as_ref().and_then(|slot| slot.wish(now.mono))))
            .collect();
        let granted = Granting::of(&self.slots, &wishes).granted;
        for (place, wish) in wishes {
            let Some(slot) = &self.slots.list[place] else { continue };
            if wish.is_none() {
                self.holds.wishes.remove(&place);
            }
            let mut verdict = slot.verdict.clone();
            let counts = verdict.frozen.is_none() && verdict.measured != Health::Down;
            let is_granted = counts && granted.contains(&place);
            // What awaits a person says so even while it has to serve.
            verdict.hold = wish.filter(|hold| is_granted || (counts && *hold == Hold::Resume));
            let base = match (verdict.frozen.is_some(), is_granted) {
                (true, _) => slot.base,
                (false, true) => Health::Down,
                (false, false) => verdict.measured,
            };
            if verdict.hold != slot.verdict.hold || base != slot.base {
                self.put(place, verdict, base, now, work);
            }
        }
    }

    /// What a slot's change means for its wishes.
    fn note(&mut self, place: usize, now: Mono, work: &Work) {
        let fleet = Arc::clone(&self.slots.fleet);
        let Some(slot) = &mut self.slots.list[place] else { return };
        if slot.probed.is_none() {
            return;
        }
        let down = slot.verdict.measured == Health::Down;
        let restored = matches!(slot.verdict.order, Some((Availability::Up, _)));
        let was = work.before.get(&place).map(|(before, _)| before.measured);
        let turned = was.is_some_and(|was| {
            (was == Health::Down) != down && was != Health::Unknown && slot.verdict.measured != Health::Unknown
        });
        match &fleet.verdict.flap {
            Some(policy) if turned => {
                slot.flaps.changed(policy, now);
            }
            Some(_) => {}
            None => slot.flaps.end(),
        }
        match fleet.endpoint(slot.endpoint).resume {
            Resume::Manual => slot.awaits_resume |= down,
            Resume::Auto => slot.awaits_resume = false,
        }
        if restored {
            slot.flaps.end();
            slot.awaits_resume = false;
        }
        if let Some(wish) = slot.wish(now) {
            self.holds.wishes.insert(place);
            if let Hold::Flap { until } = wish {
                self.holds.timers.insert((until, place));
            }
        }
    }

    /// Tells which holds began and which ended.
    pub(super) fn tell_holds(&mut self, work: &mut Work) {
        let places: Vec<usize> = if work.fleet_changed {
            (0..self.slots.list.len()).collect()
        } else {
            work.changed.iter().copied().collect()
        };
        for place in places {
            let Some(slot) = &mut self.slots.list[place] else { continue };
            let word = held(slot).map(Hold::word);
            if slot.told_hold == word {
                continue;
            }
            let endpoint = slot.endpoint;
            let ended = std::mem::replace(&mut slot.told_hold, word);
            if let Some(word) = ended {
                let count = self.holds.told.entry((endpoint, word)).or_default();
                *count = count.saturating_sub(1);
                if *count == 0 {
                    self.holds.told.remove(&(endpoint, word));
                    self.tell_hold(endpoint, word, false, "it is let go", work);
                }
            }
            if let Some(word) = word {
                let count = self.holds.told.entry((endpoint, word)).or_default();
                *count += 1;
                if *count == 1 {
                    let why = if word == Hold::Resume.word() {
                        "it was down and passes again; it stays out until a person restores it"
                    } else {
                        "it changes too often; it stays out for a while, longer each time"
                    };
                    self.tell_hold(endpoint, word, true, why, work);
                }
            }
        }
    }

    fn tell_hold(&self, endpoint: EndpointIx, word: &str, active: bool, detail: &str, work: &mut Work) {
        if !work.first {
            let endpoint = Some(self.slots.fleet.endpoint(endpoint).id.clone());
            work.told.push(Happening::Held { brake: word.into(), endpoint, active, detail: detail.into() });
        }
    }

    /// Notes what came back in this step, and takes the steps of what came back before; whether any was taken.
    pub(super) fn come_back(&mut self, now: Now, work: &mut Work) -> bool {
        let gone = self.tenures.take_gone();
        let mut stepped = self.returns.pass(now, gone, self.tenures.active());
        let touched: BTreeSet<usize> = work.changed.iter().chain(work.ordered.keys()).copied().collect();
        for place in touched {
            let Some(slot) = &mut self.slots.list[place] else { continue };
            let was_down =
                work.before.get(&place).map_or(slot.verdict.health, |(before, _)| before.health) == Health::Down;
            let was_out = work.ordered.get(&place).copied().unwrap_or_else(|| is_out(&slot.verdict));
            let (is_down, is_out) = (slot.verdict.health == Health::Down, is_out(&slot.verdict));
            if is_down || is_out {
                slot.verdict.returned = None;
                self.returns.forget(place);
            } else if (was_down || was_out) && slot.verdict.hold != Some(Hold::Freeze) {
                slot.verdict.returned = Some(now.mono).filter(|at| self.returns.mark(place, *at, now.mono));
            }
        }
        // Of a process that begins, and of another fleet, the steps are not known yet.
        let mut due = self.returns.due(now.mono);
        if work.fleet_changed {
            due = (0..self.slots.list.len()).collect();
        }
        for place in due {
            let Some(slot) = &mut self.slots.list[place] else { continue };
            let Some(returned) = slot.verdict.returned else { continue };
            stepped = true;
            if !self.returns.mark(place, returned, now.mono) {
                slot.verdict.returned = None;
                work.changed.insert(place);
            }
        }
        stepped
    }
}

/// The hold of ours that keeps a slot down.
fn held(slot: &Slot) -> Option<Hold> {
    let hold = slot.verdict.hold.filter(|hold| matches!(hold, Hold::Flap { .. } | Hold::Resume))?;
    (slot.base == Health::Down && slot.verdict.measured != Health::Down).then_some(hold)
}

/// Holds are granted one after the other; each must leave enough to all services and pools that it touches, and as
/// these contain it, none that was granted before loses what it relied on.
struct Granting<'s> {
    slots: &'s Slots,
    wishes: &'s BTreeMap<usize, Option<Hold>>,
    granted: HashSet<usize>,
    flapping: HashMap<PoolIx, HashSet<EndpointIx>>,
}

impl<'s> Granting<'s> {
    fn of(slots: &'s Slots, wishes: &'s BTreeMap<usize, Option<Hold>>) -> Self {
        let mut granting = Self { slots, wishes, granted: HashSet::new(), flapping: HashMap::new() };
        let (first, then): (Vec<_>, Vec<_>) = wishes.iter().partition(|(_, wish)| **wish == Some(Hold::Resume));
        for (place, wish) in first.into_iter().chain(then) {
            granting.consider(*place, *wish);
        }
        granting
    }

    fn consider(&mut self, place: usize, wish: Option<Hold>) {
        let (Some(hold), Some(slot)) = (wish, &self.slots.list[place]) else { return };
        let counts = slot.verdict.measured != Health::Down && slot.verdict.frozen.is_none();
        if !counts || self.slots.urgent_if(place, |other| self.works(other)) {
            return;
        }
        if matches!(hold, Hold::Flap { .. }) {
            let pools = self.pools(place);
            if !pools.iter().all(|(pool, subjects)| self.may_flap(place, *pool, subjects)) {
                return;
            }
            for (pool, _) in pools {
                self.flapping.entry(pool).or_default().insert(slot.endpoint);
            }
        }
        self.granted.insert(place);
    }

    /// The pools of the slot's services that have it, each with one check set.
    fn pools(&self, place: usize) -> Vec<(PoolIx, &'s [SubjectIx])> {
        let subject = SubjectIx::new(place / 2);
        let fleet = &self.slots.fleet;
        let mut seen = HashSet::new();
        let arms = self.slots.services[place / 2].iter().flat_map(|ix| fleet.arms(fleet.service(*ix)));
        let arms = arms.filter(|arm| seen.insert((arm.pool, arm.subjects.first().copied())));
        arms.filter(|arm| arm.subjects.contains(&subject)).map(|arm| (arm.pool, &*arm.subjects)).collect()
    }

    fn may_flap(&self, place: usize, pool: PoolIx, subjects: &[SubjectIx]) -> bool {
        let about = self.slots.fleet.pool(pool);
        let none = HashSet::new();
        let flapping = self.flapping.get(&pool).unwrap_or(&none);
        let endpoint = self.slots.fleet.subject(SubjectIx::new(place / 2)).endpoint;
        if !flapping.contains(&endpoint) && flapping.len() >= (about.members.len() / FLAPPING_SHARE).max(1) {
            return false;
        }
        let serves = |subject: &SubjectIx| {
            let slots = [subject.index() * 2, subject.index() * 2 + 1];
            self.slots.fleet.subject(*subject).endpoint != endpoint && slots.into_iter().any(|slot| self.serves(slot))
        };
        let members = about.members.iter().zip(subjects);
        let left: Strength =
            members.map(|(member, subject)| -> (Weight, bool) { (member.weight, serves(subject)) }).collect();
        left.opens(about.min_up)
    }

    /// What a slot would be in force, with what is granted so far.
    fn health(&self, place: usize) -> Option<Health> {
        let slot = self.slots.list[place].as_ref()?;
        if self.granted.contains(&place) {
            return Some(Health::Down);
        }
        let wishes = self.wishes.contains_key(&place) && slot.verdict.frozen.is_none();
        // A brake that holds up what fails does not make it healthy.
        let fails = slot.verdict.measured == Health::Down;
        Some(if wishes || fails { slot.verdict.measured } else { slot.verdict.health })
    }

    fn works(&self, place: usize) -> bool {
        let free = |slot: &Slot| slot.verdict.order.is_none();
        self.slots.list[place].as_deref().is_some_and(free) && self.health(place).is_some_and(Health::works)
    }

    fn serves(&self, place: usize) -> bool {
        let in_answers = |slot: &Slot| !is_out(&slot.verdict);
        self.slots.list[place].as_deref().is_some_and(in_answers)
            && self.health(place).is_some_and(|health| health != Health::Down)
    }
}
