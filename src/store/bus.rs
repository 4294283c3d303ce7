//! Ballots inside one process: a single node, and the demo's vantages that share one bus.

use std::sync::Arc;

use tokio::sync::watch;

use crate::model::{Ballot, Presence};

use super::{BallotBus, Voices};

/// Keeps the newest of each node that published here. Bounded by the number of nodes of the process.
#[derive(Debug)]
pub struct InProcessBus {
    voices: watch::Sender<Arc<Voices>>,
}

impl Default for InProcessBus {
    fn default() -> Self {
        Self { voices: watch::Sender::new(Arc::default()) }
    }
}

impl BallotBus for InProcessBus {
    fn publish(&self, ballot: Ballot) {
        self.voices.send_modify(|voices| {
            Arc::make_mut(voices).ballots.insert(ballot.node.clone(), Arc::new(ballot));
        });
    }

    fn introduce(&self, presence: Presence) {
        self.voices.send_modify(|voices| {
            Arc::make_mut(voices).presences.insert(presence.node.clone(), Arc::new(presence));
        });
    }

    fn watch(&self) -> watch::Receiver<Arc<Voices>> {
        self.voices.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SelfTest;

    #[test]
    fn the_newest_ballot_of_each_node_is_seen() {
        let bus = InProcessBus::default();
        let watch = bus.watch();
        let ballot = |node: &str, sequence| Ballot {
            node: node.parse().unwrap(),
            region: None,
            provider: None,
            sequence,
            clock: crate::model::Mono(sequence),
            self_test: SelfTest::Passed,
            votes: Default::default(),
            paths: Default::default(),
            brakes: Default::default(),
        };
        for (node, sequence) in [("eu-1", 1), ("us-1", 1), ("eu-1", 2)] {
            bus.publish(ballot(node, sequence));
        }
        let seen: Vec<_> = watch.borrow().ballots.values().map(|b| (b.node.to_string(), b.sequence)).collect();
        assert_eq!(seen, [("eu-1".to_owned(), 2), ("us-1".to_owned(), 1)]);
    }
}
