//! A node's memory as kept in the snapshot file.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::model::{
    Braked, CheckId, Delays, EndpointId, Flapped, Known, Memory, NodeId, Override, OverrideId, PoolId, ProviderId,
    RegionId, Remembered, ServiceId, SubjectId, Target, Wall, ms,
};

use super::{
    OverrideRecord, RECORD_VERSION, RecordError,
    event::{family_of, health},
    reached_at, read, write,
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    delays: Vec<DelaysRecord>,
    #[serde(default)]
    frozen: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    left: Vec<LeftRecord>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lately: Vec<EndedRecord>,
    last_good: BTreeMap<ServiceId, Vec<(PoolId, EndpointId)>>,
}

/// An endpoint that left, and how many milliseconds ago.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct LeftRecord {
    endpoint: EndpointId,
    ago: u64,
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

/// Times in milliseconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct DelaysRecord {
    endpoint: EndpointId,
    check: CheckId,
    family: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    returned_ago: Option<u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    awaits_resume: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    flap: Option<FlapRecord>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct FlapRecord {
    left: u64,
    times: u8,
    changes_ago: Vec<u64>,
    calm: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct EndedRecord {
    order: OverrideRecord,
    ago: u64,
}

impl From<(&Target, &Delays)> for DelaysRecord {
    fn from((target, delays): (&Target, &Delays)) -> Self {
        let flap = |flap: &Flapped| FlapRecord {
            left: ms(flap.left),
            times: flap.times,
            changes_ago: flap.changes.iter().copied().map(ms).collect(),
            calm: ms(flap.calm),
        };
        Self {
            endpoint: target.subject.endpoint.clone(),
            check: target.subject.check.clone(),
            family: target.family.to_string(),
            returned_ago: delays.returned.map(ms),
            awaits_resume: delays.awaits_resume,
            flap: delays.flap.as_ref().map(flap),
        }
    }
}

impl TryFrom<DelaysRecord> for (Target, Delays) {
    type Error = RecordError;
    fn try_from(record: DelaysRecord) -> Result<Self, RecordError> {
        let subject = SubjectId { endpoint: record.endpoint, check: record.check };
        let flap = |flap: FlapRecord| Flapped {
            left: Duration::from_millis(flap.left),
            times: flap.times,
            changes: flap.changes_ago.into_iter().map(Duration::from_millis).collect(),
            calm: Duration::from_millis(flap.calm),
        };
        let delays = Delays {
            returned: record.returned_ago.map(Duration::from_millis),
            awaits_resume: record.awaits_resume,
            flap: record.flap.map(flap),
        };
        Ok((Target { subject, family: family_of(&record.family)? }, delays))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct KnownRecord {
    region: Option<RegionId>,
    provider: Option<ProviderId>,
    heard: Wall,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    admin: Vec<String>,
}

impl From<&Known> for KnownRecord {
    fn from(known: &Known) -> Self {
        let Known { region, provider, heard, admin } = known.clone();
        Self { region, provider, heard, admin: admin.iter().map(ToString::to_string).collect() }
    }
}

impl From<KnownRecord> for Known {
    fn from(record: KnownRecord) -> Self {
        let KnownRecord { region, provider, heard, admin } = record;
        Self { region, provider, heard, admin: reached_at(&admin) }
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
            delays: memory.delays.iter().map(DelaysRecord::from).collect(),
            frozen: memory.braked.frozen,
            left: memory
                .braked
                .left
                .iter()
                .map(|(endpoint, ago)| LeftRecord { endpoint: endpoint.clone(), ago: ms(*ago) })
                .collect(),
            lately: memory
                .lately
                .iter()
                .map(|(order, ago)| EndedRecord { order: order.into(), ago: ms(*ago) })
                .collect(),
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
        let ended = |kept: EndedRecord| Ok((Override::try_from(kept.order)?, Duration::from_millis(kept.ago)));
        Ok(Self {
            at: record.at,
            generation: record.generation,
            epoch: record.epoch,
            store_generation: record.store_generation,
            overrides: record.overrides.into_iter().map(Override::try_from).collect::<Result<_, _>>()?,
            verdicts: record.verdicts.into_iter().map(verdict).collect::<Result<_, RecordError>>()?,
            ended: record.ended,
            known: record.known.into_iter().map(|(node, known)| (node, known.into())).collect(),
            delays: record.delays.into_iter().map(TryInto::try_into).collect::<Result<_, RecordError>>()?,
            braked: Braked {
                frozen: record.frozen,
                left: record.left.into_iter().map(|kept| (kept.endpoint, Duration::from_millis(kept.ago))).collect(),
            },
            lately: record.lately.into_iter().map(ended).collect::<Result<_, RecordError>>()?,
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

    #[test]
    fn a_memory_of_an_older_version_is_read() {
        let text = r#"{"v":1,"at":"2026-11-23T07:30:00.000Z","generation":7,"epoch":"e","store_generation":3,
            "overrides":[],"verdicts":[],"last_good":{}}"#;
        let memory = MemoryRecord::parse(text).unwrap();
        assert_eq!((memory.generation, memory.delays.len(), memory.lately.len()), (7, 0, 0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_memory_is_read_back_as_written(memory in a_memory()) {
            prop_assert_eq!(MemoryRecord::parse(&MemoryRecord::text(&memory)), Ok(memory));
        }
    }
}
