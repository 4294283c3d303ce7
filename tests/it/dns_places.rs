//! Clients in many networks, told by their resolvers: each gets what is meant for its place, and no cache that keeps to
//! the scope of an answer ever hands it to another place.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroUsize,
    sync::Arc,
};

use hickory_proto::{
    op::Message,
    rr::{RecordType, rdata::opt::EdnsOption},
};
use ipnet::IpNet;
use prometheus_client::registry::Registry;
use tokio_util::sync::{CancellationToken, DropGuard};
use wayshift::{
    clock::Clock,
    config,
    dns::{Chaos, Doors, SHADOW_WHOLE, Settings},
    model::{Digest, Family, Health, LastGood, Now, Snapshot},
    steer::{Live, Locator, compile},
    telemetry::Metrics,
};

use crate::{
    dns_world::{face, limits, query, verdict, with_edns},
    mmdb,
    support::{ask, dig},
    unbound::{Unbound, ZONE},
};

/// One endpoint a continent, named by its address: 192.0.2.N and 2001:db8::N.
const REGIONS: [(&str, &str, f64, f64); 6] = [
    ("af", "AF", 6.5, 3.4),
    ("as", "AS", 35.7, 139.7),
    ("eu", "EU", 50.1, 8.7),
    ("na", "NA", 39.0, -77.5),
    ("oc", "OC", -33.9, 151.2),
    ("sa", "SA", -23.5, -46.6),
];

/// Where networks are. Some lie inside others.
const PLACES: [(&str, &str, f64, f64); 16] = [
    ("41.0.0.0/8", "AF-NG", 9.1, 8.7),
    ("41.200.0.0/13", "EU-FR", 46.2, 2.2),
    ("126.0.0.0/8", "AS-JP", 36.2, 138.3),
    ("126.7.7.0/24", "OC-AU", -25.3, 133.8),
    ("5.0.0.0/8", "EU-DE", 51.2, 10.5),
    ("5.6.0.0/16", "AF-KE", -0.0, 37.9),
    ("5.6.7.128/25", "SA-AR", -38.4, -63.6),
    ("8.0.0.0/8", "NA-US", 37.1, -95.7),
    ("8.8.8.0/24", "NA-US-CA", 36.8, -119.4),
    ("101.160.0.0/11", "OC-AU", -25.3, 133.8),
    ("200.128.0.0/9", "SA-BR", -14.2, -51.9),
    ("2a00::/12", "EU-DE", 51.2, 10.5),
    ("2a00:1450::/32", "SA-BR", -14.2, -51.9),
    ("2600::/12", "NA-US", 37.1, -95.7),
    ("2400:cb00::/32", "AS-JP", 36.2, 138.3),
    ("2c0f:f248::/32", "AF-NG", 9.1, 8.7),
];

/// Networks of rules, first match first: of any length, some inside others, some of them private.
const NETS: [(&str, &str); 9] = [
    ("198.51.100.64/26", "sa"),
    ("198.51.100.0/24", "as"),
    ("10.1.2.0/23", "oc"),
    ("10.0.0.0/8", "af"),
    ("203.0.112.0/20", "na"),
    ("192.0.0.0/2", "eu"),
    ("2001:db8:1:8000::/49", "na"),
    ("2001:db8::/32", "sa"),
    ("fd00::/8", "as"),
];

/// What those get that are nowhere: the first pool.
const ELSE: &str = "af";

fn text() -> String {
    let mut text = format!("[zone.\"{ZONE}\"]\nns = {{ ns1 = \"192.0.2.53\" }}\n[provider.lab]\n");
    for (nth, (id, _, latitude, longitude)) in (1..).zip(REGIONS) {
        text += &format!("[region.{id}]\nat = [{latitude}, {longitude}]\n");
        text += &format!(
            "[endpoint.{id}]\nprovider = \"lab\"\nregion = \"{id}\"\naddress = [\"192.0.2.{nth}\", \"2001:db8::{nth}\"]\n"
        );
        text += &format!("[pool.{id}]\nendpoints = [\"{id}\"]\n");
    }
    let service = |name: &str, steer: &str| {
        let pools = REGIONS.map(|(id, ..)| format!("\"{id}\"")).join(", ");
        format!(
            "[service.{name}]\nnames = [\"{name}.{ZONE}\", \"*.{name}.{ZONE}\"]\npools = [{pools}]\nsteer = \"{steer}\"\nttl = \"300s\"\nhttps = {{ alpn = [\"h2\"] }}\n"
        )
    };
    text += &service("near", "nearest");
    let rule = |name: &str, when: &str, pool: &str| {
        format!("[[service.{name}.rule]]\nwhen = {{ {when} }}\npools = [\"{pool}\"]\n")
    };
    text += &service("geo", "failover");
    text += &REGIONS.map(|(id, code, ..)| rule("geo", &format!("geo = [\"{code}\"]"), id)).concat();
    text += &service("nets", "failover");
    text += &NETS.map(|(net, id)| rule("nets", &format!("subnet = [\"{net}\"]"), id)).concat();
    text += &service("asn", "failover");
    text + &rule("asn", "asn = [64500]", "oc")
}

