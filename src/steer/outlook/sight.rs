//! What one viewpoint is answered: a set with shares, by ids and with what is answered for each.

use std::{collections::HashMap, fmt};

use super::viewpoint::Viewpoint;
use crate::{
    model::{EndpointId, Family, Fleet, Pool, PoolAnswer, PoolId, Service, ServiceIx, Steer},
    steer::{AnswerSet, AnswerTable, Client, Draw, Picks, PoolShare, decide::Basis, explain::Answered},
};

/// The whole of a share.
pub const SHARE_WHOLE: u32 = 1000;
/// Draws by which a pool that depends on the client's place is found: the pool that most of them come from.
const DRAWS: u32 = 16;

/// What is answered in one family; equal for clients that are answered alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// On what ground.
    pub basis: Basis,
    /// TTL in seconds, while nothing is about to change.
    pub ttl: u32,
    /// Where the rule stands that answers; `None` where none is for the client.
    pub rule: Option<String>,
    /// From which pools; empty where nothing is answered. A trickle to the next pool is left out.
    pub pools: Vec<PoolSight>,
}

/// A pool's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSight {
    /// Which.
    pub pool: PoolId,
    /// Of [`SHARE_WHOLE`] answers so many come from it.
    pub share: u32,
    /// How one answer is drawn from it.
    pub answer: PoolAnswer,
    /// What may be answered.
    pub endpoints: Vec<EndpointSight>,
}

/// An endpoint's part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointSight {
    /// Which.
    pub endpoint: EndpointId,
    /// What is answered for it.
    pub answered: Answered,
    /// Of [`SHARE_WHOLE`] answers of the pool so many hold it.
    pub share: u32,
}

impl Sight {
    /// Whether a client gets the same from both, and it is healthy in both or in neither. The ground beside that and the
    /// rule's place change nothing for it.
    #[must_use]
    pub fn answers_like(&self, other: &Self) -> bool {
        let nothing = self.pools.is_empty() && self.basis != other.basis;
        let alarm = self.basis.is_none_healthy() != other.basis.is_none_healthy();
        self.pools == other.pools && self.ttl == other.ttl && !nothing && !alarm
    }

    /// Its endpoints with their pool.
    pub fn endpoints(&self) -> impl Iterator<Item = (&PoolId, &EndpointSight)> {
        self.pools.iter().flat_map(|pool| pool.endpoints.iter().map(move |one| (&pool.pool, one)))
    }
}

/// `eu aws-euw 70 %, gcp-euw 30 %`.
impl fmt::Display for Sight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pools.is_empty() {
            return f.write_str(if self.basis == Basis::Servfail { "SERVFAIL" } else { "NODATA" });
        }
        for (place, pool) in self.pools.iter().enumerate() {
            let before = if place == 0 { "" } else { "; " };
            write!(f, "{before}{}", pool.pool)?;
            if 1 < self.pools.len() && pool.share < SHARE_WHOLE {
                write!(f, " {}", Percent(pool.share))?;
            }
            for (place, one) in pool.endpoints.iter().enumerate() {
                write!(f, "{} {}", if place == 0 { "" } else { "," }, one.endpoint)?;
                if 1 < pool.endpoints.len() && pool.answer == PoolAnswer::Weighted {
                    write!(f, " {}", Percent(one.share))?;
                }
            }
        }
        match self.basis {
            Basis::Healthy => Ok(()),
            Basis::Short
            | Basis::Panic
            | Basis::Standby
            | Basis::Kept
            | Basis::ServeAll
            | Basis::LastGood
            | Basis::LastResort
            | Basis::Nodata
            | Basis::Servfail
            | Basis::NoFamily => write!(f, " ({})", self.basis.word()),
        }
    }
}

/// A share as people read it: whole percents, or a tenth where it is small.
struct Percent(u32);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 10, self.0 % 10) {
            (whole, 0) => write!(f, "{whole} %"),
            (whole, tenth) => write!(f, "{whole}.{tenth} %"),
        }
    }
}

/// A table looked at from many places; services are decided once.
pub(super) struct Scene<'t> {
    table: &'t AnswerTable,
    sets: HashMap<ServiceIx, Vec<AnswerSet>>,
}

impl<'t> Scene<'t> {
    pub(super) fn new(table: &'t AnswerTable, services: &[ServiceIx]) -> Self {
        let mut sets: HashMap<ServiceIx, Vec<AnswerSet>> = HashMap::new();
        for set in table.answers(Some(services)) {
            if let Some(service) = table.snapshot().fleet.find_service(&set.service) {
                sets.entry(service).or_default().push(set);
            }
        }
        Self { table, sets }
    }

