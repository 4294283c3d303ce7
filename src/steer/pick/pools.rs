//! Which of several pools answers a query.

use super::Asking;
use crate::{
    model::{Point, Steer, TRICKLE_WHOLE},
    steer::{
        rendezvous::{arrival, mixed},
        steering::{Many, PoolRow},
        wheel::{Wheel, below, scaled, word},
    },
};

/// Which of a draw's words decide here: apart from each other, and from those that decide inside the pool.
const CHOICE_WORD: u64 = 8;
const TRICKLE_WORD: u64 = 9;
const SECOND_WORD: u64 = 10;
/// The whole of a share.
const WHOLE: u8 = 100;

/// Where a pool stands in the order: the smallest comes first.
type Rank = (u32, f64);

impl Many {
    /// The place of the pool, and the turn that is left for it: with turns on both levels the pool's own must advance
    /// once a round, or an even number of pools would always meet the same endpoint.
    #[inline]
    pub(super) fn choose(&self, asking: &mut Asking<'_, '_>) -> (usize, u32) {
        let turn = asking.draw.turn;
        let at = match self.steer {
            Steer::Failover | Steer::All => self.in_order(asking, |_| (0, 0.0)),
            Steer::Nearest => match asking.client.point() {
                Some(point) if self.is_settled(asking) => self.nearest(point),
                Some(point) => self.in_order(asking, |row| (0, -row.nearness(point))),
                None => self.in_order(asking, |_| (0, 0.0)),
            },
            Steer::Fastest => match asking.client.point() {
                Some(point) => {
                    let from = self.vantage(point);
                    let path = |row: &PoolRow| from.and_then(|from| row.paths.get(from).copied()?).unwrap_or(u32::MAX);
                    self.in_order(asking, |row| (path(row), -row.nearness(point)))
                }
                None => self.in_order(asking, |_| (0, 0.0)),
            },
            Steer::Weighted | Steer::Random => self.by_chance(asking),
            Steer::LeastConnections => match asking.key() {
                Some(_) => self.by_chance(asking),
                None => self.less_busy(asking.draw.word),
            },
            Steer::RoundRobin => match asking.key() {
                Some(_) => self.by_chance(asking),
                None => return self.by_turn(asking),
            },
        };
        (at, turn)
    }

    /// The first one in order that is not passed over because it is still coming back. Some part goes to the one behind
    /// it, so that a failover never meets a cold site.
    #[inline]
    fn in_order(&self, asking: &mut Asking<'_, '_>, rank: impl Fn(&PoolRow) -> Rank) -> usize {
        if self.is_settled(asking) { self.first(rank) } else { self.with_chance(asking, rank) }
    }

    /// Chance passes nobody over, and nothing is left for the second.
    #[inline]
    fn is_settled(&self, asking: &Asking<'_, '_>) -> bool {
        self.whole && asking.tuned.trickle == 0
    }

    /// The first of those that are nearest.
    #[inline(always)]
    fn nearest(&self, point: Point) -> usize {
        let (mut first, mut best) = (0, -2.0);
        for (one, at) in &self.spots {
            let here = one.nearness(point);
            if best < here {
                (first, best) = (*at, here);
            }
        }
        first as usize
    }

    /// The first in order.
    #[inline]
    fn first(&self, rank: impl Fn(&PoolRow) -> Rank) -> usize {
        let (mut first, mut best) = (0, rank(&self.rows[0]));
        for (at, row) in self.rows.iter().enumerate().skip(1) {
            let here = rank(row);
            if is_before(&here, &best) {
                (first, best) = (at, here);
            }
        }
        first
    }

    fn with_chance(&self, asking: &mut Asking<'_, '_>, rank: impl Fn(&PoolRow) -> Rank) -> usize {
        let trickle = u64::from(asking.tuned.trickle);
        let mut luck = None;
        let mut luck = || *luck.get_or_insert_with(|| asking.luck());
        let (first, second) = self.two_of(&rank, |row| !row.is_passed_over(&mut luck));
        if let Some(second) = second
            && 0 < trickle
            && scaled(word(luck(), TRICKLE_WORD), u64::from(TRICKLE_WHOLE)) < trickle
        {
            return second;
        }
        // While all of them come back, the order alone counts.
        first.or_else(|| self.two_of(&rank, |_| true).0).expect("there are several pools")
    }

