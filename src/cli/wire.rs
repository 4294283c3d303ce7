//! What of the API's JSON the pages show. Decoded leniently: an answer may hold more than this client knows, and words
//! it has never heard of are shown as they are.

use serde::Deserialize;
use serde_json::Value;

use crate::model::{Span, Wall};

/// One page of a list.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Page<T> {
    /// The entries.
    pub(super) items: Vec<T>,
    /// The cursor of what follows.
    pub(super) next: Option<String>,
}

/// `application/problem+json` (RFC 9457).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Problem {
    pub(super) title: String,
    pub(super) code: String,
    pub(super) detail: Option<String>,
    pub(super) hint: Option<String>,
    pub(super) errors: Vec<Pointed>,
    pub(super) blocking: Vec<Value>,
    pub(super) problems: Vec<Rendered>,
    pub(super) request_id: Option<String>,
    /// What a reload that is held would do.
    pub(super) plan: Option<super::foresight::wire::Plan>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pointed {
    pub(super) pointer: String,
    pub(super) detail: String,
}

/// A problem of a configuration, as `wayshift check` prints it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Rendered {
    pub(super) text: String,
}

/// `GET /v1/status`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) node: Node,
    pub(super) banners: Vec<String>,
    pub(super) counts: Counts,
    pub(super) services: Vec<Service>,
    pub(super) troubles: Vec<Endpoint>,
    pub(super) overrides: Vec<Override>,
}

/// The node that answers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Node {
    pub(super) id: String,
    pub(super) generation: u64,
    pub(super) config: String,
    pub(super) at: Option<Wall>,
}

/// Totals.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    pub(super) services: HealthCounts,
    pub(super) endpoints: HealthCounts,
    pub(super) overrides: usize,
    pub(super) planned: usize,
}

/// How many are in which state.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct HealthCounts {
    pub(super) total: usize,
    pub(super) up: usize,
    pub(super) degraded: usize,
    pub(super) unknown: usize,
    pub(super) down: usize,
    pub(super) ordered_out: usize,
}

/// A service with what it answers now.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Service {
    pub(super) id: String,
    pub(super) verdict: String,
    pub(super) none_healthy: bool,
    pub(super) when_none_healthy: String,
    pub(super) pools: Vec<Arm>,
    pub(super) answers: Vec<Answer>,
}

/// A pool as a service sees it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Arm {
    pub(super) pool: String,
    pub(super) weight: Option<u16>,
    pub(super) last_resort: bool,
    pub(super) up: usize,
    pub(super) of: usize,
}

/// What is answered for one type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) pools: Vec<String>,
    pub(super) endpoints: Vec<String>,
}

/// A pool by itself, a provider or a region: what they have in common.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) verdict: String,
    pub(super) endpoints: HealthCounts,
    pub(super) overrides: Vec<String>,
}

/// One place that can serve.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Endpoint {
    pub(super) id: String,
    pub(super) provider: String,
    pub(super) region: String,
    pub(super) addresses: Vec<String>,
    pub(super) verdict: String,
    pub(super) measured: String,
    pub(super) order: Option<Order>,
    pub(super) since: Option<Wall>,
    pub(super) targets: Vec<Address>,
    pub(super) pools: Vec<String>,
}

/// An order on an endpoint.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Order {
    pub(super) action: String,
    #[serde(rename = "override")]
    pub(super) id: String,
    pub(super) since: Option<Wall>,
}

/// One address under one check.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Address {
    pub(super) check: Option<String>,
    pub(super) address: String,
    pub(super) verdict: String,
    pub(super) cause: String,
    pub(super) since: Option<Wall>,
    pub(super) votes: Tally,
    pub(super) last: Option<Probed>,
}

/// Votes by region.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Tally {
    pub(super) up: u16,
    pub(super) down: u16,
}

/// What one probe saw.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Probed {
    pub(super) check: String,
    pub(super) address: String,
    pub(super) outcome: String,
    pub(super) reason: Option<String>,
    pub(super) detail: Option<String>,
    pub(super) phases: Phases,
    pub(super) status: Option<u16>,
    pub(super) cert_left: Option<Span>,
}

/// Parts of a probe in milliseconds.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Phases {
    pub(super) connect_ms: Option<f64>,
    pub(super) tls_ms: Option<f64>,
    pub(super) first_byte_ms: Option<f64>,
    pub(super) total_ms: Option<f64>,
}

