//! What time and feeds move, and what they leave alone.

use std::time::Duration;

use super::*;
use crate::{
    model::{Availability, Health, Load, Now, PoolAnswer, Steer, Wall},
    steer::sample::World,
};

/// One service that lets come back slowly, one that chooses by load, one by paths, one that does nothing of that.
fn world() -> World {
    ["slow", "load", "path", "plain"]
        .into_iter()
        .fold(World::new(), |world, id| {
            let answer = if id == "load" { PoolAnswer::LeastConnections } else { PoolAnswer::Weighted };
            let (a, b) = (format!("{id}-a"), format!("{id}-b"));
            let world = world.endpoint(&a, "192.0.2.1").endpoint(&b, "192.0.2.2");
            world.pool(id, answer, &[(&a, 1), (&b, 1)]).service(id, Steer::Failover, &[(id, 1)])
        })
        .with_service(|_| ())
}

fn of(before: &World, after: &World) -> Vec<String> {
    let fleet = &before.snapshot().fleet;
    let (before, after) = (before.snapshot_of(fleet), after.snapshot_of(fleet));
    let touched = touched(&before, &after, &Uses::of(fleet));
    touched.into_iter().map(|ix| fleet.service(ix).id.to_string()).collect()
}

fn begun() -> World {
    let mut world = world();
    world.at = Now { mono: Mono(100_000), wall: Wall(100_000) };
    world.parts.services[0].tuning.ramp = Duration::from_secs(90);
    world.parts.services[0].tuning.failback = Duration::from_secs(60);
    world.parts.services[2].steer = Steer::Fastest;
    world
}

#[test]
fn what_comes_back_touches_its_service_at_each_step_and_not_between() {
    let mut world = begun();
    for id in ["slow-a", "plain-a"] {
        world.measure(id, Health::Down);
    }
    let mut back = world.clone();
    back.returns("slow-a");
    back.returns("plain-a");
    assert_eq!(of(&world, &back), ["slow", "plain"]);
    let later = |seconds| {
        let mut later = back.clone();
        later.pass(seconds);
        later
    };
    let none: [&str; 0] = [];
    assert_eq!(of(&back, &later(9)), none);
    assert_eq!(of(&back, &later(10)), ["slow"]);
    assert_eq!(of(&later(51), &later(59)), none);
    assert_eq!(of(&later(59), &later(60)), ["slow"]);
    assert_eq!(of(&later(91), &later(99)), none);
    assert_eq!(of(&later(141), &later(1_000)), ["slow"], "the pool's own ramp begins behind its failback");
    assert_eq!(of(&later(151), &later(10_000)), none);
}

#[test]
fn ended_orders_and_slow_drains_touch_what_they_covered() {
    let mut world = begun();
    world.order(Action::Drain, "endpoint:*-b");
    let (mut gone, order) = (world.clone(), world.overrides[0].clone());
    gone.overrides.clear();
    gone.ended.push(Ended { order, at: world.at.mono });
    assert_eq!(of(&world, &gone), ["slow", "load", "path", "plain"]);
    let mut later = gone.clone();
    later.pass(10);
    assert_eq!(of(&gone, &later), ["slow"]);
    let mut forgotten = gone.clone();
    forgotten.ended.clear();
    assert_eq!(of(&gone, &forgotten), ["slow"]);
    let mut slow = begun();
    slow.order(Action::Drain, "service:p*");
    slow.overrides[0].from = slow.at.wall;
    slow.overrides[0].over = Some(Duration::from_secs(90));
    let step = |seconds| {
        let mut later = slow.clone();
        later.pass(seconds);
        later
    };
    let none: [&str; 0] = [];
    assert_eq!(of(&slow, &step(9)), none);
    assert_eq!(of(&step(9), &step(10)), ["path", "plain"]);
    assert_eq!(of(&step(89), &step(90)), ["path", "plain"]);
    assert_eq!(of(&step(90), &step(900)), none);
}

#[test]
fn feeds_touch_those_that_read_them() {
    let world = begun();
    let mut fed = world.clone();
    for id in ["load-a", "plain-a", "path-a"] {
        fed.feeds.loads.insert(id.parse().unwrap(), Load(7.0));
    }
    assert_eq!(of(&world, &fed), ["load"]);
    let mut seen = fed.clone();
    let paths = ["load-a", "plain-a", "path-a"].map(|id| (id.parse().unwrap(), 700));
    seen.feeds.paths.insert("eu".parse().unwrap(), paths.into());
    assert_eq!(of(&fed, &seen), ["path"]);
    let none: [&str; 0] = [];
    assert_eq!(of(&seen, &seen.clone()), none);
}

#[test]
fn what_wavers_touches_its_services_and_a_mere_count_of_votes_none() {
    let world = begun();
    let fleet = &world.snapshot().fleet;
    let before = world.snapshot_of(fleet);
    let uses = Uses::of(fleet);
    let with = |change: fn(&mut Verdict)| {
        let mut after = Snapshot::clone(&before);
        change(after.verdicts[0].as_mut().unwrap());
        touched(&before, &after, &uses).len()
    };
    assert_eq!(with(|verdict| verdict.flips_at = Some(Mono(5))), 1);
    assert_eq!(with(|verdict| verdict.tally.down += 1), 0);
    assert_eq!(with(|verdict| verdict.measured = Health::Down), 0);
    let order = || Some((Availability::Drain, "ov_01J00000000000000000000000".parse().unwrap()));
    let mut drained = Snapshot::clone(&before);
    drained.verdicts[0].as_mut().unwrap().order = order();
    assert_eq!(touched(&before, &drained, &uses).len(), 1);
}
