//! The client's network in a query (RFC 7871): read octet by octet, because what is wrong in it must not become a place.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether resolvers are believed about their clients' networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ecs {
    /// Read, used and echoed.
    #[default]
    Use,
    /// Stepped over as any unknown option, whatever is in it.
    Ignore,
}

/// The fixed part: family and both prefix lengths.
const FIXED: usize = 4;
/// The address families (IANA: Address Family Numbers); 0 with an empty prefix says that nobody shall be located.
const NONE: u16 = 0;
const IPV4: u16 = 1;
const IPV6: u16 = 2;

/// A network as its resolver told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    family: u16,
    source: u8,
    /// From the top; zeros behind the prefix.
    address: u128,
}

impl Subnet {
    /// Reads the data of one option; `None` is for FORMERR (RFC 7871 sections 6 and 7.1.2): an unknown family, a prefix longer than
    /// its address, more or fewer octets than it takes, a bit behind it, or a scope.
    #[inline(always)]
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        let ([family_high, family_low, source, scope], told) = data.split_first_chunk::<FIXED>()?;
        let (family, source) = (u16::from_be_bytes([*family_high, *family_low]), *source);
        let bits = match family {
            NONE => 0,
            IPV4 => 32,
            IPV6 => 128,
            _ => return None,
        };
        if bits < source || *scope != 0 || told.len() != octets(source) {
            return None;
        }
        // An empty prefix is nothing, and shifts nothing.
        let number = told.iter().fold(0, |number, octet| number << 8 | u128::from(*octet));
        let address = number << ((16 - told.len()) * 8 % 128);
        let behind = address.checked_shl(u32::from(source)).unwrap_or(0);
        (behind == 0).then_some(Self { family, source, address })
    }

    /// The network to answer for; `None` where its resolver asks for an answer that is for nobody in particular
    /// (section 7.1.2).
    #[inline(always)]
    #[must_use]
    pub fn network(&self) -> Option<(IpAddr, u8)> {
        let [a, b, c, d, ..] = self.address.to_be_bytes();
        match (self.family, self.source) {
            (_, 0) => None,
            (IPV4, source) => Some((Ipv4Addr::new(a, b, c, d).into(), source)),
            (_, source) => Some((Ipv6Addr::from_bits(self.address).into(), source)),
        }
    }

    /// Octets of an option that echoes it.
    #[inline(always)]
    pub(in crate::dns) fn length(&self) -> usize {
        FIXED + octets(self.source)
    }

    /// The data of the option in a reply: what came, and how much of it the answer is for (section 7.2.1).
    #[inline(always)]
    pub(in crate::dns) fn echo(&self, scope: u8) -> ([u8; FIXED + 16], usize) {
        let mut data = [0; FIXED + 16];
        data[..2].copy_from_slice(&self.family.to_be_bytes());
        data[2] = self.source;
        // An empty prefix decided nothing, and no answer is for less than an address.
        data[3] = match (self.family, self.source) {
            (_, 0) => 0,
            (IPV4, _) => scope.min(32),
            (_, _) => scope.min(128),
        };
        data[FIXED..].copy_from_slice(&self.address.to_be_bytes());
        (data, self.length())
    }
}

/// As many as a prefix takes.
#[inline]
fn octets(source: u8) -> usize {
    usize::from(source).div_ceil(8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The network of well-formed data, `-` for nobody's, and `formerr`.
    fn check(data: &[u8], expected: &str) {
        let found = match Subnet::read(data) {
            None => "formerr".to_owned(),
            Some(subnet) => match subnet.network() {
                None => "-".to_owned(),
                Some((address, source)) => format!("{address}/{source}"),
            },
        };
        assert_eq!(found, expected, "{data:02x?}");
    }

    #[test]
    fn networks_are_read_exactly() {
        check(&[0, 1, 24, 0, 198, 51, 100], "198.51.100.0/24");
        check(&[0, 1, 32, 0, 198, 51, 100, 7], "198.51.100.7/32");
        check(&[0, 1, 20, 0, 198, 51, 0x60], "198.51.96.0/20");
        check(&[0, 1, 1, 0, 0x80], "128.0.0.0/1");
        check(&[0, 2, 48, 0, 0x20, 1, 0x0d, 0xb8, 0, 1], "2001:db8:1::/48");
        check(&[0, 1, 0, 0], "-");
        check(&[0, 2, 0, 0], "-");
        check(&[0, 0, 0, 0], "-");
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for data in [
            &[][..],
            &[0, 1, 24],
            // Families nobody knows, and one that has no addresses.
            &[0, 3, 24, 0, 1, 2, 3],
            &[1, 1, 0, 0],
            &[0, 0, 8, 0, 10],
            // Longer than an address.
            &[0, 1, 33, 0, 1, 2, 3, 4, 5],
            &[0, 2, 129, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17],
            // Fewer and more octets than the prefix takes.
            &[0, 1, 24, 0, 1, 2],
            &[0, 1, 24, 0, 1, 2, 3, 0],
            &[0, 1, 0, 0, 0],
            // A bit behind the prefix.
            &[0, 1, 23, 0, 1, 2, 3],
            &[0, 1, 1, 0, 0x81],
            // A scope is for replies.
            &[0, 1, 24, 24, 1, 2, 3],
            &[0, 0, 0, 1],
        ] {
            check(data, "formerr");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_goes_back_as_it_came(data in prop::collection::vec(0..4_u8, 4..22), scope in any::<u8>()) {
            if let Some(subnet) = Subnet::read(&data) {
                let (echo, length) = subnet.echo(scope);
                prop_assert_eq!(&echo[..3], &data[..3]);
                prop_assert_eq!(&echo[4..length], &data[4..]);
                let bits = if data[1] == 1 { 32 } else { 128 };
                prop_assert!(echo[3] <= bits);
            }
        }
    }
}
