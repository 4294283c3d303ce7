//! `make bench`: wayshift's doors beside other servers on this machine, in one run.
//!
//! Builds the release, starts the servers that are installed one after the other on one core and loads them from
//! another, in interleaved rounds; nothing listens beyond loopback, nothing is installed, and everything that was started
//! ends with it. `benches/README.md` tells how to read the tables.

mod chance;
mod endpoints;
mod flip;
mod instructions;
mod load;
mod machine;
mod once;
mod peers;
mod process;
mod report;
mod rounds;
mod server;
mod settings;
mod words;
mod work;
mod xdp;

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, bail};

use self::{
    endpoints::Endpoints,
    peers::{Peer, find},
    report::Report,
    rounds::Present,
    server::Ground,
    settings::{Part, Settings},
};

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let done = match words.next().as_deref() {
        None => all(),
        Some("gate") => gate(),
        Some("on") => server::on(words),
        Some("load") => load::main(),
        Some("echo") => echo(words),
        Some("xdp") => xdp(),
        Some(other) => {
            Err(anyhow::anyhow!("`{other}` is no part of it; the settings are variables, see benches/README.md"))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("doors: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn all() -> anyhow::Result<()> {
    let settings = Settings::from_env()?;
    let cores = std::thread::available_parallelism()?.get();
    if cores < 2 {
        bail!("it takes two cores, one for the server and one for the generator");
    }
    let endpoints = Endpoints::start()?;
    let mut ground = Ground::new(endpoints.port)?;
    let present = present(&settings, ground.path())?;
    let mut report = Report::new(&settings, &present);
    if settings.parts.contains(&Part::Loads) {
        let rows = rounds::run(&settings, &mut ground, &present)?;
        report.loads(&settings, &rows);
        if let Some(path) = &settings.results {
            let row = |row: &rounds::Row| {
                format!("job {}\npeer {}\nround {}\n{}\n", row.job, row.peer, row.round, row.measured.to_lines())
            };
            fs::write(path.with_extension("rows"), rows.iter().map(row).collect::<String>())?;
        }
    }
    if settings.parts.contains(&Part::Start) {
        let mut all = once::run(&settings, &mut ground, &present)?;
        all.extend(once::fleet(&settings, &mut ground, &present)?);
        report.once(&all);
    }
    if settings.parts.contains(&Part::Flip)
        && let Some(flips) = flip::run(&settings, &mut ground, &present, &endpoints)?
    {
        report.flips(&flips);
    }
    if settings.parts.contains(&Part::Instructions) {
        report.counts(&instructions::run(&settings, &mut ground, &present, false)?);
    }
    report.promises();
    print!("{}", report.text);
    if let Some(path) = &settings.results {
        fs::write(path, &report.text).with_context(|| format!("writing {}", path.display()))?;
        eprintln!("the tables are in {}", path.display());
    }
    Ok(())
}

/// The floor, at a port and an address, which is loopback unless it is told.
fn echo(mut words: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let port = words.next().context("a port")?.parse()?;
    let address = words.next().map_or(Ok(Ipv4Addr::LOCALHOST), |word| word.parse())?;
    peers::echo_serve(address, port)
}

/// What AF_XDP would save.
fn xdp() -> anyhow::Result<()> {
    let settings = Settings::from_env()?;
    let mut ground = Ground::new(0)?;
    let rows = xdp::run(&settings, &mut ground)?;
    println!("{}\n\n{}", machine::describe(), report::xdp(&rows));
    Ok(())
}

/// Counts our own instructions alone and fails above what is allowed.
fn gate() -> anyhow::Result<()> {
    let settings = Settings {
        peers: peers::PEERS.iter().filter(|peer| peer.name == "wayshift").collect(),
        ..Settings::from_env()?
    };
    let endpoints = Endpoints::start()?;
    let mut ground = Ground::new(endpoints.port)?;
    let present = present(&settings, ground.path())?;
    let counts = instructions::run(&settings, &mut ground, &present, true)?;
    let mut above = Vec::new();
    for count in &counts {
        let most = instructions::GATE.iter().find(|(job, _)| *job == count.job).map_or(u64::MAX, |(_, most)| *most);
        println!(
            "{}: {:.0} instructions per query, at most {most}; {:.3} allocations",
            count.job, count.instructions, count.allocations
        );
        if count.instructions > most as f64 {
            above.push(count.job);
        }
    }
    if !above.is_empty() {
        bail!("too many instructions per query: {}", above.join(", "));
    }
    Ok(())
}

/// Those that are there; says how the others would come.
fn present(settings: &Settings, ground: &Path) -> anyhow::Result<Present> {
    let mut present = Present::new();
    let mut missing: Vec<&Peer> = Vec::new();
    for peer in settings.peers.iter().copied() {
        let program = if peer.name == "wayshift" { Some(wayshift(settings, ground)?) } else { peer.find() };
        match program {
            Some(program) => present.push((peer, program)),
            None => missing.push(peer),
        }
    }
    for peer in missing {
        eprintln!(
            "{} is not here; Debian has it: apt-get install --no-install-recommends {}",
            peer.name, peer.packages
        );
    }
    Ok(present)
}

/// The release, built now unless one is named; a copy, which a later build does not touch.
fn wayshift(settings: &Settings, ground: &Path) -> anyhow::Result<PathBuf> {
    let built = match &settings.wayshift {
        Some(path) => path.clone(),
        None => {
            let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).context("the project's folder")?;
            let cargo = find("cargo").context("cargo, to build wayshift")?;
            let status = Command::new(cargo)
                .args(["build", "--release", "--locked", "--bin", "wayshift"])
                .current_dir(root)
                .status()?;
            if !status.success() {
                bail!("wayshift does not build");
            }
            let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
            target.join("release/wayshift")
        }
    };
    let copy = ground.join("wayshift");
    fs::copy(&built, &copy).with_context(|| format!("{} is not there", built.display()))?;
    Ok(copy)
}
