//! What is answered, row by row of the RFCs, through the desk that every door uses and through hickory's handler.

use std::sync::Arc;

use data_encoding::HEXLOWER;
use hickory_proto::{
    op::{Message, Query, ResponseCode},
    rr::{DNSClass, Name, RData, Record, RecordType},
};
use proptest::prelude::*;
use wayshift::{
    clock::Clock,
    dns::{Answerer, Chaos, Client, Desk, General, Handled},
    model::DnsName,
    telemetry::dns::{DnsMetrics, Proto},
};

use crate::dns_world::{APEX, ask, client, decoded, desk, face, live, query, with_edns};

pub(crate) const NEGATIVE: &str = "SOA";

/// `name TTL TYPE rdata` of each record, names under the apex shortened.
fn shown(records: &[Record]) -> Vec<String> {
    let mut lines: Vec<String> = records
        .iter()
        .map(|record| {
            let name = record.name.to_ascii();
            let name = name.strip_suffix(&format!(".{APEX}")).unwrap_or(&name);
            let data = if matches!(record.data, RData::SOA(_)) {
                String::new()
            } else if let RData::Unknown { rdata, .. } = &record.data {
                unknown(&rdata.anything, record.record_type())
            } else {
                format!(" {}", record.data.to_string().replace(&format!(".{APEX}"), ""))
            };
            format!("{name} {} {}{data}", record.ttl, record.record_type())
        })
        .collect();
    lines.sort();
    lines
}

/// RDATA of types that hickory does not know: a DNAME's name, or octets.
fn unknown(rdata: &[u8], kind: RecordType) -> String {
    match u16::from(kind) {
        39 => format!(" {}", DnsName::from_wire(rdata).unwrap().to_string().replace(&format!(".{APEX}"), "")),
        _ => format!(" {}", HEXLOWER.encode(rdata)),
    }
}

/// Asks twice, at the desk and through hickory's handler: the code, AA, and the sections.
pub(crate) fn check(
    name: &str,
    kind: RecordType,
    rcode: ResponseCode,
    aa: bool,
    answer: &[&str],
    authority: &[&str],
    glue: &[&str],
) {
    for through in ["desk", "handler"] {
        let message = query(name, kind);
        let reply = match through {
            "desk" => ask(&mut desk(Chaos::Hide), &message, Proto::Tcp),
            _ => ask(&mut General::new(desk(Chaos::Hide)), &message, Proto::Tcp),
        };
        let case = format!("{name} {kind} through the {through}");
        assert_eq!((reply.metadata.response_code, reply.metadata.authoritative), (rcode, aa), "{case}");
        assert_eq!(shown(&reply.answers), answer, "answer of {case}");
        let authorities = shown(&reply.authorities);
        match authority {
            [NEGATIVE] => assert_eq!(authorities, [format!("{APEX} 60 SOA")], "authority of {case}"),
            _ => assert_eq!(authorities, authority, "authority of {case}"),
        }
        assert_eq!(shown(&reply.additionals), glue, "additional of {case}");
        assert_eq!(reply.queries, message.queries, "question of {case}");
        assert!(!reply.metadata.truncation && !reply.metadata.recursion_available, "{case}");
    }
}

use RecordType::{A, AAAA, ANY, CNAME, DS, MX, NS, SOA, TXT};
use ResponseCode::{NXDomain, NoError, NotImp, Refused, ServFail, YXDomain};

