//! Two seats over one table with the same chance: one answers the fast way where it may, the other never. What they
//! say, draw and count must be the same. Tests and the fuzzer share this.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    net::SocketAddr,
    sync::Arc,
};

use prometheus_client::registry::Registry;
use wayshift::{
    clock::Clock,
    config,
    dns::{Chaos, Client, Desk, Fast, Handled, compare},
    model::{Digest, Family, Feeds, Fleet, Health, LastGood, Load, Mono, Now, Resolved, Snapshot},
    steer::{AnswerTable, Live, Locator, compile},
    telemetry::dns::{DnsMetrics, Proto},
};

use crate::{dns_world, mmdb};

/// Octets of a slot, as the datagram door has it.
pub(crate) const SLOT: usize = 2112;
/// When the first packet comes.
pub(crate) const BEGIN: Mono = Mono(100_000_000);

const STEERS: [&str; 8] =
    ["failover", "nearest", "fastest", "weighted", "round-robin", "random", "least-connections", "all"];
const ANSWERS: [&str; 7] = ["all", "first", "weighted", "round-robin", "random", "least-connections", "hash"];
const WHEN_NONE: [&str; 5] = ["serve-all", "last-good", "last-resort", "nodata", "servfail"];
const REGIONS: [(&str, f64, f64); 4] =
    [("us", 38.9, -77.0), ("eu", 50.1, 8.7), ("ap", 1.35, 103.8), ("oc", -33.9, 151.2)];
const ENDPOINTS: usize = 40;
const POOLS: usize = 42;

/// What stands in the main zone beside services.
const RECORDS: &str = include_str!("../data/dns/example.zone");

/// What was answered how often.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tally {
    pub(crate) fast: u64,
    pub(crate) dropped: u64,
    pub(crate) general: u64,
}

pub(crate) struct Twin {
    live: Live,
    fleet: Arc<Fleet>,
    fast: Desk,
    general: Desk,
    metrics: [Arc<DnsMetrics>; 2],
    slot: Box<[u8; SLOT]>,
    out: [Vec<u8>; 2],
    pub(crate) tally: Tally,
    /// Names worth asking for, as people write them.
    pub(crate) names: Vec<String>,
}

impl Twin {
    pub(crate) fn new(seed: u64) -> Self {
        let (fleet, names) = fleet();
        let locator = Arc::new(locator(&fleet));
        let live = Live::new(table(&fleet, 0, None).with_locator(locator));
        let metrics = [Arc::default(), Arc::default()];
        let desk = |metrics: &Arc<DnsMetrics>| {
            let face = Arc::new(dns_world::face(Chaos::Version));
            Desk::new(live.reader(), face, seed, Clock::start(), metrics.shard())
        };
        let (fast, general) = (desk(&metrics[0]), desk(&metrics[1]));
        let (slot, out) = (Box::new([0; SLOT]), Default::default());
        Self { live, fleet, fast, general, metrics, slot, out, tally: Tally::default(), names }
    }

    /// Other endpoints are up from here on.
    pub(crate) fn turn(&mut self, nth: u64) {
        let table = table(&self.fleet, nth, Some(&self.live.load()));
        self.live.swap(table);
    }

    /// Asks both.
    pub(crate) fn check(&mut self, packet: &[u8], from: SocketAddr, proto: Proto, now: Mono) -> Result<Fast, String> {
        let Self { fast, general, slot, out: [expected, found], tally, .. } = self;
        let client = Client { address: from, proto, keepalive: (proto == Proto::Tcp).then_some(100) };
        expected.clear();
        let handled = general.answer_at(packet, &client, now, expected);
        let length = packet.len().min(SLOT);
        slot.fill(0xa5);
        slot[..length].copy_from_slice(&packet[..length]);
        if length < packet.len() {
            // No door lets such a packet through to the fast way.
            fast.answer_at(packet, &client, now, found);
            return Ok(Fast::General);
        }
        let answered = fast.fast_for(slot.as_mut_slice(), length, &client, now);
        match answered {
            Fast::Replied(octets) => {
                tally.fast += 1;
                let reply = &slot[..octets];
                if handled == Handled::Dropped {
                    return Err("the general path drops it".into());
                }
                compare(reply, expected).map_err(|what| what.to_string())?;
                fast.recheck(packet, reply, &client, now).map_err(|what| format!("rechecked: {what}"))?;
            }
            Fast::Dropped => {
                tally.dropped += 1;
                if handled != Handled::Dropped {
                    return Err("the general path answers it".into());
                }
            }
            Fast::General => {
                tally.general += 1;
                if slot[..length] != *packet || slot[length..].iter().any(|octet| *octet != 0xa5) {
                    return Err("the slot was touched".into());
                }
                found.clear();
                if fast.answer_at(packet, &client, now, found) != handled || found != expected {
                    return Err("what was handed over was answered otherwise".into());
                }
            }
        }
        Ok(answered)
    }

