//! What came of the brakes, as ballots tell it and as a node that starts takes it over (DECIDING section 8): it is not to
//! go through an incident again that the others have behind them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Brakes, is_down};
use crate::{
    control::{
        Controller,
        deciding::Work,
        slots::{Slot, Slots},
        voters::Company,
    },
    judge::{freeze::AutoFreeze, incident::State},
    model::{BrakeState, EndpointId, EndpointIx, Health, Hold, Mono, Out},
};

/// More than this have to be out before a ballot tells what is held instead.
const OUT_LISTED_MAX: usize = 256;

impl Brakes {
    /// As the ballot tells it.
    pub(in crate::control) fn state(&self, slots: &Slots) -> BrakeState {
        let down = self.down.iter().filter_map(|place| slots.list[*place].as_deref());
        let (out, held): (Vec<&Slot>, Vec<&Slot>) = down.partition(|slot| slot.base == Health::Down);
        let targets = |slots: &[&Slot]| -> BTreeSet<_> {
            slots.iter().filter_map(|slot| Some(slot.probed.as_ref()?.target.clone())).collect()
        };
        BrakeState {
            frozen: self.freeze.holds(),
            out: if OUT_LISTED_MAX < out.len() && held.len() < out.len() {
                Out::AllBut { held: targets(&held), down: out.len() + held.len() }
            } else {
                Out::These(targets(&out))
            },
            left: self.budget.left().map(|(endpoint, at)| (endpoint.clone(), at)).collect(),
        }
    }
}

impl Controller {
    /// Whether all of these had left for most of the others when this process first counted with them. `down`: how many
    /// are [measured down](Self::measured_down).
    pub(super) fn had_left(&self, places: &[(usize, Health)], down: usize) -> bool {
        let Some(others) = self.brakes.taken_over.as_ref().filter(|others| !others.is_empty()) else { return false };
        let target = |place: usize| Some(&self.slots.list[place].as_ref()?.probed.as_ref()?.target);
        let most = |target| others.len() < others.iter().filter(|brakes| brakes.let_go(target, down)).count() * 2;
        places.iter().all(|(place, _)| target(*place).is_some_and(most))
    }

    /// Whether an endpoint is down as a whole.
    pub(super) fn is_out(&self, ix: EndpointIx) -> bool {
        self.brakes.conditions[ix.index()].state == State::Down
    }

    /// Takes down whether a slot is measured down; whose it is.
    pub(super) fn note_down(&mut self, place: usize) -> Option<EndpointIx> {
        let slot = self.slots.list[place].as_ref()?;
        if slot.probed.is_some() && is_down(&slot.verdict) {
            self.brakes.down.insert(place);
        } else {
            self.brakes.down.remove(&place);
        }
        Some(slot.endpoint)
    }

    /// How many targets are measured down, where what was taken over asks for it.
    pub(super) fn measured_down(&self) -> usize {
        if self.brakes.taken_over.as_ref().is_none_or(Vec::is_empty) {
            return 0;
        }
        self.brakes.down.len()
    }

    /// What was taken over counts in the step in which the others' votes first do.
    pub(in crate::control) fn taken_over(&mut self) {
        self.brakes.taken_over.iter_mut().for_each(Vec::clear);
    }

    /// A process that first counts with others, at least half of those it knows, takes over what most of them have let
    /// go, and whether they hold everything.
    pub(in crate::control) fn take_over(&mut self, now: Mono, work: &mut Work) {
        if self.brakes.taken_over.is_some() || self.voters.company() != Company::Heard {
            return;
        }
        let Some(others) = self.voters.brakes() else { return };
        let most = |count: usize| others.len() < count * 2;
        let mut left: BTreeMap<&EndpointId, Vec<Duration>> = BTreeMap::new();
        for (brakes, clock) in &others {
            for (endpoint, at) in &brakes.left {
                left.entry(endpoint).or_default().push(clock.since(*at));
            }
        }
        let left =
            left.into_iter().filter(|(endpoint, agos)| most(agos.len()) && self.slots.fleet.has_endpoint(endpoint));
        for (endpoint, agos) in left {
            let ago = agos.iter().min().copied().unwrap_or_default();
            self.brakes.budget.recall(endpoint.clone(), now.before(ago));
        }
        if most(others.iter().filter(|(brakes, _)| brakes.frozen).count()) && !self.brakes.freeze.holds() {
            self.brakes.freeze = AutoFreeze::recalled();
            let detail = "most of the other nodes hold all removals, because nearly everything failed at once";
            self.tell_held(Hold::Freeze, true, detail.into(), work);
        }
        self.brakes.taken_over = Some(others.into_iter().map(|(brakes, _)| brakes).collect());
    }
}
