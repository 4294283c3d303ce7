//! Who is connected. When it is full the one that was idle longest leaves, because refusing the new ones would let a few
//! silent connections shut the door for everybody.
//!
//! A connection that says something only notes it for itself; the book is put in order when somebody has to leave.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use super::{Bell, Limits};
use crate::telemetry::dns::DnsMetrics;

/// Network bits of IPv6 that count as one client: what a site is given (RFC 6177).
const IPV6_SITE_BITS: u32 = 56;

/// All connections.
pub(super) struct Guests {
    limits: Limits,
    metrics: Arc<DnsMetrics>,
    book: Mutex<Book>,
    /// Counts activities and connections: an order, not a time.
    tick: AtomicU64,
    /// Evicted, and not yet closed.
    leaving: AtomicUsize,
}

/// One connection; its place is free when it is dropped.
pub(super) struct Guest {
    id: u64,
    guests: Arc<Guests>,
    signs: Arc<Signs>,
}

/// What a connection and the book tell each other.
struct Signs {
    /// When it last said something.
    active: AtomicU64,
    leave: AtomicBool,
}

/// One IPv4 address or one IPv6 site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Site(IpAddr);

#[derive(Default)]
struct Book {
    entries: HashMap<u64, Entry>,
    /// By last activity as far as it is known here, the oldest first.
    all: BTreeSet<(u64, u64)>,
    by_site: BTreeSet<(Site, u64, u64)>,
    counts: HashMap<Site, usize>,
}

struct Entry {
    site: Site,
    /// Its last activity as far as it is known here.
    known: u64,
    signs: Arc<Signs>,
    bell: Arc<Bell>,
    place: usize,
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
        let (book, tick, leaving) = (Mutex::default(), AtomicU64::new(1), AtomicUsize::new(0));
        Arc::new(Self { limits, metrics, book, tick, leaving })
    }

    /// Makes room if there is none, and lets a client in, who sits at `place` of the thread that hears `bell`.
    pub(super) fn admit(self: &Arc<Self>, ip: IpAddr, bell: &Arc<Bell>, place: usize) -> Guest {
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
        let id = self.tick();
        let signs = Arc::new(Signs { active: AtomicU64::new(id), leave: AtomicBool::new(false) });
        book.enter(id, Entry { site, known: id, signs: Arc::clone(&signs), bell: Arc::clone(bell), place });
        self.metrics.connected();
        Guest { id, guests: Arc::clone(self), signs }
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

    /// How many were evicted and are not yet closed.
    pub(super) fn leaving(&self) -> usize {
        self.leaving.load(Relaxed)
    }

    fn evict(&self, book: &mut Book, id: u64) {
        if let Some(entry) = book.remove(id) {
            self.leaving.fetch_add(1, Relaxed);
            entry.signs.leave.store(true, Relaxed);
            entry.bell.leave(entry.place);
            self.metrics.disconnected(true);
        }
    }

    fn tick(&self) -> u64 {
        self.tick.fetch_add(1, Relaxed)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guest {
    /// It said something: it is the idlest no more.
    pub(super) fn active(&self) {
        self.signs.active.store(self.guests.tick(), Relaxed);
    }

    /// It has to make room.
    pub(super) fn has_to_leave(&self) -> bool {
        self.signs.leave.load(Relaxed)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if self.guests.book().remove(self.id).is_some() {
            self.guests.metrics.disconnected(false);
        } else {
            self.guests.leaving.fetch_sub(1, Relaxed);
        }
    }
}

impl Book {
    fn enter(&mut self, id: u64, entry: Entry) {
        self.all.insert((entry.known, id));
        self.by_site.insert((entry.site, entry.known, id));
        *self.counts.entry(entry.site).or_default() += 1;
        self.entries.insert(id, entry);
    }

    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.all.remove(&(entry.known, id));
        self.by_site.remove(&(entry.site, entry.known, id));
        if let Some(count) = self.counts.get_mut(&entry.site) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&entry.site);
            }
        }
        Some(entry)
    }

    /// Learns when this one was last active; tells whether that is news.
    fn learn(&mut self, id: u64) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else { return false };
        let active = entry.signs.active.load(Relaxed);
        let before = std::mem::replace(&mut entry.known, active);
        if before == active {
            return false;
        }
        self.all.remove(&(before, id));
        self.all.insert((active, id));
        self.by_site.remove(&(entry.site, before, id));
        self.by_site.insert((entry.site, active, id));
        true
    }

    /// Nobody was active before they are known to have been: the first of whom there is no news is the idlest.
    fn idlest(&mut self) -> Option<u64> {
        loop {
            let (_, id) = *self.all.first()?;
            if !self.learn(id) {
                return Some(id);
            }
        }
    }

    fn idlest_of(&mut self, site: Site) -> Option<u64> {
        loop {
            let (found, _, id) = *self.by_site.range((site, 0, 0)..).next()?;
            if found != site {
                return None;
            }
            if !self.learn(id) {
                return Some(id);
            }
        }
    }
}

/// For tests: a bell that nobody hears.
#[cfg(test)]
pub(super) fn bell() -> Arc<Bell> {
    let poll = mio::Poll::new().expect("the system gives another file");
    Arc::new(Bell::new(mio::Waker::new(poll.registry(), mio::Token(0)).expect("the system gives another file")))
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

    fn admit(guests: &Arc<Guests>, from: &str) -> Guest {
        guests.admit(from.parse().unwrap(), &bell(), 0)
    }

    #[test]
    fn the_idlest_makes_room() {
        let guests = guests(3, 3);
        let all: Vec<Guest> = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|from| admit(&guests, from)).into();
        all[0].active();
        let _new = admit(&guests, "192.0.2.4");
        assert_eq!(all.iter().map(|guest| guest.has_to_leave()).collect::<Vec<_>>(), [false, true, false]);
    }

    #[test]
    fn a_client_makes_room_for_itself() {
        let guests = guests(10, 2);
        let other = admit(&guests, "2001:db8:0:200::1");
        let one = admit(&guests, "2001:db8::1");
        let two = admit(&guests, "2001:db8:0:ff::1");
        let _three = admit(&guests, "2001:db8:0:1::1");
        assert!(one.has_to_leave() && !two.has_to_leave() && !other.has_to_leave());
    }

    #[test]
    fn who_leaves_is_forgotten() {
        let guests = guests(2, 2);
        for _ in 0..10 {
            drop(admit(&guests, "192.0.2.1"));
        }
        let stays = admit(&guests, "192.0.2.1");
        drop(admit(&guests, "192.0.2.1"));
        let _other = admit(&guests, "192.0.2.1");
        assert!(!stays.has_to_leave());
        drop(stays);
        let book = guests.book();
        assert_eq!((book.entries.len(), book.all.len(), book.by_site.len(), book.counts.len()), (1, 1, 1, 1));
    }
}
