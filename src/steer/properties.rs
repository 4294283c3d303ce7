//! What holds in every world: worlds, measurements and orders are made by chance from a seed that a failure prints.

use fastrand::Rng;
use proptest::prelude::*;

use super::{
    AnswerChange, AnswerSet, AnswerTable, Client, Draw, Outcome, Picks, answers, changes, compile,
    decide::{Basis, Decision, decide},
    explain::NameTrace,
    sample::World,
};
use crate::{
    judge::Orders,
    model::{
        Action, Availability, DnsName, EndpointId, Family, Health, LastGood, MinUp, Mono, PanicBelow, PoolAnswer,
        ServiceIx, Snapshot, Steer, Weight, WhenNone, kind,
    },
};

fn one_of<T: Clone>(chance: &mut Rng, list: &[T]) -> T {
    list[chance.usize(..list.len())].clone()
}

/// Up to seven endpoints, three pools, three services, all settings mixed.
fn world(chance: &mut Rng) -> World {
    let mut world = World::new();
    let endpoints: Vec<String> = (0..chance.usize(1..8)).map(|n| format!("p{}-r{}-e{n}", n % 2, n % 3)).collect();
    for (n, id) in endpoints.iter().enumerate() {
        let (v4, v6) = (format!("192.0.2.{}", n / 2), format!("2001:db8::{n}"));
        world = world.endpoint(id, &one_of(chance, &[v4.clone(), v6.clone(), format!("{v4} {v6}")]));
    }
    for pool in ["a", "b", "c"] {
        let mut members: Vec<(&str, u16)> = Vec::new();
        for id in &endpoints {
            if chance.bool() || members.is_empty() && *id == endpoints[endpoints.len() - 1] {
                members.push((id, chance.u16(0..4)));
            }
        }
        let answer = one_of(chance, PoolAnswer::WORDS).1;
        let min_up = one_of(chance, &[MinUp::Auto, MinUp::Count(2), MinUp::Share(60)]);
        let count = if chance.bool() { 8 } else { chance.u8(1..4) };
        world = world.pool(pool, answer, &members).with_pool(|pool| (pool.min_up, pool.count) = (min_up, count));
    }
    for service in ["one", "two", "three"] {
        let arms = one_of(chance, &[&["a"][..], &["a", "b"], &["b", "c"], &["c", "a", "b"]]);
        let arms: Vec<(&str, u16)> = arms.iter().map(|arm| (*arm, chance.u16(0..3))).collect();
        let when_none = one_of(chance, WhenNone::WORDS).1;
        world = world.service(service, one_of(chance, Steer::WORDS).1, &arms);
        world = world.with_service(|service| service.when_none = when_none);
        if when_none == WhenNone::LastResort || chance.bool() {
            world = world.last_resort(one_of(chance, &["a", "b", "c"]));
        }
    }
    world.parts.safety.panic_below = one_of(chance, &[PanicBelow::Auto, PanicBelow::Share(0), PanicBelow::Share(50)]);
    world
}

/// Something is measured, ordered, or no longer ordered.
fn happen(chance: &mut Rng, world: &mut World) {
    match chance.u8(..4) {
        0 if !world.overrides.is_empty() => drop(world.overrides.remove(chance.usize(..world.overrides.len()))),
        0 | 1 => {
            let pool = one_of(chance, &["a", "b", "c"]).parse().unwrap();
            let (drain, weight) = (Action::Drain, Action::Weight(Weight(chance.u16(..3))));
            let action = one_of(chance, &[Action::Up, drain, Action::Down, weight, Action::Pin(pool), Action::Freeze]);
            let wide =
                ["all", "provider:p0", "region:r?", "endpoint:*-e1", "pool:a", "pool:*", "service:one", "service:t*"];
            let last = world.overrides.last().map_or(0, |order| order.created.0);
            world.order(action, one_of(chance, &wide));
            let order = world.overrides.last_mut().unwrap();
            order.created.0 = last + 1;
            order.id = crate::model::OverrideId::new(ulid::Ulid::from_parts(last + 1, 1));
        }
        _ => {
            let id = one_of(chance, &world.parts.endpoints).id;
            let health = one_of(chance, Health::WORDS).1;
            world.measure_family(id.as_str(), one_of(chance, &Family::ALL), health);
        }
    }
    world.generation += 1;
}

