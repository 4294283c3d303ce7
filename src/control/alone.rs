//! More care while nobody else is heard (DECIDING section 4): what is measured down leaves only after one failure more than
//! usual, only while another endpoint of each of its services passes our own probes, and one failure domain a minute.
//! There is no floor for a pool.

use std::collections::BTreeSet;

use super::{Controller, brakes::is_down};
use crate::{
    judge::alone::Domains,
    model::{EndpointIx, Health, Mono, Vote},
};

impl Controller {
    /// Of what waits, in the order in which it fell: what may leave though we are alone. The domains are only asked.
    pub(super) fn leave_alone(&self, waiting: &[(Mono, EndpointIx, Vec<usize>)], now: Mono) -> BTreeSet<EndpointIx> {
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
        probed.is_some_and(|probed| {
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
            let serves = slot.verdict.order.is_none() && slot.base != Health::Down && !is_down(&slot.verdict);
            passes && serves && !leaving.contains(&slot.endpoint)
        })
    }
}
