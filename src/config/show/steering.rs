//! Endpoints, pools, services, their rules and tests as they hold.

use serde_json::{Map, Value, json};

use crate::model::{
    Arm, Case, CaseQuestion, CheckAt, Endpoint, Fleet, LoadFeed, MinUp, Pool, PoolAnswer, Rule, Service, Steer,
};

use super::{check_id, seconds, span};
use crate::config::{master::word_of, values::Trickle};

pub(super) fn endpoint(fleet: &Fleet, endpoint: &Endpoint) -> Value {
    let addresses: Vec<String> = endpoint.addresses().map(|(_, address)| address.to_string()).collect();
    let check_at = endpoint.check_at.map(|at| match at {
        CheckAt::Address(address) => address.to_string(),
        CheckAt::Socket(socket) => socket.to_string(),
    });
    let load = endpoint.load.as_ref().map(|load| match load {
        LoadFeed::Poll { url, field } => json!({ "url": url, "field": field }),
        LoadFeed::Push { stale_after } => json!({ "push": true, "stale_after": span(*stale_after) }),
    });
    json!({
        "provider": endpoint.provider, "region": endpoint.region, "address": addresses,
        "target": endpoint.target().map(ToString::to_string), "weight": endpoint.weight.0,
        "capacity": endpoint.capacity, "labels": endpoint.labels, "check_at": check_at,
        "check": check_id(fleet, endpoint.check), "load": load, "resume": endpoint.resume.word(),
    })
}

pub(super) fn pool(fleet: &Fleet, pool: &Pool) -> Value {
    let id = |at: usize| fleet.endpoint(pool.members[at].endpoint).id.to_string();
    // Where weights count they are shown, else the order is.
    let endpoints = match pool.answer {
        PoolAnswer::Weighted | PoolAnswer::LeastConnections | PoolAnswer::Hash => {
            (0..pool.members.len()).map(|at| (id(at), json!(pool.members[at].weight.0))).collect::<Map<_, _>>().into()
        }
        PoolAnswer::All | PoolAnswer::First | PoolAnswer::RoundRobin | PoolAnswer::Random => {
            json!((0..pool.members.len()).map(id).collect::<Vec<_>>())
        }
    };
    let min_up = match pool.min_up {
        MinUp::Auto => json!("auto"),
        MinUp::Count(count) => json!(count),
        MinUp::Share(share) => json!(format!("{share}%")),
    };
    json!({
        "endpoints": endpoints, "answer": pool.answer.word(), "count": pool.count, "min_up": min_up,
        "check": check_id(fleet, pool.check), "degraded": pool.degraded.word(), "ramp": pool.ramp.map(span),
    })
}

pub(super) fn service(fleet: &Fleet, service: &Service) -> Value {
    // A default check holds where nothing nearer does; it shows at the subjects.
    let subjects = fleet.arms(service).flat_map(|arm| &arm.subjects);
    let mut used: Vec<_> = subjects.filter_map(|ix| check_id(fleet, fleet.subject(*ix).check)).collect();
    used.sort_unstable();
    used.dedup();
    let tuning = &service.tuning;
    let sticky = tuning.sticky.map_or(json!(false), |sticky| json!({ "v4": sticky.v4, "v6": sticky.v6 }));
    let last_resort = service.last_resort.as_ref().map(|arm| fleet.pool(arm.pool).id.to_string());
    json!({
        "names": service.names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "pools": pools(fleet, &service.arms, service.steer), "steer": service.steer.word(), "check": check_id(fleet, service.check),
        "checks_used": used, "ttl": seconds(service.ttl), "when_none_healthy": service.when_none.word(),
        "last_resort": last_resort, "owner": service.owner, "runbook": service.runbook,
        "ttl_min": seconds(tuning.ttl_min), "sticky": sticky, "trickle": Trickle(tuning.trickle).to_string(),
        "failback": span(tuning.failback), "ramp": span(tuning.ramp), "spread": { "providers": tuning.spread },
        "https": tuning.https.as_ref().map(|https| json!({ "alpn": https.alpn })),
        "rule": service.rules.iter().map(|rule| self::rule(fleet, rule)).collect::<Vec<_>>(),
    })
}

/// Where weights count they are shown, else the order is.
fn pools(fleet: &Fleet, arms: &[Arm], steer: Steer) -> Value {
    let id = |arm: &Arm| fleet.pool(arm.pool).id.to_string();
    match steer {
        Steer::Weighted => arms.iter().map(|arm| (id(arm), json!(arm.weight.0))).collect::<Map<_, _>>().into(),
        Steer::Failover
        | Steer::Nearest
        | Steer::Fastest
        | Steer::RoundRobin
        | Steer::Random
        | Steer::LeastConnections
        | Steer::All => json!(arms.iter().map(id).collect::<Vec<_>>()),
    }
}

fn rule(fleet: &Fleet, rule: &Rule) -> Value {
    let codes: Vec<String> = rule.when.geo.iter().map(ToString::to_string).collect();
    json!({
        "when": { "subnet": rule.when.subnets, "geo": codes, "asn": rule.when.asn },
        "pools": pools(fleet, &rule.arms, rule.steer), "steer": rule.steer.word(), "geofence": rule.geofence,
    })
}

pub(super) fn case(case: &Case) -> Value {
    let CaseQuestion { name, kind, from } = &case.question;
    let from = from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
    json!({
        "name": case.name, "down": case.down, "drain": case.drain, "expect": case.expect,
        "query": format!("{name} {}{from}", word_of(*kind)),
    })
}
