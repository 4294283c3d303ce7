//! etcd is away, all of it.

use std::time::{Duration, Instant};

use crate::{
    hammer,
    member::Member,
    node::until,
    setup::{ALL, DUO, NODES, WWW, address},
    world::{PATIENCE, World, body},
};

const EVERYBODY: [usize; 5] = [0, 1, 2, 3, 4];

/// Etcd is stopped for a minute with five overrides in force, one of which ends meanwhile; an endpoint dies, then all of
/// a pool, and a node is killed and started.
pub(super) fn without_etcd(world: &mut World) -> String {
    let (d1, g1, a2, g2) = (address("d1"), address("g1"), address("a2"), address("g2"));
    let down = world.order(1, "down", "d1", "1h");
    world.order(2, "up", "d1", "1h");
    world.order(0, "drain", "a2", "1h");
    world.order(3, "up", "g1", "1h");
    // Long enough to be in force when etcd goes.
    let short = world.order(4, "drain", "a1", if world.long { "30s" } else { "20s" });
    let expires: jiff::Timestamp = short.view["expires"].as_str().unwrap().parse().unwrap();
    world.answered("the orders hold", &EVERYBODY, WWW, PATIENCE, |found| found == [g1]);
    world.answered("the orders hold", &EVERYBODY, ALL, PATIENCE, |found| !found.contains(&d1));
    let gone = Instant::now();
    world.members.iter_mut().for_each(Member::kill);

    // 15: answers go on as they were; a write is refused, and says so.
    let refused = world.post(0, "", &[], &body("drain", "g1", "1h")).unwrap();
    assert_eq!(refused.status, 503, "{}", refused.body);
    let refused_after = gone.elapsed();
    for node in &world.nodes {
        until(&format!("{} is alone", node.name), PATIENCE, || (node.mode()? == "alone").then_some(()));
        assert_eq!(node.orders().map(|orders| orders.len()), Some(5), "{}: orders stay in force", node.name);
    }
    let alone = gone.elapsed();

    // 19: what ends, ends by each node's own clock.
    world.ledger().end(&short.id);
    let left = || jiff::Timestamp::now().duration_until(expires);
    assert!(left().is_positive(), "the machine was too slow: the override ended before the nodes were alone");
    let early = Duration::try_from(left()).unwrap().saturating_sub(Duration::from_millis(500));
    world.stays("before its end", &EVERYBODY, WWW, early, |found| found == [g1]);
    let a1 = address("a1");
    world.answered("after its end", &EVERYBODY, WWW, Duration::from_secs(10), |found| found == [a1]);
    let late = -left().as_secs_f32();

    // 18: a node that is killed comes back as it was.
    let victim = world.random.usize(0..5);
    world.kill_node(victim);
    let begun = Instant::now();
    world.start_node(victim);
    let target = NODES[victim].3.address();
    let ask = move || hammer::once(target, ALL, Duration::from_millis(200)).ok();
    let (answer, _) = until("the node answers again", PATIENCE, || world.client.run(ask));
    let back = begun.elapsed();
    world.expect(victim);
    assert!(!answer.addresses.contains(&d1), "{} answers {answer:?} in spite of an order", NODES[victim].0);
    let (orders, _) = until("it shows its orders", PATIENCE, || world.nodes[victim].orders());
    assert_eq!(orders.len(), 4, "{} has the same orders", NODES[victim].0);

    // 16: what dies leaves, by each node's own probes.
    world.kill_endpoint("a1");
    let left_after = world.answered("a1 dies", &EVERYBODY, WWW, PATIENCE, |found| found == [g1]);
    // 17: of a pool without anything that lives the answers go on.
    world.kill_endpoint("a2");
    world.kill_endpoint("g2");
    let found = |found: &[_]| !found.is_empty() && found.iter().all(|one| [a2, g2].contains(one));
    world.stays("all of a pool is dead", &EVERYBODY, DUO, Duration::from_secs(if world.long { 8 } else { 4 }), found);

    let whole = Duration::from_secs(if world.long { 60 } else { 0 });
    until("the outage is over", PATIENCE + whole, || (whole <= gone.elapsed()).then_some(()));
    let lasted = gone.elapsed();
    world.mend();
    let calm = world.calm();
    let orders = world.nodes[4].orders().unwrap();
    assert!(orders.contains(&down.id) && orders.len() == 4, "{orders:?}");
    format!(
        "{lasted:.0?} without: write refused after {refused_after:.1?}, alone after {alone:.1?}, order ended {late:.1} s late, \
         killed node answered after {back:.1?}, dead endpoint left after {left_after:.1?}, calm {calm:.1?} after"
    )
}
