//! Records as people write them: types by name, fixed records as master files have them.

use crate::{
    config::present,
    model::{DnsName, kind},
    steer::{AnswerTable, Lookup},
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
    let small = sets.iter().min_by_key(|set| set.data_size()).map(|set| set.kind);
    let wanted = |of: u16| of == kind || of == kind::CNAME || (kind == kind::ANY && Some(of) == small);
    if kind == kind::ANY && steering.is_some() {
        return (vec!["HINFO \"RFC8482\" \"\"".to_owned()], None);
    }
    let sets = sets.iter().filter(|set| wanted(set.kind));
    let mut ttl = None;
    let mut shown = Vec::new();
    for set in sets {
        ttl = Some(set.ttl);
        shown.extend(set.rdata().map(|data| present(set.kind, data)));
    }
    (shown, ttl)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_names_and_numbers() {
        assert_eq!(kind_of("aaaa"), Some(28));
        assert_eq!(kind_of("TYPE1234").map(word_of).as_deref(), Some("TYPE1234"));
        assert_eq!(kind_of("NONSENSE"), None);
    }
}
