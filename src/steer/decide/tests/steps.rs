//! What comes back or leaves by steps, and what works with a complaint.

use std::time::Duration;

use super::*;
use crate::model::{Ended, Mono, Steer};

/// Two pools; `eu` comes first, waits for a failback of 60 s and grows over 90 s.
fn slow() -> World {
    let mut world = world().with_service(|service| {
        service.tuning.failback = Duration::from_secs(60);
        service.tuning.ramp = Duration::from_secs(90);
    });
    world.pass(10_000);
    world
}

/// The pools that may answer, in order, those in force before the bar, each with its share if that is not whole, and
/// its members with theirs.
fn pools(world: &World) -> String {
    let snapshot = world.snapshot();
    let decision =
        decide(&snapshot, &Orders::new(&snapshot.fleet, &snapshot.overrides), service(&snapshot, "www"), None);
    let side = decision.base.side(Family::V4);
    let percent = |share: u8| if share < 100 { format!(" {share}%") } else { String::new() };
    let show = |choice: &Choice| {
        let member = |one: &Candidate| format!("{}{}", snapshot.fleet.endpoint(one.endpoint).id, percent(one.share));
        let members: Vec<String> = choice.members.iter().map(member).collect();
        format!("{}{}({})", snapshot.fleet.pool(choice.pool).id, percent(choice.share), members.join(","))
    };
    let all: Vec<String> = side.choices().iter().map(show).collect();
    let (now, later) = all.split_at(side.in_force().len());
    format!("{} | {}", now.join(" "), later.join(" ")).trim_end_matches([' ', '|']).to_owned()
}

fn deadline(world: &World) -> Option<u64> {
    let snapshot = world.snapshot();
    let orders = Orders::new(&snapshot.fleet, &snapshot.overrides);
    let ends = decide(&snapshot, &orders, service(&snapshot, "www"), None).deadline;
    ends.map(|end| (end.0 - snapshot.at.mono.0) / 1_000)
}

#[test]
fn a_pool_that_came_back_waits_and_then_grows() {
    let mut world = slow();
    for id in ["aws-eu", "gcp-eu"] {
        world.measure(id, Down);
    }
    assert_eq!(pools(&world), "us(aws-us,gcp-us)");
    world.returns("aws-eu");
    assert_eq!(pools(&world), "us(aws-us,gcp-us) | eu 10%(aws-eu 10%)");
    assert_eq!(deadline(&world), Some(60));
    world.pass(59);
    assert_eq!(pools(&world), "us(aws-us,gcp-us) | eu 10%(aws-eu 60%)");
    assert_eq!(deadline(&world), Some(1));
    world.pass(1);
    // What it does not take yet goes on to the next.
    assert_eq!(pools(&world), "eu 10%(aws-eu 70%) us(aws-us,gcp-us)");
    assert_eq!(deadline(&world), None);
    world.returns("gcp-eu");
    assert_eq!(pools(&world), "eu 10%(aws-eu 70%,gcp-eu 10%) us(aws-us,gcp-us)", "a further member closes nothing");
    world.pass(90);
    assert_eq!(pools(&world), "eu(aws-eu,gcp-eu) | us(aws-us,gcp-us)");
}

#[test]
fn a_pool_waits_for_nothing_while_nothing_else_is_healthy() {
    let mut world = slow();
    OUT.iter().for_each(|(id, health)| world.measure(id, *health));
    world.returns("gcp-us");
    assert_eq!(pools(&world), "us(gcp-us 10%)");
    world.pass(20);
    world.returns("aws-eu");
    // Both are young: as written. One of them that stood longer than its wait goes first.
    assert_eq!(pools(&world), "eu(aws-eu 10%) | us(gcp-us 30%)");
    world.pass(40);
    assert_eq!(pools(&world), "us(gcp-us 70%) | eu 10%(aws-eu 50%)", "while `eu` waits, nobody takes what `us` lacks");
    let mut unknown = slow();
    unknown.measure("aws-eu", Unknown);
    unknown.measure("gcp-eu", Unknown);
    unknown.returns("aws-us");
    unknown.measure("gcp-us", Down);
    assert_eq!(pools(&unknown), "eu(aws-eu,gcp-eu) | us(aws-us 10%)", "who is unknown is not known to be healthy");
}

#[test]
fn weights_of_pools_and_members_grow_together_with_their_shares() {
    let mut world = slow().with_service(|service| {
        service.steer = Steer::Weighted;
        service.tuning.failback = Duration::ZERO;
    });
    world.measure("aws-eu", Down);
    world.measure("gcp-eu", Down);
    world.returns("aws-eu");
    world.pass(30);
    world.returns("gcp-eu");
    assert_eq!(pools(&world), "eu 40%(aws-eu 40%,gcp-eu 10%) us(aws-us,gcp-us)");
    world.parts.pools[0].ramp = Some(Duration::ZERO);
    assert_eq!(pools(&world), "eu 40%(aws-eu,gcp-eu) us(aws-us,gcp-us)", "the pool's ramp is that of its members");
}

#[test]
fn what_an_ended_order_covered_comes_back_by_steps() {
    let mut world = slow();
    world.order(Action::Drain, "pool:eu");
    let order = world.overrides.remove(0);
    world.ended.push(Ended { order, at: Mono(world.at.mono.0 - 10_000) });
    assert_eq!(pools(&world), "us(aws-us,gcp-us) | eu 10%(aws-eu 20%,gcp-eu 20%)");
    world.ended[0].order.target = "region:us".parse().unwrap();
    assert_eq!(pools(&world), "eu(aws-eu,gcp-eu) | us 10%(aws-us 20%,gcp-us 20%)");
    world.ended[0].order.target = "service:other".parse().unwrap();
    assert_eq!(pools(&world), "eu(aws-eu,gcp-eu) | us(aws-us,gcp-us)");
}

