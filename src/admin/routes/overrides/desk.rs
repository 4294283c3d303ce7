//! What changing an override needs: the store, whose turn it is, and how far a change has got.

use std::{sync::Arc, time::Duration};

use axum::{extract::FromRef, http::StatusCode};
use serde::Deserialize;
use tokio::sync::watch;

use crate::{
    admin::{
        auth::Principal,
        handles::{Handles, Turn},
        keyed::{Key, Replay},
        problem::Problem,
        refusal,
        seen::Seen,
        views::receipts,
    },
    model::{Company, Snapshot, Span},
    store::{AuditDraft, Change, Committed, ControlStore, Durable, Seen as Fence, StoreError},
};

/// An answer waits this long for this node to follow a change; then it says that it does not yet.
const APPLY_MAX: Duration = Duration::from_secs(5);
/// Longest `wait` for the others: a client that needs more asks again.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// What changing needs.
#[derive(Clone)]
pub(in crate::admin::routes) struct Desk {
    pub(super) store: Arc<dyn ControlStore>,
    turn: Turn,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    company: watch::Receiver<Arc<Company>>,
    pub(super) seen: Seen,
}

impl FromRef<Handles> for Desk {
    fn from_ref(handles: &Handles) -> Self {
        Self {
            store: Arc::clone(&handles.store),
            turn: handles.turn.clone(),
            snapshot: handles.snapshot.clone(),
            company: handles.company.clone(),
            seen: Seen::from_ref(handles),
        }
    }
}

/// For how long an answer waits until every node follows; at most [`WAIT_MAX`].
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::admin::routes) struct Wait(Duration);

impl TryFrom<String> for Wait {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let span: Span = text.parse().map_err(|error| format!("`wait`: {error}"))?;
        match span.0 <= WAIT_MAX {
            true => Ok(Self(span.0)),
            false => Err(format!("`wait` is at most {}", Span(WAIT_MAX))),
        }
    }
}

/// What came of a change.
pub(super) enum Outcome {
    Done(Box<Committed>),
    Again(Replay),
}

/// Decides on the state that is committed: on the newest, and again on a newer one when others were faster.
pub(super) async fn commit(
    desk: &Desk,
    key: Option<&Key>,
    who: &Principal,
    mut decide: impl FnMut(&Durable) -> Result<(Change, AuditDraft), Problem>,
) -> Result<Outcome, Problem> {
    let _turn = desk.turn.take().await;
    let mut last = StoreError::Conflict { current: 0 };
    for _ in 0..refusal::TRIES_MAX {
        let durable = desk.store.load().await.map_err(|error| refusal::of_store(&error))?;
        let (change, audit) = decide(&durable)?;
        let ends = matches!(change, Change::End { .. });
        let creates = matches!(change, Change::Create(_));
        let keep = key.map(|key| key.keep(who, Arc::clone(&desk.seen.snapshot), creates, ends));
        match desk.store.commit(change, Fence(durable.generation), audit, keep).await {
            Ok(committed) => return Ok(Outcome::Done(Box::new(committed))),
            Err(error @ StoreError::Conflict { .. }) => last = error,
            Err(StoreError::KeyUsed(kept)) => {
                let key = key.ok_or_else(|| Problem::plain(StatusCode::INTERNAL_SERVER_ERROR))?;
                return key.compare(*kept).map(Outcome::Again);
            }
            Err(error) => return Err(refusal::of_store(&error)),
        }
    }
    Err(refusal::of_store(&last))
}

impl Desk {
    pub(super) fn durable(&self) -> Arc<Durable> {
        Arc::clone(&self.store.watch().borrow())
    }

    /// The snapshot that follows a change, or the newest when that takes too long.
    pub(super) async fn followed(&self, follows: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let mut snapshot = self.snapshot.clone();
        let waited = tokio::time::timeout(APPLY_MAX, snapshot.wait_for(|snapshot| follows(snapshot))).await;
        let followed = waited.ok().and_then(|seen| seen.ok().map(|seen| Arc::clone(&seen)));
        followed.unwrap_or_else(|| Arc::clone(&self.snapshot.borrow()))
    }

    /// The other nodes, once all of them have applied a generation or the wait is over. Without one: as they are.
    pub(super) async fn everywhere(&self, generation: u64, wait: Option<Wait>) -> Arc<Company> {
        let mut company = self.company.clone();
        if let Some(Wait(wait)) = wait {
            let all = company.wait_for(|company| receipts(company, generation).pending.is_empty());
            // Over or not, what is said is how it stands then.
            let _ = tokio::time::timeout(wait, all).await;
        }
        let company = company.borrow();
        Arc::clone(&company)
    }
}
