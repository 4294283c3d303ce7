//! This node's ballot: `GET /v1/ballot`, for peers that the store carries none to.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    model::{Ballot, NodeId, ms},
    store::ballots::Scribe,
};

/// A ballot, in the pieces that stand in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BallotView {
    /// Whose.
    pub node: NodeId,
    /// Rises with each ballot of this node.
    pub sequence: u64,
    /// How long ago it was spoken, in milliseconds. Nobody counts a ballot that is too old, however new it is to them.
    pub age_ms: u64,
    /// Names and texts, in the store's own form.
    pub pieces: Vec<(String, String)>,
}

impl BallotView {
    /// All of it, spoken so long ago.
    #[must_use]
    pub fn of(ballot: &Ballot, age: Duration) -> Self {
        let draft = Scribe::new("direct".into()).draft(ballot, Duration::ZERO);
        let pieces = draft.writes.into_iter().filter_map(|(piece, text)| Some((piece.to_string(), text?)));
        let (node, sequence) = (ballot.node.clone(), ballot.sequence);
        Self { node, sequence, age_ms: ms(age), pieces: pieces.collect() }
    }
}
