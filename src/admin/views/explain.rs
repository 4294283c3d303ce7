//! Why an answer is what it is: `GET /v1/explain`.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::ServiceId;

/// An answer and the steps that led to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExplainView {
    /// The name asked for, with its final dot.
    pub name: String,
    /// The type asked for: `A`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The records' data of one possible answer, in presentation form.
    pub answer: Vec<String>,
    /// `NOERROR`, `NXDOMAIN`, `REFUSED`, `SERVFAIL`; with an empty `answer`, `NOERROR` is NODATA.
    pub rcode: String,
    /// TTL of the answer in seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ttl: Option<u32>,
    /// Which node explains.
    pub node: String,
    /// Of which snapshot.
    pub generation: u64,
    /// The service, when the name is steered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub service: Option<ServiceId>,
    /// The decision, in order.
    pub steps: Vec<StepView>,
    /// What would answer next if the chosen were gone, in order.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub next: Vec<String>,
}

/// One step of a decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepView {
    /// Its kind: `name`, `override`, `pool`, `pick`, `none-healthy`, `ttl` ...
    pub step: String,
    /// What was looked at: `www.gslb.example.com`, `pool eu`.
    pub subject: String,
    /// What followed: `service www`, `open`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub result: Option<String>,
    /// Lines below it, for people: one for each member of a pool, each override.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub lines: Vec<String>,
    /// The same for programs; the fields depend on `step`.
    #[serde(skip_serializing_if = "Value::is_null", default)]
    pub data: Value,
}
