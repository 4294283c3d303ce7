//! What happens once: start, memory, and reading a changed zone anew under load, with 100,000 names.

use std::{
    fs,
    net::Ipv4Addr,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::{
    load::{Measured, Order},
    peers::{Peer, find, wayshift_fleet},
    process::{cpu, resident},
    rounds::{LOOPBACK, Present, generate},
    server::{Ground, Server, pinned},
    settings::Settings,
    work::{Set, address, zone_file},
};

/// Each is done so often; medians are told.
const TRIALS: usize = 3;
/// A zone is read anew by then.
const PATIENCE: Duration = Duration::from_secs(60);
/// The address that the last name has after the change.
const CHANGED: Ipv4Addr = Ipv4Addr::new(10, 255, 255, 1);

/// One start, and one reload.
pub struct Once {
    /// Of whom.
    pub peer: &'static str,
    /// From the start to the first answer about the last name.
    pub start: Duration,
    /// Processor time until then.
    pub work: Duration,
    /// Resident then, KiB.
    pub resident: u64,
    /// From the order to the first changed answer, and the load beside it.
    pub reload: Option<(Duration, Measured)>,
    /// Resident after it, KiB.
    pub after: u64,
}

/// Starts and reloads all of them, in turn.
pub fn run(settings: &Settings, ground: &mut Ground, present: &Present) -> anyhow::Result<Vec<Once>> {
    eprintln!("== start and reload, {}", Set::Hundred.title());
    let mut all = Vec::new();
    for trial in 0..TRIALS {
        for (peer, program) in present.iter().filter(|(peer, _)| peer.answers) {
            match once(settings, ground, peer, program) {
                Ok(once) => all.push(once),
                Err(error) => eprintln!("   {} is left out: {error:#}", peer.name),
            }
        }
        eprint!("\r   trial {} of {TRIALS}   ", trial + 1);
    }
    eprintln!();
    Ok(all)
}

fn once(settings: &Settings, ground: &mut Ground, peer: &'static Peer, program: &Path) -> anyhow::Result<Once> {
    let place = ground.place(peer, Set::Hundred)?;
    let server = Server::start(peer, program, place, settings.server, &[])?;
    let (work, held) = (cpu(&server.pids).ticked(), resident(&server.pids));
    let order = Order {
        job: "reload".into(),
        address: LOOPBACK.into(),
        port: server.place.port,
        pids: server.pids.clone(),
        core: settings.server,
        seconds: 3.0,
        warm: 0.2,
        window: settings.window,
    };
    let (reload, load) = std::thread::scope(|scope| {
        let generator = pinned(settings.generator, &std::env::current_exe()?)?;
        let load = scope.spawn(|| generate(generator, &order));
        std::thread::sleep(Duration::from_millis(800));
        let reload = reload(&server);
        let load = load.join().map_err(|_| anyhow::anyhow!("the load ended early"))??;
        anyhow::Ok((reload, load))
    })?;
    let reload = match reload {
        Ok(took) => Some((took, load)),
        Err(error) => {
            eprintln!("   {}: {error:#}", peer.name);
            None
        }
    };
    let after = resident(&server.pids);
    Ok(Once { peer: peer.name, start: server.start, work, resident: held, reload, after })
}

/// Changes the last name in the zone's file, orders the server to read it, and waits for the new answer.
fn reload(server: &Server) -> anyhow::Result<Duration> {
    let last = Set::Hundred.names() - 1;
    let label = Set::Hundred.last();
    let text = zone_file(Set::Hundred, 2);
    let old = format!("{label} 300 IN A {}\n", address(last, 0));
    let lines = text.find(&old).context("the last name is in the zone")?;
    let text = format!("{}{label} 300 IN A {CHANGED}\n", &text[..lines]);
    let file = server.place.folder.join(server.peer.zone);
    let new = file.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(&new, &file)?;
    let begun = Instant::now();
    for words in (server.peer.reload)(&server.place) {
        let (program, arguments) = words.split_first().context("a program")?;
        let program = if *program == server.peer.program {
            server.program.clone()
        } else {
            find(program).with_context(|| format!("{program} is not here"))?
        };
        let order = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        // Whether it worked is seen by the answers; some wait until it has, some do not.
        let mut order = order.context("ordering the reload")?;
        let until = |order: &mut std::process::Child| order.try_wait().is_ok_and(|status| status.is_some());
        while !until(&mut order) {
            if server.ask(&label).is_some_and(|(_, address)| address == Some(CHANGED)) {
                let took = begun.elapsed();
                let _ = order.wait();
                return Ok(took);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    while begun.elapsed() < PATIENCE {
        if server.ask(&label).is_some_and(|(_, address)| address == Some(CHANGED)) {
            return Ok(begun.elapsed());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    bail!("the changed zone is not served after {PATIENCE:?}: {}", server.said())
}

/// What our own takes with 100,000 steered names and 10,000 endpoints.
pub fn fleet(settings: &Settings, ground: &mut Ground, present: &Present) -> anyhow::Result<Option<Once>> {
    let Some((_, program)) = present.iter().find(|(peer, _)| peer.name == "wayshift") else { return Ok(None) };
    let place = ground.place(&wayshift_fleet::PEER, Set::Hundred)?;
    let server = Server::start(&wayshift_fleet::PEER, program, place, settings.server, &[])?;
    let (work, held) = (cpu(&server.pids).ticked(), resident(&server.pids));
    Ok(Some(Once {
        peer: wayshift_fleet::PEER.name,
        start: server.start,
        work,
        resident: held,
        reload: None,
        after: held,
    }))
}
