use super::*;
use crate::model::{FlapHold, Hold, Resume};

fn policy() -> FlapHold {
    let secs = Duration::from_secs;
    FlapHold { changes: 4, within: secs(600), hold: secs(100), max: secs(300) }
}

/// One failure and it is down, one pass and it is up.
fn nervous(endpoints: usize, change: impl FnOnce(&mut crate::model::Parts)) -> Arc<Fleet> {
    let mut parts = parts(endpoints);
    let check = &mut parts.checks[0];
    (check.thresholds.rise, check.thresholds.fall, check.cooldown) = (1, 1, Duration::ZERO);
    parts.verdict.flap = Some(policy());
    change(&mut parts);
    Fleet::assemble(parts).unwrap()
}

/// Falls and returns so often, one second each.
fn flap(node: &mut Node, endpoint: usize, from: u64, times: u64) {
    for at_time in (0..times).map(|i| from + 2 * i) {
        node.see(at(at_time), endpoint, fail());
        node.see(at(at_time + 1), endpoint, Outcome::Pass);
    }
}

fn held(node: &Node) -> Vec<usize> {
    (0..node.controller.slots.fleet.endpoints.len()).filter(|e| node.verdict(*e).health == Health::Down).collect()
}

fn told(node: &mut Node) -> Vec<(String, bool)> {
    let told = node.events.drain(..).filter_map(|event| {
        let Happening::Held { brake, endpoint, active, .. } = event else { return None };
        Some((format!("{brake} {}", endpoint.unwrap()), active))
    });
    told.collect()
}

fn up(node: &mut Node, endpoints: usize) {
    (0..endpoints).for_each(|endpoint| node.see(at(1), endpoint, Outcome::Pass));
    node.events.clear();
}

#[test]
fn what_flaps_is_held_down_longer_each_time() {
    let mut node = Node::start(nervous(6, |_| ()), &Memory::default(), at(0));
    up(&mut node, 6);
    flap(&mut node, 0, 10, 2);
    let verdict = node.verdict(0);
    assert_eq!(
        (verdict.measured, verdict.health, verdict.hold),
        (Health::Up, Health::Down, Some(Hold::Flap { until: at(113).mono }))
    );
    assert_eq!(told(&mut node), [("flap e0".into(), true)]);
    node.wake_until(112);
    assert_eq!(held(&node), [0]);
    node.wake_until(113);
    assert_eq!((held(&node), node.verdict(0).hold), (vec![], None));
    assert_eq!(told(&mut node), [("flap e0".into(), false)]);
    flap(&mut node, 0, 120, 2);
    assert_eq!(node.verdict(0).hold, Some(Hold::Flap { until: at(323).mono }), "twice as long");
    // A restart keeps what is left of it.
    let memory = node.controller.memory(at(200), LastGood::new());
    let mut again = Node::start(nervous(6, |_| ()), &memory, Now { mono: Mono(1_000_000), wall: at(220).wall });
    assert_eq!(again.verdict(0).hold, Some(Hold::Flap { until: Mono(1_103_000) }));
    assert_eq!(held(&again), [0]);
    again.wake_until(1_103);
    assert!(held(&again).is_empty());
}

#[test]
fn a_hold_whose_time_is_over_when_the_fleet_changes_ends_in_that_step() {
    let cases: [(u64, &dyn Fn() -> Arc<Fleet>); 3] = [
        (113, &|| nervous(6, |_| ())),
        (200, &|| nervous(6, |parts| parts.endpoints[1].labels = [("tier".into(), "new".into())].into())),
        // Nobody wants such holds any more.
        (20, &|| nervous(6, |parts| parts.verdict.flap = None)),
    ];
    for (when, fleet) in cases {
        let mut node = Node::start(nervous(6, |_| ()), &Memory::default(), at(0));
        up(&mut node, 6);
        flap(&mut node, 0, 10, 2);
        assert_eq!(held(&node), [0]);
        node.step(at(when), [Input::Reloaded(fleet())]);
        assert_eq!((held(&node), node.verdict(0).hold), (vec![], None), "reloaded at {when} s");
        assert_eq!(told(&mut node), [("flap e0".into(), true), ("flap e0".into(), false)]);
    }
}

#[test]
fn a_third_of_a_pool_is_held_at_most_and_nothing_that_is_needed() {
    let mut node = Node::start(nervous(12, |_| ()), &Memory::default(), at(0));
    up(&mut node, 12);
    (0..12).for_each(|endpoint| flap(&mut node, endpoint, 10 + 10 * endpoint as u64 / 3, 2));
    // Pools a and b have six members each, c all of them.
    assert_eq!(held(&node), [0, 1, 2, 3]);
    // All else fails: what is held is needed.
    (4..12).for_each(|endpoint| node.see(at(60), endpoint, fail()));
    assert!(held(&node).iter().all(|endpoint| 4 <= *endpoint), "{:?}", held(&node));
}

#[test]
fn a_person_ends_a_hold_for_flapping() {
    let mut node = Node::start(nervous(6, |_| ()), &Memory::default(), at(0));
    up(&mut node, 6);
    flap(&mut node, 0, 10, 2);
    assert_eq!(held(&node), [0]);
    node.share(at(20), 1, &[Override { expires: at(21).wall, ..order(1, Action::Up, "endpoint:e0") }]);
    assert!(held(&node).is_empty());
    node.wake_until(30);
    assert_eq!((held(&node), node.verdict(0).hold), (vec![], None));
    assert_eq!(told(&mut node), [("flap e0".into(), true), ("flap e0".into(), false)]);
}

