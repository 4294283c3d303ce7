//! Who is answered by where the client is, or by its network.

use std::net::Ipv4Addr;

use super::*;
use crate::{
    model::{Health, Locality, Point, Region, Sticky, TRICKLE_WHOLE},
    steer::Locator,
};

/// So many networks of 24 bits.
fn networks(count: u32) -> impl Iterator<Item = IpAddr> {
    (0..count).map(|n| Ipv4Addr::from_bits(0x1400_0000 | n << 8 | 7).into())
}

/// The answers to one query of each network, each with a draw of its own.
fn by_network(world: &World, count: u32) -> Vec<Vec<u8>> {
    let nowhere = Locator::nowhere();
    asked(world, networks(count).zip(by_chance(5, count)), |address| Client::new(&nowhere, *address, 32))
}

fn sticky(service: &mut Service) {
    service.tuning.sticky = Some(Sticky::default());
}

#[test]
fn networks_are_shared_by_weight_and_stay_where_they_are() {
    let first = |answers: Vec<Vec<u8>>| answers.into_iter().map(|answer| answer[0]);
    let hashed = |answer| one_pool(answer, &[50, 30, 20, 0], |_| ());
    fits(first(by_network(&hashed(PoolAnswer::Hash), 20_000)), &[(0, 50.0), (1, 30.0), (2, 20.0)]);
    for answer in [PoolAnswer::Weighted, PoolAnswer::LeastConnections] {
        assert_eq!(by_network(&hashed(answer).with_service(sticky), 500), by_network(&hashed(PoolAnswer::Hash), 500));
    }
    for answer in [PoolAnswer::Random, PoolAnswer::RoundRobin] {
        let world = one_pool(answer, &[9, 1, 1, 1], |_| ()).with_service(sticky);
        fits(first(by_network(&world, 20_000)), &[(0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0)]);
    }
    for (steer, weights) in [
        (Steer::Weighted, [3.0, 1.0]),
        (Steer::LeastConnections, [3.0, 1.0]),
        (Steer::Random, [1.0; 2]),
        (Steer::RoundRobin, [1.0; 2]),
    ] {
        let world = two_pools(steer, [3, 1], PoolAnswer::RoundRobin, sticky);
        let shares = [(0, weights[0]), (1, weights[0]), (2, weights[1]), (3, weights[1])];
        fits(first(by_network(&world, 20_000)), &shares);
    }
    // Another draw, another host of the network: the same answer.
    let world = one_pool(PoolAnswer::Hash, &[5, 3, 2, 7], |pool| pool.count = 2);
    let nowhere = Locator::nowhere();
    let host = |host: u32| {
        let asks = networks(300).zip(by_chance(u64::from(host), 300));
        asked(&world, asks, |address| match address {
            IpAddr::V4(v4) => Client::new(&nowhere, Ipv4Addr::from_bits(v4.to_bits() & !255 | host).into(), 32),
            IpAddr::V6(_) => unreachable!("all are IPv4"),
        })
    };
    assert_eq!(host(1), host(200));
    // Of a client without a network the draw decides, with the same shares.
    fits(first(drawn(&hashed(PoolAnswer::Hash), by_chance(3, 20_000))), &[(0, 50.0), (1, 30.0), (2, 20.0)]);
}

