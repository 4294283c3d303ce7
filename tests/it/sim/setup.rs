//! What a seed makes: nodes, endpoints, thresholds, quorum.

use std::{collections::BTreeMap, net::Ipv6Addr, sync::Arc, time::Duration};

use wayshift::{
    control::Identity,
    judge::vantages::{Vantage, duties},
    model::{
        Addresses, Alone, Anchor, AnchorAsk, Arm, Check, CheckIx, CheckKind, Degraded, DnsName, Endpoint, EndpointIx,
        FlapHold, Fleet, KeepRule, LoadFeed, Member, MinUp, Nodes, OwnView, PanicBelow, Parts, Pool, PoolAnswer,
        PoolIx, Quorum, RemovalBudget, Resume, Safety, Serves, Service, Startup, Steer, Thresholds, Tuning,
        VerdictPolicy, Weight, WhenNone, Window, Zone,
    },
};

/// Of every load that is told here.
pub(super) const LOAD_STALE_AFTER: Duration = Duration::from_secs(6);

/// Drawn once from the seed.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub nodes: Vec<Identity>,
    pub endpoints: usize,
    pub providers: usize,
    pub regions: usize,
    pub dual: bool,
    pub check: Check,
    pub policy: VerdictPolicy,
    pub when_none: WhenNone,
    /// Of every service; zero where what returns takes its whole share at once.
    pub failback: Duration,
    pub ramp: Duration,
    /// Every so many-th endpoint is resumed by hand.
    pub manual: Option<usize>,
    pub budget: RemovalBudget,
    /// Of pools `a` and `b`.
    pub min_up: [MinUp; 2],
    pub panic_below: PanicBelow,
    /// How much of the fleet orders may take out, in percent.
    pub max_drained: u8,
    /// So many of the regions, and so many of the pools, must be left.
    pub keep: [u16; 2],
    /// Many endpoints, of which many fail together.
    pub large: bool,
}

/// A configuration: a reload brings another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    pub endpoints: usize,
    pub revision: u64,
}

/// Three of somebody else's.
pub(super) fn anchors() -> Vec<Anchor> {
    let anchor = |n: u8| Anchor {
        url: format!("tcp://198.51.100.{n}:443").into(),
        ask: AnchorAsk::Tcp,
        host: format!("198.51.100.{n}").into(),
        port: 443,
    };
    (1..=3).map(anchor).collect()
}

impl Setup {
    /// Two regions at two providers, and a node in each.
    pub(super) fn pair(rng: &mut fastrand::Rng) -> Self {
        let mut setup = Self::draw(rng);
        let node = |i: usize| Identity {
            node: format!("n{i}").parse().unwrap(),
            region: Some(format!("r{i}").parse().unwrap()),
            provider: Some(format!("p{i}").parse().unwrap()),
        };
        (setup.nodes, setup.providers, setup.regions) = ((0..2).map(node).collect(), 2, 2);
        (setup.policy.quorum, setup.policy.min_vantages) = (Quorum::Majority, 2);
        (setup.policy.alone, setup.policy.vantages_per_endpoint) = (Alone::SelfTest, 7);
        (setup.manual, setup.policy.flap) = (None, None);
        setup
    }

