//! What is answered now, as sets that can be compared: views show them, a dry run shows how they would change.

use std::collections::BTreeMap;

use super::{
    AnswerTable,
    decide::{Basis, Branch, Choice, Side, decide},
};
use crate::{
    judge::Orders,
    model::{
        DnsName, EndpointId, Family, Fleet, LastGood, PoolAnswer, PoolId, Service, ServiceId, ServiceIx, Snapshot,
        Steer, Weight,
    },
};

/// What one service answers in one family to the clients of one rule, or to those that no rule is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerSet {
    /// Which service.
    pub service: ServiceId,
    /// Under which names.
    pub names: Box<[DnsName]>,
    /// To clients of which rule; `None` for those that no rule is for.
    pub rule: Option<RuleAt>,
    /// In which family.
    pub family: Family,
    /// On what ground.
    pub basis: Basis,
    /// How one of the pools is chosen.
    pub steer: Steer,
    /// From which pools, in order; empty where nothing is answered.
    pub pools: Vec<PoolShare>,
    /// Drained endpoints among them, which go on serving because nothing else is healthy.
    pub kept: Vec<EndpointId>,
}

/// A rule of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleAt {
    /// Its place among the rules of the service, from 0.
    pub nth: usize,
    /// Where it stands: `wayshift.toml:141`.
    pub place: String,
}

/// A pool's part of an answer set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolShare {
    /// Which pool.
    pub pool: PoolId,
    /// Its weight, where the service steers by weight.
    pub weight: Weight,
    /// How one answer is drawn from it.
    pub answer: PoolAnswer,
    /// Its endpoints that may be answered, with their weights; these count only where it answers by
    /// weight.
    pub endpoints: Vec<(EndpointId, Weight)>,
}

/// An answer set that differs between two snapshots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerChange {
    /// What is answered before; `None` for a service that does not exist before.
    pub from: Option<AnswerSet>,
    /// What is answered after; `None` for a service that does not exist after.
    pub to: Option<AnswerSet>,
}

impl AnswerChange {
    /// The side that exists; the later one if both do.
    #[must_use]
    pub fn about(&self) -> &AnswerSet {
        self.to.as_ref().or(self.from.as_ref()).expect("a change has at least one side")
    }
}

/// All answer sets, by service in the order of the fleet, its rules in order and what is answered without one behind
/// them, IPv4 first. A family that nothing of a rule has is left out.
#[must_use]
pub fn answers(snapshot: &Snapshot, last_good: &LastGood) -> Vec<AnswerSet> {
    let orders = Orders::new(&snapshot.fleet, &snapshot.overrides);
    let services = snapshot.fleet.services();
    services
        .flat_map(|(ix, service)| of_service(snapshot, &orders, ix, last_good.get(&service.id).map(Vec::as_slice)))
        .collect()
}

/// The sets that differ, in the order of service ids. A set is the same while the endpoints are, and their weights where
/// they count; the ground alone changes nothing for a client, and a step of a share on the way back is no change.
#[must_use]
pub fn changes(before: &[AnswerSet], after: &[AnswerSet]) -> Vec<AnswerChange> {
    let by_key =
        |sets: &[AnswerSet]| -> BTreeMap<Key, AnswerSet> { sets.iter().map(|set| (set.key(), set.clone())).collect() };
    let (mut from, to) = (by_key(before), by_key(after));
    let mut changes: BTreeMap<Key, AnswerChange> = BTreeMap::new();
    for (key, to) in to {
        let from = from.remove(&key);
        if !from.as_ref().is_some_and(|from| from.answers_like(&to)) {
            changes.insert(key, AnswerChange { from, to: Some(to) });
        }
    }
    changes.extend(from.into_iter().map(|(key, from)| (key, AnswerChange { from: Some(from), to: None })));
    changes.into_values().collect()
}

/// Sets of two pictures belong together by service, rule and family; clients that no rule is for come first.
type Key = (ServiceId, Option<usize>, Family);

impl AnswerSet {
    fn key(&self) -> Key {
        (self.service.clone(), self.rule.as_ref().map(|rule| rule.nth), self.family)
    }

