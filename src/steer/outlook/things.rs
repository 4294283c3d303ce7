//! What a configuration has that another has not, by kind and id.

use std::collections::BTreeMap;

use crate::model::{Arm, Endpoint, Fleet, Pool, Rule, Service};

/// A thing that two fleets do not have alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThingChange {
    /// What became of it.
    pub how: How,
    /// `endpoint`, `pool`, `service`, `check`, `zone`, `provider`, `region`.
    pub kind: &'static str,
    /// Its id.
    pub id: String,
}

/// What became of a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It is another.
    Changed,
}

crate::model::words!(How { Added = "added", Removed = "removed", Changed = "changed" });

/// All that differs, by kind and then by id. Secrets count through their checks.
#[must_use]
pub fn things(old: &Fleet, new: &Fleet) -> Vec<ThingChange> {
    let mut changes = Vec::new();
    compare(&mut changes, "zone", &old.zones, &new.zones, |zone| zone.apex.to_string());
    compare(&mut changes, "provider", &old.providers, &new.providers, |one| one.id.to_string());
    compare(&mut changes, "region", &old.regions, &new.regions, |one| one.id.to_string());
    compare(&mut changes, "check", &old.checks, &new.checks, |one| one.id.to_string());
    compare(&mut changes, "endpoint", &flat_endpoints(old), &flat_endpoints(new), |one| one.0.clone());
    compare(&mut changes, "pool", &flat_pools(old), &flat_pools(new), |one| one.0.clone());
    compare(&mut changes, "service", &flat_services(old), &flat_services(new), |one| one.0.clone());
    changes
}

/// Positions differ between fleets though nothing about a thing changed; ids and texts do not.
type Flat = (String, String);

fn flat_endpoints(fleet: &Fleet) -> Vec<Flat> {
    let flat = |endpoint: &Endpoint| {
        let check = endpoint.check.map(|check| &fleet.check(check).id);
        let bare = Endpoint { check: None, ..endpoint.clone() };
        (endpoint.id.to_string(), format!("{bare:?} {check:?}"))
    };
    fleet.endpoints.iter().map(flat).collect()
}

fn flat_pools(fleet: &Fleet) -> Vec<Flat> {
    let flat = |pool: &Pool| {
        let members = pool.members.iter().map(|member| (&fleet.endpoint(member.endpoint).id, member.weight));
        let members: Vec<_> = members.collect();
        let check = pool.check.map(|check| &fleet.check(check).id);
        let rest = (pool.answer, pool.count, pool.min_up, pool.implicit, pool.degraded, pool.ramp);
        (pool.id.to_string(), format!("{members:?} {check:?} {rest:?}"))
    };
    fleet.pools.iter().map(flat).collect()
}

fn flat_services(fleet: &Fleet) -> Vec<Flat> {
    let arm = |arm: &Arm| (fleet.pool(arm.pool).id.clone(), arm.weight);
    // Where a rule stands is nothing about it: a line above it would change every rule below.
    let rule = |rule: &Rule| {
        let arms: Vec<_> = rule.arms.iter().map(arm).collect();
        (rule.when.clone(), arms, rule.steer, rule.geofence)
    };
    let flat = |service: &Service| {
        let arms: Vec<_> = service.arms.iter().map(arm).collect();
        let last_resort = service.last_resort.as_ref().map(arm);
        let rules: Vec<_> = service.rules.iter().map(rule).collect();
        let check = service.check.map(|check| &fleet.check(check).id);
        let rest = (&service.names, service.steer, service.ttl, service.when_none, &service.owner, &service.runbook);
        let tuning = &service.tuning;
        (service.id.to_string(), format!("{arms:?} {last_resort:?} {rules:?} {check:?} {rest:?} {tuning:?}"))
    };
    fleet.services.iter().map(flat).collect()
}

fn compare<T: PartialEq>(
    changes: &mut Vec<ThingChange>,
    kind: &'static str,
    before: &[T],
    after: &[T],
    id: impl Fn(&T) -> String,
) {
    let by_id = |list: &[T]| -> BTreeMap<String, usize> { list.iter().map(&id).zip(0..).collect() };
    let (old, new) = (by_id(before), by_id(after));
    let mut add = |how: How, id: &str| changes.push(ThingChange { how, kind, id: id.to_owned() });
    new.keys().filter(|id| !old.contains_key(*id)).for_each(|id| add(How::Added, id));
    old.keys().filter(|id| !new.contains_key(*id)).for_each(|id| add(How::Removed, id));
    let both = old.iter().filter_map(|(id, place)| Some((id, *place, *new.get(id)?)));
    both.filter(|(_, old, new)| before[*old] != after[*new]).for_each(|(id, _, _)| add(How::Changed, id));
}
