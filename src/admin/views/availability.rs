//! `GET /v1/availability`: what was measured, the model beside it, and what a change would buy.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    admin::uptime::{Downtimes, by_provider, by_region, members},
    config,
    judge::availability::{Assumptions, Detection, Forecast, MEASURED_LEAST, Model, Site, timeline::Uptime},
    model::{Check, Fleet, Quorum, ServiceId, ServiceIx, Snapshot, Span, Wall},
};

/// Most endpoints and pools that are listed, the worst first.
const LISTED_MAX: usize = 1000;
/// What a region is taken to be where no outage was measured.
const ASSUMED_AVAILABILITY: f64 = 0.999;
/// How long its outages are taken to last.
const ASSUMED_REPAIR: Duration = Duration::from_secs(3600);
/// From a verdict to the answers of all nodes: in a fleet through the store, else in one process.
const PROPAGATION_FLEET: Duration = Duration::from_secs(3);

/// Availability over a window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AvailabilityView {
    /// How far back was asked for.
    pub window: Span,
    /// From when on it is measured: later than asked for where history begins later.
    pub from: Wall,
    /// Until when.
    pub to: Wall,
    /// How long that is.
    #[serde(default)]
    pub measured: Span,
    /// It says nothing of a year: less than 28 days were measured, so the models go by assumptions alone.
    #[serde(default)]
    pub too_short: bool,
    /// By service, in the order of ids.
    pub services: Vec<ServiceAvailabilityView>,
    /// By provider.
    pub providers: Vec<MeasuredView>,
    /// Pools, the worst first; at most 1000.
    pub pools: Vec<MeasuredView>,
    /// Endpoints, the worst first; at most 1000.
    pub endpoints: Vec<MeasuredView>,
    /// What the models take for granted.
    pub assumptions: AssumptionsView,
}

/// How much of the window something was up. Time ordered down by a person counts as up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasuredView {
    /// Of what.
    pub id: String,
    /// 0 to 1. An endpoint is down while any of its addresses is; a pool, service or provider while all of it is.
    pub availability: f64,
    /// How long it was down.
    pub down: Span,
    /// How often.
    pub outages: u32,
    /// How long an outage took on average; absent without one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub repair: Option<Span>,
    /// The mean of its endpoints' availabilities, where it has several.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub endpoints_mean: Option<f64>,
}

/// A service: measured, and modelled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceAvailabilityView {
    /// What was measured.
    #[serde(flatten)]
    pub measured: MeasuredView,
    /// What the model says; absent for a service without a check.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub model: Option<ModelView>,
}

/// A model and what it comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelView {
    /// Regions the service stands in.
    pub regions: usize,
    /// No outage of a region was measured, or too short a time: 99.9 % and an hour are taken for each.
    pub assumed: bool,
    /// 0 to 1.
    pub availability: f64,
    /// From a failure to the decision, on average.
    pub decision_mean: Span,
    /// The same at worst.
    pub decision_worst: Span,
    /// Until a user is served again whose resolver keeps to the TTL, on average.
    pub failover_mean: Span,
    /// The same at worst.
    pub failover_worst: Span,
    /// How the worst is reckoned.
    pub arithmetic: String,
    /// Part of the requests that still go to the old address when the TTL has passed.
    pub still_old_after_ttl: f64,
    /// Failovers a year.
    pub failovers: f64,
    /// Minutes a year in which all regions are out.
    pub all_out_minutes: f64,
    /// Minutes a year lost while failing over.
    pub failing_over_minutes: f64,
    /// Failovers a year that nothing asked for.
    pub false_failovers: f64,
    /// What changes would do.
    pub what_if: Vec<WhatIfView>,
}

/// A change and what it buys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WhatIfView {
    /// In words.
    pub change: String,
    /// Availability with it.
    pub availability: f64,
    /// Minutes a year it saves; below 0 it costs.
    pub saves_minutes: f64,
    /// Failovers a year that nothing asked for, with it.
    pub false_failovers: f64,
}

/// What the models take for granted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AssumptionsView {
    /// Part of the outages that all regions share a cause of.
    pub common_cause: f64,
    /// Chance that one probe fails though the endpoint is up.
    pub probe_error: f64,
    /// Availability of all name servers together.
    pub dns: f64,
}

