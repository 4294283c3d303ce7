//! By whom a node hears, and what it does about it: modes, presence, duties, the fence of the durable state.

use super::*;
use crate::model::{
    Action, Agreement, Applied, Ballot, Digest, Duty, Hold, Link, Mode, OwnView, Presence, Process, SelfTest, Vote,
};

pub(super) const UP: Vote = Vote::Up { degraded: false, wavers: false };

/// One failure and it is down, one pass and it is up; e<i> at p<i % 2> in r<i % 3>.
pub(super) fn quick(endpoints: usize, change: impl FnOnce(&mut crate::model::Parts)) -> Arc<Fleet> {
    let mut parts = parts(endpoints);
    let check = &mut parts.checks[0];
    (check.thresholds.rise, check.thresholds.fall, check.cooldown) = (1, 1, Duration::ZERO);
    parts.verdict.flap = None;
    change(&mut parts);
    Fleet::assemble(parts).unwrap()
}

/// A node in r0 at p0, for which all has passed.
pub(super) fn start(fleet: Arc<Fleet>) -> Node {
    let me = Identity { region: Some("r0".parse().unwrap()), provider: Some("p0".parse().unwrap()), ..identity() };
    let (controller, step) = Controller::new(me, Arc::clone(&fleet), &Memory::default(), at(0));
    let tempi = step.tempi.clone().unwrap();
    let mut node = Node { controller, now: at(0), events: Vec::new(), generation: 0, tempi };
    node.take(step);
    (0..fleet.endpoints.len()).for_each(|endpoint| node.see(at(1), endpoint, Outcome::Pass));
    node
}

/// What another node votes, which stands in a region of its own.
pub(super) fn ballot(node: &Node, name: &str, sequence: u64, vote: impl Fn(usize) -> Vote) -> Input {
    let fleet = &node.controller.slots.fleet;
    let votes = (0..fleet.endpoints.len()).map(|endpoint| (target(fleet, endpoint), vote(endpoint)));
    Input::Heard(Ballot {
        node: name.parse().unwrap(),
        region: Some(name.parse().unwrap()),
        provider: None,
        sequence,
        clock: Mono(sequence),
        self_test: SelfTest::Passed,
        votes: Arc::new(votes.collect()),
        paths: Default::default(),
        brakes: Default::default(),
    })
}

pub(super) fn presence(node: &Node, name: &str, sequence: u64, digest: Digest) -> Presence {
    Presence {
        node: name.parse().unwrap(),
        region: Some(name.parse().unwrap()),
        provider: None,
        process: process(),
        sequence,
        mode: Mode { link: Link::Connected, ..Mode::default() },
        applied: Applied::default(),
        digest,
        fleet: node.controller.slots.fleet.digest,
        clock: node.now.wall,
        self_test: SelfTest::Passed,
    }
}

fn process() -> Process {
    Process { boot: 7, version: "1".into(), probes: true, orders: true, admin: vec!["https://a:8653".parse().unwrap()] }
}

/// Conditions of the node that were told.
pub(super) fn told(node: &mut Node) -> Vec<String> {
    let told = node.events.drain(..).filter_map(|event| match event {
        Happening::Node { condition, active, .. } => Some(format!("{condition} {active}")),
        Happening::Held { .. }
        | Happening::Outage { .. }
        | Happening::Correlated { .. }
        | Happening::Overload { .. }
        | Happening::Verdict { .. }
        | Happening::Answers { .. }
        | Happening::OverrideBegan { .. }
        | Happening::OverrideEnded { .. }
        | Happening::Ordered { .. }
        | Happening::OverrideExpiring { .. }
        | Happening::Reloaded { .. }
        | Happening::ReloadRefused { .. } => None,
    });
    told.collect()
}

pub(super) fn down(node: &Node) -> Vec<usize> {
    let all = 0..node.controller.slots.fleet.endpoints.len();
    all.filter(|endpoint| node.verdict(*endpoint).health == Health::Down).collect()
}

/// Its other endpoints go on passing: they prove its network.
pub(super) fn alive(node: &mut Node, second: u64, dead: &[usize]) {
    for endpoint in 0..node.controller.slots.fleet.endpoints.len() {
        node.see(at(second), endpoint, if dead.contains(&endpoint) { fail() } else { Outcome::Pass });
    }
}

