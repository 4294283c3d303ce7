//! Rules, places, shares, waits and lives of answers, as an explanation tells them.

use std::time::Duration;

use super::*;
use crate::model::{Hold, Locality, Mono, Point, Verdict};

fn seconds(count: u64) -> Option<Duration> {
    Some(Duration::from_secs(count))
}

/// Three regions; Europe has a rule of its own.
fn world() -> World {
    let mut world = World::new()
        .region("eu", 50.0, 8.0)
        .region("us", 40.0, -75.0)
        .region("ap", 1.3, 103.8)
        .endpoint("aws-eu", "192.0.2.1")
        .endpoint("aws-us", "192.0.2.2")
        .endpoint("gcp-ap", "192.0.2.3")
        .pool("eu", PoolAnswer::First, &[("aws-eu", 1)])
        .pool("us", PoolAnswer::First, &[("aws-us", 1)])
        .pool("ap", PoolAnswer::First, &[("gcp-ap", 1)])
        .service("www", Steer::Nearest, &[("us", 1), ("ap", 1), ("eu", 1)])
        .rule(&["AF", "EU-DE"], Steer::Failover, &[("eu", 1)]);
    world.pass(10_000);
    world
}

fn at(code: &str, latitude: f64, longitude: f64) -> Client<'static> {
    let (geo, at) = (Some(code.parse().unwrap()), Some(Point::new(latitude, longitude)));
    Client::at(Locality { geo, at, asn: None })
}

fn explained(world: &World, mut client: Client<'_>) -> SteeringTrace {
    let snapshot = world.snapshot();
    let table = compile(&snapshot, None, &LastGood::new());
    let www = "www.example".parse().unwrap();
    let draw = Draw { now: snapshot.at.mono, ..Draw::default() };
    table.explain(&www, kind::A, &mut client, draw).steering.unwrap()
}

/// Pools with kilometres and microseconds.
fn ranking(pick: &PickTrace) -> Vec<(&str, Option<u32>, Option<u32>)> {
    pick.ranking.iter().map(|rank| (rank.pool.as_str(), rank.distance_km, rank.path_us)).collect()
}

#[test]
fn the_rule_that_matched_is_told_with_what_fits() {
    let trace = explained(&world(), at("EU-DE", 51.0, 9.0));
    let rule = trace.rule.unwrap();
    let because: Vec<String> = rule.because.iter().map(ToString::to_string).collect();
    assert_eq!((rule.nth, rule.place.as_str(), because), (0, "test.toml:0", vec!["geo EU-DE".to_owned()]));
    let pick = trace.pick.unwrap();
    assert_eq!((trace.steer, pick.steer, pick.stands_in), (Steer::Failover, Steer::Failover, false));
    let next: Vec<&str> = pick.next.iter().map(|next| next.pool.as_str()).collect();
    assert_eq!((pick.picked[0].1.as_str(), next), ("aws-eu", vec!["us", "ap"]));
    let mut out = world();
    out.measure("aws-eu", Health::Down);
    let trace = explained(&out, at("EU-DE", 51.0, 9.0));
    let pools: Vec<&str> = trace.pools.iter().map(|pool| pool.pool.as_str()).collect();
    let pick = trace.pick.unwrap();
    assert_eq!((pools, pick.stands_in, pick.steer), (vec!["eu", "us", "ap"], true, Steer::Nearest));
    assert_eq!(pick.picked[0].1.as_str(), "aws-us");
    let fenced = out.with_rule(|rule| rule.geofence = true);
    let trace = explained(&fenced, at("EU-DE", 51.0, 9.0));
    assert!(trace.rule.unwrap().geofence);
    let pick = trace.pick.unwrap();
    assert_eq!((pick.basis.word(), pick.next.len()), ("serve-all", 0));
}

