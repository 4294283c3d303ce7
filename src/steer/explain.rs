//! Why a name gets the answer it gets: the same lookup, decision and pick as the doors', with the reasons kept.

mod trace;

pub use self::trace::{Answered, Drawn, MemberTrace, NameTrace, NextTrace, PickTrace, PoolTrace, SteeringTrace, Trace};

use super::{
    AnswerTable, Client, Draw, Lookup, Picks, Seat, Seated, Steering,
    decide::{Branch, Choice, Decision, MemberView, PoolView, decide, orders},
    steering,
};
use crate::{
    judge::Orders,
    model::{DnsName, Family, Fleet, OverrideId, Snapshot, kind},
};

impl AnswerTable {
    /// Explains the answer this table gives for a draw.
    #[must_use]
    pub fn explain(&self, name: &DnsName, asked: u16, client: &mut Client<'_>, draw: Draw) -> Trace {
        let (at, steering) = match self.lookup(name.wire(), asked) {
            Lookup::NotOurs => (NameTrace::NotOurs, None),
            Lookup::NoName { zone } => (NameTrace::NoName { zone: zone.apex.clone() }, None),
            Lookup::Referral { zone, cut, .. } => {
                (NameTrace::Referral { zone: zone.apex.clone(), cut: cut.clone() }, None)
            }
            Lookup::Dname { zone, owner, .. } => {
                (NameTrace::Dname { zone: zone.apex.clone(), owner: owner.clone() }, None)
            }
            Lookup::Found { zone, sets, steering, wildcard } => {
                let kinds = sets.iter().map(|set| set.kind).collect();
                (NameTrace::Found { zone: zone.apex.clone(), wildcard, kinds }, steering)
            }
        };
        let family = match asked {
            kind::A => Some(Family::V4),
            kind::AAAA => Some(Family::V6),
            _ => None,
        };
        let steering =
            steering.map(|steering| Explaining::new(self.snapshot(), steering, client).trace(family, client, draw));
        let (node, generation) = (self.snapshot().node.clone(), self.generation);
        Trace { name: name.clone(), kind: asked, node, generation, at, steering }
    }
}

struct Explaining<'t> {
    snapshot: &'t Snapshot,
    steering: &'t Steering,
    decision: Decision,
    rule: Option<usize>,
}

impl<'t> Explaining<'t> {
    fn new(snapshot: &'t Snapshot, steering: &'t Steering, client: &mut Client<'_>) -> Self {
        let orders = Orders::new(&snapshot.fleet, &snapshot.overrides);
        // While nothing is healthy the set remembered is still the one that was decided with; else it is not read.
        let good = steering.good_by_id(&snapshot.fleet);
        let decision = decide(snapshot, &orders, steering.service_ix(), good.as_deref());
        Self { snapshot, steering, decision, rule: steering.rule(client) }
    }

    fn branch(&self) -> &Branch {
        self.decision.branch(self.rule)
    }

    fn trace(&self, family: Option<Family>, client: &mut Client<'_>, draw: Draw) -> SteeringTrace {
        let fleet = &self.snapshot.fleet;
        let about = fleet.service(self.decision.service);
        let branch = self.branch();
        let pin = branch.pin.as_ref();
        SteeringTrace {
            service: about.id.clone(),
            steer: branch.steer,
            ttl: about.ttl,
            pin: pin.map(|pin| (fleet.pool(pin.pool).id.clone(), pin.order.clone(), pin.void)),
            overrides: self.overrides(),
            pools: branch.pools.iter().map(|pool| self.pool(pool, family)).collect(),
            kept: branch.kept.iter().map(|ix| fleet.endpoint(*ix).id.clone()).collect(),
            pick: family.map(|family| self.pick(family, client, draw)),
        }
    }

    /// Every order that governs something here, each once, oldest first.
    fn overrides(&self) -> Vec<OverrideId> {
        let pin = self.branch().pin.iter().map(|pin| &pin.order);
        let members = self.branch().pools.iter().flat_map(|pool| &pool.members);
        let members = members.flat_map(|member| orders(self.snapshot, member));
        let mut found: Vec<OverrideId> = pin.chain(members).cloned().collect();
        found.sort();
        found.dedup();
        found
    }

