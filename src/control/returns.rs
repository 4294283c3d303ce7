//! What came back of late: when each target returned, which drains and downs ended, and when their failbacks and ramps
//! take their next step.
//!
//! The arithmetic is [`crate::judge::returning`]; here are its timers. A fleet without failback and ramp has none of
//! this.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use crate::{
    judge::returning,
    model::{Action, Ended, Fleet, Mono, Now, Override, OverrideId},
};

/// Most ended orders that are held; of more, the oldest are forgotten, and what they covered has its whole share.
const ENDED_MAX: usize = 1_000;

/// A failback with a ramp, as some service has them.
type Plan = (Duration, Duration);

#[derive(Debug, Default)]
pub(super) struct Returns {
    /// By subject, those of the services that use it; no two alike.
    plans: Vec<Vec<Plan>>,
    /// Those of the fleet.
    all: Vec<Plan>,
    /// The next step of each slot that returned.
    marks: BTreeSet<(Mono, usize)>,
    next: HashMap<usize, Mono>,
    ended: Arc<[Ended]>,
    ended_next: Option<Mono>,
    /// What slow drains leave, as last told.
    slow: Vec<(OverrideId, u8)>,
}

impl Returns {
    /// Another fleet: other failbacks and ramps. Slots are to be marked anew.
    pub(super) fn reload(&mut self, fleet: &Fleet, now: Mono) {
        self.marks.clear();
        self.next.clear();
        self.plans = Vec::new();
        self.all = Vec::new();
        self.plans.resize(fleet.subjects.len(), Vec::new());
        for service in &fleet.services {
            for arm in fleet.arms(service) {
                let plan = (service.tuning.failback, returning::ramp_of(fleet.pool(arm.pool), service));
                if plan == (Duration::ZERO, Duration::ZERO) {
                    continue;
                }
                add(&mut self.all, plan);
                arm.subjects.iter().for_each(|subject| add(&mut self.plans[subject.index()], plan));
            }
        }
        self.hold(self.ended.to_vec(), now);
    }

    /// A slot came back then; whether that has any effect, now or later.
    pub(super) fn mark(&mut self, place: usize, returned: Mono, now: Mono) -> bool {
        self.forget(place);
        let plans = self.plans.get(place / 2).map(Vec::as_slice).unwrap_or_default();
        let next = next_of(plans, returned, now);
        if let Some(at) = next {
            self.marks.insert((at, place));
            self.next.insert(place, at);
        }
        next.is_some()
    }

    /// A slot went away again.
    pub(super) fn forget(&mut self, place: usize) {
        if let Some(at) = self.next.remove(&place) {
            self.marks.remove(&(at, place));
        }
    }

    /// The slots whose step has come.
    pub(super) fn due(&mut self, now: Mono) -> Vec<usize> {
        let mut places = Vec::new();
        while let Some((_, place)) = self.marks.first().copied().filter(|(at, _)| *at <= now) {
            self.forget(place);
            places.push(place);
        }
        places
    }

    /// Lets time pass for ended orders and slow drains; `gone` have ended now. Whether any of them has taken a step.
    pub(super) fn pass(&mut self, now: Now, gone: Vec<Override>, active: &[Override]) -> bool {
        let stepped = self.ended_next.is_some_and(|at| at <= now.mono);
        if stepped || !gone.is_empty() {
            let gone = gone.into_iter().map(|order| Ended { order, at: now.mono });
            self.hold(self.ended.iter().cloned().chain(gone).collect(), now.mono);
        }
        let slow = slow(active).map(|order| (order.id.clone(), returning::over_share(order, now.wall)));
        let slow: Vec<(OverrideId, u8)> = slow.collect();
        let moved = slow != self.slow;
        self.slow = slow;
        stepped || moved
    }

    /// From memory: what ended so long ago, `since` before now.
    pub(super) fn recall(&mut self, lately: &[(Override, Duration)], since: Duration, now: Mono) {
        let at = |ago: &Duration| now.before(ago.saturating_add(since));
        self.hold(lately.iter().map(|(order, ago)| Ended { order: order.clone(), at: at(ago) }).collect(), now);
    }

    /// Those that still have a step ahead, oldest first.
    fn hold(&mut self, mut ended: Vec<Ended>, now: Mono) {
        ended.retain(|ended| next_of(&self.all, ended.at, now).is_some());
        self.ended = ended[ended.len().saturating_sub(ENDED_MAX)..].into();
        self.ended_next = self.ended.iter().filter_map(|ended| next_of(&self.all, ended.at, now)).min();
    }

    pub(super) fn ended(&self) -> &Arc<[Ended]> {
        &self.ended
    }

    /// When the next step is taken.
    pub(super) fn wake_at(&self, now: Now, active: &[Override]) -> Option<Mono> {
        let slow = slow(active).filter_map(|order| returning::next_over_step(order, now.wall));
        let slow = slow.map(|at| now.mono.plus(at.since(now.wall)));
        self.marks.first().map(|(at, _)| *at).into_iter().chain(self.ended_next).chain(slow).min()
    }
}

fn slow(active: &[Override]) -> impl Iterator<Item = &Override> {
    active.iter().filter(|order| order.over.is_some() && order.action == Action::Drain)
}

fn add(plans: &mut Vec<Plan>, plan: Plan) {
    if let Err(place) = plans.binary_search(&plan) {
        plans.insert(place, plan);
    }
}

fn next_of(plans: &[Plan], returned: Mono, now: Mono) -> Option<Mono> {
    plans.iter().filter_map(|(failback, ramp)| returning::next_mark(returned, now, *failback, *ramp)).min()
}
