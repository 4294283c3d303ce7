//! Where clients are found, how many bits that took, and what is no database.

use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;
use crate::{
    model::{Fleet, GeoCode, Sticky, When},
    steer::mmdb,
};

fn code(text: &str) -> GeoCode {
    text.parse().unwrap()
}

fn region(id: &str, at: Option<(f64, f64)>) -> Region {
    Region { id: id.parse().unwrap(), title: None, at }
}

fn regions() -> Vec<Region> {
    vec![region("eu-west", Some((53.3, -6.3))), region("us-east", Some((38.9, -77.0))), region("nowhere", None)]
}

fn locator() -> Locator {
    let city = mmdb::city(&[
        ("198.51.100.0/24", "EU-DE", 50.0, 8.0),
        ("203.0.113.0/25", "NA-US-CA", 37.0, -122.0),
        ("8.0.0.0/6", "NA-US", 38.0, -97.0),
        ("2001:db8::/32", "AS-JP", 35.7, 139.7),
        ("2001:db8:1::/48", "AS-KR", 37.6, 127.0),
    ]);
    let asn = mmdb::asn(&[("198.51.0.0/16", 64500), ("2001:db8::/33", 64501)]);
    let nets = "subnet,region\n10.0.0.0/8,eu-west # ours\n\n10.1.0.0/16,us-east\n198.51.100.128/25,EU-FR\n";
    let nets = Locator::nets_from_csv(nets, &regions()).unwrap();
    Locator::nowhere().with_city(Some(city)).unwrap().with_asn(Some(asn)).unwrap().with_nets(nets)
}

fn client<'l>(locator: &'l Locator, net: &str) -> Client<'l> {
    let net: IpNet = net.parse().unwrap();
    Client::new(locator, net.addr(), net.prefix_len())
}

#[test]
fn clients_are_found_with_as_many_bits_as_it_took() {
    let locator = locator();
    let check = |net: &str, geo: Option<&str>, scope: u8| {
        let mut client = client(&locator, net);
        let found = client.point();
        assert_eq!((client.known().geo, client.scope()), (geo.map(code), scope), "{net}");
        assert_eq!(found.is_some(), geo.is_some() || net.starts_with("10."), "{net}");
    };
    check("198.51.100.7/32", Some("EU-DE"), 25);
    check("198.51.100.0/24", Some("EU-DE"), 25);
    check("198.51.100.200/32", Some("EU-FR"), 25);
    check("203.0.113.1/32", Some("NA-US-CA"), 25);
    check("203.0.113.200/32", None, 25);
    check("2001:db8:ffff::/48", Some("AS-JP"), 33);
    check("2001:db8:1:2::/64", Some("AS-KR"), 48);
    check("2001:db8::1/128", Some("AS-JP"), 48);
    check("10.2.3.4/32", None, 15);
    check("10.1.3.4/32", None, 16);
    check("fd00::1/128", None, 1);
    check("127.0.0.1/32", None, 8);
    // 10.0.0.0/8 lies inside the record of 8.0.0.0/6, and is elsewhere.
    check("11.0.0.1/32", Some("NA-US"), 8);
    check("8.8.8.8/32", Some("NA-US"), 7);
    assert_eq!(client(&locator, "0.0.0.0/0").point(), None);
    assert_eq!(client(&locator, "198.51.100.7/32").scope(), 0, "nobody asked where it is");
}

