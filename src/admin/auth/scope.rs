//! Whether an override stays within an operator's scope.
//!
//! Judged on the selectors, not on what they take in today: `provider:aws` must not reach an endpoint that tomorrow's
//! configuration adds beyond the scope.

use crate::model::{Fleet, Glob, Selector};

/// Whether the scope as a whole contains the target.
pub(super) fn within(fleet: &Fleet, scope: &[Selector], target: &Selector) -> bool {
    scope.iter().any(|selector| contains(fleet, selector, target))
}

fn contains(fleet: &Fleet, scope: &Selector, target: &Selector) -> bool {
    match (scope, target) {
        (Selector::All, _) => true,
        (Selector::Endpoint(wide), Selector::Endpoint(narrow))
        | (Selector::Pool(wide), Selector::Pool(narrow))
        | (Selector::Service(wide), Selector::Service(narrow))
        | (Selector::Region(wide), Selector::Region(narrow))
        | (Selector::Provider(wide), Selector::Provider(narrow)) => wider(wide, narrow),
        (Selector::Label(key, wide), Selector::Label(other, narrow)) => key == other && wider(wide, narrow),
        // One endpoint that is named lies in its groups.
        (Selector::Label(..) | Selector::Region(_) | Selector::Provider(_), Selector::Endpoint(one)) => {
            one.is_exact() && fleet.find_endpoint(one.as_str()).is_some_and(|ix| fleet.covers(scope, ix))
        }
        // A pool that only services of the scope use is theirs.
        (Selector::Service(services), Selector::Pool(one)) => {
            let Some(pool) = one.as_str().parse().ok().and_then(|id| fleet.find_pool(&id)) else { return false };
            let mut users = fleet.services.iter().filter(|s| fleet.arms(s).any(|arm| arm.pool == pool)).peekable();
            users.peek().is_some() && users.all(|service| services.fits(service.id.as_str()))
        }
        (
            Selector::Endpoint(_)
            | Selector::Pool(_)
            | Selector::Service(_)
            | Selector::Label(..)
            | Selector::Region(_)
            | Selector::Provider(_),
            Selector::Endpoint(_)
            | Selector::Pool(_)
            | Selector::Service(_)
            | Selector::Label(..)
            | Selector::Region(_)
            | Selector::Provider(_)
            | Selector::All,
        ) => false,
    }
}

/// Whether everything that fits `narrow` fits `wide`. Sound, not complete: `narrow` is read as a text of its own, and
/// its `*` must then fall under a `*`.
fn wider(wide: &Glob, narrow: &Glob) -> bool {
    if wide == narrow {
        return true;
    }
    wide.fits(narrow.as_str()) && !(narrow.as_str().contains('*') && wide.as_str().contains('?'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_contains_what_it_fits_and_no_more() {
        for (wide, narrow, expected) in [
            ("eu-*", "eu-west", true),
            ("eu-*", "eu-w*", true),
            ("eu-*", "eu-*", true),
            ("eu-*", "*", false),
            ("eu-*", "e*", false),
            ("eu-?", "eu-*", false),
            ("eu-?", "eu-1", true),
            ("*", "anything", true),
            ("eu", "eu-*", false),
        ] {
            assert_eq!(wider(&Glob::from(wide), &Glob::from(narrow)), expected, "{narrow} in {wide}");
        }
    }
}
