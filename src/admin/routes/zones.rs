//! What is served, and the way out of it.

use axum::extract::State;
use serde::{Deserialize, Serialize};

use crate::{
    admin::{
        ask::{Asked, Nothing},
        auth::Viewer,
        export::{Format, export, zone_of},
        problem::Problem,
        seen::Seen,
        tell::{Told, page},
        views::{ExportView, Page, ZoneView},
    },
    model::{DnsName, Zone},
};

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    limit: Option<usize>,
    cursor: Option<String>,
}

pub(super) async fn zones(
    _: Viewer,
    Asked(listed): Asked<Listed>,
    State(seen): State<Seen>,
) -> Result<Told<Page<ZoneView>>, Problem> {
    let fleet = &seen.snapshot.fleet;
    let keys = fleet.zones.iter().enumerate().map(|(place, zone)| (zone.apex.to_string(), place));
    let view = |place: usize| ZoneView::of(fleet, &fleet.zones[place]);
    Ok(Told::of(page(keys, listed.limit, listed.cursor.as_deref(), view)?))
}

pub(super) async fn zone(
    _: Viewer,
    _: Asked<Nothing>,
    axum::extract::Path(name): axum::extract::Path<String>,
    State(seen): State<Seen>,
) -> Result<Told<ZoneView>, Problem> {
    Ok(Told::of(ZoneView::of(&seen.snapshot.fleet, find(&seen, &name)?)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    format: Option<String>,
}

pub(super) async fn exported(
    _: Viewer,
    Asked(wanted): Asked<Wanted>,
    axum::extract::Path(name): axum::extract::Path<String>,
    State(seen): State<Seen>,
) -> Result<Told<ExportView>, Problem> {
    let word = wanted.format.unwrap_or_else(|| "zone".to_owned());
    let format = match word.as_str() {
        "zone" => Format::Zone,
        "octodns" => Format::OctoDns,
        other => return Err(Problem::bad("format", format!("`{other:.20}` is no format; zone and octodns are"))),
    };
    find(&seen, &name)?;
    // A large zone takes long enough to be in the way of others.
    let made = tokio::task::spawn_blocking(move || {
        let zone = find(&seen, &name).ok()?;
        let made = export(&seen.table(), &seen.good, zone, format);
        let (zone, generation) = (zone.apex.to_string(), seen.snapshot.generation);
        Some(ExportView { zone, format: word, generation, text: made.text, left_out: made.left_out })
    });
    let view = made.await.ok().flatten();
    view.map(Told::of).ok_or_else(|| Problem::plain(axum::http::StatusCode::INTERNAL_SERVER_ERROR))
}

/// A zone of ours by its apex, with or without the final dot.
fn find<'s>(seen: &'s Seen, name: &str) -> Result<&'s Zone, Problem> {
    let missing = || Problem::plain(axum::http::StatusCode::NOT_FOUND);
    let name: DnsName = name.parse().map_err(|_| missing())?;
    zone_of(&seen.snapshot.fleet, &name).filter(|zone| zone.apex == name).ok_or_else(missing)
}
