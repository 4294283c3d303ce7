//! Records as people write them, as far as an explanation needs: types by name, data of fixed records.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::{
    model::{DnsName, kind},
    steer::{AnswerTable, Lookup, Rrset},
};

/// Types that have a name here; any other is `TYPE123` (RFC 3597 section 5).
const KINDS: [(&str, u16); 21] = [
    ("A", kind::A),
    ("NS", kind::NS),
    ("CNAME", kind::CNAME),
    ("SOA", kind::SOA),
    ("PTR", kind::PTR),
    ("HINFO", kind::HINFO),
    ("MX", kind::MX),
    ("TXT", kind::TXT),
    ("AAAA", kind::AAAA),
    ("LOC", 29),
    ("SRV", kind::SRV),
    ("NAPTR", 35),
    ("DNAME", kind::DNAME),
    ("DS", kind::DS),
    ("SSHFP", 44),
    ("DNSKEY", 48),
    ("TLSA", 52),
    ("SVCB", 64),
    ("HTTPS", 65),
    ("ANY", kind::ANY),
    ("CAA", 257),
];

/// The number of a type's name.
pub(super) fn kind_of(text: &str) -> Option<u16> {
    let upper = text.to_ascii_uppercase();
    let named = KINDS.iter().find(|(name, _)| *name == upper).map(|(_, kind)| *kind);
    named.or_else(|| upper.strip_prefix("TYPE")?.parse().ok())
}

/// The name of a type.
pub(super) fn word_of(kind: u16) -> String {
    let named = KINDS.iter().find(|(_, number)| *number == kind);
    named.map_or_else(|| format!("TYPE{kind}"), |(name, _)| (*name).to_owned())
}

/// Fixed records of a type at a name, in presentation form, with their TTL.
pub(super) fn fixed(table: &AnswerTable, name: &DnsName, kind: u16) -> (Vec<String>, Option<u32>) {
    let Lookup::Found { sets, steering, .. } = table.lookup(name.wire(), kind) else { return (Vec::new(), None) };
    // ANY gets one small set (RFC 8482 section 4.1), as the doors give it; CNAME stands for every other type.
    let size = |set: &&Rrset| set.rdata.iter().map(|rdata| rdata.len()).sum::<usize>();
    let small = sets.iter().min_by_key(size).map(|set| set.kind);
    let wanted = |of: u16| of == kind || of == kind::CNAME || (kind == kind::ANY && Some(of) == small);
    if kind == kind::ANY && steering.is_some() {
        return (vec!["HINFO \"RFC8482\" \"\"".to_owned()], None);
    }
    let sets = sets.iter().filter(|set| wanted(set.kind));
    let mut ttl = None;
    let mut shown = Vec::new();
    for set in sets {
        ttl = Some(set.ttl);
        shown.extend(set.rdata.iter().map(|data| present(set.kind, data)));
    }
    (shown, ttl)
}

fn present(of: u16, data: &[u8]) -> String {
    let unknown = || {
        let digits = data_encoding::HEXLOWER.encode(data);
        format!("\\# {} {digits}", data.len())
    };
    match of {
        kind::A => <[u8; 4]>::try_from(data).map_or_else(|_| unknown(), |octets| Ipv4Addr::from(octets).to_string()),
        kind::AAAA => {
            <[u8; 16]>::try_from(data).map_or_else(|_| unknown(), |octets| Ipv6Addr::from(octets).to_string())
        }
        kind::NS | kind::CNAME | kind::PTR | kind::DNAME => {
            DnsName::from_wire(data).map_or_else(|_| unknown(), |name| name.to_string())
        }
        kind::MX => match data.split_at_checked(2) {
            Some((preference, host)) => DnsName::from_wire(host).map_or_else(
                |_| unknown(),
                |host| format!("{} {host}", u16::from_be_bytes([preference[0], preference[1]])),
            ),
            None => unknown(),
        },
        kind::TXT => texts(data).unwrap_or_else(unknown),
        kind::SOA => soa(data).unwrap_or_else(unknown),
        _ => unknown(),
    }
}

/// Two names and five numbers (RFC 1035 section 3.3.13).
fn soa(data: &[u8]) -> Option<String> {
    let (mname, rest) = first_name(data)?;
    let (rname, numbers) = first_name(rest)?;
    if numbers.len() != 20 {
        return None;
    }
    let numbers =
        numbers.chunks_exact(4).filter_map(|four| Some(u32::from_be_bytes(four.try_into().ok()?).to_string()));
    Some(format!("{mname} {rname} {}", numbers.collect::<Vec<_>>().join(" ")))
}

/// The name that data begins with, and what follows it. Stored data is never compressed.
fn first_name(data: &[u8]) -> Option<(DnsName, &[u8])> {
    let mut at = 0;
    while let length @ 1.. = usize::from(*data.get(at)?) {
        at += 1 + length;
    }
    let (name, rest) = data.split_at_checked(at + 1)?;
    Some((DnsName::from_wire(name).ok()?, rest))
}

/// Character strings in quotes (RFC 1035 section 5.1).
fn texts(mut data: &[u8]) -> Option<String> {
    let mut shown = Vec::new();
    while let Some((length, rest)) = data.split_first() {
        let (text, rest) = rest.split_at_checked(usize::from(*length))?;
        let escaped: String = text
            .iter()
            .map(|octet| match octet {
                b'"' | b'\\' => format!("\\{}", char::from(*octet)),
                b' '..=b'~' => char::from(*octet).to_string(),
                other => format!("\\{other:03}"),
            })
            .collect();
        shown.push(format!("\"{escaped}\""));
        data = rest;
    }
    Some(shown.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_shown_as_master_files_write_it() {
        for (of, data, shown) in [
            (kind::A, &[192, 0, 2, 1][..], "192.0.2.1"),
            (kind::A, &[192, 0, 2], "\\# 3 c00002"),
            (kind::MX, &[0, 10, 1, b'm', 0], "10 m."),
            (kind::TXT, &[3, b'a', b'"', 7, 1, b'b'], "\"a\\\"\\007\" \"b\""),
            (kind::TXT, &[9, b'a'], "\\# 2 0961"),
            (257, &[0], "\\# 1 00"),
            (kind::SOA, b"\x01n\0\x01h\0\0\0\0\x07\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04", "n. h. 7 1 2 3 4"),
            (kind::SOA, b"\x01n\0\x09h", "\\# 5 016e000968"),
        ] {
            assert_eq!(present(of, data), shown);
        }
        assert_eq!(kind_of("aaaa"), Some(28));
        assert_eq!(kind_of("TYPE1234").map(word_of).as_deref(), Some("TYPE1234"));
        assert_eq!(kind_of("NONSENSE"), None);
    }
}
