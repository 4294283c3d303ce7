//! Records that only the shared store keeps: the head of its state, links of the audit's chain, kept answers.

use serde::{Deserialize, Serialize};

use crate::model::Wall;

use super::{super::Idempotency, RECORD_VERSION, RecordError, Rest, read, write};

/// What one key holds and every mutation compares: the state's identity, how far it has come, and what it must look
/// like. Unknown fields survive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct HeadRecord {
    pub v: u32,
    /// The state's identity and how often a person has adopted it, see `etcd/fence.rs`.
    pub epoch: String,
    /// Rises by one with each change of an override.
    pub generation: u64,
    /// SHA-256 over all overrides as they are kept: whoever lists or follows them knows whether they are all there and
    /// as they were written.
    pub digest: String,
    /// The audit's newest entry.
    pub sequence: u64,
    /// Its hash.
    pub hash: String,
    /// Why no one writes for now: it is being moved to another store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<String>,
    #[serde(flatten)]
    pub rest: Rest,
}

impl HeadRecord {
    /// Of a state in which nothing has happened yet.
    pub(in crate::store) fn fresh(epoch: String, digest: String) -> Self {
        Self {
            v: RECORD_VERSION,
            epoch,
            generation: 0,
            digest,
            sequence: 0,
            hash: super::super::FIRST.into(),
            frozen: None,
            rest: Rest::new(),
        }
    }

    pub(in crate::store) fn text(&self) -> String {
        write(self)
    }

    pub(in crate::store) fn parse(text: &str) -> Result<Self, RecordError> {
        read(text)
    }
}

/// An entry of the audit, with its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct LinkRecord {
    v: u32,
    pub sequence: u64,
    /// The state's generation afterwards.
    pub generation: u64,
    /// Which attempt made it: whoever lost the answer finds its own attempt here.
    pub attempt: String,
    pub previous: String,
    pub hash: String,
    /// An audit record, as it was hashed.
    pub record: String,
}

impl LinkRecord {
    /// The entry after this head.
    pub(in crate::store) fn after(head: &HeadRecord, generation: u64, attempt: String, record: String) -> Self {
        let sequence = head.sequence + 1;
        let hash = super::super::link(&head.hash, sequence, &record);
        Self { v: RECORD_VERSION, sequence, generation, attempt, previous: head.hash.clone(), hash, record }
    }

    /// An entry that another store made, with its place in the chain.
    pub(in crate::store) fn moved(entry: &crate::store::backup::Entry) -> Self {
        let crate::store::backup::Entry { sequence, generation, attempt, previous, hash, record } = entry.clone();
        Self { v: RECORD_VERSION, sequence, generation, attempt, previous, hash, record }
    }

    /// Whether it follows an entry of this sequence and hash.
    pub(in crate::store) fn follows(&self, sequence: u64, hash: &str) -> bool {
        self.sequence == sequence + 1
            && self.previous == hash
            && self.hash == super::super::link(hash, self.sequence, &self.record)
    }

    pub(in crate::store) fn text(&self) -> String {
        write(self)
    }

    pub(in crate::store) fn parse(text: &str) -> Result<Self, RecordError> {
        read(text)
    }
}

/// An answer kept under an idempotency key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::store) struct KeptRecord {
    v: u32,
    principal: String,
    key: String,
    fingerprint: String,
    at: Wall,
    status: u16,
    body: String,
}

impl From<Idempotency> for KeptRecord {
    fn from(kept: Idempotency) -> Self {
        let Idempotency { principal, key, fingerprint, at, status, body } = kept;
        Self { v: RECORD_VERSION, principal, key, fingerprint, at, status, body }
    }
}

impl From<KeptRecord> for Idempotency {
    fn from(record: KeptRecord) -> Self {
        let KeptRecord { v: _, principal, key, fingerprint, at, status, body } = record;
        Self { principal, key, fingerprint, at, status, body }
    }
}

impl KeptRecord {
    pub(in crate::store) fn text(kept: Idempotency) -> String {
        write(&Self::from(kept))
    }

    pub(in crate::store) fn parse(text: &str) -> Result<Idempotency, RecordError> {
        Ok(read::<Self>(text)?.into())
    }
}

/// Who fills an etcd in which there is no state yet: whoever else would write there compares it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct ClaimRecord {
    v: u32,
    /// Of what: the same again goes on with it.
    pub id: String,
    /// A store that is sealed meanwhile, and not a backup.
    pub moving: bool,
    /// From where, for people.
    pub from: String,
    pub at: Wall,
}

impl ClaimRecord {
    pub(in crate::store) fn new(id: String, moving: bool, from: String, at: Wall) -> Self {
        Self { v: RECORD_VERSION, id, moving, from, at }
    }

    pub(in crate::store) fn text(&self) -> String {
        write(self)
    }

    pub(in crate::store) fn parse(text: &str) -> Result<Self, RecordError> {
        read(text)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{OverrideRecord, samples::plain_override},
        *,
    };

    #[test]
    fn what_a_newer_program_wrote_beside_survives_rewriting() {
        let text = HeadRecord::fresh("e".into(), "d".into()).text().replace("\"v\":1", "\"v\":1,\"colour\":\"red\"");
        let head = HeadRecord { generation: 9, ..HeadRecord::parse(&text).unwrap() };
        assert!(head.text().starts_with("{\"v\":1,") && head.text().contains("\"colour\":\"red\""), "{}", head.text());

        let order = plain_override(1);
        let before = OverrideRecord::text(&order).replace("\"v\":1", "\"v\":1,\"colour\":\"red\"");
        let later = crate::model::Override { expires: Wall(9_000_000_000), ..order };
        let text = OverrideRecord::rewritten(&later, &before);
        assert!(text.contains("\"colour\":\"red\""), "{text}");
        assert_eq!(OverrideRecord::parse(&text), Ok(later));
    }

    #[test]
    fn newer_records_are_refused() {
        let head = HeadRecord::fresh("e".into(), "d".into());
        let newer = |text: String| text.replace("{\"v\":1", "{\"v\":2");
        assert_eq!(HeadRecord::parse(&newer(head.text())), Err(RecordError::Newer(2)));
        let link = LinkRecord::after(&head, 1, "a".into(), "{}".into());
        assert!(link.follows(0, &head.hash) && !link.follows(1, &head.hash) && !link.follows(0, "f"));
        assert_eq!(LinkRecord::parse(&newer(link.text())), Err(RecordError::Newer(2)));
    }
}
