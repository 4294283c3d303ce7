//! Providers and regions: `GET /v1/providers`, `GET /v1/regions`. One shape: both are groups that share a fate.

use serde::{Deserialize, Serialize};

use super::{HealthCounts, word};
use crate::model::{Health, OverrideId};

/// A provider or a region with the state of its endpoints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupView {
    /// Its id.
    pub id: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    /// Latitude and longitude, for regions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at: Option<[f64; 2]>,
    /// `up`: all endpoints work; `down`: none does; `unknown`: nobody knows of any; else `degraded`.
    #[serde(with = "word")]
    pub verdict: Health,
    /// Its endpoints.
    pub endpoints: HealthCounts,
    /// Overrides in force whose target is this group.
    pub overrides: Vec<OverrideId>,
}
