//! A large fleet: endpoints in twenty regions of five providers, a pool to five endpoints of a region, and a service to
//! two pools of different regions.

use std::{collections::BTreeMap, fmt::Debug, net::Ipv4Addr, str::FromStr, sync::Arc, time::Duration};

use wayshift::{
    control::Identity,
    model::{
        Addresses, Arm, Check, CheckIx, CheckKind, Degraded, Endpoint, EndpointIx, Fleet, Member, MinUp, Nodes, Parts,
        Pool, PoolAnswer, PoolIx, Resume, Safety, Serves, Service, Steer, Thresholds, Tuning, VerdictPolicy, Weight,
        WhenNone, Zone,
    },
};

pub(super) const REGIONS: usize = 20;
const PROVIDERS: usize = 5;
const POOL: usize = 5;

pub(super) const INTERVAL: Duration = Duration::from_secs(10);
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);
pub(super) const RECHECK: Duration = Duration::from_secs(3);
pub(super) const FALL: u8 = 2;

/// Where a node or an endpoint stands. Endpoints of one pool stand together.
pub(super) fn region_of_node(node: usize) -> usize {
    node % REGIONS
}

pub(super) fn region_of_endpoint(endpoint: usize) -> usize {
    endpoint / POOL % REGIONS
}

fn id<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect("texts here are ids")
}

pub(super) fn identity(node: usize) -> Identity {
    let region = region_of_node(node);
    Identity {
        node: id(&format!("node-{node:03}")),
        region: Some(id(&format!("region-{region}"))),
        provider: Some(id(&format!("provider-{}", region % PROVIDERS))),
    }
}

pub(super) fn fleet(endpoints: usize) -> Arc<Fleet> {
    let pools = endpoints / POOL;
    let endpoint = |i: usize| {
        let region = region_of_endpoint(i);
        Endpoint {
            id: id(&format!("web-{i:05}")),
            provider: id(&format!("provider-{}", region % PROVIDERS)),
            region: id(&format!("region-{region}")),
            serves: Serves::Addresses(Addresses::V4(Ipv4Addr::from_bits(0x0a00_0001 + i as u32))),
            weight: Weight(1),
            capacity: None,
            labels: BTreeMap::new(),
            check_at: None,
            check: None,
            alias: None,
            load: None,
            resume: Resume::Auto,
        }
    };
    let pool = |p: usize| Pool {
        id: id(&format!("pool-{p}")),
        members: (p * POOL..(p + 1) * POOL)
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
    let arm = |p: usize| Arm { pool: PoolIx::new(p), weight: Weight(1), subjects: Box::default() };
    let service = |s: usize| Service {
        id: id(&format!("shop-{s}")),
        names: Box::new([id(&format!("shop-{s}.example"))]),
        arms: [2 * s, 2 * s + 1].map(arm).into(),
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
    let check = Check {
        id: id("web"),
        kind: CheckKind::Tcp { port: 80 },
        interval: INTERVAL,
        timeout: TIMEOUT,
        recheck: RECHECK,
        thresholds: Thresholds { rise: 2, fall: FALL, window: None },
        cooldown: Duration::ZERO,
        inverted: false,
        revision: 1,
    };
    Fleet::assemble(Parts {
        zones: vec![Zone { apex: id("example"), negative_ttl: 30, nodes: Nodes::default() }],
        checks: vec![check],
        endpoints: (0..pools * POOL).map(endpoint).collect(),
        pools: (0..pools).map(pool).collect(),
        services: (0..pools / 2).map(service).collect(),
        default_check: Some(CheckIx::new(0)),
        verdict: VerdictPolicy { flap: None, ..VerdictPolicy::default() },
        safety: Safety::default(),
        ..Parts::default()
    })
    .expect("the parts fit together")
}

/// DECIDING section 2: the longest time from a death to the verdict, with an interval's jitter.
pub(super) fn detection() -> Duration {
    INTERVAL * 105 / 100 + TIMEOUT * u32::from(FALL) + RECHECK * u32::from(FALL - 1) + Duration::from_secs(4)
}
