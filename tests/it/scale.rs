//! A fleet at work, by simulation: real controllers and the store's own encoding, faults one after the other, and what
//! they cost in writes, octets, time and memory. Small here; `make scale` runs 200 nodes x 50,000 endpoints.

mod fleet;
mod node;
mod report;
mod world;

use world::{Size, World};

#[test]
fn a_fleet_converges_within_its_bounds_and_writes_what_it_should() {
    let size = Size { nodes: 24, endpoints: 1_200, seed: 7, tick: 250 };
    let before = report::resident();
    let mut world = World::new(size, fleet::fleet(size.endpoints));
    let with_nodes = report::resident();
    let phases = world.run(|_| ());
    let text = report::table(size, &phases);
    let of = |name: &str| phases.iter().find(|phase| phase.name == name).unwrap_or_else(|| panic!("{name}\n{text}"));
    for name in ["one endpoint dies", "the endpoints of a region die"] {
        let took = of(name).converged.unwrap_or_else(|| panic!("{name}: never\n{text}"));
        assert!(took <= fleet::detection(), "{name}: {took:?}\n{text}");
    }
    for name in ["all of them return", "the region is back", "the store is back", "a tenth of the nodes starts again"] {
        assert!(of(name).converged.is_some(), "{name}: never\n{text}");
    }
    for name in ["start, warm", "nothing happens", "a region is cut off", "the region is back", "the store is away"] {
        assert_eq!(of(name).wrong, 0, "{name}: endpoints went down that are alive\n{text}");
    }
    // A ballot and a presence every two seconds, together or not; each of them below a KiB.
    let quiet = of("nothing happens");
    let per_node = quiet.writes.octets as f64 / quiet.seconds as f64 / size.nodes as f64;
    assert!(per_node < 1_024.0, "{per_node} octets a second from a node\n{text}");
    assert!(quiet.writes.transactions as u64 <= quiet.seconds * size.nodes as u64 * 3 / 2, "{text}");
    // When a twentieth of everything fails, no node writes all of its ballot each time.
    let outage = of("the endpoints of a region die");
    let per_node = outage.busiest.octets / size.nodes;
    assert!(per_node < 16 << 10, "{per_node} octets from a node in the busiest second\n{text}");
    // What is read is what was written; memory is told and judged by nobody.
    eprintln!("{text}\n{}", report::memory(&world, [before, before, with_nodes]));
}
