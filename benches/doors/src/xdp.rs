//! What AF_XDP would save: Knot, which has such a door, through sockets and through AF_XDP beside the echo and gdnsd
//! through sockets, all over pairs of virtual Ethernet interfaces between two network namespaces. `doors xdp`, as root.
//!
//! The namespaces belong to this program and go with it; nothing outside them can be reached.

use std::{
    env, fs,
    net::Ipv4Addr,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    load::{Measured, Order, PRIVATE},
    peers::{PEERS, Peer, Place, find},
    process::family,
    rounds::{Row, generate},
    server::{Ground, free_port, pinned},
    settings::Settings,
    work::Set,
};

/// A pair: the server's end and address, the generator's end and address.
struct Pair {
    interface: &'static str,
    server: Ipv4Addr,
    other: &'static str,
    client: Ipv4Addr,
}

const fn address(net: u8, node: u8) -> Ipv4Addr {
    Ipv4Addr::new(PRIVATE[0], PRIVATE[1], net, node)
}

/// For servers with sockets.
const PLAIN: Pair = Pair { interface: "doors-s", server: address(0, 1), other: "doors-g", client: address(0, 2) };
/// For the door with AF_XDP: its program sees every packet of the interface, and others would pay for that.
const XDP: Pair = Pair { interface: "doors-sx", server: address(1, 1), other: "doors-gx", client: address(1, 2) };
/// A server answers by then.
const PATIENCE: Duration = Duration::from_secs(5);

/// Two namespaces and the pairs between them.
struct Network {
    server: String,
    client: String,
}

impl Network {
    fn make() -> anyhow::Result<Self> {
        let [server, client] = names();
        let network = Self { server, client };
        let (s, g) = (network.server.as_str(), network.client.as_str());
        for name in [s, g] {
            ip(&["netns", "add", name])?;
            ip(&["-n", name, "link", "set", "lo", "up"])?;
        }
        for Pair { interface, server, other, client } in [PLAIN, XDP] {
            ip(&["-n", s, "link", "add", interface, "type", "veth", "peer", "name", other, "netns", g])?;
            for (name, interface, address) in [(s, interface, server), (g, other, client)] {
                ip(&["-n", name, "addr", "add", &format!("{address}/24"), "dev", interface])?;
                ip(&["-n", name, "link", "set", interface, "up"])?;
            }
        }
        Ok(network)
    }
}

/// The namespaces of this program.
fn names() -> [String; 2] {
    let pid = std::process::id();
    [format!("doors-s{pid}"), format!("doors-g{pid}")]
}

/// Takes the namespaces away, if there are any.
pub fn leave_nothing() {
    for name in names() {
        let _ = ip(&["netns", "del", &name]);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        leave_nothing();
    }
}

fn ip(words: &[&str]) -> anyhow::Result<()> {
    let output = Command::new("ip").args(words).output().context("ip, of iproute2")?;
    if !output.status.success() {
        bail!("ip {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// A server within its namespace.
struct Inside {
    name: &'static str,
    child: Child,
    address: Ipv4Addr,
    port: u16,
    log: std::path::PathBuf,
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The loads over the pair; a row for each server and round, its job the first of the list.
pub fn run(settings: &Settings, ground: &mut Ground) -> anyhow::Result<Vec<Row>> {
    let network = Network::make()?;
    let mut servers = Vec::new();
    for (name, base, is_xdp) in
        [("echo", "echo", false), ("gdnsd", "gdnsd", false), ("knot", "knot", false), ("knot, AF_XDP", "knot", true)]
    {
        let Some(peer) = PEERS.iter().find(|peer| peer.name == base) else { continue };
        match start(settings, ground, &network, name, peer, is_xdp) {
            Ok(server) => servers.push(server),
            Err(error) => eprintln!("   {name} is left out: {error:#}"),
        }
    }
    let mut rows = Vec::new();
    for round in 0..settings.rounds {
        for turn in 0..servers.len() {
            let server = &servers[(turn + round) % servers.len()];
            let measured = load(settings, &network, server)?;
            if measured.answered == 0 {
                bail!("{} answers nothing: {}", server.name, fs::read_to_string(&server.log).unwrap_or_default());
            }
            rows.push(Row { job: "1k", peer: server.name, round, measured });
        }
        eprint!("\r   round {} of {}   ", round + 1, settings.rounds);
    }
    eprintln!();
    Ok(rows)
}

fn start(
    settings: &Settings,
    ground: &mut Ground,
    network: &Network,
    name: &'static str,
    peer: &'static Peer,
    is_xdp: bool,
) -> anyhow::Result<Inside> {
    let program = peer.find().with_context(|| format!("{} is not here", peer.program))?;
    let Pair { interface, server: address, .. } = if is_xdp { XDP } else { PLAIN };
    let place = Place { port: free_port()?, ..ground.place(peer, Set::Thousand)? };
    fs::create_dir_all(&place.folder)?;
    let mut arguments = (peer.prepare)(&place)?;
    if !peer.answers {
        arguments.push(address.to_string());
    }
    rewrite(&place, address, is_xdp.then_some(interface))?;
    let log = place.folder.join("log");
    let file = fs::File::create(&log)?;
    let child = inside(settings.server, &network.server, &program)?
        .args(arguments)
        .current_dir(&place.folder)
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()?;
    let server = Inside { name, child, address, port: place.port, log };
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let short = Settings { seconds: 0.05, warm: 0.02, ..settings.clone() };
        if load(&short, network, &server).is_ok_and(|measured| measured.answered > 0) {
            return Ok(server);
        }
    }
    bail!("{}", fs::read_to_string(&server.log).unwrap_or_default())
}

/// What was written for loopback, for the namespace.
fn rewrite(place: &Place, address: Ipv4Addr, xdp: Option<&str>) -> anyhow::Result<()> {
    for name in ["cfg/config", "knot.conf"] {
        let path = place.folder.join(name);
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let text = text.replace("127.0.0.1", &address.to_string());
        let socket = format!("    listen: {address}@{}\n", place.port);
        let text = if let Some(interface) = xdp {
            let door = format!("xdp:\n    listen: {interface}@{}\n", place.port);
            format!("{door}{}", text.replace(&socket, ""))
        } else {
            text
        };
        fs::write(path, text)?;
    }
    Ok(())
}

/// A program on a core in a namespace.
fn inside(core: usize, namespace: &str, program: &Path) -> anyhow::Result<Command> {
    let ip = find("ip").context("ip, of iproute2")?;
    let mut command = pinned(core, &ip)?;
    command.args(["netns", "exec", namespace]).arg(program);
    Ok(command)
}

fn load(settings: &Settings, network: &Network, server: &Inside) -> anyhow::Result<Measured> {
    let order = Order {
        job: "1k".into(),
        address: server.address.to_string(),
        port: server.port,
        pids: family(server.child.id().cast_signed()),
        core: settings.server,
        seconds: settings.seconds,
        warm: settings.warm,
        window: settings.window,
    };
    generate(inside(settings.generator, &network.client, &env::current_exe()?)?, &order)
}
