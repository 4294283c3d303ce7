//! Between rooms that do not see each other: what one asks in its own words, the other gets in its.

use std::sync::Arc;

use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::reload::{Ask, Done, Kept, What};
use crate::{
    admin::{
        NotReloaded, ProbeRequest, Recent, ReloadRequest, Reloaded,
        auth::{self, Keys},
    },
    config::{AdminToken, Loaded, Role, Settings},
    control::Input,
    model::{Fleet, Observation, Secret, hash_token},
    probe::{Asked, Found, ProbeNow, Reading},
};

/// Probes asked for by people that may wait.
pub(super) const PROBE_REQUESTS_MAX: usize = 16;

type Tasks = JoinSet<&'static str>;

/// Results go to those who look at them, and to the controller.
pub(super) fn observations(
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

/// Loads go to the controller.
pub(super) fn loads(tasks: &mut Tasks, mut readings: mpsc::Receiver<Reading>, inbox: mpsc::Sender<Input>) {
    tasks.spawn(async move {
        while let Some(Reading { endpoint, load, at }) = readings.recv().await {
            if inbox.send(Input::Load { endpoint, load, at }).await.is_err() {
                break;
            }
        }
        inbox.closed().await;
        "loads"
    });
}

/// What anchors say goes to the controller.
pub(super) fn anchors(tasks: &mut Tasks, mut asked: mpsc::Receiver<Asked>, inbox: mpsc::Sender<Input>) {
    tasks.spawn(async move {
        while let Some(Asked { anchor, answered, at }) = asked.recv().await {
            if inbox.send(Input::Anchored { anchor, answered, at }).await.is_err() {
                break;
            }
        }
        inbox.closed().await;
        "anchors"
    });
}

/// Where targets are goes to the controller.
pub(super) fn targets(tasks: &mut Tasks, mut founds: mpsc::Receiver<Found>, inbox: mpsc::Sender<Input>) {
    tasks.spawn(async move {
        while let Some(Found { target, found }) = founds.recv().await {
            if inbox.send(Input::Resolved { target, found }).await.is_err() {
                break;
            }
        }
        inbox.closed().await;
        "targets"
    });
}

/// An endpoint probed now.
pub(super) fn probe_requests(
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
pub(super) fn reloads(
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
                    let Some(ReloadRequest { accept, previous, look, reply }) = request else { break };
                    let what = match (previous, look) {
                        (true, _) => What::Previous,
                        (false, true) => What::Look { accept },
                        (false, false) => What::Read { accept },
                    };
                    let (tell, told) = oneshot::channel();
                    if desk.send(Ask { what, reply: Some(tell) }).await.is_err() {
                        break;
                    }
                    if let Ok(outcome) = told.await {
                        // Whoever asked may have gone.
                        let _ = reply.send(outcome.map(reloaded).map_err(not_reloaded));
                    }
                }
            }
        }
        until.cancelled().await;
        "reload requests"
    });
}

fn reloaded(done: Done) -> Reloaded {
    let restart = done.needs_restart.iter().map(ToString::to_string).collect();
    Reloaded { before: done.before, after: done.after, restart }
}

fn not_reloaded(kept: Kept) -> NotReloaded {
    match kept {
        Kept::Problems(problems) => NotReloaded::Problems(Arc::unwrap_or_clone(problems)),
        Kept::Guarded(plan) => NotReloaded::Guarded(plan),
        Kept::OtherPlan(plan) => NotReloaded::OtherPlan(plan),
        Kept::NoPrevious | Kept::OtherFleet(_) => NotReloaded::NoPrevious,
        Kept::Staged => NotReloaded::Staged,
    }
}

/// Tokens follow the configuration: one that was taken out ends with the reload.
pub(super) fn tokens(
    tasks: &mut Tasks,
    keys: Arc<Keys>,
    mut config: watch::Receiver<Arc<Loaded>>,
    until: CancellationToken,
) {
    tasks.spawn(async move {
        loop {
            tokio::select! {
                () = until.cancelled() => return "tokens",
                changed = config.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let loaded = Arc::clone(&config.borrow_and_update());
                    keys.replace(known_tokens(&loaded.settings));
                }
            }
        }
        until.cancelled().await;
        "tokens"
    });
}

/// That of other nodes, and the configured tokens; without any, the one in the store's folder, which is made if it is not
/// there.
#[must_use]
pub(super) fn known_tokens(settings: &Settings) -> Vec<AdminToken> {
    // First of all, so that one that is configured as well counts as what it says there.
    let mut known: Vec<_> = settings.admin.peers.iter().map(|peers| of_peers(&peers.token)).collect();
    if !settings.admin.tokens.is_empty() {
        known.extend(settings.admin.tokens.iter().cloned());
        return known;
    }
    match auth::ensure_admin_token(&settings.store.path) {
        Ok(own) => {
            let (path, fresh) = (own.path.display(), own.fresh);
            tracing::info!(%path, fresh, "no [[admin.token]] is configured; the admin token is in this file");
            known.push(own.into_token());
        }
        Err(error) => {
            tracing::error!(error = %super::with_source(&error), "there is no admin token; the Unix socket still serves");
        }
    }
    known
}

/// What other nodes come with is what they are asked with.
fn of_peers(token: &Secret) -> AdminToken {
    let hash = hash_token(token.reveal());
    AdminToken { name: "peers".into(), role: Role::Peer, scope: Vec::new(), hash, expires: None }
}
