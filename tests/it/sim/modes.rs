//! What must hold of modes, of who votes, of what leaves while a node is alone, and of who probes what. Counted in
//! another way from what reached the node.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use wayshift::{
    control::{Input, Loss, Step},
    model::{
        Agreement, Alone, Ballot, Duty, EndpointId, Fleet, Happening, Health, Link, Mono, Now, Out, ProviderId,
        RegionId, SelfTest, Snapshot, Target, Verdict, Vote,
    },
};

use super::{
    node::{BEGINS, Fault, Node, Run},
    rules::verdicts,
    setup::{Setup, anchors},
    world::World,
};

const STALE: u64 = 10_000;
const ECHO_WITHIN: u64 = 8_000;
const MINUTE: u64 = 60_000;

/// What a judge of one life of a node remembers.
#[derive(Debug, Default)]
pub(super) struct Modes {
    company: Company,
    /// The highest sequence of its own that came back, and when one did; when it first spoke, before that.
    echo: (u64, Option<Mono>),
    said: u64,
    /// As told.
    suspects_itself: bool,
    /// What most of the others had let go when this life first counted with at least half of them; only in that step.
    pub(super) gone: HashSet<Target>,
    /// What left for most of them within the budget's time, and how long ago; only in that step.
    pub(super) left: Vec<(EndpointId, Duration)>,
    took_over: bool,
    leaving: Option<Leaving>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Company {
    #[default]
    Nobody,
    Lonely,
    Settling(Mono),
    Heard,
}

#[derive(Debug)]
struct Leaving {
    since: Mono,
    endpoints: BTreeSet<EndpointId>,
}

impl Modes {
    pub(super) fn echo(&mut self, sequence: u64, now: Mono) {
        if self.echo.0 < sequence && sequence <= self.said {
            self.echo = (sequence, Some(now));
        }
    }

