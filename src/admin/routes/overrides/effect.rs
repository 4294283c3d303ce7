//! What a change does: the words around an override that was made, and the whole of one that was only tried.

use std::collections::BTreeSet;

use axum::{
    http::HeaderMap,
    response::{IntoResponse as _, Response},
};

use super::{
    change::{collection_tag, fence, stale},
    desk::Desk,
};
use crate::{
    admin::{
        hypothesis::effect,
        picture::Picture,
        problem::Problem,
        reach,
        seen::Seen,
        tell::Told,
        views::{BlockedView, EFFECT_MAX, EffectView, MATCHES_MAX, OverrideView, SafetyView},
    },
    clock::Clock,
    judge::safety::{Refusal, safe_to_stop_at, weigh},
    model::{Action, EndpointId, Fleet, Override, OverrideId, PoolAnswer, Snapshot, Span, Wall},
    steer::outlook::hypothesis::with,
    store::Durable,
};

/// What stands in the way, as a selector or a rule's name.
pub(in crate::admin::routes) fn blocker(fleet: &Fleet, refusal: &Refusal) -> String {
    match refusal {
        Refusal::EmptiesService { service, .. } => format!("service:{}", fleet.service(*service).id),
        Refusal::Keep { rule, .. } => format!("rule:{rule}"),
        Refusal::MaxDrained { .. } => "rule:max_drained".into(),
    }
}

/// A created override with all there is to say about it.
pub(super) fn told(desk: &Desk, snapshot: &Snapshot, order: &Override) -> OverrideView {
    let mut view = OverrideView::of(snapshot, order).among(snapshot, &desk.seen.good, order);
    let fleet = &snapshot.fleet;
    // One that begins later is shown as it will be.
    let then = with(snapshot, order);
    view.kept = reach::kept(&Picture::of(&then, &desk.seen.good), order);
    view.warnings = warnings(&desk.seen, &then, order, &view.kept, &view.shadowed_by);
    // What goes on serving may not be stopped at any time.
    let leaves = view.kept.is_empty() && matches!(order.action, Action::Drain | Action::Down);
    view.safe_to_stop_at = leaves.then(|| {
        let services: BTreeSet<_> = reach::memberships(fleet, &order.target).into_iter().map(|(of, _, _)| of).collect();
        safe_to_stop_at(fleet, services, order, Clock::wall())
    });
    view
}

fn warnings(
    seen: &Seen,
    after: &Snapshot,
    order: &Override,
    kept: &[EndpointId],
    shadowed_by: &[OverrideId],
) -> Vec<String> {
    let mut warnings = Vec::new();
    let listed = |list: Vec<String>| list.join(", ");
    if !kept.is_empty() {
        let kept = listed(kept.iter().take(10).map(ToString::to_string).collect());
        warnings.push(format!("goes on serving, because a service has nothing else that is healthy: {kept}"));
    }
    if !shadowed_by.is_empty() {
        let by = listed(shadowed_by.iter().take(10).map(ToString::to_string).collect());
        warnings.push(format!("where both apply, it yields to {by}"));
    }
    let picture = Picture::of(after, &seen.good);
    let fleet = picture.fleet();
    let memberships = reach::memberships(fleet, &order.target);
    let arms: BTreeSet<_> = memberships.iter().map(|(service, pool, _)| (*service, *pool)).collect();
    let services: BTreeSet<_> = arms.iter().map(|(service, _)| *service).collect();
    for service in services {
        let decision = picture.decision(service);
        let id = &fleet.service(service).id;
        if let Some(pin) = decision.branches().find_map(|branch| branch.pin.as_ref())
            && pin.order == order.id
            && pin.void
        {
            warnings.push(format!("service {id}: the pool has no servable endpoint, so the pin does nothing now"));
        }
        let pools = decision.branches().flat_map(|branch| branch.pools.iter());
        for pool in pools.filter(|pool| arms.contains(&(service, pool.pool)) && !pool.last_resort) {
            let about = fleet.pool(pool.pool);
            let left = match (&order.action, pool.serving) {
                (Action::Drain | Action::Down, 0) => "no endpoint left",
                (Action::Drain | Action::Down, 1) if 1 < pool.members.len() => "one endpoint left",
                (Action::Weight(_), _) if about.answer != PoolAnswer::Weighted => "does not answer by weight",
                _ => continue,
            };
            let warning = format!("pool {}: {left}", about.id);
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        if WARNINGS_MAX <= warnings.len() {
            warnings.push("and more".to_owned());
            break;
        }
    }
    warnings
}

/// Warnings of one answer; what is beyond is summed up.
const WARNINGS_MAX: usize = 50;

/// A dry run whose answers stay as they are.
pub(super) fn unchanged_effect(desk: &Desk, durable: &Durable, order: &Override, now: Wall) -> EffectView {
    let mut matches = reach::matches(&desk.seen.snapshot.fleet, &order.target);
    let matches_total = matches.len();
    matches.truncate(MATCHES_MAX);
    EffectView {
        dry_run: true,
        matches,
        matches_total,
        safety: SafetyView { ok: true, refused: Vec::new() },
        effect: Vec::new(),
        effect_total: 0,
        kept: Vec::new(),
        shadows: Vec::new(),
        shadowed_by: Vec::new(),
        warnings: Vec::new(),
        from: order.from,
        expires: order.expires,
        lasts: Span(order.expires.since(order.from.max(now))),
        over: order.over.map(Span),
        etag: collection_tag(durable.generation),
    }
}

/// What creating an override would do; nothing is changed.
pub(super) async fn preview(
    desk: &Desk,
    headers: &HeaderMap,
    order: &Override,
    now: Wall,
) -> Result<Response, Problem> {
    let durable = desk.store.load().await.map_err(|error| desk.refusal(&error))?;
    let tag = collection_tag(durable.generation);
    if !fence(headers, &tag) {
        return Err(stale(&tag, serde_json::json!({ "etag": tag })));
    }
    let snapshot = &desk.seen.snapshot;
    let fleet = &snapshot.fleet;
    let all = desk.all(&durable);
    let weighed = weigh(fleet, &snapshot.verdicts, &all, order, now);
    let after = with(snapshot, order);
    let (effect, effect_total) = effect(&desk.seen.table(), after.clone(), EFFECT_MAX);
    let blocked = |refusal: &Refusal| BlockedView {
        code: refusal.code().to_owned(),
        blocking: blocker(fleet, refusal),
        detail: refusal.explain(fleet),
    };
    let refused: Vec<BlockedView> = weighed.refusals.iter().map(blocked).collect();
    let rivals = reach::rivals(fleet, order, all.iter());
    let kept = reach::kept(&Picture::of(&after, &desk.seen.good), order);
    let warnings = warnings(&desk.seen, &after, order, &kept, &rivals.beat_it);
    let view = EffectView {
        safety: SafetyView { ok: refused.is_empty(), refused },
        effect,
        effect_total,
        kept,
        shadows: rivals.beaten,
        shadowed_by: rivals.beat_it,
        warnings,
        ..unchanged_effect(desk, &durable, order, now)
    };
    Ok(Told::tagged(view, tag).into_response())
}
