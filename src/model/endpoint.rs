//! What can serve: endpoints, and the providers and regions they share a fate with.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use super::{CheckIx, DnsName, EndpointId, Point, ProviderId, RegionId};

/// An address family; A and AAAA are answered from one decision, but stand and fall apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4, A records.
    V4,
    /// IPv6, AAAA records.
    V6,
}

impl Family {
    /// Both, IPv4 first.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// 0 for IPv4, 1 for IPv6.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::V4 => 0,
            Self::V6 => 1,
        }
    }

    /// The family of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::V4 => "v4",
            Self::V6 => "v6",
        })
    }
}

/// At least one address, at most one of each family. Two addresses of one family are two endpoints, because they
/// fail apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Addresses {
    /// IPv4 alone.
    V4(Ipv4Addr),
    /// IPv6 alone.
    V6(Ipv6Addr),
    /// One of each.
    Both(Ipv4Addr, Ipv6Addr),
}

impl Addresses {
    /// The address of a family, if there is one.
    #[must_use]
    pub fn of(&self, family: Family) -> Option<IpAddr> {
        match (self, family) {
            (Self::V4(a) | Self::Both(a, _), Family::V4) => Some((*a).into()),
            (Self::V6(a) | Self::Both(_, a), Family::V6) => Some((*a).into()),
            (Self::V4(_), Family::V6) | (Self::V6(_), Family::V4) => None,
        }
    }

    /// The IPv4 address.
    #[must_use]
    pub fn v4(&self) -> Option<Ipv4Addr> {
        match self {
            Self::V4(a) | Self::Both(a, _) => Some(*a),
            Self::V6(_) => None,
        }
    }

    /// The IPv6 address.
    #[must_use]
    pub fn v6(&self) -> Option<Ipv6Addr> {
        match self {
            Self::V6(a) | Self::Both(_, a) => Some(*a),
            Self::V4(_) => None,
        }
    }

    /// All addresses with their family, IPv4 first.
    pub fn iter(&self) -> impl Iterator<Item = (Family, IpAddr)> + '_ {
        Family::ALL.into_iter().filter_map(|family| Some((family, self.of(family)?)))
    }
}

/// A share of the traffic, relative to the others of the same pool. 0: no new traffic, still probed, served only
/// in panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Weight(pub u16);

impl Default for Weight {
    fn default() -> Self {
        Self(1)
    }
}

/// One place that can serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its id.
    pub id: EndpointId,
    /// Who runs it.
    pub provider: ProviderId,
    /// Where it is.
    pub region: RegionId,
    /// What is answered.
    pub serves: Serves,
    /// Its weight where a pool gives none.
    pub weight: Weight,
    /// What it can carry, in the operator's own unit.
    pub capacity: Option<u32>,
    /// Free labels for selectors.
    pub labels: BTreeMap<String, String>,
    /// Where it is probed instead of at its own addresses. Without a port, the check's port holds.
    pub check_at: Option<CheckAt>,
    /// Its own check; stands before the pool's and the service's.
    pub check: Option<CheckIx>,
    /// The names it is also known by: `203.0.113.10` for an inline address.
    pub alias: Option<String>,
    /// Where its load is read; without it nothing is known of its load.
    pub load: Option<LoadFeed>,
    /// How it comes back after it was down.
    pub resume: Resume,
}

/// What an endpoint is answered as.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Serves {
    /// Addresses: A and AAAA.
    Addresses(Addresses),
    /// Another name: CNAME, or its addresses where a CNAME may not stand. It is judged once, in the slot of IPv4,
    /// whatever families the name has.
    Target(DnsName),
}

impl Endpoint {
    /// The address of a family that is answered and probed, if the endpoint is one of addresses and has it.
    #[must_use]
    pub fn address(&self, family: Family) -> Option<IpAddr> {
        match &self.serves {
            Serves::Addresses(addresses) => addresses.of(family),
            Serves::Target(_) => None,
        }
    }

    /// Its addresses with their family; none for a target.
    pub fn addresses(&self) -> impl Iterator<Item = (Family, IpAddr)> + '_ {
        Family::ALL.into_iter().filter_map(|family| Some((family, self.address(family)?)))
    }

    /// The name it is answered as, if it is a target.
    #[must_use]
    pub fn target(&self) -> Option<&DnsName> {
        match &self.serves {
            Serves::Addresses(_) => None,
            Serves::Target(name) => Some(name),
        }
    }

    /// Whether it has something to answer in a family. A target answers in both.
    #[must_use]
    pub fn answers(&self, family: Family) -> bool {
        self.judged_as(family).is_some()
    }

    /// In which family's slot the verdict on its answers of a family stands; `None` if it has none of that family.
    #[must_use]
    pub fn judged_as(&self, family: Family) -> Option<Family> {
        match &self.serves {
            Serves::Addresses(addresses) => addresses.of(family).map(|_| family),
            Serves::Target(_) => Some(Family::V4),
        }
    }

    /// Whether it is judged in the slot of this family.
    #[must_use]
    pub fn is_judged(&self, family: Family) -> bool {
        self.judged_as(family) == Some(family)
    }
}

/// Where an endpoint's load comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadFeed {
    /// Polled with the probe; `{address}` in the URL stands for the endpoint's address.
    Poll {
        /// Of an HTTP resource.
        url: String,
        /// The field of a JSON object, with dots for inner objects, or the name of a Prometheus metric.
        field: String,
    },
    /// Pushed through the API.
    Push {
        /// A load not renewed for this long is not known any more.
        stale_after: std::time::Duration,
    },
}

/// How an endpoint comes back after it was down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Resume {
    /// By itself.
    #[default]
    Auto,
    /// When a person restores it.
    Manual,
}

super::service::words!(Resume { Auto = "auto", Manual = "manual" });

/// Another place to probe than the answered address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CheckAt {
    /// An address; the port is the check's.
    Address(IpAddr),
    /// An address and port.
    Socket(SocketAddr),
}

/// Who runs endpoints; a group that shares a fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its id.
    pub id: ProviderId,
    /// For people.
    pub title: Option<String>,
    /// This share of its endpoints down, in percent, is one outage of the provider.
    pub outage_at: u8,
}

/// Where nothing else is said, this share of a group's endpoints down, in percent, is one outage of the group.
pub const OUTAGE_AT: u8 = 60;

/// Where endpoints are; a group that shares a fate.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// Its id.
    pub id: RegionId,
    /// For people.
    pub title: Option<String>,
    /// Latitude and longitude in degrees.
    pub at: Option<(f64, f64)>,
}

impl Region {
    /// Its place on the globe, if it has one.
    #[must_use]
    pub fn point(&self) -> Option<Point> {
        self.at.map(|(latitude, longitude)| Point::new(latitude, longitude))
    }
}
