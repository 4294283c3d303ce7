//! This node as it shows itself.

use std::sync::Arc;

use axum::extract::FromRef;
use tokio::sync::watch;

use super::{handles::Handles, views::NodeView};
use crate::{
    clock::Clock,
    control::Identity,
    model::{Company, Snapshot, Span, Wall},
    store::Durable,
};

/// What a view of this node is made of.
#[derive(Clone)]
pub(super) struct NodeParts {
    identity: Arc<Identity>,
    started: Wall,
    durable: watch::Receiver<Arc<Durable>>,
    company: Arc<Company>,
}

impl FromRef<Handles> for NodeParts {
    fn from_ref(handles: &Handles) -> Self {
        Self {
            identity: Arc::clone(&handles.identity),
            started: handles.started,
            durable: handles.store.watch(),
            company: Arc::clone(&handles.company.borrow()),
        }
    }
}

impl NodeParts {
    pub(super) fn view(&self, snapshot: &Snapshot) -> NodeView {
        NodeView {
            id: self.identity.node.clone(),
            region: self.identity.region.clone(),
            provider: self.identity.provider.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            uptime: Span(Clock::wall().since(self.started)),
            generation: snapshot.generation,
            digest: snapshot.digest.to_string(),
            config: snapshot.fleet.digest.to_string(),
            store_generation: self.durable.borrow().generation,
            at: snapshot.at.wall,
            mode: self.company.mode.word().to_owned(),
        }
    }
}
