//! Probe results, and probing now.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};

use super::{audit::Auditor, inventory::find_endpoint};
use crate::admin::{
    ask::{Asked, Named, Nothing},
    auth::{Operator, Viewer},
    handles::ProbeRequest,
    problem::Problem,
    recent::{RESULTS_PER_TARGET, Recent},
    seen::Seen,
    tell::Told,
    views::{Page, ResultView},
};

/// A probe now ends within this long, or the answer is that it did not; probes have deadlines of their own.
const PROBE_MAX: Duration = Duration::from_secs(25);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Results {
    limit: Option<usize>,
    node: Option<String>,
}

/// Newest first, of this node; `node` may name it.
pub(super) async fn results(
    _: Viewer,
    Named(id): Named<String>,
    Asked(Results { limit, node }): Asked<Results>,
    State(seen): State<Seen>,
    State(recent): State<Arc<Recent>>,
) -> Result<Told<Page<ResultView>>, Problem> {
    let endpoint = seen.snapshot.fleet.endpoint(find_endpoint(&seen, &id)?).id.clone();
    if let Some(node) = node.filter(|node| *node != seen.snapshot.node.as_str()) {
        return Err(Problem::bad("node", format!("results of the node `{node:.63}` are not here"))
            .hint("ask that node; results stay where they were seen"));
    }
    let limit = match limit.unwrap_or(RESULTS_PER_TARGET) {
        0 => return Err(Problem::bad("limit", "limit is at least 1")),
        limit => limit.min(crate::admin::tell::PAGE_MAX),
    };
    let items = recent.of(&endpoint, limit).iter().map(|seen| ResultView::from(&**seen)).collect();
    Ok(Told::of(Page { items, next: None }))
}

/// Runs every check of an endpoint on all its addresses and waits for the results. They count like any others.
pub(super) async fn probe(
    Operator(who): Operator,
    Named(id): Named<String>,
    _: Asked<Nothing>,
    State(seen): State<Seen>,
    State(probe): State<mpsc::Sender<ProbeRequest>>,
    auditor: Auditor,
) -> Result<Told<Page<ResultView>>, Problem> {
    let endpoint = seen.snapshot.fleet.endpoint(find_endpoint(&seen, &id)?).id.clone();
    auditor.note(&who, "endpoint.probe", format!("endpoint:{endpoint}"), None).await?;
    let busy = || {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "probe.busy", "this node cannot probe now")
            .retry_after(Duration::from_secs(1))
    };
    let (reply, answer) = oneshot::channel();
    probe.try_send(ProbeRequest { endpoint, reply }).map_err(|_| busy())?;
    match tokio::time::timeout(PROBE_MAX, answer).await {
        Ok(Ok(results)) => {
            let items = results.iter().map(ResultView::from).collect();
            Ok(Told::of(Page { items, next: None }))
        }
        Ok(Err(_)) => Err(busy()),
        Err(_) => Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "probe.late", "the probe did not end in time")),
    }
}
