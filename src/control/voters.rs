//! The other nodes and their ballots, fresh or stale; who of them votes is worked out in `seats`.
//!
//! Freshness is the arrival of a higher sequence on our own monotonic clock, never the sender's clock; of a peer that has
//! fallen silent, of any other sequence than its last. A peer unheard for a day, or that a person has forgotten, is no
//! longer known.

mod said;
mod seats;

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc, time::Duration};

pub(super) use self::seats::{Company, Right};
use self::{said::Said, seats::Seats};
use super::Identity;
use crate::{
    judge::{suspect::Course, vantages::Vantage},
    model::{
        Ballot, BrakeState, EndpointId, Fleet, Known, Mono, NodeId, Now, PeerUrl, Presence, ProviderId, RegionId,
        SelfTest, Snapshot, Target, Vote, Wall,
    },
};

/// A node unheard for so long is no longer known.
pub(super) const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3600);
/// Most endpoints of which one ballot tells paths or removals; of more, the last ones are ignored.
const PATHS_MAX: usize = 100_000;
/// Most other nodes; ballots of further ones are ignored.
pub(super) const PEERS_MAX: usize = 1024;

/// The other nodes, and how all of them are counted.
#[derive(Debug)]
pub(super) struct Voters {
    me: Identity,
    peers: BTreeMap<NodeId, Peer>,
    /// Our own votes, as the others see them.
    own: Course,
    own_suspect: bool,
    company: Company,
    seats: Seats,
    /// What the others say, by slot.
    said: Said,
    /// Something was said, or somebody came or went, since suspects were looked for.
    unreviewed: bool,
    /// Our self-test when they were.
    own_test: SelfTest,
    known_regions: usize,
}

#[derive(Debug)]
pub(super) struct Peer {
    /// Its number in [`Said`].
    number: u32,
    pub region: Option<RegionId>,
    pub provider: Option<ProviderId>,
    pub self_test: SelfTest,
    /// `None` until it is heard in this process.
    sequence: Option<u64>,
    fresh_until: Mono,
    pub fresh: bool,
    pub heard: Wall,
    /// `None` until it is heard in this process.
    pub heard_mono: Option<Mono>,
    forgotten_at: Mono,
    votes: Arc<BTreeMap<Target, Vote>>,
    course: Course,
    pub suspect: bool,
    paths: Arc<BTreeMap<EndpointId, u32>>,
    brakes: Arc<BrakeState>,
    /// What its clock showed when it said so.
    clock: Mono,
    probes: bool,
    pub admin: Vec<PeerUrl>,
}

/// What of the count has changed.
#[derive(Debug, Default)]
pub(super) struct Recount {
    /// Everything.
    pub all: bool,
    /// Who counts has changed: what they speak of, at least.
    pub seats: bool,
    /// These slots.
    pub slots: Vec<usize>,
    /// Not of votes: of what fresh vantages tell of paths.
    pub paths: bool,
}

impl Peer {
    fn known(region: Option<RegionId>, provider: Option<ProviderId>, heard: Wall, forgotten_at: Mono) -> Self {
        Self {
            number: 0,
            region,
            provider,
            self_test: SelfTest::Unprovable,
            sequence: None,
            fresh_until: forgotten_at,
            fresh: false,
            heard,
            heard_mono: None,
            forgotten_at,
            votes: Arc::default(),
            course: Course::default(),
            suspect: false,
            paths: Arc::default(),
            brakes: Arc::default(),
            clock: Mono::default(),
            probes: true,
            admin: Vec::new(),
        }
    }
}

