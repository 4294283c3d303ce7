use super::*;
use crate::dns::{
    message::flag,
    sample::FACE,
    write::{self, Own},
};
use data_encoding::HEXLOWER;
use proptest::prelude::*;

/// One line for each packet: its name, its octets, and `drop`, `query` or the code it is refused with.
const MALFORMED: &str = include_str!("../../../tests/data/dns/malformed.jsonl");

/// Room for a name. Tests read few packets.
fn room() -> &'static mut LowerName {
    Box::leak(Box::default())
}

/// Header, question `www.example.test A IN`, and what is given behind.
fn packet(flags: [u8; 2], counts: [u16; 4], behind: &[u8]) -> Vec<u8> {
    let counts = counts.map(u16::to_be_bytes).concat();
    [&[0x12, 0x34], flags.as_slice(), &counts, b"\x03wWw\x07example\x04test\0\0\x01\0\x01", behind].concat()
}

fn opt(class: u16, ttl: [u8; 4], options: &[u8]) -> Vec<u8> {
    let length = u16::try_from(options.len()).unwrap().to_be_bytes();
    [b"\0\0\x29", class.to_be_bytes().as_slice(), &ttl, &length, options].concat()
}

fn said(reading: &Reading<'_>) -> String {
    match reading {
        Reading::Drop(_) => "drop".into(),
        Reading::Refuse(refusal) => refusal.rcode.to_string().to_lowercase(),
        // The desk says so, which knows the keys.
        Reading::Query(query) if query.signed.is_some() => "notauth".into(),
        Reading::Query(_) => "query".into(),
    }
}

#[test]
fn malformed_packets_are_dropped_or_refused() {
    let mut count = 0;
    for line in MALFORMED.lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let octets = HEXLOWER.decode(case["hex"].as_str().unwrap().as_bytes()).unwrap();
        assert_eq!(said(&read(&octets, Ecs::Use, room())), case["expect"], "{}", case["name"]);
        count += 1;
    }
    assert_eq!(count, 95);
}

#[test]
fn a_query_is_read() {
    let options = b"\0\x03\0\0\0\x0b\0\0\xfd\xe9\0\x01x";
    let octets = packet([0x01, 0x10], [1, 0, 0, 1], &opt(4096, [0, 0, 0x80, 0], options));
    let Reading::Query(query) = read(&octets, Ecs::Use, room()) else {
        panic!("{:?}", read(&octets, Ecs::Use, room()))
    };
    assert_eq!(query.question, b"\x03wWw\x07example\x04test\0\0\x01\0\x01");
    assert_eq!(query.name.wire(), b"\x03www\x07example\x04test\0");
    assert_eq!((query.kind, query.class), (1, 1));
    let head = Head { id: 0x1234, opcode: 0, recursion_desired: true, checking_disabled: true };
    assert_eq!(query.head, head);
    let edns = Edns { size: 4096, version: 0, dnssec_ok: true, nsid: true, keepalive: true, subnet: None };
    assert_eq!(query.edns, Some(edns));
}

#[test]
fn headers_decide_first() {
    for (flags, counts, expected) in [
        ([0x00, 0x00], [1, 0, 0, 0], "query"),
        // TC, AA, RA, Z and AD mean nothing in a query.
        ([0x07, 0xff], [1, 0, 0, 0], "query"),
        ([0x80, 0x00], [1, 0, 0, 0], "drop"),
        ([0xf8, 0x00], [1, 0, 0, 0], "drop"),
        ([0x08, 0x00], [1, 0, 0, 0], "notimp"),
        ([0x20, 0x00], [1, 0, 0, 0], "notimp"),
        ([0x28, 0x00], [1, 0, 0, 0], "notimp"),
        ([0x78, 0x00], [0, 9, 9, 9], "notimp"),
        ([0x00, 0x00], [0, 0, 0, 0], "formerr"),
        ([0x00, 0x00], [2, 0, 0, 0], "formerr"),
        ([0x00, 0x00], [1, 1, 0, 0], "formerr"),
        ([0x00, 0x00], [1, 0, 1, 0], "formerr"),
        ([0x00, 0x00], [1, 0, 0, 1], "formerr"),
        ([0x00, 0x00], [1, 0, 0, 3], "formerr"),
    ] {
        let octets = packet(flags, counts, &[]);
        assert_eq!(said(&read(&octets, Ecs::Use, room())), expected, "{flags:02x?} {counts:?}");
    }
}

