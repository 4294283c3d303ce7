//! How long probes take from here and from where the others stand: smoothed, and published where it changes noticeably.

use std::collections::{BTreeMap, HashMap};

use super::{Controller, deciding::Work, slots::Slot};
use crate::model::{Check, EndpointId, EndpointIx, Health, Mono, Observation, Outcome, RegionId};

/// A new value counts for an eighth.
const SMOOTHING: u64 = 8;
/// A path is published anew when it differs by more than so many percent ...
const CHANGE_PERCENT: u64 = 15;
/// ... and by more than this, in microseconds.
const CHANGE_MIN_US: u64 = 2_000;

/// Takes in a probe's time, if it passed: until the first byte, or until the connection stood.
pub(super) fn observe(slot: &mut Slot, check: &Check, seen: &Observation) -> bool {
    let passed = matches!(seen.outcome, Outcome::Pass | Outcome::Complaint(_)) && !check.inverted;
    let Some(took) = seen.phases.first_byte.or(seen.phases.connect).filter(|_| passed) else { return false };
    let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).min(u64::from(u32::MAX));
    slot.path = Some(match slot.path {
        None => took * SMOOTHING,
        Some(held) => held - held / SMOOTHING + took,
    });
    true
}

/// Whether a new value is worth telling.
fn differs(told: u32, new: u32) -> bool {
    let (told, change) = (u64::from(told), u64::from(told.abs_diff(new)));
    change > CHANGE_MIN_US && change * 100 > told * CHANGE_PERCENT
}

impl Controller {
    /// The smallest over an endpoint's families and checks goes into our ballot; one that is down here does not count.
    pub(super) fn tell_path(&mut self, endpoint: EndpointIx) {
        let places = self.slots.of_endpoint(endpoint);
        let paths = places.filter_map(|place| {
            let slot = self.slots.list[place].as_ref()?;
            let down = slot.probed.as_ref()?.standing.health() == Health::Down;
            slot.path.filter(|_| !down)
        });
        let Some(best) = paths.min() else { return };
        let best = u32::try_from(best / SMOOTHING).unwrap_or(u32::MAX);
        let id = &self.slots.fleet.endpoint(endpoint).id;
        if self.publisher.paths().get(id).is_none_or(|told| differs(*told, best)) {
            self.publisher.path(id.clone(), best);
            self.feeds.paths_changed();
        }
    }

    /// Gathers what all fresh vantages tell, by region.
    pub(super) fn hear_paths(&mut self, now: Mono, work: &mut Work) {
        if std::mem::take(&mut work.recount.paths) {
            self.feeds.paths_changed();
        }
        if self.feeds.wants_paths(now) {
            let paths = self.by_region();
            self.feeds.take_paths(paths);
        }
    }

    /// The median of a region's nodes, the smaller of two in the middle.
    fn by_region(&self) -> BTreeMap<RegionId, HashMap<EndpointId, u32>> {
        let own = self.me.region.as_ref().map(|region| (region, self.publisher.paths()));
        let mut told: BTreeMap<&RegionId, HashMap<&EndpointId, Vec<u32>>> = BTreeMap::new();
        for (region, paths) in self.voters.paths().chain(own) {
            let region = told.entry(region).or_default();
            for (endpoint, path) in paths {
                if self.slots.fleet.has_endpoint(endpoint) {
                    region.entry(endpoint).or_default().push(*path);
                }
            }
        }
        let median = |mut paths: Vec<u32>| {
            paths.sort_unstable();
            paths[(paths.len() - 1) / 2]
        };
        let regions = told.into_iter().filter(|(_, paths)| !paths.is_empty());
        let of = |paths: HashMap<&EndpointId, Vec<u32>>| {
            paths.into_iter().map(|(endpoint, paths)| (endpoint.clone(), median(paths))).collect()
        };
        regions.map(|(region, paths)| (region.clone(), of(paths))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::differs;

    #[test]
    fn near_equal_paths_are_not_told() {
        let check = |told: u32, new: u32, expected: bool| assert_eq!(differs(told, new), expected, "{told} {new}");
        check(10_000, 11_500, false);
        check(10_000, 12_001, true);
        check(10_000, 7_999, true);
        check(100_000, 115_000, false);
        check(100_000, 115_001, true);
        check(1_000, 2_900, false);
    }
}
