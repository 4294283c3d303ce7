//! A large fleet at work, by simulation: `cargo bench --bench scale -- [NODES] [ENDPOINTS] [SEED]`.
//!
//! Real controllers of all nodes in one process, the store's own encoding of ballots, and the faults of the test of the
//! same name. No network and no disk. 200 nodes x 50,000 endpoints take some gigabytes and some minutes.

#[path = "../tests/it/scale/fleet.rs"]
mod fleet;
#[path = "../tests/it/scale/node.rs"]
mod node;
#[path = "../tests/it/scale/report.rs"]
mod report;
#[path = "../tests/it/scale/world.rs"]
mod world;

use anyhow::Context as _;
use world::{Size, World};

fn main() -> anyhow::Result<()> {
    // Cargo passes `--bench` along.
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let mut number = |name: &str, default: usize| match words.next() {
        None => Ok(default),
        Some(word) => word.parse().with_context(|| format!("`{word}` is no number of {name}")),
    };
    let (nodes, endpoints, seed) = (number("nodes", 200)?, number("endpoints", 50_000)?, number("seed", 1)?);
    // With many nodes nobody speaks more often than once a second.
    let tick = if nodes < 100 { 250 } else { 500 };
    let size = Size { nodes, endpoints, seed: seed as u64, tick };
    println!("seed {seed}: {nodes} nodes x {endpoints} endpoints on {}", report::machine());
    let before = report::resident();
    let fleet = fleet::fleet(endpoints);
    let with_fleet = report::resident();
    let mut world = World::new(size, fleet);
    let with_nodes = report::resident();
    let phases = world.run(|phase| eprint!("{} MiB {}", report::resident(), report::row(size, phase)));
    println!("\n{}\n{}", report::table(size, &phases), report::memory(&world, [before, with_fleet, with_nodes]));
    println!("the bound from a death to the last node's verdict is {:?}", fleet::detection());
    Ok(())
}
