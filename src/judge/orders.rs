//! Which overrides govern what (DECIDING section 5): four lanes; within a lane the narrowest scope wins, then the more
//! conservative, then the newer.
//!
//! "More conservative" is `down` before `drain` before `up`, and the smaller weight; pins and freezes know no such
//! order. A local override comes before all that are shared, whatever its scope. "Newer" goes by id, because ids are sorted by creation and `created` of two nodes may be equal. An `up` that
//! is older than any `drain` or `down` over the same endpoint does not count, so that a forgotten `up` on one endpoint
//! cannot hold it in an evacuation of its provider.
//!
//! Why an index: deciding and compiling ask for every endpoint and membership. Building costs the overrides and what
//! they match; asking costs a few look-ups, and next to nothing while there are no overrides.

mod scoped;

use std::collections::HashMap;

use self::scoped::{Governs, Scoped};
use crate::model::{Action, EndpointIx, Fleet, Lane, Override, PoolIx, Selector, ServiceIx, SubjectIx, Weight};

/// The overrides in force, indexed once for a snapshot and asked for each endpoint and membership.
#[derive(Debug)]
pub struct Orders<'s> {
    /// What holds on this node alone comes before everything else (STATE rule 9).
    local: Option<Layer<'s>>,
    shared: Layer<'s>,
}

impl<'s> Orders<'s> {
    /// `active` are those that hold now.
    #[must_use]
    pub fn new(fleet: &'s Fleet, active: &'s [Override]) -> Self {
        let local = active.iter().any(|order| order.local).then(|| Layer::new(fleet, active, true));
        Self { local, shared: Layer::new(fleet, active, false) }
    }

    /// The availability order on an endpoint as such: scopes endpoint, label, region, provider, all.
    #[must_use]
    pub fn availability(&self, endpoint: EndpointIx) -> Option<&'s Override> {
        self.first(|layer| OfEachKind::governing(layer.availability.wide(layer.fleet, endpoint)))
    }

    /// The availability order on an endpoint as a member of a pool in a service: all scopes.
    #[must_use]
    pub fn in_membership(&self, service: ServiceIx, pool: PoolIx, endpoint: EndpointIx) -> Option<&'s Override> {
        let of = |layer: &Layer<'s>| {
            OfEachKind::governing(layer.availability.membership(layer.fleet, service, pool, endpoint))
        };
        self.first(of)
    }

    /// The ordered weight of a membership.
    #[must_use]
    pub fn weight(&self, service: ServiceIx, pool: PoolIx, endpoint: EndpointIx) -> Option<(Weight, &'s Override)> {
        self.first(|layer| {
            let lightest = layer.share.membership(layer.fleet, service, pool, endpoint);
            lightest.into_iter().flatten().next()?.0
        })
    }

    /// The pool a service is pinned to. A pin to a pool that is not one of the service's does not count; its last
    /// resort is one of them. Pins hold for the scopes service and all.
    #[must_use]
    pub fn pin(&self, service: ServiceIx) -> Option<(PoolIx, &'s Override)> {
        self.first(|layer| layer.pins.get(&service).map(|(pool, _, order)| (*pool, *order)))
    }

    /// The freeze that holds a subject's verdict; a freeze of a pool or service holds the subjects it uses.
    #[must_use]
    pub fn freeze(&self, subject: SubjectIx) -> Option<&'s Override> {
        self.first(|layer| layer.freeze(subject))
    }

    /// Whether no availability, share or choice order is in force: then nothing changes any answer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.local.iter().chain([&self.shared]).all(Layer::is_empty)
    }

    fn first<T>(&self, find: impl Fn(&Layer<'s>) -> Option<T>) -> Option<T> {
        self.local.as_ref().and_then(&find).or_else(|| find(&self.shared))
    }
}

/// Those of one store.
#[derive(Debug)]
struct Layer<'s> {
    fleet: &'s Fleet,
    availability: Scoped<'s, OfEachKind<'s>>,
    share: Scoped<'s, Lightest<'s>>,
    freeze: Scoped<'s, Newest<'s>>,
    frozen_uses: HashMap<SubjectIx, Uses<'s>>,
    pins: HashMap<ServiceIx, (PoolIx, Scope, &'s Override)>,
}

impl<'s> Layer<'s> {
    fn new(fleet: &'s Fleet, active: &'s [Override], local: bool) -> Self {
        let in_lane =
            |lane: Lane| active.iter().filter(move |order| order.local == local && order.action.lane() == lane);
        let mut layer = Self {
            fleet,
            availability: Scoped::new(fleet, in_lane(Lane::Availability)),
            share: Scoped::new(fleet, in_lane(Lane::Share)),
            freeze: Scoped::new(fleet, in_lane(Lane::Automation)),
            frozen_uses: HashMap::new(),
            pins: HashMap::new(),
        };
        layer.hold_uses();
        in_lane(Lane::Choice).for_each(|order| layer.pin_services(order));
        layer
    }

