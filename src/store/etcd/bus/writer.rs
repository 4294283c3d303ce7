//! Publishes this node's ballot: the newest there is, as often as [`GAP`] allows.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use etcd_client::{PutOptions, Txn, TxnOp};
use tokio::time::{Instant, sleep};

use crate::model::{Ballot, NodeId};

use super::{
    super::{
        super::{records::PresenceRecord, sum},
        core::Core,
        keys::Piece,
        line::{Code, READ_DEADLINE, Trouble},
        watcher::Pause,
    },
    LeasedBus,
    parts::{self, Part},
};

/// Ballots are not written more often than this; a change waits that long at most.
const GAP: Duration = Duration::from_millis(250);
/// Path times change with every probe: they are written this often at most.
const PATHS_EVERY: Duration = Duration::from_secs(30);
/// The lease lasts this long without a ballot, in seconds.
const LEASE_S: i64 = 20;
/// And is renewed this often while there are ballots.
const RENEW_EVERY: Duration = Duration::from_secs(5);
/// Most operations and octets of one transaction; etcd takes 128 and 1.5 MiB.
const OPS_MAX: usize = 100;
const OCTETS_MAX: usize = 1 << 20;

/// What stands in etcd of ours, under which lease.
struct Published {
    boot: String,
    lease: Option<(i64, Instant)>,
    /// The sum of each part.
    pieces: BTreeMap<String, String>,
    /// Path times as they stand, and since when.
    paths: Option<(Vec<Part>, Instant)>,
}

/// Publishes until it is dropped.
pub(in super::super) async fn run(core: Arc<Core>, bus: Arc<LeasedBus>) {
    let boot = sum(&format!("{:032x}", fastrand::u128(..)))[..16].to_owned();
    let mut published = Published { boot, lease: None, pieces: BTreeMap::new(), paths: None };
    let mut slot = bus.out.subscribe();
    // What was published before this began is not sent yet.
    slot.mark_changed();
    let mut pause = Pause::default();
    while slot.changed().await.is_ok() {
        let Some(ballot) = slot.borrow_and_update().clone() else { continue };
        bus.sent(ballot.sequence, Instant::now());
        match published.publish(&core, &ballot).await {
            Ok(()) => {
                pause.reset();
                sleep(GAP).await;
            }
            Err(trouble) => {
                if matches!(trouble, Trouble::Refused(Code::NotFound, _)) {
                    // The lease has ended, and with it all that hung on it.
                    published.forget();
                }
                tracing::debug!(why = trouble.why(), "this node's ballot was not published");
                sleep(pause.next()).await;
                // The same again, if there is none newer by now.
                slot.mark_changed();
            }
        }
    }
}

impl Published {
    fn forget(&mut self) {
        (self.lease, self.paths) = (None, None);
        self.pieces.clear();
    }

    async fn publish(&mut self, core: &Core, ballot: &Ballot) -> Result<(), Trouble> {
        let lease = self.lease(core).await?;
        let now = Instant::now();
        let votes = parts::votes(ballot);
        if self.paths.as_ref().is_none_or(|(_, since)| PATHS_EVERY <= now.duration_since(*since)) {
            self.paths = Some((parts::paths(&ballot.paths), now));
        }
        let paths = self.paths.as_ref().map_or(&[][..], |(paths, _)| paths);
        let sums = |parts: &[Part]| parts.iter().map(|part| part.sum.clone()).collect::<Vec<_>>();
        let presence = PresenceRecord::new(ballot, &self.boot, sums(&votes), sums(paths)).text();

        let named = votes.iter().enumerate().map(|(at, part)| (Piece::Votes(at), part));
        let named = named.chain(paths.iter().enumerate().map(|(at, part)| (Piece::Paths(at), part)));
        let wanted: Vec<(String, &Part)> =
            named.map(|(piece, part)| (core.keys.piece(&ballot.node, &piece), part)).collect();
        let options = || Some(PutOptions::new().with_lease(lease));
        let mut batch = Batch::default();
        for (key, part) in wanted.iter().filter(|(key, part)| self.pieces.get(key) != Some(&part.sum)) {
            if let Some(full) = batch.put(key, &part.text, options()) {
                core.line.txn(full).await?;
            }
        }
        let keep: BTreeMap<String, String> = wanted.iter().map(|(key, part)| (key.clone(), part.sum.clone())).collect();
        for key in self.pieces.keys().filter(|key| !keep.contains_key(*key)) {
            if let Some(full) = batch.delete(key) {
                core.line.txn(full).await?;
            }
        }
        // Last: with it the ballot is complete.
        let presence_key = self.presence(core, &ballot.node);
        if let Some(full) = batch.put(&presence_key, &presence, options()) {
            core.line.txn(full).await?;
        }
        core.line.txn(batch.end()).await?;
        self.pieces = keep;
        Ok(())
    }

    fn presence(&self, core: &Core, node: &NodeId) -> String {
        core.keys.piece(node, &Piece::Presence)
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

/// Operations up to what one transaction takes.
#[derive(Default)]
struct Batch {
    ops: Vec<TxnOp>,
    octets: usize,
}

impl Batch {
    /// Adds it; what was full before it has to be sent first.
    fn put(&mut self, key: &str, text: &str, options: Option<PutOptions>) -> Option<Txn> {
        let full = self.room(key.len() + text.len());
        self.ops.push(TxnOp::put(key, text, options));
        full
    }

    fn delete(&mut self, key: &str) -> Option<Txn> {
        let full = self.room(key.len());
        self.ops.push(TxnOp::delete(key, None));
        full
    }

    fn room(&mut self, octets: usize) -> Option<Txn> {
        let full = OPS_MAX <= self.ops.len() || (OCTETS_MAX < self.octets + octets && !self.ops.is_empty());
        let sent = full.then(|| std::mem::take(self).end());
        self.octets += octets;
        sent
    }

    fn end(self) -> Txn {
        Txn::new().and_then(self.ops)
    }
}