    /// Whether others are known and do not count.
    pub(super) fn is_alone(&self) -> bool {
        matches!(self.company, Company::Lonely | Company::Settling(_))
    }
}

/// All rules of this file, after a step.
pub(super) fn after(node: &Node, run: &mut Run, snapshot: &Snapshot, now: Now, setup: &Setup, step: &Step) {
    links(node, run, snapshot, now, setup);
    if let Some(presence) = &step.presence {
        let modes = &mut run.told.modes;
        assert!(modes.said < presence.sequence, "presences: {} after {}", presence.sequence, modes.said);
        if modes.said == 0 {
            // What a life before said proves nothing.
            modes.echo.0 = presence.sequence - 1;
        }
        modes.said = presence.sequence;
        modes.echo.1.get_or_insert(now.mono);
        assert_eq!(presence.mode, run.controller.mode(), "presences: the mode");
        assert_eq!(presence.digest, snapshot.digest, "presences: the digest");
    }
    for event in &step.events {
        if let Happening::Node { condition, active, .. } = &event.what
            && condition == "suspects-itself"
        {
            run.told.modes.suspects_itself = *active;
        }
    }
    assert_eq!(run.controller.mode().held, run.told.lost, "held: as the store has it");
    voters(node, run, now, setup);
    if run.told.modes.is_alone() {
        alone(run, snapshot, now, setup);
    }
}

fn links(node: &Node, run: &mut Run, snapshot: &Snapshot, now: Now, setup: &Setup) {
    let told = &run.told;
    let place = |region: &Option<RegionId>, node: &dyn std::fmt::Display| match region {
        Some(region) => region.to_string(),
        None => format!("node {node}"),
    };
    let fresh: Vec<&Ballot> =
        told.heard.values().filter(|(_, arrived)| now.mono.0 < arrived.0 + STALE).map(|(ballot, _)| ballot).collect();
    let own = place(&node.me.region, &node.me.node);
    let known: HashSet<String> =
        told.known.iter().map(|(node, known)| place(&known.region, node)).chain([own.clone()]).collect();
    let here: HashSet<String> = fresh.iter().map(|b| place(&b.region, &b.node)).chain([own]).collect();
    let enough = known.len().min(usize::from(setup.policy.min_vantages)) <= here.len();
    let company = match told.modes.company {
        _ if told.known.is_empty() => Company::Nobody,
        _ if fresh.is_empty() => Company::Lonely,
        Company::Heard => Company::Heard,
        Company::Settling(since) if since.0 + 2 * STALE <= now.mono.0 => Company::Heard,
        _ if enough => Company::Heard,
        Company::Settling(since) => Company::Settling(since),
        Company::Nobody | Company::Lonely => Company::Settling(now.mono),
    };
    let was = told.before.as_ref().map(|before| before.here.mode.link);
    let detached = told.modes.echo.1.is_some_and(|at| at.0 + ECHO_WITHIN <= now.mono.0);
    let expected = match company {
        Company::Nobody => Link::Single,
        Company::Lonely if BEGINS + STALE <= now.mono.0 => Link::Alone,
        Company::Settling(_) if was == Some(Link::Alone) => Link::Alone,
        Company::Lonely | Company::Settling(_) | Company::Heard if detached => Link::Detached,
        Company::Lonely | Company::Settling(_) | Company::Heard => Link::Connected,
    };
    assert_eq!(run.controller.mode().link, expected, "modes: {company:?} {:?}", told.modes);
    assert_eq!(snapshot.here.mode, run.controller.mode(), "modes: the snapshot says so");
    let takes_over = company == Company::Heard && !told.modes.took_over && told.known.len() <= fresh.len() * 2;
    let (mut out, mut left): (HashMap<&Target, usize>, HashMap<&EndpointId, Vec<Duration>>) = Default::default();
    for ballot in fresh.iter().filter(|_| takes_over) {
        let Out::These(gone) = &ballot.brakes.out else { unreachable!("fleets are small here") };
        gone.iter().for_each(|target| *out.entry(target).or_default() += 1);
        let since = |at: &Mono| ballot.clock.since(*at);
        ballot.brakes.left.iter().for_each(|(endpoint, at)| left.entry(endpoint).or_default().push(since(at)));
    }
    let most = |count: usize| fresh.len() < count * 2;
    let gone = out.into_iter().filter(|(_, count)| most(*count)).map(|(target, _)| target.clone()).collect();
    let left = left.into_iter().filter(|(_, agos)| most(agos.len()));
    let left = left.map(|(endpoint, agos)| (endpoint.clone(), agos.into_iter().min().unwrap())).collect();
    let modes = &mut run.told.modes;
    modes.took_over |= takes_over;
    (modes.company, modes.gone, modes.left) = (company, gone, left);
}

fn voters(node: &Node, run: &Run, now: Now, setup: &Setup) {
    let (told, own_test) = (&run.told, run.controller.self_test());
    let fresh = |node: &wayshift::model::NodeId| {
        told.heard.get(node).filter(|(_, arrived)| now.mono.0 < arrived.0 + STALE).map(|(ballot, _)| ballot)
    };
    let heard = told.modes.company == Company::Heard;
    let passed = told.heard.keys().filter_map(fresh).any(|ballot| ballot.self_test == SelfTest::Passed);
    let someone = passed || own_test == SelfTest::Passed;
    for seen in run.controller.nodes(now) {
        let Some(ballot) = fresh(&seen.node).filter(|_| heard) else {
            assert!(!seen.votes, "voters: {} votes and is not heard", seen.node);
            continue;
        };
        assert_eq!(seen.votes, !seen.suspect, "voters: {}", seen.node);
        let failed = someone && ballot.self_test == SelfTest::Failed;
        assert!(!(failed && seen.votes), "voters: {} has failed", seen.node);
        if seen.suspect && !failed {
            let (down, up) = sides(ballot, &run.controller.snapshot().fleet);
            assert!(3 <= down + up && up <= down, "voters: {} is no suspect: {down} down, {up} up", seen.node);
            let is_down = |target: &Target| ballot.votes.get(target) == Some(&Vote::Down);
            let sees_up = |other: &Ballot| {
                let up = other.votes.iter().filter(|(_, vote)| matches!(vote, Vote::Up { .. }));
                up.filter(|(target, _)| is_down(target)).count() >= 3
            };
            let others = told.heard.keys().filter_map(fresh).filter(|other| other.node != ballot.node);
            let against = others.chain(&told.own).any(sees_up) || ballot.self_test == SelfTest::Failed;
            assert!(against, "voters: {} is a suspect, and nobody says otherwise", seen.node);
        }
    }
    let may = match told.modes.company {
        Company::Nobody => own_test != SelfTest::Failed,
        Company::Heard => !(told.modes.suspects_itself || passed && own_test == SelfTest::Failed),
        Company::Lonely | Company::Settling(_) => match setup.policy.alone {
            Alone::Judge => true,
            Alone::SelfTest => own_test == SelfTest::Passed,
            Alone::Hold => false,
        },
    };
    assert_eq!(run.controller.votes(), may, "voters: {} itself, {:?} {own_test:?}", node.me.node, told.modes);
}

/// Of how many endpoints it says that they are down, and of how many that they are up.
fn sides(ballot: &Ballot, fleet: &Fleet) -> (usize, usize) {
    let known = ballot.votes.iter().filter(|(target, _)| fleet.find_subject(&target.subject).is_some());
    let of = |fits: fn(&Vote) -> bool| -> HashSet<&EndpointId> {
        known.clone().filter(|(_, vote)| fits(vote)).map(|(target, _)| &target.subject.endpoint).collect()
    };
    let (down, up) = (of(|vote| *vote == Vote::Down), of(|vote| matches!(vote, Vote::Up { .. })));
    (down.difference(&up).count(), up.len())
}

fn is_free(verdict: &Verdict) -> bool {
    verdict.order.is_none() && verdict.frozen.is_none()
}

fn alone(run: &mut Run, snapshot: &Snapshot, now: Now, setup: &Setup) {
    let Some(before) = run.told.before.clone() else { return };
    let (Some(own), fleet) = (run.told.own.clone(), &snapshot.fleet) else { return };
    if before.fleet.digest != fleet.digest {
        return;
    }
    let was: HashMap<Target, &Verdict> = verdicts(&before).collect();
    let left: BTreeSet<EndpointId> = verdicts(snapshot)
        .filter(|(target, verdict)| {
            let stayed = was.get(target).is_some_and(|was| is_free(was) && was.health != Health::Down);
            stayed && is_free(verdict) && verdict.health == Health::Down && verdict.measured == Health::Down
        })
        .map(|(target, _)| {
            assert_eq!(own.votes.get(&target), Some(&Vote::Down), "alone: {target} is not down by our own probes");
            for service in fleet.services.iter() {
                let subjects = || service.arms.iter().flat_map(|arm| &arm.subjects);
                let ids = || subjects().filter_map(|ix| fleet.subject_id(*ix));
                if !ids().any(|id| id == target.subject) {
                    continue;
                }
                let passes = ids().filter(|id| id.endpoint != target.subject.endpoint).any(|subject| {
                    let other = Target { subject, family: target.family };
                    matches!(own.votes.get(&other), Some(Vote::Up { .. }))
                });
                assert!(passes, "alone: {target} leaves {} and nothing else passes", service.id);
            }
            target.subject.endpoint
        })
        .collect();
    if left.is_empty() {
        return;
    }
    assert!(run.controller.votes(), "alone: {left:?} left and nobody may judge, {:?}", setup.policy.alone);
    let leaving = &mut run.told.modes.leaving;
    if leaving.as_ref().is_none_or(|leaving| leaving.since.0 + MINUTE <= now.mono.0) {
        *leaving = Some(Leaving { since: now.mono, endpoints: BTreeSet::new() });
    }
    let endpoints = &mut leaving.as_mut().unwrap().endpoints;
    endpoints.extend(left);
    let of = |id: &EndpointId| fleet.find_endpoint(id.as_str()).map(|ix| fleet.endpoint(ix));
    let regions: HashSet<&RegionId> = endpoints.iter().filter_map(of).map(|endpoint| &endpoint.region).collect();
    let providers: HashSet<&ProviderId> = endpoints.iter().filter_map(of).map(|endpoint| &endpoint.provider).collect();
    assert!(regions.len() <= 1 || providers.len() <= 1, "alone: {endpoints:?} within a minute");
}

impl World {
    /// What a node is told when it starts.
    pub(super) fn greet(&mut self, at: usize) {
        let (epoch, generation, overrides) = (self.epoch.clone(), self.store.0, self.store.1.clone().into());
        if self.lost.is_some() {
            // What is on its way is from before, or from the branch; the store says first that it is not what it was.
            self.mail.retain(|(_, to, input)| *to != at || !matches!(input, Input::Shared { .. }));
            self.mail.push((self.t, at, Input::Lost(Loss::Rewound)));
            return;
        }
        let known = &self.nodes[at].disk.epoch;
        // The store knows which of its former selves it continues.
        let adopted = !known.is_empty() && *known != epoch;
        let input = if adopted {
            Input::Adopted { epoch, generation, overrides }
        } else {
            Input::Shared { epoch, generation, overrides }
        };
        if !adopted && self.cut_store.contains(&at) {
            return;
        }
        let later = if adopted { 0 } else { self.rng.u64(0..3_000) };
        self.mail.push((self.t + later, at, input));
    }

