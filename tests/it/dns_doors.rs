//! The doors over real sockets: both transports, hostile clients, limits, drain.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::SocketAddr,
    num::NonZeroUsize,
    sync::Arc,
    time::Duration,
};

use hickory_proto::{op::Message, rr::RecordType};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    task::JoinHandle,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use wayshift::{
    clock::Clock,
    dns::{BindError, Doors, RunError, TcpLimits},
    telemetry::Metrics,
};

use crate::dns_world::{decoded, doors, limits, live, query, settings, with_edns};

/// Longer than anything here takes; it only ends tests that would hang.
const PATIENCE: Duration = Duration::from_secs(20);

struct Running {
    addresses: Vec<SocketAddr>,
    until: CancellationToken,
    task: JoinHandle<Result<(), RunError>>,
}

impl Running {
    fn new(doors: Doors) -> Self {
        let (addresses, until) = (doors.local_addrs(), CancellationToken::new());
        let task = tokio::spawn(doors.run(until.clone()));
        Self { addresses, until, task }
    }

    async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.addresses[0]).await.unwrap()
    }

    async fn end(self) {
        self.until.cancel();
        timeout(PATIENCE, self.task).await.expect("the doors end").unwrap().unwrap();
    }
}

async fn udp(address: SocketAddr) -> UdpSocket {
    let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any).await.unwrap();
    // Connected: a reply from another address is not received.
    socket.connect(address).await.unwrap();
    socket
}

async fn reply(socket: &UdpSocket) -> Message {
    decoded(&octets(socket).await)
}

async fn octets(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 4096];
    let length = timeout(PATIENCE, socket.recv(&mut buffer)).await.expect("a reply comes").unwrap();
    buffer[..length].to_vec()
}

fn frame(message: &Message) -> Vec<u8> {
    framed(&message.to_vec().unwrap())
}

fn framed(octets: &[u8]) -> Vec<u8> {
    [&u16::try_from(octets.len()).unwrap().to_be_bytes(), octets].concat()
}

fn numbered(id: u16, name: &str, kind: RecordType) -> Message {
    let mut message = query(name, kind);
    message.metadata.id = id;
    message
}

async fn next(stream: &mut TcpStream) -> io::Result<Message> {
    Ok(decoded(&next_octets(stream).await?))
}

async fn next_octets(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    timeout(PATIENCE, async {
        let mut octets = vec![0; usize::from(stream.read_u16().await?)];
        stream.read_exact(&mut octets).await?;
        Ok(octets)
    })
    .await
    .expect("a reply or an end comes")
}

async fn answers(stream: &mut TcpStream) -> bool {
    stream.write_all(&frame(&query("www", RecordType::A))).await.is_ok() && next(stream).await.is_ok()
}

