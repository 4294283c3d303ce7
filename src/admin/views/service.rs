//! Services: `GET /v1/services`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{HealthCounts, word};
use crate::{
    admin::picture::{Picture, is_out, tally, verdict_of},
    model::{
        EndpointId, Family, Health, OverrideId, PoolId, Selector, ServiceId, ServiceIx, Span, Steer, Weight, WhenNone,
    },
    steer::decide::{Basis, Branch},
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
    /// Drained endpoints that go on serving because nothing else is healthy.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub kept: Vec<EndpointId>,
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
    /// `open`; `short`: below its `min_up`; `panic`: health is ignored inside; `closed`: nothing of it serves.
    pub state: String,
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
    /// On what ground: `healthy`, `short`, `panic`, `standby`, `kept`, `serve-all`, `last-good`, `last-resort`,
    /// `nodata`, `servfail`.
    pub basis: String,
    /// Pools the answers come from.
    pub pools: Vec<PoolId>,
    /// Endpoints that may be answered.
    pub endpoints: Vec<EndpointId>,
}

impl ServiceView {
    pub(in crate::admin) fn of(picture: &Picture<'_>, ix: ServiceIx) -> Self {
        let fleet = picture.fleet();
        let service = fleet.service(ix);
        let decision = picture.decision(ix).base;
        let in_force = |family| decision.side(family).in_force();
        let active = |pool| Family::ALL.into_iter().flat_map(in_force).any(|choice| choice.pool == pool);
        let endpoints = members(&decision);
        let healthy = decision.sides.iter().any(|side| side.basis.is_healthy());
        let sides = Family::ALL.into_iter().map(|family| (family, decision.side(family)));
        let answers = sides.filter(|(_, side)| side.basis != Basis::NoFamily).map(|(family, side)| AnswerView {
            kind: if family == Family::V4 { "A" } else { "AAAA" }.to_owned(),
            basis: side.basis.word().to_owned(),
            pools: in_force(family).iter().map(|choice| fleet.pool(choice.pool).id.clone()).collect(),
            endpoints: in_force(family)
                .iter()
                .flat_map(|choice| choice.members.iter().map(|member| fleet.endpoint(member.endpoint).id.clone()))
                .collect(),
        });
        Self {
            id: service.id.clone(),
            names: service.names.iter().map(ToString::to_string).collect(),
            verdict: match verdict_of(&endpoints) {
                _ if !healthy => Health::Down,
                // Something else serves, or nothing would be healthy.
                Health::Down => Health::Degraded,
                verdict @ (Health::Up | Health::Degraded | Health::Unknown) => verdict,
            },
            steer: service.steer,
            ttl: Span(Duration::from_secs(service.ttl.into())),
            when_none_healthy: service.when_none,
            none_healthy: !healthy,
            pools: decision
                .pools
                .iter()
                .map(|pool| ArmView {
                    pool: fleet.pool(pool.pool).id.clone(),
                    weight: matches!(service.steer, Steer::Weighted).then_some(pool.weight),
                    last_resort: pool.last_resort,
                    state: pool.state.word().to_owned(),
                    up: pool.serving,
                    of: pool.members.len(),
                    active: active(pool.pool),
                })
                .collect(),
            answers: answers.collect(),
            endpoints,
            kept: decision.kept.iter().map(|endpoint| fleet.endpoint(*endpoint).id.clone()).collect(),
            pinned: decision.pin.map(|pin| pin.order),
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

/// Members of its own pools by state; the last resort is for the worst of times and counts for nothing here.
fn members(decision: &Branch) -> HealthCounts {
    let mut counts = HealthCounts::default();
    let members = decision.pools.iter().filter(|pool| !pool.last_resort).flat_map(|pool| pool.members.iter());
    for member in members {
        let worst = member.health.iter().flatten().max().copied().unwrap_or(Health::Unknown);
        tally(&mut counts, worst, is_out(member.order.as_ref().map(|(order, _)| *order)));
    }
    counts
}
