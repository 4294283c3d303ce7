//! Who uses what, worked out once for all tables of a fleet.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    judge::returning,
    model::{Fleet, Mono, PoolAnswer, Service, Steer, SubjectIx},
};

/// For each subject the services that use it, and for each service what it reads beside verdicts and orders.
#[derive(Debug)]
pub(in crate::steer) struct Uses {
    /// Where the services of each subject begin in `services`; one more at the end.
    from: Box<[u32]>,
    services: Box<[u32]>,
    reads: Box<[Reads]>,
    /// The paces at which services let come back what was away; the first is at once.
    paces: Box<[Pace]>,
    loads: bool,
    paths: bool,
}

/// What a service reads beside verdicts and orders.
#[derive(Debug, Clone, Copy)]
struct Reads {
    loads: bool,
    paths: bool,
    pace: u32,
}

/// How slowly something comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pace {
    failback: Duration,
    /// Of the service and its pools, none twice.
    ramps: Box<[Duration]>,
}

/// By pace, whether something that came back moves on.
pub(super) struct Moves<'u> {
    uses: &'u Uses,
    paces: Vec<bool>,
}

impl Moves<'_> {
    pub(super) fn any(&self) -> bool {
        self.paces.contains(&true)
    }

    pub(super) fn service(&self, service: usize) -> bool {
        self.paces[self.uses.reads[service].pace as usize]
    }
}

impl Uses {
    pub(in crate::steer) fn of(fleet: &Fleet) -> Self {
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        let mut paces = vec![Pace { failback: Duration::ZERO, ramps: Box::default() }];
        let mut reads = Vec::with_capacity(fleet.services.len());
        for (service, about) in fleet.services() {
            let subjects = fleet.arms(about).flat_map(|arm| arm.subjects.iter());
            pairs.extend(subjects.map(|subject| (small(subject.index()), small(service.index()))));
            let pace = Pace::of(fleet, about);
            let known = paces.iter().position(|known| *known == pace).unwrap_or_else(|| {
                paces.push(pace);
                paces.len() - 1
            });
            reads.push(Reads::of(fleet, about, small(known)));
        }
        pairs.sort_unstable();
        pairs.dedup();
        let subjects = 0..=small(fleet.subjects.len());
        let from = subjects.map(|subject| small(pairs.partition_point(|(before, _)| *before < subject)));
        Self {
            from: from.collect(),
            services: pairs.iter().map(|(_, service)| *service).collect(),
            loads: reads.iter().any(|reads| reads.loads),
            paths: reads.iter().any(|reads| reads.paths),
            reads: reads.into(),
            paces: paces.into(),
        }
    }

    pub(super) fn of_subject(&self, subject: SubjectIx) -> impl Iterator<Item = usize> + use<'_> {
        let from = self.from[subject.index()] as usize;
        let to = self.from[subject.index() + 1] as usize;
        self.services[from..to].iter().map(|service| *service as usize)
    }

    /// Whether what came back then takes a step, or ends its wait, after the first of these times and not after the
    /// second.
    pub(super) fn moves(&self, returned: Mono, (from, to): (Mono, Mono)) -> Moves<'_> {
        let moves = |pace: &Pace| {
            let marks = pace.ramps.iter().filter_map(|ramp| returning::next_mark(returned, from, pace.failback, *ramp));
            from < to && marks.min().is_some_and(|mark| mark <= to)
        };
        Moves { uses: self, paces: self.paces.iter().map(moves).collect() }
    }

    /// Something of the service may come back slowly.
    pub(super) fn returns(&self, service: usize) -> bool {
        self.reads[service].pace != 0
    }

    pub(super) fn reads_loads(&self, service: usize) -> bool {
        self.reads[service].loads
    }

    pub(super) fn reads_paths(&self, service: usize) -> bool {
        self.reads[service].paths
    }

    pub(super) fn anybody_reads_loads(&self) -> bool {
        self.loads
    }

    pub(super) fn anybody_reads_paths(&self) -> bool {
        self.paths
    }
}

impl Pace {
    fn of(fleet: &Fleet, service: &Service) -> Self {
        let failback = service.tuning.failback;
        let of_pools = fleet.arms(service).filter_map(|arm| fleet.pool(arm.pool).ramp);
        let ramps: BTreeSet<Duration> = of_pools.chain([service.tuning.ramp]).collect();
        let at_once = failback.is_zero() && ramps.iter().all(Duration::is_zero);
        Self { failback, ramps: if at_once { Box::default() } else { ramps.into_iter().collect() } }
    }
}

impl Reads {
    fn of(fleet: &Fleet, service: &Service, pace: u32) -> Self {
        let steered = |by: Steer| service.steer == by || service.rules.iter().any(|rule| rule.steer == by);
        let mut pools = fleet.arms(service).map(|arm| fleet.pool(arm.pool));
        let loads = steered(Steer::LeastConnections) || pools.any(|pool| pool.answer == PoolAnswer::LeastConnections);
        Self { loads, paths: steered(Steer::Fastest), pace }
    }
}

fn small(count: usize) -> u32 {
    u32::try_from(count).expect("fleets are bounded far below 2^32")
}
