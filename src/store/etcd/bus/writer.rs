//! Publishes this node's ballot and what it says of itself: the newest there is, as often as [`GAP`] allows.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use etcd_client::{PutOptions, Txn, TxnOp};
use tokio::time::{Instant, sleep};

use crate::model::{Ballot, Presence};

use super::{
    super::{
        super::{
            records::{BallotRecord, Parts, PresenceRecord},
            sum,
        },
        core::Core,
        keys::{Kind, Piece},
        line::{Code, READ_DEADLINE, Trouble},
        watcher::Pause,
    },
    LeasedBus, Out,
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
    /// Sequences of the ballot and the presence.
    said: [Option<u64>; 2],
    /// Path times as they stand, and since when.
    paths: Option<(Vec<Part>, Instant)>,
}

/// Publishes until it is dropped.
pub(in super::super) async fn run(core: Arc<Core>, bus: Arc<LeasedBus>) {
    let boot = sum(&format!("{:032x}", fastrand::u128(..)))[..16].to_owned();
    let mut published = Published { boot, lease: None, pieces: BTreeMap::new(), said: [None; 2], paths: None };
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
        match published.publish(&core, &out).await {
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
        (self.lease, self.paths, self.said) = (None, None, [None; 2]);
        self.pieces.clear();
    }

    async fn publish(&mut self, core: &Core, out: &Out) -> Result<(), Trouble> {
        let lease = self.lease(core).await?;
        let said = [out.ballot.as_ref().map(|ballot| ballot.sequence), out.presence.as_ref().map(|p| p.sequence)];
        if let Some(presence) = out.presence.as_deref().filter(|_| said[1] != self.said[1]) {
            self.introduce(core, presence, lease).await?;
            self.said[1] = said[1];
        }
        if let Some(ballot) = out.ballot.as_deref().filter(|_| said[0] != self.said[0]) {
            self.vote(core, ballot, lease).await?;
            self.said[0] = said[0];
        }
        Ok(())
    }

    async fn introduce(&self, core: &Core, presence: &Presence, lease: i64) -> Result<(), Trouble> {
        let mut batch = Batch::default();
        let key = core.keys.piece(&presence.node, &Piece::Presence);
        batch.put(&key, &PresenceRecord::text(presence), Some(PutOptions::new().with_lease(lease)));
        core.line.txn(batch.end()).await.map(drop)
    }

    async fn vote(&mut self, core: &Core, ballot: &Ballot, lease: i64) -> Result<(), Trouble> {
        let now = Instant::now();
        let fresh = parts::of(ballot);
        if self.paths.as_ref().is_none_or(|(_, since)| PATHS_EVERY <= now.duration_since(*since)) {
            self.paths = Some((fresh.paths.clone(), now));
        }
        let paths = self.paths.as_ref().map(|(paths, _)| paths.clone()).unwrap_or_default();
        let parts = Parts { paths, ..fresh };
        let record = BallotRecord::new(ballot, &self.boot, parts.map(|part| part.sum.clone())).text();

        let kinds = Kind::ALL.into_iter().zip(parts.kinds());
        let named = kinds.flat_map(|(kind, parts)| parts.iter().enumerate().map(move |(at, part)| (kind, at, part)));
        let wanted: Vec<(String, &Part)> =
            named.map(|(kind, at, part)| (core.keys.piece(&ballot.node, &Piece::Part(kind, at)), part)).collect();
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
        let key = core.keys.piece(&ballot.node, &Piece::Ballot);
        if let Some(full) = batch.put(&key, &record, options()) {
            core.line.txn(full).await?;
        }
        core.line.txn(batch.end()).await?;
        self.pieces = keep;
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
