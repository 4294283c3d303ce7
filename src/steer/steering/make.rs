//! From a decision to a steering: seats, wheels, and what policies that look at clients, loads and paths will ask for.
//!
//! Whatever a query needs is worked out here, so that a pick looks up and compares and allocates nothing.

use std::{collections::HashSet, sync::Arc};

use super::{Busy, Many, PoolRow, Row, Ruled, Side, Steering, Tuned, Vantage};
use crate::{
    model::{
        Endpoint, EndpointId, EndpointIx, Family, Fleet, Point, PoolAnswer, PoolId, PoolIx, Snapshot, Steer, WhenNone,
    },
    steer::{
        decide::{Answers, Basis, Candidate, Choice, Decision, Side as Decided, relative},
        facts::Facts,
        pick::{Seat, Seated},
        wheel::Wheel,
    },
};

/// The whole of a share, in percent.
const WHOLE: u8 = 100;

/// One compilation: what is made in it is shared while nothing differs, as the row of a pool that many services use.
#[derive(Debug)]
pub(in crate::steer) struct Making<'s> {
    snapshot: &'s Snapshot,
    facts: &'s Facts,
    rows: HashSet<Arc<Row>>,
    /// Regions from which paths are known and that have a place.
    vantages: Arc<[Vantage]>,
}

impl<'s> Making<'s> {
    pub(in crate::steer) fn new(snapshot: &'s Snapshot, facts: &'s Facts) -> Self {
        let known = snapshot.feeds.paths.keys();
        let placed =
            known.filter_map(|id| Some(Vantage { region: id.clone(), point: snapshot.fleet.region(id)?.point()? }));
        Self { snapshot, facts, rows: HashSet::new(), vantages: placed.collect() }
    }

    /// Compiles a decision; `good` is the last set answered while healthy before it.
    pub(in crate::steer) fn steering(
        &mut self,
        decision: &Decision,
        good: Option<&[(PoolId, EndpointId)]>,
    ) -> Steering {
        let fleet: &Fleet = &self.snapshot.fleet;
        let service = fleet.service(decision.service);
        let good = (service.when_none == WhenNone::LastGood).then(|| decision.good(fleet, good.unwrap_or_default()));
        let whens = self.facts.rules(decision.service).iter().zip(&decision.rules);
        let rules = whens.map(|(when, branch)| Ruled {
            when: Arc::clone(when),
            sides: Family::ALL.map(|family| self.side(family, branch.side(family))),
            stale: Family::ALL.map(|family| branch.side(family).basis == Basis::LastGood),
        });
        let rules: Box<[Ruled]> = rules.collect();
        let sides = Family::ALL.map(|family| self.side(family, decision.base.side(family)));
        let is_blind = rules.is_empty() && service.tuning.sticky.is_none() && sides.iter().all(Side::is_blind);
        Steering {
            id: service.id.clone(),
            ix: decision.service,
            tuned: Tuned {
                ttl: service.ttl,
                ttl_min: service.tuning.ttl_min.min(service.ttl),
                step_ms: self.facts.step(decision.service),
                deadline: decision.deadline,
                sticky: service.tuning.sticky,
                trickle: service.tuning.trickle,
                spread: service.tuning.spread,
                has_targets: self.facts.has_targets(decision.service),
                is_blind,
            },
            sides,
            stale: Family::ALL.map(|family| decision.base.side(family).basis == Basis::LastGood),
            rules,
            good: good.filter(|good| !good.is_empty()).map(Vec::into),
        }
    }

    fn side(&mut self, family: Family, decided: &Decided) -> Side {
        match decided.answers {
            Answers::NoData => return Side::NoData,
            Answers::ServFail => return Side::ServFail,
            Answers::From(_) => {}
        }
        let fleet = &self.snapshot.fleet;
        let choices = decided.in_force();
        if decided.steer == Steer::All {
            // One draw over all pools, with the largest count.
            let count = choices.iter().map(|choice| fleet.pool(choice.pool).count).max().unwrap_or(1);
            let answer = answer(fleet, decided, choices[0].pool);
            return Side::One(self.row(family, answer, count, choices));
        }
        let mut rows: Vec<PoolRow> =
            choices.iter().map(|choice| self.pool_row(family, decided.steer, choice)).collect();
        if rows.len() == 1 {
            return Side::One(rows.remove(0).row);
        }
        let partial = rows.iter().any(|row| row.share < WHOLE);
        let even = match decided.steer {
            Steer::Weighted | Steer::LeastConnections => Some(false),
            Steer::Random if partial => Some(true),
            Steer::Failover | Steer::Nearest | Steer::Fastest | Steer::RoundRobin | Steer::Random | Steer::All => None,
        };
        let weight = |choice: &Choice, even: bool| if even { 1 } else { u64::from(choice.weight.0) };
        let wheel = even.and_then(|even| {
            Wheel::new(choices.iter().map(|choice| shared(weight(choice, even), choice.share, partial)))
        });
        let vantages = match decided.steer {
            Steer::Fastest => Arc::clone(&self.vantages),
            Steer::Failover
            | Steer::Nearest
            | Steer::Weighted
            | Steer::RoundRobin
            | Steer::Random
            | Steer::LeastConnections
            | Steer::All => Arc::default(),
        };
        let spots = match decided.steer {
            Steer::Nearest => {
                (0..).zip(&rows).flat_map(|(at, row)| row.points.iter().map(move |one| (*one, at))).collect()
            }
            Steer::Failover
            | Steer::Fastest
            | Steer::Weighted
            | Steer::RoundRobin
            | Steer::Random
            | Steer::LeastConnections
            | Steer::All => Box::default(),
        };
        let (steer, rows, whole) = (decided.steer, rows.into(), !partial);
        Side::Many(Box::new(Many { steer, rows, whole, spots, wheel, vantages }))
    }

