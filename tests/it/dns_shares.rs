//! Shares of weighted answers, drawn the fast way by several threads at once: each has chance and turns of its own, and
//! together they keep to the weights.

use std::{net::SocketAddr, sync::Arc, thread};

use wayshift::{
    clock::Clock,
    config,
    dns::{Chaos, Desk, Fast},
    model::{Digest, DnsName, Family, Health, LastGood, Mono, Now, Snapshot},
    steer::{Live, compile},
    telemetry::dns::DnsMetrics,
};

use crate::dns_world::{face, verdict};

const THREADS: u64 = 4;
/// Answers of one thread.
const ANSWERS: usize = 25_000;
const WEIGHTS: [u16; 6] = [1, 2, 3, 10, 30, 54];

const CONFIG: &str = r#"
[node]
name = "shares"
[check.web]
url = "http://www.example.test/"
[zone."example.test"]
ns = { ns1 = "192.0.2.53" }
[provider.p]
[endpoint]
e0 = { provider = "p", address = "10.0.0.0" }
e1 = { provider = "p", address = "10.0.0.1" }
e2 = { provider = "p", address = "10.0.0.2" }
e3 = { provider = "p", address = "10.0.0.3" }
e4 = { provider = "p", address = "10.0.0.4" }
e5 = { provider = "p", address = "10.0.0.5" }
[pool]
all = { endpoints = { e0 = 1, e1 = 2, e2 = 3, e3 = 10, e4 = 30, e5 = 54 } }
p0 = { endpoints = ["e0"] }
p1 = { endpoints = ["e1"] }
p2 = { endpoints = ["e2"] }
p3 = { endpoints = ["e3"] }
p4 = { endpoints = ["e4"] }
p5 = { endpoints = ["e5"] }
[service.inside]
names = ["inside.example.test"]
pools = ["all"]
check = "web"
[service.among]
names = ["among.example.test"]
pools = { p0 = 1, p1 = 2, p2 = 3, p3 = 10, p4 = 30, p5 = 54 }
check = "web"
"#;

#[test]
fn many_threads_together_keep_to_the_weights() {
    let fleet = config::load_text("shares.toml", CONFIG, &|_| None).unwrap_or_else(|what| panic!("{what}")).fleet;
    let verdicts = fleet.subjects.iter().flat_map(|subject| {
        let endpoint = fleet.endpoint(subject.endpoint);
        Family::ALL.map(|family| endpoint.is_judged(family).then(|| verdict(Health::Up)))
    });
    let snapshot = Snapshot {
        node: "shares".parse().unwrap(),
        generation: 1,
        digest: Digest::default(),
        at: Now::default(),
        verdicts: verdicts.collect(),
        fleet: Arc::clone(&fleet),
        overrides: Arc::default(),
        planned: Arc::default(),
        ended: Arc::default(),
        here: Default::default(),
        feeds: Arc::default(),
    };
    let live = Live::new(compile(&Arc::new(snapshot), None, &LastGood::new()));
    let metrics = DnsMetrics::default();
    for name in ["inside.example.test", "among.example.test"] {
        let counts = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|seed| {
                    let face = Arc::new(face(Chaos::Hide));
                    let desk = Desk::new(live.reader(), face, seed, Clock::start(), metrics.shard());
                    scope.spawn(move || drawn(desk, name))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        // Each thread by itself, and all of them together.
        counts.iter().for_each(|counts| fits(name, counts));
        let all: Vec<u32> = (0..WEIGHTS.len()).map(|at| counts.iter().map(|counts| counts[at]).sum()).collect();
        fits(name, &all);
        assert!(counts.windows(2).all(|pair| pair[0] != pair[1]), "threads do not draw the same");
    }
}

/// How often each endpoint was answered.
fn drawn(mut desk: Desk, name: &str) -> Vec<u32> {
    let name: DnsName = name.parse().unwrap();
    let query = [b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", name.wire(), b"\x00\x01\x00\x01"].concat();
    let from: SocketAddr = "192.0.2.9:4242".parse().unwrap();
    let mut counts = vec![0; WEIGHTS.len()];
    let mut slot = [0; 2112];
    for _ in 0..ANSWERS {
        slot[..query.len()].copy_from_slice(&query);
        assert_eq!(desk.fast(&mut slot, query.len(), from, Mono(1)), Fast::Replied(query.len() + 16));
        counts[usize::from(slot[query.len() + 15])] += 1;
    }
    counts
}

/// Pearson's test with p above one in a million for five degrees of freedom: a failure is a fault and not bad luck.
fn fits(name: &str, counts: &[u32]) {
    const BOUND: f64 = 35.9;
    let all: f64 = counts.iter().map(|count| f64::from(*count)).sum();
    let sum: f64 = WEIGHTS.iter().map(|weight| f64::from(*weight)).sum();
    let squares = counts.iter().zip(WEIGHTS).map(|(count, weight)| {
        let expected = all * f64::from(weight) / sum;
        (f64::from(*count) - expected).powi(2) / expected
    });
    let squares: f64 = squares.sum();
    assert!(squares < BOUND, "{name}: {counts:?} has {squares}");
}
