//! What is held up: the removal budget, outages, the automatic freeze; and what is told of loads and common causes.

use super::*;
use crate::model::{Action, Addresses, Ballot, Hold, Out, RemovalBudget, SelfTest, Serves, Vote};

/// One failure and it is down, one pass and it is up. Of 40 endpoints 8 may leave within a minute.
fn quick(endpoints: usize, change: impl FnOnce(&mut crate::model::Parts)) -> Arc<Fleet> {
    let mut parts = parts(endpoints);
    let check = &mut parts.checks[0];
    (check.thresholds.rise, check.thresholds.fall, check.cooldown) = (1, 1, Duration::ZERO);
    parts.verdict.flap = None;
    parts.safety.removal_budget = RemovalBudget { share: 20, at_least: 4, ..RemovalBudget::default() };
    change(&mut parts);
    Fleet::assemble(parts).unwrap()
}

fn start(endpoints: usize) -> Node {
    let mut node = Node::start(quick(endpoints, |_| ()), &Memory::default(), at(0));
    (0..endpoints).for_each(|endpoint| node.see(at(1), endpoint, Outcome::Pass));
    node.events.clear();
    node
}

fn down(node: &Node) -> Vec<usize> {
    let slots = &node.controller.slots;
    let left = slots.list.iter().flatten().filter(|slot| slot.verdict.measured == Health::Down);
    let left =
        left.filter(|slot| slot.base == Health::Down).filter_map(|slot| Some(slot.probed.as_ref()?.target.clone()));
    assert_eq!(node.controller.brakes.state(slots).out, Out::These(left.collect()), "as ballots tell it");
    of(node, |verdict| verdict.health == Health::Down)
}

fn held(node: &Node, hold: Hold) -> Vec<usize> {
    let held = of(node, |verdict| verdict.hold == Some(hold));
    for endpoint in &held {
        let verdict = node.verdict(*endpoint);
        assert!(verdict.measured == Health::Down && verdict.health == Health::Up, "{endpoint} {verdict:?}");
    }
    held
}

fn of(node: &Node, fits: impl Fn(&crate::model::Verdict) -> bool) -> Vec<usize> {
    (0..node.controller.slots.fleet.endpoints.len()).filter(|endpoint| fits(&node.verdict(*endpoint))).collect()
}

fn told(node: &mut Node) -> Vec<String> {
    let told = node.events.drain(..).filter_map(|event| match event {
        Happening::Held { brake, endpoint: None, active, .. } => Some(format!("{brake} {active}")),
        Happening::Outage { group, id, active, .. } => Some(format!("{group} {id} {active}")),
        Happening::Correlated { service, .. } => Some(format!("correlated {service}")),
        Happening::Overload { service, active, serving } => Some(format!("overload {service} {active} {serving}")),
        Happening::Held { .. }
        | Happening::Verdict { .. }
        | Happening::Answers { .. }
        | Happening::OverrideBegan { .. }
        | Happening::OverrideEnded { .. }
        | Happening::Ordered { .. }
        | Happening::OverrideExpiring { .. }
        | Happening::Reloaded { .. }
        | Happening::ReloadRefused { .. }
        | Happening::Node { .. } => None,
    });
    told.collect()
}

/// One of each provider and region in turn: none of them has an outage.
fn scattered(count: usize) -> Vec<usize> {
    (0..count).collect()
}

#[test]
fn scattered_failures_beyond_the_budget_wait_for_confirmation() {
    let mut node = start(40);
    for endpoint in scattered(12) {
        node.see(at(10 + endpoint as u64 / 4), endpoint, fail());
    }
    assert_eq!((down(&node), held(&node, Hold::Budget)), ((0..8).collect(), (8..12).collect()));
    assert_eq!(told(&mut node), ["budget true"]);
    node.wake_until(41);
    assert_eq!(held(&node, Hold::Budget).len(), 4, "the third four fell at 12");
    node.see(at(41), 9, Outcome::Pass);
    assert_eq!((held(&node, Hold::Budget), node.verdict(9).hold), (vec![8, 10, 11], None), "a recovery ends it");
    node.wake_until(42);
    assert_eq!((down(&node).len(), held(&node, Hold::Budget)), (11, vec![]));
    assert_eq!(told(&mut node), ["budget false"]);
}

