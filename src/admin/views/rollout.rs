//! A staged reload: `GET /v1/config/rollout`.

use serde::{Deserialize, Serialize};

use crate::model::{NodeId, Rollout, Span, Wall};

/// A staged reload, however far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutView {
    /// Of this attempt.
    pub id: String,
    /// `asked`, `watched`, `spreading`, `done` or `rolled-back`.
    pub stage: String,
    /// Nothing follows any more.
    pub over: bool,
    /// Who tries it first.
    pub canary: NodeId,
    /// For how long it is watched.
    pub watch: Span,
    /// Digest of the configuration that is to be in force.
    pub config: String,
    /// Digest of the one that was.
    pub before: String,
    /// When it was asked for.
    pub began: Wall,
    /// Who asked.
    pub by: String,
    /// Why it was rolled back, or who has not followed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<String>,
}

impl From<&Rollout> for RolloutView {
    fn from(rollout: &Rollout) -> Self {
        Self {
            id: rollout.id.clone(),
            stage: rollout.stage.to_string(),
            over: rollout.stage.is_over(),
            canary: rollout.canary.clone(),
            watch: Span(rollout.watch),
            config: rollout.fleet.to_string(),
            before: rollout.before.to_string(),
            began: rollout.began,
            by: rollout.author.clone(),
            why: rollout.why.clone(),
        }
    }
}
