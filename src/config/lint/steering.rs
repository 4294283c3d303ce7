//! Policies that do nothing where they stand, or less than they seem to.

use std::collections::BTreeSet;

use super::super::{
    build::{Build, by_distance},
    report::Raw,
};
use crate::model::{Arm, Fleet, PoolAnswer, Service, ServiceIx, Steer};

/// Most names that one warning lists.
const LISTED_MAX: usize = 10;

pub(super) fn service(build: &Build<'_, '_>, fleet: &Fleet, ix: ServiceIx, found: &mut Vec<Raw>) {
    let service = fleet.service(ix);
    distance(build, fleet, ix, found);
    trickle(build, service, ix, found);
    spread(build, fleet, ix, found);
    shares(build, fleet, ix, found);
    fences(build, fleet, ix, found);
}

/// Each branch with its way of steering: the rules, then the service itself.
fn branches(service: &Service) -> impl Iterator<Item = (&[Arm], Steer)> {
    let rules = service.rules.iter().map(|rule| (&*rule.arms, rule.steer));
    rules.chain([(&*service.arms, service.steer)])
}

/// Whether the pools of a branch stand one behind the other.
fn in_order(steer: Steer) -> bool {
    steer == Steer::Failover || by_distance(steer)
}

/// Steering by distance where clients are not located, or some of the endpoints are nowhere.
fn distance(build: &Build<'_, '_>, fleet: &Fleet, ix: ServiceIx, found: &mut Vec<Raw>) {
    let service = fleet.service(ix);
    let measured = || branches(service).filter(|(_, steer)| by_distance(*steer));
    let Some((_, steer)) = measured().next() else { return };
    let place = build.service_key(ix, "steer");
    if !build.has_geo("database") && !build.has_geo("nets") {
        let message = format!("service `{}` steers by `{steer}`, and nothing tells where clients are", service.id);
        let raw = Raw::warning("W214", message).at(place, "the pools are taken in the order written");
        found.push(raw.hint("write [geo] database = \"GeoLite2-City.mmdb\""));
    }
    let endpoints = measured().flat_map(|(arms, _)| arms).flat_map(|arm| &fleet.pool(arm.pool).members);
    let regions: BTreeSet<_> = endpoints.map(|member| &fleet.endpoint(member.endpoint).region).collect();
    let nowhere = regions.into_iter().filter(|id| fleet.region(id).is_none_or(|region| region.at.is_none()));
    let nowhere: Vec<&str> = nowhere.map(|id| id.as_str()).take(LISTED_MAX).collect();
    if !nowhere.is_empty() {
        let message = format!("service `{}` steers by `{steer}`, and some of its regions are nowhere", service.id);
        let raw = Raw::warning("W215", message).at(place, "their endpoints are never the nearest");
        found.push(raw.note(format!("regions without `at`: {}", nowhere.join(", "))));
    }
}

/// A trickle needs a next pool, in a branch whose order says which that is.
fn trickle(build: &Build<'_, '_>, service: &Service, ix: ServiceIx, found: &mut Vec<Raw>) {
    if build.writes(ix, "trickle")
        && service.tuning.trickle > 0
        && !branches(service).any(|(arms, steer)| arms.len() > 1 && in_order(steer))
    {
        let message = format!("the trickle of service `{}` has no next pool to go to", service.id);
        let raw = Raw::warning("W216", message).at(build.service_key(ix, "trickle"), "it does nothing");
        found.push(raw.hint("name a second pool, and steer by order or distance"));
    }
}

/// A spread needs answers of several endpoints, of as many providers.
fn spread(build: &Build<'_, '_>, fleet: &Fleet, ix: ServiceIx, found: &mut Vec<Raw>) {
    let service = fleet.service(ix);
    let wanted = usize::from(service.tuning.spread);
    if wanted < 2 {
        return;
    }
    let pools: BTreeSet<_> = branches(service).flat_map(|(arms, _)| arms).map(|arm| arm.pool).collect();
    let short: Vec<&str> = pools
        .into_iter()
        .map(|pool| fleet.pool(pool))
        .filter(|pool| {
            let providers: BTreeSet<_> =
                pool.members.iter().map(|member| &fleet.endpoint(member.endpoint).provider).collect();
            providers.len().min(pool.count.into()) < wanted
        })
        .map(|pool| pool.id.as_str())
        .take(LISTED_MAX)
        .collect();
    // Where all pools answer together, their endpoints do.
    if !short.is_empty() && service.steer != Steer::All {
        let message = format!("answers of service `{}` cannot span {wanted} providers in every pool", service.id);
        let raw = Raw::warning("W217", message).at(build.service_key(ix, "spread"), "too few endpoints or providers");
        found.push(raw.note(format!("pools with fewer: {}", short.join(", "))));
    }
}

/// A ramp grows shares, and loads choose between endpoints: both need what they work on.
fn shares(build: &Build<'_, '_>, fleet: &Fleet, ix: ServiceIx, found: &mut Vec<Raw>) {
    let service = fleet.service(ix);
    let pools = || branches(service).flat_map(|(arms, _)| arms).map(|arm| fleet.pool(arm.pool));
    if build.writes(ix, "ramp")
        && !service.tuning.ramp.is_zero()
        && pools().all(|pool| pool.answer == PoolAnswer::All)
        && branches(service).all(|(arms, _)| arms.len() < 2)
    {
        let message = format!("the ramp of service `{}` has no share that could grow", service.id);
        let raw =
            Raw::warning("W216", message).at(build.service_key(ix, "ramp"), "its one pool answers all its endpoints");
        found.push(raw.hint("draw by weight, or name a second pool"));
    }
    let mut read = pools().flat_map(|pool| &pool.members).map(|member| &fleet.endpoint(member.endpoint).load);
    if branches(service).any(|(_, steer)| steer == Steer::LeastConnections) && read.all(Option::is_none) {
        let message = format!("service `{}` chooses by load, and no endpoint of it has a `load`", service.id);
        let raw = Raw::warning("W218", message).at(build.service_key(ix, "steer"), "pools are drawn by weight");
        found.push(raw);
    }
}

/// Behind a fence at one provider nothing is left when that provider fails.
fn fences(build: &Build<'_, '_>, fleet: &Fleet, ix: ServiceIx, found: &mut Vec<Raw>) {
    let service = fleet.service(ix);
    for (at, rule) in service.rules.iter().enumerate().filter(|(_, rule)| rule.geofence) {
        let members = rule.arms.iter().flat_map(|arm| &fleet.pool(arm.pool).members);
        let providers: BTreeSet<_> = members.map(|member| &fleet.endpoint(member.endpoint).provider).collect();
        if let (1, Some(provider)) = (providers.len(), providers.first())
            && provider.as_str() != "default"
        {
            let message = format!("all endpoints behind a fence of service `{}` are at {provider}", service.id);
            let raw = Raw::warning("W203", message).at(build.rule_place(ix, at), "clients of this rule have no other");
            found.push(raw);
        }
    }
}
