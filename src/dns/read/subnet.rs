//! The client's network in a query (RFC 7871): read to the last bit, because what is wrong in it must not become a place.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::dns::message::option;

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
/// Code and length of an option.
const HEAD: usize = 4;
/// Most octets of an option.
pub const SUBNET_ROOM: usize = HEAD + FIXED + 16;

/// The address families (IANA: Address Family Numbers), of which the upper octet is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Family {
    /// With an empty prefix: nobody shall be located.
    Nobody = 0,
    V4 = 1,
    V6 = 2,
}

/// A network as its resolver told it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    family: Family,
    source: u8,
    /// Both halves from the top; zeros behind the prefix. Of IPv4 the first half is enough to count with.
    address: [u64; 2],
}

impl Subnet {
    /// Reads the data of one option; `None` is for FORMERR (RFC 7871 sections 6 and 7.1.2): an unknown family, a prefix longer than
    /// its address, more or fewer octets than it takes, a bit behind it, or a scope.
    #[inline(always)]
    pub(super) fn read(data: &[u8]) -> Option<Self> {
        let ([0, family, source, 0], told) = data.split_first_chunk::<FIXED>()? else { return None };
        let source = *source;
        if told.len() != octets(source) {
            return None;
        }
        match family {
            1 if source <= 32 => {
                // The last four octets are those told, and before them what is shifted out.
                let last = u64::from(u32::from_be_bytes(*data.last_chunk()?));
                let top = last << (32 - 8 * told.len()) << 32;
                (top << source == 0).then_some(Self { family: Family::V4, source, address: [top, 0] })
            }
            2 if source <= 128 => {
                let number = long(told);
                let behind = number.checked_shl(u32::from(source)).unwrap_or(0);
                (behind == 0).then_some(Self { family: Family::V6, source, address: halves(number) })
            }
            0 if source == 0 => Some(Self { family: Family::Nobody, source, address: [0; 2] }),
            _ => None,
        }
    }

    /// The network to answer for; `None` where its resolver asks for an answer that is for nobody in particular
    /// (section 7.1.2).
    #[inline(always)]
    #[must_use]
    pub fn network(&self) -> Option<(IpAddr, u8)> {
        let [top, low] = self.address;
        match self.family {
            _ if self.source == 0 => None,
            Family::V4 => {
                let [a, b, c, d, ..] = top.to_be_bytes();
                Some((Ipv4Addr::new(a, b, c, d).into(), self.source))
            }
            Family::Nobody | Family::V6 => {
                Some((Ipv6Addr::from_bits(u128::from(top) << 64 | u128::from(low)).into(), self.source))
            }
        }
    }

    /// Octets of an option that echoes it.
    #[inline(always)]
    pub(in crate::dns) fn length(&self) -> usize {
        HEAD + FIXED + octets(self.source)
    }

    /// Writes the option of a reply: what came, and how much of it the answer is for (section 7.2.1). How many octets it
    /// has; those behind them mean nothing.
    #[inline(always)]
    pub(in crate::dns) fn put(&self, scope: u8, room: &mut [u8; SUBNET_ROOM]) -> usize {
        // An empty prefix decided nothing, and no answer is for less than an address.
        let scope = match self.family {
            _ if self.source == 0 => 0,
            Family::V4 => scope.min(32),
            Family::Nobody | Family::V6 => scope.min(128),
        };
        let length = self.length();
        let [code_high, code_low] = option::SUBNET.to_be_bytes();
        #[expect(clippy::cast_possible_truncation, reason = "the option has 24 octets at most")]
        let data = (length - HEAD) as u8;
        let [top, low] = self.address;
        room[..8].copy_from_slice(&[code_high, code_low, 0, data, 0, self.family as u8, self.source, scope]);
        room[8..16].copy_from_slice(&top.to_be_bytes());
        room[16..].copy_from_slice(&low.to_be_bytes());
        length
    }
}

/// As many as a prefix takes.
#[inline]
fn octets(source: u8) -> usize {
    usize::from(source).div_ceil(8)
}

/// At most 16 octets as a number, the first of them on top. Apart and in registers, or IPv4 waits for its room.
#[inline(never)]
fn long(told: &[u8]) -> u128 {
    let mut octets = [0; 16];
    octets[..told.len()].copy_from_slice(told);
    u128::from_be_bytes(octets)
}

#[expect(clippy::cast_possible_truncation, reason = "each half is taken")]
fn halves(number: u128) -> [u64; 2] {
    [(number >> 64) as u64, number as u64]
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
                let mut room = [0xff; SUBNET_ROOM];
                let length = subnet.put(scope, &mut room);
                let (head, echo) = room[..length].split_at(HEAD);
                prop_assert_eq!(head, &[0, 8, 0, u8::try_from(data.len()).unwrap()]);
                prop_assert_eq!(&echo[..3], &data[..3]);
                prop_assert_eq!(&echo[4..], &data[4..]);
                let bits = if data[1] == 1 { 32 } else { 128 };
                prop_assert!(echo[3] <= bits);
            }
        }
    }
}
