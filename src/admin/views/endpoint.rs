//! Endpoints and probe results: `GET /v1/endpoints`, `/v1/endpoints/{id}/results`, `POST .../probe`.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};

use super::word;
use crate::{
    admin::{
        picture::{Picture, Worst},
        recent::Recent,
    },
    model::{
        Availability, CheckId, EndpointId, EndpointIx, Family, Health, Observation, Outcome, OverrideId, PoolId,
        PoolIx, ProviderId, RegionId, Service, ServiceId, Snapshot, Span, SubjectIx, Tally, Target, Wall, Weight,
    },
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
    /// How busy it is, in the unit of `capacity`; absent while that is not known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub load: Option<f64>,
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
    /// Since when that override holds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Wall>,
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
    /// Why the verdict is not what was measured: `flap`, `resume` (held down; `wayshift restore` ends it), `budget`,
    /// `auto-freeze` (held up).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hold: Option<String>,
    /// How long ago it came back, where a ramp or failback still asks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub returned: Option<Span>,
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

impl EndpointView {
    pub(in crate::admin) fn of(picture: &Picture<'_>, recent: &Recent, ix: EndpointIx) -> Self {
        let fleet = picture.fleet();
        let endpoint = fleet.endpoint(ix);
        let Worst { verdict, measured, since, order } = picture.endpoint(ix);
        let pools = fleet.pools.iter().enumerate().filter(|(_, pool)| pool.members.iter().any(|m| m.endpoint == ix));
        let (places, pools): (Vec<PoolIx>, Vec<PoolId>) =
            pools.map(|(place, pool)| (PoolIx::new(place), pool.id.clone())).unzip();
        let uses = |service: &&Service| fleet.arms(service).any(|arm| places.contains(&arm.pool));
        let targets = picture.subjects_of(ix).iter().flat_map(|subject| {
            endpoint
                .addresses()
                .filter_map(|(family, address)| AddressView::of(picture, recent, *subject, family, address))
        });
        Self {
            id: endpoint.id.clone(),
            provider: endpoint.provider.clone(),
            region: endpoint.region.clone(),
            addresses: endpoint.addresses().map(|(_, address)| address).collect(),
            weight: endpoint.weight,
            load: picture.snapshot.feeds.loads.get(&endpoint.id).map(|load| load.0),
            capacity: endpoint.capacity,
            labels: endpoint.labels.clone(),
            alias: endpoint.alias.clone(),
            verdict,
            measured,
            order: order.map(|order| OrderView::of(picture.snapshot, order)),
            since,
            targets: targets.collect(),
            services: fleet.services.iter().filter(uses).map(|service| service.id.clone()).collect(),
            pools,
        }
    }
}

impl OrderView {
    pub(in crate::admin) fn of(snapshot: &Snapshot, (action, id): (Availability, OverrideId)) -> Self {
        let since = snapshot.overrides.iter().find(|order| order.id == id).map(|order| order.from);
        Self { action, id, since }
    }
}

impl From<(Availability, OverrideId)> for OrderView {
    fn from((action, id): (Availability, OverrideId)) -> Self {
        Self { action, id, since: None }
    }
}

impl AddressView {
    fn of(picture: &Picture<'_>, recent: &Recent, subject: SubjectIx, family: Family, address: IpAddr) -> Option<Self> {
        let verdict = picture.snapshot.verdict(subject, family)?;
        let id = picture.fleet().subject_id(subject);
        let last = id.as_ref().and_then(|id| recent.last(&Target { subject: id.clone(), family }));
        Some(Self {
            check: id.map(|id| id.check),
            family,
            address,
            verdict: verdict.health,
            measured: verdict.measured,
            cause: verdict.cause.word().to_owned(),
            since: verdict.since,
            votes: TallyView::from(verdict.tally),
            frozen: verdict.frozen.clone(),
            hold: verdict.hold.map(|hold| hold.word().to_owned()),
            returned: verdict.returned.map(|at| Span(picture.snapshot.at.mono.since(at))),
            last: last.map(|last| ResultView::from(&*last)),
        })
    }
}

impl From<Tally> for TallyView {
    fn from(Tally { up, down, abstained }: Tally) -> Self {
        Self { up, down, abstained }
    }
}

impl From<&Observation> for ResultView {
    fn from(seen: &Observation) -> Self {
        let (outcome, reason, detail) = match &seen.outcome {
            Outcome::Pass => ("pass", None, None),
            Outcome::Complaint(complaint) => ("complaint", Some(complaint.word()), None),
            Outcome::Fail(failure) => ("fail", Some(failure.word()), Some(failure.to_string())),
            Outcome::Abstain(fault) => ("abstain", Some(fault.word()), None),
        };
        Self {
            endpoint: seen.target.subject.endpoint.clone(),
            check: seen.target.subject.check.clone(),
            family: seen.target.family,
            address: seen.address.to_string(),
            at: seen.at.wall,
            outcome: outcome.to_owned(),
            reason: reason.map(str::to_owned),
            detail,
            phases: PhasesView {
                connect_ms: seen.phases.connect.map(milliseconds),
                tls_ms: seen.phases.tls.map(milliseconds),
                first_byte_ms: seen.phases.first_byte.map(milliseconds),
                total_ms: milliseconds(seen.phases.total),
            },
            status: seen.status,
            cert_left: seen.cert_left.map(Span),
        }
    }
}

/// With microseconds as its fraction: loopback answers in less than one.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
