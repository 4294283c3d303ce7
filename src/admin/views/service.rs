//! Services: `GET /v1/services`.

use serde::{Deserialize, Serialize};

use super::{HealthCounts, word};
use crate::model::{EndpointId, Health, OverrideId, PoolId, ServiceId, Span, Steer, Weight, WhenNone};

/// Names, ordered pools and steering policy, with what is answered now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceView {
    /// Its id.
    pub id: ServiceId,
    /// Its names, with their final dot.
    pub names: Vec<String>,
    /// `up`: everything it has works; `degraded`: it answers, and something it has does not work or its first pool is
    /// closed; `down`: nothing healthy; `unknown`: nobody knows of any endpoint.
    #[serde(with = "word")]
    pub verdict: Health,
    /// How one of the open pools is chosen.
    #[serde(with = "word")]
    pub steer: Steer,
    /// TTL of its answers.
    pub ttl: Span,
    /// What is answered when nothing is healthy.
    #[serde(with = "word")]
    pub when_none_healthy: WhenNone,
    /// Nothing is healthy: answered by `when_none_healthy`.
    pub none_healthy: bool,
    /// Its pools in order, the last resort behind them.
    pub pools: Vec<ArmView>,
    /// What is answered now, by family.
    pub answers: Vec<AnswerView>,
    /// Its endpoints by state.
    pub endpoints: HealthCounts,
    /// Pinned by this override.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pinned: Option<OverrideId>,
    /// Overrides in force whose target is this service.
    pub overrides: Vec<OverrideId>,
    /// Who is asked about it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<String>,
    /// What to read when it breaks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub runbook: Option<String>,
}

/// A pool as the service sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmView {
    /// Which.
    pub pool: PoolId,
    /// Its share, where the service steers by weight.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub weight: Option<Weight>,
    /// It stands behind all others.
    pub last_resort: bool,
    /// Members that work or are unknown and are not ordered out.
    pub up: usize,
    /// All members.
    pub of: usize,
    /// Some of the current answers come from it.
    pub active: bool,
}

/// What is answered for one record type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerView {
    /// `A` or `AAAA`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Pools the answers come from.
    pub pools: Vec<PoolId>,
    /// Endpoints that may be answered.
    pub endpoints: Vec<EndpointId>,
}
