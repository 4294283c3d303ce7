//! Outages of providers and regions (DECIDING section 6): most of a group's endpoints down is one outage, one event, one
//! removal.
//!
//! It takes out nothing that passes. It is believed only while something beyond the group works: otherwise the fault
//! may as well be ours. A group whose failing endpoints all belong to an outage that is already known is not another
//! one, so that the only region of a provider does not make two of one. An outage ends below half the share at which
//! it begins.

use std::collections::{BTreeMap, BTreeSet};

use super::incident::{Condition, State};
use crate::model::{EndpointIx, Fleet, OUTAGE_AT, ProviderId, RegionId};

/// A group of fewer endpoints has no outage of its own.
pub const GROUP_MIN: usize = 3;

/// Endpoints that share a fate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Of one provider.
    Provider(ProviderId),
    /// In one region.
    Region(RegionId),
}

impl Group {
    /// `provider` or `region`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Provider(_) => "provider",
            Self::Region(_) => "region",
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::Provider(id) => id.as_str(),
            Self::Region(id) => id.as_str(),
        }
    }
}

/// An outage began or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Of which group.
    pub group: Group,
    /// It began.
    pub active: bool,
    /// Endpoints that are down.
    pub down: usize,
    /// Endpoints that are probed.
    pub of: usize,
}

/// The outages that are known.
#[derive(Debug, Clone, Default)]
pub struct Outages {
    groups: BTreeMap<Group, Members>,
    active: BTreeSet<Group>,
    /// Those active ones beyond which something works.
    believed: BTreeSet<Group>,
}

#[derive(Debug, Clone, Default)]
struct Members {
    /// In percent.
    outage_at: usize,
    endpoints: Vec<EndpointIx>,
}

impl Outages {
    /// Another fleet: other groups. What is active stays, by id.
    pub fn reload(&mut self, fleet: &Fleet) {
        self.groups.clear();
        let outage_at: BTreeMap<&ProviderId, u8> = fleet.providers.iter().map(|p| (&p.id, p.outage_at)).collect();
        for (place, endpoint) in fleet.endpoints.iter().enumerate() {
            let at = outage_at.get(&endpoint.provider).copied().unwrap_or(OUTAGE_AT);
            let groups =
                [(Group::Provider(endpoint.provider.clone()), at), (Group::Region(endpoint.region.clone()), OUTAGE_AT)];
            for (group, at) in groups {
                let members = self.groups.entry(group).or_default();
                members.outage_at = usize::from(at);
                members.endpoints.push(EndpointIx::new(place));
            }
        }
        self.active.retain(|group| self.groups.contains_key(group));
        self.believed.retain(|group| self.groups.contains_key(group));
    }

    /// Looks at all endpoints, by place; what began and ended.
    pub fn look(&mut self, endpoints: &[Condition]) -> Vec<Turn> {
        let state = |ix: &EndpointIx| endpoints.get(ix.index()).map_or(State::Unprobed, |endpoint| endpoint.state);
        let working = endpoints.iter().filter(|endpoint| endpoint.state == State::Works).count();
        let mut turns = Vec::new();
        let mut explained: BTreeSet<EndpointIx> = BTreeSet::new();
        self.believed.clear();
        // Those that are known first: they explain what fails in others.
        let (known, others): (Vec<_>, Vec<_>) = self.groups.iter().partition(|(group, _)| self.active.contains(*group));
        for (group, members) in known.into_iter().chain(others) {
            let of = members.endpoints.iter().filter(|ix| state(ix) != State::Unprobed).count();
            let down: Vec<EndpointIx> =
                members.endpoints.iter().filter(|ix| state(ix) == State::Down).copied().collect();
            let works_inside = members.endpoints.iter().filter(|ix| state(ix) == State::Works).count();
            let elsewhere = working > works_inside;
            let share = down.len() * 100;
            let turn = |active| Turn { group: group.clone(), active, down: down.len(), of };
            if self.active.contains(group) {
                if share * 2 < members.outage_at * of || of < GROUP_MIN {
                    self.active.remove(group);
                    turns.push(turn(false));
                    continue;
                }
            } else {
                let reached = of >= GROUP_MIN && !down.is_empty() && share >= members.outage_at * of;
                if !reached || !elsewhere || down.iter().all(|ix| explained.contains(ix)) {
                    continue;
                }
                self.active.insert(group.clone());
                turns.push(turn(true));
            }
            explained.extend(down);
            if elsewhere {
                self.believed.insert(group.clone());
            }
        }
        turns
    }

    /// The outage that explains why an endpoint is down.
    #[must_use]
    pub fn of(&self, fleet: &Fleet, endpoint: EndpointIx) -> Option<Group> {
        if self.believed.is_empty() {
            return None;
        }
        let endpoint = fleet.endpoint(endpoint);
        let groups = [Group::Provider(endpoint.provider.clone()), Group::Region(endpoint.region.clone())];
        groups.into_iter().find(|group| self.believed.contains(group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::sample;

    /// Twelve endpoints: the even ones at p0, the odd ones at p1; regions r0 to r2 in turn.
    fn look(outages: &mut Outages, down: &[usize]) -> Vec<(String, bool)> {
        let state = |n: usize| if down.contains(&n) { State::Down } else { State::Works };
        let all: Vec<_> = (0..12).map(|n| Condition { state: state(n), ..Condition::default() }).collect();
        outages.look(&all).into_iter().map(|turn| (turn.group.id().to_owned(), turn.active)).collect()
    }

    fn outages() -> Outages {
        let mut outages = Outages::default();
        outages.reload(&sample::fleet(12));
        outages
    }

    fn told(list: &[(&str, bool)]) -> Vec<(String, bool)> {
        list.iter().map(|(id, active)| ((*id).to_owned(), *active)).collect()
    }

    #[test]
    fn an_outage_is_told_once_and_ends_below_half_its_share() {
        let mut outages = outages();
        assert_eq!(look(&mut outages, &[0, 2, 4]), told(&[]), "half of p0");
        assert_eq!(look(&mut outages, &[0, 2, 4, 6]), told(&[("p0", true)]));
        assert_eq!(look(&mut outages, &[0, 2, 4, 6, 8, 10]), told(&[]));
        assert_eq!(look(&mut outages, &[0, 2]), told(&[]), "a third is more than half of 60 %");
        assert_eq!(look(&mut outages, &[0]), told(&[("p0", false)]));
    }

    #[test]
    fn what_an_outage_explains_is_not_another_one() {
        let mut outages = outages();
        assert_eq!(look(&mut outages, &[0, 3, 6, 9]), told(&[("r0", true)]), "all of r0 and half of each provider");
        assert_eq!(look(&mut outages, &[0, 3, 6, 9, 2]), told(&[]));
        assert_eq!(look(&mut outages, &[0, 3, 6, 9, 2, 4]), told(&[("p0", true)]), "four of six, not all in r0");
    }

    #[test]
    fn with_nothing_healthy_elsewhere_nobody_can_tell() {
        let mut outages = outages();
        assert_eq!(look(&mut outages, &(0..12).collect::<Vec<_>>()), told(&[]));
        let fleet = sample::fleet(12);
        assert_eq!(look(&mut outages, &[0, 2, 4, 6]), told(&[("p0", true)]));
        assert!(outages.of(&fleet, EndpointIx::new(0)).is_some());
        assert_eq!(outages.of(&fleet, EndpointIx::new(1)), None);
        look(&mut outages, &(0..12).collect::<Vec<_>>());
        assert_eq!(outages.of(&fleet, EndpointIx::new(0)), None);
    }
}
