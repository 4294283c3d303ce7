//! What one service answers, compiled: for each family the pools that may answer and their members, ready to be drawn.

use std::collections::HashSet;

use super::{
    decide::{Answers, Choice, Decision, Side as Decided},
    pick::Seat,
    wheel::Wheel,
};
use crate::model::{
    ANSWER_ENDPOINTS_MAX, EndpointId, EndpointIx, Family, Fleet, PoolAnswer, PoolId, PoolIx, Service, ServiceId,
    ServiceIx, Steer, WhenNone,
};

/// One service's answers. Shared by the tables in which nothing about it differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steering {
    id: ServiceId,
    ix: ServiceIx,
    ttl: u32,
    steer: Steer,
    sides: [Side; 2],
    /// The last set answered while healthy, kept only where `when_none_healthy` asks for it.
    good: Option<Box<[(PoolIx, EndpointIx)]>>,
}

/// One family of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Side {
    NoData,
    ServFail,
    /// Never empty. The wheel, if weights choose among the rows.
    Rows {
        rows: Box<[Row]>,
        wheel: Option<Wheel>,
    },
}

/// A pool that may answer (or several merged into one); its seats are never empty, no address twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) answer: PoolAnswer,
    pub(super) count: u8,
    pub(super) seats: Box<[Seat]>,
    /// Only where weights choose.
    pub(super) wheel: Option<Wheel>,
}

impl Steering {
    /// The service's id.
    #[must_use]
    pub fn service(&self) -> &ServiceId {
        &self.id
    }

    /// The service's place in the fleet.
    #[must_use]
    pub fn service_ix(&self) -> ServiceIx {
        self.ix
    }

    /// TTL of its answers in seconds.
    #[must_use]
    pub fn ttl(&self) -> u32 {
        self.ttl
    }

    /// Where a door keeps the turn of this service and family: below [`AnswerTable::slots`](super::AnswerTable::slots).
    #[must_use]
    pub fn slot(&self, family: Family) -> usize {
        self.ix.index() * 2 + family.index()
    }

    pub(super) fn steer(&self) -> Steer {
        self.steer
    }

    pub(super) fn side(&self, family: Family) -> &Side {
        &self.sides[family.index()]
    }

    /// The last set answered while healthy, by what outlives a reload.
    pub(super) fn good_by_id(&self, fleet: &Fleet) -> Option<Vec<(PoolId, EndpointId)>> {
        let ids = |(pool, endpoint): &(PoolIx, EndpointIx)| {
            (fleet.pool(*pool).id.clone(), fleet.endpoint(*endpoint).id.clone())
        };
        Some(self.good.as_ref()?.iter().map(ids).collect())
    }

    /// Compiles a decision; `good` is the last set answered while healthy before it.
    pub(super) fn new(fleet: &Fleet, decision: &Decision, good: Option<&[(PoolId, EndpointId)]>) -> Self {
        let service = fleet.service(decision.service);
        let good = (service.when_none == WhenNone::LastGood).then(|| {
            decision.good(service.steer).unwrap_or_else(|| {
                let known = good.into_iter().flatten();
                known
                    .filter_map(|(pool, one)| Some((fleet.find_pool(pool)?, fleet.find_endpoint(one.as_str())?)))
                    .collect()
            })
        });
        Self {
            id: service.id.clone(),
            ix: decision.service,
            ttl: service.ttl,
            steer: service.steer,
            sides: Family::ALL.map(|family| Side::new(fleet, service, family, decision.side(family))),
            good: good.filter(|good| !good.is_empty()).map(Vec::into),
        }
    }
}

impl Side {
    fn new(fleet: &Fleet, service: &Service, family: Family, decided: &Decided) -> Self {
        match decided.answers {
            Answers::NoData => return Self::NoData,
            Answers::ServFail => return Self::ServFail,
            Answers::From(_) => {}
        }
        let choices = decided.in_force(service.steer);
        let pools = || choices.iter().map(|choice| fleet.pool(choice.pool));
        match service.steer {
            Steer::All => {
                // One draw over all pools: by the mode of the first pool written, with the largest count.
                let answer = fleet.pool(service.arms[0].pool).answer;
                let count = pools().map(|pool| pool.count).max().unwrap_or(1);
                Self::Rows { rows: Box::new([Row::new(fleet, family, answer, count, choices)]), wheel: None }
            }
            Steer::Failover | Steer::Weighted | Steer::RoundRobin | Steer::Random => {
                let rows = pools().zip(choices.chunks(1));
                let rows = rows.map(|(pool, choice)| Row::new(fleet, family, pool.answer, pool.count, choice));
                let weights = choices.iter().map(|choice| u64::from(choice.weight.0));
                let wheel = (service.steer == Steer::Weighted).then(|| Wheel::new(weights));
                Self::Rows { rows: rows.collect(), wheel: wheel.flatten() }
            }
        }
    }
}

impl Row {
    fn new(fleet: &Fleet, family: Family, answer: PoolAnswer, count: u8, choices: &[Choice]) -> Self {
        let members = choices.iter().flat_map(|choice| choice.members.iter().map(move |member| (choice.pool, member)));
        let mut seats: Vec<(Seat, u64)> = Vec::new();
        let mut known = HashSet::new();
        for (pool, member) in members {
            let Some(address) = fleet.endpoint(member.endpoint).addresses.of(family) else { continue };
            let weight = u64::from(member.weight.0);
            if known.insert(address) {
                seats.push((Seat { address, endpoint: member.endpoint, pool }, weight));
            } else if let Some((_, shared)) = seats.iter_mut().find(|(seat, _)| seat.address == address) {
                // Two endpoints behind one address have the share of both.
                *shared += weight;
            }
        }
        if answer == PoolAnswer::All && usize::from(ANSWER_ENDPOINTS_MAX) < seats.len() {
            seats.sort_by_key(|(seat, _)| seat.address);
        }
        let wheel = (answer == PoolAnswer::Weighted).then(|| Wheel::new(seats.iter().map(|(_, weight)| *weight)));
        Self { answer, count, wheel: wheel.flatten(), seats: seats.into_iter().map(|(seat, _)| seat).collect() }
    }
}
