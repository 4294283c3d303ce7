//! The earliest time at which what works may become down: answers of it need not live any longer (gdnsd's idea).
//!
//! Told only while a fresh vantage sees a target waver, and worked out when the wavering begins, not at each result: a
//! lower bound that holds from the first failure on.

use std::time::Duration;

use super::slots::Probed;
use crate::{
    judge::quorum::Voice,
    model::{Check, Mono, Verdict, Vote},
};

/// Probes may start earlier by so many percent of the pause: their jitter.
const EARLY_PERCENT: u32 = 5;

/// The longest pause while a changed check is not decided yet.
const UNDECIDED: Duration = Duration::from_secs(1);

/// The verdict's `flips_at`, as the voices on its slot have it.
pub(super) fn foresee(verdict: &Verdict, probed: &Probed, check: &Check, voices: &[Voice], now: Mono) -> Option<Mono> {
    let wavers = voices.iter().any(|voice| matches!(voice.vote, Some(Vote::Up { wavers: true, .. })));
    let may_flip = wavers && verdict.measured.works() && verdict.frozen.is_none();
    may_flip.then(|| verdict.flips_at.unwrap_or_else(|| earliest(probed, check, now)))
}

/// Of our own wavering: so many more failures away as it needs. A peer's needs one more probe at least.
fn earliest(probed: &Probed, check: &Check, now: Mono) -> Mono {
    let pause = check.interval.min(if probed.standing.awaits_new_check() { UNDECIDED } else { check.recheck });
    let pause = pause - pause * EARLY_PERCENT / 100;
    match probed.standing.nearness(check) {
        // The next probe is counted from the start of the failed one.
        Some((began, left)) => began.plus(pause.saturating_mul(u32::from(left))).max(now),
        None => now.plus(pause),
    }
}
