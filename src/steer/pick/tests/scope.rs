//! Scopes are exact: whoever shares the scope's bits with a client is answered the same for the same draw.
//!
//! The worlds are made by chance from a seed that a failure prints: databases, own networks and rules over few bits, so
//! that their edges lie close together.

use std::net::{Ipv4Addr, Ipv6Addr};

use fastrand::Rng;
use ipnet::IpNet;

use super::*;
use crate::{
    model::{Arm, GeoCode, Region, Rule, Sticky, When},
    steer::{Locator, mmdb},
};

const CODES: &[&str] = &["EU", "EU-DE", "EU-FR", "NA-US-CA", "NA-US", "AS-JP", "AF-ZA"];

fn one_of<T: Clone>(chance: &mut Rng, list: &[T]) -> T {
    list[chance.usize(..list.len())].clone()
}

/// Of 198.51.0.0/18 or 2001:db8::/36, where rows lie close; now and then of anywhere.
fn address(chance: &mut Rng) -> IpAddr {
    match chance.u8(..12) {
        0 => Ipv4Addr::from_bits(chance.u32(..)).into(),
        1 => Ipv4Addr::new(10, chance.u8(..4), 0, 1).into(),
        2..7 => Ipv4Addr::from_bits(0xc633_0000 | chance.u32(..) & 0x3f07).into(),
        _ => Ipv6Addr::from_bits((0x2001_0db8 << 96) | chance.u128(..) & (0x0f07 << 80 | 3 << 64)).into(),
    }
}

fn net(chance: &mut Rng) -> IpNet {
    let address = address(chance);
    let length = if address.is_ipv4() { chance.u8(1..=32) } else { chance.u8(2..=66) };
    IpNet::new(address, length).unwrap().trunc()
}

fn nets(chance: &mut Rng, most: usize) -> Vec<IpNet> {
    (0..chance.usize(..most)).map(|_| net(chance)).collect()
}

fn locator(chance: &mut Rng, regions: &[Region]) -> Locator {
    let city: Vec<_> = nets(chance, 12)
        .iter()
        .map(|net| (net.to_string(), one_of(chance, CODES), chance.f64() * 180.0 - 90.0, chance.f64() * 360.0 - 180.0))
        .collect();
    let city: Vec<_> =
        city.iter().map(|(net, code, latitude, longitude)| (net.as_str(), *code, *latitude, *longitude)).collect();
    let asn: Vec<_> = nets(chance, 8).iter().map(|net| (net.to_string(), chance.u32(1..4))).collect();
    let asn: Vec<_> = asn.iter().map(|(net, number)| (net.as_str(), *number)).collect();
    let mut rows = nets(chance, 6);
    rows.sort();
    rows.dedup();
    let rows: String =
        rows.iter().map(|net| format!("{net},{}\n", one_of(chance, &["r0", "r1", "EU-FR", "NA"]))).collect();
    let known = Locator::nowhere().with_nets(Locator::nets_from_csv(&rows, regions).unwrap());
    let known = if chance.u8(..5) == 0 { known } else { known.with_city(Some(mmdb::city(&city))).unwrap() };
    if chance.u8(..5) == 0 { known } else { known.with_asn(Some(mmdb::asn(&asn))).unwrap() }
}

fn world(chance: &mut Rng) -> World {
    let mut world = World::new();
    for n in 0..4 {
        let at = Some((chance.f64() * 180.0 - 90.0, chance.f64() * 360.0 - 180.0));
        world.parts.regions.push(Region { id: format!("r{n}").parse().unwrap(), title: None, at });
    }
    let ids: Vec<String> = (0..8).map(|n| format!("p{}-r{}-e{n}", n % 3, n % 4)).collect();
    for (n, id) in ids.iter().enumerate() {
        world = world.endpoint(id, &format!("10.0.0.{n} 2001:db8::{n}"));
    }
    for pool in ["a", "b", "c", "d"] {
        let members: Vec<(&str, u16)> = (0..3)
            .map(|_| one_of(chance, &ids))
            .collect::<std::collections::BTreeSet<_>>()
            .iter()
            .map(|id| (ids.iter().find(|one| *one == id).unwrap().as_str(), chance.u16(0..4)))
            .collect();
        let answer = one_of(chance, PoolAnswer::WORDS).1;
        let count = chance.u8(1..4);
        world = world.pool(pool, answer, &members).with_pool(|pool| pool.count = count);
    }
    for id in ["r0", "r2"] {
        let some: Vec<&String> = ids.iter().filter(|_| chance.bool()).collect();
        let paths = some.into_iter().map(|id| (id.parse().unwrap(), chance.u32(..)));
        world.feeds.paths.insert(id.parse().unwrap(), paths.collect());
    }
    let steer = one_of(chance, Steer::WORDS).1;
    world = world.service("www", steer, &["a", "b", "c", "d"].map(|pool| (pool, 1)));
    world.with_service(|service| {
        service.tuning.sticky = chance.bool().then(|| Sticky { v4: chance.u8(1..=32), v6: chance.u8(1..=128) });
        service.tuning.trickle = if chance.bool() { 3_000 } else { 0 };
        service.tuning.spread = chance.u8(1..4);
        service.rules = (0..chance.usize(..4)).map(|nth| rule(chance, &service.arms, nth)).collect();
    })
}

