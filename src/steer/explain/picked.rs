//! What was picked for a client, in which order the pools came for it, for how long it holds, and who would be next.

use super::{Answered, Explaining, NextTrace, PickTrace, RankTrace, Until};
use crate::{
    model::{DnsName, Family, Fleet, Point, PoolIx, RegionId, Steer},
    steer::{
        Client, Draw, Picks, Seat, Seated,
        decide::{Choice, PoolView},
        steering::{self, Many, Side},
    },
};

impl Explaining<'_> {
    pub(super) fn pick(&self, family: Family, client: &mut Client<'_>, draw: Draw) -> PickTrace {
        let fleet = &self.snapshot.fleet;
        let side = self.branch().side(family);
        let mut picks = Picks::new();
        let outcome = self.steering.pick(family, client, draw, &mut picks);
        let picked: Vec<_> = picks
            .seats()
            .map(|seat| {
                (fleet.pool(seat.pool).id.clone(), fleet.endpoint(seat.endpoint).id.clone(), answered(fleet, seat))
            })
            .collect();
        let (ranking, vantage) = self.ranking(family, client);
        PickTrace {
            family,
            basis: side.basis,
            stands_in: side.stands_in,
            steer: side.steer,
            answer: picks.seats().next().map(|seat| steering::answer(fleet, side, seat.pool)),
            drawn: self.steering.drawn(family, client, draw),
            outcome,
            ttl: picks.ttl(),
            until: self.until(&picks),
            next: self.next(family, &picks, &ranking),
            ranking: ranking.into_iter().map(|(_, rank)| rank).collect(),
            vantage,
            picked,
        }
    }

    /// The pools in the order for this client. Looks at nothing that the pick did not look at.
    fn ranking(&self, family: Family, client: &mut Client<'_>) -> (Vec<(PoolIx, RankTrace)>, Option<RegionId>) {
        let Side::Many(many) = self.steering.side(self.rule, family) else { return Default::default() };
        let (point, vantage) = match many.steer {
            Steer::Failover => (None, None),
            Steer::Nearest => (client.point(), None),
            Steer::Fastest => {
                let point = client.point();
                (point, point.and_then(|point| many.vantage(point)))
            }
            Steer::Weighted | Steer::RoundRobin | Steer::Random | Steer::LeastConnections | Steer::All => {
                return Default::default();
            }
        };
        let ranked = many.ranked(point, vantage).into_iter().map(|at| {
            let row = &many.rows[at];
            let rank = RankTrace {
                pool: self.snapshot.fleet.pool(row.pool).id.clone(),
                share: row.share,
                distance_km: point.and_then(|point| distance(&row.points, point)),
                path_us: vantage.and_then(|vantage| row.paths[vantage]),
            };
            (row.pool, rank)
        });
        (ranked.collect(), vantage.map(|vantage| many.vantages[vantage].region.clone()))
    }

    /// What ends the answer's life, if something does before its TTL.
    fn until(&self, picks: &Picks<'_>) -> Until {
        let wavering = picks.seats().filter_map(|seat| Some((seat.flips_at?, seat.endpoint)));
        let wavering = wavering.min_by_key(|(at, _)| *at);
        let timer = self.steering.tuned.deadline;
        if self.steering.ttl() <= picks.ttl() {
            return Until::Steady;
        }
        match (wavering, timer) {
            (Some((at, endpoint)), timer) if timer.is_none_or(|timer| at <= timer) => {
                let endpoint = self.snapshot.fleet.endpoint(endpoint).id.clone();
                Until::Wavers { endpoint, left: self.left(at) }
            }
            (_, Some(at)) => Until::Timer { left: self.left(at) },
            (_, None) => Until::Steady,
        }
    }

    /// Who would answer next: the rest of the pools that were drawn from, then the other pools with candidates in the
    /// order for this client, then the last resort.
    fn next(&self, family: Family, picks: &Picks<'_>, ranking: &[(PoolIx, RankTrace)]) -> Vec<NextTrace> {
        let fleet = &self.snapshot.fleet;
        let drawn = |choice: &&Choice| picks.seats().any(|seat| seat.pool == choice.pool);
        let rank = |choice: &&Choice| ranking.iter().position(|(pool, _)| *pool == choice.pool).unwrap_or(usize::MAX);
        let choices = self.branch().side(family).choices().iter();
        let (now, mut later): (Vec<&Choice>, Vec<&Choice>) = choices.partition(drawn);
        later.sort_by_key(rank);
        let rest = now.into_iter().chain(later).filter_map(|choice| {
            let left = choice.members.iter().filter(|one| !picks.seats().any(|seat| seat.endpoint == one.endpoint));
            let endpoints: Vec<_> = left.map(|one| fleet.endpoint(one.endpoint).id.clone()).collect();
            let pool = fleet.pool(choice.pool).id.clone();
            (!endpoints.is_empty()).then_some(NextTrace { pool, endpoints, last_resort: false })
        });
        let behind = self.rule.filter(|nth| {
            let rules = &fleet.service(self.decision.service).rules;
            rules.get(*nth).is_some_and(|rule| !rule.geofence) && !self.branch().side(family).stands_in
        });
        let known = |pool: PoolIx| self.branch().side(family).choices().iter().any(|choice| choice.pool == pool);
        let base = behind.into_iter().flat_map(|_| self.decision.base.side(family).choices());
        let base = base.filter(|choice| !known(choice.pool)).map(|choice| NextTrace {
            pool: fleet.pool(choice.pool).id.clone(),
            endpoints: choice.members.iter().map(|one| fleet.endpoint(one.endpoint).id.clone()).collect(),
            last_resort: false,
        });
        let fenced = self.rule.is_some() && behind.is_none() && !self.branch().side(family).stands_in;
        let resort =
            |pool: &&PoolView| pool.last_resort && !fenced && !picks.seats().any(|seat| seat.pool == pool.pool);
        let resort = self.decision.base.pools.iter().filter(resort).map(|pool| NextTrace {
            pool: fleet.pool(pool.pool).id.clone(),
            endpoints: pool.members.iter().map(|member| fleet.endpoint(member.endpoint).id.clone()).collect(),
            last_resort: true,
        });
        rest.chain(base).chain(resort).collect()
    }
}

impl Many {
    /// The places of the pools in the order for a client there, nearest or fastest first; as written without a place.
    fn ranked(&self, point: Option<Point>, vantage: Option<usize>) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        let Some(point) = point else { return order };
        let rank = |at: &usize| {
            let row = &self.rows[*at];
            let path = vantage.and_then(|vantage| row.paths[vantage]).unwrap_or(u32::MAX);
            (if self.steer == Steer::Fastest { path } else { 0 }, -row.nearness(point))
        };
        order.sort_by(|a, b| {
            let (a, b) = (rank(a), rank(b));
            a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
        });
        order
    }
}

/// In whole kilometres, to the nearest of these points.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "no way on the globe is longer than 20,100"
)]
fn distance(points: &[Point], from: Point) -> Option<u32> {
    points.iter().map(|point| point.distance_km(from)).min_by(f64::total_cmp).map(|km| km.round() as u32)
}

fn answered(fleet: &Fleet, seat: &Seat) -> Answered {
    match seat.answer {
        Seated::Address(address) => Answered::Address(address),
        Seated::Target => {
            Answered::Target(fleet.endpoint(seat.endpoint).target().cloned().unwrap_or_else(DnsName::root))
        }
    }
}
