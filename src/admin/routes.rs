//! Which path is answered by what.

mod life;
mod look;

use std::sync::Arc;

use axum::{Router, middleware, routing::get};

use super::{
    edge::{self, Edge},
    handles::Handles,
    problem::Problem,
};

/// All routes behind the edge.
pub(super) fn router(handles: &Handles, origins: &[String]) -> Router {
    let edge = Arc::new(Edge::new(
        Arc::clone(&handles.keys),
        handles.clock,
        handles.identity.node.clone(),
        handles.snapshot.clone(),
        Arc::clone(&handles.metrics),
        origins.to_vec(),
    ));
    Router::new()
        .route("/livez", get(life::livez))
        .route("/readyz", get(life::readyz))
        .route("/v1/status", get(look::status))
        .route("/v1/whoami", get(look::whoami))
        .route("/v1/nodes", get(look::nodes))
        .route_layer(middleware::from_fn(edge::note_route))
        .fallback(|| async { Problem::plain(axum::http::StatusCode::NOT_FOUND) })
        .layer(middleware::from_fn_with_state(edge, edge::pass))
        .with_state(handles.clone())
}