    fn pool_row(&mut self, family: Family, steer: Steer, choice: &Choice) -> PoolRow {
        let pool = self.snapshot.fleet.pool(choice.pool);
        let (mut points, mut paths, mut busy) = (Box::default(), Box::default(), None);
        match steer {
            Steer::Nearest => points = self.points(choice),
            Steer::Fastest => (points, paths) = (self.points(choice), self.paths(choice)),
            Steer::LeastConnections => busy = self.pool_busy(choice),
            Steer::Failover | Steer::Weighted | Steer::RoundRobin | Steer::Random | Steer::All => {}
        }
        PoolRow {
            row: self.row(family, pool.answer, pool.count, std::slice::from_ref(choice)),
            pool: choice.pool,
            key: self.facts.pool_key(choice.pool),
            share: choice.share,
            busy,
            points,
            paths,
        }
    }

    fn points(&self, choice: &Choice) -> Box<[Point]> {
        let mut points: Vec<Point> = Vec::new();
        for point in choice.members.iter().filter_map(|member| self.facts.endpoint(member.endpoint).point) {
            if !points.contains(&point) {
                points.push(point);
            }
        }
        points.into()
    }

    fn paths(&self, choice: &Choice) -> Box<[Option<u32>]> {
        let fleet = &self.snapshot.fleet;
        let members = || choice.members.iter().map(|member| &fleet.endpoint(member.endpoint).id);
        let from = self.vantages.iter().filter_map(|from| self.snapshot.feeds.paths.get(&from.region));
        from.map(|paths| members().filter_map(|id| paths.get(id).copied()).min()).collect()
    }

    /// The load of all its endpoints beside all their capacity, or beside the pool's weight.
    fn pool_busy(&self, choice: &Choice) -> Option<Busy> {
        let endpoints = || choice.members.iter().map(|member| self.snapshot.fleet.endpoint(member.endpoint));
        let load = endpoints().map(|endpoint| self.load(endpoint)).sum::<Option<f64>>()?;
        let capacity = endpoints().map(|endpoint| endpoint.capacity.map(f64::from)).sum::<Option<f64>>();
        Some(busy(load, capacity.unwrap_or_else(|| f64::from(choice.weight.0))))
    }

    fn load(&self, endpoint: &Endpoint) -> Option<f64> {
        self.snapshot.feeds.loads.get(&endpoint.id).map(|load| load.0)
    }

    fn row(&mut self, family: Family, answer: PoolAnswer, count: u8, choices: &[Choice]) -> Arc<Row> {
        let members = || choices.iter().flat_map(|choice| choice.members.iter().map(move |one| (choice.pool, one)));
        // As among pools: what all of them lack nobody takes.
        let most = members().map(|(_, member)| member.share).max().unwrap_or(WHOLE);
        let partial = members().any(|(_, member)| member.share < most);
        // Compared are only loads in one unit.
        let fleet = &self.snapshot.fleet;
        let sized = members().all(|(_, member)| fleet.endpoint(member.endpoint).capacity.is_some());
        let mut seats: Vec<Seat> = members()
            .filter_map(|(pool, member)| {
                let member = Candidate { share: relative(member.share, most), ..*member };
                self.seat(family, answer, pool, &member, (partial, sized))
            })
            .collect();
        merge_equal(&mut seats);
        let cnames = seats.iter().any(|seat| seat.answer == Seated::Target);
        // A CNAME stands alone, and each of them has its chance.
        let (answer, count) = if !cnames {
            (answer, count)
        } else if answer == PoolAnswer::All {
            (PoolAnswer::Random, 1)
        } else {
            (answer, 1)
        };
        if answer == PoolAnswer::All && usize::from(count) < seats.len() {
            seats.sort_by_key(|seat| seat.answer);
        }
        let reads = partial || reads_weights(answer);
        let wheel = reads.then(|| Wheel::new(seats.iter().map(|seat| seat.weight))).flatten();
        let alone = seats.len() == 1 || count == 1 && matches!(answer, PoolAnswer::Random | PoolAnswer::Weighted);
        let row = Row { answer, count, partial, wheel, seats: seats.into(), alone };
        match self.rows.get(&row) {
            Some(known) => Arc::clone(known),
            None => {
                let row = Arc::new(row);
                self.rows.insert(Arc::clone(&row));
                row
            }
        }
    }

