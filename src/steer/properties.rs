//! What holds in every world: worlds, measurements and orders are made by chance from a seed that a failure prints.

mod chance;

use fastrand::Rng;
use proptest::prelude::*;

use self::chance::{happen, place, world};
use super::{
    AnswerChange, AnswerSet, AnswerTable, Client, Draw, Outcome, Picks, Seat, answers, changes, compile,
    decide::{Basis, Branch, Decision, MemberView, PoolState, PoolView, Side, decide},
    explain::NameTrace,
};
use crate::{
    judge::Orders,
    model::{
        Availability, Degraded, DnsName, EndpointId, Family, Health, LastGood, Locality, ServiceIx, Snapshot, Steer,
        WhenNone, kind,
    },
};

fn services(snapshot: &Snapshot) -> impl Iterator<Item = (ServiceIx, Family)> + '_ {
    snapshot.fleet.services().flat_map(|(service, _)| Family::ALL.map(|family| (service, family)))
}

fn pick<'t>(table: &'t AnswerTable, asked: &Asked) -> (Outcome, Picks<'t>) {
    let mut picks = Picks::new();
    let steering = table.steering(asked.service);
    (steering.pick(asked.family, &mut Client::at(asked.place), asked.draw, &mut picks), picks)
}

/// A question of somebody.
#[derive(Debug, Clone, Copy)]
struct Asked {
    service: ServiceIx,
    family: Family,
    place: Locality,
    draw: Draw,
}

impl Asked {
    fn by_chance(chance: &mut Rng, table: &AnswerTable, (service, family): (ServiceIx, Family)) -> Self {
        let draw = Draw { word: chance.u64(..), turn: chance.u32(..), now: table.snapshot().at.mono };
        Self { service, family, place: place(chance), draw }
    }
}

/// What may answer somebody: the branch of the rule, and the service's own pools behind it unless it is fenced.
struct Allowed<'d> {
    branch: &'d Branch,
    base: Option<&'d Branch>,
    side: &'d Side,
    family: Family,
}

impl<'d> Allowed<'d> {
    fn of(table: &AnswerTable, decision: &'d Decision, asked: &Asked) -> Self {
        let rule = table.steering(asked.service).rule(&mut Client::at(asked.place));
        let fenced = rule.is_some_and(|nth| table.snapshot().fleet.service(asked.service).rules[nth].geofence);
        let branch = decision.branch(rule);
        let base = (rule.is_some() && !fenced).then_some(&decision.base);
        Self { branch, base, side: branch.side(asked.family), family: asked.family }
    }

    fn pools(&self) -> impl Iterator<Item = &'d PoolView> + Clone {
        self.branch.pools.iter().chain(self.base.into_iter().flat_map(|base| base.pools.iter()))
    }

    /// Of the pools that are no last resort.
    fn members(&self) -> impl Iterator<Item = &'d MemberView> + Clone {
        self.pools().filter(|pool| !pool.last_resort).flat_map(|pool| pool.members.iter())
    }

    fn health(&self, member: &MemberView) -> Option<Health> {
        member.health[self.family.index()]
    }

    /// Up, in, with a weight.
    fn is_good(&self, member: &MemberView) -> bool {
        !is_out(member) && 0 < member.weight.0 && self.health(member).is_some_and(Health::works)
    }
}

/// By an order, and not on its way out by steps.
fn is_out(member: &MemberView) -> bool {
    member.leaving.is_none() && matches!(member.order, Some((Availability::Down | Availability::Drain, _)))
}

fn is_ordered_down(member: &MemberView) -> bool {
    matches!(member.order, Some((Availability::Down, _)))
}

