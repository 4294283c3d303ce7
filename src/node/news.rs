//! What the bus holds, as inputs: each ballot and each presence once.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    control::Input,
    model::{Ballot, NodeId, Presence},
    store::Voices,
};

/// Remembers what was handed on. Bounded as the bus is; who is gone from there is dropped here.
#[derive(Debug)]
pub(super) struct News {
    me: NodeId,
    /// The newest sequence of our own ballots.
    published: u64,
    ballots: BTreeMap<NodeId, u64>,
    presences: BTreeMap<NodeId, (u64, u64)>,
}

impl News {
    /// For this node.
    pub(super) fn new(me: NodeId) -> Self {
        Self { me, published: 0, ballots: BTreeMap::new(), presences: BTreeMap::new() }
    }

    /// This ballot of ours goes out: it is no news when it comes back.
    pub(super) fn published(&mut self, sequence: u64) {
        self.published = self.published.max(sequence);
    }

    /// What is in there and has not been handed on.
    pub(super) fn of(&mut self, voices: &Voices) -> Vec<Input> {
        let mut inputs = Vec::new();
        self.ballots.retain(|node, _| voices.ballots.contains_key(node));
        self.presences.retain(|node, _| voices.presences.contains_key(node));
        for (node, presence) in &voices.presences {
            let now = (presence.process.boot, presence.sequence);
            if self.presences.insert(node.clone(), now) != Some(now) {
                inputs.push(self.presence(presence));
            }
        }
        for (node, ballot) in &voices.ballots {
            let of_ours = *node == self.me && ballot.sequence <= self.published;
            if self.ballots.insert(node.clone(), ballot.sequence) != Some(ballot.sequence) && !of_ours {
                inputs.push(Input::Heard(Ballot::clone(ballot)));
            }
        }
        inputs
    }

    fn presence(&self, presence: &Arc<Presence>) -> Input {
        match presence.node == self.me {
            true => Input::Echo { sequence: presence.sequence },
            false => Input::Present(Presence::clone(presence)),
        }
    }
}
