//! More care while no other region is heard (DECIDING sections 3 and 4): what we measure down leaves only once something
//! has proven our own network after that. While nobody at all is heard, besides: only after one failure more than usual,
//! only while another endpoint of each of its services passes our own probes, and one failure domain a minute. There is
//! no floor for a pool.

use std::collections::{BTreeMap, BTreeSet};

use super::is_down;
use crate::{
    control::{Controller, voters::Right},
    judge::{alone::Domains, budget::Wish},
    model::{Alone, Availability, EndpointIx, Health, Mono, Vote},
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
        let reached = |ix: &EndpointIx| self.brakes.waiting.get(ix).map_or(now, |waiting| waiting.reached);
        let mut waiting: Vec<(Mono, EndpointIx, Vec<usize>)> =
            places.iter().map(|(ix, of)| (reached(ix), *ix, of.iter().map(|(place, _)| *place).collect())).collect();
        waiting.sort_unstable();
        let leaving = if self.voters.company().is_alone() {
            self.leave_alone(&waiting, now)
        } else {
            self.leave_proven(&waiting)
        };
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

    /// Of what waits: what more than one region decided, or what we see down with a network that is proven. Where the
    /// others fall silent one by one, the last that votes on an endpoint may be the one that is cut off.
    fn leave_proven(&self, waiting: &[(Mono, EndpointIx, Vec<usize>)]) -> BTreeSet<EndpointIx> {
        let of_many = |place: usize| {
            let tally = self.slots.list[place].as_ref().map_or(0, |slot| slot.verdict.tally.cast());
            self.voters.known_regions() < 2 || 1 < tally
        };
        let votes = self.voters.right(self.slots.fleet.verdict.alone, self.self_test) == Right::Votes;
        let ours = |place: usize| votes && self.own_vote(place) == Some(Vote::Down);
        let may = |place: &usize| of_many(*place) || !ours(*place) || self.is_proven_since(*place);
        waiting.iter().filter(|(.., places)| places.iter().all(may)).map(|(_, endpoint, _)| *endpoint).collect()
    }

    /// Our own probes have failed once more than it takes, and since they did something else has passed.
    fn is_sure(&self, place: usize) -> bool {
        let probed = self.slots.list[place].as_ref().and_then(|slot| slot.probed.as_ref());
        let down = self.own_vote(place) == Some(Vote::Down);
        let fails = probed.filter(|_| down).is_some_and(|probed| {
            let fall = self.slots.fleet.check(probed.check).thresholds.fall;
            probed.standing.failed_in_a_row().is_some_and(|fails| fall < fails)
        });
        fails && (self.slots.fleet.verdict.alone == Alone::Judge || self.is_proven_since(place))
    }

    fn is_proven_since(&self, place: usize) -> bool {
        let probed = self.slots.list[place].as_ref().and_then(|slot| slot.probed.as_ref());
        // What was down before we began is down since then, for us.
        let since = probed.and_then(|probed| probed.standing.down_since()).unwrap_or(self.started);
        self.proof.is_newer_than(since)
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
