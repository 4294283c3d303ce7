//! Pools and members as one service sees them: verdicts and orders laid over each other, pools opened by the brakes,
//! and what comes back or leaves by steps.

use super::{Deciding, List};
use crate::{
    judge::{
        Strength,
        returning::{self, Opened},
    },
    model::{
        Action, Arm, Availability, EndpointIx, Family, Fleet, Health, Member, Mono, Override, OverrideId, PoolIx,
        Selector, ServiceIx, SubjectIx, Verdict, Weight,
    },
};

/// The whole of a share, in percent.
pub(in crate::steer) const WHOLE: u8 = 100;

/// A pin as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// To which pool.
    pub pool: PoolIx,
    /// By which order.
    pub order: OverrideId,
    /// The pool has no servable endpoint, so the pin does nothing.
    pub void: bool,
}

/// A pool as the service sees it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolView {
    /// Which pool.
    pub pool: PoolIx,
    /// Its share, where the service steers by weight.
    pub weight: Weight,
    /// It stands behind all others and is asked only when nothing else is healthy.
    pub last_resort: bool,
    /// In the order of the pool.
    pub members: Box<[MemberView]>,
    /// How many members count as up for opening the pool.
    pub serving: usize,
    /// Whether it takes part.
    pub state: PoolState,
    /// Since when enough of it serves.
    pub opened: Opened,
    /// It opened so lately that it stands behind pools that are open for longer, until then.
    pub waits_until: Option<Mono>,
    /// In percent: below 100 while its share grows, or shrinks because all that serves of it is drained in steps.
    pub share: u8,
}

/// Whether a pool takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolState {
    /// Enough of it serves.
    Open,
    /// Something of it serves, less than `min_up` asks.
    Short,
    /// Too little of it serves and no other pool is open: health is ignored inside.
    Panic,
    /// Nothing of it serves.
    Closed,
}

impl PoolState {
    /// The word it is shown as.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Short => "short",
            Self::Panic => "panic",
            Self::Closed => "closed",
        }
    }
}

/// A member of a pool as the service sees it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    /// Which endpoint.
    pub endpoint: EndpointIx,
    /// What is judged for it here.
    pub subject: SubjectIx,
    /// Its share in force.
    pub weight: Weight,
    /// The order that set the share.
    pub weighted_by: Option<OverrideId>,
    /// By family: what counts in this membership; `None` without an address of the family.
    pub health: [Option<Health>; 2],
    /// The availability order that governs this membership.
    pub order: Option<(Availability, OverrideId)>,
    /// A drain goes on by steps: so much of its share is left, in percent, and it still counts as serving.
    pub leaving: Option<u8>,
    /// By family: when it came back to this membership, as far as that still matters.
    pub returned: [Option<Mono>; 2],
    /// By family: in percent of its weight, below 100 while it comes back or leaves.
    pub share: [u8; 2],
    /// By family: the earliest time at which it may become down.
    pub flips_at: [Option<Mono>; 2],
}

impl MemberView {
    /// Out by a drain whose steps are over, or in or out by another order.
    pub(super) fn is(&self, availability: Availability) -> bool {
        self.leaving.is_none() && self.order.as_ref().is_some_and(|(ordered, _)| *ordered == availability)
    }

    /// Counts for opening a pool: not ordered out, and in some family it works or is not known to fail.
    fn serves(&self) -> bool {
        self.is_free() && self.health.iter().flatten().any(|health| *health != Health::Down)
    }

    /// Neither drained nor down by order.
    pub(super) fn is_free(&self) -> bool {
        !self.is(Availability::Drain) && !self.is(Availability::Down)
    }

    /// Since when it serves in some family; `None` for longer than that matters.
    fn serving_since(&self) -> Option<Mono> {
        let serving = self.health.iter().zip(self.returned);
        let serving = serving.filter(|(health, _)| health.is_some_and(|health| health != Health::Down));
        serving.map(|(_, returned)| returned).min().flatten()
    }
}

