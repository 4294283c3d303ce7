//! What steered names answer beside plain addresses: targets, HTTPS, reasons, and what a client's network does.

use std::sync::Arc;

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{RData, RecordType, rdata::opt::EdnsOption},
};
use wayshift::{
    clock::Clock,
    dns::{Answerer, Chaos, Client, Desk, Ecs, Face, Handled},
    telemetry::dns::{DnsMetrics, Proto},
};

use crate::{
    dns_answers::{NEGATIVE, check},
    dns_world::{ask, client, decoded, desk, face, live, query, with_edns},
};

use RecordType::{A, AAAA, ANY, CNAME, HTTPS, MX, NS, TXT};
use ResponseCode::{FormErr, NXDomain, NoError, Refused, ServFail};

#[test]
fn a_target_is_an_alias_where_one_may_stand() {
    for name in ["cdn", "x.cdns", "x.y.cdns"] {
        let answer = format!("{name} 30 CNAME www.cdn.example.net.");
        for kind in [A, AAAA, CNAME, MX, TXT, HTTPS, ANY] {
            check(name, kind, NoError, true, &[&answer], &[], &[]);
        }
    }
    // The wildcard's parent and a name below an alias that is followed elsewhere are what they were.
    check("cdns", A, NoError, true, &[], &[NEGATIVE], &[]);
    // What another name decides is for the resolver to ask.
    check("tocdn", A, NoError, true, &["tocdn 300 CNAME cdn"], &[], &[]);
    check("tocdn", MX, NoError, true, &["tocdn 300 CNAME cdn"], &[], &[]);
}

#[test]
fn beside_other_records_a_target_is_its_addresses() {
    let v4 = ["example.test. 20 A 192.0.2.201", "example.test. 20 A 192.0.2.202"];
    check("", A, NoError, true, &v4, &[], &[]);
    check("", AAAA, NoError, true, &["example.test. 20 AAAA 2001:db8::201"], &[], &[]);
    check("", MX, NoError, true, &["example.test. 300 MX 10 mail"], &[], &[]);
    check("", NS, NoError, true, &["example.test. 3600 NS ns1", "example.test. 3600 NS ns2"], &[], &[]);
    check("", TXT, NoError, true, &[], &[NEGATIVE], &[]);
    check("", CNAME, NoError, true, &[], &[NEGATIVE], &[]);
    // Not resolved yet.
    check("new", A, ServFail, false, &[], &[], &[]);
    check("new", MX, NoError, true, &[], &[NEGATIVE], &[]);
    // A CNAME would take the other family's addresses away.
    check("half", A, NoError, true, &["half 30 A 203.0.113.2"], &[], &[]);
    check("half", AAAA, NoError, true, &["half 20 AAAA 2001:db8::201"], &[], &[]);
    check("half", CNAME, NoError, true, &[], &[NEGATIVE], &[]);
}

fn https(answerer: &mut impl Answerer, name: &str) -> Vec<String> {
    let reply = ask(answerer, &query(name, HTTPS), Proto::Udp);
    let shown = |data: &RData| {
        data.to_string().split([' ', '\n']).map(|word| word.trim_end_matches(',')).collect::<Vec<_>>().join(" ")
    };
    reply.answers.iter().map(|record| format!("{} {}", record.ttl, shown(&record.data))).collect()
}

#[test]
fn https_records_hold_what_the_addresses_would_be() {
    let mut desk = desk(Chaos::Hide);
    let mut turns = [https(&mut desk, "shop"), https(&mut desk, "shop"), https(&mut desk, "shop")];
    assert_eq!(turns[0], turns[2]);
    turns.sort();
    // By turns: the second endpoint has no IPv6 address, so the first one's stands beside both.
    assert_eq!(turns[0], ["30 1 . alpn=h2,h3 ipv4hint=203.0.113.1 ipv6hint=2001:db8:1::1"]);
    assert_eq!(turns[2], ["30 1 . alpn=h2,h3 ipv4hint=203.0.113.2 ipv6hint=2001:db8:1::1"]);
    assert_eq!(https(&mut desk, ""), ["20 1 . alpn=h2 ipv4hint=192.0.2.201,192.0.2.202 ipv6hint=2001:db8::201"]);
    assert_eq!(https(&mut desk, "new"), ["30 1 . alpn=h2"]);
    check("app", HTTPS, NoError, true, &[], &[NEGATIVE], &[]);
    check("off", HTTPS, NoError, true, &[], &[NEGATIVE], &[]);
    check("off", A, NoError, true, &[], &[NEGATIVE], &[]);
    // The turns of A go on as if nobody had asked for HTTPS.
    let addresses: Vec<_> =
        (0..4).map(|_| (ask(&mut desk, &query("shop", A), Proto::Udp).answers, https(&mut desk, "shop")).0).collect();
    assert_ne!(addresses[0], addresses[1]);
    assert_eq!((&addresses[0], &addresses[1]), (&addresses[2], &addresses[3]));
}

