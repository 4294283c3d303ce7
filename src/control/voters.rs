//! Who votes: this node and the ballots of the others, fresh or stale.
//!
//! Freshness is the arrival of a higher sequence on our own monotonic clock, never the sender's clock; of a peer that
//! has fallen silent, of any other sequence than its last. A peer unheard
//! for a day is no longer known. A peer whose self-test failed does not vote while a fresh node's has passed: its own
//! network is the likelier fault (DECIDING section 3, suspects).

use std::{collections::BTreeMap, time::Duration};

use super::Identity;
use crate::{
    judge::quorum::{ProviderKey, RegionKey, Voice},
    model::{
        Ballot, EndpointId, Fleet, Known, Mono, NodeId, Now, ProviderId, RegionId, SelfTest, Snapshot, Target, Vote,
        Wall,
    },
};

/// A node unheard for so long is no longer known.
pub(super) const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3600);
/// Most endpoints of which one ballot tells paths; of more, the last ones are ignored.
const PATHS_MAX: usize = 100_000;
/// Most other nodes; ballots of further ones are ignored.
pub(super) const PEERS_MAX: usize = 1024;

/// The other nodes, and how all of them are counted.
#[derive(Debug)]
pub(super) struct Voters {
    me: Identity,
    peers: BTreeMap<NodeId, Peer>,
    seats: Vec<Seat>,
    known_regions: usize,
}

#[derive(Debug)]
struct Peer {
    region: Option<RegionId>,
    provider: Option<ProviderId>,
    self_test: SelfTest,
    /// `None` until it is heard in this process.
    sequence: Option<u64>,
    fresh_until: Mono,
    fresh: bool,
    heard: Wall,
    forgotten_at: Mono,
    votes: BTreeMap<Target, Vote>,
    /// `votes` by slot of the fleet.
    by_slot: Vec<Option<Vote>>,
    paths: BTreeMap<EndpointId, u32>,
}

/// A fresh voter.
#[derive(Debug)]
struct Seat {
    /// `None` is this node.
    peer: Option<NodeId>,
    region: RegionKey,
    provider: ProviderKey,
    proven: bool,
    votes: bool,
}

/// What of the count has changed.
#[derive(Debug, Default)]
pub(super) struct Recount {
    /// Everything: who counts has changed.
    pub all: bool,
    /// These slots.
    pub slots: Vec<usize>,
    /// Not of votes: of what fresh vantages tell of paths.
    pub paths: bool,
}

impl Voters {
    pub(super) fn new(me: Identity, known: &BTreeMap<NodeId, Known>, now: Now) -> Self {
        let mut peers = BTreeMap::new();
        for (node, known) in known.iter().filter(|(node, _)| **node != me.node).take(PEERS_MAX) {
            let age = now.wall.since(known.heard);
            if FORGOTTEN_AFTER <= age {
                continue;
            }
            let peer = Peer {
                region: known.region.clone(),
                provider: known.provider.clone(),
                self_test: SelfTest::Unprovable,
                sequence: None,
                fresh_until: now.mono,
                fresh: false,
                heard: known.heard,
                forgotten_at: now.mono.plus(FORGOTTEN_AFTER - age),
                votes: BTreeMap::new(),
                by_slot: Vec::new(),
                paths: BTreeMap::new(),
            };
            peers.insert(node.clone(), peer);
        }
        let mut voters = Self { me, peers, seats: Vec::new(), known_regions: 1 };
        voters.seat(SelfTest::Unprovable);
        voters
    }

    /// Whether no other node is known.
    pub(super) fn alone(&self) -> bool {
        self.peers.is_empty()
    }

    pub(super) fn known(&self) -> BTreeMap<NodeId, Known> {
        let known =
            |peer: &Peer| Known { region: peer.region.clone(), provider: peer.provider.clone(), heard: peer.heard };
        self.peers.iter().map(|(node, peer)| (node.clone(), known(peer))).collect()
    }

