//! Events: `GET /v1/events` and the `data` of `/v1/events/stream`.

use serde::{Deserialize, Serialize};

use super::{TallyView, word};
use crate::model::{Availability, CheckId, EndpointId, Family, Health, OverrideId, PoolId, ServiceId, Span, Wall};

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