fn services(snapshot: &Snapshot) -> impl Iterator<Item = (ServiceIx, Family)> + '_ {
    snapshot.fleet.services().flat_map(|(service, _)| Family::ALL.map(|family| (service, family)))
}

fn pick(table: &AnswerTable, service: ServiceIx, family: Family, draw: Draw) -> (Outcome, Picks) {
    let mut picks = Picks::new();
    (table.steering(service).pick(family, &mut Client::nobody(), draw, &mut picks), picks)
}

/// What must hold of one answer.
fn answer_holds(table: &AnswerTable, decision: &Decision, family: Family, draw: Draw) {
    let fleet = &table.snapshot().fleet;
    let about = fleet.service(decision.service);
    let side = decision.base.side(family);
    let (outcome, picks) = pick(table, decision.service, family, draw);
    let members = || decision.base.pools.iter().filter(|pool| !pool.last_resort).flat_map(|pool| &pool.members);
    let ordered_down = |at: &crate::model::EndpointIx| {
        let all = decision.base.pools.iter().flat_map(|pool| &pool.members).filter(|member| member.endpoint == *at);
        all.clone().count() > 0 && all.clone().all(|member| matches!(member.order, Some((Availability::Down, _))))
    };
    match outcome {
        Outcome::Addresses | Outcome::Target => {}
        Outcome::NoData => assert!(
            members().all(|member| member.health[family.index()].is_none())
                || matches!(about.when_none, WhenNone::Nodata | WhenNone::Servfail),
            "no data though an endpoint has the family"
        ),
        Outcome::ServFail => assert!(
            about.when_none == WhenNone::Servfail
                || members().filter(|m| m.health[family.index()].is_some()).all(|member| ordered_down(
                    &member.endpoint
                ) || matches!(
                    member.order,
                    Some((Availability::Down, _))
                )),
            "a failure though something may be served"
        ),
    }
    assert_eq!(outcome == Outcome::Addresses, !picks.is_empty());
    let addresses: std::collections::HashSet<_> = picks.addresses().collect();
    assert_eq!(addresses.len(), picks.len(), "an address twice");
    // Up and in with a share: while there is one, nothing down and nothing drained is answered.
    let good = members().any(|member| {
        member.order.as_ref().is_none_or(|(order, _)| *order == Availability::Up)
            && 0 < member.weight.0
            && member.health[family.index()].is_some_and(Health::works)
    });
    for seat in picks.seats() {
        assert_eq!(fleet.endpoint(seat.endpoint).address(family), seat.address());
        assert!(!ordered_down(&seat.endpoint), "ordered down and answered");
        let pool = decision
            .base
            .pools
            .iter()
            .find(|pool| pool.pool == seat.pool)
            .expect("answers come from the service's pools");
        let member = pool.members.iter().find(|member| member.endpoint == seat.endpoint).expect("and their members");
        let down = member.health[family.index()] == Some(Health::Down);
        let drained = matches!(member.order, Some((Availability::Drain, _)));
        match side.basis {
            Basis::Healthy | Basis::Standby => assert!(!down && !drained, "{member:?} answered by {side:?}"),
            // Beside a pool that is short there may be one in panic.
            Basis::Short if about.steer == Steer::Failover => assert!(!down && !drained, "{member:?} by {side:?}"),
            Basis::Short | Basis::Panic => assert!(!drained, "{member:?} answered by {side:?}"),
            Basis::Kept => assert!(!down && drained && !good, "{member:?} answered by {side:?}"),
            Basis::ServeAll | Basis::LastGood | Basis::LastResort => assert!(!good, "{member:?} answered by {side:?}"),
            Basis::Nodata | Basis::Servfail | Basis::NoFamily => unreachable!("nothing is answered then"),
        }
    }
}

