//! Carries what this node has audited by itself, while the shared store was out of reach, into the cluster's audit: each
//! entry once, in order, whenever the store is back.
//!
//! How far it has got stands in the store and is written with the entry itself, so that a crash in between repeats
//! nothing and leaves nothing out.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{disk::Disk, with_source};
use crate::{
    clock::Clock,
    model::NodeId,
    store::{AuditDraft, AuditEntry, Change, ControlStore, Seen, StoreError, slips::Carried},
};

/// Looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// After the store said no: it will hardly say yes soon.
const REFUSED_FOR: Duration = Duration::from_secs(60);
/// Entries that are read at once.
const PAGE: usize = 500;

/// Starts it, where this node has a store of its own beside one that is shared.
pub(super) fn run(tasks: &mut JoinSet<&'static str>, disk: &Disk, node: NodeId, until: CancellationToken) {
    let Some(own) = disk.local.clone() else { return };
    let carrier = Carrier { own, shared: Arc::clone(&disk.store), node, carried: None };
    tasks.spawn(async move {
        until.run_until_cancelled(carrier.run()).await;
        "carrying"
    });
}

struct Carrier {
    own: Arc<dyn ControlStore>,
    shared: Arc<dyn ControlStore>,
    node: NodeId,
    /// The last entry that is known to stand in the cluster's audit.
    carried: Option<u64>,
}

impl Carrier {
    async fn run(mut self) {
        loop {
            let pause = match self.carry().await {
                Ok(()) => LOOK_EVERY,
                Err(StoreError::Away { .. } | StoreError::Unknown(_) | StoreError::Conflict { .. }) => LOOK_EVERY,
                Err(error) => {
                    tracing::warn!(error = %with_source(&error), "this node's own audit is not carried to the cluster's");
                    REFUSED_FOR
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn carry(&mut self) -> Result<(), StoreError> {
        let newest = self.own.audit(u64::MAX, 1).await?.first().map_or(0, |entry| entry.sequence);
        if newest == 0 || self.carried == Some(newest) {
            return self.let_go().await;
        }
        let epoch = self.own.load().await?.epoch.clone();
        let name = Carried::slip(&self.node);
        loop {
            let slip = self.shared.slip(name.clone()).await?;
            let known = Carried::parse(&slip.text).ok().filter(|known| known.epoch == epoch);
            let done = known.map_or(0, |known| known.sequence);
            self.carried = Some(done);
            let Some(entry) = self.after(done).await? else { return self.let_go().await };
            let next = Carried::new(epoch.clone(), entry.sequence).text();
            self.shared.write_slip(name.clone(), slip.revision, next, self.told(entry.draft)).await?;
        }
    }

    /// An order of this node that the fleet has as well was promoted, and the node ended in between: the fleet's counts.
    async fn let_go(&self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared.watch().borrow());
        let own = self.own.load().await?;
        let now = Clock::wall();
        let held = own.overrides.iter().filter(|order| now < order.expires);
        let Some(order) = held.into_iter().find(|order| shared.overrides.iter().any(|other| other.id == order.id))
        else {
            return Ok(());
        };
        let audit = AuditDraft {
            at: now,
            actor: "node".into(),
            from: self.node.to_string(),
            action: "override.promote".into(),
            target: format!("override:{}", order.id),
            before: None,
            after: None,
            reason: None,
            request_id: String::new(),
        };
        let end = Change::End { id: order.id.clone() };
        self.own.commit(end, Seen(own.generation), audit, None).await.map(drop)
    }

    /// The first entry after one.
    async fn after(&self, done: u64) -> Result<Option<AuditEntry>, StoreError> {
        let (mut before, mut first) = (u64::MAX, None);
        loop {
            let page = self.own.audit(before, PAGE).await?;
            let Some(last) = page.iter().rfind(|entry| done < entry.sequence) else { return Ok(first) };
            before = last.sequence;
            first = Some(last.clone());
        }
    }

    /// As the cluster's audit has it.
    fn told(&self, draft: AuditDraft) -> AuditDraft {
        let (action, from) = (format!("local.{}", draft.action), format!("{} on {} alone", draft.from, self.node));
        AuditDraft { action, from, ..draft }
    }
}