#[test]
fn one_that_goes_takes_along_its_own_share_and_nothing_else() {
    let weights = [50, 30, 20, 40, 10];
    let world = |count| one_pool(PoolAnswer::Hash, &weights, |pool| pool.count = count);
    for count in [1, 2] {
        let before = by_network(&world(count), 5_000);
        for gone in 0..5_u8 {
            let mut without = world(count);
            without.measure(&format!("e{gone}"), Health::Down);
            let after = by_network(&without, 5_000);
            let mut moved = Vec::new();
            for (before, after) in before.iter().zip(&after) {
                let stay: Vec<u8> = before.iter().copied().filter(|one| *one != gone).collect();
                assert!(stay.iter().eq(after.iter().take(stay.len())), "{gone} is gone: {before:?} became {after:?}");
                moved.extend((stay.len() < before.len()).then(|| after[after.len() - 1]));
            }
            if count == 1 {
                let others = (0..5).filter(|one| *one != gone);
                let shares: Vec<_> = others.map(|one| (one, f64::from(weights[usize::from(one)]))).collect();
                fits(moved.into_iter(), &shares);
            }
        }
    }
    // Pools alike.
    let before = by_network(&two_pools(Steer::Weighted, [1, 1], PoolAnswer::First, sticky), 1_000);
    let mut without = two_pools(Steer::Weighted, [1, 1], PoolAnswer::First, sticky);
    without.measure("e0", Health::Down);
    let after = by_network(&without, 1_000);
    assert!(before.iter().zip(&after).all(|(before, after)| before == after || (before[0], after[0]) == (0, 1)));
}

#[test]
fn more_weight_only_draws_in() {
    let before = by_network(&one_pool(PoolAnswer::Hash, &[10, 10, 10], |_| ()), 5_000);
    let after = by_network(&one_pool(PoolAnswer::Hash, &[10, 10, 20], |_| ()), 5_000);
    assert!(before.iter().zip(&after).all(|(before, after)| before == after || after == &[2]));
}

#[test]
fn some_part_always_goes_to_the_next_pool() {
    let trickle = |service: &mut Service| service.tuning.trickle = TRICKLE_WHOLE / 20;
    let world = |steer| two_pools(steer, [1, 1], PoolAnswer::First, trickle);
    let firsts = |answers: Vec<Vec<u8>>| answers.into_iter().map(|answer| answer[0]);
    fits(firsts(drawn(&world(Steer::Failover), by_chance(1, 20_000))), &[(0, 95.0), (2, 5.0)]);
    fits(firsts(drawn(&world(Steer::Nearest), by_chance(1, 20_000))), &[(0, 95.0), (2, 5.0)]);
    // Where chance chooses anyway, it does nothing.
    fits(firsts(drawn(&world(Steer::Random), by_chance(1, 20_000))), &[(0, 1.0), (2, 1.0)]);
    let both = world(Steer::Failover).with_service(sticky);
    assert_eq!(by_network(&both, 1_000), by_network(&both, 1_000));
    fits(firsts(by_network(&both, 20_000)), &[(0, 95.0), (2, 5.0)]);
}

fn region(id: &str, latitude: f64, longitude: f64) -> Region {
    Region { id: id.parse().unwrap(), title: None, at: Some((latitude, longitude)) }
}

fn at(latitude: f64, longitude: f64) -> Locality {
    Locality { at: Some(Point::new(latitude, longitude)), ..Locality::default() }
}

/// One pool for each region, of the nth endpoint; the first pool has one member in the last region too.
fn around_the_globe(steer: Steer, regions: &[(f64, f64)]) -> World {
    let mut world = World::new();
    for (n, (latitude, longitude)) in regions.iter().enumerate() {
        world.parts.regions.push(region(&format!("r{n}"), *latitude, *longitude));
        world = world.endpoint(&format!("p-r{n}"), &format!("10.0.0.{n}"));
    }
    let ids: Vec<String> = (0..regions.len()).map(|n| format!("p-r{n}")).collect();
    for (n, id) in ids.iter().enumerate() {
        world = world.pool(&format!("pool{n}"), PoolAnswer::First, &[(id, 1)]);
    }
    let pools: Vec<String> = (0..regions.len()).map(|n| format!("pool{n}")).collect();
    let arms: Vec<(&str, u16)> = pools.iter().map(|pool| (pool.as_str(), 1)).collect();
    world.service("www", steer, &arms)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_nearest_is_that_of_brute_force(
        regions in prop::collection::vec((-90.0..90.0_f64, -180.0..180.0_f64), 2..9),
        clients in prop::collection::vec((-90.0..90.0_f64, -180.0..180.0_f64), 20),
        down in any::<prop::sample::Index>(),
    ) {
        let down = down.index(regions.len());
        let mut world = around_the_globe(Steer::Nearest, &regions);
        world.measure(&format!("p-r{down}"), Health::Down);
        for (latitude, longitude) in clients {
            let here = Point::new(latitude, longitude);
            let far = |n: &usize| Point::new(regions[*n].0, regions[*n].1).distance_km(here);
            let nearest = (0..regions.len()).filter(|n| *n != down).min_by(|a, b| far(a).total_cmp(&far(b))).unwrap();
            let answer = asked(&world, [((), Draw::default())].into_iter(), |()| Client::at(at(latitude, longitude)));
            let answered = usize::from(answer[0][0]);
            prop_assert!(answered == nearest || (far(&answered) - far(&nearest)).abs() < 1e-3);
        }
    }
}

