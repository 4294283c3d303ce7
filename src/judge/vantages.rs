//! Which vantages probe an endpoint (DECIDING section 2): so many at most, spread over regions and providers.
//!
//! Rendezvous hashing: each (node, endpoint) pair has a rank that is fixed for good. One after the other the node is taken
//! whose region has the fewest so far, then whose provider has, then which ranks first. Each choice is that of a smallest
//! element, so a node that was not chosen leaves without moving anything, and one that comes moves only what it takes.
//!
//! Who may be chosen is every node's own business to know, and so [`Roster`] changes slowly: a node that falls silent
//! keeps its part for a while, because its endpoints have other vantages, and handing all of it on for a short cut would
//! make every endpoint's vantages change twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    time::Duration,
};

use crate::model::{Duties, Duty, EndpointId, Fleet, Mono, NodeId, ProviderId, RegionId, Words};

/// A silent node keeps its part for this long.
pub const LEAVES_AFTER: Duration = Duration::from_secs(60);

/// A node that may probe.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vantage {
    /// Who.
    pub node: NodeId,
    /// Where it stands.
    pub region: Option<RegionId>,
    /// At whose place.
    pub provider: Option<ProviderId>,
}

/// Those that share the work.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// With since when they are silent.
    members: BTreeMap<Vantage, Option<Mono>>,
}

impl Roster {
    /// Takes in who is there now; whether that changes who shares the work. Those who are not are kept for
    /// [`LEAVES_AFTER`].
    pub fn look(&mut self, there: &BTreeSet<Vantage>, now: Mono) -> bool {
        let mut changed = false;
        for vantage in there {
            changed |= self.members.insert(vantage.clone(), None).is_none();
        }
        let before = self.members.len();
        self.members.retain(|vantage, silent| {
            if there.contains(vantage) {
                return true;
            }
            // A node that moved is there under its new place only.
            let moved = there.iter().any(|other| other.node == vantage.node);
            let since = *silent.get_or_insert(now);
            !moved && now < since.plus(LEAVES_AFTER)
        });
        changed | (self.members.len() != before)
    }

    /// A node that a person took out leaves at once; whether it was in.
    pub fn forget(&mut self, node: &NodeId) -> bool {
        let before = self.members.len();
        self.members.retain(|vantage, _| vantage.node != *node);
        self.members.len() != before
    }

    /// When somebody leaves who stays silent.
    #[must_use]
    pub fn wake_at(&self) -> Option<Mono> {
        self.members.values().flatten().map(|since| since.plus(LEAVES_AFTER)).min()
    }

    /// Those that share the work, in a fixed order.
    pub fn members(&self) -> impl Iterator<Item = &Vantage> {
        self.members.keys()
    }
}

/// What one of the vantages has to do with every endpoint; nothing is said while it is the only one.
#[must_use]
pub fn duties<'v>(fleet: &Fleet, vantages: impl Iterator<Item = &'v Vantage>, me: &NodeId) -> Duties {
    let mut field = Field::new(vantages.collect());
    if field.all.len() < 2 {
        return Duties::new();
    }
    let most = usize::from(fleet.verdict.vantages_per_endpoint);
    let mut duty = |endpoint: &EndpointId| {
        let mut chosen = field.chosen(endpoint, most);
        chosen.sort_unstable();
        let of = u16::try_from(chosen.len()).unwrap_or(u16::MAX);
        let place = chosen.iter().position(|node| *node == me);
        place.map_or(Duty::Rest, |place| Duty::Probe { place: u16::try_from(place).unwrap_or(u16::MAX), of })
    };
    fleet.endpoints.iter().map(|endpoint| (endpoint.id.clone(), duty(&endpoint.id))).collect()
}

