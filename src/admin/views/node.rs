//! The node: `GET /v1/status`, `/v1/nodes`, `/v1/whoami`, `/readyz?verbose`.

use std::{cmp::Reverse, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use super::{EndpointView, OverrideView, ServiceView};
use crate::{
    admin::{
        handles::Condition,
        picture::{Picture, Worst, is_out, tally},
        recent::Recent,
    },
    model::{Company, EndpointIx, Health, NodeId, Override, ProviderId, RegionId, Selector, Span, Wall},
};

/// One call for the page and for `status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusView {
    /// Which node says so.
    pub node: NodeView,
    /// What a person should know, loudest first.
    pub banners: Vec<String>,
    /// How much of what.
    pub counts: CountsView,
    /// Services by id, those in trouble first; at most 200.
    pub services: Vec<ServiceView>,
    /// Endpoints that are not plainly up or are ordered out, worst first; at most 200.
    pub troubles: Vec<EndpointView>,
    /// Overrides in force and planned, soonest end first; at most 200.
    pub overrides: Vec<OverrideView>,
}

/// A running wayshift.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeView {
    /// Its id.
    pub id: NodeId,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub region: Option<RegionId>,
    /// At whose place.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub provider: Option<ProviderId>,
    /// Of the program.
    pub version: String,
    /// When it began.
    pub started: Wall,
    /// How long ago that is.
    pub uptime: Span,
    /// Of its snapshot: rises with each change.
    pub generation: u64,
    /// Of its snapshot: equal digests mean equal answers.
    pub digest: String,
    /// Of its configuration.
    pub config: String,
    /// Of the store.
    pub store_generation: u64,
    /// When the snapshot was decided.
    pub at: Wall,
    /// How it decides: `single`, `connected`, `detached`, `alone`, `held`, `frozen`.
    #[serde(default)]
    pub mode: String,
}

/// Totals.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CountsView {
    /// Services by verdict.
    pub services: HealthCounts,
    /// Endpoints by worst verdict.
    pub endpoints: HealthCounts,
    /// How many pools.
    pub pools: usize,
    /// How many overrides are in force.
    pub overrides: usize,
    /// How many begin later.
    pub planned: usize,
}

/// How many are in which state.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HealthCounts {
    /// All of them.
    pub total: usize,
    /// Up.
    pub up: usize,
    /// Degraded.
    pub degraded: usize,
    /// Nobody knows.
    pub unknown: usize,
    /// Down.
    pub down: usize,
    /// Ordered out (drain or down), whatever else they are.
    pub ordered_out: usize,
}

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhoamiView {
    /// `token:web-oncall`, `uid:1000`.
    pub principal: String,
    /// `peer`, `viewer`, `operator` or `admin`.
    pub role: String,
    /// What an operator's overrides must stay within; empty means everything.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub scope: Vec<Selector>,
    /// When the token ends.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires: Option<Wall>,
    /// From where the request came: an address or `unix`.
    pub from: String,
}

/// `GET /readyz?verbose`: each condition by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadyView {
    /// All hold.
    pub ready: bool,
    /// `doors`, `table`.
    pub checks: BTreeMap<String, bool>,
}

/// Entries of each list in a status; the lists of their own go on.
const STATUS_LIST_MAX: usize = 200;

impl StatusView {
    pub(in crate::admin) fn of(
        node: NodeView,
        condition: &Condition,
        picture: &Picture<'_>,
        company: &Company,
        recent: &Recent,
    ) -> Self {
        let snapshot = picture.snapshot;
        let fleet = picture.fleet();
        let mut services: Vec<ServiceView> = fleet.services().map(|(ix, _)| ServiceView::of(picture, ix)).collect();
        let mut counts = CountsView {
            pools: fleet.pools.len(),
            overrides: snapshot.overrides.len(),
            planned: snapshot.planned.len(),
            ..CountsView::default()
        };
        for service in &services {
            tally(&mut counts.services, service.verdict, false);
        }
        services.sort_by(|a, b| b.verdict.cmp(&a.verdict).then_with(|| a.id.cmp(&b.id)));
        services.truncate(STATUS_LIST_MAX);

        let mut troubles: Vec<(EndpointIx, Worst)> = Vec::new();
        for ix in (0..fleet.endpoints.len()).map(EndpointIx::new) {
            let worst = picture.endpoint(ix);
            let out = is_out(worst.order.as_ref().map(|(order, _)| *order));
            tally(&mut counts.endpoints, worst.verdict, out);
            if worst.verdict != Health::Up || worst.measured != Health::Up || out {
                troubles.push((ix, worst));
            }
        }
        troubles.sort_by_key(|(ix, worst)| (Reverse(worst.verdict), *ix));
        troubles.truncate(STATUS_LIST_MAX);

        let mut overrides: Vec<&Override> = snapshot.overrides.iter().chain(&*snapshot.planned).collect();
        overrides.sort_by_key(|order| (order.expires, order.id.clone()));
        overrides.truncate(STATUS_LIST_MAX);

        let stale = condition.config_stale.iter();
        let broken = condition.store_broken.iter();
        let known = |why: &&String| !condition.banners.contains(why);
        Self {
            banners: broken.chain(stale).filter(known).chain(&condition.banners).cloned().collect(),
            counts,
            services,
            troubles: troubles.iter().map(|(ix, _)| EndpointView::of(picture, recent, *ix)).collect(),
            overrides: overrides
                .into_iter()
                .map(|order| OverrideView::of(picture.snapshot, order).everywhere(company, order))
                .collect(),
            node,
        }
    }
}
