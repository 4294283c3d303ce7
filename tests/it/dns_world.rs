//! A small world to ask: one zone with one of everything, a second zone, and four services.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    num::NonZeroUsize,
    sync::Arc,
    time::Duration,
};

use domain::{
    base::{Rtype, iana::Class, rdata::ComposeRecordData},
    zonefile::inplace::{Entry, Zonefile},
};
use hickory_proto::{
    op::{Edns, Message, Query},
    rr::{Name, RecordType},
};
use wayshift::{
    clock::Clock,
    dns::{Answerer, Chaos, Client, Desk, Doors, Ecs, Face, Handled, SHADOW_WHOLE, Settings, TcpLimits},
    model::{
        Addresses, Arm, Cause, Degraded, Digest, DnsName, Endpoint, EndpointIx, Family, Feeds, Fleet, Health, Https,
        Member, MinUp, Now, Parts, Pool, PoolAnswer, PoolIx, Resolved, Resume, Serves, Service, Snapshot, Steer, Tally,
        Tuning, Verdict, Weight, WhenNone, Zone,
    },
    steer::{Live, compile},
    telemetry::dns::{DnsMetrics, Proto},
};

/// The zone that is asked about.
pub(crate) const APEX: &str = "example.test.";
const ZONE: &str = include_str!("../data/dns/example.zone");
const SISTER: &str =
    "@ 60 IN SOA ns1.example.test. h.example.test. 1 2 3 4 5\n@ 60 IN NS ns1.example.test.\nwww 60 IN A 192.0.2.180\n";

/// A table over the zones.
pub(crate) fn live() -> Live {
    live_of(&[(APEX, ZONE), ("sister.test.", SISTER)])
}

/// The only target whose addresses are known.
fn resolved_name() -> DnsName {
    "apex.cdn.example.net".parse().unwrap()
}

/// A table over zones given as master files; services stand in the first.
pub(crate) fn live_of(zones: &[(&str, &str)]) -> Live {
    let apex = zones[0].0;
    let mut parts = Parts { zones: zones.iter().map(|(apex, text)| zone(apex, text)).collect(), ..Parts::default() };
    let both = Addresses::Both("203.0.113.1".parse().unwrap(), "2001:db8:1::1".parse().unwrap());
    let second = Addresses::V4("203.0.113.2".parse().unwrap());
    service(&mut parts, "app", &[&format!("app.{apex}")], &[both, second], WhenNone::ServeAll);
    service(&mut parts, "old", &[&format!("old.{apex}")], &[second], WhenNone::ServeAll);
    service(&mut parts, "tenants", &[&format!("*.tenants.{apex}")], &[second], WhenNone::ServeAll);
    service(&mut parts, "dark", &[&format!("dark.{apex}")], &[second], WhenNone::Servfail);
    service(&mut parts, "dark-good", &[&format!("good.{apex}")], &[both, second], WhenNone::LastGood);
    let https = Some(Https { alpn: Box::new(["h2".into(), "h3".into()]) });
    let addresses = [both, second].map(Serves::Addresses);
    let shop = pool(&mut parts, "shop", &addresses);
    steered(&mut parts, "shop", &[&format!("shop.{apex}")], &[shop], WhenNone::ServeAll, https.clone());
    let off = pool(&mut parts, "dark-off", &addresses);
    steered(&mut parts, "dark-off", &[&format!("off.{apex}")], &[off], WhenNone::Nodata, https);
    alias(&mut parts, "cdn", &format!("cdn.{apex}"), "www.cdn.example.net");
    alias(&mut parts, "cdns", &format!("*.cdns.{apex}"), "www.cdn.example.net");
    alias(&mut parts, "apex", apex, "apex.cdn.example.net");
    alias(&mut parts, "new", &format!("new.{apex}"), "new.cdn.example.net");
    // IPv4 of its own, IPv6 from elsewhere.
    let half = [Serves::Addresses(second)];
    let half = [pool(&mut parts, "half", &half), pool(&mut parts, "beside", &[Serves::Target(resolved_name())])];
    steered(&mut parts, "half", &[&format!("half.{apex}")], &half, WhenNone::ServeAll, None);
    let fleet = Fleet::assemble(parts).unwrap();
    let verdicts = (fleet.subjects.iter())
        .flat_map(|subject| {
            let endpoint = fleet.endpoint(subject.endpoint);
            let health = if endpoint.id.as_str().starts_with("dark") { Health::Down } else { Health::Up };
            Family::ALL.map(|family| endpoint.is_judged(family).then(|| verdict(health)))
        })
        .collect();
    let addresses = ["192.0.2.201", "192.0.2.202", "2001:db8::201"].map(|one| one.parse().unwrap());
    let resolved = Resolved { addresses: Arc::new(addresses), ttl: 20 };
    let snapshot = Snapshot {
        node: "test".parse().unwrap(),
        generation: 1,
        digest: Digest::default(),
        at: Now::default(),
        fleet,
        verdicts,
        overrides: Arc::new([]),
        planned: Arc::new([]),
        ended: Arc::new([]),
        feeds: Arc::new(Feeds { resolved: HashMap::from([(resolved_name(), resolved)]), ..Feeds::default() }),
        here: wayshift::model::Here::default(),
    };
    let last_good = [("dark-good".parse().unwrap(), "dark-good-1".parse().unwrap())].into();
    Live::new(compile(&Arc::new(snapshot), None, &[("dark-good".parse().unwrap(), last_good)].into()))
}

