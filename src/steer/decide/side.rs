//! What is answered in one family, as data.

use crate::model::{EndpointIx, Mono, PoolIx, Steer, Weight};

/// What is answered in one family, and on what ground.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Why these.
    pub basis: Basis,
    /// How one of the pools is chosen.
    pub steer: Steer,
    /// The first pool written in the list that answers.
    pub lead: PoolIx,
    /// A rule has nothing as good: this is what the service answers without it.
    pub stands_in: bool,
    /// How many of the choices an answer is drawn from now; at least one where there are any.
    pub reach: usize,
    /// What.
    pub answers: Answers,
}

/// On what ground a family is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// Healthy members of open pools.
    Healthy,
    /// Healthy members of pools below their `min_up`: no pool is open.
    Short,
    /// Health is ignored inside a pool of which too little serves.
    Panic,
    /// Healthy members of weight 0: nothing else is healthy.
    Standby,
    /// Healthy drained members: nothing else is healthy.
    Kept,
    /// Nothing is healthy: as if every endpoint were up.
    ServeAll,
    /// Nothing is healthy: the last set answered while healthy.
    LastGood,
    /// Nothing is healthy: the last resort.
    LastResort,
    /// Nothing is healthy: no data, as set.
    Nodata,
    /// Nothing is healthy: server failure, as set or because nothing may be served at all.
    Servfail,
    /// No endpoint of the service has an address of this family.
    NoFamily,
}

impl Basis {
    /// The word it is shown as.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Short => "short",
            Self::Panic => "panic",
            Self::Standby => "standby",
            Self::Kept => "kept",
            Self::ServeAll => "serve-all",
            Self::LastGood => "last-good",
            Self::LastResort => "last-resort",
            Self::Nodata => "nodata",
            Self::Servfail => "servfail",
            Self::NoFamily => "no-family",
        }
    }

    /// Whether `when_none_healthy` answers.
    #[must_use]
    pub fn is_none_healthy(self) -> bool {
        match self {
            Self::ServeAll | Self::LastGood | Self::LastResort | Self::Nodata | Self::Servfail => true,
            Self::Healthy | Self::Short | Self::Panic | Self::Standby | Self::Kept | Self::NoFamily => false,
        }
    }

    /// Whether what is answered is healthy; such a set is remembered for `last-good`.
    #[must_use]
    pub fn is_healthy(self) -> bool {
        match self {
            Self::Healthy | Self::Short | Self::Standby | Self::Kept => true,
            Self::Panic
            | Self::ServeAll
            | Self::LastGood
            | Self::LastResort
            | Self::Nodata
            | Self::Servfail
            | Self::NoFamily => false,
        }
    }
}

/// What may be answered in one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answers {
    /// From these pools, in order of preference; never empty.
    From(Box<[Choice]>),
    /// Nothing, with SOA.
    NoData,
    /// Server failure.
    ServFail,
}

/// A pool that may answer, with the members that may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Which pool.
    pub pool: PoolIx,
    /// Its weight, where the service steers by weight.
    pub weight: Weight,
    /// In percent of that weight: below 100 while the pool comes back.
    pub share: u8,
    /// Never empty; each has an address of the family. In the order of the pool.
    pub members: Box<[Candidate]>,
}

/// A member that may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Which endpoint.
    pub endpoint: EndpointIx,
    /// Its weight in force.
    pub weight: Weight,
    /// In percent of that weight: below 100 while it comes back, or leaves in steps.
    pub share: u8,
    /// The earliest time at which it may become down.
    pub flips_at: Option<Mono>,
}

impl Side {
    /// All pools that may answer, in order of preference.
    #[must_use]
    pub fn choices(&self) -> &[Choice] {
        match &self.answers {
            Answers::From(choices) => choices,
            Answers::NoData | Answers::ServFail => &[],
        }
    }

    /// The pools an answer is drawn from now: where the service fails over, the first alone, unless that one comes back
    /// step by step or some part always goes to the next.
    #[must_use]
    pub fn in_force(&self) -> &[Choice] {
        let choices = self.choices();
        &choices[..choices.len().min(self.reach)]
    }
}
