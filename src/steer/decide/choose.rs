//! From pools and members to candidates, one family at a time, best ground first.

use super::{Answers, Basis, Candidate, Choice, Grounds, MemberView, Pinned, PoolState, PoolView, Side, view::WHOLE};
use crate::model::{
    Availability, Degraded, EndpointId, Family, Fleet, Health, PoolId, PoolIx, Service, Steer, WhenNone,
};

pub(super) struct Chooser<'d> {
    pub(super) fleet: &'d Fleet,
    pub(super) service: &'d Service,
    pub(super) steer: Steer,
    /// The first pool written.
    pub(super) lead: PoolIx,
    pub(super) pools: &'d [PoolView],
    pub(super) pin: Option<&'d Pinned>,
    pub(super) last_good: Option<&'d [(PoolId, EndpointId)]>,
}

/// Healthy grounds, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ground {
    /// Ordered.
    Pinned,
    /// Open pools.
    Open,
    /// Open pools that wait for their failback.
    Waiting,
    /// Pools below their `min_up`.
    Short,
    /// Such in panic.
    Panic,
    /// Members of weight 0.
    Standby,
    /// Drained members.
    Kept,
}

/// Pools with a reason to take them.
#[derive(Debug, Clone)]
struct Found {
    basis: Basis,
    choices: Box<[Choice]>,
    /// How many of them answer now.
    reach: usize,
}

impl Found {
    fn on(self, ground: Ground) -> (Ground, Self) {
        (ground, self)
    }
}

