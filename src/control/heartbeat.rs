//! This node's own presence: what it says of itself, when, and whether it comes back through the store.
//!
//! Only a process that has been introduced speaks, and only one that speaks can miss its own voice: an embedded store has
//! nobody to carry it to.

use std::time::Duration;

use super::{Controller, publish::gap};
use crate::model::{ADMIN_ADDRESSES_MAX, Applied, Mono, Now, Presence, Process};

/// Its own heartbeat not back for this long, a node is detached (DECIDING section 4).
pub(super) const ECHO_WITHIN: Duration = Duration::from_secs(8);
/// Not back for this long, it is overdue: two of them in a row are missing.
const OVERDUE_AFTER: Duration = Duration::from_secs(5);
/// Shortest time between two presences; changes in between go out together.
const GAP: Duration = Duration::from_millis(250);
/// Longest time between two presences, if a quarter of `stale_after` is not shorter.
const RENEWAL_MAX: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    process: Option<Process>,
    sequence: u64,
    published: Option<Mono>,
    /// As last published.
    said: Option<Presence>,
    /// The last one that came back.
    echoed: u64,
    /// When it did; when the first one was published, before that.
    back: Option<Mono>,
}

impl Heartbeat {
    /// Sequences go on from the time of day, so that a restarted node is heard at once.
    pub(super) fn new(now: Now) -> Self {
        Self { sequence: now.wall.0, echoed: now.wall.0, ..Self::default() }
    }

    /// Whether this process may write to the store that it shares.
    pub(super) fn takes_orders(&mut self, takes: bool) {
        if let Some(process) = &mut self.process {
            process.orders = takes;
        }
    }

    pub(super) fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// One of ours came back; an older one proves nothing.
    pub(super) fn echo(&mut self, sequence: u64, now: Mono) {
        if self.echoed < sequence && sequence <= self.sequence {
            (self.echoed, self.back) = (sequence, Some(now));
        }
    }

    /// When it has been away too long, if nothing else comes back.
    pub(super) fn lost_at(&self) -> Option<Mono> {
        Some(self.back?.plus(ECHO_WITHIN))
    }
}

impl Controller {
    /// Whether its own heartbeat should have come back by now: peers are asked directly, so that no ballot is stale when
    /// the node calls itself detached.
    #[must_use]
    pub fn overdue(&self, now: Mono) -> bool {
        self.heartbeat.back.is_some_and(|back| back.plus(OVERDUE_AFTER) <= now)
    }

    /// What this process is: from now on the node says of itself that it is there, in [`super::Step::presence`]. For a
    /// node whose store it shares with others.
    pub fn introduce(&mut self, mut process: Process) {
        process.admin.truncate(ADMIN_ADDRESSES_MAX);
        self.heartbeat.process = Some(process);
    }

    /// The presence, if it is due.
    pub(super) fn presence(&mut self, now: Now) -> Option<Presence> {
        let stale_after = self.slots.fleet.verdict.stale_after;
        let process = self.heartbeat.process.clone()?;
        if now.mono < self.presence_at(now.mono, stale_after)? {
            return None;
        }
        let heartbeat = &mut self.heartbeat;
        heartbeat.sequence += 1;
        heartbeat.published = Some(now.mono);
        heartbeat.back.get_or_insert(now.mono);
        let presence = Presence {
            node: self.me.node.clone(),
            region: self.me.region.clone(),
            provider: self.me.provider.clone(),
            process,
            sequence: heartbeat.sequence,
            mode: self.mode,
            applied: Applied { epoch: self.durable.epoch.clone(), generation: self.durable.generation },
            digest: self.snapshot.digest,
            fleet: self.slots.fleet.digest,
            clock: now.wall,
            self_test: self.self_test,
        };
        heartbeat.said = Some(presence.clone());
        Some(presence)
    }

    /// When the next one is due.
    pub(super) fn presence_at(&self, now: Mono, stale_after: Duration) -> Option<Mono> {
        self.heartbeat.process()?;
        let Some(last) = self.heartbeat.published else { return Some(now) };
        let gap = gap(GAP, self.voters.peers().len());
        let pause = if self.says_the_same() { RENEWAL_MAX.min(stale_after / 4).max(gap) } else { gap };
        Some(last.plus(pause))
    }

    fn says_the_same(&self) -> bool {
        self.heartbeat.said.as_ref().is_some_and(|said| {
            (said.mode, said.self_test, said.digest) == (self.mode, self.self_test, self.snapshot.digest)
                && said.applied.generation == self.durable.generation
                && said.applied.epoch == self.durable.epoch
                && Some(&said.process) == self.heartbeat.process()
        })
    }
}