    /// Whether a client is answered the same by both.
    #[must_use]
    pub fn answers_like(&self, other: &Self) -> bool {
        let pools = || self.pools.iter().zip(&other.pools).all(|(a, b)| a.draws_like(b));
        let choice = self.steer == other.steer || self.pools.len() == 1;
        self.pools.len() == other.pools.len()
            && pools()
            && choice
            && self.names == other.names
            && (!self.pools.is_empty() || self.basis == other.basis)
    }
}

impl AnswerTable {
    /// The answer sets that differ from those of the table before it. Of one fleet no more than `services_max` services
    /// are looked at, and it costs what changed; another fleet is looked at whole.
    #[must_use]
    pub fn changes_since(&self, before: &Self, services_max: usize) -> Vec<AnswerChange> {
        let mut services: Option<Vec<ServiceIx>> = self.differing(before);
        if let Some(services) = &mut services {
            services.truncate(services_max);
        }
        changes(&before.answers(services.as_deref()), &self.answers(services.as_deref()))
    }

    /// The answer sets of some services, or of all.
    pub(super) fn answers(&self, services: Option<&[ServiceIx]>) -> Vec<AnswerSet> {
        let snapshot = self.snapshot();
        let orders = Orders::new(&snapshot.fleet, &snapshot.overrides);
        let of = |service| {
            let good = self.steering(service).good_by_id(&snapshot.fleet);
            of_service(snapshot, &orders, service, good.as_deref())
        };
        match services {
            Some(some) => some.iter().copied().flat_map(of).collect(),
            None => snapshot.fleet.services().map(|(service, _)| service).flat_map(of).collect(),
        }
    }
}

fn of_service(
    snapshot: &Snapshot,
    orders: &Orders<'_>,
    service: ServiceIx,
    last_good: Option<&[(PoolId, EndpointId)]>,
) -> Vec<AnswerSet> {
    let about = snapshot.fleet.service(service);
    let decision = decide(snapshot, orders, service, last_good);
    let rule = |(nth, place): (usize, &str)| Some(RuleAt { nth, place: place.to_owned() });
    let rules = about.rules.iter().map(|rule| rule.place.as_str()).enumerate().map(rule);
    let branches = rules.chain([None]).zip(decision.branches());
    branches.flat_map(|(rule, branch)| of_branch(&snapshot.fleet, about, rule, branch)).collect()
}

fn of_branch(fleet: &Fleet, about: &Service, rule: Option<RuleAt>, branch: &Branch) -> impl Iterator<Item = AnswerSet> {
    Family::ALL.into_iter().filter_map(move |family| {
        let side = branch.side(family);
        if side.basis == Basis::NoFamily {
            return None;
        }
        let pools: Vec<PoolShare> = side.in_force().iter().map(|choice| PoolShare::of(fleet, side, choice)).collect();
        let serves = |id: &EndpointId| pools.iter().any(|pool| pool.endpoints.iter().any(|(one, _)| one == id));
        let kept = branch.kept.iter().map(|endpoint| fleet.endpoint(*endpoint).id.clone());
        let kept = kept.filter(serves).collect();
        let (service, names, rule) = (about.id.clone(), about.names.clone(), rule.clone());
        Some(AnswerSet { service, names, rule, family, basis: side.basis, steer: side.steer, kept, pools })
    })
}

impl PoolShare {
    fn draws_like(&self, other: &Self) -> bool {
        let ids = |share: &Self| share.endpoints.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
        let endpoints = match self.answer {
            PoolAnswer::Weighted => self.endpoints == other.endpoints,
            PoolAnswer::All
            | PoolAnswer::First
            | PoolAnswer::RoundRobin
            | PoolAnswer::Random
            | PoolAnswer::LeastConnections
            | PoolAnswer::Hash => ids(self) == ids(other),
        };
        endpoints && (&self.pool, self.weight, self.answer) == (&other.pool, other.weight, other.answer)
    }