/// A desk with this face.
fn faced(face: Face) -> Desk {
    Desk::new(live().reader(), Arc::new(face), 1, Clock::start(), DnsMetrics::default().shard())
}

/// Asked with these options in the OPT record.
fn optioned(desk: &mut Desk, name: &str, kind: RecordType, options: &[u8]) -> (Message, Vec<(u16, Vec<u8>)>) {
    let mut octets = query(name, kind).to_vec().unwrap();
    octets[11] = 1;
    octets.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, u8::try_from(options.len()).unwrap()]);
    octets.extend_from_slice(options);
    let mut reply = Vec::new();
    assert_eq!(desk.answer(&octets, &client(Proto::Udp), &mut reply), Handled::Replied);
    let reply = decoded(&reply);
    let options = reply.edns.as_ref().unwrap().options().as_ref().iter();
    let options = options
        .map(|(code, option)| {
            let octets = if let EdnsOption::Unknown(_, octets) = option {
                octets.clone()
            } else {
                Vec::try_from(option).unwrap()
            };
            (u16::from(*code), octets)
        })
        .collect();
    (reply, options)
}

#[test]
fn networks_come_back_with_what_was_used_of_them() {
    let subnet = |data: &[u8]| [&[0, 8, 0, u8::try_from(data.len()).unwrap()], data].concat();
    let mut desk = faced(face(Chaos::Hide));
    for data in [&[0, 1, 24, 0, 198, 51, 100][..], &[0, 2, 32, 0, 0x20, 1, 0x0d, 0xb8], &[0, 1, 0, 0], &[0, 2, 0, 0]] {
        for name in ["www", "app", "nope", "cdn", "nothing.invalid."] {
            // Nothing here looks at clients.
            let (_, options) = optioned(&mut desk, name, A, &subnet(data));
            let echo = options.iter().find(|(code, _)| *code == 8).map(|(_, data)| data.as_slice());
            assert_eq!(echo, Some(data), "{name}");
        }
    }
    for wrong in [&[0, 1, 24, 0, 198, 51][..], &[0, 1, 23, 0, 198, 51, 101], &[0, 1, 24, 24, 198, 51, 100]] {
        let (reply, options) = optioned(&mut desk, "www", A, &subnet(wrong));
        assert_eq!((reply.metadata.response_code, options.len()), (FormErr, 0));
        assert_eq!(reply.queries.len(), 1);
        // Who does not use networks does not look into them.
        let mut deaf = faced(Face { ecs: Ecs::Ignore, ..face(Chaos::Hide) });
        let (reply, options) = optioned(&mut deaf, "www", A, &subnet(wrong));
        assert_eq!((reply.metadata.response_code, options.len()), (NoError, 0));
    }
    let twice = [subnet(&[0, 1, 0, 0]), subnet(&[0, 1, 0, 0])].concat();
    assert_eq!(optioned(&mut desk, "www", A, &twice).0.metadata.response_code, FormErr);
}

#[test]
fn answers_are_explained_to_who_speaks_edns() {
    for (name, kind, rcode, expected) in [
        ("www", A, NoError, None),
        ("nope", A, NXDomain, None),
        ("new", A, ServFail, Some(14)),
        ("", RecordType::AXFR, Refused, Some(18)),
        ("nothing.invalid.", A, Refused, Some(20)),
        ("dark", A, ServFail, None),
        ("good", A, NoError, Some(3)),
        ("good", AAAA, NoError, None),
    ] {
        let (reply, options) = optioned(&mut desk(Chaos::Hide), name, kind, &[]);
        assert_eq!(reply.metadata.response_code, rcode, "{name}");
        let expected: Vec<(u16, Vec<u8>)> = expected.map(|code| (15, vec![0, code])).into_iter().collect();
        assert_eq!(options, expected, "{name}");
        assert!(ask(&mut desk(Chaos::Hide), &query(name, kind), Proto::Udp).edns.is_none());
    }
}

