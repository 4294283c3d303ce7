//! How this node is, as a staged reload looks at it: from the answers in force.

use crate::{
    control::rollout::Vitals,
    judge::Orders,
    model::{Cause, Hold, SubjectIx},
    steer::{
        AnswerTable,
        decide::{PoolState, decide},
    },
};

/// Of the answers in force. It decides every service once: looked at while something is being tried, and at no other
/// time.
#[must_use]
pub(super) fn of(table: &AnswerTable, panics: u64) -> Vitals {
    let snapshot = table.snapshot();
    let (fleet, good) = (&snapshot.fleet, table.last_good());
    let orders = Orders::new(fleet, &snapshot.overrides);
    let mut vitals = Vitals { panics, ..Vitals::default() };
    for (ix, service) in fleet.services() {
        let decision = decide(snapshot, &orders, ix, good.get(&service.id).map(Vec::as_slice));
        for branch in decision.branches() {
            if !branch.sides.iter().any(|side| side.basis.is_healthy()) {
                vitals.unhealthy.insert(service.id.to_string());
            }
            let below = branch.pools.iter().filter(|pool| !pool.last_resort && pool.state != PoolState::Open);
            vitals.closed.extend(below.map(|pool| fleet.pool(pool.pool).id.to_string()));
        }
    }
    vitals.endpoints = fleet.endpoints.len();
    for (place, verdict) in snapshot.verdicts.iter().enumerate() {
        let Some(verdict) = verdict else { continue };
        if verdict.cause == Cause::Disputed {
            let endpoint = fleet.subject(SubjectIx::new(place / 2)).endpoint;
            vitals.disputed.insert(fleet.endpoint(endpoint).id.to_string());
        }
        vitals.up += usize::from(verdict.measured.works());
        match &verdict.hold {
            Some(hold @ (Hold::Budget | Hold::Freeze | Hold::Alone)) => vitals.brakes.extend([hold.word()]),
            Some(Hold::Flap { .. } | Hold::Resume) | None => {}
        }
    }
    vitals
}
