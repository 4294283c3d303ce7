//! The removal budget: who leaves, and whether the budget has to pay for it.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use wayshift::{
    judge::Orders,
    model::{EndpointId, Health, Now, OUTAGE_AT, Snapshot, Target, Verdict, ms},
};

use super::{Braking, is_down, is_free};
use crate::sim::{node::Node, setup::Setup};

/// What was in force when the process before this one ended, and in nobody's hands.
pub(super) fn remembered(node: &Node, snapshot: &Snapshot) -> HashSet<Target> {
    let then: Vec<_> = node.disk.overrides.iter().filter(|order| order.holds(node.disk.at)).cloned().collect();
    let orders = Orders::new(&snapshot.fleet, &then);
    let free = |target: &Target| {
        let subject = snapshot.fleet.find_subject(&target.subject)?;
        let endpoint = snapshot.fleet.subject(subject).endpoint;
        Some(orders.availability(endpoint).is_none() && orders.freeze(subject).is_none())
    };
    let held = node.disk.verdicts.iter().filter(|(_, held)| held.health != Health::Down).map(|(target, _)| target);
    held.filter(|target| free(target) == Some(true)).cloned().collect()
}

/// A process that starts counts what has left for most of the others as if it had left here: it may go without being paid
/// for again, and there is the less room for others.
pub(super) fn take_over(model: &mut Braking, snapshot: &Snapshot, now: Now, left: &[(EndpointId, Duration)]) {
    for (endpoint, ago) in left.iter().filter(|(endpoint, _)| snapshot.fleet.has_endpoint(endpoint)) {
        let at = now.mono.before(*ago);
        match model.left.iter_mut().find(|(_, other, _)| other == endpoint) {
            Some(held) => held.0 = held.0.max(at),
            None => model.left.push((at, endpoint.clone(), true)),
        }
    }
}

pub(super) fn are_lawful(
    model: &mut Braking,
    snapshot: &Snapshot,
    in_force: &HashSet<Target>,
    here: &BTreeMap<Target, &Verdict>,
    now: Now,
    setup: &Setup,
    gone: &HashSet<Target>,
) {
    let falls = here.iter().filter(|(target, verdict)| {
        in_force.contains(target) && verdict.health == Health::Down && is_down(verdict) && is_free(verdict)
    });
    let mut leaving: BTreeMap<EndpointId, bool> = BTreeMap::new();
    for (target, _) in falls {
        *leaving.entry(target.subject.endpoint.clone()).or_insert(true) &= gone.contains(target);
    }
    model.left.retain(|(at, ..)| now.mono.0 < at.0 + ms(setup.budget.per));
    let mut new = HashSet::new();
    for (endpoint, had_left) in leaving {
        assert!(model.frozen != Some(true), "removals: {endpoint} left in a freeze");
        if model.left.iter().any(|(_, other, _)| *other == endpoint) {
            continue;
        }
        let confirmed = model.agreed.get(&endpoint).is_some_and(|at| at.0 + ms(setup.budget.confirm) <= now.mono.0);
        let outage = in_outage(model, &endpoint);
        if had_left {
            continue;
        }
        new.insert(endpoint.clone());
        model.left.push((now.mono, endpoint, !confirmed && !outage));
    }
    // What turns out to belong to an outage is paid back.
    let refunded: Vec<usize> = (0..model.left.len()).filter(|at| in_outage(model, &model.left[*at].1)).collect();
    refunded.into_iter().for_each(|at| model.left[at].2 = false);
    // What left lawfully may be more than a smaller fleet would have allowed: a reload takes nobody out.
    if !model.left.iter().any(|(_, endpoint, paid)| *paid && new.contains(endpoint)) {
        return;
    }
    let endpoints = snapshot.fleet.endpoints.len();
    let allowed = (endpoints * usize::from(setup.budget.share) / 100).max(setup.budget.at_least as usize);
    let paid = model.left.iter().filter(|(.., paid)| *paid).count();
    assert!(paid <= allowed, "removals: {paid} within the time, {allowed} allowed: {:?}", model.left);
}

/// Whether it is down and belongs to an outage that goes on, so far as this life was told of it.
fn in_outage(model: &Braking, endpoint: &EndpointId) -> bool {
    if !model.seen.get(endpoint).is_some_and(|seen| seen.down) {
        return false;
    }
    model.groups.of[endpoint].iter().any(|group| {
        let (down, of, elsewhere) = model.groups.count(group);
        let half = of >= 3 && down * 200 >= usize::from(OUTAGE_AT) * of;
        model.outages.get(group) != Some(&false) && half && elsewhere > 0
    })
}