    /// A backup is restored, in which the newest orders are missing.
    pub(super) fn rewind(&mut self) {
        if self.lost.is_some() || self.store.0 == 0 {
            return;
        }
        self.lost = Some(self.t + self.rng.u64(3_000..20_000));
        for to in 0..self.nodes.len() {
            self.mail.push((self.t, to, Input::Lost(Loss::Rewound)));
            let overrides: Arc<[_]> = Arc::default();
            for generation in [self.store.0 / 2, self.store.0 + 5] {
                let epoch = self.epoch.clone();
                let old = Input::Shared { epoch, generation, overrides: Arc::clone(&overrides) };
                self.mail.push((self.t + 1 + self.rng.u64(0..2_000), to, old));
            }
        }
    }

    /// A person says what holds, if it is time.
    pub(super) fn adopt_in_time(&mut self) {
        if self.lost.is_some_and(|at| at <= self.t) {
            self.adopt();
        }
    }

    pub(super) fn adopt(&mut self) {
        if self.lost.take().is_none() {
            return;
        }
        self.epoch.push('+');
        self.store.0 = 1;
        self.mail.retain(|(_, _, input)| !matches!(input, Input::Shared { .. } | Input::Lost(_)));
        for to in 0..self.nodes.len() {
            let (epoch, overrides) = (self.epoch.clone(), self.store.1.clone().into());
            self.mail.push((self.t, to, Input::Adopted { epoch, generation: 1, overrides }));
        }
    }

