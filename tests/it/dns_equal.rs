//! The fast way and the general path answer the same: rich queries and broken ones, on one table, with the same chance.
//!
//! A long run takes more packets and other seeds: `WAYSHIFT_EQUAL_PACKETS=1000000 WAYSHIFT_EQUAL_SEED=101`.

use std::net::{IpAddr, SocketAddr};

use fastrand::Rng;
use wayshift::{
    dns::Fast,
    model::{DnsName, Mono},
    telemetry::dns::Proto,
};

use crate::dns_twin::{BEGIN, Tally, Twin};

/// Packets of one run, unless `WAYSHIFT_EQUAL_PACKETS` says otherwise.
const PACKETS: u64 = 50_000;
/// Packets between two changes of the table.
const TURN: u64 = 2_000;

#[test]
fn every_packet_is_answered_alike() {
    run(1, 0);
}

#[test]
fn broken_packets_are_answered_alike() {
    run(2, 3);
}

/// `broken` of four packets are changed at random.
fn run(salt: u64, broken: u8) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let packets = number("WAYSHIFT_EQUAL_PACKETS").unwrap_or(PACKETS);
    let seed = number("WAYSHIFT_EQUAL_SEED").unwrap_or(1) * 2 + salt;
    let mut twin = Twin::new(seed);
    let mut chance = Rng::with_seed(seed);
    let mut before = query(&twin, &mut chance);
    for nth in 0..packets {
        if nth % TURN == TURN - 1 {
            twin.counts().unwrap_or_else(|what| panic!("seed {seed}, packet {nth}: {what}"));
            twin.turn(nth / TURN);
        }
        let mut packet = query(&twin, &mut chance);
        if chance.u8(..4) < broken {
            change(&mut packet, &before, &mut chance);
        }
        let (from, now) = (client(&mut chance), Mono(BEGIN.0 + nth));
        let proto = if chance.u8(..8) == 0 { Proto::Tcp } else { Proto::Udp };
        if let Err(what) = twin.check(&packet, from, proto, now) {
            let hex = data_encoding::HEXLOWER.encode(&packet);
            panic!("seed {seed}, packet {nth} of {from} by {proto:?}: {what}\n{hex}");
        }
        before = packet;
    }
    twin.counts().unwrap_or_else(|what| panic!("seed {seed}: {what}"));
    let Tally { fast, dropped, general } = twin.tally;
    println!("seed {seed}: {fast} answered fast, {dropped} dropped, {general} left to the general path");
    assert!(packets / 10 < fast && packets / 50 < general, "both ways are tried: {:?}", twin.tally);
}

/// The fast way takes what resolvers ask all day.
#[test]
fn common_questions_are_answered_fast() {
    let mut twin = Twin::new(1);
    let from: SocketAddr = "192.0.2.9:4242".parse().unwrap();
    for name in [
        "www.example.test",
        "nothere.example.test",
        "s3.example.test",
        "any.s8.example.test",
        "x.wild.example.test",
        "elsewhere.org",
    ] {
        for kind in [1, 28, 15, 16] {
            let mut packet = question(name, kind, 1);
            assert!(matches!(twin.check(&packet, from, Proto::Udp, BEGIN), Ok(Fast::Replied(_))), "{name} {kind}");
            packet[11] = 1;
            packet.extend_from_slice(&[0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 11, 0, 8, 0, 7, 0, 1, 24, 0, 5, 6, 7]);
            assert!(matches!(twin.check(&packet, from, Proto::Udp, BEGIN), Ok(Fast::Replied(_))), "{name} {kind}");
        }
    }
    twin.counts().unwrap();
}