#[test]
fn a_network_takes_its_room_and_reasons_take_what_is_left() {
    let mut octets = query("big", TXT).to_vec().unwrap();
    octets[11] = 1;
    let size_at = octets.len() + 3;
    octets.extend_from_slice(&[0, 0, 41, 0, 0, 0, 0, 0, 0, 0, 24, 0, 8, 0, 20, 0, 2, 128, 0]);
    octets.extend_from_slice(&[0x20; 16]);
    let mut replies: Vec<Vec<u8>> = Vec::new();
    for size in 512..=1232_u16 {
        octets[size_at..size_at + 2].copy_from_slice(&size.to_be_bytes());
        let mut reply = Vec::new();
        desk(Chaos::Hide).answer(&octets, &client(Proto::Udp), &mut reply);
        assert!(reply.len() <= usize::from(size));
        // The option stands last, and came with all its bits.
        assert!(reply.ends_with(&[0x20; 16]));
        replies.push(reply);
    }
    let full = replies.last().unwrap().len();
    for (reply, size) in replies.iter().zip(512_usize..) {
        assert_eq!((reply.len() == full, reply[2] & 0x02 == 0), (full <= size, full <= size), "{size}");
    }
}

fn why(name: &str, kind: RecordType, from: &str) -> (ResponseCode, Vec<(u32, Vec<String>)>) {
    let message = with_edns(query(name, kind), 1232);
    let mut reply = Vec::new();
    let asks = Client { address: from.parse().unwrap(), ..client(Proto::Udp) };
    desk(Chaos::Hide).answer(&message.to_vec().unwrap(), &asks, &mut reply);
    let reply = decoded(&reply);
    let texts = reply.answers.iter().map(|record| {
        let RData::TXT(text) = &record.data else { panic!("{record}") };
        let strings = text.txt_data.iter().map(|one| String::from_utf8_lossy(one).into_owned());
        (record.ttl, strings.collect())
    });
    (reply.metadata.response_code, texts.collect())
}

#[test]
fn reasons_are_for_those_who_may_ask() {
    let (friend, stranger) = ("127.0.0.1:4242", "192.0.2.9:4242");
    for (name, expected) in [
        ("_why.app", ["app.example.test. exists", "service app failover ttl 30", "client 127.0.0.1/32 scope /0"]),
        (
            "_WHY.x.tenants",
            ["x.tenants.example.test. stands by a wildcard", "service tenants", "A healthy: 203.0.113.2"],
        ),
        (
            "_why.cdn",
            ["cdn.example.test. exists", "www.cdn.example.net. (cdn-0 of cdn)", "pool cdn open 1/1 up: cdn-0=up"],
        ),
        ("_why.dark", ["A servfail:", "pool dark closed 0/1 up: dark-0=down", "AAAA no-family:"]),
        ("_why.www", ["www.example.test. exists", "not steered", ""]),
        ("_why.nope", ["nope.example.test. does not exist", "not steered", ""]),
    ] {
        let (rcode, texts) = why(name, TXT, friend);
        let [(0, strings)] = texts.as_slice() else { panic!("{name}: {texts:?}") };
        let text = strings.join("\n");
        assert!(expected.iter().all(|part| text.contains(part)), "{name}:\n{text}");
        assert_eq!(rcode, NoError);
        // Another type of a name that has one is no error.
        assert_eq!(why(name, MX, friend), (NoError, vec![]));
        // To strangers the name does not exist, or is what the wildcard makes of it.
        assert_eq!(why(name, TXT, stranger).1, []);
    }
    assert_eq!(why("_why.app", TXT, stranger).0, NXDomain);
    // What is in the zone, or in another, stands before.
    assert_eq!(why("_why.own", TXT, friend), (NoError, vec![(300, vec!["of the zone".to_owned()])]));
    assert_eq!(why("_why.child", TXT, friend), (NoError, vec![]));
    assert_eq!(why("_why.nothing.invalid.", TXT, friend).0, Refused);
}
