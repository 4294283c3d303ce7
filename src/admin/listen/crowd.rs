//! Seats: how many connections there are, of whom, and who goes when there are too many.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Source;

/// Most connections at once. At the limit the one idle longest goes; if none is idle the new one is refused.
pub(super) const SEATS_MAX: usize = 1024;
/// Most connections of one source, likewise; above 300, because that many idle ones must not disturb anyone.
pub(super) const SEATS_PER_SOURCE_MAX: usize = 512;

#[derive(Debug, Default)]
pub(super) struct Crowd {
    seats: Mutex<Seats>,
}

#[derive(Debug, Default)]
struct Seats {
    next: u64,
    taken: HashMap<u64, Taken>,
}

#[derive(Debug)]
struct Taken {
    source: Source,
    /// Requests in flight; 0 is idle.
    busy: u32,
    /// When it last became idle.
    since: Instant,
    evicted: CancellationToken,
}

impl Crowd {
    fn seats(&self) -> MutexGuard<'_, Seats> {
        // Every change below is complete in itself, so a panic elsewhere leaves nothing half done.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat for a new connection, by eviction if it must be; `None` when everyone is busy.
    pub(super) fn admit(self: &Arc<Self>, source: Source) -> Option<Arc<Seat>> {
        let mut seats = self.seats();
        let of_source = seats.taken.values().filter(|taken| taken.source == source).count();
        if SEATS_PER_SOURCE_MAX <= of_source && !seats.evict_idle(Some(source)) {
            return None;
        }
        if SEATS_MAX <= seats.taken.len() && !seats.evict_idle(None) {
            return None;
        }
        let id = seats.next;
        seats.next += 1;
        let evicted = CancellationToken::new();
        let taken = Taken { source, busy: 0, since: Instant::now(), evicted: evicted.clone() };
        seats.taken.insert(id, taken);
        Some(Arc::new(Seat { crowd: Arc::clone(self), id, evicted }))
    }

    /// Makes the connection go that has been idle longest, of one source or of all.
    pub(super) fn evict_idle(&self, source: Option<Source>) -> bool {
        self.seats().evict_idle(source)
    }

    pub(super) fn evict_all(&self) {
        self.seats().taken.values().for_each(|taken| taken.evicted.cancel());
    }

    fn change(&self, id: u64, change: impl FnOnce(&mut Taken)) {
        if let Some(taken) = self.seats().taken.get_mut(&id) {
            change(taken);
        }
    }
}

impl Seats {
    fn evict_idle(&mut self, source: Option<Source>) -> bool {
        let idle = self.taken.iter().filter(|(_, taken)| taken.busy == 0);
        let idle = idle.filter(|(_, taken)| source.is_none_or(|source| taken.source == source));
        let Some(id) = idle.min_by_key(|(id, taken)| (taken.since, **id)).map(|(id, _)| *id) else { return false };
        if let Some(taken) = self.taken.remove(&id) {
            taken.evicted.cancel();
        }
        true
    }
}

/// A connection's place; dropped with the connection.
#[derive(Debug)]
pub(super) struct Seat {
    crowd: Arc<Crowd>,
    id: u64,
    evicted: CancellationToken,
}

impl Seat {
    pub(super) fn evicted(&self) -> CancellationToken {
        self.evicted.clone()
    }

    /// Busy while the guard lives.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.crowd.change(self.id, |taken| taken.busy += 1);
        Busy(Arc::clone(self))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.crowd.seats().taken.remove(&self.id);
    }
}

/// A request in flight.
#[derive(Debug)]
pub(super) struct Busy(Arc<Seat>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.crowd.change(self.0.id, |taken| {
            taken.busy = taken.busy.saturating_sub(1);
            taken.since = Instant::now();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_idle_go_for_the_new_and_the_busy_stay() {
        let crowd = Arc::new(Crowd::default());
        let source = Source::User(1);
        let seats: Vec<_> = (0..SEATS_PER_SOURCE_MAX).map(|_| crowd.admit(source).unwrap()).collect();
        let first_is_busy = seats[0].busy();
        let newcomer = crowd.admit(source).unwrap();
        let evicted: Vec<usize> = (0..seats.len()).filter(|at| seats[*at].evicted().is_cancelled()).collect();
        assert_eq!(evicted, [1], "the oldest that is idle");
        let all_busy: Vec<_> = seats.iter().chain([&newcomer]).map(|seat| seat.busy()).collect();
        assert!(crowd.admit(source).is_none());
        assert!(crowd.admit(Source::User(2)).is_some(), "another source is not disturbed");
        drop((all_busy, first_is_busy, seats, newcomer));
        assert_eq!(crowd.seats().taken.len(), 0);
    }
}