#[test]
fn the_nearest_pool_is_that_of_its_nearest_member_and_of_nobody_the_first() {
    let world = around_the_globe(Steer::Nearest, &[(50.0, 8.0), (35.0, 139.0), (40.0, -75.0)]);
    let of = |world: &World, client: Locality| {
        asked(world, [((), Draw::default())].into_iter(), |()| Client::at(client))[0][0]
    };
    assert_eq!(of(&world, at(37.0, 127.0)), 1);
    assert_eq!(of(&world, Locality { geo: Some("SA-BR".parse().unwrap()), ..Locality::default() }), 2);
    assert_eq!(of(&world, Locality::default()), 0);
    // A pool that is nowhere stands behind all that are somewhere.
    let mut world = world;
    world.parts.regions.remove(0);
    assert_eq!(of(&world, at(50.0, 8.0)), 2);
    assert_eq!(of(&world, Locality::default()), 0);
    // Its members stand where they stand.
    let mut world = around_the_globe(Steer::Nearest, &[(50.0, 8.0), (35.0, 139.0), (40.0, -75.0)]);
    let far = world.parts.pools[1].members[0];
    world.parts.pools[2].members = Box::new([world.parts.pools[2].members[0], far]);
    world.parts.services[0].arms =
        Box::new([world.parts.services[0].arms[0].clone(), world.parts.services[0].arms[2].clone()]);
    assert_eq!(of(&world, at(37.0, 127.0)), 2, "the pool of Tokyo and New York, in its own order");
}

#[test]
fn the_fastest_is_that_of_the_nearest_vantage() {
    let mut world = around_the_globe(Steer::Fastest, &[(50.0, 8.0), (35.0, 139.0), (40.0, -75.0)]);
    let of = |world: &World, client: Locality| {
        asked(world, [((), Draw::default())].into_iter(), |()| Client::at(client))[0][0]
    };
    let tokyo = at(37.0, 127.0);
    assert_eq!(of(&world, tokyo), 1, "nothing is measured: the nearest");
    let paths =
        |took: &[(usize, u32)]| took.iter().map(|(n, took)| (format!("p-r{n}").parse().unwrap(), *took)).collect();
    world.feeds.paths.insert("r0".parse().unwrap(), paths(&[(0, 900), (1, 90_000), (2, 40_000)]));
    assert_eq!(of(&world, tokyo), 0, "Frankfurt alone has measured, and stands for everybody");
    world.feeds.paths.insert("r1".parse().unwrap(), paths(&[(0, 80_000), (1, 70_000), (2, 60_000)]));
    assert_eq!((of(&world, tokyo), of(&world, at(48.0, 2.0))), (2, 0));
    world.feeds.paths.insert("r1".parse().unwrap(), paths(&[(0, 80_000)]));
    assert_eq!(of(&world, tokyo), 0, "what is measured stands before what is not");
    world.measure("p-r0", Health::Down);
    assert_eq!(of(&world, tokyo), 1, "none of them is measured from there: the nearest");
    assert_eq!(of(&world, Locality::default()), 1, "as written");
}