pub(super) fn pools(deciding: &Deciding<'_>, list: &List<'_>, elsewhere: bool) -> (Box<[PoolView]>, Option<Pinned>) {
    let lens = Lens::new(deciding);
    let last_resort = deciding.about.last_resort.iter().filter(|_| list.last_resort);
    let seen = list.arms.iter().map(|arm| (arm, false)).chain(last_resort.map(|arm| (arm, true)));
    let (mut pools, strengths): (Vec<PoolView>, Vec<Strength>) =
        seen.map(|(arm, last_resort)| lens.pool(arm, last_resort)).unzip();
    let open = pools.iter().filter(|pool| !pool.last_resort && pool.state == PoolState::Open).count();
    let open = open + usize::from(elsewhere);
    for (pool, strength) in pools.iter_mut().zip(strengths) {
        let alternative = 1 < open || (0 < open && pool.state != PoolState::Open);
        let panics = strength.panics(deciding.snapshot.fleet.safety.panic_below, alternative);
        // A pool of which nothing serves is not in panic: that is what `when_none_healthy` is for.
        if 0 < pool.serving && panics && !pool.last_resort {
            pool.state = PoolState::Panic;
        }
    }
    let pin = deciding.orders.pin(deciding.service).and_then(|(pool, order)| {
        let mut views = pools.iter().filter(|view| view.pool == pool).peekable();
        views.peek()?;
        Some(Pinned { pool, order: order.id.clone(), void: !views.any(|view| 0 < view.serving) })
    });
    (pools.into(), pin)
}

struct Lens<'d> {
    deciding: &'d Deciding<'d>,
    /// Something of the service may come back by steps: only then it matters what returned.
    returns: bool,
}

impl<'d> Lens<'d> {
    fn new(deciding: &'d Deciding<'d>) -> Self {
        let fleet = &deciding.snapshot.fleet;
        Self { deciding, returns: returns_slowly(fleet, deciding.service) }
    }

    fn pool(&self, arm: &Arm, last_resort: bool) -> (PoolView, Strength) {
        let Deciding { snapshot, about, .. } = self.deciding;
        let pool = snapshot.fleet.pool(arm.pool);
        let ramp = returning::ramp_of(pool, about);
        let mut members: Box<[MemberView]> = (pool.members.iter().zip(&arm.subjects))
            .map(|(member, subject)| self.member(arm.pool, member, *subject))
            .collect();
        for member in &mut members {
            let left = member.leaving.unwrap_or(WHOLE);
            member.share = member.returned.map(|returned| returning::share(returned, snapshot.at.mono, ramp).min(left));
        }
        let strength: Strength = members.iter().map(|member| (member.weight, member.serves())).collect();
        let serving = members.iter().filter(|member| member.serves()).count();
        let state = match serving {
            0 => PoolState::Closed,
            _ if strength.opens(pool.min_up) => PoolState::Open,
            _ => PoolState::Short,
        };
        let opened = match state {
            PoolState::Open if self.returns => {
                let seen: Vec<(Weight, bool, Option<Mono>)> =
                    members.iter().map(|one| (one.weight, one.serves(), one.serving_since())).collect();
                returning::open_since(&seen, pool.min_up)
            }
            PoolState::Open => Opened::Always,
            PoolState::Short | PoolState::Panic | PoolState::Closed => Opened::Never,
        };
        let (now, failback) = (snapshot.at.mono, about.tuning.failback);
        // Where all that serves leaves by steps, nobody inside takes what it gives up: the pool itself leaves.
        let left = members.iter().filter(|member| member.serves()).map(|member| member.leaving.unwrap_or(WHOLE));
        let left = left.max().unwrap_or(WHOLE);
        let view = PoolView {
            pool: arm.pool,
            weight: arm.weight,
            last_resort,
            members,
            serving,
            state,
            opened,
            waits_until: opened.failback_end(failback).filter(|end| now < *end),
            share: returning::share(opened.ramps_from(failback), now, about.tuning.ramp).min(left),
        };
        (view, strength)
    }

