//! The effective configuration as one JSON value: the shape of the file, every default written out, every secret hidden.
//!
//! It is made of what was built and not of what was written, so that it shows what holds.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use serde_json::{Map, Value, json};

use crate::model::{
    Arm, Check, CheckAt, CheckIx, CheckKind, DnsName, Endpoint, Fleet, HttpCheck, MinUp, PanicBelow, Pool, PoolAnswer,
    Quorum, Service, Span, Startup, Steer, Zone, kind, labels,
};

use super::{
    Loaded,
    settings::{Settings, Threads},
    values::Size,
};

/// What stands for a secret.
const REDACTED: &str = "[redacted]";

pub(super) fn effective(loaded: &Loaded) -> Value {
    let fleet = &loaded.fleet;
    let mut all = settings(&loaded.settings);
    all.insert("zone".into(), by_id(&fleet.zones, |zone| zone.apex.to_string(), zone));
    all.insert("provider".into(), by_id(&fleet.providers, |p| p.id.to_string(), |p| json!({ "title": p.title })));
    all.insert(
        "region".into(),
        by_id(&fleet.regions, |r| r.id.to_string(), |r| json!({ "title": r.title, "at": r.at })),
    );
    all.insert("check".into(), by_id(&fleet.checks, |check| check.id.to_string(), check));
    all.insert("endpoint".into(), by_id(&fleet.endpoints, |e| e.id.to_string(), |e| endpoint(fleet, e)));
    all.insert("pool".into(), by_id(&fleet.pools, |pool| pool.id.to_string(), |p| pool(fleet, p)));
    all.insert("service".into(), by_id(&fleet.services, |s| s.id.to_string(), |s| service(fleet, s)));
    all.insert("verdict".into(), verdict(fleet));
    all.insert("safety".into(), safety(fleet));
    Value::Object(all)
}

fn by_id<T>(list: &[T], id: impl Fn(&T) -> String, show: impl Fn(&T) -> Value) -> Value {
    list.iter().map(|item| (id(item), show(item))).collect::<Map<_, _>>().into()
}

fn span(duration: Duration) -> String {
    Span(duration).to_string()
}

fn seconds(seconds: u32) -> String {
    span(Duration::from_secs(seconds.into()))
}

