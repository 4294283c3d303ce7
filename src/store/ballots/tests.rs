use std::{collections::BTreeMap, sync::Arc, time::Duration};

use proptest::prelude::*;

use super::{super::records::samples::a_ballot, *};
use crate::model::{Ballot, BrakeState, Family, Mono, NodeId, Out, SelfTest, SubjectId, Target, Vote};

const UP: Vote = Vote::Up { degraded: false, wavers: false };

fn target(number: usize) -> Target {
    let endpoint = format!("ep-{number}").parse().unwrap();
    Target { subject: SubjectId { endpoint, check: "web".parse().unwrap() }, family: Family::V4 }
}

fn ballot(sequence: u64, targets: usize) -> Ballot {
    Ballot {
        node: "eu-1".parse().unwrap(),
        region: Some("eu".parse().unwrap()),
        provider: None,
        sequence,
        clock: Mono(sequence),
        self_test: SelfTest::Passed,
        votes: Arc::new((0..targets).map(|number| (target(number), UP)).collect()),
        paths: Arc::default(),
        brakes: Arc::default(),
    }
}

/// A scribe and somebody who reads everything it writes.
struct Pair {
    node: NodeId,
    scribe: Scribe,
    reading: Reading,
}

impl Pair {
    fn new() -> Self {
        let node = "eu-1".parse().unwrap();
        Self { node, scribe: Scribe::new("boot".into()), reading: Reading::default() }
    }

    /// Writes it at this second; how many pieces and octets that took.
    fn publish(&mut self, ballot: &Ballot, second: u64) -> (usize, usize) {
        let draft = self.scribe.draft(ballot, Duration::from_secs(second));
        let size = (draft.writes.len(), draft.writes.iter().flat_map(|(_, text)| text).map(String::len).sum());
        for (piece, text) in &draft.writes {
            self.reading.take(&self.node, *piece, text.as_deref());
        }
        self.scribe.written(draft);
        size
    }

    fn read(&mut self) -> Ballot {
        self.reading.complete().expect("it is complete")
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_ballots_are_read_back_as_written(ballots in proptest::collection::vec(a_ballot(), 1..5)) {
        let mut pair = Pair::new();
        for (second, ballot) in ballots.into_iter().enumerate() {
            let ballot = Ballot { node: pair.node.clone(), ..ballot };
            // Each long after the one before: all of it is due.
            pair.publish(&ballot, second as u64 * 60);
            prop_assert_eq!(pair.read(), ballot);
        }
    }
}

#[test]
fn a_heartbeat_costs_the_same_in_any_fleet_and_shares_what_it_repeats() {
    for targets in [10, 50_000] {
        let mut pair = Pair::new();
        let first = ballot(1, targets);
        let (pieces, _) = pair.publish(&first, 0);
        assert_eq!(pieces, targets.div_ceil(PART_TARGETS).min(PARTS_MAX) + 1);
        let one = pair.read();
        let (pieces, octets) = pair.publish(&Ballot { sequence: 2, ..first.clone() }, 2);
        assert_eq!(pieces, 1);
        assert!(octets < 512, "{octets} octets for {targets} targets");
        let two = pair.read();
        assert!(two.sequence == 2 && Arc::ptr_eq(&one.votes, &two.votes) && Arc::ptr_eq(&one.brakes, &two.brakes));
    }
}

#[test]
fn a_few_changes_rewrite_nothing_and_many_are_folded_in() {
    let mut pair = Pair::new();
    let mut now = ballot(1, 2_000);
    pair.publish(&now, 0);
    let mut folds = 0;
    for number in 0..300 {
        now.sequence += 1;
        Arc::make_mut(&mut now.votes).insert(target(number), Vote::Down);
        if number % 7 == 0 {
            Arc::make_mut(&mut now.votes).remove(&target(1_000 + number));
        }
        let (pieces, octets) = pair.publish(&now, 1);
        folds += usize::from(pieces > 1);
        assert!(pieces <= 5 && (pieces > 1 || octets < 4_096), "{pieces} pieces, {octets} octets");
        assert_eq!(pair.read(), now);
    }
    assert_eq!(folds, 2, "342 changes, 128 of them at a time");
}

#[test]
fn what_the_brakes_of_many_let_go_is_written_now_and_then() {
    let mut pair = Pair::new();
    let mut now = ballot(1, 10);
    let brakes = |out: usize, frozen| {
        let left = (0..out).map(|number| (target(number).subject.endpoint, Mono(7))).collect();
        Arc::new(BrakeState { frozen, out: Out::These((0..out).map(target).collect()), left })
    };
    now.brakes = brakes(2_000, false);
    pair.publish(&now, 10);
    let first = pair.read().brakes;
    now.brakes = brakes(3_000, false);
    assert_eq!(pair.publish(&now, 11).0, 1);
    assert_eq!(pair.read().brakes, first, "what stands is believed for {BRAKES_EVERY:?}");
    pair.publish(&now, 15);
    assert_eq!(pair.read(), now);
    now.brakes = brakes(3_001, true);
    pair.publish(&now, 15);
    assert_eq!(pair.read(), now, "everything is held from now on: that waits for nothing");
}

#[test]
fn what_was_missed_is_written_again_and_half_of_it_is_not_read() {
    let mut pair = Pair::new();
    let (first, mut second) = (ballot(1, 600), ballot(2, 600));
    pair.publish(&first, 0);
    Arc::make_mut(&mut second.votes).values_mut().for_each(|vote| *vote = Vote::Down);
    // The parts arrive, the record does not.
    let draft = pair.scribe.draft(&second, Duration::from_secs(1));
    for (piece, text) in draft.writes.iter().filter(|(piece, _)| *piece != Piece::Record) {
        pair.reading.take(&pair.node, *piece, text.as_deref());
    }
    assert_eq!(pair.reading.complete(), None);
    pair.scribe.missed(draft);
    // What stood before is not believed to stand, though its sum is the same.
    let third = Ballot { sequence: 3, ..first };
    pair.publish(&third, 2);
    assert_eq!(pair.read(), third);
    pair.scribe.forget();
    assert_eq!(pair.publish(&third, 3).0, 3, "its lease has ended: all of it again");
}

#[test]
fn what_makes_no_sense_is_not_put_together() {
    let mut pair = Pair::new();
    pair.publish(&ballot(1, 600), 0);
    let node = pair.node.clone();
    let of = |other: &str, sequence: u64| {
        let mut scribe = Scribe::new("boot".into());
        let ballot = Ballot { node: other.parse().unwrap(), ..ballot(sequence, 0) };
        scribe.draft(&ballot, Duration::ZERO).writes.pop().unwrap().1
    };
    pair.reading.take(&node, Piece::Record, of("us-1", 9).as_deref());
    pair.reading.take(&node, Piece::Record, Some("{"));
    assert_eq!(pair.reading.sequence(), Some(1), "a node speaks for itself alone");
    for forged in [r#"{"v":1,"votes":[["web","ipv4","maybe",["a"]]]}"#, r#"{"v":2,"votes":[]}"#, "[]"] {
        pair.reading.take(&node, Piece::Part(Kind::Votes, 0), Some(forged));
        assert_eq!(pair.reading.complete(), None, "{forged}");
    }
    pair.reading.take(&node, Piece::Part(Kind::Votes, PARTS_MAX), Some("{}"));
    pair.reading.take(&node, Piece::Record, of("eu-1", 2).as_deref());
    assert_eq!(pair.read().votes, Arc::new(BTreeMap::new()), "no part is asked for");
}
