//! What is asked: the sets of names that servers are given, and the loads that are put on them.
//!
//! All of it is made from numbers, so that the generator and the checks need no file of a server to know what to expect.

use std::net::Ipv4Addr;

use crate::chance::Chance;

/// The zone of all names.
pub const ZONE: &str = "bench.example";
/// Steered names of [`Set::Steered`].
pub const STEERED: usize = 1_000;
/// Weights of the endpoints of a steered name.
pub const WEIGHTS: [u32; 4] = [10, 20, 30, 40];
/// Addresses of a plain name.
pub const ADDRESSES: usize = 4;
/// Queries that are written before the load; they are asked round and round.
const WRITTEN: usize = 1 << 16;

/// What a server has been given.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Set {
    /// One name.
    One,
    /// 1,000 names.
    Thousand,
    /// 100,000 names.
    Hundred,
    /// 1,000 names, and [`STEERED`] beside them: one of four endpoints by weight, which are probed.
    Steered,
}

impl Set {
    /// Plain names in it.
    pub fn names(self) -> usize {
        match self {
            Self::One => 1,
            Self::Thousand | Self::Steered => 1_000,
            Self::Hundred => 100_000,
        }
    }

    /// As people read it.
    pub fn title(self) -> &'static str {
        match self {
            Self::One => "1 name",
            Self::Thousand => "1,000 names",
            Self::Hundred => "100,000 names",
            Self::Steered => "1,000 names and 1,000 steered ones",
        }
    }

    /// One of its names, the one that a server that reads in order has last.
    pub fn last(self) -> String {
        plain(self.names() - 1)
    }
}

/// The label of a plain name.
pub fn plain(name: usize) -> String {
    format!("w{name:06}")
}

/// The label of a steered name.
pub fn steered(name: usize) -> String {
    format!("g{name:06}")
}

/// An address of a plain name.
pub fn address(name: usize, nth: usize) -> Ipv4Addr {
    let bits = u32::try_from(name * ADDRESSES + nth).expect("names are few");
    Ipv4Addr::from_bits(0x0a00_0000 | bits)
}

/// The address of an endpoint of the steered names.
pub fn endpoint(nth: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 11, u8::try_from(nth + 1).expect("there are four"))
}

/// The records of a zone as a master file; what stands behind them is the server's own way to steer.
pub fn zone_file(set: Set, serial: u32) -> String {
    use std::fmt::Write as _;
    let mut text = format!(
        "$ORIGIN {ZONE}.\n$TTL 300\n@ 3600 IN SOA ns1 admin {serial} 3600 600 86400 60\n@ 3600 IN NS ns1\nns1 3600 IN A 192.0.2.53\n"
    );
    for name in 0..set.names() {
        for nth in 0..ADDRESSES {
            writeln!(text, "{} 300 IN A {}", plain(name), address(name, nth)).expect("a string takes all");
        }
    }
    text
}

/// The records of [`zone_file`] for a server that does not steer: all endpoints of each steered name, always.
pub fn unsteered(set: Set) -> String {
    use std::fmt::Write as _;
    let mut text = zone_file(set, 1);
    for name in 0..if set == Set::Steered { STEERED } else { 0 } {
        for nth in 0..WEIGHTS.len() {
            writeln!(text, "{} 30 IN A {}", steered(name), endpoint(nth)).expect("a string takes all");
        }
    }
    text
}

/// The question of a load.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ask {
    /// A of plain names.
    Plain,
    /// A of names that do not exist.
    Absent,
    /// A of steered names.
    Steered,
    /// Plain (half of them), steered and absent names, other types, half of all with EDNS and a quarter with ECS.
    Mixed,
}

/// What the additional section holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edns {
    /// Nothing.
    Without,
    /// OPT without options.
    Bare,
    /// OPT with the client's network (RFC 7871), a random /24.
    Subnet,
}

/// How it is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// Datagrams, so many in flight that the server never waits.
    Flood,
    /// Datagrams at a steady pace, queries a second.
    Paced(u64),
    /// Streams that stay open, each with so many queries in flight.
    Streams {
        /// How many.
        connections: usize,
        /// Queries in flight on each.
        flight: usize,
        /// The client acknowledges at once; else as it likes, which is up to 40 ms later.
        prompt: bool,
    },
    /// A connection for each query, so many at once.
    Connections(usize),
}

