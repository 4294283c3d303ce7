//! Staged reloads: begun here, gone along with by every node, seen by all, and ended by a person before their time.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use tokio::sync::{mpsc, watch};

use super::{
    audit::Auditor,
    config::{kept_as, requested},
};
use crate::{
    admin::{
        ask::{Asked, Nothing},
        auth::{Administrator, Principal, Viewer},
        draft,
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
                .hint("wait for its end (`wayshift status` shows it), or end it: `wayshift reload --abort`"))
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

/// Others write the slip in between so often: each stage is one writing, and there are five.
const TURNS_MAX: usize = 8;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ending {
    /// Why, for the audit and for whoever looks.
    reason: Option<String>,
}

/// Ends the one that is under way: whoever tries the new configuration goes back, and nobody else takes it.
///
/// What it reads and compares is the store's own and not what this node follows: a stage that is written meanwhile is
/// no reason to refuse, one that is over by then is.
pub(super) async fn end(
    Administrator(who): Administrator,
    Asked(Ending { reason }): Asked<Ending>,
    State(store): State<Arc<dyn ControlStore>>,
    State(seen): State<Seen>,
    auditor: Auditor,
) -> Result<Told<RolloutView>, Problem> {
    let reason = draft::given_reason(reason.as_deref())?;
    if seen.company.own.is_none() {
        let detail = "this node shares its store with nobody: no staged reload is begun here";
        return Err(Problem::new(StatusCode::CONFLICT, "config.rollout", detail));
    }
    let refused = |error: &StoreError| refusal::of_store_among(error, &seen.company, false);
    let why = match &reason {
        Some(reason) => format!("ended by {}: {reason}", who.name),
        None => format!("ended by {}", who.name),
    };
    for _ in 0..TURNS_MAX {
        let slip = store.slip(ROLLOUT_SLIP.to_owned()).await.map_err(|error| refused(&error))?;
        let rollout = match RolloutRecord::parse(&slip.text).ok().filter(|_| 0 < slip.revision) {
            // The answer to an earlier sending was lost.
            Some(over) if over.stage == Stage::RolledBack && over.why.as_ref() == Some(&why) => {
                return Ok(Told::of(RolloutView::from(&over)));
            }
            Some(rollout) if !rollout.stage.is_over() => rollout,
            last => return Err(nothing_to_end(last.as_ref())),
        };
        let next = Rollout { stage: Stage::RolledBack, why: Some(why.clone()), ..rollout.clone() };
        let (before, view) = (RolloutView::from(&rollout), RolloutView::from(&next));
        let target = format!("config:{}", rollout.fleet);
        let mut audit = auditor.draft(&who, "config.rollout.aborted", target, reason.clone());
        audit.before = serde_json::to_string(&before).ok();
        audit.after = serde_json::to_string(&view).ok();
        match store.write_slip(ROLLOUT_SLIP.to_owned(), slip.revision, RolloutRecord::text(&next), audit).await {
            Ok(()) => {
                tracing::warn!(canary = %rollout.canary, config = %rollout.fleet, by = %who.name, "a staged reload was ended");
                return Ok(Told::of(view));
            }
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(refused(&error)),
        }
    }
    let detail = "others keep writing to the staged reload";
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "config.busy", detail).retry_after(Duration::from_secs(1)))
}

/// Says what has become of the last one.
fn nothing_to_end(last: Option<&Rollout>) -> Problem {
    let detail = match last {
        None => "no staged reload is under way, and none ever was".to_owned(),
        Some(over) => {
            let why = over.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            format!("no staged reload is under way: the last one, {} first, is {}{why}", over.canary, over.stage)
        }
    };
    let problem = Problem::new(StatusCode::CONFLICT, "config.rollout", detail);
    match last {
        Some(over) if over.stage == Stage::Done => {
            problem.hint("it is in force everywhere; `wayshift reload --previous` goes back, on each node")
        }
        Some(_) | None => problem.hint("nothing was changed"),
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
