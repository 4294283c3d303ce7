//! Debian's etcd, one member in each of three regions.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Stdio},
};

use nix::sys::signal::{Signal, kill};

use crate::{
    place::{Place, tied},
    seal::Seal,
    wan::Site,
};

/// One member; killed when it is dropped.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) site: Site,
    folder: PathBuf,
    /// All members as `name=peer URL`.
    cluster: String,
    token: String,
    /// Further arguments of the next start.
    pub(crate) more: Vec<String>,
    seal: Option<Seal>,
    child: Option<Child>,
}

impl Member {
    pub(crate) fn new(site: Site, all: &[Site], folder: PathBuf, seal: Option<Seal>) -> Self {
        let cluster: Vec<String> =
            all.iter().map(|site| format!("m{}=http://{}:2380", site.number, site.address())).collect();
        fs::create_dir_all(&folder).unwrap();
        Self {
            name: format!("m{}", site.number),
            site,
            folder,
            cluster: cluster.join(","),
            token: "first".into(),
            more: Vec::new(),
            seal,
            child: None,
        }
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.seal.is_some() { "https" } else { "http" };
        format!("{scheme}://{}:2379", self.site.address())
    }

    pub(crate) fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    pub(crate) fn runs(&self) -> bool {
        self.child.is_some()
    }

    pub(crate) fn start(&mut self, place: &Place) {
        let log = fs::File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        let (client, peer) = (self.url(), format!("http://{}:2380", self.site.address()));
        let mut command = tied("etcd");
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .args(["--name", &self.name, "--data-dir", &self.data(), "--logger", "zap", "--log-outputs", "stderr"])
            .args(["--pre-vote=true", "--heartbeat-interval", "200", "--election-timeout", "2000"])
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &self.cluster, "--initial-cluster-token", &self.token])
            .args(&self.more)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        if let Some(seal) = &self.seal {
            command.arg("--cert-file").arg(seal.certificate("server")).arg("--key-file").arg(seal.key("server"));
            command.arg("--trusted-ca-file").arg(seal.ca()).arg("--client-cert-auth");
        }
        let child = place.run(move || command.spawn()).expect("etcd and setpriv are installed by `make test`");
        self.child = Some(child);
    }

    /// kill -9; its data stay.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = (child.kill(), child.wait());
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("the member runs");
        kill(nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
    }

    /// Its data are gone; it does not run.
    pub(crate) fn wipe(&mut self, token: &str) {
        assert!(self.child.is_none(), "a running member is not wiped");
        let _ = fs::remove_dir_all(self.folder.join("data"));
        self.token = token.into();
    }

    /// Its data become those of a backup, in a cluster of its own name; it does not run.
    pub(crate) fn restore(&mut self, place: &Place, backup: &str, token: &str) {
        self.wipe(token);
        let (data, peer) = (self.data(), format!("http://{}:2380", self.site.address()));
        let own = ["--name", &self.name, "--data-dir", &data, "--initial-advertise-peer-urls", &peer];
        let all = ["--initial-cluster", &self.cluster, "--initial-cluster-token", token];
        place.command("etcdctl", &[&["snapshot", "restore", backup], &own[..], &all].concat()).unwrap();
    }

    /// The last lines of its log.
    pub(crate) fn log(&self) -> String {
        tail(&fs::read_to_string(self.folder.join("log")).unwrap_or_default(), 5)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The last lines of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<String> = text.lines().map(|line| line.chars().take(240).collect()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