impl Voters {
    pub(super) fn new(me: Identity, known: &BTreeMap<NodeId, Known>, now: Now) -> Self {
        let (mut peers, mut said) = (BTreeMap::new(), Said::default());
        for (node, known) in known.iter().filter(|(node, _)| **node != me.node).take(PEERS_MAX) {
            let age = now.wall.since(known.heard);
            if FORGOTTEN_AFTER <= age {
                continue;
            }
            let forgotten_at = now.mono.plus(FORGOTTEN_AFTER - age);
            let peer = Peer::known(known.region.clone(), known.provider.clone(), known.heard, forgotten_at);
            let number = said.enter();
            peers.insert(node.clone(), Peer { number, admin: known.admin.clone(), ..peer });
        }
        let company = if peers.is_empty() { Company::Nobody } else { Company::Lonely };
        let (own, own_suspect) = (Course::default(), false);
        let seats = Seats::default();
        Self {
            me,
            peers,
            own,
            own_suspect,
            company,
            seats,
            said,
            unreviewed: true,
            own_test: SelfTest::Unprovable,
            known_regions: 1,
        }
    }

    /// Whether no other node is known.
    pub(super) fn is_single(&self) -> bool {
        self.peers.is_empty()
    }

    pub(super) fn knows(&self, node: &NodeId) -> bool {
        self.peers.contains_key(node)
    }

    pub(super) fn peers(&self) -> impl ExactSizeIterator<Item = (&NodeId, &Peer)> {
        self.peers.iter()
    }

    pub(super) fn known(&self) -> BTreeMap<NodeId, Known> {
        let known = |peer: &Peer| Known {
            region: peer.region.clone(),
            provider: peer.provider.clone(),
            heard: peer.heard,
            admin: peer.admin.clone(),
        };
        self.peers.iter().map(|(node, peer)| (node.clone(), known(peer))).collect()
    }

    /// A node that is there, or that a person has not forgotten yet; `None` for ourselves and for too many.
    fn peer(&mut self, now: Now, node: NodeId) -> Option<&mut Peer> {
        if node == self.me.node || (!self.peers.contains_key(&node) && self.peers.len() >= PEERS_MAX) {
            return None;
        }
        let said = &mut self.said;
        let new = || Peer { number: said.enter(), ..Peer::known(None, None, now.wall, now.mono) };
        let peer = self.peers.entry(node).or_insert_with(new);
        (peer.heard, peer.heard_mono) = (now.wall, Some(now.mono));
        peer.forgotten_at = now.mono.plus(FORGOTTEN_AFTER);
        Some(peer)
    }

    /// Takes in a peer's ballot; an older one than is held changes nothing.
    pub(super) fn hear(&mut self, now: Now, ballot: Ballot, fleet: &Fleet, recount: &mut Recount) {
        let Ballot { node, region, provider, sequence, clock, self_test, votes, mut paths, mut brakes } = ballot;
        // One that has fallen silent may have begun again with its clock put right: then any other sequence is new.
        let old = |peer: &Peer| {
            let silent = peer.fresh_until <= now.mono;
            peer.sequence.is_some_and(|held| sequence == held || (sequence < held && !silent))
        };
        if self.peers.get(&node).is_some_and(old) {
            return;
        }
        if self.peer(now, node.clone()).is_none() {
            return;
        }
        let Self { peers, said, unreviewed, .. } = self;
        let peer = peers.get_mut(&node).expect("it was made just now");
        for (target, vote) in differences(&peer.votes, &votes) {
            if let Some(slot) = slot_of(fleet, target) {
                let before = said.say(slot, peer.number, vote);
                peer.course.change(fleet, slot, before, vote);
                recount.slots.push(slot);
                *unreviewed = true;
            }
        }
        peer.course.settle(fleet, now.mono);
        // Those of endpoints that this node does not have, yet, are kept; more than there can be are not.
        while paths.len() > PATHS_MAX {
            Arc::make_mut(&mut paths).pop_last();
        }
        while brakes.left.len() > PATHS_MAX {
            Arc::make_mut(&mut brakes).left.pop_last();
        }
        let same_paths = Arc::ptr_eq(&peer.paths, &paths) || peer.paths == paths;
        recount.paths |= !peer.fresh || peer.region != region || !same_paths;
        (peer.paths, peer.brakes, peer.clock) = (paths, brakes, clock);
        let another = !peer.fresh || peer.self_test != self_test || peer.region != region || peer.provider != provider;
        recount.seats |= another;
        *unreviewed |= another;
        (peer.region, peer.provider, peer.self_test, peer.votes) = (region, provider, self_test, votes);
        (peer.sequence, peer.fresh) = (Some(sequence), true);
        peer.fresh_until = now.mono.plus(fleet.verdict.stale_after);
    }