#[test]
fn the_order_of_pools_is_told_with_what_it_was_made_of() {
    let world = world();
    let near = explained(&world, at("NA-US", 41.0, -74.0));
    assert_eq!((near.client.placed, near.client.scope, near.rule), (true, 0, None));
    let pick = near.pick.unwrap();
    let order: Vec<&str> = pick.ranking.iter().map(|rank| rank.pool.as_str()).collect();
    let next: Vec<&str> = pick.next.iter().map(|next| next.pool.as_str()).collect();
    assert_eq!((order, next), (vec!["us", "eu", "ap"], vec!["eu", "ap"]));
    assert!((100..200).contains(&pick.ranking[0].distance_km.unwrap()));
    let nowhere = explained(&world, Client::nobody()).pick.unwrap();
    assert_eq!(ranking(&nowhere), [("us", None, None), ("ap", None, None), ("eu", None, None)]);
    let mut fast = world.with_service(|service| service.steer = Steer::Fastest);
    let paths = [("aws-us", 30_000), ("gcp-ap", 9_000), ("aws-eu", 9_500)];
    let paths = paths.map(|(id, us)| (id.parse().unwrap(), us));
    fast.feeds.paths.insert("eu".parse().unwrap(), paths.into());
    let pick = explained(&fast, at("NA-US", 41.0, -74.0)).pick.unwrap();
    let order: Vec<_> = ranking(&pick).into_iter().map(|(pool, _, path)| (pool, path)).collect();
    assert_eq!(order, [("ap", Some(9_000)), ("eu", Some(9_500)), ("us", Some(30_000))]);
    assert_eq!((pick.vantage.unwrap().as_str(), pick.picked[0].1.as_str()), ("eu", "gcp-ap"));
}

#[test]
fn what_comes_back_is_told_with_its_share_and_wait() {
    let mut world = world().with_service(|service| {
        service.steer = Steer::Failover;
        service.tuning.failback = Duration::from_secs(60);
        service.tuning.ramp = Duration::from_secs(90);
    });
    world.returns("aws-us");
    world.pass(30);
    let trace = explained(&world, Client::nobody());
    let (pool, member) = (&trace.pools[0], &trace.pools[0].members[0]);
    assert_eq!((pool.share, pool.waits, member.share, member.returned), (10, seconds(30), 40, seconds(30)));
    let pick = trace.pick.unwrap();
    // The answer may live for 30 s at most, and the TTL is 30 s.
    assert_eq!((pick.picked[0].1.as_str(), pick.ttl, pick.until), ("gcp-ap", 30, Until::Steady));
    world.pass(21);
    let pick = explained(&world, Client::nobody()).pick.unwrap();
    assert_eq!((pick.ttl, pick.until), (9, Until::Timer { left: Duration::from_secs(9) }));
}

#[test]
fn a_wavering_endpoint_shortens_its_answers_and_holds_are_told() {
    let mut world = world();
    let place = world.parts.endpoints.iter().position(|one| one.id.as_str() == "aws-us").unwrap();
    world.flips.insert(crate::model::EndpointIx::new(place), Mono(world.at.mono.0 + 7_500));
    let trace = explained(&world, Client::nobody());
    assert_eq!(trace.pools[0].members[0].flips_in, Some(Duration::from_millis(7_500)));
    let pick = trace.pick.unwrap();
    let left = Duration::from_millis(7_500);
    assert_eq!((pick.ttl, pick.until), (8, Until::Wavers { endpoint: "aws-us".parse().unwrap(), left }));
    let mut snapshot = Snapshot::clone(&world.snapshot());
    let held = |verdict: &mut Verdict| verdict.hold = Some(Hold::Resume);
    snapshot.verdicts.iter_mut().flatten().for_each(held);
    let table = compile(&std::sync::Arc::new(snapshot), None, &LastGood::new());
    let trace = table.explain(&"www.example".parse().unwrap(), kind::A, &mut Client::nobody(), Draw::default());
    assert_eq!(trace.steering.unwrap().pools[0].members[0].hold, Some(Hold::Resume));
}
