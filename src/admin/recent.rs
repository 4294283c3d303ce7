//! The last probe results of each target, for people who look.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, RwLock},
};

use crate::model::{EndpointId, Fleet, Observation, Target};

/// Results kept of each target; the oldest goes.
pub const RESULTS_PER_TARGET: usize = 64;
/// Most targets; results of further ones are not kept. The largest fleet of the design has 10,000 endpoints of two
/// addresses under two checks.
const TARGETS_MAX: usize = 40_000;

/// In memory only: history that must last is the store's.
#[derive(Debug, Default)]
pub struct Recent(RwLock<HashMap<EndpointId, OfTargets>>);

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
        let known = kept.get(&target.subject.endpoint).is_some_and(|of| of.contains_key(target));
        if !known && TARGETS_MAX <= kept.values().map(HashMap::len).sum::<usize>() {
            return;
        }
        let of = kept.entry(target.subject.endpoint.clone()).or_default();
        let results = of.entry(target.clone()).or_default();
        if RESULTS_PER_TARGET <= results.len() {
            results.pop_front();
        }
        results.push_back(Arc::new(observation));
    }

    /// Forgets what the fleet no longer has; to be called at each reload.
    pub fn keep_only(&self, fleet: &Fleet) {
        let mut kept = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.retain(|_, of| {
            of.retain(|target, _| fleet.find_subject(&target.subject).is_some());
            !of.is_empty()
        });
    }

    /// An endpoint's results, newest first.
    #[must_use]
    pub fn of(&self, endpoint: &EndpointId, limit: usize) -> Vec<Arc<Observation>> {
        let kept = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut all: Vec<_> = kept.get(endpoint).into_iter().flat_map(|of| of.values().flatten().cloned()).collect();
        all.sort_by(|a, b| b.at.mono.cmp(&a.at.mono).then_with(|| a.target.cmp(&b.target)));
        all.truncate(limit);
        all
    }

    /// A target's last result.
    #[must_use]
    pub fn last(&self, target: &Target) -> Option<Arc<Observation>> {
        let kept = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        kept.get(&target.subject.endpoint)?.get(target)?.back().cloned()
    }
}
