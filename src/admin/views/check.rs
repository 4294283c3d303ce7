//! Checks: `GET /v1/checks`. Secrets and the values of header fields are never shown.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use serde::{Deserialize, Serialize};

use crate::model::{CheckId, CheckIx, CheckKind, Expect, Fleet, Span};

/// A definition of a probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckView {
    /// Its id.
    pub id: CheckId,
    /// `http`, `https` or `tcp`.
    pub kind: String,
    /// The URL, for HTTP.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub url: Option<String>,
    /// The method, for HTTP.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub method: Option<String>,
    /// The port that is connected to.
    pub port: u16,
    /// Names of the header fields that are sent; values may be secrets.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub headers: Vec<String>,
    /// A bearer token is sent.
    pub authenticates: bool,
    /// The certificate is not looked at.
    pub insecure: bool,
    /// What must hold, for HTTP.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expect: Option<ExpectView>,
    /// Time between the starts of two probes.
    pub interval: Span,
    /// After this long a probe has failed.
    pub timeout: Span,
    /// The wait between probes while a standing wavers.
    pub recheck: Span,
    /// Passes in a row until up.
    pub rise: u8,
    /// Failures in a row until down.
    pub fall: u8,
    /// Failures that need not follow each other.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub window: Option<WindowView>,
    /// Recovery waits at least this long after the last failure.
    pub cooldown: Span,
    /// A failure counts as a pass.
    pub inverted: bool,
    /// How many endpoints are asked this way.
    pub endpoints: usize,
}

/// So many failures of so many results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WindowView {
    /// Failures.
    pub failures: u8,
    /// Of so many results.
    pub of: u8,
}

/// What an answer must look like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExpectView {
    /// Accepted status codes: `"200-299"`, `"204"`.
    pub status: Vec<String>,
    /// A text the body contains.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub body: Option<String>,
    /// Header fields with their values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub header: BTreeMap<String, String>,
    /// The longest accepted time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub latency: Option<LimitView>,
    /// The shortest accepted remaining life of a certificate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cert: Option<LimitView>,
}

/// A limit and what breaking it means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitView {
    /// The limit.
    pub limit: Span,
    /// Breaking it is a failure; else the endpoint is degraded.
    pub fail: bool,
}

impl CheckView {
    pub(in crate::admin) fn of(fleet: &Fleet, ix: CheckIx) -> Self {
        let check = fleet.check(ix);
        let http = match &check.kind {
            CheckKind::Http(http) => Some(http),
            CheckKind::Tcp { .. } => None,
        };
        let users: BTreeSet<_> =
            fleet.subjects.iter().filter(|subject| subject.check == Some(ix)).map(|subject| subject.endpoint).collect();
        Self {
            id: check.id.clone(),
            kind: match http.map(|http| http.tls.is_some()) {
                Some(true) => "https",
                Some(false) => "http",
                None => "tcp",
            }
            .to_owned(),
            url: http.map(|http| http.url.clone()),
            method: http.map(|http| http.method.clone()),
            port: check.kind.port(),
            headers: http.map(|http| http.headers.keys().cloned().collect()).unwrap_or_default(),
            authenticates: http.is_some_and(|http| http.bearer.is_some()),
            insecure: http.and_then(|http| http.tls.as_ref()).is_some_and(|tls| tls.insecure),
            expect: http.map(|http| ExpectView::from(&http.expect)),
            interval: Span(check.interval),
            timeout: Span(check.timeout),
            recheck: Span(check.recheck),
            rise: check.thresholds.rise,
            fall: check.thresholds.fall,
            window: check.thresholds.window.map(|window| WindowView { failures: window.failures, of: window.of }),
            cooldown: Span(check.cooldown),
            inverted: check.inverted,
            endpoints: users.len(),
        }
    }
}

impl From<&Expect> for ExpectView {
    fn from(expect: &Expect) -> Self {
        let range = |range: &RangeInclusive<u16>| match (range.start(), range.end()) {
            (one, other) if one == other => one.to_string(),
            (first, last) => format!("{first}-{last}"),
        };
        Self {
            status: expect.status.iter().map(range).collect(),
            body: expect.body.clone(),
            header: expect.header.clone(),
            latency: expect.latency.map(|limit| LimitView { limit: Span(limit.max), fail: limit.fail }),
            cert: expect.cert.map(|limit| LimitView { limit: Span(limit.min), fail: limit.fail }),
        }
    }
}
