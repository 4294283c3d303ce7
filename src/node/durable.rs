//! What the stores hold, as the controller takes it.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{
    control::Input,
    model::Override,
    store::{self, Durable},
};

/// The orders of this node alone, once they are others than before. Without such a store: none, at once.
pub(super) async fn changed_of(local: Option<&mut watch::Receiver<Arc<Durable>>>) -> Option<Arc<[Override]>> {
    let local = local?;
    local.changed().await.ok()?;
    Some(Arc::clone(&local.borrow_and_update().overrides))
}

/// What the store holds, for a controller that knows this epoch.
pub(super) fn shared(state: &Durable, known: &str) -> Input {
    let (epoch, generation, overrides) = (state.epoch.clone(), state.generation, Arc::clone(&state.overrides));
    match store::continues(known, &state.epoch) {
        true => Input::Adopted { epoch, generation, overrides },
        false => Input::Shared { epoch, generation, overrides },
    }
}
