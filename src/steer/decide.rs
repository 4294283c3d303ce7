//! What one service may answer now, and why (DECIDING sections 5 to 7).
//!
//! In each family the first of these that is not empty: healthy members of open pools; healthy members of pools below
//! their `min_up`; healthy members of weight 0; healthy drained ones (`kept`); what `when_none_healthy` says. All of
//! it stays in the [`Decision`] as data, because explaining, the views and the effect of a dry run read the same.
//!
//! Families fall apart only where they must: pools open over endpoints, not over addresses, so that A and AAAA come
//! from one pool while it has healthy members of both.
//!
//! Each rule has a decision of its own over its own pools. Without `geofence` the service's pools stand behind them:
//! where the service without the rule answers on better ground, it stands in.

mod choose;
mod side;
mod timers;
mod view;

use std::collections::HashSet;

use self::choose::Chooser;
pub(super) use self::{choose::relative, timers::orders, view::WHOLE};
pub use self::{
    side::{Answers, Basis, Candidate, Choice, Side},
    view::{MemberView, Pinned, PoolState, PoolView},
};
use crate::{
    judge::Orders,
    model::{
        Arm, Availability, EndpointId, EndpointIx, Family, Mono, PoolId, PoolIx, Service, ServiceIx, Snapshot, Steer,
    },
};

/// What a service may answer, with everything it was decided from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Of which service.
    pub service: ServiceIx,
    /// For clients that no rule is for.
    pub base: Branch,
    /// For each rule of the service, in order.
    pub rules: Box<[Branch]>,
    /// The next end of a timer that touches the service: a failback, an override, a drain in steps.
    pub deadline: Option<Mono>,
}

/// What clients of one rule are answered, or those that no rule is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// How one of the open pools is chosen.
    pub steer: Steer,
    /// The pin that governs, if any.
    pub pin: Option<Pinned>,
    /// Its pools in order, the last resort behind them.
    pub pools: Box<[PoolView]>,
    /// By family, IPv4 first.
    pub sides: [Side; 2],
    /// Drained endpoints that go on serving because nothing else is healthy.
    pub kept: Box<[EndpointIx]>,
}

/// Decides for one service. `last_good` is the last set it answered while healthy, as far as one is known.
#[must_use]
pub fn decide(
    snapshot: &Snapshot,
    orders: &Orders<'_>,
    service: ServiceIx,
    last_good: Option<&[(PoolId, EndpointId)]>,
) -> Decision {
    let about = snapshot.fleet.service(service);
    let deciding = Deciding { snapshot, orders, service, about, last_good };
    let (base, found) = deciding.base();
    let rules = about.rules.iter().map(|rule| {
        let list = List { arms: &rule.arms, steer: rule.steer, last_resort: false };
        if rule.geofence { deciding.alone(&list, false).0 } else { deciding.before(&list, &base, &found) }
    });
    let rules = rules.collect();
    let deadline = timers::next(snapshot, [&base].into_iter().chain(&rules));
    Decision { service, base, rules, deadline }
}

/// Pools that answer together.
struct List<'l> {
    arms: &'l [Arm],
    steer: Steer,
    /// Whether the service's last resort stands behind them.
    last_resort: bool,
}

struct Deciding<'d> {
    snapshot: &'d Snapshot,
    orders: &'d Orders<'d>,
    service: ServiceIx,
    about: &'d Service,
    last_good: Option<&'d [(PoolId, EndpointId)]>,
}

/// By family: how good the healthy ground is on which a list answers.
type Grounds = [Option<choose::Ground>; 2];

