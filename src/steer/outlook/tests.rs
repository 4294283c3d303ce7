//! What is foreseen is what would be, for all whom it touches and for nobody else.

use std::sync::Arc;

use super::*;
use crate::{
    model::{
        Action, Arm, Case, CaseQuestion, Fleet, Health, LastGood, Mono, PoolAnswer, PoolIx, ReloadGuard, Rule, Steer,
        Weight, When, kind,
    },
    steer::{AnswerTable, Locator, compile, sample::World},
};

fn table(world: &World) -> AnswerTable {
    compile(&world.snapshot(), None, &LastGood::new())
}

fn fleet(world: &World) -> Arc<Fleet> {
    Fleet::assemble(world.parts.clone()).unwrap()
}

/// Two services share the pool `both`, a third has one of its own.
fn world() -> World {
    World::new()
        .endpoint("aws-a", "192.0.2.1 2001:db8::1")
        .endpoint("gcp-b", "192.0.2.2")
        .endpoint("gcp-c", "192.0.2.3")
        .pool("both", PoolAnswer::Weighted, &[("aws-a", 60), ("gcp-b", 40)])
        .pool("own", PoolAnswer::All, &[("gcp-c", 1)])
        .service("www", Steer::Failover, &[("both", 1), ("own", 1)])
        .service("api", Steer::Failover, &[("both", 1)])
        .service("shop", Steer::Failover, &[("own", 1), ("both", 1)])
}

/// Clients in Europe get `own` first.
fn with_rule(world: World) -> World {
    let when = When { geo: Box::new(["EU".parse().unwrap()]), ..When::default() };
    let arm = |pool| Arm { pool: PoolIx::new(pool), weight: Weight(1), subjects: Box::default() };
    let rule = Rule { when, arms: [arm(1)].into(), steer: Steer::Failover, geofence: false, place: "w.toml:7".into() };
    world.with_service(|service| service.rules = Box::new([rule]))
}

fn show(all: &[Difference]) -> Vec<String> {
    let side = |sight: &Option<Sight>| sight.as_ref().map_or_else(|| "none".into(), ToString::to_string);
    let show = |one: &Difference| {
        let names: Vec<String> = one.names.iter().map(ToString::to_string).collect();
        let clients: Vec<String> = one.clients.iter().map(ToString::to_string).collect();
        let whom = if one.everyone { "all".to_owned() } else { clients.join(" ") };
        format!("{} {} for {whom}: {} -> {}", names.join(" "), one.family, side(&one.from), side(&one.to))
    };
    all.iter().map(show).collect()
}

#[test]
fn a_change_of_a_shared_pool_lists_every_name_it_touches_and_nothing_else() {
    let before = table(&world());
    assert!(Plan::of(&before, &fleet(&world())).is_empty());
    let mut after = world();
    after.parts.pools[0].members[0].weight = Weight(20);
    let plan = Plan::of(&before, &fleet(&after));
    assert_eq!(
        show(&plan.differences),
        [
            "api.example. v4 for all: both aws-a 60 %, gcp-b 40 % -> both aws-a 33.3 %, gcp-b 66.7 %",
            "www.example. v4 for all: both aws-a 60 %, gcp-b 40 % -> both aws-a 33.3 %, gcp-b 66.7 %",
        ]
    );
    let things: Vec<String> = plan.things.iter().map(|one| format!("{} {} {}", one.how, one.kind, one.id)).collect();
    assert_eq!(things, ["changed pool both"]);
    assert_eq!((plan.records.len(), plan.exceeded.len()), (0, 0));
}

#[test]
fn another_address_ttl_or_owner_of_a_name_is_another_answer() {
    let before = table(&world());
    let mut after = world();
    after.parts.endpoints[2] = World::new().endpoint("gcp-c", "192.0.2.9").parts.endpoints.remove(0);
    after.parts.services[1].ttl = 60;
    let (www, own) = (after.parts.services[0].names.clone(), "new.example".parse().unwrap());
    after.parts.services[0].names = Box::new([own]);
    after.parts.services[2].names = [after.parts.services[2].names[0].clone(), www[0].clone()].into();
    let plan = Plan::of(&before, &fleet(&after));
    assert_eq!(
        show(&plan.differences),
        [
            "api.example. v4 for all: both aws-a 60 %, gcp-b 40 % -> both aws-a 60 %, gcp-b 40 %",
            "api.example. v6 for all: both aws-a -> both aws-a",
            "www.example. v4 for all: both aws-a 60 %, gcp-b 40 % -> own gcp-c",
            "shop.example. v4 for all: own gcp-c -> own gcp-c",
            "new.example. v4 for all: none -> both aws-a 60 %, gcp-b 40 %",
            "new.example. v6 for all: none -> both aws-a",
        ]
    );
    assert_eq!(plan.names_added, ["new.example".parse().unwrap()]);
}