#[test]
fn a_slow_drain_shrinks_and_counts_until_it_is_through() {
    let mut world = world();
    world.pass(10_000);
    world.order(Action::Drain, "endpoint:aws-eu");
    (world.overrides[0].from, world.overrides[0].over) = (world.at.wall, Some(Duration::from_secs(90)));
    world.overrides[0].expires = world.at.wall.plus(Duration::from_secs(100));
    assert_eq!(pools(&world), "eu(aws-eu 90%,gcp-eu) | us(aws-us,gcp-us)");
    assert_eq!(deadline(&world), Some(90));
    world.pass(45);
    assert_eq!(pools(&world), "eu(aws-eu 50%,gcp-eu) | us(aws-us,gcp-us)");
    world.measure("gcp-eu", Down);
    assert_eq!(pools(&world), "eu 50%(aws-eu 50%) us(aws-us,gcp-us)", "it still serves");
    world.pass(45);
    assert_eq!(pools(&world), "us(aws-us,gcp-us)");
    assert_eq!(deadline(&world), Some(10), "then the order itself ends");
}

#[test]
fn a_slow_drain_of_a_whole_pool_shrinks_the_pool() {
    let mut world = world();
    world.pass(10_000);
    world.order(Action::Drain, "pool:eu");
    (world.overrides[0].from, world.overrides[0].over) = (world.at.wall, Some(Duration::from_secs(90)));
    world.overrides[0].expires = world.at.wall.plus(Duration::from_secs(100));
    assert_eq!(pools(&world), "eu 90%(aws-eu 90%,gcp-eu 90%) us(aws-us,gcp-us)");
    world.pass(45);
    assert_eq!(pools(&world), "eu 50%(aws-eu 50%,gcp-eu 50%) us(aws-us,gcp-us)");
    world.pass(45);
    assert_eq!(pools(&world), "us(aws-us,gcp-us)");
}

#[test]
fn pools_that_all_come_back_keep_their_order_and_the_one_that_is_ahead_takes_more() {
    let mut world = world().with_service(|service| service.tuning.ramp = Duration::from_secs(90));
    world.pass(10_000);
    for id in ["aws-eu", "gcp-eu", "aws-us", "gcp-us"] {
        world.returns(id);
    }
    assert_eq!(
        pools(&world),
        "eu(aws-eu 10%,gcp-eu 10%) | us(aws-us 10%,gcp-us 10%)",
        "after an outage of everything nobody stands ready to take what the first does not"
    );
    world.pass(40);
    world.returns("aws-eu");
    world.returns("gcp-eu");
    assert_eq!(pools(&world), "eu 20%(aws-eu 10%,gcp-eu 10%) us(aws-us 50%,gcp-us 50%)", "`us` is ahead");
}

#[test]
fn what_a_slow_drain_leaves_is_judged_whatever_a_wider_order_says() {
    let mut world = world();
    world.pass(10_000);
    world.order(Action::Up, "all");
    world.order(Action::Drain, "pool:eu");
    (world.overrides[1].from, world.overrides[1].over) = (world.at.wall, Some(Duration::from_secs(90)));
    world.order(Action::Drain, "pool:us");
    assert_eq!(pools(&world), "eu(aws-eu 90%,gcp-eu 90%)");
    world.measure("aws-eu", Down);
    assert_eq!(pools(&world), "eu(gcp-eu 90%)");
    world.measure("gcp-eu", Down);
    assert_eq!(pools(&world), "us(aws-us,gcp-us)", "drained, and better than what fails");
}

#[test]
fn what_works_with_a_complaint_stands_last_where_the_pool_says_so() {
    let mut last = world();
    last.parts.pools[0].degraded = crate::model::Degraded::Last;
    check(
        &last,
        &[
            (&[("aws-eu", Degraded)], &[], "healthy gcp-eu", "healthy gcp-eu"),
            (&[("aws-eu", Degraded), ("gcp-eu", Down)], &[], "healthy aws-eu", "healthy aws-eu"),
            (&[("aws-eu", Degraded), ("gcp-eu", Unknown)], &[], "healthy aws-eu", "healthy aws-eu"),
            (
                &[("aws-us", Degraded), ("aws-eu", Down), ("gcp-eu", Down)],
                &[],
                "healthy aws-us,gcp-us",
                "healthy aws-us",
            ),
        ],
    );
}

#[test]
fn some_always_goes_to_the_next_pool_where_that_is_asked() {
    let world = world().with_service(|service| service.tuning.trickle = 100);
    assert_eq!(pools(&world), "eu(aws-eu,gcp-eu) us(aws-us,gcp-us)");
}

#[test]
fn a_target_answers_in_both_families_with_one_verdict() {
    let world = World::new().target("cdn", "www.cdn.example.net").endpoint("own", "192.0.2.1");
    let world =
        world.pool("p", PoolAnswer::First, &[("cdn", 1), ("own", 1)]).service("www", Steer::Failover, &[("p", 1)]);
    check(
        &world,
        &[(&[], &[], "healthy cdn,own", "healthy cdn"), (&[("cdn", Down)], &[], "healthy own", "serve-all cdn")],
    );
}
