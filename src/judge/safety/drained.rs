//! When what was drained may be stopped, and how much of the fleet may be.
//!
//! How much of the fleet overrides take out (`max_drained`): an endpoint that no service may answer any more, drained or
//! down, by whatever orders together. One that goes on serving because nothing else does is out all the same: that is
//! an emergency and no plan.

use std::{collections::HashSet, time::Duration};

use super::{Picture, Refusal};
use crate::model::{Action, EndpointIx, Fleet, Override, ServiceIx, Wall};

/// When nobody can still be answered what a drain or down takes out of these services: the last hand-out was when it
/// was applied (after the steps of a slow one), and nothing that was handed out lives longer than the longest TTL. This
/// is the upper bound, which needs no count of what doors hand out: a door answers from the new table at once, and a
/// shortened TTL only ends sooner. `applied`: when the node answers without it, for an order that holds already.
#[must_use]
pub fn safe_to_stop_at(
    fleet: &Fleet,
    services: impl IntoIterator<Item = ServiceIx>,
    order: &Override,
    applied: Wall,
) -> Wall {
    let longest = services.into_iter().map(|ix| fleet.service(ix).ttl).max().unwrap_or(0);
    let over = order.over.unwrap_or_default();
    order.from.plus(over).max(applied).plus(Duration::from_secs(longest.into()))
}

/// The refusal, if more is out than may be and the order adds to it.
pub(super) fn too_much(before: &Picture<'_>, after: &Picture<'_>) -> Option<Refusal> {
    let fleet = after.fleet;
    let max = fleet.safety.max_drained;
    if max >= 100 {
        return None;
    }
    let of = fleet.endpoints.len();
    let (was, out) = (out(before), out(after));
    (out > was && out * 100 > of * usize::from(max)).then_some(Refusal::MaxDrained { max, out, of })
}

fn out(picture: &Picture<'_>) -> usize {
    let is_out = |action: Option<Action>| matches!(action, Some(Action::Drain | Action::Down));
    let (mut used, mut left) = (HashSet::new(), HashSet::new());
    for use_of in picture.fleet.services().flat_map(|(service, _)| picture.uses(service)) {
        used.insert(use_of.endpoint);
        if !is_out(picture.order(use_of)) {
            left.insert(use_of.endpoint);
        }
    }
    let all = (0..picture.fleet.endpoints.len()).map(EndpointIx::new);
    all.filter(|ix| {
        let ordered = || is_out(picture.orders.availability(*ix).map(|order| order.action.clone()));
        if used.contains(ix) { !left.contains(ix) } else { ordered() }
    })
    .count()
}
