//! Changing overrides.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;

use super::{
    super::audit::Auditor,
    desk::{Desk, Outcome, Wait, commit},
    effect::{blocker, preview, told, unchanged_effect},
    local,
};
use crate::{
    admin::{
        ask::{Asked, Body, Named},
        auth::{Operator, Principal},
        draft::{self, Asking},
        hypothesis::effect,
        keyed::{Key, Replay},
        problem::Problem,
        reach,
        tell::Told,
        views::{EFFECT_MAX, EffectView, ExtendOverride, MATCHES_MAX, NewOverride, OverrideView, receipts, tag_of},
    },
    clock::Clock,
    config::Role,
    judge::safety::{Effect, weigh},
    model::{Fleet, Override, OverrideId, Snapshot, Wall},
    steer::outlook::hypothesis::without,
    store::{Change, Durable},
};

/// Says in an answer without a body which nodes do not follow yet.
const PENDING: &str = "wayshift-pending";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin::routes) struct Dry {
    #[serde(default)]
    dry_run: bool,
    /// On this node alone, while the shared store is out of reach.
    #[serde(default)]
    local: bool,
    /// How long to wait for the other nodes: `5s`.
    wait: Option<Wait>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin::routes) struct Extending {
    #[serde(default)]
    dry_run: bool,
    wait: Option<Wait>,
}

/// The version of all overrides together.
pub(super) fn collection_tag(generation: u64) -> String {
    format!("\"ov-{generation}\"")
}

/// Whether `If-Match` lets a change through (RFC 9110 section 13.1.1); without one everything passes.
pub(super) fn fence(headers: &HeaderMap, tag: &str) -> bool {
    let mut fields = headers.get_all(header::IF_MATCH).iter().peekable();
    fields.peek().is_none()
        || fields.filter_map(|field| field.to_str().ok()).flat_map(|field| field.split(',')).any(|one| {
            let one = one.trim();
            one == "*" || one == tag
        })
}

pub(super) fn stale(tag: &str, current: impl serde::Serialize) -> Problem {
    Problem::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", "it has changed since you looked")
        .hint("look at what it is now, and decide again")
        .header(header::ETAG, tag)
        .with("current", current)
}

pub(in crate::admin::routes) async fn create(
    Operator(who): Operator,
    Asked(Dry { dry_run, local, wait }): Asked<Dry>,
    headers: HeaderMap,
    State(mut desk): State<Desk>,
    auditor: Auditor,
    Body { value: body, octets }: Body<NewOverride>,
) -> Result<Response, Problem> {
    let request = if local { "POST /v1/overrides?local=true" } else { "POST /v1/overrides" };
    let key = Key::of(&headers, request, &octets)?;
    if local {
        desk = local::break_glass(&desk, &who).await?;
    }
    if let (Some(key), false) = (&key, dry_run)
        && let Some(replay) = desk.kept(key, &who).await?
    {
        return replayed(&desk, replay);
    }
    let fleet = &desk.seen.snapshot.fleet;
    let now = Clock::wall();
    let order = draft::read(fleet, &Asking { author: &who.name, now, local }, &body)?;
    allow(&who, fleet, &order, body.force)?;
    if dry_run {
        return preview(&desk, &headers, &order, now).await;
    }
    let committed = commit(&desk, key.as_ref(), &who, |durable| {
        let tag = collection_tag(durable.generation);
        if !fence(&headers, &tag) {
            return Err(stale(&tag, serde_json::json!({ "etag": tag })));
        }
        let effect = weigh(fleet, &desk.seen.snapshot.verdicts, &desk.all(durable), &order, now);
        if !order.forced
            && let Some(problem) = refused(fleet, &order, &effect)
        {
            return Err(problem);
        }
        let mut audit =
            auditor.draft(&who, "override.create", format!("override:{}", order.id), Some(order.reason.clone()));
        audit.after = Some(as_json(&desk.seen.snapshot, &order));
        Ok((Change::Create(order.clone()), audit))
    })
    .await;
    let committed = match committed? {
        Outcome::Done(committed) => committed,
        Outcome::Again(replay) => return replayed(&desk, replay),
    };
    let order = committed.entity;
    let snapshot = desk.followed(|snapshot| reach::shows(snapshot, &order)).await;
    let company = desk.everywhere(order.generation, wait).await;
    let view = told(&desk, &snapshot, &order).everywhere(&company, &order);
    Ok(created(&view))
}