    /// What both have counted.
    pub(crate) fn counts(&self) -> Result<(), String> {
        let [one, other] = self.metrics.each_ref().map(|metrics| {
            let mut registry = Registry::default();
            registry.register_collector(Box::new(Arc::clone(metrics)));
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            text
        });
        let differs = one.lines().zip(other.lines()).find(|(one, other)| one != other);
        match differs {
            None if one == other => Ok(()),
            _ => Err(format!("counted otherwise: {differs:?}")),
        }
    }
}

/// One zone with one of everything, a second one, and a service for each policy.
fn fleet() -> (Arc<Fleet>, Vec<String>) {
    let records: String = RECORDS
        .lines()
        .filter(|line| !line.starts_with("ns1 ") && (!line.starts_with(['@', ';']) || line.contains("MX")))
        .map(|line| format!("{line}\n"))
        .collect();
    let mut text = String::from(
        "[node]\nname = \"twin\"\n[check.web]\nurl = \"http://www.example.test/\"\n[zone.\"sister.test\"]\n\
         ns = { \"ns.elsewhere.example.net.\" = [] }\nrecords = '''\nwww 60 A 192.0.2.180\n'''\n\
         [zone.\"inner.example.test\"]\nns = { ns1 = \"192.0.2.55\" }\nrecords = '''\nwww 60 A 192.0.2.181\n'''\n\
         [provider.p0]\n[provider.p1]\n[provider.p2]\n[region]\n",
    );
    for (id, latitude, longitude) in REGIONS {
        writeln!(text, "{id} = {{ at = [{latitude:?}, {longitude:?}] }}").unwrap();
    }
    let records = records.replace("'''", "");
    writeln!(text, "[zone.\"example.test\"]\nns = {{ ns1 = \"192.0.2.53\" }}\nrecords = '''\n{records}'''\n[endpoint]")
        .unwrap();
    for n in 0..ENDPOINTS {
        let v4 = format!("\"198.51.{}.{n}\"", n % 3);
        let v6 = format!("\"2001:db8::{n:x}\"");
        let address = match n % 5 {
            0 => v4,
            1 => v6,
            _ => format!("[{v4}, {v6}]"),
        };
        let (provider, region) = (n % 3, REGIONS[n / 3 % 4].0);
        let more = if n % 4 == 0 { ", load = { push = true }, capacity = 100" } else { ", load = { push = true }" };
        writeln!(text, "e{n} = {{ provider = \"p{provider}\", region = \"{region}\", address = {address}{more} }}")
            .unwrap();
    }
    text.push_str(
        "cdn = { target = \"www.cdn.example.net.\" }\nlater = { target = \"later.cdn.example.net.\" }\n[pool]\n",
    );
    for n in 0..POOLS {
        let answer = ANSWERS[n % ANSWERS.len()];
        let members = (0..1 + n % 12).map(|m| ((n * 5 + m) % ENDPOINTS, (n + m * 3) % 7 + usize::from(n % 4 == 0)));
        // Who answers all has no weights.
        let (members, count) = if answer == "all" {
            (format!("{:?}", members.map(|(one, _)| format!("e{one}")).collect::<Vec<_>>()), 1 + n % 8)
        } else {
            let members: Vec<_> = members.map(|(one, weight)| format!("e{one} = {weight}")).collect();
            (format!("{{ {} }}", members.join(", ")), 1 + n / 3 % 4)
        };
        writeln!(text, "p{n} = {{ endpoints = {members}, answer = \"{answer}\", count = {count} }}").unwrap();
    }
    text.push_str("cdn = { endpoints = [\"cdn\"] }\nsorry = { endpoints = [\"e1\", \"e2\"] }\nlater = { endpoints = [\"later\"] }\nmixed = { endpoints = [\"cdn\", \"e2\"] }\n");
    let mut names: Vec<String> = [
        "www",
        "alias",
        "chain1",
        "ext",
        "loop1",
        "nothere",
        "app",
        "x.wild",
        "exact.wild",
        "a.b.wild",
        "x.cwild",
        "b.ent",
        "ent",
        "child",
        "x.child",
        "ns.child",
        "schild",
        "dn",
        "x.dn",
        "x.dnin",
        "unk",
        "big",
        "_why.own",
        "wild",
        "mail",
        "ns1",
        "inner",
        "www.inner",
        "x.inner",
    ]
    .map(|name| format!("{name}.example.test"))
    .into();
    names.extend(
        [
            "example.test",
            "sister.test",
            "www.sister.test",
            "x.sister.test",
            "test",
            ".",
            "elsewhere.org",
            "version.bind",
            "id.server",
        ]
        .map(String::from),
    );
    for n in 0..ANSWERS.len() * STEERS.len() {
        let (steer, when_none) = (STEERS[n % STEERS.len()], WHEN_NONE[n % WHEN_NONE.len()]);
        let owner = if n % 9 == 8 { format!("*.s{n}") } else { format!("s{n}") };
        writeln!(text, "[service.s{n}]\nnames = [\"{owner}.example.test\"]\nsteer = \"{steer}\"\ncheck = \"web\"")
            .unwrap();
        let pools: Vec<usize> = (0..1 + n % 4).map(|p| (n * 3 + p * 11) % POOLS).collect();
        match steer {
            "weighted" => {
                let pools: Vec<String> = pools.iter().map(|p| format!("p{p} = {}", 1 + p % 5)).collect();
                writeln!(text, "pools = {{ {} }}", pools.join(", ")).unwrap();
            }
            _ => writeln!(text, "pools = {:?}", pools.iter().map(|p| format!("p{p}")).collect::<Vec<_>>()).unwrap(),
        }
        if when_none == "last-resort" {
            text.push_str("last_resort = \"sorry\"\n");
        }
        writeln!(text, "when_none_healthy = \"{when_none}\"").unwrap();
        for (every, line) in [
            (3, "sticky = true"),
            (4, "trickle = \"10%\""),
            (5, "failback = \"1m\""),
            (6, "ramp = \"5m\""),
            (7, "https = { alpn = [\"h2\"] }"),
            (8, "spread = { providers = 2 }"),
        ] {
            if n % every == every - 1 && !(line.starts_with("spread") && steer == "all") {
                writeln!(text, "{line}").unwrap();
            }
        }
        if n % 4 == 1 {
            writeln!(
                text,
                "[[service.s{n}.rule]]\nwhen = {{ subnet = [\"10.0.0.0/8\", \"2001:db8:7::/48\"] }}\npools = [\"p{}\"]\n\
                 [[service.s{n}.rule]]\nwhen = {{ geo = [\"EU\", \"NA-US-CA\"], asn = [64500, 64501] }}\npools = [\"p{}\", \"p{}\"]\n\
                 steer = \"nearest\"",
                n % POOLS,
                (n + 1) % POOLS,
                (n + 2) % POOLS,
            )
            .unwrap();
        }
        names.push(format!("{}.example.test", owner.replace('*', "any")));
    }
    for (id, name, pool) in [
        ("cdn", "cdn.example.test", "cdn"),
        ("apex", "example.test", "cdn"),
        ("later", "new.example.test", "later"),
        ("mixed", "mixed.example.test", "mixed"),
        ("app", "app.example.test", "p9"),
        ("deep", "*.deep.example.test", "p4"),
    ] {
        writeln!(text, "[service.{id}]\nnames = [\"{name}\"]\npools = [\"{pool}\"]\ncheck = \"web\"").unwrap();
        names.push(name.replace('*', "a.b"));
    }
    let loaded =
        config::load_text("twin.toml", &text, &|_| None).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    (loaded.fleet, names)
}

