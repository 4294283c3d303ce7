//! Pools and members as one service sees them: verdicts and orders laid over each other, pools opened by the brakes.

use super::{MemberView, Pinned, PoolState, PoolView};
use crate::{
    judge::{Orders, brakes::Strength},
    model::{
        Action, Arm, Availability, Family, Health, Member, Override, OverrideId, PoolIx, ServiceIx, Snapshot, SubjectIx,
    },
};

pub(super) fn pools(snapshot: &Snapshot, orders: &Orders<'_>, service: ServiceIx) -> (Box<[PoolView]>, Option<Pinned>) {
    let about = snapshot.fleet.service(service);
    let lens = Lens { snapshot, orders, service };
    let arms = about.arms.iter().map(|arm| (arm, false));
    let seen = arms.chain(about.last_resort.iter().map(|arm| (arm, true)));
    let (mut pools, strengths): (Vec<PoolView>, Vec<Strength>) =
        seen.map(|(arm, last_resort)| lens.pool(arm, last_resort)).unzip();
    let open = pools.iter().filter(|pool| !pool.last_resort && pool.state == PoolState::Open).count();
    for (pool, strength) in pools.iter_mut().zip(strengths) {
        let alternative = 1 < open || (0 < open && pool.state != PoolState::Open);
        let panics = strength.panics(snapshot.fleet.safety.panic_below, alternative);
        // A pool of which nothing serves is not in panic: that is what `when_none_healthy` is for.
        if 0 < pool.serving && panics && !pool.last_resort {
            pool.state = PoolState::Panic;
        }
    }
    let pin = orders.pin(service).map(|(pool, order)| {
        let servable = pools.iter().any(|view| view.pool == pool && 0 < view.serving);
        Pinned { pool, order: order.id.clone(), void: !servable }
    });
    (pools.into(), pin)
}

struct Lens<'s> {
    snapshot: &'s Snapshot,
    orders: &'s Orders<'s>,
    service: ServiceIx,
}

impl Lens<'_> {
    fn pool(&self, arm: &Arm, last_resort: bool) -> (PoolView, Strength) {
        let pool = self.snapshot.fleet.pool(arm.pool);
        let members: Box<[MemberView]> = (pool.members.iter().zip(&arm.subjects))
            .map(|(member, subject)| self.member(arm.pool, member, *subject))
            .collect();
        let strength: Strength = members.iter().map(|member| (member.weight, member.serves())).collect();
        let serving = members.iter().filter(|member| member.serves()).count();
        let state = match serving {
            0 => PoolState::Closed,
            _ if strength.opens(pool.min_up) => PoolState::Open,
            _ => PoolState::Short,
        };
        (PoolView { pool: arm.pool, weight: arm.weight, last_resort, members, serving, state }, strength)
    }

    fn member(&self, pool: PoolIx, member: &Member, subject: SubjectIx) -> MemberView {
        let order = self.orders.in_membership(self.service, pool, member.endpoint).and_then(availability);
        let (weight, weighted_by) = match self.orders.weight(self.service, pool, member.endpoint) {
            Some((weight, order)) => (weight, Some(order.id.clone())),
            None => (member.weight, None),
        };
        let endpoint = self.snapshot.fleet.endpoint(member.endpoint);
        let health = Family::ALL.map(|family| Some(self.health(subject, endpoint.judged_as(family)?, order.as_ref())));
        MemberView { endpoint: member.endpoint, subject, weight, weighted_by, health, order }
    }

    /// What counts in this membership. The verdict already bears the endpoint-wide order; where a narrower one governs
    /// the membership instead, what was measured comes back.
    fn health(&self, subject: SubjectIx, family: Family, order: Option<&(Availability, OverrideId)>) -> Health {
        let Some(verdict) = self.snapshot.verdict(subject, family) else { return Health::Unknown };
        match (order, &verdict.order) {
            (Some((Availability::Up, _)), _) => Health::Up,
            (_, Some((Availability::Up | Availability::Down, wide))) if order.is_some_and(|(_, id)| id != wide) => {
                verdict.measured
            }
            (_, _) => verdict.health,
        }
    }
}

fn availability(order: &Override) -> Option<(Availability, OverrideId)> {
    let availability = match order.action {
        Action::Up => Availability::Up,
        Action::Drain => Availability::Drain,
        Action::Down => Availability::Down,
        Action::Weight(_) | Action::Pin(_) | Action::Freeze => return None,
    };
    Some((availability, order.id.clone()))
}