fn endpoints(set: &AnswerSet) -> Vec<&EndpointId> {
    set.pools.iter().flat_map(|share| share.endpoints.iter().map(|(id, _)| id)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn answers_hold_in_every_world(seed: u64) {
        let chance = &mut Rng::with_seed(seed);
        let mut world = world(chance);
        let mut table = compile(&world.snapshot(), None, &LastGood::new());
        for _ in 0..12 {
            let good = table.last_good();
            happen(chance, &mut world);
            table = compile(&world.snapshot(), Some(&table), &LastGood::new());
            let snapshot = table.snapshot();
            let orders = Orders::new(&snapshot.fleet, &snapshot.overrides);
            for (service, family) in services(snapshot) {
                let good = good.get(&snapshot.fleet.service(service).id).map(Vec::as_slice);
                let decision = decide(snapshot, &orders, service, good);
                let draw = Draw { word: chance.u64(..), turn: chance.u32(..), now: Mono(0) };
                answer_holds(&table, &decision, family, draw);
                let (first, again) = (pick(&table, service, family, draw), pick(&table, service, family, draw));
                prop_assert!(first.0 == again.0 && first.1.seats().eq(again.1.seats()), "equal draws, equal answers");
            }
        }
    }

    #[test]
    fn compiling_by_change_equals_compiling_whole(seed: u64) {
        let chance = &mut Rng::with_seed(seed);
        let mut world = world(chance);
        let mut table = compile(&world.snapshot(), None, &LastGood::new());
        for _ in 0..16 {
            happen(chance, &mut world);
            if chance.u8(..8) == 0 {
                world.parts.services[0].ttl += 1;
            }
            let good = table.last_good();
            let snapshot = world.snapshot();
            let whole = compile(&snapshot, None, &good);
            table = compile(&snapshot, Some(&table), &LastGood::new());
            prop_assert_eq!(table.last_good(), whole.last_good());
            for (service, _) in snapshot.fleet.services() {
                prop_assert_eq!(table.steering(service), whole.steering(service));
            }
        }
    }

    #[test]
    fn explanations_and_answer_sets_agree_with_the_doors(seed: u64) {
        let chance = &mut Rng::with_seed(seed);
        let mut world = world(chance);
        let mut table = compile(&world.snapshot(), None, &LastGood::new());
        let mut before = answers(table.snapshot(), &LastGood::new());
        for _ in 0..8 {
            happen(chance, &mut world);
            let good = table.last_good();
            let previous = table;
            table = compile(&world.snapshot(), Some(&previous), &LastGood::new());
            let after = answers(table.snapshot(), &good);
            let changed = changes(&before, &after);
            // Sets that differ only in who is behind an address are compiled alike.
            let compiled = |change: &AnswerChange| {
                let service = table.snapshot().fleet.find_service(&change.about().service).unwrap();
                table.steering(service) != previous.steering(service)
            };
            prop_assert_eq!(table.changes_since(&previous, usize::MAX), changed.iter().filter(|one| compiled(one)).cloned().collect::<Vec<_>>());
            for (service, family) in services(table.snapshot()) {
                let about = table.snapshot().fleet.service(service);
                let draw = Draw { word: chance.u64(..), turn: chance.u32(..), now: Mono(0) };
                let (outcome, picks) = pick(&table, service, family, draw);
                let asked = match family { Family::V4 => kind::A, Family::V6 => kind::AAAA };
                let name: &DnsName = &about.names[0];
                let trace = table.explain(name, asked, &mut Client::nobody(), draw);
                let found = matches!(trace.at, NameTrace::Found { wildcard: false, .. });
                prop_assert!(found);
                let told = trace.steering.unwrap().pick.unwrap();
                prop_assert_eq!(told.outcome, outcome);
                prop_assert!(told.picked.iter().map(|(_, _, what)| what.to_string()).eq(picks.addresses().map(|a| a.to_string())));
                // Whoever is answered stands in the set, on the ground that the explanation names.
                let set = after.iter().find(|set| set.service == about.id && set.family == family);
                let told_by_set = set.map_or(Basis::NoFamily, |set| set.basis);
                prop_assert_eq!(told_by_set, told.basis);
                for (pool, endpoint, _) in &told.picked {
                    let share = set.unwrap().pools.iter().find(|share| share.pool == *pool).unwrap();
                    prop_assert!(share.endpoints.iter().any(|(id, _)| id == endpoint));
                }
                let old = before.iter().find(|set| set.service == about.id && set.family == family);
                let listed = changed.iter().any(|one| one.about().service == about.id && one.about().family == family);
                prop_assert!(listed || old.map(endpoints) == set.map(endpoints), "not listed: {:?} {:?}", old, set);
                prop_assert!(!listed || old.map(|old| (&old.pools, old.basis)) != set.map(|set| (&set.pools, set.basis)));
            }
            before = after;
        }
    }
}
