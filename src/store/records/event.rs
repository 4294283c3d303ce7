//! Events as kept: history, and what is read back after a restart.

use serde::{Deserialize, Serialize};

use crate::model::{
    Availability, CheckId, Digest, EndpointId, Event, Family, Happening, Health, OverrideId, PoolId, ServiceId,
    SubjectId, Tally, Wall,
};

use super::{RECORD_VERSION, RecordError, read, write};

/// An event as kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EventRecord {
    v: u32,
    at: Wall,
    generation: u64,
    #[serde(flatten)]
    what: What,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum What {
    #[serde(rename = "verdict")]
    Verdict {
        endpoint: EndpointId,
        check: Option<CheckId>,
        family: String,
        from: String,
        to: String,
        cause: String,
        /// Regions for up, for down, abstained.
        votes: (u16, u16, u16),
        reason: Option<String>,
        took_ms: Option<u64>,
        services: Vec<ServiceId>,
    },
    #[serde(rename = "answers")]
    Answers {
        service: ServiceId,
        from: Vec<EndpointId>,
        to: Vec<EndpointId>,
        pool_from: Option<PoolId>,
        pool_to: Option<PoolId>,
        none_healthy: bool,
    },
    #[serde(rename = "override.began")]
    OverrideBegan { id: OverrideId, action: String, target: String, author: String, reason: String, expires: Wall },
    #[serde(rename = "override.ended")]
    OverrideEnded { id: OverrideId, action: String, target: String, expired: bool },
    #[serde(rename = "ordered")]
    Ordered { endpoint: EndpointId, from: Option<String>, to: Option<String> },
    #[serde(rename = "override.expiring")]
    OverrideExpiring { id: OverrideId, minutes: u32 },
    #[serde(rename = "config.reloaded")]
    Reloaded {
        /// All 64 hexadecimal digits; people are shown 16.
        digest: String,
    },
    #[serde(rename = "config.refused")]
    ReloadRefused { problems: u32 },
    #[serde(rename = "outage")]
    Outage { group: String, id: String, active: bool, down: u32, of: u32 },
    #[serde(rename = "service.correlated")]
    Correlated { service: ServiceId, down: u32, of: u32 },
    #[serde(rename = "held")]
    Held { brake: String, endpoint: Option<EndpointId>, active: bool, detail: String },
    #[serde(rename = "service.overload")]
    Overload { service: ServiceId, active: bool, serving: u8 },
    #[serde(rename = "node")]
    Node { condition: String, active: bool, detail: String },
}

impl EventRecord {
    /// An event's text.
    #[must_use]
    pub fn text(event: &Event) -> String {
        write(&Self {
            v: RECORD_VERSION,
            at: event.at,
            generation: event.generation,
            what: What::from(event.what.clone()),
        })
    }

    /// The event of a text.
    ///
    /// # Errors
    /// See [`RecordError`].
    pub fn parse(text: &str) -> Result<Event, RecordError> {
        let record: Self = read(text)?;
        Ok(Event { at: record.at, generation: record.generation, what: record.what.try_into()? })
    }
}

impl From<Happening> for What {
    fn from(what: Happening) -> Self {
        match what {
            Happening::Verdict { endpoint, subject, family, from, to, cause, tally, reason, took_ms, services } => {
                Self::Verdict {
                    endpoint,
                    check: subject.map(|subject| subject.check),
                    family: family.to_string(),
                    from: from.word().into(),
                    to: to.word().into(),
                    cause,
                    votes: (tally.up, tally.down, tally.abstained),
                    reason,
                    took_ms,
                    services,
                }
            }
            Happening::Answers { service, from, to, pool_from, pool_to, none_healthy } => {
                Self::Answers { service, from, to, pool_from, pool_to, none_healthy }
            }
            Happening::OverrideBegan { id, action, target, author, reason, expires } => {
                Self::OverrideBegan { id, action, target, author, reason, expires }
            }
            Happening::OverrideEnded { id, action, target, expired } => {
                Self::OverrideEnded { id, action, target, expired }
            }
            Happening::Ordered { endpoint, from, to } => Self::Ordered {
                endpoint,
                from: from.map(|order| order.word().into()),
                to: to.map(|order| order.word().into()),
            },
            Happening::OverrideExpiring { id, minutes } => Self::OverrideExpiring { id, minutes },
            Happening::Reloaded { digest } => Self::Reloaded { digest: data_encoding::HEXLOWER.encode(&digest.0) },
            Happening::ReloadRefused { problems } => Self::ReloadRefused { problems },
            Happening::Outage { group, id, active, down, of } => Self::Outage { group, id, active, down, of },
            Happening::Correlated { service, down, of } => Self::Correlated { service, down, of },
            Happening::Held { brake, endpoint, active, detail } => Self::Held { brake, endpoint, active, detail },
            Happening::Overload { service, active, serving } => Self::Overload { service, active, serving },
            Happening::Node { condition, active, detail } => Self::Node { condition, active, detail },
        }
    }
}

