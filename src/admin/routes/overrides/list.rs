//! Looking at overrides.

use axum::extract::State;
use serde::Deserialize;

use super::desk::Desk;
use crate::{
    admin::{
        ask::{Asked, Named, Nothing},
        auth::Viewer,
        problem::Problem,
        seen::Seen,
        tell::{Told, page},
        views::{OverrideView, Page, tag_of},
    },
    clock::Clock,
    model::{Glob, OverrideId, Wall},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin::routes) struct Filter {
    limit: Option<usize>,
    cursor: Option<String>,
    state: Option<String>,
    action: Option<String>,
    target: Option<String>,
    by: Option<String>,
}

/// Which states are wanted.
fn states(state: Option<&str>) -> Result<impl Fn(Wall, Wall, Wall) -> bool, Problem> {
    let wanted = match state {
        None => (true, true, false),
        Some("active") => (true, false, false),
        Some("planned") => (false, true, false),
        Some("ended") => (false, false, true),
        Some("all") => (true, true, true),
        Some(_) => return Err(Problem::bad("state", "a state is active, planned, ended or all")),
    };
    Ok(move |now: Wall, from: Wall, expires: Wall| {
        let (active, planned, ended) = wanted;
        if expires <= now {
            ended
        } else if now < from {
            planned
        } else {
            active
        }
    })
}

/// Those that hold or begin later, by id and so by age; `state` asks for others. The ETag is the store's generation:
/// what a new override may demand with `If-Match`.
pub(in crate::admin::routes) async fn overrides(
    _: Viewer,
    Asked(filter): Asked<Filter>,
    State(seen): State<Seen>,
    State(desk): State<Desk>,
) -> Result<Told<Page<OverrideView>>, Problem> {
    let durable = desk.durable();
    let all = desk.all(&durable);
    let state = states(filter.state.as_deref())?;
    let now = Clock::wall();
    let fits = |glob: &Option<String>, text: &str| glob.as_deref().is_none_or(|glob| Glob::from(glob).fits(text));
    let found = all.iter().enumerate().filter(|(_, order)| {
        state(now, order.from, order.expires)
            && fits(&filter.action, order.action.word())
            && fits(&filter.target, &order.target.to_string())
            && fits(&filter.by, &order.author)
    });
    let keys = found.map(|(place, order)| (order.id.to_string(), place));
    let view = |place: usize| {
        let order = &all[place];
        OverrideView::of(&seen.snapshot, order).everywhere(&seen.company, order)
    };
    let page = page(keys, filter.limit, filter.cursor.as_deref(), view)?;
    Ok(Told::tagged(page, super::change::collection_tag(durable.generation)))
}

pub(in crate::admin::routes) async fn one(
    _: Viewer,
    Named(id): Named<String>,
    _: Asked<Nothing>,
    State(seen): State<Seen>,
    State(desk): State<Desk>,
) -> Result<Told<OverrideView>, Problem> {
    let all = desk.all(&desk.durable());
    let id: OverrideId = id.parse().map_err(|_| Problem::no("override", &id))?;
    let order = all.iter().find(|order| order.id == id);
    let order = order.ok_or_else(|| Problem::no("override", &id.to_string()))?;
    let view = OverrideView::of(&seen.snapshot, order).among(&seen.snapshot, &seen.good, order);
    let view = view.everywhere(&seen.company, order);
    Ok(Told::tagged(view, tag_of(order)))
}
