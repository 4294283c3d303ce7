//! What came of the brakes, as ballots tell it and as a node that starts takes it over (DECIDING section 8): it is not to
//! go through an incident again that the others have behind them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Brakes, is_down};
use crate::{
    control::{Controller, deciding::Work, slots::Slots, voters::Company},
    judge::freeze::AutoFreeze,
    model::{BrakeState, EndpointId, Health, Hold, Mono, Target},
};

impl Brakes {
    /// As the ballot tells it.
    pub(in crate::control) fn state(&self, slots: &Slots, now: Mono) -> BrakeState {
        let probed = slots.list.iter().flatten().filter_map(|slot| Some((slot, slot.probed.as_ref()?)));
        let out = probed.filter(|(slot, _)| slot.base == Health::Down && is_down(&slot.verdict));
        BrakeState {
            frozen: self.freeze.holds(),
            out: out.map(|(_, probed)| probed.target.clone()).collect(),
            left: self.budget.left().map(|(endpoint, at)| (endpoint.clone(), now.since(at))).collect(),
        }
    }
}

impl Controller {
    /// Whether all of these had left for most of the others when this process first counted with them.
    pub(super) fn had_left(&self, places: &[(usize, Health)]) -> bool {
        let Some(gone) = self.brakes.taken_over.as_ref().filter(|gone| !gone.is_empty()) else { return false };
        let target = |place: usize| Some(&self.slots.list[place].as_ref()?.probed.as_ref()?.target);
        places.iter().all(|(place, _)| target(*place).is_some_and(|target| gone.contains(target)))
    }

    /// What was taken over counts in the step in which the others' votes first do.
    pub(in crate::control) fn taken_over(&mut self) {
        self.brakes.taken_over.iter_mut().for_each(BTreeSet::clear);
    }

    /// A process that first counts with others, at least half of those it knows, takes over what most of them have let
    /// go, and whether they hold everything.
    pub(in crate::control) fn take_over(&mut self, now: Mono, work: &mut Work) {
        if self.brakes.taken_over.is_some() || self.voters.company() != Company::Heard {
            return;
        }
        let Some(others) = self.voters.brakes() else { return };
        let mut out: BTreeMap<&Target, usize> = BTreeMap::new();
        others.iter().flat_map(|brakes| &brakes.out).for_each(|target| *out.entry(target).or_default() += 1);
        let most = |count: usize| others.len() < count * 2;
        let gone = out.into_iter().filter(|(_, count)| most(*count)).map(|(target, _)| target.clone()).collect();
        let mut left: BTreeMap<&EndpointId, Vec<Duration>> = BTreeMap::new();
        let told = others.iter().flat_map(|brakes| &brakes.left);
        told.for_each(|(endpoint, ago)| left.entry(endpoint).or_default().push(*ago));
        let left =
            left.into_iter().filter(|(endpoint, agos)| most(agos.len()) && self.slots.fleet.has_endpoint(endpoint));
        for (endpoint, agos) in left {
            let ago = agos.iter().min().copied().unwrap_or_default();
            self.brakes.budget.recall(endpoint.clone(), now.before(ago));
        }
        if most(others.iter().filter(|brakes| brakes.frozen).count()) && !self.brakes.freeze.holds() {
            self.brakes.freeze = AutoFreeze::recalled();
            let detail = "most of the other nodes hold all removals, because nearly everything failed at once";
            self.tell_held(Hold::Freeze, true, detail.into(), work);
        }
        self.brakes.taken_over = Some(gone);
    }
}
