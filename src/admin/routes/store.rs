//! The store: what a person decides about one that is held.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;

use super::audit::Auditor;
use crate::{
    admin::{
        ask::{Asked, Body},
        auth::Administrator,
        draft,
        problem::Problem,
        refusal,
        tell::Told,
        views::AdoptionView,
    },
    store::ControlStore,
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dry {
    #[serde(default)]
    dry_run: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Adopting {
    reason: Option<String>,
}

/// Makes a held store go on from what this node knows.
pub(super) async fn adopt(
    Administrator(who): Administrator,
    Asked(Dry { dry_run }): Asked<Dry>,
    State(store): State<Arc<dyn ControlStore>>,
    auditor: Auditor,
    Body { value: Adopting { reason }, .. }: Body<Adopting>,
) -> Result<Told<AdoptionView>, Problem> {
    let reason = draft::given_reason(reason.as_deref())?;
    if reason.is_none() && !dry_run {
        return Err(Problem::unfit("reason", "/reason", "say why: the audit keeps it"));
    }
    let audit = (!dry_run).then(|| auditor.draft(&who, "store.adopt", "store".into(), reason));
    let adoption = store.adopt(audit).await.map_err(|error| refusal::of_store(&error))?;
    Ok(Told::of(AdoptionView::of(&adoption, dry_run)))
}
