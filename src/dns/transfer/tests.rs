use std::{collections::HashMap, sync::Arc};

use super::*;
use crate::{
    clock::Clock,
    dns::{
        desk::{Answerer, Client, Desk, Handled},
        sample::FACE,
        tsig::Key,
    },
    model::{Action, DnsName, LastGood, Mono, PoolAnswer, Secondaries, Secret, Steer, TsigAlgorithm, TsigKey},
    steer::{Editions, Live, compile, sample::World},
    telemetry::dns::Proto,
};
use hickory_proto::op::{Message, ResponseCode};

const SOA: &[u8] =
    b"\x02ns\x00\x01h\x00\x00\x00\x00\x07\x00\x00\x00\x02\x00\x00\x00\x03\x00\x00\x00\x04\x00\x00\x00\x05";

/// The zone `example` with so many texts, and a steered name.
pub(super) fn world(names: u16) -> World {
    let texts: Vec<(String, Vec<u8>)> =
        (0..names).map(|n| (format!("text-{n}.example"), [&[40], &[b'a'; 40][..]].concat())).collect();
    let mut records = vec![("example", kind::SOA, SOA), ("example", kind::NS, b"\x02ns\x00")];
    records.extend(texts.iter().map(|(name, text)| (name.as_str(), kind::TXT, text.as_slice())));
    World::default()
        .zone("example", &records)
        .endpoint("aws-a", "192.0.2.1")
        .endpoint("gcp-b", "192.0.2.2")
        .pool("both", PoolAnswer::All, &[("aws-a", 1), ("gcp-b", 1)])
        .service("www", Steer::Failover, &[("both", 1)])
}

fn key(name: &str) -> TsigKey {
    let secret = Secret::new("c2VjcmV0IG9mIHRoZSB0ZXN0IQ==".into());
    TsigKey { name: name.parse().unwrap(), algorithm: TsigAlgorithm::Sha256, secret }
}

fn who() -> Replication {
    let zone = Secondaries {
        apex: "example".parse().unwrap(),
        allow: vec!["192.0.2.0/24".parse().unwrap()],
        key: Some(key("xfr")),
        notify: Vec::new(),
        has_serial: false,
    };
    Replication { keys: vec![key("xfr"), key("other")], zones: vec![zone] }
}

fn editions(world: &World, before: &Editions, seconds: u64) -> Editions {
    let table = compile(&world.snapshot(), None, &LastGood::new());
    Editions::of(&table, &who(), before, &HashMap::new(), seconds)
}

pub(super) fn edition(world: &World, seconds: u64) -> Arc<Edition> {
    let all = editions(world, &Editions::default(), seconds);
    Arc::clone(all.get(&"example".parse::<DnsName>().unwrap()).unwrap())
}

/// A desk over the zone, drained in between, with its metrics.
pub(in crate::dns) fn desk(names: u16) -> (Desk, Arc<Transfers>) {
    let mut world = world(names);
    let first = editions(&world, &Editions::default(), 1000);
    world.order(Action::Drain, "provider:aws");
    let second = editions(&world, &first, 1005);
    let live = Live::new(compile(&world.snapshot(), None, &LastGood::new()).with_editions(Arc::new(second)));
    let metrics: Arc<DnsMetrics> = Arc::default();
    let transfers = Arc::new(Transfers::new(Arc::clone(&metrics), &[]));
    transfers.allow(who());
    let desk = Desk::new(live.reader(), Arc::new(FACE), 1, Clock::start(), metrics.shard());
    (desk.with_transfers(Arc::clone(&transfers)), transfers)
}

fn client(address: &str, proto: Proto) -> Client {
    Client { address: (address.parse::<IpAddr>().unwrap(), 4242).into(), proto, keepalive: None }
}

/// A query for `example`, with a serial and a key.
pub(in crate::dns) fn query(kind: u16, serial: Option<u32>, name: Option<&str>) -> Vec<u8> {
    let mut out = vec![0, 9, 0, 0, 0, 1, 0, 0, 0, u8::from(serial.is_some()), 0, 0];
    out.extend_from_slice(b"\x07example\x00");
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&[0, 1]);
    if let Some(serial) = serial {
        out.extend_from_slice(b"\xc0\x0c\x00\x06\x00\x01\x00\x00\x00\x00\x00\x16\x00\x00");
        out.extend_from_slice(&serial.to_be_bytes());
        out.extend_from_slice(&[0; 16]);
    }
    if let Some(name) = name {
        Signing::query(Key::new(&key(name)).unwrap()).sign(&mut out, 0, Clock::wall().0 / 1000);
    }
    out
}

/// What comes of a query: all messages.
fn ask(desk: &mut Desk, packet: &[u8], client: &Client) -> Vec<Message> {
    let mut out = Vec::new();
    match desk.answer(packet, client, &mut out) {
        Handled::Dropped => Vec::new(),
        Handled::Replied => vec![Message::from_vec(&out).unwrap()],
        Handled::Transfers => {
            let mut transfer = desk.take_transfer().unwrap();
            while desk.go_on(&mut transfer, &mut out) {}
            split(&out)
        }
    }
}

