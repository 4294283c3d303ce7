use super::*;

/// Service `three` (pool `c`, all endpoints) waits a minute and grows for 90 s.
fn slow_fleet(endpoints: usize) -> Arc<Fleet> {
    let mut parts = parts(endpoints);
    parts.services[2].tuning.failback = Duration::from_secs(60);
    parts.services[2].tuning.ramp = Duration::from_secs(90);
    parts.checks[0].cooldown = Duration::ZERO;
    parts.safety.removal_budget.share = 100;
    Fleet::assemble(parts).unwrap()
}

fn fall(node: &mut Node, endpoint: usize, from: u64) {
    (from..from + 3).for_each(|s| node.see(at(s), endpoint, fail()));
    assert_eq!(node.health(endpoint).0, Health::Down);
}

#[test]
fn who_was_down_returns_in_steps_and_who_was_unknown_does_not() {
    let mut node = Node::start(slow_fleet(4), &Memory::default(), at(0));
    (0..4).for_each(|endpoint| node.see(at(1), endpoint, Outcome::Pass));
    assert!((0..4).all(|endpoint| node.verdict(endpoint).returned.is_none()), "a cold start is no return");
    fall(&mut node, 0, 10);
    assert_eq!(node.verdict(0).returned, None);
    (20..22).for_each(|s| node.see(at(s), 0, Outcome::Pass));
    assert_eq!(node.verdict(0).returned, Some(at(21).mono));
    let pictures = node.wake_until(400);
    let ramp = |from: u64| (1..=9).map(move |step| from + step * 10);
    let mut expected: Vec<u64> = ramp(21).chain([81]).chain(ramp(81)).collect();
    expected.sort_unstable();
    expected.dedup();
    assert_eq!(pictures, expected);
    assert_eq!(node.verdict(0).returned, None, "nothing reaches it any more");
}

#[test]
fn many_that_return_together_share_their_pictures() {
    let mut node = Node::start(slow_fleet(40), &Memory::default(), at(0));
    (0..40).for_each(|endpoint| node.see(at(1), endpoint, Outcome::Pass));
    (0..39).for_each(|endpoint| fall(&mut node, endpoint, 10));
    for endpoint in 0..39 {
        let now = |s: u64| Now { mono: Mono(at(s).mono.0 + endpoint * 20 + 1), wall: at(s).wall };
        node.see(now(20), endpoint as usize, Outcome::Pass);
        node.see(now(21), endpoint as usize, Outcome::Pass);
    }
    assert!((0..39).all(|endpoint| node.verdict(endpoint).returned.is_some()));
    assert!(node.wake_until(400).len() <= 19);
}

#[test]
fn a_drain_that_ends_is_a_return_too() {
    let mut node = Node::start(slow_fleet(4), &Memory::default(), at(0));
    (0..4).for_each(|endpoint| node.see(at(1), endpoint, Outcome::Pass));
    let order = |n, action, target: &str, end| Override { expires: at(end).wall, ..order(n, action, target) };
    let drain = order(1, Action::Drain, "endpoint:e1", 50);
    let pool = order(2, Action::Down, "pool:c", 60);
    node.share(at(2), 1, &[drain.clone(), pool.clone(), order(3, Action::Pin("c".parse().unwrap()), "all", 55)]);
    assert_eq!(node.verdict(1).returned, None);
    node.wake_until(100);
    assert_eq!((node.verdict(1).returned, node.verdict(0).returned), (Some(at(50).mono), None));
    let ended: Vec<_> = node.controller.snapshot().ended.iter().map(|one| (one.order.id.clone(), one.at)).collect();
    assert_eq!(ended, [(drain.id, at(50).mono), (pool.id, at(60).mono)], "a pin takes nothing out");
    // After a restart both go on where they were.
    let memory = node.controller.memory(at(100), LastGood::new());
    let now = Now { mono: Mono(900_000), wall: at(110).wall };
    let mut again = Node::start(slow_fleet(4), &memory, now);
    assert_eq!(again.verdict(1).returned, Some(Mono(840_000)));
    assert_eq!(
        again.controller.snapshot().ended.iter().map(|one| one.at).collect::<Vec<_>>(),
        [840_000, 850_000].map(Mono)
    );
    again.wake_until(1_200);
    assert_eq!((again.verdict(1).returned, again.controller.snapshot().ended.len()), (None, 0));
}

#[test]
fn what_was_out_when_the_node_stopped_returns_when_it_starts() {
    let mut node = Node::start(slow_fleet(4), &Memory::default(), at(0));
    (0..4).for_each(|endpoint| node.see(at(1), endpoint, Outcome::Pass));
    fall(&mut node, 2, 3);
    let drain = Override { expires: at(50).wall, ..order(1, Action::Drain, "endpoint:e1") };
    node.share(at(8), 1, &[drain]);
    let memory = node.controller.memory(at(20), LastGood::new());
    let mut again = Node::start(slow_fleet(4), &memory, Now { mono: Mono(5_000), wall: at(55).wall });
    assert_eq!(again.verdict(1).returned, Some(Mono(5_000)));
    assert_eq!(again.verdict(0).returned, None);
    (6..9).for_each(|s| again.see(at(s), 2, Outcome::Pass));
    assert_eq!(again.verdict(2).returned, Some(at(7).mono), "a remembered down counts");
}

#[test]
fn a_slow_drain_makes_a_picture_at_each_step() {
    let mut node = Node::start(fleet(4), &Memory::default(), at(0));
    let drain =
        Override { from: at(0).wall, over: Some(Duration::from_secs(90)), ..order(1, Action::Drain, "endpoint:e1") };
    node.share(at(0), 1, &[drain]);
    assert_eq!(node.wake_until(400), [10, 20, 30, 40, 50, 60, 70, 80, 90]);
}

#[test]
fn the_earliest_flip_is_told_while_it_wavers() {
    let mut node = Node::start(fleet(4), &Memory::default(), at(0));
    (0..4).for_each(|endpoint| node.see(at(1), endpoint, Outcome::Pass));
    node.see(at(10), 0, fail());
    assert_eq!(node.verdict(0).flips_at, Some(Mono(9_500 + 2 * 2_850)), "two rechecks after the failed one began");
    let generation = node.generation;
    node.see(at(13), 0, fail());
    assert_eq!((node.generation, node.verdict(0).flips_at), (generation, Some(Mono(15_200))), "not at each result");
    node.see(at(16), 0, Outcome::Pass);
    assert_eq!(node.verdict(0).flips_at, None);
    // What comes within a second goes out together.
    let soon = |ms: u64| Now { mono: Mono(16_000 + ms), wall: at(16).wall };
    let generation = node.generation;
    (1..4).for_each(|endpoint| node.see(soon(endpoint), endpoint as usize, fail()));
    assert_eq!((node.generation, node.verdict(1).flips_at), (generation, None));
    node.step(soon(1_000), []);
    assert_eq!(node.generation, generation + 1);
    assert!((1..4).all(|endpoint| node.verdict(endpoint).flips_at.is_some()));
}
