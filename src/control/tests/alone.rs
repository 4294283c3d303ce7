//! What may leave while nobody else is heard, and when others are heard again.

use super::{
    modes::{UP, alive, ballot, down, link, quick, start},
    *,
};
use crate::model::{Alone, Anchor, AnchorAsk, Cause, Hold, Link, OwnFault, SelfTest, Vote};

#[test]
fn alone_what_is_ordered_in_serves_for_what_died_and_what_is_ordered_out_does_not() {
    let check = |action: Action, out: &[usize]| {
        let mut node = start(quick(6, |_| ()));
        node.step(at(2), [ballot(&node, "r1", 1, |_| UP)]);
        let others = [0, 2, 3, 4, 5]
            .map(|ix| Override { expires: at(500).wall, ..order(ix + 1, action.clone(), &format!("endpoint:e{ix}")) });
        node.share(at(3), 1, &others);
        for second in (12..40).step_by(4) {
            alive(&mut node, second, &[1]);
        }
        let left: Vec<usize> = down(&node).into_iter().filter(|ix| *ix == 1).collect();
        assert_eq!(left, out, "{action:?}");
    };
    // Each of them passes our probe: ordered in it serves, drained it serves where nothing else works, down it never does.
    check(Action::Up, &[1]);
    check(Action::Drain, &[1]);
    check(Action::Down, &[]);
}

#[test]
fn alone_the_last_one_that_passes_stays() {
    let mut node = start(quick(4, |_| ()));
    node.step(at(2), [ballot(&node, "r1", 1, |_| UP)]);
    node.wake_until(21);
    for second in [22, 24, 80, 82, 150, 152, 220, 222] {
        // Of what passes, e2 is at p0 as the node is.
        alive(&mut node, second, &[0, 1, 3]);
    }
    assert_eq!(down(&node), Vec::<usize>::new(), "nothing outside r0 and p0 passes: its own network is not proven");
    let mut node = start(quick(6, |_| ()));
    node.step(at(2), [ballot(&node, "r1", 1, |_| UP)]);
    for second in (12..300).step_by(4) {
        alive(&mut node, second, &[0, 1, 2, 3, 4]);
    }
    assert_eq!(down(&node), [0, 1, 2, 3, 4], "one provider a minute");
    alive(&mut node, 300, &[0, 1, 2, 3, 4, 5]);
    alive(&mut node, 302, &[0, 1, 2, 3, 4, 5]);
    assert_eq!((node.verdict(5).measured, node.verdict(5).hold), (Health::Down, Some(Hold::Alone)), "the last one");
}

/// What proved the network before it was cut goes on counting for two intervals, longer than peers do.
#[test]
fn cut_off_a_node_takes_nothing_out_by_a_proof_from_before() {
    let mut node = start(quick(6, |_| ()));
    node.step(at(2), [ballot(&node, "r1", 1, |_| UP)]);
    for second in [12, 13, 14, 15, 16] {
        alive(&mut node, second, &[1, 2, 4, 5]);
    }
    assert_eq!((link(&node), node.controller.self_test), (Link::Alone, SelfTest::Passed));
    assert_eq!((down(&node), node.verdict(1).hold), (vec![], Some(Hold::Alone)), "nothing outside has passed since");
    alive(&mut node, 17, &[1, 4]);
    assert_eq!(down(&node), [1, 4], "e5 passes: the network is there, and r1 is not");
}

/// A verdict stays while votes do not suffice; what was kept in force is not let go for that.
#[test]
fn back_from_alone_only_votes_let_go() {
    let mut node = start(quick(6, |_| ()));
    node.step(at(2), [ballot(&node, "r1", 1, |_| UP)]);
    (12..=16).for_each(|second| alive(&mut node, second, &[1, 2, 4, 5]));
    node.wake_until(40);
    assert_eq!((link(&node), node.controller.self_test), (Link::Alone, SelfTest::Failed));
    let says = |vote: Vote| move |endpoint| if endpoint == 1 { vote } else { UP };
    for (second, sequence) in (41..=60).zip(2..) {
        alive(&mut node, second, &[1, 2, 4, 5]);
        node.step(at(second), [ballot(&node, "r1", sequence, says(Vote::Abstain(OwnFault::Lag)))]);
    }
    assert_eq!((link(&node), down(&node), node.verdict(1).cause), (Link::Connected, vec![], Cause::NoVotes));
    node.step(at(61), [ballot(&node, "r1", 99, says(Vote::Down))]);
    assert_eq!(down(&node), [1], "the other's network is proven");
}

