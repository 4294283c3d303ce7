//! A staged reload as the node tells it.

use serde::Deserialize;

use crate::model::{Span, Wall};

/// A staged reload.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Rollout {
    pub(in crate::cli) id: String,
    pub(in crate::cli) stage: String,
    pub(in crate::cli) over: bool,
    pub(in crate::cli) canary: String,
    pub(in crate::cli) watch: Option<Span>,
    pub(in crate::cli) config: String,
    pub(in crate::cli) began: Option<Wall>,
    pub(in crate::cli) why: Option<String>,
}
