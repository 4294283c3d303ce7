//! What a new configuration would do to the answers given now, and whether that is so much that somebody must have
//! looked at it first (DECIDING section 8, the reload guard).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use super::{Difference, ThingChange, differences, hypothesis::carried, things};
use crate::{
    model::{Digest, DnsName, EndpointId, Fleet, LastGood, Nodes, ReloadGuard, Sets, digest, kind},
    steer::{AnswerTable, compile},
};

/// A change before it happens.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Of both configurations: who accepts it has looked at this change and no other.
    pub digest: Digest,
    /// What the configurations do not have alike.
    pub things: Vec<ThingChange>,
    /// Steered answers that differ, with the verdicts and orders in force carried over.
    pub differences: Vec<Difference>,
    /// Fixed records that differ; an SOA alone is none.
    pub records: Vec<RecordChange>,
    /// Endpoints that are new. They are taken to work; they answer once their first probes say so.
    pub endpoints_added: Vec<EndpointId>,
    /// Endpoints that are gone.
    pub endpoints_removed: Vec<EndpointId>,
    /// Steered names that are new.
    pub names_added: Vec<DnsName>,
    /// Steered names that are gone.
    pub names_removed: Vec<DnsName>,
    /// Zones that are gone.
    pub zones_removed: Vec<DnsName>,
    /// What of the reload guard it exceeds; empty: it passes.
    pub exceeded: Vec<Exceeded>,
}

/// Fixed records of one name and type that are not the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordChange {
    /// Which name.
    pub name: DnsName,
    /// The type's number.
    pub kind: u16,
    /// They were there.
    pub before: bool,
    /// They are there.
    pub after: bool,
}

/// A bound of the reload guard that a change goes beyond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exceeded {
    /// A zone goes.
    Zone(DnsName),
    /// Too many endpoints go.
    Endpoints(Share),
    /// Too many names go.
    Names(Share),
    /// Too many names are answered differently.
    Answers(Share),
}

/// So many of so many, where at most some percent may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// So many.
    pub count: usize,
    /// Of so many.
    pub of: usize,
    /// Percent that pass.
    pub limit: u8,
}

impl Share {
    fn exceeds(self, at_least: u32) -> bool {
        let floor = usize::try_from(at_least).unwrap_or(usize::MAX);
        floor <= self.count && 0 < self.count && self.of * usize::from(self.limit) < self.count * 100
    }
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Share { count, of, limit }, what) = match self {
            Self::Zone(apex) => return write!(f, "it removes the zone {apex}"),
            Self::Endpoints(share) => (share, "endpoints are removed"),
            Self::Names(share) => (share, "names are removed"),
            Self::Answers(share) => (share, "names are answered differently"),
        };
        write!(f, "{count} of {of} {what}, and {limit} % may be without being looked at")
    }
}

impl Plan {
    /// What replacing the fleet of a table would do.
    #[must_use]
    pub fn of(before: &AnswerTable, fleet: &Arc<Fleet>) -> Self {
        Self::between(before, &Self::table(before, fleet))
    }

    /// What replacing one table by another would do, where the second may locate clients by other files.
    #[must_use]
    pub fn between(before: &AnswerTable, after: &AnswerTable) -> Self {
        let (old, fleet) = (&before.snapshot().fleet, &after.snapshot().fleet);
        let differences = differences(before, after);
        let records = records(old, fleet);
        let endpoints =
            |fleet: &Fleet| -> BTreeSet<EndpointId> { fleet.endpoints.iter().map(|one| one.id.clone()).collect() };
        let names =
            |fleet: &Fleet| -> BTreeSet<DnsName> { fleet.services.iter().flat_map(|one| one.names.to_vec()).collect() };
        let zones = |fleet: &Fleet| -> BTreeSet<DnsName> { fleet.zones.iter().map(|one| one.apex.clone()).collect() };
        let mut plan = Self {
            digest: digest::of(&(old.digest, fleet.digest)),
            endpoints_added: gone(&endpoints(fleet), &endpoints(old)),
            endpoints_removed: gone(&endpoints(old), &endpoints(fleet)),
            names_added: gone(&names(fleet), &names(old)),
            names_removed: gone(&names(old), &names(fleet)),
            zones_removed: gone(&zones(old), &zones(fleet)),
            things: things(old, fleet),
            differences,
            records,
            exceeded: Vec::new(),
        };
        plan.exceeded = plan.weighed(old);
        plan
    }

