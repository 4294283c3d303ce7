//! The whole at a glance: status, this node, who is asking.

use std::{sync::Arc, time::Duration};

use axum::{extract::State, http::StatusCode};
use tokio::sync::{mpsc, watch};

use super::audit::Auditor;
use crate::{
    admin::{
        ask::{Asked, Named, Nothing},
        auth::{Administrator, Peering, Viewer},
        condition::NodeParts,
        handles::Condition,
        problem::Problem,
        recent::Recent,
        seen::Seen,
        tell::Told,
        views::{Page, PeerView, StatusView, WhoamiView},
    },
    control::Input,
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
    Told::of(StatusView::of(node.view(&seen.snapshot), &condition, &seen.picture(), &seen.company, &recent))
}

/// This node first, then the others by name.
pub(super) async fn nodes(
    _: Viewer,
    _: Asked<Nothing>,
    State(node): State<NodeParts>,
    State(seen): State<Seen>,
) -> Told<Page<PeerView>> {
    let own = node.view(&seen.snapshot);
    let others = seen.company.others.iter().map(|other| PeerView::of(other, &own));
    let items = std::iter::once(PeerView::own(&own, &seen.company)).chain(others).collect();
    Told::of(Page { items, next: None })
}

/// 204; it is known again if it speaks again.
pub(super) async fn forget(
    Administrator(who): Administrator,
    Named(id): Named<String>,
    _: Asked<Nothing>,
    State(seen): State<Seen>,
    State(inbox): State<mpsc::Sender<Input>>,
    auditor: Auditor,
) -> Result<StatusCode, Problem> {
    let known = seen.company.others.iter().find(|other| other.node.as_str() == id);
    let Some(known) = known else { return Err(Problem::no("node", &id)) };
    auditor.note(&who, "node.forget", format!("node:{id}"), None).await?;
    inbox.try_send(Input::Forget(known.node.clone())).map_err(|_| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "node.busy", "this node cannot take it now")
            .retry_after(Duration::from_secs(1))
    })?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn whoami(Peering(who): Peering, _: Asked<Nothing>) -> Told<WhoamiView> {
    Told::of(WhoamiView {
        principal: who.name,
        role: who.role.word().to_owned(),
        scope: who.scope,
        expires: who.expires,
        from: who.peer.to_string(),
    })
}
