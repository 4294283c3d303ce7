use super::*;
use crate::model::{Ballot, EndpointId, LoadFeed, Resolved};

fn fed(endpoints: usize) -> Arc<Fleet> {
    let mut parts = parts(endpoints);
    for endpoint in &mut parts.endpoints {
        endpoint.load = Some(LoadFeed::Poll { url: "http://{address}/".into(), field: "load".into() });
        endpoint.capacity = Some(1_000);
    }
    parts.endpoints[1].load = Some(LoadFeed::Push { stale_after: Duration::from_secs(100) });
    parts.endpoints[2].load = None;
    parts.endpoints[3].serves = crate::model::Serves::Target("cdn.example.net".parse().unwrap());
    Fleet::assemble(parts).unwrap()
}

fn id(endpoint: usize) -> EndpointId {
    format!("e{endpoint}").parse().unwrap()
}

fn tell(node: &mut Node, now: Now, endpoint: usize, load: f64) {
    node.step(now, [Input::Load { endpoint: id(endpoint), load: Load(load), at: now.mono }]);
}

fn load(node: &Node, endpoint: usize) -> Option<f64> {
    node.controller.snapshot().feeds.loads.get(&id(endpoint)).map(|load| load.0)
}

#[test]
fn loads_are_published_when_they_differ_and_forgotten_when_they_are_old() {
    let mut node = Node::start(fed(5), &Memory::default(), at(0));
    node.wake_until(9);
    let digest = node.controller.snapshot().digest;
    tell(&mut node, at(10), 0, 500.0);
    assert_eq!(load(&node, 0), Some(500.0));
    let generation = node.generation;
    tell(&mut node, at(12), 0, 549.0);
    assert_eq!((load(&node, 0), node.generation), (Some(500.0), generation), "no news");
    tell(&mut node, at(14), 0, 551.0);
    assert_eq!((load(&node, 0), node.generation), (Some(551.0), generation + 1));
    // Within a second they go out together.
    let soon = |ms: u64| Now { mono: Mono(14_000 + ms), wall: at(14).wall };
    tell(&mut node, soon(100), 0, 900.0);
    tell(&mut node, soon(200), 1, 5.0);
    assert_eq!((load(&node, 0), load(&node, 1)), (Some(551.0), None));
    node.step(soon(1_000), []);
    assert_eq!((load(&node, 0), load(&node, 1), node.generation), (Some(900.0), Some(5.0), generation + 2));
    // Nonsense and strangers change nothing.
    for (endpoint, load) in [(0, f64::NAN), (0, f64::INFINITY), (0, -1.0), (2, 7.0), (99, 7.0)] {
        tell(&mut node, at(20), endpoint, load);
    }
    node.step(at(21), [Input::Load { endpoint: id(0), load: Load(1.0), at: at(3).mono }]);
    assert_eq!((load(&node, 0), node.generation), (Some(900.0), generation + 2));
    assert_eq!(node.controller.snapshot().digest, digest, "equal answers but for shades");
    node.wake_until(44);
    assert_eq!(load(&node, 0), Some(900.0));
    node.wake_until(45);
    assert_eq!((load(&node, 0), load(&node, 1)), (None, Some(5.0)), "three intervals of 10 s");
    node.wake_until(116);
    assert_eq!(load(&node, 1), None);
}

#[test]
fn addresses_of_targets_are_news_when_they_differ() {
    let mut node = Node::start(fed(5), &Memory::default(), at(0));
    let tell = |node: &mut Node, now: Now, name: &str, ttl: u32| {
        let found = Resolved { addresses: Arc::new([[192, 0, 2, 1].into()]), ttl };
        node.step(now, [Input::Resolved { target: name.parse().unwrap(), found }]);
        node.controller.snapshot().feeds.resolved.len()
    };
    assert_eq!(tell(&mut node, at(5), "other.example.net", 30), 0);
    assert_eq!(tell(&mut node, at(5), "cdn.example.net", 30), 1);
    let generation = node.generation;
    assert_eq!((tell(&mut node, at(9), "cdn.example.net", 30), node.generation), (1, generation));
    node.step(at(11), [Input::Reloaded(fleet(5))]);
    assert!(node.controller.snapshot().feeds.resolved.is_empty());
}

fn pass_in(fleet: &Fleet, endpoint: usize, now: Now, ms: u64) -> Input {
    let phases = Phases { first_byte: Some(Duration::from_millis(ms)), ..Phases::default() };
    Input::Observed(Observation { phases, ..observation(fleet, endpoint, now, Outcome::Pass) })
}

#[test]
fn paths_are_smoothed_and_gathered_by_region() {
    let fleet = fleet(3);
    let me = Identity { region: Some("r0".parse().unwrap()), ..identity() };
    let (mut controller, _) = Controller::new(me, Arc::clone(&fleet), &Memory::default(), at(0));
    let mut ballot = None;
    let mut step = |controller: &mut Controller, now: Now, inputs: Vec<Input>| {
        ballot = controller.step(now, inputs).ballot.or_else(|| ballot.take());
        ballot.as_ref().and_then(|ballot: &Ballot| ballot.paths.get(&id(0)).copied())
    };
    step(&mut controller, at(1), vec![pass_in(&fleet, 0, at(1), 80)]);
    assert_eq!(step(&mut controller, at(4), vec![]), Some(80_000));
    step(&mut controller, at(5), vec![pass_in(&fleet, 0, at(5), 160)]);
    assert_eq!(step(&mut controller, at(8), vec![]), Some(80_000), "90 ms are no news");
    step(&mut controller, at(9), vec![pass_in(&fleet, 0, at(9), 160)]);
    assert_eq!(step(&mut controller, at(12), vec![]), Some(98_750));
    for (n, path) in [(2, 30_000), (3, 20_000), (4, 10_000)] {
        let heard = Ballot {
            node: format!("n{n}").parse().unwrap(),
            region: Some("r1".parse().unwrap()),
            provider: None,
            sequence: 1,
            clock: at(13).mono,
            self_test: SelfTest::Passed,
            votes: Default::default(),
            paths: Arc::new([(id(0), path), (id(77), 5)].into()),
            brakes: Default::default(),
        };
        step(&mut controller, at(13), vec![Input::Heard(heard)]);
    }
    step(&mut controller, at(18), vec![]);
    let told = |controller: &Controller| -> Vec<(String, u32)> {
        let paths = &controller.snapshot().feeds.paths;
        paths.iter().flat_map(|(region, of)| of.values().map(|path| (region.to_string(), *path))).collect()
    };
    assert_eq!(told(&controller), [("r0".to_owned(), 98_750), ("r1".to_owned(), 20_000)]);
    // Ballots grow old, and what they told with them.
    step(&mut controller, at(24), vec![]);
    step(&mut controller, at(30), vec![]);
    assert_eq!(told(&controller), [("r0".to_owned(), 98_750)]);
}