    /// A peer is there: it is known, wherever its ballot is.
    pub(super) fn meet(&mut self, now: Now, presence: &Presence, recount: &mut Recount) {
        let Some(peer) = self.peer(now, presence.node.clone()) else { return };
        let place = (presence.region.clone(), presence.provider.clone());
        if (&peer.region, &peer.provider) != (&place.0, &place.1) || peer.probes != presence.process.probes {
            recount.seats = true;
            ((peer.region, peer.provider), peer.probes) = (place, presence.process.probes);
        }
        peer.admin.clone_from(&presence.process.admin);
    }

    /// A person took it out. It is known again if it speaks again.
    pub(super) fn forget(&mut self, node: &NodeId, recount: &mut Recount) -> bool {
        let gone = self.peers.remove(node);
        let known = gone.is_some();
        gone.into_iter().for_each(|peer| self.said.leave(peer.number));
        self.unreviewed |= known;
        recount.all |= known;
        recount.paths |= known;
        known
    }

    /// Lets ballots age.
    pub(super) fn age(&mut self, now: Mono, recount: &mut Recount) {
        let before = self.peers.len();
        let said = &mut self.said;
        self.peers.retain(|_, peer| {
            let known = now < peer.forgotten_at;
            if !known {
                said.leave(peer.number);
            }
            known
        });
        recount.all |= self.peers.len() != before;
        for peer in self.peers.values_mut().filter(|peer| peer.fresh && peer.fresh_until <= now) {
            peer.fresh = false;
            (recount.seats, recount.paths, self.unreviewed) = (true, true, true);
        }
    }

    /// When the next ballot ages.
    pub(super) fn wake_at(&self, fleet: &Fleet) -> Option<Mono> {
        let ages = self.peers.values().map(|peer| if peer.fresh { peer.fresh_until } else { peer.forgotten_at }).min();
        [ages, self.company.settles_at(fleet.verdict.stale_after)].into_iter().flatten().min()
    }

    /// Another fleet: other slots, and maybe another patience.
    pub(super) fn reload(&mut self, fleet: &Fleet) {
        self.said.clear();
        self.unreviewed = true;
        for peer in self.peers.values_mut() {
            let votes = peer.votes.iter().filter_map(|(target, vote)| Some((slot_of(fleet, target)?, *vote)));
            let votes: Vec<_> = votes.collect();
            for (slot, vote) in &votes {
                self.said.say(*slot, peer.number, Some(*vote));
            }
            peer.course.reload(fleet, votes.into_iter());
        }
    }

    /// Our own votes under another fleet.
    pub(super) fn reload_own(&mut self, fleet: &Fleet, votes: impl Iterator<Item = (usize, Vote)>) {
        self.own.reload(fleet, votes);
    }

    /// One of our own votes has changed.
    pub(super) fn say(&mut self, fleet: &Fleet, slot: usize, before: Option<Vote>, after: Option<Vote>) {
        self.own.change(fleet, slot, before, after);
        self.unreviewed = true;
    }

    /// All of our own votes of a step are said.
    pub(super) fn said(&mut self, fleet: &Fleet, now: Mono) {
        self.own.settle(fleet, now);
        self.unreviewed = true;
    }

    /// What came of the brakes of those that are heard, if at least half of the others are.
    pub(super) fn brakes(&self) -> Option<Vec<(Arc<BrakeState>, Mono)>> {
        let fresh = self.peers.values().filter(|peer| peer.fresh);
        let fresh: Vec<_> = fresh.map(|peer| (Arc::clone(&peer.brakes), peer.clock)).collect();
        (!fresh.is_empty() && self.peers.len() <= fresh.len() * 2).then_some(fresh)
    }