#[test]
fn a_person_ends_a_hold() {
    for (action, health) in [(Action::Drain, Health::Down), (Action::Up, Health::Up), (Action::Freeze, Health::Up)] {
        let mut node = start(40);
        scattered(9).into_iter().for_each(|endpoint| node.see(at(10), endpoint, fail()));
        assert_eq!(held(&node, Hold::Budget), [8]);
        node.share(at(11), 1, &[order(1, action, "endpoint:e8")]);
        assert_eq!((node.verdict(8).hold, node.verdict(8).health), (None, health));
        node.share(at(12), 2, &[]);
        let waits = health == Health::Up && node.verdict(8).hold == Some(Hold::Budget);
        assert!(waits || node.verdict(8).health == Health::Down, "{:?}", node.verdict(8));
    }
}

#[test]
fn an_outage_is_one_removal_and_goes_at_once() {
    let mut node = start(40);
    for endpoint in (0..40).step_by(2) {
        node.see(at(10), endpoint, fail());
        let expected = if endpoint < 22 { (endpoint / 2 + 1).min(8) } else { endpoint / 2 + 1 };
        assert_eq!(down(&node).len(), expected, "twelve of p0's twenty are 60 %");
    }
    let all = told(&mut node);
    assert!(all.contains(&"provider p0 true".into()) && all.iter().filter(|t| t.starts_with("provider")).count() == 1);
    assert!(!all.iter().any(|told| told.starts_with("region")), "p0's outage explains the regions' halves: {all:?}");
    for endpoint in [1, 3, 5, 7, 9, 11, 13] {
        node.see(at(11), endpoint, fail());
    }
    assert_eq!(down(&node).len(), 27, "seven others beside one outage");
    (0..30).step_by(2).for_each(|endpoint| node.see(at(30), endpoint, Outcome::Pass));
    assert!(told(&mut node).contains(&"provider p0 false".into()));
}

/// An outage exempts endpoints that are out as a whole: of one that still works by IPv6, IPv4 counts as any removal.
#[test]
fn an_endpoint_of_which_one_family_failed_does_not_leave_with_the_outage() {
    let half = 38;
    let both = Addresses::Both([192, 0, 0, 38].into(), "2001:db8::38".parse().unwrap());
    let mut node = Node::start(
        quick(40, |parts| parts.endpoints[half].serves = Serves::Addresses(both)),
        &Memory::default(),
        at(0),
    );
    (0..40).for_each(|endpoint| node.see(at(1), endpoint, Outcome::Pass));
    let by_ipv6 = |node: &mut Node, second, outcome| {
        let mut seen = observation(&node.controller.slots.fleet, half, at(second), outcome);
        (seen.target.family, seen.address) = (Family::V6, "[2001:db8::38]:80".parse().unwrap());
        node.step(at(second), [Input::Observed(seen)]);
    };
    by_ipv6(&mut node, 1, Outcome::Pass);
    (0..28).step_by(2).for_each(|endpoint| node.see(at(10), endpoint, fail()));
    (1..15).step_by(2).for_each(|endpoint| node.see(at(11), endpoint, fail()));
    assert_eq!((down(&node).len(), held(&node, Hold::Budget)), (21, vec![]), "an outage and seven others");
    node.see(at(12), half, fail());
    assert_eq!(held(&node, Hold::Budget), [half], "the budget is spent, and it stands by IPv6");
    by_ipv6(&mut node, 13, fail());
    assert_eq!(held(&node, Hold::Budget), Vec::<usize>::new(), "out as a whole it belongs to the outage");
}

#[test]
fn what_was_held_is_held_after_a_start() {
    let mut node = start(40);
    scattered(12).into_iter().for_each(|endpoint| node.see(at(10), endpoint, fail()));
    let memory = node.controller.memory(at(20), LastGood::default());
    assert_eq!(memory.braked.left.len(), 8);
    let fleet = Arc::clone(&node.controller.slots.fleet);
    let mut node = Node::start(fleet, &memory, at(21));
    assert_eq!((down(&node), held(&node, Hold::Budget)), ((0..8).collect(), (8..12).collect()));
    node.see(at(22), 13, fail());
    assert_eq!(node.verdict(13).hold, Some(Hold::Budget), "the budget is still spent");
    node.wake_until(72);
    assert_eq!(held(&node, Hold::Budget), Vec::<usize>::new());
}

