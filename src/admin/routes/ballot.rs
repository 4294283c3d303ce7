//! This node's ballot, for peers that ask directly.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use tokio::sync::watch;

use crate::{
    admin::{
        ask::{Asked, Nothing},
        auth::Peering,
        problem::Problem,
        tell::Told,
        views::BallotView,
    },
    clock::Clock,
    model::Ballot,
};

/// The newest; 404 until there is one.
pub(super) async fn ballot(
    _: Peering,
    _: Asked<Nothing>,
    State(clock): State<Clock>,
    State(newest): State<watch::Receiver<Option<Arc<Ballot>>>>,
) -> Result<Told<BallotView>, Problem> {
    let newest = newest.borrow().clone();
    let newest = newest.ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "ballot.none", "this node has not spoken yet: it speaks within 2 s")
    })?;
    Ok(Told::of(BallotView::of(&newest, clock.mono().since(newest.clock))))
}
