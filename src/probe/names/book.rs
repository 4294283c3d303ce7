//! What is known of each target and when it is looked up next. Pure but for the jitter: times are arguments.
//!
//! Addresses outlive the resolver's trouble: they stay for ten times their TTL, an hour at most. A name that is said to
//! have none is believed the second time, [`RETRY_MIN`] later, because one wrong answer of one server must not fail an
//! endpoint; clients whose resolvers believe it at once have the other endpoints meanwhile.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    time::Duration,
};

use tokio::time::Instant;

use super::{ADDRESSES_MAX, Part, Place};
use crate::model::{DnsName, Family, Resolved};

/// No target is looked up again sooner.
const REFRESH_MIN: Duration = Duration::from_secs(5);
/// Every target is looked up again by then, whatever its TTL.
const REFRESH_MAX: Duration = Duration::from_secs(300);
/// The wait after the first lookup that found nothing; doubled with each that follows.
const RETRY_MIN: Duration = Duration::from_secs(5);
/// The longest such wait.
const RETRY_MAX: Duration = Duration::from_secs(60);
/// Lookups are spread over this part before their time (a tenth), so that names learnt together part ways.
const JITTER_DIVISOR: u32 = 10;
/// Addresses of which nothing newer is heard stay for so many of their TTLs ...
const KEPT_TTLS: u32 = 10;
/// ... and no longer than this.
const KEPT_MAX: Duration = Duration::from_secs(3600);
/// So many times in a row a name must be said to have no addresses.
const DENIALS: u32 = 2;

/// One lookup in both families.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) v4: Part,
    pub(super) v6: Part,
}

/// All targets; each waits for its time or is being looked up.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: HashMap<DnsName, Entry>,
    due: BTreeSet<(Instant, DnsName)>,
}

#[derive(Debug, Default)]
struct Entry {
    /// `None` while it is being looked up.
    due: Option<Instant>,
    /// By family, sorted.
    addresses: [Vec<IpAddr>; 2],
    ttl: u32,
    kept_until: Option<Instant>,
    /// Lookups without addresses in a row.
    misses: u32,
    denials: u32,
    told: Option<Resolved>,
}

impl Book {
    /// Replaces the targets; those that stay keep what is known of them.
    pub(super) fn adopt(&mut self, names: BTreeSet<DnsName>, now: Instant) {
        let due = &mut self.due;
        self.entries.retain(|name, entry| {
            let stays = names.contains(name);
            if let (false, Some(at)) = (stays, entry.due) {
                due.remove(&(at, name.clone()));
            }
            stays
        });
        for name in names {
            if !self.entries.contains_key(&name) {
                self.due.insert((now, name.clone()));
                self.entries.insert(name, Entry { due: Some(now), ..Entry::default() });
            }
        }
    }

    /// The earliest time at which a lookup is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes the target that has been due longest.
    pub(super) fn start(&mut self, now: Instant) -> Option<DnsName> {
        let first = self.due.first().filter(|(at, _)| *at <= now).cloned()?;
        self.due.remove(&first);
        let (_, name) = first;
        if let Some(entry) = self.entries.get_mut(&name) {
            entry.due = None;
        }
        Some(name)
    }

    /// A lookup was lost, and nobody knows which: all that are not due are due again.
    pub(super) fn recover(&mut self, now: Instant) {
        for (name, entry) in self.entries.iter_mut().filter(|(_, entry)| entry.due.is_none()) {
            entry.due = Some(now + RETRY_MIN);
            self.due.insert((now + RETRY_MIN, name.clone()));
        }
    }

    /// A lookup ended: where the target is now, and what is to be told, if that is another than before. `None` for a
    /// name that is no target any more, or was looked up twice.
    pub(super) fn take(
        &mut self,
        name: &DnsName,
        pair: Pair,
        now: Instant,
    ) -> Option<(Option<Place>, Option<Resolved>)> {
        let entry = self.entries.get_mut(name)?;
        if entry.due.is_some() {
            return None;
        }
        let place = entry.learn(pair, now);
        let next = now + entry.wait();
        entry.due = Some(next);
        self.due.insert((next, name.clone()));
        Some((place, entry.tell()))
    }
}

