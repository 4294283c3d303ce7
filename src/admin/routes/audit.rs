//! The audit: reading it, and writing of what is not an override.

use std::sync::Arc;

use axum::{
    extract::{FromRef, FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use serde::Deserialize;

use crate::{
    admin::{
        ask::Asked,
        auth::{Administrator, Principal},
        edge::RequestId,
        problem::Problem,
        refusal,
        tell::{Told, page_limit, read_cursor, write_cursor},
        views::{AuditView, Page},
    },
    clock::Clock,
    store::{AuditDraft, ControlStore},
};

/// Writes audit entries of one request.
pub(super) struct Auditor {
    store: Arc<dyn ControlStore>,
    request: RequestId,
}

impl<S> FromRequestParts<S> for Auditor
where
    S: Sync,
    Arc<dyn ControlStore>: FromRef<S>,
{
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let request = parts.extensions.get::<RequestId>().cloned();
        let request = request.ok_or_else(|| Problem::plain(StatusCode::INTERNAL_SERVER_ERROR))?;
        Ok(Self { store: Arc::from_ref(state), request })
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
        self.store.note(draft).await.map_err(|error| refusal::of_store(&error))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Newest first.
pub(super) async fn audit(
    _: Administrator,
    Asked(Which { limit, cursor }): Asked<Which>,
    State(store): State<Arc<dyn ControlStore>>,
) -> Result<Told<Page<AuditView>>, Problem> {
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