    /// After all faults have ended: everybody hears everybody, agrees, and probes its part.
    pub(super) fn all_is_well_again(&self) {
        let mut places: BTreeMap<EndpointId, Vec<Option<(u16, u16)>>> = BTreeMap::new();
        for node in &self.nodes {
            let run = node.run.as_ref().unwrap();
            let link = if self.nodes.len() == 1 { Link::Single } else { Link::Connected };
            let mode = run.controller.mode();
            assert_eq!((mode.link, mode.held), (link, false), "quiet: {}", node.me.node);
            for seen in run.controller.nodes(node.now(self.t)) {
                let counted = seen.votes && !seen.suspect;
                assert!(counted, "quiet: {} does not count {}: {seen:?}\n{:#?}", node.me.node, seen.node, self.setup);
                assert_eq!(seen.agreement, Agreement::Agrees, "quiet: {} and {}", node.me.node, seen.node);
                let offset = seen.clock_offset_ms.unwrap();
                assert!((-1_000..=0).contains(&offset), "quiet: {} is off by {offset} ms", seen.node);
            }
            for endpoint in &run.controller.snapshot().fleet.endpoints {
                let place = match run.duties.get(&endpoint.id) {
                    None => Some((0, 1)),
                    Some(Duty::Probe { place, of }) => Some((*place, *of)),
                    Some(Duty::Rest) => None,
                };
                places.entry(endpoint.id.clone()).or_default().push(place);
            }
        }
        let of = self.nodes.len().min(usize::from(self.setup.policy.vantages_per_endpoint)) as u16;
        for (endpoint, places) in places {
            let mut found: Vec<(u16, u16)> = places.into_iter().flatten().collect();
            found.sort_unstable();
            assert_eq!(found, (0..of).map(|place| (place, of)).collect::<Vec<_>>(), "quiet: vantages of {endpoint}");
        }
    }

