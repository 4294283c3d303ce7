//! Zones: what is generated, what master files may say, and what is refused.

use super::*;
use crate::model::{DnsName, Zone, kind};

fn name(text: &str) -> DnsName {
    text.parse().unwrap()
}

fn zone_of(text: &str) -> Zone {
    loaded(text).fleet.zones[0].clone()
}

fn hex(zone: &Zone, owner: &str, kind: u16) -> Vec<String> {
    let set = zone.set(&name(owner), kind).unwrap_or_else(|| panic!("{owner} {kind}"));
    set.rdata().map(|rdata| data_encoding::HEXLOWER.encode(rdata)).collect()
}

#[test]
fn soa_ns_and_glue_are_generated() {
    let zone = zone_of(
        "[zone.\"gslb.example.com\"]\nns = { ns1 = [\"192.0.2.53\", \"2001:db8::53\"], \"ns.example.net.\" = [] }\n\
         soa = { contact = \"host.master@example.com\", negative_ttl = \"20s\" }\n",
    );
    let apex = name("gslb.example.com");
    assert_eq!(zone.negative_ttl, 20);
    let soa = zone.set(&apex, kind::SOA).unwrap();
    let front = [name("ns1.gslb.example.com").wire(), name("host\\.master.example.com").wire()].concat();
    assert!(soa.rdata().next().unwrap().starts_with(&front));
    let numbers = &soa.rdata().next().unwrap()[front.len() + 4..];
    assert_eq!(numbers, [7200_u32, 900, 1_209_600, 20].map(u32::to_be_bytes).concat());
    let ns = zone.set(&apex, kind::NS).unwrap();
    assert_eq!((ns.ttl, ns.count), (3600, 2));
    assert_eq!(hex(&zone, "ns1.gslb.example.com", kind::A), ["c0000235"]);
    assert_eq!(hex(&zone, "ns1.gslb.example.com", kind::AAAA), ["20010db8000000000000000000000053"]);
    assert!(zone.nodes.find(&name("ns.example.net")).is_none());
}

#[test]
fn equal_content_has_an_equal_serial_and_other_content_another() {
    let serial = |ns: &str, records: &str| {
        let text = format!("[zone.\"a.example\"]\nns = {{ {ns} }}\nrecords = '''\n{records}'''\n");
        let rdata = zone_of(&text).set(&name("a.example"), kind::SOA).unwrap().rdata().next().unwrap().to_vec();
        rdata[rdata.len() - 20..rdata.len() - 16].to_vec()
    };
    let (one, two) = ("x 60 A 192.0.2.1\nx 60 A 192.0.2.2\n", "x 60 A 192.0.2.2\nx 60 A 192.0.2.1\n");
    assert_eq!(serial("ns1 = \"192.0.2.53\"", one), serial("ns1 = \"192.0.2.53\"", two));
    assert_ne!(serial("ns1 = \"192.0.2.53\"", one), serial("ns1 = \"192.0.2.53\"", ""));
}

#[test]
fn a_zone_file_with_one_of_everything_loads() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/config/full.zone");
    let loaded = loaded(&format!("[zone.\"full.test\"]\nfile = \"{path}\"\n"));
    let codes: Vec<_> = loaded.warnings.iter().map(|problem| problem.code).collect();
    assert_eq!(codes, ["W210"], "{}", loaded.warnings);
    assert_eq!(loaded.files.len(), 2);
    let zone = &loaded.fleet.zones[0];
    assert_eq!(zone.negative_ttl, 60);
    let rows: &[(&str, u16, &str)] = &[
        ("ns2.full.test", kind::A, "c0000236"),
        ("mail.full.test", kind::AAAA, "20010db8000000000000000000000025"),
        ("txt.full.test", kind::TXT, "0568656c6c6f06776f72226c640a73656d693b636f6c6f6e0a706c61696e2074657874"),
        ("_sip._tcp.full.test", kind::SRV, "0001000213c4046d61696c0466756c6c047465737400"),
        ("unk.full.test", 65280, "01020304"),
        ("numbers.full.test", kind::A, "c0000201"),
        ("alias.full.test", kind::CNAME, "046d61696c0466756c6c047465737400"),
        ("dn.full.test", kind::DNAME, "09656c73657768657265076578616d706c65036e657400"),
        ("https.full.test", 65, "0001000001000302" /* alpn="h3" */),
        ("loc.full.test", 29, "00001613"),
        ("uri.full.test", 256, "000a000168747470733a2f2f7777772e6578616d706c652e636f6d2f"),
        ("spf.full.test", 99, "0b763d73706631202d616c6c"),
        ("afsdb.full.test", 18, "0001046d61696c0466756c6c047465737400"),
        ("smimea.full.test", 53, "030101d2abde24"),
        ("upper.full.test", kind::A, "c0000209"),
        ("esc\\.aped\\032x.full.test", kind::A, "c000020a"),
        ("deep.sub.full.test", kind::A, "c000020b"),
        ("other.full.test", kind::A, "c000020c"),
        ("*.wild.full.test", kind::TXT, "0477696c64"),
        ("child.full.test", kind::DS, "30390d02a0b1"),
    ];
    for (owner, kind, expected) in rows {
        let found = hex(zone, owner, *kind);
        assert!(found[0].starts_with(expected), "{owner}: {found:?} does not begin with {expected}");
    }
    assert_eq!(zone.set(&name("zero.other.full.test"), kind::A).unwrap().ttl, 0);
    assert_eq!(zone.set(&name("max.other.full.test"), kind::A).unwrap().ttl, 0x7fff_ffff);
    assert_eq!(zone.set(&name("mail.full.test"), kind::A).unwrap().ttl, 3600);
}