impl AvailabilityView {
    pub(in crate::admin) fn of(snapshot: &Snapshot, downtimes: &Downtimes, window: Duration) -> Self {
        let fleet = &snapshot.fleet;
        let taken = Assumptions::default();
        let endpoints = fleet.endpoints.iter().enumerate();
        let endpoints = endpoints.map(|(ix, one)| {
            MeasuredView::of(one.id.as_str(), downtimes.endpoint(crate::model::EndpointIx::new(ix)), None)
        });
        let pools = fleet.pools.iter().map(|pool| {
            let of = || pool.members.iter().map(|member| member.endpoint);
            MeasuredView::of(pool.id.as_str(), downtimes.together(of()), Some(downtimes.mean(of())))
        });
        let groups = by_provider(fleet);
        let providers = groups.iter().map(|(id, of)| {
            let of = || of.iter().copied();
            MeasuredView::of(id.as_str(), downtimes.together(of()), Some(downtimes.mean(of())))
        });
        let mut services: Vec<_> = fleet.services().map(|(ix, _)| service(snapshot, downtimes, ix, taken)).collect();
        services.sort_by(|a, b| a.measured.id.cmp(&b.measured.id));
        Self {
            window: Span(window),
            from: downtimes.from,
            to: downtimes.to,
            measured: Span(downtimes.to.since(downtimes.from)),
            too_short: is_too_short(downtimes),
            services,
            providers: providers.collect(),
            pools: worst(pools.collect()),
            endpoints: worst(endpoints.collect()),
            assumptions: AssumptionsView {
                common_cause: taken.common_cause,
                probe_error: taken.probe_error,
                dns: taken.dns,
            },
        }
    }
}

fn is_too_short(downtimes: &Downtimes) -> bool {
    downtimes.to.since(downtimes.from) < MEASURED_LEAST
}

/// The worst first, no more than are listed.
fn worst(mut list: Vec<MeasuredView>) -> Vec<MeasuredView> {
    list.sort_by(|a, b| a.availability.total_cmp(&b.availability).then_with(|| a.id.cmp(&b.id)));
    list.truncate(LISTED_MAX);
    list
}

impl MeasuredView {
    fn of(id: &str, uptime: Uptime, endpoints_mean: Option<f64>) -> Self {
        let repair =
            (0 < uptime.outages).then(|| Span(Duration::from_millis(uptime.down_ms / u64::from(uptime.outages))));
        Self {
            id: id.to_owned(),
            availability: uptime.share,
            down: Span(Duration::from_millis(uptime.down_ms)),
            outages: uptime.outages,
            repair,
            endpoints_mean,
        }
    }
}

fn service(snapshot: &Snapshot, downtimes: &Downtimes, ix: ServiceIx, taken: Assumptions) -> ServiceAvailabilityView {
    let fleet = &snapshot.fleet;
    let all = members(fleet, ix);
    let id: &ServiceId = &fleet.service(ix).id;
    let mean = downtimes.mean(all.iter().copied());
    let measured = MeasuredView::of(id.as_str(), downtimes.together(all.iter().copied()), Some(mean));
    let model = slowest(fleet, ix).map(|check| {
        let regions = by_region(fleet, &all);
        let count = regions.len().max(1) as f64;
        let seen: Vec<Uptime> = regions.values().map(|of| downtimes.together(of.iter().copied())).collect();
        let known = |uptime: &Uptime| !is_too_short(downtimes) && 0 < uptime.outages;
        let sites = seen.iter().map(|uptime| site(Some(uptime).filter(|uptime| known(uptime)), 1.0 / count));
        let detection = detection(snapshot, ix, check);
        let model = Model { sites: sites.collect(), detection, assumptions: taken };
        ModelView::of(&model, !seen.iter().any(known), arithmetic(check, &detection))
    });
    ServiceAvailabilityView { measured, model }
}

/// A region as it was measured, or as one is taken to be.
fn site(measured: Option<&Uptime>, share: f64) -> Site {
    let Some(uptime) = measured else {
        return Site { availability: ASSUMED_AVAILABILITY, repair: ASSUMED_REPAIR, share };
    };
    let repair = Duration::from_millis((uptime.down_ms / u64::from(uptime.outages)).max(1));
    Site { availability: uptime.share, repair, share }
}

/// The check that takes longest.
fn slowest(fleet: &Fleet, ix: ServiceIx) -> Option<&Check> {
    let service = fleet.service(ix);
    let arms = service.arms.iter().chain(service.rules.iter().flat_map(|rule| &rule.arms));
    let checks = arms.flat_map(|arm| &arm.subjects).filter_map(|subject| fleet.subject(*subject).check);
    checks.map(|check| fleet.check(check)).max_by_key(|check| config::detection(check))
}

fn detection(snapshot: &Snapshot, ix: ServiceIx, check: &Check) -> Detection {
    let fleet = &snapshot.fleet;
    let subjects = fleet.service(ix).arms.iter().flat_map(|arm| &arm.subjects);
    let verdicts =
        subjects.flat_map(|subject| crate::model::Family::ALL.map(|family| snapshot.verdict(*subject, family)));
    let voters = verdicts.flatten().map(|verdict| u32::from(verdict.tally.cast() + verdict.tally.abstained)).max();
    let vantages = voters.unwrap_or(1).max(1);
    let needed = match fleet.verdict.quorum {
        Quorum::Any => 1,
        Quorum::Majority => vantages / 2 + 1,
        Quorum::All => vantages,
        Quorum::Count(count) => u32::from(count).clamp(1, vantages),
    };
    Detection {
        interval: check.interval,
        recheck: check.recheck,
        timeout: check.timeout,
        fall: u32::from(check.thresholds.fall),
        vantages,
        needed,
        propagation: if 1 < vantages { PROPAGATION_FLEET } else { Duration::ZERO },
        ttl: Duration::from_secs(fleet.service(ix).ttl.into()),
    }
}

