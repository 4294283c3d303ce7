//! Gauges of a moment in the OpenMetrics text form: what the snapshot says, made when someone asks.
//!
//! Why not in the registry: these are values of one picture; kept as metrics they would be a second truth that lags.

use std::fmt::Write as _;

use super::{
    condition::NodeParts,
    handles::Condition,
    picture::{Picture, is_out},
    views::ServiceView,
};
use crate::{
    config::TelemetrySettings,
    model::{EndpointIx, Health, PoolIx},
};

/// Text under construction, with a bound on its series.
struct Sheet {
    text: String,
    left: usize,
    dropped: usize,
}

/// Labels of one series; ids need no escaping, anything else gets it.
type Labels<'a> = &'a [(&'a str, &'a str)];

impl Sheet {
    fn family(&mut self, name: &str, help: &str) {
        let _ = write!(self.text, "# HELP wayshift_{name} {help}.\n# TYPE wayshift_{name} gauge\n");
    }

    fn put(&mut self, name: &str, labels: Labels<'_>, value: f64) {
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => {
                self.dropped += 1;
                return;
            }
        }
        let _ = write!(self.text, "wayshift_{name}");
        for (place, (label, text)) in labels.iter().enumerate() {
            let before = if place == 0 { '{' } else { ',' };
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{before}{label}=\"{text}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }

    fn one(&mut self, name: &str, help: &str, labels: Labels<'_>, value: f64) {
        self.family(name, help);
        self.put(name, labels, value);
    }
}

/// What the node, its services, pools, overrides and endpoints are now. Endpoints come last, so that a bound on series
/// costs them first.
pub(super) fn write(
    picture: &Picture<'_>,
    node: &NodeParts,
    condition: &Condition,
    telemetry: &TelemetrySettings,
) -> String {
    let max = usize::try_from(telemetry.max_series).unwrap_or(usize::MAX);
    let mut sheet = Sheet { text: String::new(), left: max, dropped: 0 };
    of_node(&mut sheet, picture, node, condition);
    of_overrides(&mut sheet, picture);
    of_services(&mut sheet, picture);
    of_pools(&mut sheet, picture);
    if telemetry.per_endpoint {
        of_endpoints(&mut sheet, picture);
    }
    let dropped = sheet.dropped;
    sheet.left = 1;
    sheet.one("series_dropped", "Series left out of this scrape by telemetry.metrics.max_series", &[], dropped as f64);
    sheet.text
}

fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

fn seconds(at: crate::model::Wall) -> f64 {
    at.0 as f64 / 1000.0
}

fn of_node(sheet: &mut Sheet, picture: &Picture<'_>, node: &NodeParts, condition: &Condition) {
    let view = node.view(picture.snapshot);
    let labels: Labels<'_> = &[("version", &view.version), ("node", view.id.as_str())];
    sheet.one("build_info", "The program", labels, 1.0);
    sheet.one("config_info", "The configuration in effect", &[("digest", &view.config)], 1.0);
    sheet.one(
        "config_stale",
        "The configuration in effect is not the file's",
        &[],
        flag(condition.config_stale.is_some()),
    );
    if let Some(since) = condition.config_since {
        let help = "When the configuration in effect was accepted";
        sheet.one("config_last_reload_success_timestamp_seconds", help, &[], seconds(since));
    }
    sheet.one("start_time_seconds", "When the node began", &[], seconds(view.started));
    sheet.one("generation", "Of the snapshot in force", &[], view.generation as f64);
    sheet.one("store_generation", "Of the store", &[], view.store_generation as f64);
    sheet.one("store_writable", "The store takes changes", &[], flag(condition.store_broken.is_none()));
    sheet.one("ready", "Doors bound and a table loaded", &[], flag(condition.doors_bound && condition.table_loaded));
}

fn of_overrides(sheet: &mut Sheet, picture: &Picture<'_>) {
    let active = &picture.snapshot.overrides;
    sheet.family("overrides_active", "Overrides in force");
    for action in ["up", "drain", "down", "weight", "pin", "freeze"] {
        let count = active.iter().filter(|order| order.action.word() == action).count();
        sheet.put("overrides_active", &[("action", action)], count as f64);
    }
    sheet.family("override_expires_timestamp_seconds", "When an override in force ends");
    for order in active.iter() {
        let (id, target) = (order.id.to_string(), order.target.to_string());
        let labels: Labels<'_> = &[("id", &id), ("action", order.action.word()), ("target", &target)];
        sheet.put("override_expires_timestamp_seconds", labels, seconds(order.expires));
    }
}

fn of_services(sheet: &mut Sheet, picture: &Picture<'_>) {
    let services: Vec<ServiceView> = picture.fleet().services().map(|(ix, _)| ServiceView::of(picture, ix)).collect();
    sheet.family("service_up", "The service has something healthy to answer with");
    for service in &services {
        sheet.put("service_up", &[("service", service.id.as_str())], flag(!service.none_healthy));
    }
    sheet.family("service_failed_over", "The service does not answer from its first pool");
    for service in &services {
        let over = service.pools.first().is_some_and(|first| !first.active);
        sheet.put("service_failed_over", &[("service", service.id.as_str())], flag(over));
    }
    sheet.family("service_active_pool", "The service answers from this pool");
    for service in &services {
        for arm in &service.pools {
            let labels: Labels<'_> = &[("service", service.id.as_str()), ("pool", arm.pool.as_str())];
            sheet.put("service_active_pool", labels, flag(arm.active));
        }
    }
}

fn of_pools(sheet: &mut Sheet, picture: &Picture<'_>) {
    let pools = &picture.fleet().pools;
    let counts: Vec<(&str, usize, usize)> = (0..pools.len())
        .map(|place| {
            let pool = picture.fleet().pool(PoolIx::new(place));
            let members = pool.members.iter().map(|member| picture.endpoint(member.endpoint));
            let healthy = members
                .filter(|worst| worst.verdict.works() && !is_out(worst.order.as_ref().map(|(order, _)| *order)))
                .count();
            (pool.id.as_str(), pool.members.len(), healthy)
        })
        .collect();
    sheet.family("pool_up", "The pool has an endpoint that works and is not ordered out");
    counts.iter().for_each(|(id, _, healthy)| sheet.put("pool_up", &[("pool", id)], flag(0 < *healthy)));
    sheet.family("pool_endpoints", "Endpoints of the pool");
    counts.iter().for_each(|(id, all, _)| sheet.put("pool_endpoints", &[("pool", id)], *all as f64));
    sheet.family("pool_healthy_endpoints", "Endpoints of the pool that work and are not ordered out");
    counts.iter().for_each(|(id, _, healthy)| sheet.put("pool_healthy_endpoints", &[("pool", id)], *healthy as f64));
}

fn of_endpoints(sheet: &mut Sheet, picture: &Picture<'_>) {
    let endpoints = &picture.fleet().endpoints;
    let all = || (0..endpoints.len()).map(EndpointIx::new);
    sheet.family("endpoint_up", "The endpoint works, by its worst address and check");
    for ix in all() {
        let endpoint = picture.fleet().endpoint(ix);
        let labels: Labels<'_> = &[
            ("endpoint", endpoint.id.as_str()),
            ("provider", endpoint.provider.as_str()),
            ("region", endpoint.region.as_str()),
        ];
        sheet.put("endpoint_up", labels, flag(picture.endpoint(ix).verdict.works()));
    }
    sheet.family("endpoint_state", "1 for the state in force, 0 for the others");
    for ix in all() {
        let verdict = picture.endpoint(ix).verdict;
        for (word, state) in Health::WORDS {
            let labels: Labels<'_> = &[("endpoint", picture.fleet().endpoint(ix).id.as_str()), ("state", word)];
            sheet.put("endpoint_state", labels, flag(verdict == *state));
        }
    }
    sheet.family("endpoint_votes", "Regions that vote, over all addresses and checks");
    for ix in all() {
        let (mut up, mut down, mut abstained) = (0.0, 0.0, 0.0);
        for subject in picture.subjects_of(ix) {
            for family in crate::model::Family::ALL {
                let Some(verdict) = picture.snapshot.verdict(*subject, family) else { continue };
                up += f64::from(verdict.tally.up);
                down += f64::from(verdict.tally.down);
                abstained += f64::from(verdict.tally.abstained);
            }
        }
        for (vote, count) in [("up", up), ("down", down), ("abstained", abstained)] {
            let labels: Labels<'_> = &[("endpoint", picture.fleet().endpoint(ix).id.as_str()), ("vote", vote)];
            sheet.put("endpoint_votes", labels, count);
        }
    }
}
