//! Which endpoints this node probes: handed out when that changes, and acted on: who does not probe does not vote.

use std::{collections::BTreeSet, sync::Arc};

use super::{Controller, deciding::Work};
use crate::{
    judge::vantages::{self, Roster, Vantage},
    model::{Duties, Duty, EndpointIx, Mono},
};

#[derive(Debug, Default)]
pub(super) struct Sharing {
    pub roster: Roster,
    duties: Arc<Duties>,
    /// Whether we probed at the last look; `None` before the second one, because the first counts whom memory knows.
    probes: Option<bool>,
}

impl Controller {
    /// Whether an endpoint is probed from here.
    pub(super) fn is_mine(&self, endpoint: EndpointIx) -> bool {
        let duties = &self.sharing.duties;
        duties.is_empty() || duties.get(&self.slots.fleet.endpoint(endpoint).id).copied().is_none_or(Duty::is_mine)
    }

    /// Looks at who is there; the new duties, if they have changed. What is ours no longer has no opinion of ours from
    /// now on, and what is ours again has none before its first result.
    pub(super) fn share_out(&mut self, now: Mono, work: &mut Work) -> Option<Arc<Duties>> {
        let new = self.new_duties(now, work);
        if new.is_some() || work.fleet_changed {
            let mut proof = std::mem::take(&mut self.proof);
            proof.survey(&self.slots.fleet, &self.me, |endpoint| self.is_mine(endpoint));
            self.proof = proof;
        }
        new
    }

    fn new_duties(&mut self, now: Mono, work: &mut Work) -> Option<Arc<Duties>> {
        let due = self.sharing.roster.wake_at().is_some_and(|at| at <= now);
        let probes = self.heartbeat.process().is_none_or(|process| process.probes);
        if !(due || work.met || work.fleet_changed || self.sharing.probes != Some(probes)) {
            return None;
        }
        self.sharing.probes = (!work.first).then_some(probes);
        let me =
            Vantage { node: self.me.node.clone(), region: self.me.region.clone(), provider: self.me.provider.clone() };
        let there: BTreeSet<Vantage> = self.voters.vantages(work.first).chain(probes.then_some(me)).collect();
        if !self.sharing.roster.look(&there, now) && !work.fleet_changed {
            return None;
        }
        let duties = vantages::duties(&self.slots.fleet, self.sharing.roster.members(), &self.me.node);
        if *self.sharing.duties == duties {
            return None;
        }
        self.sharing.duties = Arc::new(duties);
        for place in 0..self.slots.list.len() {
            let Some(endpoint) = self.slots.list[place].as_ref().map(|slot| slot.endpoint) else { continue };
            if !self.is_mine(endpoint) {
                self.slots.rest(place);
                work.recount.slots.push(place);
            }
        }
        Some(Arc::clone(&self.sharing.duties))
    }
}
