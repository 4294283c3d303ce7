//! The records behind a question: OPT is read, TSIG is recognised, anything else is stepped over.

use super::{Ecs, Edns, Subnet};
use crate::{
    dns::message::{HEADER, UDP_SIZE_MIN, meta, option, u16_at},
    model::{LABEL_LENGTH_MAX, NAME_LENGTH_MAX, kind},
};

/// The fixed part of a record behind its owner: type, class, TTL, length.
const FIXED: usize = 10;

/// What stands behind the question.
pub(super) enum Extra {
    /// No sequence of records, or an OPT or TSIG that is not one; with the OPT if it was read by then.
    Malformed(Option<Edns>),
    /// Read to the last octet; with the octets of the TSIG that ends it.
    Read { edns: Option<Edns>, signed: Option<usize> },
}

/// One record, its RDATA not looked at.
struct Record<'p> {
    root: bool,
    kind: u16,
    class: u16,
    ttl: [u8; 4],
    data: &'p [u8],
    rest: &'p [u8],
}

/// Steps over `before` records and reads `additionals` more, which must end the message.
pub(super) fn walk(mut rest: &[u8], before: u16, additionals: u16, ecs: Ecs) -> Extra {
    let mut edns = None;
    let mut signed = None;
    for nth in 0..before.saturating_add(additionals) {
        let Some(record) = next(rest) else { return Extra::Malformed(edns) };
        let octets = rest.len() - record.rest.len();
        rest = record.rest;
        if signed.is_some() {
            // A TSIG is the last record of its message (RFC 8945 section 5.1).
            return Extra::Malformed(edns);
        }
        if nth < before {
            continue;
        }
        match record.kind {
            kind::OPT => {
                let (read, well_formed) = opt(&record, ecs);
                // One OPT at most, at the root (RFC 6891 section 6.1.1).
                let alone = edns.is_none() && record.root;
                edns = edns.or(Some(read));
                if !alone || !well_formed {
                    return Extra::Malformed(edns);
                }
            }
            meta::TSIG => {
                if record.class != meta::CLASS_ANY || !is_tsig(record.data) {
                    return Extra::Malformed(edns);
                }
                signed = Some(octets);
            }
            _ => {}
        }
    }
    if rest.is_empty() { Extra::Read { edns, signed } } else { Extra::Malformed(edns) }
}

/// The serial of the SOA that `rest` begins with, behind a question.
pub(super) fn soa_serial(rest: &[u8]) -> Option<u32> {
    let record = next(rest).filter(|record| record.kind == kind::SOA)?;
    // Five numbers end its data, whatever the names before them are (RFC 1035 section 3.3.13).
    let numbers = record.data.last_chunk::<20>()?;
    Some(u32::from_be_bytes([numbers[0], numbers[1], numbers[2], numbers[3]]))
}

/// Where in a whole message with one question the TSIG begins that ends it.
pub(in crate::dns) fn signature_at(packet: &[u8]) -> Option<usize> {
    let question = owner_length(packet.get(HEADER..)?)? + 4;
    let mut rest = packet.get(HEADER + question..)?;
    let records = [6, 8, 10].map(|at| u16_at(packet, at).map_or(0, usize::from));
    for _ in 1..records.iter().sum() {
        rest = next(rest)?.rest;
    }
    let last = next(rest).filter(|record| record.kind == meta::TSIG && record.rest.is_empty());
    last.map(|_| packet.len() - rest.len())
}

fn next(bytes: &[u8]) -> Option<Record<'_>> {
    let owner = owner_length(bytes)?;
    let fixed = bytes.get(owner..owner + FIXED)?;
    let data_at = owner + FIXED;
    let data_end = data_at + usize::from(u16_at(fixed, 8)?);
    Some(Record {
        root: bytes[0] == 0,
        kind: u16_at(fixed, 0)?,
        class: u16_at(fixed, 2)?,
        ttl: fixed.get(4..8)?.try_into().ok()?,
        data: bytes.get(data_at..data_end)?,
        rest: bytes.get(data_end..)?,
    })
}

/// How many octets an owner takes. A pointer ends it and is not followed.
fn owner_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while at < NAME_LENGTH_MAX {
        match usize::from(*bytes.get(at)?) {
            0 => return Some(at + 1),
            length if length <= LABEL_LENGTH_MAX => at += 1 + length,
            pointer if pointer >= 0xc0 => return Some(at + 2),
            _ => return None,
        }
    }
    None
}

/// The OPT, and whether its options fill its RDATA exactly and are what they must be. Of another version only the fixed
/// part can be read.
fn opt(record: &Record<'_>, ecs: Ecs) -> (Edns, bool) {
    let [_, version, flags, _] = record.ttl;
    let mut edns = Edns {
        size: record.class.max(UDP_SIZE_MIN),
        version,
        dnssec_ok: flags & 0x80 != 0,
        nsid: false,
        keepalive: false,
        subnet: None,
    };
    if version != 0 {
        return (edns, true);
    }
    let mut rest = record.data;
    while !rest.is_empty() {
        let (Some(code), Some(length)) = (u16_at(rest, 0), u16_at(rest, 2)) else { return (edns, false) };
        let Some((option, behind)) = rest.split_at_checked(4 + usize::from(length)) else { return (edns, false) };
        rest = behind;
        edns.nsid |= code == option::NSID;
        // A client asks with an empty option (RFC 7828 section 3.2.1); another length asks for nothing we know.
        edns.keepalive |= code == option::KEEPALIVE && length == 0;
        if code == option::SUBNET && ecs == Ecs::Use {
            // A client is in one network.
            match Subnet::read(&option[4..]) {
                Some(subnet) if edns.subnet.is_none() => edns.subnet = Some(subnet),
                Some(_) | None => return (Edns { subnet: None, ..edns }, false),
            }
        }
    }
    (edns, true)
}

/// Algorithm name, time, fudge, MAC, original id, error, other data: exactly (RFC 8945 section 4.2).
fn is_tsig(data: &[u8]) -> bool {
    let end = || {
        let algorithm = owner_length(data)?;
        let mac_at = algorithm + 6 + 2;
        let other_at = mac_at + 2 + usize::from(u16_at(data, mac_at)?) + 2 + 2;
        Some(other_at + 2 + usize::from(u16_at(data, other_at)?))
    };
    end() == Some(data.len())
}