/// The vantages as they are chosen from. Two hundred of them are looked at for each of fifty thousand endpoints, so what
/// many share is worked out once: places are numbers, those of one place stand together, and only the first of each
/// place is ever compared with the others.
struct Field<'v> {
    /// By place.
    all: Vec<Stand<'v>>,
    groups: Vec<Group>,
    /// Of the endpoint in hand: the hash of each so far.
    words: Vec<Words>,
    taken: Vec<bool>,
    /// How many are taken of each region and of each provider.
    crowd: [Vec<u16>; 2],
}

struct Stand<'v> {
    node: &'v NodeId,
    words: Words,
    /// Its place among all vantages, which decides between equal ranks.
    order: usize,
}

/// Those of one region and provider.
struct Group {
    region: usize,
    provider: usize,
    members: Range<usize>,
    /// The first of those that are not taken: its rank, its order, and where it stands.
    first: Option<(u64, usize, usize)>,
}

impl Group {
    fn rank(&mut self, stands: &[Stand<'_>], words: &[Words], taken: &[bool]) {
        let free = self.members.clone().filter(|at| !taken[*at]);
        self.first = free.map(|at| (words[at].end(), stands[at].order, at)).min();
    }
}

impl<'v> Field<'v> {
    fn new(mut all: Vec<&'v Vantage>) -> Self {
        all.sort_unstable();
        let (mut regions, mut providers) = (Numbers::default(), Numbers::default());
        let mut places: BTreeMap<(usize, usize), Vec<Stand<'v>>> = BTreeMap::new();
        for (order, vantage) in all.into_iter().enumerate() {
            let place = (regions.of(vantage.region.as_ref()), providers.of(vantage.provider.as_ref()));
            let words = Words::default().then(vantage.node.as_str());
            places.entry(place).or_default().push(Stand { node: &vantage.node, words, order });
        }
        let mut field = Self {
            all: Vec::new(),
            groups: Vec::new(),
            words: Vec::new(),
            taken: Vec::new(),
            crowd: [vec![0; regions.count], vec![0; providers.count]],
        };
        for ((region, provider), stands) in places {
            let members = field.all.len()..field.all.len() + stands.len();
            field.groups.push(Group { region, provider, members, first: None });
            field.all.extend(stands);
        }
        field
    }

    /// At most `most` of the vantages, all if there are no more.
    fn chosen(&mut self, endpoint: &EndpointId, most: usize) -> Vec<&'v NodeId> {
        let Self { all, groups, words, taken, crowd: [regions, providers] } = self;
        if all.len() <= most {
            return all.iter().map(|stand| stand.node).collect();
        }
        words.clear();
        words.extend(all.iter().map(|stand| stand.words));
        // Octet by octet for all of them: no multiplication waits for the one before.
        for octet in endpoint.as_str().bytes() {
            words.iter_mut().for_each(|words| *words = words.octet(octet));
        }
        words.iter_mut().for_each(|words| *words = words.close());
        taken.clear();
        taken.resize(all.len(), false);
        regions.fill(0);
        providers.fill(0);
        groups.iter_mut().for_each(|group| group.rank(all, words, taken));
        let mut chosen = Vec::with_capacity(most);
        for _ in 0..most {
            let first = |group: &&mut Group| {
                let (rank, order, _) = group.first?;
                Some((regions[group.region], providers[group.provider], rank, order))
            };
            let free = groups.iter_mut().filter(|group| group.first.is_some());
            let Some(group) = free.min_by_key(first) else { break };
            let Some((.., at)) = group.first else { break };
            taken[at] = true;
            regions[group.region] += 1;
            providers[group.provider] += 1;
            chosen.push(all[at].node);
            group.rank(all, words, taken);
        }
        chosen
    }
}

/// Numbers of places. A node that names none stands for one of its own.
struct Numbers<'v, T> {
    known: BTreeMap<&'v T, usize>,
    count: usize,
}

impl<T> Default for Numbers<'_, T> {
    fn default() -> Self {
        Self { known: BTreeMap::new(), count: 0 }
    }
}