impl Entry {
    fn learn(&mut self, pair: Pair, now: Instant) -> Option<Place> {
        let denied = matches!((&pair.v4, &pair.v6), (Part::Nothing, Part::Nothing));
        let silent = matches!((&pair.v4, &pair.v6), (Part::Silent, Part::Silent));
        let found = matches!(pair.v4, Part::Found(..)) || matches!(pair.v6, Part::Found(..));
        if found {
            let ttls = [&pair.v4, &pair.v6].map(|part| if let Part::Found(_, ttl) = part { *ttl } else { u32::MAX });
            for (family, part) in [(Family::V4, pair.v4), (Family::V6, pair.v6)] {
                match part {
                    Part::Found(addresses, _) => self.addresses[family.index()] = bounded(addresses, family),
                    Part::Nothing => self.addresses[family.index()].clear(),
                    // The other family was found: what was known of this one stays.
                    Part::Broken | Part::Silent => {}
                }
            }
            self.ttl = ttls.into_iter().min().unwrap_or_default();
            self.kept_until = Some(now + (self.lease() * KEPT_TTLS).min(KEPT_MAX));
            (self.misses, self.denials) = (0, 0);
        } else {
            self.misses = self.misses.saturating_add(1);
            self.denials = if denied { self.denials.saturating_add(1) } else { 0 };
            if self.kept_until.is_some_and(|until| until <= now) {
                self.addresses = Default::default();
            }
        }
        let first = self.addresses.iter().flatten().next();
        match first {
            _ if DENIALS <= self.denials => Some(Place::Nowhere),
            Some(address) => Some(Place::At(*address)),
            // Said once to have none: not believed yet, and nothing else is known.
            None if denied => None,
            None if silent || self.kept_until.is_none() => Some(Place::Unheard),
            None => Some(Place::Nowhere),
        }
    }

    /// How long what was found is good for.
    fn lease(&self) -> Duration {
        Duration::from_secs(self.ttl.into()).max(REFRESH_MIN)
    }

    fn wait(&self) -> Duration {
        let wait = match self.misses {
            0 => self.lease().min(REFRESH_MAX),
            misses => RETRY_MIN.saturating_mul(1 << (misses - 1).min(16)).min(RETRY_MAX),
        };
        (wait - (wait / JITTER_DIVISOR).mul_f64(fastrand::f64())).max(REFRESH_MIN)
    }

    /// Other addresses are told, and another TTL if it differs by more than twice: a resolver's cache counts down.
    fn tell(&mut self) -> Option<Resolved> {
        let addresses: Vec<IpAddr> = self.addresses.iter().flatten().copied().collect();
        let ttl = if addresses.is_empty() { 0 } else { self.ttl };
        let same = match &self.told {
            Some(told) => *told.addresses == *addresses && ttl <= told.ttl && told.ttl <= ttl.saturating_mul(2),
            // What was never found is no news, until it is certain that there is nothing.
            None => addresses.is_empty() && self.denials < DENIALS,
        };
        if same {
            return None;
        }
        let found = Resolved { addresses: addresses.into(), ttl };
        self.told = Some(found.clone());
        Some(found)
    }
}

