//! Staged reloads: begun here, gone along with by every node, seen by all.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use tokio::sync::{mpsc, watch};

use super::{
    audit::Auditor,
    config::{kept_as, requested},
};
use crate::{
    admin::{
        ask::{Asked, Nothing},
        auth::{Principal, Viewer},
        handles::ReloadRequest,
        problem::Problem,
        refusal,
        seen::Seen,
        tell::Told,
        views::RolloutView,
    },
    clock::Clock,
    model::{Agreement, NodeId, Rollout, Span, Stage},
    store::{ControlStore, Slips, StoreError, records::rollout::RolloutRecord, slips::ROLLOUT_SLIP},
};

/// How long a canary is watched where nothing is said.
const WATCH: Duration = Duration::from_secs(60);
/// The shortest and longest watch: an unhealthy endpoint takes a while to show, and nobody waits for hours.
const WATCH_BOUNDS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(3600));

/// What is asked for.
pub(super) struct Wanted {
    pub(super) canary: String,
    pub(super) watch: Option<String>,
    pub(super) accept: Option<String>,
}

/// The staged reload that the store knows of.
pub(super) fn known(slips: &Slips) -> Option<Rollout> {
    RolloutRecord::parse(&slips.get(ROLLOUT_SLIP)?.text).ok()
}

/// Refuses what would come between a staged reload and its end.
pub(super) fn undisturbed(store: &Arc<dyn ControlStore>) -> Result<(), Problem> {
    match known(&store.slips().borrow()).filter(|rollout| !rollout.stage.is_over()) {
        None => Ok(()),
        Some(rollout) => {
            let detail = format!("a staged reload is under way: {} first, {}", rollout.canary, rollout.stage);
            Err(Problem::new(StatusCode::CONFLICT, "config.rollout", detail)
                .hint("wait for its end: `wayshift status` shows it"))
        }
    }
}

/// Begins one: 202, and it goes on by itself.
pub(super) async fn begin(
    who: &Principal,
    wanted: Wanted,
    seen: &Seen,
    store: &Arc<dyn ControlStore>,
    reload: &mpsc::Sender<ReloadRequest>,
    auditor: &Auditor,
) -> Result<Response, Problem> {
    let Some(own) = &seen.company.own else {
        let detail = "this node shares its store with nobody: there are no others to hold back";
        return Err(Problem::new(StatusCode::CONFLICT, "config.rollout", detail).hint("reload it without `canary`"));
    };
    let canary = canary(&wanted.canary, seen)?;
    let watch = span(wanted.watch.as_deref())?;
    undisturbed(store)?;
    let looked = requested(reload, wanted.accept, false, true).await?;
    let looked = looked.map_err(|kept| kept_as(&kept))?;
    let (before, fleet) = (looked.before.fleet.digest, looked.after.fleet.digest);
    if before == fleet {
        let detail = "the file of this node has the fleet that is in force: there is nothing to try";
        return Err(Problem::new(StatusCode::CONFLICT, "config.unchanged", detail)
            .hint("put the new file on every node first; what differs beside the fleet takes an ordinary reload"));
    }
    let refused = |error: &StoreError| refusal::of_store_among(error, &seen.company, false);
    let slip = store.slip(ROLLOUT_SLIP.to_owned()).await.map_err(|error| refused(&error))?;
    let rollout = Rollout {
        id: ulid::Ulid::generate().to_string(),
        canary,
        fleet,
        before,
        watch,
        boot: None,
        began: Clock::wall(),
        author: who.name.clone(),
        stage: Stage::Asked,
        why: None,
    };
    let view = RolloutView::from(&rollout);
    let mut audit = auditor.draft(who, "config.rollout.asked", format!("config:{fleet}"), None);
    audit.after = serde_json::to_string(&view).ok();
    let text = RolloutRecord::text(&rollout);
    let written = store.write_slip(ROLLOUT_SLIP.to_owned(), slip.revision, text, audit).await;
    written.map_err(|error| {
        if matches!(error, StoreError::Conflict { .. }) {
            let detail = "somebody else began a staged reload just now";
            return Problem::new(StatusCode::CONFLICT, "config.rollout", detail);
        }
        refused(&error)
    })?;
    tracing::info!(canary = %rollout.canary, node = %own.node, config = %fleet, "a staged reload was begun");
    Ok(Told { view, tag: None, status: StatusCode::ACCEPTED }.into_response())
}

/// A node that is heard and may write what becomes of it.
fn canary(name: &str, seen: &Seen) -> Result<NodeId, Problem> {
    let none = || Problem::no("node", name).hint("`wayshift node list` names them");
    let id: NodeId = name.parse().map_err(|_| none())?;
    let unfit = |detail: String| Problem::new(StatusCode::CONFLICT, "config.rollout", detail);
    let presence = if id == seen.snapshot.node {
        seen.company.own.clone()
    } else {
        let other = seen.company.others.iter().find(|other| other.node == id).ok_or_else(none)?;
        if other.agreement == Agreement::Unheard {
            return Err(unfit(format!("{id} is not heard")));
        }
        other.presence.clone()
    };
    match presence {
        Some(presence) if presence.process.orders => Ok(id),
        Some(_) | None => Err(unfit(format!("{id} may not write to the store, and so cannot say how it went"))),
    }
}

fn span(text: Option<&str>) -> Result<Duration, Problem> {
    let Some(text) = text else { return Ok(WATCH) };
    let span: Span = text.parse().map_err(|error| Problem::bad("watch", format!("{error}")))?;
    let (least, most) = WATCH_BOUNDS;
    match (least..=most).contains(&span.0) {
        true => Ok(span.0),
        false => Err(Problem::bad("watch", format!("`watch` is from {} to {}", Span(least), Span(most)))),
    }
}

/// The last one, however far it is.
pub(super) async fn rollout(
    _: Viewer,
    _: Asked<Nothing>,
    State(store): State<Arc<dyn ControlStore>>,
) -> Result<Told<RolloutView>, Problem> {
    let slips: watch::Receiver<Arc<Slips>> = store.slips();
    let rollout = known(&slips.borrow()).ok_or_else(|| Problem::no("staged reload", "the last one"))?;
    Ok(Told::of(RolloutView::from(&rollout)))
}