/// What is judged of one that is so.
pub(crate) fn verdict(health: Health) -> Verdict {
    Verdict {
        measured: health,
        health,
        order: None,
        cause: Cause::Voted,
        frozen: None,
        tally: Tally::default(),
        since: wayshift::model::Wall::default(),
        since_mono: None,
        hold: None,
        returned: None,
        flips_at: None,
    }
}

fn zone(apex: &str, text: &str) -> Zone {
    let mut file = Zonefile::from(text);
    file.set_origin(apex.parse().unwrap());
    file.set_default_class(Class::IN);
    let mut records: Vec<(DnsName, u16, u32, Vec<u8>)> = Vec::new();
    let mut negative_ttl = 0;
    while let Some(entry) = file.next_entry().unwrap() {
        let Entry::Record(record) = entry else { panic!("the zone includes nothing") };
        let (kind, ttl) = (record.rtype().to_int(), record.ttl().as_secs());
        let mut rdata = Vec::new();
        record.data().compose_rdata(&mut rdata).unwrap();
        if record.rtype() == Rtype::SOA {
            negative_ttl = ttl.min(u32::from_be_bytes(*rdata.last_chunk().unwrap()));
        }
        records.push((record.owner().to_string().parse().unwrap(), kind, ttl, rdata));
    }
    Zone { apex: apex.parse().unwrap(), negative_ttl, nodes: records.into_iter().collect() }
}

fn service(parts: &mut Parts, id: &str, names: &[&str], addresses: &[Addresses], when_none: WhenNone) {
    let serves: Vec<Serves> = addresses.iter().copied().map(Serves::Addresses).collect();
    let pool = pool(parts, id, &serves);
    steered(parts, id, names, &[pool], when_none, None);
}

/// A service of one endpoint that is another name.
fn alias(parts: &mut Parts, id: &str, name: &str, target: &str) {
    let pool = pool(parts, id, &[Serves::Target(target.parse().unwrap())]);
    steered(parts, id, &[name], &[pool], WhenNone::ServeAll, Some(Https { alpn: Box::new(["h2".into()]) }));
}

fn pool(parts: &mut Parts, id: &str, serves: &[Serves]) -> PoolIx {
    let members = serves.iter().enumerate().map(|(nth, serves)| {
        parts.endpoints.push(Endpoint {
            id: format!("{id}-{nth}").parse().unwrap(),
            provider: "lab".parse().unwrap(),
            region: "lab".parse().unwrap(),
            serves: serves.clone(),
            weight: Weight(1),
            capacity: None,
            labels: BTreeMap::new(),
            check_at: None,
            check: None,
            alias: None,
            load: None,
            resume: Resume::Auto,
        });
        Member { endpoint: EndpointIx::new(parts.endpoints.len() - 1), weight: Weight(1) }
    });
    let members = members.collect();
    parts.pools.push(Pool {
        id: id.parse().unwrap(),
        members,
        answer: PoolAnswer::RoundRobin,
        count: 1,
        min_up: MinUp::Auto,
        check: None,
        implicit: true,
        degraded: Degraded::Same,
        ramp: None,
    });
    PoolIx::new(parts.pools.len() - 1)
}