fn rule(chance: &mut Rng, arms: &[Arm], nth: usize) -> Rule {
    let mut when = When::default();
    while when == When::default() {
        when = When {
            subnets: nets(chance, 3).into(),
            geo: (0..chance.usize(..2)).map(|_| one_of(chance, CODES).parse::<GeoCode>().unwrap()).collect(),
            asn: (0..chance.usize(..2)).map(|_| chance.u32(1..4)).collect(),
        };
    }
    let from = chance.usize(..arms.len());
    let arms: Box<[Arm]> = arms[from..].iter().chain(&arms[..from]).take(chance.usize(1..=3)).cloned().collect();
    Rule { when, arms, steer: one_of(chance, Steer::WORDS).1, geofence: chance.bool(), place: format!("rule {nth}") }
}

/// An address that shares so many bits with another, and of the next ones perhaps some.
fn beside(chance: &mut Rng, address: IpAddr, bits: u8) -> IpAddr {
    let noise = match chance.u8(..3) {
        0 => chance.u128(..),
        1 => 1 << chance.u8(..128),
        _ => chance.u128(..) & chance.u128(..) & chance.u128(..),
    };
    match address {
        IpAddr::V4(v4) => {
            let free = u32::MAX.checked_shr(u32::from(bits)).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() ^ (noise as u32 & free)).into()
        }
        IpAddr::V6(v6) => {
            let free = u128::MAX.checked_shr(u32::from(bits)).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() ^ (noise & free)).into()
        }
    }
}

/// Answers to clients and to others inside their scopes, as `shorten` leaves them: the first pair that is not answered
/// the same.
fn first_difference(seed: u64, shorten: impl Fn(u8) -> Option<u8>) -> Option<String> {
    let chance = &mut Rng::with_seed(seed);
    let world = world(chance);
    let table = compile(&world.snapshot(), None, &LastGood::new());
    let locator = locator(chance, &world.parts.regions);
    let www: DnsName = "www.example".parse().unwrap();
    let Lookup::Found { steering: Some(steering), .. } = table.lookup(www.wire(), 1) else { unreachable!("steered") };
    let answer = |client: &mut Client<'_>, draw| {
        let mut picks = Picks::new();
        let outcome = steering.pick(Family::V4, client, draw, &mut picks);
        (outcome, picks.seats().copied().collect::<Vec<_>>(), client.scope())
    };
    for _ in 0..60 {
        let asks = address(chance);
        let whole = if asks.is_ipv4() { 32 } else { 128 };
        let bits = if chance.bool() { whole } else { chance.u8(1..=whole) };
        let draw = Draw { word: chance.u64(..), turn: chance.u32(..), now: Mono(0) };
        let first = answer(&mut Client::new(&locator, asks, bits), draw);
        // The network's first address stands for it.
        let from = IpNet::new(asks, bits).unwrap().trunc().addr();
        let Some(scope) = shorten(first.2) else { continue };
        for _ in 0..12 {
            let other = beside(chance, from, scope);
            let second = answer(&mut Client::new(&locator, other, whole), draw);
            if second != first {
                return Some(format!(
                    "seed {seed}: {asks}/{bits} and {other} share {scope} bits: {first:?} {second:?}"
                ));
            }
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn whoever_shares_the_scope_is_answered_the_same(seed: u64) {
        let found = first_difference(seed, Some);
        prop_assert!(found.is_none(), "{}", found.unwrap_or_default());
    }
}

#[test]
fn a_scope_that_is_a_bit_too_short_is_noticed() {
    let noticed = (0..40).filter(|seed| first_difference(*seed, |scope| scope.checked_sub(1)).is_some()).count();
    assert!(20 < noticed, "only {noticed} of 40 worlds");
}
