//! Loads read from endpoints that behave and misbehave.

use std::net::SocketAddr;

use super::*;
use crate::{
    model::{Check, Endpoint, LoadFeed, Parts},
    probe::testing::{
        self,
        zoo::{Manner, Zoo, answer},
    },
};

fn fleet(endpoints: &[(&str, &str, SocketAddr)]) -> Arc<Fleet> {
    let check = Check { interval: Duration::from_millis(100), ..testing::tcp_check("web", 80) };
    let with_load = |(id, url, at): &(&str, &str, SocketAddr)| Endpoint {
        load: Some(LoadFeed::Poll { url: (*url).into(), field: "active".into() }),
        ..testing::endpoint(id, *at)
    };
    let endpoints = endpoints.iter().map(with_load).collect();
    Fleet::assemble(Parts { checks: vec![check], endpoints, ..Parts::default() }).unwrap()
}

struct World {
    fleet: watch::Sender<Arc<Fleet>>,
    loads: mpsc::Receiver<Reading>,
    metrics: Arc<ProbeMetrics>,
    _tasks: JoinSet<()>,
}

fn world(first: Arc<Fleet>) -> World {
    let (fleet, fleet_seen) = watch::channel(first);
    let (out, loads) = mpsc::channel(8);
    let metrics = Arc::new(ProbeMetrics::default());
    let settings = Settings::new("node-a".parse().unwrap());
    let reader = Loads::new(settings, fleet_seen, Directory::default(), out, Clock::start(), Arc::clone(&metrics));
    let mut tasks = JoinSet::new();
    tasks.spawn(reader.run(CancellationToken::new()));
    World { fleet, loads, metrics, _tasks: tasks }
}

#[tokio::test]
async fn loads_are_read_again_and_again_and_follow_the_fleet() {
    let json = Zoo::http(answer(200, "", r#"{"active": 12}"#)).await;
    let text = Zoo::http(answer(200, "", "# TYPE active gauge\nactive 3\nactive{x=\"y\"} 4.5\n")).await;
    let by_address = format!("http://{{address}}:{}/load", json.at.port());
    let by_host = format!("http://localhost:{}/metrics?of=b", text.at.port());
    let mut world = world(fleet(&[("a", &by_address, json.at), ("b", &by_host, text.at)]));
    let mut seen = HashMap::new();
    while seen.len() < 2 || seen.values().any(|times| *times < 3) {
        let reading = world.loads.recv().await.unwrap();
        let expected = if reading.endpoint.as_str() == "a" { 12.0 } else { 7.5 };
        assert_eq!(reading.load, Load(expected));
        *seen.entry(reading.endpoint).or_insert(0) += 1;
    }
    assert!(json.last_request().starts_with("GET /load HTTP/1.1\r\n"), "{}", json.last_request());
    assert!(json.last_request().contains("(probe from node-a)"), "{}", json.last_request());
    world.fleet.send_replace(fleet(&[("b", &by_host, text.at)]));
    // At most what was sent before the reload is still of the first.
    for _ in 0..20 {
        world.loads.recv().await.unwrap();
    }
    assert_eq!(world.loads.recv().await.unwrap().endpoint.as_str(), "b");
}

#[tokio::test]
async fn trouble_is_counted_by_its_kind_and_never_told_as_a_load() {
    let too_long = format!("active 1\n{}", "x".repeat(crate::model::BODY_READ_MAX));
    for (word, manner) in [
        ("status", answer(503, "", "active 1")),
        ("status", answer(302, "Location: http://127.0.0.1:1/\r\n", "")),
        ("missing", answer(200, "", "inactive 1")),
        ("value", answer(200, "", "active many")),
        ("unreadable", answer(200, "", "{\"active\": 1")),
        ("too-long", answer(200, "", &too_long)),
        ("connection", Manner::Reset),
        ("timeout", Manner::Hang(b"HTTP/1.1 200 OK\r\n".to_vec())),
    ] {
        let zoo = Zoo::http(manner).await;
        let url = format!("http://{{address}}:{}/", zoo.at.port());
        let mut world = world(fleet(&[("a", &url, zoo.at)]));
        while world.metrics.loads_read(word) < 2 {
            tokio::task::yield_now().await;
        }
        assert!(world.loads.try_recv().is_err(), "{word}");
        assert_eq!(world.metrics.loads_read("ok"), 0, "{word}");
    }
}
