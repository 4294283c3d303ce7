//! From a probe that fails to the first changed answer, with 100,000 steered names and 10,000 endpoints under load.
//!
//! The clock starts when the endpoint has told a probe that it is ill, or well again; what it takes until somebody
//! probes is the check's interval and no part of this. It stops with the first answer without it, or with it again.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::{
    endpoints::Endpoints,
    load::{Measured, Order},
    peers::wayshift_fleet::{self, FLIPPING, STANDING},
    process::cpu,
    rounds::{LOOPBACK, Present, generate},
    server::{Ground, Server, ask, pinned},
    settings::Settings,
    work::Set,
};

/// Turns in each direction.
const TURNS: usize = 12;
/// A turn is over by then: the probe comes every second, more seldom when the node says so.
const PATIENCE: Duration = Duration::from_secs(20);

/// A node that takes less of its core than this has settled.
const QUIET: f64 = 0.15;

/// What was seen.
pub struct Flips {
    /// From telling the probe to the changed answer.
    pub times: Vec<Duration>,
    /// The load beside it.
    pub load: Measured,
}

/// Turns one endpoint ill and well while the others are asked for.
pub fn run(
    settings: &Settings,
    ground: &mut Ground,
    present: &Present,
    endpoints: &Endpoints,
) -> anyhow::Result<Option<Flips>> {
    let Some((_, program)) = present.iter().find(|(peer, _)| peer.name == "wayshift") else { return Ok(None) };
    eprintln!("== from a failed probe to the changed answer");
    endpoints.turn(false);
    let place = ground.place(&wayshift_fleet::PEER, Set::Hundred)?;
    let server = Server::start(&wayshift_fleet::PEER, program, place, settings.server, &[])?;
    wait_for(&server, FLIPPING).context("the first answer")?;
    settle(&server);
    let order = Order {
        job: "fleet".into(),
        address: LOOPBACK.into(),
        port: server.place.port,
        pids: server.pids.clone(),
        core: settings.server,
        seconds: 2.0 * TURNS as f64 * 1.3,
        warm: 0.2,
        window: settings.window,
    };
    let generator = pinned(settings.generator, &std::env::current_exe()?)?;
    let (times, load) = std::thread::scope(|scope| {
        let load = scope.spawn(|| generate(generator, &order));
        let times = turn(&server, endpoints);
        let load = load.join().map_err(|_| anyhow::anyhow!("the load ended early"))?;
        anyhow::Ok((times?, load?))
    })?;
    Ok(Some(Flips { times, load }))
}

/// Waits until the first results of all endpoints are taken in and written out: they come at once, as later ones do not.
fn settle(server: &Server) {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let (before, from) = (cpu(&server.pids).total, Instant::now());
        std::thread::sleep(Duration::from_millis(500));
        if (cpu(&server.pids).total - before).as_secs_f64() < from.elapsed().as_secs_f64() * QUIET {
            return;
        }
    }
}

fn turn(server: &Server, endpoints: &Endpoints) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::new();
    for n in 0..TURNS * 2 {
        let ill = n % 2 == 0;
        endpoints.turn(ill);
        let changed = wait_for(server, if ill { STANDING } else { FLIPPING })?;
        // A probe that was not answered in time is a failure as well, of the machine's making; it is not counted.
        if let Some(told) = endpoints.told() {
            times.push(changed.saturating_duration_since(told));
        }
    }
    let each: Vec<String> = times.iter().map(|time| format!("{:.1}", time.as_secs_f64() * 1e3)).collect();
    eprintln!("   ms: {}", each.join(" "));
    if times.is_empty() {
        bail!("no probe was answered in time");
    }
    Ok(times)
}

/// Asks until the answer is so; when that was.
fn wait_for(server: &Server, address: Ipv4Addr) -> anyhow::Result<Instant> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if ask(server.place.port, wayshift_fleet::NAME).is_some_and(|(_, answer)| answer == Some(address)) {
            return Ok(Instant::now());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    bail!("the answer is not {address} after {PATIENCE:?}: {}", server.said())
}
