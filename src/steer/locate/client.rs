//! One client of one query, located as far as its answer depends on it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{Locator, nets::bits_of};
use crate::{
    model::{Fleet, Locality, Point, Sticky, When, Whence},
    steer::rendezvous::mixed,
};

/// Who asks, as far as one answer looks at it.
///
/// Of a network the first address stands for all: where an answer depends on more bits than the network has, the scope
/// says so by being longer (RFC 7871 section 7.2.1), and it is exact for the addresses that share the scope's bits.
#[derive(Debug)]
pub struct Client<'t> {
    locator: Option<&'t Locator>,
    network: Option<IpAddr>,
    /// Looked up, or told by an operator: in explanations, plans and tests.
    known: Locality,
    /// Whether the place was looked up; always for one that was told.
    placed: bool,
    /// Whether the AS was.
    announced: bool,
    scope: u8,
}

impl<'t> Client<'t> {
    /// A client in a network: of an ECS option, or a resolver's address with all its bits. Bits behind its length do
    /// not count, and of a network without bits nothing is known: its client asked not to be looked at.
    #[must_use]
    #[inline(always)]
    pub fn new(locator: &'t Locator, address: IpAddr, bits: u8) -> Self {
        if bits == 0 {
            return Client::nobody();
        }
        let (locator, network) = (Some(locator), Some(masked(address, bits)));
        Self { locator, network, known: Locality::default(), placed: false, announced: false, scope: 0 }
    }

    /// One of whom nothing is known.
    #[must_use]
    #[inline(always)]
    pub fn nobody() -> Client<'static> {
        let known = Locality::default();
        Client { locator: None, network: None, known, placed: true, announced: true, scope: 0 }
    }

    /// One at a place that somebody names; of a code without a point the middle.
    #[must_use]
    pub fn at(place: Locality) -> Client<'static> {
        let at = place.at.or_else(|| place.geo.map(|code| code.middle()));
        let known = Locality { at, ..place };
        Client { locator: None, network: None, known, placed: true, announced: true, scope: 0 }
    }

    /// One as people write it. Networks and addresses are located as in a query; a region that is nowhere on the globe
    /// or not in the fleet says nothing.
    #[must_use]
    pub fn from_whence(whence: &Whence, locator: &'t Locator, fleet: &Fleet) -> Self {
        let nowhere = Locality::default();
        match whence {
            Whence::Geo(code) => Client::at(Locality { geo: Some(*code), ..nowhere }),
            Whence::Region(id) => Client::at(Locality { at: fleet.region(id).and_then(|r| r.point()), ..nowhere }),
            Whence::Net(net) => Self::new(locator, net.network(), net.prefix_len()),
            Whence::Address(address) => Self::new(locator, *address, if address.is_ipv4() { 32 } else { 128 }),
            Whence::Asn(number) => Client::at(Locality { asn: Some(*number), ..nowhere }),
        }
    }

    /// How many bits of its address decided so far: the SCOPE PREFIX-LENGTH of the answer (RFC 7871 section 7.2.1).
    /// May be longer than the network it came with.
    #[must_use]
    pub fn scope(&self) -> u8 {
        self.scope
    }

    /// What was found out so far, for people; looks nothing up.
    #[must_use]
    pub fn known(&self) -> Locality {
        self.known
    }

    /// Looks at everything, as no answer needs to: for people who ask where somebody is.
    #[must_use]
    pub fn locate(&mut self) -> Locality {
        self.place();
        self.asn();
        self.known
    }

    /// Whether a rule is for this client. Kinds are tried in turn, and what is not tried does not count.
    pub(in crate::steer) fn fits(&mut self, when: &When) -> bool {
        (when.subnets.is_empty() || self.inside(&when.subnets))
            && (when.geo.is_empty()
                || self.place().geo.is_some_and(|code| when.geo.iter().any(|wide| wide.contains(&code))))
            && (when.asn.is_empty() || self.asn().is_some_and(|number| when.asn.contains(&number)))
    }

    /// Where it is.
    #[inline(always)]
    pub(in crate::steer) fn point(&mut self) -> Option<Point> {
        self.place();
        self.known.at
    }

    /// Its network as a number, to be answered by; `None` for one that has none.
    pub(in crate::steer) fn key(&mut self, sticky: Sticky) -> Option<u64> {
        let address = self.network?;
        let bits = if address.is_ipv4() { sticky.v4.min(32) } else { sticky.v6.min(128) };
        self.scope = self.scope.max(bits);
        let octets = match masked(address, bits) {
            IpAddr::V4(v4) => u128::from(v4.to_bits()) | 1 << 127,
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let half = |shift: u32| u64::try_from((octets >> shift) & u128::from(u64::MAX)).expect("64 bits are left");
        Some(mixed(mixed(u64::from(bits), half(64)), half(0)))
    }

    /// Looks the place up, if that has not been done.
    #[inline(always)]
    fn place(&mut self) -> &Locality {
        if let (false, Some(locator), Some(address)) = (self.placed, self.locator, self.network) {
            let (found, looked_at) = locator.place(address);
            self.known = Locality { asn: self.known.asn, ..found };
            self.scope = self.scope.max(looked_at);
            self.placed = true;
        }
        &self.known
    }

    fn asn(&mut self) -> Option<u32> {
        if let (false, Some(locator), Some(address)) = (self.announced, self.locator, self.network) {
            let (found, looked_at) = locator.asn(address);
            self.known.asn = found;
            self.scope = self.scope.max(looked_at);
            self.announced = true;
        }
        self.known.asn
    }

    /// Whether one of the networks holds it. Each that is tried was looked at: one that holds it with its length,
    /// another up to the first bit that differs.
    fn inside(&mut self, nets: &[IpNet]) -> bool {
        let Some(address) = self.network else { return false };
        nets.iter().any(|net| {
            let Some(common) = common(address, net.network()) else { return false };
            let length = net.prefix_len();
            self.scope = self.scope.max(length.min(common.saturating_add(1)));
            length <= common
        })
    }
}

/// How many leading bits two addresses share; `None` if they are of two families.
fn common(a: IpAddr, b: IpAddr) -> Option<u8> {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => Some(bits_of((a.to_bits() ^ b.to_bits()).leading_zeros())),
        (IpAddr::V6(a), IpAddr::V6(b)) => Some(bits_of((a.to_bits() ^ b.to_bits()).leading_zeros())),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
    }
}

/// The first address of the network of so many bits.
#[inline(always)]
fn masked(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let kept = u32::MAX.checked_shl(Ipv4Addr::BITS.saturating_sub(u32::from(bits))).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & kept).into()
        }
        IpAddr::V6(v6) => {
            let kept = u128::MAX.checked_shl(Ipv6Addr::BITS.saturating_sub(u32::from(bits))).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & kept).into()
        }
    }
}
