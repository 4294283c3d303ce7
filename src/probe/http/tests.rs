//! HTTP probes against endpoints that behave and misbehave.

use std::{collections::BTreeMap, net::Ipv6Addr, time::Duration};

use super::*;
use crate::{
    model::{Check, CheckKind, Complaint, LatencyLimit, Observation, Secret},
    probe::{
        Settings, job,
        testing::{
            check, expect, fleet, http_check,
            zoo::{Manner, Zoo, answer},
        },
    },
};

mod tls;

const SHORT: Duration = Duration::from_millis(400);

async fn probe_as(http: HttpCheck, at: SocketAddr, timeout: Duration) -> Observation {
    let check = Check { timeout, ..check("web", CheckKind::Http(Box::new(http))) };
    let jobs = job::jobs(&fleet(check, &[("a", at)]), &Settings::new("node-a".parse().unwrap()));
    jobs[0].run(Clock::start(), &crate::probe::Directory::default()).await
}

async fn probe(http: HttpCheck, at: SocketAddr) -> Observation {
    probe_as(http, at, Duration::from_secs(5)).await
}

fn plain() -> HttpCheck {
    http_check("http://www.example.com/healthz?deep=1", None)
}

fn expecting(change: impl FnOnce(&mut Expect)) -> HttpCheck {
    let mut expect = expect();
    change(&mut expect);
    HttpCheck { expect, ..plain() }
}

async fn see(http: HttpCheck, manner: Manner, expected: Outcome) {
    let zoo = Zoo::http(manner.clone()).await;
    let seen = probe(http, zoo.at).await;
    assert_eq!(seen.outcome, expected, "{manner:?} gave {seen:?}");
}

#[tokio::test]
async fn the_request_goes_to_the_endpoint_and_speaks_of_the_url() {
    let zoo = Zoo::http(answer(200, "", "ok")).await;
    let headers = BTreeMap::from([("X-Probe".to_owned(), "wayshift".to_owned())]);
    let http = HttpCheck { headers, bearer: Some(Secret::new("s3cret".into())), ..plain() };
    let seen = probe(http, zoo.at).await;
    assert_eq!((seen.outcome, seen.status, seen.address), (Outcome::Pass, Some(200), zoo.at));
    let request = zoo.last_request().to_ascii_lowercase();
    assert!(request.starts_with("get /healthz?deep=1 http/1.1\r\n"), "{request}");
    for line in [
        "host: www.example.com\r\n",
        "x-probe: wayshift\r\n",
        "authorization: bearer s3cret\r\n",
        "connection: close\r\n",
        "(probe from node-a)\r\n",
    ] {
        assert!(request.contains(line), "{line} in {request}");
    }
    assert!(!request.contains("accept-encoding"), "{request}");
    let phases = seen.phases;
    assert!(phases.connect.is_some() && phases.tls.is_none() && phases.first_byte.is_some(), "{phases:?}");
    assert!(phases.connect.unwrap() + phases.first_byte.unwrap() <= phases.total);
}

#[tokio::test]
async fn hosts_with_ports_and_hosts_that_are_addresses_are_never_connected_to() {
    for (url, host) in [
        ("http://www.example.com:8080/", "host: www.example.com:8080\r\n"),
        ("http://192.0.2.1/", "host: 192.0.2.1\r\n"),
        ("http://192.0.2.1:99/", "host: 192.0.2.1:99\r\n"),
        ("http://[2001:db8::1]:99/", "host: [2001:db8::1]:99\r\n"),
    ] {
        let zoo = Zoo::http(answer(200, "", "ok")).await;
        assert_eq!(probe(http_check(url, None), zoo.at).await.outcome, Outcome::Pass, "{url}");
        let request = zoo.last_request().to_ascii_lowercase();
        assert!(request.contains(host), "{url} sent {request}");
    }
}

#[tokio::test]
async fn ipv6_endpoints_are_probed_too() {
    let zoo = Zoo::on(Ipv6Addr::LOCALHOST.into(), answer(204, "", ""), None).await;
    for url in ["http://www.example.com/", "http://192.0.2.1/", "http://[2001:db8::1]/"] {
        assert_eq!(probe(http_check(url, None), zoo.at).await.outcome, Outcome::Pass, "{url}");
    }
}

#[tokio::test]
async fn expectations_decide() {
    use Outcome::{Fail, Pass};
    see(plain(), answer(204, "", ""), Pass).await;
    see(plain(), answer(503, "", ""), Fail(Failure::Status(503))).await;
    see(plain(), answer(429, "", ""), Fail(Failure::TooMany)).await;
    see(plain(), answer(302, "Location: http://127.0.0.1:1/\r\n", ""), Fail(Failure::Status(302))).await;
    see(expecting(|e| e.body = Some("all well".into())), answer(200, "", "yes, all well."), Pass).await;
    see(expecting(|e| e.body = Some("all well".into())), answer(200, "", "all  well"), Fail(Failure::Body)).await;
    let header = |e: &mut Expect| e.header = BTreeMap::from([("X-Ready".into(), "yes".into())]);
    see(expecting(header), answer(200, "x-ready: yes\r\n", ""), Pass).await;
    see(expecting(header), answer(200, "x-ready: no\r\n", ""), Fail(Failure::Header("X-Ready".into()))).await;
    let limit = |fail| move |e: &mut Expect| e.latency = Some(LatencyLimit { max: Duration::ZERO, fail });
    see(expecting(limit(false)), answer(200, "", ""), Outcome::Complaint(Complaint::Latency)).await;
    see(expecting(limit(true)), answer(200, "", ""), Fail(Failure::Latency)).await;
}

