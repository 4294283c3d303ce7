//! Checks: how an endpoint is asked, and what its answers must be to count as a pass.

use std::{collections::BTreeMap, ops::RangeInclusive, path::PathBuf, time::Duration};

use super::CheckId;

/// Shortest interval between two probes of one target from one vantage.
pub const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// Most octets of a body that are read.
pub const BODY_READ_MAX: usize = 64 * 1024;

/// A definition; one execution of it is a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its id. A check that a service writes as a bare URL gets an id made of it.
    pub id: CheckId,
    /// What is done.
    pub kind: CheckKind,
    /// Time between the starts of two probes of one target.
    pub interval: Duration,
    /// After this long a probe has failed.
    pub timeout: Duration,
    /// The wait between probes while a standing wavers, if shorter than `interval`.
    pub recheck: Duration,
    /// Rise and fall.
    pub thresholds: Thresholds,
    /// How long after the last failure a recovery waits at least. Never delays a failover.
    pub cooldown: Duration,
    /// A failure counts as a pass and the other way round.
    pub inverted: bool,
    /// The configuration's revision of this check: a hash of all that changes what a result means.
    pub revision: u64,
}

/// When a standing turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    /// Passes in a row until up; at least 1.
    pub rise: u8,
    /// Failures in a row until down; at least 1.
    pub fall: u8,
    /// Failures that need not follow each other.
    pub window: Option<Window>,
}

/// `failures` of the last `of` results make down as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How many must have failed; 1 to `of`.
    pub failures: u8,
    /// How many results are looked at; at most 64.
    pub of: u8,
}

/// What a probe does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckKind {
    /// HTTP or HTTPS.
    Http(Box<HttpCheck>),
    /// A TCP connection that is opened and closed.
    Tcp {
        /// The port to connect to.
        port: u16,
    },
}

impl CheckKind {
    /// The port that is connected to.
    #[must_use]
    pub fn port(&self) -> u16 {
        match self {
            Self::Http(http) => http.port,
            Self::Tcp { port } => *port,
        }
    }
}

/// An HTTP request with its expectations. The connection goes to the endpoint's address; Host and SNI come from the
/// URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpCheck {
    /// The URL as written.
    pub url: String,
    /// Whether TLS is spoken.
    pub tls: Option<TlsCheck>,
    /// Host of the URL, without port and brackets.
    pub host: String,
    /// Port of the URL, or the scheme's.
    pub port: u16,
    /// The method, upper case.
    pub method: String,
    /// Further header fields.
    pub headers: BTreeMap<String, String>,
    /// Sent as `Authorization: Bearer`.
    pub bearer: Option<Secret>,
    /// What must hold.
    pub expect: Expect,
}

/// How TLS is spoken to the endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsCheck {
    /// `false`: the certificate is not looked at. The default verifies it.
    pub insecure: bool,
    /// A private trust anchor (PEM), beside the machine's own.
    pub ca: Option<PathBuf>,
    /// Another name than the URL's host.
    pub sni: Option<String>,
}

/// A secret value. `Debug` and `Display` hide it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the value.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value, for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A private key in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrivateKey {
    /// Read anew with each connection: a renewed key comes with its certificate.
    File(PathBuf),
    /// As it was when the configuration was read.
    Text(Secret),
}

/// What an answer must look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    /// Accepted status codes.
    pub status: Vec<RangeInclusive<u16>>,
    /// A text that the first [`BODY_READ_MAX`] octets of the body contain.
    pub body: Option<String>,
    /// Header fields with the exact value they must have.
    pub header: BTreeMap<String, String>,
    /// Slower is a complaint, or a failure.
    pub latency: Option<LatencyLimit>,
    /// A certificate nearer to its end is a complaint, or a failure.
    pub cert: Option<CertLimit>,
}

/// The longest accepted time from start to the last byte read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatencyLimit {
    /// Slower than this breaks the expectation.
    pub max: Duration,
    /// Breaking it is a failure; else the endpoint is degraded.
    pub fail: bool,
}

/// The shortest accepted remaining life of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CertLimit {
    /// Less than this breaks the expectation.
    pub min: Duration,
    /// Breaking it is a failure; else the endpoint is degraded.
    pub fail: bool,
}
