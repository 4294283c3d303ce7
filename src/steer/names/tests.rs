//! Looking up is held to a slow reference that reads RFC 1034 section 4.3.2 and RFC 4592 aloud.

mod reference;

use crate::{
    model::{DnsName, LastGood, PoolAnswer, Steer, kind},
    steer::{AnswerTable, Lookup, compile, sample::World},
};

fn table(world: &World) -> AnswerTable {
    compile(&world.snapshot(), None, &LastGood::new())
}

/// What a lookup comes to, in a few words.
pub(super) fn shown(table: &AnswerTable, name: &DnsName, asked: u16) -> String {
    match table.lookup(name.wire(), asked) {
        Lookup::NotOurs => "not ours".into(),
        Lookup::Referral { zone, cut, glue, .. } => {
            let glue: Vec<String> =
                glue.map(|(name, set)| format!(" {}/{}", DnsName::from_wire(name).unwrap(), set.kind)).collect();
            format!("{} refers at {cut}{}", zone.apex, glue.concat())
        }
        Lookup::Found { zone, sets, steering, wildcard } => {
            let mut kinds: Vec<u16> = sets.iter().map(|set| set.kind).collect();
            kinds.sort_unstable();
            let service = steering.map(|steering| format!(" {}", steering.service())).unwrap_or_default();
            format!("{} has{} {kinds:?}{service}", zone.apex, if wildcard { " wildly" } else { "" })
        }
        Lookup::Dname { zone, owner, .. } => format!("{} redirects at {owner}", zone.apex),
        Lookup::NoName { zone } => format!("{} has not", zone.apex),
    }
}

fn check(world: &World, rows: &[(&str, u16, &str)]) {
    let table = table(world);
    for (name, asked, expected) in rows {
        assert_eq!(shown(&table, &name.parse().unwrap(), *asked), *expected, "{name} {asked}");
    }
}

const TARGET: &[u8] = b"\x02ns\x03sub\x07example\x00";

/// A service at `www`, at `*.wild` and beside a TXT at the apex; a cut, a DNAME, a wildcard, a zone within the zone.
fn world() -> World {
    World::default()
        .zone(
            "example",
            &[
                ("example", kind::SOA, b"soa"),
                ("example", kind::TXT, b"\x01t"),
                ("mail.deep.example", kind::MX, b"mx"),
                ("*.star.example", kind::TXT, b"\x01t"),
                ("sub.example", kind::NS, TARGET),
                ("sub.example", kind::DS, b"ds"),
                ("ns.sub.example", kind::A, &[192, 0, 2, 53]),
                ("below.sub.example", kind::TXT, b"\x01t"),
                ("moved.example", kind::DNAME, b"\x03new\x00"),
                ("hidden.moved.example", kind::TXT, b"\x01t"),
                ("inner.between.example", kind::NS, TARGET),
                ("inner.between.example", kind::DS, b"ds"),
            ],
        )
        .zone("inner.between.example", &[("inner.between.example", kind::SOA, b"soa")])
        .endpoint("a", "192.0.2.1")
        .pool("a", PoolAnswer::All, &[("a", 1)])
        .service("www", Steer::Failover, &[("a", 1)])
        .with_service(|service| {
            let names = ["www.example", "example", "*.wild.example", "deep.inner.between.example"];
            service.names = names.map(|name| name.parse().unwrap()).into();
        })
}

#[test]
fn names_are_found_as_the_rfcs_say() {
    check(
        &world(),
        &[
            ("org", kind::A, "not ours"),
            (".", kind::A, "not ours"),
            ("example", kind::A, "example. has [6, 16] www"),
            ("www.example", kind::A, "example. has [] www"),
            ("nope.example", kind::A, "example. has not"),
            ("below.www.example", kind::A, "example. has not"),
            // Empty non-terminals exist (RFC 8020), and block the wildcard (RFC 4592 section 2.2.1).
            ("deep.example", kind::A, "example. has []"),
            ("between.example", kind::A, "example. has []"),
            ("star.example", kind::A, "example. has []"),
            ("x.star.example", kind::A, "example. has wildly [16]"),
            ("x.y.star.example", kind::A, "example. has wildly [16]"),
            ("*.star.example", kind::A, "example. has [16]"),
            ("x.*.star.example", kind::A, "example. has not"),
            ("x.wild.example", kind::A, "example. has wildly [] www"),
            ("sub.example", kind::A, "example. refers at sub.example. ns.sub.example./1"),
            ("sub.example", kind::DS, "example. has [2, 43]"),
            ("ns.sub.example", kind::A, "example. refers at sub.example. ns.sub.example./1"),
            ("ns.sub.example", kind::DS, "example. refers at sub.example. ns.sub.example./1"),
            ("moved.example", kind::A, "example. has [39]"),
            ("hidden.moved.example", kind::TXT, "example. redirects at moved.example."),
            ("x.y.moved.example", kind::A, "example. redirects at moved.example."),
            ("inner.between.example", kind::A, "inner.between.example. has [6]"),
            ("inner.between.example", kind::DS, "example. has [2, 43]"),
            ("deep.inner.between.example", kind::A, "inner.between.example. has [] www"),
            ("nope.inner.between.example", kind::A, "inner.between.example. has not"),
        ],
    );
}

#[test]
fn the_root_can_be_ours() {
    let world = World::default().zone(".", &[("a.b", kind::TXT, b"\x01t")]);
    check(&world, &[(".", kind::A, ". has []"), ("b", kind::A, ". has []"), ("c", kind::A, ". has not")]);
}

#[test]
fn tables_count_what_they_hold() {
    let table = table(&world());
    assert_eq!((table.services(), table.slots(), table.steered_names()), (1, 2, 4));
    assert_eq!(
        table.zone_of(b"\x01x\x05inner\x07between\x07example\x00").unwrap().apex.to_string(),
        "inner.between.example."
    );
    assert!(table.zone_of(b"\x03org\x00").is_none());
}
