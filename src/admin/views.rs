//! What the HTTP API promises: the JSON of each noun, here and nowhere else (the file and the store have their own).
//!
//! Rules of all of them: additive only; times are RFC 3339 in UTC, lengths of time as in the configuration (`"1m30s"`),
//! enums lower-case words; what is not known or does not apply is left out and never `null`. The command line reads
//! these same types.

mod audit;
mod availability;
mod ballot;
mod check;
mod config;
mod endpoint;
mod event;
mod explain;
mod group;
mod node;
mod outlook;
mod overrides;
mod peer;
mod pool;
mod rollout;
mod service;
mod store;
pub(super) mod word;
mod zone;

use serde::{Deserialize, Serialize};

#[cfg(test)]
pub(crate) use self::event::samples;
pub use self::{
    audit::AuditView,
    availability::{AssumptionsView, AvailabilityView, MeasuredView, ModelView, ServiceAvailabilityView, WhatIfView},
    ballot::BallotView,
    check::{CheckView, ExpectView, LimitView, WindowView},
    config::{ChangedView, ConfigProblemView, ConfigView, ReloadView, ValidateView},
    endpoint::{AddressView, EndpointView, OrderView, PhasesView, ResultView, TallyView},
    event::{EventView, HappeningView},
    explain::{ExplainView, StepView},
    group::GroupView,
    node::{CountsView, HealthCounts, NodeView, ReadyView, StatusView, WhoamiView},
    outlook::{
        CaseView, DifferenceView, EndpointSightView, GuardView, PlanView, PoolSightView, RecordChangeView, RuleView,
        SightView, Simulate, SimulationView, TestsView,
    },
    overrides::{
        BlockedView, ChangeView, EffectView, ExtendOverride, NewOverride, OverrideState, OverrideView, SafetyView,
    },
    peer::PeerView,
    pool::{MemberView, PoolView},
    rollout::RolloutView,
    service::{AnswerView, ArmView, ServiceView},
    store::AdoptionView,
    zone::{ExportView, ZoneView},
};
pub(super) use self::{
    explain::Past,
    outlook::{NAMES_MAX, kind, listed, touched},
    overrides::{EFFECT_MAX, MATCHES_MAX, receipts, tag_of},
};

/// One page of a list, sorted by id (history: newest first).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Send it as `cursor` to get what follows; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub next: Option<String>,
}