#[test]
fn data_and_its_absence() {
    check("www", A, NoError, true, &["www 300 A 192.0.2.80", "www 300 A 192.0.2.81"], &[], &[]);
    check("wWw", AAAA, NoError, true, &["wWw 300 AAAA 2001:db8::80"], &[], &[]);
    check("unk", RecordType::Unknown(65280), NoError, true, &["unk 300 Unknown 01020304"], &[], &[]);
    check("", NS, NoError, true, &["example.test. 3600 NS ns1", "example.test. 3600 NS ns2"], &[], &[]);
    check("", SOA, NoError, true, &["example.test. 3600 SOA"], &[], &[]);
    // NODATA and NXDOMAIN carry the SOA with the lesser TTL (RFC 2308 section 3).
    check("www", MX, NoError, true, &[], &[NEGATIVE], &[]);
    check("nope", A, NXDomain, true, &[], &[NEGATIVE], &[]);
    check("below.mail", A, NXDomain, true, &[], &[NEGATIVE], &[]);
    // Empty non-terminals exist (RFC 4592 section 2.2.2).
    check("ent", A, NoError, true, &[], &[NEGATIVE], &[]);
    check("b.ent", ANY, NoError, true, &[], &[NEGATIVE], &[]);
    check("c.b.ent", A, NXDomain, true, &[], &[NEGATIVE], &[]);
}

#[test]
fn names_that_are_not_ours() {
    check("nothing.invalid.", A, Refused, false, &[], &[], &[]);
    check(".", NS, Refused, false, &[], &[], &[]);
    check("test.", SOA, Refused, false, &[], &[], &[]);
}

#[test]
fn wildcards() {
    check("foo.wild", A, NoError, true, &["foo.wild 300 A 192.0.2.99"], &[], &[]);
    check("a.b.wild", A, NoError, true, &["a.b.wild 300 A 192.0.2.99"], &[], &[]);
    check("*.wild", A, NoError, true, &["*.wild 300 A 192.0.2.99"], &[], &[]);
    check("foo.wild", MX, NoError, true, &[], &[NEGATIVE], &[]);
    // A name that exists keeps the wildcard away from itself and from all below (RFC 4592 section 2.2.1).
    check("exact.wild", MX, NoError, true, &[], &[NEGATIVE], &[]);
    check("z.exact.wild", A, NXDomain, true, &[], &[NEGATIVE], &[]);
    check("q.cwild", AAAA, NoError, true, &["q.cwild 300 CNAME www", "www 300 AAAA 2001:db8::80"], &[], &[]);
    check("any.tenants", A, NoError, true, &["any.tenants 30 A 203.0.113.2"], &[], &[]);
}

#[test]
fn aliases() {
    check("alias", AAAA, NoError, true, &["alias 300 CNAME www", "www 300 AAAA 2001:db8::80"], &[], &[]);
    check("alias", CNAME, NoError, true, &["alias 300 CNAME www"], &[], &[]);
    check("alias", MX, NoError, true, &["alias 300 CNAME www"], &[NEGATIVE], &[]);
    let chain =
        ["Chain2 300 CNAME chain3", "chain1 300 CNAME Chain2", "chain3 300 CNAME www", "www 300 AAAA 2001:db8::80"];
    check("chain1", AAAA, NoError, true, &chain, &[], &[]);
    check("ext", A, NoError, true, &["ext 300 CNAME target.example.net."], &[], &[]);
    // The code is of the last name (RFC 6604 section 3).
    check("dangle", A, NXDomain, true, &["dangle 300 CNAME nothere"], &[NEGATIVE], &[]);
    check("loop1", A, NoError, true, &["loop1 300 CNAME loop2", "loop2 300 CNAME loop1"], &[], &[]);
    check(
        "tosister",
        A,
        NoError,
        true,
        &["tosister 300 CNAME www.sister.test.", "www.sister.test. 60 A 192.0.2.180"],
        &[],
        &[],
    );
    // The steered target is for the resolver to ask; other types of it are as fixed as any.
    check("tosteered", A, NoError, true, &["tosteered 300 CNAME app"], &[], &[]);
    let text = "app 300 TXT steered, with a text beside";
    check("tosteered", TXT, NoError, true, &[text, "tosteered 300 CNAME app"], &[], &[]);
}

