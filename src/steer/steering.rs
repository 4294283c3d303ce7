//! What one service answers, compiled: for each rule and family the pools that may answer and their members, ready to
//! be drawn.
//!
//! Why rules are boxed: there may be 100,000 services, and few have any.

mod make;

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

pub(super) use self::make::{Making, answer};
use super::{locate::Client, pick::Seat, wheel::Wheel};
use crate::model::{
    EndpointId, EndpointIx, Family, Fleet, Mono, Point, PoolAnswer, PoolId, PoolIx, RegionId, ServiceId, ServiceIx,
    Steer, Sticky, When,
};

/// One service's answers. Shared by the tables in which nothing about it differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Steering {
    id: ServiceId,
    ix: ServiceIx,
    pub(super) tuned: Tuned,
    /// For clients that no rule is for.
    pub(super) sides: [Side; 2],
    /// Which of them are the last set answered while healthy.
    pub(super) stale: [bool; 2],
    /// First match wins.
    rules: Box<[Ruled]>,
    /// The last set answered while healthy, kept only where `when_none_healthy` asks for it.
    good: Option<Box<[(PoolIx, EndpointIx)]>>,
}

/// What holds for all answers of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tuned {
    /// Seconds.
    pub(super) ttl: u32,
    /// Seconds; what [`Tuned::ttl`] shrinks to while an answer may soon change.
    pub(super) ttl_min: u32,
    /// It shrinks in steps of so many milliseconds; never 0.
    pub(super) step_ms: u32,
    /// When a timer that touches the service ends next: a failback, an override, a drain in steps.
    pub(super) deadline: Option<Mono>,
    pub(super) sticky: Option<Sticky>,
    /// Of [`TRICKLE_WHOLE`](crate::model::TRICKLE_WHOLE) answers so many come from the second pool in order.
    pub(super) trickle: u16,
    /// So many providers in an answer of several endpoints, where so many serve.
    pub(super) spread: u8,
    /// One of its endpoints is another name.
    pub(super) has_targets: bool,
    /// Nothing that is answered depends on who asks.
    pub(super) is_blind: bool,
}

/// A rule's answers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ruled {
    pub(super) when: Arc<When>,
    pub(super) sides: [Side; 2],
    pub(super) stale: [bool; 2],
}

/// One family. Small, because there may be 100,000 services.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Side {
    NoData,
    ServFail,
    One(Arc<Row>),
    Many(Box<Many>),
}

/// Several pools that may answer. While healthy ones do, those that wait for their failback are not among them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Many {
    /// Of the rule, or of the service where it answers for a rule.
    pub(super) steer: Steer,
    /// At least two, in order of preference.
    pub(super) rows: Box<[PoolRow]>,
    /// None of them has less than its whole share.
    pub(super) whole: bool,
    /// All [`PoolRow::points`] in order, each with the place of its row; only for `nearest`, which looks at each.
    pub(super) spots: Box<[(Point, u32)]>,
    /// If chance in proportion to weight (or share, while a pool comes back) chooses among them.
    pub(super) wheel: Option<Wheel>,
    /// Where from paths are known, for `fastest`.
    pub(super) vantages: Arc<[Vantage]>,
}

/// A region from which paths have been measured.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Vantage {
    pub(super) region: RegionId,
    pub(super) point: Point,
}

/// A pool among several.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PoolRow {
    pub(super) row: Arc<Row>,
    pub(super) pool: PoolIx,
    /// What rendezvous hashing knows it by.
    pub(super) key: u64,
    /// In percent: below 100 while it comes back. Where order and not chance chooses, it is passed over with the
    /// chance that is missing.
    pub(super) share: u8,
    /// How busy it is, comparable with the others; `None` if that is not known of one of its endpoints.
    pub(super) busy: Option<Busy>,
    /// Where those of its endpoints lie that may answer; only for `nearest` and `fastest`, none twice.
    pub(super) points: Box<[Point]>,
    /// Only for `fastest`: from each of [`Many::vantages`] the microseconds to its best endpoint.
    pub(super) paths: Box<[Option<u32>]>,
}