    /// The first two in order of those that may.
    fn two_of(
        &self,
        rank: impl Fn(&PoolRow) -> Rank,
        mut may: impl FnMut(&PoolRow) -> bool,
    ) -> (Option<usize>, Option<usize>) {
        let mut first: Option<(Rank, usize)> = None;
        let mut second: Option<(Rank, usize)> = None;
        for (at, row) in self.rows.iter().enumerate().filter(|(_, row)| may(row)) {
            let here = (rank(row), at);
            if first.is_none_or(|first| is_before(&here.0, &first.0)) {
                second = first.replace(here);
            } else if second.is_none_or(|second| is_before(&here.0, &second.0)) {
                second = Some(here);
            }
        }
        (first.map(|(_, at)| at), second.map(|(_, at)| at))
    }

    /// The region that stands for clients at a point: the nearest from which paths are known.
    pub(in crate::steer) fn vantage(&self, point: Point) -> Option<usize> {
        let nearness = |at: &usize| self.vantages[*at].point.nearness(point);
        // Of equal ones the first, as everywhere.
        (0..self.vantages.len()).rev().max_by(|a, b| nearness(a).total_cmp(&nearness(b)))
    }

    /// In proportion to weight, or evenly where there are none: by the client's network, or else by chance.
    fn by_chance(&self, asking: &mut Asking<'_, '_>) -> usize {
        let Some(key) = asking.key() else {
            let chance = word(asking.draw.word, CHOICE_WORD);
            return match &self.wheel {
                Some(wheel) => wheel.at(scaled(chance, wheel.sum())),
                None => below(chance, self.rows.len()),
            };
        };
        let client = mixed(key, CHOICE_WORD);
        let weight = |at: usize, row: &PoolRow| match &self.wheel {
            Some(wheel) => wheel.part(at).1,
            None => u64::from(row.share),
        };
        let arrivals = self.rows.iter().enumerate().map(|(at, row)| (arrival(client, row.key, weight(at, row)), at));
        arrivals.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, at)| at).expect("there are several pools")
    }

    /// The less busy of two drawn by weight; the first where nobody knows.
    fn less_busy(&self, draw: u64) -> usize {
        let (chance, other) = (word(draw, CHOICE_WORD), word(draw, SECOND_WORD));
        let (first, second) = match &self.wheel {
            Some(wheel) => {
                let first = wheel.at(scaled(chance, wheel.sum()));
                (first, without(wheel, first, other))
            }
            None => {
                let first = below(chance, self.rows.len());
                let second = below(other, self.rows.len() - 1);
                (first, Some(second + usize::from(first <= second)))
            }
        };
        let busy = |at: usize| self.rows[at].busy;
        second.filter(|second| busy(*second).zip(busy(first)).is_some_and(|(one, other)| one < other)).unwrap_or(first)
    }

    /// Turn by turn. Whose turn is passed over while it comes back, is followed by chance and not by the next one, or
    /// that one would bear it all.
    fn by_turn(&self, asking: &mut Asking<'_, '_>) -> (usize, u32) {
        let (turn, luck) = (asking.draw.turn, asking.draw.word);
        let pools = u32::try_from(self.rows.len()).expect("a service has few pools");
        let mut at = (turn % pools) as usize;
        if self.rows[at].is_passed_over(&mut || luck) {
            let mut point = scaled(word(luck, CHOICE_WORD), self.rows.iter().map(|row| u64::from(row.share)).sum());
            let shares = self.rows.iter().map(|row| u64::from(row.share));
            at = shares
                .take_while(|share| {
                    let inside = *share <= point;
                    point = point.saturating_sub(*share);
                    inside
                })
                .count()
                .min(self.rows.len() - 1);
        }
        (at, turn / pools)
    }
}

#[inline]
fn is_before(a: &Rank, b: &Rank) -> bool {
    a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)).is_lt()
}

/// A point of the wheel with the part of one place cut out.
fn without(wheel: &Wheel, place: usize, chance: u64) -> Option<usize> {
    let (from, length) = wheel.part(place);
    let left = wheel.sum() - length;
    let point = scaled(chance, left);
    (0 < left).then(|| wheel.at(if from <= point { point + length } else { point }))
}

impl PoolRow {
    /// While it comes back, with the chance that its share lacks. With the same luck a greater share only lets more in.
    fn is_passed_over(&self, luck: &mut impl FnMut() -> u64) -> bool {
        self.share < WHOLE && u64::from(self.share) <= scaled(mixed(luck(), self.key), u64::from(WHOLE))
    }

    /// How near its nearest member is; less than any distance where none is on the globe.
    #[inline]
    pub(in crate::steer) fn nearness(&self, point: Point) -> f64 {
        let mut best = -2.0;
        for one in &self.points {
            let here = one.nearness(point);
            if best < here {
                best = here;
            }
        }
        best
    }
}
