//! Whether what is left of a service could carry what it carries: the operator is warned, and nothing is shed.
//!
//! The policy, in full: wayshift never takes an endpoint out because it has too much to do, and never keeps one in for
//! that; the last resort is no capacity. What must be carried is the sum over the endpoints that state a `capacity`:
//!
//! - the load, where it is known and fresh - also of one that has just left, whose traffic is about to come to the rest;
//! - where an endpoint that serves tells none: [`ASSUMED_USE`] of its capacity, the use that leaves room for one of
//!   three or four to fail;
//! - of one that does not serve and tells none: nothing if others tell theirs (what it carried they carry by now), and
//!   the same share if nobody does.
//!
//! Too little is left when that is more than what serves can carry. A warning ends once there is a tenth to spare. A
//! service in which nothing states a capacity is not judged; endpoints without one are left out.

use std::collections::BTreeMap;

use super::Orders;
use crate::model::{Availability, EndpointIx, Family, Health, ServiceIx, Snapshot};

/// What an endpoint of unknown load is taken to carry, in percent of its capacity.
pub const ASSUMED_USE: u8 = 70;
/// Of what serves, in percent, the load must be below before a warning ends.
pub const CALM_USE: u8 = 90;

/// What a service can carry, and what it has to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// Of all endpoints that state one.
    pub total: f64,
    /// Of those that serve.
    pub serving: f64,
    /// What must be carried.
    pub load: f64,
    /// Whether any load is known; otherwise all of it is assumed.
    pub measured: bool,
}

impl Capacity {
    /// More than what serves can carry.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.load > self.serving
    }

    /// Still too near to it for a warning to end.
    #[must_use]
    pub fn is_tight(&self) -> bool {
        self.load * 100.0 > self.serving * f64::from(CALM_USE)
    }

    /// The capacity that serves, in percent of all.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a float to integer cast saturates")]
    pub fn serving_percent(&self) -> u8 {
        if self.total > 0.0 { (self.serving * 100.0 / self.total).round().min(100.0) as u8 } else { 100 }
    }
}

/// A service's capacity as the snapshot has it - a real one, or one in which something is supposed to be down or
/// drained. `None` if nothing of it states a capacity.
#[must_use]
pub fn after(snapshot: &Snapshot, service: ServiceIx) -> Option<Capacity> {
    with(snapshot, &Orders::new(&snapshot.fleet, &snapshot.overrides), service)
}

/// The same with the orders at hand, for who asks for many services.
#[must_use]
pub fn with(snapshot: &Snapshot, orders: &Orders<'_>, service: ServiceIx) -> Option<Capacity> {
    let fleet = &snapshot.fleet;
    let about = fleet.service(service);
    let mut serves: BTreeMap<EndpointIx, bool> = BTreeMap::new();
    for arm in about.arms.iter().chain(about.rules.iter().flat_map(|rule| &rule.arms)) {
        for (member, subject) in fleet.pool(arm.pool).members.iter().zip(&arm.subjects) {
            let order = orders.in_membership(service, arm.pool, member.endpoint).map(|order| order.action.word());
            let health = || {
                let verdicts = Family::ALL.into_iter().filter_map(|family| snapshot.verdict(*subject, family));
                let health = verdicts.map(|verdict| match verdict.order {
                    // What an endpoint-wide order says is in `order`, unless a narrower one overrules it.
                    Some((Availability::Up | Availability::Down, _)) => verdict.measured,
                    Some((Availability::Drain, _)) | None => verdict.health,
                });
                health.min().unwrap_or(Health::Unknown) != Health::Down
            };
            let here = match order {
                Some("up") => true,
                Some(_) => false,
                None => health(),
            };
            *serves.entry(member.endpoint).or_default() |= here;
        }
    }
    let parts: Vec<(f64, bool, Option<f64>)> = (serves.into_iter())
        .filter_map(|(ix, serves)| {
            let endpoint = fleet.endpoint(ix);
            let load = snapshot.feeds.loads.get(&endpoint.id).map(|load| load.0);
            Some((f64::from(endpoint.capacity?), serves, load))
        })
        .collect();
    if parts.is_empty() {
        return None;
    }
    let measured = parts.iter().any(|(.., load)| load.is_some());
    let load = |(capacity, serves, load): &(f64, bool, Option<f64>)| match load {
        Some(load) => *load,
        None if *serves || !measured => capacity * f64::from(ASSUMED_USE) / 100.0,
        None => 0.0,
    };
    Some(Capacity {
        total: parts.iter().map(|(capacity, ..)| capacity).sum(),
        serving: parts.iter().filter(|(_, serves, _)| *serves).map(|(capacity, ..)| capacity).sum(),
        load: parts.iter().map(load).sum(),
        measured,
    })
}

#[cfg(test)]
mod tests;
