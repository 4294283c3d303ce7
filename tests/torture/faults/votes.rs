//! What vantages see, and what becomes of it.

use std::time::Duration;

use crate::{
    node::until,
    setup::{ALL, NODES, SITES, WWW, address},
    wan::End,
    world::{DETECTED_WITHIN, PATIENCE, World},
};

const EVERYBODY: [usize; 5] = [0, 1, 2, 3, 4];

pub(super) fn endpoint_stops(world: &mut World) -> String {
    let a1 = address("a1");
    world.kill_endpoint("a1");
    let took = world.answered("a1 is left", &EVERYBODY, WWW, DETECTED_WITHIN, |found| !found.contains(&a1));
    world.revive_endpoints();
    let back = world.answered("a1 is back", &EVERYBODY, WWW, DETECTED_WITHIN, |found| found == [a1]);
    format!("left everywhere after {took:.1?}, back after {back:.1?}")
}

/// Waits until a node's own prober has decided.
fn sees_down(world: &World, node: usize, endpoint: &str) {
    until(&format!("{} sees {endpoint} down", NODES[node].0), PATIENCE, || {
        let view = world.nodes[0].look(&format!("/v1/endpoints/{endpoint}"))?;
        let votes = &view["targets"][0]["votes"];
        (votes["down"].as_u64()? >= 1).then_some(())
    });
}

pub(super) fn one_of_five(world: &mut World) -> String {
    let a1 = address("a1");
    let victim = world.random.usize(0..5);
    world.wan.part(End::Site(NODES[victim].3.number), End::Host(a1));
    sees_down(world, victim, "a1");
    let lasts = Duration::from_secs(if world.long { 30 } else { 4 });
    world.stays("one vantage", &EVERYBODY, WWW, lasts, |found| found == [a1]);
    format!("{} alone saw it down for {lasts:?}", NODES[victim].0)
}

pub(super) fn two_and_three(world: &mut World) -> String {
    let g1 = address("g1");
    let mut vantages = EVERYBODY;
    world.random.shuffle(&mut vantages);
    for node in &vantages[..2] {
        world.wan.part(End::Site(NODES[*node].3.number), End::Host(g1));
    }
    sees_down(world, vantages[0], "g1");
    world.stays("two of five", &EVERYBODY, ALL, Duration::from_secs(10), |found| found.contains(&g1));
    world.wan.part(End::Site(NODES[vantages[2]].3.number), End::Host(g1));
    let took = world.answered("three of five", &EVERYBODY, ALL, DETECTED_WITHIN, |found| !found.contains(&g1));
    format!("left {took:.1?} after the third lost it")
}

pub(super) fn one_way(world: &mut World) -> String {
    let d1 = address("d1");
    let mut vantages = EVERYBODY;
    world.random.shuffle(&mut vantages);
    // Requests arrive, replies do not.
    for node in &vantages[..2] {
        world.wan.cut(End::Host(d1), End::Site(NODES[*node].3.number));
    }
    sees_down(world, vantages[0], "d1");
    world.stays("two of five", &EVERYBODY, ALL, Duration::from_secs(5), |found| found.contains(&d1));
    world.wan.cut(End::Host(d1), End::Site(NODES[vantages[2]].3.number));
    let took = world.answered("three of five", &EVERYBODY, ALL, DETECTED_WITHIN, |found| !found.contains(&d1));
    format!("left {took:.1?} after the third lost it")
}

pub(super) fn flaps(world: &mut World) -> String {
    let begun = std::time::Instant::now();
    let rounds = if world.long { 30 } else { 10 };
    for _ in 0..rounds {
        world.kill_endpoint("a1");
        std::thread::sleep(Duration::from_secs(1));
        world.revive_endpoints();
        std::thread::sleep(Duration::from_secs(1));
    }
    let worst = world.hammer.look(begun, |asked| {
        let changes = EVERYBODY.iter().map(|node| {
            let answers = asked.iter().filter(|one| one.node == *node && one.name == WWW);
            let mut answers: Vec<_> = answers.filter_map(|one| one.answer.clone()).map(|one| one.addresses).collect();
            answers.dedup();
            answers.len().saturating_sub(1)
        });
        changes.max().unwrap_or(0)
    });
    // Down needs two failures in a row and up two passes: half a second each way is seen now and then, all of it never.
    assert!(worst <= 8, "a node's answers changed {worst} times in {rounds} flaps");
    format!("{rounds} flaps of 1 s, at most {worst} changes of a node's answers")
}

pub(super) fn uplink_cut(world: &mut World) -> String {
    let victim = world.random.usize(0..5);
    let sites: Vec<u8> = SITES.iter().map(|site| site.number).collect();
    world.part(victim, &sites);
    let watcher = (victim + 1) % 5;
    let (_, noticed) = until("the others do not count it", PATIENCE, || {
        let peers = world.nodes[watcher].list("/v1/nodes")?;
        let blind = peers.iter().find(|peer| peer["id"] == NODES[victim].0)?;
        (blind["votes"] == false).then_some(())
    });
    let up = |found: &[_]| found.len() == 3;
    world.stays("a blind vantage", &EVERYBODY, ALL, Duration::from_secs(if world.long { 20 } else { 3 }), up);
    format!("{} is blind, not counted after {noticed:.1?}, 0 removed", NODES[victim].0)
}

pub(super) fn three_uplinks(world: &mut World) -> String {
    let mut vantages = EVERYBODY;
    world.random.shuffle(&mut vantages);
    let sites: Vec<u8> = SITES.iter().map(|site| site.number).collect();
    vantages[..3].iter().for_each(|node| world.part(*node, &sites));
    let up = |found: &[_]| found.len() == 3;
    world.stays("three blind vantages", &EVERYBODY, ALL, Duration::from_secs(20), up);
    "0 removed in 20 s".into()
}
