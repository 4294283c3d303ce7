//! Token buckets: how often someone may ask.
//!
//! A principal has an allowance of its own; so a flood without a token, or with wrong ones, costs nobody else theirs,
//! even from the same address.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use crate::model::Mono;

/// Most buckets that are kept; at the limit full ones are forgotten (they mean nothing), and if none is full the
/// newcomers share one.
const BUCKETS_MAX: usize = 4096;

/// How much, and how fast it comes back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Allowance {
    /// At once.
    pub(super) burst: u32,
    /// Each second from then on; at least 1.
    pub(super) per_second: u32,
}

/// One bucket for each key.
#[derive(Debug)]
pub(super) struct Limiter<K> {
    allowance: Allowance,
    buckets: Mutex<Buckets<K>>,
}

#[derive(Debug)]
struct Buckets<K> {
    own: HashMap<K, Bucket>,
    shared: Bucket,
}

/// Thousandths of a request, so that slow refills are exact.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: u64,
    at: Mono,
}

impl<K: Eq + Hash> Limiter<K> {
    pub(super) fn new(allowance: Allowance) -> Self {
        let shared = Bucket { left: u64::from(allowance.burst) * 1000, at: Mono(0) };
        Self { allowance, buckets: Mutex::new(Buckets { own: HashMap::new(), shared }) }
    }

    /// Takes one.
    ///
    /// # Errors
    /// How long to wait for the next.
    pub(super) fn take(&self, key: K, now: Mono) -> Result<(), Duration> {
        let full = u64::from(self.allowance.burst) * 1000;
        let rate = u64::from(self.allowance.per_second);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let Buckets { own, shared } = &mut *buckets;
        if BUCKETS_MAX <= own.len() && !own.contains_key(&key) {
            own.retain(|_, bucket| bucket.level(now, rate, full) < full);
        }
        let bucket = match own.len() < BUCKETS_MAX || own.contains_key(&key) {
            true => own.entry(key).or_insert(Bucket { left: full, at: now }),
            false => shared,
        };
        bucket.left = bucket.level(now, rate, full);
        bucket.at = bucket.at.max(now);
        match bucket.left.checked_sub(1000) {
            Some(rest) => {
                bucket.left = rest;
                Ok(())
            }
            None => Err(Duration::from_millis((1000 - bucket.left).div_ceil(rate))),
        }
    }
}

impl Bucket {
    fn level(&self, now: Mono, rate: u64, full: u64) -> u64 {
        let came_back = now.0.saturating_sub(self.at.0).saturating_mul(rate);
        self.left.saturating_add(came_back).min(full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_refills() {
        let limiter = Limiter::new(Allowance { burst: 3, per_second: 2 });
        let at = |ms| limiter.take("one", Mono(ms));
        assert!((0..3).all(|_| at(0).is_ok()));
        assert_eq!(at(0), Err(Duration::from_millis(500)));
        assert_eq!(at(499), Err(Duration::from_millis(1)));
        assert_eq!(at(500), Ok(()));
        assert!(limiter.take("two", Mono(500)).is_ok(), "another's allowance is untouched");
        assert_eq!(at(400), Err(Duration::from_millis(500)), "time that goes back gives nothing");
    }

    #[test]
    fn strangers_without_number_cost_a_bounded_table() {
        let limiter = Limiter::new(Allowance { burst: 2, per_second: 1 });
        for key in 0..3 * BUCKETS_MAX {
            let _ = limiter.take(key, Mono(0));
        }
        assert!(limiter.buckets.lock().unwrap().own.len() <= BUCKETS_MAX);
        assert!(limiter.take(usize::MAX, Mono(1)).is_err(), "newcomers share one");
        assert!(limiter.take(usize::MAX, Mono(10_000)).is_ok(), "the full ones were forgotten");
    }
}
