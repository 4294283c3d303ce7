//! Loads, providers, shares on the way back, and how long answers live.

use std::time::Duration;

use super::*;
use crate::{
    model::{Load, Now, Wall},
    steer::Locator,
};

fn load(world: &mut World, id: &str, load: f64) {
    world.feeds.loads.insert(id.parse().unwrap(), Load(load));
}

#[test]
fn the_less_loaded_of_two_drawn_by_weight_is_answered() {
    let first = |answers: Vec<Vec<u8>>| answers.into_iter().map(|answer| answer[0]);
    let mut world = one_pool(PoolAnswer::LeastConnections, &[1, 1, 1], |_| ());
    fits(first(drawn(&world, by_chance(1, 20_000))), &[(0, 1.0), (1, 1.0), (2, 1.0)]);
    // The busiest of three never wins a pair, the idlest wins both of its own.
    (0..3).for_each(|n| load(&mut world, &format!("e{n}"), f64::from(n)));
    fits(first(drawn(&world, by_chance(1, 20_000))), &[(0, 2.0), (1, 1.0), (2, 0.0)]);
    // Nothing is known of one: against it the first that was drawn stands.
    world.feeds.loads.remove(&"e2".parse().unwrap());
    fits(first(drawn(&world, by_chance(1, 20_000))), &[(0, 3.0), (1, 1.0), (2, 2.0)]);
    // By weight, where no loads are fresh.
    let world = one_pool(PoolAnswer::LeastConnections, &[5, 3, 2], |_| ());
    fits(first(drawn(&world, by_chance(1, 20_000))), &[(0, 5.0), (1, 3.0), (2, 2.0)]);
    // Half a capacity is less than a small load on a small one.
    let mut world = one_pool(PoolAnswer::LeastConnections, &[1, 1], |_| ());
    for (n, (capacity, carries)) in [(1000, 500.0), (10, 9.0)].into_iter().enumerate() {
        world.parts.endpoints[n].capacity = Some(capacity);
        load(&mut world, &format!("e{n}"), carries);
    }
    fits(first(drawn(&world, by_chance(1, 1_000))), &[(0, 1.0), (1, 0.0)]);
}

#[test]
fn two_are_never_the_same_one() {
    let mut world = one_pool(PoolAnswer::LeastConnections, &[9, 1, 1], |pool| pool.count = 3);
    (0..3).for_each(|n| load(&mut world, &format!("e{n}"), f64::from(n)));
    for answer in drawn(&world, by_chance(1, 1_000)) {
        let mut sorted = answer.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2], "{answer:?}");
    }
    let mut world = two_pools(Steer::LeastConnections, [1, 1], PoolAnswer::First, |_| ());
    for (n, carries) in [9.0, 9.0, 1.0, 1.0].into_iter().enumerate() {
        load(&mut world, &format!("e{n}"), carries);
    }
    fits(drawn(&world, by_chance(1, 500)).into_iter().map(|answer| answer[0]), &[(0, 0.0), (2, 1.0)]);
}

#[test]
fn loads_that_are_told_late_make_no_herd() {
    const ENDPOINTS: usize = 20;
    const ROUNDS: u64 = 60;
    const CLIENTS: u32 = 400;
    // Each client stays for ten rounds; loads are told once a round, so that a round's answers all see the same.
    let mut worst: f64 = 0.0;
    let mut lives: Vec<[f64; ENDPOINTS]> = Vec::new();
    for round in 0..ROUNDS {
        let mut world = one_pool(PoolAnswer::LeastConnections, &[1; ENDPOINTS], |_| ());
        let carried = |n: usize| lives.iter().rev().take(10).map(|round| round[n]).sum::<f64>();
        (0..ENDPOINTS).for_each(|n| load(&mut world, &format!("e{n}"), carried(n)));
        let mut come = [0.0; ENDPOINTS];
        for answer in drawn(&world, by_chance(round, CLIENTS)) {
            come[usize::from(answer[0])] += 1.0;
        }
        let mean = f64::from(CLIENTS) / ENDPOINTS as f64;
        worst = worst.max(come.iter().copied().fold(0.0, f64::max) / mean);
        lives.push(come);
        let settled = 10 <= lives.len();
        let most =
            (0..ENDPOINTS).map(|n| lives.iter().rev().take(10).map(|round| round[n]).sum::<f64>()).fold(0.0, f64::max);
        assert!(
            !settled || most <= 1.25 * mean * 10.0,
            "round {round}: one carries {most}, the mean is {}",
            mean * 10.0
        );
    }
    // Whoever sent everybody to the least loaded would have 20 here. Two choices give twice the mean, and chance some.
    assert!(worst <= 3.5, "one endpoint drew {worst} times the mean of a round");
}

