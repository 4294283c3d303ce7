//! What probing costs: `probe_load answer` answers HTTP on some port and prints it; `probe_load PORT [ENDPOINTS]
//! [SECONDS]` probes that many loopback addresses there every second and prints the processor time and memory it took.
//!
//! Two processes, so that the cost of answering is not counted. An example and no test: it measures.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use nix::sys::resource::{UsageWho, getrusage};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use wayshift::{
    clock::Clock,
    model::{
        Addresses, Check, CheckIx, CheckKind, Endpoint, Expect, Fleet, HttpCheck, Outcome, Parts, Resume, Serves,
        Tempi, Thresholds, Weight,
    },
    probe::{Runner, Settings},
    telemetry::Metrics,
};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let first = words.next().context("usage: probe_load answer | probe_load PORT [ENDPOINTS] [SECONDS]")?;
    if first == "answer" {
        return answer().await;
    }
    let mut number = |default: u64| words.next().map_or(Ok(default), |word| word.parse());
    load(first.parse()?, number(1_000)?, number(10)?).await
}

async fn answer() -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
    println!("{}", listener.local_addr()?.port());
    let mut connections = JoinSet::new();
    loop {
        let (mut stream, _) = listener.accept().await?;
        connections.spawn(async move {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n").await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn load(port: u16, endpoints: u64, seconds: u64) -> anyhow::Result<()> {
    let (_fleet_in, fleet) = watch::channel(fleet(port, endpoints)?);
    let (_tempi_in, tempi) = watch::channel(Arc::new(Tempi::new()));
    let (_asks_in, asks) = mpsc::channel(1);
    let (out, mut seen) = mpsc::channel(1_024);
    let (metrics, _registry) = Metrics::new();
    let settings = Settings::new("load".parse()?);
    let until = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(Runner::new(settings, fleet, tempi, out, asks, Clock::start(), metrics.probe).run(until.clone()));
    let end = tokio::time::sleep(Duration::from_secs(seconds));
    tokio::pin!(end);
    let (mut probes, mut passed, mut took) = (0_u32, 0_u32, Duration::ZERO);
    loop {
        tokio::select! {
            () = &mut end => break,
            Some(observation) = seen.recv() => {
                probes += 1;
                passed += u32::from(observation.outcome == Outcome::Pass);
                took += observation.phases.total;
            }
        }
    }
    until.cancel();
    while tasks.join_next().await.is_some() {}
    if probes == 0 {
        bail!("no probe ended");
    }
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let part = |time: nix::sys::time::TimeVal| {
        Duration::new(u64::try_from(time.tv_sec()).unwrap_or(0), u32::try_from(time.tv_usec()).unwrap_or(0) * 1_000)
    };
    let (user, system) = (part(usage.user_time()), part(usage.system_time()));
    println!("{probes} probes in {seconds} s, {passed} passed, {:?} each on the wire", took / probes);
    println!("{:?} user and {:?} system a probe", user / probes, system / probes);
    println!("{:.1} % of one core", (user + system).as_secs_f64() / Duration::from_secs(seconds).as_secs_f64() * 100.0);
    println!("{} KiB resident at most", usage.max_rss());
    Ok(())
}

fn fleet(port: u16, count: u64) -> anyhow::Result<Arc<Fleet>> {
    let http = HttpCheck {
        url: format!("http://www.example.com:{port}/healthz"),
        tls: None,
        host: "www.example.com".into(),
        port,
        method: "GET".into(),
        headers: BTreeMap::new(),
        bearer: None,
        expect: Expect {
            status: vec![200..=299],
            body: Some("ok".into()),
            header: BTreeMap::new(),
            latency: None,
            cert: None,
        },
    };
    let check = Check {
        id: "web".parse()?,
        kind: CheckKind::Http(Box::new(http)),
        interval: Duration::from_secs(1),
        timeout: Duration::from_millis(800),
        recheck: Duration::from_secs(1),
        thresholds: Thresholds { rise: 1, fall: 2, window: None },
        cooldown: Duration::ZERO,
        inverted: false,
        revision: 1,
    };
    let endpoints = (0..count).map(|n| endpoint(u32::try_from(n)?)).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Fleet::assemble(Parts { checks: vec![check], endpoints, ..Parts::default() })?)
}

fn endpoint(n: u32) -> anyhow::Result<Endpoint> {
    Ok(Endpoint {
        id: format!("e{n}").parse()?,
        provider: "load".parse()?,
        region: "here".parse()?,
        serves: Serves::Addresses(Addresses::V4(Ipv4Addr::from_bits(0x7f01_0001 + n))),
        weight: Weight::default(),
        capacity: None,
        labels: BTreeMap::new(),
        check_at: None,
        check: Some(CheckIx::new(0)),
        alias: None,
        load: None,
        resume: Resume::Auto,
    })
}
