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
    time::Duration,
};

use crate::model::{Duties, Duty, EndpointId, Fleet, Mono, NodeId, ProviderId, RegionId, hash};

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
    let all: Vec<&Vantage> = vantages.collect();
    if all.len() < 2 {
        return Duties::new();
    }
    let most = usize::from(fleet.verdict.vantages_per_endpoint);
    let duty = |endpoint: &EndpointId| {
        let mut chosen = chosen(&all, endpoint, most);
        chosen.sort_unstable();
        let of = u16::try_from(chosen.len()).unwrap_or(u16::MAX);
        let place = chosen.iter().position(|node| *node == me);
        place.map_or(Duty::Rest, |place| Duty::Probe { place: u16::try_from(place).unwrap_or(u16::MAX), of })
    };
    fleet.endpoints.iter().map(|endpoint| (endpoint.id.clone(), duty(&endpoint.id))).collect()
}

/// At most `most` of the vantages, all if there are no more.
fn chosen<'v>(all: &[&'v Vantage], endpoint: &EndpointId, most: usize) -> Vec<&'v NodeId> {
    if all.len() <= most {
        return all.iter().map(|vantage| &vantage.node).collect();
    }
    let mut ranked: Vec<(u64, &Vantage)> =
        all.iter().map(|vantage| (hash(&[vantage.node.as_str(), endpoint.as_str()]), *vantage)).collect();
    ranked.sort_unstable();
    let mut chosen: Vec<&Vantage> = Vec::with_capacity(most);
    while chosen.len() < most && !ranked.is_empty() {
        let crowd = |vantage: &Vantage| {
            let region = chosen.iter().filter(|other| shares(&other.region, &vantage.region)).count();
            let provider = chosen.iter().filter(|other| shares(&other.provider, &vantage.provider)).count();
            (region, provider)
        };
        let best = (0..ranked.len()).min_by_key(|at| crowd(ranked[*at].1)).unwrap_or(0);
        chosen.push(ranked.remove(best).1);
    }
    chosen.into_iter().map(|vantage| &vantage.node).collect()
}

/// A node that names no region or provider stands for one of its own.
fn shares<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
    a.is_some() && a == b
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
        let all: Vec<&Vantage> = all.iter().collect();
        chosen(&all, &endpoint.parse().unwrap(), most).into_iter().map(ToString::to_string).collect()
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
