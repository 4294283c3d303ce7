//! What of the API's JSON the pages of foresight show. Written as well, because the offline verbs make the same document.

use serde::{Deserialize, Serialize};

/// What somebody is answered.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Sight {
    pub(in crate::cli) text: String,
    pub(in crate::cli) basis: String,
    pub(in crate::cli) ttl: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) rule: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) pools: Vec<PoolSight>,
}

/// A pool's part.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct PoolSight {
    pub(in crate::cli) pool: String,
    pub(in crate::cli) share: f64,
    pub(in crate::cli) answer: String,
    pub(in crate::cli) endpoints: Vec<EndpointSight>,
}

/// An endpoint's part.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct EndpointSight {
    pub(in crate::cli) endpoint: String,
    pub(in crate::cli) answer: String,
    pub(in crate::cli) share: f64,
}

/// An answer that differs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Difference {
    pub(in crate::cli) service: String,
    #[serde(rename = "type")]
    pub(in crate::cli) kind: String,
    pub(in crate::cli) names: Vec<String>,
    pub(in crate::cli) names_total: usize,
    pub(in crate::cli) clients: Vec<String>,
    pub(in crate::cli) everyone: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) from: Option<Sight>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) to: Option<Sight>,
}

/// A thing of the configuration that differs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Thing {
    pub(in crate::cli) how: String,
    pub(in crate::cli) kind: String,
    pub(in crate::cli) id: String,
}

/// Fixed records that differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Record {
    pub(in crate::cli) name: String,
    #[serde(rename = "type")]
    pub(in crate::cli) kind: String,
    pub(in crate::cli) how: String,
}

/// What the reload guard says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Guard {
    pub(in crate::cli) ok: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) exceeded: Vec<String>,
}

/// `POST /v1/config/plan`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Plan {
    pub(in crate::cli) changed: bool,
    pub(in crate::cli) plan: String,
    pub(in crate::cli) changes: Vec<Thing>,
    pub(in crate::cli) answers: Vec<Difference>,
    pub(in crate::cli) answers_total: usize,
    pub(in crate::cli) names_total: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) records: Vec<Record>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) endpoints_added: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) endpoints_removed: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) restart: Vec<String>,
    pub(in crate::cli) guard: Guard,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) tests_failed: Vec<Case>,
    pub(in crate::cli) tests_total: usize,
}

/// A `[[test]]` that was run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Case {
    pub(in crate::cli) name: String,
    pub(in crate::cli) place: String,
    pub(in crate::cli) ok: bool,
    pub(in crate::cli) came: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::cli) wrong: Vec<String>,
}

/// `POST /v1/config/test`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Tests {
    pub(in crate::cli) ok: bool,
    pub(in crate::cli) cases: Vec<Case>,
}

/// `POST /v1/simulations`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Simulation {
    pub(in crate::cli) answers: Vec<Difference>,
    pub(in crate::cli) answers_total: usize,
    pub(in crate::cli) names_total: usize,
    pub(in crate::cli) unanswered: Vec<String>,
    pub(in crate::cli) unanswered_total: usize,
    pub(in crate::cli) unhealthy: Vec<String>,
    pub(in crate::cli) unhealthy_total: usize,
    pub(in crate::cli) safety: crate::cli::wire::Safety,
    pub(in crate::cli) rules: Vec<Rule>,
    pub(in crate::cli) warnings: Vec<String>,
}

/// What must be left.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Rule {
    pub(in crate::cli) name: String,
    pub(in crate::cli) holds: bool,
    pub(in crate::cli) left: Vec<String>,
}