    pub(super) fn draw(rng: &mut fastrand::Rng) -> Self {
        let (providers, regions) = (rng.usize(1..=3), rng.usize(1..=3));
        let nodes: Vec<Identity> = (0..rng.usize(1..=5))
            .map(|i| Identity {
                node: format!("n{i}").parse().unwrap(),
                region: (rng.u8(0..8) > 0).then(|| format!("r{}", i % regions).parse().unwrap()),
                provider: (rng.u8(0..8) > 0).then(|| format!("p{}", i % providers).parse().unwrap()),
            })
            .collect();
        let interval = Duration::from_millis(rng.u64(1..=5) * 1000);
        let check = Check {
            id: "web".parse().unwrap(),
            kind: CheckKind::Tcp { port: 80 },
            interval,
            timeout: Duration::from_millis(800).min(interval * 8 / 10),
            recheck: Duration::from_millis(rng.u64(1..=3) * 1000),
            thresholds: Thresholds {
                rise: rng.u8(1..=3),
                fall: rng.u8(1..=3),
                window: (rng.u8(0..4) == 0).then_some(Window { failures: 3, of: 8 }),
            },
            cooldown: Duration::from_secs(rng.u64(0..=10)),
            inverted: false,
            revision: 1,
        };
        let quorum = match rng.u8(0..6) {
            0 => Quorum::Any,
            1 => Quorum::All,
            2 => Quorum::Count(rng.u16(1..=2)),
            _ => Quorum::Majority,
        };
        let policy = VerdictPolicy {
            quorum,
            min_vantages: rng.u16(1..=3),
            stale_after: Duration::from_secs(10),
            flap: (rng.u8(0..4) > 0).then(|| FlapHold {
                changes: rng.u16(3..=5),
                within: Duration::from_secs(60),
                hold: Duration::from_secs(rng.u64(3..=10)),
                max: Duration::from_secs(25),
            }),
            startup: if rng.u8(0..5) == 0 { Startup::Unknown } else { Startup::LastKnown },
            alone: [Alone::SelfTest, Alone::SelfTest, Alone::Hold, Alone::Judge][rng.usize(0..4)],
            anchors: if rng.u8(0..3) == 0 { anchors() } else { Vec::new() },
            own_view: if rng.bool() { OwnView::RankLast } else { OwnView::Ignore },
            // More regions are never asked for than there are vantages to speak for them.
            vantages_per_endpoint: if matches!(quorum, Quorum::Count(_)) { 7 } else { rng.u16(1..=7) },
        };
        let when_none = if rng.bool() { WhenNone::ServeAll } else { WhenNone::LastGood };
        let dual = rng.bool();
        let mut wait = |most: u64| Duration::from_secs(if rng.bool() { rng.u64(1..=most) } else { 0 });
        let (failback, ramp) = (wait(20), wait(40));
        let manual = rng.bool().then(|| rng.usize(2..=4));
        let endpoints = rng.usize(6..=9);
        let mut min_up = || match rng.u8(0..4) {
            0 => MinUp::Count(rng.u16(1..=3)),
            1 => MinUp::Share(rng.u8(10..=70)),
            _ => MinUp::Auto,
        };
        let min_up = [min_up(), min_up()];
        let panic_below = if rng.bool() { PanicBelow::Share(rng.u8(0..=70)) } else { PanicBelow::Auto };
        Self {
            nodes,
            endpoints,
            providers,
            regions,
            dual,
            check,
            policy,
            when_none,
            failback,
            ramp,
            manual,
            budget: RemovalBudget::default(),
            min_up,
            panic_below,
            max_drained: rng.u8(30..=100),
            keep: [rng.u16(0..=3), rng.u16(0..=2)],
            large: false,
        }
    }

    /// A fleet in which the brakes matter; what delays recoveries is left to the small ones.
    pub(super) fn large(rng: &mut fastrand::Rng) -> Self {
        let mut setup = Self::draw(rng);
        let (providers, regions) = (rng.usize(2..=4), 3);
        let count = if rng.u8(0..4) == 0 { 1 } else { rng.usize(3..=4) };
        let node = |i: usize| Identity {
            node: format!("n{i}").parse().unwrap(),
            region: Some(format!("r{}", i % regions).parse().unwrap()),
            provider: Some(format!("p{}", i % providers).parse().unwrap()),
        };
        (setup.nodes, setup.providers, setup.regions) = ((0..count).map(node).collect(), providers, regions);
        (setup.endpoints, setup.large, setup.dual) = (rng.usize(40..=44), true, rng.u8(0..3) == 0);
        (setup.failback, setup.ramp, setup.manual, setup.policy.flap) = (Duration::ZERO, Duration::ZERO, None, None);
        setup.check.interval = Duration::from_millis(rng.u64(2..=4) * 1000);
        setup.check.timeout = Duration::from_millis(400);
        // What one region alone may take out is confirmed by nobody.
        if rng.bool() {
            setup.policy.quorum = Quorum::Any;
            setup.policy.min_vantages = 1;
        }
        let seconds = Duration::from_secs;
        setup.budget = RemovalBudget {
            share: rng.u8(5..=30),
            per: seconds(rng.u64(10..=30)),
            at_least: rng.u32(1..=8),
            confirm: seconds(rng.u64(4..=15)),
        };
        setup
    }

    /// Whether all would be dead that a node probes beyond its provider and region; all that it probes, if nothing is.
    pub(super) fn is_lost(&self, fleet: &Fleet, at: usize, dead: impl Fn(usize) -> bool) -> bool {
        let me = &self.nodes[at];
        let vantage = |node: &Identity| Vantage {
            node: node.node.clone(),
            region: node.region.clone(),
            provider: node.provider.clone(),
        };
        let all: Vec<Vantage> = self.nodes.iter().map(vantage).collect();
        let duties = duties(fleet, all.iter(), &me.node);
        let mine = fleet.endpoints.iter().enumerate();
        let mine: Vec<_> = mine.filter(|(_, e)| duties.get(&e.id).is_none_or(|duty| duty.is_mine())).collect();
        let elsewhere = |(_, e): &&(usize, &Endpoint)| {
            me.provider.as_ref() != Some(&e.provider) && me.region.as_ref() != Some(&e.region)
        };
        let outside: Vec<_> = mine.iter().filter(elsewhere).copied().collect();
        let counts = if outside.is_empty() { mine } else { outside };
        !counts.is_empty() && counts.iter().all(|(place, _)| dead(*place))
    }

