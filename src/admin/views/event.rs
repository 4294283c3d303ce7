//! Events: `GET /v1/events` and the `data` of `/v1/events/stream`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{TallyView, word};
use crate::{
    model::{Availability, CheckId, EndpointId, Family, Happening, Health, OverrideId, PoolId, ServiceId, Span, Wall},
    store::journal::Recorded,
};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventView {
    /// Its place in the history of this node: rises, and resumes a stream as `Last-Event-ID`.
    pub id: u64,
    /// When.
    pub at: Wall,
    /// The snapshot it appeared in.
    pub generation: u64,
    /// One line for people.
    pub text: String,
    /// What, by `kind`.
    #[serde(flatten)]
    pub what: HappeningView,
}

/// What happened; `kind` names the shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum HappeningView {
    /// The verdict in force on a target changed.
    #[serde(rename = "verdict")]
    Verdict {
        /// Of what.
        endpoint: EndpointId,
        /// Under which check; absent when unchecked.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        check: Option<CheckId>,
        /// Which address.
        #[serde(with = "word")]
        family: Family,
        /// Before.
        #[serde(with = "word")]
        from: Health,
        /// Now.
        #[serde(with = "word")]
        to: Health,
        /// The cause's word.
        cause: String,
        /// Votes by region.
        votes: TallyView,
        /// The last failure in words.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        reason: Option<String>,
        /// From the first failed probe to this verdict.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        took: Option<Span>,
        /// Services that have it.
        services: Vec<ServiceId>,
    },
    /// The current answers of a service changed.
    #[serde(rename = "answers")]
    Answers {
        /// Which service.
        service: ServiceId,
        /// Endpoints it answered with.
        from: Vec<EndpointId>,
        /// Endpoints it answers with now.
        to: Vec<EndpointId>,
        /// The pool before, if it was one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        pool_from: Option<PoolId>,
        /// The pool now, if it is one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        pool_to: Option<PoolId>,
        /// Nothing is healthy.
        none_healthy: bool,
    },
    /// An override began to hold.
    #[serde(rename = "override.began")]
    OverrideBegan {
        /// Which.
        #[serde(rename = "override")]
        id: OverrideId,
        /// What.
        action: String,
        /// For what.
        target: String,
        /// Who.
        by: String,
        /// Why.
        reason: String,
        /// Until when.
        expires: Wall,
    },
    /// An override ended.
    #[serde(rename = "override.ended")]
    OverrideEnded {
        /// Which.
        #[serde(rename = "override")]
        id: OverrideId,
        /// What.
        action: String,
        /// For what.
        target: String,
        /// It ran out; else a person ended it.
        expired: bool,
    },
    /// An endpoint is ordered in or out, or no more.
    #[serde(rename = "ordered")]
    Ordered {
        /// Which.
        endpoint: EndpointId,
        /// Before.
        #[serde(with = "word::maybe", skip_serializing_if = "Option::is_none", default)]
        from: Option<Availability>,
        /// Now.
        #[serde(with = "word::maybe", skip_serializing_if = "Option::is_none", default)]
        to: Option<Availability>,
    },
    /// An override ends soon.
    #[serde(rename = "override.expiring")]
    OverrideExpiring {
        /// Which.
        #[serde(rename = "override")]
        id: OverrideId,
        /// In this long.
        left: Span,
    },
    /// The configuration was replaced.
    #[serde(rename = "config.reloaded")]
    ConfigReloaded {
        /// The new fleet's digest.
        digest: String,
    },
    /// A reload was refused.
    #[serde(rename = "config.refused")]
    ConfigRefused {
        /// How many errors.
        problems: u32,
    },
    /// Most endpoints of a provider or region failed together.
    #[serde(rename = "outage")]
    Outage {
        /// `provider` or `region`.
        group: String,
        /// Which. Not `id`: that is the event's own.
        #[serde(rename = "name")]
        id: String,
        /// It holds now, or it ended.
        active: bool,
        /// Endpoints down.
        down: u32,
        /// Endpoints there are.
        of: u32,
    },
    /// More than half of a service's endpoints failed together.
    #[serde(rename = "service.correlated")]
    Correlated {
        /// Which service.
        service: ServiceId,
        /// Endpoints that failed together.
        down: u32,
        /// Endpoints it has.
        of: u32,
    },
    /// A brake holds verdicts away from what was measured, or lets go.
    #[serde(rename = "held")]
    Held {
        /// The brake's word.
        brake: String,
        /// The endpoint, where it is one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        endpoint: Option<EndpointId>,
        /// It holds now, or it ended.
        active: bool,
        /// In words.
        detail: String,
    },
    /// What is left could not carry what all carried together.
    #[serde(rename = "service.overload")]
    Overload {
        /// Which service.
        service: ServiceId,
        /// It holds now, or it ended.
        active: bool,
        /// The capacity that serves, in percent of all.
        serving: u8,
    },
    /// Something about the node itself.
    #[serde(rename = "node")]
    Node {
        /// A stable word.
        condition: String,
        /// It holds now, or it ended.
        active: bool,
        /// In words.
        detail: String,
    },
}