/// Inline records and the problems they make, as `line code message`.
fn check(rows: &[(&str, &[&str])]) {
    for (records, expected) in rows {
        let text = format!("[zone.\"a.example\"]\nns = {{ ns1 = \"192.0.2.53\" }}\nrecords = '''\n{records}\n'''\n");
        let found: Vec<_> = problems(&text).into_iter().filter(|problem| !problem.contains("W210")).collect();
        assert_eq!(&found, expected, "{records}");
    }
}

#[test]
fn each_broken_line_is_named_with_its_line() {
    check(&[
        (
            "x 60 A 192.0.2\ny 60 A 192.0.2.1\nz 60 NOPE 1\n  60 IN MX mail",
            &[
                "4 E022 A data: expected IPv4 address",
                "6 E022 `NOPE` is not a record type",
                "7 E022 MX data: expected decimal number",
            ],
        ),
        ("$GENERATE 1-2 a$ A 192.0.2.$", &["4 E022 `$GENERATE` is not supported: it is an extension of one server"]),
        ("$INCLUDE other.zone", &["4 E022 `$INCLUDE` is not supported"]),
        ("$FOO", &["4 E022 `$FOO` is not a directive: $ORIGIN and $TTL are"]),
        ("x 60 CH A 192.0.2.1", &["4 E022 only class IN is served"]),
        ("x 4294967296 A 192.0.2.1", &["4 E022 `4294967296` is not a TTL: 0 to 2147483647 seconds"]),
        ("x 60", &["4 E022 the record has no type"]),
        ("x..y 60 A 192.0.2.1", &["4 E022 the owner is not a name: a name has an empty label"]),
        ("x 60 TXT \"open", &["4 E022 a quote is not closed on its line"]),
        ("x 60 ANY x", &["4 E022 `ANY` is a type of questions, not of records"]),
        ("x 60 RRSIG x", &["4 E022 signed zones are not in this version; RRSIG records are made then"]),
        ("x 60 A 192.0.2.1 192.0.2.2", &["4 E022 A data: trailing tokens"]),
    ]);
}

#[test]
fn what_breaks_a_rule_of_zones_is_refused() {
    check(&[
        ("x.other. 60 A 192.0.2.1", &["4 E021 x.other. lies outside the zone a.example."]),
        ("x 60 CNAME y\nx 60 TXT t", &["4 E021 x.a.example. has a CNAME and other records"]),
        ("x 60 CNAME y\nx 60 CNAME z", &["4 E021 x.a.example. has two CNAME records"]),
        ("@ 60 SOA a b 1 2 3 4 5", &["4 E021 the SOA is generated"]),
        ("x 60 SOA a b 1 2 3 4 5", &["4 E021 an SOA stands at x.a.example., below the zone's apex"]),
        ("x 60 DNAME y.\nz.x 60 A 192.0.2.1", &["5 E021 z.x.a.example. lies below the DNAME at x.a.example."]),
        ("x 60 DS 1 13 2 00", &["4 E021 x.a.example. has a DS but is not delegated"]),
        ("x 60 NS ns.x\nns.x 60 A 192.0.2.1", &[]),
        ("x 60 NS ns.x", &["4 W209 the name server ns.x.a.example. has no address in this zone"]),
        ("x 60 NS ns.y.\nt.x 60 TXT t", &["5 W212 t.x.a.example. lies below the delegation of x.a.example."]),
        ("x 60 A 192.0.2.1\nx 30 A 192.0.2.2", &["5 W208 records of x.a.example. and one type have different TTLs"]),
    ]);
}

#[test]
fn fixed_records_and_steered_names_keep_apart() {
    let rows = [
        ("www 60 A 192.0.2.1", "4 E023 www.a.example. is steered and has a fixed A record"),
        ("www 60 CNAME x", "4 E023 www.a.example. is steered and has a fixed CNAME record"),
        ("www 60 NS ns.b.", "8 E024 www.a.example. is steered, but www.a.example. is delegated away"),
        ("a.example. 60 TXT t\n", ""),
        ("www 60 TXT t", ""),
    ];
    for (records, expected) in rows {
        let text = format!(
            "[zone.\"a.example\"]\nns = {{ ns1 = \"192.0.2.53\" }}\nrecords = '''\n{records}\n'''\n\
             [service.s]\nnames =\n"
        );
        let text = text.replace("names =\n", "names = [\"a.example\",\n\"www.a.example\", \"*.a.example\"]\nendpoints = [\"192.0.2.9\"]\ncheck = \"http://x/\"\n");
        let found = problems(&text);
        assert_eq!(found.first().map_or("", String::as_str).replace("9 E024", "8 E024"), expected, "{records}");
    }
    let below = "[zone.\"a.example\"]\nns = { ns1 = \"192.0.2.53\" }\nrecords = \"sub 60 NS ns.b.\"\n[zone.\"deep.sub.a.example\"]\n\
                 ns = { ns1 = \"192.0.2.53\" }\n[service.s]\nnames = [\"www.sub.a.example\", \"www.deep.sub.a.example\"]\n\
                 endpoints = [\"192.0.2.9\"]\ncheck = \"http://x/\"\n";
    assert_eq!(problems(below), ["7 E024 www.sub.a.example. is steered, but sub.a.example. is delegated away"]);
}

