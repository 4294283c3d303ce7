//! The audit: reading it, and writing of what is not an override.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use serde::Deserialize;

use crate::{
    admin::{
        ask::Asked,
        auth::{Administrator, Principal},
        edge::RequestId,
        handles::Handles,
        problem::Problem,
        refusal,
        tell::{Told, page_limit, read_cursor, write_cursor},
        views::{AuditView, Page},
    },
    clock::Clock,
    store::{AuditDraft, ControlStore, StoreError},
};

/// Writes audit entries of one request.
pub(super) struct Auditor {
    store: Arc<dyn ControlStore>,
    /// This node's own, where others share the store: what it takes is carried over once that is back.
    own: Option<Arc<dyn ControlStore>>,
    request: RequestId,
}

impl FromRequestParts<Handles> for Auditor {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, handles: &Handles) -> Result<Self, Problem> {
        let request = parts.extensions.get::<RequestId>().cloned();
        let request = request.ok_or_else(|| Problem::plain(StatusCode::INTERNAL_SERVER_ERROR))?;
        Ok(Self { store: Arc::clone(&handles.store), own: handles.local.clone(), request })
    }
}

impl Auditor {
    /// An entry as far as the request itself tells.
    pub(super) fn draft(&self, who: &Principal, action: &str, target: String, reason: Option<String>) -> AuditDraft {
        AuditDraft {
            at: Clock::wall(),
            actor: who.name.clone(),
            from: who.peer.to_string(),
            action: action.to_owned(),
            target,
            before: None,
            after: None,
            reason,
            request_id: self.request.0.to_string(),
        }
    }

    /// Keeps an entry of something that changes no override. What cannot be audited does not happen.
    pub(super) async fn note(
        &self,
        who: &Principal,
        action: &str,
        target: String,
        reason: Option<String>,
    ) -> Result<(), Problem> {
        let draft = self.draft(who, action, target, reason);
        match (self.store.note(draft.clone()).await, &self.own) {
            (Err(StoreError::Away { .. } | StoreError::ReadOnly { .. } | StoreError::Unknown(_)), Some(own)) => {
                own.note(draft).await.map_err(|error| refusal::of_store(&error))
            }
            (noted, _) => noted.map_err(|error| refusal::of_store(&error)),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    limit: Option<usize>,
    cursor: Option<String>,
    /// What this node keeps by itself, because the shared store was out of reach or it may not write there.
    #[serde(default)]
    local: bool,
}

/// Newest first.
pub(super) async fn audit(
    _: Administrator,
    Asked(Which { limit, cursor, local }): Asked<Which>,
    State(store): State<Arc<dyn ControlStore>>,
    State(own): State<Option<Arc<dyn ControlStore>>>,
) -> Result<Told<Page<AuditView>>, Problem> {
    let shared_with_nobody = || Problem::bad("local", "this node shares its store with nobody: its audit is the audit");
    let store = if local { own.ok_or_else(shared_with_nobody)? } else { store };
    let limit = page_limit(limit)?;
    let before = match read_cursor(cursor.as_deref())? {
        None => u64::MAX,
        Some(place) => place.parse().map_err(|_| Problem::bad("cursor", "this cursor is of another list"))?,
    };
    let mut entries = store.audit(before, limit + 1).await.map_err(|error| refusal::of_store(&error))?;
    let more = limit < entries.len();
    entries.truncate(limit);
    let next = entries.last().filter(|_| more).map(|last| write_cursor(&last.sequence.to_string()));
    Ok(Told::of(Page { items: entries.into_iter().map(AuditView::from).collect(), next }))
}
