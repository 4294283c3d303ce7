//! From pools and members to candidates, one family at a time, best ground first.

use super::{Answers, Basis, Candidate, Choice, MemberView, Pinned, PoolState, PoolView, Side};
use crate::model::{Availability, EndpointId, Family, Fleet, Health, PoolId, Service, WhenNone};

pub(super) struct Chooser<'d> {
    pub(super) fleet: &'d Fleet,
    pub(super) service: &'d Service,
    pub(super) pools: &'d [PoolView],
    pub(super) pin: Option<&'d Pinned>,
    pub(super) last_good: Option<&'d [(PoolId, EndpointId)]>,
}

/// Pools with a reason to take them.
type Found = Option<(Basis, Box<[Choice]>)>;

impl Chooser<'_> {
    pub(super) fn sides(&self) -> [Side; 2] {
        let healthy = Family::ALL.map(|family| self.healthy(family));
        let something = healthy.iter().any(Option::is_some);
        let mut sides = Family::ALL.map(|family| {
            if !self.arms().flat_map(|pool| pool.members.iter()).any(|member| member.has(family)) {
                return Side { basis: Basis::NoFamily, answers: Answers::NoData };
            }
            match &healthy[family.index()] {
                Some((basis, choices)) => Side { basis: *basis, answers: Answers::From(choices.clone()) },
                None => self.none_healthy(family, something),
            }
        });
        self.share_last_resort(&mut sides);
        sides
    }

    /// While the last resort answers in one family, it answers in a family that only it has.
    fn share_last_resort(&self, sides: &mut [Side; 2]) {
        if sides.iter().any(|side| side.basis == Basis::LastResort) {
            for family in Family::ALL {
                let side = &mut sides[family.index()];
                if let (Basis::NoFamily, Some((basis, choices))) = (side.basis, self.last_resort(family)) {
                    *side = Side { basis, answers: Answers::From(choices) };
                }
            }
        }
    }

    fn arms(&self) -> impl Iterator<Item = &PoolView> {
        self.pools.iter().filter(|pool| !pool.last_resort)
    }

    /// Healthy members, from the best ground that has some.
    fn healthy(&self, family: Family) -> Found {
        let pinned = self.pinned(|pool| {
            let serving = serving(pool, family);
            if serving.is_empty() { standby(pool, family) } else { serving }
        });
        let open = || self.arms().filter(|pool| pool.state == PoolState::Open);
        pinned
            .or_else(|| found(Basis::Healthy, open(), |pool| serving(pool, family)))
            .or_else(|| self.braked(family))
            .or_else(|| found(Basis::Standby, self.arms(), |pool| standby(pool, family)))
            .or_else(|| found(Basis::Kept, self.arms(), |pool| kept(pool, family)))
    }

    /// No pool is open: those of which something serves, in order, and all of them where too little does.
    fn braked(&self, family: Family) -> Found {
        let panics = |pool: &PoolView| pool.state == PoolState::Panic && !serving(pool, family).is_empty();
        let members = |pool: &PoolView| if panics(pool) { all(pool, family) } else { serving(pool, family) };
        let (_, choices) = found(Basis::Short, self.arms(), members)?;
        let first = self.arms().find(|pool| pool.pool == choices[0].pool)?;
        Some((if panics(first) { Basis::Panic } else { Basis::Short }, choices))
    }

    /// The pool the service is pinned to, if it has candidates.
    fn pinned(&self, of: impl Fn(&PoolView) -> Vec<Candidate>) -> Found {
        let pin = self.pin?;
        found(Basis::Healthy, self.pools.iter().filter(|pool| pool.pool == pin.pool).take(1), of)
    }

    /// `elsewhere`: another family has healthy answers. Then a client that finds nothing here goes there, while a
    /// failure or a last resort in this family would keep it from doing so.
    fn none_healthy(&self, family: Family, elsewhere: bool) -> Side {
        let none = |basis, answers| Side { basis, answers };
        let found = match self.service.when_none {
            WhenNone::Nodata => return none(Basis::Nodata, Answers::NoData),
            WhenNone::Servfail if elsewhere => return none(Basis::Nodata, Answers::NoData),
            WhenNone::Servfail => return none(Basis::Servfail, Answers::ServFail),
            WhenNone::ServeAll => None,
            WhenNone::LastGood => self.last_good(family),
            WhenNone::LastResort if elsewhere => None,
            WhenNone::LastResort => self.last_resort(family),
        };
        match found.or_else(|| self.serve_all(family)).or_else(|| self.last_resort(family)) {
            Some((basis, choices)) => none(basis, Answers::From(choices)),
            None => none(Basis::Servfail, Answers::ServFail),
        }
    }

    /// Pins, drains, weights and the order of pools hold as if every endpoint were up.
    fn serve_all(&self, family: Family) -> Found {
        let pinned = self.pinned(|pool| weighing(all(pool, family)));
        let pinned = pinned.map(|(_, choices)| (Basis::ServeAll, choices));
        pinned
            .or_else(|| found(Basis::ServeAll, self.arms(), |pool| weighing(all(pool, family))))
            .or_else(|| found(Basis::ServeAll, self.arms(), |pool| all(pool, family)))
            .or_else(|| found(Basis::ServeAll, self.arms(), |pool| undowned(pool, family)))
    }

    fn last_good(&self, family: Family) -> Found {
        let good = self.last_good?;
        found(Basis::LastGood, self.pools.iter(), |pool| {
            let id = &self.fleet.pool(pool.pool).id;
            let mut members = undowned(pool, family);
            members.retain(|candidate| {
                let endpoint = &self.fleet.endpoint(candidate.endpoint).id;
                good.iter().any(|(of, one)| of == id && one == endpoint)
            });
            members
        })
    }

    fn last_resort(&self, family: Family) -> Found {
        let pool = || self.pools.iter().filter(|pool| pool.last_resort);
        found(Basis::LastResort, pool(), |pool| serving(pool, family))
            .or_else(|| found(Basis::LastResort, pool(), |pool| standby(pool, family)))
            .or_else(|| found(Basis::LastResort, pool(), |pool| all(pool, family)))
            .or_else(|| found(Basis::LastResort, pool(), |pool| undowned(pool, family)))
    }
}

fn found<'p>(
    basis: Basis,
    pools: impl Iterator<Item = &'p PoolView>,
    of: impl Fn(&PoolView) -> Vec<Candidate>,
) -> Found {
    let choices: Box<[Choice]> = pools
        .filter_map(|pool| {
            let members = of(pool);
            let choice = |members: Vec<_>| Choice { pool: pool.pool, weight: pool.weight, members: members.into() };
            (!members.is_empty()).then(|| choice(members))
        })
        .collect();
    (!choices.is_empty()).then_some((basis, choices))
}

/// Free members with a share that work, or else those nobody knows about yet.
fn serving(pool: &PoolView, family: Family) -> Vec<Candidate> {
    let ranked = |fits: fn(Health) -> bool| {
        candidates(pool, family, |member, health| member.is_free() && 0 < member.weight.0 && fits(health))
    };
    let works = ranked(Health::works);
    if works.is_empty() { ranked(|health| health == Health::Unknown) } else { works }
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
        .map(|member| Candidate { endpoint: member.endpoint, weight: member.weight })
        .collect()
}

impl MemberView {
    fn has(&self, family: Family) -> bool {
        self.health[family.index()].is_some()
    }
}
