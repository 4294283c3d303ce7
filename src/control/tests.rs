//! A node on its own, and what it remembers.

mod alone;
mod brakes;
mod feeds;
mod holds;
mod modes;
mod returns;
mod tenures;

use std::time::Duration;

use super::*;
use crate::{
    judge::sample::{check, fleet, order, parts},
    model::{
        Action, Cause, EndpointIx, Failure, Family, Happening, Health, Outcome, Override, Phases, Target, Tempo, Wall,
    },
};

pub(super) struct Node {
    pub controller: Controller,
    pub now: Now,
    pub events: Vec<Happening>,
    pub generation: u64,
    pub tempi: Arc<Tempi>,
}

pub(super) fn at(seconds: u64) -> Now {
    Now { mono: Mono(seconds * 1000), wall: Wall(1_000_000_000_000 + seconds * 1000) }
}

pub(super) fn identity() -> Identity {
    Identity { node: "n1".parse().unwrap(), region: None, provider: None }
}

impl Node {
    pub(super) fn start(fleet: Arc<Fleet>, memory: &Memory, now: Now) -> Self {
        let (controller, step) = Controller::new(identity(), fleet, memory, now);
        let tempi = step.tempi.clone().unwrap();
        let mut node = Self { controller, now, events: Vec::new(), generation: 0, tempi };
        node.take(step);
        node
    }

    pub(super) fn take(&mut self, step: Step) {
        self.events.extend(step.events.into_iter().map(|event| event.what));
        if let Some(tempi) = step.tempi {
            self.tempi = tempi;
        }
        if let Some(snapshot) = step.snapshot {
            assert!(self.generation < snapshot.generation, "generations rise");
            self.generation = snapshot.generation;
        }
        assert!(step.wake_at.is_none_or(|at| self.now.mono < at), "waking lies ahead");
    }

    pub(super) fn step(&mut self, now: Now, inputs: impl IntoIterator<Item = Input>) {
        self.now = now;
        let step = self.controller.step(now, inputs);
        self.take(step);
    }

    pub(super) fn see(&mut self, now: Now, endpoint: usize, outcome: Outcome) {
        let seen = observation(&self.controller.slots.fleet, endpoint, now, outcome);
        self.step(now, [Input::Observed(seen)]);
    }

    pub(super) fn share(&mut self, now: Now, generation: u64, overrides: &[Override]) {
        self.step(now, [Input::Shared { epoch: "one".into(), generation, overrides: overrides.into() }]);
    }

    pub(super) fn health(&self, endpoint: usize) -> (Health, Cause) {
        let verdict =
            self.controller.snapshot().verdicts[slot(&self.controller.slots.fleet, endpoint)].clone().unwrap();
        (verdict.health, verdict.cause)
    }
}

impl Node {
    pub(super) fn verdict(&self, endpoint: usize) -> crate::model::Verdict {
        self.controller.snapshot().verdicts[slot(&self.controller.slots.fleet, endpoint)].clone().unwrap()
    }

    /// Wakes as it asks to until then; the times of the pictures that came of it.
    pub(super) fn wake_until(&mut self, end: u64) -> Vec<u64> {
        let mut pictures = Vec::new();
        loop {
            let step = self.controller.step(self.now, []);
            let wake = step.wake_at.expect("a ballot is always due again");
            self.take(step);
            if wake > at(end).mono {
                return pictures;
            }
            let before = self.generation;
            let passed = wake.0 - self.now.mono.0;
            let now = Now { mono: wake, wall: Wall(self.now.wall.0 + passed) };
            self.step(now, []);
            if before < self.generation {
                pictures.push(wake.0 / 1000);
            }
        }
    }
}

pub(super) fn slot(fleet: &Fleet, endpoint: usize) -> usize {
    fleet.subjects.iter().position(|subject| subject.endpoint == EndpointIx::new(endpoint)).unwrap() * 2
}

pub(super) fn target(fleet: &Fleet, endpoint: usize) -> Target {
    fleet.targets().find(|(ix, _)| fleet.subject(*ix).endpoint == EndpointIx::new(endpoint)).unwrap().1
}

