//! What of `GET /v1/availability` the page shows, decoded leniently.

use serde::Deserialize;

use crate::model::{Span, Wall};

/// `GET /v1/availability`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Availability {
    pub(in crate::cli) from: Option<Wall>,
    pub(in crate::cli) to: Option<Wall>,
    pub(in crate::cli) measured: Option<Span>,
    pub(in crate::cli) too_short: bool,
    pub(in crate::cli) services: Vec<ServiceAvailability>,
    pub(in crate::cli) providers: Vec<Measured>,
    pub(in crate::cli) pools: Vec<Measured>,
    pub(in crate::cli) endpoints: Vec<Measured>,
}

/// How much of the time something was up.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Measured {
    pub(in crate::cli) id: String,
    pub(in crate::cli) availability: f64,
    pub(in crate::cli) down: Span,
    pub(in crate::cli) outages: u32,
    pub(in crate::cli) repair: Option<Span>,
    pub(in crate::cli) endpoints_mean: Option<f64>,
}

/// A service, measured and modelled.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct ServiceAvailability {
    #[serde(flatten)]
    pub(in crate::cli) measured: Measured,
    pub(in crate::cli) model: Option<Modelled>,
}

/// What a model comes to.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct Modelled {
    pub(in crate::cli) regions: usize,
    pub(in crate::cli) assumed: bool,
    pub(in crate::cli) availability: f64,
    pub(in crate::cli) failover_mean: Span,
    pub(in crate::cli) failover_worst: Span,
    pub(in crate::cli) arithmetic: String,
    pub(in crate::cli) still_old_after_ttl: f64,
    pub(in crate::cli) failovers: f64,
    pub(in crate::cli) all_out_minutes: f64,
    pub(in crate::cli) failing_over_minutes: f64,
    pub(in crate::cli) false_failovers: f64,
    #[serde(default)]
    pub(in crate::cli) what_if: Vec<WhatIf>,
}

/// What a change would do.
#[derive(Debug, Clone, Deserialize)]
pub(in crate::cli) struct WhatIf {
    pub(in crate::cli) change: String,
    pub(in crate::cli) availability: f64,
    pub(in crate::cli) saves_minutes: f64,
    pub(in crate::cli) false_failovers: f64,
}
