//! Ballots inside one process: a single node, and the demo's vantages that share one bus.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::watch;

use crate::model::{Ballot, NodeId};

use super::BallotBus;

/// Keeps the newest ballot of each node that published here. Bounded by the number of nodes of the process.
#[derive(Debug)]
pub struct InProcessBus {
    ballots: watch::Sender<Arc<BTreeMap<NodeId, Ballot>>>,
}

impl Default for InProcessBus {
    fn default() -> Self {
        Self { ballots: watch::Sender::new(Arc::default()) }
    }
}

impl BallotBus for InProcessBus {
    fn publish(&self, ballot: Ballot) {
        self.ballots.send_modify(|ballots| {
            Arc::make_mut(ballots).insert(ballot.node.clone(), ballot);
        });
    }

    fn watch(&self) -> watch::Receiver<Arc<BTreeMap<NodeId, Ballot>>> {
        self.ballots.subscribe()
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
            self_test: SelfTest::Passed,
            votes: BTreeMap::new(),
            paths: BTreeMap::new(),
            brakes: crate::model::BrakeState::default(),
        };
        for (node, sequence) in [("eu-1", 1), ("us-1", 1), ("eu-1", 2)] {
            bus.publish(ballot(node, sequence));
        }
        let seen: Vec<_> = watch.borrow().values().map(|b| (b.node.to_string(), b.sequence)).collect();
        assert_eq!(seen, [("eu-1".to_owned(), 2), ("us-1".to_owned(), 1)]);
    }
}