    /// Takes in a peer's ballot; an older one than is held changes nothing.
    pub(super) fn hear(&mut self, now: Now, ballot: Ballot, fleet: &Fleet, recount: &mut Recount) {
        let Ballot { node, region, provider, sequence, self_test, votes, mut paths } = ballot;
        if node == self.me.node || (!self.peers.contains_key(&node) && self.peers.len() >= PEERS_MAX) {
            return;
        }
        let peer = self.peers.entry(node).or_insert_with(|| Peer {
            region: region.clone(),
            provider: provider.clone(),
            self_test,
            sequence: None,
            fresh_until: now.mono,
            fresh: false,
            heard: now.wall,
            forgotten_at: now.mono,
            votes: BTreeMap::new(),
            by_slot: Vec::new(),
            paths: BTreeMap::new(),
        });
        // One that has fallen silent may have begun again with its clock put right: then any other sequence is new.
        let silent = peer.fresh_until <= now.mono;
        if peer.sequence.is_some_and(|held| sequence == held || (sequence < held && !silent)) {
            return;
        }
        peer.by_slot.resize(fleet.subjects.len() * 2, None);
        for (target, vote) in differences(&peer.votes, &votes) {
            if let Some(slot) = slot_of(fleet, target) {
                peer.by_slot[slot] = vote;
                recount.slots.push(slot);
            }
        }
        // Those of endpoints that this node does not have, yet, are kept; more than there can be are not.
        while paths.len() > PATHS_MAX {
            paths.pop_last();
        }
        recount.paths |= !peer.fresh || peer.region != region || peer.paths != paths;
        peer.paths = paths;
        recount.all |= !peer.fresh || peer.self_test != self_test || peer.region != region || peer.provider != provider;
        let (fresh_until, forgotten_at) = (now.mono.plus(fleet.verdict.stale_after), now.mono.plus(FORGOTTEN_AFTER));
        (peer.region, peer.provider, peer.self_test, peer.votes) = (region, provider, self_test, votes);
        (peer.sequence, peer.fresh, peer.fresh_until) = (Some(sequence), true, fresh_until);
        (peer.heard, peer.forgotten_at) = (now.wall, forgotten_at);
    }

    /// Lets ballots age.
    pub(super) fn age(&mut self, now: Mono, recount: &mut Recount) {
        let before = self.peers.len();
        self.peers.retain(|_, peer| now < peer.forgotten_at);
        recount.all |= self.peers.len() != before;
        for peer in self.peers.values_mut().filter(|peer| peer.fresh && peer.fresh_until <= now) {
            peer.fresh = false;
            (recount.all, recount.paths) = (true, true);
        }
    }

    /// When the next ballot ages.
    pub(super) fn wake_at(&self) -> Option<Mono> {
        self.peers.values().map(|peer| if peer.fresh { peer.fresh_until } else { peer.forgotten_at }).min()
    }

    /// Another fleet: other slots, and maybe another patience.
    pub(super) fn reload(&mut self, fleet: &Fleet) {
        for peer in self.peers.values_mut() {
            peer.by_slot = vec![None; fleet.subjects.len() * 2];
            for (target, vote) in &peer.votes {
                if let Some(slot) = slot_of(fleet, target) {
                    peer.by_slot[slot] = Some(*vote);
                }
            }
        }
    }

