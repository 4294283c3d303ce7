//! Many endpoints at once.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{
    node::until,
    world::{PATIENCE, World},
};

/// Of the crowd, how many a node has out and how many of them it has measured down.
fn out(world: &World, node: usize, wanted: &[String]) -> Option<(usize, usize)> {
    let endpoints = world.nodes[node].list("/v1/endpoints?limit=1000")?;
    let ours = endpoints.iter().filter(|one| one["id"].as_str().is_some_and(|id| wanted.iter().any(|own| own == id)));
    let ours: Vec<_> = ours.collect();
    let count = |what: &str| ours.iter().filter(|one| one[what] == "down").count();
    Some((count("verdict"), count("measured")))
}

pub(super) fn velocity(world: &mut World) -> String {
    // All of one provider is one removal, and goes at once.
    let provider: Vec<String> = (0..20).map(|number| format!("c{number}")).collect();
    provider.iter().for_each(|one| world.kill_endpoint(one));
    let (_, outage) = until("a provider is out", PATIENCE, || (out(world, 0, &provider)? == (20, 20)).then_some(()));
    world.revive_endpoints();
    world.calm();

    // Here and there: half of the fleet, but of no provider and no region most. 34 % of 45 may leave in a minute.
    let scattered: Vec<String> = (0..11).chain(20..32).map(|number| format!("c{number}")).collect();
    // The minute of before is over.
    thread::sleep(Duration::from_secs(60));
    let begun = Instant::now();
    scattered.iter().for_each(|one| world.kill_endpoint(one));
    until("all are measured down", PATIENCE, || (out(world, 0, &scattered)?.1 == scattered.len()).then_some(()));
    let (first, _) = out(world, 0, &scattered).unwrap();
    let measured = begun.elapsed();
    assert!(first <= 16, "{first} of {} left at once", scattered.len());
    let (_, rest) = until("the rest leave when most agree", PATIENCE, || {
        (out(world, 0, &scattered)?.0 == scattered.len()).then_some(())
    });
    let rest = measured + rest;
    assert!(Duration::from_secs(20) < rest, "the rest waited only {rest:?}");
    format!(
        "20 of one provider after {outage:.1?}; of {} scattered {first} after {measured:.1?}, all after {rest:.1?}",
        scattered.len()
    )
}
