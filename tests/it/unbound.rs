//! Debian's unbound as the resolver in front of a door.

#![allow(clippy::disallowed_methods, reason = "waiting at the outer edge is by the machine's clock")]

use std::{
    fs,
    net::{SocketAddr, UdpSocket},
    process::{Child, Command, Stdio},
    time::Instant,
};

use crate::support::{PATIENCE, short};

/// The zone it asks the door for.
pub(crate) const ZONE: &str = "gslb.example.com";

/// One that asks a door for [`ZONE`], until it is dropped.
pub(crate) struct Unbound {
    pub(crate) address: SocketAddr,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Unbound {
    /// Starts it; `lines` are settings of its `server` section.
    pub(crate) fn start(door: SocketAddr, lines: &str) -> Self {
        // A port cannot be handed over: one that was free a moment ago is tried, and another if it is gone.
        for _ in 0..5 {
            let folder = tempfile::tempdir().unwrap();
            let port = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let home = folder.path().display();
            let config = format!(
                "server:\n directory: \"{home}\"\n chroot: \"\"\n username: \"\"\n pidfile: \"\"\n interface: 127.0.0.1@{port}\n do-daemonize: no\n use-syslog: no\n do-not-query-localhost: no\n num-threads: 1\n local-zone: \"{ZONE}.\" nodefault\n {lines}\nremote-control:\n control-enable: no\nstub-zone:\n name: \"{ZONE}\"\n stub-addr: {}@{}\n",
                door.ip(),
                door.port()
            );
            fs::write(folder.path().join("unbound.conf"), config).unwrap();
            let program =
                ["/usr/sbin/unbound", "/usr/bin/unbound"].into_iter().find(|p| fs::exists(p).unwrap_or(false));
            let child = Command::new(program.expect("unbound is installed by `make test`"))
                .args(["-d", "-p", "-c"])
                .arg(folder.path().join("unbound.conf"))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut resolver = Self { address: ([127, 0, 0, 1], port).into(), child, _folder: folder };
            let begun = Instant::now();
            while begun.elapsed() < PATIENCE / 6 && resolver.child.try_wait().unwrap().is_none() {
                if !short(resolver.address, ZONE, "SOA").is_empty() {
                    return resolver;
                }
            }
        }
        panic!("no unbound came up");
    }
}

impl Drop for Unbound {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