/// A load.
#[derive(Debug)]
pub struct Job {
    /// What it is called in `WORKS`.
    pub key: &'static str,
    /// As people read it.
    pub title: &'static str,
    /// What the server holds.
    pub set: Set,
    /// The question.
    pub ask: Ask,
    /// The additional section.
    pub edns: Edns,
    /// How it is asked.
    pub manner: Manner,
}

impl Job {
    /// Whether only servers that steer can answer it.
    pub fn needs_steering(&self) -> bool {
        self.ask == Ask::Steered
    }

    /// Whether datagrams carry it.
    pub fn is_udp(&self) -> bool {
        matches!(self.manner, Manner::Flood | Manner::Paced(_))
    }

    /// RCODE and number of answers of each reply, where all are alike.
    pub fn expected(&self) -> Option<(u8, u64)> {
        match self.ask {
            Ask::Plain => Some((0, 4)),
            Ask::Absent => Some((3, 0)),
            Ask::Steered => Some((0, 1)),
            Ask::Mixed => None,
        }
    }

    /// By its key.
    pub fn of_key(key: &str) -> Option<&'static Self> {
        JOBS.iter().chain(BESIDE).find(|job| job.key == key)
    }
}

const fn udp(key: &'static str, title: &'static str, set: Set, ask: Ask, edns: Edns) -> Job {
    Job { key, title, set, ask, edns, manner: Manner::Flood }
}

const fn tcp(key: &'static str, title: &'static str, manner: Manner) -> Job {
    Job { key, title, set: Set::Thousand, ask: Ask::Plain, edns: Edns::Without, manner }
}

/// All loads, in the order of the report.
pub const JOBS: &[Job] = &[
    udp("1", "UDP, 1 name", Set::One, Ask::Plain, Edns::Without),
    udp("1k", "UDP, 1,000 names", Set::Thousand, Ask::Plain, Edns::Without),
    udp("1k-edns", "UDP, 1,000 names, EDNS", Set::Thousand, Ask::Plain, Edns::Bare),
    udp("1k-ecs", "UDP, 1,000 names, EDNS with ECS", Set::Thousand, Ask::Plain, Edns::Subnet),
    udp("1k-nx", "UDP, NXDOMAIN beside 1,000 names", Set::Thousand, Ask::Absent, Edns::Without),
    udp("100k", "UDP, 100,000 names", Set::Hundred, Ask::Plain, Edns::Without),
    udp("100k-ecs", "UDP, 100,000 names, EDNS with ECS", Set::Hundred, Ask::Plain, Edns::Subnet),
    udp("100k-nx", "UDP, NXDOMAIN beside 100,000 names", Set::Hundred, Ask::Absent, Edns::Without),
    udp("steered", "UDP, weighted and probed, EDNS", Set::Steered, Ask::Steered, Edns::Bare),
    udp("steered-ecs", "UDP, weighted and probed, EDNS with ECS", Set::Steered, Ask::Steered, Edns::Subnet),
    udp("mixed", "UDP, random mixed", Set::Steered, Ask::Mixed, Edns::Without),
    Job {
        key: "paced",
        title: "UDP, 1,000 names, EDNS, 20,000 queries a second",
        set: Set::Thousand,
        ask: Ask::Plain,
        edns: Edns::Bare,
        manner: Manner::Paced(20_000),
    },
    tcp("tcp", "TCP, 1 connection, 64 in flight", Manner::Streams { connections: 1, flight: 64, prompt: true }),
    tcp("tcp-100", "TCP, 100 connections, 4 in flight", Manner::Streams { connections: 100, flight: 4, prompt: true }),
    tcp(
        "tcp-delayed",
        "TCP, 100 connections, 4 in flight, delayed ACKs",
        Manner::Streams { connections: 100, flight: 4, prompt: false },
    ),
    tcp("tcp-each", "TCP, a connection for each query, 32 at once", Manner::Connections(32)),
];

