//! Pools and services: which endpoints stand together, and how names choose among pools.

use super::{CheckIx, DnsName, EndpointIx, PoolId, PoolIx, ServiceId, SubjectIx, Weight};

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
    /// By chance in proportion to weight.
    Weighted,
    /// By turns.
    RoundRobin,
    /// Evenly by chance.
    Random,
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

words!(PoolAnswer { All = "all", First = "first", RoundRobin = "round-robin", Random = "random", Weighted = "weighted" });
words!(Steer { Failover = "failover", Weighted = "weighted", RoundRobin = "round-robin", Random = "random", All = "all" });
words!(WhenNone {
    ServeAll = "serve-all",
    LastGood = "last-good",
    LastResort = "last-resort",
    Nodata = "nodata",
    Servfail = "servfail",
});