pub(super) fn observation(fleet: &Fleet, endpoint: usize, now: Now, outcome: Outcome) -> Observation {
    let address = fleet.endpoints[endpoint].address(Family::V4).unwrap();
    Observation {
        target: target(fleet, endpoint),
        revision: fleet.checks[0].revision,
        address: (address, 80).into(),
        at: now,
        outcome,
        phases: Phases { total: Duration::from_millis(500), ..Phases::default() },
        status: None,
        cert_left: None,
    }
}

pub(super) fn fail() -> Outcome {
    Outcome::Fail(Failure::Refused)
}

#[test]
fn a_failure_is_told_once_with_its_reason_and_how_long_it_took() {
    let mut node = Node::start(fleet(4), &Memory::default(), at(0));
    assert_eq!(node.health(0), (Health::Unknown, Cause::NoResult));
    let first = target(&node.controller.slots.fleet, 0);
    assert_eq!(node.tempi.get(&first), Some(&Tempo::Undecided));
    for endpoint in 0..4 {
        node.see(at(1), endpoint, Outcome::Pass);
    }
    assert_eq!((node.health(0), node.tempi.len()), ((Health::Up, Cause::Voted), 0));
    node.events.clear();
    node.see(at(10), 0, fail());
    assert_eq!(node.tempi.get(&first), Some(&Tempo::Recheck));
    node.see(at(13), 0, fail());
    assert_eq!((node.health(0).0, node.events.len()), (Health::Up, 0));
    node.see(at(16), 0, fail());
    assert_eq!(node.health(0).0, Health::Down);
    let [Happening::Verdict { from, to, reason, took_ms, services, .. }] = &node.events[..] else {
        panic!("{:?}", node.events)
    };
    assert_eq!((*from, *to, reason.as_deref(), *took_ms), (Health::Up, Health::Down, Some("refused"), Some(6_500)));
    assert_eq!(services.iter().map(ToString::to_string).collect::<Vec<_>>(), ["one", "two", "three"]);
}

#[test]
fn a_cooldown_ends_by_itself_and_delays_nothing_where_nothing_else_is_healthy() {
    let mut node = Node::start(fleet(2), &Memory::default(), at(0));
    node.see(at(1), 0, Outcome::Pass);
    node.see(at(1), 1, Outcome::Pass);
    (2..5).for_each(|s| node.see(at(s), 0, fail()));
    (10..12).for_each(|s| node.see(at(s), 0, Outcome::Pass));
    assert_eq!(node.health(0).0, Health::Down, "4 s + cooldown 30 s");
    assert_eq!(node.controller.step(at(12), []).wake_at.map(|at| at.0 <= 34_000), Some(true));
    node.step(at(33), []);
    assert_eq!(node.health(0).0, Health::Down);
    node.step(at(34), []);
    assert_eq!(node.health(0).0, Health::Up);
    // Now it is down again and recovering when the other one falls: it is taken at once.
    (40..43).for_each(|s| node.see(at(s), 0, fail()));
    node.see(at(43), 0, Outcome::Pass);
    (50..53).for_each(|s| node.see(at(s), 1, fail()));
    assert_eq!((node.health(0).0, node.health(1).0), (Health::Up, Health::Down));
    (54..57).for_each(|s| node.see(at(s), 0, fail()));
    node.see(at(57), 1, Outcome::Pass);
    assert_eq!(node.health(1).0, Health::Up, "one pass is enough while all is down");
}

#[test]
fn young_memories_are_believed_until_the_first_results_decide() {
    let mut node = Node::start(fleet(3), &Memory::default(), at(0));
    node.see(at(1), 0, Outcome::Pass);
    node.see(at(1), 1, Outcome::Pass);
    (1..4).for_each(|s| node.see(at(s), 2, fail()));
    let memory = node.controller.memory(at(10), LastGood::new());
    let again = |late| {
        let now = Now { mono: Mono(5), wall: at(late).wall };
        Node::start(fleet(3), &memory, now)
    };
    let mut young = again(600);
    assert_eq!(young.health(0), (Health::Up, Cause::Remembered));
    assert_eq!(young.health(2), (Health::Down, Cause::Remembered));
    assert!(young.generation > memory.generation && young.events.is_empty());
    let now = Now { mono: Mono(9), wall: at(600).wall };
    young.see(now, 2, Outcome::Pass);
    assert_eq!(young.health(2).0, Health::Down, "rise is 2");
    young.see(now, 2, Outcome::Pass);
    assert_eq!(young.health(2), (Health::Up, Cause::Voted));
    assert_eq!(again(611).health(2), (Health::Unknown, Cause::NoResult));
}

