//! What is answered, on what ground, in all the situations that sections 5 to 7 of DECIDING name.

mod rules;
mod steps;

use super::*;
use crate::{
    model::{Action, Health, Health::*, MinUp, PanicBelow, PoolAnswer, Weight, WhenNone},
    steer::sample::{World, service},
};

/// Two pools of two endpoints at two providers, and a page that says sorry.
fn world() -> World {
    World::new()
        .endpoint("aws-eu", "192.0.2.1 2001:db8::1")
        .endpoint("gcp-eu", "192.0.2.2 2001:db8::2")
        .endpoint("aws-us", "192.0.2.3 2001:db8::3")
        .endpoint("gcp-us", "192.0.2.4")
        .endpoint("sorry", "192.0.2.9")
        .pool("eu", PoolAnswer::All, &[("aws-eu", 1), ("gcp-eu", 1)])
        .pool("us", PoolAnswer::All, &[("aws-us", 1), ("gcp-us", 1)])
        .pool("sorry", PoolAnswer::All, &[("sorry", 1)])
        .service("www", Steer::Failover, &[("eu", 1), ("us", 1)])
}

/// The ground and the endpoints from which a family of `www` is drawn now.
fn drawn(world: &World, family: Family) -> String {
    drawn_after(world, family, None)
}

fn drawn_after(world: &World, family: Family, good: Option<&[(PoolId, EndpointId)]>) -> String {
    let snapshot = world.snapshot();
    let www = service(&snapshot, "www");
    let decision = decide(&snapshot, &Orders::new(&snapshot.fleet, &snapshot.overrides), www, good);
    let side = decision.base.side(family);
    let chosen = side.in_force().iter().flat_map(|choice| &choice.members);
    let ids: Vec<&str> = chosen.map(|member| snapshot.fleet.endpoint(member.endpoint).id.as_str()).collect();
    format!("{} {}", side.basis.word(), ids.join(",")).trim_end().into()
}

