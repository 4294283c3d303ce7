//! The runner with real sockets on loopback. Where only the schedule matters time is paused: a refused connection
//! needs none.

use std::net::{SocketAddr, TcpListener as StdListener};

use tokio::sync::oneshot;

use super::*;
use crate::{
    model::{Check, CheckKind, Target, Tempo},
    probe::testing::{
        self, fleet, http_check, tcp_check,
        zoo::{Manner, Zoo, answer},
    },
    telemetry::Metrics,
};

struct Bench {
    fleet: watch::Sender<Arc<Fleet>>,
    tempi: watch::Sender<Arc<Tempi>>,
    asks: mpsc::Sender<ProbeNow>,
    seen: mpsc::Receiver<Observation>,
    registry: prometheus_client::registry::Registry,
    until: CancellationToken,
    task: JoinSet<()>,
}

impl Bench {
    fn start(first: Arc<Fleet>, in_flight_max: usize, room: usize) -> Self {
        let (fleet, fleets) = watch::channel(first);
        let (tempi, paces) = watch::channel(Arc::new(Tempi::new()));
        let (asks, wishes) = mpsc::channel(8);
        let (out, seen) = mpsc::channel(room);
        let (metrics, registry) = Metrics::new();
        let settings = Settings { in_flight_max, ..Settings::new("node-a".parse().unwrap()) };
        let runner = Runner::new(settings, fleets, paces, out, wishes, Clock::start(), metrics.probe);
        let until = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(runner.run(until.clone()));
        Self { fleet, tempi, asks, seen, registry, until, task }
    }

    async fn next(&mut self) -> Observation {
        self.seen.recv().await.unwrap()
    }

    async fn ask(&self, endpoint: &str) -> Vec<Observation> {
        let (reply, answered) = oneshot::channel();
        self.asks.send(ProbeNow { endpoint: endpoint.parse().unwrap(), reply }).await.unwrap();
        answered.await.unwrap()
    }

    fn scrape(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        text
    }

    async fn stop(mut self) {
        self.until.cancel();
        while let Some(ended) = self.task.join_next().await {
            ended.unwrap();
        }
    }
}

