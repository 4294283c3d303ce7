//! From one node to a fleet: the embedded store moves to etcd, is killed at each step, and DNS answers all the while.

#![allow(clippy::disallowed_methods, reason = "how long a question waited is by the machine's clock")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use wayshift::store::{
    AuditDraft, Change, ControlStore as _, Seen, backup,
    etcd::{Settings, Standing, Visit},
    migrate::Step,
    sqlite::{Embedded, copy, seal},
};

use crate::{
    store_backup::{config, text, tool},
    store_contract::{AT, draft, order},
    support::{Endpoint, Node, etcd::Server, eventually, query, v4_answers, wayshift, write_config},
};

const NAME: &str = "www.gslb.example.com";
const MOVE: [&str; 6] = ["store", "migrate", "--to", "etcd", "--reason", "CHG-7"];

/// Asks all the time, as a resolver does: what is not answered is asked again.
struct Hammer {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(usize, Duration, Vec<String>)>,
}

impl Hammer {
    /// Every answer has to be this address.
    fn start(at: Arc<Mutex<SocketAddr>>, expected: &Endpoint) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (ended, expected) = (Arc::clone(&stop), expected.address.ip().to_string());
        let thread = thread::spawn(move || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
            let (mut asked, mut longest, mut wrong, mut id) = (0, Duration::ZERO, Vec::new(), 0_u16);
            while !ended.load(Ordering::SeqCst) {
                id = id.wrapping_add(1);
                let (packet, begun, mut reply) = (query(NAME, 1, id), Instant::now(), [0; 4096]);
                let answer = (0..25).find_map(|_| {
                    socket.send_to(&packet, *at.lock().unwrap()).ok()?;
                    loop {
                        let (n, _) = socket.recv_from(&mut reply).ok()?;
                        if reply[..2] == id.to_be_bytes() {
                            return Some(v4_answers(&reply[..n]));
                        }
                    }
                });
                asked += 1;
                longest = longest.max(begun.elapsed());
                let right =
                    answer.as_ref().is_some_and(|ips| ips.iter().map(ToString::to_string).eq([expected.clone()]));
                if !right {
                    wrong.push(format!("question {asked}: {answer:?}"));
                }
                thread::sleep(Duration::from_millis(5));
            }
            (asked, longest, wrong)
        });
        Self { stop, thread }
    }

    /// How many were asked, and the longest that one waited. All were answered, and rightly.
    fn end(self) -> (usize, Duration) {
        self.stop.store(true, Ordering::SeqCst);
        let (asked, longest, wrong) = self.thread.join().unwrap();
        assert!(wrong.is_empty(), "of {asked}: {wrong:?}");
        assert!(asked > 0);
        (asked, longest)
    }
}

/// Runs the move until a step is done, and kills it there.
fn kill_after(config: &Path, step: Step) {
    let mut child = wayshift()
        .args(MOVE)
        .args(["--yes", "--config"])
        .arg(config)
        .env("WAYSHIFT_HALT_AFTER", step.word())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut seen = String::new();
    let there = lines.by_ref().map_while(Result::ok).any(|line| {
        seen.push_str(&line);
        line.contains(&format!("{}:", step.word()))
    });
    assert!(there, "the move comes to `{}`: {seen}", step.word());
    child.kill().unwrap();
    child.wait().unwrap();
}

/// One node and what it needs to become a fleet.
struct Stage {
    node: Node,
    server: Server,
    moving: PathBuf,
    acked: Vec<String>,
}

impl Stage {
    fn start(first: &Endpoint, second: &Endpoint, dns: &str) -> Self {
        let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
        write_config(folder.path(), &config(first, second));
        listen_on(folder.path(), "127.0.0.1:0", dns);
        let node = Node::restart_in(folder);
        node.all_up();
        // The same port after a restart.
        listen_on(node.folder.path(), dns, &node.dns.to_string());
        node.ok(&["drain", "endpoint:e0", "--for", "1h", "--reason", "INC-1", "--yes"]);
        // The file as the operator has edited it; the node has not read it.
        let moving = node.folder.path().join("fleet.toml");
        let embedded = fs::read_to_string(node.config()).unwrap();
        let etcd = format!("[store.etcd]\nendpoints = [\"{}\"]\nprefix = \"/prod/\"\n", server.url());
        fs::write(&moving, format!("{embedded}{etcd}")).unwrap();
        Self { node, server, moving, acked: Vec::new() }
    }

