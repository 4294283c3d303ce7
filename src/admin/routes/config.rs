//! The configuration: shown, judged, read again.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::{
    audit::Auditor,
    rollout::{self, Wanted},
};
use crate::{
    admin::{
        ask::{Asked, Nothing, Text},
        auth::{Administrator, Operator, Viewer},
        handles::{Condition, NotReloaded, ReloadRequest, Reloaded},
        problem::Problem,
        seen::Seen,
        tell::Told,
        views::{CaseView, ConfigProblemView, ConfigView, PlanView, ReloadView, TestsView, ValidateView},
    },
    config::{Loaded, Problems, parse_sealed, schema},
    steer::outlook::{Plan, run_cases},
    store::ControlStore,
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

impl Judging {
    /// Does what takes a processor for a while, in turn with others and out of the way of those who only look.
    pub(super) async fn work<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let turn = tokio::time::timeout(JUDGE_WAIT_MAX, self.0.acquire_owned()).await.ok().and_then(Result::ok);
        let turn = turn.ok_or_else(|| {
            let detail = "other configurations are being judged";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "config.busy", detail).retry_after(JUDGE_WAIT_MAX)
        })?;
        let working = tokio::task::spawn_blocking(move || {
            // Held to the end of the work, whether or not somebody still waits for it.
            let _turn = turn;
            work()
        });
        working.await.map_err(|_| Problem::plain(StatusCode::INTERNAL_SERVER_ERROR))
    }
}

/// Judges the body, a whole configuration as TOML, sealed: nothing of this machine is read for it, and nothing is done.
pub(super) async fn validate(
    _: Operator,
    _: Asked<Nothing>,
    Extension(judging): Extension<Judging>,
    Text(text): Text,
) -> Result<Told<ValidateView>, Problem> {
    let judged = judging.work(move || match parse_sealed(&text) {
        Ok(loaded) => (true, loaded.warnings.iter().map(ConfigProblemView::from).collect()),
        Err(problems) => (false, problems.iter().map(ConfigProblemView::from).collect()),
    });
    let (ok, problems) = judged.await?;
    Ok(Told::of(ValidateView { ok, problems }))
}

/// What the body, a whole configuration as TOML, would change if it were reloaded; sealed, and nothing is done.
pub(super) async fn plan(
    _: Operator,
    _: Asked<Nothing>,
    Extension(judging): Extension<Judging>,
    State(seen): State<Seen>,
    State(config): State<watch::Receiver<Arc<Loaded>>>,
    Text(text): Text,
) -> Result<Told<PlanView>, Problem> {
    let before = Arc::clone(&config.borrow());
    let planned = judging.work(move || {
        let loaded = parse_sealed(&text)?;
        let table = seen.table();
        let outcomes = run_cases(&loaded.fleet, table.locator(), &loaded.tests);
        // The machine's own part does not come in a request.
        let restart = before.settings.needs_restart(&loaded.settings).into_iter().filter(|name| *name != "[node]");
        let view = PlanView::of(&Plan::of(&table, &loaded.fleet));
        Ok(PlanView {
            restart: restart.map(str::to_owned).collect(),
            tests_total: outcomes.len(),
            tests_failed: outcomes.iter().map(CaseView::from).filter(|case| !case.ok).collect(),
            warnings: loaded.warnings.iter().map(ConfigProblemView::from).collect(),
            ..view
        })
    });
    planned.await?.map(Told::of).map_err(|problems: Problems| unfit(&problems, "the configuration has errors"))
}

/// Runs the tests of the body, a whole configuration as TOML, sealed.
pub(super) async fn test(
    _: Operator,
    _: Asked<Nothing>,
    Extension(judging): Extension<Judging>,
    State(seen): State<Seen>,
    Text(text): Text,
) -> Result<Told<TestsView>, Problem> {
    let tested = judging.work(move || {
        let loaded = parse_sealed(&text)?;
        Ok(run_cases(&loaded.fleet, seen.table().locator(), &loaded.tests))
    });
    let outcomes = tested.await?.map_err(|problems: Problems| unfit(&problems, "the configuration has errors"))?;
    let cases: Vec<CaseView> = outcomes.iter().map(CaseView::from).collect();
    Ok(Told::of(TestsView { ok: cases.iter().all(|case| case.ok), cases }))
}

