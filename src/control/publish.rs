//! This node's ballot: what it says, and when it is said again.
//!
//! A change is published at once, but not more often than every [`gap`], so that a storm of results costs a few ballots
//! and not thousands; without a change it is renewed, because freshness is the arrival of a higher sequence. What is
//! large in a ballot is shared with the one before until it changes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::Identity;
use crate::model::{Ballot, BrakeState, EndpointId, Mono, Now, SelfTest, Target, Vote};

/// Shortest time between two ballots; changes in between go out together.
pub(super) const GAP: Duration = Duration::from_millis(100);
/// Each other node makes the shortest time longer by this, because each hears what all others say; up to [`GAP_MAX`].
const GAP_PER_PEER: Duration = Duration::from_millis(5);
const GAP_MAX: Duration = Duration::from_secs(1);
/// Longest time between two ballots, if a quarter of `stale_after` is not shorter.
pub(super) const RENEWAL_MAX: Duration = Duration::from_secs(2);

/// Shortest time between two words of a node that so many others hear, where it is `least` for few.
pub(super) fn gap(least: Duration, peers: usize) -> Duration {
    let peers = u32::try_from(peers).unwrap_or(u32::MAX);
    least.max(GAP_PER_PEER.saturating_mul(peers).min(GAP_MAX))
}

#[derive(Debug)]
pub(super) struct Publisher {
    sequence: u64,
    published: Option<Mono>,
    changed: bool,
    self_test: SelfTest,
    votes: Arc<BTreeMap<Target, Vote>>,
    paths: Arc<BTreeMap<EndpointId, u32>>,
    brakes: Arc<BrakeState>,
}

impl Publisher {
    /// Sequences go on from the time of day, so that a restarted node is heard at once.
    pub(super) fn new(now: Now) -> Self {
        Self {
            sequence: now.wall.0,
            published: None,
            changed: true,
            self_test: SelfTest::Unprovable,
            votes: Arc::default(),
            paths: Arc::default(),
            brakes: Arc::default(),
        }
    }

    pub(super) fn vote(&mut self, target: &Target, vote: Option<Vote>) {
        if self.votes.get(target).copied() == vote {
            return;
        }
        let votes = Arc::make_mut(&mut self.votes);
        match vote {
            Some(vote) => votes.insert(target.clone(), vote),
            None => votes.remove(target),
        };
        self.changed = true;
    }

    /// Path times, which go out with whatever goes out next.
    pub(super) fn paths(&self) -> &BTreeMap<EndpointId, u32> {
        &self.paths
    }

    pub(super) fn path(&mut self, endpoint: EndpointId, path: u32) {
        Arc::make_mut(&mut self.paths).insert(endpoint, path);
    }

    /// Forgets what no longer exists.
    pub(super) fn retain(&mut self, exists: impl Fn(&Target) -> bool, has_endpoint: impl Fn(&EndpointId) -> bool) {
        let before = self.votes.len();
        Arc::make_mut(&mut self.votes).retain(|target, _| exists(target));
        self.changed |= self.votes.len() != before;
        Arc::make_mut(&mut self.paths).retain(|endpoint, _| has_endpoint(endpoint));
    }

    pub(super) fn test(&mut self, own: SelfTest) {
        self.changed |= self.self_test != own;
        self.self_test = own;
    }

    /// Our own ballot came back: after a start with a clock that was set back, peers know a higher sequence, and go on
    /// ignoring us until ours is higher again.
    pub(super) fn echo(&mut self, sequence: u64) {
        if self.sequence < sequence {
            self.sequence = sequence;
            self.changed = true;
        }
    }

    /// The ballot, if it is due.
    pub(super) fn due(
        &mut self,
        now: Mono,
        (stale_after, peers): (Duration, usize),
        me: &Identity,
        brakes: impl FnOnce() -> BrakeState,
    ) -> Option<Ballot> {
        if now < self.wake_at(stale_after, peers) {
            return None;
        }
        let brakes = brakes();
        if *self.brakes != brakes {
            self.brakes = Arc::new(brakes);
        }
        self.sequence = self.sequence.saturating_add(1);
        (self.published, self.changed) = (Some(now), false);
        Some(Ballot {
            node: me.node.clone(),
            region: me.region.clone(),
            provider: me.provider.clone(),
            sequence: self.sequence,
            clock: now,
            self_test: self.self_test,
            votes: Arc::clone(&self.votes),
            paths: Arc::clone(&self.paths),
            brakes: Arc::clone(&self.brakes),
        })
    }

    pub(super) fn wake_at(&self, stale_after: Duration, peers: usize) -> Mono {
        let gap = gap(GAP, peers);
        let pause = if self.changed { gap } else { RENEWAL_MAX.min(stale_after / 4).max(gap) };
        self.published.map_or(Mono(0), |last| last.plus(pause))
    }
}