/// The other side has closed.
async fn ends(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let end = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("the connection ends");
    assert!(end.is_err() || rest.is_empty(), "{rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_address_answers_over_both_transports() {
    let running = Running::new(doors(limits()));
    assert_eq!(running.addresses.len(), 2);
    for &address in &running.addresses {
        let socket = udp(address).await;
        socket.send(&query("www", RecordType::A).to_vec().unwrap()).await.unwrap();
        assert_eq!(reply(&socket).await.answers.len(), 2);
        let mut stream = TcpStream::connect(address).await.unwrap();
        assert!(answers(&mut stream).await);
    }
    running.end().await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn replies_leave_from_the_address_asked() {
    let mut settings = settings(limits());
    settings.listen = vec!["0.0.0.0:0".parse().unwrap()];
    let running = Running::new(Doors::bind(settings, live(), Clock::start(), Arc::default()).unwrap());
    for ip in ["127.0.0.1", "127.0.0.2", "127.1.2.3"] {
        let socket = udp(SocketAddr::new(ip.parse().unwrap(), running.addresses[0].port())).await;
        socket.send(&query("www", RecordType::A).to_vec().unwrap()).await.unwrap();
        assert_eq!(reply(&socket).await.answers.len(), 2, "{ip}");
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_together_is_answered_each_by_itself() {
    let running = Running::new(doors(limits()));
    let socket = udp(running.addresses[0]).await;
    // More than one turn takes, fewer than a queue holds: some of each are answered in place, some are not, some never.
    let mut expected = BTreeMap::new();
    for id in 0..100 {
        let message = match id % 5 {
            0 => numbered(id, "www", RecordType::A),
            1 => numbered(id, "www", RecordType::ANY),
            2 => numbered(id, "nope", RecordType::AAAA),
            3 => with_edns(numbered(id, "big", RecordType::TXT), 1232),
            _ => {
                socket.send(&[0; 3000]).await.unwrap();
                continue;
            }
        };
        socket.send(&message.to_vec().unwrap()).await.unwrap();
        expected.insert(id, message.queries);
    }
    while !expected.is_empty() {
        let reply = reply(&socket).await;
        assert_eq!(expected.remove(&reply.metadata.id), Some(reply.queries));
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_packets_change_nothing() {
    let running = Running::new(doors(limits()));
    let socket = udp(running.addresses[0]).await;
    for line in include_str!("../data/dns/malformed.jsonl").lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let sent = data_encoding::HEXLOWER.decode(case["hex"].as_str().unwrap().as_bytes()).unwrap();
        let expected = case["expect"].as_str().unwrap();
        socket.send(&sent).await.unwrap();
        if expected != "drop" {
            // Undecoded: hickory knows no network of family 0, which comes back as it was sent.
            assert_eq!(octets(&socket).await[..2], sent[..2], "{}", case["name"]);
        }
        let mut stream = running.tcp().await;
        let _ = stream.write_all(&framed(&sent)).await;
        match expected {
            "drop" => ends(&mut stream).await,
            _ => drop(next_octets(&mut stream).await.unwrap()),
        }
    }
    // Nothing was sent for those that are dropped: the next reply is to the next query.
    socket.send(&numbered(99, "www", RecordType::A).to_vec().unwrap()).await.unwrap();
    assert_eq!(reply(&socket).await.metadata.id, 99);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_queries_are_answered_in_one_write() {
    let running = Running::new(doors(limits()));
    let mut stream = running.tcp().await;
    let sent: Vec<u8> = (0..20).flat_map(|id| frame(&numbered(id, "www", RecordType::A))).collect();
    stream.write_all(&sent).await.unwrap();
    // The client is half closed, and gets its replies all the same.
    stream.shutdown().await.unwrap();
    let mut all = vec![0; 64 << 10];
    let first = timeout(PATIENCE, stream.read(&mut all)).await.unwrap().unwrap();
    let reply_length = usize::from(u16::from_be_bytes([all[0], all[1]])) + 2;
    assert_eq!(first, 20 * reply_length, "the replies of one read come in one segment");
    let ids: BTreeSet<u8> = (0..20).map(|nth| all[nth * reply_length + 3]).collect();
    assert_eq!(ids.len(), 20);
    ends(&mut stream).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn octets_may_come_one_by_one() {
    let running = Running::new(doors(limits()));
    let mut stream = running.tcp().await;
    stream.set_nodelay(true).unwrap();
    for octet in [frame(&numbered(1, "www", RecordType::A)), frame(&numbered(2, "big", RecordType::TXT))].concat() {
        stream.write_all(&[octet]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(next(&mut stream).await.unwrap().metadata.id, 1);
    assert_eq!(next(&mut stream).await.unwrap().metadata.id, 2);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_rests_or_drips_is_cut() {
    let short = Duration::from_millis(50);
    for (limits, sent) in [
        (TcpLimits { idle: short, ..limits() }, vec![]),
        (TcpLimits { query: short, ..limits() }, vec![0]),
        (TcpLimits { query: short, ..limits() }, frame(&query("www", RecordType::A))[..20].to_vec()),
        (limits(), framed(&[])),
        (limits(), framed(&[0; 11])),
    ] {
        let running = Running::new(doors(limits));
        let mut stream = running.tcp().await;
        stream.write_all(&sent).await.unwrap();
        ends(&mut stream).await;
        running.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_door_lets_the_idlest_go() {
    let two = NonZeroUsize::new(2).unwrap();
    for limits in [TcpLimits { connections: two, ..limits() }, TcpLimits { per_client: two, ..limits() }] {
        let running = Running::new(doors(limits));
        let (mut first, mut second) = (running.tcp().await, running.tcp().await);
        assert!(answers(&mut first).await && answers(&mut second).await && answers(&mut first).await);
        let mut third = running.tcp().await;
        assert!(answers(&mut third).await);
        ends(&mut second).await;
        assert!(answers(&mut first).await && answers(&mut third).await);
        running.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_cut_and_holds_nobody() {
    let running = Running::new(doors(TcpLimits { query: Duration::from_millis(200), ..limits() }));
    let mut deaf = running.tcp().await;
    let many = frame(&with_edns(query("big", RecordType::TXT), 1232)).repeat(1000);
    let flood = async { while deaf.write_all(&many).await.is_ok() {} };
    timeout(PATIENCE, flood).await.expect("the deaf client is cut");
    assert!(answers(&mut running.tcp().await).await);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_is_answered_before_the_end() {
    let running = Running::new(doors(limits()));
    let mut stream = running.tcp().await;
    assert!(answers(&mut stream).await);
    let socket = udp(running.addresses[0]).await;
    let (sent, sent_udp) = (numbered(7, "www", RecordType::A), numbered(8, "www", RecordType::A));
    stream.write_all(&frame(&sent)).await.unwrap();
    socket.send(&sent_udp.to_vec().unwrap()).await.unwrap();
    let idle = running.tcp().await;
    running.end().await;
    assert_eq!(next(&mut stream).await.unwrap().metadata.id, 7);
    assert_eq!(reply(&socket).await.metadata.id, 8);
    ends(&mut stream).await;
    drop(idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_run_closes_the_doors() {
    let mut settings = settings(limits());
    settings.listen.truncate(1);
    let doors = Doors::bind(settings.clone(), live(), Clock::start(), Arc::default()).unwrap();
    settings.listen = doors.local_addrs();
    let running = Running::new(doors);
    assert!(answers(&mut running.tcp().await).await);
    running.task.abort();
    let again = async {
        while Doors::bind(settings.clone(), live(), Clock::start(), Arc::default()).is_err() {
            tokio::task::yield_now().await
        }
    };
    timeout(PATIENCE, again).await.expect("the address is free again");
}

#[test]
fn addresses_that_are_not_to_be_had_are_named() {
    let first = doors(limits());
    let taken = first.local_addrs()[0];
    for (address, expected) in [(taken, "is taken"), ("192.0.2.77:0".parse().unwrap(), "is on no interface")] {
        let mut settings = settings(limits());
        settings.listen = vec!["127.0.0.1:0".parse().unwrap(), address];
        let error = Doors::bind(settings, live(), Clock::start(), Arc::default()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(expected) && text.contains(&address.to_string()), "{text}");
        assert!(matches!(error, BindError::Taken { .. } | BindError::NoSuchAddress { .. }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_are_counted() {
    let (metrics, registry) = Metrics::new();
    let doors = Doors::bind(settings(limits()), live(), Clock::start(), Arc::clone(&metrics.dns)).unwrap();
    let running = Running::new(doors);
    let socket = udp(running.addresses[0]).await;
    socket.send(&query("nope", RecordType::A).to_vec().unwrap()).await.unwrap();
    reply(&socket).await;
    socket.send(&query("app", RecordType::A).to_vec().unwrap()).await.unwrap();
    reply(&socket).await;
    let mut stream = running.tcp().await;
    assert!(answers(&mut stream).await);
    let scrape = || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    };
    let text = scrape();
    for line in [
        r#"wayshift_dns_requests_total{proto="udp",family="ipv4",type="A"} 2"#,
        r#"wayshift_answers_total{service="app",pool="app"} 1"#,
        r#"wayshift_dns_responses_total{proto="udp",rcode="NXDOMAIN"} 1"#,
        r#"wayshift_dns_responses_total{proto="tcp",rcode="NOERROR"} 1"#,
        r#"wayshift_dns_tcp_connections{proto="tcp"} 1"#,
        r#"wayshift_dns_shadow_total{result="same"} 3"#,
        r#"wayshift_dns_shadow_total{result="different"} 0"#,
        "wayshift_dns_fast_door_open 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is missing in\n{text}");
    }
    running.end().await;
    let text = scrape();
    assert!(text.contains("wayshift_dns_tcp_connections{proto=\"tcp\"} 0"), "{text}");
}
