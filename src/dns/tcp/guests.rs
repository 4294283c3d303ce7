//! Who is connected. When it is full the one that was idle longest leaves, because refusing the new ones would let a few
//! silent connections shut the door for everybody.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

use super::Limits;
use crate::telemetry::dns::DnsMetrics;

/// Network bits of IPv6 that count as one client: what a site is given (RFC 6177).
const IPV6_SITE_BITS: u32 = 56;

/// All connections.
pub(super) struct Guests {
    limits: Limits,
    metrics: Arc<DnsMetrics>,
    book: Mutex<Book>,
}

/// One connection; its place is free when it is dropped.
pub(super) struct Guest {
    id: u64,
    guests: Arc<Guests>,
    leave: CancellationToken,
}

/// One IPv4 address or one IPv6 site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Site(IpAddr);

#[derive(Default)]
struct Book {
    entries: HashMap<u64, Entry>,
    /// By last activity, the oldest first.
    all: BTreeSet<(u64, u64)>,
    by_site: BTreeSet<(Site, u64, u64)>,
    counts: HashMap<Site, usize>,
    /// Counts activities and connections: an order, not a time.
    tick: u64,
}

struct Entry {
    site: Site,
    active: u64,
    leave: CancellationToken,
}

impl Site {
    fn of(ip: IpAddr) -> Self {
        Self(match ip {
            IpAddr::V4(_) => ip,
            IpAddr::V6(ip) => {
                let bits = ip.to_bits() & !(u128::MAX >> IPV6_SITE_BITS);
                IpAddr::V6(bits.into())
            }
        })
    }
}

impl Guests {
    pub(super) fn new(limits: Limits, metrics: Arc<DnsMetrics>) -> Arc<Self> {
        Arc::new(Self { limits, metrics, book: Mutex::default() })
    }

    /// Makes room if there is none, and lets a client in.
    pub(super) fn admit(self: &Arc<Self>, ip: IpAddr) -> Guest {
        let site = Site::of(ip);
        let mut book = self.book();
        if self.limits.per_client.get() <= book.counts.get(&site).copied().unwrap_or(0)
            && let Some(id) = book.idlest_of(site)
        {
            self.evict(&mut book, id);
        }
        if self.limits.connections.get() <= book.entries.len()
            && let Some(id) = book.idlest()
        {
            self.evict(&mut book, id);
        }
        let leave = CancellationToken::new();
        let id = book.enter(site, leave.clone());
        self.metrics.connected();
        Guest { id, guests: Arc::clone(self), leave }
    }

    /// Makes room for something else than a connection; tells whether there was someone to go.
    pub(super) fn evict_one(&self) -> bool {
        let mut book = self.book();
        let idlest = book.idlest();
        if let Some(id) = idlest {
            self.evict(&mut book, id);
        }
        idlest.is_some()
    }

    fn evict(&self, book: &mut Book, id: u64) {
        if let Some(entry) = book.remove(id) {
            entry.leave.cancel();
            self.metrics.disconnected(true);
        }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    /// It said something: it is the idlest no more.
    pub(super) fn active(&self) {
        self.guests.book().touch(self.id);
    }

    /// It has to make room.
    pub(super) async fn evicted(&self) {
        self.leave.cancelled().await;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if self.guests.book().remove(self.id).is_some() {
            self.guests.metrics.disconnected(false);
        }
    }
}

impl Book {
    fn enter(&mut self, site: Site, leave: CancellationToken) -> u64 {
        self.tick += 1;
        let id = self.tick;
        self.all.insert((id, id));
        self.by_site.insert((site, id, id));
        *self.counts.entry(site).or_default() += 1;
        self.entries.insert(id, Entry { site, active: id, leave });
        id
    }

    fn touch(&mut self, id: u64) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        self.tick += 1;
        let before = std::mem::replace(&mut entry.active, self.tick);
        self.all.remove(&(before, id));
        self.all.insert((self.tick, id));
        self.by_site.remove(&(entry.site, before, id));
        self.by_site.insert((entry.site, self.tick, id));
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.all.remove(&(entry.active, id));
        self.by_site.remove(&(entry.site, entry.active, id));
        if let Some(count) = self.counts.get_mut(&entry.site) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&entry.site);
            }
        }
        Some(entry)
    }

    fn idlest(&self) -> Option<u64> {
        self.all.first().map(|(_, id)| *id)
    }

    fn idlest_of(&self, site: Site) -> Option<u64> {
        let (found, _, id) = self.by_site.range((site, 0, 0)..).next()?;
        (*found == site).then_some(*id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{num::NonZeroUsize, time::Duration};

    fn guests(connections: usize, per_client: usize) -> Arc<Guests> {
        let limits = Limits {
            connections: NonZeroUsize::new(connections).unwrap(),
            per_client: NonZeroUsize::new(per_client).unwrap(),
            idle: Duration::from_secs(1),
            query: Duration::from_secs(1),
        };
        Guests::new(limits, Arc::default())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_idlest_makes_room() {
        let guests = guests(3, 3);
        let all: Vec<Guest> = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|from| guests.admit(ip(from))).into();
        all[0].active();
        let _new = guests.admit(ip("192.0.2.4"));
        assert_eq!(all.iter().map(|guest| guest.leave.is_cancelled()).collect::<Vec<_>>(), [false, true, false]);
    }

    #[test]
    fn a_client_makes_room_for_itself() {
        let guests = guests(10, 2);
        let other = guests.admit(ip("2001:db8:0:200::1"));
        let one = guests.admit(ip("2001:db8::1"));
        let two = guests.admit(ip("2001:db8:0:ff::1"));
        let _three = guests.admit(ip("2001:db8:0:1::1"));
        assert!(one.leave.is_cancelled() && !two.leave.is_cancelled() && !other.leave.is_cancelled());
    }

    #[test]
    fn who_leaves_is_forgotten() {
        let guests = guests(2, 2);
        for _ in 0..10 {
            drop(guests.admit(ip("192.0.2.1")));
        }
        let stays = guests.admit(ip("192.0.2.1"));
        drop(guests.admit(ip("192.0.2.1")));
        let _other = guests.admit(ip("192.0.2.1"));
        assert!(!stays.leave.is_cancelled());
        drop(stays);
        let book = guests.book();
        assert_eq!((book.entries.len(), book.all.len(), book.by_site.len(), book.counts.len()), (1, 1, 1, 1));
    }
}
