//! Which services a change may touch: those whose verdicts, orders, loads or paths differ, and those of which a step of
//! what comes back or leaves lies between two snapshots.

mod uses;

use std::{collections::HashSet, sync::Arc};

pub(super) use self::uses::Uses;
use crate::{
    judge::returning,
    model::{
        Action, Ended, EndpointIx, Feeds, Fleet, Mono, Override, Selector, ServiceIx, Snapshot, SubjectIx, Verdict,
    },
};

/// The services whose decision may differ between two snapshots of equal fleets, in order. Others decide alike.
pub(super) fn touched(before: &Snapshot, after: &Snapshot, uses: &Uses) -> Vec<ServiceIx> {
    let fleet = &after.fleet;
    let mut marked = Marked { services: vec![false; fleet.services.len()], uses };
    let between = (before.at.mono, after.at.mono);
    for subject in (0..fleet.subjects.len()).map(SubjectIx::new) {
        let slots = subject.index() * 2..subject.index() * 2 + 2;
        let verdicts = || before.verdicts[slots.clone()].iter().zip(&after.verdicts[slots.clone()]);
        if verdicts().any(|(a, b)| differ(a, b)) {
            marked.subject(subject);
        } else {
            let mut returned = verdicts().filter_map(|(_, verdict)| verdict.as_ref()?.returned);
            // Both families mostly come back at once.
            if let Some(first) = returned.next() {
                marked.returning(subject, first, between);
                returned.filter(|at| *at != first).for_each(|at| marked.returning(subject, at, between));
            }
        }
    }
    for order in changed(&before.overrides, &after.overrides).chain(leaving(before, after)) {
        marked.order(fleet, order, |_| true);
    }
    for ended in &*after.ended {
        let moves = uses.moves(ended.at, between);
        if moves.any() {
            marked.order(fleet, &ended.order, |service| moves.service(service));
        }
    }
    for ended in of_one(&before.ended, &after.ended) {
        marked.order(fleet, &ended.order, |service| uses.returns(service));
    }
    if !Arc::ptr_eq(&before.feeds, &after.feeds) {
        marked.feeds(fleet, &before.feeds, &after.feeds);
    }
    let services = marked.services.iter().enumerate();
    services.filter(|(_, marked)| **marked).map(|(place, _)| ServiceIx::new(place)).collect()
}

/// In what deciding reads: `measured` counts only beside an order, and `hold` and the tally never.
fn differ(a: &Option<Verdict>, b: &Option<Verdict>) -> bool {
    let measured = |verdict: &Verdict| verdict.order.is_some().then_some(verdict.measured);
    let read = |verdict: &Verdict| (verdict.health, measured(verdict), verdict.returned, verdict.flips_at);
    match (a, b) {
        (Some(a), Some(b)) => read(a) != read(b) || a.order != b.order || a.frozen != b.frozen,
        (None, None) => false,
        (Some(_), None) | (None, Some(_)) => true,
    }
}

/// Orders that are in one list only, or say something else in the other. Lists are in the order of ids and bounded by
/// `OVERRIDES_MAX`.
fn changed<'o>(before: &'o [Override], after: &'o [Override]) -> impl Iterator<Item = &'o Override> {
    let in_other = |order: &Override, other: &[Override]| {
        let same = other.binary_search_by(|one| one.id.cmp(&order.id)).ok().map(|at| &other[at]);
        let what = |order: &Override| (order.action.clone(), order.from, order.expires, order.over);
        same.is_some_and(|one| what(one) == what(order) && one.target == order.target)
    };
    let gone = before.iter().filter(move |order| !in_other(order, after));
    gone.chain(after.iter().filter(move |order| !in_other(order, before)))
}

/// Drains of which a step lies between both.
fn leaving<'o>(before: &Snapshot, after: &'o Snapshot) -> impl Iterator<Item = &'o Override> {
    let (from, to) = (before.at.wall, after.at.wall);
    let slow = after.overrides.iter().filter(|order| order.over.is_some());
    slow.filter(move |order| returning::over_share(order, from) != returning::over_share(order, to))
}