#[test]
fn clients_who_are_answered_differently_are_told_apart() {
    let mut world = with_rule(world());
    let before = table(&world);
    let seen: Vec<String> = views(&before, ServiceIx::new(2))
        .iter()
        .map(|view| {
            format!(
                "{} {:?} {}",
                view.family,
                view.clients.iter().map(ToString::to_string).collect::<Vec<_>>(),
                view.sight
            )
        })
        .collect();
    assert_eq!(
        seen,
        ["v4 [\"anyone\"] own gcp-c", "v4 [\"EU\"] own gcp-c", "v6 [\"anyone\"] both aws-a", "v6 [\"EU\"] both aws-a"]
    );
    world.order(Action::Pin("both".parse().unwrap()), "service:shop");
    let after = compile(&world.snapshot_of(&before.snapshot().fleet), Some(&before), &LastGood::new());
    let shown = show(&differences(&before, &after));
    assert!(shown.iter().all(|line| line.starts_with("shop.example. v4 for")) && !shown.is_empty(), "{shown:?}");
}

#[test]
fn another_fleet_keeps_what_is_known_by_id() {
    let mut now = world();
    now.measure("gcp-b", Health::Down);
    now.order(Action::Drain, "endpoint:gcp-c");
    let mut after = now.clone().endpoint("new-d", "192.0.2.4");
    after.parts.endpoints.rotate_right(1);
    let place = |id: &str| after.parts.endpoints.iter().position(|one| one.id.as_str() == id).unwrap();
    let moved: Vec<usize> = ["aws-a", "gcp-b", "gcp-c"].map(place).into();
    for pool in &mut after.parts.pools {
        pool.members
            .iter_mut()
            .for_each(|one| one.endpoint = crate::model::EndpointIx::new(moved[one.endpoint.index()]));
    }
    let carried = hypothesis::carried(&now.snapshot(), &fleet(&after));
    let health = |id: &str| {
        let endpoint = carried.fleet.find_endpoint(id).unwrap();
        let subject = carried.fleet.subjects.iter().position(|one| one.endpoint == endpoint).unwrap();
        let verdict = carried.verdict(crate::model::SubjectIx::new(subject), Family::V4).unwrap();
        (verdict.health, verdict.order.is_some())
    };
    assert_eq!(
        [health("aws-a"), health("gcp-b"), health("gcp-c"), health("new-d")],
        [(Health::Up, false), (Health::Down, false), (Health::Up, true), (Health::Up, false)]
    );
    // The same things at other places are no change.
    let plan = Plan::of(&table(&now), &carried.fleet);
    assert_eq!((plan.differences, plan.endpoints_added), (Vec::new(), vec!["new-d".parse().unwrap()]));
}

#[test]
fn a_hypothesis_is_what_the_same_world_would_be() {
    let mut world = world();
    let now = world.snapshot();
    let failing = hypothesis::failing(&now, &["provider:aws".parse().unwrap(), "pool:own".parse().unwrap()]);
    for id in ["aws-a", "gcp-c"] {
        world.measure(id, Health::Down);
    }
    let healths = |snapshot: &crate::model::Snapshot| -> Vec<_> {
        snapshot.verdicts.iter().flatten().map(|verdict| (verdict.measured, verdict.health)).collect()
    };
    assert_eq!(healths(&failing), healths(&world.snapshot()));
    world.order(Action::Up, "endpoint:aws-a");
    let ordered = hypothesis::with(&failing, &world.overrides[0]);
    assert_eq!(healths(&ordered), healths(&world.snapshot()));
    assert_eq!(healths(&hypothesis::without(&ordered, &world.overrides[0].id)), healths(&failing));
}

