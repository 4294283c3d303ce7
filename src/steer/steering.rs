//! What one service answers, compiled: for each family the pools that may answer and their members, ready to be drawn.

use std::{
    collections::HashSet,
    hash::{Hash, Hasher},
    sync::Arc,
};

use super::{
    decide::{Answers, Choice, Decision, Side as Decided},
    pick::{Seat, Seated},
    wheel::Wheel,
};
use crate::model::{
    EndpointId, EndpointIx, Family, Fleet, PoolAnswer, PoolId, PoolIx, Service, ServiceId, ServiceIx, Steer, WhenNone,
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

/// One family of a service. Small, because there may be 100,000 of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Side {
    NoData,
    ServFail,
    One(Arc<Row>),
    Many(Box<Many>),
}

/// Several pools that may answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Many {
    /// At least two.
    pub(super) rows: Box<[Arc<Row>]>,
    /// If weights choose among them.
    pub(super) wheel: Option<Wheel>,
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

impl Hash for Row {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.seats.hash(state);
    }
}

/// The rows made in one compilation: services of one pool share its row while nothing between them differs.
#[derive(Debug, Default)]
pub(super) struct Rows(HashSet<Arc<Row>>);

impl Rows {
    fn shared(&mut self, row: Row) -> Arc<Row> {
        match self.0.get(&row) {
            Some(known) => Arc::clone(known),
            None => {
                let row = Arc::new(row);
                self.0.insert(Arc::clone(&row));
                row
            }
        }
    }
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
    pub(super) fn new(
        fleet: &Fleet,
        decision: &Decision,
        good: Option<&[(PoolId, EndpointId)]>,
        rows: &mut Rows,
    ) -> Self {
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
            sides: Family::ALL.map(|family| Side::new(fleet, service, family, decision.side(family), rows)),
            good: good.filter(|good| !good.is_empty()).map(Vec::into),
        }
    }
}

/// How an answer is drawn from a pool in a service: where the service merges its pools, as the first one written says.
pub(super) fn answer(fleet: &Fleet, service: &Service, pool: PoolIx) -> PoolAnswer {
    match service.steer {
        Steer::All => fleet.pool(service.arms[0].pool).answer,
        Steer::Failover
        | Steer::Nearest
        | Steer::Fastest
        | Steer::Weighted
        | Steer::RoundRobin
        | Steer::Random
        | Steer::LeastConnections => fleet.pool(pool).answer,
    }
}

impl Side {
    fn new(fleet: &Fleet, service: &Service, family: Family, decided: &Decided, rows: &mut Rows) -> Self {
        match decided.answers {
            Answers::NoData => return Self::NoData,
            Answers::ServFail => return Self::ServFail,
            Answers::From(_) => {}
        }
        let choices = decided.in_force(service.steer);
        let pools = || choices.iter().map(|choice| fleet.pool(choice.pool));
        let mut made: Vec<Arc<Row>> = match service.steer {
            Steer::All => {
                // One draw over all pools, with the largest count.
                let answer = answer(fleet, service, choices[0].pool);
                let count = pools().map(|pool| pool.count).max().unwrap_or(1);
                vec![rows.shared(Row::new(fleet, family, answer, count, choices))]
            }
            Steer::Failover
            | Steer::Nearest
            | Steer::Fastest
            | Steer::Weighted
            | Steer::RoundRobin
            | Steer::Random
            | Steer::LeastConnections => pools()
                .zip(choices.chunks(1))
                .map(|(pool, choice)| rows.shared(Row::new(fleet, family, pool.answer, pool.count, choice)))
                .collect(),
        };
        if made.len() == 1 {
            return Self::One(made.remove(0));
        }
        let weights = choices.iter().map(|choice| u64::from(choice.weight.0));
        let wheel = (service.steer == Steer::Weighted).then(|| Wheel::new(weights)).flatten();
        Self::Many(Box::new(Many { rows: made.into(), wheel }))
    }
}

impl Row {
    fn new(fleet: &Fleet, family: Family, answer: PoolAnswer, count: u8, choices: &[Choice]) -> Self {
        let members = choices.iter().flat_map(|choice| choice.members.iter().map(move |member| (choice.pool, member)));
        let mut seats: Vec<(Seat, u64)> = members
            .filter_map(|(pool, member)| {
                let endpoint = fleet.endpoint(member.endpoint);
                let answer = match endpoint.target() {
                    Some(_) => Seated::Target,
                    None => Seated::Address(endpoint.address(family)?),
                };
                Some((Seat { answer, endpoint: member.endpoint, pool }, u64::from(member.weight.0)))
            })
            .collect();
        merge_equal(&mut seats);
        if answer == PoolAnswer::All && usize::from(count) < seats.len() {
            seats.sort_by_key(|(seat, _)| seat.answer);
        }
        let wheel = (answer == PoolAnswer::Weighted).then(|| Wheel::new(seats.iter().map(|(_, weight)| *weight)));
        Self { answer, count, wheel: wheel.flatten(), seats: seats.into_iter().map(|(seat, _)| seat).collect() }
    }
}

/// Two endpoints behind one address have one seat, with the share of both, where the first of them stood.
fn merge_equal(seats: &mut Vec<(Seat, u64)>) {
    let mut order: Vec<usize> = (0..seats.len()).collect();
    order.sort_by_key(|at| seats[*at].0.answer);
    let same = |a: &usize, b: &usize, seats: &[(Seat, u64)]| {
        seats[*a].0.answer == seats[*b].0.answer && seats[*a].0.address().is_some()
    };
    if !order.windows(2).any(|pair| same(&pair[0], &pair[1], seats)) {
        return;
    }
    let mut twice = vec![false; seats.len()];
    // The sort is stable: of equal addresses the first stands first.
    let mut first = order[0];
    for at in order.into_iter().skip(1) {
        if same(&first, &at, seats) {
            seats[first].1 += seats[at].1;
            twice[at] = true;
        } else {
            first = at;
        }
    }
    let mut at = 0..;
    seats.retain(|_| !twice[at.next().expect("it does not end")]);
}
