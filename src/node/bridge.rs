//! Between rooms that do not see each other: what one asks in its own words, the other gets in its.

use std::{path::PathBuf, sync::Arc};

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::reload::{Ask, Done};
use crate::{
    admin::{
        ProbeRequest, Recent, ReloadRefused, ReloadRequest,
        auth::{self, Keys, Token},
        views::{ChangedView, ConfigProblemView, ReloadView},
    },
    config::{self, Loaded, Problems},
    control::Input,
    model::{Fleet, Observation},
    probe::ProbeNow,
};

/// Probes asked for by people that may wait.
pub const PROBE_REQUESTS_MAX: usize = 16;

type Tasks = JoinSet<&'static str>;

/// Results go to those who look at them, and to the controller.
pub fn observations(
    tasks: &mut Tasks,
    mut observed: mpsc::Receiver<Observation>,
    inbox: mpsc::Sender<Input>,
    recent: Arc<Recent>,
    mut fleet: watch::Receiver<Arc<Fleet>>,
) {
    tasks.spawn(async move {
        loop {
            tokio::select! {
                observation = observed.recv() => {
                    let Some(observation) = observation else { break };
                    recent.push(observation.clone());
                    if inbox.send(Input::Observed(observation)).await.is_err() {
                        break;
                    }
                }
                Ok(()) = fleet.changed() => {
                    let fleet = Arc::clone(&fleet.borrow_and_update());
                    recent.keep_only(&fleet);
                }
            }
        }
        // A node that does not probe has no results: the inbox says when to end.
        inbox.closed().await;
        "observations"
    });
}

/// An endpoint probed now.
pub fn probe_requests(
    tasks: &mut Tasks,
    mut requests: mpsc::Receiver<ProbeRequest>,
    asks: mpsc::Sender<ProbeNow>,
    until: CancellationToken,
) {
    tasks.spawn(async move {
        loop {
            tokio::select! {
                () = until.cancelled() => return "probe requests",
                request = requests.recv() => {
                    let Some(ProbeRequest { endpoint, reply }) = request else { break };
                    // Dropped unanswered when probing has no room or has ended: who asked sees that.
                    let _ = asks.try_send(ProbeNow { endpoint, reply });
                }
            }
        }
        until.cancelled().await;
        "probe requests"
    });
}

/// A reload asked for over the API.
pub fn reloads(
    tasks: &mut Tasks,
    mut requests: mpsc::Receiver<ReloadRequest>,
    desk: mpsc::Sender<Ask>,
    until: CancellationToken,
) {
    tasks.spawn(async move {
        loop {
            tokio::select! {
                () = until.cancelled() => return "reload requests",
                request = requests.recv() => {
                    let Some(ReloadRequest { reply }) = request else { break };
                    let (tell, told) = oneshot::channel();
                    if desk.send(Ask { reply: Some(tell) }).await.is_err() {
                        break;
                    }
                    if let Ok(outcome) = told.await {
                        // Whoever asked may have gone.
                        let _ = reply.send(outcome.map(|done| view(&done)).map_err(|problems| refused(&problems)));
                    }
                }
            }
        }
        until.cancelled().await;
        "reload requests"
    });
}

/// The configuration's problems as the API shows them.
#[must_use]
pub fn refused(problems: &Problems) -> ReloadRefused {
    ReloadRefused { problems: problems.iter().map(problem).collect() }
}

fn problem(problem: &config::Problem) -> ConfigProblemView {
    let spot = problem.at();
    ConfigProblemView {
        severity: problem.severity.word().into(),
        code: problem.code.into(),
        file: spot.map(|spot| spot.file.clone()),
        line: spot.map(|spot| spot.line as usize),
        column: spot.map(|spot| spot.column as usize),
        message: problem.message.clone(),
        hint: problem.hint.clone(),
        text: problem.to_string(),
    }
}

