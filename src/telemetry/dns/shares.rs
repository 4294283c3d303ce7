//! Which service was answered from which pool: the shares that an operator compares with the weights.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Most series of one door thread. What comes later is counted under [`super::OTHER`] for both labels.
const SERIES_MAX: usize = 10_000;

/// Counts by service and pool.
#[derive(Debug, Default)]
pub(super) struct Shares(Mutex<BTreeMap<(String, String), Share>>);

/// One count; a door keeps it and adds without looking for it.
#[derive(Debug, Clone, Default)]
pub struct Share(Arc<AtomicU64>);

impl Share {
    /// One answer more.
    #[inline]
    pub fn answered(&self) {
        self.add(1);
    }

    fn add(&self, count: u64) {
        super::add(&self.0, count);
    }
}

impl Shares {
    pub(super) fn share(&self, service: &str, pool: &str) -> Share {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (service.to_owned(), pool.to_owned());
        let is_full = SERIES_MAX <= map.len() && !map.contains_key(&key);
        let key = if is_full { (super::OTHER.to_owned(), super::OTHER.to_owned()) } else { key };
        map.entry(key).or_default().clone()
    }

    pub(super) fn take_in(&self, other: &Self) {
        for ((service, pool), count) in other.counts() {
            self.share(&service, &pool).add(count);
        }
    }

    pub(super) fn counts(&self) -> Vec<((String, String), u64)> {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.iter().map(|(key, share)| (key.clone(), share.0.load(Relaxed))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_bounded() {
        let shares = Shares::default();
        for nth in 0..SERIES_MAX + 10 {
            shares.share(&format!("service-{nth}"), "pool").answered();
        }
        shares.share("service-1", "pool").answered();
        let counts = shares.counts();
        assert_eq!(counts.len(), SERIES_MAX + 1);
        let of = |service: &str| counts.iter().find(|((found, _), _)| found == service).unwrap().1;
        assert_eq!((of(super::super::OTHER), of("service-1")), (10, 2));
    }
}