fn settings(settings: &Settings) -> Map<String, Value> {
    let Settings { node, dns, store, admin, telemetry } = settings;
    let roles = [("answer", node.roles.answer), ("probe", node.roles.probe), ("admin", node.roles.admin)];
    let roles: Vec<&str> = roles.iter().filter(|(_, has)| *has).map(|(role, _)| *role).collect();
    let threads = match dns.threads {
        Threads::Auto => json!("auto"),
        Threads::Count(count) => json!(count),
    };
    let tokens: Vec<Value> = admin
        .tokens
        .iter()
        .map(|token| {
            json!({
                "name": token.name, "role": token.role.word(), "scope": token.scope, "hash": REDACTED,
                "expires": token.expires,
            })
        })
        .collect();
    let all = json!({
        "node": { "name": node.name, "region": node.region, "provider": node.provider, "roles": roles },
        "dns": {
            "listen": dns.listen, "threads": threads, "udp_size": dns.udp_size, "nsid": dns.nsid,
            "chaos": dns.chaos.word(),
            "tcp": {
                "connections": dns.tcp.connections, "per_client": dns.tcp.per_client,
                "idle": span(dns.tcp.idle), "query": span(dns.tcp.query),
            },
        },
        "store": {
            "path": store.path,
            "keep": {
                "audit": span(store.keep.audit), "events": span(store.keep.events),
                "transitions": span(store.keep.transitions), "max_size": Size(store.keep.max_size).to_string(),
            },
        },
        "admin": {
            "listen": admin.listen.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "origins": admin.origins, "token": tokens,
        },
        "telemetry": {
            "log": { "level": telemetry.log.level.word(), "format": telemetry.log.format.word() },
            "metrics": { "per_endpoint": telemetry.per_endpoint, "max_series": telemetry.max_series },
        },
    });
    match all {
        Value::Object(all) => all,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

/// A zone's records are data, not settings: their number is shown.
fn zone(zone: &Zone) -> Value {
    let records: usize = zone.nodes.values().flatten().map(|set| set.rdata.len()).sum();
    let servers = zone.set(&zone.apex, kind::NS).map(|set| &set.rdata[..]).unwrap_or_default();
    let servers: Vec<String> =
        servers.iter().filter_map(|rdata| Some(DnsName::from_wire(rdata).ok()?.to_string())).collect();
    json!({ "soa": soa(zone), "ns": servers, "records": records })
}

fn soa(zone: &Zone) -> Option<Value> {
    let set = zone.set(&zone.apex, kind::SOA)?;
    let rdata: &[u8] = set.rdata.first()?;
    let length = |rest: &[u8]| labels(rest).map(|label| label.len() + 1).sum::<usize>() + 1;
    let (server, rest) = rdata.split_at_checked(length(rdata))?;
    let (contact, numbers) = rest.split_at_checked(length(rest))?;
    let name = |wire: &[u8]| DnsName::from_wire(wire).ok().map(|name| name.to_string());
    let number = |at: usize| numbers.get(at * 4..)?.first_chunk::<4>().map(|octets| u32::from_be_bytes(*octets));
    Some(json!({
        "server": name(server), "contact": name(contact), "serial": number(0), "ttl": seconds(set.ttl),
        "refresh": number(1).map(seconds), "retry": number(2).map(seconds), "expire": number(3).map(seconds),
        "negative_ttl": number(4).map(seconds),
    }))
}

fn check(check: &Check) -> Value {
    let mut shown = json!({
        "interval": span(check.interval), "timeout": span(check.timeout), "recheck": span(check.recheck),
        "rise": check.thresholds.rise, "fall": check.thresholds.fall,
        "window": check.thresholds.window.map(|window| json!({ "failures": window.failures, "of": window.of })),
        "cooldown": span(check.cooldown), "inverted": check.inverted,
    });
    match &check.kind {
        CheckKind::Http(request) => http(request, &mut shown),
        CheckKind::Tcp { port } => shown["url"] = json!(format!("tcp://:{port}")),
    }
    shown
}

fn http(http: &HttpCheck, shown: &mut Value) {
    let range = |range: &RangeInclusive<u16>| match (range.start(), range.end()) {
        (low, high) if low == high => low.to_string(),
        (low, high) => format!("{low}-{high}"),
    };
    let status: Vec<String> = http.expect.status.iter().map(range).collect();
    shown["url"] = json!(http.url);
    shown["method"] = json!(http.method);
    // A field may carry a credential under any name.
    let headers: BTreeMap<&str, &str> = http.headers.keys().map(|name| (name.as_str(), REDACTED)).collect();
    shown["headers"] = json!(headers);
    shown["auth"] = json!(http.bearer.as_ref().map(|_| json!({ "bearer": REDACTED })));
    shown["tls"] = json!(http.tls.as_ref().map(|tls| json!({ "verify": !tls.insecure, "ca": tls.ca, "sni": tls.sni })));
    let latency = http.expect.latency.map(|limit| json!({ "max": span(limit.max), "fail": limit.fail }));
    let cert = http.expect.cert.map(|limit| json!({ "min": span(limit.min), "fail": limit.fail }));
    shown["expect"] = json!({
        "status": status, "body": http.expect.body, "header": http.expect.header, "latency": latency, "cert": cert,
    });
}

fn check_id(fleet: &Fleet, check: Option<CheckIx>) -> Option<&str> {
    check.map(|ix| fleet.check(ix).id.as_str())
}

fn endpoint(fleet: &Fleet, endpoint: &Endpoint) -> Value {
    let addresses: Vec<String> = endpoint.addresses().map(|(_, address)| address.to_string()).collect();
    let check_at = endpoint.check_at.map(|at| match at {
        CheckAt::Address(address) => address.to_string(),
        CheckAt::Socket(socket) => socket.to_string(),
    });
    json!({
        "provider": endpoint.provider, "region": endpoint.region, "address": addresses, "weight": endpoint.weight.0,
        "capacity": endpoint.capacity, "labels": endpoint.labels, "check_at": check_at,
        "check": check_id(fleet, endpoint.check),
    })
}

fn pool(fleet: &Fleet, pool: &Pool) -> Value {
    let id = |at: usize| fleet.endpoint(pool.members[at].endpoint).id.to_string();
    // Where weights count they are shown, else the order is.
    let endpoints = match pool.answer {
        PoolAnswer::Weighted => {
            (0..pool.members.len()).map(|at| (id(at), json!(pool.members[at].weight.0))).collect::<Map<_, _>>().into()
        }
        PoolAnswer::All
        | PoolAnswer::First
        | PoolAnswer::RoundRobin
        | PoolAnswer::Random
        | PoolAnswer::LeastConnections
        | PoolAnswer::Hash => {
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
        "check": check_id(fleet, pool.check),
    })
}

fn service(fleet: &Fleet, service: &Service) -> Value {
    let id = |arm: &Arm| fleet.pool(arm.pool).id.to_string();
    let pools = match service.steer {
        Steer::Weighted => service.arms.iter().map(|arm| (id(arm), json!(arm.weight.0))).collect::<Map<_, _>>().into(),
        Steer::Failover
        | Steer::Nearest
        | Steer::Fastest
        | Steer::RoundRobin
        | Steer::Random
        | Steer::LeastConnections
        | Steer::All => {
            json!(service.arms.iter().map(id).collect::<Vec<_>>())
        }
    };
    // A default check holds where nothing nearer does; it shows at the subjects.
    let subjects = service.arms.iter().flat_map(|arm| &arm.subjects);
    let mut used: Vec<_> = subjects.filter_map(|ix| check_id(fleet, fleet.subject(*ix).check)).collect();
    used.sort_unstable();
    used.dedup();
    json!({
        "names": service.names.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "pools": pools, "steer": service.steer.word(), "check": check_id(fleet, service.check),
        "checks_used": used, "ttl": seconds(service.ttl), "when_none_healthy": service.when_none.word(),
        "last_resort": service.last_resort.as_ref().map(id), "owner": service.owner, "runbook": service.runbook,
    })
}

fn verdict(fleet: &Fleet) -> Value {
    let policy = &fleet.verdict;
    let quorum = match policy.quorum {
        Quorum::Any => json!("any"),
        Quorum::Majority => json!("majority"),
        Quorum::All => json!("all"),
        Quorum::Count(count) => json!(count),
    };
    let startup = match policy.startup {
        Startup::LastKnown => "last-known",
        Startup::Unknown => "unknown",
    };
    json!({
        "quorum": quorum, "min_vantages": policy.min_vantages, "stale_after": span(policy.stale_after),
        "startup": startup,
    })
}

fn safety(fleet: &Fleet) -> Value {
    let safety = &fleet.safety;
    let panic_below = match safety.panic_below {
        PanicBelow::Auto => "auto".into(),
        PanicBelow::Share(share) => format!("{share}%"),
    };
    let lives = &safety.lives;
    let rules: Vec<Value> =
        safety.rules.iter().map(|rule| json!({ "name": rule.name, "keep": rule.keep, "of": rule.of })).collect();
    json!({
        "panic_below": panic_below,
        "override_for": {
            "drain": span(lives.drain), "down": span(lives.down), "weight": span(lives.weight),
            "pin": span(lives.pin), "up": span(lives.up), "freeze": span(lives.freeze),
        },
        "override_max": span(safety.override_max), "require_reason": safety.require_reason, "rules": rules,
    })
}