/// What must hold of one answer.
fn answer_holds(table: &AnswerTable, decision: &Decision, asked: &Asked) {
    let fleet = &table.snapshot().fleet;
    let about = fleet.service(decision.service);
    let allowed = Allowed::of(table, decision, asked);
    let side = allowed.side;
    let (outcome, picks) = pick(table, asked);
    let having = || allowed.members().filter(|member| allowed.health(member).is_some());
    match outcome {
        Outcome::Addresses | Outcome::Target => {}
        Outcome::NoData => assert!(
            having().count() == 0 || matches!(about.when_none, WhenNone::Nodata | WhenNone::Servfail),
            "no data though an endpoint has the family: {side:?} of {decision:?}"
        ),
        Outcome::ServFail => assert!(
            about.when_none == WhenNone::Servfail || having().all(is_ordered_down),
            "a failure though something may be served"
        ),
    }
    assert_eq!(matches!(outcome, Outcome::Addresses | Outcome::Target), !picks.is_empty());
    if let Some(one) = table.steering(asked.service).single(asked.family, asked.draw) {
        let seats: Vec<_> = picks.seats().map(|seat| (seat.address(), seat.pool)).collect();
        assert_eq!(
            (outcome, seats),
            (Outcome::Addresses, vec![(Some(*one.address), one.pool)]),
            "the short way differs"
        );
        assert_eq!((one.ttl, false), (picks.ttl(), picks.is_stale()), "the short way differs");
    }
    let addresses: std::collections::HashSet<_> = picks.addresses().collect();
    assert_eq!(addresses.len(), picks.addresses().count(), "an address twice");
    assert_eq!(outcome == Outcome::Target, picks.len() == 1 && addresses.is_empty(), "a CNAME stands alone");
    if !picks.is_empty() {
        assert!((about.tuning.ttl_min..=about.ttl).contains(&picks.ttl()));
    }
    let good = allowed.members().any(|member| allowed.is_good(member));
    let pinned = allowed.branch.pin.is_some();
    // Open for long, and something of it works.
    let old = |pool: &PoolView| pool.state == PoolState::Open && pool.waits_until.is_none() && !pool.last_resort;
    let waits_alone =
        !allowed.pools().filter(|pool| old(pool)).any(|pool| pool.members.iter().any(|one| allowed.is_good(one)));
    for seat in picks.seats() {
        assert_eq!(fleet.endpoint(seat.endpoint).address(asked.family), seat.address());
        let pool =
            allowed.pools().find(|pool| pool.pool == seat.pool).expect("answers come from pools that may answer");
        let is_it = |one: &&MemberView| one.endpoint == seat.endpoint;
        let member = pool.members.iter().find(is_it).expect("and from their members");
        assert!(!is_ordered_down(member), "ordered down and answered");
        let down = allowed.health(member) == Some(Health::Down);
        let drained = is_out(member);
        match side.basis {
            Basis::Healthy | Basis::Standby => assert!(!down && !drained, "{member:?} answered by {side:?}"),
            // Beside a pool that is short there may be one in panic.
            Basis::Short if side.steer == Steer::Failover => assert!(!down && !drained, "{member:?} by {side:?}"),
            Basis::Short | Basis::Panic => assert!(!drained, "{member:?} answered by {side:?}"),
            Basis::Kept => assert!(!down && drained && !good, "{member:?} answered by {side:?}"),
            Basis::ServeAll | Basis::LastGood | Basis::LastResort => assert!(!good, "{member:?} answered by {side:?}"),
            Basis::Nodata | Basis::Servfail | Basis::NoFamily => unreachable!("nothing is answered then"),
        }
        if side.basis == Basis::Healthy && !pinned {
            assert!(pool.waits_until.is_none() || waits_alone, "{pool:?} answered before its failback");
            let last = fleet.pool(pool.pool).degraded == Degraded::Last;
            let well = |one: &MemberView| allowed.is_good(one) && allowed.health(one) == Some(Health::Up);
            let complains = allowed.health(member) == Some(Health::Degraded);
            assert!(!last || !complains || !pool.members.iter().any(well), "{member:?} before one without complaint");
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
                for _ in 0..3 {
                    let asked = Asked::by_chance(chance, &table, (service, family));
                    answer_holds(&table, &decision, &asked);
                    let (first, again) = (pick(&table, &asked), pick(&table, &asked));
                    prop_assert!(first.0 == again.0 && first.1.seats().eq(again.1.seats()), "equal draws, equal answers");
                }
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
                let asked = Asked::by_chance(chance, &table, (service, family));
                let (outcome, picks) = pick(&table, &asked);
                let kind = match family { Family::V4 => kind::A, Family::V6 => kind::AAAA };
                let name: &DnsName = &about.names[0];
                let trace = table.explain(name, kind, &mut Client::at(asked.place), asked.draw);
                let found = matches!(trace.at, NameTrace::Found { wildcard: false, .. });
                prop_assert!(found);
                let steering = trace.steering.unwrap();
                let told = steering.pick.unwrap();
                prop_assert_eq!((told.outcome, told.ttl), (outcome, picks.ttl()));
                let addresses = |seat: &Seat| seat.address().map_or_else(|| "elsewhere.example.net.".to_owned(), |a| a.to_string());
                prop_assert!(told.picked.iter().map(|(_, _, what)| what.to_string()).eq(picks.seats().map(addresses)));
                // Whoever is answered stands in the set, on the ground that the explanation names.
                let rule = steering.rule.map(|rule| rule.nth);
                let of = |set: &&AnswerSet| {
                    set.service == about.id && set.family == family && set.rule.as_ref().map(|rule| rule.nth) == rule
                };
                let set = after.iter().find(of);
                let told_by_set = set.map_or(Basis::NoFamily, |set| set.basis);
                prop_assert_eq!(told_by_set, told.basis);
                for (pool, endpoint, _) in &told.picked {
                    let share = set.unwrap().pools.iter().find(|share| share.pool == *pool).unwrap();
                    prop_assert!(share.endpoints.iter().any(|(id, _)| id == endpoint));
                }
                let old = before.iter().find(of);
                let listed = changed.iter().any(|one| of(&one.about()));
                prop_assert!(listed || old.map(endpoints) == set.map(endpoints), "not listed: {:?} {:?}", old, set);
                prop_assert!(!listed || old.map(|old| (&old.pools, old.basis, old.steer)) != set.map(|set| (&set.pools, set.basis, set.steer)));
            }
            before = after;
        }
    }
}
