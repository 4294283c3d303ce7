//! Orders of this node alone: made by an admin while the shared store is out of reach, and made the fleet's afterwards
//! by an explicit act (STATE rule 9).

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Deserialize;

use super::{
    super::audit::Auditor,
    change::{allow, as_json, created, find, read_id, refused, replayed},
    desk::{Desk, Outcome, Wait, commit},
    effect::told,
};
use crate::{
    admin::{
        ask::{Asked, Named},
        auth::{Operator, Principal},
        keyed::Key,
        problem::Problem,
        refusal,
    },
    clock::Clock,
    config::Role,
    judge::safety::weigh,
    model::{Override, OverrideId},
    store::{Change, StoreError},
};

/// The store is out of reach if so many looks in a row find nobody: one member of several may be gone.
const LOOKS: usize = 2;

/// The desk of this node alone, if this is the time for it.
pub(super) async fn break_glass(desk: &Desk, who: &Principal) -> Result<Desk, Problem> {
    if who.role < Role::Admin {
        let detail = "an order on this node alone needs the role admin";
        return Err(Problem::new(StatusCode::FORBIDDEN, "local.role", detail));
    }
    let Some(own) = desk.of_this_node() else {
        let detail = "this node shares its store with nobody, so every order is on this node alone";
        return Err(Problem::new(StatusCode::CONFLICT, "local.not_shared", detail).hint("leave `local` out"));
    };
    for _ in 0..LOOKS {
        match desk.store.load().await {
            Ok(_) => {
                let detail = "the shared store answers: an order on this node alone is for when it does not";
                let hint = match *desk.store.takes_orders().borrow() {
                    true => "leave `local` out, and every node follows".to_owned(),
                    false => refusal::read_only_hint(&desk.seen.company),
                };
                return Err(Problem::new(StatusCode::CONFLICT, "local.store_answers", detail).hint(hint));
            }
            Err(StoreError::Away { .. } | StoreError::Unknown(_)) => {}
            Err(error) => return Err(desk.refusal(&error)),
        }
    }
    Ok(own)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin::routes) struct Promoting {
    #[serde(default)]
    force: bool,
    wait: Option<Wait>,
}

/// Makes an order of this node alone the fleet's. It keeps its id, its author and its end, so that a second attempt
/// finds the first.
pub(in crate::admin::routes) async fn promote(
    Operator(who): Operator,
    Named(id): Named<String>,
    Asked(Promoting { force, wait }): Asked<Promoting>,
    headers: HeaderMap,
    State(desk): State<Desk>,
    auditor: Auditor,
) -> Result<Response, Problem> {
    let id = read_id(&id)?;
    let key = Key::of(&headers, &format!("POST /v1/overrides/{id}/promote"), b"")?;
    if let Some(key) = &key
        && let Some(replay) = desk.kept(key, &who).await?
    {
        return replayed(&desk, replay);
    }
    let fleet = &desk.seen.snapshot.fleet;
    let now = Clock::wall();
    let own = desk.of_this_node().ok_or_else(|| Problem::no("override", &id.to_string()))?;
    let order = match find(&own.durable(), &id, now) {
        Ok(order) => Override { local: false, ..order.clone() },
        // An attempt before this one has done it.
        Err(none) => find(&desk.durable(), &id, now).cloned().map_err(|_| none)?,
    };
    allow(&who, fleet, &order, force)?;
    let committed = commit(&desk, key.as_ref(), &who, |durable| {
        if durable.overrides.iter().any(|shared| shared.id == id) {
            return Err(done_before());
        }
        let forced = force || (order.forced && who.role == Role::Admin);
        let others: Vec<Override> = desk.all(durable).into_iter().filter(|other| other.id != id).collect();
        let effect = weigh(fleet, &desk.seen.snapshot.verdicts, &others, &order, now);
        if let Some(problem) = refused(fleet, &order, &effect).filter(|_| !forced) {
            return Err(problem);
        }
        let mut audit = auditor.draft(&who, "override.promote", format!("override:{id}"), Some(order.reason.clone()));
        audit.after = Some(as_json(&desk.seen.snapshot, &order));
        Ok((Change::Create(Override { forced: order.forced || force, ..order.clone() }), audit))
    })
    .await;
    let order = match committed {
        Ok(Outcome::Done(committed)) => committed.entity,
        Ok(Outcome::Again(replay)) => return replayed(&desk, replay),
        Err(problem) if problem.code() == DONE_BEFORE => find(&desk.durable(), &id, now)?.clone(),
        Err(problem) => return Err(problem),
    };
    // The shared one holds here before the other is let go of, so that nothing returns in between.
    let snapshot = desk.followed(|snapshot| is_shared(snapshot, &id)).await;
    if find(&own.durable(), &id, now).is_ok() {
        let ended = commit(&own, None, &who, |_| {
            Ok((
                Change::End { id: id.clone() },
                auditor.draft(&who, "override.promote", format!("override:{id}"), None),
            ))
        });
        ended.await?;
    }
    let company = desk.everywhere(order.generation, wait).await;
    Ok(created(&told(&desk, &snapshot, &order).everywhere(&company, &order)))
}

const DONE_BEFORE: &str = "local.promoted";

fn done_before() -> Problem {
    Problem::new(StatusCode::CONFLICT, DONE_BEFORE, "it is the fleet's already")
}

/// Whether a snapshot was decided with the fleet's version of an override.
fn is_shared(snapshot: &crate::model::Snapshot, id: &OverrideId) -> bool {
    snapshot.overrides.iter().chain(&*snapshot.planned).any(|order| order.id == *id && !order.local)
}
