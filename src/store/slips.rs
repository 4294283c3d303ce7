//! Slips: small durable texts beside the overrides, that nodes agree on by compare-and-set. Each writing has its entry
//! in the audit, in the same transaction, so that what a slip counts is counted once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::records::{RECORD_VERSION, RecordError, read, write};

/// The slip of a staged reload.
pub const ROLLOUT_SLIP: &str = "rollout";

/// A slip as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slip {
    /// Rises with each writing; 0 before the first.
    pub revision: u64,
    /// What it says.
    pub text: String,
}

/// All of them, by name.
pub type Slips = BTreeMap<String, Slip>;

/// How much of a node's own audit stands in the cluster's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    v: u32,
    /// The identity of the node's own store: another one begins anew.
    pub epoch: String,
    /// The last of its entries that was carried.
    pub sequence: u64,
}

impl Carried {
    /// So far.
    #[must_use]
    pub fn new(epoch: String, sequence: u64) -> Self {
        Self { v: RECORD_VERSION, epoch, sequence }
    }

    /// The slip of a node.
    #[must_use]
    pub fn slip(node: &crate::model::NodeId) -> String {
        format!("carried.{node}")
    }

    /// As it is kept.
    #[must_use]
    pub fn text(&self) -> String {
        write(self)
    }

    /// Of a slip's text.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        read(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_carried_is_read_back_and_a_newer_record_is_not_guessed_at() {
        let carried = Carried::new("01K".into(), 7);
        assert_eq!(Carried::parse(&carried.text()), Ok(carried.clone()));
        assert!(matches!(Carried::parse(&carried.text().replace("\"v\":1", "\"v\":9")), Err(RecordError::Newer(9))));
    }
}
