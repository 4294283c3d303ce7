//! Pools: `GET /v1/pools`.

use serde::{Deserialize, Serialize};

use super::{HealthCounts, OrderView, word};
use crate::model::{EndpointId, Health, OverrideId, PoolAnswer, PoolId, ServiceId, Weight};

/// Endpoints that stand for one site or tier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoolView {
    /// Its id.
    pub id: PoolId,
    /// `up`: all members work; `down`: none does; `unknown`: nobody knows of any; else `degraded`.
    #[serde(with = "word")]
    pub verdict: Health,
    /// How one answer is drawn.
    #[serde(with = "word")]
    pub answer: PoolAnswer,
    /// How many endpoints one answer holds.
    pub count: u8,
    /// Below it the pool is closed: `auto`, `2`, `"50%"`.
    pub min_up: String,
    /// Made from a service's `endpoints`.
    pub implicit: bool,
    /// Its members by state.
    pub endpoints: HealthCounts,
    /// In order of preference.
    pub members: Vec<MemberView>,
    /// Services that use it.
    pub services: Vec<ServiceId>,
    /// Overrides in force whose target is this pool.
    pub overrides: Vec<OverrideId>,
}

/// An endpoint in a pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberView {
    /// Which.
    pub endpoint: EndpointId,
    /// Its share as configured.
    pub weight: Weight,
    /// Its share as an override orders it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub weight_ordered: Option<Weight>,
    /// Worst verdict in force.
    #[serde(with = "word")]
    pub verdict: Health,
    /// Worst measured verdict.
    #[serde(with = "word")]
    pub measured: Health,
    /// The order that governs the membership in the first service that uses the pool.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub order: Option<OrderView>,
}
