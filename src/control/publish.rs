//! This node's ballot: what it says, and when it is said again.
//!
//! A change is published at once, but not more often than every [`GAP`], so that a storm of results costs a few ballots
//! and not thousands; without a change it is renewed, because freshness is the arrival of a higher sequence.

use std::{collections::BTreeMap, time::Duration};

use super::Identity;
use crate::model::{Ballot, BrakeState, EndpointId, Mono, Now, SelfTest, Target, Vote};

/// Shortest time between two ballots; changes in between go out together.
pub(super) const GAP: Duration = Duration::from_millis(100);
/// Longest time between two ballots, if a quarter of `stale_after` is not shorter.
pub(super) const RENEWAL_MAX: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Publisher {
    sequence: u64,
    published: Option<Mono>,
    changed: bool,
    self_test: SelfTest,
    votes: BTreeMap<Target, Vote>,
    /// Go out with whatever goes out next.
    pub paths: BTreeMap<EndpointId, u32>,
}

impl Publisher {
    /// Sequences go on from the time of day, so that a restarted node is heard at once.
    pub(super) fn new(now: Now) -> Self {
        Self {
            sequence: now.wall.0,
            published: None,
            changed: true,
            self_test: SelfTest::Unprovable,
            votes: BTreeMap::new(),
            paths: BTreeMap::new(),
        }
    }

    pub(super) fn vote(&mut self, target: &Target, vote: Option<Vote>) {
        let before = match vote {
            Some(vote) => self.votes.insert(target.clone(), vote),
            None => self.votes.remove(target),
        };
        self.changed |= before != vote;
    }

    /// Forgets what no longer exists.
    pub(super) fn retain(&mut self, exists: impl Fn(&Target) -> bool) {
        let before = self.votes.len();
        self.votes.retain(|target, _| exists(target));
        self.changed |= self.votes.len() != before;
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
        stale_after: Duration,
        me: &Identity,
        brakes: impl FnOnce() -> BrakeState,
    ) -> Option<Ballot> {
        if now < self.wake_at(stale_after) {
            return None;
        }
        self.sequence = self.sequence.saturating_add(1);
        (self.published, self.changed) = (Some(now), false);
        Some(Ballot {
            node: me.node.clone(),
            region: me.region.clone(),
            provider: me.provider.clone(),
            sequence: self.sequence,
            self_test: self.self_test,
            votes: self.votes.clone(),
            paths: self.paths.clone(),
            brakes: brakes(),
        })
    }

    pub(super) fn wake_at(&self, stale_after: Duration) -> Mono {
        let pause = if self.changed { GAP } else { RENEWAL_MAX.min(stale_after / 4).max(GAP) };
        self.published.map_or(Mono(0), |last| last.plus(pause))
    }
}