    /// Whether the node takes an order: what it acknowledges is remembered.
    fn takes_orders(&mut self) -> bool {
        let reason = format!("INC-{}", self.acked.len() + 2);
        let order = ["override", "set", "weight", "endpoint:e1", "--weight", "7", "--for", "1h", "--reason", &reason];
        let output = self.node.run(&[&order[..], &["--yes"]].concat());
        let taken = output.status.success();
        if taken {
            self.acked.push(reason);
        } else {
            assert!(text(&output).contains("sealed"), "it says why: {}", text(&output));
        }
        taken
    }

    /// Whether etcd holds a state, which is when it takes orders.
    fn etcd_has_it(&self) -> bool {
        let output = tool(&self.moving, &["store", "verify"]);
        let said = text(&output);
        assert!(output.status.success() || said.contains("there is none under this prefix"), "{said}");
        output.status.success()
    }

    /// Everything that was acknowledged, and the order that the answers depend on.
    fn nothing_is_lost(&self, orders: &serde_json::Value) {
        let listed = orders.to_string();
        for reason in self.acked.iter().map(String::as_str).chain(["INC-1"]) {
            assert!(listed.contains(&format!("\"{reason}\"")), "{reason} is lost: {listed}");
        }
        assert_eq!(orders["items"].as_array().unwrap().len(), self.acked.len() + 1);
    }
}

fn listen_on(folder: &Path, before: &str, after: &str) {
    let file = folder.join("wayshift.toml");
    let text = fs::read_to_string(&file).unwrap();
    let (before, after) = (format!("listen = [\"{before}\"]\nthreads"), format!("listen = [\"{after}\"]\nthreads"));
    assert!(text.contains(&before), "{text}");
    fs::write(file, text.replacen(&before, &after, 1)).unwrap();
}

#[test]
fn a_move_killed_at_each_step_leaves_one_store_that_takes_orders_and_loses_none() {
    let (first, second) = (Endpoint::start("127.0.1.21"), Endpoint::start("127.0.1.22"));
    let mut stage = Stage::start(&first, &second, "127.0.1.23:0");
    let hammer = Hammer::start(Arc::new(Mutex::new(stage.node.dns)), &second);

    // Given up wherever it was cut off: the embedded store takes orders again, and nothing stands in etcd.
    for step in [Step::Claimed, Step::Sealed, Step::Verified] {
        kill_after(&stage.moving, step);
        assert!(!stage.etcd_has_it(), "after {}", step.word());
        let ended = tool(&stage.moving, &["store", "migrate", "--to", "etcd", "--abort", "--reason", "not today"]);
        assert!(ended.status.success(), "{}", text(&ended));
        assert!(stage.takes_orders(), "after {} was given up", step.word());
    }
    // Killed at each step, and given again.
    for step in Step::ALL {
        kill_after(&stage.moving, step);
        let (embedded, etcd) = (stage.takes_orders(), stage.etcd_has_it());
        let expected = match step {
            Step::Looked | Step::Claimed | Step::Copied => (true, false),
            Step::Sealed | Step::Completed | Step::Verified => (false, false),
            Step::Arrived | Step::Noted => (false, true),
        };
        assert_eq!((embedded, etcd), expected, "who takes orders after {}", step.word());
        if !etcd {
            // What was cut off is finished by the same command; here only as far as the next kill.
            let live = tool(&stage.moving, &["store", "verify", "--embedded"]);
            let sealed = !embedded;
            assert_eq!(live.status.success(), !sealed, "{}", text(&live));
        }
    }
    let refused = tool(&stage.moving, &["store", "migrate", "--to", "etcd", "--abort"]);
    assert!(!refused.status.success(), "what has arrived is not given up: {}", text(&refused));
    let again = tool(&stage.moving, &[&MOVE[..], &["--yes"]].concat());
    assert!(again.status.success() && text(&again).contains("it had moved to"), "{}", text(&again));
    assert!(!stage.takes_orders(), "the embedded store stays sealed");
    stage.nothing_is_lost(&stage.node.json(&["override", "list"]));

    // The node begins to use etcd. It answers from its snapshot file at once.
    let mut stage = stage.restarted();
    eventually("etcd is followed", || stage.takes_orders_now().then_some(()));
    stage.nothing_is_lost(&stage.node.json(&["override", "list"]));
    let verified = tool(&stage.moving, &["store", "verify"]);
    assert!(verified.status.success(), "{}", text(&verified));
    let dump = text(&tool(&stage.moving, &["store", "dump"]));
    for action in ["store.seal", "store.unseal", "store.migrate", "CHG-7"] {
        assert!(dump.contains(action), "{action}: {dump}");
    }
    let (asked, longest) = hammer.end();
    println!("{asked} questions, all answered; the longest wait, over the restart, was {longest:?}");
    assert!(longest < Duration::from_secs(5), "a resolver gives up: {longest:?}");
}