#[test]
fn a_pool_that_would_close_is_not_held_closed() {
    let fleet = nervous(6, |parts| parts.pools[0].min_up = crate::model::MinUp::Count(3));
    let mut node = Node::start(fleet, &Memory::default(), at(0));
    up(&mut node, 6);
    flap(&mut node, 0, 10, 2);
    assert!(held(&node).is_empty(), "pool a has three members and needs them");
    flap(&mut node, 1, 20, 2);
    assert_eq!(held(&node), [1]);
}

fn manual(endpoints: usize, which: &[usize]) -> Arc<Fleet> {
    nervous(endpoints, |parts| which.iter().for_each(|at| parts.endpoints[*at].resume = Resume::Manual))
}

#[test]
fn what_resumes_by_hand_stays_out_until_a_person_restores_it() {
    let mut node = Node::start(manual(4, &[0]), &Memory::default(), at(0));
    up(&mut node, 4);
    node.see(at(10), 0, fail());
    assert_eq!((node.verdict(0).health, node.verdict(0).hold), (Health::Down, None));
    node.see(at(11), 0, Outcome::Pass);
    let verdict = node.verdict(0);
    assert_eq!((verdict.measured, verdict.health, verdict.hold), (Health::Up, Health::Down, Some(Hold::Resume)));
    assert_eq!(told(&mut node), [("resume e0".into(), true)]);
    // Hours and a restart later it still waits, though the verdicts are too old to be believed.
    let memory = node.controller.memory(at(20), LastGood::new());
    let mut again = Node::start(manual(4, &[0]), &memory, Now { mono: Mono(0), wall: at(90_000).wall });
    up(&mut again, 4);
    assert_eq!((held(&again), again.verdict(0).hold), (vec![0], Some(Hold::Resume)));
    // An order on something else does nothing; a short one on it lets it go for good.
    let orders = |node: &mut Node, now, generation, orders: &[Override]| node.share(now, generation, orders);
    orders(&mut node, at(30), 1, &[Override { expires: at(40).wall, ..order(1, Action::Up, "endpoint:e1") }]);
    assert_eq!(held(&node), [0]);
    orders(&mut node, at(41), 2, &[Override { expires: at(45).wall, ..order(2, Action::Up, "label:tier=t0") }]);
    assert!(held(&node).is_empty());
    node.wake_until(60);
    assert!(held(&node).is_empty());
    assert_eq!(told(&mut node), [("resume e0".into(), false)]);
    node.see(at(70), 0, fail());
    node.see(at(71), 0, Outcome::Pass);
    assert_eq!(held(&node), [0], "the next time anew");
}

#[test]
fn who_awaits_a_person_at_a_start_is_let_go_by_an_order_that_begins_there() {
    let mut node = Node::start(manual(4, &[0]), &Memory::default(), at(0));
    up(&mut node, 4);
    node.see(at(10), 0, fail());
    node.see(at(11), 0, Outcome::Pass);
    let planned = Override { from: at(20).wall, expires: at(40).wall, ..order(1, Action::Up, "endpoint:e0") };
    node.share(at(12), 1, &[planned]);
    assert_eq!((held(&node), node.verdict(0).hold), (vec![0], Some(Hold::Resume)));
    let memory = node.controller.memory(at(12), LastGood::new());
    let mut again = Node::start(manual(4, &[0]), &memory, at(25));
    assert_eq!((again.verdict(0).health, again.verdict(0).hold), (Health::Up, None));
    again.wake_until(60);
    assert_eq!((held(&again), again.verdict(0).hold), (vec![], None));
}

#[test]
fn nothing_awaits_a_person_while_it_is_needed() {
    let mut node = Node::start(manual(2, &[0, 1]), &Memory::default(), at(0));
    up(&mut node, 2);
    node.see(at(10), 0, fail());
    node.see(at(11), 0, Outcome::Pass);
    assert_eq!(held(&node), [0]);
    node.see(at(12), 1, fail());
    assert_eq!(held(&node), [1], "the other one has failed");
    assert_eq!(node.verdict(0).hold, Some(Hold::Resume), "what serves of need still says so");
    node.see(at(13), 1, Outcome::Pass);
    assert_eq!(held(&node).len(), 1, "both await a person, and one has to serve");
    node.share(at(14), 1, &[Override { expires: at(15).wall, ..order(1, Action::Up, "all") }]);
    node.wake_until(20);
    assert!(held(&node).is_empty());
}

#[test]
fn what_a_person_has_to_restore_keeps_no_pool_open() {
    // Pool a has e0, e2 and e4; the one that flaps stands before the one that awaits a person, or behind it.
    for (flapping, waiting) in [(0, 4), (4, 0)] {
        let mut node = Node::start(manual(6, &[waiting]), &Memory::default(), at(0));
        up(&mut node, 6);
        node.see(at(5), 2, fail());
        flap(&mut node, flapping, 10, 2);
        assert_eq!(held(&node), [flapping.min(2), flapping.max(2)]);
        node.see(at(20), waiting, fail());
        node.see(at(21), waiting, Outcome::Pass);
        assert_eq!(held(&node), [waiting.min(2), waiting.max(2)], "e{flapping} alone keeps the pool open");
    }
}
