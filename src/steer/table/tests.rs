//! A swap costs what changed, and what was answered while healthy is carried on.

use super::*;
use crate::{
    model::{Action, Family, Health, PoolAnswer, Steer},
    steer::{sample::World, steering::Side},
};

/// So many services, the nth on the nth endpoint alone.
fn world(services: usize) -> World {
    (0..services).fold(World::new(), |world, n| {
        let (id, address) = (format!("e{n}"), format!("10.0.{}.{}", n / 256, n % 256));
        let world = world.endpoint(&id, &address).pool(&id, PoolAnswer::All, &[(&id, 1)]);
        world.service(&id, Steer::Failover, &[(&id, 1)])
    })
}

#[test]
fn a_flip_copies_only_the_chunks_it_touches() {
    let mut world = world(CHUNK * 3);
    for service in &mut world.parts.services {
        service.when_none = WhenNone::Nodata;
    }
    let fleet = Arc::clone(&world.snapshot().fleet);
    let before = compile(&world.snapshot_of(&fleet), None, &LastGood::new());
    world.measure(&format!("e{}", CHUNK + 7), Health::Down);
    let after = compile(&world.snapshot_of(&fleet), Some(&before), &LastGood::new());
    let shared = |one: &AnswerTable, other: &AnswerTable| -> Vec<bool> {
        one.steerings.0.iter().zip(&other.steerings.0).map(|(a, b)| Arc::ptr_eq(a, b)).collect()
    };
    assert_eq!(shared(&before, &after), [true, false, true]);
    assert!(Arc::ptr_eq(&before.fixed, &after.fixed));
    let copies = before.steerings.0[1].iter().zip(after.steerings.0[1].iter()).filter(|(a, b)| !Arc::ptr_eq(a, b));
    assert_eq!(copies.count(), 1);
    // What changes nothing in the answers copies nothing.
    world.measure("e3", Health::Degraded);
    assert_eq!(shared(&after, &compile(&world.snapshot_of(&fleet), Some(&after), &LastGood::new())), [true; 3]);
}

#[test]
fn services_of_one_pool_share_what_is_compiled() {
    let world = World::new()
        .endpoint("a", "192.0.2.1")
        .endpoint("b", "192.0.2.2")
        .pool("p", PoolAnswer::Weighted, &[("a", 1), ("b", 2)])
        .service("one", Steer::Failover, &[("p", 1)])
        .service("two", Steer::Failover, &[("p", 1)]);
    let rows = |world: &World| {
        let table = compile(&world.snapshot(), None, &LastGood::new());
        let row = |place| match table.steering(ServiceIx::new(place)).side(None, Family::V4) {
            Side::One(row) => Some(Arc::as_ptr(row)),
            Side::NoData | Side::ServFail | Side::Many(_) => None,
        };
        assert!(row(0).is_some(), "one pool is open");
        row(0) == row(1)
    };
    assert!(rows(&world));
    let mut apart = world;
    apart.order(Action::Drain, "endpoint:a");
    assert!(rows(&apart));
    apart.order(Action::Down, "service:two");
    apart.order(Action::Up, "endpoint:a");
    assert!(!rows(&apart));
}

#[test]
fn the_last_good_set_survives_outage_reload_and_restart() {
    let mut world = world(2);
    world.parts.services[0].when_none = WhenNone::LastGood;
    let healthy = compile(&world.snapshot(), None, &LastGood::new());
    let good = healthy.last_good();
    let pairs: Vec<_> = good.iter().map(|(service, set)| (service.as_str(), set.len())).collect();
    assert_eq!(pairs, [("e0", 1)], "kept only where it is asked for");
    world.measure("e0", Health::Down);
    let out = compile(&world.snapshot(), Some(&healthy), &LastGood::new());
    world.parts.services[1].ttl = 7;
    let reloaded = compile(&world.snapshot(), Some(&out), &LastGood::new());
    let restarted = compile(&world.snapshot(), None, &reloaded.last_good());
    for table in [out, reloaded, restarted] {
        assert_eq!(table.last_good(), good);
    }
}

#[test]
fn a_ground_made_ahead_is_used_for_its_own_fleet_alone() {
    let (old, new) = (world(2).snapshot(), world(3).snapshot());
    let before = compile(&old, None, &LastGood::new());
    let ground = compile(&new, None, &LastGood::new()).ground();
    let after = compile_on(Some(ground.clone()), &new, Some(&before), &LastGood::new());
    assert!(Arc::ptr_eq(&after.fixed, &ground.fixed) && Arc::ptr_eq(&after.ground().fixed, &ground.fixed));
    assert_eq!((after.names(), after.services()), (compile(&new, None, &LastGood::new()).names(), 3));
    let back = compile_on(Some(ground.clone()), &old, Some(&after), &LastGood::new());
    assert!(!Arc::ptr_eq(&back.fixed, &ground.fixed), "it is of another fleet");
    assert_eq!((back.names(), back.services()), (before.names(), 2));
}
