//! The store: `POST /v1/store/adopt`.

use serde::{Deserialize, Serialize};

use crate::{model::OverrideId, store::Adoption};

/// What adopting does, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptionView {
    /// Nothing was done.
    pub dry_run: bool,
    /// The epoch that was found; left out for an empty store.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub found_epoch: Option<String>,
    /// The generation that was found.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub found_generation: Option<u64>,
    /// The epoch that it goes on with.
    pub epoch: String,
    /// The generation that it goes on with.
    pub generation: u64,
    /// Overrides that it lacked, or had otherwise: this node's are taken.
    pub taken: Vec<OverrideId>,
    /// Overrides that it still had and that have ended.
    pub dropped: Vec<OverrideId>,
    /// How many overrides it has then.
    pub overrides: usize,
}

impl AdoptionView {
    pub(in crate::admin) fn of(adoption: &Adoption, dry_run: bool) -> Self {
        Self {
            dry_run,
            found_epoch: adoption.found.as_ref().map(|(epoch, _)| epoch.clone()),
            found_generation: adoption.found.as_ref().map(|(_, generation)| *generation),
            epoch: adoption.next.0.clone(),
            generation: adoption.next.1,
            taken: adoption.taken.clone(),
            dropped: adoption.dropped.clone(),
            overrides: adoption.overrides,
        }
    }
}
