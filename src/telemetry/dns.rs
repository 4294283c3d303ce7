//! Metrics of the DNS doors.
//!
//! Each door thread counts into a shard of its own, so that no cache line is shared for a query; the shards are summed
//! when somebody scrapes. Labels are closed sets: an unknown type counts as `other`, and no name or client ever shows.

mod shares;
mod transfers;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, NoLabelSet},
    metrics::MetricType,
    registry::Registry,
};

pub use self::{
    shares::Share,
    transfers::{NotifyOutcome, TransferKind, TransferOutcome},
};
use self::{shares::Shares, transfers::Transfers};

/// The label that stands for every number without a word.
const OTHER: &str = "other";
/// Types with a word of their own (IANA: DNS Resource Record Types).
const TYPES: [(u16, &str); 14] = [
    (1, "A"),
    (28, "AAAA"),
    (255, "ANY"),
    (257, "CAA"),
    (5, "CNAME"),
    (48, "DNSKEY"),
    (43, "DS"),
    (65, "HTTPS"),
    (15, "MX"),
    (2, "NS"),
    (12, "PTR"),
    (6, "SOA"),
    (33, "SRV"),
    (16, "TXT"),
];
/// Response codes we send (IANA: DNS RCODEs).
const RCODES: [(u16, &str); 9] = [
    (0, "NOERROR"),
    (1, "FORMERR"),
    (2, "SERVFAIL"),
    (3, "NXDOMAIN"),
    (4, "NOTIMP"),
    (5, "REFUSED"),
    (6, "YXDOMAIN"),
    (9, "NOTAUTH"),
    (16, "BADVERS"),
];
/// Whether a client's network decided anything.
const USED: [&str; 2] = ["no", "yes"];
const FAMILIES: [&str; 2] = ["ipv4", "ipv6"];
/// What came of comparing an answer of the fast door with the general path's.
const COMPARED: [&str; 2] = ["same", "different"];

/// How a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proto {
    /// In a datagram.
    Udp,
    /// On a stream in the clear.
    Tcp,
}

/// Why a packet got no reply, or its reply did not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// Shorter than a header.
    Short,
    /// It was a response.
    Response,
    /// Longer than any query we take.
    Oversize,
    /// From port 0, or from or to many at once.
    Source,
    /// The socket took no more.
    Send,
    /// The door met a fault of its own.
    Fault,
    /// It came faster than it could be received: the system's queue was full.
    Queue,
}

impl Proto {
    const WORDS: [&str; 2] = ["udp", "tcp"];
}

impl DropReason {
    const WORDS: [&str; 7] = ["short", "response", "oversize", "source", "send", "fault", "queue"];
}

/// Counted by the DNS doors.
#[derive(Debug, Default)]
pub struct DnsMetrics {
    shards: Mutex<Shards>,
    connections: AtomicI64,
    evictions: AtomicU64,
    fast_door_closed: AtomicBool,
    transfers: Transfers,
}

/// The shards in use, and the sum of those whose door has gone.
#[derive(Debug, Default)]
struct Shards {
    live: Vec<Arc<DnsShard>>,
    gone: DnsShard,
}

/// What one door thread counts. One thread at a time adds to it, so that adding needs no lock on the bus.
#[derive(Debug, Default)]
pub struct DnsShard {
    requests: [[[AtomicU64; TYPES.len() + 1]; FAMILIES.len()]; Proto::WORDS.len()],
    responses: [[AtomicU64; RCODES.len() + 1]; Proto::WORDS.len()],
    truncated: AtomicU64,
    subnets: [AtomicU64; USED.len()],
    dropped: [AtomicU64; DropReason::WORDS.len()],
    compared: [AtomicU64; COMPARED.len()],
    answers: Shares,
}

impl DnsShard {
    /// A query came; type 0 where none could be read.
    #[inline(always)]
    pub fn asked(&self, proto: Proto, is_ipv6: bool, kind: u16) {
        add(&self.requests[proto as usize][usize::from(is_ipv6)][place_of_type(kind)], 1);
    }

    /// A reply was made.
    #[inline(always)]
    pub fn replied(&self, proto: Proto, rcode: u16, is_truncated: bool) {
        add(&self.responses[proto as usize][place(&RCODES, rcode)], 1);
        if is_truncated {
            add(&self.truncated, 1);
        }
    }

    /// A query told its client's network, which decided something or did not.
    #[inline(always)]
    pub fn told_subnet(&self, is_used: bool) {
        add(&self.subnets[usize::from(is_used)], 1);
    }

    /// A packet went without a reply.
    pub fn dropped(&self, reason: DropReason) {
        self.dropped_many(reason, 1);
    }

