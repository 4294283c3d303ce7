//! What is known beside health (loads, paths, addresses of targets), kept so that noise changes nothing.
//!
//! Values are published when they differ noticeably from those published, and what differs goes out together, once a
//! second at most: ten thousand loads do not compile ten thousand tables.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use crate::model::{DnsName, EndpointId, Feeds, Fleet, Load, LoadFeed, Mono, RegionId, Resolved};

/// Longest time between a change that only shades answers and the picture that has it; the shortest between two such
/// pictures.
pub(super) const SOFT_EVERY: Duration = Duration::from_secs(1);
/// Shortest time between two pictures of all paths: they are smooth, and they are many.
const PATHS_EVERY: Duration = Duration::from_secs(5);
/// A polled load is not known any more after so many intervals of the endpoint's check.
const POLLS_MISSED: u32 = 3;
/// The interval where an endpoint with a polled load has no check.
const UNCHECKED_INTERVAL: Duration = Duration::from_secs(10);
/// A load is published when it differs from the published one by more than this part of it ...
const LOAD_CHANGE: f64 = 0.1;
/// ... or of the endpoint's capacity.
const CAPACITY_CHANGE: f64 = 0.05;

/// Changes that only shade answers: feeds, and flips foreseen. They may wait a little.
#[derive(Debug)]
pub(super) struct Soft {
    /// By slot, what the last picture said of its flip where that is no longer so.
    flips: BTreeMap<usize, Option<Mono>>,
    taken: Mono,
}

impl Soft {
    pub(super) fn new(now: Mono) -> Self {
        Self { flips: BTreeMap::new(), taken: now }
    }

    /// A slot's flip is foreseen otherwise.
    pub(super) fn flip(&mut self, place: usize, was: Option<Mono>, is: Option<Mono>) {
        if was == is {
            return;
        }
        let told = *self.flips.entry(place).or_insert(was);
        if told == is {
            self.flips.remove(&place);
        }
    }

    pub(super) fn is_due(&self, now: Mono, intake: &Intake) -> bool {
        self.wake_at(intake).is_some_and(|at| at <= now)
    }

    /// A picture is taken now.
    pub(super) fn taken(&mut self, now: Mono, intake: &mut Intake) {
        if self.is_due(now, intake) {
            intake.publish();
            self.taken = now;
        }
        self.flips.clear();
    }

    pub(super) fn wake_at(&self, intake: &Intake) -> Option<Mono> {
        (!self.flips.is_empty() || intake.has_news()).then(|| self.taken.plus(SOFT_EVERY))
    }
}

/// All feeds: as published, and what has come in since.
#[derive(Debug, Default)]
pub(super) struct Intake {
    published: Arc<Feeds>,
    /// Endpoints that have a load: how long one is believed, and the capacity.
    fed: HashMap<EndpointId, (Duration, Option<u32>)>,
    targets: HashSet<DnsName>,
    loads: HashMap<EndpointId, Heard>,
    /// When each load is no longer known.
    stale: BTreeSet<(Mono, EndpointId)>,
    /// Loads that differ noticeably from what is published.
    moved: BTreeSet<EndpointId>,
    resolved: BTreeMap<DnsName, Resolved>,
    paths: Option<BTreeMap<RegionId, HashMap<EndpointId, u32>>>,
    /// Some vantage's paths have changed since they were last gathered.
    paths_changed: bool,
    paths_at: Option<Mono>,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    load: Load,
    at: Mono,
    stale_at: Mono,
}

impl Intake {
    /// A load came in. One that is no number, negative, older than what is held, or of an endpoint without a feed is
    /// ignored.
    pub(super) fn load(&mut self, endpoint: &EndpointId, load: Load, at: Mono, now: Mono) {
        let Some((stale_after, capacity)) = self.fed.get(endpoint).copied() else { return };
        let at = at.min(now);
        let stale_at = at.plus(stale_after);
        let older = self.loads.get(endpoint).is_some_and(|held| at < held.at);
        if !load.0.is_finite() || load.0 < 0.0 || older || stale_at <= now {
            return;
        }
        let before = self.loads.insert(endpoint.clone(), Heard { load, at, stale_at });
        before.map(|held| self.stale.remove(&(held.stale_at, endpoint.clone())));
        self.stale.insert((stale_at, endpoint.clone()));
        if differs(self.published.loads.get(endpoint).copied(), load, capacity) {
            self.moved.insert(endpoint.clone());
        } else {
            self.moved.remove(endpoint);
        }
    }

