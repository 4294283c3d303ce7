//! Why a name gets the answer it gets: the same lookup, decision and pick as the doors', with the reasons kept.

mod picked;
mod trace;

use std::time::Duration;

pub use self::trace::{
    Answered, BusyTrace, ClientTrace, Drawn, Fit, MemberTrace, NameTrace, NextTrace, PickTrace, PoolTrace, RankTrace,
    RuleTrace, SteeringTrace, Trace, Until,
};
use super::{
    AnswerTable, Client, Draw, Lookup, Steering,
    decide::{Branch, Decision, MemberView, PoolView, WHOLE, decide, orders},
};
use crate::{
    judge::Orders,
    model::{DnsName, Family, Mono, OverrideId, PoolAnswer, Rule, Snapshot, Steer, When, kind},
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
        let steering = steering
            .map(|steering| Explaining::new(self.snapshot(), steering, client, draw.now).trace(family, client, draw));
        let (node, generation) = (self.snapshot().node.clone(), self.generation);
        Trace { name: name.clone(), kind: asked, node, generation, at, steering }
    }
}

struct Explaining<'t> {
    snapshot: &'t Snapshot,
    steering: &'t Steering,
    decision: Decision,
    rule: Option<usize>,
    now: Mono,
}

impl<'t> Explaining<'t> {
    fn new(snapshot: &'t Snapshot, steering: &'t Steering, client: &mut Client<'_>, now: Mono) -> Self {
        let orders = Orders::new(&snapshot.fleet, &snapshot.overrides);
        // While nothing is healthy the set remembered is still the one that was decided with; else it is not read.
        let good = steering.good_by_id(&snapshot.fleet);
        let decision = decide(snapshot, &orders, steering.service_ix(), good.as_deref());
        Self { snapshot, steering, decision, rule: steering.rule(client), now: now.max(snapshot.at.mono) }
    }

    fn left(&self, until: Mono) -> Duration {
        until.since(self.now)
    }

    fn branch(&self) -> &Branch {
        self.decision.branch(self.rule)
    }

    fn trace(&self, family: Option<Family>, client: &mut Client<'_>, draw: Draw) -> SteeringTrace {
        let fleet = &self.snapshot.fleet;
        let about = fleet.service(self.decision.service);
        let branch = self.branch();
        let pin = branch.pin.as_ref();
        let pick = family.map(|family| self.pick(family, client, draw));
        let known = client.known();
        // What the answer looked at, before anything is looked at for people.
        let client_trace =
            ClientTrace { geo: known.geo, asn: known.asn, placed: known.at.is_some(), scope: client.scope() };
        let rule = self.rule.and_then(|nth| Some((nth, about.rules.get(nth)?)));
        SteeringTrace {
            service: about.id.clone(),
            client: client_trace,
            rule: rule.map(|(nth, rule)| because(nth, rule, client)),
            steer: branch.steer,
            ttl: about.ttl,
            pin: pin.map(|pin| (fleet.pool(pin.pool).id.clone(), pin.order.clone(), pin.void)),
            overrides: self.overrides(),
            pools: self.pools(family).map(|pool| self.pool(pool, family)).collect(),
            kept: branch.kept.iter().map(|ix| fleet.endpoint(*ix).id.clone()).collect(),
            pick,
        }
    }

    /// Those of the rule, and where the service stands in for it those of the service behind them.
    fn pools(&self, family: Option<Family>) -> impl Iterator<Item = &PoolView> {
        let own = &self.branch().pools;
        let mut sides = Family::ALL.into_iter().filter(move |one| family.is_none_or(|family| family == *one));
        let base = sides.any(|family| self.branch().side(family).stands_in).then_some(&self.decision.base.pools);
        let other = |pool: &&PoolView| !own.iter().any(|one| one.pool == pool.pool);
        own.iter().chain(base.into_iter().flatten().filter(other))
    }

    /// Every order that governs something here, each once, oldest first.
    fn overrides(&self) -> Vec<OverrideId> {
        let pin = self.branch().pin.iter().map(|pin| &pin.order);
        let members = self.pools(None).flat_map(|pool| &pool.members);
        let members = members.flat_map(|member| orders(self.snapshot, member));
        let mut found: Vec<OverrideId> = pin.chain(members).cloned().collect();
        found.sort();
        found.dedup();
        found
    }

    fn pool(&self, view: &PoolView, family: Option<Family>) -> PoolTrace {
        let pool = self.snapshot.fleet.pool(view.pool);
        let by_load = pool.answer == PoolAnswer::LeastConnections || self.branch().steer == Steer::LeastConnections;
        PoolTrace {
            pool: pool.id.clone(),
            weight: view.weight,
            share: view.share,
            waits: view.waits_until.map(|end| self.left(end)),
            last_resort: view.last_resort,
            state: view.state,
            serving: view.serving,
            min_up: pool.min_up,
            members: view.members.iter().map(|member| self.member(member, family, by_load)).collect(),
        }
    }

    fn member(&self, member: &MemberView, family: Option<Family>, by_load: bool) -> MemberTrace {
        let endpoint = self.snapshot.fleet.endpoint(member.endpoint);
        let shown = |one: &Family| family.is_none_or(|family| family == *one);
        // Without a family the worst of both is shown, as in the list of endpoints.
        let families = Family::ALL.into_iter().filter(shown);
        let seen = families.filter_map(|family| Some((member.health[family.index()]?, family)));
        let worst = seen.max_by_key(|(health, _)| *health);
        let at = worst.map(|(_, family)| family.index());
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
            share: at.map_or(WHOLE, |at| member.share[at]),
            leaving: member.leaving.is_some(),
            returned: at.and_then(|at| member.returned[at]).map(|at| self.now.since(at)),
            hold: verdict.and_then(|verdict| verdict.hold),
            flips_in: at.and_then(|at| member.flips_at[at]).map(|at| self.left(at)),
            busy: by_load.then(|| BusyTrace {
                load: self.snapshot.feeds.loads.get(&endpoint.id).copied(),
                capacity: endpoint.capacity,
            }),
        }
    }
}

/// Of each kind that the rule names the first that fits: the same the door found.
fn because(nth: usize, rule: &Rule, client: &mut Client<'_>) -> RuleTrace {
    let mut fits = |when: When| client.fits(&when);
    let none = When::default;
    let when = &rule.when;
    let subnet = when.subnets.iter().find(|net| fits(When { subnets: Box::new([**net]), ..none() }));
    let geo = when.geo.iter().find(|code| fits(When { geo: Box::new([**code]), ..none() }));
    let asn = when.asn.iter().find(|number| fits(When { asn: Box::new([**number]), ..none() }));
    let because = [subnet.copied().map(Fit::Subnet), geo.copied().map(Fit::Geo), asn.copied().map(Fit::Asn)];
    let because = because.into_iter().flatten().collect();
    RuleTrace { nth, place: rule.place.clone(), because, geofence: rule.geofence }
}

#[cfg(test)]
mod tests;
