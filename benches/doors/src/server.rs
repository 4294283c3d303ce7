//! A server that runs: on the server's core, in a session of its own with a high share of it, and stopped with this
//! program however that ends.

use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener, UdpSocket},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    sys::signal::{SigSet, Signal, kill},
    unistd::{Pid, setsid},
};

use crate::{
    peers::{Peer, Place},
    process::family,
    work::{Set, query},
};

/// A server has answered by then, or does not come up: the slowest takes 4 s for 100,000 names, 50 times that when it
/// is interpreted by valgrind.
const PATIENCE: Duration = Duration::from_secs(120);

/// Runs a program pinned to a core: `doors on CORE PROGRAM ...`. It dies with the process that started it.
pub fn on(mut words: impl Iterator<Item = String>) -> anyhow::Result<()> {
    let core = words.next().context("a core")?.parse()?;
    let program = words.next().context("a program")?;
    nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?;
    SigSet::all().thread_unblock()?;
    pin(core)?;
    // A session has a share of its own of the processor; without the right to raise it there is more noise.
    let _ = setsid();
    let _ = fs::write("/proc/self/autogroup", "-20");
    Err(Command::new(&program).args(words).exec()).with_context(|| format!("starting {program}"))
}

/// Binds this thread, and what it starts, to a core.
pub fn pin(core: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(core)?;
    sched_setaffinity(Pid::from_raw(0), &set).with_context(|| format!("no core {core} to run on"))
}

/// [`on`] as a command.
pub fn pinned(core: usize, program: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("on").arg(core.to_string()).arg(program);
    Ok(command)
}

/// A port that is free for UDP and TCP, above 10000 as ports that the kernel gives are.
pub fn free_port() -> anyhow::Result<u16> {
    for _ in 0..100 {
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = udp.local_addr()?.port();
        if port > 10_000 && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free for both UDP and TCP")
}

/// A server, until it is dropped.
pub struct Server {
    /// Its kind.
    pub peer: &'static Peer,
    /// What it was given.
    pub place: Place,
    /// Its program.
    pub program: PathBuf,
    /// All of its processes.
    pub pids: Vec<i32>,
    /// From its start to its first answer about its last name.
    pub start: Duration,
    child: Child,
}

impl Server {
    /// Starts it and waits for its first answer. `through` stands before the program: valgrind does.
    pub fn start(
        peer: &'static Peer,
        program: &Path,
        place: Place,
        core: usize,
        through: &[String],
    ) -> anyhow::Result<Self> {
        fs::create_dir_all(&place.folder)?;
        let arguments = (peer.prepare)(&place).with_context(|| format!("writing what {} needs", peer.name))?;
        let log = fs::File::create(place.folder.join("log"))?;
        let mut command = match through.split_first() {
            None => pinned(core, program)?,
            Some((first, rest)) => {
                let mut command = pinned(core, Path::new(first))?;
                command.args(rest).arg(program);
                command
            }
        };
        command.args(arguments).current_dir(&place.folder);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let begun = Instant::now();
        let child = command.spawn().with_context(|| format!("starting {}", peer.name))?;
        let mut server =
            Self { peer, program: program.to_owned(), place, pids: Vec::new(), start: Duration::ZERO, child };
        server.wait(begun)?;
        server.start = begun.elapsed();
        server.pids = family(server.child.id().cast_signed());
        Ok(server)
    }

    fn wait(&mut self, begun: Instant) -> anyhow::Result<()> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect((Ipv4Addr::LOCALHOST, self.place.port))?;
        socket.set_read_timeout(Some(Duration::from_millis(5)))?;
        let query = query(&self.place.set.last());
        while begun.elapsed() < PATIENCE {
            let mut reply = [0; 2_048];
            if socket.send(&query).is_ok() {
                match socket.recv(&mut reply) {
                    Ok(_) if !self.peer.answers || (reply[3] & 15 == 0 && reply[7] > 0) => return Ok(()),
                    // It lives and does not know its names yet, or is not there yet: a refusal comes at once.
                    _ => std::thread::sleep(Duration::from_millis(2)),
                }
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended ({status}): {}", self.peer.name, self.said());
            }
        }
        bail!("{} does not answer after {PATIENCE:?}: {}", self.peer.name, self.said())
    }

    /// The end of its log.
    pub fn said(&self) -> String {
        let log = fs::read_to_string(self.place.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(3)..].join(" / ")
    }

    /// One A query; RCODE, and the first address.
    pub fn ask(&self, label: &str) -> Option<(u8, Option<Ipv4Addr>)> {
        ask(self.place.port, label)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = self.child.id().cast_signed();
        let all = family(pid);
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        for pid in all {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

/// One A query of a server on loopback, tried for 200 ms.
pub fn ask(port: u16, label: &str) -> Option<(u8, Option<Ipv4Addr>)> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    socket.connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    socket.set_read_timeout(Some(Duration::from_millis(200))).ok()?;
    let query = query(label);
    socket.send(&query).ok()?;
    let mut reply = [0; 2_048];
    let length = socket.recv(&mut reply).ok()?;
    let reply = &reply[..length];
    // The owner is a pointer to the question, so the address of the first record lies 12 octets behind it.
    let address = reply.get(query.len() + 12..query.len() + 16).and_then(|octets| octets.try_into().ok());
    let has = reply.get(7).is_some_and(|count| *count > 0);
    Some((reply.get(3)? & 15, address.filter(|_| has).map(|octets: [u8; 4]| Ipv4Addr::from(octets))))
}

/// Folders and ports of servers, under one that goes with this program.
pub struct Ground {
    folder: PathBuf,
    made: usize,
    /// Where the endpoints listen.
    pub web: u16,
}

impl Ground {
    /// A new one. Comes before any other thread is started: signals end this program through one of its own, which
    /// takes the folder with it.
    pub fn new() -> anyhow::Result<Self> {
        let folder = env::temp_dir().join(format!("doors-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| format!("making {}", folder.display()))?;
        leave_nothing(folder.clone())?;
        Ok(Self { folder, made: 0, web: 0 })
    }

    /// Where all of it lies.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// A place for a server.
    pub fn place(&mut self, peer: &Peer, set: Set) -> anyhow::Result<Place> {
        self.made += 1;
        let folder = self.folder.join(format!("{}-{}", peer.name, self.made));
        Ok(Place { folder, set, port: free_port()?, control: free_port()?, web: self.web })
    }
}

/// When this program is told to end; its servers get the signal of its death.
fn leave_nothing(folder: PathBuf) -> anyhow::Result<()> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        signals.add(signal);
    }
    signals.thread_block()?;
    std::thread::spawn(move || {
        let _ = signals.wait();
        crate::xdp::leave_nothing();
        // A server that ends politely writes its state into it once more, and one may just be starting.
        let own = std::process::id().cast_signed();
        for _ in 0..100 {
            for pid in family(own).into_iter().filter(|pid| *pid != own) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            if fs::remove_dir_all(&folder).is_ok() {
                break;
            }
        }
        std::process::exit(130)
    });
    Ok(())
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