/// Sorted, without what no connection can go to, and not more than fit.
fn bounded(mut addresses: Vec<IpAddr>, family: Family) -> Vec<IpAddr> {
    let broadcast = IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
    addresses.retain(|a| Family::of(*a) == family && !a.is_unspecified() && !a.is_multicast() && *a != broadcast);
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(ADDRESSES_MAX / 2);
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    fn found(lasts: &[u8], ttl: u32) -> Pair {
        Pair { v4: Part::Found(lasts.iter().copied().map(v4).collect(), ttl), v6: Part::Nothing }
    }

    fn both(part: Part) -> Pair {
        Pair { v4: part.clone(), v6: part }
    }

    struct Story {
        book: Book,
        name: DnsName,
        now: Instant,
    }

    impl Story {
        fn new() -> Self {
            let (name, now): (DnsName, _) = ("www.cdn.example.net".parse().unwrap(), Instant::now());
            let mut book = Book::default();
            book.adopt([name.clone()].into(), now);
            Self { book, name, now }
        }

        /// The next lookup gives this; how long it was waited for, and what follows.
        fn then(&mut self, pair: Pair) -> (Duration, Option<Place>, Option<Vec<IpAddr>>) {
            let due = self.book.next_due().unwrap();
            let waited = due.saturating_duration_since(self.now);
            self.now = due;
            assert_eq!(self.book.start(self.now), Some(self.name.clone()));
            let (place, told) = self.book.take(&self.name, pair, self.now).unwrap();
            (waited, place, told.map(|told| told.addresses.to_vec()))
        }
    }

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_target_is_looked_up_again_at_its_ttl_within_bounds_and_told_when_it_changes() {
        let mut story = Story::new();
        let (_, place, told) = story.then(found(&[7, 3], 60));
        assert_eq!((place, told), (Some(Place::At(v4(3))), Some(vec![v4(3), v4(7)])));
        let (waited, _, told) = story.then(found(&[3, 7], 40));
        assert!(seconds(54) <= waited && waited <= seconds(60), "{waited:?}");
        assert_eq!(told, None, "a TTL that counts down is no news");
        let (_, _, told) = story.then(found(&[3], 0));
        assert_eq!(told, Some(vec![v4(3)]));
        let (waited, ..) = story.then(found(&[3], 86_400));
        assert_eq!(waited, REFRESH_MIN);
        let (waited, ..) = story.then(both(Part::Silent));
        assert!(seconds(270) <= waited && waited <= REFRESH_MAX, "{waited:?}");
    }

    #[test]
    fn addresses_outlive_a_silent_resolver_for_ten_ttls_and_an_hour_at_most() {
        for (ttl, kept) in [(30, seconds(300)), (86_400, KEPT_MAX)] {
            let mut story = Story::new();
            story.then(found(&[1], ttl));
            let begun = story.now;
            let (place, told) = loop {
                let (_, place, told) = story.then(both(Part::Silent));
                if place != Some(Place::At(v4(1))) {
                    break (place, told);
                }
                assert_eq!(told, None);
            };
            assert_eq!((place, told), (Some(Place::Unheard), Some(vec![])), "nobody answers: no fault of the target");
            let held = story.now - begun;
            assert!(kept <= held && held <= kept + RETRY_MAX, "{held:?}");
            let (.., told) = story.then(found(&[1], 30));
            assert_eq!(told, Some(vec![v4(1)]));
        }
    }

    #[test]
    fn a_name_is_gone_when_it_is_denied_twice_and_what_cannot_be_found_out_fails_once_it_had_been_known() {
        let mut story = Story::new();
        story.then(found(&[1], 3600));
        assert_eq!(story.then(both(Part::Nothing)).1, Some(Place::At(v4(1))));
        assert_eq!(story.then(both(Part::Broken)).1, Some(Place::At(v4(1))), "in a row, or it does not count");
        assert_eq!(story.then(both(Part::Nothing)).1, Some(Place::At(v4(1))));
        assert_eq!(story.then(both(Part::Nothing)).1, Some(Place::Nowhere));
        assert_eq!(story.then(found(&[1], 5)).1, Some(Place::At(v4(1))));
        while story.then(both(Part::Broken)).1 == Some(Place::At(v4(1))) {}
        assert_eq!(story.then(both(Part::Broken)).1, Some(Place::Nowhere));
        let mut never = Story::new();
        assert_eq!(never.then(both(Part::Broken)).1, Some(Place::Unheard));
        assert_eq!(never.then(both(Part::Nothing)).1, None);
        let (_, place, told) = never.then(both(Part::Nothing));
        assert_eq!((place, told), (Some(Place::Nowhere), Some(vec![])));
    }

    #[test]
    fn one_family_that_fails_takes_nothing_from_it() {
        let mut story = Story::new();
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        story.then(Pair { v4: Part::Found(vec![v4(1)], 60), v6: Part::Found(vec![v6], 30) });
        let (waited, place, told) = story.then(Pair { v4: Part::Found(vec![v4(1)], 30), v6: Part::Silent });
        assert!(waited <= seconds(30), "the smaller TTL counts: {waited:?}");
        assert_eq!((place, told), (Some(Place::At(v4(1))), None));
        let (_, place, told) = story.then(Pair { v4: Part::Nothing, v6: Part::Found(vec![v6], 30) });
        assert_eq!((place, told), (Some(Place::At(v6)), Some(vec![v6])));
    }

    #[test]
    fn what_a_hostile_name_says_stays_bounded() {
        let mut story = Story::new();
        let many: Vec<IpAddr> =
            (0..=255).map(v4).chain(["0.0.0.0".parse().unwrap(), "224.0.0.1".parse().unwrap()]).collect();
        let (_, _, told) = story.then(Pair { v4: Part::Found(many, u32::MAX), v6: Part::Nothing });
        assert_eq!(told, Some((0..8).map(v4).collect()));
        let only_nonsense = Pair { v4: Part::Found(vec!["0.0.0.0".parse().unwrap()], 60), v6: Part::Nothing };
        assert_eq!(story.then(only_nonsense).1, Some(Place::Nowhere));
    }

    #[test]
    fn names_that_go_are_forgotten_with_their_lookups() {
        let mut story = Story::new();
        assert_eq!(story.book.start(story.now), Some(story.name.clone()));
        story.book.adopt(BTreeSet::new(), story.now);
        assert_eq!(story.book.take(&story.name, found(&[1], 60), story.now), None);
        assert_eq!((story.book.next_due(), story.book.entries.len()), (None, 0));
    }
}