/// The others fall silent one by one, and what is left of the votes is ours.
#[test]
fn the_last_to_vote_on_an_endpoint_proves_its_network() {
    let mut node = start(quick(6, |_| ()));
    let abstains = |endpoint| if endpoint == 1 { Vote::Abstain(OwnFault::Lag) } else { UP };
    for name in ["r1", "r2"] {
        node.step(at(2), [ballot(&node, name, 1, abstains)]);
    }
    alive(&mut node, 3, &[1, 5]);
    alive(&mut node, 4, &[1, 5]);
    assert_eq!((down(&node), node.verdict(1).hold), (vec![], Some(Hold::Alone)), "nothing outside has passed since");
    alive(&mut node, 5, &[1]);
    assert_eq!((down(&node), node.verdict(1).hold), (vec![1], None));
}

#[test]
fn what_a_node_may_do_alone() {
    let anchor =
        |n: u8| Anchor { url: format!("tcp://192.0.2.{n}:1").into(), ask: AnchorAsk::Tcp, host: "x".into(), port: 1 };
    let check = |alone: Alone, anchored: Option<bool>, removed: bool, mode: &str| {
        let fleet = quick(6, |parts| {
            parts.verdict.alone = alone;
            parts.verdict.anchors = anchored.map(|_| vec![anchor(1), anchor(2), anchor(3)]).unwrap_or_default();
        });
        let mut node = start(fleet);
        node.step(at(2), [ballot(&node, "r1", 1, |_| UP)]);
        for second in [13, 23, 26] {
            let answers = (1..=3).map(|n| Input::Anchored {
                anchor: anchor(n),
                answered: anchored == Some(true) && n == 2,
                at: at(second).mono,
            });
            node.step(at(second), answers);
            // Nothing outside passes, but e0, e3 of its own region and e2, e4 of its own provider.
            alive(&mut node, second, &[1, 5]);
        }
        let out = if removed { vec![1, 5] } else { vec![] };
        assert_eq!((down(&node), node.controller.mode().to_string().as_str()), (out, mode), "{alone} {anchored:?}");
    };
    check(Alone::SelfTest, None, false, "alone frozen");
    check(Alone::SelfTest, Some(false), false, "alone frozen");
    check(Alone::SelfTest, Some(true), true, "alone");
    check(Alone::Judge, None, true, "alone");
    check(Alone::Hold, Some(true), false, "alone frozen");
}

#[test]
fn back_from_alone_it_is_counted_once() {
    let mut node = start(quick(6, |parts| parts.verdict.min_vantages = 3));
    for name in ["r1", "r2"] {
        node.step(at(2), [ballot(&node, name, 1, |_| UP)]);
    }
    node.step(at(12), []);
    alive(&mut node, 13, &[1]);
    alive(&mut node, 15, &[1]);
    assert_eq!(down(&node), [1]);
    node.events.clear();
    // One is back and says nothing of it yet; with the second one all are counted together.
    node.step(at(20), [ballot(&node, "r1", 2, |_| UP)]);
    assert_eq!((link(&node), down(&node), node.verdict(1).tally.cast()), (Link::Alone, vec![1], 1));
    node.step(at(21), [ballot(&node, "r2", 2, |_| UP)]);
    assert_eq!((link(&node), down(&node), node.verdict(1).tally.cast()), (Link::Connected, vec![], 3));
    let verdicts = node.events.iter().filter(|event| event.kind() == "verdict").count();
    assert_eq!(verdicts, 1);
    // If the second one never comes, the first counts after twice the patience.
    node.wake_until(40);
    assert_eq!(link(&node), Link::Alone);
    for second in [40, 45, 50, 55, 60] {
        node.step(at(second), [ballot(&node, "r1", second, |_| UP)]);
        alive(&mut node, second, &[]);
    }
    assert_eq!(link(&node), Link::Connected);
}
