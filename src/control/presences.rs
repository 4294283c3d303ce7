//! What the others say of themselves: whether they answer as we do, and what their clocks show.
//!
//! Sequences go on from life to life; one that lives again with a clock that was set back is heard when what its life
//! before said is stale. What comes late from a life before is no news.
//!
//! Clock offsets are the largest of the last few, because a presence is only ever late: the fastest tells most (as in
//! NTP's minimum filter). They are kept against our monotonic clock, so that a jump of our own time of day shows at once.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use super::Controller;
use crate::model::{Agreement, Digest, Mono, NodeId, NodeSeen, Now, Presence};

/// Digests may differ for this long: orders and votes do not reach all at once.
pub(super) const DISAGREES_AFTER: Duration = Duration::from_secs(30);
/// A clock further off than this is told.
pub(super) const CLOCK_SUSPECT_MS: u64 = 5_000;
/// Presences of which the clock is remembered.
const CLOCKS: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Presences(BTreeMap<NodeId, Heard>);

#[derive(Debug)]
struct Heard {
    last: Presence,
    fresh_until: Mono,
    /// Its clock minus our monotonic one.
    clocks: VecDeque<i64>,
    agreement: Agreement,
}

impl Presences {
    /// Takes in a presence; whether it is news.
    pub(super) fn hear(&mut self, now: Now, presence: Presence, stale_after: Duration) -> bool {
        let fresh_until = now.mono.plus(stale_after);
        let clock = signed(presence.clock.0).saturating_sub(signed(now.mono.0));
        let Some(heard) = self.0.get_mut(&presence.node) else {
            let (node, clocks) = (presence.node.clone(), VecDeque::from([clock]));
            let heard = Heard { last: presence, fresh_until, clocks, agreement: Agreement::Unheard };
            self.0.insert(node, heard);
            return true;
        };
        let another = presence.process.boot != heard.last.process.boot;
        let silent = heard.fresh_until <= now.mono;
        let news = heard.last.sequence < presence.sequence || (another && silent);
        if !news {
            return false;
        }
        if another {
            heard.clocks.clear();
        }
        heard.clocks.push_back(clock);
        heard.clocks.drain(..heard.clocks.len().saturating_sub(CLOCKS));
        (heard.last, heard.fresh_until) = (presence, fresh_until);
        true
    }

    /// Forgets whoever is not known any more, and compares the others with ourselves.
    pub(super) fn compare(&mut self, now: Mono, own: Digest, fleet: Digest, knows: impl Fn(&NodeId) -> bool) {
        self.0.retain(|node, _| knows(node));
        for heard in self.0.values_mut() {
            let since = heard.agreement.apart_since().unwrap_or(now);
            heard.agreement = match () {
                () if heard.fresh_until <= now => Agreement::Unheard,
                () if heard.last.digest == own => Agreement::Agrees,
                () if heard.last.fleet == fleet => Agreement::Differs { since },
                () => Agreement::OtherFleet { since },
            };
        }
    }

    /// Those that have not agreed for long: with other verdicts, and with another configuration.
    pub(super) fn apart(&self, now: Mono) -> [Vec<&NodeId>; 2] {
        let long = |since: Mono| since.plus(DISAGREES_AFTER) <= now;
        let of = |fits: &dyn Fn(Agreement) -> bool| {
            self.0.iter().filter(|(_, heard)| fits(heard.agreement)).map(|(node, _)| node).collect()
        };
        [
            of(&|agreement| matches!(agreement, Agreement::Differs { since } if long(since))),
            of(&|agreement| matches!(agreement, Agreement::OtherFleet { since } if long(since))),
        ]
    }

    /// By how much most of the others' clocks are ahead of ours, in milliseconds: the median of those fresh. The first
    /// presence of a node may have lain in the store for as long as nobody could write there, and tells nothing yet.
    pub(super) fn clock_offset(&self, now: Now) -> Option<i64> {
        let fresh = self.0.values().filter(|heard| now.mono < heard.fresh_until && 1 < heard.clocks.len());
        let mut offsets: Vec<i64> = fresh.filter_map(|heard| heard.offset(now)).collect();
        offsets.sort_unstable();
        offsets.get(offsets.len().saturating_sub(1) / 2).copied()
    }

    /// When one of them ages, or has not agreed for long.
    pub(super) fn wake_at(&self, now: Mono) -> Option<Mono> {
        let ages = self.0.values().map(|heard| heard.fresh_until);
        let apart = self.0.values().filter_map(|heard| Some(heard.agreement.apart_since()?.plus(DISAGREES_AFTER)));
        ages.chain(apart).filter(|at| now < *at).min()
    }
}

impl Heard {
    fn offset(&self, now: Now) -> Option<i64> {
        let own = signed(now.wall.0).saturating_sub(signed(now.mono.0));
        Some(self.clocks.iter().max()?.saturating_sub(own))
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

impl Controller {
    /// Every other node that is known, as this one sees it.
    #[must_use]
    pub fn nodes(&self, now: Now) -> Vec<NodeSeen> {
        let seen = self.voters.peers().map(|(node, peer)| {
            let heard = self.presences.0.get(node);
            let votes = self.voters.counts(node);
            NodeSeen {
                node: node.clone(),
                region: peer.region.clone(),
                provider: peer.provider.clone(),
                heard: peer.heard,
                heard_mono: peer.heard_mono,
                votes,
                suspect: peer.suspect || (peer.fresh && !votes && !self.voters.company().is_alone()),
                presence: heard.map(|heard| heard.last.clone()),
                clock_offset_ms: heard.and_then(|heard| heard.offset(now)),
                agreement: heard.map(|heard| heard.agreement).unwrap_or_default(),
                admin: peer.admin.clone(),
            }
        });
        seen.collect()
    }
}