#[test]
fn orders_change_what_is_in_force_and_hide_nothing() {
    let mut node = Node::start(fleet(4), &Memory::default(), at(0));
    (0..4).for_each(|endpoint| node.see(at(1), endpoint, Outcome::Pass));
    node.events.clear();
    let down = Override { expires: at(100).wall, ..order(1, Action::Down, "endpoint:e1") };
    let freeze = Override { expires: at(50).wall, ..order(2, Action::Freeze, "endpoint:e2") };
    node.share(at(2), 3, &[down.clone(), freeze.clone()]);
    let words: Vec<_> = node.events.drain(..).map(|event| event.kind()).collect();
    assert_eq!(
        words,
        ["override.began", "override.began", "override.expiring", "override.expiring", "ordered", "verdict"][..]
            .iter()
            .copied()
            .filter(|kind| *kind != "override.expiring")
            .collect::<Vec<_>>()
    );
    let verdict =
        |node: &Node, e| node.controller.snapshot().verdicts[slot(&node.controller.slots.fleet, e)].clone().unwrap();
    assert_eq!((verdict(&node, 1).measured, verdict(&node, 1).health), (Health::Up, Health::Down));
    (3..9).for_each(|s| node.see(at(s), 2, fail()));
    assert_eq!((verdict(&node, 2).measured, verdict(&node, 2).health), (Health::Down, Health::Up));
    // An older generation is ignored.
    node.share(at(9), 2, &[]);
    assert_eq!(verdict(&node, 1).health, Health::Down);
    node.step(at(50), []);
    assert_eq!(verdict(&node, 2).health, Health::Down, "the freeze has ended");
    // Set forward: the monotonic clock does not agree that the time has come.
    node.step(Now { mono: at(51).mono, wall: at(5000).wall }, []);
    assert_eq!(verdict(&node, 1).health, Health::Down);
    node.step(at(100), []);
    assert_eq!(verdict(&node, 1).health, Health::Up);
    // Set back: what has ended stays so, until it is extended.
    let back = Now { mono: at(101).mono, wall: at(20).wall };
    node.share(back, 4, &[down.clone(), freeze]);
    assert_eq!(verdict(&node, 1).health, Health::Up);
    node.share(back, 5, &[Override { expires: at(200).wall, ..down }]);
    assert_eq!(verdict(&node, 1).health, Health::Down);
}

#[test]
fn a_reload_keeps_what_still_exists_and_forgets_the_rest() {
    let mut node = Node::start(fleet(4), &Memory::default(), at(0));
    (0..3).for_each(|endpoint| node.see(at(1), endpoint, Outcome::Pass));
    (1..4).for_each(|s| node.see(at(s), 3, fail()));
    let mut changed = parts(5);
    changed.endpoints.remove(0);
    for pool in &mut changed.pools {
        pool.members = pool
            .members
            .iter()
            .filter_map(|member| {
                let endpoint = EndpointIx::new(member.endpoint.index().checked_sub(1)?);
                Some(crate::model::Member { endpoint, ..*member })
            })
            .collect();
    }
    changed.checks = vec![crate::model::Check { revision: 2, ..check("web".parse().unwrap()) }];
    let changed = Fleet::assemble(changed).unwrap();
    node.step(at(5), [Input::Reloaded(Arc::clone(&changed))]);
    assert_eq!(node.health(0), (Health::Up, Cause::CheckChanged), "e1");
    assert_eq!((node.health(2).0, node.health(3).0), (Health::Down, Health::Unknown), "e3, e4");
    // A result of the older check does not count; the first full fall under the new one does.
    let old = Observation { revision: 1, ..observation(&changed, 0, at(6), fail()) };
    (0..9).for_each(|_| node.step(at(6), [Input::Observed(old.clone())]));
    assert_eq!(node.health(0).0, Health::Up);
    (0..3).for_each(|_| node.see(at(7), 0, fail()));
    assert_eq!(node.health(0), (Health::Down, Cause::Voted));
    let kept = node.controller.memory(at(8), LastGood::new()).verdicts;
    assert_eq!(kept.len(), 4, "the removed one is forgotten");
}