/// Load relative to capacity, or to weight where no capacity is set: greater is busier. Millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Busy(pub(super) u64);

/// A pool that may answer (or several merged into one); its seats are never empty, no address twice. Where a target is
/// among them one is answered alone (`count` is 1, and not all), because a CNAME stands alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) answer: PoolAnswer,
    pub(super) count: u8,
    pub(super) seats: Box<[Seat]>,
    /// Over [`Seat::weight`], where the answer mode reads weights, or else while a seat has less than its whole share.
    pub(super) wheel: Option<Wheel>,
    /// A seat has less than its whole share.
    pub(super) partial: bool,
    /// One seat is answered, and where the client's network decides nothing, chance alone says which.
    pub(super) alone: bool,
}

impl Side {
    /// Whether it answers all clients alike, where the same network is not answered the same on purpose.
    pub(super) fn is_blind(&self) -> bool {
        let by_chance = |row: &Row| row.answer != PoolAnswer::Hash;
        match self {
            Self::NoData | Self::ServFail => true,
            Self::One(row) => by_chance(row),
            Self::Many(many) => {
                !matches!(many.steer, Steer::Nearest | Steer::Fastest)
                    && many.rows.iter().all(|row| by_chance(&row.row))
            }
        }
    }
}

impl Hash for Row {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.seats.hash(state);
    }
}

impl Steering {
    /// The service's id.
    #[must_use]
    pub fn service(&self) -> &ServiceId {
        &self.id
    }

    /// The service's place in the fleet.
    #[must_use]
    pub fn service_ix(&self) -> ServiceIx {
        self.ix
    }

    /// TTL of its answers in seconds, while nothing is about to change.
    #[must_use]
    pub fn ttl(&self) -> u32 {
        self.tuned.ttl
    }

    /// Whether it may be answered with another name: then it decides about every type, and not about addresses alone.
    #[must_use]
    #[inline]
    pub fn has_targets(&self) -> bool {
        self.tuned.has_targets
    }

    /// Whether all clients are answered alike, chance and turns apart: then nobody need be looked at.
    #[inline]
    #[must_use]
    pub fn is_blind(&self) -> bool {
        self.tuned.is_blind
    }

    /// Where a door keeps the turn of this service and family: below [`AnswerTable::slots`](super::AnswerTable::slots).
    #[must_use]
    #[inline]
    pub fn slot(&self, family: Family) -> usize {
        self.ix.index() * 2 + family.index()
    }

    /// Which rule answers a client, by its place: the first that is for it; `None` if none is.
    #[inline(always)]
    pub(super) fn rule(&self, client: &mut Client<'_>) -> Option<usize> {
        if self.rules.is_empty() { None } else { self.first_rule(client) }
    }

    fn first_rule(&self, client: &mut Client<'_>) -> Option<usize> {
        self.rules.iter().position(|rule| client.fits(&rule.when))
    }

    /// What a rule answers, or the service without one.
    #[inline]
    pub(super) fn side(&self, rule: Option<usize>, family: Family) -> &Side {
        let sides = rule.map_or(&self.sides, |rule| &self.rules[rule].sides);
        &sides[family.index()]
    }

    /// Whether what a rule answers, or the service without one, is the last set answered while healthy.
    #[inline]
    pub(super) fn is_stale(&self, rule: Option<usize>, family: Family) -> bool {
        let stale = rule.map_or(&self.stale, |rule| &self.rules[rule].stale);
        stale[family.index()]
    }

    /// The last set answered while healthy, by what outlives a reload.
    pub(super) fn good_by_id(&self, fleet: &Fleet) -> Option<Vec<(PoolId, EndpointId)>> {
        let ids = |(pool, endpoint): &(PoolIx, EndpointIx)| {
            (fleet.pool(*pool).id.clone(), fleet.endpoint(*endpoint).id.clone())
        };
        Some(self.good.as_ref()?.iter().map(ids).collect())
    }
}