    /// Two regions, and a node in each.
    pub(super) fn pair(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut setup = Setup::pair(&mut rng);
        setup.policy.anchors = anchors();
        Self::of(seed, rng, setup)
    }

    /// A region dies with its node; the other one is alone for a while; all comes back; then a node loses its network.
    pub(super) fn lose_a_region(mut self) {
        self.pass(20_000);
        self.expect("pair: all are up", |_| Some(true));
        let dead = self.rng.usize(0..2);
        self.nodes[dead].run = None;
        self.nodes[dead].back_at = u64::MAX;
        (0..self.setup.endpoints).for_each(|endpoint| self.dead[endpoint] = endpoint % 2 == dead);
        // One more failure than usual, and first the silence of the other.
        let interval = self.setup.check.interval.as_millis() as u64;
        self.pass(STALE + self.setup.detection_ms() + 2 * interval);
        self.in_force("pair: the other's region is out", 1 - dead, |endpoint| endpoint % 2 != dead);
        // More fails and returns while it is alone; the rules of being alone are looked at in each step.
        for _ in 0..12 {
            let share = self.rng.f64();
            for endpoint in 0..self.setup.endpoints {
                self.dead[endpoint] = self.rng.f64() < share;
            }
            self.pass(15_000);
        }
        self.nodes[dead].back_at = self.t;
        self.dead.fill(false);
        self.pass(40_000 + self.setup.recovery_ms());
        self.expect("pair: all is back", |_| Some(true));
        // Cut off from everything, nothing is removed; what the other does is its own business.
        let cut = self.rng.usize(0..2);
        self.nodes[cut].fault = Fault::Network;
        self.cut_peers = HashSet::from([(0, 1), (1, 0)]);
        self.pass(60_000);
        for node in 0..2 {
            self.in_force("pair: a cut removes nothing", node, |_| true);
        }
        let mode = self.nodes[cut].run.as_ref().unwrap().controller.mode();
        assert_eq!(mode.to_string(), "alone frozen", "pair: {}", self.setup.nodes[cut].node);
    }

    fn in_force(&self, what: &str, node: usize, up: impl Fn(usize) -> bool) {
        let snapshot = self.nodes[node].run.as_ref().unwrap().controller.snapshot();
        for (target, verdict) in verdicts(snapshot) {
            let endpoint: usize = target.subject.endpoint.as_str()[1..].parse().unwrap();
            let right = if up(endpoint) { verdict.health != Health::Down } else { verdict.health == Health::Down };
            assert!(right, "{what}: seed {} {target}: {verdict:?}\n{:#?}", self.seed, self.setup);
        }
    }
}
