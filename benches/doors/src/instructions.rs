//! Instructions of user space for each query, and calls of the allocator, counted by valgrind: no noise.
//!
//! The whole server is counted while a load runs, its receiving and sending included, less what it does in as long a
//! time without a load.
//! A server that forks its workers before it can be told to count (nsd) is left out.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};

use crate::{
    peers::{Peer, find},
    rounds::{Present, measure},
    server::{Ground, Server},
    settings::Settings,
    work::{Job, Set},
};

/// What is counted: a static and a steered answer with EDNS, and the others for the curious.
const KEYS: &[&str] = &["1k-edns", "1k-ecs", "1k-nx", "100k", "steered", "steered-ecs"];
/// Those that are far off are counted in this one alone: interpreted, they take minutes to start with 100,000 names.
const FAR: &str = "1k-edns";
/// What the gate holds: the job and the most it may take.
pub const GATE: &[(&str, u64)] = &[("1k-edns", 1_000), ("steered-ecs", 1_200)];
/// How long each load is counted. It is 50 times slower than without.
const SECONDS: f64 = 2.0;
/// The least of so many counts holds: what comes now and then beside the answers (a round of probes) is none of theirs.
const TRIES: usize = 2;
/// Instructions of a server that has settled, in [`SECONDS`]: ours takes half a million.
const QUIET: u64 = 2_000_000;
/// It is looked at so often at most until then.
const SETTLE: usize = 20;
/// Less than this is no answer but a fault of the counting.
const CREDIBLE: f64 = 100.0;
/// Calls for memory in a counted run that serves far more queries: below it they are what the node does beside.
const ALLOCATORS: &[&str] = &["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"];

/// One count.
pub struct Count {
    /// The load.
    pub job: &'static str,
    /// The server.
    pub peer: &'static str,
    /// Instructions for each answer.
    pub instructions: f64,
    /// Calls for memory for each answer.
    pub allocations: f64,
    /// Answers it is counted over.
    pub answers: u64,
}

/// Counts all that can be counted; nothing without valgrind.
pub fn run(settings: &Settings, ground: &mut Ground, present: &Present, gate: bool) -> anyhow::Result<Vec<Count>> {
    let Some(valgrind) = find("valgrind") else {
        eprintln!("valgrind is not here, so instructions are not counted; Debian has it: apt-get install valgrind");
        return Ok(Vec::new());
    };
    eprintln!("== instructions per query");
    let mut counts = Vec::new();
    for set in [Set::Thousand, Set::Hundred, Set::Steered] {
        let jobs: Vec<&'static Job> = KEYS
            .iter()
            .filter(|key| if gate { GATE.iter().any(|(held, _)| held == *key) } else { true })
            .filter_map(|key| Job::of_key(key))
            .filter(|job| job.set == set)
            .collect();
        for (peer, program) in present.iter().filter(|(peer, _)| peer.answers && peer.name != "nsd") {
            let jobs: Vec<_> = jobs
                .iter()
                .copied()
                .filter(|job| !job.needs_steering() || peer.steers.is_some())
                .filter(|job| peer.near || job.key == FAR)
                .collect();
            if jobs.is_empty() {
                continue;
            }
            match count(settings, ground, peer, program, &valgrind, set, &jobs) {
                Ok(found) => counts.extend(found),
                Err(error) if gate => return Err(error),
                Err(error) => eprintln!("   {} is left out: {error:#}", peer.name),
            }
        }
    }
    Ok(counts)
}