#[test]
fn rules_match_and_count_what_they_looked_at() {
    let locator = locator();
    let when = |subnets: &[&str], geo: &[&str], asn: &[u32]| When {
        subnets: subnets.iter().map(|net| net.parse().unwrap()).collect(),
        geo: geo.iter().map(|text| code(text)).collect(),
        asn: asn.into(),
    };
    let check = |net: &str, when: When, expected: (bool, u8)| {
        let mut client = client(&locator, net);
        assert_eq!((client.fits(&when), client.scope()), expected, "{net} {when:?}");
    };
    check("198.51.100.7/32", when(&["198.51.0.0/16"], &[], &[]), (true, 16));
    check("198.50.100.7/32", when(&["198.51.0.0/16"], &[], &[]), (false, 16));
    check("198.64.0.0/32", when(&["198.51.0.0/16"], &[], &[]), (false, 10));
    check("198.51.100.7/32", when(&["2001:db8::/32"], &[], &[]), (false, 0));
    check("198.51.100.7/32", when(&[], &["AF", "EU"], &[]), (true, 25));
    check("198.51.100.7/32", when(&[], &["EU-FR"], &[]), (false, 25));
    check("198.51.7.7/32", when(&[], &[], &[64499, 64500]), (true, 16));
    check("198.51.100.7/32", when(&["10.0.0.0/8"], &["EU"], &[64500]), (false, 1));
    check("198.51.100.7/32", when(&["198.0.0.0/8"], &["EU"], &[64500]), (true, 25));
    // The network is wider than the rule: its first address counts, and the scope tells that more bits were needed.
    check("198.51.0.0/16", when(&["198.51.0.0/24"], &[], &[]), (true, 24));
    let told = |whence: &str| Client::from_whence(&whence.parse().unwrap(), &locator, &Fleet::empty()).known();
    assert_eq!(told("EU-DE").at, Some(code("EU-DE").middle()));
    assert_eq!(told("AS64500").asn, Some(64500));
    assert!(Client::from_whence(&"AS64500".parse().unwrap(), &locator, &Fleet::empty()).fits(&when(
        &[],
        &[],
        &[64500]
    )));
    assert!(!Client::nobody().fits(&when(&["0.0.0.0/0"], &[], &[])));
}

#[test]
fn what_is_no_database_is_told_apart() {
    let rows = [("198.51.100.0/24", 64500)];
    let error = |locator: Result<Locator, LocatorError>| locator.unwrap_err().to_string();
    assert_eq!(
        error(Locator::nowhere().with_city(Some(mmdb::asn(&rows)))),
        "the City database is of the type `GeoLite2-ASN`; databases of cities, countries or enterprises say where a client is"
    );
    assert!(error(Locator::nowhere().with_asn(Some(mmdb::country(&[])))).contains("`GeoLite2-Country`"));
    for octets in [vec![], b"not a database".to_vec(), mmdb::asn(&rows)[..200].to_vec()] {
        let told = error(Locator::nowhere().with_asn(Some(octets)));
        assert_eq!(told, "the ASN database is not in MaxMind's format (mmdb), or is cut off");
    }
    // A tree of IPv4 alone says nothing of IPv6, and looks at nothing.
    let v4 = mmdb::database("DBIP-ASN-Lite", 4, &[("198.51.100.0/24".parse().unwrap(), mmdb::Value::Map(vec![]))]);
    let locator = Locator::nowhere().with_asn(Some(v4)).unwrap();
    assert_eq!(
        (locator.asn("2001:db8::1".parse().unwrap()), locator.asn("198.51.100.1".parse().unwrap())),
        ((None, 3), (None, 24))
    );
    assert!(!locator.is_nowhere() && locator.with_asn(None).unwrap().is_nowhere());
}

#[test]
fn a_country_without_a_point_is_its_middle() {
    let locator = Locator::nowhere().with_city(Some(mmdb::country(&[("198.51.100.0/24", "SA-BR")]))).unwrap();
    assert_eq!(client(&locator, "198.51.100.1/32").point(), Some(code("SA-BR").middle()));
}

#[test]
fn rows_that_are_wrong_are_told_with_their_lines() {
    let text = "10.0.0.0/8,eu-west\n10.0.0.1/8,eu-west\nten,eu-west\n10.2.0.0/16,eu-wset\n10.3.0.0/16\n10.0.0.0/8,EU\n10.4.0.0/16,nowhere\n10.5.0.0/16,EU-JP\n";
    let error = Locator::nets_from_csv(text, &regions()).unwrap_err();
    assert_eq!(error.0.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3, 4, 5, 6, 7, 8]);
    assert_eq!((&*error.0[0].what, &*error.0[0].hint), ("`10.0.0.1/8` has bits behind its length", "write 10.0.0.0/8"));
    assert_eq!(error.0[4].what, "`10.0.0.0/8` stands in line 1 already");
    assert_eq!(error.0[6].what, "`EU-JP` is neither a region nor a geo code");
    assert_eq!(error.0[2].hint, "did you mean `eu-west`?");
    assert_eq!(Locator::nets_from_csv(&"x\n".repeat(1000), &[]).unwrap_err().0.len(), 20);
    let one = Locator::nets_from_csv("\u{feff}# ours\n2001:db8::1,eu-west\n192.0.2.7 , EU-DE\n", &regions()).unwrap();
    assert_eq!((one.len(), one.find("192.0.2.7".parse().unwrap()).1), (2, 32));
    assert!(Locator::nets_from_csv("", &[]).unwrap().is_empty());
}