fn closed_port() -> SocketAddr {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn crowd(count: usize, at: SocketAddr, check: Check) -> Arc<Fleet> {
    let names: Vec<String> = (0..count).map(|n| format!("e{n}")).collect();
    let endpoints: Vec<(&str, SocketAddr)> = names.iter().map(|name| (name.as_str(), at)).collect();
    fleet(check, &endpoints)
}

fn hanging(at: SocketAddr, ids: &[&str], timeout: Duration) -> Arc<Fleet> {
    let http = CheckKind::Http(Box::new(http_check("http://app.test/", None)));
    let endpoints: Vec<(&str, SocketAddr)> = ids.iter().map(|id| (*id, at)).collect();
    fleet(Check { timeout, ..testing::check("web", http) }, &endpoints)
}

fn tempo(of: &str, tempo: Tempo) -> Arc<Tempi> {
    Arc::new(Tempi::from([(testing::target(of, "web"), tempo)]))
}

#[tokio::test(start_paused = true)]
async fn the_first_round_is_at_once_and_later_ones_keep_the_interval() {
    let begun = Instant::now();
    let mut bench = Bench::start(crowd(3, closed_port(), tcp_check("web", 80)), 512, 8);
    for _ in 0..3 {
        assert_eq!(bench.next().await.outcome, Outcome::Fail(Failure::Refused));
    }
    assert!(begun.elapsed() < Duration::from_millis(10), "{:?}", begun.elapsed());
    let mut times: HashMap<Target, Vec<Duration>> = HashMap::new();
    while begun.elapsed() < Duration::from_secs(100) {
        let target = bench.next().await.target;
        times.entry(target).or_default().push(begun.elapsed());
    }
    for (target, times) in times {
        assert!((9..=11).contains(&times.len()), "{target} {times:?}");
        let gaps: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps[1..].iter().all(|gap| (9_400..=10_600).contains(&gap.as_millis())), "{target} {gaps:?}");
    }
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_endpoints_are_spread_and_all_seen_within_three_seconds() {
    let begun = Instant::now();
    let mut bench = Bench::start(crowd(10_000, closed_port(), tcp_check("web", 80)), 512, 1_024);
    for _ in 0..1_000 {
        bench.next().await;
    }
    assert!(Duration::from_millis(150) < begun.elapsed(), "spread, not a burst: {:?}", begun.elapsed());
    for _ in 1_000..10_000 {
        bench.next().await;
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_tempo_sets_the_wait() {
    let mut bench = Bench::start(crowd(1, closed_port(), tcp_check("web", 80)), 512, 8);
    bench.next().await;
    for (pace, least, most) in [(Tempo::Undecided, 900, 1_100), (Tempo::Recheck, 2_900, 3_100)] {
        bench.tempi.send_replace(tempo("e0", pace));
        bench.next().await;
        for _ in 0..5 {
            let before = Instant::now();
            bench.next().await;
            assert!((least..=most).contains(&before.elapsed().as_millis()), "{pace:?} {:?}", before.elapsed());
        }
    }
    bench.tempi.send_replace(tempo("e0", Tempo::Rested));
    bench.next().await;
    bench.next().await;
    let before = Instant::now();
    bench.next().await;
    assert!((28_000..=32_000).contains(&before.elapsed().as_millis()), "{:?}", before.elapsed());
    bench.stop().await;
}

#[tokio::test]
async fn a_removed_endpoint_is_let_go_at_once_and_says_nothing_more() {
    let mut zoo = Zoo::http(Manner::Hang(vec![])).await;
    let long = Duration::from_secs(3_600);
    let mut bench = Bench::start(hanging(zoo.at, &["a", "b"], long), 512, 8);
    zoo.open.wait_for(|open| *open == 2).await.unwrap();
    bench.fleet.send_replace(hanging(zoo.at, &["b"], long));
    zoo.open.wait_for(|open| *open == 1).await.unwrap();
    bench.fleet.send_replace(Fleet::empty());
    zoo.is_alone().await;
    bench.until.cancel();
    assert_eq!(bench.seen.recv().await, None);
    bench.stop().await;
}

#[tokio::test]
async fn a_changed_check_is_asked_anew_at_once_and_old_answers_are_dropped() {
    let mut zoo = Zoo::http(Manner::Hang(vec![])).await;
    let mut bench = Bench::start(hanging(zoo.at, &["a"], Duration::from_secs(3_600)), 512, 8);
    zoo.open.wait_for(|open| *open == 1).await.unwrap();
    let healthy = Zoo::http(answer(200, "", "ok")).await;
    let http = CheckKind::Http(Box::new(http_check("http://app.test/", None)));
    let changed = Check { revision: 2, ..testing::check("web", http) };
    bench.fleet.send_replace(fleet(changed, &[("a", healthy.at)]));
    zoo.is_alone().await;
    let seen = bench.next().await;
    assert_eq!((seen.revision, seen.address, seen.outcome), (2, healthy.at, Outcome::Pass));
    bench.stop().await;
}

#[tokio::test]
async fn never_more_than_the_limit_run_at_once() {
    let zoo = Zoo::http(Manner::Hang(vec![])).await;
    let names: Vec<String> = (0..20).map(|n| format!("e{n}")).collect();
    let ids: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut bench = Bench::start(hanging(zoo.at, &ids, Duration::from_millis(100)), 4, 32);
    for _ in 0..20 {
        assert_eq!(bench.next().await.outcome, Outcome::Fail(Failure::Timeout));
    }
    // A connection that was given up ends at the endpoint a moment later than here.
    assert!(*zoo.peak.borrow() <= 8, "{}", *zoo.peak.borrow());
    assert!(bench.scrape().contains("wayshift_probe_schedule_lag_seconds_count 20"), "{}", bench.scrape());
    bench.stop().await;
}

#[tokio::test]
async fn a_wish_is_answered_by_a_probe_that_began_after_it() {
    let zoo = Zoo::http(Manner::Hang(vec![])).await;
    let mut bench = Bench::start(hanging(zoo.at, &["a"], Duration::from_millis(300)), 512, 8);
    let mut open = zoo.open.clone();
    open.wait_for(|open| *open == 1).await.unwrap();
    let results = bench.ask("a").await;
    assert_eq!(results.len(), 1);
    assert_eq!(zoo.requests.lock().unwrap().len(), 2, "the running one does not count");
    assert!(bench.next().await.at.mono <= results[0].at.mono);
    assert_eq!(bench.next().await, results[0], "the control loop hears of it too");
    assert_eq!(bench.ask("nobody").await, vec![]);
    bench.stop().await;
}

#[tokio::test]
async fn a_wish_for_an_endpoint_that_goes_away_is_answered_with_nothing() {
    let zoo = Zoo::http(Manner::Hang(vec![])).await;
    let bench = Bench::start(hanging(zoo.at, &["a"], Duration::from_secs(3_600)), 512, 8);
    let mut open = zoo.open.clone();
    open.wait_for(|open| *open == 1).await.unwrap();
    let (results, ()) = tokio::join!(bench.ask("a"), async {
        while bench.asks.capacity() < bench.asks.max_capacity() {
            tokio::task::yield_now().await;
        }
        bench.fleet.send_replace(Fleet::empty());
    });
    assert_eq!(results, vec![]);
    bench.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_slows_probing_and_loses_nothing() {
    let mut bench = Bench::start(crowd(5, closed_port(), tcp_check("web", 80)), 512, 1);
    tokio::time::advance(Duration::from_secs(300)).await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..5 {
        seen.insert(bench.next().await.target);
    }
    assert_eq!(seen.len(), 5);
    bench.stop().await;
}

#[tokio::test]
async fn results_are_counted_and_the_series_of_removed_endpoints_go_away() {
    let zoo = Zoo::http(answer(503, "", "")).await;
    let mut bench = Bench::start(hanging(zoo.at, &["a", "b"], Duration::from_secs(3)), 512, 8);
    for id in ["a", "b", "a", "b"] {
        bench.ask(id).await;
    }
    let text = bench.scrape();
    for series in [
        "wayshift_probe_results_total{endpoint=\"a\",check=\"web\",result=\"fail\",reason=\"status\"}",
        "wayshift_probe_duration_seconds_count{endpoint=\"b\"}",
        "wayshift_probe_phase_seconds_count{phase=\"first_byte\"}",
        "wayshift_probes_in_flight",
    ] {
        assert!(text.contains(series), "{series} in {text}");
    }
    bench.fleet.send_replace(hanging(zoo.at, &["b"], Duration::from_secs(3)));
    // A reload has been taken in when the removed endpoint is unknown.
    while !bench.ask("a").await.is_empty() {}
    let text = bench.scrape();
    assert!(!text.contains("endpoint=\"a\"") && text.contains("endpoint=\"b\""), "{text}");
    while bench.seen.try_recv().is_ok() {}
    bench.stop().await;
}

#[tokio::test]
async fn the_runner_ends_when_nobody_takes_results() {
    let mut bench = Bench::start(Fleet::empty(), 512, 8);
    drop(bench.seen);
    bench.task.join_next().await.unwrap().unwrap();
}
