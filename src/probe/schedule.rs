//! When a target is probed next. Pure: times are lengths since the runner began, chance is a hash of the seed.
//!
//! Probe k lies at `phase + k * interval + u(k)` with `0 <= u < 5 %` of the interval, so jitter never accumulates.
//! Phase and jitter come from a stable hash of node and target: probes of a fleet spread, and a schedule can be
//! repeated from its seed. What was started off this grid (first rounds, rechecks, wishes of people) returns to it in
//! steps of half an interval to one interval, so detection never takes longer than the interval promises.

use std::{fmt::Write as _, time::Duration};

use crate::model::{Check, Duty, NodeId, Target, Tempo, Wall};

/// Jitter is less than the interval divided by this.
const JITTER_DIVISOR: u128 = 20;
/// Jitter is less than this too, however long the interval: detection promises one second of slack altogether.
const JITTER_MAX: Duration = Duration::from_millis(500);
/// A target that nothing is known about is asked again after this at the latest.
const UNDECIDED_WAIT: Duration = Duration::from_secs(1);
/// So many intervals lie between two probes of a target that has been down for long.
const RESTED_INTERVALS: u32 = 3;
/// Room that a first probe gets, so that the first round of 10,000 targets takes two seconds and the one of ten seems
/// to be at once.
const FIRST_ROUND_GAP: Duration = Duration::from_micros(200);

/// The times of one target under one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rhythm {
    seed: u64,
    /// Of the grid, counted from when the runner began.
    phase: Duration,
    interval: Duration,
    recheck: Duration,
}

/// The start and end of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ran {
    pub(super) start: Duration,
    pub(super) end: Duration,
}

impl Rhythm {
    pub(super) fn new(node: &NodeId, target: &Target, check: &Check) -> Self {
        Self::from_seed(seed(format_args!("{node} {target}")), check.interval, check.recheck)
    }

    /// Of something that is only ever steady.
    pub(super) fn of(what: &str, interval: Duration) -> Self {
        Self::from_seed(seed(format_args!("{what}")), interval, interval)
    }

    fn from_seed(seed: u64, interval: Duration, recheck: Duration) -> Self {
        let interval = interval.max(Duration::from_millis(1));
        Self { seed, phase: share(interval, seed), interval, recheck }
    }

    /// The same on the grid that this node's duty gives it; `began` is the time of day at which the runner began.
    pub(super) fn on(self, duty: Duty, target: &Target, began: Wall) -> Self {
        let Some(phase) = duty.phase(target, self.interval) else { return self };
        let interval = self.interval.as_nanos();
        let began = Duration::from_millis(began.0).as_nanos() % interval;
        Self { phase: nanos((phase.as_nanos() + interval - began) % interval), ..self }
    }

    /// When the first probe starts, counted from the moment the target appeared together with `crowd - 1` others.
    pub(super) fn first(&self, crowd: usize) -> Duration {
        let crowd = u32::try_from(crowd).unwrap_or(u32::MAX);
        share(self.interval.min(FIRST_ROUND_GAP.saturating_mul(crowd)), mix(self.seed ^ 0x1f))
    }

    /// When the next probe starts, after `last` and as the standing asks for.
    pub(super) fn next(&self, last: Ran, tempo: Tempo) -> Duration {
        let wavering = |wait: Duration| {
            let soon = last.end.saturating_add(self.interval.min(wait));
            soon.min(last.start.saturating_add(self.interval)).max(last.end)
        };
        match tempo {
            Tempo::Steady => self.steady(last),
            Tempo::Recheck => wavering(self.recheck),
            Tempo::Undecided => wavering(UNDECIDED_WAIT),
            Tempo::Rested => {
                let rest = self.interval.saturating_mul(RESTED_INTERVALS) - self.interval / 2;
                self.beat_after(last.start.saturating_add(rest).max(last.end))
            }
        }
    }

    /// The first beat behind `at`.
    pub(super) fn beat_after(&self, at: Duration) -> Duration {
        let interval = self.interval.as_nanos();
        let since = at.saturating_sub(self.phase).as_nanos();
        let passed = u64::try_from(since / interval).unwrap_or(u64::MAX);
        let current = self.beat(passed);
        if at < current { current } else { self.beat(passed.saturating_add(1)) }
    }

    fn steady(&self, last: Ran) -> Duration {
        let beat = self.beat_after(last.end.max(last.start));
        // Less than half an interval by the jitter, so that the step behind the half step is a beat.
        let least = self.interval / 2 - nanos(self.interval.as_nanos() / JITTER_DIVISOR);
        if beat.saturating_sub(last.start) < least { beat.saturating_add(self.interval / 2) } else { beat }
    }

    fn beat(&self, k: u64) -> Duration {
        let nominal = nanos(self.interval.as_nanos().saturating_mul(u128::from(k)));
        let jitter = nanos(self.interval.as_nanos() / JITTER_DIVISOR).min(JITTER_MAX);
        self.phase.saturating_add(nominal).saturating_add(share(jitter, mix(self.seed ^ mix(k))))
    }
}

/// The part of `whole` that `of` is of 2^64; less than `whole`.
fn share(whole: Duration, of: u64) -> Duration {
    let whole = u64::try_from(whole.as_nanos()).unwrap_or(u64::MAX);
    nanos((u128::from(whole) * u128::from(of)) >> 64)
}

fn nanos(count: u128) -> Duration {
    Duration::from_nanos(u64::try_from(count).unwrap_or(u64::MAX))
}