/// A table in which chance has decided who is up.
fn table(fleet: &Arc<Fleet>, nth: u64, before: Option<&AnswerTable>) -> AnswerTable {
    let mut chance = fastrand::Rng::with_seed(nth);
    let at = Mono(BEGIN.0 + nth * 1_000);
    let verdicts = (fleet.subjects.iter())
        .flat_map(|subject| {
            let endpoint = fleet.endpoint(subject.endpoint);
            Family::ALL.map(|family| {
                endpoint.is_judged(family).then(|| {
                    let mut verdict = dns_world::verdict(match chance.u8(..10) {
                        0..7 => Health::Up,
                        7 => Health::Degraded,
                        _ => Health::Down,
                    });
                    if chance.u8(..4) == 0 {
                        verdict.flips_at = Some(Mono(at.0 + chance.u64(..60_000)));
                    }
                    if chance.u8(..4) == 0 {
                        verdict.returned = Some(Mono(at.0 - chance.u64(..400_000)));
                    }
                    verdict
                })
            })
        })
        .collect();
    let addresses = ["192.0.2.201", "192.0.2.202", "2001:db8::201"].map(|one| one.parse().unwrap());
    let resolved = Resolved { addresses: Arc::new(addresses), ttl: 20 };
    let loads: HashMap<_, _> = fleet
        .endpoints
        .iter()
        .filter_map(|one| match chance.u8(..3) {
            0 => None,
            _ => Some((one.id.clone(), Load(chance.f64() * 90.0))),
        })
        .collect();
    let paths: BTreeMap<_, _> = REGIONS[..3]
        .iter()
        .map(|(id, ..)| {
            let known = fleet.endpoints.iter().filter_map(|one| match chance.u8(..4) {
                0 => None,
                _ => Some((one.id.clone(), chance.u32(1_000..300_000))),
            });
            (id.parse().unwrap(), known.collect())
        })
        .collect();
    let snapshot = Snapshot {
        node: "twin".parse().unwrap(),
        generation: nth,
        digest: Digest([u8::try_from(nth % 251).unwrap(); 32]),
        at: Now { mono: at, ..Now::default() },
        fleet: Arc::clone(fleet),
        verdicts,
        overrides: Arc::new([]),
        planned: Arc::new([]),
        ended: Arc::new([]),
        here: Default::default(),
        feeds: Arc::new(Feeds {
            loads,
            paths,
            resolved: HashMap::from([("www.cdn.example.net".parse().unwrap(), resolved)]),
        }),
    };
    compile(&Arc::new(snapshot), before, &LastGood::new())
}

fn locator(fleet: &Fleet) -> Locator {
    let rows = "5.6.0.0/16,us\n5.6.7.0/24,EU-DE\n126.7.7.0/25,oc\n2a00:1450::/32,ap\n";
    let nets = Locator::nets_from_csv(rows, &fleet.regions).unwrap();
    let city = mmdb::city(&[
        ("5.0.0.0/8", "EU-DE", 51.2, 10.5),
        ("8.8.8.0/24", "NA-US-CA", 36.8, -119.4),
        ("126.0.0.0/8", "AS-JP", 36.2, 138.3),
        ("10.0.0.0/8", "EU-FR", 46.2, 2.2),
        ("2a00::/12", "EU-DE", 51.2, 10.5),
        ("2600::/12", "NA-US-CA", 37.1, -95.7),
    ]);
    let asn = mmdb::asn(&[("5.0.0.0/9", 64500), ("8.0.0.0/8", 64501), ("2600::/16", 64501)]);
    Locator::nowhere().with_city(Some(city)).unwrap().with_asn(Some(asn)).unwrap().with_nets(nets)
}