    fn member(&self, pool: PoolIx, member: &Member, subject: SubjectIx) -> MemberView {
        let Deciding { snapshot, orders, service, .. } = self.deciding;
        let governing = orders.in_membership(*service, pool, member.endpoint);
        let order = governing.and_then(availability);
        let (weight, weighted_by) = match orders.weight(*service, pool, member.endpoint) {
            Some((weight, order)) => (weight, Some(order.id.clone())),
            None => (member.weight, None),
        };
        let drain = governing.filter(|order| order.action == Action::Drain);
        let leaving = drain.map(|drain| returning::over_share(drain, snapshot.at.wall)).filter(|left| 0 < *left);
        let ended = self.ended(pool, member.endpoint);
        let verdicts = Family::ALL.map(|family| snapshot.verdict_for(subject, family));
        let endpoint = snapshot.fleet.endpoint(member.endpoint);
        let returned = |verdict: Option<&Verdict>| verdict.and_then(|verdict| verdict.returned).max(ended);
        MemberView {
            endpoint: member.endpoint,
            subject,
            weight,
            weighted_by,
            health: Family::ALL
                .map(|family| endpoint.answers(family).then(|| health(verdicts[family.index()], order.as_ref()))),
            leaving,
            returned: verdicts.map(|verdict| returned(verdict).filter(|_| self.returns)),
            share: [WHOLE; 2],
            flips_at: verdicts.map(|verdict| verdict.and_then(|verdict| verdict.flips_at)),
            order,
        }
    }

    /// When the last order ended that had taken it out of this membership. Looked for only where something comes back
    /// by steps: it costs the orders that ended lately.
    fn ended(&self, pool: PoolIx, endpoint: EndpointIx) -> Option<Mono> {
        let Deciding { snapshot, service, .. } = self.deciding;
        let ended = snapshot.ended.iter().filter(|_| self.returns);
        let ours = ended.filter(|ended| covers(&snapshot.fleet, &ended.order.target, *service, pool, endpoint));
        ours.map(|ended| ended.at).max()
    }
}

/// Whether anything of a service comes back by steps: a failback or a ramp is set.
pub(in crate::steer) fn returns_slowly(fleet: &Fleet, service: ServiceIx) -> bool {
    let about = fleet.service(service);
    let ramps = || fleet.arms(about).any(|arm| fleet.pool(arm.pool).ramp.is_some_and(|ramp| !ramp.is_zero()));
    !about.tuning.failback.is_zero() || !about.tuning.ramp.is_zero() || ramps()
}

/// Whether a selector takes in a membership.
fn covers(fleet: &Fleet, target: &Selector, service: ServiceIx, pool: PoolIx, endpoint: EndpointIx) -> bool {
    match target {
        Selector::Pool(glob) => glob.fits(fleet.pool(pool).id.as_str()),
        Selector::Service(glob) => glob.fits(fleet.service(service).id.as_str()),
        Selector::All | Selector::Endpoint(_) | Selector::Label(..) | Selector::Region(_) | Selector::Provider(_) => {
            fleet.covers(target, endpoint)
        }
    }
}

/// What counts in a membership. The verdict already bears the endpoint-wide order; where a narrower one governs the
/// membership instead, what was measured comes back.
fn health(verdict: Option<&Verdict>, order: Option<&(Availability, OverrideId)>) -> Health {
    let Some(verdict) = verdict else { return Health::Unknown };
    match (order, &verdict.order) {
        (Some((Availability::Up, _)), _) => Health::Up,
        (_, Some((Availability::Up | Availability::Down, wide))) if order.is_some_and(|(_, id)| id != wide) => {
            verdict.measured
        }
        (_, _) => verdict.health,
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