fn question(name: &str, kind: u16, class: u16) -> Vec<u8> {
    let name: DnsName = name.parse().unwrap();
    let mut packet = vec![0x47, 0x11, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    packet.extend_from_slice(name.wire());
    packet.extend_from_slice(&kind.to_be_bytes());
    packet.extend_from_slice(&class.to_be_bytes());
    packet
}

/// Some well-formed query, mostly.
fn query(twin: &Twin, chance: &mut Rng) -> Vec<u8> {
    const KINDS: [u16; 20] = [1, 1, 1, 1, 28, 28, 28, 65, 5, 2, 6, 15, 16, 43, 255, 12, 33, 252, 39, 65280];
    let name = chance.choice(&twin.names).unwrap();
    // Below the root a name is its labels alone.
    let below = |label: String| if name == "." { label } else { format!("{label}.{name}") };
    let name = match chance.u8(..16) {
        0 => below("_why".to_owned()),
        1 => below(format!("x{}", chance.u32(..))),
        2 => below("a".repeat(chance.usize(1..60))),
        _ => name.clone(),
    };
    let kind = if chance.u8(..32) == 0 { chance.u16(..) } else { *chance.choice(&KINDS).unwrap() };
    let class = *chance.choice(&[1, 1, 1, 1, 1, 1, 1, 3, 255]).unwrap();
    let mut packet = question(&name, kind, class);
    let id = chance.u16(..).to_be_bytes();
    packet[..2].copy_from_slice(&id);
    packet[2] = chance.u8(..) & 0x07;
    packet[3] = chance.u8(..) & 0xf0;
    if chance.bool() {
        let end = packet.len() - 4;
        packet[12..end].iter_mut().filter(|_| chance.bool()).for_each(|octet| octet.make_ascii_uppercase());
    }
    let extras = *chance.choice(&[0, 1, 1, 1, 1, 1, 1, 2]).unwrap();
    packet[11] = extras;
    for _ in 0..extras {
        extra(&mut packet, chance);
    }
    packet
}

/// An OPT, or seldom another record.
fn extra(packet: &mut Vec<u8>, chance: &mut Rng) {
    if chance.u8(..32) == 0 {
        packet.extend_from_slice(b"\x01x\x00\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\x01\x02\x03\x04");
        return;
    }
    let size = *chance.choice(&[0, 100, 512, 600, 1232, 1232, 4096, 65535]).unwrap();
    let version = u8::from(chance.u8(..40) == 0);
    packet.extend_from_slice(&[0, 0, 41]);
    packet.extend_from_slice(&u16::to_be_bytes(size));
    packet.extend_from_slice(&[0, version, if chance.bool() { 0x80 } else { 0 }, 0]);
    let mut options = Vec::new();
    for _ in 0..chance.u8(..4) {
        let mut data: Vec<u8> = Vec::new();
        let code = match chance.u8(..8) {
            0..4 => {
                subnet(&mut data, chance);
                8
            }
            4 => 3,
            5 => {
                data.extend((0..chance.u8(..3)).map(|_| 0));
                11
            }
            6 => {
                data.extend((0..8).map(|_| chance.u8(..)));
                10
            }
            _ => {
                data.extend((0..chance.u8(..40)).map(|_| chance.u8(..)));
                chance.u16(..)
            }
        };
        options.extend_from_slice(&u16::to_be_bytes(code));
        options.extend_from_slice(&u16::try_from(data.len()).unwrap().to_be_bytes());
        options.extend_from_slice(&data);
    }
    packet.extend_from_slice(&u16::try_from(options.len()).unwrap().to_be_bytes());
    packet.extend_from_slice(&options);
}

/// A client's network, mostly well-formed.
fn subnet(data: &mut Vec<u8>, chance: &mut Rng) {
    let (family, octets, most): (u16, Vec<u8>, u8) = match address(chance) {
        IpAddr::V4(address) => (1, address.octets().into(), 32),
        IpAddr::V6(address) => (2, address.octets().into(), 128),
    };
    let any = chance.u8(..130);
    let source = *chance.choice(&[0, 24, 24, 24, 32, 48, 56, 64, 128, any]).unwrap();
    let source = if chance.u8(..16) == 0 { source } else { source.min(most) };
    let mut octets: Vec<u8> = octets.into_iter().take(usize::from(source).div_ceil(8)).collect();
    if let (Some(last), 1..) = (octets.last_mut(), source % 8) {
        *last &= !(0xff >> (source % 8));
    }
    let scope = if chance.u8(..32) == 0 { 24 } else { 0 };
    data.extend_from_slice(&u16::to_be_bytes(if chance.u8(..32) == 0 { chance.u16(..4) } else { family }));
    data.extend_from_slice(&[source, scope]);
    data.extend_from_slice(&octets);
}

fn address(chance: &mut Rng) -> IpAddr {
    let [a, b, c, d] = chance.u32(..).to_be_bytes();
    match chance.u8(..12) {
        0..3 => IpAddr::from([5, 6, c % 16, d]),
        3 => IpAddr::from([10, b, c, d]),
        4 => IpAddr::from([8, 8, 8, d]),
        5 => IpAddr::from([127, 0, 0, 1]),
        6 => IpAddr::from([126, 7, 7, d]),
        7 => format!("2a00:1450:{b:x}::{d:x}").parse().unwrap(),
        8 => format!("2600:{a:x}:{b:x}:{c:x}::{d:x}").parse().unwrap(),
        9 => format!("2001:db8:7:{b:x}::{d:x}").parse().unwrap(),
        10 => format!("::ffff:5.6.7.{d}").parse().unwrap(),
        _ => IpAddr::from([a, b, c, d]),
    }
}

fn client(chance: &mut Rng) -> SocketAddr {
    SocketAddr::new(address(chance), chance.u16(1..))
}

/// Breaks a packet.
fn change(packet: &mut Vec<u8>, other: &[u8], chance: &mut Rng) {
    for _ in 0..chance.u8(1..4) {
        if packet.is_empty() {
            return;
        }
        let at = chance.usize(..packet.len());
        match chance.u8(..8) {
            0..3 => packet[at] ^= 1 << chance.u8(..8),
            3 => packet[at] = chance.u8(..),
            4 => packet.truncate(at),
            5 => packet.insert(at, chance.u8(..)),
            6 => {
                packet.remove(at);
            }
            _ => {
                let from = chance.usize(..=other.len());
                packet.truncate(at);
                packet.extend_from_slice(&other[from..]);
            }
        }
    }
}