#[test]
fn answers_of_several_span_providers_where_several_serve() {
    let world = |answer, count, providers: &[&str]| {
        let ids: Vec<String> = providers.iter().enumerate().map(|(n, provider)| format!("{provider}-r-e{n}")).collect();
        let members: Vec<(&str, u16)> = ids.iter().map(|id| (id.as_str(), 1)).collect();
        let world =
            ids.iter().enumerate().fold(World::new(), |world, (n, id)| world.endpoint(id, &format!("10.0.0.{n}")));
        let world = world.pool("pool", answer, &members).with_pool(|pool| pool.count = count);
        world.service("www", Steer::Failover, &[("pool", 1)])
    };
    let five = ["a", "a", "a", "a", "b"];
    for (_, answer) in PoolAnswer::WORDS.iter().copied() {
        let plain = drawn(&world(answer, 2, &five), by_chance(1, 5_000));
        let spanning = drawn(&spread(world(answer, 2, &five), 2), by_chance(1, 5_000));
        for (plain, spread) in plain.iter().zip(&spanning) {
            assert!(spread.len() == 2 && spread.contains(&4), "{answer}: {spread:?}");
            if plain.contains(&4) {
                assert_eq!(plain, spread, "{answer}: one that spans both providers stays");
            } else if answer != PoolAnswer::All {
                assert_eq!(plain[0], spread[0], "{answer}: who stands first stays");
            }
        }
        // Alone or with fewer providers than asked for, nothing is missing.
        let alone = drawn(&spread(world(answer, 3, &["a"; 5]), 2), by_chance(1, 10));
        assert!(alone.iter().all(|answer| answer.len() == 3));
        let three = drawn(&spread(world(answer, 3, &["a", "a", "a", "b", "b"]), 3), by_chance(1, 200));
        assert!(
            three.iter().all(|answer| answer.iter().any(|n| *n < 3) && answer.iter().any(|n| 3 <= *n)),
            "{three:?}"
        );
        let all = drawn(&spread(world(answer, 3, &["a", "a", "a", "b", "c"]), 3), by_chance(1, 200));
        assert!(all.iter().all(|answer| answer.contains(&3) && answer.contains(&4)));
    }
}

fn spread(world: World, spread: u8) -> World {
    world.with_service(|service| service.tuning.spread = spread)
}

#[test]
fn what_comes_back_is_passed_over_with_the_chance_its_share_lacks() {
    let second = |ms| Now { mono: Mono(ms), wall: Wall(1_000_000 + ms) };
    let back = |mut world: World, who: &[&str]| {
        world.at = second(100_000);
        for id in who {
            let place = world.parts.endpoints.iter().position(|endpoint| endpoint.id.as_str() == *id).unwrap();
            world.returned.insert(EndpointIx::new(place), Mono(100_000));
        }
        world
    };
    let ramp = |service: &mut Service| service.tuning.ramp = Duration::from_secs(100);
    let first =
        |world: &World| drawn(world, by_chance(1, 20_000)).into_iter().map(|answer| answer[0]).collect::<Vec<_>>();
    let even = [(0, 10.0), (1, 100.0), (2, 100.0)];
    for answer in [PoolAnswer::Random, PoolAnswer::Hash, PoolAnswer::Weighted] {
        let world = back(one_pool(answer, &[1; 3], |_| ()).with_service(ramp), &["e0"]);
        fits(first(&world).into_iter(), &even);
    }
    // By turns: its own turn is shared out by share, to itself too.
    let world = back(one_pool(PoolAnswer::RoundRobin, &[1; 3], |_| ()).with_service(ramp), &["e0"]);
    let kept = 0.1 + 0.9 * 10.0 / 210.0;
    fits(first(&world).into_iter(), &[(0, kept), (1, 1.0 + (1.0 - kept) / 2.0), (2, 1.0 + (1.0 - kept) / 2.0)]);
    let world = back(one_pool(PoolAnswer::First, &[1; 3], |_| ()).with_service(ramp), &["e0"]);
    fits(first(&world).into_iter(), &[(0, 10.0), (1, 90.0)]);
    // A pool alike, where order chooses among pools.
    let world = back(two_pools(Steer::Failover, [1, 1], PoolAnswer::Random, ramp), &["e0", "e1"]);
    fits(first(&world).into_iter(), &[(0, 5.0), (1, 5.0), (2, 45.0), (3, 45.0)]);
    // All of it comes back: nobody takes what the first lacks, so order alone counts, in both.
    let world = back(two_pools(Steer::Failover, [1, 1], PoolAnswer::First, ramp), &["e0", "e1", "e2", "e3"]);
    fits(first(&world).into_iter(), &[(0, 1.0)]);
}

#[test]
fn answers_live_until_something_in_them_may_change() {
    let ttl = |world: &World, now: u64| {
        let table = compile(&world.snapshot(), None, &LastGood::new());
        let www: DnsName = "www.example".parse().unwrap();
        let Lookup::Found { steering: Some(steering), .. } = table.lookup(www.wire(), 1) else {
            unreachable!("steered")
        };
        let mut picks = Picks::new();
        let draw = Draw { now: Mono(now), ..Draw::default() };
        steering.pick(Family::V4, &mut Client::new(&Locator::nowhere(), IpAddr::from([1; 4]), 32), draw, &mut picks);
        picks.ttl()
    };
    let world = one_pool(PoolAnswer::First, &[1, 1], |_| ());
    assert_eq!(ttl(&world, 0), 30);
    let mut wavers = world.clone();
    wavers.flips.insert(EndpointIx::new(0), Mono(112_400));
    for (now, expected) in [(0, 30), (90_000, 23), (100_000, 13), (112_000, 5), (112_400, 5), (200_000, 5)] {
        assert_eq!(ttl(&wavers, now), expected, "at {now}");
    }
    let mut other = world;
    other.flips.insert(EndpointIx::new(1), Mono(112_400));
    assert_eq!(ttl(&other, 100_000), 30, "it is not in the answer");
    let least = wavers.clone().with_service(|service| (service.ttl, service.tuning.ttl_min) = (3, 5));
    assert_eq!(ttl(&least, 112_000), 3, "never above the service's own");
}