    /// A target was resolved.
    pub(super) fn resolve(&mut self, target: &DnsName, found: Resolved) {
        if self.published.resolved.get(target) == Some(&found) {
            self.resolved.remove(target);
        } else if self.targets.contains(target) {
            self.resolved.insert(target.clone(), found);
        }
    }

    fn has_news(&self) -> bool {
        !self.moved.is_empty() || !self.resolved.is_empty() || self.paths.is_some()
    }

    /// Forgets loads that are too old.
    pub(super) fn age(&mut self, now: Mono) {
        while let Some((at, endpoint)) = self.stale.first().cloned().filter(|(at, _)| *at <= now) {
            self.stale.remove(&(at, endpoint.clone()));
            self.loads.remove(&endpoint);
            if self.published.loads.contains_key(&endpoint) {
                self.moved.insert(endpoint);
            } else {
                self.moved.remove(&endpoint);
            }
        }
    }

    /// Some vantage's paths have changed.
    pub(super) fn paths_changed(&mut self) {
        self.paths_changed = true;
    }

    /// Whether all paths are to be gathered now.
    pub(super) fn wants_paths(&mut self, now: Mono) -> bool {
        let due = self.paths_changed && self.paths_at.is_none_or(|at| at.plus(PATHS_EVERY) <= now);
        if due {
            (self.paths_changed, self.paths_at) = (false, Some(now));
        }
        due
    }

    /// All paths as they are now.
    pub(super) fn take_paths(&mut self, paths: BTreeMap<RegionId, HashMap<EndpointId, u32>>) {
        self.paths = Some(paths).filter(|paths| *paths != self.published.paths);
    }

    /// Puts out what has come in.
    fn publish(&mut self) {
        if !self.has_news() {
            return;
        }
        let feeds = Arc::make_mut(&mut self.published);
        for endpoint in std::mem::take(&mut self.moved) {
            match self.loads.get(&endpoint) {
                Some(heard) => feeds.loads.insert(endpoint, heard.load),
                None => feeds.loads.remove(&endpoint),
            };
        }
        feeds.resolved.extend(std::mem::take(&mut self.resolved));
        if let Some(paths) = self.paths.take() {
            feeds.paths = paths;
        }
    }

    /// Another fleet: forgets what it does not have.
    pub(super) fn reload(&mut self, fleet: &Fleet) {
        let mut slowest = vec![None; fleet.endpoints.len()];
        for subject in &fleet.subjects {
            let interval = subject.check.map(|check| fleet.check(check).interval);
            let held: &mut Option<Duration> = &mut slowest[subject.endpoint.index()];
            *held = (*held).max(interval);
        }
        let fed = fleet.endpoints.iter().zip(slowest).filter_map(|(endpoint, interval)| {
            let believed = match endpoint.load.as_ref()? {
                LoadFeed::Push { stale_after } => *stale_after,
                LoadFeed::Poll { .. } => interval.unwrap_or(UNCHECKED_INTERVAL).saturating_mul(POLLS_MISSED),
            };
            Some((endpoint.id.clone(), (believed, endpoint.capacity)))
        });
        self.fed = fed.collect();
        self.targets = fleet.endpoints.iter().filter_map(|endpoint| endpoint.target().cloned()).collect();
        let (fed, targets) = (&self.fed, &self.targets);
        self.loads.retain(|endpoint, _| fed.contains_key(endpoint));
        self.stale.retain(|(_, endpoint)| fed.contains_key(endpoint));
        self.moved.retain(|endpoint| fed.contains_key(endpoint));
        self.resolved.retain(|target, _| targets.contains(target));
        let gone = self.published.loads.keys().any(|endpoint| !fed.contains_key(endpoint))
            || self.published.resolved.keys().any(|target| !targets.contains(target));
        if gone {
            let feeds = Arc::make_mut(&mut self.published);
            feeds.loads.retain(|endpoint, _| fed.contains_key(endpoint));
            feeds.resolved.retain(|target, _| targets.contains(target));
        }
        self.paths_changed();
    }

    pub(super) fn published(&self) -> &Arc<Feeds> {
        &self.published
    }

    pub(super) fn wake_at(&self) -> Option<Mono> {
        let paths = self.paths_changed.then(|| self.paths_at.map_or(Mono(0), |at| at.plus(PATHS_EVERY)));
        self.stale.first().map(|(at, _)| *at).into_iter().chain(paths).min()
    }
}

fn differs(published: Option<Load>, load: Load, capacity: Option<u32>) -> bool {
    let Some(Load(published)) = published else { return true };
    let change = (load.0 - published).abs();
    change > published * LOAD_CHANGE || capacity.is_some_and(|capacity| change > f64::from(capacity) * CAPACITY_CHANGE)
}