    /// The table that a fleet would answer from, in the same world.
    #[must_use]
    pub fn table(before: &AnswerTable, fleet: &Arc<Fleet>) -> AnswerTable {
        compile(&Arc::new(carried(before.snapshot(), fleet)), Some(before), &LastGood::new())
    }

    /// Whether anything is not as before.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.things.is_empty() && self.differences.is_empty() && self.records.is_empty()
    }

    /// What it exceeds of the guard in force: one that it loosens lets nothing through that the old one holds.
    fn weighed(&self, old: &Fleet) -> Vec<Exceeded> {
        let ReloadGuard { removed, answers, at_least } = old.safety.reload_guard;
        let kept: BTreeSet<&DnsName> = old.services.iter().flat_map(|service| service.names.iter()).collect();
        let touched: BTreeSet<&DnsName> = self.differences.iter().flat_map(|one| &one.names).collect();
        let endpoints = Share { count: self.endpoints_removed.len(), of: old.endpoints.len(), limit: removed };
        let names = Share { count: self.names_removed.len(), of: kept.len(), limit: removed };
        let changed = touched.intersection(&kept).filter(|name| !self.names_removed.contains(name)).count();
        let answers = Share { count: changed, of: kept.len(), limit: answers };
        let shares = [
            (Exceeded::Endpoints(endpoints), endpoints),
            (Exceeded::Names(names), names),
            (Exceeded::Answers(answers), answers),
        ];
        let beyond = shares.into_iter().filter(|(_, share)| share.exceeds(at_least)).map(|(exceeded, _)| exceeded);
        self.zones_removed.iter().cloned().map(Exceeded::Zone).chain(beyond).collect()
    }
}

fn gone<T: Ord + Clone>(from: &BTreeSet<T>, to: &BTreeSet<T>) -> Vec<T> {
    from.difference(to).cloned().collect()
}

/// Fixed records that differ; the SOA goes along with every change and is none itself.
fn records(old: &Fleet, new: &Fleet) -> Vec<RecordChange> {
    fn zones(fleet: &Fleet) -> BTreeMap<&DnsName, &Nodes> {
        fleet.zones.iter().map(|zone| (&zone.apex, &zone.nodes)).collect()
    }
    let (old, new, none) = (zones(old), zones(new), Nodes::default());
    let apexes: BTreeSet<&DnsName> = old.keys().chain(new.keys()).copied().collect();
    let pairs = apexes
        .into_iter()
        .map(|apex| (old.get(apex).copied().unwrap_or(&none), new.get(apex).copied().unwrap_or(&none)));
    // Zones that are the same octet by octet are not walked.
    let mut changes: Vec<RecordChange> =
        pairs.filter(|(old, new)| old != new).flat_map(|(old, new)| of_zone(old, new)).collect();
    changes.sort_unstable();
    changes
}

/// Walks both in the order of their names.
fn of_zone(old: &Nodes, new: &Nodes) -> Vec<RecordChange> {
    let (mut olds, mut news) = (old.iter().peekable(), new.iter().peekable());
    let mut changes = Vec::new();
    loop {
        let (name, before, after) = match (olds.peek().copied(), news.peek().copied()) {
            (None, None) => return changes,
            (Some(old), Some(new)) if old == new => {
                olds.next();
                news.next();
                continue;
            }
            (Some(old), Some(new)) if old.name == new.name => (old.name, old.sets, new.sets),
            (Some(old), new) if new.is_none_or(|new| old.name < new.name) => (old.name, old.sets, Sets::default()),
            (_, Some(new)) => (new.name, Sets::default(), new.sets),
            (Some(_), None) => unreachable!("an old name without a new one is taken above"),
        };
        olds.next_if(|node| node.name == name);
        news.next_if(|node| node.name == name);
        let kinds: BTreeSet<u16> = before.iter().chain(after.iter()).map(|set| set.kind).collect();
        let differ = kinds.into_iter().filter(|of| *of != kind::SOA && before.find(*of) != after.find(*of));
        changes.extend(differ.map(|of| RecordChange {
            name: DnsName::from_wire(name).expect("zones hold names"),
            kind: of,
            before: before.find(of).is_some(),
            after: after.find(of).is_some(),
        }));
    }
}
