//! Warnings about what is allowed but will be regretted.

mod rules;
mod steering;

use std::{collections::BTreeSet, time::Duration};

use crate::model::{Arm, Check, Fleet, PoolAnswer, Quorum, Service, ServiceIx, Span};

use super::{build::Build, report::Raw};

/// Losing an endpoint should take no longer than this until resolvers ask again.
const FAILOVER_MAX: Duration = Duration::from_secs(60);
/// TTLs outside are unusual for steered answers, in seconds.
const TTLS: std::ops::RangeInclusive<u32> = 5..=300;

/// The longest time from the death of an endpoint of a service to the decision, by the arithmetic of the probing rules:
/// interval + fall × timeout + (fall - 1) × recheck + 1 s. The answers' TTL comes on top; votes of other nodes add up
/// to 3 s more.
///
/// Zero for a service without a check, whose endpoints never go down by themselves.
#[must_use]
pub fn worst_case(fleet: &Fleet, service: ServiceIx) -> Duration {
    slowest(fleet, fleet.service(service)).map_or(Duration::ZERO, detection)
}

fn slowest<'f>(fleet: &'f Fleet, service: &Service) -> Option<&'f Check> {
    let subjects = answering(service).flat_map(|arm| &arm.subjects);
    let checks: BTreeSet<_> = subjects.filter_map(|subject| fleet.subject(*subject).check).collect();
    checks.into_iter().map(|ix| fleet.check(ix)).max_by_key(|check| detection(check))
}

/// The arms of a service and of its rules, without the last resort.
fn answering(service: &Service) -> impl Iterator<Item = &Arm> {
    service.arms.iter().chain(service.rules.iter().flat_map(|rule| &rule.arms))
}

/// From a failure until it is a verdict, at worst, under one check.
#[must_use]
pub fn detection(check: &Check) -> Duration {
    let fall = u32::from(check.thresholds.fall);
    let wait = check.recheck.min(check.interval);
    check.interval + check.timeout * fall + wait * fall.saturating_sub(1) + Duration::from_secs(1)
}

/// All warnings about a fleet.
pub(super) fn find(build: &Build<'_, '_>, fleet: &Fleet) -> Vec<Raw> {
    let mut found = Vec::new();
    checks(build, fleet, &mut found);
    pools(build, fleet, &mut found);
    votes(build, fleet, &mut found);
    let mut left = rules::COMPARED_MAX;
    for (ix, service) in fleet.services() {
        self::service(build, fleet, ix, service, &mut found);
        steering::service(build, fleet, ix, &mut found);
        rules::hidden(build, fleet, ix, &mut left, &mut found);
        rules::blind(build, fleet, ix, &mut found);
    }
    if fleet.services.is_empty() {
        found.push(Raw::warning("W210", "no service is configured, so nothing is steered"));
    }
    found
}

fn checks(build: &Build<'_, '_>, fleet: &Fleet, found: &mut Vec<Raw>) {
    for (check, place) in fleet.checks.iter().zip(&build.check_places) {
        if check.timeout >= check.interval {
            let raw =
                Raw::warning("W205", format!("the timeout of check `{}` is not shorter than its interval", check.id));
            let label = format!("timeout {}, interval {}", Span(check.timeout), Span(check.interval));
            found.push(raw.at(*place, label));
        }
    }
}

/// So many vantages have a majority without one of them.
const OUTVOTING: u16 = 3;

/// A third of one anchor is all of it; and votes that nobody is asked for are never cast.
fn votes(build: &Build<'_, '_>, fleet: &Fleet, found: &mut Vec<Raw>) {
    let most = fleet.verdict.vantages_per_endpoint;
    if let (Quorum::Count(quorum), Some(place)) = (fleet.verdict.quorum, build.written("verdict", "quorum"))
        && most < quorum
    {
        let message = format!("a quorum of {quorum} is more than the {most} vantages that probe an endpoint");
        let raw = Raw::warning("W222", message).at(place, "nothing ever goes down, once that many are known");
        found.push(raw.hint(format!("write vantages_per_endpoint = {quorum} or more")));
    }
    if let (Quorum::Majority, Some(place)) = (fleet.verdict.quorum, build.written("verdict", "vantages_per_endpoint"))
        && most < OUTVOTING
    {
        let message = format!("{most} vantages an endpoint are too few for one that is broken to be outvoted");
        let raw =
            Raw::warning("W224", message).at(place, "what it sees down may go down, until it proves itself broken");
        found.push(raw.hint(format!("write vantages_per_endpoint = {OUTVOTING} or more")));
    }
    let [anchor] = &fleet.verdict.anchors[..] else { return };
    let Some(place) = build.written("verdict", "anchors") else { return };
    let raw = Raw::warning("W221", format!("`{anchor}` is the only anchor"));
    let raw = raw.at(place, "while it is away, this node takes its own network for broken");
    found.push(raw.hint("name three or more, of different providers"));
}