pub(super) fn link(node: &Node) -> Link {
    assert_eq!(node.controller.snapshot().here.mode, node.controller.mode(), "the mode is in the snapshot");
    node.controller.mode().link
}

#[test]
fn of_two_nodes_one_fails_over_when_a_region_dies_with_the_other() {
    let mut node = start(quick(9, |_| ()));
    assert_eq!(link(&node), Link::Single);
    node.step(at(2), [ballot(&node, "r1", 1, |_| UP)]);
    assert_eq!(link(&node), Link::Connected);
    node.events.clear();
    alive(&mut node, 11, &[1]);
    assert_eq!(down(&node), Vec::<usize>::new(), "the other sees it up, and half is enough for that");
    node.step(at(12), []);
    assert_eq!((link(&node), told(&mut node)), (Link::Alone, vec!["alone true".to_owned()]));
    assert_eq!((node.verdict(1).measured, node.verdict(1).hold), (Health::Down, Some(Hold::Alone)), "one more failure");
    alive(&mut node, 20, &[1, 4, 7]);
    assert_eq!((down(&node), node.verdict(4).hold), (vec![1], Some(Hold::Alone)));
    alive(&mut node, 22, &[1, 4, 7]);
    assert_eq!(down(&node), [1, 4, 7], "r1 is one failure domain");
    // Another domain waits for its minute.
    alive(&mut node, 30, &[1, 4, 7, 2]);
    alive(&mut node, 40, &[1, 4, 7, 2]);
    assert_eq!((down(&node), node.verdict(2).hold), (vec![1, 4, 7], Some(Hold::Alone)));
    for second in [50, 60, 70, 79] {
        alive(&mut node, second, &[1, 4, 7, 2]);
    }
    assert_eq!(down(&node), [1, 4, 7]);
    node.wake_until(80);
    assert_eq!(down(&node), [1, 2, 4, 7], "it comes by itself");
    // The other node is back and sees what we see: nothing moves.
    node.events.clear();
    let dead = |endpoint| if [1, 2, 4, 7].contains(&endpoint) { Vote::Down } else { UP };
    node.step(at(81), [ballot(&node, "r1", 2, dead)]);
    assert_eq!((link(&node), down(&node)), (Link::Connected, vec![1, 2, 4, 7]));
    assert!(!node.events.iter().any(|event| event.kind() == "verdict"), "{:?}", node.events);
}

#[test]
fn a_heartbeat_that_does_not_come_back_detaches() {
    let mut node = start(quick(3, |_| ()));
    node.step(at(2), [ballot(&node, "r1", 1, |_| UP)]);
    node.controller.introduce(process());
    let said = |node: &mut Node, second: u64, peer: u64| {
        let heard = ballot(node, "r1", peer, |_| UP);
        node.now = at(second);
        let step = node.controller.step(at(second), [heard]);
        let presence = step.presence.clone();
        node.take(step);
        presence
    };
    let first = said(&mut node, 3, 3).expect("it was introduced");
    assert_eq!((first.mode.link, &first.process), (Link::Connected, &process()));
    assert_eq!(first.digest, node.controller.snapshot().digest);
    node.step(at(4), [Input::Echo { sequence: first.sequence }]);
    node.events.clear();
    assert!(said(&mut node, 9, 9).is_some());
    assert_eq!(link(&node), Link::Connected);
    let last = said(&mut node, 12, 12).expect("a change of mode is said");
    assert_eq!((last.mode.link, told(&mut node)), (Link::Detached, vec!["detached true".to_owned()]));
    node.step(at(13), [Input::Echo { sequence: first.sequence }]);
    assert_eq!(link(&node), Link::Detached, "an old one proves nothing");
    node.step(at(14), [Input::Echo { sequence: last.sequence }]);
    assert_eq!((link(&node), told(&mut node)), (Link::Connected, vec!["detached false".to_owned()]));
}