impl TryFrom<What> for Happening {
    type Error = RecordError;
    fn try_from(what: What) -> Result<Self, RecordError> {
        Ok(match what {
            What::Verdict { endpoint, check, family, from, to, cause, votes, reason, took_ms, services } => {
                Self::Verdict {
                    subject: check.map(|check| SubjectId { endpoint: endpoint.clone(), check }),
                    endpoint,
                    family: family_of(&family)?,
                    from: health(&from)?,
                    to: health(&to)?,
                    cause,
                    tally: Tally { up: votes.0, down: votes.1, abstained: votes.2 },
                    reason,
                    took_ms,
                    services,
                }
            }
            What::Answers { service, from, to, pool_from, pool_to, none_healthy } => {
                Self::Answers { service, from, to, pool_from, pool_to, none_healthy }
            }
            What::OverrideBegan { id, action, target, author, reason, expires } => {
                Self::OverrideBegan { id, action, target, author, reason, expires }
            }
            What::OverrideEnded { id, action, target, expired } => Self::OverrideEnded { id, action, target, expired },
            What::Ordered { endpoint, from, to } => {
                Self::Ordered { endpoint, from: order(from.as_deref())?, to: order(to.as_deref())? }
            }
            What::OverrideExpiring { id, minutes } => Self::OverrideExpiring { id, minutes },
            What::Reloaded { digest } => {
                let bytes = data_encoding::HEXLOWER.decode(digest.as_bytes()).ok();
                let digest = bytes
                    .and_then(|bytes| bytes.try_into().ok())
                    .ok_or(RecordError::Word { what: "a digest", word: digest })?;
                Self::Reloaded { digest: Digest(digest) }
            }
            What::ReloadRefused { problems } => Self::ReloadRefused { problems },
            What::Outage { group, id, active, down, of } => Self::Outage { group, id, active, down, of },
            What::Correlated { service, down, of } => Self::Correlated { service, down, of },
            What::Held { brake, endpoint, active, detail } => Self::Held { brake, endpoint, active, detail },
            What::Overload { service, active, serving } => Self::Overload { service, active, serving },
            What::Node { condition, active, detail } => Self::Node { condition, active, detail },
        })
    }
}

pub(in crate::store) fn health(word: &str) -> Result<Health, RecordError> {
    find(Health::WORDS, "health", word)
}

pub(in crate::store) fn family_of(word: &str) -> Result<Family, RecordError> {
    let found = Family::ALL.into_iter().find(|family| family.to_string() == word);
    found.ok_or_else(|| RecordError::Word { what: "an address family", word: word.into() })
}

fn order(word: Option<&str>) -> Result<Option<Availability>, RecordError> {
    word.map(|word| find(Availability::WORDS, "an order", word)).transpose()
}

fn find<T: Copy>(words: &[(&str, T)], what: &'static str, word: &str) -> Result<T, RecordError> {
    let found = words.iter().find(|(known, _)| *known == word);
    found.map(|(_, value)| *value).ok_or_else(|| RecordError::Word { what, word: word.into() })
}

#[cfg(test)]
mod tests {
    use super::super::samples::an_event;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_event_is_read_back_as_written(event in an_event()) {
            let text = EventRecord::text(&event);
            prop_assert!(text.contains(&format!("\"kind\":\"{}\"", event.what.kind())), "{}", text);
            prop_assert_eq!(EventRecord::parse(&text), Ok(event));
        }
    }
}