/// Those that only one of both has.
fn of_one<'e>(before: &'e Arc<[Ended]>, after: &'e Arc<[Ended]>) -> Vec<&'e Ended> {
    if Arc::ptr_eq(before, after) {
        return Vec::new();
    }
    let keys = |list: &'e [Ended]| list.iter().map(|ended| (&ended.order.id, ended.at)).collect::<HashSet<_>>();
    let (in_before, in_after) = (keys(before), keys(after));
    let gone = before.iter().filter(|ended| !in_after.contains(&(&ended.order.id, ended.at)));
    gone.chain(after.iter().filter(|ended| !in_before.contains(&(&ended.order.id, ended.at)))).collect()
}

struct Marked<'u> {
    services: Vec<bool>,
    uses: &'u Uses,
}

impl Marked<'_> {
    fn subject(&mut self, subject: SubjectIx) {
        for service in self.uses.of_subject(subject) {
            self.services[service] = true;
        }
    }

    /// What came back then is not forgotten; a step or an end of its wait may lie between both times.
    fn returning(&mut self, subject: SubjectIx, returned: Mono, between: (Mono, Mono)) {
        let moves = self.uses.moves(returned, between);
        if moves.any() {
            for service in self.uses.of_subject(subject) {
                self.services[service] |= moves.service(service);
            }
        }
    }

    /// Services that an order touches, if they fit.
    fn order(&mut self, fleet: &Fleet, order: &Override, fits: impl Fn(usize) -> bool) {
        match (&order.action, &order.target) {
            // A freeze holds verdicts, and those were compared; its own end counts where it holds them.
            (Action::Freeze, _) => {}
            (_, Selector::Service(glob)) => {
                for (ix, _) in fleet.services().filter(|(_, service)| glob.fits(service.id.as_str())) {
                    self.services[ix.index()] |= fits(ix.index());
                }
            }
            (_, Selector::All) => {
                for (place, marked) in self.services.iter_mut().enumerate() {
                    *marked |= fits(place);
                }
            }
            (_, Selector::Pool(glob)) => {
                let of: Vec<bool> = fleet.pools.iter().map(|pool| glob.fits(pool.id.as_str())).collect();
                for (ix, service) in fleet.services() {
                    self.services[ix.index()] |=
                        fleet.arms(service).any(|arm| of[arm.pool.index()]) && fits(ix.index());
                }
            }
            (_, Selector::Endpoint(_) | Selector::Label(..) | Selector::Region(_) | Selector::Provider(_)) => {
                for (place, subject) in fleet.subjects.iter().enumerate() {
                    if fleet.covers(&order.target, subject.endpoint) {
                        for service in self.uses.of_subject(SubjectIx::new(place)) {
                            self.services[service] |= fits(service);
                        }
                    }
                }
            }
        }
    }

    /// Loads and paths of endpoints, where somebody reads them. Addresses of targets are read when they are asked for.
    fn feeds(&mut self, fleet: &Fleet, before: &Feeds, after: &Feeds) {
        let uses = self.uses;
        if uses.anybody_reads_loads() {
            let differs = |ix: EndpointIx| {
                let id = &fleet.endpoint(ix).id;
                before.loads.get(id) != after.loads.get(id)
            };
            self.endpoints(fleet, differs, |service| uses.reads_loads(service));
        }
        if uses.anybody_reads_paths() {
            let same = before.paths.keys().eq(after.paths.keys());
            let regions = || before.paths.values().zip(after.paths.values());
            let differs = |ix: EndpointIx| {
                let id = &fleet.endpoint(ix).id;
                !same || regions().any(|(before, after)| before.get(id) != after.get(id))
            };
            self.endpoints(fleet, differs, |service| uses.reads_paths(service));
        }
    }

    fn endpoints(&mut self, fleet: &Fleet, differs: impl Fn(EndpointIx) -> bool, reads: impl Fn(usize) -> bool) {
        for (place, subject) in fleet.subjects.iter().enumerate() {
            if differs(subject.endpoint) {
                for service in self.uses.of_subject(SubjectIx::new(place)) {
                    self.services[service] |= reads(service);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
