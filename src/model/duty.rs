//! Duties: which of the endpoints a node probes, and at which beat (DECIDING section 2, polite probing).

use std::{collections::HashMap, time::Duration};

use super::{EndpointId, Target};

/// What a node has to do with an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duty {
    /// It probes it, as the `place`-th of `of` vantages, from 0 on.
    Probe {
        /// Which of them.
        place: u16,
        /// How many do.
        of: u16,
    },
    /// Others do.
    Rest,
}

/// By endpoint. One without an entry is probed, at a beat of the node's own: so it is while no other node is known.
/// Whole, replaced whole.
pub type Duties = HashMap<EndpointId, Duty>;

impl Duty {
    /// Whether it is ours.
    #[must_use]
    pub fn is_mine(self) -> bool {
        matches!(self, Self::Probe { .. })
    }

    /// When within its interval a target is probed, counted from the time of day: its vantages share an interval
    /// evenly, and targets do not start together. Clocks that differ by a second cost a second of evenness.
    #[must_use]
    pub fn phase(self, target: &Target, interval: Duration) -> Option<Duration> {
        let Self::Probe { place, of } = self else { return None };
        let interval = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        let base = scaled(interval, hash(&[&target.to_string()]));
        let step = u128::from(interval) * u128::from(place) / u128::from(of.max(1));
        let phase = (u128::from(base) + step) % u128::from(interval.max(1));
        Some(Duration::from_nanos(u64::try_from(phase).unwrap_or(0)))
    }
}

/// The part of `whole` that `of` is of 2^64; less than `whole`.
fn scaled(whole: u64, of: u64) -> u64 {
    u64::try_from((u128::from(whole) * u128::from(of)) >> 64).unwrap_or(0)
}

/// A hash that is the same on every machine and in every version, because nodes of different builds share the work:
/// FNV-1a over the words, each closed by an octet that no id has, and splitmix64's finalizer.
#[must_use]
pub fn hash(words: &[&str]) -> u64 {
    words.iter().fold(Words::default(), |words, word| words.then(word)).end()
}

/// The words of a [`hash`] so far: what many begin with is walked once.
#[derive(Debug, Clone, Copy)]
pub struct Words(u64);

impl Default for Words {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Words {
    /// One more.
    #[must_use]
    pub fn then(self, word: &str) -> Self {
        word.bytes().fold(self, Self::octet).close()
    }

    /// One more octet of a word.
    #[must_use]
    pub fn octet(self, octet: u8) -> Self {
        Self((self.0 ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3))
    }

    /// A word is over: no id has this octet.
    #[must_use]
    pub fn close(self) -> Self {
        self.octet(0xff)
    }

    /// The hash of them all.
    #[must_use]
    pub fn end(self) -> u64 {
        let state = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^ (state >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Family, SubjectId};

    #[test]
    fn the_hash_is_fixed_for_good() {
        assert_eq!(hash(&["eu-1", "web-1"]), hash(&["eu-1", "web-1"]));
        assert_ne!(hash(&["eu-1", "web-1"]), hash(&["eu-1w", "eb-1"]), "words do not run together");
        assert_eq!(hash(&["a"]), 0x193f_1020_af07_6db5, "nodes of other versions share the work");
    }

    #[test]
    fn vantages_of_a_target_share_its_interval_evenly() {
        let subject = SubjectId { endpoint: "web-1".parse().unwrap(), check: "web".parse().unwrap() };
        let target = Target { subject, family: Family::V4 };
        let interval = Duration::from_secs(10);
        let mut phases: Vec<Duration> =
            (0..4).filter_map(|place| Duty::Probe { place, of: 4 }.phase(&target, interval)).collect();
        phases.sort_unstable();
        let gaps: Vec<Duration> = phases.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(phases.iter().all(|phase| *phase < interval), "{phases:?}");
        let even = |gap: &Duration| gap.abs_diff(interval / 4) < Duration::from_micros(1);
        assert!(gaps.iter().all(even), "{gaps:?}");
        assert_eq!(Duty::Rest.phase(&target, interval), None);
    }
}