/// A configuration that cannot be used, with every problem.
pub(super) fn unfit(problems: &Problems, what: &str) -> Problem {
    let list: Vec<ConfigProblemView> = problems.iter().map(ConfigProblemView::from).collect();
    let first = problems.errors().next().map(ToString::to_string).unwrap_or_default();
    let errors = problems.errors().count();
    let more = if 1 < errors { format!(" (and {} more)", errors - 1) } else { String::new() };
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "config.refused", format!("{what}: {first}{more}"))
        .hint("`wayshift check` shows every problem with its line")
        .with("problems", list)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reloading {
    /// The digest of the plan that was looked at.
    accept: Option<String>,
    /// Back to the configuration that was accepted before the one in effect.
    #[serde(default)]
    previous: bool,
    /// The node that tries it first; the others follow once it was watched.
    canary: Option<String>,
    /// For how long it is watched: `60s`.
    watch: Option<String>,
}

/// Reads the file again, all or nothing; or goes back to the configuration before.
pub(super) async fn reload(
    Administrator(who): Administrator,
    Asked(Reloading { accept, previous, canary, watch }): Asked<Reloading>,
    State(reload): State<mpsc::Sender<ReloadRequest>>,
    State(store): State<Arc<dyn ControlStore>>,
    State(seen): State<Seen>,
    auditor: Auditor,
) -> Result<Response, Problem> {
    match canary {
        Some(canary) if !previous => {
            let wanted = Wanted { canary, watch, accept };
            return rollout::begin(&who, wanted, &seen, &store, &reload, &auditor).await;
        }
        Some(_) => {
            return Err(Problem::bad(
                "canary",
                "`canary` is for what the file says, `previous` for what it said before",
            ));
        }
        None if watch.is_some() => return Err(Problem::bad("watch", "`watch` goes with `canary`")),
        None => {}
    }
    if previous && accept.is_some() {
        return Err(Problem::bad("accept", "`accept` is for what the file says, `previous` for what it said before"));
    }
    let action = match (&accept, previous) {
        (Some(_), _) => "config.reload.accept",
        (None, true) => "config.reload.previous",
        (None, false) => "config.reload",
    };
    if !previous {
        rollout::undisturbed(&store)?;
    }
    auditor.note(&who, action, "config".to_owned(), accept.clone()).await?;
    match requested(&reload, accept, previous, false).await? {
        Ok(reloaded) => Ok(Told::of(ReloadView::from(&reloaded)).into_response()),
        Err(kept) => Err(kept_as(&kept)),
    }
}

/// Asks the node, and waits for what comes of it.
pub(super) async fn requested(
    reload: &mpsc::Sender<ReloadRequest>,
    accept: Option<String>,
    previous: bool,
    look: bool,
) -> Result<Result<Reloaded, NotReloaded>, Problem> {
    let busy = || {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "config.busy", "this node cannot reload now")
            .retry_after(Duration::from_secs(1))
    };
    let (reply, answer) = oneshot::channel();
    reload.try_send(ReloadRequest { accept, previous, look, reply }).map_err(|_| busy())?;
    match tokio::time::timeout(RELOAD_MAX, answer).await {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(_)) => Err(busy()),
        Err(_) => {
            Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "config.late", "the reload goes on; look at the status"))
        }
    }
}

/// Why nothing changed.
pub(super) fn kept_as(kept: &NotReloaded) -> Problem {
    let conflict = |code: &str, detail: String| Problem::new(StatusCode::CONFLICT, code, detail);
    match kept {
        NotReloaded::Problems(problems) => unfit(problems, "nothing changed"),
        NotReloaded::Guarded(plan) => {
            let exceeded: Vec<String> = plan.exceeded.iter().map(ToString::to_string).collect();
            conflict("config.guard", format!("nothing changed: {}", exceeded.join("; ")))
                .hint(format!("look at the plan; `wayshift reload --accept {}` does it", plan.digest))
                .with("plan", PlanView::of(plan))
        }
        NotReloaded::OtherPlan(plan) => {
            let detail = "nothing changed: what the file says now is not the plan that was accepted";
            conflict("config.guard", detail.to_owned())
                .hint(format!("look at the plan again; it is {} now", plan.digest))
                .with("plan", PlanView::of(plan))
        }
        NotReloaded::Staged => {
            conflict("config.rollout", "this node tries a configuration of a staged reload".to_owned())
                .hint("wait for its end: `wayshift status` shows it")
        }
        NotReloaded::NoPrevious => {
            conflict("config.no_previous", "no other configuration was accepted before this one".to_owned())
        }
    }
}