#[test]
fn delegations() {
    let servers = ["child 300 NS ns.child", "child 300 NS ns.elsewhere.example.net."];
    for (name, kind) in [("child", A), ("child", NS), ("child", SOA), ("x.child", A), ("ns.child", A)] {
        check(name, kind, NoError, false, &[], &servers, &["ns.child 300 A 192.0.2.200"]);
    }
    // DS is the parent's (RFC 4035 section 3.1.4.1).
    check("child", DS, NoError, true, &[], &[NEGATIVE], &[]);
    let ds = "schild 300 DS 30390d02a0b1c2d3e4f5061728394a5b6c7d8e9f00112233445566778899aabbccddeeff";
    check("schild", DS, NoError, true, &[ds], &[], &[]);
    // AA is for the first name (RFC 1035 section 4.1.1).
    check("tochild", A, NoError, true, &["tochild 300 CNAME x.child"], &servers, &["ns.child 300 A 192.0.2.200"]);
}

#[test]
fn redirected_names() {
    let away = ["dn 300 DNAME elsewhere.example.net.", "x.dn 300 CNAME x.elsewhere.example.net."];
    check("x.dn", A, NoError, true, &away, &[], &[]);
    let inside = ["dnin 300 DNAME wild", "y.dnin 300 CNAME y.wild", "y.wild 300 A 192.0.2.99"];
    check("y.dnin", A, NoError, true, &inside, &[], &[]);
    check("dn", A, NoError, true, &[], &[NEGATIVE], &[]);
    let long = [&"y".repeat(63), &"y".repeat(63), &"y".repeat(63), &"y".repeat(44)].map(String::as_str).join(".");
    let name = format!("{long}.dn.{APEX}");
    check(&name, A, YXDomain, true, &["dn 300 DNAME elsewhere.example.net."], &[], &[]);
}

#[test]
fn steered_names() {
    check("old", A, NoError, true, &["old 30 A 203.0.113.2"], &[], &[]);
    check("app", AAAA, NoError, true, &["app 30 AAAA 2001:db8:1::1"], &[], &[]);
    check("old", AAAA, NoError, true, &[], &[NEGATIVE], &[]);
    check("dark", A, ServFail, false, &[], &[], &[]);
    check("old", MX, NoError, true, &[], &[NEGATIVE], &[]);
    let mut desk = desk(Chaos::Hide);
    let mut turns = std::iter::repeat_with(|| shown(&ask(&mut desk, &query("app", A), Proto::Udp).answers));
    let (first, second) = (turns.next().unwrap(), turns.next().unwrap());
    assert_ne!(first, second);
    assert_eq!((turns.next().unwrap(), turns.next().unwrap()), (first, second));
}

#[test]
fn any_is_answered_with_little() {
    check("www", ANY, NoError, true, &["www 300 A 192.0.2.80", "www 300 A 192.0.2.81"], &[], &[]);
    check("alias", ANY, NoError, true, &["alias 300 CNAME www"], &[], &[]);
    check("app", ANY, NoError, true, &["app 3600 HINFO RFC8482 "], &[], &[]);
    check("nope", ANY, NXDomain, true, &[], &[NEGATIVE], &[]);
}

#[test]
fn what_strangers_may_not_ask() {
    for kind in [RecordType::AXFR, RecordType::IXFR] {
        check("", kind, Refused, false, &[], &[], &[]);
    }
    for kind in [249, 250, 253, 254] {
        check("", RecordType::from(kind), NotImp, false, &[], &[], &[]);
    }
}

#[test]
fn other_classes_and_chaos() {
    let asked = |name: &str, class: DNSClass, chaos| {
        let mut message = query("www", TXT);
        let mut question = Query::query(Name::from_ascii(name).unwrap(), TXT);
        question.set_query_class(class);
        message.queries = vec![question];
        let reply = ask(&mut desk(chaos), &message, Proto::Udp);
        (reply.metadata.response_code, reply.answers.iter().map(|record| record.data.to_string()).collect::<Vec<_>>())
    };
    let version = concat!("wayshift ", env!("CARGO_PKG_VERSION")).to_owned();
    for (name, class, chaos, expected) in [
        ("version.bind.", DNSClass::CH, Chaos::Hide, None),
        ("version.bind.", DNSClass::CH, Chaos::Version, Some(version.clone())),
        ("VERSION.server.", DNSClass::CH, Chaos::Version, Some(version)),
        ("id.server.", DNSClass::CH, Chaos::Version, Some("test-1".to_owned())),
        ("hostname.bind.", DNSClass::CH, Chaos::Version, Some("test-1".to_owned())),
        ("authors.bind.", DNSClass::CH, Chaos::Version, None),
        ("www.example.test.", DNSClass::CH, Chaos::Version, None),
        ("www.example.test.", DNSClass::HS, Chaos::Version, None),
        ("www.example.test.", DNSClass::ANY, Chaos::Version, None),
        ("www.example.test.", DNSClass::Unknown(1234), Chaos::Version, None),
    ] {
        let expected = expected.map_or((Refused, vec![]), |text| (NoError, vec![text]));
        assert_eq!(asked(name, class, chaos), expected, "{name} {class}");
    }
}