fn seed(words: std::fmt::Arguments<'_>) -> u64 {
    let mut hash = StableHash::new();
    hash.write_fmt(words).expect("hashing does not fail");
    hash.finish()
}

/// FNV-1a with a final mix: the same on every machine and in every version, which the standard library's is not.
struct StableHash(u64);

impl StableHash {
    fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn finish(&self) -> u64 {
        mix(self.0)
    }
}

impl std::fmt::Write for StableHash {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}

/// The finalizer of splitmix64: every bit of the input moves every bit of the output.
fn mix(mut word: u64) -> u64 {
    word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rhythm() -> impl Strategy<Value = Rhythm> {
        (any::<u64>(), 100_u64..100_000, 100_u64..10_000).prop_map(|(seed, interval, recheck)| {
            Rhythm::from_seed(seed, Duration::from_millis(interval), Duration::from_millis(recheck))
        })
    }

    fn at(start: Duration) -> Ran {
        Ran { start, end: start + Duration::from_millis(1) }
    }

    proptest! {
        #[test]
        fn beats_stay_within_five_percent_of_their_place_for_ever(rhythm in rhythm(), k in 0_u64..100_000_000) {
            let nominal = rhythm.phase + nanos(rhythm.interval.as_nanos() * u128::from(k));
            let beat = rhythm.beat(k);
            prop_assert!(nominal <= beat);
            prop_assert!(beat < nominal + rhythm.interval / 20);
            prop_assert!(beat < nominal + JITTER_MAX);
        }

        #[test]
        fn steady_probes_hit_every_beat_once(rhythm in rhythm(), k in 0_u64..1_000_000) {
            let mut start = rhythm.beat(k);
            for step in 1..20 {
                start = rhythm.next(at(start), Tempo::Steady);
                prop_assert_eq!(start, rhythm.beat(k + step));
            }
        }

        #[test]
        fn from_anywhere_the_grid_is_reached_in_steps_between_half_and_one_interval(
            rhythm in rhythm(), start in 0_u64..10_000_000, took in 0_u64..100,
        ) {
            let mut last = Ran { start: Duration::from_millis(start), end: Duration::from_millis(start + took) };
            for step in 0..4 {
                let next = rhythm.next(last, Tempo::Steady);
                let gap = next - last.start;
                prop_assert!(rhythm.interval.mul_f64(0.449) <= gap, "{gap:?} {rhythm:?}");
                let over = if step == 0 { Duration::from_millis(took) } else { Duration::ZERO };
                prop_assert!(gap <= rhythm.interval.mul_f64(1.05) + over, "{gap:?} {rhythm:?}");
                last = Ran { start: next, end: next };
            }
            prop_assert_eq!(rhythm.beat_after(last.start - Duration::from_nanos(1)), last.start);
        }

        #[test]
        fn a_wavering_target_waits_no_longer_than_a_steady_one_and_never_overlaps(
            rhythm in rhythm(), start in 0_u64..10_000_000, took in 0_u64..5_000,
        ) {
            let last = Ran { start: Duration::from_millis(start), end: Duration::from_millis(start + took) };
            for (tempo, wait) in [(Tempo::Recheck, rhythm.recheck), (Tempo::Undecided, UNDECIDED_WAIT)] {
                let next = rhythm.next(last, tempo);
                prop_assert!(last.end <= next);
                prop_assert!(next <= last.end + wait.min(rhythm.interval));
                prop_assert!(next <= (last.start + rhythm.interval).max(last.end));
            }
        }

        #[test]
        fn a_rested_target_is_probed_every_third_beat(rhythm in rhythm(), k in 0_u64..1_000_000) {
            prop_assert_eq!(rhythm.next(at(rhythm.beat(k)), Tempo::Rested), rhythm.beat(k + 3));
        }

        #[test]
        fn the_first_probe_is_at_once_for_few_and_within_the_interval_for_many(
            rhythm in rhythm(), crowd in 1_usize..100_000,
        ) {
            let first = rhythm.first(crowd);
            prop_assert!(first < rhythm.interval);
            prop_assert!(first < FIRST_ROUND_GAP * u32::try_from(crowd).unwrap());
        }
    }

    fn rhythms(node: &str, count: usize) -> Vec<Rhythm> {
        let node: NodeId = node.parse().unwrap();
        let check = crate::probe::testing::tcp_check("web", 80);
        (0..count)
            .map(|n| Rhythm::new(&node, &crate::probe::testing::target(&format!("aws-use-{n}"), "web"), &check))
            .collect()
    }

    #[test]
    fn phases_of_similar_ids_spread_evenly() {
        let mut tenths = [0_usize; 10];
        for rhythm in rhythms("node-a", 10_000) {
            tenths[usize::try_from(rhythm.phase.as_nanos() * 10 / rhythm.interval.as_nanos()).unwrap()] += 1;
        }
        for count in tenths {
            assert!((850..=1_150).contains(&count), "{tenths:?}");
        }
    }

    #[test]
    fn nodes_do_not_probe_one_target_at_the_same_phase() {
        let same = rhythms("node-a", 1_000)
            .iter()
            .zip(rhythms("node-b", 1_000))
            .filter(|(a, b)| a.phase.abs_diff(b.phase) < a.interval / 100)
            .count();
        assert!(same < 60, "{same} of 1,000 lie within a hundredth of the interval");
    }

    #[test]
    fn a_phase_is_the_same_in_every_version() {
        assert_eq!(rhythms("node-a", 1)[0].seed, 1_047_159_958_096_208_887);
    }
}