/// The messages of a stream.
fn split(mut rest: &[u8]) -> Vec<Message> {
    let mut messages = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk::<2>() {
        let (message, behind) = behind.split_at(usize::from(u16::from_be_bytes(*length)));
        assert!(message.len() < PAGE_SIZE + 512, "{}", message.len());
        messages.push(Message::from_vec(message).unwrap());
        rest = behind;
    }
    messages
}

fn answers(messages: &[Message]) -> Vec<String> {
    messages
        .iter()
        .flat_map(|message| &message.answers)
        .map(|record| format!("{} {}", record.name, record.data))
        .collect()
}

#[test]
fn a_zone_goes_out_in_many_messages() {
    let (mut desk, _) = desk(1000);
    let packet = query(kind::AXFR, None, Some("xfr"));
    let messages = ask(&mut desk, &packet, &client("192.0.2.9", Proto::Tcp));
    assert!(3 < messages.len(), "{}", messages.len());
    assert_eq!(messages.iter().map(|message| message.queries.len()).collect::<Vec<_>>()[..3], [1, 0, 0]);
    assert!(messages.iter().all(|message| message.metadata.authoritative && message.metadata.id == 9));
    let all = answers(&messages);
    assert_eq!(all.len(), 2 + 1 + 1 + 1000 + 1);
    assert!(all[0].contains("1005") && all[0] == all[all.len() - 1], "{}", all[0]);
    assert!(all.contains(&"www.example. 192.0.2.2".to_owned()));
}

#[test]
fn what_is_lacking_goes_out_in_steps() {
    let (mut desk, _) = desk(50);
    let near = client("192.0.2.9", Proto::Tcp);
    let steps = answers(&ask(&mut desk, &query(kind::IXFR, Some(1000), Some("xfr")), &near));
    assert_eq!((steps.len(), steps[3].as_str()), (7, "www.example. 192.0.2.1"), "{steps:?}");
    assert!(steps[1].contains(" 1000 ") && steps[4].contains(" 1005 "), "{steps:?}");
    assert_ne!(steps[2], steps[5], "what content it is goes and comes");
    assert_eq!(answers(&ask(&mut desk, &query(kind::IXFR, Some(1005), Some("xfr")), &near)).len(), 1);
    assert_eq!(answers(&ask(&mut desk, &query(kind::IXFR, Some(7), Some("xfr")), &near)).len(), 55);
    let datagram = client("192.0.2.9", Proto::Udp);
    assert_eq!(answers(&ask(&mut desk, &query(kind::IXFR, Some(1000), Some("xfr")), &datagram)).len(), 1);
    for future in [1006, 1005 + (1 << 31) - 1, 1005 + (1 << 31)] {
        let said = answers(&ask(&mut desk, &query(kind::IXFR, Some(future), Some("xfr")), &near));
        assert!(said.len() == 1 && said[0].contains(" 1005 "), "{future}: {said:?}");
    }
    let none = ask(&mut desk, &query(kind::IXFR, None, Some("xfr")), &near);
    assert_eq!(none[0].metadata.response_code, ResponseCode::FormErr);
}

#[test]
fn strangers_get_nothing() {
    let (mut desk, _) = desk(5);
    for (key, from, proto) in [
        (None, "192.0.2.9", Proto::Tcp),
        (Some("other"), "192.0.2.9", Proto::Tcp),
        (Some("xfr"), "198.51.100.9", Proto::Tcp),
        (None, "192.0.2.9", Proto::Udp),
    ] {
        for (kind, serial) in [(kind::AXFR, None), (kind::IXFR, Some(1000))] {
            let said = ask(&mut desk, &query(kind, serial, key), &client(from, proto));
            assert_eq!(said[0].metadata.response_code, ResponseCode::Refused, "{key:?} {from} {kind}");
            assert_eq!(answers(&said).len(), 0);
        }
    }
    let said = ask(&mut desk, &query(kind::AXFR, None, Some("xfr")), &client("192.0.2.9", Proto::Udp));
    assert_eq!(said[0].metadata.response_code, ResponseCode::Refused, "no datagram holds a zone");
}

