//! The configuration: shown, judged, read again.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::audit::Auditor;
use crate::{
    admin::{
        ask::{Asked, Nothing, Text},
        auth::{Administrator, Operator, Viewer},
        handles::{Condition, ReloadRequest},
        problem::Problem,
        tell::Told,
        views::{ConfigProblemView, ConfigView, ReloadView, ValidateView},
    },
    config::{Loaded, parse_sealed, schema},
};

/// A configuration waits this long for the one that is judged before it.
const JUDGE_WAIT_MAX: Duration = Duration::from_secs(5);

/// One configuration is judged at a time, so that judging takes one processor at most: DNS has the others.
#[derive(Debug, Clone)]
pub(super) struct Judging(Arc<Semaphore>);

impl Default for Judging {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

/// A reload ends within this long, or the answer is that it goes on.
const RELOAD_MAX: Duration = Duration::from_secs(25);

pub(super) async fn config(
    _: Viewer,
    _: Asked<Nothing>,
    State(config): State<watch::Receiver<Arc<Loaded>>>,
    State(condition): State<watch::Receiver<Arc<Condition>>>,
) -> Told<ConfigView> {
    let loaded = Arc::clone(&config.borrow());
    let condition = Arc::clone(&condition.borrow());
    Told::of(ConfigView::of(&loaded, &condition))
}

pub(super) async fn config_schema(_: Viewer, _: Asked<Nothing>) -> Response {
    let mut response = Told::of(schema()).into_response();
    let kind = header::HeaderValue::from_static("application/schema+json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Judges the body, a whole configuration as TOML, sealed: nothing of this machine is read for it, and nothing is done.
pub(super) async fn validate(
    _: Operator,
    _: Asked<Nothing>,
    Extension(Judging(judging)): Extension<Judging>,
    Text(text): Text,
) -> Result<Told<ValidateView>, Problem> {
    let turn = tokio::time::timeout(JUDGE_WAIT_MAX, judging.acquire_owned()).await.ok().and_then(Result::ok);
    let turn = turn.ok_or_else(|| {
        let detail = "other configurations are being judged";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "config.busy", detail).retry_after(JUDGE_WAIT_MAX)
    })?;
    // Parsing a megabyte takes long enough to be in the way of others.
    let judged = tokio::task::spawn_blocking(move || {
        // Held to the end of the work, whether or not somebody still waits for it.
        let _turn = turn;
        match parse_sealed(&text) {
            Ok(loaded) => (true, loaded.warnings.iter().map(ConfigProblemView::from).collect()),
            Err(problems) => (false, problems.iter().map(ConfigProblemView::from).collect()),
        }
    });
    let (ok, problems) = judged.await.map_err(|_| Problem::plain(StatusCode::INTERNAL_SERVER_ERROR))?;
    Ok(Told::of(ValidateView { ok, problems }))
}

/// Reads the file again, all or nothing.
pub(super) async fn reload(
    Administrator(who): Administrator,
    _: Asked<Nothing>,
    State(reload): State<mpsc::Sender<ReloadRequest>>,
    auditor: Auditor,
) -> Result<Told<ReloadView>, Problem> {
    auditor.note(&who, "config.reload", "config".to_owned(), None).await?;
    let busy = || {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "config.busy", "this node cannot reload now")
            .retry_after(Duration::from_secs(1))
    };
    let (reply, answer) = oneshot::channel();
    reload.try_send(ReloadRequest { reply }).map_err(|_| busy())?;
    match tokio::time::timeout(RELOAD_MAX, answer).await {
        Ok(Ok(Ok(reloaded))) => Ok(Told::of(ReloadView::from(&reloaded))),
        Ok(Ok(Err(problems))) => {
            let list: Vec<ConfigProblemView> = problems.iter().map(ConfigProblemView::from).collect();
            let first = problems.errors().next().map(ToString::to_string).unwrap_or_default();
            let errors = problems.errors().count();
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            let more = if 1 < errors { format!(" (and {} more)", errors - 1) } else { String::new() };
            Err(Problem::new(status, "config.refused", format!("nothing changed: {first}{more}"))
                .hint("`wayshift check` shows every problem with its line")
                .with("problems", serde_json::to_value(list).unwrap_or(Value::Null)))
        }
        Ok(Err(_)) => Err(busy()),
        Err(_) => {
            Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "config.late", "the reload goes on; look at the status"))
        }
    }
}
