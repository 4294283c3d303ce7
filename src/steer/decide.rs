//! What one service may answer now, and why (DECIDING sections 5 to 7).
//!
//! In each family the first of these that is not empty: healthy members of open pools; healthy members of pools below
//! their `min_up`; healthy members of weight 0; healthy drained ones (`kept`); what `when_none_healthy` says. All of
//! it stays in the [`Decision`] as data, because explaining, the views and the effect of a dry run read the same.
//!
//! Families fall apart only where they must: pools open over endpoints, not over addresses, so that A and AAAA come
//! from one pool while it has healthy members of both.

mod choose;
mod view;

use std::collections::HashSet;

use self::choose::Chooser;
use crate::{
    judge::Orders,
    model::{
        Availability, EndpointId, EndpointIx, Family, Health, OverrideId, PoolId, PoolIx, ServiceIx, Snapshot, Steer,
        SubjectIx, Weight,
    },
};

/// What a service may answer, with everything it was decided from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Of which service.
    pub service: ServiceIx,
    /// The pin that governs, if any.
    pub pin: Option<Pinned>,
    /// The service's pools in order, the last resort behind them.
    pub pools: Box<[PoolView]>,
    /// By family, IPv4 first.
    pub sides: [Side; 2],
    /// Drained endpoints that go on serving because nothing else is healthy.
    pub kept: Box<[EndpointIx]>,
}

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
}

/// What is answered in one family, and on what ground.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Why these.
    pub basis: Basis,
    /// What.
    pub answers: Answers,
}

/// On what ground a family is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Healthy members of open pools.
    Healthy,
    /// Healthy members of pools below their `min_up`: no pool is open.
    Short,
    /// Health is ignored inside a pool of which too little serves.
    Panic,
    /// Healthy members of weight 0: nothing else is healthy.
    Standby,
    /// Healthy drained members: nothing else is healthy.
    Kept,
    /// Nothing is healthy: as if every endpoint were up.
    ServeAll,
    /// Nothing is healthy: the last set answered while healthy.
    LastGood,
    /// Nothing is healthy: the last resort.
    LastResort,
    /// Nothing is healthy: no data, as set.
    Nodata,
    /// Nothing is healthy: server failure, as set or because nothing may be served at all.
    Servfail,
    /// No endpoint of the service has an address of this family.
    NoFamily,
}

impl Basis {
    /// The word it is shown as.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Short => "short",
            Self::Panic => "panic",
            Self::Standby => "standby",
            Self::Kept => "kept",
            Self::ServeAll => "serve-all",
            Self::LastGood => "last-good",
            Self::LastResort => "last-resort",
            Self::Nodata => "nodata",
            Self::Servfail => "servfail",
            Self::NoFamily => "no-family",
        }
    }

    /// Whether `when_none_healthy` answers.
    #[must_use]
    pub fn is_none_healthy(self) -> bool {
        match self {
            Self::ServeAll | Self::LastGood | Self::LastResort | Self::Nodata | Self::Servfail => true,
            Self::Healthy | Self::Short | Self::Panic | Self::Standby | Self::Kept | Self::NoFamily => false,
        }
    }

    /// Whether what is answered is healthy; such a set is remembered for `last-good`.
    #[must_use]
    pub fn is_healthy(self) -> bool {
        match self {
            Self::Healthy | Self::Short | Self::Standby | Self::Kept => true,
            Self::Panic
            | Self::ServeAll
            | Self::LastGood
            | Self::LastResort
            | Self::Nodata
            | Self::Servfail
            | Self::NoFamily => false,
        }
    }
}

/// What may be answered in one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answers {
    /// From these pools, in order of preference; never empty.
    From(Box<[Choice]>),
    /// Nothing, with SOA.
    NoData,
    /// Server failure.
    ServFail,
}

/// A pool that may answer, with the members that may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Which pool.
    pub pool: PoolIx,
    /// Its share, where the service steers by weight.
    pub weight: Weight,
    /// Never empty; each has an address of the family. In the order of the pool.
    pub members: Box<[Candidate]>,
}

/// A member that may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Which endpoint.
    pub endpoint: EndpointIx,
    /// Its share in force.
    pub weight: Weight,
}

/// Decides for one service. `last_good` is the last set it answered while healthy, as far as one is known.
#[must_use]
pub fn decide(
    snapshot: &Snapshot,
    orders: &Orders<'_>,
    service: ServiceIx,
    last_good: Option<&[(PoolId, EndpointId)]>,
) -> Decision {
    let fleet = &snapshot.fleet;
    let about = fleet.service(service);
    let (pools, pin) = view::pools(snapshot, orders, service);
    let chooser = Chooser { fleet, service: about, pools: &pools, pin: pin.as_ref(), last_good };
    let sides = chooser.sides();
    let mut kept = Vec::new();
    for side in &sides {
        let served = side.in_force(about.steer).iter().flat_map(|choice| choice.members.iter());
        for candidate in served {
            let drained = (pools.iter().flat_map(|pool| pool.members.iter()))
                .any(|member| member.endpoint == candidate.endpoint && member.is(Availability::Drain));
            if drained && !kept.contains(&candidate.endpoint) {
                kept.push(candidate.endpoint);
            }
        }
    }
    Decision { service, pin, pools, sides, kept: kept.into() }
}

impl Decision {
    /// One family's part.
    #[must_use]
    pub fn side(&self, family: Family) -> &Side {
        &self.sides[family.index()]
    }

    /// The set to remember for `last-good`: what all families answer, while every family that the service has is
    /// healthy. While only some are, the set before it stays: it is still what the others last answered.
    pub(super) fn good(&self, steer: Steer) -> Option<Vec<(PoolIx, EndpointIx)>> {
        let (healthy, absent): (Vec<&Side>, Vec<&Side>) = self.sides.iter().partition(|side| side.basis.is_healthy());
        if healthy.is_empty() || absent.iter().any(|side| side.basis != Basis::NoFamily) {
            return None;
        }
        let mut set: Vec<(PoolIx, EndpointIx)> = Vec::new();
        for choice in healthy.iter().flat_map(|side| side.in_force(steer)) {
            set.extend(choice.members.iter().map(|member| (choice.pool, member.endpoint)));
        }
        let mut seen = HashSet::new();
        set.retain(|entry| seen.insert(*entry));
        Some(set)
    }
}

impl Side {
    /// All pools that may answer, in order of preference.
    #[must_use]
    pub fn choices(&self) -> &[Choice] {
        match &self.answers {
            Answers::From(choices) => choices,
            Answers::NoData | Answers::ServFail => &[],
        }
    }

    /// The pools an answer is drawn from now: the first alone, where the service fails over.
    #[must_use]
    pub fn in_force(&self, steer: Steer) -> &[Choice] {
        let choices = self.choices();
        match steer {
            Steer::Failover => &choices[..choices.len().min(1)],
            Steer::Nearest
            | Steer::Fastest
            | Steer::Weighted
            | Steer::RoundRobin
            | Steer::Random
            | Steer::LeastConnections
            | Steer::All => choices,
        }
    }
}

impl MemberView {
    fn is(&self, availability: Availability) -> bool {
        self.order.as_ref().is_some_and(|(ordered, _)| *ordered == availability)
    }

    /// Counts for opening a pool: not ordered out, and in some family it works or is not known to fail.
    fn serves(&self) -> bool {
        self.is_free() && self.health.iter().flatten().any(|health| *health != Health::Down)
    }

    /// Neither drained nor down by order.
    fn is_free(&self) -> bool {
        !self.is(Availability::Drain) && !self.is(Availability::Down)
    }
}

#[cfg(test)]
mod tests;
