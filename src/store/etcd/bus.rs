//! Ballots in etcd, under a lease of their node: lossy by contract, and dropped by etcd when the node is gone.
//!
//! A ballot is a record, written each time, and parts, written when they change ([`super::super::ballots`]). Readers hand over
//! whatever is complete; what counts as fresh is theirs to say, by the arrival of a higher sequence: a lease that still
//! stands proves nothing, because etcd lets leases begin anew when it has been away.
//!
//! What this node published must come back to it: that proves the way out, the quorum and the way in at once. If it does
//! not for [`LOOPBACK_MAX`], the member that is asked is left for the next.

mod reader;
mod writer;

pub(super) use self::{reader::run as read, writer::run as write};

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use crate::model::{Ballot, Presence};

use super::super::{BallotBus, Voices};

/// A node's ballot that did not come back to it for this long: the store is out of reach, whatever it looks like.
pub const LOOPBACK_MAX: Duration = Duration::from_secs(8);
/// Most nodes that are heard. Further ones are left out, and a person is told.
pub const NODES_MAX: usize = 1_000;

/// etcd behind [`BallotBus`].
#[derive(Debug)]
pub struct LeasedBus {
    /// One slot: what was not sent yet is replaced by what is newer.
    out: watch::Sender<Out>,
    voices: watch::Sender<Arc<Voices>>,
    loopback: Mutex<Loopback>,
    heard: watch::Sender<bool>,
}

/// What goes out: the newest of each.
#[derive(Debug, Clone, Default)]
struct Out {
    ballot: Option<Arc<Ballot>>,
    presence: Option<Arc<Presence>>,
}

/// What of ours is under way.
#[derive(Debug, Default)]
struct Loopback {
    /// The oldest that has not come back, and since when it is under way.
    under_way: Option<(u64, Instant)>,
    /// What came back as the newest, and was not whole.
    torn: Option<u64>,
}

impl Default for LeasedBus {
    fn default() -> Self {
        Self {
            out: watch::Sender::default(),
            voices: watch::Sender::new(Arc::default()),
            loopback: Mutex::default(),
            heard: watch::Sender::new(false),
        }
    }
}

impl LeasedBus {
    /// Whether what this node published came back to it within [`LOOPBACK_MAX`]: it is connected.
    #[must_use]
    pub fn heard(&self) -> watch::Receiver<bool> {
        self.heard.subscribe()
    }

    /// This goes out now.
    fn sent(&self, sequence: u64, now: Instant) {
        self.loopback.lock().unwrap_or_else(PoisonError::into_inner).under_way.get_or_insert((sequence, now));
    }

    /// This came back.
    fn back(&self, sequence: u64) {
        let mut loopback = self.loopback.lock().unwrap_or_else(PoisonError::into_inner);
        if loopback.under_way.is_some_and(|(sent, _)| sent <= sequence) {
            loopback.under_way = None;
            self.say(true);
        }
    }

    /// Our newest came back with parts missing, or with others than we wrote.
    fn tear(&self, sequence: u64) {
        self.loopback.lock().unwrap_or_else(PoisonError::into_inner).torn = Some(sequence);
    }

    /// Whether what stands is torn, if `written` was the last that was written whole. One that is under way, part by
    /// part, looks torn beside the record before it, and is not.
    fn is_torn(&self, written: u64) -> bool {
        let mut loopback = self.loopback.lock().unwrap_or_else(PoisonError::into_inner);
        loopback.torn.take() == Some(written)
    }

    /// Whether too long nothing has come back; it is asked again only after as long.
    fn silent(&self, now: Instant) -> bool {
        let mut loopback = self.loopback.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, since)) = &mut loopback.under_way else { return false };
        if now.duration_since(*since) < LOOPBACK_MAX {
            return false;
        }
        *since = now;
        self.say(false);
        true
    }

    fn say(&self, heard: bool) {
        self.heard.send_if_modified(|known| std::mem::replace(known, heard) != heard);
    }
}

impl BallotBus for LeasedBus {
    fn publish(&self, ballot: Ballot) {
        self.out.send_modify(|out| out.ballot = Some(Arc::new(ballot)));
    }

    fn introduce(&self, presence: Presence) {
        self.out.send_modify(|out| out.presence = Some(Arc::new(presence)));
    }

    fn watch(&self) -> watch::Receiver<Arc<Voices>> {
        self.voices.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_whole_can_be_torn() {
        let bus = LeasedBus::default();
        assert!(!bus.is_torn(7));
        bus.tear(7);
        assert!(!bus.is_torn(8), "the next was under way");
        assert!(!bus.is_torn(7), "it was looked at");
        bus.tear(8);
        assert!(bus.is_torn(8));
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_come_back_is_noticed_once_each_time() {
        let bus = LeasedBus::default();
        assert!(!bus.silent(Instant::now()), "nothing is under way");
        bus.sent(7, Instant::now());
        tokio::time::advance(Duration::from_secs(2)).await;
        bus.sent(8, Instant::now());
        bus.back(6);
        assert!(!*bus.heard().borrow(), "an older one proves nothing");
        bus.back(7);
        assert!(*bus.heard().borrow());
        bus.sent(9, Instant::now());
        tokio::time::advance(LOOPBACK_MAX).await;
        assert!(bus.silent(Instant::now()) && !*bus.heard().borrow());
        assert!(!bus.silent(Instant::now()), "the next member has its time");
        bus.back(9);
        assert!(*bus.heard().borrow());
    }
}
