//! How available things were, and what a model says of them.

use std::{sync::Arc, time::Duration};

use axum::extract::State;
use serde::Deserialize;

use crate::{
    admin::{
        ask::Asked, auth::Viewer, problem::Problem, refusal, seen::Seen, tell::Told, uptime, views::AvailabilityView,
    },
    clock::Clock,
    model::{Span, Wall},
    store::journal::Journal,
};

/// How far back it looks unless told.
const WINDOW: Duration = Duration::from_secs(30 * 24 * 3600);
/// How far back it can be asked to look.
const WINDOW_MAX: Duration = Duration::from_secs(400 * 24 * 3600);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    window: Option<String>,
}

pub(super) async fn availability(
    _: Viewer,
    Asked(which): Asked<Which>,
    State(seen): State<Seen>,
    State(journal): State<Arc<Journal>>,
    State(started): State<Started>,
) -> Result<Told<AvailabilityView>, Problem> {
    let window = match which.window.as_deref() {
        None => WINDOW,
        Some(text) => text.parse::<Span>().map_err(|error| Problem::bad("window", error.to_string()))?.0,
    };
    if window.is_zero() || WINDOW_MAX < window {
        return Err(Problem::bad("window", format!("a window is longer than 0s and at most {}", Span(WINDOW_MAX))));
    }
    let to = Clock::wall();
    let from = Wall(to.0.saturating_sub(crate::model::ms(window)));
    let (from, transitions) = uptime::gather(&journal, from, to).await.map_err(|error| refusal::of_store(&error))?;
    // Nothing is known from before the first record, unless this process was there.
    let first = transitions.first().map_or(started.0, |first| first.at.min(started.0));
    let from = from.max(first).min(to);
    // Joining the times of a large fleet takes long enough to be in the way of others.
    let made = tokio::task::spawn_blocking(move || {
        let downtimes = uptime::Downtimes::of(&seen.snapshot, &transitions, from, to);
        AvailabilityView::of(&seen.snapshot, &downtimes, window)
    });
    let view = made.await.map_err(|_| Problem::plain(axum::http::StatusCode::INTERNAL_SERVER_ERROR))?;
    Ok(Told::of(view))
}

/// When this node began.
#[derive(Debug, Clone, Copy)]
pub(in crate::admin) struct Started(pub(in crate::admin) Wall);

impl axum::extract::FromRef<crate::admin::Handles> for Started {
    fn from_ref(handles: &crate::admin::Handles) -> Self {
        Self(handles.started)
    }
}
