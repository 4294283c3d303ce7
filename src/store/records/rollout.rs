//! A staged reload as a slip holds it.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::model::{Digest, NodeId, Rollout, Stage, Wall};

use super::{RECORD_VERSION, RecordError, read, write};

/// A staged reload as kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RolloutRecord {
    v: u32,
    id: String,
    canary: NodeId,
    fleet: String,
    before: String,
    watch_ms: u64,
    #[serde(default)]
    boot: Option<String>,
    began: Wall,
    author: String,
    stage: String,
    #[serde(default)]
    why: Option<String>,
}

impl RolloutRecord {
    /// Its text.
    #[must_use]
    pub fn text(rollout: &Rollout) -> String {
        write(&Self {
            v: RECORD_VERSION,
            id: rollout.id.clone(),
            canary: rollout.canary.clone(),
            fleet: HEXLOWER.encode(&rollout.fleet.0),
            before: HEXLOWER.encode(&rollout.before.0),
            watch_ms: crate::model::ms(rollout.watch),
            boot: rollout.boot.map(|boot| format!("{boot:016x}")),
            began: rollout.began,
            author: rollout.author.clone(),
            stage: rollout.stage.word().into(),
            why: rollout.why.clone(),
        })
    }

    /// Of a slip's text.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn parse(text: &str) -> Result<Rollout, RecordError> {
        let record: Self = read(text)?;
        let word = |what, word: &str| RecordError::Word { what, word: word.into() };
        let boot = record.boot.map(|boot| u64::from_str_radix(&boot, 16).map_err(|_| word("a life of a node", &boot)));
        let stage = Stage::WORDS.iter().find(|(name, _)| *name == record.stage).map(|(_, stage)| *stage);
        Ok(Rollout {
            fleet: digest(&record.fleet)?,
            before: digest(&record.before)?,
            id: record.id,
            canary: record.canary,
            watch: std::time::Duration::from_millis(record.watch_ms),
            boot: boot.transpose()?,
            began: record.began,
            author: record.author,
            stage: stage.ok_or_else(|| word("a stage of a reload", &record.stage))?,
            why: record.why,
        })
    }
}

/// A digest of its text.
pub(in crate::store) fn digest(text: &str) -> Result<Digest, RecordError> {
    let octets = HEXLOWER.decode(text.as_bytes()).ok();
    let digest = octets.and_then(|octets| octets.try_into().ok()).map(Digest);
    digest.ok_or_else(|| RecordError::Word { what: "a digest", word: text.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_staged_reload_is_read_back_as_written(
            stage in 0..Stage::WORDS.len(),
            (fleet, before) in any::<([u8; 32], [u8; 32])>(),
            boot in any::<Option<u64>>(),
            why in any::<Option<String>>(),
        ) {
            let rollout = Rollout {
                id: "01K".into(),
                canary: "eu-1".parse().unwrap(),
                fleet: Digest(fleet),
                before: Digest(before),
                watch: std::time::Duration::from_secs(60),
                boot,
                began: Wall(7),
                author: "uid:0".into(),
                stage: Stage::WORDS[stage].1,
                why,
            };
            prop_assert_eq!(RolloutRecord::parse(&RolloutRecord::text(&rollout)), Ok(rollout));
        }
    }
}
