//! Records of a backup file: what it is of, and then a line for each thing in it.

use serde::{Deserialize, Serialize};

use crate::model::Wall;

use super::{super::Idempotency, RECORD_VERSION, RecordError, read, write};

/// The first line: what it is of, and how much of it there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct TitleRecord {
    pub v: u32,
    pub made: Wall,
    /// `embedded` or `etcd`.
    pub from: String,
    pub epoch: String,
    pub generation: u64,
    /// The audit's newest entry.
    pub sequence: u64,
    /// Its hash.
    pub hash: String,
    pub overrides: usize,
    pub answers: usize,
}

impl TitleRecord {
    pub(in crate::store) fn new(made: Wall, from: String, epoch: String, generation: u64) -> Self {
        let (sequence, hash, overrides, answers) = (0, String::new(), 0, 0);
        Self { v: RECORD_VERSION, made, from, epoch, generation, sequence, hash, overrides, answers }
    }

    pub(in crate::store) fn text(&self) -> String {
        write(self)
    }

    pub(in crate::store) fn parse(text: &str) -> Result<Self, RecordError> {
        read(text)
    }
}

/// Every other line. Records stay texts, exactly as the store keeps them: their sums were taken of these octets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::store) enum LineRecord {
    Override { id: String, record: String },
    Entry(EntryRecord),
    Answer(AnswerRecord),
}

impl LineRecord {
    pub(in crate::store) fn text(&self) -> String {
        write(self)
    }

    pub(in crate::store) fn parse(text: &str) -> Result<Self, RecordError> {
        Ok(serde_json::from_str(text)?)
    }
}

/// An entry of the audit with its place in the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::store) struct EntryRecord {
    pub sequence: u64,
    pub generation: u64,
    pub attempt: String,
    pub previous: String,
    pub hash: String,
    pub record: String,
}

/// An answer kept under an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::store) struct AnswerRecord {
    principal: String,
    key: String,
    fingerprint: String,
    at: Wall,
    status: u16,
    body: String,
}

impl From<&Idempotency> for AnswerRecord {
    fn from(kept: &Idempotency) -> Self {
        let Idempotency { principal, key, fingerprint, at, status, body } = kept.clone();
        Self { principal, key, fingerprint, at, status, body }
    }
}

impl From<AnswerRecord> for Idempotency {
    fn from(record: AnswerRecord) -> Self {
        let AnswerRecord { principal, key, fingerprint, at, status, body } = record;
        Self { principal, key, fingerprint, at, status, body }
    }
}
