//! Foresight: what everybody would be answered in a world that is not, and what of it differs from now.
//!
//! Plans, simulations, `[[test]]`, the reload guard and dry runs are all the same two steps: a hypothesis makes a
//! snapshot, [`compile`](super::compile) makes its table, and [`differences`] compares two tables from every place
//! between which the answers of a service may differ. Services are decided and not names, and of one fleet only those
//! that differ, so a preview costs what it changes.

mod cases;
pub mod hypothesis;
mod plan;
mod sight;
mod things;
mod viewpoint;

use std::collections::BTreeMap;

pub use self::{
    cases::{CaseOutcome, run_cases},
    plan::{Exceeded, Plan, RecordChange, Share},
    sight::{EndpointSight, PoolSight, SHARE_WHOLE, Sight},
    things::{How, ThingChange, things},
    viewpoint::{VIEWPOINTS_MAX, Viewpoint},
};
use self::{sight::Scene, viewpoint::viewpoints};
use super::AnswerTable;
use crate::model::{DnsName, Family, ServiceId, ServiceIx};

/// An answer that differs between two tables, for all names and clients for whom it differs alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Which names; in order, never empty.
    pub names: Vec<DnsName>,
    /// Whose they are after; before, where they are nobody's after.
    pub service: ServiceId,
    /// In which family.
    pub family: Family,
    /// For whom; never empty.
    pub clients: Vec<Viewpoint>,
    /// For all of those that were looked at.
    pub everyone: bool,
    /// Before; `None` where the family had nothing, or the name was nobody's.
    pub from: Option<Sight>,
    /// After.
    pub to: Option<Sight>,
}

/// What a service answers to everyone who looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// In which family.
    pub family: Family,
    /// Who is answered so; equal ones are together.
    pub clients: Vec<Viewpoint>,
    /// What they are answered.
    pub sight: Sight,
}

/// All that differs, by service, IPv4 first.
#[must_use]
pub fn differences(before: &AnswerTable, after: &AnswerTable) -> Vec<Difference> {
    let pairs = pairs(before, after);
    let services = |of: fn(&Pair) -> Option<ServiceIx>| -> Vec<ServiceIx> {
        let mut services: Vec<ServiceIx> = pairs.keys().filter_map(of).collect();
        services.sort_unstable();
        services.dedup();
        services
    };
    let from = Scene::new(before, &services(|pair| pair.0));
    let to = Scene::new(after, &services(|pair| pair.1));
    let mut found: Vec<Difference> =
        pairs.into_iter().flat_map(|(pair, names)| of_pair(&from, &to, pair, &names)).collect();
    found.sort_by(|a, b| (&a.service, &a.names, a.family).cmp(&(&b.service, &b.names, b.family)));
    found
}

/// What a service answers, family by family and for everyone who may be answered differently.
#[must_use]
pub fn views(table: &AnswerTable, service: ServiceIx) -> Vec<View> {
    let scene = Scene::new(table, &[service]);
    let all = viewpoints(&[(scene.fleet(), scene.service(service))]);
    let mut views: Vec<View> = Vec::new();
    for family in Family::ALL {
        for from in &all {
            let Some(sight) = scene.sight(service, family, from) else { continue };
            match views.iter_mut().find(|view| view.family == family && view.sight == sight) {
                Some(view) => view.clients.push(from.clone()),
                None => views.push(View { family, clients: vec![from.clone()], sight }),
            }
        }
    }
    views
}

/// What one client is answered by the service that a name belongs to.
#[must_use]
pub fn sight(table: &AnswerTable, service: ServiceIx, family: Family, from: &Viewpoint) -> Option<Sight> {
    Scene::new(table, &[service]).sight(service, family, from)
}

/// The service that a name belongs to before and after.
type Pair = (Option<ServiceIx>, Option<ServiceIx>);

/// Names by whose they are; of one fleet only those of services that differ.
fn pairs(before: &AnswerTable, after: &AnswerTable) -> BTreeMap<Pair, Vec<DnsName>> {
    let mut pairs: BTreeMap<Pair, Vec<DnsName>> = BTreeMap::new();
    if let Some(differing) = before.differing(after) {
        let fleet = &after.snapshot().fleet;
        return differing.into_iter().map(|ix| ((Some(ix), Some(ix)), sorted(&fleet.service(ix).names))).collect();
    }
    let mut owners: BTreeMap<&DnsName, Pair> = BTreeMap::new();
    for (ix, service) in before.snapshot().fleet.services() {
        service.names.iter().for_each(|name| owners.entry(name).or_default().0 = Some(ix));
    }
    for (ix, service) in after.snapshot().fleet.services() {
        service.names.iter().for_each(|name| owners.entry(name).or_default().1 = Some(ix));
    }
    owners.into_iter().for_each(|(name, pair)| pairs.entry(pair).or_default().push(name.clone()));
    pairs
}

fn sorted(names: &[DnsName]) -> Vec<DnsName> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}

fn of_pair(from: &Scene<'_>, to: &Scene<'_>, (before, after): Pair, names: &[DnsName]) -> Vec<Difference> {
    let sides = [(from, before), (to, after)];
    let known: Vec<_> = sides.iter().filter_map(|(scene, ix)| Some((scene.fleet(), scene.service((*ix)?)))).collect();
    let Some((_, about)) = known.last() else { return Vec::new() };
    let all = viewpoints(&known);
    let mut found: Vec<Difference> = Vec::new();
    for family in Family::ALL {
        for client in &all {
            let old = before.and_then(|ix| from.sight(ix, family, client));
            let new = after.and_then(|ix| to.sight(ix, family, client));
            let same = match (&old, &new) {
                (Some(old), Some(new)) => old.answers_like(new),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            };
            if same {
                continue;
            }
            let alike = |one: &&mut Difference| one.family == family && one.from == old && one.to == new;
            match found.iter_mut().find(alike) {
                Some(known) => known.clients.push(client.clone()),
                None => found.push(Difference {
                    names: names.to_vec(),
                    service: about.id.clone(),
                    family,
                    clients: vec![client.clone()],
                    everyone: false,
                    from: old,
                    to: new,
                }),
            }
        }
    }
    found.iter_mut().for_each(|one| one.everyone = one.clients.len() == all.len());
    found
}

#[cfg(test)]
mod tests;
