//! What the store's errors mean to a client.

use std::time::Duration;

use axum::http::StatusCode;

use super::problem::Problem;
use crate::{
    model::{Agreement, Company},
    store::StoreError,
};

/// A commit is tried again this often when the store has moved on in between (STATE rule 10).
pub(super) const TRIES_MAX: usize = 5;
/// So many nodes are named that take orders.
const TAKERS_MAX: usize = 10;

/// The same, with what the other nodes and this one alone could do.
pub(super) fn of_store_among(error: &StoreError, company: &Company, alone: bool) -> Problem {
    let problem = of_store(error);
    match error {
        StoreError::ReadOnly { .. } => problem.hint(read_only_hint(company)).with("nodes", takers(company)),
        StoreError::Away { .. } if alone => {
            let hint = "nothing was changed; answers and overrides stay as they are; if it cannot wait, an admin may order \
                        on this node alone for up to an hour: `--local`";
            problem.hint(hint)
        }
        StoreError::Conflict { .. }
        | StoreError::NoOverride(_)
        | StoreError::KeyUsed(_)
        | StoreError::Full { .. }
        | StoreError::Refused { .. }
        | StoreError::Damaged { .. }
        | StoreError::InUse { .. }
        | StoreError::Sealed { .. }
        | StoreError::Away { .. }
        | StoreError::Held { .. }
        | StoreError::Unknown(_) => problem,
    }
}

/// Whom to ask instead of this node. It passes nothing on itself: it knows no way to them that proves who asked.
pub(super) fn read_only_hint(company: &Company) -> String {
    match &takers(company)[..] {
        [] => {
            "no node that takes orders is heard now; bring one back, or give this node's user of etcd the right".into()
        }
        nodes => format!("nothing was changed; ask one that takes orders: {}", nodes.join(", ")),
    }
}

/// Nodes that are heard and take orders; at most [`TAKERS_MAX`] are named.
fn takers(company: &Company) -> Vec<String> {
    let heard = company.others.iter().filter(|other| other.agreement != Agreement::Unheard);
    let takes = heard.filter(|other| other.presence.as_ref().is_some_and(|presence| presence.process.orders));
    takes.map(|other| other.node.to_string()).take(TAKERS_MAX).collect()
}

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
        StoreError::ReadOnly { .. } => unavailable("store.read_only", error.to_string())
            .hint("nothing was changed; ask a node that takes orders: `wayshift node list` names them"),
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
