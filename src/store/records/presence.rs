//! What a node says of itself, in the shared store.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::model::{Applied, Digest, Link, Mode, NodeId, Presence, Process, ProviderId, RegionId, Wall};

use super::{
    super::ballots::{self_test_of, self_test_word},
    RECORD_VERSION, RecordError, reached_at, read, write,
};

/// A presence as kept. Ids of configurations and lives are texts: other programs read JSON numbers as floats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct PresenceRecord {
    v: u32,
    node: NodeId,
    region: Option<RegionId>,
    provider: Option<ProviderId>,
    boot: String,
    version: String,
    probes: bool,
    #[serde(default = "yes")]
    orders: bool,
    #[serde(default)]
    admin: Vec<String>,
    sequence: u64,
    link: String,
    held: bool,
    frozen: bool,
    epoch: String,
    generation: u64,
    digest: String,
    fleet: String,
    clock: Wall,
    self_test: String,
}

/// A program that does not say so knew no other nodes than those that write.
fn yes() -> bool {
    true
}

impl PresenceRecord {
    pub(in crate::store) fn text(presence: &Presence) -> String {
        write(&Self {
            v: RECORD_VERSION,
            node: presence.node.clone(),
            region: presence.region.clone(),
            provider: presence.provider.clone(),
            boot: format!("{:016x}", presence.process.boot),
            version: presence.process.version.to_string(),
            probes: presence.process.probes,
            orders: presence.process.orders,
            admin: presence.process.admin.iter().map(ToString::to_string).collect(),
            sequence: presence.sequence,
            link: presence.mode.link.word().into(),
            held: presence.mode.held,
            frozen: presence.mode.frozen,
            epoch: presence.applied.epoch.clone(),
            generation: presence.applied.generation,
            digest: HEXLOWER.encode(&presence.digest.0),
            fleet: HEXLOWER.encode(&presence.fleet.0),
            clock: presence.clock,
            self_test: self_test_word(presence.self_test).into(),
        })
    }

    #[cfg_attr(not(any(feature = "etcd", test)), expect(dead_code, reason = "presences are read from etcd alone"))]
    pub(in crate::store) fn parse(text: &str) -> Result<Presence, RecordError> {
        let record: Self = read(text)?;
        let word = |what, word: &str| RecordError::Word { what, word: word.into() };
        let link = Link::WORDS.iter().find(|(name, _)| *name == record.link).map(|(_, link)| *link);
        let boot = u64::from_str_radix(&record.boot, 16).map_err(|_| word("a life of a node", &record.boot))?;
        let digest = |text: &str| {
            let octets = HEXLOWER.decode(text.as_bytes()).ok();
            octets.and_then(|octets| octets.try_into().ok()).map(Digest).ok_or_else(|| word("a digest", text))
        };
        Ok(Presence {
            node: record.node,
            region: record.region,
            provider: record.provider,
            process: Process {
                boot,
                version: record.version.into(),
                probes: record.probes,
                orders: record.orders,
                admin: reached_at(&record.admin),
            },
            sequence: record.sequence,
            mode: Mode {
                link: link.ok_or_else(|| word("whom a node hears", &record.link))?,
                held: record.held,
                frozen: record.frozen,
            },
            applied: Applied { epoch: record.epoch, generation: record.generation },
            digest: digest(&record.digest)?,
            fleet: digest(&record.fleet)?,
            clock: record.clock,
            self_test: self_test_of(&record.self_test)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::samples::a_presence, *};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_presence_is_read_back_as_written(presence in a_presence()) {
            prop_assert_eq!(PresenceRecord::parse(&PresenceRecord::text(&presence)), Ok(presence));
        }

        #[test]
        fn no_text_makes_reading_panic(text in ".{0,200}") {
            let _ = PresenceRecord::parse(&text);
        }
    }
}
