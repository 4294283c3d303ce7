//! Which path is answered by what.

mod audit;
mod availability;
mod ballot;
mod config;
mod events;
mod explain;
mod inventory;
mod life;
mod loads;
mod look;
mod metrics;
mod overrides;
mod probes;
mod rollout;
mod simulations;
mod store;
mod zones;

use std::sync::Arc;

use axum::{
    Extension, Router, middleware,
    routing::{delete, get, post, put},
};

use crate::config::AdminSettings;

use super::{
    edge::{self, Edge},
    handles::Handles,
    problem::Problem,
};

/// All routes behind the edge.
pub(super) fn router(handles: &Handles, settings: &AdminSettings) -> Router {
    let edge = Arc::new(Edge::new(
        Arc::clone(&handles.keys),
        handles.clock,
        handles.identity.node.clone(),
        handles.snapshot.clone(),
        Arc::clone(&handles.metrics),
        settings.origins.clone(),
        settings.peers.iter().flat_map(|peers| &peers.at).map(ToString::to_string).collect(),
    ));
    Router::new()
        .route("/livez", get(life::livez))
        .route("/readyz", get(life::readyz))
        .route("/metrics", get(metrics::metrics))
        .route("/v1/status", get(look::status))
        .route("/v1/whoami", get(look::whoami))
        .route("/v1/nodes", get(look::nodes))
        .route("/v1/nodes/{id}", delete(look::forget))
        .route("/v1/ballot", get(ballot::ballot))
        .route("/v1/services", get(inventory::services))
        .route("/v1/services/{id}", get(inventory::service))
        .route("/v1/services/{id}/up", get(inventory::service_up))
        .route("/v1/pools", get(inventory::pools))
        .route("/v1/pools/{id}", get(inventory::pool))
        .route("/v1/endpoints", get(inventory::endpoints))
        .route("/v1/endpoints/{id}", get(inventory::endpoint))
        .route("/v1/endpoints/{id}/results", get(probes::results))
        .route("/v1/endpoints/{id}/probe", post(probes::probe))
        .route("/v1/endpoints/{id}/load", put(loads::push))
        .route("/v1/providers", get(inventory::providers))
        .route("/v1/providers/{id}", get(inventory::provider))
        .route("/v1/regions", get(inventory::regions))
        .route("/v1/regions/{id}", get(inventory::region))
        .route("/v1/checks", get(inventory::checks))
        .route("/v1/checks/{id}", get(inventory::check))
        .route("/v1/audit", get(audit::audit))
        .route("/v1/overrides", get(overrides::overrides).post(overrides::create))
        .route("/v1/overrides/{id}", get(overrides::one).patch(overrides::extend).delete(overrides::end))
        .route("/v1/overrides/{id}/promote", post(overrides::promote))
        .route("/v1/availability", get(availability::availability))
        .route("/v1/zones", get(zones::zones))
        .route("/v1/zones/{zone}", get(zones::zone))
        .route("/v1/zones/{zone}/export", get(zones::exported))
        .route("/v1/explain", get(explain::explain))
        .route("/v1/events", get(events::events))
        .route("/v1/events/stream", get(events::live))
        .route("/v1/config", get(config::config))
        .route("/v1/config/schema", get(config::config_schema))
        .route("/v1/config/validate", post(config::validate))
        .route("/v1/config/plan", post(config::plan))
        .route("/v1/config/test", post(config::test))
        .route("/v1/config/reload", post(config::reload))
        .route("/v1/config/rollout", get(rollout::rollout).delete(rollout::end))
        .route("/v1/simulations", post(simulations::simulate))
        .route("/v1/store/adopt", post(store::adopt))
        .route_layer(middleware::from_fn(edge::note_route))
        .layer(Extension(events::Followers::default()))
        .layer(Extension(config::Judging::default()))
        .fallback(|| async { Problem::plain(axum::http::StatusCode::NOT_FOUND) })
        .layer(middleware::from_fn_with_state(edge, edge::pass))
        .with_state(handles.clone())
}

/// The candidate nearest to what was written, if one is near.
pub(super) fn did_you_mean<'c>(written: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    let written: String = written.chars().take(64).collect();
    let near = candidates.into_iter().map(|candidate| (strsim::jaro_winkler(&written, candidate), candidate));
    let best = near.filter(|(likeness, _)| 0.8 < *likeness).max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map(|(_, candidate)| format!("did you mean `{candidate}`?"))
}
