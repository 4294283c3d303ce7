//! The store's promise: what overrides, events, audit entries and a node's memory look like in JSON, on disk.
//!
//! Each record carries its version in `v`. A reader accepts every version it knows and refuses a newer one in words:
//! guessing at a record that a newer program wrote could lift an evacuation. Unknown fields are ignored, so that an
//! additive change needs no new version; where several programs write the same record they survive its rewriting.

mod backup;
mod event;
mod memory;
mod presence;
pub mod rollout;
#[cfg(feature = "etcd")]
mod shared;

#[cfg(feature = "etcd")]
pub(super) use self::shared::{ClaimRecord, HeadRecord, KeptRecord, LinkRecord};
pub(super) use self::{
    backup::{EntryRecord, LineRecord, TitleRecord},
    event::{family_of, health},
    presence::PresenceRecord,
};
pub use self::{event::EventRecord, memory::MemoryRecord};

use serde::{Deserialize, Serialize};

use crate::model::{ADMIN_ADDRESSES_MAX, Action, Override, OverrideId, PeerUrl, PoolId, Selector, Wall, Weight};

use super::AuditDraft;

/// The version this program writes, and the newest it reads.
pub const RECORD_VERSION: u32 = 1;

/// Where a node says it is reached. What nothing may be sent to is left out, and so are more than a node can have.
fn reached_at(written: &[String]) -> Vec<PeerUrl> {
    written.iter().filter_map(|at| at.parse().ok()).take(ADMIN_ADDRESSES_MAX).collect()
}

/// Why a record is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The text is no JSON of this shape.
    #[error("the record is not readable: {0}")]
    Shape(String),
    /// A newer program wrote it.
    #[error("the record has version {0}; this program reads up to {RECORD_VERSION}")]
    Newer(u32),
    /// A word that is not one of ours.
    #[error("`{word}` is not a word for {what}")]
    Word {
        /// For what.
        what: &'static str,
        /// The word.
        word: String,
    },
}

impl From<serde_json::Error> for RecordError {
    fn from(error: serde_json::Error) -> Self {
        Self::Shape(error.to_string())
    }
}

/// Only the version, read before the rest: a newer record may have another shape.
#[derive(Deserialize)]
struct Version {
    v: u32,
}

/// Reads a record's text after its version was found to be known.
pub(super) fn read<'a, R: Deserialize<'a>>(text: &'a str) -> Result<R, RecordError> {
    let version: Version = serde_json::from_str(text)?;
    if RECORD_VERSION < version.v {
        return Err(RecordError::Newer(version.v));
    }
    Ok(serde_json::from_str(text)?)
}

/// A record's text. Field order is the struct's and maps are sorted, so equal values give equal text: canonical.
pub(super) fn write(record: &impl Serialize) -> String {
    serde_json::to_string(record).expect("records hold only texts, numbers and maps with text keys")
}

/// An override as kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OverrideRecord {
    v: u32,
    id: OverrideId,
    action: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<Weight>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pool: Option<PoolId>,
    target: Selector,
    reason: String,
    author: String,
    created: Wall,
    from: Wall,
    expires: Wall,
    forced: bool,
    /// Milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    over: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    local: bool,
    generation: u64,
    #[serde(flatten)]
    rest: Rest,
}

/// Fields that this program does not know.
pub(super) type Rest = serde_json::Map<String, serde_json::Value>;

impl From<&Override> for OverrideRecord {
    fn from(order: &Override) -> Self {
        let (weight, pool) = match &order.action {
            Action::Weight(weight) => (Some(*weight), None),
            Action::Pin(pool) => (None, Some(pool.clone())),
            Action::Up | Action::Drain | Action::Down | Action::Freeze => (None, None),
        };
        Self {
            v: RECORD_VERSION,
            id: order.id.clone(),
            action: order.action.word().into(),
            weight,
            pool,
            target: order.target.clone(),
            reason: order.reason.clone(),
            author: order.author.clone(),
            created: order.created,
            from: order.from,
            expires: order.expires,
            forced: order.forced,
            over: order.over.map(crate::model::ms),
            local: order.local,
            generation: order.generation,
            rest: Rest::new(),
        }
    }
}