#[test]
fn replies_keep_to_the_size_that_both_sides_take() {
    let len = |message: &Message, proto| {
        let mut reply = Vec::new();
        desk(Chaos::Hide).answer(&message.to_vec().unwrap(), &client(proto), &mut reply);
        (reply.len(), decoded(&reply))
    };
    let plain = query("big", TXT);
    for (message, proto, limit, truncated) in [
        (plain.clone(), Proto::Udp, 512, true),
        (with_edns(plain.clone(), 512), Proto::Udp, 512, true),
        (with_edns(plain.clone(), 600), Proto::Udp, 600, true),
        (with_edns(plain.clone(), 1000), Proto::Udp, 1000, false),
        (with_edns(plain.clone(), 65_535), Proto::Udp, 1232, false),
        (plain, Proto::Tcp, 65_535, false),
    ] {
        let (length, reply) = len(&message, proto);
        assert!(length <= limit, "{length} octets are within {limit}");
        assert_eq!(reply.metadata.truncation, truncated, "within {limit}");
        assert_eq!(reply.answers.is_empty(), truncated);
        // RFC 6891 section 7: the OPT stays; ours says what we take.
        assert_eq!(reply.edns.map(|edns| edns.max_payload()), message.edns.map(|_| 1232));
    }
}

#[test]
fn no_size_is_exceeded_by_an_octet() {
    let mut desk = desk(Chaos::Hide);
    let mut length = |size| {
        let mut reply = Vec::new();
        desk.answer(&with_edns(query("big", TXT), size).to_vec().unwrap(), &client(Proto::Udp), &mut reply);
        reply.len()
    };
    let full = length(1232);
    for size in 512..=1232_u16 {
        let (length, limit) = (length(size), usize::from(size));
        assert!(length <= limit && (length == full) == (full <= limit), "{length} octets within {size}");
    }
}

#[test]
fn the_question_comes_back_as_it_was_spelled() {
    let mut octets = query("www", A).to_vec().unwrap();
    octets[13..16].copy_from_slice(b"wWw");
    octets[17..24].copy_from_slice(b"ExAmPlE");
    octets[2] |= 0x01;
    octets[3] |= 0x10;
    let mut reply = Vec::new();
    assert_eq!(desk(Chaos::Hide).answer(&octets, &client(Proto::Udp), &mut reply), Handled::Replied);
    assert_eq!(reply[12..octets.len()], octets[12..]);
    // RD and CD are copied, AA is set, RA and AD are not.
    assert_eq!(reply[..4], [octets[0], octets[1], 0x85, 0x10]);
    // The owner of what was asked points at the question.
    assert_eq!(reply[octets.len()..octets.len() + 2], [0xc0, 0x0c]);
    assert_eq!(reply.len(), octets.len() + 2 * 16);
}

