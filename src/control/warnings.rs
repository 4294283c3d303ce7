//! Warnings about services: most of its endpoints failed together, or what is left could not carry its load (DECIDING
//! section 6). Nothing follows from them but words.

use std::collections::{BTreeMap, BTreeSet};

use super::{Controller, brakes::is_down, deciding::Work, slots::Slots};
use crate::{
    judge::{Orders, capacity, incident},
    model::{EndpointIx, Happening, Mono, ServiceId, ServiceIx, Snapshot},
};

#[derive(Debug, Default)]
pub(super) struct Warnings {
    /// Services of which most endpoints fell together, as told.
    correlated: BTreeSet<ServiceId>,
    /// Services that could not carry their load, as told.
    short: BTreeSet<ServiceId>,
    /// Services that state a capacity.
    stating: BTreeSet<ServiceIx>,
    /// Of those: what was touched since the last snapshot.
    touched: BTreeSet<ServiceIx>,
}

impl Warnings {
    pub(super) fn reload(&mut self, slots: &Slots) {
        let fleet = &slots.fleet;
        self.correlated.retain(|id| fleet.find_service(id).is_some());
        self.short.retain(|id| fleet.find_service(id).is_some());
        let stating = fleet.services().filter(|(_, service)| {
            let mut members = fleet.arms(service).flat_map(|arm| &fleet.pool(arm.pool).members);
            members.any(|member| fleet.endpoint(member.endpoint).capacity.is_some())
        });
        self.stating = stating.map(|(ix, _)| ix).collect();
        self.touched.clear();
    }

    pub(super) fn touch(&mut self, services: &[ServiceIx]) {
        self.touched.extend(services.iter().filter(|ix| self.stating.contains(ix)));
    }
}

impl Controller {
    /// Tells once that most of a service's endpoints fell together.
    pub(super) fn tell_correlated(&mut self, ix: ServiceIx, now: Mono, work: &mut Work) {
        let fleet = &self.slots.fleet;
        let service = fleet.service(ix);
        // By endpoint: whether it is down as this service sees it, and whether it fell just now.
        let mut seen: BTreeMap<EndpointIx, (bool, bool)> = BTreeMap::new();
        for subject in fleet.arms(service).flat_map(|arm| &arm.subjects) {
            let slots = [subject.index() * 2, subject.index() * 2 + 1].map(|place| self.slots.list[place].as_ref());
            let probed = || slots.into_iter().flatten().filter(|slot| slot.probed.is_some());
            let falls = probed().next().is_some() && probed().all(|slot| is_down(&slot.verdict));
            let interval =
                probed().filter_map(|slot| slot.probed.as_ref()).map(|p| fleet.check(p.check).interval).max();
            let at = probed().filter_map(|slot| slot.fell).map(|fell| fell.at).max();
            let just = falls && incident::fell_together(at, interval.unwrap_or_default(), now);
            let held = seen.entry(fleet.subject(*subject).endpoint).or_default();
            *held = (held.0 || falls, held.1 || just);
        }
        let (down, just) =
            seen.values().fold((0, 0), |(d, j), (down, just)| (d + usize::from(*down), j + usize::from(*just)));
        if self.warnings.correlated.contains(&service.id) {
            if down * 2 <= seen.len() {
                self.warnings.correlated.remove(&service.id);
            }
        } else if incident::is_correlated(just, seen.len()) {
            self.warnings.correlated.insert(service.id.clone());
            if !work.first {
                let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                let (down, of) = (count(just), count(seen.len()));
                work.told.push(Happening::Correlated { service: service.id.clone(), down, of });
            }
        }
    }

    /// Warns where what is left of a service could not carry its load; `all`: orders, loads or the fleet have changed.
    pub(super) fn weigh_loads(&mut self, snapshot: &Snapshot, all: bool, work: &mut Work) {
        let mut touched = std::mem::take(&mut self.warnings.touched);
        if all {
            touched.clone_from(&self.warnings.stating);
        }
        if touched.is_empty() {
            return;
        }
        let orders = Orders::new(&snapshot.fleet, &snapshot.overrides);
        for ix in touched {
            let Some(capacity) = capacity::with(snapshot, &orders, ix) else { continue };
            let service = snapshot.fleet.service(ix).id.clone();
            let was_short = self.warnings.short.contains(&service);
            let is_short = capacity.is_short() || (was_short && capacity.is_tight());
            if was_short == is_short {
                continue;
            }
            if is_short {
                self.warnings.short.insert(service.clone());
            } else {
                self.warnings.short.remove(&service);
            }
            if !work.first {
                work.told.push(Happening::Overload { service, active: is_short, serving: capacity.serving_percent() });
            }
        }
    }
}