#[test]
fn records_in_an_escaped_string_are_named_by_their_line() {
    let text =
        "[zone.\"a.example\"]\nns = { ns1 = \"192.0.2.53\" }\nrecords = \"\"\"\nx 60 TXT \\\"a\\\"\ny 60 A 1\n\"\"\"\n";
    assert_eq!(problems(text)[0], "5 E022 A data: expected IPv4 address");
    let text = "[zone.\"a.example\"]\nns = { ns1 = \"192.0.2.53\" }\nrecords = \"x 60 TXT \\\"a\\\"\\ny 60 A 1\"\n";
    assert_eq!(problems(text)[0], "3 E022 A data: expected IPv4 address");
}

#[test]
fn a_zone_is_complete() {
    for (zone, expected) in [
        ("[zone.\"a.example\"]\n", "1 E006 zone `a.example` has neither `ns` nor `file`"),
        ("[zone.\"a.example\"]\nns = {}\n", "2 E006 a zone has at least one name server"),
        ("[zone.\"a.example\"]\nns = { ns1 = [] }\n", "2 E006 the name server ns1.a.example. has no address"),
        (
            "[zone.\"a.example\"]\nns = { \"ns.b.\" = \"192.0.2.1\" }\n",
            "2 E021 ns.b. lies outside the zone, so it gets no address here",
        ),
        ("", "0 E006 no zone is configured, so nothing can be answered"),
    ] {
        assert_eq!(problems(zone).first().map(String::as_str), Some(expected));
    }
}

#[test]
fn a_zone_file_brings_its_soa_and_ns() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("z"), "x 60 A 192.0.2.1\n").unwrap();
    let name = folder.path().join("w.toml").display().to_string();
    let load = |more: &str| {
        let text = format!("[zone.\"a.example\"]\nfile = \"z\"\n{more}");
        let problems = load_text(&name, &text, &none).unwrap_err();
        problems.errors().map(|problem| problem.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(load(""), ["the zone file has no SOA at a.example.", "the zone file has no NS at a.example."]);
    assert_eq!(load("ns = { ns1 = \"192.0.2.1\" }\nsoa = {}\n").len(), 4);
}

/// A draft keeps records that are read one behind the other together, and others apart.
#[test]
fn records_in_any_order_make_the_same_zone() {
    let names = 0..300;
    let row = |name: i32, nth: i32| format!("n{name} 60 A 10.{nth}.{}.{}\n", name / 256, name % 256);
    let ordered: String = names.clone().flat_map(|name| (1..4).map(move |nth| row(name, nth))).collect();
    let mixed: String = (1..4).flat_map(|nth| (0..300).rev().map(move |name| row(name, nth))).collect();
    let texts: String = names.map(|name| format!("n{name} 60 TXT \"\" a{name}\n")).collect();
    let zone = |records: &str| {
        let head = "@ 60 SOA ns1 admin 1 2 3 4 5\n@ 60 NS ns1\nns1 60 A 192.0.2.53\n";
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("zone"), format!("{head}{records}")).unwrap();
        zone_of(&format!("[zone.\"a.example\"]\nfile = \"{}\"\n", folder.path().join("zone").display()))
    };
    let (one, other) = (zone(&format!("{ordered}{texts}")), zone(&format!("{texts}{mixed}")));
    assert_eq!(hex(&one, "n299.a.example", kind::A), ["0a01012b", "0a02012b", "0a03012b"]);
    assert_eq!(hex(&one, "n7.a.example", kind::TXT), ["00026137"]);
    assert_eq!((one.nodes.len(), one.nodes.records()), (302, 1203));
    assert!(one == other);
}

/// An owner that is written as the one before is not read again.
#[test]
fn an_owner_is_another_under_another_origin() {
    let zone = zone_of(
        "[zone.\"a.example\"]\nns = { ns1 = \"192.0.2.53\" }\nrecords = '''\nwww 60 A 192.0.2.1\nwww 60 A 192.0.2.2\n\
         $ORIGIN b.a.example.\nwww 60 A 192.0.2.3\n'''\n",
    );
    assert_eq!(hex(&zone, "www.a.example", kind::A), ["c0000201", "c0000202"]);
    assert_eq!(hex(&zone, "www.b.a.example", kind::A), ["c0000203"]);
}