/// Whenever it is killed: never do both take orders, and the same command ends it. The seed is printed.
#[test]
fn a_move_killed_at_any_moment_goes_on_where_it_was() {
    let seed =
        std::env::var("WAYSHIFT_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    println!("WAYSHIFT_SEED={seed}");
    let mut chance = fastrand::Rng::with_seed(seed);
    let (first, second) = (Endpoint::start("127.0.1.30"), Endpoint::start("127.0.1.31"));
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let etcd = format!("[store.etcd]\nendpoints = [\"{}\"]\nprefix = \"/any/\"\n", server.url());
    write_config(folder.path(), &format!("{}{etcd}", config(&first, &second)));
    let (place, store) = (folder.path().join("wayshift.toml"), folder.path().join("store"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = Embedded::open(&store, AT).unwrap();
        for number in 1..=250 {
            let audit = AuditDraft { target: format!("override:{}", order(number).id), ..draft("override.create") };
            store.commit(Change::Create(order(number)), Seen(number - 1), audit, None).await.unwrap();
        }
    });
    let before = copy::copy(&store, AT).unwrap();
    let visit =
        || Visit::new(Settings { endpoints: vec![server.url()], prefix: "/any/".into(), tls: None, user: None }, AT);
    let mut kills = 0;
    loop {
        let mut child = wayshift()
            .args(MOVE)
            .args(["--yes", "--config"])
            .arg(&place)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Later and later, so that it comes to an end.
        thread::sleep(Duration::from_millis(chance.u64(0..100 + 40 * kills)));
        let _ = child.kill();
        let ended = child.wait().unwrap();
        let arrived = matches!(runtime.block_on(visit().stands()).unwrap(), Standing::State(..));
        assert!(!arrived || seal::sealed(&store).unwrap().is_some(), "both take orders after {kills} kills");
        if ended.success() {
            break;
        }
        kills += 1;
    }
    let there = runtime.block_on(visit().copy(AT)).unwrap().unwrap();
    println!("{kills} kills");
    assert!(backup::check(&there).iter().all(|finding| finding.good));
    assert_eq!(there.overrides, before.overrides);
    let hashes = |entries: &[backup::Entry]| entries.iter().map(|entry| entry.hash.clone()).collect::<Vec<_>>();
    assert_eq!(hashes(&there.audit[..250]), hashes(&before.audit));
    assert_eq!(there.audit.len(), 252, "and the entries of the seal and of the move");
    assert_eq!((there.generation, there.epoch), (251, format!("{}.1", before.epoch)));
}

/// Whoever comes later takes over; who was taken over writes nothing more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_fill_the_same_place_one_does_and_it_is_whole() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let store = Embedded::open(folder.path(), AT).unwrap();
    for number in 1..=150 {
        let audit = AuditDraft { target: format!("override:{}", order(number).id), ..draft("override.create") };
        store.commit(Change::Create(order(number)), Seen(number - 1), audit, None).await.unwrap();
    }
    let copy = Arc::new(copy::copy(folder.path(), AT).unwrap());
    let settings = Settings { endpoints: vec![server.url()], prefix: "/many/".into(), tls: None, user: None };
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let (settings, copy) = (settings.clone(), Arc::clone(&copy));
        tasks.spawn(async move { Visit::new(settings, AT).restore(&copy, draft("store.restore")).await.is_ok() });
    }
    let done = tasks.join_all().await.into_iter().filter(|done| *done).count();
    assert!(0 < done, "the last one is not hindered by the others");
    let there = Visit::new(settings.clone(), AT).copy(AT).await.unwrap().expect("a state");
    assert!(backup::check(&there).iter().all(|finding| finding.good));
    assert_eq!((&there.overrides, there.audit.len(), &there.epoch), (&copy.overrides, 151, &copy.epoch));
    assert!(!Visit::new(settings, AT).restore(&copy, draft("store.restore")).await.unwrap(), "it is there already");
}