fn view(done: &Done) -> ReloadView {
    let restart = done.needs_restart.iter().map(|what| format!("{what} takes effect at the next start"));
    ReloadView {
        changed: done.before.digest != done.after.digest,
        before: done.before.digest.to_string(),
        after: done.after.digest.to_string(),
        changes: changes(&done.before, &done.after),
        warnings: done.warnings.iter().map(ToString::to_string).chain(restart).collect(),
    }
}

/// What a reload added, removed or changed, by kind and id.
fn changes(before: &Fleet, after: &Fleet) -> Vec<ChangedView> {
    let mut all = Vec::new();
    diff("zone", &before.zones, &after.zones, |z| z.apex.to_string(), &mut all);
    diff("provider", &before.providers, &after.providers, |p| p.id.to_string(), &mut all);
    diff("region", &before.regions, &after.regions, |r| r.id.to_string(), &mut all);
    diff("check", &before.checks, &after.checks, |c| c.id.to_string(), &mut all);
    diff("endpoint", &before.endpoints, &after.endpoints, |e| e.id.to_string(), &mut all);
    diff("pool", &before.pools, &after.pools, |p| p.id.to_string(), &mut all);
    diff("service", &before.services, &after.services, |s| s.id.to_string(), &mut all);
    all
}

fn diff<T: std::fmt::Debug>(kind: &str, before: &[T], after: &[T], id: impl Fn(&T) -> String, into: &mut Vec<ChangedView>) {
    // By content and not by position: a new endpoint in front moves all others without changing them, but positions
    // inside pools and services move with it, and those say so themselves.
    let known: std::collections::HashMap<String, &T> = before.iter().map(|thing| (id(thing), thing)).collect();
    let kept: std::collections::HashSet<String> = after.iter().map(&id).collect();
    let mut say = |how: &str, id: String| into.push(ChangedView { how: how.into(), kind: kind.into(), id });
    for thing in after {
        match known.get(&id(thing)) {
            None => say("added", id(thing)),
            Some(old) if format!("{old:?}") != format!("{thing:?}") => say("changed", id(thing)),
            Some(_) => {}
        }
    }
    before.iter().map(&id).filter(|id| !kept.contains(id)).for_each(|gone| say("removed", gone));
}

/// Tokens follow the configuration; without any, the one in the store's folder is made and taken.
pub fn tokens(
    tasks: &mut Tasks,
    keys: Arc<Keys>,
    mut config: watch::Receiver<Arc<Loaded>>,
    folder: PathBuf,
    until: CancellationToken,
) {
    let adopt = move |loaded: &Loaded| keys.replace(known(&loaded.settings.admin, &folder));
    adopt(&config.borrow_and_update());
    tasks.spawn(async move {
        loop {
            tokio::select! {
                () = until.cancelled() => return "tokens",
                changed = config.changed() => {
                    if changed.is_err() {
                        return "tokens";
                    }
                    let loaded = Arc::clone(&config.borrow_and_update());
                    adopt(&loaded);
                }
            }
        }
    });
}

fn known(settings: &config::AdminSettings, folder: &std::path::Path) -> Vec<Token> {
    let role = |role| match role {
        config::Role::Viewer => auth::Role::Viewer,
        config::Role::Operator => auth::Role::Operator,
        config::Role::Admin => auth::Role::Admin,
    };
    let token = |token: &config::AdminToken| Token {
        name: token.name.clone(),
        role: role(token.role),
        scope: token.scope.clone(),
        hash: token.hash.into(),
        expires: token.expires,
    };
    if !settings.tokens.is_empty() {
        return settings.tokens.iter().map(token).collect();
    }
    match auth::ensure_admin_token(folder) {
        Ok(own) => {
            let (path, fresh) = (own.path.display(), own.fresh);
            tracing::info!(%path, fresh, "no [[admin.token]] is configured; the admin token is in this file");
            let name = "admin".to_owned();
            vec![Token { name, role: auth::Role::Admin, scope: Vec::new(), hash: own.hash, expires: None }]
        }
        Err(error) => {
            tracing::error!(error = %super::with_source(&error), "there is no admin token; the Unix socket still serves");
            Vec::new()
        }
    }
}
