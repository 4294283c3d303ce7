//! The whole at a glance: status, this node, who is asking.

use std::sync::Arc;

use axum::extract::State;
use tokio::sync::watch;

use crate::{
    admin::{
        ask::{Asked, Nothing},
        auth::Viewer,
        condition::NodeParts,
        handles::Condition,
        picture::Picture,
        recent::Recent,
        tell::Told,
        views::{NodeView, Page, StatusView, WhoamiView},
    },
    model::Snapshot,
};

pub(super) async fn status(
    _: Viewer,
    _: Asked<Nothing>,
    State(node): State<NodeParts>,
    State(snapshot): State<watch::Receiver<Arc<Snapshot>>>,
    State(condition): State<watch::Receiver<Arc<Condition>>>,
    State(recent): State<Arc<Recent>>,
) -> Told<StatusView> {
    let snapshot = Arc::clone(&snapshot.borrow());
    let condition = Arc::clone(&condition.borrow());
    let picture = Picture::of(&snapshot);
    Told::of(StatusView::of(node.view(&snapshot), &condition, &picture, &recent))
}

pub(super) async fn nodes(
    _: Viewer,
    _: Asked<Nothing>,
    State(node): State<NodeParts>,
    State(snapshot): State<watch::Receiver<Arc<Snapshot>>>,
) -> Told<Page<NodeView>> {
    let snapshot = Arc::clone(&snapshot.borrow());
    Told::of(Page { items: vec![node.view(&snapshot)], next: None })
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
