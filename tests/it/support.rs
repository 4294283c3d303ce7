//! What the black-box tests stand on: a real node process, real endpoints, real clients. Waits are for conditions,
//! with a bound at this outer edge only.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::disallowed_methods, reason = "waiting at the outer edge is by the machine's clock")]

#[cfg(feature = "etcd")]
pub(crate) mod etcd;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Nothing that is waited for takes longer, however slow the machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Polls until `ready` gives a value; panics with `what` after [`PATIENCE`].
pub(crate) fn eventually<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// An HTTP endpoint that can be killed and revived on its address.
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    shared: Arc<EndpointState>,
}

struct EndpointState {
    alive: AtomicBool,
    status: AtomicU16,
    body: Mutex<String>,
    requests: AtomicUsize,
    ended: AtomicBool,
}

impl Endpoint {
    /// Serves `200 ok` on a free port of `ip`.
    pub(crate) fn start(ip: &str) -> Self {
        let ip: IpAddr = ip.parse().unwrap();
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(EndpointState {
            alive: AtomicBool::new(true),
            status: AtomicU16::new(200),
            body: Mutex::new("ok".into()),
            requests: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        });
        let state = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if state.ended.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                // A dead endpoint resets: the port stays ours, so that no other test can take it.
                if !state.alive.load(Ordering::SeqCst) {
                    let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
                    continue;
                }
                let state = Arc::clone(&state);
                thread::spawn(move || state.answer(stream));
            }
        });
        Self { address, shared }
    }

    pub(crate) fn kill(&self) {
        self.shared.alive.store(false, Ordering::SeqCst);
    }

    pub(crate) fn revive(&self) {
        self.shared.alive.store(true, Ordering::SeqCst);
    }

    pub(crate) fn answer_with(&self, status: u16) {
        self.shared.status.store(status, Ordering::SeqCst);
    }

    /// The body of its answers from now on.
    pub(crate) fn say(&self, body: &str) {
        *self.shared.body.lock().unwrap() = body.into();
    }

    pub(crate) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

impl EndpointState {
    fn answer(&self, mut stream: TcpStream) {
        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
        let mut seen = Vec::new();
        let mut part = [0; 1024];
        while !seen.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut part) {
                Ok(0) | Err(_) => return,
                Ok(n) => seen.extend_from_slice(&part[..n]),
            }
        }
        self.requests.fetch_add(1, Ordering::SeqCst);
        let status = self.status.load(Ordering::SeqCst);
        let body = self.body.lock().unwrap().clone();
        let length = body.len();
        let _ = write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    }
}

/// A node process on loopback with a folder of its own.
pub(crate) struct Node {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) dns: SocketAddr,
    child: Child,
    log: Arc<(Mutex<Vec<String>>, Condvar)>,
}

/// The binary under test.
pub(crate) fn wayshift() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wayshift"));
    command.env_remove("WAYSHIFT_CONFIG").env_remove("WAYSHIFT_NODE_URL").env_remove("WAYSHIFT_TOKEN_FILE");
    command
}