#[test]
fn a_rewound_or_replaced_store_changes_nothing_until_it_is_adopted() {
    let drain = Override { expires: at(5_000).wall, ..order(1, Action::Drain, "endpoint:e1") };
    let orders = |node: &Node| node.controller.snapshot().overrides.len();
    let other = |generation, overrides: &[Override]| Input::Shared {
        epoch: "two".into(),
        generation,
        overrides: overrides.into(),
    };
    let start = || {
        let mut node = Node::start(fleet(3), &Memory::default(), at(0));
        node.share(at(1), 9, std::slice::from_ref(&drain));
        node.events.clear();
        node
    };
    let mut node = start();
    node.step(at(2), [other(99, &[])]);
    assert_eq!((orders(&node), told(&mut node)), (1, vec!["store-replaced true".to_owned()]));
    assert!(node.controller.snapshot().here.mode.held);
    // The one that was known is back.
    node.share(at(3), 8, &[]);
    assert_eq!(orders(&node), 1, "an older state is never taken");
    node.share(at(4), 10, std::slice::from_ref(&drain));
    assert_eq!((node.controller.mode().held, told(&mut node)), (false, vec!["store-replaced false".to_owned()]));

    let mut node = start();
    node.step(at(2), [Input::Lost(Loss::Rewound)]);
    node.share(at(3), 12, &[]);
    assert_eq!((orders(&node), told(&mut node)), (1, vec!["store-rewound true".to_owned()]), "a branch");
    let memory = node.controller.memory(at(4), LastGood::new());
    assert_eq!((memory.epoch.as_str(), memory.store_generation, memory.overrides.len()), ("one", 9, 1));
    node.step(at(5), [Input::Adopted { epoch: "three".into(), generation: 4, overrides: Arc::default() }]);
    assert_eq!((orders(&node), told(&mut node)), (0, vec!["store-rewound false".to_owned()]));
    node.step(at(6), [Input::Shared { epoch: "three".into(), generation: 5, overrides: [drain.clone()].into() }]);
    assert_eq!((orders(&node), node.controller.mode().held), (1, false));
    node.step(at(7), [Input::Shared { epoch: String::new(), generation: 0, overrides: Arc::default() }]);
    assert_eq!((orders(&node), node.controller.mode().held), (1, false), "a store that was not read yet");
}

#[test]
fn nodes_that_do_not_agree_are_told_after_half_a_minute() {
    let mut node = start(quick(3, |_| ()));
    let seen = |node: &Node| node.controller.nodes(node.now).pop().unwrap();
    let own = node.controller.snapshot().digest;
    let hear = |node: &mut Node, second: u64, sequence: u64, digest: Digest, behind: u64| {
        let mut said = presence(node, "r1", sequence, digest);
        said.clock = Wall(at(second).wall.0 - behind);
        node.step(at(second), [Input::Present(said)]);
    };
    hear(&mut node, 2, 2, own, 40);
    assert_eq!((seen(&node).agreement, seen(&node).clock_offset_ms), (Agreement::Agrees, Some(-40)));
    assert_eq!(node.controller.memory(node.now, LastGood::new()).known.len(), 1);
    node.events.clear();
    for second in 3..33 {
        alive(&mut node, second, &[]);
        hear(&mut node, second, second, Digest::default(), 90);
    }
    assert_eq!(seen(&node).agreement, Agreement::Differs { since: at(3).mono });
    assert_eq!((told(&mut node), seen(&node).clock_offset_ms), (vec!["alone true".to_owned()], Some(-90)), "no ballot");
    hear(&mut node, 33, 33, Digest::default(), 90);
    assert_eq!(told(&mut node), ["nodes-disagree true"]);
    hear(&mut node, 33, 32, own, 90);
    assert_eq!(told(&mut node), Vec::<String>::new(), "an older one");
    hear(&mut node, 34, 34, own, 90);
    assert_eq!(told(&mut node), ["nodes-disagree false"]);
    // Our own time of day is set: their clocks are off at once.
    node.step(Now { mono: at(35).mono, wall: at(4_000).wall }, []);
    assert_eq!(told(&mut node), ["clock-suspect true"]);
    node.step(at(36), []);
    assert_eq!(told(&mut node), ["clock-suspect false"]);
    node.step(at(50), []);
    assert_eq!(seen(&node).agreement, Agreement::Unheard);
    // Another life of it; what the one before it said is no news.
    let mut again = presence(&node, "r1", 60, own);
    again.process.boot = 8;
    node.step(at(51), [Input::Present(again)]);
    assert_eq!(seen(&node).agreement, Agreement::Agrees);
    hear(&mut node, 52, 52, Digest::default(), 0);
    assert_eq!(seen(&node).agreement, Agreement::Agrees);
    hear(&mut node, 61, 53, Digest::default(), 0);
    assert!(
        matches!(seen(&node).agreement, Agreement::Differs { .. }),
        "that life is silent: this one has an older clock"
    );
    node.step(at(62), [Input::Forget("r1".parse().unwrap())]);
    assert_eq!((node.controller.nodes(node.now).len(), link(&node)), (0, Link::Single));
}

