//! Worlds by chance, and what happens in them.

use std::time::Duration;

use fastrand::Rng;

use crate::{
    model::{
        Action, Degraded, Ended, EndpointIx, Family, GeoCode, Health, Load, Locality, MinUp, Mono, Override,
        PanicBelow, Point, PoolAnswer, Steer, Sticky, Weight, WhenNone,
    },
    steer::sample::World,
};

/// Clients are at these places, or nowhere.
const PLACES: [(&str, f64, f64); 4] =
    [("EU-DE", 51.0, 9.0), ("EU-FR", 46.0, 2.0), ("NA-US", 38.0, -97.0), ("AS-JP", 36.0, 138.0)];

pub(super) fn one_of<T: Clone>(chance: &mut Rng, list: &[T]) -> T {
    list[chance.usize(..list.len())].clone()
}

fn seconds(chance: &mut Rng, list: &[u64]) -> Duration {
    Duration::from_secs(one_of(chance, list))
}

/// Up to seven endpoints in three regions, three pools, three services with up to two rules, all settings mixed.
pub(super) fn world(chance: &mut Rng) -> World {
    let mut world = World::new().region("r0", 50.0, 8.0).region("r1", 40.0, -75.0);
    world.pass(1_000);
    let endpoints: Vec<String> = (0..chance.usize(1..8)).map(|n| format!("p{}-r{}-e{n}", n % 2, n % 3)).collect();
    for (n, id) in endpoints.iter().enumerate() {
        let (v4, v6) = (format!("192.0.2.{}", n / 2), format!("2001:db8::{n}"));
        world = match chance.u8(..8) {
            0 => world.target(id, "elsewhere.example.net"),
            _ => world.endpoint(id, &one_of(chance, &[v4.clone(), v6.clone(), format!("{v4} {v6}")])),
        };
        world = world.with_endpoint(|endpoint| endpoint.capacity = one_of(chance, &[None, Some(0), Some(100)]));
    }
    for pool in ["a", "b", "c"] {
        let mut members: Vec<(&str, u16)> = Vec::new();
        for id in &endpoints {
            if chance.bool() || members.is_empty() && *id == endpoints[endpoints.len() - 1] {
                members.push((id, chance.u16(0..4)));
            }
        }
        let answer = one_of(chance, PoolAnswer::WORDS).1;
        world = world.pool(pool, answer, &members).with_pool(|pool| {
            pool.min_up = one_of(chance, &[MinUp::Auto, MinUp::Count(2), MinUp::Share(60)]);
            pool.count = if chance.bool() { 8 } else { chance.u8(1..4) };
            pool.degraded = one_of(chance, &[Degraded::Same, Degraded::Last]);
            pool.ramp = one_of(chance, &[None, None, Some(Duration::from_secs(60))]);
        });
    }
    for service in ["one", "two", "three"] {
        world = self::service(chance, world, service);
    }
    world.parts.safety.panic_below = one_of(chance, &[PanicBelow::Auto, PanicBelow::Share(0), PanicBelow::Share(50)]);
    world
}

fn service(chance: &mut Rng, world: World, id: &str) -> World {
    let arms = |chance: &mut Rng| -> Vec<(&'static str, u16)> {
        let pools = one_of(chance, &[&["a"][..], &["a", "b"], &["b", "c"], &["c", "a", "b"]]);
        pools.iter().map(|pool| (*pool, chance.u16(0..3))).collect()
    };
    let when_none = one_of(chance, WhenNone::WORDS).1;
    let mut world = world.service(id, one_of(chance, Steer::WORDS).1, &arms(chance)).with_service(|service| {
        service.when_none = when_none;
        service.tuning.failback = seconds(chance, &[0, 0, 40, 200]);
        service.tuning.ramp = seconds(chance, &[0, 0, 90]);
        service.tuning.trickle = one_of(chance, &[0, 0, 1_000]);
        service.tuning.spread = one_of(chance, &[1, 1, 2]);
        service.tuning.sticky = one_of(chance, &[None, Some(Sticky::default())]);
    });
    if when_none == WhenNone::LastResort || chance.bool() {
        world = world.last_resort(one_of(chance, &["a", "b", "c"]));
    }
    for _ in 0..chance.u8(..3) {
        let geo = one_of(chance, &[&["EU"][..], &["EU-DE", "NA"], &["AS"]]);
        world = world.rule(geo, one_of(chance, Steer::WORDS).1, &arms(chance));
        world = world.with_rule(|rule| rule.geofence = chance.bool());
    }
    world
}