impl From<&Recorded> for EventView {
    fn from(recorded: &Recorded) -> Self {
        let event = &*recorded.event;
        Self {
            id: recorded.seq,
            at: event.at,
            generation: event.generation,
            text: text(&event.what),
            what: HappeningView::from(&event.what),
        }
    }
}

impl From<&Happening> for HappeningView {
    fn from(what: &Happening) -> Self {
        match what.clone() {
            Happening::Verdict { endpoint, subject, family, from, to, cause, tally, reason, took_ms, services } => {
                Self::Verdict {
                    endpoint,
                    check: subject.map(|subject| subject.check),
                    family,
                    from,
                    to,
                    cause,
                    votes: TallyView::from(tally),
                    reason,
                    took: took_ms.map(|ms| Span(Duration::from_millis(ms))),
                    services,
                }
            }
            Happening::Answers { service, from, to, pool_from, pool_to, none_healthy } => {
                Self::Answers { service, from, to, pool_from, pool_to, none_healthy }
            }
            Happening::OverrideBegan { id, action, target, author, reason, expires } => {
                Self::OverrideBegan { id, action, target, by: author, reason, expires }
            }
            Happening::OverrideEnded { id, action, target, expired } => {
                Self::OverrideEnded { id, action, target, expired }
            }
            Happening::Ordered { endpoint, from, to } => Self::Ordered { endpoint, from, to },
            Happening::OverrideExpiring { id, minutes } => {
                Self::OverrideExpiring { id, left: Span(Duration::from_secs(u64::from(minutes) * 60)) }
            }
            Happening::Reloaded { digest } => Self::ConfigReloaded { digest: digest.to_string() },
            Happening::ReloadRefused { problems } => Self::ConfigRefused { problems },
            Happening::Outage { group, id, active, down, of } => Self::Outage { group, id, active, down, of },
            Happening::Correlated { service, down, of } => Self::Correlated { service, down, of },
            Happening::Held { brake, endpoint, active, detail } => Self::Held { brake, endpoint, active, detail },
            Happening::Overload { service, active, serving } => Self::Overload { service, active, serving },
            Happening::Node { condition, active, detail } => Self::Node { condition, active, detail },
        }
    }
}

