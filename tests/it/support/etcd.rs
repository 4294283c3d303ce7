//! A real etcd of the test's own, and a wire to it that can be cut.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::watch,
    task::JoinSet,
};

use super::{PATIENCE, eventually};

/// One member, in a folder of its own; killed when it is dropped.
pub(crate) struct Server {
    folder: tempfile::TempDir,
    child: Child,
    client: SocketAddr,
    peer: SocketAddr,
    tls: Option<Certificates>,
}

/// Files of a server that speaks TLS and asks for certificates.
#[derive(Clone)]
pub(crate) struct Certificates {
    pub(crate) ca: std::path::PathBuf,
    pub(crate) cert: std::path::PathBuf,
    pub(crate) key: std::path::PathBuf,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(None)
    }

    pub(crate) fn with(tls: Option<Certificates>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Another process may take a port between our look and etcd's: then others are tried.
        let (mut child, mut client, mut peer);
        let mut tries = 0;
        loop {
            (client, peer) = (free(), free());
            child = spawn(folder.path(), client, peer, tls.as_ref());
            if comes_up(&mut child, client) {
                break;
            }
            let _ = (child.kill(), child.wait());
            tries += 1;
            assert!(tries < 5, "etcd does not start:\n{}", log(folder.path()));
            fs::remove_dir_all(folder.path().join("data")).unwrap_or_default();
        }
        Self { folder, child, client, peer, tls }
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.client)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.client
    }

    /// kill -9; its data stay.
    pub(crate) fn kill(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }

    /// On its old addresses, with what is in its folder.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.folder.path(), self.client, self.peer, self.tls.as_ref());
        let up = comes_up(&mut self.child, self.client);
        assert!(up, "etcd does not start again:\n{}", log(self.folder.path()));
    }

    /// A copy of its data; it is not running meanwhile.
    pub(crate) fn backup(&mut self) {
        self.kill();
        copy(&self.folder.path().join("data"), &self.folder.path().join("backup"));
        self.start_again();
    }

    /// Starts with the copy in place of what happened since.
    pub(crate) fn restore(&mut self) {
        self.wipe_while(|folder| copy(&folder.join("backup"), &folder.join("data")));
    }

    /// Starts with nothing.
    pub(crate) fn wipe(&mut self) {
        self.wipe_while(|_| {});
    }

    fn wipe_while(&mut self, then: impl FnOnce(&Path)) {
        self.kill();
        fs::remove_dir_all(self.folder.path().join("data")).unwrap();
        then(self.folder.path());
        self.start_again();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- etcd's log\n{}", log(self.folder.path()));
        }
    }
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn spawn(folder: &Path, client: SocketAddr, peer: SocketAddr, tls: Option<&Certificates>) -> Child {
    let out = fs::File::create(folder.join("log")).unwrap();
    let (scheme, peer) = (if tls.is_some() { "https" } else { "http" }, format!("http://{peer}"));
    let client = format!("{scheme}://{client}");
    let mut command = Command::new("etcd");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .args(["--name", "m", "--logger", "zap", "--log-outputs", "stderr", "--pre-vote=true"])
        .args(["--data-dir", folder.join("data").to_str().unwrap()])
        .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
        .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
        .args(["--initial-cluster", &format!("m={peer}")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(out);
    if let Some(tls) = tls {
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        command.args(["--cert-file", &path(&tls.cert), "--key-file", &path(&tls.key)]);
        command.args(["--trusted-ca-file", &path(&tls.ca), "--client-cert-auth"]);
    }
    command.spawn().expect("these tests need etcd: Debian's package is etcd-server, and `make test` installs it")
}

/// Whether it listens; it does once it has a leader.
fn comes_up(child: &mut Child, client: SocketAddr) -> bool {
    eventually("etcd to listen or to end", || {
        if child.try_wait().unwrap().is_some() {
            return Some(false);
        }
        TcpStream::connect(client).is_ok().then_some(true)
    })
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// What the wire does with octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Whole,
    /// What is asked arrives, what is answered does not.
    Swallows,
    /// Connections end, and new ones end at once.
    Cut,
}

/// A TCP relay to a server.
pub(crate) struct Relay {
    address: SocketAddr,
    wire: watch::Sender<Wire>,
    live: watch::Sender<usize>,
    _tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Relay {
    pub(crate) async fn to(server: SocketAddr) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (wire, seen) = watch::channel(Wire::Whole);
        let live = watch::Sender::new(0);
        let counted = live.clone();
        let tasks = Arc::new(Mutex::new(JoinSet::new()));
        let within = Arc::downgrade(&tasks);
        tasks.lock().unwrap().spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let (seen, Some(tasks)) = (seen.clone(), within.upgrade()) else { return };
                let mut tasks = tasks.lock().unwrap_or_else(PoisonError::into_inner);
                let counted = counted.clone();
                counted.send_modify(|live| *live += 1);
                tasks.spawn(async move {
                    if let Ok(far) = tokio::net::TcpStream::connect(server).await {
                        relay(near, far, seen).await;
                    }
                    counted.send_modify(|live| *live -= 1);
                });
            }
        });
        Self { address, wire, live, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn set(&self, wire: Wire) {
        self.wire.send_replace(wire);
    }

    /// Ends every connection that there is, and takes new ones again.
    pub(crate) async fn end_all(&self) {
        self.set(Wire::Cut);
        self.live.subscribe().wait_for(|live| *live == 0).await.unwrap();
        self.set(Wire::Whole);
    }
}

async fn relay(near: tokio::net::TcpStream, far: tokio::net::TcpStream, mut wire: watch::Receiver<Wire>) {
    let ((mut asked, mut to_near), (mut answered, mut to_far)) = (near.into_split(), far.into_split());
    let mut cut = wire.clone();
    let there = async move {
        let mut octets = [0; 16 * 1024];
        while let Ok(read @ 1..) = asked.read(&mut octets).await {
            if to_far.write_all(&octets[..read]).await.is_err() {
                return;
            }
        }
    };
    let back = async move {
        let mut octets = [0; 16 * 1024];
        while let Ok(read @ 1..) = answered.read(&mut octets).await {
            // What was swallowed once is gone, and what follows would make no sense.
            if wire.wait_for(|wire| *wire != Wire::Swallows).await.is_err()
                || to_near.write_all(&octets[..read]).await.is_err()
            {
                return;
            }
        }
    };
    tokio::select! {
        () = there => {}
        () = back => {}
        _ = cut.wait_for(|wire| *wire == Wire::Cut) => {}
    }
}

/// Polls an asynchronous condition, at this outer edge only.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ready: impl FnMut() -> F) -> T {
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Some(value) = ready().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("waited {PATIENCE:?} for: {what}"))
}
