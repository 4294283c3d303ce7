//! Three regions with a member of etcd and a node each, two nodes at the edge, endpoints at three sites, and one who asks.
//!
//! | file | does |
//! |---|---|
//! | `answers` | what clients are answered |
//! | `hands` | what a person or an accident does to it |
//! | `orders` | orders, receipts, the audit |

mod answers;
mod hands;
mod orders;

use std::{
    fs,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

pub(crate) use self::orders::{Order, body};
use crate::{
    api,
    endpoints::Endpoints,
    hammer::Hammer,
    ledger::Ledger,
    member::Member,
    node::{Node, until},
    place::Place,
    seal::Seal,
    setup::{CLIENT, Flavour, NAMES, NODES, SITES, config},
    wan::Wan,
};

/// Nothing that is waited for takes longer, however busy the machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// How long a failing endpoint may be answered: interval + fall x timeout + recheck + 1 s, 3 s for the fleet, and as
/// much again for a busy machine.
pub(crate) const DETECTED_WITHIN: Duration = Duration::from_secs(15);

/// All of it. What ends first is declared first.
pub(crate) struct World {
    watcher: Option<(Arc<AtomicBool>, JoinHandle<()>)>,
    pub(crate) hammer: Hammer,
    pub(crate) nodes: Vec<Node>,
    pub(crate) members: Vec<Member>,
    pub(crate) endpoints: Vec<Endpoints>,
    pub(crate) wan: Wan,
    /// In the order of [`NODES`].
    pub(crate) places: Vec<Place>,
    _sites: Vec<Place>,
    pub(crate) client: Place,
    ledger: Arc<Mutex<Ledger>>,
    pub(crate) flavour: Flavour,
    pub(crate) seal: Option<Seal>,
    pub(crate) random: fastrand::Rng,
    pub(crate) folder: tempfile::TempDir,
    /// All scenarios run, also those that `make test` leaves out: what takes long may.
    pub(crate) long: bool,
}

impl World {
    /// Whether this user on this machine may make networks of its own; if not, why.
    pub(crate) fn possible() -> Result<(), String> {
        let place = Place::make().map_err(|error| format!("network namespaces: {error}"))?;
        Wan::between(&[(CLIENT, &place)], 0).map(drop)
    }

    pub(crate) fn start(flavour: Flavour, seed: u64, long: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("wayshift-torture-").tempdir().unwrap();
        let place = || Place::make().unwrap();
        let (places, sites): (Vec<_>, Vec<_>) =
            (NODES.iter().map(|_| place()).collect(), SITES.iter().map(|_| place()).collect());
        let client = place();
        let wires = NODES.iter().map(|node| node.3).zip(&places).chain(SITES.into_iter().zip(&sites));
        let wires: Vec<_> = wires.chain([(CLIENT, &client)]).collect();
        let wan = Wan::between(&wires, seed).unwrap();
        let endpoints = sites.iter().map(Endpoints::serve).collect();
        let voters: Vec<_> = NODES[..3].iter().map(|node| node.3).collect();
        let addresses = voters.iter().map(|site| site.address().to_string()).collect();
        let seal = (flavour == Flavour::Sealed).then(|| Seal::make(folder.path(), addresses));
        let mut members: Vec<Member> = voters
            .iter()
            .map(|site| Member::new(*site, &voters, folder.path().join(format!("m{}", site.number)), seal.clone()))
            .collect();
        members.iter_mut().zip(&places).for_each(|(member, place)| member.start(place));
        let mut nodes: Vec<Node> = NODES
            .iter()
            .enumerate()
            .map(|(at, (name, _, _, site))| Node::new(name, *site, folder.path(), &config(at, flavour, seal.as_ref())))
            .collect();
        nodes.iter_mut().zip(&places).for_each(|(node, place)| node.start(place));
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let addresses: Vec<Ipv4Addr> = NODES.iter().map(|node| node.3.address()).collect();
        let hammer = Hammer::on(&client, &addresses, &NAMES);
        let watcher = Some(watch(&nodes, Arc::clone(&ledger)));
        let random = fastrand::Rng::with_seed(seed);
        let world = Self {
            watcher,
            hammer,
            nodes,
            members,
            endpoints,
            wan,
            places,
            _sites: sites,
            client,
            ledger,
            flavour,
            seal,
            random,
            folder,
            long,
        };
        (0..world.nodes.len()).for_each(|at| world.expect(at));
        world.calm();
        // Before that nobody had looked at an endpoint, or nobody at all listened.
        drop(world.hammer.take());
        world
    }

    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every wire whole, every process there, every endpoint alive: what a scenario leaves behind when it is over.
    pub(crate) fn mend(&mut self) {
        self.wan.heal();
        self.endpoints.iter().for_each(Endpoints::revive_all);
        let away = self.members.iter_mut().zip(&self.places).filter(|(member, _)| !member.runs());
        away.for_each(|(member, place)| member.start(place));
        for at in 0..self.nodes.len() {
            if !self.nodes[at].runs() {
                self.start_node(at);
            }
            self.expect(at);
        }
    }

    /// Waits until a node is ready; from then on its answers are expected.
    pub(crate) fn expect(&self, at: usize) {
        let node = &self.nodes[at];
        let begun = Instant::now();
        while node.ask("GET", "/readyz", None).ok().is_none_or(|reply| reply.status != 200) {
            assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {} to be ready:\n{}", node.name, node.log());
            thread::sleep(Duration::from_millis(20));
        }
        self.ledger().expect(at);
    }

    /// Waits until every node hears every other, all vote and agree, and all endpoints are up.
    pub(crate) fn calm(&self) -> Duration {
        let begun = Instant::now();
        loop {
            let Some(why) = self.nodes.iter().find_map(|node| self.restless(node)) else { return begun.elapsed() };
            assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for the fleet to be calm: {why}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn restless(&self, node: &Node) -> Option<String> {
        let own = node.name;
        let Some(peers) = node.list("/v1/nodes") else { return Some(format!("{own} does not say who is there")) };
        if peers.len() != self.nodes.len() {
            return Some(format!("{own} knows {} nodes", peers.len()));
        }
        for peer in &peers {
            let whole = peer["agreement"] == "agrees" && peer["votes"] == true && peer["mode"] == "connected";
            if !whole {
                return Some(format!("{own} says of {}: {peer}", peer["id"]));
            }
        }
        let Some(endpoints) = node.list("/v1/endpoints?limit=1000") else {
            return Some(format!("{own} shows no endpoints"));
        };
        // What is ordered down is still measured.
        let out = endpoints.iter().find(|one| one["measured"] != "up")?;
        Some(format!("{own} sees {} {}", out["id"], out["targets"]))
    }

    /// Ends what is in force, and judges everything since the last time. What is told is the number of queries.
    pub(crate) fn settle(&mut self) -> Result<String, String> {
        self.mend();
        let kept: Vec<String> = self.ledger().kept.iter().cloned().collect();
        self.calm();
        for node in &self.nodes {
            let orders = node.orders().expect("a calm node shows its overrides");
            self.ledger().compare(node.name, &orders);
        }
        for id in kept {
            self.end(0, &id);
        }
        let gone = || self.nodes.iter().all(|node| node.orders().is_some_and(|orders| orders.is_empty())).then_some(());
        until("every override to be gone everywhere", PATIENCE, gone);
        for at in [0, 4] {
            let entries = self.audit(at);
            self.ledger().audit(NODES[at].0, &entries);
        }
        // What is still under way is decided by then.
        self.calm();
        let asked = self.hammer.take();
        let mut ledger = self.ledger();
        let (total, lost) = ledger.judge(&asked);
        let broken = std::mem::take(&mut ledger.broken);
        match broken.is_empty() {
            true => Ok(format!("{total} queries, {lost} lost")),
            false => Err(format!(
                "{} of {total} queries or promises:\n  {}",
                broken.len(),
                broken[..broken.len().min(12)].join("\n  ")
            )),
        }
    }

    /// What a person reads of a world in which something failed.
    pub(crate) fn logs(&self) -> String {
        let nodes = self.nodes.iter().map(|node| format!("--- {}\n{}", node.name, node.log()));
        let members = self.members.iter().map(|member| format!("--- etcd {}\n{}", member.name, member.log()));
        nodes.chain(members).collect::<Vec<_>>().join("\n")
    }

    /// Keeps the folder for a person to look at.
    pub(crate) fn leave(mut self) -> String {
        self.folder.disable_cleanup(true);
        self.folder.path().display().to_string()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some((ended, thread)) = self.watcher.take() {
            ended.store(true, Ordering::SeqCst);
            let _ = thread.join();
        }
        let _ = fs::metadata(self.folder.path());
    }
}

/// Looks at each node's generation all the time.
fn watch(nodes: &[Node], ledger: Arc<Mutex<Ledger>>) -> (Arc<AtomicBool>, JoinHandle<()>) {
    let sockets: Vec<_> = nodes.iter().map(Node::socket).collect();
    let ended = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&ended);
    let thread = thread::spawn(move || {
        while !end.load(Ordering::SeqCst) {
            for (at, socket) in sockets.iter().enumerate() {
                let Ok(reply) = api::ask(socket, "GET", "/v1/status", &[], None) else { continue };
                if let Some(generation) = reply.body["node"]["store_generation"].as_u64() {
                    ledger.lock().unwrap_or_else(PoisonError::into_inner).generation(at, generation);
                }
            }
            thread::sleep(Duration::from_millis(500));
        }
    });
    (ended, thread)
}