/// Measured, ordered; what A and AAAA are drawn from.
type Row<'r> = (&'r [(&'r str, Health)], &'r [(Action, &'r str)], &'r str, &'r str);

fn check(world: &World, rows: &[Row<'_>]) {
    for (measured, ordered, v4, v6) in rows {
        let mut world = world.clone();
        measured.iter().for_each(|(id, health)| world.measure(id, *health));
        ordered.iter().for_each(|(action, target)| world.order(action.clone(), target));
        let found = (drawn(&world, Family::V4), drawn(&world, Family::V6));
        assert_eq!(found, ((*v4).into(), (*v6).into()), "{measured:?} {ordered:?}");
    }
}

const OUT: &[(&str, Health)] = &[("aws-eu", Down), ("gcp-eu", Down), ("aws-us", Down), ("gcp-us", Down)];

#[test]
fn the_best_ground_answers() {
    check(
        &world(),
        &[
            (&[], &[], "healthy aws-eu,gcp-eu", "healthy aws-eu,gcp-eu"),
            (&[("aws-eu", Down)], &[], "healthy gcp-eu", "healthy gcp-eu"),
            (&[("aws-eu", Degraded)], &[], "healthy aws-eu,gcp-eu", "healthy aws-eu,gcp-eu"),
            (&[("aws-eu", Unknown)], &[], "healthy gcp-eu", "healthy gcp-eu"),
            (&[("aws-eu", Unknown), ("gcp-eu", Down)], &[], "healthy aws-eu", "healthy aws-eu"),
            (&[("aws-eu", Down), ("gcp-eu", Down)], &[], "healthy aws-us,gcp-us", "healthy aws-us"),
            (&[("aws-eu", Down), ("gcp-eu", Down), ("aws-us", Down)], &[], "healthy gcp-us", "serve-all aws-eu,gcp-eu"),
            (OUT, &[], "serve-all aws-eu,gcp-eu", "serve-all aws-eu,gcp-eu"),
        ],
    );
}

#[test]
fn a_drain_is_a_preference_and_down_is_absolute() {
    check(
        &world(),
        &[
            (&[], &[(Action::Drain, "region:eu")], "healthy aws-us,gcp-us", "healthy aws-us"),
            (&[], &[(Action::Drain, "all")], "kept aws-eu,gcp-eu", "kept aws-eu,gcp-eu"),
            (
                &[("aws-us", Down), ("gcp-us", Down)],
                &[(Action::Drain, "region:eu")],
                "kept aws-eu,gcp-eu",
                "kept aws-eu,gcp-eu",
            ),
            (OUT, &[(Action::Drain, "region:eu")], "serve-all aws-us,gcp-us", "serve-all aws-us"),
            (OUT, &[(Action::Drain, "all")], "serve-all aws-eu,gcp-eu", "serve-all aws-eu,gcp-eu"),
            (OUT, &[(Action::Down, "provider:aws")], "serve-all gcp-eu", "serve-all gcp-eu"),
            (OUT, &[(Action::Down, "all")], "servfail", "servfail"),
            (OUT, &[(Action::Up, "endpoint:aws-us")], "healthy aws-us", "healthy aws-us"),
            (&[], &[(Action::Down, "pool:eu")], "healthy aws-us,gcp-us", "healthy aws-us"),
            (
                &[],
                &[(Action::Down, "provider:aws"), (Action::Up, "pool:eu")],
                "healthy aws-eu,gcp-eu",
                "healthy aws-eu,gcp-eu",
            ),
            // The narrower drain takes the place of the wider down, and what was measured counts again.
            (
                &[("gcp-us", Down)],
                &[(Action::Down, "all"), (Action::Drain, "endpoint:gcp-eu")],
                "kept gcp-eu",
                "kept gcp-eu",
            ),
        ],
    );
}

#[test]
fn weights_and_pins_are_obeyed_while_something_healthy_is_left() {
    let zero = Action::Weight(Weight(0));
    let pin = |pool: &str| Action::Pin(pool.parse().unwrap());
    check(
        &world(),
        &[
            (&[], &[(zero.clone(), "endpoint:aws-eu")], "healthy gcp-eu", "healthy gcp-eu"),
            (&[], &[(zero.clone(), "pool:eu")], "healthy aws-us,gcp-us", "healthy aws-us"),
            (
                &[("aws-us", Down), ("gcp-us", Down)],
                &[(zero, "pool:eu")],
                "standby aws-eu,gcp-eu",
                "standby aws-eu,gcp-eu",
            ),
            (&[], &[(pin("us"), "service:www")], "healthy aws-us,gcp-us", "healthy aws-us"),
            (
                &[("aws-us", Down), ("gcp-us", Down)],
                &[(pin("us"), "service:www")],
                "healthy aws-eu,gcp-eu",
                "healthy aws-eu,gcp-eu",
            ),
            (
                &[],
                &[(pin("us"), "service:www"), (Action::Drain, "pool:us")],
                "healthy aws-eu,gcp-eu",
                "healthy aws-eu,gcp-eu",
            ),
            (OUT, &[(pin("us"), "service:www")], "serve-all aws-us,gcp-us", "serve-all aws-us"),
        ],
    );
}

#[test]
fn when_none_is_healthy_the_service_says_what_happens() {
    let set = |when_none| world().last_resort("sorry").with_service(|service| service.when_none = when_none);
    let half = &OUT[..3];
    check(
        &set(WhenNone::ServeAll),
        &[
            (OUT, &[], "serve-all aws-eu,gcp-eu", "serve-all aws-eu,gcp-eu"),
            (OUT, &[(Action::Down, "region:eu"), (Action::Down, "region:us")], "last-resort sorry", "servfail"),
        ],
    );
    check(
        &set(WhenNone::LastResort),
        &[
            (OUT, &[], "last-resort sorry", "serve-all aws-eu,gcp-eu"),
            (half, &[], "healthy gcp-us", "serve-all aws-eu,gcp-eu"),
        ],
    );
    check(&set(WhenNone::Nodata), &[(OUT, &[], "nodata", "nodata"), (half, &[], "healthy gcp-us", "nodata")]);
    check(&set(WhenNone::Servfail), &[(OUT, &[], "servfail", "servfail"), (half, &[], "healthy gcp-us", "nodata")]);
    let mut out = set(WhenNone::LastGood);
    OUT.iter().for_each(|(id, health)| out.measure(id, *health));
    let pair = |pool: &str, endpoint: &str| (pool.parse().unwrap(), endpoint.parse().unwrap());
    let good = [pair("us", "aws-us"), pair("eu", "gone"), pair("eu", "gcp-us"), pair("eu", "gcp-eu")];
    assert_eq!(drawn_after(&out, Family::V4, None), "serve-all aws-eu,gcp-eu");
    assert_eq!(drawn_after(&out, Family::V4, Some(&good)), "last-good gcp-eu");
    assert_eq!(drawn_after(&out, Family::V4, Some(&good[..1])), "last-good aws-us");
    assert_eq!(drawn_after(&out, Family::V4, Some(&good[1..2])), "serve-all aws-eu,gcp-eu");
    out.order(Action::Down, "endpoint:aws-us");
    assert_eq!(drawn_after(&out, Family::V4, Some(&good[..1])), "serve-all aws-eu,gcp-eu");
}

#[test]
fn a_family_without_members_has_no_data_and_a_failing_one_leaves_the_other_alone() {
    let only_v4 = World::new().endpoint("a", "192.0.2.1").pool("a", PoolAnswer::All, &[("a", 1)]).service(
        "www",
        Steer::Failover,
        &[("a", 1)],
    );
    check(&only_v4, &[(&[], &[], "healthy a", "no-family"), (&[("a", Down)], &[], "serve-all a", "no-family")]);
    let mut world = world();
    world.measure_family("aws-eu", Family::V6, Down);
    assert_eq!(
        (drawn(&world, Family::V4), drawn(&world, Family::V6)),
        ("healthy aws-eu,gcp-eu".into(), "healthy gcp-eu".into())
    );
    world.measure_family("gcp-eu", Family::V6, Down);
    assert_eq!(
        (drawn(&world, Family::V4), drawn(&world, Family::V6)),
        ("healthy aws-eu,gcp-eu".into(), "healthy aws-us".into())
    );
}

#[test]
fn pools_close_below_min_up_and_panic_without_alternative() {
    let short = world();
    let mut short = World { parts: short.parts, ..World::default() };
    short.parts.pools[0].min_up = MinUp::Count(2);
    check(
        &short,
        &[
            (&[("aws-eu", Down)], &[], "healthy aws-us,gcp-us", "healthy aws-us"),
            (&[("aws-eu", Down), ("aws-us", Down), ("gcp-us", Down)], &[], "short gcp-eu", "short gcp-eu"),
        ],
    );
    let mut panic = world();
    panic.parts.safety.panic_below = PanicBelow::Share(60);
    check(
        &panic,
        &[
            (&[("aws-eu", Down)], &[], "healthy gcp-eu", "healthy gcp-eu"),
            (
                &[("aws-eu", Down), ("aws-us", Down), ("gcp-us", Down)],
                &[],
                "panic aws-eu,gcp-eu",
                "panic aws-eu,gcp-eu",
            ),
            (OUT, &[], "serve-all aws-eu,gcp-eu", "serve-all aws-eu,gcp-eu"),
        ],
    );
}