#[test]
fn a_vantage_that_alone_sees_nearly_all_down_does_not_vote() {
    let mut node = start(quick(9, |parts| {
        (parts.verdict.quorum, parts.verdict.min_vantages) = (crate::model::Quorum::Any, 1);
    }));
    let all = |node: &mut Node, second: u64, broken: bool| {
        let of = move |vote: Vote| move |_| if broken { vote } else { UP };
        let ballots = [ballot(node, "r1", second, of(Vote::Down)), ballot(node, "r2", second, |_| UP)];
        node.step(at(second), ballots);
    };
    all(&mut node, 2, false);
    all(&mut node, 5, true);
    let suspects: Vec<_> =
        node.controller.nodes(node.now).into_iter().filter(|seen| seen.suspect).map(|seen| seen.node).collect();
    assert_eq!((suspects, down(&node)), (vec!["r1".parse().unwrap()], vec![]));
    all(&mut node, 8, false);
    assert!(node.controller.nodes(node.now).iter().all(|seen| seen.votes && !seen.suspect));
    // The same evidence speaks against ourselves.
    node.events.clear();
    alive(&mut node, 9, &[0, 1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!((told(&mut node), down(&node)), (vec!["suspects-itself true".to_owned()], vec![]));
}

#[test]
fn what_a_node_alone_sees_down_is_ranked_last_here() {
    let mut node = start(quick(6, |parts| parts.verdict.own_view = OwnView::RankLast));
    let peers = |node: &Node, second| ["r1", "r2"].map(|name| ballot(node, name, second, |_| UP));
    node.step(at(2), peers(&node, 2));
    let digest = node.controller.snapshot().digest;
    alive(&mut node, 5, &[4]);
    let last = |node: &Node| node.controller.snapshot().here.last.to_vec();
    assert_eq!(last(&node), [slot(&node.controller.slots.fleet, 4)]);
    assert_eq!((down(&node), node.controller.snapshot().digest), (vec![], digest), "it is up, and digests are equal");
    let other = ballot(&node, "r1", 6, |endpoint| if endpoint == 4 { Vote::Down } else { UP });
    node.step(at(6), [other]);
    assert_eq!((last(&node), down(&node)), (vec![], vec![4]));
}

#[test]
fn who_does_not_probe_an_endpoint_has_no_opinion_of_it() {
    let mut node = start(quick(12, |parts| parts.verdict.vantages_per_endpoint = 1));
    node.now = at(2);
    let heard = ballot(&node, "r1", 2, |_| UP);
    let step = node.controller.step(at(2), [heard]);
    let (duties, ballot_now) = (step.duties.clone().expect("there are two now"), step.ballot.clone());
    node.take(step);
    let mine: Vec<usize> = (0..12).filter(|n| duties[&format!("e{n}").parse().unwrap()].is_mine()).collect();
    assert!(duties.values().all(|duty| matches!(duty, Duty::Rest | Duty::Probe { place: 0, of: 1 })));
    assert!((1..12).contains(&mine.len()), "{mine:?}");
    let voted = ballot_now.expect("a change is said").votes.len();
    assert_eq!(voted, mine.len());
    let rest = (0..12).find(|n| !mine.contains(n)).unwrap();
    (3..6).for_each(|second| node.see(at(second), rest, fail()));
    assert_eq!(node.verdict(rest).measured, Health::Up, "a probe that was on its way tells nothing");
    // The other one is silent for a minute: all is ours again, from the first result on.
    node.step(at(12), []);
    let step = node.controller.step(at(73), []);
    assert!(step.duties.as_ref().is_some_and(|duties| duties.is_empty()));
    node.now = at(73);
    node.take(step);
    assert_eq!(node.verdict(rest).measured, Health::Up);
}
