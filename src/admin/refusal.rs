//! What the store's errors mean to a client.

use std::time::Duration;

use axum::http::StatusCode;

use super::problem::Problem;
use crate::store::StoreError;

/// A commit is tried again this often when the store has moved on in between (STATE rule 10).
pub(super) const TRIES_MAX: usize = 5;

/// By what the client can do.
pub(super) fn of_store(error: &StoreError) -> Problem {
    let unavailable = |code, detail: String| Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
    match error {
        StoreError::Conflict { current } => {
            Problem::new(StatusCode::CONFLICT, "store.moved", "others keep changing overrides; this was not done")
                .hint("try again")
                .with("current", current)
                .retry_after(Duration::from_secs(1))
        }
        StoreError::NoOverride(id) => Problem::no("override", &id.to_string()),
        StoreError::KeyUsed(_) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "idempotency.key_used", error.to_string())
        }
        StoreError::Full { .. } => Problem::new(StatusCode::CONFLICT, "store.full", error.to_string())
            .hint("end overrides that are no longer needed"),
        StoreError::Refused { .. } => unavailable("store.refused", error.to_string())
            .hint("nothing was changed; look at the disk")
            .retry_after(Duration::from_secs(5)),
        StoreError::InUse { .. } => unavailable("store.in_use", error.to_string()),
        StoreError::Damaged { .. } => unavailable("store.damaged", error.to_string())
            .hint("answers go on from the last snapshot; overrides are refused until the database is repaired"),
        StoreError::Away { .. } => unavailable("store.away", error.to_string())
            .hint("nothing was changed; answers and overrides stay as they are")
            .retry_after(Duration::from_secs(5)),
        StoreError::Held { .. } => Problem::new(StatusCode::CONFLICT, "store.held", error.to_string())
            .hint("what is in force stays in force; `wayshift store adopt --dry-run` shows what this node would have it go on with"),
        StoreError::Sealed { moved: true, .. } => Problem::new(StatusCode::CONFLICT, "store.sealed", error.to_string())
            .hint("name it in `[store.etcd]` of this node's configuration and start the node again; what is in force stays in force"),
        StoreError::Sealed { moved: false, .. } => unavailable("store.sealed", error.to_string())
            .hint("nothing was changed; where this lasts, run `wayshift store migrate --to etcd` again, or end it with --abort")
            .retry_after(Duration::from_secs(5)),
        StoreError::Unknown(_) => unavailable("store.outcome_unknown", error.to_string())
            .hint("it may have happened: repeat with the same Idempotency-Key")
            .with("outcome", "unknown")
            .retry_after(Duration::from_secs(1)),
    }
}
