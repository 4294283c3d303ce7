//! `/metrics`: counters of all rooms and gauges of the picture in force.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use prometheus_client::{encoding::text, registry::Registry};
use tokio::sync::watch;

use crate::{
    admin::{
        ask::{Asked, Nothing},
        auth::Viewer,
        condition::NodeParts,
        handles::Condition,
        problem::Problem,
        seen::Seen,
        sheet,
    },
    config::Loaded,
};

/// The OpenMetrics text form; Prometheus and its kin read it.
const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

pub(super) async fn metrics(
    _: Viewer,
    _: Asked<Nothing>,
    State(registry): State<Arc<Registry>>,
    State(node): State<NodeParts>,
    State(condition): State<watch::Receiver<Arc<Condition>>>,
    State(config): State<watch::Receiver<Arc<Loaded>>>,
    State(seen): State<Seen>,
) -> Result<Response, Problem> {
    let condition = Arc::clone(&condition.borrow());
    let telemetry = config.borrow().settings.telemetry.clone();
    let mut body = String::new();
    let internal = |_| Problem::plain(StatusCode::INTERNAL_SERVER_ERROR);
    text::encode_registry(&mut body, &registry).map_err(internal)?;
    body.push_str(&sheet::write(&seen.picture(), &node, &condition, &telemetry));
    text::encode_eof(&mut body).map_err(internal)?;
    Ok(([(header::CONTENT_TYPE, KIND)], body).into_response())
}
