//! Endpoints and probe results: `GET /v1/endpoints`, `/v1/endpoints/{id}/results`, `POST .../probe`.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

use super::word;
use crate::model::{
    Availability, CheckId, EndpointId, Family, Health, OverrideId, PoolId, ProviderId, RegionId, ServiceId, Span, Wall,
    Weight,
};

/// One place that can serve, with what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointView {
    /// Its id.
    pub id: EndpointId,
    /// Who runs it.
    pub provider: ProviderId,
    /// Where it is.
    pub region: RegionId,
    /// What is answered, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// Its weight where a pool gives none.
    pub weight: Weight,
    /// What it can carry.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub capacity: Option<u32>,
    /// Labels for selectors.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub labels: BTreeMap<String, String>,
    /// The name it is also known by.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub alias: Option<String>,
    /// The worst verdict in force among its addresses and checks.
    #[serde(with = "word")]
    pub verdict: Health,
    /// The worst measured verdict; what an override hides stays visible here.
    #[serde(with = "word")]
    pub measured: Health,
    /// The order that governs it, if any.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub order: Option<OrderView>,
    /// When the worst verdict began.
    pub since: Wall,
    /// Each address under each check.
    pub targets: Vec<AddressView>,
    /// Pools it is a member of.
    pub pools: Vec<PoolId>,
    /// Services that can answer with it.
    pub services: Vec<ServiceId>,
}

/// An order of the availability lane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderView {
    /// What is ordered.
    #[serde(with = "word")]
    pub action: Availability,
    /// By which override.
    #[serde(rename = "override")]
    pub id: OverrideId,
}

/// The verdict on one address under one check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AddressView {
    /// The check; absent when it is unchecked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub check: Option<CheckId>,
    /// The family.
    #[serde(with = "word")]
    pub family: Family,
    /// The address.
    pub address: IpAddr,
    /// In force.
    #[serde(with = "word")]
    pub verdict: Health,
    /// Measured.
    #[serde(with = "word")]
    pub measured: Health,
    /// Why: `voted`, `unchecked`, `no-result`, `remembered`, `disputed`, `no-votes`, `check-changed`.
    pub cause: String,
    /// When the verdict in force began.
    pub since: Wall,
    /// Votes by region.
    pub votes: TallyView,
    /// Held by this freeze.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub frozen: Option<OverrideId>,
    /// This node's last result.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last: Option<ResultView>,
}

/// Fresh votes, by region.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TallyView {
    /// For up.
    pub up: u16,
    /// For down.
    pub down: u16,
    /// For neither.
    pub abstained: u16,
}

/// What one probe saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResultView {
    /// Of which endpoint.
    pub endpoint: EndpointId,
    /// Under which check.
    pub check: CheckId,
    /// The family.
    #[serde(with = "word")]
    pub family: Family,
    /// Where the connection went: address and port.
    pub address: String,
    /// When it ended.
    pub at: Wall,
    /// `pass`, `complaint`, `fail` or `abstain`.
    pub outcome: String,
    /// Why it is no plain pass, as a stable word: `timeout`, `refused`, `tls`, `status` ...
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The same in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    /// How long the parts took.
    pub phases: PhasesView,
    /// The HTTP status.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// Remaining life of the certificate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cert_left: Option<Span>,
}

/// Parts of a probe in milliseconds with fraction; a part that was not reached is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PhasesView {
    /// Until the TCP connection stood.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub connect_ms: Option<f64>,
    /// The TLS handshake.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tls_ms: Option<f64>,
    /// From the request to the first byte.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub first_byte_ms: Option<f64>,
    /// All of it.
    pub total_ms: f64,
}
