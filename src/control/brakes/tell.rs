//! What the brakes tell: outages, and what is held.

use crate::{
    control::{Controller, deciding::Work},
    judge::{budget, incident::State},
    model::{EndpointIx, Happening, Hold, RemovalBudget, ms},
};

impl Controller {
    pub(super) fn tell_outages(&mut self, work: &mut Work) {
        let fleet = &self.slots.fleet;
        for turn in self.brakes.outages.look(&self.brakes.conditions) {
            if !work.first {
                let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                let (group, id) = (turn.group.kind().to_owned(), turn.group.id().to_owned());
                let (down, of) = (count(turn.down), count(turn.of));
                work.told.push(Happening::Outage { group, id, active: turn.active, down, of });
            }
        }
        let (outages, conditions) = (&self.brakes.outages, &self.brakes.conditions);
        self.brakes.budget.belong(|id| {
            let ix = fleet.find_endpoint(id.as_str())?;
            outages.of(fleet, ix).filter(|_| conditions[ix.index()].state == State::Down)
        });
    }

    pub(super) fn tell_budget(&mut self, hold: Hold, policy: &RemovalBudget, work: &mut Work) {
        // What waits because nobody else is heard is told endpoint by endpoint, as any hold is.
        let held = |ix: &&EndpointIx| {
            let mut holds =
                self.slots.of_endpoint(**ix).filter_map(|place| self.slots.list[place].as_ref()?.verdict.hold);
            holds.any(|hold| hold == Hold::Budget)
        };
        let waiting = self.brakes.waiting.keys().filter(held).count();
        let slowed = hold == Hold::Budget && waiting > 0;
        if self.brakes.slowed == slowed {
            return;
        }
        self.brakes.slowed = slowed;
        let detail = if slowed {
            let (left, of) = (self.brakes.budget.spent(), self.slots.fleet.endpoints.len());
            let (allowed, per) = (budget::allowed(policy, of), ms(policy.per) / 1000);
            format!(
                "{left} removals of {of} endpoints within {per} s, of {allowed} allowed: {waiting} more wait for \
                 confirmation"
            )
        } else {
            "nothing waits any more".into()
        };
        self.tell_held(Hold::Budget, slowed, detail, work);
    }

    pub(super) fn tell_held(&self, hold: Hold, active: bool, detail: String, work: &mut Work) {
        if !work.first {
            work.told.push(Happening::Held { brake: hold.word().into(), endpoint: None, active, detail });
        }
    }
}
