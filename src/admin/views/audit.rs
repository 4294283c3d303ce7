//! Audit entries: `GET /v1/audit`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{model::Wall, store::AuditEntry};

/// Who did what; each entry's hash covers the one before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditView {
    /// 1, 2, 3 ...
    pub sequence: u64,
    /// When.
    pub at: Wall,
    /// Who: `token:web-oncall`, `uid:1000`, `node`.
    pub actor: String,
    /// From where: an address, `unix`, `signal`.
    pub from: String,
    /// The verb: `override.create`.
    pub action: String,
    /// The thing: `override:ov_...`, `config`.
    pub target: String,
    /// The thing before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<Value>,
    /// The thing after.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<Value>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The request's id.
    pub request_id: String,
    /// Hash of the entry before, in hexadecimal.
    pub previous: String,
    /// Hash of this entry, in hexadecimal.
    pub hash: String,
}

impl From<AuditEntry> for AuditView {
    fn from(AuditEntry { sequence, draft, previous, hash }: AuditEntry) -> Self {
        // What was kept is JSON; should it not be, the text itself is better than nothing.
        let json = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self {
            sequence,
            at: draft.at,
            actor: draft.actor,
            from: draft.from,
            action: draft.action,
            target: draft.target,
            before: draft.before.map(json),
            after: draft.after.map(json),
            reason: draft.reason,
            request_id: draft.request_id,
            previous,
            hash,
        }
    }
}