/// One line for people, without its time and kind.
fn text(what: &Happening) -> String {
    match what {
        Happening::Verdict { endpoint, family, from, to, cause, tally, reason, took_ms, services, .. } => {
            let reason = reason.as_ref().map_or_else(|| cause.clone(), |reason| format!("{cause}, {reason}"));
            let took = took_ms.map(|ms| format!(", {} after the first failure", Span(Duration::from_millis(ms))));
            let services = match services.as_slice() {
                [] => String::new(),
                some => format!(" [{}]", listed(some)),
            };
            let (up, down) = (tally.up, tally.down);
            format!(
                "{endpoint} {family} {from} -> {to}: {reason} (votes {up} up, {down} down){}{services}",
                took.unwrap_or_default()
            )
        }
        Happening::Answers { service, from, to, pool_from, pool_to, none_healthy } => {
            let side = |pool: &Option<PoolId>, endpoints: &[EndpointId]| match (pool, endpoints) {
                (_, []) => "nothing".to_owned(),
                (Some(pool), some) => format!("{pool}({})", listed(some)),
                (None, some) => listed(some),
            };
            let alarm = if *none_healthy { "; nothing is healthy" } else { "" };
            format!("{service} answers {} -> {}{alarm}", side(pool_from, from), side(pool_to, to))
        }
        Happening::OverrideBegan { id, action, target, author, reason, expires } => {
            format!("{action} {target} by {author} until {expires}: {reason} ({id})")
        }
        Happening::OverrideEnded { id, action, target, expired } => {
            let how = if *expired { "ran out" } else { "was ended" };
            format!("{action} {target} {how} ({id})")
        }
        Happening::Ordered { endpoint, from, to } => {
            let word = |order: &Option<Availability>| order.map_or("no order", Availability::word);
            format!("{endpoint} {} -> {}", word(from), word(to))
        }
        Happening::OverrideExpiring { id, minutes } => format!("{id} ends in {minutes} min"),
        Happening::Reloaded { digest } => format!("the configuration was replaced ({digest})"),
        Happening::ReloadRefused { problems: 0 } => "a reload was held by the reload guard; nothing changed".to_owned(),
        Happening::ReloadRefused { problems } => format!("a reload was refused: {problems} problems; nothing changed"),
        Happening::Outage { group, id, active, down, of } => match active {
            true => format!("{group} {id} is out: {down} of {of} endpoints down"),
            false => format!("{group} {id} is back: {down} of {of} endpoints down"),
        },
        Happening::Correlated { service, down, of } => {
            format!("{service}: {down} of {of} endpoints failed together; look for what they share")
        }
        Happening::Held { brake, endpoint, active, detail } => {
            let (ended, of) = (if *active { "" } else { " no more" }, endpoint.as_ref());
            format!("{brake}{}{ended}: {detail}", of.map(|endpoint| format!(" {endpoint}")).unwrap_or_default())
        }
        Happening::Overload { service, active, serving } => match active {
            true => format!("{service}: only {serving} % of its capacity serves; what is left may be overloaded"),
            false => format!("{service}: {serving} % of its capacity serves, enough again"),
        },
        Happening::Node { condition, active, detail } => {
            let ended = if *active { "" } else { " no more" };
            format!("{condition}{ended}: {detail}")
        }
    }
}

fn listed<T: ToString>(list: &[T]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
pub(crate) mod samples;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_every_kind_is_read_back_and_no_name_collides() {
        for view in samples::one_of_each() {
            let written = serde_json::to_string(&view).unwrap();
            // A key that stands twice is refused.
            assert_eq!(serde_json::from_str::<EventView>(&written).unwrap(), view, "{written}");
            // What a map keeps of two of one name is the last.
            let value: serde_json::Value = serde_json::from_str(&written).unwrap();
            assert_eq!((&value["id"], &value["generation"]), (&7.into(), &9.into()), "{written}");
            assert_eq!((&value["at"], &value["text"]), (&view.at.to_string().into(), &view.text.clone().into()));
            let kind = serde_json::to_value(&view.what).unwrap()["kind"].clone();
            assert_eq!(value["kind"], kind, "{written}");
            let names = value.as_object().unwrap().len();
            let own = serde_json::to_value(&view.what).unwrap().as_object().unwrap().len();
            assert_eq!(names, own + 4, "none of {written} hides another");
        }
    }
}
