//! The queries that nearly all are: one question of class IN, an OPT or nothing behind it.
//!
//! Why a reader of its own beside [`read`](super::read): it has one way out and lends nothing, so what it reads stays in
//! registers, and the packet may be written over. Its tests hold it to the other's word.

use super::{Ecs, Edns, LowerName, Subnet};
use crate::dns::message::{HEADER, OPT, UDP_SIZE_MIN, flag, meta, option};

/// One question, and nothing else.
const QUESTION: u64 = 1 << 48;
/// With one record in the additional section.
const AND_ONE: u64 = QUESTION | 1;

/// What such a query asks, beside its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plain {
    /// QTYPE.
    pub kind: u16,
    /// Where the question ends.
    pub end: usize,
    /// Of the query.
    pub edns: Option<Edns>,
}

/// Reads a packet if it is such a query, its name into `name`. `None` says no more than that it is another.
#[inline(always)]
#[must_use]
pub fn plain(packet: &[u8], ecs: Ecs, name: &mut LowerName) -> Option<Plain> {
    let ([_, _, flags, _, counts @ ..], rest) = packet.split_first_chunk::<HEADER>()?;
    if flags & (flag::QR | flag::OPCODE) != 0 {
        return None;
    }
    let counts = u64::from_be_bytes(*counts);
    if counts != QUESTION && counts != AND_ONE {
        return None;
    }
    let octets = name.take(rest)?;
    let ([kind_high, kind_low, class_high, class_low], behind) = rest.get(octets..)?.split_first_chunk::<4>()?;
    if u16::from_be_bytes([*class_high, *class_low]) != meta::CLASS_IN {
        return None;
    }
    let edns = match counts {
        AND_ONE => Some(opt(behind, ecs)?),
        _ if behind.is_empty() => None,
        _ => return None,
    };
    Some(Plain { kind: u16::from_be_bytes([*kind_high, *kind_low]), end: HEADER + octets + 4, edns })
}

/// A well-formed OPT of version 0 at the root, if nothing else is there.
#[inline(always)]
fn opt(record: &[u8], ecs: Ecs) -> Option<Edns> {
    let ([0, 0, 41, size_high, size_low, _, 0, flags, _, length_high, length_low], mut rest) =
        record.split_first_chunk::<OPT>()?
    else {
        return None;
    };
    if usize::from(u16::from_be_bytes([*length_high, *length_low])) != rest.len() {
        return None;
    }
    let (mut nsid, mut keepalive, mut subnet) = (false, false, None);
    while let Some(([code_high, code_low, length_high, length_low], behind)) = rest.split_first_chunk::<4>() {
        let length = usize::from(u16::from_be_bytes([*length_high, *length_low]));
        let (data, behind) = behind.split_at_checked(length)?;
        rest = behind;
        match u16::from_be_bytes([*code_high, *code_low]) {
            option::SUBNET if ecs == Ecs::Use => {
                let told = Subnet::read(data)?;
                if subnet.replace(told).is_some() {
                    return None;
                }
            }
            option::NSID => nsid = true,
            option::KEEPALIVE => keepalive |= length == 0,
            _ => {}
        }
    }
    rest.is_empty().then_some(Edns {
        size: u16::from_be_bytes([*size_high, *size_low]).max(UDP_SIZE_MIN),
        version: 0,
        dnssec_ok: flags & 0x80 != 0,
        nsid,
        keepalive,
        subnet,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::read::{Reading, read};
    use proptest::prelude::*;

    /// Reads it both ways. Whether it was plain.
    fn check(packet: &[u8], ecs: Ecs) -> bool {
        let (mut one, mut other) = (LowerName::default(), LowerName::default());
        let Some(plain) = plain(packet, ecs, &mut one) else { return false };
        let Reading::Query(query) = read(packet, ecs, &mut other) else {
            panic!("only one reads {packet:02x?}");
        };
        let expected = Plain { kind: query.kind, end: HEADER + query.question.len(), edns: query.edns };
        assert_eq!((plain, one.wire(), one.hash()), (expected, query.name.wire(), query.name.hash()));
        assert_eq!((query.head.opcode, query.class), (0, meta::CLASS_IN));
        true
    }

    fn packet(opt: Option<&[u8]>) -> Vec<u8> {
        let mut packet = b"\x12\x34\x01\x10\0\x01\0\0\0\0\0\0\x03wWw\x07Example\x04test\0\0\x1c\0\x01".to_vec();
        if let Some(options) = opt {
            packet[11] = 1;
            packet.extend(b"\0\0\x29\x10\0\0\0\x80\0");
            packet.extend(u16::try_from(options.len()).unwrap().to_be_bytes());
            packet.extend(options);
        }
        packet
    }

    const OPTIONS: &[u8] = b"\0\x03\0\0\0\x0b\0\0\0\x08\0\x07\0\x01\x18\0\xc0\0\x02\xfd\xe9\0\x01x";

    #[test]
    fn what_resolvers_ask_is_plain() {
        for opt in [None, Some(&[][..]), Some(OPTIONS), Some(b"\0\x08\0\x08\0\x02\x20\0\x20\x01\x0d\xb8")] {
            assert!(check(&packet(opt), Ecs::Use) && check(&packet(opt), Ecs::Ignore), "{opt:02x?}");
        }
    }

    proptest! {
        #[test]
        fn nobody_reads_anything_else(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut in 0_usize..60,
            ignore in any::<bool>(),
        ) {
            let mut packet = packet(Some(OPTIONS));
            for (at, octet) in changes {
                let at = at.index(packet.len());
                packet[at] = octet;
            }
            let ecs = if ignore { Ecs::Ignore } else { Ecs::Use };
            check(&packet, ecs);
            packet.truncate(packet.len().saturating_sub(cut));
            check(&packet, ecs);
        }
    }
}