/// The node's own votes for all, spoken by another node in another region.
fn echo(node: &mut Node, now: Now, name: &str, sequence: u64, vote: impl Fn(usize) -> Vote) {
    let fleet = Arc::clone(&node.controller.slots.fleet);
    let votes = (0..fleet.endpoints.len()).map(|endpoint| (target(&fleet, endpoint), vote(endpoint)));
    let ballot = Ballot {
        node: name.parse().unwrap(),
        region: Some(name.parse().unwrap()),
        provider: None,
        sequence,
        clock: now.mono,
        self_test: SelfTest::Passed,
        votes: Arc::new(votes.collect()),
        paths: Default::default(),
        brakes: Default::default(),
    };
    node.step(now, [Input::Heard(ballot)]);
}

const UP: Vote = Vote::Up { degraded: false, wavers: false };

/// Two others and this one; all that fail from `second` on, as the others have it.
fn three(node: &mut Node, second: u64, fails: impl Fn(usize) -> bool + Copy) {
    for (name, place) in [("north", 0), ("south", 1)] {
        let vote = |endpoint| if fails(endpoint) { Vote::Down } else { UP };
        echo(node, at(second), name, second * 10 + place, vote);
    }
}

#[test]
fn nearly_everything_at_once_freezes_removals_and_takes_them_back() {
    let mut node = start(20);
    three(&mut node, 2, |_| false);
    three(&mut node, 10, |endpoint| endpoint < 17);
    assert!(!told(&mut node).contains(&"auto-freeze true".into()), "17 of 20");
    three(&mut node, 12, |endpoint| endpoint < 18);
    assert!(told(&mut node).contains(&"auto-freeze true".into()));
    assert_eq!((down(&node), held(&node, Hold::Freeze)), (vec![], (0..18).collect()));
    three(&mut node, 20, |_| true);
    assert_eq!((down(&node), held(&node, Hold::Freeze)), (vec![], (0..20).collect()));
    three(&mut node, 25, |endpoint| endpoint < 9);
    assert_eq!(held(&node, Hold::Freeze), (0..9).collect::<Vec<_>>(), "recoveries are not held");
    node.events.clear();
    for second in (30..=80).step_by(5) {
        three(&mut node, second, |endpoint| endpoint < 9);
        assert_eq!((down(&node), told(&mut node)), (vec![], vec![]), "{second}");
    }
    three(&mut node, 85, |endpoint| endpoint < 9);
    assert_eq!((down(&node), held(&node, Hold::Freeze)), ((0..9).collect(), vec![]), "two thirds agreed all the while");
    assert_eq!(told(&mut node)[0], "auto-freeze false");
}

#[test]
fn a_single_node_never_freezes() {
    let mut node = start(4);
    (0..4).for_each(|endpoint| node.see(at(10), endpoint, fail()));
    assert_eq!(down(&node), [0, 1, 2, 3]);
    assert!(!told(&mut node).iter().any(|told| told.starts_with("auto-freeze")));
}

#[test]
fn most_of_a_service_together_is_one_incident() {
    let mut node = start(6);
    for (second, endpoint) in [(10, 0), (40, 2), (45, 4)] {
        node.see(at(second), endpoint, fail());
    }
    assert!(!told(&mut node).iter().any(|told| told.starts_with("correlated")), "three of six, two of them together");
    node.see(at(50), 1, fail());
    assert!(!told(&mut node).iter().any(|told| told.starts_with("correlated")), "three of six together");
    node.see(at(51), 3, fail());
    let once = told(&mut node);
    assert_eq!(once.iter().filter(|told| told.starts_with("correlated")).count(), 3, "{once:?}");
    node.see(at(52), 5, fail());
    assert!(!told(&mut node).iter().any(|told| told.starts_with("correlated")), "once");
}

#[test]
fn too_little_capacity_is_told_and_ends_with_room_to_spare() {
    let fleet = quick(4, |parts| parts.endpoints.iter_mut().for_each(|endpoint| endpoint.capacity = Some(100)));
    let mut node = Node::start(fleet, &Memory::default(), at(0));
    (0..4).for_each(|endpoint| node.see(at(1), endpoint, Outcome::Pass));
    node.see(at(10), 0, fail());
    assert!(!told(&mut node).iter().any(|told| told.starts_with("overload")));
    node.share(at(11), 1, &[order(1, Action::Drain, "endpoint:e2")]);
    let all = told(&mut node);
    assert!(all.contains(&"overload one true 50".into()), "{all:?}");
    node.see(at(12), 0, Outcome::Pass);
    assert_eq!(told(&mut node), Vec::<String>::new(), "70 of 75 is still tight");
    node.share(at(13), 2, &[]);
    assert!(told(&mut node).contains(&"overload one false 100".into()));
}
