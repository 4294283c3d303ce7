//! What a run is told, by variables of the environment: `make bench ROUNDS=3 PEERS="gdnsd knot"`.

use std::{env, path::PathBuf, str::FromStr};

use anyhow::{Context as _, bail};

use crate::{
    peers::{PEERS, Peer},
    work::{JOBS, Job},
};

/// A part of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// All loads, in interleaved rounds.
    Loads,
    /// Start, memory and reload with 100,000 names.
    Start,
    /// From a failed probe to the first changed answer.
    Flip,
    /// Instructions per query, under valgrind.
    Instructions,
}

const PARTS: &[(&str, Part)] =
    &[("loads", Part::Loads), ("start", Part::Start), ("flip", Part::Flip), ("instructions", Part::Instructions)];

/// All of it.
#[derive(Clone)]
pub struct Settings {
    /// Rounds over all near peers; the others take part in one of four.
    pub rounds: usize,
    /// Each measured window.
    pub seconds: f64,
    /// The load before it.
    pub warm: f64,
    /// Datagrams in flight.
    pub window: usize,
    /// The server's core.
    pub server: usize,
    /// The generator's core.
    pub generator: usize,
    /// Who is measured.
    pub peers: Vec<&'static Peer>,
    /// The loads.
    pub jobs: Vec<&'static Job>,
    /// The parts.
    pub parts: Vec<Part>,
    /// A wayshift that is built already.
    pub wayshift: Option<PathBuf>,
    /// Where the tables go as well.
    pub results: Option<PathBuf>,
    /// A page whose tables are replaced by these.
    pub record: Option<PathBuf>,
}

impl Settings {
    /// From the environment.
    pub fn from_env() -> anyhow::Result<Self> {
        let peers = listed("PEERS", |name| PEERS.iter().find(|peer| peer.name == name))?;
        let jobs = listed("WORKS", Job::of_key)?;
        let parts = listed("PARTS", |name| PARTS.iter().find(|(key, _)| *key == name).map(|(_, part)| *part))?;
        Ok(Self {
            rounds: number("ROUNDS", 20)?,
            seconds: number("SPAN", 0.4)?,
            warm: number("WARM", 0.1)?,
            window: number("WINDOW", 200)?,
            server: number("SERVER_CORE", 0)?,
            generator: number("GENERATOR_CORE", 1)?,
            peers: match peers {
                None => PEERS.iter().collect(),
                // Ratios are to the floor and of ours, so both are always there.
                Some(named) => PEERS
                    .iter()
                    .filter(|peer| {
                        !peer.answers || peer.name == "wayshift" || named.iter().any(|n| n.name == peer.name)
                    })
                    .collect(),
            },
            jobs: jobs.unwrap_or_else(|| JOBS.iter().collect()),
            parts: parts.unwrap_or_else(|| PARTS.iter().map(|(_, part)| *part).collect()),
            wayshift: env::var_os("WAYSHIFT").map(PathBuf::from),
            results: env::var_os("RESULTS").map(PathBuf::from),
            record: env::var_os("RECORD").map(PathBuf::from),
        })
    }
}

fn number<T: FromStr>(key: &str, default: T) -> anyhow::Result<T> {
    match env::var(key) {
        Ok(text) if !text.is_empty() => text.parse().ok().with_context(|| format!("{key} is a number, not `{text}`")),
        _ => Ok(default),
    }
}

/// What a variable lists, if it does.
fn listed<T>(key: &str, of: impl Fn(&str) -> Option<T>) -> anyhow::Result<Option<Vec<T>>> {
    let text = env::var(key).unwrap_or_default();
    let mut found = Vec::new();
    for word in text.split_whitespace() {
        match of(word) {
            Some(thing) => found.push(thing),
            None => bail!("{key} names `{word}`, which is none of this benchmark's"),
        }
    }
    Ok(Some(found).filter(|found| !found.is_empty()))
}