    /// So many packets went without a reply.
    pub fn dropped_many(&self, reason: DropReason, count: u64) {
        add(&self.dropped[reason as usize], count);
    }

    /// An answer of the fast door was compared with the general path's.
    pub fn compared(&self, is_same: bool) {
        add(&self.compared[usize::from(!is_same)], 1);
    }

    /// How many were the same, and how many were not.
    #[must_use]
    pub fn compares(&self) -> [u64; 2] {
        self.compared.each_ref().map(|cell| cell.load(Relaxed))
    }

    /// The count of a service's answers from a pool, to be kept: looking for it takes a lock.
    #[must_use]
    pub fn share(&self, service: &str, pool: &str) -> Share {
        self.answers.share(service, pool)
    }

    fn cells(&self) -> impl Iterator<Item = &AtomicU64> {
        let requests = self.requests.iter().flatten().flatten();
        requests
            .chain(self.responses.iter().flatten())
            .chain([&self.truncated])
            .chain(&self.subnets)
            .chain(&self.dropped)
            .chain(&self.compared)
    }

    fn take_in(&self, other: &Self) {
        for (sum, cell) in self.cells().zip(other.cells()) {
            add(sum, cell.load(Relaxed));
        }
        self.answers.take_in(&other.answers);
    }
}

/// Adds to a cell that nobody else adds to.
#[inline]
fn add(cell: &AtomicU64, count: u64) {
    cell.store(cell.load(Relaxed).wrapping_add(count), Relaxed);
}

/// Nearly all ask for addresses, whose places need no search.
#[inline(always)]
fn place_of_type(kind: u16) -> usize {
    match kind {
        1 => 0,
        28 => 1,
        _ => place_of_other(kind),
    }
}

#[inline(never)]
fn place_of_other(kind: u16) -> usize {
    place(&TYPES, kind)
}

const _: () = assert!(TYPES[0].0 == 1 && TYPES[1].0 == 28, "the places of addresses");

#[inline]
fn place(known: &[(u16, &str)], number: u16) -> usize {
    known.iter().position(|(known, _)| *known == number).unwrap_or(known.len())
}

fn words(known: &'static [(u16, &'static str)]) -> impl Iterator<Item = &'static str> {
    known.iter().map(|(_, word)| *word).chain([OTHER])
}

impl DnsMetrics {
    pub(super) fn register(registry: &mut Registry) -> Arc<Self> {
        let metrics = Arc::new(Self::default());
        registry.register_collector(Box::new(Arc::clone(&metrics)));
        metrics
    }

    /// A shard for one door thread. When the thread lets go of it, its counts stay.
    #[must_use]
    pub fn shard(&self) -> Arc<DnsShard> {
        let shard = Arc::new(DnsShard::default());
        self.shards.lock().unwrap_or_else(PoisonError::into_inner).live.push(Arc::clone(&shard));
        shard
    }

    /// The fast door was opened again, or closed.
    pub fn fast_door(&self, is_open: bool) {
        self.fast_door_closed.store(!is_open, Relaxed);
    }

    /// Whether the fast door answers.
    #[must_use]
    pub fn is_fast_door_open(&self) -> bool {
        !self.fast_door_closed.load(Relaxed)
    }

