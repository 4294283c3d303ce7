//! An explanation tells what the doors do.

mod clients;

use super::*;
use crate::{
    model::{Action, Health, LastGood, Load, PoolAnswer, Steer, Weight},
    steer::{Outcome, compile, decide::PoolState, sample::World},
};

#[test]
fn an_explanation_tells_every_step_of_the_answer() {
    let mut world = World::new()
        .endpoint("aws-eu", "192.0.2.1 2001:db8::1")
        .endpoint("gcp-eu", "192.0.2.2")
        .endpoint("dc-eu", "192.0.2.3")
        .endpoint("aws-us", "192.0.2.4")
        .endpoint("sorry", "192.0.2.9")
        .pool("eu", PoolAnswer::Weighted, &[("aws-eu", 60), ("gcp-eu", 30), ("dc-eu", 10)])
        .pool("us", PoolAnswer::First, &[("aws-us", 1)])
        .pool("sorry", PoolAnswer::All, &[("sorry", 1)])
        .service("www", Steer::Failover, &[("eu", 1), ("us", 1)])
        .last_resort("sorry");
    world.measure("dc-eu", Health::Down);
    world.order(Action::Weight(Weight(40)), "endpoint:aws-eu");
    world.order(Action::Pin("us".parse().unwrap()), "service:other");
    let table = compile(&world.snapshot(), None, &LastGood::new());
    let www: DnsName = "www.example".parse().unwrap();
    let trace = table.explain(&www, kind::A, &mut Client::nobody(), Draw { word: u64::MAX, ..Draw::default() });
    assert!(matches!(&trace.at, NameTrace::Found { wildcard: false, kinds, .. } if kinds.is_empty()));
    let steering = trace.steering.unwrap();
    assert_eq!((steering.overrides.len(), steering.pin, steering.ttl), (1, None, 30));
    let pools: Vec<_> = steering.pools.iter().map(|pool| (pool.pool.as_str(), pool.state, pool.serving)).collect();
    assert_eq!(pools, [("eu", PoolState::Open, 2), ("us", PoolState::Open, 1), ("sorry", PoolState::Open, 1)]);
    let members: Vec<_> = steering.pools[0].members.iter().map(|member| (member.health, member.weight.0)).collect();
    assert_eq!(members, [(Some(Health::Up), 40), (Some(Health::Up), 30), (Some(Health::Down), 10)]);
    let pick = steering.pick.unwrap();
    assert_eq!(
        (pick.outcome, pick.answer, pick.drawn),
        (Outcome::Addresses, Some(PoolAnswer::Weighted), Some(Drawn { point: 69, of: 70 }))
    );
    assert_eq!(pick.picked[0].1.as_str(), "gcp-eu");
    let next: Vec<_> =
        pick.next.iter().map(|next| (next.pool.as_str(), next.endpoints.len(), next.last_resort)).collect();
    assert_eq!(next, [("eu", 1, false), ("us", 1, false), ("sorry", 1, true)]);
    let trace = table.explain(&www, kind::TXT, &mut Client::nobody(), Draw::default());
    assert!(trace.steering.unwrap().pick.is_none());
    for (name, expected) in [("nowhere.example", "NoName"), ("example.org", "NotOurs")] {
        let trace = table.explain(&name.parse().unwrap(), kind::A, &mut Client::nobody(), Draw::default());
        assert!(format!("{:?}", trace.at).starts_with(expected) && trace.steering.is_none());
    }
}

#[test]
fn loads_are_told_where_they_decide() {
    let world = |answer| {
        let mut world = World::new()
            .endpoint("a", "192.0.2.1")
            .with_endpoint(|endpoint| endpoint.capacity = Some(400))
            .endpoint("b", "192.0.2.2")
            .pool("p", answer, &[("a", 1), ("b", 1)])
            .service("www", Steer::Failover, &[("p", 1)]);
        world.feeds.loads.insert("a".parse().unwrap(), Load(87.0));
        let table = compile(&world.snapshot(), None, &LastGood::new());
        let www: DnsName = "www.example".parse().unwrap();
        let trace = table.explain(&www, kind::A, &mut Client::nobody(), Draw::default());
        let members = trace.steering.unwrap().pools[0].members.clone();
        members.iter().map(|member| member.busy).collect::<Vec<_>>()
    };
    let busy = [
        Some(BusyTrace { load: Some(Load(87.0)), capacity: Some(400) }),
        Some(BusyTrace { load: None, capacity: None }),
    ];
    assert_eq!(world(PoolAnswer::LeastConnections), busy);
    assert_eq!(world(PoolAnswer::Random), [None, None]);
}