fn count(
    settings: &Settings,
    ground: &mut Ground,
    peer: &'static Peer,
    program: &Path,
    valgrind: &Path,
    set: Set,
    jobs: &[&'static Job],
) -> anyhow::Result<Vec<Count>> {
    let place = ground.place(peer, set)?;
    let out = place.folder.join("callgrind.out");
    let through = [
        valgrind.display().to_string(),
        "--tool=callgrind".into(),
        "--instr-atstart=no".into(),
        format!("--callgrind-out-file={}", out.display()),
        format!("--log-file={}", place.at("valgrind")),
    ];
    let server = Server::start(peer, program, place, settings.server, &through)?;
    let settings = Settings { seconds: SECONDS, warm: 0.0, window: 64, ..settings.clone() };
    let idle = idle(&server, &out)?;
    let mut found = Vec::new();
    for job in jobs {
        measure(&Settings { seconds: 0.5, ..settings.clone() }, job, &server)?;
        let mut least: Option<Count> = None;
        for _ in 0..TRIES {
            let count = window(&settings, &server, job, &out, idle)?;
            if least.as_ref().is_none_or(|least| count.instructions < least.instructions) {
                least = Some(count);
            }
        }
        found.extend(least);
    }
    Ok(found)
}

/// One count of one load.
fn window(
    settings: &Settings,
    server: &Server,
    job: &'static Job,
    out: &Path,
    idle: (u64, u64),
) -> anyhow::Result<Count> {
    let mut measured = None;
    let (instructions, allocations) = counted(server, out, || {
        measured = Some(measure(settings, job, server)?);
        Ok(())
    })?;
    let measured = measured.context("a load was measured")?;
    // Those in flight at the ends of the window are counted as well; they are as many at either.
    let answers = measured.answered + measured.late;
    let each = |counted: u64, idle: u64| counted.saturating_sub(idle) as f64 / answers.max(1) as f64;
    let count = Count {
        job: job.key,
        peer: server.peer.name,
        instructions: each(instructions, idle.0),
        allocations: each(allocations, idle.1),
        answers,
    };
    if answers < 1_000 || count.instructions < CREDIBLE {
        let Count { job, peer, instructions, .. } = count;
        bail!("{peer} took {instructions:.0} instructions for each of {answers} answers of {job}: no count");
    }
    Ok(count)
}

/// What a server does beside its answers, and would do without them. Right after the start it does more than later,
/// so the least of what is seen counts, and so much less is taken off.
fn idle(server: &Server, out: &Path) -> anyhow::Result<(u64, u64)> {
    let mut least = (u64::MAX, u64::MAX);
    for _ in 0..SETTLE {
        let (instructions, allocations) = counted(server, out, || {
            thread::sleep(Duration::from_secs_f64(SECONDS));
            Ok(())
        })?;
        least = (least.0.min(instructions), least.1.min(allocations));
        if instructions < QUIET {
            break;
        }
    }
    eprintln!("   {}: {} instructions in {SECONDS} s without a load", server.peer.name, least.0);
    Ok(least)
}

/// Instructions and calls of the allocator while something is done.
fn counted(server: &Server, out: &Path, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<(u64, u64)> {
    order(server, &["--instr=on"])?;
    work()?;
    order(server, &["--instr=off"])?;
    let known = dumps(out)?;
    order(server, &["--dump"])?;
    let dump = dumps(out)?.into_iter().find(|path| !known.contains(path)).context("valgrind wrote no counts")?;
    read(&dump)
}

fn order(server: &Server, words: &[&str]) -> anyhow::Result<()> {
    let control = find("callgrind_control").context("callgrind_control comes with valgrind")?;
    let pid = server.pids.first().context("a server has a process")?.to_string();
    let status = Command::new(control).args(words).arg(pid).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    if !status.success() {
        bail!("callgrind_control {} ended with {status}", words.join(" "));
    }
    Ok(())
}

fn dumps(out: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let folder = out.parent().context("a file stands in a folder")?;
    let name = out.file_name().and_then(|name| name.to_str()).context("a name")?.to_owned();
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.file_name().and_then(|file| file.to_str()).is_some_and(|file| file.starts_with(&name)) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Instructions in all, and calls of the allocator, in a file of callgrind's.
fn read(path: &Path) -> anyhow::Result<(u64, u64)> {
    let text = fs::read_to_string(path)?;
    let mut total = 0;
    let mut calls = 0;
    // Names are written out once, `cfn=(12) malloc`, and by number from then on.
    let mut allocators = Vec::new();
    let mut called: Option<&str> = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("totals:") {
            // The line `summary:` counts from where a thread stood, which is not always known.
            total = rest.trim().parse()?;
        } else if let Some(rest) = line.strip_prefix("cfn=").or_else(|| line.strip_prefix("fn=")) {
            let (number, name) = rest.split_once(' ').unwrap_or((rest, ""));
            if ALLOCATORS.contains(&name) {
                allocators.push(number);
            }
            called = line.starts_with('c').then_some(number);
        } else if let Some(rest) = line.strip_prefix("calls=")
            && called.is_some_and(|number| allocators.contains(&number))
        {
            calls += rest.split_whitespace().next().and_then(|count| count.parse::<u64>().ok()).unwrap_or(0);
        }
    }
    Ok((total, calls))
}