impl Deciding<'_> {
    fn base(&self) -> (Branch, Grounds) {
        self.alone(&List { arms: &self.about.arms, steer: self.about.steer, last_resort: true }, false)
    }

    /// A list as if there were no other; `elsewhere`: a pool is open outside of it and may answer instead.
    fn alone(&self, list: &List<'_>, elsewhere: bool) -> (Branch, Grounds) {
        let (pools, pin) = view::pools(self, list, elsewhere);
        let (fleet, service) = (&self.snapshot.fleet, self.about);
        let (lead, last_good) = (list.arms[0].pool, self.last_good);
        let chooser = Chooser { fleet, service, steer: list.steer, lead, pools: &pools, pin: pin.as_ref(), last_good };
        let (sides, grounds) = chooser.sides();
        let mut branch = Branch { steer: list.steer, pin, pools, sides, kept: Box::default() };
        branch.kept = branch.kept(&branch.pools);
        (branch, grounds)
    }

    /// A rule's list with the service's own pools behind it. A pin to one of these holds for the rule too.
    fn before(&self, list: &List<'_>, base: &Branch, behind: &Grounds) -> Branch {
        let open = base.pools.iter().any(|pool| !pool.last_resort && pool.state == PoolState::Open);
        let (mut branch, grounds) = self.alone(list, open);
        for family in Family::ALL.map(Family::index) {
            let better = match (&grounds[family], &behind[family]) {
                (Some(own), Some(behind)) => behind < own,
                // Nothing is healthy anywhere: as the service is set, if that comes to anything.
                (None, None) => {
                    let (base, own) = (&base.sides[family], &branch.sides[family]);
                    base.basis != Basis::NoFamily && (!base.choices().is_empty() || own.choices().is_empty())
                }
                (None, Some(_)) => true,
                (Some(_), None) => false,
            };
            if better {
                branch.sides[family] = Side { stands_in: true, ..base.sides[family].clone() };
            }
        }
        if branch.pin.is_none() {
            branch.pin.clone_from(&base.pin);
        }
        branch.kept = branch.kept(branch.pools.iter().chain(&base.pools));
        branch
    }
}

impl Decision {
    /// The branch of a rule by its place, or of clients that no rule is for.
    #[must_use]
    pub fn branch(&self, rule: Option<usize>) -> &Branch {
        rule.and_then(|rule| self.rules.get(rule)).unwrap_or(&self.base)
    }

    /// Those of the rules in order, and behind them that of clients that no rule is for.
    pub fn branches(&self) -> impl Iterator<Item = &Branch> {
        self.rules.iter().chain([&self.base])
    }

    /// Drained endpoints that go on serving in some branch, none twice.
    #[must_use]
    pub fn kept(&self) -> Vec<EndpointIx> {
        let mut kept: Vec<EndpointIx> = self.branches().flat_map(|branch| branch.kept.iter().copied()).collect();
        kept.sort_unstable();
        kept.dedup();
        kept
    }
}

impl Branch {
    /// One family's part.
    #[must_use]
    pub fn side(&self, family: Family) -> &Side {
        &self.sides[family.index()]
    }

    /// The set to remember for `last-good`: what all families answer, while every family that the service has is
    /// healthy. While only some are, the set before it stays: it is still what the others last answered.
    pub(super) fn good(&self) -> Option<Vec<(PoolIx, EndpointIx)>> {
        let (healthy, absent): (Vec<&Side>, Vec<&Side>) = self.sides.iter().partition(|side| side.basis.is_healthy());
        if healthy.is_empty() || absent.iter().any(|side| side.basis != Basis::NoFamily) {
            return None;
        }
        let mut set: Vec<(PoolIx, EndpointIx)> = Vec::new();
        for choice in healthy.iter().flat_map(|side| side.in_force()) {
            set.extend(choice.members.iter().map(|member| (choice.pool, member.endpoint)));
        }
        let mut seen = HashSet::new();
        set.retain(|entry| seen.insert(*entry));
        Some(set)
    }

    fn kept<'p>(&self, pools: impl IntoIterator<Item = &'p PoolView>) -> Box<[EndpointIx]> {
        let members = pools.into_iter().flat_map(|pool| pool.members.iter().map(|member| (pool.pool, member)));
        let drained: HashSet<(PoolIx, EndpointIx)> = members
            .filter(|(_, member)| member.is(Availability::Drain))
            .map(|(pool, member)| (pool, member.endpoint))
            .collect();
        let mut kept = Vec::new();
        if drained.is_empty() {
            return kept.into();
        }
        for choice in self.sides.iter().flat_map(Side::in_force) {
            for candidate in &choice.members {
                if drained.contains(&(choice.pool, candidate.endpoint)) && !kept.contains(&candidate.endpoint) {
                    kept.push(candidate.endpoint);
                }
            }
        }
        kept.into()
    }
}

#[cfg(test)]
mod tests;
