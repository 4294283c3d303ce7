//! The brakes inside a service (DECIDING section 6): when a pool is open, and when health is ignored inside it.
//!
//! Both look at the share of weight that may serve: members that work or are unknown and are not ordered out. The
//! whole is every member of the pool, so a drain lowers the share as a failure does. Where all weights are 0, each
//! member counts alike.

use crate::model::{MinUp, PanicBelow, Weight};

/// Pools of up to so many members are judged by count and never panic, where the setting is `auto`.
pub const SMALL_POOL_MAX: usize = 4;
/// The share of weight, in percent, that `auto` asks of larger pools.
pub const AUTO_SHARE: u8 = 34;

/// A pool's members as the brakes see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Strength {
    members: usize,
    serving: usize,
    weight: u64,
    serving_weight: u64,
}

impl FromIterator<(Weight, bool)> for Strength {
    /// Of each member its weight in force and whether it may serve: `up`, `degraded` or `unknown`, and neither drained
    /// nor down by order.
    fn from_iter<I: IntoIterator<Item = (Weight, bool)>>(members: I) -> Self {
        let mut strength = Self::default();
        for (weight, serves) in members {
            strength.members += 1;
            strength.weight += u64::from(weight.0);
            if serves {
                strength.serving += 1;
                strength.serving_weight += u64::from(weight.0);
            }
        }
        strength
    }
}

impl Strength {
    /// Whether the pool is open: at least one member serves, and enough do. If no pool of a service is open though
    /// some member serves, that member is still better than `when_none_healthy`, which is for nothing healthy.
    #[must_use]
    pub fn opens(&self, min_up: MinUp) -> bool {
        self.serving > 0
            && match min_up {
                MinUp::Auto if self.members <= SMALL_POOL_MAX => true,
                MinUp::Auto => self.has_share(AUTO_SHARE),
                MinUp::Count(count) => self.serving >= usize::from(count),
                MinUp::Share(share) => self.has_share(share),
            }
    }

    /// Whether health is ignored inside the pool: too little of it serves, and `alternative`, another open pool of the
    /// service, does not exist.
    #[must_use]
    pub fn panics(&self, below: PanicBelow, alternative: bool) -> bool {
        !alternative
            && match below {
                PanicBelow::Auto if self.members <= SMALL_POOL_MAX => false,
                PanicBelow::Auto => !self.has_share(AUTO_SHARE),
                PanicBelow::Share(share) => !self.has_share(share),
            }
    }

    /// At least `percent` of the weight serves.
    fn has_share(&self, percent: u8) -> bool {
        let (serving, all) = match self.weight {
            0 => (self.serving as u64, self.members as u64),
            all => (self.serving_weight, all),
        };
        serving * 100 >= all * u64::from(percent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pool(members: &[(u16, bool)]) -> Strength {
        members.iter().map(|(weight, serves)| (Weight(*weight), *serves)).collect()
    }

    #[test]
    fn small_pools_open_with_one_and_large_ones_with_a_third() {
        let check = |members: &[(u16, bool)], min_up: MinUp, expected: bool| {
            assert_eq!(pool(members).opens(min_up), expected, "{members:?} {min_up:?}");
        };
        check(&[(1, false); 4], MinUp::Auto, false);
        check(&[(1, true), (1, false), (1, false), (1, false)], MinUp::Auto, true);
        check(&[(1, true), (1, false), (1, false), (1, false), (1, false)], MinUp::Auto, false);
        check(&[(1, true), (1, true), (1, false), (1, false), (1, false)], MinUp::Auto, true);
        check(&[(34, true), (17, false), (17, false), (16, false), (16, false)], MinUp::Auto, true);
        check(&[(33, true), (17, false), (17, false), (17, false), (16, false)], MinUp::Auto, false);
        check(&[(1, true), (1, true), (1, false)], MinUp::Count(2), true);
        check(&[(1, true), (1, false), (1, false)], MinUp::Count(2), false);
        check(&[(50, true), (50, false)], MinUp::Share(50), true);
        check(&[(49, true), (51, false)], MinUp::Share(50), false);
        check(&[(0, true), (0, false)], MinUp::Share(50), true);
        check(&[(0, true), (10, false)], MinUp::Share(1), false);
    }

    #[test]
    fn panic_waits_until_no_other_pool_is_open() {
        let check = |members: &[(u16, bool)], below: PanicBelow, alternative: bool, expected: bool| {
            assert_eq!(pool(members).panics(below, alternative), expected, "{members:?} {below:?} {alternative}");
        };
        check(&[(1, false); 4], PanicBelow::Auto, false, false);
        check(&[(1, false); 5], PanicBelow::Auto, false, true);
        check(&[(1, false); 5], PanicBelow::Auto, true, false);
        check(&[(1, true), (1, true), (1, false), (1, false), (1, false)], PanicBelow::Auto, false, false);
        check(&[(1, false); 5], PanicBelow::Share(0), false, false);
        check(&[(1, true), (1, false)], PanicBelow::Share(51), false, true);
    }

    proptest! {
        /// One more healthy member never closes a pool and never starts a panic.
        #[test]
        fn health_only_helps(members in prop::collection::vec((0_u16.., any::<bool>()), 1..12), at in 0_usize..12,
            count in 1_u16..6, share in 1_u8..=100)
        {
            let mut better = members.clone();
            let at = at % better.len();
            better[at].1 = true;
            for min_up in [MinUp::Auto, MinUp::Count(count), MinUp::Share(share)] {
                prop_assert!(pool(&better).opens(min_up) || !pool(&members).opens(min_up));
            }
            for below in [PanicBelow::Auto, PanicBelow::Share(share)] {
                prop_assert!(pool(&members).panics(below, false) || !pool(&better).panics(below, false));
            }
        }
    }
}
