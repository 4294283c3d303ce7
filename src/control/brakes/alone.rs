//! More care while nobody else is heard (DECIDING section 4): what is measured down leaves only after one failure more than
//! usual, only while another endpoint of each of its services passes our own probes, and one failure domain a minute.
//! There is no floor for a pool.

use std::collections::{BTreeMap, BTreeSet};

use super::is_down;
use crate::{
    control::{Controller, voters::Right},
    judge::{alone::Domains, budget::Wish},
    model::{Availability, EndpointIx, Health, Mono, Vote},
};

impl Controller {
    /// While alone, or while nobody may judge: who may not leave for that, taken from the wishes.
    pub(super) fn keep_alone(
        &self,
        wishes: &mut Vec<Wish>,
        places: &BTreeMap<EndpointIx, Vec<(usize, Health)>>,
        now: Mono,
    ) -> BTreeSet<EndpointIx> {
        let holds = self.voters.right(self.slots.fleet.verdict.alone, self.self_test) == Right::Holds;
        if holds {
            wishes.clear();
            return places.keys().copied().collect();
        }
        if !self.voters.company().is_alone() {
            return BTreeSet::new();
        }
        let reached = |ix: &EndpointIx| self.brakes.waiting.get(ix).map_or(now, |waiting| waiting.reached);
        let mut waiting: Vec<(Mono, EndpointIx, Vec<usize>)> =
            places.iter().map(|(ix, of)| (reached(ix), *ix, of.iter().map(|(place, _)| *place).collect())).collect();
        waiting.sort_unstable();
        let leaving = self.leave_alone(&waiting, now);
        let fleet = &self.slots.fleet;
        wishes.retain(|wish| fleet.find_endpoint(wish.endpoint.as_str()).is_some_and(|ix| leaving.contains(&ix)));
        places.keys().copied().filter(|ix| !leaving.contains(ix)).collect()
    }

    /// Of what waits, in the order in which it fell: what may leave though we are alone. The domains are only asked.
    fn leave_alone(&self, waiting: &[(Mono, EndpointIx, Vec<usize>)], now: Mono) -> BTreeSet<EndpointIx> {
        let mut domains: Domains = self.brakes.domains.clone();
        let mut leaving = BTreeSet::new();
        for (_, endpoint, places) in waiting {
            let may = places.iter().all(|place| self.is_sure(*place) && self.is_dispensable(*place, &leaving));
            if may && domains.grant(self.slots.fleet.endpoint(*endpoint), now) {
                leaving.insert(*endpoint);
            }
        }
        leaving
    }

    /// Our own probes have failed once more than it takes.
    fn is_sure(&self, place: usize) -> bool {
        let probed = self.slots.list[place].as_ref().and_then(|slot| slot.probed.as_ref());
        let down = self.own_vote(place) == Some(Vote::Down);
        probed.filter(|_| down).is_some_and(|probed| {
            let fall = self.slots.fleet.check(probed.check).thresholds.fall;
            probed.standing.failed_in_a_row().is_some_and(|fails| fall < fails)
        })
    }

    /// In each of its services another endpoint serves and passes our own probe, and is not about to leave with it.
    fn is_dispensable(&self, place: usize, leaving: &BTreeSet<EndpointIx>) -> bool {
        !self.slots.urgent_if(place, |other| {
            let Some(slot) = &self.slots.list[other] else { return false };
            let passes = match &slot.probed {
                Some(probed) => matches!(probed.standing.vote(), Some(Vote::Up { .. })),
                None => true,
            };
            // Drained and healthy it serves as soon as nothing else works; ordered down it never does.
            let ordered_down = matches!(slot.verdict.order, Some((Availability::Down, _)));
            let serves = !ordered_down && slot.base != Health::Down && !is_down(&slot.verdict);
            passes && serves && !leaving.contains(&slot.endpoint)
        })
    }
}
