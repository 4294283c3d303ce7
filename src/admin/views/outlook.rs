//! Foresight: `POST /v1/config/plan`, `POST /v1/config/test`, `POST /v1/simulations`.

use serde::{Deserialize, Serialize};

use super::{ChangedView, ConfigProblemView, NewOverride, SafetyView, word};
use crate::{
    admin::record,
    model::{EndpointId, Family, PoolAnswer, PoolId, ServiceId},
    steer::outlook::{CaseOutcome, Difference, Plan, PoolSight, RecordChange, SHARE_WHOLE, Sight, Viewpoint},
};

/// Differences of one view.
const DIFFERENCES_MAX: usize = 1000;
/// Names of one view, over all its differences, and of each of its lists.
pub(in crate::admin) const NAMES_MAX: usize = 10_000;

/// What one client is answered for one record type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SightView {
    /// In words: `eu aws-euw 70 %, gcp-euw 30 %`.
    pub text: String,
    /// On what ground: `healthy`, `short`, `serve-all` ...
    pub basis: String,
    /// TTL in seconds.
    pub ttl: u32,
    /// Where the rule stands that answers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rule: Option<String>,
    /// From which pools; empty where nothing is answered.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub pools: Vec<PoolSightView>,
}

/// A pool's part of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoolSightView {
    /// Which.
    pub pool: PoolId,
    /// How much comes from it, in percent.
    pub share: f64,
    /// How one answer is drawn from it.
    #[serde(with = "word")]
    pub answer: PoolAnswer,
    /// What may be answered.
    pub endpoints: Vec<EndpointSightView>,
}

/// An endpoint's part of a pool's answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointSightView {
    /// Which.
    pub endpoint: EndpointId,
    /// Its address or target.
    pub answer: String,
    /// How many of the pool's answers hold it, in percent.
    pub share: f64,
}

/// An answer that differs, for all names and clients for whom it differs alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DifferenceView {
    /// Which service.
    pub service: ServiceId,
    /// `A` or `AAAA`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Which names.
    pub names: Vec<String>,
    /// How many there are.
    pub names_total: usize,
    /// For whom: `EU-DE`, `near eu-west`, `198.51.100.0/24`, `AS64500`, `anyone` (nothing is known of the client).
    pub clients: Vec<String>,
    /// For every client.
    pub everyone: bool,
    /// Now; absent where there is no such name or family.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<SightView>,
    /// Then.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub to: Option<SightView>,
}

/// Fixed records that differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordChangeView {
    /// Which name.
    pub name: String,
    /// Which type.
    #[serde(rename = "type")]
    pub kind: String,
    /// `added`, `removed` or `changed`.
    pub how: String,
}

/// The outcome of `POST /v1/config/plan`; also in the refusal of a reload by the guard, as `plan`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanView {
    /// Something would not be as it is.
    pub changed: bool,
    /// Accepts this change and no other: `wayshift reload --accept <plan>`.
    pub plan: String,
    /// What would be added, removed or changed.
    pub changes: Vec<ChangedView>,
    /// Answers that would change; at most 1000.
    pub answers: Vec<DifferenceView>,
    /// How many of these there are.
    pub answers_total: usize,
    /// How many names would be answered differently.
    pub names_total: usize,
    /// Fixed records that would change; at most 10,000.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub records: Vec<RecordChangeView>,
    /// Endpoints that are new: they count as working here, and answer once their first probes say so.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub endpoints_added: Vec<EndpointId>,
    /// Endpoints that would go.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub endpoints_removed: Vec<EndpointId>,
    /// Settings that differ and take effect at the next start only.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub restart: Vec<String>,
    /// Whether a reload would be let through.
    pub guard: GuardView,
    /// The configuration's own tests that fail; empty as well where it has none.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub tests_failed: Vec<CaseView>,
    /// How many tests it has.
    pub tests_total: usize,
    /// Warnings of the configuration.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<ConfigProblemView>,
}

/// What the reload guard says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardView {
    /// Nothing needs to be accepted.
    pub ok: bool,
    /// What goes beyond it.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub exceeded: Vec<String>,
}

/// The outcome of `POST /v1/config/test`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestsView {
    /// All hold.
    pub ok: bool,
    /// Each, in the order written.
    pub cases: Vec<CaseView>,
}

/// One `[[test]]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseView {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub place: String,
    /// It holds.
    pub ok: bool,
    /// What came out.
    pub came: String,
    /// What is wrong: what was expected, what came, and why.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub wrong: Vec<String>,
}

/// The body of `POST /v1/simulations`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Simulate {
    /// Selectors of what is measured down.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub down: Vec<String>,
    /// Selectors of what is drained.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub drain: Vec<String>,
    /// Other orders, as for `POST /v1/overrides`.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub overrides: Vec<NewOverride>,
    /// A whole configuration as TOML, in place of the one in effect.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub config: Option<String>,
}