#[tokio::test]
async fn a_text_beyond_the_bound_is_not_found() {
    let body = |pad: usize| answer(200, "", &format!("{}ready", "x".repeat(pad)));
    let http = || expecting(|e| e.body = Some("ready".into()));
    see(http(), body(BODY_READ_MAX - 5), Outcome::Pass).await;
    see(http(), body(BODY_READ_MAX - 4), Outcome::Fail(Failure::Body)).await;
}

#[tokio::test]
async fn what_breaks_is_told_by_its_name() {
    use Failure::{Protocol, Reset};
    type Fits = fn(&Failure) -> bool;
    let cases: [(Manner, Fits); 8] = [
        (Manner::Reset, |f| matches!(f, Reset)),
        (Manner::Say(b"".to_vec()), |f| matches!(f, Reset)),
        (Manner::Say(b"HTTP/1.1 200 OK\r\nX: ".to_vec()), |f| matches!(f, Reset)),
        (Manner::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec()), |f| matches!(f, Reset)),
        (Manner::Say(b"220 mail.example.com ESMTP\r\n".to_vec()), |f| matches!(f, Protocol(_))),
        (Manner::Say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n".to_vec()), |f| {
            matches!(f, Protocol(_) | Reset)
        }),
        (Manner::Shout(vec![0x16, 0x03, 0x01, 0x00]), |f| matches!(f, Protocol(_))),
        (Manner::Say(format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(101)).into_bytes()), |f| {
            matches!(f, Protocol(_))
        }),
    ];
    for (manner, fits) in cases {
        let zoo = Zoo::http(manner.clone()).await;
        let seen = probe(plain(), zoo.at).await;
        assert!(matches!(&seen.outcome, Outcome::Fail(failure) if fits(failure)), "{manner:?} gave {seen:?}");
    }
    let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(probe(plain(), refused).await.outcome, Outcome::Fail(Failure::Refused));
}

#[tokio::test]
async fn whoever_is_slow_or_silent_is_cut_off_and_left() {
    for manner in [
        Manner::Hang(b"".to_vec()),
        Manner::Hang(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Manner::Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf".to_vec()),
        Manner::Drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n".repeat(50)),
        Manner::Repeat(b"".to_vec(), b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
    ] {
        let mut zoo = Zoo::http(manner.clone()).await;
        let seen = probe_as(plain(), zoo.at, SHORT).await;
        assert_eq!(seen.outcome, Outcome::Fail(Failure::Timeout), "{manner:?}");
        assert!(seen.phases.connect.is_some(), "how far it came is known: {seen:?}");
        assert!(SHORT <= seen.phases.total);
        zoo.is_alone().await;
    }
}

#[tokio::test]
async fn endless_answers_are_read_up_to_the_bound_and_left() {
    let chunk = format!("{:x}\r\n{}\r\n", 60_000, "x".repeat(60_000)).into_bytes();
    for (manner, expected) in [
        (Manner::Repeat(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(), chunk), Outcome::Pass),
        (Manner::Repeat(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 60_000]), Outcome::Pass),
        (
            Manner::Repeat(b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; 60_000]),
            Outcome::Fail(Failure::Protocol("the head of the answer is too large".into())),
        ),
    ] {
        let mut zoo = Zoo::http(manner).await;
        assert_eq!(probe(plain(), zoo.at).await.outcome, expected);
        zoo.is_alone().await;
        // What the kernel buffers on both sides is more than the probe reads.
        assert!(*zoo.sent.borrow() < 32 * 1024 * 1024);
    }
}

#[tokio::test]
async fn what_says_it_is_compressed_is_taken_as_it_stands() {
    see(
        expecting(|e| e.body = Some("not gzip".into())),
        answer(200, "Content-Encoding: gzip\r\n", "not gzip at all"),
        Outcome::Pass,
    )
    .await;
}

#[tokio::test]
async fn a_check_that_cannot_be_sent_casts_no_vote() {
    let headers = BTreeMap::from([("X-Bad".to_owned(), "a\nb".to_owned())]);
    let zoo = Zoo::http(answer(200, "", "")).await;
    let seen = probe(HttpCheck { headers, ..plain() }, zoo.at).await;
    assert_eq!(seen.outcome, Outcome::Abstain(crate::model::OwnFault::NoResources));
    assert!(zoo.requests.lock().unwrap().is_empty());
}