#[test]
fn refusals_carry_the_question_and_an_opt_if_there_was_one() {
    let edns = opt(1232, [0; 4], &[]);
    for (counts, behind, rcode, question, has_opt) in [
        ([1, 0, 0, 1], opt(1232, [0, 1, 0, 0], b"\0"), Rcode::BadVers, true, true),
        ([1, 0, 0, 1], opt(1232, [0; 4], b"\0\x03\0\xff"), Rcode::FormErr, true, true),
        ([1, 0, 0, 2], [edns.clone(), edns.clone()].concat(), Rcode::FormErr, true, true),
        ([1, 0, 0, 1], [b"\x01x".to_vec(), edns.clone()].concat(), Rcode::FormErr, true, true),
        ([1, 0, 0, 1], [edns.clone(), b"x".to_vec()].concat(), Rcode::FormErr, true, true),
        (
            [1, 1, 0, 1],
            [b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\0".to_vec(), edns.clone()].concat(),
            Rcode::FormErr,
            true,
            true,
        ),
        ([1, 0, 0, 3], edns.repeat(3), Rcode::FormErr, true, true),
    ] {
        let octets = packet([0, 0], counts, &behind);
        let Reading::Refuse(refusal) = read(&octets, Ecs::Use, room()) else { panic!("{counts:?} {behind:?}") };
        let found = (refusal.rcode, refusal.question.is_some(), refusal.edns.is_some());
        assert_eq!(found, (rcode, question, has_opt), "{counts:?} {behind:?}");
    }
    let octets = [&[0x12, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], edns.as_slice()].concat();
    let Reading::Refuse(refusal) = read(&octets, Ecs::Use, room()) else {
        panic!("a query without a question is refused")
    };
    assert!(refusal.question.is_none() && refusal.edns.is_some());
}

#[test]
fn unknown_opcodes_get_back_a_header() {
    let octets = packet([0x7f, 0xff], [1, 0, 0, 0], &[]);
    let Reading::Refuse(refusal) = read(&octets, Ecs::Use, room()) else { panic!("it is refused") };
    let mut out = Vec::new();
    write::refusal(&refusal, Own { face: &FACE, keepalive: None }, &mut out);
    assert_eq!(out, [0x12, 0x34, 0xf8, 0x04, 0, 0, 0, 0, 0, 0, 0, 0]);
}

proptest! {
    #[test]
    fn any_packet_is_one_of_three(octets in prop::collection::vec(any::<u8>(), 0..600)) {
        holds(&octets)?;
    }

    #[test]
    fn any_change_of_a_query_is_one_of_three(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        more in prop::collection::vec(any::<u8>(), 0..8),
        additionals in 0..3_u16,
    ) {
        let behind = opt(1232, [0; 4], b"\0\x03\0\0\0\x08\0\x04\0\x01\0\0").repeat(usize::from(additionals));
        let mut octets = packet([0, 0], [1, 0, 0, additionals], &behind);
        for (at, to) in changes {
            let at = at.index(octets.len());
            octets[at] = to;
        }
        if let Some(cut) = cut {
            octets.truncate(cut.index(octets.len()));
        }
        octets.extend(more);
        holds(&octets)?;
    }
}

/// What is true of every packet.
fn holds(octets: &[u8]) -> Result<(), TestCaseError> {
    match read(octets, Ecs::Use, room()) {
        Reading::Drop(_) => prop_assert!(octets.len() < 12 || octets[2] & flag::QR != 0),
        Reading::Refuse(refusal) => {
            prop_assert!(octets[2] & flag::QR == 0);
            let mut out = Vec::new();
            write::refusal(&refusal, Own { face: &FACE, keepalive: None }, &mut out);
            prop_assert_eq!(&out[..2], &octets[..2]);
            prop_assert!(out.len() <= 12 + 255 + 4 + 11, "a refusal is small");
            prop_assert!(hickory_proto::op::Message::from_vec(&out).is_ok());
            prop_assert!(domain::base::Message::from_octets(out).is_ok());
        }
        Reading::Query(query) => {
            prop_assert!(octets[2] & (flag::QR | flag::OPCODE) == 0);
            prop_assert!(octets[12..].starts_with(query.question));
            let name = crate::model::DnsName::from_wire(query.name.wire());
            prop_assert!(name.is_ok_and(|name| name.wire() == query.name.wire()));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn names_are_lowered_and_hashed_octet_by_octet(
        labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..=63), 0..4),
        behind in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let mut wire: Vec<u8> = Vec::new();
        for label in &labels {
            wire.push(u8::try_from(label.len()).unwrap());
            wire.extend_from_slice(label);
        }
        wire.push(0);
        let mut name = LowerName::default();
        prop_assert_eq!(name.take(&[&wire[..], &behind].concat()), Some(wire.len()));
        let lower = wire.to_ascii_lowercase();
        prop_assert_eq!((name.wire(), name.hash()), (&lower[..], NameHash::of(&lower)));
    }
}