/// The outcome of a simulation. Nothing was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimulationView {
    /// Some answer would change.
    pub changed: bool,
    /// Answers that would change; at most 1000.
    pub answers: Vec<DifferenceView>,
    /// How many of these there are.
    pub answers_total: usize,
    /// How many names would be answered differently.
    pub names_total: usize,
    /// Names that would have no records to answer with; at most 10,000.
    pub unanswered: Vec<String>,
    /// How many that are.
    pub unanswered_total: usize,
    /// Names that would be answered by `when_none_healthy`, because nothing of them works; at most 10,000.
    pub unhealthy: Vec<String>,
    /// How many that are.
    pub unhealthy_total: usize,
    /// What safety rules say of the drains and orders.
    pub safety: SafetyView,
    /// What must be left, and whether it would be.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub rules: Vec<RuleView>,
    /// What a person should know: pools with little left, capacity.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub warnings: Vec<String>,
}

/// A `safety.rules` entry in a simulation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleView {
    /// Its name.
    pub name: String,
    /// It would hold.
    pub holds: bool,
    /// Groups that would be left.
    pub left: Vec<String>,
}

impl From<&Sight> for SightView {
    fn from(sight: &Sight) -> Self {
        Self {
            text: sight.to_string(),
            basis: sight.basis.word().to_owned(),
            ttl: sight.ttl,
            rule: sight.rule.clone(),
            pools: sight.pools.iter().map(PoolSightView::from).collect(),
        }
    }
}

impl From<&PoolSight> for PoolSightView {
    fn from(pool: &PoolSight) -> Self {
        let endpoints = pool.endpoints.iter().map(|one| EndpointSightView {
            endpoint: one.endpoint.clone(),
            answer: one.answered.to_string(),
            share: percent(one.share),
        });
        let endpoints = endpoints.collect();
        Self { pool: pool.pool.clone(), share: percent(pool.share), answer: pool.answer, endpoints }
    }
}

fn percent(share: u32) -> f64 {
    f64::from(share) * 100.0 / f64::from(SHARE_WHOLE)
}

/// The record type of a family.
pub(in crate::admin) fn kind(family: Family) -> &'static str {
    match family {
        Family::V4 => "A",
        Family::V6 => "AAAA",
    }
}

/// As many as a view holds; names are counted over all of them.
pub(in crate::admin) fn listed(differences: &[Difference]) -> Vec<DifferenceView> {
    let mut left = NAMES_MAX;
    let view = |one: &Difference| {
        let names: Vec<String> = one.names.iter().take(left).map(ToString::to_string).collect();
        left -= names.len();
        DifferenceView {
            service: one.service.clone(),
            kind: kind(one.family).to_owned(),
            names,
            names_total: one.names.len(),
            clients: one.clients.iter().map(Viewpoint::to_string).collect(),
            everyone: one.everyone,
            from: one.from.as_ref().map(SightView::from),
            to: one.to.as_ref().map(SightView::from),
        }
    };
    differences.iter().take(DIFFERENCES_MAX).map(view).collect()
}

/// How many names differ in some way.
pub(in crate::admin) fn touched(differences: &[Difference]) -> usize {
    let names: std::collections::BTreeSet<_> = differences.iter().flat_map(|one| &one.names).collect();
    names.len()
}

impl PlanView {
    /// Of a plan alone; what belongs to the whole configuration is added by who has it.
    pub(in crate::admin) fn of(plan: &Plan) -> Self {
        Self {
            changed: !plan.is_empty(),
            plan: plan.digest.to_string(),
            changes: plan.things.iter().map(ChangedView::from).collect(),
            answers: listed(&plan.differences),
            answers_total: plan.differences.len(),
            names_total: touched(&plan.differences),
            records: plan.records.iter().take(NAMES_MAX).map(RecordChangeView::from).collect(),
            endpoints_added: plan.endpoints_added.clone(),
            endpoints_removed: plan.endpoints_removed.clone(),
            restart: Vec::new(),
            guard: GuardView {
                ok: plan.exceeded.is_empty(),
                exceeded: plan.exceeded.iter().map(ToString::to_string).collect(),
            },
            tests_failed: Vec::new(),
            tests_total: 0,
            warnings: Vec::new(),
        }
    }
}

impl From<&RecordChange> for RecordChangeView {
    fn from(change: &RecordChange) -> Self {
        let how = match (change.before, change.after) {
            (false, _) => "added",
            (true, false) => "removed",
            (true, true) => "changed",
        };
        Self { name: change.name.to_string(), kind: record::word_of(change.kind), how: how.to_owned() }
    }
}

impl From<&CaseOutcome> for CaseView {
    fn from(outcome: &CaseOutcome) -> Self {
        Self {
            name: outcome.name.clone(),
            place: outcome.place.clone(),
            ok: outcome.wrong.is_empty(),
            came: outcome.came.clone(),
            wrong: outcome.wrong.clone(),
        }
    }
}
