//! What probes saw.

use std::{fmt, net::SocketAddr, time::Duration};

use super::{CheckId, EndpointId, Family, Now};

/// What is judged: an endpoint under a check. Equal subjects share one prober.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectId {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The check.
    pub check: CheckId,
}

/// What is probed: one address of a subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// Whose.
    pub subject: SubjectId,
    /// Which of its addresses.
    pub family: Family,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.subject.endpoint, self.subject.check, self.family)
    }
}

/// One probe's result, raw: of a check that is inverted, too, `Pass` says that the expectations held. The judge inverts.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// What was asked.
    pub target: Target,
    /// The check's revision at the time; a result of an older one does not count.
    pub revision: u64,
    /// Where the connection went.
    pub address: SocketAddr,
    /// When it ended.
    pub at: Now,
    /// What it saw.
    pub outcome: Outcome,
    /// How long each part took.
    pub phases: Phases,
    /// The HTTP status, if one came.
    pub status: Option<u16>,
    /// Remaining life of the certificate, if one was shown.
    pub cert_left: Option<Duration>,
}

/// What counts of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All expectations held.
    Pass,
    /// It works, with a complaint: degraded.
    Complaint(Complaint),
    /// It does not work.
    Fail(Failure),
    /// The fault is this node's own: no vote.
    Abstain(OwnFault),
}

/// What is not as it should be, though it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaint {
    /// Slower than `expect.latency`.
    Latency,
    /// The certificate ends before `expect.cert`.
    Certificate,
}

/// Why a probe failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The check's timeout passed.
    Timeout,
    /// The connection was refused.
    Refused,
    /// The connection broke before an answer.
    Reset,
    /// No route from the network in between, or an ICMP error.
    Unreachable,
    /// The handshake failed or the certificate was not accepted; the reason in words.
    Tls(String),
    /// Another status than expected.
    Status(u16),
    /// 429: the target asks for fewer requests; the interval is not shortened.
    TooMany,
    /// The body lacks the expected text.
    Body,
    /// A header field lacks the expected value; its name.
    Header(String),
    /// Slower than `expect.latency` with `fail = true`.
    Latency,
    /// The certificate ends before `expect.cert` with `fail = true`.
    Certificate,
    /// What came is not HTTP.
    Protocol(String),
    /// The target's name has no addresses any more, or those who should know them do not say so for too long.
    Name,
    /// The probe passed, and the check is inverted; only the judge says so.
    Inverted,
}

/// Why this node cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OwnFault {
    /// No route or no address of the family.
    NoFamily,
    /// No file descriptors, ports or buffers left.
    NoResources,
    /// The probe was started or ended late by this node.
    Lag,
    /// The resolver does not answer, so that nothing is known of where the target is.
    Resolver,
}

impl Failure {
    /// A stable word for labels and events.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Reset => "reset",
            Self::Unreachable => "unreachable",
            Self::Tls(_) => "tls",
            Self::Status(_) | Self::TooMany => "status",
            Self::Body => "body",
            Self::Header(_) => "header",
            Self::Latency => "latency",
            Self::Certificate => "certificate",
            Self::Protocol(_) => "protocol",
            Self::Name => "name",
            Self::Inverted => "inverted",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tls(why) => write!(f, "TLS: {why}"),
            Self::Status(status) => write!(f, "status {status}"),
            Self::TooMany => f.write_str("status 429, asked for fewer requests"),
            Self::Body => f.write_str("the body lacks the expected text"),
            Self::Header(name) => write!(f, "header {name} lacks the expected value"),
            Self::Protocol(why) => write!(f, "not HTTP: {why}"),
            Self::Name => f.write_str("the name does not resolve"),
            Self::Latency => f.write_str("slower than expect.latency"),
            Self::Certificate => f.write_str("the certificate ends too soon"),
            Self::Inverted => f.write_str("it answers, and the check is inverted"),
            Self::Timeout | Self::Refused | Self::Reset | Self::Unreachable => f.write_str(self.word()),
        }
    }
}

impl Complaint {
    /// A stable word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Certificate => "certificate",
        }
    }
}

impl OwnFault {
    /// A stable word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NoFamily => "no-family",
            Self::NoResources => "no-resources",
            Self::Lag => "lag",
            Self::Resolver => "resolver",
        }
    }
}

/// How long the parts of a probe took; a part that was not reached is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Phases {
    /// Until the TCP connection stood.
    pub connect: Option<Duration>,
    /// The TLS handshake.
    pub tls: Option<Duration>,
    /// From the request to the first byte of the answer.
    pub first_byte: Option<Duration>,
    /// All of it.
    pub total: Duration,
}

/// How soon a target is probed again, as its standing asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tempo {
    /// Every interval.
    #[default]
    Steady,
    /// It wavers: `min(interval, recheck)`.
    Recheck,
    /// Not decided yet: `min(interval, 1 s)`.
    Undecided,
    /// Down for over an hour: 3 intervals.
    Rested,
}
