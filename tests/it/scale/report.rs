//! What a run cost, as a table.

use std::time::Duration;

use super::{
    node::Writes,
    world::{Phase, Size, World},
};

/// Resident memory of this process, in MiB.
pub(super) fn resident() -> usize {
    mebibytes("VmRSS:")
}

/// The most of it that there was so far.
pub(super) fn most_resident() -> usize {
    mebibytes("VmHWM:")
}

fn mebibytes(of: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(of));
    line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok()).unwrap_or(0) / 1024
}

/// The machine, as far as it tells.
pub(super) fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = cpus.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or(": unknown");
    let count = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{count} x {}", name.trim_start_matches([' ', '\t', ':']))
}

pub(super) fn table(size: Size, phases: &[Phase]) -> String {
    let mut text = format!(
        "seed {}, {} nodes x {} endpoints, {} ms a tick, on {}\n\n\
         | what happens | last node's verdict | transactions/s | KiB/s | busiest second, KiB | wrongly out, most on a node | \
         ms of a node's CPU per s | longest step, ms |\n|---|---|---|---|---|---|---|---|\n",
        size.seed,
        size.nodes,
        size.endpoints,
        size.tick,
        machine()
    );
    phases.iter().for_each(|phase| text.push_str(&row(size, phase)));
    text
}

/// A phase's line of the table.
pub(super) fn row(size: Size, phase: &Phase) -> String {
    let Writes { transactions, octets, .. } = phase.writes;
    let per_second = |count: usize| count as u64 / phase.seconds;
    let after = phase.converged.map_or_else(|| "-".into(), |after: Duration| format!("{:.1} s", after.as_secs_f64()));
    format!(
        "| {} | {after} | {} | {} | {} | {} | {:.1} | {:.1} |\n",
        phase.name,
        per_second(transactions),
        per_second(octets) / 1024,
        phase.busiest.octets / 1024,
        phase.wrong,
        phase.took as f64 / 1_000.0 / phase.seconds as f64 / size.nodes as f64,
        phase.longest as f64 / 1_000.0,
    )
}

/// Memory, in MiB: before, with all nodes, and what the reader of one node holds of all others.
pub(super) fn memory(world: &World, [before, with_fleet, with_nodes]: [usize; 3]) -> String {
    let now = resident();
    let held = world.read_all();
    let after = resident();
    let votes: usize = held.iter().map(|(_, ballot)| ballot.votes.len()).sum();
    let probed: usize = world.nodes.iter().map(super::node::Node::probed).sum();
    format!(
        "memory: the configuration {} MiB; a node's own state {} MiB, with all that others say {} MiB; all others' ballots as \
         one node reads them {} MiB, {votes} votes; at most {} MiB in all\neach node probes {} endpoints; each endpoint has {:.1} vantages\n",
        with_fleet.saturating_sub(before),
        with_nodes.saturating_sub(with_fleet) / world.size.nodes,
        now.saturating_sub(with_fleet) / world.size.nodes,
        after.saturating_sub(now),
        most_resident(),
        probed / world.size.nodes,
        probed as f64 / world.size.endpoints as f64,
    )
}
