//! Shares, turns and draws: what chance may do and what it may not.

mod clients;
mod loads;
mod scope;

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::{
    model::{DnsName, LastGood, Pool, PoolAnswer, Service, Steer},
    steer::{Lookup, compile, sample::World},
};

/// A service over one pool of so many endpoints, of which the nth has the address 10.0.0.n.
fn one_pool(answer: PoolAnswer, weights: &[u16], change: impl FnOnce(&mut Pool)) -> World {
    let ids: Vec<String> = (0..weights.len()).map(|n| format!("e{n}")).collect();
    let members: Vec<(&str, u16)> = ids.iter().map(String::as_str).zip(weights.iter().copied()).collect();
    let world = ids.iter().enumerate().fold(World::new(), |world, (n, id)| world.endpoint(id, &format!("10.0.0.{n}")));
    world.pool("pool", answer, &members).with_pool(change).service("www", Steer::Failover, &[("pool", 1)])
}

/// Two pools of two.
fn two_pools(steer: Steer, weights: [u16; 2], answer: PoolAnswer, change: impl FnOnce(&mut Service)) -> World {
    (0..4)
        .fold(World::new(), |world, n| world.endpoint(&format!("e{n}"), &format!("10.0.0.{n}")))
        .pool("one", answer, &[("e0", 1), ("e1", 1)])
        .pool("two", answer, &[("e2", 1), ("e3", 1)])
        .service("www", steer, &[("one", weights[0]), ("two", weights[1])])
        .with_service(change)
}

/// The last octets of the answers to so many draws, for clients of whom nothing is known.
fn drawn(world: &World, draws: impl Iterator<Item = Draw>) -> Vec<Vec<u8>> {
    asked(world, draws.map(|draw| ((), draw)), |()| Client::nobody())
}

/// The last octets of the answers to what is asked: by whom, and with which draw.
fn asked<'l, W>(
    world: &World,
    asks: impl Iterator<Item = (W, Draw)>,
    client: impl Fn(&W) -> Client<'l>,
) -> Vec<Vec<u8>> {
    let table = compile(&world.snapshot(), None, &LastGood::new());
    let www: DnsName = "www.example".parse().unwrap();
    let Lookup::Found { steering: Some(steering), .. } = table.lookup(www.wire(), 1) else { unreachable!("steered") };
    let mut picks = Picks::new();
    let octet = |address| match address {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(_) => unreachable!("all are IPv4"),
    };
    let one = |(who, draw)| {
        assert_eq!(steering.pick(Family::V4, &mut client(&who), draw, &mut picks), Outcome::Addresses);
        if let Some(one) = steering.single(Family::V4, draw) {
            assert_eq!(picks.addresses().collect::<Vec<_>>(), [*one.address], "the short way differs");
        }
        picks.addresses().map(octet).collect()
    };
    asks.map(one).collect()
}

fn by_chance(seed: u64, count: u32) -> impl Iterator<Item = Draw> {
    let mut chance = fastrand::Rng::with_seed(seed);
    (0..count).map(move |turn| Draw { word: chance.u64(..), turn, now: Mono(0) })
}

fn by_turn(count: u32) -> impl Iterator<Item = Draw> {
    (0..count).map(|turn| Draw { word: 0, turn, now: Mono(0) })
}