/// An event of the history or the stream.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    pub(super) id: u64,
    pub(super) at: Option<Wall>,
    pub(super) kind: String,
    pub(super) text: String,
    /// Of a `gap` in a stream, which has no text.
    pub(super) detail: Option<String>,
}

/// `GET /v1/explain`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Explain {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) answer: Vec<String>,
    pub(super) rcode: String,
    pub(super) ttl: Option<u32>,
    pub(super) node: String,
    pub(super) generation: u64,
    pub(super) steps: Vec<Step>,
    pub(super) next: Vec<String>,
}

/// One step of a decision.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Step {
    pub(super) step: String,
    pub(super) subject: String,
    pub(super) found: Option<String>,
    pub(super) result: Option<String>,
    pub(super) lines: Vec<String>,
    pub(super) data: StepData,
}

/// Of a step's data, what decides how it is shown.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default)]
pub(super) struct StepData {
    /// Of a pool: the answer comes from it.
    pub(super) used: Option<bool>,
}

/// An override.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Override {
    pub(super) id: String,
    pub(super) action: String,
    pub(super) weight: Option<u16>,
    pub(super) pool: Option<String>,
    pub(super) target: String,
    pub(super) reason: String,
    pub(super) by: String,
    pub(super) created: Option<Wall>,
    pub(super) from: Option<Wall>,
    pub(super) expires: Option<Wall>,
    pub(super) over: Option<Span>,
    pub(super) state: String,
    pub(super) forced: bool,
    pub(super) local: bool,
    pub(super) matches: Vec<String>,
    pub(super) matches_total: usize,
    pub(super) shadows: Vec<String>,
    pub(super) shadowed_by: Vec<String>,
    pub(super) kept: Vec<String>,
    pub(super) warnings: Vec<String>,
    pub(super) applied_on: Vec<String>,
    pub(super) pending_on: Vec<String>,
    pub(super) unheard_on: Vec<String>,
    pub(super) safe_to_stop_at: Option<Wall>,
    pub(super) etag: String,
}

/// The outcome of a dry run.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Effect {
    pub(super) matches: Vec<String>,
    pub(super) matches_total: usize,
    pub(super) safety: Safety,
    pub(super) effect: Vec<Change>,
    pub(super) effect_total: usize,
    pub(super) shadows: Vec<String>,
    pub(super) warnings: Vec<String>,
    pub(super) from: Option<Wall>,
    pub(super) expires: Option<Wall>,
    pub(super) lasts: Option<Span>,
    pub(super) over: Option<Span>,
    pub(super) etag: String,
}

/// What the safety rules say.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Safety {
    pub(super) ok: bool,
    pub(super) refused: Vec<Blocked>,
}

/// One reason of a refusal.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Blocked {
    pub(super) blocking: String,
    pub(super) detail: String,
}

/// One answer before and after.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Change {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) clients: Vec<String>,
    pub(super) from: Vec<String>,
    pub(super) to: Vec<String>,
    pub(super) note: Option<String>,
}

/// `GET /v1/config`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Configuration {
    pub(super) files: Vec<String>,
    pub(super) stale: Option<String>,
    pub(super) toml: String,
}

/// The outcome of a reload.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Reloaded {
    pub(super) changed: bool,
    pub(super) changes: Vec<Changed>,
    pub(super) warnings: Vec<String>,
}

/// One thing that a reload changed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Changed {
    pub(super) how: String,
    pub(super) kind: String,
    pub(super) id: String,
}

/// A zone in `GET /v1/zones`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Zone {
    pub(super) id: String,
}

/// `GET /v1/zones/{zone}/export`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Exported {
    pub(super) text: String,
    #[serde(default)]
    pub(super) left_out: Vec<String>,
}

/// `GET /v1/nodes`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Peer {
    pub(super) id: String,
    pub(super) region: Option<String>,
    pub(super) provider: Option<String>,
    pub(super) here: bool,
    pub(super) mode: Option<String>,
    pub(super) votes: bool,
    pub(super) suspect: bool,
    pub(super) silent: Option<Span>,
    pub(super) version: Option<String>,
    pub(super) orders: Option<bool>,
    pub(super) store_generation: Option<u64>,
    pub(super) behind: Option<u64>,
    pub(super) agreement: String,
    pub(super) clock_offset_ms: Option<i64>,
}