/// Somebody who may ask.
pub(super) fn place(chance: &mut Rng) -> Locality {
    let (code, latitude, longitude) = one_of(chance, &PLACES);
    let known = Locality {
        geo: Some(code.parse::<GeoCode>().unwrap()),
        at: Some(Point::new(latitude, longitude)),
        asn: Some(64_500),
    };
    if chance.u8(..4) == 0 { Locality::default() } else { known }
}

/// Something is measured, ordered, no longer ordered, or time passes.
pub(super) fn happen(chance: &mut Rng, world: &mut World) {
    match chance.u8(..7) {
        0 if !world.overrides.is_empty() => {
            let order = world.overrides.remove(chance.usize(..world.overrides.len()));
            ends(world, order);
        }
        0 | 1 => order(chance, world),
        2 | 3 => {
            world.pass(one_of(chance, &[1, 10, 31, 70, 500]));
            let now = world.at.wall;
            let all = std::mem::take(&mut world.overrides);
            let (held, over): (Vec<Override>, Vec<Override>) = all.into_iter().partition(|order| order.holds(now));
            world.overrides = held;
            over.into_iter().for_each(|order| ends(world, order));
        }
        4 => feed(chance, world),
        _ => {
            let place = chance.usize(..world.parts.endpoints.len());
            let id = world.parts.endpoints[place].id.clone();
            let health = one_of(chance, Health::WORDS).1;
            let family = one_of(chance, &Family::ALL);
            let before = world.health.get(&(EndpointIx::new(place), family)).copied().unwrap_or(Health::Up);
            world.measure_family(id.as_str(), family, health);
            if before == Health::Down && health.works() {
                world.returned.insert(EndpointIx::new(place), world.at.mono);
            }
            if chance.u8(..4) == 0 {
                world.flips.insert(EndpointIx::new(place), Mono(world.at.mono.0 + chance.u64(..40_000)));
            }
        }
    }
    world.generation += 1;
}

fn ends(world: &mut World, order: Override) {
    if matches!(order.action, Action::Drain | Action::Down) {
        world.ended.push(Ended { order, at: world.at.mono });
    }
}

fn order(chance: &mut Rng, world: &mut World) {
    let pool = one_of(chance, &["a", "b", "c"]).parse().unwrap();
    let (drain, weight) = (Action::Drain, Action::Weight(Weight(chance.u16(..3))));
    let action = one_of(chance, &[Action::Up, drain, Action::Down, weight, Action::Pin(pool), Action::Freeze]);
    let wide = ["all", "provider:p0", "region:r?", "endpoint:*-e1", "pool:a", "pool:*", "service:one", "service:t*"];
    let last = world.overrides.last().map_or(0, |order| order.created.0);
    let slow = (action == Action::Drain && chance.bool()).then(|| Duration::from_secs(90));
    world.order(action, one_of(chance, &wide));
    let now = world.at.wall;
    let order = world.overrides.last_mut().unwrap();
    order.created.0 = last + 1;
    order.id = crate::model::OverrideId::new(ulid::Ulid::from_parts(last + 1, 1));
    (order.from, order.over) = (now, slow);
    order.expires = now.plus(seconds(chance, &[20, 3_000]));
}

fn feed(chance: &mut Rng, world: &mut World) {
    let id = one_of(chance, &world.parts.endpoints).id;
    if chance.bool() {
        match chance.u8(..3) {
            0 => drop(world.feeds.loads.remove(&id)),
            _ => drop(world.feeds.loads.insert(id, Load(f64::from(chance.u8(..200))))),
        }
    } else {
        let from = one_of(chance, &["r0", "r1", "r9"]).parse().unwrap();
        world.feeds.paths.entry(from).or_default().insert(id, chance.u32(..500_000));
    }
}