/// A door over that configuration, everything up, with databases.
struct Door {
    address: SocketAddr,
    registry: Registry,
    _until: DropGuard,
}

impl Door {
    fn open(text: &str) -> Self {
        let loaded = match config::load_text("wayshift.toml", text, &|_| None) {
            Ok(loaded) => loaded,
            Err(problems) => panic!("{problems}"),
        };
        let fleet = loaded.fleet;
        let judged = fleet.subjects.iter().flat_map(|subject| {
            let endpoint = fleet.endpoint(subject.endpoint);
            Family::ALL.map(|family| endpoint.is_judged(family).then(|| verdict(Health::Up)))
        });
        let snapshot = Snapshot {
            node: "test".parse().unwrap(),
            generation: 1,
            digest: Digest::default(),
            at: Now::default(),
            verdicts: judged.collect(),
            fleet: Arc::clone(&fleet),
            overrides: Arc::new([]),
            planned: Arc::new([]),
            ended: Arc::new([]),
            feeds: Arc::default(),
            here: wayshift::model::Here::default(),
        };
        let locator = Locator::nowhere().with_city(Some(mmdb::city(&PLACES))).unwrap();
        let locator = locator.with_asn(Some(mmdb::asn(&[("41.0.0.0/8", 64500), ("126.0.0.0/8", 64501)]))).unwrap();
        let table = compile(&Arc::new(snapshot), None, &LastGood::new()).with_locator(Arc::new(locator));
        let (metrics, registry) = Metrics::new();
        let settings = Settings {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            threads: NonZeroUsize::MIN,
            face: face(Chaos::Hide),
            tcp: limits(),
            shadow: SHADOW_WHOLE,
        };
        let doors = Doors::bind(settings, Live::new(table), Clock::start(), Arc::clone(&metrics.dns)).unwrap();
        let (address, until) = (doors.local_addrs()[0], CancellationToken::new());
        tokio::spawn(doors.run(until.clone()));
        Self { address, registry, _until: until.drop_guard() }
    }

    /// Queries with a network that came so far.
    fn told(&self) -> usize {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let lines = text.lines().filter_map(|line| line.strip_prefix("wayshift_dns_ecs_requests_total{used="));
        lines.map(|line| line.split(' ').nth(1).unwrap().parse::<usize>().unwrap()).sum()
    }
}

/// The address of a region's endpoint.
fn endpoint(region: &str, family: Family) -> IpAddr {
    let nth = REGIONS.iter().position(|(id, ..)| *id == region).unwrap() + 1;
    match family {
        Family::V4 => format!("192.0.2.{nth}").parse().unwrap(),
        Family::V6 => format!("2001:db8::{nth}").parse().unwrap(),
    }
}

/// What `dig` says to a network: the records' data, and what came back of the network.
fn dug(at: SocketAddr, subnet: &str, name: &str, kind: &str) -> (Vec<String>, String) {
    let text = dig(at, &["+norecurse", "+noall", "+answer", "+comments", &format!("+subnet={subnet}"), name, kind]);
    let records = text.lines().filter(|line| !line.starts_with(';') && !line.is_empty());
    let records = records.map(|line| line.split_whitespace().skip(4).collect::<Vec<_>>().join(" ")).collect();
    let echo = text.lines().find_map(|line| line.strip_prefix("; CLIENT-SUBNET: ")).unwrap_or("none").to_owned();
    (records, echo)
}