    fn pool(&self, view: &PoolView, family: Option<Family>) -> PoolTrace {
        let pool = self.snapshot.fleet.pool(view.pool);
        PoolTrace {
            pool: pool.id.clone(),
            weight: view.weight,
            last_resort: view.last_resort,
            state: view.state,
            serving: view.serving,
            min_up: pool.min_up,
            members: view.members.iter().map(|member| self.member(member, family)).collect(),
        }
    }

    fn member(&self, member: &MemberView, family: Option<Family>) -> MemberTrace {
        let endpoint = self.snapshot.fleet.endpoint(member.endpoint);
        let shown = |one: &Family| family.is_none_or(|family| family == *one);
        // Without a family the worst of both is shown, as in the list of endpoints.
        let families = Family::ALL.into_iter().filter(shown);
        let seen = families.filter_map(|family| Some((member.health[family.index()]?, family)));
        let worst = seen.max_by_key(|(health, _)| *health);
        let verdict = worst.and_then(|(_, family)| self.snapshot.verdict_for(member.subject, family));
        MemberTrace {
            endpoint: endpoint.id.clone(),
            address: worst.and_then(|(_, family)| endpoint.address(family)),
            health: worst.map(|(health, _)| health),
            measured: verdict.map(|verdict| verdict.measured),
            cause: verdict.map(|verdict| verdict.cause.clone()),
            tally: verdict.map(|verdict| verdict.tally),
            weight: member.weight,
            weighted_by: member.weighted_by.clone(),
            order: member.order.clone(),
        }
    }

    fn pick(&self, family: Family, client: &mut Client<'_>, draw: Draw) -> PickTrace {
        let fleet = &self.snapshot.fleet;
        let side = self.branch().side(family);
        let mut picks = Picks::new();
        let outcome = self.steering.pick(family, client, draw, &mut picks);
        let picked: Vec<_> = picks
            .seats()
            .map(|seat| {
                (fleet.pool(seat.pool).id.clone(), fleet.endpoint(seat.endpoint).id.clone(), answered(fleet, seat))
            })
            .collect();
        PickTrace {
            family,
            basis: side.basis,
            answer: picks.seats().next().map(|seat| steering::answer(fleet, side, seat.pool)),
            drawn: self.steering.drawn(family, client, draw),
            outcome,
            next: self.next(family, &picks),
            picked,
        }
    }

    /// Who would answer next: the rest of the pools that were drawn from, then the other pools with candidates, then
    /// the last resort.
    fn next(&self, family: Family, picks: &Picks) -> Vec<NextTrace> {
        let fleet = &self.snapshot.fleet;
        let drawn = |choice: &&Choice| picks.seats().any(|seat| seat.pool == choice.pool);
        let (now, later): (Vec<&Choice>, Vec<&Choice>) = self.branch().side(family).choices().iter().partition(drawn);
        let rest = now.into_iter().chain(later).filter_map(|choice| {
            let left = choice.members.iter().filter(|one| !picks.seats().any(|seat| seat.endpoint == one.endpoint));
            let endpoints: Vec<_> = left.map(|one| fleet.endpoint(one.endpoint).id.clone()).collect();
            let pool = fleet.pool(choice.pool).id.clone();
            (!endpoints.is_empty()).then_some(NextTrace { pool, endpoints, last_resort: false })
        });
        let resort = self
            .branch()
            .pools
            .iter()
            .filter(|pool| pool.last_resort && !picks.seats().any(|seat| seat.pool == pool.pool));
        let resort = resort.map(|pool| NextTrace {
            pool: fleet.pool(pool.pool).id.clone(),
            endpoints: pool.members.iter().map(|member| fleet.endpoint(member.endpoint).id.clone()).collect(),
            last_resort: true,
        });
        rest.chain(resort).collect()
    }
}

fn answered(fleet: &Fleet, seat: &Seat) -> Answered {
    match seat.answer {
        Seated::Address(address) => Answered::Address(address),
        Seated::Target => {
            Answered::Target(fleet.endpoint(seat.endpoint).target().cloned().unwrap_or_else(DnsName::root))
        }
    }
}

#[cfg(test)]
mod tests;
