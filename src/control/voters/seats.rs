//! Who of the fresh nodes votes, and as what (DECIDING sections 3 and 4).
//!
//! While peers are heard, everybody fresh votes but suspects: those whose self-test failed while another's has passed, and
//! those that suddenly see nearly everything down, alone. A node that hears nobody though it knows others votes alone, if it
//! may. When it hears somebody again, it goes on alone until enough regions are there, and then counts once with all of
//! them: what it decided alone is not undone and done again by each ballot that comes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Peer, Recount, Voters, slot_of};
use crate::{
    judge::{
        quorum::{ProviderKey, RegionKey, Voice},
        suspect::suspects,
    },
    model::{Alone, Fleet, Mono, NodeId, ProviderId, RegionId, SelfTest, VerdictPolicy, Vote},
};

/// Settling takes at most so many times `stale_after`.
const SETTLES_WITHIN: u32 = 2;

/// Whom this node hears, as far as votes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::control) enum Company {
    /// No other node is known.
    Nobody,
    /// Others are known, and none is heard.
    Lonely,
    /// Somebody is heard again; not enough of them yet.
    Settling {
        /// Since when.
        since: Mono,
    },
    /// Peers vote.
    Heard,
}

impl Company {
    /// Whether this node decides alone though it knows others.
    pub(in crate::control) fn is_alone(self) -> bool {
        matches!(self, Self::Lonely | Self::Settling { .. })
    }

    pub(super) fn settles_at(self, stale_after: Duration) -> Option<Mono> {
        match self {
            Self::Settling { since } => Some(since.plus(stale_after * SETTLES_WITHIN)),
            Self::Nobody | Self::Lonely | Self::Heard => None,
        }
    }
}

/// Whether this node's own votes count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::control) enum Right {
    /// They do.
    Votes,
    /// They do not, while those of others do.
    Abstains,
    /// They do not, and there are no others: nothing changes.
    Holds,
}

/// Who votes, as counting needs it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Seats {
    own: Option<Seat>,
    /// By the numbers of those that speak.
    peers: Vec<Option<Seat>>,
    /// A silent voice for each region with somebody fresh: one that says nothing abstains.
    regions: Vec<Voice>,
    voting_regions: usize,
}

/// A fresh voter.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seat {
    region: RegionKey,
    provider: ProviderKey,
    proven: bool,
    votes: bool,
}

impl Seat {
    fn says(self, vote: Option<Vote>) -> Voice {
        let Self { region, provider, proven, votes } = self;
        Voice { region, provider, proven, vote: vote.filter(|_| votes) }
    }
}

impl Seats {
    /// Those of this node (without a number) and of others.
    fn new(all: impl Iterator<Item = (Option<u32>, Seat)>) -> Self {
        let mut seats = Self::default();
        for (number, seat) in all {
            seats.regions.push(seat.says(None));
            let Some(number) = number else {
                seats.own = Some(seat);
                continue;
            };
            let at = number as usize;
            seats.peers.resize(seats.peers.len().max(at + 1), None);
            seats.peers[at] = Some(seat);
        }
        let voting = seats.peers.iter().flatten().chain(&seats.own).filter(|seat| seat.votes);
        seats.voting_regions = voting.map(|seat| seat.region).collect::<BTreeSet<_>>().len();
        seats.regions.sort_unstable_by_key(|voice| voice.region);
        seats.regions.dedup_by_key(|voice| voice.region);
        seats
    }

    fn differs_in_peers_only(&self, other: &Self) -> bool {
        self.own == other.own && self.regions == other.regions
    }

    fn of(&self, number: u32) -> Option<&Seat> {
        self.peers.get(number as usize)?.as_ref()
    }
}

impl Voters {
    pub(in crate::control) fn company(&self) -> Company {
        self.company
    }

    /// Whether we take ourselves for a suspect.
    pub(in crate::control) fn suspects_itself(&self) -> bool {
        self.own_suspect
    }

    /// Lets our company change; whether it did.
    pub(in crate::control) fn accompany(&mut self, policy: &VerdictPolicy, now: Mono) -> bool {
        let next = if self.peers.is_empty() {
            Company::Nobody
        } else if !self.peers.values().any(|peer| peer.fresh) {
            Company::Lonely
        } else {
            let over = self.company.settles_at(policy.stale_after).is_some_and(|at| at <= now);
            match self.company {
                Company::Heard => Company::Heard,
                _ if over || self.enough(policy) => Company::Heard,
                settling @ Company::Settling { .. } => settling,
                Company::Nobody | Company::Lonely => Company::Settling { since: now },
            }
        };
        let changed = std::mem::replace(&mut self.company, next) != next;
        self.unreviewed |= changed;
        changed
    }

    /// Whether as many regions are fresh as `down` needs, or all that are known.
    fn enough(&self, policy: &VerdictPolicy) -> bool {
        let regions = |fits: fn(&Peer) -> bool| {
            let peers = self.peers.iter().filter(|(_, peer)| fits(peer));
            let places = peers.map(|(node, peer)| place(peer.region.as_ref(), node));
            places.chain([place(self.me.region.as_ref(), &self.me.node)]).collect::<BTreeSet<_>>().len()
        };
        usize::from(policy.min_vantages).min(regions(|_| true)) <= regions(|peer| peer.fresh)
    }

