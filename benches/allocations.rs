//! Allocations per query, by a counting allocator: `cargo test --bench allocations`. Fails if the fast way makes any. Tests run it.
//!
//! One desk of a door answers, without a network, what `examples/answer_loop.rs` asks; the first round, which finds its
//! counters and draws its phases, is not counted.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[allow(dead_code, reason = "the example's own way in")]
#[path = "../examples/answer_loop.rs"]
mod answer_loop;

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const NAMES: usize = 1_000;
/// Queries of each kind; each name comes several times.
const QUERIES: usize = NAMES * 5;

fn main() -> anyhow::Result<()> {
    println!("| asked | way | allocations per query | octets per query |\n|---|---|---|---|");
    let mut made = 0;
    for work in ["static", "weighted", "nearest-ecs", "nxdomain"] {
        for (way, is_fast) in [("fast", true), ("general", false)] {
            let mut region = None;
            answer_loop::answers(work, NAMES, QUERIES, is_fast, || region = Some(Region::new(COUNTED)))?;
            let change = region.map(|region| region.change()).unwrap_or_default();
            let calls = change.allocations + change.reallocations;
            let per_query = |count: usize| count as f64 / QUERIES as f64;
            println!("| {work} | {way} | {:.3} | {:.0} |", per_query(calls), per_query(change.bytes_allocated));
            made += if is_fast { calls } else { 0 };
        }
    }
    // What is let go at the end of a run is nobody's query; nothing is asked for then.
    anyhow::ensure!(made == 0, "the fast way made {made} allocations");
    Ok(())
}