impl Chooser<'_> {
    /// By family what is answered, and on how good a ground if it is a healthy one.
    pub(super) fn sides(&self) -> ([Side; 2], Grounds) {
        let healthy = Family::ALL.map(|family| self.healthy(family));
        let grounds = healthy.each_ref().map(|found| found.as_ref().map(|(ground, _)| *ground));
        let something = healthy.iter().any(Option::is_some);
        let mut of_family = healthy.into_iter();
        let mut sides = Family::ALL.map(|family| {
            // A pin may be to the last resort, which may have a family that nothing else has.
            if let Some((_, found)) = of_family.next().flatten() {
                return self.side(found);
            }
            if self.arms().flat_map(|pool| pool.members.iter()).any(|member| member.has(family)) {
                return self.none_healthy(family, something);
            }
            self.nothing(Basis::NoFamily, Answers::NoData)
        });
        self.share_last_resort(&mut sides);
        (sides, grounds)
    }

    fn side(&self, found: Found) -> Side {
        let Found { basis, choices, reach } = found;
        Side { basis, steer: self.steer, lead: self.lead, stands_in: false, reach, answers: Answers::From(choices) }
    }

    fn nothing(&self, basis: Basis, answers: Answers) -> Side {
        Side { basis, steer: self.steer, lead: self.lead, stands_in: false, reach: 0, answers }
    }

    /// While the last resort answers in one family, it answers in a family that only it has.
    fn share_last_resort(&self, sides: &mut [Side; 2]) {
        if sides.iter().any(|side| side.basis == Basis::LastResort) {
            for family in Family::ALL {
                let side = &mut sides[family.index()];
                if let (Basis::NoFamily, Some(found)) = (side.basis, self.last_resort(family)) {
                    *side = self.side(found);
                }
            }
        }
    }

    fn arms(&self) -> impl Iterator<Item = &PoolView> {
        self.pools.iter().filter(|pool| !pool.last_resort)
    }

    /// Healthy members, from the best ground that has some.
    fn healthy(&self, family: Family) -> Option<(Ground, Found)> {
        let pinned = self.pinned(|pool| {
            let serving = self.serving(pool, family);
            if serving.is_empty() { standby(pool, family) } else { serving }
        });
        let standby = || self.found(Basis::Standby, self.arms(), |pool| standby(pool, family));
        let kept = || self.found(Basis::Kept, self.arms(), |pool| kept(pool, family));
        (pinned.map(|found| found.on(Ground::Pinned)))
            .or_else(|| self.open(family))
            .or_else(|| self.braked(family))
            .or_else(|| standby().map(|found| found.on(Ground::Standby)))
            .or_else(|| kept().map(|found| found.on(Ground::Kept)))
    }

    /// Open pools. Those that wait for their failback stand behind the others, if these have something that works.
    fn open(&self, family: Family) -> Option<(Ground, Found)> {
        let open = || self.arms().filter(|pool| pool.state == PoolState::Open);
        let of = |pool: &PoolView| self.serving(pool, family);
        let (old, waiting): (Vec<&PoolView>, Vec<&PoolView>) = open().partition(|pool| pool.waits_until.is_none());
        let works = |pool: &&PoolView| pool.members.iter().any(|member| member.works(family));
        if !old.iter().any(works) {
            let mut all = self.found(Basis::Healthy, open(), of)?;
            // Nothing else is healthy: they need not grow.
            all.choices.iter_mut().for_each(|choice| choice.share = WHOLE);
            all.reach = self.reach(&all.choices, 0);
            return Some(all.on(if waiting.is_empty() { Ground::Open } else { Ground::Waiting }));
        }
        let mut first = self.found(Basis::Healthy, old.into_iter(), of)?;
        level(&mut first.choices);
        let behind = self.found(Basis::Healthy, waiting.into_iter(), of);
        let reach = self.reach(&first.choices, self.service.tuning.trickle);
        let choices = first.choices.into_iter().chain(behind.into_iter().flat_map(|behind| behind.choices));
        Some(Found { basis: Basis::Healthy, choices: choices.collect(), reach }.on(Ground::Open))
    }

    /// How many of these pools answer now. Where order chooses it is the first; and the next ones, while the first
    /// takes less than its share, and where some part always goes there.
    fn reach(&self, choices: &[Choice], trickle: u16) -> usize {
        match self.steer {
            Steer::Failover => {
                let whole = choices.iter().position(|choice| choice.share == WHOLE);
                let least = if 0 < trickle { 2 } else { 1 };
                whole.map_or(choices.len(), |at| at + 1).max(least).min(choices.len())
            }
            Steer::Nearest
            | Steer::Fastest
            | Steer::Weighted
            | Steer::RoundRobin
            | Steer::Random
            | Steer::LeastConnections
            | Steer::All => choices.len(),
        }
    }

    /// No pool is open: those of which something serves, in order, and all of them where too little does.
    fn braked(&self, family: Family) -> Option<(Ground, Found)> {
        let panics = |pool: &PoolView| pool.state == PoolState::Panic && !self.serving(pool, family).is_empty();
        let members = |pool: &PoolView| if panics(pool) { all(pool, family) } else { self.serving(pool, family) };
        let mut found = self.found(Basis::Short, self.arms(), members)?;
        let first = self.arms().find(|pool| pool.pool == found.choices[0].pool)?;
        if panics(first) {
            found.basis = Basis::Panic;
            return Some(found.on(Ground::Panic));
        }
        Some(found.on(Ground::Short))
    }

    /// The pool the service is pinned to, if it has candidates.
    fn pinned(&self, of: impl Fn(&PoolView) -> Vec<Candidate>) -> Option<Found> {
        let pin = self.pin?;
        self.found(Basis::Healthy, self.pools.iter().filter(|pool| pool.pool == pin.pool).take(1), of)
    }

    /// `elsewhere`: another family has healthy answers. Then a client that finds nothing here goes there, while a
    /// failure or a last resort in this family would keep it from doing so.
    fn none_healthy(&self, family: Family, elsewhere: bool) -> Side {
        let found = match self.service.when_none {
            WhenNone::Nodata => return self.nothing(Basis::Nodata, Answers::NoData),
            WhenNone::Servfail if elsewhere => return self.nothing(Basis::Nodata, Answers::NoData),
            WhenNone::Servfail => return self.nothing(Basis::Servfail, Answers::ServFail),
            WhenNone::ServeAll => None,
            WhenNone::LastGood => self.last_good(family),
            WhenNone::LastResort if elsewhere => None,
            WhenNone::LastResort => self.last_resort(family),
        };
        match found.or_else(|| self.serve_all(family)).or_else(|| self.last_resort(family)) {
            Some(found) => self.side(found),
            None => self.nothing(Basis::Servfail, Answers::ServFail),
        }
    }

    /// Pins, drains, weights and the order of pools hold as if every endpoint were up.
    fn serve_all(&self, family: Family) -> Option<Found> {
        let pinned = self.pinned(|pool| weighing(all(pool, family)));
        let pinned = pinned.map(|found| Found { basis: Basis::ServeAll, ..found });
        pinned
            .or_else(|| self.found(Basis::ServeAll, self.arms(), |pool| weighing(all(pool, family))))
            .or_else(|| self.found(Basis::ServeAll, self.arms(), |pool| all(pool, family)))
            .or_else(|| self.found(Basis::ServeAll, self.arms(), |pool| undowned(pool, family)))
    }

    fn last_good(&self, family: Family) -> Option<Found> {
        let good = self.last_good?;
        self.found(Basis::LastGood, self.pools.iter(), |pool| {
            let id = &self.fleet.pool(pool.pool).id;
            let mut members = undowned(pool, family);
            members.retain(|candidate| {
                let endpoint = &self.fleet.endpoint(candidate.endpoint).id;
                good.iter().any(|(of, one)| of == id && one == endpoint)
            });
            members
        })
    }

    fn last_resort(&self, family: Family) -> Option<Found> {
        let pool = || self.pools.iter().filter(|pool| pool.last_resort);
        self.found(Basis::LastResort, pool(), |pool| self.serving(pool, family))
            .or_else(|| self.found(Basis::LastResort, pool(), |pool| standby(pool, family)))
            .or_else(|| self.found(Basis::LastResort, pool(), |pool| all(pool, family)))
            .or_else(|| self.found(Basis::LastResort, pool(), |pool| undowned(pool, family)))
    }

    fn found<'p>(
        &self,
        basis: Basis,
        pools: impl Iterator<Item = &'p PoolView>,
        of: impl Fn(&PoolView) -> Vec<Candidate>,
    ) -> Option<Found> {
        let choices: Box<[Choice]> = pools
            .filter_map(|pool| {
                let members = of(pool);
                let (weight, share) = (pool.weight, pool.share);
                let choice = |members: Vec<_>| Choice { pool: pool.pool, weight, share, members: members.into() };
                (!members.is_empty()).then(|| choice(members))
            })
            .collect();
        let reach = self.reach(&choices, 0);
        (!choices.is_empty()).then_some(Found { basis, choices, reach })
    }

    /// Free members with a share that work; where the pool says so, those that work with a complaint only when no other
    /// does. Or else those nobody knows about yet.
    fn serving(&self, pool: &PoolView, family: Family) -> Vec<Candidate> {
        let ranked = |fits: fn(Health) -> bool| {
            candidates(pool, family, |member, health| member.is_free() && 0 < member.weight.0 && fits(health))
        };
        let well = match self.fleet.pool(pool.pool).degraded {
            Degraded::Last => ranked(|health| health == Health::Up),
            Degraded::Same => Vec::new(),
        };
        let works = if well.is_empty() { ranked(Health::works) } else { well };
        if works.is_empty() { ranked(|health| health == Health::Unknown) } else { works }
    }
}

