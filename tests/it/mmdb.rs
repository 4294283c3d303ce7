//! Small databases in MaxMind's format, made in memory: for tests of the library and of the doors alike.
//!
//! The tree is one of IPv6 with IPv4 under `::/96`, as in the databases that are sold; records are written whole, without
//! pointers.

#![allow(dead_code, reason = "each of the two test builds that include this file uses its own part of it")]

use std::net::IpAddr;

use ipnet::IpNet;

/// A City database: network, geo code (`EU-DE`, `NA-US-CA`), latitude and longitude. Of rows inside each other the
/// longest prefix wins.
pub(crate) fn city(rows: &[(&str, &str, f64, f64)]) -> Vec<u8> {
    let rows = rows.iter().map(|(net, code, latitude, longitude)| {
        let at = [("latitude", Value::Double(*latitude)), ("longitude", Value::Double(*longitude))];
        let mut record = place(code);
        record.push(("location", Value::Map(at.into())));
        (net.parse().unwrap(), Value::Map(record))
    });
    database("GeoLite2-City", 6, &rows.collect::<Vec<_>>())
}

/// A Country database: codes without points.
pub(crate) fn country(rows: &[(&str, &str)]) -> Vec<u8> {
    let rows = rows.iter().map(|(net, code)| (net.parse().unwrap(), Value::Map(place(code))));
    database("GeoLite2-Country", 6, &rows.collect::<Vec<_>>())
}

/// An ASN database.
pub(crate) fn asn(rows: &[(&str, u32)]) -> Vec<u8> {
    let rows = rows.iter().map(|(net, number)| {
        let record = vec![
            ("autonomous_system_number", Value::U32(*number)),
            ("autonomous_system_organization", Value::Text(format!("AS {number}"))),
        ];
        (net.parse().unwrap(), Value::Map(record))
    });
    database("GeoLite2-ASN", 6, &rows.collect::<Vec<_>>())
}

fn place(code: &str) -> Vec<(&'static str, Value)> {
    let text = |word: &str| Value::Text(word.into());
    let mut words = code.split('-');
    let name = ("names", Value::Map(vec![("en", text("Somewhere with a long name, longer than 29 octets"))]));
    let mut record = vec![("continent", Value::Map(vec![("code", text(words.next().unwrap())), name.clone()]))];
    if let Some(country) = words.next() {
        record.push(("country", Value::Map(vec![name.clone(), ("iso_code", text(country))])));
    }
    if let Some(part) = words.next() {
        let (first, second) = (vec![("iso_code", text(part)), name], vec![("iso_code", text("XX"))]);
        record.push(("subdivisions", Value::List(vec![Value::Map(first), Value::Map(second)])));
    }
    record
}

/// What a record is made of.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Text(String),
    Double(f64),
    U16(u16),
    U32(u32),
    U64(u64),
    Map(Vec<(&'static str, Self)>),
    List(Vec<Self>),
}

impl Value {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => {
                head(out, 2, text.len());
                out.extend(text.bytes());
            }
            Self::Double(number) => {
                head(out, 3, 8);
                out.extend(number.to_be_bytes());
            }
            Self::U16(number) => {
                head(out, 5, 2);
                out.extend(number.to_be_bytes());
            }
            Self::U32(number) => {
                head(out, 6, 4);
                out.extend(number.to_be_bytes());
            }
            Self::U64(number) => {
                head(out, 9, 8);
                out.extend(number.to_be_bytes());
            }
            Self::Map(fields) => {
                head(out, 7, fields.len());
                for (key, value) in fields {
                    Self::Text((*key).into()).write(out);
                    value.write(out);
                }
            }
            Self::List(values) => {
                head(out, 11, values.len());
                values.iter().for_each(|value| value.write(out));
            }
        }
    }
}

/// The octets before a value: its type, in an octet of its own from 8 on, and its size, up to 284.
fn head(out: &mut Vec<u8>, kind: u8, size: usize) {
    let (first, more) = match u8::try_from(size) {
        Ok(size) if size < 29 => (size, None),
        Ok(_) | Err(_) => (29, Some(u8::try_from(size - 29).unwrap())),
    };
    if kind <= 7 {
        out.push(kind << 5 | first);
    } else {
        out.extend([first, kind - 7]);
    }
    out.extend(more);
}

#[derive(Clone, Copy)]
enum Child {
    Nothing,
    Node(usize),
    Record(usize),
}

/// A database of a type over rows; a tree of IPv4 (`version` 4) holds no networks of IPv6.
pub(crate) fn database(kind: &str, version: u16, rows: &[(IpNet, Value)]) -> Vec<u8> {
    let mut data = Vec::new();
    let mut nodes = vec![[Child::Nothing; 2]];
    let mut rows: Vec<&(IpNet, Value)> = rows.iter().collect();
    rows.sort_by_key(|(net, _)| net.prefix_len());
    for (net, record) in rows {
        let offset = data.len();
        record.write(&mut data);
        let (bits, length) = match (net.network(), version) {
            (IpAddr::V4(v4), 4) => (u128::from(v4.to_bits()) << 96, net.prefix_len()),
            (IpAddr::V4(v4), _) => (u128::from(v4.to_bits()), net.prefix_len() + 96),
            (IpAddr::V6(v6), _) => (v6.to_bits(), net.prefix_len()),
        };
        insert(&mut nodes, bits, length, offset);
    }
    let count = nodes.len();
    let mut out = Vec::new();
    for child in nodes.iter().flatten() {
        let record = match child {
            Child::Nothing => count,
            Child::Node(at) => *at,
            Child::Record(offset) => count + 16 + offset,
        };
        out.extend(u32::try_from(record).unwrap().to_be_bytes());
    }
    out.extend([0; 16]);
    out.extend(data);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    let text = |word: &str| Value::Text(word.into());
    let metadata = vec![
        ("binary_format_major_version", Value::U16(2)),
        ("binary_format_minor_version", Value::U16(0)),
        ("build_epoch", Value::U64(1_700_000_000)),
        ("database_type", text(kind)),
        ("description", Value::Map(vec![("en", text("made by a test"))])),
        ("ip_version", Value::U16(version)),
        ("languages", Value::List(vec![text("en")])),
        ("node_count", Value::U32(u32::try_from(count).unwrap())),
        ("record_size", Value::U16(32)),
    ];
    Value::Map(metadata).write(&mut out);
    out
}

fn insert(nodes: &mut Vec<[Child; 2]>, bits: u128, length: u8, offset: usize) {
    assert!(0 < length, "a database of one network that is everything has no tree");
    let mut at = 0;
    for depth in 0..length {
        let side = usize::from(bits >> (127 - depth) & 1 == 1);
        if depth + 1 == length {
            nodes[at][side] = Child::Record(offset);
            return;
        }
        at = match nodes[at][side] {
            Child::Node(next) => next,
            above @ (Child::Nothing | Child::Record(_)) => {
                nodes.push([above; 2]);
                nodes[at][side] = Child::Node(nodes.len() - 1);
                nodes.len() - 1
            }
        };
    }
}
