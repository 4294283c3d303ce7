//! A snapshot as people ask for it: the worst of an endpoint, the sum of a pool, the word for a service.

use std::collections::HashMap;

use super::views::HealthCounts;
use crate::{
    judge::Orders,
    model::{
        Availability, EndpointIx, Family, Fleet, Health, LastGood, OverrideId, PoolIx, Selector, Service, ServiceIx,
        Snapshot, SubjectIx, Wall,
    },
    steer::{
        decide::{Decision, decide},
        outlook::hypothesis::availability_of,
    },
};

/// One snapshot with its indices; made for one request.
pub(super) struct Picture<'s> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) orders: Orders<'s>,
    good: &'s LastGood,
    subjects: HashMap<EndpointIx, Vec<SubjectIx>>,
}

/// The state of an endpoint in one word each.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Worst {
    pub(super) verdict: Health,
    pub(super) measured: Health,
    pub(super) since: Wall,
    pub(super) order: Option<(Availability, OverrideId)>,
}

impl Worst {
    fn ordered_out(&self) -> bool {
        is_out(self.order.as_ref().map(|(order, _)| *order))
    }
}

impl<'s> Picture<'s> {
    /// `good` is what was last answered while healthy.
    pub(super) fn of(snapshot: &'s Snapshot, good: &'s LastGood) -> Self {
        let mut subjects: HashMap<EndpointIx, Vec<SubjectIx>> = HashMap::new();
        for (place, subject) in snapshot.fleet.subjects.iter().enumerate() {
            subjects.entry(subject.endpoint).or_default().push(SubjectIx::new(place));
        }
        Self { snapshot, orders: Orders::new(&snapshot.fleet, &snapshot.overrides), good, subjects }
    }

    pub(super) fn fleet(&self) -> &'s Fleet {
        &self.snapshot.fleet
    }

    pub(super) fn subjects_of(&self, endpoint: EndpointIx) -> &[SubjectIx] {
        self.subjects.get(&endpoint).map_or(&[], Vec::as_slice)
    }

    /// The worst of all addresses under all checks.
    pub(super) fn endpoint(&self, endpoint: EndpointIx) -> Worst {
        self.worst(endpoint, self.subjects_of(endpoint))
    }

    fn worst(&self, endpoint: EndpointIx, subjects: &[SubjectIx]) -> Worst {
        let all = subjects.iter().flat_map(|subject| Family::ALL.map(|family| (*subject, family)));
        let verdicts: Vec<_> = all.filter_map(|(subject, family)| self.snapshot.verdict(subject, family)).collect();
        let worst = verdicts.iter().max_by_key(|verdict| (verdict.health, std::cmp::Reverse(verdict.since)));
        let order = self.orders.availability(endpoint).and_then(availability_of);
        Worst {
            verdict: worst.map_or(Health::Unknown, |verdict| verdict.health),
            measured: verdicts.iter().map(|verdict| verdict.measured).max().unwrap_or(Health::Unknown),
            since: worst.map_or(self.snapshot.at.wall, |verdict| verdict.since),
            order,
        }
    }

    /// Endpoints by state.
    pub(super) fn count(&self, endpoints: impl Iterator<Item = EndpointIx>) -> HealthCounts {
        let mut counts = HealthCounts::default();
        endpoints.for_each(|endpoint| add(&mut counts, &self.endpoint(endpoint)));
        counts
    }

    /// What a service may answer, and why.
    pub(super) fn decision(&self, service: ServiceIx) -> Decision {
        let good = self.good.get(&self.fleet().service(service).id).map(Vec::as_slice);
        decide(self.snapshot, &self.orders, service, good)
    }

    /// Services that use a pool.
    pub(super) fn users_of(&self, pool: PoolIx) -> impl Iterator<Item = (ServiceIx, &'s Service)> {
        let fleet = self.fleet();
        fleet.services().filter(move |(_, service)| fleet.arms(service).any(|arm| arm.pool == pool))
    }

    /// Overrides in force whose target names exactly this.
    pub(super) fn aimed_at(&self, is_it: impl Fn(&Selector) -> bool) -> Vec<OverrideId> {
        self.snapshot.overrides.iter().filter(|order| is_it(&order.target)).map(|order| order.id.clone()).collect()
    }
}

/// The word for a group: `up` when all work, `down` when none does, `unknown` when nobody knows of any.
pub(super) fn verdict_of(counts: &HealthCounts) -> Health {
    match counts {
        HealthCounts { total: 0, .. } => Health::Unknown,
        all if all.up == all.total => Health::Up,
        all if all.down == all.total => Health::Down,
        all if all.unknown == all.total => Health::Unknown,
        HealthCounts { .. } => Health::Degraded,
    }
}

/// Adds one to its state.
pub(super) fn tally(counts: &mut HealthCounts, verdict: Health, ordered_out: bool) {
    counts.total += 1;
    counts.ordered_out += usize::from(ordered_out);
    match verdict {
        Health::Up => counts.up += 1,
        Health::Degraded => counts.degraded += 1,
        Health::Unknown => counts.unknown += 1,
        Health::Down => counts.down += 1,
    }
}

fn add(counts: &mut HealthCounts, worst: &Worst) {
    tally(counts, worst.verdict, worst.ordered_out());
}

/// Drained or ordered down.
pub(super) fn is_out(order: Option<Availability>) -> bool {
    match order {
        Some(Availability::Drain | Availability::Down) => true,
        Some(Availability::Up) | None => false,
    }
}