/// Shares are relative to the largest: what one pool does not take yet, another takes. While all of them come back
/// together, as after an outage of everything, nobody stands ready to take it, and sending clients away from the pool
/// that order, distance or path chose would spare none of them anything.
fn level(choices: &mut [Choice]) {
    let most = choices.iter().map(|choice| choice.share).max().unwrap_or(WHOLE);
    choices.iter_mut().for_each(|choice| choice.share = relative(choice.share, most));
}

/// A share in percent of the largest there is; the whole where that is 0.
pub(in crate::steer) fn relative(share: u8, most: u8) -> u8 {
    let whole = u16::from(WHOLE);
    let part = (u16::from(share) * whole).checked_div(u16::from(most)).unwrap_or(whole);
    u8::try_from(part.min(whole)).unwrap_or(WHOLE)
}

/// Free members without a share that work or may work.
fn standby(pool: &PoolView, family: Family) -> Vec<Candidate> {
    candidates(pool, family, |member, health| member.is_free() && member.weight.0 == 0 && health != Health::Down)
}

/// Drained members that work, or else those nobody knows about yet.
fn kept(pool: &PoolView, family: Family) -> Vec<Candidate> {
    let drained = |fits: fn(Health) -> bool| {
        candidates(pool, family, |member, health| member.is(Availability::Drain) && fits(health))
    };
    let works = drained(Health::works);
    if works.is_empty() { drained(|health| health == Health::Unknown) } else { works }
}

/// Free members, whatever their health.
fn all(pool: &PoolView, family: Family) -> Vec<Candidate> {
    candidates(pool, family, |member, _| member.is_free())
}

/// Members that are not ordered down, whatever their health.
fn undowned(pool: &PoolView, family: Family) -> Vec<Candidate> {
    candidates(pool, family, |member, _| !member.is(Availability::Down))
}

/// Those with a share.
fn weighing(mut candidates: Vec<Candidate>) -> Vec<Candidate> {
    candidates.retain(|candidate| 0 < candidate.weight.0);
    candidates
}

fn candidates(pool: &PoolView, family: Family, fits: impl Fn(&MemberView, Health) -> bool) -> Vec<Candidate> {
    let members = pool.members.iter();
    members
        .filter(|member| member.health[family.index()].is_some_and(|health| fits(member, health)))
        .map(|member| Candidate {
            endpoint: member.endpoint,
            weight: member.weight,
            share: member.share[family.index()],
            flips_at: member.flips_at[family.index()],
        })
        .collect()
}

impl MemberView {
    /// Free, with a share, and known to work.
    fn works(&self, family: Family) -> bool {
        self.is_free() && 0 < self.weight.0 && self.health[family.index()].is_some_and(Health::works)
    }

    fn has(&self, family: Family) -> bool {
        self.health[family.index()].is_some()
    }
}
