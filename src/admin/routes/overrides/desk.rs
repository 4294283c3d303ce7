//! What changing an override needs: the store, whose turn it is, and how far a change has got.

use std::{collections::HashSet, sync::Arc, time::Duration};

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
    model::{Company, Override, OverrideId, Snapshot, Span},
    store::{AuditDraft, Change, Committed, ControlStore, Durable, Seen as Fence, StoreError},
};

/// An answer waits this long for this node to follow a change; then it says that it does not yet.
const APPLY_MAX: Duration = Duration::from_secs(5);
/// Longest `wait` for the others: a client that needs more asks again.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// What changing needs.
#[derive(Clone)]
pub(in crate::admin::routes) struct Desk {
    /// Where changes go: to the store, or to this node's own.
    pub(super) store: Arc<dyn ControlStore>,
    /// The other one of the two, if there are two.
    beside: Option<Arc<dyn ControlStore>>,
    of_this_node: bool,
    turn: Turn,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    company: watch::Receiver<Arc<Company>>,
    pub(super) seen: Seen,
}

impl FromRef<Handles> for Desk {
    fn from_ref(handles: &Handles) -> Self {
        Self {
            store: Arc::clone(&handles.store),
            beside: handles.local.clone(),
            of_this_node: false,
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
        let durable = desk.store.load().await.map_err(|error| desk.refusal(&error))?;
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
            Err(error) => return Err(desk.refusal(&error)),
        }
    }
    Err(refusal::of_store(&last))
}

impl Desk {
    /// The desk of this node alone; none where nobody shares the store.
    pub(super) fn of_this_node(&self) -> Option<Self> {
        let own = Arc::clone(self.beside.as_ref()?);
        Some(Self { store: own, beside: Some(Arc::clone(&self.store)), of_this_node: true, ..self.clone() })
    }

    /// Whether changes are for this node alone.
    pub(super) fn is_of_this_node(&self) -> bool {
        self.of_this_node
    }

    /// The desk whose store holds an override; that of the shared one where none does.
    pub(super) fn holding(self, id: &OverrideId) -> Self {
        let holds = |desk: &Self| desk.durable().overrides.iter().any(|order| order.id == *id);
        match self.of_this_node().filter(|own| holds(own) && !holds(&self)) {
            Some(own) => own,
            None => self,
        }
    }

    /// All that apply on this node, where its store is in this state.
    pub(super) fn all(&self, durable: &Durable) -> Vec<Override> {
        let mut all = durable.overrides.to_vec();
        if let Some(beside) = &self.beside {
            let beside = Arc::clone(&beside.watch().borrow());
            let known: HashSet<&OverrideId> = durable.overrides.iter().map(|order| &order.id).collect();
            all.extend(beside.overrides.iter().filter(|order| !known.contains(&order.id)).cloned());
        }
        all
    }

    /// What an error of the store means here.
    pub(super) fn refusal(&self, error: &StoreError) -> Problem {
        refusal::of_store_among(error, &self.seen.company, self.beside.is_some() && !self.of_this_node)
    }

    /// The answer to the same request before.
    pub(super) async fn kept(&self, key: &Key, who: &Principal) -> Result<Option<Replay>, Problem> {
        key.find(&self.store, who, |error| self.refusal(error)).await
    }

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
        if self.of_this_node {
            return Arc::default();
        }
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