fn steered(parts: &mut Parts, id: &str, names: &[&str], pools: &[PoolIx], when_none: WhenNone, https: Option<Https>) {
    parts.services.push(Service {
        id: id.parse().unwrap(),
        names: names.iter().map(|name| name.parse().unwrap()).collect(),
        arms: pools.iter().map(|&pool| Arm { pool, weight: Weight(1), subjects: Box::default() }).collect(),
        steer: Steer::Failover,
        ttl: 30,
        when_none,
        last_resort: None,
        check: None,
        owner: None,
        runbook: None,
        rules: Box::default(),
        tuning: Tuning { https, ..Tuning::default() },
    });
}

/// What the doors say about themselves in tests.
pub(crate) fn face(chaos: Chaos) -> Face {
    Face {
        udp_size: 1232,
        nsid: Some("test-1".into()),
        chaos,
        ecs: Ecs::Use,
        debug_names: vec!["127.0.0.0/8".parse().unwrap()],
    }
}

/// A desk over the world, with a fixed seed.
pub(crate) fn desk(chaos: Chaos) -> Desk {
    Desk::new(live().reader(), Arc::new(face(chaos)), 1, Clock::start(), DnsMetrics::default().shard())
}

/// A client at a documentation address.
pub(crate) fn client(proto: Proto) -> Client {
    let keepalive = (proto == Proto::Tcp).then_some(100);
    Client { address: SocketAddr::from(([192, 0, 2, 9], 4242)), proto, keepalive }
}

/// A query as a resolver sends it.
pub(crate) fn query(name: &str, kind: RecordType) -> Message {
    let name =
        if name.ends_with('.') { name.to_owned() } else { format!("{name}.{APEX}").trim_start_matches('.').to_owned() };
    let mut message = Message::query();
    message.metadata.id = 4711;
    message.metadata.recursion_desired = false;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message
}

/// The same with EDNS.
pub(crate) fn with_edns(mut message: Message, size: u16) -> Message {
    let mut edns = Edns::new();
    edns.set_max_payload(size);
    message.set_edns(edns);
    message
}

/// The reply, which two decoders of other hands must read to its last octet.
pub(crate) fn ask(answerer: &mut impl Answerer, query: &Message, proto: Proto) -> Message {
    let (sent, mut reply) = (query.to_vec().unwrap(), Vec::new());
    assert_eq!(answerer.answer(&sent, &client(proto), &mut reply), Handled::Replied);
    decoded(&reply)
}

/// Decoded, after the second decoder has read it as well.
pub(crate) fn decoded(reply: &[u8]) -> Message {
    let other = domain::base::Message::from_octets(reply).unwrap();
    let records = ["answer", "authority", "additional"].map(|section| {
        let section = match section {
            "answer" => other.answer(),
            "authority" => other.authority(),
            _ => other.additional(),
        };
        let mut count = 0;
        for record in section.unwrap() {
            let record = record.unwrap();
            record.to_any_record::<domain::rdata::AllRecordData<_, _>>().unwrap();
            count += 1;
        }
        count
    });
    let message = Message::from_vec(reply).unwrap();
    let opt = usize::from(message.edns.is_some());
    assert_eq!(
        records,
        [message.answers.len(), message.authorities.len(), message.additionals.len() + opt],
        "both decoders count the same"
    );
    message
}

/// Door settings on a free port of the loopback.
pub(crate) fn settings(tcp: TcpLimits) -> Settings {
    Settings {
        listen: vec!["127.0.0.1:0".parse().unwrap(), "[::1]:0".parse().unwrap()],
        threads: NonZeroUsize::new(2).unwrap(),
        face: face(Chaos::Hide),
        tcp,
        // Every answer of the fast door is compared in every test that asks a door.
        shadow: SHADOW_WHOLE,
    }
}

/// Limits that no test reaches by accident.
pub(crate) fn limits() -> TcpLimits {
    TcpLimits {
        connections: NonZeroUsize::new(100).unwrap(),
        per_client: NonZeroUsize::new(50).unwrap(),
        idle: Duration::from_secs(30),
        query: Duration::from_secs(30),
    }
}

/// Doors that are bound.
pub(crate) fn doors(tcp: TcpLimits) -> Doors {
    Doors::bind(settings(tcp), live(), Clock::start(), Arc::default()).unwrap()
}
