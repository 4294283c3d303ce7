//! Everything around the nodes: truth, network, store, time and chance.

use std::{collections::HashSet, sync::Arc};

use wayshift::{
    control::{Input, Step},
    model::{Action, Family, Fleet, Health, Load, Memory, Outcome, Override, OverrideId, Selector, Wall},
};

use super::{
    answers,
    node::{BASE, Fault, Node, failed, own_fault},
    rules,
    setup::{Setup, Version},
};

/// Milliseconds of one tick; not below the shortest pause between two ballots.
const TICK: u64 = 200;
const STORM: u64 = 120_000;
/// Longer than twice the longest life of an override here, and than what follows.
const QUIET: u64 = 100_000;
/// How long a person's last order holds; longer than any recovery takes.
const RESTORED: u64 = 70_000;

pub(super) struct World {
    pub(super) seed: u64,
    pub(super) rng: fastrand::Rng,
    pub(super) t: u64,
    pub(super) setup: Setup,
    pub(super) nodes: Vec<Node>,
    /// By endpoint; dead for all.
    pub(super) dead: Vec<bool>,
    /// By endpoint; its IPv6 is dead for all.
    pub(super) dead_v6: Vec<bool>,
    pub(super) blackout: bool,
    /// Until then no other disaster comes.
    pub(super) settled: u64,
    /// (region of a vantage, endpoint).
    pub(super) cut_links: HashSet<(usize, usize)>,
    /// (from, to) for ballots.
    pub(super) cut_peers: HashSet<(usize, usize)>,
    /// Nodes that the store does not reach, and whose word does not reach it.
    pub(super) cut_store: HashSet<usize>,
    /// Nodes whose anchors are silent.
    pub(super) cut_anchors: HashSet<usize>,
    pub(super) stormy: bool,
    pub(super) mail: Vec<(u64, usize, Input)>,
    pub(super) store: (u64, Vec<Override>),
    pub(super) epoch: String,
    /// The store was rewound; a person says what holds at this time.
    pub(super) lost: Option<u64>,
    pub(super) version: Version,
    pub(super) made: u128,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let setup = Setup::draw(&mut rng);
        Self::of(seed, rng, setup)
    }

    /// Many endpoints, of which many fail together.
    pub(super) fn large(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let setup = Setup::large(&mut rng);
        Self::of(seed, rng, setup)
    }

    pub(super) fn of(seed: u64, rng: fastrand::Rng, setup: Setup) -> Self {
        let version = setup.first();
        let fleet = setup.fleet(&version);
        let nodes = setup.nodes.iter().map(|me| Node {
            me: me.clone(),
            run: None,
            back_at: 0,
            disk: Memory::default(),
            offset: 0,
            fault: Fault::None,
            fleet: Arc::clone(&fleet),
            generation: 0,
            dropped: HashSet::new(),
            recovery: Default::default(),
            left: Vec::new(),
        });
        Self {
            nodes: nodes.collect(),
            dead: vec![false; setup.endpoints + 4],
            dead_v6: vec![false; setup.endpoints + 4],
            seed,
            rng,
            t: 0,
            setup,
            blackout: false,
            settled: 0,
            cut_links: HashSet::new(),
            cut_peers: HashSet::new(),
            cut_store: HashSet::new(),
            cut_anchors: HashSet::new(),
            stormy: false,
            mail: Vec::new(),
            store: (0, Vec::new()),
            epoch: "one".into(),
            lost: None,
            version,
            made: 0,
        }
    }

    pub(super) fn run(mut self) {
        self.calm();
        self.stormy = true;
        let end = self.t + if self.setup.large { STORM * 2 / 3 } else { STORM };
        while self.t < end {
            if self.setup.large {
                self.disaster();
            } else if self.rng.u8(0..5) == 0 {
                self.mischief();
            }
            self.tick();
        }
        self.quiet();
    }

    /// DESIGN section 7: an endpoint dies, and comes back; a vantage breaks, and nobody follows it.
    fn calm(&mut self) {
        self.pass(20_000);
        self.expect("calm: all are up", |_| Some(true));
        let mut victim = self.rng.usize(0..self.setup.endpoints);
        while self.somebody_is_lost(|endpoint| endpoint == victim) {
            victim = (victim + 1) % self.setup.endpoints;
        }
        self.dead[victim] = true;
        self.pass(self.setup.detection_ms() + 2 * TICK);
        self.expect("calm: the dead one is out within the bound", |endpoint| Some(endpoint != victim));
        self.dead[victim] = false;
        self.pass(self.setup.recovery_ms());
        self.expect("calm: it is back", |_| Some(true));
        let regions: HashSet<_> = self.setup.nodes.iter().map(|node| node.region.clone()).collect();
        let broken = self.rng.usize(0..self.nodes.len());
        let alone = self.setup.nodes.iter().filter(|node| node.region == self.setup.nodes[broken].region).count() == 1;
        // Others must be the majority in any count, and of what is probed too.
        let policy = &self.setup.policy;
        let many = policy.quorum == wayshift::model::Quorum::Majority && policy.vantages_per_endpoint >= 3;
        if regions.len() >= 3 && alone && many {
            self.nodes[broken].fault = Fault::Network;
            self.pass(self.setup.detection_ms() + 20_000);
            self.expect("calm: a broken vantage takes nothing out", |_| Some(true));
            self.nodes[broken].fault = Fault::None;
        }
    }

    fn quiet(&mut self) {
        self.stormy = false;
        self.blackout = false;
        self.cut_links.clear();
        self.cut_peers.clear();
        self.cut_store.clear();
        self.cut_anchors.clear();
        self.adopt();
        self.dead_v6.fill(false);
        let mut most = self.rng.usize(0..=2);
        // A node that finds nothing alive elsewhere does not vote, and no truth follows from too few votes.
        while self.somebody_is_lost(|endpoint| endpoint < most) {
            most -= 1;
        }
        for endpoint in 0..self.dead.len() {
            self.dead[endpoint] = endpoint < most;
        }
        for node in &mut self.nodes {
            (node.fault, node.offset, node.back_at) = (Fault::None, 0, node.back_at.min(self.t));
        }
        let fleet = self.setup.fleet(&self.version);
        self.reload(&fleet);
        self.restore();
        self.send_store();
        self.pass(QUIET);
        let known: HashSet<usize> = (0..self.version.endpoints).collect();
        self.expect("quiet: verdicts are the truth", |endpoint| known.contains(&endpoint).then_some(most <= endpoint));
        let digests: HashSet<_> =
            self.nodes.iter().map(|node| node.run.as_ref().unwrap().controller.snapshot().digest).collect();
        assert_eq!(digests.len(), 1, "quiet: all nodes agree");
        self.all_is_well_again();
        for node in &self.nodes {
            assert!(
                node.run.as_ref().unwrap().controller.snapshot().overrides.is_empty(),
                "quiet: all overrides have ended"
            );
        }
    }

    /// Whether all that some node could prove itself by would be dead.
    fn somebody_is_lost(&self, dead: impl Fn(usize) -> bool) -> bool {
        let fleet = self.setup.fleet(&self.version);
        (0..self.nodes.len()).any(|at| self.setup.is_lost(&fleet, at, &dead))
    }

    /// A person restores everything: what was held or awaited one is let go when it is up again.
    fn restore(&mut self) {
        let now = Wall(BASE + self.t);
        self.made += 1;
        self.store.0 += 1;
        self.store.1.push(Override {
            id: OverrideId::new(ulid::Ulid(self.made)),
            action: Action::Up,
            target: Selector::All,
            reason: "all is well".into(),
            author: "sim".into(),
            created: now,
            from: now,
            expires: Wall(now.0 + RESTORED),
            forced: false,
            over: None,
            local: false,
            generation: self.store.0,
        });
    }

    pub(super) fn pass(&mut self, ms: u64) {
        let end = self.t + ms;
        while self.t < end {
            self.tick();
        }
    }

    /// What every running node measures: up, down, or either.
    pub(super) fn expect(&self, what: &str, truth: impl Fn(usize) -> Option<bool>) {
        for node in &self.nodes {
            let snapshot = node.run.as_ref().unwrap().controller.snapshot();
            for (target, verdict) in rules::verdicts(snapshot) {
                let endpoint: usize = target.subject.endpoint.as_str()[1..].parse().unwrap();
                let Some(up) = truth(endpoint) else { continue };
                let right = if up { verdict.measured.works() } else { verdict.measured == Health::Down };
                assert!(
                    right,
                    "{what}: seed {} t {} node {} {target}: {verdict:?}\n{:#?}",
                    self.seed, self.t, node.me.node, self.setup
                );
            }
        }
    }

    fn tick(&mut self) {
        self.t += TICK;
        self.adopt_in_time();
        let t = self.t;
        let mut due: Vec<(u64, usize, Input)> = Vec::new();
        let (now, later) = std::mem::take(&mut self.mail).into_iter().partition(|(at, ..)| *at <= t);
        due.extend::<Vec<_>>(now);
        self.mail = later;
        for (_, to, input) in due {
            let node = &mut self.nodes[to];
            if let Input::Reloaded(fleet) = &input {
                node.fleet = Arc::clone(fleet);
            }
            if let Some(run) = &mut node.run {
                run.inbox.push(input);
            }
        }
        for at in 0..self.nodes.len() {
            self.live(at);
        }
    }

    fn live(&mut self, at: usize) {
        let t = self.t;
        if self.nodes[at].run.is_none() {
            if t < self.nodes[at].back_at {
                return;
            }
            let step = self.nodes[at].start(t);
            let now = self.nodes[at].now(t);
            self.follow(at, now, step, true);
            self.greet(at);
            return;
        }
        let now = self.nodes[at].now(t);
        let region = at % self.setup.regions;
        let (dead, dead_v6, links, blackout) = (&self.dead, &self.dead_v6, &self.cut_links, self.blackout);
        let node = &mut self.nodes[at];
        let (fault, clock_right) = (node.fault, node.offset == 0);
        let anchors = if t.is_multiple_of(5_000) { &self.setup.policy.anchors[..] } else { &[] };
        let answered = fault != Fault::Network && !self.cut_anchors.contains(&at);
        let Some(run) = &mut node.run else { return };
        run.probe(t, now, &self.setup, &mut self.rng, |endpoint, family| match fault {
            Fault::Resources => own_fault(),
            Fault::NoV6 if family == Family::V6 => failed(),
            Fault::Network => failed(),
            Fault::None | Fault::NoV6 if dead[endpoint] || blackout || links.contains(&(region, endpoint)) => failed(),
            Fault::None | Fault::NoV6 if family == Family::V6 && dead_v6[endpoint] => failed(),
            Fault::None | Fault::NoV6 => Outcome::Pass,
        });
        if self.rng.u8(0..3) == 0 {
            let endpoint = format!("e{}", self.rng.usize(0..self.setup.endpoints)).parse().unwrap();
            let load = Load(f64::from(self.rng.u16(40..=60)));
            run.inbox.push(Input::Load { endpoint, load, at: now.mono });
        }
        run.inbox.extend(anchors.iter().map(|anchor| Input::Anchored {
            anchor: anchor.clone(),
            answered,
            at: now.mono,
        }));
        let inputs = std::mem::take(&mut run.inbox);
        if inputs.is_empty() && run.wake_at.is_none_or(|wake| now.mono < wake) {
            return;
        }
        run.note(t, now, clock_right, &inputs, &node.me.node);
        let step = run.controller.step(now, inputs);
        self.follow(at, now, step, false);
    }

    /// What the node's shell would do, and the rules.
    fn follow(&mut self, at: usize, now: wayshift::model::Now, mut step: Step, first: bool) {
        let t = self.t;
        {
            let _named = Where(self.seed, t, at);
            rules::after(&mut self.nodes[at], t, now, &self.setup, &step, first);
        }
        let node = &mut self.nodes[at];
        let run = node.run.as_mut().unwrap();
        run.wake_at = step.wake_at;
        if let Some(tempi) = step.tempi.take() {
            run.tempi = tempi;
        }
        if let Some(duties) = step.duties.take() {
            run.duties = duties;
        }
        if let Some(snapshot) = &step.snapshot {
            let _named = Where(self.seed, t, at);
            run.table = Some(answers::check(snapshot, run.table.as_ref(), &node.disk.last_good, &mut self.rng));
        }
        if step.snapshot.is_some() || t.is_multiple_of(5_000) {
            let last_good = run.table.as_ref().map(|table| table.last_good()).unwrap_or_default();
            node.disk = run.controller.memory(now, last_good);
            node.recovery = run.told.recovery.clone();
            node.left = run.told.braking.kept(now.mono);
        }
        if let Some(ballot) = step.ballot {
            self.post(at, &Input::Heard(ballot));
        }
        if let Some(presence) = step.presence.filter(|_| !self.cut_store.contains(&at)) {
            let sequence = presence.sequence;
            self.mail.push((self.t + self.rng.u64(0..1_000), at, Input::Echo { sequence }));
            self.post(at, &Input::Present(presence));
        }
    }

    /// Says something to all others, as far as they are to be reached.
    fn post(&mut self, from: usize, said: &Input) {
        for to in 0..self.nodes.len() {
            let lost = self.stormy && self.rng.u8(0..4) == 0;
            if lost || self.cut_peers.contains(&(from, to)) {
                continue;
            }
            let delay = if self.stormy { self.rng.u64(0..3_000) } else { self.rng.u64(0..300) };
            if from == to {
                continue;
            }
            self.mail.push((self.t + delay, to, said.clone()));
            if self.stormy && self.rng.u8(0..20) == 0 {
                self.mail.push((self.t + delay + 12_000, to, said.clone()));
            }
        }
    }

    pub(super) fn send_store(&mut self) {
        let list: Arc<[Override]> = self.store.1.clone().into();
        for to in (0..self.nodes.len()).filter(|to| !self.cut_store.contains(to)).collect::<Vec<_>>() {
            let copies = if self.stormy { self.rng.u64(1..=2) } else { 1 };
            for _ in 0..copies {
                let shared =
                    Input::Shared { epoch: self.epoch.clone(), generation: self.store.0, overrides: Arc::clone(&list) };
                self.mail.push((self.t + self.rng.u64(0..4_000), to, shared));
            }
        }
    }

    pub(super) fn reload(&mut self, fleet: &Arc<Fleet>) {
        // The newest configuration wins on every node, whenever it gets there.
        self.mail.retain(|(_, _, input)| !matches!(input, Input::Reloaded(_)));
        for to in 0..self.nodes.len() {
            self.mail.push((self.t + self.rng.u64(0..5_000), to, Input::Reloaded(Arc::clone(fleet))));
        }
    }
}

/// Says where a rule broke.
struct Where(u64, u64, usize);

impl Drop for Where {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {} at {} ms on node n{}", self.0, self.1, self.2);
        }
    }
}
