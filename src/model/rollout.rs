//! Staged reloads: a configuration that one node tries before the others take it.

use std::time::Duration;

use super::{Digest, NodeId, Wall};

/// A staged reload as all nodes agree on it. Every node has the new file already; this says who may take it, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// Of this attempt.
    pub id: String,
    /// Who tries it first.
    pub canary: NodeId,
    /// Of the fleet that is to be in force.
    pub fleet: Digest,
    /// Of the fleet that was, where it was asked for.
    pub before: Digest,
    /// For how long the canary is watched.
    pub watch: Duration,
    /// The life of the canary that has applied it: another life is a canary that died.
    pub boot: Option<u64>,
    /// When it was asked for.
    pub began: Wall,
    /// Who asked.
    pub author: String,
    /// How far it is.
    pub stage: Stage,
    /// Why it was rolled back, or who has not followed.
    pub why: Option<String>,
}

/// How far a staged reload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Stage {
    /// The canary has not applied it yet.
    #[default]
    Asked,
    /// The canary has, and is watched.
    Watched,
    /// All others take it.
    Spreading,
    /// It is in force.
    Done,
    /// What was before is in force.
    RolledBack,
}

super::service::words!(Stage {
    Asked = "asked",
    Watched = "watched",
    Spreading = "spreading",
    Done = "done",
    RolledBack = "rolled-back",
});

impl Stage {
    /// Whether nothing follows any more.
    #[must_use]
    pub fn is_over(self) -> bool {
        match self {
            Self::Done | Self::RolledBack => true,
            Self::Asked | Self::Watched | Self::Spreading => false,
        }
    }
}