#[test]
fn the_same_network_has_the_same_key_and_the_key_takes_its_bits() {
    let locator = Locator::nowhere();
    let key = |net: &str| {
        let mut client = client(&locator, net);
        (client.key(Sticky::default()), client.scope())
    };
    assert_eq!(key("198.51.100.7/32"), key("198.51.100.0/24"));
    assert_ne!(key("198.51.100.7/32").0, key("198.51.101.7/32").0);
    assert_eq!((key("198.51.100.7/32").1, key("2001:db8::7/128").1), (24, 56));
    assert_eq!(Client::at(Locality::default()).key(Sticky::default()), None);
}

/// Networks close together, so that they lie inside each other.
fn some_net() -> impl Strategy<Value = IpNet> {
    let v4 = (any::<u32>(), 0..=32_u8).prop_map(|(bits, length)| {
        IpNet::new(std::net::Ipv4Addr::from_bits(0x0a00_0000 | bits & 0x0300_0303).into(), length).unwrap().trunc()
    });
    let v6 = (any::<u128>(), 0..=128_u8).prop_map(|(bits, length)| {
        IpNet::new(std::net::Ipv6Addr::from_bits((0x2001_0db8 << 96) | bits & 0x0301).into(), length).unwrap().trunc()
    });
    prop_oneof![v4, v6]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn own_networks_are_longest_match_first_with_exact_bits(
        rows in prop::collection::btree_map(some_net(), 0..4_usize, 0..24),
        asked in prop::collection::vec((some_net(), any::<u128>()), 16),
    ) {
        let words = ["EU-DE", "EU-FR", "AS-JP", "NA"];
        let text: String = rows.iter().map(|(net, place)| format!("{net},{}\n", words[*place])).collect();
        let nets = Locator::nets_from_csv(&text, &[]).unwrap();
        let brute = |address: IpAddr| {
            let best = rows.iter().filter(|(net, _)| net.contains(&address)).max_by_key(|(net, _)| net.prefix_len());
            best.map(|(_, place)| code(words[*place]))
        };
        for (net, noise) in asked {
            let (found, bits) = nets.find(net.network());
            prop_assert_eq!(found.and_then(|place| place.geo), brute(net.network()));
            // Everybody with the same first bits is at the same place; with one bit less somebody is not.
            let share = |bits: u8| IpNet::new(net.network(), bits).unwrap().trunc();
            let inside = |net: IpNet, noise: u128| -> IpAddr {
                match net {
                    IpNet::V4(net) => (net.network() | std::net::Ipv4Addr::from_bits(noise as u32) & net.hostmask()).into(),
                    IpNet::V6(net) => (net.network() | std::net::Ipv6Addr::from_bits(noise) & net.hostmask()).into(),
                }
            };
            for noise in [0, noise, noise & 0x0303, u128::MAX] {
                prop_assert_eq!(brute(inside(share(bits), noise)), brute(net.network()));
            }
            if let Some(fewer) = bits.checked_sub(1) {
                let edges = rows.keys().flat_map(|row| [row.network(), row.broadcast()]);
                let around = edges.flat_map(|edge| match edge {
                    IpAddr::V4(v4) => [v4.to_bits().wrapping_sub(1), v4.to_bits(), v4.to_bits().wrapping_add(1)].map(|b| IpAddr::from(std::net::Ipv4Addr::from_bits(b))),
                    IpAddr::V6(v6) => [v6.to_bits().wrapping_sub(1), v6.to_bits(), v6.to_bits().wrapping_add(1)].map(|b| IpAddr::from(std::net::Ipv6Addr::from_bits(b))),
                });
                let other = around.filter(|one| share(fewer).contains(one)).any(|one| brute(one) != brute(net.network()));
                prop_assert!(other, "{} bits of {} are one too many", bits, net.network());
            }
        }
    }
}
