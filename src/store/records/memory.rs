//! A node's memory as kept in the snapshot file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{
    CheckId, EndpointId, Known, Memory, NodeId, Override, OverrideId, PoolId, ProviderId, RegionId, Remembered,
    ServiceId, SubjectId, Target, Wall,
};

use super::{
    OverrideRecord, RECORD_VERSION, RecordError,
    event::{family_of, health},
    read, write,
};

/// A node's memory as kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MemoryRecord {
    v: u32,
    at: Wall,
    generation: u64,
    epoch: String,
    store_generation: u64,
    overrides: Vec<OverrideRecord>,
    verdicts: Vec<VerdictRecord>,
    #[serde(default)]
    ended: BTreeMap<OverrideId, Wall>,
    #[serde(default)]
    known: BTreeMap<NodeId, KnownRecord>,
    last_good: BTreeMap<ServiceId, Vec<(PoolId, EndpointId)>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct VerdictRecord {
    endpoint: EndpointId,
    check: CheckId,
    family: String,
    measured: String,
    health: String,
    since: Wall,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct KnownRecord {
    region: Option<RegionId>,
    provider: Option<ProviderId>,
    heard: Wall,
}

impl From<&Known> for KnownRecord {
    fn from(known: &Known) -> Self {
        Self { region: known.region.clone(), provider: known.provider.clone(), heard: known.heard }
    }
}

impl From<KnownRecord> for Known {
    fn from(record: KnownRecord) -> Self {
        Self { region: record.region, provider: record.provider, heard: record.heard }
    }
}

impl From<&Memory> for MemoryRecord {
    fn from(memory: &Memory) -> Self {
        let verdict = |(target, remembered): (&Target, &Remembered)| VerdictRecord {
            endpoint: target.subject.endpoint.clone(),
            check: target.subject.check.clone(),
            family: target.family.to_string(),
            measured: remembered.measured.word().into(),
            health: remembered.health.word().into(),
            since: remembered.since,
        };
        Self {
            v: RECORD_VERSION,
            at: memory.at,
            generation: memory.generation,
            epoch: memory.epoch.clone(),
            store_generation: memory.store_generation,
            overrides: memory.overrides.iter().map(OverrideRecord::from).collect(),
            verdicts: memory.verdicts.iter().map(verdict).collect(),
            ended: memory.ended.clone(),
            known: memory.known.iter().map(|(node, known)| (node.clone(), known.into())).collect(),
            last_good: memory.last_good.clone(),
        }
    }
}

impl TryFrom<MemoryRecord> for Memory {
    type Error = RecordError;
    fn try_from(record: MemoryRecord) -> Result<Self, RecordError> {
        let verdict = |kept: VerdictRecord| {
            let subject = SubjectId { endpoint: kept.endpoint, check: kept.check };
            let target = Target { subject, family: family_of(&kept.family)? };
            let remembered =
                Remembered { measured: health(&kept.measured)?, health: health(&kept.health)?, since: kept.since };
            Ok((target, remembered))
        };
        Ok(Self {
            at: record.at,
            generation: record.generation,
            epoch: record.epoch,
            store_generation: record.store_generation,
            overrides: record.overrides.into_iter().map(Override::try_from).collect::<Result<_, _>>()?,
            verdicts: record.verdicts.into_iter().map(verdict).collect::<Result<_, RecordError>>()?,
            ended: record.ended,
            known: record.known.into_iter().map(|(node, known)| (node, known.into())).collect(),
            last_good: record.last_good,
        })
    }
}

impl MemoryRecord {
    /// A memory's text.
    #[must_use]
    pub fn text(memory: &Memory) -> String {
        write(&Self::from(memory))
    }

    /// The memory of a text.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn parse(text: &str) -> Result<Memory, RecordError> {
        read::<Self>(text)?.try_into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::a_memory;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_memory_is_read_back_as_written(memory in a_memory()) {
            prop_assert_eq!(MemoryRecord::parse(&MemoryRecord::text(&memory)), Ok(memory));
        }
    }
}