#[test]
fn there_are_so_many_transfers_and_no_more() {
    let (mut desk, transfers) = desk(5);
    let packet = query(kind::AXFR, None, Some("xfr"));
    let [one, two, three] = ["192.0.2.9", "192.0.2.8", "192.0.2.7"].map(|from| client(from, Proto::Tcp));
    let mut out = Vec::new();
    let mut begin = |desk: &mut Desk, near: &Client| {
        assert_eq!(desk.answer(&packet, near, &mut out), Handled::Transfers);
        desk.take_transfer().unwrap()
    };
    let mut running: Vec<Box<Outgoing>> = (0..RUNNING_OF_ONE_MAX).map(|_| begin(&mut desk, &one)).collect();
    let said = |desk: &mut Desk, near: &Client| ask(desk, &packet, near)[0].metadata.response_code;
    assert_eq!(said(&mut desk, &one), ResponseCode::ServFail, "one client has no more than its part");
    assert_eq!(said(&mut desk, &two), ResponseCode::NoError);
    running.extend((RUNNING_OF_ONE_MAX..RUNNING_MAX).map(|_| begin(&mut desk, &two)));
    assert_eq!(said(&mut desk, &three), ResponseCode::ServFail, "and all together no more than theirs");
    running.pop();
    assert_eq!(said(&mut desk, &three), ResponseCode::NoError);
    drop(running);
    assert_eq!(transfers.running.lock().unwrap().len(), 0, "nothing is kept of those who are gone");
}

#[test]
fn a_transfer_ends_with_the_edition_it_began_with() {
    let mut world = world(2000);
    let first = editions(&world, &Editions::default(), 1000);
    let table = |world: &World, editions: &Editions| {
        compile(&world.snapshot(), None, &LastGood::new()).with_editions(Arc::new(editions.clone()))
    };
    let live = Live::new(table(&world, &first));
    let metrics: Arc<DnsMetrics> = Arc::default();
    let transfers = Arc::new(Transfers::new(Arc::clone(&metrics), &[]));
    transfers.allow(who());
    let desk = Desk::new(live.reader(), Arc::new(FACE), 1, Clock::start(), metrics.shard());
    let mut desk = desk.with_transfers(Arc::clone(&transfers));
    let near = client("192.0.2.9", Proto::Tcp);
    let mut out = Vec::new();
    assert_eq!(desk.answer(&query(kind::AXFR, None, Some("xfr")), &near, &mut out), Handled::Transfers);
    let mut transfer = desk.take_transfer().unwrap();
    assert!(desk.go_on(&mut transfer, &mut out));
    // Meanwhile the answers change, and then nobody may have the zone any more.
    world.order(Action::Drain, "provider:aws");
    live.swap(table(&world, &editions(&world, &first, 1005)));
    transfers.allow(Replication::default());
    while desk.go_on(&mut transfer, &mut out) {}
    let all = answers(&split(&out));
    assert!(all[0].contains(" 1000 ") && all.first() == all.last(), "{} {}", all[0], all[all.len() - 1]);
    assert!(all.contains(&"www.example. 192.0.2.1".to_owned()));
    let again = ask(&mut desk, &query(kind::AXFR, None, Some("xfr")), &near);
    assert_eq!(again[0].metadata.response_code, ResponseCode::NotAuth, "the next one is another matter");
}

#[test]
fn every_soa_has_the_serial_of_the_transfer() {
    let (mut desk, _) = desk(5);
    let near = client("192.0.2.9", Proto::Udp);
    for name in [&b"\x07example\x00\x00\x06\x00\x01"[..], b"\x04none\x07example\x00\x00\x01\x00\x01"] {
        let mut packet = vec![0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        packet.extend_from_slice(name);
        let slow = ask(&mut desk, &packet, &near);
        let soa = slow[0].answers.first().or_else(|| slow[0].authorities.first()).unwrap();
        assert!(soa.data.to_string().contains(" 1005 "), "{soa}");
        let mut slot = vec![0; 1500];
        slot[..packet.len()].copy_from_slice(&packet);
        let crate::dns::Fast::Replied(length) = desk.fast(&mut slot, packet.len(), near.address, Mono(0)) else {
            panic!("the fast door answers it");
        };
        let fast = Message::from_vec(&slot[..length]).unwrap();
        assert_eq!((&fast.answers, &fast.authorities), (&slow[0].answers, &slow[0].authorities));
    }
}

#[test]
fn signed_queries_are_answered_signed_and_never_by_the_fast_door() {
    let (mut desk, _) = desk(5);
    let packet = query(kind::SOA, None, Some("other"));
    let mut slot = vec![0; 1500];
    slot[..packet.len()].copy_from_slice(&packet);
    let near = client("203.0.113.1", Proto::Udp);
    assert_eq!(desk.fast(&mut slot, packet.len(), near.address, Mono(0)), crate::dns::Fast::General);
    let mut out = Vec::new();
    assert_eq!(desk.answer(&packet, &near, &mut out), Handled::Replied);
    let end = out.len() - Signing::query(Key::new(&key("other")).unwrap()).length();
    assert_eq!((out[11], &out[end..end + 9]), (1, &b"\x05other\x00\x00\xfa"[..]));
    let unknown = {
        let mut out = query(kind::SOA, None, None);
        Signing::query(Key::new(&key("nobody")).unwrap()).sign(&mut out, 0, Clock::wall().0 / 1000);
        out
    };
    out.clear();
    assert_eq!(desk.answer(&unknown, &near, &mut out), Handled::Replied);
    assert_eq!((out[3] & 15, out[11]), (9, 1), "NOTAUTH, with the reason in a TSIG");
}