/// Pearson's test: what was seen fits the shares with p above one in a million (Wilson and Hilferty's bound), so that
/// a failure is a fault and not bad luck.
fn fits<K: Eq + std::hash::Hash + std::fmt::Debug>(seen: impl Iterator<Item = K>, shares: &[(K, f64)]) {
    let mut counts: HashMap<K, f64> = HashMap::new();
    seen.for_each(|key| *counts.entry(key).or_default() += 1.0);
    let (all, sum): (f64, f64) = (counts.values().sum(), shares.iter().map(|(_, share)| share).sum());
    let mut squares = 0.0;
    for (key, share) in shares {
        let (found, expected) = (counts.remove(key).unwrap_or(0.0), all * share / sum);
        if expected == 0.0 {
            assert!(found == 0.0, "{key:?} has no share");
        } else {
            squares += (found - expected).powi(2) / expected;
        }
    }
    assert!(counts.is_empty(), "nobody expected {counts:?}");
    let free = shares.iter().filter(|(_, share)| 0.0 < *share).count() as f64 - 1.0;
    let bound =
        free.max(1.0) * (1.0 - 2.0 / (9.0 * free.max(1.0)) + 4.75 * (2.0 / (9.0 * free.max(1.0))).sqrt()).powi(3);
    assert!(squares < bound, "chi-square {squares} above {bound}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn shares_follow_weights(weights in prop::collection::vec(prop_oneof![Just(0_u16), 1..100_u16], 1..6), seed: u64) {
        prop_assume!(weights.iter().any(|weight| 0 < *weight));
        let answers = drawn(&one_pool(PoolAnswer::Weighted, &weights, |_| ()), by_chance(seed, 10_000));
        let shares: Vec<(u8, f64)> = (0..).zip(weights.iter().map(|weight| f64::from(*weight))).collect();
        fits(answers.iter().map(|answer| answer[0]), &shares);
        prop_assert!(answers.iter().all(|answer| answer.len() == 1), "where weights matter one address is answered");
    }

    #[test]
    fn one_address_by_chance_has_a_short_way(word: u64, weights in prop::collection::vec(1..100_u16, 1..6)) {
        for (answer, short) in [(PoolAnswer::Weighted, true), (PoolAnswer::RoundRobin, weights.len() == 1)] {
            let table = compile(&one_pool(answer, &weights, |pool| pool.count = 1).snapshot(), None, &LastGood::new());
            let www: DnsName = "www.example".parse().unwrap();
            let Lookup::Found { steering: Some(steering), .. } = table.lookup(www.wire(), 1) else { unreachable!() };
            prop_assert_eq!(steering.single(Family::V4, Draw { word, ..Draw::default() }).is_some(), short);
        }
    }

    #[test]
    fn without_an_endpoint_the_rest_share_its_part_by_weight(seed: u64, gone in 0_usize..3) {
        let mut world = one_pool(PoolAnswer::Weighted, &[60, 30, 10], |_| ());
        world.measure(&format!("e{gone}"), crate::model::Health::Down);
        let mut shares = vec![(0, 60.0), (1, 30.0), (2, 10.0)];
        shares[gone].1 = 0.0;
        fits(drawn(&world, by_chance(seed, 10_000)).iter().map(|answer| answer[0]), &shares);
    }

    #[test]
    fn several_weighted_draws_are_without_replacement(seed: u64) {
        let world = one_pool(PoolAnswer::Weighted, &[5, 3, 2], |pool| pool.count = 2);
        let weight = [5.0, 3.0, 2.0];
        let pairs = (0..3_u8).flat_map(|a| (0..3_u8).filter(move |b| *b != a).map(move |b| (a, b)));
        let share = |(a, b): (u8, u8)| weight[usize::from(a)] * weight[usize::from(b)] / (10.0 - weight[usize::from(a)]);
        let shares: Vec<((u8, u8), f64)> = pairs.map(|pair| (pair, share(pair))).collect();
        fits(drawn(&world, by_chance(seed, 10_000)).iter().map(|answer| (answer[0], answer[1])), &shares);
    }

    #[test]
    fn random_draws_are_even_and_without_replacement(seed: u64) {
        let world = one_pool(PoolAnswer::Random, &[1, 9, 9, 1], |pool| pool.count = 2);
        let pairs = (0..4_u8).flat_map(|a| (0..4_u8).filter(move |b| *b != a).map(move |b| ((a, b), 1.0)));
        let shares: Vec<_> = pairs.collect();
        fits(drawn(&world, by_chance(seed, 10_000)).iter().map(|answer| (answer[0], answer[1])), &shares);
    }

    #[test]
    fn of_more_than_eight_a_sorted_window_is_drawn_evenly(seed: u64) {
        let answers = drawn(&one_pool(PoolAnswer::All, &[1; 11], |_| ()), by_chance(seed, 11_000));
        for answer in &answers {
            prop_assert!(answer.len() == 8 && answer.is_sorted(), "{:?}", answer);
        }
        // By windows and not by endpoints: those of one answer hang together.
        let left_out = |answer: &Vec<u8>| (0..11).filter(|n| !answer.contains(n)).collect::<Vec<u8>>();
        let mut windows: Vec<Vec<u8>> = (0..11).map(|from| (8..11).map(|n| (from + n) % 11).collect()).collect();
        windows.iter_mut().for_each(|window| window.sort_unstable());
        let shares: Vec<_> = windows.into_iter().map(|window| (window, 1.0)).collect();
        fits(answers.iter().map(left_out), &shares);
    }

    #[test]
    fn pools_are_drawn_by_weight_and_independently_of_their_members(seed: u64) {
        let world = two_pools(Steer::Weighted, [95, 5], PoolAnswer::Random, |_| ());
        let shares = [(0, 95.0), (1, 95.0), (2, 5.0), (3, 5.0)];
        fits(drawn(&world, by_chance(seed, 20_000)).iter().map(|answer| answer[0]), &shares);
        let world = two_pools(Steer::Random, [95, 5], PoolAnswer::Weighted, |_| ());
        fits(drawn(&world, by_chance(seed, 10_000)).iter().map(|answer| answer[0]), &[(0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0)]);
    }
}

