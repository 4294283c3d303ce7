//! The effective configuration as one JSON value: the shape of the file, every default written out, every secret hidden.
//!
//! It is made of what was built and not of what was written, so that it shows what holds.

mod steering;

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use serde_json::{Map, Value, json};

use crate::model::{
    Check, CheckIx, CheckKind, DnsName, Fleet, HttpCheck, PanicBelow, Quorum, Secondaries, Span, Startup, Zone, kind,
    labels,
};

use super::{
    Loaded,
    settings::{EtcdSettings, Settings, Threads},
    values::{Hundredths, Size},
};

/// What stands for a secret.
const REDACTED: &str = "[redacted]";

pub(super) fn effective(loaded: &Loaded) -> Value {
    let (fleet, who) = (&loaded.fleet, &loaded.settings.replication);
    let mut all = settings(&loaded.settings);
    all.insert("zone".into(), by_id(&fleet.zones, |zone| zone.apex.to_string(), |z| zone(z, who.of(&z.apex))));
    all.insert(
        "tsig".into(),
        by_id(
            &who.keys,
            |key| key.name.to_string(),
            |key| json!({ "algorithm": key.algorithm.word(), "secret": REDACTED }),
        ),
    );
    all.insert(
        "provider".into(),
        by_id(
            &fleet.providers,
            |p| p.id.to_string(),
            |p| json!({ "title": p.title, "outage_at": percent(p.outage_at) }),
        ),
    );
    all.insert(
        "region".into(),
        by_id(&fleet.regions, |r| r.id.to_string(), |r| json!({ "title": r.title, "at": r.at })),
    );
    all.insert("check".into(), by_id(&fleet.checks, |check| check.id.to_string(), check));
    all.insert("endpoint".into(), by_id(&fleet.endpoints, |e| e.id.to_string(), |e| steering::endpoint(fleet, e)));
    all.insert("pool".into(), by_id(&fleet.pools, |pool| pool.id.to_string(), |p| steering::pool(fleet, p)));
    all.insert("service".into(), by_id(&fleet.services, |s| s.id.to_string(), |s| steering::service(fleet, s)));
    all.insert("verdict".into(), verdict(fleet));
    all.insert("safety".into(), safety(fleet));
    all.insert("test".into(), loaded.tests.iter().map(steering::case).collect());
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

fn percent(share: u8) -> String {
    format!("{share}%")
}

fn settings(settings: &Settings) -> Map<String, Value> {
    let Settings { node, dns, replication: _, geo, store, admin, telemetry } = settings;
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
            "chaos": dns.chaos.word(), "ecs": dns.ecs.word(), "debug_names": dns.debug_names,
            "shadow": Hundredths(dns.shadow).to_string(),
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
            "etcd": store.etcd.as_ref().map(etcd),
        },
        "geo": { "database": geo.database, "asn": geo.asn, "nets": geo.nets },
        "admin": {
            "listen": admin.listen.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "origins": admin.origins, "token": tokens,
            "peers": admin.peers.as_ref().map(|peers| json!({ "at": peers.at.iter().map(ToString::to_string).collect::<Vec<_>>(), "token": REDACTED, "ca": peers.ca })),
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

fn etcd(etcd: &EtcdSettings) -> Value {
    let identity = etcd.tls.identity.as_ref();
    json!({
        "endpoints": etcd.endpoints, "prefix": etcd.prefix,
        "user": etcd.user.as_ref().map(|(user, _)| user), "password": etcd.user.as_ref().map(|_| REDACTED),
        "tls": { "ca": etcd.tls.ca, "cert": identity.map(|(cert, _)| cert), "key": identity.map(|_| REDACTED) },
    })
}

/// A zone's records are data, not settings: their number is shown.
fn zone(zone: &Zone, who: Option<&Secondaries>) -> Value {
    let servers = zone.set(&zone.apex, kind::NS).into_iter().flat_map(|set| set.rdata());
    let servers: Vec<String> = servers.filter_map(|rdata| Some(DnsName::from_wire(rdata).ok()?.to_string())).collect();
    let key = |who: &Secondaries| who.key.as_ref().map(|key| key.name.to_string());
    let transfer = who.map(|who| json!({ "allow": who.allow, "tsig": key(who) }));
    let notify: Vec<String> = who.into_iter().flat_map(|who| &who.notify).map(ToString::to_string).collect();
    json!({
        "soa": soa(zone), "ns": servers, "records": zone.nodes.records(), "transfer": transfer, "notify": notify,
    })
}

fn soa(zone: &Zone) -> Option<Value> {
    let set = zone.set(&zone.apex, kind::SOA)?;
    let rdata = set.rdata().next()?;
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
    let flap = match policy.flap {
        None => json!(false),
        Some(flap) => json!({
            "changes": flap.changes, "within": span(flap.within), "hold": span(flap.hold), "max": span(flap.max),
        }),
    };
    json!({
        "quorum": quorum, "min_vantages": policy.min_vantages, "stale_after": span(policy.stale_after),
        "startup": startup, "flap": flap, "alone": policy.alone.word(), "own_view": policy.own_view.word(),
        "anchors": policy.anchors.iter().map(|anchor| &anchor.url).collect::<Vec<_>>(),
        "vantages_per_endpoint": policy.vantages_per_endpoint,
    })
}

fn safety(fleet: &Fleet) -> Value {
    let safety = &fleet.safety;
    let panic_below = match safety.panic_below {
        PanicBelow::Auto => "auto".into(),
        PanicBelow::Share(share) => format!("{share}%"),
    };
    let (lives, budget, guard) = (&safety.lives, &safety.removal_budget, &safety.reload_guard);
    let rules: Vec<Value> =
        safety.rules.iter().map(|rule| json!({ "name": rule.name, "keep": rule.keep, "of": rule.of })).collect();
    json!({
        "panic_below": panic_below,
        "override_for": {
            "drain": span(lives.drain), "down": span(lives.down), "weight": span(lives.weight),
            "pin": span(lives.pin), "up": span(lives.up), "freeze": span(lives.freeze),
        },
        "override_max": span(safety.override_max), "require_reason": safety.require_reason, "rules": rules,
        "removal_budget": {
            "share": percent(budget.share), "per": span(budget.per), "at_least": budget.at_least,
            "confirm": span(budget.confirm),
        },
        "max_drained": percent(safety.max_drained),
        "reload_guard": {
            "removed": percent(guard.removed), "answers": percent(guard.answers), "at_least": guard.at_least,
        },
    })
}
