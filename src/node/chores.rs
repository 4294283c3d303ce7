//! What a node does now and then for itself: it keeps its snapshot file young and its history short.

use std::{sync::Arc, time::Duration};

use tokio::{sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    disk::{Disk, Keeper},
    map,
    recall::Recall,
    with_source,
};
use crate::{
    clock::Clock,
    config::Loaded,
    model::{Memory, Wall},
};

/// The snapshot file is written this often while nothing changes, so that its verdicts stay young enough to believe.
const REMEMBER_EVERY: Duration = Duration::from_secs(60);
/// Changes of verdicts are gathered for this long before the snapshot file is written; overrides are never.
const REMEMBER_AFTER: Duration = Duration::from_millis(500);
/// History is pruned this often.
const PRUNE_EVERY: Duration = Duration::from_secs(600);

/// Keeps the snapshot file young, and has the newest in it as the node ends. Overrides do not wait for this: the control
/// loop has them written before it tells.
pub(super) fn remember(
    tasks: &mut JoinSet<&'static str>,
    keeper: Arc<Keeper>,
    mut memory: watch::Receiver<Arc<Recall>>,
    until: CancellationToken,
) {
    tasks.spawn(async move {
        let mut lasts = true;
        while lasts {
            let due = async {
                tokio::select! {
                    changed = memory.changed() => {
                        tokio::time::sleep(REMEMBER_AFTER).await;
                        changed.is_ok()
                    }
                    () = tokio::time::sleep(REMEMBER_EVERY) => true,
                }
            };
            lasts = until.run_until_cancelled(due).await.unwrap_or(false);
            let (newest, keeper) = (Arc::clone(&memory.borrow_and_update()), Arc::clone(&keeper));
            let save = move || keeper.save(&Memory { at: Clock::wall(), ..newest.whole() });
            // A panic in there is the keeper's; the next change tries again.
            let _ = tokio::task::spawn_blocking(save).await;
        }
        "snapshot file"
    });
}

/// Drops history that is older than it is kept.
pub(super) fn prune(
    tasks: &mut JoinSet<&'static str>,
    disk: &Disk,
    config: watch::Receiver<Arc<Loaded>>,
    clock: Clock,
    until: CancellationToken,
) {
    let (journal, embedded) = (Arc::clone(&disk.journal), disk.embedded.clone());
    tasks.spawn(async move {
        loop {
            tokio::select! {
                () = until.cancelled() => return "pruning",
                () = tokio::time::sleep(PRUNE_EVERY) => {}
            }
            let keep = config.borrow().settings.store.keep;
            let now = clock.now().wall;
            if let Err(error) = journal.prune(now, map::keep(keep)).await {
                tracing::warn!(error = %with_source(&error), "history was not pruned");
            }
            if let Some(embedded) = &embedded {
                let since = Wall(now.0.saturating_sub(crate::model::ms(keep.audit)));
                if let Err(error) = embedded.prune(now, since).await {
                    tracing::warn!(error = %with_source(&error), "idempotency keys were not pruned");
                }
            }
        }
    });
}
