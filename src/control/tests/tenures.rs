//! Overrides and ballots whose times meet a clock that is wrong.

use super::{
    modes::{self, UP, presence, quick, start},
    *,
};
use crate::model::{Ballot, SelfTest, Vote};

/// A `down` on the second endpoint until second 600, and a node that holds it.
fn evacuated() -> Node {
    let mut node = Node::start(fleet(4), &Memory::default(), at(0));
    (0..4).for_each(|endpoint| node.see(at(1), endpoint, Outcome::Pass));
    node.share(at(2), 1, &[evacuation()]);
    node
}

fn evacuation() -> Override {
    Override { expires: at(600).wall, ..order(1, Action::Down, "endpoint:e1") }
}

fn orders(node: &Node) -> usize {
    node.controller.snapshot().overrides.len()
}

fn told(node: &mut Node) -> Vec<&'static str> {
    let told = node.events.drain(..).filter_map(|event| {
        let began = matches!(event, Happening::OverrideBegan { .. }).then_some("began");
        began.or_else(|| matches!(event, Happening::OverrideEnded { .. }).then_some("ended"))
    });
    told.collect()
}

/// By the monotonic clock of the second process, and a clock of the day that is so many seconds ahead.
fn ahead(second: u64, by: u64) -> Now {
    Now { mono: Mono(second * 1000), wall: at(second + by).wall }
}

#[test]
fn a_start_with_the_clock_ahead_ends_no_order_for_good() {
    let memory = evacuated().controller.memory(at(10), LastGood::new());
    for restarts in [false, true] {
        let mut again = Node::start(fleet(4), &memory, ahead(11, 3_600));
        assert_eq!((orders(&again), told(&mut again)), (0, vec!["ended"]), "there is no other clock to ask");
        again.share(ahead(12, 3_600), 2, &[evacuation()]);
        assert_eq!(orders(&again), 0);
        if restarts {
            let memory = again.controller.memory(ahead(13, 3_600), LastGood::new());
            again = Node::start(fleet(4), &memory, at(14));
            again.share(at(15), 3, &[evacuation()]);
        } else {
            again.step(at(15), []);
        }
        assert_eq!((orders(&again), told(&mut again)), (1, vec!["began"]), "the clock was put right: {restarts}");
        assert_eq!(again.verdict(1).health, Health::Down);
        again.step(ahead(16, 3_600), []);
        assert_eq!(orders(&again), 1, "a clock that jumps later ends nothing");
        again.wake_until(601);
        assert_eq!((orders(&again), told(&mut again)), (0, vec!["ended"]));
        again.step(Now { mono: at(602).mono, wall: at(100).wall }, []);
        assert_eq!(orders(&again), 0, "and what has run out here stays so");
    }
}

#[test]
fn an_end_that_was_moved_has_both_clocks() {
    let until = |second| Override { expires: at(second).wall, ..evacuation() };
    let mut node = evacuated();
    node.share(at(102), 2, &[until(100)]);
    assert_eq!((orders(&node), told(&mut node)), (0, vec!["began", "ended"]), "ended early, and heard of late");
    node.step(Now { mono: at(103).mono, wall: at(40).wall }, []);
    assert_eq!(orders(&node), 0, "a clock that is set back revives nothing");

    let mut node = evacuated();
    node.step(ahead(10, 3_600), []);
    node.share(ahead(11, 3_600), 2, &[until(900)]);
    assert_eq!(orders(&node), 1, "extended while the clock is ahead");
    node.wake_until(800);
    assert_eq!(orders(&node), 1);
    node.wake_until(901);
    assert_eq!((orders(&node), told(&mut node)), (0, vec!["began", "ended"]));
}

#[test]
fn an_order_that_ran_out_while_the_node_was_away_is_told_once() {
    let memory = evacuated().controller.memory(at(10), LastGood::new());
    let mut again = Node::start(fleet(4), &memory, at(700));
    assert_eq!((orders(&again), told(&mut again)), (0, vec!["ended"]));
    again.share(at(701), 2, &[evacuation()]);
    again.share(at(702), 3, &[]);
    assert_eq!((orders(&again), told(&mut again)), (0, vec![]));
}

#[test]
fn a_peer_that_begins_again_with_its_clock_put_right_is_heard() {
    let mut node = Node::start(fleet(4), &Memory::default(), at(0));
    let say = |node: &mut Node, now: Now, sequence: u64, vote: Vote| {
        let votes = Arc::new([(target(&node.controller.slots.fleet, 0), vote)].into());
        let (north, paths) = ("north".parse().unwrap(), Default::default());
        let ballot = Ballot {
            node: north,
            region: None,
            provider: None,
            sequence,
            clock: now.mono,
            self_test: SelfTest::Passed,
            votes,
            paths,
            brakes: Default::default(),
        };
        node.step(now, [Input::Heard(ballot)]);
    };
    let up = Vote::Up { degraded: false, wavers: false };
    let counted = |node: &Node| (node.verdict(0).tally.up, node.verdict(0).tally.down);
    say(&mut node, at(1), 9_000, up);
    assert_eq!(counted(&node), (1, 0));
    // While it is heard, a lower sequence is an older ballot that comes late.
    say(&mut node, at(2), 1_000, Vote::Down);
    assert_eq!(counted(&node), (1, 0));
    node.wake_until(12);
    assert_eq!(counted(&node), (0, 0), "silent");
    say(&mut node, at(13), 9_000, up);
    assert_eq!(counted(&node), (0, 0), "its last one again is nothing new");
    say(&mut node, at(14), 1_001, Vote::Down);
    assert_eq!(counted(&node), (0, 1));
    say(&mut node, at(15), 1_000, up);
    assert_eq!(counted(&node), (0, 1));
}

#[test]
fn what_a_node_said_before_it_could_not_write_proves_nothing_of_its_clock() {
    let mut node = start(quick(3, |_| ()));
    let hear = |node: &mut Node, second: u64, sequence: u64, late: u64| {
        let mut said = presence(node, "r1", sequence, Digest::default());
        said.clock = Wall(at(second).wall.0 - late);
        node.step(at(second), [Input::Present(said)]);
        modes::told(node).into_iter().filter(|told| told.starts_with("clock")).collect::<Vec<_>>()
    };
    node.step(at(60), [modes::ballot(&node, "r1", 1, |_| UP)]);
    // Read when the store is back: a minute old. The next one is of now.
    assert_eq!(hear(&mut node, 61, 1, 60_000), Vec::<String>::new());
    assert_eq!(hear(&mut node, 62, 2, 40), Vec::<String>::new());
    // A clock that really is off is told with the second.
    let mut node = start(quick(3, |_| ()));
    node.step(at(60), [modes::ballot(&node, "r1", 1, |_| UP)]);
    assert_eq!(hear(&mut node, 61, 1, 60_000), Vec::<String>::new());
    assert_eq!(hear(&mut node, 62, 2, 60_000), ["clock-suspect true"]);
}