    /// Works out who counts and as what; to be called when `Recount::all` says so or our self-test has changed.
    pub(super) fn seat(&mut self, own: SelfTest) {
        let me = &self.me;
        let peers = self.peers.iter().map(|(node, p)| (node, p.region.as_ref(), p.provider.as_ref(), Some(p)));
        let nodes: Vec<_> = peers.chain([(&me.node, me.region.as_ref(), me.provider.as_ref(), None)]).collect();
        // The provider of each region, if its nodes have one and the same.
        let mut regions: BTreeMap<Place<'_>, Option<&ProviderId>> = BTreeMap::new();
        for (node, region, provider, _) in &nodes {
            let held = regions.entry(place(*region, node)).or_insert(*provider);
            if held != provider {
                *held = None;
            }
        }
        let mut providers: Vec<&ProviderId> = regions.values().flatten().copied().collect();
        providers.sort_unstable();
        providers.dedup();
        let key = |index: usize| u16::try_from(index).unwrap_or(u16::MAX);
        let keys: BTreeMap<_, _> = regions
            .iter()
            .enumerate()
            .map(|(index, (region, provider))| {
                let shared = provider.and_then(|provider| providers.binary_search(&provider).ok());
                (*region, (RegionKey(key(index)), ProviderKey(key(shared.unwrap_or(providers.len() + index)))))
            })
            .collect();
        let fresh = |peer: &Option<&Peer>| peer.is_none_or(|peer| peer.fresh);
        let test = |peer: Option<&Peer>| peer.map_or(own, |peer| peer.self_test);
        let someone_passed = nodes.iter().any(|(.., peer)| fresh(peer) && test(*peer) == SelfTest::Passed);
        let mut seats: Vec<Seat> = nodes
            .iter()
            .filter(|(.., peer)| fresh(peer))
            .map(|(node, region, _, peer)| {
                let (region, provider) = keys[&place(*region, node)];
                let test = test(*peer);
                Seat {
                    peer: peer.map(|_| (*node).clone()),
                    region,
                    provider,
                    proven: test == SelfTest::Passed,
                    votes: !(someone_passed && test == SelfTest::Failed),
                }
            })
            .collect();
        seats.sort_by_key(|seat| seat.region);
        let known_regions = regions.len();
        (self.seats, self.known_regions) = (seats, known_regions);
    }

    /// All fresh voices on a slot, by region.
    pub(super) fn voices<'v>(&'v self, slot: usize, own: Option<Vote>) -> impl Iterator<Item = Voice> + 'v {
        self.seats.iter().map(move |seat| {
            let vote = match &seat.peer {
                None => own,
                Some(node) => self.peers.get(node).and_then(|peer| *peer.by_slot.get(slot)?),
            };
            let vote = vote.filter(|_| seat.votes);
            Voice { region: seat.region, provider: seat.provider, proven: seat.proven, vote }
        })
    }

    /// What each fresh node with a region tells of paths.
    pub(super) fn paths(&self) -> impl Iterator<Item = (&RegionId, &BTreeMap<EndpointId, u32>)> {
        let fresh = self.peers.values().filter(|peer| peer.fresh);
        fresh.filter_map(|peer| Some((peer.region.as_ref()?, &peer.paths)))
    }

    /// Regions that have a fresh voter.
    pub(super) fn voting_regions(&self) -> usize {
        let mut regions: Vec<RegionKey> = self.seats.iter().filter(|seat| seat.votes).map(|seat| seat.region).collect();
        regions.dedup();
        regions.len()
    }

    pub(super) fn known_regions(&self) -> usize {
        self.known_regions
    }
}

/// A region, or the node that has none.
type Place<'v> = (Option<&'v RegionId>, Option<&'v NodeId>);

fn place<'v>(region: Option<&'v RegionId>, node: &'v NodeId) -> Place<'v> {
    (region, region.is_none().then_some(node))
}

fn slot_of(fleet: &Fleet, target: &Target) -> Option<usize> {
    Some(Snapshot::slot(fleet.find_subject(&target.subject)?, target.family))
}

/// What changed from one ballot to the next, by walking both in order.
fn differences<'b>(
    before: &'b BTreeMap<Target, Vote>,
    after: &'b BTreeMap<Target, Vote>,
) -> Vec<(&'b Target, Option<Vote>)> {
    let (mut old, mut new) = (before.iter().peekable(), after.iter().peekable());
    let mut found = Vec::new();
    loop {
        match (old.peek(), new.peek()) {
            (None, None) => return found,
            (Some((target, _)), next) if next.is_none_or(|(other, _)| target < other) => {
                found.push((*target, None));
                old.next();
            }
            (held, Some((target, vote))) if held.is_none_or(|(other, _)| target < other) => {
                found.push((*target, Some(**vote)));
                new.next();
            }
            (Some((_, was)), Some((target, vote))) => {
                if was != vote {
                    found.push((*target, Some(**vote)));
                }
                old.next();
                new.next();
            }
            (Some(_), None) | (None, Some(_)) => return found,
        }
    }
}
