//! Pools and services: which endpoints stand together, and how names choose among pools.

use std::time::Duration;

use ipnet::IpNet;

use super::{CheckIx, DnsName, EndpointIx, GeoCode, PoolId, PoolIx, ServiceId, SubjectIx, Weight};

/// Most endpoints in one answer.
pub const ANSWER_ENDPOINTS_MAX: u8 = 8;
/// Most endpoints of one pool.
pub const POOL_MEMBERS_MAX: usize = 4096;

/// Endpoints that stand for one site or tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its id. An implicit pool carries its service's id.
    pub id: PoolId,
    /// Never empty, no endpoint twice, in order of preference.
    pub members: Box<[Member]>,
    /// How one answer is drawn.
    pub answer: PoolAnswer,
    /// How many endpoints one answer holds; 1 to [`ANSWER_ENDPOINTS_MAX`].
    pub count: u8,
    /// Below it the pool is closed and the next one is tried.
    pub min_up: MinUp,
    /// Its check; an endpoint's own stands before it, the service's behind it.
    pub check: Option<CheckIx>,
    /// Made from a service's `endpoints`.
    pub implicit: bool,
    /// Where degraded members stand.
    pub degraded: Degraded,
    /// How long the share of a recovered member grows; the service's where the pool has none.
    pub ramp: Option<Duration>,
}

/// Where members stand that work with a complaint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Degraded {
    /// Among the others.
    #[default]
    Same,
    /// Behind all that work without one.
    Last,
}

/// An endpoint in a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Which.
    pub endpoint: EndpointIx,
    /// Its share in this pool.
    pub weight: Weight,
}

/// How a pool answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolAnswer {
    /// All that are healthy, up to [`ANSWER_ENDPOINTS_MAX`].
    All,
    /// The first healthy ones in the order written.
    First,
    /// By turns.
    RoundRobin,
    /// Evenly by chance.
    Random,
    /// By chance in proportion to weight.
    Weighted,
    /// The less loaded of two drawn by weight.
    LeastConnections,
    /// By the client's network: the same client, the same endpoint, as long as it serves.
    Hash,
}

/// Health a pool needs to be open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MinUp {
    /// 1 up to 4 endpoints, 34 % of weight from 5 on.
    Auto,
    /// So many endpoints.
    Count(u16),
    /// This share of the weight, in percent; 1 to 100.
    Share(u8),
}

/// Names, ordered pools and the policy that chooses among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// Never empty; a name may be a wildcard.
    pub names: Box<[DnsName]>,
    /// Never empty, in order of preference.
    pub arms: Box<[Arm]>,
    /// How one of the open pools is chosen.
    pub steer: Steer,
    /// TTL of its answers in seconds.
    pub ttl: u32,
    /// What is answered when nothing is healthy.
    pub when_none: WhenNone,
    /// The pool behind all others.
    pub last_resort: Option<Arm>,
    /// Its check; the endpoint's and the pool's stand before it.
    pub check: Option<CheckIx>,
    /// Who is asked about it.
    pub owner: Option<String>,
    /// What to read when it breaks.
    pub runbook: Option<String>,
    /// First match wins; the service's own arms are the catch-all.
    pub rules: Box<[Rule]>,
    /// What else is set about its answers.
    pub tuning: Tuning,
}

/// What is set about a service's answers beyond its pools. The default is a service that sets nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tuning {
    /// The least TTL in seconds, which it shrinks to while an answer may soon change; at most the service's `ttl`.
    pub ttl_min: u32,
    /// The same client network is answered the same.
    pub sticky: Option<Sticky>,
    /// Of [`TRICKLE_WHOLE`] answers so many go to the next pool.
    pub trickle: u16,
    /// A recovered pool must stay up this long before it is taken again.
    pub failback: Duration,
    /// How long the share of a recovered pool or member grows from a tenth to the whole.
    pub ramp: Duration,
    /// An answer of several endpoints spans at least so many providers, where so many serve; 1 asks nothing.
    pub spread: u8,
    /// HTTPS records are answered from the same decision (RFC 9460).
    pub https: Option<Https>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            ttl_min: 5,
            sticky: None,
            trickle: 0,
            failback: Duration::ZERO,
            ramp: Duration::ZERO,
            spread: 1,
            https: None,
        }
    }
}

/// What [`Tuning::trickle`] is a part of.
pub const TRICKLE_WHOLE: u16 = 10_000;

/// How much of a client's address decides what it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sticky {
    /// Bits of an IPv4 address; 1 to 32.
    pub v4: u8,
    /// Bits of an IPv6 address; 1 to 128.
    pub v6: u8,
}

impl Default for Sticky {
    fn default() -> Self {
        Self { v4: 24, v6: 56 }
    }
}

/// What HTTPS records of a service say beside its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Https {
    /// ALPN protocol ids in order of preference, never empty; each 1 to 255 octets.
    pub alpn: Box<[String]>,
}

/// Other pools, or another order of them, for some clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// For whom.
    pub when: When,
    /// Never empty, in order of preference.
    pub arms: Box<[Arm]>,
    /// How one of the open pools is chosen.
    pub steer: Steer,
    /// Never leave these pools, even when all of them are down. Otherwise the service's own follow.
    pub geofence: bool,
    /// Where it stands, for people: `wayshift.toml:141`.
    pub place: String,
}

/// Which clients a rule is for: each kind that is not empty must match; inside a kind one is enough. Not all are empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct When {
    /// Networks.
    pub subnets: Box<[IpNet]>,
    /// Places.
    pub geo: Box<[GeoCode]>,
    /// Autonomous systems.
    pub asn: Box<[u32]>,
}

/// A pool as one service sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arm {
    /// Which pool.
    pub pool: PoolIx,
    /// The pool's share where the service steers by weight.
    pub weight: Weight,
    /// What is judged for each member, in the order of the pool's members.
    pub subjects: Box<[SubjectIx]>,
}

/// How a service chooses among its open pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steer {
    /// The first open one.
    Failover,
    /// The one nearest to the client.
    Nearest,
    /// The one that answers fastest from where the client is.
    Fastest,
    /// By chance in proportion to weight.
    Weighted,
    /// By turns.
    RoundRobin,
    /// Evenly by chance.
    Random,
    /// The less loaded of two drawn by weight.
    LeastConnections,
    /// The healthy endpoints of all of them together.
    All,
}

/// What is answered when no pool is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenNone {
    /// Health is ignored, nothing else is.
    ServeAll,
    /// The last set answered while healthy.
    LastGood,
    /// The pool `last_resort`.
    LastResort,
    /// No data, with SOA.
    Nodata,
    /// Server failure.
    Servfail,
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// Every value with the word it is written as.
            pub const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];

            /// The word it is written as.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }
    };
}
pub(crate) use words;

words!(PoolAnswer {
    All = "all",
    First = "first",
    RoundRobin = "round-robin",
    Random = "random",
    Weighted = "weighted",
    LeastConnections = "least-connections",
    Hash = "hash",
});
words!(Steer {
    Failover = "failover",
    Nearest = "nearest",
    Fastest = "fastest",
    Weighted = "weighted",
    RoundRobin = "round-robin",
    Random = "random",
    LeastConnections = "least-connections",
    All = "all",
});
words!(Degraded { Same = "same", Last = "last" });
words!(WhenNone {
    ServeAll = "serve-all",
    LastGood = "last-good",
    LastResort = "last-resort",
    Nodata = "nodata",
    Servfail = "servfail",
});