#[test]
fn turns_are_exact_on_both_levels() {
    let turns =
        |world: &World, count| drawn(world, by_turn(count)).into_iter().map(|answer| answer[0]).collect::<Vec<_>>();
    assert_eq!(turns(&one_pool(PoolAnswer::RoundRobin, &[1, 9, 1], |_| ()), 6), [0, 1, 2, 0, 1, 2]);
    assert_eq!(
        turns(&two_pools(Steer::RoundRobin, [1, 9], PoolAnswer::RoundRobin, |_| ()), 8),
        [0, 2, 1, 3, 0, 2, 1, 3]
    );
    assert_eq!(turns(&two_pools(Steer::All, [1, 1], PoolAnswer::RoundRobin, |_| ()), 5), [0, 1, 2, 3, 0]);
    let two = drawn(&one_pool(PoolAnswer::RoundRobin, &[1; 3], |pool| pool.count = 2), by_turn(3));
    assert_eq!(two, [[0, 1], [1, 2], [2, 0]]);
}

#[test]
fn modes_answer_what_they_say() {
    let check = |world: World, expected: &[u8]| assert_eq!(drawn(&world, by_turn(1))[0], expected);
    check(one_pool(PoolAnswer::All, &[1; 3], |_| ()), &[0, 1, 2]);
    check(one_pool(PoolAnswer::All, &[1; 3], |pool| pool.count = 2), &[0, 1]);
    check(one_pool(PoolAnswer::First, &[1; 3], |_| ()), &[0]);
    check(one_pool(PoolAnswer::First, &[1; 3], |pool| pool.count = 2), &[0, 1]);
    check(one_pool(PoolAnswer::First, &[1; 3], |pool| pool.count = 8), &[0, 1, 2]);
    check(one_pool(PoolAnswer::All, &[0, 1, 1], |_| ()), &[1, 2]);
    check(two_pools(Steer::All, [1, 1], PoolAnswer::All, |_| ()), &[0, 1, 2, 3]);
    check(two_pools(Steer::Failover, [1, 1], PoolAnswer::All, |_| ()), &[0, 1]);
}

#[test]
fn an_address_of_two_endpoints_is_answered_once_with_both_their_shares() {
    let mut world = one_pool(PoolAnswer::Weighted, &[1, 1, 2], |pool| pool.count = 3);
    world.parts.endpoints[1].serves = world.parts.endpoints[0].serves.clone();
    let answers = drawn(&world, by_chance(7, 10_000));
    assert!(answers.iter().all(|answer| answer.len() == 2 && answer[0] != answer[1]));
    fits(answers.iter().map(|answer| answer[0]), &[(0, 1.0), (2, 1.0)]);
}