    /// A stream was opened.
    pub fn connected(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    /// A stream was closed; `evicted` if it had to make room for another.
    pub fn disconnected(&self, evicted: bool) {
        self.connections.fetch_sub(1, Relaxed);
        self.evictions.fetch_add(u64::from(evicted), Relaxed);
    }

    /// The sum of all shards. Shards that nobody else holds are folded away first.
    fn sum(&self) -> DnsShard {
        let mut shards = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        let Shards { live, gone } = &mut *shards;
        live.retain(|shard| {
            let used = Arc::strong_count(shard) > 1;
            if !used {
                gone.take_in(shard);
            }
            used
        });
        let sum = DnsShard::default();
        sum.take_in(gone);
        live.iter().for_each(|shard| sum.take_in(shard));
        sum
    }
}

impl Collector for DnsMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let sum = self.sum();
        let counter = MetricType::Counter;
        let mut family = encoder.encode_descriptor("dns_requests", "Questions read", None, counter)?;
        for (proto, by_family) in Proto::WORDS.iter().zip(&sum.requests) {
            for (name, by_type) in FAMILIES.iter().zip(by_family) {
                for (kind, cell) in words(&TYPES).zip(by_type) {
                    let labels = [("proto", *proto), ("family", *name), ("type", kind)];
                    family.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, u64>(&cell.load(Relaxed), None)?;
                }
            }
        }
        let mut family = encoder.encode_descriptor("dns_responses", "Replies made", None, counter)?;
        for (proto, by_rcode) in Proto::WORDS.iter().zip(&sum.responses) {
            for (rcode, cell) in words(&RCODES).zip(by_rcode) {
                let labels = [("proto", *proto), ("rcode", rcode)];
                family.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, u64>(&cell.load(Relaxed), None)?;
            }
        }
        encoder
            .encode_descriptor("dns_truncated", "Replies that did not fit and say so", None, counter)?
            .encode_counter::<NoLabelSet, u64, u64>(&sum.truncated.load(Relaxed), None)?;
        let help = "Questions that told their client's network, by whether it decided anything";
        let mut family = encoder.encode_descriptor("dns_ecs_requests", help, None, counter)?;
        for (used, cell) in USED.iter().zip(&sum.subnets) {
            family
                .encode_family(&[("used", *used)])?
                .encode_counter::<NoLabelSet, u64, u64>(&cell.load(Relaxed), None)?;
        }
        let mut family = encoder.encode_descriptor("dns_dropped", "Packets without a reply", None, counter)?;
        for (reason, cell) in DropReason::WORDS.iter().zip(&sum.dropped) {
            family
                .encode_family(&[("reason", *reason)])?
                .encode_counter::<NoLabelSet, u64, u64>(&cell.load(Relaxed), None)?;
        }
        let help = "Answers of the fast door that were compared with the general path's";
        let mut family = encoder.encode_descriptor("dns_shadow", help, None, counter)?;
        for (result, cell) in COMPARED.iter().zip(&sum.compared) {
            family
                .encode_family(&[("result", *result)])?
                .encode_counter::<NoLabelSet, u64, u64>(&cell.load(Relaxed), None)?;
        }
        encoder
            .encode_descriptor("dns_fast_door_open", "Whether the fast door answers", None, MetricType::Gauge)?
            .encode_gauge(&i64::from(self.is_fast_door_open()))?;
        let help = "Answers of a service, by the pool they came from";
        let mut family = encoder.encode_descriptor("answers", help, None, counter)?;
        for ((service, pool), count) in sum.answers.counts() {
            let labels = [("service", service), ("pool", pool)];
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, u64>(&count, None)?;
        }
        self.transfers.encode(&mut encoder)?;
        encoder
            .encode_descriptor("dns_tcp_connections", "Streams open now", None, MetricType::Gauge)?
            .encode_family(&[("proto", "tcp")])?
            .encode_gauge(&self.connections.load(Relaxed))?;
        encoder
            .encode_descriptor("dns_tcp_evictions", "Idle streams closed to make room", None, counter)?
            .encode_counter::<NoLabelSet, u64, u64>(&self.evictions.load(Relaxed), None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_outlive_their_door() {
        let mut registry = Registry::with_prefix("wayshift");
        let metrics = DnsMetrics::register(&mut registry);
        let scrape = || {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            text
        };
        let (one, two) = (metrics.shard(), metrics.shard());
        one.asked(Proto::Udp, false, 1);
        two.asked(Proto::Udp, false, 1);
        two.asked(Proto::Tcp, true, 65280);
        two.replied(Proto::Tcp, 5, false);
        one.replied(Proto::Udp, 0, true);
        one.dropped(DropReason::Response);
        one.dropped_many(DropReason::Queue, 40);
        two.compared(true);
        two.told_subnet(true);
        one.share("web", "aws").answered();
        two.share("web", "aws").answered();
        drop(two);
        metrics.connected();
        for _ in 0..2 {
            let text = scrape();
            for line in [
                r#"wayshift_dns_requests_total{proto="udp",family="ipv4",type="A"} 2"#,
                r#"wayshift_dns_requests_total{proto="tcp",family="ipv6",type="other"} 1"#,
                r#"wayshift_dns_responses_total{proto="tcp",rcode="REFUSED"} 1"#,
                "wayshift_dns_truncated_total 1",
                r#"wayshift_dns_ecs_requests_total{used="yes"} 1"#,
                r#"wayshift_answers_total{service="web",pool="aws"} 2"#,
                r#"wayshift_dns_dropped_total{reason="response"} 1"#,
                r#"wayshift_dns_dropped_total{reason="queue"} 40"#,
                r#"wayshift_dns_shadow_total{result="same"} 1"#,
                r#"wayshift_dns_shadow_total{result="different"} 0"#,
                "wayshift_dns_fast_door_open 1",
                r#"wayshift_dns_tcp_connections{proto="tcp"} 1"#,
            ] {
                assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
            }
        }
        assert_eq!(metrics.shards.lock().unwrap().live.len(), 1);
    }
}