impl TryFrom<OverrideRecord> for Override {
    type Error = RecordError;
    fn try_from(record: OverrideRecord) -> Result<Self, RecordError> {
        let action = match (record.action.as_str(), record.weight, record.pool) {
            ("up", None, None) => Action::Up,
            ("drain", None, None) => Action::Drain,
            ("down", None, None) => Action::Down,
            ("freeze", None, None) => Action::Freeze,
            ("weight", Some(weight), None) => Action::Weight(weight),
            ("pin", None, Some(pool)) => Action::Pin(pool),
            (word, _, _) => return Err(RecordError::Word { what: "an action and its argument", word: word.into() }),
        };
        Ok(Self {
            id: record.id,
            action,
            target: record.target,
            reason: record.reason,
            author: record.author,
            created: record.created,
            from: record.from,
            expires: record.expires,
            forced: record.forced,
            over: record.over.map(std::time::Duration::from_millis),
            local: record.local,
            generation: record.generation,
        })
    }
}

impl OverrideRecord {
    /// An override's text.
    #[must_use]
    pub fn text(order: &Override) -> String {
        write(&Self::from(order))
    }

    /// The override of a text.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn parse(text: &str) -> Result<Override, RecordError> {
        read::<Self>(text)?.try_into()
    }

    /// An override's text with what else stood in the text that it takes the place of.
    #[cfg(feature = "etcd")]
    pub(super) fn rewritten(order: &Override, before: &str) -> String {
        let rest = read::<Self>(before).map(|record| record.rest).unwrap_or_default();
        write(&Self { rest, ..Self::from(order) })
    }
}

/// An audit entry's content as kept and hashed. `before` and `after` stay texts: what was hashed is never formatted
/// again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AuditRecord {
    v: u32,
    at: Wall,
    actor: String,
    from: String,
    action: String,
    target: String,
    before: Option<String>,
    after: Option<String>,
    reason: Option<String>,
    request_id: String,
}

impl From<AuditDraft> for AuditRecord {
    fn from(draft: AuditDraft) -> Self {
        Self {
            v: RECORD_VERSION,
            at: draft.at,
            actor: draft.actor,
            from: draft.from,
            action: draft.action,
            target: draft.target,
            before: draft.before,
            after: draft.after,
            reason: draft.reason,
            request_id: draft.request_id,
        }
    }
}

impl From<AuditRecord> for AuditDraft {
    fn from(record: AuditRecord) -> Self {
        Self {
            at: record.at,
            actor: record.actor,
            from: record.from,
            action: record.action,
            target: record.target,
            before: record.before,
            after: record.after,
            reason: record.reason,
            request_id: record.request_id,
        }
    }
}

impl AuditRecord {
    /// An entry's text.
    #[must_use]
    pub fn text(draft: AuditDraft) -> String {
        write(&Self::from(draft))
    }

    /// The entry of a text.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn parse(text: &str) -> Result<AuditDraft, RecordError> {
        Ok(read::<Self>(text)?.into())
    }
}

#[cfg(test)]
pub(super) mod samples;

#[cfg(test)]
mod tests {
    use super::{samples::*, *};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_override_is_read_back_as_written(order in an_override()) {
            prop_assert_eq!(OverrideRecord::parse(&OverrideRecord::text(&order)), Ok(order));
        }

        #[test]
        fn an_audit_entry_is_read_back_as_written(draft in a_draft()) {
            prop_assert_eq!(AuditRecord::parse(&AuditRecord::text(draft.clone())), Ok(draft));
        }

        #[test]
        fn no_text_makes_reading_panic(text in ".{0,200}") {
            let _ = (OverrideRecord::parse(&text), AuditRecord::parse(&text), EventRecord::parse(&text));
        }
    }

    #[test]
    fn a_newer_record_is_refused_and_an_unknown_field_is_not() {
        let order = plain_override(1);
        let text = OverrideRecord::text(&order);
        let newer = text.replace("\"v\":1", "\"v\":2");
        assert_eq!(OverrideRecord::parse(&newer), Err(RecordError::Newer(2)));
        let richer = text.replace("\"v\":1", "\"v\":1,\"colour\":\"red\"");
        assert_eq!(OverrideRecord::parse(&richer), Ok(order));
        let bare = text.replace("\"drain\"", "\"weight\"");
        assert!(matches!(OverrideRecord::parse(&bare), Err(RecordError::Word { .. })), "a weight without its figure");
    }
}
