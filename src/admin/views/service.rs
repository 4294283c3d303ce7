//! Services: `GET /v1/services`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{HealthCounts, word};
use crate::{
    admin::picture::{Picture, verdict_of},
    model::{
        EndpointId, Health, OverrideId, PoolId, Selector, Service, ServiceId, ServiceIx, Span, Steer, Weight, WhenNone,
    },
};

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

impl ServiceView {
    pub(in crate::admin) fn of(picture: &Picture<'_>, ix: ServiceIx, service: &Service) -> Self {
        let fleet = picture.fleet();
        let endpoints = picture.service(ix, service);
        let last_resort = service.last_resort.iter().map(|arm| (arm, true));
        let arms = service.arms.iter().map(|arm| (arm, false)).chain(last_resort);
        let pools: Vec<ArmView> = arms
            .map(|(arm, last_resort)| ArmView {
                pool: fleet.pool(arm.pool).id.clone(),
                weight: matches!(service.steer, Steer::Weighted).then_some(arm.weight),
                last_resort,
                up: picture.arm_servable(ix, arm),
                of: picture.arm(ix, arm).total,
                active: false,
            })
            .collect();
        let none_healthy = pools.iter().filter(|arm| !arm.last_resort).all(|arm| arm.up == 0);
        Self {
            id: service.id.clone(),
            names: service.names.iter().map(ToString::to_string).collect(),
            verdict: verdict_of(&endpoints),
            steer: service.steer,
            ttl: Span(Duration::from_secs(service.ttl.into())),
            when_none_healthy: service.when_none,
            none_healthy,
            pools,
            answers: Vec::new(),
            endpoints,
            pinned: picture.orders.pin(ix).map(|(_, order)| order.id.clone()),
            overrides: picture.aimed_at(|target| match target {
                Selector::Service(glob) => glob.fits(service.id.as_str()),
                Selector::Endpoint(_)
                | Selector::Pool(_)
                | Selector::Label(..)
                | Selector::Region(_)
                | Selector::Provider(_)
                | Selector::All => false,
            }),
            owner: service.owner.clone(),
            runbook: service.runbook.clone(),
        }
    }
}