    /// Looks at who is a suspect, if something was said since the last time or `own` has changed; whether that has
    /// changed.
    pub(in crate::control) fn review(&mut self, own: SelfTest) -> bool {
        if !std::mem::take(&mut self.unreviewed) && self.own_test == own {
            return false;
        }
        self.own_test = own;
        let heard = self.company == Company::Heard;
        let jumped = self.own.jumped() || self.peers.values().any(|peer| peer.course.jumped());
        let found: BTreeSet<Option<NodeId>> = if heard && jumped {
            let peers = self.peers.iter().filter(|(_, peer)| peer.fresh);
            let peers = peers.map(|(node, peer)| (Some(node), (&peer.course, peer.self_test == SelfTest::Failed)));
            let courses: BTreeMap<_, _> = peers.chain([(None, (&self.own, own == SelfTest::Failed))]).collect();
            suspects(&courses).into_iter().map(Option::<&NodeId>::cloned).collect()
        } else {
            BTreeSet::new()
        };
        let own = found.contains(&None);
        let mut changed = std::mem::replace(&mut self.own_suspect, own) != own;
        for (node, peer) in &mut self.peers {
            let is = !found.is_empty() && found.contains(&Some(node.clone()));
            changed |= std::mem::replace(&mut peer.suspect, is) != is;
        }
        changed
    }

    /// Whether our own votes count.
    pub(in crate::control) fn right(&self, alone: Alone, own: SelfTest) -> Right {
        let passed = |peer: &Peer| peer.fresh && peer.self_test == SelfTest::Passed;
        match (self.company, alone) {
            (Company::Nobody, _) if own == SelfTest::Failed => Right::Holds,
            (Company::Heard, _) if self.own_suspect => Right::Abstains,
            (Company::Heard, _) if own == SelfTest::Failed && self.peers.values().any(passed) => Right::Abstains,
            (Company::Nobody | Company::Heard, _) => Right::Votes,
            (Company::Lonely | Company::Settling { .. }, Alone::Judge) => Right::Votes,
            (Company::Lonely | Company::Settling { .. }, Alone::SelfTest) if own == SelfTest::Passed => Right::Votes,
            (Company::Lonely | Company::Settling { .. }, Alone::SelfTest | Alone::Hold) => Right::Holds,
        }
    }

    /// Works out who counts and as what; to be called when [`Recount`] says so or our self-test has changed. What those
    /// speak of whose part has changed is counted again; all, where that changes what others count for.
    pub(in crate::control) fn seat(
        &mut self,
        policy: &VerdictPolicy,
        own: SelfTest,
        fleet: &Fleet,
        recount: &mut Recount,
    ) {
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
        let heard = self.company == Company::Heard;
        let fresh = |peer: &Option<&Peer>| peer.is_none_or(|peer| peer.fresh && heard);
        let test = |peer: Option<&Peer>| peer.map_or(own, |peer| peer.self_test);
        let someone_passed = nodes.iter().any(|(.., peer)| fresh(peer) && test(*peer) == SelfTest::Passed);
        let own_votes = self.right(policy.alone, own) == Right::Votes;
        let seats = nodes.iter().filter(|(.., peer)| fresh(peer)).map(|(node, region, _, peer)| {
            let (region, provider) = keys[&place(*region, node)];
            let test = test(*peer);
            let broken = |peer: &Peer| peer.suspect || (someone_passed && test == SelfTest::Failed);
            let seat = Seat {
                region,
                provider,
                proven: test == SelfTest::Passed,
                votes: peer.map_or(own_votes, |peer| !broken(peer)),
            };
            (peer.map(|peer| peer.number), seat)
        });
        let seats = Seats::new(seats);
        // One that judges without proof asks for none.
        let judges = self.company.is_alone() && policy.alone == Alone::Judge;
        let known_regions = if judges { 1 } else { regions.len() };
        let before = std::mem::replace(&mut self.seats, seats);
        let regions = std::mem::replace(&mut self.known_regions, known_regions);
        recount.all |= regions != known_regions || !before.differs_in_peers_only(&self.seats);
        if recount.all {
            return;
        }
        let moved = self.peers.values().filter(|peer| before.of(peer.number) != self.seats.of(peer.number));
        let targets = moved.flat_map(|peer| peer.votes.keys());
        recount.slots.extend(targets.filter_map(|target| slot_of(fleet, target)));
    }

    /// All fresh voices on a slot, by region. Those that do not speak of it are one silent voice of their region: it
    /// costs what is said, and not how many nodes there are.
    pub(in crate::control) fn voices(&self, slot: usize, own: Option<Vote>, voices: &mut Vec<Voice>) {
        voices.clear();
        voices.extend_from_slice(&self.seats.regions);
        let others = self.said.of(slot).iter();
        let others = others.filter_map(|(number, vote)| Some(self.seats.of(*number)?.says(Some(*vote))));
        // Few speak of a slot, and the regions are in order.
        for voice in self.seats.own.map(|seat| seat.says(own)).into_iter().chain(others) {
            let at = voices.partition_point(|before| before.region <= voice.region);
            voices.insert(at, voice);
        }
    }

    /// The region whose voice ours is part of.
    pub(in crate::control) fn own_region(&self) -> Option<RegionKey> {
        self.seats.own.map(|seat| seat.region)
    }

    /// Whether a fresh peer's votes count.
    pub(in crate::control) fn counts(&self, node: &NodeId) -> bool {
        let seat = self.peers.get(node).and_then(|peer| self.seats.of(peer.number));
        seat.is_some_and(|seat| seat.votes)
    }

    /// Regions that have a fresh voter.
    pub(in crate::control) fn voting_regions(&self) -> usize {
        self.seats.voting_regions
    }

    pub(in crate::control) fn known_regions(&self) -> usize {
        self.known_regions
    }
}

/// A region, or the node that has none.
type Place<'v> = (Option<&'v RegionId>, Option<&'v NodeId>);

fn place<'v>(region: Option<&'v RegionId>, node: &'v NodeId) -> Place<'v> {
    (region, region.is_none().then_some(node))
}