#[test]
fn a_node_that_is_killed_while_its_store_is_on_the_way_answers_from_what_it_knew() {
    let (first, second) = (Endpoint::start("127.0.1.24"), Endpoint::start("127.0.1.25"));
    let mut stage = Stage::start(&first, &second, "127.0.1.26:0");
    assert!(stage.takes_orders());
    kill_after(&stage.moving, Step::Completed);
    let embedded = fs::read_to_string(stage.node.config()).unwrap();

    // Started with the new configuration before the state has arrived.
    let mut stage = stage.restarted();
    let answered = || stage.node.short(NAME, "A") == [second.address.ip().to_string()];
    eventually("it answers as before", || answered().then_some(()));
    assert!(!stage.takes_orders_now(), "nobody takes orders until the move goes on");
    assert!(!stage.etcd_has_it(), "the node made no state of its own there");
    let moved = tool(&stage.moving, &[&MOVE[..], &["--yes"]].concat());
    assert!(moved.status.success(), "{}", text(&moved));
    eventually("it takes orders", || stage.takes_orders_now().then_some(()));
    stage.nothing_is_lost(&stage.node.json(&["override", "list"]));

    // Started with the old configuration by mistake: it answers as etcd last said, and says where to write.
    let Stage { node, server: _server, acked, .. } = stage;
    let folder = node.kill();
    fs::write(folder.path().join("wayshift.toml"), embedded).unwrap();
    let node = Node::restart_in(folder);
    eventually("it answers as before", || (node.short(NAME, "A") == [second.address.ip().to_string()]).then_some(()));
    assert_eq!(node.json(&["override", "list"])["items"].as_array().unwrap().len(), acked.len() + 1);
    let refused = node.run(&["restore", "endpoint:e0", "--yes"]);
    let said = text(&refused);
    assert!(
        !refused.status.success() && said.contains("was moved to etcd at") && said.contains("[store.etcd]"),
        "{said}"
    );
}

#[test]
fn a_backup_of_etcd_comes_back_after_its_data_are_lost() {
    let (first, second) = (Endpoint::start("127.0.1.27"), Endpoint::start("127.0.1.28"));
    let stage = Stage::start(&first, &second, "127.0.1.29:0");
    let moved = tool(&stage.moving, &[&MOVE[..], &["--yes"]].concat());
    assert!(moved.status.success(), "{}", text(&moved));
    // Another state is not written over, and not mixed with.
    let other = tool(&stage.moving, &["store", "restore", "--dry-run", "nowhere.backup"]);
    assert_eq!(other.status.code(), Some(1), "{}", text(&other));
    let mut stage = stage.restarted();
    eventually("etcd is followed", || stage.takes_orders_now().then_some(()));

    let file = stage.node.folder.path().join("night.backup");
    let name = file.to_str().unwrap();
    let made = tool(&stage.moving, &["store", "backup", name]);
    assert!(made.status.success() && text(&made).contains("etcd of"), "{}", text(&made));
    let restore = ["store", "restore", name, "--reason", "INC-50", "--yes"];
    eventually("an order after the backup", || stage.takes_orders_now().then_some(()));
    let refused = tool(&stage.moving, &restore);
    assert!(!refused.status.success() && text(&refused).contains("none is overwritten"), "{}", text(&refused));

    stage.server.wipe();
    let mode = |node: &Node| node.json(&["node", "list"])["items"][0]["mode"].as_str().unwrap().to_owned();
    eventually("it holds", || (mode(&stage.node) == "held").then_some(()));
    let restored = tool(&stage.moving, &restore);
    assert!(restored.status.success() && text(&restored).contains("store adopt"), "{}", text(&restored));
    let again = tool(&stage.moving, &restore);
    assert!(again.status.success() && text(&again).contains("there already"), "{}", text(&again));
    assert_eq!(mode(&stage.node), "held", "the backup is older than what the node knows");
    stage.node.ok(&["store", "adopt", "--reason", "INC-50", "--yes"]);
    eventually("orders are taken", || stage.takes_orders_now().then_some(()));
    stage.nothing_is_lost(&stage.node.json(&["override", "list"]));
    let verified = tool(&stage.moving, &["store", "verify"]);
    assert!(verified.status.success(), "{}", text(&verified));
}

impl Stage {
    /// The node stopped, and started with the configuration that names etcd.
    fn restarted(self) -> Self {
        let Self { node, server, moving, acked } = self;
        let fleet = fs::read_to_string(moving).unwrap();
        let (status, folder) = node.stop();
        assert!(status.success());
        fs::write(folder.path().join("wayshift.toml"), fleet).unwrap();
        let node = Node::restart_in(folder);
        let moving = node.config();
        Self { node, server, moving, acked }
    }

    /// As [`Stage::takes_orders`], where it may not be there yet.
    fn takes_orders_now(&mut self) -> bool {
        let reason = format!("INC-{}", self.acked.len() + 2);
        let order = ["override", "set", "weight", "endpoint:e1", "--weight", "7", "--for", "1h", "--reason", &reason];
        let taken = self.node.run(&[&order[..], &["--yes"]].concat()).status.success();
        if taken {
            self.acked.push(reason);
        }
        taken
    }
}
