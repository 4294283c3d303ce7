//! What one service may answer now, and why.

use crate::{
    judge,
    model::{EndpointId, EndpointIx, Family, PoolId, PoolIx, ServiceIx, Snapshot, Weight},
};

/// What a service may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Of which service.
    pub service: ServiceIx,
    /// By family, IPv4 first.
    pub sides: [Side; 2],
}

impl Decision {
    /// One family's part.
    #[must_use]
    pub fn side(&self, family: Family) -> &Side {
        &self.sides[family.index()]
    }
}

/// What is answered in one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// What.
    pub answers: Answers,
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
    /// Never empty; each has an address of the family.
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

/// Decides for one service.
#[must_use]
pub fn decide(
    snapshot: &Snapshot,
    _orders: &judge::Orders<'_>,
    service: ServiceIx,
    _last_good: Option<&[(PoolId, EndpointId)]>,
) -> Decision {
    let fleet = &snapshot.fleet;
    let about = fleet.service(service);
    let side = |family: Family| {
        let choices: Box<[Choice]> = (about.arms.iter())
            .filter_map(|arm| {
                let members: Box<[Candidate]> = (fleet.pool(arm.pool).members.iter())
                    .filter(|member| fleet.endpoint(member.endpoint).addresses.of(family).is_some())
                    .map(|member| Candidate { endpoint: member.endpoint, weight: member.weight })
                    .collect();
                (!members.is_empty()).then_some(Choice { pool: arm.pool, weight: arm.weight, members })
            })
            .collect();
        Side { answers: if choices.is_empty() { Answers::NoData } else { Answers::From(choices) } }
    };
    Decision { service, sides: Family::ALL.map(side) }
}
