//! What a swap changes for those who ask, as events.

use std::collections::HashSet;

use crate::{
    model::{EndpointId, Event, Happening, PoolId},
    steer::{AnswerChange, AnswerSet, AnswerTable},
};

/// Most services of one swap whose changed answers are told one by one. A change beyond it touches a fleet, and the
/// verdicts that made it are told all the same.
pub(super) const ANSWER_EVENTS_MAX: usize = 1000;

/// What the swap changes for those who ask: one event for each service whose answers are others now.
pub(super) fn answer_events(before: &AnswerTable, after: &AnswerTable) -> Vec<Event> {
    let snapshot = after.snapshot();
    let mut told = HashSet::new();
    // Of both families the first that changed speaks for the service.
    let changes = after
        .changes_since(before, ANSWER_EVENTS_MAX)
        .into_iter()
        .filter(|change| told.insert(change.about().service.clone()));
    let event = |change: AnswerChange| Event {
        at: snapshot.at.wall,
        generation: snapshot.generation,
        what: Happening::Answers {
            service: change.about().service.clone(),
            from: endpoints(change.from.as_ref()),
            to: endpoints(change.to.as_ref()),
            pool_from: pool(change.from.as_ref()),
            pool_to: pool(change.to.as_ref()),
            none_healthy: change.to.as_ref().is_some_and(|set| !set.basis.is_healthy()),
        },
    };
    changes.take(ANSWER_EVENTS_MAX).map(event).collect()
}

fn endpoints(set: Option<&AnswerSet>) -> Vec<EndpointId> {
    let shares = set.into_iter().flat_map(|set| &set.pools).flat_map(|share| &share.endpoints);
    shares.map(|(endpoint, _)| endpoint.clone()).collect()
}

/// The pool, where it is one.
fn pool(set: Option<&AnswerSet>) -> Option<PoolId> {
    match set?.pools.as_slice() {
        [share] => Some(share.pool.clone()),
        _ => None,
    }
}