#[tokio::test(flavor = "multi_thread")]
async fn six_continents_are_answered_with_exact_scopes() {
    let door = Door::open(&text());
    for (subnet, name, region, echo) in [
        ("41.1.2.0/24", "geo", "af", "41.1.2.0/24/9"),
        ("41.201.2.0/24", "geo", "eu", "41.201.2.0/24/13"),
        ("126.1.0.0/16", "geo", "as", "126.1.0.0/16/14"),
        ("126.7.7.0/24", "geo", "oc", "126.7.7.0/24/24"),
        ("126.7.6.0/24", "geo", "as", "126.7.6.0/24/24"),
        ("5.128.0.0/24", "geo", "eu", "5.128.0.0/24/9"),
        ("5.6.7.200/32", "geo", "sa", "5.6.7.200/32/25"),
        ("8.1.1.0/24", "geo", "na", "8.1.1.0/24/13"),
        ("101.161.0.0/24", "geo", "oc", "101.161.0.0/24/11"),
        ("200.200.1.0/24", "geo", "sa", "200.200.1.0/24/9"),
        ("2a00:1450::/48", "geo", "sa", "2a00:1450::/48/32"),
        ("2600:1f00::/40", "x.geo", "na", "2600:1f00::/40/12"),
        // Nowhere known, nowhere at all, and who does not want to be located.
        ("10.1.2.0/24", "geo", "af", "10.1.2.0/24/8"),
        ("0.0.0.0/0", "geo", "af", "0.0.0.0/0/0"),
        ("41.1.2.0/24", "near", "af", "41.1.2.0/24/9"),
        ("5.6.7.200/32", "near", "sa", "5.6.7.200/32/25"),
        ("8.1.1.0/24", "near", "na", "8.1.1.0/24/13"),
        ("2400:cb00::/32", "near", "as", "2400:cb00::/32/32"),
        ("198.51.100.64/26", "nets", "sa", "198.51.100.64/26/26"),
        ("198.51.100.0/26", "nets", "as", "198.51.100.0/26/26"),
        ("198.51.100.128/25", "nets", "as", "198.51.100.128/25/25"),
        ("198.51.99.0/24", "nets", "eu", "198.51.99.0/24/22"),
        ("10.1.3.9/32", "nets", "oc", "10.1.3.9/32/23"),
        ("10.1.0.0/24", "nets", "af", "10.1.0.0/24/23"),
        ("2001:db8:1:8000::/52", "nets", "na", "2001:db8:1:8000::/52/49"),
        ("41.1.2.0/24", "asn", "oc", "41.1.2.0/24/8"),
        ("126.7.7.0/24", "asn", "af", "126.7.7.0/24/8"),
    ] {
        let full = format!("{name}.{ZONE}");
        let (v4, v6) = (endpoint(region, Family::V4).to_string(), endpoint(region, Family::V6).to_string());
        let hints = format!("1 . alpn=\"h2\" ipv4hint={v4} ipv6hint={v6}");
        for (kind, expected) in [("A", v4), ("AAAA", v6), ("HTTPS", hints)] {
            let found = dug(door.address, subnet, &full, kind);
            assert_eq!(found, (vec![expected], echo.to_owned()), "{subnet} {name} {kind}");
        }
        // What stands at the name beside what is steered is the same for all.
        let prefix = echo.rsplit_once('/').unwrap().0;
        assert_eq!(dug(door.address, subnet, &full, "MX"), (vec![], format!("{prefix}/0")));
        assert_eq!(dug(door.address, subnet, ZONE, "NS").1, format!("{prefix}/0"));
        let (text, _) = dug(door.address, subnet, &format!("_why.{full}"), "TXT");
        assert!(text[0].contains(&format!("{region} of {region}")), "{text:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_typical_configuration_serves_six_continents_from_the_nearest_region() {
    let door = Door::open(include_str!("../../config/typical.toml"));
    let (us, eu, ap) =
        (["198.51.100.10", "203.0.113.10"], ["198.51.100.20", "203.0.113.20"], ["203.0.113.30", "203.0.113.30"]);
    for (subnet, region, scope) in [
        ("41.1.2.0/24", eu, 9),
        ("126.1.0.0/24", ap, 14),
        ("5.128.0.0/24", eu, 9),
        ("8.1.1.0/24", us, 13),
        ("101.161.0.0/24", ap, 11),
        ("200.200.1.0/24", us, 9),
    ] {
        for name in ["www", "api"] {
            let (found, echo) = dug(door.address, subnet, &format!("{name}.{ZONE}"), "A");
            assert!(!found.is_empty() && found.iter().all(|one| region.contains(&one.as_str())), "{subnet} {found:?}");
            assert_eq!(echo, format!("{subnet}/{scope}"));
        }
    }
}

/// A client and what it must get.
struct Asks {
    address: IpAddr,
    name: &'static str,
    region: &'static str,
}

/// Anywhere in the network.
fn inside(net: IpNet, random: &mut fastrand::Rng) -> IpAddr {
    match net {
        IpNet::V4(net) => {
            std::net::Ipv4Addr::from_bits(net.network().to_bits() | random.u32(..) & net.hostmask().to_bits()).into()
        }
        IpNet::V6(net) => {
            std::net::Ipv6Addr::from_bits(net.network().to_bits() | random.u128(..) & net.hostmask().to_bits()).into()
        }
    }
}

/// By other means than the program's: the longest network that holds the address.
fn placed(address: IpAddr) -> &'static str {
    let holds = PLACES.iter().map(|(net, code, ..)| (net.parse::<IpNet>().unwrap(), *code));
    let longest = holds.filter(|(net, _)| net.contains(&address)).max_by_key(|(net, _)| net.prefix_len());
    let code = longest.map(|(_, code)| &code[..2]);
    REGIONS.iter().find(|(_, continent, ..)| Some(*continent) == code).map_or(ELSE, |(id, ..)| *id)
}

/// The first network that holds the address.
fn ruled(address: IpAddr) -> &'static str {
    let holds = |net: &str| net.parse::<IpNet>().unwrap().contains(&address);
    NETS.iter().find(|(net, _)| holds(net)).map_or(ELSE, |(_, region)| *region)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resolver_that_caches_by_scope_never_mixes_regions() {
    let door = Door::open(&text());
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    // Who tells all, and who tells what resolvers usually do.
    for (v4, v6) in [(32, 128), (24, 56)] {
        let resolver = Unbound::start(
            door.address,
            &format!(
                "module-config: \"subnetcache iterator\"\n send-client-subnet: 127.0.0.1\n client-subnet-always-forward: yes\n max-client-subnet-ipv4: {v4}\n max-client-subnet-ipv6: {v6}\n max-ecs-tree-size-ipv4: 100000\n max-ecs-tree-size-ipv6: 100000"
            ),
        );
        let clients: Vec<Asks> = (0..1000)
            .map(|nth| {
                let name = ["geo", "near", "nets"][nth % 3];
                let nets: Vec<&str> = match name {
                    "nets" => NETS.iter().map(|(net, _)| *net).collect(),
                    _ => PLACES.iter().map(|(net, ..)| *net).collect(),
                };
                let address = inside(random.choice(nets).unwrap().parse().unwrap(), &mut random);
                let told = IpNet::new(address, if address.is_ipv4() { v4 } else { v6 }).unwrap().trunc().addr();
                let region = if name == "nets" { ruled(told) } else { placed(told) };
                Asks { address, name, region }
            })
            .collect();
        let before = door.told();
        let round = || {
            for (nth, client) in clients.iter().enumerate() {
                let family = Family::ALL[nth / 3 % 2];
                let expected = [endpoint(client.region, family)];
                let Asks { address, name, .. } = client;
                assert_eq!(asked(resolver.address, client, family), expected, "{address} asks for {name}, seed {seed}");
            }
            door.told() - before
        };
        let (first, both) = (round(), round());
        eprintln!("{first} of 1000 clients were not answered from the cache");
        assert!(first < 600, "{first} of 1000 clients were not answered from the cache: the scopes are too long");
        assert_eq!(both, first, "some were not answered from the cache when they asked again");
    }
}

fn asked(at: SocketAddr, client: &Asks, family: Family) -> Vec<IpAddr> {
    let kind = if family == Family::V4 { RecordType::A } else { RecordType::AAAA };
    let mut message = with_edns(query(&format!("{}.{ZONE}.", client.name), kind), 1232);
    message.metadata.recursion_desired = true;
    let subnet = EdnsOption::Subnet(IpNet::from(client.address).to_string().parse().unwrap());
    message.edns.as_mut().unwrap().options_mut().insert(subnet);
    let reply = Message::from_vec(&ask(at, &message.to_vec().unwrap()).expect("the resolver answers")).unwrap();
    reply.answers.iter().filter_map(|record| record.data.ip_addr()).collect()
}