/// 201 with its place and version.
pub(super) fn created(view: &OverrideView) -> Response {
    let place = HeaderValue::from_str(&format!("/v1/overrides/{}", view.id));
    let told = Told { view, tag: Some(view.etag.clone()), status: StatusCode::CREATED };
    let mut response = told.into_response();
    if let Ok(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// The answer that was given to the same request before; only where it has got to since is of now.
pub(super) fn replayed(desk: &Desk, replay: Replay) -> Result<Response, Problem> {
    let Replay { status, body } = replay;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = match serde_json::from_str::<OverrideView>(&body) {
        Ok(mut view) => {
            let snapshot = &desk.seen.snapshot;
            let now = snapshot.overrides.iter().chain(&*snapshot.planned).find(|order| order.id == view.id);
            if let Some(now) = now {
                let now = OverrideView::of(snapshot, now).everywhere(&desk.seen.company, now);
                (view.applied_on, view.pending_on) = (now.applied_on, now.pending_on);
            }
            if status == StatusCode::CREATED {
                created(&view)
            } else {
                let tag = Some(view.etag.clone());
                Told { view, tag, status }.into_response()
            }
        }
        Err(_) => status.into_response(),
    };
    response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    Ok(response)
}

pub(in crate::admin::routes) async fn extend(
    Operator(who): Operator,
    Named(id): Named<String>,
    Asked(Extending { dry_run, wait }): Asked<Extending>,
    headers: HeaderMap,
    State(desk): State<Desk>,
    auditor: Auditor,
    Body { value: body, octets }: Body<ExtendOverride>,
) -> Result<Response, Problem> {
    let id = read_id(&id)?;
    let shared = desk.clone();
    let desk = desk.holding(&id);
    if desk.is_of_this_node() {
        local::break_glass(&shared, &who).await?;
    }
    let reason = draft::given_reason(body.reason.as_deref())?;
    let key = Key::of(&headers, &format!("PATCH /v1/overrides/{id}"), &octets)?;
    if let (Some(key), false) = (&key, dry_run)
        && let Some(replay) = desk.kept(key, &who).await?
    {
        return replayed(&desk, replay);
    }
    let fleet = &desk.seen.snapshot.fleet;
    let now = Clock::wall();
    let plan = |durable: &Durable| -> Result<(Override, Wall), Problem> {
        let order = find(durable, &id, now)?;
        allow(&who, fleet, order, body.force)?;
        let tag = tag_of(order);
        if !fence(&headers, &tag) {
            return Err(stale(&tag, OverrideView::of(&desk.seen.snapshot, order)));
        }
        let expires = draft::extended(fleet, now, order, &body)?;
        // Only the time that is added can meet what did not meet before.
        let added = Override { from: order.expires.max(now), expires, ..order.clone() };
        // Who may not force may not carry on what was forced either, unless it would pass without.
        let forced = body.force || (order.forced && who.role == Role::Admin);
        if order.expires < expires && !forced {
            let effect = weigh(fleet, &desk.seen.snapshot.verdicts, &desk.all(durable), &added, now);
            if let Some(problem) = refused(fleet, &added, &effect) {
                return Err(problem);
            }
        }
        Ok((order.clone(), expires))
    };
    if dry_run {
        let durable = desk.durable();
        let (order, expires) = plan(&durable)?;
        let mut after = order.clone();
        after.expires = expires;
        let view = unchanged_effect(&desk, &durable, &after, now);
        return Ok(Told::tagged(EffectView { etag: tag_of(&order), ..view }, tag_of(&order)).into_response());
    }
    let committed = commit(&desk, key.as_ref(), &who, |durable| {
        let (order, expires) = plan(durable)?;
        let mut audit = auditor.draft(&who, "override.extend", format!("override:{id}"), reason.clone());
        audit.before = Some(as_json(&desk.seen.snapshot, &order));
        audit.after = Some(as_json(&desk.seen.snapshot, &Override { expires, ..order }));
        Ok((Change::Extend { id: id.clone(), expires }, audit))
    })
    .await;
    let committed = match committed? {
        Outcome::Done(committed) => committed,
        Outcome::Again(replay) => return replayed(&desk, replay),
    };
    let order = committed.entity;
    let snapshot = desk.followed(|snapshot| reach::shows(snapshot, &order)).await;
    let company = desk.everywhere(order.generation, wait).await;
    let view = OverrideView::of(&snapshot, &order).among(&snapshot, &desk.seen.good, &order);
    let view = view.everywhere(&company, &order);
    Ok(Told::tagged(view, tag_of(&order)).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin::routes) struct Ending {
    #[serde(default)]
    dry_run: bool,
    reason: Option<String>,
    wait: Option<Wait>,
}

pub(in crate::admin::routes) async fn end(
    Operator(who): Operator,
    Named(id): Named<String>,
    Asked(Ending { dry_run, reason, wait }): Asked<Ending>,
    headers: HeaderMap,
    State(desk): State<Desk>,
    auditor: Auditor,
) -> Result<Response, Problem> {
    let id = read_id(&id)?;
    let desk = desk.holding(&id);
    let reason = draft::given_reason(reason.as_deref())?;
    let key = Key::of(&headers, &format!("DELETE /v1/overrides/{id}"), b"")?;
    if let (Some(key), false) = (&key, dry_run)
        && let Some(replay) = desk.kept(key, &who).await?
    {
        return replayed(&desk, replay);
    }
    let fleet = &desk.seen.snapshot.fleet;
    let now = Clock::wall();
    let plan = |durable: &Durable| -> Result<Override, Problem> {
        let order = find(durable, &id, now)?;
        allow(&who, fleet, order, false)?;
        let tag = tag_of(order);
        match fence(&headers, &tag) {
            true => Ok(order.clone()),
            false => Err(stale(&tag, OverrideView::of(&desk.seen.snapshot, order))),
        }
    };
    if dry_run {
        let durable = desk.durable();
        let order = plan(&durable)?;
        let snapshot = &desk.seen.snapshot;
        let (effect, effect_total) = effect(&desk.seen.table(), without(snapshot, &order.id), EFFECT_MAX);
        let view = unchanged_effect(&desk, &durable, &order, now);
        let view = EffectView { effect, effect_total, etag: tag_of(&order), ..view };
        return Ok(Told::tagged(view, tag_of(&order)).into_response());
    }
    let committed = commit(&desk, key.as_ref(), &who, |durable| {
        let order = plan(durable)?;
        let mut audit = auditor.draft(&who, "override.end", format!("override:{id}"), reason.clone());
        audit.before = Some(as_json(&desk.seen.snapshot, &order));
        Ok((Change::End { id: id.clone() }, audit))
    })
    .await;
    match committed? {
        Outcome::Done(committed) => {
            desk.followed(|snapshot| !reach::knows(snapshot, &id)).await;
            let generation = committed.durable.generation;
            let company = desk.everywhere(generation, wait).await;
            let mut response = StatusCode::NO_CONTENT.into_response();
            let receipts = receipts(&company, generation);
            let behind: Vec<&str> =
                receipts.pending.iter().chain(&receipts.unheard).map(|node| node.as_str()).collect();
            if let (false, Ok(behind)) = (behind.is_empty(), HeaderValue::from_str(&behind.join(", "))) {
                response.headers_mut().insert(PENDING, behind);
            }
            Ok(response)
        }
        Outcome::Again(replay) => replayed(&desk, replay),
    }
}

pub(super) fn read_id(text: &str) -> Result<OverrideId, Problem> {
    text.parse().map_err(|_| Problem::no("override", text))
}

/// One that has not ended.
pub(super) fn find<'d>(durable: &'d Durable, id: &OverrideId, now: Wall) -> Result<&'d Override, Problem> {
    let order = durable.overrides.iter().find(|order| order.id == *id && now < order.expires);
    order.ok_or_else(|| Problem::no("override", &id.to_string()))
}

/// Whether someone may: operators within their scope, force for admins alone.
pub(super) fn allow(who: &Principal, fleet: &Fleet, order: &Override, force: bool) -> Result<(), Problem> {
    if !who.may_override(fleet, &order.target) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "scope", "the target is outside your scope")
            .hint("GET /v1/whoami shows your scope"));
    }
    if force && who.role < Role::Admin {
        return Err(Problem::new(StatusCode::FORBIDDEN, "force", "`force` needs the role admin"));
    }
    Ok(())
}

/// The refusal of a safety rule, with what would pass.
pub(super) fn refused(fleet: &Fleet, order: &Override, effect: &Effect) -> Option<Problem> {
    let first = effect.refusals.first()?;
    let details: Vec<String> = effect.refusals.iter().map(|refusal| refusal.explain(fleet)).collect();
    let blocking: Vec<String> = effect.refusals.iter().map(|refusal| blocker(fleet, refusal)).collect();
    let force = "an admin may send \"force\": true, which the audit records";
    let safe: Vec<String> = effect.safe.iter().map(|ix| format!("endpoint:{}", fleet.endpoint(*ix).id)).collect();
    let hint = match &safe[..safe.len().min(MATCHES_MAX)] {
        [] => force.to_owned(),
        shown => format!("{} passes for {}; {force}", order.action.word(), shown.join(", ")),
    };
    let detail = details.join("; ");
    let problem = Problem::new(StatusCode::CONFLICT, first.code(), detail).hint(hint);
    Some(problem.with("blocking", blocking).with("safe", safe))
}

/// The override as audit entries hold it.
pub(super) fn as_json(snapshot: &Snapshot, order: &Override) -> String {
    serde_json::to_string(&OverrideView::of(snapshot, order).bare()).unwrap_or_default()
}