    fn seat(
        &self,
        family: Family,
        answer: PoolAnswer,
        pool: PoolIx,
        member: &Candidate,
        (partial, sized): (bool, bool),
    ) -> Option<Seat> {
        let endpoint = self.snapshot.fleet.endpoint(member.endpoint);
        let ground = self.facts.endpoint(member.endpoint);
        let weight = if reads_weights(answer) { u64::from(member.weight.0) } else { 1 };
        let load = (answer == PoolAnswer::LeastConnections).then(|| self.load(endpoint)).flatten();
        let size = endpoint.capacity.filter(|_| sized).map_or_else(|| f64::from(member.weight.0), f64::from);
        Some(Seat {
            answer: match endpoint.target() {
                Some(_) => Seated::Target,
                None => Seated::Address(endpoint.address(family)?),
            },
            endpoint: member.endpoint,
            pool,
            key: ground.key,
            provider: ground.provider,
            weight: shared(weight, member.share, partial),
            share: member.share,
            busy: load.map(|load| busy(load, size)),
            flips_at: member.flips_at,
        })
    }
}

/// How an answer is drawn from a pool: where pools are merged, as the first one written says.
pub(in crate::steer) fn answer(fleet: &Fleet, side: &Decided, pool: PoolIx) -> PoolAnswer {
    match side.steer {
        Steer::All => fleet.pool(side.lead).answer,
        Steer::Failover
        | Steer::Nearest
        | Steer::Fastest
        | Steer::Weighted
        | Steer::RoundRobin
        | Steer::Random
        | Steer::LeastConnections => fleet.pool(pool).answer,
    }
}

/// Whether weights, and not only shares, choose among the seats of a row.
fn reads_weights(answer: PoolAnswer) -> bool {
    match answer {
        PoolAnswer::Weighted | PoolAnswer::LeastConnections | PoolAnswer::Hash => true,
        PoolAnswer::All | PoolAnswer::First | PoolAnswer::RoundRobin | PoolAnswer::Random => false,
    }
}

/// A weight on a wheel: as it is written, while all have their whole share.
fn shared(weight: u64, share: u8, partial: bool) -> u64 {
    if partial { weight * u64::from(share) } else { weight }
}

/// A weight of 0 counts like one of 1 here: it is served, if at all, for want of others.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "floats saturate, and nonsense becomes 0")]
fn busy(load: f64, size: f64) -> Busy {
    Busy((load / size.max(1.0) * 1e6) as u64)
}

/// Two endpoints behind one address have one seat, with the weight of both, where the first of them stood. Of what else
/// they differ in, the more careful counts.
fn merge_equal(seats: &mut Vec<Seat>) {
    let mut order: Vec<usize> = (0..seats.len()).collect();
    order.sort_by_key(|at| seats[*at].answer);
    let same = |a: usize, b: usize, seats: &[Seat]| seats[a].answer == seats[b].answer && seats[a].address().is_some();
    if !order.windows(2).any(|pair| same(pair[0], pair[1], seats)) {
        return;
    }
    let mut twice = vec![false; seats.len()];
    // The sort is stable: of equal addresses the first stands first.
    let mut first = order[0];
    for at in order.into_iter().skip(1) {
        if same(first, at, seats) {
            let other = seats[at];
            let seat = &mut seats[first];
            seat.weight += other.weight;
            seat.share = seat.share.max(other.share);
            seat.busy = seat.busy.zip(other.busy).map(|(one, other)| one.max(other));
            seat.flips_at = [seat.flips_at, other.flips_at].into_iter().flatten().min();
            twice[at] = true;
        } else {
            first = at;
        }
    }
    let mut at = 0..;
    seats.retain(|_| !twice[at.next().expect("it does not end")]);
}

impl Decision {
    /// The set to remember for `last-good`: what is answered by each branch of which all that it has is healthy. Of
    /// pools that another branch misses, what was remembered stays: it is still what that one last answered, and what
    /// is decided from a set must not change the set.
    fn good(&self, fleet: &Fleet, before: &[(PoolId, EndpointId)]) -> Vec<(PoolIx, EndpointIx)> {
        let mut set: Vec<(PoolIx, EndpointIx)> = Vec::new();
        let mut missed: HashSet<PoolIx> = HashSet::new();
        for branch in self.branches() {
            match branch.good() {
                Some(good) => set.extend(good),
                None => missed.extend(branch.pools.iter().map(|view| view.pool)),
            }
        }
        set.retain(|(pool, _)| !missed.contains(pool));
        let known = before.iter().filter_map(|(pool, one)| {
            let pool = fleet.find_pool(pool).filter(|pool| missed.contains(pool))?;
            Some((pool, fleet.find_endpoint(one.as_str())?))
        });
        set.extend(known);
        let mut seen = HashSet::new();
        set.retain(|entry| seen.insert(*entry));
        set
    }
}
