//! What one service answers, compiled: for each family the pools that may answer and their members, ready to be drawn.

use std::collections::HashSet;

use super::{
    decide::{Answers, Choice, Decision, Side as Decided},
    pick::Seat,
    wheel::Wheel,
};
use crate::model::{ANSWER_ENDPOINTS_MAX, Family, Fleet, PoolAnswer, ServiceId, ServiceIx, Steer};

/// One service's answers. Shared by the tables in which nothing about it differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steering {
    id: ServiceId,
    ix: ServiceIx,
    ttl: u32,
    steer: Steer,
    sides: [Side; 2],
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

    /// Compiles a decision.
    pub(super) fn new(fleet: &Fleet, decision: &Decision) -> Self {
        let service = fleet.service(decision.service);
        Self {
            id: service.id.clone(),
            ix: decision.service,
            ttl: service.ttl,
            steer: service.steer,
            sides: Family::ALL.map(|family| Side::new(fleet, service.steer, family, decision.side(family))),
        }
    }
}

impl Side {
    fn new(fleet: &Fleet, steer: Steer, family: Family, decided: &Decided) -> Self {
        let choices = match &decided.answers {
            Answers::NoData => return Self::NoData,
            Answers::ServFail => return Self::ServFail,
            Answers::From(choices) => choices,
        };
        match steer {
            Steer::All => {
                let answer = (choices.first()).map_or(PoolAnswer::All, |choice| fleet.pool(choice.pool).answer);
                let count = choices.iter().map(|choice| fleet.pool(choice.pool).count).max().unwrap_or(1);
                let row = Row::new(fleet, family, answer, count, choices);
                Self::Rows { rows: Box::new([row]), wheel: None }
            }
            Steer::Failover | Steer::Weighted | Steer::RoundRobin | Steer::Random => {
                let rows = choices.iter().map(|choice| {
                    let pool = fleet.pool(choice.pool);
                    Row::new(fleet, family, pool.answer, pool.count, std::slice::from_ref(choice))
                });
                let weighted = steer == Steer::Weighted;
                let weights = choices.iter().map(|choice| u64::from(choice.weight.0));
                Self::Rows { rows: rows.collect(), wheel: weighted.then(|| Wheel::new(weights)).flatten() }
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