#[test]
fn the_guard_holds_what_removes_or_changes_much() {
    let guard = ReloadGuard { removed: 30, answers: 50, at_least: 1 };
    let mut begun = world().zone("gone", &[]);
    begun.parts.safety.reload_guard = guard;
    let before = table(&begun);
    let check = |change: &dyn Fn(&mut World), expected: &[&str]| {
        let mut after = begun.clone();
        change(&mut after);
        let plan = Plan::of(&before, &fleet(&after));
        let exceeded: Vec<String> = plan.exceeded.iter().map(ToString::to_string).collect();
        assert_eq!(exceeded, expected);
    };
    check(&|_| {}, &[]);
    check(&|world| world.parts.services[2].ttl = 60, &[]);
    check(
        &|world| world.parts.pools[0].members[0].weight = Weight(1),
        &["2 of 3 names are answered differently, and 50 % may be without being looked at"],
    );
    check(&|world| drop(world.parts.zones.pop()), &["it removes the zone gone."]);
    check(
        &|world| drop(world.parts.services.drain(1..)),
        &["2 of 3 names are removed, and 30 % may be without being looked at"],
    );
    // A loosened guard does not let itself through.
    check(
        &|world| {
            world.parts.safety.reload_guard.removed = 100;
            world.parts.services.drain(1..);
        },
        &["2 of 3 names are removed, and 30 % may be without being looked at"],
    );
}

fn case(name: &str, asked: u16, from: Option<&str>, taken: [&[&str]; 2], expect: &[&str]) -> Case {
    let selectors = |all: &[&str]| all.iter().map(|one| one.parse().unwrap()).collect();
    let question =
        CaseQuestion { name: name.parse().unwrap(), kind: asked, from: from.map(|from| from.parse().unwrap()) };
    let expect = expect.iter().map(ToString::to_string).collect();
    let [down, drain] = taken.map(selectors);
    Case { name: "a case".into(), down, drain, question, expect, place: "w.toml:9".into() }
}

#[test]
fn cases_hold_where_exactly_the_expected_is_answered() {
    let none: [&[&str]; 2] = [&[], &[]];
    let aws_down: [&[&str]; 2] = [&["provider:aws"], &[]];
    let rows: &[(Case, &[&str])] = &[
        (case("www.example", kind::A, None, none, &["aws-a", "gcp-b"]), &[]),
        (case("www.example", kind::A, None, none, &["both"]), &[]),
        (case("www.example", kind::A, None, none, &["192.0.2.1", "gcp-b"]), &[]),
        (case("www.example", kind::A, None, none, &["aws-a"]), &["gcp-b is answered and not expected"]),
        (case("www.example", kind::A, None, aws_down, &["gcp-b"]), &[]),
        (case("www.example", kind::A, None, aws_down, &["both", "aws-a"]), &["aws-a is expected and not answered"]),
        (case("www.example", kind::A, None, [&[], &["pool:both"]], &["own"]), &[]),
        (case("www.example", kind::A, None, [&["all"], &[]], &["both"]), &[]),
        (case("api.example", kind::AAAA, None, [&[], &["all"]], &["2001:DB8:0::1"]), &[]),
        (case("shop.example", kind::A, Some("EU-DE"), none, &["gcp-c"]), &[]),
        (case("shop.example", kind::TXT, None, none, &["NODATA"]), &[]),
        (case("none.example", kind::A, None, none, &["NXDOMAIN"]), &[]),
        (case("none.example", kind::A, None, none, &["gcp-c"]), &["gcp-c is expected and not answered"]),
    ];
    let world = with_rule(world());
    let cases: Vec<Case> = rows.iter().map(|(case, _)| case.clone()).collect();
    let outcomes = run_cases(&fleet(&world), &Arc::new(Locator::nowhere()), &cases);
    for (outcome, (case, wrong)) in outcomes.iter().zip(rows) {
        let found: Vec<&str> = outcome.wrong.iter().map(String::as_str).collect();
        assert_eq!(&found[..wrong.len().min(found.len())], *wrong, "{case:?}: {outcome:?}");
        assert_eq!(found.is_empty(), wrong.is_empty(), "{case:?}: {outcome:?}");
    }
    let told = outcomes[3].wrong.join("\n");
    assert!(told.contains("expected aws-a, and came both aws-a 60 %") && told.contains("pool both open"), "{told}");
}

#[test]
fn what_comes_back_step_by_step_is_no_difference() {
    let mut world = world().with_service(|service| service.tuning.ramp = std::time::Duration::from_secs(100));
    let before = table(&world);
    let place = crate::model::EndpointIx::new(2);
    world.returned.insert(place, Mono(1));
    let after = compile(&world.snapshot_of(&before.snapshot().fleet), Some(&before), &LastGood::new());
    assert_eq!(show(&differences(&before, &after)), [""; 0]);
}
