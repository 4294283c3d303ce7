//! Whether the node lives and is ready: `/livez`, `/readyz`. No token, no secrets.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use tokio::sync::watch;

use crate::admin::{
    ask::{Asked, Nothing},
    edge::Spoken,
    handles::Condition,
    problem::Problem,
    views::ReadyView,
};

/// The process answers; more is not promised.
pub(super) async fn livez(_: Asked<Nothing>) -> &'static str {
    "ok\n"
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Verbose {
    verbose: Option<String>,
}

/// Doors bound and a table loaded, never the endpoints' health: it may drive anycast withdrawal.
pub(super) async fn readyz(
    Asked(Verbose { verbose }): Asked<Verbose>,
    State(condition): State<watch::Receiver<Arc<Condition>>>,
) -> Result<Response, Problem> {
    let condition = Arc::clone(&condition.borrow());
    let ready = condition.doors_bound && condition.table_loaded;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = match verbose.as_deref() {
        None | Some("false") => (status, if ready { "ready\n" } else { "not ready\n" }).into_response(),
        Some("" | "true") => {
            let checks = [("doors", condition.doors_bound), ("table", condition.table_loaded)];
            let checks: BTreeMap<String, bool> = checks.into_iter().map(|(name, ok)| (name.to_owned(), ok)).collect();
            (status, axum::Json(ReadyView { ready, checks })).into_response()
        }
        Some(_) => return Err(Problem::bad("verbose", "verbose is `true`, `false` or without a value")),
    };
    response.extensions_mut().insert(Spoken);
    Ok(response)
}
