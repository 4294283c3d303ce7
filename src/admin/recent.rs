//! The last probe results of each target, for people who look.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, RwLock},
};

use crate::model::{EndpointId, Fleet, Observation, Target};

/// Results kept of each target; the oldest goes.
pub const RESULTS_PER_TARGET: usize = 64;
/// Results kept in all, some 250 octets each: fleets of more targets than 64 of each allow keep fewer of each.
const RESULTS_MAX: usize = 200_000;
/// So many are kept of each target even of the largest fleet: more than any `fall` or `rise` that anyone sets.
const RESULTS_PER_TARGET_MIN: usize = 8;
/// Most targets; results of further ones are not kept. The largest fleet of the design has 10,000 endpoints of two
/// addresses under two checks.
const TARGETS_MAX: usize = 40_000;

/// In memory only: history that must last is the store's.
#[derive(Debug, Default)]
pub struct Recent(RwLock<Kept>);

#[derive(Debug, Default)]
struct Kept {
    of: HashMap<EndpointId, OfTargets>,
    /// How many targets there are in all.
    targets: usize,
}

/// The results of one endpoint, oldest first.
type OfTargets = HashMap<Target, VecDeque<Arc<Observation>>>;

impl Recent {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a result.
    pub fn push(&self, observation: Observation) {
        let mut kept = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let target = &observation.target;
        let known = kept.of.get(&target.subject.endpoint).is_some_and(|of| of.contains_key(target));
        if !known && TARGETS_MAX <= kept.targets {
            return;
        }
        kept.targets += usize::from(!known);
        let max = (RESULTS_MAX / kept.targets).clamp(RESULTS_PER_TARGET_MIN, RESULTS_PER_TARGET);
        let of = kept.of.entry(target.subject.endpoint.clone()).or_default();
        let results = of.entry(target.clone()).or_default();
        while max <= results.len() {
            results.pop_front();
        }
        results.push_back(Arc::new(observation));
    }

    /// Forgets what the fleet no longer has; to be called at each reload.
    pub fn keep_only(&self, fleet: &Fleet) {
        let mut kept = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.of.retain(|_, of| {
            of.retain(|target, _| fleet.find_subject(&target.subject).is_some());
            !of.is_empty()
        });
        kept.targets = kept.of.values().map(HashMap::len).sum();
    }

    /// An endpoint's results, newest first.
    #[must_use]
    pub fn of(&self, endpoint: &EndpointId, limit: usize) -> Vec<Arc<Observation>> {
        let kept = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut all: Vec<_> = kept.of.get(endpoint).into_iter().flat_map(|of| of.values().flatten().cloned()).collect();
        all.sort_by(|a, b| b.at.mono.cmp(&a.at.mono).then_with(|| a.target.cmp(&b.target)));
        all.truncate(limit);
        all
    }

    /// A target's last result.
    #[must_use]
    pub fn last(&self, target: &Target) -> Option<Arc<Observation>> {
        let kept = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.of.get(&target.subject.endpoint)?.get(target)?.back().cloned()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Family, Mono, Now, Outcome, Phases, SubjectId, Wall};

    fn result(endpoint: usize, at: u64) -> Observation {
        let subject = SubjectId { endpoint: format!("e{endpoint}").parse().unwrap(), check: "web".parse().unwrap() };
        Observation {
            target: Target { subject, family: Family::V4 },
            revision: 1,
            address: "192.0.2.1:80".parse().unwrap(),
            at: Now { mono: Mono(at), wall: Wall(at) },
            outcome: Outcome::Pass,
            phases: Phases { total: Duration::from_millis(1), ..Phases::default() },
            status: None,
            cert_left: None,
        }
    }

    #[test]
    fn a_large_fleet_keeps_fewer_results_of_each_target_and_the_newest() {
        let recent = Recent::new();
        let first: EndpointId = "e0".parse().unwrap();
        let newest = |recent: &Recent| recent.of(&first, 100).iter().map(|one| one.at.mono.0).collect::<Vec<_>>();
        (0..100).for_each(|at| recent.push(result(0, at)));
        assert_eq!(newest(&recent), (36..100).rev().collect::<Vec<_>>());
        (1..10_000).for_each(|endpoint| recent.push(result(endpoint, 0)));
        recent.push(result(0, 100));
        assert_eq!(newest(&recent), (81..=100).rev().collect::<Vec<_>>());
    }
}
