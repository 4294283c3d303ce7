//! This node's own results: from observations to its votes, to what recovers, and to how soon it asks again.

use std::{collections::HashSet, sync::Arc};

use super::{Controller, deciding::Work, paths, slots::Slot};
use crate::model::{Family, Health, Mono, Now, Observation, OwnFault, Tempi, Tempo, Vote};

/// A family is suspected as a whole only if so many endpoints have it; fewer may well be down together.
const BLIND_ENDPOINTS_MIN: usize = 3;

impl Controller {
    pub(super) fn observe(&mut self, now: Now, seen: &Observation, work: &mut Work) {
        let Some(place) = self.slots.place(seen) else { return };
        // A probe that was on its way when others took over.
        if self.slots.list[place].as_ref().is_some_and(|slot| !self.is_mine(slot.endpoint)) {
            return;
        }
        // Only what is down can recover, and asking costs a walk over the endpoint's services.
        let is_down = |slot: &Slot| slot.probed.as_ref().is_some_and(|p| p.standing.health() == Health::Down);
        let urgent = self.slots.list[place].as_deref().is_some_and(is_down) && self.slots.urgent(place);
        let fleet = Arc::clone(&self.slots.fleet);
        let Some(slot) = &mut self.slots.list[place] else { return };
        let Some(probed) = &mut slot.probed else { return };
        let check = fleet.check(probed.check);
        self.proof.observe(&fleet, &self.me, slot.endpoint, check, seen);
        let ripe_before = probed.standing.ripe_at(check);
        probed.standing.observe(check, seen, urgent);
        let ripe = probed.standing.ripe_at(check);
        if ripe != ripe_before {
            ripe_before.map(|at| self.timers.remove(&(at, place)));
            ripe.map(|at| self.timers.insert((at, place)));
        }
        let tempo = probed.standing.tempo(now.mono);
        if self.tempi.get(&probed.target).copied().unwrap_or_default() != tempo {
            work.tempi.push(place);
        }
        work.own_votes = true;
        work.recount.slots.push(place);
        if paths::observe(slot, check, seen) {
            let endpoint = slot.endpoint;
            self.tell_path(endpoint);
        }
    }

    /// Recoveries whose cooldown has ended.
    pub(super) fn ripen(&mut self, now: Mono, work: &mut Work) {
        while let Some((at, place)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            self.timers.remove(&(at, place));
            self.turn_up_ripe(place, now, false, work);
        }
    }

    fn turn_up_ripe(&mut self, place: usize, now: Mono, urgent: bool, work: &mut Work) -> bool {
        let fleet = Arc::clone(&self.slots.fleet);
        let Some(probed) = self.slots.list[place].as_mut().and_then(|slot| slot.probed.as_mut()) else { return false };
        let check = fleet.check(probed.check);
        let before = probed.standing.ripe_at(check);
        let turned = probed.standing.ripen(check, now, urgent);
        if turned {
            before.map(|at| self.timers.remove(&(at, place)));
            work.own_votes = true;
            work.recount.slots.push(place);
            work.tempi.push(place);
        }
        turned
    }

    /// Where a service has lost its last healthy endpoint, what was recovering is taken at once.
    pub(super) fn hurry(&mut self, now: Now, work: &mut Work) {
        let fell: Vec<usize> = (work.changed.iter().copied())
            .filter(|place| self.slots.list[*place].as_ref().is_some_and(|slot| !slot.verdict.health.works()))
            .collect();
        let mut hurried = false;
        for place in fell {
            if !self.slots.urgent(place) {
                continue;
            }
            for other in self.slots.companions(place) {
                let recovers = |slot: &Slot| slot.probed.as_ref().is_some_and(|p| p.standing.recovers());
                if self.slots.list[other].as_deref().is_some_and(recovers) && self.slots.urgent(other) {
                    hurried |= self.turn_up_ripe(other, now.mono, true, work);
                }
            }
        }
        if hurried {
            self.count(now, work);
        }
    }

    /// Our vote; what is down in a family that fails as a whole is our own fault.
    pub(super) fn own_vote(&self, place: usize) -> Option<Vote> {
        let vote = self.slots.list[place].as_ref()?.probed.as_ref()?.standing.vote()?;
        Some(if vote == Vote::Down && self.blind[place % 2] { Vote::Abstain(OwnFault::NoFamily) } else { vote })
    }

    /// By family: every endpoint that has it is down there, and most of those that have the other are up in that.
    pub(super) fn blindness(&self) -> [bool; 2] {
        Family::ALL.map(|family| {
            let says = |place: usize| self.slots.list[place].as_ref()?.probed.as_ref()?.standing.vote();
            let mut down = HashSet::new();
            let (mut other_up, mut other_down) = (0_usize, 0_usize);
            for place in (family.index()..self.slots.list.len()).step_by(2) {
                match says(place) {
                    Some(Vote::Up { .. }) => return false,
                    Some(Vote::Down) => {}
                    Some(Vote::Abstain(_)) | None => continue,
                }
                if down.len() < BLIND_ENDPOINTS_MIN {
                    down.extend(self.slots.list[place].as_ref().map(|slot| slot.endpoint));
                }
                match says(place ^ 1) {
                    Some(Vote::Up { .. }) => other_up += 1,
                    Some(Vote::Down) => other_down += 1,
                    Some(Vote::Abstain(_)) | None => {}
                }
            }
            down.len() >= BLIND_ENDPOINTS_MIN && other_up > other_down
        })
    }

    pub(super) fn new_tempi(&mut self, now: Mono, work: &mut Work) -> Option<Arc<Tempi>> {
        if work.fleet_changed {
            let probed = self.slots.list.iter().flatten().filter_map(|slot| slot.probed.as_ref());
            let tempi = probed.map(|probed| (probed.target.clone(), probed.standing.tempo(now)));
            self.tempi = Arc::new(tempi.filter(|(_, tempo)| *tempo != Tempo::Steady).collect());
            return Some(Arc::clone(&self.tempi));
        }
        let probed = |place: &usize| self.slots.list[*place].as_ref()?.probed.as_ref();
        let changes: Vec<_> = (work.tempi.drain(..))
            .filter_map(|place| probed(&place).map(|probed| (probed.target.clone(), probed.standing.tempo(now))))
            .filter(|(target, tempo)| self.tempi.get(target).copied().unwrap_or_default() != *tempo)
            .collect();
        if changes.is_empty() {
            return None;
        }
        let tempi = Arc::make_mut(&mut self.tempi);
        for (target, tempo) in changes {
            if tempo == Tempo::Steady {
                tempi.remove(&target);
            } else {
                tempi.insert(target, tempo);
            }
        }
        Some(Arc::clone(&self.tempi))
    }
}