impl<'v, T: Ord> Numbers<'v, T> {
    fn of(&mut self, place: Option<&'v T>) -> usize {
        let next = self.count;
        let number = place.map_or(next, |place| *self.known.entry(place).or_insert(next));
        self.count += usize::from(number == next);
        number
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::judge::sample;

    fn vantages(count: usize, regions: usize, providers: usize) -> Vec<Vantage> {
        let vantage = |n: usize| Vantage {
            node: format!("n{n}").parse().unwrap(),
            region: Some(format!("r{}", n % regions).parse().unwrap()),
            provider: Some(format!("p{}", n % providers).parse().unwrap()),
        };
        (0..count).map(vantage).collect()
    }

    fn of(all: &[Vantage], endpoint: &str, most: usize) -> BTreeSet<String> {
        let mut field = Field::new(all.iter().collect());
        field.chosen(&endpoint.parse().unwrap(), most).into_iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_endpoint_has_its_vantages_and_all_agree_who_they_are() {
        let fleet = sample::fleet(12);
        let all = vantages(20, 5, 3);
        let views: Vec<Duties> = all.iter().map(|me| duties(&fleet, all.iter(), &me.node)).collect();
        for endpoint in &fleet.endpoints {
            let mut places: Vec<_> = views.iter().map(|duties| duties[&endpoint.id]).filter(|d| d.is_mine()).collect();
            places.sort_unstable();
            let expected: Vec<_> = (0..7).map(|place| Duty::Probe { place, of: 7 }).collect();
            assert_eq!(places, expected, "{}", endpoint.id);
        }
        assert!(duties(&fleet, all[..1].iter(), &all[0].node).is_empty(), "a single node asks at its own beat");
        let few: Vec<_> = all[..3].iter().map(|me| duties(&fleet, all[..3].iter(), &me.node)).collect();
        assert!(few.iter().all(|duties| duties.values().all(|duty| duty.is_mine())), "three share nothing out");
    }

    #[test]
    fn a_silent_node_keeps_its_part_for_a_while() {
        let all: BTreeSet<Vantage> = vantages(3, 3, 3).into_iter().collect();
        let without: BTreeSet<Vantage> = all.iter().skip(1).cloned().collect();
        let mut roster = Roster::default();
        assert!(roster.look(&all, Mono(1_000)));
        assert!(!roster.look(&without, Mono(2_000)));
        assert_eq!(roster.wake_at(), Some(Mono(62_000)));
        assert!(!roster.look(&all, Mono(60_000)), "it was back in time");
        assert_eq!(roster.wake_at(), None);
        assert!(!roster.look(&without, Mono(100_000)));
        assert!(!roster.look(&without, Mono(159_999)));
        assert!(roster.look(&without, Mono(160_000)));
        assert!(roster.look(&all, Mono(160_001)));
        assert!(roster.forget(&"n0".parse().unwrap()) && !roster.forget(&"n0".parse().unwrap()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// As many regions and providers as there can be; who goes or comes moves nothing but its own part.
        #[test]
        fn vantages_are_spread_and_steady(count in 8_usize..40, regions in 1_usize..8, providers in 1_usize..4,
            most in 1_usize..9, gone in 0_usize..8, endpoint in "[a-z]{1,8}")
        {
            let all = vantages(count, regions, providers);
            let before = of(&all, &endpoint, most);
            prop_assert_eq!(before.len(), most.min(count));
            let seen = |names: &BTreeSet<String>, part: fn(&Vantage) -> String| {
                all.iter().filter(|v| names.contains(v.node.as_str())).map(part).collect::<BTreeSet<_>>().len()
            };
            prop_assert_eq!(seen(&before, |v| format!("{:?}", v.region)), most.min(regions));
            let mut fewer = all.clone();
            let left = fewer.remove(gone).node.to_string();
            let after = of(&fewer, &endpoint, most);
            if !before.contains(&left) {
                prop_assert_eq!(&before, &after);
            }
        }
    }
}
