//! The whole at a glance: status, this node, who is asking.

use std::sync::Arc;

use axum::extract::State;
use tokio::sync::watch;

use crate::admin::{
    ask::{Asked, Nothing},
    auth::Viewer,
    condition::NodeParts,
    handles::Condition,
    recent::Recent,
    seen::Seen,
    tell::Told,
    views::{NodeView, Page, StatusView, WhoamiView},
};

pub(super) async fn status(
    _: Viewer,
    _: Asked<Nothing>,
    State(node): State<NodeParts>,
    State(seen): State<Seen>,
    State(condition): State<watch::Receiver<Arc<Condition>>>,
    State(recent): State<Arc<Recent>>,
) -> Told<StatusView> {
    let condition = Arc::clone(&condition.borrow());
    Told::of(StatusView::of(node.view(&seen.snapshot), &condition, &seen.picture(), &recent))
}

pub(super) async fn nodes(
    _: Viewer,
    _: Asked<Nothing>,
    State(node): State<NodeParts>,
    State(seen): State<Seen>,
) -> Told<Page<NodeView>> {
    Told::of(Page { items: vec![node.view(&seen.snapshot)], next: None })
}

pub(super) async fn whoami(Viewer(who): Viewer, _: Asked<Nothing>) -> Told<WhoamiView> {
    Told::of(WhoamiView {
        principal: who.name,
        role: who.role.word().to_owned(),
        scope: who.scope,
        expires: who.expires,
        from: who.peer.to_string(),
    })
}