/// `10s interval + 3 x 2s timeout + 2 x 3s recheck + 1s = 23s; 30s TTL: 53s`: the terms of the worst failover.
fn arithmetic(check: &Check, of: &Detection) -> String {
    let fall = check.thresholds.fall;
    let found = config::detection(check);
    let recheck = Span(check.recheck.min(check.interval));
    let passed_on =
        if of.propagation.is_zero() { String::new() } else { format!("; {} to all nodes", Span(of.propagation)) };
    format!(
        "{} interval + {fall} x {} timeout + {} x {recheck} recheck + 1s = {}{passed_on}; {} TTL: {}",
        Span(check.interval),
        Span(check.timeout),
        fall.saturating_sub(1),
        Span(found),
        Span(of.ttl),
        Span(found + of.propagation + of.ttl)
    )
}

impl ModelView {
    fn of(model: &Model, assumed: bool, arithmetic: String) -> Self {
        let now = model.forecast();
        let what_if = |change: &str, other: &Model| {
            let then = other.forecast();
            WhatIfView {
                change: change.to_owned(),
                availability: then.availability,
                saves_minutes: (then.availability - now.availability) * crate::judge::availability::YEAR_MIN,
                false_failovers: then.false_failovers,
            }
        };
        let halved = |of: Duration| of / 2;
        let what_if = vec![
            what_if("one more region", &model.with_one_more()),
            what_if("half the TTL", &model.with(|model| model.detection.ttl = halved(model.detection.ttl))),
            what_if(
                "half the interval",
                &model.with(|model| model.detection.interval = halved(model.detection.interval)),
            ),
            what_if(
                "one failure less until down",
                &model.with(|model| model.detection.fall = model.detection.fall.saturating_sub(1).max(1)),
            ),
        ];
        let Forecast { availability, still_old_after_ttl, failovers, .. } = now;
        let span = |seconds: f64| Span(Duration::from_millis((seconds * 1000.0).round() as u64));
        Self {
            regions: model.sites.len(),
            assumed,
            availability,
            decision_mean: span(now.decision_mean_s),
            decision_worst: span(now.decision_worst_s),
            failover_mean: span(now.failover_mean_s),
            failover_worst: span(now.failover_worst_s),
            arithmetic,
            still_old_after_ttl,
            failovers,
            all_out_minutes: now.all_out_min,
            failing_over_minutes: now.failing_over_min,
            false_failovers: now.false_failovers,
            what_if,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_of_measurement_are_not_made_a_year() {
        let text = r#"
[zone."example"]
ns = { ns1 = "192.0.2.53" }
[service.www]
names = ["www.example"]
endpoints = ["203.0.113.10", "198.51.100.20"]
check = "https://www.example/"
"#;
        let fleet = config::load_text("t.toml", text, &|_| None).unwrap().fleet;
        let world = crate::steer::sample::World::default();
        let snapshot = world.snapshot_of(&fleet);
        // Down for one minute of six, and for the same minute of thirty days.
        let endpoint = &fleet.endpoints[0].id;
        let to = Wall(4_000_000_000);
        let seen = |window: Duration| {
            let from = Wall(to.0 - crate::model::ms(window));
            let both = fleet.endpoints.iter().flat_map(|one| {
                [(120_000, crate::model::Health::Down), (60_000, crate::model::Health::Up)].map(|(ago, health)| {
                    crate::store::journal::Transition {
                        seq: to.0 - ago,
                        at: Wall(to.0 - ago),
                        generation: 1,
                        endpoint: one.id.clone(),
                        subject: fleet.subject_id(crate::model::SubjectIx::new(
                            fleet.subjects.iter().position(|of| fleet.endpoint(of.endpoint).id == one.id).unwrap(),
                        )),
                        family: crate::model::Family::V4,
                        from: crate::model::Health::Unknown,
                        to: health,
                        cause: "voted".into(),
                    }
                })
            });
            let mut transitions: Vec<_> = both.collect();
            transitions.sort_by_key(|one| one.seq);
            AvailabilityView::of(&snapshot, &Downtimes::of(&snapshot, &transitions, from, to), window)
        };
        let short = seen(Duration::from_secs(360));
        let model = short.services[0].model.as_ref().unwrap();
        let down = short.endpoints.iter().find(|one| one.id == endpoint.as_str()).unwrap();
        assert_eq!((down.outages, down.down.to_string()), (1, "1m".to_owned()), "what was measured is told");
        assert!(short.too_short && model.assumed, "{short:?}");
        let assumed = model.availability;
        let long = seen(MEASURED_LEAST);
        let model = long.services[0].model.as_ref().unwrap();
        assert!(!long.too_short && !model.assumed && model.availability != assumed, "{long:?}");
    }
}