    fn freeze(&self, subject: SubjectIx) -> Option<&'s Override> {
        let [endpoint, label, region, provider, all] =
            self.freeze.wide(self.fleet, self.fleet.subject(subject).endpoint);
        let Uses { pool, service } = self.frozen_uses.get(&subject).copied().unwrap_or_default();
        [endpoint, pool, service, label, region, provider, all].into_iter().flatten().find_map(|newest| newest.0)
    }

    fn is_empty(&self) -> bool {
        self.availability.is_empty() && self.share.is_empty() && self.pins.is_empty()
    }

    fn hold_uses(&mut self) {
        if self.freeze.only_wide() {
            return;
        }
        for (ix, service) in self.fleet.services() {
            let by_service = self.freeze.of_service(ix);
            for arm in self.fleet.arms(service) {
                let by_pool = self.freeze.of_pool(arm.pool);
                if by_service.is_none() && by_pool.is_none() {
                    continue;
                }
                for subject in &arm.subjects {
                    let uses = self.frozen_uses.entry(*subject).or_default();
                    uses.service = Newest::later(uses.service, by_service);
                    uses.pool = Newest::later(uses.pool, by_pool);
                }
            }
        }
    }

    fn pin_services(&mut self, order: &'s Override) {
        let Action::Pin(pool) = &order.action else { return };
        let Some(pool) = self.fleet.find_pool(pool) else { return };
        let scope = scope(&order.target);
        for (ix, service) in self.fleet.services() {
            let named = match &order.target {
                Selector::All => true,
                Selector::Service(glob) => glob.fits(service.id.as_str()),
                Selector::Endpoint(_)
                | Selector::Pool(_)
                | Selector::Label(..)
                | Selector::Region(_)
                | Selector::Provider(_) => false,
            };
            if !named || !self.fleet.arms(service).any(|arm| arm.pool == pool) {
                continue;
            }
            let better = |held: &(PoolIx, Scope, &Override)| (held.1, &order.id) < (scope, &held.2.id);
            match self.pins.get(&ix) {
                Some(held) if better(held) => {}
                _ => {
                    self.pins.insert(ix, (pool, scope, order));
                }
            }
        }
    }
}

/// How narrow a selector is: smaller is narrower and wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// One endpoint.
    Endpoint,
    /// Memberships of a pool.
    Pool,
    /// What a service sees.
    Service,
    /// Endpoints with a label.
    Label,
    /// A region.
    Region,
    /// A provider.
    Provider,
    /// Everything.
    All,
}

/// The scope of a selector.
#[must_use]
pub fn scope(selector: &Selector) -> Scope {
    match selector {
        Selector::Endpoint(_) => Scope::Endpoint,
        Selector::Pool(_) => Scope::Pool,
        Selector::Service(_) => Scope::Service,
        Selector::Label(..) => Scope::Label,
        Selector::Region(_) => Scope::Region,
        Selector::Provider(_) => Scope::Provider,
        Selector::All => Scope::All,
    }
}

/// The newest availability orders of one scope, one of each kind.
#[derive(Debug, Clone, Copy, Default)]
struct OfEachKind<'s> {
    up: Option<&'s Override>,
    drain: Option<&'s Override>,
    down: Option<&'s Override>,
}

impl<'s> OfEachKind<'s> {
    /// Of scopes given narrow before wide.
    fn governing<const N: usize>(scopes: [Option<Self>; N]) -> Option<&'s Override> {
        let scopes = || scopes.iter().flatten();
        let last_out = scopes().flat_map(|s| [s.drain, s.down]).flatten().map(|order| &order.id).max();
        scopes().find_map(|s| s.down.or(s.drain).or_else(|| s.up.filter(|up| last_out.is_none_or(|out| *out < up.id))))
    }
}

impl<'s> Governs<'s> for OfEachKind<'s> {
    fn add(&mut self, order: &'s Override) {
        let place = match order.action {
            Action::Up => &mut self.up,
            Action::Drain => &mut self.drain,
            Action::Down => &mut self.down,
            Action::Weight(_) | Action::Pin(_) | Action::Freeze => return,
        };
        keep_newer(place, order);
    }

    fn absorb(&mut self, other: Self) {
        [other.up, other.drain, other.down].into_iter().flatten().for_each(|order| self.add(order));
    }
}

fn keep_newer<'s>(place: &mut Option<&'s Override>, order: &'s Override) {
    if place.is_none_or(|held| held.id < order.id) {
        *place = Some(order);
    }
}

/// The smallest ordered weight of one scope, the newest of equals.
#[derive(Debug, Clone, Copy, Default)]
struct Lightest<'s>(Option<(Weight, &'s Override)>);

impl<'s> Governs<'s> for Lightest<'s> {
    fn add(&mut self, order: &'s Override) {
        let Action::Weight(weight) = order.action else { return };
        if self.0.is_none_or(|(held, by)| weight < held || (weight == held && by.id < order.id)) {
            self.0 = Some((weight, order));
        }
    }

    fn absorb(&mut self, other: Self) {
        if let Some((_, order)) = other.0 {
            self.add(order);
        }
    }
}

/// The newest order of one scope.
#[derive(Debug, Clone, Copy, Default)]
struct Newest<'s>(Option<&'s Override>);

impl Newest<'_> {
    fn later(a: Option<Self>, b: Option<Self>) -> Option<Self> {
        match (a, b) {
            (Some(mut a), Some(b)) => {
                a.absorb(b);
                Some(a)
            }
            (one, other) => one.or(other),
        }
    }
}

impl<'s> Governs<'s> for Newest<'s> {
    fn add(&mut self, order: &'s Override) {
        keep_newer(&mut self.0, order);
    }

    fn absorb(&mut self, other: Self) {
        if let Some(order) = other.0 {
            self.add(order);
        }
    }
}

/// Freezes that reach a subject through what uses it.
#[derive(Debug, Clone, Copy, Default)]
struct Uses<'s> {
    pool: Option<Newest<'s>>,
    service: Option<Newest<'s>>,
}

#[cfg(test)]
mod tests;
