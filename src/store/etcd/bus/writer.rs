//! Publishes this node's ballot and what it says of itself: the newest there is, as often as [`GAP`] allows.

use std::{sync::Arc, time::Duration};

use etcd_client::{PutOptions, Txn, TxnOp};
use tokio::time::{Instant, sleep};

use crate::model::NodeId;

use super::{
    super::{
        super::{
            ballots::{self, Scribe, introduction},
            sum,
        },
        core::Core,
        keys::Piece,
        line::{Code, READ_DEADLINE, Trouble},
        watcher::Pause,
    },
    LeasedBus, Out,
};

/// Ballots are not written more often than this; a change waits that long at most.
const GAP: Duration = Duration::from_millis(250);
/// The lease lasts this long without a ballot, in seconds.
const LEASE_S: i64 = 20;
/// And is renewed this often while there are ballots.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// Most operations and octets of one transaction; etcd takes 128 and 1.5 MiB.
const OPS_MAX: usize = 100;
const OCTETS_MAX: usize = 1 << 20;

/// What stands in etcd of ours, under which lease.
struct Published {
    began: Instant,
    lease: Option<(i64, Instant)>,
    scribe: Scribe,
    /// Sequences of the ballot and the presence.
    said: [Option<u64>; 2],
}

/// Publishes until it is dropped.
pub(in super::super) async fn run(core: Arc<Core>, bus: Arc<LeasedBus>) {
    let boot = sum(&format!("{:032x}", fastrand::u128(..)))[..16].to_owned();
    let (began, scribe) = (Instant::now(), Scribe::new(boot));
    let mut published = Published { began, lease: None, scribe, said: [None; 2] };
    let mut slot = bus.out.subscribe();
    // What was published before this began is not sent yet.
    slot.mark_changed();
    let mut pause = Pause::default();
    while slot.changed().await.is_ok() {
        let out = slot.borrow_and_update().clone();
        if out.ballot.is_none() && out.presence.is_none() {
            continue;
        }
        if let Some(ballot) = &out.ballot {
            bus.sent(ballot.sequence, Instant::now());
        }
        match published.publish(&core, &bus, &out).await {
            Ok(()) => {
                pause.reset();
                sleep(GAP).await;
            }
            Err(trouble) => {
                if matches!(trouble, Trouble::Refused(Code::NotFound, _)) {
                    // The lease has ended, and with it all that hung on it.
                    published.forget();
                }
                tracing::debug!(why = trouble.why(), "what this node has to say was not published");
                sleep(pause.next()).await;
                // The same again, if there is none newer by now.
                slot.mark_changed();
            }
        }
    }
}

impl Published {
    fn forget(&mut self) {
        (self.lease, self.said) = (None, [None; 2]);
        self.scribe.forget();
    }

    /// Both together, if both are new: a fleet's heartbeats are most of what it writes.
    async fn publish(&mut self, core: &Core, bus: &LeasedBus, out: &Out) -> Result<(), Trouble> {
        let lease = self.lease(core).await?;
        let said = [out.ballot.as_ref().map(|ballot| ballot.sequence), out.presence.as_ref().map(|p| p.sequence)];
        let mut batch = Batch { lease, ..Batch::default() };
        if let Some(presence) = out.presence.as_deref().filter(|_| said[1] != self.said[1]) {
            let key = core.keys.piece(&presence.node, &Piece::Presence);
            batch.put(&key, &introduction(presence));
        }
        if let Some(ballot) = out.ballot.as_deref().filter(|_| said[0] != self.said[0]) {
            if self.said[0].is_some_and(|written| bus.is_torn(written)) {
                // Parts that do not change are not written again, so nobody would hear this node until they do.
                tracing::warn!("somebody else changed this node's ballot in etcd: it is written anew");
                self.scribe.forget();
            }
            let draft = self.scribe.draft(ballot, Instant::now() - self.began);
            match write(core, &ballot.node, &draft.writes, batch).await {
                Ok(()) => self.scribe.written(draft),
                Err(trouble) => {
                    self.scribe.missed(draft);
                    return Err(trouble);
                }
            }
        } else if !batch.ops.is_empty() {
            core.line.txn(batch.end()).await?;
        }
        self.said = said;
        Ok(())
    }

    async fn lease(&mut self, core: &Core) -> Result<i64, Trouble> {
        let now = Instant::now();
        if let Some((id, renewed)) = self.lease {
            if RENEW_EVERY <= now.duration_since(renewed) {
                let ask =
                    |client: etcd_client::Client| async move { client.lease_client().keep_alive(id).await.map(drop) };
                core.line.call(READ_DEADLINE, ask).await?;
                self.lease = Some((id, now));
            }
            return Ok(id);
        }
        let ask = |client: etcd_client::Client| async move { client.lease_client().grant(LEASE_S, None).await };
        let id = core.line.call(READ_DEADLINE, ask).await?.id();
        self.lease = Some((id, now));
        Ok(id)
    }
}

/// Writes the pieces in their order, after what is in the batch.
async fn write(
    core: &Core,
    node: &NodeId,
    pieces: &[(ballots::Piece, Option<String>)],
    mut batch: Batch,
) -> Result<(), Trouble> {
    for (piece, text) in pieces {
        let key = core.keys.piece(node, &Piece::Ballot(*piece));
        let full = match text {
            Some(text) => batch.put(&key, text),
            None => batch.delete(&key),
        };
        if let Some(full) = full {
            core.line.txn(full).await?;
        }
    }
    core.line.txn(batch.end()).await.map(drop)
}

/// Operations up to what one transaction takes.
#[derive(Default)]
struct Batch {
    lease: i64,
    ops: Vec<TxnOp>,
    octets: usize,
}

impl Batch {
    /// Adds it; what was full before it has to be sent first.
    fn put(&mut self, key: &str, text: &str) -> Option<Txn> {
        let full = self.room(key.len() + text.len());
        self.ops.push(TxnOp::put(key, text, Some(PutOptions::new().with_lease(self.lease))));
        full
    }

    fn delete(&mut self, key: &str) -> Option<Txn> {
        let full = self.room(key.len());
        self.ops.push(TxnOp::delete(key, None));
        full
    }

    fn room(&mut self, octets: usize) -> Option<Txn> {
        let full = OPS_MAX <= self.ops.len() || (OCTETS_MAX < self.octets + octets && !self.ops.is_empty());
        let next = Self { lease: self.lease, ..Self::default() };
        let sent = full.then(|| std::mem::replace(self, next).end());
        self.octets += octets;
        sent
    }

    fn end(self) -> Txn {
        Txn::new().and_then(self.ops)
    }
}
