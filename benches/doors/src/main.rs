//! `make bench`: wayshift's doors beside other servers on this machine, in one run.
//!
//! Builds the release, starts the servers that are installed one after the other on one core and loads them from
//! another, in interleaved rounds; nothing listens beyond loopback, nothing is installed, and everything that was started
//! ends with it. `benches/README.md` tells how to read the tables.

#![allow(clippy::disallowed_methods, reason = "what is measured is the machine's time")]

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
    let mut ground = Ground::new()?;
    let endpoints = Endpoints::start()?;
    ground.web = endpoints.port;
    let present = present(&settings, ground.path())?;
    let mut report = Report::new(&settings, &present);
    let mut left = Vec::new();
    for part in &settings.parts {
        // What one part cannot do does not take the tables of the others.
        if let Err(error) = measure(*part, &settings, &mut ground, &present, &endpoints, &mut report) {
            eprintln!("doors: {part:?}: {error:#}");
            left.push(format!("{part:?}: {error:#}"));
        }
    }
    report.promises();
    print!("{}", report.text);
    if let Some(path) = &settings.results {
        fs::write(path, &report.text).with_context(|| format!("writing {}", path.display()))?;
        eprintln!("the tables are in {}", path.display());
    }
    record(&settings, "results", &report.text)?;
    if left.is_empty() { Ok(()) } else { bail!("not all was measured: {}", left.join("; ")) }
}

fn measure(
    part: Part,
    settings: &Settings,
    ground: &mut Ground,
    present: &Present,
    endpoints: &Endpoints,
    report: &mut Report,
) -> anyhow::Result<()> {
    match part {
        Part::Loads => {
            let rows = rounds::run(settings, ground, present)?;
            report.loads(settings, &rows);
            if let Some(path) = &settings.results {
                let row = |row: &rounds::Row| {
                    format!("job {}\npeer {}\nround {}\n{}\n", row.job, row.peer, row.round, row.measured.to_lines())
                };
                fs::write(path.with_extension("rows"), rows.iter().map(row).collect::<String>())?;
            }
        }
        Part::Start => {
            let mut all = once::run(settings, ground, present)?;
            all.extend(once::fleet(settings, ground, present)?);
            report.once(&all);
        }
        Part::Flip => {
            if let Some(flips) = flip::run(settings, ground, present, endpoints)? {
                report.flips(&flips);
            }
        }
        Part::Instructions => report.counts(&instructions::run(settings, ground, present, false)?),
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
    let mut ground = Ground::new()?;
    let rows = xdp::run(&settings, &mut ground)?;
    let text = format!("{}\n\n{}", machine::describe(), report::xdp(&rows));
    println!("{text}");
    record(&settings, "xdp", &text)
}

/// Puts tables in place of the former ones on a page, between `<!-- NAME -->` and `<!-- end of NAME -->`.
fn record(settings: &Settings, name: &str, text: &str) -> anyhow::Result<()> {
    let Some(path) = &settings.record else { return Ok(()) };
    let page = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) =
        page.split_once(&begin).with_context(|| format!("{} has no `{}`", path.display(), begin.trim()))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("{} has no `{end}`", path.display()))?;
    fs::write(path, format!("{before}{begin}\n{}\n\n{end}{after}", text.trim()))?;
    Ok(())
}

/// Counts our own instructions alone and fails above what is allowed.
fn gate() -> anyhow::Result<()> {
    let mut settings = Settings {
        peers: peers::PEERS.iter().filter(|peer| peer.name == "wayshift").collect(),
        ..Settings::from_env()?
    };
    // What is counted is the same beside the generator as on a core of its own.
    if std::thread::available_parallelism()?.get() < 2 {
        settings.generator = settings.server;
    }
    let mut ground = Ground::new()?;
    let endpoints = Endpoints::start()?;
    ground.web = endpoints.port;
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
            let mut build = Command::new(cargo);
            build.args(["build", "--release", "--locked", "--bin", "wayshift"]).current_dir(root);
            // `cargo run` has told us about our own package, and some build scripts ask for that of theirs: ring, and
            // half of all crates behind it, would be built anew each time.
            let told = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
            for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(told)) {
                build.env_remove(name);
            }
            let status = build.status()?;
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
