//! The loads: all servers of a set stand ready at once, and each round puts each load on each of them for a moment, so
//! that what disturbs the machine disturbs all alike and ratios can be taken within a round.

use std::{
    collections::BTreeSet,
    env,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, bail};

use crate::{
    load::{Measured, Order},
    peers::Peer,
    server::{Ground, Server, pinned},
    settings::Settings,
    work::{Ask, Job, Set},
};

/// Where servers listen.
pub const LOOPBACK: &str = "127.0.0.1";
/// A far peer takes part in one of so many rounds.
pub const FAR: usize = 4;

/// Loads of which nothing was promised take part in one of two rounds.
const SELDOM: &[&str] = &["1", "1k-edns", "100k-ecs", "mixed", "paced", "tcp-delayed"];

/// A measured window.
pub struct Row {
    /// The load.
    pub job: &'static str,
    /// The server.
    pub peer: &'static str,
    /// In which round.
    pub round: usize,
    /// What was seen.
    pub measured: Measured,
}

/// Who can be measured: installed, or just built.
pub type Present = Vec<(&'static Peer, PathBuf)>;

/// Runs all rounds of all sets.
pub fn run(settings: &Settings, ground: &mut Ground, present: &Present) -> anyhow::Result<Vec<Row>> {
    let sets: BTreeSet<Set> = settings.jobs.iter().map(|job| job.set).collect();
    let mut rows = Vec::new();
    for set in sets {
        let jobs: Vec<&Job> = settings.jobs.iter().copied().filter(|job| job.set == set).collect();
        eprintln!("== {}", set.title());
        let servers = start_all(settings, ground, present, set);
        for round in 0..settings.rounds {
            for job in &jobs {
                if SELDOM.contains(&job.key) && round % 2 == 1 {
                    continue;
                }
                for turn in 0..servers.len() {
                    // Nobody is always the first.
                    let server = &servers[(turn + round) % servers.len()];
                    if !takes_part(server.peer, job, round) {
                        continue;
                    }
                    let measured = measure(settings, job, server)?;
                    rows.push(Row { job: job.key, peer: server.peer.name, round, measured });
                }
            }
            eprint!("\r   round {} of {}; load {}   ", round + 1, settings.rounds, crate::machine::load());
        }
        eprintln!();
    }
    Ok(rows)
}

fn start_all(settings: &Settings, ground: &mut Ground, present: &Present, set: Set) -> Vec<Server> {
    let mut servers = Vec::new();
    for (peer, program) in present {
        let started =
            ground.place(peer, set).and_then(|place| Server::start(peer, program, place, settings.server, &[]));
        match started {
            Ok(server) => servers.push(server),
            Err(error) => eprintln!("   {} is left out: {error:#}", peer.name),
        }
    }
    servers
}

fn takes_part(peer: &Peer, job: &Job, round: usize) -> bool {
    let able = if peer.answers { !job.needs_steering() || peer.steers.is_some() } else { job.is_udp() };
    able && (peer.near || round.is_multiple_of(FAR))
}

/// One window of one load on one server.
pub fn measure(settings: &Settings, job: &Job, server: &Server) -> anyhow::Result<Measured> {
    let order = Order {
        job: job.key.into(),
        address: LOOPBACK.into(),
        port: server.place.port,
        pids: server.pids.clone(),
        core: settings.server,
        seconds: settings.seconds,
        warm: settings.warm,
        window: settings.window,
    };
    let measured = generate(pinned(settings.generator, &env::current_exe()?)?, &order)?;
    check(job, server.peer, &measured)?;
    Ok(measured)
}

/// Has the generator carry out an order.
pub fn generate(mut command: Command, order: &Order) -> anyhow::Result<Measured> {
    let mut child = command.arg("load").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut stdin = child.stdin.take().context("a pipe")?;
    stdin.write_all(order.to_lines().as_bytes())?;
    drop(stdin);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("the generator ended with {} during {}", output.status, order.job);
    }
    Measured::from_lines(&String::from_utf8_lossy(&output.stdout)).context("what the generator said is not whole")
}

/// A server that answers something else is no peer.
fn check(job: &Job, peer: &Peer, measured: &Measured) -> anyhow::Result<()> {
    if !peer.answers {
        return Ok(());
    }
    let of = |n: u64| n as f64 / measured.answered.max(1) as f64;
    if let Some((rcode, records)) = job.expected() {
        let right =
            of(measured.rcodes[usize::from(rcode)]) > 0.999 && (of(measured.records) - records as f64).abs() < 0.01;
        if !right && measured.answered > 0 {
            bail!(
                "{} answers {} with RCODEs {:?} and {:.2} records, where {rcode} and {records} are right",
                peer.name,
                job.key,
                measured.rcodes,
                of(measured.records)
            );
        }
    } else if job.ask == Ask::Mixed && of(measured.rcodes[0] + measured.rcodes[3]) < 0.999 {
        bail!("{} answers {} with RCODEs {:?}", peer.name, job.key, measured.rcodes);
    }
    Ok(())
}
