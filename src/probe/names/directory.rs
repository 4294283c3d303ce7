//! Where targets are now, for the probes: written by one task, read by all.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    pin::pin,
    sync::{Arc, PoisonError, RwLock},
};

use tokio::sync::Notify;

use crate::model::DnsName;

/// Where a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::probe) enum Place {
    /// Here: its first IPv4 address, or its first IPv6 address if it has no other.
    At(IpAddr),
    /// Its name has no addresses.
    Nowhere,
    /// Nobody answers who could say.
    Unheard,
}

/// All targets that something is known about. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Directory(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    places: RwLock<HashMap<DnsName, Place>>,
    news: Notify,
}

impl Directory {
    /// Where a target is, if it was ever found out.
    pub(in crate::probe) fn now(&self, name: &DnsName) -> Option<Place> {
        self.0.places.read().unwrap_or_else(PoisonError::into_inner).get(name).copied()
    }

    /// Where a target is, as soon as it is found out. The caller owns the deadline.
    pub(in crate::probe) async fn find(&self, name: &DnsName) -> Place {
        loop {
            let mut news = pin!(self.0.news.notified());
            // Before looking: what comes in between is not missed.
            news.as_mut().enable();
            if let Some(place) = self.now(name) {
                return place;
            }
            news.await;
        }
    }

    pub(in crate::probe) fn put(&self, name: &DnsName, place: Option<Place>) {
        {
            let mut places = self.0.places.write().unwrap_or_else(PoisonError::into_inner);
            match place {
                Some(place) => places.insert(name.clone(), place),
                None => places.remove(name),
            };
        }
        self.0.news.notify_waiters();
    }

    pub(super) fn keep_only(&self, names: &BTreeSet<DnsName>) {
        self.0.places.write().unwrap_or_else(PoisonError::into_inner).retain(|name, _| names.contains(name));
    }
}