    pub(super) fn fleet(&self) -> &'t Fleet {
        &self.table.snapshot().fleet
    }

    pub(super) fn service(&self, ix: ServiceIx) -> &'t Service {
        self.fleet().service(ix)
    }

    /// What a viewpoint is answered; `None` where the family has nothing.
    pub(super) fn sight(&self, ix: ServiceIx, family: Family, from: &Viewpoint) -> Option<Sight> {
        let fleet = self.fleet();
        let service = fleet.service(ix);
        let steering = self.table.steering(ix);
        let rule = match from {
            Viewpoint::Rule { nth, place } if service.rules.get(*nth).is_some_and(|rule| rule.place == *place) => {
                Some(*nth)
            }
            Viewpoint::Rule { .. } | Viewpoint::Anyone | Viewpoint::From(_) => {
                steering.rule(&mut from.client(self.table.locator(), fleet))
            }
        };
        let nth = |set: &&AnswerSet| set.rule.as_ref().map(|rule| rule.nth) == rule && set.family == family;
        let set = self.sets.get(&ix)?.iter().find(nth)?;
        let pools = match set.steer {
            Steer::Failover => &set.pools[..set.pools.len().min(1)],
            Steer::Nearest | Steer::Fastest if 1 < set.pools.len() => {
                let client = from.client(self.table.locator(), fleet);
                let found =
                    self.found(ix, family, client).and_then(|pool| set.pools.iter().position(|one| one.pool == pool));
                std::slice::from_ref(&set.pools[found.unwrap_or(0)])
            }
            Steer::Nearest
            | Steer::Fastest
            | Steer::Weighted
            | Steer::RoundRobin
            | Steer::Random
            | Steer::LeastConnections
            | Steer::All => &set.pools[..],
        };
        let rule = set.rule.as_ref().map(|rule| rule.place.clone());
        Some(Sight { basis: set.basis, ttl: service.ttl, rule, pools: parts(fleet, family, set.steer, pools) })
    }

    /// The pool that a client at some place is sent to, as a door would find it.
    fn found(&self, ix: ServiceIx, family: Family, mut client: Client<'_>) -> Option<PoolId> {
        let steering = self.table.steering(ix);
        let mut picks = Picks::new();
        let mut seen = HashMap::new();
        for nth in 0..DRAWS {
            let word = (u64::from(nth) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let draw = Draw { word, turn: nth, now: self.table.snapshot().at.mono };
            steering.pick(family, &mut client, draw, &mut picks);
            *seen.entry(picks.seats().next()?.pool).or_insert(0_u32) += 1;
        }
        let most = seen.into_iter().max_by_key(|(pool, count)| (*count, std::cmp::Reverse(*pool)));
        most.map(|(pool, _)| self.fleet().pool(pool).id.clone())
    }
}

fn parts(fleet: &Fleet, family: Family, steer: Steer, pools: &[PoolShare]) -> Vec<PoolSight> {
    let weight = |pool: &PoolShare| match steer {
        Steer::Weighted | Steer::LeastConnections => u64::from(pool.weight.0),
        Steer::All => pool.endpoints.iter().map(|one| drawn(pool.answer, one.1.0)).sum(),
        Steer::Failover | Steer::Nearest | Steer::Fastest | Steer::RoundRobin | Steer::Random => 1,
    };
    let shares = shares(pools.iter().map(weight));
    pools.iter().zip(shares).map(|(pool, share)| part(fleet, family, pool, share)).collect()
}

fn part(fleet: &Fleet, family: Family, pool: &PoolShare, share: u32) -> PoolSight {
    let count = fleet.find_pool(&pool.pool).map(|ix| fleet.pool(ix)).map_or(1, |pool: &Pool| usize::from(pool.count));
    let endpoints = match pool.answer {
        PoolAnswer::First => &pool.endpoints[..count.min(pool.endpoints.len())],
        PoolAnswer::All
        | PoolAnswer::RoundRobin
        | PoolAnswer::Random
        | PoolAnswer::Weighted
        | PoolAnswer::LeastConnections
        | PoolAnswer::Hash => &pool.endpoints[..],
    };
    // One of weight 0 is answered only where all are of weight 0, and then evenly.
    let weights = endpoints.iter().map(|(_, weight)| drawn(pool.answer, weight.0));
    let mut shares: Vec<u32> = shares(weights).collect();
    if endpoints.len() <= count {
        shares.fill(SHARE_WHOLE);
    }
    let sight = |((id, _), share): (&(EndpointId, crate::model::Weight), u32)| {
        let endpoint = fleet.endpoint(fleet.find_endpoint(id.as_str())?);
        let answered = match endpoint.target() {
            Some(target) => Answered::Target(target.clone()),
            None => Answered::Address(endpoint.address(family)?),
        };
        Some(EndpointSight { endpoint: id.clone(), answered, share })
    };
    let endpoints = endpoints.iter().zip(shares).filter_map(sight).collect();
    PoolSight { pool: pool.pool.clone(), share, answer: pool.answer, endpoints }
}

/// What an endpoint counts in a draw.
fn drawn(answer: PoolAnswer, weight: u16) -> u64 {
    match answer {
        PoolAnswer::Weighted | PoolAnswer::Hash | PoolAnswer::LeastConnections => weight.into(),
        PoolAnswer::All | PoolAnswer::First | PoolAnswer::RoundRobin | PoolAnswer::Random => 1,
    }
}

/// Weights as parts of [`SHARE_WHOLE`]; alike where none has any.
fn shares(weights: impl Iterator<Item = u64> + Clone) -> impl Iterator<Item = u32> {
    let (count, sum) = weights.clone().fold((0, 0), |(count, sum), weight| (count + 1, sum + weight));
    weights.map(move |weight| {
        let whole = u64::from(SHARE_WHOLE);
        let share = (weight * whole + sum / 2).checked_div(sum).unwrap_or(whole / count);
        u32::try_from(share).unwrap_or(SHARE_WHOLE)
    })
}
