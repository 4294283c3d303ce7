//! Whether an override stays within an operator's scope.

use crate::model::{Fleet, Selector};

/// Whether the scope as a whole contains the target, see [`Selector::contains`].
pub(super) fn within(fleet: &Fleet, scope: &[Selector], target: &Selector) -> bool {
    scope.iter().any(|selector| {
        let in_group = |id: &str| fleet.find_endpoint(id).is_some_and(|ix| fleet.covers(selector, ix));
        selector.contains(target, in_group, |services, pool| {
            let Some(pool) = pool.parse().ok().and_then(|id| fleet.find_pool(&id)) else { return false };
            let mut users = fleet.services.iter().filter(|s| fleet.arms(s).any(|arm| arm.pool == pool)).peekable();
            users.peek().is_some() && users.all(|service| services.fits(service.id.as_str()))
        })
    })
}
