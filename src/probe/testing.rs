//! What the tests of this room share: checks, fleets, and endpoints that misbehave.

pub(crate) mod zoo;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use crate::model::{
    Addresses, Check, CheckAt, CheckIx, CheckKind, Endpoint, Expect, Family, Fleet, HttpCheck, Parts, Resume, Serves,
    SubjectId, Target, Thresholds, TlsCheck, Weight,
};

pub(crate) fn check(id: &str, kind: CheckKind) -> Check {
    Check {
        id: id.parse().unwrap(),
        kind,
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(5),
        recheck: Duration::from_secs(3),
        thresholds: Thresholds { rise: 1, fall: 2, window: None },
        cooldown: Duration::ZERO,
        inverted: false,
        revision: 1,
    }
}

pub(crate) fn tcp_check(id: &str, port: u16) -> Check {
    check(id, CheckKind::Tcp { port })
}

pub(crate) fn expect() -> Expect {
    Expect { status: vec![200..=299], body: None, header: BTreeMap::new(), latency: None, cert: None }
}

pub(crate) fn http_check(url: &str, tls: Option<TlsCheck>) -> HttpCheck {
    let parsed = reqwest::Url::parse(url).unwrap();
    HttpCheck {
        url: url.into(),
        tls,
        host: parsed.host_str().unwrap().trim_matches(['[', ']']).into(),
        port: parsed.port_or_known_default().unwrap(),
        method: "GET".into(),
        headers: BTreeMap::new(),
        bearer: None,
        expect: expect(),
    }
}

pub(crate) fn target(endpoint: &str, check: &str) -> Target {
    let subject = SubjectId { endpoint: endpoint.parse().unwrap(), check: check.parse().unwrap() };
    Target { subject, family: Family::V4 }
}

/// Endpoints that are probed at these sockets under one check.
pub(crate) fn fleet(check: Check, endpoints: &[(&str, SocketAddr)]) -> std::sync::Arc<Fleet> {
    let endpoints = endpoints.iter().map(|(id, at)| endpoint(id, *at)).collect();
    Fleet::assemble(Parts { checks: vec![check], endpoints, ..Parts::default() }).unwrap()
}

/// One that is probed at this socket under the first check.
pub(crate) fn endpoint(id: &str, at: SocketAddr) -> Endpoint {
    Endpoint {
        id: id.parse().unwrap(),
        provider: "aws".parse().unwrap(),
        region: "eu-west".parse().unwrap(),
        serves: Serves::Addresses(match at {
            SocketAddr::V4(at) => Addresses::V4(*at.ip()),
            SocketAddr::V6(at) => Addresses::V6(*at.ip()),
        }),
        weight: Weight::default(),
        capacity: None,
        labels: BTreeMap::new(),
        check_at: Some(CheckAt::Socket(at)),
        check: Some(CheckIx::new(0)),
        alias: None,
        load: None,
        resume: Resume::Auto,
    }
}

/// Endpoints that are these names.
pub(crate) fn targets(names: &[&str]) -> std::sync::Arc<Fleet> {
    let mut parts = Parts { checks: vec![tcp_check("web", 80)], ..Parts::default() };
    parts.endpoints = (0..)
        .zip(names)
        .map(|(n, name): (usize, _)| Endpoint {
            serves: Serves::Target(name.parse().unwrap()),
            check_at: None,
            ..endpoint(&format!("e{n}"), ([127, 0, 0, 1], 80).into())
        })
        .collect();
    Fleet::assemble(parts).unwrap()
}
