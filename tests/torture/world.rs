//! Three regions with a member of etcd and a node each, two nodes at the edge, endpoints at three sites, and one who asks.

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

use serde_json::{Value, json};

use crate::{
    api::{self, Reply},
    endpoints::Endpoints,
    hammer::Hammer,
    ledger::Ledger,
    member::Member,
    node::{Node, until},
    place::Place,
    seal::Seal,
    setup::{CLIENT, Flavour, NAMES, NODES, SITES, address, config},
    wan::{End, Wan},
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

/// An override that was acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) view: Value,
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

    /// The whole audit, newest first.
    pub(crate) fn audit(&self, node: usize) -> Vec<Value> {
        let (mut all, mut path) = (Vec::new(), "/v1/audit?limit=1000".to_owned());
        loop {
            let (page, _) = until("the audit", PATIENCE, || self.nodes[node].look(&path));
            all.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next"].as_str() else { return all };
            path = format!("/v1/audit?limit=1000&cursor={next}");
        }
    }

    /// An order of a node, by whatever comes back.
    pub(crate) fn post(
        &self,
        node: usize,
        wait: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> std::io::Result<Reply> {
        let path = if wait.is_empty() { "/v1/overrides".into() } else { format!("/v1/overrides?wait={wait}") };
        api::ask(&self.nodes[node].socket(), "POST", &path, headers, Some(body))
    }

    /// An order that is acknowledged; waits until every node that is heard has applied it.
    pub(crate) fn order(&self, node: usize, action: &str, endpoint: &str, lasts: &str) -> Order {
        let body = body(action, endpoint, lasts);
        let (order, _) = until(&format!("{action} of {endpoint} is acknowledged"), PATIENCE, || {
            let reply = self.post(node, "20s", &[], &body).ok()?;
            // Others may have been faster.
            (reply.status == 201).then(|| self.keep(reply.body))
        });
        order
    }

    /// Writes down what was acknowledged, and who has applied it.
    pub(crate) fn keep(&self, view: Value) -> Order {
        let id = view["id"].as_str().expect("an override has an id").to_owned();
        self.ledger().acknowledge(&id);
        self.applied(&id, &view);
        Order { id, view }
    }

    /// The newest receipt of an override; how many nodes have applied it.
    pub(crate) fn applied(&self, id: &str, view: &Value) -> usize {
        let nodes: Vec<&str> = view["applied_on"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        if view["action"] == "down" {
            let endpoints = view["matches"].as_array().unwrap().iter().filter_map(Value::as_str);
            let down: Vec<Ipv4Addr> = endpoints.filter_map(|one| one.strip_prefix("endpoint:")).map(address).collect();
            for name in &nodes {
                let at = NODES.iter().position(|node| node.0 == *name).unwrap();
                self.ledger().applied(id, &down, at);
            }
        }
        nodes.len()
    }

    /// Ends an override, with patience.
    pub(crate) fn end(&self, node: usize, id: &str) {
        self.ledger().end(id);
        until(&format!("{id} is ended"), PATIENCE, || {
            let reply = self.nodes[node].ask("DELETE", &format!("/v1/overrides/{id}"), None).ok()?;
            matches!(reply.status, 204 | 404).then_some(())
        });
    }

    pub(crate) fn start_node(&mut self, at: usize) {
        self.nodes[at].start(&self.places[at]);
    }

    /// kill -9; nobody expects an answer of it.
    pub(crate) fn kill_node(&mut self, at: usize) {
        self.ledger().excuse(at);
        self.nodes[at].kill();
    }

    /// The member that leads now.
    pub(crate) fn leader(&self) -> usize {
        let (at, _) = until("etcd to have a leader", PATIENCE, || {
            let urls: Vec<String> = self.members.iter().filter(|member| member.runs()).map(Member::url).collect();
            let told = self.etcdctl(&["--endpoints", &urls.join(","), "endpoint", "status", "-w", "json"]).ok()?;
            let all: Value = serde_json::from_str(&told).ok()?;
            let leads = |one: &&Value| one["Status"]["leader"] == one["Status"]["header"]["member_id"];
            let url = all.as_array()?.iter().find(leads)?["Endpoint"].as_str()?.to_owned();
            self.members.iter().position(|member| member.url() == url)
        });
        at
    }

    /// From the client's place, to the first member unless told otherwise.
    pub(crate) fn etcdctl(&self, arguments: &[&str]) -> Result<String, String> {
        let url = self.members[0].url();
        let first: &[&str] = if arguments.contains(&"--endpoints") { &[] } else { &["--endpoints", &url] };
        self.client.command("etcdctl", &[first, &["--command-timeout=20s"], arguments].concat())
    }

    pub(crate) fn kill_endpoint(&self, endpoint: &str) {
        let address = address(endpoint);
        self.endpoints[usize::from(address.octets()[2]) - 11].kill(address);
    }

    pub(crate) fn revive_endpoints(&self) {
        self.endpoints.iter().for_each(Endpoints::revive_all);
    }

    /// Cuts a node off from some sites, both ways.
    pub(crate) fn part(&self, node: usize, others: &[u8]) {
        let own = End::Site(NODES[node].3.number);
        others.iter().for_each(|other| self.wan.part(own, End::Site(*other)));
    }

    /// Waits until the newest answers of these nodes are as wanted, from now on; how long it took.
    pub(crate) fn answered(
        &self,
        what: &str,
        nodes: &[usize],
        name: &str,
        within: Duration,
        wanted: impl Fn(&[Ipv4Addr]) -> bool,
    ) -> Duration {
        let begun = Instant::now();
        let answers = || nodes.iter().map(|node| self.hammer.newest(*node, name, begun)).collect::<Vec<_>>();
        loop {
            let now = answers();
            if now.iter().all(|answer| answer.as_ref().is_some_and(|answer| wanted(&answer.addresses))) {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < within, "{what}: after {within:?} {name} is {now:?} on {nodes:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Looks on for a while: every answer of these nodes is as wanted.
    pub(crate) fn stays(
        &self,
        what: &str,
        nodes: &[usize],
        name: &str,
        lasts: Duration,
        wanted: impl Fn(&[Ipv4Addr]) -> bool,
    ) {
        let begun = Instant::now();
        until("the time is over", lasts + PATIENCE, || (lasts <= begun.elapsed()).then_some(()));
        let wrong = self.hammer.look(begun, |asked| {
            let mut fits = asked.iter().filter(|one| one.name == name && nodes.contains(&one.node));
            fits.find(|one| one.answer.as_ref().is_some_and(|answer| !wanted(&answer.addresses))).cloned()
        });
        if let Some(wrong) = wrong {
            panic!("{what}: {wrong:?} after {:?}", wrong.at.duration_since(begun));
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

/// The body of an order.
pub(crate) fn body(action: &str, endpoint: &str, lasts: &str) -> Value {
    json!({ "action": action, "target": format!("endpoint:{endpoint}"), "for": lasts, "reason": "torture" })
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
