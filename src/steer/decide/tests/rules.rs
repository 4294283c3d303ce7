//! What clients of a rule are answered, and when the service without it stands in.

use super::*;

/// Three pools of one endpoint; Europe is served by its own pool first.
fn world() -> World {
    World::new()
        .endpoint("aws-eu", "192.0.2.1 2001:db8::1")
        .endpoint("aws-us", "192.0.2.2 2001:db8::2")
        .endpoint("gcp-ap", "192.0.2.3")
        .endpoint("sorry", "192.0.2.9")
        .pool("eu", PoolAnswer::All, &[("aws-eu", 1)])
        .pool("us", PoolAnswer::All, &[("aws-us", 1)])
        .pool("ap", PoolAnswer::All, &[("gcp-ap", 1)])
        .pool("sorry", PoolAnswer::All, &[("sorry", 1)])
        .service("www", Steer::Nearest, &[("us", 1), ("ap", 1)])
        .rule(&["EU"], Steer::Failover, &[("eu", 1)])
}

fn fenced() -> World {
    world().with_rule(|rule| rule.geofence = true)
}

/// What the rule answers in IPv4: the ground, whether the service stands in, the endpoints in force.
fn of_rule(world: &World, family: Family) -> String {
    let snapshot = world.snapshot();
    let www = service(&snapshot, "www");
    let decision = decide(&snapshot, &Orders::new(&snapshot.fleet, &snapshot.overrides), www, None);
    let side = decision.rules[0].side(family);
    let chosen = side.in_force().iter().flat_map(|choice| &choice.members);
    let ids: Vec<&str> = chosen.map(|member| snapshot.fleet.endpoint(member.endpoint).id.as_str()).collect();
    let by = if side.stands_in { format!(" by {}", side.steer) } else { String::new() };
    format!("{}{by} {}", side.basis.word(), ids.join(",")).trim_end().into()
}

fn check(world: &World, rows: &[Row<'_>]) {
    for (measured, ordered, v4, v6) in rows {
        let mut world = world.clone();
        measured.iter().for_each(|(id, health)| world.measure(id, *health));
        ordered.iter().for_each(|(action, target)| world.order(action.clone(), target));
        let found = (of_rule(&world, Family::V4), of_rule(&world, Family::V6));
        assert_eq!(found, ((*v4).into(), (*v6).into()), "{measured:?} {ordered:?}");
    }
}

#[test]
fn the_service_stands_in_where_it_answers_on_better_ground() {
    let pin = |pool: &str| Action::Pin(pool.parse().unwrap());
    check(
        &world(),
        &[
            (&[], &[], "healthy aws-eu", "healthy aws-eu"),
            (&[("aws-eu", Down)], &[], "healthy by nearest aws-us,gcp-ap", "healthy by nearest aws-us"),
            // A drain is a preference: others are healthy, so it goes.
            (&[], &[(Action::Drain, "pool:eu")], "healthy by nearest aws-us,gcp-ap", "healthy by nearest aws-us"),
            (&[("aws-us", Down), ("gcp-ap", Down)], &[(Action::Drain, "pool:eu")], "kept aws-eu", "kept aws-eu"),
            (
                &[("aws-us", Down), ("gcp-ap", Down), ("aws-eu", Down)],
                &[],
                "serve-all by nearest aws-us,gcp-ap",
                "serve-all by nearest aws-us",
            ),
            // A pin to a pool of the service holds for the rule too; one to a pool of the rule holds for the rule alone.
            (&[], &[(pin("ap"), "service:www")], "healthy by nearest gcp-ap", "healthy aws-eu"),
            (&[], &[(pin("eu"), "service:www")], "healthy aws-eu", "healthy aws-eu"),
        ],
    );
}

#[test]
fn a_fenced_rule_never_leaves_its_pools() {
    check(
        &fenced(),
        &[
            (&[], &[], "healthy aws-eu", "healthy aws-eu"),
            (&[("aws-eu", Down)], &[], "serve-all aws-eu", "serve-all aws-eu"),
            (&[], &[(Action::Drain, "pool:eu")], "kept aws-eu", "kept aws-eu"),
            (&[], &[(Action::Down, "pool:eu")], "servfail", "servfail"),
            (&[], &[(Action::Pin("ap".parse().unwrap()), "service:www")], "healthy aws-eu", "healthy aws-eu"),
        ],
    );
    let resort = fenced().last_resort("sorry").with_service(|service| service.when_none = WhenNone::LastResort);
    check(&resort, &[(&[("aws-eu", Down)], &[], "serve-all aws-eu", "serve-all aws-eu")]);
    let nodata = fenced().with_service(|service| service.when_none = WhenNone::Nodata);
    check(&nodata, &[(&[("aws-eu", Down)], &[], "nodata", "nodata")]);
}

#[test]
fn a_pin_to_the_last_resort_answers_in_every_family_that_it_has() {
    let mut world = world().last_resort("eu");
    world.parts.endpoints[1].serves = world.parts.endpoints[2].serves.clone();
    world.order(Action::Pin("eu".parse().unwrap()), "service:www");
    assert_eq!(drawn(&world, Family::V6), "healthy aws-eu");
    assert_eq!(of_rule(&world, Family::V6), "healthy aws-eu");
}

#[test]
fn a_pool_of_a_rule_does_not_panic_while_the_service_has_an_open_one() {
    let mut panic = world();
    panic.parts.safety.panic_below = PanicBelow::Share(60);
    panic.parts.pools[0].min_up = MinUp::Count(2);
    check(
        &panic,
        &[
            (&[], &[], "healthy by nearest aws-us,gcp-ap", "healthy by nearest aws-us"),
            (&[("aws-us", Down), ("gcp-ap", Down)], &[], "short aws-eu", "short aws-eu"),
        ],
    );
}

#[test]
fn what_a_fenced_rule_answered_while_healthy_is_remembered_beside_the_rest() {
    let world = fenced().with_service(|service| service.when_none = WhenNone::LastGood);
    let table = crate::steer::compile(&world.snapshot(), None, &crate::model::LastGood::new());
    let good = table.last_good();
    let ids: Vec<&str> = good[&"www".parse().unwrap()].iter().map(|(_, endpoint)| endpoint.as_str()).collect();
    assert_eq!(ids, ["aws-eu", "aws-us", "gcp-ap"]);
}
