//! What changes too often is held down for a while, longer each time (DECIDING section 2).
//!
//! Changes during a hold count on: what goes on flapping stays out. After as long a calm as changes are counted in, all
//! is forgotten and the next hold is a first one again.

use std::{collections::VecDeque, time::Duration};

use crate::model::{FlapHold, Flapped, Mono};

/// Most changes that are counted; a setting that asks for more is met by these.
pub const CHANGES_MAX: usize = 64;

/// One target's changes of late.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flaps {
    /// Those that count towards the next hold, oldest first.
    changes: VecDeque<Mono>,
    last: Option<Mono>,
    /// Holds in a row.
    times: u8,
    until: Option<Mono>,
}

impl Flaps {
    /// Takes in a change of what is measured; when the hold ends that it began, if it began one.
    pub fn changed(&mut self, policy: &FlapHold, now: Mono) -> Option<Mono> {
        if self.is_calm(policy, now) {
            *self = Self::default();
        }
        while self.changes.front().is_some_and(|at| policy.within <= now.since(*at)) {
            self.changes.pop_front();
        }
        self.changes.push_back(now);
        self.last = Some(now);
        if self.changes.len() < usize::from(policy.changes).min(CHANGES_MAX) {
            return None;
        }
        self.changes.clear();
        let factor = 1_u32.checked_shl(u32::from(self.times)).unwrap_or(u32::MAX);
        let until = now.plus(policy.hold.saturating_mul(factor).min(policy.max));
        self.times = self.times.saturating_add(1);
        self.until = Some(until);
        self.until
    }

    /// Until when it is to be held, if it is.
    #[must_use]
    pub fn held_until(&self, now: Mono) -> Option<Mono> {
        self.until.filter(|until| now < *until)
    }

    /// Whether nothing of it counts any more.
    #[must_use]
    pub fn is_calm(&self, policy: &FlapHold, now: Mono) -> bool {
        self.last.max(self.until).is_none_or(|last| last.plus(policy.within) <= now)
    }

    /// A person has ended it: all is forgotten.
    pub fn end(&mut self) {
        *self = Self::default();
    }

    /// As kept for the next start; `None` if there is nothing to keep.
    #[must_use]
    pub fn kept(&self, now: Mono) -> Option<Flapped> {
        let last = self.last?;
        Some(Flapped {
            left: self.until.map_or(Duration::ZERO, |until| until.since(now)),
            times: self.times,
            changes: self.changes.iter().map(|at| now.since(*at)).collect(),
            calm: now.since(last),
        })
    }

    /// As it is after a start, so long after it was kept.
    #[must_use]
    pub fn recalled(kept: &Flapped, after: Duration, now: Mono) -> Self {
        let ago = |age: Duration| now.before(age.saturating_add(after));
        let left = kept.left.saturating_sub(after);
        Self {
            changes: kept.changes.iter().take(CHANGES_MAX).map(|age| ago(*age)).collect(),
            last: Some(ago(kept.calm)),
            times: kept.times,
            until: (!left.is_zero()).then(|| now.plus(left)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policy() -> FlapHold {
        let secs = Duration::from_secs;
        FlapHold { changes: 3, within: secs(60), hold: secs(100), max: secs(300) }
    }

    fn at(seconds: u64) -> Mono {
        Mono(seconds * 1000)
    }

    #[test]
    fn holds_double_up_to_the_longest_and_a_calm_forgets_them() {
        let mut flaps = Flaps::default();
        let mut storm = |from: u64, expected: Option<u64>| {
            (0..2).for_each(|i| assert_eq!(flaps.changed(&policy(), at(from + i)), None));
            assert_eq!(flaps.changed(&policy(), at(from + 2)), expected.map(at), "{from}");
        };
        storm(1_000, Some(1_002 + 100));
        storm(1_110, Some(1_112 + 200));
        storm(1_320, Some(1_322 + 300));
        storm(1_630, Some(1_632 + 300));
        storm(1_932 + 60, Some(1_932 + 62 + 100));
        assert_eq!(flaps.held_until(at(2_093)), Some(at(2_094)));
        assert_eq!(flaps.held_until(at(2_094)), None);
    }

    #[test]
    fn changes_far_apart_are_no_flapping() {
        let mut flaps = Flaps::default();
        (0..20).for_each(|i| assert_eq!(flaps.changed(&policy(), at(i * 30)), None));
    }

    #[test]
    fn a_restart_keeps_what_is_left() {
        let mut flaps = Flaps::default();
        for i in 0..4 {
            let _ = flaps.changed(&policy(), at(500 + i));
        }
        let kept = flaps.kept(at(510)).unwrap();
        let again = Flaps::recalled(&kept, Duration::from_secs(20), at(10_000));
        assert_eq!(again.held_until(at(10_000)), Some(at(10_000 + 602 - 530)));
        assert_eq!(again.kept(at(10_000)).unwrap().changes, [Duration::from_secs(27)]);
        let late = Flaps::recalled(&kept, Duration::from_secs(4_000), at(10_000));
        assert!(late.held_until(at(10_000)).is_none() && late.is_calm(&policy(), at(10_000)));
    }

    proptest! {
        /// A hold is never longer than `max`, never begun by fewer changes than asked for, and never outlives them.
        #[test]
        fn a_hold_is_bounded_and_earned(gaps in prop::collection::vec(0_u64..90, 1..60)) {
            let (mut flaps, mut now, mut since) = (Flaps::default(), 0, 0_u16);
            for gap in gaps {
                now += gap;
                since += 1;
                if let Some(until) = flaps.changed(&policy(), at(now)) {
                    prop_assert!(since >= policy().changes);
                    prop_assert!(at(now) < until && until <= at(now).plus(policy().max));
                    since = 0;
                }
                prop_assert!(flaps.changes.len() < CHANGES_MAX);
            }
        }
    }
}
