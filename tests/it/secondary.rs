//! Secondaries of other makes: NSD and Knot, as an operator at another provider would set them up.

#![allow(clippy::disallowed_methods, reason = "waiting at the outer edge is by the machine's clock")]

use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    process::{Child, Command, Stdio},
    time::Instant,
};

use crate::support::{PATIENCE, short};

/// The key they share with the node, and its secret.
pub(crate) const KEY: &str = "xfr";
pub(crate) const SECRET: &str = "SjVEOVNnTVJ4bWJ6cVVMYWtzM3ZnMTIzNDU2Nzg5MDA=";
/// The zone they have from it.
pub(crate) const ZONE: &str = "gslb.example.com";

/// Which program.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Make {
    Nsd,
    Knot,
}

/// One that serves [`ZONE`] until it is dropped.
pub(crate) struct Secondary {
    pub(crate) address: SocketAddr,
    child: Child,
    folder: tempfile::TempDir,
}

/// A port on which nobody listens: one that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Make {
    fn program(self) -> &'static str {
        match self {
            Self::Nsd => "nsd",
            Self::Knot => "knotd",
        }
    }

    /// What the page shows, with these primaries in the place of its own.
    fn shown(self, primaries: [SocketAddr; 2]) -> String {
        let file = match self {
            Self::Nsd => include_str!("../../deploy/secondary/nsd.conf"),
            Self::Knot => include_str!("../../deploy/secondary/knot.conf"),
        };
        let [first, second] = primaries.map(|at| format!("{}@{}", at.ip(), at.port()));
        let [first_ip, second_ip] = primaries.map(|at| at.ip().to_string());
        let fill = |line: &str| match ["request-xfr:", "address: 1", "address: 2"].iter().any(|at| line.contains(at)) {
            true => line.replace("192.0.2.53", &first).replace("203.0.113.53", &second),
            false => line.replace("192.0.2.53", &first_ip).replace("203.0.113.53", &second_ip),
        };
        let lines: Vec<String> = file.lines().map(fill).collect();
        lines.join("\n").replace("the content of xfr.key", SECRET) + "\n"
    }

    fn config(self, home: &str, port: u16, primaries: [SocketAddr; 2]) -> String {
        let shown = self.shown(primaries);
        match self {
            Self::Nsd => format!(
                "server:\n ip-address: 127.0.0.1@{port}\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n \
                 zonesdir: \"{home}\"\n database: \"\"\n xfrdfile: \"{home}/xfrd.state\"\n xfrdir: \"{home}\"\n \
                 zonelistfile: \"{home}/zone.list\"\n server-count: 1\n verbosity: 2\n\
                 remote-control:\n control-enable: no\n{shown}"
            ),
            Self::Knot => format!(
                "server:\n    listen: 127.0.0.1@{port}\n    rundir: {home}\n    udp-workers: 1\n    tcp-workers: 1\n    \
                 background-workers: 1\n\
                 log:\n  - target: stderr\n    any: info\ncontrol:\n    listen: {home}/knot.sock\n\
                 database:\n    storage: {home}\n    journal-db-max-size: 64M\n    timer-db-max-size: 2M\n    kasp-db-max-size: 5M\n\
                 template:\n  - id: default\n    storage: {home}\n{shown}"
            ),
        }
    }
}

impl Secondary {
    /// Starts it on this port, and waits until it serves. Its other primary is a machine that is off.
    pub(crate) fn start(make: Make, port: u16, primary: SocketAddr) -> Self {
        Self::start_with(make, port, [primary, ([127, 0, 0, 2], free_port()).into()])
    }

    /// The same with two primaries.
    pub(crate) fn start_with(make: Make, port: u16, primaries: [SocketAddr; 2]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().display().to_string();
        let config = folder.path().join("secondary.conf");
        fs::write(&config, make.config(&home, port, primaries)).unwrap();
        let program = make.program();
        let path = ["/usr/sbin", "/usr/bin"].map(|place| format!("{place}/{program}"));
        let found = path.iter().find(|path| fs::exists(path).unwrap_or(false));
        let mut command = Command::new(found.unwrap_or_else(|| panic!("{program} is installed by `make test`")));
        if let Make::Nsd = make {
            command.arg("-d");
        }
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = command.arg("-c").arg(&config).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = child.spawn().unwrap();
        let mut secondary = Self { address: ([127, 0, 0, 1], port).into(), child, folder };
        let begun = Instant::now();
        while secondary.serial().is_none() {
            let ended = secondary.child.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "{program}: {ended:?}\n{}", secondary.log());
        }
        secondary
    }

    /// The serial that it serves, if it serves.
    pub(crate) fn serial(&self) -> Option<u32> {
        serial(self.address)
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

/// The serial that a server answers.
pub(crate) fn serial(at: SocketAddr) -> Option<u32> {
    short(at, ZONE, "SOA").first()?.split(' ').nth(2)?.parse().ok()
}

impl Drop for Secondary {
    fn drop(&mut self) {
        // Asked to: NSD's children end with it then.
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        }
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- a secondary's log\n{}", self.log());
        }
    }
}