    pub(super) fn first(&self) -> Version {
        Version { endpoints: self.endpoints, revision: 1 }
    }

    /// Pools `a` (even), `b` (odd) and `c` (the first three); services `one` = a, b; `two` = b, a; `three` = c.
    pub(super) fn fleet(&self, version: &Version) -> Arc<Fleet> {
        let endpoint = |i: usize| {
            let (v4, v6) = ([192, 0, 2, i as u8].into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, i as u16));
            Endpoint {
                id: format!("e{i}").parse().unwrap(),
                provider: format!("p{}", i % self.providers).parse().unwrap(),
                region: format!("r{}", i % self.regions).parse().unwrap(),
                serves: Serves::Addresses(if self.dual && i % 3 != 2 {
                    Addresses::Both(v4, v6)
                } else {
                    Addresses::V4(v4)
                }),
                weight: Weight(1),
                capacity: i.is_multiple_of(2).then_some(100),
                labels: BTreeMap::from([("half".into(), format!("h{}", i % 2))]),
                check_at: None,
                check: None,
                alias: None,
                load: (!i.is_multiple_of(3)).then_some(LoadFeed::Push { stale_after: LOAD_STALE_AFTER }),
                resume: match self.manual {
                    Some(every) if i.is_multiple_of(every) => Resume::Manual,
                    Some(_) | None => Resume::Auto,
                },
            }
        };
        let pool = |id: &str, check, min_up, taken: &dyn Fn(usize) -> bool| Pool {
            id: id.parse().unwrap(),
            members: (0..version.endpoints)
                .filter(|i| taken(*i))
                .map(|i| Member { endpoint: EndpointIx::new(i), weight: Weight(1) })
                .collect(),
            answer: PoolAnswer::All,
            count: 8,
            min_up,
            check,
            implicit: false,
            degraded: Degraded::Same,
            ramp: None,
        };
        let service = |id: &str, pools: &[usize]| Service {
            id: id.parse().unwrap(),
            names: Box::new([format!("{id}.example").parse::<DnsName>().unwrap()]),
            arms: (pools.iter())
                .map(|pool| Arm { pool: PoolIx::new(*pool), weight: Weight(1), subjects: Box::default() })
                .collect(),
            steer: Steer::Failover,
            ttl: 30,
            when_none: self.when_none,
            last_resort: None,
            check: None,
            owner: None,
            runbook: None,
            rules: Box::default(),
            tuning: Tuning { failback: self.failback, ramp: self.ramp, ..Tuning::default() },
        };
        let keep = |name: &str, keep, of: &[&str]| KeepRule {
            name: name.into(),
            keep,
            of: of.iter().map(|group| group.parse().unwrap()).collect(),
        };
        let web = Check { revision: version.revision, ..self.check.clone() };
        let other = Check { id: "other".parse().unwrap(), ..self.check.clone() };
        Fleet::assemble(Parts {
            zones: vec![Zone { apex: "example".parse().unwrap(), negative_ttl: 30, nodes: Nodes::default() }],
            checks: vec![web, other],
            endpoints: (0..version.endpoints).map(endpoint).collect(),
            pools: vec![
                pool("a", None, self.min_up[0], &|i| i % 2 == 0),
                pool("b", None, self.min_up[1], &|i| i % 2 == 1),
                pool("c", Some(CheckIx::new(1)), MinUp::Auto, &|i| i < 3),
            ],
            services: vec![service("one", &[0, 1]), service("two", &[1, 0]), service("three", &[2])],
            default_check: Some(CheckIx::new(0)),
            verdict: self.policy.clone(),
            safety: Safety {
                removal_budget: self.budget,
                panic_below: self.panic_below,
                max_drained: self.max_drained,
                rules: vec![
                    keep("regions", self.keep[0], &["region:r0", "region:r1", "region:r2"]),
                    keep("pools", self.keep[1], &["pool:a", "pool:b"]),
                ],
                ..Safety::default()
            },
            ..Parts::default()
        })
        .unwrap()
    }

    /// DECIDING section 2: the longest time from an endpoint's death to its verdict, in milliseconds; with the
    /// interval's jitter of 5 %.
    pub(super) fn detection_ms(&self) -> u64 {
        let ms = |duration: Duration| duration.as_millis() as u64;
        let (check, fall) = (&self.check, u64::from(self.check.thresholds.fall));
        let recheck = ms(check.recheck.min(check.interval));
        ms(check.interval) * 105 / 100 + fall * ms(check.timeout) + (fall - 1) * recheck + 1_000 + 3_000
    }

    /// The longest time from an endpoint's return to its verdict.
    pub(super) fn recovery_ms(&self) -> u64 {
        let (interval, rise) = (self.check.interval.as_millis() as u64, u64::from(self.check.thresholds.rise));
        interval * (rise + 1) * 105 / 100 + self.check.cooldown.as_millis() as u64 + 4_000
    }
}
