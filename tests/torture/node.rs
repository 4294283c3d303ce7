//! A real wayshift in a place: a process, its folder, its API.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::{
    api::{self, Reply},
    member::tail,
    place::{Place, tied},
    wan::Site,
};

/// One node; killed when it is dropped.
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) site: Site,
    pub(crate) folder: PathBuf,
    /// Set for its next start.
    pub(crate) environment: Vec<(String, String)>,
    child: Option<Child>,
}

impl Node {
    pub(crate) fn new(name: &'static str, site: Site, folder: &Path, config: &str) -> Self {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        let node = Self { name, site, folder, environment: Vec::new(), child: None };
        node.write(config);
        node
    }

    /// Replaces its file, with doors, store and admin added; nothing is reloaded by that.
    pub(crate) fn write(&self, config: &str) {
        let (folder, address) = (self.folder.display(), self.site.address());
        let own = format!(
            "[dns]\nlisten = [\"{address}:53\"]\nthreads = 1\n[store]\npath = \"{folder}/store\"\n\
             [admin]\nlisten = [\"unix:{folder}/admin.sock\"]\n[telemetry]\nlog = {{ level = \"info\", format = \"json\" }}\n"
        );
        fs::write(self.folder.join("wayshift.toml"), format!("{own}{config}")).unwrap();
    }

    pub(crate) fn start(&mut self, place: &Place) {
        let log = fs::File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        let mut command = tied(env!("CARGO_BIN_EXE_wayshift"));
        command
            .args(["serve", "--config"])
            .arg(self.folder.join("wayshift.toml"))
            .env("XDG_RUNTIME_DIR", &self.folder)
            .envs(self.environment.clone())
            .env_remove("WAYSHIFT_CONFIG")
            .env_remove("WAYSHIFT_NODE")
            .env_remove("WAYSHIFT_REGION")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let child = place.run(move || command.spawn()).expect("setpriv is part of util-linux");
        self.child = Some(child);
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = (child.kill(), child.wait());
        }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("the node runs");
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
    }

    pub(crate) fn runs(&self) -> bool {
        self.child.is_some()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("admin.sock")
    }

    pub(crate) fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Reply> {
        api::ask(&self.socket(), method, path, &[], body)
    }

    /// A view; `None` while the node does not say.
    pub(crate) fn look(&self, path: &str) -> Option<Value> {
        self.ask("GET", path, None).ok().filter(|reply| reply.status == 200).map(|reply| reply.body)
    }

    /// All items of a list.
    pub(crate) fn list(&self, path: &str) -> Option<Vec<Value>> {
        self.look(path)?["items"].as_array().cloned()
    }

    /// How it decides.
    pub(crate) fn mode(&self) -> Option<String> {
        self.look("/v1/status")?["node"]["mode"].as_str().map(str::to_owned)
    }

    /// The overrides that it knows, by id.
    pub(crate) fn orders(&self) -> Option<Vec<String>> {
        let items = self.list("/v1/overrides?limit=1000")?;
        Some(items.iter().filter_map(|one| one["id"].as_str().map(str::to_owned)).collect())
    }

    pub(crate) fn log_text(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    pub(crate) fn log(&self) -> String {
        tail(&self.log_text(), 12)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Polls until `ready` gives a value; panics with `what` after `within`. How long it took is told as well.
pub(crate) fn until<T>(what: &str, within: Duration, mut ready: impl FnMut() -> Option<T>) -> (T, Duration) {
    let begun = Instant::now();
    loop {
        if let Some(value) = ready() {
            return (value, begun.elapsed());
        }
        assert!(begun.elapsed() < within, "waited {within:?} for: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
