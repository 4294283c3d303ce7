//! Idempotency keys: the same request twice is one change and one answer.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::{auth::Principal, problem::Problem, views::OverrideView};
use crate::{
    model::{Override, Snapshot},
    store::{ControlStore, Idempotency, KeepKey, StoreError},
};

/// Longest key, in characters.
const KEY_LENGTH_MAX: usize = 255;

/// A request's key and what it stands for.
#[derive(Debug, Clone)]
pub(super) struct Key {
    key: String,
    fingerprint: String,
}

/// The answer that was given.
#[derive(Debug, Clone)]
pub(super) struct Replay {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Key {
    /// From `Idempotency-Key`; the draft of the standard has it in quotes, most clients do not.
    pub(super) fn of(headers: &HeaderMap, request: &str, body: &[u8]) -> Result<Option<Self>, Problem> {
        let Some(field) = headers.get("idempotency-key") else { return Ok(None) };
        let bad = || Problem::bad("Idempotency-Key", "a key is 1 to 255 visible ASCII characters");
        let key = field.to_str().map_err(|_| bad())?.trim();
        let key = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
        let visible = key.bytes().all(|octet| (b' '..=b'~').contains(&octet));
        if key.is_empty() || KEY_LENGTH_MAX < key.len() || !visible {
            return Err(bad());
        }
        let mut hash = Sha256::new();
        hash.update(request.as_bytes());
        hash.update(b"\n");
        hash.update(body);
        Ok(Some(Self { key: key.to_owned(), fingerprint: HEXLOWER.encode(&hash.finalize()) }))
    }

    /// The answer kept under it, if there is one.
    pub(super) async fn find(
        &self,
        store: &Arc<dyn ControlStore>,
        who: &Principal,
        refusal: impl Fn(&StoreError) -> Problem,
    ) -> Result<Option<Replay>, Problem> {
        let kept = store.kept(who.name.clone(), self.key.clone()).await.map_err(|error| refusal(&error))?;
        kept.map(|kept| self.compare(kept)).transpose()
    }

    /// Its answer, if it was the same request.
    pub(super) fn compare(&self, kept: Idempotency) -> Result<Replay, Problem> {
        if kept.fingerprint == self.fingerprint {
            return Ok(Replay { status: kept.status, body: kept.body });
        }
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Err(Problem::new(status, "idempotency.other_request", "this Idempotency-Key was used for another request")
            .hint("a new request needs a new key"))
    }

    /// To be kept with the change. The answer is as of the commit: not yet applied anywhere.
    pub(super) fn keep(&self, who: &Principal, snapshot: Arc<Snapshot>, creates: bool, ends: bool) -> KeepKey {
        let reply = move |order: &Override| match ends {
            true => (StatusCode::NO_CONTENT.as_u16(), String::new()),
            false => {
                let status = if creates { StatusCode::CREATED } else { StatusCode::OK };
                let view = serde_json::to_string(&OverrideView::of(&snapshot, order));
                (status.as_u16(), view.unwrap_or_default())
            }
        };
        let (principal, key, fingerprint) = (who.name.clone(), self.key.clone(), self.fingerprint.clone());
        KeepKey { principal, key, fingerprint, reply: Box::new(reply) }
    }
}
