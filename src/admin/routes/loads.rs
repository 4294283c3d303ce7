//! Loads that endpoints push.
//!
//! Why they are not audited: a load is a measurement and no order, and one comes every few seconds from every endpoint.

use std::time::Duration;

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use tokio::sync::mpsc;

use super::inventory::find_endpoint;
use crate::{
    admin::{
        ask::{Asked, Body, Named, Nothing},
        auth::Operator,
        problem::Problem,
        seen::Seen,
    },
    clock::Clock,
    control::Input,
    model::{Load, LoadFeed, Selector},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pushed {
    load: f64,
}

/// 204; the load counts until the endpoint's `stale_after` has passed without another.
pub(super) async fn push(
    Operator(who): Operator,
    Named(id): Named<String>,
    _: Asked<Nothing>,
    State(seen): State<Seen>,
    State(inbox): State<mpsc::Sender<Input>>,
    State(clock): State<Clock>,
    Body { value: Pushed { load }, .. }: Body<Pushed>,
) -> Result<StatusCode, Problem> {
    let fleet = &seen.snapshot.fleet;
    let endpoint = fleet.endpoint(find_endpoint(&seen, &id)?);
    let own = format!("endpoint:{}", endpoint.id).parse::<Selector>();
    if !own.is_ok_and(|own| who.may_override(fleet, &own)) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "scope", "the endpoint is outside your scope"));
    }
    match &endpoint.load {
        Some(LoadFeed::Push { .. }) => {}
        Some(LoadFeed::Poll { .. }) | None => {
            let detail = format!("endpoint {} is not set to have its load pushed", endpoint.id);
            return Err(Problem::new(StatusCode::CONFLICT, "load.not_pushed", detail)
                .hint("`load = { push = true, stale_after = \"30s\" }` in its configuration"));
        }
    }
    if !load.is_finite() || load < 0.0 {
        return Err(Problem::unfit("load.value", "/load", "a load is a number from 0 on"));
    }
    let input = Input::Load { endpoint: endpoint.id.clone(), load: Load(load), at: clock.mono() };
    inbox.try_send(input).map_err(|_| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "load.busy", "this node cannot take it now")
            .retry_after(Duration::from_secs(1))
    })?;
    Ok(StatusCode::NO_CONTENT)
}
