//! Regions that do not hear each other.

use std::time::{Duration, Instant};

use crate::{
    node::until,
    setup::{ALL, NODES, SITES, WWW, address},
    wan::End,
    world::{PATIENCE, World, body},
};

const EVERYBODY: [usize; 5] = [0, 1, 2, 3, 4];
/// Between two writes, while etcd elects a leader. Measured are some 3 s; more is for a busy machine.
const GAP_MAX: Duration = Duration::from_secs(20);

/// Writes by a node, one after the other, for a time; the longest time without one that was accepted.
fn writes(world: &World, node: usize, lasts: Duration) -> (Duration, usize) {
    let (begun, mut last, mut gap, mut made) = (Instant::now(), Instant::now(), Duration::ZERO, 0);
    while begun.elapsed() < lasts {
        if let Ok(reply) = world.post(node, "", &[], &body("up", "g1", "10m"))
            && reply.status == 201
        {
            (gap, last, made) = (gap.max(last.elapsed()), Instant::now(), made + 1);
            let order = world.keep(reply.body);
            world.ledger().end(&order.id);
            let ended = world.nodes[node].ask("DELETE", &format!("/v1/overrides/{}", order.id), None);
            if ended.is_ok_and(|reply| reply.status == 204) {
                (gap, last) = (gap.max(last.elapsed()), Instant::now());
            } else {
                // Nobody knows; it is ended when there is peace.
                world.ledger().kept.insert(order.id);
            }
        }
    }
    (gap.max(last.elapsed()), made)
}

/// A region without a wire to anywhere else; only who asks still reaches it.
fn isolate(world: &World, region: usize) {
    let own = NODES[region].3;
    let others = NODES.iter().map(|node| node.3).filter(|other| other.number != own.number);
    let sites = SITES.into_iter().filter(|site| site.region != own.region);
    others.chain(sites).for_each(|other| world.wan.part(End::Site(own.number), End::Site(other.number)));
}

fn isolated(world: &mut World, region: usize) -> String {
    let a1 = address("a1");
    let writer = (region + 1) % 3;
    let lasts = Duration::from_secs(if world.long { 20 } else { 5 });
    isolate(world, region);
    let cut = Instant::now();
    let (gap, made) = writes(world, writer, lasts);
    assert!(gap < GAP_MAX && 0 < made, "{made} writes, {gap:?} without one");
    until("it notices", PATIENCE, || {
        world.nodes[region].mode().filter(|mode| ["alone", "frozen"].contains(&mode.as_str()))
    });
    let refused = world.post(region, "", &[], &body("up", "g1", "10m")).unwrap();
    assert_eq!(refused.status, 503, "cut off, it accepts nothing: {}", refused.body);
    world.stays("nothing moves", &EVERYBODY, WWW, Duration::from_secs(1), |found| found == [a1]);
    let away = cut.elapsed();
    world.wan.heal();
    let healed = Instant::now();
    let (heal_gap, after) = writes(world, writer, Duration::from_secs(if world.long { 8 } else { 3 }));
    assert!(heal_gap < GAP_MAX && 0 < after, "{after} writes after the heal, {heal_gap:?} without one");
    let (_, _) = until("the region is current", PATIENCE, || {
        let [own, other] = [region, writer].map(|node| world.nodes[node].look("/v1/status"));
        (own?["node"]["store_generation"] == other?["node"]["store_generation"]).then_some(())
    });
    let (_, _) = until("it is connected", PATIENCE, || (world.nodes[region].mode()? == "connected").then_some(()));
    format!(
        "{} cut off for {away:.0?}: {made} writes elsewhere, at most {gap:.1?} without; at the heal {heal_gap:.1?} without, \
         connected {:.1?} after",
        NODES[region].0,
        healed.elapsed()
    )
}

pub(super) fn leader(world: &mut World) -> String {
    let leader = world.leader();
    isolated(world, leader)
}

pub(super) fn follower(world: &mut World) -> String {
    let follower = (world.leader() + 1 + world.random.usize(0..2)) % 3;
    isolated(world, follower)
}

/// Two regions with etcd's majority on one side, one with an edge or two on the other.
pub(super) fn halves(world: &mut World) -> String {
    let (d1, a1) = (address("d1"), address("a1"));
    let sides = [[0, 1].as_slice(), [2, 3, 4].as_slice()];
    world.order(0, "down", "d1", "1h");
    for one in sides[0] {
        for other in sides[1] {
            world.part(*one, &[NODES[*other].3.number]);
        }
    }
    let cut = Instant::now();
    let accepted = world.order(1, "drain", "a2", "1h");
    for node in sides[1] {
        until("the other side notices", PATIENCE, || (world.nodes[*node].mode()? != "connected").then_some(()));
    }
    let refused = world.post(3, "", &[], &body("drain", "g1", "1h")).unwrap();
    assert_eq!(refused.status, 503, "the side without etcd's majority accepts nothing: {}", refused.body);
    let lasts = Duration::from_secs(if world.long { 60 } else { 15 }).saturating_sub(cut.elapsed());
    world.stays("both answer as ordered", &EVERYBODY, ALL, lasts, |found| !found.contains(&d1) && found.contains(&a1));
    let away = cut.elapsed();
    world.wan.heal();
    let calm = world.calm();
    let everywhere =
        EVERYBODY.iter().all(|node| world.nodes[*node].orders().is_some_and(|all| all.contains(&accepted.id)));
    assert!(everywhere, "what one side accepted holds on all");
    format!("apart for {away:.0?}, one truth {calm:.1?} after")
}
