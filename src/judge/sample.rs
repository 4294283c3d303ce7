//! A small fleet and overrides for this room's tests.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::model::{
    Action, Addresses, Arm, Check, CheckIx, CheckKind, Degraded, DnsName, Endpoint, EndpointIx, Fleet, Member, MinUp,
    Nodes, Override, OverrideId, Parts, Pool, PoolAnswer, PoolIx, Resume, Serves, Service, Steer, Thresholds, Tuning,
    Wall, Weight, WhenNone, Zone,
};

/// Endpoints `e0`..; `e<i>` stands at provider `p<i % 2>` in region `r<i % 3>` and is labelled `tier=t<i % 2>`. Pool
/// `a` holds the even ones, `b` the odd ones, `c` all; services `one` = a, b; `two` = b, c; `three` = c.
pub(crate) fn parts(endpoints: usize) -> Parts {
    let id = |text: &str| text.parse().unwrap();
    let all: Vec<Endpoint> = (0..endpoints)
        .map(|i| Endpoint {
            id: format!("e{i}").parse().unwrap(),
            provider: format!("p{}", i % 2).parse().unwrap(),
            region: format!("r{}", i % 3).parse().unwrap(),
            serves: Serves::Addresses(Addresses::V4([192, 0, (i >> 8) as u8, i as u8].into())),
            weight: Weight(1),
            capacity: None,
            labels: BTreeMap::from([("tier".into(), format!("t{}", i % 2))]),
            check_at: None,
            check: None,
            alias: Some(format!("alias-{i}")),
            load: None,
            resume: Resume::Auto,
        })
        .collect();
    let pool = |name: &str, taken: &dyn Fn(usize) -> bool| Pool {
        id: name.parse().unwrap(),
        members: (0..endpoints)
            .filter(|i| taken(*i))
            .map(|i| Member { endpoint: EndpointIx::new(i), weight: Weight(1) })
            .collect(),
        answer: PoolAnswer::All,
        count: 8,
        min_up: MinUp::Auto,
        check: None,
        implicit: false,
        degraded: Degraded::Same,
        ramp: None,
    };
    let arm = |pool: usize| Arm { pool: PoolIx::new(pool), weight: Weight(1), subjects: Box::default() };
    let service = |name: &str, arms: &[usize]| Service {
        id: name.parse().unwrap(),
        names: Box::new([format!("{name}.example").parse::<DnsName>().unwrap()]),
        arms: arms.iter().copied().map(arm).collect(),
        steer: Steer::Failover,
        ttl: 30,
        when_none: WhenNone::ServeAll,
        last_resort: None,
        check: None,
        owner: None,
        runbook: None,
        rules: Box::default(),
        tuning: Tuning::default(),
    };
    Parts {
        zones: vec![Zone { apex: "example".parse().unwrap(), negative_ttl: 30, nodes: Nodes::default() }],
        checks: vec![check(id("web"))],
        endpoints: all,
        pools: vec![pool("a", &|i| i % 2 == 0), pool("b", &|i| i % 2 == 1), pool("c", &|_| true)],
        services: vec![service("one", &[0, 1]), service("two", &[1, 2]), service("three", &[2])],
        default_check: Some(CheckIx::new(0)),
        ..Parts::default()
    }
}

pub(crate) fn check(id: crate::model::CheckId) -> Check {
    Check {
        id,
        kind: CheckKind::Tcp { port: 80 },
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(3),
        recheck: Duration::from_secs(3),
        thresholds: Thresholds { rise: 2, fall: 3, window: None },
        cooldown: Duration::from_secs(30),
        inverted: false,
        revision: 1,
    }
}

pub(crate) fn fleet(endpoints: usize) -> Arc<Fleet> {
    Fleet::assemble(parts(endpoints)).unwrap()
}

/// The `n`th override; a greater `n` is newer.
pub(crate) fn order(n: u128, action: Action, target: &str) -> Override {
    Override {
        id: OverrideId::new(ulid::Ulid(n)),
        action,
        target: target.parse().unwrap(),
        reason: "a test".into(),
        author: "test".into(),
        created: Wall(0),
        from: Wall(0),
        expires: Wall(u64::MAX),
        forced: false,
        over: None,
        local: false,
        generation: 0,
    }
}