    fn of(fleet: &Fleet, side: &Side, choice: &Choice) -> Self {
        let endpoints = choice.members.iter();
        Self {
            answer: super::steering::answer(fleet, side, choice.pool),
            pool: fleet.pool(choice.pool).id.clone(),
            weight: choice.weight,
            endpoints: endpoints.map(|one| (fleet.endpoint(one.endpoint).id.clone(), one.weight)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Action, Health, PoolAnswer, Steer},
        steer::sample::World,
    };

    #[test]
    fn a_dry_run_names_the_answers_that_change_and_no_other() {
        let mut world = World::new()
            .endpoint("aws-a", "192.0.2.1 2001:db8::1")
            .endpoint("gcp-b", "192.0.2.2")
            .endpoint("gcp-c", "192.0.2.3")
            .pool("both", PoolAnswer::Weighted, &[("aws-a", 2), ("gcp-b", 1)])
            .pool("gcp", PoolAnswer::All, &[("gcp-c", 1)])
            .service("www", Steer::Failover, &[("both", 1), ("gcp", 1)])
            .service("api", Steer::Failover, &[("gcp", 1)]);
        let before = answers(&world.snapshot(), &LastGood::new());
        assert_eq!(changes(&before, &before), []);
        world.order(Action::Drain, "provider:aws");
        let after = answers(&world.snapshot(), &LastGood::new());
        let shown: Vec<String> = changes(&before, &after).iter().map(show).collect();
        // AAAA goes on from the drained endpoint: nothing else has an address of the family.
        assert_eq!(shown, ["www v4: both aws-a*2 gcp-b*1 -> both gcp-b*1"]);
        assert_eq!(after[1].kept, ["aws-a".parse().unwrap()]);
        world.measure("gcp-b", Health::Down);
        let later = answers(&world.snapshot(), &LastGood::new());
        assert_eq!(
            changes(&after, &later).iter().map(show).collect::<Vec<_>>(),
            ["www v4: both gcp-b*1 -> gcp gcp-c*1"]
        );
        assert_eq!(changes(&later, &[]).len(), 3);
    }

    #[test]
    fn each_rule_has_sets_of_its_own_and_a_step_on_the_way_back_changes_none() {
        let mut world = World::new()
            .endpoint("aws-eu", "192.0.2.1")
            .endpoint("gcp-eu", "192.0.2.2")
            .endpoint("aws-us", "192.0.2.3")
            .pool("eu", PoolAnswer::Weighted, &[("aws-eu", 1), ("gcp-eu", 1)])
            .pool("us", PoolAnswer::All, &[("aws-us", 1)])
            .service("www", Steer::Failover, &[("us", 1)])
            .with_service(|service| service.tuning.ramp = std::time::Duration::from_secs(90))
            .rule(&["EU"], Steer::Failover, &[("eu", 1)]);
        world.pass(10_000);
        let changed = |before: &World, after: &World| -> Vec<String> {
            let sets = |world: &World| answers(&world.snapshot(), &LastGood::new());
            changes(&sets(before), &sets(after)).iter().map(show).collect()
        };
        let (mut half, mut out) = (world.clone(), world.clone());
        half.measure("gcp-eu", Health::Down);
        assert_eq!(changed(&world, &half), ["www test.toml:0 v4: eu aws-eu*1 gcp-eu*1 -> eu aws-eu*1"]);
        out.order(Action::Drain, "pool:eu");
        assert_eq!(changed(&world, &out), ["www test.toml:0 v4: eu aws-eu*1 gcp-eu*1 -> us aws-us*1"]);
        out.measure("aws-us", Health::Down);
        assert_eq!(changed(&world, &out), Vec::<String>::new(), "kept where they were, and served at any rate");
        half.returns("gcp-eu");
        let mut later = half.clone();
        later.pass(20);
        assert_eq!(changed(&half, &later), Vec::<String>::new());
    }

    fn show(change: &AnswerChange) -> String {
        let side = |set: &Option<AnswerSet>| {
            let pools = set.iter().flat_map(|set| &set.pools);
            let pool = |pool: &PoolShare| {
                let endpoints = pool.endpoints.iter().map(|(id, weight)| format!(" {id}*{}", weight.0));
                format!("{}{}", pool.pool, endpoints.collect::<String>())
            };
            pools.map(pool).collect::<Vec<_>>().join(" ")
        };
        let about = change.about();
        let rule = about.rule.as_ref().map(|rule| format!(" {}", rule.place)).unwrap_or_default();
        format!("{}{rule} {}: {} -> {}", about.service, about.family, side(&change.from), side(&change.to))
    }
}