#[test]
fn options_are_given_to_who_asks() {
    let options = |asked: &[u8], proto| {
        let mut octets = query("www", A).to_vec().unwrap();
        octets[11] = 1;
        octets.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, u8::try_from(asked.len()).unwrap()]);
        octets.extend_from_slice(asked);
        let mut reply = Vec::new();
        desk(Chaos::Hide).answer(&octets, &client(proto), &mut reply);
        let edns = decoded(&reply).edns.unwrap();
        assert!(edns.flags().dnssec_ok && edns.version() == 0);
        let at = reply.len() - (reply.len() - (12 + 22 + 32)) + 11;
        reply[at..].to_vec()
    };
    assert_eq!(options(b"", Proto::Udp), b"");
    assert_eq!(options(b"\0\x03\0\0", Proto::Udp), b"\0\x03\0\x06test-1");
    assert_eq!(options(b"\0\x0b\0\0", Proto::Udp), b"");
    assert_eq!(options(b"\0\x0b\0\0", Proto::Tcp), b"\0\x0b\0\x02\0\x64");
    // A cookie and unknown options mean nothing yet, and are never echoed; a client's network is.
    let subnet = b"\0\x08\0\x07\0\x01\x18\0\xc6\x33\x64";
    assert_eq!(options(subnet, Proto::Udp), subnet);
    assert_eq!(options(b"\0\x0a\0\x0812345678\xfd\xe9\0\x01x", Proto::Udp), b"");
}

#[test]
fn the_least_datagram_holds_any_question_and_every_option() {
    let label = "y".repeat(63);
    // A name that is refused with an explanation.
    let name = format!("{label}.{label}.{label}.{}.example.net.", "y".repeat(49));
    let mut octets = query(&name, A).to_vec().unwrap();
    assert_eq!(octets.len(), 12 + 255 + 4);
    octets[11] = 1;
    octets.extend_from_slice(b"\0\0\x29\x02\0\0\0\0\0\0\x20\0\x03\0\0\0\x0b\0\0\0\x08\0\x14\0\x02\x80\0");
    octets.extend_from_slice(&[7; 16]);
    let mut face = face(Chaos::Hide);
    face.nsid = Some("n".repeat(1000).into());
    let mut desk = Desk::new(live().reader(), Arc::new(face), 1, Clock::start(), DnsMetrics::default().shard());
    let asks = Client { keepalive: Some(1), ..client(Proto::Udp) };
    let mut reply = Vec::new();
    desk.answer(&octets, &asks, &mut reply);
    let edns = decoded(&reply).edns.unwrap();
    assert!(reply.len() <= 512 && edns.options().as_ref().len() == 4, "{} octets, {edns}", reply.len());
}

const NAMES: [&str; 20] = [
    "www",
    "big",
    "alias",
    "chain1",
    "loop1",
    "x.wild",
    "x.child",
    "x.dn",
    "y.dnin",
    "app",
    "dark",
    "ent",
    "nope",
    "schild",
    "",
    "cdn",
    "shop",
    "half",
    "new",
    "_why.shop",
];

proptest! {
    /// Whatever changes in a query: no panic, no reply to replies, and each reply is within its limit, is read by two
    /// decoders, and is the same through hickory's handler.
    #[test]
    fn every_reply_can_be_read(
        name in prop::sample::select(NAMES.as_slice()),
        kind in prop_oneof![Just(1_u16), Just(28), Just(5), Just(16), Just(255), Just(43), Just(65), any::<u16>()],
        size in prop::option::of(any::<u16>()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        is_tcp in any::<bool>(),
    ) {
        let mut message = query(name, RecordType::from(kind));
        if let Some(size) = size {
            message = with_edns(message, size);
        }
        let mut octets = message.to_vec().unwrap();
        for (at, to) in changes {
            let at = at.index(octets.len());
            octets[at] = to;
        }
        let client = client(if is_tcp { Proto::Tcp } else { Proto::Udp });
        let (mut reply, mut through) = (vec![], vec![]);
        let handled = desk(Chaos::Version).answer(&octets, &client, &mut reply);
        prop_assert_eq!(handled, General::new(desk(Chaos::Version)).answer(&octets, &client, &mut through));
        prop_assert_eq!(&reply, &through);
        prop_assert_eq!(handled == Handled::Dropped, octets[2] & 0x80 != 0);
        if handled == Handled::Replied {
            prop_assert!(is_tcp || reply.len() <= 1232);
            prop_assert_eq!(&reply[..2], &octets[..2]);
            prop_assert!(reply[2] & 0x80 != 0);
            decoded(&reply);
        } else {
            prop_assert!(reply.is_empty());
        }
    }
}