fn pools(build: &Build<'_, '_>, fleet: &Fleet, found: &mut Vec<Raw>) {
    for (pool, place) in fleet.pools.iter().zip(&build.pool_places) {
        if pool.members.len() == 1 && !pool.implicit {
            found.push(
                Raw::warning("W202", format!("pool `{}` has one endpoint", pool.id))
                    .at(*place, "nothing takes over inside it"),
            );
        }
        let differ = pool.members.iter().any(|member| member.weight != pool.members[0].weight);
        let blind = pool.members.iter().all(|member| fleet.endpoint(member.endpoint).load.is_none());
        if pool.answer == PoolAnswer::LeastConnections && blind {
            let message = format!("pool `{}` chooses by load, and none of its endpoints has a `load`", pool.id);
            found.push(Raw::warning("W218", message).at(*place, "they are drawn by weight"));
        }
        let mut targets = pool.members.iter().map(|member| fleet.endpoint(member.endpoint));
        if let (true, Some(endpoint)) =
            (pool.members.len().min(pool.count.into()) > 1, targets.find(|e| e.target().is_some()))
        {
            let message =
                format!("pool `{}` answers several endpoints at once, and `{}` stands alone", pool.id, endpoint.id);
            let raw =
                Raw::warning("W220", message).at(*place, "a target is answered as CNAME, beside which nothing stands");
            found.push(raw.hint("write count = 1"));
        }
        if differ && pool.answer == PoolAnswer::All {
            let message = format!("pool `{}` answers all its endpoints, so their weights do nothing", pool.id);
            found.push(Raw::warning("W206", message).at(*place, "answer = \"weighted\" uses them"));
        }
    }
}

fn service(build: &Build<'_, '_>, fleet: &Fleet, ix: ServiceIx, service: &Service, found: &mut Vec<Raw>) {
    let place = build.service_places[ix.index()];
    let id = &service.id;
    if !TTLS.contains(&service.ttl) {
        let message = format!("the TTL of service `{id}` is {} s", service.ttl);
        let label = if service.ttl < *TTLS.start() {
            "under 5 s many resolvers ignore it, and each asks far more often"
        } else {
            "over 300 s clients keep a dead endpoint for long"
        };
        found.push(Raw::warning("W204", message).at(place, label));
    }
    if answering(service).flat_map(|arm| &arm.subjects).any(|ix| fleet.subject(*ix).check.is_none()) {
        let message = format!("service `{id}` has endpoints without a check");
        found.push(Raw::warning("W207", message).at(place, "they count as up whatever happens to them"));
    }
    let subjects: Vec<_> = service.arms.iter().flat_map(|arm| &arm.subjects).map(|ix| fleet.subject(*ix)).collect();
    let providers: BTreeSet<_> = subjects.iter().map(|subject| &fleet.endpoint(subject.endpoint).provider).collect();
    if let (1, Some(provider)) = (providers.len(), providers.first())
        && provider.as_str() != "default"
    {
        let message = format!("all endpoints of service `{id}` are at {provider}");
        found.push(Raw::warning("W203", message).at(place, "an outage of that provider takes the service along"));
    }
    let Some(check) = slowest(fleet, service) else { return };
    let total = detection(check) + Duration::from_secs(service.ttl.into());
    if total > FAILOVER_MAX {
        let fall = u32::from(check.thresholds.fall);
        let wait = check.recheck.min(check.interval);
        let sum = format!(
            "{} interval + {fall} x {} timeout + {} x {} recheck + 1s + {}s TTL",
            Span(check.interval),
            Span(check.timeout),
            fall.saturating_sub(1),
            Span(wait),
            service.ttl
        );
        let message = format!("losing an endpoint of service `{id}` takes up to {} to leave the answers", Span(total));
        found.push(Raw::warning("W211", message).at(place, "").note(sum).hint("lower `fall`, `interval` or `ttl`"));
    }
}