impl Node {
    /// Writes `config` (with `[dns]`, `[store]` and `[admin]` added for this test) and starts a node that is ready.
    pub(crate) fn start(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder, config)
    }

    pub(crate) fn start_in(folder: tempfile::TempDir, config: &str) -> Self {
        write_config(folder.path(), config);
        Self::restart_in(folder)
    }

    /// Starts on what the folder holds.
    pub(crate) fn restart_in(folder: tempfile::TempDir) -> Self {
        let mut child = wayshift()
            .args(["serve", "--config"])
            .arg(folder.path().join("wayshift.toml"))
            .env("XDG_RUNTIME_DIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let sink = Arc::clone(&log);
        let errors = child.stderr.take().unwrap();
        thread::spawn(move || {
            for line in BufReader::new(errors).lines() {
                let Ok(line) = line else { return };
                sink.0.lock().unwrap().push(line);
                sink.1.notify_all();
            }
        });
        let mut node = Self { folder, dns: ([127, 0, 0, 1], 0).into(), child, log };
        let line = node.logged("\"dns\":\"");
        let at = line.split("\"dns\":\"").nth(1).unwrap();
        node.dns = at[..at.find(['"', ',']).unwrap()].parse().unwrap();
        node
    }

    /// The first log line with `text`, when it comes.
    pub(crate) fn logged(&mut self, text: &str) -> String {
        let begun = Instant::now();
        loop {
            let mut lines = self.log.0.lock().unwrap();
            if let Some(line) = lines.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            lines = self.log.1.wait_timeout(lines, Duration::from_millis(100)).unwrap().0;
            let so_far = lines.join("\n");
            drop(lines);
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("the node ended with {status} before it logged {text}:\n{so_far}");
            }
            assert!(begun.elapsed() < PATIENCE, "waited for a log line with {text}:\n{so_far}");
        }
    }

    pub(crate) fn log_text(&self) -> String {
        self.log.0.lock().unwrap().join("\n")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("wayshift.toml")
    }

    /// Replaces the configuration file; nothing is reloaded by that.
    pub(crate) fn write(&self, config: &str) {
        write_config(self.folder.path(), config);
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("admin.sock")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Runs a client verb against this node.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let socket = self.socket();
        wayshift().args(arguments).arg("--socket").arg(socket).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a client verb that must succeed; its standard output.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "wayshift {arguments:?}: {}\n{out}\n{err}", output.status);
        out.into_owned()
    }

    /// A client verb's JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let mut all = arguments.to_vec();
        all.extend(["-o", "json"]);
        serde_json::from_str(&self.ok(&all)).unwrap()
    }

    /// Waits until every endpoint is up.
    pub(crate) fn all_up(&self) {
        eventually("every endpoint up", || {
            let endpoints = &self.json(&["status"])["counts"]["endpoints"];
            (endpoints["up"] == endpoints["total"]).then_some(())
        });
    }

    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.pid()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }

    /// kill -9 and the folder for the next start.
    pub(crate) fn kill(mut self) -> tempfile::TempDir {
        let _ = self.child.kill();
        let _ = self.child.wait();
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    /// SIGTERM; the exit status.
    pub(crate) fn stop(mut self) -> (std::process::ExitStatus, tempfile::TempDir) {
        self.signal(nix::sys::signal::Signal::SIGTERM);
        let status = eventually("the node to end", || self.child.try_wait().unwrap());
        (status, std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap()))
    }

    /// What `dig` says.
    pub(crate) fn dig(&self, arguments: &[&str]) -> String {
        dig(self.dns, arguments)
    }

    /// `dig +short`, sorted.
    pub(crate) fn short(&self, name: &str, kind: &str) -> Vec<String> {
        short(self.dns, name, kind)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("--- the node's log\n{}", self.log_text());
        }
    }
}

/// Writes a configuration with listeners on free ports of loopback, and a store, in this folder.
pub(crate) fn write_config(folder: &Path, config: &str) {
    let folder_text = folder.display();
    let own = format!(
        "[dns]\nlisten = [\"127.0.0.1:0\"]\nthreads = 1\n[store]\npath = \"{folder_text}/store\"\n[admin]\nlisten = [\"127.0.0.1:0\", \"unix:{folder_text}/admin.sock\"]\n[telemetry]\nlog = {{ level = \"info\", format = \"json\" }}\n"
    );
    let next = folder.join("wayshift.toml.next");
    fs::write(&next, format!("{own}{config}")).unwrap();
    fs::rename(next, folder.join("wayshift.toml")).unwrap();
}

/// What `dig` says, asked at an address.
pub(crate) fn dig(at: SocketAddr, arguments: &[&str]) -> String {
    let output = Command::new("dig")
        .arg(format!("@{}", at.ip()))
        .args(["-p", &at.port().to_string(), "+tries=3", "+time=3"])
        .args(arguments)
        .output()
        .expect("dig is installed by `make test`");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// `dig +short`, sorted.
pub(crate) fn short(at: SocketAddr, name: &str, kind: &str) -> Vec<String> {
    let mut lines: Vec<String> =
        dig(at, &["+short", name, kind]).lines().map(str::to_owned).filter(|l| !l.starts_with(';')).collect();
    lines.sort();
    lines
}

/// One query in wire form.
pub(crate) fn query(name: &str, kind: u16, id: u16) -> Vec<u8> {
    let mut bytes = vec![];
    bytes.extend(id.to_be_bytes());
    bytes.extend([0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    bytes.extend(name.parse::<wayshift::model::DnsName>().unwrap().wire());
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}

/// Sends one datagram and returns the reply's bytes.
pub(crate) fn ask(at: SocketAddr, packet: &[u8]) -> Option<Vec<u8>> {
    let local: SocketAddr =
        if at.is_ipv4() { ([127, 0, 0, 1], 0).into() } else { (std::net::Ipv6Addr::LOCALHOST, 0).into() };
    let socket = UdpSocket::bind(local).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut reply = [0; 4096];
    for _ in 0..5 {
        socket.send_to(packet, at).unwrap();
        if let Ok((n, _)) = socket.recv_from(&mut reply) {
            return Some(reply[..n].to_vec());
        }
    }
    None
}

/// The IPv4 addresses of an answer whose owner names are pointers.
pub(crate) fn v4_answers(reply: &[u8]) -> Vec<std::net::Ipv4Addr> {
    use hickory_proto::rr::RData;
    let message = hickory_proto::op::Message::from_vec(reply).unwrap();
    message.answers.iter().filter_map(|record| if let RData::A(a) = &record.data { Some(a.0) } else { None }).collect()
}
