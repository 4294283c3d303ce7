//! An explanation as data, by ids: one step behind the other, as `wayshift explain` prints them.

use std::net::IpAddr;

use crate::{
    model::{
        Availability, Cause, DnsName, EndpointId, Family, Health, MinUp, NodeId, OverrideId, PoolAnswer, PoolId,
        ServiceId, Steer, Tally, Weight,
    },
    steer::{
        Outcome,
        decide::{Basis, PoolState},
    },
};

/// Why a name and type get their answer for one draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// What was asked.
    pub name: DnsName,
    /// The type's number.
    pub kind: u16,
    /// Which node explains.
    pub node: NodeId,
    /// Of which snapshot.
    pub generation: u64,
    /// Step 1: what the name is.
    pub at: NameTrace,
    /// The other steps, where the name belongs to a service.
    pub steering: Option<SteeringTrace>,
}

/// What a name is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameTrace {
    /// In none of our zones.
    NotOurs,
    /// Absent.
    NoName {
        /// From which zone.
        zone: DnsName,
    },
    /// At or below a zone cut.
    Referral {
        /// In which zone.
        zone: DnsName,
        /// Which cut.
        cut: DnsName,
    },
    /// Below a DNAME.
    Dname {
        /// In which zone.
        zone: DnsName,
        /// Which DNAME.
        owner: DnsName,
    },
    /// There.
    Found {
        /// In which zone.
        zone: DnsName,
        /// By a wildcard.
        wildcard: bool,
        /// Types with fixed records.
        kinds: Vec<u16>,
    },
}

/// How a service came to its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SteeringTrace {
    /// Which service.
    pub service: ServiceId,
    /// How it chooses among its pools.
    pub steer: Steer,
    /// TTL of the answer in seconds.
    pub ttl: u32,
    /// The governing pin: to which pool, by which order, and whether it is void because the pool has nothing servable.
    pub pin: Option<(PoolId, OverrideId, bool)>,
    /// Every override that governs something here.
    pub overrides: Vec<OverrideId>,
    /// The pools in order, the last resort behind them.
    pub pools: Vec<PoolTrace>,
    /// Drained endpoints that go on serving.
    pub kept: Vec<EndpointId>,
    /// What was picked; `None` for types other than A and AAAA.
    pub pick: Option<PickTrace>,
}

/// A pool in an explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolTrace {
    /// Which pool.
    pub pool: PoolId,
    /// Its share, where the service steers by weight.
    pub weight: Weight,
    /// It is the last resort.
    pub last_resort: bool,
    /// Whether it takes part.
    pub state: PoolState,
    /// How many members count as up for opening it.
    pub serving: usize,
    /// What it needs.
    pub min_up: MinUp,
    /// Its members.
    pub members: Vec<MemberTrace>,
}

/// A member in an explanation: in the family asked, or the worse one where none was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberTrace {
    /// Which endpoint.
    pub endpoint: EndpointId,
    /// Its address; `None` without one of the family, as are the next four.
    pub address: Option<IpAddr>,
    /// What counts in this membership.
    pub health: Option<Health>,
    /// What the votes say.
    pub measured: Option<Health>,
    /// Why they say it.
    pub cause: Option<Cause>,
    /// The votes.
    pub tally: Option<Tally>,
    /// Its share in force.
    pub weight: Weight,
    /// The order that set the share.
    pub weighted_by: Option<OverrideId>,
    /// The governing availability order.
    pub order: Option<(Availability, OverrideId)>,
}

/// What was picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PickTrace {
    /// In which family.
    pub family: Family,
    /// On what ground.
    pub basis: Basis,
    /// The answer mode of the pool that was drawn from; `None` where nothing was.
    pub answer: Option<PoolAnswer>,
    /// The first draw, where chance decided inside the pool.
    pub drawn: Option<Drawn>,
    /// What came of it.
    pub outcome: Outcome,
    /// Pool, endpoint and what is answered for it, in the order of the answer.
    pub picked: Vec<(PoolId, EndpointId, Answered)>,
    /// Who would answer next.
    pub next: Vec<NextTrace>,
}

/// What is answered for an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// An address.
    Address(IpAddr),
    /// Another name.
    Target(DnsName),
}

impl std::fmt::Display for Answered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => write!(f, "{address}"),
            Self::Target(name) => write!(f, "{name}"),
        }
    }
}

/// `drew 41 of 100`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// Where the draw fell, from 0.
    pub point: u64,
    /// The sum of the weights, or how many there are where all count alike.
    pub of: u64,
}

/// Endpoints that would answer next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextTrace {
    /// Of which pool.
    pub pool: PoolId,
    /// Which.
    pub endpoints: Vec<EndpointId>,
    /// The pool is the last resort.
    pub last_resort: bool,
}