    /// What each fresh node with a region tells of paths.
    pub(super) fn paths(&self) -> impl Iterator<Item = (&RegionId, &BTreeMap<EndpointId, u32>)> {
        let fresh = self.peers.values().filter(|peer| peer.fresh);
        fresh.filter_map(|peer| Some((peer.region.as_ref()?, peer.paths.as_ref())))
    }

    /// Those that share the probing: whoever is fresh and probes. A process that starts counts on whom it remembers.
    pub(super) fn vantages(&self, remembered: bool) -> impl Iterator<Item = Vantage> {
        let there = self.peers.iter().filter(move |(_, peer)| peer.probes && (peer.fresh || remembered));
        there.map(|(node, peer)| Vantage {
            node: node.clone(),
            region: peer.region.clone(),
            provider: peer.provider.clone(),
        })
    }
}

fn slot_of(fleet: &Fleet, target: &Target) -> Option<usize> {
    Some(Snapshot::slot(fleet.find_subject(&target.subject)?, target.family))
}

/// What changed from one ballot to the next, by walking both in order; nothing has to be walked of what they share.
fn differences<'b>(
    before: &'b Arc<BTreeMap<Target, Vote>>,
    after: &'b Arc<BTreeMap<Target, Vote>>,
) -> Vec<(&'b Target, Option<Vote>)> {
    if Arc::ptr_eq(before, after) {
        return Vec::new();
    }
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    let mut found = Vec::new();
    while let (Some((target, was)), Some((other, vote))) = (old.peek(), new.peek()) {
        match target.cmp(other) {
            Ordering::Less => {
                found.push((*target, None));
                old.next();
            }
            Ordering::Greater => {
                found.push((*other, Some(**vote)));
                new.next();
            }
            Ordering::Equal => {
                if was != vote {
                    found.push((*target, Some(**vote)));
                }
                old.next();
                new.next();
            }
        }
    }
    found.extend(old.map(|(target, _)| (target, None)));
    found.extend(new.map(|(target, vote)| (target, Some(*vote))));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Family, SubjectId};

    const UP: Vote = Vote::Up { degraded: false, wavers: false };

    fn target(endpoint: &str) -> Target {
        let subject = SubjectId { endpoint: endpoint.parse().unwrap(), check: "web".parse().unwrap() };
        Target { subject, family: Family::V4 }
    }

    fn votes(of: &[(&str, Vote)]) -> Arc<BTreeMap<Target, Vote>> {
        Arc::new(of.iter().map(|(endpoint, vote)| (target(endpoint), *vote)).collect())
    }

    #[test]
    fn what_differs_between_ballots_is_found_whether_they_share_texts_or_not() {
        let check = |before: &[(&str, Vote)], after: &[(&str, Vote)], expected: &[(&str, Option<Vote>)]| {
            let expected: Vec<_> = expected.iter().map(|(endpoint, vote)| (target(endpoint), *vote)).collect();
            let (before, parsed) = (votes(before), votes(after));
            let mut edited = Arc::clone(&before);
            let map = Arc::make_mut(&mut edited);
            map.retain(|target, _| parsed.contains_key(target));
            map.extend(parsed.iter().map(|(target, vote)| (target.clone(), *vote)));
            for after in [&parsed, &edited] {
                let found = differences(&before, after).into_iter().map(|(target, vote)| (target.clone(), vote));
                assert_eq!(found.collect::<Vec<_>>(), expected, "{before:?} {after:?}");
            }
        };
        check(&[], &[], &[]);
        check(&[("b", UP)], &[("b", UP)], &[]);
        check(&[("b", UP)], &[("b", Vote::Down)], &[("b", Some(Vote::Down))]);
        check(&[("b", UP)], &[("a", UP), ("b", UP), ("c", UP)], &[("a", Some(UP)), ("c", Some(UP))]);
        check(&[("a", UP), ("b", UP), ("c", UP)], &[("b", UP)], &[("a", None), ("c", None)]);
        check(&[("a", UP)], &[("b", UP)], &[("a", None), ("b", Some(UP))]);
        check(&[("b", UP)], &[("a", UP)], &[("a", Some(UP)), ("b", None)]);
    }
}
