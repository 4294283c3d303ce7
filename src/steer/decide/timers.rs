//! When a timer that touches a service ends next: until then its answers may be remembered, and no longer.

use std::time::Duration;

use super::{Branch, MemberView};
use crate::model::{Family, Mono, Override, OverrideId, Snapshot, Wall};

/// The next end of a failback, of an override that governs something here, or of a drain that goes by steps. Steps of
/// shares are no such ends: they change little at a time.
pub(super) fn next<'b>(snapshot: &Snapshot, branches: impl Iterator<Item = &'b Branch>) -> Option<Mono> {
    let mut next: Option<Mono> = None;
    let mut earlier = |at: Mono| next = Some(next.map_or(at, |held| held.min(at)));
    for branch in branches {
        branch.pools.iter().filter_map(|pool| pool.waits_until).for_each(&mut earlier);
        let pin = branch.pin.iter().map(|pin| &pin.order);
        let members = branch.pools.iter().flat_map(|pool| &pool.members);
        for order in pin.chain(members.flat_map(|member| orders(snapshot, member))) {
            if let Some(order) = find(snapshot, order) {
                let out = order.over.map(|over| order.from.plus(over)).filter(|out| snapshot.at.wall < *out);
                earlier(on_mono(snapshot, out.unwrap_or(order.expires).min(order.expires)));
            }
        }
    }
    next
}

/// All that govern a membership.
pub(in crate::steer) fn orders<'s>(
    snapshot: &'s Snapshot,
    member: &'s MemberView,
) -> impl Iterator<Item = &'s OverrideId> {
    let frozen = Family::ALL.map(|family| snapshot.verdict_for(member.subject, family)?.frozen.as_ref());
    let orders = [member.order.as_ref().map(|(_, order)| order), member.weighted_by.as_ref()];
    orders.into_iter().chain(frozen).flatten()
}

fn find<'s>(snapshot: &'s Snapshot, id: &OverrideId) -> Option<&'s Override> {
    let place = snapshot.overrides.binary_search_by(|order| order.id.cmp(id)).ok()?;
    Some(&snapshot.overrides[place])
}

fn on_mono(snapshot: &Snapshot, at: Wall) -> Mono {
    let ahead: Duration = at.since(snapshot.at.wall);
    snapshot.at.mono.plus(ahead)
}
