//! What a node would keep for its next start, not yet written out.
//!
//! Why not written out at once: at 10,000 endpoints that takes several times as long as changing the answers, and it is
//! needed once a second at most.

use std::sync::Arc;

use crate::{model::Memory, steer::AnswerTable};

/// A memory in two parts: what only the controller knows, and the table that has the rest.
#[derive(Debug)]
pub(super) struct Recall {
    /// Without verdicts and last good answers.
    pub(super) outline: Memory,
    /// Has them.
    pub(super) table: Arc<AnswerTable>,
}

impl Recall {
    /// The memory itself.
    #[must_use]
    pub(super) fn whole(&self) -> Memory {
        let (verdicts, last_good) = (self.table.snapshot().remembered(), self.table.last_good());
        Memory { verdicts, last_good, ..self.outline.clone() }
    }
}
