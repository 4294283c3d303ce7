//! Pools: `GET /v1/pools`.

use serde::{Deserialize, Serialize};

use super::{HealthCounts, OrderView, word};
use crate::{
    admin::picture::{Picture, is_out, tally, verdict_of},
    model::{EndpointId, Health, Member, MinUp, OverrideId, PoolAnswer, PoolId, PoolIx, Selector, ServiceId, Weight},
    steer::outlook::hypothesis,
};

/// Endpoints that stand for one site or tier.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoolView {
    /// Its id.
    pub id: PoolId,
    /// `up`: all members work; `down`: none does; `unknown`: nobody knows of any; else `degraded`.
    #[serde(with = "word")]
    pub verdict: Health,
    /// How one answer is drawn.
    #[serde(with = "word")]
    pub answer: PoolAnswer,
    /// How many endpoints one answer holds.
    pub count: u8,
    /// Below it the pool is closed: `auto`, `2`, `"50%"`.
    pub min_up: String,
    /// Made from a service's `endpoints`.
    pub implicit: bool,
    /// Its members by state.
    pub endpoints: HealthCounts,
    /// In order of preference.
    pub members: Vec<MemberView>,
    /// Services that use it.
    pub services: Vec<ServiceId>,
    /// Overrides in force whose target is this pool.
    pub overrides: Vec<OverrideId>,
}

/// An endpoint in a pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberView {
    /// Which.
    pub endpoint: EndpointId,
    /// Its share as configured.
    pub weight: Weight,
    /// Its share as an override orders it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub weight_ordered: Option<Weight>,
    /// Worst verdict in force.
    #[serde(with = "word")]
    pub verdict: Health,
    /// Worst measured verdict.
    #[serde(with = "word")]
    pub measured: Health,
    /// The order that governs the membership in the first service that uses the pool.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub order: Option<OrderView>,
}

impl PoolView {
    pub(in crate::admin) fn of(picture: &Picture<'_>, ix: PoolIx) -> Self {
        let pool = picture.fleet().pool(ix);
        let users: Vec<_> = picture.users_of(ix).collect();
        let first = users.first();
        let member = |member: &Member| {
            let worst = picture.endpoint(member.endpoint);
            let in_service = first.map(|(service, _)| *service);
            let order = match in_service {
                Some(service) => {
                    picture.orders.in_membership(service, ix, member.endpoint).and_then(hypothesis::availability_of)
                }
                None => worst.order,
            };
            let weight = in_service.and_then(|service| picture.orders.weight(service, ix, member.endpoint));
            MemberView {
                endpoint: picture.fleet().endpoint(member.endpoint).id.clone(),
                weight: member.weight,
                weight_ordered: weight.map(|(weight, _)| weight),
                verdict: worst.verdict,
                measured: worst.measured,
                order: order.map(|order| OrderView::of(picture.snapshot, order)),
            }
        };
        let members: Vec<MemberView> = pool.members.iter().map(member).collect();
        let mut endpoints = HealthCounts::default();
        for member in &members {
            tally(&mut endpoints, member.verdict, is_out(member.order.as_ref().map(|order| order.action)));
        }
        Self {
            id: pool.id.clone(),
            verdict: verdict_of(&endpoints),
            answer: pool.answer,
            count: pool.count,
            min_up: match pool.min_up {
                MinUp::Auto => "auto".to_owned(),
                MinUp::Count(count) => count.to_string(),
                MinUp::Share(percent) => format!("{percent}%"),
            },
            implicit: pool.implicit,
            endpoints,
            members,
            services: users.iter().map(|(_, service)| service.id.clone()).collect(),
            overrides: picture.aimed_at(|target| match target {
                Selector::Pool(glob) => glob.fits(pool.id.as_str()),
                Selector::Endpoint(_)
                | Selector::Service(_)
                | Selector::Label(..)
                | Selector::Region(_)
                | Selector::Provider(_)
                | Selector::All => false,
            }),
        }
    }
}
