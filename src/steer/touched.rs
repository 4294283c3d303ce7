//! Which services a change may touch: those whose verdicts or orders differ.

use crate::model::{Action, Fleet, Override, Selector, ServiceIx, Snapshot, SubjectIx, Verdict};

/// For each subject the services that use it; depends on the fleet alone.
#[derive(Debug)]
pub(super) struct Uses {
    /// Where the services of each subject begin in `services`; one more at the end.
    from: Box<[u32]>,
    services: Box<[u32]>,
}

impl Uses {
    pub(super) fn of(fleet: &Fleet) -> Self {
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        for (service, about) in fleet.services() {
            let subjects = fleet.arms(about).flat_map(|arm| arm.subjects.iter());
            pairs.extend(subjects.map(|subject| (small(subject.index()), small(service.index()))));
        }
        pairs.sort_unstable();
        pairs.dedup();
        let subjects = 0..=small(fleet.subjects.len());
        let from = subjects.map(|subject| small(pairs.partition_point(|(before, _)| *before < subject)));
        Self { from: from.collect(), services: pairs.iter().map(|(_, service)| *service).collect() }
    }

    fn of_subject(&self, subject: SubjectIx) -> &[u32] {
        let from = self.from[subject.index()] as usize;
        let to = self.from[subject.index() + 1] as usize;
        &self.services[from..to]
    }
}

fn small(count: usize) -> u32 {
    u32::try_from(count).expect("fleets are bounded far below 2^32")
}

/// The services whose decision may differ between two snapshots of equal fleets, in order. Others decide alike.
pub(super) fn touched(before: &Snapshot, after: &Snapshot, uses: &Uses) -> Vec<ServiceIx> {
    let fleet = &after.fleet;
    let mut marked = Marked { services: vec![false; fleet.services.len()], uses };
    for subject in (0..fleet.subjects.len()).map(SubjectIx::new) {
        let slots = subject.index() * 2..subject.index() * 2 + 2;
        if before.verdicts[slots.clone()].iter().zip(&after.verdicts[slots]).any(|(a, b)| differ(a, b)) {
            marked.subject(subject);
        }
    }
    for order in changed(&before.overrides, &after.overrides) {
        marked.order(fleet, order);
    }
    let services = marked.services.iter().enumerate();
    services.filter(|(_, marked)| **marked).map(|(place, _)| ServiceIx::new(place)).collect()
}

/// In what deciding reads: `measured` counts only beside an order.
fn differ(a: &Option<Verdict>, b: &Option<Verdict>) -> bool {
    let read = |verdict: &Verdict| (verdict.health, verdict.order.is_some().then_some(verdict.measured));
    match (a, b) {
        (Some(a), Some(b)) => read(a) != read(b) || a.order != b.order,
        (None, None) => false,
        (Some(_), None) | (None, Some(_)) => true,
    }
}

/// Orders that are in one list only, or say something else in the other. Lists are in the order of ids and bounded by
/// `OVERRIDES_MAX`.
fn changed<'o>(before: &'o [Override], after: &'o [Override]) -> impl Iterator<Item = &'o Override> {
    let in_other = |order: &Override, other: &[Override]| {
        let same = other.binary_search_by(|one| one.id.cmp(&order.id)).ok().map(|at| &other[at]);
        same.is_some_and(|one| one.action == order.action && one.target == order.target)
    };
    let gone = before.iter().filter(move |order| !in_other(order, after));
    gone.chain(after.iter().filter(move |order| !in_other(order, before)))
}

struct Marked<'u> {
    services: Vec<bool>,
    uses: &'u Uses,
}

impl Marked<'_> {
    fn subject(&mut self, subject: SubjectIx) {
        for service in self.uses.of_subject(subject) {
            self.services[*service as usize] = true;
        }
    }

    fn order(&mut self, fleet: &Fleet, order: &Override) {
        match (&order.action, &order.target) {
            // A freeze holds verdicts, and those were compared.
            (Action::Freeze, _) => {}
            (_, Selector::Service(glob)) => {
                for (ix, _) in fleet.services().filter(|(_, service)| glob.fits(service.id.as_str())) {
                    self.services[ix.index()] = true;
                }
            }
            (_, Selector::All) => self.services.fill(true),
            (_, Selector::Pool(glob)) => {
                let fits: Vec<bool> = fleet.pools.iter().map(|pool| glob.fits(pool.id.as_str())).collect();
                for (ix, service) in fleet.services() {
                    self.services[ix.index()] |= fleet.arms(service).any(|arm| fits[arm.pool.index()]);
                }
            }
            (_, Selector::Endpoint(_) | Selector::Label(..) | Selector::Region(_) | Selector::Provider(_)) => {
                for (place, subject) in fleet.subjects.iter().enumerate() {
                    if fleet.covers(&order.target, subject.endpoint) {
                        self.subject(SubjectIx::new(place));
                    }
                }
            }
        }
    }
}