/// Loads beside which something else is measured.
const BESIDE: &[Job] = &[
    Job {
        key: "reload",
        title: "UDP, 100,000 names, EDNS, 10,000 queries a second",
        set: Set::Hundred,
        ask: Ask::Plain,
        edns: Edns::Bare,
        manner: Manner::Paced(10_000),
    },
    Job {
        key: "fleet",
        title: "UDP, 100,000 steered names, EDNS, 20,000 queries a second",
        set: Set::Hundred,
        ask: Ask::Plain,
        edns: Edns::Bare,
        manner: Manner::Paced(20_000),
    },
];

/// Queries that are ready to be sent, asked in turn.
pub struct Queries {
    octets: Vec<u8>,
    /// Where each ends.
    ends: Vec<u32>,
    at: usize,
}

impl Queries {
    /// Writes those of a load.
    pub fn of(job: &Job) -> Self {
        let mut chance = Chance::of(0x5eed);
        let mut queries = Self { octets: Vec::new(), ends: Vec::new(), at: 0 };
        let names = job.set.names();
        let mut order = |count: usize| {
            let mut order: Vec<usize> = (0..count).collect();
            chance.shuffle(&mut order);
            order
        };
        let (there, beside, absent) = (order(names), order(STEERED), order(WRITTEN));
        for n in 0..WRITTEN.max(names) {
            let plain_name = || plain(there[n % there.len()]);
            let steered_name = || steered(beside[n % beside.len()]);
            let absent_name = || format!("x{:06}", absent[n % absent.len()]);
            let (label, kind, edns) = match job.ask {
                Ask::Plain => (plain_name(), 1, job.edns),
                Ask::Absent => (absent_name(), 1, job.edns),
                Ask::Steered => (steered_name(), 1, job.edns),
                Ask::Mixed => {
                    let (label, kind) = match chance.below(20) {
                        0..10 => (plain_name(), 1),
                        10..15 => (steered_name(), 1),
                        15..17 => (absent_name(), 1),
                        17..19 => (plain_name(), 28),
                        _ => (plain_name(), 16),
                    };
                    let edns = match chance.below(4) {
                        0 => Edns::Subnet,
                        1 => Edns::Bare,
                        _ => Edns::Without,
                    };
                    (label, kind, edns)
                }
            };
            let network = [1 + (chance.below(222) as u8), chance.below(256) as u8, chance.below(256) as u8];
            queries.add(&label, kind, edns, network);
        }
        queries
    }

    fn add(&mut self, label: &str, kind: u16, edns: Edns, network: [u8; 3]) {
        let opt = edns != Edns::Without;
        self.octets.extend([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, u8::from(opt)]);
        for label in std::iter::once(label).chain(ZONE.split('.')) {
            self.octets.push(u8::try_from(label.len()).expect("labels are short"));
            self.octets.extend(label.as_bytes());
        }
        self.octets.push(0);
        self.octets.extend(kind.to_be_bytes());
        self.octets.extend([0, 1]);
        if opt {
            self.octets.extend([0, 0, 41, 4, 208, 0, 0, 0, 0]);
            match edns {
                Edns::Subnet => {
                    self.octets.extend([0, 11, 0, 8, 0, 7, 0, 1, 24, 0]);
                    self.octets.extend(network);
                }
                Edns::Bare | Edns::Without => self.octets.extend([0, 0]),
            }
        }
        self.ends.push(u32::try_from(self.octets.len()).expect("queries are small"));
    }

    /// The next one; its id is for the caller to write.
    pub fn next(&mut self) -> &[u8] {
        let start = if self.at == 0 { 0 } else { self.ends[self.at - 1] as usize };
        let end = self.ends[self.at] as usize;
        self.at = if self.at + 1 == self.ends.len() { 0 } else { self.at + 1 };
        &self.octets[start..end]
    }
}

/// One query, for the checks.
pub fn query(label: &str) -> Vec<u8> {
    let mut queries = Queries { octets: Vec::new(), ends: Vec::new(), at: 0 };
    queries.add(label, 1, Edns::Without, [0; 3]);
    queries.octets
}
