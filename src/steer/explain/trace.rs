//! An explanation as data, by ids: one step behind the other, as `wayshift explain` prints them.

use std::{fmt, net::IpAddr, time::Duration};

use ipnet::IpNet;

use crate::{
    model::{
        Availability, Cause, DnsName, EndpointId, Family, GeoCode, Health, Hold, Load, MinUp, NodeId, OverrideId,
        PoolAnswer, PoolId, RegionId, ServiceId, Steer, Tally, Weight,
    },
    steer::{
        Outcome,
        decide::{Basis, PoolState},
    },
};

/// Why a name and type get their answer for one draw.
#[derive(Debug, Clone, PartialEq)]
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
#[derive(Debug, Clone, PartialEq)]
pub struct SteeringTrace {
    /// Which service.
    pub service: ServiceId,
    /// What was looked at of who asks.
    pub client: ClientTrace,
    /// The rule that is for this client; without it the service's own pools answer.
    pub rule: Option<RuleTrace>,
    /// How one of the pools is chosen.
    pub steer: Steer,
    /// TTL of its answers in seconds, while nothing is about to change.
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

/// Who asks, as far as the answer looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTrace {
    /// Its code.
    pub geo: Option<GeoCode>,
    /// The autonomous system that announces it.
    pub asn: Option<u32>,
    /// Its place on the globe is known.
    pub placed: bool,
    /// How many bits of its address the answer depends on (RFC 7871 section 7.2.1).
    pub scope: u8,
}

/// The rule that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleTrace {
    /// Its place among the rules of the service, from 0.
    pub nth: usize,
    /// Where it stands: `wayshift.toml:141`.
    pub place: String,
    /// What of it fits the client, one of each kind that it names.
    pub because: Vec<Fit>,
    /// It never leaves its pools.
    pub geofence: bool,
}

/// What of a rule fits a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// The client is in this network.
    Subnet(IpNet),
    /// The client is at this place.
    Geo(GeoCode),
    /// The client belongs to this autonomous system.
    Asn(u32),
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subnet(net) => write!(f, "subnet {net}"),
            Self::Geo(code) => write!(f, "geo {code}"),
            Self::Asn(number) => write!(f, "asn {number}"),
        }
    }
}

/// A pool in an explanation.
#[derive(Debug, Clone, PartialEq)]
pub struct PoolTrace {
    /// Which pool.
    pub pool: PoolId,
    /// Its weight, where the service steers by weight.
    pub weight: Weight,
    /// In percent of what it would have: below 100 while it comes back.
    pub share: u8,
    /// For so long it still stands behind pools that are open for longer (`failback`).
    pub waits: Option<Duration>,
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
#[derive(Debug, Clone, PartialEq)]
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
    /// Its weight in force.
    pub weight: Weight,
    /// The order that set the weight.
    pub weighted_by: Option<OverrideId>,
    /// The governing availability order.
    pub order: Option<(Availability, OverrideId)>,
    /// In percent of its weight: below 100 while it comes back, or leaves in steps.
    pub share: u8,
    /// A drain takes it out in steps and is not through yet.
    pub leaving: bool,
    /// How long ago it came back, where a ramp or failback may still ask.
    pub returned: Option<Duration>,
    /// What holds its health away from what was measured.
    pub hold: Option<Hold>,
    /// It wavers: in so much time it may be down.
    pub flips_in: Option<Duration>,
    /// How busy it is, where loads decide between pools or inside this one.
    pub busy: Option<BusyTrace>,
}

/// How busy an endpoint is, as a choice by load reads it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BusyTrace {
    /// Its load; `None` while none is known, or not any more: then it is not compared.
    pub load: Option<Load>,
    /// What it can carry; `None` where nothing is set, and its weight stands for it.
    pub capacity: Option<u32>,
}

/// What was picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PickTrace {
    /// In which family.
    pub family: Family,
    /// On what ground.
    pub basis: Basis,
    /// The rule has nothing as good, and what the service answers without it stands in.
    pub stands_in: bool,
    /// How one of the pools was chosen.
    pub steer: Steer,
    /// The pools in the order in which they come for this client, where one is chosen by place, path or order.
    pub ranking: Vec<RankTrace>,
    /// Where paths were measured from that stand for this client, for `fastest`.
    pub vantage: Option<RegionId>,
    /// The answer mode of the pool that was drawn from; `None` where nothing was.
    pub answer: Option<PoolAnswer>,
    /// The first draw, where chance decided inside the pool.
    pub drawn: Option<Drawn>,
    /// What came of it.
    pub outcome: Outcome,
    /// Pool, endpoint and what is answered for it, in the order of the answer.
    pub picked: Vec<(PoolId, EndpointId, Answered)>,
    /// For how many seconds it may be remembered.
    pub ttl: u32,
    /// Why no longer.
    pub until: Until,
    /// Who would answer next.
    pub next: Vec<NextTrace>,
}

/// A pool in the order for one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RankTrace {
    /// Which.
    pub pool: PoolId,
    /// In percent: it is passed over with the chance that is missing.
    pub share: u8,
    /// From the client to its nearest endpoint, in kilometres.
    pub distance_km: Option<u32>,
    /// From the vantage to its best endpoint, in microseconds.
    pub path_us: Option<u32>,
}

/// How long an answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Until {
    /// Nothing is about to change.
    Steady,
    /// One of its endpoints wavers and may be down then.
    Wavers {
        /// Which.
        endpoint: EndpointId,
        /// In so much time.
        left: Duration,
    },
    /// A failback, an override or a drain in steps ends.
    Timer {
        /// In so much time.
        left: Duration,
    },
}

/// What is answered for an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// An address.
    Address(IpAddr),
    /// Another name.
    Target(DnsName),
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
